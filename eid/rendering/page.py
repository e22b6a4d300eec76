"""The self-contained HTML page of a verification: verdict, checks, holder, chain, timings, APDU log."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import lru_cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from eid.locale import FALLBACK, assurance_text, check_text, direction, isolate, text
from eid.locale.details import detail_text
from eid.rendering.step_figures import StepFigures
from eid.verification.chain import ChainLink
from eid.verification.report import VerificationReport


@dataclass(frozen=True, slots=True)
class ReportPage:
    """All that the page shows.

    Args:
        holder: (label, value) of what the chip says of the holder, in the order to show.
        portrait: a PNG or JPEG image, or None. faces: pictures of the card, PNG.
        apdus: one line for each APDU, without secrets. language: of the texts, one of `eid.locale.LANGUAGES`.
    """

    title: str
    report: VerificationReport
    holder: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    portrait: bytes | None = field(default=None, repr=False)
    faces: tuple[bytes, ...] = field(default=(), repr=False)
    certificates: tuple[ChainLink, ...] = ()
    steps: tuple[StepFigures, ...] = ()
    apdus: tuple[str, ...] = field(default=(), repr=False)
    language: str = FALLBACK


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("eid.rendering"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = data_uri
    environment.globals.update(
        assurance_text=assurance_text, check_text=check_text, detail_text=detail_text, direction=direction
    )
    return environment


def render_page(page: ReportPage) -> str:
    """The page as one HTML document that needs no other file and no network."""
    return render_template(
        "report.html", page=page, report=page.report, t=partial(text, page.language), i=partial(isolate, page.language)
    )


def render_template(name: str, **values: object) -> str:
    """One of the templates beside this module; what it is not given is an error."""
    return _environment().get_template(name).render(**values)


def data_uri(image: bytes) -> str:
    """An image inside the page; its type is told from its first octets."""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode('ascii')}"
