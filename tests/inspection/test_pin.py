"""PIN and PUK as whole visits to a card: no try is spent that nobody meant to spend."""

from __future__ import annotations

from typing import TypeVar

import pytest

from eid.errors import (
    LastTryError,
    PasswordBlockedError,
    PasswordDeactivatedError,
    PasswordSuspendedError,
    PeerProtocolError,
    WrongPasswordError,
)
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.inspection.pin import Authorization, change, report_passwords, unblock, use_pin
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import Exchange, drive
from eid.protocols.pace.core import Password
from eid.protocols.pin.core import PinState, PinStatus
from eid.testing.specimen import SpecimenCard, issue_specimen
from tests.builders.inspected import NOW, specimen

T = TypeVar("T")
PROFILE = "eu-residence-permit"
WRONG = b"000000"
FRESH = PinStatus(PinState.USABLE)


@pytest.fixture
def card() -> SpecimenCard:
    return specimen(PROFILE)


def run(card: SpecimenCard, exchange: Exchange[T]) -> T:
    connection = card.connect()
    connection.reset()
    return drive(exchange, connection)


def with_pin(card: SpecimenCard, pin: bytes | None = None, *, can: bool = False, last: bool = False) -> Authorization:
    value = card.pin.encode() if pin is None else pin
    return Authorization(Password(PasswordId.PIN, value), card.can.encode() if can else None, last)


def with_puk(card: SpecimenCard, puk: bytes | None = None, *, last: bool = False) -> Authorization:
    return Authorization(Password(PasswordId.PUK, card.puk.encode() if puk is None else puk), use_last_try=last)


def left(card: SpecimenCard, password: PasswordId = PasswordId.PIN) -> int | None:
    return card.card._card.memory.passwords[password].left


def suspend(card: SpecimenCard) -> None:
    for tries in (2, 1):
        with pytest.raises(WrongPasswordError) as wrong:
            run(card, use_pin(with_pin(card, WRONG)))
        assert wrong.value.tries_left == tries


def block(card: SpecimenCard) -> None:
    suspend(card)
    with pytest.raises(WrongPasswordError) as wrong:
        run(card, use_pin(with_pin(card, WRONG, can=True, last=True)))
    assert wrong.value.tries_left == 0
    assert "blocked now" in str(wrong.value)


def test_status_costs_nothing(card: SpecimenCard) -> None:
    for _ in range(5):
        report = run(card, report_passwords())
        assert (report.pin, report.puk) == (FRESH, FRESH)
    assert (left(card), left(card, PasswordId.PUK)) == (3, 10)
    suspend(card)
    assert run(card, report_passwords()).pin == PinStatus(PinState.SUSPENDED, 1)
    assert left(card) == 1


def test_a_card_without_a_pin_says_so() -> None:
    report = run(specimen("ma-cnie"), report_passwords())
    assert (report.pin, report.puk) == (None, None)


def test_a_chip_without_pace_has_no_pin() -> None:
    with pytest.raises(PeerProtocolError, match="no PACE"):
        run(specimen("us-passport-2021"), report_passwords())


def test_the_right_pin_gets_its_tries_back(card: SpecimenCard) -> None:
    with pytest.raises(WrongPasswordError):
        run(card, use_pin(with_pin(card, WRONG)))
    run(card, use_pin(with_pin(card)))
    assert left(card) == 3


def test_the_last_try_is_kept(card: SpecimenCard) -> None:
    suspend(card)
    with pytest.raises(PasswordSuspendedError):
        run(card, use_pin(with_pin(card)))
    with pytest.raises(LastTryError):
        run(card, use_pin(with_pin(card, can=True)))
    with pytest.raises(PasswordSuspendedError):
        run(card, use_pin(with_pin(card, last=True)))
    assert left(card) == 1
    run(card, use_pin(with_pin(card, can=True, last=True)))
    assert left(card) == 3


def test_a_wrong_can_does_not_resume_and_costs_no_try(card: SpecimenCard) -> None:
    suspend(card)
    wrong = Authorization(Password(PasswordId.PIN, card.pin.encode()), b"999999", True)
    with pytest.raises(WrongPasswordError, match="CAN"):
        run(card, use_pin(wrong))
    assert left(card) == 1


def test_blocked_until_the_puk_unblocks_it(card: SpecimenCard) -> None:
    block(card)
    for authorization in (with_pin(card), with_pin(card, can=True, last=True)):
        with pytest.raises(PasswordBlockedError):
            run(card, use_pin(authorization))
    run(card, unblock(with_puk(card)))
    assert left(card) == 3
    run(card, use_pin(with_pin(card)))


def test_change(card: SpecimenCard) -> None:
    run(card, change(with_pin(card), b"135790"))
    with pytest.raises(WrongPasswordError):
        run(card, use_pin(with_pin(card)))
    run(card, use_pin(with_pin(card, b"135790")))


def test_the_last_try_of_the_puk_is_kept(card: SpecimenCard) -> None:
    for _ in range(9):
        with pytest.raises(WrongPasswordError):
            run(card, unblock(with_puk(card, b"0000000000")))
    with pytest.raises(LastTryError):
        run(card, unblock(with_puk(card)))
    assert left(card, PasswordId.PUK) == 1
    with pytest.raises(WrongPasswordError):
        run(card, unblock(with_puk(card, b"0000000000", last=True)))
    with pytest.raises(PasswordBlockedError):
        run(card, unblock(with_puk(card, last=True)))


def test_deactivated(card: SpecimenCard) -> None:
    card.card._card.memory.passwords[PasswordId.PIN].active = False
    assert run(card, report_passwords()).pin == PinStatus(PinState.DEACTIVATED)
    with pytest.raises(PasswordDeactivatedError):
        run(card, use_pin(with_pin(card)))
    assert left(card) == 3


@pytest.mark.parametrize("form", ["required", "refused"])
def test_a_chip_that_is_particular_about_parameters_costs_no_try(form: str) -> None:
    table = load_profile(PROFILE).profile.model_dump(mode="json") | {"quirks": {"parameter_reference": form}}
    card = issue_specimen(CardProfile.model_validate(table), NOW)
    assert run(card, report_passwords()).pin == FRESH
    run(card, use_pin(with_pin(card)))
    with pytest.raises(WrongPasswordError) as wrong:
        run(card, use_pin(with_pin(card, WRONG)))
    assert wrong.value.tries_left == 2


def test_a_session_by_pin_reads_and_is_told_in_the_evidence(card: SpecimenCard) -> None:
    evidence = run(card, inspect(InspectionPlan(Password(PasswordId.PIN, card.pin.encode())), NOW))
    pace = evidence.transcript(ProtocolName.PACE)
    assert pace is not None
    assert (pace.outcome, pace.parameters["password"]) == (ProtocolOutcome.SUCCEEDED, "PIN")
    assert evidence.content("DG1") == card.files["DG1"]


def test_a_suspended_pin_opens_an_inspection_with_the_can(card: SpecimenCard) -> None:
    suspend(card)
    plan = InspectionPlan(
        Password(PasswordId.PIN, card.pin.encode()), resuming_can=card.can.encode(), use_last_try=True
    )
    evidence = run(card, inspect(plan, NOW))
    assert evidence.content("DG2") == card.files["DG2"]
    assert left(card) == 3


def test_a_session_by_puk_reads_nothing(card: SpecimenCard) -> None:
    plan = InspectionPlan(Password(PasswordId.PUK, card.puk.encode()))
    evidence = run(card, inspect(plan, NOW))
    given = {item.name for item in evidence.files if item.content is not None}
    assert given == {"EF.CardAccess"}


def test_nothing_of_a_secret_is_shown(card: SpecimenCard) -> None:
    assert card.pin not in repr(with_pin(card))
    assert card.can not in repr(with_pin(card, can=True))
    assert card.puk not in repr(with_puk(card))
