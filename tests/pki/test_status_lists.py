"""Token Status Lists: published vectors, round trips, every step of the verification, and any octets."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import timedelta
from pathlib import Path

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from eid.codec import oid
from eid.codec.cbor import encode_cbor
from eid.codec.crl import RevokedCertificate
from eid.errors import DecodeError, EidError, KeyStoreError, LifecycleError, Reason, VerificationError
from eid.evidence.cose import CoseSign1, encode_sig_structure
from eid.pki.distrust import Distrust, identify_key
from eid.pki.reading import read_certificate
from eid.pki.status_list import BITS, MAX_OCTETS, StatusList, build_status_list, decompress_status_list
from eid.pki.status_token import (
    TokenForm,
    decode_status_token,
    sign_status_token,
    verify_status_token,
    verify_token_signature,
)
from eid.pki.trust_store import build_trust_store
from tests.builders import issuer as made
from tests.builders.status import HOUR, NOW, URI, StatusPublisher, claims, key_signer, status_publisher
from tests.builders.sweep import examples

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/token-status-list.json").read_text())
BOTH = pytest.mark.parametrize("form", TokenForm)


def number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "="), "big")


def published_key() -> ec.EllipticCurvePublicKey:
    key = VECTORS["key"]
    return ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), ec.SECP256R1()).public_key()


def octets_of(token: dict[str, str]) -> bytes:
    return bytes.fromhex(token["token"]) if token["form"] == "CWT" else token["token"].encode()


# --- lists


@pytest.mark.parametrize("vector", VECTORS["lists"], ids=lambda vector: vector["name"])
def test_published_lists(vector) -> None:
    statuses = {int(index): status for index, status in vector["statuses"].items()}
    built = build_status_list(vector["size"], vector["bits"], statuses.items())
    assert built.compress().hex() == vector["compressed"]
    if "octets" in vector:
        assert built.octets.hex() == vector["octets"]
    read = decompress_status_list(vector["bits"], bytes.fromhex(vector["compressed"]))
    assert (read, read.size) == (built, vector["size"])
    assert {index: read.status(index) for index in statuses} == statuses
    assert sum(read.status(index) != 0 for index in range(0, read.size, 5)) == sum(not index % 5 for index in statuses)


@given(st.sampled_from(BITS), st.data())
def test_lists_round_trip(bits: int, data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=1, max_size=70))
    built = build_status_list(len(wanted), bits, [*((place, (1 << bits) - 1) for place in range(len(wanted)))])
    again = build_status_list(len(wanted), bits, [*enumerate(wanted)])
    assert [again.status(index) for index in range(len(wanted))] == wanted
    assert [built.status(index) for index in range(len(wanted))] == [(1 << bits) - 1] * len(wanted)
    assert decompress_status_list(bits, again.compress()) == again


def test_the_last_of_two_words_counts() -> None:
    assert build_status_list(4, 2, [(1, 3), (1, 2)]).octets == b"\x08"


def test_what_no_list_is() -> None:
    for wrong in ((4, 3, []), (0, 2, []), (4, 2, [(4, 1)]), (4, 2, [(-1, 1)]), (4, 2, [(0, 4)]), (1 << 30, 8, [])):
        with pytest.raises(LifecycleError):
            build_status_list(*wrong)
    with pytest.raises(DecodeError, match="bits"):
        StatusList(3, b"")
    for index in (-1, 8):
        with pytest.raises(DecodeError, match="out of the status list's bounds"):
            StatusList(1, b"\x00").status(index)


@pytest.mark.parametrize(
    "compressed",
    [b"", b"\x78\xda", zlib.compress(b"abc")[:-1], zlib.compress(b"abc") + b"\x00", b"abc", zlib.compress(b"a")[2:]],
)
def test_streams_that_are_none(compressed: bytes) -> None:
    with pytest.raises(DecodeError):
        decompress_status_list(2, compressed)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(MAX_OCTETS + 1), 9)
    assert len(bomb) < 20_000
    with pytest.raises(DecodeError, match="over"):
        decompress_status_list(2, bomb)


# --- tokens


@pytest.mark.parametrize("vector", VECTORS["tokens"], ids=lambda vector: vector["name"])
def test_published_tokens(vector) -> None:
    token = decode_status_token(octets_of(vector))
    verify_token_signature(token, published_key())
    told = token.claims
    assert (token.form.name, told.uri, told.ttl) == (vector["form"], vector["uri"], vector["ttl"])
    assert (told.issued_at.timestamp(), told.expires_at.timestamp()) == (vector["issued_at"], vector["expires_at"])
    assert (told.statuses.bits, told.statuses.octets.hex()) == (1, vector["octets"])
    with pytest.raises(VerificationError) as refused:
        verify_token_signature(token, ec.generate_private_key(ec.SECP256R1()).public_key())
    assert refused.value.reason is Reason.SIG_CRYPTO_FAILURE


@pytest.fixture(scope="module")
def owner() -> StatusPublisher:
    return status_publisher()


def trust_of(owner: StatusPublisher, *crls: bytes, **options):
    return build_trust_store([owner.publisher.csca], crls, **options)


def refused(owner: StatusPublisher, raw: bytes, trust=None, **options) -> Reason:
    with pytest.raises(VerificationError) as failure:
        verify_status_token(raw, trust or trust_of(owner), **{"now": NOW, **options})
    return failure.value.reason


@BOTH
@pytest.mark.parametrize(("curve", "hash_name"), [("P-256", "sha256"), ("P-384", "sha384"), ("P-521", "sha512")])
def test_tokens_round_trip(form: TokenForm, curve: str, hash_name: str) -> None:
    owner = status_publisher(curve=curve, hash_name=hash_name)
    raw = owner.sign([(7, 1), (8, 2)], form, aggregation_uri="https://status.example.org/")
    found = verify_status_token(raw, trust_of(owner), now=NOW, uri=URI)
    assert found.claims == claims([(7, 1), (8, 2)], aggregation_uri="https://status.example.org/")
    assert (found.country, found.path.anchor.raw) == ("UT", owner.publisher.csca)
    assert [found.claims.statuses.status(index) for index in (6, 7, 8, 9)] == [0, 1, 2, 0]
    assert decode_status_token(raw).form is form


@BOTH
def test_optional_claims_may_be_absent(owner: StatusPublisher, form: TokenForm) -> None:
    found = verify_status_token(owner.sign((), form, expires_at=None, ttl=None), trust_of(owner), now=NOW)
    assert (found.claims.expires_at, found.claims.ttl, found.is_stale(NOW)) == (None, None, True)


def test_a_list_is_stale_from_its_end_on(owner: StatusPublisher) -> None:
    found = verify_status_token(owner.sign(), trust_of(owner), now=NOW + 100 * HOUR)
    end = found.claims.expires_at
    assert (found.is_stale(end - timedelta(seconds=1)), found.is_stale(end)) == (False, True)


@BOTH
def test_every_step_refuses(owner: StatusPublisher, form: TokenForm) -> None:
    genuine = owner.sign((), form)
    publisher = owner.publisher
    assert refused(owner, genuine, uri="https://status.example.org/2") is Reason.ISSUER_MISMATCH
    stranger = status_publisher()
    assert refused(stranger, genuine) is Reason.NO_CERTIFICATE_CHAIN_FOUND
    assert refused(owner, owner.sign((), form, issued_at=NOW + HOUR)) is Reason.NOT_YET_VALID
    assert refused(owner, genuine, now=made.NOT_AFTER + HOUR) is Reason.OUT_OF_BOUNDS_NO_POE
    certificate = read_certificate(publisher.certificate, [])
    crl = made.crl(publisher.csca_key, [RevokedCertificate(certificate.serial, made.NOT_BEFORE, 1)])
    assert refused(owner, genuine, trust_of(owner, crl)) is Reason.REVOKED
    csca = read_certificate(publisher.csca, [])
    distrust = Distrust(bytes(32), identify_key(csca.spki_raw), NOW - HOUR, "stolen")
    assert refused(owner, genuine, trust_of(owner, distrusts=[distrust])) is Reason.CSCA_DISTRUSTED


@BOTH
@pytest.mark.parametrize("purposes", [None, (oid.CSCA_MASTER_LIST_SIGNING_KEY,)])
def test_other_signers_of_the_state_sign_no_status(owner: StatusPublisher, form: TokenForm, purposes) -> None:
    other = status_publisher(purposes=purposes, csca_key=owner.publisher.csca_key, csca=owner.publisher.csca)
    with pytest.raises(LifecycleError, match="not one of a status list signer"):
        other.sign((), form)
    forged = resigned(owner.sign((), form), other)
    assert refused(owner, forged) is Reason.CHAIN_CONSTRAINTS_FAILURE


def resigned(genuine: bytes, other: StatusPublisher, **header: object) -> bytes:
    """The claims of a token under another's key and certificate."""
    certificate, signer = other.publisher.certificate, key_signer(other.publisher.key)
    if genuine[0] == 0xD2:
        envelope = CoseSign1_of(genuine)
        signed = encode_sig_structure(envelope.protected, envelope.payload)
        signature = plain(signer.sign(signed))
        return CoseSign1(
            envelope.protected, envelope.protected_header, {33: certificate}, envelope.payload, signature
        ).encode()
    head = json.loads(unpadded(genuine.split(b".")[0]))
    head |= {"x5c": [base64.b64encode(certificate).decode()], **header}
    message = text(json.dumps(head).encode()) + b"." + genuine.split(b".")[1]
    return message + b"." + text(plain(signer.sign(message)))


def CoseSign1_of(raw: bytes) -> CoseSign1:  # noqa: N802 - the structure's name
    from eid.evidence.cose import decode_cose_sign1

    return decode_cose_sign1(raw, max_octets=1 << 20)


def plain(signature: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def unpadded(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def text(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"alg": "none"}, "ES256"),
        ({"alg": "HS256"}, "ES256"),
        ({"alg": "RS256"}, "ES256"),
        ({"typ": "JWT"}, "type"),
        ({"typ": None}, "type"),
        ({"crit": ["exp"]}, "critical"),
        ({"x5c": "text"}, "x5c"),
        ({"x5c": ["%%"]}, "x5c"),
        ({"x5c": ["AAAA"] * 5}, "x5c"),
    ],
)
def test_headers_that_are_refused(owner: StatusPublisher, header, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode_status_token(resigned(owner.sign((), TokenForm.JWT), owner, **header))


def test_the_key_must_be_of_the_algorithm(owner: StatusPublisher) -> None:
    other = resigned(owner.sign((), TokenForm.JWT), owner, alg="ES384")
    assert refused(owner, other) is Reason.ALGORITHM_UNSUPPORTED
    assert refused(owner, resigned(owner.sign((), TokenForm.JWT), owner, x5c=[])) is Reason.NO_SIGNING_CERTIFICATE_FOUND


GOOD = {"sub": URI, "iat": 1_780_000_000, "status_list": {"bits": 2, "lst": text(zlib.compress(b"\0")).decode()}}


@pytest.mark.parametrize(
    "changed",
    [
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 257},
        {"sub": "https://ü.example"},
        {"iat": None},
        {"iat": "now"},
        {"iat": True},
        {"iat": -1},
        {"iat": 1e30},
        {"iat": float("nan")},
        {"exp": "never"},
        {"ttl": 0},
        {"ttl": -5},
        {"ttl": "900"},
        {"ttl": True},
        {"status_list": None},
        {"status_list": []},
        {"status_list": {"bits": 2}},
        {"status_list": {"lst": "eNrbuRgAAhcBXQ"}},
        {"status_list": {"bits": 3, "lst": "eNrbuRgAAhcBXQ"}},
        {"status_list": {"bits": 2.0, "lst": "eNrbuRgAAhcBXQ"}},
        {"status_list": {"bits": 2, "lst": "eNrbuRgAAhcBXR"}},
        {"status_list": {"bits": 2, "lst": "eNrbuRgAAhcBXQ=="}},
        {"status_list": {"bits": 2, "lst": "eNrb+RgA"}},
        {"status_list": {"bits": 2, "lst": "eNrbuRgAAhcBXQ", "aggregation_uri": 5}},
    ],
)
def test_claims_that_are_refused(owner: StatusPublisher, changed) -> None:
    assert decode_status_token(unsigned(GOOD)).claims.statuses.size == 4
    with pytest.raises(DecodeError):
        decode_status_token(unsigned({**GOOD, **changed}))
    keys = {"sub": 2, "iat": 6, "exp": 4, "ttl": 65534, "status_list": 65533}
    if "status_list" in changed or any(isinstance(value, float) for value in changed.values()):
        return
    told = {keys[name]: value for name, value in {**GOOD, **changed}.items()}
    told[65533] = {"bits": 2, "lst": zlib.compress(b"\0")}
    with pytest.raises(DecodeError):
        decode_status_token(unsigned_cwt(told))


def unsigned(told: object) -> bytes:
    head = json.dumps({"alg": "ES256", "typ": "statuslist+jwt"}).encode()
    return b".".join((text(head), text(json.dumps(told).encode()), text(bytes(64))))


def unsigned_cwt(told, protected=None) -> bytes:
    header = {1: -7, 16: TokenForm.CWT.value} if protected is None else protected
    return CoseSign1(encode_cbor(header), header, {}, encode_cbor(told), bytes(64)).encode()


GOOD_CWT = {2: URI, 6: 1, 65533: {"bits": 2, "lst": zlib.compress(b"\0")}}


@pytest.mark.parametrize(
    ("told", "protected"),
    [
        ([], None),
        ({}, None),
        ({**GOOD_CWT, 65533: 7}, None),
        ({**GOOD_CWT, 65533: {"bits": 2, "lst": "text"}}, None),
        (GOOD_CWT, {1: -7}),
        (GOOD_CWT, {1: -7, 16: "application/cwt"}),
        (GOOD_CWT, {1: 5, 16: TokenForm.CWT.value}),
        (GOOD_CWT, {1: -7, 2: [16], 16: TokenForm.CWT.value}),
        (GOOD_CWT, {1: -7, 16: TokenForm.CWT.value, 33: 7}),
        (GOOD_CWT, {1: -7, 16: TokenForm.CWT.value, 33: [b"", "x"]}),
    ],
)
def test_cwts_that_are_refused(told, protected) -> None:
    assert decode_status_token(unsigned_cwt(GOOD_CWT)).claims.uri == URI
    with pytest.raises(DecodeError):
        decode_status_token(unsigned_cwt(told, protected))


def test_names_that_stand_twice() -> None:
    head = text(b'{"alg":"ES256","alg":"ES384","typ":"statuslist+jwt"}')
    with pytest.raises(DecodeError, match="no JSON object"):
        decode_status_token(head + b".e30." + text(bytes(64)))
    with pytest.raises(DecodeError, match="no JSON object"):
        decode_status_token(text(b"[]") + b".e30." + text(bytes(64)))


@given(st.binary(max_size=120) | st.binary(max_size=60).map(lambda raw: b"\xd2\x84" + raw))
@settings(max_examples=examples(200))
def test_any_octets(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_status_token(raw)
    with pytest.raises(DecodeError):
        decode_status_token(b".".join((text(b'{"alg":"ES256","typ":"statuslist+jwt"}'), text(raw), b"")))


@BOTH
@given(place=st.integers(0, 1 << 16), how=st.sampled_from(("change", "cut", "insert")), octet=st.integers(1, 255))
@settings(max_examples=examples(80))
def test_a_token_changed_anywhere(owner: StatusPublisher, form: TokenForm, place: int, how: str, octet: int) -> None:
    """An error of ours, or the very claims that were signed."""
    genuine = owner.sign([(7, 1)], form)
    raw = bytearray(genuine)
    at = place % len(raw)
    if how == "change":
        raw[at] ^= octet
    elif how == "cut":
        del raw[at]
    else:
        raw.insert(at, octet)
    try:
        found = verify_status_token(bytes(raw), trust_of(owner), now=NOW)
    except EidError:
        return
    assert found.claims == claims([(7, 1)])


def test_what_cannot_sign(owner: StatusPublisher) -> None:
    publisher = owner.publisher
    other = key_signer(made.ec_key())
    with pytest.raises(LifecycleError, match="not that of"):
        sign_status_token(TokenForm.CWT, claims(), other, publisher.certificate)
    for key in (made.ec_key("brainpoolP256r1"), made.ec_key("P-256", "sha384")):
        with pytest.raises(KeyStoreError, match="ES256"):
            sign_status_token(TokenForm.CWT, claims(), key_signer(key), publisher.certificate)
    with pytest.raises(LifecycleError, match="until"):
        owner.sign(issued_at=made.NOT_AFTER + HOUR)


def test_other_software_reads_our_tokens(owner: StatusPublisher) -> None:
    """joserfc and cbor2, which share nothing with the code under test, find the signature good and the same claims."""
    certificate = x509.load_der_x509_certificate(owner.publisher.certificate)
    key = ECKey.import_key(certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    roomy = JWSRegistry(algorithms=["ES256"])
    roomy.max_header_length = 4096  # for the certificate in it
    token = jwt.decode(owner.sign([(7, 1), (8, 2)], TokenForm.JWT).decode(), key, registry=roomy)
    told = token.claims
    assert (token.header["typ"], told["sub"], told["ttl"], told["exp"] - told["iat"]) == (
        "statuslist+jwt",
        URI,
        900,
        24 * 3600,
    )
    octets = zlib.decompress(unpadded(told["status_list"]["lst"].encode()))
    assert (octets[1] >> 6 & 3, octets[2] & 3, sum(octets)) == (1, 2, 0x42)
    tagged = cbor2.loads(owner.sign([(7, 1), (8, 2)], TokenForm.CWT))
    protected, unprotected, payload, signature = tagged.value
    assert (tagged.tag, cbor2.loads(protected)) == (18, {1: -7, 16: "application/statuslist+cwt"})
    assert unprotected == {33: owner.publisher.certificate}
    claims_map = cbor2.loads(payload)
    assert {key: claims_map[key] for key in (2, 4, 6, 65534)} == {2: URI, 4: told["exp"], 6: told["iat"], 65534: 900}
    assert zlib.decompress(claims_map[65533]["lst"]) == octets
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    certificate.public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
