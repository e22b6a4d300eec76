"""The terminal's side of Restricted Identification, inside the session of Chip Authentication."""

from __future__ import annotations

from dataclasses import dataclass, field

from eid.crypto.hashes import hash_algorithm
from eid.errors import DecodeError, LocalProtocolError, PeerProtocolError
from eid.protocols.chip_authentication.messages import AuthenticationTemplate, encode_set_at
from eid.protocols.exchange import Exchange, send
from eid.protocols.restricted_identification import messages
from eid.protocols.restricted_identification.core import PROTOCOLS
from eid.protocols.restricted_identification.messages import Pair
from eid.protocols.restricted_identification.sector_key import SectorPublicKey


@dataclass(frozen=True, slots=True)
class SectorIdentifiers:
    """What the card is called in one sector, or in two."""

    first: bytes | None = field(default=None, repr=False)
    second: bytes | None = field(default=None, repr=False)


def run_restricted_identification(
    key_id: int | None, first: SectorPublicKey | None, second: SectorPublicKey | None = None
) -> Exchange[SectorIdentifiers]:
    """Ask for the card's identifier in the sectors that the terminal's certificate names (TR-03110-2 3.6).

    Args:
        key_id: the chip's key, from RestrictedIdentificationInfo; None where it has only one.
        first, second: as the certificate's extension has them; at least one.

    Raises:
        StatusWordError: 6982 the terminal has no right, 6A80 the certificate does not name the key, 6A88 no such key.
        PeerProtocolError: the answer is malformed. LocalProtocolError: no key, or two of different protocols.
    """
    protocols = {key.protocol for key in (first, second) if key is not None}
    if len(protocols) != 1:
        raise LocalProtocolError("one protocol of Restricted Identification, and at least one sector")
    (protocol,) = protocols
    yield from send(encode_set_at(AuthenticationTemplate(protocol, key_id)), "MSE:Set AT")
    keys = Pair(None if first is None else first.content, None if second is None else second.content)
    response = yield from send(messages.encode_general_authenticate(keys), "GENERAL AUTHENTICATE")
    try:
        answer = messages.decode_answer(response.data)
    except DecodeError as fault:
        raise PeerProtocolError(f"GENERAL AUTHENTICATE: {fault}") from fault
    length = hash_algorithm(PROTOCOLS[protocol][1]).digest_length
    for asked, given in ((keys.first, answer.first), (keys.second, answer.second)):
        if (asked is None) != (given is None) or (given is not None and len(given) != length):
            raise PeerProtocolError("not the identifiers that were asked for")
    return SectorIdentifiers(answer.first, answer.second)
