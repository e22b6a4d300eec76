"""Fuzz all groups of targets in turn: `python -m tests.fuzz [--seconds S] [--only GROUP] [--corpus DIRECTORY]`.

Prints how many inputs each group took. An input that escapes is kept and named, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz import targets

CARDS = ("card, blank", "card, PACE", "card, BAC", "card, inside BAC", "card, inside eID")
HANG = 5  # seconds of one input
MEMORY = 1024  # MB of one group
LONGEST = 8192  # octets of one input


def run(group: str, corpus: Path, seconds: int, kept: Path) -> tuple[int, int, str]:
    """Inputs tried, coverage points, and what escaped."""
    folder = corpus / group.replace(", ", "-").replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    options = (
        f"-max_total_time={seconds}", f"-timeout={HANG}", f"-rss_limit_mb={MEMORY}", f"-max_len={LONGEST}",
        "-print_final_stats=1", f"-artifact_prefix={kept}/{folder.name}-",
    )  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.engine", group, str(folder), *options]
    done = subprocess.run(command, cwd=targets.ROOT, capture_output=True, text=True, errors="replace", check=False)
    tried = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    covered = re.findall(r"\bcov: (\d+)", done.stderr)
    escaped = "" if done.returncode == 0 else done.stderr[-3000:]
    return int(tried[1]) if tried else 0, int(covered[-1]) if covered else 0, escaped


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=600, help="in all")
    options.add_argument("--only", help="one group")
    options.add_argument("--corpus", type=Path, help="kept from run to run; default: a new one")
    given = options.parse_args()
    groups = [*targets.groups(), *CARDS] if given.only is None else [given.only]
    os.nice(19)
    kept = Path(tempfile.mkdtemp(prefix="eid-fuzz-"))
    each = max(1, given.seconds // len(groups))
    print(f"{'group':<18}{'targets':>8}{'inputs':>12}{'covered':>9}{'seconds':>9}  escaped")
    total = failed = 0
    for group in groups:
        begun = time.monotonic()
        tried, covered, escaped = run(group, given.corpus or kept, each, kept)
        total += tried
        failed += bool(escaped)
        count = len(targets.groups().get(group, (group,)))
        seconds = time.monotonic() - begun
        verdict = "none" if not escaped else f"see {kept}"
        print(f"{group:<18}{count:>8}{tried:>12,}{covered:>9,}{seconds:>9.0f}  {verdict}", flush=True)
        if escaped:
            print(escaped, file=sys.stderr)
    print(f"{'all':<18}{'':>8}{total:>12,}{'':>9}{'':>9}  {failed or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
