"""Every sentence that refuses something is known in every language: of life cycles, services, and what HTTP asks."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from eid.enrolment.application import APPLICATION
from eid.enrolment.appointment import APPOINTMENT
from eid.enrolment.payment import PAYMENT
from eid.enrolment.refund import REFUND
from eid.enrolment.stamp import STAMP
from eid.locale import LANGUAGES
from eid.locale.details import REFUSALS, detail_text

ROOT = Path(__file__).parents[2]
ROOMS = ("application", "stamp", "payment", "appointment", "caller", "person")
SOURCES = [
    *sorted((ROOT / "eid" / "enrolment").glob("*.py")),
    *(path for room in ROOMS for path in sorted((ROOT / "eid" / "services" / room).glob("*.py"))),
    ROOT / "eid" / "store" / "applications.py",
    ROOT / "eid" / "store" / "persons.py",
    ROOT / "api" / "intake.py",
    ROOT / "api" / "idempotency.py",
    *(ROOT / "api" / "routes" / f"{name}.py" for name in ("applications", "documents", "stamps", "payments")),
    *(ROOT / "api" / "routes" / f"{name}.py" for name in ("appointments", "call_centre", "cards", "enrolments")),
]
ERRORS = {
    "RecordError",
    "EnrolmentError",
    "OvertakenError",
    "LifecycleError",
    "AlreadyDoneError",
    "TooManyTriesError",
    "ProblemError",
}
# Capture records come from stations and rules from files; the development issuer has no applicants.
NOT_FOR_PEOPLE = {"capture.py", "development_issuer.py", "person.py"}
ENTRIES = tomllib.loads((ROOT / "eid" / "locale" / "refusals.toml").read_text(encoding="utf-8"))["detail"]


def said(node: ast.expr) -> Iterator[str]:
    """A sentence of the source, X9 where something is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(item.value) if isinstance(item, ast.Constant) else "X9" for item in node.values)
    elif isinstance(node, ast.IfExp):
        yield from said(node.body)
        yield from said(node.orelse)


def sentences(source: Path) -> Iterator[str]:
    tree = ast.parse(source.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in ERRORS or name == "require":
                yield from (text for argument in node.args for text in said(argument))
        elif (
            isinstance(node, ast.FunctionDef)
            and "Actor" in ast.unparse(node.args)
            and source.parent.name == "enrolment"
        ):
            returned = (inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value)
            yield from (text for value in returned for text in said(value))


SAID = sorted(
    {
        (path.name, text)
        for path in SOURCES
        if path.name not in NOT_FOR_PEOPLE
        for text in sentences(path)
        if " " in text and not text.startswith("site: ")
    }
)


@pytest.mark.parametrize("language", [item for item in LANGUAGES if item != "en"])
def test_every_refusal_is_known(language: str) -> None:
    unknown = [(source, text) for source, text in SAID if detail_text(language, text, REFUSALS)[1] != language]
    assert not unknown
    assert len(SAID) > 120


def test_states_have_names() -> None:
    states = {state.value for life in (APPLICATION, APPOINTMENT, PAYMENT, REFUND, STAMP) for state in life.states}
    told = {state: detail_text("ar", state, REFUSALS) for state in states}
    assert all(language == "ar" and text != state for state, (text, language) in told.items())
    assert detail_text("fr", "no submit of the application: it is VALIDATED", REFUSALS)[0] == (
        "impossible à ce stade : validée"
    )


def test_of_two_that_fit_the_more_exact_counts() -> None:
    assert detail_text("fr", "missing: birth-record, /mother", REFUSALS)[0] == "il manque : birth-record, /mother"
    assert (
        detail_text("fr", "another stamp is reserved", REFUSALS)[0]
        != (detail_text("fr", "no stamp is reserved for this application", REFUSALS)[0])
    )


def test_translations_fill_in_what_the_sentence_has() -> None:
    for entry in ENTRIES:
        places = {language: set(re.findall(r"\{([a-z]+)\}", entry[language])) for language in LANGUAGES}
        assert places["fr"] == places["ar"] <= places["en"], entry["en"]
        assert any("\u0600" <= letter <= "\u06ff" for letter in entry["ar"]), entry["en"]


def test_no_sentence_stands_twice() -> None:
    assert len({item["en"] for item in ENTRIES}) == len(ENTRIES)
