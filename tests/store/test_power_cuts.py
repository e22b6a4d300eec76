"""Power cuts and failing calls at every system call on a card's file, in personalisation and while its PIN is tried.

The file is the card before the command or after it, never anything else; and once the card has answered it is the card
after it, so that pulling the plug wins no try.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer

import pytest

from eid.card import VirtualCard
from eid.card.memory import LifeCycle
from eid.card.state import decode_state
from eid.errors import AuthenticationError, EidError, PeerProtocolError, StatusWordError, WrongPasswordError
from eid.personalization.build import build_chip
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.protocols.exchange import drive, through
from eid.protocols.pace.core import Password
from eid.protocols.pace.terminal import run_pace
from eid.protocols.pin.terminal import change_pin, open_with_pin, unblock_pin
from eid.store.card_file import open_card_file
from eid.store.stored_card import StoredCard
from eid.testing.specimen import issue_specimen
from eid.transport.loopback import LoopbackConnection
from tests.builders.disk import CALLS, Disk, after_power_cuts, attach
from tests.builders.issuance import SERIAL, Authority, issue

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PRODUCT = "eu-td1-id-card"
WITH_PIN = "eid-application"
MEMORY_FAILURE = 0x6581
ROOT = Path(__file__).parents[2]


class Marked:
    """A card in a file that marks in the disk's log where a command begins and where its answer leaves."""

    def __init__(self, inner: StoredCard, disk: Disk) -> None:
        self.inner = inner
        self.disk = disk

    @property
    def atr(self) -> bytes:
        return self.inner.atr

    def process(self, command: bytes) -> bytes:
        self.disk.mark("command", self.inner.card.state())
        answer = self.inner.process(command)
        self.disk.mark("answer", self.inner.card.state())
        return answer

    def reset(self) -> bytes:
        return self.inner.reset()

    def power_off(self) -> None:
        self.inner.power_off()


@dataclass
class Run:
    """What was done to a card in a file, over a disk that watches."""

    path: Path
    disk: Disk
    first: bytes
    last: bytes

    def stores(self) -> int:
        return sum(call.name == "replace" for call in self.disk.log)


def carry_out(folder: Path, disk: Disk, first: bytes, act: Callable[[Marked], object]) -> Run:
    """Put the state into a file, hold the card, act on it."""
    path = folder / "card.bin"
    path.write_bytes(first)
    with open_card_file(path) as file:
        marked = Marked(StoredCard(file), disk)
        act(marked)
        return Run(path, disk, first, marked.inner.card.state())


def blank_state() -> bytes:
    return VirtualCard.blank(build_chip(load_profile(PRODUCT).profile), serial=SERIAL).state()


def personalise(card: Marked) -> None:
    issue(PRODUCT, connection=LoopbackConnection(card), card=card.inner.card, authority=AUTHORITY)


AUTHORITY = Authority(load_profile(PRODUCT).profile)


@pytest.fixture(scope="module")
def with_pin() -> tuple[bytes, bytes, bytes, bytes]:
    """State, PIN, CAN, PUK of an issued card."""
    specimen = issue_specimen(WITH_PIN, NOW)
    return specimen.card.state(), specimen.pin.encode(), specimen.can.encode(), specimen.puk.encode()


def use_pin(card: Marked, pin: bytes, can: bytes, puk: bytes) -> None:
    """Wrong and right PINs; two wrong ones and the CAN; three wrong ones and the PUK; a new PIN."""
    info = card.inner.card._card.memory.pace[0]
    link = LoopbackConnection(card)
    wrong = bytes(reversed(pin)) if pin != bytes(reversed(pin)) else b"1" * len(pin)

    def enter(value: bytes) -> None:
        link.reset()
        drive(open_with_pin(info, value, can, use_last_try=True), link)

    def miss(times: int) -> None:
        for _ in range(times):
            with pytest.raises(WrongPasswordError):
                enter(wrong)

    miss(1)
    enter(pin)
    miss(2)
    enter(pin)
    miss(3)
    link.reset()
    session = drive(run_pace(info, Password(PasswordId.PUK, puk)), link).secure_messaging
    drive(through(session, unblock_pin()), link)
    link.reset()
    session = drive(open_with_pin(info, pin, can), link).secure_messaging
    drive(through(session, change_pin(wrong)), link)
    enter(wrong)


def require_old_or_new(run: Run) -> tuple[int, int]:
    """Look at every power cut; how many there are, and how many states."""
    before = after = run.first
    cuts, states = 0, set()
    answers = iter([call.data for call in run.disk.log if call.name == "answer"])
    for call, images in after_power_cuts(run.disk, run.path, run.first):
        if call.name == "command":
            before, after = call.data, next(answers)
        elif call.name == "answer":
            assert images == {call.data}, "what was answered is durable"
            before = after
        else:
            cuts += 1
        assert images <= {before, after}
        states |= images
    for state in states:
        decode_state(state)
    assert run.path.read_bytes() == run.last
    return cuts, len(states)


def test_power_cuts_during_personalisation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = carry_out(tmp_path, attach(monkeypatch, Disk()), blank_state(), personalise)
    assert VirtualCard.from_state(run.last).life_cycle is LifeCycle.OPERATIONAL
    cuts, states = require_old_or_new(run)
    assert run.stores() >= states - 1 > 20
    assert cuts >= 8 * run.stores()


def test_power_cuts_while_the_pin_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_pin: tuple[bytes, bytes, bytes, bytes]
) -> None:
    state, pin, can, puk = with_pin
    disk = attach(monkeypatch, Disk())
    run = carry_out(tmp_path, disk, state, lambda card: use_pin(card, pin, can, puk))
    cuts, _ = require_old_or_new(run)
    assert cuts >= 8 * run.stores() >= 80


@pytest.mark.parametrize("left_out", ["fsync of the file", "fsync of the folder"])
def test_the_disk_notices_a_missing_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    disk = attach(monkeypatch, Disk())
    run = carry_out(tmp_path, disk, blank_state(), personalise)
    of_folder = left_out.endswith("folder")
    disk.log = [
        call for call in disk.log if call.name != "fsync" or (call.path == str(run.path.parent)) is not of_folder
    ]
    with pytest.raises(AssertionError):
        require_old_or_new(run)


# --- calls that fail


def points(run: Run) -> Iterator[int]:
    """Every call of one change, and of each other change another one."""
    calls = [call for call in run.disk.log if call.name in CALLS]
    ends = [
        number for number, call in enumerate(calls, 1) if call.name == "close" and call.path == str(run.path.parent)
    ]
    begins = [1, *(end + 1 for end in ends[:-1])]
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        if number == len(ends) // 2:
            yield from range(begin, end + 1)
        else:
            yield begin + number % (end - begin + 1)


def break_off(
    folder: Path, monkeypatch: pytest.MonkeyPatch, first: bytes, act: Callable[[Marked], None], at: int
) -> None:
    """One call fails: the command is answered 6581, the file is the old card or the new, and the card goes on."""
    disk = attach(monkeypatch, Disk(fail_at=at))
    failures: list[EidError] = []

    def try_it(card: Marked) -> None:
        try:
            act(card)
        except (StatusWordError, AuthenticationError, PeerProtocolError) as failure:
            failures.append(failure)
        assert card.process(bytes.fromhex("00A4000C023F00"))[-2:] in (b"\x90\x00", b"\x69\x82", b"\x6a\x82")

    run = carry_out(folder, disk, first, try_it)
    assert len(failures) == 1
    assert f"{MEMORY_FAILURE:04X}" in str(failures[0])
    states = {call.data for call in disk.log if call.name in ("command", "answer")}
    held = run.path.read_bytes()
    decode_state(held)
    latest = next((call.path for call in reversed(disk.log) if call.name == "replace"), "")
    written = b"".join(call.data for call in disk.log if call.name == "write" and call.path == latest)
    assert held in states or held == written
    assert sorted(item.name for item in folder.iterdir()) == [".card.bin.lock", "card.bin"]


def test_a_failing_call_during_personalisation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = blank_state()
    (tmp_path / "whole").mkdir()
    run = carry_out(tmp_path / "whole", attach(monkeypatch, Disk()), first, personalise)
    tried = list(points(run))
    assert len(tried) > 30
    for at in tried:
        folder = tmp_path / str(at)
        folder.mkdir()
        break_off(folder, monkeypatch, first, personalise, at)


def test_a_failing_call_while_the_pin_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_pin: tuple[bytes, bytes, bytes, bytes]
) -> None:
    first, pin, can, _ = with_pin

    def act(card: Marked) -> None:
        info = card.inner.card._card.memory.pace[0]
        link = LoopbackConnection(card)
        drive(open_with_pin(info, pin, can), link)

    (tmp_path / "whole").mkdir()
    run = carry_out(tmp_path / "whole", attach(monkeypatch, Disk()), first, act)
    calls = sum(call.name in CALLS for call in run.disk.log)
    assert calls >= 16, "a try is taken before the token is looked at, and given back"
    for at in range(1, calls + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        break_off(folder, monkeypatch, first, act, at)
        left = decode_state((folder / "card.bin").read_bytes()).passwords[PasswordId.PIN].left
        assert left in (2, 3)


# --- kill -9

SERVER = """
import sys
from pathlib import Path
from eid.store.card_file import open_card_file
from eid.store.stored_card import StoredCard
with open_card_file(Path(sys.argv[1])) as file:
    card = StoredCard(file)
    print("ready", flush=True)
    for line in sys.stdin:
        print(card.process(bytes.fromhex(line)).hex(), flush=True)
"""
INITIALIZE_UPDATE = "8050000008010203040506070800"
KILLS = int(os.environ.get("EID_TEST_KILLS", "3"))


def converse(server: subprocess.Popen[str], select: str) -> Iterator[int]:
    """The counter of every INITIALIZE UPDATE that is answered before the end."""
    assert server.stdin is not None
    assert server.stdout is not None
    while True:
        server.stdin.write(f"{select}\n{INITIALIZE_UPDATE}\n")
        server.stdin.flush()
        first, second = server.stdout.readline(), server.stdout.readline()
        if not second.endswith("9000\n"):
            return
        assert first.endswith("9000\n")
        yield int(second[58:64], 16)


def test_a_card_that_is_killed_in_mid_command_has_counted_what_it_answered(tmp_path: Path) -> None:
    """SCP03's sequence counter moves with every INITIALIZE UPDATE: never back, and at most by the one under way."""
    path = tmp_path / "card.bin"
    path.write_bytes(blank_state())
    domain = build_chip(load_profile(PRODUCT).profile).security_domain.aid
    select = (bytes.fromhex("00A4040C") + bytes((len(domain),)) + domain).hex()
    command = [sys.executable, "-c", SERVER, str(path)]
    counter = 0
    for number in range(KILLS):
        answered = counter
        server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with contextlib.suppress(BrokenPipeError), server:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            Timer(0.05 + 0.013 * (number % 7), server.kill).start()
            for told in converse(server, select):
                answered = told
        counter = decode_state(path.read_bytes()).domain.sequence
        assert answered <= counter <= answered + 1
    assert counter > KILLS
