"""Commands as processes of their own, and a watch on what they start."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

MARK = "SCENARIO_MARK"
LISTENING = "0A"  # linux/net/tcp_states.h
POLL = 0.2  # seconds


@dataclass
class Watch:
    """Watches the processes that carry a mark in their environment: at which addresses do they listen?

    Addresses are as /proc/net/tcp writes them: 0100007F is 127.0.0.1. A daemon in a network namespace of its own
    listens to nobody here, and does not stand in that table.
    """

    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    listening: set[str] = field(default_factory=set)

    def __enter__(self) -> Watch:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def environment(self, **given: str) -> dict[str, str]:
        """For the command that is watched."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("EID_", "PCSCLITE_"))}
        return {**inherited, MARK: self.mark, **given}

    def processes(self) -> list[int]:
        """Those that live."""
        wanted = f"{MARK}={self.mark}".encode()
        return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if wanted in _environment(pid)]

    def wait_until_gone(self, seconds: float = 5.0) -> list[str]:
        """What lives on after these seconds, by command line."""
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(POLL)
        return [_command_line(pid) for pid in self.processes()]

    def _look(self) -> None:
        while not self._over.wait(POLL):
            sockets = {name for pid in self.processes() for name in _sockets(pid)}
            self.listening |= {address for address, inode in _listeners() if f"socket:[{inode}]" in sockets}


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _sockets(pid: int) -> list[str]:
    try:
        return [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


def _listeners() -> list[tuple[str, str]]:
    found = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for row in table.read_text("ascii").splitlines()[1:] if table.exists() else ():
            columns = row.split()
            if columns[3] == LISTENING:
                found.append((columns[1].partition(":")[0], columns[9]))
    return found


def eid_command(*arguments: object) -> list[str]:
    """The argument vector of `eid ARGUMENTS`."""
    return [sys.executable, "-m", "reader_tools.main", *map(str, arguments)]


def run_eid(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`eid ARGUMENTS`, piped, without standard input."""
    return subprocess.run(
        eid_command(*arguments),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
