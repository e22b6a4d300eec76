"""`eid stamp` against a sandbox provider, as an operator uses it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from eid.enrolment.payment import Channel
from eid.enrolment.rules import load_rules
from eid.errors import KeyStoreError, ProfileError
from eid.gateways.payment.sandbox import Ending, Plan, SandboxProvider
from eid.gateways.payment.sandbox_server import SandboxSettings, serve_sandbox
from eid.services.database import ready_database
from eid.services.payment.channels import FILE_NAME, configure_sandbox, load_channels, prepare_secret
from eid.services.payment.refunds import ask_for_declined
from eid.services.registry import load_keys
from eid.services.settings import load_settings
from eid.services.stamp.stamps import StampOffice, open_message
from reader_tools.acting import current_moment

ORDER = ("stamp", "order", "--born", "1990-05-01", "--phone", "+212600000001", "--json")


@pytest.fixture
def provider(eid, tmp_path) -> Iterator[SandboxProvider]:
    home = tmp_path / "home"
    assert eid("db", "init").code == 0
    settings = SandboxSettings("http://127.0.0.1:9/nowhere", prepare_secret(home))
    with serve_sandbox(settings) as (url, provider):
        assert configure_sandbox(home, url)
        yield provider


def test_the_life_of_a_stamp_by_commands(eid, provider, tmp_path) -> None:
    provider.plan = Plan(Ending.SILENT)  # nobody tells: the provider is asked
    ordered = json.loads(eid(*ORDER).out)
    assert (ordered["state"], ordered["amount"], ordered["last_four"]) == ("ORDERED", 75, None)
    begun = json.loads(eid("stamp", "pay", ordered["id"], "--channel", "payment-provider", "--json").out)
    assert (begun["state"], begun["next"], len(begun["code"])) == ("OPEN", "voucher", 9)
    assert "state: OPEN" in eid("stamp", "payment", begun["id"]).out
    assert "state: SETTLED" in eid("stamp", "payment", begun["id"], "--ask").out
    shown = json.loads(eid("stamp", "show", ordered["id"], "--json").out)
    assert (shown["state"], len(shown["last_four"])) == ("ISSUED", 4)
    assert [row["id"] for row in json.loads(eid("stamp", "unsent", "--minutes", "0", "--json").out)] == [ordered["id"]]
    assert eid("stamp", "unsent").out == "none\n"
    again = eid("stamp", "resend", ordered["id"])
    assert (again.code, "moment ago" in again.err) == (73, True)
    assert "state: BLOCKED" in eid("stamp", "block", ordered["id"], "--reason", "overheard").out
    refused = eid("stamp", "unblock", ordered["id"], "--reason", "known", "--as", "cashier")
    assert (refused.code, "FORBIDDEN" in refused.err) == (73, True)
    assert "state: ISSUED" in eid("stamp", "unblock", ordered["id"], "--reason", "known").out
    assert "state: REFUNDED" in eid("stamp", "refund", ordered["id"], "--reason", "unused").out
    assert eid("stamp", "sweep").out == "0 expired, 0 released\n"


def test_digits_come_from_a_file_and_are_never_repeated(eid, provider, tmp_path) -> None:
    (tmp_path / "digits").write_text("0123 4567 8901 2345\n")
    looked = eid("stamp", "look-up", "--digits-file", tmp_path / "digits")
    assert (looked.code, looked.out) == (1, "not usable\n")
    missing = "01a202e4-8748-70c9-8090-4489a405cdfe"
    entered = eid("stamp", "enter", missing, "--digits-file", tmp_path / "digits")
    assert entered.code == 73
    assert "0123" not in entered.out + entered.err
    (tmp_path / "digits").write_text("12\n")
    assert eid("stamp", "look-up", "--digits-file", tmp_path / "digits").code == 65


def test_a_stamp_is_spent_at_a_counter(eid, provider, tmp_path) -> None:
    provider.plan = Plan(Ending.SILENT)
    ordered = json.loads(eid(*ORDER, "--service", "passport").out)
    begun = json.loads(eid("stamp", "pay", ordered["id"], "--channel", "payment-provider", "--json").out)
    assert "state: SETTLED" in eid("stamp", "payment", begun["id"], "--ask").out
    settings = load_settings({"EID_HOME": str(tmp_path / "home")})
    with ready_database(settings) as engine:
        office = StampOffice(engine, load_rules(settings.country).rules, load_keys(settings))
        digits = open_message(office, uuid.UUID(ordered["id"])).digits
    (tmp_path / "digits").write_text(f"{digits}\n")
    spend = ("stamp", "spend", "--service", "passport", "--reference", "P-1", "--digits-file", tmp_path / "digits")
    refused = eid(*spend, "--amount", "300")
    assert (refused.code, "another service or amount" in refused.err) == (73, True)
    first, again = (json.loads(eid(*spend, "--amount", "500", "--json").out) for _ in range(2))
    assert (first["stamp"], first["amount"], first["last_four"]) == (ordered["id"], 500, digits[-4:])
    assert again == first
    assert "state: CONSUMED" in eid("stamp", "show", ordered["id"]).out
    forbidden = eid(*spend, "--amount", "500", "--as", "cashier")
    assert (forbidden.code, digits in forbidden.err) == (73, False)


def test_the_cashiers_queue_by_command(eid, provider, tmp_path) -> None:
    provider.plan = Plan(Ending.SILENT)
    ordered = json.loads(eid(*ORDER).out)
    begun = json.loads(eid("stamp", "pay", ordered["id"], "--channel", "payment-provider", "--json").out)
    assert eid("stamp", "refunds").out == "none\n"

    def decline() -> str:
        """What the worker does where the provider declines to return a payment."""
        settings = load_settings({"EID_HOME": str(tmp_path / "home")})
        with ready_database(settings) as engine:
            office = StampOffice(engine, load_rules(settings.country).rules, load_keys(settings))
            ask_for_declined(office, uuid.UUID(ordered["id"]), uuid.UUID(begun["id"]), current_moment())
        (row,) = json.loads(eid("stamp", "refunds", "--json").out)
        assert (row["state"], row["stamp"], row["subject"]) == ("ASKED", ordered["id"], begun["id"])
        return str(row["id"])

    request = decline()
    assert request in eid("stamp", "refunds", "--as", "auditor").out
    for act in (("refunds",), ("grant-refund", request), ("refuse-refund", request, "--reason", "known")):
        refused = eid("stamp", *act, "--as", "call-centre-agent")
        assert (refused.code, "FORBIDDEN" in refused.err) == (73, True), act
    assert "state: GRANTED" in eid("stamp", "grant-refund", request).out
    assert (eid("stamp", "refunds").out, eid("stamp", "grant-refund", request).code) == ("none\n", 73)
    assert decline() == request
    assert eid("stamp", "refuse-refund", request, "--reason", "Because he is rude").code == 65
    told = json.loads(eid("stamp", "refuse-refund", request, "--reason", "account-closed", "--json").out)
    assert (told["id"], told["state"]) == (request, "REFUSED")
    assert eid("stamp", "refunds").out == "none\n"


def test_reconciliation_by_command(eid, provider, tmp_path) -> None:
    fetched = eid("stamp", "reconcile", "--channel", "bank-branch")
    assert (fetched.code, fetched.out.startswith("0 movements")) == (0, True)
    statement = tmp_path / "day.csv"
    statement.write_text(
        "reference,provider_reference,kind,amount,currency,at\r\n"
        "01a202e4-8748-70c9-8090-4489a405cdfe,P-1,payment,75,MAD,2026-01-02T10:00:00Z\r\n"
    )
    call = ("stamp", "reconcile", "--channel", "bank-branch", "--day", "2026-01-02", "--statement", statement)
    told = eid(*call)
    assert (told.code, "UNKNOWN_HERE" in told.out) == (1, True)
    assert json.loads(eid(*call, "--json").out)["count"] == 1
    statement.write_text("junk")
    assert eid(*call).code == 65


def test_fees_are_the_rules(eid) -> None:
    rows = json.loads(eid("stamp", "fees", "--service", "card", "--json").out)
    assert [(row["below_age"], row["amount"]) for row in rows] == [(None, 75), (12, 50)]
    assert "passport" in eid("stamp", "fees").out


def test_without_ways_to_pay_nothing_is_paid(eid) -> None:
    assert eid("db", "init").code == 0
    ordered = json.loads(eid(*ORDER).out)
    refused = eid("stamp", "pay", ordered["id"], "--channel", "online-card")
    assert (refused.code, "no such way to pay" in refused.err) == (73, True)


def test_the_file_of_ways(tmp_path) -> None:
    assert dict(load_channels(tmp_path)) == {}
    prepare_secret(tmp_path)
    assert configure_sandbox(tmp_path, "http://127.0.0.1:1")
    assert set(load_channels(tmp_path)) == set(Channel)
    assert configure_sandbox(tmp_path, "http://127.0.0.1:2")  # its own file, written anew
    place = tmp_path / FILE_NAME
    good = place.read_text().removeprefix("# Written by `eid sandbox payments`. No money moves.\n")
    place.write_text(good)
    assert not configure_sandbox(tmp_path, "http://127.0.0.1:3")
    for bad in (
        "x",
        good.replace("version = 1", "version = 2"),
        good.replace("bank-branch", "barter"),
        good.replace("bank-branch", "online-card"),
        good.replace("http://127.0.0.1:2", "http://far.example"),
        good.replace("secret =", "scret ="),
    ):
        place.write_text(bad)
        with pytest.raises(ProfileError):
            load_channels(tmp_path)
    key = tmp_path / "keys" / "sandbox-payments.key"
    place.write_text(good)
    for spoil in (lambda: key.chmod(0o644), lambda: (key.chmod(0o600), key.write_text("zz")), key.unlink):
        spoil()
        with pytest.raises(KeyStoreError):
            load_channels(tmp_path)
