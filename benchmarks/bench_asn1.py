"""The ASN.1 part of Passive Authentication: EF.SOD, document signer, key, each beside asn1crypto and one verification.

Every figure is the best of many short rounds, in turns, for the machine's speed is not constant.

Usage: bench_asn1.py [--seconds S]
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from asn1crypto import cms as asn1_cms
from asn1crypto import core
from asn1crypto import x509 as asn1_x509

sys.path.insert(0, str(Path(__file__).parents[1]))

from eid.codec.x509 import decode_certificate
from eid.crypto.public_key import decode_signature_algorithm, load_public_key
from eid.crypto.signatures import verify_signature
from eid.lds.sod import decode_ef_sod
from tests.builders import issuer

BATCH = 20


class DataGroupHash(core.Sequence):
    _fields = [("number", core.Integer), ("value", core.OctetString)]  # noqa: RUF012


class DataGroupHashes(core.SequenceOf):
    _child_spec = DataGroupHash


class LdsSecurityObject(core.Sequence):
    _fields = [("version", core.Integer), ("algorithm", asn1_cms.DigestAlgorithm), ("hashes", DataGroupHashes)]  # noqa: RUF012


def parse_sod_with_asn1crypto(sod: bytes) -> None:
    """The same fields as `decode_ef_sod` yields, without its checks."""
    signed = asn1_cms.ContentInfo.load(sod[4:])["content"]
    content = signed["encap_content_info"]["content"].native
    value = LdsSecurityObject.load(content)
    _ = (
        value["algorithm"]["algorithm"].native,
        {item["number"].native: item["value"].native for item in value["hashes"]},
    )
    signer = signed["signer_infos"][0]
    _ = signer["sid"].chosen["serial_number"].native, signer["sid"].chosen["issuer"].dump()
    _ = [item["values"][0].native for item in signer["signed_attrs"]], signer["signed_attrs"].untag().dump()
    _ = signer["digest_algorithm"]["algorithm"].native, signer["signature_algorithm"]["algorithm"].native
    _ = signer["signature"].native, signed["certificates"][0].chosen.dump()


def parse_certificate_with_asn1crypto(raw: bytes) -> None:
    """The fields that a path is decided by."""
    certificate = asn1_x509.Certificate.load(raw)
    tbs = certificate["tbs_certificate"]
    _ = tbs["subject"].dump(), tbs["issuer"].native, tbs["validity"].native, tbs["serial_number"].native
    _ = certificate.key_usage_value, certificate.basic_constraints_value, certificate.extended_key_usage_value
    _ = certificate.key_identifier, certificate.authority_key_identifier, certificate.critical_extensions
    _ = tbs["subject_public_key_info"].dump(), certificate.signature


def best(functions: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Microseconds of one call, the best of all rounds; the functions take turns."""
    found = dict.fromkeys(functions, float("inf"))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, function in functions.items():
            begun = time.perf_counter()
            for _ in range(BATCH):
                function()
            found[name] = min(found[name], (time.perf_counter() - begun) / BATCH * 1e6)
    return found


def measure(curve: str, explicit: bool, seconds: float) -> None:
    csca, key = issuer.ec_key(curve), issuer.ec_key(curve)
    ds = issuer.ds_certificate(csca, key, explicit=explicit)
    sod = issuer.ef_sod(key, ds)
    signed = decode_ef_sod(sod).signed_data
    spki = decode_certificate(ds).spki_raw
    public_key, info = load_public_key(spki), signed.signer_info
    message, algorithm = signed.signed_attributes_der or b"", decode_signature_algorithm(info.signature_algorithm)
    data_groups = [bytes(20_000 // 6)] * 6
    times = best(
        {
            "EF.SOD": lambda: decode_ef_sod(sod),
            "EF.SOD, asn1crypto": lambda: parse_sod_with_asn1crypto(sod),
            "DS certificate": lambda: decode_certificate(ds),
            "DS certificate, asn1crypto": lambda: parse_certificate_with_asn1crypto(ds),
            "DS key": lambda: load_public_key(spki),
            "one verification": lambda: verify_signature(public_key, algorithm, message, info.signature),
            "hashes of 20 KB": lambda: [hashlib.sha256(item).digest() for item in data_groups],
        },
        seconds,
    )
    print(f"{curve}, {'explicit' if explicit else 'named'} parameters: EF.SOD {len(sod)} octets, DS {len(ds)} octets")
    for name, value in times.items():
        print(f"  {name:28} {value:8.1f} us")
    ours = times["EF.SOD"] + times["DS certificate"] + times["DS key"]
    theirs = times["EF.SOD, asn1crypto"] + times["DS certificate, asn1crypto"]
    ceiling = 2 * times["one verification"] + times["hashes of 20 KB"]
    print(f"  parsing, faster than asn1crypto by {theirs / (times['EF.SOD'] + times['DS certificate']):.1f}")
    print(f"  ceiling {ceiling:.1f} us; with our parsing and key loading {ceiling / (ceiling + ours):.2f} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each curve")
    seconds = parser.parse_args().seconds
    for curve, explicit in (("P-256", False), ("P-256", True), ("brainpoolP256r1", True)):
        measure(curve, explicit, seconds)


if __name__ == "__main__":
    main()
