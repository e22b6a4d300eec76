"""What a PIN can be like, and what a new one must look like (TR-03110-2 2.2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from eid.codec.status_word import SW
from eid.profile.card_image import MAX_PIN_LENGTH, MIN_PIN_LENGTH


@unique
class PinState(StrEnum):
    """Whether a password with a retry counter opens the card."""

    USABLE = "usable"
    SUSPENDED = "suspended"  # one try left; it takes a session opened by the CAN
    BLOCKED = "blocked"  # no try left; it takes the PUK
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class PinStatus:
    """State and tries left; None where no try has failed since the last success, or the card does not say."""

    state: PinState
    tries_left: int | None = None


STATUS_WORDS: Final = (SW.FILE_DEACTIVATED, SW.AUTHENTICATION_METHOD_BLOCKED, *range(SW.TRIES_LEFT, SW.TRIES_LEFT + 16))
"""What MSE:Set AT may answer beside 9000."""


def interpret_status_word(sw: int) -> PinStatus:
    """What 9000, or one of `STATUS_WORDS`, says about the password (TR-03110-3 B.14.1)."""
    if sw == SW.FILE_DEACTIVATED:
        return PinStatus(PinState.DEACTIVATED)
    if sw == SW.AUTHENTICATION_METHOD_BLOCKED:
        return PinStatus(PinState.BLOCKED, 0)
    if sw == SW.OK:
        return PinStatus(PinState.USABLE)
    left = sw & 0x0F
    return PinStatus({0: PinState.BLOCKED, 1: PinState.SUSPENDED}.get(left, PinState.USABLE), left)


def is_sound_pin(pin: bytes) -> bool:
    """Whether these octets may become a PIN: 4 to 16 digits."""
    return MIN_PIN_LENGTH <= len(pin) <= MAX_PIN_LENGTH and pin.isdigit()
