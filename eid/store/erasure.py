"""Rows that are erased: what is deleted, and what is stripped of whoever it was about and stays for the accounts.

Each function touches one family and may be done again. What stays has no name, number, date or address in it: states,
amounts and places of cards are needed for the accounts and the status lists.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, delete, exists, select, update

from eid.store.access_tables import access_account, access_code, access_session
from eid.store.application_tables import application, document, person, person_name, person_search_key, personal_number
from eid.store.appointment_tables import appointment, appointment_hold
from eid.store.appointments import site_bucket
from eid.store.audit import bucket_of
from eid.store.card_tables import card
from eid.store.notification_tables import notification
from eid.store.office_tables import caller_check
from eid.store.osia_tables import osia_buffer, osia_record
from eid.store.production_tables import (
    capture,
    captured_item,
    document_number,
    duplicate_search,
    hold,
    production_order,
)
from eid.store.stamp_tables import payment, stamp
from eid.store.tables import issued_document


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a long list: so many behind an identifier."""

    after: uuid.UUID | None = None
    size: int = 500


NOBODY: Final = "erased"
NOTHING: Final = uuid.UUID(int=0)
STAMP_ENDS: Final = ("CONSUMED", "REFUNDED", "EXPIRED", "CANCELLED")


# What is to be erased


def ended_before(
    connection: Connection,
    states: Iterable[str],
    before: datetime,
    page: Page,
    *,
    drafts: bool | None = None,
) -> tuple[uuid.UUID, ...]:
    """Applications that came into one of these states before a moment, by identifier.

    Args:
        drafts: only those that were never submitted (True), or that were (False).
    """
    table = application
    query = _older(before, page).where(table.c.state.in_(tuple(states)), table.c.due_at.is_(None))
    if drafts is not None:
        query = query.where(table.c.submitted_at.is_(None) if drafts else table.c.submitted_at.is_not(None))
    return tuple(connection.execute(query).scalars())


def delivered_with(connection: Connection, what: Table, before: datetime, page: Page) -> tuple[uuid.UUID, ...]:
    """Applications whose card was handed over before a moment, and that have rows in `document` or `capture` yet.

    Of captures those count whose items are there still.
    """
    table = application
    left = select(what.c.id).where(what.c.bucket == table.c.bucket, what.c.application_id == table.c.id)
    if what is capture:
        left = left.join(
            captured_item, (captured_item.c.bucket == capture.c.bucket) & (captured_item.c.capture_id == capture.c.id)
        )
    query = _older(before, page).where(table.c.state == "DELIVERED", exists(left))
    return tuple(connection.execute(query).scalars())


def _older(before: datetime, page: Page) -> Select[Any]:
    """What was begun later cannot have ended before."""
    table = application
    query = select(table.c.id).where(table.c.id < floor_id(before), table.c.updated_at < before)
    if page.after is not None:
        query = query.where(table.c.id > page.after)
    return query.order_by(table.c.id).limit(page.size)


def floor_id(moment: datetime) -> uuid.UUID:
    """The smallest identifier of version 7 of a moment."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)


def blobs_of(connection: Connection, application_id: uuid.UUID) -> tuple[frozenset[str], frozenset[str]]:
    """Names of the papers and of the captured items that belong to this application and to no other."""
    bucket = bucket_of(application_id)
    mine = select(document.c.blob).where(document.c.bucket == bucket, document.c.application_id == application_id)
    papers = frozenset(connection.execute(mine).scalars())
    shared = select(document.c.blob).where(
        document.c.bucket == bucket, document.c.blob.in_(papers), document.c.application_id != application_id
    )
    items = select(captured_item.c.blob).where(
        captured_item.c.bucket == bucket, captured_item.c.capture_id.in_(captures_of(connection, application_id))
    )
    return papers - set(connection.execute(shared).scalars()), frozenset(connection.execute(items).scalars())


def captures_of(connection: Connection, application_id: uuid.UUID) -> tuple[uuid.UUID, ...]:
    """The captures of an application."""
    query = select(capture.c.id).where(
        capture.c.bucket == bucket_of(application_id), capture.c.application_id == application_id
    )
    return tuple(connection.execute(query).scalars())


# The citizen's family


def erase_papers(connection: Connection, application_id: uuid.UUID) -> int:
    """Delete an application's papers; how many."""
    return _erase_of(connection, document, application_id)


def erase_items(connection: Connection, application_id: uuid.UUID) -> int:
    """Delete what was captured; that it was, and how good it was, stays."""
    bucket = bucket_of(application_id)
    mine = captures_of(connection, application_id)
    where = (captured_item.c.bucket == bucket, captured_item.c.capture_id.in_(mine))
    return connection.execute(delete(captured_item).where(*where)).rowcount


def erase_application_rows(connection: Connection, application_id: uuid.UUID) -> None:
    """Delete an application and all that hangs on it; strip the orders and cards that were made for it."""
    bucket = bucket_of(application_id)
    subjects = [application_id, *_cards_of(connection, application_id)]
    connection.execute(
        delete(notification).where(notification.c.bucket == bucket, notification.c.subject.in_(subjects))
    )
    erase_items(connection, application_id)
    for table in (capture, duplicate_search, hold, document, appointment_hold):
        _erase_of(connection, table, application_id)
    _strip(
        connection, production_order, production_order.c.application_id == application_id, bucket,
        document_number=None, sod_hash=None, job_id=None, expires_on=None, issued_on=None,
    )  # fmt: skip
    _strip(
        connection, card, card.c.application_id == application_id, bucket,
        document_number=None, holder=None, person_id=None, application_id=None, document_id=None,
    )  # fmt: skip
    connection.execute(delete(application).where(application.c.bucket == bucket, application.c.id == application_id))


def erase_person_rows(connection: Connection, person_id: uuid.UUID) -> None:
    """Delete a person of whom no application is left, with those who were merged into him."""
    bucket = bucket_of(person_id)
    merged = select(person.c.id).where(
        person.c.bucket == bucket, person.c.state == "MERGED", person.c.merged_into == person_id
    )
    everybody = [person_id, *connection.execute(merged).scalars()]
    for table in (person_name, person_search_key, caller_check):
        connection.execute(delete(table).where(table.c.bucket == bucket, table.c.person_id.in_(everybody)))
    _strip(connection, card, card.c.person_id.in_(everybody), bucket,
           document_number=None, holder=None, person_id=None, document_id=None)  # fmt: skip
    connection.execute(delete(person).where(person.c.bucket == bucket, person.c.id.in_(everybody)))


# Other families


def strip_stamps(connection: Connection, application_id: uuid.UUID, applicant: str | None) -> None:
    """Forget who bought the stamps of an application, and those of an account whose life is over.

    Args:
        applicant: of an account that is erased, too.
    """
    theirs = stamp.c.application_id == application_id
    if applicant is not None:
        theirs |= (stamp.c.ordered_by == applicant) & stamp.c.state.in_(STAMP_ENDS)
    found = connection.execute(select(stamp.c.bucket, stamp.c.id).where(theirs)).all()
    for bucket, stamp_id in found:
        values = {"ordered_by": NOBODY, "sealed_phone": b"", "sealed_digits": None, "application_id": None}
        _strip(connection, stamp, stamp.c.id == stamp_id, bucket, **values)
        _strip(connection, payment, payment.c.stamp_id == stamp_id, bucket, requested_by=NOBODY)
        connection.execute(
            delete(notification).where(notification.c.bucket == bucket, notification.c.subject == stamp_id)
        )


def strip_appointments(connection: Connection, application_id: uuid.UUID, site: str) -> None:
    """Forget why somebody came first at a site."""
    where = (appointment.c.site == site) & (appointment.c.application_id == application_id)
    _strip(connection, appointment, where, site_bucket(site), category=None)


def free_number(connection: Connection, person_id: uuid.UUID, number: str) -> None:
    """Forget whose a personal number was."""
    where = (personal_number.c.number == number, personal_number.c.person_id == person_id)
    connection.execute(delete(personal_number).where(*where))


def erase_account(connection: Connection, account_id: uuid.UUID) -> None:
    """Delete an applicant's account with its sessions and codes; who comes again has a new one."""
    bucket = bucket_of(account_id)
    mine = (access_account.c.bucket == bucket, access_account.c.id == account_id)
    contact = connection.execute(select(access_account.c.contact_tag).where(*mine)).scalar_one_or_none()
    where = (access_session.c.bucket == bucket, access_session.c.account_id == account_id)
    connection.execute(delete(access_session).where(*where))
    if contact is not None:
        codes = (access_code.c.bucket == bucket, access_code.c.contact_tag == contact)
        told = notification.c.subject.in_(select(access_code.c.id).where(*codes))
        connection.execute(delete(notification).where(notification.c.bucket == bucket, told))
        connection.execute(delete(access_code).where(*codes))
    connection.execute(delete(access_account).where(*mine))


def blobs_of_others(connection: Connection, application_id: uuid.UUID) -> frozenset[str]:
    """Names of the images that other systems sent for an application."""
    query = (
        select(osia_buffer.c.blob)
        .join(
            osia_record, (osia_record.c.bucket == osia_buffer.c.bucket) & (osia_record.c.id == osia_buffer.c.record_id)
        )
        .where(osia_record.c.subject.in_([application_id, *_cards_of(connection, application_id)]))
    )
    return frozenset(connection.execute(query).scalars())


def erase_records_of_others(connection: Connection, application_id: uuid.UUID) -> None:
    """Delete what other systems hold here about an application and its cards."""
    subjects = [application_id, *_cards_of(connection, application_id)]
    found = select(osia_record.c.bucket, osia_record.c.id).where(osia_record.c.subject.in_(subjects))
    for bucket, record_id in connection.execute(found).all():
        mine = (osia_buffer.c.bucket == bucket, osia_buffer.c.record_id == record_id)
        connection.execute(delete(osia_buffer).where(*mine))
        connection.execute(delete(osia_record).where(osia_record.c.bucket == bucket, osia_record.c.id == record_id))


def forget_document(connection: Connection, job_id: uuid.UUID) -> None:
    """Delete the register's row of a document whose card has run out long ago."""
    connection.execute(delete(issued_document).where(issued_document.c.job_id == job_id))


def detach_number(connection: Connection, number: str) -> None:
    """Forget for whom a document number was drawn; the number itself stays, for it is never given out again."""
    connection.execute(update(document_number).where(document_number.c.number == number).values(order_id=NOTHING))


def _cards_of(connection: Connection, application_id: uuid.UUID) -> tuple[uuid.UUID, ...]:
    query = select(card.c.id).where(card.c.bucket == bucket_of(application_id), card.c.application_id == application_id)
    return tuple(connection.execute(query).scalars())


def _erase_of(connection: Connection, table: Table, application_id: uuid.UUID) -> int:
    where = (table.c.bucket == bucket_of(application_id), table.c.application_id == application_id)
    return connection.execute(delete(table).where(*where)).rowcount


def _strip(connection: Connection, table: Table, where: Any, bucket: int, **values: Any) -> None:
    connection.execute(update(table).where(table.c.bucket == bucket, where).values(**values))
