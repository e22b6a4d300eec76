"""The verification API as a process of its own, and the few calls that a relying party makes to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Final

from eid.errors import GatewayError

READY: Final = "listening on "
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
CALL_SECONDS: Final = 30.0
COSE: Final = "application/cose"
_LAST_WORDS: Final = 400  # characters of what a failing process said
# The API listens on this machine: no proxy that the environment names may come between.
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


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
            with _DIRECT.open(request, timeout=CALL_SECONDS) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise GatewayError(f"{method} {path} answered {refusal.code}") from refusal
        except (OSError, ValueError, HTTPException) as failure:
            raise GatewayError(f"{method} {path}: {failure}") from failure


@dataclass(frozen=True, slots=True)
class ApiProcess:
    """The API's process, perhaps not ready yet."""

    process: subprocess.Popen[str]
    errors: IO[str] = field(repr=False)

    def await_ready(self) -> ApiClient:
        """Return a client as soon as the API listens.

        Raises:
            GatewayError: it did not start.
        """
        stdout = self.process.stdout
        impatience = threading.Timer(START_SECONDS, self.process.kill)
        impatience.start()
        try:
            for line in stdout or ():
                if line.startswith(READY):
                    return ApiClient(line.removeprefix(READY).strip(), self.process.pid)
        finally:
            impatience.cancel()
        self.errors.seek(0)
        raise GatewayError(f"the API did not start: {self.errors.read().strip()[-_LAST_WORDS:]}")

    def stop(self) -> None:
        """Ask it to end, insist after ten seconds."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def start_api(home: Path, trust: Path, stations: Path) -> Iterator[ApiProcess]:
    """Start the API on a free loopback port, without waiting for it; stop it when the context ends.

    However this process ends, that one ends with it: it serves no longer than its standard input is open.

    Args:
        home: where its database is. trust: trust store. stations: public keys of the stations whose word counts.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "reader_tools.main",
        "serve",
        "--attached",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    command += ["--home", str(home), "--trust", str(trust), "--stations", str(stations)]
    # A setting of the user's own service (EID_DATABASE, say) is not this one's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EID_")}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C on the terminal is for the caller, who then stops it in order
        ) as process,
    ):
        api = ApiProcess(process, errors)
        try:
            yield api
        finally:
            api.stop()


@contextmanager
def api_process(home: Path, trust: Path, stations: Path) -> Iterator[ApiClient]:
    """Run the API on a free loopback port until the context ends; the arguments of `start_api`.

    Raises:
        GatewayError: it did not start.
    """
    with start_api(home, trust, stations) as api:
        yield api.await_ready()
