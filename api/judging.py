"""A body with files, judged: what `POST /v1/passive-authentication` answers, whichever way the request came."""

from __future__ import annotations

from api.context import Context
from api.json_body import SMALLEST_LIMIT, decode_json, require_file_sizes
from api.problems import Problem, ProblemError
from api.schemas.requests import PassiveAuthentication
from eid.errors import ProfileError
from eid.services.verifying.submission import Upload, submitted_files
from eid.services.verifying.verification import VerificationService
from eid.verification.report import encode_report


def judge_body(context: Context, raw: bytes) -> bytes:
    """The report on the files of a body, JSON as it is sent.

    Raises:
        ProblemError: the body cannot be judged.
    """
    body = decode_json(PassiveAuthentication, raw)
    require_policy(context.service, body.policy)
    groups = {int(number): content for number, content in body.data_groups.items()}
    if len(raw) > SMALLEST_LIMIT:  # in a smaller body no file is too large
        require_file_sizes(submitted_files(Upload(body.sod, groups)))
    return encode_report(context.service.authenticate_passively(body.sod, groups, body.policy))


def require_policy(service: VerificationService, name: str) -> None:
    """Refuse a policy that there is not.

    Raises:
        ProblemError: INVALID_REQUEST.
    """
    try:
        service.policy(name)
    except ProfileError as error:
        place = {"pointer": "/policy", "code": "unknown_policy", "detail": str(error)}
        raise ProblemError(Problem.INVALID_REQUEST, errors=[place]) from None
