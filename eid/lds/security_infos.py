"""SecurityInfos: which protocols a chip runs, with which parameters (Doc 9303-11 9.2, TR-03110-3 A.1).

They stand in EF.CardAccess, EF.CardSecurity and DG14. Object identifiers are dotted strings throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

BSI_DE_PROTOCOLS: Final = "0.4.0.127.0.7.2.2"
ID_PK_DH: Final = BSI_DE_PROTOCOLS + ".1.1"
ID_PK_ECDH: Final = BSI_DE_PROTOCOLS + ".1.2"
ID_TA: Final = BSI_DE_PROTOCOLS + ".2"
ID_CA_DH: Final = BSI_DE_PROTOCOLS + ".3.1"
ID_CA_ECDH: Final = BSI_DE_PROTOCOLS + ".3.2"
ID_PACE_DH_GM: Final = BSI_DE_PROTOCOLS + ".4.1"
ID_PACE_ECDH_GM: Final = BSI_DE_PROTOCOLS + ".4.2"
ID_PACE_DH_IM: Final = BSI_DE_PROTOCOLS + ".4.3"
ID_PACE_ECDH_IM: Final = BSI_DE_PROTOCOLS + ".4.4"
ID_PACE_ECDH_CAM: Final = BSI_DE_PROTOCOLS + ".4.6"
ID_AA: Final = "2.23.136.1.1.5"
ID_EFDIR: Final = "2.23.136.1.1.13"

# The last arc of a PACE or Chip Authentication protocol says how secure messaging ciphers (Doc 9303-11 9.2.1, 9.2.5).
SUITE_ARCS: Final = {1: "3DES-CBC-CBC", 2: "AES-CBC-CMAC-128", 3: "AES-CBC-CMAC-192", 4: "AES-CBC-CMAC-256"}


@dataclass(frozen=True, slots=True)
class PACEInfo:
    """PACEInfo (Doc 9303-11 9.2.1): protocol with mapping and cipher suite, version 2, standardised domain parameters."""

    protocol: str
    version: int = 2
    parameter_id: int | None = None


@dataclass(frozen=True, slots=True)
class PACEDomainParameterInfo:
    """PACEDomainParameterInfo (Doc 9303-11 9.2.1); `domain_parameter` is an AlgorithmIdentifier, DER."""

    protocol: str
    domain_parameter: bytes = field(repr=False)
    parameter_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChipAuthenticationInfo:
    """ChipAuthenticationInfo (Doc 9303-11 9.2.5): protocol with cipher suite, version 1 (2 and 3 in TR-03110), key."""

    protocol: str
    version: int = 1
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChipAuthenticationDomainParameterInfo:
    """ChipAuthenticationDomainParameterInfo (TR-03110-3 A.1.1.2, version 2); `domain_parameter` as for PACE."""

    protocol: str
    domain_parameter: bytes = field(repr=False)
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChipAuthenticationPublicKeyInfo:
    """ChipAuthenticationPublicKeyInfo (Doc 9303-11 9.2.6); `public_key_info` is a SubjectPublicKeyInfo, DER."""

    protocol: str
    public_key_info: bytes = field(repr=False)
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class TerminalAuthenticationInfo:
    """TerminalAuthenticationInfo (Doc 9303-11 9.2.7); identifiers of EF.CVCA where the chip tells them."""

    protocol: str = ID_TA
    version: int = 1
    ef_cvca_fid: int | None = None
    ef_cvca_sfi: int | None = None


@dataclass(frozen=True, slots=True)
class ActiveAuthenticationInfo:
    """ActiveAuthenticationInfo (Doc 9303-11 9.2.4): the chip's ECDSA algorithm, as an object identifier."""

    signature_algorithm: str
    version: int = 1
    protocol: str = ID_AA


@dataclass(frozen=True, slots=True)
class EFDIRInfo:
    """EFDIRInfo (Doc 9303-11 9.2.9): an authentic copy of EF.DIR."""

    ef_dir: bytes = field(repr=False)
    protocol: str = ID_EFDIR


@dataclass(frozen=True, slots=True)
class UnknownSecurityInfo:
    """Any other SecurityInfo; required and optional data as they stand, DER."""

    protocol: str
    required_data: bytes = field(repr=False)
    optional_data: bytes | None = field(default=None, repr=False)


SecurityInfo: TypeAlias = (
    PACEInfo
    | PACEDomainParameterInfo
    | ChipAuthenticationInfo
    | ChipAuthenticationDomainParameterInfo
    | ChipAuthenticationPublicKeyInfo
    | TerminalAuthenticationInfo
    | ActiveAuthenticationInfo
    | EFDIRInfo
    | UnknownSecurityInfo
)
