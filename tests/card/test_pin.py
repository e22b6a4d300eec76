"""PIN management between our terminal and the virtual card: every state, every way out of it, nothing beyond."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.card import VirtualCard
from eid.card.keys import KeyOrder, import_key, static_key
from eid.card.state import _decode_password
from eid.codec.apdu import CommandAPDU, decode_response
from eid.codec.cv import Chat
from eid.codec.oid import ID_AT
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.group import compress_public_key
from eid.errors import (
    DecodeError,
    LocalProtocolError,
    PasswordBlockedError,
    PasswordDeactivatedError,
    PasswordSuspendedError,
    StatusWordError,
    WrongPasswordError,
)
from eid.profile.card_image import CardImage, PasswordId, PasswordImage
from eid.protocols.chip_authentication.core import VERSION_2, ChipKey
from eid.protocols.chip_authentication.terminal import run_chip_authentication_2
from eid.protocols.exchange import Exchange, through
from eid.protocols.pace.core import Password, require_parameters
from eid.protocols.pace.terminal import run_pace
from eid.protocols.pin import messages
from eid.protocols.pin.core import PinState, PinStatus, interpret_status_word
from eid.protocols.pin.terminal import (
    activate_pin,
    change_pin,
    deactivate_pin,
    open_with_pin,
    read_pin_status,
    unblock_pin,
)
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.terminal_authentication.terminal import run_terminal_authentication_2
from tests.builders.exchanges import play
from tests.builders.terminals import ALL_AT_RIGHTS, BEGIN, CVCA, TerminalPki, build_authentication_pki

PIN, CAN, PUK, WRONG = b"2468", b"123456", b"0987654321", b"1111"


@pytest.fixture
def bench(issued, image, issuer_keys):
    passwords = (*image.passwords, PasswordImage(PasswordId.PUK, PUK))
    built = replace(
        image,
        passwords=passwords,
        trust_points=(build_authentication_pki().cvca_certificate(),),
        trust_date=BEGIN,
    )
    issued.card = VirtualCard.from_image(built, serial=b"SPECIMEN01", keys=issuer_keys)
    return issued


@pytest.fixture
def info(image):
    return image.pace[0]


def status(bench, info) -> PinStatus:
    bench.card.reset()
    return bench.run(read_pin_status(info))


def enter(bench, info, pin: bytes, can: bytes | None = None) -> SecureMessaging:
    bench.card.reset()
    return bench.run(open_with_pin(info, pin, can, use_last_try=True)).secure_messaging


def session(bench, info, identifier: PasswordId, value: bytes) -> SecureMessaging:
    bench.card.reset()
    return bench.run(run_pace(info, Password(identifier, value))).secure_messaging


def fail(bench, info, times: int) -> None:
    for _ in range(times):
        with pytest.raises(WrongPasswordError):
            enter(bench, info, WRONG, CAN)


def refusal(bench, channel: SecureMessaging, exchange: Exchange[None]) -> int:
    with pytest.raises(StatusWordError) as caught:
        bench.run(through(channel, exchange))
    return caught.value.sw


def test_tries_count_down_and_come_back(bench, info):
    assert status(bench, info) == PinStatus(PinState.USABLE)
    with pytest.raises(WrongPasswordError) as caught:
        enter(bench, info, WRONG)
    assert caught.value.tries_left == 2
    assert status(bench, info) == PinStatus(PinState.USABLE, 2)
    enter(bench, info, PIN)
    assert status(bench, info) == PinStatus(PinState.USABLE)


def test_the_last_try_is_suspended_until_the_can_resumes_it(bench, info):
    fail(bench, info, 2)
    assert status(bench, info) == PinStatus(PinState.SUSPENDED, 1)
    with pytest.raises(PasswordSuspendedError, match="CAN"):
        enter(bench, info, PIN)
    bench.card.reset()
    with pytest.raises(StatusWordError) as caught:  # nor does PACE, right PIN or wrong
        bench.run(run_pace(info, Password(PasswordId.PIN, PIN)))
    assert caught.value.sw == 0x6985
    assert status(bench, info) == PinStatus(PinState.SUSPENDED, 1)
    with pytest.raises(WrongPasswordError):
        enter(bench, info, PIN, b"654321")
    enter(bench, info, PIN, CAN)
    assert status(bench, info) == PinStatus(PinState.USABLE)


def test_resuming_needs_the_can_and_no_other_password(bench, info):
    fail(bench, info, 2)
    channel = session(bench, info, PasswordId.PUK, PUK)
    assert refusal(bench, channel, run_pace(info, Password(PasswordId.PIN, PIN))) == 0x6985


def test_blocked_until_the_puk_unblocks(bench, info):
    fail(bench, info, 3)
    assert status(bench, info) == PinStatus(PinState.BLOCKED, 0)
    with pytest.raises(PasswordBlockedError):
        enter(bench, info, PIN, CAN)
    for identifier, value in ((PasswordId.CAN, CAN), (PasswordId.MRZ, b"L898902C<369080619406236")):
        assert refusal(bench, session(bench, info, identifier, value), unblock_pin()) == 0x6982
    bench.run(through(session(bench, info, PasswordId.PUK, PUK), unblock_pin()))
    assert status(bench, info) == PinStatus(PinState.USABLE)
    enter(bench, info, PIN)


def test_the_puk_does_not_set_a_new_pin(bench, info):
    assert refusal(bench, session(bench, info, PasswordId.PUK, PUK), change_pin(b"1357")) == 0x6982


def test_change(bench, info):
    bench.run(through(enter(bench, info, PIN), change_pin(b"135790")))
    bench.card = VirtualCard.from_state(bench.card.state())
    with pytest.raises(WrongPasswordError):
        enter(bench, info, PIN)
    enter(bench, info, b"135790")
    for identifier, value in ((PasswordId.CAN, CAN), (PasswordId.PUK, PUK)):
        assert refusal(bench, session(bench, info, identifier, value), change_pin(b"2468")) == 0x6982
    enter(bench, info, b"135790")


def test_unblocking_takes_more_than_the_pin(bench, info):
    assert refusal(bench, enter(bench, info, PIN), unblock_pin()) == 0x6982


@pytest.mark.parametrize("new_pin", [b"", b"123", b"12345678901234567", b"12a4", b"\xb21234"])
def test_pins_that_are_none(bench, info, new_pin):
    with pytest.raises(LocalProtocolError):
        play(change_pin(new_pin), [])
    channel = enter(bench, info, PIN)
    raw = bench.card.process(channel.protect_command(messages.encode_change(PasswordId.PIN, new_pin)).encode())
    assert channel.unprotect_response(decode_response(raw)).sw == 0x6A80


# Switching the PIN on and off takes an authority


def chip_key(image: CardImage) -> ChipKey:
    key = image.applications[0].keys[1]
    static = static_key(import_key(KeyOrder(key.purpose, key.reference, key.algorithm), key.private_key))
    public = static.key.public
    return ChipKey("0.4.0.127.0.7.2.2.3.2.2", CipherSuite.AES_128, static.group, public, b"", 2, VERSION_2)


def authority(bench, image: CardImage, pki: TerminalPki) -> SecureMessaging:
    bench.card.reset()
    info = image.pace[0]
    opened = bench.run(run_pace(info, Password(PasswordId.CAN, CAN), chat=Chat(ID_AT, ALL_AT_RIGHTS)))
    key = chip_key(image)
    own = key.group.generate()
    id_picc = compress_public_key(require_parameters(info).group, opened.chip_public)
    named = compress_public_key(key.group, own.public)
    terminal = run_terminal_authentication_2(pki.credentials(), [CVCA], id_picc, named)
    bench.run(through(opened.secure_messaging, terminal))
    chip = run_chip_authentication_2(key, own)
    return bench.run(through(opened.secure_messaging, chip)).secure_messaging


def test_an_authority_switches_the_pin(bench, info, image):
    channel = authority(bench, image, build_authentication_pki())
    bench.run(through(channel, deactivate_pin()))
    assert status(bench, info) == PinStatus(PinState.DEACTIVATED)
    bench.card = VirtualCard.from_state(bench.card.state())
    with pytest.raises(PasswordDeactivatedError, match="activated"):
        enter(bench, info, PIN, CAN)
    bench.card.reset()
    with pytest.raises(StatusWordError):
        bench.run(run_pace(info, Password(PasswordId.PIN, PIN)))
    channel = authority(bench, image, build_authentication_pki())
    bench.run(through(channel, activate_pin()))
    assert status(bench, info) == PinStatus(PinState.USABLE)
    enter(bench, info, PIN)


def test_an_authority_sets_and_unblocks_the_pin(bench, info, image):
    fail(bench, info, 3)
    channel = authority(bench, image, build_authentication_pki())
    bench.run(through(channel, unblock_pin()))
    bench.run(through(channel, change_pin(b"97531")))
    enter(bench, info, b"97531")


def test_an_authority_without_the_right(bench, info, image):
    without = build_authentication_pki(bytes.fromhex("3FFFFFFFDF"))
    channel = authority(bench, image, without)
    for exchange in (deactivate_pin(), activate_pin(), unblock_pin(), change_pin(b"97531")):
        assert refusal(bench, channel, exchange) == 0x6982
    for exchange in (deactivate_pin(), activate_pin()):
        assert refusal(bench, enter(bench, info, PIN), exchange) == 0x6982


def test_forms(bench, info):
    assert bench.plain("002C0303").sw == 0x6982  # outside a session
    assert bench.plain("00441003").sw == 0x6982
    channel = session(bench, info, PasswordId.PUK, PUK)

    def inside(command: CommandAPDU) -> int:
        raw = bench.card.process(channel.protect_command(command).encode())
        return channel.unprotect_response(decode_response(raw)).sw

    assert inside(CommandAPDU(0, 0x2C, 0x03, 0x02)) == 0x6A88
    assert inside(CommandAPDU(0, 0x2C, 0x01, 0x03)) == 0x6A86
    assert inside(CommandAPDU(0, 0x2C, 0x03, 0x03, b"1")) == 0x6700
    assert inside(CommandAPDU(0, 0x04, 0x00, 0x03)) == 0x6A86
    assert inside(CommandAPDU(0, 0x04, 0x10, 0x01)) == 0x6A88


def test_status_words():
    assert interpret_status_word(0x63C0) == PinStatus(PinState.BLOCKED, 0)
    assert interpret_status_word(0x63C5) == PinStatus(PinState.USABLE, 5)
    assert interpret_status_word(0x6983) == PinStatus(PinState.BLOCKED, 0)
    assert interpret_status_word(0x6283) == PinStatus(PinState.DEACTIVATED)


def test_no_pin_at_all(issued, image, issuer_keys, info):
    without = replace(image, passwords=image.passwords[:2])
    issued.card = VirtualCard.from_image(without, serial=b"SPECIMEN01", keys=issuer_keys)
    with pytest.raises(StatusWordError) as caught:
        issued.run(read_pin_status(info))
    assert caught.value.sw == 0x6A88


def test_a_row_of_the_state_that_is_none():
    assert not _decode_password([b"1", 3, 3, False]).active
    for row in ([b"1", 3, 3, True], [b"1", 3, 3, False, False], [b"1", 3]):
        with pytest.raises(DecodeError):
            _decode_password(row)
