"""Publishing the status of cards: lists built from the register, signed, kept, and written out for a web server.

A list is published anew when a card in it has changed, or when two thirds of the time are over for which a copy of it
is kept (`ttl`). Nothing of it is on the path of a verification: relying parties fetch lists, and ask them offline.
Workers publish (`eid.services.card.status_work`), or an operator by hand; both of a list's forms are kept in one
transaction, and whoever comes second finds that nothing is due.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine

from eid.enrolment.card_status import CardState, status_value
from eid.errors import NotStoredError
from eid.keystore.ports import Signer
from eid.pki.status_list import StatusType, build_status_list
from eid.pki.status_token import StatusClaims, TokenForm, sign_status_token
from eid.store import standing_work
from eid.store.cards import ListedStatus, last_change, read_lists, read_states, read_unfinished_places
from eid.store.database import in_transaction, reading
from eid.store.files import load_file, store_file
from eid.store.status_publications import (
    Publication,
    forget_publications,
    keep_publication,
    load_publication,
    newest_issue,
)

BITS: Final = 2  # valid, invalid, suspended
EARLY: Final = 2 / 3  # of ttl: then the next publication is due, though nothing has changed
INDEX: Final = "status-lists.json"
PUBLISH: Final = "status.publish"  # kind of work
REST: Final = timedelta(minutes=1)  # workers publish a list not more often: each publication is kept for `history`


@dataclass(frozen=True, slots=True)
class PublicationTerms:
    """How long a publication is good.

    Args:
        ttl: how long a copy is kept before a fresh one is fetched: so late may a relying party learn of a loss.
        validity: after that a list must not be relied upon. history: how long expired ones still answer for their time.
        rest: how soon after a publication a change makes the next one due.
    """

    ttl: timedelta = timedelta(minutes=15)
    validity: timedelta = timedelta(days=1)
    history: timedelta = timedelta(days=7)
    rest: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class StatusSigner:
    """A key for status lists, and its certificate, DER."""

    key: Signer
    certificate: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Published:
    """One list: how many of its cards are invalid and suspended, and the octets of each form."""

    uri: str
    size: int
    invalid: int
    suspended: int
    issued_at: datetime
    octets: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StatusPublisher:
    """Who publishes the lists of a register.

    Args:
        open_signer: gives the key that may sign at a time. directory: where a web server finds what was published.
        aggregation_uri: where all lists are named, to stand in each.
    """

    engine: Engine = field(repr=False)
    open_signer: Callable[[datetime], StatusSigner] = field(repr=False)
    terms: PublicationTerms
    directory: Path | None = None
    aggregation_uri: str | None = None

    def publish(self, now: datetime, *, due_only: bool) -> tuple[Published, ...]:
        """Publish all lists, or those that are due, and write out what the directory has not.

        Raises:
            LifecycleError, KeyStoreError, StoreError: as `publish`; a file cannot be written.
        """
        done: tuple[Published, ...] = ()
        if not due_only or is_any_due(self.engine, now, self.terms):  # to open a software key costs scrypt's time
            signer, uri = self.open_signer(now.replace(microsecond=0)), self.aggregation_uri
            done = publish(self.engine, signer, now, terms=self.terms, due_only=due_only, aggregation_uri=uri)
        if self.directory is not None:  # also where nothing is due: who published last may have died before he wrote
            write_publications(self.engine, self.directory)
        return done


def ask_to_publish_change(connection: Connection, uri: str, now: datetime) -> None:
    """Have a list published soon, in the transaction that changes a card in it; where it rests, a timer asks for it."""
    before = newest_issue(connection, uri, TokenForm.CWT.name)
    if before is not None and before[0] + REST <= now:
        standing_work.ask(connection, PUBLISH, now)


def publish(
    engine: Engine,
    signer: StatusSigner,
    now: datetime,
    *,
    terms: PublicationTerms | None = None,
    due_only: bool = False,
    aggregation_uri: str | None = None,
) -> tuple[Published, ...]:
    """Publish all lists, or those that are due.

    Args:
        now: UTC; whole seconds count. aggregation_uri: where all lists are named, to stand in each.

    Raises:
        LifecycleError: the signer's key must not sign now. KeyStoreError: it cannot be used. StoreError.
    """
    settled, moment = terms or PublicationTerms(), now.replace(microsecond=0)
    lists, unfinished = in_transaction(engine, lambda connection: _survey(connection, settled, moment, due_only))
    return tuple(
        _publish(engine, signer, item, unfinished.get(item.uri, ()), moment, settled, aggregation_uri) for item in lists
    )


def is_any_due(engine: Engine, now: datetime, terms: PublicationTerms | None = None) -> bool:
    """Whether `publish` with `due_only` would do anything; to ask takes no key."""
    settled, moment = terms or PublicationTerms(), now.replace(microsecond=0)
    return bool(in_transaction(engine, lambda connection: _survey(connection, settled, moment, due_only=True))[0])


def is_waited_for(connection: Connection, now: datetime) -> bool:
    """Whether a list is older than its own terms say, or a card in it has changed and it rests no more.

    So an office that publishes by hand, in time, is not told that nobody does.
    """
    for item in read_lists(connection):
        before = newest_issue(connection, item.uri, TokenForm.CWT.name)
        if before is None or _is_due(connection, item.uri, PublicationTerms(ttl=before[1], rest=REST), now):
            return True
    return False


def _survey(
    connection: Connection, terms: PublicationTerms, now: datetime, due_only: bool
) -> tuple[tuple[ListedStatus, ...], Mapping[str, list[int]]]:
    lists = read_lists(connection)
    due = tuple(item for item in lists if _may_follow(connection, item.uri, now))
    if due_only:
        due = tuple(item for item in due if _is_due(connection, item.uri, terms, now))
    unfinished: dict[str, list[int]] = defaultdict(list)
    for uri, place in read_unfinished_places(connection) if due else ():
        unfinished[uri].append(place)
    return due, unfinished


def _may_follow(connection: Connection, uri: str, now: datetime) -> bool:
    """A list is published once in a second at most, and never before one that is there."""
    before = newest_issue(connection, uri, TokenForm.CWT.name)
    return before is None or before[0] < now


def _is_due(connection: Connection, uri: str, terms: PublicationTerms, now: datetime) -> bool:
    before = newest_issue(connection, uri, TokenForm.CWT.name)
    if before is None or before[0] + terms.ttl * EARLY <= now:
        return True
    changed = last_change(connection, uri)
    return changed is not None and changed >= before[0] and before[0] + terms.rest <= now


def _publish(
    engine: Engine,
    signer: StatusSigner,
    item: ListedStatus,
    unfinished: Iterable[int],
    now: datetime,
    terms: PublicationTerms,
    aggregation_uri: str | None,
) -> Published:
    statuses = in_transaction(engine, lambda connection: read_statuses(connection, item.uri, unfinished))
    built = build_status_list(-(-item.size // 4) * 4, BITS, statuses.items())
    seconds = int(terms.ttl.total_seconds())
    claims = StatusClaims(item.uri, now, now + terms.validity, seconds, built, aggregation_uri)
    tokens = {form.name: sign_status_token(form, claims, signer.key, signer.certificate) for form in TokenForm}

    def keep(connection: Connection) -> None:
        for form, token in tokens.items():
            keep_publication(connection, item.uri, form, now, now + terms.validity, seconds, token)
        forget_publications(connection, item.uri, now - terms.history)

    in_transaction(engine, keep)
    suspended = sum(status == StatusType.SUSPENDED for status in statuses.values())
    octets = {form: len(token) for form, token in tokens.items()}
    return Published(item.uri, item.size, len(statuses) - suspended, suspended, now, octets)


def read_statuses(connection: Connection, uri: str, unfinished: Iterable[int] = ()) -> dict[int, int]:
    """Status by place of all cards of a list that are not valid; a place that no card has counts as valid.

    So an outsider does not learn how many cards there are, and the list compresses well (13.3).
    """
    statuses = dict.fromkeys(unfinished, int(StatusType.INVALID))
    for place, state in read_states(connection, uri):
        statuses[place] = status_value(CardState(state))
    return statuses


# --- serving


def find_list(connection: Connection, name: str) -> str | None:
    """The URI of the list whose last segment is `name`; None where there is none, or more than one."""
    found = [item.uri for item in read_lists(connection) if list_name(item.uri) == name]
    return found[0] if len(found) == 1 else None


def list_name(uri: str) -> str:
    """What a list is called in the path of an address: the last segment of its URI."""
    return urlsplit(uri).path.rsplit("/", 1)[-1]


def list_uris(connection: Connection) -> tuple[str, ...]:
    """URIs of all lists (9.3)."""
    return tuple(item.uri for item in read_lists(connection))


def require_publication(connection: Connection, uri: str, form: TokenForm, at: datetime | None = None) -> Publication:
    """The newest publication of a list, or the one that was valid at a time (8.4).

    Raises:
        NotStoredError: there is none.
    """
    found = load_publication(connection, uri, form.name, at)
    if found is None:
        raise NotStoredError("the status list was not published" if at is None else "no list of that time is kept")
    return found


def find_publication(engine: Engine, name: str, form: TokenForm, at: datetime | None = None) -> Publication:
    """What is served under a list's name: the newest publication, or the one that was valid at a time.

    Raises:
        NotStoredError: there is no such list, or nothing of that time.
    """

    def work(connection: Connection) -> Publication:
        uri = find_list(connection, name)
        if uri is None:
            raise NotStoredError("there is no such status list")
        return require_publication(connection, uri, form, at)

    return in_transaction(engine, work)


def list_all(engine: Engine) -> tuple[str, ...]:
    """URIs of all lists (9.3)."""
    return in_transaction(engine, list_uris)


def write_publications(engine: Engine, directory: Path) -> tuple[Path, ...]:
    """Write the newest publications for a web server: NAME.jwt, NAME.cwt, and the list of all lists.

    A file that is right already is left alone; any other is replaced whole.

    Raises:
        StoreError: a file cannot be written.
    """
    written = []
    with reading(engine) as connection:
        uris = list_uris(connection)
        for uri in uris:
            for form in TokenForm:
                found = load_publication(connection, uri, form.name)
                if found is not None:
                    path = directory / f"{list_name(uri)}.{form.name.lower()}"
                    _replace(path, found.token)
                    written.append(path)
    path = directory / INDEX
    _replace(path, json.dumps({"status_lists": list(uris)}, indent=2).encode() + b"\n")
    return (*written, path)


def _replace(path: Path, raw: bytes) -> None:
    if not path.exists() or load_file(path) != raw:
        store_file(path, raw)
