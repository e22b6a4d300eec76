"""The terminal's side of auxiliary data verification, inside the session of Chip Authentication."""

from __future__ import annotations

from eid.codec.status_word import SW
from eid.protocols.auxiliary_data import messages
from eid.protocols.exchange import Exchange, send


def verify_auxiliary_data(oid: str) -> Exchange[bool]:
    """Let the card compare what the terminal has signed with what it stores: yes or no (TR-03110-3 B.6).

    Args:
        oid: of a datum that was part of Terminal Authentication, dotted.

    Raises:
        StatusWordError: 6982 the terminal has no right to ask, 6A88 it was not part of Terminal Authentication, or the
            card stores nothing to compare it with.
    """
    response = yield from send(messages.encode_verify(oid), "VERIFY", SW.WARNING_AUTHENTICATION_FAILED)
    return response.sw == SW.OK
