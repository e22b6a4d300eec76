"""An application, as an operator names it: by its identifier, or by the number on the receipt."""

from __future__ import annotations

import uuid
from typing import Final

import click
from sqlalchemy import Engine

from eid.enrolment.roles import Actor
from eid.services.application.applications import find_application

APPLICATION: Final = click.argument("application", metavar="APPLICATION")


def find_named(engine: Engine, text: str, actor: Actor) -> uuid.UUID:
    """The identifier of an application that was named by identifier or number.

    Raises:
        NotStoredError: there is none that the actor may know of. RecordError: it is no number of a receipt.
    """
    try:
        return uuid.UUID(text)
    except ValueError:
        return find_application(engine, text, actor).id
