"""A small card product, its image with injected keys, and the issuer's side of the dialect, written out by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from eid.card import VirtualCard
from eid.card.fcp import DirectoryParameters, FileParameters
from eid.card.keys import KeyOrder, encode_private_key
from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_response
from eid.codec.tlv import encode_tlv
from eid.crypto.curves import curve_by_name
from eid.lds.security_infos import PACEInfo, encode_security_info, encode_security_infos
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
from eid.protocols.exchange import Exchange, drive, through
from eid.protocols.globalplatform.messages import CardState
from eid.protocols.globalplatform.terminal import build_key_blocks, put_key_set, select_security_domain, set_status
from eid.protocols.scp03.channel import Scp03Channel
from eid.protocols.scp03.key_set import StaticKeySet, default_key_set
from eid.protocols.scp03.terminal import open_scp03

ISD = bytes.fromhex("A000000151000000")
LDS = bytes.fromhex("A0000002471001")
SERIAL = b"SPECIMEN01"
MRZ = b"L898902C<369080619406236"
CAN = b"123456"
PACE = PACEInfo("0.4.0.127.0.7.2.2.4.2.2", 2, 13)
ISSUER_KEYS = StaticKeySet(0x01, bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))


def make_random(seed: bytes = b"seed") -> Callable[[int], bytes]:
    """A stream that is the same in every run."""
    counter = iter(range(1 << 30))

    def random(length: int) -> bytes:
        return hashlib.shake_256(seed + next(counter).to_bytes(4, "big")).digest(length)

    return random


@dataclass
class Loopback:
    """A connection straight into the card."""

    card: VirtualCard
    log: list[tuple[CommandAPDU, ResponseAPDU]] = field(default_factory=list)

    @property
    def atr(self) -> bytes:
        return self.card.atr

    def transmit(self, command: bytes) -> bytes:
        return self.card.process(command)

    def reset(self) -> bytes:
        return self.card.reset()

    def close(self) -> None:
        self.card.power_off()


@dataclass
class Bench:
    """A card on the bench: plain commands, exchanges, and the issuer's channel."""

    card: VirtualCard
    channel: Scp03Channel | None = None

    def plain(self, text: str) -> ResponseAPDU:
        """Send octets written in hexadecimal."""
        return decode_response(self.card.process(bytes.fromhex(text)))

    def run(self, exchange: Exchange[object]) -> object:
        """Run an exchange, plain."""
        return drive(exchange, Loopback(self.card))

    def secure(self, command: CommandAPDU) -> ResponseAPDU:
        """Send a command through the issuer's channel."""
        assert self.channel is not None
        sent = self.channel.protect_command(command).encode()
        return self.channel.unprotect_response(decode_response(self.card.process(sent)))

    def put(self, ins: int, p1: int, p2: int, data: bytes = b"", cla: int = 0x00) -> ResponseAPDU:
        """A command through the channel that must succeed."""
        response = self.secure(CommandAPDU(cla, ins, p1, p2, data, 256))
        assert response.sw == 0x9000, f"{ins:02X} answered {response.sw:04X}"
        return response

    def open(self, keys: StaticKeySet) -> None:
        """Open the issuer's channel at level 33."""
        connection = Loopback(self.card)
        drive(select_security_domain(ISD), connection)
        self.channel = drive(open_scp03(keys, aid=ISD), connection)

    def managed(self, exchange: Exchange[object]) -> object:
        """Run an exchange through the issuer's channel."""
        assert self.channel is not None
        return drive(through(self.channel, exchange), Loopback(self.card))

    def replace_keys(self) -> None:
        """From the factory's keys to the issuer's; open the channel with the latter, move to personalisation."""
        factory = default_key_set()
        self.open(factory)
        self.managed(put_key_set(ISSUER_KEYS.key_version, build_key_blocks(ISSUER_KEYS, factory)))
        self.open(ISSUER_KEYS)
        self.managed(set_status(CardState.INITIALIZED))

    def write_file(self, file: FileImage) -> None:
        """CREATE FILE and UPDATE BINARY."""
        self.put(0xE0, 0, 0, FileParameters(file.fid, len(file.content), file.sfi, file.read, file.update).encode())
        for offset in range(0, len(file.content), 200):
            self.put(0xD6, offset >> 8, offset & 0xFF, file.content[offset : offset + 200])

    def write(self, image: CardImage) -> None:
        """Everything up to, and without, the lock."""
        self.put(0xA4, 0, 0x0C, b"\x3f\x00")
        for file in image.master_files:
            self.write_file(file)
        self.put(0x44, 0, 0)
        for application in image.applications:
            self.put(0xE0, 0, 0, DirectoryParameters(application.aid, None, application.basic_access_control).encode())
            for key in application.keys:
                order = KeyOrder(key.purpose, key.reference, key.algorithm).encode()
                assert key.private_key is not None
                self.put(0xDB, 0x3F, 0xFF, encode_tlv(0x7F48, order + encode_tlv(0xD0, key.private_key)))
            for file in application.files:
                self.write_file(file)
            self.put(0x44, 0x04, 0, application.aid)
        for password in image.passwords:
            self.put(0x24, 0x01, password.id, password.value)
            if password.tries is not None:
                limit = encode_tlv(0x83, bytes((password.id,))) + encode_tlv(0x80, bytes((password.tries,)))
                self.put(0xDB, 0x3F, 0xFF, encode_tlv(0xFF22, limit))
        infos = b"".join(encode_security_info(info) for info in image.pace)
        self.put(0xDB, 0x3F, 0xFF, encode_tlv(0xFF21, infos))

    def secure_is_closed(self) -> bool:
        """Whether the card has forgotten the channel."""
        assert self.channel is not None
        answer = self.card.process(self.channel.protect_command(CommandAPDU(0x80, 0xF2, 0x80, 0, b"\x4f\0")).encode())
        return answer == b"\x69\x82"

    def lock(self) -> None:
        """SET STATUS SECURED."""
        self.managed(set_status(CardState.SECURED))


def _ec_key(scalar: int, curve_name: str) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = curve_by_name(curve_name)
    assert curve is not None
    assert curve.library is not None
    return encode_private_key(ec.derive_private_key(scalar, curve.library))


def make_chip(*, contactless: bool = True) -> ChipImage:
    interface = Interface.CONTACTLESS if contactless else Interface.CONTACT
    return ChipImage(interface, b"EID-CARD", SecurityDomainImage(ISD))


def make_image() -> CardImage:
    """Two applications: one closed by access control, one with a file that anybody reads."""
    curve = "brainpoolP256r1"
    algorithm = KeyAlgorithm("ec", curve)
    keys = (
        KeyImage(KeyPurpose.ACTIVE_AUTHENTICATION, 1, algorithm, _ec_key(0x1234567, curve)),
        KeyImage(KeyPurpose.CHIP_AUTHENTICATION, 2, algorithm, _ec_key(0x7654321, curve)),
    )
    dg1 = encode_tlv(0x61, encode_tlv(0x5F1F, b"SPECIMEN".ljust(90, b"<")))
    dg2 = encode_tlv(0x75, bytes(range(256)) * 2)
    lds = ApplicationImage(
        LDS,
        (
            FileImage("EF.COM", 0x011E, 0x1E, encode_tlv(0x60, b"\x5c\x02\x61\x75")),
            FileImage("DG1", 0x0101, 0x01, dg1),
            FileImage("DG2", 0x0102, 0x02, dg2, AccessCondition.PACE),
            FileImage("DG13", 0x010D, 0x0D, encode_tlv(0x6D, b"never read"), AccessCondition.NEVER),
        ),
        keys,
    )
    other = ApplicationImage(
        bytes.fromhex("F04549442D01"),
        (FileImage("open", 0x0001, 0x01, b"anybody may read this", AccessCondition.ALWAYS, AccessCondition.PACE),),
        basic_access_control=False,
    )
    return CardImage(
        make_chip(),
        (FileImage("EF.CardAccess", 0x011C, 0x1C, encode_security_infos((PACE,)), AccessCondition.ALWAYS),),
        (lds, other),
        (
            PasswordImage(PasswordId.MRZ, MRZ),
            PasswordImage(PasswordId.CAN, CAN),
            PasswordImage(PasswordId.PIN, b"2468", 3),
        ),
        (PACE,),
    )


@pytest.fixture
def image() -> CardImage:
    return make_image()


@pytest.fixture
def chip() -> ChipImage:
    return make_chip()


@pytest.fixture
def blank() -> Bench:
    """A blank card."""
    return Bench(VirtualCard.blank(make_chip(), serial=SERIAL, random=make_random()))


@pytest.fixture
def opened() -> Bench:
    """A card in personalisation, the issuer's channel open."""
    bench = Bench(VirtualCard.blank(make_chip(), serial=SERIAL, random=make_random()))
    bench.replace_keys()
    return bench


@pytest.fixture
def issued() -> Bench:
    """An operational card."""
    return Bench(
        VirtualCard.from_image(make_image(), serial=SERIAL, keys=ISSUER_KEYS, sequence=1, random=make_random())
    )


@pytest.fixture
def issuer_keys() -> StaticKeySet:
    return ISSUER_KEYS


@pytest.fixture
def other_chip() -> Callable[..., ChipImage]:
    """Change the chip of `make_chip`."""
    return lambda **changes: replace(make_chip(), **changes)
