"""The card's protocols, each with one thing left out that a terminal relies on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.codec.tlv import Tlv, decode_tlvs, encode_tlvs
from eid.crypto.mac import compute_mac
from eid.errors import AuthenticationError, CommandRefused, DecodeError
from eid.protocols.bac import core as bac_core
from eid.protocols.bac.card import BacCard
from eid.protocols.pace import core
from eid.protocols.pace.card import _HANDLERS, PaceCard, _Run
from eid.protocols.pace.messages import Answer, Step
from eid.protocols.secure_messaging import DO_MAC, SecureMessaging


class LaxMessaging(SecureMessaging):
    """Puts the right MAC on what `trusts` says, before it is checked."""

    __slots__ = ()

    def trusts(self, command: CommandAPDU) -> CommandAPDU | None:
        """The command as it is to be taken; None where it is to be checked as it stands."""
        raise NotImplementedError

    def unprotect_command(self, command: CommandAPDU) -> CommandAPDU:
        taken = self.trusts(command)
        return super().unprotect_command(command if taken is None else self.with_mac(taken))

    def with_mac(self, command: CommandAPDU) -> CommandAPDU:
        """The command with the MAC that is due now."""
        self._ssc += 1
        objects = encode_tlvs(item for item in decode_tlvs(command.data) if item.tag != DO_MAC)
        mac = self._mac(self._with_header(command.header, objects))
        self._ssc -= 1
        return replace(command, data=objects + Tlv(DO_MAC, mac).encode())

    def sent(self, command: CommandAPDU) -> bytes | None:
        """The MAC that was sent."""
        try:
            return next((item.value for item in decode_tlvs(command.data) if item.tag == DO_MAC), None)
        except DecodeError:
            return None

    def is_right(self, command: CommandAPDU) -> bool:
        """Whether its MAC is the one that is due."""
        return self.sent(command) == self.sent(self.with_mac(command))


class HalfMac(LaxMessaging):
    """Compares four octets of eight."""

    __slots__ = ()

    def trusts(self, command: CommandAPDU) -> CommandAPDU | None:
        sent, due = self.sent(command), self.sent(self.with_mac(command))
        return command if sent is not None and due is not None and sent[:4] == due[:4] else None


class OptionalMac(LaxMessaging):
    """Takes commands that have none."""

    __slots__ = ()

    def trusts(self, command: CommandAPDU) -> CommandAPDU | None:
        return command if command.data and self.sent(command) is None else None


class HeaderlessMac(LaxMessaging):
    """Does not care for P2."""

    __slots__ = ()

    def trusts(self, command: CommandAPDU) -> CommandAPDU | None:
        other = replace(command, p2=command.p2 ^ 0x01)
        return command if self.sent(command) == self.sent(self.with_mac(other)) else None


class InstructionlessMac(LaxMessaging):
    """Does not care for INS, and does B0 for B1."""

    __slots__ = ()

    def trusts(self, command: CommandAPDU) -> CommandAPDU | None:
        other = replace(command, ins=0xB0)
        return other if command.ins == 0xB1 and self.sent(command) == self.sent(self.with_mac(other)) else None


class UncoveredLe(LaxMessaging):
    """Does not care what data object 97 says."""

    __slots__ = ()

    def trusts(self, command: CommandAPDU) -> CommandAPDU | None:
        objects = decode_tlvs(command.data)
        for le in range(16):
            other = [Tlv(0x97, bytes((le,))) if item.tag == 0x97 else item for item in objects]
            if self.sent(command) == self.sent(self.with_mac(replace(command, data=encode_tlvs(other)))):
                return command
        return None


class Repeatable(LaxMessaging):
    """Takes the command before once more."""

    __slots__ = ()

    def trusts(self, command: CommandAPDU) -> CommandAPDU | None:
        self._ssc -= 2
        is_old = self._ssc >= 0 and self.is_right(command)
        self._ssc += 2
        return command if is_old else None


class Skippable(LaxMessaging):
    """Takes a command that is two ahead."""

    __slots__ = ()

    def trusts(self, command: CommandAPDU) -> CommandAPDU | None:
        self._ssc += 2
        is_ahead = self.is_right(command)
        if not is_ahead:
            self._ssc -= 2
        return command if is_ahead else None


class LaxBac(BacCard):
    """BAC with switches."""

    def __init__(
        self,
        mrz: str,
        random: Callable[[int], bytes],
        *,
        checks_mac: bool = True,
        checks_challenge: bool = True,
        needs_challenge: bool = True,
    ) -> None:
        super().__init__(mrz, random)
        self._checks_mac = checks_mac
        self._checks_challenge = checks_challenge
        self._needs_challenge = needs_challenge

    def external_authenticate(self, command: CommandAPDU) -> tuple[ResponseAPDU, SecureMessaging]:
        if self._rnd_ic is None and not self._needs_challenge:
            self._rnd_ic = bytes(8)
        return super().external_authenticate(command)

    def _open(self, raw: bytes, rnd_ic: bytes) -> bac_core.Token:
        if not self._checks_mac:
            raw = raw[:-8] + compute_mac(bac_core.SUITE, self._keys.k_mac, raw[:-8])
        if self._checks_challenge:
            return super()._open(raw, rnd_ic)
        try:
            return bac_core.decode_token(self._keys, raw)
        except AuthenticationError as fault:
            raise CommandRefused(SW.WARNING_AUTHENTICATION_FAILED) from fault


class LaxPace(PaceCard):
    """Takes any token."""

    def _answer_token(self, run: _Run, value: bytes) -> Answer:
        keys = run.keys
        if keys is None:
            raise DecodeError("no keys")
        return PaceCard._answer_token(self, run, core.compute_token(run.parameters, keys, run.card_public))


class FixedNonce(PaceCard):
    """The same nonce every time."""

    def _answer_nonce(self, run: _Run, _: bytes) -> Answer:
        run.nonce = core.Nonce(b"SPECIMEN SPECIME"[: core.nonce_length(run.parameters)])
        return Answer(core.encrypt_nonce(run.parameters.suite, run.k_pi, run.nonce))


class FixedMappingKey(PaceCard):
    """The same mapping key every time."""

    def _generate_mapping_key(self, run: _Run) -> core.GroupKey:
        run.mapping_scalar = 0x5EC1
        return run.parameters.group.key(run.mapping_scalar)


class AnyElement(PaceCard):
    """Takes what is no element of the group, in one step, and answers as if nothing was."""

    step = Step.MAPPING

    def general_authenticate(self, command: CommandAPDU) -> tuple[ResponseAPDU, core.PaceResult | None]:
        run = self._run
        try:
            return super().general_authenticate(command)
        except CommandRefused:
            if (
                run is None
                or run.step is not self.step
                or command.data[2] != self.step.command_tag
                or len(command.data) < 60
            ):
                raise
            return ResponseAPDU(bytes.fromhex("7C00")), None


class AnyKey(AnyElement):
    """The same in the key agreement."""

    step = Step.KEY_AGREEMENT


class Enduring(PaceCard):
    """A refused step may be tried again."""

    def general_authenticate(self, command: CommandAPDU) -> tuple[ResponseAPDU, core.PaceResult | None]:
        run = self._run
        try:
            return super().general_authenticate(command)
        except CommandRefused:
            self._run = run
            raise


_OVERRIDDEN = {Step.NONCE: "_answer_nonce", Step.TOKEN: "_answer_token"}


@contextmanager
def own_steps() -> Iterator[None]:
    """PaceCard finds its steps in a table; here in the object's own class."""
    kept = dict(_HANDLERS)
    for step, name in _OVERRIDDEN.items():
        _HANDLERS[step] = lambda card, run, value, name=name: getattr(card, name)(run, value)
    try:
        yield
    finally:
        _HANDLERS.update(kept)
