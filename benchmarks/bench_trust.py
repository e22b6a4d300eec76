"""The trust store: a CSCA master list of 600 certificates imported, and a large LDIF in constant memory.

The ceiling of the list is what it cannot do without: the self-signature of each certificate. Memory is that of a
process of its own, over what it had before the import.

Usage: bench_trust.py [--megabytes N] [--certificates N]
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import judge

from eid.crypto.public_key import load_public_key
from eid.pki.reading import read_certificate
from eid.pki.trust_store import is_signed_by
from eid.services.trust.decisions import pin_anchors
from eid.services.trust.files import load_trust_store
from eid.services.trust.imports import import_trust
from tests.builders import issuer as made
from tests.builders import trust_lists as lists

ROOT = Path(__file__).parents[1]
ROUNDS = 5
NOW = lists.SIGNED_AT + timedelta(days=30)
MEASURED = """
import json, resource, sys, time
from datetime import datetime, timedelta
from pathlib import Path
sys.path.insert(0, {root!r})
from eid.services.trust.imports import import_trust
store, small, large, now = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), datetime.fromisoformat(sys.argv[4])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
import_trust(store, [small], unsigned=False, now=now)
before, begun, used = peak(), time.perf_counter(), time.process_time()
report = import_trust(store, [large], unsigned=False, now=now + timedelta(days=1))
print(json.dumps({{"growth": peak() - before, "peak": peak(), "seconds": time.perf_counter() - begun,
                   "processor": time.process_time() - used, "counts": dict(report.counts)}}))
"""


def measure_list(count: int, folder: Path) -> None:
    owner = lists.publisher()
    content = list(lists.sound(count))
    (folder / "list.ml").write_bytes(owner.master_list(content))
    (folder / "pin.cer").write_bytes(owner.csca)
    taken, bare, loaded = [], [], []
    for number in range(ROUNDS):
        store = folder / f"store{number}"
        (item,) = import_trust(store, [folder / "pin.cer"], unsigned=False, now=NOW).items
        pin_anchors(store, [item.fingerprint], NOW)
        begun = time.process_time()
        report = import_trust(store, [folder / "list.ml"], unsigned=False, now=NOW)
        taken.append(time.process_time() - begun)
        assert report.new == count
        bare.append(verify_bare(content))
        begun = time.process_time()
        assert len(load_trust_store(store).anchors) == count + 1
        loaded.append(time.process_time() - begun)
    seconds = median(taken)
    print(
        f"master list of {count} certificates verified, linted, indexed: {seconds:.2f} s  {judge(seconds, at_most=2)}"
    )
    print(f"  the self-signatures alone: {median(bare):.2f} s, ratio {median(bare) / seconds:.2f}")
    print(f"  loaded for verification afterwards: {median(loaded):.2f} s")


def verify_bare(content: list[bytes]) -> float:
    """Seconds of the self-signatures, with everything read before."""
    prepared = [(item, load_public_key(item.spki_raw)) for item in (read_certificate(raw, []) for raw in content)]
    begun = time.process_time()
    for certificate, key in prepared:
        is_signed_by(certificate, key)
    return time.process_time() - begun


def write_ldif(path: Path, octets: int) -> int:
    """An LDIF of document signers' certificates of that size; every one is another, none of their signatures holds."""
    csca, key = made.ec_key(), made.ec_key()
    raw = made.ds_certificate(csca, key, serial=0x5A01_0203_0405_0607)
    place = raw.index(bytes.fromhex("5A01020304050607"))
    count = 0
    with path.open("wb") as file:
        file.write(b"version: 1\n\n")
        while file.tell() < octets:
            count += 1
            changed = raw[:place] + (0x5A01_0000_0000_0000 + count).to_bytes(8, "big") + raw[place + 8 :]
            file.write(b"\n".join(_entry(count, changed)))
    return count


def _entry(number: int, raw: bytes) -> Iterator[bytes]:
    yield b"dn: cn=%d,o=dsc,c=UT,dc=data,dc=download,dc=pkd,dc=icao,dc=int" % number
    line = b"userCertificate;binary:: " + base64.b64encode(raw)
    yield b"\n ".join(line[at : at + 76] for at in range(0, len(line), 76))
    yield b"objectClass: inetOrgPerson\nobjectClass: pkdDownload\n\n"


def measure_ldif(megabytes: int, folder: Path) -> None:
    (folder / "small.ldif").write_bytes(b"")
    small = write_ldif(folder / "small.ldif", 5_000_000)
    large = write_ldif(folder / "large.ldif", megabytes * 1_000_000)
    arguments = [str(folder / name) for name in ("ldif-store", "small.ldif", "large.ldif")]
    command = [sys.executable, "-c", MEASURED.format(root=str(ROOT)), *arguments, NOW.isoformat()]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert told["counts"] == {"DS": large}
    times = f"{told['seconds']:.0f} s ({told['processor']:.0f} s of processor)"
    print(f"LDIF of {megabytes} MB, {large:,} certificates: {times}")
    print(f"  growth over an LDIF of 5 MB ({small:,}): {told['growth']} MB  {judge(told['growth'], at_most=64)}")
    size = (folder / "ldif-store" / "index.db").stat().st_size >> 20
    print(f"  peak of the process: {told['peak']} MB; the store: {size} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=20, help="size of the LDIF (default: %(default)s)")
    parser.add_argument("--certificates", type=int, default=600, help="in the master list (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="not used: the work is as long as it is")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure_list(given.certificates, Path(folder))
        measure_ldif(given.megabytes, Path(folder))


if __name__ == "__main__":
    main()
