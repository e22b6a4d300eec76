"""How long the contactless link takes: an estimate from the lengths of the APDUs that passed (docs/link-model.md).

Formula and constants are those of ISO/IEC 14443-3 and -4, type A; the chip's own computing is given by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final

from eid.errors import LocalProtocolError

CARRIER: Final = 13.56e6  # Hz, fc
RATES: Final = (106, 212, 424, 848)  # kbit/s: fc/128, fc/64, fc/32, fc/16 (ISO/IEC 14443-4 5.2.4)
FRAME_SIZES: Final = (16, 24, 32, 40, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096)  # FSCI 0..C (14443-4 5.2.3)
BITS_PER_OCTET: Final = 9  # eight and parity (14443-3 6.2.3.2)
FRAME_MARKS: Final = 2  # bit durations for start and end of communication (14443-3 6.2.3.2)
PROLOGUE: Final = 1  # PCB (14443-4 7.1.1)
EPILOGUE: Final = 2  # CRC (14443-4 7.1.3)
GUARD: Final = 1172 / CARRIER  # seconds between frames either way (14443-3 6.2.1.1, n = 9)
MAX_WTXM: Final = 59  # 14443-4 7.3


@dataclass(frozen=True, slots=True)
class LinkModel:
    """One contactless link.

    Args:
        rate: kbit/s in both directions. frame_size: FSC and FSD, octets of a whole frame. fwi: frame waiting integer,
            0..14. sfgi: start-up frame guard integer, 0..14. cid: whether each block carries a card identifier.

    Raises:
        LocalProtocolError: a value that the standard does not have.
    """

    rate: int = 424
    frame_size: int = 256
    fwi: int = 8
    sfgi: int = 1
    cid: bool = False

    def __post_init__(self) -> None:
        if self.rate not in RATES:
            raise LocalProtocolError(f"{self.rate} kbit/s is none of {', '.join(map(str, RATES))}")
        if self.frame_size not in FRAME_SIZES:
            raise LocalProtocolError(f"no frame size of {self.frame_size} octets (ISO/IEC 14443-4 5.2.3)")
        if not (0 <= self.fwi <= 14 and 0 <= self.sfgi <= 14):
            raise LocalProtocolError("FWI and SFGI are 0..14 (ISO/IEC 14443-4 5.2.5)")

    @property
    def frame_waiting_time(self) -> float:
        """Seconds that the reader waits for an answer: 256 x 16 / fc x 2^FWI (14443-4 7.2)."""
        return 256 * 16 / CARRIER * (1 << self.fwi)

    @property
    def start_up_guard_time(self) -> float:
        """Seconds after the answer to select: 256 x 16 / fc x 2^SFGI (14443-4 5.2.5)."""
        return 256 * 16 / CARRIER * (1 << self.sfgi)

    @property
    def block_capacity(self) -> int:
        """Octets of an APDU in one I-block."""
        return self.frame_size - PROLOGUE - self.cid - EPILOGUE

    def frame_seconds(self, octets: int, rate: int | None = None) -> float:
        """Seconds on air of a frame of this many octets, prologue and CRC included."""
        bits = octets * BITS_PER_OCTET + FRAME_MARKS
        return bits * 128 / CARRIER * 106 / (rate or self.rate)

    def apdu_seconds(self, octets: int) -> float:
        """Seconds for one APDU in one direction: I-blocks, each but the last acknowledged (14443-4 7.5.2)."""
        blocks = max(1, ceil(octets / self.block_capacity))
        overhead = PROLOGUE + self.cid + EPILOGUE
        information = self.frame_seconds(octets + blocks * overhead) + (blocks - 1) * self._marks()
        acknowledgements = (blocks - 1) * (self.frame_seconds(overhead) + 2 * GUARD)
        return information + acknowledgements

    def exchange_seconds(self, sent: int, received: int, computing: float = 0.0) -> float:
        """Seconds for one command and its answer.

        Args:
            sent, received: octets of the APDUs. computing: seconds that the chip itself takes.
        """
        return self.apdu_seconds(sent) + self.apdu_seconds(received) + 2 * GUARD + computing + self._waiting(computing)

    def activation_seconds(self, historical_bytes: int = 15) -> float:
        """Seconds from field-on to the first block: 5 ms, anticollision of a double-size UID, RATS, PPS (at 106)."""
        # REQA/ATQA, then two levels of anticollision and SELECT with their answers (14443-3 6.5), RATS/ATS, PPS.
        frames = (1, 2, 2, 5, 9, 3, 2, 5, 9, 3, 4, 7 + historical_bytes, 5, 3)
        on_air = sum(self.frame_seconds(octets, 106) + GUARD for octets in frames)
        return 0.005 + on_air + self.start_up_guard_time  # 14443-3 5: answers within 5 ms of the field

    def _marks(self) -> float:
        return FRAME_MARKS * 128 / CARRIER * 106 / self.rate

    def _waiting(self, computing: float) -> float:
        """Frames for more time: S(WTX) and its answer for each further frame waiting time (14443-4 7.3)."""
        extensions = ceil(max(0.0, computing - self.frame_waiting_time) / (self.frame_waiting_time * MAX_WTXM))
        return extensions * 2 * (self.frame_seconds(PROLOGUE + 1 + self.cid + EPILOGUE) + GUARD)


def estimate(model: LinkModel, exchanges: Iterable[tuple[int, int]], computing: float = 0.0) -> float:
    """Seconds on the link for these commands, each (octets sent, octets received).

    Args:
        computing: seconds that the chip takes for each.
    """
    return sum(model.exchange_seconds(sent, received, computing) for sent, received in exchanges)
