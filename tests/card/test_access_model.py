"""A stateful walk against a small model of the access rules: a file opens exactly when the model says so."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from eid.card import VirtualCard
from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_response
from eid.crypto.group import compress_public_key
from eid.errors import AuthenticationError, StatusWordError
from eid.lds.security_infos import ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, PACEInfo
from eid.profile.card_image import (
    AccessCondition,
    ApplicationImage,
    CardImage,
    ChipImage,
    FileImage,
    Interface,
    KeyAlgorithm,
    KeyImage,
    KeyPurpose,
    PasswordId,
    PasswordImage,
    SecurityDomainImage,
)
from eid.protocols.bac.terminal import run_bac
from eid.protocols.chip_authentication.core import ChipKey, find_chip_keys
from eid.protocols.chip_authentication.terminal import run_chip_authentication
from eid.protocols.exchange import drive, through
from eid.protocols.pace.core import Password, require_parameters
from eid.protocols.pace.terminal import run_pace
from eid.protocols.scp03.key_set import StaticKeySet
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.terminal_authentication.core import identify_by_document_number
from eid.protocols.terminal_authentication.terminal import run_terminal_authentication
from tests.builders.sweep import examples
from tests.builders.terminals import BEGIN, CVCA, TerminalPki, build_terminal_pki, ec_signer

LDS, OTHER = bytes.fromhex("A0000002471001"), bytes.fromhex("F04549442D01")
MRZ = "L898902C<369080619406236"
PACE = PACEInfo("0.4.0.127.0.7.2.2.4.2.2", 2, 12)
RULES = tuple(AccessCondition)
OPEN = {
    None: {AccessCondition.ALWAYS},
    "bac": {AccessCondition.ALWAYS, AccessCondition.BAC_OR_PACE},
    "pace": {AccessCondition.ALWAYS, AccessCondition.BAC_OR_PACE, AccessCondition.PACE},
    "puk": {AccessCondition.ALWAYS},  # unblocks the PIN, opens nothing (TR-03110-2 2.4.1), whoever the terminal is
}
PASSWORDS = {"pace": Password(PasswordId.CAN, b"123456"), "puk": Password(PasswordId.PUK, b"1234567890")}
MISSING = len(RULES) + 1


def files() -> tuple[FileImage, ...]:
    return tuple(
        FileImage(condition.value, 0x0100 + number, number, f"content {condition}".encode(), condition)
        for number, condition in enumerate(RULES, start=1)
    )


CHIP_KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
TA_RIGHTS = {AccessCondition.TA_DG3: 0x01, AccessCondition.TA_DG4: 0x02}  # TR-03110-3 C.4.1.1


@cache
def terminals(rights: int) -> TerminalPki:
    """A terminal of one trusted CVCA that may read DG3, DG4, both or neither."""
    return replace(build_terminal_pki(), terminal_rights=bytes((rights,)))


@cache
def chip_key() -> ChipKey:
    spki = CHIP_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    infos = (
        ChipAuthenticationInfo("0.4.0.127.0.7.2.2.3.2.2"),
        ChipAuthenticationPublicKeyInfo("0.4.0.127.0.7.2.2.1.2", spki),
    )
    return find_chip_keys(infos, 1)[0]


KEY = KeyImage(
    KeyPurpose.CHIP_AUTHENTICATION,
    1,
    KeyAlgorithm("ec", "P-256", "sha256"),
    CHIP_KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
)
IMAGE = CardImage(
    ChipImage(Interface.CONTACTLESS, b"", SecurityDomainImage(bytes.fromhex("A000000151000000"))),
    (),
    (ApplicationImage(LDS, files(), (KEY,)), ApplicationImage(OTHER, files(), basic_access_control=False)),
    (
        PasswordImage(PasswordId.MRZ, MRZ.encode()),
        *(PasswordImage(password.id, password.value) for password in PASSWORDS.values()),
    ),
    (PACE,),
    trust_points=(terminals(3).cvca_certificate(),),
    trust_date=BEGIN,
)


class Access(RuleBasedStateMachine):
    """The model: which application is current, which protocol has opened the session, what the terminal may read."""

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
        self.rights = 0
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

    @rule(access=st.sampled_from(["pace", "pace", "puk"]))
    def pace(self, access: str) -> None:
        result = drive(run_pace(PACE, PASSWORDS[access]), self)
        self.session = result.secure_messaging
        self.access, self.rights = access, 0
        self.id_picc = compress_public_key(require_parameters(PACE).group, result.chip_public)

    @rule()
    def bac(self) -> None:
        self.session = self.access = None
        self.card.process(bytes.fromhex("00A4040C07") + LDS)
        self.session = drive(run_bac(MRZ), self)
        self.application, self.access, self.rights = LDS, "bac", 0
        self.id_picc = identify_by_document_number(MRZ.encode())

    @precondition(lambda self: self.session is not None and not self.rights)
    @rule(rights=st.integers(0, 3))
    def authenticate_terminal(self, rights: int) -> None:
        """Chip Authentication, then Terminal Authentication, both version 1."""
        self.select(LDS)
        assert self.session is not None
        chip = drive(through(self.session, run_chip_authentication(chip_key())), self)
        self.session = chip.secure_messaging
        key = compress_public_key(chip.chip_key.group, chip.terminal_public_key)
        credentials = terminals(rights).credentials()
        drive(through(self.session, run_terminal_authentication(credentials, [CVCA], self.id_picc, key)), self)
        self.rights = 0 if self.access == "puk" else rights
        event(f"terminal with rights {rights}")

    @precondition(lambda self: self.session is not None)
    @rule()
    def authenticate_a_stranger(self) -> None:
        """A terminal of a CVCA that the card does not trust gets nothing, and what was open stays as it is."""
        assert self.session is not None
        stranger = TerminalPki(ec_signer("another"), ec_signer("dv"), ec_signer("terminal")).credentials()
        with pytest.raises((StatusWordError, AuthenticationError)):
            drive(through(self.session, run_terminal_authentication(stranger, [CVCA], self.id_picc, b"key")), self)
        if not self.session.is_alive:
            self.session, self.access, self.rights = None, None, 0

    @rule(junk=st.binary(min_size=4, max_size=12).filter(lambda raw: raw[1] != 0xA4))
    def junk(self, junk: bytes) -> None:
        """Whatever it is, it is unprotected: the session is over, unless the card could not even read it."""
        self.card.process(junk)
        self.card.process(bytes.fromhex("00B1010153"))
        self.session, self.access, self.rights = None, None, 0

    @rule(way=st.sampled_from(["sfi", "select", "odd"]))
    def read_all(self, way: str) -> None:
        for number in range(1, len(RULES) + 1):
            self.read(number, way)
        if self.application is not None:  # a closed application does not tell what it lacks (Doc 9303-11 4.2)
            assert self.read_by(MISSING, way).sw == (0x6982 if self.access is None else 0x6A82)

    def read(self, number: int, way: str) -> None:
        answer = self.read_by(number, way)
        condition = RULES[number - 1]
        if self.application is None:
            assert answer.sw in (0x6A82, 0x6986)
        elif condition in OPEN[self.access] or TA_RIGHTS.get(condition, 0) & self.rights:
            event(f"open: {condition}")
            assert answer.data.endswith(f"content {condition}".encode())
        else:
            event(f"closed: {condition}")
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


Access.TestCase.settings = settings(max_examples=examples(25), stateful_step_count=20, deadline=None)
TestAccess = Access.TestCase
