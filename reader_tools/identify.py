"""`eid identify`: ask the eID application of a card, as an authentication terminal, for no more than is wanted."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from eid.codec.cv import decode_cv_certificate
from eid.codec.oid import ID_AT
from eid.codec.status_word import SW
from eid.inspection.general_authentication import Consent
from eid.inspection.identification import IdentificationPlan, Sectors
from eid.lds.eid_application import EID_GROUPS
from eid.pki.cv_rights import rights_of
from eid.profile.card_image import PasswordId
from eid.protocols.auxiliary_data import core as auxiliary
from eid.protocols.pace.core import Password
from eid.protocols.terminal_authentication.core import AuxiliaryDatum
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from eid.rendering.terminal import render_table
from eid.services.reading.identification import Identified, identification_to_json, identify_card
from eid.services.reading.terminal_credentials import load_sector
from eid.services.settings import load_settings
from eid.services.trust.files import INDEX, load_trust_store
from eid.verification.policy import load_policy
from reader_tools import exit_codes
from reader_tools.card_connection import connect
from reader_tools.output_file import write_private
from reader_tools.reading_progress import ReadingProgress
from reader_tools.secret_input import ask_can, ask_digits
from reader_tools.terminal_options import open_terminal, terminal_options
from reader_tools.values import DIRECTORY, FILE, HexOctets

EXAMPLES = """\b
Examples:
  eid card new --profile eid-application --record specimen --out card.bin
  eid identify --card-file card.bin --pin-file card.bin.pin \\
      --terminal-chain card.bin.dv.cvcert --terminal-chain card.bin.terminal.cvcert \\
      --terminal-key card.bin.terminal.key --age 18
  eid identify ... --read given_names,family_names --pseudonym card.bin.sector --json

\b
The card is told only the rights that the questions need, however many the
terminal's certificate has. Data groups: `--read all`, numbers, or names.
"""


@click.command(name="identify", epilog=EXAMPLES)
@click.option("--reader", help="Reader by name, part of its name, or index (see `eid readers`); default: with a card.")
@click.option("--card-file", type=FILE, help="A virtual card's file, asked in this process, instead of a reader.")
@terminal_options
@click.option("--pin-file", type=FILE, help="File with the holder's PIN, which is prompted for otherwise.")
@click.option("--can", is_flag=True, help="Open with the CAN instead of the PIN, where the terminal is allowed to.")
@click.option("--can-file", type=FILE, help="The same, from a file; beside --pin-file it resumes a suspended PIN.")
@click.option("--use-last-try", is_flag=True, help="Spend the PIN's last try if it comes to that.")
@click.option("--read", "groups", default="", help="Data groups: all, numbers or names with commas.")
@click.option("--age", type=click.IntRange(0, 150), help="Ask whether the holder is at least so many years old.")
@click.option("--valid", is_flag=True, help="Ask whether the document has not expired.")
@click.option("--community", type=HexOctets(), help="Ask whether the municipality ID begins with these octets.")
@click.option("--pseudonym", "sectors", type=FILE, multiple=True, help="A sector's public key (7F49); at most two.")
@click.option("--on", "today", type=click.DateTime(["%Y-%m-%d"]), help="Ask as of this day; default: today, UTC.")
@click.option("--trust", type=DIRECTORY, help="Trust store that says which chips are genuine; default: EID_HOME/trust.")
@click.option("--policy", "policy_name", default="passive", show_default=True, help="Whose algorithms are good enough.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=0.0, help="Seconds to wait for a card.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--out", type=FILE, help="Write the JSON object to this file.")
def command(
    reader: str | None,
    card_file: Path | None,
    pin_file: Path | None,
    can: bool,
    can_file: Path | None,
    use_last_try: bool,
    groups: str,
    age: int | None,
    valid: bool,
    community: bytes | None,
    sectors: tuple[Path, ...],
    today: datetime | None,
    trust: Path | None,
    policy_name: str,
    wait: float,
    as_json: bool,
    out: Path | None,
    **terminal: Any,
) -> int:
    """Ask a card's eID application, with the holder's PIN, as a terminal with certificates.

    Exit codes: 0 the chip is genuine and every question holds, 1 it is not or one does not, 2 that stays open,
    69 no reader or card, 76 the card refused or broke the protocol, 77 wrong PIN or CAN, 80 the PIN is suspended,
    81 blocked, 82 switched off.
    """
    day = datetime.now(UTC).date() if today is None else today.date()
    plan = IdentificationPlan(_parse_groups(groups), _ask(age, valid, community, day), _load_sectors(sectors))
    if plan == IdentificationPlan():
        raise click.UsageError("ask something: --read, --age, --valid, --community or --pseudonym")
    settings = load_settings(os.environ, trust=None if trust is None else str(trust))
    directory = settings.trust_directory
    store = load_trust_store(directory) if trust is not None or (directory / INDEX).is_file() else None
    policy = load_policy(policy_name)
    by_can = can or (can_file is not None and pin_file is None)
    with ExitStack() as stack:
        credentials = stack.enter_context(open_terminal(**terminal))
        if credentials is None:
            raise click.UsageError("the eID application opens to terminals only: --terminal-chain and --terminal-key")
        consent = _consent(by_can, pin_file, can_file, use_last_try, _rights(credentials, plan, by_can=by_can))
        connection, _ = stack.enter_context(connect(reader, card_file, wait))
        progress = stack.enter_context(closing(ReadingProgress(sys.stderr.isatty())))
        now = datetime.now(UTC).replace(microsecond=0)
        identified = identify_card(
            connection, consent, credentials, plan, trust=store, policy=policy, now=now, progress=progress
        )
    document = identification_to_json(identified)
    if out is not None:
        write_private(out, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    click.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else _describe(document))
    return _exit_code(identified)


def _parse_groups(text: str) -> tuple[int, ...]:
    names = {group.name: group.number for group in EID_GROUPS}
    numbers = {str(number): number for number in names.values()}
    if text == "all":
        return tuple(names.values())
    wanted = []
    for part in filter(None, re.split(r"[,\s]+", text)):
        number = names.get(part.lower()) or numbers.get(part.upper().removeprefix("DG"))
        if number is None:
            raise click.UsageError(f"no data group {part!r}: all, or {', '.join(names)}")
        wanted.append(number)
    return tuple(sorted(set(wanted)))


def _ask(age: int | None, valid: bool, community: bytes | None, today: date) -> tuple[AuxiliaryDatum, ...]:
    asked = []
    if age is not None:
        asked.append(auxiliary.ask_age(age, today))
    if valid:
        asked.append(auxiliary.ask_validity(today))
    if community is not None:
        asked.append(auxiliary.ask_community(community))
    return tuple(asked)


def _load_sectors(paths: tuple[Path, ...]) -> Sectors | None:
    if len(paths) > 2:
        raise click.UsageError("a terminal's certificate names two sectors at most")
    keys = [load_sector(path) for path in paths]
    return Sectors(keys[0], keys[1] if len(keys) > 1 else None) if keys else None


def _rights(credentials: TerminalCredentials, plan: IdentificationPlan, *, by_can: bool) -> bytes | None:
    """What the questions need of an authentication terminal; other terminals are asked for what they have."""
    if decode_cv_certificate(credentials.chain[-1]).chat.oid != ID_AT:
        return None
    names = {f"read-dg{number}" for number in plan.groups}
    names |= {auxiliary.RIGHTS[item.oid] for item in plan.questions if item.oid in auxiliary.RIGHTS}
    names |= {"restricted-identification"} if plan.sectors is not None else set()
    return rights_of(ID_AT, names | ({"can-allowed"} if by_can else set()))


def _consent(
    by_can: bool, pin_file: Path | None, can_file: Path | None, use_last_try: bool, rights: bytes | None
) -> Consent:
    if by_can:
        return Consent(Password(PasswordId.CAN, ask_can(can_file)), rights=rights)
    pin = Password(PasswordId.PIN, ask_digits(pin_file, "PIN"))
    return Consent(pin, None if can_file is None else ask_can(can_file), rights, use_last_try)


def _exit_code(identified: Identified) -> int:
    known = (identified.judgement.genuine, identified.all_hold)
    if False in known:
        return exit_codes.FAILED
    return exit_codes.INDETERMINATE if None in known else exit_codes.PASSED


def _describe(document: dict[str, Any]) -> str:
    return render_table(_rows(document), ("what", "answer"))


def _rows(document: dict[str, Any]) -> Iterable[tuple[str, str]]:
    chip = document["chip"]
    word = {True: "genuine", False: "NOT genuine", None: "cannot be told"}[chip["genuine"]]
    yield "chip", f"{word}: {chip['reason']} {chip['detail']}" if chip["reason"] else word
    for name, answer in document["answers"].items():
        yield name, _refused(answer) or ("yes" if answer["holds"] else "NO")
    for name, group in document["data_groups"].items():
        yield name.replace("_", " "), _refused(group) or _value(group)
    pseudonyms = document["pseudonyms"] or {}
    if "refused" in pseudonyms:
        yield "pseudonym", _refused(pseudonyms)
        return
    for name, pseudonym in pseudonyms.items():
        yield f"pseudonym, {name}", pseudonym


def _refused(answer: dict[str, Any]) -> str:
    if "refused" not in answer:
        return ""
    is_closed = answer["refused"] == f"{SW.SECURITY_STATUS_NOT_SATISFIED:04X}"
    return f"{'closed to this terminal' if is_closed else 'not on this card'} ({answer['refused']})"


def _value(group: dict[str, Any]) -> str:
    if "malformed" in group:
        return f"malformed: {group['malformed']}"
    value = group["value"]
    parts = value if isinstance(value, list) else [value]
    return "; ".join(part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in parts)
