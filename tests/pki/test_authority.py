"""Certificates, CRLs and EF.SOD as our authority makes them, read back by our decoders and by another library."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from eid.codec.extensions import GeneralName, GeneralNameKind, KeyUsage
from eid.codec.name import decode_name
from eid.codec.spki import EcParameters, decode_ec_parameters, decode_spki
from eid.codec.x509 import decode_certificate
from eid.crypto.curves import curve_by_name
from eid.crypto.public_key import decode_signature_algorithm, load_public_key
from eid.crypto.signatures import SignatureAlgorithm, verify_signature
from eid.errors import KeyStoreError, LifecycleError, Reason, VerificationError
from eid.keystore.algorithm import rsa_algorithm
from eid.keystore.ports import KeyStore, Signer
from eid.lds.sod import LdsVersion, build_lds_security_object, decode_ef_sod
from eid.pki.certificate_profile import (
    IssuingState,
    Validity,
    build_signature_identifier,
    derive_key_identifier,
    draw_serial,
    sign_checked,
)
from eid.pki.crl import Revocation, RevocationReason, build_crl
from eid.pki.csca import build_csca_certificate, build_link_certificate
from eid.pki.document_signer import build_document_signer_certificate, prepare_sod_signer, sign_sod
from eid.pki.path import find_path, verify_validity
from eid.pki.revocation import verify_not_revoked
from eid.pki.trust_store import build_trust_store
from tests.builders.authority import (
    CSCA_USAGE,
    CSCA_VALIDITY,
    DS_USAGE,
    DS_VALIDITY,
    NOW,
    START,
    Authority,
    build_authority,
    fresh_label,
)

DAY = timedelta(days=1)
SECURITY_OBJECT = build_lds_security_object("sha256", {n: hashlib.sha256(bytes((n,))).digest() for n in (1, 2, 14)})


def general_names(names: tuple[GeneralName, ...]) -> list[str]:
    return [
        str(decode_name(name.content)) if name.kind == GeneralNameKind.DIRECTORY_NAME else name.content.decode("ascii")
        for name in names
    ]


def test_the_csca_certificate_is_as_table_6_says(authority: Authority) -> None:
    certificate = decode_certificate(authority.csca)  # strict
    extensions = certificate.extensions
    assert certificate.version == 3
    assert certificate.serial.bit_length() > 100
    assert str(certificate.subject()) == "C=UT,O=SPECIMEN Utopia,CN=SPECIMEN CSCA"
    assert certificate.issuer_raw == certificate.subject_raw
    assert extensions.key_usage == KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN
    assert extensions.basic_constraints is not None
    assert (extensions.basic_constraints.ca, extensions.basic_constraints.path_length) == (True, 0)
    critical = {item.oid for item in extensions.all if item.critical}
    assert critical == {"2.5.29.15", "2.5.29.19"}
    identifier = hashlib.sha1(decode_spki(certificate.spki_raw).public_key).digest()
    assert extensions.subject_key_identifier == identifier
    assert extensions.authority_key_identifier is not None
    assert extensions.authority_key_identifier.key_identifier == identifier
    for names in (extensions.subject_alternative_name(), extensions.issuer_alternative_name()):
        assert general_names(names) == ["csca@utopia.example", "L=UTO"]
    period = extensions.private_key_usage_period()
    assert period is not None
    assert (period.not_before, period.not_after) == (START, START + 4 * 365 * DAY)
    (point,) = extensions.crl_distribution_points()
    assert [name.text for name in point.full_name] == ["https://pki.utopia.example/ut.crl"]
    assert certificate.signature_algorithm.oid == "1.2.840.10045.4.3.3"  # ecdsa-with-SHA384
    assert extensions.unknown_critical == ()
    extensions.check()


def test_the_document_signer_certificate_is_as_table_6_says(authority: Authority) -> None:
    certificate, csca = decode_certificate(authority.ds), decode_certificate(authority.csca)
    extensions = certificate.extensions
    assert str(certificate.subject()) == "C=UT,O=SPECIMEN Utopia,CN=SPECIMEN DS 1"
    assert certificate.issuer_raw == csca.subject_raw
    assert extensions.key_usage == KeyUsage.DIGITAL_SIGNATURE
    assert extensions.basic_constraints is None
    assert extensions.extended_key_usage is None
    assert extensions.document_types() == ("P", "ID")  # a SET OF: in DER order
    assert {item.oid for item in extensions.all if item.critical} == {"2.5.29.15"}
    assert extensions.authority_key_identifier is not None
    assert extensions.authority_key_identifier.key_identifier == csca.extensions.subject_key_identifier
    assert general_names(extensions.issuer_alternative_name()) == ["csca@utopia.example", "L=UTO"]
    assert certificate.serial != csca.serial
    extensions.check()


def test_parameters_are_in_the_form_that_the_state_chose(authority: Authority) -> None:
    for raw, name in ((authority.csca, "brainpoolP384r1"), (authority.ds, "brainpoolP256r1")):
        curve = curve_by_name(name)
        assert curve is not None
        parameters = decode_ec_parameters(decode_spki(decode_certificate(raw).spki_raw).algorithm.parameters)
        if not authority.state.explicit_parameters:
            assert parameters == curve.oid
            continue
        assert isinstance(parameters, EcParameters)
        assert (parameters.p, parameters.a, parameters.b) == (curve.p, curve.a, curve.b)
        assert (parameters.n, parameters.h) == (curve.n, 1)
        size = curve.coordinate_length
        assert parameters.generator == b"\4" + curve.gx.to_bytes(size, "big") + curve.gy.to_bytes(size, "big")


def test_another_library_reads_the_named_twins(software_store: KeyStore) -> None:
    named = build_authority(
        software_store.generate_ec(fresh_label(), "brainpoolP384r1"),
        software_store.generate_ec(fresh_label(), "brainpoolP256r1"),
        explicit=False,
    )
    csca, ds = x509.load_der_x509_certificate(named.csca), x509.load_der_x509_certificate(named.ds)
    ds.verify_directly_issued_by(csca)
    csca.verify_directly_issued_by(csca)
    assert ds.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)[0].value == "UT"
    assert csca.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert ds.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    alternative = ds.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternative.get_values_for_type(x509.RFC822Name) == ["csca@utopia.example"]
    assert [name.rfc4514_string() for name in alternative.get_values_for_type(x509.DirectoryName)] == ["L=UTO"]
    raw = build_crl(named.csca_signer, named.csca, number=5, this_update=NOW, next_update=NOW + DAY)
    crl = x509.load_der_x509_crl(raw)
    assert crl.is_signature_valid(csca.public_key())  # type: ignore[arg-type]  # an EC key
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 5


def test_any_key_of_any_store_makes_a_path(store: KeyStore) -> None:
    """Every kind of key as CSCA and as document signer, from both stores."""
    rsa = store.generate_rsa(fresh_label(), 2048)
    signers: list[Signer] = [
        store.generate_ec(fresh_label(), "P-256"),
        store.generate_ec(fresh_label(), "brainpoolP512r1"),
        rsa,
        store.load(rsa.label, rsa_algorithm("rsa-pkcs1", "sha384")),
        store.load(rsa.label, SignatureAlgorithm("rsa-pss", "sha512", 20, "sha512")),
    ]
    for csca_signer, ds_signer in zip(signers, [*signers[1:], signers[0]], strict=True):
        made = build_authority(csca_signer, ds_signer, explicit=True)
        crl = build_crl(csca_signer, made.csca, number=1, this_update=START, next_update=START + 90 * DAY)
        trust = build_trust_store([made.csca], [crl])
        assert trust.unusable == ()
        path = find_path(decode_certificate(made.ds), trust)
        assert path.anchor.raw == made.csca
        assert verify_not_revoked(path, trust, NOW).raw == crl
        sod = decode_ef_sod(sign_sod(SECURITY_OBJECT, ds_signer, made.ds, signing_time=NOW))
        assert_signed(sod, made.ds)


def assert_signed(sod: Any, ds: bytes) -> None:
    info = sod.signed_data.signer_info
    attributes = info.signed_attributes
    hash_name = decode_signature_algorithm(info.signature_algorithm).hash_name
    assert attributes.message_digest == hashlib.new(hash_name, sod.signed_data.content).digest()
    verify_signature(
        load_public_key(decode_certificate(ds).spki_raw),
        decode_signature_algorithm(info.signature_algorithm),
        sod.signed_data.signed_attributes_der,
        info.signature,
    )


@pytest.mark.parametrize("by_key_identifier", [False, True])
@pytest.mark.parametrize("version", [None, LdsVersion("0108", "040000")])
def test_ef_sod_round_trip(authority: Authority, by_key_identifier: bool, version: LdsVersion | None) -> None:
    hashes = {n: hashlib.sha384(bytes((n,))).digest() for n in (1, 2, 14, 15)}
    content = build_lds_security_object("sha384", hashes, version)
    raw = sign_sod(content, authority.ds_signer, authority.ds, signing_time=NOW, by_key_identifier=by_key_identifier)
    sod = decode_ef_sod(raw)  # strict
    assert dict(sod.data_group_hashes) == hashes
    assert sod.lds_security_object.version == (0 if version is None else 1)
    assert sod.certificates == (authority.ds,)
    info = sod.signed_data.signer_info
    certificate = decode_certificate(authority.ds)
    if by_key_identifier:
        assert (info.version, info.subject_key_identifier) == (3, certificate.extensions.subject_key_identifier)
    else:
        assert (info.version, info.issuer_raw, info.serial) == (1, certificate.issuer_raw, certificate.serial)
    assert info.signed_attributes is not None
    assert info.signed_attributes.signing_time == NOW
    assert_signed(sod, authority.ds)


def test_revocation_is_seen(authority: Authority) -> None:
    serial = decode_certificate(authority.ds).serial
    revocations = [
        Revocation(serial, NOW - DAY, RevocationReason.KEY_COMPROMISE),
        Revocation(7, NOW - 2 * DAY),
    ]
    empty = build_crl(authority.csca_signer, authority.csca, number=1, this_update=START, next_update=NOW + DAY)
    full = build_crl(
        authority.csca_signer,
        authority.csca,
        number=2,
        this_update=NOW,
        next_update=NOW + DAY,
        revocations=revocations,
    )
    trust = build_trust_store([authority.csca], [empty, full])
    path = find_path(decode_certificate(authority.ds), trust)
    (newest, _) = trust.crls_of(path.issuer)
    assert newest.raw == full
    assert newest.extensions.crl_number() == 2
    assert newest.extensions.authority_key_identifier is not None
    assert [(entry.serial, entry.reason) for entry in newest.revoked.values()] == sorted([(7, None), (serial, 1)])
    with pytest.raises(VerificationError) as refused:
        verify_not_revoked(path, trust, NOW)
    assert refused.value.reason is Reason.REVOKED
    fine = build_trust_store([authority.csca], [empty])
    assert verify_not_revoked(find_path(decode_certificate(authority.ds), fine), fine, NOW).raw == empty
    for time, crls in ((NOW + 2 * DAY, [empty]), (NOW, [])):
        with pytest.raises(VerificationError) as later:
            verify_not_revoked(path, build_trust_store([authority.csca], crls), time)
        assert later.value.reason is Reason.TRY_LATER


def test_a_link_certificate_carries_trust_to_the_next_key(authority: Authority, software_store: KeyStore) -> None:
    new_signer = software_store.generate_ec(fresh_label(), "P-384")
    for name, renamed in (("SPECIMEN CSCA", False), ("SPECIMEN CSCA 2", True)):
        new = build_csca_certificate(
            new_signer, authority.state, name, CSCA_VALIDITY, CSCA_USAGE, serial_number=None if renamed else "002"
        )
        link = build_link_certificate(authority.csca_signer, authority.csca, new, authority.state, CSCA_VALIDITY)
        ds = build_document_signer_certificate(
            new_signer,
            new,
            authority.ds_signer.public_key_info,
            authority.state,
            "SPECIMEN DS 2",
            DS_VALIDITY,
            DS_USAGE,
            document_types=("ID",),
        )
        trust = build_trust_store([authority.csca, link])
        path = find_path(decode_certificate(ds), trust)
        assert [item.raw for item in path.authorities] == [link, authority.csca]
        assert decode_certificate(link).extensions.name_change
        with pytest.raises(VerificationError):
            find_path(decode_certificate(ds), build_trust_store([authority.csca]))
    with pytest.raises(LifecycleError, match="old CSCA"):
        build_link_certificate(new_signer, authority.csca, new, authority.state, CSCA_VALIDITY)


def test_a_key_roll_over_under_the_same_name_has_no_name_change(authority: Authority, software_store: KeyStore) -> None:
    new_signer = software_store.generate_ec(fresh_label(), "P-384")
    new = build_csca_certificate(new_signer, authority.state, "SPECIMEN CSCA", CSCA_VALIDITY, CSCA_USAGE)
    link = decode_certificate(
        build_link_certificate(authority.csca_signer, authority.csca, new, authority.state, CSCA_VALIDITY)
    )
    assert not link.extensions.name_change
    assert link.is_self_issued
    assert link.extensions.subject_key_identifier == decode_certificate(new).extensions.subject_key_identifier


def test_what_an_authority_refuses(authority: Authority, software_store: KeyStore) -> None:
    other = software_store.generate_ec(fresh_label(), "P-256")
    late = Validity(DS_VALIDITY.not_before, CSCA_VALIDITY.not_after + DAY)

    def ds(signer: Signer, validity: Validity, usage: Validity, types: tuple[str, ...]) -> bytes:
        info = authority.ds_signer.public_key_info
        return build_document_signer_certificate(
            signer, authority.csca, info, authority.state, "X", validity, usage, document_types=types
        )

    with pytest.raises(LifecycleError, match="not that of the CSCA"):
        ds(other, DS_VALIDITY, DS_USAGE, ("ID",))
    with pytest.raises(LifecycleError, match="beyond"):
        ds(authority.csca_signer, late, DS_USAGE, ("ID",))
    with pytest.raises(LifecycleError, match="beyond"):
        ds(authority.csca_signer, DS_USAGE, DS_VALIDITY, ("ID",))
    with pytest.raises(LifecycleError, match="document types"):
        ds(authority.csca_signer, DS_VALIDITY, DS_USAGE, ())
    with pytest.raises(LifecycleError, match="within"):
        build_csca_certificate(other, authority.state, "X", DS_USAGE, DS_VALIDITY)
    with pytest.raises(LifecycleError, match="not that of the CSCA"):
        build_crl(other, authority.csca, number=1, this_update=NOW, next_update=NOW + DAY)
    with pytest.raises(LifecycleError, match="number"):
        build_crl(authority.csca_signer, authority.csca, number=-1, this_update=NOW, next_update=NOW + DAY)
    with pytest.raises(LifecycleError, match="next update"):
        build_crl(authority.csca_signer, authority.csca, number=1, this_update=NOW, next_update=NOW)
    with pytest.raises(ValueError, match="twice"):
        build_crl(
            authority.csca_signer,
            authority.csca,
            number=1,
            this_update=NOW,
            next_update=NOW + DAY,
            revocations=[Revocation(1, NOW), Revocation(1, NOW)],
        )


def test_a_document_signer_signs_with_its_own_key_in_its_own_time(authority: Authority) -> None:
    with pytest.raises(LifecycleError, match="not that of the document signer"):
        sign_sod(SECURITY_OBJECT, authority.csca_signer, authority.ds, signing_time=NOW)
    for time in (START - DAY, START + 91 * DAY):
        with pytest.raises(LifecycleError, match="signs from 2026-01-01 to 2026-04-01 only"):
            sign_sod(SECURITY_OBJECT, authority.ds_signer, authority.ds, signing_time=time)


def test_a_signer_that_is_ready_signs_as_one_that_is_not(authority: Authority) -> None:
    ready = prepare_sod_signer(authority.ds_signer, authority.ds)
    for time in (NOW, NOW + DAY):
        sod = decode_ef_sod(ready.sign(SECURITY_OBJECT, time))
        assert_signed(sod, authority.ds)
        alone = decode_ef_sod(sign_sod(SECURITY_OBJECT, authority.ds_signer, authority.ds, signing_time=time))
        ours, theirs = sod.signed_data, alone.signed_data
        assert ours.signed_attributes_der == theirs.signed_attributes_der
        assert (ours.content, ours.certificates) == (theirs.content, theirs.certificates)
    with pytest.raises(LifecycleError, match="signs from"):
        ready.sign(SECURITY_OBJECT, START + 91 * DAY)
    with pytest.raises(LifecycleError, match="not that of the document signer"):
        prepare_sod_signer(authority.csca_signer, authority.ds)


def test_validity_in_time(authority: Authority) -> None:
    certificate = decode_certificate(authority.ds)
    verify_validity(certificate, NOW, "the document signer")
    for time, reason in (
        (START - DAY, Reason.NOT_YET_VALID),
        (START + 11 * 365 * DAY, Reason.OUT_OF_BOUNDS_NO_POE),
    ):
        with pytest.raises(VerificationError) as refused:
            verify_validity(certificate, time, "the document signer")
        assert refused.value.reason is reason


@pytest.mark.parametrize(
    "change",
    [
        {"country": "ut"},
        {"country": "UTO"},
        {"country": "ÜT"},
        {"country": "ZZ"},
        {"crl_uris": ()},
    ],
)
def test_a_state_names_itself_properly(change: dict[str, Any]) -> None:
    good = {"country": "UT", "organization": "O", "email": "a@b", "crl_uris": ("https://x",)}
    with pytest.raises(ValueError, match=r"country|code|CRL"):
        IssuingState(**{**good, **change})
    assert IssuingState(**{**good, "country": "ZZ", "state_code": "XOM"}).alternative_names


def test_validities_have_a_zone_and_a_length() -> None:
    with pytest.raises(ValueError, match="zone"):
        Validity(datetime(2026, 1, 1), NOW)  # noqa: DTZ001
    with pytest.raises(ValueError, match="ends after"):
        Validity(NOW, NOW)


def test_serials_are_positive_and_of_twenty_octets_at_most() -> None:
    for octets in (bytes(20), b"\xff" * 20, b"\x80" + bytes(19)):
        serial = draw_serial(lambda _, octets=octets: octets)
        assert 0 < serial < 1 << 159
    assert draw_serial() != draw_serial()


class FaultyToken:
    """A token whose signature is broken by a fault."""

    def __init__(self, inner: Signer) -> None:
        self.inner = inner
        self.label = inner.label
        self.public_key_info = inner.public_key_info
        self.algorithm = inner.algorithm

    def sign(self, message: bytes) -> bytes:
        return self.inner.sign(message + b"!")


def test_a_faulty_signature_does_not_leave(authority: Authority) -> None:
    faulty = FaultyToken(authority.csca_signer)
    with pytest.raises(KeyStoreError, match="does not verify"):
        sign_checked(faulty, b"message")
    with pytest.raises(KeyStoreError, match="does not verify"):
        build_crl(faulty, authority.csca, number=1, this_update=NOW, next_update=NOW + DAY)


def test_algorithms_without_a_place_in_a_certificate() -> None:
    for algorithm in (SignatureAlgorithm("ecdsa-plain", "sha256"), SignatureAlgorithm("rsa-pss", "sha256", 32, "sha1")):
        with pytest.raises(KeyStoreError, match="no place"):
            build_signature_identifier(algorithm)


def test_the_key_identifier_does_not_depend_on_the_form_of_the_parameters(authority: Authority) -> None:
    raw = decode_certificate(authority.csca).spki_raw
    assert derive_key_identifier(raw) == derive_key_identifier(authority.csca_signer.public_key_info)
