"""SM: secure messaging (Doc 9303-11 9.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.tlv import Tlv, decode_tlvs, encode_tlvs
from eid.conformance.case import Case, Procedure, Unit
from eid.conformance.subject import Subject, accepted, enter, read_binary, refused, select_by_identifier, speak
from eid.conformance.units.commands import needs_entry
from eid.errors import PeerProtocolError
from eid.lds.files import EF_COM, by_name
from eid.protocols.exchange import Exchange, Reset, transmit
from eid.protocols.files import select_application
from eid.protocols.secure_messaging import (
    DO_CRYPTOGRAM,
    DO_LE,
    DO_MAC,
    DO_PADDED_CRYPTOGRAM,
    DO_STATUS,
    SecureMessaging,
)

_PROBE = read_binary(EF_COM.sfi, 0, 8)
_SELECT = select_by_identifier(EF_COM.fid)
_DG1 = read_binary(by_name("DG1").sfi, 0, 8)

Alteration = Callable[[CommandAPDU], CommandAPDU]


def _with_objects(change: Callable[[list[Tlv]], list[Tlv]]) -> Alteration:
    def alter(command: CommandAPDU) -> CommandAPDU:
        return replace(command, data=encode_tlvs(change(list(decode_tlvs(command.data)))))

    return alter


def _flip(tag: int) -> Alteration:
    """One bit of the last octet of a data object."""

    def change(objects: list[Tlv]) -> list[Tlv]:
        return [
            Tlv(item.tag, item.value[:-1] + bytes((item.value[-1] ^ 0x01,))) if item.tag == tag else item
            for item in objects
        ]

    return _with_objects(change)


def _without(*tags: int) -> Alteration:
    return _with_objects(lambda objects: [item for item in objects if item.tag not in tags])


def _cut_mac(objects: list[Tlv]) -> list[Tlv]:
    return [Tlv(item.tag, item.value[:4]) if item.tag == DO_MAC else item for item in objects]


def _refuses(command: CommandAPDU, alter: Alteration, what: str) -> Procedure:
    """A protected command, altered."""

    def run(subject: Subject) -> Exchange[str]:
        session = yield from enter(subject)
        return refused((yield from transmit(alter(session.protect_command(command)))), what)

    return run


def _works(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    for _ in range(3):
        accepted((yield from speak(session, _PROBE)), "READ BINARY EF.COM")
    return "three commands, three right MACs"


def _protects_response(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    response = yield from transmit(session.protect_command(_PROBE))
    tags = [item.tag for item in decode_tlvs(response.data)]
    session.unprotect_response(response)
    if tags != [DO_PADDED_CRYPTOGRAM, DO_STATUS, DO_MAC]:
        raise PeerProtocolError(f"data objects {' '.join(f'{tag:02X}' for tag in tags)} in the response")
    return "87 99 8E"


def _protects_bare_response(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    response = yield from transmit(session.protect_command(_SELECT))
    tags = [item.tag for item in decode_tlvs(response.data)]
    session.unprotect_response(response)
    if tags != [DO_STATUS, DO_MAC]:
        raise PeerProtocolError(f"data objects {' '.join(f'{tag:02X}' for tag in tags)} in the response")
    return "99 8E"


def _protects_refusal(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    response = yield from speak(session, select_by_identifier(0x01FE))
    accepted((yield from speak(session, _PROBE)), "READ BINARY after a refusal")
    return f"{response.sw:04X}, protected; the session goes on"


def _dies(alter: Alteration, what: str) -> Procedure:
    """After a fault no way of counting on brings the session back: neither before it, nor over it, nor behind it."""

    def run(subject: Subject) -> Exchange[str]:
        for skipped in range(3):
            session = yield from enter(subject)
            command = session.protect_command(_PROBE)
            refused((yield from transmit(alter(command))), what)
            for _ in range(skipped):
                command = session.protect_command(_PROBE)
            refused((yield from transmit(command)), f"a command in the session after {what}")
        return "the session is over"

    return run


def _replayed(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    command = session.protect_command(_PROBE)
    session.unprotect_response((yield from transmit(command)))
    return refused((yield from transmit(command)), "the same protected command once more")


def _skipped(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    session.protect_command(_PROBE)
    session.protect_command(_PROBE)
    return refused((yield from transmit(session.protect_command(_PROBE))), "a command two counts ahead")


def _other_session(subject: Subject) -> Exchange[str]:
    old = yield from enter(subject)
    command = old.protect_command(_PROBE)
    yield from enter(subject)
    return refused((yield from transmit(command)), "a command of another session")


def _after_reset(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    yield Reset()
    yield from select_application(subject.aid)
    return refused((yield from transmit(session.protect_command(_PROBE))), "the old session after a reset")


def _plain(command: CommandAPDU, what: str) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        yield from enter(subject)
        return refused((yield from transmit(command)), what)

    return run


def _plain_current(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    accepted((yield from speak(session, _SELECT)), "SELECT EF.COM")
    response = yield from transmit(CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=8))
    return refused(response, "plain READ BINARY of the current file in a session")


def _plain_ends(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    yield from transmit(_DG1)
    for skipped in range(2):
        for _ in range(skipped):
            session.protect_command(_PROBE)
        refused((yield from transmit(session.protect_command(_PROBE))), "a protected command after a plain one")
    return "the session is over"


def _plain_select_ends(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    yield from transmit(CommandAPDU(0x00, 0xA4, 0x04, 0x0C, subject.aid))
    refused((yield from transmit(_DG1)), "READ BINARY of DG1, plain")
    return refused((yield from transmit(session.protect_command(_PROBE))), "a protected command after a plain SELECT")


def _counts(subject: Subject) -> Exchange[str]:
    """The same command twice: the answers must not be the same octets."""
    session = yield from enter(subject)
    seen: list[bytes] = []
    for _ in range(2):
        response: ResponseAPDU = yield from transmit(session.protect_command(_PROBE))
        session.unprotect_response(response)
        seen.append(response.data)
    if seen[0] == seen[1]:
        raise PeerProtocolError("the same command has the same protected answer twice")
    return "two different answers"


def _many(subject: Subject) -> Exchange[str]:
    session: SecureMessaging = yield from enter(subject)
    for number in range(40):
        accepted((yield from speak(session, _PROBE if number % 2 else _SELECT)), f"command {number}")
    return "40 commands"


def _without_protection(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    del session
    return refused((yield from transmit(replace(_PROBE, cla=0x0C))), "class 0C with plain content")


_ERROR = "Doc 9303-11 9.8.5"
_OBJECTS = "Doc 9303-11 9.8.4"
_END = "Doc 9303-11 9.8.3"
_IN_A_SESSION = "Doc 9303-11 4.3.2"

UNIT = Unit(
    "SM",
    "Secure messaging",
    (
        Case("SM_01", "Commands in a session", _OBJECTS, "right MACs", _works, needs_entry),
        Case(
            "SM_02",
            "Response with data",
            "Doc 9303-11 9.8.4",
            "data objects 87, 99, 8E",
            _protects_response,
            needs_entry,
        ),
        Case(
            "SM_03",
            "Response without data",
            "Doc 9303-11 9.8.4",
            "data objects 99, 8E",
            _protects_bare_response,
            needs_entry,
        ),
        Case(
            "SM_04",
            "Refusal in a session",
            _END,
            "is protected itself, and the session goes on",
            _protects_refusal,
            needs_entry,
        ),
        Case(
            "SM_05",
            "MAC altered",
            _ERROR,
            "an error, unprotected",
            _refuses(_PROBE, _flip(DO_MAC), "an altered MAC"),
            needs_entry,
        ),
        Case(
            "SM_06",
            "MAC missing",
            _ERROR,
            "an error, unprotected",
            _refuses(_PROBE, _without(DO_MAC), "a command without a MAC"),
            needs_entry,
        ),
        Case(
            "SM_07",
            "MAC cut to four octets",
            _OBJECTS,
            "an error, unprotected",
            _refuses(_PROBE, _with_objects(_cut_mac), "a MAC of four octets"),
            needs_entry,
        ),
        Case(
            "SM_08",
            "Cryptogram altered",
            _ERROR,
            "an error, unprotected",
            _refuses(_SELECT, _flip(DO_PADDED_CRYPTOGRAM), "an altered cryptogram"),
            needs_entry,
        ),
        Case(
            "SM_09",
            "Cryptogram missing",
            _ERROR,
            "an error, unprotected",
            _refuses(_SELECT, _without(DO_PADDED_CRYPTOGRAM), "a command without its cryptogram"),
            needs_entry,
        ),
        Case(
            "SM_10",
            "Protected Le altered",
            _ERROR,
            "an error, unprotected",
            _refuses(_PROBE, _flip(DO_LE), "an altered data object 97"),
            needs_entry,
        ),
        Case(
            "SM_11",
            "Protected Le missing",
            _ERROR,
            "an error, unprotected",
            _refuses(_PROBE, _without(DO_LE), "a command without its data object 97"),
            needs_entry,
        ),
        Case(
            "SM_12",
            "Header altered",
            _ERROR,
            "an error, unprotected",
            _refuses(_PROBE, lambda command: replace(command, p2=command.p2 ^ 1), "a command with another P2"),
            needs_entry,
        ),
        Case(
            "SM_13",
            "Instruction altered",
            _ERROR,
            "an error, unprotected",
            _refuses(_PROBE, lambda command: replace(command, ins=0xB1), "a command with another instruction"),
            needs_entry,
        ),
        Case(
            "SM_14",
            "Unknown data object",
            _OBJECTS,
            "an error, unprotected",
            _refuses(
                _PROBE,
                _with_objects(lambda objects: [Tlv(DO_CRYPTOGRAM, bytes(8)), *objects]),
                "a data object more than the MAC covers",
            ),
            needs_entry,
        ),
        Case("SM_15", "No data objects at all", _ERROR, "an error, unprotected", _without_protection, needs_entry),
        Case("SM_16", "Command repeated", "Doc 9303-11 9.8.2", "an error, unprotected", _replayed, needs_entry),
        Case("SM_17", "Command left out", "Doc 9303-11 9.8.2", "an error, unprotected", _skipped, needs_entry),
        Case(
            "SM_18",
            "Command of another session",
            "Doc 9303-11 9.8.5",
            "an error, unprotected",
            _other_session,
            needs_entry,
        ),
        Case("SM_19", "Session after a wrong MAC", _END, "is over", _dies(_flip(DO_MAC), "a wrong MAC"), needs_entry),
        Case(
            "SM_20",
            "Session after a missing MAC",
            _END,
            "is over",
            _dies(_without(DO_MAC), "a missing MAC"),
            needs_entry,
        ),
        Case("SM_21", "Session after a reset", "Doc 9303-11 9.8.5", "is over", _after_reset, needs_entry),
        Case(
            "SM_22",
            "Plain READ BINARY in a session",
            _IN_A_SESSION,
            "an error, no data",
            _plain(_DG1, "plain READ BINARY of DG1 in a session"),
            needs_entry,
        ),
        Case(
            "SM_23",
            "Plain READ BINARY of the file that a session has selected",
            _IN_A_SESSION,
            "an error, no data",
            _plain_current,
            needs_entry,
        ),
        Case("SM_24", "Session after a plain command", _END, "is over", _plain_ends, needs_entry),
        Case(
            "SM_25",
            "Session after a plain SELECT of the application",
            _IN_A_SESSION,
            "is over",
            _plain_select_ends,
            needs_entry,
        ),
        Case("SM_26", "The counter counts", "Doc 9303-11 9.8.2", "no two answers are the same", _counts, needs_entry),
        Case("SM_27", "A long session", "Doc 9303-11 9.8.2", "40 commands", _many, needs_entry),
    ),
)
