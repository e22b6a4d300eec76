"""Documents that BouncyCastle issued, judged by `eid verify`; documents of ours, judged by BouncyCastle.

Opt-in, in CI too: it wants a JDK and Maven, which fetches the two artefacts of pom.xml. Say EID_TEST_BOUNCYCASTLE=1.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from eid.lds.sod import build_lds_security_object
from eid.pki.crl import build_crl
from eid.pki.document_signer import sign_sod
from tests.builders.authority import NOW, build_authority
from tests.builders.issuance import signer as make_signer
from tests.builders.issuer import data_group_hashes
from tests.interop.bouncycastle.driver import Java
from tests.interop.judging import Judge, flipped
from tests.interop.specimen_files import DATA_GROUPS

CASES = (
    "rsa,sha256,sha256,named,0,issuer",
    "rsa,sha512,sha1,named,1,ski",
    "pss,sha256,sha256,named,1,issuer",
    "pss,sha512,sha512,named,0,ski",
    "P-256,sha256,sha256,named,0,issuer",
    "P-256,sha512,sha1,explicit,1,ski",
    "P-384,sha384,sha384,named,1,ski",
    "P-384,sha256,sha512,explicit,0,issuer",
    "P-521,sha512,sha512,named,0,ski",
    "P-521,sha384,sha256,explicit,1,issuer",
    "brainpoolP256r1,sha256,sha256,named,0,ski",
    "brainpoolP256r1,sha256,sha256,explicit,1,issuer",
    "brainpoolP384r1,sha384,sha384,named,1,issuer",
    "brainpoolP384r1,sha512,sha256,explicit,0,ski",
    "brainpoolP512r1,sha512,sha512,explicit,1,issuer",
)
RSA = ("rsa", "pss")
pytestmark = pytest.mark.xdist_group("bouncycastle")  # one process issues the documents, and has the driver


@pytest.fixture(scope="module")
def corpus(java: Java, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("corpus")
    for number, raw in DATA_GROUPS.items():
        (place / f"dg{number}").write_bytes(raw)
    java.run("issue", place, place / "dg1", place / "dg2", *CASES)
    return place


@pytest.mark.parametrize("case", CASES)
def test_documents_of_bouncycastle(judge: Judge, corpus: Path, case: str) -> None:
    files = {path.name: path.read_bytes() for path in (corpus / case).iterdir()}
    sod, csca = files["sod.bin"], files["csca.der"]
    trust = judge.trust("trust", [csca, files["clean.crl"]])
    for policy in ("passive", "border"):
        answer = judge.verify(sod, trust, "--policy", policy)
        assert (answer.exit_code, answer.verdict) == (0, "TOTAL_PASSED"), answer.report
    assert judge.verify(sod, trust, data_groups={**DATA_GROUPS, 2: flipped(DATA_GROUPS[2], 9)}).exit_code == 1
    assert judge.verify(flipped(sod, -1), trust).failed == {"sod.signature": "SIG_CRYPTO_FAILURE"}
    revoked = judge.verify(sod, judge.trust("revoked", [csca, files["revoking.crl"]]))
    assert (revoked.exit_code, revoked.failed) == (1, {"ds.revocation": "REVOKED"})
    # The RSA keys of the corpus are made once, so another CSCA is one of the other kind.
    other = next(item for item in CASES if item.startswith(RSA) != case.startswith(RSA))
    unknown = judge.verify(sod, judge.trust("other", [(corpus / other / "csca.der").read_bytes()]))
    assert (unknown.exit_code, unknown.check("ds.path")["reason"]) == (2, "NO_CERTIFICATE_CHAIN_FOUND")


@pytest.mark.parametrize("explicit", [False, True], ids=["named", "explicit"])
@pytest.mark.parametrize(
    ("csca", "signer"),
    [
        (("P-384", "sha384"), ("P-256", "sha256")),
        (("brainpoolP384r1", "sha384"), ("brainpoolP256r1", "sha256")),
        (("brainpoolP512r1", "sha512"), ("P-521", "sha512")),
    ],
    ids=["NIST", "brainpool", "large"],
)
def test_documents_of_ours(
    java: Java, tmp_path: Path, csca: tuple[str, str], signer: tuple[str, str], explicit: bool
) -> None:
    made = build_authority(make_signer("csca", *csca), make_signer("ds", *signer), explicit=explicit)
    crl = build_crl(made.csca_signer, made.csca, number=1, this_update=NOW, next_update=NOW + timedelta(days=30))
    content = build_lds_security_object("sha256", data_group_hashes())
    for by_key_identifier, name in ((False, "issuer"), (True, "ski")):
        sod = sign_sod(content, made.ds_signer, made.ds, signing_time=NOW, by_key_identifier=by_key_identifier)
        (tmp_path / name).mkdir()
        for file, raw in (("csca.der", made.csca), ("ds.der", made.ds), ("clean.crl", crl), ("sod.bin", sod)):
            (tmp_path / name / file).write_bytes(raw)
    groups = str(len(data_group_hashes()))
    assert java.run("check-all", tmp_path).splitlines() == [groups, "issuer\tok", groups, "ski\tok"]
