"""What must hold after all of it: the books of an office whose workers were killed, line by line.

Each function looks at one thing and says what is wrong; nothing is what it says where all is right.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy import Connection, Engine, select, text

from eid.audit.chain import AuditRow, Fact
from eid.enrolment.appointment import LIVE
from eid.enrolment.payment import Channel
from eid.enrolment.payment_statement import StatementLine
from eid.enrolment.site import cells_of
from eid.gateways.payment.statement import decode_statement
from eid.pki.status_token import decode_status_token
from eid.services.card.status_lists import list_name
from eid.services.card.stock import balance_stock
from eid.services.durable.oversight import look_at_work
from eid.store.application_tables import application
from eid.store.appointment_tables import appointment, appointment_place
from eid.store.appointments import Appointment, find_site
from eid.store.audit import read_buckets, read_chain
from eid.store.card_tables import card, status_publication
from eid.store.production_tables import production_order
from eid.store.stamp_tables import payment, stamp
from eid.store.stock import list_blanks
from tests.load.affairs import SITES, Office

PAID_FOR = ("PAID", "ISSUED", "RESERVED", "CONSUMED", "BLOCKED")
ENDS = {
    "collected": ("DELIVERED", "CONSUMED", "ACTIVE"),
    "lost": ("DELIVERED", "CONSUMED", "SUSPENDED"),
    "stolen": ("DELIVERED", "CONSUMED", "REVOKED"),
    "withdrawn": ("WITHDRAWN", "REFUNDED", None),
    "cancelled": ("CANCELLED", "CONSUMED", None),
}
"""By an affair's fate: where its application, its stamp and its card end."""
BLANK_OF = {"PASSED": "CONSUMED", "SPOILED": "SPOILED"}  # where the blank of an order ends
COUNTING = (
    "CREATE TABLE caused (id VARCHAR(36) NOT NULL, kind VARCHAR(64) NOT NULL)",
    {
        "sqlite": "CREATE TRIGGER count_caused AFTER INSERT ON outbox BEGIN"
        " INSERT INTO caused VALUES (NEW.id, NEW.kind); END",
        "postgresql": "CREATE FUNCTION count_caused() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO caused VALUES (NEW.id::text, NEW.kind); RETURN NEW; END $$",
    },
    {
        "sqlite": "",
        "postgresql": "CREATE TRIGGER count_caused AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION count_caused()",
    },
)


def count_what_is_caused(connection: Connection) -> None:
    """From now on the database itself writes down each piece of work that a transaction leaves in the outbox."""
    for statement in COUNTING:
        said = statement if isinstance(statement, str) else statement[connection.dialect.name]
        if said:
            connection.execute(text(said))


def read_caused(connection: Connection) -> dict[uuid.UUID, str]:
    """All work that was ever caused, and its kind."""
    return {uuid.UUID(row.id): row.kind for row in connection.execute(text("SELECT id, kind FROM caused"))}


def examine(office: Office) -> list[str]:
    """Everything that is wrong."""
    with office.engine.connect() as connection:
        found = [
            *office.broken,
            *_affairs(connection, office),
            *_money(connection, office),
            *_approvals(connection),
            *_places(connection),
            *_blanks(connection, office),
            *_messages(connection, office),
            *_lives(connection),
        ]
    return [*found, *_stock(office), *_work(office.engine)]  # which have transactions of their own


def _affairs(connection: Connection, office: Office) -> Iterator[str]:
    """Each affair has come to the end that it was to have."""
    states = {row.id: row.state for row in connection.execute(select(application.c.id, application.c.state))}
    stamps = {row.id: row.state for row in connection.execute(select(stamp.c.id, stamp.c.state))}
    cards: defaultdict[uuid.UUID | None, list[str]] = defaultdict(list)
    for row in connection.execute(select(card.c.application_id, card.c.state).where(card.c.state != "VOID")):
        cards[row.application_id].append(row.state)
    for affair in office.begun:
        assert affair.stamp is not None
        assert affair.application is not None
        wanted = ENDS[affair.fate]
        own: list[str | None] = [*cards[affair.application]] or [None]
        ended = [(states.get(affair.application), stamps.get(affair.stamp), state) for state in own]
        if ended != [wanted]:
            yield f"affair {affair.number} ({affair.fate}) has ended in {ended}"


def _money(connection: Connection, office: Office) -> Iterator[str]:
    """Money in is stamps: by our books, and by the provider's."""
    paid = connection.execute(select(payment.c.stamp_id, payment.c.amount).where(payment.c.state == "SETTLED")).all()
    worth = connection.execute(select(stamp.c.id, stamp.c.amount).where(stamp.c.state.in_(PAID_FOR))).all()
    if Counter(map(tuple, paid)) != Counter(map(tuple, worth)):
        yield f"{len(paid)} payments were kept for {len(worth)} stamps"
    held = sum(line.money.amount * (1 if line.kind == "payment" else -1) for line in _movements(office))
    if held != sum(row.amount for row in worth):
        yield f"the provider holds {held}, the stamps are worth {sum(row.amount for row in worth)}"


def _movements(office: Office) -> Iterator[StatementLine]:
    """All that moved at the provider, by his own statements."""
    today = datetime.now(UTC).date()
    for day in (today - timedelta(days=1), today):
        yield from decode_statement(office.provider.statement(Channel.ONLINE_CARD, day))


def _approvals(connection: Connection) -> Iterator[str]:
    """As many stamps are consumed as applications were approved, each once, for that application."""
    consumed = connection.execute(select(stamp.c.application_id).where(stamp.c.state == "CONSUMED")).scalars().all()
    approved = Counter(
        row.event.subject.partition(":")[2] for row in _rows(connection) if row.event.action == "application.approve"
    )
    if Counter(map(str, consumed)) != approved:
        yield f"{len(consumed)} stamps are consumed for {approved.total()} approvals"


def _places(connection: Connection) -> Iterator[str]:
    """Nobody sits on anybody's place, and nobody beyond the last."""
    rows = connection.execute(select(*(appointment.c[name] for name in Appointment.__dataclass_fields__))).mappings()
    live = [found for found in (Appointment(**row) for row in rows) if found.state in LIVE]
    by_place: defaultdict[tuple[str, int], list[Appointment]] = defaultdict(list)
    for found in live:
        by_place[found.site, found.place].append(found)
        if not 1 <= found.place <= find_site(connection, found.site).site.places:
            yield f"appointment {found.id} has a place that its site has not"
    for together in by_place.values():
        ordered = sorted(together, key=lambda item: item.starts_at)
        if any(before.ends_at > after.starts_at for before, after in pairwise(ordered)):
            yield f"a place at {ordered[0].site} is booked twice"
    taken = connection.execute(select(appointment_place.c.appointment_id)).scalars().all()
    zones = {code: find_site(connection, code).site.zone for code in SITES}
    wanted = sum(len(tuple(cells_of(found.starts_at, found.minutes, zones[found.site]))) for found in live)
    if len(taken) != wanted:
        yield f"{len(taken)} places are taken, {wanted} are wanted"


def _blanks(connection: Connection, office: Office) -> Iterator[str]:
    """Every blank is what its order says."""
    used = production_order.c.serial.is_not(None) & (production_order.c.state != "CANCELLED")
    states = connection.execute(select(production_order.c.state).where(used)).scalars()
    wanted = Counter(BLANK_OF.get(state, state) for state in states)
    blanks = list_blanks(connection, office.store, limit=1 << 20)
    found = Counter(blank.state for blank in blanks if blank.state != "IN_STORE")
    if found != wanted:
        yield f"blanks are {dict(found)}, orders want them {dict(wanted)}"


def _messages(connection: Connection, office: Office) -> Iterator[str]:
    """Each message that was caused has gone out once, under its work's own key, and no other has."""
    caused = read_caused(connection)
    wanted = {f"{name}.sms" for name, kind in caused.items() if kind in ("notify", "sms.stamp")}
    with office.sms.lock:
        sent = set(office.sms.messages)
    if wanted - sent:
        yield f"messages lost: {len(wanted - sent)}"
    if sent - wanted:
        yield f"messages that nobody asked for: {len(sent - wanted)}"
    if shared := [key for key, told in office.asked.items() if len(told) > 1]:
        yield f"keys under which two people were to be told: {len(shared)}"


def _lives(connection: Connection) -> Iterator[str]:
    """Every change of a state stands in the audit log, once: each begins where the one before has ended."""
    told: defaultdict[str, list[Mapping[str, Fact]]] = defaultdict(list)
    for row in _rows(connection):
        if "to" in row.event.detail:
            told[row.event.subject].append(row.event.detail)
    for subject, changes in told.items():
        for before, after in pairwise(changes):
            if after["from"] != before["to"] or int(str(after["version"])) <= int(str(before["version"])):
                yield f"{subject} went from {before['to']} on from {after['from']}"


def _stock(office: Office) -> Iterator[str]:
    """Every blank is accounted for."""
    if not all(item.is_even for item in balance_stock(office.engine, office.store)):
        yield "the stock is not even"


def _work(engine: Engine) -> Iterator[str]:
    """Nothing is left over, nothing has failed."""
    state = look_at_work(engine, datetime.now(UTC))
    if state.waiting:
        yield f"work left in the outbox: {state.waiting}"
    for failure in state.failures:
        yield f"work that failed: {failure.work.kind}: {failure.why}"


def examine_publications(engine: Engine, directory: Path) -> list[str]:
    """Each publication is there in both forms, says what it is, and the web server has whole ones."""
    columns = tuple(status_publication.c[name] for name in ("uri", "issued_at", "form", "token"))
    found: list[str] = []
    forms: defaultdict[tuple[str, object], set[str]] = defaultdict(set)
    tokens: defaultdict[str, set[bytes]] = defaultdict(set)
    with engine.connect() as connection:
        rows = connection.execute(select(*columns)).all()
    for row in rows:
        forms[row.uri, row.issued_at].add(row.form)
        tokens[f"{list_name(row.uri)}.{row.form.lower()}"].add(row.token)
        claims = decode_status_token(row.token).claims
        if (claims.uri, claims.issued_at) != (row.uri, row.issued_at):
            found.append(f"a publication of {row.uri} says it is of {claims.issued_at}")
    if any(len(item) != 2 for item in forms.values()):
        found.append("a publication is there in one form only")
    for path in directory.glob("*.[jc]wt"):
        if path.read_bytes() not in tokens[path.name]:
            found.append(f"{path.name} was never published")
    return found


def _rows(connection: Connection) -> Iterator[AuditRow]:
    """The whole audit log."""
    for bucket in read_buckets(connection):
        yield from read_chain(connection, bucket)
