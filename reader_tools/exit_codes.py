"""Exit codes: verdicts first, then those of sysexits.h, and that of an interruption."""

from __future__ import annotations

from typing import Final

from eid import errors

PASSED: Final = 0
FAILED: Final = 1
INDETERMINATE: Final = 2
USAGE: Final = 64
MALFORMED_INPUT: Final = 65
UNAVAILABLE: Final = 69
INTERNAL: Final = 70
CANNOT_WRITE: Final = 73
PROTOCOL: Final = 76
NO_PERMISSION: Final = 77
PIN_SUSPENDED: Final = 80  # sysexits.h ends before
PIN_BLOCKED: Final = 81
PIN_DEACTIVATED: Final = 82
INTERRUPTED: Final = 130  # 128 and SIGINT, as shells have it

_BY_ERROR: Final[tuple[tuple[type[errors.EidError], int], ...]] = (
    (errors.DecodeError, MALFORMED_INPUT),
    (errors.ProfileError, MALFORMED_INPUT),
    (errors.RecordError, MALFORMED_INPUT),
    (errors.TransportError, UNAVAILABLE),
    (errors.GatewayError, UNAVAILABLE),
    (errors.WrongPasswordError, NO_PERMISSION),
    (errors.PasswordSuspendedError, PIN_SUSPENDED),
    (errors.LastTryError, PIN_SUSPENDED),
    (errors.PasswordBlockedError, PIN_BLOCKED),
    (errors.PasswordDeactivatedError, PIN_DEACTIVATED),
    (errors.KeyStoreError, NO_PERMISSION),
    (errors.StoreError, CANNOT_WRITE),
    (errors.LifecycleError, CANNOT_WRITE),
    (errors.VerificationError, FAILED),
    (errors.StatusWordError, PROTOCOL),
    (errors.ProtocolError, PROTOCOL),
)


def exit_code(error: errors.EidError) -> int:
    """The exit code that an error of the core ends the program with."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), INTERNAL)
