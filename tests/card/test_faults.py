"""Faults on demand: each kind, at its place, and the grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.card.faults import Fault, FaultKind, FaultyCard, parse_faults
from eid.errors import CardRemovedError, DecodeError, TransportError

COMMAND = bytes.fromhex("00B0000000")


class Recorder:
    """A card that says what happened to it; each answer is the number of commands seen since power-on, and 9000."""

    atr = b"\x3b\x00"

    def __init__(self) -> None:
        self.log: list[str] = []
        self.seen = 0

    def process(self, command: bytes, /) -> bytes:
        self.seen += 1
        self.log.append(command.hex())
        return bytes((self.seen,)) + b"\x90\x00"

    def reset(self) -> bytes:
        self.seen = 0
        self.log.append("reset")
        return self.atr

    def power_off(self) -> None:
        self.seen = 0
        self.log.append("off")


def faulty(text: str) -> tuple[FaultyCard, Recorder, list[float]]:
    waits: list[float] = []
    card = Recorder()
    return FaultyCard(card, parse_faults(text), wait=waits.append), card, waits


@pytest.mark.parametrize(
    ("text", "error", "log"),
    [
        ("drop@2", TransportError, [COMMAND.hex()]),
        ("drop-after@2", TransportError, [COMMAND.hex(), COMMAND.hex()]),
        ("tear@2", CardRemovedError, [COMMAND.hex(), "off"]),
        ("tear-after@2", CardRemovedError, [COMMAND.hex(), COMMAND.hex(), "off"]),
        ("remove@2", CardRemovedError, [COMMAND.hex(), "off"]),
    ],
)
def test_no_answer_comes(text, error, log):
    card, recorder, _ = faulty(text)
    assert card.process(COMMAND) == b"\x01\x90\x00"
    with pytest.raises(error) as caught:
        card.process(COMMAND)
    assert type(caught.value) is error
    assert recorder.log == log


def test_a_torn_card_comes_back_with_a_reset_only():
    card, recorder, _ = faulty("tear@1")
    for _ in range(2):
        with pytest.raises(CardRemovedError):
            card.process(COMMAND)
    assert card.reset() == card.atr == b"\x3b\x00"
    assert card.process(COMMAND) == b"\x01\x90\x00"
    assert recorder.log == ["off", "reset", COMMAND.hex()]
    assert card.commands == 2


def test_a_removed_card_stays_away_until_it_is_put_back():
    card, _, _ = faulty("remove@1")
    with pytest.raises(CardRemovedError):
        card.process(COMMAND)
    with pytest.raises(CardRemovedError):
        card.reset()
    card.insert()
    card.reset()
    assert card.process(COMMAND) == b"\x01\x90\x00"
    card.power_off()


def test_status_words_with_and_without_obedience():
    card, recorder, _ = faulty("sw@1:6F00, sw-after@2:6982")
    assert card.process(COMMAND) == b"\x6f\x00"
    assert recorder.log == []
    assert card.process(COMMAND) == b"\x69\x82"
    assert recorder.log == [COMMAND.hex()]
    assert card.process(COMMAND) == b"\x02\x90\x00"


def test_bits_flip_either_way():
    card, recorder, _ = faulty("flip@1:7,flip@2:23,flip@3:24,flip-command@4:8")
    assert card.process(COMMAND) == b"\x00\x90\x00"
    assert card.process(COMMAND) == b"\x02\x90\x01"
    assert card.process(COMMAND) == b"\x83\x90\x00", "modulo the length"
    card.process(COMMAND)
    assert recorder.log[-1] == "0030000000"


def test_a_card_that_resets_itself_forgets():
    card, recorder, _ = faulty("reset@3")
    assert [card.process(COMMAND)[0] for _ in range(4)] == [1, 2, 1, 2]
    assert recorder.log.count("reset") == 1


def test_delays_and_places():
    card, _, waits = faulty("delay@2-3:0.5,delay@5+:1")
    for _ in range(6):
        card.process(COMMAND)
    assert waits == [0.5, 0.5, 1.0, 1.0]
    card, _, waits = faulty("delay@*:0.02")
    for _ in range(3):
        card.process(COMMAND)
    assert waits == [0.02] * 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tear",
        "tear@",
        "tear@0",
        "tear@5:1",
        "tear@3-2",
        "burn@1",
        "sw@1",
        "sw@1:900",
        "sw@1:90.0",
        "flip@1",
        "flip@1:A",
        "flip@1:99999999",
        "delay@1",
        "delay@1:",
        "delay@1:9999",
        "delay@1:A",
        "delay@1:1.2.3",
        "tear@1,,tear@2",
        "tear@1111111111111111",
        "tear@٣",
        ",".join(["tear@1"] * 65),
    ],
)
def test_what_is_not_of_the_grammar_is_refused(text):
    with pytest.raises(DecodeError):
        parse_faults(text)


def test_the_refusal_says_where():
    with pytest.raises(DecodeError, match="burn") as caught:
        parse_faults("tear@5, burn@1")
    assert caught.value.offset == 7


@given(st.text(alphabet="tearflipdropsw-resyovmn@*+:,.0123456789ABF ", max_size=40))
def test_any_text_is_a_list_or_refused(text):
    try:
        faults = parse_faults(text)
    except DecodeError:
        return
    assert all(isinstance(fault, Fault) and fault.kind in FaultKind for fault in faults)
