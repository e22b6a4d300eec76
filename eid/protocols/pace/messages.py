"""Commands and data objects of PACE (Doc 9303-11 4.4.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Final

from eid.codec.apdu import CHAINING_BIT, MAX_SHORT_LE, CommandAPDU
from eid.codec.cv import Chat, decode_chat
from eid.codec.cv_encoding import encode_chat
from eid.codec.cv_tags import CHAT
from eid.codec.oid import decode_oid_content, encode_oid_content
from eid.codec.tlv import Tlv, decode_tlv, decode_tlvs, encode_tlv, find_tlv, require_tlv
from eid.errors import DecodeError
from eid.profile.card_image import PasswordId

MANAGE_SECURITY_ENVIRONMENT: Final = 0x22
GENERAL_AUTHENTICATE: Final = 0x86
SET_AT_FOR_PACE: Final = (0xC1, 0xA4)  # P1 P2: set authentication template for mutual authentication

DO_DYNAMIC_AUTHENTICATION: Final = 0x7C
DO_PROTOCOL: Final = 0x80
DO_PASSWORD: Final = 0x83
DO_PARAMETERS: Final = 0x84
DO_REFERENCES: Final = (0x87, 0x88)  # certification authority references, TR-03110-3 B.1
DO_CHIP_AUTHENTICATION: Final = 0x8A  # Doc 9303-11 4.4.4.2


@unique
class Step(IntEnum):
    """The four GENERAL AUTHENTICATE commands (Doc 9303-11 4.4.4.2)."""

    NONCE = 1
    MAPPING = 2
    KEY_AGREEMENT = 3
    TOKEN = 4

    @property
    def command_tag(self) -> int | None:
        """The data object that the terminal sends; none in step 1."""
        return None if self is Step.NONCE else 0x7F + 2 * (self - 1)  # 81, 83, 85

    @property
    def response_tag(self) -> int:
        """The data object that the card answers: 80, 82, 84, 86."""
        return 0x7E + 2 * self


@dataclass(frozen=True, slots=True)
class SetAuthenticationTemplate:
    """What MSE:Set AT says: protocol, password, and which domain parameters where that is ambiguous.

    Args:
        chat: terminal type and the rights that the holder leaves it (TR-03110-3 B.1); None before no Terminal
            Authentication version 2.
    """

    protocol: str
    password_id: int
    parameter_id: int | None = None
    chat: Chat | None = None


def encode_set_at(template: SetAuthenticationTemplate) -> CommandAPDU:
    """MSE:Set AT (Doc 9303-11 4.4.4.1); no Le, which some chips refuse."""
    data = encode_tlv(DO_PROTOCOL, encode_oid_content(template.protocol))
    data += encode_tlv(DO_PASSWORD, bytes((template.password_id,)))
    if template.parameter_id is not None:
        data += encode_tlv(DO_PARAMETERS, bytes((template.parameter_id,)))
    if template.chat is not None:
        data += encode_chat(template.chat)
    return CommandAPDU(0x00, MANAGE_SECURITY_ENVIRONMENT, *SET_AT_FOR_PACE, data)


def decode_set_at(data: bytes) -> SetAuthenticationTemplate:
    """The data field of MSE:Set AT.

    Raises:
        DecodeError: an object is missing, unknown, repeated or of a wrong length.
    """
    objects = decode_tlvs(data)
    if unknown := {item.tag for item in objects} - {DO_PROTOCOL, DO_PASSWORD, DO_PARAMETERS, CHAT}:
        raise DecodeError(f"data object {min(unknown):X} in MSE:Set AT", clause="Doc 9303-11 4.4.4.1")
    parameters, chat = find_tlv(objects, DO_PARAMETERS), find_tlv(objects, CHAT)
    return SetAuthenticationTemplate(
        decode_oid_content(require_tlv(objects, DO_PROTOCOL).value),
        _decode_octet(require_tlv(objects, DO_PASSWORD)),
        None if parameters is None else _decode_octet(parameters),
        None if chat is None else decode_chat(chat.encode()),
    )


def encode_general_authenticate(step: Step, value: bytes = b"") -> CommandAPDU:
    """GENERAL AUTHENTICATE of one step; all but the last carry the chaining bit (Doc 9303-11 4.4.4.2)."""
    inner = b"" if step.command_tag is None else encode_tlv(step.command_tag, value)
    cla = 0x00 if step is Step.TOKEN else CHAINING_BIT
    data = encode_tlv(DO_DYNAMIC_AUTHENTICATION, inner)
    return CommandAPDU(cla, GENERAL_AUTHENTICATE, 0x00, 0x00, data, le=MAX_SHORT_LE)


def decode_general_authenticate(step: Step, data: bytes) -> bytes:
    """What the terminal sends in one step; empty in step 1.

    Raises:
        DecodeError: not 7C with exactly the step's data object.
    """
    content = decode_tlv(data, DO_DYNAMIC_AUTHENTICATION).value
    if step.command_tag is None:
        if content:
            raise DecodeError("data where none is due", clause="Doc 9303-11 4.4.4.2")
        return b""
    return decode_tlv(content, step.command_tag).value


def encode_answer(step: Step, answer: Answer) -> bytes:
    """The response data of one step."""
    content = encode_tlv(step.response_tag, answer.value)
    for tag, reference in zip(DO_REFERENCES, answer.references, strict=False):
        content += encode_tlv(tag, reference)
    if answer.chip_authentication_data is not None:
        content += encode_tlv(DO_CHIP_AUTHENTICATION, answer.chip_authentication_data)
    return encode_tlv(DO_DYNAMIC_AUTHENTICATION, content)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the card answers in one step.

    Args:
        value: the step's own data object. chip_authentication_data: 8A of step 4, else None.
        references: certification authority references, 87 and 88 of step 4, as they stand.
    """

    value: bytes = field(repr=False)
    chip_authentication_data: bytes | None = field(default=None, repr=False)
    references: tuple[bytes, ...] = ()


def decode_answer(step: Step, data: bytes, *, may_be_empty: bool = False) -> Answer:
    """What the card answers in one step. Step 4 may carry further objects.

    Args:
        may_be_empty: accept an answer without the step's object, as the mapping step of integrated mapping has it.

    Raises:
        DecodeError: not 7C with the step's data object.
    """
    objects = decode_tlv(data, DO_DYNAMIC_AUTHENTICATION).children()
    if len(objects) > 1 and step is not Step.TOKEN:
        raise DecodeError("more than one data object", clause="Doc 9303-11 4.4.4.2")
    if may_be_empty and not objects:
        return Answer(b"")
    chip = find_tlv(objects, DO_CHIP_AUTHENTICATION)
    return Answer(
        require_tlv(objects, step.response_tag).value,
        None if chip is None else chip.value,
        tuple(item.value for item in objects if item.tag in DO_REFERENCES),
    )


def find_password_id(number: int) -> PasswordId | None:
    """The password that a reference in data object 83 means, or None."""
    return next((password for password in PasswordId if password == number), None)


def _decode_octet(item: Tlv) -> int:
    if len(item.value) != 1:
        raise DecodeError(f"data object {item.tag:X} has one octet", clause="Doc 9303-11 4.4.4.1")
    return item.value[0]
