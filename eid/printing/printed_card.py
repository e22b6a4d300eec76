"""What is printed on a card: every text, the images and the machine readable zone, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from eid.errors import RecordError
from eid.identity import BILINGUAL_FIELDS, BilingualText, IdentityRecord
from eid.mrz import Mrz, PartialDate
from eid.profile.layout import FaceLayout


@dataclass(frozen=True, slots=True)
class PrintedCard:
    """The values of a card by the source names of its layout; the representation hides them.

    `portrait` and `signature` are JPEG, JPEG 2000 or PNG; `mrz` are the lines of the zone.
    """

    specimen: bool
    texts: Mapping[str, str] = field(repr=False)
    mrz: tuple[str, ...] = field(repr=False)
    portrait: bytes = field(repr=False)
    signature: bytes | None = field(default=None, repr=False)


def build_printed_card(record: IdentityRecord, mrz: Mrz, can: str, layout: FaceLayout) -> PrintedCard:
    """Gather what a card shows; `mrz` is the value that DG1 holds too.

    Raises:
        RecordError: the zone cannot be written.
    """
    texts = {
        "date_of_birth": format_date(record.date_of_birth),
        "issued_on": format_date(record.issued_on),
        "expires_on": format_date(record.expires_on),
        "sex": record.sex,
        "nationality": record.nationality,
        "issuing_state": record.issuing_state,
        "personal_number": record.personal_number,
        "document_number": record.document_number,
        "can": can,
    } | {f"details.{item.code}": item.text for item in record.details}
    if record.civil_status_number is not None:
        texts["civil_status_number"] = record.civil_status_number
    for source in BILINGUAL_FIELDS:
        spelt: BilingualText | None = getattr(record, source)
        texts |= {} if spelt is None else _both(source, spelt)
    if record.partner is not None:
        words, name = layout.partner.get(record.partner.relation), record.partner.name
        if words is None:
            raise RecordError("the card's layout has no words for partner.relation")
        native = f"{words.get(name.script, '')} {name.native}".strip()
        texts |= _both("partner", BilingualText(native, f"{words['latin']} {name.latin}", name.script))
    shown = (item for face in (layout.front, layout.back) for item in face.texts if not item.optional)
    wanted = {item.source for item in shown if item.source is not None}
    for source in sorted(wanted - texts.keys()):
        if record.partner is not None or not source.startswith("partner."):
            raise RecordError(f"the record has no {source}, which the card shows")
    return PrintedCard(record.specimen, texts, mrz.encode(), record.portrait, record.signature_image)


def _both(name: str, text: BilingualText) -> dict[str, str]:
    return {f"{name}.latin": text.latin} | ({f"{name}.{text.script}": text.native} if text.native else {})


def format_date(day: date | PartialDate) -> str:
    """A date as DD.MM.YYYY, XX for what is unknown (Doc 9303-3 3.8)."""
    number = "XX" if day.day is None else f"{day.day:02}"
    month = "XX" if day.month is None else f"{day.month:02}"
    return f"{number}.{month}.{day.year:04}"
