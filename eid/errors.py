"""The exceptions of the whole system, in one tree.

::

    EidError
    +- DecodeError(ValueError)      malformed bytes; the only thing a decoder raises, for any input
    +- TransportError               reader or link failed; a retry may help
    |  +- CardRemovedError          the card left the reader
    |  +- ReaderUnavailableError    no such reader, or no PC/SC service
    |  +- ReplayMismatchError       a recorded log has another command next
    +- StatusWordError              the card refused a command
    +- ProtocolError
    |  +- LocalProtocolError        our caller broke the order of a protocol
    |  +- PeerProtocolError         the other end broke it
    |  |  +- NoAccessError          the chip offers no way in that its caller allows
    |  +- AuthenticationError       a MAC, cryptogram or token of the other end is wrong
    |     +- SessionLostError       the card refuses without protection: it knows the session no more
    |     +- WrongPasswordError     the password is wrong; carries the tries that are left, where known
    |     +- PasswordStateError     the card takes the password not now, or no more
    |        +- PasswordBlockedError      it has been tried too often and opens nothing any more
    |        +- PasswordSuspendedError    one try is left, which the card grants only after the CAN
    |        +- PasswordDeactivatedError  it is switched off
    |        +- LastTryError              one try is left, and nobody said to use it
    |  +- CommandRefused           our card side refuses a command with a status word
    +- VerificationError            a check on a document failed; carries a `Reason`
    +- ProfileError                 a card profile states something impossible
    +- RecordError                  an identity record cannot be put on a card
    +- LifecycleError               the object is in a state that forbids the operation
    |  +- AlreadyDoneError          what may be done once was done before
    |  +- TooLateError              the time in which it could be done is over
    |  +- EnrolmentError            the rules of applications, stamps and cards forbid it; carries a `Refusal`
    |     +- OvertakenError         somebody else has changed it between reading and writing; another try finds it so
    +- KeyStoreError                a key cannot be reached or used
    +- StoreError                   persistent state is missing, locked or damaged
    |  +- NotStoredError            there is no object with this identifier
    |  +- ContradictionError        what is to be stored contradicts what is: a name, a number or a key is taken
    +- GatewayError                 a service outside failed; a retry may help
       +- GatewayRefusedError       it will not do it, however often it is asked

Texts name what, where and which clause. They never hold a key, a password, an MRZ, a computed MAC or a portrait.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import ClassVar


class EidError(Exception):
    """Base of every error that this system raises on purpose."""


class DecodeError(EidError, ValueError):
    """Bytes are malformed.

    Args:
        what: what was being decoded and what is wrong with it, without the bytes themselves.
        offset: where in the input, in octets, when known.
        clause: the specification's clause that is broken.
    """

    def __init__(self, what: str, *, offset: int | None = None, clause: str | None = None) -> None:
        self.what = what
        self.offset = offset
        self.clause = clause
        super().__init__(what, offset, clause)

    def __str__(self) -> str:
        place = "" if self.offset is None else f" at octet {self.offset}"
        rule = "" if self.clause is None else f" ({self.clause})"
        return f"{self.what}{place}{rule}"


class TransportError(EidError):
    """The reader or the link to the card failed; trying again may help."""


class CardRemovedError(TransportError):
    """The card left the reader in mid-conversation."""


class ReaderUnavailableError(TransportError):
    """There is no such reader, no card in it, or no PC/SC service."""


class ReplayMismatchError(TransportError):
    """The command is not the one that the recorded log has next, or the log does not hold its answer."""


class StatusWordError(EidError):
    """The card answered a command with an error status word.

    Args:
        sw: the status word, 16 bits.
        command: the command's name, never its data.
    """

    def __init__(self, sw: int, command: str, meaning: str = "") -> None:
        self.sw = sw
        self.command = command
        self.meaning = meaning
        super().__init__(sw, command, meaning)

    def __str__(self) -> str:
        tail = f": {self.meaning}" if self.meaning else ""
        return f"{self.command} answered {self.sw:04X}{tail}"


class ProtocolError(EidError):
    """A chip protocol could not be carried through."""


class LocalProtocolError(ProtocolError):
    """The caller broke the order of a protocol; the fault is on our side."""


class PeerProtocolError(ProtocolError):
    """The other end broke the protocol."""


class NoAccessError(PeerProtocolError):
    """The chip offers no way in that its caller allows.

    Args:
        what: what it offers, and what stands against that.
        needs: what would make a way of it, of "BAC", "MRZ" and "foreign curves".
    """

    def __init__(self, what: str, needs: tuple[str, ...] = ()) -> None:
        self.needs = needs
        super().__init__(what)


class AuthenticationError(ProtocolError):
    """A MAC, cryptogram or token of the other end is wrong. The text holds no computed value."""


class SessionLostError(AuthenticationError):
    """A protected command was refused without protection and without data: the card knows the session no more.

    Args:
        sw: the status word, which nothing authenticates.
    """

    def __init__(self, sw: int) -> None:
        self.sw = sw
        super().__init__(sw)

    def __str__(self) -> str:
        return f"the card answered {self.sw:04X} without secure messaging"


class CommandRefused(ProtocolError):
    """The card side of a protocol refuses a command; only the card's dispatch turns it into a response.

    Args:
        sw: the status word to answer, 16 bits.
        why: for traces and tests, never sent.
    """

    def __init__(self, sw: int, why: str = "") -> None:
        self.sw = sw
        self.why = why
        super().__init__(sw, why)

    def __str__(self) -> str:
        return f"{self.sw:04X}: {self.why}" if self.why else f"{self.sw:04X}"


class WrongPasswordError(AuthenticationError):
    """The password (MRZ, CAN, PIN, PUK) is not the card's.

    Args:
        password: name of the password, never its value.
        tries_left: what the card says remains; None if it does not say.
    """

    def __init__(self, password: str, tries_left: int | None = None) -> None:
        self.password = password
        self.tries_left = tries_left
        super().__init__(password, tries_left)

    def __str__(self) -> str:
        match self.tries_left:
            case None:
                left = ""
            case 0:
                left = ", which is blocked now"
            case 1:
                left = ", one try left"
            case several:
                left = f", {several} tries left"
        return f"the {self.password} is not the one of this card{left}"


class PasswordStateError(AuthenticationError):
    """The card takes a password not now, or no more, right or wrong.

    Args:
        password: name of the password, never its value.
    """

    _said: ClassVar[str]

    def __init__(self, password: str) -> None:
        self.password = password
        super().__init__(password)

    def __str__(self) -> str:
        return self._said.format(self.password)


class PasswordBlockedError(PasswordStateError):
    """The card accepts this password no more, until it is unblocked."""

    _said = "the {} of this card is blocked"


class PasswordSuspendedError(PasswordStateError):
    """One try is left, and the card grants it only in a session that the CAN has opened (TR-03110-2 2.2.3)."""

    _said = "the {} of this card is suspended: the CAN comes first"


class PasswordDeactivatedError(PasswordStateError):
    """The password is switched off, until an authority activates it."""

    _said = "the {} of this card is not activated"


class LastTryError(PasswordStateError):
    """One try of the password is left, and the caller did not say that it may be used."""

    _said = "one try of the {0} is left: if it is wrong, the {0} is blocked"


@unique
class Reason(StrEnum):
    """Why a check did not pass: stable codes, named after ETSI EN 319 102-1 where it has a name."""

    # FAILED
    FORMAT_FAILURE = "FORMAT_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    DG_NOT_IN_SOD = "DG_NOT_IN_SOD"
    PATH_SIGNATURE_FAILURE = "PATH_SIGNATURE_FAILURE"
    NOT_YET_VALID = "NOT_YET_VALID"
    REVOKED = "REVOKED"
    SUSPENDED = "SUSPENDED"
    CSCA_DISTRUSTED = "CSCA_DISTRUSTED"
    CLONE_SUSPECTED = "CLONE_SUSPECTED"
    CHALLENGE_MISMATCH = "CHALLENGE_MISMATCH"
    KEY_MISMATCH = "KEY_MISMATCH"
    DOWNGRADED = "DOWNGRADED"
    ISSUER_MISMATCH = "ISSUER_MISMATCH"
    MRZ_MISMATCH = "MRZ_MISMATCH"
    DOCUMENT_EXPIRED = "DOCUMENT_EXPIRED"
    STATION_SIGNATURE_FAILURE = "STATION_SIGNATURE_FAILURE"
    OUT_OF_USAGE_PERIOD = "OUT_OF_USAGE_PERIOD"
    DOCUMENT_TYPE_MISMATCH = "DOCUMENT_TYPE_MISMATCH"
    UNVERIFIED_PARAMETERS = "UNVERIFIED_PARAMETERS"
    # INDETERMINATE
    ALGORITHM_UNSUPPORTED = "ALGORITHM_UNSUPPORTED"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    TRY_LATER = "TRY_LATER"
    TRANSPORT_LOST = "TRANSPORT_LOST"
    CLOCK_BEHIND = "CLOCK_BEHIND"
    KEY_COMPROMISED = "KEY_COMPROMISED"
    # NOT_PERFORMED and NOT_SUPPORTED
    CLIENT_ASSERTED = "CLIENT_ASSERTED"
    UNTRUSTED_STATION = "UNTRUSTED_STATION"
    SOD_NOT_VERIFIED = "SOD_NOT_VERIFIED"
    DATA_MISSING = "DATA_MISSING"
    NOT_ATTEMPTED = "NOT_ATTEMPTED"
    CHIP_CANNOT = "CHIP_CANNOT"


class VerificationError(EidError):
    """A check on a document did not pass.

    Args:
        reason: the stable code.
        detail: one sentence for a person, without personal data.
        clause: the clause that is broken.
    """

    def __init__(self, reason: Reason, detail: str = "", *, clause: str | None = None) -> None:
        self.reason = reason
        self.detail = detail
        self.clause = clause
        super().__init__(reason, detail, clause)

    def __str__(self) -> str:
        tail = f": {self.detail}" if self.detail else ""
        rule = "" if self.clause is None else f" ({self.clause})"
        return f"{self.reason}{tail}{rule}"


class ProfileError(EidError):
    """A card profile states something that is malformed, unknown or impossible."""

    def __init__(self, what: str, *, path: str | None = None, line: int | None = None) -> None:
        self.what = what
        self.path = path
        self.line = line
        super().__init__(what, path, line)

    def __str__(self) -> str:
        place = "" if self.path is None else f"{self.path}: "
        line = "" if self.line is None else f"line {self.line}: "
        return f"{place}{line}{self.what}"


class RecordError(EidError):
    """An identity record is malformed or cannot be put on a card as the profile wants it."""


class LifecycleError(EidError):
    """An object is in a state that forbids the operation."""


class AlreadyDoneError(LifecycleError):
    """What may be done once was done before."""


class TooLateError(LifecycleError):
    """The time in which the operation was possible is over."""


@unique
class Refusal(StrEnum):
    """Why the rules of the service refuse an act; stable codes."""

    UNKNOWN_EVENT = "UNKNOWN_EVENT"
    WRONG_STATE = "WRONG_STATE"
    FORBIDDEN = "FORBIDDEN"
    GUARD = "GUARD"


class EnrolmentError(LifecycleError):
    """A rule of the service forbids what somebody wants to do.

    Args:
        refusal: the kind. detail: a sentence, without personal data. guard: name of the condition that does not hold.
    """

    def __init__(self, refusal: Refusal, detail: str, *, guard: str | None = None) -> None:
        self.refusal = refusal
        self.detail = detail
        self.guard = guard
        super().__init__(f"{refusal.value}: {detail}")


class OvertakenError(EnrolmentError):
    """Somebody else has changed it between reading and writing: whoever reads again finds how it stands."""


class KeyStoreError(EidError):
    """A key cannot be found, opened or used."""


class StoreError(EidError):
    """Persistent state is missing, locked, of another version, or damaged."""


class NotStoredError(StoreError):
    """There is no object with this identifier."""


class ContradictionError(StoreError):
    """What is to be stored contradicts what is stored already: something that there may be once is there."""


class GatewayError(EidError):
    """A service outside this system failed."""


class GatewayRefusedError(GatewayError):
    """A service outside will not do what it was asked, however often it is asked."""
