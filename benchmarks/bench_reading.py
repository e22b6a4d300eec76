"""Reading one card over PC/SC: our terminal, JMRTD and dmrtd, each a process of its own, warm, in turns.

The virtual card takes the time, from the first command that reaches it to its last answer, and counts the commands. So
connecting, judging signatures and writing are in nobody's figure, and the card's own work is in everybody's. A
terminal that is not on this machine is left out, with the reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from statistics import median

from eid.card import VirtualCard
from eid.errors import ReaderUnavailableError
from eid.imaging.encode import encode_portrait
from eid.imaging.header import ImageFormat
from eid.imaging.portrait import draw_specimen_portrait
from eid.inspection import InspectionPlan
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.protocols.pace.core import Password
from eid.services.reading.inspection import inspect_card
from eid.testing.authority import SpecimenAuthority
from eid.testing.specimen import SpecimenCard, build_specimen, issue_data, specimen_for
from eid.transport.pcsc import open_reader
from eid.transport.pcscd import PcscHost, private_pcscd
from tests.interop.dmrtd import driver as dmrtd
from tests.interop.jmrtd import driver as jmrtd
from tests.interop.terminals import BuildError, Driver, Unavailable

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PROFILE = "ma-cnie"
WHOLE = 30_000  # octets on the card
PORTRAIT = 27_000
WARM_UP, LEAST = 5, 5  # readings by each: that do not count, and that do
CHALLENGE = "0102030405060708"
DATA_GROUPS = "1,2,11,12,13,14,15"

Read = Callable[[str], None]


class Clocked:
    """A card that takes the time of a reading."""

    def __init__(self, card: VirtualCard) -> None:
        self._card = card
        self.begin_reading()

    def begin_reading(self) -> None:
        """Forget what was."""
        self.commands, self.own = 0, 0.0
        self._first = self._last = 0.0

    @property
    def seconds(self) -> float:
        """From the first command to the last answer."""
        return self._last - self._first

    @property
    def atr(self) -> bytes:
        return self._card.atr

    def process(self, command: bytes, /) -> bytes:
        begin = time.perf_counter()
        if not self.commands:
            self._first = begin
        answer = self._card.process(command)
        self._last = time.perf_counter()
        self.own += self._last - begin
        self.commands += 1
        return answer

    def reset(self) -> bytes:
        return self._card.reset()

    def power_off(self) -> None:
        self._card.power_off()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading cost. seconds: as `Clocked`; own: of these, the card's."""

    commands: int
    seconds: float
    own: float


def make_card() -> SpecimenCard:
    """The specimen person's card, with so large a portrait that all its files come to about 30 KB."""
    profile = load_profile(PROFILE).profile
    authority = SpecimenAuthority(profile, NOW)
    portrait = encode_portrait(draw_specimen_portrait(width=620, height=797), ImageFormat.JPEG, PORTRAIT)
    data = build_specimen(profile, authority, replace(specimen_for(profile, NOW), portrait=portrait))
    return issue_data(profile, authority, data)


# ------------------------------------------------------------------------------------------------------- the terminals


def serve() -> None:
    """Our terminal's process: a line of JSON for each reading, an empty line when it is done."""
    for line in sys.stdin:
        request = json.loads(line)
        plan = InspectionPlan(
            Password(PasswordId.CAN, request["can"].encode()),
            challenge=bytes.fromhex(CHALLENGE),
            chip_authentication=request["chip_authentication"],
            max_response=request["max_response"],
        )
        connection = open_reader(request["reader"])
        try:
            inspect_card(connection, plan, now=NOW)
        finally:
            connection.close()
        print(flush=True)


@contextmanager
def our_terminal(can: str, *, max_response: int, chip_authentication: bool = True) -> Iterator[Read]:
    """As `eid read` reads."""
    program = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    requests, answers = program.stdin, program.stdout
    assert requests is not None
    assert answers is not None

    def read(reader: str) -> None:
        wishes = {"max_response": max_response, "chip_authentication": chip_authentication}
        requests.write(json.dumps({"reader": reader, "can": can, **wishes}) + "\n")
        requests.flush()
        if not answers.readline():
            raise SystemExit("our own terminal failed")

    try:
        yield read
    finally:
        program.communicate()


@contextmanager
def their_terminal(driver: Driver, can: str, options: dict[str, str], failing: Collection[str] = ()) -> Iterator[Read]:
    """A driver of tests/interop. failing: steps that are beyond it with this card."""
    request = {"access": "pace", "password": "can", "value": can, "challenge": CHALLENGE, "data_groups": DATA_GROUPS}

    def read(reader: str) -> None:
        reading = driver.read({**request, "reader": reader, **options})
        if set(reading.failed) - set(failing):
            raise SystemExit(f"it did not read the card: {reading.failed}")

    yield read


def start_jmrtd(stack: ExitStack) -> Driver:
    """Raises `Unavailable`, `BuildError`."""
    java, maven = which("java"), which("mvn")
    if java is None or maven is None or which("javac") is None:
        raise Unavailable("there is no JDK with Maven on this machine")
    jmrtd.build(Path(maven))
    return stack.enter_context(Driver(jmrtd.command(Path(java))))


def start_dmrtd(stack: ExitStack) -> Driver:
    """Raises `Unavailable`, `BuildError`."""
    cargo = which("cargo")
    if cargo is None:
        raise Unavailable("there is no Cargo on this machine")
    dmrtd.build(Path(cargo))
    return stack.enter_context(Driver([dmrtd.PROGRAM]))


# --------------------------------------------------------------------------------------------------------- measurement


def compare(host: PcscHost, card: VirtualCard, terminals: dict[str, Read], seconds: float) -> dict[str, list[Reading]]:
    """Each reads in its turn, for so long and at least a few times; the first rounds do not count."""
    reader, clocked = host.readers[0], Clocked(card)
    readings: dict[str, list[Reading]] = {name: [] for name in terminals}
    reader.insert(clocked)
    try:
        end, number = time.perf_counter() + seconds, 0
        while number < WARM_UP + LEAST or time.perf_counter() < end:
            for name, read in terminals.items():
                clocked.begin_reading()
                read(reader.name)
                if number >= WARM_UP:
                    readings[name].append(Reading(clocked.commands, clocked.seconds, clocked.own))
            number += 1
    finally:
        reader.remove()
    return readings


def table(title: str, readings: dict[str, list[Reading]]) -> None:
    """Medians of each, and whether ours is as quick and takes as few commands as the other."""
    print(f"\n{title}")
    print(f"{'who':>10} {'APDUs':>6} {'ms':>8} {'without the card':>17}  verdict")
    ours, *_ = readings.values()
    for name, group in readings.items():
        commands = max(reading.commands for reading in group)
        whole = median(reading.seconds for reading in group)
        share = median(reading.seconds - reading.own for reading in group)
        verdict = ""
        if group is not ours:
            quick = median(mine.seconds / theirs.seconds for mine, theirs in zip(ours, group, strict=True))
            few = max(reading.commands for reading in ours) <= commands
            met = "met" if quick <= 1 and few else "MISSED"
            verdict = f"ours takes {quick:.2f} of its time: {met} (at most 1.00, no more APDUs)"
        print(f"{name:>10} {commands:>6} {whole * 1000:>8.1f} {share * 1000:>17.1f}  {verdict}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=5.0, help="per comparison")
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.serve:
        serve()
        return
    specimen = make_card()
    whole = sum(len(raw) for raw in specimen.files.values())
    print(f"a card of profile {PROFILE} with {whole:,} octets in its files, PACE with the CAN; medians")
    try:
        with private_pcscd() as host:
            measure(host, specimen, given.seconds)
    except ReaderUnavailableError as failure:
        print(f"not measured: {failure}")


def measure(host: PcscHost, specimen: SpecimenCard, seconds: float) -> None:
    """All comparisons, each with fresh processes of ours."""
    can, card = specimen.can, specimen.card
    with ExitStack() as stack:
        try:
            driver = start_jmrtd(stack)
        except (Unavailable, BuildError) as reason:
            print(f"JMRTD is left out: {reason}")
        else:
            manners: dict[str, tuple[int, dict[str, str]]] = {
                "short lengths": (256, {}),
                "extended lengths": (65536, {"extended": "yes", "sfi": "yes"}),
            }
            for title, (max_response, asked) in manners.items():
                with (
                    our_terminal(can, max_response=max_response) as ours,
                    their_terminal(driver, can, asked) as theirs,
                ):
                    table(f"every file, CA, AA; {title}", compare(host, card, {"ours": ours, "JMRTD": theirs}, seconds))
    with ExitStack() as stack:
        try:
            driver = start_dmrtd(stack)
        except (Unavailable, BuildError) as reason:
            print(f"dmrtd is left out: {reason}")
        else:
            beyond = ("active authentication", "passive authentication")
            asked = {"csca": specimen.authority.csca_certificate.hex()}
            with (
                our_terminal(can, max_response=256, chip_authentication=False) as ours,
                their_terminal(driver, can, asked, beyond) as theirs,
            ):
                table("every file, no CA", compare(host, card, {"ours": ours, "dmrtd": theirs}, seconds))


if __name__ == "__main__":
    main()
