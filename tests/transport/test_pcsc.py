from __future__ import annotations

import threading
import time

import pytest

from eid.errors import CardRemovedError, LifecycleError, ReaderUnavailableError, TransportError
from eid.transport.pcsc import find_reader, list_readers, open_reader, wait_for_card

pytestmark = pytest.mark.pcsc
CHALLENGE = bytes.fromhex("0084000008")


@pytest.fixture
def reader(pcsc_daemon):
    """An empty virtual reader, empty again afterwards."""
    yield pcsc_daemon.readers[0]
    pcsc_daemon.readers[0].remove()


@pytest.mark.usefixtures("namespaces")
def test_card_comes_and_goes(reader, echo_card):
    card = echo_card(b"!")
    reader.insert(card)
    info = find_reader(reader.name)
    assert (info.card_present, info.atr, info.in_use) == (True, card.atr, False)
    with open_reader(reader.name) as connection:
        assert connection.atr == card.atr
        assert connection.transmit(CHALLENGE) == b"!\x90\x00"
        assert find_reader(reader.name).in_use
    reader.remove()
    assert not find_reader(reader.name).card_present
    assert card.events[-1] == "off"
    reader.remove()


def test_readers_are_found_by_index_and_part_of_the_name(reader, echo_card):
    reader.insert(echo_card())
    info = find_reader(reader.name)
    assert find_reader(info.index) == info
    assert find_reader(reader.name.lower()[-9:]).name == reader.name
    assert find_reader().name == reader.name  # the first that holds a card
    with pytest.raises(ReaderUnavailableError, match="several readers match"):
        find_reader("virtual")
    with pytest.raises(ReaderUnavailableError, match="no reader 'nowhere'; there are: 'Virtual"):
        find_reader("nowhere")
    with pytest.raises(ReaderUnavailableError, match="no reader 99"):
        find_reader(99)


@pytest.mark.usefixtures("namespaces")
def test_without_any_card_the_first_reader_is_taken(reader):
    assert find_reader() == list_readers()[0]


@pytest.mark.usefixtures("namespaces")
def test_no_card_in_the_reader(reader):
    with pytest.raises(ReaderUnavailableError, match="no card in the reader"):
        open_reader(reader.name)


@pytest.mark.usefixtures("namespaces")
def test_waits_for_a_card(reader, echo_card):
    thread = threading.Timer(0.2, reader.insert, (echo_card(),))
    thread.start()
    with open_reader(reader.name, wait=5) as connection:
        assert connection.transmit(CHALLENGE) == b"\x90\x00"
    thread.join()
    assert not wait_for_card(reader.name, present=False, timeout=0.1)


def test_slot_takes_one_card(reader, echo_card):
    reader.insert(echo_card())
    with pytest.raises(LifecycleError):
        reader.insert(echo_card())


def test_reset(reader, echo_card):
    card = echo_card()
    reader.insert(card)
    with open_reader(reader.name) as connection:
        card.events.clear()
        assert connection.reset() == card.atr
        assert card.events == ["reset"]
        assert connection.transmit(CHALLENGE) == b"\x90\x00"


def test_closing_resets_the_card(reader, echo_card):
    card = echo_card()
    reader.insert(card)
    connection = open_reader(reader.name)
    card.events.clear()
    connection.close()
    connection.close()
    assert "reset" in card.events
    for use in (connection.reset, lambda: connection.transmit(CHALLENGE)):
        with pytest.raises(TransportError, match="closed"):
            use()


def test_exclusive_and_shared(reader, echo_card):
    reader.insert(echo_card())
    with open_reader(reader.name), pytest.raises(ReaderUnavailableError, match="another program is using the card"):
        open_reader(reader.name)
    with open_reader(reader.name, exclusive=False) as one, open_reader(reader.name, exclusive=False) as two:
        one.reset()
        with pytest.raises(TransportError, match="reset"):
            two.transmit(CHALLENGE)
        two.reset()
        assert two.transmit(CHALLENGE) == b"\x90\x00"


@pytest.mark.usefixtures("namespaces")
def test_card_pulled_between_commands(reader, echo_card):
    reader.insert(echo_card())
    with open_reader(reader.name) as connection:
        reader.remove()
        with pytest.raises(CardRemovedError):
            connection.transmit(CHALLENGE)
        with pytest.raises((CardRemovedError, ReaderUnavailableError)):
            connection.reset()


@pytest.mark.usefixtures("namespaces")
def test_card_pulled_in_mid_command(reader, echo_card):
    reader.insert(echo_card())
    with open_reader(reader.name) as connection, pytest.raises(CardRemovedError):
        connection.transmit(bytes.fromhex("00FE0000"))


def test_longest_frames(reader, echo_card):
    """A frame of vpcd holds 65,535 octets: 65,526 of data in a command with a two-octet Le, 65,533 in a response."""
    card = echo_card()
    reader.insert(card)
    with open_reader(reader.name) as connection:
        command = bytes.fromhex("00D6000000FFF6") + bytes(65526) + b"\x00\x00"
        assert len(command) == 65535
        assert connection.transmit(command) == b"\x6f\x00"  # the echo would be two octets too long for a frame
        assert card.commands[-1] == command
        response = connection.transmit(bytes.fromhex("00FFFFFD000000"))
        assert response == bytes(65533) + b"\x90\x00"


def test_two_cards_in_every_pair_of_slots_are_not_crossed(pcsc_daemon, echo_card):
    slots = pcsc_daemon.readers
    cards = [echo_card(bytes((0x41 + place,)), b"CARD%d" % place) for place in range(len(slots))]
    try:
        for slot, card in zip(slots, cards, strict=True):
            slot.insert(card)
        connections = [open_reader(slot.name) for slot in slots]
        for _ in range(3):
            for connection, card in zip(connections, cards, strict=True):
                assert connection.atr == card.atr
                assert connection.transmit(CHALLENGE) == card.mark + b"\x90\x00"
        for connection in connections:
            connection.close()
    finally:
        for slot in slots:
            slot.remove()


def test_rate_stays_far_above_the_missing_quick_acknowledgement(reader, echo_card):
    reader.insert(echo_card())
    with open_reader(reader.name) as connection:
        begun = time.perf_counter()
        for _ in range(100):
            connection.transmit(CHALLENGE)
        assert 100 / (time.perf_counter() - begun) > 50


def test_t0_card(reader, echo_card):
    """A card that offers T=0 alone: Le of case 4 stays here, and the response is fetched."""
    card = echo_card()
    card.atr = bytes.fromhex("3B00")
    card.process = lambda command: b"\xaa\x90\x00" if command[1] == 0xC0 else b"\x61\x01"
    reader.insert(card)
    with open_reader(reader.name) as connection:
        assert connection.atr == card.atr
        assert connection.transmit(bytes.fromhex("00A4000002112200")) == b"\xaa\x90\x00"


def test_service_absent(run_python):
    done = run_python(
        "from eid.transport.pcsc import list_readers\n"
        "from eid.errors import ReaderUnavailableError\n"
        "try: list_readers()\n"
        "except ReaderUnavailableError as failure: print(failure)\n",
        PCSCLITE_CSOCK_NAME="/nonexistent/pcscd.comm",
    )
    assert "apt-get install pcscd" in done.stdout, done.stderr
