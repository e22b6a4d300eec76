"""What was learnt of kinds of cards: how much they give at once (docs/formats/reading-habits.md).

Kinds, not cards: the key is a digest of the answer to reset and the application, which a product's cards share. There
is no time, no reader and no count in the file, at most `MAX_KINDS` entries, and only what differs from the usual, so
that it tells nobody who was read when.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from eid.inspection.habits import UNKNOWN, ReadingHabits

FORMAT: Final = "eid-reading-habits"
VERSION: Final = 1
MAX_KINDS: Final = 64
MAX_SIZE: Final = 1 << 16  # octets of the file
KEY_LENGTH: Final = 16  # hexadecimal digits
FILE_NAME: Final = "reading-habits.json"


def key_of(atr: bytes, aid: bytes) -> str:
    """The key of a kind of card."""
    return hashlib.sha256(len(atr).to_bytes(1, "big") + atr + aid).hexdigest()[:KEY_LENGTH]


def load_habits(directory: Path, key: str) -> ReadingHabits:
    """What is known of a kind; `UNKNOWN` also where the file is lost or damaged, for it can be learnt anew."""
    found = _load(directory / FILE_NAME).get(key)
    return UNKNOWN if found is None else found


def store_habits(directory: Path, key: str, habits: ReadingHabits) -> None:
    """Remember what was learnt of a kind, and forget what is usual again; the oldest entry gives way to a new one.

    That it cannot be written is no harm: it will be learnt again.
    """
    path = directory / FILE_NAME
    kinds = _load(path)
    before = dict(kinds)
    kinds.pop(key, None)
    if habits != UNKNOWN:
        kinds[key] = habits
    if list(kinds.items()) != list(before.items()):
        _write(path, dict(list(kinds.items())[-MAX_KINDS:]))


def _load(path: Path) -> dict[str, ReadingHabits]:
    try:
        with open(path, "rb") as file:
            told = json.loads(file.read(MAX_SIZE))
        if (told["format"], told["version"]) != (FORMAT, VERSION):
            return {}
        return {str(key): _decode(item) for key, item in told["kinds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _decode(item: dict[str, object]) -> ReadingHabits:
    piece, is_eager = item["piece"], item["is_eager"]
    if type(piece) is not int or type(is_eager) is not bool or not (piece == 0 or 1 <= piece <= 1 << 16):
        raise ValueError("malformed")
    return ReadingHabits(piece, is_eager)


def _write(path: Path, kinds: dict[str, ReadingHabits]) -> None:
    told = {key: {"piece": habits.piece, "is_eager": habits.is_eager} for key, habits in kinds.items()}
    text = json.dumps({"format": FORMAT, "version": VERSION, "kinds": told}, indent=1)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, "ascii")
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
