"""`eid card`: virtual cards in files (make one, run one behind a virtual reader, look into one), and the register."""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from eid.card.card import CardEvent
from eid.card.faults import FaultyCard, parse_faults
from eid.identity import RECORD_LIMIT, decode_identity_record
from eid.rendering.terminal import render_table
from eid.services.emulator.card_description import (
    ApplicationDescription,
    CardDescription,
    FileDescription,
    card_to_json,
    load_description,
)
from eid.services.emulator.trace_feed import TraceFeed, WatchedCard
from eid.services.emulator.virtual_cards import CardSlot, create_card, open_card
from eid.services.input_file import read_input
from eid.store.stored_card import StoredCard
from eid.transport.reactive_card import ReactiveCard
from eid.transport.vpcd import DEFAULT_HOST, DEFAULT_PORT
from reader_tools.command_group import CommandGroup
from reader_tools.values import FILE, HexOctets, HostPort

SERIAL_LENGTH = 10  # octets of the key diversification data
HAS_LEFT = "the card has left, by a fault"
EXAMPLES = """\b
Examples:
  eid card new --profile ma-cnie --out card.bin
  eid card new --profile fr-id-2024 --record specimen --out card.bin
  eid card run card.bin
  eid card run card.bin --trace --fault "tear-after@12"
  eid card run card.bin --trace-page 8765
  eid card show card.bin --json
"""


REGISTER = ("enter", "activate", "suspend", "resume", "revoke", "uncollected", "destroy", "status")


@click.group(
    name="card", cls=CommandGroup, epilog=EXAMPLES, elsewhere=dict.fromkeys(REGISTER, "reader_tools.card_register")
)
def command() -> None:
    """Virtual cards that live in files, and the register of issued cards."""


@command.command(name="new")
@click.option("--profile", required=True, help="Card product, by name or file (see `eid profile list`).")
@click.option("--out", required=True, type=FILE, help="The new card's file; never overwritten.")
@click.option("--serial", type=HexOctets(SERIAL_LENGTH), help="Serial number, 10 octets; default: drawn at random.")
@click.option("--record", help="Issue the card: an identity record (JSON, `-` for stdin), or `specimen`.")
def new(profile: str, out: Path, serial: bytes | None, record: str | None) -> None:
    """Make a blank card as it comes from the factory, with the public default keys.

    With --record the card is issued at once, for demonstrations and tests: by an authority that is made for this card
    and forgotten. Its CSCA certificate and CRL, the MRZ, CAN, PIN and PUK are written beside the card; where the
    product has Terminal Authentication, so are a terminal's certificates and key.
    """
    if record is not None:
        _issue(profile, out, serial or secrets.token_bytes(SERIAL_LENGTH), record)
        return
    given = create_card(out, profile, serial)
    click.echo(f"{out}: blank card {given.hex().upper()}")


def _issue(profile: str, out: Path, serial: bytes, source: str) -> None:
    from reader_tools.issued_card import write_issued_card  # draws portraits and makes keys; no other command does

    record = None
    if source != "specimen":
        record = decode_identity_record(read_input(Path(source), RECORD_LIMIT, "identity record"))
    files = write_issued_card(out, profile, record, serial, datetime.now(UTC).replace(microsecond=0))
    click.echo(f"{out}: issued card {serial.hex().upper()}")
    for what, path in files:
        click.echo(f"{what}: {path}")


@command.command(name="run")
@click.argument("file", type=FILE)
@click.option("--vpcd", type=HostPort(), help=f"The virtual reader; default: {DEFAULT_HOST}:{DEFAULT_PORT}.")
@click.option("--listen", type=HostPort(), help="Wait for a virtual reader that dials out to this address instead.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=10.0, show_default=True, help="Seconds to try for.")
@click.option("--trace", is_flag=True, help="Print every command that the card answers, in words, without secrets.")
@click.option(
    "--trace-page", type=click.IntRange(0, 65535), help="Serve that as a live page on this loopback port; 0: any."
)
@click.option("--fault", "faults", help='Faults on demand, e.g. "tear@5" (docs/faults.md).')
@click.option(
    "--again",
    type=click.FloatRange(0, 3600),
    help="Put a card that has left by a fault in again, after so many seconds. Needs a reader that listens.",
)
def run(
    file: Path,
    vpcd: tuple[str, int] | None,
    listen: tuple[str, int] | None,
    wait: float,
    trace: bool,
    trace_page: int | None,
    faults: str | None,
    again: float | None,
) -> None:
    """Put the card in FILE into a virtual reader, until Ctrl-C, SIGTERM, it leaves by a fault, or the reader hangs up.

    The reader is vpcd of vsmartcard. What a command changes is in FILE before the card answers. vpcd knows no access
    control: whoever reaches the address talks to the card.
    """
    if vpcd is not None and listen is not None:
        raise click.UsageError("give --vpcd or --listen, not both")
    if again is not None and (listen is not None or faults is None):
        raise click.UsageError("--again is for a card with --fault in a reader that listens")
    planned = None if faults is None else parse_faults(faults)
    watched = None if trace_page is None else WatchedCard(TraceFeed())
    with open_card(file, _observer(trace, watched)) as card, ExitStack() as stack:
        faulty = None if planned is None else FaultyCard(card, planned)
        shown: ReactiveCard = card if faulty is None else faulty
        state = card.card.life_cycle.name.lower()
        if watched is not None and trace_page is not None:
            shown = watched.watch(shown)
            click.echo(f"trace: {stack.enter_context(_trace_page(file, card, watched.feed, trace_page))}")
        slot = CardSlot(shown)
        with _stopped_by_signals(slot):
            if listen is not None:
                host = listen[0]
                slot.serve_behind(
                    *listen,
                    lambda port: click.echo(f"waiting for a virtual reader at {host}:{port}"),
                    lambda: click.echo(f"{file}: in the reader ({state})"),
                )
            else:
                address = vpcd or (DEFAULT_HOST, DEFAULT_PORT)
                _serve_at(slot, address, wait, f"{file}: in the reader at {address[0]}:{address[1]} ({state})")
                while again is not None and faulty is not None and slot.has_left and not slot.is_stopped:
                    click.echo(HAS_LEFT)
                    slot.wait(again)
                    faulty.insert()
                    _serve_at(slot, address, wait, f"{file}: in the reader again")
        click.echo(_how_it_ended(slot))


@command.command(name="show")
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(file: Path, as_json: bool) -> None:
    """Describe the card in FILE: life cycle, ATR, applications, files, access rules; never a secret."""
    card = load_description(file)
    if as_json:
        click.echo(json.dumps(card_to_json(card), indent=2, ensure_ascii=False))
        return
    click.echo("\n\n".join(_sections(card)))


def _serve_at(slot: CardSlot, address: tuple[str, int], wait: float, inside: str) -> None:
    missing = f"no virtual reader at {address[0]}:{address[1]} yet, trying on"
    slot.serve_at(*address, wait, lambda: click.echo(missing, err=True), lambda: click.echo(inside))


def _how_it_ended(slot: CardSlot) -> str:
    if slot.is_stopped:
        return "pulled out"
    return HAS_LEFT if slot.has_left else "the reader has hung up"


@contextmanager
def _stopped_by_signals(slot: CardSlot) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        slot.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _observer(trace: bool, watched: WatchedCard | None) -> Callable[[CardEvent], None] | None:
    """Who is told each command that the card has answered."""
    told = [*([_print_event] if trace else []), *([watched.observe] if watched is not None else [])]

    def observe(event: CardEvent) -> None:
        for tell in told:
            tell(event)

    return observe if told else None


def _trace_page(file: Path, card: StoredCard, feed: TraceFeed, port: int) -> AbstractContextManager[str]:
    """The live page of this card, and its address."""
    from eid.rendering.trace_page import render_trace_page  # needs the template engine, as no other command here does
    from eid.services.emulator.trace_server import serve_trace

    nonce = secrets.token_urlsafe(18)
    about = (
        ("card", file.name),
        ("life cycle", card.card.life_cycle.name.lower()),
        ("answer to reset", card.atr.hex().upper()),
    )
    return serve_trace(render_trace_page(f"Trace of {file.name}", about, nonce), nonce, feed, port)


def _print_event(event: CardEvent) -> None:
    header = f"{event.cla:02X}{event.ins:02X}{event.p1:02X}{event.p2:02X}"
    octets = f"{event.data_length:>5} in {event.response_length:>5} out"
    what = f"{event.name}: {event.detail}" if event.detail else event.name
    click.echo(f"{header} {octets} {event.sw:04X} {event.protection:6} {what}", err=True)


def _sections(card: CardDescription) -> list[str]:
    sections = [_overview(card)]
    if card.master_files:
        sections.append("Master file\n" + _file_table(card.master_files))
    sections += [_application(item) for item in card.applications]
    if card.passwords:
        rows = [
            (item.name, "never blocks" if item.tries is None else f"{item.left} of {item.tries} tries left")
            for item in card.passwords
        ]
        sections.append(render_table(rows, ("password", "state")))
    if card.pace:
        pace = [
            (item.oid, str(item.parameter_id or ""), item.cipher or "not spoken here", item.curve or "")
            for item in card.pace
        ]
        sections.append(render_table(pace, ("PACE", "parameters", "cipher", "curve")))
    if card.trust_points:
        points = [(item.holder, item.terminals, item.valid_from, item.valid_to) for item in card.trust_points]
        table = render_table(points, ("trusts", "for terminals of type", "from", "to"))
        sections.append(f"{table}\nthe card's own date is {card.date}")
    return sections


def _overview(card: CardDescription) -> str:
    domain, atr = card.security_domain, card.atr
    lengths = f"commands up to {card.max_command_data} octets of data, responses up to {card.max_response_data}"
    rows = (
        ("life cycle", card.life_cycle),
        ("serial", card.serial),
        ("interface", card.interface),
        ("ATR", atr.raw),
        ("  interface bytes", " ".join(atr.interface_bytes)),
        ("  protocols", " ".join(atr.protocols)),
        ("  historical bytes", f"{atr.historical_bytes} {_printable(atr.historical_bytes)}".rstrip()),
        ("ATS", card.ats),
        ("lengths", f"{'extended and short' if card.extended_length else 'short'}; {lengths}"),
        ("memory", f"{card.used} octets of files"),
        ("security domain", f"{domain.aid}, SCP03 i={domain.i_parameter}"),
        ("  key set", f"version {domain.key_version}, AES-{8 * domain.key_length}, sequence {domain.sequence}"),
        ("  failed openings", str(domain.failures)),
    )
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {value}".rstrip() for name, value in rows)


def _printable(historical_bytes: str) -> str:
    octets = bytes.fromhex(historical_bytes)
    return f'"{octets.decode("ascii")}"' if octets and all(0x20 <= octet < 0x7F for octet in octets) else ""


def _application(application: ApplicationDescription) -> str:
    state = "activated" if application.activated else "being written"
    title = " ".join(filter(None, ("Application", application.aid, application.name)))
    parts = [f"{title}: {state}, {'BAC opens it' if application.bac else 'no BAC'}", _file_table(application.files)]
    if application.keys:
        rows = [(str(key.reference), key.purpose, key.algorithm, key.hash) for key in application.keys]
        parts.append(render_table(rows, ("key", "purpose", "algorithm", "hash")))
    return "\n".join(parts)


def _file_table(files: tuple[FileDescription, ...]) -> str:
    rows = [
        (item.name, item.fid, "" if item.sfi is None else f"{item.sfi:02X}", str(item.size), item.read, item.update)
        for item in files
    ]
    return render_table(rows, ("file", "id", "short", "octets", "read", "update"), (3,))
