from __future__ import annotations

import itertools

import pytest

from eid.codec.apdu import CommandAPDU, decode_command
from eid.errors import CardRemovedError
from eid.protocols.exchange import Checkpoint, Reset, drive
from eid.transport.command_names import describe_command
from eid.transport.loopback import LoopbackConnection
from eid.transport.metered import MeteredConnection, StepMeter

READ = bytes.fromhex("00B0000000")


def clock():
    """One second each time it is asked."""
    ticks = itertools.count()
    return lambda: float(next(ticks))


def test_counts_per_step_and_in_total(echo_card):
    def exchange():
        yield Checkpoint("access", "begin")
        yield CommandAPDU(0, 0x84, 0, 0, le=8)
        yield Checkpoint("access", "end")
        yield Checkpoint("read", "begin")
        yield CommandAPDU(0, 0xB0, 0, 0, b"12345")
        yield CommandAPDU(0, 0xB0, 0, 0, le=256)
        yield Checkpoint("read", "end")
        yield Reset()
        yield CommandAPDU(0, 0x84, 0, 0, le=8)

    meter = MeteredConnection(LoopbackConnection(echo_card()), clock=clock())
    drive(exchange(), meter, meter)
    assert meter.steps == (
        StepMeter("access", 1, sent=5, received=2, seconds=3.0, card_seconds=1.0),
        StepMeter("read", 2, sent=15, received=14, seconds=5.0, card_seconds=2.0),
    )
    assert (meter.total.commands, meter.total.sent, meter.total.received) == (4, 25, 18)
    assert meter.atr == echo_card().atr


def test_steps_nest_and_come_again(echo_card):
    meter = MeteredConnection(LoopbackConnection(echo_card()), clock=clock())
    for step, phase in [("a", "intent"), ("b", "begin"), ("b", "end"), ("b", "begin"), ("a", "result"), ("x", "end")]:
        meter.record(Checkpoint(step, phase))
        meter.transmit(READ)
    assert {step.step: step.commands for step in meter.steps} == {"a": 2, "b": 4}
    meter.record(Checkpoint("note", "anything else"))
    assert [step.step for step in meter.steps] == ["a", "b"]


def test_checkpoints_go_on_to_the_sink_first(echo_card):
    class Sink:
        def record(self, checkpoint):
            self.seen = (checkpoint, meter.steps)

    sink = Sink()
    meter = MeteredConnection(LoopbackConnection(echo_card()), checkpoints=sink)
    meter.record(Checkpoint("a", "begin"))
    assert sink.seen == (Checkpoint("a", "begin"), ())


def test_trace_holds_names_and_lengths_but_no_data(echo_card):
    seen = []
    meter = MeteredConnection(LoopbackConnection(echo_card()), observe=seen.append, clock=clock())
    meter.record(Checkpoint("pin", "begin"))
    meter.transmit(bytes.fromhex("0020000206313233343536"))
    meter.transmit(b"\x00")
    with pytest.raises(CardRemovedError):
        meter.transmit(bytes.fromhex("00FE0000"))
    meter.close()
    assert [(entry.number, entry.name, entry.sw) for entry in seen] == [
        (1, "VERIFY", 0x9000),
        (2, "malformed command", 0x9000),
        (3, "TERMINATE CARD USAGE", None),
    ]
    assert (seen[0].step, seen[0].sent, seen[0].received, seen[0].header) == ("pin", 11, 13, "00200002")
    assert "313233343536" not in repr(seen)
    assert "123456" not in repr(seen)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("00A4040C07A0000002471001", "SELECT A0000002471001"),
        ("0CA4020C0A8701010102030405060700", "SM SELECT"),
        ("00B0010200", "READ BINARY from 258"),
        ("00B0810000", "READ BINARY"),
        ("0CB0000000", "SM READ BINARY"),
        ("00D6000001AA", "UPDATE BINARY from 0"),
        ("0022C1A40101", "MANAGE SECURITY ENVIRONMENT SET AT"),
        ("002241000101", "MANAGE SECURITY ENVIRONMENT"),
        ("8050000008000000000000000000", "INITIALIZE UPDATE"),
        ("8482330010" + "00" * 16, "SM EXTERNAL AUTHENTICATE"),
        ("84D8008120" + "00" * 32, "SM PUT KEY"),
        ("1086000002AABB", "GENERAL AUTHENTICATE"),
        ("80A40000", "SELECT"),
        ("0099000000", "INS 99"),
    ],
)
def test_names(command, name):
    assert describe_command(decode_command(bytes.fromhex(command))) == name
