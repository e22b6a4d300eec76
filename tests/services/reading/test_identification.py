"""Whether a chip that answered is genuine; values in words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from eid.errors import Reason
from eid.inspection.general_authentication import Consent
from eid.inspection.identification import IdentificationPlan
from eid.lds.eid_values import FreetextPlace, NoPlace, OptionalData, Place, Text
from eid.mrz import PartialDate
from eid.pki.crl import build_crl
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.protocols.auxiliary_data import core as auxiliary
from eid.services.reading import identification
from eid.services.reading.identification import (
    Identified,
    Judgement,
    describe_value,
    identification_to_json,
    identify_card,
)
from eid.verification.policy import load_policy
from tests.builders.authority import NOW as SIGNED
from tests.builders.authority import START, build_authority
from tests.builders.eid_card import PIN, EidBench, ask_pseudonym, build_pki, right
from tests.builders.terminals import ALL_AT_RIGHTS, ec_signer

TODAY = date(2026, 2, 1)
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/formats/identification.schema.json").read_text())


def trust_of(csca: str = "csca", *, revoked: bool = False) -> TrustStore:
    authority = build_authority(ec_signer(csca), ec_signer("ds"), explicit=True)
    crl = build_crl(
        authority.csca_signer, authority.csca, number=1, this_update=START, next_update=datetime(2026, 3, 1, tzinfo=UTC)
    )
    return build_trust_store((authority.csca,), () if revoked else (crl,))


def ask(bench: EidBench, plan: IdentificationPlan, trust: TrustStore | None) -> Identified:
    policy = load_policy("passive")
    return identify_card(bench, Consent(PIN), bench.pki.credentials(), plan, trust=trust, policy=policy, now=SIGNED)


def tell(identified: Identified) -> dict[str, Any]:
    """The JSON, as its schema has it."""
    document = identification_to_json(identified)
    Draft202012Validator(SCHEMA).validate(document)
    return document


@pytest.fixture(scope="module")
def bench() -> EidBench:
    return EidBench(build_pki(ALL_AT_RIGHTS))


def test_a_genuine_chip(bench):
    plan = IdentificationPlan((5,), (auxiliary.ask_age(18, TODAY),), ask_pseudonym().sectors)
    document = tell(ask(bench, plan, trust_of()))
    assert document["chip"] == {"genuine": True, "reason": "", "detail": ""}
    assert document["data_groups"] == {"family_names": {"number": 5, "value": "SPECIMEN"}}
    assert document["answers"] == {"age": {"holds": True}}
    assert set(document["pseudonyms"]) == {"first", "second"}


def test_whom_nobody_knows_is_not_called_genuine(bench):
    stranger = ask(bench, IdentificationPlan(), trust_of("another csca")).judgement
    assert stranger.genuine is None
    assert stranger.reason == Reason.NO_CERTIFICATE_CHAIN_FOUND
    assert ask(bench, IdentificationPlan(), None).judgement.genuine is None
    assert ask(bench, IdentificationPlan(), trust_of(revoked=True)).judgement.reason == Reason.TRY_LATER


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("security", Reason.SIG_CRYPTO_FAILURE),
        ("access", Reason.KEY_MISMATCH),
        ("key", Reason.KEY_MISMATCH),
        ("nonsense", Reason.FORMAT_FAILURE),
    ],
)
def test_altered_announcements(bench, change, reason):
    found = ask(bench, IdentificationPlan(), trust_of()).found.authentication
    raw = found.card_security
    match change:
        case "security":
            place = raw.index(b"\x04\x00\x7f\x00\x07\x02\x02\x03\x02\x02") + 9
            found = replace(found, card_security=raw[:place] + b"\x04" + raw[place + 1 :])
        case "access":
            found = replace(
                found, card_access=found.card_access.replace(b"\x02\x02\x04\x02\x02", b"\x02\x02\x04\x02\x04")
            )
        case "key":
            found = replace(found, chip_key=replace(found.chip_key, public_key_info=b"another"))
        case "nonsense":
            found = replace(found, card_security=raw[:-1])
    judgement = identification._judge(found, trust_of(), load_policy("passive"), SIGNED)
    assert (judgement.genuine, judgement.reason) == (False, reason)


def test_what_holds(bench):
    identified = ask(bench, IdentificationPlan(questions=(auxiliary.ask_age(18, TODAY),)), None)
    assert identified.all_hold is True
    for answers, holds in (({"a": True, "b": False}, False), ({"a": True, "b": 0x6982}, None), ({}, True)):
        assert Identified(replace(identified.found, answers=answers), Judgement(True)).all_hold is holds


def test_closed_and_malformed_groups():
    bench = EidBench(build_pki(right(12)))
    identified = ask(bench, IdentificationPlan((4, 5)), None)
    document = tell(identified)
    assert document["data_groups"]["given_names"] == {"number": 4, "refused": "6982"}
    broken = replace(identified.found, groups={5: b"\x65\x01\x00"}, pseudonyms=0x6982)
    document = tell(replace(identified, found=broken))
    assert document["data_groups"]["family_names"]["octets"] == "650100"
    assert document["pseudonyms"] == {"refused": "6982"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("a\x1b[2J", "a\ufffd[2J"),
        (b"\x05", "05"),
        (date(2026, 1, 2), "2026-01-02"),
        (PartialDate(1985), "1985"),
        (Text("x\u202e"), "x\ufffd"),
        (NoPlace("?"), "?"),
        (FreetextPlace("RABAT"), "RABAT"),
        (Place("Rabat", "MAR", zip_code="10"), {"zip_code": "10", "city": "Rabat", "country": "MAR"}),
        ((FreetextPlace("A"),), ["A"]),
        (
            (OptionalData("1.2.3", b"\x05\x00"), OptionalData("1.2")),
            [{"oid": "1.2.3", "data": "0500"}, {"oid": "1.2", "data": None}],
        ),
    ],
)
def test_values(value, told):
    assert describe_value(value) == told
