"""The quirks of real cards, as switches of a profile (`[quirks]`): what a chip does other than the specification says.

Each was seen in the field. None weakens what the card protects; each is something that a terminal has to cope with.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from eid.lds.files import DATA_GROUPS, FILES


def _status_word(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0x6200 <= value <= 0x6FFF:
        return value
    if isinstance(value, str) and re.fullmatch(r"6[2-9A-Fa-f][0-9A-Fa-f]{2}", value):
        return int(value, 16)
    raise ValueError("a refusal is a status word of four hexadecimal digits, 6200 to 6FFF")


_FILE_NAMES: Final = frozenset(file.name for file in FILES)
_DATA_GROUP_NAMES: Final = frozenset(file.name for file in DATA_GROUPS)


def _file_name(name: str) -> str:
    if name not in _FILE_NAMES:
        raise ValueError(f"{name!r} is not a file")
    return name


def _data_group(name: str) -> str:
    if name not in _DATA_GROUP_NAMES:
        raise ValueError(f"{name!r} is not a data group")
    return name


def _octets(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and re.fullmatch(r"([0-9A-Fa-f]{2}){0,16}", value):
        return bytes.fromhex(value)
    raise ValueError("octets are hexadecimal, 16 at most")


Octets = Annotated[bytes, BeforeValidator(_octets), PlainSerializer(lambda raw: raw.hex().upper(), return_type=str)]
FileName = Annotated[str, AfterValidator(_file_name)]
DataGroup = Annotated[str, AfterValidator(_data_group)]
StatusWord = Annotated[int, BeforeValidator(_status_word), PlainSerializer(lambda sw: f"{sw:04X}", return_type=str)]


class Quirks(BaseModel):
    """What one chip does differently. The defaults are a chip without quirks.

    Args:
        select_master_file: which form of SELECT MF it takes. select_master_file_sw: how it refuses the others.
        short_identifiers: where it knows short file identifiers; elsewhere it answers 6A82.
        forbids_le: SELECT and MSE with Le are answered 6700.
        largest_read: READ BINARY asking for more octets is answered as `too_long` says: by refusal, by 6Cxx with the
            right length, or by what fits and 6282.
        unprotected_refusals: that answer comes without secure messaging, and the counters stay where they were.
        response_piece: what is longer comes in pieces, by 61xx and GET RESPONSE.
        random_historical_bytes: differ after each reset.
        parameter_reference: whether data object 84 of MSE:Set AT must, may or must not be there.
        wrong_password_sw: how a wrong password of PACE is answered; 63Cx where it is None and tries are counted.
        refused_files: files that are there, and refused with this status word.
        refusal_ends_session: refusing a file, the chip drops secure messaging and says so in plain.
        active_authentication_sw: INTERNAL AUTHENTICATE is refused, although DG15 is there.
        sod_end_mac_wrong: the answer that brings the end of EF.SOD, where it was asked for exactly what is left,
            carries a MAC that does not match.
        ecdsa_in_der: Active Authentication answers ECDSA-Sig-Value, not r||s.
        ef_com_omits: data groups that EF.COM does not list, although EF.SOD does.
        chip_authentication_info: whether DG14 has a ChipAuthenticationInfo beside the key; without, 3DES is meant.
        chip_authentication_key_id: whether that key has an identifier.
        foreign_security_info: EF.CardAccess begins with a SecurityInfo of an identifier that nobody knows.
        bare_pace_info: EF.CardAccess begins with a PACEInfo that names no domain parameters.
        excess_octets: follow the data of a READ BINARY that reaches the end of the file: what is left of wrong padding.
        ef_com_lds_version: EF.COM says another LDS version than EF.SOD.
        sod_content_type: eContentType, dotted: another name of the LDS security object, or id-data. sod_signing_time:
            whether a signing time is signed. sod_attributes: whether the signed attributes stand in DER order, in
            another and signed in DER order, or in another in which they were signed, too.
        sod_certificate: whether the signer's certificate is inside. sod_foreign_signer: SignerInfo names another.
        sod_indefinite_length: EF.SOD is BER: its outer data object says 80 and ends with two zero octets.
        facial_record_short: the record length in DG2 leaves out the first eight octets of its header.
        portraits: how many records DG2 has. portrait_padding: octets behind the image.
            portrait_feature_points: points of the face that stand before it (ISO/IEC 19794-5).
        details_dates_in_bcd: the dates of DG11 and DG12 in four octets. details_empty: DG11 has a telephone of no
            octets. details_unknown: DG11 and DG12 end with an element that nobody knows.
            details_bare_other_name: DG11 has another name outside of its template. details_in_latin_1: what ISO/IEC
            8859-1 has letters for is written in it, not in UTF-8.
        security_infos_unordered: the SET of DG14 is not sorted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    select_master_file: Literal["any", "3F00", "no-data", "none"] = "any"
    select_master_file_sw: StatusWord = 0x6A86
    short_identifiers: Literal["everywhere", "not-in-master-file", "nowhere"] = "everywhere"
    forbids_le: bool = False
    largest_read: Annotated[int, Field(ge=32, le=65535)] | None = None
    too_long: Literal["6700", "6B00", "6CXX", "6282"] = "6700"
    unprotected_refusals: bool = False
    response_piece: Annotated[int, Field(ge=16, le=255)] | None = None
    random_historical_bytes: bool = False
    parameter_reference: Literal["optional", "required", "refused"] = "optional"
    wrong_password_sw: StatusWord | None = None
    refused_files: dict[FileName, StatusWord] = Field(default_factory=dict)
    refusal_ends_session: bool = False
    active_authentication_sw: StatusWord | None = None
    sod_end_mac_wrong: bool = False
    ecdsa_in_der: bool = False
    ef_com_omits: tuple[DataGroup, ...] = ()
    chip_authentication_info: bool = True
    chip_authentication_key_id: bool = True
    foreign_security_info: bool = False
    bare_pace_info: bool = False
    excess_octets: Octets = b""
    sod_indefinite_length: bool = False
    facial_record_short: bool = False
    ef_com_lds_version: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None
    sod_content_type: Literal["2.23.136.1.1.1", "1.3.27.1.1.1", "1.2.528.1.1006.1.20.1", "1.2.840.113549.1.7.1"] = (
        "2.23.136.1.1.1"
    )
    sod_signing_time: bool = True
    sod_attributes: Literal["der", "unordered", "signed-as-stored"] = "der"
    sod_certificate: bool = True
    sod_foreign_signer: bool = False
    portraits: Annotated[int, Field(ge=1, le=4)] = 1
    portrait_padding: Octets = b""
    portrait_feature_points: Annotated[int, Field(ge=0, le=16)] = 0
    details_dates_in_bcd: bool = False
    details_empty: bool = False
    details_unknown: bool = False
    details_bare_other_name: bool = False
    details_in_latin_1: bool = False
    security_infos_unordered: bool = False

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.unprotected_refusals and (self.largest_read is None or self.too_long == "6282"):
            raise ValueError("unprotected_refusals needs a largest_read that is refused")
        if self.sod_foreign_signer and not self.sod_certificate:
            raise ValueError("sod_foreign_signer leaves nothing to find the signer by but the certificate inside")
        return self


NO_QUIRKS = Quirks()
