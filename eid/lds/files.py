"""The elementary files of an eMRTD: names, file identifiers, short identifiers and tags (Doc 9303-10 3 and 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LDS1_AID: Final = bytes.fromhex("A0000002471001")  # Doc 9303-10 4.1: the LDS1 eMRTD application


@dataclass(frozen=True, slots=True)
class ElementaryFile:
    """One transparent elementary file.

    Args:
        name: "EF.COM", "EF.SOD", "EF.CardAccess" ... or "DG1".."DG16".
        fid: file identifier, 16 bits. sfi: short file identifier, 1..30.
        tag: the outermost tag of its content; None where the content starts with a plain ASN.1 type.
        number: data group number 1..16, or None where the file is no data group.
        in_master_file: whether it lies under the MF and not in the LDS1 application.
    """

    name: str
    fid: int
    sfi: int
    tag: int | None
    number: int | None = None
    in_master_file: bool = False


EF_CARD_ACCESS: Final = ElementaryFile("EF.CardAccess", 0x011C, 0x1C, 0x31, in_master_file=True)
EF_CARD_SECURITY: Final = ElementaryFile("EF.CardSecurity", 0x011D, 0x1D, 0x30, in_master_file=True)
EF_ATR_INFO: Final = ElementaryFile("EF.ATR/INFO", 0x2F01, 0x01, None, in_master_file=True)
EF_DIR: Final = ElementaryFile("EF.DIR", 0x2F00, 0x1E, None, in_master_file=True)
EF_COM: Final = ElementaryFile("EF.COM", 0x011E, 0x1E, 0x60)
EF_SOD: Final = ElementaryFile("EF.SOD", 0x011D, 0x1D, 0x77)
EF_CVCA: Final = ElementaryFile("EF.CVCA", 0x011C, 0x1C, None)  # TR-03110-1 A.1.2: names of the trust points

_DATA_GROUP_TAGS: Final = (
    0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70,
)  # fmt: skip

DATA_GROUPS: Final = tuple(
    ElementaryFile(f"DG{number}", 0x0100 + number, number, tag, number)
    for number, tag in enumerate(_DATA_GROUP_TAGS, start=1)
)
FILES: Final = (EF_CARD_ACCESS, EF_CARD_SECURITY, EF_ATR_INFO, EF_DIR, EF_COM, EF_SOD, EF_CVCA, *DATA_GROUPS)

_BY_NAME: Final = {file.name: file for file in FILES}
_BY_FID: Final = {(file.in_master_file, file.fid): file for file in FILES}


def by_name(name: str) -> ElementaryFile:
    """The file with this name, e.g. "DG1" or "EF.SOD".

    Raises:
        KeyError: there is no such file.
    """
    return _BY_NAME[name]


def by_number(number: int) -> ElementaryFile:
    """Data group `number`, 1 to 16.

    Raises:
        KeyError: there is no such data group.
    """
    if not 1 <= number <= len(DATA_GROUPS):
        raise KeyError(number)
    return DATA_GROUPS[number - 1]


def by_fid(fid: int, *, in_master_file: bool = False) -> ElementaryFile:
    """The file with this identifier under the MF, or in the LDS1 application.

    Raises:
        KeyError: there is no such file.
    """
    return _BY_FID[in_master_file, fid]
