"""`eid profile`: list, show and check card profiles."""

from __future__ import annotations

import json
from pathlib import Path

import click

from eid.profile.loader import check_profile, load_profile, shipped_profiles
from reader_tools import exit_codes


@click.group(name="profile")
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
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(paths: tuple[Path, ...]) -> int:
    """Explain every fault of the profile files at PATHS, by line."""
    faulty = 0
    for path in paths:
        profile, problems = check_profile(path.read_bytes())
        for problem in problems:
            click.echo(f"{path}: {problem}")
        if profile is not None:
            load_profile(str(path))
            click.echo(f"{path}: sound: {profile.title}")
        faulty += profile is None
    return exit_codes.MALFORMED_INPUT if faulty else exit_codes.PASSED
