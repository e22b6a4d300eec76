"""Who acts when an operator uses the local database: the account of the machine, in a role that he names."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from eid.enrolment.roles import Actor, Role


def acting_as(default: Role) -> Callable[..., Any]:
    """Add --as: the role in which the operator acts, for the rules and for the audit log."""
    roles = click.Choice([item.value for item in Role if item is not Role.APPLICANT])
    return click.option(
        "--as", "role", type=roles, default=default.value, show_default=True, help="The role in which you act."
    )


def local_actor(role: str, site: str | None = None) -> Actor:
    """The operator, in a role, at a site."""
    return Actor(f"cli:{getpass.getuser()}", frozenset((Role(role),)), site)


def current_moment() -> datetime:
    """Now, UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
