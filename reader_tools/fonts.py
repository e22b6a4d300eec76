"""Where fonts are looked for: EID_FONTS, directories parted as in PATH, in place of the system's."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "EID_FONTS"


def font_directories() -> tuple[Path, ...] | None:
    """The directories that EID_FONTS names; None where it names none, and the system's are meant."""
    named = os.environ.get(VARIABLE)
    return tuple(Path(part) for part in named.split(os.pathsep)) if named else None
