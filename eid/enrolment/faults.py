"""Codes of what can be wrong with a value, each with its sentence in every language (`eid.locale`, table "fault")."""

from __future__ import annotations

from typing import Final

OWN: Final = frozenset(
    (
        "area-form",
        "blank",
        "civil-status-form",
        "country-form",
        "email-form",
        "guardian-expired",
        "guardian-not-due",
        "hidden-character",
        "in-the-future",
        "not-taken",
        "other-script",
        "own-guardian",
        "partial-date",
        "personal-number-form",
        "phone-form",
        "postal-code-form",
        "too-long-ago",
    )
)
"""Codes of the identity record (`eid.enrolment.person`)."""

# pydantic's code: ours. Its own sentences may quote what was sent.
_FAULTS: Final = {
    "missing": "missing",
    "extra_forbidden": "unknown-member",
    "literal_error": "choice",
    "enum": "choice",
    "string_too_short": "too-short",
    "bytes_too_short": "too-short",
    "too_short": "too-short",
    "string_too_long": "too-long",
    "bytes_too_long": "too-long",
    "too_long": "too-long",
    "string_pattern_mismatch": "form",
    "bool_type": "truth",
    "bool_parsing": "truth",
}
_FAMILIES: Final = (
    ("uuid", "identifier"),
    ("date", "date"),
    ("time", "date"),
    ("timezone", "date"),
    ("int", "number"),
    ("float", "number"),
    ("decimal", "number"),
    ("greater", "number"),
    ("less", "number"),
    ("finite", "number"),
    ("string", "text"),
)


def fault_of(code: str) -> str:
    """Our code for one of pydantic's; ours are their own."""
    if code in OWN:
        return code
    return _FAULTS.get(code) or next((fault for start, fault in _FAMILIES if code.startswith(start)), "other")


FAULTS: Final = OWN | frozenset(_FAULTS.values()) | {fault for _, fault in _FAMILIES} | {"other"}
"""Every code."""
