from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from eid.card.memory import Directory
from eid.card.state import decode_state, encode_state
from eid.errors import AlreadyDoneError, DecodeError, NotStoredError, ReaderUnavailableError
from eid.lds.security_infos import PACEInfo
from eid.services.emulator.card_description import card_to_json, describe_card, load_description
from eid.services.emulator.virtual_cards import CardSlot, create_card, open_card
from tests.builders.issuance import issue


def test_a_card_lives_in_its_file(tmp_path):
    path = tmp_path / "card"
    assert create_card(path, "ma-cnie", random=lambda count: bytes(range(count))) == bytes(range(10))
    events = []
    with open_card(path, events.append) as card:
        assert card.process(bytes.fromhex("00A4000C023F00")) == b"\x90\x00"
    assert [event.name for event in events] == ["SELECT"]
    with pytest.raises(AlreadyDoneError):
        create_card(path, "ma-cnie")


def test_refusals(tmp_path):
    with pytest.raises(NotStoredError), open_card(tmp_path / "none"):
        pass
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(DecodeError, match="junk: card state"), open_card(tmp_path / "junk"):
        pass
    with pytest.raises(DecodeError, match="junk: card state"):
        load_description(tmp_path / "junk")


def test_description_knows_what_it_does_not_know():
    """A foreign application, a file that Doc 9303 does not name, and a PACE that is not spoken here."""
    memory = decode_state(issue("ma-cnie").card.state())
    application = next(iter(memory.applications.values()))
    file = next(iter(application.files.values()))
    memory.master.files[0x2FFF] = type(file)(0x2FFF, None, bytearray(3), file.read, file.update)
    memory.applications[b"\xf0\x00\x01"] = Directory(b"\xf0\x00\x01", None, files={0x0101: file})
    memory.pace = (*memory.pace, PACEInfo("0.4.0.127.0.7.2.2.4.1.1", 2, 30))
    card = describe_card(encode_state(memory))
    foreign = next(item for item in card.applications if item.aid == "F00001")
    assert (foreign.name, foreign.activated, foreign.files[0].name) == ("", False, "")
    assert {item.fid: item.name for item in card.master_files} == {"011C": "EF.CardAccess", "2FFF": ""}
    assert (card.pace[-1].cipher, card.pace[-1].curve) == (None, None)
    assert json.loads(json.dumps(card_to_json(card)))["format"] == "eid-card-description"


class Card:
    atr = b"\x3b\x00"

    def __init__(self) -> None:
        self.powered = True

    def process(self, command: bytes) -> bytes:
        return command + b"\x90\x00"

    def reset(self) -> bytes:
        return self.atr

    def power_off(self) -> None:
        self.powered = False


def listen() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(60)
    return server


def nothing() -> None:
    """Nobody needs to be told."""


def test_slot_at_a_reader_that_listens():
    card, told = Card(), []
    slot = CardSlot(card)
    with listen() as server:
        port = server.getsockname()[1]
        thread = threading.Thread(
            target=slot.serve_at, args=("127.0.0.1", port, 5.0, nothing, lambda: told.append("connected"))
        )
        thread.start()
        reader, _ = server.accept()
        with reader:
            reader.sendall(b"\x00\x01\x04")
            assert reader.recv(10) == b"\x00\x02\x3b\x00"
            slot.stop()
            thread.join(10)
    assert (told, card.powered, slot.is_stopped) == (["connected"], False, True)


def test_slot_waits_for_the_reader_to_come_up():
    card, told = Card(), []
    with listen() as server:
        address = server.getsockname()
    slot = CardSlot(card)
    up: list[socket.socket] = []

    def come_up() -> None:
        told.append("waiting")
        up.append(socket.create_server(address))

    slot_thread = threading.Thread(
        target=slot.serve_at, args=(*address, 10.0, come_up, lambda: told.append("connected"))
    )
    slot_thread.start()
    while not up:
        slot_thread.join(0.05)
    reader, _ = up[0].accept()
    reader.close()
    up[0].close()
    slot_thread.join(10)
    assert (told, slot.is_stopped) == (["waiting", "connected"], False)


def test_stopped_before_it_began():
    slot = CardSlot(Card())
    slot.stop()
    with listen() as server:
        slot.serve_at(*server.getsockname(), 5.0, nothing, nothing)
    ports: list[int] = []
    slot.serve_behind("127.0.0.1", 0, ports.append, nothing)
    assert ports


def test_no_reader():
    with listen() as server:
        address = server.getsockname()
    with pytest.raises(ReaderUnavailableError):
        CardSlot(Card()).serve_at(*address, 0.0, nothing, nothing)
    with pytest.raises(ReaderUnavailableError):
        CardSlot(Card()).serve_behind("host.invalid", 1, lambda port: None, nothing)


def test_signal_between_connecting_and_serving(monkeypatch, tmp_path: Path):
    slot = CardSlot(Card())
    with listen() as server:
        link = socket.create_connection(server.getsockname())
        slot.stop()
        slot._serve(link, nothing)
    assert slot.is_stopped
