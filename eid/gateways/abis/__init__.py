"""The port to a biometric identification system, as OSIA names its parts (ABIS interface 1.6.0).

`osia.py` speaks to a real one over HTTP; `sandbox.py` is a small one of our own for trials, in this process or served.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

ALL_GALLERIES: Final = "ALL"  # OSIA ABIS 1.5.0: a search against all galleries


@dataclass(frozen=True, slots=True)
class Biometric:
    """One item of an encounter.

    Args:
        type, subtype: OSIA's names, e.g. FINGER and RIGHT_INDEX. format: compression of an image, or template format.
    """

    type: str
    subtype: str
    format: str
    octets: bytes = field(repr=False)
    is_template: bool = False
    quality: int | None = None
    quality_format: str | None = None


@dataclass(frozen=True, slots=True)
class Encounter:
    """What was taken of a person on one occasion; identifiers are ours."""

    person: str
    encounter: str
    biometrics: tuple[Biometric, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody whose biometrics are like those that were searched.

    Args:
        rank: from 1. score: on the system's own scale. encounters: on which occasions, where the system says so.
    """

    person: str
    rank: int
    score: float
    encounters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pending:
    """The system answers later, by calling back under this task identifier."""

    task: str


class Abis(Protocol):
    """A biometric identification system."""

    def create_encounter(self, encounter: Encounter, transaction: str) -> None:
        """Keep an encounter; one that is there already under its identifiers stays as it is.

        Raises:
            GatewayError: the system cannot be reached, or refuses.
        """

    def identify(self, encounter: Encounter, transaction: str) -> tuple[Candidate, ...] | Pending:
        """Search all galleries for persons like the one of a kept encounter.

        Raises:
            GatewayError: the system cannot be reached, or refuses.
        """

    def delete_encounter(self, encounter: Encounter, transaction: str) -> None:
        """Forget an encounter; harmless where there is none.

        Raises:
            GatewayError: the system cannot be reached, or refuses.
        """

    def redeliver(self, task: str) -> bool:
        """Ask for an answer to be sent again; False where the system knows no such task any more.

        Raises:
            GatewayError: the system cannot be reached, or refuses.
        """
