"""Dialect `iso-scp03`: ISO/IEC 7816-4 and 7816-8 commands inside an SCP03 channel (docs/card-commands.md).

Every command built here is sent inside the channel, so its data field must leave room for padding and C-MAC.
"""

from __future__ import annotations

import hashlib
from typing import Final

from eid.codec import cv_tags
from eid.codec.apdu import CommandAPDU
from eid.codec.cv import decode_cv_certificate
from eid.codec.cv_encoding import encode_cv_date
from eid.codec.der import encode_oid
from eid.codec.status_word import SW
from eid.codec.tlv import decode_tlvs, encode_tlv, find_tlv
from eid.crypto.curves import curve_by_name
from eid.errors import DecodeError, ProfileError
from eid.lds.security_infos import encode_security_info, write_out_parameters
from eid.personalization.plan import PersonalizationPlan, Question, Step
from eid.profile.card_image import (
    ApplicationImage,
    CardImage,
    ChipImage,
    FileImage,
    KeyAlgorithm,
    KeyImage,
    KeyPurpose,
    PasswordImage,
)
from eid.protocols.access_rules import encode_access_rule

NAME: Final = "iso-scp03"
SECURED: Final = 0x0F
MAC_LENGTH: Final = 8
BLOCK: Final = 16
MAX_SHORT_OFFSET: Final = 0x7FFF
MF: Final = b""
"""Location of steps that work under the master file; an application's location is its AID."""

HASHES: Final = {"sha1": 1, "sha224": 2, "sha256": 3, "sha384": 4, "sha512": 5}
KEY_ALGORITHMS: Final = {
    (KeyPurpose.ACTIVE_AUTHENTICATION, "ec"): 0x11,
    (KeyPurpose.ACTIVE_AUTHENTICATION, "rsa"): 0x12,
    (KeyPurpose.CHIP_AUTHENTICATION, "ec"): 0x21,
    (KeyPurpose.RESTRICTED_IDENTIFICATION, "ec"): 0x31,
    (KeyPurpose.RESTRICTED_IDENTIFICATION_AUTHORIZED, "ec"): 0x32,
}


def plan_iso_scp03(image: CardImage) -> PersonalizationPlan:
    """Plan a card image.

    Raises:
        ProfileError: a file or key that this dialect cannot write.
    """
    keys = [step for application in image.applications for step in _plan_keys(application)]
    files = [step for file in image.master_files for step in _plan_file(MF, file, image.chip)]
    if image.master_files:
        files.append(_activate(MF, "the master file"))
    for application in image.applications:
        for file in application.files:
            files.extend(_plan_file(application.aid, file, image.chip))
        files.append(_activate(application.aid, "the application"))
    files.extend(_plan_passwords(image.passwords))
    files.append(_configure_pace(image))
    if image.trust_points:
        files.append(_configure_trust(image))
    return PersonalizationPlan(NAME, tuple(keys), tuple(files), (_lock(image),))


# --- applications and keys


def _plan_keys(application: ApplicationImage) -> tuple[Step, ...]:
    return (_create_application(application), *(_make_key(application.aid, key) for key in application.keys))


def _create_application(application: ApplicationImage) -> Step:
    flags = 0x01 if application.basic_access_control else 0x00
    fcp = (
        encode_tlv(0x82, b"\x38")
        + encode_tlv(0x84, application.aid)
        + encode_tlv(0xA5, encode_tlv(0x80, bytes((flags,))))
    )
    return Step(
        name=f"create application {application.aid.hex().upper()}",
        select=select_location(MF),
        commands=(CommandAPDU(0x00, 0xE0, 0x00, 0x00, encode_tlv(0x62, fcp)),),
        question=Question((select_application(application.aid),), lambda sw, _: sw == SW.OK),
        moves=True,  # ISO/IEC 7816-9 6.2: the new DF is current
    )


def select_application(aid: bytes) -> CommandAPDU:
    """SELECT by AID, no answer data; inside the channel it moves the current DF."""
    return CommandAPDU(0x00, 0xA4, 0x04, 0x0C, aid)


def select_location(location: bytes) -> CommandAPDU:
    """SELECT of the application at a step's location, or of the master file."""
    return select_application(location) if location else CommandAPDU(0x00, 0xA4, 0x00, 0x0C, b"\x3f\x00")


def _make_key(aid: bytes, key: KeyImage) -> Step:
    command = _generate_key(key) if key.private_key is None else _import_key(key, key.private_key)
    reference = encode_tlv(0x84, bytes((key.reference,)))
    read_back = CommandAPDU(0x00, 0x47, 0x81, 0x00, encode_tlv(0xAC, reference), 65536 if _is_long(key) else 256)
    # The public key is read back rather than taken from the first answer, so that a replay ends in the same result.
    return Step(
        name=f"make key {key.reference} for {key.purpose}",
        select=select_location(aid),
        commands=(command, read_back),
        question=Question((read_back,), lambda sw, _: sw == SW.OK),
        detail={"key": str(key.reference), "algorithm": f"{key.algorithm.kind} {key.algorithm.parameter}"},
        produces=key.purpose.value,
    )


def _is_long(key: KeyImage) -> bool:
    return key.algorithm.kind == "rsa" and int(key.algorithm.parameter) > 1536


def _generate_key(key: KeyImage) -> CommandAPDU:
    template = encode_tlv(0xAC, _key_template(key.purpose, key.reference, key.algorithm))
    return CommandAPDU(0x00, 0x47, 0x80, 0x00, template, 65536 if _is_long(key) else 256)


def _import_key(key: KeyImage, private_key: bytes) -> CommandAPDU:
    template = _key_template(key.purpose, key.reference, key.algorithm) + encode_tlv(0xD0, private_key)
    return CommandAPDU(0x00, 0xDB, 0x3F, 0xFF, encode_tlv(0x7F48, template))


def _key_template(purpose: KeyPurpose, reference: int, algorithm: KeyAlgorithm) -> bytes:
    if (purpose, algorithm.kind) not in KEY_ALGORITHMS:
        raise ProfileError(f"{NAME} makes no {algorithm.kind} key for {purpose}")
    number = bytes((KEY_ALGORITHMS[purpose, algorithm.kind],))
    template = encode_tlv(0x80, number) + encode_tlv(0x84, bytes((reference,))) + _key_size(algorithm)
    return template + encode_tlv(0x82, bytes((HASHES[algorithm.hash_name],)))


def _key_size(algorithm: KeyAlgorithm) -> bytes:
    if algorithm.kind == "rsa":
        return encode_tlv(0x81, int(algorithm.parameter).to_bytes(2, "big"))
    curve = curve_by_name(algorithm.parameter)
    if curve is None:
        raise ProfileError(f"{algorithm.parameter!r} is not a curve this system knows")
    return encode_oid(curve.oid)


# --- files


def max_payload(chip: ChipImage) -> int:
    """Octets of plain data in one command: the ciphertext of SCP03 is padded to whole blocks, the C-MAC follows it."""
    return (chip.max_command_data - MAC_LENGTH) // BLOCK * BLOCK - 1


def _plan_file(location: bytes, file: FileImage, chip: ChipImage) -> tuple[Step, Step]:
    if not file.content:
        raise ProfileError(f"{file.name} is empty")
    return _create_file(location, file), _write_file(location, file, chip)


def _create_file(location: bytes, file: FileImage) -> Step:
    size = len(file.content)
    fcp = (
        encode_tlv(0x80, size.to_bytes(2 if size < 1 << 16 else 4, "big"))
        + encode_tlv(0x82, b"\x01")
        + encode_tlv(0x83, file.fid.to_bytes(2, "big"))
        + encode_tlv(0x88, b"" if file.sfi is None else bytes((file.sfi << 3,)))
        + encode_tlv(0x8C, encode_access_rule(file.read, file.update))
    )
    return Step(
        name=f"create {file.name}",
        select=select_location(location),
        commands=(CommandAPDU(0x00, 0xE0, 0x00, 0x00, encode_tlv(0x62, fcp)),),
        question=Question((_select_file(file),), lambda sw, _: sw == SW.OK),
    )


def _select_file(file: FileImage) -> CommandAPDU:
    return CommandAPDU(0x00, 0xA4, 0x02, 0x0C, file.fid.to_bytes(2, "big"))


def _write_file(location: bytes, file: FileImage, chip: ChipImage) -> Step:
    payload = max_payload(chip)
    # An odd-instruction chunk carries its offset and a header of up to four octets besides.
    chunk = payload if len(file.content) <= payload else payload - 16
    pieces = [(start, file.content[start : start + chunk]) for start in range(0, len(file.content), chunk)]
    return Step(
        name=f"write {file.name}",
        select=select_location(location),
        commands=(_select_file(file), *(_update(start, piece) for start, piece in pieces)),
        question=_holds(file, chip),
        detail={"octets": str(len(file.content)), "sha256": hashlib.sha256(file.content).hexdigest()},
    )


def _update(offset: int, piece: bytes) -> CommandAPDU:
    if offset <= MAX_SHORT_OFFSET:
        return CommandAPDU(0x00, 0xD6, offset >> 8, offset & 0xFF, piece)
    position = encode_tlv(0x54, offset.to_bytes(4, "big"))
    return CommandAPDU(0x00, 0xD7, 0x00, 0x00, position + encode_tlv(0x53, piece))


def _holds(file: FileImage, chip: ChipImage) -> Question:
    """Read the file back, as far as it goes by plain offsets, and compare."""
    chunk = min(chip.max_response_data, 65536 if chip.extended_length else 256) - BLOCK - MAC_LENGTH - 2
    end = min(len(file.content), MAX_SHORT_OFFSET + 1)
    reads = tuple(
        CommandAPDU(0x00, 0xB0, start >> 8, start & 0xFF, le=min(chunk, end - start)) for start in range(0, end, chunk)
    )
    if end < len(file.content):
        reads = ()  # longer than plain offsets reach: write it again, which is harmless
    return Question((_select_file(file), *reads), lambda sw, data: sw == SW.OK and data == file.content)


# --- activation, passwords, configuration, lock


def _activate(location: bytes, what: str) -> Step:
    command = CommandAPDU(0x00, 0x44, 0x00, 0x00)
    select = CommandAPDU(0x00, 0xA4, 0x04 if location else 0x00, 0x04, location or b"\x3f\x00", 256)
    return Step(f"activate {what}", select_location(location), (command,), Question((select,), _is_activated))


def _is_activated(sw: int, fcp: bytes) -> bool:
    """FCP with life cycle status 05 or 07, operational and activated (ISO/IEC 7816-4 7.4.10)."""
    try:
        template = find_tlv(decode_tlvs(fcp), 0x62)
        state = None if template is None else find_tlv(template.children(), 0x8A)
    except DecodeError:
        return False
    return sw == SW.OK and state is not None and state.value in (b"\x05", b"\x07")


def _plan_passwords(passwords: tuple[PasswordImage, ...]) -> tuple[Step, ...]:
    steps = []
    for password in passwords:
        commands = [CommandAPDU(0x00, 0x24, 0x01, password.id, password.value)]
        if password.tries is not None:
            limit = encode_tlv(0x83, bytes((password.id,))) + encode_tlv(0x80, bytes((password.tries,)))
            commands.append(CommandAPDU(0x00, 0xDB, 0x3F, 0xFF, encode_tlv(0xFF22, limit)))
        steps.append(Step(f"set password {password.id.name}", select_location(MF), tuple(commands)))
    return tuple(steps)


def _configure_pace(image: CardImage) -> Step:
    infos = b"".join(encode_security_info(info) for info in write_out_parameters(image.pace))
    command = CommandAPDU(0x00, 0xDB, 0x3F, 0xFF, encode_tlv(0xFF21, infos))
    return Step("configure PACE", select_location(MF), (command,), detail={"protocols": str(len(image.pace))})


def _configure_trust(image: CardImage) -> Step:
    """Trust points for Terminal Authentication, newest first, and the date that the card believes in."""
    points = [decode_cv_certificate(raw) for raw in image.trust_points]
    today = image.trust_date or max(point.effective_date for point in points)
    content = encode_tlv(cv_tags.EFFECTIVE_DATE, encode_cv_date(today)) + b"".join(image.trust_points)
    command = CommandAPDU(0x00, 0xDB, 0x3F, 0xFF, encode_tlv(0xFF23, content))
    return Step("configure trust points", select_location(MF), (command,), detail={"number": str(len(points))})


def _lock(image: CardImage) -> Step:
    question = CommandAPDU(0x80, 0xF2, 0x80, 0x00, b"\x4f\x00", 256)

    def is_secured(sw: int, status: bytes) -> bool:
        # LL AID, then the life cycle state (GPC 11.4.3.1).
        return sw == SW.OK and bool(status) and len(status) > status[0] + 1 and status[status[0] + 1] == SECURED

    command = CommandAPDU(0x80, 0xF0, 0x80, SECURED, image.chip.security_domain.aid)
    return Step("lock the card", select_location(MF), (command,), Question((question,), is_secured))
