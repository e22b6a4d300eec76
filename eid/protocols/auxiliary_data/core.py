"""What a terminal may ask without reading: age, validity, community; and how the card answers (TR-03110-3 A.7.5)."""

from __future__ import annotations

from datetime import date
from typing import Final

from eid.codec.oid import ID_COMMUNITY_ID, ID_DATE_OF_BIRTH, ID_DATE_OF_EXPIRY
from eid.errors import DecodeError
from eid.mrz import PartialDate
from eid.protocols.terminal_authentication.core import AuxiliaryDatum

RIGHTS: Final = {ID_DATE_OF_BIRTH: "age-verification", ID_COMMUNITY_ID: "community-id-verification"}
"""The right, by its name, that a question takes; whether a document has expired, every terminal may ask."""
_CLAUSE: Final = "TR-03110-3 A.7.5"


def ask_age(years: int, today: date) -> AuxiliaryDatum:
    """Whether the holder is at least so old: born, at the latest, so many years before today.

    Raises:
        ValueError: the years are negative or lead out of the calendar.
    """
    if years < 0:
        raise ValueError("an age is not negative")
    try:
        latest = today.replace(year=today.year - years)
    except ValueError:  # 29 February: whoever was born on 1 March is not so old yet
        latest = today.replace(year=today.year - years, day=28)
    return AuxiliaryDatum(ID_DATE_OF_BIRTH, _encode_date(latest))


def ask_validity(today: date) -> AuxiliaryDatum:
    """Whether the document has not expired."""
    return AuxiliaryDatum(ID_DATE_OF_EXPIRY, _encode_date(today))


def ask_community(prefix: bytes) -> AuxiliaryDatum:
    """Whether the holder's municipality ID begins with these octets.

    Raises:
        ValueError: no octets; every card would say yes.
    """
    if not prefix:
        raise ValueError("a community is named by one octet at least")
    return AuxiliaryDatum(ID_COMMUNITY_ID, prefix)


def is_not_born_after(stored: PartialDate, required: bytes) -> bool:
    """Age: the stored date of birth is not after the required one (A.6.5.2).

    A date that is known in part only counts as the last day that it may mean: nobody is made older than he is.

    Raises:
        DecodeError: the required date is malformed.
    """
    return stored.latest <= _decode_date(required)


def is_not_expired(stored: date, current: bytes) -> bool:
    """Validity: the stored date of expiry is not before the current date (A.6.5.3).

    Raises:
        DecodeError: the current date is malformed.
    """
    return stored >= _decode_date(current)


def is_in_community(stored: bytes, prefix: bytes) -> bool:
    """Community: the leftmost octets of what is stored are those that were asked for (A.6.5.4).

    Raises:
        DecodeError: none was asked for.
    """
    if not prefix:
        raise DecodeError("no octet of a municipality ID", clause=_CLAUSE)
    return stored.startswith(prefix)


def _encode_date(value: date) -> bytes:
    return f"{value.year:04}{value.month:02}{value.day:02}".encode("ascii")


def _decode_date(raw: bytes) -> date:
    try:
        if len(raw) == 8 and raw.isdigit():
            return date(int(raw[:4]), int(raw[4:6]), int(raw[6:]))
    except ValueError:  # no such date
        pass
    raise DecodeError("auxiliary data: no date YYYYMMDD", clause=_CLAUSE)
