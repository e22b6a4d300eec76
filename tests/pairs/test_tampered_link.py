"""Terminal and card joined by a link that drops, replays, reorders, tampers: typed errors, dead sessions, no data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.tlv import encode_tlv
from eid.crypto.curves import curve_by_name
from eid.crypto.group import EcGroup
from eid.errors import EidError
from eid.inspection import InspectionPlan, inspect
from eid.lds.card_access import CardAccess
from eid.lds.files import by_name
from eid.lds.security_infos import ID_PACE_ECDH_GM, PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.bac.card import BacCard
from eid.protocols.bac.terminal import run_bac
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.chip_authentication.core import StaticKey
from eid.protocols.exchange import Exchange, drive, through
from eid.protocols.files import read_file
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import Password
from eid.protocols.pace.terminal import run_pace
from tests.builders.chip import Chip
from tests.builders.exchanges import Link
from tests.builders.sweep import examples

MRZ = "L898902C<369080619406236"
CAN = Password(PasswordId.CAN, b"123456")
INFO = PACEInfo(ID_PACE_ECDH_GM + ".2", 2, 12)
DG1 = encode_tlv(0x61, b"SPECIMEN" * 40)


def new_chip() -> Chip:
    card_access = CardAccess((INFO,)).encode()
    pace = PaceCard([INFO], {PasswordId.CAN: CAN.value}.get)
    chip = Chip({"DG1": DG1, "EF.CardAccess": card_access}, pace=pace, bac=BacCard(MRZ))
    chip._application = True
    return chip


def read_by_pace() -> Exchange[bytes]:
    result = yield from run_pace(INFO, CAN)
    return (yield from through(result.secure_messaging, read_file(by_name("DG1"), 200)))


def read_by_bac() -> Exchange[bytes]:
    session = yield from run_bac(MRZ)
    return (yield from through(session, read_file(by_name("DG1"), 200)))


READERS = [read_by_pace, read_by_bac]


@pytest.mark.parametrize("read", READERS)
def test_honest_link(read: Callable[[], Exchange[bytes]]) -> None:
    assert drive(read(), new_chip()) == DG1


@settings(max_examples=examples(120), deadline=None)
@given(
    read=st.sampled_from(READERS),
    way=st.sampled_from(("command", "response")),
    number=st.integers(0, 8),
    position=st.integers(0, 400),
    bit=st.integers(0, 7),
)
def test_one_flipped_bit(read: Callable[[], Exchange[bytes]], way: str, number: int, position: int, bit: int) -> None:
    flipped = False

    def attack(direction: str, count: int, raw: bytes) -> bytes | None:
        nonlocal flipped
        # The last octet of a command is Le: outside the protection it only says how much room there is.
        limit = len(raw) - 1 if direction == "command" else len(raw)
        if direction != way or count != number or position >= limit:
            return None
        flipped = True
        changed = bytearray(raw)
        changed[position] ^= 1 << bit
        return bytes(changed)

    try:
        content = drive(read(), Link(new_chip(), attack))
    except EidError:
        assert flipped
    else:
        assert content == DG1  # untouched, or touched where it means nothing; never other data


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("way", ["command", "response"])
@pytest.mark.parametrize("behind", [1, 2])
def test_replay(read: Callable[[], Exchange[bytes]], way: str, behind: int) -> None:
    """The last message, or the one before it, is sent again in the place of the last one."""
    recorded: list[bytes] = []
    last = 7 if read is read_by_pace else 4

    def attack(direction: str, count: int, raw: bytes) -> bytes | None:
        if direction != way:
            return None
        recorded.append(raw)
        return recorded[-1 - behind] if count == last else None

    with pytest.raises(EidError):
        drive(read(), Link(new_chip(), attack))


@pytest.mark.parametrize("read", READERS)
def test_dropped_command(read: Callable[[], Exchange[bytes]]) -> None:
    """The card never sees one protected command; what it answered before is played back instead."""
    chip = new_chip()
    seen: list[bytes] = []

    class Dropping(Link):
        def transmit(self, command: bytes) -> bytes:
            self.count += 1
            if command[0] & 0x0C and len(seen) > 3:
                return seen[-1]
            seen.append(chip.transmit(command))
            return seen[-1]

    with pytest.raises(EidError):
        drive(read(), Dropping(chip, lambda *_: None))


def test_reordered_responses() -> None:
    chip = new_chip()
    held: list[bytes] = []

    def attack(direction: str, count: int, raw: bytes) -> bytes | None:
        if direction == "response" and count >= 5:
            held.append(raw)
            return held[0] if len(held) > 1 else b"\x90\x00"
        return None

    with pytest.raises(EidError):
        drive(read_by_pace(), Link(chip, attack))


def test_card_is_back_in_its_plain_state_after_a_forged_command() -> None:
    chip = new_chip()
    drive(read_by_pace(), chip)
    assert chip.session is not None
    assert chip.transmit(bytes.fromhex("0CB081000D9701008E08000000000000000000")) == b"\x69\x88"
    assert chip.session is None
    assert chip.transmit(bytes.fromhex("00B0810004")) == b"\x69\x82"


def test_plain_command_ends_the_cards_session() -> None:
    chip = new_chip()
    drive(read_by_pace(), chip)
    assert chip.transmit(bytes.fromhex("00B0810004")) == b"\x69\x87"
    assert chip.session is None


def relayed_keys() -> Chip:
    curve = curve_by_name("P-256")
    assert curve is not None
    chip = new_chip()
    chip.chip_authentication = ChipAuthenticationCard({None: StaticKey(EcGroup(curve), EcGroup(curve).generate())})
    return chip


@settings(max_examples=examples(60), deadline=None)
@given(answers=st.lists(st.binary(max_size=60), max_size=12))
def test_terminal_against_noise(answers: list[bytes]) -> None:
    class Noise(Link):
        def transmit(self, command: bytes) -> bytes:
            self.count += 1
            return answers[self.count - 1] if self.count <= len(answers) else b"\x6f\x00"

    plan = InspectionPlan(CAN, challenge=bytes(8))
    with pytest.raises(EidError):
        drive(inspect(plan, datetime(2026, 1, 1, tzinfo=UTC)), Noise(new_chip(), lambda *_: None))


@settings(max_examples=examples(80), deadline=None)
@given(
    commands=st.lists(
        st.tuples(
            st.sampled_from((0x00, 0x0C, 0x10, 0x1C)),
            st.sampled_from((0x22, 0x82, 0x84, 0x86, 0x88, 0xA4, 0xB0, 0xB1)),
            st.sampled_from((0x00, 0x41, 0x81, 0xC1)),
            st.sampled_from((0x00, 0xA4, 0xA6)),
            st.binary(max_size=60),
        ),
        max_size=8,
    )
)
def test_card_against_noise(commands: list[tuple[int, int, int, int, bytes]]) -> None:
    """Whatever is sent, the card answers a status word and gives no protected file."""
    chip = relayed_keys()
    for cla, ins, p1, p2, data in commands:
        lc = bytes((len(data),)) if data else b""
        answer = chip.transmit(bytes((cla, ins, p1, p2)) + lc + data + b"\x00")
        assert len(answer) >= 2
        assert b"SPECIMEN" not in answer
