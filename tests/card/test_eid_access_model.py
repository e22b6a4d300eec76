"""A stateful walk over the eID application: a data group opens, and takes writing, exactly when a small model says so.

The model knows three things: with which password PACE was run, how far the General Authentication Procedure has come,
and the bits that holder, terminal, document verifier and CVCA all leave (TR-03110-2 2.4, TR-03110-4 2.2.3.2).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from eid.card import VirtualCard
from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_response
from eid.codec.cv import Chat
from eid.codec.oid import ID_AT
from eid.crypto.group import compress_public_key
from eid.errors import AuthenticationError, EidError, StatusWordError
from eid.lds.card_security import decode_card_security
from eid.lds.eid_application import EID_AID, EID_GROUPS
from eid.protocols.chip_authentication.core import VERSION_2, ChipKey, find_chip_keys
from eid.protocols.chip_authentication.terminal import run_chip_authentication_2
from eid.protocols.exchange import drive, through
from eid.protocols.files import select_application
from eid.protocols.pace.core import require_parameters
from eid.protocols.pace.terminal import run_pace
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.terminal_authentication.terminal import run_terminal_authentication_2
from tests.builders.eid_card import CAN, GROUP, PACE, PIN, PUK, EidBench, build_image, build_pki, card_security
from tests.builders.sweep import examples
from tests.builders.terminals import ALL_AT_RIGHTS, CVCA, TerminalPki, ec_signer

NUMBERS = tuple(group.number for group in EID_GROUPS)
CAN_ALLOWED = 1 << 4
ALL = int.from_bytes(ALL_AT_RIGHTS, "big")
MASKS = (
    ALL,
    0,
    ALL & ~CAN_ALLOWED,
    CAN_ALLOWED | 0b1111 << 8,  # reads DG1 to DG4
    0x2AAAAAAAAA & ALL | CAN_ALLOWED,
    0b111111 << 32,  # writes, and reads nothing
)
WAYS = ("sfi", "select", "odd")
ROOM = 20  # octets that are compared and written


def octets(mask: int) -> bytes:
    return mask.to_bytes(5, "big")


@cache
def pki(terminal: int, document_verifier: int) -> TerminalPki:
    return replace(build_pki(octets(terminal)), dv_rights=octets(document_verifier))


@cache
def chip_key() -> ChipKey:
    return find_chip_keys(decode_card_security(card_security(), []).security_infos, VERSION_2)[0]


def readable(number: int) -> int:
    """Bits 8 to 29 (TR-03110-4 table 6)."""
    return 1 << 7 + number


def writable(number: int) -> int:
    """Bits 37 down to 32, for DG17 to DG22; no others are ever written."""
    return 1 << 54 - number if number >= 17 else 0


class EidAccess(RuleBasedStateMachine):
    """One card, one terminal, any order of steps."""

    @initialize(
        password=st.sampled_from([PIN, CAN]),
        mask=st.sampled_from(MASKS),
        level=st.integers(0, 2),
        way=st.sampled_from(WAYS),
    )
    def insert(self, password, mask: int, level: int, way: str) -> None:
        self.bench = EidBench(pki(ALL, ALL))
        image = build_image(pki(ALL, ALL))
        self.contents = {file.sfi: file.content[:ROOM] for file in image.applications[0].files}
        self.whole_procedure(password, mask, level, way)

    @rule()
    def power_off(self) -> None:
        self.bench.card.reset()
        self.close()

    def close(self) -> None:
        self.session: SecureMessaging | None = None
        self.step = "closed"
        self.rights = self.consent = 0
        self.is_selected = False

    def run_inside(self, exchange):
        assert self.session is not None
        return drive(through(self.session, exchange), self.bench)

    def send(self, command: CommandAPDU) -> ResponseAPDU:
        if self.session is None:
            return decode_response(self.bench.card.process(command.encode()))
        sent = self.session.protect_command(command).encode()
        return self.session.unprotect_response(decode_response(self.bench.card.process(sent)))

    @rule(password=st.sampled_from([PIN, PIN, CAN, PUK]), consent=st.sampled_from(MASKS))
    def pace(self, password, consent: int) -> None:
        self.bench.card.reset()
        self.close()
        result = drive(run_pace(PACE, password, chat=Chat(ID_AT, octets(consent))), self.bench)
        self.session, self.step, self.consent, self.password = result.secure_messaging, "pace", consent, password
        self.id_picc = compress_public_key(require_parameters(PACE).group, result.chip_public)

    @precondition(lambda self: self.step == "pace")
    @rule(terminal=st.sampled_from(MASKS), document_verifier=st.sampled_from([ALL, ALL, MASKS[3]]))
    def authenticate_terminal(self, terminal: int, document_verifier: int) -> None:
        self.key = GROUP.generate()
        compressed = compress_public_key(GROUP, self.key.public)
        credentials = pki(terminal, document_verifier).credentials()
        run = run_terminal_authentication_2(credentials, [CVCA], self.id_picc, compressed)
        self.run_inside(run)
        self.step, self.proven = "terminal", self.consent & terminal & document_verifier

    @precondition(lambda self: self.step == "terminal")
    @rule(is_own=st.sampled_from([True, True, True, False]))
    def authenticate_chip(self, is_own: bool) -> None:
        """With the key that Terminal Authentication has committed to; no other one is taken."""
        key = self.key if is_own else GROUP.generate()
        run = run_chip_authentication_2(chip_key(), key)
        if not is_own:
            with pytest.raises(EidError):
                self.run_inside(run)
            self.power_off()
            return
        self.session = self.run_inside(run).secure_messaging
        self.step = "open"
        # The PUK unblocks the PIN and opens nothing, whoever the terminal is (TR-03110-2 2.4.1).
        by_can = self.password is CAN and self.proven & CAN_ALLOWED
        self.rights = self.proven if self.password is PIN or by_can else 0
        event(f"open with {self.rights:010X}")

    @rule(
        password=st.sampled_from([PIN, CAN, PUK]),
        mask=st.sampled_from(MASKS),
        level=st.integers(0, 2),
        way=st.sampled_from(WAYS),
    )
    def whole_procedure(self, password, mask: int, level: int, way: str) -> None:
        """All three steps in order, which a walk seldom finds, with a look at every file behind each.

        Args:
            level: who leaves only these bits: holder, terminal or document verifier.
        """
        consent, terminal, document_verifier = (mask if place == level else ALL for place in range(3))
        self.pace(password, consent)
        self.select()
        self.read_all(way)
        self.authenticate_terminal(terminal, document_verifier)
        self.read_all(way)
        self.write_all(bytes(ROOM))
        self.authenticate_chip(is_own=True)
        self.select()
        self.write_all(mask.to_bytes(ROOM, "big"))
        self.read_all(way)

    @precondition(lambda self: self.step == "pace")
    @rule()
    def authenticate_a_stranger(self) -> None:
        stranger = replace(pki(ALL, ALL), cvca=ec_signer("another")).credentials()
        run = run_terminal_authentication_2(stranger, [CVCA], self.id_picc, b"key")
        with pytest.raises((StatusWordError, AuthenticationError)):
            self.run_inside(run)
        if self.session is None or not self.session.is_alive:
            self.power_off()

    @rule()
    def select(self) -> None:
        if self.session is None:
            drive(select_application(EID_AID), self.bench)
        else:
            self.run_inside(select_application(EID_AID))
        self.is_selected = True

    @rule(junk=st.binary(min_size=4, max_size=12).filter(lambda raw: raw[1] != 0xA4))
    def junk(self, junk: bytes) -> None:
        """Unprotected, so that the session is over, unless the card could not even read it."""
        self.bench.card.process(junk)
        self.bench.card.process(bytes.fromhex("00B1010153"))
        selected = self.is_selected
        self.close()
        self.is_selected = selected

    @precondition(lambda self: self.is_selected)
    @rule(way=st.sampled_from(WAYS))
    def read_all(self, way: str) -> None:
        for number in NUMBERS:
            answer = self.read_by(number, way)
            if self.step == "open" and self.rights & readable(number):
                event("read")
                assert answer.data.endswith(self.contents[number]), number
            else:
                assert (answer.data, answer.sw) == (b"", 0x6982), number

    def read_by(self, number: int, way: str) -> ResponseAPDU:
        length = len(self.contents[number])
        if way == "sfi":
            return self.send(CommandAPDU(0, 0xB0, 0x80 | number, 0, le=length))
        if way == "odd":
            return self.send(CommandAPDU(0, 0xB1, 0x00, number, bytes.fromhex("540100"), length + 2))
        selected = self.send(CommandAPDU(0, 0xA4, 0x02, 0x0C, bytes((0x01, number))))
        return selected if selected.sw != 0x9000 else self.send(CommandAPDU(0, 0xB0, 0, 0, le=length))

    @precondition(lambda self: self.is_selected)
    @rule(content=st.binary(min_size=ROOM, max_size=ROOM))
    def write_all(self, content: bytes) -> None:
        for number in NUMBERS:
            answer = self.send(CommandAPDU(0, 0xD6, 0x80 | number, 0, content))
            if self.step == "open" and self.rights & writable(number):
                event("written")
                assert answer.sw == 0x9000, number
                self.contents[number] = content
            else:
                assert answer.sw in (0x6982, 0x6985), number

    def teardown(self) -> None:
        """What was written is there, and nothing else."""
        (directory,) = VirtualCard.from_state(self.bench.card.state())._card.memory.applications.values()
        held = {file.sfi: bytes(file.content[:ROOM]) for file in directory.files.values()}
        assert held == self.contents


EidAccess.TestCase.settings = settings(max_examples=examples(15), stateful_step_count=6, deadline=None)
TestEidAccess = EidAccess.TestCase
