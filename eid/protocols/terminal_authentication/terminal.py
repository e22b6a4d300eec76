"""The terminal's side of Terminal Authentication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from eid.codec.cv import CvCertificate, decode_cv_certificate
from eid.errors import LocalProtocolError, PeerProtocolError, StatusWordError
from eid.keystore.ports import Signer
from eid.pki.cv_issuing import sign_plain
from eid.protocols.exchange import Exchange, send
from eid.protocols.terminal_authentication import core, messages
from eid.protocols.terminal_authentication.messages import AuthenticationTemplate

SET_DST: Final = "MSE:Set DST"
VERIFY_CERTIFICATE: Final = "PSO:Verify Certificate"
EXTERNAL_AUTHENTICATE: Final = "EXTERNAL AUTHENTICATE"
"""Names of commands as a `StatusWordError` carries them: the first two mean the chain, the last the signature."""


@dataclass(frozen=True, slots=True)
class TerminalCredentials:
    """A terminal's key, and the certificates that lead to it.

    Args:
        chain: CV certificates, raw, from below the oldest trust point, link certificates included, to the terminal's.
        signer: the terminal's key.
    """

    chain: tuple[bytes, ...]
    signer: Signer = field(repr=False)

    def decode(self) -> tuple[CvCertificate, ...]:
        """The chain, decoded.

        Raises:
            DecodeError: a certificate is malformed. LocalProtocolError: the chain is empty.
        """
        if not self.chain:
            raise LocalProtocolError("the terminal has no certificate")
        return tuple(decode_cv_certificate(raw) for raw in self.chain)


def run_terminal_authentication(
    credentials: TerminalCredentials, references: Sequence[str], id_picc: bytes, compressed_key: bytes
) -> Exchange[None]:
    """Version 1, inside the session of Chip Authentication (TR-03110-1 3.5).

    Args:
        references: names of the trust points that the card has told, in EF.CVCA or by PACE.
        id_picc: the document number with its check digit after BAC, Comp of the chip's ephemeral key after PACE.
        compressed_key: Comp(PK_PCD) of the key that Chip Authentication used.

    Raises:
        StatusWordError: the card refuses a certificate or the signature. PeerProtocolError: its challenge is malformed.
        LocalProtocolError: no certificate of the chain was issued by what the card trusts.
    """
    terminal = yield from _present_chain(credentials, references)
    template = AuthenticationTemplate(terminal.holder_reference)
    yield from _authenticate(credentials.signer, template, id_picc, compressed_key)


def run_terminal_authentication_2(
    credentials: TerminalCredentials,
    references: Sequence[str],
    id_picc: bytes,
    compressed_key: bytes,
    auxiliary: bytes = b"",
) -> Exchange[None]:
    """Version 2, inside the session of PACE and before Chip Authentication (TR-03110-2 3.3).

    Args:
        references: names of the trust points, as PACE has told them. id_picc: Comp of the chip's ephemeral PACE key.
        compressed_key: Comp(PK_PCD) of the key that Chip Authentication will use.
        auxiliary: data object 67, from `messages.encode_auxiliary_data`; empty for none.

    Raises:
        as `run_terminal_authentication`.
    """
    terminal = yield from _present_chain(credentials, references)
    protocol = terminal.public_key.oid
    template = AuthenticationTemplate(terminal.holder_reference, protocol, compressed_key, auxiliary)
    yield from _authenticate(credentials.signer, template, id_picc, compressed_key)


def _present_chain(credentials: TerminalCredentials, references: Sequence[str]) -> Exchange[CvCertificate]:
    """Import every certificate below the nearest trust point; the last one, which is the terminal's."""
    chain = credentials.decode()
    known = [number for number, item in enumerate(chain) if item.authority_reference in references]
    if not known:
        raise LocalProtocolError("no certificate of the terminal was issued by what the card trusts")
    for certificate in chain[known[-1] :]:
        try:
            yield from send(messages.encode_set_dst(certificate.authority_reference), SET_DST)
            yield from send(messages.encode_verify_certificate(certificate.raw), VERIFY_CERTIFICATE)
        except StatusWordError as refusal:
            detail = f"certificate of {certificate.holder_reference} by {certificate.authority_reference}"
            raise StatusWordError(refusal.sw, refusal.command, detail) from refusal
    return chain[-1]


def _authenticate(
    signer: Signer, template: AuthenticationTemplate, id_picc: bytes, compressed_key: bytes
) -> Exchange[None]:
    yield from send(messages.encode_set_at(template), "MSE:Set AT")
    challenge = (yield from send(messages.encode_get_challenge(), "GET CHALLENGE")).data
    if len(challenge) != core.CHALLENGE_LENGTH:
        raise PeerProtocolError(f"a challenge of {len(challenge)} octets (Doc 9303-11 7.1.5.4)")
    signed = core.build_signed_data(id_picc, challenge, compressed_key, template.auxiliary)
    yield from send(messages.encode_external_authenticate(sign_plain(signer, signed)), EXTERNAL_AUTHENTICATE)
