"""A country's rules of appointments: services, who may come without one, and for how long what counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from eid.enrolment.site import WEEK, Minutes, Weekday
from eid.errors import RecordError

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
R = TypeVar("R", "Service", "Category")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(_Table):
    """What people come for: how long it takes, and codes of the papers whose originals they bring."""

    code: Code
    title: dict[str, str]
    minutes: Minutes
    papers: tuple[Code, ...] = ()


def _distinct(days: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
    if len(set(days)) != len(days):
        raise ValueError("a weekday stands twice")
    return days


class Category(_Table):
    """People who are seen without an appointment, and first.

    Args:
        days: on which weekdays. reasons: for which reasons of a card; none means for all. from_age: in full years.
        papers: codes of what shows that somebody is of it; they come with the application that states the category.
    """

    code: Code
    title: dict[str, str]
    days: Annotated[tuple[Weekday, ...], Field(min_length=1), AfterValidator(_distinct)] = WEEK
    reasons: tuple[Code, ...] = ()
    from_age: int | None = Field(default=None, ge=1, le=120)
    papers: tuple[Code, ...] = ()

    def fits(self, reason: str, age: int | None) -> bool:
        """Whether it can apply to an application for this reason, of somebody of this age (None: not known)."""
        is_of_age = self.from_age is None or (age is not None and age >= self.from_age)
        return is_of_age and (not self.reasons or reason in self.reasons)

    def admits(self, day: date) -> bool:
        """Whether it counts on a day."""
        return WEEK[day.weekday()] in self.days


class AppointmentRules(_Table):
    """For how long what counts.

    Args:
        hold_minutes: a place is kept for somebody who is deciding. lead_minutes: the earliest offer, from now.
        horizon_days: the latest one. change_hours: applicants may change or cancel until so long before.
        release_hours: places kept for priorities are everybody's from so long before. early_minutes: how long before
            the beginning people are checked in. grace_minutes: after the end of an appointment nobody is waited for.
        displace_days: how much later a site that closes may see somebody without asking.
    """

    hold_minutes: int = Field(ge=1, le=24 * 60)
    lead_minutes: int = Field(ge=0)
    horizon_days: int = Field(ge=1, le=366)
    change_hours: int = Field(ge=0)
    release_hours: int = Field(ge=0)
    early_minutes: int = Field(ge=0)
    grace_minutes: int = Field(ge=0)
    displace_days: int = Field(ge=0, le=366)
    service: tuple[Service, ...] = Field(min_length=1)
    category: tuple[Category, ...] = ()

    @model_validator(mode="after")
    def _codes_are_distinct(self) -> AppointmentRules:
        for codes in ([row.code for row in self.service], [row.code for row in self.category]):
            if len(set(codes)) != len(codes):
                raise ValueError("a code stands twice")
        return self

    def find_service(self, code: str) -> Service:
        """The service with this code.

        Raises:
            RecordError: there is none.
        """
        return _find(self.service, code, "service")

    def known_category(self, code: str | None) -> Category | None:
        """The category with this code, None where there is none: rules change, applications stay."""
        return next((row for row in self.category if row.code == code), None)

    def find_category(self, code: str) -> Category:
        """The category with this code.

        Raises:
            RecordError: there is none.
        """
        return _find(self.category, code, "category of people who come first")


def _find(rows: Iterable[R], code: str, what: str) -> R:
    found = next((row for row in rows if row.code == code), None)
    if found is None:
        raise RecordError(f"the rules know no such {what}")
    return found
