"""What a card is given beside its holder's data: its secrets, and whom it trusts."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import date

from eid.errors import DecodeError, LifecycleError, VerificationError
from eid.keystore.ports import CardKeys, StaticKey
from eid.personalization.build import CardSecrets
from eid.pki.cv_chain import MAX_TRUST_POINTS, load_trust_point
from eid.profile.schema import CardProfile


def require_trust_points(profile: CardProfile, trust_points: tuple[bytes, ...], today: date) -> None:
    """Insist that the card will trust somebody, and with reason, where it has Terminal Authentication.

    Raises:
        LifecycleError: a trust point is missing, too many, not wanted, malformed, or out of date.
    """
    if not profile.needs_terminal_authentication:
        if trust_points:
            raise LifecycleError("the profile has no Terminal Authentication: it takes no trust point")
        return
    try:
        points = [load_trust_point(raw).certificate for raw in trust_points]
    except (DecodeError, VerificationError) as fault:
        raise LifecycleError(f"trust point: {fault}") from fault
    counts = Counter(point.chat.oid for point in points)
    if not points or max(counts.values()) > MAX_TRUST_POINTS:
        raise LifecycleError(f"the profile wants one to {MAX_TRUST_POINTS} trust points for each type of terminal")
    for point in points:
        if not point.effective_date <= today <= point.expiration_date:
            raise LifecycleError(f"the trust point {point.holder_reference} is not valid today")


def derive_secrets(keys: CardKeys, job_id: uuid.UUID, profile: CardProfile) -> CardSecrets:
    """CAN, PIN and PUK: derived from the card's own keys, so that a resumed job knows them and nobody else does."""

    def derive(what: bytes) -> bytes:
        return keys.cmac(StaticKey.ENC, what + job_id.bytes)

    def digits(what: bytes, count: int) -> str:
        return f"{int.from_bytes(derive(what), 'big') % 10**count:0{count}}"

    access = profile.access
    return CardSecrets(
        digits(b"card access number", profile.document.can_digits),
        digits(b"PIN", access.pin_digits) if "PIN" in access.passwords else "",
        digits(b"PUK", access.puk_digits) if "PUK" in access.passwords else "",
        derive(b"filler"),
    )
