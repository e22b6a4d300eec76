"""Values of an identity record by the names that card profiles call them by (`eid.profile.contents`)."""

from __future__ import annotations

from collections.abc import Iterable

from eid.errors import RecordError
from eid.identity import BilingualText, IdentityRecord
from eid.profile.contents import DETAILS


def require_fields(record: IdentityRecord, required: Iterable[str]) -> None:
    """Insist that the record has what the card product wants.

    Raises:
        RecordError: it lacks one; the text names the first.
    """
    for source in required:
        if not find_parts(record, source):
            raise RecordError(f"{source} is missing, and the card product wants it")


def find_parts(record: IdentityRecord, source: str) -> tuple[str, ...]:
    """A value, in the country's own script first, then in Latin, as far as the source does not choose one; () for none.

    A number or a detail is one part.
    """
    name, _, which = source.partition(".")
    if name == DETAILS:
        text = record.detail(which)
        return () if text is None else (text,)
    value = record.partner.name if name == "partner" and record.partner is not None else getattr(record, name)
    if value is None:
        return ()
    if isinstance(value, BilingualText):
        return {"latin": (value.latin,), "native": value.parts[:1]}.get(which, value.parts)
    return (value,)


def find_lines(record: IdentityRecord, source: str) -> tuple[str, ...] | None:
    """A value as fields of a data element, each line one of them; None where the record or the profile has none."""
    parts = find_parts(record, source) if source else ()
    return tuple(line for part in parts for line in part.split("\n")) or None


def find_text(record: IdentityRecord, source: str) -> str | None:
    """A value as one text, lines parted by commas; of two spellings the first. None where there is none."""
    parts = find_parts(record, source) if source else ()
    return parts[0].replace("\n", ", ") if parts else None


def join_names(record: IdentityRecord, names: Iterable[str], *, latin: bool) -> str:
    """Names one behind the other, in Latin or in the country's own script; those that the record lacks are left out."""
    found = (find_parts(record, f"{name}.{'latin' if latin else 'native'}") for name in names)
    return " ".join(parts[0] for parts in found if parts)
