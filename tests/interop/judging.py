"""What every corpus is put through: `eid trust import` and `eid verify`, with what they answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reader_tools.main import run
from tests.interop.specimen_files import DATA_GROUPS


@dataclass(frozen=True)
class Answer:
    """What `eid verify --json` said."""

    exit_code: int
    report: dict[str, Any]

    @property
    def verdict(self) -> str:
        return str(self.report["verdict"])

    @property
    def failed(self) -> dict[str, str]:
        return {item["id"]: item["reason"] for item in self.report["checks"] if item["outcome"] == "FAILED"}

    def check(self, check_id: str) -> dict[str, str]:
        return next(item for item in self.report["checks"] if item["id"] == check_id)


@dataclass(frozen=True)
class Judge:
    """The command line in this process: an exception that is not told as an error fails the test by itself."""

    directory: Path
    capsys: pytest.CaptureFixture[str]

    def trust(self, name: str, files: Iterable[bytes]) -> Path:
        store = self.directory / name
        paths = []
        for number, raw in enumerate(files):
            paths.append(self.directory / f"{name}-{number}.trust")
            paths[-1].write_bytes(raw)
        self.capsys.readouterr()  # what others have printed
        code = run(["trust", "import", "--store", str(store), *map(str, paths), "--json"])
        told = json.loads(self.capsys.readouterr().out)
        assert code == 0
        assert told["imported"] == told["usable"] == len(paths), told
        return store

    def verify(self, sod: bytes, trust: Path, *options: str, data_groups: Mapping[int, bytes] = DATA_GROUPS) -> Answer:
        (self.directory / "sod.bin").write_bytes(sod)
        arguments = ["verify", "--sod", str(self.directory / "sod.bin"), "--trust", str(trust), "--json", *options]
        for number, raw in data_groups.items():
            path = self.directory / f"dg{number}.bin"
            path.write_bytes(raw)
            arguments += ["--dg", f"{number}={path}"]
        return self._answer(arguments)

    def evidence(self, path: Path, trust: Path, *options: str) -> Answer:
        return self._answer(["verify", str(path), "--trust", str(trust), "--json", *options])

    def _answer(self, arguments: list[str]) -> Answer:
        code = run(arguments)
        out, err = self.capsys.readouterr()
        assert code in (0, 1, 2), (code, err)
        return Answer(code, json.loads(out))


def flipped(raw: bytes, place: int) -> bytes:
    """The same with the lowest bit of one octet turned."""
    place %= len(raw)
    return raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]
