"""Keys of every store open an SCP03 channel to a card that was given its keys by PUT KEY blocks of the same master."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.errors import AuthenticationError
from eid.keystore.card_keys import default_card_keys
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.keystore.ports import CardKeys, KeyStore
from eid.keystore.token_card_keys import store_card_keys
from eid.protocols.scp03.card import Scp03Card, SecurityDomain
from eid.protocols.scp03.channel import Scp03Channel
from eid.protocols.scp03.key_set import StaticKeySet, default_key_set, derive_key_check_value
from eid.protocols.scp03.terminal import open_scp03

ISD = bytes.fromhex("A000000151000000")
KDD = bytes.fromhex("00010203040506070809")

Fresh = Callable[[], str]


def open_channel(domain: SecurityDomain, keys: CardKeys) -> tuple[Scp03Channel, Scp03Channel]:
    card = Scp03Card(domain)
    exchange = open_scp03(keys, aid=ISD)
    request = next(exchange)
    assert isinstance(request, CommandAPDU)
    proof = exchange.send(card.initialize_update(request))
    assert isinstance(proof, CommandAPDU)
    response, on_card, _ = card.external_authenticate(proof)
    with pytest.raises(StopIteration) as stop:
        exchange.send(response)
    return stop.value.value, on_card


def assert_talks(terminal: Scp03Channel, card: Scp03Channel) -> None:
    sent = CommandAPDU(0x80, 0xE2, 0x88, 0x00, b"SPECIMEN data", 256)
    assert card.unprotect_command(terminal.protect_command(sent)).data == sent.data
    answer = ResponseAPDU(b"SPECIMEN answer")
    assert terminal.unprotect_response(card.protect_response(answer)) == answer


@pytest.mark.parametrize("length", [16, 24, 32])
def test_a_blank_card_is_given_its_keys_and_answers_to_them(store: KeyStore, fresh_label: Fresh, length: int) -> None:
    domain = SecurityDomain(ISD, KDD, 0x70, default_key_set(length))
    factory = default_card_keys(length)
    assert_talks(*open_channel(domain, factory))

    master = store.generate_master_key(fresh_label(), length)
    values = []
    for block, kcv in master.put_key_blocks(KDD, 0x30, factory):
        value = domain.keys.decrypt_from_host(block)[:length]
        assert derive_key_check_value(value) == kcv
        values.append(value)
    domain.replace_keys(StaticKeySet(0x30, *values))

    assert_talks(*open_channel(domain, master.card_keys(KDD, 0x30)))
    with pytest.raises(AuthenticationError):  # another card's keys
        open_channel(domain, master.card_keys(bytes(10), 0x30))


def test_a_key_set_that_stays_in_the_token_opens_a_channel(token_store: KeyStore, fresh_label: Fresh) -> None:
    assert isinstance(token_store, Pkcs11KeyStore)
    enc, mac, dek = (bytes(range(start, start + 16)) for start in (1, 2, 3))
    keys = store_card_keys(token_store, fresh_label(), 0x31, enc=enc, mac=mac, dek=dek)
    domain = SecurityDomain(ISD, KDD, 0x70, StaticKeySet(0x31, enc, mac, dek))
    assert_talks(*open_channel(domain, keys))
    assert domain.keys.decrypt_from_host(keys.encrypt_for_card(bytes(range(32)))) == bytes(range(32))
