"""ISO: commands and files before access control (ISO/IEC 7816-4, Doc 9303-10 3, Doc 9303-11 4)."""

from __future__ import annotations

from eid.codec.apdu import CommandAPDU
from eid.codec.atr import decode_atr
from eid.codec.status_word import SW
from eid.conformance.case import Case, Unit
from eid.conformance.subject import Subject, accepted, enter, read_binary, refused, select_by_identifier, speak
from eid.errors import PeerProtocolError
from eid.lds.files import DATA_GROUPS, EF_CARD_ACCESS, EF_COM, EF_SOD, ElementaryFile, by_number
from eid.protocols.exchange import Exchange, Reset, transmit
from eid.protocols.files import encode_read_odd, select_application

_UNKNOWN_AID = bytes.fromhex("F0455049442D4E4F4E45")
_UNKNOWN_FID = 0x01FE
_UNKNOWN_INSTRUCTION = 0xFA  # assigned neither by ISO/IEC 7816-4 nor by TR-03110-3


def needs_card_access(subject: Subject) -> str | None:
    """EF.CardAccess is there."""
    return None if EF_CARD_ACCESS.name in subject.files else "the chip has no EF.CardAccess"


def needs_entry(subject: Subject) -> str | None:
    """A way in is known."""
    return None if subject.opening else "no way in: no protocol that is spoken here, or no password for it"


def _answer_to_reset(subject: Subject) -> Exchange[str]:
    atr = decode_atr((yield Reset()).data)
    return f"T={', T='.join(map(str, atr.protocols))}, {len(atr.historical_bytes)} historical bytes"


def _select(subject: Subject) -> Exchange[str]:
    yield Reset()
    response = yield from transmit(CommandAPDU(0x00, 0xA4, 0x04, 0x0C, subject.aid))
    accepted(response, "SELECT")
    if response.data:
        raise PeerProtocolError(f"SELECT with P2 0C brought {len(response.data)} octets")
    return "9000"


def _select_twice(subject: Subject) -> Exchange[str]:
    yield Reset()
    yield from select_application(subject.aid)
    yield from select_application(subject.aid)
    return "9000 twice"


def _select_unknown(subject: Subject) -> Exchange[str]:
    yield Reset()
    return refused((yield from transmit(CommandAPDU(0x00, 0xA4, 0x04, 0x0C, _UNKNOWN_AID))), "an unknown AID")


def _unknown_instruction(subject: Subject) -> Exchange[str]:
    yield Reset()
    response = yield from transmit(CommandAPDU(0x00, _UNKNOWN_INSTRUCTION, 0x00, 0x00))
    return _one_of(response.sw, (0x6D00, 0x6E00), refused(response, f"instruction {_UNKNOWN_INSTRUCTION:02X}"))


def _one_of(sw: int, allowed: tuple[int, ...], said: str) -> str:
    if sw not in allowed:
        raise PeerProtocolError(f"answered {sw:04X}, not {' or '.join(f'{item:04X}' for item in allowed)}")
    return said


def _unknown_class(subject: Subject) -> Exchange[str]:
    yield Reset()
    return refused((yield from transmit(CommandAPDU(0x20, 0xA4, 0x04, 0x0C, subject.aid))), "class 20")


def _unopened_channel(subject: Subject) -> Exchange[str]:
    yield Reset()
    command = CommandAPDU(0x03, 0xA4, 0x04, 0x0C, subject.aid)
    return refused((yield from transmit(command)), "a command on logical channel 3, which is not open")


def _read_card_access(subject: Subject) -> Exchange[str]:
    yield Reset()
    expected = subject.content(EF_CARD_ACCESS.name)
    by_sfi = yield from transmit(read_binary(EF_CARD_ACCESS.sfi))
    _same(by_sfi.data, expected, "by short identifier")
    yield Reset()
    yield from transmit(CommandAPDU(0x00, 0xA4, 0x00, 0x0C, b"\x3f\x00"))  # refused by many: it is current already
    accepted((yield from transmit(select_by_identifier(EF_CARD_ACCESS.fid))), "SELECT EF.CardAccess")
    _same((yield from transmit(CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=256))).data, expected, "by file identifier")
    return f"{min(len(expected), 256)} octets both ways"


def _same(found: bytes, expected: bytes, how: str) -> None:
    if found != expected[: len(found)] or len(found) < min(len(expected), 256):
        raise PeerProtocolError(f"EF.CardAccess read {how} differs, or is cut")


def _read_behind_end(subject: Subject) -> Exchange[str]:
    yield Reset()
    length = len(subject.content(EF_CARD_ACCESS.name))
    yield from transmit(read_binary(EF_CARD_ACCESS.sfi, 0, 1))
    response = yield from transmit(CommandAPDU(0x00, 0xB0, length >> 8, length & 0xFF, le=1))
    return refused(response, "READ BINARY behind the end of EF.CardAccess")


def _read_over_end(subject: Subject) -> Exchange[str]:
    yield Reset()
    content = subject.content(EF_CARD_ACCESS.name)
    yield from transmit(read_binary(EF_CARD_ACCESS.sfi, 0, 1))
    offset = len(content) - 2
    response = yield from transmit(CommandAPDU(0x00, 0xB0, offset >> 8, offset & 0xFF, le=16))
    _one_of(response.sw & 0xFFFF if response.sw >> 8 != 0x6C else 0x6C00, (0x9000, 0x6282, 0x6C00, 0x6700, 0x6B00), "")
    if response.data and response.data != content[offset:]:
        raise PeerProtocolError(f"the last 2 octets were read as {len(response.data)} others")
    return f"{len(response.data)} octets, {response.sw:04X}"


def _no_current_file(subject: Subject) -> Exchange[str]:
    yield Reset()
    yield from select_application(subject.aid)
    return refused((yield from transmit(CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=8))), "READ BINARY without a current EF")


def _each_closed(subject: Subject, command: str, *, exactly: bool = False) -> Exchange[str]:
    """Every elementary file of the application, plain.

    Args:
        exactly: a file that is there is refused with 6982 (Doc 9303-11 4.2); one that is not may be told as absent.
    """
    seen = set()
    for file in (EF_COM, EF_SOD, *DATA_GROUPS):
        yield Reset()
        yield from select_application(subject.aid)
        response = yield from transmit(_command(command, file))
        said = refused(response, f"{command} {file.name} before access control")
        is_there = file.number is None or file.number in subject.listed
        if exactly:
            said = _one_of(response.sw, (0x6982,) if is_there else (0x6982, 0x6A82), said)
        seen.add(said)
    return f"all 18 files: {', '.join(sorted(seen))}"


def _command(name: str, file: ElementaryFile) -> CommandAPDU:
    if name == "SELECT":
        return select_by_identifier(file.fid)
    return read_binary(file.sfi, 0, 8) if name == "READ BINARY" else encode_read_odd(file.sfi, 0, 16)


def _closed_read(subject: Subject) -> Exchange[str]:
    return _each_closed(subject, "READ BINARY", exactly=True)


def _closed_select(subject: Subject) -> Exchange[str]:
    """A file that is there; whether absent ones are told of is another matter.

    SELECT is refused already, or gives nothing away and READ BINARY is.
    """
    seen = set()
    for file in (EF_COM, EF_SOD, *map(by_number, subject.listed)):
        yield Reset()
        yield from select_application(subject.aid)
        selected = yield from transmit(select_by_identifier(file.fid))
        response = yield from transmit(CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=8))
        said = refused(response, f"READ BINARY of {file.name} that was selected before access control")
        if selected.sw == SW.OK:
            seen.add(_one_of(response.sw, (0x6982,), said))
        else:
            seen.add(_one_of(selected.sw, (0x6982,), refused(selected, f"SELECT {file.name}")))
    return f"{', '.join(sorted(seen))}"


def _closed_odd_read(subject: Subject) -> Exchange[str]:
    return _each_closed(subject, "READ BINARY with odd instruction")


def _unknown_file(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    response = yield from speak(session, select_by_identifier(_UNKNOWN_FID))
    return _one_of(response.sw, (0x6A82,), refused(response, "SELECT of a file that is not there"))


def _unknown_short_identifier(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    return refused((yield from speak(session, read_binary(0x15, 0, 4))), "READ BINARY of short identifier 15")


def _by_both(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    by_sfi = accepted((yield from speak(session, read_binary(EF_COM.sfi, 0, 8))), "READ BINARY EF.COM").data
    accepted((yield from speak(session, select_by_identifier(EF_COM.fid))), "SELECT EF.COM")
    by_fid = yield from speak(session, CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=8))
    if by_sfi != accepted(by_fid, "READ BINARY").data:
        raise PeerProtocolError("EF.COM is another file by its short identifier than by its identifier")
    return f"{len(by_sfi)} octets, the same"


def _end_of_file(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    length = len(subject.content(EF_COM.name))
    yield from speak(session, select_by_identifier(EF_COM.fid))
    response = yield from speak(session, CommandAPDU(0x00, 0xB0, length >> 8, length & 0xFF, le=4))
    said = refused(response, "READ BINARY behind the end of EF.COM")
    last = yield from speak(session, CommandAPDU(0x00, 0xB0, 0x00, length - 1, le=1))
    if last.data != subject.content(EF_COM.name)[-1:]:
        raise PeerProtocolError("the last octet of EF.COM cannot be read by itself")
    return said


def _reads_at_offset(subject: Subject) -> Exchange[str]:
    content = subject.content(EF_COM.name)
    session = yield from enter(subject)
    yield from speak(session, select_by_identifier(EF_COM.fid))
    for offset in (1, 5, len(content) // 2):
        response = yield from speak(session, CommandAPDU(0x00, 0xB0, 0x00, offset, le=3))
        if accepted(response, f"READ BINARY at {offset}").data != content[offset : offset + 3]:
            raise PeerProtocolError(f"three octets at {offset} are not those of the whole file")
    return "the same octets as in the whole file"


def _odd_read(subject: Subject) -> Exchange[str]:
    content = subject.content(EF_COM.name)
    session = yield from enter(subject)
    response = accepted((yield from speak(session, encode_read_odd(EF_COM.sfi, 2, 8))), "READ BINARY B1")
    if response.data[:1] != b"\x53" or response.data[2:] != content[2:][: response.data[1]] or response.data[1] > 6:
        raise PeerProtocolError("the answer is not data object 53 with the octets from the offset on, within Le")
    return f"53 with {response.data[1]} octets"


def _needs_odd_read(subject: Subject) -> str | None:
    needs = any(len(content) > 0x7FFF for content in subject.files.values())
    return None if subject.odd_read or needs else "no file is over 32 KiB, and the chip does not know the command"


def _get_response(subject: Subject) -> Exchange[str]:
    yield Reset()
    yield from select_application(subject.aid)
    return refused((yield CommandAPDU(0x00, 0xC0, 0x00, 0x00, le=256)), "GET RESPONSE with nothing to fetch")


def _internal_authenticate(subject: Subject) -> Exchange[str]:
    yield Reset()
    yield from select_application(subject.aid)
    command = CommandAPDU(0x00, 0x88, 0x00, 0x00, bytes(8), le=256)
    return refused((yield from transmit(command)), "INTERNAL AUTHENTICATE before access control")


UNIT = Unit(
    "ISO",
    "Commands and files",
    (
        Case("ISO_01", "Answer to reset", "ISO/IEC 7816-3 8.2", "well-formed, with its check octet", _answer_to_reset),
        Case("ISO_02", "SELECT the eMRTD application", "Doc 9303-10 3.6.1.2", "9000, no data", _select),
        Case("ISO_03", "SELECT the application twice", "ISO/IEC 7816-4 11.2.2", "9000 both times", _select_twice),
        Case("ISO_04", "SELECT an unknown application", "ISO/IEC 7816-4 11.2.2", "an error", _select_unknown),
        Case("ISO_05", "Unknown instruction", "ISO/IEC 7816-4 5.6", "6D00 or 6E00", _unknown_instruction),
        Case("ISO_06", "Class that nobody has assigned", "ISO/IEC 7816-4 5.4.1", "an error", _unknown_class),
        Case("ISO_07", "Logical channel that is not open", "ISO/IEC 7816-4 5.4.2", "an error", _unopened_channel),
        Case(
            "ISO_08",
            "EF.CardAccess by short identifier and by identifier",
            "Doc 9303-10 3.11.3",
            "the same octets, without any access control",
            _read_card_access,
            needs_card_access,
        ),
        Case(
            "ISO_09",
            "READ BINARY behind the end of EF.CardAccess",
            "ISO/IEC 7816-4 11.3.3",
            "an error or a warning, no data",
            _read_behind_end,
            needs_card_access,
        ),
        Case(
            "ISO_10",
            "READ BINARY over the end of EF.CardAccess",
            "ISO/IEC 7816-4 11.3.3",
            "the octets that are left, with 9000 or 6282; or 6Cxx, 6700, 6B00",
            _read_over_end,
            needs_card_access,
        ),
        Case("ISO_11", "READ BINARY without a current file", "ISO/IEC 7816-4 11.3.3", "an error", _no_current_file),
        Case(
            "ISO_12",
            "READ BINARY of every file, plain",
            "Doc 9303-11 4.2",
            "6982 each; 6A82 where there is no such file",
            _closed_read,
            needs_entry,
        ),
        Case(
            "ISO_13",
            "Select and read files, plain",
            "Doc 9303-11 4.2",
            "6982 each, to SELECT or to READ BINARY",
            _closed_select,
            needs_entry,
        ),
        Case(
            "ISO_14",
            "READ BINARY B1, plain",
            "Doc 9303-11 4.3.2, 4.4.2",
            "an error each",
            _closed_odd_read,
            needs_entry,
        ),
        Case("ISO_15", "GET RESPONSE, nothing to fetch", "ISO/IEC 7816-4 11.9.1", "an error", _get_response),
        Case(
            "ISO_16",
            "INTERNAL AUTHENTICATE, plain",
            "Doc 9303-11 4",
            "an error: the chip is not traced by its signature",
            _internal_authenticate,
            needs_entry,
        ),
        Case("ISO_17", "SELECT a file that is absent", "ISO/IEC 7816-4 11.2.2", "6A82", _unknown_file, needs_entry),
        Case(
            "ISO_18",
            "READ BINARY of a short identifier that is absent",
            "ISO/IEC 7816-4 11.3.3",
            "an error",
            _unknown_short_identifier,
            needs_entry,
        ),
        Case("ISO_19", "EF.COM by both identifiers", "Doc 9303-10 3.5.1", "the same octets", _by_both, needs_entry),
        Case(
            "ISO_20",
            "End of a file in a session",
            "ISO/IEC 7816-4 11.3.3",
            "the last octet by itself; behind it an error or a warning, no data",
            _end_of_file,
            needs_entry,
        ),
        Case(
            "ISO_21",
            "READ BINARY at offsets",
            "ISO/IEC 7816-4 11.3.3",
            "the file's octets",
            _reads_at_offset,
            needs_entry,
        ),
        Case(
            "ISO_22",
            "READ BINARY with odd instruction",
            "Doc 9303-10 3.6.6",
            "data object 53, at most Le octets in all",
            _odd_read,
            lambda subject: needs_entry(subject) or _needs_odd_read(subject),
        ),
    ),
)
