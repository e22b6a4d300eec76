"""Load card profiles from TOML, and explain a faulty one by line."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from eid.codec.toml import MAX_TOML, decode_toml
from eid.country_files import find_country_profile, find_places
from eid.errors import DecodeError, ProfileError
from eid.profile.layout import decode_face_layout
from eid.profile.schema import CardProfile

MAX_SIZE: Final = MAX_TOML
MAX_KEY: Final = 256  # characters of a line that are looked at for its key


@dataclass(frozen=True, slots=True)
class LoadedProfile:
    """A profile, where it came from, and the SHA-256 of its bytes, which every card issued under it remembers."""

    profile: CardProfile
    source: str
    digest: bytes
    layout: bytes | None


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a profile: the key it is about, the line (1-based; 0 where unknown), and what is wrong."""

    key: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.key}: {self.message}" if self.key else f"line {self.line}: {self.message}"


def shipped_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the system, sorted."""
    names = (item.name for item in files("card_profiles").iterdir())
    return tuple(sorted(name[:-5] for name in names if name.endswith(".toml") and name.count(".") == 1))


def load_profile(name_or_path: str) -> LoadedProfile:
    """Load a country's own or a shipped profile by its name, or any profile by the path of its file.

    Raises:
        ProfileError: there is none, or it is faulty; the text names the first fault and its line.
    """
    place, source = _locate(name_or_path)
    raw = _read(place, source)
    profile, problems = check_profile(raw)
    if profile is None:
        first = problems[0]
        raise ProfileError(
            f"{first.key}: {first.message}" if first.key else first.message, path=source, line=first.line
        )
    layout = None if profile.layout is None else _read(_beside(place, profile.layout), profile.layout)
    if layout is not None:
        _verify_layout(layout, str(profile.layout))
    digest = hashlib.sha256(raw + (layout or b"")).digest()
    return LoadedProfile(profile, source, digest, layout)


def check_profile(raw: bytes) -> tuple[CardProfile | None, tuple[Problem, ...]]:
    """Parse and check a profile's bytes: the profile, or every problem found, in the order of their lines."""
    try:
        table = decode_toml(raw)
    except DecodeError as error:
        return None, (_syntax_problem(error.what, raw),)
    try:
        return CardProfile.model_validate(table), ()
    except ValidationError as error:
        return None, _problems(error, raw.decode("utf-8"))


def _syntax_problem(message: str, raw: bytes) -> Problem:
    place = re.search(r"at line (\d+)", message)
    line = int(place.group(1)) if place else raw.count(b"\n") + 1
    return Problem("", line, message)


def _problems(error: ValidationError, text: str) -> tuple[Problem, ...]:
    lines = index_lines(text)
    found = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        place = tuple(part for part in item["loc"] if isinstance(part, int) or _is_key(part))
        message = item["msg"].removeprefix("Value error, ")
        found.append(Problem(_dotted(place), _line_of(place, lines), message))
    return tuple(sorted(found, key=lambda problem: problem.line))


def _is_key(part: str) -> bool:
    """Whether a part of a place is a key: pydantic also names there which kind of value it was trying."""
    return re.fullmatch(r"[A-Za-z0-9_-]+", part) is not None


def _dotted(location: tuple[int | str, ...]) -> str:
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key


def _line_of(location: tuple[int | str, ...], lines: dict[str, int]) -> int:
    """The line of the key, or of the nearest thing around it that stands in the file."""
    around = (_dotted(location[:length]) for length in range(len(location), 0, -1))
    return next((lines[key] for key in around if key in lines), 1)


def index_lines(text: str) -> dict[str, int]:
    """Line of every key and table header of a TOML text, by its dotted name (`application.keys[0].curve`)."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, whole in enumerate(text.splitlines(), start=1):
        line = whole[:MAX_KEY]
        if header := re.match(r"\s*\[\[\s*([^\]]+?)\s*\]\]", line):
            name = header.group(1)
            table = f"{name}[{counts.get(name, 0)}]"
            counts[name] = counts.get(name, 0) + 1
            lines[table] = number
            lines.setdefault(name, number)
        elif header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
            table = _within_rows(header.group(1), counts)
            lines[table] = number
        elif key := re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line):
            lines[f"{table}.{key.group(1)}" if table else key.group(1)] = number
            lines.setdefault(table, number)
    return lines


def _within_rows(name: str, counts: dict[str, int]) -> str:
    """A table's name, where it stands below a row of an array the number of that row with it (TOML 1.0.0)."""
    around = next((array for array in counts if name.startswith(f"{array}.")), None)
    return name if around is None else f"{around}[{counts[around] - 1}]{name.removeprefix(around)}"


def _verify_layout(layout: bytes, source: str) -> None:
    try:
        decode_face_layout(layout)
    except ProfileError as error:
        raise ProfileError(error.what, path=source) from None


def _locate(name_or_path: str) -> tuple[Any, str]:
    if name_or_path.endswith(".toml") or "/" in name_or_path:
        return Path(name_or_path), name_or_path
    own = find_country_profile(find_places(), name_or_path)
    if own is not None:
        return own, str(own)
    if name_or_path not in shipped_profiles():
        raise ProfileError(f"no profile {name_or_path!r}; there are {', '.join(shipped_profiles())}")
    return files("card_profiles") / f"{name_or_path}.toml", name_or_path


def _beside(place: Path | Traversable, name: str) -> Path | Traversable:
    if "/" in name or name.startswith("."):
        raise ProfileError(f"layout {name!r} must be a file beside the profile")
    return place.parent / name if isinstance(place, Path) else files("card_profiles") / name


def _read(place: Path | Traversable, source: str) -> bytes:
    try:
        with place.open("rb") as file:
            raw = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise ProfileError(f"cannot be read: {error.strerror}", path=source) from error
    if len(raw) > MAX_SIZE:
        raise ProfileError(f"larger than {MAX_SIZE} octets", path=source)
    return raw
