"""Exchanges: driving, channels, checkpoints, GET RESPONSE, faults thrown where the exchange waits."""

from __future__ import annotations

import pytest

from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_command
from eid.errors import (
    AuthenticationError,
    CardRemovedError,
    DecodeError,
    LocalProtocolError,
    PeerProtocolError,
    StatusWordError,
)
from eid.protocols.exchange import Checkpoint, Exchange, Reset, drive, in_links, send, through, transmit
from tests.builders.exchanges import play

PING = CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=2)


class Scripted:
    """A connection with recorded answers; an exception among them is raised."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []

    @property
    def atr(self) -> bytes:
        return b"\x3b\x00"

    def transmit(self, command: bytes) -> bytes:
        self.sent.append(command)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


class Xor:
    """A toy channel: data octets inverted; an answer without data is a fault."""

    def protect_command(self, command: CommandAPDU) -> CommandAPDU:
        return CommandAPDU(0x0C, command.ins, command.p1, command.p2, bytes(b ^ 0xFF for b in command.data), command.le)

    def unprotect_response(self, response: ResponseAPDU) -> ResponseAPDU:
        if not response.data:
            raise AuthenticationError("naked")
        return ResponseAPDU(bytes(b ^ 0xFF for b in response.data), response.sw)


class Sink:
    def __init__(self) -> None:
        self.seen: list[Checkpoint] = []

    def record(self, checkpoint: Checkpoint) -> None:
        self.seen.append(checkpoint)


def test_drive_returns_the_result() -> None:
    card = Scripted(b"\x01\x02\x90\x00")
    assert drive(send(PING, "PING"), card).data == b"\x01\x02"
    assert card.sent == [bytes.fromhex("00B0000002")]


def test_status_word_is_named() -> None:
    with pytest.raises(StatusWordError, match="PING answered 6A82: file not found") as caught:
        drive(send(PING, "PING"), Scripted(b"\x6a\x82"))
    assert caught.value.sw == 0x6A82


def test_accepted_status_words_pass() -> None:
    assert drive(send(PING, "PING", 0x6282), Scripted(b"\x01\x62\x82")).sw == 0x6282


def test_reset_and_checkpoint() -> None:
    def steps() -> Exchange[bytes]:
        yield Checkpoint("a", "begin")
        atr = (yield Reset()).data
        yield Checkpoint("a", "end", {"n": "1"})
        return atr

    sink = Sink()
    assert drive(steps(), Scripted(), sink) == b"\x3b\x00"
    assert [(c.step, c.phase) for c in sink.seen] == [("a", "begin"), ("a", "end")]
    assert drive(steps(), Scripted()) == b"\x3b\x00"


def test_get_response_is_joined() -> None:
    result, sent = play(transmit(PING), [b"\x01\x61\x02", b"\x02\x61\x00", b"\x03\x04\x90\x00"])
    assert result == ResponseAPDU(b"\x01\x02\x03\x04", 0x9000)
    assert sent[1:] == [bytes.fromhex("00C0000002"), bytes.fromhex("00C0000000")]


def test_get_response_without_end() -> None:
    with pytest.raises(PeerProtocolError):
        play(transmit(PING), [b"\x61\x02", b"\x61\x02"])
    with pytest.raises(PeerProtocolError):
        play(transmit(PING), [bytes(256) + b"\x61\x00"] * 300)


def test_link_failure_reaches_the_exchange() -> None:
    seen: list[str] = []

    def steps() -> Exchange[None]:
        try:
            yield PING
        except CardRemovedError:
            seen.append("removed")
            yield Checkpoint("lost", "result")
            raise
        finally:
            seen.append("cleaned")

    sink = Sink()
    with pytest.raises(CardRemovedError):
        drive(steps(), Scripted(CardRemovedError("gone")), sink)
    assert seen == ["removed", "cleaned"]
    assert sink.seen[0].step == "lost"


def test_exchange_may_answer_a_failure() -> None:
    def steps() -> Exchange[bytes]:
        try:
            yield PING
        except CardRemovedError:
            yield Reset()
        return (yield PING).data

    assert drive(steps(), Scripted(CardRemovedError("gone"), b"\x07\x90\x00")) == b"\x07"


def test_answer_without_status_word() -> None:
    with pytest.raises(DecodeError):
        drive(send(PING, "PING"), Scripted(b"\x90"))


def test_through_wraps_both_ways() -> None:
    def steps() -> Exchange[bytes]:
        yield Checkpoint("x", "begin")
        return (yield CommandAPDU(0, 0xD6, 0, 0, b"\x01")).data

    card, sink = Scripted(b"\xfe\x90\x00"), Sink()
    assert drive(through(Xor(), steps()), card, sink) == b"\x01"
    assert card.sent == [bytes.fromhex("0CD6000001FE")]
    assert len(sink.seen) == 1


def test_get_response_stays_outside_the_channel() -> None:
    card = Scripted(b"\x01\x61\x01", b"\x02\x90\x00")
    assert drive(through(Xor(), transmit(PING)), card).data == b"\xfe\xfd"
    assert card.sent[1] == bytes.fromhex("00C0000001")


def test_channel_failure_is_thrown_into_the_exchange() -> None:
    seen = []

    def steps() -> Exchange[str]:
        try:
            yield PING
        except AuthenticationError as error:
            seen.append(str(error))
            return "handled"
        return "unreachable"

    assert drive(through(Xor(), steps()), Scripted(b"\x90\x00")) == "handled"
    assert seen == ["naked"]


def test_link_failure_passes_through_the_channel_to_the_exchange() -> None:
    def steps() -> Exchange[str]:
        try:
            yield PING
        except CardRemovedError:
            return "handled"
        return "unreachable"

    assert drive(through(Xor(), steps()), Scripted(CardRemovedError("gone"))) == "handled"


def test_reset_cannot_pass_a_channel() -> None:
    def steps() -> Exchange[None]:
        yield Reset()

    with pytest.raises(LocalProtocolError):
        drive(through(Xor(), steps()), Scripted())


def test_closing_the_outer_exchange_closes_the_inner() -> None:
    closed = []

    def steps() -> Exchange[None]:
        try:
            yield PING
        finally:
            closed.append(True)

    outer = through(Xor(), steps())
    next(outer)
    outer.close()
    assert closed == [True]


class Plain:
    """A channel that protects nothing and counts what it unprotects."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def protect_command(self, command: CommandAPDU) -> CommandAPDU:
        return command

    def unprotect_response(self, response: ResponseAPDU) -> ResponseAPDU:
        self.seen.append(response.sw)
        return response


def test_a_long_command_goes_as_a_chain_where_the_card_takes_no_more() -> None:
    channel, data = Plain(), bytes(range(250)) * 3
    exchange = through(
        channel, send(CommandAPDU(0, 0xDB, 0x3F, 0xFF, data, 256, extended=True), "PUT DATA"), max_link=255
    )
    sent, reply = [next(exchange)], ResponseAPDU()
    sent += [exchange.send(reply), exchange.send(reply)]
    with pytest.raises(StopIteration):
        exchange.send(reply)
    links = [item for item in sent if isinstance(item, CommandAPDU)]
    assert [(link.cla, len(link.data), link.is_extended) for link in links] == [(0x10, 255, False)] * 2 + [
        (0, 240, False)
    ]
    assert b"".join(link.data for link in links) == data
    assert channel.seen == [0x9000], "the links but the last answer outside of the channel"


def test_a_link_that_is_refused_ends_the_chain() -> None:
    channel = Plain()
    exchange = through(channel, send(CommandAPDU(0, 0xDB, 0x3F, 0xFF, bytes(600)), "PUT DATA"), max_link=255)
    next(exchange)
    with pytest.raises(StatusWordError):
        exchange.send(ResponseAPDU(b"", 0x6884))
    assert channel.seen == [0x6884]


LONG = CommandAPDU(0x00, 0x2A, 0x00, 0xBE, bytes(range(200)) * 3)


def test_links_inside_a_channel_are_commands_of_their_own() -> None:
    """As ISO secure messaging has it: each link is protected, and each answer is unprotected."""
    channel = Plain()
    _, sent = play(through(channel, in_links(send(LONG, "PSO"), 223)), [b"\x90\x00"] * 3)
    links = [decode_command(raw) for raw in sent]
    assert [(link.cla, len(link.data)) for link in links] == [(0x10, 223), (0x10, 223), (0x00, 154)]
    assert b"".join(link.data for link in links) == LONG.data
    assert channel.seen == [0x9000] * 3


def test_a_refused_link_is_the_answer_to_the_command() -> None:
    with pytest.raises(StatusWordError, match="6884"):
        play(in_links(send(LONG, "PSO"), 223), [b"\x68\x84"])


def test_what_is_never_cut() -> None:
    steps = CommandAPDU(0x10, 0x86, 0x00, 0x00, bytes(300), le=256)
    _, sent = play(in_links(transmit(steps), 223), [b"\x90\x00"])
    assert sent == [steps.encode()]
    _, sent = play(in_links(transmit(PING), 223), [b"\x01\x90\x00"])
    assert sent == [PING.encode()]


def test_a_fault_reaches_the_exchange_whose_commands_are_cut() -> None:
    def forgiving() -> Exchange[str]:
        try:
            yield from transmit(LONG)
        except CardRemovedError:
            return "noticed"
        return "missed"

    exchange = in_links(forgiving(), 223)
    next(exchange)
    with pytest.raises(StopIteration) as stop:
        exchange.throw(CardRemovedError("gone"))
    assert stop.value.value == "noticed"
