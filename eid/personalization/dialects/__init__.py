"""Personalisation dialects: how a family of chips wants to be written. The tuple is the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eid.errors import ProfileError
from eid.personalization.dialects.iso_scp03 import plan_iso_scp03
from eid.personalization.plan import PersonalizationPlan
from eid.profile.card_image import CardImage

DIALECTS: Final[tuple[tuple[str, Callable[[CardImage], PersonalizationPlan]], ...]] = (("iso-scp03", plan_iso_scp03),)


def plan_card(image: CardImage, dialect: str) -> PersonalizationPlan:
    """Plan a card in the dialect that its profile names.

    Raises:
        ProfileError: no such dialect, or a file that the chip cannot hold.
    """
    for name, build in DIALECTS:
        if name == dialect:
            return build(image)
    raise ProfileError(f"no personalisation dialect {dialect!r}; there are {', '.join(name for name, _ in DIALECTS)}")
