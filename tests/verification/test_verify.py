"""Genuine documents pass, and every verdict is folded as the policy says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from eid.codec.tlv import encode_tlv
from eid.errors import Reason
from eid.evidence import Evidence, Origin, ProtocolName, ProtocolOutcome
from eid.lds.dg11 import DG11
from eid.pki.trust_store import build_trust_store
from eid.verification.policy import Policy, load_policy, shipped_policies
from eid.verification.report import OUTCOMES, CheckResult, Outcome, Verdict, report_to_json
from eid.verification.verify import fold, verify
from tests.builders import issuer
from tests.builders.document import CHALLENGE, NOW, Document, build_document, judge, outcome, transcript

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/formats/verification-report.schema.json").read_text())


@pytest.mark.parametrize("policy", shipped_policies())
def test_a_genuine_document_passes_every_policy(document: Document, policy: str) -> None:
    report = judge(document, policy=policy)
    assert report.verdict is Verdict.TOTAL_PASSED, [
        item for item in report.checks if item.outcome is not Outcome.PASSED
    ]
    assert {item.id for item in report.checks if item.outcome is not Outcome.PASSED} == {"chip.pace_cam"}
    assert outcome(report, "chip.pace_cam") == (Outcome.NOT_SUPPORTED, Reason.CHIP_CANNOT)
    assert report.policy_digest == load_policy(policy).digest


@pytest.mark.parametrize(
    ("curve", "csca_curve"),
    [("brainpoolP256r1", "brainpoolP384r1"), ("P-384", "P-521"), ("brainpoolP512r1", "brainpoolP512r1")],
)
def test_curves_of_issuing_states(curve: str, csca_curve: str) -> None:
    document = build_document(curve, csca_curve)
    assert judge(document).verdict is Verdict.TOTAL_PASSED


def test_files_alone_pass_the_passive_policy(document: Document) -> None:
    evidence = document.evidence(origin=Origin.UPLOAD, transcripts=(), challenge=None)
    report = judge(document, evidence, "passive", expected_challenge=None)
    assert report.verdict is Verdict.TOTAL_PASSED
    assert outcome(report, "chip.aa") == (Outcome.NOT_PERFORMED, Reason.NOT_ATTEMPTED)
    assert outcome(report, "chip.ca") == (Outcome.NOT_PERFORMED, Reason.NOT_ATTEMPTED)


def test_files_alone_do_not_pass_a_policy_that_wants_the_chip(document: Document) -> None:
    evidence = document.evidence(origin=Origin.UPLOAD, transcripts=(), challenge=None)
    assert judge(document, evidence, "strict", expected_challenge=None).verdict is Verdict.INDETERMINATE


def test_report_matches_its_schema(document: Document) -> None:
    for report in (judge(document), judge(document, trust=document.trust(with_csca=False))):
        Draft202012Validator(SCHEMA).validate(report_to_json(report))


def test_every_reason_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(Reason)
    assert Outcome.PASSED not in OUTCOMES.values()


def test_empty_trust_store_trusts_nothing(document: Document) -> None:
    report = judge(document, trust=build_trust_store(()))
    assert report.verdict is Verdict.INDETERMINATE
    assert outcome(report, "ds.path") == (Outcome.INDETERMINATE, Reason.NO_CERTIFICATE_CHAIN_FOUND)
    # The chip's key is bound by nobody that is trusted, so what the chip shows counts for nothing.
    assert outcome(report, "chip.aa") == (Outcome.NOT_PERFORMED, Reason.SOD_NOT_VERIFIED)
    assert outcome(report, "chip.ca") == (Outcome.NOT_PERFORMED, Reason.SOD_NOT_VERIFIED)


def test_unread_data_group_matters_only_where_the_policy_names_it(document: Document) -> None:
    without_details = judge(document, document.evidence(without=("DG11",)))
    assert outcome(without_details, "sod.dg_hashes.dg11") == (Outcome.NOT_PERFORMED, Reason.DATA_MISSING)
    assert without_details.verdict is Verdict.TOTAL_PASSED
    without_face = judge(document, document.evidence(without=("DG2",)))
    assert without_face.verdict is Verdict.INDETERMINATE


def test_no_sod_at_all(document: Document) -> None:
    report = judge(document, document.evidence(without=("EF.SOD",)))
    assert outcome(report, "sod.format") == (Outcome.NOT_PERFORMED, Reason.DATA_MISSING)
    assert report.verdict is Verdict.INDETERMINATE
    assert not [
        item for item in report.checks if item.id.startswith(("sod", "ds", "chip")) and item.outcome is Outcome.PASSED
    ]


def test_nothing_read() -> None:
    empty = Evidence(Origin.UPLOAD, NOW, None, "", "", ())
    report = verify(empty, build_trust_store(()), load_policy("strict"), time=NOW)
    assert report.verdict is Verdict.INDETERMINATE
    assert [item.id for item in report.checks if item.outcome is Outcome.PASSED] == ["time.reference"]


def test_no_crl_is_no_answer(document: Document) -> None:
    report = judge(document, trust=document.trust(crls=()))
    assert outcome(report, "ds.revocation") == (Outcome.INDETERMINATE, Reason.TRY_LATER)
    assert report.verdict is Verdict.INDETERMINATE
    assert judge(document, policy="passive", trust=document.trust(crls=())).verdict is Verdict.TOTAL_PASSED


def test_stale_crl_is_no_answer(document: Document) -> None:
    report = judge(document, time=issuer.NOT_AFTER + timedelta(seconds=1))
    assert outcome(report, "ds.revocation") == (Outcome.INDETERMINATE, Reason.TRY_LATER)


def test_reference_time_before_and_after_validity(document: Document) -> None:
    early = judge(document, time=datetime(2025, 12, 31, tzinfo=UTC))
    assert outcome(early, "ds.validity") == (Outcome.FAILED, Reason.NOT_YET_VALID)
    assert early.verdict is Verdict.TOTAL_FAILED
    late = judge(document, time=datetime(2036, 7, 1, tzinfo=UTC))
    assert outcome(late, "ds.validity") == (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)
    assert outcome(late, "csca.trust") == (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)


def test_last_day_of_the_document_counts(document: Document) -> None:
    last = judge(document, time=datetime(2035, 6, 1, 23, 59, tzinfo=UTC))
    assert outcome(last, "document.validity") == (Outcome.PASSED, None)
    after = judge(document, time=datetime(2035, 6, 2, tzinfo=UTC))
    assert outcome(after, "document.validity") == (Outcome.FAILED, Reason.DOCUMENT_EXPIRED)
    assert after.verdict is Verdict.TOTAL_FAILED
    assert judge(document, policy="passive", time=datetime(2035, 6, 2, tzinfo=UTC)).verdict is Verdict.TOTAL_PASSED


def test_chip_without_keys_cannot(document: Document) -> None:
    files = {name: raw for name, raw in document.files.items() if name not in ("DG14", "DG15")}
    bare = replace(document, files=files).resigned()
    report = judge(bare, bare.evidence(transcripts=(transcript(ProtocolName.PACE),)), "border")
    assert outcome(report, "chip.aa") == (Outcome.NOT_SUPPORTED, Reason.CHIP_CANNOT)
    assert outcome(report, "chip.ca") == (Outcome.NOT_SUPPORTED, Reason.CHIP_CANNOT)
    assert report.verdict is Verdict.TOTAL_PASSED
    assert judge(bare, bare.evidence(transcripts=(transcript(ProtocolName.PACE),))).verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize("protocol", [ProtocolName.CHIP_AUTHENTICATION, ProtocolName.ACTIVE_AUTHENTICATION])
def test_lost_card_is_not_a_clone(document: Document, protocol: ProtocolName) -> None:
    lost = transcript(protocol, ProtocolOutcome.LINK_LOST)
    report = judge(document, document.evidence(transcripts=(transcript(ProtocolName.PACE), lost)))
    check = "chip.ca" if protocol is ProtocolName.CHIP_AUTHENTICATION else "chip.aa"
    assert outcome(report, check) == (Outcome.INDETERMINATE, Reason.TRANSPORT_LOST)
    assert report.verdict is Verdict.INDETERMINATE


def test_active_authentication_without_an_issued_challenge_says_so(document: Document) -> None:
    report = judge(document, expected_challenge=None)
    found = report.check("chip.aa")
    assert found is not None
    assert found.outcome is Outcome.PASSED
    assert "nothing here says when" in found.detail


@pytest.mark.parametrize("policy", ["age-only", "kyc-remote", "national", "offline-mobile", "strict"])
def test_a_challenge_that_nobody_issued_tells_nothing_about_the_chip_that_is_here(
    document: Document, policy: str
) -> None:
    """Whoever once read the genuine card can show the recording for ever."""
    issued = judge(document, policy=policy)
    assert outcome(issued, "chip.aa") == (Outcome.PASSED, None)
    for challenge in (CHALLENGE, None):
        evidence = document.evidence(challenge=challenge)
        recorded = judge(document, evidence, policy=policy, expected_challenge=None, envelope=None)
        assert outcome(recorded, "chip.aa") == (Outcome.NOT_PERFORMED, Reason.CLIENT_ASSERTED)
        assert recorded.verdict is Verdict.INDETERMINATE
    witnessed = judge(document, policy=policy, expected_challenge=None)
    assert outcome(witnessed, "chip.aa") == (Outcome.PASSED, None)


def test_challenge_that_the_reader_drew_counts_but_answers_no_other(document: Document) -> None:
    drawn = document.evidence(challenge=None)
    found = judge(document, drawn, expected_challenge=None).check("chip.aa")
    assert found is not None
    assert (found.outcome, "the reader's own" in found.detail) == (Outcome.PASSED, True)
    asked = judge(document, drawn, expected_challenge=bytes(8))
    assert outcome(asked, "chip.aa") == (Outcome.FAILED, Reason.CHALLENGE_MISMATCH)


def test_relay_counts_only_on_this_verifiers_own_word(document: Document) -> None:
    relayed = document.evidence(origin=Origin.RELAY)
    assert outcome(judge(document, relayed, relayed=True), "chip.ca") == (Outcome.PASSED, None)
    for envelope in (None, document.envelope(relayed)):
        claimed = judge(document, relayed, envelope=envelope)
        assert outcome(claimed, "chip.ca") == (Outcome.NOT_PERFORMED, Reason.CLIENT_ASSERTED)


RESULTS = {
    "passed": CheckResult("a.a", Outcome.PASSED, None, ""),
    "failed": CheckResult("a.a", Outcome.FAILED, Reason.HASH_FAILURE, ""),
    "indeterminate": CheckResult("a.a", Outcome.INDETERMINATE, Reason.TRY_LATER, ""),
    "not performed": CheckResult("a.a", Outcome.NOT_PERFORMED, Reason.NOT_ATTEMPTED, ""),
    "not supported": CheckResult("a.a", Outcome.NOT_SUPPORTED, Reason.CHIP_CANNOT, ""),
}


def policy_with(**changed: object) -> Policy:
    base = load_policy("passive")
    return replace(base, required=frozenset(), required_one_of=(), informative=frozenset(), **changed)  # type: ignore[arg-type]  # by name, as the caller has them


@pytest.mark.parametrize(
    ("result", "required", "optional"),
    [
        ("passed", Verdict.TOTAL_PASSED, Verdict.TOTAL_PASSED),
        ("failed", Verdict.TOTAL_FAILED, Verdict.TOTAL_FAILED),
        ("indeterminate", Verdict.INDETERMINATE, Verdict.TOTAL_PASSED),
        ("not performed", Verdict.INDETERMINATE, Verdict.TOTAL_PASSED),
        ("not supported", Verdict.INDETERMINATE, Verdict.TOTAL_PASSED),
    ],
)
def test_folding(result: str, required: Verdict, optional: Verdict) -> None:
    base = policy_with()
    results = (RESULTS[result],)
    assert fold(results, replace(base, required=frozenset({"a.a"}))) is required
    assert fold(results, base) is optional


def test_folding_a_required_check_that_never_ran_is_not_a_pass() -> None:
    assert fold((RESULTS["passed"],), replace(policy_with(), required=frozenset({"b.b"}))) is Verdict.INDETERMINATE


def test_folding_one_of_a_group() -> None:
    group = replace(policy_with(), required_one_of=(("a.a", "b.b"),))
    assert fold((RESULTS["passed"],), group) is Verdict.TOTAL_PASSED
    assert fold((RESULTS["not supported"],), group) is Verdict.INDETERMINATE


def test_folding_informative_failure() -> None:
    assert fold((RESULTS["failed"],), replace(policy_with(), informative=frozenset({"a.a"}))) is Verdict.TOTAL_PASSED


def test_a_birth_date_that_dg11_leaves_empty_says_nothing(document: Document) -> None:
    changed = document.resigned(DG11=DG11(full_date_of_birth="").encode())
    assert outcome(judge(changed), "consistency.mrz") == (Outcome.PASSED, None)


def test_dg11_must_be_readable_as_far_as_the_birth_date(document: Document) -> None:
    date = encode_tlv(0x5F2B, b"19850214")
    for content in (date + date, date[:-1], encode_tlv(0x5F2B, b"1985021X"), b"\x5f"):
        changed = document.resigned(DG11=encode_tlv(0x6B, content))
        assert outcome(judge(changed), "consistency.mrz") == (Outcome.FAILED, Reason.FORMAT_FAILURE)


def test_names_of_the_chain_are_told_even_where_one_is_malformed(document: Document) -> None:
    report = judge(document)
    assert report.certificates == (
        "C=UT,O=SPECIMEN,OU=Document signers,CN=SPECIMEN DS 1",
        "C=UT,O=SPECIMEN,CN=SPECIMEN CSCA",
    )
    odd = replace(report, chain=(bytes.fromhex("300c310a3008060103 0c03414243".replace(" ", ""))[:-1],))
    assert odd.certificates[0].startswith("malformed: ")
