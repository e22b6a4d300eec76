"""Bodies of sites and appointments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.registry import RequestBody, ResponseBody
from eid.enrolment.site import Site, Weekday

SiteCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$"), Field(examples=["rabat-agdal"])]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Slot = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}~?$"),
    Field(
        description="As offered: what the site's clock shows; ~ the second time it does", examples=["2026-11-23T09:00"]
    ),
]


class NewHold(RequestBody):
    """Which time an application wants at which site."""

    application_id: UUID
    site: SiteCode
    slot: Slot


class NewTime(RequestBody):
    """Another time, at another site where one is named."""

    slot: Slot
    site: SiteCode | None = None


class NewWalkIn(RequestBody):
    """Somebody who has come without an appointment, and the category that lets him."""

    application_id: UUID
    category: Code


class NewClosure(RequestBody):
    """A day of the site's calendar, and a code for why."""

    day: date
    reason: Code


class BroughtPaper(ResponseBody):
    """A paper whose original people bring."""

    code: str
    title: str


class ServiceBody(ResponseBody):
    """What people come for."""

    code: str
    title: str = Field(description="In the caller's language, or the country's first")
    minutes: int = Field(description="How long it takes")
    papers: list[BroughtPaper]
    is_applied_for_here: bool = Field(description="Whether applications for it are made here; else stamps alone")


class CategoryBody(ResponseBody):
    """People who are seen without an appointment, and first."""

    code: str
    title: str
    days: list[Weekday]
    reasons: list[str] = Field(description="For which reasons of a card; none: for all")
    from_age: int | None = Field(description="In full years")
    papers: list[BroughtPaper] = Field(description="That show it: sent with the application, or brought along")


class CapacityBody(ResponseBody):
    """As what somebody applies for a minor."""

    code: str
    title: str
    papers: list[BroughtPaper] = Field(description="That show it, besides those that every minor's guardian sends")
    has_end: bool = Field(description="Whether the day on which it ends must be stated")


class DetailBody(ResponseBody):
    """A field that this country's records have beside those of all countries."""

    code: str = Field(description="Its name in `details` of the record")
    title: str
    form: str = Field(description="A regular expression that the whole text matches")
    script: str = Field(description="That it is written in")
    required: bool


class FieldsBody(ResponseBody):
    """What a record states here; all else is refused. Of a minor also the guardian."""

    required: list[str]
    optional: list[str]
    scripts: list[str] = Field(description="In which names and addresses stand")
    sexes: list[str]
    partners: list[str] = Field(description="What the mention of a wife or husband may say")
    details: list[DetailBody]
    compared: list[str] = Field(description="In which an application differs from the register for a reason alone")
    reconciliations: list[str] = Field(description="Other reasons, which an officer may state")


class ServicesBody(ResponseBody):
    """What the country's offices do, for whom first, and what an application says of a person."""

    services: list[ServiceBody]
    categories: list[CategoryBody]
    capacities: list[CapacityBody]
    record: FieldsBody


class OfferBody(ResponseBody):
    """A time at which somebody can come; free: how many places."""

    site: str
    slot: Slot
    starts_at: datetime
    ends_at: datetime
    free: int


class AppointmentBody(ResponseBody):
    """An appointment; expires_at: of a hold."""

    id: UUID
    application_id: UUID
    site: str
    service: str
    slot: Slot
    starts_at: datetime
    ends_at: datetime
    place: int
    category: str | None
    state: str
    expires_at: datetime | None


class ClosureBody(ResponseBody):
    """A day on which a site is closed."""

    day: date
    reason: str


class SiteBody(ResponseBody):
    """A site, and the days from today on, on which it is closed."""

    site: Site
    closures: list[ClosureBody]


class DisplacedBody(ResponseBody):
    """What became of the appointments that could not be kept."""

    moved: int
    cancelled: int
