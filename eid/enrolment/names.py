"""Names in two scripts: folding for search, and warnings for whoever copies them from the civil status.

What is stored is what the civil-status record says, in Unicode normalization form C. Folding forgets what people write
now so, now so, and serves search alone: nothing folded is ever shown, printed or compared as a fact. The Latin spelling
is copied, never computed; a skeleton of both spellings only warns that they may belong to different names.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Final

LIKENESS: Final = 0.6  # of the skeletons of both spellings, below which an officer is warned

_ARABIC: Final = str.maketrans(
    {
        "\u0640": None,  # tatweel
        **dict.fromkeys("أإآٱ", "ا"),
        "ى": "ي",
        "ی": "ي",
        "ئ": "ي",
        "ؤ": "و",
        "ة": "ه",
        "ء": None,
        "ک": "ك",
        "گ": "ك",
        "ڭ": "ك",
        "ڤ": "ف",
        "پ": "ب",
    }
)
_LATIN: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"})
_SEPARATORS: Final = frozenset(("Zs", "Pd", "Cc", "Zl", "Zp"))


def fold(text: str) -> str:
    """A name for search: one case, no marks, no apostrophes, variants of a letter as one, words parted by one blank."""
    letters = unicodedata.normalize("NFD", text)
    for _ in range(2):  # Unicode 3.13, D146: a compatibility decomposition may have another case
        letters = unicodedata.normalize("NFKD", letters.casefold())
    letters = letters.translate(_ARABIC).translate(_LATIN)
    return " ".join("".join(_fold_letter(letter) for letter in letters).split())


def _fold_letter(letter: str) -> str:
    category = unicodedata.category(letter)
    if category in _SEPARATORS:
        return " "
    if category == "Nd":
        return str(unicodedata.digit(letter))
    return letter if category[0] == "L" else ""


def build_search_keys(pairs: Iterable[tuple[str, str]], articles: Iterable[str] = ()) -> frozenset[str]:
    """The keys by which a person is found: for each pair of family and given names both orders, folded.

    An article is part of the name; it is found without it, too.
    """
    known = tuple(fold(article) for article in articles)
    keys = set()
    for family, given in pairs:
        first, second = fold(family), fold(given)
        for head, tail in ((first, second), (second, first), (without_article(first, known), second)):
            keys.add(f"{head} {tail}".strip()[:KEY_LENGTH])
    return frozenset(keys - {""})


KEY_LENGTH: Final = 256  # characters of a key, eid.store.application_tables.ORDERED_TEXT


def without_article(folded: str, articles: Iterable[str]) -> str:
    """A folded family name without the article before it.

    In Latin letters that is a word of its own ("el mithal"), in others it is written to the name ("المثال").
    """
    for article in articles:
        before = f"{article} " if article.isascii() else article
        if folded.startswith(before) and len(folded) > len(before) + 1:
            return folded[len(before) :]
    return folded


@dataclass(frozen=True, slots=True)
class Spellings:
    """Family and given names by script."""

    family: Mapping[str, str] = field(repr=False)
    given: Mapping[str, str] = field(repr=False)


def find_name_warnings(name: Spellings, titles: Iterable[str], usual: int) -> tuple[str, ...]:
    """What an officer should look at again, by code; nothing of it forbids a name.

    Args:
        titles: words that are no part of a name. usual: so many given names are.
    """
    given = [fold(text).split() for text in name.given.values()]
    words = [*(fold(text).split() for text in name.family.values()), *given]
    warnings = []
    if any({fold(title) for title in titles} & set(part) for part in words):
        warnings.append("legacy-title")
    if any(letter.isdigit() for part in words for word in part for letter in word):
        warnings.append("digits")
    if max(map(len, given), default=0) > usual:
        warnings.append("many-given-names")
    if any(_may_differ(part.get("arabic", ""), part.get("latin", "")) for part in (name.family, name.given)):
        warnings.append("spellings-differ")
    return tuple(warnings)


# Consonants as they are heard; what Latin spellings render in many ways (vowels, ع, ه, ح, و, ي) is left out.
_ARABIC_SKELETON: Final = {
    **dict(zip("بتثجخدذرزسشصضطظغفقكلمن", "bttjkddrzscsdtdgfkklmn", strict=True)),
}
_DIGRAPHS: Final = (("tch", "c"), ("ch", "c"), ("sh", "c"), ("kh", "k"), ("gh", "g"), ("th", "t"), ("dh", "d"))
_LATIN_SKELETON: Final = {**{letter: letter for letter in "bdfgjklmnrstz"}, "c": "c", "q": "k", "p": "b", "v": "f"}


def _may_differ(arabic: str, latin: str) -> bool:
    heard, written = _arabic_skeleton(arabic), _latin_skeleton(latin)
    if not heard or not written:
        return False
    return SequenceMatcher(None, heard, written, autojunk=False).ratio() < LIKENESS


def _arabic_skeleton(text: str) -> str:
    return _collapse(_ARABIC_SKELETON.get(letter, "") for letter in fold(text))


def _latin_skeleton(text: str) -> str:
    word = fold(text)
    for sound, letter in _DIGRAPHS:
        word = word.replace(sound, letter)
    return _collapse(_LATIN_SKELETON.get(letter, "") for letter in word)


def _collapse(letters: Iterable[str]) -> str:
    """Without doubled consonants."""
    collapsed = ""
    for letter in letters:
        if not collapsed.endswith(letter) or not letter:
            collapsed += letter
    return collapsed
