"""An office that runs: registry, worker and publisher as processes, sandboxes for whoever else, a clock to move.

Whoever uses it talks HTTP with it, and with the sandboxes: nothing here reaches into them or into the database.

with run_office(home, database_url) as office:
    office.staff("approver-1", Role.APPROVER).post(f"/v1/applications/{id}/approve", {})
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from eid.enrolment.roles import Actor, Role
from eid.gateways.abis.sandbox import SandboxAbis
from eid.gateways.abis.server import serve_sandbox as serve_abis
from eid.gateways.payment.sandbox_server import SandboxSettings
from eid.gateways.payment.sandbox_server import serve_sandbox as serve_payments
from eid.gateways.sandbox_sms import serve_sms
from eid.services.caller.development_issuer import DevelopmentIssuer, open_development_issuer
from eid.services.payment.channels import configure_sandbox, prepare_secret
from tests.builders.office_process import MovedClock

PATIENCE = 60.0  # seconds for something that others do
AUDIENCE = "eid-registry"
SMS_TOKEN = "sandbox"


@dataclass
class Heard:
    """What of the talk with the registry could be written down by somebody in between: addresses and refusals."""

    addresses: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def note(self, answer: httpx.Response) -> None:
        self.addresses.append(f"{answer.request.method} {answer.request.url}")
        if answer.status_code >= 400:
            self.refusals.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")


@dataclass
class RunningOffice:
    """The office, and what its people and machines have said."""

    home: Path
    clock: MovedClock
    http: httpx.Client
    provider_url: str
    sms_url: str
    issuer: DevelopmentIssuer
    heard: Heard
    _start: Callable[..., None]

    @property
    def url(self) -> str:
        return str(self.http.base_url)

    def staff(self, name: str, *roles: Role, site: str | None = None) -> Caller:
        return Caller(self, Actor(name, frozenset(roles), site))

    def visitor(self, language: str) -> Caller:
        """Somebody who is not known yet, or an applicant after `sign_in`."""
        return Caller(self, None, language)

    def await_message(self, to: str, pattern: str, after: int = 0) -> str:
        """What the pattern's group is in a message to this number, the newest first."""

        def look() -> str | None:
            found = [match[1] for text in reversed(self.messages(to)[after:]) if (match := re.search(pattern, text))]
            return found[0] if found else None

        return await_something(look, f"a message to {to}")

    def messages(self, to: str) -> list[str]:
        """What the gateway has for a telephone, the oldest first."""
        headers = {"Authorization": f"Bearer {SMS_TOKEN}"}
        found = httpx.get(self.sms_url, headers=headers, trust_env=False, timeout=60).json()
        return [item["text"] for item in found if item["to"] == to]

    def count_messages(self, to: str) -> int:
        return len(self.messages(to))

    def start_publisher(self, authority: Path, passphrase: Path) -> None:
        """Whoever has the authority's keys publishes status lists: what is due, every second."""
        self._start("publisher", "--dir", str(authority), "--passphrase-file", str(passphrase), "--every", "1")

    def token(self, actor: Actor) -> str:
        """An access token that is good now."""
        return self.issuer.issue(actor, AUDIENCE, self.clock())

    def logs(self) -> dict[str, str]:
        """What the processes have written."""
        return {path.name: path.read_text("utf-8") for path in (self.home / "logs").iterdir()}


@dataclass
class Caller:
    """Somebody who calls the registry."""

    office: RunningOffice
    actor: Actor | None
    language: str = "en"
    session: str = ""

    def sign_in(self, phone: str) -> Caller:
        """Come in by a one-time code."""
        before = self.office.count_messages(phone)
        body = {"channel": "sms", "contact": phone, "language": self.language}
        sent = self.post("/v1/sessions/codes", body, expect=202)
        code = self.office.await_message(phone, r"(?<![0-9])([0-9]{8})(?![0-9])", before)
        self.session = self.post("/v1/sessions", {"id": sent["id"], "code": code}, expect=201)["token"]
        return self

    def get(self, path: str, expect: int = 200, **query: str) -> Any:
        return self.ask("GET", path, expect, params=query)

    def post(self, path: str, body: object = None, expect: int = 200) -> Any:
        return self.ask("POST", path, expect, **({} if body is None else {"json": body}))

    def put(self, path: str, body: object, expect: int = 200) -> Any:
        return self.ask("PUT", path, expect, json=body)

    def send(self, path: str, kind: str, content: bytes, expect: int = 201, **query: str) -> Any:
        return self.ask("POST", path, expect, content=content, params=query, headers={"Content-Type": kind})

    def ask(self, method: str, path: str, expect: int, headers: dict[str, str] | None = None, **rest: Any) -> Any:
        told = {"Accept-Language": self.language, **self._credentials(), **(headers or {})}
        if method == "POST" and self._credentials():
            told["Idempotency-Key"] = str(uuid.uuid4())
        answer = self.office.http.request(method, path, headers=told, **rest)
        self.office.heard.note(answer)
        assert answer.status_code == expect, (method, path, answer.status_code, answer.text)
        is_json = "json" in answer.headers.get("content-type", "")
        return answer.json() if is_json else answer.content

    def _credentials(self) -> dict[str, str]:
        token = self.session
        if self.actor is not None:
            token = self.office.token(self.actor)
        return {"Authorization": f"Bearer {token}"} if token else {}


def await_something(look: Any, what: str, pause: float = 0.1) -> Any:
    """What `look` finds, as soon as it finds something. pause: seconds between looks."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(pause)
    raise AssertionError(f"waited in vain for {what}")


@contextmanager
def run_office(
    home: Path, database: str, begins: timedelta, country: Mapping[str, str] | None = None
) -> Iterator[RunningOffice]:
    """Run it. begins: by how much its clock is moved at first. country: settings that say whose rules hold."""
    clock, port, heard = MovedClock(home / "clock"), _free_port(), Heard()
    (home / "logs").mkdir(parents=True)
    clock.move(begins)
    (home / "sms-token").write_text(f"{SMS_TOKEN}\n")
    with ExitStack() as stack:
        _, sms_url = stack.enter_context(serve_sms(SMS_TOKEN))
        abis = stack.enter_context(serve_abis(SandboxAbis()))
        callbacks = SandboxSettings(
            f"http://127.0.0.1:{port}/v1/payment-callbacks", prepare_secret(home), "Africa/Casablanca", clock
        )
        provider_url, _ = stack.enter_context(serve_payments(callbacks))
        configure_sandbox(home, provider_url)
        issuer = open_development_issuer(home)
        settings = {"HOME": str(home), "DATABASE": database, "SMS": sms_url, "SMS_TOKEN_FILE": str(home / "sms-token")}
        settings |= {"ABIS": f"http://127.0.0.1:{abis.port}", "PORT": str(port), "DEVELOPMENT": "1", **(country or {})}

        def start(part: str, *arguments: str) -> None:
            stack.enter_context(_process(part, home, clock.file, settings, arguments))

        start("registry")
        start("worker")
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        office = RunningOffice(home, clock, stack.enter_context(client), provider_url, sms_url, issuer, heard, start)
        try:
            await_something(lambda: office.logs().get("registry.out") or None, "the registry")
        except AssertionError as vain:
            raise AssertionError(office.logs()["registry.err"][-2000:]) from vain
        yield office


@contextmanager
def _process(
    part: str, home: Path, clock: Path, settings: Mapping[str, str], arguments: Sequence[str]
) -> Iterator[None]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EID_")}
    environment = inherited | {f"EID_{name}": value for name, value in settings.items()}
    logs = home / "logs"
    with (logs / f"{part}.out").open("w") as out, (logs / f"{part}.err").open("w") as errors:
        command = [sys.executable, "-m", "tests.builders.office_process", part, str(clock), *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=errors, env=environment)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
