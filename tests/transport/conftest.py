from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eid.errors import CardRemovedError
from eid.transport.pcscd import PcscHost

ROOT = Path(__file__).parents[2]


class EchoCard:
    """Answers a command's own octets, a mark and 9000; INS FE makes it leave the reader, INS FF answers P1P2 octets."""

    def __init__(self, mark: bytes = b"", historical: bytes = b"ECHO") -> None:
        body = bytes((0x80 | len(historical), 0x80, 0x01)) + historical
        check = 0
        for octet in body:
            check ^= octet
        self.atr = b"\x3b" + body + bytes((check,))
        self.mark = mark
        self.events: list[str] = []
        self.commands: list[bytes] = []

    def process(self, command: bytes) -> bytes:
        self.commands.append(command)
        if command[1:2] == b"\xfe":
            raise CardRemovedError("made to leave")
        if command[1:2] == b"\xff":
            return bytes(int.from_bytes(command[2:4], "big")) + b"\x90\x00"
        return (command if len(command) > 5 else b"") + self.mark + b"\x90\x00"

    def reset(self) -> bytes:
        self.events.append("reset")
        return self.atr

    def power_off(self) -> None:
        self.events.append("off")


class FakeVpcd:
    """The reader's end of a vpcd connection as the driver behaves: two writes per frame, Nagle's algorithm on."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        connected.settimeout(60)

    def send(self, body: bytes) -> None:
        self.socket.sendall(len(body).to_bytes(2, "big"))
        self.socket.sendall(body)

    def receive(self) -> bytes:
        return self._exactly(int.from_bytes(self._exactly(2), "big"))

    def exchange(self, body: bytes) -> bytes:
        self.send(body)
        return self.receive()

    def _exactly(self, count: int) -> bytes:
        gathered = b""
        while len(gathered) < count:
            chunk = self.socket.recv(count - len(gathered))
            if not chunk:
                raise EOFError
            gathered += chunk
        return gathered


@pytest.fixture(scope="session")
def echo_card() -> type[EchoCard]:
    return EchoCard


@pytest.fixture
def namespaces(pcsc_daemon: PcscHost) -> None:
    """Skip where namespaces are refused (plain containers): a slot that vpcd dials from is mute, but never empty."""
    if "namespaces" not in pcsc_daemon.way:
        pytest.skip(f"needs a PC/SC daemon in namespaces of its own; this one is {pcsc_daemon.way}")


@pytest.fixture
def tcp_pair() -> Iterator[tuple[FakeVpcd, socket.socket]]:
    """vpcd's end and the card's end of one connection over the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        card_end = socket.create_connection(listener.getsockname())
        vpcd_end, _ = listener.accept()
    with vpcd_end, card_end:
        yield FakeVpcd(vpcd_end), card_end


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in a fresh interpreter: PC/SC remembers in a process which daemon it has met."""

    def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
