"""`eid registry serve` and `eid dev-issuer`, as processes and as a developer calls them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from reader_tools import exit_codes
from reader_tools.main import run

EID = (sys.executable, "-m", "reader_tools.main")


def test_a_developers_registry(tmp_path: Path) -> None:
    command = [*EID, "registry", "serve", "--development", "--home", str(tmp_path), "--port", "0"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().removeprefix("listening on ").strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        asked = [*EID, "dev-issuer", "token", "--home", str(tmp_path), "--role", "auditor", "--id", "CANARY"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True)
        assert "NOT FOR PRODUCTION" in told.stderr
        headers = {"Authorization": f"Bearer {told.stdout.strip()}"}
        answer = httpx.get(f"{url}/v1/me", headers=headers)
        assert answer.json() == {"id": "CANARY", "roles": ["auditor"], "site": None, "scopes": []}
        assert "server" not in answer.headers
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == exit_codes.PASSED
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    log_text = (tmp_path / "log").read_text()
    assert "NOT FOR PRODUCTION" in log_text
    assert "GET /v1/me 200" in log_text
    assert "CANARY" not in log_text
    assert (tmp_path / "keys" / "service.key").stat().st_mode & 0o077 == 0


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
    assert httpx.post(f"{url}/token", data=form).json()["token_type"] == "Bearer"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == exit_codes.PASSED
    assert err.startswith("NOT FOR PRODUCTION")
