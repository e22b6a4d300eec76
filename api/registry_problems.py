"""Problems of the registry (RFC 9457): errors of its use cases as answers, in the applicant's language.

Texts come from `eid.locale` or from our own rules; nothing that was sent is ever part of an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import unique
from operator import itemgetter
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.osia.answers import answer_error, is_osia
from api.problems import MEDIA_TYPE, Kind, Problem, ProblemError, ProblemKind
from eid.enrolment.documents import UploadError
from eid.enrolment.faults import fault_of
from eid.enrolment.person import FaultyRecordError
from eid.errors import (
    AlreadyDoneError,
    ContradictionError,
    DecodeError,
    EidError,
    EnrolmentError,
    GatewayError,
    LifecycleError,
    NotStoredError,
    RecordError,
    Refusal,
    StoreError,
    TooLateError,
)
from eid.locale import FALLBACK, is_spoken, text
from eid.locale.details import REFUSALS, detail_text
from eid.services.caller.tokens import Caller, TokenRefusedError
from eid.services.registry import Registry

CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}  # RFC 6750 3


@unique
class RegistryProblem(ProblemKind):
    """What the registry answers besides the problems of every API."""

    UNAUTHENTICATED = Kind("unauthenticated", 401, "Who is calling is not known, or not any more")
    FORBIDDEN = Kind("forbidden", 403, "This is for other roles")
    UNKNOWN = Kind("unknown", 404, "There is no such thing, or it is not yours to see")
    WRONG_STATE = Kind("wrong-state", 409, "This cannot be done in the present state")
    CONDITION = Kind("condition", 409, "A condition is not met")
    ALREADY_DONE = Kind("already-done", 409, "This was done before")
    UNFINISHED = Kind("unfinished", 409, "A request with this key is under way, or broke off: look before you repeat")
    TOO_LATE = Kind("too-late", 410, "The time for this is over")
    KEY_REUSED = Kind("key-reused", 422, "This idempotency key was used for another request")
    INVALID_VALUE = Kind("invalid-value", 422, "A value is not allowed")
    UPLOAD_REFUSED = Kind("upload-refused", 422, "The file is not taken")
    TOO_MANY_REQUESTS = Kind("too-many-requests", 429, "Too many requests; wait a little")
    GATEWAY = Kind("gateway", 502, "A service outside does not answer")


_WEIGHT: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE | re.ASCII)
_BY_REFUSAL: Final = {
    Refusal.WRONG_STATE: RegistryProblem.WRONG_STATE,
    Refusal.FORBIDDEN: RegistryProblem.FORBIDDEN,
    Refusal.GUARD: RegistryProblem.CONDITION,
    Refusal.UNKNOWN_EVENT: RegistryProblem.INVALID_VALUE,
}
_BY_ERROR: Final[tuple[tuple[type[EidError], ProblemKind], ...]] = (
    (TokenRefusedError, RegistryProblem.UNAUTHENTICATED),
    (NotStoredError, RegistryProblem.UNKNOWN),
    (AlreadyDoneError, RegistryProblem.ALREADY_DONE),
    (ContradictionError, RegistryProblem.ALREADY_DONE),
    (TooLateError, RegistryProblem.TOO_LATE),
    (LifecycleError, RegistryProblem.WRONG_STATE),
    (StoreError, Problem.STORE_UNAVAILABLE),
    (RecordError, RegistryProblem.INVALID_VALUE),
    (DecodeError, RegistryProblem.INVALID_VALUE),
    (GatewayError, RegistryProblem.GATEWAY),
)
_BY_STATUS: Final[Mapping[int, ProblemKind]] = {
    401: RegistryProblem.UNAUTHENTICATED,
    403: RegistryProblem.FORBIDDEN,
    404: Problem.NOT_FOUND,
    405: Problem.METHOD_NOT_ALLOWED,
    413: Problem.BODY_TOO_LARGE,
}


def language_of(request: Request) -> str:
    """The language of an answer: that which the request prefers, else the applicant's own, else the country's first.

    A country whose languages we have no texts in is answered in English.
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    registry: Registry | None = getattr(request.app.state, "registry", None)
    own = [] if caller is None or caller.language is None else [caller.language]
    country = () if registry is None else registry.rules.languages
    wanted = (stated_language(request), *own, *country)
    return next((language for language in wanted if language is not None and is_spoken(language)), FALLBACK)


def stated_language(request: Request) -> str | None:
    """The language of Accept-Language that is preferred among those that we have (RFC 9110 12.5.4); None: any."""
    preferred = [(-_weigh(weight), range_.strip().lower().partition("-")[0]) for range_, weight in _ranges(request)]
    known = (language for weight, language in sorted(preferred, key=itemgetter(0)) if weight)
    first = next((language for language in known if language == "*" or is_spoken(language)), "*")
    return None if first == "*" else first


def _ranges(request: Request) -> Iterator[tuple[str, str]]:
    """Language ranges, each with what follows its semicolon."""
    for part in request.headers.get("accept-language", "")[:200].split(","):
        stated, _, parameter = part.partition(";")
        yield stated, parameter.strip()


def _weigh(parameter: str) -> float:
    """A weight (RFC 9110 12.4.2); 1 where it is left out or is none."""
    found = _WEIGHT.fullmatch(parameter)
    return 1.0 if found is None else float(found[1])


def answer_problem(
    request: Request,
    problem: ProblemKind,
    detail: str = "",
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    **more: str | None,
) -> Response:
    """The response for a problem, title and detail in the caller's language; type and codes are the same in each.

    At OSIA's addresses it has OSIA's form.
    """
    language = language_of(request)
    title = text(language, "problem", problem.slug)
    detail = detail_text(language, detail, REFUSALS)[0]
    content: dict[str, Any] = {"type": problem.urn, "title": title, "status": problem.status}
    content |= {name: value for name, value in {"detail": detail, **more}.items() if value}
    if errors:
        content["errors"] = [dict(item) for item in errors]
    stated = {"Content-Language": language, **(headers or {})}
    if problem is RegistryProblem.UNAUTHENTICATED:
        stated = {**CHALLENGE, **stated}
    if is_osia(request.scope["path"]):
        return answer_error(problem, title, detail, errors, stated)
    return JSONResponse(content, problem.status, stated, MEDIA_TYPE)


def problem_of_error(request: Request, error: EidError) -> Response:
    """The response for an error of ours."""
    if isinstance(error, ProblemError):
        headers = error.headers | ({"Connection": "close"} if error.close else {})
        return answer_problem(request, error.problem, error.detail, errors=error.errors, headers=headers)
    if isinstance(error, EnrolmentError):
        problem = _BY_REFUSAL[error.refusal]
        return answer_problem(request, problem, error.detail, refusal=error.refusal.value, guard=error.guard)
    if isinstance(error, FaultyRecordError):
        told = [{"pointer": fault.pointer, "code": fault.code} for fault in error.faults]
        errors = [{**item, "detail": text(language_of(request), "fault", item["code"])} for item in told]
        return answer_problem(request, RegistryProblem.INVALID_VALUE, errors=errors)
    if isinstance(error, UploadError):
        detail = text(language_of(request), "upload", error.refusal.value)
        return answer_problem(request, RegistryProblem.UPLOAD_REFUSED, detail, refusal=error.refusal.value)
    return _answer_error(request, error)


def _answer_error(request: Request, error: EidError) -> Response:
    found = next((kind for cause, kind in _BY_ERROR if isinstance(error, cause)), Problem.INTERNAL_ERROR)
    # What a rule or a decoder says names no value; a store's or a gateway's text may name places of this machine.
    told = isinstance(error, LifecycleError | RecordError | DecodeError)
    return answer_problem(request, found, str(error) if told else "")


def install_registry_problems(app: FastAPI) -> None:
    """Answer every error with a problem response; FastAPI's own would quote what was sent."""
    names: dict[str, frozenset[str]] = {}

    def names_of(route: APIRoute) -> frozenset[str]:
        if route.unique_id not in names:
            names[route.unique_id] = _names_of(route)
        return names[route.unique_id]

    async def on_known_error(request: Request, error: Exception) -> Response:
        if isinstance(error, EidError):
            return problem_of_error(request, error)
        return answer_problem(request, Problem.INTERNAL_ERROR)

    async def on_http_exception(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        default = Problem.MALFORMED_REQUEST if status < 500 else Problem.INTERNAL_ERROR
        headers = error.headers if isinstance(error, HTTPException) else None
        return answer_problem(request, _BY_STATUS.get(status, default), headers=headers)

    async def on_validation_error(request: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        if any(item["type"] == "json_invalid" for item in found):
            return answer_problem(request, Problem.MALFORMED_BODY)
        errors = describe_fields(found, names_of(request.scope["route"]), language_of(request))
        return answer_problem(request, Problem.INVALID_REQUEST, errors=errors)

    app.add_exception_handler(EidError, on_known_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(Exception, on_known_error)


def describe_fields(errors: Sequence[Any], known: frozenset[str], language: str) -> list[dict[str, str]]:
    """What is wrong with each field: where, code, and a sentence in a language, without a word of what was sent.

    Args:
        known: names that our own schemas declare; any other name is the sender's and becomes "?".
    """
    described = []
    for item in errors:
        place, *path = map(str, item["loc"])
        parts = [part if part in known or part.isdecimal() else "?" for part in path if part != "[key]"]
        code = fault_of(item["type"])
        name = "pointer" if place == "body" else place
        described.append(
            {name: "".join(f"/{part}" for part in parts), "code": code, "detail": text(language, "fault", code)}
        )
    return described


def _names_of(route: APIRoute) -> frozenset[str]:
    """Every member and parameter that a route's description names; that of all routes takes over a second to make."""
    names: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            names.update(value.get("properties", {}) if isinstance(value.get("properties"), dict) else ())
            if isinstance(value.get("name"), str) and "in" in value:
                names.add(value["name"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(get_openapi(title=route.name, version="1", routes=[route]))
    return frozenset(names)
