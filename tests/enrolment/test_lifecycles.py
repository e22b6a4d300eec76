"""The life cycles as tables: shape, roles, guards; and walks of random events that never break an invariant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.enrolment.application import APPLICATION, ApplicationFacts, ApplicationState
from eid.enrolment.card_status import CARD, CardFacts, CardState, status_value
from eid.enrolment.roles import Actor, Role
from eid.enrolment.stamp import STAMP, StampFacts, StampState
from eid.enrolment.transitions import Lifecycle, Transition
from eid.errors import EnrolmentError, Refusal
from tests.builders.sweep import examples

S = ApplicationState
READY = ApplicationFacts(
    stamp_reserved=True,
    has_appointment=True,
    validating_officer="v",
    capturing_officer="e",
    portrait_captured=True,
    fingerprints_captured=True,
    site="rabat",
    appeal_open=True,
    quality_passed=True,
    collector_checked=True,
)
WAY = [  # from the first click to the card in hand: event, actor, state after it
    ("submit", "a", Role.APPLICANT, S.SUBMITTED),
    ("take-up", "v", Role.VALIDATING_OFFICER, S.UNDER_REVIEW),
    ("validate", "v", Role.VALIDATING_OFFICER, S.VALIDATED),
    ("book", "a", Role.APPLICANT, S.BOOKED),
    ("check-in", "e", Role.ENROLMENT_OFFICER, S.CHECKED_IN),
    ("capture", "e", Role.ENROLMENT_OFFICER, S.CAPTURED),
    ("search", "s", Role.SYSTEM, S.IN_ADJUDICATION),
    ("clear", "s", Role.SYSTEM, S.AWAITING_APPROVAL),
    ("approve", "b", Role.APPROVER, S.APPROVED),
    ("produce", "p", Role.PRODUCTION_OPERATOR, S.IN_PRODUCTION),
    ("pass", "p", Role.PRODUCTION_OPERATOR, S.PRODUCED),
    ("ship", "d", Role.DELIVERY_OPERATOR, S.SHIPPED),
    ("arrive", "d", Role.DELIVERY_OPERATOR, S.READY),
    ("hand-over", "d", Role.DELIVERY_OPERATOR, S.DELIVERED),
]


def actor(name: str, *roles: Role, site: str | None = "rabat") -> Actor:
    return Actor(name, frozenset(roles), site)


def test_the_whole_way() -> None:
    state = APPLICATION.initial
    for event, name, role, after in WAY:
        row, acted_as = APPLICATION.step(state, event, READY, actor(name, role))
        assert (row.target, acted_as) == (after, role)
        state = row.target
    assert APPLICATION.is_final(state)


@pytest.mark.parametrize("lifecycle", [APPLICATION, STAMP, CARD], ids=lambda item: item.name)
def test_every_state_is_reached_and_every_row_has_a_role(lifecycle: Lifecycle) -> None:
    states = type(lifecycle.initial)
    assert lifecycle.states == frozenset(states)
    assert all(row.roles and row.sources for row in lifecycle.transitions)
    reached, grown = {lifecycle.initial}, True
    while grown:
        further = {row.target for row in lifecycle.transitions if row.sources & reached} - reached
        reached, grown = reached | further, bool(further)
    assert reached == set(states)


def test_ends() -> None:
    ends = {S.DELIVERED, S.WITHDRAWN, S.LAPSED, S.CANCELLED}
    assert {state for state in S if APPLICATION.is_final(state)} == ends
    assert {state for state in StampState if STAMP.is_final(state)} == {
        StampState.REFUNDED,
        StampState.EXPIRED,
        StampState.CANCELLED,
    }
    assert {state for state in CardState if CARD.is_final(state)} == {CardState.REVOKED, CardState.VOID}


@pytest.mark.parametrize(
    ("state", "event", "who", "facts", "guard"),
    [
        (S.DRAFT, "submit", actor("a", Role.APPLICANT), {"missing": frozenset(("photograph",))}, "papers-complete"),
        (S.DRAFT, "submit", actor("a", Role.APPLICANT), {"stamp_reserved": False}, "stamp-reserved"),
        (
            S.UNDER_REVIEW,
            "request-information",
            actor("v", Role.VALIDATING_OFFICER),
            {"information_requests": 1},
            "one-request-only",
        ),
        (
            S.UNDER_REVIEW,
            "request-information",
            actor("v", Role.VALIDATING_OFFICER),
            {"information_requests": 3, "requests_allowed": 3},
            "one-request-only",
        ),
        (S.VALIDATED, "book", actor("a", Role.APPLICANT), {"has_appointment": False}, "appointment"),
        (S.BOOKED, "check-in", actor("e", Role.ENROLMENT_OFFICER, site="paris"), {}, "same-site"),
        (S.BOOKED, "check-in", actor("e", Role.ENROLMENT_OFFICER, site=None), {"site": None}, "same-site"),
        (S.CHECKED_IN, "capture", actor("v", Role.ENROLMENT_OFFICER), {}, "not-alone"),
        (S.CHECKED_IN, "capture", actor("e", Role.ENROLMENT_OFFICER), {"portrait_captured": False}, "captured"),
        (S.CHECKED_IN, "capture", actor("e", Role.ENROLMENT_OFFICER), {"fingerprints_captured": False}, "captured"),
        (S.CHECKED_IN, "capture", actor("e", Role.ENROLMENT_OFFICER), {"fingerprints_expected": False}, "captured"),
        (S.IN_ADJUDICATION, "clear", actor("j", Role.ADJUDICATOR), {"holds": frozenset(("duplicate",))}, "no-holds"),
        (S.AWAITING_APPROVAL, "approve", actor("v", Role.APPROVER), {}, "second-officer"),
        (S.AWAITING_APPROVAL, "approve", actor("e", Role.APPROVER), {}, "second-officer"),
        (S.IN_PRODUCTION, "pass", actor("p", Role.PRODUCTION_OPERATOR), {"quality_passed": False}, "quality-passed"),
        (S.READY, "hand-over", actor("d", Role.DELIVERY_OPERATOR), {"collector_checked": False}, "collector-checked"),
        (S.REJECTED, "appeal", actor("a", Role.APPLICANT), {"appeal_open": False}, "appeal-open"),
    ],
)
def test_each_guard_refuses(state: S, event: str, who: Actor, facts: dict[str, object], guard: str) -> None:
    with pytest.raises(EnrolmentError) as refused:
        APPLICATION.step(state, event, replace(READY, **facts), who)
    assert (refused.value.refusal, refused.value.guard) == (Refusal.GUARD, guard)


def test_wrong_state_wrong_role_and_unknown_event() -> None:
    for state, event, who, refusal in (
        (S.DRAFT, "approve", actor("b", Role.APPROVER), Refusal.WRONG_STATE),
        (S.AWAITING_APPROVAL, "approve", actor("a", Role.APPLICANT, Role.AUDITOR), Refusal.FORBIDDEN),
        (S.DRAFT, "bribe", actor("a", *Role), Refusal.UNKNOWN_EVENT),
    ):
        with pytest.raises(EnrolmentError) as refused:
            APPLICATION.step(state, event, READY, who)
        assert refused.value.refusal is refusal


def test_a_stamp_goes_with_one_application() -> None:
    system = actor("s", Role.SYSTEM)
    for facts, guard in (
        (StampFacts(reserved_for="1", application="2"), "same-application"),
        (StampFacts(reserved_for=None, application="2"), "same-application"),
    ):
        with pytest.raises(EnrolmentError) as refused:
            STAMP.step(StampState.RESERVED, "consume", facts, system)
        assert refused.value.guard == guard
    row, _ = STAMP.step(StampState.RESERVED, "consume", StampFacts(reserved_for="1", application="1"), system)
    assert row.target is StampState.CONSUMED
    with pytest.raises(EnrolmentError, match="another service"):
        STAMP.step(StampState.ISSUED, "reserve", StampFacts(), actor("a", Role.APPLICANT))


def test_a_card_that_is_not_active_is_not_valid() -> None:
    assert {state: status_value(state) for state in CardState} == {
        CardState.ORDERED: 1,
        CardState.PERSONALISED: 1,
        CardState.IN_STOCK: 1,
        CardState.ACTIVE: 0,
        CardState.SUSPENDED: 2,
        CardState.REVOKED: 1,
        CardState.VOID: 1,
    }
    holder, mine = actor("a", Role.APPLICANT), CardFacts("a")
    assert CARD.step(CardState.ACTIVE, "suspend", mine, holder)[0].target is CardState.SUSPENDED
    for others in (CardFacts(), CardFacts("b")):
        with pytest.raises(EnrolmentError, match="his own card"):
            CARD.step(CardState.ACTIVE, "suspend", others, holder)
        both = Actor("a", frozenset((Role.APPLICANT, Role.CALL_CENTRE_AGENT)))
        for staff in (actor("a", Role.CALL_CENTRE_AGENT), both):
            assert CARD.step(CardState.ACTIVE, "suspend", others, staff)[0].target is CardState.SUSPENDED
    with pytest.raises(EnrolmentError, match="other roles"):
        CARD.step(CardState.SUSPENDED, "resume", CardFacts(), holder)


@settings(max_examples=examples(200))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted({row.event for row in APPLICATION.transitions})),
            st.sampled_from(list(Role)),
            st.sampled_from("abcdev"),
        ),
        max_size=60,
    )
)
def test_no_walk_reaches_a_card_without_review_stamp_and_second_officer(events: list[tuple[str, Role, str]]) -> None:
    """Facts follow what was done; whatever the order, what production rests on has happened before."""
    state, facts, done = APPLICATION.initial, replace(READY, validating_officer=None, capturing_officer=None), []
    for event, role, name in events:
        try:
            row, _ = APPLICATION.step(state, event, facts, actor(name, role))
        except EnrolmentError:
            continue
        state = row.target
        done.append((event, name))
        if event == "validate":
            facts = replace(facts, validating_officer=name)
        if event == "capture":
            facts = replace(facts, capturing_officer=name)
        if event == "request-information":
            facts = replace(facts, information_requests=facts.information_requests + 1)
    names = dict(done)
    happened = [event for event, _ in done]
    assert happened.count("request-information") <= 1
    if "produce" in happened:
        assert {"validate", "capture", "clear", "approve"} <= set(happened)
        assert names["approve"] not in (facts.validating_officer, facts.capturing_officer)
    if "hand-over" in happened:
        assert "pass" in happened


def test_an_event_leads_to_one_state() -> None:
    row = Transition("go", frozenset((CardState.ORDERED,)), CardState.ACTIVE, frozenset((Role.SYSTEM,)))
    with pytest.raises(ValueError, match="two states"):
        Lifecycle("card", CardState.ORDERED, (row, replace(row, target=CardState.VOID)))


def test_the_diagram_has_every_step() -> None:
    drawn = APPLICATION.diagram()
    assert drawn.startswith("stateDiagram-v2\n    [*] --> DRAFT\n")
    assert drawn.count(": ") == sum(len(row.sources) for row in APPLICATION.transitions)
    assert "    DELIVERED --> [*]\n" in drawn
