"""pyhanko-certvalidator and `openssl verify` judge the paths that we judge; where they differ, it is known why.

The lists of differences are closed: a case that is not in them must be judged alike, and one in them must differ.
"""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eid.codec.x509 import decode_certificate
from eid.errors import DecodeError, VerificationError
from eid.pki.path import find_path, verify_validity
from eid.pki.revocation import verify_not_revoked
from eid.pki.trust_store import build_trust_store
from tests.builders.matrix import CURVE_NAMES
from tests.interop.certvalidator.paths import PathCase, cases
from tests.interop.conftest import Control, Ledger

CASES = tuple(cases())


def our_opinion(case: PathCase) -> str:
    """ "accepted", or why not; strictly, with revocation required."""
    trust = build_trust_store((*case.anchors, *case.links), case.crls)
    try:
        signer = decode_certificate(case.signer)
        path = find_path(signer, trust)
        for certificate in (signer, *(item.certificate for item in path.authorities)):
            verify_validity(certificate, case.time, "a certificate")
        verify_not_revoked(path, trust, case.time)
    except (VerificationError, DecodeError) as error:
        return str(error)
    return "accepted"


def certvalidator_opinion(case: PathCase) -> str:
    library = pytest.importorskip("pyhanko_certvalidator")
    crl, x509 = pytest.importorskip("asn1crypto.crl"), pytest.importorskip("asn1crypto.x509")
    try:
        context = library.ValidationContext(
            trust_roots=[x509.Certificate.load(raw) for raw in case.anchors],
            other_certs=[x509.Certificate.load(raw) for raw in case.links],
            moment=case.time,
            crls=[crl.CertificateList.load(raw) for raw in case.crls],
            revocation_mode="require",
        )
        validator = library.CertificateValidator(x509.Certificate.load(case.signer), validation_context=context)
        asyncio.run(validator.async_validate_usage({"digital_signature"}))
    except Exception as error:  # noqa: BLE001 - what it refuses it refuses by many kinds of exceptions
        return f"{type(error).__name__}: {error}"
    return "accepted"


def pem(raw: bytes, what: str) -> bytes:
    return f"-----BEGIN {what}-----\n".encode() + base64.encodebytes(raw) + f"-----END {what}-----\n".encode()


def openssl_opinion(case: PathCase, tool: Path, place: Path) -> str:
    for name, raws, what in (
        ("anchors", case.anchors, "CERTIFICATE"),
        ("links", case.links, "CERTIFICATE"),
        ("signer", (case.signer,), "CERTIFICATE"),
        ("crls", case.crls, "X509 CRL"),
    ):
        (place / name).write_bytes(b"".join(pem(raw, what) for raw in raws))
    arguments = ["-CAfile", place / "anchors", "-attime", str(int(case.time.timestamp())), "-no-CApath", "-no-CAstore"]
    arguments += ["-CRLfile", place / "crls"] if case.crls else []
    arguments += ["-untrusted", place / "links"] if case.links else []
    check = "-crl_check_all" if case.links else "-crl_check"
    command = [tool, "verify", check, "-purpose", "any", *arguments, place / "signer"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return "accepted" if done.returncode == 0 else done.stderr.strip().splitlines()[0]


EXPLICIT_CURVES = tuple(f"{curve} explicit" for curve in CURVE_NAMES)
OWN_ARITHMETIC = ("brainpoolP160r1", "brainpoolP192r1", "brainpoolP224r1", "brainpoolP320r1")
# The anchor's own certificate binds it here: Doc 9303-12 7.1.1 says what a CSCA is. To others an anchor is a key and a
# name (RFC 5280 6.1.1 (d)), and what its certificate says of itself is not asked.
ANCHOR = "it does not ask what the anchor's certificate says of itself (RFC 5280 6.1.1 (d))"
# RFC 5280 6.3.3 (f) validates a path for the issuer of the CRL, which need not be that of the certificate's key.
OTHER_KEY = "to it a CRL speaks for the key that signed it; here for the name, so that a roll-over hides no revocation"
PURPOSE = "it knows no extended key usage of Doc 9303-12 7.1.1, table 7, and was asked for none"

CERTVALIDATOR: dict[str, str] = {
    **dict.fromkeys(
        (name for name in EXPLICIT_CURVES if not name.startswith(("P-256", "P-384", "P-521"))),
        "it takes explicit parameters of three curves only, where Doc 9303-12 4.1.6.3 demands them",
    ),
    **{f"{curve} named": "its library lacks the curve" for curve in OWN_ARITHMETIC},
    "SHA-1": "it refuses SHA-1 by itself; here the policy decides, in a check of its own (sod.algorithms)",
    "judged as of last month": "a CRL younger than the time of judging is too recent to it; to us it says more",
    "CSCA without basic constraints": ANCHOR,
    "CSCA without key usage": ANCHOR,
    "CSCA that may sign no certificates": ANCHOR,
    "CSCA with an unknown critical extension": ANCHOR,
    "link, new name": ANCHOR,
    "authority below a CSCA of path length 0": ANCHOR,
    "signer of master lists": PURPOSE,
    "CRL by a later key of the name": OTHER_KEY,
    "CRLs by both keys, one revokes": OTHER_KEY,
}
OPENSSL: dict[str, str] = {
    **dict.fromkeys(EXPLICIT_CURVES, "it refuses explicit parameters (issue 25461), which Doc 9303-12 4.1.6.3 demands"),
    "judged as of last month": "a CRL younger than the time of judging is not valid yet to it",
    "CSCA without basic constraints": ANCHOR,
    "CSCA without key usage": ANCHOR,
    "signer without key usage": "without the extension a key is for every use to it (RFC 5280 4.2.1.3)",
    "link that says NameChange": "it counts the link in the path length, which is 0 in every CSCA (7.1.1)",
    "signer that may sign no documents": "it was asked for any purpose: it knows none of a document signer",
    "signer of master lists": PURPOSE,
    "CRL by a later key of the name": OTHER_KEY,
    "CRLs by both keys, one revokes": OTHER_KEY,
}


def differences(opinion: Callable[[PathCase], str]) -> dict[str, tuple[str, str]]:
    """What is judged otherwise: our opinion and theirs, by the case's name."""
    found = {}
    for case in CASES:
        ours, theirs = our_opinion(case), opinion(case)
        if (ours == "accepted") is not (theirs == "accepted"):
            found[case.name] = (ours, theirs)
    return found


def test_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) == 63


def test_certvalidator(ledger: Ledger) -> None:
    found = differences(certvalidator_opinion)
    assert found.keys() == CERTVALIDATOR.keys(), {name: found.get(name) for name in found.keys() ^ CERTVALIDATOR.keys()}
    told = f"{len(CASES)} certificate paths; {len(found)} judged otherwise, each for a known reason"
    ledger("pyhanko-certvalidator", "our path building", told, None, *Control)


def test_openssl(ledger: Ledger, require_tool: Callable[[str], Path], tmp_path: Path) -> None:
    tool = require_tool("openssl")
    found = differences(lambda case: openssl_opinion(case, tool, tmp_path))
    assert found.keys() == OPENSSL.keys(), {name: found.get(name) for name in found.keys() ^ OPENSSL.keys()}
    told = f"{len(CASES)} certificate paths; {len(found)} judged otherwise, each for a known reason"
    ledger("openssl", "our path building", told, None, *Control)
