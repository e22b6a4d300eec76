"""The check digit of machine readable zones (Doc 9303-3 4.9)."""

from __future__ import annotations

from typing import Final

_NO_VALUE: Final = 0xFF
_VALUES_BY_OCTET: Final = {
    **{octet: value for value, octet in enumerate(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")},
    0x3C: 0,
}
_VALUES: Final = bytes(_VALUES_BY_OCTET.get(octet, _NO_VALUE) for octet in range(256))


def compute_check_digit(data: str) -> str:
    """The check digit, one decimal digit, over `data` made of 0-9, A-Z and the filler <.

    Raises:
        ValueError: `data` holds another character.
    """
    values = data.encode("ascii", "replace").translate(_VALUES)  # what is not ASCII becomes a question mark
    if _NO_VALUE in values:
        raise ValueError("a character outside 0-9, A-Z and < has no check digit value")
    total = 0
    weight, second, third = 7, 3, 1
    for position in range(len(values)):
        total += weight * values[position]
        weight, second, third = second, third, weight
    return str(total % 10)
