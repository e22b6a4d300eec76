"""What a virtual card costs: reading a file by its size, and one card more in a process.

- DG2 of 4 to 64 KB read through secure messaging in this process, both ends, in pieces of 223 octets. The cost of an
  octet must not grow with the file: the largest against the smallest.
- Cards revived from one state: resident memory of the process for each further card, with the state's own octets and
  without them; then each has answered a whole PACE, so that nothing is left to be loaded.

Usage: bench_virtual_card.py [--seconds S] [--cards N]
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from _measure import judge

from eid.card import VirtualCard
from eid.codec.tlv import encode_tlv
from eid.lds.card_access import decode_card_access
from eid.lds.files import DATA_GROUPS, EF_CARD_ACCESS
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive, through
from eid.protocols.files import read_file, select_application
from eid.protocols.pace.core import Password
from eid.protocols.pace.terminal import run_pace
from eid.protocols.secure_messaging import SecureMessaging
from eid.testing.specimen import SpecimenCard, issue_specimen
from eid.transport.loopback import LoopbackConnection

SIZES = (4, 8, 16, 32, 48, 64)  # KB
GROWTH = 1.25  # cost of an octet at 64 KB over that at 4 KB, at most
MEGABYTE = 1 << 20
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DG2 = next(file for file in DATA_GROUPS if file.name == "DG2")


def open_card(specimen: SpecimenCard, link: LoopbackConnection) -> SecureMessaging:
    """PACE with the CAN."""
    info = decode_card_access(drive(read_file(EF_CARD_ACCESS), link)).pace_infos[0]
    return drive(run_pace(info, Password(PasswordId.CAN, specimen.can.encode())), link).secure_messaging


def reading(specimen: SpecimenCard, size: int) -> Callable[[], None]:
    """Read a DG2 of this size, whole, through an open session."""
    card = VirtualCard.from_state(specimen.card.state())
    aid = specimen.profile.application.aid
    content = encode_tlv(0x75, bytes(size - 4))
    card._card.memory.applications[aid].files[DG2.fid].content = bytearray(content)
    link = LoopbackConnection(card)
    channel = open_card(specimen, link)
    drive(through(channel, select_application(aid)), link)

    def read() -> None:
        if drive(through(channel, read_file(DG2, 223)), link) != content:
            raise SystemExit("wrong content")

    return read


def seconds_by_size(specimen: SpecimenCard, seconds: float) -> dict[int, float]:
    """Processor time of reading a file, by its size in KB; the sizes take turns, the quickest of each counts."""
    works = {size: reading(specimen, size << 10) for size in SIZES}
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not taken[SIZES[-1]]:
        for size, work in works.items():
            begun = time.process_time()
            work()
            taken[size].append(time.process_time() - begun)
    return {size: min(times) for size, times in taken.items()}


def resident() -> int:
    """Octets of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory_of_a_card(specimen: SpecimenCard, count: int) -> float:
    """Octets of resident memory for each further card that has run PACE."""
    state = specimen.card.state()
    cards = [VirtualCard.from_state(state) for _ in range(10)]  # what the first ones load stays
    for card in cards:
        open_card(specimen, LoopbackConnection(card))
    before = resident()
    for _ in range(count):
        cards.append(VirtualCard.from_state(state))
        open_card(specimen, LoopbackConnection(cards[-1]))
    return (resident() - before) / count


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=6.0, help="for all sizes")
    options.add_argument("--cards", type=int, default=200)
    given = options.parse_args()
    specimen = issue_specimen("eu-td1-id-card", NOW)
    print(f"{'DG2, KB':<10}{'ms':>8}{'ns an octet':>13}")
    costs = {}
    for size, taken in seconds_by_size(specimen, given.seconds).items():
        costs[size] = taken / (size << 10)
        print(f"{size:<10}{1e3 * taken:>8.1f}{1e9 * costs[size]:>13.0f}")
    ratio = costs[SIZES[-1]] / costs[SIZES[0]]
    print(f"cost of an octet, {SIZES[-1]} KB over {SIZES[0]} KB: {ratio:.2f}  {judge(ratio, at_most=GROWTH)}")
    each, contents = memory_of_a_card(specimen, given.cards), len(specimen.card.state())
    over = each - contents
    told = f"a further card of {contents:,} octets: {each:,.0f} octets of memory, {over:,.0f} over its contents"
    print(f"{told}  {judge(over, at_most=MEGABYTE)}")


if __name__ == "__main__":
    main()
