from __future__ import annotations

import pytest

from tests.builders.document import Document, build_document


@pytest.fixture(scope="session")
def document() -> Document:
    return build_document()
