"""Answer to reset, read: interface bytes, protocols, historical bytes (ISO/IEC 7816-3 8.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from eid.errors import DecodeError

CLAUSE: Final = "ISO/IEC 7816-3 8.2"
MAX_LENGTH: Final = 33  # octets with TS
CONVENTIONS: Final = {0x3B: "direct", 0x3F: "inverse"}
FURTHER_BYTES: Final = ((0x10, "TA"), (0x20, "TB"), (0x40, "TC"), (0x80, "TD"))  # bit of Y, name


@dataclass(frozen=True, slots=True)
class Atr:
    """A decoded ATR.

    Args:
        convention: "direct" or "inverse". interface_bytes: (name, value) in order, e.g. ("TD1", 0x81).
        protocols: the T numbers that are offered, first one first; T=0 where the ATR names none. T=15 is no protocol
            but says that global interface bytes follow, and is left out.
        check: TCK, or None where there is none.
    """

    raw: bytes
    convention: str
    interface_bytes: tuple[tuple[str, int], ...]
    protocols: tuple[int, ...]
    historical_bytes: bytes
    check: int | None


def decode_atr(raw: bytes) -> Atr:
    """Decode an ATR.

    Raises:
        DecodeError: cut, too long, its check octet is wrong or missing, or octets follow it.
    """
    if not 2 <= len(raw) <= MAX_LENGTH:
        raise DecodeError(f"ATR of {len(raw)} octets", clause=CLAUSE)
    if raw[0] not in CONVENTIONS:
        raise DecodeError(f"ATR begins with {raw[0]:02X}, not with 3B or 3F", offset=0, clause=CLAUSE)
    interface_bytes, offset = _read_interface_bytes(raw)
    named = [value & 0x0F for name, value in interface_bytes if name.startswith("TD")]
    historical = raw[offset : offset + (raw[1] & 0x0F)]
    if len(historical) < raw[1] & 0x0F:
        raise DecodeError("historical bytes of the ATR are cut", offset=offset, clause=CLAUSE)
    check = _read_check(raw, offset + len(historical), is_due=any(named))
    protocols = tuple(dict.fromkeys(number for number in named if number != 15)) or (0,)
    return Atr(raw, CONVENTIONS[raw[0]], interface_bytes, protocols, historical, check)


def _read_interface_bytes(raw: bytes) -> tuple[tuple[tuple[str, int], ...], int]:
    """TA, TB, TC, TD of each group, as T0 and each TD announce them, and where they end."""
    found: list[tuple[str, int]] = []
    announced, offset, group = raw[1], 2, 1
    while announced & 0xF0:
        following = 0
        for bit, name in FURTHER_BYTES:
            if not announced & bit:
                continue
            if offset >= len(raw):
                raise DecodeError("interface bytes of the ATR are cut", offset=offset, clause=CLAUSE)
            found.append((f"{name}{group}", raw[offset]))
            following = raw[offset] if name == "TD" else 0
            offset += 1
        announced, group = following, group + 1
    return tuple(found), offset


def _read_check(raw: bytes, offset: int, *, is_due: bool) -> int | None:
    """TCK, which is there unless T=0 alone is offered (ISO/IEC 7816-3 8.2.5)."""
    if len(raw) != offset + is_due:
        raise DecodeError("the ATR is cut before its check octet, or goes on", offset=offset, clause=CLAUSE)
    if not is_due:
        return None
    if reduce(xor, raw[1:]):
        raise DecodeError("check octet of the ATR is wrong", offset=offset, clause="ISO/IEC 7816-3 8.2.5")
    return raw[offset]
