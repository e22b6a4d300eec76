"""Does a chip keep to its specifications? Numbered test cases, in the spirit of BSI TR-03105 part 3.

A case is data and a small `Exchange`: it brings the card into a state, sends what may be answered in one way only, and
says what it saw. `run_suite` runs them all; nothing here judges a document, see `eid.verification` for that.
"""

from __future__ import annotations

from eid.conformance.case import Case, Outcome, Unit
from eid.conformance.report import CaseResult, ConformanceReport
from eid.conformance.subject import Subject
from eid.conformance.suite import SuitePlan, run_suite
from eid.conformance.units import CASES, UNITS

__all__ = [
    "CASES",
    "UNITS",
    "Case",
    "CaseResult",
    "ConformanceReport",
    "Outcome",
    "Subject",
    "SuitePlan",
    "Unit",
    "run_suite",
]
