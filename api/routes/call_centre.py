"""`/v1/persons/search`, `/v1/calls`: staff looks somebody up; callers prove who they are, and are helped."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends

from api.access import require
from api.openapi import problems
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.schemas import call_centre as schemas
from eid.enrolment.card_status import CardState
from eid.enrolment.roles import Actor, Role
from eid.enrolment.wall_time import decode_wall_time
from eid.services.person import call_centre
from eid.services.person.call_centre import ApplicationStanding, CallerAnswers
from eid.services.person.search import SEARCHERS, MaskedPerson, Wanted, mask_number, search_persons
from eid.store.appointments import Appointment
from eid.store.caller_checks import CallerCheck
from eid.store.cards import RegisteredCard
from eid.store.stamps import StoredStamp

router = APIRouter(tags=["call centre"])
Searcher = Annotated[Actor, Depends(require(*SEARCHERS))]
Agent = Annotated[Actor, Depends(require(Role.CALL_CENTRE_AGENT))]
REFUSED: Final[Any] = problems(
    RegistryProblem.UNKNOWN, RegistryProblem.WRONG_STATE, RegistryProblem.CONDITION, RegistryProblem.INVALID_VALUE
)


@router.post(
    "/v1/persons/search",
    operation_id="searchPersons",
    summary="People by number or by the beginning of a name",
    responses=problems(RegistryProblem.INVALID_VALUE),
)
def search(registry: CurrentRegistry, actor: Searcher, body: schemas.WantedPerson) -> schemas.FoundPersons:
    """Masked, ten at most; each who is shown is noted in the audit log. What is looked for never stands in a URL."""
    found = search_persons(registry.engine, Wanted(**body.model_dump()), actor, registry.now())
    return schemas.FoundPersons(persons=[_person(item) for item in found])


@router.post(
    "/v1/calls", operation_id="openCall", summary="A caller proves who he is", status_code=201, responses=REFUSED
)
def open_call(registry: CurrentRegistry, actor: Agent, body: schemas.Answers) -> schemas.Call:
    """Three answers or more, all of them right; nobody learns which one was wrong."""
    answers = CallerAnswers(**body.model_dump(exclude={"person_id"}))
    return _call(call_centre.verify_caller(registry, body.person_id, answers, actor, registry.now()))


@router.get("/v1/calls/{call_id}", operation_id="showCall", summary="Where the caller's affairs stand",
            responses=problems(RegistryProblem.UNKNOWN))  # fmt: skip
def show_call(registry: CurrentRegistry, actor: Agent, call_id: UUID) -> schemas.CallView:
    """As long as the call lasts, to the agent who opened it."""
    view = call_centre.view_call(registry, call_id, actor, registry.now())
    return schemas.CallView(
        call=_call(view.call),
        person=_person(view.person),
        applications=[_application(item) for item in view.applications],
        cards=[_card(item) for item in view.cards],
    )


@router.post("/v1/calls/{call_id}/stamps", operation_id="resendToCaller", summary="Send a stamp's digits again",
             responses=REFUSED)  # fmt: skip
def resend_stamp(
    registry: CurrentRegistry, actor: Agent, call_id: UUID, body: schemas.StampOfCaller
) -> schemas.CallersStamp:
    """The same digits, to the telephone that they were sent to."""
    return _stamp(call_centre.resend_stamp(registry, call_id, body.stamp_id, actor, registry.now()))


@router.post("/v1/calls/{call_id}/messages", operation_id="tellCallerAgain", summary="Send a message again",
             status_code=202, responses=REFUSED)  # fmt: skip
def resend_message(
    registry: CurrentRegistry, actor: Agent, call_id: UUID, body: schemas.MessageOfCaller
) -> dict[str, str]:
    """One that was sent before, to where the caller is reached now."""
    call_centre.resend_message(registry, call_id, body.application_id, body.template, actor, registry.now())
    return {}


@router.post("/v1/calls/{call_id}/cards", operation_id="suspendCardOfCaller", summary="The caller has lost his card",
             responses=REFUSED)  # fmt: skip
def suspend_card(
    registry: CurrentRegistry, actor: Agent, call_id: UUID, body: schemas.CardOfCaller
) -> schemas.CallersCard:
    """It is suspended at once; only staff who has seen holder and card resumes it."""
    return _card(call_centre.suspend_card(registry, call_id, body.card_id, body.cause, actor, registry.now()))


@router.post("/v1/calls/{call_id}/appointments", operation_id="rebookCaller", summary="Another time for the caller",
             responses=REFUSED)  # fmt: skip
def rebook(
    registry: CurrentRegistry, actor: Agent, call_id: UUID, body: schemas.TimeOfCaller
) -> schemas.CallersAppointment:
    """Also when it is too late for himself; `GET /v1/applications/{id}/offers` has the free times."""
    made = call_centre.rebook(
        registry, call_id, body.application_id, body.site, decode_wall_time(body.slot), actor, registry.now()
    )
    return _appointment(made)


def _person(found: MaskedPerson) -> schemas.MaskedPerson:
    return schemas.MaskedPerson(
        id=found.id,
        state=found.state,
        name=dict(found.name),
        birth_year=found.birth_year,
        personal_number=found.personal_number,
    )


def _call(found: CallerCheck) -> schemas.Call:
    return schemas.Call(id=found.id, person_id=found.person_id, expires_at=found.expires_at)


def _application(found: ApplicationStanding) -> schemas.CallersApplication:
    item = found.application
    return schemas.CallersApplication(
        id=item.id,
        number=item.number,
        state=item.state,
        service=item.service,
        reason=item.reason,
        site=item.site,
        submitted_at=item.submitted_at,
        decide_by=item.decide_by,
        due_at=item.due_at,
        appointment=None if found.appointment is None else _appointment(found.appointment),
        stamp=None if found.stamp is None else _stamp(found.stamp),
        messages=[
            schemas.ToldMessage(
                template=told.template, channel=told.channel, masked_to=told.masked_to, state=told.state, at=told.at
            )
            for told in found.messages
        ],
    )


def _appointment(found: Appointment) -> schemas.CallersAppointment:
    return schemas.CallersAppointment(id=found.id, site=found.site, slot=found.slot, state=found.state)


def _stamp(found: StoredStamp) -> schemas.CallersStamp:
    return schemas.CallersStamp(id=found.id, state=found.state, last_four=found.last_four, messages=found.messages)


def _card(found: RegisteredCard) -> schemas.CallersCard:
    return schemas.CallersCard(
        id=found.id,
        state=CardState(found.state),
        document_number=mask_number(found.document_number),
        expires_on=found.expires_on,
    )
