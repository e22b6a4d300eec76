"""`eid registry serve` and `eid dev-issuer`, as processes, as a developer calls them, and as the page shows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from reader_tools import exit_codes
from reader_tools.main import run

EID = (sys.executable, "-m", "reader_tools.main")
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "registry.md"
pytestmark = pytest.mark.xdist_group("registry-process")  # one server for all of them


@dataclass
class Served:
    process: subprocess.Popen[str]
    url: str
    home: Path

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("office")
    command = [*EID, "registry", "serve", "--development", "--home", str(home), "--port", "0"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert re.fullmatch(r"listening on http://127\.0\.0\.1:\d+\n", line), (home / "log").read_text()
    yield Served(process, line.removeprefix("listening on ").strip(), home)
    process.kill()
    process.wait()
    process.stdout.close()


def examples() -> list[tuple[str, list[str]]]:
    """Commands of the page that are not the server itself, with the lines that they print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return [example for example in found if not example[0].startswith("eid registry serve")]


def test_the_examples_of_the_page(served: Served, tmp_path: Path, require_tool) -> None:
    require_tool("curl")
    (tmp_path / "eid").write_text(f'#!/bin/sh\nexec {sys.executable} -m reader_tools.main "$@"\n')
    (tmp_path / "eid").chmod(0o755)
    (tmp_path / "office").symlink_to(served.home)
    shown = examples()
    assert len(shown) >= 5
    script = "".join(f"echo '#' {number}\n{command}\necho\n" for number, (command, _) in enumerate(shown))
    script = script.replace("http://127.0.0.1:8081", served.url)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environment = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        ["bash", "-eu"], input=script, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    printed = re.split(r"^# \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    for (command, expected), answer in zip(shown, printed, strict=True):
        pattern = re.escape("\n".join(expected)).replace(r"\.\.\.", ".+")
        assert re.fullmatch(pattern, answer.strip()), command


def test_a_developers_registry(served: Served) -> None:
    asked = [*EID, "dev-issuer", "token", "--home", str(served.home), "--role", "auditor", "--id", "CANARY"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert "NOT FOR PRODUCTION" in told.stderr
    answer = httpx.get(f"{served.url}/v1/me", headers={"Authorization": f"Bearer {told.stdout.strip()}"}, timeout=60)
    assert answer.json() == {"id": "CANARY", "roles": ["auditor"], "site": None, "scopes": []}
    assert "server" not in answer.headers
    assert httpx.get(f"{served.url}/healthz", timeout=60).json() == {"status": "ok"}
    assert "NOT FOR PRODUCTION" in served.log
    assert "GET /v1/me 200" in served.log
    assert "CANARY" not in served.log
    assert (served.home / "keys" / "service.key").stat().st_mode & 0o077 == 0


def test_a_signal_ends_it_cleanly(served: Served) -> None:
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == exit_codes.PASSED


def test_without_an_issuer_it_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["registry", "serve", "--home", str(tmp_path)]) == exit_codes.MALFORMED_INPUT
    assert "nobody is named whose access tokens count" in capsys.readouterr().err


def test_a_development_issuer_is_not_taken_for_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dev-issuer", "token", "--home", str(tmp_path)]) == exit_codes.PASSED
    keys = str(tmp_path / "dev-issuer" / "jwks.json")
    serve = ["registry", "serve", "--home", str(tmp_path), "--issuer", "https://id.example.test", "--jwks", keys]
    assert run(serve) == exit_codes.MALFORMED_INPUT
    assert "development issuer" in capsys.readouterr().err
    assert run(["dev-issuer", "token", "--home", str(tmp_path), "--role", "applicant"]) == exit_codes.USAGE


def test_the_issuer_as_a_process(tmp_path: Path) -> None:
    command = [*EID, "dev-issuer", "serve", "--home", str(tmp_path), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("listening on ").strip()
    form = {"grant_type": "client_credentials", "client_id": "officer-1", "roles": "auditor"}
    assert httpx.post(f"{url}/token", data=form, timeout=60).json()["token_type"] == "Bearer"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == exit_codes.PASSED
    assert err.startswith("NOT FOR PRODUCTION")
