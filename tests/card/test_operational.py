"""An operational card: what BAC, PACE, Chip and Active Authentication open, and what stays shut."""

from __future__ import annotations

import pytest

from eid.card import CardEvent, LifeCycle, VirtualCard
from eid.codec.apdu import CommandAPDU, decode_response
from eid.codec.oid import encode_oid_content
from eid.codec.tlv import encode_tlv
from eid.errors import AuthenticationError, EidError, StatusWordError, WrongPasswordError
from eid.lds.files import EF_COM, by_name
from eid.lds.security_infos import ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, PACEInfo
from eid.profile.card_image import CardImage, KeyPurpose, PasswordId
from eid.protocols.active_authentication.core import verify_active_authentication
from eid.protocols.active_authentication.terminal import run_active_authentication
from eid.protocols.bac.terminal import run_bac
from eid.protocols.chip_authentication.core import find_chip_keys
from eid.protocols.chip_authentication.terminal import run_chip_authentication
from eid.protocols.exchange import through
from eid.protocols.files import read_file, select_application
from eid.protocols.globalplatform.messages import CardState
from eid.protocols.globalplatform.terminal import get_status, set_status
from eid.protocols.pace.core import Password
from eid.protocols.pace.terminal import run_pace
from eid.protocols.pin.terminal import open_with_pin
from eid.protocols.secure_messaging import SecureMessaging

LDS = bytes.fromhex("A0000002471001")
OTHER = bytes.fromhex("F04549442D01")
PACE = PACEInfo("0.4.0.127.0.7.2.2.4.2.2", 2, 13)
CAN = Password(PasswordId.CAN, b"123456")
DG1, DG2, DG13 = by_name("DG1"), by_name("DG2"), by_name("DG13")


def content(image: CardImage, name: str) -> bytes:
    return next(file.content for entry in image.applications for file in entry.files if file.name == name)


def pace(bench, password: Password = CAN) -> SecureMessaging:
    return bench.run(run_pace(PACE, password)).secure_messaging


def bac(bench, mrz: str = "L898902C<369080619406236") -> SecureMessaging:
    bench.run(select_application(LDS))
    return bench.run(run_bac(mrz))


def test_everything_is_shut_at_first(issued):
    assert issued.plain("00A4020C02011C").sw == 0x9000  # EF.CardAccess
    assert issued.plain("00B0000000").data == issued.plain("00B09C0000").data != b""
    assert issued.plain("00A4040C07A0000002471001").sw == 0x9000
    for command in (
        "00A4020C020101",
        "00A4020C020177",
        "00B0810000",
        "00B08D0000",
        "00B1000103540100",
        "00880000 08 0102030405060708 00",
    ):
        assert issued.plain(command).sw == 0x6982, command
    assert issued.plain("00B0000000").sw == 0x6986
    assert issued.plain("00A4040C06F04549442D01").sw == 0x9000
    assert issued.plain("00B0810000").data == b"anybody may read this"


def test_pace_opens_everything_but_what_nobody_reads(issued, image):
    channel = pace(issued)
    issued.run(through(channel, select_application(LDS)))
    for file in (EF_COM, DG1, DG2):
        assert issued.run(through(channel, read_file(file))) == content(image, file.name)
    with pytest.raises(StatusWordError, match="6982"):
        issued.run(through(channel, read_file(DG13)))
    assert issued.run(through(channel, read_file(DG1, by_sfi=False))) == content(image, "DG1")


def test_bac_opens_less_than_pace(issued, image):
    channel = bac(issued)
    assert issued.run(through(channel, read_file(DG1))) == content(image, "DG1")
    with pytest.raises(StatusWordError, match="6982"):
        issued.run(through(channel, read_file(DG2)))


def test_a_wrong_mrz_opens_nothing(issued):
    with pytest.raises(EidError):
        bac(issued, "L898902C<369080619406237")
    assert issued.plain("00B0810000").sw == 0x6982


def test_bac_is_not_in_the_other_application(issued):
    issued.run(select_application(OTHER))
    assert issued.plain("0084000008").sw == 0x6985


def test_chip_authentication_rekeys_and_active_authentication_signs(issued, image):
    channel = pace(issued)
    issued.run(through(channel, select_application(LDS)))
    spki = {key.purpose: _public_key_info(key.private_key) for key in image.applications[0].keys}
    info = ChipAuthenticationInfo("0.4.0.127.0.7.2.2.3.2.4", 1, 2)
    key_info = ChipAuthenticationPublicKeyInfo("0.4.0.127.0.7.2.2.1.2", spki[KeyPurpose.CHIP_AUTHENTICATION], 2)
    result = issued.run(through(channel, run_chip_authentication(find_chip_keys((info, key_info))[0])))
    assert issued.run(through(result.secure_messaging, read_file(DG2))) == content(image, "DG2")
    challenge = b"8 octets"
    signature = issued.run(through(result.secure_messaging, run_active_authentication(challenge)))
    verify_active_authentication(spki[KeyPurpose.ACTIVE_AUTHENTICATION], None, challenge, signature)


def _public_key_info(pkcs8: bytes | None) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

    assert pkcs8 is not None
    public = load_der_private_key(pkcs8, None).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_chip_authentication_needs_access_control_first(issued):
    issued.run(select_application(LDS))
    template = encode_tlv(0x80, encode_oid_content("0.4.0.127.0.7.2.2.3.2.4"))
    assert decode_response(issued.card.process(CommandAPDU(0, 0x22, 0x41, 0xA4, template).encode())).sw == 0x6982


def test_an_unprotected_command_ends_the_session(issued):
    channel = pace(issued)
    issued.run(through(channel, select_application(LDS)))
    assert issued.plain("00A4020C020101").sw == 0x6982
    with pytest.raises(AuthenticationError):
        issued.run(through(channel, read_file(DG1)))


def test_a_damaged_command_ends_the_session(issued):
    channel = pace(issued)
    protected = channel.protect_command(CommandAPDU(0, 0xA4, 4, 0x0C, LDS))
    damaged = bytearray(protected.encode())
    damaged[-4] ^= 1
    assert issued.plain(damaged.hex()).sw == 0x6988
    assert (
        decode_response(issued.card.process(channel.protect_command(CommandAPDU(0, 0xB0, 0x81, 0)).encode())).sw
        == 0x6982
    )


def test_a_password_with_tries_blocks_and_a_good_one_resets(issued):
    right, wrong = Password(PasswordId.PIN, b"2468"), Password(PasswordId.PIN, b"0000")
    for left in (2, 1):
        with pytest.raises(WrongPasswordError) as error:
            pace(issued, wrong)
        assert error.value.tries_left == left
    issued.card = VirtualCard.from_state(issued.card.state())  # the counter survives a power cut
    issued.run(open_with_pin(PACE, right.value, CAN.value, use_last_try=True))
    issued.card.reset()
    for _ in range(3):
        with pytest.raises(WrongPasswordError):
            issued.run(open_with_pin(PACE, wrong.value, CAN.value, use_last_try=True))
        issued.card.reset()
    with pytest.raises(EidError, match=r"6983|blocked"):
        pace(issued, right)
    pace(issued, CAN)


def test_a_wrong_can_never_blocks(issued):
    for _ in range(20):
        with pytest.raises(WrongPasswordError):
            pace(issued, Password(PasswordId.CAN, b"000000"))
    pace(issued)


def test_a_torn_attempt_costs_a_try(issued):
    exchange = run_pace(PACE, Password(PasswordId.PIN, b"0000"))
    request = next(exchange)
    for _ in range(4):
        request = exchange.send(decode_response(issued.card.process(request.encode())))
    before = issued.card.changes
    issued.card.process(request.encode())
    assert issued.card.changes > before
    assert VirtualCard.from_state(issued.card.state())._card.memory.passwords[PasswordId.PIN].left == 2


def test_updating_by_rule(issued):
    channel = pace(issued)
    issued.run(through(channel, select_application(OTHER)))
    update = CommandAPDU(0, 0xD6, 0x81, 0, b"ANY")
    sent = channel.protect_command(update).encode()
    assert channel.unprotect_response(decode_response(issued.card.process(sent))).sw == 0x9000
    issued.run(through(channel, select_application(OTHER)))
    assert issued.plain("00A4040C06F04549442D01").sw == 0x9000
    assert issued.plain("00B0810000").data == b"ANYbody may read this"
    assert issued.plain(update.encode().hex()).sw == 0x6982


def test_lock_unlock_and_terminate(issued, issuer_keys):
    issued.open(issuer_keys)
    assert issued.managed(get_status()).state is CardState.SECURED
    issued.managed(set_status(CardState.CARD_LOCKED))
    for command in ("00A4040C07A0000002471001", "00A4000C", "00B0810000"):
        assert issued.plain(command).sw in (0x6985, 0x9000, 0x6A82)
    assert issued.plain("00A4040C07A0000002471001").sw == 0x6985
    issued.open(issuer_keys)
    issued.managed(set_status(CardState.SECURED))
    assert issued.plain("00A4040C07A0000002471001").sw == 0x9000
    issued.open(issuer_keys)
    for state in (CardState.OP_READY, CardState.INITIALIZED, CardState.SECURED):
        with pytest.raises(StatusWordError, match="6985"):
            issued.managed(set_status(state))
    issued.managed(set_status(CardState.TERMINATED))
    assert issued.card.life_cycle is LifeCycle.TERMINATED
    assert issued.plain("80CA9F7F00").data[:3] == bytes.fromhex("9F7F2A")
    for command in ("00A4040C08A000000151000000", "80CA006600", "805000000801020304050607080 0".replace(" ", "")):
        assert issued.plain(command).sw == 0x6985


def test_observer_sees_names_and_no_data(image, issuer_keys):
    events: list[CardEvent] = []
    card = VirtualCard.from_image(image, serial=b"SPECIMEN01", keys=issuer_keys, observe=events.append)
    card.process(bytes.fromhex("00A4020C02011C"))
    card.process(bytes.fromhex("00B0000000"))
    card.process(bytes.fromhex("0CB0000000"))
    names = [(event.name, event.sw) for event in events]
    assert names == [("SELECT", 0x9000), ("READ BINARY", 0x9000), ("READ BINARY", 0x6982)]
    assert not any(isinstance(getattr(events[0], name), bytes) for name in CardEvent.__slots__)


def test_a_card_that_generates_its_keys(image, issuer_keys):
    from dataclasses import replace

    order = replace(image.applications[0].keys[0], private_key=None)
    application = replace(image.applications[0], keys=(order,))
    ordered = replace(image, applications=(application,))
    card = VirtualCard.from_image(ordered, serial=b"SPECIMEN01", keys=issuer_keys)
    assert card.state() != VirtualCard.from_image(ordered, serial=b"SPECIMEN01", keys=issuer_keys).state()
