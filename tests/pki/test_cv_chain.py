"""Chains of CV certificates: published certificates, every role, right and date; every defect is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from eid.codec.cv import Chat, CvEcPublicKey, CvRsaPublicKey, Role, decode_cv_certificate
from eid.codec.oid import ID_AT, ID_IS
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import DecodeError, LocalProtocolError, Reason, VerificationError
from eid.keystore.ports import Signer
from eid.pki.cv_chain import (
    ID_TA_ECDSA,
    ID_TA_RSA,
    CardTrust,
    intersect_rights,
    load_cv_key,
    load_trust_point,
    verify_cv_certificate,
    verify_cv_chain,
)
from eid.pki.cv_issuing import build_cv_public_key, find_algorithm_oid
from tests.builders.terminals import (
    BEGIN,
    CVCA,
    DV,
    END,
    TERMINAL,
    TerminalPki,
    build_terminal_pki,
    ec_signer,
    rsa_signer,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tr03110-certificates.json").read_text())
TODAY = date(2026, 6, 1)


@pytest.fixture
def pki() -> TerminalPki:
    return build_terminal_pki()


def reason(pki: TerminalPki, today: date = TODAY) -> Reason:
    with pytest.raises(VerificationError) as caught:
        verify_cv_chain(pki.decoded(), pki.trust_point(), today)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["ecdh", "dh"])
def test_certificates_of_the_worked_example(kind: str) -> None:
    """Their CVCA is one for inspection systems that signs for authentication terminals: no chain, but signatures."""
    cvca, dv, terminal = (bytes.fromhex(VECTORS[kind][name]) for name in ("cvca", "dv", "terminal"))
    trust_point, today = load_trust_point(cvca), decode_cv_certificate(terminal).effective_date
    chain = tuple(map(decode_cv_certificate, (dv, terminal)))
    with pytest.raises(VerificationError, match="terminal type"):
        verify_cv_chain(chain, trust_point, today)
    of_one_type = replace(trust_point.certificate, chat=Chat(ID_AT, bytes.fromhex("FFFFFFFFFF")))
    verified = verify_cv_chain(chain, replace(trust_point, certificate=of_one_type, rights=b"\xff" * 5), today)
    assert verified.chat == Chat(ID_AT, bytes.fromhex("0000000110"))
    broken = replace(chain[1], signature=bytes((chain[1].signature[0] ^ 1,)) + chain[1].signature[1:])
    with pytest.raises(VerificationError) as caught:
        verify_cv_chain((chain[0], broken), replace(trust_point, certificate=of_one_type), today)
    assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE


ALGORITHMS = [
    *(SignatureAlgorithm("ecdsa", name) for name in ("sha1", "sha224", "sha256", "sha384", "sha512")),
    *(SignatureAlgorithm("rsa-pkcs1", name) for name in ("sha1", "sha256", "sha512")),
    *(SignatureAlgorithm("rsa-pss", name, salt) for name, salt in (("sha1", 20), ("sha256", 32), ("sha512", 64))),
]


def signer_for(name: str, algorithm: SignatureAlgorithm) -> Signer:
    return ec_signer(name, algorithm) if algorithm.kind == "ecdsa" else rsa_signer(name, algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda item: f"{item.kind}-{item.hash_name}")
def test_every_algorithm(algorithm: SignatureAlgorithm) -> None:
    keys = {name: signer_for("all", algorithm) for name in ("cvca", "dv", "terminal")}
    pki = replace(build_terminal_pki(), **keys)
    verified = verify_cv_chain(pki.decoded(), pki.trust_point(), TODAY)
    assert verified.certificate.public_key.oid == find_algorithm_oid(algorithm)
    assert verified.chat == Chat(ID_IS, b"\x03")
    dv, terminal = pki.decoded()
    for place in (0, -1):
        signature = bytearray(terminal.signature)
        signature[place] ^= 1
        with pytest.raises(VerificationError) as caught:
            verify_cv_chain((dv, replace(terminal, signature=bytes(signature))), pki.trust_point(), TODAY)
        assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE


def test_algorithms_that_terminal_authentication_does_not_know() -> None:
    with pytest.raises(LocalProtocolError):
        find_algorithm_oid(SignatureAlgorithm("rsa-pss", "sha256", 20))
    with pytest.raises(LocalProtocolError):
        find_algorithm_oid(SignatureAlgorithm("rsa-pkcs1", "sha384"))


def test_a_mixed_chain_on_another_curve(pki: TerminalPki) -> None:
    pss = SignatureAlgorithm("rsa-pss", "sha256", 32)
    mixed = replace(pki, terminal=rsa_signer("terminal", pss))
    assert verify_cv_chain(mixed.decoded(), mixed.trust_point(), TODAY).key.curve is None
    # A key below an RSA key has no domain parameters to inherit.
    lost = replace(pki, dv=rsa_signer("dv", pss))
    assert reason(lost) is Reason.CHAIN_CONSTRAINTS_FAILURE
    # A key on another curve than the CVCA's is no point there.
    other = replace(pki, dv=ec_signer("dv-384", curve="P-384"))
    with pytest.raises(DecodeError):
        verify_cv_chain(other.decoded(), other.trust_point(), TODAY)


@pytest.mark.parametrize(
    ("cvca", "dv", "terminal", "effective"),
    [(3, 3, 1, 1), (3, 2, 3, 2), (1, 3, 3, 1), (2, 1, 3, 0), (0x3F, 0x23, 3, 3)],
)
def test_effective_rights_are_the_intersection(
    pki: TerminalPki, cvca: int, dv: int, terminal: int, effective: int
) -> None:
    rights = dict(zip(("cvca_rights", "dv_rights", "terminal_rights"), (cvca, dv, terminal), strict=True))
    pki = replace(pki, **{name: bytes((value,)) for name, value in rights.items()})
    assert verify_cv_chain(pki.decoded(), pki.trust_point(), TODAY).rights == bytes((effective,))


def test_rights_of_other_length_are_none() -> None:
    assert intersect_rights(b"\x03", b"\x03\x03") == b"\x00"


def test_dates(pki: TerminalPki) -> None:
    assert verify_cv_chain(pki.decoded(), pki.trust_point(), BEGIN)
    assert verify_cv_chain(pki.decoded(), pki.trust_point(), END)
    assert reason(pki, date(2027, 1, 1)) is Reason.OUT_OF_BOUNDS_NO_POE
    assert reason(pki, date(2025, 12, 31)) is Reason.NOT_YET_VALID
    assert reason(replace(pki, begin=date(2027, 1, 1)), date(2027, 1, 1)) is Reason.CHAIN_CONSTRAINTS_FAILURE


def test_another_issuer(pki: TerminalPki) -> None:
    _, terminal = pki.decoded()
    with pytest.raises(VerificationError) as caught:
        verify_cv_certificate(terminal, pki.trust_point(), TODAY)
    assert caught.value.reason is Reason.NO_SIGNING_CERTIFICATE_FOUND


def test_a_foreign_cvca_of_the_same_name(pki: TerminalPki) -> None:
    impostor = replace(pki, cvca=ec_signer("impostor"))
    with pytest.raises(VerificationError) as caught:
        verify_cv_chain(impostor.decoded(), pki.trust_point(), TODAY)
    assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE


@pytest.mark.parametrize(
    ("issuer", "holder"),
    [
        (Role.CVCA, Role.TERMINAL),
        (Role.DOMESTIC_DV, Role.CVCA),
        (Role.DOMESTIC_DV, Role.DOMESTIC_DV),
        (Role.FOREIGN_DV, Role.FOREIGN_DV),
        (Role.TERMINAL, Role.TERMINAL),
    ],
)
def test_who_may_sign_whom(pki: TerminalPki, issuer: Role, holder: Role) -> None:
    above = pki.trust_point()
    if issuer is not Role.CVCA:
        chat = replace(above.certificate.chat, authorization=bytes((issuer << 6 | 3,)))
        above = replace(above, certificate=replace(above.certificate, chat=chat))
    raw = pki.certify(pki.cvca, CVCA, pki.terminal, TERMINAL, holder, b"\x03")
    with pytest.raises(VerificationError) as caught:
        verify_cv_certificate(decode_cv_certificate(raw), above, TODAY)
    assert caught.value.reason is Reason.CHAIN_CONSTRAINTS_FAILURE


def test_the_terminal_type_stays(pki: TerminalPki) -> None:
    dv = decode_cv_certificate(replace(pki, terminal_type=ID_AT).dv_certificate())
    longer = decode_cv_certificate(replace(pki, dv_rights=b"\x00\x03").dv_certificate())
    for certificate in (dv, longer):
        with pytest.raises(VerificationError) as caught:
            verify_cv_certificate(certificate, pki.trust_point(), TODAY)
        assert caught.value.reason is Reason.CHAIN_CONSTRAINTS_FAILURE


# Keys


def test_keys_that_are_none() -> None:
    point = build_cv_public_key(ec_signer("cvca"), explicit=True)
    assert isinstance(point, CvEcPublicKey)
    assert point.parameters is not None
    curve = load_cv_key(point).curve
    unknown = replace(point, parameters=replace(point.parameters, b=point.parameters.b ^ 1))
    for key, expected in (
        (replace(point, oid="1.2.3"), Reason.ALGORITHM_UNSUPPORTED),
        (unknown, Reason.ALGORITHM_UNSUPPORTED),
        (replace(point, oid=ID_TA_RSA + ".2"), Reason.CHAIN_CONSTRAINTS_FAILURE),
        (replace(point, parameters=None), Reason.CHAIN_CONSTRAINTS_FAILURE),
        (CvRsaPublicKey(ID_TA_ECDSA + ".3", 1 << 2047 | 1, 65537), Reason.CHAIN_CONSTRAINTS_FAILURE),
        (CvRsaPublicKey(ID_TA_RSA + ".2", 15, 65537), Reason.ALGORITHM_UNSUPPORTED),
        (CvRsaPublicKey(ID_TA_RSA + ".2", 1 << 2047, 65537), Reason.ALGORITHM_UNSUPPORTED),
    ):
        with pytest.raises(VerificationError) as caught:
            load_cv_key(key)
        assert caught.value.reason is expected
    with pytest.raises(DecodeError):
        load_cv_key(replace(point, parameters=None, public_point=b"\x04" + bytes(64)), curve)


# Trust points and the card's date


def test_a_trust_point_is_a_sound_cvca(pki: TerminalPki) -> None:
    assert load_trust_point(pki.cvca_certificate()).rights == b"\x03"
    with pytest.raises(VerificationError, match="CVCA"):
        load_trust_point(pki.dv_certificate())
    raw = bytearray(pki.cvca_certificate())
    raw[-1] ^= 1
    with pytest.raises(VerificationError) as caught:
        load_trust_point(bytes(raw))
    assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE


def test_the_cards_date_moves_forwards_only(pki: TerminalPki) -> None:
    trust = CardTrust((pki.trust_point(),), date(2025, 1, 1))
    dv, terminal = pki.decoded()
    verified = verify_cv_certificate(dv, pki.trust_point(), trust.today)
    assert trust.accept(verified).today == BEGIN
    assert replace(trust, today=TODAY).accept(verified).today == TODAY
    late = replace(terminal, effective_date=date(2026, 3, 1))
    of_domestic = verify_cv_certificate(terminal, verified, BEGIN)
    assert trust.accept(replace(of_domestic, certificate=late)).today == late.effective_date


def test_a_terminal_of_a_foreign_document_verifier_moves_no_date(pki: TerminalPki) -> None:
    foreign = replace(pki, dv_role=Role.FOREIGN_DV)
    verified = verify_cv_chain(foreign.decoded(), foreign.trust_point(), TODAY)
    trust = CardTrust((foreign.trust_point(),), date(2025, 1, 1))
    assert not verified.is_accurate
    assert trust.accept(verified) == trust


def test_link_certificates_move_the_trust_points(pki: TerminalPki) -> None:
    first = pki.trust_point()
    trust = CardTrust((first,), BEGIN)
    names = ["UTCVCASPEC00002", "UTCVCASPEC00003"]
    second = verify_cv_certificate(decode_cv_certificate(pki.link_certificate(ec_signer("cvca2"))), first, BEGIN)
    trust = trust.accept(second)
    assert trust.points == (second, first)
    assert trust.accept(second) == trust
    third_pki = replace(pki, cvca=ec_signer("cvca2"))
    raw = third_pki.certify(ec_signer("cvca2"), names[0], ec_signer("cvca3"), names[1], Role.CVCA, b"\x01")
    third = verify_cv_certificate(decode_cv_certificate(raw), second, BEGIN)
    trust = trust.accept(third)
    assert [point.certificate.holder_reference for point in trust.points] == names[::-1]
    assert trust.find(CVCA) is None
    assert third.rights == b"\x01"
    assert third.key.curve == first.key.curve  # domain parameters inherited
    again = load_trust_point(raw, first.key.curve)
    assert (again.key.curve, again.rights) == (third.key.curve, third.rights)
    with pytest.raises(VerificationError):
        load_trust_point(raw)


def test_an_expired_link_certificate_is_accepted_and_an_expired_trust_point_goes(pki: TerminalPki) -> None:
    """A card that slept for years catches up, and forgets what has expired meanwhile (TR-03110-3 2.5)."""
    first, later = pki.trust_point(), date(2030, 1, 1)
    raw = replace(pki, end=date(2027, 1, 1)).link_certificate(ec_signer("cvca2"))
    link = verify_cv_certificate(decode_cv_certificate(raw), first, later)
    assert CardTrust((first,), later).accept(link).points == (link,)


def test_names_of_the_specimen_chain(pki: TerminalPki) -> None:
    assert [item.holder_reference for item in pki.decoded()] == [DV, TERMINAL]
