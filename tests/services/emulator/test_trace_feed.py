"""The live trace: what happens to a card is told in order, decoded, without secrets, and on the loopback only."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from eid.card import VirtualCard
from eid.card.faults import FaultyCard, parse_faults
from eid.errors import ReaderUnavailableError, TransportError
from eid.inspection import InspectionPlan, inspect
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.rendering.trace_page import render_trace_page
from eid.services.emulator import trace_feed
from eid.services.emulator.trace_feed import TraceFeed, WatchedCard
from eid.services.emulator.trace_server import serve_trace
from eid.testing.specimen import issue_specimen
from eid.transport.loopback import LoopbackConnection

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NONCE = "specimen-nonce"


def watched(faults: str = "") -> tuple[TraceFeed, LoopbackConnection, list[str]]:
    specimen = issue_specimen("eu-td1-id-card", NOW)
    around = WatchedCard(TraceFeed(clock=lambda: 1.5))
    card = VirtualCard.from_state(specimen.card.state(), observe=around.observe)
    shown = around.watch(FaultyCard(card, parse_faults(faults)) if faults else card)
    secrets = [specimen.can, specimen.mrz_information, specimen.mrz_information.encode().hex().upper()]
    return around.feed, LoopbackConnection(shown), secrets


def inspected(link: LoopbackConnection, can: str) -> None:
    drive(inspect(InspectionPlan(Password(PasswordId.CAN, can.encode())), NOW), link)


def test_an_inspection_is_told_in_order_and_without_secrets():
    feed, link, secrets = watched()
    inspected(link, secrets[0])
    entries = feed.after(0, 0)
    assert entries is not None
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert (entries[0].kind, entries[0].detail) == ("reset", f"answer to reset {link.atr.hex().upper()}")
    first = entries[1]
    assert (first.name, first.detail, first.sw, first.good) == ("READ BINARY", "EF.CardAccess from 0", "9000", True)
    assert {entry.protection for entry in entries} == {"", "secure messaging"}
    assert any(entry.detail.startswith("DG2 from") and entry.received > 100 for entry in entries)
    told = json.dumps([entry.to_json() for entry in entries])
    assert not [secret for secret in secrets if secret in told]


def test_what_never_came_to_the_card_is_told_as_it_stood_on_the_wire():
    feed, link, _ = watched("sw@2:6F00, drop@3, drop-after@4")
    link.transmit(bytes.fromhex("00B09C0000"))
    link.transmit(bytes.fromhex("0CA4040C07A000000247100100"))
    for _ in range(2):
        with pytest.raises(TransportError):
            link.transmit(bytes.fromhex("00A4040C07A0000002471001"))
    link.transmit(b"\x00")
    link.close()
    entries = feed.after(0, 0)
    assert entries is not None
    told = [(entry.kind, entry.name, entry.sw) for entry in entries[1:]]  # the reset comes first
    assert told == [
        ("command", "READ BINARY", "9000"),
        ("command", "not carried out", "6F00"),
        ("fault", "the command was lost by a fault", ""),
        ("command", "SELECT", "9000"),
        ("fault", "the answer was lost by a fault", ""),
        ("command", "not carried out", "6700"),
        ("off", "power off", ""),
    ]
    assert (entries[2].protection, entries[2].good) == ("as it stood on the wire", False)


def test_a_status_word_that_a_fault_changed_is_the_one_that_left():
    feed, link, _ = watched("sw-after@1:6A80")
    assert link.transmit(bytes.fromhex("00A4040C07A0000002471001")) == b"\x6a\x80"
    entries = feed.after(0, 0)
    assert entries is not None
    assert (entries[1].name, entries[1].sw) == ("SELECT", "6A80")


def test_without_a_card_there_is_nothing_to_answer():
    with pytest.raises(TransportError, match="no card"):
        WatchedCard(TraceFeed()).process(b"\x00\x84\x00\x00\x08")


def test_a_watcher_waits_for_what_comes_and_ends_with_the_feed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trace_feed, "REMEMBERED", 3)
    feed = TraceFeed()
    assert feed.after(0, 0.01) == ()
    threading.Timer(0.05, feed.add, ("off", "power off")).start()
    entries = feed.after(0, 10)
    assert entries is not None
    assert [entry.name for entry in entries] == ["power off"]
    for _ in range(5):
        feed.add("off", "power off")
    entries = feed.after(0, 0)
    assert entries is not None
    assert [entry.number for entry in entries] == [4, 5, 6]
    feed.close()
    assert feed.after(5, 10) is not None
    assert feed.after(6, 10) is None


@contextmanager
def served(feed: TraceFeed) -> Iterator[int]:
    page = render_trace_page("Trace of <card>", (("card", "card.bin"),), NONCE)
    with serve_trace(page, NONCE, feed, 0) as address:
        assert address.startswith("http://127.0.0.1:")
        yield int(address.rpartition(":")[2].strip("/"))


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    link.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = link.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    link.close()
    return found


def test_the_page_stands_alone_and_says_who_may_run_scripts():
    with served(TraceFeed()) as port:
        status, headers, body = get(port, "/")
    text = body.decode()
    assert status == 200
    assert "Trace of &lt;card&gt;" in text
    assert text.count("<script") == text.count(f'nonce="{NONCE}"') == 1
    assert "http" not in text.replace("http-equiv", "")
    assert "innerHTML" not in text
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; connect-src 'self'")
    assert f"script-src 'nonce-{NONCE}'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:1", ""])
def test_another_sites_name_gets_nothing(host: str):
    with served(TraceFeed()) as port:
        assert get(port, "/", Host=host)[0] == 421
        assert get(port, "/events", Host=host)[0] == 421
        assert get(port, "/favicon.ico")[0] == 404


def test_events_go_on_where_the_browser_has_lost_them():
    feed = TraceFeed()
    for number in range(4):
        feed.add("off", f"number {number + 1}")
    with served(feed) as port:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        link.request("GET", "/events", headers={"Last-Event-ID": "2"})
        answer = link.getresponse()
        assert answer.getheader("Content-Type") == "text/event-stream"
        assert answer.readline() == b"id: 3\n"
        feed.add("off", "while it is watched")
        feed.close()
        rest = answer.read().decode()
    link.close()
    assert "number 4" in rest
    assert "while it is watched" in rest
    assert rest.endswith("event: end\ndata: {}\n\n")


def test_a_port_that_is_taken():
    taken = pytest.raises(ReaderUnavailableError, match="cannot be served")
    with served(TraceFeed()) as port, taken, serve_trace("", NONCE, TraceFeed(), port):
        pass
