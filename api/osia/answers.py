"""How the OSIA operations answer: their own error body, and only status codes that the published descriptions know.

`api.registry_problems.answer_problem` asks here first, so whatever refuses a request (middleware, a dependency, a use
case, a defect) is told in OSIA's form. Where a description gives a status no content, the answer has none; what was the
matter is then named in the header `Refusal`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Response
from fastapi.responses import JSONResponse

from api.osia.schemas import Error
from api.problems import ProblemKind

PATHS: Final = re.compile(
    r"/v1/(credentialRequests|credentials|credentialProfiles|enrollments|subscriptions|topics|uin|verify|attributes"
    r"|identify)(/.*)?"
)
BARE: Final = frozenset((401, 403, 404, 409))  # described without content
REFUSAL: Final = "Refusal"
_FORBIDDEN: Final = frozenset(("wrong-state", "condition", "too-late"))  # "update not allowed", "cancel not allowed"
_BAD_REQUEST: Final = frozenset((405, 406, 411, 413, 414, 415, 422))
_DESCRIPTIONS: Final = {
    400: "Bad request",
    401: "Nobody known asks",
    403: "Not allowed, to this caller or in this state",
    404: "Unknown record",
    409: "There is one under this identifier",
    500: "Unexpected error",
}


def is_osia(path: str) -> bool:
    """Whether an address is one of OSIA's."""
    return PATHS.fullmatch(path) is not None


def answer_error(
    problem: ProblemKind, title: str, detail: str, errors: Sequence[Mapping[str, str]], headers: Mapping[str, str]
) -> Response:
    """A problem in OSIA's words: code is the status that our own operations would answer."""
    status = _status_of(problem)
    if status in BARE:
        return Response(status_code=status, headers={**headers, REFUSAL: problem.slug})
    faults = [f"{item.get('pointer') or item.get('query') or '/'}: {item.get('detail', '')}" for item in errors]
    message = ". ".join(part for part in (title, detail, "; ".join(faults)) if part)
    return JSONResponse({"code": problem.status, "message": message}, status, dict(headers))


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of an operation, for its description."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in (*statuses, 401):
        found[status] = {"description": _DESCRIPTIONS[status]}
        if status not in BARE:
            found[status]["model"] = Error
    return found


def _status_of(problem: ProblemKind) -> int:
    if problem.slug in _FORBIDDEN:
        return 403
    if problem.status in _BAD_REQUEST:
        return 400
    return 500 if problem.status in (502, 503) and problem.slug != "too-busy" else problem.status
