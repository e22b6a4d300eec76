"""document.status: what a list says counts, if the document's own state says it; no list is no answer."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from eid.errors import Reason
from eid.lds.dg13 import DG13, StatusListReference
from eid.pki.status_token import verify_status_token
from eid.pki.trust_store import build_trust_store
from eid.verification.policy import load_policy
from eid.verification.report import Outcome, Verdict
from eid.verification.status_lists import NO_STATUS_LISTS, StatusLists
from eid.verification.verify import verify
from tests.builders.document import CHALLENGE, NOW, STATUS, Document, failed, judge, outcome, status_lists
from tests.builders.status import HOUR, status_publisher

PLACE = STATUS.index
DAY = timedelta(days=1)


def test_a_card_that_nothing_is_said_of_is_valid(document: Document) -> None:
    lists = status_lists(document, [(PLACE - 1, 1), (PLACE + 1, 2)])
    report = judge(document, policy="national", status_lists=lists)
    assert report.verdict is Verdict.TOTAL_PASSED
    assert report.check("document.status").detail == "list of 2026-06-01 11:00"


@pytest.mark.parametrize(("status", "reason"), [(1, Reason.REVOKED), (2, Reason.SUSPENDED), (3, Reason.FORMAT_FAILURE)])
@pytest.mark.parametrize("policy", ["national", "strict", "border", "passive"])
def test_any_other_status_fails_every_policy(document: Document, status: int, reason: Reason, policy: str) -> None:
    report = judge(document, policy=policy, status_lists=status_lists(document, [(PLACE, status)]))
    assert (report.verdict, failed(report)) == (Verdict.TOTAL_FAILED, {"document.status": reason})


def test_without_a_list_only_a_policy_that_asks_is_undecided(document: Document) -> None:
    asked = judge(document, policy="national", status_lists=NO_STATUS_LISTS)
    assert asked.verdict is Verdict.INDETERMINATE
    assert outcome(asked, "document.status") == (Outcome.INDETERMINATE, Reason.TRY_LATER)
    assert judge(document, policy="strict").check("document.status") is None
    other = status_lists(document, uri="https://status.example.org/2")
    report = judge(document, policy="strict", status_lists=other)
    assert report.verdict is Verdict.TOTAL_PASSED
    assert outcome(report, "document.status") == (Outcome.INDETERMINATE, Reason.TRY_LATER)


def test_a_stale_list_says_nothing_good(document: Document) -> None:
    end = NOW - HOUR
    stale = status_lists(document, issued_at=NOW - DAY, expires_at=end)
    report = judge(document, policy="national", status_lists=stale)
    assert outcome(report, "document.status") == (Outcome.INDETERMINATE, Reason.TRY_LATER)
    revoked = status_lists(document, [(PLACE, 1)], issued_at=NOW - DAY, expires_at=end)
    assert failed(judge(document, policy="national", status_lists=revoked)) == {"document.status": Reason.REVOKED}
    endless = status_lists(document, expires_at=None)
    assert judge(document, policy="national", status_lists=endless).verdict is Verdict.INDETERMINATE


def test_a_policy_may_take_a_list_that_is_late(document: Document) -> None:
    policy = dataclasses.replace(load_policy("national"), status_grace=timedelta(days=2))
    for days, verdict in ((1, Verdict.TOTAL_PASSED), (3, Verdict.INDETERMINATE)):
        end = NOW - days * DAY
        lists = status_lists(document, issued_at=end - DAY, expires_at=end)
        evidence = document.evidence()
        report = verify(
            evidence,
            document.trust(),
            policy,
            time=NOW,
            expected_challenge=CHALLENGE,
            envelope=document.envelope(evidence),
            stations={document.key_id: document.station.public_key()},
            status_lists=lists,
        )
        assert report.verdict is verdict


def test_another_states_signer_does_not_speak(document: Document) -> None:
    """A list of the same address, signed below another trusted CSCA, says neither good nor bad."""
    foreign = status_publisher("FI")
    trust = build_trust_store(
        (document.csca_certificate, foreign.publisher.csca), document.trust().crls and [document.trust().crls[0].raw]
    )
    raw = foreign.sign([(PLACE, 1)])
    lists = StatusLists.of([verify_status_token(raw, trust, now=NOW)])
    report = judge(document, policy="national", trust=trust, status_lists=lists)
    assert outcome(report, "document.status") == (Outcome.INDETERMINATE, Reason.TRY_LATER)
    assert [item.country for item in lists.all] == ["FI"]


def test_an_index_outside_of_the_list_is_refused(document: Document) -> None:
    far = document.resigned(DG13=DG13(status_list=StatusListReference(STATUS.uri, 1 << 20)).encode())
    report = judge(far, policy="national")
    assert failed(report) == {"document.status": Reason.FORMAT_FAILURE}


@pytest.mark.parametrize("content", [DG13(civil_status_number="7").encode(), b"\x6d\x03\x01\x02\x03"])
def test_documents_that_name_no_list(document: Document, content: bytes) -> None:
    """Of another state, say, whose DG13 has a content of its own."""
    other = document.resigned(DG13=content)
    report = judge(other, policy="strict", status_lists=status_lists(document))
    assert report.verdict is Verdict.TOTAL_PASSED
    assert outcome(report, "document.status") == (Outcome.NOT_SUPPORTED, Reason.CHIP_CANNOT)
    assert judge(other, policy="national").verdict is Verdict.INDETERMINATE


def test_only_a_signed_dg13_is_believed(document: Document) -> None:
    """A forger points to a place of which nothing is said: the data group is not the one that was signed."""
    lists = status_lists(document, [(PLACE, 1)])
    forged = document.with_files(DG13=DG13(status_list=StatusListReference(STATUS.uri, 1)).encode())
    report = judge(forged, policy="strict", status_lists=lists)
    assert failed(report) == {"sod.dg_hashes.dg13": Reason.HASH_FAILURE}
    assert outcome(report, "document.status") == (Outcome.NOT_PERFORMED, Reason.SOD_NOT_VERIFIED)
    unread = judge(document, document.evidence(without=("DG13",)), "strict", status_lists=lists)
    assert outcome(unread, "document.status") == (Outcome.NOT_PERFORMED, Reason.DATA_MISSING)


def test_of_two_lists_the_younger_counts(document: Document) -> None:
    raws = [status_lists(document, [(PLACE, 1)], issued_at=NOW - 2 * HOUR), status_lists(document)]
    for order in (raws, raws[::-1]):
        both = StatusLists.of(item for lists in order for item in lists.all)
        assert len(both.all) == 1
        assert judge(document, policy="national", status_lists=both).verdict is Verdict.TOTAL_PASSED


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [(1, 0, Reason.REVOKED), (1, 2, Reason.REVOKED), (2, 0, Reason.TRY_LATER), (3, 0, Reason.TRY_LATER)],
)
def test_two_lists_of_one_time_contradict_each_other(document: Document, one: int, other: int, reason: Reason) -> None:
    """Neither is the last word: what is revoked stays so (7.1), of anything else nothing can be said (8.3)."""
    raws = [status_lists(document, [(PLACE, status)]) for status in (one, other)]
    orders = [StatusLists.of(item for lists in order for item in lists.all) for order in (raws, raws[::-1])]
    for both in orders:
        report = judge(document, policy="national", status_lists=both)
        expected = Outcome.FAILED if reason is Reason.REVOKED else Outcome.INDETERMINATE
        assert outcome(report, "document.status") == (expected, reason)
    assert orders[0].digest == orders[1].digest


def test_two_lists_of_one_time_that_agree_on_the_card(document: Document) -> None:
    lists = [status_lists(document, [(PLACE + 1, status)]) for status in (0, 1)]
    both = StatusLists.of(item for one in lists for item in one.all)
    assert len(both.all) == 2
    assert judge(document, policy="national", status_lists=both).verdict is Verdict.TOTAL_PASSED
    shorter = status_lists(document, expires_at=NOW - timedelta(minutes=1))
    stale = StatusLists.of([*both.all, *shorter.all])
    assert outcome(judge(document, policy="national", status_lists=stale), "document.status")[1] is Reason.TRY_LATER
    same = StatusLists.of([*lists[0].all, *status_lists(document).all])
    assert len(same.all) == 1  # two tokens, one statement
