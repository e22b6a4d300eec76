"""What people are told, by SMS and e-mail: in their language, with no secret in it but a stamp or a one-time code.

The work names a template and whose affair it is. Who is told, where, and in which language is looked up when the
message goes out, so that no name and no address waits anywhere. Each message is noted before it goes and after; sent
again, it carries the same key, by which a gateway knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from eid.enrolment.application import ApplicationState
from eid.enrolment.appointment import ENDED
from eid.errors import GatewayError, GatewayRefusedError, NotStoredError
from eid.gateways.messages import Message
from eid.locale import FALLBACK, is_spoken, isolate, text
from eid.services.application.steps import day_told
from eid.services.caller.applicants import CODE_LIFETIME, read_message
from eid.services.durable.work import Workshop
from eid.services.stamp.stamps import StampOffice, open_message
from eid.store.applications import load_application
from eid.store.appointments import find_appointment, find_site
from eid.store.database import in_transaction, reading
from eid.store.notifications import (
    REFUSED,
    SENDING,
    SENT,
    Notification,
    begin_notifications,
    end_notifications,
)
from eid.store.outbox import Work
from eid.store.persons import load_person
from eid.store.stamps import note_message

SMS: Final = "sms"
MAIL: Final = "mail"
TEMPLATES: Final = (
    "application-submit",
    "application-request-information",
    "application-validate",
    "application-arrive",
    "application-hand-over",
    "application-reject",
    "application-reject-final",
    "application-withdraw",
    "application-lapse",
    "application-cancel",
    "appointment-booked",
    "appointment-moved",
    "appointment-cancelled",
    "appointment-missed",
    "card-suspended",
    "card-resumed",
    "card-revoked",
    "stamp-issued",
    "access-code",
)
REJECT: Final = "application-reject"
REJECT_FINAL: Final = "application-reject-final"  # no appeal is open
STANDS: Final = frozenset(("appointment-booked", "appointment-moved"))  # said only while the appointment is there
SAID_IN: Final = {
    "application-request-information": ApplicationState.INFORMATION_REQUESTED,
    "application-arrive": ApplicationState.READY,
    "application-reject": ApplicationState.REJECTED,
}
"""Messages with a day that counts in one state only; said again later they would tell another."""
_VERBATIM: Final = frozenset(("digits", "code"))  # copied by hand or program: no mark of direction may stand in it


@dataclass(frozen=True, slots=True)
class Notice:
    """A message before it is written: what about, in which language, what stands in it, to whom by which way.

    Args:
        subject: whose affair. parameters: what the template asks for. addresses: by channel, "sms" and "mail".
    """

    subject: UUID
    template: str
    language: str
    parameters: Mapping[str, str] = field(repr=False)
    addresses: Mapping[str, str] = field(repr=False)


def tell(workshop: Workshop, work: Work) -> None:
    """Work of the kind "notify": tell an applicant what became of his application, appointment or card.

    Payload: template, application, the day that is told of (until), and perhaps appointment, with site and slot. What
    the work does not say is looked up. An appointment that is elsewhere by now, or has ended, is told of by the message
    that this has caused; the one before, where it is late, is withdrawn.

    Raises:
        GatewayError: to be tried again. GatewayRefusedError: no gateway takes it. NotStoredError: nobody is there.
    """
    with reading(workshop.engine) as connection:
        notice = _read_notice(connection, work)
    if notice is not None:
        deliver(workshop, work, notice)


def tell_stamp(workshop: Workshop, work: Work) -> None:
    """Work of the kind "sms.stamp": send the digits of a stamp to who bought it.

    Raises:
        GatewayError, GatewayRefusedError: as `tell`.
    """
    stamp_id = UUID(work.payload["stamp"])
    found = open_message(StampOffice(workshop.engine, workshop.rules, workshop.keys), stamp_id)
    if found is None:  # it was blocked or refunded meanwhile
        return
    amount = workshop.rules.show_amount(found.amount)
    parameters = {"digits": found.digits, "amount": amount, "currency": found.currency}
    deliver(workshop, work, Notice(stamp_id, "stamp-issued", found.language, parameters, {SMS: found.phone}))
    now = workshop.now()
    in_transaction(workshop.engine, partial(note_message, stamp_id=stamp_id, sent_at=now), alone=True)


def tell_code(workshop: Workshop, work: Work) -> None:
    """Work of the kind "access.code": send a one-time code, unless its time is over.

    Raises:
        GatewayError, GatewayRefusedError: as `tell`.
    """
    code_id = UUID(work.payload["code"])
    with reading(workshop.engine) as connection:
        found = read_message(workshop, connection, code_id)
    if found is None:
        return
    minutes = str(int(CODE_LIFETIME.total_seconds()) // 60)
    channel = SMS if found.channel.value == "sms" else MAIL
    parameters = {"code": found.code, "minutes": minutes}
    deliver(workshop, work, Notice(code_id, "access-code", found.language, parameters, {channel: found.contact}))


def deliver(workshop: Workshop, work: Work, notice: Notice) -> None:
    """Send a notice by every way that leads to the person; one that was sent is not sent again.

    Raises:
        GatewayError: a gateway asks to try later. GatewayRefusedError: not one of them takes it.
    """
    failures: list[GatewayError] = []
    ended: list[tuple[Notification, str, str]] = []
    begin = partial(_begin, workshop=workshop, work=work, notice=notice)
    for told in in_transaction(workshop.engine, begin, alone=True):
        try:
            ended.append((told, SENT, _send(workshop, work, notice, told.channel)))
        except GatewayError as failure:  # it does not keep the other way waiting
            failures.append(failure)
            if isinstance(failure, GatewayRefusedError):
                ended.append((told, REFUSED, ""))
    if ended:
        in_transaction(workshop.engine, partial(end_notifications, ended=ended, now=workshop.now()))
    away = [failure for failure in failures if not isinstance(failure, GatewayRefusedError)]
    if away:
        raise away[0]
    if len(failures) == len(notice.addresses):
        raise failures[0] if failures else GatewayRefusedError("there is neither a telephone number nor an address")


def render(template: str, language: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    """Subject and text of a message; values keep their direction in a text that runs from right to left."""
    spoken = language if is_spoken(language) else FALLBACK
    shown = {name: said if name in _VERBATIM else isolate(spoken, said) for name, said in parameters.items()}
    return text(spoken, "message_subject", template), text(spoken, "message", template).format_map(shown)


def mask(channel: str, address: str) -> str:
    """An address as far as staff may see it: the country and the last two digits, or the host of the mail."""
    if channel == SMS:
        return f"{address[:4]}{'*' * max(len(address) - 6, 0)}{address[-2:]}"
    return f"{address[:1]}***@{address.rpartition('@')[2]}"[:64]


def _begin(connection: Connection, workshop: Workshop, work: Work, notice: Notice) -> list[Notification]:
    """Note what is about to be sent; what was sent before is not among it."""
    now = workshop.now()
    wanted = [
        Notification(
            work.id, channel, notice.subject, notice.template, notice.language, mask(channel, address), SENDING, "", now
        )
        for channel, address in notice.addresses.items()
    ]
    return begin_notifications(connection, wanted)


def _send(workshop: Workshop, work: Work, notice: Notice, channel: str) -> str:
    subject, body = render(notice.template, notice.language, notice.parameters)
    title, address = "" if channel == SMS else subject, notice.addresses[channel]
    message = Message(f"{work.id}.{channel}", address, title, body, notice.language)
    return (workshop.sms if channel == SMS else workshop.mail).send(message)


def _read_notice(connection: Connection, work: Work) -> Notice | None:
    """Who is to be told what; None where it is not so any more."""
    template, application_id = str(work.payload["template"]), UUID(work.payload["application"])
    application = load_application(connection, application_id)
    person = None if application is None else load_person(connection, application.person_id)
    if application is None or person is None or template not in TEMPLATES:
        raise NotStoredError("there is nobody to tell, or nothing to say")
    if template == REJECT and application.appeal_until is None:
        template = REJECT_FINAL
    until = work.payload.get("until") or day_told(application, template.removeprefix("application-"))
    parameters = {"number": application.number, "until": until}
    if "appointment" in work.payload:
        place = _read_place(connection, work, application.language)
        if place is None:
            return None
        parameters |= place
    stated = {SMS: person.phone, MAIL: person.email}
    addresses = {channel: address for channel, address in stated.items() if address}
    return Notice(application_id, template, application.language, parameters, addresses)


def _read_place(connection: Connection, work: Work, language: str) -> dict[str, str] | None:
    """Where and when, by the clock of the site; None where the appointment that is told of stands there no more."""
    found = find_appointment(connection, UUID(work.payload["appointment"]))
    code, slot = str(work.payload.get("site", found.site)), str(work.payload.get("slot", found.slot))
    if work.payload["template"] in STANDS and (found.state in ENDED or (code, slot) != (found.site, found.slot)):
        return None
    site = find_site(connection, code, keep=False).site
    titles = {str(spoken): title for spoken, title in site.title.items()}
    place = titles.get(language) or titles.get(FALLBACK) or next(iter(titles.values()))
    return {"place": place, "time": slot.removesuffix("~").replace("T", " ")}
