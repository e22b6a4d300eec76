"""The card's side of Terminal Authentication, by a transition table: certificates, terminal, challenge, signature."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum, auto, unique
from typing import Final, TypeVar

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.cv import Chat, Role
from eid.codec.oid import ID_IS
from eid.codec.status_word import SW
from eid.crypto.signatures import verify_signature
from eid.errors import CommandRefused, DecodeError, VerificationError
from eid.pki.cv_chain import CardTrust, Verified, intersect_rights, verify_cv_certificate
from eid.protocols.terminal_authentication import core, messages
from eid.protocols.terminal_authentication.core import VERSION_1, VERSION_2, AuthenticatedTerminal
from eid.protocols.terminal_authentication.messages import AuthenticationTemplate

T = TypeVar("T")


@unique
class State(Enum):
    """What the card waits for."""

    CERTIFICATES = auto()  # MSE:Set DST, or MSE:Set AT once a terminal's certificate was imported
    CERTIFICATE = auto()  # PSO:Verify Certificate
    CHALLENGE = auto()  # GET CHALLENGE
    SIGNATURE = auto()  # EXTERNAL AUTHENTICATE
    DONE = auto()


class TerminalAuthenticationCard:
    """Answers MSE:Set DST, PSO:Verify Certificate, MSE:Set AT, GET CHALLENGE and EXTERNAL AUTHENTICATE.

    A refused command forgets all certificates imported so far; a terminal authenticates itself once.

    Args:
        trust: what the card trusts, and its date. id_picc: how the terminal knows this chip in this session.
        terminal_key: Comp(PK_PCD) of Chip Authentication version 1; None where version 2 is to be run.
        chat: what PACE has restricted the terminal to; version 2 needs it (TR-03110-2 3.2).
    """

    def __init__(
        self,
        trust: CardTrust,
        id_picc: bytes,
        *,
        terminal_key: bytes | None = None,
        chat: Chat | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.trust = trust
        self._id_picc = id_picc
        self._terminal_key = terminal_key
        self._chat = chat
        self._random = random
        self._forget()

    @property
    def awaits_challenge(self) -> bool:
        """Whether GET CHALLENGE is meant for this protocol."""
        return self._state is State.CHALLENGE

    @property
    def awaits_signature(self) -> bool:
        """Whether EXTERNAL AUTHENTICATE is meant for this protocol."""
        return self._state is State.SIGNATURE

    def _forget(self) -> None:
        self._state = State.CERTIFICATES
        self._issuer: Verified | None = None
        self._imported: Verified | None = None
        self._template: AuthenticationTemplate | None = None
        self._challenge = b""

    def set_dst(self, command: CommandAPDU) -> ResponseAPDU:
        """Choose the key that verifies the next certificate: a trust point's, or that of the certificate before.

        Raises:
            CommandRefused: 6985 out of order, 6A80 malformed, 6A88 no such key.
        """
        self._require(_BEFORE_CHALLENGE)
        imported = self._imported
        self._forget()
        reference = _decoded(messages.decode_set_dst, command.data)
        if imported is not None and imported.certificate.holder_reference == reference:
            self._issuer = imported
        else:
            self._issuer = self.trust.find(reference)
        if self._issuer is None:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such key")
        self._state = State.CERTIFICATE
        return ResponseAPDU()

    def verify_certificate(self, command: CommandAPDU) -> ResponseAPDU:
        """Verify and import a certificate; `trust` moves on with it (TR-03110-3 2.5).

        Raises:
            CommandRefused: 6985 out of order, 6A80 malformed or unknown algorithm, 6300 not accepted.
        """
        self._require((State.CERTIFICATE,))
        issuer = self._issuer
        self._forget()
        if issuer is None:
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "MSE:Set DST comes first")
        certificate = _decoded(messages.decode_verify_certificate, command.data)
        try:
            verified = verify_cv_certificate(certificate, issuer, self.trust.today)
        except VerificationError as fault:
            raise CommandRefused(SW.WARNING_AUTHENTICATION_FAILED, str(fault)) from fault
        except DecodeError as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        self.trust = self.trust.accept(verified)
        self._imported = verified
        return ResponseAPDU()

    def set_at(self, command: CommandAPDU) -> ResponseAPDU:
        """Name the terminal's key, and in version 2 the ephemeral key and auxiliary data.

        Raises:
            CommandRefused: 6985 out of order, or the other version, 6A80 malformed, 6A88 no such key.
        """
        self._require((State.CERTIFICATES,))
        imported = self._imported
        self._forget()
        template = _decoded(messages.decode_set_at, command.data)
        _decoded(messages.decode_auxiliary_data, template.auxiliary)
        if imported is None or imported.certificate.holder_reference != template.holder_reference:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such key")
        if imported.certificate.chat.role is not Role.TERMINAL:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "not a terminal's key")
        if template.protocol not in (None, imported.certificate.public_key.oid):
            raise CommandRefused(SW.WRONG_DATA, "not the algorithm of the terminal's key")
        if (template.compressed_key is None) == (self._terminal_key is None):
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "Chip Authentication and this version do not go together")
        if template.compressed_key is None and imported.chat.oid != ID_IS:
            # TR-03110-1 knows no other terminals; their rights begin with what PACE has left them.
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "version 1 is for inspection systems")
        if template.compressed_key is None and template.auxiliary:
            raise CommandRefused(SW.WRONG_DATA, "version 1 has no auxiliary data")
        if template.compressed_key is not None and (self._chat is None or self._chat.oid != imported.chat.oid):
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "PACE was not run for this type of terminal")
        self._imported, self._template = imported, template
        self._state = State.CHALLENGE
        return ResponseAPDU()

    def get_challenge(self, command: CommandAPDU) -> ResponseAPDU:
        """r_PICC.

        Raises:
            CommandRefused: 6985 out of order, 6A86, 6700.
        """
        self._require((State.CHALLENGE,))
        imported, template = self._imported, self._template
        self._forget()
        if command.p1 or command.p2:
            raise CommandRefused(SW.WRONG_P1P2)
        if command.data or command.le != core.CHALLENGE_LENGTH:
            raise CommandRefused(SW.WRONG_LENGTH)
        self._imported, self._template = imported, template
        self._challenge = self._random(core.CHALLENGE_LENGTH)
        self._state = State.SIGNATURE
        return ResponseAPDU(self._challenge)

    def external_authenticate(self, command: CommandAPDU) -> tuple[ResponseAPDU, AuthenticatedTerminal]:
        """Verify the terminal's signature; each challenge serves once.

        Raises:
            CommandRefused: 6985 out of order, 6A86, 6300 wrong signature.
        """
        self._require((State.SIGNATURE,))
        imported, template, challenge = self._imported, self._template, self._challenge
        self._forget()
        if imported is None or template is None:
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "no terminal is named")
        if command.p1 or command.p2:
            raise CommandRefused(SW.WRONG_P1P2)
        key = template.compressed_key or self._terminal_key or b""
        signed = core.build_signed_data(self._id_picc, challenge, key, template.auxiliary)
        try:
            verify_signature(imported.key.public_key, imported.key.algorithm, signed, command.data)
        except VerificationError as fault:
            raise CommandRefused(SW.WARNING_AUTHENTICATION_FAILED, "wrong signature") from fault
        self._state = State.DONE
        return ResponseAPDU(), self._describe(imported, template, key)

    def _describe(self, imported: Verified, template: AuthenticationTemplate, key: bytes) -> AuthenticatedTerminal:
        version, rights = VERSION_1, imported.rights
        if template.compressed_key is not None:
            version = VERSION_2
            rights = intersect_rights(rights, b"" if self._chat is None else self._chat.authorization)
        auxiliary = messages.decode_auxiliary_data(template.auxiliary)
        chat = Chat(imported.chat.oid, rights)
        extensions, signature_hash = imported.certificate.extensions, imported.signature_hash
        return AuthenticatedTerminal(
            template.holder_reference, chat, version, key, auxiliary, extensions, signature_hash
        )

    def _require(self, states: tuple[State, ...]) -> None:
        if self._state not in states:
            if self._state is not State.DONE:
                self._forget()
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "out of order")


_BEFORE_CHALLENGE: Final = (State.CERTIFICATES, State.CERTIFICATE, State.CHALLENGE, State.SIGNATURE)


def _decoded(decode: Callable[[bytes], T], data: bytes) -> T:
    try:
        return decode(data)
    except DecodeError as fault:
        raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
