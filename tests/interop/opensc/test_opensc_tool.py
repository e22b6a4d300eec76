"""opensc-tool and pcsc_scan, programs of others, see an issued card in a virtual reader, over real PC/SC.

Once the card is an object of this process, and once it is `eid card run FILE` in a process of its own.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from eid.card import VirtualCard
from eid.lds.files import LDS1_AID
from eid.profile.card_image import KeyPurpose
from eid.store.card_file import load_card_file, open_card_file
from eid.transport.pcsc import wait_for_card
from eid.transport.pcscd import PcscHost
from eid.transport.virtual_reader import ListeningReader, VirtualReader
from tests.builders.issuance import CAN, Issued, issue
from tests.interop.cards import CountedCard, twin, with_altered_dg1, with_foreign_key
from tests.interop.conftest import APDUS, Control
from tests.interop.judging import Judge

ROOT = Path(__file__).parents[3]
SELECT_EMRTD = "00A4040C07" + LDS1_AID.hex()
SELECT_UNKNOWN = "00A4040007F0000000000001"
READ_DG1_WITHOUT_PACE = "00B0810004"
READ_EF_CARD_ACCESS = "00B09C0004"
CHALLENGE = "0123456789ABCDEF"
FORGED: dict[str, Callable[[Issued], VirtualCard]] = {
    "DG1": with_altered_dg1,
    "AA": lambda issued: with_foreign_key(issued, KeyPurpose.ACTIVE_AUTHENTICATION),
    "nothing": twin,
}

WHO = "opensc-tool, pcsc_scan, scriptor"
OPENSC = (WHO, "ma-cnie by opensc-tool")

Tool = Callable[..., str]


@pytest.fixture(scope="module")
def issued() -> Issued:
    return issue("ma-cnie")


@pytest.fixture
def counted(issued: Issued) -> CountedCard:
    return CountedCard(issued.card)


@pytest.fixture
def opensc_tool(
    require_tool: Callable[[str], Path],
    pcsc_daemon: PcscHost,
    counted: CountedCard,
    record_property: Callable[[str, object], None],
) -> Tool:
    program = require_tool("opensc-tool")

    def run(*arguments: str) -> str:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        if counted.commands:  # none where the card lies in a process of its own
            record_property(APDUS, counted.commands)
        return done.stdout

    return run


@pytest.fixture
def reader(pcsc_daemon: PcscHost, counted: CountedCard) -> Iterator[VirtualReader]:
    """A reader with the issued card in it."""
    slot = pcsc_daemon.readers[0]
    slot.insert(counted)
    yield slot
    slot.remove()


@pytest.fixture
def own_process(pcsc_daemon: PcscHost, issued: Issued, tmp_path: Path) -> Iterator[VirtualReader]:
    """A reader with the card of `eid card run` in it."""
    path = tmp_path / "card.bin"
    with open_card_file(path) as file:
        file.store(issued.card.state())
    slot = pcsc_daemon.readers[1]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-u", "-m", "reader_tools.main", "card", "run", str(path), "--vpcd", address]
        program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            card_end, _ = listener.accept()
            assert program.stdout is not None
            assert "in the reader" in program.stdout.readline()
            with closing(card_end), ExitStack() as stack:
                insert(slot, card_end, stack)
                yield slot
                slot.remove()
                card_end.shutdown(socket.SHUT_RDWR)
                assert program.wait(20) == 0
        finally:
            program.kill()
            program.communicate()
    wait_for_card(slot.name, present=False)


def insert(slot: VirtualReader, card_end: socket.socket, stack: ExitStack) -> None:
    """Join a card's process to a slot: octet by octet where vpcd listens, else frame by frame."""
    if not isinstance(slot, ListeningReader):
        slot.insert(RemoteCard(card_end))
        return
    vpcd_end = stack.enter_context(slot._connect())  # the port lies in the daemon's own network namespace
    vpcd_end.settimeout(None)
    for source, sink in ((vpcd_end, card_end), (card_end, vpcd_end)):
        threading.Thread(target=pump, args=(source, sink), daemon=True).start()
    assert wait_for_card(slot.name, timeout=10)


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class RemoteCard:
    """A card object whose answers come from the process at the other end of a socket, which speaks as to vpcd."""

    def __init__(self, connected: socket.socket) -> None:
        self._file = connected.makefile("rwb", buffering=0)

    @property
    def atr(self) -> bytes:
        return self.process(b"\x04")

    def process(self, frame: bytes, /) -> bytes:
        self._send(frame)
        return self._read(int.from_bytes(self._read(2), "big"))

    def reset(self) -> bytes:
        self._send(b"\x02")
        return self.atr

    def power_off(self) -> None:
        self._send(b"\x00")

    def _send(self, frame: bytes) -> None:
        self._file.write(len(frame).to_bytes(2, "big") + frame)

    def _read(self, size: int) -> bytes:
        octets = b""
        while len(octets) < size and (part := self._file.read(size - len(octets))):
            octets += part
        return octets


def at(slot: VirtualReader) -> tuple[str, str]:
    return "--reader", slot.name


def status_words(text: str) -> list[str]:
    return [first + second for first, second in re.findall(r"SW1=0x([0-9A-F]{2}), SW2=0x([0-9A-F]{2})", text)]


def octets_of(text: str) -> bytes:
    return bytes.fromhex(re.sub(r"[^0-9A-Fa-f]", "", text))


@pytest.mark.proves(*OPENSC, "reader with the card, ATR")
def test_list_readers_shows_the_card(opensc_tool: Tool, reader: VirtualReader) -> None:
    lines = [line for line in opensc_tool("-l").splitlines() if reader.name in line]
    assert len(lines) == 1
    assert lines[0].split()[1] == "Yes"


@pytest.mark.proves(*OPENSC, "reader with the card, ATR")
def test_atr(opensc_tool: Tool, reader: VirtualReader, issued: Issued) -> None:
    assert octets_of(opensc_tool(*at(reader), "--atr")) == issued.card.atr


@pytest.mark.proves(*OPENSC, "SELECT of the application")
def test_select_the_emrtd_application(opensc_tool: Tool, reader: VirtualReader) -> None:
    assert status_words(opensc_tool(*at(reader), "-s", SELECT_EMRTD)) == ["9000"]


@pytest.mark.proves(*OPENSC, "SELECT of an unknown application", Control.REFUSED)
def test_unknown_application_is_refused(opensc_tool: Tool, reader: VirtualReader) -> None:
    assert status_words(opensc_tool(*at(reader), "-s", SELECT_UNKNOWN)) == ["6A82"]


@pytest.mark.proves(*OPENSC, "EF.CardAccess open, DG1 closed", Control.WORKS, Control.REFUSED)
def test_reading_needs_pace_except_ef_card_access(opensc_tool: Tool, reader: VirtualReader) -> None:
    said = opensc_tool(*at(reader), "-s", "00A4000C023F00", "-s", READ_EF_CARD_ACCESS)
    assert status_words(said) == ["9000", "9000"]
    assert "31 14 30 12" in said  # a SET of SecurityInfo
    said = opensc_tool(*at(reader), "-s", SELECT_EMRTD, "-s", READ_DG1_WITHOUT_PACE)
    assert status_words(said) == ["9000", "6982"]


@pytest.mark.proves(*OPENSC, "channels, unknown commands, writing: refused", Control.REFUSED)
@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("01A4040C07" + LDS1_AID.hex(), "6881"),  # logical channel 1
        ("0070000001", "6881"),  # MANAGE CHANNEL
        ("0001000000", "6D00"),
        ("80E60C0000", "6D00"),  # INSTALL
        ("00D6810001FF", "6982"),  # nobody writes to an issued card, nor learns from a closed one which files it has
    ],
)
def test_wrong_commands_are_refused(opensc_tool: Tool, reader: VirtualReader, command: str, sw: str) -> None:
    assert status_words(opensc_tool(*at(reader), "-s", SELECT_EMRTD, "-s", command)) == ["9000", sw]


@pytest.mark.proves(*OPENSC, "a card of `eid card run`: ATR, SELECT, refusals", Control.WORKS, Control.REFUSED)
def test_card_in_a_process_of_its_own(opensc_tool: Tool, own_process: VirtualReader, issued: Issued) -> None:
    """`eid card run FILE` behind pcscd, as a person would run it."""
    (line,) = [line for line in opensc_tool("-l").splitlines() if own_process.name in line]
    assert line.split()[1] == "Yes"
    assert octets_of(opensc_tool(*at(own_process), "--atr")) == issued.card.atr
    said = opensc_tool(*at(own_process), "-s", SELECT_EMRTD, "-s", SELECT_UNKNOWN, "-s", READ_DG1_WITHOUT_PACE)
    assert status_words(said)[:2] == ["9000", "6A82"]
    assert status_words(said)[2].startswith("69")


@pytest.mark.proves(*OPENSC, "`eid read` beside it: right and wrong CAN, no card", Control.WORKS, Control.REFUSED)
def test_our_own_terminal_reads_it_over_pcsc(
    own_process: VirtualReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`eid readers` and `eid read`, as processes' command lines, against the card of another process."""
    from reader_tools.main import run

    monkeypatch.setenv("EID_HOME", str(tmp_path / "home"))
    (tmp_path / "can").write_text("123456")
    assert run(["readers"]) == 0
    assert own_process.name in capsys.readouterr().out
    out = tmp_path / "evidence"
    given = ["--reader", own_process.name, "--can-file", str(tmp_path / "can"), "--unsigned", "--out", str(out)]
    assert run(["read", *given]) == 0
    assert out.stat().st_size > 5000
    (tmp_path / "can").write_text("654321")
    assert run(["read", *given]) == 77
    assert run(["read", "--reader", "no such reader"]) == 69
    capsys.readouterr()


@pytest.mark.proves(*OPENSC, "`eid read` beside it: right and wrong CAN, no card", Control.WORKS, Control.REFUSED)
def test_empty_reader_is_unavailable(pcsc_daemon: PcscHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from reader_tools.main import run

    slot = pcsc_daemon.readers[3]
    if not isinstance(slot, ListeningReader):
        pytest.skip("a reader that dialled out is never empty")
    (tmp_path / "can").write_text("123456")
    assert run(["read", "--reader", slot.name, "--can-file", str(tmp_path / "can")]) == 69
    assert "there is no card in the reader" in capsys.readouterr().err


@pytest.mark.proves(
    WHO, "ma-cnie, one octet of DG1 altered, a foreign AA key", "noticed by `eid verify`", Control.NOTICED
)
@pytest.mark.parametrize(
    ("what", "noticed_by"), [("DG1", {"sod.dg_hashes.dg1"}), ("AA", {"chip.aa"}), ("nothing", set())]
)
def test_a_tampered_card_is_noticed_by_whose_job_it_is(
    opensc_tool: Tool,
    pcsc_daemon: PcscHost,
    issued: Issued,
    judge: Judge,
    record_property: Callable[[str, object], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    noticed_by: set[str],
) -> None:
    """opensc-tool sees an issued card; `eid read` reads it in the same reader, and `eid verify` refuses it."""
    from reader_tools.main import run

    monkeypatch.setenv("EID_HOME", str(tmp_path / "home"))
    card, slot = CountedCard(FORGED[what](issued)), pcsc_daemon.readers[0]
    (tmp_path / "can").write_text(CAN)
    slot.insert(card)
    try:
        assert octets_of(opensc_tool(*at(slot), "--atr")) == issued.card.atr
        assert status_words(opensc_tool(*at(slot), "-s", SELECT_EMRTD, "-s", READ_DG1_WITHOUT_PACE)) == ["9000", "6982"]
        given = ["--can-file", str(tmp_path / "can"), "--challenge", CHALLENGE, "--unsigned"]
        assert run(["read", "--reader", slot.name, *given, "--out", str(tmp_path / "evidence")]) == 0
    finally:
        slot.remove()
    record_property(APDUS, card.commands)
    trust = judge.trust("trust", (issued.authority.csca_certificate, issued.authority.crl))
    answer = judge.evidence(tmp_path / "evidence", trust, "--challenge", CHALLENGE)
    assert (answer.verdict == "TOTAL_FAILED") == bool(noticed_by), answer
    assert noticed_by <= set(answer.failed)
    if what != "DG1":  # another name, state or date in it belies others, too
        assert noticed_by == set(answer.failed)


@pytest.mark.proves(*OPENSC, "the card file is as it was")
def test_the_file_is_as_it_was(own_process: VirtualReader, opensc_tool: Tool, issued: Issued, tmp_path: Path) -> None:
    """Reading changes nothing on an issued card whose CAN does not block."""
    opensc_tool(*at(own_process), "-s", SELECT_EMRTD)
    assert load_card_file(tmp_path / "card.bin") == issued.card.state()


@pytest.mark.proves(WHO, "ma-cnie by pcsc_scan", "ATR, presence")
def test_pcsc_scan_decodes_the_atr(require_tool: Callable[[str], Path], reader: VirtualReader, issued: Issued) -> None:
    program = require_tool("pcsc_scan")
    command = ["timeout", "20", str(program), "-n", "-t", "1"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said)
    assert issued.card.atr.hex(" ").upper() in plain
    assert "Card inserted" in plain
