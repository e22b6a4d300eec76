"""Cards under fuzzing: an input is a row of commands, each after its length in two octets.

Only status words come back, the life cycle stays, what the access rules close stays closed, and the state can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eid.card import VirtualCard
from eid.card.memory import LifeCycle
from eid.card.state import decode_state
from eid.codec.apdu import CommandAPDU, decode_command, decode_response
from eid.errors import DecodeError, EidError, LocalProtocolError
from eid.inspection.general_authentication import Consent, run_general_authentication
from eid.personalization.build import build_chip
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.protocols.bac.terminal import run_bac
from eid.protocols.exchange import drive
from eid.protocols.files import select_application
from eid.protocols.pace.core import Password
from eid.protocols.secure_messaging import SecureMessaging
from eid.testing.specimen import SpecimenCard
from eid.transport.loopback import LoopbackConnection
from tests.fuzz.seeds import conversation, specimen

MOST = 40  # commands of one input
WITH_PACE, WITH_BAC, WITH_EID = "ma-cnie", "my-passport-2023", "eid-application"  # no RSA: its keys take long to load
Session = Callable[[VirtualCard], Callable[[bytes], bytes]]


EID_COMMANDS = [
    bytes.fromhex(command)
    for command in (
        "00A4040C09E80704007F00070302",  # the eID application
        "00B0810000", "00D6910002AABB", "00B1011104540200FF00",
        "8020800009060704007F000704" "0301" "0501",  # VERIFY, not well-formed on purpose
        "802080000B0609" "04007F000703010401",
        "002241A412800A04007F000702020502038401" "02",  # Restricted Identification
        "00860000067C04A0020600" "00",
        "002C020306313233343536", "002C0303", "00041003", "00441003",
        "0022C1A40F800A04007F00070202040202830103", "10860000027C0000",
        "002281B60883065554435641", "002A00BE067F4E005F370000", "002281A4028300", "0084000008", "0082000002ABCD",
        "002241A40F800A04007F00070202030202840101", "0086000002" "7C0000", "002241A602" "9100",
    )
]  # fmt: skip


def split(raw: bytes) -> Iterator[bytes]:
    """The commands of an input."""
    for _ in range(MOST):
        if len(raw) < 2:
            return
        length = int.from_bytes(raw[:2], "big") % 1024
        yield raw[2 : 2 + length]
        raw = raw[2 + length :]


def join(commands: list[bytes]) -> bytes:
    return b"".join(len(raw).to_bytes(2, "big") + raw for raw in commands)


class CardTarget:
    """One card in one state, revived for each input.

    Args:
        secrets: what no plain answer may hold. protect: opens a session; its function takes plain commands.
    """

    def __init__(self, state: bytes, secrets: tuple[bytes, ...] = (), protect: Session | None = None) -> None:
        self.state = state
        self.secrets = secrets
        self.protect = protect
        self.life_cycle = VirtualCard.from_state(state).life_cycle

    def __call__(self, raw: bytes) -> None:
        card = VirtualCard.from_state(self.state)
        send = card.process if self.protect is None else self.protect(card)
        for command in split(raw):
            answer = send(command)
            if len(answer) < 2 or answer[-2] & 0xF0 not in (0x60, 0x90):
                raise RuntimeError(f"not a status word: {answer[-2:].hex()}")
            if any(secret in answer for secret in self.secrets):
                raise RuntimeError("a closed file was opened")
        after = decode_state(card.state())
        if after.life_cycle is not self.life_cycle and after.life_cycle is not LifeCycle.TERMINATED:
            raise RuntimeError(f"the life cycle became {after.life_cycle.name}")


def inside_bac(mrz_information: str, aid: bytes) -> Session:
    """A session that BAC has opened."""

    def open_session(card: VirtualCard) -> Callable[[bytes], bytes]:
        link = LoopbackConnection(card)
        drive(select_application(aid), link)
        return through_channel(card, drive(run_bac(mrz_information, random=bytes), link))

    return open_session


def inside_general_authentication(specimen: SpecimenCard) -> Session:
    """A session in which terminal and chip have proven their keys, and the terminal has every right that there is."""
    terminals = specimen.terminals
    if terminals is None:
        raise LocalProtocolError("a product without terminals")
    consent = Consent(Password(PasswordId.PIN, specimen.pin.encode()))

    def open_session(card: VirtualCard) -> Callable[[bytes], bytes]:
        opened = drive(run_general_authentication(consent, terminals.credentials), LoopbackConnection(card))
        return through_channel(card, opened.secure_messaging)

    return open_session


def through_channel(card: VirtualCard, channel: SecureMessaging) -> Callable[[bytes], bytes]:
    """Commands go through secure messaging; what that cannot carry goes plain, and so does all after its end."""

    def send(raw: bytes) -> bytes:
        try:
            command = decode_command(raw)
        except DecodeError:
            return card.process(raw)
        if not channel.is_alive:
            return card.process(raw)
        try:
            protected = channel.protect_command(command)
        except LocalProtocolError:
            return card.process(raw)
        answer = decode_response(card.process(protected.encode()))
        try:
            return channel.unprotect_response(answer).encode()
        except EidError:  # the card has ended the session in plain, or begun another: that is its right
            return answer.encode()

    return send


def targets() -> dict[str, CardTarget]:
    """Blank; issued with PACE; issued with BAC; inside a session of the latter, and of the eID application."""
    pace, bac, eid = specimen(WITH_PACE), specimen(WITH_BAC), specimen(WITH_EID)
    blank = VirtualCard.blank(build_chip(load_profile(WITH_PACE).profile), serial=bytes(10))
    pieces = (("DG1", 8), ("DG2", 200), ("EF.SOD", 90))
    closed = tuple(card.files[name][at : at + 24] for card in (pace, bac) for name, at in pieces)
    keys = (pace.mrz_information.encode(), bac.mrz_information.encode(), pace.can.encode())
    return {
        "card, blank": CardTarget(blank.state()),
        "card, PACE": CardTarget(pace.card.state(), (*closed, *keys)),
        "card, BAC": CardTarget(bac.card.state(), (*closed, *keys)),
        "card, inside BAC": CardTarget(
            bac.card.state(), (), inside_bac(bac.mrz_information, bac.profile.application.aid)
        ),
        "card, inside eID": CardTarget(eid.card.state(), (), inside_general_authentication(eid)),
    }


def conversations() -> list[bytes]:
    """Seeds: whole inspections, and each command alone."""
    found = []
    for name in (WITH_PACE, WITH_BAC):
        commands = [command for command, _ in conversation(specimen(name))]
        found += [join(commands), *(join([command]) for command in commands)]
    found += [join([command]) for command in EID_COMMANDS]
    plain = [
        CommandAPDU(0x00, ins, p1, p2, data, 256).encode()
        for ins, p1, p2 in ((0xA4, 4, 12), (0xA4, 2, 12), (0xB0, 0x9E, 0), (0xB1, 0, 0), (0x84, 0, 0), (0x88, 0, 0))
        for data in (b"", b"\x01\x01", bytes.fromhex("A0000002471001"), bytes(8), b"\x54\x01\x00")
    ]
    headers = ((0xF2, 0x80, 0), (0xCA, 0, 0x66), (0xCA, 0x9F, 0x7F), (0x50, 0, 0), (0xD8, 0, 1), (0xE4, 0, 0))
    managing = [CommandAPDU(0x80, *header, bytes(length), 256).encode() for header in headers for length in (0, 8, 16)]
    return [*found, join(plain), join(managing), *(join([raw]) for raw in (*plain, *managing))]
