"""The electronic stamp: decimal digits, sixteen unless a country wants otherwise, that are worth a fee, and their life.

The digits are a bearer value, drawn at random. Only their keyed hash and the last four are kept; whoever may see the
register learns no stamp from it. Those of a scheme such as `opaque16` mean nothing; `checked16` end in a check digit of
ISO/IEC 7064 MOD 11,10, so that a slip of the finger is told at once. Luhn's is avoided: such a number would look like a
payment card's.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum, unique
from os import urandom
from typing import Annotated, Final

from pydantic import Field

from eid.enrolment.roles import Actor, Role
from eid.enrolment.transitions import Guard, Lifecycle, Transition
from eid.errors import RecordError

MAX_LENGTH: Final = 24
SHOWN: Final = 4
_LAST_PLACE: Final = bytes(b"0123456789"[octet % 10] for octet in range(256))
_THROWN_AWAY: Final = bytes(range(250, 256))
StampScheme = Annotated[str, Field(pattern=r"^(opaque|checked)(1[2-9]|2[0-4])$")]
"""Whether the last digit checks the others, and how many there are: fewer than twelve could be guessed."""


@dataclass(frozen=True, slots=True)
class StampDigits:
    """The digits of one stamp; they never show in a representation."""

    digits: str = field(repr=False)

    @property
    def last_four(self) -> str:
        """What may be shown of it."""
        return self.digits[-SHOWN:]

    def tag(self, key: bytes) -> bytes:
        """The keyed hash by which the register knows the stamp: HMAC-SHA-256, 32 octets."""
        return hmac.digest(key, b"eid-stamp" + self.digits.encode("ascii"), hashlib.sha256)


def draw_stamp(scheme: StampScheme = "opaque16", random: Callable[[int], bytes] = urandom) -> StampDigits:
    """Draw the digits of a new stamp; that they are new in the register is the register's to see."""
    is_checked, length = _read_scheme(scheme)
    digits = _draw_digits(length - is_checked, random)
    return StampDigits(digits + compute_check_digit(digits) if is_checked else digits)


def _read_scheme(scheme: StampScheme) -> tuple[bool, int]:
    """Whether there is a check digit, and how many digits there are with it."""
    return scheme.startswith("checked"), int(scheme[-2:])


def stamp_length(scheme: StampScheme) -> int:
    """How many digits a stamp has."""
    return _read_scheme(scheme)[1]


def _draw_digits(count: int, random: Callable[[int], bytes]) -> str:
    """Uniform digits: of the octets below 250 the last decimal place, the others thrown away."""
    digits = b""
    while len(digits) < count:
        digits += random(2 * count).translate(_LAST_PLACE, _THROWN_AWAY)
    return digits[:count].decode("ascii")


def parse_stamp(text: str, scheme: StampScheme = "opaque16") -> StampDigits:
    """The digits as somebody typed them: spaces and hyphens between them, decimal digits of any script.

    Raises:
        RecordError: there are more or fewer digits than the scheme has, something else is between them, or the check
            digit is wrong; the text never repeats what was typed.
    """
    is_checked, length = _read_scheme(scheme)
    if len(text) > 4 * MAX_LENGTH:
        raise RecordError(f"a stamp has {length} digits")
    digits = ""
    for letter in text:
        value = unicodedata.digit(letter, None) if unicodedata.category(letter) == "Nd" else None
        if value is not None:
            digits += str(value)
        elif not (
            letter.isspace()
            or letter
            in "-\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{ARABIC LETTER MARK}\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}"
        ):
            raise RecordError("a stamp has digits only")
    if len(digits) != length:
        raise RecordError(f"a stamp has {length} digits")
    if is_checked and compute_check_digit(digits[:-1]) != digits[-1]:
        raise RecordError("the stamp's check digit is wrong")
    return StampDigits(digits)


def compute_check_digit(payload: str) -> str:
    """The check digit of ISO/IEC 7064 MOD 11,10 (hybrid system, clause 8) over decimal digits."""
    product = 10
    for digit in payload:
        total = (product + int(digit)) % 10 or 10
        product = 2 * total % 11
    return str((11 - product) % 10)


@unique
class StampState(StrEnum):
    """Where a stamp stands."""

    ORDERED = "ORDERED"
    PAID = "PAID"
    ISSUED = "ISSUED"
    RESERVED = "RESERVED"
    CONSUMED = "CONSUMED"
    REFUNDED = "REFUNDED"
    BLOCKED = "BLOCKED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class StampFacts:
    """What the guards look at: whether service, amount and fee version fit the application, and who holds it."""

    fits: bool = False
    reserved_for: str | None = None
    application: str | None = None


def _fits(facts: StampFacts, _: Actor) -> str | None:
    return None if facts.fits else "the stamp is for another service or amount"


def _same_application(facts: StampFacts, _: Actor) -> str | None:
    return None if facts.reserved_for == facts.application else "the stamp is reserved for another application"


FITS: Final = Guard("fits", _fits)
SAME_APPLICATION: Final = Guard("same-application", _same_application)


def _row(
    event: str, sources: tuple[StampState, ...], target: StampState, roles: tuple[Role, ...], *guards: Guard[StampFacts]
) -> Transition[StampState, StampFacts]:
    return Transition(event, frozenset(sources), target, frozenset(roles), guards)


_S = StampState
STAMP: Final = Lifecycle(
    "stamp",
    _S.ORDERED,
    (
        _row("pay", (_S.ORDERED,), _S.PAID, (Role.PAYMENT_PROVIDER, Role.CASHIER)),
        _row("expire", (_S.ORDERED,), _S.EXPIRED, (Role.SYSTEM,)),
        _row("cancel", (_S.ORDERED,), _S.CANCELLED, (Role.APPLICANT, Role.SYSTEM)),
        _row("issue", (_S.PAID,), _S.ISSUED, (Role.SYSTEM,)),
        _row("reserve", (_S.ISSUED,), _S.RESERVED, (Role.APPLICANT, Role.ENROLMENT_OFFICER), FITS),
        _row("release", (_S.RESERVED,), _S.ISSUED, (Role.APPLICANT, Role.SYSTEM), SAME_APPLICATION),
        _row("consume", (_S.RESERVED,), _S.CONSUMED, (Role.SYSTEM, Role.APPROVER), SAME_APPLICATION),
        _row("spend", (_S.ISSUED,), _S.CONSUMED, (Role.ENROLMENT_OFFICER, Role.RELYING_PARTY), FITS),  # no file here
        _row("refund", (_S.PAID, _S.ISSUED), _S.REFUNDED, (Role.CASHIER, Role.ADMINISTRATOR)),
        _row("give-back", (_S.CONSUMED,), _S.REFUNDED, (Role.CASHIER, Role.ADMINISTRATOR)),  # no card came of it
        _row("block", (_S.ISSUED, _S.RESERVED), _S.BLOCKED, (Role.CALL_CENTRE_AGENT, Role.ADMINISTRATOR)),
        _row("unblock", (_S.BLOCKED,), _S.ISSUED, (Role.ADMINISTRATOR,)),
    ),
)
"""All that may happen to a stamp. To send its number again changes nothing, so it is no event."""
