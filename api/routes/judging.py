"""What the two routes that judge documents have in common."""

from __future__ import annotations

from typing import Final

from api.problems import Problem, ProblemError
from eid.errors import ProfileError
from eid.services.verifying.verification import VerificationService

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
JUDGED: Final = (*WITH_BODY, Problem.FILE_TOO_LARGE)


def policy_or_problem(service: VerificationService, name: str) -> None:
    """Refuse a policy that there is not.

    Raises:
        ProblemError: INVALID_REQUEST.
    """
    try:
        service.policy(name)
    except ProfileError as error:
        place = {"pointer": "/policy", "code": "unknown_policy", "detail": str(error)}
        raise ProblemError(Problem.INVALID_REQUEST, errors=[place]) from None
