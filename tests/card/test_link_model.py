"""The link model against figures worked out by hand from the standard's formulas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.card.link_model import FRAME_SIZES, GUARD, RATES, LinkModel, estimate
from eid.errors import LocalProtocolError

ETU = 128 / 13.56e6  # 9.44 us at 106 kbit/s


def test_constants_of_the_standard():
    model = LinkModel(106)
    assert model.frame_waiting_time == pytest.approx(77.33e-3, rel=1e-3)  # FWI 8
    assert LinkModel(106, fwi=14).frame_waiting_time == pytest.approx(4.949, rel=1e-3)  # about five seconds: 7.2
    assert LinkModel(106, fwi=0).frame_waiting_time == pytest.approx(302e-6, rel=1e-2)  # 302 us: 7.2
    assert pytest.approx(86.43e-6, rel=1e-3) == GUARD
    assert model.block_capacity == 253
    assert LinkModel(106, cid=True).block_capacity == 252


def test_one_block_each_way():
    # READ BINARY of 5 octets, 6 octets of answer: blocks of 8 and 9 octets.
    expected = (8 * 9 + 2 + 9 * 9 + 2) * ETU + 2 * GUARD
    assert LinkModel(106).exchange_seconds(5, 6) == pytest.approx(expected)


def test_chained_blocks_are_acknowledged():
    # 254 octets take two I-blocks and one R-block of three octets between two guards.
    expected = ((254 + 6) * 9 + 4 + 3 * 9 + 2) * ETU / 4 * (106 * 4 / 424) + 2 * GUARD
    assert LinkModel(424).apdu_seconds(254) == pytest.approx(expected)


def test_a_chip_that_computes_longer_than_the_frame_waiting_time_asks_for_more():
    model = LinkModel(106, fwi=4)
    plain = model.exchange_seconds(5, 6)
    short = model.exchange_seconds(5, 6, model.frame_waiting_time)
    assert short == pytest.approx(plain + model.frame_waiting_time)
    long = model.exchange_seconds(5, 6, 2 * model.frame_waiting_time)
    assert long == pytest.approx(plain + 2 * model.frame_waiting_time + 2 * ((4 * 9 + 2) * ETU + GUARD))


def test_a_portrait_of_thirty_kilobytes_at_each_rate():
    pieces = [(21, 256)] * 125
    times = [estimate(LinkModel(rate), pieces) for rate in RATES]
    assert times == sorted(times, reverse=True)
    assert 3.0 < times[0] < 3.5
    assert 0.3 < times[3] < 0.6
    assert estimate(LinkModel(424), pieces, 0.010) == pytest.approx(times[2] + 1.25)


@given(st.sampled_from(RATES), st.sampled_from(FRAME_SIZES), st.integers(0, 65_544), st.booleans())
def test_more_octets_never_take_less(rate, size, octets, cid):
    model = LinkModel(rate, size, cid=cid)
    assert 0 < model.apdu_seconds(octets) < model.apdu_seconds(octets + size)
    assert model.activation_seconds() < 0.02 + model.start_up_guard_time


@pytest.mark.parametrize("wrong", [{"rate": 1000}, {"frame_size": 100}, {"fwi": 15}, {"sfgi": -1}])
def test_what_the_standard_does_not_have_is_refused(wrong):
    with pytest.raises(LocalProtocolError):
        LinkModel(**wrong)
