"""A PC/SC daemon of our own with virtual readers, for demonstrations and tests; nothing of it stays behind.

Three ways, the best that the machine permits is taken:

1. Private namespaces (root, or a user who may make user namespaces): a daemon with its own /run and its own loopback.
   The system's daemon, its readers and other users are not touched, and vpcd, which has no access control, listens to
   nobody.
2. Where namespaces are refused (containers), as root and with no daemon on the machine: a daemon whose vpcd dials out
   to two loopback ports of ours and listens nowhere.
3. The daemon that runs on the machine, if it has vpcd readers that are empty.

libpcsclite reads PCSCLITE_CSOCK_NAME once per process: whoever has used PC/SC before cannot reach a private daemon, and
whoever has used a private daemon reaches no other one. A program that needs both starts a second process.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from eid.errors import LifecycleError, ReaderUnavailableError
from eid.transport import pcscd_agent
from eid.transport.pcsc import list_readers, require_pyscard
from eid.transport.virtual_reader import DialledReader, ListeningReader, VirtualReader
from eid.transport.vpcd import DEFAULT_HOST, DEFAULT_PORT, connect_to_vpcd

SYSTEM_SOCKET: Final = Path("/run/pcscd/pcscd.comm")
MAX_READERS: Final = 16  # PCSCLITE_MAX_READERS_CONTEXTS
SLOTS_PER_DRIVER: Final = 2  # VICC_MAX_SLOTS of vpcd
_SOCKET_VARIABLE: Final = "PCSCLITE_CSOCK_NAME"
_FRIENDLY_NAME: Final = "Virtual card reader"
_START_TIMEOUT: Final = 10.0  # seconds
_POLL: Final = 0.01  # seconds
_DRIVER_FOLDERS: Final = ("/usr/lib/pcsc", "/usr/lib64/pcsc", "/usr/local/lib/pcsc")
_SYSTEM_READER: Final = re.compile(r"Virtual PCD (\d\d) (\d\d)")


@dataclass(frozen=True, slots=True)
class PcscHost:
    """A PC/SC service with virtual readers. way: how it was come by, in words, for the user."""

    way: str
    readers: tuple[VirtualReader, ...]


@contextmanager
def private_pcscd(readers: int = 1) -> Iterator[PcscHost]:
    """Run a PC/SC service with this many virtual readers, 1..16; stop what was started when the context ends.

    Raises:
        ReaderUnavailableError: it cannot be had here; the text says what is missing and how to get it.
        LifecycleError: this process already runs one.
    """
    if not 1 <= readers <= MAX_READERS:
        raise ReaderUnavailableError(f"pcscd serves 1..{MAX_READERS} readers, not {readers}")
    require_pyscard()
    problems: list[str] = []
    for way in (_in_namespaces, _dialled_out, _of_the_system):
        with ExitStack() as stack:
            try:
                host = stack.enter_context(way(readers))
            except ReaderUnavailableError as failure:
                problems.append(str(failure))
                continue
            yield host
            return
    raise ReaderUnavailableError("; ".join(dict.fromkeys(problems)))


@contextmanager
def _in_namespaces(readers: int) -> Iterator[PcscHost]:
    pcscd = _find_pcscd()
    home = _home()
    ports = [DEFAULT_PORT + slot for slot in range(_slots(readers))]
    devices = [f"/dev/null:{port}" for port in ports[::SLOTS_PER_DRIVER]]
    with (
        _directory_of(home, _find_driver(), devices),
        _Agent(pcscd, home) as agent,
        _client_socket(home / "run/pcscd/pcscd.comm"),
    ):
        names = _await_readers(len(ports))
        slots = [ListeningReader(name, partial(agent.connect, port)) for name, port in zip(names, ports, strict=True)]
        yield PcscHost("a private PC/SC daemon in namespaces of its own", tuple(slots[:readers]))
        # the daemon stops first: its sockets close, and each card's thread ends by itself


class _Agent:
    """The program inside the namespaces (`pcscd_agent`), and requests to it."""

    def __init__(self, pcscd: str, home: Path) -> None:
        self._lock = threading.Lock()
        self._control, inner = socket.socketpair()
        self._control.settimeout(_START_TIMEOUT)
        rootless = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        program = [sys.executable, "-I", "-S", pcscd_agent.__file__, pcscd, str(home), str(inner.fileno())]
        with inner:
            self._process = self._start([_find_unshare(), *rootless, "--mount", "--net", *program], inner.fileno())

    def __enter__(self) -> _Agent:
        report = self._control.recv(1024)
        if report != b"+":
            reason = report[1:].decode("ascii", "replace") or self._last_words()
            self.__exit__()
            raise ReaderUnavailableError(f"no private namespaces for a PC/SC daemon: {reason}")
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        try:
            self._process.wait(_START_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def connect(self, port: int) -> socket.socket:
        """A socket connected to a port inside the namespaces.

        Raises:
            ReaderUnavailableError: the daemon has stopped.
        """
        with self._lock:
            try:
                self._control.sendall(port.to_bytes(2, "big"))
                answer, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
            except OSError:
                answer, descriptors = b"", []
        if answer != b"+" or not descriptors:
            raise ReaderUnavailableError("the private PC/SC daemon has stopped")
        return socket.socket(fileno=descriptors[0])

    def _start(self, command: list[str], descriptor: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C on the terminal is for the caller, who then stops the agent in order
        )

    def _last_words(self) -> str:
        _, stderr = self._process.communicate(timeout=_START_TIMEOUT)
        return stderr.decode("utf-8", "replace").strip() or "the agent ended without a word"


@contextmanager
def _dialled_out(readers: int) -> Iterator[PcscHost]:
    pcscd = _find_pcscd()
    if os.geteuid() != 0:
        raise ReaderUnavailableError("only root can start a PC/SC daemon outside of namespaces")
    if _is_alive(SYSTEM_SOCKET):
        raise ReaderUnavailableError("a PC/SC daemon runs on this machine already")
    with ExitStack() as stack:
        pairs = [_listen_on_pair(stack) for _ in range(_slots(readers) // SLOTS_PER_DRIVER)]
        devices = [f"{DEFAULT_HOST}:{first.getsockname()[1]}" for first, _ in pairs]
        home = _home()
        stack.enter_context(_directory_of(home, _find_driver(), devices))
        stack.enter_context(_run_folder(SYSTEM_SOCKET.parent))
        listeners = [listener for pair in pairs for listener in pair]
        slots = [DialledReader("", listener) for listener in listeners]
        daemon = pcscd_agent.start_daemon(pcscd, str(home))
        stack.callback(pcscd_agent.stop_daemon, daemon)
        stack.enter_context(_client_socket(SYSTEM_SOCKET))
        for slot, name in zip(slots, _await_readers(len(slots)), strict=True):
            slot.name = name
        yield PcscHost("a PC/SC daemon of its own, on loopback ports", tuple(slots[:readers]))


@contextmanager
def _of_the_system(readers: int) -> Iterator[PcscHost]:
    if not _is_alive(SYSTEM_SOCKET):
        raise ReaderUnavailableError("no PC/SC daemon runs on this machine")
    slots: list[VirtualReader] = []
    for info in list_readers():
        match = _SYSTEM_READER.fullmatch(info.name)
        if match and not info.card_present:
            port = DEFAULT_PORT + int(match[2], 16)
            slots.append(ListeningReader(info.name, partial(connect_to_vpcd, DEFAULT_HOST, port)))
    if len(slots) < readers:
        raise ReaderUnavailableError(
            f"the PC/SC daemon of this machine has {len(slots)} empty virtual readers, {readers} are needed"
            " (Debian: apt-get install vsmartcard-vpcd, then restart pcscd)"
        )
    try:
        yield PcscHost("the PC/SC daemon of this machine", tuple(slots[:readers]))
    finally:
        for slot in slots[:readers]:
            slot.remove()


@cache
def _home() -> Path:
    """The same path for the whole process, because libpcsclite keeps the first socket path that it was told."""
    return Path(tempfile.gettempdir()) / f"eid-pcscd-{os.getpid()}-{secrets.token_hex(6)}"


@contextmanager
def _directory_of(home: Path, driver: Path, devices: list[str]) -> Iterator[None]:
    """Lay out the daemon's directory: reader.conf, one driver copy per entry, an empty drivers folder, its /run."""
    try:
        home.mkdir(mode=0o700)
    except FileExistsError as failure:
        raise LifecycleError("this process already runs a private PC/SC daemon") from failure
    try:
        (home / "run").mkdir()
        (home / "drivers").mkdir()
        entries = [_reader_entry(home, driver, number, device) for number, device in enumerate(devices)]
        (home / "reader.conf").write_text("\n".join(entries), encoding="ascii")
        yield
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _reader_entry(home: Path, driver: Path, number: int, device: str) -> str:
    # Entries that share one library share its static table of slots, and one reader then talks to another one's card.
    copy = home / f"libifdvpcd-{number}.so"
    shutil.copyfile(driver, copy)
    lines = (
        f'FRIENDLYNAME "{_FRIENDLY_NAME} {chr(ord("A") + number)}"',
        f"DEVICENAME {device}",
        f"LIBPATH {copy}",
        f"CHANNELID 0x{int(device.rpartition(':')[2]):X}",
    )
    return "\n".join(lines) + "\n"


def _await_readers(count: int) -> list[str]:
    """Names of the daemon's slots, in the order of their ports, as soon as it serves them all."""
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        try:
            names = [info.name for info in list_readers() if info.name.startswith(_FRIENDLY_NAME)]
        except ReaderUnavailableError:
            names = []
        if len(names) == count:
            return sorted(names)  # by letter of the entry, then number of the slot
        time.sleep(_POLL)
    raise ReaderUnavailableError(
        "the private PC/SC daemon cannot be reached: this process has used PC/SC before, or the daemon did not start"
    )


@contextmanager
def _client_socket(path: Path) -> Iterator[None]:
    """Point libpcsclite, here and in child processes, to a daemon's socket."""
    before = os.environ.get(_SOCKET_VARIABLE)
    os.environ[_SOCKET_VARIABLE] = str(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SOCKET_VARIABLE]
        else:
            os.environ[_SOCKET_VARIABLE] = before


@contextmanager
def _run_folder(folder: Path) -> Iterator[None]:
    existed = folder.exists()
    try:
        yield
    finally:
        if not existed:
            shutil.rmtree(folder, ignore_errors=True)


def _listen_on_pair(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Two neighbouring loopback ports, as one driver entry dials both."""
    for _ in range(50):
        first = socket.create_server((DEFAULT_HOST, 0), backlog=1)
        try:
            second = socket.create_server((DEFAULT_HOST, first.getsockname()[1] + 1), backlog=1)
        except (OSError, OverflowError):
            first.close()
            continue
        return stack.enter_context(first), stack.enter_context(second)
    raise ReaderUnavailableError("no two neighbouring loopback ports are free")


def _slots(readers: int) -> int:
    return -(-readers // SLOTS_PER_DRIVER) * SLOTS_PER_DRIVER


def _is_alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def _find_pcscd() -> str:
    found = shutil.which("pcscd", path=os.defpath + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ReaderUnavailableError("there is no pcscd (Debian: apt-get install pcscd)")
    return found


def _find_unshare() -> str:
    found = shutil.which("unshare")
    if found is None:
        raise ReaderUnavailableError("there is no unshare (Debian: apt-get install util-linux)")
    return found


def _find_driver() -> Path:
    for folder in _DRIVER_FOLDERS:
        for found in sorted(Path(folder).rglob("libifdvpcd.so*")):
            return found.resolve()
    raise ReaderUnavailableError("there is no vpcd driver (Debian: apt-get install vsmartcard-vpcd)")
