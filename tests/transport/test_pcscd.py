from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eid.errors import LifecycleError, ReaderUnavailableError
from eid.transport import pcsc, pcscd

ROOT = Path(__file__).parents[2]
SESSION = """
from eid.transport import pcscd
from eid.transport.loopback import LoopbackConnection
from eid.transport.pcsc import open_reader
from eid.errors import TransportError

class Card:
    atr = bytes.fromhex("3B828001414202")
    def process(self, command): return b"\\xaa\\x90\\x00"
    def reset(self): return self.atr
    def power_off(self): pass

for _ in range(2):
    with pcscd.private_pcscd(2) as host:
        print(host.way)
        for reader in host.readers:
            reader.insert(Card())
            with open_reader(reader.name) as connection:
                assert connection.atr == Card.atr
                assert connection.transmit(b"\\x00\\xb0\\x00\\x00\\x01") == b"\\xaa\\x90\\x00"
        host.readers[0].remove()
        try:
            with open_reader(host.readers[0].name) as connection:
                connection.transmit(b"\\x00\\xb0\\x00\\x00\\x01")
        except TransportError as failure:
            print(type(failure).__name__)
        host.readers[0].insert(Card())
"""


def leftovers(pid: int) -> list[str]:
    """Processes of that session and files of that process: all that could stay behind."""
    processes = [line for line in _processes() if f"eid-pcscd-{pid}-" in line]
    return processes + [str(path) for path in Path("/tmp").glob(f"eid-pcscd-{pid}-*")]


def _processes() -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return lines


@pytest.mark.pcsc
def test_one_per_process(pcsc_daemon):
    with pytest.raises((LifecycleError, ReaderUnavailableError)), pcscd.private_pcscd():
        pass


@pytest.mark.pcsc
@pytest.mark.usefixtures("namespaces")
def test_comes_again_and_leaves_nothing(pcsc_daemon):
    program = subprocess.Popen(
        [sys.executable, "-c", SESSION], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    assert out.splitlines()[1::2] == ["ReaderUnavailableError"] * 2
    assert leftovers(program.pid) == []


@pytest.mark.pcsc
@pytest.mark.usefixtures("namespaces")
def test_killed_program_leaves_nothing(pcsc_daemon):
    program = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\nfrom eid.transport.pcscd import private_pcscd\n"
            "with private_pcscd(): print('up', flush=True); time.sleep(60)",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "up\n"
    assert leftovers(program.pid) != []
    program.send_signal(signal.SIGKILL)
    program.wait(60)
    program.stdout.close()
    deadline = time.monotonic() + 60
    while leftovers(program.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert leftovers(program.pid) == []


@pytest.mark.pcsc
def test_without_namespaces_vpcd_dials_out(pcsc_daemon, run_python):
    if os.geteuid() != 0 or pcscd._is_alive(pcscd.SYSTEM_SOCKET):
        pytest.skip("needs root and no PC/SC daemon on the machine")
    refused = "import eid.transport.pcscd as p\np._find_unshare = lambda: 'false'\n"
    done = run_python(refused + SESSION)
    if "runs on this machine already" in done.stderr:
        pytest.skip("somebody has started a PC/SC daemon on this machine meanwhile")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["a PC/SC daemon of its own, on loopback ports", "TransportError"] * 2


@pytest.mark.pcsc
@pytest.mark.usefixtures("namespaces")
def test_process_that_has_used_pcsc_before_is_told(pcsc_daemon, run_python):
    done = run_python(
        "import eid.transport.pcscd as p\nfrom eid.transport.pcsc import list_readers\n"
        "from eid.errors import ReaderUnavailableError\n"
        "p._START_TIMEOUT = 1.0\n"
        "try: list_readers()\nexcept ReaderUnavailableError: pass\n"
        "try:\n    with p._in_namespaces(1): pass\nexcept ReaderUnavailableError as failure: print(failure)\n",
        PCSCLITE_CSOCK_NAME="/nonexistent/pcscd.comm",
    )
    assert "has used PC/SC before" in done.stdout, done.stderr


@pytest.mark.parametrize("readers", [0, 17])
def test_number_of_readers(readers):
    with pytest.raises(ReaderUnavailableError, match=r"1\.\.16"), pcscd.private_pcscd(readers):
        pass


@pytest.fixture
def nothing_alive(monkeypatch, tmp_path):
    monkeypatch.setattr(pcscd, "SYSTEM_SOCKET", tmp_path / "pcscd.comm")
    monkeypatch.setattr(pcscd, "require_pyscard", lambda: None)
    monkeypatch.setattr(pcscd, "_home", lambda: tmp_path / "home")


def test_missing_daemon_is_named(monkeypatch, nothing_alive):
    monkeypatch.setattr("shutil.which", lambda *_args, **_named: None)
    with pytest.raises(ReaderUnavailableError, match="apt-get install pcscd"), pcscd.private_pcscd():
        pass


def test_missing_driver_is_named(monkeypatch, nothing_alive, tmp_path):
    monkeypatch.setattr(pcscd, "_find_pcscd", lambda: "/bin/true")
    monkeypatch.setattr(pcscd, "_DRIVER_FOLDERS", (str(tmp_path / "none"),))
    with pytest.raises(ReaderUnavailableError, match="apt-get install vsmartcard-vpcd"), pcscd.private_pcscd():
        pass
    assert list(tmp_path.iterdir()) == []


def test_missing_unshare_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda *_args, **_named: None)
    with pytest.raises(ReaderUnavailableError, match="apt-get install util-linux"):
        pcscd._find_unshare()


def test_missing_pyscard_is_named(run_python):
    done = run_python(
        "import sys\nsys.modules['smartcard'] = None\n"
        "from eid.transport.pcsc import list_readers\nfrom eid.errors import ReaderUnavailableError\n"
        "try: list_readers()\nexcept ReaderUnavailableError as failure: print(failure)\n"
    )
    assert "pip install 'eid-card[pcsc]'" in done.stdout, done.stderr


def info(index: int, name: str, present: bool = False) -> pcsc.ReaderInfo:
    return pcsc.ReaderInfo(index, name, present, False, b"")


def test_daemon_of_the_machine_is_used_where_its_virtual_readers_are_empty(monkeypatch, nothing_alive, tmp_path):
    readers = (info(0, "ACS ACR122U 00 00"), info(1, "Virtual PCD 00 00", True), info(2, "Virtual PCD 00 01"))
    monkeypatch.setattr(pcscd, "list_readers", lambda: readers)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
        daemon.bind(str(pcscd.SYSTEM_SOCKET))
        daemon.listen()
        with pcscd._of_the_system(1) as host:
            assert (host.way, [slot.name for slot in host.readers]) == (
                "the PC/SC daemon of this machine",
                ["Virtual PCD 00 01"],
            )
        too_few = pytest.raises(ReaderUnavailableError, match="has 1 empty virtual readers, 2 are needed")
        with too_few, pcscd._of_the_system(2):
            pass
        monkeypatch.setattr(pcscd, "_find_pcscd", lambda: "/bin/true")
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        occupied = pytest.raises(ReaderUnavailableError, match="runs on this machine already")
        with occupied, pcscd._dialled_out(1):
            pass


def test_only_root_starts_a_daemon_for_the_machine(monkeypatch, nothing_alive):
    monkeypatch.setattr(pcscd, "_find_pcscd", lambda: "/bin/true")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ReaderUnavailableError, match="only root"), pcscd._dialled_out(1):
        pass


def test_each_pair_of_readers_gets_its_own_copy_of_the_driver(tmp_path):
    driver = tmp_path / "driver.so"
    driver.write_bytes(b"driver")
    home = tmp_path / "home"
    with pcscd._directory_of(home, driver, ["/dev/null:35963", "/dev/null:35965"]):
        text = (home / "reader.conf").read_text(encoding="ascii")
        libraries = [line.split()[1] for line in text.splitlines() if line.startswith("LIBPATH")]
        assert len(set(libraries)) == 2
        assert all(Path(library).read_bytes() == b"driver" for library in libraries)
        assert [line.split()[1] for line in text.splitlines() if line.startswith("CHANNELID")] == ["0x8C7B", "0x8C7D"]
        assert home.stat().st_mode & 0o777 == 0o700
    assert not home.exists()
