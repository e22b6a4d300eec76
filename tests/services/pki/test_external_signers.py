"""A document signer whose key lives elsewhere: its request is proven, its certificate is the authority's decision."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from eid.codec.pkcs10 import decode_certification_request, wrap_request
from eid.codec.x509 import decode_certificate
from eid.errors import LifecycleError, Reason, VerificationError
from eid.keystore.ports import KeyStore
from eid.keystore.software import SoftwareKeyStore
from eid.pki.certification_request import build_certification_request, verify_certification_request
from eid.pki.document_signer import sign_sod
from eid.pki.path import find_path
from eid.pki.revocation import verify_not_revoked
from eid.pki.trust_store import build_trust_store
from eid.services.pki.authority import IssuingAuthority, open_authority
from eid.services.pki.authority_audit import audit_authority
from tests.builders.issuance import NOW
from tests.builders.issuing import make_authority

PROFILE, STATE = "eu-td1-id-card", "UT"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    return SoftwareKeyStore(tmp_path_factory.mktemp("office"), b"another passphrase")


@pytest.fixture
def authority(tmp_path: Path) -> IssuingAuthority:
    return make_authority(tmp_path / "pki", PROFILE, NOW)


def test_a_signer_elsewhere(authority: IssuingAuthority, office: KeyStore) -> None:
    key = office.generate_ec("abroad", "brainpoolP256r1")
    request = build_certification_request(key, STATE.lower(), "SPECIMEN", "SPECIMEN Document Signer abroad")
    own = authority.signer_label
    path, raw = authority.certify_request(wrap_request(request), NOW, ("ID", "P"))
    assert (path.name, path.read_bytes()) == ("xds-001.cer", raw)
    certificate = decode_certificate(raw)
    assert str(certificate.subject()).endswith("CN=SPECIMEN Document Signer abroad")
    assert certificate.subject_country == STATE
    assert certificate.extensions.document_types() == ("P", "ID")
    assert certificate.extensions.basic_constraints is None
    # It is no signer of the authority's own: that goes on, and its key is nowhere here.
    assert open_authority(authority.directory).signer_label == own
    assert path.stem not in authority.keys.labels()
    trust = build_trust_store(authority.csca_certificates, authority.crls)
    found = find_path(certificate, trust)
    assert verify_not_revoked(found, trust, NOW)
    assert sign_sod(b"\x30\x00", key, raw, signing_time=NOW)
    assert not audit_authority(authority).findings
    authority.revoke(certificate.serial, None, NOW)
    after = build_trust_store(authority.csca_certificates, authority.crls)
    with pytest.raises(VerificationError) as caught:
        verify_not_revoked(found, after, NOW)
    assert caught.value.reason is Reason.REVOKED
    assert [label for label, _ in open_authority(authority.directory).external_signers()] == ["xds-001"]


def test_what_is_not_certified(authority: IssuingAuthority, office: KeyStore) -> None:
    key = office.generate_ec("refused", "P-256")
    foreign = build_certification_request(key, "FI", "SPECIMEN", "SPECIMEN")
    with pytest.raises(LifecycleError, match="of FI, not of UT"):
        authority.certify_request(foreign, NOW)
    good = build_certification_request(key, STATE, "SPECIMEN", "SPECIMEN")
    authority.certify_request(good, NOW)
    with pytest.raises(LifecycleError, match="already"):
        authority.certify_request(good, NOW)
    csca = authority.keys.load(authority.csca_label)
    with pytest.raises(LifecycleError, match="already"):
        authority.certify_request(build_certification_request(csca, STATE, "SPECIMEN", "SPECIMEN"), NOW)
    late = NOW + timedelta(days=PROFILE_DAYS)
    with pytest.raises(LifecycleError, match="eid pki csca"):
        authority.certify_request(
            build_certification_request(office.generate_ec("late", "P-256"), STATE, "SPECIMEN", "SPECIMEN"), late
        )
    assert authority.register.external_signers == ("xds-001",)


PROFILE_DAYS = 20 * 366  # longer than any CSCA's key signs


def test_possession_is_proven(office: KeyStore) -> None:
    """Somebody asks for a certificate of another's key."""
    owner, thief = office.generate_ec("owner", "P-256"), office.generate_ec("thief", "P-256")

    class Pretender:
        label, algorithm, public_key_info = "pretender", thief.algorithm, thief.public_key_info
        sign = staticmethod(thief.sign)

    request = decode_certification_request(build_certification_request(Pretender(), STATE, "S", "S"))
    theirs = decode_certification_request(build_certification_request(owner, STATE, "S", "S"))
    mixed = build_certification_request(Pretender(), STATE, "S", "S").replace(request.spki_raw, theirs.spki_raw)
    with pytest.raises(VerificationError) as caught:
        verify_certification_request(mixed)
    assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE


def test_weak_keys_and_hashes(office: KeyStore) -> None:
    key = office.generate_ec("weak", "P-192")
    with pytest.raises(VerificationError) as caught:
        verify_certification_request(build_certification_request(key, STATE, "S", "S"))
    assert caught.value.reason is Reason.CRYPTO_CONSTRAINTS_FAILURE
    strong = office.generate_ec("strong", "P-256")
    weakly = office.load("strong", replace(strong.algorithm, hash_name="sha1"))
    with pytest.raises(VerificationError) as caught:
        verify_certification_request(build_certification_request(weakly, STATE, "S", "S"))
    assert caught.value.reason is Reason.CRYPTO_CONSTRAINTS_FAILURE


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_openssl_makes_one_and_reads_ours(office: KeyStore, tmp_path: Path, kind: str) -> None:
    options = ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"] if kind == "EC" else ["rsa:2048"]
    subject = ["-subj", f"/C={STATE}/O=SPECIMEN/CN=SPECIMEN DS"]
    subprocess.run(
        [
            "openssl",
            "req",
            "-new",
            "-nodes",
            "-newkey",
            *options,
            "-keyout",
            tmp_path / "k",
            "-out",
            tmp_path / "r",
            *subject,
        ],
        check=True,
        capture_output=True,
    )
    accepted = verify_certification_request((tmp_path / "r").read_bytes())
    assert (accepted.common_name, accepted.country) == ("SPECIMEN DS", STATE)
    key = office.generate_ec(f"ours-{kind}", "P-256") if kind == "EC" else office.generate_rsa(f"ours-{kind}", 2048)
    (tmp_path / "ours").write_bytes(wrap_request(build_certification_request(key, STATE, "SPECIMEN", "SPECIMEN DS")))
    done = subprocess.run(["openssl", "req", "-in", tmp_path / "ours", "-verify", "-noout"], capture_output=True)
    assert done.returncode == 0, done.stderr
