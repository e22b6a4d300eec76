"""The General Authentication Procedure: PACE, Terminal and Chip Authentication of version 2 (TR-03110-2 2.3.5).

Nothing is judged here: that EF.CardSecurity is the issuer's, and so that the chip is, is for whoever reads the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from eid.codec.cv import Chat
from eid.crypto.group import Group, compress_public_key
from eid.errors import DecodeError, LocalProtocolError, PeerProtocolError
from eid.inspection.access import choose_pace
from eid.inspection.session import step
from eid.lds.card_access import CardAccess, decode_card_access
from eid.lds.card_security import decode_card_security
from eid.lds.files import EF_CARD_ACCESS, EF_CARD_SECURITY
from eid.lds.security_infos import ChipAuthenticationDomainParameterInfo
from eid.pki.cv_chain import intersect_rights
from eid.profile.card_image import PasswordId
from eid.protocols.chip_authentication.core import VERSION_2, ChipKey, find_chip_keys
from eid.protocols.chip_authentication.public_key import find_domain_parameters
from eid.protocols.chip_authentication.terminal import run_chip_authentication_2
from eid.protocols.exchange import Exchange, through
from eid.protocols.files import read_file, select_master_file
from eid.protocols.pace.core import PaceResult, Password, require_parameters
from eid.protocols.pace.terminal import run_pace
from eid.protocols.pin.terminal import open_with_pin
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.terminal_authentication.core import AuxiliaryDatum
from eid.protocols.terminal_authentication.messages import encode_auxiliary_data
from eid.protocols.terminal_authentication.terminal import TerminalCredentials, run_terminal_authentication_2


@dataclass(frozen=True, slots=True)
class Consent:
    """What the holder agrees to: a password, and the rights that it opens.

    Args:
        can: resumes a suspended PIN. rights: of the terminal's authorization, at most; None leaves it all of them.
        use_last_try: whether the PIN's last try may be spent.
    """

    password: Password
    can: bytes | None = field(default=None, repr=False)
    rights: bytes | None = None
    use_last_try: bool = False


@dataclass(frozen=True, slots=True)
class GeneralAuthentication:
    """A session between a terminal and a chip that have both proven their keys.

    Args:
        chat: terminal type, and the rights that both the holder and the terminal's own certificate leave it.
        card_access, card_security: as they stand. The chip counts as the issuer's once the latter was verified.
    """

    secure_messaging: SecureMessaging
    chat: Chat
    card_access: bytes = field(repr=False)
    card_security: bytes = field(repr=False)
    chip_key: ChipKey


def run_general_authentication(
    consent: Consent,
    credentials: TerminalCredentials,
    auxiliary: Sequence[AuxiliaryDatum] = (),
    random: Callable[[int], bytes] = os.urandom,
) -> Exchange[GeneralAuthentication]:
    """Open the chip, prove the terminal's rights, have the chip prove its key. Steps are marked by checkpoints.

    Args:
        credentials: chain and key of an authentication terminal, or of an inspection system.
        auxiliary: what the terminal commits to, for questions later.

    Raises:
        WrongPasswordError, PasswordBlockedError, PasswordSuspendedError, PasswordDeactivatedError: not opened.
        StatusWordError: the card refuses a certificate, the signature, or otherwise.
        AuthenticationError: the session broke, or the chip does not have the key that it announces.
        PeerProtocolError: an answer is malformed, or the chip announces nothing that is spoken here.
        LocalProtocolError: no certificate of the chain was issued by what the card trusts.
    """
    raw_access = yield from step("read EF.CardAccess", _read_card_access())
    card_access = _decode_card_access(raw_access)
    group = _find_group(card_access)
    chat = _restrict(credentials, consent.rights)
    pace = yield from step("PACE", _open(card_access, consent, chat, random))
    session = pace.secure_messaging

    key = group.generate(random)
    compressed = compress_public_key(group, key.public)
    terminal = run_terminal_authentication_2(
        credentials,
        [reference.decode("latin-1") for reference in pace.references],
        compress_public_key(require_parameters(pace.info).group, pace.chip_public),
        compressed,
        encode_auxiliary_data(auxiliary) if auxiliary else b"",
    )
    yield from step("Terminal Authentication", through(session, terminal))
    card_security = yield from step("read EF.CardSecurity", through(session, read_file(EF_CARD_SECURITY)))
    chip_key = _find_chip_key(card_security, group)
    chip = yield from step("Chip Authentication", through(session, run_chip_authentication_2(chip_key, key)))
    return GeneralAuthentication(chip.secure_messaging, chat, raw_access, card_security, chip_key)


def _read_card_access() -> Exchange[bytes]:
    yield from select_master_file()
    return (yield from read_file(EF_CARD_ACCESS))


def _decode_card_access(raw: bytes) -> CardAccess:
    try:
        return decode_card_access(raw)
    except DecodeError as fault:
        raise PeerProtocolError(f"EF.CardAccess: {fault}") from fault


def _find_group(card_access: CardAccess) -> Group:
    """The chip's domain parameters: only such as are known here (TR-03110-2 2.3.4 step 1)."""
    for info in card_access.security_infos:
        if isinstance(info, ChipAuthenticationDomainParameterInfo):
            try:
                group = find_domain_parameters(info.protocol, info.domain_parameter)
            except DecodeError as fault:
                raise PeerProtocolError(f"EF.CardAccess: {fault}") from fault
            if group is not None:
                return group
    raise PeerProtocolError("the chip announces no Chip Authentication of version 2 that is spoken here")


def _restrict(credentials: TerminalCredentials, rights: bytes | None) -> Chat:
    """What PACE tells the card: the certificate's authorization without its role, and no more than the holder wants."""
    own = credentials.decode()[-1].chat
    authorization = bytes((own.authorization[0] & 0x3F,)) + own.authorization[1:]
    if rights is not None and len(rights) != len(authorization):
        raise LocalProtocolError(f"rights of this terminal have {len(authorization)} octets")
    return Chat(own.oid, authorization if rights is None else intersect_rights(authorization, rights))


def _open(
    card_access: CardAccess, consent: Consent, chat: Chat, random: Callable[[int], bytes]
) -> Exchange[PaceResult]:
    entry = choose_pace(card_access.pace_infos)
    if entry is None:
        raise PeerProtocolError("the chip offers no PACE that is spoken here")
    named, password = entry.name_parameters, consent.password
    if password.id is PasswordId.PIN:
        run = open_with_pin(
            entry.info,
            password.value,
            consent.can,
            random,
            name_parameters=named,
            chat=chat,
            use_last_try=consent.use_last_try,
        )
        return (yield from run)
    return (yield from run_pace(entry.info, password, random, name_parameters=named, chat=chat))


def _find_chip_key(card_security: bytes, group: Group) -> ChipKey:
    """The key on the group that the terminal has committed to; another one would not be accepted any more."""
    try:
        keys = find_chip_keys(decode_card_security(card_security, []).security_infos, VERSION_2)
    except DecodeError as fault:
        raise PeerProtocolError(f"EF.CardSecurity: {fault}") from fault
    for key in keys:
        if key.group.name == group.name:
            return key
    raise PeerProtocolError("EF.CardSecurity holds no key on the domain parameters of EF.CardAccess")
