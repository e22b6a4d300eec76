"""How far a reading has come, on stderr: octets as a bar on a terminal, one line for each step elsewhere."""

from __future__ import annotations

from typing import Final

import click

from eid.protocols.exchange import Checkpoint
from eid.transport.metered import BEGIN, END

PROGRESS: Final = "progress"
BAR_WIDTH: Final = 24  # columns
LINE_WIDTH: Final = 64  # columns, enough to write over the bar


class ReadingProgress:
    """Tells of the steps, and of the octets of a file while it is read; a `CheckpointSink`.

    Args:
        live: whether stderr is a terminal, on which a line can be written over.
    """

    def __init__(self, live: bool) -> None:
        self._live = live
        self._is_open = False  # a line without its end stands on the terminal
        self._octets = ""

    def record(self, checkpoint: Checkpoint) -> None:
        """Say that a step began, has come so far, or ended."""
        if checkpoint.phase in BEGIN and self._live:
            self._is_open = True
            click.echo(f"{checkpoint.step} ...", err=True, nl=False)
        elif checkpoint.phase == PROGRESS:
            self._show(checkpoint)
        elif checkpoint.phase in END:
            octets, self._octets = self._octets, ""
            if self._is_open and octets:
                click.echo(f"\r{f'{checkpoint.step} ... done{octets}':{LINE_WIDTH}}", err=True)
            elif self._is_open:
                click.echo(" done", err=True)
            else:
                click.echo(f"{checkpoint.step}{octets}", err=True)
            self._is_open = False

    def close(self) -> None:
        """End the line of a step that did not come to its end."""
        if self._is_open:
            click.echo(" failed", err=True)

    def _show(self, checkpoint: Checkpoint) -> None:
        there, total = int(checkpoint.detail["octets"]), int(checkpoint.detail["total"])
        self._octets = f", {there} octets"
        if self._is_open:
            done = BAR_WIDTH * there // total if total else BAR_WIDTH
            bar = "#" * done + "." * (BAR_WIDTH - done)
            click.echo(f"\r{checkpoint.step} ... [{bar}] {there}/{total}", err=True, nl=False)
