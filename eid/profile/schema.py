"""The card profile: one TOML file that states what a card product is, in the words of the specifications.

A profile states intent; bytes are derived from it elsewhere. Unknown keys are refused: a misspelt rule is never
silently absent.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import Curve, curve_by_name
from eid.crypto.dh_groups import DH_GROUPS
from eid.lds.eid_application import EID_GROUPS
from eid.lds.files import DATA_GROUPS
from eid.lds.security_infos import (
    ID_CA_ECDH,
    ID_PACE_DH_GM,
    ID_PACE_DH_IM,
    ID_PACE_ECDH_CAM,
    ID_PACE_ECDH_GM,
    ID_PACE_ECDH_IM,
    PACEInfo,
)
from eid.profile.card_image import (
    MAX_PIN_LENGTH,
    MIN_PIN_LENGTH,
    AccessCondition,
    Interface,
    KeyAlgorithm,
    KeyPurpose,
    PasswordId,
)
from eid.profile.contents import Contents, NamePart, RecordNeeds
from eid.profile.own_curve import OwnCurve
from eid.profile.quirks import NO_QUIRKS, Quirks
from eid.profile.statement import Octets, Statement

PACE_OVER_CURVES: Final = {"GM": ID_PACE_ECDH_GM, "IM": ID_PACE_ECDH_IM, "CAM": ID_PACE_ECDH_CAM}
PACE_OVER_MODP: Final = {"GM": ID_PACE_DH_GM, "IM": ID_PACE_DH_IM}
MODP_GROUPS: Final = {group.name: group.standardized_id for group in DH_GROUPS}
SUITE_ARCS: Final = {
    CipherSuite.TDES_112: 1,
    CipherSuite.AES_128: 2,
    CipherSuite.AES_192: 3,
    CipherSuite.AES_256: 4,
}
"""Last arc of a PACE or Chip Authentication protocol identifier (Doc 9303-11 9.2.1, 9.2.5)."""

SENSITIVE: Final = {"DG3": AccessCondition.TA_DG3, "DG4": AccessCondition.TA_DG4}
TERMINAL_RULES: Final = frozenset(SENSITIVE.values())
RESTRICTED_PURPOSES: Final = frozenset(
    (KeyPurpose.RESTRICTED_IDENTIFICATION, KeyPurpose.RESTRICTED_IDENTIFICATION_AUTHORIZED)
)
FEATURES: Final = frozenset(("DG8", "DG9", "DG10"))


def _known_curve(name: str) -> str:
    if curve_by_name(name) is None:
        raise ValueError(f"{name!r} is not a curve this system knows")
    return name


def _standardized_group(name: str) -> str:
    curve = curve_by_name(name)
    if name not in MODP_GROUPS and (curve is None or curve.standardized_id is None):
        raise ValueError(f"{name!r} has no standardised domain parameter identifier (Doc 9303-11 9.5.1)")
    return name


def _known_suite(name: str) -> str:
    if name not in CipherSuite.__members__:
        raise ValueError(f"{name!r} is none of {', '.join(CipherSuite.__members__)}")
    return name


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


Aid = Annotated[Octets, Field(min_length=5, max_length=16)]  # ISO/IEC 7816-4 12.3.4
CurveName = Annotated[str, AfterValidator(_known_curve)]
KeyName = Literal["RSA-2048", "RSA-3072", "RSA-4096"] | CurveName
StandardizedGroup = Annotated[str, AfterValidator(_standardized_group)]
SuiteName = Annotated[str, AfterValidator(_known_suite)]
Pattern = Annotated[str, AfterValidator(_pattern)]
StateCode = Annotated[str, Field(pattern=r"^[A-Z]{1,3}$")]
HashName = Literal["sha1", "sha224", "sha256", "sha384", "sha512"]
MrzSource = Literal["none", "personal_number"]


class NumberRule(Statement):
    """What a number printed on the card looks like."""

    pattern: Pattern
    what: str = ""

    def accepts(self, value: str) -> bool:
        """Whether the whole value matches."""
        return re.fullmatch(self.pattern, value) is not None


class Document(Statement):
    """The document: MRZ format, codes, and where the MRZ carries which number (Doc 9303-3 to -5).

    Args:
        primary_identifier, secondary_identifier: which names are which, as the issuing state decides (Doc 9303-3 4.6).
    """

    format: Literal["TD1", "TD2", "TD3"]
    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z<]?$")]
    issuing_state: StateCode
    document_number: NumberRule
    personal_number: NumberRule
    optional_data_1: MrzSource = "none"
    optional_data_2: MrzSource = "none"
    can_digits: Annotated[int, Field(ge=4, le=12)] = 6
    primary_identifier: Annotated[tuple[NamePart, ...], Field(min_length=1)] = ("family_name",)
    secondary_identifier: tuple[NamePart, ...] = ("given_names",)

    @model_validator(mode="after")
    def _names_stand_once(self) -> Self:
        names = (*self.primary_identifier, *self.secondary_identifier)
        if len(set(names)) != len(names) or "family_name" not in names:
            raise ValueError("primary and secondary identifier have each name once, the family name among them")
        return self


class Chip(Statement):
    """The chip before anyone writes to it."""

    interface: Interface
    historical_bytes: Annotated[Octets, Field(max_length=15)]  # ISO/IEC 7816-3 8.2.1: K is four bits
    extended_length: bool = True
    max_command_data: Annotated[int, Field(ge=255, le=65535)] = 65000
    max_response_data: Annotated[int, Field(ge=256, le=65536)] = 65000

    @model_validator(mode="after")
    def _lengths_agree(self) -> Self:
        if not self.extended_length and (self.max_command_data > 255 or self.max_response_data > 256):
            raise ValueError("without extended length, max_command_data is 255 and max_response_data is 256")
        return self


class SecurityDomain(Statement):
    """The issuer security domain and its SCP03 keys (GPC Amendment D 5.1)."""

    aid: Aid
    key_length: Literal[16, 24, 32] = 16
    i_parameter: Annotated[int, Field(ge=0, le=0x7F)] = 0x70
    key_version: Annotated[int, Field(ge=1, le=127)] = 1
    security_level: Literal[0x01, 0x03, 0x11, 0x13, 0x33] = 0x33


class Pace(Statement):
    """One PACE protocol the chip runs (Doc 9303-11 4.4).

    Args:
        parameters: a standardised curve or one of the MODP groups. curve: one of the chip's own, instead.
    """

    mapping: Literal["GM", "IM", "CAM"] = "GM"
    cipher: SuiteName
    parameters: StandardizedGroup | None = None
    curve: OwnCurve | None = None

    @property
    def info(self) -> PACEInfo:
        """The PACEInfo that announces it, with the parameters that the chip writes out (Doc 9303-11 9.2.1)."""
        over_modp = self.parameters in MODP_GROUPS
        mechanism = (PACE_OVER_MODP if over_modp else PACE_OVER_CURVES)[self.mapping]
        protocol = f"{mechanism}.{SUITE_ARCS[CipherSuite[self.cipher]]}"
        if self.curve is not None:
            return PACEInfo(protocol, 2, self.curve.parameter_id, self.curve.domain_parameter)
        known = self._known_curve
        number = MODP_GROUPS.get(self.parameters or "") if known is None else known.standardized_id
        return PACEInfo(protocol, 2, number)

    @property
    def _known_curve(self) -> Curve | None:
        return None if self.parameters is None else curve_by_name(self.parameters)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if (self.parameters is None) == (self.curve is None):
            raise ValueError("a PACE protocol has standardised parameters or a curve of its own, one of them")
        known = self._known_curve
        if self.mapping == "CAM" and (known is None or self.cipher == CipherSuite.TDES_112.name):
            raise ValueError("chip-authentication mapping needs a known curve and AES (Doc 9303-11 9.2.1)")
        curve = known or self.curve
        if self.mapping == "IM" and curve is not None and curve.p % 4 != 3:
            raise ValueError(f"integrated mapping is not possible on {self.parameters or 'it'} (Doc 9303-11 B.1)")
        return self


class Access(Statement):
    """How a terminal opens the chip; lengths of PIN and PUK in digits, and how often each may be wrong."""

    bac: bool = True
    pace: tuple[Pace, ...] = ()
    passwords: tuple[Literal["MRZ", "CAN", "PIN", "PUK"], ...] = ("MRZ", "CAN")
    pin_digits: Annotated[int, Field(ge=MIN_PIN_LENGTH, le=MAX_PIN_LENGTH)] = 6
    pin_tries: Annotated[int, Field(ge=2, le=15)] = 3
    puk_digits: Annotated[int, Field(ge=MIN_PIN_LENGTH, le=MAX_PIN_LENGTH)] = 10
    puk_tries: Annotated[int, Field(ge=1, le=15)] = 10

    @property
    def password_ids(self) -> tuple[PasswordId, ...]:
        """The passwords as their identifiers."""
        return tuple(PasswordId[name] for name in self.passwords)

    @property
    def has_own_curves_only(self) -> bool:
        """Whether all PACE is over curves of the chip's own: a departure from TR-03110-3 A.2.1.3."""
        return bool(self.pace) and all(item.curve is not None for item in self.pace)

    @model_validator(mode="after")
    def _names_each_curve_once(self) -> Self:
        own = {item.curve for item in self.pace if item.curve is not None}
        if len({curve.parameter_id for curve in own}) != len(own):
            raise ValueError("two curves of the chip's own share a parameter_id")
        return self

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        if not self.bac and not self.pace:
            raise ValueError("the chip needs BAC or PACE: otherwise anyone near it reads it")
        if self.bac and "MRZ" not in self.passwords:
            raise ValueError("BAC needs the MRZ password")
        named = set(self.passwords)
        if named & {"PIN", "PUK"} and not self.pace:
            raise ValueError("PIN and PUK need PACE")
        if ("PIN" in named and "CAN" not in named) or ("PUK" in named and "PIN" not in named):
            raise ValueError("a PIN needs the CAN, which resumes it, and a PUK the PIN (TR-03110-2 2.4.1)")
        return self

    def tries(self, password: PasswordId) -> int | None:
        """How often the password may be wrong before it is blocked; None where it never is."""
        return {PasswordId.PIN: self.pin_tries, PasswordId.PUK: self.puk_tries}.get(password)


class Key(Statement):
    """A private key of the chip."""

    purpose: KeyPurpose
    reference: Annotated[int, Field(ge=1, le=31)]
    kind: Literal["ec", "rsa"] = "ec"
    curve: CurveName | None = None
    bits: Literal[1024, 1536, 2048, 3072, 4096] | None = None
    hash: HashName = "sha256"
    cipher: SuiteName = "AES_128"

    @property
    def algorithm(self) -> KeyAlgorithm:
        """Kind and parameter as the card image wants them."""
        return KeyAlgorithm(self.kind, self.curve or str(self.bits), self.hash)

    @property
    def chip_authentication_protocol(self) -> str:
        """The protocol of a Chip Authentication key: ECDH with the cipher suite of the new channel."""
        return f"{ID_CA_ECDH}.{SUITE_ARCS[CipherSuite[self.cipher]]}"

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if (self.kind == "ec") != (self.curve is not None) or (self.kind == "rsa") != (self.bits is not None):
            raise ValueError("an ec key names a curve, an rsa key its bits")
        if self.purpose is not KeyPurpose.ACTIVE_AUTHENTICATION and self.kind != "ec":
            raise ValueError("Chip Authentication and Restricted Identification need an ec key")
        return self


class Application(Statement):
    """The LDS application: which data groups it holds and who may read them (Doc 9303-10).

    Args:
        read: for every file that `rules` does not name. rules: by data group; fingers and irises need the right to
            read them (TR-03110-1 2.4) unless a rule says otherwise.
        biometrics: the standard of faces and fingers, ISO/IEC 19794 or 39794.
        features: content of DG8, DG9 and DG10, data objects of the issuer's own.
        contents: which values of the record stand in which element of DG11, DG12 and DG13.
    """

    aid: Aid
    read: AccessCondition = AccessCondition.BAC_OR_PACE
    rules: dict[str, AccessCondition] = Field(default_factory=dict)
    data_groups: tuple[str, ...]
    biometrics: Literal["19794", "39794"] = "19794"
    features: dict[Literal["DG8", "DG9", "DG10"], Octets] = Field(default_factory=dict)
    contents: Contents = Contents()
    lds_version: Annotated[str, Field(pattern=r"^[0-9]{4}$")] = "0108"
    unicode_version: Annotated[str, Field(pattern=r"^[0-9]{6}$")] = "150000"
    signed_lds_version: bool = True
    hash: HashName = "sha256"
    keys: tuple[Key, ...] = ()

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        known = {file.name for file in DATA_GROUPS}
        for name in self.data_groups:
            if name not in known:
                raise ValueError(f"{name!r} is not a data group")
        if len(set(self.data_groups)) != len(self.data_groups):
            raise ValueError("a data group is named twice")
        if not {"DG1", "DG2"} <= set(self.data_groups):
            raise ValueError("DG1 and DG2 are mandatory (Doc 9303-10 4.1)")
        if AccessCondition.NEVER in (self.read, *self.rules.values()) or self.read in TERMINAL_RULES:
            raise ValueError("an application that nobody may read makes no card")
        if not self.rules.keys() <= set(self.data_groups) or self.rules.keys() & {"DG14", "DG15"}:
            raise ValueError("a rule is for a data group of the card, and not for the chip's keys")
        if self.features.keys() != set(self.data_groups) & FEATURES:
            raise ValueError("DG8, DG9 and DG10 are what `features` says, no more and no less")
        if not self.contents.stated <= set(self.data_groups):
            raise ValueError("contents are of data groups of the card")
        self._check_keys()
        return self

    def rule(self, name: str) -> AccessCondition:
        """Who may read a file of the application, by its name."""
        return self.rules.get(name) or (SENSITIVE.get(name, self.read) if name in self.data_groups else self.read)

    @property
    def needs_terminal_authentication(self) -> bool:
        """Whether a data group opens to authenticated terminals only."""
        return any(self.rule(name) in TERMINAL_RULES for name in self.data_groups)

    def _check_keys(self) -> None:
        purposes = [key.purpose for key in self.keys]
        if len(set(purposes)) != len(purposes):
            raise ValueError("one key for each purpose")
        if len({key.reference for key in self.keys}) != len(self.keys):
            raise ValueError("two keys share a reference")
        for purpose, name in ((KeyPurpose.CHIP_AUTHENTICATION, "DG14"), (KeyPurpose.ACTIVE_AUTHENTICATION, "DG15")):
            if (purpose in purposes) != (name in self.data_groups) and name == "DG15":
                raise ValueError("DG15 and an active-authentication key go together (Doc 9303-10 4.7.15)")
            if purpose in purposes and name not in self.data_groups:
                raise ValueError(f"a {purpose} key needs {name}")


class EidApplication(Statement):
    """The eID application: which data groups it holds, and its keys of Restricted Identification (TR-03110-4 2.2).

    Args:
        room: octets of each file that may be written while the card is out (DG17 to DG22).
        municipality_id: content of DG18, the same on every specimen.
    """

    data_groups: tuple[str, ...]
    room: Annotated[int, Field(ge=32, le=4096)] = 256
    municipality_id: Annotated[Octets, Field(max_length=16)] | None = None
    keys: tuple[Key, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The data groups' numbers."""
        return tuple(int(name.removeprefix("DG")) for name in self.data_groups)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        known = {group.file.name for group in EID_GROUPS}
        if not self.data_groups or len(set(self.data_groups)) != len(self.data_groups):
            raise ValueError("a data group is named twice, or none is")
        if unknown := [name for name in self.data_groups if name not in known]:
            raise ValueError(f"{unknown[0]!r} is no data group of the eID application")
        if ("DG18" in self.data_groups) != (self.municipality_id is not None):
            raise ValueError("DG18 and municipality_id go together")
        purposes = [key.purpose for key in self.keys]
        if not set(purposes) <= RESTRICTED_PURPOSES or len(set(purposes)) != len(purposes):
            raise ValueError("keys of the eID application are of Restricted Identification, one for each purpose")
        return self


class Cvca(Statement):
    """The demonstration CVCA, whose terminals may read what Terminal Authentication protects (TR-03110-3 A.7)."""

    mnemonic: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,9}$")]  # behind the country in the holder reference
    curve: CurveName
    hash: Literal["sha1", "sha224", "sha256", "sha384", "sha512"] = "sha256"


class Authority(Statement):
    """Who signs: names and keys of the demonstration CSCA and document signer (Doc 9303-12 7)."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    organization: str
    csca_curve: KeyName
    signer_curve: KeyName
    ec_parameters: Literal["explicit", "named"] = "explicit"
    rsa_scheme: Literal["pss", "pkcs1"] = "pss"
    csca_hash: HashName = "sha384"
    signer_hash: HashName = "sha256"
    csca_key_days: Annotated[int, Field(ge=1)] = 1826  # Doc 9303-12 4.1.4: a CSCA key signs three to five years
    signer_key_days: Annotated[int, Field(ge=1)] = 90  # Doc 9303-12 4.1.4: a document signer's key about three months
    signer_signatures: Annotated[int, Field(ge=1)] = 100_000  # what its loss would put in doubt at most
    document_days: Annotated[int, Field(ge=1)] = 3653  # longest validity of a document
    crl_days: Annotated[int, Field(ge=1, le=90)] = 30  # Doc 9303-12 4.2: a CRL at least every 90 days
    email: str = "csca@example.org"
    crl_uri: str = "https://csca.example.org/crl.der"
    status_list_uri: str = "https://status.example.org/1"
    status_list_size: Annotated[int, Field(ge=1, le=1 << 26)] = 1 << 20  # 2 bits each: 16 MiB at most
    cvca: Cvca | None = None


class Personalization(Statement):
    """How the chip is written."""

    dialect: Literal["iso-scp03"]


class CardProfile(Statement):
    """One card product."""

    format: Literal["eid-card-profile"]
    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    document: Document
    record: RecordNeeds = RecordNeeds()
    chip: Chip
    security_domain: SecurityDomain
    access: Access
    application: Application
    eid_application: EidApplication | None = None
    authority: Authority
    personalization: Personalization
    quirks: Quirks = NO_QUIRKS
    layout: str | None = None

    @model_validator(mode="after")
    def _pace_needs_card_access(self) -> Self:
        if self.application.read is AccessCondition.PACE and not self.access.pace:
            raise ValueError('read = "pace" needs a PACE protocol under [access]')
        if self.access.pace and "DG14" not in self.application.data_groups:
            raise ValueError("a chip with PACE repeats its PACEInfo in DG14 (Doc 9303-11 9.2)")
        curves = {key.curve for key in self.application.keys if key.purpose is KeyPurpose.CHIP_AUTHENTICATION}
        for pace in self.access.pace:
            if pace.mapping == "CAM" and pace.parameters not in curves:
                raise ValueError("chip-authentication mapping needs a chip-authentication key on the same curve")
        if self.needs_terminal_authentication and (not curves or self.authority.cvca is None):
            raise ValueError("Terminal Authentication needs a chip-authentication key and an [authority.cvca]")
        return self

    @model_validator(mode="after")
    def _eid_application_fits(self) -> Self:
        if self.eid_application is None:
            return self
        if "PIN" not in self.access.passwords:
            raise ValueError("the eID application opens with a PIN (TR-03110-2 2.3.2.1)")
        if self.application.needs_terminal_authentication:
            raise ValueError("one kind of terminal for each product: DG3 and DG4, or the eID application")
        if len({key.reference for key in self.keys}) != len(self.keys):
            raise ValueError("two keys of the card share a reference")
        for key in self.keys:
            curve = None if key.curve is None else curve_by_name(key.curve)
            if key.purpose is not KeyPurpose.ACTIVE_AUTHENTICATION and (curve is None or curve.standardized_id is None):
                raise ValueError("its keys are on curves with a standardised domain parameter identifier")
        return self

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys of the chip."""
        return self.application.keys + (() if self.eid_application is None else self.eid_application.keys)

    @property
    def needs_terminal_authentication(self) -> bool:
        """Whether the chip trusts a CVCA: for data groups, or for the eID application."""
        return self.application.needs_terminal_authentication or self.eid_application is not None

    @property
    def has_card_security(self) -> bool:
        """Whether the chip has EF.CardSecurity: with chip-authentication mapping, and with the eID application.

        Doc 9303-11 9.2.11, TR-03110-2 2.3.4.
        """
        return self.eid_application is not None or any(pace.mapping == "CAM" for pace in self.access.pace)
