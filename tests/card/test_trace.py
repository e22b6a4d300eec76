"""A trace says in words what passes, inside the channel too, and never a secret."""

from __future__ import annotations

from datetime import UTC, datetime

from eid.card import VirtualCard
from eid.card.trace import describe_objects
from eid.codec.apdu import CommandAPDU
from eid.inspection import InspectionPlan, inspect
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.testing.specimen import issue_specimen
from eid.transport.loopback import LoopbackConnection

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_an_inspection_in_words():
    specimen = issue_specimen("eu-td1-id-card", NOW)
    events = []
    card = VirtualCard.from_state(specimen.card.state(), observe=events.append)
    plan = InspectionPlan(Password(PasswordId.CAN, specimen.can.encode()))
    drive(inspect(plan, NOW), LoopbackConnection(card))
    lines = [f"{event.protection} {event.name}: {event.detail}" for event in events]
    for expected in (
        " READ BINARY: EF.CardAccess from 0",
        " MANAGE SECURITY ENVIRONMENT: protocol PACE ECDH-GM AES-192, password CAN",
        " GENERAL AUTHENTICATE: begin -> nonce, encrypted of 16 octets",
        " GENERAL AUTHENTICATE: mapping data of 97 octets -> mapping data of 97 octets",
        " GENERAL AUTHENTICATE: token of 8 octets -> token of 8 octets",
        "iso SELECT: eMRTD application",
        "iso READ BINARY: EF.COM from 0",
        "iso READ BINARY: EF.SOD from",
        "iso READ BINARY: DG1 from",
    ):
        assert any(line.startswith(expected) for line in lines), lines
    text = "\n".join(lines)
    assert specimen.can not in text
    assert "SPM000012" not in text
    secret = specimen.mrz_information.encode().hex().upper()
    assert secret not in text


def test_what_cannot_be_named_is_told_by_tag_and_length():
    place = {"current_fid": None, "in_master_file": False}
    assert describe_objects(CommandAPDU(0, 0x22, 0xC1, 0xA4, bytes.fromhex("8001FF8302FFFF")), **place) == (
        "protocol of 1 octet, password of 2 octets"
    )
    assert describe_objects(CommandAPDU(0, 0x22, 0xC1, 0xA4, b"\x80\x05"), **place) == ""
    assert describe_objects(CommandAPDU(0, 0x86, 0, 0, b"\x7c\x04\x9f\x22\x01\x00"), b"\x01", **place) == (
        "object 9F22 of 1 octet -> nothing"
    )
    assert describe_objects(CommandAPDU(0, 0xA4, 2, 12, b"\x01\x1d"), **place) == "EF.SOD"
    assert describe_objects(CommandAPDU(0, 0xA4, 2, 12, b"\x99\x99"), **place) == "file 9999"
    assert describe_objects(CommandAPDU(0, 0xA4, 0, 12, b"\x3f\x00"), **place) == "MF"
    assert describe_objects(CommandAPDU(0, 0xA4, 0, 12), **place) == "MF"
    assert describe_objects(CommandAPDU(0, 0xB0, 1, 2), **place) == "no file from 258"
    assert describe_objects(CommandAPDU(0, 0xB1, 0, 0), current_fid=0x011C, in_master_file=True) == "EF.CardAccess"
    assert describe_objects(CommandAPDU(0, 0x84, 0, 0), **place) == ""


def test_a_terminals_key_is_no_nonce():
    """Tag 80 is PACE's nonce where the card answers it, and the terminal's key where Chip Authentication begins."""
    place = {"current_fid": None, "in_master_file": False}
    command = CommandAPDU(0, 0x86, 0, 0, bytes.fromhex("7C0480020405"))
    assert describe_objects(command, b"\x7c\x00", **place) == "ephemeral public key of 2 octets -> nothing"
    assert describe_objects(command, bytes.fromhex("7C07810101 82020203".replace(" ", "")), **place) == (
        "ephemeral public key of 2 octets -> nonce of 1 octet, token of 2 octets"
    )


def described(ins: int, p1: int, p2: int, data: str = "", fid: int | None = None) -> str:
    command = CommandAPDU(0, ins, p1, p2, bytes.fromhex(data))
    return describe_objects(command, current_fid=fid, in_master_file=False)


def test_what_is_set_is_named_by_its_purpose():
    pace = "800A04007F00070202040402"
    assert described(0x22, 0xC1, 0xA4, pace + "830103") == "protocol PACE ECDH-IM AES-128, password PIN"
    assert described(0x22, 0x41, 0xA4, "800A04007F00070202030202840101") == (
        "protocol Chip Authentication ECDH AES-128, private key 1"
    )
    terminal = "800A04007F0007020202020383" + "0C" + b"UTTERM000001".hex()
    assert described(0x22, 0x81, 0xA4, terminal) == (
        "protocol Terminal Authentication ECDSA (0.4.0.127.0.7.2.2.2.2.3), public key UTTERM000001"
    )
    assert described(0x22, 0x81, 0xB6, "830C" + b"UTCVCA000001".hex()) == "public key UTCVCA000001"
    assert described(0x22, 0x41, 0xA6, "9104" + "04010203") == "ephemeral public key of 4 octets"
    assert described(0x22, 0xC1, 0xA4, "830C" + b"SPM000000012".hex()) == "password of 12 octets", "none by its value"
    assert described(0x22, 0xC1, 0xA4, "800388370183" + "0102") == "protocol 2.999.1, password MRZ".replace(
        "MRZ", "CAN"
    )


def test_what_else_is_named():
    assert described(0x2A, 0x00, 0xBE, "7F4E02AABB5F3701CC") == "certificate body of 2 octets, signature of 1 octet"
    assert described(0x2C, 0x02, 0x03, "313233343536") == "PIN"
    assert described(0x20, 0x80, 0x00, "06") == ""
    assert described(0xB0, 0x9E, 0x00) == "short identifier 1E from 0"
