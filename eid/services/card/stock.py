"""The stock of blank cards: delivered, reserved for an order, used, spoiled, destroyed. None is ever lost sight of.

Each step is one transaction of the store's own rows, keyed by the order that asks: done again it changes nothing.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom
from typing import Any, Final

from sqlalchemy import Connection, Engine

from eid.audit.chain import AuditEvent
from eid.enrolment.production import BLANK, BlankFacts, BlankState
from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, LifecycleError, NotStoredError, RecordError, Refusal, StoreError
from eid.services.lifecycle import Standing, advance
from eid.store import stock
from eid.store.audit import append_event, bucket_of
from eid.store.database import in_transaction
from eid.store.production_tables import stock_item
from eid.store.stock import Blank, Store

SERIAL: Final = re.compile(r"[0-9A-F]{2,64}")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}")
MAX_BATCH: Final = 100_000
CHOICE: Final = 16  # free blanks of which one is taken at random, so that two who ask at once rarely take the same
ATTEMPTS: Final = 32
KEEPERS: Final = frozenset((Role.PRODUCTION_OPERATOR, Role.ADMINISTRATOR))
CAUSES: Final = frozenset(("chip-dead", "printing", "quality", "broken-off", "damaged", "wrong-data", "other"))


class NoBlanksError(LifecycleError):
    """The store has no free blank of the product."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What became of the blanks of a product. delivered: by the delivery notes; states: where each is now."""

    product: str
    delivered: int
    states: dict[str, int]

    @property
    def is_even(self) -> bool:
        """Whether every blank that came is accounted for."""
        return self.delivered == sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Counted:
    """What a count by hand found: serials that are not where the register says, and those that it knows not of."""

    missing: tuple[str, ...]
    found_again: tuple[str, ...]
    unknown: tuple[str, ...]


def open_store(engine: Engine, name: str, actor: Actor, now: datetime) -> Store:
    """A new store.

    Raises:
        RecordError: a malformed name. EnrolmentError: FORBIDDEN.
    """
    role = actor.require(KEEPERS)
    _require_name(name, "name of the store")

    def work(connection: Connection) -> Store:
        store = stock.open_store(connection, name, now)
        _audit(connection, store.id, "stock.open", actor.tag(role), now, {})
        return store

    return in_transaction(engine, work)


def require_store(engine: Engine, store_id: uuid.UUID) -> Store:
    """The store.

    Raises:
        NotStoredError: there is none.
    """
    store = in_transaction(engine, lambda connection: stock.find_store(connection, store_id))
    if store is None:
        raise NotStoredError("there is no such store of blanks")
    return store


def receive_batch(
    engine: Engine, store_id: uuid.UUID, name: str, product: str, serials: Iterable[str], actor: Actor, now: datetime
) -> uuid.UUID:
    """A delivery: its name on the delivery note, what product the blanks are, the serial of each.

    Raises:
        RecordError: a malformed name or serial, a serial twice, none or too many. StoreError: the batch or one of the
            serials is there already; then nothing is received. EnrolmentError: FORBIDDEN. NotStoredError: no store.
    """
    role = actor.require(KEEPERS)
    store = require_store(engine, store_id)
    given = [serial.strip().upper() for serial in serials]
    _require_name(name, "name of the batch")
    _require_name(product, "product")
    if not 1 <= len(given) <= MAX_BATCH or len(set(given)) != len(given):
        raise RecordError(f"a batch has 1 to {MAX_BATCH} serials, each once")
    if not all(SERIAL.fullmatch(serial) for serial in given):
        raise RecordError("a serial is 2 to 64 hexadecimal digits")

    def work(connection: Connection) -> uuid.UUID:
        batch, _ = stock.insert_batch(connection, store, name, product, given, actor.tag(role), now)
        _audit(connection, store.id, "stock.receive", actor.tag(role), now, {"batch": str(batch), "size": len(given)})
        return batch

    return in_transaction(engine, work)


def reserve_blank(
    engine: Engine, store_id: uuid.UUID, product: str, order_id: uuid.UUID, actor: Actor, now: datetime
) -> Blank:
    """A free blank for an order; the one that it has already where it has one.

    Raises:
        NoBlanksError: there is none left. EnrolmentError: FORBIDDEN.
    """

    def work(connection: Connection) -> Blank | None:
        known = stock.find_reserved(connection, store_id, order_id)
        if known is not None:
            return known
        free = stock.list_free(connection, store_id, product, CHOICE)
        if not free:
            raise NoBlanksError("the store has no free blank of this product")
        chosen = SystemRandom().choice(free)
        facts = BlankFacts(order=str(order_id))
        _step(connection, chosen, "reserve", facts, actor, now, order_id=order_id)
        return stock.find_reserved(connection, store_id, order_id)

    for _ in range(ATTEMPTS):
        try:
            found = in_transaction(engine, work)
        except EnrolmentError as refused:
            if refused.refusal is not Refusal.WRONG_STATE:  # else somebody took that one first
                raise
        except StoreError:
            found = in_transaction(engine, lambda connection: stock.find_reserved(connection, store_id, order_id))
            if found is None:
                raise
            return found
        else:
            if found is not None:
                return found
    raise StoreError("blanks are being taken faster than one could be reserved")


def release_blank(engine: Engine, store_id: uuid.UUID, order_id: uuid.UUID, actor: Actor, now: datetime) -> None:
    """Give back the blank of an order, to which nothing was written; harmless where the order has none."""
    _settle(engine, store_id, order_id, "release", BlankState.IN_STORE, actor, now, None)


def consume_blank(engine: Engine, store_id: uuid.UUID, order_id: uuid.UUID, actor: Actor, now: datetime) -> None:
    """The blank of an order became a card; done again it changes nothing."""
    _settle(engine, store_id, order_id, "consume", BlankState.CONSUMED, actor, now, None)


def recall_blank(engine: Engine, store_id: uuid.UUID, order_id: uuid.UUID, actor: Actor, now: datetime) -> None:
    """The card that the blank of an order became was destroyed; done again it changes nothing."""
    _settle(engine, store_id, order_id, "recall", BlankState.DESTROYED, actor, now, None)


def spoil_blank(
    engine: Engine, store_id: uuid.UUID, order_id: uuid.UUID, cause: str, actor: Actor, now: datetime
) -> None:
    """The blank of an order is no card and never will be one; done again it changes nothing."""
    _settle(engine, store_id, order_id, "spoil", BlankState.SPOILED, actor, now, require_cause(cause))


def require_cause(cause: str) -> str:
    """A known cause of spoiling.

    Raises:
        RecordError: it is none.
    """
    if cause not in CAUSES:
        raise RecordError(f"cause is not one of {', '.join(sorted(CAUSES))}")
    return cause


def spoil_in_store(engine: Engine, store_id: uuid.UUID, serial: str, cause: str, actor: Actor, now: datetime) -> None:
    """A blank that was damaged before anybody asked for it.

    Raises:
        NotStoredError: there is no such blank. EnrolmentError: it is not in the store.
    """
    _by_serial(engine, store_id, serial, "spoil", actor, now, BlankFacts(), cause=require_cause(cause))


def destroy_blank(engine: Engine, store_id: uuid.UUID, serial: str, witness: str, actor: Actor, now: datetime) -> None:
    """A spoiled blank is destroyed, before a second person.

    Raises:
        NotStoredError: there is no such blank. EnrolmentError: it is not spoiled, or there was no second person.
    """
    facts = BlankFacts(witness=witness)
    _by_serial(engine, store_id, serial, "destroy", actor, now, facts, told={"witness": witness})


def take_stock(engine: Engine, store_id: uuid.UUID, serials: Iterable[str], actor: Actor, now: datetime) -> Counted:
    """Compare a count of what lies in the store, blanks and spoiled ones, with the register, and note what is missing.

    A blank that turns up again is spoiled: nobody knows where it was.
    """
    counted = {serial.strip().upper() for serial in serials}

    def work(connection: Connection) -> Counted:
        concerned = stock.list_in_states(connection, store_id, (*_LYING, BlankState.MISSING))
        known = {item.serial: item for item in concerned}
        missing = [known[name] for name in sorted(known.keys() - counted) if known[name].state in _LYING]
        again = [known[name] for name in sorted(known.keys() & counted) if known[name].state == BlankState.MISSING]
        for item in missing:
            _step(connection, item, "miss", BlankFacts(), actor, now)
        for item in again:
            _step(connection, item, "find", BlankFacts(), actor, now, cause="other")
        return Counted(
            tuple(item.serial for item in missing),
            tuple(item.serial for item in again),
            tuple(sorted(counted - stock.known_serials(connection, store_id, counted))),
        )

    actor.require(KEEPERS)
    return in_transaction(engine, work)


_LYING: Final = (BlankState.IN_STORE, BlankState.SPOILED)


def balance_stock(engine: Engine, store_id: uuid.UUID) -> tuple[Balance, ...]:
    """For each product what was delivered, and where every blank of it is."""

    def work(connection: Connection) -> tuple[Balance, ...]:
        delivered, states = stock.count_delivered(connection, store_id), stock.count_blanks(connection, store_id)
        return tuple(Balance(product, size, states.get(product, {})) for product, size in sorted(delivered.items()))

    return in_transaction(engine, work)


def list_stores(engine: Engine) -> tuple[Store, ...]:
    """All stores, oldest first."""
    return in_transaction(engine, stock.list_stores)


def list_blanks(
    engine: Engine, store_id: uuid.UUID, *, state: str | None = None, limit: int = 100
) -> tuple[Blank, ...]:
    """Blanks of a store, oldest first. state: only those."""
    return in_transaction(engine, lambda c: stock.list_blanks(c, store_id, state=state, limit=limit))


def _settle(
    engine: Engine,
    store_id: uuid.UUID,
    order_id: uuid.UUID,
    event: str,
    target: BlankState,
    actor: Actor,
    now: datetime,
    cause: str | None,
) -> None:
    def work(connection: Connection) -> None:
        blank = stock.find_reserved(connection, store_id, order_id)
        if blank is None and target is BlankState.CONSUMED:
            raise LifecycleError("the stock knows of no blank for this order")
        if blank is None or blank.state in (target, BlankState.DESTROYED):
            return
        facts = BlankFacts(order=str(order_id), reserved_for=str(blank.order_id))
        stays = target in (BlankState.CONSUMED, BlankState.DESTROYED)  # the order's own for ever
        values: dict[str, Any] = {} if stays else {"order_id": None}
        if target is BlankState.SPOILED:
            values |= {"spoiled_for": order_id, "cause": cause}
        _step(connection, blank, event, facts, actor, now, **values)

    in_transaction(engine, work)


def _by_serial(
    engine: Engine,
    store_id: uuid.UUID,
    serial: str,
    event: str,
    actor: Actor,
    now: datetime,
    facts: BlankFacts,
    *,
    cause: str | None = None,
    told: dict[str, str] | None = None,
) -> None:
    def work(connection: Connection) -> None:
        blank = stock.find_serial(connection, store_id, serial.strip().upper())
        if blank is None:
            raise NotStoredError("there is no such blank in this store")
        if event == "spoil" and blank.order_id is not None:
            raise EnrolmentError(Refusal.WRONG_STATE, "the blank is reserved: spoil it with its order")
        _step(connection, blank, event, facts, actor, now, told=told, **({} if cause is None else {"cause": cause}))

    in_transaction(engine, work)


def _step(
    connection: Connection,
    blank: Blank,
    event: str,
    facts: BlankFacts,
    actor: Actor,
    now: datetime,
    *,
    told: dict[str, str] | None = None,
    **values: Any,
) -> None:
    standing = Standing(stock_item, blank.id, blank.state, blank.version)
    order = values.get("order_id") or values.get("spoiled_for") or blank.order_id
    detail = {**({} if order is None else {"order": str(order)}), **(told or {})}
    advance(connection, BLANK, standing, event, facts, actor, now, detail=detail, values={**values, "changed_at": now})


def _require_name(text: str, what: str) -> None:
    if not NAME.fullmatch(text):
        raise RecordError(f"{what} is not 1 to 64 letters, digits, spaces and . _ / -")


def _audit(
    connection: Connection, store_id: uuid.UUID, action: str, actor: str, now: datetime, detail: dict[str, str | int]
) -> None:
    append_event(connection, bucket_of(store_id), AuditEvent(now, actor, action, f"store:{store_id}", detail))
