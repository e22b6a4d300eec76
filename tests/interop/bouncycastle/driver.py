"""The Java driver, and the artefacts that it is run with."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders.machine import may_take_long

HERE = Path(__file__).parent
PATIENCE = 600  # seconds


@dataclass(frozen=True)
class Java:
    """Corpus.java with its class path."""

    tool: str
    artefacts: Path

    def run(self, *arguments: object) -> str:
        may_take_long()  # it is compiled at each start, and makes RSA keys
        command = [self.tool, "-cp", f"{self.artefacts}/*", str(HERE / "Corpus.java"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout


def build_driver(artefacts: Path) -> Java:
    """The driver; Maven fetches its artefacts into the directory. Skips where nobody opted in."""
    if not os.environ.get("EID_TEST_BOUNCYCASTLE"):
        pytest.skip("opt-in: EID_TEST_BOUNCYCASTLE=1, with a JDK and Maven")
    tool, maven = shutil.which("java"), shutil.which("mvn")
    assert tool, "EID_TEST_BOUNCYCASTLE is set, and there is no java"
    assert maven, "EID_TEST_BOUNCYCASTLE is set, and there is no mvn"
    goal = ["-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={artefacts}"]
    may_take_long()
    subprocess.run([maven, *goal], check=True, capture_output=True, timeout=PATIENCE)
    return Java(tool, artefacts)
