"""Trust store, paths and revocation on genuine and on forged material."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from eid.codec import der
from eid.codec import extension_builders as extension
from eid.codec.crl import RevokedCertificate
from eid.codec.defect import Defect, DefectCode
from eid.codec.extensions import Extension, KeyUsage
from eid.codec.name import encode_name
from eid.codec.x509 import Certificate, decode_certificate
from eid.errors import Reason, VerificationError
from eid.pki.path import find_path
from eid.pki.revocation import verify_not_revoked
from eid.pki.trust_store import TrustStore, build_trust_store
from tests.builders import issuer as made

NOW = made.NOT_BEFORE + timedelta(days=30)
AUTHORITY_USAGE = extension.key_usage(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN)
CA = extension.basic_constraints(True, 0)
UNKNOWN_CRITICAL = Extension("1.2.3.4", True, der.encode_null())


@pytest.fixture(scope="module")
def csca_key() -> made.Key:
    return made.ec_key()


@pytest.fixture(scope="module")
def ds_key() -> made.Key:
    return made.ec_key()


@pytest.fixture(scope="module")
def other_key() -> made.Key:
    return made.ec_key()


def ds(csca: made.Key, key: made.Key, **options: Any) -> Certificate:
    return decode_certificate(made.ds_certificate(csca, key, **options))


def csca_with(key: made.Key, extensions: Sequence[Extension], **options: Any) -> bytes:
    return made.certificate(key, key, extensions, subject=made.CSCA_NAME, **options)


def refusal(certificate: Certificate, trust: TrustStore) -> Reason:
    with pytest.raises(VerificationError) as refused:
        find_path(certificate, trust)
    return refused.value.reason


def test_a_genuine_path(csca_key: made.Key, ds_key: made.Key) -> None:
    root = made.csca_certificate(csca_key)
    path = find_path(ds(csca_key, ds_key), build_trust_store([root]))
    assert path.anchor is path.issuer
    assert path.anchor.raw == root
    assert path.names == (made.DS_NAME, made.CSCA_NAME)


def test_nothing_is_trusted_without_an_anchor(csca_key: made.Key, ds_key: made.Key) -> None:
    assert refusal(ds(csca_key, ds_key), build_trust_store([])) is Reason.NO_CERTIFICATE_CHAIN_FOUND
    assert build_trust_store([]).anchors == ()


def test_a_certificate_that_is_not_self_signed_is_no_anchor(
    csca_key: made.Key, ds_key: made.Key, other_key: made.Key
) -> None:
    forged = made.certificate(other_key, csca_key, made.csca_extensions(csca_key), subject=made.CSCA_NAME)
    trust = build_trust_store([forged])
    assert trust.anchors == ()
    assert [item.raw for item in trust.authorities] == [forged]
    assert refusal(ds(csca_key, ds_key), trust) in (Reason.NO_CERTIFICATE_CHAIN_FOUND, Reason.PATH_SIGNATURE_FAILURE)


def test_the_right_name_with_the_wrong_key(csca_key: made.Key, ds_key: made.Key, other_key: made.Key) -> None:
    trust = build_trust_store([made.csca_certificate(other_key)])
    assert refusal(ds(csca_key, ds_key), trust) is Reason.NO_CERTIFICATE_CHAIN_FOUND


def test_the_right_key_identifier_with_the_wrong_key(csca_key: made.Key, ds_key: made.Key, other_key: made.Key) -> None:
    forged = made.certificate(other_key, ds_key, made.ds_extensions(csca_key, ds_key))
    trust = build_trust_store([made.csca_certificate(csca_key)])
    assert refusal(decode_certificate(forged), trust) is Reason.PATH_SIGNATURE_FAILURE


def test_two_authorities_of_one_name(csca_key: made.Key, ds_key: made.Key, other_key: made.Key) -> None:
    old, new = made.csca_certificate(other_key, serial=1), made.csca_certificate(csca_key, serial=2)
    trust = build_trust_store([old, new])
    assert find_path(ds(csca_key, ds_key), trust).anchor.raw == new
    assert find_path(ds(other_key, ds_key), trust).anchor.raw == old


def test_names_are_compared_as_rfc_5280_says(csca_key: made.Key, ds_key: made.Key) -> None:
    name = encode_name((("C", "UT"), ("O", "specimen"), ("CN", "Specimen  CSCA")))
    certificate = made.certificate(csca_key, ds_key, made.ds_extensions(csca_key, ds_key), issuer=name)
    trust = build_trust_store([made.csca_certificate(csca_key)])
    assert find_path(decode_certificate(certificate), trust).anchor.certificate.subject_raw == made.CSCA_NAME
    other = encode_name((("C", "UT"), ("O", "specimen"), ("CN", "Another CSCA")))
    certificate = made.certificate(csca_key, ds_key, made.ds_extensions(csca_key, ds_key), issuer=other)
    assert refusal(decode_certificate(certificate), trust) is Reason.NO_CERTIFICATE_CHAIN_FOUND


@pytest.mark.parametrize(
    "extensions",
    [
        (AUTHORITY_USAGE,),
        (AUTHORITY_USAGE, extension.basic_constraints(False)),
        (extension.key_usage(KeyUsage.CRL_SIGN), CA),
        (extension.key_usage(KeyUsage.DIGITAL_SIGNATURE), CA),
        (AUTHORITY_USAGE, CA, UNKNOWN_CRITICAL),
    ],
    ids=["no constraints", "no CA", "CRLs only", "signatures only", "unknown critical"],
)
def test_an_authority_that_may_not_issue(csca_key: made.Key, ds_key: made.Key, extensions: Any) -> None:
    trust = build_trust_store([csca_with(csca_key, extensions)])
    assert refusal(ds(csca_key, ds_key), trust) is Reason.CHAIN_CONSTRAINTS_FAILURE


@pytest.mark.parametrize(
    "extensions",
    [(extension.key_usage(KeyUsage.KEY_CERT_SIGN),), (UNKNOWN_CRITICAL,)],
    ids=["no digital signature", "unknown critical"],
)
def test_a_signer_that_may_not_sign(csca_key: made.Key, ds_key: made.Key, extensions: Any) -> None:
    trust = build_trust_store([made.csca_certificate(csca_key)])
    certificate = decode_certificate(made.certificate(csca_key, ds_key, extensions))
    assert refusal(certificate, trust) is Reason.CHAIN_CONSTRAINTS_FAILURE


def test_a_document_signer_is_no_authority(csca_key: made.Key, ds_key: made.Key, other_key: made.Key) -> None:
    """A stolen document signer key must not make document signers, even where its certificate got into the store."""
    middle = made.ds_certificate(csca_key, ds_key)
    below = made.certificate(ds_key, other_key, made.ds_extensions(ds_key, other_key), issuer=made.DS_NAME)
    trust = build_trust_store([made.csca_certificate(csca_key), middle])
    assert refusal(decode_certificate(below), trust) is Reason.CHAIN_CONSTRAINTS_FAILURE


def test_certificates_that_vouch_for_each_other_lead_nowhere(
    csca_key: made.Key, ds_key: made.Key, other_key: made.Key
) -> None:
    there = made.certificate(csca_key, other_key, made.csca_extensions(other_key), subject=made.CSCA_NAME)
    back = made.certificate(other_key, csca_key, made.csca_extensions(csca_key), subject=made.CSCA_NAME)
    trust = build_trust_store([there, back])
    assert trust.anchors == ()
    assert refusal(ds(csca_key, ds_key), trust) in (Reason.NO_CERTIFICATE_CHAIN_FOUND, Reason.PATH_SIGNATURE_FAILURE)


def test_the_digest_names_the_contents(csca_key: made.Key, other_key: made.Key) -> None:
    one, two = made.csca_certificate(csca_key), made.csca_certificate(other_key)
    crl = made.crl(csca_key)
    trust = build_trust_store([one, two], [crl])
    assert trust.digest == build_trust_store([two, one, one], [crl, crl]).digest
    others = [build_trust_store([one]), build_trust_store([one, two]), build_trust_store([two], [crl])]
    assert len({trust.digest, *(item.digest for item in others)}) == 4
    assert len(trust.digest) == 32


def test_what_cannot_be_used_is_kept_with_its_reason(csca_key: made.Key, other_key: made.Key) -> None:
    root = made.csca_certificate(csca_key)
    bad_critical = Extension("2.5.29.28", True, der.encode_sequence())  # issuingDistributionPoint
    crl = decode_crl_with(csca_key, bad_critical)
    trust = build_trust_store([root, b"junk"], [b"junk", made.crl(other_key), crl])
    assert [item.raw for item in trust.authorities] == [root]
    assert len(trust.unusable) == 4
    assert all(len(item.fingerprint) == 64 and item.why for item in trust.unusable)
    assert trust.crls_of(trust.authorities[0]) == ()


def decode_crl_with(key: made.Key, critical: Extension) -> bytes:
    from eid.codec.crl import encode_crl, encode_tbs_crl

    tbs = encode_tbs_crl(
        signature_algorithm=key.algorithm,
        issuer=made.CSCA_NAME,
        this_update=made.NOT_BEFORE,
        next_update=made.NOT_AFTER,
        revoked=(),
        extensions=(extension.crl_number(99), critical),
    )
    return encode_crl(tbs, key.algorithm, key.sign(tbs))


def revocation(certificate: Certificate, trust: TrustStore) -> Reason | None:
    try:
        verify_not_revoked(find_path(certificate, trust, []), trust, NOW)
    except VerificationError as refused:
        return refused.reason
    return None


def test_revocation(csca_key: made.Key, ds_key: made.Key, other_key: made.Key) -> None:
    certificate = ds(csca_key, ds_key)
    root = made.csca_certificate(csca_key)
    entry = RevokedCertificate(certificate.serial, NOW - timedelta(days=1), 1)
    foreign = RevokedCertificate(certificate.serial + 1, NOW, 1)
    clean, revoked = made.crl(csca_key, number=7), made.crl(csca_key, [entry], number=8)
    assert revocation(certificate, build_trust_store([root])) is Reason.TRY_LATER
    assert revocation(certificate, build_trust_store([root], [clean])) is None
    assert revocation(certificate, build_trust_store([root], [made.crl(csca_key, [foreign])])) is None
    assert revocation(certificate, build_trust_store([root], [clean, revoked])) is Reason.REVOKED
    # A list with a lower number cannot hide what a list revoked, nor can one bring a certificate back
    hidden = made.crl(csca_key, [entry], number=6)
    assert revocation(certificate, build_trust_store([root], [clean, hidden])) is Reason.REVOKED
    # Only lists count that a key of the issuer's name signed, and of the operator's choice
    forged = made.crl(other_key, number=9)
    assert revocation(certificate, build_trust_store([root], [forged])) is Reason.TRY_LATER
    rolled_over = build_trust_store([root, made.csca_certificate(other_key, serial=2)], [made.crl(other_key, [entry])])
    assert revocation(certificate, rolled_over) is Reason.REVOKED


def test_an_issuer_may_write_its_name_otherwise_at_a_roll_over(
    csca_key: made.Key, ds_key: made.Key, other_key: made.Key
) -> None:
    """Signers name it as the old certificate does, or as the new one, whichever key signed them."""
    name = encode_name((("C", "UT"), ("O", "Specimen"), ("CN", "specimen csca")))
    new = made.certificate(other_key, other_key, made.csca_extensions(other_key), issuer=name, subject=name)
    trust = build_trust_store([made.csca_certificate(csca_key), new])
    for issuer in (name, made.CSCA_NAME):
        signer = made.certificate(other_key, ds_key, made.ds_extensions(other_key, ds_key), issuer=issuer)
        assert find_path(decode_certificate(signer), trust).anchor.raw == new


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize("purpose", ["2.23.136.1.1.3", "1.3.6.1.5.5.7.3.1"], ids=["master list signer", "TLS server"])
def test_a_certificate_for_another_purpose_signs_no_documents(
    csca_key: made.Key, ds_key: made.Key, purpose: str, critical: bool
) -> None:
    trust = build_trust_store([made.csca_certificate(csca_key)])
    extensions = (*made.ds_extensions(csca_key, ds_key), extension.extended_key_usage((purpose,), critical))
    certificate = decode_certificate(made.certificate(csca_key, ds_key, extensions))
    assert refusal(certificate, trust) is Reason.CHAIN_CONSTRAINTS_FAILURE
    extensions = (*made.ds_extensions(csca_key, ds_key), extension.extended_key_usage(("2.5.29.37.0",), critical))
    assert find_path(decode_certificate(made.certificate(csca_key, ds_key, extensions)), trust)


MIDDLE_NAME = encode_name((("C", "UT"), ("O", "SPECIMEN"), ("CN", "SPECIMEN middle")))


@pytest.mark.parametrize(
    ("subject", "additional", "path_length", "passes"),
    [
        (MIDDLE_NAME, (), 0, False),
        (MIDDLE_NAME, (), 1, True),
        (MIDDLE_NAME, (), None, True),
        (made.CSCA_NAME, (), 0, True),
        (MIDDLE_NAME, (extension.name_change(),), 0, True),
    ],
    ids=["too long", "long enough", "no limit", "link of one name", "link of two names"],
)
def test_path_length(
    csca_key: made.Key,
    ds_key: made.Key,
    other_key: made.Key,
    subject: bytes,
    additional: tuple[Extension, ...],
    path_length: int | None,
    passes: bool,
) -> None:
    """Links between a CSCA's keys and names are not counted, authorities below it are."""
    identifier = extension.subject_key_identifier(csca_key.key_identifier())
    root = csca_with(csca_key, (AUTHORITY_USAGE, identifier, extension.basic_constraints(True, path_length)))
    middle = made.certificate(csca_key, other_key, (AUTHORITY_USAGE, CA, *additional), subject=subject)
    below = made.certificate(other_key, ds_key, made.ds_extensions(other_key, ds_key), issuer=subject)
    trust = build_trust_store([root, middle])
    if passes:
        assert [item.raw for item in find_path(decode_certificate(below), trust).authorities] == [middle, root]
    else:
        assert refusal(decode_certificate(below), trust) is Reason.CHAIN_CONSTRAINTS_FAILURE


def test_a_link_from_rsa_to_ec_under_one_name(ds_key: made.Key) -> None:
    """The link is signed by a key of another kind than its own: no reason to drop it."""
    old, new = made.rsa_key(), made.ec_key("P-384", "sha384")
    root = made.csca_certificate(old)
    link = made.certificate(old, new, made.csca_extensions(new), subject=made.CSCA_NAME, serial=2)
    trust = build_trust_store([root, link])
    assert trust.unusable == ()
    assert [item.raw for item in trust.anchors] == [root]
    assert [item.raw for item in find_path(ds(new, ds_key), trust).authorities] == [link, root]


def test_missing_basic_constraints_are_tolerated_on_request(
    csca_key: made.Key, ds_key: made.Key, other_key: made.Key
) -> None:
    certificate = ds(csca_key, ds_key)
    defects: list[Defect] = []
    trust = build_trust_store([csca_with(csca_key, (AUTHORITY_USAGE,))])
    assert find_path(certificate, trust, defects).anchor
    assert [item.code for item in defects] == [DefectCode.BASIC_CONSTRAINTS]
    # never where they are there and deny it, nor below an anchor
    for store in (
        [csca_with(csca_key, (AUTHORITY_USAGE, extension.basic_constraints(False)))],
        [
            made.csca_certificate(other_key),
            made.certificate(other_key, csca_key, (AUTHORITY_USAGE,), subject=made.CSCA_NAME),
        ],
    ):
        with pytest.raises(VerificationError, match="no certification authority"):
            find_path(certificate, build_trust_store(store), defects)


def test_a_crl_counts_only_of_a_key_that_may_sign_crls(csca_key: made.Key, ds_key: made.Key) -> None:
    certificate = ds(csca_key, ds_key)
    crl = made.crl(csca_key)
    deaf = csca_with(csca_key, (extension.key_usage(KeyUsage.KEY_CERT_SIGN), CA))
    trust = build_trust_store([deaf], [crl])
    assert revocation(certificate, trust) is Reason.TRY_LATER
    assert ["key usage" in item.why for item in trust.unusable] == [True]
    silent = csca_with(csca_key, (CA,))
    assert revocation(certificate, build_trust_store([silent], [crl])) is None
