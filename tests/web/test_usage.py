"""A stretch of use and what stands beside it: the clock, last year, the weather, homes alike, and money that adds up to the bill."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import quantiles

import numpy as np
import pytest
from town import Town, found_town, gas_rate, home_rate, midnight, shop_rate

from mains.base.bulk import insert_rows
from mains.base.db import Database
from mains.base.ids import uuid7
from mains.web.reads import PageReads

AT = datetime(2026, 11, 20, 16, tzinfo=UTC)
SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
NEIGHBOURS = 16


@pytest.fixture(scope="module")
def town(database: Database) -> Town:
    """Ada in a house among sixteen others; her price rises in the middle of October; the neighbours use 10, 20, … 160 Wh a quarter hour; it is so many degrees as the hour."""
    town = found_town(database, "usage")
    town.publish("home", home_rate())
    town.publish("home", home_rate(price="0.11", effective_from=date(2026, 10, 11)))
    town.publish("gas", gas_rate())
    town.publish("shop", shop_rate())
    town.ada = town.customer("Ada Smith")
    point = town.service_point()
    channel = town.meter(point)
    town.house = town.moves_in(rate="home", point=point, customer=town.ada)
    used = np.random.default_rng(3).integers(20, 400, (70, 96))
    used[40:42] = 0  # days of standard time: the local day between them is empty
    town.measures(channel, used, first=date(2026, 8, 30))
    for n in range(1, NEIGHBOURS + 1):
        beside = town.service_point()
        meter = town.meter(beside)
        town.moves_in(rate="home", point=beside)
        town.measures(meter, np.full((40, 96), 10 * n), first=date(2026, 9, 25))
    town.bills(SEPTEMBER, OCTOBER)
    town.bills(OCTOBER, NOVEMBER)
    _weather(town)
    return town


def _weather(town: Town) -> None:
    station = uuid7()
    hours = [datetime(2026, 10, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(60 * 24)]
    with town.database.transaction(actor=town.clerk) as conn:
        insert_rows(conn, "network.weather_stations", ("weather_station_id", "station_code", "station_name", "geolocation"), [(station, "W1", "Mill hill", "(0,0)")])
        insert_rows(
            conn, "network.weather_observations", ("weather_station_id", "valid_at", "issued_at", "is_forecast", "temperature_c"),
            [(station, at, at, False, Decimal(at.hour)) for at in hours] + [(station, hours[5], hours[0], True, Decimal(60))],
        )  # fmt: skip


@pytest.fixture
def pages(town: Town):
    return PageReads(database=town.database, actor=town.clerk, at=AT, person="Ada Clerk", request_id=None)


def usage(town, pages, view, on, **more):
    return pages.usage(town.ada, town.house, view=view, on=on, **more)


@pytest.mark.parametrize(
    ("view", "on", "points"), [("day", date(2026, 10, 7), 24), ("day", NOVEMBER, 25), ("week", date(2026, 10, 31), 169), ("month", OCTOBER, 31), ("year", OCTOBER, 11)]
)
def test_each_view_has_its_points_up_to_now(town, pages, view, on, points):
    assert len(usage(town, pages, view, on).points) == points


def test_a_week_is_seven_days_from_monday_and_adds_up_to_them(town, pages):
    week = usage(town, pages, "week", date(2026, 10, 8))
    days = [usage(town, pages, "day", date(2026, 10, 5) + timedelta(days=n)) for n in range(7)]

    assert week.points[0].starts_at == midnight(date(2026, 10, 5))
    assert sum(point.quantity for point in week.points) == sum(point.quantity for day in days for point in day.points)
    assert [tab.name for tab in week.tabs if tab.is_open] == ["Week"]


def test_a_year_has_its_months_and_they_open(town, pages):
    year = usage(town, pages, "year", OCTOBER)
    october = next(point for point in year.points if point.label == "October")

    assert october.quantity == sum(point.quantity for point in usage(town, pages, "month", OCTOBER).points)
    assert october.href.endswith("?month=2026-10")
    assert year.points[0].quantity is None


@pytest.mark.parametrize("month", [SEPTEMBER, OCTOBER])
def test_the_cost_of_the_days_adds_up_to_the_bill(town, pages, month):
    bill_id, _ = town.bill_of(town.house, month)
    bill = pages.bill(bill_id)
    days = usage(town, pages, "month", month, is_cost=True)

    assert sum(point.cost for point in days.points) == bill.total_amount
    assert days.cost_note
    assert days.points[0].href.endswith("&show=cost")


def test_a_day_that_used_nothing_cost_its_share_of_the_fixed_charges_alone(town, pages):
    days = usage(town, pages, "month", OCTOBER, is_cost=True).points
    nothing = next(point for point in days if point.quantity == 0)

    assert min(point.cost for point in days) == nothing.cost > 0
    hours = usage(town, pages, "day", nothing.starts_at.date(), is_cost=True).points
    assert sum(hour.cost for hour in hours) == nothing.cost


def test_a_month_that_is_not_billed_costs_nothing_known(town, pages):
    month = usage(town, pages, "month", NOVEMBER, is_cost=True)

    assert all(point.cost is None for point in month.points)
    assert month.cost_note is None


def test_the_weather_is_the_mean_of_the_hours_observed_and_never_a_forecast(town, pages):
    day = usage(town, pages, "day", date(2026, 10, 7))

    assert [point.temperature_c for point in day.points] == [Decimal((hour + 5) % 24) for hour in range(24)]
    assert all(point.temperature_c == Decimal("11.5") for point in usage(town, pages, "month", OCTOBER).points[1:])
    assert "Mill hill" in day.temperature_note


def test_homes_alike_are_the_middle_half_of_the_others(town, pages):
    month = usage(town, pages, "month", OCTOBER)
    low, middle, high = quantiles([Decimal(n) * 96 / 100 for n in range(1, NEIGHBOURS + 1)], n=4, method="inclusive")

    assert (month.points[4].similar.low, month.points[4].similar.middle, month.points[4].similar.high) == (low, middle, high)
    assert f"{NEIGHBOURS} other houses" in month.similar_note


def test_too_few_homes_alike_are_not_shown(town, pages):
    with town.database.administering() as admin:
        admin.execute("SELECT set_config('app.actor', 'tests', false)")
        admin.execute(
            "UPDATE customers.premises SET premise_type = 'farm' WHERE premise_id IN ("
            "SELECT sp.premise_id FROM customers.service_points sp JOIN customers.service_accounts a USING (service_point_id) WHERE a.account_id <> %s ORDER BY 1 LIMIT 2)",
            [town.house],
        )
    month = usage(town, pages, "month", OCTOBER)

    assert all(point.similar is None for point in month.points)
    assert "Fewer than 15" in month.similar_note
