"""Clocks that were moved, clocks that did not follow the change to summer time, and exchanged meters are found; weather, season and roofs are not taken for them."""

import numpy as np
import pytest

from mains.metering.vee.engine import RuleSet, run
from mains.metering.vee.model import Facts, FlowCode, Window
from mains.metering.vee.rules import BY_NAME

FIRST = 1_709_251_200
DAYS, AT, SLOTS = 49, 28, 96
RULES = RuleSet.of()
HOURS = np.arange(SLOTS) / 4


def household(seed, *, ahead=None):
    """Quarter hours [days, 96] in Wh of standard time: a base, a morning and an evening of the house's own hours by the local clock, and a machine at a time of its own."""
    rng = np.random.default_rng([3, seed])
    morning, evening, machine = rng.normal(7, 0.7), rng.normal(18.5, 1), rng.uniform(8, 21)
    sizes = rng.uniform(80, 400, 3)
    base = rng.uniform(15, 60)
    out = np.zeros((DAYS, SLOTS))
    for day in range(DAYS):
        clock = (HOURS + (0 if ahead is None else ahead[day] / 60)) % 24
        for centre, size, width in zip((morning, evening, machine), sizes, (0.6, 1.5, 0.5), strict=True):
            out[day] += size * np.exp(-(((clock - centre - rng.normal(0, 0.3)) / width) ** 2) / 2) * rng.gamma(6, 1 / 6)
        out[day] += base + rng.gamma(2, 10, SLOTS)
    return out.astype(np.int32)


def rows_of(values, rule, **known):
    found = run(Window.of(values, first_day=FIRST, **known), RULES)
    chosen = (found.rule == BY_NAME[rule].number) & (found.severity > 0)
    return found.where(chosen)


@pytest.fixture(scope="module")
def homes():
    return np.stack([household(seed) for seed in range(40)])


@pytest.mark.parametrize("hours", [1, -2, 5])
def test_a_clock_moved_by_hours_is_found_in_every_house(homes, hours):
    values = homes.copy()
    values[:, AT:] = np.roll(values[:, AT:].reshape(len(values), -1), hours * 4, axis=1).reshape(len(values), DAYS - AT, SLOTS)
    found = rows_of(values, "clock-shift")
    assert len(set(found.row.tolist())) >= 39
    assert (found.measured == hours * 60).mean() > 0.95
    assert (np.abs(found.first // SLOTS - AT) <= 3).mean() > 0.9


def test_houses_that_keep_their_hours_are_let_be(homes):
    assert len(rows_of(homes, "clock-shift")) == 0


def test_a_season_that_turns_is_no_clock(homes):
    warmth = np.clip((np.arange(DAYS) - 20) / 15, 0, 1)[:, None] * np.exp(-(((HOURS - 16) / 4) ** 2) / 2)[None, :]
    cooling = np.random.default_rng(8).uniform(50, 300, (len(homes), 1, 1)) * warmth
    assert len(rows_of((homes + cooling).astype(np.int32), "clock-shift")) <= 1


def test_summer_time_that_was_not_followed_is_found_and_summer_time_that_was_is_not():
    ahead = np.where(np.arange(DAYS + 1) > AT, 60, 0).astype(np.int16)
    follows = np.stack([household(seed, ahead=ahead) for seed in range(40)])
    assert len(rows_of(follows, "clock-shift", local_shift_min=ahead)) == 0
    slips = np.stack([household(seed) for seed in range(40)])
    found = rows_of(slips, "clock-shift", local_shift_min=ahead)
    assert len(found) >= 39
    assert (found.measured == 60).all()


def test_the_sun_follows_no_change_of_the_clocks():
    ahead = np.where(np.arange(DAYS + 1) > AT, 60, 0).astype(np.int16)
    rng = np.random.default_rng(5)
    roof = 900 * np.clip(np.cos((HOURS - 12.3) / 12 * np.pi), 0, None) * rng.uniform(0.2, 1, (30, DAYS, 1)) * rng.uniform(0.8, 1, (30, DAYS, SLOTS))
    facts = Facts.usual(30, flow=FlowCode.RECEIVED)
    assert len(rows_of(roof.astype(np.int32), "clock-shift", local_shift_min=ahead, facts=facts)) == 0
    found = rows_of(np.roll(roof.reshape(30, -1), 8, axis=1).reshape(roof.shape).astype(np.int32), "clock-shift", local_shift_min=ahead, facts=facts)
    assert len(found) == 0
    late = roof.copy()
    late[:, AT:] = np.roll(late[:, AT:], 8, axis=2)
    assert len(rows_of(late.astype(np.int32), "clock-shift", local_shift_min=ahead, facts=facts)) == 30


def test_meters_that_were_exchanged_name_one_another(homes):
    values = homes.copy()
    pairs = [(0, 1), (6, 11), (20, 33)]
    for one, other in pairs:
        values[[one, other], AT:] = homes[[other, one], AT:]
    found = rows_of(values, "swapped-meters")
    assert {(int(row), int(other)) for row, other in zip(found.row, found.subject, strict=True)} == {*pairs, *((b, a) for a, b in pairs)}
    assert len(rows_of(homes, "swapped-meters")) == 0


def heated(before, after, homes):
    """Daily totals that a month ago were `before` and now are `after`, as a window of 60 days whose last one ends the period."""
    rng = np.random.default_rng(2)
    level = np.concatenate([np.repeat(before[:, None], 30, axis=1), np.repeat(after[:, None], 30, axis=1)], axis=1)
    values = (level[:, :, None] / SLOTS * rng.uniform(0.7, 1.3, (homes, 60, SLOTS))).astype(np.int32)
    ends = np.zeros((homes, 60), dtype=bool)
    ends[:, -1] = True
    return values, ends


def test_a_cold_month_raises_every_house_and_none_is_named_but_the_one_that_fell():
    before = np.random.default_rng(1).uniform(12_000, 30_000, 50)
    after = before * np.random.default_rng(6).normal(1.8, 0.12, 50)
    values, ends = heated(before, after, 50)
    assert len(rows_of(values, "high-low", is_cycle_end=ends)) == 0
    after[7] = before[7] * 0.4
    values, ends = heated(before, after, 50)
    found = rows_of(values, "high-low", is_cycle_end=ends)
    assert found.row.tolist() == [7]
    assert found.measured[0] < -0.5


def test_a_roof_that_gives_nothing_in_dark_weeks_is_not_dead_at_once():
    values = np.full((2, 3, SLOTS), 50, dtype=np.int32)
    values[:, 1:] = 0
    facts = Facts.usual(2, flow=[FlowCode.DELIVERED, FlowCode.RECEIVED])
    assert rows_of(values, "zero", facts=facts).row.tolist() == [0]
