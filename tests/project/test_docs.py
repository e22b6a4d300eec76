"""What the documentation names must exist: paths, links, commands, options, formats, decisions, layers, excerpts."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest

from eid.profile.schema import Statement
from eid.verification.checks import CHECKS
from eid.verification.policy import shipped_policies
from eid.verification.policy_schema import AlgorithmsStatement, PolicyFile
from reader_tools.main import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"(?:eid|api|reader_tools|card_profiles|tests|benchmarks|docs)/[\w./*-]*")
CALL = re.compile(r"^(?:\$ )?eid ([a-z][a-z-]+)((?: .*)?)$")
FORMAT = re.compile(r'"(eid-[a-z-]+)"')


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str = "") -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [text for name, text in fenced if name == language]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_resolve(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_paths_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for word in CODE.findall(text):
        if PATH.fullmatch(word) and not (page.name == "security.md" and word.startswith("api/test_")):
            assert list(ROOT.glob(word.rstrip("/"))), word


def test_tests_that_show_a_defence_exist() -> None:
    named = re.findall(r"`([a-z]+/test_\w+\.py)`", (ROOT / "docs" / "security.md").read_text("utf-8"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []
    shown = {Path(name).name for name in named if name.startswith("attacks/")}
    there = {item.name for item in (ROOT / "tests" / "attacks").glob("test_*.py")}
    assert there - shown == set()


def calls(page: Path) -> list[tuple[str, list[str]]]:
    """Every call of `eid` that a page shows, as the command's name and its words."""
    text = page.read_text("utf-8")
    joined = [line for block in blocks(page) for line in block.replace("\\\n", " ").splitlines()]
    shown = [CALL.match(line.strip()) for line in (*CODE.findall(text), *joined)]
    return [(found[1], shlex.split(found[2], comments=True)) for found in shown if found]


def parts_of(group: click.Group) -> dict[str, click.Command]:
    """The commands of a group, those of other modules among them."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: item for name, item in found.items() if item is not None}


def check_call(name: str, words: list[str]) -> None:
    assert name in COMMANDS, name
    command: click.Command = import_module(f"reader_tools.{COMMANDS[name][0]}").command
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        for part in words[0].split("|"):
            assert part in parts_of(command), (name, words)
        command = parts_of(command)[words[0].split("|")[0]]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    if isinstance(command, click.Group):
        parts = parts_of(command).values()
        known |= {option for item in parts for parameter in item.params for option in parameter.opts}
    for word in words:
        if word.startswith("--") and len(word) > 2:
            assert word.split("=")[0] in known, (name, word)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_and_their_options_exist(page: Path) -> None:
    for name, words in calls(page):
        check_call(name, words)


def test_every_command_is_in_the_readme() -> None:
    assert {name for name, _ in calls(ROOT / "README.md")} == set(COMMANDS)


def test_readme_code_does_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code = blocks(ROOT / "README.md", "python")[0]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {})
    assert said.getvalue().strip() == code.rsplit(": ", 1)[1].strip()


def test_excerpt_is_the_code() -> None:
    excerpt = blocks(ROOT / "ARCHITECTURE.md", "python")
    assert len(excerpt) == 1
    assert excerpt[0] in (ROOT / "eid/protocols/bac/terminal.py").read_text("utf-8")


def test_layers_are_those_of_the_linter() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    drawn = next(block for block in blocks(ROOT / "ARCHITECTURE.md") if block.startswith("api | reader_tools"))
    held = [re.findall(r"[\w.]+", layer) for layer in contract["layers"]]
    there = [[name for name in layer if is_there(name)] for layer in held]
    assert [re.findall(r"[\w.]+", line) for line in drawn.splitlines()] == [layer for layer in there if layer]


def is_there(package: str) -> bool:
    place = ROOT / package.replace(".", "/")
    return (place / "__init__.py").exists() or place.with_suffix(".py").exists()


def test_every_package_has_a_row() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    packages = [item.parent for item in (ROOT / "eid").glob("*/__init__.py")]
    assert [item.name for item in packages if f"| `eid/{item.name}/` |" not in text] == []


def test_every_format_has_its_page_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    assert [item.name for item in (ROOT / "docs/formats").iterdir() if f"formats/{item.name}" not in index] == []


def test_every_key_of_a_profile_and_of_a_policy_is_described() -> None:
    for page, models in (("profile.md", Statement.__subclasses__()), ("policy.md", (PolicyFile, AlgorithmsStatement))):
        words = set(re.findall(r"\w+", (ROOT / "docs/formats" / page).read_text("utf-8")))
        assert {key for model in models for key in model.model_fields} - words == set()


def test_every_check_and_policy_is_described() -> None:
    text = (ROOT / "docs/formats/policy.md").read_text("utf-8")
    assert [check.id for check in CHECKS if f"`{check.id.removesuffix('.*')}" not in text] == []
    assert [name for name in shipped_policies() if f"`{name}`" not in text] == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    assert [item.name for item in (ROOT / "docs").glob("[a-z]*.md") if f"]({item.name})" not in index] == []


def test_every_format_of_the_code_is_described() -> None:
    """A file format that the code writes with a name and a version is named on a page or in a schema."""
    sources = [*(ROOT / "eid").rglob("*.py"), *(ROOT / "reader_tools").rglob("*.py")]
    named = {name for source in sources for name in FORMAT.findall(source.read_text("utf-8"))}
    described = "".join(
        item.read_text("utf-8") for item in (ROOT / "docs").rglob("*") if item.suffix in {".md", ".json"}
    )
    assert {name for name in named - {"eid-card"} if name not in described} == set()  # eid-card: the distribution


def test_decisions_are_numbered_and_weighed() -> None:
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    for number, record in enumerate(records, start=1):
        text = record.read_text("utf-8")
        assert record.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert "\nStatus: " in text
        assert "bad, because" in text
        assert f"adr/{record.name}" in index
