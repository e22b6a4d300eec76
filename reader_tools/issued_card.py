"""A whole issued card in a file, signed by an authority that exists for this one card: for demonstrations and tests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from eid.errors import AlreadyDoneError
from eid.identity import IdentityRecord
from eid.profile.loader import load_profile
from eid.store.card_file import open_card_file
from eid.testing.authority import SpecimenAuthority
from eid.testing.specimen import build_specimen, issue_data, specimen_for
from reader_tools.output_file import write_private


@dataclass(frozen=True, slots=True)
class CardFiles:
    """Where a card and what belongs to it lie. can: None where the product prints no card access number."""

    card: Path
    csca: Path
    crl: Path
    mrz: Path
    can: Path | None


def write_issued_card(
    out: Path, profile_name: str, record: IdentityRecord | None, serial: bytes, now: datetime
) -> CardFiles:
    """Issue a card of a product into a new file, and write CSCA certificate, CRL, MRZ and CAN beside it.

    Args:
        record: None takes the specimen person. serial: 10 octets. now: the day of issue, with a time zone.

    Raises:
        AlreadyDoneError: there is such a file. ProfileError: there is no such profile, or it is faulty.
        RecordError: the record does not fit the profile. StoreError: a file cannot be written.
    """
    profile = load_profile(profile_name).profile
    person = specimen_for(profile, now) if record is None else record
    can = "".join(str(secrets.randbelow(10)) for _ in range(profile.document.can_digits))
    with open_card_file(out) as file:
        if out.exists():
            raise AlreadyDoneError(f"{out} exists; a card is not overwritten")
        authority = SpecimenAuthority(profile, now)
        issued = issue_data(profile, authority, build_specimen(profile, authority, person, can=can), serial=serial)
        file.store(issued.card.state())
    beside = {suffix: out.with_name(f"{out.name}.{suffix}") for suffix in ("csca.cer", "crl", "mrz", "can")}
    beside["csca.cer"].write_bytes(authority.csca_certificate)
    beside["crl"].write_bytes(authority.crl)
    write_private(beside["mrz"], ("\n".join(issued.mrz.encode()) + "\n").encode("ascii"))
    if issued.can:
        write_private(beside["can"], f"{issued.can}\n".encode("ascii"))
    return CardFiles(out, beside["csca.cer"], beside["crl"], beside["mrz"], beside["can"] if issued.can else None)
