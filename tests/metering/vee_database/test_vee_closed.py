"""Decisions about readings of closed months: the month is thawed for them, and the days before are known to the rules though they are closed."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from meter_world import MIDNIGHT, OFFSET, add_channels, days, first_load, found_utility

from mains.base.db import Database
from mains.metering import load
from mains.metering.closing import operations as closing
from mains.metering.model import Quality
from mains.metering.vee import queries, running, work_list
from mains.metering.vee.queries import Wanted

AT = datetime(2026, 6, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(database: Database):
    """A channel read from 1 March on for sixty days, on one of which a value is far too high; March is closed."""
    with database.administering(autocommit=True) as admin:
        actor = found_utility(admin, "closedvee")
    (channel,) = add_channels(database, actor)
    values = np.random.default_rng(8).integers(100, 400, (1, 60, 96))
    values[0, 10, 40] = 90_000
    first_load(database, actor, days([channel], values))
    running.run_pending(database, actor, at=AT)
    closing.close_month(database, actor, month=datetime(2026, 3, 1, tzinfo=UTC).date(), at=AT, is_forced=True)
    return database, actor, channel


def test_a_failure_in_a_closed_month_is_accepted_and_counts_again(world):
    database, actor, channel = world
    with database.transaction(actor=actor) as conn:
        failures = [each for each in queries.exceptions_page(conn, Wanted(severity="failure")) if each.is_marked]
        before = load.load(conn, [channel], MIDNIGHT, MIDNIGHT + timedelta(days=31))
    assert failures
    assert (before.quality == Quality.FAILED_CHECK).any()

    work_list.accept(database, actor, [each.vee_exception_id for each in failures], at=AT, reason="a fair in the yard")

    with database.transaction(actor=actor) as conn:
        after = load.load(conn, [channel], MIDNIGHT, MIDNIGHT + timedelta(days=31))
    assert not (after.quality == Quality.FAILED_CHECK).any()
    assert (after.values == before.values).all()


def test_the_rules_know_the_sums_of_closed_days(world):
    database, actor, channel = world
    asked = {"channels": [channel], "from_at": MIDNIGHT, "to_at": MIDNIGHT + timedelta(days=60), "interval_s": 900, "utc_offset_min": OFFSET}
    with database.transaction(actor=actor) as conn:
        closing.close_month(database, actor, month=datetime(2026, 3, 1, tzinfo=UTC).date(), at=AT, is_forced=True)
        found = queries._sql.heads_between
        (packed,) = conn.execute(found, asked).fetchone()
    assert len(packed) == 60 * 32
