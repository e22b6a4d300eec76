"""Passive Authentication as machine code (docs/adr/0017): what the source refuses, it refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.machine import may_take_long, missing

pytestmark = pytest.mark.xdist_group("compiled")  # one process makes the copy, the other need not wait for it
ROOT = Path(__file__).parents[3]
COPY = ROOT / "build" / "compiled"
TESTS = (
    *("tests/codec", "tests/mrz", "tests/lds/test_sod.py", "tests/crypto", "tests/pki/test_trust.py"),
    *("tests/evidence", "tests/verification", "tests/attacks"),
    *("tests/api/test_whole.py", "tests/api/test_bodies.py", "tests/api/test_verifications.py"),
)
# They put something in the place of a name in a module, which machine code does not look up again.
REPLACING = "not shortcut and not library_build_lacks"


@pytest.fixture(scope="module")
def copy() -> Path:
    """The copy, made now unless it is that of these sources."""
    if shutil.which("cc") is None:
        missing("there is no C compiler on this machine")
    may_take_long()
    done = subprocess.run([ROOT / ".ci" / "compile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return COPY


def test_the_copy_is_machine_code(copy: Path) -> None:
    ask = "import eid.codec.der, eid.codec.cms, eid.mrz.mrz as m; print(eid.codec.der.__file__, m.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    told = subprocess.run(
        [sys.executable, "-c", ask], env=environment, cwd="/", capture_output=True, text=True, check=True
    )
    places = told.stdout.split()
    assert len(places) == 2
    assert all(Path(place).suffix == ".so" and Path(place).is_relative_to(copy) for place in places)


def test_it_passes_the_tests_of_the_source(copy: Path) -> None:
    may_take_long()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={copy} {ROOT}"]
    environment = {**os.environ, "EID_EXPECT_COMPILED": str(copy)}
    done = subprocess.run(
        [*command, "-k", REPLACING, *TESTS], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
