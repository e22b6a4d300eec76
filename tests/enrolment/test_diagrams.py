"""The diagrams of the documentation are those of the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from eid.enrolment.application import APPLICATION
from eid.enrolment.appointment import APPOINTMENT
from eid.enrolment.card_status import CARD
from eid.enrolment.production import BLANK, PRODUCTION
from eid.enrolment.stamp import STAMP
from eid.enrolment.transitions import Lifecycle

PAGE = (Path(__file__).parents[2] / "docs" / "enrolment.md").read_text("utf-8")


@pytest.mark.parametrize("lifecycle", [APPLICATION, STAMP, CARD], ids=lambda item: item.name)
def test_the_page_shows_the_table(lifecycle: Lifecycle) -> None:
    assert f"```mermaid\n{lifecycle.diagram()}```" in PAGE


def test_the_page_of_appointments_shows_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "appointments.md").read_text("utf-8")
    assert f"```mermaid\n{APPOINTMENT.diagram()}```" in page


@pytest.mark.parametrize("lifecycle", [PRODUCTION, BLANK], ids=lambda item: item.name)
def test_the_page_of_production_shows_the_table(lifecycle: Lifecycle) -> None:
    page = (Path(__file__).parents[2] / "docs" / "production.md").read_text("utf-8")
    assert f"```mermaid\n{lifecycle.diagram()}```" in page
