"""Pages for whoever hears them, or has no mouse: language, headings, tables that name their cells, contrast, focus."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from eid.conformance.case import Case, Outcome
from eid.conformance.report import CaseResult, ConformanceReport
from eid.locale import LANGUAGES, direction
from eid.rendering.chart import COLOURS, render_bars
from eid.rendering.conformance_page import render_conformance_page
from eid.rendering.page import ReportPage, render_page
from eid.rendering.step_figures import StepFigures
from eid.rendering.trace_page import render_trace_page
from eid.verification.chain import ChainLink
from eid.verification.report import CheckResult, Verdict, VerificationReport
from eid.verification.report import Outcome as Checked
from tests.builders.issuance import NOW

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def report_page(language: str) -> str:
    check = CheckResult("sod.signature", Checked.PASSED, None, "Doc 9303-11", "")
    report = VerificationReport(Verdict.TOTAL_PASSED, "strict", 1, "ab" * 32, NOW, "now", "cd" * 32, (check,), "So.")
    link = ChainLink("DS", "C=UT", "01", "2026-01-01", "2036-01-01", "P-256", "ef" * 32)
    figures, holder = (StepFigures("read DG1", 2, 38, 150, 0.01),), (("Name", "SPECIMEN"),)
    page = ReportPage("SPECIMEN", report, holder, PNG, (PNG,), (link,), figures, ("1 00A4",), language)
    return render_page(page)


def conformance_page() -> str:
    case = Case("BAC_01", "title", "Doc 9303-11", "9000", lambda _: iter(()))  # type: ignore[arg-type,return-value]  # never run
    results = tuple(CaseResult("BAC", case, outcome, "6982") for outcome in (Outcome.FAIL, Outcome.PASS))
    return render_conformance_page(ConformanceReport(NOW, "card.bin", b"\x3b", ("BAC",), results))


PAGES = {f"report-{language}": report_page(language) for language in LANGUAGES} | {
    "conformance": conformance_page(),
    "trace": render_trace_page("Trace", (("card", "card.bin"),), "nonce"),
}


class Outline(HTMLParser):
    """Elements with their attributes, in order; rows of tables as the tags and scopes of their cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[tuple[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.elements.append((tag, told))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append((tag, told.get("scope")))

    def find(self, *tags: str) -> list[dict[str, str | None]]:
        return [told for tag, told in self.elements if tag in tags]


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_tells_a_reader_that_speaks(name: str) -> None:
    page = Outline(PAGES[name])
    (root,) = page.find("html")
    language = name.partition("-")[2] or "en"
    assert (root["lang"], root["dir"]) == (language, direction(language))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert len(page.find("main")) == 1
    assert all(told.get("alt") for told in page.find("img"))
    assert all(told.get("aria-label") for told in page.find("input", "pre"))
    assert all(told.get("tabindex") == "0" for told in page.find("pre"))  # so that the arrows can move what runs over


@pytest.mark.parametrize("name", PAGES)
def test_every_cell_has_its_headings(name: str) -> None:
    page = Outline(PAGES[name])
    assert all(told.get("scope") in ("col", "row") for told in page.find("th"))
    heads = [row for row in page.rows if all(cell == ("th", "col") for cell in row)]
    assert heads
    told_by_script = name == "trace"
    assert told_by_script or all(row[0] == ("th", "row") for row in page.rows if row not in heads)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("name", PAGES)
def test_colours_are_told_from_their_ground(name: str) -> None:
    """WCAG 2.2, 1.4.3 for texts and 1.4.11 for what shows the focus."""
    style = PAGES[name].partition("<style>")[2].partition("</style>")[0]
    inks = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", style))
    inks.pop("line")  # between rows; nothing is told by it alone
    grounds = {"#ffffff", *re.findall(r"background: (#[0-9a-f]{6})", style)}
    assert {"ink", "soft", "good", "bad"} <= inks.keys()
    assert min(contrast(ink, ground) for ink in inks.values() for ground in grounds) >= 4.5
    (focus,) = re.findall(r":focus-visible { outline: 3px solid (#[0-9a-f]{6})", style)
    assert min(contrast(focus, ground) for ground in grounds) >= 3
    assert "outline: none" not in style
    assert "outline: 0" not in style


def test_a_chart_says_what_it_is_and_its_bars_are_seen() -> None:
    chart = render_bars("Cards", ["Rabat"], {"made": [3]})
    assert 'role="img" aria-label="Cards"' in chart
    assert min(contrast(colour, "#ffffff") for colour in COLOURS) >= 3
