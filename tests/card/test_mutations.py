"""Every handshake with one octet changed on its way to the card: the card answers, and stays shut."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eid.card import VirtualCard
from eid.codec.apdu import decode_response
from eid.errors import EidError
from eid.lds.security_infos import PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.bac.terminal import run_bac
from eid.protocols.pace.core import Password
from eid.protocols.pace.terminal import run_pace
from eid.protocols.scp03.terminal import open_scp03
from tests.builders.sweep import examples

PACE = PACEInfo("0.4.0.127.0.7.2.2.4.2.2", 2, 13)
SELECT_LDS = bytes.fromhex("00A4040C07A0000002471001")
SELECT_ISD = bytes.fromhex("00A4040C08A000000151000000")
modest = settings(max_examples=examples(80), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
# Which command, which octet (counted modulo its length), which bits.
MUTATION = st.tuples(st.integers(0, 4), st.integers(0, 400), st.integers(1, 255))


def run_changed(card: VirtualCard, exchange, mutation: tuple[int, int, int]) -> bool:
    """Run a handshake with one octet changed; tell whether the terminal came through."""
    number, place, mask = mutation
    try:
        request = next(exchange)
        for index in range(10):
            raw = bytearray(request.encode())
            if index == number:
                raw[place % len(raw)] ^= mask
            request = exchange.send(decode_response(card.process(bytes(raw))))
    except StopIteration:
        return True
    except EidError:
        return False
    raise AssertionError("the handshake does not end")


def assert_shut(card: VirtualCard) -> None:
    for _ in range(2):  # the first one may only end a chain that the mutation has begun (6883)
        card.process(SELECT_LDS)
    assert card.process(bytes.fromhex("00B0810000")) == b"\x69\x82"


@modest
@given(mutation=MUTATION)
def test_pace(issued, mutation):
    issued.card.reset()
    came_through = run_changed(issued.card, run_pace(PACE, Password(PasswordId.CAN, b"123456")), mutation)
    session = issued.card._card.session
    assert (session.status.access is not None) == (session.secure_messaging is not None)
    if came_through:
        assert session.secure_messaging is not None
    assert_shut(issued.card)


@modest
@given(mutation=MUTATION)
def test_bac(issued, mutation):
    issued.card.reset()
    issued.card.process(SELECT_LDS)
    came_through = run_changed(issued.card, run_bac("L898902C<369080619406236"), mutation)
    if came_through:
        assert issued.card._card.session.secure_messaging is not None
    assert_shut(issued.card)


@modest
@given(mutation=MUTATION)
def test_scp03(issued, issuer_keys, mutation):
    issued.card.reset()
    issued.card.process(SELECT_ISD)
    came_through = run_changed(issued.card, open_scp03(issuer_keys), mutation)
    if not came_through and mutation[0] == 1:  # EXTERNAL AUTHENTICATE itself was changed
        assert issued.card._card.session.scp03 is None
    issued.card._card.memory.domain.failures = 0
