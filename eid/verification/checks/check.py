"""What a check is: an id, the clause it enforces, and a function that says how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eid.errors import Reason
from eid.verification.case import Case


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a check was not performed, nothing being wrong; returned and not raised, for most documents have some."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check, or a family of them.

    Args:
        run: takes the case and the check's id; returns the detail of a pass or a `Shortfall`, or raises
            `VerificationError` (or `DecodeError`, which counts as FORMAT_FAILURE).
        expand: the ids of a family, which depend on the case; None where there is the one `id`.
    """

    id: str
    clause: str
    run: Callable[[Case, str], str | Shortfall]
    expand: Callable[[Case], tuple[str, ...]] | None = None
