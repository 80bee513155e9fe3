"""The facts that are hard to tell rightly: what differs, dials that begin again, rates and meters that change, clocks, gaps, and whose a page is."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from town import Town, found_town, gas_rate, home_rate, midnight, shop_rate

from mains.base.bulk import insert_rows
from mains.base.db import Database
from mains.base.problems import NotFound
from mains.billing import queries as billing
from mains.metering import operations as metering
from mains.metering.registers import NewRead, store_reads
from mains.web import explain, render
from mains.web.change import change
from mains.web.measured_facts import clock_note
from mains.web.reads import PageReads

AUTUMN = "The clocks went back on 2 November: that day has 25 hours, and the hour that came twice is one cell, the sum of both."
AT = datetime(2026, 11, 20, 16, tzinfo=UTC)
SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
CHANGED, EXCHANGED = date(2026, 10, 11), midnight(date(2026, 10, 21)) + timedelta(hours=10)


@pytest.fixture(scope="module")
def town(database: Database) -> Town:
    """Ada: a house whose price changes in October and whose meter is exchanged, four days missing in September; gas whose dial begins again, then is exchanged. Bob moved out."""
    town = found_town(database, "facts")
    town.publish("home", home_rate())
    town.publish("home", home_rate(price="0.11", effective_from=CHANGED))
    town.publish("shop", shop_rate())
    town.publish("gas", gas_rate())
    town.ada, town.bob = town.customer("Ada Smith"), town.customer("Bob Jones")
    _house(town)
    _gas(town)
    point = town.service_point()
    channel = town.meter(point)
    town.left = town.moves_in(rate="home", point=point, customer=town.bob)
    town.moves_out(town.left, OCTOBER)
    town.next = town.moves_in(rate="home", point=point, on=OCTOBER)
    town.measures(channel, np.full((62, 96), 100), first=date(2026, 8, 31))
    town.bills(date(2026, 3, 1), date(2026, 4, 1))
    town.bills(SEPTEMBER, OCTOBER)
    town.bills(OCTOBER, NOVEMBER)
    return town


def _house(town: Town) -> None:
    point = town.service_point()
    old, new = town.meter(point, until=EXCHANGED), town.meter(point, since=EXCHANGED)
    town.house = town.moves_in(rate="home", point=point, customer=town.ada)
    for channel in (old, new):
        town.measures(channel, np.full((2, 96), 200), first=date(2026, 9, 1))
        town.measures(channel, np.full((56, 96), 200), first=date(2026, 9, 7))
        town.measures(channel, np.full((40, 96), 100), first=date(2026, 2, 26))


def _gas(town: Town) -> None:
    pipe = town.service_point("gas")
    old, new = (town.meter(pipe, commodity="gas", unit="ccf", interval_s=None, **dates) for dates in ({"until": EXCHANGED}, {"since": EXCHANGED}))
    town.gas = town.moves_in(rate="gas", point=pipe, commodity="gas", customer=town.ada)
    town.reads(old, (midnight(SEPTEMBER), 99_980), (midnight(OCTOBER), 83), (EXCHANGED, 120))
    town.reads(new, (EXCHANGED, 5), (midnight(NOVEMBER), 21))
    town.dial = old
    heat = ((SEPTEMBER, OCTOBER, "1.039"), (OCTOBER, NOVEMBER, "1.041"))
    rows = [("gas-heat-content", midnight(first), midnight(end), Decimal(therms), "therm/ccf") for first, end, therms in heat]
    with town.database.transaction(actor=town.clerk) as conn:
        insert_rows(conn, "rates.index_series", ("series", "from_at", "to_at", "price", "unit"), rows)


@pytest.fixture
def pages(town: Town):
    return PageReads(database=town.database, actor=town.clerk, at=AT, person="Ada Clerk", request_id=None)


def shown(template, pages, **values):
    text = render.markup(template, frame=pages.frame(), **values).replace("\xa0", " ")
    return " ".join(text.split())


def bill_of(town, pages, account, first):
    return pages.bill(town.bill_of(account, first)[0])


def test_a_line_that_was_changed_in_the_database_is_not_called_verified(town, pages):
    bill_id, _ = town.bill_of(town.next, OCTOBER)
    assert pages.bill(bill_id).inputs.verify_state == "same"

    with town.database.administering() as admin:
        admin.execute("ALTER TABLE billing.bill_lines DISABLE TRIGGER USER")
        admin.execute("UPDATE billing.bill_lines SET quantity = quantity + 100 WHERE bill_id = %s AND charge_kind = 'energy'", [bill_id])
        admin.execute("ALTER TABLE billing.bill_lines ENABLE TRIGGER USER")
    inputs = pages.bill(bill_id).inputs
    assert inputs.verify_state == "differs"
    assert "the lines in the database are not those that were issued" in inputs.verify_detail.lower()
    assert "came out different" in shown("bill.html", pages, bill=pages.bill(bill_id))


def test_a_dial_that_began_again_is_added_up_as_it_turned(town, pages):
    bill = bill_of(town, pages, town.gas, SEPTEMBER)

    assert bill.usage_quantity == Decimal("107.017")
    assert "(100,000 − 99,980) + 83 = 103 ccf × 1.039 therm a ccf = 107.017 therms" in shown("bill.html", pages, bill=bill)


def test_an_exchanged_dial_has_both_its_pairs_of_reads(town, pages):
    bill = bill_of(town, pages, town.gas, OCTOBER)

    assert [(dial.from_value, dial.to_value, dial.used) for dial in bill.readings.dials] == [(83, 120, 37), (5, 21, 16)]
    assert sum(dial.used * Decimal("1.041") for dial in bill.readings.dials) == bill.usage_quantity
    text = shown("bill.html", pages, bill=bill)
    for told in ("120 − 83 = 37 ccf × 1.041 therm a ccf = 38.517 therms", "21 − 5 = 16 ccf", "Together <b>55.173 therms"):
        assert told in text


def test_a_read_corrected_after_the_bill_does_not_change_what_the_bill_shows(town, pages):
    bill_id, _ = town.bill_of(town.gas, SEPTEMBER)
    with town.database.transaction(actor=town.clerk) as conn:
        batch = metering.open_batch(conn, source="corrections", format="arrays", sha256=bytes(32), at=AT)
        store_reads(conn, [NewRead(channel_id=town.dial, read_at=midnight(SEPTEMBER), raw=99_970, quality=5)], batch_id=batch)
        metering.close_batch(conn, batch_id=batch, found=1, accepted=1, changed=1)
    bill = pages.bill(bill_id)

    assert bill.readings.dials[0].from_value == 99_980
    assert bill.inputs.verify_state == "same"
    assert any("corrected after the bill was made" in note for note in bill.notes)


def test_use_is_shown_to_nobody_but_whose_it_is(town, pages):
    for read in (lambda: pages.usage(town.bob, town.house, view="month", on=OCTOBER), lambda: pages.usage(town.bob, town.house, view="day", on=CHANGED)):
        with pytest.raises(NotFound, match="of this customer"):
            read()


def test_months_are_in_the_unit_of_the_bills_and_equal_them(town, pages):
    page = pages.customer(town.ada)
    accounts = {service.account_number: service.account_id for service in page.services}
    use = {(usage.account_id, month.month): (usage.unit, month.quantity) for usage in page.usage for month in usage.months}

    assert page.bills
    for bill in page.bills:
        if bill.billing_period_start != SEPTEMBER or bill.commodity != "gas":  # its first read was corrected since
            assert use[accounts[bill.account_number], bill.billing_period_start] == (bill.unit, bill.usage_quantity)
    assert "in ccf, shown in therms as on the bills" in next(usage.source for usage in page.usage if usage.commodity == "gas")


def test_an_open_service_says_after_which_day_its_next_bill_comes(town, pages):
    assert {service.next_bill_after for service in pages.customer(town.ada).services} == {date(2026, 11, 30)}
    assert "after 30 Nov 2026" in shown("customer.html", pages, customer=pages.customer(town.ada))
    assert [service.next_bill_after for service in pages.customer(town.bob).services] == [None]


def test_a_price_that_changed_makes_two_parts_and_each_line_names_its_own(town, pages):
    bill = bill_of(town, pages, town.house, OCTOBER)

    assert [(part.version_number, part.starts_on, part.ends_on) for part in bill.parts] == [(1, OCTOBER, CHANGED), (2, CHANGED, NOVEMBER)]
    assert bill.parts[0].version_hash != bill.parts[1].version_hash
    assert any("The price changed on 11 October: two parts" in note for note in bill.notes)
    names = [explain.line_name(line) for line in bill.lines]
    assert len(set(names)) == len(names)
    assert "Energy · tier 1 · 1 – 10 Oct".replace(" Oct", "\xa0Oct") in names
    last = shown("line.html", pages, opened=pages.bill_line(bill.bill_id, bill.lines[-1].line_no))
    assert "Home, version 2, for 11 – 31 Oct 2026" in last
    assert bill.parts[1].version_hash[:12] in last
    assert sum(part.amount for part in change(bill, currency="USD").parts) == bill.total_amount - bill.previous.total_amount


def test_an_exchanged_meter_is_named_beside_the_one_before(town, pages):
    bill = bill_of(town, pages, town.house, OCTOBER)

    assert len(bill.meters) == 2
    assert bill.meters[0].to_at == bill.meters[1].from_at == EXCHANGED
    text = shown("bill.html", pages, bill=bill)
    assert f"The meter was exchanged on 21 Oct 2026, 10:00 CDT: {bill.meters[0].meter_number} measured until then" in text
    assert f"Meters {bill.meters[0].meter_number}, then {bill.meters[1].meter_number}" in bill.readings.source
    assert any(event.title == "Electricity meter exchanged" for event in pages.customer(town.ada).timeline)


def test_what_a_bill_was_made_from_is_named_as_people_know_it(town, pages):
    inputs = bill_of(town, pages, town.house, OCTOBER).inputs
    numbers = [meter.meter_number for meter in bill_of(town, pages, town.house, OCTOBER).meters]

    assert inputs.calculated_by == "Ada Clerk"
    assert [block.channel for block in inputs.blocks] == [f"Meter {number}, register 1" for number in numbers]
    assert [(block.days, block.version) for block in inputs.blocks] == [(22, 1), (11, 1)]  # of standard time: 30 September is one, for the first hour of the period


def test_a_bill_notes_the_clock(town, pages):
    assert bill_of(town, pages, town.next, OCTOBER).readings.clock_note is None
    march = bill_of(town, pages, town.house, date(2026, 3, 1))
    assert "8 March" in march.readings.clock_note
    assert march.readings.clock_note in shown("bill.html", pages, bill=march)
    with town.database.transaction(actor=town.clerk) as conn:
        bill = billing.bill(conn, march.bill_id)
    assert clock_note(replace(bill, billing_period_start=date(2025, 11, 1), billing_period_end=date(2025, 12, 1)), "America/Chicago") == AUTUMN


def test_the_hour_that_comes_twice_is_told_apart_and_last_year_is_matched_by_the_clock(town, pages):
    points = pages.usage(town.ada, town.house, view="day", on=date(2026, 11, 1)).points

    assert [point.label for point in points][:4] == ["00:00", "01:00 CDT", "01:00 CST", "02:00"]
    spring = pages.usage(town.ada, town.house, view="day", on=date(2027, 3, 7)).points
    assert len(pages.usage(town.ada, town.house, view="day", on=date(2026, 3, 8)).points) == 23
    assert spring == ()


def test_a_month_with_gaps_says_how_much_is_missing(town, pages):
    months = {month.month: month for month in pages.customer(town.ada).usage[0].months}

    assert explain.month_state(months[SEPTEMBER]) == "4\xa0days missing"
    assert explain.month_state(months[OCTOBER]) == ""
    assert "4 days missing" in shown("customer.html", pages, customer=pages.customer(town.ada))


def test_the_month_that_is_not_over_says_so(town):
    early = PageReads(database=town.database, actor=town.clerk, at=datetime(2026, 10, 15, 12, tzinfo=UTC), person=None, request_id=None)

    last = early.customer(town.ada).usage[0].months[-1]
    assert last.month == OCTOBER
    assert explain.month_state(last) == "not over"


def test_later_ends_at_today_and_earlier_at_the_first_day(town, pages):
    month = pages.usage(town.ada, town.house, view="month", on=NOVEMBER)
    assert month.later_href is None
    assert len(month.points) == 20
    assert pages.usage(town.ada, town.house, view="day", on=date(2026, 11, 20)).later_href is None
    assert pages.usage(town.ada, town.house, view="month", on=OCTOBER).later_href.endswith("month=2026-11")
    assert pages.usage(town.ada, town.house, view="month", on=date(2025, 6, 1)).earlier_href is None


def test_a_dial_that_is_read_monthly_has_no_days_and_says_so(town, pages):
    gas = next(usage for usage in pages.customer(town.ada).usage if usage.commodity == "gas")
    assert not gas.has_drill
    assert "read monthly" in shown("customer.html", pages, customer=pages.customer(town.ada))
    assert "read about once a month" in shown("usage.html", pages, usage=pages.usage(town.ada, town.gas, view="month", on=OCTOBER))
    assert "read once a day or less often" in shown("usage.html", pages, usage=pages.usage(town.ada, town.gas, view="day", on=CHANGED))


def test_a_service_that_was_closed_keeps_its_use_and_has_none_of_the_next_tenants(town, pages):
    page = pages.customer(town.bob)

    assert page.services[0].closed_on == OCTOBER
    assert page.services[0].last_reading_at <= midnight(OCTOBER)
    assert page.usage[0].months[-1].month == SEPTEMBER
    assert page.usage[0].months[-1].quantity == Decimal(100) * 96 * 30 / 1000


def test_the_timeline_has_held_bills_and_prices_that_changed(town, pages):
    timeline = pages.customer(town.ada).timeline

    held = next(event for event in timeline if event.title == "Bill held")
    assert held.href == "/billing/exceptions"
    assert "from 1 Sep 2026" in held.detail
    assert any(event.title == "Electricity price changed" and event.detail == "Home, version 2" for event in timeline)


def test_imports_show_what_had_readings(town, pages):
    assert all(batch.found for batch in pages.imports())
    assert {batch.file_format for batch in pages.imports()} == {"direct load"}
