"""The registry's OpenAPI document: what FastAPI derives, with our problems in the place of its own."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.openapi import REFERENCE, problems, serve_document
from api.problems import MEDIA_TYPE, URN, WITH_BODY, Problem
from api.registry_problems import RegistryProblem
from api.schemas.responses import ProblemDetails

TITLE: Final = "eID registry"
VERSION: Final = "1"
DESCRIPTION: Final = """From application to hand-over of an identity card: applications, papers, electronic stamps,
appointments, enrolment, approval, production, card status.

Staff and systems bring an access token of the OpenID provider, applicants the session that they opened with a one-time
code. Faults are RFC 9457 problems; `Idempotency-Key` is honoured on every POST."""
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A request that comes again under the same key is answered the same and done once",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[!-~]+$"},
}
_POST: Final = (RegistryProblem.UNFINISHED, RegistryProblem.KEY_REUSED)
_ALWAYS: Final = (Problem.INTERNAL_ERROR, Problem.STORE_UNAVAILABLE, RegistryProblem.TOO_MANY_REQUESTS)
_SECURED: Final = (RegistryProblem.UNAUTHENTICATED, RegistryProblem.FORBIDDEN)


def install_registry_openapi(app: FastAPI) -> None:
    """Have the application serve the completed document."""
    serve_document(app, build_document)


def build_document(app: FastAPI) -> dict[str, Any]:
    """The document: every operation with the problems that any operation of its kind may answer."""
    document = get_openapi(title=TITLE, version=VERSION, description=DESCRIPTION, routes=app.routes)
    for item in document["paths"].values():
        for method, operation in item.items():
            _complete(method, operation)
    components = document.setdefault("components", {})
    components["responses"] = _share_problems(document["paths"])
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _, stated = models_json_schema([(ProblemDetails, "serialization")], ref_template=REFERENCE)
    schemas.update(stated["$defs"])
    return document


def _complete(method: str, operation: dict[str, Any]) -> None:
    """Declare what middleware and dependencies may answer, beside what the route itself declares."""
    responses: dict[str, Any] = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    if any(tag.startswith("OSIA") for tag in operation.get("tags", ())):
        return  # their answers are those of the published descriptions
    possible = [*_ALWAYS, Problem.INVALID_REQUEST, Problem.MALFORMED_REQUEST]
    if "requestBody" in operation:
        possible += WITH_BODY
    if "security" in operation:
        possible += _SECURED
        if method == "post":
            possible += _POST
            operation.setdefault("parameters", []).append(_KEY)
    for status, described in problems(*dict.fromkeys(possible)).items():
        standing = responses.get(str(status))
        responses[str(status)] = described if standing is None else _joined(standing, described)


def _share_problems(paths: dict[str, Any]) -> dict[str, Any]:
    """Name each set of problems once ("409.wrong-state.unfinished") and have the operations refer to it."""
    shared: dict[str, Any] = {}
    for item in paths.values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                if MEDIA_TYPE not in response.get("content", {}) or int(status) < 400:
                    continue
                slugs = sorted(re.findall(rf"{URN}([a-z-]+)", response["description"]))
                name = ".".join((status, *slugs))
                shared.setdefault(name, response)
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return shared


def _joined(standing: dict[str, Any], further: dict[str, Any]) -> dict[str, Any]:
    """Two descriptions of one status as one."""
    texts = [*standing.get("description", "").split("; "), *further["description"].split("; ")]
    content = {**further["content"], **standing.get("content", {})}
    for kind, value in further["content"].items():
        examples = {**value.get("examples", {}), **content[kind].get("examples", {})}
        content[kind] = {**value, **content[kind], "examples": examples}
    return {**standing, "description": "; ".join(dict.fromkeys(filter(None, texts))), "content": content}
