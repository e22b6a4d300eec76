"""Durable work: what a committed transaction has caused is done, once or again, until it is done.

::

    transaction --enqueue(Work)--> outbox --relay--> durable engine --perform--> handler of the kind
                                                        ^                 |
                                                        +---- later ------+--> `work_failure`, for a person to look at

A handler is ``handle(workshop, work) -> None``, named for its kind in one line of `eid.services.durable.handlers`. It
may be called again after it has succeeded, because a process can die before it has said so; therefore its effects in
the database are one transaction that asks first: the state of a life cycle (`advance` refuses a second time), or
`once`. What it asks of the world outside carries ``work.id`` as its idempotency key.

What it raises decides: `GatewayError`, `TransportError`, `StoreError`, `KeyStoreError` and `OvertakenError` are tried
again, later and later; `GatewayRefusedError`, `NotStoredError` and every other `EidError` are final, and kept for a
person to look at (`eid worker failed`).

Some kinds need a key that not every worker has: they wait on a queue of their own, named for what is needed
(`Capability`), until a worker comes who has it. What such a handler signs it asks about first, and keeps, in the
database; whatever its key signs is written down before (`eid.services.pki.recorded_signer`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final, TypeAlias

from sqlalchemy import Connection, Engine

from eid.enrolment.rules import EnrolmentRules
from eid.errors import (
    EidError,
    GatewayError,
    GatewayRefusedError,
    KeyStoreError,
    NotStoredError,
    OvertakenError,
    StoreError,
    TransportError,
)
from eid.gateways.jobs import ORDINARY
from eid.gateways.messages import MessageGateway
from eid.keystore.service_keys import ServiceKeys
from eid.services.audit.log import Sealer
from eid.services.card.status_lists import StatusPublisher
from eid.services.settings import Settings
from eid.store.database import in_transaction
from eid.store.outbox import Work
from eid.store.work_records import is_first_time, keep_failure

FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=15)
ATTEMPTS: Final = 40  # about eight hours in all
UNEXPECTED: Final = "an unexpected error: see the log"


@unique
class Capability(StrEnum):
    """What a worker must be able to do for a kind of work; each has a queue of its name."""

    WORK = ORDINARY
    SEAL = "seal"  # sign heads of the audit log
    PUBLISH = "publish"  # sign status lists


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a handler may use.

    Args:
        rules: of the country. now: the clock. sms, mail: the ways to people. sealer, publisher: None where this process
            does not sign heads of the audit log, or status lists.
    """

    engine: Engine = field(repr=False)
    settings: Settings = field(repr=False)
    rules: EnrolmentRules = field(repr=False)
    keys: ServiceKeys = field(repr=False)
    now: Callable[[], datetime]
    sms: MessageGateway = field(repr=False)
    mail: MessageGateway = field(repr=False)
    sealer: Sealer | None = field(default=None, repr=False)
    publisher: StatusPublisher | None = field(default=None, repr=False)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What can be done with what is here."""
        keys = {Capability.SEAL: self.sealer, Capability.PUBLISH: self.publisher}
        return frozenset((Capability.WORK, *(name for name, key in keys.items() if key is not None)))


Handler: TypeAlias = Callable[[Workshop, Work], None]


@dataclass(frozen=True, slots=True)
class Timer:
    """Something to be done at an interval, by one worker at a time; a turn that is cut short is repeated."""

    every: timedelta
    run: Callable[[Workshop], None]


@unique
class Outcome(StrEnum):
    """What became of an attempt."""

    DONE = "DONE"
    AGAIN = "AGAIN"
    FAILED = "FAILED"


def once(workshop: Workshop, work: Work, effect: Callable[[Connection], None]) -> bool:
    """Run `effect` in a transaction that counts once for this work, however often it is tried.

    Returns:
        whether it was run now.
    """

    def run(connection: Connection) -> bool:
        if not is_first_time(connection, work, workshop.now()):
            return False
        effect(connection)
        return True

    return in_transaction(workshop.engine, run)


def perform(workshop: Workshop, handlers: Mapping[str, Handler], work: Work, attempt: int) -> Outcome:
    """Let the handler of its kind do the work.

    Args:
        attempt: number of this attempt, from 0.

    Returns:
        whether it is done, is to be tried again after `pause_after`, or has failed and was kept as a failure.
    """
    known = False
    try:
        outcome = _attempt(workshop, handlers, work, attempt)
        known = True
    finally:
        if not known:  # a defect of the handler: the error goes up to whoever watches the log, the work is not lost
            _keep(workshop, work, attempt, UNEXPECTED)
    return outcome


def pause_after(attempt: int) -> timedelta:
    """How long to wait after this attempt, from 0: doubled each time, up to a quarter of an hour."""
    return min(FIRST_PAUSE * (1 << min(attempt, 16)), LONGEST_PAUSE)


def _attempt(workshop: Workshop, handlers: Mapping[str, Handler], work: Work, attempt: int) -> Outcome:
    handler = handlers.get(work.kind)
    if handler is None:
        return _keep(workshop, work, attempt, "there is no handler of this kind")
    try:
        handler(workshop, work)
    except (GatewayRefusedError, NotStoredError) as refusal:
        return _keep(workshop, work, attempt, str(refusal))
    except (GatewayError, TransportError, StoreError, KeyStoreError, OvertakenError) as failure:
        return Outcome.AGAIN if attempt + 1 < ATTEMPTS else _keep(workshop, work, attempt, str(failure))
    except EidError as refusal:
        return _keep(workshop, work, attempt, str(refusal))
    return Outcome.DONE


def _keep(workshop: Workshop, work: Work, attempt: int, why: str) -> Outcome:
    """Keep the failure; where even that fails, the work is tried again instead of being lost."""
    now = workshop.now()
    try:
        in_transaction(workshop.engine, lambda connection: keep_failure(connection, work, attempt + 1, why, now))
    except StoreError:
        return Outcome.AGAIN
    return Outcome.FAILED
