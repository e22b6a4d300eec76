"""The status lists that a command judges by: those on the trust store's shelf, and those that are named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from eid.pki.trust_store import TrustStore
from eid.rendering.terminal import make_printable
from eid.services.verifying.status_shelf import find_files, load_status_lists, shelf_of
from eid.verification.status_lists import StatusLists


def known_status_lists(
    directory: Path, named: Sequence[Path], trust: TrustStore, now: datetime
) -> tuple[StatusLists, tuple[Path, ...]]:
    """The lists, and the files that they are in; of a file that does not count it is said on standard error why.

    Args:
        directory: of the trust store. now: the clock, UTC.
    """
    files = (*find_files(shelf_of(directory)), *named)
    lists, refused = load_status_lists(files, trust, now)
    for item in refused:
        click.echo(f"{item.path}: {make_printable(item.why)}", err=True)
    return lists, files
