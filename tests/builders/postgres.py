"""A PostgreSQL server of the test run's own: real, on a socket in a private directory, gone when the run ends."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from tests.builders.machine import missing

_ROOM: Final = 8 << 30  # octets; the databases of `make whole` take about five in all
_UNPRIVILEGED: Final = "nobody"  # the server refuses to run as root
_SETTINGS: Final = ("listen_addresses=", "max_connections=100", "log_min_messages=fatal")
# What a test loses when the machine loses power is of no interest; all else is as on any server.
_FORGETFUL: Final = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. sockets: the directory of its socket; it listens nowhere else."""

    sockets: Path
    _numbers: count[int]

    def create_database(self, template: str = "template1") -> str:
        """Make a database like the template and answer its SQLAlchemy URL."""
        name = f"eid_{next(self._numbers)}"
        with psycopg.connect(host=str(self.sockets), user="eid", dbname="postgres", autocommit=True) as connection:
            made, like = sql.Identifier(name), sql.Identifier(template)
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(made, like))
        return self.url(name)

    def url(self, name: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://eid@/{name}?host={self.sockets}"


def find_server_programs() -> Path:
    """The directory of initdb and pg_ctl, or the test is skipped (in CI: fails)."""
    found = shutil.which("pg_ctl")
    candidates = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return candidates[0] if candidates else missing("there is no PostgreSQL server on this machine")


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Run a server while the context lasts, in a directory of its own: pytest's are closed to other accounts.

    Args:
        durable: whether what it commits outlives a power cut.
    """
    programs = find_server_programs()
    with tempfile.TemporaryDirectory(prefix="eid-postgres-", dir=None if durable else _find_memory()) as home:
        yield from _serve(programs, Path(home), _SETTINGS if durable else _SETTINGS + _FORGETFUL)


def _find_memory() -> Path | None:
    """Where files stay in memory, if there is room: to unlink a run's databases from a disk may take a minute."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM else None


def _serve(programs: Path, home: Path, settings: tuple[str, ...]) -> Iterator[PostgresServer]:
    data, sockets = home / "data", home / "s"
    for folder in (data, sockets):
        folder.mkdir(mode=0o700)
    prefix = _step_down(home, data, sockets)
    _run([*prefix, programs / "initdb", "-D", data, "-U", "eid", "--auth=trust", "--encoding=UTF8", "--locale=C", "-N"])
    options = " ".join(f"-c {item}" for item in (*settings, f"unix_socket_directories={sockets}"))
    log = data / "server.log"
    _run([*prefix, programs / "pg_ctl", "-D", data, "-l", log, "-w", "-t", "60", "-o", options, "start"])
    try:
        yield PostgresServer(sockets, count(1))
    finally:
        _run([*prefix, programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"])


def _step_down(*owned: Path) -> list[str]:
    """The words that make a command run as somebody unprivileged; none where that is so already."""
    if os.geteuid() != 0:
        return []
    account = pwd.getpwnam(_UNPRIVILEGED)
    for folder in owned:
        os.chown(folder, account.pw_uid, account.pw_gid)
    setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
    return [setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
