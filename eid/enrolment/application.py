"""The application's life cycle: one table of what may happen, to which state it leads, and who may do it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from eid.enrolment.roles import Actor, Role
from eid.enrolment.transitions import Guard, Lifecycle, Transition


@unique
class ApplicationState(StrEnum):
    """Where an application stands."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    UNDER_REVIEW = "UNDER_REVIEW"
    INFORMATION_REQUESTED = "INFORMATION_REQUESTED"
    VALIDATED = "VALIDATED"
    BOOKED = "BOOKED"
    CHECKED_IN = "CHECKED_IN"
    CAPTURED = "CAPTURED"
    IN_ADJUDICATION = "IN_ADJUDICATION"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    APPROVED = "APPROVED"
    IN_PRODUCTION = "IN_PRODUCTION"
    PRODUCED = "PRODUCED"
    SHIPPED = "SHIPPED"
    READY = "READY"
    DELIVERED = "DELIVERED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    LAPSED = "LAPSED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class ApplicationFacts:
    """What the guards look at.

    Args:
        missing: codes of papers and fields that are not there. expects_stamp, stamp_reserved: whether a fee is due, and
            a stamp of its service and amount bound to this application.
        information_requests, requests_allowed: how many there were, and may be by the rules.
        validating_officer, capturing_officer: who did it, by identifier.
        fingerprints_expected, fingerprints_captured: none are taken below the age of the rules.
        holds: codes of open questions (duplicates, differing names).
        site: where the appointment is, later where the card is handed over.
        appeal_open: a refusal may still be appealed against. quality_passed: of the card that was made.
    """

    missing: frozenset[str] = frozenset()
    expects_stamp: bool = True
    stamp_reserved: bool = False
    information_requests: int = 0
    requests_allowed: int = 1
    has_appointment: bool = False
    validating_officer: str | None = None
    capturing_officer: str | None = None
    portrait_captured: bool = False
    fingerprints_expected: bool = True
    fingerprints_captured: bool = False
    holds: frozenset[str] = frozenset()
    site: str | None = None
    appeal_open: bool = False
    quality_passed: bool = False
    collector_checked: bool = False


Facts = ApplicationFacts
S = ApplicationState


def _complete(facts: Facts, _: Actor) -> str | None:
    return f"missing: {', '.join(sorted(facts.missing))}" if facts.missing else None


def _paid(facts: Facts, _: Actor) -> str | None:
    return "no stamp is reserved for this application" if facts.expects_stamp and not facts.stamp_reserved else None


def _first_request(facts: Facts, _: Actor) -> str | None:
    if facts.information_requests < facts.requests_allowed:
        return None
    return "papers were asked for as often as the rules allow"


def _has_appointment(facts: Facts, _: Actor) -> str | None:
    return None if facts.has_appointment else "there is no appointment"


def _same_site(facts: Facts, actor: Actor) -> str | None:
    return None if actor.site is not None and actor.site == facts.site else "this is another site's"


def _not_alone(facts: Facts, actor: Actor) -> str | None:
    return "who validated a file does not capture for it alone" if actor.id == facts.validating_officer else None


def _captured(facts: Facts, _: Actor) -> str | None:
    if not facts.portrait_captured:
        return "there is no portrait"
    if facts.fingerprints_expected != facts.fingerprints_captured:
        return "fingerprints are missing" if facts.fingerprints_expected else "no fingerprints are taken at this age"
    return None


def _no_holds(facts: Facts, _: Actor) -> str | None:
    return f"open: {', '.join(sorted(facts.holds))}" if facts.holds else None


def _second_officer(facts: Facts, actor: Actor) -> str | None:
    return "nobody approves his own file" if actor.id in (facts.validating_officer, facts.capturing_officer) else None


def _good_card(facts: Facts, _: Actor) -> str | None:
    return None if facts.quality_passed else "the card has not passed its inspection"


def _right_collector(facts: Facts, _: Actor) -> str | None:
    return None if facts.collector_checked else "who collects the card has not been checked"


def _may_appeal(facts: Facts, _: Actor) -> str | None:
    return None if facts.appeal_open else "the time for an appeal is over"


COMPLETE: Final = Guard("papers-complete", _complete)
PAID: Final = Guard("stamp-reserved", _paid)
FIRST_REQUEST: Final = Guard("one-request-only", _first_request)
HAS_APPOINTMENT: Final = Guard("appointment", _has_appointment)
SAME_SITE: Final = Guard("same-site", _same_site)
NOT_ALONE: Final = Guard("not-alone", _not_alone)
CAPTURED: Final = Guard("captured", _captured)
NO_HOLDS: Final = Guard("no-holds", _no_holds)
SECOND_OFFICER: Final = Guard("second-officer", _second_officer)
GOOD_CARD: Final = Guard("quality-passed", _good_card)
RIGHT_COLLECTOR: Final = Guard("collector-checked", _right_collector)
MAY_APPEAL: Final = Guard("appeal-open", _may_appeal)

_BEFORE_VISIT: Final = frozenset((S.SUBMITTED, S.UNDER_REVIEW, S.INFORMATION_REQUESTED, S.VALIDATED, S.BOOKED))
_OPEN: Final = _BEFORE_VISIT | {S.CHECKED_IN, S.CAPTURED, S.IN_ADJUDICATION, S.AWAITING_APPROVAL}


def _row(
    event: str, sources: frozenset[S] | S, target: S, roles: tuple[Role, ...], *guards: Guard[Facts]
) -> Transition[S, Facts]:
    return Transition(
        event, frozenset((sources,)) if isinstance(sources, S) else sources, target, frozenset(roles), guards
    )


APPLICATION: Final = Lifecycle(
    "application",
    S.DRAFT,
    (
        _row("submit", S.DRAFT, S.SUBMITTED, (Role.APPLICANT, Role.ENROLMENT_OFFICER), COMPLETE, PAID),
        _row("discard", S.DRAFT, S.WITHDRAWN, (Role.APPLICANT, Role.ENROLMENT_OFFICER, Role.SYSTEM)),
        _row("take-up", S.SUBMITTED, S.UNDER_REVIEW, (Role.VALIDATING_OFFICER,)),
        _row("request-information", S.UNDER_REVIEW, S.INFORMATION_REQUESTED, (Role.VALIDATING_OFFICER,), FIRST_REQUEST),
        _row("supply", S.INFORMATION_REQUESTED, S.UNDER_REVIEW, (Role.APPLICANT, Role.ENROLMENT_OFFICER), COMPLETE),
        _row("validate", S.UNDER_REVIEW, S.VALIDATED, (Role.VALIDATING_OFFICER,), COMPLETE, PAID),
        _row(
            "book",
            S.VALIDATED,
            S.BOOKED,
            (Role.APPLICANT, Role.CALL_CENTRE_AGENT, Role.ENROLMENT_OFFICER),
            HAS_APPOINTMENT,
        ),
        _row("rebook", S.BOOKED, S.BOOKED, (Role.APPLICANT, Role.CALL_CENTRE_AGENT, Role.SYSTEM), HAS_APPOINTMENT),
        _row("unbook", S.BOOKED, S.VALIDATED, (Role.APPLICANT, Role.CALL_CENTRE_AGENT, Role.SYSTEM)),
        _row("admit", S.VALIDATED, S.CHECKED_IN, (Role.ENROLMENT_OFFICER,)),  # a walk-in category
        _row("check-in", S.BOOKED, S.CHECKED_IN, (Role.ENROLMENT_OFFICER,), SAME_SITE),
        _row("capture", S.CHECKED_IN, S.CAPTURED, (Role.ENROLMENT_OFFICER,), PAID, SAME_SITE, NOT_ALONE, CAPTURED),
        _row("search", S.CAPTURED, S.IN_ADJUDICATION, (Role.SYSTEM,)),
        _row("clear", S.IN_ADJUDICATION, S.AWAITING_APPROVAL, (Role.ADJUDICATOR, Role.SYSTEM), NO_HOLDS),
        _row("approve", S.AWAITING_APPROVAL, S.APPROVED, (Role.APPROVER,), PAID, NO_HOLDS, SECOND_OFFICER),
        _row("return", S.AWAITING_APPROVAL, S.CHECKED_IN, (Role.APPROVER,), SECOND_OFFICER),
        _row("produce", S.APPROVED, S.IN_PRODUCTION, (Role.PRODUCTION_OPERATOR, Role.SYSTEM)),
        _row("pass", S.IN_PRODUCTION, S.PRODUCED, (Role.PRODUCTION_OPERATOR, Role.SYSTEM), GOOD_CARD),
        _row(
            "spoil", S.IN_PRODUCTION, S.APPROVED, (Role.PRODUCTION_OPERATOR, Role.SYSTEM)
        ),  # another blank, another number
        _row("ship", S.PRODUCED, S.SHIPPED, (Role.DELIVERY_OPERATOR,)),
        _row("arrive", S.SHIPPED, S.READY, (Role.DELIVERY_OPERATOR, Role.ENROLMENT_OFFICER), SAME_SITE),
        _row(
            "hand-over",
            S.READY,
            S.DELIVERED,
            (Role.DELIVERY_OPERATOR, Role.ENROLMENT_OFFICER),
            SAME_SITE,
            RIGHT_COLLECTOR,
        ),
        _row("reject", _OPEN - {S.BOOKED}, S.REJECTED, (Role.VALIDATING_OFFICER, Role.ADJUDICATOR, Role.APPROVER)),
        _row("appeal", S.REJECTED, S.UNDER_REVIEW, (Role.APPLICANT, Role.ENROLMENT_OFFICER), MAY_APPEAL),
        _row("withdraw", _BEFORE_VISIT, S.WITHDRAWN, (Role.APPLICANT, Role.ENROLMENT_OFFICER)),
        _row("lapse", _BEFORE_VISIT | {S.READY}, S.LAPSED, (Role.SYSTEM,)),
        _row("cancel", _OPEN | {S.APPROVED}, S.CANCELLED, (Role.ADMINISTRATOR,)),
    ),
)
"""All that may happen to an application."""
