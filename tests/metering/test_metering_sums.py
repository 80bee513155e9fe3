"""Sums over local hours, days and months: exact, through the clock's changes, and honest about what is missing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meter_world import MIDNIGHT, add_channels, days, first_load, found_utility

from mains.base.db import Database
from mains.metering import queries
from mains.metering.model import MISSING, Quality
from mains.metering.sums import NothingToSum, edges_between, sums

CHICAGO = ZoneInfo("America/Chicago")
TWO = timedelta(days=2)


@pytest.fixture(scope="module")
def world(database: Database):
    with database.administering(autocommit=True) as admin:
        actor = found_utility(admin, "sums")
    (channel,) = add_channels(database, actor)
    values = np.arange(14 * 96).reshape(1, 14, 96)  # 1 to 14 March 2026; the clock goes forward on the 8th
    values[0, 2, :8] = MISSING
    quality = np.zeros((1, 14, 96), dtype=np.uint8)
    quality[0, 3, :4] = Quality.ESTIMATED
    first_load(database, actor, days([channel], values, quality=quality))
    return database, actor, channel, values.reshape(-1)


def asked(world, from_at, to_at, width):
    database, actor, number, _ = world
    with database.transaction(actor=actor) as conn:
        (channel,) = queries.channels_by_id(conn, [number])
        return sums(conn, channel, edges_between(from_at, to_at, width=width, zone=CHICAGO))


def test_hours_are_the_sums_of_their_quarters(world):
    found = asked(world, MIDNIGHT, MIDNIGHT + TWO, "hour")

    assert [each.quantity for each in found[:3]] == [Decimal(0 + 1 + 2 + 3), Decimal(4 + 5 + 6 + 7), Decimal(8 + 9 + 10 + 11)]
    assert len(found) == 48
    assert found[2].peak == 11


def test_the_day_the_clock_goes_forward_has_23_hours(world):
    found = asked(world, datetime(2026, 3, 7, tzinfo=CHICAGO), datetime(2026, 3, 10, tzinfo=CHICAGO), "day")

    assert [each.readings for each in found] == [96, 92, 96]
    assert sum(each.quantity for each in found) == int(world[3][6 * 96 : 6 * 96 + 284].sum())


def test_what_is_missing_and_what_is_guessed_is_counted(world):
    found = asked(world, MIDNIGHT + TWO, MIDNIGHT + 2 * TWO, "hour")

    assert [(each.quantity, each.readings, each.missing) for each in found[:2]] == [(None, 0, 4), (None, 0, 4)]
    assert [each.estimated for each in found[24:26]] == [4, 0]


def test_a_month_in_part_is_a_part(world):
    found = asked(world, MIDNIGHT - timedelta(days=40), MIDNIGHT + timedelta(hours=1), "month")

    assert [(each.from_at, each.readings) for each in found] == [
        (MIDNIGHT - timedelta(days=40), 0), (datetime(2026, 2, 1, 6, tzinfo=UTC), 0), (datetime(2026, 3, 1, 6, tzinfo=UTC), 4)
    ]  # fmt: skip


@given(st.integers(0, 14 * 86_400), st.integers(1, 400), st.sampled_from(["hour", "day", "month"]))
def test_edges_rise_from_end_to_end_and_lie_on_the_clock(seconds, hours, width):
    begin = datetime(2026, 10, 25, tzinfo=UTC) + timedelta(seconds=seconds)
    edges = edges_between(begin, begin + timedelta(hours=hours), width=width, zone=CHICAGO)

    assert edges[0] == begin
    assert edges[-1] == begin + timedelta(hours=hours)
    assert all(a < b for a, b in pairwise(edges))
    for edge in edges[1:-1]:
        local = edge.astimezone(CHICAGO)
        assert (local.minute, local.second) == (0, 0)
        assert width == "hour" or local.hour == 0
        assert width != "month" or local.day == 1


@pytest.mark.parametrize(("to_at", "width", "says"), [(MIDNIGHT, "hour", "is empty"), (MIDNIGHT + timedelta(days=400), "hour", "more than 3000 hours")])
def test_a_question_that_is_too_wide_or_empty_is_refused(to_at, width, says):
    with pytest.raises(NothingToSum, match=says):
        edges_between(MIDNIGHT, to_at, width=width, zone=CHICAGO)


def test_a_register_has_no_hours(world):
    database, actor, *_ = world
    (dial,) = add_channels(database, actor, interval_s=None, unit="ccf", commodity="gas")
    with database.transaction(actor=actor) as conn, pytest.raises(NothingToSum, match="without intervals"):
        sums(conn, queries.channels_by_id(conn, [dial])[0], [MIDNIGHT, MIDNIGHT + TWO])
