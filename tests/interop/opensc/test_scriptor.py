"""scriptor of pcsc-tools sends an issued card raw commands over PC/SC: what is open, what is closed, resets."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from eid.card import VirtualCard
from eid.lds.files import LDS1_AID
from tests.builders.issuance import Issued
from tests.interop.cards import CountedCard, contents, twin
from tests.interop.conftest import Control, InReader, Ledger

WHO = "opensc-tool, pcsc_scan, scriptor"
SELECT_MASTER_FILE = "00A4000C023F00"
SELECT_EMRTD = f"00A4040C07{LDS1_AID.hex()}"
READ_EF_CARD_ACCESS = "00B09C0000"
READ_DG1 = "00B0810004"
ANSWER = re.compile(r"^< ((?:[0-9A-F]{2} )+): ", re.MULTILINE)

Run = Callable[[VirtualCard, Iterable[str]], tuple[list[bytes], int]]


@pytest.fixture
def scriptor(require_tool: Callable[[str], Path], in_reader: InReader) -> Run:
    """``scriptor(card, commands)``: every answer, and how many commands the card counted."""
    program = require_tool("scriptor")

    def run(card: VirtualCard, commands: Iterable[str]) -> tuple[list[bytes], int]:
        script = "".join(f"{line if line == 'reset' else bytes.fromhex(line).hex(' ')}\n" for line in commands)
        counted = CountedCard(card)
        with in_reader(counted) as reader:
            arguments: list[str | Path] = [program, "-r", reader, "-p", "T=1"]
            done = subprocess.run(arguments, input=script, capture_output=True, text=True, timeout=60, check=True)
        joined = re.sub(r" *\n(?=[0-9A-F]{2} )", " ", done.stdout)  # long answers go over several lines
        return [bytes.fromhex(octets) for octets in ANSWER.findall(joined)], counted.commands

    return run


def test_reads_what_is_open(scriptor: Run, issued: Callable[[str], Issued], ledger: Ledger) -> None:
    card = twin(issued("ma-cnie"))
    answers, count = scriptor(card, [SELECT_MASTER_FILE, READ_EF_CARD_ACCESS, "reset", READ_EF_CARD_ACCESS])
    selected, before, after_reset = answers
    assert selected == b"\x90\x00"
    assert before[:-2] == after_reset[:-2] == contents(card)["EF.CardAccess"]
    ledger(WHO, "ma-cnie by scriptor", "EF.CardAccess octet by octet, again after a reset", count)


def test_what_is_closed_stays_closed(scriptor: Run, issued: Callable[[str], Issued], ledger: Ledger) -> None:
    wrong_bac = f"0082000028{'00' * 40}28"
    script = [SELECT_EMRTD, READ_DG1, "0084000008", wrong_bac, READ_DG1, "reset", SELECT_EMRTD, READ_DG1]
    answers, count = scriptor(twin(issued("ma-cnie")), script)
    words = [answer[-2:].hex() for answer in answers]
    assert words == ["9000", "6982", "9000", "6300", "6982", "9000", "6982"]
    ledger(WHO, "ma-cnie by scriptor", "DG1 closed, after a wrong BAC too, and after a reset", count, Control.REFUSED)


def test_command_of_no_session_is_noticed(scriptor: Run, issued: Callable[[str], Issued], ledger: Ledger) -> None:
    answers, count = scriptor(twin(issued("ma-cnie")), [SELECT_EMRTD, f"0CB081000D970104{'8E08'}{'5A' * 8}00"])
    assert [answer[-2:].hex() for answer in answers] == ["9000", "6982"]
    ledger(
        WHO,
        "ma-cnie by scriptor",
        "a protected command without its session is noticed by the card",
        count,
        Control.NOTICED,
    )
