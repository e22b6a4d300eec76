"""EAC: Terminal Authentication, and what stays closed without it (Doc 9303-11 7.1)."""

from __future__ import annotations

from eid.codec.apdu import MAX_SHORT_LE, CommandAPDU
from eid.codec.tlv import decode_tlv
from eid.conformance.case import Case, Precondition, Procedure, Unit
from eid.conformance.subject import Subject, accepted, enter, read_binary, refused, select_by_identifier, speak
from eid.conformance.units.chip_authentication import chip_keys
from eid.errors import PeerProtocolError
from eid.lds.files import EF_COM, EF_CVCA, by_number
from eid.lds.security_infos import TerminalAuthenticationInfo
from eid.protocols.chip_authentication.terminal import run_chip_authentication
from eid.protocols.exchange import Exchange, Reset, through, transmit
from eid.protocols.files import encode_read_odd, read_whole, select_application
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.terminal_authentication import messages
from eid.protocols.terminal_authentication.messages import AuthenticationTemplate

_UNKNOWN_AUTHORITY = "XXNOBODY00001"
_NO_CERTIFICATE = bytes.fromhex("7F4E085F2901004201415F370400000000")  # body and signature, in form


def _lists(number: int) -> Precondition:
    def applies(subject: Subject) -> str | None:
        if subject.opening is None:
            return "no way in"
        return None if number in subject.listed else f"the chip has no DG{number}"

    return applies


def _needs_terminal_authentication(subject: Subject) -> str | None:
    if subject.opening is None:
        return "no way in"
    announced = any(isinstance(info, TerminalAuthenticationInfo) for info in (*subject.dg14, *subject.card_access))
    return None if announced else "neither DG14 nor EF.CardAccess announces Terminal Authentication"


def _needs_cvca(subject: Subject) -> str | None:
    if (reason := _needs_terminal_authentication(subject)) is not None:
        return reason
    names = any(isinstance(info, TerminalAuthenticationInfo) and info.version == 1 for info in subject.dg14)
    return None if names else "DG14 announces no Terminal Authentication of version 1"


def _needs_sensitive_and_key(subject: Subject) -> str | None:
    if not {3, 4} & set(subject.listed):
        return "the chip has neither DG3 nor DG4"
    return None if subject.opening and chip_keys(subject) else "DG14 has no key for Chip Authentication"


def _closed(number: int, command: CommandAPDU) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        session = yield from enter(subject)
        return (yield from _stays_closed(session, command, f"DG{number}"))

    return run


def _stays_closed(session: SecureMessaging, command: CommandAPDU, what: str) -> Exchange[str]:
    """Refused in the session, or, as some chips do, with the end of the session."""
    response = yield from transmit(session.protect_command(command))
    if response.data:
        response = session.unprotect_response(response)
    return refused(response, f"{what} without Terminal Authentication")


def _closed_by_selection(number: int) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        session = yield from enter(subject)
        response = yield from transmit(session.protect_command(select_by_identifier(by_number(number).fid)))
        if not response.data:
            return refused(response, f"SELECT DG{number}")
        session.unprotect_response(response)
        return (yield from _stays_closed(session, CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=8), f"DG{number}"))

    return run


def _after_chip_authentication(subject: Subject) -> Exchange[str]:
    said = []
    for number in sorted({3, 4} & set(subject.listed)):
        session = yield from enter(subject)
        result = yield from through(session, run_chip_authentication(chip_keys(subject)[0], subject.random))
        command = read_binary(by_number(number).sfi, 0, 8)
        said.append((yield from _stays_closed(result.secure_messaging, command, f"DG{number}")))
    return ", ".join(said)


def _trust_points(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    content = yield from through(session, read_whole(EF_CVCA, chunk=session.max_response_data(MAX_SHORT_LE)))
    reference = decode_tlv(content[: 2 + content[1]], 0x42).value if len(content) > 1 else b""
    if not 8 <= len(reference) <= 16:
        raise PeerProtocolError(f"a reference of {len(reference)} octets")
    return f"{len(content)} octets"


def _unknown_authority(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    response = yield from speak(session, messages.encode_set_dst(_UNKNOWN_AUTHORITY))
    return refused(response, "MSE:Set DST for an authority that nobody knows")


def _certificate_without_key(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    response = yield from speak(session, CommandAPDU(0x00, 0x2A, 0x00, 0xBE, _NO_CERTIFICATE))
    return refused(response, "a certificate without MSE:Set DST")


def _no_certificate(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    template = AuthenticationTemplate("XXTERM00001")
    response = yield from speak(session, messages.encode_set_at(template))
    return refused(response, "MSE:Set AT for a terminal without a certificate")


def _no_challenge(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    response = yield from speak(session, messages.encode_external_authenticate(bytes(64)))
    said = refused(response, "EXTERNAL AUTHENTICATE out of order")
    accepted((yield from speak(session, read_binary(EF_COM.sfi, 0, 4))), "READ BINARY after the refusal")
    return said


def _plain(subject: Subject) -> Exchange[str]:
    yield Reset()
    yield from select_application(subject.aid)
    response = yield from transmit(messages.encode_set_dst(_UNKNOWN_AUTHORITY))
    return refused(response, "Terminal Authentication before access control")


UNIT = Unit(
    "EAC",
    "Terminal Authentication and access rules",
    (
        Case(
            "EAC_01",
            "DG3 by READ BINARY",
            "Doc 9303-11 7.1.3",
            "an error, no data",
            _closed(3, read_binary(3, 0, 8)),
            _lists(3),
        ),
        Case(
            "EAC_02",
            "DG4 by READ BINARY",
            "Doc 9303-11 7.1.3",
            "an error, no data",
            _closed(4, read_binary(4, 0, 8)),
            _lists(4),
        ),
        Case(
            "EAC_03",
            "DG3 by READ BINARY B1",
            "Doc 9303-11 7.1.3",
            "an error, no data",
            _closed(3, encode_read_odd(3, 0, 16)),
            _lists(3),
        ),
        Case(
            "EAC_04",
            "DG4 by READ BINARY B1",
            "Doc 9303-11 7.1.3",
            "an error, no data",
            _closed(4, encode_read_odd(4, 0, 16)),
            _lists(4),
        ),
        Case(
            "EAC_05",
            "DG3 selected, then read",
            "Doc 9303-11 7.1.3",
            "an error, no data",
            _closed_by_selection(3),
            _lists(3),
        ),
        Case(
            "EAC_06",
            "DG4 selected, then read",
            "Doc 9303-11 7.1.3",
            "an error, no data",
            _closed_by_selection(4),
            _lists(4),
        ),
        Case(
            "EAC_07",
            "After Chip Authentication alone",
            "Doc 9303-11 7.1.3",
            "DG3 and DG4 stay closed",
            _after_chip_authentication,
            _needs_sensitive_and_key,
        ),
        Case("EAC_08", "EF.CVCA", "Doc 9303-11 K.2", "can be read, and names an authority", _trust_points, _needs_cvca),
        Case(
            "EAC_09",
            "Certificate of an unknown authority",
            "Doc 9303-11 7.1.5.1",
            "an error",
            _unknown_authority,
            _needs_terminal_authentication,
        ),
        Case(
            "EAC_10",
            "Certificate without MSE:Set DST",
            "Doc 9303-11 7.1.5.2",
            "an error",
            _certificate_without_key,
            _needs_terminal_authentication,
        ),
        Case(
            "EAC_11",
            "Terminal without a certificate",
            "Doc 9303-11 7.1.5.3",
            "an error",
            _no_certificate,
            _needs_terminal_authentication,
        ),
        Case(
            "EAC_12",
            "EXTERNAL AUTHENTICATE out of order",
            "Doc 9303-11 7.1.3, 7.1.5.5",
            "an error; the session goes on",
            _no_challenge,
            _needs_terminal_authentication,
        ),
        Case(
            "EAC_13", "Before access control", "Doc 9303-11 7.1.5", "an error", _plain, _needs_terminal_authentication
        ),
    ),
)
