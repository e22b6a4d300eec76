"""A stateful walk against a small model of the access rules: a file opens exactly when the model says so."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from eid.card import VirtualCard
from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_response
from eid.lds.security_infos import PACEInfo
from eid.profile.card_image import (
    AccessCondition,
    ApplicationImage,
    CardImage,
    ChipImage,
    FileImage,
    Interface,
    PasswordId,
    PasswordImage,
    SecurityDomainImage,
)
from eid.protocols.bac.terminal import run_bac
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.protocols.pace.terminal import run_pace
from eid.protocols.scp03.key_set import StaticKeySet
from eid.protocols.secure_messaging import SecureMessaging

LDS, OTHER = bytes.fromhex("A0000002471001"), bytes.fromhex("F04549442D01")
MRZ = "L898902C<369080619406236"
PACE = PACEInfo("0.4.0.127.0.7.2.2.4.2.2", 2, 12)
RULES = tuple(AccessCondition)
OPEN = {
    None: {AccessCondition.ALWAYS},
    "bac": {AccessCondition.ALWAYS, AccessCondition.BAC_OR_PACE},
    "pace": {AccessCondition.ALWAYS, AccessCondition.BAC_OR_PACE, AccessCondition.PACE},
}


def files() -> tuple[FileImage, ...]:
    return tuple(
        FileImage(condition.value, 0x0100 + number, number, f"content {condition}".encode(), condition)
        for number, condition in enumerate(RULES, start=1)
    )


IMAGE = CardImage(
    ChipImage(Interface.CONTACTLESS, b"", SecurityDomainImage(bytes.fromhex("A000000151000000"))),
    (),
    (ApplicationImage(LDS, files()), ApplicationImage(OTHER, files(), basic_access_control=False)),
    (PasswordImage(PasswordId.MRZ, MRZ.encode()), PasswordImage(PasswordId.CAN, b"123456")),
    (PACE,),
)


class Access(RuleBasedStateMachine):
    """The model: which application is current, which protocol has opened the session."""

    @initialize()
    def insert(self) -> None:
        keys = StaticKeySet(1, bytes(16), bytes(16), bytes(16))
        self.card = VirtualCard.from_image(IMAGE, serial=bytes(10), keys=keys)
        self.before = self.card.state()
        self.power_off()

    @rule()
    def power_off(self) -> None:
        self.card.reset()
        self.session: SecureMessaging | None = None
        self.access: str | None = None
        self.application: bytes | None = None

    @property
    def atr(self) -> bytes:
        return self.card.atr

    def transmit(self, command: bytes) -> bytes:
        return self.card.process(command)

    def reset(self) -> bytes:
        return self.card.reset()

    def close(self) -> None:
        """Nothing to let go of."""

    def send(self, command: CommandAPDU) -> ResponseAPDU:
        if self.session is None:
            return decode_response(self.card.process(command.encode()))
        sent = self.session.protect_command(command).encode()
        return self.session.unprotect_response(decode_response(self.card.process(sent)))

    @rule(aid=st.sampled_from([LDS, OTHER]))
    def select(self, aid: bytes) -> None:
        assert self.send(CommandAPDU(0, 0xA4, 4, 0x0C, aid)).sw == 0x9000
        self.application = aid

    @rule()
    def pace(self) -> None:
        self.session = drive(run_pace(PACE, Password(PasswordId.CAN, b"123456")), self).secure_messaging
        self.access = "pace"

    @rule()
    def bac(self) -> None:
        self.session = self.access = None
        self.card.process(bytes.fromhex("00A4040C07") + LDS)
        self.session = drive(run_bac(MRZ), self)
        self.application, self.access = LDS, "bac"

    @rule(junk=st.binary(min_size=4, max_size=12).filter(lambda raw: raw[1] != 0xA4))
    def junk(self, junk: bytes) -> None:
        """Whatever it is, it is unprotected: the session is over, unless the card could not even read it."""
        self.card.process(junk)
        self.card.process(bytes.fromhex("00B1010153"))
        self.session = self.access = None

    @rule(number=st.integers(1, len(RULES)), way=st.sampled_from(["sfi", "select", "odd"]))
    def read(self, number: int, way: str) -> None:
        answer = self.read_by(number, way)
        condition = RULES[number - 1]
        if self.application is None:
            assert answer.sw in (0x6A82, 0x6986)
        elif condition in OPEN[self.access]:
            assert answer.data.endswith(f"content {condition}".encode())
        else:
            assert (answer.data, answer.sw) == (b"", 0x6982)

    def read_by(self, number: int, way: str) -> ResponseAPDU:
        if way == "sfi":
            return self.send(CommandAPDU(0, 0xB0, 0x80 | number, 0, le=200))
        if way == "odd":
            return self.send(CommandAPDU(0, 0xB1, 0x01, number, bytes.fromhex("540100"), 200))
        selected = self.send(CommandAPDU(0, 0xA4, 0x02, 0x0C, bytes((0x01, number))))
        return selected if selected.sw != 0x9000 else self.send(CommandAPDU(0, 0xB0, 0, 0, le=200))

    def teardown(self) -> None:
        assert self.card.state() == self.before


Access.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestAccess = Access.TestCase
