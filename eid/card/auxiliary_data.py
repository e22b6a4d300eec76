"""VERIFY of authenticated auxiliary data against the eID application's data groups (TR-03110-3 B.5, B.14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from eid.card.access import require_open_session
from eid.card.session import Card
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.oid import ID_AT, ID_COMMUNITY_ID, ID_DATE_OF_BIRTH, ID_DATE_OF_EXPIRY
from eid.codec.status_word import SW
from eid.codec.tlv import read_header
from eid.errors import CommandRefused
from eid.lds.eid_application import (
    DATE_OF_BIRTH,
    DATE_OF_EXPIRY,
    EID_AID,
    MUNICIPALITY_ID,
    EidValue,
    decode_eid_group,
    eid_group,
)
from eid.protocols import security_status
from eid.protocols.auxiliary_data import core, messages


@dataclass(frozen=True, slots=True)
class _Question:
    """What is compared, how, and the right that asking takes; None where every authentication terminal may."""

    group: int
    compare: Callable[[Any, bytes], bool]
    right: int | None


QUESTIONS: Final = {
    ID_DATE_OF_BIRTH: _Question(DATE_OF_BIRTH, core.is_not_born_after, security_status.AGE_VERIFICATION),
    ID_DATE_OF_EXPIRY: _Question(DATE_OF_EXPIRY, core.is_not_expired, None),
    ID_COMMUNITY_ID: _Question(MUNICIPALITY_ID, core.is_in_community, security_status.COMMUNITY_ID_VERIFICATION),
}


def verify(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """VERIFY: whether what the terminal has signed holds for this holder.

    Raises:
        CommandRefused: 6982 no authentication terminal, or without the right, 6A88 nothing to compare, 6300 it does not
            hold, 6A86, 6985. DecodeError: malformed.
    """
    require_open_session(card)
    if (command.p1, command.p2) != messages.AUXILIARY_DATA:
        raise CommandRefused(SW.WRONG_P1P2, "VERIFY of something else")
    status, terminal = card.session.status, card.session.terminal
    if terminal is None or not status.is_terminal(ID_AT):
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "only for an authentication terminal")
    oid = messages.decode_verify(command.data)
    question, given = QUESTIONS.get(oid), terminal.find_auxiliary(oid)
    if question is None or given is None:
        raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "not part of Terminal Authentication")
    if question.right is not None and not status.has_right(ID_AT, question.right):
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "the terminal may not ask this")
    if not question.compare(_stored(card, question.group), given):
        raise CommandRefused(SW.WARNING_AUTHENTICATION_FAILED, "it does not hold")
    return ResponseAPDU()


def _stored(card: Card, number: int) -> EidValue:
    """The card's own value; the file may be longer than the data group in it."""
    application = card.memory.applications.get(EID_AID)
    file = None if application is None else application.files.get(eid_group(number).file.fid)
    if file is None:
        raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "the card stores nothing to compare with")
    content = bytes(file.content)
    _, start, length = read_header(content)
    return decode_eid_group(number, content[: start + length])
