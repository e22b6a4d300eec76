"""`eid stamp`: electronic stamps and the payments for them, on the local database."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from eid.enrolment.deadlines import local_day
from eid.enrolment.payment import Channel
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.gateways.payment.statement import MAX_STATEMENT
from eid.rendering.terminal import render_table
from eid.services.application.views import find_named
from eid.services.database import ready_database
from eid.services.input_file import read_input
from eid.services.payment import payments, refunds
from eid.services.payment.channels import load_channels
from eid.services.payment.payments import PaymentDesk, PaymentRequest
from eid.services.payment.reconciliation import reconcile as reconcile_day
from eid.services.registry import load_keys
from eid.services.settings import load_settings
from eid.services.stamp import spending, stamps
from eid.services.stamp.counter import CounterCase, spend_at_counter
from eid.services.stamp.stamps import StampOffice, StampOrder
from eid.store.payments import StoredPayment
from eid.store.refunds import StoredRefund
from eid.store.stamps import StoredStamp
from reader_tools import exit_codes
from reader_tools.acting import acting_as, current_moment, local_actor
from reader_tools.command_group import CommandGroup
from reader_tools.secret_input import read_secret_line

JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
STAMP: Final = click.argument("stamp", type=click.UUID)
REFUND: Final = click.argument("refund", type=click.UUID)
REASON: Final = click.option("--reason", required=True, metavar="CODE", help="Why: a code, for the audit log.")
DAY: Final = click.DateTime(["%Y-%m-%d"])
DIGITS: Final = click.option(
    "--digits-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The digits on its only line.  [default: a hidden prompt]",
)


@click.group(name="stamp", cls=CommandGroup)
def command() -> None:
    """Electronic stamps: fees, orders, payments, messages, refunds, reconciliation.

    A stamp's digits are a bearer value: they are typed at a prompt or read from a file, and never printed.
    """


@dataclass(frozen=True, slots=True)
class _Till:
    """What a command works with."""

    desk: PaymentDesk
    actor: Actor
    now: datetime

    @property
    def office(self) -> StampOffice:
        return self.desk.office


@command.command(name="fees")
@click.option("--service", metavar="CODE", help="Of this service alone.")
@JSON
def fees(service: str | None, as_json: bool) -> None:
    """What services cost, by age and day."""
    rules = load_rules(load_settings(os.environ).country).rules
    rows = [
        {
            "service": row.service,
            "from": row.starts.isoformat(),
            "below_age": row.below_age,
            "amount": row.amount,
            "currency": rules.stamps.currency,
        }
        for row in rules.fees
        if service in (None, row.service)
    ]
    _print_rows(rows, ("service", "from", "below_age", "amount", "currency"), as_json)


@command.command(name="order")
@click.option("--service", metavar="CODE", help="What the stamp is for.  [default: the country's first]")
@click.option("--born", required=True, type=DAY, help="Date of birth of whom it is for; it sets the fee.")
@click.option("--phone", required=True, metavar="NUMBER", help="Where the digits are sent, as +212600000000.")
@click.option("--language", metavar="CODE", help="For messages.  [default: the country's first]")
@click.option("--abroad", is_flag=True, help="The telephone may be one of another country.")
@acting_as(Role.CASHIER)
@JSON
def order(
    service: str | None, born: datetime, phone: str, language: str | None, abroad: bool, role: str, as_json: bool
) -> None:
    """Order a stamp; it is to be paid before its time is over."""
    with _till(role) as till:
        wanted = StampOrder(service or till.office.rules.service, born.date(), phone, language, abroad)
        found = stamps.order_stamp(till.office, wanted, till.actor, till.now)
    _print(_stamp(found), as_json)


@command.command(name="pay")
@STAMP
@click.option("--channel", required=True, type=click.Choice([item.value for item in Channel]), help="The way to pay.")
@click.option("--phone", metavar="NUMBER", help="Of the wallet, for mobile-wallet.")
@click.option("--terminal", metavar="ID", help="On the counter, for counter-terminal.")
@acting_as(Role.CASHIER)
@JSON
def pay(stamp: uuid.UUID, channel: str, phone: str | None, terminal: str | None, role: str, as_json: bool) -> None:
    """Begin a payment at its provider, and tell what the payer does next."""
    with _till(role) as till:
        wanted = PaymentRequest(channel, phone, terminal)
        found, told = payments.request_payment(till.desk, stamp, wanted, till.actor, till.now)
    _print({**_payment(found), "next": told.form, "url": told.url, "code": told.code}, as_json)


@command.command(name="payment")
@click.argument("payment", type=click.UUID)
@click.option("--ask", is_flag=True, help="Ask the provider what became of it, where no callback has come.")
@acting_as(Role.CASHIER)
@JSON
def payment(payment: uuid.UUID, ask: bool, role: str, as_json: bool) -> None:
    """Where a payment stands."""
    with _till(role) as till:
        payments.show_payment(till.desk, payment, till.actor)  # whether he may see it at all
        if ask:
            payments.ask_provider(till.desk, payment, till.now)
        found = payments.show_payment(till.desk, payment, till.actor)
    _print(_payment(found), as_json)


@command.command(name="show")
@STAMP
@acting_as(Role.CASHIER)
@JSON
def show(stamp: uuid.UUID, role: str, as_json: bool) -> None:
    """Where a stamp stands; of its digits the last four."""
    with _till(role) as till:
        found = stamps.show_stamp(till.office, stamp, till.actor)
    _print(_stamp(found), as_json)


@command.command(name="look-up")
@DIGITS
@acting_as(Role.CASHIER)
def look_up(digits_file: Path | None, role: str) -> int:
    """Whether digits are a usable stamp, and what it is worth.

    Exit codes: 0 usable, 1 not. An unknown, spent, reserved and blocked one are told by no more.
    """
    typed = _ask_digits(digits_file)
    with _till(role) as till:
        found = stamps.look_up(till.office, typed, till.actor, till.now)
    click.echo("not usable" if found is None else f"usable: {found.service}, {found.amount} {found.currency}")
    return exit_codes.FAILED if found is None else exit_codes.PASSED


@command.command(name="enter")
@click.argument("application", metavar="APPLICATION")
@DIGITS
@acting_as(Role.ENROLMENT_OFFICER)
@JSON
def enter(application: str, digits_file: Path | None, role: str, as_json: bool) -> None:
    """Reserve a stamp for an application."""
    typed = _ask_digits(digits_file)
    with _till(role) as till:
        named = find_named(till.office.engine, application, till.actor)
        found = spending.enter_stamp(till.office, named, typed, till.actor, till.now)
    _print(_stamp(found), as_json)


@command.command(name="spend")
@click.option("--service", required=True, metavar="CODE", help="What is paid for, as passport.")
@click.option("--amount", required=True, type=click.IntRange(1), help="What is due, in whole units of the currency.")
@click.option("--reference", required=True, metavar="TEXT", help="The counter's own reference of the case.")
@DIGITS
@acting_as(Role.ENROLMENT_OFFICER)
@JSON
def spend(service: str, amount: int, reference: str, digits_file: Path | None, role: str, as_json: bool) -> None:
    """Spend a stamp for a service whose files lie in another system: a passport form, a consular act.

    The same digits for the same reference are spent once, however often this is said.
    """
    typed = _ask_digits(digits_file)
    with _till(role) as till:
        case = CounterCase(service, amount, reference)
        found = spend_at_counter(till.office, case, typed, till.actor, till.now)
    shown = {name: getattr(found, name) for name in ("service", "amount", "currency", "last_four")}
    told = {"stamp": str(found.stamp_id), "case": str(found.case), "spent_at": found.spent_at.isoformat()}
    _print({**told, **shown}, as_json)


@command.command(name="resend")
@STAMP
@acting_as(Role.CALL_CENTRE_AGENT)
@JSON
def resend(stamp: uuid.UUID, role: str, as_json: bool) -> None:
    """Have the same digits sent again to the same telephone."""
    with _till(role) as till:
        found = stamps.resend_digits(till.office, stamp, till.actor, till.now)
    _print(_stamp(found), as_json)


@command.command(name="block")
@STAMP
@REASON
@acting_as(Role.CALL_CENTRE_AGENT)
@JSON
def block(stamp: uuid.UUID, reason: str, role: str, as_json: bool) -> None:
    """Block a stamp whose digits somebody else has learned."""
    with _till(role) as till:
        found = stamps.block_stamp(till.office, stamp, till.actor, till.now, reason)
    _print(_stamp(found), as_json)


@command.command(name="unblock")
@STAMP
@REASON
@acting_as(Role.ADMINISTRATOR)
@JSON
def unblock(stamp: uuid.UUID, reason: str, role: str, as_json: bool) -> None:
    """Make a blocked stamp good again."""
    with _till(role) as till:
        found = stamps.unblock_stamp(till.office, stamp, till.actor, till.now, reason)
    _print(_stamp(found), as_json)


@command.command(name="refund")
@STAMP
@REASON
@acting_as(Role.CASHIER)
@JSON
def refund(stamp: uuid.UUID, reason: str, role: str, as_json: bool) -> None:
    """End a stamp that is neither reserved nor spent; the worker has the provider return its price."""
    with _till(role) as till:
        found = payments.refund_stamp(till.desk, stamp, till.actor, till.now, reason)
    _print(_stamp(found), as_json)


@command.command(name="refunds")
@acting_as(Role.CASHIER)
@JSON
def list_refunds(role: str, as_json: bool) -> None:
    """Money that nobody has decided about yet, oldest first: the cashiers' queue.

    A stamp that was consumed for an application which the authority has ended, and payments that their provider
    declines to return.
    """
    with _till(role) as till:
        found = refunds.list_refunds(till.office, till.actor)
    _print_rows([_refund(item) for item in found], ("id", "cause", "stamp", "subject", "asked_at"), as_json)


@command.command(name="grant-refund")
@REFUND
@acting_as(Role.CASHIER)
@JSON
def grant_refund(refund: uuid.UUID, role: str, as_json: bool) -> None:
    """Give the price back the way that it came, or have the provider asked again; the worker does it."""
    with _till(role) as till:
        found = refunds.grant_refund(till.desk, refund, till.actor, till.now)
    _print(_refund(found), as_json)


@command.command(name="refuse-refund")
@REFUND
@REASON
@acting_as(Role.CASHIER)
@JSON
def refuse_refund(refund: uuid.UUID, reason: str, role: str, as_json: bool) -> None:
    """Leave it as it is."""
    with _till(role) as till:
        found = refunds.refuse_refund(till.office, refund, reason, till.actor, till.now)
    _print(_refund(found), as_json)


@command.command(name="unsent")
@click.option("--minutes", type=click.IntRange(0), default=5, show_default=True, help="Waiting for at least so long.")
@acting_as(Role.CASHIER)
@JSON
def unsent(minutes: int, role: str, as_json: bool) -> None:
    """Stamps that are paid and whose digits were not sent: the operators' queue."""
    with _till(role) as till:
        found = stamps.list_unsent(till.office, till.actor, till.now, timedelta(minutes=minutes))
    _print_rows([_stamp(item) for item in found], ("id", "state", "paid_at", "messages"), as_json)


@command.command(name="sweep")
def sweep() -> None:
    """Let orders expire that were not paid in time; release stamps that were reserved and never bound."""
    with _till(Role.SYSTEM.value) as till:
        expired = stamps.expire_orders(till.office, till.now)
        released = spending.release_forsaken(till.office, till.now)
    click.echo(f"{expired} expired, {released} released")


@command.command(name="reconcile")
@click.option("--channel", required=True, type=click.Choice([item.value for item in Channel]), help="The way to pay.")
@click.option("--day", type=DAY, help="The day of the statement.  [default: yesterday]")
@click.option(
    "--statement",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The provider's CSV.  [default: fetched from the provider]",
)
@acting_as(Role.CASHIER)
@JSON
def reconcile(channel: str, day: datetime | None, statement: Path | None, role: str, as_json: bool) -> int:
    """Compare a provider's statement of a day with the register; settle what only a lost callback explains.

    Exit codes: 0 all agree or was put right, 1 something is left for people.
    """
    raw = None if statement is None else read_input(statement, MAX_STATEMENT, "statement")
    with _till(role) as till:
        wanted = _yesterday(till) if day is None else day.date()
        report = reconcile_day(till.desk, channel, wanted, till.actor, till.now, raw)
    found: dict[str, Any] = report.findings
    if as_json:
        click.echo(json.dumps({"id": str(report.id), "day": str(report.day), "movements": report.movements, **found}))
    else:
        click.echo(
            f"{report.movements} movements on {report.day}, {found['count']} differences, {found['repaired']} put right"
        )
        if found["differences"]:
            _print_rows(found["differences"], ("difference", "payment", "ours", "theirs", "repaired"), False)
    return exit_codes.PASSED if found["count"] == found["repaired"] else exit_codes.FAILED


@contextmanager
def _till(role: str) -> Iterator[_Till]:
    settings = load_settings(os.environ)
    channels = load_channels(settings.home)
    with ready_database(settings) as engine:
        office = StampOffice(engine, load_rules(settings.country).rules, load_keys(settings))
        yield _Till(PaymentDesk(office, channels), local_actor(role), current_moment())


def _yesterday(till: _Till) -> date:
    return local_day(till.now, till.office.rules) - timedelta(days=1)


def _ask_digits(file: Path | None) -> str:
    if file is not None:
        return read_secret_line(file, "digits")
    typed: str = click.prompt("Digits of the stamp", hide_input=True, err=True)
    return typed


def _stamp(found: StoredStamp) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "state": found.state,
        "service": found.service,
        "amount": found.amount,
        "currency": found.currency,
        "pay_before": found.pay_before.isoformat(),
        "paid_at": None if found.paid_at is None else found.paid_at.isoformat(),
        "last_four": found.last_four,
        "messages": found.messages,
    }


def _payment(found: StoredPayment) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "stamp": str(found.stamp_id),
        "state": found.state,
        "channel": found.channel,
        "amount": found.amount,
        "currency": found.currency,
    }


def _refund(found: StoredRefund) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "state": found.state,
        "cause": found.cause,
        "stamp": str(found.stamp_id),
        "subject": str(found.subject),
        "asked_at": found.asked_at.isoformat(),
    }


def _print(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dict(found)))
        return
    for name, value in found.items():
        if value is not None:
            click.echo(f"{name}: {value}")


def _print_rows(rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([dict(row) for row in rows]))
    elif rows:
        shown = [tuple("" if row[name] is None else str(row[name]) for name in columns) for row in rows]
        click.echo(render_table(shown, columns))
    else:
        click.echo("none")
