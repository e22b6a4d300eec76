"""Finding the fonts that a layout names, in the directories of the system and of the caller."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from PIL import ImageFont, features

from eid.errors import ProfileError
from eid.profile.layout import FaceLayout, is_from_the_right

SYSTEM_DIRECTORIES: Final = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("/Library/Fonts"))
SUFFIXES: Final = (".ttf", ".otf")
SHAPING: Final = "libfribidi"  # of the system: Pillow brings libraqm along, but not this, and sets no Arabic without it

Font = ImageFont.FreeTypeFont


class FontBook:
    """The fonts of one layout by role; loaded at pixel sizes as asked, each once.

    A Latin role without a font file falls back to the one built into Pillow; other roles are then absent. `missing`
    holds, for each role whose font was not found, the file that the layout prefers, and `SHAPING` where there is a font
    of a script that runs from the right and nothing to set it with.
    """

    def __init__(self, layout: FaceLayout, directories: Sequence[Path] | None = None) -> None:
        found = _index(SYSTEM_DIRECTORIES if directories is None else directories)
        shaping = features.check("raqm")
        self._paths: dict[str, Path | None] = {}
        missing = []
        for role, names in layout.fonts.items():
            path = next((found[name] for name in names if name in found), None)
            unset = path is not None and is_from_the_right(role) and not shaping
            self._paths[role] = None if unset else path  # letters would stand apart and in the wrong order
            if self._paths[role] is None:
                missing.append(SHAPING if unset else names[0])
        self.missing: tuple[str, ...] = tuple(dict.fromkeys(missing))
        self._loaded: dict[tuple[str, float], Font] = {}
        if missing and layout.when_font_missing == "error":
            raise ProfileError(f"fonts are missing: {', '.join(missing)}")

    def has(self, role: str) -> bool:
        """Whether texts of this role can be shown."""
        return self._paths[role] is not None or role.startswith("latin")

    def showable(self, role: str, text: str) -> str:
        """The text as the role's font can show it: the font built into Pillow has no accented letters."""
        if self._paths[role] is not None:
            return text
        return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))

    def load(self, role: str, size: float) -> Font:
        """The font of a role with an em of `size` pixels.

        Raises:
            ProfileError: the file is no font.
        """
        key = (role, size)
        if key not in self._loaded:
            self._loaded[key] = self._open(role, size)
        return self._loaded[key]

    def _open(self, role: str, size: float) -> Font:
        path = self._paths[role]
        if path is None:
            built_in = ImageFont.load_default(size)
            if not isinstance(built_in, ImageFont.FreeTypeFont):
                raise ProfileError("Pillow has no FreeType, so no text can be drawn")
            return built_in
        engine = ImageFont.Layout.RAQM if is_from_the_right(role) else ImageFont.Layout.BASIC
        try:
            # Octets, not a path: given a path that fails, Pillow goes looking for the name elsewhere.
            return ImageFont.truetype(io.BytesIO(path.read_bytes()), size, layout_engine=engine)
        except OSError:
            raise ProfileError(f"the font file {path.name} cannot be read") from None


def _index(directories: Iterable[Path]) -> dict[str, Path]:
    """Font files by name; the first directory that has a name wins."""
    found: dict[str, Path] = {}
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            if path.suffix in SUFFIXES:
                found.setdefault(path.name, path)
    return found
