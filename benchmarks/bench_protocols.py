"""Chip protocols with terminal and card in this process, one core, beside the bare primitives.

- READ BINARY of 223 octets under AES-128 secure messaging: protected and unprotected at both ends. Its ceiling is the
  cipher and the MAC alone: AES-CBC of the data and AES-CMAC of command and response, once at each end.
- PACE with generic mapping on brainpoolP256r1, both ends. Its ceiling is the ten scalar multiplications of the protocol
  (five at each end) as bare ECDH operations.
- A command of 223 octets through an SCP03 channel of level 33, wrapped and unwrapped, its answer too.

Usage: bench_protocols.py [--seconds S]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from _measure import Work, compare, judge
from cryptography.hazmat.primitives.asymmetric import ec

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.crypto.block_cipher import decrypt_cbc, encrypt_cbc
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.mac import compute_mac
from eid.lds.security_infos import ID_PACE_ECDH_GM, PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import Password
from eid.protocols.pace.terminal import run_pace
from eid.protocols.scp03.channel import Scp03Channel
from eid.protocols.scp03.core import SecurityLevel, SessionKeys
from eid.protocols.secure_messaging import SecureMessaging

SUITE = CipherSuite.AES_128
PIECE = 223  # octets
READS, PACE_RUNS = 4000, 100  # wanted in a second


def protected_read() -> Work:
    """READ BINARY and its answer through secure messaging, all four operations."""
    terminal, card = (SecureMessaging(SUITE, bytes(16), bytes(range(16))) for _ in range(2))
    command, response = CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=PIECE), ResponseAPDU(bytes(PIECE))

    def run() -> None:
        card.unprotect_command(terminal.protect_command(command))
        answer = terminal.unprotect_response(card.protect_response(response))
        if len(answer.data) != PIECE:
            raise SystemExit("wrong answer")

    return run


def bare_aes(command_length: int, response_length: int) -> Work:
    """What of a protected command and its answer is AES: the IV, encryption, decryption, and four MACs. In octets."""
    key, iv, plain = bytes(16), bytes(16), bytes(224)
    encrypted = encrypt_cbc(SUITE, key, iv, plain)
    command, response = bytes(command_length), bytes(response_length)

    def run() -> None:
        for _ in range(2):
            compute_mac(SUITE, key, command)
            compute_mac(SUITE, key, response)
        encrypt_cbc(SUITE, key, iv, plain)
        decrypt_cbc(SUITE, key, iv, encrypted)

    return run


def pace(info: PACEInfo) -> Work:
    """One run from MSE:Set AT to the token."""
    password = Password(PasswordId.CAN, b"123456")
    card = PaceCard((info,), lambda _: password.value)

    def answer(command: CommandAPDU) -> ResponseAPDU:
        return card.set_at(command) if command.ins == 0x22 else card.general_authenticate(command)[0]

    def run() -> None:
        exchange = run_pace(info, password)
        request = next(exchange)
        try:
            while True:
                if not isinstance(request, CommandAPDU):
                    raise SystemExit("PACE asks for something else than a command")
                request = exchange.send(answer(request))
        except StopIteration:
            return

    return run


def bare_ecdh(curve: ec.EllipticCurve) -> Work:
    """Two keys made, eight exchanged."""
    peer = ec.generate_private_key(curve).public_key()

    def run() -> None:
        for _ in range(2):
            key = ec.generate_private_key(curve)
            for _ in range(4):
                key.exchange(ec.ECDH(), peer)

    return run


def scp03_command() -> Work:
    """UPDATE BINARY and its answer through a channel of level 33."""
    level = SecurityLevel.C_DECRYPTION_R_ENCRYPTION_C_MAC_R_MAC
    terminal, card = (
        Scp03Channel(SessionKeys(bytes(16), bytes(range(16)), bytes(range(1, 17))), level) for _ in range(2)
    )
    command, response = CommandAPDU(0x00, 0xD6, 0x00, 0x00, bytes(PIECE)), ResponseAPDU()

    def run() -> None:
        card.unprotect_command(terminal.protect_command(command))
        terminal.unprotect_response(card.protect_response(response))

    return run


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=3.0, help="for each row of the table")
    seconds = options.parse_args().seconds
    info = PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, 13)
    rows: tuple[tuple[str, Callable[[], Work], Callable[[], Work], int | None], ...] = (
        ("READ BINARY, AES-128", protected_read, lambda: bare_aes(35, 250), READS),
        ("PACE-GM, brainpoolP256r1", lambda: pace(info), lambda: bare_ecdh(ec.BrainpoolP256R1()), PACE_RUNS),
        ("SCP03 level 33, AES-128", scp03_command, lambda: bare_aes(250, 18), None),
    )
    print(f"{'both ends':<26}{'/s':>9}{'bare /s':>11}{'ratio':>7}{'undisturbed':>13}  target")
    for name, work, ceiling, wanted in rows:
        found = compare(work(), ceiling(), seconds)
        verdict = "none" if wanted is None else judge(round(found.rate), at_least=wanted)
        print(f"{name:<26}{found.rate:>9,.0f}{found.ceiling:>11,.0f}{found.ratio:>7.2f}", end="")
        print(f"{found.undisturbed:>13.2f}  {verdict}")


if __name__ == "__main__":
    main()
