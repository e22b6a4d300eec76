"""Inspection: the flat list of reading steps. It gathers evidence and judges nothing."""

from __future__ import annotations

from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect

__all__ = ["InspectionPlan", "inspect"]
