"""One group of targets under atheris (libFuzzer): `python -m tests.fuzz.engine GROUP CORPUS [libFuzzer options]`.

Of an input the first two octets choose the decoder. Whatever is raised other than a refusal ends the run.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["eid"]):
    from tests.fuzz import cards, seeds, targets


def decoding(names: list[str]) -> tuple[targets.Decoder, list[bytes]]:
    """The target of a group of decoders, and its seeds."""
    known = targets.decoders()
    chosen = [(name, known[name]) for name in names]

    def run(raw: bytes) -> None:
        if len(raw) >= 2:
            name, decode = chosen[int.from_bytes(raw[:2], "big") % len(chosen)]
            targets.attempt(name, decode, raw[2:])

    pool = seeds.pool()
    corpus = [
        number.to_bytes(2, "big") + raw
        for number, (name, decode) in enumerate(chosen)
        for raw in seeds.accepted(name, decode, pool)
    ]
    return run, corpus


def main() -> None:
    group, corpus, *options = sys.argv[1:]
    run, found = (
        (cards.targets()[group], cards.conversations())
        if group.startswith("card, ")
        else decoding(targets.groups()[group])
    )
    for raw in found:
        (Path(corpus) / hashlib.sha256(raw).hexdigest()[:32]).write_bytes(raw)
    print(f"seeds: {len(found)}", file=sys.stderr)
    atheris.Setup([sys.argv[0], corpus, *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
