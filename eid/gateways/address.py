"""Addresses that secrets are sent to: over https, or within this machine."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from eid.errors import ProfileError

_THIS_MACHINE: Final = frozenset(("127.0.0.1", "localhost", "::1"))


def require_secure_address(url: str, whose: str) -> str:
    """The address without a slash at its end, if it is https, or http to this machine.

    Args:
        whose: for the error text, as in "a payment provider".

    Raises:
        ProfileError: it is neither, or has a user, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ProfileError(f"the address of {whose} is malformed") from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
    if not secure or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment or not url.isascii():
        raise ProfileError(f"the address of {whose} is https without user, query and fragment")
    return url.rstrip("/")
