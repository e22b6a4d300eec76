"""The finder of a revoked card brings a status list of his own: none of them turns the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from eid.codec import oid
from eid.errors import EidError, LifecycleError, Reason, VerificationError
from eid.pki.status_token import TokenForm, decode_status_token, verify_status_token
from eid.pki.trust_store import build_trust_store
from eid.services.verifying.status_shelf import find_files, keep_list, load_status_lists
from eid.verification.report import Outcome, Verdict
from eid.verification.status_lists import StatusLists
from tests.builders.document import NOW, STATUS, Document, build_document, failed, judge, outcome, status_lists
from tests.builders.status import HOUR, StatusPublisher, status_publisher
from tests.builders.trust_lists import Publisher

REVOKED = [(STATUS.index, 1)]


@pytest.fixture(scope="module")
def document() -> Document:
    return build_document()


def test_a_list_under_a_key_of_his_own(document: Document) -> None:
    forged = status_publisher().sign()
    with pytest.raises(VerificationError) as refused:
        verify_status_token(forged, document.trust(), now=NOW)
    assert refused.value.reason in (Reason.NO_CERTIFICATE_CHAIN_FOUND, Reason.PATH_SIGNATURE_FAILURE)


def test_a_list_under_a_stolen_document_signers_key(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may sign documents, but its certificate is for no other purpose."""
    owner = StatusPublisher(Publisher("UT", document.csca, document.csca_certificate, document.signer, b""))
    thief = StatusPublisher(
        Publisher("UT", document.csca, document.csca_certificate, document.signer, document.signer_certificate)
    )
    assert owner.publisher.key is thief.publisher.key
    monkeypatch.setattr("eid.pki.status_token._require_entitled", lambda signer, certificate, time: None)
    with pytest.raises(VerificationError) as refused:
        verify_status_token(thief.sign(), document.trust(), now=NOW)
    assert refused.value.reason is Reason.CHAIN_CONSTRAINTS_FAILURE


def test_the_old_list_beside_the_new_one(document: Document) -> None:
    """Of all that are at hand the youngest counts, whichever order they come in."""
    old, new = status_lists(document, issued_at=NOW - 3 * HOUR), status_lists(document, REVOKED)
    for order in ((old, new), (new, old)):
        both = StatusLists.of(item for lists in order for item in lists.all)
        report = judge(document, policy="national", status_lists=both)
        assert failed(report) == {"document.status": Reason.REVOKED}


def test_the_old_list_served_again(document: Document, tmp_path: Path) -> None:
    """He sits between the relying party and the publisher: what is at hand is not exchanged for what was before."""
    owner, trust = status_publisher(csca_key=document.csca, csca=document.csca_certificate), document.trust()
    keep_list(tmp_path, owner.sign(REVOKED), trust, NOW)
    with pytest.raises(LifecycleError, match="younger status list, of 2026-06-01 11:00:00, is at hand"):
        keep_list(tmp_path, owner.sign((), issued_at=NOW - 3 * HOUR), trust, NOW)
    lists, _ = load_status_lists(find_files(tmp_path), trust, NOW)
    report = judge(document, policy="national", trust=trust, status_lists=lists)
    assert failed(report) == {"document.status": Reason.REVOKED}


def test_only_the_old_list(document: Document) -> None:
    """He keeps the new one away: until `exp` the old one is believed, and not an hour longer."""
    old = status_lists(document, issued_at=NOW - 25 * HOUR, expires_at=NOW - HOUR)
    report = judge(document, policy="national", status_lists=old)
    assert report.verdict is Verdict.INDETERMINATE
    assert outcome(report, "document.status") == (Outcome.INDETERMINATE, Reason.TRY_LATER)


@pytest.mark.parametrize("form", TokenForm)
def test_the_revocation_cut_out_of_the_list(document: Document, form: TokenForm) -> None:
    """The claims of a list in which nobody is revoked under the signature of one in which he is."""
    owner = status_publisher(csca_key=document.csca, csca=document.csca_certificate)
    clean, genuine = owner.sign((), form), owner.sign(REVOKED, form)
    if form is TokenForm.JWT:
        forged = clean.rpartition(b".")[0] + b"." + genuine.rpartition(b".")[2]
    else:
        forged = clean[:-64] + genuine[-64:]
    assert decode_status_token(forged).claims.statuses.status(STATUS.index) == 0
    with pytest.raises(EidError, match="SIG_CRYPTO_FAILURE"):
        verify_status_token(forged, document.trust(crls=()), now=NOW)


def test_another_states_signer_speaks_for_his_card(document: Document) -> None:
    foreign = status_publisher("FI")
    trust = build_trust_store((document.csca_certificate, foreign.publisher.csca), [document.trust().crls[0].raw])
    lists = StatusLists.of([verify_status_token(foreign.sign(), trust, now=NOW)])
    report = judge(document, policy="national", trust=trust, status_lists=lists)
    assert outcome(report, "document.status") == (Outcome.INDETERMINATE, Reason.TRY_LATER)


def test_a_master_list_signers_certificate(document: Document) -> None:
    with pytest.raises(EidError):
        status_publisher(
            purposes=(oid.CSCA_MASTER_LIST_SIGNING_KEY,), csca_key=document.csca, csca=document.csca_certificate
        ).sign()
