"""The readings: repeatable, whole, of the right size and shape, and wrong exactly where they are meant to be."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from mains.demo import generate, registers, shapes, stories
from mains.demo.faults import ESTIMATED, MISSING, NO_VALUE, QUESTIONABLE
from mains.demo.span import DAYS, SLOTS, local_months, span
from mains.metering.model import MISSING as METERING_MISSING
from mains.metering.model import Quality

CHICAGO = span("America/Chicago", -360)
LAST_YEAR = slice(-365 * 96, None)


def digest(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def at(text):
    return CHICAGO.slot_of_local(text)


def hours(kind, months, start, end):
    """Slots of a kind of day, in months of the year, between hours of the local clock."""
    month = np.array([datetime.fromtimestamp(int(s), ZoneInfo("America/Chicago")).month for s in CHICAGO.starts[::96]]).repeat(96)
    clock = CHICAGO.local_slot / 4
    return (CHICAGO.day_kind == kind) & np.isin(month, months) & (clock >= start) & (clock < end)


def test_codes_are_those_of_metering():
    assert MISSING == METERING_MISSING
    assert (ESTIMATED, QUESTIONABLE, NO_VALUE) == (Quality.ESTIMATED, Quality.QUESTIONABLE, Quality.MISSING)


def test_the_span_holds_thirteen_local_months_whole_and_its_clock_changes():
    assert datetime.fromtimestamp(CHICAGO.first_day_start, UTC) == datetime(2025, 9, 30, 6, tzinfo=UTC)
    months = local_months()
    assert len(months) == 13
    slots = [(CHICAGO.slot_of_midnight(a), CHICAGO.slot_of_midnight(b)) for a, b in months]
    assert slots[0][0] == 92
    assert slots[-1][1] <= SLOTS
    days = (date(2025, 11, 2), date(2026, 3, 8), date(2026, 7, 1))
    assert [CHICAGO.slot_of_midnight(date.fromordinal(d.toordinal() + 1)) - CHICAGO.slot_of_midnight(d) for d in days] == [100, 92, 96]


def test_days_of_the_clock_change_are_complete(town):
    clean = [c.index for c in town.plan.channels[: town.plan.interval_channels] if (c.from_slot, c.to_slot) == (0, SLOTS)]
    for day in (date(2025, 11, 2), date(2026, 3, 8)):
        first, last = CHICAGO.slot_of_midnight(day), CHICAGO.slot_of_midnight(date.fromordinal(day.toordinal() + 1))
        gaps = sum(o[3] == NO_VALUE and o[1] < last and o[2] > first for o in town.batch.overrides)
        assert (town.raw[clean][:, first:last] == MISSING).any(axis=1).sum() == gaps


def test_values_do_not_depend_on_chunks_threads_or_the_size_of_the_demo(town):
    whole = digest(town.raw)
    parts = [range(a, min(a + 37, town.plan.interval_channels)) for a in range(0, town.plan.interval_channels, 37)]
    with ThreadPoolExecutor(2) as pool:
        batches = list(pool.map(lambda part: generate.readings(town.plan, part), parts))
    assert digest(np.concatenate([b.values for b in batches])) == whole
    assert [o for b in batches for o in b.overrides] == town.batch.overrides
    small = generate.plan(customers=45)
    few = generate.readings(small, range(small.interval_channels))
    by_key = {c.key: c.index for c in town.plan.channels}
    where = [by_key[c.key] for c in small.channels[: small.interval_channels]]
    feeder_cuts = [slice(i.from_slot, i.to_slot) for i in small.interruptions]
    assert feeder_cuts
    assert digest(few.values.reshape(len(where), -1)) == digest(town.raw[where])


def test_another_process_makes_the_same_values():
    code = (
        "import hashlib; from mains.demo import generate; p = generate.plan(customers=12);"
        "print(hashlib.sha256(generate.readings(p, range(p.interval_channels)).values.tobytes()).hexdigest())"
    )
    made = set()
    for seed in ("1", "2"):
        world = os.environ | {"PYTHONHASHSEED": seed}
        made.add(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=world).stdout)
    plan = generate.plan(customers=12)
    made.add(hashlib.sha256(generate.readings(plan, range(plan.interval_channels)).values.tobytes()).hexdigest() + "\n")
    assert len(made) == 1


@pytest.mark.parametrize(("kind", "low", "high"), [("residential", 6.0, 14.0), ("commercial", 30.0, 300.0), ("industrial", 1000.0, 8000.0)])
def test_annual_energy_is_of_the_right_size(town, kind, low, high):
    numbers = [n for n, c in town.customer.items() if c.customer_class == kind and c.story not in ("new_building", "meter_exchange")]
    mwh = np.array([town.wh[town.channel[n, "delivered"], LAST_YEAR].sum() / 1e6 for n in numbers])
    assert low < np.median(mwh) < high
    assert low < mwh.mean() < high
    assert (mwh > low / 2.2).all()
    assert (mwh < high * 2).all()


def test_no_home_draws_more_than_its_service_carries(town):
    homes = [town.channel[n, "delivered"] for n, c in town.customer.items() if c.customer_class == "residential" and c.story != "spike"]
    flagged = {o[0] for o in town.batch.overrides if o[3] == QUESTIONABLE}
    assert town.wh[[i for i in homes if i not in flagged]].max() < 200 * 240 / 4


def test_the_system_peaks_on_a_summer_weekday_afternoon(town):
    system = town.wh[: len(town.customer)].sum(axis=0)
    peak = int(system.argmax())
    assert CHICAGO.day_kind[peak] == 0
    assert 12 <= CHICAGO.local_slot[peak] / 4 <= 20
    assert datetime.fromtimestamp(int(CHICAGO.starts[peak]), ZoneInfo("America/Chicago")).month in (6, 7, 8)


def test_a_home_with_air_conditioning_works_hardest_on_summer_evenings(town):
    home = town.wh[town.channel[town.story["air_conditioning"].number, "delivered"]]
    on_peak, night = home[hours(0, (7, 8), 15, 20)].mean(), home[hours(0, (7, 8), 2, 6)].mean()
    assert on_peak > 2 * night
    assert on_peak > 1.6 * home[hours(0, (4, 5), 15, 20)].mean()


def test_a_solar_home_exports_at_noon_and_never_at_night(town):
    number = town.story["solar"].number
    bought, sold = town.wh[town.channel[number, "delivered"]], town.wh[town.channel[number, "received"]]
    assert sold[hours(0, (4, 5, 6), 11, 14)].mean() > 300
    assert sold[(CHICAGO.local_slot < 16) | (CHICAGO.local_slot > 88)].sum() == 0
    assert not ((bought > 0) & (sold > 0)).any()


def test_a_car_charges_at_night_on_its_rate(town):
    home = town.wh[town.channel[town.story["ev"].number, "delivered"]]
    night = home.reshape(DAYS, 96)[:, :12].max(axis=1)
    assert (night > 1500).mean() > 0.3
    accounts = {a.key for a in town.plan.accounts if a.customer == town.story["ev"].key}
    assert next(r.rate for r in town.plan.rate_assignments if r.account in accounts) == "RS-EV"


def test_offices_rest_at_the_weekend_and_one_shift_works_at_night(town):
    pairs = zip(town.plan.premises, town.plan.loads, strict=True)
    loads = {p.number: shapes.LIVES[int(row["life"])] for p, row in pairs if p.utility == town.riverbend}
    for life in ("office", "one_shift"):
        for number in [n for n, found in loads.items() if found == life]:
            load = town.wh[town.channel[number, "delivered"]]
            busy = load[hours(0, (4, 5, 9, 10), 9, 15)].mean()
            assert load[hours(2, (4, 5, 9, 10), 9, 15)].mean() < 0.6 * busy
            assert load[hours(0, (4, 5, 9, 10), 1, 4)].mean() < 0.75 * busy


def test_power_cuts_are_zeros_for_those_behind_the_edge_and_nobody_else(town):
    storm = next(i for i in town.plan.interruptions if i.cause == "vehicle")
    assert storm.customers == 100
    dark = {n for n in town.customer if (n - 1) % 4 == storm.feeder}
    for number in town.customer:
        cut = town.wh[town.channel[number, "delivered"], storm.from_slot : storm.to_slot]
        if number in dark:
            assert not cut.any()
        elif town.customer[number].customer_class == "industrial":
            assert cut.all()


def test_flaws_are_as_many_as_documented():
    plan = generate.plan(customers=2000)
    batch = generate.readings(plan, range(1))
    assert len(batch.values) == 1
    kinds = Counter()
    for number in range(1, 2001):
        kinds.update(flaw.kind for flaw in generate.faults.flaws(plan.seed, "riverbend", number, CHICAGO))
    assert 190 <= kinds["estimated"] + kinds["missing"] <= 330
    assert 12 <= kinds["missing"] <= 60
    assert 15 <= kinds["spike"] <= 60


def test_flaws_are_flagged_where_they_are(town):
    flagged = np.zeros(town.raw.shape, bool)
    for channel, start, end, code in town.batch.overrides:
        flagged[channel, start:end] = True
        assert (town.raw[channel, start:end] == MISSING).all() == (code == NO_VALUE)
    for c in town.plan.channels[: town.plan.interval_channels]:
        hung = slice(c.from_slot, c.to_slot)
        assert not (town.raw[c.index, hung] == MISSING)[~flagged[c.index, hung]].any()
    spike = town.channel[town.story["spike"].number, "delivered"]
    slot = CHICAGO.slot_of_midnight(stories.SPIKE_DATE) + 57
    assert (spike, slot, slot + 1, QUESTIONABLE) in town.batch.overrides
    assert town.wh[spike, slot] >= 3000


def test_a_new_building_and_an_exchanged_meter_have_readings_only_while_they_hang(town):
    new = town.raw[town.channel[town.story["new_building"].number, "delivered"]]
    begins = CHICAGO.slot_of_midnight(stories.NEW_BUILDING)
    assert (new[:begins] == MISSING).all()
    assert (new[begins:] != MISSING).all()
    old, on = (c for c in town.plan.channels[: town.plan.interval_channels] if c.premise_number == 27 and c.utility == town.riverbend)
    assert (town.raw[old.index] != MISSING).sum() + (town.raw[on.index] != MISSING).sum() == SLOTS


def test_an_empty_home_uses_little(town):
    home = town.wh[town.channel[town.story["long_holiday"].number, "delivered"]]
    away = slice(*(CHICAGO.slot_of_midnight(d) for d in stories.LONG_HOLIDAY))
    assert home[away].mean() < 0.7 * home[: away.start].mean()


def test_a_register_has_no_quarter_hours(town):
    with pytest.raises(ValueError, match="is a register"):
        generate.readings(town.plan, range(town.plan.interval_channels, town.plan.interval_channels + 1))


@pytest.fixture(scope="module")
def dials(town):
    """Reads by (premise number, commodity): instants, figures, quality codes."""
    reads = generate.register_reads(town.plan)
    ends = np.searchsorted(reads.channel, np.arange(len(town.plan.channels) + 1))
    return {
        (c.premise_number, c.commodity): (reads.read_at[a:b], reads.value[a:b], reads.quality[a:b])
        for c, a, b in zip(town.plan.channels, ends, ends[1:], strict=False)
        if c.interval_s is None
    }


def test_water_is_read_at_every_local_midnight_and_gas_at_every_month(town, dials):
    full = {"water": 397, "gas": 14}
    for (number, commodity), (instants, figures, _) in dials.items():
        story = town.customer[number].story
        assert (np.diff(instants) > 0).all()
        assert all(datetime.fromtimestamp(int(i), ZoneInfo("America/Chicago")).hour == 0 for i in instants[:: max(1, len(instants) // 14)])
        assert (figures < 10 ** registers.dial_digits(commodity, town.customer[number].customer_class)).all()
        if not story:
            assert full[commodity] - 1 <= len(instants) <= full[commodity]
    lost = sum(len(i) < 397 for (n, commodity), (i, _, _) in dials.items() if commodity == "water" and not town.customer[n].story)
    assert lost > 0


def test_month_boundaries_are_never_lost_but_in_the_story_that_loses_one(town, dials):
    wanted = {CHICAGO.midnight(a) for a, _ in local_months()}
    for (number, commodity), (instants, _, _) in dials.items():
        absent = wanted - set(instants.tolist())
        story = town.customer[number].story
        if story == "gas_read_missing" and commodity == "gas":
            assert absent == {CHICAGO.midnight(stories.GAS_READ_MISSING)}
        elif story != "new_building":
            assert not absent, (number, commodity)


def test_a_gas_dial_rolls_over_and_a_water_leak_runs_day_and_night(town, dials):
    _, gas, _ = dials[town.story["gas_rollover"].number, "gas"]
    assert (np.diff(gas) < 0).sum() == 1
    instants, water, _ = dials[town.story["water_leak"].number, "water"]
    begins = np.searchsorted(instants, CHICAGO.midnight(stories.LEAK_FROM))
    daily = np.diff(water)
    assert daily[begins:].min() >= 360
    assert daily[: begins - 1].mean() < 360


def test_moves_have_a_read_on_the_day(town, dials):
    for story, day in (("final_bill", stories.NEIGHBOUR_LEFT), ("moves_house", stories.MOVED_OUT)):
        for commodity in ("gas", "water"):
            if (found := dials.get((town.story[story].number, commodity))) is not None:
                assert CHICAGO.midnight(day) in found[0]
