"""What a check is: an id, the clause it enforces, and a function that returns a sentence or raises a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eid.verification.case import Case


@dataclass(frozen=True, slots=True)
class Check:
    """One check, or a family of them.

    Args:
        run: takes the case and the check's id; returns the detail of a pass, or raises `VerificationError` (or
            `DecodeError`, which counts as FORMAT_FAILURE).
        expand: the ids of a family, which depend on the case; None where there is the one `id`.
    """

    id: str
    clause: str
    run: Callable[[Case, str], str]
    expand: Callable[[Case], tuple[str, ...]] | None = None
