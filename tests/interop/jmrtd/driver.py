"""Builds and starts the Java program that lets JMRTD read a card."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
TARGET = HERE / "target"
STAMP = TARGET / "built"
PCSC_LIBRARIES = ("/usr/lib/*/libpcsclite.so.1", "/usr/lib*/libpcsclite.so.1", "/usr/local/lib/libpcsclite.so.1")


class BuildError(Exception):
    """The driver does not compile, or its libraries are not those that are pinned."""


class Unavailable(Exception):
    """Maven could not get what the driver needs."""


@dataclass(frozen=True)
class Reading:
    """What the driver said."""

    outcomes: dict[str, str]
    hashes: dict[str, bool]
    files: dict[str, bytes]
    milliseconds: dict[str, int]

    @property
    def failed(self) -> dict[str, str]:
        return {step: outcome for step, outcome in self.outcomes.items() if outcome.startswith("failed")}


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
        command = [maven, "--batch-mode", "--quiet", "--strict-checksums", "process-classes"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            said = done.stdout[-2000:] + done.stderr[-2000:]
            raise BuildError(said) if "COMPILATION ERROR" in said else Unavailable(said)
        _compare_jars()
        STAMP.write_text(wanted)


class Driver:
    """One Java process, for many readings: starting it takes longer than a reading.

    Start it inside the PC/SC service that is to be used.
    """

    def __init__(self, java: Path) -> None:
        library = f"-Dsun.security.smartcardio.library={_pcsc_library()}"
        path = f"{TARGET / 'classes'}:{TARGET / 'lib'}/*"
        self._process = subprocess.Popen(
            [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", library, "-cp", path, "interop.Driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End of input ends the process."""
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def read(self, request: dict[str, str]) -> Reading:
        """Have JMRTD do what the request says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("".join(f"{name}={value}\n" for name, value in request.items()) + "\n")
        self._process.stdin.flush()
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        said["files"] = {name: bytes.fromhex(content) for name, content in said["files"].items()}
        return Reading(**said)


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
