"""Machine readable zones of Doc 9303 parts 3 to 7: TD1, TD2, TD3 and both visas, read and written."""

from __future__ import annotations

from eid.mrz.check_digit import compute_check_digit
from eid.mrz.dates import PartialDate, resolve_date_of_birth, resolve_date_of_expiry
from eid.mrz.layout import LAYOUTS, MrzFormat
from eid.mrz.mrz import Mrz, build_mrz, build_mrz_information, decode_joined_mrz, decode_mrz
from eid.mrz.names import build_mrz_name
from eid.mrz.transliteration import transliterate

__all__ = [
    "LAYOUTS",
    "Mrz",
    "MrzFormat",
    "PartialDate",
    "build_mrz",
    "build_mrz_information",
    "build_mrz_name",
    "compute_check_digit",
    "decode_joined_mrz",
    "decode_mrz",
    "resolve_date_of_birth",
    "resolve_date_of_expiry",
    "transliterate",
]
