"""The card's trust points and its date: from an image, as data object FF23, and in the card state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date

from eid.codec import cv_tags
from eid.codec.cv import decode_cv_date
from eid.codec.tlv import decode_tlvs
from eid.crypto.curves import curve_by_name
from eid.errors import DecodeError, VerificationError
from eid.pki.cv_chain import MAX_TRUST_POINTS, CardTrust, Verified, load_trust_point


def load_trust(certificates: Iterable[bytes], today: date | None) -> CardTrust:
    """What a card trusts that leaves with these CVCA certificates, newest first.

    Args:
        today: None for the latest day on which one of them began.

    Raises:
        DecodeError: malformed, too many, no CVCA's, or its own signature is wrong.
    """
    points = tuple(_load_point(raw, None) for raw in certificates)
    if any(count > MAX_TRUST_POINTS for count in Counter(point.chat.oid for point in points).values()):
        what = f"a card has at most {MAX_TRUST_POINTS} trust points for a type of terminal"
        raise DecodeError(what, clause="TR-03110-3 2.5.2")
    return CardTrust(points, today or max([CardTrust().today, *(item.certificate.effective_date for item in points)]))


def _load_point(raw: bytes, curve_name: str | None) -> Verified:
    try:
        return load_trust_point(raw, None if curve_name is None else curve_by_name(curve_name))
    except VerificationError as fault:
        raise DecodeError(f"trust point: {fault}") from fault


def decode_trust(content: bytes) -> CardTrust:
    """Read the content of data object FF23: the card's date (5F25), and CVCA certificates (7F21).

    Raises:
        DecodeError: malformed, or as `load_trust`.
    """
    objects = decode_tlvs(content)
    if not objects or objects[0].tag != cv_tags.EFFECTIVE_DATE:
        raise DecodeError("trust points without the card's date")
    return load_trust((item.encode() for item in objects[1:]), decode_cv_date(objects[0].value))


def describe_trust(trust: CardTrust) -> list[object]:
    """For the card state: the date, then each trust point as its certificate and the name of its curve, or null."""
    points = [
        [point.certificate.raw, None if point.key.curve is None else point.key.curve.name] for point in trust.points
    ]
    return [trust.today.isoformat(), points]


def restore_trust(value: object) -> CardTrust:
    """What `describe_trust` has written.

    Raises:
        DecodeError: malformed, or as `load_trust`.
    """
    match value:
        case [str(today), [*points]]:
            try:
                return CardTrust(tuple(_restore_point(point) for point in points), date.fromisoformat(today))
            except ValueError as fault:
                raise DecodeError("card state: trust points are malformed") from fault
    raise DecodeError("card state: trust points are malformed")


def _restore_point(value: object) -> Verified:
    match value:
        case [bytes(raw), str() | None as curve_name]:
            return _load_point(raw, curve_name)
    raise DecodeError("card state: a trust point is malformed")
