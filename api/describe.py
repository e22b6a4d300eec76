"""`python -m api.describe > docs/registry.openapi.json`: the registry's OpenAPI document, without a registry."""

from __future__ import annotations

import json
import sys

from api.registry import assemble


def describe() -> str:
    """The document as it is published."""
    return json.dumps(assemble().openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(describe())
