"""What the two routes that judge documents have in common."""

from __future__ import annotations

from typing import Final

from api.problems import WITH_BODY, Problem, ProblemError
from eid.errors import ProfileError
from eid.services.verifying.verification import VerificationService

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
