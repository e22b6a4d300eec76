"""Chip Authentication over a MODP group with a chip that takes short commands only: its key goes as a chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.card import VirtualCard, authentication
from eid.card.memory import Memory, TransparentFile
from eid.card.state import decode_state
from eid.codec import der
from eid.codec.algorithm import AlgorithmIdentifier
from eid.codec.apdu import CommandAPDU, decode_command
from eid.codec.oid import DH_PUBLIC_NUMBER
from eid.codec.spki import encode_spki
from eid.crypto.dh_groups import DH_GROUPS
from eid.crypto.group import DhGroup
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.lds.atr_info import build_atr_info
from eid.lds.dg14 import DG14
from eid.lds.files import EF_ATR_INFO, by_name
from eid.lds.security_infos import ID_CA_DH, ID_PK_DH, ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo
from eid.profile.card_image import AccessCondition, KeyPurpose, PasswordId
from eid.protocols.chip_authentication.core import StaticKey
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.transport.loopback import LoopbackConnection
from tests.builders.exchanges import Link
from tests.builders.inspected import CHALLENGE, NOW
from tests.builders.quirky import card_with

GENERAL_AUTHENTICATE = 0x86
MSE = 0x22


def announce(key: StaticKey, arc: int, key_id: int) -> bytes:
    """DG14 with this key for Chip Authentication."""
    assert isinstance(key.group, DhGroup)
    numbers = key.group.parameters
    parameters = der.encode_sequence(*(der.encode_integer(value) for value in (numbers.p, numbers.g, numbers.q)))
    value = der.encode_integer(int.from_bytes(key.key.public, "big"))
    spki = encode_spki(AlgorithmIdentifier(DH_PUBLIC_NUMBER, parameters), value)
    infos = (
        ChipAuthenticationInfo(f"{ID_CA_DH}.{arc}", 1, key_id),
        ChipAuthenticationPublicKeyInfo(ID_PK_DH, spki, key_id),
    )
    return DG14(infos).encode()


def short_chip(memory: Memory, dg14: bytes) -> VirtualCard:
    """The chip with another DG14, without extended length, its EF.ATR/INFO announcing chaining."""
    memory.chip = replace(memory.chip, extended_length=False, max_command_data=255, max_response_data=256)
    raw = bytearray(build_atr_info(bytes.fromhex("000080")).encode())
    always, never = AccessCondition.ALWAYS, AccessCondition.NEVER
    memory.master.files[EF_ATR_INFO.fid] = TransparentFile(EF_ATR_INFO.fid, EF_ATR_INFO.sfi, raw, always, never)
    (directory,) = memory.applications.values()
    file = directory.files[by_name("DG14").fid]
    directory.files[file.fid] = replace(file, content=bytearray(dg14))
    return VirtualCard(memory)


@pytest.mark.parametrize("arc", [1, 2, 4])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_long_key_goes_as_a_chain(monkeypatch: pytest.MonkeyPatch, number: int, arc: int) -> None:
    group = DhGroup(DH_GROUPS[number])
    key = StaticKey(group, group.generate())
    monkeypatch.setattr(authentication, "static_key", lambda _: key)
    specimen = card_with()
    references = [
        item.reference for item in specimen.profile.application.keys if item.purpose is KeyPurpose.CHIP_AUTHENTICATION
    ]
    card = short_chip(decode_state(specimen.card.state()), announce(key, arc, references[0]))
    sent: list[CommandAPDU] = []

    def watch(way: str, _number: int, raw: bytes) -> None:
        if way == "command":
            sent.append(decode_command(raw))

    password = Password(PasswordId.MRZ, specimen.mrz_information.encode())
    plan = InspectionPlan(password, challenge=CHALLENGE, max_response=256, announced_lengths=True)
    evidence = drive(inspect(plan, NOW), Link(LoopbackConnection(card), watch))
    transcript = evidence.transcript(ProtocolName.CHIP_AUTHENTICATION)
    assert transcript is not None
    assert transcript.outcome is ProtocolOutcome.SUCCEEDED
    assert evidence.content("DG2") == specimen.files["DG2"], "read under the new keys"
    assert not any(command.is_extended for command in sent)
    chained = [command.ins for command in sent if command.cla == 0x1C]
    assert chained == ([] if number == 0 else [MSE] if arc == 1 else [GENERAL_AUTHENTICATE])


def test_the_links_of_pace_are_no_chain() -> None:
    """GENERAL AUTHENTICATE of PACE with its chaining bit is a step (Doc 9303-11 4.4.4.2), inside a session too."""
    specimen = card_with()
    assert specimen.card.process(bytes.fromhex("1086000002 7C00 00".replace(" ", ""))) == b"\x69\x85"
