"""Whether what was captured is good enough: the rules' thresholds over what was measured and what the devices said.

No face is recognised here, and pose or expression are not judged: that is the officer's, for whose eyes he signs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

from eid.enrolment.capture import PORTRAIT, CapturedItem, CaptureRecord, QualityFormat
from eid.enrolment.rules import CaptureRules

GREY_LEVELS: Final = 128  # ISO/IEC 19794-5: seven bits of intensity variation in the face
PROPORTIONS: Final = (0.70, 0.85)  # width to height; Doc 9303-3 has 35 by 45 mm, 0.78
NFIQ_WORST: Final = 3  # of NFIQ 1 to 5, where NFIQ 2 is not at hand
SHARPNESS: Final = 4.0  # mean step between neighbouring pixels on edges, in grey levels; ours, a warning only


@unique
class QualityCode(StrEnum):
    """What is not as it should be."""

    PORTRAIT_TOO_SMALL = "PORTRAIT_TOO_SMALL"
    PORTRAIT_PROPORTIONS = "PORTRAIT_PROPORTIONS"
    PORTRAIT_FLAT = "PORTRAIT_FLAT"
    PORTRAIT_BLURRED = "PORTRAIT_BLURRED"
    FINGER_QUALITY_UNKNOWN = "FINGER_QUALITY_UNKNOWN"
    FINGER_QUALITY_LOW = "FINGER_QUALITY_LOW"
    FINGER_UNACCOUNTED = "FINGER_UNACCOUNTED"
    FINGER_NOT_WANTED = "FINGER_NOT_WANTED"


WARNINGS: Final = frozenset((QualityCode.PORTRAIT_BLURRED, QualityCode.FINGER_QUALITY_UNKNOWN))


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of an image: pixels, distinct grey levels in its middle, and how steep its edges are."""

    width: int
    height: int
    grey_levels: int
    sharpness: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be; a warning does not keep the capture from being accepted."""

    item: str
    code: QualityCode

    @property
    def is_warning(self) -> bool:
        """Whether the officer may leave it so."""
        return self.code in WARNINGS


def assess_quality(
    record: CaptureRecord, measured: Mapping[str, Measured], rules: CaptureRules, *, with_fingers: bool
) -> tuple[Finding, ...]:
    """Everything that is not as it should be.

    Args:
        measured: by name, of the items that are images. with_fingers: whether the person is old enough for them.
    """
    return (*_portrait(record, measured, rules), *_fingers(record, rules, with_fingers))


def is_accepted(findings: tuple[Finding, ...]) -> bool:
    """Whether there are warnings at most."""
    return all(finding.is_warning for finding in findings)


def are_fingers_settled(record: CaptureRecord, rules: CaptureRules) -> bool:
    """Whether as many fingers as the rules want were taken, or are accounted for as impossible to take."""
    return len(record.fingers) + len(record.missing) >= rules.fingers_wanted


def describe_findings(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """In the form that is kept and answered."""
    return [{"item": item.item, "code": item.code.value, "warning": item.is_warning} for item in findings]


def _portrait(record: CaptureRecord, measured: Mapping[str, Measured], rules: CaptureRules) -> Iterator[Finding]:
    found = measured.get(PORTRAIT)
    if record.find(PORTRAIT) is None or found is None:
        return  # the life cycle's own guard says that there is none
    if found.width < rules.portrait_width or found.height < rules.portrait_height:
        yield Finding(PORTRAIT, QualityCode.PORTRAIT_TOO_SMALL)
    if not PROPORTIONS[0] <= found.width / found.height <= PROPORTIONS[1]:
        yield Finding(PORTRAIT, QualityCode.PORTRAIT_PROPORTIONS)
    if found.grey_levels < GREY_LEVELS:
        yield Finding(PORTRAIT, QualityCode.PORTRAIT_FLAT)
    if found.sharpness < SHARPNESS:
        yield Finding(PORTRAIT, QualityCode.PORTRAIT_BLURRED)


def _fingers(record: CaptureRecord, rules: CaptureRules, with_fingers: bool) -> Iterator[Finding]:
    if not with_fingers:
        yield from (Finding(item.name, QualityCode.FINGER_NOT_WANTED) for item in record.fingers)
        return
    for item in record.fingers:
        if item.quality_format is QualityFormat.NONE:
            yield Finding(item.name, QualityCode.FINGER_QUALITY_UNKNOWN)
        elif not _is_good(item, rules) and item.attempts < rules.attempts:
            yield Finding(item.name, QualityCode.FINGER_QUALITY_LOW)  # after so many attempts the best one is taken
    if not are_fingers_settled(record, rules):
        taken = {item.name for item in record.fingers} | {finger for finger, _ in record.missing}
        first = next((name for name in rules.fingers if name not in taken), rules.fingers[0])
        yield Finding(first, QualityCode.FINGER_UNACCOUNTED)


def _is_good(item: CapturedItem, rules: CaptureRules) -> bool:
    if item.quality_format is QualityFormat.NFIQ:
        return 1 <= item.quality <= NFIQ_WORST
    return rules.finger_quality <= item.quality <= 100
