"""LEN: extended lengths and command chaining, as the chip announces them (ISO/IEC 7816-4 5, Doc 9303-10 3.11.1)."""

from __future__ import annotations

from dataclasses import replace

from eid.codec.apdu import CHAINING_BIT, MAX_SHORT_LE, CommandAPDU
from eid.conformance.case import Case, Unit
from eid.conformance.subject import Subject, accepted, enter, read_binary, refused, select_by_identifier, speak
from eid.conformance.units.commands import needs_entry
from eid.errors import DecodeError, PeerProtocolError
from eid.lds.atr_info import AtrInfo, decode_atr_info
from eid.lds.files import EF_ATR_INFO, EF_COM, by_name
from eid.protocols.exchange import Exchange, Reset, transmit


def _announcement(subject: Subject) -> AtrInfo | None:
    try:
        return decode_atr_info(subject.files[EF_ATR_INFO.name])
    except (KeyError, DecodeError):
        return None


def _needs_extended(subject: Subject) -> str | None:
    if (reason := needs_entry(subject)) is not None:
        return reason
    info = _announcement(subject)
    return None if info is not None and info.supports_extended_length else "EF.ATR/INFO announces no extended length"


def _needs_limits(subject: Subject) -> str | None:
    if (reason := _needs_extended(subject)) is not None:
        return reason
    info = _announcement(subject)
    return None if info is not None and info.extended_length_limits else "EF.ATR/INFO states no limits"


def _needs_chaining(subject: Subject) -> str | None:
    info = _announcement(subject)
    return None if info is not None and info.supports_chaining else "EF.ATR/INFO announces no chaining"


def _extended_plain(subject: Subject) -> Exchange[str]:
    yield Reset()
    response = yield from transmit(CommandAPDU(0x00, 0xA4, 0x04, 0x0C, subject.aid, extended=True))
    accepted(response, "SELECT with extended Lc")
    return "9000"


def _extended_read(subject: Subject) -> Exchange[str]:
    content = subject.content("DG2")
    session = yield from enter(subject)
    wanted = min(len(content), 512)
    command = CommandAPDU(0x00, 0xB0, 0x80 | by_name("DG2").sfi, 0x00, le=wanted, extended=True)
    response = accepted((yield from speak(session, command)), f"READ BINARY with extended Le of {wanted}")
    if response.data != content[: len(response.data)] or len(response.data) <= min(wanted - 1, MAX_SHORT_LE):
        raise PeerProtocolError(f"READ BINARY of {wanted} octets brought {len(response.data)}")
    return f"{len(response.data)} octets at once"


def _largest_response(subject: Subject) -> Exchange[str]:
    info = _announcement(subject)
    limits = None if info is None else info.extended_length_limits
    content = subject.content("DG2")
    session = yield from enter(subject)
    room = session.max_response_data((limits.max_response if limits is not None else MAX_SHORT_LE) - 2)
    wanted = min(len(content), room)
    command = CommandAPDU(0x00, 0xB0, 0x80 | by_name("DG2").sfi, 0x00, le=wanted, extended=True)
    response = accepted((yield from speak(session, command)), f"READ BINARY of {wanted} octets")
    if response.data != content[:wanted]:
        raise PeerProtocolError(f"{len(response.data)} of {wanted} octets, fewer than the limit that is stated")
    return f"{wanted} octets at once"


def _short_le(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    command = session.protect_command(read_binary(by_name("DG2").sfi, 0, session.max_response_data(MAX_SHORT_LE)))
    response = yield from transmit(command)
    session.unprotect_response(response)
    if len(response.data) > MAX_SHORT_LE:
        raise PeerProtocolError(f"a short command was answered with {len(response.data)} octets")
    return f"{len(response.data)} octets"


def _le_is_kept(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    for le in (1, 7, 16):
        response = accepted((yield from speak(session, read_binary(EF_COM.sfi, 0, le))), f"READ BINARY, Le {le}")
        if len(response.data) != le:
            raise PeerProtocolError(f"Le {le} was answered with {len(response.data)} octets")
    return "as many octets as Le says"


def _chained(subject: Subject) -> Exchange[str]:
    yield Reset()
    first = CommandAPDU(CHAINING_BIT, 0xA4, 0x04, 0x0C, subject.aid[:4])
    accepted((yield from transmit(first)), "the first link of a chain")
    accepted((yield from transmit(replace(first, cla=0x00, data=subject.aid[4:]))), "the last link of a chain")
    return "SELECT in two links"


def _broken_chain(subject: Subject) -> Exchange[str]:
    """What follows a chain that was broken off must not be joined to it."""
    yield Reset()
    first = CommandAPDU(CHAINING_BIT, 0xA4, 0x04, 0x0C, subject.aid[:4])
    yield from transmit(first)
    yield from transmit(CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=1))
    response = yield from transmit(replace(first, cla=0x00, data=subject.aid[4:]))
    return refused(response, "the last link of a chain that was broken off")


def _select_without_le(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    accepted((yield from speak(session, select_by_identifier(EF_COM.fid))), "SELECT without Le")
    return "9000"


UNIT = Unit(
    "LEN",
    "Lengths",
    (
        Case(
            "LEN_01",
            "Extended Lc, plain",
            "Doc 9303-10 3.11.1",
            "is taken where it is announced",
            _extended_plain,
            _needs_extended,
        ),
        Case(
            "LEN_02",
            "Extended Le in a session",
            "Doc 9303-10 3.11.1",
            "over 256 octets at once where it is announced",
            _extended_read,
            _needs_extended,
        ),
        Case(
            "LEN_03",
            "Largest response",
            "ISO/IEC 7816-4 12.7.1",
            "is as large as stated",
            _largest_response,
            _needs_limits,
        ),
        Case(
            "LEN_04",
            "Short command in a session",
            "ISO/IEC 7816-4 5.2",
            "at most 256 octets in answer",
            _short_le,
            needs_entry,
        ),
        Case("LEN_05", "Le", "ISO/IEC 7816-4 5.2", "is kept to", _le_is_kept, needs_entry),
        Case(
            "LEN_06",
            "Command chaining",
            "ISO/IEC 7816-4 5.3.3",
            "is taken where it is announced",
            _chained,
            _needs_chaining,
        ),
        Case(
            "LEN_07", "Chain that is broken off", "ISO/IEC 7816-4 5.3.3", "is not joined to what follows", _broken_chain
        ),
        Case("LEN_08", "SELECT without Le in a session", "Doc 9303-10 3.6.2", "9000", _select_without_le, needs_entry),
    ),
)
