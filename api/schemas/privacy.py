"""Bodies of a data subject's rights."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.registry import ResponseBody


class PersonalData(ResponseBody):
    """All that is kept about the caller (docs/privacy.md)."""

    format: Literal["eid-personal-data"]
    version: Literal[1]
    at: datetime
    persons: list[dict[str, Any]]
    applications: list[dict[str, Any]]
    stamps: list[dict[str, Any]]


class KeptApplication(ResponseBody):
    """An application that must be kept."""

    id: UUID
    number: str
    state: str
    until: date | None = Field(description="The day after which it is erased; null while it is not over")


class Erasure(ResponseBody):
    """What became of the wish: numbers of what is erased, and what is kept."""

    erased: list[str]
    kept: list[KeptApplication]
