"""Every quirk as a switch of the card, and the terminal that copes: the same evidence as from a chip without quirks."""

from __future__ import annotations

import pytest

from eid.card import VirtualCard
from eid.codec.apdu import ResponseAPDU
from eid.errors import AuthenticationError, PeerProtocolError, StatusWordError, WrongPasswordError
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.inspection import InspectionPlan, inspect
from eid.inspection.habits import ReadingHabits
from eid.inspection.session import MAX_LOSSES
from eid.lds.card_access import decode_card_access
from eid.lds.dg2 import decode_dg2
from eid.lds.files import EF_SOD
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.profile.quirks import NO_QUIRKS, Quirks
from eid.profile.schema import CardProfile
from eid.protocols.exchange import drive
from eid.protocols.files import read_file, select_application, select_master_file
from eid.protocols.pace.core import Password
from eid.testing.authority import SpecimenAuthority
from eid.testing.specimen import build_specimen, issue_data, specimen_for
from eid.verification.policy import load_policy
from eid.verification.report import Verdict
from eid.verification.verify import verify
from tests.builders.quirky import CHALLENGE, NOW, Counted, card_with, read, require_genuine, with_quirks


@pytest.mark.parametrize(
    ("form", "answered"), [("any", "9000"), ("3F00", "9000"), ("no-data", "6981"), ("none", "6981")]
)
def test_select_master_file_is_never_fatal(form, answered):
    specimen = card_with(select_master_file=form, select_master_file_sw="6981")
    link = Counted(specimen.card)
    assert drive(select_master_file(), link) is (form != "none")
    assert link.log[0][1].hex() == answered
    require_genuine(specimen, read(specimen)[0])


@pytest.mark.parametrize("where", ["not-in-master-file", "nowhere"])
def test_short_identifiers_that_are_not_known(where):
    specimen = card_with(short_identifiers=where)
    evidence, link = read(specimen)
    require_genuine(specimen, evidence)
    assert link.log[0][1] == b"\x6a\x82"
    assert (link.log[1][0].ins, link.log[1][0].data) == (0xA4, b"\x01\x1c")


def test_le_on_select_and_mse_is_never_sent():
    specimen = card_with(forbids_le=True)
    require_genuine(specimen, read(specimen)[0])
    assert specimen.card.process(bytes.fromhex("00A4040C07A000000247100100")) == b"\x67\x00"


@pytest.mark.parametrize("largest", [160, 192, 223, 256])
@pytest.mark.parametrize("answer", ["6700", "6B00", "6CXX", "6282"])
def test_largest_read_is_learnt(largest, answer):
    specimen = card_with(largest_read=largest, too_long=answer)
    evidence, link = read(specimen, max_response=65000)
    require_genuine(specimen, evidence)
    refused = [answer for _, answer in link.log if answer[-2:-1] in (b"\x67", b"\x6b", b"\x6c")]
    assert len(refused) <= 9, "a length that the card does not take is not tried again for each piece"


@pytest.mark.parametrize(("answer", "naked"), [("6700", "6700"), ("6B00", "6B00"), ("6CXX", "6CA0")])
def test_unprotected_refusal_of_a_length_needs_patience(answer, naked):
    specimen = card_with(largest_read=160, too_long=answer, unprotected_refusals=True)
    with pytest.raises(AuthenticationError):
        read(specimen)
    evidence, link = read(specimen, unprotected_refusals=True)
    require_genuine(specimen, evidence)
    assert bytes.fromhex(naked) in [answer for _, answer in link.log]
    assert sum(sent.ins == 0x22 and sent.p1 == 0xC1 for sent, _ in link.log) == 1, "in one session"


def test_a_chip_without_extended_length_refuses_in_plain():
    table = load_profile("ma-cnie").profile.model_dump(mode="json")
    table["chip"] |= {"extended_length": False, "max_command_data": 255, "max_response_data": 256}
    profile = CardProfile.model_validate(table)
    authority = SpecimenAuthority(profile, NOW)
    specimen = issue_data(profile, authority, build_specimen(profile, authority, specimen_for(profile, NOW)))
    with pytest.raises(AuthenticationError):
        read(specimen, max_response=65000)
    require_genuine(specimen, read(specimen, max_response=65000, unprotected_refusals=True)[0])


class Naked(Counted):
    """Strips secure messaging off answer number `at`: what an attacker would like the terminal to take."""

    def __init__(self, card: VirtualCard, at: int, answer: bytes) -> None:
        super().__init__(card)
        self.at = at
        self.answer = answer

    def transmit(self, command: bytes) -> bytes:
        answer = super().transmit(command)
        return self.answer if len(self.log) == self.at else answer


@pytest.mark.parametrize("answer", ["6982", "6A82", "6988"])
def test_a_naked_refusal_ends_the_session_and_nothing_is_taken_from_it(answer):
    specimen = card_with()
    evidence, link = read(specimen)
    first = next(number for number, (sent, _) in enumerate(link.log, 1) if sent.cla == 0x0C and sent.ins == 0xB0)
    naked = Naked(specimen.card, first, bytes.fromhex(answer))
    plan = InspectionPlan(Password(PasswordId.MRZ, specimen.mrz_information.encode()), challenge=CHALLENGE)
    again = drive(inspect(plan, NOW), naked)
    assert again.files == evidence.files, "read in a session of its own, opened by the same protocol"
    assert sum(sent.ins == 0x22 and sent.p1 == 0xC1 for sent, _ in naked.log) == 2


@pytest.mark.parametrize("answer", ["9000", "60169000", "606700"])
def test_patience_takes_no_naked_data(answer):
    specimen = card_with()
    _, link = read(specimen)
    first = next(number for number, (sent, _) in enumerate(link.log, 1) if sent.cla == 0x0C and sent.ins == 0xB0)
    plan = InspectionPlan(Password(PasswordId.MRZ, specimen.mrz_information.encode()), unprotected_refusals=True)
    with pytest.raises(AuthenticationError):
        drive(inspect(plan, NOW), Naked(specimen.card, first, bytes.fromhex(answer)))


def test_a_wrong_mac_at_the_end_of_the_security_object():
    """Nothing is taken from that answer: the file is asked for again, in a session of its own and in another way."""
    specimen = card_with(sod_end_mac_wrong=True)
    with pytest.raises(AuthenticationError, match="MAC"):
        read(specimen)
    evidence, link = read(specimen, rereads=True)
    require_genuine(specimen, evidence)
    assert sum(sent.ins == 0x22 and sent.p1 == 0xC1 for sent, _ in link.log) == 2, "by the same protocol as before"


@pytest.mark.parametrize("wishes", [{}, {"rereads": True}])
def test_a_mac_that_is_never_right_is_never_taken(wishes):
    specimen = card_with()
    _, link = read(specimen)
    last = max(number for number, (sent, _) in enumerate(link.log, 1) if sent.cla == 0x0C and sent.ins == 0xB0)

    class Altering(Counted):
        def transmit(self, command: bytes) -> bytes:
            answer = super().transmit(command)
            is_read = command[:2] == b"\x0c\xb0" and len(self.log) >= last // 2
            return answer[:-3] + bytes((answer[-3] ^ 1,)) + answer[-2:] if is_read else answer

    plan = InspectionPlan(Password(PasswordId.MRZ, specimen.mrz_information.encode()), **wishes)
    altering = Altering(specimen.card)
    with pytest.raises(AuthenticationError, match="MAC"):
        drive(inspect(plan, NOW), altering)
    opened = sum(sent.ins == 0x22 and sent.p1 == 0xC1 for sent, _ in altering.log)
    assert opened == (1 + MAX_LOSSES if wishes else 1)


def test_answers_in_pieces():
    specimen = card_with(response_piece=100)
    evidence, link = read(specimen)
    require_genuine(specimen, evidence)
    fetched = [sent for sent, _ in link.log if sent.ins == 0xC0]
    assert fetched
    assert all(sent.cla == 0x00 for sent in fetched), "GET RESPONSE stands outside of secure messaging"
    assert max(len(answer) for _, answer in link.log) == 102


def test_historical_bytes_that_change():
    specimen = card_with(random_historical_bytes=True)
    assert len({specimen.card.reset() for _ in range(5)}) == 5
    assert len(specimen.card.atr) == len(card_with().card.atr)
    require_genuine(specimen, read(specimen)[0])


@pytest.mark.parametrize("reference", ["optional", "required", "refused"])
def test_parameter_reference_as_the_chip_wants_it(reference):
    specimen = card_with(parameter_reference=reference)
    evidence, link = read(specimen)
    require_genuine(specimen, evidence)
    assert sum(sent.ins == 0x22 and sent.p1 == 0xC1 for sent, _ in link.log) == (2 if reference == "required" else 1)


def test_wrong_password_is_told_apart():
    wrong = b"SPM00001<0850214035"
    with pytest.raises(WrongPasswordError):
        read(card_with(), wrong)
    with pytest.raises(WrongPasswordError) as caught:
        read(card_with(wrong_password_sw="63C1"), wrong)
    assert caught.value.tries_left == 1
    with pytest.raises(StatusWordError) as refused:
        read(card_with(wrong_password_sw="6988"), wrong)
    assert refused.value.sw == 0x6988


def test_a_refused_file_is_evidence_and_the_rest_is_read():
    specimen = card_with(refused_files={"DG11": "6982", "EF.COM": "6A82"})
    evidence, _ = read(specimen)
    assert {item.name: item.sw for item in evidence.files if item.content is None} == {"DG11": 0x6982, "EF.COM": 0x6A82}
    assert evidence.content("DG15") == specimen.files["DG15"]
    outcome = {item.protocol: item.outcome for item in evidence.transcripts}
    assert outcome[ProtocolName.CHIP_AUTHENTICATION] is ProtocolOutcome.SUCCEEDED


def test_master_files_that_cannot_be_read_are_as_if_they_were_not_there():
    specimen = card_with(refused_files={"EF.DIR": "6982", "EF.ATR/INFO": "6982"})
    require_genuine(specimen, read(specimen)[0])


@pytest.mark.parametrize("sw", ["6982", "6A82"])
def test_without_ef_card_access_bac_opens_the_chip_where_the_plan_allows_it(sw):
    specimen = card_with("icao-td3-passport", refused_files={"EF.CardAccess": sw})
    with pytest.raises(PeerProtocolError, match="no access protocol"):
        read(specimen)
    evidence, _ = read(specimen, allow_bac=True)
    outcome = {item.protocol: item.outcome for item in evidence.transcripts}
    assert outcome[ProtocolName.PACE] is ProtocolOutcome.NOT_SUPPORTED
    assert outcome[ProtocolName.BAC] is ProtocolOutcome.SUCCEEDED


def test_a_refusal_that_ends_the_session_is_survived():
    specimen = card_with(refusal_ends_session=True)
    evidence, link = read(specimen, data_groups=("DG1", "DG2", "DG3"))
    assert {item.name: item.sw for item in evidence.files if item.content is None} == {"DG3": 0x6982}
    outcome = {item.protocol: item.outcome for item in evidence.transcripts}
    assert outcome[ProtocolName.CHIP_AUTHENTICATION] is ProtocolOutcome.SUCCEEDED
    assert sum(sent.ins == 0x22 and sent.p1 == 0xC1 for sent, _ in link.log) == 2, "by the same protocol as before"
    assert all(sent.ins != 0x82 for sent, _ in link.log)
    evidence, link = read(specimen, data_groups=("DG1", "DG5", "DG6", "DG7", "DG8", "DG9", "DG10"))
    absent = {"DG5", "DG6", "DG7", "DG8", "DG9", "DG10"}
    assert {item.name for item in evidence.files if item.content is None} == absent, "not declared, and asked for"
    assert evidence.content("DG1") == specimen.files["DG1"]


@pytest.mark.parametrize("refused", [{}, {"DG11": "6982"}, {"EF.COM": "6A82", "DG12": "6982", "DG13": "6A82"}])
@pytest.mark.parametrize("places", ["nowhere", "everywhere"])
def test_a_session_that_ends_over_short_identifiers_and_files(refused, places):
    """What the chip says then is bare, so nothing is taken from it but that it does not go on in this way."""
    specimen = card_with(refusal_ends_session=True, short_identifiers=places, refused_files=refused)
    evidence, link = read(specimen)
    assert {name for name, raw in specimen.files.items() if evidence.content(name) != raw} == set(refused)
    assert {item.sw for item in evidence.files if item.name in refused} <= {0x6982}
    assert all(sent.ins != 0x82 for sent, _ in link.log), "never by another protocol"
    outcome = {item.protocol: item.outcome for item in evidence.transcripts}
    assert outcome[ProtocolName.CHIP_AUTHENTICATION] is ProtocolOutcome.SUCCEEDED, "a genuine chip is no clone"


def test_a_session_that_ends_over_a_file_of_the_master_file_goes_on_there():
    """EF.CardSecurity and EF.SOD have the same identifier, each in its place."""
    specimen = card_with("de-passport-2023", refusal_ends_session=True, short_identifiers="nowhere")
    evidence, _ = read(specimen)
    require_genuine(specimen, evidence)
    assert evidence.content("EF.CardSecurity") == specimen.files["EF.CardSecurity"]


@pytest.mark.parametrize("sw", ["6D00", "6A81", "6A88"])
def test_active_authentication_that_is_refused(sw):
    evidence, _ = read(card_with(active_authentication_sw=sw))
    transcript = next(item for item in evidence.transcripts if item.protocol is ProtocolName.ACTIVE_AUTHENTICATION)
    assert (transcript.outcome, transcript.parameters["sw"]) == (ProtocolOutcome.REFUSED, sw)


def test_ecdsa_in_der():
    specimen = card_with(ecdsa_in_der=True)
    evidence, _ = read(specimen)
    require_genuine(specimen, evidence)
    transcript = next(item for item in evidence.transcripts if item.protocol is ProtocolName.ACTIVE_AUTHENTICATION)
    assert transcript.messages["signature"][0] == 0x30


def test_data_groups_are_taken_from_the_security_object():
    specimen = card_with(ef_com_omits=("DG11", "DG15"))
    assert b"\x6b" not in specimen.files["EF.COM"][-7:]
    require_genuine(specimen, read(specimen)[0])


def test_a_chip_authentication_key_alone_means_3des():
    specimen = card_with("icao-td3-passport", chip_authentication_info=False, chip_authentication_key_id=False)
    evidence, _ = read(specimen)
    require_genuine(specimen, evidence)
    transcript = next(item for item in evidence.transcripts if item.protocol is ProtocolName.CHIP_AUTHENTICATION)
    assert transcript.outcome is ProtocolOutcome.SUCCEEDED
    assert transcript.parameters["oid"].endswith(".3.2.1")


def test_a_chip_authentication_key_without_identifier():
    specimen = card_with(chip_authentication_key_id=False)
    evidence, _ = read(specimen)
    require_genuine(specimen, evidence)
    transcript = next(item for item in evidence.transcripts if item.protocol is ProtocolName.CHIP_AUTHENTICATION)
    assert "key_id" not in transcript.parameters


def test_a_foreign_security_info_is_passed_over():
    specimen = card_with(foreign_security_info=True)
    assert bytes.fromhex("06026901") in specimen.files["EF.CardAccess"]
    require_genuine(specimen, read(specimen)[0])


def test_a_pace_info_of_two_elements_is_passed_over():
    specimen = card_with(bare_pace_info=True)
    infos = decode_card_access(specimen.files["EF.CardAccess"]).pace_infos
    assert infos[0].parameter_id is None
    assert infos[0].protocol == infos[1].protocol
    evidence, link = read(specimen)
    require_genuine(specimen, evidence)
    opening = next(sent for sent, _ in link.log if sent.ins == 0x22 and sent.p1 == 0xC1)
    assert b"\x84\x01" in opening.data, "two PACEInfos share the protocol, so the domain parameters are named"


@pytest.mark.parametrize("excess", ["0000", "80", "00" * 16])
@pytest.mark.parametrize("eager", [False, True])
def test_octets_behind_the_end_are_cut_off(excess, eager):
    """Wrong padding at the end of a file: 000080 for 800000, or an octet of padding that is taken for data."""
    specimen = card_with(excess_octets=excess)
    evidence, link = read(specimen, habits=ReadingHabits(0, eager))
    require_genuine(specimen, evidence)
    assert "9000" in link.statuses()


@pytest.mark.parametrize("answer", ["6700", "6B00", "6CXX", "6282"])
def test_what_a_security_object_in_ber_lists_is_read_and_what_follows_it_is_cut_off(answer):
    quirks = {"ef_com_omits": ["DG14", "DG15"], "excess_octets": "0000", "largest_read": 160, "too_long": answer}
    specimen = card_with(sod_indefinite_length=True, **quirks)
    require_genuine(specimen, read(specimen)[0])


def test_a_security_object_that_does_not_say_how_long_it_is():
    specimen = card_with(sod_indefinite_length=True)
    raw = specimen.files["EF.SOD"]
    assert (raw[:2], raw[-2:]) == (b"\x77\x80", b"\x00\x00")
    for wishes in ({}, {"max_response": 65000}):
        evidence, _ = read(specimen, **wishes)
        require_genuine(specimen, evidence)  # under a policy that tolerates BER, and says so
    strict = verify(evidence, specimen.trust, load_policy("strict"), time=NOW, expected_challenge=CHALLENGE)
    assert strict.verdict is Verdict.TOTAL_FAILED


def test_a_file_that_never_ends_is_given_up():
    exchange = read_file(EF_SOD)

    def feed():
        request = next(exchange)
        while True:
            far = request.ins == 0xB1  # an offset behind 32 KiB: the answer is data object 53
            request = exchange.send(ResponseAPDU(b"\x53\x81\xf0" + bytes(240) if far else b"\x77\x80" + bytes(254)))

    with pytest.raises(PeerProtocolError, match="does not end within"):
        feed()


def test_a_facial_record_whose_length_is_short():
    specimen = card_with(facial_record_short=True)
    evidence, _ = read(specimen)
    require_genuine(specimen, evidence)
    assert decode_dg2(specimen.files["DG2"]) is not None
    assert specimen.files["DG2"] != card_with().files["DG2"]


def test_an_application_of_the_products_own_name():
    table = load_profile("ma-cnie").profile.model_dump(mode="json")
    table["application"]["aid"] = "F04F4D414E01"
    profile = CardProfile.model_validate(table)
    authority = SpecimenAuthority(profile, NOW)
    specimen = issue_data(profile, authority, build_specimen(profile, authority, specimen_for(profile, NOW)))
    require_genuine(specimen, read(specimen, aid=bytes.fromhex("F04F4D414E01"))[0])
    with pytest.raises(StatusWordError):
        read(specimen)


def test_quirks_survive_in_the_card_file():
    quirks = {"largest_read": 192, "too_long": "6CXX", "refused_files": {"DG2": "6985"}}
    specimen = card_with(**quirks)
    revived = VirtualCard.from_state(specimen.card.state())
    assert revived.state() == specimen.card.state()
    assert revived.process(bytes.fromhex("00B09C00FF")) == b"\x6c\xc0"
    assert b"quirks" not in card_with().card.state()


@pytest.mark.parametrize(
    "wrong",
    [
        {"largest_read": 31},
        {"select_master_file_sw": "9000"},
        {"too_long": "6F00"},
        {"unknown": 1},
        {"response_piece": 0},
        {"excess_octets": "0"},
        {"excess_octets": "00" * 17},
        {"refused_files": {"DG17": "6982"}},
        {"ef_com_omits": ["EF.SOD"]},
        {"unprotected_refusals": True},
        {"unprotected_refusals": True, "largest_read": 160, "too_long": "6282"},
    ],
)
def test_what_is_no_quirk_is_refused(wrong):
    with pytest.raises(ValueError, match="quirks"):
        with_quirks("ma-cnie", **wrong)


def test_a_chip_without_quirks_is_the_default():
    assert load_profile("ma-cnie").profile.quirks == NO_QUIRKS == Quirks()
    specimen = card_with()
    link = Counted(specimen.card)
    drive(select_application(specimen.profile.application.aid), link)
    assert link.statuses() == {"9000"}
