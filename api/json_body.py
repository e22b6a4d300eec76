"""JSON bodies, bounded before they are parsed, and the files in them.

A JSON parser's memory can be sixty times its input: 4 MB of ``[],[],`` become 260 MB of values. So what stands outside
the strings is measured first; an honest body has a few hundred octets of it, whatever the files inside weigh.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from api.problems import Problem, ProblemError, describe_errors
from api.schemas.requests import DataGroupNumber
from eid.evidence import ReadFile

MODEL = TypeVar("MODEL", bound=BaseModel)
MAX_STRINGS: Final = 128  # in a JSON body, and one less; the largest request has 44
MAX_STRUCTURE: Final = 4 << 10  # octets outside strings
MAX_FILE: Final = 100 << 10  # octets of any file that has no limit of its own
FILE_LIMITS: Final = {"EF.SOD": 64 << 10, "DG2": 1 << 20}
SMALLEST_LIMIT: Final = min(MAX_FILE, *FILE_LIMITS.values())
_NAMES: Final = frozenset(get_args(DataGroupNumber))


def decode_json(model: type[MODEL], raw: bytes) -> MODEL:
    """Parse a JSON body by its schema.

    Raises:
        ProblemError: MALFORMED_BODY (not JSON, too much structure, a member twice) or INVALID_REQUEST.
    """
    structure = _require_bounded(raw)
    try:
        value = model.model_validate_json(raw)
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_context=False, include_input=False)
        if errors[0]["type"] == "json_invalid":
            raise ProblemError(Problem.MALFORMED_BODY, "the body is not JSON (RFC 8259)") from None
        described = describe_errors(errors, _NAMES.union(_member_names(model)))
        raise ProblemError(Problem.INVALID_REQUEST, errors=described) from None
    # A name that stands twice, where parsers differ on which one counts, makes one colon too many (RFC 8259 4).
    if structure.count(b":") != _count_members(value):
        raise ProblemError(Problem.MALFORMED_BODY, "a member stands twice in the body")
    return value


def _require_bounded(raw: bytes) -> bytes:
    """What of a JSON text stands outside its strings.

    No value that a request may hold has a quote in it, so escaped ones are refused and every quote is a delimiter.
    """
    pieces, place = [], 0
    for _ in range(MAX_STRINGS):  # by `find`, which looks at many octets at once; `split` looks at each of them
        opening = raw.find(b'"', place)
        closing = -1 if opening < 0 else raw.find(b'"', opening + 1)
        pieces.append(raw[place:] if opening < 0 else raw[place:opening])
        if closing < 0:
            break
        place = closing + 1
    else:
        raise _too_much()
    structure = b"".join(pieces)
    # By `find`, too: `in` would first ask whether the octets are a number.
    if len(structure) > MAX_STRUCTURE or (raw.find(b"\\") >= 0 and raw.find(b'\\"') >= 0):
        raise _too_much()
    return structure


def _too_much() -> ProblemError:
    return ProblemError(Problem.MALFORMED_BODY, "the body has more structure than any request has")


def _member_names(model: type[BaseModel]) -> frozenset[str]:
    names = set(model.model_fields)
    for info in model.model_fields.values():
        for kind in (info.annotation, *get_args(info.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names |= kind.model_fields.keys()
    return frozenset(names)


def _count_members(value: object) -> int:
    if isinstance(value, BaseModel):
        return sum(1 + _count_members(getattr(value, name)) for name in value.model_fields_set)
    return len(value) if isinstance(value, dict) else 0


def require_file_sizes(files: Iterable[ReadFile]) -> None:
    """Refuse files that are larger than any honest one.

    Raises:
        ProblemError: FILE_TOO_LARGE.
    """
    for item in files:
        limit = FILE_LIMITS.get(item.name, MAX_FILE)
        if item.content is not None and len(item.content) > limit:
            name = item.name if item.name in FILE_LIMITS else "a file"
            raise ProblemError(Problem.FILE_TOO_LARGE, f"{name} has more than {limit} octets")
