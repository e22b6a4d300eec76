"""The registry: every unit, and so every case, in the order in which they are run."""

from __future__ import annotations

from typing import Final

from eid.conformance.case import Case, Unit
from eid.conformance.units import (
    access_rules,
    active_authentication,
    basic_access,
    chip_authentication,
    commands,
    data,
    lengths,
    life_cycle,
    pace,
    secure_messaging,
)

UNITS: Final[tuple[Unit, ...]] = (
    commands.UNIT,
    basic_access.UNIT,
    pace.UNIT,
    secure_messaging.UNIT,
    chip_authentication.UNIT,
    active_authentication.UNIT,
    access_rules.UNIT,
    data.UNIT,
    life_cycle.UNIT,
    lengths.UNIT,
)
CASES: Final[tuple[Case, ...]] = tuple(case for unit in UNITS for case in unit.cases)
