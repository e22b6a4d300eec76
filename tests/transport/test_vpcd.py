from __future__ import annotations

import os
import signal
import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import ReaderUnavailableError
from eid.transport.vpcd import MAX_FRAME, VpcdCard, VpcdLink, connect_to_vpcd, serve_vpcd
from tests.builders.sweep import examples


@pytest.fixture
def slot(tcp_pair, echo_card):
    vpcd, card_end = tcp_pair
    card = echo_card()
    inserted = VpcdCard(card, card_end)
    thread = threading.Thread(target=inserted.serve)
    thread.start()
    yield vpcd, card, inserted, thread
    inserted.stop()
    thread.join(60)
    assert not thread.is_alive()


def test_atr_and_commands(slot):
    vpcd, card, _, _ = slot
    assert vpcd.exchange(b"\x04") == card.atr
    assert vpcd.exchange(b"\x00\xca\x00\x00\x00") == b"\x90\x00"


def test_power_and_reset_are_not_answered(slot):
    vpcd, card, _, _ = slot
    for control in (b"\x01", b"\x02", b"\x00", b"\x03", b"\xff"):
        vpcd.send(control)
    assert vpcd.exchange(b"\x04") == card.atr
    assert card.events == ["reset", "reset", "off"]


def test_empty_frame_is_ignored(slot):
    vpcd, card, _, _ = slot
    vpcd.send(b"")
    assert vpcd.exchange(b"\x04") == card.atr


def test_longest_frames_pass(slot):
    vpcd, _, _, _ = slot
    command = b"\x00\xca" + bytes(MAX_FRAME - 4)
    assert vpcd.exchange(command) == command + b"\x90\x00"  # 65,535 octets back
    assert len(vpcd.exchange(b"\x00\xff\xff\xfd\x00")) == MAX_FRAME


def test_response_longer_than_a_frame_becomes_a_status_word(slot):
    vpcd, _, _, _ = slot
    assert vpcd.exchange(b"\x00\xff\xff\xfe\x00") == b"\x6f\x00"
    assert vpcd.exchange(b"\x00\xca" + bytes(MAX_FRAME - 2)) == b"\x6f\x00"


def test_frames_in_any_pieces(slot):
    vpcd, card, _, _ = slot
    vpcd.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in b"\x00\x01\x04\x00\x05\x00\xca\x00\x00\x00":
        vpcd.socket.sendall(bytes((octet,)))
    assert (vpcd.receive(), vpcd.receive()) == (card.atr, b"\x90\x00")
    vpcd.socket.sendall(b"\x00\x01\x04" * 3)
    assert [vpcd.receive() for _ in range(3)] == [card.atr] * 3


def test_rate_stays_far_above_the_missing_quick_acknowledgement(slot):
    """A lost TCP_QUICKACK costs 40 ms a command: 25 a second. The bar is low, for the machine may be busy."""
    vpcd, _, _, _ = slot
    begun = time.perf_counter()
    for _ in range(100):
        vpcd.exchange(b"\x00\xb0\x00\x00\x00")
    assert 100 / (time.perf_counter() - begun) > 50


def test_vpcd_hangs_up(slot):
    vpcd, card, _, thread = slot
    vpcd.socket.close()
    thread.join(60)
    assert not thread.is_alive()
    assert card.events[-1] == "off"


def test_stop_pulls_the_card_out(slot):
    vpcd, card, inserted, thread = slot
    inserted.stop()
    inserted.stop()
    thread.join(60)
    with pytest.raises(EOFError):
        vpcd.receive()
    assert card.events == ["off"]


def test_card_that_removes_itself_hangs_up(slot):
    vpcd, card, _, thread = slot
    vpcd.send(b"\x00\xfe\x00\x00")
    with pytest.raises((EOFError, ConnectionResetError)):
        vpcd.receive()
    thread.join(60)
    assert card.events == ["off"]


def test_stop_from_a_signal_handler(tcp_pair, echo_card):
    _, card_end = tcp_pair
    card = echo_card()
    inserted = VpcdCard(card, card_end)
    before = signal.signal(signal.SIGUSR1, lambda *_: inserted.stop())
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        inserted.serve()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert card.events == ["off"]


def test_vpcd_that_reads_no_answers_ends_the_service(tcp_pair, echo_card):
    vpcd, card_end = tcp_pair
    for _ in range(2000):
        vpcd.socket.sendall(b"\x00\x01\x04")
    vpcd.socket.close()
    VpcdCard(echo_card(), card_end).serve()


def test_send_on_a_dead_link(tcp_pair):
    _, card_end = tcp_pair
    link = VpcdLink(card_end)
    link.shut_down()
    assert link.send(b"\x90\x00") is False
    assert link.receive() is None


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.binary(max_size=400), max_size=6))
def test_no_junk_raises(echo_card, chunks):
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=VpcdCard(echo_card(), theirs).serve)
    thread.start()
    try:
        for chunk in chunks:
            ours.sendall(chunk)
    except OSError:
        pass  # the card was told to leave
    ours.close()
    thread.join(60)
    assert not thread.is_alive()


def test_nothing_listens(echo_card):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ReaderUnavailableError, match="vsmartcard-vpcd"):
        connect_to_vpcd(port=port)


def test_serve_connects(echo_card):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        card = echo_card()
        inserted = serve_vpcd(card, port=listener.getsockname()[1])
        vpcd, _ = listener.accept()
        with vpcd:
            thread = threading.Thread(target=inserted.serve)
            thread.start()
            vpcd.sendall(b"\x00\x01\x04")
            assert vpcd.recv(100)[2:] == card.atr
        thread.join(60)
        assert not thread.is_alive()
