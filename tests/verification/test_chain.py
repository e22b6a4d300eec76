from __future__ import annotations

import pytest

from eid.codec.x509 import decode_certificate
from eid.evidence import Evidence, Origin, ReadFile
from eid.verification.chain import describe_chain
from tests.builders import document as built
from tests.builders import issuer
from tests.builders.issuance import issue


@pytest.fixture(scope="module")
def document() -> built.Document:
    return built.build_document()


def octets_of_serial(certificate: bytes) -> bytes:
    """Whole octets: a serial's first digit may be zero."""
    serial = decode_certificate(certificate).serial
    return serial.to_bytes((serial.bit_length() + 7) // 8, "big")


def test_signer_and_csca(document):
    signer, csca = describe_chain(document.evidence(), document.trust())
    assert (signer.role, csca.role) == ("document signer", "CSCA")
    assert "SPECIMEN DS 1" in signer.subject
    assert bytes.fromhex(signer.serial) == octets_of_serial(document.signer_certificate)
    assert (signer.valid_from, signer.valid_to) == ("2026-01-01", "2036-06-30")
    assert (signer.key, csca.key) == ("P-256", "P-384")
    assert len(csca.fingerprint) == 64


def test_without_a_path_the_signer_stands_alone(document):
    (signer,) = describe_chain(document.evidence(), document.trust(with_csca=False, crls=()))
    assert signer.role == "document signer"


def test_explicit_parameters_are_named():
    issued = issue("ma-cnie")
    raw = issued.authority.signer_certificate
    assert issued.profile.authority.ec_parameters == "explicit"
    sod = next(iter(issued.authority.signed.values()))
    evidence = Evidence(Origin.UPLOAD, built.NOW, None, "", "", (ReadFile("EF.SOD", sod),))
    signer, csca = describe_chain(evidence, issued.authority.trust)
    assert (signer.key, csca.key) == ("brainpoolP256r1", "brainpoolP384r1")
    assert bytes.fromhex(signer.serial) == octets_of_serial(raw)


def test_rsa(document):
    key = issuer.rsa_key()
    certificate = issuer.ds_certificate(document.csca, key)
    sod = issuer.ef_sod(key, certificate)
    assert describe_chain(document.with_files(EF_SOD=sod).evidence(), document.trust())[0].key == "RSA-2048"


@pytest.mark.parametrize("sod", [b"", b"\x77\x00", bytes(40)])
def test_malformed_sod_has_no_chain(document, sod):
    assert describe_chain(document.with_files(EF_SOD=sod).evidence(), document.trust()) == ()


def test_absent_sod_has_no_chain(document):
    assert describe_chain(document.evidence(without=("EF.SOD",)), document.trust()) == ()


def test_certificate_of_another_signer_is_not_taken_for_it(document):
    other = issuer.ds_certificate(document.csca, document.signer, serial=99)
    sod = issuer.ef_sod(document.signer, document.signer_certificate, certificates=(other,))
    assert describe_chain(document.with_files(EF_SOD=sod).evidence(), document.trust()) == ()
