"""Access tokens of staff and systems: JSON Web Tokens that an OpenID provider signed (RFC 9068), checked with its keys.

The provider's keys are loaded when the service starts, from a file or from its address, and looked at again at an
interval (`eid.services.caller.key_renewal`); no request of a caller makes this service fetch anything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from eid.enrolment.roles import Actor, OwnNumber, Role, keep_number
from eid.errors import AuthenticationError, GatewayError, ProfileError
from eid.gateways.http import Location, fetch
from eid.services.settings import Settings

ALGORITHMS: Final = ("ES256", "ES384", "ES512", "PS256", "RS256", "Ed25519", "EdDSA")  # signatures only: never HS, none
TYPES: Final = frozenset(("at+jwt", "application/at+jwt", "jwt"))  # RFC 9068 2.1; most providers still say JWT
LEEWAY: Final = 30  # seconds by which two clocks may differ
MAX_LIFETIME: Final = 24 * 3600  # seconds that a token may still be good for
MAX_TOKEN: Final = 8 << 10  # octets
MAX_KEYS: Final = 256 << 10  # octets of a key set
DEVELOPMENT: Final = "NOT-FOR-PRODUCTION"  # stands in the name of every key of the development issuer
_NOT_BY_TOKEN: Final = frozenset((Role.APPLICANT, Role.SYSTEM))  # who have no account at the provider
TOKEN_ROLES: Final = {role.value: role for role in Role if role not in _NOT_BY_TOKEN}
_PUBLIC_KINDS: Final = frozenset(("EC", "OKP", "RSA"))
_OPAQUE: Final = re.compile(r"[A-Za-z0-9._|:-]{1,64}")
SITE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class TokenRefusedError(AuthenticationError):
    """The token is not one of the provider's for this service, or its time is over; never says which."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request.

    Args:
        scopes: what his token is for. client: the program that he uses. language: an applicant's, where it is known.
    """

    actor: Actor
    scopes: frozenset[str] = frozenset()
    client: str = ""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Whose tokens count.

    Args:
        name: the `iss` of his tokens. audience: the `aud` that means this service. keys: his public keys.
        roles_claim: where a token has the roles, with dots between levels ("realm_access.roles").
        number_claim: where it has the holder's own personal number, written likewise.
    """

    name: str
    audience: str
    keys: KeySet = field(repr=False)
    roles_claim: str = "roles"
    number_claim: str = "personal_number"

    def verify(self, token: str, now: datetime) -> Caller:
        """Who the bearer of a token is.

        Raises:
            TokenRefusedError: wrong signature, issuer, audience, type or time, or no subject (RFC 9068 4).
        """
        if len(token) > MAX_TOKEN:
            raise TokenRefusedError("the token is refused")
        seconds = int(now.timestamp())
        try:
            decoded = jwt.decode(token, self.keys, algorithms=ALGORITHMS)
            jwt.JWTClaimsRegistry(
                now=seconds,
                leeway=LEEWAY,
                iss={"essential": True, "value": self.name},
                aud={"essential": True, "value": self.audience},
                exp={"essential": True},
                sub={"essential": True},
            ).validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise TokenRefusedError("the token is refused") from None
        kind = decoded.header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in TYPES or decoded.claims["exp"] > seconds + MAX_LIFETIME:
            raise TokenRefusedError("the token is refused")
        return self._read(decoded.claims)

    def _read(self, claims: Mapping[str, Any]) -> Caller:
        site, own = _site(claims.get("site")), _own(_find(claims, self.number_claim))
        actor = Actor(_identify(claims["sub"]), self._roles(claims), site, own)
        stated = claims.get("scope", claims.get("scp", ""))
        scopes = stated.split() if isinstance(stated, str) else _texts(stated)
        client = claims.get("client_id", claims.get("azp", ""))
        return Caller(actor, frozenset(scopes), client if isinstance(client, str) else "")

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        """The roles that this service knows; a provider has others for other services."""
        found = _texts(_find(claims, self.roles_claim))
        return frozenset(TOKEN_ROLES[name] for name in found if name in TOKEN_ROLES)


def load_issuer(settings: Settings) -> TokenIssuer:
    """The issuer that the settings name, with his keys.

    Raises:
        ProfileError: they are no key set, or the development issuer's where that was not allowed.
        GatewayError: they cannot be fetched or read.
    """
    raw = _fetch_keys(settings.jwks) if "://" in settings.jwks else _read_keys(Path(settings.jwks))
    keys = decode_keys(raw)
    if any(DEVELOPMENT in (key.kid or "") for key in keys.keys) and not settings.development:
        raise ProfileError("these are the keys of a development issuer, who gives every role to everybody")
    return TokenIssuer(settings.issuer, settings.audience, keys, settings.roles_claim, settings.number_claim)


def decode_keys(raw: bytes) -> KeySet:
    """Public keys out of a JSON Web Key Set (RFC 7517 5).

    Raises:
        ProfileError: it is none, is empty, or has a secret or private key in it.
    """
    try:
        stated = json.loads(raw)
        usable = [key for key in stated["keys"] if key.get("use", "sig") == "sig"]
        if any(key.get("kty") not in _PUBLIC_KINDS or "d" in key for key in usable):
            raise ProfileError("the key set has a key in it that must not be published")
        keys = KeySet.import_key_set({"keys": usable})
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ProfileError("no JSON Web Key Set (RFC 7517 5)") from None
    if not keys.keys:
        raise ProfileError("the key set has no key for signatures")
    return keys


def _fetch_keys(address: str) -> bytes:
    try:
        parts = urlsplit(address)
        port = parts.port or 443
    except ValueError:
        raise ProfileError("the address of the provider's keys is malformed") from None
    if parts.scheme != "https" or not parts.hostname:
        raise ProfileError("keys are fetched by https only; or name a file")
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    # The operator names his own provider, which may well be on a private network.
    return fetch(Location("https", parts.hostname, port, target), limit=MAX_KEYS, is_allowed=lambda _: True)


def _read_keys(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEYS)
    except OSError as failure:
        raise GatewayError(f"the key set cannot be read: {failure.strerror}") from failure


def _identify(subject: str) -> str:
    """The identifier for the audit log: the subject itself, or a digest where it may be an address or a name."""
    if _OPAQUE.fullmatch(subject):
        return subject
    return "h." + hashlib.sha256(subject.encode()).hexdigest()[:40]


def _site(stated: object) -> str | None:
    """Where he works; what is no code of a site is no token, lest he counts as one who works nowhere in particular."""
    if stated is None:
        return None
    if not isinstance(stated, str) or not SITE.fullmatch(stated):
        raise TokenRefusedError("the token is refused")
    return stated


def _find(claims: Mapping[str, Any], place: str) -> Any:
    found: Any = claims
    for part in place.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _own(stated: object) -> OwnNumber | None:
    """The number to compare with; what is no number at all is no token, lest the comparison is silently left out."""
    if stated is None:
        return None
    if not isinstance(stated, str) or not any(map(str.isalnum, stated)):
        raise TokenRefusedError("the token is refused")
    return keep_number(stated)


def _texts(stated: object) -> list[str]:
    return [item for item in stated if isinstance(item, str)] if isinstance(stated, list) else []
