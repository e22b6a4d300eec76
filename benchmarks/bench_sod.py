"""EF.SOD built and signed with a software key, beside the bare signature.

Built anew each time: the LDS security object over six hashes that are there already, the signed attributes, the CMS
structure around them. The ceiling signs as many octets with the same key and does nothing else.

Usage: bench_sod.py [--seconds S]
"""

from __future__ import annotations

import argparse

from _measure import compare, judge
from _specimen import build_issuer, data_groups

from eid.crypto.hashes import digest
from eid.lds.sod import build_lds_security_object

TARGETS = {"P-256": 8000, "brainpoolP256r1": 2500}  # EF.SOD in a second


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=3.0, help="for each row of the table")
    seconds = options.parse_args().seconds
    hashes = {int(name[2:]): digest("sha256", raw) for name, raw in data_groups().items()}
    print(f"{'key':<16}{'EF.SOD /s':>12}{'bare sign /s':>14}{'ratio':>7}{'undisturbed':>13}  target")
    for name, wanted in TARGETS.items():
        issuer = build_issuer(name)
        key = issuer.document_signer
        found = compare(
            lambda issuer=issuer: issuer.sign(build_lds_security_object("sha256", hashes)),
            lambda key=key: key.sign(bytes(112)),  # as long as the signed attributes are
            seconds,
        )
        print(
            f"{name:<16}{found.rate:>12,.0f}{found.ceiling:>14,.0f}{found.ratio:>7.2f}{found.undisturbed:>13.2f}  ",
            end="",
        )
        print(judge(round(found.rate), at_least=wanted))


if __name__ == "__main__":
    main()
