"""The scripts that names are written in. Which of them a country wants, its rules say (`eid.enrolment.rules`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

UNICODE_SCRIPTS: Final[Mapping[str, tuple[str, ...]]] = {
    "latin": ("LATIN",),
    "arabic": ("ARABIC",),
    "tifinagh": ("TIFINAGH",),
    "armenian": ("ARMENIAN",),
    "bengali": ("BENGALI",),
    "cyrillic": ("CYRILLIC",),
    "devanagari": ("DEVANAGARI",),
    "ethiopic": ("ETHIOPIC",),
    "georgian": ("GEORGIAN",),
    "greek": ("GREEK",),
    "gujarati": ("GUJARATI",),
    "gurmukhi": ("GURMUKHI",),
    "han": ("CJK ",),
    "hangul": ("HANGUL", "CJK "),
    "hebrew": ("HEBREW",),
    "japanese": ("CJK ", "HIRAGANA", "KATAKANA"),
    "kannada": ("KANNADA",),
    "khmer": ("KHMER",),
    "lao": ("LAO",),
    "malayalam": ("MALAYALAM",),
    "mongolian": ("MONGOLIAN", "CYRILLIC"),
    "myanmar": ("MYANMAR",),
    "nko": ("NKO",),
    "oriya": ("ORIYA",),
    "sinhala": ("SINHALA",),
    "tamil": ("TAMIL",),
    "telugu": ("TELUGU",),
    "thaana": ("THAANA",),
    "thai": ("THAI",),
    "tibetan": ("TIBETAN",),
}
"""Scripts in which registers write names: how the names of their letters begin in Unicode."""


def known_script(script: str) -> str:
    """The script itself, if it is one of these.

    Raises:
        ValueError: it is none.
    """
    if script not in UNICODE_SCRIPTS:
        raise ValueError("no script that names are written in")
    return script
