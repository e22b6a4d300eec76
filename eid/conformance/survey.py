"""What there is to test: the survey reads every file once and finds the ways in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from eid.codec.status_word import SW
from eid.conformance.subject import Entry, Subject, begin_pace, enter, enter_by_pace, speak
from eid.errors import (
    AuthenticationError,
    EidError,
    LocalProtocolError,
    PasswordBlockedError,
    StatusWordError,
    TransportError,
    WrongPasswordError,
)
from eid.lds.files import (
    EF_ATR_INFO,
    EF_CARD_ACCESS,
    EF_CARD_SECURITY,
    EF_COM,
    EF_DIR,
    EF_SOD,
    ElementaryFile,
    by_number,
)
from eid.profile.card_image import PasswordId
from eid.protocols.bac.messages import encode_get_challenge
from eid.protocols.exchange import Exchange, Reset, through, transmit
from eid.protocols.files import FileReader, encode_read_odd, read_whole, select_application
from eid.protocols.pace.core import Password, find_parameters
from eid.protocols.secure_messaging import SecureMessaging

_ABOUT_PARAMETERS: Final = frozenset(
    (SW.WRONG_DATA, SW.WRONG_P1P2, SW.NC_INCONSISTENT_WITH_P1P2, SW.REFERENCED_DATA_NOT_FOUND)
)
_SENSITIVE: Final = frozenset((3, 4))


def survey(
    aid: bytes, passwords: tuple[Password, ...], random: Callable[[int], bytes], *, foreign_curves: bool = False
) -> Exchange[Subject]:
    """Find out what the card announces and read what it gives.

    Args:
        foreign_curves: whether PACE over a curve of the chip's own, once it was validated, is a way in.

    Raises:
        WrongPasswordError, PasswordBlockedError: a password that was given is not the card's; nothing more is tried.
        TransportError: the card was lost.
    """
    atr = (yield Reset()).data
    # MRZ and CAN first: no case may cost a try of the PIN or PUK where another password would do.
    known = tuple(sorted(passwords, key=lambda password: password.id))
    subject = Subject(atr, aid, known, random, foreign_curves=foreign_curves)
    subject = yield from _note(subject, EF_CARD_ACCESS, FileReader().read(EF_CARD_ACCESS))
    for file in (EF_ATR_INFO, EF_DIR):
        subject = yield from _note(subject, file, read_whole(file))
    subject = replace(subject, entries=(yield from _find_entries(subject)))
    if subject.opening is None:
        return subject
    if subject.opening.info is not None:
        subject = yield from _note(subject, EF_CARD_SECURITY, _read_card_security(subject, subject.opening))
    return (yield from _read_application(subject))


def _find_entries(subject: Subject) -> Exchange[tuple[Entry, ...]]:
    entries: list[Entry] = []
    foreign = subject.foreign_curves
    spoken = [info for info in subject.pace_infos if find_parameters(info, foreign_curves=foreign) is not None]
    for info in sorted(spoken, key=_is_slow):
        several = sum(other.protocol == info.protocol for other in subject.pace_infos) > 1
        for password in subject.passwords:
            entries += yield from _try_pace(subject, Entry(password, info, several, foreign))
    mrz = next((password for password in subject.passwords if password.id is PasswordId.MRZ), None)
    if mrz is not None and (yield from _offers_bac(subject)):
        entries.append(Entry(mrz))
    return tuple(entries)


def _is_slow(info: object) -> bool:
    """Groups that are no curves come last, so that most cases run on the quick ones."""
    return getattr(info, "parameter_id", 0) in (0, 1, 2)


def _try_pace(subject: Subject, entry: Entry) -> Exchange[tuple[Entry, ...]]:
    """The entry, with data object 84 or without, as the card wants it; none where it has not such a password.

    Doc 9303-11 4.4.4.1 asks for 84 where parameters are ambiguous, and leaves open whether it may stand elsewhere.
    """
    for name_parameters in (entry.name_parameters, not entry.name_parameters):
        tried = replace(entry, name_parameters=name_parameters)
        yield Reset()
        try:
            yield from begin_pace(subject, tried)
        except (WrongPasswordError, PasswordBlockedError, TransportError):
            raise
        except StatusWordError as refusal:
            if refusal.sw not in _ABOUT_PARAMETERS or refusal.command != "MSE:Set AT":
                return (entry,)
        except EidError:
            return (entry,)  # the cases will say what is wrong with it
        else:
            return (tried,)
    return () if entry.password.id is not PasswordId.MRZ else (entry,)


def _offers_bac(subject: Subject) -> Exchange[bool]:
    """Nothing announces BAC but that it answers."""
    yield Reset()
    try:
        yield from select_application(subject.aid)
    except StatusWordError:
        return False
    return (yield from transmit(encode_get_challenge())).sw == SW.OK


def _read_card_security(subject: Subject, entry: Entry) -> Exchange[bytes]:
    session = (yield from enter_by_pace(subject, entry)).secure_messaging
    reader = FileReader(session.max_response_data(256))
    return (yield from through(session, reader.read(EF_CARD_SECURITY)))


def _read_application(subject: Subject) -> Exchange[Subject]:
    subject, session = yield from _read_files(subject, None, (EF_COM, EF_SOD))
    numbers = sorted(subject.listed, key=lambda number: (number in _SENSITIVE, number))
    subject, session = yield from _read_files(subject, session, map(by_number, numbers))
    if session is None:
        return subject
    try:
        response = yield from speak(session, encode_read_odd(EF_COM.sfi, 0, 32))
    except (AuthenticationError, LocalProtocolError):
        return subject
    return replace(subject, odd_read=response.sw == SW.OK)


def _read_files(
    subject: Subject, session: SecureMessaging | None, wanted: Iterable[ElementaryFile]
) -> Exchange[tuple[Subject, SecureMessaging | None]]:
    """Read files in the session, which is opened anew after whatever ends it."""
    for file in wanted:
        try:
            if session is None or not session.is_alive:
                session = yield from enter(subject)
        except TransportError:
            raise
        except EidError as failure:
            return replace(subject, refusals={**subject.refusals, file.name: str(failure)}), None
        reader = FileReader(session.max_response_data(256))
        subject = yield from _note(subject, file, through(session, reader.read(file)))
    return subject, session


def _note(subject: Subject, file: ElementaryFile, reading: Exchange[bytes]) -> Exchange[Subject]:
    try:
        content = yield from reading
    except TransportError:
        raise
    except EidError as failure:
        return replace(subject, refusals={**subject.refusals, file.name: str(failure)})
    return replace(subject, files={**subject.files, file.name: content})
