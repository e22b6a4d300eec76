from __future__ import annotations

import socket
import threading

import pytest

from eid.errors import LifecycleError, ReaderUnavailableError
from eid.transport import virtual_reader
from eid.transport.virtual_reader import DialledReader, ListeningReader


class Connection:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def reset(self):
        return b""


@pytest.fixture
def dialled(monkeypatch, tcp_pair):
    """A slot that vpcd has dialled, and vpcd's end; PC/SC itself is not asked."""
    monkeypatch.setattr(virtual_reader, "open_reader", lambda _: Connection())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        slot = DialledReader("slot", listener)
        vpcd = tcp_pair[0]
        vpcd.socket.close()
        vpcd.socket = socket.create_connection(listener.getsockname())
        vpcd.socket.settimeout(60)
        with vpcd.socket:
            yield slot, vpcd


def test_slot_without_a_card_is_mute(dialled, echo_card):
    slot, vpcd = dialled
    empty = vpcd.exchange(b"\x04")
    assert vpcd.exchange(b"\x00\xb0\x00\x00\x00") == b"\x00"
    card = echo_card()
    slot.insert(card)
    vpcd.send(b"\x02")
    assert vpcd.exchange(b"\x04") == card.atr != empty
    assert vpcd.exchange(b"\x00\xb0\x00\x00\x00") == b"\x90\x00"
    with pytest.raises(LifecycleError):
        slot.insert(echo_card())
    slot.remove()
    slot.remove()
    vpcd.send(b"\x00")
    vpcd.send(b"\x01")
    assert vpcd.exchange(b"\x04") == empty
    assert card.events == ["reset", "off"]


def test_card_that_removes_itself_leaves_a_mute_slot(dialled, echo_card):
    slot, vpcd = dialled
    card = echo_card()
    slot.insert(card)
    assert vpcd.exchange(b"\x00\xfe\x00\x00") == b"\x00"
    assert card.events == ["off"]
    vpcd.send(b"\x00")
    slot.insert(echo_card(b"!"))
    vpcd.send(b"\x00")
    assert vpcd.exchange(b"\x00\xb0\x00\x00\x00") == b"!\x90\x00"


def test_listener_that_closes_before_vpcd_dials():
    listener = socket.create_server(("127.0.0.1", 0))
    slot = DialledReader("slot", listener)
    listener.shutdown(socket.SHUT_RDWR)
    slot._thread.join(5)
    assert not slot._thread.is_alive()
    listener.close()


def test_card_that_pcsc_does_not_report_is_pulled_again(monkeypatch, tcp_pair, echo_card):
    monkeypatch.setattr(virtual_reader, "wait_for_card", lambda *_args, **_named: False)
    card = echo_card()
    slot = ListeningReader("slot", lambda: tcp_pair[1])
    with pytest.raises(ReaderUnavailableError, match="does not report"):
        slot.insert(card)
    assert card.events == ["off"]
    assert not [thread for thread in threading.enumerate() if thread.name == "slot"]
