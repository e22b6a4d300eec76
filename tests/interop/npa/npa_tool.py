"""OpenSC's npa-tool at our readers, and the card of the eID application that it manages and reads."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eid.card import VirtualCard
from eid.card.card import CardEvent
from eid.codec.tlv import encode_tlv
from eid.crypto.public_key import encode_public_key
from eid.lds.card_access import CardAccess
from eid.lds.security_infos import (
    ID_CA_ECDH,
    ID_PACE_ECDH_GM,
    ID_PK_ECDH,
    ChipAuthenticationDomainParameterInfo,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PACEInfo,
    TerminalAuthenticationInfo,
)
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
from eid.protocols.scp03.key_set import default_key_set
from tests.builders.issuance import NOW, Authority
from tests.builders.terminals import BEGIN, CVCA, TerminalPki
from tests.interop.cards import CountedCard

HERE = Path(__file__).parent
PROGRAM = HERE / "target" / "npa-tool"
EID_APPLICATION = bytes.fromhex("E80704007F00070302")  # TR-03110-4 2.2.3
PASSWORDS = {PasswordId.CAN: "222222", PasswordId.PIN: "111111", PasswordId.PUK: "3333333333"}
PIN_TRIES = 3
PRINTED = 112  # octets, in lines of 16
DUMP = re.compile("([0-9A-F]{2} )+")
COORDINATE = 32  # octets, of CURVE
# What libeac does to a coordinate that begins with a zero octet, seen from the card: of its own key for PACE it will be
# told a shorter identifier than it has, of the terminal's key it is told one coordinate octet less.
CARDS_KEY = bytes.fromhex("7C4384410400")
TERMINALS_KEY = f"ephemeral public key of {COORDINATE - 1} octets"
ATTEMPTS = 5
CURVE = "brainpoolP256r1"
DATA_GROUPS = {
    1: encode_tlv(0x61, encode_tlv(0x13, b"ID")),
    4: encode_tlv(0x64, encode_tlv(0x0C, b"ANNA MARIA")),
    5: encode_tlv(0x65, encode_tlv(0x0C, b"SPECIMEN")),
    17: encode_tlv(0x71, encode_tlv(0x0C, b"UTOPIA CITY")),
}
_STANDARDIZED = bytes.fromhex("300C060704007F0007010202010D")  # AlgorithmIdentifier: TR-03110-3 A.2.1.1, number 13


@dataclass(frozen=True)
class EidCard:
    """The card, and who signed for its chip."""

    image: CardImage
    authority: Authority

    def new(self, **changes: object) -> VirtualCard:
        """A card of its own, with other fields of the image where that is asked."""
        image = replace(self.image, **changes)  # type: ignore[arg-type]  # by name, as the caller has them
        return VirtualCard.from_image(image, serial=b"SPECIMEN01", keys=default_key_set())

    def with_foreign_key(self) -> VirtualCard:
        """All its files on a chip that has another private key."""
        (application,) = self.image.applications
        return self.new(applications=(replace(application, keys=(_chip_key(ec.generate_private_key(_curve())),)),))


def build_eid_card(authority: Authority, pki: TerminalPki) -> EidCard:
    """CAN, PIN and PUK; Chip Authentication 2; a trust point; data groups by the terminal's right.

    The chip's public key has its parameters written out: libeac frees a key twice that only names its curve, which
    TR-03110-3 A.2.1.1 does not provide for either.
    """
    key = ec.generate_private_key(_curve())
    pace = PACEInfo(ID_PACE_ECDH_GM + ".2", 2, 13)
    infos = (
        pace,
        ChipAuthenticationInfo(ID_CA_ECDH + ".2", 2, 1),
        ChipAuthenticationDomainParameterInfo(ID_CA_ECDH, _STANDARDIZED, 1),
        TerminalAuthenticationInfo(version=2),
    )
    public = ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, encode_public_key(key.public_key(), explicit=True), 1)
    security = sign_card_security((*infos, public), authority.signer, authority.signer_certificate, signing_time=NOW)
    groups = (
        FileImage(f"DG{number}", 0x0100 + number, number, content, AccessCondition.EID_READ)
        for number, content in DATA_GROUPS.items()
    )
    image = CardImage(
        ChipImage(Interface.CONTACTLESS, b"", SecurityDomainImage(bytes.fromhex("A000000151000000"))),
        (
            FileImage("EF.CardAccess", 0x011C, 0x1C, CardAccess(infos).encode(), AccessCondition.ALWAYS),
            FileImage("EF.CardSecurity", 0x011D, 0x1D, security, AccessCondition.PACE),
        ),
        (ApplicationImage(EID_APPLICATION, tuple(groups), (_chip_key(key),), basic_access_control=False),),
        tuple(
            PasswordImage(identifier, value.encode(), PIN_TRIES if identifier is PasswordId.PIN else None)
            for identifier, value in PASSWORDS.items()
        ),
        (pace,),
        (pki.cvca_certificate(),),
        BEGIN,
    )
    return EidCard(image, authority)


def _curve() -> ec.EllipticCurve:
    return ec.BrainpoolP256R1()


def _chip_key(key: ec.EllipticCurvePrivateKey) -> KeyImage:
    encoded = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return KeyImage(KeyPurpose.CHIP_AUTHENTICATION, 1, KeyAlgorithm("ec", CURVE), encoded)


class WatchedCard(CountedCard):
    """Also sees whether libeac has dropped a coordinate's leading zero, against TR-03110-3 A.2.2.3."""

    def __init__(self, card: VirtualCard) -> None:
        super().__init__(card)
        self.has_lost_zero = False
        card._observe = self._look

    def process(self, command: bytes, /) -> bytes:
        answer = super().process(command)
        self.has_lost_zero |= answer.startswith(CARDS_KEY)
        return answer

    def _look(self, event: CardEvent) -> None:
        self.has_lost_zero |= TERMINALS_KEY in event.detail


@dataclass(frozen=True)
class Said:
    """What npa-tool said, and how many commands the card had from it, with their status words."""

    exit_code: int
    text: str
    status_words: tuple[int, ...]

    @property
    def read(self) -> tuple[bytes, ...]:
        """Data groups in the order in which they were asked for; npa-tool prints none that is longer than `PRINTED`."""
        groups: list[bytes] = []
        for line in self.text.splitlines():
            dump = line.removeprefix("Read ")
            if not DUMP.match(dump):
                continue
            octets = bytes.fromhex(dump[: len(dump) // 4 * 3])  # n octets in hexadecimal, then n characters
            if dump is line and groups:
                groups[-1] += octets
            else:
                groups.append(octets)
        return tuple(groups)


@dataclass(frozen=True)
class NpaTool:
    """npa-tool, and a folder for what it is given. It takes the first reader that holds a card."""

    folder: Path

    def run(self, card: CountedCard, *options: str | Path, **passwords: str) -> Said:
        """What it does with the card that lies in the reader.

        Args:
            passwords: by their names in npa-tool's environment: CAN, PIN, PUK, NEWPIN.
        """
        before = len(card.status_words)
        done = subprocess.run(
            [PROGRAM, "--env", *options],
            env={**os.environ, **passwords, "OPENSC_CONF": str(HERE / "opensc.conf"), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
        return Said(done.returncode, done.stdout + done.stderr, tuple(card.status_words[before:]))

    def run_eac(self, card: WatchedCard, *options: str | Path, **passwords: str) -> Said:
        """As `run`, and again where a key was drawn that libeac gets wrong: one run in 128."""
        for _ in range(ATTEMPTS):
            card.has_lost_zero = False
            said = self.run(card, *options, **passwords)
            if not card.has_lost_zero:
                break
        return said

    def credentials(self, pki: TerminalPki, key: ec.EllipticCurvePrivateKey) -> list[str | Path]:
        """Options for the terminal's chain and key."""
        dv = self.file("dv", pki.dv_certificate())
        terminal = self.file("terminal", pki.terminal_certificate())
        private = self.file("key", key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        cvca = self.file(f"cvc/{CVCA}", pki.cvca_certificate())
        return ["-C", dv, "-C", terminal, "-P", private, "--cvc-dir", cvca.parent]

    def file(self, name: str, content: bytes) -> Path:
        """A new file of that name."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path
