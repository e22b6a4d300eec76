"""The envelope of an authority's register: a file of JSON with its format and version, sound or told to be damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from eid.errors import StoreError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RegisterFormat:
    """How a register stands in its file.

    Args:
        file: its name. format, version: what it says of itself.
    """

    file: str
    format: str
    version: int

    def encode(self, content: Mapping[str, object]) -> bytes:
        """JSON, readable."""
        return json.dumps({"format": self.format, "version": self.version, **content}, indent=2).encode() + b"\n"

    def decode(self, raw: bytes, build: Callable[[dict[str, Any]], T]) -> T:
        """The register that `build` makes of what stands in the file.

        Args:
            build: raises KeyError, TypeError, ValueError or AttributeError where the content is not sound.

        Raises:
            StoreError: it is of another format or version, or damaged.
        """
        try:
            told: dict[str, Any] = json.loads(raw)
            if (told["format"], told["version"]) != (self.format, self.version):
                raise StoreError(f"{self.file} is of another format or version")
            return build(told)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise StoreError(f"{self.file} is damaged") from error
