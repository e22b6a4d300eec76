"""The eID application on the virtual card: reading and writing by right, questions, pseudonyms, passwords."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.card import VirtualCard
from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_response
from eid.codec.cv import Chat, CvExtension, Role
from eid.codec.oid import ID_AT, ID_COMMUNITY_ID, ID_DATE_OF_BIRTH, ID_DATE_OF_EXPIRY, ID_IS, ID_SECTOR
from eid.errors import PasswordDeactivatedError, StatusWordError
from eid.inspection.general_authentication import Consent
from eid.inspection.identification import Identification, IdentificationPlan
from eid.lds.eid_application import EID_AID, EID_GROUPS, decode_eid_group, encode_eid_group
from eid.lds.eid_values import FreetextPlace
from eid.pki.cv_chain import intersect_rights, load_trust_point
from eid.protocols.auxiliary_data import core as auxiliary
from eid.protocols.auxiliary_data.messages import encode_verify
from eid.protocols.exchange import through
from eid.protocols.files import select_application
from eid.protocols.pace.terminal import run_pace
from eid.protocols.pin.terminal import activate_pin, deactivate_pin
from eid.protocols.restricted_identification.terminal import SectorIdentifiers
from tests.builders.eid_card import (
    AUTHORIZED_RI_KEY,
    CAN,
    MUNICIPALITY,
    PACE,
    PIN,
    PUK,
    RI_KEY,
    VALUES,
    EidBench,
    ask_pseudonym,
    build_pki,
    right,
)
from tests.builders.sweep import examples
from tests.builders.terminals import ALL_AT_RIGHTS, CVCA, build_terminal_pki, ec_signer

ALL = tuple(group.number for group in EID_GROUPS)
READ_ALL = IdentificationPlan(ALL)
TODAY = date(2026, 6, 15)
AGE, COMMUNITY, RESTRICTED, CAN_ALLOWED, PIN_MANAGEMENT = 0, 1, 2, 4, 5


def opened(found: Identification) -> set[int]:
    return {number for number, content in found.groups.items() if isinstance(content, bytes)}


def test_every_group_for_who_may_read_all() -> None:
    bench = EidBench(build_pki(ALL_AT_RIGHTS))
    found = bench.identify(READ_ALL)
    assert {number: decode_eid_group(number, raw) for number, raw in found.groups.items()} == VALUES  # type: ignore[arg-type]  # values of several types
    assert found.authentication.chat.authorization == ALL_AT_RIGHTS


def test_an_inspection_system_reads_all_over_the_can() -> None:
    """TR-03110-4 2.2.2: it needs no right for that, but the General Authentication Procedure."""
    bench = EidBench(replace(build_terminal_pki(), terminal_rights=b"\x00"))
    assert opened(bench.identify(READ_ALL, Consent(CAN))) == set(ALL)
    bench = EidBench(replace(build_terminal_pki(), terminal_type=ID_IS))
    answers = bench.identify(IdentificationPlan(questions=(auxiliary.ask_age(18, TODAY),)), Consent(CAN)).answers
    assert answers == {ID_DATE_OF_BIRTH: 0x6982}  # questions are for authentication terminals


# The model: what stands in every certificate of the chain and in the holder's CHAT, and nothing else.
rights = st.integers(0, (1 << 38) - 1).map(lambda bits: bits.to_bytes(5, "big"))


@settings(max_examples=examples(12), deadline=None)
@given(cvca=rights, dv=rights, terminal=rights, holder=rights)
def test_a_group_opens_exactly_when_the_whole_chain_says_so(
    cvca: bytes, dv: bytes, terminal: bytes, holder: bytes
) -> None:
    pki = replace(build_pki(terminal), cvca_rights=cvca, dv_rights=dv)
    found = EidBench(pki).identify(READ_ALL, Consent(PIN, rights=holder))
    effective = [
        all(int.from_bytes(level, "big") >> bit & 1 for level in (cvca, dv, terminal, holder)) for bit in range(40)
    ]
    assert opened(found) == {number for number in ALL if effective[7 + number]}
    assert {found.groups[number] for number in set(ALL) - opened(found)} <= {0x6982}


@pytest.mark.parametrize("level", ["cvca_rights", "dv_rights", "terminal_rights"])
def test_one_missing_bit_closes_one_group(level: str) -> None:
    without = bytes(a & ~b for a, b in zip(ALL_AT_RIGHTS, right(7 + 5), strict=True))
    found = EidBench(build_pki(ALL_AT_RIGHTS, **{level: without})).identify(READ_ALL)
    assert opened(found) == set(ALL) - {5}


def test_the_can_only_for_who_is_allowed_to() -> None:
    everything = bytes(a & ~b for a, b in zip(ALL_AT_RIGHTS, right(CAN_ALLOWED), strict=True))
    bench = EidBench(build_pki(everything))
    plan = IdentificationPlan(ALL, (auxiliary.ask_validity(TODAY),), ask_pseudonym().sectors)
    found = bench.identify(plan, Consent(CAN))
    assert opened(found) == set()
    assert (found.answers, found.pseudonyms) == ({ID_DATE_OF_EXPIRY: 0x6982}, 0x6982)
    assert opened(bench.identify(plan)) == set(ALL)
    assert opened(EidBench(build_pki(ALL_AT_RIGHTS)).identify(plan, Consent(CAN))) == set(ALL)
    with pytest.raises(StatusWordError):  # the PUK opens nothing
        EidBench(build_pki(ALL_AT_RIGHTS)).identify(plan, Consent(PUK))


# Questions


def ask(bench: EidBench, *questions: object) -> dict[str, bool | int]:
    return bench.identify(IdentificationPlan(questions=questions)).answers  # type: ignore[arg-type]  # values of several types


def test_questions() -> None:
    bench = EidBench(build_pki(right(AGE, COMMUNITY)))
    born = date(1985, 2, 14)
    for today, years, answer in ((TODAY, 18, True), (date(2003, 2, 14), 18, True), (date(2003, 2, 13), 18, False)):
        assert ask(bench, auxiliary.ask_age(years, today)) == {ID_DATE_OF_BIRTH: answer}, (born, today)
    for today, answer in ((date(2035, 12, 31), True), (date(2036, 1, 1), False)):
        assert ask(bench, auxiliary.ask_validity(today)) == {ID_DATE_OF_EXPIRY: answer}
    for prefix, answer in ((MUNICIPALITY[:2], True), (MUNICIPALITY, True), (b"\x06", False)):
        assert ask(bench, auxiliary.ask_community(prefix)) == {ID_COMMUNITY_ID: answer}
    several = ask(bench, auxiliary.ask_age(18, TODAY), auxiliary.ask_validity(TODAY), auxiliary.ask_community(b"\x05"))
    assert set(several.values()) == {True}


def test_questions_by_right() -> None:
    questions = (auxiliary.ask_age(18, TODAY), auxiliary.ask_validity(TODAY), auxiliary.ask_community(b"\x05"))
    assert list(ask(EidBench(build_pki(right())), *questions).values()) == [0x6982, True, 0x6982]
    assert list(ask(EidBench(build_pki(right(AGE))), *questions).values()) == [True, True, 0x6982]
    assert list(ask(EidBench(build_pki(right(COMMUNITY))), *questions).values()) == [0x6982, True, True]


def inside(bench: EidBench, found: Identification, command: CommandAPDU) -> ResponseAPDU:
    channel = found.authentication.secure_messaging
    raw = bench.card.process(channel.protect_command(command).encode())
    return channel.unprotect_response(decode_response(raw))


def test_what_was_not_signed_cannot_be_asked() -> None:
    bench = EidBench(build_pki(right(AGE, COMMUNITY)))
    found = bench.identify(IdentificationPlan(questions=(auxiliary.ask_age(18, TODAY),)))
    assert inside(bench, found, encode_verify(ID_DATE_OF_BIRTH)).sw == 0x9000
    assert inside(bench, found, encode_verify(ID_COMMUNITY_ID)).sw == 0x6A88
    assert inside(bench, found, encode_verify("1.2.3")).sw == 0x6A88
    assert inside(bench, found, CommandAPDU(0x80, 0x20, 0x00, 0x00, b"\x06\x01\x2a")).sw == 0x6A86
    assert inside(bench, found, CommandAPDU(0x80, 0x20, 0x80, 0x00, b"\x04\x01\x2a")).sw == 0x6A80
    assert inside(bench, found, CommandAPDU(0x00, 0x20, 0x80, 0x00, b"")).sw == 0x6E00
    assert decode_response(bench.card.process(encode_verify(ID_DATE_OF_BIRTH).encode())).sw == 0x6982  # plain


def test_a_card_without_the_data_says_so() -> None:
    bench = EidBench(build_pki(right(AGE)), {1: "ID"})
    assert ask(bench, auxiliary.ask_age(18, TODAY)) == {ID_DATE_OF_BIRTH: 0x6A88}


# Pseudonyms


def test_pseudonyms_are_stable_apart_and_of_the_key() -> None:
    bench = EidBench(build_pki(right(RESTRICTED)))
    first, second = bench.identify(ask_pseudonym()).pseudonyms, bench.identify(ask_pseudonym()).pseudonyms
    assert isinstance(first, SectorIdentifiers)
    assert first == second
    other = bench.identify(ask_pseudonym(AUTHORIZED_RI_KEY)).pseudonyms
    assert isinstance(other, SectorIdentifiers)
    assert len({first.first, first.second, other.first, other.second}) == 4


def test_pseudonyms_by_right() -> None:
    bench = EidBench(build_pki(right()))
    assert isinstance(bench.identify(ask_pseudonym(RI_KEY)).pseudonyms, SectorIdentifiers)
    assert bench.identify(ask_pseudonym(AUTHORIZED_RI_KEY)).pseudonyms == 0x6982
    holder = EidBench(build_pki(right(RESTRICTED)))
    refused = holder.identify(ask_pseudonym(AUTHORIZED_RI_KEY), Consent(PIN, rights=right()))
    assert refused.pseudonyms == 0x6982


# Writing


def write(bench: EidBench, number: int, content: bytes, found: Identification | None = None) -> int:
    found = found or bench.identify(IdentificationPlan())
    return inside(bench, found, CommandAPDU(0x00, 0xD6, 0x80 | number, 0x00, content)).sw


@settings(max_examples=4, deadline=None)
@given(st.sets(st.integers(17, 22)))
def test_writing_by_right(groups: set[int]) -> None:
    bench = EidBench(build_pki(right(*(54 - number for number in groups), *range(8, 30))))
    found = bench.identify(IdentificationPlan())
    for number in ALL:
        expected = 0x6985 if number < 17 else 0x9000 if number in groups else 0x6982
        assert write(bench, number, encode_eid_group(number, VALUES[number]), found) == expected


def test_an_address_that_has_moved() -> None:
    bench = EidBench(build_pki(right(37, 24)))
    moved = (FreetextPlace("2 SPECIMEN SQUARE"),)
    before = bench.card.changes
    assert write(bench, 17, encode_eid_group(17, moved)) == 0x9000
    assert bench.card.changes > before
    bench.card = VirtualCard.from_state(bench.card.state())
    raw = bench.identify(IdentificationPlan((17,))).groups[17]
    assert isinstance(raw, bytes)
    assert decode_eid_group(17, raw) == moved


# The holder's switch


def test_the_eid_function_is_switched_with_the_pin() -> None:
    """TR-03110-2 2.4.2: an authority with the right to manage PINs, over the CAN, for it has no PIN."""
    authority = EidBench(build_pki(right(PIN_MANAGEMENT)))
    found = authority.identify(IdentificationPlan(), Consent(CAN))
    authority.run(through(found.authentication.secure_messaging, deactivate_pin()))
    with pytest.raises(PasswordDeactivatedError):
        authority.identify(IdentificationPlan())
    authority.card = VirtualCard.from_state(authority.card.state())
    with pytest.raises(PasswordDeactivatedError):
        authority.identify(IdentificationPlan())
    found = authority.identify(IdentificationPlan(), Consent(CAN))
    authority.run(through(found.authentication.secure_messaging, activate_pin()))
    assert authority.identify(IdentificationPlan()).answers == {}


def test_nobody_else_switches() -> None:
    bench = EidBench(build_pki(bytes(a & ~b for a, b in zip(ALL_AT_RIGHTS, right(PIN_MANAGEMENT), strict=True))))
    found = bench.identify(IdentificationPlan())
    assert inside(bench, found, CommandAPDU(0x00, 0x04, 0x10, 0x03)).sw == 0x6982


# Without all of the procedure


def test_closed_before_the_chip_has_answered() -> None:
    """After PACE with every right asked for, nothing is open: rights count behind both authentications."""
    bench = EidBench(build_pki(ALL_AT_RIGHTS))
    session = bench.run(run_pace(PACE, PIN, chat=None)).secure_messaging
    bench.run(through(session, select_application(EID_AID)))
    for number in ALL:
        answer = session.unprotect_response(
            decode_response(
                bench.card.process(session.protect_command(CommandAPDU(0, 0xB0, 0x80 | number, 0, le=256)).encode())
            )
        )
        assert (answer.data, answer.sw) == (b"", 0x6982)


def test_closed_without_anything() -> None:
    bench = EidBench(build_pki(ALL_AT_RIGHTS))
    bench.run(select_application(EID_AID))
    for number in ALL:
        assert bench.card.process(bytes((0x00, 0xB0, 0x80 | number, 0x00, 0x00))) == b"\x69\x82"
        assert bench.card.process(bytes((0x00, 0xA4, 0x02, 0x0C, 0x02, 0x01, number))) == b"\x69\x82"


def test_special_functions_that_are_not_there() -> None:
    """Certificates are installed by no command that this card has; the rights for it open nothing (bits 6 and 7)."""
    bench = EidBench(build_pki(right(6, 7)))
    found = bench.identify(READ_ALL)
    assert opened(found) == set()
    assert inside(bench, found, CommandAPDU(0x00, 0x47, 0x82, 0x00, b"\xac\x00")).sw == 0x6985
    assert intersect_rights(right(6, 7), ALL_AT_RIGHTS) == right(6, 7)


def test_each_type_of_terminal_has_its_trust_points() -> None:
    """A link certificate for one type pushes out none of the other; PACE tells those that the CHAT is for (B.1.4)."""
    bench = EidBench(build_pki(ALL_AT_RIGHTS))
    inspection = replace(build_terminal_pki(), cvca=ec_signer("cvca of inspection"))
    own = "UTCVCAIS00001"
    raw = inspection.certify(inspection.cvca, own, inspection.cvca, own, Role.CVCA, b"\x03", explicit=True)
    memory = bench.card._card.memory
    memory.trust = replace(memory.trust, points=(*memory.trust.points, load_trust_point(raw)))
    for chat, names in ((None, (own.encode(),)), (Chat(ID_AT, right()), (CVCA.encode(),))):
        bench.card.reset()
        assert bench.run(run_pace(PACE, PIN, chat=chat)).references == names
    newer = ("UTCVCAA00003", "UTCVCAA00002")
    for name in reversed(newer):
        memory.trust = memory.trust.accept(load_trust_point(bench.pki.link_certificate(ec_signer(name), name)))

    def names_of(terminal_type: str) -> tuple[str, ...]:
        return tuple(point.certificate.holder_reference for point in memory.trust.of_type(terminal_type))

    assert (names_of(ID_AT), names_of(ID_IS)) == (newer, (own,))
    assert VirtualCard.from_state(bench.card.state())._card.memory.trust == memory.trust


def test_commands_of_restricted_identification_that_are_none() -> None:
    """A malformed extension in a certificate that was signed all the same, and an MSE:Set AT that is no template."""
    pki = build_pki(right(RESTRICTED), extensions=(CvExtension(ID_SECTOR, b"\x82\x00"),))
    with pytest.raises(StatusWordError) as caught:
        EidBench(pki).identify(ask_pseudonym())
    assert caught.value.sw == 0x6A80
    bench = EidBench(build_pki(right(RESTRICTED)))
    found = bench.identify(IdentificationPlan())
    assert inside(bench, found, CommandAPDU(0x00, 0x22, 0x41, 0xA4, b"\x80")).sw == 0x6A80
