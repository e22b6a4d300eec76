"""The openssl command judges what our authority makes: the named-curve twins fully, the explicit ones by reading."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from eid.codec import der
from eid.codec.x509 import decode_certificate
from eid.crypto.curves import Curve, curve_by_name
from eid.keystore.algorithm import rsa_algorithm
from eid.keystore.ports import KeyStore, Signer
from eid.lds.sod import build_lds_security_object
from eid.pki.crl import Revocation, RevocationReason, build_crl
from eid.pki.csca import build_csca_certificate, build_link_certificate
from eid.pki.document_signer import sign_sod
from eid.pki.list_signer import ListKind, build_list_signer_certificate, sign_list
from eid.pki.master_list import decode_master_list, encode_master_list
from tests.builders.authority import (
    CSCA_USAGE,
    CSCA_VALIDITY,
    DS_USAGE,
    DS_VALIDITY,
    NOW,
    Authority,
    build_authority,
    fresh_label,
)

DAY = timedelta(days=1)
CONTENT = build_lds_security_object("sha256", {n: hashlib.sha256(bytes((n,))).digest() for n in (1, 2)})
AT = str(int(NOW.timestamp()))

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def openssl(require_tool: Callable[[str], Path], tmp_path: Path) -> Run:
    tool = require_tool("openssl")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([tool, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def write_all(made: Authority, directory: Path, *, revoked: bool = False) -> None:
    revocations = [Revocation(decode_certificate(made.ds).serial, NOW - DAY, RevocationReason.KEY_COMPROMISE)] * revoked
    crl = build_crl(
        made.csca_signer,
        made.csca,
        number=3,
        this_update=NOW - DAY / 2,
        next_update=NOW + 30 * DAY,
        revocations=revocations,
    )
    for name, raw in (("csca", made.csca), ("ds", made.ds), ("crl", crl)):
        (directory / f"{name}.der").write_bytes(raw)
    for number, by_key_identifier in ((1, False), (3, True)):
        sod = sign_sod(CONTENT, made.ds_signer, made.ds, signing_time=NOW, by_key_identifier=by_key_identifier)
        start, stop = der.enter(sod, 0, len(sod), 0x77, "EF.SOD")
        (directory / f"sod{number}.der").write_bytes(sod[start:stop])


def to_pem(run: Run) -> None:
    for name in ("csca", "ds"):
        assert run("x509", "-inform", "DER", "-in", f"{name}.der", "-out", f"{name}.pem").returncode == 0
    assert run("crl", "-inform", "DER", "-in", "crl.der", "-out", "crl.pem").returncode == 0


def signers(store: KeyStore, kind: str) -> tuple[Signer, Signer]:
    if kind.startswith("rsa"):
        csca, ds = store.generate_rsa(fresh_label(), 2048), store.generate_rsa(fresh_label(), 2048)
        algorithm = rsa_algorithm(kind)
        return store.load(csca.label, algorithm), store.load(ds.label, algorithm)
    csca_curve, ds_curve = kind.split("+")
    return store.generate_ec(fresh_label(), csca_curve), store.generate_ec(fresh_label(), ds_curve)


KINDS = ["brainpoolP384r1+brainpoolP256r1", "P-384+P-256", "P-521+brainpoolP512r1", "rsa-pss", "rsa-pkcs1"]


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_accepts_the_named_curve_twins(
    software_store: KeyStore, kind: str, openssl: Run, tmp_path: Path
) -> None:
    write_all(build_authority(*signers(software_store, kind), explicit=False), tmp_path)
    to_pem(openssl)
    verified = openssl(
        "verify", "-x509_strict", "-crl_check", "-attime", AT, "-CAfile", "csca.pem", "-CRLfile", "crl.pem", "ds.pem"
    )
    assert verified.returncode == 0, verified.stderr
    listed = openssl("crl", "-in", "crl.pem", "-CAfile", "csca.pem", "-noout")
    assert "verify OK" in listed.stderr
    for number in (1, 3):
        signed = openssl(
            "cms", "-verify", "-inform", "DER", "-in", f"sod{number}.der", "-CAfile", "csca.pem", "-purpose", "any",
            "-attime", AT, "-binary", "-out", "content.der",
        )  # fmt: skip
        assert signed.returncode == 0, signed.stderr
        assert (tmp_path / "content.der").read_bytes() == CONTENT


def test_openssl_sees_the_revocation_and_the_forgery(software_store: KeyStore, openssl: Run, tmp_path: Path) -> None:
    write_all(build_authority(*signers(software_store, KINDS[0]), explicit=False), tmp_path, revoked=True)
    to_pem(openssl)
    revoked = openssl(
        "verify", "-crl_check", "-attime", AT, "-CAfile", "csca.pem", "-CRLfile", "crl.pem", "ds.pem"
    )  # fmt: skip
    assert revoked.returncode != 0
    assert "certificate revoked" in revoked.stderr
    text = openssl("crl", "-in", "crl.pem", "-noout", "-text").stdout
    assert "Key Compromise" in text
    assert re.search(r"X509v3 CRL Number:\s+3\b", text)
    sod = bytearray((tmp_path / "sod1.der").read_bytes())
    place = bytes(sod).index(CONTENT) + len(CONTENT) - 1
    sod[place] ^= 1
    (tmp_path / "forged.der").write_bytes(bytes(sod))
    forged = openssl(
        "cms", "-verify", "-inform", "DER", "-in", "forged.der", "-CAfile", "csca.pem", "-purpose", "any",
        "-attime", AT, "-binary", "-out", "content.der",
    )  # fmt: skip
    assert forged.returncode != 0


def parse_numbers(text: str) -> dict[str, int]:
    """The labelled hexadecimal numbers of an EC key in `openssl -text`."""
    found: dict[str, int] = {}
    for label, block in re.findall(
        r"^ +(Prime|A|B|Order|Generator \(uncompressed\)): *\n((?: +[0-9a-f:]+\n)+)", text, re.M
    ):
        found[label] = int(re.sub(r"[\s:]", "", block), 16)
    return found


def assert_parameters(text: str, curve: Curve) -> None:
    size = curve.coordinate_length
    generator = b"\4" + curve.gx.to_bytes(size, "big") + curve.gy.to_bytes(size, "big")
    assert parse_numbers(text) == {
        "Prime": curve.p,
        "A": curve.a,
        "B": curve.b,
        "Order": curve.n,
        "Generator (uncompressed)": int.from_bytes(generator, "big"),
    }
    assert re.search(r"Cofactor: +1 \(0x1\)", text)
    assert "Field Type: prime-field" in text


@pytest.mark.parametrize(("csca_curve", "ds_curve"), [("brainpoolP384r1", "brainpoolP256r1"), ("P-521", "P-256")])
def test_openssl_reads_the_explicit_parameters(
    software_store: KeyStore, csca_curve: str, ds_curve: str, openssl: Run, tmp_path: Path
) -> None:
    write_all(build_authority(*signers(software_store, f"{csca_curve}+{ds_curve}"), explicit=True), tmp_path)
    for name, curve_name in (("csca", csca_curve), ("ds", ds_curve)):
        curve = curve_by_name(curve_name)
        assert curve is not None
        result = openssl("x509", "-inform", "DER", "-in", f"{name}.der", "-noout", "-text")
        assert result.returncode == 0, result.stderr
        assert_parameters(result.stdout, curve)
        assert "ASN1 OID" not in result.stdout
        assert "CSCA" in result.stdout
    crl = openssl("crl", "-inform", "DER", "-in", "crl.der", "-noout", "-text")
    assert crl.returncode == 0
    assert "No Revoked Certificates" in crl.stdout
    printed = openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", "sod1.der", "-noout")
    assert printed.returncode == 0
    assert "2.23.136.1.1.1" in printed.stdout


def test_openssl_prints_every_extension(authority: Authority, openssl: Run, tmp_path: Path) -> None:
    (tmp_path / "ds.der").write_bytes(authority.ds)
    (tmp_path / "csca.der").write_bytes(authority.csca)
    csca = openssl("x509", "-inform", "DER", "-in", "csca.der", "-noout", "-text").stdout
    assert re.search(r"X509v3 Basic Constraints: critical\s+CA:TRUE, pathlen:0", csca)
    assert re.search(r"X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign", csca)
    ds = openssl("x509", "-inform", "DER", "-in", "ds.der", "-noout", "-text").stdout
    assert re.search(r"X509v3 Key Usage: critical\s+Digital Signature", ds)
    assert "Not Before: Jan  1 00:00:00 2026 GMT, Not After: Apr  1 00:00:00 2026 GMT" in ds
    assert re.search(r"X509v3 Subject Alternative Name: *\s+email:csca@utopia.example, DirName: ?/?L ?= ?UTO", ds)
    assert "URI:https://pki.utopia.example/ut.crl" in ds
    assert "2.23.136.1.1.6.2" in ds


@pytest.mark.parametrize("name", ["SPECIMEN CSCA", "SPECIMEN CSCA of Utopia"])
def test_openssl_follows_the_link_to_the_next_key(
    software_store: KeyStore, name: str, openssl: Run, tmp_path: Path
) -> None:
    """Key roll-over and name change: who trusts the first key alone believes what the next one signs."""
    made = build_authority(*signers(software_store, "P-384+P-256"), explicit=False)
    key = software_store.generate_ec(fresh_label(), "P-521")
    csca = build_csca_certificate(key, made.state, name, CSCA_VALIDITY, CSCA_USAGE)
    link = build_link_certificate(made.csca_signer, made.csca, csca, made.state, CSCA_VALIDITY)
    signer = software_store.generate_ec(fresh_label(), "P-256")
    certificate = build_list_signer_certificate(
        ListKind.MASTER, key, csca, signer.public_key_info, made.state, "SPECIMEN list signer", DS_VALIDITY, DS_USAGE
    )
    signed = sign_list(
        ListKind.MASTER, encode_master_list([made.csca, csca]), signer, certificate, csca, signing_time=NOW
    )
    for label, raw in (("first", made.csca), ("link", link), ("signer", certificate)):
        (tmp_path / f"{label}.der").write_bytes(raw)
        assert openssl("x509", "-inform", "DER", "-in", f"{label}.der", "-out", f"{label}.pem").returncode == 0
    (tmp_path / "list.der").write_bytes(signed)
    trusted = ("-attime", AT, "-CAfile", "first.pem")
    # A path length of 0 counts a link where the names differ (RFC 5280 6.1.4 (l) excepts equal names only).
    verified = openssl("verify", *trusted, "-untrusted", "link.pem", "signer.pem")
    assert (verified.returncode == 0) is (name == "SPECIMEN CSCA"), verified.stderr
    assert openssl("verify", *trusted, "link.pem").returncode == 0
    listed = openssl(
        "cms", "-verify", "-inform", "DER", "-in", "list.der", "-noverify", "-binary", "-out", "content.der"
    )
    assert listed.returncode == 0, listed.stderr
    assert set(decode_master_list((tmp_path / "content.der").read_bytes())) == {made.csca, csca}
    told = openssl("x509", "-in", "signer.pem", "-noout", "-text").stdout
    assert re.search(r"Extended Key Usage: critical\s+2\.23\.136\.1\.1\.3\n", told)
