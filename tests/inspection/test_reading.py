"""The reading plan: few commands, what a card gives at once, progress by octets, sessions that are lost on the way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eid.card import VirtualCard
from eid.card.faults import FaultyCard, parse_faults
from eid.card.memory import TransparentFile
from eid.card.state import decode_state
from eid.codec.apdu import ResponseAPDU, decode_command
from eid.codec.tlv import encode_tlv
from eid.errors import AuthenticationError, CardRemovedError, PeerProtocolError, SessionLostError, TransportError
from eid.evidence import Evidence
from eid.inspection import InspectionPlan, inspect
from eid.inspection.habits import UNKNOWN, ReadingHabits, hear
from eid.inspection.session import MAX_LOSSES
from eid.lds.atr_info import ExtendedLengthLimits, build_atr_info
from eid.lds.files import EF_ATR_INFO, EF_CVCA, by_name
from eid.profile.card_image import AccessCondition, PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import Checkpoint, drive
from eid.protocols.files import FileReader, PartialFile, read_whole
from eid.protocols.pace.core import Password
from eid.testing.specimen import SpecimenCard, issue_specimen
from eid.transport.loopback import LoopbackConnection
from tests.builders.exchanges import play

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DG2 = by_name("DG2")
CHALLENGE = bytes(range(8))


@pytest.fixture(scope="module")
def specimen() -> SpecimenCard:
    return issue_specimen("ma-cnie", NOW)


class Watched:
    """A connection that keeps commands and checkpoints."""

    def __init__(self, card) -> None:
        self._link = LoopbackConnection(card)
        self.commands: list[bytes] = []
        self.told: list[Checkpoint] = []
        self.resets = 0

    @property
    def atr(self) -> bytes:
        return self._link.atr

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self._link.transmit(command)

    def reset(self) -> bytes:
        self.resets += 1
        return self._link.reset()

    def close(self) -> None:
        self._link.close()

    def record(self, checkpoint: Checkpoint) -> None:
        self.told.append(checkpoint)

    @property
    def habits(self) -> ReadingHabits:
        return next(found for item in self.told if (found := hear(item)) is not None)


def read(card, specimen: SpecimenCard, **wishes: object) -> tuple[Evidence, Watched]:
    link = Watched(card)
    password = Password(PasswordId.CAN, specimen.can.encode())
    plan = InspectionPlan(password, challenge=CHALLENGE, **wishes)
    return drive(inspect(plan, NOW), link, link), link


def require_whole(evidence: Evidence, specimen: SpecimenCard) -> None:
    for name, content in specimen.files.items():
        if evidence.content(name) is not None or not name.startswith("EF.C"):
            assert evidence.content(name) == content, name


def with_quirks(**quirks: object) -> SpecimenCard:
    table = load_profile("ma-cnie").profile.model_dump(mode="json") | {"quirks": quirks}
    return issue_specimen(CardProfile.model_validate(table), NOW)


# --- few commands


def test_a_short_file_takes_one_command() -> None:
    raw = encode_tlv(0x75, bytes(40))
    content, sent = play(FileReader(223, is_eager=True).read(DG2), [raw + b"\x62\x82"])
    assert (content, sent) == (raw, [bytes.fromhex("00B08200DF")])


def test_a_long_file_goes_on_behind_the_first_piece() -> None:
    raw = encode_tlv(0x75, bytes(index & 0xFF for index in range(300)))
    content, sent = play(FileReader(223, is_eager=True).read(DG2), [raw[:223] + b"\x90\x00", raw[223:] + b"\x90\x00"])
    assert content == raw
    assert [item.hex().upper() for item in sent] == ["00B08200DF", f"00B000DF{len(raw) - 223:02X}"]


@pytest.mark.parametrize("minds", ["6700", "6B00", "6C2A"])
def test_a_card_that_minds_is_asked_with_care_from_then_on(minds: str) -> None:
    raw = encode_tlv(0x75, bytes(40))
    reader = FileReader(223, is_eager=True)
    replies = [bytes.fromhex(minds), raw[:4] + b"\x90\x00", raw[4:] + b"\x90\x00"]
    content, sent = play(reader.read(DG2), replies)
    assert content == raw
    assert [item[-1] for item in sent] == [223, 4, len(raw) - 4]
    assert (reader.chunk, reader.is_eager) == (223, False), "the file was too short; that says nothing of pieces"
    _, sent = play(reader.read(DG2), replies[1:])
    assert sent[0][-1] == 4


def test_nothing_is_read_that_was_not_asked_for(specimen: SpecimenCard) -> None:
    evidence, link = read(
        specimen.copy().card, specimen, data_groups=("DG1",), chip_authentication=False, active_authentication=False
    )
    assert [file.name for file in evidence.files] == ["EF.CardAccess", "EF.SOD", "EF.COM", "DG1"]
    whole, all_of_it = read(specimen.copy().card, specimen)
    require_whole(whole, specimen)
    assert len(link.commands) < len(all_of_it.commands) / 2


# --- extended lengths as announced


def announcing(specimen: SpecimenCard, limits: ExtendedLengthLimits | None, flags: str = "000040") -> VirtualCard:
    memory = decode_state(specimen.card.state())
    raw = build_atr_info(bytes.fromhex(flags), limits).encode()
    always, never = AccessCondition.ALWAYS, AccessCondition.NEVER
    memory.master.files[EF_ATR_INFO.fid] = TransparentFile(
        EF_ATR_INFO.fid, EF_ATR_INFO.sfi, bytearray(raw), always, never
    )
    return VirtualCard(memory)


def longest(link: Watched) -> int:
    return max(decode_command(raw).le or 0 for raw in link.commands)


def test_extended_lengths_are_used_where_they_are_announced(specimen: SpecimenCard) -> None:
    _, short = read(announcing(specimen, ExtendedLengthLimits(4096, 4096)), specimen)
    evidence, link = read(announcing(specimen, ExtendedLengthLimits(4096, 4096)), specimen, announced_lengths=True)
    require_whole(evidence, specimen)
    assert longest(short) == 256
    assert longest(link) == 65536  # the outer Le; what is asked for inside fits into 4094 octets
    assert len(link.commands) < len(short.commands) / 2


@pytest.mark.parametrize(("limits", "flags"), [(None, "000040"), (ExtendedLengthLimits(4096, 4096), "000000")])
def test_half_an_announcement_is_none(specimen: SpecimenCard, limits: ExtendedLengthLimits | None, flags: str) -> None:
    evidence, link = read(announcing(specimen, limits, flags), specimen, announced_lengths=True)
    require_whole(evidence, specimen)
    assert longest(link) == 256


def test_a_card_without_the_file_costs_one_command(specimen: SpecimenCard) -> None:
    _, usual = read(specimen.copy().card, specimen)
    _, asked = read(specimen.copy().card, specimen, announced_lengths=True)
    assert len(asked.commands) == len(usual.commands) + 1


def test_an_announcement_that_is_not_kept(specimen: SpecimenCard) -> None:
    """The chip resets itself over what it promised: the session is opened again, with short lengths."""

    class Liar(VirtualCard):
        def process(self, raw: bytes) -> bytes:
            if len(raw) > 5 and decode_command(raw).is_extended:
                self.reset()
                return b"\x67\x00" if decode_command(raw).cla & 0x0C == 0 else b"\x69\x82"
            return super().process(raw)

    liar = Liar(decode_state(announcing(specimen, ExtendedLengthLimits(4096, 4096)).state()))
    evidence, link = read(liar, specimen, announced_lengths=True)
    require_whole(evidence, specimen)
    assert link.resets == 1


# --- what is learnt


@pytest.mark.parametrize("answer", ["6700", "6B00", "6CXX"])
def test_what_is_learnt_spares_the_next_reading_the_search(answer: str) -> None:
    slow = with_quirks(largest_read=160, too_long=answer)
    _, first = read(slow.copy().card, slow)
    assert first.habits.piece == 160
    evidence, second = read(slow.copy().card, slow, habits=first.habits)
    require_whole(evidence, slow)
    assert len(second.commands) < len(first.commands)
    assert second.habits == first.habits


def test_a_card_like_all_others_teaches_nothing(specimen: SpecimenCard) -> None:
    assert read(specimen.copy().card, specimen)[1].habits == UNKNOWN
    assert hear(Checkpoint("read DG1", "end")) is None


# --- progress


def test_progress_is_told_by_octets(specimen: SpecimenCard) -> None:
    _, link = read(specimen.copy().card, specimen)
    told = [item.detail for item in link.told if (item.step, item.phase) == ("read DG2", "progress")]
    octets = [int(item["octets"]) for item in told]
    assert {item["total"] for item in told} == {str(len(specimen.files["DG2"]))}
    assert octets == sorted(octets)
    assert octets[-1] == len(specimen.files["DG2"])
    assert len(octets) > 10
    read_steps = [item.step for item in link.told if item.phase == "begin" and item.step.startswith("read")]
    assert read_steps[:3] == ["read EF.CardAccess", "read EF.SOD", "read EF.COM"]


# --- sessions that are lost


def first_of_dg2(specimen: SpecimenCard) -> int:
    """The number of the command that asks for DG2's first octets."""
    _, link = read(specimen.copy().card, specimen)
    protected = [number for number, raw in enumerate(link.commands, 1) if raw[0] == 0x0C and raw[1] == 0xB0]
    begins = [number for number in protected if link.commands[number - 1][2] == 0x82]
    return begins[0]


@pytest.mark.parametrize("fault", ["reset", "drop"])
def test_reading_goes_on_where_it_broke_off(specimen: SpecimenCard, fault: str) -> None:
    _, undisturbed = read(specimen.copy().card, specimen)
    at = first_of_dg2(specimen) + 20
    faulty = FaultyCard(specimen.copy().card, parse_faults(f"{fault}@{at}"))
    evidence, link = read(faulty, specimen)
    require_whole(evidence, specimen)
    assert link.resets == 1
    # The command that was lost, PACE, SELECT, and the header of DG2; nothing of what was there is read again.
    assert len(link.commands) - len(undisturbed.commands) == 1 + 5 + 1 + 1
    octets = [int(item.detail["octets"]) for item in link.told if (item.step, item.phase) == ("read DG2", "progress")]
    assert octets == sorted(octets)


def test_the_same_protocol_opens_the_chip_again() -> None:
    passport = issue_specimen("us-passport-2021", NOW)
    faulty = FaultyCard(passport.copy().card, parse_faults("reset@20"))
    link = Watched(faulty)
    plan = InspectionPlan(Password(PasswordId.MRZ, passport.mrz_information.encode()), allow_bac=True)
    evidence = drive(inspect(plan, NOW), link)
    assert evidence.content("DG2") == passport.files["DG2"]
    assert sum(raw[:2] == b"\x00\x82" for raw in link.commands) == 2
    assert [item.protocol.value for item in evidence.transcripts].count("bac") == 1


def test_it_is_not_tried_for_ever(specimen: SpecimenCard) -> None:
    at = first_of_dg2(specimen) + 1
    resets = ", ".join(f"reset@{at + 9 * number}" for number in range(MAX_LOSSES))
    evidence, link = read(FaultyCard(specimen.copy().card, parse_faults(resets)), specimen)
    require_whole(evidence, specimen)
    assert link.resets == MAX_LOSSES
    resets = ", ".join(f"reset@{at + 9 * number}" for number in range(MAX_LOSSES + 1))
    with pytest.raises(SessionLostError):
        read(FaultyCard(specimen.copy().card, parse_faults(resets)), specimen)


def test_a_card_that_left_is_not_waited_for(specimen: SpecimenCard) -> None:
    with pytest.raises(CardRemovedError):
        read(FaultyCard(specimen.copy().card, parse_faults("tear@40")), specimen)


def test_a_link_that_stays_broken_is_told_as_it_broke(specimen: SpecimenCard) -> None:
    with pytest.raises(TransportError, match="was lost"):
        read(FaultyCard(specimen.copy().card, parse_faults("drop@40+")), specimen)


def test_an_altered_answer_is_no_loss(specimen: SpecimenCard) -> None:
    at = first_of_dg2(specimen) + 3
    with pytest.raises(AuthenticationError) as caught:
        read(FaultyCard(specimen.copy().card, parse_faults(f"flip@{at}:20")), specimen)
    assert not isinstance(caught.value, SessionLostError)


def test_another_file_than_before_is_refused() -> None:
    part = PartialFile(DG2)
    part.begin(bytes.fromhex("75050102"))
    part.begin(bytes.fromhex("750501"))
    for other in ("75060102", "75050103"):
        with pytest.raises(PeerProtocolError, match="another file"):
            part.begin(bytes.fromhex(other))
    assert not part.is_whole


def test_malformed_padding_of_an_eager_answer_is_a_habit(specimen: SpecimenCard) -> None:
    """A chip whose answers over the end of a file are wrongly padded is asked with care in a new session."""

    class BadPadding(VirtualCard):
        def _carry_out(self, command, outer, protection):
            response = super()._carry_out(command, outer, protection)
            self.is_bad = response.sw == 0x6282
            return response

        def _answer_iso(self, command):
            session = self._card.session.secure_messaging
            answer = super()._answer_iso(command)
            if getattr(self, "is_bad", False) and session is not None:
                objects = encode_tlv(0x87, b"\x02" + bytes(16)) + b"\x99\x02\x62\x82"
                return ResponseAPDU(objects + b"\x8e\x08" + session._mac(objects), 0x6282)
            return answer

    evidence, link = read(BadPadding(decode_state(specimen.card.state())), specimen)
    require_whole(evidence, specimen)
    assert link.resets == 1
    assert not link.habits.is_eager


def test_a_file_of_several_objects_is_read_to_its_end_in_a_session() -> None:
    """A protected response carries fewer octets than a short one: the end is where less comes than was asked for."""
    raw = bytes(index & 0xFF for index in range(500))
    replies = [raw[:223] + b"\x90\x00", raw[223:446] + b"\x90\x00", raw[446:] + b"\x62\x82"]
    content, sent = play(read_whole(EF_CVCA, chunk=223), replies)
    assert content == raw
    assert [item.hex().upper() for item in sent] == ["00B09C00DF", "00B000DFDF", "00B001BEDF"]
