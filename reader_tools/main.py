"""Entry point of `eid`: finds the command, loads only that one, and turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from getpass import GetPassWarning
from typing import Any, Final

import click

from eid.errors import EidError, LastTryError
from reader_tools import exit_codes

NOBODY_TYPES: Final = "nothing was typed, and there is no terminal to ask on; name a file instead (--help)"
COMPLETION_VARIABLE: Final = "_EID_COMPLETE"
# name: (module under reader_tools, one line for `eid --help`). Nothing of it is imported until it is called.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "Issue a specimen card, verify it, and show four frauds refused."),
    "readers": ("readers", "List PC/SC readers and the cards in them."),
    "read": ("read", "Read a card and write signed evidence."),
    "pin": ("pin", "The PIN of a card: status, change, resume, unblock."),
    "identify": ("identify", "Ask the eID application: age, data groups, pseudonym."),
    "verify": ("verify", "Judge evidence, or EF.SOD and data groups."),
    "verify-batch": ("verify_batch", "Judge many pieces of evidence, on several processors."),
    "evidence": ("evidence", "Look into evidence; take its files and pictures out."),
    "conformance": ("conformance", "Test a card, case by case, and write a report."),
    "personalize": ("personalize", "Write an identity record to a blank card."),
    "card": ("card", "Virtual cards: new, run, show. The register: enter, activate, suspend, resume, revoke, status."),
    "application": ("application", "Applications: begin, papers, submit, review, decide, approve, send."),
    "production": ("production", "Blanks, production orders, writing cards: receive, reserve, write, pass, spoil."),
    "stamp": ("stamp", "Electronic stamps: order, pay, refund; what was paid and not sent; reconciliation."),
    "appointment": ("appointment", "Appointments: sites, closed days, offers, bookings."),
    "status": ("status", "Status lists: publish, show, fetch, import, check."),
    "pki": ("pki", "Issuing authority: CSCA, signers, CRLs, lists, CVCA; what is due."),
    "trust": ("trust", "Trust store: import, fetch, list, show, diff, approve, gaps, anchors, distrust."),
    "profile": ("profile", "Card profiles: list, show, check."),
    "country": ("country", "A country's files: check that they are sound and agree."),
    "mrz": ("mrz", "Read or write a machine-readable zone."),
    "db": ("db", "Database: init, upgrade, check."),
    "privacy": ("privacy", "What is kept about somebody: export, erase."),
    "stats": ("stats", "What was requested, validated, booked, delivered, by post, service and day."),
    "audit": ("audit", "The audit log: its key, signed heads, verification, export."),
    "worker": ("worker", "Do the work that applications cause: run, status, failed, retry."),
    "seed": ("seed", "Fill a database with a made-up office. Not for production."),
    "sandbox": ("sandbox", "Services of others, made up. Not for production."),
    "serve": ("serve", "Start the verification API."),
    "registry": ("registry", "The registry: applications, stamps, appointments, cards, over HTTP."),
    "dev-issuer": ("dev_issuer", "Access tokens for a developer's registry. Not for production."),
    "completion": ("completion", "Print the shell completion script for bash, zsh or fish."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used, so that `eid --help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and take its `command`."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"reader_tools.{COMMANDS[cmd_name][0]}")
        found: click.Command = module.command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, from their one-liners alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="eid-card", prog_name="eid")
def eid() -> None:
    """Issue electronic identity cards, read them, and verify them.

    State lives under EID_HOME (default: var/eid in the current directory). Exit codes: 0 passed, 1 failed,
    2 indeterminate, 64 wrong usage, 65 malformed input, 69 reader or card unavailable, 77 wrong
    password; 70 to 78 as in sysexits.h, 80 to 82 what state the PIN is in (`eid pin --help`), 130 interrupted.
    """


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code. The only place that prints an error."""
    try:
        warnings.simplefilter("ignore", GetPassWarning)  # what it warns of is said in words, without a line of code
        result: Any = eid.main(arguments, prog_name="eid", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort as stop:
        # Click makes one of an interruption and of an input that ended before the answer.
        interrupted = isinstance(stop.__cause__ or stop.__context__, KeyboardInterrupt)
        was_asked = interrupted or (sys.stdin is not None and sys.stdin.isatty())
        click.echo(f"eid: {'given up' if was_asked else NOBODY_TYPES}", err=True)
        return exit_codes.INTERRUPTED if interrupted else exit_codes.USAGE
    except click.FileError as error:
        click.echo(f"eid: {error.format_message()}", err=True)
        return exit_codes.MALFORMED_INPUT
    except click.ClickException as error:
        error.show()
        return exit_codes.USAGE
    except LastTryError as error:
        click.echo(f"eid: {error} (--use-last-try spends it)", err=True)
        return exit_codes.exit_code(error)
    except EidError as error:
        click.echo(f"eid: {error}", err=True)
        return exit_codes.exit_code(error)
    except SystemExit:
        # Click ends the program itself after shell completion, and with 1, which is a verdict, when its output is read
        # by nobody any more.
        if COMPLETION_VARIABLE in os.environ:
            raise
        return exit_codes.CANNOT_WRITE
    except OSError as error:
        click.echo(f"eid: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""), err=True)
        return exit_codes.UNAVAILABLE if isinstance(error, ConnectionError) else exit_codes.MALFORMED_INPUT
    return result if isinstance(result, int) else exit_codes.PASSED


def main() -> None:
    """The console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
