"""LIFE: a card that was issued takes no writing any more (Doc 9303-10 4.5.1, ISO/IEC 7816-4 7.4.10, GPC 5.1.1).

Every command is chosen so that it changes nothing on a card that carries it out by mistake: it writes what is there
already, or names what is not. The ones that cannot be so are destructive.
"""

from __future__ import annotations

from eid.codec.apdu import CommandAPDU
from eid.codec.tlv import encode_tlv
from eid.conformance.case import Case, Procedure, Unit
from eid.conformance.subject import Subject, enter, refused, speak
from eid.conformance.units.commands import needs_card_access, needs_entry
from eid.errors import AuthenticationError, LocalProtocolError, PeerProtocolError, StatusWordError
from eid.lds.files import EF_CARD_ACCESS, EF_COM, EF_SOD, ElementaryFile, by_name
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import Exchange, Reset, transmit
from eid.protocols.files import select_application
from eid.protocols.scp03.key_set import default_key_set
from eid.protocols.scp03.terminal import open_scp03

_FREE_KEY = 0x1D  # a reference that no application uses
_SELECT_ISSUER_DOMAIN = CommandAPDU(0x00, 0xA4, 0x04, 0x00, le=256)  # GPC 11.9.2.3: by no name at all
_ANY_VERSION = 0x00  # P1 of INITIALIZE UPDATE: whichever the card has


def _update_plain(subject: Subject) -> Exchange[str]:
    yield Reset()
    content = subject.content(EF_CARD_ACCESS.name)
    command = CommandAPDU(0x00, 0xD6, 0x80 | EF_CARD_ACCESS.sfi, 0x00, content[:1])
    return refused((yield from transmit(command)), "UPDATE BINARY of EF.CardAccess, plain")


def _update(*files: ElementaryFile) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        said = []
        for file in files:
            session = yield from enter(subject)
            command = CommandAPDU(0x00, 0xD6, 0x80 | file.sfi, 0x00, subject.content(file.name)[:1])
            said.append(refused((yield from speak(session, command)), f"UPDATE BINARY of {file.name}"))
        return ", ".join(said)

    return run


def _update_odd(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    first = subject.content("DG1")[:1]
    data = encode_tlv(0x54, b"\x00\x00") + encode_tlv(0x53, first)
    return refused((yield from speak(session, CommandAPDU(0x00, 0xD7, 0x00, 0x01, data))), "UPDATE BINARY D7 of DG1")


def _in_session(command: CommandAPDU, what: str) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        session = yield from enter(subject)
        return refused((yield from speak(session, command)), what)

    return run


def _plain(command: CommandAPDU, what: str) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        yield Reset()
        yield from select_application(subject.aid)
        return refused((yield from transmit(command)), what)

    return run


def _write_binary(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    command = CommandAPDU(0x00, 0xD0, 0x81, 0x00, subject.content("DG1")[:1])
    return refused((yield from speak(session, command)), "WRITE BINARY of DG1")


def _change_password(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    password = subject.passwords[0]
    command = CommandAPDU(0x00, 0x24, 0x01, password.id, password.value)
    return refused((yield from speak(session, command)), "CHANGE REFERENCE DATA to the value that it has")


def _reset_retry_counter(subject: Subject) -> Exchange[str]:
    yield Reset()
    return refused((yield from transmit(CommandAPDU(0x00, 0x2C, 0x03, 0x03))), "RESET RETRY COUNTER, plain")


def _change_pin_by_can(subject: Subject) -> Exchange[str]:
    entry = next((item for item in subject.by_pace() if item.password.id is PasswordId.CAN), None)
    pin = next((password for password in subject.passwords if password.id is PasswordId.PIN), None)
    if entry is None or pin is None:
        raise LocalProtocolError("neither CAN nor PIN")
    session = yield from enter(subject, entry)
    response = yield from speak(session, CommandAPDU(0x00, 0x2C, 0x02, 0x03, pin.value))
    return refused(response, "a new PIN in a session of the CAN")


def _needs_can_and_pin(subject: Subject) -> str | None:
    known = {entry.password.id for entry in subject.by_pace()}
    return None if {PasswordId.CAN, PasswordId.PIN} <= known else "PACE with CAN and PIN is not known"


def _factory_keys(subject: Subject) -> Exchange[str]:
    """INITIALIZE UPDATE answers anybody; the cryptogram tells whether the card has the keys."""
    said = []
    for length in (16, 24, 32):
        yield Reset()
        yield from transmit(_SELECT_ISSUER_DOMAIN)
        try:
            yield from open_scp03(default_key_set(length, _ANY_VERSION), random=subject.random)
        except (StatusWordError, AuthenticationError, PeerProtocolError) as refusal:
            said.append(str(refusal))
        else:
            raise PeerProtocolError(f"factory keys of {length} octets open a secure channel")
    return "; ".join(said)


_GENERATE = encode_tlv(
    0xAC, encode_tlv(0x80, b"\x11") + encode_tlv(0x84, bytes((_FREE_KEY,))) + bytes.fromhex("06082A8648CE3D030107")
)
_CREATE = bytes.fromhex("620E 820101 83020101 80020010 880108")

UNIT = Unit(
    "LIFE",
    "Life cycle",
    (
        Case("LIFE_01", "UPDATE BINARY, plain", "Doc 9303-10 3.11.3", "an error", _update_plain, needs_card_access),
        Case("LIFE_02", "UPDATE BINARY of DG1", "Doc 9303-10 4.5.1", "an error", _update(by_name("DG1")), needs_entry),
        Case(
            "LIFE_03",
            "UPDATE BINARY of EF.COM and EF.SOD",
            "Doc 9303-10 4.5.1",
            "an error each",
            _update(EF_COM, EF_SOD),
            needs_entry,
        ),
        Case(
            "LIFE_04", "UPDATE BINARY with odd instruction", "Doc 9303-10 4.5.1", "an error", _update_odd, needs_entry
        ),
        Case("LIFE_05", "WRITE BINARY", "Doc 9303-10 4.5.1", "an error", _write_binary, needs_entry),
        Case(
            "LIFE_06",
            "CREATE FILE of a file that is there",
            "Doc 9303-10 4.5.1",
            "an error",
            _in_session(CommandAPDU(0x00, 0xE0, 0x00, 0x00, _CREATE), "CREATE FILE"),
            needs_entry,
        ),
        Case(
            "LIFE_07",
            "GENERATE ASYMMETRIC KEY PAIR in a session",
            "ISO/IEC 7816-8 11.2",
            "an error",
            _in_session(CommandAPDU(0x00, 0x47, 0x80, 0x00, _GENERATE, le=256), "GENERATE ASYMMETRIC KEY PAIR"),
            needs_entry,
        ),
        Case(
            "LIFE_08",
            "GENERATE ASYMMETRIC KEY PAIR, plain",
            "ISO/IEC 7816-8 11.2",
            "an error",
            _plain(CommandAPDU(0x00, 0x47, 0x80, 0x00, _GENERATE, le=256), "GENERATE ASYMMETRIC KEY PAIR"),
        ),
        Case(
            "LIFE_09",
            "PUT DATA of an object that is not there",
            "ISO/IEC 7816-4 11.5.5",
            "an error",
            _in_session(CommandAPDU(0x00, 0xDB, 0x3F, 0xFF, encode_tlv(0x5F50, b"\x00")), "PUT DATA"),
            needs_entry,
        ),
        Case(
            "LIFE_10",
            "CHANGE REFERENCE DATA in a session",
            "ISO/IEC 7816-4 11.6.6",
            "an error",
            _change_password,
            needs_entry,
        ),
        Case("LIFE_11", "RESET RETRY COUNTER, plain", "ISO/IEC 7816-4 11.6.9", "an error", _reset_retry_counter),
        Case(
            "LIFE_12",
            "A new PIN in a session of the CAN",
            "TR-03110-2 2.4.1",
            "an error",
            _change_pin_by_can,
            _needs_can_and_pin,
        ),
        Case(
            "LIFE_13",
            "SET STATUS, plain",
            "GPC 11.10",
            "an error",
            _plain(CommandAPDU(0x80, 0xF0, 0x80, 0x0F), "SET STATUS to what it is"),
        ),
        Case(
            "LIFE_14",
            "PUT KEY, plain",
            "GPC 11.8",
            "an error",
            _plain(CommandAPDU(0x80, 0xD8, 0x00, 0x81, bytes(8), le=256), "PUT KEY"),
        ),
        Case(
            "LIFE_15",
            "ACTIVATE FILE in a session",
            "ISO/IEC 7816-9 7.3",
            "an error",
            _in_session(CommandAPDU(0x00, 0x44, 0x00, 0x00), "ACTIVATE FILE"),
            needs_entry,
        ),
        Case(
            "LIFE_16",
            "DELETE FILE in a session",
            "ISO/IEC 7816-9 7.2",
            "an error",
            _in_session(CommandAPDU(0x00, 0xE4, 0x00, 0x00, b"\x01\x01"), "DELETE FILE of DG1"),
            needs_entry,
            destructive=True,
        ),
        Case(
            "LIFE_17",
            "TERMINATE CARD USAGE",
            "ISO/IEC 7816-9 7.9",
            "an error",
            _in_session(CommandAPDU(0x00, 0xFE, 0x00, 0x00), "TERMINATE CARD USAGE"),
            needs_entry,
            destructive=True,
        ),
        Case("LIFE_18", "Factory keys", "GPC Amd D 7.1.1", "open no secure channel", _factory_keys, destructive=True),
    ),
)
