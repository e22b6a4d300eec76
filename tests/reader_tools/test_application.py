"""`eid application` as an operator meets it: from a record in a file to a registered person."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reader_tools import exit_codes
from tests.builders.applicants import DOCUMENT, build_pdf

Eid = Callable[..., Any]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(DOCUMENT), "utf-8")
    return path


@pytest.fixture
def draft(eid: Eid, record: Path) -> str:
    made = eid(
        "application", "new", "--record", record, "--reason", "production-defect", "--account", "citizen", "--json"
    )
    assert made.code == exit_codes.PASSED, made.err
    return str(json.loads(made.out)["application"])


def test_from_draft_to_register(eid: Eid, draft: str, tmp_path: Path) -> None:
    assert "missing   old-card" in eid("application", "needs", draft).out
    paper = tmp_path / "old-card.pdf"
    paper.write_bytes(build_pdf())
    attached = eid("application", "attach", draft, "--paper", "old-card", "--issued-on", "2020-01-01", paper)
    assert attached.out.endswith(f"old-card, 1 page(s), {len(build_pdf())} octets\n")
    assert "SUBMITTED" in eid("application", "submit", draft).out
    number = json.loads(eid("application", "list", "--state", "SUBMITTED", "--json").out)[0]["number"]
    assert "UNDER_REVIEW" in eid("application", "take-up", number.lower()).out
    asked = eid("application", "request", number, "--paper", "photograph")
    assert "requested    photograph" in asked.out
    assert "missing: photograph" in eid("application", "supply", number).err
    eid("application", "attach", number, "--paper", "photograph", paper)
    assert eid("application", "supply", number).code == exit_codes.PASSED
    assert "VALIDATED" in eid("application", "validate", number).out
    shown = json.loads(eid("application", "show", number, "--person").out)
    assert shown["record"]["family_name"]["latin"] == "SPECIMEN"
    out = tmp_path / "copy.pdf"
    assert eid("application", "open", shown["documents"][0]["id"], "--out", out).code == exit_codes.PASSED
    assert out.read_bytes() == build_pdf()
    assert "SPECIMEN" not in eid("application", "show", number).out
    assert "CANCELLED" in eid("application", "cancel", number).out
    assert eid("application", "sweep").out == "0 applications whose time was over\n"


def test_refusals_have_exit_codes(eid: Eid, draft: str, record: Path, tmp_path: Path) -> None:
    for arguments, told in (
        (("submit", draft), "missing: old-card"),
        (("take-up", draft), "no take-up of the application: it is DRAFT"),
        (("show", "0000-0000"), "thirteen letters and digits"),
        (("reject", draft, "--code", "ugly"), "no such refusal"),
        (("show", "00000000-0000-7000-8000-000000000000"), "no such application"),
    ):
        outcome = eid("application", *arguments)
        assert outcome.code not in (exit_codes.PASSED, exit_codes.FAILED), arguments
        assert told in outcome.err
    record.write_text("{", "utf-8")
    assert eid("application", "edit", draft, "--record", record).code == exit_codes.MALFORMED_INPUT
    record.write_text(json.dumps({**DOCUMENT, "sex": "SECRET"}), "utf-8")
    wrong = eid("application", "edit", draft, "--record", record)
    assert "/sex: choice" in wrong.err
    assert "SECRET" not in wrong.err
    record.write_text(json.dumps(DOCUMENT), "utf-8")
    assert eid("application", "edit", draft, "--record", record).code == exit_codes.PASSED
    lie = tmp_path / "paper.png"
    lie.write_bytes(build_pdf())
    assert "other-type" in eid("application", "attach", draft, "--paper", "old-card", lie).err


def test_nobody_decides_on_what_he_applied_for(eid: Eid, record: Path, tmp_path: Path) -> None:
    made = json.loads(eid("application", "new", "--record", record, "--reason", "production-defect", "--json").out)[
        "application"
    ]
    paper = tmp_path / "old-card.pdf"
    paper.write_bytes(build_pdf())
    eid("application", "attach", made, "--paper", "old-card", paper)
    eid("application", "submit", made)
    assert "nobody decides on his own file" in eid("application", "take-up", made).err


def test_refused_appealed_withdrawn(eid: Eid, draft: str, tmp_path: Path) -> None:
    """What an applicant does at the counter, by the officer who takes it in."""
    paper = tmp_path / "old-card.pdf"
    paper.write_bytes(build_pdf())
    assert "category     ill" in eid("application", "category", draft, "--code", "ill").out
    assert "category" not in eid("application", "category", draft).out
    eid("application", "attach", draft, "--paper", "old-card", paper)
    eid("application", "submit", draft)
    eid("application", "take-up", draft)
    assert "REJECTED" in eid("application", "reject", draft, "--code", "not-entitled").out
    assert "UNDER_REVIEW" in eid("application", "appeal", draft).out
    again = eid("application", "appeal", draft)
    assert (again.code, "it is UNDER_REVIEW" in again.err) == (exit_codes.CANNOT_WRITE, True)
    assert "WITHDRAWN" in eid("application", "withdraw", draft).out
    for name in ("withdraw", "appeal", "category"):
        assert "APPLICATION" in eid("application", name, "--help").out
