"""Builds and starts the Java program that lets JMRTD read a card."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
from pathlib import Path

from tests.builders.machine import may_take_long
from tests.interop.terminals import BuildError, Unavailable

HERE = Path(__file__).parent
TARGET = HERE / "target"
STAMP = TARGET / "built"
PCSC_LIBRARIES = ("/usr/lib/*/libpcsclite.so.1", "/usr/lib*/libpcsclite.so.1", "/usr/local/lib/libpcsclite.so.1")


def build(maven: Path) -> None:
    """Compile the driver and fetch its libraries, unless that was done with these very sources.

    Raises:
        BuildError: the driver is wrong.
        Unavailable: its libraries cannot be had here; the text says why.
    """
    TARGET.mkdir(exist_ok=True)
    with (TARGET / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = _digest_of_sources()
        if STAMP.exists() and STAMP.read_text() == wanted:
            return
        may_take_long()
        command = [maven, "--batch-mode", "--quiet", "--strict-checksums", "process-classes"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            said = done.stdout[-2000:] + done.stderr[-2000:]
            raise BuildError(said) if "COMPILATION ERROR" in said else Unavailable(said)
        _compare_jars()
        STAMP.write_text(wanted)


def command(java: Path) -> list[str | Path]:
    """Starts the driver."""
    library = f"-Dsun.security.smartcardio.library={_pcsc_library()}"
    path = f"{TARGET / 'classes'}:{TARGET / 'lib'}/*"
    return [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", library, "-cp", path, "interop.Driver"]


def _digest_of_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted([HERE / "pom.xml", HERE / "jars.sha256", *HERE.glob("src/**/*.java")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _compare_jars() -> None:
    pinned = dict(reversed(line.split()) for line in (HERE / "jars.sha256").read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (TARGET / "lib").iterdir()}
    if found != pinned:
        raise BuildError(f"other libraries than those pinned: {sorted(found.items() ^ pinned.items())}")


def _pcsc_library() -> Path:
    for pattern in PCSC_LIBRARIES:
        for path in Path("/").glob(pattern[1:]):
            return path
    raise RuntimeError("there is no libpcsclite.so.1")
