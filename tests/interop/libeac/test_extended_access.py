"""Terminal Authentication against OpenPACE's libeac, both ends; Chip Authentication 2 with its terminal and our card.

Its P-521 key is compressed without the leading zero of the coordinate, against TR-03110-3 A.2.2.3, so that is left out.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eid.codec.cv import Chat
from eid.codec.oid import ID_AT
from eid.crypto.curves import curve_by_id
from eid.crypto.dh_groups import DH_GROUPS
from eid.crypto.group import DhGroup, EcGroup, compress_public_key
from eid.errors import CommandRefused
from eid.keystore.software import SoftwareSigner
from eid.lds.security_infos import ID_CA_DH, ID_CA_ECDH, ID_PACE_ECDH_GM
from eid.pki.cv_chain import CardTrust
from eid.pki.cv_issuing import sign_plain
from eid.protocols.chip_authentication import messages as ca_messages
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.chip_authentication.core import VERSION_2, ChipKey, StaticKey
from eid.protocols.cipher_suites import find_suite
from eid.protocols.terminal_authentication import core, messages
from eid.protocols.terminal_authentication.card import TerminalAuthenticationCard
from eid.protocols.terminal_authentication.core import AuxiliaryDatum
from eid.protocols.terminal_authentication.messages import AuthenticationTemplate
from tests.builders.machine import missing
from tests.builders.terminals import ALL_AT_RIGHTS, BEGIN, CVCA, DV, ECDSA, TERMINAL, build_authentication_pki
from tests.interop.libeac.extended_access import ExtendedAccess
from tests.interop.libeac.openpace import Library, Unavailable

PACE = (ID_PACE_ECDH_GM + ".2", 13)
AUXILIARY = messages.encode_auxiliary_data([AuxiliaryDatum("0.4.0.127.0.7.3.1.4.1", b"20080101")])


@pytest.fixture(scope="module")
def library() -> Library:
    try:
        return Library()
    except Unavailable as absent:
        missing(f"libeac is not on this machine: {absent}")


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


@pytest.mark.parametrize(("number", "arc"), CASES)
def test_chip_authentication_their_terminal(library: Library, number: int, arc: int) -> None:
    static, key = chip_key(number, arc)
    with ExtendedAccess(library, PACE) as terminal:
        terminal.chip(key.protocol, number, key.public)
        compressed, public = terminal.ephemeral_key()
        while static.key.agree(public)[0] == 0 and isinstance(key.group, DhGroup):
            compressed, public = terminal.ephemeral_key()  # its DH secret loses leading zeros, against RFC 2631 2.1.2
        ours = compress_public_key(key.group, public)
        assert compressed.rjust(len(ours), b"\0") == ours  # its x-coordinate loses leading zeros
        card = ChipAuthenticationCard({1: static}, terminal_key=ours)
        card.set_at(ca_messages.encode_set_at(ca_messages.AuthenticationTemplate(key.protocol, 1)))
        response, *_ = card.general_authenticate(ca_messages.encode_general_authenticate(public))
        answer = ca_messages.decode_answer(response.data)
        terminal.agree(key.public)
        assert terminal.accepts(answer.nonce, answer.token)
        assert not terminal.accepts(answer.nonce, bytes(8))


@pytest.mark.parametrize("auxiliary", [b"", AUXILIARY])
def test_terminal_authentication_their_card(library: Library, auxiliary: bytes) -> None:
    pki, group = build_authentication_pki(), group_of(13)
    chip_pace, key = group.generate().public, group.generate().public
    id_picc, compressed = compress_public_key(group, chip_pace), compress_public_key(group, key)
    _, announced = chip_key(13, 2)
    with ExtendedAccess(library, PACE) as card:
        card.trust(pki.cvca_certificate())
        card.chip(announced.protocol, 13, announced.public)
        dv, terminal = pki.chain()
        assert not card.imports(dv[:-1] + bytes((dv[-1] ^ 1,)))
        assert card.imports(dv)
        assert card.imports(terminal)
        challenge = card.challenge()
        signature = sign_plain(pki.terminal, core.build_signed_data(id_picc, challenge, compressed, auxiliary))
        assert card.verifies(compressed, id_picc, auxiliary, signature)
        assert not card.verifies(compressed, compressed, auxiliary, signature)


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
        terminal.chip(announced.protocol, 13, announced.public)
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
