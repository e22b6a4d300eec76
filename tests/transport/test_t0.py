"""Commands and answers as ISO/IEC 7816-3 12.2.1 maps the four cases to T=0."""

from __future__ import annotations

import pytest

from eid.errors import TransportError
from eid.transport.t0 import transmit_t0, without_le


class Card:
    def __init__(self, *answers: str) -> None:
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.sent: list[str] = []

    def transmit(self, command: bytes) -> bytes:
        self.sent.append(command.hex().upper())
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        ("00A40000", "00A40000"),  # case 1
        ("00B0000000", "00B0000000"),  # case 2
        ("00A40000021122", "00A40000021122"),  # case 3
        ("00A4000002112200", "00A40000021122"),  # case 4: Le is not sent
        ("00A40000000002112200", "00A40000000002112200"),  # extended: unchanged
    ],
)
def test_le_is_dropped_in_case_4_only(command, sent):
    assert without_le(bytes.fromhex(command)).hex().upper() == sent


def test_response_is_fetched_until_it_ends():
    card = Card("6103", "0102036102", "04059000")
    assert transmit_t0(card.transmit, bytes.fromhex("0CA400000211220A")).hex() == "01020304059000"
    assert card.sent == ["0CA40000021122", "00C0000003", "00C0000002"]


def test_wrong_le_is_corrected_once():
    card = Card("6C02", "AABB9000")
    assert transmit_t0(card.transmit, bytes.fromhex("00B0000000")).hex() == "aabb9000"
    assert card.sent == ["00B0000000", "00B0000002"]


def test_wrong_le_of_a_command_with_data_sends_it_again_without():
    card = Card("6C02", "6102", "AABB9000")
    assert transmit_t0(card.transmit, bytes.fromhex("00CB3FFF021122FF")).hex() == "aabb9000"
    assert card.sent == ["00CB3FFF021122", "00CB3FFF021122", "00C0000002"]


def test_status_words_pass():
    assert transmit_t0(Card("6A82").transmit, bytes.fromhex("00A4000002112200")).hex() == "6a82"


def test_card_that_never_ends_is_refused():
    with pytest.raises(TransportError, match="never ends"):
        transmit_t0(lambda _: b"\x00\x61\x01", b"\x00\xb0\x00\x00\x00")
