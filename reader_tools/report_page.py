"""The HTML page of a verification, put together from what services know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eid.evidence import Evidence
from eid.locale import FALLBACK, text
from eid.pki.trust_store import TrustStore
from eid.rendering.page import ReportPage
from eid.rendering.step_figures import StepFigures
from eid.services.reading.holder import decode_portrait, describe_holder
from eid.transport.metered import StepMeter, TraceEntry
from eid.verification.chain import describe_chain
from eid.verification.report import VerificationReport


def build_page(
    title: str,
    report: VerificationReport,
    evidence: Evidence,
    trust: TrustStore,
    *,
    steps: Sequence[StepMeter] = (),
    trace: Sequence[TraceEntry] = (),
    faces: Sequence[bytes] = (),
    language: str = FALLBACK,
) -> ReportPage:
    """All that the page of one verification shows; `faces` are PNG."""
    return ReportPage(
        title=text(language, "title", title),
        report=report,
        holder=describe_holder(evidence),
        portrait=decode_portrait(evidence),
        faces=tuple(faces),
        certificates=describe_chain(evidence, trust),
        steps=step_figures(steps),
        apdus=tuple(trace_line(entry) for entry in trace),
        language=language,
    )


def step_figures(steps: Iterable[StepMeter]) -> tuple[StepFigures, ...]:
    """What each step cost, as tables show it."""
    return tuple(StepFigures(item.step, item.commands, item.sent, item.received, item.seconds) for item in steps)


def trace_line(entry: TraceEntry) -> str:
    """One command and its answer, without the data of either."""
    sw = "no answer" if entry.sw is None else f"{entry.sw:04X}"
    octets = f"{entry.sent:>5} sent {entry.received:>5} received"
    return f"{entry.number:>4} {entry.header} {octets} {sw} {entry.seconds * 1000:8.1f} ms  {entry.name}"
