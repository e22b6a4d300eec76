"""The OpenAPI document: what FastAPI derives from the routes, and what it cannot know, since bodies are read by us."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.problems import MEDIA_TYPE, Problem, ProblemKind
from api.schemas import requests
from api.schemas.responses import ProblemDetails

TITLE: Final = "eID verification"
VERSION: Final = "1"
DESCRIPTION: Final = """Verifies electronic identity documents of Doc 9303: is the document its issuer's, unaltered, not
revoked, and is the chip the original one?

A *completed* check is always 200; the verdict stands in the report. Faults of a request are RFC 9457 problems."""
EVERYWHERE: Final = (Problem.INTERNAL_ERROR,)
REFERENCE: Final = "#/components/schemas/{model}"
_REQUESTS: Final = (requests.NewVerification, requests.UploadedEvidence, requests.PassiveAuthentication)
_BINARY: Final = {
    "application/cose": "COSE_Sign1 of an inspection station around its evidence (docs/formats/evidence.md)",
    "application/cbor": "Evidence that no station signed (docs/formats/evidence.md); it counts as an upload",
}


def problems(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """The problem responses of a route."""
    by_status: dict[int, list[ProblemKind]] = defaultdict(list)
    for kind in (*kinds, *EVERYWHERE):
        by_status[kind.status].append(kind)
    return {status: _describe_problems(found) for status, found in sorted(by_status.items())}


def _describe_problems(kinds: list[ProblemKind]) -> dict[str, Any]:
    examples = {kind.slug: {"value": {"type": kind.urn, "title": kind.title, "status": kind.status}} for kind in kinds}
    reference = REFERENCE.format(model=ProblemDetails.__name__)
    return {
        "description": "; ".join(f"{kind.title} (`{kind.urn}`)" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": reference}, "examples": examples}},
    }


def accepts(bodies: Mapping[str, type[BaseModel] | None]) -> dict[str, Any]:
    """The request body of a route, by media type; None is a binary container."""
    return {
        "requestBody": {"required": True, "content": {kind: _content(kind, model) for kind, model in bodies.items()}}
    }


def _content(kind: str, model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"schema": {"type": "string", "format": "binary", "description": _BINARY[kind]}}
    specimen = {"SPECIMEN": {"summary": "An invented document", "value": load_example(model.__name__)}}
    return {"schema": {"$ref": REFERENCE.format(model=model.__name__)}, "examples": specimen}


def path_identifier() -> dict[str, Any]:
    """The `id` in a route's path."""
    schema = {"type": "string", "format": "uuid"}
    return {"parameters": [{"name": "id", "in": "path", "required": True, "schema": schema}]}


@cache
def load_example(name: str) -> Any:
    """A body that tests send as it stands: an invented document, SPECIMEN."""
    return json.loads((files("api") / "examples" / f"{name}.json").read_text("utf-8"))


def serve_document(app: FastAPI, build: Callable[[FastAPI], dict[str, Any]]) -> None:
    """Have the application serve this document, which is built when somebody first asks for it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def install_openapi(app: FastAPI) -> None:
    """Have the application serve the completed document."""
    serve_document(app, _build)


def _build(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=TITLE, version=VERSION, description=DESCRIPTION, routes=app.routes)
    _, stated = models_json_schema(
        [*((model, "validation") for model in _REQUESTS), (ProblemDetails, "serialization")],
        ref_template=REFERENCE,
    )
    document["components"]["schemas"].update(stated["$defs"])
    return document
