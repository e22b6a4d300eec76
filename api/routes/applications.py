"""`/v1/applications`: an application from draft to decision. Acts are POSTs; a wrong state is 409, changing nothing."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.access import OwnLanguage, require
from api.openapi import problems
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.schemas.applications import (
    Application,
    ApplicationList,
    CategoryStatement,
    ComparisonBody,
    Needs,
    NewApplicationBody,
    NumberBody,
    PapersBody,
    RejectionBody,
    ValidationBody,
    WantedPaper,
    WholeApplication,
)
from api.schemas.applications import Document as DocumentBody
from eid.enrolment.application import ApplicationState
from eid.enrolment.person import PersonRecord
from eid.enrolment.roles import Actor, Role
from eid.services.application import acts, drafts, review, views
from eid.services.application.drafts import NewApplication
from eid.services.application.steps import rules_of
from eid.services.caller.applicants import choose_language
from eid.store.applications import StoredApplication
from eid.store.documents import StoredDocument

router = APIRouter(prefix="/v1/applications", tags=["applications"])

Beginner = Annotated[Actor, Depends(require(Role.APPLICANT, Role.ENROLMENT_OFFICER))]
Validator = Annotated[Actor, Depends(require(Role.VALIDATING_OFFICER))]
Refuser = Annotated[Actor, Depends(require(Role.VALIDATING_OFFICER, Role.ADJUDICATOR, Role.APPROVER))]
Administrator = Annotated[Actor, Depends(require(Role.ADMINISTRATOR))]
STAFF: Final = (
    Role.ENROLMENT_OFFICER,
    Role.VALIDATING_OFFICER,
    Role.ADJUDICATOR,
    Role.APPROVER,
    Role.CALL_CENTRE_AGENT,
    Role.PRODUCTION_OPERATOR,
    Role.DELIVERY_OPERATOR,
    Role.ADMINISTRATOR,
)
Reader = Annotated[
    Actor,
    Depends(require(Role.APPLICANT, Role.ENROLMENT_OFFICER, Role.VALIDATING_OFFICER, Role.ADJUDICATOR, Role.APPROVER)),
]
"""Who may see the person with the application; call centres have their own masked look-up."""
Follower = Annotated[Actor, Depends(require(Role.APPLICANT, *STAFF))]
Helper = Annotated[
    Actor,
    Depends(
        require(
            Role.APPLICANT,
            Role.ENROLMENT_OFFICER,
            Role.VALIDATING_OFFICER,
            Role.ADJUDICATOR,
            Role.APPROVER,
            Role.CALL_CENTRE_AGENT,
        )
    ),
]
"""Who may tell an applicant what is missing."""
Reconciler = Annotated[Actor, Depends(require(Role.VALIDATING_OFFICER, Role.ADJUDICATOR))]
Staff = Annotated[Actor, Depends(require(*STAFF))]

READ: Any = problems(RegistryProblem.UNKNOWN)
ACT: Any = problems(
    RegistryProblem.UNKNOWN, RegistryProblem.WRONG_STATE, RegistryProblem.CONDITION, RegistryProblem.INVALID_VALUE
)


@router.post("", operation_id="createApplication", summary="Begin an application", status_code=201, responses=ACT)
def create_application(
    registry: CurrentRegistry, actor: Beginner, own: OwnLanguage, body: NewApplicationBody
) -> Application:
    """As a draft, in which anything may be missing. The language that it names is the account's from then on."""
    new = NewApplication(
        body.reason, body.record, body.abroad, body.site, body.language or own, body.service, category=body.category
    )
    made = drafts.create_application(
        registry.engine, new, actor, registry.now(), rules=registry.country, keys=registry.keys
    )
    if body.language is not None and own is not None:
        choose_language(registry, actor, body.language)
    return describe(made)


@router.get("", operation_id="listApplications", summary="My applications, or my office's queue", responses=READ)
def list_applications(
    registry: CurrentRegistry,
    actor: Follower,
    state: Annotated[list[ApplicationState] | None, Query(max_length=20)] = None,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> ApplicationList:
    """Applicants see their own, newest first; staff sees those of their office, oldest first, behind `after`."""
    states = tuple(item.value for item in state or ())
    found = views.list_applications(registry.engine, actor, states, after=after, limit=limit)
    return ApplicationList(applications=[describe(item) for item in found])


@router.post("/find", operation_id="findApplication", summary="Find an application by its receipt", responses=ACT)
def find_application(registry: CurrentRegistry, actor: Staff, body: NumberBody) -> Application:
    """By number, typed with blanks, hyphens or small letters; the number stands in no address."""
    return describe(views.find_application(registry.engine, body.number, actor))


@router.get("/{application_id}", operation_id="readApplication", summary="Read an application", responses=READ)
def read_application(registry: CurrentRegistry, actor: Reader, application_id: UUID) -> WholeApplication:
    """With the person and the papers; that staff has read it is recorded."""
    view = views.view_application(registry.engine, application_id, actor, registry.now())
    return WholeApplication(
        application=describe(view.application),
        person_id=view.person.id,
        person_state=view.person.state,
        record=view.record,
        documents=[describe_document(item) for item in view.documents],
    )


@router.get("/{application_id}/status", operation_id="readStatus", summary="Where it stands", responses=READ)
def read_status(registry: CurrentRegistry, actor: Follower, application_id: UUID) -> Application:
    """Without the person."""
    return describe(views.read_status(registry.engine, application_id, actor))


@router.put(
    "/{application_id}/record", operation_id="editRecord", summary="Write the record of a draft anew", responses=ACT
)
def edit_record(registry: CurrentRegistry, actor: Beginner, application_id: UUID, body: PersonRecord) -> Application:
    """Also of an application about which more was asked, as long as the person is not registered."""
    return describe(drafts.edit_record(registry.engine, application_id, body, actor, registry.now()))


@router.put(
    "/{application_id}/category", operation_id="stateCategory", summary="Say that somebody comes first", responses=ACT
)
def state_category(
    registry: CurrentRegistry, actor: Beginner, application_id: UUID, body: CategoryStatement
) -> Application:
    """Its papers are wanted then. Kept places are offered once an officer has validated it."""
    return describe(drafts.state_category(registry.engine, application_id, body.category, actor, registry.now()))


@router.get("/{application_id}/needs", operation_id="readNeeds", summary="What is still missing", responses=READ)
def read_needs(registry: CurrentRegistry, actor: Helper, application_id: UUID) -> Needs:
    """Papers, fee and fate of the old card follow from the reason, the age and the place."""
    found = views.requirements(registry.engine, application_id, actor, registry.now())
    application = views.read_status(registry.engine, application_id, actor)
    papers = [rules_of(application).find_paper(code) for code in found.papers]
    return Needs(
        papers=[
            WantedPaper(code=item.code, title=item.title[application.language], fresh_days=item.fresh_days)
            for item in papers
        ],
        missing=sorted(found.missing),
        fee=found.fee,
        currency=found.currency,
        old_card=found.old_card,
        is_mandatory=found.is_mandatory,
        needs_fingerprints=found.needs_fingerprints,
        last_valid_day=found.last_valid_day,
    )


@router.post("/{application_id}/submit", operation_id="submitApplication", summary="Submit", responses=ACT)
def submit(registry: CurrentRegistry, actor: Beginner, application_id: UUID) -> Application:
    """The answer is the receipt: number, day, and until when the office decides."""
    return describe(acts.submit(registry.engine, application_id, actor, registry.now()))


@router.post("/{application_id}/take-up", operation_id="takeUp", summary="Take up for review", responses=ACT)
def take_up(registry: CurrentRegistry, actor: Validator, application_id: UUID) -> Application:
    """An officer of the office addressed."""
    return describe(acts.take_up(registry.engine, application_id, actor, registry.now()))


@router.post(
    "/{application_id}/request-information", operation_id="requestInformation", summary="Ask for papers", responses=ACT
)
def request_information(
    registry: CurrentRegistry, actor: Validator, application_id: UUID, body: PapersBody
) -> Application:
    """Once; a second time is refused."""
    now = registry.now()
    return describe(acts.request_information(registry.engine, application_id, body.papers, actor, now))


@router.post("/{application_id}/supply", operation_id="supply", summary="What was asked for is there", responses=ACT)
def supply(registry: CurrentRegistry, actor: Beginner, application_id: UUID) -> Application:
    """Each paper that was asked for must have come since."""
    return describe(acts.supply(registry.engine, application_id, actor, registry.now()))


@router.get(
    "/{application_id}/comparison", operation_id="compareWithRegister", summary="Beside the register", responses=READ
)
def compare(registry: CurrentRegistry, actor: Reconciler, application_id: UUID) -> ComparisonBody:
    """Which fields differ from the registered person with the same national number."""
    found = review.compare(registry.engine, application_id, actor, registry.now())
    return ComparisonBody(
        registered=None if found.registered is None else found.registered.id,
        divergences=sorted(found.divergences),
        unexplained=sorted(found.unexplained),
        name_warnings=list(found.name_warnings),
    )


@router.post("/{application_id}/validate", operation_id="validateApplication", summary="Validate", responses=ACT)
def validate(
    registry: CurrentRegistry, actor: Validator, application_id: UUID, body: ValidationBody | None = None
) -> Application:
    """The person enters the register, or the registered one is brought up to date; appointments can be chosen now."""
    said = body or ValidationBody()
    found = review.validate(
        registry.engine,
        application_id,
        actor,
        registry.now(),
        reconciliation=said.reconciliation,
        declines_category=said.declines_category,
    )
    return describe(found)


@router.post("/{application_id}/reject", operation_id="rejectApplication", summary="Refuse", responses=ACT)
def reject(registry: CurrentRegistry, actor: Refuser, application_id: UUID, body: RejectionBody) -> Application:
    """With a code; the answer says until when an appeal is open."""
    return describe(acts.reject(registry.engine, application_id, body.code, actor, registry.now()))


@router.post("/{application_id}/appeal", operation_id="appeal", summary="Appeal against a refusal", responses=ACT)
def appeal(registry: CurrentRegistry, actor: Beginner, application_id: UUID) -> Application:
    """Another look is taken. At a counter an officer takes it in."""
    return describe(acts.appeal(registry.engine, application_id, actor, registry.now()))


@router.post("/{application_id}/withdraw", operation_id="withdrawApplication", summary="Take it back", responses=ACT)
def withdraw(registry: CurrentRegistry, actor: Beginner, application_id: UUID) -> Application:
    """A draft is discarded; a stamp that was reserved becomes free, and so does a place."""
    return describe(acts.withdraw(registry.engine, application_id, actor, registry.now()))


@router.post("/{application_id}/cancel", operation_id="cancelApplication", summary="End by authority", responses=ACT)
def cancel(registry: CurrentRegistry, actor: Administrator, application_id: UUID) -> Application:
    """Until production."""
    return describe(acts.cancel(registry.engine, application_id, actor, registry.now()))


def describe(found: StoredApplication) -> Application:
    """What everybody who may know of an application sees."""
    same = ("id", "number", "state", "version", "service", "reason", "category", "abroad", "site", "language")
    times = ("fee", "currency", "refusal", "appeal_until", "submitted_at", "decide_by", "due_at", "created_at")
    values: dict[str, Any] = {name: getattr(found, name) for name in (*same, *times)}
    known = (item for item in rules_of(found).refusal if item.code == found.refusal)  # rules change, files stay
    title = next((item.title.get(found.language) for item in known), None)
    return Application(
        **values,
        refusal_title=title,
        has_stamp=found.stamp_id is not None,
        requested_papers=list(found.requested_papers),
    )


def describe_document(found: StoredDocument) -> DocumentBody:
    """A file, without its content and without where it lies."""
    names = ("id", "paper", "issued_on", "media_type", "octets", "pages", "uploaded_at")
    values: dict[str, Any] = {name: getattr(found, name) for name in names}
    return DocumentBody(**values)
