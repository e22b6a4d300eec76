"""The verification API as a process of its own, and the few calls that a relying party makes to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eid.errors import GatewayError

READY: Final = "listening on "
START_SECONDS: Final = 30.0
CALL_SECONDS: Final = 30.0
COSE: Final = "application/cose"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A relying party's side of the API. url: e.g. "http://127.0.0.1:40123". pid: of the API's process."""

    url: str
    pid: int

    def create_verification(self, purpose: str, policy: str) -> dict[str, Any]:
        """Ask for a challenge: `POST /v1/verifications`.

        Raises:
            GatewayError: the API refused or cannot be reached.
        """
        body = json.dumps({"purpose": purpose, "policy": policy}).encode()
        return self._call("POST", "/v1/verifications", body, "application/json")

    def submit_evidence(self, verification_id: str, signed_evidence: bytes) -> dict[str, Any]:
        """Hand in the answer, once: `PUT /v1/verifications/{id}/evidence`; the report.

        Raises:
            GatewayError: the API refused or cannot be reached.
        """
        return self._call("PUT", f"/v1/verifications/{verification_id}/evidence", signed_evidence, COSE)

    def _call(self, method: str, path: str, body: bytes, content_type: str) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 a loopback address that the API itself told
            self.url + path, data=body, method=method, headers={"Content-Type": content_type}
        )
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as refusal:
            raise GatewayError(f"{method} {path} answered {refusal.code}") from refusal
        except (OSError, ValueError) as failure:
            raise GatewayError(f"{method} {path}: {failure}") from failure


@contextmanager
def api_process(home: Path, trust: Path, stations: Path) -> Iterator[ApiClient]:
    """Run the API on a free loopback port until the context ends.

    Args:
        home: where its database is. trust: trust store. stations: public keys of the stations whose word counts.

    Raises:
        GatewayError: it did not start.
    """
    command = [sys.executable, "-m", "reader_tools.main", "serve", "--port", "0", "--home", str(home)]
    command += ["--trust", str(trust), "--stations", str(stations)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield ApiClient(_await_ready(process), process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _await_ready(process: subprocess.Popen[str]) -> str:
    if process.stdout is None or process.stderr is None:
        raise GatewayError("the API has no output")
    for line in process.stdout:
        if line.startswith(READY):
            return line.removeprefix(READY).strip()
    raise GatewayError(f"the API did not start: {process.stderr.read().strip()[-400:]}")
