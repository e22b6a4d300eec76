"""What an authority must do next, and by when: the first thing that its operator wants to know, and a monitor asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, unique
from typing import Final

from eid.codec.crl import decode_crl
from eid.codec.x509 import Certificate, decode_certificate
from eid.pki.content_signer import usage_of
from eid.services.pki.authority_holdings import AuthorityHoldings, due_time
from eid.store.files import load_file

NOTICE: Final = timedelta(days=90)  # to prepare a ceremony
SIGNER_NOTICE: Final = timedelta(days=7)
NEARLY: Final = 0.9  # of the signatures that a key may make


@unique
class DutyState(IntEnum):
    """How urgent a duty is; higher is worse."""

    OK = 0
    DUE = 1
    OVERDUE = 2


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing to look after.

    Args:
        subject: label of a key or file. detail: how it stands. by: when it is too late; None where no time is set.
        action: what to do; "" where there is nothing to do.
    """

    subject: str
    state: DutyState
    detail: str
    by: datetime | None = None
    action: str = ""


_LIST_KINDS: Final = {"mls": "master", "dls": "deviation", "sls": "status"}


def list_duties(authority: AuthorityHoldings, now: datetime) -> tuple[Duty, ...]:
    """Everything that an authority has to look after, in the order of its hierarchy.

    Raises:
        StoreError: a file is missing or damaged.
    """
    duties = [*_csca_duties(authority, now), *_signer_duties(authority, now), *_list_signer_duties(authority, now)]
    duties += _crl_duties(authority, now)
    if authority.register.unfinished:
        what = "an attempt to make this key broke off"
        duties.append(Duty(authority.register.unfinished, DutyState.OVERDUE, what, None, "repeat the command"))
    return tuple(duties)


def _csca_duties(authority: AuthorityHoldings, now: datetime) -> Iterator[Duty]:
    until = usage_of(decode_certificate(authority.csca_certificate)).not_after
    state = _judge(now, until - NOTICE, until)
    yield Duty(
        authority.csca_label,
        state,
        f"its key signs until {until:%Y-%m-%d}",
        until,
        "eid pki csca" if state else "",
    )
    for label in authority.register.cscas[:-1]:
        expiry = decode_certificate(authority.load(label)).not_after
        yield Duty(label, DutyState.OK, f"signs CRLs only, certificate until {expiry:%Y-%m-%d}", expiry)


def _signer_duties(authority: AuthorityHoldings, now: datetime) -> Iterator[Duty]:
    label, certificate = authority.signers()[-1]
    if authority.is_revoked(certificate.serial):
        yield Duty(label, DutyState.OVERDUE, "it is revoked, and nothing can be issued", None, "eid pki ds")
        return
    until, limit = usage_of(certificate).not_after, authority.profile.authority.signer_signatures
    count = authority.record.count(label)
    detail = f"its key signs until {until:%Y-%m-%d}, {count} of {limit} signatures made"
    if label in authority.register.retired or now > until or count >= limit:
        # Not overdue: issuing goes on with the next one, which is made when it is needed
        yield Duty(label, DutyState.DUE, f"{detail}; the next one is made when it is needed", None, "eid pki ds")
        return
    state = DutyState.DUE if now >= until - SIGNER_NOTICE or count >= NEARLY * limit else DutyState.OK
    yield Duty(label, state, detail, until, "eid pki ds, or wait: it rolls over by itself" if state else "")


def _list_signer_duties(authority: AuthorityHoldings, now: datetime) -> Iterator[Duty]:
    newest: dict[str, tuple[str, Certificate]] = {label[:3]: (label, item) for label, item in authority.list_signers()}
    for label, certificate in newest.values():
        if authority.is_revoked(certificate.serial):
            action = f"eid pki list-signer {_LIST_KINDS[label[:3]]}"
            yield Duty(label, DutyState.OVERDUE, "it is revoked, and no list can be signed", None, action)
            continue
        until = usage_of(certificate).not_after
        usable = authority.may_sign(label, certificate, now)
        detail = f"its key signs until {until:%Y-%m-%d}"
        yield Duty(label, DutyState.OK, detail if usable else "the next one is made with the next list", until)


def _crl_duties(authority: AuthorityHoldings, now: datetime) -> Iterator[Duty]:
    if authority.is_crl_behind:
        yield Duty("crl", DutyState.OVERDUE, "the newest one does not say what the register says", None, "eid pki crl")
    for label, number in authority.register.crls:
        crl = decode_crl(load_file(authority.crl_path(number)))
        until = crl.next_update or crl.this_update
        expired = decode_certificate(authority.load(label)).not_after < now
        state = DutyState.OK if expired else _judge(now, due_time(crl), until)
        detail = f"CRL {number} of {label}, {len(crl.revoked)} revoked, next by {until:%Y-%m-%d}"
        if expired:
            detail = f"CRL {number} of {label}, whose certificate has expired: none follows"
        yield Duty(f"crl-{number:06}", state, detail, until, "eid pki crl --due" if state else "")


def _judge(now: datetime, due: datetime, late: datetime) -> DutyState:
    if now > late:
        return DutyState.OVERDUE
    return DutyState.DUE if now >= due else DutyState.OK
