"""Carry out a plan on a card, as an exchange that runs inside the SCP03 channel.

Each step yields a checkpoint before (intent) and after (result); whoever drives the exchange makes it durable. A step
with an intent and no result is asked for first and never repeated blindly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum, unique

from eid.codec.apdu import CommandAPDU
from eid.personalization.plan import Question, Step, answers
from eid.protocols.exchange import Checkpoint, Exchange, send, transmit


@unique
class Progress(StrEnum):
    """How far an earlier attempt got with a step."""

    NONE = "none"
    INTENT = "intent"
    DONE = "done"


def apply(steps: Iterable[Step], progress: Mapping[str, Progress] | None = None) -> Exchange[dict[str, bytes]]:
    """Carry out steps in order.

    Args:
        progress: what the journal says of an earlier attempt, by step name; missing means not begun.

    Returns:
        What steps produced, by the name that they give it: the public keys, as the card answered them.

    Raises:
        StatusWordError: the card refused a step; the step's intent stands in the journal without a result.
    """
    known = progress or {}
    selected: CommandAPDU | None = None
    products: dict[str, bytes] = {}
    for step in steps:
        state = known.get(step.name, Progress.NONE)
        if state is Progress.DONE and not step.produces:
            continue
        if step.select != selected:
            yield from send(step.select, "SELECT")
            selected = step.select
        answer = yield from _carry_out(step, state)
        if step.produces:
            products[step.produces] = answer
        if step.moves or (step.question is not None and state is not Progress.NONE):
            selected = None  # a new directory is current; a question may have moved the current file
    return products


def _carry_out(step: Step, state: Progress) -> Exchange[bytes]:
    if state is not Progress.NONE and step.question is not None:
        done, answer = yield from ask(step.question)
        if done:
            if state is Progress.INTENT:
                yield Checkpoint(step.name, "result", {**_result(step, answer), "found": "done already"})
            return answer
        yield from send(step.select, "SELECT")
    yield Checkpoint(step.name, "intent", dict(step.detail))
    answer = b""
    for command in step.commands:
        response = yield from send(command, _command_name(command))
        answer = response.data
    yield Checkpoint(step.name, "result", _result(step, answer))
    return answer


def _result(step: Step, answer: bytes) -> dict[str, str]:
    """What a finished step leaves in the journal: its facts, and the public key where it made one."""
    return {**step.detail, step.produces: answer.hex()} if step.produces else dict(step.detail)


def collect_products(results: Mapping[str, Mapping[str, str]], steps: Iterable[Step]) -> dict[str, bytes]:
    """What finished steps produced, out of the journal's results by step name."""
    found = ((step.produces, results.get(step.name, {}).get(step.produces)) for step in steps if step.produces)
    return {name: bytes.fromhex(text) for name, text in found if text is not None}


def ask(question: Question) -> Exchange[tuple[bool, bytes]]:
    """Put a question to the card: whether the step is done, and the answer's data."""
    data = b""
    for command in question.commands:
        response = yield from transmit(command)
        data += response.data
        if not answers(response):
            return False, b""
    return question.says_yes(response.sw, data), data


_NAMES = {
    0xA4: "SELECT",
    0xE0: "CREATE FILE",
    0xD6: "UPDATE BINARY",
    0xD7: "UPDATE BINARY",
    0x47: "GENERATE ASYMMETRIC KEY PAIR",
    0xDB: "PUT DATA",
    0x24: "CHANGE REFERENCE DATA",
    0x44: "ACTIVATE FILE",
    0xF0: "SET STATUS",
}


def _command_name(command: CommandAPDU) -> str:
    return _NAMES.get(command.ins, f"command {command.ins:02X}")
