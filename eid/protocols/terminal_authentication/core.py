"""The role-blind part of Terminal Authentication, versions 1 and 2 (TR-03110-1 3.5, TR-03110-2 3.3, TR-03110-3 A.7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.cv import Chat, CvExtension

CHALLENGE_LENGTH: Final = 8  # r_PICC
VERSION_1: Final = 1
VERSION_2: Final = 2
_DATES_AND_CHECK_DIGITS: Final = 14  # octets of the MRZ information behind the document number


@dataclass(frozen=True, slots=True)
class AuxiliaryDatum:
    """One discretionary data template that the terminal has signed: what to compare (TR-03110-3 A.7.5)."""

    oid: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthenticatedTerminal:
    """What the card knows of a terminal that has authenticated itself.

    Args:
        chat: terminal type and effective authorization, role bits cleared.
        compressed_key: Comp(PK_PCD), which Chip Authentication version 2 must use.
        extensions: of the terminal's certificate. signature_hash: of that certificate's signature.
    """

    holder_reference: str
    chat: Chat
    version: int
    compressed_key: bytes
    auxiliary: tuple[AuxiliaryDatum, ...] = ()
    extensions: tuple[CvExtension, ...] = ()
    signature_hash: str = ""

    def find_auxiliary(self, oid: str) -> bytes | None:
        """What the terminal has committed to under this identifier; of several the last counts (TR-03110-3 A.7.5)."""
        return next((item.data for item in reversed(self.auxiliary) if item.oid == oid), None)


def identify_by_document_number(mrz_information: bytes) -> bytes:
    """ID_PICC after BAC: the document number with its check digit (TR-03110-1 3.5).

    Args:
        mrz_information: as for the BAC keys: number, birth and expiry, each with its check digit.
    """
    return mrz_information[:-_DATES_AND_CHECK_DIGITS]


def build_signed_data(id_picc: bytes, challenge: bytes, compressed_key: bytes, auxiliary: bytes = b"") -> bytes:
    """ID_PICC | r_PICC | Comp(PK_PCD) | A_PCD: what the terminal signs.

    Args:
        auxiliary: the data object 67 with its header, version 2 only.
    """
    return id_picc + challenge + compressed_key + auxiliary
