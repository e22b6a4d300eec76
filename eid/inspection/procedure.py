"""The inspection procedure (Doc 9303-11 4.2, 5, 6; Doc 9303-10 3.6) as a flat list of steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from eid.codec.ber import convert_ber
from eid.errors import DecodeError
from eid.evidence import Evidence, ProtocolName, ProtocolOutcome, ProtocolTranscript, ReadFile
from eid.inspection.access import learn_lengths, open_chip, read_card_access
from eid.inspection.chip import authenticate_chip, sign_challenge
from eid.inspection.plan import InspectionPlan
from eid.inspection.session import SENSITIVE, Session, step
from eid.inspection.terminal import authenticate_terminal
from eid.lds.com import decode_ef_com
from eid.lds.files import EF_COM, EF_SOD, ElementaryFile, by_name, by_number
from eid.lds.sod import MAX_SOD, SecurityObject, decode_ef_sod
from eid.protocols.exchange import Exchange


def inspect(plan: InspectionPlan, now: datetime, random: Callable[[int], bytes] = os.urandom) -> Exchange[Evidence]:
    """Open the chip, read its files, have it authenticate itself, and return what was gathered. Nothing is judged.

    Every step is marked by two `Checkpoint` requests, phase "begin" and "end".

    Args:
        now: the station's clock, with a time zone.

    Raises:
        WrongPasswordError, PasswordBlockedError: the chip was not opened.
        TransportError: the link broke. AuthenticationError, PeerProtocolError: the session did.
        StatusWordError: there is no eMRTD application, or access was refused.
    """
    session = Session(plan, random)
    card_access = yield from step("read EF.CardAccess", read_card_access(session))
    if plan.announced_lengths:
        yield from step("read EF.ATR/INFO", learn_lengths(session))
    opened = yield from step("open chip", open_chip(session, card_access))
    files = [card_access, *opened.files, *(yield from _read_files(session, (EF_SOD, EF_COM)))]
    wanted = _choose_data_groups(plan, _list_data_groups(files))
    # Without a terminal's certificates the sensitive groups are asked for all the same: a refusal is evidence, too.
    protected = [file for file in wanted if plan.terminal is not None and file.number in SENSITIVE]
    files += yield from _read_files(session, (file for file in wanted if file not in protected))
    transcripts = [*opened.transcripts, (yield from _authenticate_chip(session, _content(files, "DG14")))]
    if plan.terminal is not None:
        transcripts.append((yield from step("Terminal Authentication", authenticate_terminal(session, plan.terminal))))
        yield from _revive(session, needed=bool(protected))
        files += yield from _read_files(session, protected)
    yield session.habits.told()
    active_authentication = yield from _sign_challenge(session, _content(files, "DG15"))
    return Evidence(
        origin=plan.origin,
        gathered_at=now.astimezone(UTC).replace(microsecond=0),
        challenge=plan.challenge,
        reader=plan.reader,
        policy=plan.policy,
        files=tuple(files),
        transcripts=(*transcripts, active_authentication),
    )


def _read_files(session: Session, wanted: Iterable[ElementaryFile]) -> Exchange[list[ReadFile]]:
    files = []
    for file in wanted:
        found = yield from step(f"read {file.name}", session.read(file))
        files.append(found)
    return files


def _authenticate_chip(session: Session, dg14: bytes | None) -> Exchange[ProtocolTranscript]:
    if not session.plan.chip_authentication:
        return ProtocolTranscript(ProtocolName.CHIP_AUTHENTICATION, ProtocolOutcome.NOT_ATTEMPTED)
    return (yield from step("Chip Authentication", authenticate_chip(session, dg14)))


def _sign_challenge(session: Session, dg15: bytes | None) -> Exchange[ProtocolTranscript]:
    if not session.plan.active_authentication:
        return ProtocolTranscript(ProtocolName.ACTIVE_AUTHENTICATION, ProtocolOutcome.NOT_ATTEMPTED)
    # Where Chip Authentication failed: what Active Authentication shows is worth a new session.
    yield from _revive(session, needed=dg15 is not None)
    return (yield from step("Active Authentication", sign_challenge(session, dg15)))


def _revive(session: Session, *, needed: bool) -> Exchange[None]:
    """Open the chip again where the session has died; what a terminal has proven is gone then."""
    if needed and not session.is_alive:
        yield from step("open chip again", session.resume())


def _choose_data_groups(plan: InspectionPlan, listed: Sequence[int]) -> list[ElementaryFile]:
    """What to read: all that is listed, or what was asked for and what chip authentication needs."""
    if plan.data_groups == "all":
        numbers = set(listed)
    else:
        numbers = {number for name in plan.data_groups if (number := by_name(name).number) is not None}
        needed = {14} if plan.chip_authentication or plan.terminal is not None else set()
        needed |= {14, 15} if plan.active_authentication else set()  # DG14 names the hash function of ECDSA
        numbers |= needed & set(listed)
    # The sensitive ones come last: a chip that ends the session over them has then given all the others.
    return [by_number(number) for number in sorted(numbers, key=lambda number: (number in SENSITIVE, number))]


def _list_data_groups(files: Sequence[ReadFile]) -> list[int]:
    """Numbers of the data groups that EF.SOD lists, or else EF.COM, which nothing signs."""
    try:
        if (ef_sod := _content(files, EF_SOD.name)) is not None:
            return list(_decode_tolerantly(ef_sod).data_group_hashes)
    except DecodeError:
        pass  # the verifier will say what is wrong with it
    try:
        ef_com = _content(files, EF_COM.name)
        return [] if ef_com is None else list(decode_ef_com(ef_com).data_groups)
    except DecodeError:
        return []


def _decode_tolerantly(ef_sod: bytes) -> SecurityObject:
    """EF.SOD, in BER where it is no DER: what is listed there is to be read, whoever will tolerate it.

    Raises:
        DecodeError: it is neither.
    """
    try:
        return decode_ef_sod(ef_sod, defects=[])
    except DecodeError:
        return decode_ef_sod(convert_ber(ef_sod, MAX_SOD), defects=[])


def _content(files: Sequence[ReadFile], name: str) -> bytes | None:
    return next((file.content for file in files if file.name == name), None)
