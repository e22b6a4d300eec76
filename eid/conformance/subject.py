"""The card under test: what it announces, what opens it, and the ways to bring it into a state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from eid.codec.apdu import MAX_SHORT_LE, CommandAPDU, ResponseAPDU
from eid.codec.status_word import describe_status_word
from eid.crypto.group import Group
from eid.errors import DecodeError, LocalProtocolError, PeerProtocolError
from eid.lds.card_access import decode_card_access
from eid.lds.com import decode_ef_com
from eid.lds.dg14 import decode_dg14
from eid.lds.files import EF_CARD_ACCESS, EF_COM, EF_SOD
from eid.lds.security_infos import PACEInfo, SecurityInfo, find_pace_infos
from eid.lds.sod import SecurityObject, decode_ef_sod
from eid.profile.card_image import PasswordId
from eid.protocols.bac.terminal import run_bac
from eid.protocols.exchange import Exchange, Reset, through, transmit
from eid.protocols.files import select_application
from eid.protocols.pace.core import Mapping as PaceMapping
from eid.protocols.pace.core import PaceResult, Parameters, Password, find_parameters, require_parameters
from eid.protocols.pace.terminal import run_pace
from eid.protocols.secure_messaging import SecureMessaging

_BY_BAC: Final = PACEInfo("0.0")  # of an entry that has none: no protocol of that name is spoken


@dataclass(frozen=True, slots=True)
class Entry:
    """One way into the chip: PACE by a PACEInfo, or BAC where there is none; the others as for `run_pace`."""

    password: Password
    info: PACEInfo | None = None
    name_parameters: bool = False
    foreign_curves: bool = False

    @property
    def parameters(self) -> Parameters | None:
        """What the PACEInfo means; None for BAC."""
        return None if self.info is None else find_parameters(self.info, foreign_curves=self.foreign_curves)

    def __str__(self) -> str:
        parameters = self.parameters
        if parameters is None:
            return f"BAC, {self.password.id.name}"
        suite = parameters.suite.label
        return f"PACE-{parameters.mapping.value} {suite} {parameters.group.name}, {self.password.id.name}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A card, as a survey has found it.

    Args:
        entries: every way in that the card offers, that is spoken here and that a password is known for.
        passwords: all that are known. files: contents by name, as read. refusals: status words of files that are
            there or are listed, and could not be read.
        odd_read: whether the card knows READ BINARY with odd instruction.
        foreign_curves: whether PACE over a curve of the chip's own, once it was validated, is a way in.
    """

    atr: bytes
    aid: bytes
    passwords: tuple[Password, ...]
    random: Callable[[int], bytes] = field(repr=False)
    entries: tuple[Entry, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    refusals: Mapping[str, str] = field(default_factory=dict)
    odd_read: bool = False
    foreign_curves: bool = False

    def content(self, name: str) -> bytes:
        """The file's octets.

        Raises:
            PeerProtocolError: it could not be read.
        """
        found = self.files.get(name)
        if found is None:
            raise PeerProtocolError(f"{name} could not be read: {self.refusals.get(name, 'no session was opened')}")
        return found

    @property
    def card_access(self) -> tuple[SecurityInfo, ...]:
        """The SecurityInfos of EF.CardAccess; none where it is absent or malformed."""
        raw = self.files.get(EF_CARD_ACCESS.name)
        try:
            return () if raw is None else decode_card_access(raw).security_infos
        except DecodeError:
            return ()

    @property
    def pace_infos(self) -> tuple[PACEInfo, ...]:
        """The PACEInfos of EF.CardAccess, with the domain parameters that it writes out."""
        return find_pace_infos(self.card_access)

    @property
    def dg14(self) -> tuple[SecurityInfo, ...]:
        """The SecurityInfos of DG14; none where it is absent or malformed."""
        raw = self.files.get("DG14")
        try:
            return () if raw is None else decode_dg14(raw).security_infos
        except DecodeError:
            return ()

    @property
    def sod(self) -> SecurityObject | None:
        """EF.SOD, tolerantly decoded; None where it is absent or malformed."""
        raw = self.files.get(EF_SOD.name)
        try:
            return None if raw is None else decode_ef_sod(raw, defects=[])
        except DecodeError:
            return None

    @property
    def listed(self) -> tuple[int, ...]:
        """Numbers of the data groups that EF.SOD or EF.COM list."""
        numbers = set() if self.sod is None else set(self.sod.data_group_hashes)
        try:
            numbers |= set(decode_ef_com(self.files.get(EF_COM.name, b"")).data_groups)
        except DecodeError:
            pass  # LDS_01 tells of it
        return tuple(sorted(numbers))

    @property
    def opening(self) -> Entry | None:
        """The way in for cases that name no other; the PUK is none, it opens no files (TR-03110-2 2.4.1)."""
        return next((entry for entry in self.entries if entry.password.id is not PasswordId.PUK), None)

    def by_pace(self, mapping: PaceMapping | None = None, password: PasswordId | None = None) -> tuple[Entry, ...]:
        """The entries by PACE, of one mapping or by one password where that is asked for."""
        return tuple(
            entry
            for entry in self.entries
            if (parameters := entry.parameters) is not None
            and mapping in (None, parameters.mapping)
            and password in (None, entry.password.id)
        )

    @property
    def by_bac(self) -> Entry | None:
        """The entry by BAC."""
        return next((entry for entry in self.entries if entry.info is None), None)


def enter(subject: Subject, entry: Entry | None = None) -> Exchange[SecureMessaging]:
    """Reset the card, open it and select the eMRTD application in the session.

    Args:
        entry: the way in; `Subject.opening` where it is None.

    Raises:
        what `run_pace` or `run_bac` raises; StatusWordError where there is no application; LocalProtocolError where
            nothing is known that opens the chip's files.
    """
    entry = entry or subject.opening
    if entry is None:
        raise LocalProtocolError("no way in")
    if entry.info is None:
        yield Reset()
        yield from select_application(subject.aid)
        return (yield from run_bac(entry.password.value.decode("latin-1"), subject.random))
    session = (yield from enter_by_pace(subject, entry)).secure_messaging
    yield from through(session, select_application(subject.aid))
    return session


def enter_by_pace(subject: Subject, entry: Entry) -> Exchange[PaceResult]:
    """Reset the card and run PACE; no application is selected.

    Raises:
        what `run_pace` raises.
    """
    yield Reset()
    return (yield from begin_pace(subject, entry))


def begin_pace(subject: Subject, entry: Entry, password: Password | None = None) -> Exchange[PaceResult]:
    """PACE itself, by the entry's password or another one."""
    return run_pace(
        require_info_of(entry),
        password or entry.password,
        subject.random,
        name_parameters=entry.name_parameters,
        foreign_curves=entry.foreign_curves,
    )


def require_info_of(entry: Entry) -> PACEInfo:
    """The entry's PACEInfo.

    Raises:
        LocalProtocolError: it is one by BAC, or one that is not spoken here.
    """
    require_parameters_of(entry)
    return entry.info or _BY_BAC


def require_parameters_of(entry: Entry) -> Parameters:
    """What the entry's PACEInfo means.

    Raises:
        LocalProtocolError: it is one by BAC, or one that is not spoken here.
    """
    return require_parameters(entry.info or _BY_BAC, foreign_curves=entry.foreign_curves)


def speak(session: SecureMessaging, command: CommandAPDU) -> Exchange[ResponseAPDU]:
    """Send one command in the session; the unprotected answer, whatever its status word.

    Raises:
        AuthenticationError: the answer is unprotected or wrongly protected.
    """
    return through(session, transmit(command))


def read_binary(sfi: int, offset: int = 0, le: int | None = MAX_SHORT_LE) -> CommandAPDU:
    """READ BINARY with a short file identifier (ISO/IEC 7816-4 11.3.3)."""
    return CommandAPDU(0x00, 0xB0, 0x80 | sfi, offset, le=le)


def select_by_identifier(fid: int) -> CommandAPDU:
    """SELECT of an elementary file in the current application (Doc 9303-10 3.6.3)."""
    return CommandAPDU(0x00, 0xA4, 0x02, 0x0C, fid.to_bytes(2, "big"))


def refused(response: ResponseAPDU, what: str) -> str:
    """The status word in words, of a command that the card was to refuse.

    Raises:
        PeerProtocolError: the card carried it out, or gave data.
    """
    if response.data or response.sw >> 8 not in range(0x62, 0x70):
        raise PeerProtocolError(f"{what} was not refused: {len(response.data)} octets and {response.sw:04X}")
    return f"{response.sw:04X}"


def accepted(response: ResponseAPDU, what: str) -> ResponseAPDU:
    """The response, of a command that the card was to carry out.

    Raises:
        PeerProtocolError: it did not.
    """
    if response.sw != 0x9000:
        raise PeerProtocolError(f"{what} was refused: {response.sw:04X} {describe_status_word(response.sw)}")
    return response


def spoil(group: Group, subject: Subject) -> bytes:
    """Octets of an element's length that are no element of the group: a point off the curve, the neutral element."""
    public = group.generate(subject.random).public
    if public[:1] == b"\x04" and len(public) % 2:
        return public[:-1] + bytes((public[-1] ^ 0x01,))
    return bytes(len(public) - 1) + b"\x01"
