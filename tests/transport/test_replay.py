from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import CardRemovedError, DecodeError, ReplayMismatchError, TransportError
from eid.transport.apdu_log import (
    ApduLog,
    LoggedCommand,
    LoggedFailure,
    LoggedReset,
    Redaction,
    decode_apdu_log,
    encode_log_entry,
    encode_log_header,
    redact,
)
from eid.transport.loopback import LoopbackConnection
from eid.transport.replay import RecordingConnection, ReplayConnection
from tests.builders.sweep import examples

SELECT = bytes.fromhex("00A4040C07A0000002471001")
READ = bytes.fromhex("00B09C0000")
LEAVE = bytes.fromhex("00FE0000")


def record(echo_card, redaction):
    lines: list[str] = []
    ticks = iter(range(100))
    recording = RecordingConnection(
        LoopbackConnection(echo_card()), lines.append, redaction=redaction, clock=lambda: next(ticks) / 1000
    )
    recording.transmit(SELECT)
    recording.reset()
    recording.transmit(READ)
    with pytest.raises(CardRemovedError):
        recording.transmit(LEAVE)
    recording.close()
    return "".join(lines)


@pytest.mark.parametrize("redaction", [Redaction.NONE, Redaction.COMMAND_DATA])
def test_recorded_conversation_replays(echo_card, redaction):
    replay = ReplayConnection(decode_apdu_log(record(echo_card, redaction).encode()))
    assert replay.atr == echo_card().atr
    assert replay.transmit(SELECT) == SELECT + b"\x90\x00"
    assert replay.reset() == echo_card().atr
    assert replay.transmit(READ) == b"\x90\x00"
    assert replay.remaining == 1
    with pytest.raises(CardRemovedError):
        replay.transmit(LEAVE)
    with pytest.raises(ReplayMismatchError, match="ends after 4"):
        replay.transmit(READ)
    replay.close()


def test_redaction_leaves_data_out(echo_card):
    assert SELECT.hex().upper() in record(echo_card, Redaction.NONE)
    log = record(echo_card, Redaction.COMMAND_DATA)
    first = json.loads(log.splitlines()[1])
    assert first == {
        "header": "00A4040C",
        "length": 12,
        "response": (SELECT + b"\x90\x00").hex().upper(),  # the echo card's answer, which this redaction keeps
        "microseconds": 1000,
    }
    log = record(echo_card, Redaction.ALL_DATA)
    assert "A0000002471001" not in log
    assert json.loads(log.splitlines()[1])["sw"] == "9000"


def test_log_without_responses_cannot_be_replayed(echo_card):
    replay = ReplayConnection(decode_apdu_log(record(echo_card, Redaction.ALL_DATA).encode()))
    with pytest.raises(ReplayMismatchError, match="redacted"):
        replay.transmit(SELECT)


@pytest.mark.parametrize("redaction", [Redaction.NONE, Redaction.COMMAND_DATA])
@pytest.mark.parametrize("command", [READ, SELECT + b"\x00", b"\x0c" + SELECT[1:]])
def test_another_command_is_refused_and_its_data_not_told(echo_card, redaction, command):
    replay = ReplayConnection(decode_apdu_log(record(echo_card, redaction).encode()))
    with pytest.raises(ReplayMismatchError, match="entry 1 of the log is 00A4040C of 12 octets") as caught:
        replay.transmit(command)
    assert "A000000247" not in str(caught.value)


def test_another_value_is_refused_in_a_full_log(echo_card):
    replay = ReplayConnection(decode_apdu_log(record(echo_card, Redaction.NONE).encode()))
    with pytest.raises(ReplayMismatchError):
        replay.transmit(SELECT[:-1] + b"\x02")


def test_resets_stand_where_they_were():
    log = ApduLog(
        b"\x3b\x00", Redaction.NONE, (LoggedReset(b"\x3b\x01\x55"), redact(READ, b"\x90\x00", Redaction.NONE))
    )
    replay = ReplayConnection(log)
    with pytest.raises(ReplayMismatchError, match="a reset, not a command"):
        replay.transmit(READ)
    with pytest.raises(ReplayMismatchError, match="no reset"):
        replay.reset()
    replay = ReplayConnection(log)
    replay.reset()
    assert replay.atr == b"\x3b\x01\x55"


@pytest.mark.parametrize("name", ["NoSuchError", "DecodeError", "annotations"])
def test_unknown_failures_are_transport_errors(name):
    with pytest.raises(TransportError):
        ReplayConnection(ApduLog(b"", Redaction.NONE, (LoggedFailure(name),))).transmit(READ)


def test_documented_example_decodes():
    text = Path(__file__).parents[2].joinpath("docs/formats/apdu-log.md").read_text(encoding="utf-8")
    log = decode_apdu_log(text.partition("```json\n")[2].partition("```")[0].encode())
    assert [type(entry) for entry in log.entries] == [LoggedCommand, LoggedCommand, LoggedReset, LoggedFailure]


HEADER = encode_log_header(b"\x3b\x00", Redaction.NONE)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: not JSON"),
        ("[]", "line 1: not a JSON object"),
        ('{"format":"eid-apdu-log","version":2,"redaction":"none","atr":""}', "version 1"),
        ('{"format":"other","version":1,"redaction":"none","atr":""}', "not an APDU log"),
        ('{"format":"eid-apdu-log","version":1,"redaction":"some","atr":""}', "unknown redaction"),
        ('{"format":"eid-apdu-log","version":true,"redaction":"none","atr":""}', "'version' is not a number"),
        (HEADER + "{", "line 2: not JSON"),
        (HEADER + '{"command":1}', "line 2: field 'command' is not a text"),
        (HEADER + '{"command":"0","response":"9000"}', "line 2: field 'command' is not hexadecimal"),
        (HEADER + '{"command":"00B00000","response":"90"}', "at least two octets"),
        (HEADER + '{"header":"00B00000","length":-1,"response":"9000"}', "'length' is not a number"),
        (HEADER + " " * 300_001, "longer than"),
        (HEADER + "[" * 100_000, "line 2: not JSON"),
        (HEADER + "1" * 10_000, "line 2: not JSON"),
    ],
)
def test_malformed_logs_name_their_line(text, complaint):
    with pytest.raises(DecodeError, match=complaint):
        decode_apdu_log(text.encode())


def test_too_many_lines():
    with pytest.raises(DecodeError, match="over 1000000"):
        decode_apdu_log(b"\n" * 1_000_001)


@settings(max_examples=examples(100))
@given(st.binary(max_size=300))
def test_arbitrary_octets_only_raise_decode_errors(raw):
    try:
        decode_apdu_log(HEADER.encode() + raw)
    except DecodeError:
        pass


octets = st.binary(max_size=40)
commands = st.builds(
    redact,
    st.binary(min_size=4, max_size=40),
    st.binary(min_size=2, max_size=40),
    st.sampled_from(Redaction),
    st.none() | st.integers(0, 10**6),
)
entries = st.lists(
    commands | st.builds(LoggedReset, octets) | st.builds(LoggedFailure, st.text(max_size=20)), max_size=5
)


@settings(max_examples=examples(100))
@given(st.builds(ApduLog, octets, st.sampled_from(Redaction), entries.map(tuple)))
def test_round_trip(log):
    text = encode_log_header(log.atr, log.redaction) + "".join(encode_log_entry(entry) for entry in log.entries)
    assert decode_apdu_log(text.encode()) == log
