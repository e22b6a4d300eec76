"""`/v1/sites`, `/v1/appointments`: where and when people are seen."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.access import current_actor, require
from api.openapi import problems
from api.problems import ProblemError
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem, language_of
from api.schemas.appointments import (
    AppointmentBody,
    BroughtPaper,
    CapacityBody,
    CategoryBody,
    ClosureBody,
    DetailBody,
    DisplacedBody,
    FieldsBody,
    NewClosure,
    NewHold,
    NewTime,
    NewWalkIn,
    OfferBody,
    ServiceBody,
    ServicesBody,
    SiteBody,
    SiteCode,
)
from eid.enrolment.appointment import BOOKERS
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import RecordRules
from eid.enrolment.site import Site
from eid.enrolment.wall_time import decode_wall_time
from eid.services.appointment import appointments, sites
from eid.services.appointment.desk import Desk
from eid.services.registry import Registry
from eid.store.appointments import Appointment

site_router = APIRouter(tags=["sites"])
router = APIRouter(tags=["appointments"])
Known = Annotated[Actor, Depends(current_actor)]
Booker = Annotated[Actor, Depends(require(*BOOKERS))]
Officer = Annotated[Actor, Depends(require(Role.ENROLMENT_OFFICER))]
Staff = Annotated[Actor, Depends(require(Role.ENROLMENT_OFFICER, Role.CALL_CENTRE_AGENT, Role.ADMINISTRATOR))]
Viewer = Annotated[Actor, Depends(require(*BOOKERS, Role.ADMINISTRATOR))]
Administrator = Annotated[Actor, Depends(require(Role.ADMINISTRATOR))]
Code = Annotated[SiteCode, Path()]
UNKNOWN: Final[Any] = problems(RegistryProblem.UNKNOWN)
REFUSED: Final[Any] = problems(
    RegistryProblem.UNKNOWN, RegistryProblem.WRONG_STATE, RegistryProblem.CONDITION, RegistryProblem.INVALID_VALUE
)


@site_router.get("/v1/services", operation_id="listServices", summary="What people come for")
def list_services(request: Request, response: Response, registry: CurrentRegistry) -> ServicesBody:
    """How long each service takes, whose originals people bring, who needs no appointment, and what a record states."""
    rules, wanted = registry.rules, language_of(request)
    language = wanted if wanted in rules.languages else rules.language
    response.headers["Content-Language"] = language

    def said(title: dict[str, str]) -> str:
        return title[language]

    services = [
        ServiceBody(
            code=item.code,
            title=said(item.title),
            minutes=item.minutes,
            papers=[BroughtPaper(code=code, title=said(rules.find_paper(code).title)) for code in item.papers],
            is_applied_for_here=rules.is_in_files(item.code),
        )
        for item in rules.appointments.service
    ]
    categories = [
        CategoryBody(
            code=item.code,
            title=said(item.title),
            days=list(item.days),
            reasons=list(item.reasons),
            from_age=item.from_age,
            papers=[BroughtPaper(code=code, title=said(rules.find_paper(code).title)) for code in item.papers],
        )
        for item in rules.appointments.category
    ]
    capacities = [
        CapacityBody(
            code=item.code,
            title=said(item.title),
            papers=[BroughtPaper(code=code, title=said(rules.find_paper(code).title)) for code in item.papers],
            has_end=item.has_end,
        )
        for item in rules.minors.capacity
    ]
    return ServicesBody(
        services=services, categories=categories, capacities=capacities, record=_fields(rules.record, language)
    )


def _fields(record: RecordRules, language: str) -> FieldsBody:
    details = [
        DetailBody(
            code=item.code, title=item.title[language], form=item.form, script=item.script, required=item.required
        )
        for item in record.detail
    ]
    return FieldsBody(
        required=list(record.required),
        optional=list(record.optional),
        scripts=list(record.scripts),
        sexes=list(record.sexes),
        partners=list(record.partners),
        details=details,
        compared=list(record.compared),
        reconciliations=list(record.reconciliations),
    )


@site_router.get("/v1/sites", operation_id="listSites", summary="All sites")
def list_sites(registry: CurrentRegistry, _: Known) -> list[Site]:
    """Centres, consulates and mobile units, by code. Any of them serves any registrant."""
    return list(sites.show_sites(_desk(registry)))


@site_router.get("/v1/sites/{code}", operation_id="showSite", summary="One site", responses=UNKNOWN)
def show_site(registry: CurrentRegistry, code: Code, _: Known) -> SiteBody:
    """Its hours, and the days from today on, on which it is closed."""
    return _show(registry, code)


@site_router.put("/v1/sites/{code}", operation_id="putSite", summary="Make or change a site", responses=REFUSED)
def put_site(registry: CurrentRegistry, code: Code, body: Site, actor: Administrator) -> DisplacedBody:
    """Appointments that do not fit any more are moved, or cancelled, and people are told."""
    if body.code != code:
        raise ProblemError(RegistryProblem.INVALID_VALUE, "the code is not that of the address")
    return _displaced(sites.put_site(_desk(registry), body, actor, registry.now()))


@site_router.post("/v1/sites/{code}/closures", operation_id="closeDay", summary="Close a day", responses=REFUSED)
def close_day(registry: CurrentRegistry, code: Code, body: NewClosure, actor: Administrator) -> DisplacedBody:
    """Who was to come that day is moved to one soon after, or cancelled, and told so."""
    return _displaced(sites.close_day(_desk(registry), code, body.day, body.reason, actor, registry.now()))


@site_router.delete(
    "/v1/sites/{code}/closures/{day}", operation_id="openDay", summary="Open a closed day", status_code=204,
    responses=UNKNOWN,
)  # fmt: skip
def open_day(registry: CurrentRegistry, code: Code, day: date, actor: Administrator) -> None:
    """Who was moved stays where he is."""
    sites.open_day(_desk(registry), code, day, actor, registry.now())


@site_router.get(
    "/v1/sites/{code}/appointments", operation_id="listDay", summary="The appointments of a day", responses=UNKNOWN
)
def list_day(registry: CurrentRegistry, code: Code, day: date, actor: Staff) -> list[AppointmentBody]:
    """For who works there; no names."""
    return [_body(item) for item in appointments.list_day(_desk(registry), code, day, actor)]


@site_router.post(
    "/v1/sites/{code}/walk-ins", operation_id="admitWalkIn", summary="Somebody came without an appointment",
    status_code=201, responses=REFUSED,
)  # fmt: skip
def admit_walk_in(registry: CurrentRegistry, code: Code, body: NewWalkIn, actor: Officer) -> AppointmentBody:
    """He gets the next place that is free today, those kept for priorities first."""
    desk = _desk(registry)
    made = appointments.admit_walk_in(desk, body.application_id, code, body.category, actor, registry.now())
    return _body(made)


@router.get("/v1/applications/{id}/offers", operation_id="listOffers", summary="Free times", responses=REFUSED)
def list_offers(
    registry: CurrentRegistry,
    id: Annotated[UUID, Path()],
    site: Annotated[SiteCode, Query()],
    actor: Booker,
    first: Annotated[date | None, Query(alias="from")] = None,
    days: Annotated[int, Query(ge=1, le=appointments.MAX_DAYS)] = 7,
) -> list[OfferBody]:
    """Once staff have validated the application: the times of some days at a site, the first of them today there.

    Kept places are among them for an application that was validated with a category of those who come first.
    """
    desk, now = _desk(registry), registry.now()
    found = appointments.offer_times(desk, id, site, first, days, actor, now)
    return [
        OfferBody(site=item.site, slot=str(item.slot), starts_at=item.starts_at, ends_at=item.ends_at, free=item.free)
        for item in found
    ]


@router.post("/v1/appointments", operation_id="holdPlace", summary="Hold a place", status_code=201, responses=REFUSED)
def hold_place(registry: CurrentRegistry, body: NewHold, actor: Booker) -> AppointmentBody:
    """For a short time, while somebody decides. Asked again for the same it is the same one."""
    slot = decode_wall_time(body.slot)
    return _body(appointments.hold(_desk(registry), body.application_id, body.site, slot, actor, registry.now()))


@router.get("/v1/appointments/{id}", operation_id="showAppointment", summary="An appointment", responses=UNKNOWN)
def show_appointment(registry: CurrentRegistry, id: Annotated[UUID, Path()], actor: Viewer) -> AppointmentBody:
    """For whom it concerns."""
    return _body(appointments.show(_desk(registry), id, actor))


@router.post("/v1/appointments/{id}/book", operation_id="bookPlace", summary="Book", responses=REFUSED)
def book_place(registry: CurrentRegistry, id: Annotated[UUID, Path()], actor: Booker) -> AppointmentBody:
    """Make a held place an appointment. One that the application had elsewhere is given up."""
    return _body(appointments.book(_desk(registry), id, actor, registry.now()))


@router.post("/v1/appointments/{id}/reschedule", operation_id="reschedule", summary="Move", responses=REFUSED)
def reschedule(
    registry: CurrentRegistry,
    id: Annotated[UUID, Path()],
    body: NewTime,
    actor: Booker,
) -> AppointmentBody:
    """To another time, or another site."""
    slot = decode_wall_time(body.slot)
    return _body(appointments.reschedule(_desk(registry), id, slot, actor, registry.now(), code=body.site))


@router.post("/v1/appointments/{id}/cancel", operation_id="cancelAppointment", summary="Cancel", responses=REFUSED)
def cancel(registry: CurrentRegistry, id: Annotated[UUID, Path()], actor: Booker) -> AppointmentBody:
    """The application can be booked again."""
    return _body(appointments.cancel(_desk(registry), id, actor, registry.now()))


@router.post("/v1/appointments/{id}/check-in", operation_id="checkIn", summary="Somebody has come", responses=REFUSED)
def check_in(registry: CurrentRegistry, id: Annotated[UUID, Path()], actor: Officer) -> AppointmentBody:
    """On the day, at the site of the appointment."""
    return _body(appointments.check_in(_desk(registry), id, actor, registry.now()))


@router.post("/v1/appointments/{id}/serve", operation_id="serve", summary="Somebody was seen", responses=REFUSED)
def serve(registry: CurrentRegistry, id: Annotated[UUID, Path()], actor: Officer) -> AppointmentBody:
    """The rest of the time is free again."""
    return _body(appointments.serve(_desk(registry), id, actor, registry.now()))


def _desk(registry: Registry) -> Desk:
    return Desk(registry.engine, registry.rules.appointments, registry.random)


def _show(registry: Registry, code: str) -> SiteBody:
    site, closed = sites.show_site(_desk(registry), code, registry.now())
    return SiteBody(site=site, closures=[ClosureBody(day=day, reason=reason) for day, reason in closed.items()])


def _displaced(found: sites.Displaced) -> DisplacedBody:
    return DisplacedBody(moved=found.moved, cancelled=found.cancelled)


def _body(found: Appointment) -> AppointmentBody:
    return AppointmentBody(**{name: getattr(found, name) for name in AppointmentBody.model_fields})
