"""Groups of commands: their help says of each command one whole sentence, on as many lines as that takes."""

from __future__ import annotations

import importlib
from typing import Any

import click


class CommandGroup(click.Group):
    """A group whose table of commands cuts no sentence short.

    Args:
        elsewhere: names of commands of the group whose modules are imported when they are used, and those modules; each
            has its commands in `COMMANDS`.
    """

    def __init__(self, *arguments: Any, elsewhere: dict[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.elsewhere = elsewhere or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, sorted."""
        return sorted({*self.commands, *self.elsewhere})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command of this module, or one that has to be imported."""
        if cmd_name in self.elsewhere and cmd_name not in self.commands:
            for found in importlib.import_module(self.elsewhere[cmd_name]).COMMANDS:
                self.add_command(found)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table: the first sentence of each command's help."""
        whole = 1000  # characters, more than any sentence has
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, item.get_short_help_str(whole)) for name, item in found if item is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
