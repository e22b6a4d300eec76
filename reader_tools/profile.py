"""`eid profile`: list, show and check card profiles."""

from __future__ import annotations

import json
from pathlib import Path

import click

from eid.errors import DecodeError, ProfileError
from eid.profile.loader import MAX_SIZE, check_profile, load_profile, shipped_profiles
from eid.services.input_file import read_input
from reader_tools import exit_codes
from reader_tools.command_group import CommandGroup
from reader_tools.values import FILE


@click.group(name="profile", cls=CommandGroup)
def command() -> None:
    """Card products, one TOML file each."""


@command.command(name="list")
def list_profiles() -> None:
    """Name the profiles that come with the system."""
    for name in shipped_profiles():
        click.echo(f"{name:24} {load_profile(name).profile.title}")


@command.command(name="show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the profile as JSON.")
def show(name: str, as_json: bool) -> None:
    """Show what the profile NAME (or the file at that path) states."""
    loaded = load_profile(name)
    stated = loaded.profile.model_dump(mode="json", exclude_none=True)
    if as_json:
        click.echo(json.dumps({**stated, "digest": loaded.digest.hex()}, indent=2, ensure_ascii=False))
        return
    click.echo(f"{loaded.profile.title}\nsha256 {loaded.digest.hex()}\n")
    _print_table(stated, 0)


def _print_table(table: dict[str, object], depth: int) -> None:
    for key, value in table.items():
        if isinstance(value, dict):
            click.echo(f"{'  ' * depth}{key}")
            _print_table(value, depth + 1)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for item in value:
                click.echo(f"{'  ' * depth}{key}")
                _print_table(item, depth + 1)
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            click.echo(f"{'  ' * depth}{key:24} {shown}")


@command.command(name="check")
@click.argument("paths", nargs=-1, required=True, type=FILE)
def check(paths: tuple[Path, ...]) -> int:
    """Explain every fault of the profile files at PATHS, by line."""
    sound = [_check(path) for path in paths]
    return exit_codes.PASSED if all(sound) else exit_codes.MALFORMED_INPUT


def _check(path: Path) -> bool:
    """Tell of one profile, and of the layout beside it."""
    try:
        profile, problems = check_profile(read_input(path, MAX_SIZE, "card profile"))
        for problem in problems:
            click.echo(f"{path}: {problem}")
        if profile is None:
            return False
        load_profile(str(path.absolute()))
    except (DecodeError, ProfileError) as error:
        click.echo(str(error))
        return False
    click.echo(f"{path}: sound: {profile.title}")
    return True
