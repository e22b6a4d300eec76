"""Documents of countries with habits: genuine ones pass, with each leniency told; forged ones of each kind do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.interop.asn1crypto.issuer import Habits, Issuer, build_issuer
from tests.interop.conftest import Control
from tests.interop.judging import Judge, flipped
from tests.interop.specimen_files import DATA_GROUPS, DG1, DG2

SOUND = {
    "rsa": Habits("rsa", null=True),
    "rsa, three hashes": Habits(
        "rsa", "sha512", digest="sha384", signature_hash="sha256", group_hash="sha1", null=True
    ),
    "rsa, bare rsaEncryption": Habits("rsa", digest="sha512", signature_hash="sha512", bare_rsa=True),
    "pss, salt of 64 over SHA-256": Habits("pss", salt_length=64),
    "pss, no salt": Habits("pss", salt_length=0, lds_version=1, printable=True),
    "P-224": Habits("P-224", "sha224", "sha224", "sha224", "sha224"),
    "P-256, digest is not the signature's hash": Habits(digest="sha512", signature_hash="sha256"),
    "P-384, signing time": Habits("P-384", "sha384", "sha384", "sha384", "sha384", signing_time=True, lds_version=1),
    "P-521, by key identifier": Habits("P-521", "sha512", "sha512", "sha512", by_key_identifier=True),
    "P-521, hash shorter than the curve": Habits("P-521", "sha256", "sha256", "sha256"),
    "P-256, hash longer than the curve": Habits(certificate_hash="sha512", digest="sha512", signature_hash="sha512"),
    "brainpoolP256r1": Habits("brainpoolP256r1", lds_version=1, null=True, printable=True),
    "brainpoolP384r1": Habits("brainpoolP384r1", "sha384", "sha384", "sha384", "sha512", by_key_identifier=True),
    "brainpoolP512r1": Habits("brainpoolP512r1", "sha512", "sha512", "sha512"),
    "no key identifiers": Habits(key_identifiers=False),
    "country in lower case": Habits(country="ut"),
}
LENIENT = {
    "BER": (Habits(indefinite=True), "sod.format", "NOT_DER"),
    "BER, RSA": (Habits("rsa", indefinite=True, null=True), "sod.format", "NOT_DER"),
    "attributes out of order": (Habits(attributes_reversed=True), "sod.format", "SET_ORDER"),
    "NULL with ECDSA": (Habits(parameters_with_ecdsa=True), "sod.format", "ALGORITHM_PARAMETERS"),
    "CSCA carried along": (Habits(with_csca=True), "sod.format", "CERTIFICATE_COUNT"),
    "another string type in SignerInfo": (
        Habits(printable_in_signer_info=True),
        "sod.signature",
        "SIGNER_IDENTIFIER",
    ),
    "another serial in SignerInfo": (Habits(wrong_serial=True), "sod.signature", "SIGNER_IDENTIFIER"),
    "no basic constraints": (Habits(basic_constraints=False), "ds.path", "BASIC_CONSTRAINTS"),
}


@pytest.fixture(scope="module")
def issuers() -> dict[Habits, Issuer]:
    return {}


def made(issuers: dict[Habits, Issuer], habits: Habits) -> Issuer:
    return issuers.setdefault(habits, build_issuer(habits)) if habits not in issuers else issuers[habits]


@pytest.mark.proves("asn1crypto", "our verifier", "its documents accepted, with the habits of issuers")
@pytest.mark.parametrize("habits", SOUND.values(), ids=SOUND.keys())
@pytest.mark.parametrize("policy", ["passive", "border"])
def test_sound(judge: Judge, issuers: dict[Habits, Issuer], habits: Habits, policy: str) -> None:
    issuer = made(issuers, habits)
    trust = judge.trust("trust", [issuer.csca_der, issuer.crl(revoking=False)])
    answer = judge.verify(issuer.sod(), trust, "--policy", policy)
    assert (answer.exit_code, answer.verdict) == (0, "TOTAL_PASSED"), answer.report
    assert "tolerated" not in answer.check("sod.format")["detail"]


@pytest.mark.proves("asn1crypto", "our verifier", "each leniency is told")
@pytest.mark.parametrize(("habits", "check", "code"), LENIENT.values(), ids=LENIENT.keys())
def test_each_leniency_is_told(
    judge: Judge, issuers: dict[Habits, Issuer], habits: Habits, check: str, code: str
) -> None:
    """Passed where the policy tolerates it, and said; refused under `strict`, whatever else that policy misses."""
    issuer = made(issuers, habits)
    trust = judge.trust("trust", [issuer.csca_der, issuer.crl(revoking=False)])
    for policy in ("passive", "border"):
        answer = judge.verify(issuer.sod(), trust, "--policy", policy)
        assert (answer.exit_code, answer.verdict) == (0, "TOTAL_PASSED"), answer.report
        assert code in answer.check(check)["detail"]
    strict = judge.verify(issuer.sod(), trust, "--policy", "strict")
    assert strict.exit_code != 0
    assert strict.check(check)["outcome"] in ("FAILED", "INDETERMINATE")


@pytest.mark.proves("asn1crypto", "our verifier", "no forgery through a leniency", Control.NOTICED)
@pytest.mark.parametrize("habits", [habits for habits, _, _ in LENIENT.values()], ids=LENIENT.keys())
def test_leniency_lets_no_forgery_through(judge: Judge, issuers: dict[Habits, Issuer], habits: Habits) -> None:
    issuer = made(issuers, habits)
    trust = judge.trust("trust", [issuer.csca_der])
    sod = issuer.sod()
    altered = {**DATA_GROUPS, 1: flipped(DG1, 20)}
    assert judge.verify(sod, trust, data_groups=altered).exit_code == 1
    resigned = replace(issuer, ds_key=build_issuer(habits).ds_key).sod()
    answer = judge.verify(resigned, trust)
    assert (answer.exit_code, answer.failed) == (1, {"sod.signature": "SIG_CRYPTO_FAILURE"})
    stranger = judge.trust("stranger", [build_issuer(replace(habits, country="UT")).csca_der])
    answer = judge.verify(sod, stranger)
    assert (answer.exit_code, answer.verdict) == (2, "INDETERMINATE")
    revoked = judge.trust("revoked", [issuer.csca_der, issuer.crl(revoking=True)])
    answer = judge.verify(sod, revoked)
    assert (answer.exit_code, answer.failed) == (1, {"ds.revocation": "REVOKED"})


@pytest.mark.proves("asn1crypto", "our verifier", "old content types")
@pytest.mark.parametrize("content_type", ["1.3.27.1.1.1", "1.2.528.1.1006.1.20.1"])
def test_old_content_types(judge: Judge, content_type: str) -> None:
    """What early documents call their security object: an authority's policy takes it, and says so."""
    issuer = build_issuer(Habits(content_type=content_type))
    trust = judge.trust("trust", [issuer.csca_der, issuer.crl(revoking=False)])
    answer = judge.verify(issuer.sod(), trust, "--policy", "border")
    assert answer.exit_code == 0, answer.report
    assert "CONTENT_TYPE" in answer.check("sod.format")["detail"]
    answer = judge.verify(issuer.sod(), trust)
    assert (answer.exit_code, answer.failed) == (1, {"sod.format": "FORMAT_FAILURE"})


@pytest.mark.proves("asn1crypto", "our verifier", "another content type refused", Control.REFUSED)
def test_another_content_type(judge: Judge) -> None:
    issuer = build_issuer(Habits(content_type="2.23.136.1.1.2"))
    trust = judge.trust("trust", [issuer.csca_der, issuer.crl(revoking=False)])
    for policy in ("passive", "border", "strict"):
        answer = judge.verify(issuer.sod(), trust, "--policy", policy)
        assert (answer.exit_code, answer.failed["sod.format"]) == (1, "FORMAT_FAILURE")


@pytest.mark.proves("asn1crypto", "our verifier", "every octet of the security object counts", Control.NOTICED)
def test_every_octet_of_the_security_object_counts(judge: Judge) -> None:
    """Under the lenient policy too: a bit turned anywhere never gives more than was there before."""
    issuer = build_issuer(Habits())
    trust = judge.trust("trust", [issuer.csca_der])
    sod = issuer.sod()
    accepted = []
    for place in range(0, len(sod), 7):
        answer = judge.verify(flipped(sod, place), trust) if place > 3 else None
        if answer is not None and answer.exit_code == 0:
            accepted.append((place, answer.check("sod.format")["detail"], answer.check("sod.signature")["detail"]))
    assert all("tolerated" in told + also for _, told, also in accepted), accepted


@pytest.mark.proves("asn1crypto", "our verifier", "data groups missing or more are noticed", Control.NOTICED)
def test_data_groups_that_are_missing_or_more(judge: Judge, issuers: dict[Habits, Issuer]) -> None:
    issuer = made(issuers, Habits())
    trust = judge.trust("trust", [issuer.csca_der])
    only = judge.verify(issuer.sod(), trust, data_groups={1: DG1})
    assert (only.exit_code, only.check("sod.dg_hashes.dg2")["reason"]) == (0, "DATA_MISSING")
    without = judge.verify(issuer.sod(), trust, data_groups={2: DG2})
    assert (without.exit_code, without.verdict) == (2, "INDETERMINATE")
    swapped = judge.verify(issuer.sod(), trust, data_groups={1: DG2, 2: DG1})
    assert swapped.exit_code == 1
