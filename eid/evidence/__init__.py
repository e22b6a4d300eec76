"""What an inspection gathered: raw files and protocol transcripts, untrusted until verification has judged them.

Inspection only gathers, verification only judges; `Evidence` is the value between the two. The bytes that travel are
made by `eid.evidence.codec`: deterministic CBOR inside a COSE signature of the station that gathered them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

FORMAT_VERSION: Final = 1


@unique
class Origin(StrEnum):
    """Who gathered the evidence, which decides what its transcripts are worth."""

    STATION = "station"  # an inspection station that the verifier may know by its key
    UPLOAD = "upload"  # somebody's files; nothing but signatures by issuer and chip counts
    RELAY = "relay"  # the verifier itself ran the protocols through a relayed reader


@unique
class ProtocolName(StrEnum):
    """Protocols that leave a transcript."""

    PACE = "pace"
    BAC = "bac"
    CHIP_AUTHENTICATION = "chip_authentication"
    TERMINAL_AUTHENTICATION = "terminal_authentication"
    ACTIVE_AUTHENTICATION = "active_authentication"


@unique
class ProtocolOutcome(StrEnum):
    """How a protocol ended. Each is distinct, because the policy decides on it."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused"  # the card answered an error status word
    FAILED = "failed"  # the card answered, and what it answered is wrong
    NOT_SUPPORTED = "not_supported"  # the card does not announce it
    NOT_ATTEMPTED = "not_attempted"
    LINK_LOST = "link_lost"


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One elementary file as read: its name in `eid.lds.files` (e.g. "DG1", "EF.SOD"), and its raw bytes.

    `content` is None where the card did not give the file; `sw` then holds the status word.
    """

    name: str
    content: bytes | None = field(repr=False)
    sw: int = 0x9000


@dataclass(frozen=True, slots=True)
class ProtocolTranscript:
    """One protocol run.

    Args:
        parameters: what was used, as text, e.g. {"oid": ..., "curve": ..., "password": "CAN"}; never a secret.
        messages: what a later judge needs, as bytes, without session keys: for Active Authentication "challenge" and
            "signature"; for Chip Authentication "chip_public_key" (the SubjectPublicKeyInfo that was used) and
            "terminal_public_key"; for PACE with chip-authentication mapping "chip_authentication_data" (CA_IC) and
            "mapping_public_key" (PK_map,IC).
    """

    protocol: ProtocolName
    outcome: ProtocolOutcome
    parameters: dict[str, str] = field(default_factory=dict)
    messages: dict[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that one inspection gathered.

    Args:
        challenge: what the verifier asked the chip to sign (RND.IFD, 8 octets), or None where nobody asked.
        gathered_at: the station's clock, UTC, to the second.
        reader: name of the reader. policy: name of the inspection policy.
    """

    origin: Origin
    gathered_at: datetime
    challenge: bytes | None
    reader: str
    policy: str
    files: tuple[ReadFile, ...] = field(repr=False)
    transcripts: tuple[ProtocolTranscript, ...] = ()
    version: int = FORMAT_VERSION

    def content(self, name: str) -> bytes | None:
        """Raw bytes of the file with this name, or None where it was not read."""
        return next((item.content for item in self.files if item.name == name), None)

    def transcript(self, protocol: ProtocolName) -> ProtocolTranscript | None:
        """The last transcript of this protocol, or None."""
        for item in reversed(self.transcripts):
            if item.protocol is protocol:
                return item
        return None
