"""A whole issued card in a file, signed by an authority that exists for this one card: for demonstrations and tests."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import Final

from eid.codec import cv_tags
from eid.codec.tlv import encode_tlv
from eid.errors import AlreadyDoneError
from eid.identity import IdentityRecord
from eid.personalization.build import CardSecrets
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.store.card_file import open_card_file
from eid.testing.authority import SpecimenAuthority
from eid.testing.specimen import SpecimenCard, build_specimen, issue_data, specimen_for, specimen_terminals
from eid.testing.terminals import SpecimenTerminals
from reader_tools.output_file import write_private

FILLER_LENGTH: Final = 16  # octets


def write_issued_card(
    out: Path, profile_name: str, record: IdentityRecord | None, serial: bytes, now: datetime
) -> tuple[tuple[str, Path], ...]:
    """Issue a card of a product into a new file, and write beside it whatever opens, unlocks and verifies it.

    Args:
        record: None takes the specimen person. serial: 10 octets. now: the day of issue, with a time zone.

    Returns:
        what was written beside the card, and where.

    Raises:
        AlreadyDoneError: there is such a file. ProfileError: there is no such profile, or it is faulty.
        RecordError: the record does not fit the profile. StoreError: a file cannot be written.
    """
    profile = load_profile(profile_name).profile
    person = specimen_for(profile, now) if record is None else record
    drawn = _draw_secrets(profile)
    terminals = specimen_terminals(profile, now)
    with open_card_file(out) as file:
        if out.exists():
            raise AlreadyDoneError(f"{out} exists; a card is not overwritten")
        authority = SpecimenAuthority(profile, now)
        data = build_specimen(profile, authority, person, secrets=drawn, terminals=terminals)
        issued = issue_data(profile, authority, data, serial=serial, terminals=terminals)
        file.store(issued.card.state())
    files = {
        "csca.cer": (authority.csca_certificate, False),
        "crl": (authority.crl, False),
        "mrz": ("".join(f"{line}\n" for line in issued.mrz.encode()).encode("ascii"), True),
        **{name: (f"{value}\n".encode("ascii"), True) for name, value in _passwords(issued).items() if value},
        **({} if terminals is None else _terminal_files(terminals)),
    }
    return tuple((_WHAT[suffix], _write_beside(out, suffix, *content)) for suffix, content in files.items())


_WHAT: Final = {
    "csca.cer": "CSCA",
    "crl": "CRL",
    "mrz": "MRZ",
    "can": "CAN",
    "pin": "PIN",
    "puk": "PUK",
    "cvca.cvcert": "CVCA",
    "dv.cvcert": "document verifier",
    "terminal.cvcert": "terminal",
    "terminal.key": "terminal's key",
    "sector": "terminal's sector",
}


def _draw_secrets(profile: CardProfile) -> CardSecrets:
    def digits(count: int) -> str:
        return "".join(str(secrets.randbelow(10)) for _ in range(count))

    access = profile.access
    return CardSecrets(
        digits(profile.document.can_digits),
        digits(access.pin_digits) if "PIN" in access.passwords else "",
        digits(access.puk_digits) if "PUK" in access.passwords else "",
        secrets.token_bytes(FILLER_LENGTH),
    )


def _passwords(issued: SpecimenCard) -> dict[str, str]:
    return {"can": issued.can, "pin": issued.pin, "puk": issued.puk}


def _terminal_files(terminals: SpecimenTerminals) -> dict[str, tuple[bytes, bool]]:
    """The chain that opens what the card keeps for terminals, and its key, bare: it opens the data of nobody."""
    sector = terminals.sector
    return {
        "cvca.cvcert": (terminals.cvca_certificate, False),
        "dv.cvcert": (terminals.dv_certificate, False),
        "terminal.cvcert": (terminals.terminal_certificate, False),
        "terminal.key": (terminals.export_key(), True),
        **({} if sector is None else {"sector": (encode_tlv(cv_tags.PUBLIC_KEY, sector.content), False)}),
    }


def _write_beside(out: Path, suffix: str, content: bytes, is_private: bool) -> Path:
    path = out.with_name(f"{out.name}.{suffix}")
    if is_private:
        write_private(path, content)
    else:
        path.write_bytes(content)
    return path
