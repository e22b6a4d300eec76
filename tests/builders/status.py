"""Status lists of an invented state, signed by a signer below its CSCA. SPECIMEN."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eid.codec import oid
from eid.crypto.signatures import SignatureAlgorithm
from eid.keystore.software import SoftwareSigner
from eid.pki.status_list import build_status_list
from eid.pki.status_token import StatusClaims, TokenForm, sign_status_token
from tests.builders import issuer as made
from tests.builders import trust_lists as lists

URI = "https://status.example.org/1"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def key_signer(key: made.Key) -> SoftwareSigner:
    return SoftwareSigner("sls-001", key.private, SignatureAlgorithm("ecdsa", key.hash_name))  # type: ignore[arg-type]  # an EC or RSA key


def claims(statuses: Iterable[tuple[int, int]] = (), **changed: Any) -> StatusClaims:
    told: dict[str, Any] = {
        "uri": URI,
        "issued_at": NOW - HOUR,
        "expires_at": NOW + 23 * HOUR,
        "ttl": 900,
        "statuses": build_status_list(1 << 14, 2, statuses),
    }
    return StatusClaims(**{**told, **changed})


@dataclass(frozen=True)
class StatusPublisher:
    """A signer of status lists, with the CSCA above it."""

    publisher: lists.Publisher

    def sign(self, statuses: Iterable[tuple[int, int]] = (), form: TokenForm = TokenForm.CWT, **changed: Any) -> bytes:
        owner = self.publisher
        return sign_status_token(form, claims(statuses, **changed), key_signer(owner.key), owner.certificate)


def status_publisher(country: str = "UT", curve: str = "P-256", hash_name: str = "sha256", **options: Any):
    """A publisher with keys of its own; `options` as of `trust_lists.publisher`."""
    given = {"purposes": (oid.STATUS_LIST_SIGNING_KEY,), **options}
    return StatusPublisher(lists.publisher(country, key=made.ec_key(curve, hash_name), **given))
