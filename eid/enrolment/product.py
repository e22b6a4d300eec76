"""Whether a country's rules and its card product agree: what the card wants, an application must state."""

from __future__ import annotations

import re
from typing import Final

from eid.enrolment.rules import EnrolmentRules
from eid.profile.contents import SPELT
from eid.profile.layout import FaceLayout
from eid.profile.schema import CardProfile

_STATED_AS: Final = {"civil_status_number": "civil_status"}  # the card has the number alone
_OF_THE_ORDER: Final = frozenset(
    ("issuing_authority", "issuing_state", "document_number", "personal_number", "issued_on", "expires_on", "can")
)
"""What the rules, the approval or the order of a card bring along."""


def find_disagreements(
    rules: EnrolmentRules, profile: CardProfile, layout: FaceLayout | None = None
) -> tuple[str, ...]:
    """Where they do not fit each other, a sentence each; it would be told only when a card is to be made."""
    of_faces = () if layout is None else _of_faces(rules, layout)
    return (*_of_fields(rules, profile), *_of_details(rules, profile), *_of_numbers(rules, profile), *of_faces)


def _of_fields(rules: EnrolmentRules, profile: CardProfile) -> list[str]:
    wanted = [name for name in profile.record.required if "." not in name]
    return [
        f"the product {profile.name} requires {name}, and record.required has no {_STATED_AS.get(name, name)}"
        for name in wanted
        if _STATED_AS.get(name, name) not in rules.record.required
    ]


def _of_details(rules: EnrolmentRules, profile: CardProfile) -> list[str]:
    """What stands on the chip must go to the card's maker; what the product requires must be stated."""
    contents, required = profile.application.contents, profile.record.required
    told = (*contents.DG11.model_dump().values(), *contents.DG12.model_dump().values(), *contents.DG13, *required)
    found = []
    for source in sorted({name for name in told if name.startswith("details.")}):
        detail = rules.record.find_detail(source.partition(".")[2])
        if detail is None or not detail.on_card:
            found.append(f"the product {profile.name} has {source}, and record.detail none of that code with on_card")
        elif source in required and not detail.required:
            found.append(f"the product {profile.name} requires {source}, and record.detail does not")
    return found


def _of_numbers(rules: EnrolmentRules, profile: CardProfile) -> list[str]:
    found = []
    document = profile.document
    if document.issuing_state != rules.country:
        found.append(f"the product {profile.name} is of {document.issuing_state}, the rules are of {rules.country}")
    number = rules.issuer.number_prefix + "0" * rules.issuer.number_length
    if not document.document_number.accepts(number):
        found.append(f"a document number such as {number} is not {document.document_number.what or 'taken'}")
    drawn = rules.new_personal_number.replace("#", "1")
    if drawn and not re.fullmatch(rules.personal_number, drawn, re.ASCII):
        found.append(f"a drawn personal number such as {drawn} does not match personal_number of the rules")
    if drawn and not document.personal_number.accepts(drawn):
        found.append(f"a drawn personal number such as {drawn} is not {document.personal_number.what or 'taken'}")
    return found


def _of_faces(rules: EnrolmentRules, layout: FaceLayout) -> list[str]:
    """What must stand on a face, and some record of these rules does not have; words of partners that none states."""
    fields = (item for face in (layout.front, layout.back) for item in face.texts if not item.optional)
    wanted = sorted(
        {item.source for item in fields if item.source is not None and not item.source.startswith("partner.")}
    )
    found = [f"a face shows {source}, which not every record has" for source in wanted if not _has(rules, source)]
    silent = sorted(set(rules.record.partners) - layout.partner.keys())
    return found + [f"the layout has no words for the partner mention {relation}" for relation in silent]


def _has(rules: EnrolmentRules, source: str) -> bool:
    """Whether every record of these rules has a value."""
    name, _, which = source.partition(".")
    if name == "details":
        detail = rules.record.find_detail(which)
        return detail is not None and detail.required and detail.on_card
    if name in SPELT and which not in ("latin", rules.record.own_script):
        return False
    stated = _STATED_AS.get(name, name)
    return stated in rules.record.required or stated in _OF_THE_ORDER
