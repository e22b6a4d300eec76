"""OSIA's ABIS interface: its JSON, our client against the sandbox over real HTTP, late answers, and a bad server."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import DecodeError, GatewayError
from eid.gateways.abis import Biometric, Candidate, Encounter, Pending
from eid.gateways.abis.messages import (
    decode_candidates,
    decode_encounter,
    decode_task,
    encode_candidates,
    encode_encounter,
)
from eid.gateways.abis.osia import OsiaAbis
from eid.gateways.abis.sandbox import SandboxAbis, thumbnail_or_digest
from eid.gateways.abis.server import serve_sandbox
from eid.gateways.http import Location
from eid.gateways.local_server import HOST, LocalServer, serving
from eid.imaging.fingerprint import draw_specimen_fingerprint
from tests.builders.sweep import examples

FINGER = Biometric("FINGER", "RIGHT_INDEX", "ISO_19794_2", b"minutiae", True, 71, "NFIQ2")
FACE = Biometric("FACE", "PORTRAIT", "JPEG", b"no real picture")
ONE = Encounter("person-1", "visit-1", (FACE, FINGER))
TWIN = Encounter("person-2", "visit-9", (FACE, FINGER))


def test_an_encounter_as_osia_has_it() -> None:
    told = encode_encounter(ONE)
    assert told == {
        "encounterId": "visit-1",
        "status": "ACTIVE",
        "encounterType": "enrolment",
        "biometricData": [
            {
                "biometricType": "FACE",
                "biometricSubType": "PORTRAIT",
                "image": base64.b64encode(b"no real picture").decode(),
                "compression": "JPEG",
            },
            {
                "biometricType": "FINGER",
                "biometricSubType": "RIGHT_INDEX",
                "template": base64.b64encode(b"minutiae").decode(),
                "templateFormat": "ISO_19794_2",
                "quality": 71,
                "qualityFormat": "NFIQ2",
            },
        ],
    }
    decoded = decode_encounter("person-1", "visit-1", told)
    assert [(item.octets, item.is_template) for item in decoded.biometrics] == [
        (b"no real picture", False),
        (b"minutiae", True),
    ]


def test_candidates_there_and_back() -> None:
    found = (Candidate("a", 1, 3000.0, frozenset(("x", "y"))), Candidate("b", 2, 12.5))
    assert decode_candidates(json.loads(json.dumps(encode_candidates(found)))) == found
    assert decode_task({"taskId": "t-1", "others": {}}) == "t-1"


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [1],
        [{"personId": "a", "rank": 1}],
        [{"personId": "", "rank": 1, "score": 1}],
        [{"personId": "a", "rank": True, "score": 1}],
        [{"personId": "a", "rank": 1, "score": float("nan")}],
        [{"personId": "a", "rank": 1, "score": 10**400}],
        [{"personId": "a", "rank": 1, "score": "9"}],
        [{"personId": "a", "rank": 1, "score": 1, "scores": {}}],
        [{"personId": "a", "rank": 1, "score": 1, "scores": [{"encounterId": 7}]}],
        [{"personId": "a\n", "rank": 1, "score": 1}],
        [{"personId": "a", "rank": 1, "score": 1}] * 101,
    ],
)
def test_malformed_candidates(value: object) -> None:
    with pytest.raises(DecodeError):
        decode_candidates(value)


@pytest.mark.parametrize(
    "item", [{}, {"image": ""}, {"image": None}, {"template": 7}, {"image": "*"}, {"imageRef": "x"}]
)
def test_an_item_without_what_is_to_be_compared(item: dict[str, object]) -> None:
    told = {"status": "ACTIVE", "encounterType": "x", "biometricData": [{"biometricType": "FACE", **item}]}
    with pytest.raises(DecodeError):
        decode_encounter("p", "e", told)


@pytest.mark.parametrize(
    ("body", "length", "status"),
    [(b"[" * 100_000, None, 400), (b'{"a":' * 50_000, None, 400), (b"", "9" * 9, 413), (b"", "x", 413)],
)
def test_bad_requests_to_the_sandbox(body: bytes, length: str | None, status: int) -> None:
    with serve_sandbox(SandboxAbis()) as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.putrequest("POST", "/v1/persons/p/encounters/e")
        connection.putheader("Content-Length", length or str(len(body)))
        connection.endheaders(body)
        assert connection.getresponse().status == status
        connection.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("personId", "rank", "score", "taskId", "biometricData", "x")), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(max_examples=examples(60))
@given(json_values)
def test_arbitrary_answers(value: object) -> None:
    for decode in (decode_candidates, decode_task, lambda item: decode_encounter("p", "e", item)):
        try:
            decode(value)
        except DecodeError:
            continue


def test_the_sandbox_knows_pictures_again() -> None:
    one, other = draw_specimen_fingerprint(1), draw_specimen_fingerprint(2)
    abis = SandboxAbis()
    for person, picture in (("p1", one), ("p2", other)):
        finger = Biometric("FINGER", "LEFT_THUMB", "JPEG2000", picture)
        abis.create_encounter(Encounter(person, "e", (finger,)), "t")
    probe = Encounter("p3", "e", (Biometric("FINGER", "LEFT_THUMB", "JPEG2000", one),))
    found = abis.identify(probe, "t")
    assert isinstance(found, tuple)
    assert [(item.person, item.rank, item.encounters) for item in found] == [("p1", 1, frozenset(("e",)))]
    elsewhere = Encounter("p3", "e", (Biometric("FINGER", "RIGHT_THUMB", "JPEG2000", one),))
    assert abis.identify(elsewhere, "t") == ()
    assert len(thumbnail_or_digest(FACE)) == 32  # what is no picture is compared by its octets


@pytest.mark.parametrize("callback", [False, True])
def test_the_client_against_the_sandbox(callback: bool) -> None:
    with _receiver() as (address, received), serve_sandbox(SandboxAbis(), copies=2, token="s3cret") as server:
        place = Location("http", "127.0.0.1", server.port, "/")
        client = OsiaAbis(place, "token", f"{address}/v1/abis/answers" if callback else "", threshold=0.5)
        for encounter in (ONE, TWIN, ONE):  # the last one is there already
            client.create_encounter(encounter, "t-1")
        found = client.identify(ONE, "t-1")
        if callback:
            assert isinstance(found, Pending)
            assert client.redeliver(found.task)
            for _ in range(4):
                received.acquire(timeout=60)
            query, header, body = received.requests[-1]
            assert query == {"transactionId": ["t-1"], "taskId": [found.task]}
            assert header == "Bearer s3cret"
            found = decode_candidates(json.loads(body))
        assert isinstance(found, tuple)
        assert [item.person for item in found] == ["person-1", "person-2"]
        client.delete_encounter(TWIN, "t-1")
        client.delete_encounter(TWIN, "t-1")
        assert not client.redeliver("no such task")
        with pytest.raises(GatewayError, match="404"):
            client.identify(TWIN, "t-1")


class _Received(threading.Semaphore):
    def __init__(self) -> None:
        super().__init__(0)
        self.requests: list[tuple[dict[str, list[str]], str | None, bytes]] = []


@contextmanager
def _serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = LocalServer((HOST, 0), handler)
    with serving(server):
        yield server.url


@contextmanager
def _receiver() -> Iterator[tuple[str, _Received]]:
    received = _Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.requests.append((parse_qs(urlsplit(self.path).query), self.headers["Authorization"], body))
            self.send_response(204)
            self.end_headers()
            received.release()

        def log_message(self, *_: object) -> None:
            pass

    with _serve(Handler) as address:
        yield address, received


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"no JSON"), (200, b"[1]"), (202, b"{}"), (500, b"{}"), (302, b""), (200, b"[" * 100_000)],
)
def test_a_server_that_is_no_abis(status: int, body: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with _serve(Handler) as address:
        client = OsiaAbis(Location("http", "127.0.0.1", urlsplit(address).port or 0, ""))
        for act in (
            lambda: client.identify(ONE, "t"),
            lambda: client.create_encounter(ONE, "t"),
            lambda: client.delete_encounter(ONE, "t"),
            lambda: client.redeliver("t"),
        ):
            with pytest.raises(GatewayError):
                act()


def test_nobody_is_there() -> None:
    with pytest.raises(GatewayError, match="cannot be reached"):
        OsiaAbis(Location("http", "127.0.0.1", 1, "")).identify(ONE, "t")
