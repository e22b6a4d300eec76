"""The JSON of OSIA's ABIS interface 1.6.0, as far as it is used: encounters, identification, candidates, tasks."""

from __future__ import annotations

import base64
import binascii
import sys
from typing import Any, Final

from eid.errors import DecodeError
from eid.gateways.abis import Biometric, Candidate, Encounter

CLAUSE: Final = "OSIA ABIS 1.6.0"
MAX_CANDIDATES: Final = 100
MAX_SCORES: Final = 1000
MAX_ID: Final = 64  # characters
TYPES: Final = ("FACE", "FINGER", "IRIS", "SIGNATURE", "UNKNOWN")
_LARGEST: Final = sys.float_info.max  # an integer of JSON may be beyond it


def encode_encounter(encounter: Encounter) -> dict[str, Any]:
    """An `Encounter`; of the person only his identifier goes to the system, in the path."""
    return {
        "encounterId": encounter.encounter,
        "status": "ACTIVE",
        "encounterType": "enrolment",
        "biometricData": [_encode_biometric(item) for item in encounter.biometrics],
    }


def _encode_biometric(item: Biometric) -> dict[str, Any]:
    octets = base64.b64encode(item.octets).decode("ascii")
    told: dict[str, Any] = {"biometricType": item.type, "biometricSubType": item.subtype}
    told |= (
        {"template": octets, "templateFormat": item.format}
        if item.is_template
        else {"image": octets, "compression": item.format}
    )
    if item.quality is not None and item.quality_format is not None:
        told |= {"quality": item.quality, "qualityFormat": item.quality_format}
    return told


def decode_encounter(person: str, encounter: str, value: object) -> Encounter:
    """An `Encounter` that was sent.

    Raises:
        DecodeError: a member is missing, or not what it ought to be.
    """
    fields = _object(value, "encounter")
    items = fields.get("biometricData")
    if fields.get("status") not in ("ACTIVE", "INACTIVE") or not isinstance(fields.get("encounterType"), str):
        raise DecodeError("encounter: status or encounterType", clause=CLAUSE)
    if not isinstance(items, list):
        raise DecodeError("encounter: biometricData", clause=CLAUSE)
    return Encounter(person, encounter, tuple(_decode_biometric(item) for item in items))


def _decode_biometric(value: object) -> Biometric:
    fields = _object(value, "biometricData")
    if fields.get("biometricType") not in TYPES:
        raise DecodeError("biometricData: biometricType", clause=CLAUSE)
    is_template = "template" in fields
    return Biometric(
        fields["biometricType"],
        _text(fields.get("biometricSubType", "UNKNOWN"), "biometricSubType"),
        _text(fields.get("templateFormat" if is_template else "compression", "NONE"), "format"),
        _octets(fields.get("template" if is_template else "image")),
        is_template,
    )


def encode_candidates(candidates: tuple[Candidate, ...]) -> list[dict[str, Any]]:
    """A list of `Candidate`."""
    return [_encode_candidate(item) for item in candidates]


def _encode_candidate(item: Candidate) -> dict[str, Any]:
    told: dict[str, Any] = {"personId": item.person, "rank": item.rank, "score": item.score}
    if item.encounters:
        told["scores"] = [{"score": item.score, "encounterId": name} for name in sorted(item.encounters)]
    return told


def decode_candidates(value: object) -> tuple[Candidate, ...]:
    """A list of `Candidate`, best first.

    Raises:
        DecodeError: it is none, too long, or a member is missing or of another kind.
    """
    if not isinstance(value, list) or len(value) > MAX_CANDIDATES:
        raise DecodeError(f"candidates: not an array of at most {MAX_CANDIDATES}", clause=CLAUSE)
    return tuple(sorted(map(_decode_candidate, value), key=lambda item: item.rank))


def _decode_candidate(value: object) -> Candidate:
    fields = _object(value, "candidate")
    rank, score = fields.get("rank"), fields.get("score")
    if type(rank) is not int or not 0 <= rank < 1 << 31:
        raise DecodeError("candidate: rank", clause=CLAUSE)
    if isinstance(score, bool) or not isinstance(score, int | float) or not -_LARGEST <= score <= _LARGEST:
        raise DecodeError("candidate: score", clause=CLAUSE)
    return Candidate(_text(fields.get("personId"), "personId"), rank, float(score), _decode_scores(fields))


def _decode_scores(fields: dict[str, Any]) -> frozenset[str]:
    scores = fields.get("scores", [])
    if not isinstance(scores, list) or len(scores) > MAX_SCORES:
        raise DecodeError(f"candidate: scores are not an array of at most {MAX_SCORES}", clause=CLAUSE)
    details = [_object(item, "score") for item in scores]
    return frozenset(_text(item["encounterId"], "encounterId") for item in details if "encounterId" in item)


def decode_task(value: object) -> str:
    """The identifier in a `TaskId`.

    Raises:
        DecodeError: there is none.
    """
    return _text(_object(value, "task").get("taskId"), "taskId")


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DecodeError(f"{what}: not an object", clause=CLAUSE)
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID or not value.isprintable():
        raise DecodeError(f"{what}: not a text of 1 to {MAX_ID} characters", clause=CLAUSE)
    return value


def _octets(value: object) -> bytes:
    """What is to be compared: of an item without it nobody could say whom it is like."""
    if not isinstance(value, str) or not value:
        raise DecodeError("biometricData: neither an image nor a template", clause=CLAUSE)
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        raise DecodeError("biometricData: not base64", clause=CLAUSE) from None
