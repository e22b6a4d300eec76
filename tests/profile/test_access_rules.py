"""Read rules, passwords and trust points of a profile: what goes together, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from eid.profile.card_image import AccessCondition, PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile

Change = Callable[[dict[str, Any]], None]


def table(name: str = "eu-residence-permit") -> dict[str, Any]:
    return load_profile(name).profile.model_dump(mode="json")


def test_fingers_and_irises_are_closed_unless_a_rule_opens_them() -> None:
    told = table("full-lds")
    told["application"]["rules"] = {}
    application = CardProfile.model_validate(told).application
    assert application.rule("DG3") is AccessCondition.TA_DG3
    assert application.rule("DG4") is AccessCondition.TA_DG4
    assert application.rule("DG2") is application.rule("EF.COM") is AccessCondition.BAC_OR_PACE
    assert application.needs_terminal_authentication
    told["application"]["rules"] = {"DG3": "bac-or-pace", "DG4": "pace", "DG11": "pace"}
    opened = CardProfile.model_validate(told).application
    assert (opened.rule("DG3"), opened.rule("DG11")) == (AccessCondition.BAC_OR_PACE, AccessCondition.PACE)
    assert not opened.needs_terminal_authentication


def test_tries_are_those_of_pin_and_puk() -> None:
    access = load_profile("eu-residence-permit").profile.access
    assert [access.tries(password) for password in PasswordId] == [None, None, 3, 10]


def put(path: str, value: object) -> Change:
    def change(told: dict[str, Any]) -> None:
        *names, last = path.split(".")
        for name in names:
            told = told[name]
        if value is None:
            told.pop(last)
        else:
            told[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("application.rules", {"DG11": "pace"}), "a rule is for a data group of the card"),
        (put("application.rules", {"DG14": "ta-dg3"}), "not for the chip's keys"),
        (put("application.rules", {"DG2": "never"}), "nobody may read"),
        (put("application.rules", {"DG3": "always-ish"}), "always"),
        (put("application.read", "ta-dg3"), "nobody may read"),
        (put("application.features", {"DG8": "C000"}), "no more and no less"),
        (put("application.features", {"DG11": "C000"}), "DG8"),
        (put("application.biometrics", "19794-5"), "39794"),
        (put("authority.cvca", None), "Terminal Authentication needs"),
        (put("authority.cvca.mnemonic", "toolongname"), "mnemonic"),
        (put("access.passwords", ["MRZ", "PIN", "PUK"]), "a PIN needs the CAN"),
        (put("access.passwords", ["MRZ", "CAN", "PUK"]), "a PUK the PIN"),
        (put("access.pin_tries", 1), "greater than or equal to 2"),
        (put("access.pin_digits", 3), "greater than or equal to 4"),
    ],
)
def test_refused(change: Change, message: str) -> None:
    told = table()
    change(told)
    with pytest.raises(ValidationError, match=message):
        CardProfile.model_validate(told)


def test_pin_needs_pace() -> None:
    told = table("us-passport-2021")
    told["access"]["passwords"] = ["MRZ", "CAN", "PIN"]
    with pytest.raises(ValidationError, match="PIN and PUK need PACE"):
        CardProfile.model_validate(told)


def test_terminal_authentication_needs_chip_authentication() -> None:
    told = table("eu-passport-eac")
    told["application"]["keys"] = told["application"]["keys"][:1]
    with pytest.raises(ValidationError, match="needs a chip-authentication key"):
        CardProfile.model_validate(told)


def test_card_security_goes_with_chip_authentication_mapping() -> None:
    assert load_profile("eu-residence-permit").profile.has_card_security
    assert not load_profile("eu-passport-eac").profile.has_card_security
