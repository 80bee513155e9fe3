"""Gaps are filled by the right step of the ladder, to the unit, and nothing else is touched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mains.metering.model import MISSING, Quality
from mains.metering.vee.estimating import Ladder, Method, estimate, portions
from mains.metering.vee.likedays import like_days
from mains.metering.vee.model import Facts, FlowCode, Heads, RegisterSpans, Window

MONDAY = 1_704_067_200
SLOTS = 96


def house(days=22, channels=1, seed=2):
    return np.random.default_rng(seed).integers(20, 500, (channels, days, SLOTS)).astype(np.int32)


def holed(values, day, first, last):
    gaps = np.zeros(values.shape, dtype=bool)
    gaps[0, day, first:last] = True
    return np.where(gaps, MISSING, values).astype(np.int32), gaps


def filled(values, gaps, *, ladder=None, **known):
    return estimate(Window.of(values, first_day=MONDAY, **known), gaps, ladder)


def test_up_to_two_hours_is_a_straight_line():
    values = house()
    values[0, 15, 39], values[0, 15, 48] = 100, 190
    broken, gaps = holed(values, 15, 40, 48)
    out = filled(broken, gaps)
    assert out.values[0, 15, 40:48].tolist() == [110, 120, 130, 140, 150, 160, 170, 180]
    assert set(out.method[gaps].tolist()) == {Method.LINEAR}
    assert Method(int(out.method[0, 15, 40])).aemo == 17
    assert set(out.quality[gaps].tolist()) == {Quality.ESTIMATED}
    broken, gaps = holed(values, 15, 40, 49)
    assert set(filled(broken, gaps).method[gaps].tolist()) == {Method.LIKE_DAYS}
    broken, gaps = holed(values, 15, 40, 45)
    assert set(filled(broken, gaps, ladder=Ladder(linear_s=3600)).method[gaps].tolist()) == {Method.LIKE_DAYS}


def test_longer_is_the_mean_of_three_like_days():
    values = house()
    broken, gaps = holed(values, 15, 20, 60)  # a Tuesday
    out = filled(broken, gaps)
    expected = values[0, [14 + 2, 14 + 3, 10], 20:60].mean(axis=0)
    assert like_days(Window.of(values, first_day=MONDAY), 15, reach=28)[:3] == [16, 17, 10]
    assert np.abs(out.values[0, 15, 20:60] - expected).max() <= 1
    assert (out.values[~gaps] == broken[~gaps]).all()


def test_saturdays_stand_for_saturdays_and_sundays_for_holidays():
    holidays = np.zeros(22, dtype=bool)
    holidays[[3, 15]] = True
    scene = Window.of(house(), first_day=MONDAY, is_holiday=holidays)
    assert like_days(scene, 12, reach=28) == [5, 19]
    assert like_days(scene, 15, reach=28) == [3, 13, 20, 6]
    assert 15 not in like_days(scene, 16, reach=28)
    assert like_days(scene, 14, reach=10) == [7, 21]


def test_failed_estimated_and_outage_intervals_are_no_reference():
    values = house()
    quality = np.zeros(values.shape, dtype=np.uint8)
    quality[0, 16], quality[0, 17, 30] = Quality.ESTIMATED, Quality.FAILED_CHECK
    excused = np.zeros(values.shape, dtype=bool)
    excused[0, 10] = True
    broken, gaps = holed(values, 15, 20, 60)
    out = filled(broken, gaps, quality=quality, excused=excused)
    whole = values[0, [9, 8, 3], 20:60].mean(axis=0)
    assert np.abs(out.values[0, 15, 20:60] - whole).max() <= 1


def test_a_known_outage_is_nothing_used():
    broken, gaps = holed(house(), 15, 20, 60)
    out = filled(broken, gaps, excused=gaps)
    assert (out.values[gaps] == 0).all()
    assert set(out.method[gaps].tolist()) == {Method.OUTAGE_ZERO}


def test_the_check_meter_comes_first():
    values = house(channels=2)
    broken, gaps = holed(values, 15, 20, 60)
    out = filled(broken, gaps, facts=Facts.usual(2, check_row=[1, -1], step=[1.0, 2.0]))
    assert out.values[0, 15, 20:60].tolist() == (2 * values[1, 15, 20:60]).tolist()
    assert set(out.quality[gaps].tolist()) == {Quality.SUBSTITUTED}
    other = filled(broken, gaps, facts=Facts.usual(2, check_row=[1, -1]), ladder=Ladder(is_alternate=True))
    assert {Method(each).aemo for each in other.method[gaps].tolist()} == {18}


def test_a_new_channel_gets_the_profile_of_its_class_or_the_flat_day():
    values = np.full((1, 1, SLOTS), MISSING, dtype=np.int32)
    gaps = np.ones(values.shape, dtype=bool)
    heads = Heads(days=np.array([-2, -1], np.int32), totals=np.array([[9_600, 9_600]]), peaks=np.ones((1, 2), np.int32), n_valid=np.full((1, 2), SLOTS, np.int16))
    flat = filled(values, gaps, heads=heads)
    assert (flat.values == 100).all()
    assert set(flat.method[gaps].tolist()) == {Method.FLAT}
    shape = np.zeros((1, 3, SLOTS))
    shape[0, :, :48] = 1 / 48
    shaped = filled(values, gaps, heads=heads, ladder=Ladder(class_profiles=shape))
    assert shaped.values[0, 0, :48].tolist() == [200] * 48
    assert set(shaped.method[gaps].tolist()) == {Method.CLASS_PROFILE}
    unknown = filled(values, gaps)
    assert (unknown.values == MISSING).all()
    assert not unknown.method.any()


def test_a_final_estimate_stays():
    values = house()
    quality = np.zeros(values.shape, dtype=np.uint8)
    quality[0, 15, 20:60] = Quality.FINAL_SUBSTITUTE
    gaps = quality == Quality.FINAL_SUBSTITUTE
    out = filled(values, gaps, quality=quality)
    assert (out.values == values).all()
    assert (out.quality == quality).all()


def test_a_day_is_filled_at_the_same_local_time_across_the_change_of_the_clocks():
    values = np.tile(np.arange(SLOTS, dtype=np.int32) * 10, (1, 15, 1))
    shift = np.array([0] * 10 + [60] * 6, dtype=np.int16)
    for day in range(10, 15):
        values[0, day] = np.roll(values[0, 0], -4)
    broken, gaps = holed(values, 14, 20, 60)
    scene = Window.of(broken, first_day=MONDAY, local_shift_min=shift)
    out = estimate(scene, gaps, Ladder(reach_days=28))
    assert np.abs(out.values[gaps] - values[gaps]).max() <= 1


@pytest.mark.parametrize("rest", [-5_000, 0, 3])
def test_where_the_rest_is_more_than_the_register_the_gap_is_nothing(rest):
    values = house()
    broken, gaps = holed(values, 15, 20, 60)
    known = int(values[0, 15][~gaps[0, 15]].sum())
    registers = RegisterSpans.of(row=[0], first=[15 * SLOTS], last=[16 * SLOTS], raw=[float(known + rest)])
    out = filled(broken, gaps, registers=registers)
    assert out.values[gaps].sum() == max(rest, 0)
    assert (out.values[gaps] >= 0).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), first=st.integers(0, 95), length=st.integers(1, 200), day=st.integers(2, 18), extra=st.integers(0, 40_000),
    flow=st.sampled_from([FlowCode.DELIVERED, FlowCode.NET]), begins=st.integers(0, 3), ends=st.integers(3, 6),
)  # fmt: skip
def test_the_sum_is_the_registers_to_the_unit_and_nothing_outside_changes(seed, first, length, day, extra, flow, begins, ends):
    values = house(seed=seed)
    if flow == FlowCode.NET:
        values -= 250
    gaps = np.zeros(values.shape, dtype=bool)
    flat = gaps.reshape(1, -1)
    flat[0, day * SLOTS + first : day * SLOTS + first + length] = True
    broken = np.where(gaps, MISSING, values).astype(np.int32)
    a, b = max(day - begins, 0) * SLOTS, min(day + ends, 22) * SLOTS
    known = int(values.reshape(-1)[a:b][~flat[0, a:b]].sum())
    registers = RegisterSpans.of(row=[0], first=[a], last=[b], raw=[float(known + extra)])
    out = filled(broken, gaps, registers=registers, facts=Facts.usual(1, flow=flow))
    assert (out.values[~gaps] == values[~gaps]).all()
    assert not out.method[~gaps].any()
    assert not out.scaled[~gaps].any()
    assert out.values.reshape(-1)[a:b].sum(dtype=np.int64) == known + extra
    assert out.scaled[gaps].all()
    assert flow == FlowCode.NET or (out.values >= 0).all()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.integers(0, 10**7))
def test_portions_sum_up_and_are_within_one_of_their_share(guess, total):
    shares = np.array(guess)
    out = portions(shares, total)
    assert out.sum(dtype=np.int64) == total
    assert (out >= 0).all()
    if shares.sum() > 1e-3:
        assert np.abs(out - shares * total / shares.sum()).max() <= 1 + 1e-6 * total
