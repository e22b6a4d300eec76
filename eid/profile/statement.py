"""What every table of a profile has in common, and how its octets and numbers are written."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer


class Statement(BaseModel):
    """Base of every table of a profile: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _octets(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("octets are written as a hexadecimal string")
    return bytes.fromhex(text)


def _number(text: object) -> int:
    if not isinstance(text, str) or re.fullmatch(r"[0-9A-Fa-f]{1,132}", text) is None:
        raise ValueError("a number is written as a hexadecimal string of 132 digits at most")
    return int(text, 16)


Octets = Annotated[bytes, BeforeValidator(_octets), PlainSerializer(lambda raw: raw.hex().upper(), return_type=str)]
Number = Annotated[int, BeforeValidator(_number), PlainSerializer(lambda value: f"{value:X}", return_type=str)]
