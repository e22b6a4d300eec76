"""Where each data element of a machine readable zone stands (Doc 9303-4, 9303-5, 9303-6 4.2, 9303-7 4.2, 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final


@unique
class MrzFormat(Enum):
    """The document sizes and their zones: lines by characters."""

    TD1 = "TD1"
    TD2 = "TD2"
    TD3 = "TD3"
    MRV_A = "MRV-A"
    MRV_B = "MRV-B"


@dataclass(frozen=True, slots=True)
class Zone:
    """Characters `start` (inclusive) to `end` (exclusive) of one line, both counted from 0."""

    line: int
    start: int
    end: int

    @property
    def width(self) -> int:
        """Number of characters."""
        return self.end - self.start

    def of(self, lines: Sequence[str]) -> str:
        """The characters of this zone."""
        return lines[self.line][self.start : self.end]


@dataclass(frozen=True, slots=True)
class MrzLayout:
    """The zones of one format. Zones that the format does not have are None."""

    format: MrzFormat
    height: int
    width: int
    document_code: Zone
    issuing_state: Zone
    names: Zone
    document_number: Zone
    document_number_check: Zone
    nationality: Zone
    date_of_birth: Zone
    date_of_birth_check: Zone
    sex: Zone
    date_of_expiry: Zone
    date_of_expiry_check: Zone
    optional_data_1: Zone
    optional_data_1_check: Zone | None
    optional_data_2: Zone | None
    composite_check: Zone | None
    composite_over: tuple[Zone, ...]
    long_document_number: bool


TD1: Final = MrzLayout(  # Doc 9303-5 4.2.2
    format=MrzFormat.TD1,
    height=3,
    width=30,
    document_code=Zone(0, 0, 2),
    issuing_state=Zone(0, 2, 5),
    document_number=Zone(0, 5, 14),
    document_number_check=Zone(0, 14, 15),
    optional_data_1=Zone(0, 15, 30),
    date_of_birth=Zone(1, 0, 6),
    date_of_birth_check=Zone(1, 6, 7),
    sex=Zone(1, 7, 8),
    date_of_expiry=Zone(1, 8, 14),
    date_of_expiry_check=Zone(1, 14, 15),
    nationality=Zone(1, 15, 18),
    optional_data_2=Zone(1, 18, 29),
    composite_check=Zone(1, 29, 30),
    composite_over=(Zone(0, 5, 30), Zone(1, 0, 7), Zone(1, 8, 15), Zone(1, 18, 29)),
    names=Zone(2, 0, 30),
    optional_data_1_check=None,
    long_document_number=True,
)


def _two_line(
    mrz_format: MrzFormat,
    width: int,
    optional_data: Zone,
    *,
    optional_data_check: Zone | None = None,
    composite_check: Zone | None = None,
    long_document_number: bool = False,
) -> MrzLayout:
    """The shape that TD2, TD3 and both visas share up to the optional data."""
    # The composite covers document number, birth and expiry with their check digits, and everything up to itself.
    covered = (Zone(1, 0, 10), Zone(1, 13, 20), Zone(1, 21, width - 1)) if composite_check else ()
    return MrzLayout(
        format=mrz_format,
        height=2,
        width=width,
        document_code=Zone(0, 0, 2),
        issuing_state=Zone(0, 2, 5),
        names=Zone(0, 5, width),
        document_number=Zone(1, 0, 9),
        document_number_check=Zone(1, 9, 10),
        nationality=Zone(1, 10, 13),
        date_of_birth=Zone(1, 13, 19),
        date_of_birth_check=Zone(1, 19, 20),
        sex=Zone(1, 20, 21),
        date_of_expiry=Zone(1, 21, 27),
        date_of_expiry_check=Zone(1, 27, 28),
        optional_data_1=optional_data,
        optional_data_1_check=optional_data_check,
        optional_data_2=None,
        composite_check=composite_check,
        composite_over=covered,
        long_document_number=long_document_number,
    )


TD2: Final = _two_line(  # Doc 9303-6 4.2.2
    MrzFormat.TD2, 36, Zone(1, 28, 35), composite_check=Zone(1, 35, 36), long_document_number=True
)
TD3: Final = _two_line(  # Doc 9303-4 4.2.2
    MrzFormat.TD3, 44, Zone(1, 28, 42), optional_data_check=Zone(1, 42, 43), composite_check=Zone(1, 43, 44)
)
MRV_A: Final = _two_line(MrzFormat.MRV_A, 44, Zone(1, 28, 44))  # Doc 9303-7 4.2.2
MRV_B: Final = _two_line(MrzFormat.MRV_B, 36, Zone(1, 28, 36))  # Doc 9303-7 5.2.2

LAYOUTS: Final = {layout.format: layout for layout in (TD1, TD2, TD3, MRV_A, MRV_B)}
