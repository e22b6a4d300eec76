"""Selecting and reading files: the terminal's side (Doc 9303-10 3.6, ISO/IEC 7816-4 11.2, 11.3).

A file of an identity document is one data object, so its first octets say how long it is; the rest is asked for
exactly, in the largest pieces that the card was found to take.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.apdu import MAX_SHORT_LE, CommandAPDU, ResponseAPDU
from eid.codec.ber import find_ber_end
from eid.codec.status_word import SW
from eid.codec.tlv import encode_length, encode_tlv, read_header
from eid.errors import DecodeError, PeerProtocolError
from eid.lds.files import EF_SOD, ElementaryFile
from eid.protocols.exchange import Checkpoint, Exchange, require_success, send, transmit

SELECT: Final = 0xA4
READ_BINARY: Final = 0xB0
READ_BINARY_ODD: Final = 0xB1  # with an offset data object, for what lies behind 32 KiB

DO_OFFSET: Final = 0x54
DO_DISCRETIONARY_DATA: Final = 0x53
_INDEFINITE_SOD: Final = b"\x77\x80"  # the one file that was seen in BER
HEADER_LENGTH: Final = 4  # octets that hold tag and length of all files under 64 KiB
MAX_SHORT_OFFSET: Final = 0x7FFF
MAX_FILE_LENGTH: Final = 1 << 20

# Pieces that real cards were found to stop at; tried downwards after 6700 and the like.
_LADDER: Final = (256, 231, 223, 192, 160, 128, 64, 32)
_MASTER_FILE: Final = 0x3F00
# A card that does not know short identifiers may say so with any of these; the file itself may still be there.
_TRY_SELECT: Final = frozenset(
    (
        SW.FILE_NOT_FOUND,
        SW.COMMAND_NOT_ALLOWED,
        SW.FUNCTION_NOT_SUPPORTED,
        SW.WRONG_P1P2,
        SW.WRONG_OFFSET,
        SW.CONDITIONS_NOT_SATISFIED,
        SW.WRONG_DATA,
        SW.INSTRUCTION_NOT_SUPPORTED,
        0x6981,  # command incompatible with file structure
    )
)
# A card that cannot give so much at once.
_TOO_MUCH: Final = frozenset((SW.WRONG_LENGTH, SW.WRONG_OFFSET))


def select_application(aid: bytes) -> Exchange[None]:
    """SELECT by application identifier; no Le and no answer wanted (Doc 9303-10 3.6.1.2).

    Raises:
        StatusWordError: 6A82 the card has no such application, or another refusal.
    """
    yield from send(CommandAPDU(0x00, SELECT, 0x04, 0x0C, aid), "SELECT application")


def select_file(fid: int) -> Exchange[None]:
    """SELECT by file identifier under the current DF (Doc 9303-10 3.6.2).

    Raises:
        StatusWordError: 6A82 no such file, or another refusal.
    """
    yield from send(CommandAPDU(0x00, SELECT, 0x02, 0x0C, fid.to_bytes(2, "big")), "SELECT file")


def select_master_file() -> Exchange[bool]:
    """SELECT the MF, and tell whether the card agreed: many refuse although it is selected already.

    Some cards take only the form with 3F00, others only the one without data (ISO/IEC 7816-4 11.2.2 allows both).
    """
    for data in (_MASTER_FILE.to_bytes(2, "big"), b""):
        response = yield from transmit(CommandAPDU(0x00, SELECT, 0x00, 0x0C, data))
        if response.sw == SW.OK:
            return True
    return False


def read_file(file: ElementaryFile, chunk: int = MAX_SHORT_LE, *, by_sfi: bool = True) -> Exchange[bytes]:
    """Read one file of the current DF; see `FileReader.read`."""
    return (yield from FileReader(chunk).read(file, by_sfi=by_sfi))


def read_whole(file: ElementaryFile, *, may_select: bool = True, chunk: int = MAX_SHORT_LE) -> Exchange[bytes]:
    """Read a small file that is not one data object but several, as EF.ATR/INFO and EF.DIR are, up to its end.

    Args:
        chunk: octets to ask for at once; in a session as many as fit a protected response.
        may_select: try the file identifier where the card does not take the short one.

    Raises:
        StatusWordError: the card does not give it.
    """
    name = f"READ BINARY {file.name}"
    response = yield from transmit(_read_binary(0x80 | file.sfi, 0x00, chunk))
    if may_select and response.sw in _TRY_SELECT:
        yield from select_file(file.fid)
        response = yield from transmit(_read_binary(0x00, 0x00, chunk))
    content = piece = _accept(response, name)
    while len(piece) == chunk and len(content) <= MAX_SHORT_OFFSET:
        response = yield from transmit(_read_binary(len(content) >> 8, len(content) & 0xFF, chunk))
        if response.sw == SW.WRONG_OFFSET:
            break
        piece = _accept(response, name)
        content += piece
    return content


@dataclass(slots=True)
class PartialFile:
    """A file that is being read: what there is of it already, and how long it is once its header was read."""

    file: ElementaryFile
    content: bytearray = field(default_factory=bytearray, repr=False)
    total: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.total is not None and len(self.content) >= self.total

    def begin(self, head: bytes) -> None:
        """Take the first octets.

        Raises:
            PeerProtocolError: they are no data object, or not those of the file that was begun.
        """
        total = _file_length(self.file, head)
        if self.total is None:
            self.total = total
            self.content += head[:total]
        elif total != self.total or not self.content.startswith(head[: len(self.content)]):
            raise PeerProtocolError(f"{self.file.name} is another file than before the session was lost")


class FileReader:
    """Reads files and remembers the largest piece that this card gives.

    Args:
        chunk: octets to ask for at once, plain; over 256 only where card and reader take extended lengths.
        is_eager: ask for a whole piece with the first command already, before the file's length is known. That saves a
            command for every file; a card that minds is not asked so again.

    `selects_files` has files selected by their identifiers, for chips that stumble over short ones.
    `asks_for_whole_pieces` has the last piece of a file asked for at full length, beyond the end of the file, for chips
    that stumble over exactly what is left.
    """

    def __init__(self, chunk: int = MAX_SHORT_LE, *, is_eager: bool = False) -> None:
        self.chunk = chunk
        self.is_eager = is_eager
        self.selects_files = False
        self.asks_for_whole_pieces = False

    def read(self, file: ElementaryFile, *, by_sfi: bool = True) -> Exchange[bytes]:
        """Read a whole file of the current DF.

        Args:
            by_sfi: select it by its short identifier within the first READ BINARY, and by its file identifier only
                where the card does not take that.

        Raises:
            StatusWordError: the card does not give it. PeerProtocolError: what it gives is no data object, or is cut.
        """
        return (yield from self.go_on(PartialFile(file), by_sfi=by_sfi))

    def go_on(self, part: PartialFile, *, by_sfi: bool = True) -> Exchange[bytes]:
        """Read what is missing of a file; after each piece a `Checkpoint`, phase "progress", tells how much there is.

        A new session goes on where the one before was lost: only the header is read again, and compared.

        Raises:
            as `read`; PeerProtocolError also where it is not the file that was begun.
        """
        head = yield from self._read_head(part.file, by_sfi, eager=self.is_eager and not part.content)
        if part.file == EF_SOD and head[:2] == _INDEFINITE_SOD:
            return (yield from self._read_to_end(part.file, head))
        part.begin(head)
        while not part.is_whole:
            yield _progress(part)
            missing = (part.total or 0) - len(part.content)
            part.content += yield from self._read_piece(len(part.content), missing, part.file.name)
        yield _progress(part)
        return bytes(part.content)

    def _read_head(self, file: ElementaryFile, by_sfi: bool, *, eager: bool) -> Exchange[bytes]:
        name = f"READ BINARY {file.name}"
        wanted = max(self.chunk, HEADER_LENGTH) if eager else HEADER_LENGTH
        if by_sfi and not self.selects_files:
            response = yield from transmit(_read_binary(0x80 | file.sfi, 0x00, wanted))
            if eager and _is_about_length(response):
                self.is_eager = False
                response = yield from transmit(_read_binary(0x80 | file.sfi, 0x00, HEADER_LENGTH))
            if response.sw not in _TRY_SELECT:
                return (yield from self._complete_head(response, name))
        yield from select_file(file.fid)
        response = yield from transmit(_read_binary(0x00, 0x00, HEADER_LENGTH))
        return (yield from self._complete_head(response, name))

    def _complete_head(self, response: ResponseAPDU, name: str) -> Exchange[bytes]:
        """The first octets, at least as many as tag and length need (five or more from 64 KiB on)."""
        head = _accept(response, name)
        while head and not _is_complete(head):
            more = yield from self._read_piece(len(head), 1, name)
            head += more
        return head

    def _read_to_end(self, file: ElementaryFile, head: bytes) -> Exchange[bytes]:
        """A file whose data object does not say how long it is (X.690 8.1.3.6): to where the card has no more.

        What follows that object is not the file's, as where its length is known.
        """
        content = head
        while True:
            response = yield from transmit(_read_at(len(content), self.chunk, self.chunk))
            if _is_about_length(response) and _ber_end(content) is None and self._ask_for_less(response, self.chunk):
                continue
            if response.sw == SW.WRONG_OFFSET or not response.data:
                return content[: _ber_end(content)]
            piece = _accept_at(len(content), response, f"READ BINARY {file.name}")
            if len(content) + len(piece) > MAX_FILE_LENGTH:
                raise PeerProtocolError(f"{file.name} does not end within {MAX_FILE_LENGTH} octets")
            content += piece

    def _ask_for_less(self, response: ResponseAPDU, length: int) -> bool:
        """Learn from a refusal of so many octets; tell whether there was something to learn."""
        smaller = _smaller(response, length)
        if smaller is not None:
            self.chunk = smaller
        return smaller is not None

    def _read_piece(self, offset: int, wanted: int, name: str) -> Exchange[bytes]:
        """At least one octet from `offset` on, at most `wanted`; learns from what the card refuses."""
        limit = self.chunk
        while True:
            length = limit if self.asks_for_whole_pieces else min(wanted, limit)
            response = yield from transmit(_read_at(offset, length, limit))
            if self._ask_for_less(response, length):
                limit = self.chunk
            else:
                piece = _accept_at(offset, response, name)[:wanted]
                if not piece:
                    raise PeerProtocolError(f"{name} ends after {offset} octets, before its length says")
                return piece


def _smaller(response: ResponseAPDU, length: int) -> int | None:
    """What to ask for after `length` octets were refused; None where the refusal is about something else."""
    if response.sw >> 8 == SW.WRONG_LE >> 8 and 0 < (response.sw & 0xFF) < length:
        return response.sw & 0xFF
    return _step_down(length) if response.sw in _TOO_MUCH else None


def _progress(part: PartialFile) -> Checkpoint:
    return Checkpoint(
        f"read {part.file.name}", "progress", {"octets": str(len(part.content)), "total": str(part.total)}
    )


def _ber_end(content: bytes) -> int | None:
    """Where the data object ends that the file is; None while it is not whole."""
    try:
        return find_ber_end(content, 0, len(content))
    except DecodeError:
        return None  # if it never is, the verifier will say what is wrong with it


def _is_about_length(response: ResponseAPDU) -> bool:
    """Whether the card minds that more is asked for than it gives or the file has."""
    return response.sw in _TOO_MUCH or response.sw >> 8 == SW.WRONG_LE >> 8


def encode_read_odd(sfi: int, offset: int, le: int) -> CommandAPDU:
    """READ BINARY with odd instruction, of a file by its short identifier (ISO/IEC 7816-4 11.3.3).

    Args:
        offset: under 16 MiB. le: octets of the answer, which is data object 53.
    """
    return CommandAPDU(0x00, READ_BINARY_ODD, 0x00, sfi, _encode_offset(offset), le=le)


def _encode_offset(offset: int) -> bytes:
    return encode_tlv(DO_OFFSET, offset.to_bytes(2 if offset < 1 << 16 else 3, "big"))


def _read_at(offset: int, length: int, limit: int) -> CommandAPDU:
    if offset <= MAX_SHORT_OFFSET:
        return _read_binary(offset >> 8, offset & 0xFF, length)
    # The answer comes inside data object 53, whose tag and length need room too.
    le = min(1 + len(encode_length(length)) + length, limit)
    return CommandAPDU(0x00, READ_BINARY_ODD, 0x00, 0x00, _encode_offset(offset), le=le)


def _read_binary(p1: int, p2: int, le: int) -> CommandAPDU:
    return CommandAPDU(0x00, READ_BINARY, p1, p2, le=le)


def _accept(response: ResponseAPDU, name: str) -> bytes:
    """The data of a READ BINARY; 6282 (end of file before Le) is no fault where data came with it."""
    if response.sw == SW.END_OF_FILE and response.data:
        return response.data
    return require_success(response, name).data


def _accept_at(offset: int, response: ResponseAPDU, name: str) -> bytes:
    data = _accept(response, name)
    if offset <= MAX_SHORT_OFFSET or not data:
        return data
    try:
        tag, start, length = read_header(data)
    except DecodeError as fault:
        raise PeerProtocolError(f"{name}: {fault}") from fault
    if tag != DO_DISCRETIONARY_DATA or start + length > len(data):
        raise PeerProtocolError(f"{name}: the answer is no data object 53")
    return data[start : start + length]


def _step_down(length: int) -> int | None:
    return next((step for step in _LADDER if step < length), None)


def _is_complete(head: bytes) -> bool:
    """Whether tag and length are there; what can never become a header counts as there, to be refused later."""
    if len(head) >= 8:
        return True
    try:
        read_header(head)
    except DecodeError:
        return len(head) > 1 and head[1] == 0x80
    return True


def _file_length(file: ElementaryFile, head: bytes) -> int:
    try:
        tag, start, length = read_header(head)
    except DecodeError as fault:
        raise PeerProtocolError(f"{file.name} does not start with a data object: {fault}") from fault
    if file.tag is not None and tag != file.tag:
        raise PeerProtocolError(f"{file.name} starts with {tag:X}, not with {file.tag:X}")
    if start + length > MAX_FILE_LENGTH:
        raise PeerProtocolError(f"{file.name} claims {start + length} octets")
    return start + length
