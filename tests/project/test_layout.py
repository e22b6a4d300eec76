"""The shape of the project itself: packages, layers, locks, targets."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHIPPED = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PARTS = {"runtime", *PYPROJECT["project"]["optional-dependencies"], *PYPROJECT["dependency-groups"]}
PROOFS = {"demo", "test", "coverage", "sweep", "whole", "interop", "fuzz", "load", "lint", "bench"}
TARGETS = {"help", "compile", "format", "lock", "clean"} | PROOFS


def tracked_files() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return listing.stdout.splitlines()


def layers() -> set[str]:
    contract = next(c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["id"] == "layers")
    return {name.strip(" ()") for line in contract["layers"] for name in line.split("|")}


def requirement_names(lines: list[str]) -> set[str]:
    return {re.split(r"[ \[<>=;~!]", line, maxsplit=1)[0].lower() for line in lines}


def test_top_level_python_is_shipped_or_known() -> None:
    top_level = {path.split("/")[0] for path in tracked_files() if path.endswith(".py")}
    assert top_level - {*SHIPPED, "tests", "benchmarks", ".ci"} == set()


def test_every_package_of_eid_has_its_layer() -> None:
    modules = {path.stem for path in (ROOT / "eid").glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in (ROOT / "eid").glob("*/__init__.py")}
    assert {f"eid.{name}" for name in modules | packages} - layers() == set()


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for name in SHIPPED for path in (ROOT / name).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_tests_hold_no_packages() -> None:
    assert [path for path in tracked_files() if re.match(r"tests/.*__init__\.py$", path)] == []


def test_every_part_has_its_lock() -> None:
    assert {lock.stem for lock in LOCKS} == PARTS


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_pins_and_hashes_everything_and_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    requirements = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    assert requirements
    for requirement in requirements:
        assert re.match(r"[a-z0-9][a-z0-9-]*==[0-9]", requirement)
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", requirement)
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|^-", text, re.MULTILINE)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_lock_covers_what_pyproject_asks_for(part: str) -> None:
    wanted = {
        "runtime": PYPROJECT["project"]["dependencies"],
        **PYPROJECT["project"]["optional-dependencies"],
        **PYPROJECT["dependency-groups"],
    }[part]
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / f"requirements/{part}.lock").read_text(encoding="utf-8"), re.M)
    assert requirement_names(wanted) <= set(locked)


def test_locks_agree_where_they_overlap() -> None:
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_makefile_has_its_targets_and_explains_each() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE)) == TARGETS


def test_ci_calls_targets_that_exist() -> None:
    (parts,) = re.findall(r"for part in ([a-z ]+); do make ", (ROOT / ".ci/run").read_text(encoding="utf-8"))
    assert parts.split() == ["lint", "interop", "whole"]  # the tests last: theirs is the closing line
    assert set(parts.split()) <= TARGETS


@pytest.mark.parametrize("script", ["run", "setup", "lock", "npa-tool"])
def test_shell_scripts_parse(script: str) -> None:
    subprocess.run(["bash", "-n", ROOT / ".ci" / script], check=True)


def test_every_ignored_type_has_its_reason() -> None:
    """`# type: ignore[code]  # why`: the reader is not to guess what the checker could not know."""
    bare = re.compile(r"# type: ignore(?!\[[a-z-]+(, ?[a-z-]+)*\]  # \S)")
    known = {"tests/project/test_layout.py", ".ci/constructors.py"}  # which write of it
    python = [path for path in tracked_files() if path.endswith(".py") and path not in known]
    assert [path for path in python if bare.search((ROOT / path).read_text(encoding="utf-8"))] == []
