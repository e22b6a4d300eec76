"""Frauds for demonstrations: cards and evidence as a forger would make them, each to be caught by one check.

They are made with what a forger has: copies of files, a chip of his own, evidence recorded yesterday.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from eid.card import VirtualCard
from eid.personalization.build import CardData
from eid.profile.card_image import ApplicationImage, CardImage, FileImage
from eid.protocols.scp03.key_set import StaticKeySet

FOREIGN_SERIAL: Final = bytes.fromhex("F0F0F0F0F0F0F0F0F0F0")


def alter_data_group_1(data: CardData) -> CardImage:
    """The image with one octet of DG1 changed: a letter of the name, so that every check digit still fits."""

    def altered(file: FileImage) -> FileImage:
        if file.name != "DG1":
            return file
        place = file.content.index(data.mrz.primary_identifier.split(" ")[0].encode("ascii"))
        letter = b"B" if file.content[place : place + 1] != b"B" else b"C"
        return replace(file, content=file.content[:place] + letter + file.content[place + 1 :])

    (application,) = data.image.applications
    files = tuple(altered(file) for file in application.files)
    return replace(data.image, applications=(replace(application, files=files),))


def copy_card(image: CardImage, random: Callable[[int], bytes] = os.urandom) -> VirtualCard:
    """A perfect copy of all files on a chip that has keys of its own, since the genuine ones cannot be read."""
    key = random(image.chip.security_domain.key_length)
    keys = StaticKeySet(1, key, key, key)
    return VirtualCard.from_image(_without_private_keys(image), serial=FOREIGN_SERIAL, keys=keys, random=random)


def _without_private_keys(image: CardImage) -> CardImage:
    def bare(application: ApplicationImage) -> ApplicationImage:
        return replace(application, keys=tuple(replace(key, private_key=None) for key in application.keys))

    return replace(image, applications=tuple(bare(application) for application in image.applications))
