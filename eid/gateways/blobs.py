"""Octets under names, on disk or in any store that fsspec reaches (S3 and others by their own packages).

What lies there is encrypted (AES-256-GCM) and named by a keyed hash of its content and of whose it is: the same file
of the same person is kept once, and the name tells nobody what it is, not even somebody who has the file.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from eid.errors import GatewayError, KeyStoreError
from eid.keystore.service_keys import ServiceKeys

PURPOSE: Final = "blob"
NAME_PURPOSE: Final = "blob-name"
_NAME: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BlobStore:
    """Encrypted blobs below one address.

    Args:
        address: a directory, or a URL that fsspec knows, such as ``s3://bucket/documents``.
        keys: of the service. random: octets that nobody can foresee.
    """

    address: str
    keys: ServiceKeys = field(repr=False)
    random: Callable[[int], bytes] = field(default=os.urandom, repr=False)

    def name_of(self, owner: str, content: bytes) -> str:
        """The name under which a content of an owner lies: HMAC-SHA-256, hexadecimal."""
        return self.keys.tag(NAME_PURPOSE, owner.encode() + b"\0" + hashlib.sha256(content).digest()).hex()

    def put(self, owner: str, content: bytes) -> str:
        """Keep a content, durably; its name. The same content of the same owner is kept once.

        Raises:
            GatewayError: the store cannot be reached or written to.
        """
        name = self.name_of(owner, content)
        filesystem, place = self._locate(name)
        try:
            if filesystem.exists(place):
                return name
            filesystem.makedirs(place.rpartition("/")[0], exist_ok=True)
            sealed = self.keys.seal(PURPOSE, content, name.encode(), self.random)
            with filesystem.open(place, "wb", autocommit=False) as file:
                file.write(sealed)
            file.commit()  # until here the name does not exist
            _make_durable(filesystem, place)
        except (OSError, ValueError) as failure:
            raise GatewayError(f"a document cannot be kept: {type(failure).__name__}") from failure
        return name

    def get(self, name: str) -> bytes:
        """The content under a name.

        Raises:
            GatewayError: it is not there, the store cannot be reached, or what lies there was altered.
        """
        filesystem, place = self._locate(name)
        try:
            with filesystem.open(place, "rb") as file:
                sealed: bytes = file.read()
            return self.keys.unseal(PURPOSE, sealed, name.encode())
        except KeyStoreError:
            raise GatewayError("a document was altered, or is of another key") from None
        except (OSError, ValueError) as failure:
            raise GatewayError(f"a document cannot be read: {type(failure).__name__}") from failure

    def delete(self, name: str) -> None:
        """Drop what lies under a name; harmless where it is gone.

        Raises:
            GatewayError: the store cannot be reached.
        """
        filesystem, place = self._locate(name)
        try:
            filesystem.rm_file(place)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as failure:
            raise GatewayError(f"a document cannot be dropped: {type(failure).__name__}") from failure

    def _locate(self, name: str) -> tuple[Any, str]:
        if not _NAME.fullmatch(name):
            raise GatewayError("that is no name of a document")
        try:
            filesystem, root = fsspec.core.url_to_fs(self.address)
        except (ValueError, ImportError) as failure:
            raise GatewayError(f"the documents' address cannot be used: {type(failure).__name__}") from failure
        return filesystem, f"{root.rstrip('/')}/{name[:2]}/{name}"


def _make_durable(filesystem: Any, place: str) -> None:
    """Wait until file and directory are on the disk; stores beyond it answer only when they have it."""
    if not isinstance(filesystem, LocalFileSystem):
        return
    path = Path(place)
    path.chmod(0o600)
    for item in (path, path.parent):
        descriptor = os.open(item, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
