"""Terminal Authentication on the virtual card: data groups by right, trust points and date that last."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from eid.card import VirtualCard
from eid.card.trust import load_trust, restore_trust
from eid.codec.apdu import CommandAPDU
from eid.codec.cv import Chat
from eid.codec.oid import ID_AT, ID_IS
from eid.codec.tlv import encode_tlv
from eid.crypto.group import compress_public_key
from eid.errors import DecodeError, StatusWordError
from eid.lds.files import by_name
from eid.lds.security_infos import ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo
from eid.personalization.dialects.iso_scp03 import plan_iso_scp03
from eid.profile.card_image import AccessCondition, CardImage, FileImage, PasswordId
from eid.protocols.bac.terminal import run_bac
from eid.protocols.chip_authentication.core import VERSION_2, ChipKey, find_chip_keys
from eid.protocols.chip_authentication.terminal import run_chip_authentication, run_chip_authentication_2
from eid.protocols.exchange import through
from eid.protocols.files import read_file, select_application
from eid.protocols.pace.core import PaceResult, Password, require_parameters
from eid.protocols.pace.terminal import run_pace
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.terminal_authentication import core
from eid.protocols.terminal_authentication.terminal import (
    TerminalCredentials,
    run_terminal_authentication,
    run_terminal_authentication_2,
)
from tests.builders.terminals import (
    ALL_AT_RIGHTS,
    BEGIN,
    CVCA,
    TERMINAL,
    TerminalPki,
    build_authentication_pki,
    build_terminal_pki,
    ec_signer,
)

LDS = bytes.fromhex("A0000002471001")
DG3 = encode_tlv(0x63, b"SPECIMEN fingers")
DG4 = encode_tlv(0x76, b"SPECIMEN irises")


def with_trust(image: CardImage, pki: TerminalPki) -> CardImage:
    lds, other = image.applications
    files = (
        *lds.files,
        FileImage("DG3", 0x0103, 0x03, DG3, AccessCondition.TA_DG3),
        FileImage("DG4", 0x0104, 0x04, DG4, AccessCondition.TA_DG4),
    )
    applications = (replace(lds, files=files), other)
    return replace(image, applications=applications, trust_points=(pki.cvca_certificate(),), trust_date=BEGIN)


@pytest.fixture
def make(issued, image, issuer_keys):
    def build(pki: TerminalPki):
        issued.card = VirtualCard.from_image(
            with_trust(image, pki), serial=b"SPECIMEN01", keys=issuer_keys, random=issued.card._card.random
        )
        return issued

    return build


def chip_key(image: CardImage, version: int = 1) -> ChipKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

    key = load_der_private_key(image.applications[0].keys[1].private_key, None).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    infos = (
        ChipAuthenticationInfo("0.4.0.127.0.7.2.2.3.2.2", version),
        ChipAuthenticationPublicKeyInfo("0.4.0.127.0.7.2.2.1.2", spki),
    )
    return find_chip_keys(infos, version)[0]


def pace(bench, image: CardImage, chat: Chat | None = None) -> PaceResult:
    return bench.run(run_pace(image.pace[0], Password(PasswordId.CAN, b"123456"), chat=chat))


def chip_authentication(bench, image: CardImage, channel: SecureMessaging) -> tuple[SecureMessaging, bytes]:
    result = bench.run(through(channel, run_chip_authentication(chip_key(image))))
    return result.secure_messaging, compress_public_key(result.chip_key.group, result.terminal_public_key)


def id_picc(result: PaceResult) -> bytes:
    return compress_public_key(require_parameters(result.info).group, result.chip_public)


def open_version_1(bench, image: CardImage, pki: TerminalPki) -> SecureMessaging:
    result = pace(bench, image)
    assert result.references == (CVCA.encode(),)
    bench.run(through(result.secure_messaging, select_application(LDS)))
    channel, key = chip_authentication(bench, image, result.secure_messaging)
    names = [reference.decode() for reference in result.references]
    bench.run(through(channel, run_terminal_authentication(pki.credentials(), names, id_picc(result), key)))
    return channel


def read(bench, channel: SecureMessaging, name: str) -> bytes | int:
    try:
        return bench.run(through(channel, read_file(by_name(name))))
    except StatusWordError as refusal:
        return refusal.sw


@pytest.mark.parametrize(
    ("rights", "dg3", "dg4"), [(3, DG3, DG4), (1, DG3, 0x6982), (2, 0x6982, DG4), (0, 0x6982, 0x6982)]
)
def test_fingerprints_by_right(make, image, rights, dg3, dg4):
    pki = replace(build_terminal_pki(), terminal_rights=bytes((rights,)))
    bench = make(pki)
    channel = open_version_1(bench, image, pki)
    assert (read(bench, channel, "DG3"), read(bench, channel, "DG4")) == (dg3, dg4)
    assert read(bench, channel, "DG1") == image.applications[0].files[1].content


def test_nothing_before_the_terminal_has_signed(make, image):
    pki = build_terminal_pki()
    bench = make(pki)
    result = pace(bench, image)
    bench.run(through(result.secure_messaging, select_application(LDS)))
    assert read(bench, result.secure_messaging, "DG3") == 0x6982
    channel, key = chip_authentication(bench, image, result.secure_messaging)
    assert read(bench, channel, "DG3") == 0x6982
    stranger = TerminalCredentials(pki.chain(), ec_signer("stranger"))
    with pytest.raises(StatusWordError):
        bench.run(through(channel, run_terminal_authentication(stranger, [CVCA], id_picc(result), key)))
    assert read(bench, channel, "DG3") == 0x6982
    bench.run(through(channel, run_terminal_authentication(pki.credentials(), [CVCA], id_picc(result), key)))
    assert read(bench, channel, "DG3") == DG3


def test_rights_end_with_the_session_and_with_new_keys(make, image):
    pki = build_terminal_pki()
    bench = make(pki)
    channel = open_version_1(bench, image, pki)
    again, _ = chip_authentication(bench, image, channel)
    assert read(bench, again, "DG3") == 0x6982
    bench.card.reset()
    result = pace(bench, image)
    bench.run(through(result.secure_messaging, select_application(LDS)))
    assert read(bench, result.secure_messaging, "DG3") == 0x6982


def test_after_bac_the_document_number_is_signed(make, image):
    pki = build_terminal_pki()
    bench = make(pki)
    bench.run(select_application(LDS))
    mrz = image.passwords[0].value
    session = bench.run(run_bac(mrz.decode()))
    channel, key = chip_authentication(bench, image, session)
    number = core.identify_by_document_number(mrz)
    bench.run(through(channel, run_terminal_authentication(pki.credentials(), [CVCA], number, key)))
    assert read(bench, channel, "DG3") == DG3


def test_version_2_with_chip_authentication_behind_it(make, image):
    pki = build_authentication_pki()
    bench = make(pki)
    chat = Chat(ID_AT, ALL_AT_RIGHTS)
    result = pace(bench, image, chat)
    key = chip_key(image, VERSION_2)
    own = key.group.generate()
    compressed = compress_public_key(key.group, own.public)
    terminal = run_terminal_authentication_2(pki.credentials(), [CVCA], id_picc(result), compressed)
    bench.run(through(result.secure_messaging, terminal))
    status = bench.card._card.session.status
    assert status.terminal == chat
    assert not status.has_right(ID_AT, 5)  # not before Chip Authentication
    session = bench.run(through(result.secure_messaging, run_chip_authentication_2(key, own))).secure_messaging
    status = bench.card._card.session.status
    assert status.has_right(ID_AT, 5)
    assert not status.has_right(ID_IS, 0)
    bench.run(through(session, select_application(LDS)))
    assert read(bench, session, "DG3") == 0x6982  # not an inspection system
    second = run_terminal_authentication(pki.credentials(), [CVCA], id_picc(result), compressed)
    with pytest.raises(StatusWordError) as caught:
        bench.run(through(session, second))
    assert caught.value.sw == 0x6985


def test_version_2_with_another_ephemeral_key(make, image):
    pki = build_authentication_pki()
    bench = make(pki)
    result = pace(bench, image, Chat(ID_AT, ALL_AT_RIGHTS))
    key = chip_key(image, VERSION_2)
    compressed = compress_public_key(key.group, key.group.generate().public)
    terminal = run_terminal_authentication_2(pki.credentials(), [CVCA], id_picc(result), compressed)
    bench.run(through(result.secure_messaging, terminal))
    with pytest.raises(StatusWordError) as caught:
        bench.run(through(result.secure_messaging, run_chip_authentication_2(key, key.group.generate())))
    assert caught.value.sw == 0x6300
    assert not bench.card._card.session.status.has_right(ID_AT, 5)


def test_trust_points_and_date_last(make, image):
    pki = build_terminal_pki()
    bench = make(pki)
    before = bench.card.changes
    new = "UTCVCASPEC00002"
    later = replace(pki, begin=date(2026, 5, 1))
    link = later.link_certificate(ec_signer("cvca2"), new, explicit=False)
    dv = pki.certify(ec_signer("cvca2"), new, pki.dv, "UTDVSPEC00001", pki.dv_role, b"\x03")
    result = pace(bench, image)
    bench.run(through(result.secure_messaging, select_application(LDS)))
    channel, key = chip_authentication(bench, image, result.secure_messaging)
    credentials = TerminalCredentials((link, dv, pki.terminal_certificate()), pki.terminal)
    bench.run(through(channel, run_terminal_authentication(credentials, [CVCA], id_picc(result), key)))
    assert bench.card.changes > before
    bench.card = VirtualCard.from_state(bench.card.state())
    trust = bench.card._card.memory.trust
    assert trust.today == date(2026, 5, 1)
    assert [point.certificate.holder_reference for point in trust.points] == [new, CVCA]
    assert pace(bench, image).references == (new.encode(), CVCA.encode())


def test_personalised_and_built_cards_trust_the_same(opened, make, image):
    pki = build_terminal_pki()
    built = with_trust(image, pki)
    (step,) = (step for step in plan_iso_scp03(built) if step.name == "configure trust points")
    assert opened.secure(step.commands[0]).sw == 0x9000
    trust = opened.card._card.memory.trust
    assert trust == load_trust(built.trust_points, built.trust_date)
    assert load_trust(built.trust_points, None).today == BEGIN
    cvca = built.trust_points[0]
    date_only = encode_tlv(0x5F25, bytes((2, 6, 0, 1, 0, 1)))
    dv = pki.dv_certificate()
    altered = cvca[:-1] + bytes((cvca[-1] ^ 1,))
    for bad in (cvca, date_only + cvca * 3, date_only + dv, date_only + altered, b"\x5f\x25\x00"):
        assert opened.secure(CommandAPDU(0, 0xDB, 0x3F, 0xFF, encode_tlv(0xFF23, bad))).sw == 0x6A80
    assert opened.card._card.memory.trust == trust


def test_refusals_of_the_wiring(make, issued, image):
    dst = encode_tlv(0x83, CVCA.encode())
    set_dst = CommandAPDU(0, 0x22, 0x81, 0xB6, dst).encode().hex()
    assert issued.plain(set_dst).sw == 0x6982
    result = pace(issued, image)
    channel = result.secure_messaging

    def inside(command: CommandAPDU) -> int:
        from eid.codec.apdu import decode_response

        raw = issued.card.process(channel.protect_command(command).encode())
        return channel.unprotect_response(decode_response(raw)).sw

    assert inside(CommandAPDU(0, 0x22, 0x81, 0xB6, dst)) == 0x6A81  # trusts nobody
    assert inside(CommandAPDU(0, 0x2A, 0, 0xAE, b"\x7f\x4e\x00")) == 0x6A86
    assert TERMINAL.encode() not in issued.card.state()


@pytest.mark.parametrize(
    "value", [[], ["2026-01-01"], ["yesterday", []], [1, []], ["2026-01-01", [[b"", None]]], ["2026-01-01", [1]]]
)
def test_state_that_is_none(value):
    with pytest.raises(DecodeError):
        restore_trust(value)
