"""WAIVED.md against the code: every protocol function is held by a vector or a counterpart, or waived with a reason."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = (HERE / "WAIVED.md").read_text(encoding="utf-8")
# Vectors that are no protocol's: primitives, syntax, names. Each has its test beside what it holds.
ELSEWHERE = {
    "aes-cmac", "aes-modes", "cbor", "cose-sign1", "gp-kdf3", "mrz-names", "mrz-samples", "rfc6979-ecdsa",
    "tr03110-certificates", "wycheproof-ecdsa-brainpool", "iso18013-5-D-device-response",
    "osia-7.1", "token-status-list",
}  # fmt: skip


def rows(title: str) -> list[list[str]]:
    part = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| `")
    ]


def functions() -> set[str]:
    """Public functions of every protocol's core."""
    return {
        f"{path.parent.name}.{node.name}"
        for path in (ROOT / "eid" / "protocols").glob("*/core.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


HELD = {row[0].strip("`"): row for row in rows("Held")}
WAIVED = {row[0].strip("`"): row for row in rows("Waived")}


def test_every_function_stands_in_one_of_the_tables() -> None:
    assert functions() == HELD.keys() | WAIVED.keys()
    assert HELD.keys() & WAIVED.keys() == set()


@pytest.mark.parametrize("name", sorted(HELD))
def test_what_holds_a_function_is_there(name: str) -> None:
    _, vectors, counterparts = HELD[name]
    assert vectors or counterparts
    for vector in filter(None, vectors.split(", ")):
        assert (HERE / f"{vector}.json").exists()
    for counterpart in filter(None, counterparts.split(", ")):
        assert list((ROOT / "tests" / "interop" / counterpart).glob("test_*.py"))


@pytest.mark.parametrize("name", sorted(WAIVED))
def test_a_waiver_has_a_reason_and_what_holds_instead(name: str) -> None:
    _, reason, instead = WAIVED[name]
    assert reason
    assert instead
    for path in re.findall(r"`([a-z_]+/test_[a-z_]+\.py)`", instead):
        assert (ROOT / "tests" / path).exists()


def test_every_vector_is_used() -> None:
    named = {vector for row in HELD.values() for vector in filter(None, row[1].split(", "))}
    assert named | ELSEWHERE == {path.stem for path in HERE.glob("*.json")}
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path.parent != HERE]
    for vector in named | ELSEWHERE:
        # some tests join a name from its parts: icao9303-11-{which}, tr03110-eac-worked-example-{kind}
        parts = (vector, vector.removeprefix("icao9303-11-"), re.sub("-(ecdh|dh)$", "-{", vector))
        assert any(part in source for source in sources for part in parts), vector
