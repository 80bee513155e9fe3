"""Meter operations: what was due and came, the work list, one exception, and what a person decides there."""

import re
from datetime import UTC, date, datetime

import numpy as np
import pytest
from town import Town, found_town, gas_rate, home_rate, midnight, shop_rate

from mains.base.db import Database
from mains.base.problems import NotFound
from mains.metering.vee import running
from mains.web import render
from mains.web.acts import FormNotUnderstood, PageActs
from mains.web.meter_facts import due_by_day
from mains.web.meter_queries import SpanDue
from mains.web.reads import PageReads

OCTOBER = date(2026, 10, 1)
AT = datetime(2026, 11, 3, 12, tzinfo=UTC)
GAP = 24


@pytest.fixture(scope="module")
def town(database: Database) -> Town:
    """Two houses read from 1 to 31 October; six hours of the 20th are missing from one of them, and a third was never read."""
    town = found_town(database, "meters")
    town.publish("home", home_rate())
    town.publish("gas", gas_rate())
    town.publish("shop", shop_rate())
    noise = np.random.default_rng(5)
    for gap in (False, True):
        point = town.service_point()
        channel = town.meter(point, since=midnight(OCTOBER))
        town.moves_in(rate="home", point=point)
        values = noise.integers(20, 400, (32, 96))
        if gap:
            values[20, 8 : 8 + GAP] = -(2**31)
        town.measures(channel, values, first=date(2026, 9, 30))
    silent = town.service_point()
    town.meter(silent, since=midnight(OCTOBER))
    running.run_pending(town.database, town.clerk, at=AT)
    return town


@pytest.fixture
def pages(town: Town):
    return PageReads(database=town.database, actor=town.clerk, at=AT, person="Ada Clerk", request_id=None)


@pytest.fixture
def acts(town: Town):
    return PageActs(database=town.database, actor=town.clerk, at=AT)


def shown(template, pages, **values):
    return " ".join(re.sub(r"<[^>]+>", " ", render.markup(template, frame=pages.frame(), **values)).replace("\xa0", " ").split())


def gap_of(pages):
    return next(row for row in pages.exceptions(rule="gap", severity=None, before=None, done=None).rows)


def test_days_show_what_was_due_and_what_is_missing(pages):
    days = {day.day: day for day in pages.meters().days}

    assert days[date(2026, 10, 14)].due == 3 * 96
    assert days[date(2026, 10, 14)].missing == 96
    assert days[date(2026, 10, 20)].missing == 96 + GAP
    assert max(days) == date(2026, 10, 31)


def test_a_day_of_25_hours_owes_as_many():
    quarters = SpanDue(interval_s=900, from_date=date(2026, 10, 30), to_date=None, channels=2)
    hours = SpanDue(interval_s=3600, from_date=date(2026, 11, 1), to_date=date(2026, 11, 2), channels=1)

    assert due_by_day([quarters, hours], [date(2026, 10, 29), date(2026, 10, 31), date(2026, 11, 1)], timezone="America/Chicago") == {
        date(2026, 10, 29): 0, date(2026, 10, 31): 192, date(2026, 11, 1): 225
    }  # fmt: skip


def test_a_meter_that_was_never_read_is_silent(pages):
    found = pages.silent(date(2026, 10, 14))

    assert [(meter.last_at, meter.address is not None) for meter in found.meters] == [(None, True)]
    assert "never" in shown("silent.html", pages, silent=found)


def test_the_page_says_what_waits_and_what_is_questioned(pages):
    text = shown("meters.html", pages, meters=pages.meters())

    assert "Readings that were due and not measured" in text
    assert "Gap" in text


def test_an_exception_shows_the_readings_around_it(pages):
    found = pages.exception(gap_of(pages).exception_id)
    meant = [each for each in found.intervals if each.is_meant]

    assert [each.value for each in meant] == [None] * GAP
    assert found.intervals[0].value is not None
    assert found.can_edit
    assert "24 intervals missing" in shown("exception.html", pages, found=found)


def test_a_decision_wants_a_choice_and_a_number(pages, acts):
    gap = gap_of(pages).exception_id
    with pytest.raises(FormNotUnderstood, match="no exception was chosen"):
        acts.decide("accept", [], reason="because")
    with pytest.raises(FormNotUnderstood, match="is no number"):
        acts.edit(gap, {0: "a lot"}, reason="because")
    with pytest.raises(FormNotUnderstood, match="no whole number"):
        acts.edit(gap, {0: "1.00001"}, reason="because")


def test_estimating_fills_the_gap_and_settles_it(pages, acts):
    gap = gap_of(pages)
    done = acts.decide("estimate", [gap.exception_id], reason="the concentrator was down")

    assert done.replace("\xa0", " ").startswith(f"{GAP} readings estimated, 1 exception settled")
    found = pages.exception(gap.exception_id)
    assert not found.can_decide
    assert "the concentrator was down" in found.settled
    assert all(each.quality == "Estimated" for each in found.intervals if each.is_meant)
    assert {day.day: day for day in pages.meters().days}[date(2026, 10, 20)].estimated == GAP


def test_what_is_not_here_says_so(pages):
    with pytest.raises(NotFound):
        pages.exception(10**9)
