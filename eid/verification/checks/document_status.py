"""document.status: the card is not revoked or suspended, by the list that its DG13 names (Token Status List, 8.3).

The document is judged first: only a DG13 that the issuer signed says where its status stands, and only a signer of the
same state may say it. A list that is out of date and names the card still counts against it; one that does not, and no
list at all, say nothing.
"""

from __future__ import annotations

from typing import Final, NoReturn

from eid.errors import DecodeError, Reason, VerificationError
from eid.lds.dg13 import StatusListReference, decode_dg13
from eid.pki.status_list import StatusType
from eid.verification.case import Case
from eid.verification.checks.check import Check

ID: Final = "document.status"
CLAUSE: Final = "draft-ietf-oauth-status-list 8.3"


def expand(case: Case) -> tuple[str, ...]:
    """The check, where the policy asks for it or a list is at hand."""
    policy = case.policy
    is_asked = ID in policy.required or any(ID in group for group in policy.required_one_of)
    return (ID,) if is_asked or case.status_lists else ()


def run(case: Case, check_id: str) -> str:
    """Look the document up in its list."""
    reference = _find_reference(case)
    country = case.require_signer().issuer_country or ""
    found = case.status_lists.find(reference.uri, country)
    if found is None:
        raise VerificationError(Reason.TRY_LATER, "the status list that the document names is not at hand")
    try:
        status = found.status(reference.index)
    except DecodeError as failure:
        raise VerificationError(Reason.FORMAT_FAILURE, failure.what) from failure
    told = f"list of {found.issued_at:%Y-%m-%d %H:%M}"
    if status is None:  # 8.3: then no statement about the status can be made
        raise VerificationError(
            Reason.TRY_LATER, f"the status lists of {found.issued_at:%Y-%m-%d} contradict each other"
        )
    if status != StatusType.VALID:
        _refuse(status, told)
    time = case.require_time()
    if found.is_stale(time, case.policy.status_grace):
        raise VerificationError(Reason.TRY_LATER, f"the status list of {found.issued_at:%Y-%m-%d} is stale")
    return f"{told}, tolerated: stale" if found.is_stale(time) else told


def _find_reference(case: Case) -> StatusListReference:
    raw = case.require_bound(13)
    try:
        reference = decode_dg13(raw).status_list
    except DecodeError:  # Doc 9303-10 4.7.13: another state's DG13 has a content of its own
        reference = None
    if reference is None:
        raise VerificationError(Reason.CHIP_CANNOT, "the document names no status list")
    return reference


def _refuse(status: int, told: str) -> NoReturn:
    if status == StatusType.SUSPENDED:
        raise VerificationError(Reason.SUSPENDED, f"suspended, by the {told}")
    if status == StatusType.INVALID:
        raise VerificationError(Reason.REVOKED, f"revoked, by the {told}")
    raise VerificationError(Reason.FORMAT_FAILURE, f"status {status}, which has no meaning, by the {told}")


DOCUMENT_STATUS: Final = Check(ID, CLAUSE, run, expand)
