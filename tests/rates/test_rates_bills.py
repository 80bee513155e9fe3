"""Bills in the words of those who read them: a tariff, readings, and what is due; then what holds for any tariff and readings."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Bill
from tariffs import BY_SEASON, DENVER, JUNE, SEASONS, constant, demand, energy, fixed, ladder, rate, rates, readings

from mains.rates.calendars import Holiday, holidays_of
from mains.rates.compile import UnableToPriceRate, compile_plan
from mains.rates.engine import UnableToReduceReadings, determinants, peaks_by_period, register_determinants, total_energy
from mains.rates.explain import explain
from mains.rates.model import Fixed, Minimum, Percent, Proration
from mains.rates.price import price


def bill(version, wh, *, period=JUNE, interval_s=900, segment=None, meters=None):
    """[(title, quantity, amount)] and the total of one account."""
    plan = compile_plan(version, period=period, segment=segment, interval_s=interval_s)
    values = constant(plan, wh) if isinstance(wh, int) else np.asarray(wh, dtype=np.int32)[None]
    used = determinants(plan, values, meters=meters)
    lines = price(plan, used)
    told = explain(plan, used, 0)
    assert [t.amount for t in told] == [amount for _, _, amount in lines.bill(0)]
    return [(s.title, str(q), str(a)) for s, q, a in lines.bill(0)], Decimal(int(lines.total[0])).scaleb(-2)


def between(first, last, zone=DENVER):
    return (datetime.combine(first, datetime.min.time(), zone), datetime.combine(last, datetime.min.time(), zone))


def test_a_flat_price_and_a_service_charge():
    lines, total = bill(rate(fixed("8.25"), energy(ladder((None, "0.10276")))), 250)
    assert lines == [("Service charge", "1", "8.25"), ("Energy", "720.000", "73.99")]
    assert total == Decimal("82.24")


def test_tiers_are_cumulative_steps():
    lines, _ = bill(rate(energy(ladder((500, "0.10"), (600, "0.20"), (None, "0.30")))), 250)
    assert lines == [("Energy, tier 1", "500.000", "50.00"), ("Energy, tier 2", "100.000", "20.00"), ("Energy, tier 3", "120.000", "36.00")]


def test_a_peak_window_is_half_open_on_the_local_clock():
    """22 weekdays of 4.5 hours: 16:00 belongs to the peak, 20:30 does not."""
    lines, _ = bill(rate(energy(ladder((None, "0.1"), period="off"), ladder((None, "0.3"), period="peak"), schedule="evenings")), 1000)
    assert lines == [("Energy, off", "2484.000", "248.40"), ("Energy, peak", "396.000", "118.80")]


def test_pooled_tiers_give_each_period_its_share():
    lines, _ = bill(
        rate(
            energy(
                ladder((1440, "0.10"), (None, "0.20"), period="off"),
                ladder((1440, "0.30"), (None, "0.40"), period="peak"),
                schedule="evenings",
            )
        ),
        1000,
    )
    assert [line[:2] for line in lines] == [
        ("Energy, off, tier 1", "1242.000"),
        ("Energy, peak, tier 1", "198.000"),
        ("Energy, off, tier 2", "1242.000"),
        ("Energy, peak, tier 2", "198.000"),
    ]


def test_chronological_tiers_fill_in_the_order_of_use():
    """1440 kWh are reached at the end of 15 June: the first half of the month is all of tier 1."""
    steps = ((1440, "0.10"), (None, "0.20"))
    version = rate(energy(ladder(*steps, period="off"), ladder(*steps, period="peak"), schedule="evenings", allocation="chronological"))
    lines, _ = bill(version, 1000)
    assert [line[:2] for line in lines] == [
        ("Energy, off, tier 1", "1242.000"),
        ("Energy, peak, tier 1", "198.000"),
        ("Energy, off, tier 2", "1242.000"),
        ("Energy, peak, tier 2", "198.000"),
    ]
    later = np.zeros(2880, dtype=np.int64)
    later[1440:] = 2000
    lines, _ = bill(version, later)
    assert sum(Decimal(quantity) for title, quantity, _ in lines if title.endswith("tier 1")) == 1440


def test_demand_is_the_highest_window_in_kilowatts():
    load = np.full(2880, 250)
    load[1000] = 1500
    version = rate(demand(ladder((None, "12.50"))), demand(ladder((None, "12.50")), id="half hour", window_minutes=30))
    assert bill(version, load)[0] == [("Demand", "6.000", "75.00"), ("Demand", "3.500", "43.75")]


def test_demand_by_schedule_looks_only_at_its_period():
    load = np.full(2880, 100)
    load[0] = 2000  # midnight of the first, off peak
    version = rate(demand(ladder((None, "1"), period="off"), ladder((5, "2"), (None, "3"), period="peak"), schedule="evenings"))
    assert [line[:2] for line in bill(version, load)[0]] == [("Demand, off", "8.000"), ("Demand, peak, tier 1", "0.400")]


def test_riders_and_taxes_are_taken_in_order():
    version = rate(
        fixed("10"),
        energy(ladder((None, "0.10"))),
        Percent(id="fuel", label="Fuel rider", rate=Decimal("0.05"), of=("energy",)),
        Percent(id="city", label="City tax", rate=Decimal("0.08"), of=("fixed", "energy", "percent"), tags=("tax",)),
    )
    lines, total = bill(version, 250)
    assert lines[2:] == [("Fuel rider", "72.00", "3.60"), ("City tax", "85.60", "6.85")]
    assert total == Decimal("92.45")


def test_a_minimum_adds_what_is_missing_and_nothing_more():
    version = rate(fixed("10"), energy(ladder((None, "0.10"))), Minimum(id="minimum", label="Minimum", amount=Decimal(30)))
    assert bill(version, 1)[0][-1] == ("Minimum", "10.29", "19.71")
    assert len(bill(version, 250)[0]) == 2


def test_a_charge_per_meter_and_one_per_day():
    version = rate(fixed("2.10", per="meter"), Fixed(id="day", label="Basic", amount=Decimal("0.79343"), per="day"))
    lines, _ = bill(version, 0, meters=[3])
    assert lines == [("Service charge", "3", "6.30"), ("Basic", "30", "23.80")]


@pytest.mark.parametrize(("start", "count"), [(date(2026, 3, 8), 92), (date(2026, 11, 1), 100), (date(2026, 6, 1), 96)])
def test_a_day_of_clock_change_has_its_own_length(start, count):
    plan = compile_plan(rate(fixed()), period=between(start, date.fromordinal(start.toordinal() + 1)), interval_s=900)
    assert plan.intervals == count


def test_the_hour_that_comes_twice_is_billed_twice_in_its_period():
    from mains.rates.calendars import Schedule, ScheduleRow, Span

    nights = Schedule(
        name="evenings",
        rows=(
            ScheduleRow(
                spans=(
                    Span(starts="00:00", ends="01:00", period="off"),
                    Span(starts="01:00", ends="02:00", period="peak"),
                    Span(starts="02:00", ends="24:00", period="off"),
                )
            ),
        ),
    )
    version = rate(
        energy(ladder((None, "0.1"), period="off"), ladder((None, "0.3"), period="peak"), schedule="evenings"), schedules=(nights,)
    )
    assert bill(version, 1000, period=between(date(2026, 11, 1), date(2026, 11, 2)))[0][1][1] == "8.000"
    assert bill(version, 1000, period=between(date(2026, 3, 8), date(2026, 3, 9)))[0][1][1] == "4.000"


def test_a_holiday_is_what_the_version_says():
    day = date(2026, 7, 3)
    listed = {
        "holidays": (Holiday(date=day, name="Independence Day"),),
        "holidays_from": date(2026, 1, 1),
        "holidays_through": date(2026, 12, 31),
    }
    charges = energy(ladder((None, "0.1"), period="off"), ladder((None, "0.3"), period="peak"), schedule="evenings")
    plain, with_holiday = rate(charges), rate(charges, calendar=listed)
    period = between(day, date(2026, 7, 4))
    assert len(bill(plain, 100, period=period)[0]) == 2
    assert len(bill(with_holiday, 100, period=period)[0]) == 1
    with pytest.raises(UnableToPriceRate, match="holidays"):
        compile_plan(with_holiday, period=between(date(2027, 7, 1), date(2027, 8, 1)), interval_s=900)


def test_holidays_are_copied_out_of_the_library():
    found = holidays_of("US", years=[2026], subdivision="CO")
    assert date(2026, 12, 25) in {holiday.date for holiday in found}
    assert found == tuple(sorted(found, key=lambda holiday: holiday.date))


def test_a_season_crosses_the_year_end_and_splits_a_bill_by_days():
    version = rate(
        energy(
            ladder((300, "0.10"), (None, "0.20"), period="summer"),
            ladder((600, "0.05"), (None, "0.07"), period="winter"),
            schedule="by season",
        ),
        schedules=(BY_SEASON,),
        seasons=SEASONS,
    )
    january = bill(version, 250, period=between(date(2026, 1, 1), date(2026, 1, 31)))[0]
    assert january == [("Energy, tier 1", "600.000", "30.00"), ("Energy, tier 2", "120.000", "8.40")]
    across = bill(version, 250, period=between(date(2026, 5, 17), date(2026, 6, 16)))[0]
    assert [line[:2] for line in across] == [
        ("Energy, summer, tier 1", "150.000"),
        ("Energy, summer, tier 2", "210.000"),
        ("Energy, winter, tier 1", "300.000"),
        ("Energy, winter, tier 2", "60.000"),
    ]


def test_a_short_final_bill_is_prorated_by_days():
    version = rate(fixed("30.00"), energy(ladder((600, "0.10"), (None, "0.20"))), demand(ladder((None, "3"))))
    lines, _ = bill(version, 1000, period=between(date(2026, 6, 1), date(2026, 6, 11)))
    assert lines == [
        ("Service charge", "1", "10.00"),
        ("Energy, tier 1", "200.000", "20.00"),
        ("Energy, tier 2", "760.000", "152.00"),
        ("Demand", "4.000", "4.00"),
    ]


def test_a_charge_in_full_is_due_whole_however_short_the_bill():
    version = rate(fixed("30.00"), proration=Proration(fixed="full"))
    assert bill(version, 0, period=between(date(2026, 6, 1), date(2026, 6, 11)))[1] == Decimal("30.00")


def test_a_new_price_inside_the_period_splits_the_bill_by_days_and_readings():
    old, new = rate(fixed("30"), energy(ladder((None, "0.10")))), rate(fixed("60"), energy(ladder((None, "0.20"))))
    change = datetime(2026, 6, 11, tzinfo=DENVER)
    first, _ = bill(old, 1000, segment=(JUNE[0], change))
    second, _ = bill(new, 1000, segment=(change, JUNE[1]))
    assert first == [("Service charge", "1", "10.00"), ("Energy", "960.000", "96.00")]
    assert second == [("Service charge", "1", "40.00"), ("Energy", "1920.000", "384.00")]


def test_demand_of_a_split_period_is_the_peak_of_all_of_it_by_day_share():
    load = np.full(2880, 100)
    load[2000] = 2500
    version, change = rate(demand(ladder((None, "9")))), datetime(2026, 6, 11, tzinfo=DENVER)
    assert bill(version, load, segment=(JUNE[0], change))[0] == [("Demand", "10.000", "30.00")]
    own = rate(demand(ladder((None, "9"))), proration=Proration(demand_over="segment"))
    assert bill(own, load, segment=(JUNE[0], change))[0] == [("Demand", "0.400", "1.20")]


def test_gas_and_water_are_priced_from_registers():
    version = rate(fixed("12"), energy(ladder((20, "1.10"), (None, "0.90")), unit="therm"), commodity="gas")
    plan = compile_plan(version, period=JUNE, interval_s=None)
    lines = price(plan, register_determinants(plan, [25_500, 0]))
    assert [(s.title, str(q), s.unit, str(a)) for s, q, a in lines.bill(0)][1:] == [
        ("Energy, tier 1", "20.000", "therm", "22.00"),
        ("Energy, tier 2", "5.500", "therm", "4.95"),
    ]
    assert list(lines.total) == [3895, 1200]


def test_a_register_read_over_a_change_of_season_is_shared_by_days():
    version = rate(
        energy(ladder((None, "1"), period="summer"), ladder((None, "2"), period="winter"), schedule="by season", unit="kgal"),
        schedules=(BY_SEASON,),
        seasons=SEASONS,
        commodity="water",
    )
    plan = compile_plan(version, period=between(date(2026, 5, 22), date(2026, 6, 21)), interval_s=None)
    used = register_determinants(plan, [10_001])
    assert [(s.title, str(q)) for s, q, _ in price(plan, used).bill(0)] == [("Energy, summer", "6.667"), ("Energy, winter", "3.334")]
    explain(plan, used, 0)


def test_a_register_cannot_tell_peak_from_off_peak():
    version = rate(energy(ladder((None, "0.1"), period="off"), ladder((None, "0.3"), period="peak"), schedule="evenings"))
    with pytest.raises(UnableToPriceRate, match="cannot tell"):
        compile_plan(version, period=JUNE, interval_s=None)
    with pytest.raises(UnableToPriceRate, match="cannot tell"):
        compile_plan(version, period=JUNE, interval_s=3600)  # the peak ends at 20:30


def test_readings_that_do_not_fit_are_refused():
    plan = compile_plan(rate(energy(ladder((None, "0.1")))), period=JUNE, interval_s=900)
    with pytest.raises(UnableToReduceReadings, match="2880"):
        determinants(plan, np.zeros((1, 96), dtype=np.int32))
    hole = constant(plan, 5)
    hole[0, 7] = np.iinfo(np.int32).min
    for kernel in ("numpy", "numba"):
        with pytest.raises(UnableToReduceReadings, match="reading 7 of account 0"):
            determinants(plan, hole, kernel=kernel)
    with pytest.raises(UnableToReduceReadings, match="float"):
        determinants(plan, np.zeros((1, 2880)))


def test_the_largest_customer_does_not_overflow():
    """A smelter of 3 GW for a month: tier × period leaves 64 bits, the bill does not notice."""
    steps = ((1000, "0.10"), (None, "0.04"))
    version = rate(energy(ladder(*steps, period="off"), ladder(*steps, period="peak"), schedule="evenings"), demand(ladder((None, "10"))))
    lines, total = bill(version, 750_000_000)
    assert sum(Decimal(q) for title, q, _ in lines if title.startswith("Energy")) == 2_160_000_000
    assert total == sum(Decimal(amount) for *_, amount in lines)


def test_a_tie_rounds_away_from_zero():
    assert bill(rate(energy(ladder((None, "0.005")))), 1000, period=between(date(2026, 6, 1), date(2026, 6, 2)))[0] == [
        ("Energy", "96.000", "0.48")
    ]
    exactly = np.zeros(2880, dtype=np.int64)
    exactly[0] = 1000
    for cost, due in (
        ("0.005", "0.01"),
        ("0.015", "0.02"),
        ("0.025", "0.03"),
        ("1.005", "1.01"),
        ("-0.005", "-0.01"),
        ("-1.005", "-1.01"),
        ("2.675", "2.68"),
    ):
        assert bill(rate(energy(ladder((None, cost)))), exactly)[0] == [("Energy", "1.000", due)], cost


seeds = st.integers(0, 2**32 - 1)
ONE_MONTH = st.sampled_from(
    [
        (date(2026, 6, 1), date(2026, 7, 1)),
        (date(2026, 3, 1), date(2026, 4, 1)),
        (date(2026, 10, 20), date(2026, 11, 12)),
        (date(2026, 5, 10), date(2026, 6, 20)),
    ]
)


@settings(max_examples=40, deadline=None)
@given(version=rates(), span=ONE_MONTH, seed=seeds)
def test_the_engine_equals_the_slow_calculator_to_the_cent(version, span, seed):
    start, end = between(*span)
    plan = compile_plan(version, period=(start, end), interval_s=1800)
    values = readings(2, plan.intervals, seed=seed)
    used = determinants(plan, values)
    lines = price(plan, used)
    for row in range(2):
        slow = Bill(version, start, end, 1800, [int(wh) for wh in values[row]])
        ours = {
            charge.id: sum(int(lines.amount[row, s.index]) for s in plan.layout if s.charge_id == charge.id) for charge in version.charges
        }
        assert ours == slow.cents
        assert int(lines.total[row]) == slow.total
        explain(plan, used, row)


@settings(max_examples=25, deadline=None)
@given(version=rates(), span=ONE_MONTH, seed=seeds, dtype=st.sampled_from([np.int16, np.int32, np.int64]))
def test_numpy_and_numba_give_the_same_bits(version, span, seed, dtype):
    plan = compile_plan(version, period=between(*span), interval_s=900)
    values = readings(70, plan.intervals, seed=seed).astype(dtype)
    one, other = determinants(plan, values, kernel="numpy"), determinants(plan, values, kernel="numba")
    assert np.array_equal(one.energy, other.energy)
    assert one.peaks.keys() == other.peaks.keys()
    assert all(np.array_equal(one.peaks[window], other.peaks[window]) for window in one.peaks)


@settings(max_examples=25, deadline=None)
@given(version=rates(), seed=seeds)
def test_lines_add_up_to_the_total_and_quantities_to_the_meter(version, seed):
    plan = compile_plan(version, period=JUNE, interval_s=900)
    values = readings(20, plan.intervals, seed=seed)
    lines = price(plan, determinants(plan, values))
    assert np.array_equal(lines.amount.sum(axis=1), lines.total)
    billed = lines.quantity[:, [s.index for s in plan.layout if s.charge_id == "energy"]].sum(axis=1)
    assert np.array_equal(billed, values.sum(axis=1))


@settings(max_examples=20, deadline=None)
@given(version=rates(), seed=seeds, day=st.integers(2, 30))
def test_splitting_a_period_conserves_energy(version, seed, day):
    change = datetime(2026, 6, day, tzinfo=DENVER)
    values = None
    parts = []
    for segment in ((JUNE[0], change), (change, JUNE[1])):
        plan = compile_plan(version, period=JUNE, segment=segment, interval_s=900)
        values = readings(3, plan.intervals, seed=seed)
        parts.append(total_energy(plan, determinants(plan, values)))
    assert np.array_equal(parts[0] + parts[1], values.sum(axis=1))


@settings(max_examples=25, deadline=None)
@given(version=rates(), seed=seeds, place=st.integers(0, 2), rise=st.decimals("0.00001", "1", places=5))
def test_raising_a_price_never_lowers_a_bill(version, seed, place, rise):
    """Each cell a line of its own: joining lines of one price, or a tie of shares, may move the rounding by a cent when prices cross."""
    from dataclasses import replace

    charges = list(version.charges)
    old = charges[1]
    tiers = old.ladders[place].tiers
    higher = replace(old.ladders[place], tiers=(replace(tiers[0], price=tiers[0].price + rise), *tiers[1:]))
    charges[1] = replace(old, ladders=(*old.ladders[:place], higher, *old.ladders[place + 1 :]))
    values = readings(10, 1440, seed=seed)
    totals = []
    for before in (version.charges, tuple(charges)):
        own = tuple(replace(c, allocation="chronological", lines="cell") if c.id == "energy" else c for c in before)
        plan = compile_plan(replace(version, charges=own), period=JUNE, interval_s=1800)
        totals.append(price(plan, determinants(plan, values)).total)
    assert (totals[1] >= totals[0]).all()


@settings(max_examples=25, deadline=None)
@given(version=rates(), seed=seeds, order=st.permutations(["off", "peak", "mid"]))
def test_the_names_of_periods_change_nothing(version, seed, order):
    from dataclasses import replace

    names = dict(zip(["off", "peak", "mid"], [f"{name}*" for name in order], strict=True)) | {"all": "all"}

    def renamed(schedule):
        return replace(
            schedule, rows=tuple(replace(row, spans=tuple(replace(s, period=names[s.period]) for s in row.spans)) for row in schedule.rows)
        )

    charges = []
    for charge in version.charges:
        ladders = sorted((replace(one, period=names[one.period]) for one in getattr(charge, "ladders", ())), key=lambda one: one.period)
        charges.append(replace(charge, ladders=tuple(ladders)) if getattr(charge, "schedule", None) else charge)
    other = replace(
        version, charges=tuple(charges), calendar=replace(version.calendar, schedules=tuple(map(renamed, version.calendar.schedules)))
    )
    totals = []
    for one in (version, other):
        plan = compile_plan(one, period=JUNE, interval_s=900)
        totals.append(price(plan, determinants(plan, readings(10, plan.intervals, seed=seed))).total)
    assert np.array_equal(*totals)


def test_a_plan_is_compiled_once_for_the_same_rate_and_period():
    version = rate(fixed(), energy(ladder((None, "0.1"))))
    again = rate(fixed(), energy(ladder((None, "0.10"))))
    assert compile_plan(version, period=JUNE, interval_s=900) is compile_plan(again, period=JUNE, interval_s=900)


def test_peaks_are_told_by_period():
    version = rate(demand(ladder((None, "1"), period="off"), ladder((None, "2"), period="peak"), schedule="evenings"))
    plan = compile_plan(version, period=JUNE, interval_s=900)
    found = peaks_by_period(plan.parts[0], determinants(plan, constant(plan, 250)))
    assert {period: int(peak[0]) for period, peak in found.items()} == {"off": 250, "peak": 250}


def test_a_period_must_be_local_midnights():
    with pytest.raises(UnableToPriceRate, match="not midnight in America/Denver"):
        compile_plan(rate(fixed()), period=(datetime(2026, 6, 1, tzinfo=ZoneInfo("UTC")), JUNE[1]), interval_s=900)
    with pytest.raises(UnableToPriceRate, match="no time zone"):
        compile_plan(rate(fixed()), period=(datetime(2026, 6, 1), JUNE[1]), interval_s=900)  # noqa: DTZ001
