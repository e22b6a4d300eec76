"""Names into the letters A to Z of the machine readable zone (Doc 9303-3 section 6 and 4.6).

The tables are data, as published: A Latin, B Cyrillic, C Arabic. Where the standard offers several values, the first is
used. What the tables leave out and practice settles stands apart in `BEYOND`.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from eid.errors import RecordError

_PLAIN: Final = (
    ("A", "ÀÁÂÃĀĂĄ"),
    ("C", "ÇĆĈĊČ"),
    ("D", "ÐĎĐ"),
    ("E", "ÈÉÊËĒĔĖĘĚ"),
    ("G", "ĜĞĠĢ"),
    ("H", "ĤĦ"),
    ("I", "ÌÍÎÏĨĪĬĮİı"),
    ("J", "Ĵ"),
    ("K", "Ķ"),
    ("L", "ĹĻĽĿŁ"),
    ("N", "ÑŃŅŇŊ"),
    ("O", "ÒÓÔÕŌŎŐ"),
    ("R", "ŔŖŘ"),
    ("S", "ŚŜŞŠ"),
    ("T", "ŢŤŦ"),
    ("U", "ÙÚÛŨŪŬŮŰŲ"),
    ("W", "Ŵ"),
    ("Y", "ÝŶŸ"),
    ("Z", "ŹŻŽ"),
)
_LIGATURES: Final = {
    "Ä": "AE",
    "Å": "AA",
    "Æ": "AE",
    "Ö": "OE",
    "Ø": "OE",
    "Œ": "OE",
    "Ü": "UE",
    "Þ": "TH",
    "Ĳ": "IJ",
    "ẞ": "SS",
}
LATIN: Final = {letter: base for base, letters in _PLAIN for letter in letters} | _LIGATURES  # Doc 9303-3 6.A

CYRILLIC: Final = {  # Doc 9303-3 6.B
    **dict(zip("АБВГДЕЗИЙКЛМНОПРСТУФ", "ABVGDEZIIKLMNOPRSTUF", strict=True)),
    **dict(zip("ЁІЇЈЎЫЭѪѴҐҒҺ", "EIIJUYEUYGGC", strict=True)),
    **{"Ђ": "D", "Є": "IE", "Ѕ": "DZ", "Љ": "LJ", "Њ": "NJ", "Ќ": "K", "Џ": "DZ", "Ж": "ZH", "Х": "KH", "Ц": "TS"},
    **{"Ч": "CH", "Ш": "SH", "Щ": "SHCH", "Ъ": "IE", "Ю": "IU", "Я": "IA"},
}
# The exceptions of 6.B by language (ISO 639-1). Its Г = H for Serbian is left out: Serbian writes G there, and the
# 0492 = GJ for Macedonian is meant for 0403, see BEYOND.
BY_LANGUAGE: Final = {
    "be": {"Ё": "IO", "Г": "H"},
    "bg": {"Щ": "SHT"},
    "mk": {"Ќ": "KJ", "Џ": "DJ", "Х": "H", "Ц": "C", "Ѓ": "GJ"},
    "sr": {"Ж": "Z", "Х": "H", "Ц": "C", "Ч": "C", "Ш": "S"},
    "uk": {"Г": "H", "И": "Y"},
}
UKRAINIAN_FIRST: Final = {"Є": "YE", "Ї": "YI", "Й": "Y", "Ю": "YU", "Я": "YA"}

ARABIC: Final = {  # Doc 9303-3 6.C; teh marbuta and shadda are rules, below
    **{"ء": "XE", "آ": "XAA", "أ": "XAE", "ؤ": "U", "إ": "I", "ئ": "XI", "ا": "A", "ب": "B", "ت": "T", "ث": "XTH"},
    **{"ج": "J", "ح": "XH", "خ": "XKH", "د": "D", "ذ": "XDH", "ر": "R", "ز": "Z", "س": "S", "ش": "XSH", "ص": "XSS"},
    **{"ض": "XDZ", "ط": "XTT", "ظ": "XZZ", "ع": "E", "غ": "G", "ف": "F", "ق": "Q", "ك": "K", "ل": "L", "م": "M"},
    **{"ن": "N", "ه": "H", "و": "W", "ى": "XAY", "ي": "Y", "\u0671": "XXA", "\u0679": "XXT", "\u067c": "XRT"},
    **{"\u067e": "P", "\u0681": "XKE", "\u0685": "XXH", "\u0686": "XC", "\u0688": "XXD", "\u0689": "XDR"},
    **{"\u0691": "XXR", "\u0693": "XRR", "\u0696": "XRX", "\u0698": "XJ", "\u069a": "XXS", "\u06a4": "V"},
    **{"\u06a5": "XF", "\u06a9": "XKK", "\u06ab": "XXK", "\u06ad": "XNG", "\u06af": "XGG", "\u06ba": "XNN"},
    **{"\u06bc": "XXN", "\u06be": "XDO", "\u06c0": "XYH", "\u06c1": "XXG", "\u06c2": "XGE", "\u06c3": "XTG"},
    **{"\u06cc": "XYA", "\u06cd": "XXY", "\u06d0": "Y", "\u06d2": "XYB", "\u06d3": "XBE"},
}
ARABIC_NOT_ENCODED: Final = frozenset("\u0640\u064b\u064c\u064d\u064e\u064f\u0650\u0652\u0670\u069c\u06a2\u06a7\u06a8")
TEH_MARBUTA: Final = "\u0629"
SHADDA: Final = "\u0651"

BEYOND: Final = {"Ș": "S", "Ț": "T", "Ə": "A", "Ь": "", "Ѓ": "G", "Ћ": "C", "Ѐ": "E", "Ѝ": "I"}

SEPARATES: Final = frozenset(
    " -\u2010\u2011\u2013,<\u00a0"
)  # Doc 9303-3 4.6: hyphens, spaces, commas become one filler
# Letters of these scripts wear no hidden meaning in a name; anything else must be transliterated by the registrar.
_PUNCTUATION_CATEGORIES: Final = frozenset(("Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Lm", "Sk"))


def transliterate(name: str, language: str | None = None) -> str:
    """A name in A-Z, its components separated by one space.

    Apostrophes and other punctuation vanish and join what they separated; hyphens, spaces and commas separate
    components (Doc 9303-3 4.6). `language` (ISO 639-1) selects the exceptions of the Cyrillic table.

    Raises:
        RecordError: a character has no value in Doc 9303-3 section 6.
    """
    spaced = "".join(" " if character in SEPARATES else character for character in unicodedata.normalize("NFC", name))
    components = (_transliterate_component(part.upper(), language) for part in spaced.split())
    return " ".join(component for component in components if component)


def _transliterate_component(component: str, language: str | None) -> str:
    letters = [letter for letter in component if letter not in ARABIC_NOT_ENCODED]
    latin: list[str] = []
    for index, letter in enumerate(letters):
        if letter == SHADDA:  # 6.C note 3: the Latin character or sequence before it is repeated
            latin.extend(latin[-1:])
        elif letter == TEH_MARBUTA:  # 6.C note 2
            latin.append("XAH" if all(later == SHADDA for later in letters[index + 1 :]) else "XTA")
        elif language == "uk" and not latin and letter in UKRAINIAN_FIRST:
            latin.append(UKRAINIAN_FIRST[letter])
        else:
            latin.append(_transliterate_letter(letter, language))
    return "".join(latin)


def _transliterate_letter(letter: str, language: str | None) -> str:
    if "A" <= letter <= "Z":
        return letter
    for table in (BY_LANGUAGE.get(language or "", {}), LATIN, CYRILLIC, ARABIC, BEYOND):
        if letter in table:
            return table[letter]
    if unicodedata.category(letter) in _PUNCTUATION_CATEGORIES:
        return ""
    base = unicodedata.normalize("NFD", letter)[0]  # e.g. the stacked accents of Vietnamese
    if base != letter and "A" <= base <= "Z":
        return base
    raise RecordError(f"a name has a character that Doc 9303-3 section 6 does not transliterate (U+{ord(letter):04X})")
