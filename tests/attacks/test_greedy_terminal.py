"""A terminal that wants more of the eID application than its certificates say, and a chip that is a copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from eid.codec.apdu import CommandAPDU, decode_response
from eid.codec.cv import Role
from eid.codec.oid import ID_DATE_OF_BIRTH, encode_oid_content
from eid.codec.tlv import encode_tlv
from eid.crypto.group import compress_public_key
from eid.errors import AuthenticationError, StatusWordError
from eid.inspection.general_authentication import Consent
from eid.inspection.identification import IdentificationPlan, Sectors
from eid.pki.cv_issuing import sign_plain
from eid.protocols.auxiliary_data import core as auxiliary
from eid.protocols.exchange import send, through
from eid.protocols.pace.core import require_parameters
from eid.protocols.pace.terminal import run_pace
from eid.protocols.restricted_identification.core import build_terminal_sector
from eid.protocols.terminal_authentication import core, messages
from eid.protocols.terminal_authentication.messages import AuthenticationTemplate
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from tests.builders.eid_card import BANK, GROUP, PACE, PIN, RI_KEY, SHOP, EidBench, build_pki, chat, right
from tests.builders.terminals import ALL_AT_RIGHTS, CVCA, DV, TERMINAL, ec_signer

NAMES, AGE = 8 + 4, 0
NOTHING = IdentificationPlan()


def refuse(bench: EidBench, credentials: TerminalCredentials, consent: Consent | None = None) -> StatusWordError:
    with pytest.raises(StatusWordError) as caught:
        bench.identify(NOTHING, consent, credentials)
    return caught.value


def test_a_certificate_with_more_rights_than_were_signed() -> None:
    pki = build_pki(right(AGE))
    dv, terminal = pki.chain()
    old, new = encode_tlv(0x53, right(AGE)), encode_tlv(0x53, right(AGE, NAMES))
    assert old in terminal
    widened = TerminalCredentials((dv, terminal.replace(old, new)), pki.terminal)
    refusal = refuse(EidBench(pki), widened)
    assert (refusal.sw, refusal.command) == (0x6300, "PSO:Verify Certificate")


def test_a_document_verifier_gives_what_it_does_not_have() -> None:
    """Its signature is right; the card intersects (TR-03110-3 2.6)."""
    pki = replace(build_pki(ALL_AT_RIGHTS), dv_rights=right(AGE))
    found = EidBench(pki).identify(IdentificationPlan((4, 5)))
    assert found.groups == {4: 0x6982, 5: 0x6982}


def test_the_terminal_asks_for_more_than_the_holder_was_shown() -> None:
    pki = build_pki(ALL_AT_RIGHTS)
    found = EidBench(pki).identify(IdentificationPlan((4, 8)), Consent(PIN, rights=right(8 + 7)))
    assert found.groups[4] == 0x6982
    assert isinstance(found.groups[8], bytes)


def test_a_terminal_makes_itself_a_document_verifier() -> None:
    pki = build_pki(right(AGE))
    dv, terminal = pki.chain()
    fake = pki.certify(pki.terminal, TERMINAL, ec_signer("own"), "UTOWN00001", Role.TERMINAL, ALL_AT_RIGHTS)
    refusal = refuse(EidBench(pki), TerminalCredentials((dv, terminal, fake), ec_signer("own")))
    assert (refusal.sw, refusal.command) == (0x6300, "PSO:Verify Certificate")


def test_a_certificate_that_is_expired_by_the_cards_date() -> None:
    """The card has no clock; an authority's later certificate has moved its date (TR-03110-3 2.2.4.1)."""
    pki = build_pki(right(NAMES), end=date(2026, 3, 31))
    bench = EidBench(pki)
    assert isinstance(bench.identify(IdentificationPlan((5,))).groups[5], bytes)
    bench.identify(NOTHING, credentials=replace(pki, begin=date(2026, 4, 1), end=date(2026, 6, 30)).credentials())
    refusal = refuse(bench, pki.credentials())
    assert (refusal.sw, refusal.command) == (0x6300, "PSO:Verify Certificate")


def test_auxiliary_data_are_exchanged_behind_the_signature() -> None:
    """The terminal signs one age and sends another: the signature is over what the card has received."""
    pki = build_pki(right(AGE))
    bench = EidBench(pki)
    pace = bench.run(run_pace(PACE, PIN, chat=chat(right(AGE))))
    channel = pace.secure_messaging
    for raw, issuer in zip(pki.chain(), (CVCA, DV), strict=True):
        bench.run(through(channel, send(messages.encode_set_dst(issuer), "MSE:Set DST")))
        bench.run(through(channel, send(messages.encode_verify_certificate(raw), "PSO")))
    signed, sent = (messages.encode_auxiliary_data([auxiliary.ask_age(years, date(2026, 6, 15))]) for years in (18, 16))
    key = compress_public_key(GROUP, GROUP.generate().public)
    template = AuthenticationTemplate(TERMINAL, None, key, sent)
    bench.run(through(channel, send(messages.encode_set_at(template), "MSE:Set AT")))
    challenge = bench.run(through(channel, send(messages.encode_get_challenge(), "GET CHALLENGE"))).data
    id_picc = compress_public_key(require_parameters(PACE).group, pace.chip_public)
    signature = sign_plain(pki.terminal, core.build_signed_data(id_picc, challenge, key, signed))
    with pytest.raises(StatusWordError) as caught:
        bench.run(through(channel, send(messages.encode_external_authenticate(signature), "EXTERNAL AUTHENTICATE")))
    assert caught.value.sw == 0x6300


def test_a_question_that_another_terminal_has_signed() -> None:
    """The answer to one session's question is not to be had in the next one."""
    pki = build_pki(right(AGE))
    bench = EidBench(pki)
    asked = IdentificationPlan(questions=(auxiliary.ask_age(18, date(2026, 6, 15)),))
    assert bench.identify(asked).answers == {ID_DATE_OF_BIRTH: True}
    found = bench.identify(NOTHING)
    command = encode_tlv(0x06, encode_oid_content(ID_DATE_OF_BIRTH))
    sent = found.authentication.secure_messaging.protect_command(CommandAPDU(0x80, 0x20, 0x80, 0, command))
    raw = decode_response(bench.card.process(sent.encode()))
    answer = found.authentication.secure_messaging.unprotect_response(raw)
    assert answer.sw == 0x6A88


def test_a_pseudonym_in_a_sector_of_somebody_else() -> None:
    pki = build_pki(right(2), extensions=(build_terminal_sector("sha256", SHOP.content),))
    bench = EidBench(pki)
    assert bench.identify(IdentificationPlan(sectors=Sectors(SHOP, None, RI_KEY))).pseudonyms
    for sectors in (Sectors(BANK, None, RI_KEY), Sectors(SHOP, BANK, RI_KEY)):
        with pytest.raises(StatusWordError) as caught:
            bench.identify(IdentificationPlan(sectors=sectors))
        assert caught.value.sw == 0x6A80
    nowhere = EidBench(build_pki(right(2), extensions=()))
    with pytest.raises(StatusWordError) as caught:
        nowhere.identify(IdentificationPlan(sectors=Sectors(SHOP, None, RI_KEY)))
    assert caught.value.sw == 0x6A80


def test_a_copied_chip_without_its_key() -> None:
    """EF.CardSecurity is genuine, the key behind it is not there: the token of Chip Authentication is wrong."""
    with pytest.raises(AuthenticationError):
        EidBench(build_pki(ALL_AT_RIGHTS), chip_scalar=0xBAD).identify(IdentificationPlan((5,)))
