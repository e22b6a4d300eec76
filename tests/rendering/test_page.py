"""The HTML page: well-formed, alone, complete, and deaf to what hostile data say."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from eid.errors import Reason
from eid.locale import text
from eid.rendering.page import ReportPage, data_uri, render_page
from eid.rendering.step_figures import StepFigures
from eid.verification.chain import ChainLink
from eid.verification.policy_lint import Hazard
from eid.verification.report import CheckResult, Outcome, Verdict, VerificationReport
from tests.builders.issuance import NOW

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
JPEG = b"\xff\xd8\xff" + bytes(16)
HOSTILE = """<script>alert(1)</script>"' onload=alert(2) {{ 7*7 }} &amp; <!-- ]]>"""
VOID = frozenset(("meta", "img", "br", "link", "hr", "input"))


def report(**changes: object) -> VerificationReport:
    checks = tuple(
        CheckResult(f"check.{outcome.value.lower()}", outcome, reason, f"Doc 9303-{number}", f"detail {number}")
        for number, (outcome, reason) in enumerate(
            (
                (Outcome.PASSED, None),
                (Outcome.FAILED, Reason.HASH_FAILURE),
                (Outcome.INDETERMINATE, Reason.TRY_LATER),
                (Outcome.NOT_SUPPORTED, Reason.CHIP_CANNOT),
                (Outcome.NOT_PERFORMED, Reason.CLIENT_ASSERTED),
            )
        )
    )
    made = VerificationReport(
        Verdict.TOTAL_FAILED, "strict", 3, "ab" * 32, NOW, "now", "cd" * 32, checks, "It says so."
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # by field


def full(**changes: object) -> ReportPage:
    page = ReportPage(
        title="SPECIMEN card",
        report=report(),
        holder=(("Name", "SPECIMEN"), ("الاسم", "عيّنة")),
        portrait=PNG,
        faces=(PNG, JPEG),
        certificates=(ChainLink("DS", "C=UT", "01", "2026-01-01", "2036-01-01", "P-256", "ef" * 32),),
        steps=(StepFigures("read DG1", 2, 38, 150, 0.0123),),
        apdus=("   1 00A4040C 12 sent 2 received 9000",),
    )
    return replace(page, **changes)  # type: ignore[arg-type]  # by field


class Document(HTMLParser):
    """Insists that every element is closed in order, and remembers text and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute of {tag} is there twice"
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())


def test_the_page_is_well_formed_and_shows_every_check() -> None:
    page = full()
    document = Document(render_page(page))
    for check in page.report.checks:
        assert check.id in document.text
        assert check.outcome.value in document.text
        assert check.detail in document.text
        assert check.clause in document.text
        assert check.reason is None or check.reason.value in document.text
    assert "TOTAL_FAILED" in document.text
    for word in ("SPECIMEN", "عيّنة", "الاسم", "C=UT", "read DG1", "12.3", "150"):
        assert word in document.text
    assert document.tags.count("img") == 3
    assert page.apdus[0].strip() in "\n".join(document.text)


def test_the_page_needs_no_network() -> None:
    html = render_page(full())
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html, re.IGNORECASE)
    document = Document(html)
    assert not {"script", "link", "iframe", "object", "form", "base"} & set(document.tags)
    sources = [value for _, name, value in document.attributes if name in ("src", "href", "srcset", "style")]
    assert len(sources) == 3
    assert all(value.startswith("data:image/") for value in sources)
    policy = next(
        value for tag, name, value in document.attributes if (tag, name) == ("meta", "content") and "src" in value
    )
    assert policy.startswith("default-src 'none'")


def test_hostile_words_stay_words() -> None:
    checks = (CheckResult("chip.aa", Outcome.FAILED, Reason.CLONE_SUSPECTED, HOSTILE, HOSTILE),)
    page = full(
        title=HOSTILE,
        report=report(verdict=Verdict.TOTAL_PASSED, checks=checks, assurance=HOSTILE, policy=HOSTILE),
        holder=((HOSTILE, HOSTILE),),
        certificates=(ChainLink(*(HOSTILE,) * 7),),
        steps=(StepFigures(HOSTILE, 1, 2, 3, 0.0),),
        apdus=(HOSTILE,),
    )
    html = render_page(page)
    assert "<script" not in html.lower()
    document = Document(html)
    assert "script" not in document.tags
    assert not [name for _, name, _ in document.attributes if name.startswith("on")]
    assert HOSTILE in document.text
    assert "49" not in document.text  # what looks like a template is none


@pytest.mark.parametrize("verdict", Verdict)
def test_what_a_passed_document_would_prove_is_said_of_none_else(verdict: Verdict) -> None:
    words = " ".join(Document(render_page(full(report=report(verdict=verdict)))).text)
    assert ("It says so." in words) is (verdict is Verdict.TOTAL_PASSED)


def test_a_bare_page_leaves_out_what_there_is_not() -> None:
    document = Document(render_page(ReportPage("title", report(verdict=Verdict.TOTAL_PASSED))))
    assert "img" not in document.tags
    for heading in ("What the chip says", "Certificates", "The card", "On the card"):
        assert heading not in document.text
    assert "TOTAL_PASSED" in document.text


def test_images_inside_the_page() -> None:
    assert data_uri(PNG) == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert data_uri(JPEG).startswith("data:image/jpeg;base64,")


def test_what_is_shown_of_a_person_is_not_in_the_representation() -> None:
    assert "عيّنة" not in repr(full())
    assert "00A4" not in repr(full())


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_verdict_has_its_colour(verdict: Verdict) -> None:
    html = render_page(full(report=report(verdict=verdict)))
    assert f'<span class="verdict {verdict.value}">' in html
    assert f".{verdict.value} {{ background" in html


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("fr", "ltr"), ("ar", "rtl")])
def test_the_page_speaks_a_language(language: str, direction: str) -> None:
    """Texts are the language's; codes and whatever is in English stand isolated from the direction of its script."""
    document = Document(render_page(full(language=language)))
    assert {("html", "lang", language), ("html", "dir", direction)} <= set(document.attributes)
    for reason in (Reason.HASH_FAILURE, Reason.TRY_LATER):
        assert text(language, "reason", reason.value) in document.text
        assert reason.value in document.text
    assert text(language, "page", "checks") in document.text
    assert text(language, "source", "now") in " ".join(document.text)


def test_the_page_is_fit_for_a_telephone_and_for_paper() -> None:
    """Rows become cards whose cells keep their headings; a verdict whose colour is not printed can still be read."""
    html = render_page(full())
    labels = {value for _, name, value in Document(html).attributes if name == "data-label"}
    assert labels == {"SHA-256", *(text("en", "page", name) for name in ("serial", "valid", "key"))}
    assert html.index("@media (max-width") < html.index("@media print") < html.index("</style>")
    for verdict in Verdict:
        assert f".verdict.{verdict.value}" in html[html.index("@media print") :]


def test_the_page_calls_an_unsafe_policy_unsafe() -> None:
    unsafe = report(hazards=(Hazard.REVOCATION_OPTIONAL, Hazard.COPY_ACCEPTED))
    shown = Document(render_page(full(report=unsafe)))
    assert {"Unsafe policy", "REVOCATION_OPTIONAL", "COPY_ACCEPTED"} <= set(shown.text)
    limited = Document(render_page(full(report=report(hazards=(Hazard.COPY_ACCEPTED,)))))
    assert "Unsafe policy" not in limited.text
    assert "COPY_ACCEPTED" in limited.text


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "revoked on 2026-01-01"), ("fr", "révoqué le 2026-01-01"), ("ar", "أُلغي في \u20662026-01-01\u2069")],
)
def test_a_checks_detail_is_told_in_the_pages_language(language: str, told: str) -> None:
    """And one that is known in no other language says that it is English."""
    checks = (
        CheckResult("ds.revocation", Outcome.FAILED, Reason.REVOKED, "Doc 9303-12 7.3", "revoked on 2026-01-01"),
        CheckResult("sod.format", Outcome.FAILED, Reason.FORMAT_FAILURE, "X.690 8", "offset 7: something"),
    )
    document = Document(render_page(full(report=report(checks=checks), language=language)))
    assert told in document.text
    assert "offset 7: something" in document.text
    assert ("bdi", "lang", language) in document.attributes
    assert ("bdi", "lang", "en") in document.attributes
