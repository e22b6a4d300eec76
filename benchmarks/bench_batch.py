"""`eid.services.verifying.batch`: evidence judged by one worker and by two, in turns; results must be the same octets.

*times* is by the clock on the wall, the median over the turns; other programs on the machine spoil it. *undisturbed* is
what two free cores would give, by processor time: all that one worker used, over half of what two used and all that the
process used which hands out the work and writes the ledger.

Usage: bench_batch.py [--documents N] [--rounds N]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from statistics import median

from _measure import judge
from _specimen import NOW, build_issuer, data_groups, evidence, lds_security_object

from eid.evidence.codec import encode_evidence
from eid.services.trust.imports import import_trust
from eid.services.verifying.batch import BatchOrder, open_executor, order_batch, verify_batch

KEYS = ("P-256", "brainpoolP256r1")
TARGET = 1.7  # times as fast with two


def main() -> None:
    """Print a table, and whether the target was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{'signer':<18}{'1 worker/s':>12}{'2 workers/s':>13}{'times':>8}{'undisturbed':>13}  results")
    for name in KEYS:
        with tempfile.TemporaryDirectory() as folder:
            _measure(name, Path(folder), arguments.documents, arguments.rounds)


def _measure(name: str, folder: Path, documents: int, rounds: int) -> None:
    order = _prepare(name, folder, documents)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    results = set()
    for turn in range(rounds):
        for workers in (1, 2) if turn % 2 else (2, 1):
            out = folder / f"{workers}-{turn}.jsonl"
            begun, used = time.perf_counter(), _processor_time()
            with open_executor(workers) as executor:
                summary = verify_batch(order, folder / "evidence", out, executor, workers=workers)
            seconds[workers].append(time.perf_counter() - begun)
            own, children = (after - before for before, after in zip(used, _processor_time(), strict=True))
            costs[workers].append(own + children / workers)
            results.add(out.read_bytes())
            if summary.verdicts != {"TOTAL_PASSED": documents}:
                raise SystemExit(f"not all passed: {summary.verdicts}")
    undisturbed = min(costs[1]) / min(costs[2])
    times = median(one / two for one, two in zip(seconds[1], seconds[2], strict=True))
    rates = [documents / median(seconds[workers]) for workers in (1, 2)]
    same = "the same octets" if len(results) == 1 else "DIFFERENT"
    print(f"{name:<18}{rates[0]:>12.0f}{rates[1]:>13.0f}{times:>8.2f}{undisturbed:>13.2f}", end="")
    print(f"  {same}, {judge(max(times, undisturbed), at_least=TARGET)}")


def _processor_time() -> tuple[float, float]:
    """Seconds of this process, and of those that it started and that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime


def _prepare(name: str, folder: Path, documents: int) -> BatchOrder:
    """Evidence files, and a trust store of their issuer."""
    issuer, groups = build_issuer(name), data_groups()
    for file, raw in (("csca.der", issuer.csca_certificate), ("csca.crl", issuer.trust().crls[0].raw)):
        (folder / file).write_bytes(raw)
    import_trust(folder / "trust", [folder / "csca.der", folder / "csca.crl"], unsigned=False, now=NOW)
    (folder / "evidence").mkdir()
    content = lds_security_object(groups)
    signers = [issuer.renew() for _ in range(documents // 10 + 1)]
    for number in range(documents):
        raw = encode_evidence(evidence(groups, signers[number // 10].sign(content)))
        (folder / "evidence" / f"{number:06}.cbor").write_bytes(raw)
    return order_batch(folder / "trust", "border", NOW, "given")


if __name__ == "__main__":
    main()
