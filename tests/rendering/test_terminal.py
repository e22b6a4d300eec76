"""Terminal tables: columns stand under each other, whatever the cells hold, and nobody moves the cursor."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import Reason
from eid.rendering.step_figures import StepFigures
from eid.rendering.terminal import count_columns, make_printable, render_report, render_steps, render_table
from eid.verification.policy_lint import Hazard
from eid.verification.report import CheckResult, Outcome, Verdict, VerificationReport
from tests.builders.issuance import NOW
from tests.builders.sweep import examples


def columns(line: str, at: int) -> str:
    """What stands from a terminal column on."""
    seen = 0
    for position, letter in enumerate(line):
        if seen == at and count_columns(letter):
            return line[position:]
        seen += count_columns(letter)
    return ""


def test_columns_align() -> None:
    table = render_table([("a", "1", "x"), ("bbbb", "22", "yy")], ("name", "n", "word"), numeric=(1,))
    assert table.splitlines() == ["name   n  word", "a      1  x", "bbbb  22  yy"]


def test_wide_and_combining_characters_align() -> None:
    rows = [("漢字", "x"), ("ẹ́", "x"), ("عيّنة", "x"), ("plain", "x")]
    lines = render_table(rows, ("name", "mark")).splitlines()
    assert {columns(line, 7) for line in lines[1:]} == {"x"}
    assert count_columns("漢字") == 4
    assert count_columns("ẹ́") == 1


def test_a_table_of_nothing() -> None:
    assert render_table([], ("a", "b")) == "a  b"


def test_cells_cannot_steer_the_terminal() -> None:
    hostile = "\x1b[2J\x1b]0;title\x07line\nline\r\u202egnp.\u2066\x9b31m\u2028"
    table = render_table([(hostile, "x")], ("name", "mark"))
    assert len(table.splitlines()) == 2
    assert all(unicodedata.category(letter)[0] != "C" for letter in table.replace("\n", ""))
    assert "line" in table


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=6))
@settings(max_examples=examples(60))
def test_any_cells_align(rows: list[tuple[str, str, str]]) -> None:
    lines = render_table([(first, second, "|" + third) for first, second, third in rows], ("a", "b", "|")).split("\n")
    assert len(lines) == len(rows) + 1
    width = max(count_columns(make_printable(row[0])) for row in [*rows, ("a", "", "")])
    height = max(count_columns(make_printable(row[1])) for row in [*rows, ("", "b", "")])
    assert all(columns(line, width + height + 4).startswith("|") for line in lines)


def test_the_report_shows_every_check() -> None:
    checks = (
        CheckResult("sod.signature", Outcome.PASSED, None, "Doc 9303-11 5.1"),
        CheckResult("sod.dg_hashes.dg1", Outcome.FAILED, Reason.HASH_FAILURE, "Doc 9303-11 5.1", "DG1 is altered"),
    )
    report = VerificationReport(Verdict.TOTAL_FAILED, "strict", 1, "", NOW, "now", "", checks, "assurance")
    lines = render_report(report).splitlines()
    assert lines[0] == "TOTAL_FAILED  policy strict, judged at 2026-06-01T12:00:00Z (now)"
    assert lines[1] == ""  # what a passed document would prove is not said of one that failed
    assert lines[-3].split(maxsplit=3) == ["sod.dg_hashes.dg1", "FAILED", "HASH_FAILURE", "DG1 is altered"]
    assert lines[-4].split() == ["sod.signature", "PASSED"]
    assert lines[-1] == "HASH_FAILURE: This data group is not the one that the issuer signed."
    french = render_report(report, "fr").splitlines()
    assert french[:-1] == lines[:-1]
    assert french[-1] == "HASH_FAILURE: Ce groupe de données n’est pas celui que l’émetteur a signé."


def test_an_unsafe_policy_is_called_so() -> None:
    passed = (CheckResult("sod.signature", Outcome.PASSED, None, "Doc 9303-11 5.1"),)
    hazards = (Hazard.REVOCATION_OPTIONAL, Hazard.COPY_ACCEPTED, Hazard.EXPIRED_ACCEPTED)
    report = VerificationReport(
        Verdict.TOTAL_PASSED, "lax", 1, "", NOW, "now", "", passed, "assurance", hazards=hazards
    )
    lines = render_report(report).splitlines()
    assert lines[1] == "assurance"
    assert lines[2].startswith("UNSAFE POLICY (REVOCATION_OPTIONAL): A signer whose key was stolen")
    assert lines[3] == "What this policy leaves open: COPY_ACCEPTED, EXPIRED_ACCEPTED"


def test_steps_and_their_sum() -> None:
    steps = (StepFigures("read DG1", 2, 38, 150, 0.5), StepFigures("read DG2", 3, 40, 9000, 0.25))
    assert render_steps(steps).splitlines() == [
        "step      APDUs  sent  received     ms",
        "read DG1      2    38       150  500.0",
        "read DG2      3    40      9000  250.0",
        "total         5    78      9150  750.0",
    ]
    measured = StepFigures("total", 9, 99, 9999, 2.0)
    assert render_steps(steps, measured).splitlines()[-1].split() == ["total", "9", "99", "9999", "2000.0"]


def test_what_is_set_into_arabic_keeps_its_direction_and_turns_nothing_else() -> None:
    date = "أُلغي في \u20662026-01-01\u2069"
    assert make_printable(date) == date
    assert count_columns(date) == count_columns(date.replace("\u2066", "").replace("\u2069", ""))
    for hostile in ("a\u2066b", "a\u2069b", "\u2069a\u2066", "\u2067a\u2069", "a\u202eb"):
        assert "\ufffd" in make_printable(hostile)
        assert not {"\u2066", "\u2067", "\u2069", "\u202e"}.intersection(make_printable(hostile))
    assert make_printable("\u2066a\u202eb\x1b\u2069") == "\u2066a\ufffdb\ufffd\u2069"
    assert make_printable("\u2066a\u2066b\u2069") == "\ufffda\u2066b\u2069"
