"""Cards for other people's terminals: an issued one, and the same with one thing wrong."""

from __future__ import annotations

from datetime import date

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from eid.card import VirtualCard
from eid.card.memory import StoredKey
from eid.card.state import decode_state
from eid.card.trust import load_trust
from eid.lds.files import LDS1_AID, by_fid, by_name
from eid.profile.card_image import AccessCondition, KeyPurpose
from eid.transport.reactive_card import ReactiveCard
from tests.builders.issuance import Issued

DG1_NAME = 40  # an octet of DG1 inside the MRZ, of every format


class CountedCard:
    """Counts the commands that reach a card, whoever sends them, and keeps the status words of its answers."""

    def __init__(self, card: ReactiveCard) -> None:
        self._card = card
        self.commands = 0
        self.status_words: list[int] = []

    @property
    def atr(self) -> bytes:
        return self._card.atr

    def process(self, command: bytes, /) -> bytes:
        self.commands += 1
        answer = self._card.process(command)
        self.status_words.append(int.from_bytes(answer[-2:], "big"))
        return answer

    def reset(self) -> bytes:
        return self._card.reset()

    def power_off(self) -> None:
        self._card.power_off()


def twin(issued: Issued) -> VirtualCard:
    """The issued card itself, in a body of its own."""
    return VirtualCard.from_state(issued.card.state())


def with_altered_dg1(issued: Issued) -> VirtualCard:
    """One octet of DG1 is another one."""
    memory = decode_state(issued.card.state())
    memory.applications[LDS1_AID].files[by_name("DG1").fid].content[DG1_NAME] ^= 0x01
    return VirtualCard(memory)


def with_foreign_key(issued: Issued, purpose: KeyPurpose) -> VirtualCard:
    """A perfect copy of all files on a chip that has another private key for this purpose."""
    memory = decode_state(issued.card.state())
    application = memory.applications[LDS1_AID]
    application.keys = {
        reference: _exchanged(key) if key.purpose is purpose else key for reference, key in application.keys.items()
    }
    return VirtualCard(memory)


def with_trust_point(issued: Issued, cvca_certificate: bytes, today: date) -> VirtualCard:
    """The issued card, but it trusts this CVCA and believes in this date."""
    memory = decode_state(issued.card.state())
    memory.trust = load_trust((cvca_certificate,), today)
    return VirtualCard(memory)


def closed(card: VirtualCard) -> set[str]:
    """The data groups that only an authenticated terminal reads."""
    files = decode_state(card.state()).applications[LDS1_AID].files.values()
    return {by_fid(file.fid).name for file in files if file.read in (AccessCondition.TA_DG3, AccessCondition.TA_DG4)}


def contents(card: VirtualCard) -> dict[str, bytes]:
    """Every file of the LDS and EF.CardAccess by name, as the card holds them."""
    memory = decode_state(card.state())
    held = {by_fid(fid, in_master_file=True).name: file for fid, file in memory.master.files.items()}
    held |= {by_fid(fid).name: file for fid, file in memory.applications[LDS1_AID].files.items()}
    return {name: bytes(file.content) for name, file in held.items()}


def _exchanged(key: StoredKey) -> StoredKey:
    old = load_der_private_key(key.private_key, None)
    new: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if isinstance(old, rsa.RSAPrivateKey):
        new = rsa.generate_private_key(65537, old.key_size)
    else:
        assert isinstance(old, ec.EllipticCurvePrivateKey)
        new = ec.generate_private_key(old.curve)
    encoded = new.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return StoredKey(key.purpose, key.reference, key.algorithm, encoded)
