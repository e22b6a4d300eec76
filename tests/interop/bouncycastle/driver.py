"""The Java program that lets BouncyCastle issue documents and judge them, compiled once with what it needs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders.machine import may_take_long

HERE = Path(__file__).parent
SOURCES = (HERE / "Corpus.java", HERE / "pom.xml")
TARGET = HERE / "target"
STAMP = TARGET / "built"
PATIENCE = 600  # seconds


@dataclass(frozen=True)
class Java:
    """Corpus.java, compiled."""

    tool: str

    def run(self, *arguments: object) -> str:
        may_take_long()  # it makes RSA keys
        # Whoever only judges is done before the second compiler has paid for itself.
        options = ["-XX:+UseSerialGC", *(() if arguments[0] == "issue" else ("-XX:TieredStopAtLevel=1",))]
        path = f"{TARGET / 'classes'}:{TARGET / 'lib'}/*"
        command = [self.tool, *options, "-cp", path, "Corpus", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout


def build_driver() -> Java:
    """The driver, built unless it is that of these very sources; Maven fetches. Skips where nobody opted in."""
    if not os.environ.get("EID_TEST_BOUNCYCASTLE"):
        pytest.skip("opt-in: EID_TEST_BOUNCYCASTLE=1, with a JDK and Maven")
    java, javac, maven = (_require(name) for name in ("java", "javac", "mvn"))
    TARGET.mkdir(exist_ok=True)
    with (TARGET / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()
        if not STAMP.exists() or STAMP.read_text() != wanted:
            _build(javac, maven)
            STAMP.write_text(wanted)
    return Java(java)


def _require(name: str) -> str:
    tool = shutil.which(name)
    assert tool, f"EID_TEST_BOUNCYCASTLE is set, and there is no {name}"
    return tool


def _build(javac: str, maven: str) -> None:
    may_take_long()
    lib, classes = TARGET / "lib", TARGET / "classes"
    goal = ["-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={lib}"]
    for command in ([maven, *goal], [javac, "-cp", f"{lib}/*", "-d", str(classes), str(HERE / "Corpus.java")]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
