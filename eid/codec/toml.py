"""TOML read within bounds: what people write by hand never needs more, and the standard library sets none.

`tomllib` takes time that grows with the cube of the parts of a dotted key (16 KiB: seconds), and recurses into arrays.
"""

from __future__ import annotations

import tomllib
from typing import Any, Final

from eid.errors import DecodeError

MAX_TOML: Final = 1 << 18  # octets
MAX_DOTS: Final = 64  # in one line


def decode_toml(raw: bytes) -> dict[str, Any]:
    """The table that a TOML document is.

    Args:
        raw: UTF-8, at most 262,144 octets, at most 64 dots in a line.

    Raises:
        DecodeError: malformed, or over a bound; the text names the line.
    """
    if len(raw) > MAX_TOML:
        raise DecodeError(f"larger than {MAX_TOML} octets", offset=0)
    for number, octets in enumerate(raw.split(b"\n"), start=1):
        if octets.count(b".") > MAX_DOTS:
            raise DecodeError(f"over {MAX_DOTS} dots (at line {number})")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DecodeError(f"not UTF-8 (at line {line})") from None
    except tomllib.TOMLDecodeError as error:
        raise DecodeError(str(error)) from None
    except RecursionError:
        raise DecodeError("nested too deep") from None
    except ValueError:  # a number of over 4300 digits, a date that is none
        raise DecodeError("a value that cannot be read") from None
