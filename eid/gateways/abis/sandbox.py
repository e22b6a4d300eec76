"""A biometric identification system for trials: a gallery in memory that compares pictures, not persons.

Two images match where their thumbnails are alike: the same picture in another size or compression does, two pictures of
one person do not. Templates match where their octets are the same. It proves the way of a search, never an identity.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eid.errors import DecodeError
from eid.gateways.abis import Biometric, Candidate, Encounter, Pending
from eid.imaging.decode import decode_image
from eid.imaging.measure import shrink_image

SIDE: Final = 64  # pixels of a thumbnail
MATCH: Final = 3000.0  # OSIA's scale has no end; these are ours
THRESHOLD: Final = 0.97  # likeness, 1 for the same picture


def _thumbnail(octets: bytes) -> bytes:
    return shrink_image(decode_image(octets), SIDE)


def thumbnail_or_digest(item: Biometric) -> bytes:
    """By what an item is compared: a thumbnail's pixels, or the digest of what is no picture."""
    if item.is_template:
        return hashlib.sha256(item.octets).digest()
    try:
        return _thumbnail(item.octets)
    except DecodeError:
        return hashlib.sha256(item.octets).digest()


@dataclass(slots=True)
class SandboxAbis:
    """Encounters in memory. later: answer searches by a task whose result `answer` gives, as slow systems do."""

    later: bool = False
    feature: Callable[[Biometric], bytes] = thumbnail_or_digest
    encounters: dict[tuple[str, str], tuple[tuple[str, str, bytes], ...]] = field(default_factory=dict)
    tasks: dict[str, tuple[str, tuple[Candidate, ...]]] = field(default_factory=dict)

    def create_encounter(self, encounter: Encounter, transaction: str) -> None:
        """Keep it where there is none of that name."""
        key = (encounter.person, encounter.encounter)
        if key not in self.encounters:
            self.encounters[key] = self._features(encounter)

    def identify(self, encounter: Encounter, transaction: str) -> tuple[Candidate, ...] | Pending:
        """Persons with a picture like one of these, the searched person among them."""
        found = self._search(self.encounters.get((encounter.person, encounter.encounter), self._features(encounter)))
        if not self.later:
            return found
        task = str(uuid.uuid4())
        self.tasks[task] = (transaction, found)
        return Pending(task)

    def delete_encounter(self, encounter: Encounter, transaction: str) -> None:
        """Drop it."""
        self.encounters.pop((encounter.person, encounter.encounter), None)

    def redeliver(self, task: str) -> bool:
        """Whether there is such a task."""
        return task in self.tasks

    def _features(self, encounter: Encounter) -> tuple[tuple[str, str, bytes], ...]:
        """Of the fingers where there are any, else of the face: drawn specimens have one face and many fingers."""
        fingers = tuple(item for item in encounter.biometrics if item.type == "FINGER")
        wanted = fingers or tuple(item for item in encounter.biometrics if item.type == "FACE")
        return tuple((item.type, item.subtype, self.feature(item)) for item in wanted)

    def _search(self, probe: tuple[tuple[str, str, bytes], ...]) -> tuple[Candidate, ...]:
        found: dict[str, dict[str, float]] = {}
        for (person, encounter), kept in self.encounters.items():
            likeness = max((_likeness(one, other) for one in probe for other in kept), default=0.0)
            if likeness >= THRESHOLD:
                found.setdefault(person, {})[encounter] = likeness
        ordered = sorted(found.items(), key=lambda item: (-max(item[1].values()), item[0]))
        return tuple(
            Candidate(person, rank, MATCH * max(scores.values()), frozenset(scores))
            for rank, (person, scores) in enumerate(ordered, 1)
        )


def _likeness(one: tuple[str, str, bytes], other: tuple[str, str, bytes]) -> float:
    """1 for the same, 0 for other parts of the body or pictures that have nothing in common."""
    if one[:2] != other[:2] or len(one[2]) != len(other[2]):
        return 0.0
    if len(one[2]) != SIDE * SIDE:
        return float(one[2] == other[2])
    return max(0.0, _correlate(one[2], other[2]))


def _correlate(one: bytes, other: bytes) -> float:
    mean_one, mean_other = sum(one) / len(one), sum(other) / len(other)
    product = sum((a - mean_one) * (b - mean_other) for a, b in zip(one, other, strict=True))
    power = sum((a - mean_one) ** 2 for a in one) * sum((b - mean_other) ** 2 for b in other)
    return float(product / power**0.5) if power else float(one == other)
