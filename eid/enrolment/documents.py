"""Supporting documents as rules: which are wanted, which are missing or too old, what a file really is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum, unique
from typing import Final

from eid.enrolment.rules import EnrolmentRules
from eid.errors import RecordError

MAX_FILES: Final = 24  # of one application
MAX_FILES_OF_A_PAPER: Final = 6  # its pages, each a file
MAX_PAGES: Final = 40
PDF: Final = "application/pdf"
_SIGNATURES: Final = ((b"%PDF-", PDF), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


@unique
class UploadRefusal(StrEnum):
    """Why a file is not taken; `eid.locale` has a sentence for each."""

    UNKNOWN_PAPER = "unknown-paper"
    PAPER_NOT_WANTED = "paper-not-wanted"
    EMPTY = "empty"
    TOO_LARGE = "too-large"
    TYPE_NOT_TAKEN = "type-not-taken"
    OTHER_TYPE = "other-type"
    DAMAGED = "damaged"
    ACTIVE_CONTENT = "active-content"
    ENCRYPTED = "encrypted"
    TOO_MANY_PAGES = "too-many-pages"
    TOO_MANY_FILES = "too-many-files"
    DATE_MISSING = "date-missing"
    DATE_IN_THE_FUTURE = "date-in-the-future"
    TOO_OLD = "too-old"


class UploadError(RecordError):
    """A file is not taken.

    Args:
        refusal: the code.
    """

    def __init__(self, refusal: UploadRefusal) -> None:
        self.refusal = refusal
        super().__init__(f"the file is not taken: {refusal.value}")


@dataclass(frozen=True, slots=True)
class HeldPaper:
    """A paper that is there. reference: the day on which it had to be fresh."""

    code: str
    issued_on: date | None
    reference: date


def sniff_type(raw: bytes) -> str | None:
    """The media type that the first octets tell, None where they tell none that is ever taken."""
    return next((media_type for signature, media_type in _SIGNATURES if raw.startswith(signature)), None)


def require_type(raw: bytes, stated: str, rules: EnrolmentRules) -> None:
    """Refuse a file by its size and by what it says it is.

    Raises:
        UploadError: EMPTY, TOO_LARGE, TYPE_NOT_TAKEN, or OTHER_TYPE (it is not what it says).
    """
    if not raw:
        raise UploadError(UploadRefusal.EMPTY)
    if len(raw) > rules.papers.max_octets:
        raise UploadError(UploadRefusal.TOO_LARGE)
    if stated not in rules.papers.types:
        raise UploadError(UploadRefusal.TYPE_NOT_TAKEN)
    if sniff_type(raw) != stated:
        raise UploadError(UploadRefusal.OTHER_TYPE)


def require_fresh(code: str, issued_on: date | None, rules: EnrolmentRules, day: date) -> None:
    """Refuse a paper that is too old on a day, or whose age cannot be told.

    Raises:
        UploadError: UNKNOWN_PAPER, DATE_MISSING, DATE_IN_THE_FUTURE, TOO_OLD.
    """
    try:
        paper = rules.find_paper(code)
    except RecordError:
        raise UploadError(UploadRefusal.UNKNOWN_PAPER) from None
    if issued_on is None:
        if paper.fresh_days is not None:
            raise UploadError(UploadRefusal.DATE_MISSING)
        return
    if issued_on > day:
        raise UploadError(UploadRefusal.DATE_IN_THE_FUTURE)
    if paper.fresh_days is not None and (day - issued_on).days > paper.fresh_days:
        raise UploadError(UploadRefusal.TOO_OLD)


def find_missing_papers(wanted: Iterable[str], held: Iterable[HeldPaper], rules: EnrolmentRules) -> frozenset[str]:
    """Codes of the papers that are wanted and not there, and "CODE:too-old" for those that were fresh no more."""
    by_code: dict[str, list[HeldPaper]] = {}
    for paper in held:
        by_code.setdefault(paper.code, []).append(paper)
    missing = set()
    for code in wanted:
        papers = by_code.get(code, [])
        if not papers:
            missing.add(code)
        elif not any(_is_fresh(paper, rules) for paper in papers):
            missing.add(f"{code}:too-old")
    return frozenset(missing)


def _is_fresh(paper: HeldPaper, rules: EnrolmentRules) -> bool:
    try:
        require_fresh(paper.code, paper.issued_on, rules, paper.reference)
    except UploadError:
        return False
    return True
