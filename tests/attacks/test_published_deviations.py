"""A chip key that the issuer says is known to others; and deviations that are to excuse what is forged."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eid.codec.x509 import decode_certificate
from eid.errors import Reason
from eid.pki import deviation_list as deviations
from eid.pki.deviation_list import DeviantDocuments, Deviation, DeviationKind, DeviationList
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import Document, failed, judge, outcome


def publishing(document: Document, kind: DeviationKind, country: str = "UT", **covered: object) -> TrustStore:
    named = decode_certificate(document.signer_certificate)
    values = {"issuer_raw": named.issuer_raw, "serial": named.serial, **covered}
    entry = (DeviantDocuments(**values), (Deviation(kind, deviations.KIND_OIDS[kind]),))  # type: ignore[arg-type]  # the parameters' names are the fields'
    published = DeviationList(country, "sha256", (entry,))
    return build_trust_store((document.csca_certificate,), (issuer.crl(document.csca),), deviation_lists=(published,))


def test_a_compromised_chip_key_proves_nothing(document: Document) -> None:
    report = judge(document, policy="kyc-remote", trust=publishing(document, DeviationKind.AA_KEY_COMPROMISED))
    told = (Outcome.INDETERMINATE, Reason.KEY_COMPROMISED)
    assert outcome(report, "chip.aa") == outcome(report, "document.deviations") == told
    assert (failed(report), report.verdict) == ({}, Verdict.INDETERMINATE)


def test_a_clone_is_a_clone_all_the_same(document: Document) -> None:
    ran = (document.active_transcript(key=ec.generate_private_key(ec.SECP256R1())),)
    trust = publishing(document, DeviationKind.AA_KEY_COMPROMISED)
    report = judge(document, document.evidence(transcripts=ran), trust=trust)
    assert failed(report)["chip.aa"] is Reason.CLONE_SUSPECTED


@pytest.mark.parametrize("kind", [DeviationKind.DG_HASH_WRONG, DeviationKind.SOD_SIGNATURE_WRONG])
def test_a_deviation_excuses_nothing(document: Document, kind: DeviationKind) -> None:
    """The issuer knows of documents whose hashes are wrong; a forged data group has a wrong hash, too."""
    forged = document.with_files(DG2=b"\x75\x02\x04\x01")
    report = judge(forged, trust=publishing(document, kind))
    assert failed(report) == {"sod.dg_hashes.dg2": Reason.HASH_FAILURE}
    assert report.verdict is Verdict.TOTAL_FAILED
    found = report.check("document.deviations")
    assert found is not None
    assert kind.value in found.detail


def test_another_state_has_no_say(document: Document) -> None:
    report = judge(document, trust=publishing(document, DeviationKind.AA_KEY_COMPROMISED, country="XX"))
    assert outcome(report, "document.deviations") == (Outcome.PASSED, None)
    assert report.verdict is Verdict.TOTAL_PASSED


def test_without_lists_the_check_is_left_out(document: Document) -> None:
    assert judge(document).check("document.deviations") is None
