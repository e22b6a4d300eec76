"""A small card with the eID application, and the terminals that ask it. Invented values, SPECIMEN."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eid.card import VirtualCard
from eid.card.keys import encode_private_key
from eid.codec.cv import Chat
from eid.codec.oid import ID_AT
from eid.crypto.curves import curve_by_name
from eid.crypto.group import EcGroup
from eid.inspection.general_authentication import Consent
from eid.inspection.identification import Identification, IdentificationPlan, Sectors, identify
from eid.lds.card_access import CardAccess
from eid.lds.eid_application import EID_AID, EidValue, eid_group, encode_eid_group
from eid.lds.eid_values import FreetextPlace, OptionalData, Text
from eid.lds.files import EF_CARD_ACCESS, EF_CARD_SECURITY
from eid.lds.security_infos import (
    ID_CA_ECDH,
    ID_PK_ECDH,
    ChipAuthenticationDomainParameterInfo,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PACEInfo,
    RestrictedIdentificationInfo,
    SecurityInfo,
    TerminalAuthenticationInfo,
)
from eid.mrz import PartialDate
from eid.pki.card_security import sign_card_security
from eid.profile.card_image import (
    AccessCondition,
    ApplicationImage,
    CardImage,
    ChipImage,
    FileImage,
    Interface,
    KeyAlgorithm,
    KeyImage,
    KeyPurpose,
    PasswordId,
    PasswordImage,
    SecurityDomainImage,
)
from eid.protocols.chip_authentication.public_key import encode_domain_parameters
from eid.protocols.exchange import Exchange, drive
from eid.protocols.pace.core import Password
from eid.protocols.restricted_identification.core import build_terminal_sector, protocol_of
from eid.protocols.restricted_identification.sector_key import build_sector_key
from eid.protocols.scp03.key_set import StaticKeySet
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from tests.builders.authority import build_authority
from tests.builders.terminals import BEGIN, TerminalPki, build_authentication_pki, ec_signer

T = TypeVar("T")
CURVE = "P-256"
PACE = PACEInfo("0.4.0.127.0.7.2.2.4.2.2", 2, 12)
PIN, CAN, PUK = (Password(identifier, value) for identifier, value in (
    (PasswordId.PIN, b"246810"), (PasswordId.CAN, b"123456"), (PasswordId.PUK, b"9876543210"),
))  # fmt: skip
MUNICIPALITY = bytes.fromhex("0504010203")
BORN, EXPIRES = PartialDate(1985, 2, 14), date(2035, 12, 31)
CHIP_KEY, RI_KEY, AUTHORIZED_RI_KEY = 1, 2, 3  # references
VALUES: dict[int, EidValue] = {
    1: "ID", 2: "UTO", 3: EXPIRES, 4: "ÉLA", 5: "SPECIMEN", 6: "", 7: "", 8: BORN, 9: FreetextPlace("UTOPIA"),
    10: "UTO", 11: "F", 12: (OptionalData("1.2.3"),), 13: "", 14: b"SPECIMEN", 15: BEGIN,
    17: (FreetextPlace("1 SPECIMEN STREET"),), 18: MUNICIPALITY, 19: Text(""), 20: Text(""), 21: "", 22: "",
}  # fmt: skip
ROOM = 200  # octets of a file that may be written
GROUP = EcGroup(curve_by_name(CURVE))  # type: ignore[arg-type]  # it is in the table
SHOP, BANK = (build_sector_key(protocol_of(GROUP, "sha256"), GROUP, GROUP.key(scalar).public) for scalar in (77, 78))


def right(*bits: int) -> bytes:
    """An authorization with these bits."""
    return sum(1 << bit for bit in bits).to_bytes(5, "big")


def _private(scalar: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar, ec.SECP256R1())


def _key(purpose: KeyPurpose, reference: int, scalar: int) -> KeyImage:
    return KeyImage(purpose, reference, KeyAlgorithm("ec", CURVE), encode_private_key(_private(scalar)))


def _infos() -> tuple[SecurityInfo, ...]:
    parameters = encode_domain_parameters(GROUP)
    return (
        PACE,
        ChipAuthenticationInfo(ID_CA_ECDH + ".2", 2, CHIP_KEY),
        ChipAuthenticationDomainParameterInfo(ID_CA_ECDH, parameters, CHIP_KEY),
        TerminalAuthenticationInfo(version=2),
    )


@cache
def card_security(scalar: int = 0xC41F) -> bytes:
    """EF.CardSecurity for the chip key of this scalar."""
    spki = _private(scalar).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    protocol = protocol_of(GROUP, "sha256")
    infos = (
        *_infos(),
        ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, spki, CHIP_KEY),
        RestrictedIdentificationInfo(protocol, RI_KEY, authorized_only=False),
        RestrictedIdentificationInfo(protocol, AUTHORIZED_RI_KEY, authorized_only=True),
    )
    authority = build_authority(ec_signer("csca"), ec_signer("ds"), explicit=True)
    return sign_card_security(infos, authority.ds_signer, authority.ds, signing_time=datetime(2026, 2, 1, tzinfo=UTC))


def _file(number: int, value: EidValue) -> FileImage:
    file, content = eid_group(number).file, encode_eid_group(number, value)
    if number < 17:
        return FileImage(file.name, file.fid, file.sfi, content, AccessCondition.EID_READ)
    padded = content.ljust(ROOM, b"\0")
    return FileImage(file.name, file.fid, file.sfi, padded, AccessCondition.EID_READ, AccessCondition.EID_WRITE)


def build_image(pki: TerminalPki, values: dict[int, EidValue] | None = None, *, chip_scalar: int = 0xC41F) -> CardImage:
    """A card with every data group of the eID application that trusts the CVCA."""
    application = ApplicationImage(
        EID_AID,
        tuple(_file(number, value) for number, value in (VALUES if values is None else values).items()),
        (
            _key(KeyPurpose.CHIP_AUTHENTICATION, CHIP_KEY, chip_scalar),
            _key(KeyPurpose.RESTRICTED_IDENTIFICATION, RI_KEY, 0x1D),
            _key(KeyPurpose.RESTRICTED_IDENTIFICATION_AUTHORIZED, AUTHORIZED_RI_KEY, 0x1E),
        ),
        basic_access_control=False,
    )
    master = (
        FileImage(EF_CARD_ACCESS.name, EF_CARD_ACCESS.fid, 0x1C, CardAccess(_infos()).encode(), AccessCondition.ALWAYS),
        FileImage(EF_CARD_SECURITY.name, EF_CARD_SECURITY.fid, 0x1D, card_security(), AccessCondition.PACE),
    )
    return CardImage(
        ChipImage(Interface.CONTACTLESS, b"", SecurityDomainImage(bytes.fromhex("A000000151000000"))),
        master,
        (application,),
        (
            PasswordImage(PasswordId.PIN, PIN.value, 3),
            PasswordImage(PasswordId.CAN, CAN.value),
            PasswordImage(PasswordId.PUK, PUK.value, 10),
        ),
        (PACE,),
        (pki.cvca_certificate(),),
        BEGIN,
    )


def build_pki(rights: bytes, **changes: object) -> TerminalPki:
    """An authentication terminal with these rights, of the sectors SHOP and BANK."""
    sectors = (build_terminal_sector("sha256", SHOP.content, BANK.content),)
    return replace(build_authentication_pki(), **({"terminal_rights": rights, "extensions": sectors} | changes))  # type: ignore[arg-type]  # by name, as the caller has them


@dataclass
class EidBench:
    """A card and a terminal, joined."""

    pki: TerminalPki
    values: dict[int, EidValue] | None = None
    chip_scalar: int = 0xC41F
    card: VirtualCard = field(init=False)

    def __post_init__(self) -> None:
        image = build_image(self.pki, self.values, chip_scalar=self.chip_scalar)
        keys = StaticKeySet(1, bytes(16), bytes(16), bytes(16))
        self.card = VirtualCard.from_image(image, serial=bytes(10), keys=keys)

    def run(self, exchange: Exchange[T]) -> T:
        return drive(exchange, self)

    @property
    def atr(self) -> bytes:
        return self.card.atr

    def transmit(self, command: bytes) -> bytes:
        return self.card.process(command)

    def reset(self) -> bytes:
        return self.card.reset()

    def close(self) -> None:
        self.card.power_off()

    def identify(
        self,
        plan: IdentificationPlan,
        consent: Consent | None = None,
        credentials: TerminalCredentials | None = None,
    ) -> Identification:
        self.card.reset()
        return self.run(identify(consent or Consent(PIN), credentials or self.pki.credentials(), plan))


def ask_pseudonym(key_id: int = RI_KEY) -> IdentificationPlan:
    return IdentificationPlan(sectors=Sectors(SHOP, BANK, key_id))


def chat(rights: bytes) -> Chat:
    return Chat(ID_AT, rights)
