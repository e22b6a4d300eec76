"""Processor time of a PostgreSQL server, which runs in processes of its own."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import text

from eid.store.database import open_database


def find_server(url: str) -> int | None:
    """The process of the PostgreSQL server, which waits for those that serve connections; None for SQLite."""
    engine = open_database(url)
    if engine.dialect.name == "sqlite":
        return None
    with engine.connect() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        parent = int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])
    engine.dispose()
    return parent


def server_time(server: int | None) -> float:
    """Processor seconds of the server and of all that it has started, those at work among them."""
    if server is None:
        return 0.0
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if path.parent.name == str(server):
            ticks += sum(map(int, fields[11:15]))  # its own, and of those that have ended
        elif fields[1] == str(server):
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")
