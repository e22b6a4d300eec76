"""Bodies of the registry. Requests refuse unknown members; every text has a limit; identifiers are UUIDs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
"""A line of text that a person typed."""


class RequestBody(BaseModel):
    """What a request may hold, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ResponseBody(BaseModel):
    """What an answer holds."""

    model_config = ConfigDict(extra="forbid")


class NewCode(RequestBody):
    """Where a one-time code is to be sent."""

    channel: Literal["sms", "email"]
    contact: Annotated[str, StringConstraints(min_length=3, max_length=254)] = Field(
        description="Telephone number with + and the country's code, or mail address", examples=["+212600000000"]
    )
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = Field(
        default=None,
        description="Of the message; null: as Accept-Language, the account's, the country's first",
    )


class SentCode(ResponseBody):
    """The same whether or not anything was sent: nobody learns here who has an account."""

    id: UUID
    expires_at: datetime


class NewSession(RequestBody):
    """The code as it was received."""

    id: UUID = Field(description="Of the code, as it was answered")
    code: Annotated[str, StringConstraints(min_length=4, max_length=32)]


class OpenedSession(ResponseBody):
    """The bearer token of an applicant."""

    token: str
    account_id: UUID
    expires_at: datetime


class Me(ResponseBody):
    """Who the caller is, as this service sees him."""

    id: str
    roles: list[str]
    site: str | None
    scopes: list[str]
