"""Each rule on days as they happen, on the limit and just over it."""

from dataclasses import replace

import numpy as np
import pytest

from mains.metering.model import MISSING, Quality
from mains.metering.vee.amounts import FormulaNotUnderstood, understood
from mains.metering.vee.engine import RuleNotFound, RuleSet, run
from mains.metering.vee.explaining import in_words
from mains.metering.vee.model import Balance, CommodityCode, EventFlag, Events, Facts, FlowCode, Heads, RegisterSpans, RuleRow, Window
from mains.metering.vee.profiles import PROFILES
from mains.metering.vee.rules import BY_NAME, RULES

MONDAY = 1_704_067_200  # 2024-01-01
SLOTS = 96
DAY = 86_400
DEFAULT = RuleSet.of()


def household(days=3, *, seed=1, channels=1):
    """Quarter hours of a house in Wh: never the same twice for long, between 40 and 400."""
    return np.random.default_rng(seed).integers(40, 400, (channels, days, SLOTS)).astype(np.int32)


def month_before(channels=1, *, peak=400, total=20_000, days=35):
    rng = np.random.default_rng(9)
    return Heads(
        days=np.arange(-days, 0, dtype=np.int32), totals=rng.integers(total - 500, total + 500, (channels, days)),
        peaks=rng.integers(peak - 20, peak + 1, (channels, days)).astype(np.int32),
        n_valid=np.full((channels, days), SLOTS, np.int16),
    )  # fmt: skip


def window(values, **known):
    return Window.of(values, first_day=MONDAY, **known)


def found(values, rule, *, rules=DEFAULT, **known):
    """What one rule finds, as (row, first, last), and the findings."""
    scene = window(values, **known)
    out = run(scene, rules)
    out = out.where(out.rule == BY_NAME[rule].number)
    for each in out:
        assert in_words(each, scene)
    return [(each.row, each.first, each.last) for each in out], out


def facts(**known):
    return Facts.usual(1, **known)


def test_the_rule_book_is_whole():
    assert [rule.number for rule in RULES] == list(range(1, 29))
    assert len({rule.name for rule in RULES}) == 28
    assert all(rule.test.__doc__ for rule in RULES)


def test_an_ordinary_house_is_left_alone():
    assert len(run(window(household(30), heads=month_before()), DEFAULT)) == 0


@pytest.mark.parametrize(("error_s", "severities"), [(180, []), (-181, ["warning"]), (901, ["failure"])])
def test_a_clock_that_is_off(error_s, severities):
    _, out = found(household(), "time-tolerance", facts=facts(clock_error_s=error_s))
    assert [each.severity for each in out] == severities


def test_a_strange_device_a_wrong_interval_and_a_wrong_multiplier():
    assert len(found(household(), "meter-identity", facts=facts(is_known_device=False))[0]) == 1
    assert len(found(household(), "interval-size", facts=facts(interval_s=1800))[0]) == 1
    assert not found(household(), "interval-size", facts=facts(interval_s=900))[0]
    assert len(found(household(), "unit-multiplier", facts=facts(multiplier=40, delivered_multiplier=4))[0]) == 1
    assert len(found(household(), "unit-multiplier", facts=facts(is_unit_right=False))[0]) == 1
    assert not found(household(), "unit-multiplier", facts=facts(multiplier=40, delivered_multiplier=40))[0]


def test_an_hour_that_is_missing():
    values = household()
    values[0, 1, 40:44] = MISSING
    places, out = found(values, "gap")
    assert places == [(0, 136, 140)]
    assert out[0].severity == "failure"
    assert "4 intervals missing" in in_words(out[0], window(values))


def test_a_gap_is_none_in_an_outage_before_installation_after_now_or_on_a_day_not_due():
    values = household()
    values[0, 1, 40:44] = MISSING
    outage = np.zeros(values.shape, dtype=bool)
    outage[0, 1, 38:50] = True
    assert not found(values, "gap", excused=outage)[0]
    assert not found(values, "gap", facts=facts(installed_from=MONDAY + DAY + 44 * 900))[0]
    assert not found(values, "gap", now=MONDAY + DAY + 40 * 900)[0]
    assert not found(values, "gap", is_due=np.array([[True, False, True]]))[0]
    assert found(values, "gap", now=MONDAY + DAY + 41 * 900)[0] == [(0, 136, 137)]


@pytest.mark.parametrize(("ahead", "behind", "intervals"), [(60, 0, 92), (0, 60, 100)])
def test_the_days_on_which_the_clocks_change_have_92_and_100_intervals(ahead, behind, intervals):
    shift = np.array([behind, behind, ahead, ahead], dtype=np.int16)
    scene = window(household(), local_shift_min=shift)
    assert scene.local_days()[1].tolist() == [96, intervals, 96]
    assert len(run(scene, DEFAULT)) == 0
    values = household()
    values[0, 1, 50] = MISSING
    scene = window(values, local_shift_min=shift)
    assert f"the local day has {intervals}" in in_words(run(scene, DEFAULT)[0], scene)


def test_a_day_delivered_twice():
    values = household(4)
    values[0, 2] = values[0, 1]
    places, out = found(values, "repetition")
    assert places == [(0, 192, 288)]
    assert out[0].subject == SLOTS
    assert out.marks.all()


def test_six_hours_delivered_twice_and_a_little_less():
    values = household(4)
    values[0, 2, 30:54] = values[0, 2, 0:24]
    assert found(values, "repetition")[0] == [(0, 222, 246)]
    values = household(4)
    values[0, 2, 30:53] = values[0, 2, 0:23]
    assert not found(values, "repetition")[0]


def test_an_empty_house_repeats_itself_and_is_let_be():
    values = np.random.default_rng(4).choice([3, 3, 3, 3, 4], (20, 30, SLOTS)).astype(np.int32)
    assert not found(values, "repetition")[0]


def test_a_day_with_total_and_peak_of_an_earlier_one_is_a_repetition_by_heads_alone():
    heads = month_before()
    values = household(1)
    heads.totals[0, 20], heads.peaks[0, 20] = values.sum(), values.max()
    rules = RuleSet.of([RuleRow(rule_name="repetition", parameters={"head_chance": 1e-2})])
    assert found(values, "repetition", heads=heads, rules=rules)[1].subject.tolist() == [15 * SLOTS]
    heads.peaks[0, 20] += 1
    assert not found(values, "repetition", heads=heads, rules=rules)[0]


@pytest.mark.parametrize(("off", "finds"), [(20, 0), (21, 1), (-21, 1)])
def test_the_register_against_the_intervals(off, finds):
    values = household(2)
    registers = RegisterSpans.of_days(values.sum(axis=2).astype(float) + np.array([[0, off]]), SLOTS, resolution=10.0)
    places, _ = found(values, "register-sum", registers=registers)
    assert len(places) == finds
    assert not finds or places == [(0, 96, 192)]
    odd = RegisterSpans.of(row=[0], first=[5], last=[100], raw=[float(values.reshape(-1)[5:100].sum() + off)], resolution=10.0)
    assert len(found(values, "register-sum", registers=odd)[0]) == finds
    assert not found(values, "register-sum", registers=replace(odd, is_actual=np.array([False])))[0]


def test_time_of_use_registers_and_a_dial_that_runs_back():
    tou = RegisterSpans.of(row=[0, 0], first=[0, 96], last=[96, 192], raw=[5000.0, 5000.0], resolution=10.0, tou_raw=[5020.0, 5021.0])
    assert found(household(2), "tou-sum", registers=tou)[0] == [(0, 96, 192)]
    back = RegisterSpans.of(row=[0], first=[0], last=[96], raw=[-300.0], is_backward=True)
    assert len(found(household(2), "register-decrease", registers=back)[0]) == 1
    too_much = RegisterSpans.of(row=[0], first=[0], last=[96], raw=[1e6], resolution=10.0)
    assert len(found(household(2), "register-decrease", registers=too_much, facts=facts(dial_digits=5))[0]) == 1
    assert not found(household(2), "register-decrease", registers=too_much, facts=facts(dial_digits=6))[0]


@pytest.mark.parametrize(("height", "finds"), [(1300, 0), (5040, 0), (5041, 1)])
def test_a_spike_is_one_over_2_8_times_the_third_peak_of_the_month(height, finds):
    values = household(1)
    values[0, 0, 50] = height
    heads = month_before(peak=1800)
    heads.peaks[:] = 1800
    places, out = found(values, "spike", heads=heads)
    assert places == [(0, 50, 51)] * finds
    assert all(each.severity == "failure" for each in out)


def test_a_spike_under_the_floor_is_a_kettle_and_without_a_month_nothing_is_said():
    values = household(1)
    values[0, 0, 50] = 1250
    assert not found(values, "spike", heads=month_before())[0]
    values[0, 0, 50] = 1251
    assert found(values, "spike", heads=month_before())[0] == [(0, 50, 51)]
    assert not found(values, "spike", heads=month_before(days=19))[0]


def test_a_spike_does_not_hide_the_next_one():
    values = household(12)
    values[0, [2, 4, 6, 8], 50] = 20_000
    assert [first // SLOTS for _, first, _ in found(values, "spike", heads=month_before())[0]] == [2, 4, 6, 8]


def test_a_failed_reading_is_no_spike():
    values = household(1)
    values[0, 0, 50] = 20_000
    quality = np.zeros(values.shape, dtype=np.uint8)
    quality[0, 0, 50] = Quality.FAILED_CHECK
    assert not found(values, "spike", heads=month_before(), quality=quality)[0]


@pytest.mark.parametrize(("share", "severities"), [(1.0, []), (1.01, ["warning"]), (1.21, ["failure"])])
def test_more_than_the_fuse(share, severities):
    values = household(1)
    values[0, 0, 7] = round(3000 * share)
    places, out = found(values, "physical-maximum", facts=facts(limit=3000))
    assert [each.severity for each in out] == severities
    assert places == [(0, 7, 8)] * len(severities)
    assert out.marks.all() == (severities != ["warning"])


def test_a_jump_and_a_peak_against_history():
    values = household(1)
    values[0, 0, 10:13] = 1500
    assert not found(values, "jump", heads=month_before(peak=650))[0]
    assert found(values, "jump", heads=month_before(peak=400), rules=RuleSet.of([RuleRow(rule_name="jump", parameters={"share": 0.7})]))[0]
    heads = month_before()
    heads.peaks[:] = 750
    assert not found(values, "historical-maximum", heads=heads)[0]
    heads.peaks[:] = 749
    assert found(values, "historical-maximum", heads=heads)[0] == [(0, 0, 96)]


def two_months(recent, before, last_year=None):
    """Heads of 29 days at one total a day after 30 at another, and the same weeks last year."""
    days = list(range(-59, 0))
    totals = [before] * 30 + [recent] * 29
    if last_year is not None:
        days, totals = [*range(-393, -363), *days], [last_year] * 30 + totals
    n = len(days)
    return Heads(days=np.array(days, np.int32), totals=np.array([totals]), peaks=np.full((1, n), 400, np.int32), n_valid=np.full((1, n), SLOTS, np.int16))


@pytest.mark.parametrize(("before", "last_year", "finds"), [(13_500, None, 0), (13_000, None, 1), (13_000, 19_000, 0), (13_000, 12_000, 1), (44_000, None, 1), (16_000, None, 0)])
def test_use_of_the_period_against_last_month_and_last_year(before, last_year, finds):
    values = household(1)
    values[0, 0] = 20_000 // SLOTS
    places, _ = found(values, "high-low", heads=two_months(20_000, before, last_year), is_cycle_end=np.array([[True]]))
    assert len(places) == finds
    assert not found(values, "high-low", heads=two_months(20_000, before, last_year), is_cycle_end=np.array([[False]]))[0]


def test_little_use_that_doubles_is_let_be():
    values = household(1)
    values[0, 0] = 80
    assert not found(values, "high-low", heads=two_months(7_680, 2_700), is_cycle_end=np.array([[True]]))[0]


def test_a_dead_meter_speaks_once():
    values = household(4)
    values[0, 1, 20:] = values[0, 2] = values[0, 3] = 0
    assert found(values, "zero")[0] == [(0, 116, 384)]
    assert not found(values, "zero", is_due=np.array([[True, True, False, True]]))[0]
    values[0, 2, 19:] = values[0, 3] = 5
    assert not found(values, "zero")[0]
    values[0, 2, 19] = 0
    assert len(found(values, "zero")[0]) == 1


def test_zero_days_before_the_window_count_and_gas_may_rest_for_a_month():
    values = np.zeros((1, 1, SLOTS), dtype=np.int32)
    heads = month_before()
    assert len(found(values, "zero", heads=heads)[0]) == 1
    heads.totals[0, -1] = heads.peaks[0, -1] = 0
    assert not found(values, "zero", heads=heads)[0]
    heads.totals[0, -29:] = heads.peaks[0, -29:] = 0
    assert len(found(values, "zero", heads=heads, facts=facts(commodity=CommodityCode.GAS))[0]) == 1
    heads.totals[0, -29] = 1
    assert not found(values, "zero", heads=heads, facts=facts(commodity=CommodityCode.GAS))[0]


def test_nothing_used_in_an_outage_is_no_dead_meter():
    values = household(3)
    values[0, 1] = 0
    assert not found(values, "zero", excused=np.repeat(np.array([[False, True, False]])[..., None], SLOTS, axis=2))[0]
    assert len(found(values, "zero")[0]) == 1


@pytest.mark.parametrize(("times", "finds"), [(7, 0), (8, 1), (40, 1)])
def test_a_meter_that_is_stuck(times, finds):
    values = household(4)
    values[0, 1, 30 : 30 + times] = 213
    values[0, 1, 29], values[0, 1, 30 + times] = 100, 101
    assert found(values, "stuck")[0] == [(0, 126, 126 + times)] * finds


def test_a_flat_standby_is_not_stuck():
    values = household(10)
    values[0, :, :40] = 25
    values[0, :, 0:40:12] = 26
    assert not found(values, "stuck")[0]


def test_less_than_nothing():
    values = household()
    values[0, 1, 10:12] = [-1, -50]
    places, out = found(values, "negative")
    assert places == [(0, 106, 108)]
    assert out.marks.tolist() == [True]
    assert run(window(values), DEFAULT).failed(window(values)).sum() == 2
    assert not found(values, "negative", facts=facts(flow=FlowCode.NET))[0]
    assert found(values, "negative", facts=facts(flow=FlowCode.RECEIVED))[0]


def test_a_power_factor_that_cannot_be():
    values = np.full((2, 1, SLOTS), 100, dtype=np.int32) + household(1, channels=2) // 40
    values[1, 0, 20:37] = 400
    known = Facts.usual(2, reactive_row=[1, -1])
    assert [each[:3] for each in found(values, "reactive", facts=known)[0]] == [(0, 20, 37)]
    values[1, 0, 36] = 10
    assert not found(values, "reactive", facts=known)[0]


def test_use_where_there_is_no_service():
    values = household()
    values[0, 1] = 1
    off = np.zeros(values.shape, dtype=bool)
    off[0, 1] = True
    assert not found(values, "inactive-use", is_disconnected=off)[0]
    values[0, 1, 0] = 6
    assert found(values, "inactive-use", is_disconnected=off)[0] == [(0, 96, 192)]
    assert found(values, "inactive-use", facts=facts(installed_to=MONDAY + 2 * DAY))[0] == [(0, 192, 288)]


def test_flags_of_the_meter():
    events = Events(row=np.array([0, 0], np.int32), place=np.array([5, 9], np.int32), flag=np.array([EventFlag.TEST_MODE, EventFlag.TAMPER], np.uint16))
    assert found(household(), "event-flag", events=events)[0] == [(0, 5, 6)]


def test_estimated_for_more_than_three_days():
    values = household(6)
    quality = np.zeros(values.shape, dtype=np.uint8)
    quality[0, 1:5, 3] = Quality.ESTIMATED
    assert found(values, "prolonged-estimation", quality=quality)[0] == [(0, 384, 480)]
    quality[0, 2, 3] = 0
    assert not found(values, "prolonged-estimation", quality=quality)[0]
    assert len(found(values, "prolonged-estimation", facts=facts(estimated_bills=3))[0]) == 1
    assert not found(values, "prolonged-estimation", facts=facts(estimated_bills=2))[0]


def test_a_formula_of_the_utility():
    values = household(1)
    values[0, 0] = 700
    rules = RuleSet.of([RuleRow(rule_name="dynamic", parameters={"formula": "day_total > 3 * mean_total and day_zeros < 1"})])
    assert found(values, "dynamic", heads=month_before(), rules=rules)[0] == [(0, 0, 96)]
    values[0, 0, 5] = 0
    assert not found(values, "dynamic", heads=month_before(), rules=rules)[0]


@pytest.mark.parametrize("formula", ["__import__('os')", "day_total", "day_total > x", "day_total ** 9 > 1", "(lambda: 1)() > 0", "day_total >", "day_total > 'a'", "(" * 500])
def test_a_formula_lets_nothing_else_in(formula):
    with pytest.raises(FormulaNotUnderstood):
        understood(formula)


def test_siblings_that_are_absent():
    assert len(found(household(), "siblings", facts=facts(siblings=2, siblings_here=1))[0]) == 1
    assert not found(household(), "siblings", facts=facts(siblings=2, siblings_here=2))[0]


@pytest.mark.parametrize(("share", "finds"), [(1.09, 0), (1.12, 3), (0.9, 3)])
def test_meters_of_a_transformer_against_it(share, finds):
    values = household(1, channels=3)
    energy = np.array([[values.sum() * share]])
    known = Balance(groups=np.array([7], np.int32), energy=energy, is_whole=np.array([True]))
    assert len(found(values, "balance", facts=Facts.usual(3, group=7), balance=known)[0]) == finds


def test_readings_of_the_future_and_of_long_ago():
    values = household(1)
    assert not found(values, "future-stale", now=MONDAY + DAY - 600)[0]
    assert found(values, "future-stale", now=MONDAY + DAY - 601)[0] == [(0, 95, 96)]
    assert not found(values, "future-stale", now=MONDAY + DAY + 400 * DAY)[0]
    assert found(values, "future-stale", now=MONDAY + DAY + 400 * DAY + 1)[0] == [(0, 0, 96)]


@pytest.mark.parametrize("factor", [10, 0.1])
def test_a_multiplier_that_was_lost(factor):
    values = household(20)
    values[0, 15:] = values[0, 15:] * factor
    places, out = found(values, "scale-change")
    assert [first // SLOTS for _, first, _ in places] == [15, 16, 17, 18, 19]
    assert {each.severity for each in out} == {"failure"}


def test_going_away_is_not_a_lost_multiplier():
    values = household(20)
    values[0, 15:] = 40
    assert not found(values, "scale-change")[0]


def test_rows_of_a_rule_table_are_laid_over_one_another():
    rows = [
        RuleRow(rule_name="spike", parameters={"ratio": 3.0}),
        RuleRow(rule_name="spike", meter_class="industrial", parameters={"floor_kwh_per_hour": 500.0}, severity="info"),
        RuleRow(rule_name="zero", meter_class="electric", is_off=True),
    ]
    rules = RuleSet.of(rows)
    assert rules.parameters("spike") == {"ratio": 3.0, "floor_kwh_per_hour": 5.0, "severity": "failure"}
    assert rules.parameters("spike", "industrial") == {"ratio": 3.0, "floor_kwh_per_hour": 500.0, "severity": "info"}
    assert rules.parameters("zero") == {}
    assert rules.parameters("zero", commodity="gas")["hours"] == 720
    values = np.zeros((2, 1, SLOTS), dtype=np.int32)
    assert not found(values, "zero", rules=rules)[0]


@pytest.mark.parametrize(
    "row",
    [
        RuleRow(rule_name="spyke"),
        RuleRow(rule_name="spike", parameters={"ration": 1}),
        RuleRow(rule_name="spike", parameters={"ratio": "much"}),
        RuleRow(rule_name="spike", parameters={"ratio": float("nan")}),
    ],
)
def test_a_rule_table_that_names_what_is_not_there_is_refused(row):
    with pytest.raises(RuleNotFound) as refused:
        RuleSet.of([row])
    assert refused.value.cure


def test_profiles_say_where_they_come_from():
    assert set(PROFILES) == {"default", "california", "aemo", "ontario"}
    for name, profile in PROFILES.items():
        assert RuleSet.of(profile=name).rows
        assert name == "default" or "emembered" in profile.source
    assert PROFILES["ontario"].linear_s == 3600
    with pytest.raises(RuleNotFound):
        RuleSet.of(profile="texas")
