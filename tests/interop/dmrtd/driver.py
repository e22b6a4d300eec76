"""Builds the Rust program that lets dmrtd read a card."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.builders.machine import may_take_long
from tests.interop.terminals import BuildError, Unavailable

HERE = Path(__file__).parent
PROGRAM = HERE / "target/debug/dmrtd-driver"


def build(cargo: Path) -> None:
    """Compile the driver, with the libraries that Cargo.lock pins.

    Raises:
        BuildError: the driver is wrong.
        Unavailable: its libraries, or a compiler that is new enough, cannot be had here; the text says why.
    """
    may_take_long()
    command = [cargo, "build", "--locked", "--quiet", "--color", "never"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        said = done.stderr[-2000:]
        raise BuildError(said) if "could not compile `dmrtd-driver`" in said else Unavailable(said)
