"""Every sentence that a check can say is known in every language, and what is filled in stays as it is."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

from eid.locale import LANGUAGES
from eid.locale.details import MAX_DETAIL, detail_text

ROOT = Path(__file__).parents[2] / "eid"
SOURCES = [
    *sorted((ROOT / "verification" / "checks").glob("*.py")),
    *(
        ROOT / name
        for name in (
            "verification/case.py",
            "verification/strength.py",
            "pki/path.py",
            "pki/revocation.py",
            "pki/cms_signature.py",
            "pki/distrust.py",
            "crypto/public_key.py",
            "protocols/active_authentication/core.py",
        )
    ),
]
ENTRIES = tomllib.loads((ROOT / "locale" / "details.toml").read_text(encoding="utf-8"))["detail"]
# Parts of sentences, which others of the table fill in or go on.
PARTS = {"the CSCA", "the CSCA link", "{}, tolerated: stale", ", tolerated: stale since {}", "{}: {}", "{} with {}"}


def said(node: ast.expr | None) -> Iterator[str]:
    """A sentence of the source, {} where something is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(item.value) if isinstance(item, ast.Constant) else "{}" for item in node.values)
    elif isinstance(node, ast.IfExp):
        yield from said(node.body)
        yield from said(node.orelse)


def sentences(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "VerificationError":
            yield from said(node.args[1] if len(node.args) > 1 else None)
        elif _tells(node, source):
            yield from said(node.value)


def _tells(node: ast.AST, source: Path) -> TypeGuard[ast.Return | ast.Assign]:
    if isinstance(node, ast.Return):
        return source.parent.name == "checks"
    return isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("what", "why")


SAID = sorted({(path.name, text) for path in SOURCES for text in sentences(path) if " " in text and text not in PARTS})


@pytest.mark.parametrize("language", [item for item in LANGUAGES if item != "en"])
@pytest.mark.parametrize(("source", "sentence"), SAID, ids=lambda value: str(value)[:60])
def test_every_sentence_of_the_checks_is_known(language: str, source: str, sentence: str) -> None:
    detail = sentence.replace("{}", "X9")
    if sentence == "CRL of {}{}":
        detail = "CRL of X9"
    text, found = detail_text(language, detail)
    assert found == language, f"{source} says {sentence!r}"
    assert text.count("X9") == detail.count("X9")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda item: item["en"][:60])
def test_all_languages_have_the_same_places_to_fill(entry: dict[str, str]) -> None:
    assert set(entry) == set(LANGUAGES)
    assert len({tuple(sorted(re.findall(r"\{([a-z]+)\}", value))) for value in entry.values()}) == 1
    assert any("؀" <= letter <= "ۿ" for letter in entry["ar"])


def test_no_sentence_stands_twice() -> None:
    assert len({item["en"] for item in ENTRIES}) == len(ENTRIES)


def test_parameters() -> None:
    assert detail_text("fr", "the CSCA certificate expired on 2030-01-02") == (
        "le certificat de la CSCA : expiré le 2030-01-02",
        "fr",
    )
    assert detail_text("fr", "CRL of 2026-01-01, tolerated: stale since 2026-02-01")[0] == (
        "LCR du 2026-01-01, toléré : périmée depuis le 2026-02-01"
    )
    assert detail_text("ar", "revoked on 2026-01-01")[0] == "أُلغي في \u20662026-01-01\u2069"
    assert detail_text("fr", "over the reader's own challenge; nothing here says when it was asked")[0] == (
        "sur le défi du lecteur lui-même ; rien ne dit quand il a été posé"
    )


@pytest.mark.parametrize("detail", ["", "offset 7: a tag is missing", "x" * (MAX_DETAIL + 1), "{date}", "\n"])
def test_what_is_not_known_stays_english(detail: str) -> None:
    assert detail_text("ar", detail) == (detail, "en")
    assert detail_text("en", "revoked on 2026-01-01") == ("revoked on 2026-01-01", "en")
