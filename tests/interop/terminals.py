"""Terminals that others wrote: a driver program in their language, which reads a card when it is told to.

A request is lines "name=value" up to an empty one, an answer is one line of JSON.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from eid.card import VirtualCard
from tests.builders.issuance import CAN, NOW, Issued
from tests.interop.cards import CountedCard, contents
from tests.interop.conftest import InReader


class BuildError(Exception):
    """A driver does not compile, or its libraries are not those that are pinned."""


class Unavailable(Exception):
    """What a driver needs cannot be had on this machine."""


@dataclass(frozen=True)
class Reading:
    """What a driver said. hashes: whether each data group is the one that EF.SOD names, where the driver says so."""

    outcomes: dict[str, str]
    files: dict[str, bytes]
    hashes: dict[str, bool] = field(default_factory=dict)
    milliseconds: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> dict[str, str]:
        return {step: outcome for step, outcome in self.outcomes.items() if outcome.startswith("failed")}


class Driver:
    """One process for many readings. Start it inside the PC/SC service that is to be used."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End of input ends the process."""
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def read(self, request: dict[str, str]) -> Reading:
        """Have a card read as the request says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("".join(f"{name}={value}\n" for name, value in request.items()) + "\n")
        self._process.stdin.flush()
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        said["files"] = {name: bytes.fromhex(content) for name, content in said["files"].items()}
        return Reading(**said)


@dataclass(frozen=True)
class Terminal:
    """A driver at a reader."""

    driver: Driver
    in_reader: InReader

    def read(self, issued: Issued, card: VirtualCard, access: str, **options: str) -> tuple[Reading, CountedCard]:
        """What the terminal found, and the card's own count."""
        authority = issued.authority
        request = {
            **password(issued, access),
            "data_groups": ",".join(name[2:] for name in contents(card) if name.startswith("DG")),
            "challenge": secrets.token_hex(8),
            "csca": authority.csca_certificate.hex(),
            "crl": authority.crl.hex(),
            "at": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        counted = CountedCard(card)
        with self.in_reader(counted) as name:
            reading = self.driver.read({**request, "reader": name, **options})
        return reading, counted


def password(issued: Issued, access: str) -> dict[str, str]:
    """The request's part that opens the chip; access is "bac", "pace-mrz" or "pace-can"."""
    protocol, _, kind = access.partition("-")
    mrz = issued.data.mrz
    value = CAN if kind == "can" else f"{mrz.document_number},{mrz.date_of_birth},{mrz.date_of_expiry}"
    return {"access": protocol, "password": kind or "mrz", "value": value}


def wrong(value: str) -> str:
    """Another password of the same form: a number's last digit, or the last digit of a document number, is another."""
    number, comma, dates = value.partition(",")
    return f"{number[:-1]}{(int(number[-1]) + 1) % 10}{comma}{dates}"
