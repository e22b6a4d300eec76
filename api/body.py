"""Request bodies, bounded before anything parses them: octets, time, and structure.

A JSON parser's memory can be sixty times its input: 4 MB of ``[],[],`` become 260 MB of values. So what stands outside
the strings is measured first; an honest body has a few hundred octets of it, whatever the files inside weigh.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar, get_args

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from api.problems import Problem, ProblemError, describe_errors
from api.schemas.requests import DataGroupNumber
from eid.evidence import ReadFile

MODEL = TypeVar("MODEL", bound=BaseModel)
MAX_QUOTES: Final = 256  # '"' in a JSON body; the largest request has 88
MAX_STRUCTURE: Final = 4 << 10  # octets outside strings
MAX_DIGITS: Final = 12  # of a Content-Length
MAX_FILE: Final = 100 << 10  # octets of any file that has no limit of its own
FILE_LIMITS: Final = {"EF.SOD": 64 << 10, "DG2": 1 << 20}
_NAMES: Final = frozenset(get_args(DataGroupNumber))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the API takes in.

    Args:
        small_body, files_body: octets of a body without files, and with them. body_seconds: for the whole body.
        bodies_in_flight: octets of all bodies that are being received or judged, together.
    """

    small_body: int = 4 << 10
    files_body: int = 4 << 20
    body_seconds: float = 10.0
    bodies_in_flight: int = 32 << 20


@dataclass(slots=True)
class BodyReader:
    """Reads bodies within limits, and counts what all of them hold at present."""

    limits: Limits = field(default_factory=Limits)
    in_flight: int = 0

    def hold(self, octets: int) -> bool:
        """Count octets as held; whether there is room for them."""
        self.in_flight += octets
        return self.in_flight <= self.limits.bodies_in_flight

    def release(self, octets: int) -> None:
        """Count octets as held no more."""
        self.in_flight -= octets

    @asynccontextmanager
    async def read(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """The whole body; counted as held until the context ends.

        Args:
            limit: octets; a greater Content-Length is refused before anything is read.

        Raises:
            ProblemError: BODY_TOO_LARGE, BODY_TOO_SLOW, TOO_BUSY, UNSUPPORTED_MEDIA_TYPE (a content coding).
        """
        _require_plain(request, limit)
        chunks: list[bytes] = []
        try:
            await self._collect(request, limit, chunks)
            yield b"".join(chunks)
        finally:
            self.release(sum(map(len, chunks)))

    async def _collect(self, request: Request, limit: int, chunks: list[bytes]) -> None:
        held = 0
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                async for chunk in request.stream():
                    chunks.append(chunk)
                    held += len(chunk)
                    has_room = self.hold(len(chunk))
                    if held > limit:
                        raise _too_large(limit)
                    if not has_room:
                        raise ProblemError(Problem.TOO_BUSY, close=True)
        except TimeoutError:
            detail = f"a body must arrive within {self.limits.body_seconds:g} seconds"
            raise ProblemError(Problem.BODY_TOO_SLOW, detail, close=True) from None
        except ClientDisconnect:
            # Nobody is left to hear it; the answer only ends the request in good order.
            raise ProblemError(Problem.MALFORMED_REQUEST, "the body broke off", close=True) from None


def _require_plain(request: Request, limit: int) -> None:
    """Refuse by the headers alone what need not be read."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(Problem.UNSUPPORTED_MEDIA_TYPE, "bodies are taken without content coding", close=True)
    stated = request.headers.get("content-length", "0")
    if not (stated.isascii() and stated.isdigit()) or len(stated) > MAX_DIGITS or int(stated) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> ProblemError:
    return ProblemError(Problem.BODY_TOO_LARGE, f"at most {limit} octets are taken", close=True)


def media_type(request: Request, *accepted: str) -> str:
    """The body's media type, lower case, without parameters.

    Raises:
        ProblemError: UNSUPPORTED_MEDIA_TYPE.
    """
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated not in accepted:
        raise ProblemError(Problem.UNSUPPORTED_MEDIA_TYPE, f"this address takes {', '.join(accepted)}", close=True)
    return stated


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
    parts = raw.split(b'"', MAX_QUOTES)
    structure = b"".join(parts[::2])
    if len(parts) > MAX_QUOTES or len(structure) > MAX_STRUCTURE or (b"\\" in raw and b'\\"' in raw):
        raise ProblemError(Problem.MALFORMED_BODY, "the body has more structure than any request has")
    return structure


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
