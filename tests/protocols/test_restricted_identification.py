"""Restricted Identification: both ends, curves and MODP groups, revocation; sectors that no certificate names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, decode_command
from eid.codec.cv import CvExtension
from eid.codec.oid import ID_SECTOR, encode_oid_content
from eid.codec.tlv import encode_tlv
from eid.crypto.curves import curve_by_id
from eid.crypto.dh_groups import DH_GROUPS
from eid.crypto.group import DhGroup, EcGroup, Group
from eid.crypto.hashes import digest
from eid.errors import CommandRefused, DecodeError, LocalProtocolError, PeerProtocolError, StatusWordError
from eid.protocols.chip_authentication.messages import AuthenticationTemplate, encode_set_at
from eid.protocols.exchange import drive
from eid.protocols.restricted_identification import core, messages
from eid.protocols.restricted_identification.card import RestrictedIdentificationCard, RestrictedKey
from eid.protocols.restricted_identification.core import TerminalSector, build_terminal_sector, find_terminal_sector
from eid.protocols.restricted_identification.messages import Pair
from eid.protocols.restricted_identification.sector_key import SectorPublicKey, build_sector_key, decode_sector_key
from eid.protocols.restricted_identification.terminal import run_restricted_identification
from tests.builders.exchanges import play
from tests.builders.sweep import examples

ECDH_SHA_256 = "0.4.0.127.0.7.2.2.5.2.3"
HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")


def group_of(number: int) -> Group:
    curve = curve_by_id(number)
    return DhGroup(DH_GROUPS[number]) if curve is None else EcGroup(curve)


def sector(group: Group, scalar: int, hash_name: str = "sha256") -> SectorPublicKey:
    return build_sector_key(core.protocol_of(group, hash_name), group, group.key(scalar).public)


class RiChip:
    """The protocol as a card; `authorized` is the terminal's right."""

    def __init__(self, keys: dict[int, RestrictedKey], named: TerminalSector, *, authorized: bool = True) -> None:
        self.card = RestrictedIdentificationCard(keys, named, "sha256", authorized=authorized)
        self.log: list[CommandAPDU] = []

    @property
    def atr(self) -> bytes:
        return b""

    def reset(self) -> bytes:
        return b""

    def close(self) -> None:
        pass

    def transmit(self, raw: bytes) -> bytes:
        command = decode_command(raw)
        self.log.append(command)
        try:
            handle = self.card.set_at if command.ins == 0x22 else self.card.general_authenticate
            return handle(command).encode()
        except CommandRefused as refusal:
            return refusal.sw.to_bytes(2, "big")


def named_by(first: SectorPublicKey | None, second: SectorPublicKey | None = None) -> TerminalSector:
    contents = (None if key is None else key.content for key in (first, second))
    return find_terminal_sector((build_terminal_sector("sha256", *contents),))


GROUP = group_of(13)
KEY = GROUP.key(0x1D)
RESTRICTED = RestrictedKey(GROUP, KEY, "sha256", authorized_only=False)
SHOP, BANK = sector(GROUP, 0x5105), sector(GROUP, 0xBA4C)


@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("number", [12, 13, 17, 0, 2])
def test_pair_and_definition(number: int, hash_name: str) -> None:
    """The identifier is the hash of the shared secret, and the sector's private key finds it from PK_ID alone."""
    group = group_of(number)
    key = group.key(0x1D)
    restricted = RestrictedKey(group, key, hash_name, authorized_only=False)
    shop = sector(group, 0x5105, hash_name)
    answer = drive(run_restricted_identification(1, shop), RiChip({1: restricted}, named_by(shop)))
    assert answer.second is None
    assert answer.first == digest(hash_name, key.agree(shop.public))
    assert answer.first == core.compute_identifier(hash_name, group.key(0x5105), key.public)


def test_revocation_finds_the_card_in_every_sector() -> None:
    """TR-03110-3 2.7.3: CVCA and document verifier together, neither alone."""
    revocation, verifier = GROUP.key(0xCAFE), GROUP.key(0xD5)
    public = core.transform_key(verifier, revocation.public)  # PK_Sector, made from PK_Revocation
    shop = build_sector_key(ECDH_SHA_256, GROUP, public)
    answer = drive(run_restricted_identification(None, shop), RiChip({7: RESTRICTED}, named_by(shop)))
    transformed = core.transform_key(revocation, KEY.public)
    assert answer.first == core.compute_identifier("sha256", verifier, transformed)
    assert answer.first != core.compute_identifier("sha256", verifier, KEY.public)


def test_two_sectors_see_two_identifiers() -> None:
    chip = RiChip({1: RESTRICTED}, named_by(SHOP, BANK))
    both = drive(run_restricted_identification(1, SHOP, BANK), chip)
    assert both.first is not None
    assert both.first != both.second
    assert drive(run_restricted_identification(1, None, BANK), chip).second == both.second
    assert drive(run_restricted_identification(1, SHOP), chip).first == both.first
    assert "first=" not in repr(both)


def test_commands_on_the_wire() -> None:
    chip = RiChip({1: RESTRICTED}, named_by(SHOP))
    drive(run_restricted_identification(1, SHOP), chip)
    set_at, general = chip.log
    oid = bytes.fromhex("04007F00070202050203")
    assert set_at == CommandAPDU(0x00, 0x22, 0x41, 0xA4, encode_tlv(0x80, oid) + b"\x84\x01\x01")
    assert (general.cla, general.ins, general.p1, general.p2) == (0x00, 0x86, 0x00, 0x00)
    assert general.data == encode_tlv(0x7C, encode_tlv(0xA0, SHOP.content))
    assert SHOP.content.startswith(encode_tlv(0x06, oid) + b"\x81\x20")


def refuse(chip: RiChip, *arguments: object) -> int:
    with pytest.raises(StatusWordError) as caught:
        drive(run_restricted_identification(*arguments), chip)  # type: ignore[arg-type]  # the table's arguments
    return caught.value.sw


def test_a_sector_that_the_certificate_does_not_name() -> None:
    assert refuse(RiChip({1: RESTRICTED}, named_by(SHOP)), 1, BANK) == 0x6A80
    assert refuse(RiChip({1: RESTRICTED}, named_by(SHOP)), 1, None, SHOP) == 0x6A80  # only as its first
    assert refuse(RiChip({1: RESTRICTED}, TerminalSector()), 1, SHOP) == 0x6A80
    assert refuse(RiChip({1: RESTRICTED}, named_by(SHOP, BANK)), 1, BANK, SHOP) == 0x6A80


def test_a_right_for_the_key_that_wants_it() -> None:
    keys = {1: RESTRICTED, 2: RestrictedKey(GROUP, KEY, "sha256", authorized_only=True)}
    chip = RiChip(keys, named_by(SHOP), authorized=False)
    assert drive(run_restricted_identification(1, SHOP), chip).first
    assert refuse(chip, 2, SHOP) == 0x6982
    assert refuse(chip, 3, SHOP) == 0x6A88
    assert refuse(chip, None, SHOP) == 0x6A88  # which of two?
    assert drive(run_restricted_identification(2, SHOP), RiChip(keys, named_by(SHOP))).first


@pytest.mark.parametrize("other", [sector(group_of(12), 5), sector(GROUP, 5, "sha512"), sector(group_of(1), 5)])
def test_another_group_or_hash(other: SectorPublicKey) -> None:
    chip = RiChip({1: RESTRICTED}, named_by(other))
    assert refuse(chip, 1, other) == 0x6A80  # MSE:Set AT
    chip.transmit(encode_set_at(AuthenticationTemplate(ECDH_SHA_256, 1)).encode())
    sent = messages.encode_general_authenticate(Pair(other.content)).encode()
    assert chip.transmit(sent) == b"\x6a\x80"


def test_order_and_form_of_the_commands() -> None:
    chip = RiChip({1: RESTRICTED}, named_by(SHOP))
    general = messages.encode_general_authenticate(Pair(SHOP.content))
    begin = encode_set_at(AuthenticationTemplate(ECDH_SHA_256, 1))

    def after_set_at(command: CommandAPDU) -> bytes:
        assert chip.transmit(begin.encode()) == b"\x90\x00"
        return chip.transmit(command.encode())

    assert chip.transmit(general.encode()) == b"\x69\x85"
    assert after_set_at(CommandAPDU(0x10, 0x86, 0, 0, general.data)) == b"\x68\x83"
    assert after_set_at(CommandAPDU(0x00, 0x86, 1, 0, general.data)) == b"\x6a\x86"
    assert after_set_at(CommandAPDU(0x00, 0x86, 0, 0, b"\x7c\x00")) == b"\x6a\x80"
    assert chip.transmit(general.encode()) == b"\x69\x85"  # once for each MSE:Set AT
    assert chip.transmit(CommandAPDU(0, 0x22, 0x41, 0xA4, b"\x84\x01\x01").encode()) == b"\x6a\x80"
    assert not chip.card.awaits_key


def test_off_the_curve() -> None:
    bad = SHOP.content.replace(SHOP.public, SHOP.public[:-1] + bytes((SHOP.public[-1] ^ 1,)))
    chip = RiChip({1: RESTRICTED}, find_terminal_sector((build_terminal_sector("sha256", bad),)))
    chip.transmit(encode_set_at(AuthenticationTemplate(ECDH_SHA_256, 1)).encode())
    assert chip.transmit(messages.encode_general_authenticate(Pair(bad)).encode()) == b"\x6a\x80"


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x7c\x00", encode_tlv(0x7C, encode_tlv(0x81, b"short")), encode_tlv(0x7C, b"\x83\x20" + bytes(32))],
)
def test_answers_that_are_none(answer: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        play(run_restricted_identification(1, SHOP), [b"\x90\x00", answer + b"\x90\x00"])


def test_callers_mistakes() -> None:
    for sectors in ((None, None), (SHOP, sector(GROUP, 5, "sha512"))):
        with pytest.raises(LocalProtocolError):
            play(run_restricted_identification(1, *sectors), [])
    with pytest.raises(LocalProtocolError):
        core.protocol_of(GROUP, "md5")
    with pytest.raises(DecodeError):
        build_sector_key("0.4.0.127.0.7.2.2.5.1.3", GROUP, SHOP.public)


@pytest.mark.parametrize("number", [8, 13, 18, 0, 1, 2])
def test_sector_key_round_trip(number: int) -> None:
    key = sector(group_of(number), 77)
    decoded = decode_sector_key(key.content)
    assert (decoded.protocol, decoded.group.name, decoded.public) == (key.protocol, key.group.name, key.public)


def test_sector_keys_with_parameters_of_their_own() -> None:
    """The parameters decide; a generator that somebody chose makes no sector (CVE-2020-0601)."""
    group = DhGroup(DH_GROUPS[0])
    key = sector(group, 77)
    g = group.parameters.g
    encoded = encode_tlv(0x83, g.to_bytes((g.bit_length() + 7) // 8, "big"))
    with pytest.raises(DecodeError, match="no known group"):
        decode_sector_key(key.content.replace(encoded, encode_tlv(0x83, b"\x02")))
    with pytest.raises(DecodeError, match="p, q, g and y"):
        decode_sector_key(key.content.replace(encoded, b""))
    with pytest.raises(DecodeError, match="domain parameters"):
        decode_sector_key(encode_tlv(0x06, encode_oid_content(ECDH_SHA_256)) + encode_tlv(0x86, SHOP.public))
    signing = encode_oid_content("0.4.0.127.0.7.2.2.2.2.3")  # id-TA-ECDSA-SHA-256
    with pytest.raises(DecodeError, match="not Restricted Identification"):
        decode_sector_key(SHOP.content.replace(encode_oid_content(ECDH_SHA_256), signing))


@pytest.mark.parametrize("content", [b"", b"\x82\x01\x00", b"\x80\x01\x00\x80\x01\x00"])
def test_terminal_sectors_that_are_none(content: bytes) -> None:
    with pytest.raises(DecodeError):
        find_terminal_sector((CvExtension(ID_SECTOR, content),))


def test_terminal_sector_of_a_certificate() -> None:
    assert find_terminal_sector(()) == TerminalSector()
    one = build_terminal_sector("sha256", SHOP.content)
    assert find_terminal_sector((CvExtension("1.2.3", b""), one)).hashes == (
        digest("sha256", encode_tlv(0x7F49, SHOP.content)),
        None,
    )
    with pytest.raises(DecodeError):
        find_terminal_sector((one, one))


@settings(max_examples=examples(60), deadline=None)
@given(raw=st.binary(max_size=80), known=st.booleans())
def test_arbitrary_octets(raw: bytes, known: bool) -> None:
    if known:
        raw = encode_tlv(0x06, encode_oid_content(ECDH_SHA_256)) + raw
    for decode in (decode_sector_key, messages.decode_general_authenticate, messages.decode_answer):
        with pytest.raises(DecodeError):
            decode(raw)
