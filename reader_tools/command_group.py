"""Groups of commands: their help says of each command one whole sentence, on as many lines as that takes."""

from __future__ import annotations

import click


class CommandGroup(click.Group):
    """A group whose table of commands cuts no sentence short."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table: the first sentence of each command's help."""
        whole = 1000  # characters, more than any sentence has
        rows = [(name, self.commands[name].get_short_help_str(whole)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
