"""Cards with one defect each, and the cases that have to find it; the first of them is the one that is meant for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from eid.card import VirtualCard
from eid.card.memory import Memory
from eid.codec.apdu import SM_BITS, CommandAPDU, ResponseAPDU
from eid.errors import CommandRefused
from eid.lds.atr_info import ExtendedLengthLimits, build_atr_info
from eid.lds.card_security import decode_card_security
from eid.lds.com import decode_ef_com
from eid.lds.dg1 import build_dg1, decode_dg1
from eid.lds.dg14 import DG14, decode_dg14
from eid.lds.ef_dir import build_ef_dir
from eid.lds.files import EF_CARD_SECURITY, LDS1_AID, by_name
from eid.lds.security_infos import ActiveAuthenticationInfo, ChipAuthenticationPublicKeyInfo, PACEInfo
from eid.profile.card_image import AccessCondition, KeyPurpose, PasswordId
from eid.protocols.active_authentication.core import ECDSA_PLAIN
from eid.protocols.pace.card import PaceCard
from eid.protocols.scp03.key_set import default_key_set
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.security_status import SecurityStatus
from eid.testing.specimen import SpecimenCard, make_chip_keys
from tests.conformance import lax_protocols as lax
from tests.conformance.specimens import booted, content, memory_of, put_file, sign_again

Build = Callable[[SpecimenCard], VirtualCard]


@dataclass(frozen=True)
class Defect:
    """A card that is not sound.

    Args:
        kind: of the sound card it is made of. found_by: every case that fails.
        around: what has to hold while it is tested. destructive: found by a destructive case.
    """

    name: str
    kind: str
    found_by: tuple[str, ...]
    build: Build
    around: Callable[[], AbstractContextManager[None]] = nullcontext
    destructive: bool = False


# --- ways to make one


class _Body(VirtualCard):
    """A card whose commands can be had before and after they are carried out."""

    def __init__(self, memory: Memory, **options: Any) -> None:
        super().__init__(memory, **options)
        self.before: Callable[[CommandAPDU], ResponseAPDU | None] = lambda _: None
        self.after: Callable[[CommandAPDU, ResponseAPDU], ResponseAPDU] = lambda _, response: response
        self.messaging: type[lax.LaxMessaging] | None = None

    def _carry_out(self, command: CommandAPDU, outer: CommandAPDU, protection: str) -> ResponseAPDU:
        response = self.before(command)
        if response is None:
            response = super()._carry_out(command, outer, protection)
        return self.after(command, response)

    def _begin_session(self) -> None:
        super()._begin_session()
        session = self._card.session.secure_messaging
        if self.messaging is not None and type(session) is SecureMessaging:
            session.__class__ = self.messaging

    @property
    def is_open(self) -> bool:
        """Whether BAC or PACE was run."""
        return self._card.session.status.access is not None


def _yields(
    matches: Callable[[CommandAPDU], bool], data: bytes = b"", *, only: int = 0, unless_open: bool = False
) -> Build:
    """Says 9000 where it should refuse; `only`: where it would refuse with this status word."""

    def build(card: SpecimenCard) -> VirtualCard:
        body = _Body(memory_of(card))

        def after(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
            if response.sw == 0x9000 or not matches(command) or (unless_open and body.is_open):
                return response
            if only not in (0, response.sw):
                return response
            return ResponseAPDU(data)

        body.after = after
        return body

    return build


def _ins(ins: int, p1: int | None = None, p2: int | None = None) -> Callable[[CommandAPDU], bool]:
    return lambda command: command.ins == ins and p1 in (None, command.p1) and p2 in (None, command.p2)


def _alters(change: Callable[[CommandAPDU, ResponseAPDU], ResponseAPDU]) -> Build:
    def build(card: SpecimenCard) -> VirtualCard:
        body = _Body(memory_of(card))
        body.after = change
        return body

    return build


def _holds(change: Callable[[SpecimenCard, Memory], None]) -> Build:
    """Holds other data."""

    def build(card: SpecimenCard) -> VirtualCard:
        memory = memory_of(card)
        change(card, memory)
        return booted(memory)

    return build


def _speaks(messaging: type[lax.LaxMessaging]) -> Build:
    def build(card: SpecimenCard) -> VirtualCard:
        body = _Body(memory_of(card))
        body.messaging = messaging
        return body

    return build


def _draws(length: int, value: bytes) -> Build:
    """Its random number generator gives the same whenever it is asked for so many octets."""

    def build(card: SpecimenCard) -> VirtualCard:
        return VirtualCard(memory_of(card), lambda wanted: value[:wanted] if wanted == length else os.urandom(wanted))

    return build


def _opens_by(**switches: Any) -> Build:
    def build(card: SpecimenCard) -> VirtualCard:
        body = _Body(memory_of(card))

        def before(command: CommandAPDU) -> None:
            session = body._card.session
            directory = session.selection.directory
            if command.ins in (0x84, 0x82) and session.bac is None and directory is not None and not body.is_open:
                mrz = body._card.memory.passwords[PasswordId.MRZ].value.decode("ascii")
                session.bac = lax.LaxBac(mrz, body._card.random, **switches)

        body.before = before
        return body

    return build


def _agrees_by(kind: type[PaceCard]) -> Build:
    def build(card: SpecimenCard) -> VirtualCard:
        body = _Body(memory_of(card))

        def after(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
            pace = body._card.session.pace
            if command.ins == 0x22 and pace is not None:
                pace.__class__ = kind
            return response

        body.after = after
        return body

    return build


# --- commands


class _WrongAtr(VirtualCard):
    @property
    def atr(self) -> bytes:
        sound = super().atr
        return sound[:-1] + bytes((sound[-1] ^ 0x01,))


def _wrong_atr(card: SpecimenCard) -> VirtualCard:
    return _WrongAtr(memory_of(card))


def _says_more(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
    if (command.ins, command.p1) == (0xA4, 0x04) and response.sw == 0x9000:
        return ResponseAPDU(bytes.fromhex("6F00"))
    return response


def _unknown_instruction(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
    return ResponseAPDU(b"", 0x6F00) if response.sw == 0x6D00 else response


def _fills_up(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
    """Behind the end of a file there are zeros."""
    if command.ins == 0xB0 and response.sw == 0x6B00:
        return ResponseAPDU(bytes(command.le or 0))
    return response


def _one_too_few(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
    if command.ins == 0xB0 and command.le == 16 and response.sw == 0x9000:
        return ResponseAPDU(response.data[:-1])
    return response


def _forgets_rules(ins: int, p1: int | None = None) -> Build:
    """One way of reading does not ask whether it may."""

    def build(card: SpecimenCard) -> VirtualCard:
        body = _Body(memory_of(card))

        def after(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
            chosen = command.ins == ins and (p1 is None or command.p1 == p1)
            if chosen and response.sw == 0x6982 and not body.is_open and body._card.session.selection.directory:
                return ResponseAPDU(bytes.fromhex("61045F1F01"))
            return response

        body.after = after
        return body

    return build


class _Forgetful(_Body):
    """A chain that was broken off is remembered."""

    def _assemble(self, command: CommandAPDU) -> CommandAPDU | ResponseAPDU:
        if self._chain is not None and command.ins == 0xB0:
            kept, self._chain = self._chain, None
            answer = super()._assemble(command)
            self._chain = kept
            return answer
        return super()._assemble(command)


def _keeps_chain(card: SpecimenCard) -> VirtualCard:
    return _Forgetful(memory_of(card))


# --- secure messaging


class _ServesPlain(_Body):
    """A plain READ BINARY is answered before the session is ended."""

    by_sfi = True

    def _answer(self, command: CommandAPDU) -> ResponseAPDU:
        is_meant = command.ins == 0xB0 and bool(command.p1 & 0x80) == self.by_sfi
        if is_meant and not command.cla & SM_BITS and self._card.session.secure_messaging is not None:
            response = self._carry_out(command, command, "")
            self._card.session.end_channel()
            return response
        return super()._answer(command)


class _ServesPlainCurrent(_ServesPlain):
    by_sfi = False


class _OutlivesPlain(_Body):
    """A plain command is refused, and the session goes on."""

    def _answer(self, command: CommandAPDU) -> ResponseAPDU:
        if not command.cla & SM_BITS and self._card.session.secure_messaging is not None:
            return ResponseAPDU(b"", 0x6982)
        return super()._answer(command)


class _OutlivesFault(_Body):
    """A wrong MAC is refused, and the session goes on."""

    def _answer_iso(self, command: CommandAPDU) -> ResponseAPDU:
        session = self._card.session
        held = session.secure_messaging
        if held is None:
            return super()._answer_iso(command)
        kept, status, opening = _copy(held), session.status, session.opening
        response = super()._answer_iso(command)
        if session.secure_messaging is None:
            session.secure_messaging, session.status, session.opening = kept, status, opening
        return response


def _of(kind: type[_Body]) -> Build:
    return lambda card: kind(memory_of(card))


class _OutlivesReset(_Body):
    """What was agreed before a reset is remembered, and taken up by the first protected command."""

    _kept: tuple[SecureMessaging, SecurityStatus] | None = None

    def power_off(self) -> None:
        session = self._card.session
        held = session.secure_messaging
        if held is not None:
            self._kept = _copy(held), session.status
        super().power_off()

    def _answer(self, command: CommandAPDU) -> ResponseAPDU:
        session = self._card.session
        if command.cla & SM_BITS and session.secure_messaging is None and self._kept is not None:
            session.secure_messaging, session.status = self._kept
            self._kept = None
        return super()._answer(command)


def _copy(held: SecureMessaging) -> SecureMessaging:
    """The same session, of which closing the one does not close the other."""
    ssc = held._ssc.to_bytes(held.suite.block_size, "big")
    return SecureMessaging(held.suite, held._ks_enc, held._ks_mac, ssc)


# --- Chip and Active Authentication


class _OldKeys(_Body):
    """After Chip Authentication the keys before it are good for one more command, at any time."""

    _old: SecureMessaging | None = None

    def _begin_session(self) -> None:
        session = self._card.session
        if session.secure_messaging is not None and session.next_secure_messaging is not None:
            self._old = _copy(session.secure_messaging)
        super()._begin_session()

    def reset(self) -> bytes:
        self._old = None
        return super().reset()

    def _answer_iso(self, command: CommandAPDU) -> ResponseAPDU:
        held, old = self._card.session.secure_messaging, self._old
        if old is not None and held is not None:
            try:
                _copy(old).unprotect_command(command)
            except CommandRefused:
                pass
            else:
                self._card.session.secure_messaging = old
        return super()._answer_iso(command)


def _other_key(purpose: KeyPurpose) -> Build:
    """A copy of the data, with another private key."""

    def change(card: SpecimenCard, memory: Memory) -> None:
        private, _ = make_chip_keys(card.profile)
        keys = memory.applications[LDS1_AID].keys
        for reference, key in keys.items():
            if key.purpose is purpose:
                keys[reference] = replace(key, private_key=private[purpose])

    return _holds(change)


def _names_key_otherwise(card: SpecimenCard, memory: Memory) -> None:
    """Chip-authentication mapping finds its key by the identifier of the PACEInfo (Doc 9303-11 9.2.1)."""
    content = memory.master.files[EF_CARD_SECURITY.fid].content
    infos = decode_card_security(bytes(content)).security_infos
    other = (replace(info, key_id=1) if isinstance(info, ChipAuthenticationPublicKeyInfo) else info for info in infos)
    content[:] = card.authority.sign_card_security(tuple(other))


def _signs_once(card: SpecimenCard) -> VirtualCard:
    body = _Body(memory_of(card))
    kept: list[ResponseAPDU] = []

    def after(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
        if command.ins != 0x88 or response.sw != 0x9000:
            return response
        kept.append(response)
        return kept[0]

    body.after = after
    return body


class _IgnoresChallenge(_Body):
    def _carry_out(self, command: CommandAPDU, outer: CommandAPDU, protection: str) -> ResponseAPDU:
        if command.ins == 0x88 and len(command.data) == 8:
            command = replace(command, data=bytes(8))
        return super()._carry_out(command, outer, protection)


class _ShortChallenge(_Body):
    def _carry_out(self, command: CommandAPDU, outer: CommandAPDU, protection: str) -> ResponseAPDU:
        if command.ins == 0x88 and 0 < len(command.data) < 8:
            command = replace(command, data=command.data.ljust(8, b"\0"))
        return super()._carry_out(command, outer, protection)


def _signs_for_anybody(card: SpecimenCard) -> VirtualCard:
    return _yields(_ins(0x88), bytes(64), unless_open=True)(card)


# --- access rules


def _with_dg3(card: SpecimenCard, memory: Memory, rule: AccessCondition = AccessCondition.TA_DG3) -> None:
    """An empty DG3 (Doc 9303-10 4.7.3), listed and signed."""
    put_file(memory, "DG3", bytes.fromhex("63087F6103020100") + bytes.fromhex("5300"), rule)
    ef_com = decode_ef_com(bytes(content(memory, "EF.COM")))
    put_file(memory, "EF.COM", replace(ef_com, tags=(*ef_com.tags, 0x63)).encode())
    sign_again(card, memory)


def sound_with_dg3(card: SpecimenCard) -> VirtualCard:
    """A sound card whose fingerprints want Terminal Authentication."""
    memory = memory_of(card)
    _with_dg3(card, memory)
    return booted(memory)


def _dg3_open(card: SpecimenCard) -> VirtualCard:
    memory = memory_of(card)
    _with_dg3(card, memory, AccessCondition.BAC_OR_PACE)
    return booted(memory)


def _dg3_by(matches: Callable[[_Body, CommandAPDU], bool]) -> Build:
    def build(card: SpecimenCard) -> VirtualCard:
        memory = memory_of(card)
        _with_dg3(card, memory)
        body = _Body(memory)

        def after(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
            if response.sw == 0x6982 and body.is_open and matches(body, command):
                return ResponseAPDU(bytes.fromhex("63087F61"))
            return response

        body.after = after
        return body

    return build


# --- data


def _flip(name: str, place: int) -> Callable[[SpecimenCard, Memory], None]:
    def change(_: SpecimenCard, memory: Memory) -> None:
        content(memory, name)[place] ^= 0x01

    return change


def _wrong_hash(card: SpecimenCard, memory: Memory) -> None:
    sign_again(card, memory, {2: bytes(32)})


def _lists(*numbers: int, without: int = 0) -> Callable[[SpecimenCard, Memory], None]:
    def change(_: SpecimenCard, memory: Memory) -> None:
        ef_com = decode_ef_com(bytes(content(memory, "EF.COM")))
        tags = [tag for tag in ef_com.tags if not without or tag != by_name(f"DG{without}").tag]
        tags += [by_name(f"DG{number}").tag or 0 for number in numbers]
        put_file(memory, "EF.COM", replace(ef_com, tags=tuple(tags)).encode())

    return change


def _states_version(version: str) -> Callable[[SpecimenCard, Memory], None]:
    def change(_: SpecimenCard, memory: Memory) -> None:
        ef_com = decode_ef_com(bytes(content(memory, "EF.COM")))
        put_file(memory, "EF.COM", replace(ef_com, lds_version=version).encode())

    return change


def _injects(_: SpecimenCard, memory: Memory) -> None:
    put_file(memory, "DG16", bytes.fromhex("7003020100"))


def _writes(name: str, change: Callable[[bytes], bytes]) -> Callable[[SpecimenCard, Memory], None]:
    """Another content, properly signed."""

    def apply(card: SpecimenCard, memory: Memory) -> None:
        put_file(memory, name, change(bytes(content(memory, name))))
        sign_again(card, memory)

    return apply


def _without_infos(kind: type) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        return DG14(tuple(info for info in decode_dg14(raw).security_infos if not isinstance(info, kind))).encode()

    return change


def _other_check_digit(raw: bytes) -> bytes:
    """The composite check digit, the last of the zone."""
    return raw[:-1] + bytes((0x30 + (raw[-1] - 0x2F) % 10,))


def _someone_else(raw: bytes) -> bytes:
    """A zone in which every check digit is right, of another document number."""
    mrz = decode_dg1(raw).mrz()
    return build_dg1(replace(mrz, document_number="SPM999999")).encode()


def _names_other_application(_: SpecimenCard, memory: Memory) -> None:
    put_file(memory, "EF.DIR", build_ef_dir((bytes.fromhex("A000000167455349474E"),)).encode(), AccessCondition.ALWAYS)


def _announces(capabilities: str, limits: ExtendedLengthLimits | None = None, **chip: Any) -> Build:
    def build(card: SpecimenCard) -> VirtualCard:
        memory = memory_of(card)
        raw = build_atr_info(bytes.fromhex(capabilities), limits).encode()
        put_file(memory, "EF.ATR/INFO", raw, AccessCondition.ALWAYS)
        memory.chip = replace(memory.chip, **chip)
        return booted(memory)

    return build


def sound_with_atr_info(card: SpecimenCard) -> VirtualCard:
    """A sound card that announces extended lengths and chaining."""
    return _announces("0000C0", ExtendedLengthLimits(4096, 4096))(card)


class _NoChaining(_Body):
    def _assemble(self, command: CommandAPDU) -> CommandAPDU | ResponseAPDU:
        return ResponseAPDU(b"", 0x6884) if command.is_chained and command.ins != 0x86 else super()._assemble(command)


def _refuses_chains(card: SpecimenCard) -> VirtualCard:
    memory = memory_of(card)
    put_file(memory, "EF.ATR/INFO", build_atr_info(bytes.fromhex("000080")).encode(), AccessCondition.ALWAYS)
    return _NoChaining(memory)


def _names_absent_application(command: CommandAPDU) -> bool:
    return command.ins == 0xA4 and command.p1 == 0x04 and command.data[:1] == b"\xf0"


def _names_absent_file(command: CommandAPDU) -> bool:
    return command.ins == 0xA4 and command.p1 == 0x02 and command.data == b"\x01\xfe"


def _answers_otherwise(ins: int, p1: int, sw: int) -> Callable[[CommandAPDU, ResponseAPDU], ResponseAPDU]:
    """A plain command to a closed file is refused, with another status word."""

    def change(command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
        meant = command.ins == ins and command.p1 & p1 == p1 and response.sw == 0x6982
        return ResponseAPDU(b"", sw) if meant else response

    return change


def runs_pace_in_master_file_only(card: SpecimenCard) -> VirtualCard:
    """Sound: PACE comes before an application is selected (Doc 9303-11 4.2)."""
    body = _Body(memory_of(card))

    def before(command: CommandAPDU) -> ResponseAPDU | None:
        begins = (command.ins, command.p1) == (0x22, 0xC1)
        return (
            ResponseAPDU(b"", 0x6985)
            if begins and body._card.session.selection.directory is not body._card.memory.master
            else None
        )

    body.before = before
    return body


def _announces_hash(raw: bytes) -> bytes:
    infos = (
        replace(info, signature_algorithm=ECDSA_PLAIN["sha512"]) if isinstance(info, ActiveAuthenticationInfo) else info
        for info in decode_dg14(raw).security_infos
    )
    return DG14(tuple(infos)).encode()


def _without_dg14(card: SpecimenCard, memory: Memory) -> None:
    del memory.applications[LDS1_AID].files[by_name("DG14").fid]
    _lists(without=14)(card, memory)
    sign_again(card, memory)


def _factory_keys(_: SpecimenCard, memory: Memory) -> None:
    memory.domain.keys = default_key_set(16, 1)


DEFECTS = (
    Defect("check octet of the ATR is wrong", "bac", ("ISO_01",), _wrong_atr),
    Defect("SELECT answers data that nobody asked for", "bac", ("ISO_02",), _alters(_says_more)),
    Defect("an application that is not there is selected", "bac", ("ISO_04",), _yields(_names_absent_application)),
    Defect("unknown instructions are answered 6F00", "bac", ("ISO_05",), _alters(_unknown_instruction)),
    Defect("behind the end of a file are zeros", "pace", ("ISO_09", "ISO_20"), _alters(_fills_up)),
    Defect("DG2 is read without access control", "bac", ("ISO_12",), _forgets_rules(0xB0, 0x82)),
    Defect("a closed file is refused with 6985", "bac", ("ISO_12",), _alters(_answers_otherwise(0xB0, 0x80, 0x6985))),
    Defect("SELECT tells a closed file as absent", "bac", ("ISO_13",), _alters(_answers_otherwise(0xA4, 2, 0x6A82))),
    Defect("READ BINARY B1 asks for no right", "bac", ("ISO_14",), _forgets_rules(0xB1)),
    Defect("INTERNAL AUTHENTICATE asks for no right", "bac", ("ISO_16",), _signs_for_anybody),
    Defect("an absent file is selected", "bac", ("ISO_17",), _yields(_names_absent_file)),
    Defect("RND.IC is always the same", "bac", ("BAC_03", "BAC_08"), _draws(8, bytes(8))),
    Defect("K.IC is always the same", "bac", ("BAC_11",), _draws(16, bytes(16))),
    Defect("M.IFD is not checked", "bac", ("BAC_05",), _opens_by(checks_mac=False)),
    Defect(
        "RND.IC in the token is not compared",
        "bac",
        ("BAC_07", "BAC_08"),
        _opens_by(checks_challenge=False),
    ),
    Defect("BAC needs no challenge", "bac", ("BAC_09",), _opens_by(needs_challenge=False)),
    Defect("PACE takes any token", "pace", ("PACE_16", "PACE_12"), _agrees_by(lax.LaxPace), lax.own_steps),
    Defect("PACE uses its nonce again", "pace", ("PACE_18",), _agrees_by(lax.FixedNonce), lax.own_steps),
    Defect("PACE uses its mapping key again", "pace", ("PACE_19",), _agrees_by(lax.FixedMappingKey)),
    Defect("PACE takes a mapping key off the curve", "pace", ("PACE_28",), _agrees_by(lax.AnyElement)),
    Defect("PACE takes an ephemeral key off the curve", "pace", ("PACE_29",), _agrees_by(lax.AnyKey)),
    Defect("PACE goes on after a refused step", "pace", ("PACE_21",), _agrees_by(lax.Enduring)),
    Defect(
        "PACE begins with a protocol that is not announced",
        "pace",
        ("PACE_23",),
        _yields(lambda command: command.ins == 0x22 and command.p1 == 0xC1 and command.data[11:12] == b"\x63"),
    ),
    Defect(
        "PACE begins with a password that there is not",
        "pace",
        ("PACE_24",),
        _yields(lambda command: command.ins == 0x22 and b"\x83\x01\x1f" in command.data),
    ),
    Defect(
        "CAM proves another key",
        "cam",
        ("PACE_07", "CA_01", "CA_03", "CA_04"),
        _other_key(KeyPurpose.CHIP_AUTHENTICATION),
    ),
    Defect("CAM's key has another identifier", "cam", ("PACE_07",), _holds(_names_key_otherwise)),
    Defect("half of the MAC is compared", "bac", ("SM_05", "SM_07", "SM_19"), _speaks(lax.HalfMac)),
    Defect("a command without a MAC is taken", "bac", ("SM_06", "SM_20"), _speaks(lax.OptionalMac)),
    Defect("the MAC does not cover P2", "bac", ("SM_12",), _speaks(lax.HeaderlessMac)),
    Defect("the MAC does not cover INS", "bac", ("SM_13",), _speaks(lax.InstructionlessMac)),
    Defect("the MAC does not cover Le", "bac", ("SM_10",), _speaks(lax.UncoveredLe)),
    Defect("a command is taken twice", "bac", ("SM_16",), _speaks(lax.Repeatable)),
    Defect("commands may be left out", "bac", ("SM_17",), _speaks(lax.Skippable)),
    Defect("plain READ BINARY by SFI is served in a session", "bac", ("SM_22",), _of(_ServesPlain)),
    Defect("plain READ BINARY of the current file is served", "bac", ("SM_23",), _of(_ServesPlainCurrent)),
    Defect("a session outlives plain commands", "bac", ("SM_24", "SM_25"), _of(_OutlivesPlain)),
    Defect("a session outlives a wrong MAC", "bac", ("SM_19", "SM_20"), _of(_OutlivesFault)),
    Defect("a session outlives a reset", "bac", ("SM_21",), _of(_OutlivesReset)),
    Defect("old keys live on after Chip Authentication", "bac", ("CA_02", "CA_03"), _of(_OldKeys)),
    Defect(
        "another Chip Authentication key",
        "bac",
        ("CA_01", "CA_03", "CA_04"),
        _other_key(KeyPurpose.CHIP_AUTHENTICATION),
    ),
    Defect(
        "Chip Authentication takes a key off the curve",
        "bac",
        ("CA_05",),
        _yields(lambda command: command.ins == 0x86 and len(command.data) > 60, only=0x6A80),
    ),
    Defect("the signature is always the first one", "bac", ("AA_02",), _signs_once),
    Defect("the challenge is not what is signed", "bac", ("AA_01",), _of(_IgnoresChallenge)),
    Defect("another Active Authentication key", "bac", ("AA_01",), _other_key(KeyPurpose.ACTIVE_AUTHENTICATION)),
    Defect("a challenge of 4 octets is signed", "bac", ("AA_04",), _of(_ShortChallenge)),
    Defect("M1 is always the same", "rsa", ("AA_03",), lambda card: VirtualCard(memory_of(card), _constant)),
    Defect(
        "DG14 has no ActiveAuthenticationInfo",
        "bac",
        ("AA_07",),
        _holds(_writes("DG14", _without_infos(ActiveAuthenticationInfo))),
    ),
    Defect(
        "the hash of Active Authentication is longer than its key",
        "bac",
        ("AA_07", "AA_01"),
        _holds(_writes("DG14", _announces_hash)),
    ),
    Defect("there is no DG14 beside PACE", "pace", ("LDS_14",), _holds(_without_dg14)),
    Defect("DG3 opens without Terminal Authentication", "bac", ("EAC_01", "EAC_03", "EAC_05", "EAC_07"), _dg3_open),
    Defect(
        "DG3 opens after Chip Authentication",
        "bac",
        ("EAC_07",),
        _dg3_by(lambda body, command: body._card.session.status.chip_authenticated and command.p1 == 0x83),
    ),
    Defect("DG3 opens to READ BINARY B1", "bac", ("EAC_03",), _dg3_by(lambda _, command: command.ins == 0xB1)),
    Defect("DG2 is not what was signed", "bac", ("LDS_09",), _holds(_flip("DG2", -20))),
    Defect("EF.SOD signs another hash", "bac", ("LDS_09",), _holds(_wrong_hash)),
    Defect("the signature of EF.SOD is wrong", "bac", ("LDS_11",), _holds(_flip("EF.SOD", -1))),
    Defect("EF.COM lists a data group that is absent", "bac", ("LDS_03", "LDS_06", "LDS_27"), _holds(_lists(7))),
    Defect("EF.COM does not list a data group", "bac", ("LDS_06",), _holds(_lists(without=12))),
    Defect("a data group that nobody signed", "bac", ("LDS_08",), _holds(_injects)),
    Defect("EF.COM states an unknown version", "bac", ("LDS_02",), _holds(_states_version("0109"))),
    Defect(
        "DG14 lacks the PACEInfo of EF.CardAccess",
        "pace",
        ("LDS_14",),
        _holds(_writes("DG14", _without_infos(PACEInfo))),
    ),
    Defect("a check digit of DG1 is wrong", "bac", ("LDS_19", "LDS_20"), _holds(_writes("DG1", _other_check_digit))),
    Defect("DG1 is of another document", "bac", ("LDS_20",), _holds(_writes("DG1", _someone_else))),
    Defect("EF.DIR names another application", "bac", ("LDS_18",), _holds(_names_other_application)),
    Defect("UPDATE BINARY is taken", "bac", ("LIFE_02",), _yields(_ins(0xD6, 0x81))),
    Defect("UPDATE BINARY D7 is taken", "bac", ("LIFE_04",), _yields(_ins(0xD7))),
    Defect("CREATE FILE is taken", "bac", ("LIFE_06",), _yields(_ins(0xE0))),
    Defect("keys are generated in a session", "bac", ("LIFE_07", "LIFE_08"), _yields(_ins(0x47))),
    Defect("PUT DATA is taken", "bac", ("LIFE_09",), _yields(_ins(0xDB))),
    Defect("passwords may be changed", "bac", ("LIFE_10",), _yields(_ins(0x24))),
    Defect("SET STATUS is taken", "bac", ("LIFE_13",), _yields(_ins(0xF0))),
    Defect("files may be activated again", "bac", ("LIFE_15",), _yields(_ins(0x44))),
    Defect(
        "extended length is announced and refused",
        "bac",
        ("LEN_02", "LEN_01", "LEN_03"),
        _announces(
            "000040",
            ExtendedLengthLimits(4096, 4096),
            extended_length=False,
            max_command_data=255,
            max_response_data=256,
        ),
    ),
    Defect(
        "less comes at once than is announced",
        "bac",
        ("LEN_03",),
        _announces("000040", ExtendedLengthLimits(4096, 4096), max_response_data=1024),
    ),
    Defect("Le is not kept to", "bac", ("LEN_05",), _alters(_one_too_few)),
    Defect("chaining is announced and refused", "bac", ("LEN_06",), _refuses_chains),
    Defect("a broken chain is gone on with", "bac", ("LEN_07",), _keeps_chain),
    Defect("factory keys open a secure channel", "bac", ("LIFE_18",), _holds(_factory_keys), destructive=True),
    Defect("DELETE FILE is taken", "bac", ("LIFE_16",), _yields(_ins(0xE4)), destructive=True),
)


def _constant(length: int) -> bytes:
    return b"\x5a" * length if length > 32 else os.urandom(length)
