"""`eid serve` as a process on a loopback port."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eid.services.trust.imports import import_trust
from reader_tools import exit_codes, main
from tests.builders import issuer
from tests.builders.api_client import files_json, sign
from tests.builders.document import MRZ, Document, build_document

MIB = 1 << 20
GROWTH = 64 * MIB
CANARY = "P<UTOCANARY<<ANNA"
JSON = {"Content-Type": "application/json"}
POST = b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\n"


@dataclass
class Running:
    process: subprocess.Popen[str]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def peak(self) -> int:
        """Peak resident memory, octets."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

    def send(self, raw: bytes, seconds: float = 5.0) -> bytes:
        """What the server answers to these octets before it closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as link:
            with contextlib.suppress(ConnectionError):
                link.sendall(raw)
            return receive(link)


def receive(link: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while chunk := link.recv(65536):
            found += chunk
    return found


def arguments(home: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "reader_tools.main", "serve", "--home", str(home), "--port", "0", *more]


@pytest.fixture(scope="module")
def document() -> Document:
    """One that is good today: the server has the machine's clock."""
    until = datetime.now(UTC) + timedelta(days=400)
    return build_document(mrz=replace(MRZ, date_of_expiry=f"{until:%y%m%d}"), not_after=issuer.EVER)


@pytest.fixture(scope="module")
def home(tmp_path_factory, document: Document) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "csca.der").write_bytes(document.csca_certificate)
    (home / "ut.crl").write_bytes(issuer.crl(document.csca, days=36_500))
    import_trust(home / "trust", [home / "csca.der", home / "ut.crl"], unsigned=False, now=datetime.now(UTC))
    (home / "stations").mkdir()
    station = document.station.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (home / "stations" / "station.pem").write_bytes(station)
    return home


@contextlib.contextmanager
def run(home: Path, *more: str) -> Iterator[Running]:
    log = home / "log"
    with log.open("w") as stderr:
        command = arguments(home, "--stations", str(home / "stations"), *more)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:"), log.read_text()
            yield Running(process, int(line.rpartition(":")[2]), log)
        finally:
            process.terminate()
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture(scope="module")
def server(home) -> Iterator[Running]:
    with run(home) as running:
        yield running


def open_and_send(url: str, document: Document) -> httpx.Response:
    with httpx.Client(base_url=url, timeout=30) as client:
        created = client.post("/v1/verifications", json={"purpose": "test", "policy": "strict"}).json()
        challenge = bytes.fromhex(created["challenge"])
        evidence = document.evidence(transcripts=[document.active_transcript(challenge)], challenge=challenge)
        place = f"/v1/verifications/{created['id']}/evidence"
        return client.put(place, content=sign(document, evidence), headers={"Content-Type": "application/cose"})


def test_a_verification(server, document):
    answer = open_and_send(server.url, document)
    assert (answer.status_code, answer.json()["verdict"]) == (200, "TOTAL_PASSED")
    assert "server" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_a_large_body_is_refused_by_its_stated_length(server):
    head = b"POST /v1/passive-authentication HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    answer = server.send(head + b"Content-Length: %d\r\n\r\n" % (30 * MIB))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


def test_memory_stays_within_limits(server, document):
    open_and_send(server.url, document)
    before = server.peak
    hostile = [
        b" " * (30 * MIB),
        b'{"sod":"' + b"A" * (30 * MIB) + b'"}',
        b'{"sod":' + b"[],{}," * (4 * MIB // 6 - 10),
        b'{"sod":[' + b"1," * (2 * MIB - 20) + b"1]}",
        b'{"sod":"' + b"A" * (4 * MIB - 30) + b'"}',
        b"[" * (4 * MIB),
    ]
    for raw in hostile:

        def chunks(raw: bytes = raw) -> Iterator[bytes]:
            for start in range(0, len(raw), 65536):
                yield raw[start : start + 65536]

        for content in (raw, chunks()):
            with contextlib.suppress(httpx.TransportError):  # it may close while we still send
                answer = httpx.post(
                    f"{server.url}/v1/passive-authentication", content=content, headers=JSON, timeout=30
                )
                assert answer.status_code in (400, 413, 422)
    body = files_json(document)
    body["data_groups"] = {str(number): "A" * 136_532 for number in range(3, 17)} | {"2": "A" * 1_398_100}
    answer = httpx.post(f"{server.url}/v1/passive-authentication", json=body, timeout=30)
    assert answer.status_code == 200
    assert server.peak - before < GROWTH


def test_a_head_that_never_ends(server):
    answer = server.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 400_000)
    assert answer.startswith(b"HTTP/1.1 431 ")
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 100_000
    assert server.send(head).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\xff" * 40 + b"\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_never_our_error(server, raw):
    answer = server.send(raw, seconds=1.0)
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer
    assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200


def test_nothing_of_a_request_is_logged(server, document):
    open_and_send(server.url, document)
    httpx.get(f"{server.url}/v1/verifications/{CANARY}", params={"mrz": CANARY}, timeout=60)
    httpx.post(f"{server.url}/v1/passive-authentication", json={CANARY: CANARY}, timeout=60)
    server.send(f"{CANARY} / HTTP/1.1\r\n\r\n".encode())
    log = server.log.read_text()
    assert "PUT /v1/verifications/{id}/evidence 200" in log
    for secret in ("CANARY", "SPECIMEN", "SPEC00001", "Traceback"):
        assert secret not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(home, number):
    with run(home) as running:
        running.process.send_signal(number)
        assert running.process.wait(60) == exit_codes.PASSED
        assert running.process.stdout is not None
        assert running.process.stdout.read() == ""  # the ready line was all


def test_two_workers(home, document):
    with run(home, "--workers", "2") as running:
        for _ in range(4):
            assert open_and_send(running.url, document).json()["verdict"] == "TOTAL_PASSED"
        running.process.terminate()
        assert running.process.wait(60) == exit_codes.PASSED


@pytest.fixture
def finish(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Start what ends by itself; that takes no process of its own."""

    def call(home: Path, *more: str) -> tuple[int, str, str]:
        code = main.run([*arguments(home), *more][3:])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_without_trust_it_does_not_start(finish, tmp_path):
    code, out, err = finish(tmp_path)
    assert (code, out, err.count("\n")) == (exit_codes.CANNOT_WRITE, "", 1)
    assert "no trust store" in err
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "index.db").touch()
    code, out, err = finish(tmp_path)
    assert (code, out, err.count("\n")) == (exit_codes.CANNOT_WRITE, "", 1)
    assert "no usable CSCA" in err


def test_an_address_that_is_taken(finish, home, server):
    code, out, err = finish(home, "--port", str(server.port))
    assert (code, out, err.count("\n")) == (exit_codes.UNAVAILABLE, "", 1)
    assert "cannot listen on 127.0.0.1" in err
