"""Terminal Authentication, Chip Authentication 2 and Restricted Identification against OpenPACE's libeac, both ends.

Its P-521 key is compressed without the leading zero of the coordinate, against TR-03110-3 A.2.2.3, so that is left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eid.codec.apdu import decode_command
from eid.codec.cv import Chat
from eid.codec.oid import ID_AT
from eid.crypto.curves import curve_by_id
from eid.crypto.dh_groups import DH_GROUPS
from eid.crypto.group import DhGroup, EcGroup, compress_public_key
from eid.errors import AuthenticationError, CommandRefused
from eid.keystore.software import SoftwareSigner
from eid.lds.security_infos import ID_CA_DH, ID_CA_ECDH, ID_PACE_ECDH_GM
from eid.pki.cv_chain import CardTrust
from eid.pki.cv_issuing import sign_plain
from eid.protocols.chip_authentication import messages as ca_messages
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.chip_authentication.core import VERSION_2, ChipKey, StaticKey
from eid.protocols.chip_authentication.terminal import run_chip_authentication_2
from eid.protocols.cipher_suites import find_suite
from eid.protocols.exchange import drive
from eid.protocols.restricted_identification import core as ri_core
from eid.protocols.restricted_identification import messages as ri_messages
from eid.protocols.restricted_identification.card import RestrictedIdentificationCard, RestrictedKey
from eid.protocols.restricted_identification.sector_key import build_sector_key
from eid.protocols.terminal_authentication import core, messages
from eid.protocols.terminal_authentication.card import TerminalAuthenticationCard
from eid.protocols.terminal_authentication.core import AuxiliaryDatum
from eid.protocols.terminal_authentication.messages import AuthenticationTemplate
from tests.builders.terminals import ALL_AT_RIGHTS, BEGIN, CVCA, DV, ECDSA, TERMINAL, build_authentication_pki
from tests.interop.conftest import Control
from tests.interop.libeac.extended_access import ExtendedAccess
from tests.interop.libeac.openpace import Library

WHO = "libeac"
PACE = (ID_PACE_ECDH_GM + ".2", 13)
AUXILIARY = messages.encode_auxiliary_data([AuxiliaryDatum("0.4.0.127.0.7.3.1.4.1", b"20080101")])


def group_of(number: int) -> EcGroup | DhGroup:
    curve = curve_by_id(number)
    return DhGroup(DH_GROUPS[number]) if curve is None else EcGroup(curve)


def chip_key(number: int, arc: int) -> tuple[StaticKey, ChipKey]:
    """The chip's key, in its hands and as it is announced."""
    group = group_of(number)
    static = StaticKey(group, group.generate())
    mechanism = ID_CA_ECDH if isinstance(group, EcGroup) else ID_CA_DH
    suite = find_suite(f"{mechanism}.{arc}", mechanism)
    assert suite is not None
    return static, ChipKey(f"{mechanism}.{arc}", suite, group, static.key.public, b"", 1, VERSION_2)


CASES = [(number, arc) for number in (12, 13, 15, 16, 17) for arc in (2, 4)] + [(13, 1), (13, 3), (0, 2), (2, 4)]


@pytest.mark.proves(WHO, "our card", "Chip Authentication 2, ECDH and DH")
@pytest.mark.proves(WHO, "our card", "a chip without the key that was announced is noticed", Control.NOTICED)
@pytest.mark.parametrize(("number", "arc"), CASES)
def test_chip_authentication_their_terminal(library: Library, number: int, arc: int) -> None:
    static, key = chip_key(number, arc)
    with ExtendedAccess(library, PACE) as terminal:
        terminal.chip(key.protocol, number)
        compressed, public = terminal.ephemeral_key()
        while static.key.agree(public)[0] == 0 and isinstance(key.group, DhGroup):
            static, key = chip_key(number, arc)  # its DH secret loses leading zeros, against RFC 2631 2.1.2
        ours = compress_public_key(key.group, public)
        assert compressed.rjust(len(ours), b"\0") == ours  # its x-coordinate loses leading zeros
        card = ChipAuthenticationCard({1: static}, terminal_key=ours)
        card.set_at(ca_messages.encode_set_at(ca_messages.AuthenticationTemplate(key.protocol, 1)))
        response, *_ = card.general_authenticate(ca_messages.encode_general_authenticate(public))
        answer = ca_messages.decode_answer(response.data)
        terminal.agree(key.public)
        assert terminal.accepts(answer.nonce, answer.token)
        assert not terminal.accepts(answer.nonce, bytes(8))
        terminal.agree(key.group.generate().public)  # announced by a chip that has another key
        assert not terminal.accepts(answer.nonce, answer.token)


@dataclass
class LibeacCard:
    """libeac as a card that answers our terminal's Chip Authentication 2."""

    context: ExtendedAccess

    @property
    def atr(self) -> bytes:
        return b""

    def reset(self) -> bytes:
        return b""

    def close(self) -> None:
        pass

    def transmit(self, raw: bytes) -> bytes:
        command = decode_command(raw)
        if command.ins == 0x22:
            return b"\x90\x00"
        public = ca_messages.decode_general_authenticate(command.data)
        answer = ca_messages.ChipAnswer(*self.context.answer(public))
        return ca_messages.encode_answer(answer) + b"\x90\x00"


def scalar_of(group: EcGroup | DhGroup) -> tuple[int, bytes]:
    """A private key, as a number and as libeac takes it."""
    scalar = 1 + int.from_bytes(os.urandom(64), "big") % (group.order - 1)
    return scalar, scalar.to_bytes((group.order.bit_length() + 7) // 8, "big")


@pytest.mark.proves(WHO, "our terminal", "Chip Authentication 2, ECDH and DH")
@pytest.mark.proves(WHO, "our terminal", "a chip without the key that was announced is noticed", Control.NOTICED)
@pytest.mark.parametrize(("number", "arc"), CASES)
def test_chip_authentication_their_card(library: Library, number: int, arc: int) -> None:
    group = group_of(number)
    scalar, octets = scalar_of(group)
    public = group.key(scalar).public
    _, announced = chip_key(number, arc)
    key = replace(announced, public=public)
    with ExtendedAccess(library, PACE) as card:
        card.chip(key.protocol, number)
        card.chip_key(octets, public)
        own = group.generate()
        while own.agree(public)[0] == 0 and isinstance(group, DhGroup):
            own = group.generate()  # its DH secret loses leading zeros, against RFC 2631 2.1.2
        assert drive(run_chip_authentication_2(key, own), LibeacCard(card)).secure_messaging.is_alive
        other = replace(key, public=group.generate().public)
        with pytest.raises(AuthenticationError):  # a chip without the key that was announced
            drive(run_chip_authentication_2(other, own), LibeacCard(card))


@pytest.mark.proves(WHO, "itself", "Chip Authentication 2: the control")
@pytest.mark.parametrize("number", [12, 13, 0])
def test_chip_authentication_theirs_with_theirs(library: Library, number: int) -> None:
    """The control: its terminal and its card, which takes its key by CA_set_key and not by EAC_CTX_init_ca."""
    group = group_of(number)
    scalar, octets = scalar_of(group)
    public = group.key(scalar).public
    _, key = chip_key(number, 2)
    with ExtendedAccess(library, PACE) as terminal, ExtendedAccess(library, PACE) as card:
        terminal.chip(key.protocol, number)
        card.chip(key.protocol, number)
        card.chip_key(octets, public)
        compressed, ephemeral = terminal.ephemeral_key()
        assert card.is_bound(compressed, ephemeral)
        nonce, token = card.answer(ephemeral)
        terminal.agree(public)
        assert terminal.accepts(nonce, token)


RI_CASES = [(number, name) for number in (12, 13, 16, 17, 0, 2) for name in ("sha1", "sha256", "sha512")]


@pytest.mark.proves(WHO, "our revocation", "Restricted Identification, ECDH and DH")
@pytest.mark.parametrize(("number", "hash_name"), RI_CASES)
def test_restricted_identification_their_card(library: Library, number: int, hash_name: str) -> None:
    """Their chip's identifier is what the sector's private key finds from the chip's public key (TR-03110-3 2.7.3)."""
    group = group_of(number)
    with ExtendedAccess(library, PACE) as card:
        public = card.restricted(ri_core.protocol_of(group, hash_name), number)
        sector = group.generate()
        while sector.agree(public)[0] == 0 and isinstance(group, DhGroup):
            sector = group.generate()  # its DH secret loses leading zeros, against RFC 2631 2.1.2
        assert card.identifier(sector.public) == ri_core.compute_identifier(hash_name, sector, public)
        assert card.identifier(group.generate().public) != card.identifier(sector.public)


@pytest.mark.proves(WHO, "our card", "Restricted Identification, two sectors")
@pytest.mark.parametrize(("number", "hash_name"), [case for case in RI_CASES if case[0] > 2])
def test_restricted_identification_our_card(library: Library, number: int, hash_name: str) -> None:
    """Our chip, through its commands, answers what libeac computes with the same private key."""
    group = group_of(number)
    assert isinstance(group, EcGroup)
    scalar, _ = scalar_of(group)
    private = ec.derive_private_key(scalar, group.curve.library)  # type: ignore[arg-type]  # the library has these
    pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    protocol = ri_core.protocol_of(group, hash_name)
    keys = [build_sector_key(protocol, group, group.generate().public) for _ in range(2)]
    extension = ri_core.build_terminal_sector("sha256", *(key.content for key in keys))
    restricted = RestrictedKey(group, group.key(scalar), hash_name, authorized_only=False)
    sector = ri_core.find_terminal_sector((extension,))
    chip = RestrictedIdentificationCard({1: restricted}, sector, "sha256", authorized=False)
    chip.set_at(ca_messages.encode_set_at(ca_messages.AuthenticationTemplate(protocol, 1)))
    command = ri_messages.encode_general_authenticate(ri_messages.Pair(*(key.content for key in keys)))
    answer = ri_messages.decode_answer(chip.general_authenticate(command).data)
    with ExtendedAccess(library, PACE) as theirs:
        theirs.restricted(protocol, number, pkcs8)
        assert [answer.first, answer.second] == [theirs.identifier(key.public) for key in keys]


@pytest.mark.proves(WHO, "our terminal", "Terminal Authentication 2")
@pytest.mark.proves(WHO, "our terminal", "an altered certificate, or another chip, is refused", Control.REFUSED)
@pytest.mark.parametrize("auxiliary", [b"", AUXILIARY])
def test_terminal_authentication_their_card(library: Library, auxiliary: bytes) -> None:
    pki, group = build_authentication_pki(), group_of(13)
    chip_pace, key = group.generate().public, group.generate().public
    id_picc, compressed = compress_public_key(group, chip_pace), compress_public_key(group, key)
    _, announced = chip_key(13, 2)
    with ExtendedAccess(library, PACE) as card:
        card.trust(pki.cvca_certificate())
        card.chip(announced.protocol, 13)
        dv, terminal = pki.chain()
        assert not card.imports(dv[:-1] + bytes((dv[-1] ^ 1,)))
        assert card.imports(dv)
        assert card.imports(terminal)
        challenge = card.challenge()
        signature = sign_plain(pki.terminal, core.build_signed_data(id_picc, challenge, compressed, auxiliary))
        assert card.verifies(compressed, id_picc, auxiliary, signature)
        assert not card.verifies(compressed, compressed, auxiliary, signature)


@pytest.mark.proves(WHO, "our card", "Terminal Authentication 2")
@pytest.mark.proves(WHO, "our card", "a signature over another challenge is refused", Control.REFUSED)
@pytest.mark.parametrize("auxiliary", [b"", AUXILIARY])
def test_terminal_authentication_their_terminal(library: Library, auxiliary: bytes) -> None:
    private = ec.generate_private_key(ec.BrainpoolP256R1())
    pki = replace(build_authentication_pki(), terminal=SoftwareSigner("theirs", private, ECDSA))
    group = group_of(13)
    id_picc = compress_public_key(group, group.generate().public)
    card = TerminalAuthenticationCard(CardTrust((pki.trust_point(),), BEGIN), id_picc, chat=Chat(ID_AT, ALL_AT_RIGHTS))
    chain = pki.chain()
    _, announced = chip_key(13, 2)
    with ExtendedAccess(library, PACE) as terminal:
        pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        terminal.own(pkcs8, chain[-1])
        terminal.chip(announced.protocol, 13)
        compressed, _ = terminal.ephemeral_key()
        named = AuthenticationTemplate(TERMINAL, None, compressed, auxiliary)
        for is_right in (False, True):
            for raw, issuer in zip(chain, (CVCA, DV), strict=True):
                card.set_dst(messages.encode_set_dst(issuer))
                card.verify_certificate(messages.encode_verify_certificate(raw))
            card.set_at(messages.encode_set_at(named))
            challenge = card.get_challenge(messages.encode_get_challenge()).data
            terminal.take_challenge(challenge if is_right else bytes(8))
            command = messages.encode_external_authenticate(terminal.sign(compressed, id_picc, auxiliary))
            if is_right:
                assert card.external_authenticate(command)[1].auxiliary == messages.decode_auxiliary_data(auxiliary)
            else:
                with pytest.raises(CommandRefused):
                    card.external_authenticate(command)
