"""The inspection procedure against the virtual card: all files read, both chip protocols run, clones, blocked CAN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eid.card import VirtualCard
from eid.errors import PasswordBlockedError, WrongPasswordError
from eid.evidence import Evidence, ProtocolName, ProtocolOutcome
from eid.inspection import InspectionPlan, inspect
from eid.lds.card_access import CardAccess
from eid.lds.com import EfCom
from eid.lds.dg15 import decode_dg15
from eid.lds.files import LDS1_AID, by_name
from eid.lds.security_infos import ID_PACE_ECDH_GM, PACEInfo
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
from eid.protocols.active_authentication.core import verify_active_authentication
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.protocols.scp03.key_set import default_key_set
from tests.builders.document import CHALLENGE, MRZ, Document, build_document

INFO = PACEInfo(ID_PACE_ECDH_GM + ".4", 2, 12)
CAN = Password(PasswordId.CAN, b"123456")
CHIP = ChipImage(Interface.CONTACTLESS, b"SPECIMEN", SecurityDomainImage(bytes.fromhex("A000000151000000")))


def stored(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def file_image(name: str, content: bytes, read: AccessCondition = AccessCondition.BAC_OR_PACE) -> FileImage:
    file = by_name(name)
    return FileImage(name, file.fid, file.sfi, content, read)


def build_image(document: Document, keys_of: Document, infos: tuple[PACEInfo, ...], can_tries: int | None) -> CardImage:
    files = {"EF.COM": EfCom((0x61, 0x75, 0x6B, 0x6E, 0x6F)).encode(), **document.files}
    card_access = file_image("EF.CardAccess", CardAccess(infos).encode(), AccessCondition.ALWAYS)
    keys = (
        KeyImage(KeyPurpose.ACTIVE_AUTHENTICATION, 15, KeyAlgorithm("ec", "P-256"), stored(keys_of.active_key)),
        KeyImage(KeyPurpose.CHIP_AUTHENTICATION, 1, KeyAlgorithm("ec", "brainpoolP256r1"), stored(keys_of.chip_key)),
    )
    application = ApplicationImage(LDS1_AID, tuple(file_image(*item) for item in files.items()), keys)
    passwords = (
        PasswordImage(PasswordId.MRZ, MRZ.information.encode()),
        PasswordImage(PasswordId.CAN, CAN.value, can_tries),
    )
    return CardImage(CHIP, (card_access,) if infos else (), (application,), passwords, infos)


@dataclass
class Loopback:
    card: VirtualCard
    count: int = 0

    @property
    def atr(self) -> bytes:
        return self.card.atr

    def reset(self) -> bytes:
        return self.card.reset()

    def close(self) -> None:
        pass

    def transmit(self, command: bytes) -> bytes:
        self.count += 1
        return self.card.process(command)


@pytest.fixture(scope="module")
def document() -> Document:
    return build_document()


@pytest.fixture(scope="module")
def new_card(document: Document) -> Callable[..., Loopback]:
    def make(
        keys_of: Document = document, infos: tuple[PACEInfo, ...] = (INFO,), can_tries: int | None = None
    ) -> Loopback:
        image = build_image(document, keys_of, infos, can_tries)
        return Loopback(VirtualCard.from_image(image, serial=bytes(10), keys=default_key_set()))

    return make


def run(card: Loopback, password: Password = CAN, *, allow_bac: bool = False, max_response: int = 256) -> Evidence:
    plan = InspectionPlan(password, challenge=CHALLENGE, allow_bac=allow_bac, max_response=max_response)
    return drive(inspect(plan, datetime(2026, 6, 1, tzinfo=UTC)), card)


def judge(document: Document, evidence: Evidence) -> str:
    signed = evidence.transcript(ProtocolName.ACTIVE_AUTHENTICATION)
    assert signed is not None
    public_key_info = decode_dg15(document.files["DG15"]).public_key_info
    return verify_active_authentication(public_key_info, None, CHALLENGE, signed.messages["signature"])


@pytest.mark.parametrize("max_response", [256, 65000])
def test_pace(new_card: Callable[..., Loopback], document: Document, max_response: int) -> None:
    evidence = run(new_card(), max_response=max_response)
    assert {name: evidence.content(name) for name in document.files} == document.files
    assert [item.outcome for item in evidence.transcripts] == [ProtocolOutcome.SUCCEEDED] * 3
    assert judge(document, evidence) == "sha256"


def test_bac(new_card: Callable[..., Loopback], document: Document) -> None:
    mrz = Password(PasswordId.MRZ, MRZ.information.encode())
    evidence = run(new_card(infos=()), mrz, allow_bac=True)
    assert {name: evidence.content(name) for name in document.files} == document.files
    assert evidence.transcript(ProtocolName.BAC) is not None
    assert judge(document, evidence) == "sha256"


def test_clone(new_card: Callable[..., Loopback]) -> None:
    evidence = run(new_card(build_document()))
    agreed = evidence.transcript(ProtocolName.CHIP_AUTHENTICATION)
    signed = evidence.transcript(ProtocolName.ACTIVE_AUTHENTICATION)
    assert agreed is not None
    assert agreed.outcome is ProtocolOutcome.FAILED
    assert signed is not None
    assert signed.outcome is ProtocolOutcome.SUCCEEDED


def test_wrong_can_counts_down_to_blocked(new_card: Callable[..., Loopback]) -> None:
    card, wrong = new_card(can_tries=2), Password(PasswordId.CAN, b"000000")
    for left in (1, 0):
        card.reset()
        with pytest.raises(WrongPasswordError) as caught:
            run(card, wrong)
        assert caught.value.tries_left == left
    card.reset()
    with pytest.raises(PasswordBlockedError):
        run(card)
