"""`eid readers`: the PC/SC readers and what is in them."""

from __future__ import annotations

import json

import click

from eid.codec.atr import decode_atr
from eid.errors import DecodeError
from eid.locale import clean_text
from eid.rendering.terminal import render_table
from eid.transport.pcsc import ReaderInfo, list_readers


@click.command(name="readers")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """List PC/SC readers, the cards in them, and the cards' ATRs.

    Exit code 69 where there is no PC/SC service.
    """
    readers = list_readers()
    if as_json:
        told = {"format": "eid-readers", "version": 1, "readers": [_to_json(info) for info in readers]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif not readers:
        click.echo("PC/SC runs, and knows no reader: plug one in, or start a virtual one.")
    else:
        rows = [
            (str(info.index), clean_text(info.name), _state(info), info.atr.hex().upper(), _protocols(info.atr))
            for info in readers
        ]
        click.echo(render_table(rows, ("no", "reader", "card", "ATR", "protocols")))


def _state(info: ReaderInfo) -> str:
    if not info.card_present:
        return "none"
    return "in use" if info.in_use else "present"


def _protocols(atr: bytes) -> str:
    """What the ATR offers; nothing where there is no ATR or it is malformed."""
    try:
        return " ".join(f"T={number}" for number in decode_atr(atr).protocols)
    except DecodeError:
        return ""


def _to_json(info: ReaderInfo) -> dict[str, object]:
    return {
        "index": info.index,
        "name": info.name,
        "card_present": info.card_present,
        "in_use": info.in_use,
        "atr": info.atr.hex().upper(),
        "protocols": _protocols(info.atr).split(),
    }
