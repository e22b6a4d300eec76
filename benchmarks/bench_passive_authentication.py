"""Passive Authentication by `eid.verification.verify`, one core, beside its two signature verifications and hashes.

Each document comes as fresh evidence, and every check of the policy `border` is done and reported. In the rows "new"
nobody has seen the document's signer: its certificate is decoded, its key loaded and its path found anew. In the rows
"seen" one signer stands behind all documents, and its path is remembered. The ceiling does nothing but the primitives,
with the keys loaded before: the signature of the document signer over the signed attributes, the hashes of the security
object and of the six data groups, and in the rows "new" the signature of the CSCA over the certificate.

Usage: bench_passive_authentication.py [--seconds S] [--profile KEY]
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import pstats
from collections.abc import Callable
from itertools import cycle

from _measure import compare, judge
from _specimen import NOW, Issuer, build_issuer, data_groups, evidence, lds_security_object
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from eid.codec.x509 import decode_certificate
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import PublicKey
from eid.evidence import Evidence
from eid.lds.sod import decode_ef_sod
from eid.verification.policy import load_policy
from eid.verification.report import Verdict
from eid.verification.signers import forget_signers
from eid.verification.verify import verify

# Of the ceiling: what must be reached, and what is aimed at
TARGETS = {
    ("P-256", "new"): (0.5, 0.6),
    ("P-256", "seen"): (0.55,),
    ("P-384", "new"): (0.85,),
    ("P-384", "seen"): (),
    ("brainpoolP256r1", "new"): (0.8, 0.85),
    ("brainpoolP256r1", "seen"): (),
    ("RSA-2048", "new"): (0.42,),
    ("RSA-2048", "seen"): (),
}
DOCUMENTS = 160  # taken in turn


def bare_verification(key: PublicKey, message: bytes, signature: bytes) -> Callable[[], None]:
    """One hash and one signature verification, and nothing else."""
    if isinstance(key, rsa.RSAPublicKey):
        scheme, prehashed = padding.PKCS1v15(), Prehashed(hashes.SHA256())
        return lambda: key.verify(signature, hashlib.sha256(message).digest(), scheme, prehashed)
    if isinstance(key, ec.EllipticCurvePublicKey):
        algorithm = ec.ECDSA(Prehashed(hashes.SHA256()))
        return lambda: key.verify(signature, hashlib.sha256(message).digest(), algorithm)
    raise SystemExit("the library lacks this curve")


def bare_primitives(issuer: Issuer, groups: dict[str, bytes], raw_sod: bytes, signer: str) -> Callable[[], None]:
    """The hashes of one document, and one verification or, of a new signer, two."""
    certificate, authority = decode_certificate(issuer.certificate), decode_certificate(issuer.csca_certificate)
    signed = decode_ef_sod(raw_sod).signed_data
    attributes = signed.signed_attributes_der or b""
    by_csca = bare_verification(load_public_key(authority.spki_raw), certificate.tbs_raw, certificate.signature)
    by_signer = bare_verification(load_public_key(certificate.spki_raw), attributes, signed.signer_info.signature)
    hashed = (signed.content, *groups.values())

    def run() -> None:
        by_signer()
        for content in hashed:
            hashlib.sha256(content).digest()

    def run_with_path() -> None:
        by_csca()
        run()

    return run_with_path if signer == "new" else run


def passive_authentication(issuer: Issuer, groups: dict[str, bytes], signer: str) -> Callable[[], None]:
    """The whole verification of the next document; of a new signer everything remembered is forgotten before."""
    content = lds_security_object(groups)
    documents: cycle[Evidence] = cycle(
        [evidence(groups, issuer.renew().sign(content)) for _ in range(DOCUMENTS if signer == "new" else 1)]
    )
    trust, policy = issuer.trust(), load_policy("border")
    is_new = signer == "new"

    def run() -> None:
        if is_new:
            forget_signers()
        report = verify(next(documents), trust, policy, time=NOW)
        if report.verdict is not Verdict.TOTAL_PASSED:
            raise SystemExit(f"verdict {report.verdict}: {[item for item in report.checks if item.reason]}")

    return run


def profile(work: Callable[[], None]) -> None:
    """Where the time goes."""
    with cProfile.Profile() as recorder:
        for _ in range(2000):
            work()
    pstats.Stats(recorder).sort_stats("tottime").print_stats(45)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=2.5, help="for each row of the table")
    options.add_argument("--profile", metavar="KEY", choices=sorted({key for key, _ in TARGETS}))
    chosen = options.parse_args()
    groups = data_groups()
    if chosen.profile:
        profile(passive_authentication(build_issuer(chosen.profile), groups, "new"))
        return
    print(f"{'key':<16}{'signer':<7}{'/s':>9}{'ceiling /s':>12}{'ratio':>7}{'undisturbed':>13}  target")
    for (key, signer), wanted in TARGETS.items():
        issuer = build_issuer(key)
        ceiling = bare_primitives(issuer, groups, issuer.sign(lds_security_object(groups)), signer)
        found = compare(passive_authentication(issuer, groups, signer), ceiling, chosen.seconds)
        verdict = ", ".join(judge(round(found.undisturbed, 2), at_least=share) for share in wanted) or "none"
        print(f"{key:<16}{signer:<7}{found.rate:>9,.0f}{found.ceiling:>12,.0f}{found.ratio:>7.2f}", end="")
        print(f"{found.undisturbed:>13.2f}  {verdict}")


if __name__ == "__main__":
    main()
