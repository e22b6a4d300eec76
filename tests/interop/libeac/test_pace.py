"""PACE against OpenPACE's libeac: our terminal with its card, our card with its terminal, all groups and suites.

The session keys are compared too: both ends encrypt the same octets at the same counter.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from eid.codec.apdu import CommandAPDU, decode_command
from eid.codec.oid import encode_oid_content
from eid.codec.tlv import decode_tlv, encode_tlv
from eid.crypto.padding import pad
from eid.errors import AuthenticationError, WrongPasswordError
from eid.lds.security_infos import ID_PACE_DH_GM, ID_PACE_ECDH_GM, PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import PaceResult, Password
from eid.protocols.pace.terminal import run_pace
from eid.protocols.secure_messaging import SecureMessaging
from tests.builders.chip import Chip
from tests.builders.document import MRZ as SPECIMEN_MRZ
from tests.interop.conftest import Control
from tests.interop.libeac.openpace import PACE_CAN, PACE_MRZ, LibeacError, Library, Pace

WHO = "libeac"
CURVE_IDS = list(range(8, 19))  # every curve with a standardised identifier
MODP_IDS = [0, 1, 2]
IDS = CURVE_IDS + MODP_IDS
CAN = Password(PasswordId.CAN, b"123456")
MRZ = Password(PasswordId.MRZ, SPECIMEN_MRZ.information.encode())
# Every suite by CAN; the MRZ differs in the key derivation alone, so one suite shows it.
SUITES = [(1, CAN), (2, CAN), (3, CAN), (4, CAN), (2, MRZ)]
KINDS = {PasswordId.CAN: PACE_CAN, PasswordId.MRZ: PACE_MRZ}


def info(number: int, arc: int) -> PACEInfo:
    mechanism = ID_PACE_DH_GM if number in MODP_IDS else ID_PACE_ECDH_GM
    return PACEInfo(f"{mechanism}.{arc}", 2, number)


def start(library: Library, announced: PACEInfo, password: Password) -> Pace:
    assert announced.parameter_id is not None
    # libeac takes the whole MRZ and finds document number and dates in it by itself.
    value = "".join(SPECIMEN_MRZ.encode()).encode() if password is MRZ else password.value
    return Pace(library, announced.protocol, announced.parameter_id, value, KINDS[password.id])


def assert_same_keys(session: SecureMessaging, theirs: Pace) -> None:
    """The first message's cryptogram, from both."""
    session._count()
    block = session.suite.block_size
    plain = b"SPECIMEN"
    ours = session._encrypt(plain, 0xB0)
    assert decode_tlv(ours, 0x87).value == b"\x01" + theirs.encrypt(1, pad(plain, block))


@dataclass
class LibeacCard:
    """libeac as a card that answers our terminal."""

    pace: Pace
    key: bytes = b""
    peer: bytes = b""

    @property
    def atr(self) -> bytes:
        return b""

    def reset(self) -> bytes:
        return b""

    def close(self) -> None:
        pass

    def transmit(self, raw: bytes) -> bytes:
        command = decode_command(raw)
        if command.ins == 0x22:
            return b"\x90\x00"
        content = decode_tlv(command.data, 0x7C).children()
        if not content:
            return self._answer(0x80, self.pace.encrypt_nonce())
        value = content[0].value
        match content[0].tag:
            case 0x81:
                own = self.pace.mapping_key()
                self.pace.map_generator(value)
                return self._answer(0x82, own)
            case 0x83:
                self.key, self.peer = self.pace.ephemeral_key(), value
                self.pace.agree(value)
                return self._answer(0x84, self.key)
            case 0x85 if self.pace.accepts(value):
                return self._answer(0x86, self.pace.token(self.peer))
        return b"\x63\x00"

    @staticmethod
    def _answer(tag: int, value: bytes) -> bytes:
        return encode_tlv(0x7C, encode_tlv(tag, value)) + b"\x90\x00"


def run_libeac_terminal(pace: Pace, chip: Chip, announced: PACEInfo, password: Password) -> bytes:
    """libeac as a terminal; the status word of the last step."""
    oid = encode_oid_content(announced.protocol)
    data = encode_tlv(0x80, oid) + encode_tlv(0x83, bytes((password.id,)))
    assert chip.transmit(CommandAPDU(0x00, 0x22, 0xC1, 0xA4, data).encode()) == b"\x90\x00"

    def step(inner: bytes, tag: int, cla: int = 0x10) -> bytes:
        raw = chip.transmit(CommandAPDU(cla, 0x86, 0, 0, encode_tlv(0x7C, inner), le=256).encode())
        return decode_tlv(decode_tlv(raw[:-2], 0x7C).value, tag).value if raw[-2:] == b"\x90\x00" else raw

    pace.decrypt_nonce(step(b"", 0x80))
    mapping = pace.mapping_key()
    pace.map_generator(step(encode_tlv(0x81, mapping), 0x82))
    key = pace.ephemeral_key()
    peer = step(encode_tlv(0x83, key), 0x84)
    pace.agree(peer)
    token = step(encode_tlv(0x85, pace.token(peer)), 0x86, 0x00)
    return b"\x90\x00" if pace.accepts(token) else token


def once_more_over_modp(run: Callable[[], None], number: int, failure: type[Exception]) -> None:
    """libeac drops leading zeros of a Diffie-Hellman secret, which PKCS #3 8.2 keeps: one run in 256 cannot agree."""
    for _ in range(3 if number in MODP_IDS else 0):
        with suppress(failure):
            run()
            return
    run()


@pytest.mark.proves(WHO, "our terminal", "PACE GM, every curve and MODP group")
@pytest.mark.parametrize("number", IDS)
@pytest.mark.parametrize(("arc", "password"), SUITES, ids=lambda value: getattr(value, "id", value))
def test_our_terminal_with_their_card(library: Library, number: int, arc: int, password: Password) -> None:
    announced = info(number, arc)

    def run() -> None:
        with start(library, announced, password) as theirs:
            result: PaceResult = drive(run_pace(announced, password), LibeacCard(theirs))
            assert_same_keys(result.secure_messaging, theirs)

    once_more_over_modp(run, number, AuthenticationError)


@pytest.mark.proves(WHO, "our card", "PACE GM, every curve and MODP group")
@pytest.mark.parametrize("number", IDS)
@pytest.mark.parametrize(("arc", "password"), SUITES, ids=lambda value: getattr(value, "id", value))
def test_their_terminal_with_our_card(library: Library, number: int, arc: int, password: Password) -> None:
    announced = info(number, arc)

    def run() -> None:
        chip = Chip({}, pace=PaceCard([announced], {CAN.id: CAN.value, MRZ.id: MRZ.value}.get))
        with start(library, announced, password) as theirs:
            assert run_libeac_terminal(theirs, chip, announced, password) == b"\x90\x00"
            assert chip.session is not None
            assert_same_keys(chip.session, theirs)

    once_more_over_modp(run, number, AssertionError)


@pytest.mark.proves(WHO, "both", "PACE: a wrong CAN is refused", Control.REFUSED)
def test_wrong_password_both_ways(library: Library) -> None:
    announced, wrong = info(13, 2), Password(PasswordId.CAN, b"654321")
    with start(library, announced, CAN) as theirs, pytest.raises(WrongPasswordError):
        drive(run_pace(announced, wrong), LibeacCard(theirs))
    chip = Chip({}, pace=PaceCard([announced], {CAN.id: CAN.value}.get))
    with start(library, announced, wrong) as theirs:
        assert run_libeac_terminal(theirs, chip, announced, CAN) == b"\x63\x00"
    assert chip.session is None


def test_unknown_parameters_are_its_fault(library: Library) -> None:
    with pytest.raises(LibeacError):
        Pace(library, "1.2.3", 13, b"123456", PACE_CAN)
