"""`/v1/statistics`: what was requested, validated, booked and delivered, by post, service and day."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from api.access import require
from api.openapi import problems
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.schemas import statistics as schemas
from eid.enrolment.roles import Actor, Role
from eid.enrolment.statistics import EVENTS
from eid.rendering.chart import render_bars
from eid.services.person.statistics import (
    MonthFigures,
    encode_csv,
    encode_json,
    month_figures,
    parse_month,
    parts_of,
    title_of,
)
from eid.services.registry import Registry

router = APIRouter(tags=["statistics"])
Reader = Annotated[Actor, Depends(require(Role.AUDITOR, Role.ADMINISTRATOR))]
Month = Annotated[str, Path(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
Post = Annotated[str | None, Query(pattern=r"^[a-z-][a-z0-9-]{0,63}$")]
SVG: Final = "image/svg+xml"
CSV: Final = "text/csv; charset=utf-8"
_TEXT: Final[Any] = {"schema": {"type": "string"}}


@router.get("/v1/statistics/{month}", operation_id="showStatistics", summary="A month's counts")
def show(registry: CurrentRegistry, _: Reader, month: Month) -> schemas.MonthFigures:
    """By post, service and day; small counts are suppressed, and whatever would give them away."""
    return schemas.MonthFigures(**encode_json(_figures(registry, month)))


@router.get(
    "/v1/statistics/{month}/csv",
    operation_id="downloadStatistics",
    summary="A month's counts as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": _TEXT}}},
)
def download(registry: CurrentRegistry, _: Reader, month: Month) -> Response:
    """The same rows; `[c]` in the place of a count that is suppressed."""
    return Response(encode_csv(_figures(registry, month)), media_type=CSV)


@router.get(
    "/v1/statistics/{month}/chart",
    operation_id="drawStatistics",
    summary="A month's counts as a chart",
    response_class=Response,
    responses={200: {"content": {SVG: _TEXT}}, **problems(RegistryProblem.INVALID_VALUE)},
)
def draw(registry: CurrentRegistry, _: Reader, month: Month, post: Post = None, service: Post = None) -> Response:
    """All posts, the services of a post, or the days of one of its services."""
    figures = _figures(registry, month)
    rows = parts_of(figures, post, service)
    series = {event: [row.counts[event] for row in rows.values()] for event in EVENTS}
    return Response(render_bars(title_of(figures, post, service), list(rows), series), media_type=SVG)


def _figures(registry: Registry, month: str) -> MonthFigures:
    return month_figures(registry.engine, parse_month(month), registry.rules.time_zone, registry.now())
