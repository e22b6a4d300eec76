"""`eid production write`: the card of an order, where the database is at hand or at a station over HTTP."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from eid.errors import LifecycleError
from eid.gateways.blobs import BlobStore
from eid.gateways.registry import RegistryClient
from eid.personalization.build import CardSecrets
from eid.profile.loader import LoadedProfile, load_profile
from eid.protocols.exchange import Connection
from eid.services.card import card_writing, production
from eid.services.card.card_writing import Line
from eid.services.card.station import Station, load_order_profile, write_at_station
from eid.services.pki.authority import IssuingAuthority, open_authority
from eid.services.registry import load_keys
from reader_tools.acting import current_moment, local_actor
from reader_tools.authority_options import key_options, open_keys, operator_option
from reader_tools.card_connection import connect
from reader_tools.output_file import write_private
from reader_tools.production_output import JSON, MAKER, ORDER, describe_order, local_database, print_told
from reader_tools.secret_input import read_secret_line
from reader_tools.values import DIRECTORY, FILE

MAX_READER_NAME: Final = 128  # characters that a job keeps


@click.command(name="write")
@ORDER
@click.option("--authority", "directory", required=True, type=DIRECTORY, help="Directory of the issuing authority.")
@click.option("--reader", help="Reader by name, part of its name, or index; default: the first that holds a card.")
@click.option("--card-file", type=FILE, help="A virtual card's file, written in this process, instead of a reader.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=0.0, help="Seconds to wait for a card.")
@click.option("--can-out", type=FILE, help="Write the card access number, which is printed on the card, to this file.")
@click.option("--pin-out", type=FILE, help="Write PIN and PUK, which go to the holder by another way, to this file.")
@click.option("--registry", metavar="URL", help="The registry, for a station that reaches no database.")
@click.option("--token-file", type=FILE, help="File whose only line is the operator's access token, with --registry.")
@operator_option
@key_options
@MAKER
@JSON
def write(
    order: uuid.UUID,
    directory: Path,
    reader: str | None,
    card_file: Path | None,
    wait: float,
    can_out: Path | None,
    pin_out: Path | None,
    registry: str | None,
    token_file: Path | None,
    operator: str,
    role: str,
    as_json: bool,
    **keys: Any,
) -> None:
    """Write the card of an order to the reserved blank, lock it, read it back, verify it; or go on where it broke off.

    On the local database, or at a station that asks the registry for everything: orders, data, journal.

    Exit codes: 65 the record does not fit, 69 no card or the card was lost, 73 another blank, the wrong state, or the
    card failed its check, 76 the card refused, 77 the keys cannot be used.
    """
    if (registry is None) != (token_file is None):
        raise click.UsageError("--registry and --token-file go together")

    def write_card(writing: _Writing) -> CardSecrets:
        if "PIN" in writing.loaded.profile.access.passwords and pin_out is None:
            raise click.UsageError("the card gets a PIN, which nobody would ever know: say --pin-out")
        authority = open_authority(directory, open_keys(directory, **keys), operator)
        with connect(reader, card_file, wait) as (connection, name):
            return writing.write(authority, connection, name[:MAX_READER_NAME])

    if registry is None or token_file is None:
        told, secrets = _write_here(order, role, write_card)
    else:
        told, secrets = _write_at_station(order, registry, token_file, write_card)
    if can_out is not None:
        write_private(can_out, secrets.can.encode("ascii") + b"\n")
    if pin_out is not None:
        write_private(pin_out, f"{secrets.pin}\n{secrets.puk}\n".encode("ascii"))
    print_told(told, as_json)


@dataclass(frozen=True, slots=True)
class _Writing:
    """How a card is written, once authority and reader are at hand."""

    loaded: LoadedProfile
    write: Callable[[IssuingAuthority, Connection, str], CardSecrets]


def _write_here(
    order: uuid.UUID, role: str, write_card: Callable[[_Writing], CardSecrets]
) -> tuple[dict[str, Any], CardSecrets]:
    with local_database() as (engine, settings):
        known = production.require_order(engine, order)
        store_id = known.store_id
        if store_id is None:
            raise click.UsageError("the order has no blank yet: eid production reserve")
        loaded = load_profile(known.profile)
        blobs = BlobStore(settings.documents_address, load_keys(settings))

        def write(authority: IssuingAuthority, card: Connection, name: str) -> CardSecrets:
            line = Line(engine, blobs, authority, loaded, store_id, current_moment)
            written, _ = card_writing.write(line, order, card, name, local_actor(role))
            if written.serial is None or written.job_id is None:
                raise LifecycleError("no card was begun for this order yet")
            return card_writing.card_secrets(authority, loaded, written.serial, written.job_id)

        secrets = write_card(_Writing(loaded, write))
        return describe_order(production.require_order(engine, order)), secrets


def _write_at_station(
    order: uuid.UUID, registry: str, token_file: Path, write_card: Callable[[_Writing], CardSecrets]
) -> tuple[dict[str, Any], CardSecrets]:
    def read_token() -> str:  # each time anew: tokens live shorter than a batch of cards takes
        return read_secret_line(token_file, "access token")

    with closing(RegistryClient(registry, read_token)) as client:
        loaded = load_order_profile(client, order)

        def write(authority: IssuingAuthority, card: Connection, name: str) -> CardSecrets:
            station = Station(client, authority, loaded, current_moment)
            return write_at_station(station, order, card, name).secrets

        secrets = write_card(_Writing(loaded, write))
        job: dict[str, Any] = json.loads(client.get(f"/v1/personalizationJobs/{order}"))
    return job, secrets
