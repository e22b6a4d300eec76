"""Canaries: values that must not come out, in every form in which they might, and the search for them."""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 5  # characters of a form; fewer turn up by chance


def forms_of(value: str) -> frozenset[str]:
    """A value as it is, composed, decomposed, bare of accents, in URLs, JSON, hexadecimal and base64; small letters."""
    spoken = {unicodedata.normalize(form, value) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", value) if not unicodedata.combining(letter))
    spoken |= {bare, bare.replace(" ", ""), bare.replace(" ", "<")}
    written = {form for text in spoken for form in _written(text)}
    return frozenset(form.casefold() for form in written if len(form) >= SHORTEST)


def _written(text: str) -> set[str]:
    raw = text.encode()
    shown = {text, quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1], raw.hex(), repr(raw)[2:-1]}
    for before in range(3):  # base64 looks otherwise by where in a group of three octets it begins
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(bytes(before) + raw).decode().rstrip("=")
            is_cut = (before + len(raw)) % 3 != 0  # then what follows the value has bits in its last character
            shown.add(encoded[-(-before * 8 // 6) : -1 if is_cut else None])
    return shown


def find_leaks(canaries: Iterable[str], places: Mapping[str, str]) -> list[str]:
    """Where a canary is found in any form: names of places, without the value."""
    forms = {form for canary in canaries for form in forms_of(canary)}
    return sorted(name for name, text in places.items() if any(form in text.casefold() for form in forms))
