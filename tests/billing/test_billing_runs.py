"""Bill runs: what is billed, what is held, and that repeating changes nothing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from town import AFTERWARDS, ZONE, Town, home_rate, midnight

from mains.base.problems import Problem
from mains.billing import operations, queries
from mains.billing.explaining import UnableToExplainBill, explain_bill
from mains.billing.runs import UnableToRunCycle, run_cycle
from mains.billing.verifying import verify_bills
from mains.metering.closing import archive
from mains.metering.closing.operations import close_month

APRIL, MAY, JUNE = date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)


def flat(days: int, wh: int = 250):
    return np.full((days, 96), wh, dtype=np.int32)


def test_a_month_of_quarter_hours_becomes_a_bill_to_the_cent(town: Town):
    account, channel = town.home()
    town.measures(channel, flat(32), first=date(2026, 3, 31))

    report = town.bills(APRIL, MAY)

    assert (report.accounts, report.bills_made, report.exceptions) == (1, 1, 0)
    # 30 days x 96 x 250 Wh = 720 kWh: 12.50 + 500 x 0.10 + 220 x 0.15 = 95.50; 7 % of 12.50, 50.00 and 33.00 is 6.685, half-up 6.69
    assert town.bill_of(account, APRIL)[1] == Decimal("102.19")
    lines = town.ask("SELECT label, tier, quantity, unit, price, factor, amount FROM billing.bill_lines ORDER BY line_no")
    assert lines == [
        ("Customer charge", None, Decimal(1), "month", Decimal("12.50"), "1", Decimal("12.50")),
        ("Energy", 1, Decimal("500.000"), "kWh", Decimal("0.10"), "1", Decimal("50.00")),
        ("Energy", 2, Decimal("220.000"), "kWh", Decimal("0.15"), "1", Decimal("33.00")),
        ("Sales tax", None, Decimal("95.50"), "USD", Decimal("0.07"), "1", Decimal("6.69")),
    ]


def test_a_month_with_the_spring_change_has_an_hour_less(town: Town):
    account, channel = town.home()
    town.measures(channel, flat(33), first=date(2026, 2, 28))

    town.bills(date(2026, 3, 1), APRIL)

    assert town.ask("SELECT usage_kwh FROM billing.bills WHERE account_id = %s", account) == [(Decimal((31 * 96 - 4) * 250) / 1000,)]


def test_a_day_is_billed_in_one_month_only(town: Town):
    """The design that this one replaces billed the last day of a period twice."""
    account, channel = town.home()
    town.measures(channel, flat(63), first=date(2026, 3, 31))
    town.bills(APRIL, MAY)
    town.bills(MAY, JUNE)

    assert town.ask("SELECT sum(usage_kwh) FROM billing.bills WHERE account_id = %s", account) == [(Decimal(61 * 96 * 250) / 1000,)]


def test_a_second_run_makes_nothing(town: Town):
    _, channel = town.home()
    town.measures(channel, flat(32), first=date(2026, 3, 31))
    town.bills(APRIL, MAY)
    before = town.ask("SELECT bill_id, total_amount, output_sha256 FROM billing.bills")

    report = town.bills(APRIL, MAY)

    assert (report.bills_made, report.bills_existing) == (0, 1)
    assert town.ask("SELECT bill_id, total_amount, output_sha256 FROM billing.bills") == before


def test_missing_readings_hold_the_bill_and_say_which(town: Town):
    account, channel = town.home()
    values = flat(32)
    values[5, 10:14] = np.iinfo(np.int32).min
    town.measures(channel, values, first=date(2026, 3, 31))

    report = town.bills(APRIL, MAY)

    assert (report.bills_made, report.exceptions) == (0, 1)
    assert town.bill_of(account, APRIL) is None
    (code, message) = town.ask("SELECT code, message FROM billing.bill_exceptions WHERE account_id = %s", account)[0]
    assert code == "missing-readings"
    assert message == "4 of 2,880 readings are missing: 2026-04-05 03:30 to 2026-04-05 04:30"


def test_no_readings_at_all_never_bill_zero(town: Town):
    account, _ = town.home()

    town.bills(APRIL, MAY)

    assert town.held(account) == ["missing-readings"]
    assert town.bill_of(account, APRIL) is None


def test_a_held_bill_goes_out_when_its_readings_arrive(town: Town):
    account, channel = town.home()
    town.bills(APRIL, MAY)
    town.measures(channel, flat(32), first=date(2026, 3, 31))

    report = town.bills(APRIL, MAY)

    assert report.bills_made == 1
    assert town.held(account) == []


def test_doubtful_readings_hold_the_bill(town: Town):
    account, channel = town.home()
    quality = np.zeros((32, 96), dtype=np.uint8)
    quality[9, 40] = 6
    town.measures(channel, flat(32), first=date(2026, 3, 31), quality=quality)

    town.bills(APRIL, MAY)

    assert town.held(account) == ["doubtful-readings"]


def test_estimated_readings_are_billed_and_counted(town: Town):
    account, channel = town.home()
    quality = np.zeros((32, 96), dtype=np.uint8)
    quality[9, :8] = 2
    town.measures(channel, flat(32), first=date(2026, 3, 31), quality=quality)

    town.bills(APRIL, MAY)

    assert town.ask("SELECT estimated_readings FROM billing.bills WHERE account_id = %s", account) == [(8,)]


def test_a_price_change_inside_the_month_splits_the_bill(town: Town):
    town.publish("home", home_rate(price="0.20", effective_from=date(2026, 4, 11)))
    account, channel = town.home()
    town.measures(channel, flat(32), first=date(2026, 3, 31))

    town.bills(APRIL, MAY)

    lines = town.ask("SELECT segment_no, label, tier, quantity, price, factor, amount FROM billing.bill_lines ORDER BY line_no")
    # 10 of 30 days at the old price (240 kWh, tier bound 500 x 10/30), 20 at the new one (480 kWh, bound 500 x 20/30)
    assert lines[0] == (1, "Customer charge", None, Decimal(1), Decimal("12.50"), "1/3", Decimal("4.17"))
    assert lines[1] == (1, "Energy", 1, Decimal("166.667"), Decimal("0.10"), "1", Decimal("16.67"))
    assert lines[4] == (2, "Customer charge", None, Decimal(1), Decimal("12.50"), "2/3", Decimal("8.33"))
    assert lines[5] == (2, "Energy", 1, Decimal("333.333"), Decimal("0.20"), "1", Decimal("66.67"))
    assert town.ask("SELECT sum(quantity) FROM billing.bill_lines WHERE charge_kind = 'energy'") == [(Decimal("720.000"),)]
    assert town.bill_of(account, APRIL)[1] == sum(line[6] for line in lines)


def test_a_meter_exchange_inside_the_month_bills_both_meters(town: Town):
    point, swap = town.service_point(), midnight(date(2026, 4, 16)) + timedelta(hours=10)
    old, new = town.meter(point, until=swap), town.meter(point, since=swap)
    account = town.moves_in(rate="home", point=point)
    town.measures(old, flat(17), first=date(2026, 3, 31))
    town.measures(new, flat(17, 500), first=date(2026, 4, 15))

    report = town.bills(APRIL, MAY)

    assert report.exceptions == 0
    old_intervals = 15 * 96 + 10 * 4
    expected = Decimal(old_intervals * 250 + (2880 - old_intervals) * 500) / 1000
    assert town.ask("SELECT usage_kwh FROM billing.bills WHERE account_id = %s", account) == [(expected,)]


def test_a_meter_that_hung_for_a_part_only_holds_the_bill(town: Town):
    point = town.service_point()
    channel = town.meter(point, until=midnight(date(2026, 4, 20)))
    account = town.moves_in(rate="home", point=point)
    town.measures(channel, flat(32), first=date(2026, 3, 31))

    town.bills(APRIL, MAY)

    assert town.held(account) == ["meter-gap"]


def test_dates_without_a_rate_hold_the_bill(town: Town):
    account, channel = town.home()
    town.ask(
        "UPDATE customers.rate_assignments SET effective_period = daterange('2026-04-10', NULL) WHERE account_id = %s RETURNING 1", account
    )
    town.measures(channel, flat(32), first=date(2026, 3, 31))

    town.bills(APRIL, MAY)

    assert town.held(account) == ["rate-gap"]
    assert "2026-04-01 to 2026-04-09" in town.ask("SELECT message FROM billing.bill_exceptions WHERE account_id = %s", account)[0][0]


def test_who_moves_out_gets_a_final_bill_and_who_moves_in_a_first_one(town: Town):
    point = town.service_point()
    channel = town.meter(point)
    leaver = town.moves_in(rate="home", point=point)
    town.moves_out(leaver, date(2026, 4, 13))
    comer = town.moves_in(rate="home", point=point, on=date(2026, 4, 13))
    town.measures(channel, flat(32), first=date(2026, 3, 31))

    town.bills(APRIL, MAY)

    bills = town.ask(
        "SELECT account_id, purpose, billing_period_start, billing_period_end, usage_kwh FROM billing.bills ORDER BY billing_period_start"
    )
    assert bills == [
        (leaver, "final", APRIL, date(2026, 4, 13), Decimal(12 * 96 * 250) / 1000),
        (comer, "regular", date(2026, 4, 13), MAY, Decimal(18 * 96 * 250) / 1000),
    ]


def test_a_multiplier_is_applied_exactly(town: Town):
    point = town.service_point()
    channel = town.meter(point, multiplier=Decimal("37.5"))
    account = town.moves_in(rate="shop", point=point)
    town.measures(channel, flat(32, 7), first=date(2026, 3, 31))

    town.bills(APRIL, MAY)

    assert town.ask("SELECT usage_kwh, peak_kw FROM billing.bills WHERE account_id = %s", account) == [
        (Decimal(30 * 96 * 7) * Decimal("37.5") / 1000, Decimal("1.050"))
    ]


def test_gas_is_billed_by_heat_from_two_reads_and_a_rollover(town: Town):
    point = town.service_point("gas")
    channel = town.meter(point, commodity="gas", unit="ccf", interval_s=None, register="dial")
    account = town.moves_in(rate="gas", point=point, commodity="gas")
    town.reads(channel, (midnight(APRIL), 99_990), (midnight(MAY), 25))
    with town.database.transaction(actor=town.clerk) as conn:
        conn.execute(
            "INSERT INTO rates.index_series (series, from_at, to_at, price, unit) VALUES ('gas-heat-content', '2026-01-01', '2027-01-01', 1.037, 'therm/ccf')"
        )

    town.bills(APRIL, MAY)

    # 35 ccf x 1.037 = 36.295 therm x 0.85 = 30.85075, half-up 30.85; and 9.00
    assert town.bill_of(account, APRIL)[1] == Decimal("39.85")


def test_gas_without_an_end_read_is_held(town: Town):
    point = town.service_point("gas")
    channel = town.meter(point, commodity="gas", unit="ccf", interval_s=None, register="dial")
    account = town.moves_in(rate="gas", point=point, commodity="gas")
    town.reads(channel, (midnight(APRIL), 100))

    town.bills(APRIL, MAY)

    assert town.held(account) == ["missing-reads"]
    (message,) = town.ask("SELECT message FROM billing.bill_exceptions WHERE account_id = %s", account)[0]
    assert message.startswith("meter M")
    assert message.endswith("has no read within 12 h of 2026-05-01 00:00")


def test_a_cycle_that_is_not_over_is_not_billed(town: Town):
    with pytest.raises(UnableToRunCycle, match="today is 2026-04-20"):
        town.bills(APRIL, MAY, at=datetime(2026, 4, 20, 15, tzinfo=UTC))


def test_an_unknown_cycle_is_named(town: Town):
    with pytest.raises(UnableToRunCycle, match="no billing cycle 'weekly'"):
        run_cycle(town.database, actor=town.clerk, cycle_code="weekly", period=(APRIL, MAY), at=AFTERWARDS)


def test_a_period_that_is_billed_in_part_is_held_until_its_rest_is_billed(town: Town):
    account, channel = town.home()
    town.measures(channel, flat(32), first=date(2026, 3, 31))
    town.bills(APRIL, date(2026, 4, 16))

    report = town.bills(APRIL, MAY)

    assert (report.bills_made, report.bills_existing, report.exceptions) == (0, 0, 1)
    assert town.held(account) == ["period-overlaps"]
    assert "a bill for 2026-04-01 to 2026-04-15 covers a part" in town.ask("SELECT message FROM billing.bill_exceptions WHERE account_id = %s", account)[0][0]
    assert town.bills(date(2026, 4, 16), MAY).bills_made == 1
    assert town.held(account) == []
    assert town.bills(APRIL, MAY).bills_existing == 1
    assert town.ask("SELECT sum(usage_kwh) FROM billing.bills WHERE account_id = %s", account) == [(Decimal(30 * 96 * 250) / 1000,)]


def test_an_issued_bill_cannot_be_changed_by_anybody(town: Town):
    account, channel = town.home()
    town.measures(channel, flat(32), first=date(2026, 3, 31))
    town.bills(APRIL, MAY)

    with pytest.raises(Exception, match="it can be cancelled and billed again, never changed"):
        town.ask("UPDATE billing.bills SET total_amount = 1 WHERE account_id = %s RETURNING 1", account)
    with pytest.raises(Exception, match="permission denied"):
        town.ask("UPDATE billing.bill_lines SET amount = 1 RETURNING 1")


def test_a_cancelled_bill_is_billed_again_as_the_next_revision(town: Town):
    account, channel = town.home()
    town.measures(channel, flat(32), first=date(2026, 3, 31))
    town.bills(APRIL, MAY)
    bill_id, total = town.bill_of(account, APRIL)
    with town.database.transaction(actor=town.clerk) as conn:
        operations.cancel_bill(conn, bill_id=bill_id, at=AFTERWARDS, reason="wrong rate")

    town.bills(APRIL, MAY)

    assert town.ask(
        "SELECT revision, billing_status, total_amount FROM billing.bills WHERE account_id = %s ORDER BY revision", account
    ) == [(1, "cancelled", total), (2, "issued", total)]


def test_every_bill_can_be_made_again_to_the_byte(town: Town):
    for wh in (100, 250, 1700):
        _, channel = town.home(rate="home" if wh < 1000 else "shop")
        town.measures(channel, flat(32, wh), first=date(2026, 3, 31))
    town.bills(APRIL, MAY)

    with town.database.transaction(actor=town.clerk) as conn:
        found = verify_bills(conn, queries.bill_keys(conn))

    assert (found.bills, found.same, found.from_old_readings) == (3, 3, 0)


def test_a_correction_after_the_bill_leaves_it_verifiable_from_the_old_readings(town: Town):
    account, channel = town.home()
    town.measures(channel, flat(32), first=date(2026, 3, 31))
    town.bills(APRIL, MAY)
    corrected = flat(1, 900)
    town.measures(channel, corrected, first=date(2026, 4, 9))

    with town.database.transaction(actor=town.clerk) as conn:
        found = verify_bills(conn, queries.bill_keys(conn))
        explained = explain_bill(conn, town.bill_of(account, APRIL)[0])

    assert (found.same, found.from_old_readings) == (1, 1)
    assert explained.used_old_readings
    assert int(explained.readings.values.sum()) == 30 * 96 * 250


def test_a_bill_of_a_removed_month_names_the_archive(town: Town, tmp_path):
    account, channel = town.home()
    town.measures(channel, flat(32), first=date(2026, 3, 31))
    town.bills(APRIL, MAY)
    close_month(town.database, town.clerk, month=APRIL, at=AFTERWARDS, is_forced=True)
    made = archive.archive_month(town.database, town.clerk, month=APRIL, folder=tmp_path, at=AFTERWARDS)
    archive.remove_archived(town.database, town.clerk, tmp_path / made.file)

    with town.database.transaction(actor=town.clerk) as conn:
        (verdict,) = verify_bills(conn, queries.bill_keys(conn)).different
        with pytest.raises(UnableToExplainBill, match=made.file):
            explain_bill(conn, town.bill_of(account, APRIL)[0])
    assert made.file in verdict.difference
    archive.restore_archive(town.database, town.clerk, tmp_path / made.file, at=AFTERWARDS)
    with town.database.transaction(actor=town.clerk) as conn:
        assert verify_bills(conn, queries.bill_keys(conn)).same == 1


def test_a_tampered_line_is_found(town: Town, admin):
    account, channel = town.home()
    town.measures(channel, flat(32), first=date(2026, 3, 31))
    town.bills(APRIL, MAY)
    admin.execute("ALTER TABLE billing.bill_lines DISABLE TRIGGER ALL; SET row_security = off")
    admin.execute("UPDATE billing.bill_lines SET amount = amount + 1 WHERE line_no = 2 AND account_id = %s", [account])
    admin.execute("ALTER TABLE billing.bill_lines ENABLE TRIGGER ALL")

    with town.database.transaction(actor=town.clerk) as conn:
        found = verify_bills(conn, queries.bill_keys(conn))

    assert [verdict.difference for verdict in found.different] == ["the lines in the database are not those that were issued"]


def test_an_explanation_names_formula_clause_readings_and_rate(town: Town):
    account, channel = town.home(rate="shop")
    values = flat(32, 100)
    values[5, 60] = 5000  # 15:00 standard time is 16:00 in summer: on-peak
    town.measures(channel, values, first=date(2026, 3, 31))
    town.accepts_failures()
    town.bills(APRIL, MAY)

    with town.database.transaction(actor=town.clerk) as conn:
        found = explain_bill(conn, town.bill_of(account, APRIL)[0])

    by_label = {(each.line.label, each.line.tou_period): each for each in found.lines}
    assert by_label["Demand", None].why.formula == "20.000 kW × 9.75 USD = 195.00 USD"
    on_peak = by_label["Energy", "on"].line.quantity
    readings = found.readings
    assert Decimal(int(readings.values[readings.period_of == readings.periods.index("on")].sum())) / 1000 == on_peak
    assert [segment.rate_code for segment in found.segments] == ["shop"]
    assert found.as_json()["bill"]["total_amount"] == str(found.bill.total_amount)


def test_two_runs_at_once_bill_everybody_once(town: Town):
    from concurrent.futures import ThreadPoolExecutor

    for _ in range(6):
        _, channel = town.home()
        town.measures(channel, flat(32), first=date(2026, 3, 31))

    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: town.bills(APRIL, MAY), range(3)))

    assert sum(report.bills_made for report in reports) == 6
    assert town.ask("SELECT count(*) FROM billing.bills") == [(6,)]


def test_a_run_that_is_stopped_half_way_goes_on(town: Town, monkeypatch):
    from mains.billing import runs

    monkeypatch.setattr(runs, "CHUNK", 2)
    for _ in range(5):
        _, channel = town.home()
        town.measures(channel, flat(32), first=date(2026, 3, 31))

    class Stopped(Problem):
        """Stopped."""

    def stop(done, _):
        if done >= 4:
            raise Stopped("the machine went down")

    with pytest.raises(Stopped):
        run_cycle(town.database, actor=town.clerk, cycle_code="monthly", period=(APRIL, MAY), at=AFTERWARDS, progress=stop)

    report = town.bills(APRIL, MAY)
    assert (report.bills_existing, report.bills_made) == (4, 1)
    assert ZONE
