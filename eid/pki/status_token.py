"""Status List Tokens: a status list signed, as JWT or as CWT (draft-ietf-oauth-status-list-21, 5).

Both carry the signer's certificate (`x5c`, `x5chain`), which the state's CSCA issued for this purpose alone, so that a
relying party that trusts the CSCA for documents needs nothing else. A list's signer speaks for its own state only.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, unique
from typing import Any, Final

from eid.codec import oid
from eid.codec.cbor import CborKey, CborValue, decode_cbor, encode_cbor
from eid.codec.x509 import Certificate
from eid.crypto.curves import Curve, curve_by_name
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import (
    PublicKey,
    SignatureAlgorithm,
    curve_of_key,
    decode_ecdsa_der,
    encode_ecdsa_plain,
    verify_signature,
)
from eid.errors import DecodeError, KeyStoreError, LifecycleError, Reason, VerificationError
from eid.evidence.cose import (
    HEADER_ALGORITHM,
    CoseSign1,
    decode_cose_sign1,
    encode_sig_structure,
)
from eid.keystore.ports import Signer
from eid.pki.certificate_profile import is_key_of, sign_checked
from eid.pki.content_signer import usage_of
from eid.pki.path import CertificatePath, find_path, verify_validity
from eid.pki.reading import read_certificate
from eid.pki.revocation import NO_GRACE
from eid.pki.status_list import SPECIFICATION, StatusList, decompress_status_list
from eid.pki.trust_store import TrustStore

MAX_TOKEN: Final = 1 << 24  # octets
MAX_URI: Final = 256
MAX_CERTIFICATES: Final = 4
SKEW: Final = timedelta(minutes=5)  # by which the clocks of publisher and relying party may differ
CLAIM_SUBJECT, CLAIM_EXPIRES, CLAIM_ISSUED, CLAIM_TTL, CLAIM_STATUS_LIST = 2, 4, 6, 65534, 65533
HEADER_TYPE: Final = 16  # RFC 9596
HEADER_X5CHAIN: Final = 33  # RFC 9360
HEADER_CRITICAL: Final = 2
COSE_SIGN1: Final = 0xD2  # the first octet of a tagged COSE_Sign1, which a CWT must be (5.2)
_LAST: Final = 253_402_300_799  # the end of the year 9999
_BASE64URL: Final = re.compile(rb"[A-Za-z0-9_-]*")


@unique
class TokenForm(Enum):
    """How a token is written; the value is its media type (8.2)."""

    JWT = "application/statuslist+jwt"
    CWT = "application/statuslist+cwt"


@dataclass(frozen=True, slots=True)
class _Suite:
    """A signature algorithm by its names in JOSE and COSE (RFC 7518 3.4, RFC 9053 2.1)."""

    jose: str
    cose: int
    curve: str
    hash_name: str


_SUITES: Final = (
    _Suite("ES256", -7, "P-256", "sha256"),
    _Suite("ES384", -35, "P-384", "sha384"),
    _Suite("ES512", -36, "P-521", "sha512"),
)


@dataclass(frozen=True, slots=True)
class StatusClaims:
    """What a token says.

    Args:
        uri: the list's (`sub`). issued_at, expires_at: UTC, whole seconds. ttl: seconds after which a copy is to be
            fetched anew. aggregation_uri: where the publisher's lists are named.
    """

    uri: str
    issued_at: datetime
    expires_at: datetime | None
    ttl: int | None
    statuses: StatusList
    aggregation_uri: str | None = None


@dataclass(frozen=True, slots=True)
class StatusToken:
    """A decoded token; nothing is verified yet.

    Args:
        certificates: DER, the signer's first; may be empty.
    """

    form: TokenForm
    claims: StatusClaims
    certificates: tuple[bytes, ...] = field(repr=False)
    suite: _Suite = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedStatusList:
    """A list whose signer is trusted for its state. country: of the certificate's issuer, two letters."""

    claims: StatusClaims
    path: CertificatePath = field(repr=False)
    country: str

    def is_stale(self, time: datetime, grace: timedelta = NO_GRACE) -> bool:
        """Whether it must not be relied upon any longer (13.7); one without an end of time is never fresh.

        Args:
            grace: for how long after its end it is.
        """
        return self.claims.expires_at is None or time - self.claims.expires_at >= grace

    def agrees_with(self, other: VerifiedStatusList) -> bool:
        """Whether both say the same of every card, for as long: the two forms of one publication do."""
        mine, theirs = self.claims, other.claims
        return (mine.statuses, mine.expires_at) == (theirs.statuses, theirs.expires_at)


# --- signing ----------------------------------------------------------------------------------------------------------


def sign_status_token(form: TokenForm, claims: StatusClaims, signer: Signer, certificate: bytes) -> bytes:
    """A token: octets of a JWS in compact form, or of a tagged COSE_Sign1.

    Args:
        certificate: the signer's, DER; its extended key usage is signing of status lists.

    Raises:
        LifecycleError: the certificate is for another purpose, another key, or the key must not sign at that time.
        KeyStoreError: the key cannot be used, or JOSE and COSE do not know its algorithm.
    """
    suite = _suite_of(signer)
    _require_entitled(signer, certificate, claims.issued_at)
    if form is TokenForm.JWT:
        return _sign_jwt(claims, suite, signer, certificate)
    header: dict[CborKey, CborValue] = {HEADER_ALGORITHM: suite.cose, HEADER_TYPE: form.value}
    protected, payload = encode_cbor(header), encode_cbor(_cwt_claims(claims))
    signature = _sign(suite, signer, encode_sig_structure(protected, payload))
    unprotected: dict[CborKey, CborValue] = {HEADER_X5CHAIN: certificate}
    return CoseSign1(protected, header, unprotected, payload, signature).encode()


def _require_entitled(signer: Signer, certificate: bytes, time: datetime) -> None:
    stated = read_certificate(certificate, [])
    if stated.extensions.extended_key_usage != (oid.STATUS_LIST_SIGNING_KEY,):
        raise LifecycleError("the certificate is not one of a status list signer")
    if not is_key_of(signer, stated.spki_raw):
        raise LifecycleError("the key is not that of the status list signer's certificate")
    usage = usage_of(stated)
    if not usage.not_before <= time <= usage.not_after:
        raise LifecycleError(f"the status list signer's key signs until {usage.not_after:%Y-%m-%d} only")


def _suite_of(signer: Signer) -> _Suite:
    key = load_public_key(signer.public_key_info)
    for suite in _SUITES:
        if signer.algorithm == SignatureAlgorithm("ecdsa", suite.hash_name) and _is_on(key, suite):
            return suite
    raise KeyStoreError("status lists are signed with ES256, ES384 or ES512, on P-256, P-384 or P-521")


def _is_on(key: PublicKey, suite: _Suite) -> bool:
    try:
        return curve_of_key(key).name == suite.curve  # type: ignore[arg-type]  # an RSA key raises, as another curve does
    except (VerificationError, AttributeError):
        return False


def _sign(suite: _Suite, signer: Signer, message: bytes) -> bytes:
    n = _curve(suite).n
    return encode_ecdsa_plain(*decode_ecdsa_der(sign_checked(signer, message), n), n)


def _curve(suite: _Suite) -> Curve:
    found = curve_by_name(suite.curve)
    if found is None:
        raise KeyStoreError(f"there is no curve {suite.curve}")
    return found


def _sign_jwt(claims: StatusClaims, suite: _Suite, signer: Signer, certificate: bytes) -> bytes:
    header = {"alg": suite.jose, "typ": "statuslist+jwt", "x5c": [base64.b64encode(certificate).decode()]}
    status_list: dict[str, Any] = {
        "bits": claims.statuses.bits,
        "lst": _encode_base64url(claims.statuses.compress()).decode(),
    }
    if claims.aggregation_uri is not None:
        status_list["aggregation_uri"] = claims.aggregation_uri
    told: dict[str, Any] = {"sub": claims.uri, "iat": int(claims.issued_at.timestamp()), "status_list": status_list}
    if claims.expires_at is not None:
        told["exp"] = int(claims.expires_at.timestamp())
    if claims.ttl is not None:
        told["ttl"] = claims.ttl
    parts = (json.dumps(part, separators=(",", ":"), sort_keys=True).encode() for part in (header, told))
    message = b".".join(map(_encode_base64url, parts))
    return message + b"." + _encode_base64url(_sign(suite, signer, message))


def _cwt_claims(claims: StatusClaims) -> dict[CborKey, CborValue]:
    status_list: dict[CborKey, CborValue] = {"bits": claims.statuses.bits, "lst": claims.statuses.compress()}
    if claims.aggregation_uri is not None:
        status_list["aggregation_uri"] = claims.aggregation_uri
    told: dict[CborKey, CborValue] = {
        CLAIM_SUBJECT: claims.uri,
        CLAIM_ISSUED: int(claims.issued_at.timestamp()),
        CLAIM_STATUS_LIST: status_list,
    }
    if claims.expires_at is not None:
        told[CLAIM_EXPIRES] = int(claims.expires_at.timestamp())
    if claims.ttl is not None:
        told[CLAIM_TTL] = claims.ttl
    return told


# --- decoding ---------------------------------------------------------------------------------------------------------


def decode_status_token(raw: bytes) -> StatusToken:
    """Decode a token of either form; nothing is verified.

    Raises:
        DecodeError: malformed, of another type, under an algorithm that is no ECDSA signature, or without a claim.
    """
    if len(raw) > MAX_TOKEN:
        raise DecodeError(f"a status list token of over {MAX_TOKEN} octets")
    return _decode_cwt(raw) if raw[:1] == bytes((COSE_SIGN1,)) else _decode_jwt(raw)


def _decode_jwt(raw: bytes) -> StatusToken:
    parts = raw.strip().split(b".")
    if len(parts) != 3:
        raise DecodeError("neither a JWS in compact form nor a tagged COSE_Sign1", clause="RFC 7515 3.1")
    header, told = _decode_json(parts[0], "header"), _decode_json(parts[1], "claims")
    if header.get("typ") not in ("statuslist+jwt", TokenForm.JWT.value):  # 5.1; RFC 7515 4.1.9 lets either be meant
        raise DecodeError("the token's type is not statuslist+jwt", clause=f"{SPECIFICATION} 5.1")
    if "crit" in header:  # RFC 7515 4.1.11: no extension is understood here
        raise DecodeError("the token has critical headers", clause="RFC 7515 4.1.11")
    suite = next((item for item in _SUITES if item.jose == header.get("alg")), None)
    stated = _require_map(told.get("status_list"), "status_list")
    lst = stated.get("lst")
    if not isinstance(lst, str):
        raise _missing("lst")
    claims = _claims(
        {name: told.get(name) for name in ("sub", "iat", "exp", "ttl")}, stated, _decode_base64url(lst.encode(), "lst")
    )
    signed, signature = parts[0] + b"." + parts[1], _decode_base64url(parts[2], "signature")
    return StatusToken(TokenForm.JWT, claims, _jose_chain(header), _require_suite(suite), signed, signature)


def _decode_cwt(raw: bytes) -> StatusToken:
    envelope = decode_cose_sign1(raw, max_octets=MAX_TOKEN)
    header = envelope.protected_header
    if header.get(HEADER_TYPE) != TokenForm.CWT.value:
        raise DecodeError("the token's type is not application/statuslist+cwt", clause=f"{SPECIFICATION} 5.2")
    if HEADER_CRITICAL in header:
        raise DecodeError("the token has critical headers", clause="RFC 9052 3.1")
    suite = next((item for item in _SUITES if item.cose == header.get(HEADER_ALGORITHM)), None)
    told = decode_cbor(envelope.payload, max_octets=MAX_TOKEN, any_order=True)
    if not isinstance(told, dict):
        raise DecodeError("the claims are no map", clause="RFC 8392 3")
    stated = _require_map(told.get(CLAIM_STATUS_LIST), "status list")
    lst = stated.get("lst")
    if not isinstance(lst, bytes):
        raise _missing("lst")
    named = {"sub": CLAIM_SUBJECT, "iat": CLAIM_ISSUED, "exp": CLAIM_EXPIRES, "ttl": CLAIM_TTL}
    claims = _claims({name: told.get(key) for name, key in named.items()}, stated, lst)
    chain = _cose_chain(header.get(HEADER_X5CHAIN, envelope.unprotected_header.get(HEADER_X5CHAIN)))
    signed = envelope.to_be_signed
    return StatusToken(TokenForm.CWT, claims, chain, _require_suite(suite), signed, envelope.signature)


def _require_suite(suite: _Suite | None) -> _Suite:
    if suite is None:  # also MACs, whose key every reader would have, and "none"
        raise DecodeError("the token is not under ES256, ES384 or ES512", clause="RFC 7518 3.4")
    return suite


def _claims(told: dict[str, Any], stated: dict[Any, Any], compressed: bytes) -> StatusClaims:
    uri, bits, aggregation = told["sub"], stated.get("bits"), stated.get("aggregation_uri")
    if not isinstance(uri, str) or not 1 <= len(uri) <= MAX_URI or not uri.isascii() or not uri.isprintable():
        raise _missing("sub")
    if type(bits) is not int:
        raise _missing("bits")
    if aggregation is not None and not (isinstance(aggregation, str) and len(aggregation) <= MAX_URI):
        raise _missing("aggregation_uri")
    ttl = told["ttl"]
    if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl <= _LAST):
        raise _missing("ttl")
    issued = _time(told["iat"], "iat")
    if issued is None:
        raise _missing("iat")
    statuses = decompress_status_list(bits, compressed)
    return StatusClaims(
        uri, issued, _time(told["exp"], "exp"), None if ttl is None else int(ttl), statuses, aggregation
    )


def _time(value: Any, name: str) -> datetime | None:
    """NumericDate (RFC 7519 2); parts of a second are dropped."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST:
        raise _missing(name)
    return datetime.fromtimestamp(int(value), UTC)


def _missing(name: str) -> DecodeError:
    return DecodeError(f"the token's {name} is missing or malformed", clause=f"{SPECIFICATION} 5")


def _require_map(value: Any, name: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _missing(name)
    return value


def _jose_chain(header: dict[str, Any]) -> tuple[bytes, ...]:
    chain = header.get("x5c", [])
    if not isinstance(chain, list) or len(chain) > MAX_CERTIFICATES or not all(isinstance(item, str) for item in chain):
        raise _missing("x5c")
    try:
        return tuple(base64.b64decode(item, validate=True) for item in chain)  # RFC 7515 4.1.6: base64, not base64url
    except (ValueError, binascii.Error):
        raise _missing("x5c") from None


def _cose_chain(value: CborValue) -> tuple[bytes, ...]:
    chain = [value] if isinstance(value, bytes) else value or []
    if not isinstance(chain, list) or len(chain) > MAX_CERTIFICATES:
        raise _missing("x5chain")
    found = tuple(item for item in chain if isinstance(item, bytes))
    if len(found) != len(chain):
        raise _missing("x5chain")
    return found


def _decode_json(part: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(_decode_base64url(part, name), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise DecodeError(f"the token's {name} is no JSON object", clause="RFC 7519 7.2") from None
    if not isinstance(found, dict):
        raise DecodeError(f"the token's {name} is no JSON object", clause="RFC 7519 7.2")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _encode_base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _decode_base64url(text: bytes, name: str) -> bytes:
    """Canonical base64url without padding (RFC 7515 2)."""
    try:
        if _BASE64URL.fullmatch(text) is not None:
            raw = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
            if _encode_base64url(raw) == text:
                return raw
    except (ValueError, binascii.Error):
        pass
    raise DecodeError(f"the token's {name} is not base64url", clause="RFC 7515 2")


# --- verification -----------------------------------------------------------------------------------------------------


def verify_token_signature(token: StatusToken, public_key: PublicKey) -> None:
    """Accept the signature by a key that is known to be the publisher's.

    Raises:
        VerificationError: SIG_CRYPTO_FAILURE; ALGORITHM_UNSUPPORTED, the key is not one of the stated algorithm.
    """
    if not _is_on(public_key, token.suite):
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"{token.suite.jose} wants a key on {token.suite.curve}")
    algorithm = SignatureAlgorithm("ecdsa-plain", token.suite.hash_name)
    verify_signature(public_key, algorithm, token.signed, token.signature)


def verify_status_token(raw: bytes, trust: TrustStore, *, now: datetime, uri: str | None = None) -> VerifiedStatusList:
    """Accept a token (8.3, steps 3 to 5). Whether it is fresh is asked later: a stale list can still tell of a loss.

    Args:
        trust: whose CSCAs issue the certificates of status list signers. now: UTC. uri: what the card names.

    Raises:
        DecodeError: malformed. VerificationError: NO_SIGNING_CERTIFICATE_FOUND; what `find_path` raises;
            NOT_YET_VALID, OUT_OF_BOUNDS_NO_POE, OUT_OF_USAGE_PERIOD; REVOKED; CSCA_DISTRUSTED; SIG_CRYPTO_FAILURE;
            ISSUER_MISMATCH, it is another list than the one at `uri`.
    """
    # 1. Form, type, algorithm, claims
    token = decode_status_token(raw)
    # 2. Its signer: purpose, and a path to a trusted CSCA
    if not token.certificates:
        raise VerificationError(Reason.NO_SIGNING_CERTIFICATE_FOUND, "the status list carries no certificate")
    signer = read_certificate(token.certificates[0], [])
    path = find_path(signer, trust, purpose=oid.STATUS_LIST_SIGNING_KEY)
    # 3. Its signature
    verify_token_signature(token, load_public_key(signer.spki_raw))
    # 4. In time, not revoked, not distrusted
    _verify_signer(path, trust, token.claims.issued_at, now)
    # 5. The list that was asked for
    if uri is not None and token.claims.uri != uri:
        raise VerificationError(Reason.ISSUER_MISMATCH, "it is another status list", clause=f"{SPECIFICATION} 8.3")
    return VerifiedStatusList(token.claims, path, signer.issuer_country or "")


def _verify_signer(path: CertificatePath, trust: TrustStore, issued_at: datetime, now: datetime) -> None:
    signer: Certificate = path.signer
    if issued_at - now > SKEW:
        raise VerificationError(Reason.NOT_YET_VALID, f"the status list says that it is of {issued_at:%Y-%m-%d %H:%M}")
    verify_validity(signer, issued_at, "the signer of the status list")
    verify_validity(signer, now, "the signer of the status list")
    usage = usage_of(signer)
    if not usage.not_before <= issued_at <= usage.not_after:
        raise VerificationError(Reason.OUT_OF_USAGE_PERIOD, "the status list's key was not in use when it was signed")
    trust.verify_not_distrusted((signer, *(item.certificate for item in path.authorities)), now)
    subjects = (signer, *(item.certificate for item in path.authorities[:-1]))
    for certificate, issuer in zip(subjects, path.authorities, strict=True):
        for crls in trust.crls_covering(issuer, now):
            if any(certificate.serial in crl.revoked for crl in crls):
                raise VerificationError(Reason.REVOKED, "the signer of the status list is revoked")
