"""The pages of a real town: from rows in the database to what a person reads."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from town import Town, found_town, gas_rate, home_rate, midnight, shop_rate

from mains.base.db import Database
from mains.base.problems import NotFound
from mains.web import render
from mains.web.bill_facts import BillHasNoSuchLine
from mains.web.change import change
from mains.web.explain import arithmetic
from mains.web.format import Formats
from mains.web.reads import PageReads

AT = datetime(2026, 11, 20, 16, tzinfo=UTC)
SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)


@pytest.fixture(scope="module")
def town(database: Database) -> Town:
    """A house whose October has six estimated quarter hours, a shop on time of use with demand, a gas customer, and a house without readings."""
    town = found_town(database, "pages")
    town.publish("home", home_rate())
    town.publish("home", home_rate(price="0.11", effective_from=OCTOBER))
    town.publish("shop", shop_rate())
    town.publish("gas", gas_rate())
    town.ada = town.customer("Ada 100%_Smith")
    point = town.service_point()
    channel = town.meter(point)
    town.house = town.moves_in(rate="home", point=point, customer=town.ada)
    quality = np.zeros((62, 96), dtype=np.uint8)
    quality[40, 10:16] = 2
    town.measures(channel, np.arange(96) * 4 + np.random.default_rng(11).integers(40, 70, (62, 96)), first=date(2026, 8, 31), quality=quality)
    town.shop = _shop(town)
    pipe = town.service_point("gas")
    dial = town.meter(pipe, commodity="gas", unit="therm", interval_s=None)
    town.gas = town.moves_in(rate="gas", point=pipe, commodity="gas", customer=town.ada)
    town.reads(dial, (midnight(SEPTEMBER), 1000), (midnight(OCTOBER), 1044), (midnight(NOVEMBER), 1090))
    town.empty, _ = town.home()
    town.bills(SEPTEMBER, OCTOBER)
    town.bills(OCTOBER, NOVEMBER)
    return town


def _shop(town: Town):
    point = town.service_point()
    channel = town.meter(point)
    values = np.random.default_rng(7).integers(800, 4000, (62, 96))
    town.measures(channel, values, first=date(2026, 8, 31))
    return town.moves_in(rate="shop", point=point)


@pytest.fixture
def pages(town: Town):
    """What a clerk's page may read."""
    return PageReads(database=town.database, actor=town.clerk, at=AT, person="Ada Clerk", request_id=None)


def shown(template, pages, **values):
    return render.markup(template, frame=pages.frame(), **values).replace("\xa0", " ")


def test_the_house_has_its_bill_explained(town, pages):
    bill = pages.bill(town.bill_of(town.house, OCTOBER)[0])

    assert sum(line.amount for line in bill.lines) == bill.total_amount
    assert bill.inputs.verify_state == "same"
    assert bill.previous.billing_period_end == OCTOBER
    assert [line.kind for line in bill.lines] == ["fixed", "energy", "energy", "tax"]
    assert bill.lines[3].share == Decimal("0.07")
    assert bill.lines[3].base_lines == (1, 2, 3)
    difference = change(bill, currency="USD")
    assert sum(part.amount for part in difference.parts) == difference.amount
    assert {"days", "price"} <= {part.code for part in difference.parts}
    text = shown("bill.html", pages, bill=bill)
    assert "6 readings were estimated" in text
    assert "every line came out the same" in text


def test_every_line_of_every_bill_comes_out_by_hand(town, pages):
    say = Formats(currency="USD", timezone="America/Chicago", at=AT)
    for account in (town.house, town.shop, town.gas):
        bill_id, _ = town.bill_of(account, OCTOBER)
        for line in pages.bill(bill_id).lines:
            opened = pages.bill_line(bill_id, line.line_no)
            if line.kind != "minimum":
                assert arithmetic(opened.line, opened.base, say).agrees, opened.line
            assert opened.line.formula in shown("line.html", pages, opened=opened)


def test_the_readings_of_a_bill_add_to_its_quantity(town, pages):
    for account in (town.house, town.shop):
        bill = pages.bill(town.bill_of(account, OCTOBER)[0])
        hours = sum(hour.quantity for hour in bill.readings.hours)
        assert hours == sum(day.quantity for day in bill.readings.days) == bill.readings.quantity
        assert abs(hours - bill.usage_quantity) < Decimal("0.001")
        assert len(bill.readings.hours) == 31 * 24


def test_time_of_use_periods_say_when_they_are(town, pages):
    readings = pages.bill(town.bill_of(town.shop, OCTOBER)[0]).readings

    assert {total.period: total.hours for total in readings.periods} == {"on": "weekdays 12:00 – 20:00", "off": "weekdays 20:00 – 12:00, weekends all day"}
    assert sum(total.quantity for total in readings.periods) == readings.quantity


def test_a_ladder_shows_how_far_it_was_climbed(town, pages):
    bill_id, _ = town.bill_of(town.house, OCTOBER)
    steps = pages.bill_line(bill_id, 2).ladder

    assert [step.up_to for step in steps] == [Decimal(500), None]
    assert sum(step.quantity for step in steps) == sum(line.quantity for line in pages.bill(bill_id).lines if line.kind == "energy")


def test_gas_shows_the_reads_of_its_dial(town, pages):
    readings = pages.bill(town.bill_of(town.gas, OCTOBER)[0]).readings

    assert [(dial.from_value, dial.to_value) for dial in readings.dials] == [(1044, 1090)]
    assert readings.quantity == 46
    assert readings.hours == ()


def test_the_customer_sees_services_usage_bills_and_what_happened(town, pages):
    page = pages.customer(town.ada)

    assert [service.commodity for service in page.services] == ["electric", "gas"]
    assert {usage.commodity: len(usage.months) for usage in page.usage} == {"electric": 13, "gas": 13}
    electric = page.usage[0]
    assert electric.months[-1].month == OCTOBER
    assert electric.months[-1].is_estimated
    assert electric.months[0].quantity is None
    billed = {(bill.commodity, bill.billing_period_start): bill.usage_quantity for bill in page.bills}
    assert abs(electric.months[-1].quantity - billed["electric", OCTOBER]) < Decimal("0.001")
    assert page.usage[1].months[-1].quantity == 46
    assert {bill.billing_status for bill in page.bills} == {"issued"}
    assert any(event.kind == "bill" for event in page.timeline)
    assert "Ada 100%_Smith" in shown("customer.html", pages, customer=page)


def test_a_customer_without_readings_still_has_a_page(town, pages):
    customer_id = town.ask("SELECT customer_id FROM customers.service_accounts WHERE account_id = %s", town.empty)[0][0]

    assert "No reading has arrived" in shown("customer.html", pages, customer=pages.customer(customer_id))


def test_days_add_to_the_month_and_hours_to_the_day(town, pages):
    month = pages.usage(town.ada, town.house, view="month", on=OCTOBER)
    day = pages.usage(town.ada, town.house, view="day", on=date(2026, 10, 10))

    total = sum(point.quantity for point in month.points)
    assert total == pages.customer(town.ada).usage[0].months[-1].quantity
    assert sum(point.quantity for point in day.points) == month.points[9].quantity
    assert [point.is_estimated for point in month.points].count(True) == 1
    assert "October 2025" in shown("usage.html", pages, usage=month)
    assert "<svg" not in shown("usage.html", pages, usage=day)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 5, 5), 24)])
def test_a_day_has_the_hours_that_the_clock_gave_it(town, pages, day, hours):
    assert len(pages.usage(town.ada, town.house, view="day", on=day).points) == hours


def test_home_counts_what_there_is(town, pages):
    home = pages.home()

    tiles = {tile.label: tile.value for tile in home.tiles}
    assert tiles["Customers"] == "3"
    assert tiles["Bills held"] == str(len(pages.held_bills()))
    assert home.latest_run.billing_period_start == OCTOBER
    assert "Cycle monthly" in shown("home.html", pages, home=home)


def test_held_bills_name_whose_they_are_and_what_releases_them(town, pages):
    held = pages.held_bills()

    assert {bill.account_id for bill in held} == {town.empty}
    assert all(bill.cure and bill.reason for bill in held)


def test_imports_add_up(town, pages):
    for batch in pages.imports():
        assert batch.found == batch.accepted + batch.quarantined


@pytest.mark.parametrize(
    ("words", "kinds"),
    [("ada", {"customer"}), ("100%_", {"customer"}), ("A000", {"account", "bill"}), ("elm", {"premise"}), ("M", {"meter"}), ("%", {"customer"}), ("zzz", set())],
)
def test_search_finds_by_what_people_have_at_hand(town, pages, words, kinds):
    assert kinds <= {hit.kind for hit in pages.search(words).hits}
    assert bool(pages.search(words).hits) == bool(kinds)


def test_what_is_not_here_says_so(town, pages):
    with pytest.raises(NotFound):
        pages.bill(town.house)
    with pytest.raises(NotFound):
        pages.customer(town.house)
    with pytest.raises(NotFound):
        pages.usage(town.ada, town.ada, view="month", on=OCTOBER)
    with pytest.raises(BillHasNoSuchLine):
        pages.bill_line(town.bill_of(town.house, OCTOBER)[0], 99)


def test_the_neighbour_sees_nothing_of_it(town, database):
    neighbour = found_town(database, "pages-neighbour")
    pages = PageReads(database=database, actor=neighbour.clerk, at=AT, person=None, request_id=None)

    assert pages.search("ada").hits == ()
    assert pages.home().tiles == ()
    assert pages.imports() == pages.held_bills() == ()
    with pytest.raises(NotFound):
        pages.customer(town.ada)
    with pytest.raises(NotFound):
        pages.bill(town.bill_of(town.house, OCTOBER)[0])
