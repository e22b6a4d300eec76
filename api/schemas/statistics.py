"""Bodies of the statistics."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from api.schemas.registry import ResponseBody

Count = int | None


class FigureRow(ResponseBody):
    """Counts of a post, of one of its services, of that on a day; null there stands for all."""

    post: str | None
    service: str | None
    day: date | None
    requested: Count = Field(description="Applications that were submitted; null: suppressed")
    validated: Count = Field(description="Applications that an officer validated; null: suppressed")
    booked: Count = Field(description="Appointments that were booked; null: suppressed")
    delivered: Count = Field(description="Cards that were handed over; null: suppressed")


class MonthFigures(ResponseBody):
    """A month; `complete` when it is over and counted to its end."""

    format: Literal["eid-statistics"]
    version: Literal[1]
    month: str
    complete: bool
    smallest: int = Field(description="The smallest count but zero that is shown")
    rows: list[FigureRow]
