"""Documents that the openssl command issued, judged by `eid verify` under the policy for files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.conftest import Control
from tests.interop.judging import Judge, flipped
from tests.interop.openssl.issuer import Case, OpensslIssuer
from tests.interop.specimen_files import DATA_GROUPS, DG1, DG2

PRINTABLE = "default"
CASES = (
    Case("rsa"),
    Case("rsa", "sha512", "sha1", lds_version=1, by_key_identifier=True, null=False),
    Case("pss"),
    Case("pss", "sha384", "sha512", lds_version=1, string_mask=PRINTABLE),
    Case("prime256v1"),
    Case("prime256v1", "sha512", "sha1", explicit=True, lds_version=1, by_key_identifier=True, string_mask=PRINTABLE),
    Case("secp384r1", "sha384", "sha384", null=False),
    Case("secp384r1", "sha256", "sha512", explicit=True, lds_version=1),
    Case("secp521r1", "sha512", "sha512", lds_version=1, by_key_identifier=True),
    Case("secp521r1", "sha384", "sha256", explicit=True, null=False),
    Case("brainpoolP256r1", "sha256", "sha256", string_mask=PRINTABLE),
    Case("brainpoolP256r1", "sha384", "sha1", explicit=True, lds_version=1),
    Case("brainpoolP384r1", "sha384", "sha384", lds_version=1, by_key_identifier=True),
    Case("brainpoolP384r1", "sha512", "sha256", explicit=True, null=False),
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def issuer(
    request: pytest.FixtureRequest, require_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> OpensslIssuer:
    made = OpensslIssuer(require_tool("openssl"), tmp_path_factory.mktemp("openssl"), request.param)
    made.establish()
    return made


@pytest.fixture(scope="module")
def sod(issuer: OpensslIssuer) -> bytes:
    return issuer.sign()


@pytest.fixture
def csca(issuer: OpensslIssuer) -> bytes:
    return (issuer.directory / "csca.pem").read_bytes()


@pytest.mark.proves("openssl", "our verifier", "its documents accepted")
def test_genuine(judge: Judge, csca: bytes, sod: bytes) -> None:
    answer = judge.verify(sod, judge.trust("trust", [csca]))
    assert (answer.exit_code, answer.verdict, answer.report["policy"]) == (0, "TOTAL_PASSED", "passive")
    assert answer.check("ds.revocation")["reason"] == "TRY_LATER"


@pytest.mark.proves("openssl", "our verifier", "its documents accepted")
def test_genuine_under_border(judge: Judge, issuer: OpensslIssuer, csca: bytes, sod: bytes) -> None:
    answer = judge.verify(sod, judge.trust("trust", [csca, issuer.crl(revoking=False)]), "--policy", "border")
    assert (answer.exit_code, answer.verdict) == (0, "TOTAL_PASSED"), answer.report


@pytest.mark.proves("openssl", "our verifier", "an altered octet is noticed", Control.NOTICED)
@pytest.mark.parametrize("number", [1, 2])
def test_altered_data_group(judge: Judge, csca: bytes, sod: bytes, number: int) -> None:
    altered = {**DATA_GROUPS, number: flipped(DATA_GROUPS[number], -20)}
    answer = judge.verify(sod, judge.trust("trust", [csca]), data_groups=altered)
    assert (answer.exit_code, answer.verdict) == (1, "TOTAL_FAILED")
    assert answer.failed.get(f"sod.dg_hashes.dg{number}") == "HASH_FAILURE"


@pytest.mark.proves("openssl", "our verifier", "an altered octet is noticed", Control.NOTICED)
def test_altered_content(judge: Judge, issuer: OpensslIssuer, csca: bytes, sod: bytes) -> None:
    place = sod.index(hashlib.new(issuer.case.group_hash, DG2).digest())
    answer = judge.verify(flipped(sod, place), judge.trust("trust", [csca]))
    assert answer.exit_code == 1
    assert answer.failed == {"sod.signature": "SIG_CRYPTO_FAILURE", "sod.dg_hashes.dg2": "HASH_FAILURE"}


@pytest.mark.proves("openssl", "our verifier", "an altered octet is noticed", Control.NOTICED)
def test_altered_signature(judge: Judge, csca: bytes, sod: bytes) -> None:
    answer = judge.verify(flipped(sod, -1), judge.trust("trust", [csca]))
    assert (answer.exit_code, answer.failed) == (1, {"sod.signature": "SIG_CRYPTO_FAILURE"})


@pytest.mark.proves("openssl", "our verifier", "another CSCA, a revoked signer refused", Control.REFUSED)
def test_unknown_csca(judge: Judge, issuer: OpensslIssuer, sod: bytes, tmp_path: Path) -> None:
    """A CSCA of the same name with another key is as unknown as one of another name: keys roll over."""
    other = OpensslIssuer(issuer.tool, tmp_path / "other", issuer.case)
    other.establish()
    answer = judge.verify(sod, judge.trust("trust", [(other.directory / "csca.pem").read_bytes()]))
    assert (answer.exit_code, answer.verdict) == (2, "INDETERMINATE")
    assert answer.check("ds.path")["reason"] == "NO_CERTIFICATE_CHAIN_FOUND"


@pytest.mark.proves("openssl", "our verifier", "another CSCA, a revoked signer refused", Control.REFUSED)
def test_revoked(judge: Judge, issuer: OpensslIssuer, csca: bytes, sod: bytes) -> None:
    answer = judge.verify(sod, judge.trust("trust", [csca, issuer.crl(revoking=True)]))
    assert (answer.exit_code, answer.failed) == (1, {"ds.revocation": "REVOKED"})


@pytest.mark.proves("openssl", "our verifier", "a data group slipped in is noticed", Control.NOTICED)
def test_data_group_slipped_in(judge: Judge, csca: bytes, sod: bytes) -> None:
    answer = judge.verify(sod, judge.trust("trust", [csca]), data_groups={1: DG1, 2: DG2, 13: b"\x6d\x00"})
    assert (answer.exit_code, answer.failed) == (1, {"sod.dg_hashes.dg13": "DG_NOT_IN_SOD"})
