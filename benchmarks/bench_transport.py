"""Plain READ BINARY of the virtual card, through vpcd and PC/SC and in-process, beside an echo stub in the same place.

The stub answers with the same number of octets and does nothing else, so its rate is the transport's ceiling.

Usage: bench_transport.py [--seconds S]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from eid.card import VirtualCard
from eid.codec.apdu import CommandAPDU
from eid.errors import ReaderUnavailableError
from eid.profile.card_image import AccessCondition, CardImage, ChipImage, FileImage, Interface, SecurityDomainImage
from eid.protocols.exchange import Connection
from eid.protocols.scp03.key_set import default_key_set
from eid.transport.loopback import LoopbackConnection
from eid.transport.pcsc import open_reader
from eid.transport.pcscd import private_pcscd
from eid.transport.reactive_card import ReactiveCard

FID = 0x011C
LENGTHS = (8, 223, 256, 4096, 30000)
WANTED = 0.6  # of the stub's rate, over PC/SC
ROUNDS = 5  # stub and card take turns, for the machine's speed is not constant


class Stub:
    """Answers with as many octets as were asked for."""

    atr = bytes.fromhex("3B80800101")

    def __init__(self, length: int) -> None:
        self.response = bytes(length) + b"\x90\x00"

    def process(self, command: bytes) -> bytes:
        return self.response

    def reset(self) -> bytes:
        return self.atr

    def power_off(self) -> None:
        pass


def make_card() -> VirtualCard:
    file = FileImage("EF.CardAccess", FID, 0x1C, bytes(max(LENGTHS)), AccessCondition.ALWAYS)
    domain = SecurityDomainImage(bytes.fromhex("A000000151000000"))
    image = CardImage(ChipImage(Interface.CONTACTLESS, b"", domain), (file,), (), ())
    return VirtualCard.from_image(image, serial=b"SPECIMEN01", keys=default_key_set(16))


def rate(connection: Connection, command: bytes, expected: int, seconds: float) -> float:
    """Commands per second."""
    count, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds or count == 0:
        for _ in range(20):
            if len(connection.transmit(command)) != expected + 2:
                raise SystemExit("the card did not answer with the file's octets")
        count += 20
    return count / passed


def compare(open_card: Callable[[ReactiveCard], Connection], length: int, seconds: float) -> tuple[float, float]:
    """Best rates of stub and card, in turns."""
    command = CommandAPDU(0x00, 0xB0, 0x80 | 0x1C, 0x00, le=length).encode()
    best = [0.0, 0.0]
    for _ in range(ROUNDS):
        cards: tuple[ReactiveCard, ...] = (Stub(length), make_card())
        for place, card in enumerate(cards):
            connection = open_card(card)
            try:
                best[place] = max(best[place], rate(connection, command, length, seconds / ROUNDS))
            finally:
                connection.close()
    return best[0], best[1]


def table(title: str, open_card: Callable[[ReactiveCard], Connection], seconds: float, wanted: float | None) -> None:
    print(f"\n{title}")
    print(f"{'octets':>8} {'stub /s':>12} {'card /s':>12} {'ratio':>8}")
    for length in LENGTHS:
        stub, card = compare(open_card, length, seconds)
        verdict = "" if wanted is None else f"  {'ok' if card / stub >= wanted else 'BELOW'} (wanted {wanted})"
        print(f"{length:>8} {stub:>12,.0f} {card:>12,.0f} {card / stub:>8.2f}{verdict}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=1.0, help="per figure")
    seconds = options.parse_args().seconds
    table("READ BINARY in-process", LoopbackConnection, seconds, None)
    try:
        with private_pcscd() as host:
            reader = host.readers[0]

            def insert_and_open(card: ReactiveCard) -> Connection:
                reader.remove()
                reader.insert(card)
                return open_reader(reader.name)

            table(f"READ BINARY through vpcd and PC/SC ({host.way})", insert_and_open, seconds, WANTED)
    except ReaderUnavailableError as failure:
        print(f"\nnot measured over PC/SC: {failure}")


if __name__ == "__main__":
    main()
