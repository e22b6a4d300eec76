"""The command line on a terminal of its own, with somebody who types answers to its prompts."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def on_a_terminal(arguments: list[str], answers: dict[bytes, str], home: Path) -> tuple[int, bytes]:
    """Run `eid` with arguments; the first time a prompt is seen its answer is typed. Exit code, and what was seen."""
    master, slave = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "EID_PASSPHRASE_FILE"}
    program = subprocess.Popen(
        [sys.executable, "-m", "reader_tools.main", *arguments],
        cwd=ROOT,
        env={**environment, "EID_HOME": str(home / "home")},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(slave)
    seen, waiting = b"", dict(answers)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(master, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not part:
            break
        seen += part
        for prompt in [item for item in waiting if item in seen]:
            time.sleep(0.2)  # let the program turn the echo off
            os.write(master, waiting.pop(prompt).encode() + b"\n")
    os.close(master)
    return program.wait(30), seen


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
