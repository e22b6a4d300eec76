from __future__ import annotations

import pytest

from eid.errors import CardRemovedError, TransportError
from eid.transport.loopback import LoopbackConnection


def test_conversation(echo_card):
    card = echo_card(b"!")
    connection = LoopbackConnection(card)
    assert connection.atr == card.atr
    assert connection.transmit(b"\x00\xa4\x04\x00") == b"!\x90\x00"
    assert connection.reset() == card.atr
    connection.close()
    connection.close()
    assert card.events == ["reset", "reset", "off"]


def test_closed(echo_card):
    connection = LoopbackConnection(echo_card())
    connection.close()
    with pytest.raises(TransportError, match="closed"):
        connection.transmit(b"\x00\xa4\x04\x00")
    with pytest.raises(TransportError, match="closed"):
        connection.reset()


def test_removal_passes(echo_card):
    with pytest.raises(CardRemovedError):
        LoopbackConnection(echo_card()).transmit(b"\x00\xfe\x00\x00")
