"""May this terminal read fingers and irises: Terminal Authentication version 1, as a transcript (TR-03110-1 3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eid.codec.cv import CvCertificate
from eid.errors import DecodeError, PeerProtocolError, StatusWordError
from eid.evidence import ProtocolName, ProtocolOutcome, ProtocolTranscript
from eid.inspection.session import Session
from eid.lds.cvca import decode_ef_cvca
from eid.lds.files import EF_CVCA
from eid.protocols.exchange import Exchange
from eid.protocols.terminal_authentication.terminal import (
    EXTERNAL_AUTHENTICATE,
    SET_DST,
    VERIFY_CERTIFICATE,
    TerminalCredentials,
    run_terminal_authentication,
)

_TA: Final = ProtocolName.TERMINAL_AUTHENTICATION
_REFUSED: Final = {SET_DST: "chain", VERIFY_CERTIFICATE: "chain", EXTERNAL_AUTHENTICATE: "signature"}
"""What the card refused, by the command that it refused; all else is the terminal's name or the order of commands."""


def authenticate_terminal(session: Session, credentials: TerminalCredentials) -> Exchange[ProtocolTranscript]:
    """Prove the terminal's rights to the chip, in the session that Chip Authentication has opened.

    The transcript tells a chain that the card refuses from a signature that it refuses, and names the certificate.

    Raises:
        AuthenticationError: the session broke. KeyStoreError: the terminal's key cannot be used.
        DecodeError, LocalProtocolError: the terminal's own chain is malformed or empty.
    """
    chain = credentials.decode()
    parameters = {"terminal": chain[-1].holder_reference}
    if session.opening is None or session.terminal_key is None:
        reason = "Chip Authentication, which comes first, did not succeed"
        return ProtocolTranscript(_TA, ProtocolOutcome.NOT_ATTEMPTED, parameters | {"reason": reason})
    references = session.opening.references or (yield from _read_references(session))
    if not references:
        return ProtocolTranscript(_TA, ProtocolOutcome.NOT_SUPPORTED, parameters)
    if not _leads_from(chain, references):
        told = {"reason": "no certificate is by what the card trusts", "trust_points": " ".join(references)}
        return ProtocolTranscript(_TA, ProtocolOutcome.NOT_ATTEMPTED, parameters | told)
    run = run_terminal_authentication(credentials, references, session.opening.id_picc, session.terminal_key)
    try:
        yield from session.run(run)
    except StatusWordError as refusal:
        return ProtocolTranscript(_TA, ProtocolOutcome.REFUSED, parameters | _describe(refusal))
    except PeerProtocolError as fault:
        return ProtocolTranscript(_TA, ProtocolOutcome.FAILED, parameters | {"reason": str(fault)})
    session.note_proof(lambda: authenticate_terminal(session, credentials))
    return ProtocolTranscript(_TA, ProtocolOutcome.SUCCEEDED, parameters)


def _leads_from(chain: Sequence[CvCertificate], references: Sequence[str]) -> bool:
    return any(certificate.authority_reference in references for certificate in chain)


def _read_references(session: Session) -> Exchange[tuple[str, ...]]:
    """EF.CVCA, for a chip that was opened by BAC or whose PACE tells nothing (TR-03110-1, EF.CVCA)."""
    found = yield from session.read(EF_CVCA)
    try:
        return () if found.content is None else decode_ef_cvca(found.content)
    except DecodeError:
        return ()


def _describe(refusal: StatusWordError) -> dict[str, str]:
    certificate = {"certificate": refusal.meaning} if refusal.command in (SET_DST, VERIFY_CERTIFICATE) else {}
    return {"refused": _REFUSED.get(refusal.command, refusal.command), "sw": f"{refusal.sw:04X}"} | certificate
