"""Mistakes that other calculators make, each by name, as tests that this one does not.

The first part are quirks of the reference calculators, the second faults of the design this program began from.
"""

import json
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tariffs import DENVER, JUNE, constant, demand, energy, fixed, ladder, rate, readings

from mains.rates.checks import check_version
from mains.rates.compile import UnableToPriceRate, compile_plan
from mains.rates.engine import UnableToReduceReadings, determinants, register_determinants
from mains.rates.loads import UnableToReadLoad, read_load
from mains.rates.model import Percent
from mains.rates.price import price
from mains.rates.urdb import from_urdb

FLAT = [[0] * 24 for _ in range(12)]


def document(**members):
    return {
        "energyratestructure": [[{"rate": Decimal("0.10"), "unit": "kWh"}]],
        "energyweekdayschedule": deepcopy(FLAT),
        "energyweekendschedule": deepcopy(FLAT),
    } | members


def codes(issues):
    return {issue.code for issue in issues if issue.severity == "error"}


def total(version, values, *, period=JUNE, interval_s=900, segment=None):
    plan = compile_plan(version, period=period, segment=segment, interval_s=interval_s)
    return int(price(plan, determinants(plan, values if isinstance(values, np.ndarray) else constant(plan, values))).total[0])


# -- quirks of the reference calculators


def test_quirk_1_tier_allocation_is_a_named_field_not_a_side_effect():
    steps = {"off": ((500, "0.10"), (None, "0.20")), "peak": ((500, "0.30"), (None, "0.90"))}
    bills = {}
    for allocation in ("prorata", "chronological"):
        ladders = [ladder(*tiers, period=period) for period, tiers in steps.items()]
        bills[allocation] = total(rate(energy(*ladders, schedule="evenings", allocation=allocation)), readings(1, 2880, seed=1))
    assert bills["prorata"] != bills["chronological"]
    structure = [[{"rate": Decimal("0.1"), "max": 500}, {"rate": Decimal("0.2")}]]
    for allocation in bills:
        version, _ = from_urdb(document(energyratestructure=structure), allocation=allocation)
        assert version.charges[0].allocation == allocation


def test_quirk_2_a_finite_top_tier_is_refused_instead_of_dropping_use():
    version, issues = from_urdb(document(energyratestructure=[[{"rate": Decimal("0.15"), "max": 200, "unit": "kWh"}]]))
    assert version is None
    assert codes(issues) == {"finite-top-tier"}
    assert issues[0].field == "energyratestructure[0][0].max"
    with pytest.raises(UnableToPriceRate, match="last tier ends at 200"):
        compile_plan(rate(energy(ladder((200, "0.15")))), period=JUNE, interval_s=900)


@pytest.mark.parametrize("member", [{"lookbackpercent": Decimal("0.5")}, {"lookbackRange": 3}, {"lookbackMonths": [1, *[0] * 11]}])
def test_quirks_3_and_4_a_ratchet_is_refused_not_ignored(member):
    version, issues = from_urdb(document(**member))
    assert version is None
    assert next(iter(codes(issues))).startswith("not-priced-lookback")


def test_a_ratchet_of_the_older_form_is_refused_not_ignored():
    version, issues = from_urdb(document(demandRatchetPercentage=[0.8] * 12))
    assert version is None
    assert codes(issues) == {"not-priced-demandratchetpercentage"}


def test_quirk_5_the_document_is_not_changed_by_reading_it():
    raw = document(flatdemandstructure=[[{"rate": Decimal(5)}]], flatdemandmonths=[0] * 12)
    before = deepcopy(raw)
    first, _ = from_urdb(raw)
    second, _ = from_urdb(raw)
    assert raw == before
    assert first == second


def test_quirk_5_shared_rows_stay_what_they_are():
    shared = document(energyweekdayschedule=[[0] * 24] * 12, energyweekendschedule=[[0] * 24] * 12)
    assert from_urdb(shared)[0] == from_urdb(document())[0]


def test_quirk_6_a_charge_per_day_counts_the_days_billed():
    version, _ = from_urdb(document(fixedchargefirstmeter=Decimal("0.5"), fixedchargeunits="$/day"), timezone="America/Denver")
    for month, days in ((2, 28), (4, 30), (12, 31)):
        start = datetime(2026, month, 1, tzinfo=DENVER)
        end = datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=DENVER)
        assert total(version, 0, period=(start, end)) == days * 50


def test_quirk_7_unequal_ladders_in_one_month_are_refused_or_priced_each_on_its_own():
    day = [0] * 12 + [1] * 12
    uneven = document(
        energyratestructure=[[{"rate": Decimal("0.1"), "max": 500}, {"rate": Decimal("0.2")}], [{"rate": Decimal("0.3")}]],
        energyweekdayschedule=[day] * 12,
    )
    version, issues = from_urdb(uneven)
    assert version is None
    assert codes(issues) == {"unequal-ladders"}
    assert from_urdb(uneven, pool="period")[0] is not None


def test_quirk_8_a_header_or_a_byte_order_mark_is_not_a_reading(tmp_path):
    file = tmp_path / "load.csv"
    file.write_text("\ufeffkwh\n" + "1.5\n" * 8760, encoding="utf-8")
    assert read_load(file, start="2018-01-01T00:00", timezone="Etc/GMT+8").readings == [1500] * 8760
    file.write_text("1.5\n" * 8760)
    with pytest.raises(UnableToReadLoad, match="line 1: the header"):
        read_load(file, start="2018-01-01T00:00", timezone="Etc/GMT+8")


# -- faults 14 to 35 of the design, where they are about pricing


def test_fault_16_a_price_change_inside_the_period_is_split():
    old, new, change = rate(energy(ladder((None, "0.1")))), rate(energy(ladder((None, "0.2")))), datetime(2026, 6, 16, tzinfo=DENVER)
    assert total(old, 1000, segment=(JUNE[0], change)) + total(new, 1000, segment=(change, JUNE[1])) == 14400 + 28800


def test_fault_18_a_rate_without_charges_is_an_error_not_a_row_of_nothing():
    with pytest.raises(UnableToPriceRate, match="no charge at all"):
        compile_plan(rate(), period=JUNE, interval_s=900)


def test_fault_19_no_use_still_owes_the_service_charge_and_missing_readings_never_bill_zero():
    version = rate(fixed("500"), energy(ladder((None, "0.1"))))
    assert total(version, 0) == 50_000
    with pytest.raises(UnableToReduceReadings, match="2880"):
        determinants(compile_plan(version, period=JUNE, interval_s=900), np.zeros((1, 0), dtype=np.int32))


def test_fault_20_a_kilowatt_hour_is_charged_once():
    version = rate(energy(ladder((None, "0.1"), period="off"), ladder((None, "0.3"), period="peak"), schedule="evenings"))
    plan = compile_plan(version, period=JUNE, interval_s=900)
    lines = price(plan, determinants(plan, constant(plan, 1000)))
    assert int(lines.quantity.sum()) == 2_880_000


def test_fault_21_tiers_are_calculated():
    assert total(rate(energy(ladder((500, "0.10"), (None, "0.20")))), 250) == 5000 + 4400


def test_fault_22_a_constant_kilowatt_is_a_demand_of_one_kilowatt():
    for interval_s, wh in ((900, 250), (1800, 500), (3600, 1000)):
        assert total(rate(demand(ladder((None, "10")))), wh, interval_s=interval_s) == 1000


def test_fault_23_a_window_of_hours_is_half_open():
    """06:00 to 18:00 is 12 of 24 hours: 360 of June's 720."""
    from mains.rates.calendars import Schedule, ScheduleRow, Span

    spans = (("00:00", "06:00", "off"), ("06:00", "18:00", "peak"), ("18:00", "24:00", "off"))
    days = Schedule(name="days", rows=(ScheduleRow(spans=tuple(Span(starts=a, ends=b, period=p) for a, b, p in spans)),))
    version = rate(energy(ladder((None, "0"), period="off"), ladder((None, "1"), period="peak"), schedule="days"), schedules=(days,))
    assert total(version, 1000, interval_s=3600) == 36_000


def test_fault_24_weekends_and_local_time_count():
    version = rate(energy(ladder((None, "0"), period="off"), ladder((None, "1"), period="peak"), schedule="evenings"))
    elsewhere = rate(*version.charges, timezone="America/New_York")
    saturday = np.zeros(2880, dtype=np.int32)
    saturday[5 * 96 + 68] = 1000  # Saturday 6 June, 17:00
    assert total(version, saturday[None]) == 0
    east = ZoneInfo("America/New_York")
    with pytest.raises(UnableToPriceRate, match="midnight"):
        compile_plan(elsewhere, period=JUNE, interval_s=900)
    assert total(elsewhere, 1000, period=(datetime(2026, 6, 1, tzinfo=east), datetime(2026, 7, 1, tzinfo=east))) == 39_600


def test_fault_25_a_tax_stands_on_what_the_rate_says():
    version = rate(
        fixed("10"),
        energy(ladder((None, "0.1"))),
        demand(ladder((None, "5"))),
        Percent(id="tax", label="Tax", rate=Decimal("0.08"), of=("fixed", "energy", "demand"), tags=("tax",)),
    )
    assert total(version, 250) == round((1000 + 7200 + 500) * 1.08)


def test_fault_26_days_count_in_a_short_period():
    version = rate(fixed("30"))
    assert total(version, 0, period=(JUNE[0], datetime(2026, 6, 16, tzinfo=DENVER))) == 1500


def test_fault_27_consecutive_periods_share_no_day():
    version = rate(energy(ladder((None, "0.1"))))
    middle = datetime(2026, 6, 30, tzinfo=DENVER)
    counts = [compile_plan(version, period=span, interval_s=900).intervals for span in ((JUNE[0], middle), (middle, JUNE[1]))]
    assert counts == [29 * 96, 96]


def test_fault_28_and_31_money_is_whole_cents_and_the_total_is_the_sum_of_its_lines():
    version = rate(energy(ladder((None, "0.0749312"))), Percent(id="t", label="Tax", rate=Decimal("0.08"), of=("energy",)))
    plan = compile_plan(version, period=JUNE, interval_s=900)
    lines = price(plan, determinants(plan, readings(50, 2880, seed=4)))
    assert lines.amount.dtype == np.int64
    assert (lines.total == lines.amount.sum(axis=1)).all()


def test_fault_29_and_30_a_missing_price_is_an_error_never_free_energy():
    version = rate(energy(ladder((None, "0.1"), period="off"), schedule="evenings"))
    assert "missing-price" in {issue.code for issue in check_version(version)}
    structure = [[{"rate": Decimal("0.1")}], [{"unit": "kWh"}]]
    schedule = [[0] * 12 + [1] * 12] * 12
    assert codes(from_urdb(document(energyratestructure=structure, energyweekdayschedule=schedule))[1]) == {"missing-price"}


def test_fault_33_and_35_a_bill_is_reproducible_and_says_quantity_price_and_clause():
    version = rate(energy(ladder((None, "0.1")), clause="Sheet 12, paragraph 3"))
    plan = compile_plan(version, period=JUNE, interval_s=900)
    lines = price(plan, determinants(plan, constant(plan, 250)))
    ((line, quantity, amount),) = lines.bill(0)
    assert (line.clause, quantity, line.price, amount) == ("Sheet 12, paragraph 3", Decimal("720.000"), "0.10", Decimal("72.00"))
    assert len(plan.key) == len(plan.version_hash) == 64
    json.dumps([str(amount)])


def test_a_register_total_is_never_negative():
    plan = compile_plan(rate(energy(ladder((None, "1")), unit="therm"), commodity="gas"), period=JUNE, interval_s=None)
    with pytest.raises(UnableToReduceReadings, match="negative"):
        register_determinants(plan, [-1])


@pytest.mark.parametrize(
    "member",
    [
        {"energyratestructure": [[{"rate": Decimal("1e999999999")}]]},
        {"energyratestructure": [[{"rate": Decimal("0.1"), "adj": Decimal("-1e999999999")}]]},
        {"fixedchargefirstmeter": Decimal("1e999999999"), "fixedchargeunits": "$/month"},
        {"energyweekdayschedule": [[Decimal("1e999999999")] * 24] * 12},
        {"energyweekdayschedule": [[float("nan")] * 24] * 12},
        {"energyweekdayschedule": [[float("inf")] * 24] * 12},
    ],
    ids=["rate", "adjustment", "fixed charge", "schedule", "schedule of NaN", "schedule without end"],
)
def test_a_number_beyond_all_bounds_is_refused_at_once(member):
    version, issues = from_urdb(document(**member))
    assert version is None
    assert codes(issues) & {"absurd-number", "unknown-period"}


@pytest.mark.parametrize("date", [Decimal("1e999999999"), -(10**30), float("inf"), float("nan"), "yesterday"], ids=str)
def test_a_date_beyond_the_calendar_is_said_and_not_counted_out(date):
    _, issues = from_urdb(document(startdate=date))
    assert [issue.code for issue in issues] == ["bad-date"]


@pytest.mark.parametrize("cell", ["1_0", "\u0661\u0660", "1e999999999", "0x10"])
def test_a_cell_that_is_no_plain_number_is_refused_with_its_line(tmp_path, cell):
    path = tmp_path / "load.csv"
    path.write_text("kwh\n1\n" + f"{cell}\n" + "1\n" * 8758, encoding="utf-8")
    with pytest.raises(UnableToReadLoad, match="line 3"):
        read_load(path, start="2018-01-01T00:00", timezone="Etc/UTC")


@pytest.mark.parametrize(("start", "minutes"), [("9999-12-01", None), ("0001-01-01", None), ("2018-01-01", 0), ("2018-01-01", 10**9), ("2018-01-01", 7)])
def test_a_start_or_an_interval_that_no_load_has_is_refused(tmp_path, start, minutes):
    path = tmp_path / "load.csv"
    path.write_text("kwh\n" + "1\n" * 8760)
    with pytest.raises(UnableToReadLoad):
        read_load(path, start=f"{start}T00:00", timezone="Etc/UTC", interval_minutes=minutes)
