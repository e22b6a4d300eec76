"""Blobs: encrypted, named by what and whose they are, whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from eid.errors import GatewayError
from eid.gateways.blobs import BlobStore
from eid.keystore.service_keys import ServiceKeys

KEYS = ServiceKeys(bytes(range(32)))
CONTENT = b"%PDF-1.7 of an invented person"


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """A directory, and a store of fsspec that is no file system."""
    return BlobStore(str(tmp_path / "blobs") if request.param == "disk" else f"memory://{tmp_path}", KEYS)


def test_what_is_put_comes_back_and_goes(store: BlobStore) -> None:
    name = store.put("person-1", CONTENT)
    assert len(name) == 64
    assert store.get(name) == CONTENT
    store.delete(name)
    store.delete(name)  # harmless
    with pytest.raises(GatewayError, match="cannot be read"):
        store.get(name)


def test_a_name_tells_nothing(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path), KEYS)
    name = store.put("person-1", CONTENT)
    assert store.put("person-1", CONTENT) == name
    assert len({name, store.name_of("person-2", CONTENT), store.name_of("person-1", b"x")}) == 3
    assert BlobStore(str(tmp_path), ServiceKeys(bytes(32))).name_of("person-1", CONTENT) != name
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.name == name
    assert CONTENT not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert repr(store).count("keys") == 0


def test_what_was_altered_or_exchanged_does_not_open(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path), KEYS)
    one, other = store.put("person-1", CONTENT), store.put("person-1", CONTENT + b"!")
    place = {name: tmp_path / name[:2] / name for name in (one, other)}
    sealed = place[one].read_bytes()
    place[one].write_bytes(place[other].read_bytes())
    with pytest.raises(GatewayError, match="altered"):
        store.get(one)
    for raw in (sealed[:-1], sealed[:-1] + bytes((sealed[-1] ^ 1,)), b"", sealed[:5]):
        place[one].write_bytes(raw)
        with pytest.raises(GatewayError, match="altered"):
            store.get(one)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65])
def test_only_names_of_ours_are_looked_for(store: BlobStore, name: str) -> None:
    with pytest.raises(GatewayError, match="no name"):
        store.get(name)


def test_addresses_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="address cannot be used"):
        BlobStore("nonsense://x", KEYS).put("person-1", CONTENT)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GatewayError, match="cannot be kept"):
        BlobStore(str(tmp_path / "file"), KEYS).put("person-1", CONTENT)
