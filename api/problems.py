"""Problem responses (RFC 9457): the one place that turns errors into answers.

Texts are fixed here or come from our own codecs; nothing that was sent is ever part of an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from eid.errors import AlreadyDoneError, DecodeError, EidError, NotStoredError, StoreError, TooLateError

MEDIA_TYPE: Final = "application/problem+json"
URN: Final = "urn:eid:problem:"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a member of a `ProblemKind` says."""

    slug: str
    status: int
    title: str


class ProblemKind(Enum):
    """A problem that an API of ours answers; `slug` makes its stable type URN."""

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self._kind.status

    @property
    def title(self) -> str:
        """What happened, always in the same words."""
        return self._kind.title

    @property
    def urn(self) -> str:
        """The problem type."""
        return URN + self._kind.slug

    @property
    def slug(self) -> str:
        """The last part of the type, by which texts in other languages are found."""
        return self._kind.slug

    @property
    def _kind(self) -> Kind:
        found: Kind = self.value
        return found


@unique
class Problem(ProblemKind):
    """The problems of every API, and those of the verification API."""

    MALFORMED_BODY = Kind("malformed-body", 400, "The body is not JSON of the allowed form and size")
    MALFORMED_EVIDENCE = Kind("malformed-evidence", 400, "The evidence container is malformed")
    MALFORMED_REQUEST = Kind("malformed-request", 400, "The request is malformed")
    NOT_FOUND = Kind("not-found", 404, "There is nothing at this address")
    UNKNOWN_VERIFICATION = Kind("unknown-verification", 404, "There is no such verification")
    METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "This address does not answer to this method")
    BODY_TOO_SLOW = Kind("body-too-slow", 408, "The body took too long to arrive")
    ALREADY_SUBMITTED = Kind("already-submitted", 409, "Evidence has been sent for this verification")
    EXPIRED = Kind("expired", 410, "The verification's time is over")
    BODY_TOO_LARGE = Kind("body-too-large", 413, "The body is larger than allowed")
    FILE_TOO_LARGE = Kind("file-too-large", 413, "A file is larger than allowed")
    UNSUPPORTED_MEDIA_TYPE = Kind("unsupported-media-type", 415, "The body has an unsupported media type or coding")
    INVALID_REQUEST = Kind("invalid-request", 422, "The request does not fit its schema")
    TOO_BUSY = Kind("too-busy", 429, "Too many requests are being received at the same time")
    INTERNAL_ERROR = Kind("internal-error", 500, "An error of this service")
    STORE_UNAVAILABLE = Kind("store-unavailable", 503, "The database cannot be used at the moment")


# What can happen to any request with a body.
WITH_BODY: Final = (
    Problem.MALFORMED_REQUEST,
    Problem.MALFORMED_BODY,
    Problem.BODY_TOO_SLOW,
    Problem.BODY_TOO_LARGE,
    Problem.UNSUPPORTED_MEDIA_TYPE,
    Problem.INVALID_REQUEST,
    Problem.TOO_BUSY,
)
JUDGED: Final = (*WITH_BODY, Problem.FILE_TOO_LARGE)  # of what judges documents


class ProblemError(EidError):
    """A request cannot be served.

    Args:
        detail: one sentence that holds nothing of what was sent. errors: places in the body and what is wrong there.
        close: the connection is of no further use, for its body was not read to the end. headers: of the answer.
    """

    def __init__(
        self,
        problem: ProblemKind,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        close: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.problem = problem
        self.detail = detail
        self.errors = tuple(errors)
        self.close = close
        self.headers = dict(headers or {})
        super().__init__(problem.title, detail)


def problem_response(
    problem: ProblemKind,
    detail: str = "",
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response for a problem."""
    content: dict[str, Any] = {"type": problem.urn, "title": problem.title, "status": problem.status}
    if detail:
        content["detail"] = detail
    if errors:
        content["errors"] = [dict(item) for item in errors]
    return JSONResponse(content, problem.status, headers, MEDIA_TYPE)


# pydantic's code: our sentence. Its own sentences may quote what was sent.
_SENTENCES: Final[dict[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "an unknown member stands here",
    "bytes_invalid_encoding": "is not base64 without white space",
    "bytes_type": "is not a string",
    "string_type": "is not a string",
    "dict_type": "is not an object",
    "model_type": "is not an object",
    "literal_error": "is not one of the allowed values",
    "string_pattern_mismatch": "has not the allowed form",
    "bytes_too_long": "is too long",
    "bytes_too_short": "is too short",
}


def describe_errors(errors: Sequence[ErrorDetails], known: frozenset[str]) -> list[dict[str, str]]:
    """Where a body departs from its schema (JSON pointer) and how, without a word of the body.

    Args:
        known: member names of the schema; any other name is the sender's and becomes "?".
    """
    return [
        {
            "pointer": "".join(
                f"/{part}" if part in known else "/?" for part in map(str, item["loc"]) if part != "[key]"
            ),
            "code": item["type"],
            "detail": _SENTENCES.get(item["type"], "is not valid"),
        }
        for item in errors
    ]


_BY_ERROR: Final[tuple[tuple[type[EidError], Problem], ...]] = (
    (NotStoredError, Problem.UNKNOWN_VERIFICATION),
    (AlreadyDoneError, Problem.ALREADY_SUBMITTED),
    (TooLateError, Problem.EXPIRED),
    (StoreError, Problem.STORE_UNAVAILABLE),
    (DecodeError, Problem.MALFORMED_EVIDENCE),
)
_BY_STATUS: Final = {
    HTTPStatus.NOT_FOUND: Problem.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: Problem.METHOD_NOT_ALLOWED,
}


async def answer_refusal(request: Request, work: Callable[[Request], Awaitable[Response]]) -> Response:
    """What `work` answers, or the problem response for what it raises; anything unexpected passes."""
    try:
        return await work(request)
    except ProblemError as refusal:
        return await _on_problem(request, refusal)
    except EidError as failure:
        return await _on_known_error(request, failure)


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ProblemError):
        return await _on_unexpected(request, error)
    headers = error.headers | ({"Connection": "close"} if error.close else {})
    if error.problem is Problem.TOO_BUSY:
        headers["Retry-After"] = "1"
    return problem_response(error.problem, error.detail, errors=error.errors, headers=headers)


async def _on_known_error(request: Request, error: Exception) -> JSONResponse:
    problem = next((found for kind, found in _BY_ERROR if isinstance(error, kind)), Problem.INTERNAL_ERROR)
    # A decoder's text names what, where and which clause, never the bytes; a store's may name places of this machine.
    detail = str(error) if isinstance(error, DecodeError) else ""
    return problem_response(problem, detail)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    default = Problem.MALFORMED_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else Problem.INTERNAL_ERROR
    headers = error.headers if isinstance(error, HTTPException) else None
    return problem_response(_BY_STATUS.get(HTTPStatus(status), default), headers=headers)


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    return problem_response(Problem.INVALID_REQUEST)


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    return problem_response(Problem.INTERNAL_ERROR)


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error with a problem response; FastAPI's own would quote what was sent."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(EidError, _on_known_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Exception, _on_unexpected)
