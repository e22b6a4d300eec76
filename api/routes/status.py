"""`/statuslists`: the signed status lists, open to everybody (Token Status List, 8 and 9).

What is served was signed before; a web server that has the files of `eid status publish --out` does the same.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from api.openapi import problems
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.schemas.cards import StatusListAggregation
from eid.errors import NotStoredError
from eid.pki.status_token import TokenForm
from eid.services.card.status_lists import find_publication, list_all
from eid.store.status_publications import Publication

router = APIRouter(tags=["status lists"])
OPEN: Final = {"Access-Control-Allow-Origin": "*"}  # 8.1: for relying parties in a browser
LAST: Final = 253_402_300_799  # the end of the year 9999
CONTENT: Final[Any] = {
    200: {
        "content": {form.value: {"schema": {"type": "string", "format": "binary"}} for form in TokenForm},
        "description": "The token",
    },
    304: {"description": "The copy at hand is the newest"},
}


@router.get("/statuslists", operation_id="listStatusLists", summary="URIs of all status lists")
def list_status_lists(registry: CurrentRegistry, response: Response) -> StatusListAggregation:
    """For relying parties that fetch all lists beforehand."""
    response.headers.update(OPEN)
    return StatusListAggregation(status_lists=list(list_all(registry.engine)))


@router.get(
    "/statuslists/{name}",
    operation_id="showStatusList",
    summary="A signed status list",
    response_class=Response,
    responses={**CONTENT, **problems(RegistryProblem.UNKNOWN)},
)
def show_status_list(
    registry: CurrentRegistry,
    request: Request,
    name: str,
    time: Annotated[int | None, Query(ge=0, le=LAST, description="The list that was valid then (8.4)")] = None,
) -> Response:
    """As JWT unless Accept asks for a CWT. `exp` and `ttl` in the token come before the headers here."""
    form = _choose_form(request.headers.get("accept", ""))
    at = None if time is None else datetime.fromtimestamp(time, UTC)
    if len(name) > 256:
        raise NotStoredError("there is no such list")
    return _answer(request, find_publication(registry.engine, name, form, at), form, is_past=at is not None)


def _choose_form(accept: str) -> TokenForm:
    """JWT where both or none are accepted (8.1)."""
    wanted = [part.partition(";")[0].strip().lower() for part in accept[:1000].split(",")]
    return TokenForm.CWT if TokenForm.CWT.value in wanted and TokenForm.JWT.value not in wanted else TokenForm.JWT


def _answer(request: Request, found: Publication, form: TokenForm, *, is_past: bool) -> Response:
    etag = f'"{found.digest.hex()[:32]}"'
    headers = {
        **OPEN,
        "Cache-Control": f"public, max-age={found.ttl}" if not is_past else "public, max-age=86400, immutable",
        "ETag": etag,
        "Last-Modified": found.issued_at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "Vary": "Accept, Accept-Encoding",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = found.token
    if form is TokenForm.JWT and _takes_gzip(request.headers.get("accept-encoding", "")):  # 8.2; a CWT does not shrink
        body, headers["Content-Encoding"] = _compress(found.digest, found.token), "gzip"
    return Response(body, headers=headers, media_type=form.value)


def _takes_gzip(accept_encoding: str) -> bool:
    codings = dict(part.strip().lower().partition(";")[::2] for part in accept_encoding[:1000].split(","))
    return "gzip" in codings and codings["gzip"].replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")


@lru_cache(maxsize=8)
def _compress(digest: bytes, token: bytes) -> bytes:
    """The same list is asked for again and again."""
    return gzip.compress(token, 6, mtime=0)
