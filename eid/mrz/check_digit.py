"""The check digit of machine readable zones (Doc 9303-3 4.9)."""

from __future__ import annotations

from typing import Final

WEIGHTS: Final = (7, 3, 1)
VALUES: Final = {character: value for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}


def compute_check_digit(data: str) -> str:
    """The check digit, one decimal digit, over `data` made of 0-9, A-Z and the filler <.

    Raises:
        ValueError: `data` holds another character.
    """
    try:
        values = [VALUES[character] for character in data]
    except KeyError:
        raise ValueError("a character outside 0-9, A-Z and < has no check digit value") from None
    return str(sum(value * WEIGHTS[index % 3] for index, value in enumerate(values)) % 10)
