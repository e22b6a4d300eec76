"""`eid read`: inspect a card in a reader (or in a file), show what it cost, and write evidence."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import click

from eid.card.link_model import RATES, LinkModel, estimate
from eid.codec.apdu import MAX_SHORT_LE
from eid.codec.status_word import SW
from eid.errors import NoAccessError
from eid.evidence import Evidence, Origin, ProtocolOutcome
from eid.evidence.codec import encode_evidence
from eid.inspection import InspectionPlan
from eid.inspection.habits import UNKNOWN
from eid.inspection.pin import Authorization
from eid.keystore.ports import Signer
from eid.lds.files import LDS1_AID
from eid.profile.card_image import PasswordId
from eid.profile.schema import SENSITIVE
from eid.protocols.pace.core import Password
from eid.rendering.terminal import render_steps, render_table
from eid.services.reading.holder import describe_holder
from eid.services.reading.inspection import Inspected, inspect_card
from eid.services.reading.station_key import LABEL, StationKeys, sign_by_station
from eid.services.settings import Settings, load_settings
from eid.store.reading_habits import key_of, load_habits, store_habits
from eid.transport.metered import TraceEntry
from eid.transport.pcsc import find_reader
from reader_tools.card_connection import connect
from reader_tools.output_file import write_private
from reader_tools.passphrase import passphrase_source
from reader_tools.pin_guard import USE_LAST_TRY, authorize_by_pin
from reader_tools.reading_progress import ReadingProgress
from reader_tools.report_page import step_figures, trace_line
from reader_tools.secret_input import ask_can, ask_mrz_information
from reader_tools.terminal_options import open_terminal, terminal_options
from reader_tools.values import FILE, HexOctets, data_group_number

AID_LENGTHS = range(5, 17)  # octets (ISO/IEC 7816-4 12.3.4)
WAYS_IN = {"BAC": "--allow-bac", "MRZ": "--mrz", "foreign curves": "--foreign-curves"}  # by `NoAccessError.needs`
MAX_READER_NAME = 256  # characters that evidence can hold
EXAMPLES = """\b
Examples:
  eid read --can --out evidence.cbor
  eid read --reader ACR --mrz-file mrz.txt --dg 1,2 --show
  eid read --pin --reader ACR --show
  eid read --mrz --terminal-chain dv.cvcert --terminal-chain is.cvcert --terminal-key is.key
  eid read --card-file card.bin --can-file can.txt --challenge 0102030405060708 --out evidence.cbor

\b
A CAN file holds the digits. An MRZ file holds the printed lines, or on one line
document number, date of birth and date of expiry (YYMMDD), parted by blanks.
The station's key lies in EID_HOME/keys under a passphrase: EID_PASSPHRASE_FILE
names a file that holds it, else it is prompted for.
"""


@click.command(name="read", epilog=EXAMPLES)
@click.option("--reader", help="Reader by name, part of its name, or index (see `eid readers`); default: with a card.")
@click.option("--card-file", type=FILE, help="A virtual card's file, read in this process, instead of a reader.")
@click.option("--can", is_flag=True, help="Open the chip with its card access number, prompted for (the default).")
@click.option("--can-file", type=FILE, help="The same, from a file.")
@click.option("--mrz", is_flag=True, help="Open the chip with what its MRZ says, prompted for.")
@click.option("--mrz-file", type=FILE, help="The same, from a file.")
@click.option("--pin", is_flag=True, help="Open the chip with its holder's PIN, prompted for.")
@click.option("--pin-file", type=FILE, help="The same, from a file; --can-file then resumes a suspended PIN.")
@USE_LAST_TRY
@click.option("--dg", "groups", default="all", show_default=True, help="Data groups to read, e.g. 1,2,11.")
@click.option("--all", "everything", is_flag=True, help="Read every data group, as without --dg.")
@click.option("--challenge", type=HexOctets(8), help="What the chip is to sign: 8 octets from whoever will judge.")
@click.option("--out", type=FILE, help="Write the evidence to this file.")
@click.option("--unsigned", is_flag=True, help="Write it bare: then only the signatures of issuer and chip count.")
@click.option("--station-key", default=LABEL, show_default=True, help="Label of the key that signs; made on first use.")
@click.option("--allow-bac", is_flag=True, help="Open a chip that offers no PACE by BAC; needs the MRZ.")
@click.option(
    "--aid", type=HexOctets(AID_LENGTHS), default=LDS1_AID, help="Application, where it is not the usual one."
)
@click.option("--unprotected-refusals", is_flag=True, help="Bear with a chip that refuses a length in plain.")
@click.option("--reread", is_flag=True, help="Ask again, in a new session, for what came with a wrong MAC.")
@click.option("--foreign-curves", is_flag=True, help="Run PACE on a curve of the chip's own, once it was validated.")
@click.option(
    "--max-response",
    type=click.IntRange(64, 65536),
    help="Octets at a time; default: 256, or as many as EF.ATR/INFO announces.",
)
@click.option("--forget", is_flag=True, help="Neither use nor keep what was learnt of this kind of card.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=0.0, help="Seconds to wait for a card.")
@click.option("--show", is_flag=True, help="Print what the chip says of its holder.")
@click.option("--trace", is_flag=True, help="Print every command as it is answered, without its data.")
@click.option(
    "--link",
    type=click.Choice([str(rate) for rate in RATES]),
    help="Estimate the time on a contactless link of so many kbit/s (docs/link-model.md).",
)
@terminal_options
def command(
    reader: str | None,
    card_file: Path | None,
    can: bool,
    can_file: Path | None,
    mrz: bool,
    mrz_file: Path | None,
    pin: bool,
    pin_file: Path | None,
    use_last_try: bool,
    groups: str,
    everything: bool,
    challenge: bytes | None,
    out: Path | None,
    unsigned: bool,
    station_key: str,
    allow_bac: bool,
    aid: bytes,
    unprotected_refusals: bool,
    reread: bool,
    foreign_curves: bool,
    max_response: int | None,
    forget: bool,
    wait: float,
    show: bool,
    trace: bool,
    link: str | None,
    **terminal: Any,
) -> None:
    """Read a card: open it with its CAN, MRZ or PIN, read its files, have the chip prove its keys. Nothing is judged.

    Fingers (DG3) and irises (DG4) open to a terminal that proves its right to them, with --terminal-chain and
    --terminal-key; without, they are told as closed.

    Exit codes: 69 no reader or card, 76 the card or the link broke the protocol, 77 wrong CAN, MRZ or PIN, 80 the PIN
    is suspended or its last try is left, 81 blocked, 82 deactivated.
    """
    if reader is not None and card_file is not None:
        raise click.UsageError("give --reader or --card-file, not both")
    data_groups = _parse_groups(groups)
    if everything and data_groups != "all":
        raise click.UsageError("give --dg or --all, not both")
    home = load_settings(os.environ).home
    # What can be known to be wrong is told before anybody is asked for a secret.
    if card_file is None:
        find_reader(_reader_key(reader))
    signer = _open_signer(load_settings(os.environ), station_key) if out is not None and not unsigned else None
    by_pin = pin or pin_file is not None
    password = None if by_pin and not (can or mrz or mrz_file) else _ask_password(can, can_file, mrz, mrz_file, by_pin)
    with ExitStack() as stack:
        credentials = stack.enter_context(open_terminal(**terminal))
        connection, name = stack.enter_context(connect(reader, card_file, wait))
        pins = Authorization(password) if password else authorize_by_pin(connection, pin_file, can_file, use_last_try)
        kind = key_of(connection.atr, aid)
        plan = InspectionPlan(
            pins.password,
            data_groups,
            challenge,
            reader=name[:MAX_READER_NAME],
            policy="all" if data_groups == "all" else "chosen",
            origin=Origin.UPLOAD if signer is None else Origin.STATION,
            allow_bac=allow_bac,
            aid=aid,
            max_response=max_response or MAX_SHORT_LE,
            announced_lengths=max_response is None,
            habits=UNKNOWN if forget else load_habits(home, kind),
            unprotected_refusals=unprotected_refusals,
            rereads=reread,
            foreign_curves=foreign_curves,
            resuming_can=pins.can,
            use_last_try=pins.use_last_try,
            terminal=credentials,
        )
        progress = stack.enter_context(closing(ReadingProgress(sys.stderr.isatty() and not trace)))
        observe = _print_trace if trace else None
        try:
            inspected = inspect_card(connection, plan, now=datetime.now(UTC), progress=progress, observe=observe)
        except NoAccessError as refusal:
            ways = ", ".join(WAYS_IN[need] for need in refusal.needs)
            raise NoAccessError(f"{refusal} (see {ways})", refusal.needs) from refusal
    if not forget:
        store_habits(home, kind, inspected.habits)
    _print(inspected, show)
    if link is not None:
        click.echo("\n" + _link_table(inspected, LinkModel(int(link))))
    if out is not None:
        _write(out, inspected.evidence, signer)


def _parse_groups(text: str) -> Literal["all"] | tuple[str, ...]:
    if text.strip().lower() == "all":
        return "all"
    numbers = {data_group_number(part) for part in text.split(",")}
    return tuple(f"DG{number}" for number in sorted(numbers))


def _ask_password(can: bool, can_file: Path | None, mrz: bool, mrz_file: Path | None, pin: bool) -> Password:
    if sum((can or can_file is not None, mrz or mrz_file is not None, pin)) > 1:
        raise click.UsageError("give the CAN, the MRZ or the PIN, one of them")
    if mrz or mrz_file is not None:
        return Password(PasswordId.MRZ, ask_mrz_information(mrz_file))
    return Password(PasswordId.CAN, ask_can(can_file))


def _open_signer(settings: Settings, label: str) -> Signer:
    """The station's key, made on first use; a passphrase for a new key is typed twice."""
    known = False

    def passphrase() -> bytes:
        return passphrase_source(None, confirm=not known)()

    keys = StationKeys(settings.home, passphrase)
    known = keys.has(label)
    if known:
        return keys.load(label)
    signer = keys.make(label)
    click.echo(f"made the station's key; its public key is {keys.public_key_path(label)}", err=True)
    return signer


def _reader_key(reader: str | None) -> str | int | None:
    """An index where it is a number, else a name."""
    return int(reader) if reader is not None and reader.isascii() and reader.isdecimal() else reader


def _print_trace(entry: TraceEntry) -> None:
    click.echo(trace_line(entry), err=True)


def _print(inspected: Inspected, show: bool) -> None:
    evidence = inspected.evidence
    if show:
        click.echo(render_table(describe_holder(evidence), ("", "what the chip says")) + "\n")
    click.echo(render_steps(step_figures(inspected.steps)) + "\n")
    for item in evidence.transcripts:
        used = ", ".join(f"{name} {value}" for name, value in item.parameters.items())
        if item.outcome is not ProtocolOutcome.NOT_ATTEMPTED or item.parameters:
            click.echo(f"{item.protocol.value}: {item.outcome.value}" + (f" ({used})" if used else ""))
    missing = [item for item in evidence.files if item.content is None]
    closed = [item.name for item in missing if item.name in SENSITIVE and item.sw == SW.SECURITY_STATUS_NOT_SATISFIED]
    refused = [f"{item.name} ({item.sw:04X})" for item in missing if item.name not in closed]
    if closed:
        click.echo(f"closed to this terminal: {', '.join(closed)}")
    if refused:
        click.echo(f"not given: {', '.join(refused)}")


def _link_table(inspected: Inspected, model: LinkModel) -> str:
    """What each step takes on the air; what the chip computes comes on top."""
    steps = dict.fromkeys(entry.step for entry in inspected.trace)
    passed = {step: [(entry.sent, entry.received) for entry in inspected.trace if entry.step == step] for step in steps}
    rows = [
        (step or "outside of steps", str(len(apdus)), f"{estimate(model, apdus) * 1000:.1f}")
        for step, apdus in passed.items()
    ]
    everything = [apdu for apdus in passed.values() for apdu in apdus]
    rows.append(("total", str(len(everything)), f"{estimate(model, everything) * 1000:.1f}"))
    return render_table(rows, (f"on the air at {model.rate} kbit/s", "APDUs", "ms"), (1, 2))


def _write(out: Path, evidence: Evidence, signer: Signer | None) -> None:
    encode: Callable[[], bytes] = (
        (lambda: encode_evidence(evidence)) if signer is None else (lambda: sign_by_station(evidence, signer))
    )
    write_private(out, encode())
    kind = "evidence, unsigned" if signer is None else "evidence, signed by this station"
    click.echo(f"{out}: {kind}", err=True)
