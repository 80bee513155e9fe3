"""Months that are closed answer as before, take corrections, and can be opened again."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import psycopg
import pytest
from meter_world import OFFSET, days, deliver, first_load, service_point

from mains.base.db import Actor
from mains.metering import exporting, queries
from mains.metering.checks import DATABASE_CHECKS
from mains.metering.closing import operations
from mains.metering.closing import queries as closing_queries
from mains.metering.load import block_fingerprints, load, load_as_of
from mains.metering.model import MISSING, Quality
from mains.metering.store import ReadingsAlreadyThere

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
rng = np.random.default_rng(17)
_years = iter(range(1990, 2020))


@pytest.fixture
def march() -> datetime:
    """Standard-time midnight in Chicago of the first of a March that no other test uses."""
    return datetime(next(_years), 3, 1, 6, tzinfo=UTC)


def usage(channels: int, count: int = 31, slots: int = 96) -> np.ndarray:
    return rng.integers(0, 900, (channels, count, slots), dtype=np.int32)


def tiers(database, channels) -> tuple[int, int]:
    """Blocks live and closed."""
    with database.administering(autocommit=True) as admin:
        live = admin.execute("SELECT count(*) FROM metering.interval_blocks WHERE channel_id = ANY(%s)", [channels]).fetchone()[0]
        closed = admin.execute("SELECT coalesce(sum(days), 0) FROM metering.closed_months WHERE channel_id = ANY(%s)", [channels]).fetchone()[0]
    return live, closed


def seen(database, actor, channels, first, *, count=31, step=None):
    """All that readers can ask of a stretch: values, qualities, versions, fingerprints, exported readings."""
    with database.transaction(actor=actor) as conn:
        found = load(conn, channels, first, first + count * DAY, interval_s=step)
        rows = list(exporting.readings(conn, queries.channels_by_id(conn, channels[:1]), first, first + 2 * DAY))
        return SimpleNamespace(
            values=found.values, quality=found.quality, versions=found.versions.tolist(), rows=rows, prints=block_fingerprints(conn, channels, first, first + count * DAY)
        )  # fmt: skip


def same(a, b) -> bool:
    return np.array_equal(a.values, b.values) and np.array_equal(a.quality, b.quality) and (a.versions, a.prints, a.rows) == (b.versions, b.prints, b.rows)


def close(database, actor, month, **more):
    return operations.close_month(database, actor, month=month.date(), at=NOW, is_forced=True, **more)


def odd_month(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Values with gaps, wide days and days without anything; qualities mixed and not."""
    values = usage(channels)
    values[rng.random(values.shape) < 0.01] = MISSING
    values[:, 4] = 100_000
    values[0, 7] = MISSING
    quality = np.zeros(values.shape, np.uint8)
    quality[:, 9, 10:20] = Quality.ESTIMATED
    quality[:, 11] = Quality.VALIDATED
    return values, quality


def test_a_closed_month_answers_as_before_and_comes_back(database, staff, meters, march):
    channels = meters(5)
    values, quality = odd_month(5)
    first_load(database, staff, days(channels, values, quality=quality, first=march))
    deliver(database, staff, days(channels[:2], usage(2, 3), first=march))  # corrections: versions and history
    before, told = seen(database, staff, channels, march), []
    with database.transaction(actor=staff) as conn:
        day_rows = conn.execute("SELECT channel_id, block_start, total, peak, n_valid FROM metering.channel_days WHERE channel_id = ANY(%s) ORDER BY 1, 2", [channels]).fetchall()
        months = "SELECT channel_id, total, peak, n_valid, n_estimated, days FROM metering.channel_months WHERE channel_id = ANY(%s) ORDER BY 1"
        month_rows = conn.execute(months, [channels]).fetchall()
    live, _ = tiers(database, channels)

    done = close(database, staff, march, channels_at_a_time=2, progress=lambda *done: told.append(done))

    assert tiers(database, channels) == (0, live)
    assert (done.blocks, done.channels) == (live, 5)
    assert told[-1] == (5, done.readings)
    assert done.disk in ("freed", "busy")
    assert same(seen(database, staff, channels, march), before)
    with database.transaction(actor=staff) as conn:
        days_of = "SELECT channel_id, block_start, total, peak, n_valid FROM metering.days_of_channels(%s, %s, %s) ORDER BY 1, 2"
        assert conn.execute(days_of, [channels, march, march + 31 * DAY]).fetchall() == day_rows
        closed = "SELECT channel_id, block_start, total, peak, n_valid FROM metering.channel_days WHERE channel_id = ANY(%s) AND is_closed ORDER BY 1, 2"
        assert conn.execute(closed, [channels]).fetchall() == day_rows
        assert conn.execute(months, [channels]).fetchall() == month_rows
    assert close(database, staff, march).blocks == 0  # again does nothing

    operations.thaw_month(database, staff, month=march.date(), channels_at_a_time=2)
    assert tiers(database, channels) == (live, 0)
    assert same(seen(database, staff, channels, march), before)
    assert close(database, staff, march).blocks == live
    assert same(seen(database, staff, channels, march), before)


def test_what_the_store_held_then_is_known_of_closed_months(database, staff, meters, march):
    channels = meters(2)
    first_load(database, staff, days(channels, usage(2, 4), first=march))
    with database.administering(autocommit=True) as admin:
        then = admin.execute("SELECT clock_timestamp()").fetchone()[0]
    with database.transaction(actor=staff) as conn:
        early = load_as_of(conn, channels, march, march + 6 * DAY, as_of=then - timedelta(hours=1))
        was = load_as_of(conn, channels, march, march + 6 * DAY, as_of=then, with_fingerprints=True)
    deliver(database, staff, days(channels, usage(2, 2), first=march + DAY))  # replaces
    deliver(database, staff, days(channels, usage(2, 1), first=march + 5 * DAY))  # adds
    close(database, staff, march)
    with database.transaction(actor=staff) as conn:
        again = load_as_of(conn, channels, march, march + 6 * DAY, as_of=then, with_fingerprints=True)
        earlier = load_as_of(conn, channels, march, march + 6 * DAY, as_of=then - timedelta(hours=1))
    assert np.array_equal(was.values, again.values)
    assert was.fingerprints == again.fingerprints
    assert np.array_equal(early.values, earlier.values)
    assert (earlier.values == MISSING).all()


def test_a_delivery_opens_what_it_changes_and_nothing_else(database, staff, meters, march):
    channels = meters(3)
    first_load(database, staff, days(channels, usages := usage(3), first=march))
    close(database, staff, march)

    same_again = deliver(database, staff, days(channels, usages, first=march))
    assert (same_again.blocks_new, same_again.blocks_changed) == (0, 0)
    assert tiers(database, channels) == (0, 93)

    usages[1, 5] += 1
    done = deliver(database, staff, days(channels[1:2], usages[1:2], first=march))
    assert (done.blocks_new, done.blocks_changed, done.changed) == (0, 1, 96)
    assert tiers(database, channels) == (31, 62)
    found = seen(database, staff, channels, march)
    assert np.array_equal(found.values, usages.reshape(3, -1))
    assert found.versions == [1, 2, 1]
    assert close(database, staff, march).channels == 1
    assert same(seen(database, staff, channels, march), found)


def test_the_fast_way_is_closed_for_closed_months(database, staff, meters, march):
    channels = meters(1)
    first_load(database, staff, days(channels, usage(1, 2), first=march))
    close(database, staff, march)
    with pytest.raises((operations.MonthIsClosed, ReadingsAlreadyThere)):
        first_load(database, staff, days(channels, usage(1, 2), first=march))


def test_months_that_are_not_over_or_not_ready_are_refused(database, staff, meters, march):
    channels = meters(1)
    first_load(database, staff, days(channels, usage(1, 2), first=march))
    with pytest.raises(operations.MonthNotOver):
        operations.close_month(database, staff, month=date(2026, 11, 5), at=NOW, is_forced=True)
    with pytest.raises(operations.MonthNotReady, match="not validated") as refused:
        operations.close_month(database, staff, month=march.date(), at=NOW)
    assert "vee" in refused.value.cure


def test_a_change_of_interval_and_holes_within_a_month(database, staff, meters, march):
    (channel,) = meters(1)
    first_load(database, staff, days([channel], usage(1, 5), first=march))
    deliver(database, staff, days([channel], usage(1, 4, 48), first=march + 8 * DAY))
    parts = [{"first": march, "count": 5}, {"first": march + 8 * DAY, "count": 4, "step": 1800}]
    before = [seen(database, staff, [channel], **part) for part in parts]
    close(database, staff, march)
    assert all(same(seen(database, staff, [channel], **part), was) for part, was in zip(parts, before, strict=True))


def test_customers_see_their_own_days_of_a_closed_month(database, staff, meters, march):
    channels = meters(1)
    moved = march + 10 * DAY + timedelta(hours=9)
    people = []
    with database.transaction(actor=staff) as conn:
        point = service_point(conn, "SP-closing")
        meter = conn.execute("SELECT meter_id FROM metering.channels WHERE channel_id = %s", channels).fetchone()[0]
        conn.execute("INSERT INTO devices.meter_installations (meter_id, service_point_id, installed_period) VALUES (%s, %s, tstzrange('1980-01-01', NULL))", [meter, point])
        for number, (a, b) in enumerate(((None, moved), (moved, None))):
            people.append(_customer(conn, point, number, a, b))
    first_load(database, staff, days(channels, usage(1), first=march))
    customers = [Actor(role="customer", utility_id=staff.utility_id, customer_id=person, name="Customer") for person in people]
    before = [seen(database, customer, channels, march) for customer in customers]
    close(database, staff, march)

    for customer, was in zip(customers, before, strict=True):
        found = seen(database, customer, channels, march)
        assert same(found, was)
        assert (found.values == MISSING).any()
        with database.transaction(actor=customer) as conn:
            total, n = conn.execute("SELECT sum(total), count(*) FROM metering.channel_days WHERE channel_id = %s", channels).fetchone()
            assert total == int(was.values[was.values != MISSING].sum())
            assert n == (was.values != MISSING).sum() // 96
    later = moved + 5 * DAY
    with database.transaction(actor=staff) as conn:  # a correction of the day of the move, after closing: safe until it is closed again, then exact
        conn.execute("UPDATE customers.service_accounts SET active_period = tstzrange(%s, NULL) WHERE customer_id = %s", [later, people[1]])
    assert (seen(database, customers[1], channels, march).values[0, : 15 * 96] == MISSING).all()
    close(database, staff, march)
    assert (seen(database, customers[1], channels, march).values[0, 15 * 96 :] != MISSING).all()


def _customer(conn, point, number: int, from_at, to_at):
    person = conn.execute(
        "INSERT INTO customers.customers (customer_number, full_name, customer_class) VALUES (%s, %s, 'residential') RETURNING customer_id", [f"C-{number}", f"Customer {number}"]
    ).fetchone()[0]
    conn.execute(
        "INSERT INTO customers.service_accounts (account_number, commodity, customer_id, service_point_id, active_period) VALUES (%s, 'electric', %s, %s, tstzrange(%s, %s))",
        [f"A-{number}", person, point, from_at or datetime(1980, 1, 1, tzinfo=UTC), to_at],
    )
    return person


def test_a_neighbour_sees_nothing_and_nobody_removes(database, staff, neighbour, meters, march):
    channels = meters(1)
    first_load(database, staff, days(channels, usage(1, 2), first=march))
    close(database, staff, march)
    with database.transaction(actor=neighbour) as conn:
        assert conn.execute("SELECT count(*) FROM metering.closed_months").fetchone() == (0,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction(actor=staff) as conn:
        conn.execute("DELETE FROM metering.closed_months")
    with database.transaction(actor=staff) as conn:  # no live blocks stand behind, so nothing goes
        assert conn.execute("SELECT metering.remove_thawed(%s, %s)", [channels, march]).fetchone() == (0,)


def test_live_blocks_go_only_where_a_closed_row_holds_them(database, staff, meters, march):
    channels = meters(1)
    first_load(database, staff, days(channels, usage(1, 2), first=march))
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT removed FROM metering.remove_closed_blocks(%s, %s)", [channels, march]).fetchone() == (0,)


def test_the_checks_know_both_tiers(database, staff, meters, admin, march):
    channels = meters(2)
    first_load(database, staff, days(channels, usage(2, 3), first=march))
    close(database, staff, march)
    assert {finding.check: finding.holds for finding in (check(admin, NOW) for check in DATABASE_CHECKS)}["reading-tiers"]
    admin.execute(
        "INSERT INTO metering.interval_blocks (channel_id, block_start, total, utility_id, peak, batch_id, utc_offset_min, n_valid, width, vals) "
        "VALUES (%s, %s, 0, %s, 0, 1, %s, 96, 2, %s)",
        [channels[0], march, staff.utility_id, OFFSET, bytes(192)],
    )
    admin.execute("UPDATE metering.closed_months SET total = total + 1 WHERE channel_id = %s", [channels[1]])
    found = {finding.check: finding for finding in (check(admin, NOW) for check in DATABASE_CHECKS)}
    assert not found["reading-tiers"].holds
    assert not found["closed-totals"].holds
    assert closing_queries.month_of(march) == (datetime(march.year, 3, 1, tzinfo=UTC), datetime(march.year, 4, 1, tzinfo=UTC))


def test_a_closing_that_was_cut_off_leaves_all_readable_and_goes_on(database, staff, meters, march):
    channels = meters(5)
    first_load(database, staff, days(channels, usage(5), first=march))
    before = seen(database, staff, channels, march)

    def cut_off(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        close(database, staff, march, channels_at_a_time=2, progress=cut_off)
    assert tiers(database, channels) == (93, 62)
    assert same(seen(database, staff, channels, march), before)
    assert close(database, staff, march, channels_at_a_time=2).channels == 3
    assert same(seen(database, staff, channels, march), before)
