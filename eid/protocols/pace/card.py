"""The card's side of PACE: one command after the other, by a transition table. Any fault starts all over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.cv import Chat
from eid.codec.status_word import SW
from eid.crypto.group import GroupKey
from eid.crypto.mac import verify_mac
from eid.errors import AuthenticationError, CommandRefused, DecodeError, LocalProtocolError, PeerProtocolError
from eid.lds.security_infos import PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.pace import core, messages
from eid.protocols.pace.core import Mapping, Nonce, PaceResult, Parameters, Password, SessionKeys
from eid.protocols.pace.messages import Answer, SetAuthenticationTemplate, Step


@dataclass(slots=True)
class _Run:
    """One run: what was agreed so far. Dropped as a whole."""

    info: PACEInfo
    parameters: Parameters
    password: PasswordId
    chat: Chat | None
    k_pi: bytes = field(repr=False)
    step: Step = Step.NONCE
    nonce: Nonce = field(default=Nonce(b""), repr=False)
    generator: bytes = field(default=b"", repr=False)
    mapping_scalar: int = field(default=0, repr=False)
    keys: SessionKeys | None = None
    terminal_public: bytes = b""
    card_public: bytes = b""


class PaceCard:
    """Answers MSE:Set AT and the four GENERAL AUTHENTICATE commands of PACE.

    Args:
        pace_infos: what the card announces. password_for: the value of a password, None where the card has none; it may
            raise CommandRefused (6983 blocked, 6984 not usable).
        static_key: the scalar of the Chip Authentication key on the group of that name, for CAM.
        references: names of the trust points for the type of terminal that the CHAT announces, newest first, at most
            two; None where there is no CHAT.

    The retry counter is its owner's: take a try from `password` before a command while `awaits_token`, give it back on
    success; so that cutting the power in between gains nothing.
    """

    def __init__(
        self,
        pace_infos: Iterable[PACEInfo],
        password_for: Callable[[PasswordId], bytes | None],
        random: Callable[[int], bytes] = os.urandom,
        *,
        static_key: Callable[[str], int | None] = lambda _: None,
        references: Callable[[Chat | None], tuple[bytes, ...]] = lambda _: (),
    ) -> None:
        self._pace_infos = tuple(pace_infos)
        self._password_for = password_for
        self._random = random
        self._static_key = static_key
        self._references = references
        self._run: _Run | None = None

    @property
    def password(self) -> PasswordId | None:
        """The password of the run under way."""
        return None if self._run is None else self._run.password

    @property
    def awaits_token(self) -> bool:
        """Whether the next command is the one that shows whether the terminal knows the password."""
        return self._run is not None and self._run.step is Step.TOKEN

    def reset(self) -> None:
        """Forget a run under way."""
        self._run = None

    def set_at(self, command: CommandAPDU) -> ResponseAPDU:
        """Begin a run (Doc 9303-11 4.4.4.1).

        Raises:
            CommandRefused: 6A80 unknown protocol or malformed, 6A88 no such password or domain parameters.
        """
        self._run = None
        try:
            template = messages.decode_set_at(command.data)
        except DecodeError as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        info = self._choose(template)
        parameters = core.find_parameters(info, foreign_curves=True)  # its own issuer chose them
        if parameters is None:
            raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "announced, but not spoken")
        password = messages.find_password_id(template.password_id)
        value = None if password is None else self._password_for(password)
        if password is None or not value:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such password")
        k_pi = core.derive_nonce_key(parameters.suite, Password(password, value))
        self._run = _Run(info, parameters, password, template.chat, k_pi)
        return ResponseAPDU()

    def general_authenticate(self, command: CommandAPDU) -> tuple[ResponseAPDU, PaceResult | None]:
        """Take the next step; after the fourth comes the result, with a session that begins with the next command.

        Raises:
            CommandRefused: 6985 no run, 6300 wrong token, 6A80 malformed, 6883 wrong chaining; the run is over.
        """
        run, self._run = self._run, None
        if run is None:
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "MSE:Set AT comes first")
        step = run.step
        if command.p1 or command.p2:
            raise CommandRefused(SW.WRONG_P1P2)
        if command.is_chained != (step is not Step.TOKEN):
            raise CommandRefused(SW.LAST_COMMAND_OF_CHAIN_EXPECTED, f"step {step}")
        try:
            value = messages.decode_general_authenticate(step, command.data)
            answer = ResponseAPDU(messages.encode_answer(step, _HANDLERS[step](self, run, value)))
        except AuthenticationError as fault:
            raise CommandRefused(SW.WARNING_AUTHENTICATION_FAILED, "wrong token") from fault
        except (DecodeError, PeerProtocolError, LocalProtocolError) as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        if step is Step.TOKEN:
            return answer, self._finish(run)
        run.step = Step(step + 1)
        self._run = run
        return answer, None

    def _choose(self, template: SetAuthenticationTemplate) -> PACEInfo:
        """The announced PACEInfo that is meant; data object 84 decides where several share the protocol."""
        same = [info for info in self._pace_infos if info.protocol == template.protocol]
        if not same:
            raise CommandRefused(SW.WRONG_DATA, "protocol is not announced")
        if template.parameter_id is not None:
            same = [info for info in same if info.parameter_id == template.parameter_id]
        if len(same) != 1:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "domain parameters are unknown or ambiguous")
        return same[0]

    def _answer_nonce(self, run: _Run, _: bytes) -> Answer:
        run.nonce = Nonce(self._random(core.nonce_length(run.parameters)))
        return Answer(core.encrypt_nonce(run.parameters.suite, run.k_pi, run.nonce))

    def _answer_mapping(self, run: _Run, value: bytes) -> Answer:
        if run.parameters.mapping is Mapping.INTEGRATED:
            run.generator = core.map_nonces(run.parameters, run.nonce, value)
            return Answer(b"")
        key = self._generate_mapping_key(run)
        run.generator = core.map_generator(run.parameters.group, run.nonce, key, value)
        return Answer(key.public)

    def _answer_key_agreement(self, run: _Run, value: bytes) -> Answer:
        run.terminal_public = run.parameters.group.require_element(value)
        key = run.parameters.group.generate(self._random)
        run.card_public = key.public_on(run.generator)
        run.keys = core.derive_session_keys(run.parameters.suite, key, run.card_public, run.terminal_public)
        return Answer(run.card_public)

    def _answer_token(self, run: _Run, value: bytes) -> Answer:
        keys = _require_keys(run)
        verify_mac(core.compute_token(run.parameters, keys, run.card_public), value)
        token = core.compute_token(run.parameters, keys, run.terminal_public)
        return Answer(token, self._chip_authentication_data(run, keys), self._references(run.chat))

    def _generate_mapping_key(self, run: _Run) -> GroupKey:
        """A mapping key; chip-authentication mapping needs its scalar once more (Doc 9303-11 4.4.3.5.1)."""
        group = run.parameters.group
        if run.parameters.mapping is not Mapping.CHIP_AUTHENTICATION:
            return group.generate(self._random)
        length = (group.order.bit_length() + 7) // 8 + 8  # FIPS 186-5 A.2.1
        run.mapping_scalar = 1 + int.from_bytes(self._random(length), "big") % (group.order - 1)
        return group.key(run.mapping_scalar)

    def _chip_authentication_data(self, run: _Run, keys: SessionKeys) -> bytes | None:
        if run.parameters.mapping is not Mapping.CHIP_AUTHENTICATION:
            return None
        scalar = self._static_key(run.parameters.group.name)
        if scalar is None:
            raise LocalProtocolError("the card has no Chip Authentication key on PACE's curve")
        return core.encrypt_chip_authentication_data(
            run.parameters.suite, keys, run.parameters.group, scalar, run.mapping_scalar
        )

    def _finish(self, run: _Run) -> PaceResult:
        session = core.open_session(run.parameters.suite, _require_keys(run))
        group = run.parameters.group.name
        return PaceResult(session, run.info, group, run.password, chip_public=run.card_public, chat=run.chat)


def _require_keys(run: _Run) -> SessionKeys:
    if run.keys is None:
        raise LocalProtocolError("no keys were agreed")
    return run.keys


_HANDLERS: Final[dict[Step, Callable[[PaceCard, _Run, bytes], Answer]]] = {
    Step.NONCE: PaceCard._answer_nonce,
    Step.MAPPING: PaceCard._answer_mapping,
    Step.KEY_AGREEMENT: PaceCard._answer_key_agreement,
    Step.TOKEN: PaceCard._answer_token,
}
