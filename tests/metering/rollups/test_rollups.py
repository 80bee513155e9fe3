"""Sums by zone stay what the readings give, whatever comes in which order, wherever meters hang, and whoever stops in the middle."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meter_world import MIDNIGHT, NOW, add_channels, days, deliver, first_load, found_utility, service_point

from mains.metering import store
from mains.metering.model import MISSING, Quality
from mains.metering.parallel import Task, load_parallel
from mains.metering.rollups import checks, kernels
from mains.metering.rollups import operations as rollups
from mains.metering.rollups.places import NOWHERE

ADDITIONS = {"max_examples": 25, "deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@pytest.fixture
def staff(admin, request):
    return found_utility(admin, f"r{abs(hash(request.node.name)) % 10**9}")


def zone(conn, code):
    return conn.execute("INSERT INTO network.service_zones (zone_name, zone_code) VALUES (%s, %s) RETURNING zone_id", [code, code]).fetchone()[0]


def hang(conn, channel, point, from_at, to_at=None):
    meter = conn.execute("SELECT meter_id FROM metering.channels WHERE channel_id = %s", [channel]).fetchone()[0]
    conn.execute(
        "INSERT INTO devices.meter_installations (meter_id, service_point_id, installed_period) VALUES (%s, %s, tstzrange(%s, %s))", [meter, point, from_at, to_at]
    )


def town(database, staff, count=3, **channel):
    """Channels of which the first hang in one zone, the next in another, the last nowhere; their keys and the two zones."""
    channels = add_channels(database, staff, count, **channel)
    with database.transaction(actor=staff) as conn:
        zones = [zone(conn, "north"), zone(conn, "south")]
        for channel_id, of_zone in zip(channels[:2], zones, strict=True):
            point = service_point(conn, f"SP-{channel_id}")
            conn.execute("UPDATE customers.service_points SET service_zone_id = %s WHERE service_point_id = %s", [of_zone, point])
            hang(conn, channel_id, point, MIDNIGHT - timedelta(days=30))
    return channels, zones


def compared(database, staff, from_at=MIDNIGHT - timedelta(days=40), to_at=MIDNIGHT + timedelta(days=40)):
    with database.transaction(actor=staff) as conn:
        return rollups.differences(conn, from_at, to_at, utility_id=staff.utility_id)


def assert_right(database, staff):
    found = compared(database, staff)
    assert found.differing == []
    return found.rows


def curve(database, staff, of_zone, width, from_at=MIDNIGHT, to_at=MIDNIGHT + timedelta(days=2)):
    with database.transaction(actor=staff) as conn:
        return conn.execute("SELECT starts_at, total, readings, estimated FROM metering.zone_curve(%s, %s, %s, %s)", [of_zone, from_at, to_at, width]).fetchall()


def usage(channels, count, seed=1, top=3000):
    return np.random.default_rng(seed).integers(0, top, (channels, count, 96)).astype(np.int32)


def test_a_first_load_is_in_the_sums_of_its_zones(database, staff):
    channels, (north, south) = town(database, staff)
    values = usage(3, 2)
    first_load(database, staff, days(channels, values))
    assert assert_right(database, staff) > 0
    assert [row[1] for row in curve(database, staff, north, timedelta(minutes=15))] == values[0].reshape(-1).tolist()
    assert [row[1] for row in curve(database, staff, south, timedelta(hours=1))] == values[1].reshape(-1, 4).sum(axis=1).tolist()
    assert sum(row[1] for row in curve(database, staff, None, timedelta(hours=1))) == int(values.sum())
    assert sum(row[1] for row in curve(database, staff, NOWHERE, timedelta(hours=1))) == int(values[2].sum())
    assert [tuple(row[1:]) for row in curve(database, staff, north, timedelta(days=1))] == [(Decimal(int(day.sum())), 96, 0) for day in values[0]]


def test_several_processes_add_to_the_same_sums(database, staff):
    channels, _ = town(database, staff)
    tasks = [Task(make=_ramp, arguments={"channel": channel}) for channel in channels]
    load_parallel(database, actor=staff, tasks=tasks, from_at=MIDNIGHT, to_at=MIDNIGHT + timedelta(days=2), source="town", at=NOW)
    assert_right(database, staff)


def _ramp(channel):
    return [days([channel], np.arange(192, dtype=np.int32).reshape(1, 2, 96))]


def test_a_load_that_is_refused_leaves_the_sums_as_they_were(database, staff):
    channels, (north, _) = town(database, staff)
    first_load(database, staff, days(channels[:1], usage(1, 2)))
    before = curve(database, staff, north, timedelta(hours=1))
    with pytest.raises(store.ReadingsAlreadyThere):
        first_load(database, staff, days(channels, usage(3, 2, seed=2)))
    assert curve(database, staff, north, timedelta(hours=1)) == before
    assert_right(database, staff)


def test_units_and_multipliers_are_brought_to_watt_hours_and_litres(database, staff):
    wh = add_channels(database, staff, 1)
    kwh = add_channels(database, staff, 1, unit="kWh", pow10=-2, multiplier=Decimal(40))
    gas = add_channels(database, staff, 1, unit="ft3", commodity="gas", interval_s=3600)
    power = add_channels(database, staff, 1, unit="W")
    for channels in (wh, kwh, power):
        deliver(database, staff, days(channels, np.full((1, 1, 96), 3)))
    deliver(database, staff, days(gas, np.full((1, 1, 24), 10)))
    assert_right(database, staff)
    with database.transaction(actor=staff) as conn:
        found = {row[:2]: row[2:] for row in conn.execute("SELECT commodity, unit, sum(total), sum(readings) FROM metering.zone_days GROUP BY 1, 2")}
    assert found == {("electric", "Wh"): (Decimal(3 * 96 + 3 * 96 * 400), 192), ("gas", "L"): (240 * Decimal("28.316846592"), 24)}


def test_long_intervals_are_only_in_long_buckets(database, staff):
    quarter, hour, day = (add_channels(database, staff, 1, interval_s=interval) for interval in (900, 3600, 86_400))
    for channels, slots in ((quarter, 96), (hour, 24), (day, 1)):
        deliver(database, staff, days(channels, np.full((1, 1, slots), 96 // slots)))
    assert_right(database, staff)
    counts = {width: sum(row[2] for row in curve(database, staff, None, timedelta(seconds=width))) for width in (900, 3600, 86_400)}
    assert counts == {900: 96, 3600: 120, 86_400: 121}


def test_a_meter_that_moves_takes_its_readings_from_then_on_to_the_other_zone(database, staff):
    (channel, *_), (north, south) = town(database, staff)
    at = MIDNIGHT + timedelta(hours=30)
    with database.transaction(actor=staff) as conn:
        take_down = """UPDATE devices.meter_installations SET installed_period = tstzrange(lower(installed_period), %s)
                       WHERE meter_id = (SELECT meter_id FROM metering.channels WHERE channel_id = %s)"""
        conn.execute(take_down, [at, channel])
        point = service_point(conn, "SP-new")
        conn.execute("UPDATE customers.service_points SET service_zone_id = %s WHERE service_point_id = %s", [south, point])
        hang(conn, channel, point, at + timedelta(hours=1))
    first_load(database, staff, days([channel], np.ones((1, 3, 96))))
    assert_right(database, staff)
    read = [sum(row[2] for row in curve(database, staff, of_zone, timedelta(hours=1), to_at=MIDNIGHT + timedelta(days=3))) for of_zone in (north, NOWHERE, south)]
    assert read == [120, 4, 164]


def test_a_place_that_changes_behind_stored_readings_is_noted_and_settled(database, staff):
    (channel, *_), (north, south) = town(database, staff)
    deliver(database, staff, days([channel], np.ones((1, 2, 96))))
    assert rollups.settle(database, staff) == 0
    with database.transaction(actor=staff) as conn:
        conn.execute("UPDATE customers.service_points SET service_zone_id = %s WHERE service_zone_id = %s", [south, north])
    assert compared(database, staff).differing
    assert rollups.settle(database, staff) == 1
    assert_right(database, staff)
    assert sum(row[2] for row in curve(database, staff, south, timedelta(hours=1))) == 192
    assert rollups.settle(database, staff) == 0


def test_a_place_that_changes_while_readings_are_being_stored_is_noted(database, staff):
    (channel, *_), (north, south) = town(database, staff)

    def parts():
        yield days([channel], np.ones((1, 2, 96)))
        with database.transaction(actor=staff) as conn:
            conn.execute("UPDATE customers.service_points SET service_zone_id = %s WHERE service_zone_id = %s", [south, north])

    store.first_load(database, actor=staff, parts=parts(), from_at=MIDNIGHT, to_at=MIDNIGHT + timedelta(days=2), source="slow", at=NOW)
    assert rollups.settle(database, staff) == 1
    assert_right(database, staff)


def test_marks_and_rebuilding(database, staff):
    channels, _ = town(database, staff)
    first_load(database, staff, days(channels, usage(3, 2), quality=int(Quality.ESTIMATED)))
    with database.transaction(actor=staff) as conn:
        failed = days(channels[:1], usage(3, 2)[:1], quality=int(Quality.FAILED_CHECK))
        assert store.replace_stored(conn, [failed], utility_id=staff.utility_id, batch_id=1) == 2
    assert_right(database, staff)
    assert sum(row[3] for row in curve(database, staff, None, timedelta(hours=1))) == 2 * 192
    with database.transaction(actor=staff) as conn:
        conn.execute("UPDATE metering.rollup_days SET totals[5] = totals[5] + 1")
    assert "kept" in compared(database, staff).differing[0]
    with database.administering(autocommit=True) as conn:
        assert not checks.sums_are_those_of_the_readings(conn, NOW).holds
    with database.transaction(actor=staff) as conn:
        rollups.rebuild(conn, MIDNIGHT, MIDNIGHT + timedelta(days=2), utility_id=staff.utility_id)
    assert_right(database, staff)
    with database.administering(autocommit=True) as conn:
        assert checks.sums_are_those_of_the_readings(conn, NOW).said.endswith("what the readings give")
        assert checks.no_sums_wait(conn, NOW).holds


deliveries = st.lists(
    st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True), st.integers(0, 2), st.integers(1, 2), st.integers(0, 2**31), st.sampled_from([0, 2, 3, 5, 7, 10])),
    min_size=1, max_size=5,
)  # fmt: skip


@given(plan=deliveries)
@settings(**ADDITIONS)
def test_sums_are_those_of_the_readings_after_any_deliveries(database, admin, plan):
    staff = found_utility(admin, f"p{np.random.default_rng().integers(10**12)}")
    channels, _ = town(database, staff)
    for which, first, count, seed, quality in plan:
        rng = np.random.default_rng(seed)
        values = rng.integers(-5, 40_000 if seed % 3 else 3, (len(which), count, 96)).astype(np.int32)
        values[rng.random(values.shape) < 0.2 * (seed % 4)] = MISSING
        qualities = np.where(rng.random(values.shape) < 0.1 * (seed % 2), int(Quality.ESTIMATED), quality).astype(np.uint8)
        deliver(database, staff, days([channels[i] for i in which], values, first=MIDNIGHT + timedelta(days=first), quality=qualities))
        with database.transaction(actor=staff) as conn:
            assert conn.execute("SELECT count(*) FROM metering.rollups_stale").fetchone()[0] == 0
    assert_right(database, staff)


def test_the_compiled_kernel_and_numpy_agree():
    rng = np.random.default_rng(3)
    values = rng.integers(-(2**31) + 1, 2**31, (50, 24)).astype(np.int32)
    values[rng.random(values.shape) < 0.3] = MISSING
    cell = rng.integers(0, 7, 50).astype(np.int32)
    found = []
    for add in (kernels._add, kernels._compiled()):
        totals, readings = np.zeros((7, 24), dtype=np.int64), np.zeros((7, 24), dtype=np.int32)
        add(values, cell, totals, readings)
        found.append((totals, readings))
    assert (found[0][0] == found[1][0]).all()
    assert (found[0][1] == found[1][1]).all()
    assert found[0][1].sum() == (values != MISSING).sum()


def test_local_days_have_23_and_25_hours(database, staff):
    channel = add_channels(database, staff, 1)
    autumn = datetime(2026, 10, 31, 6, tzinfo=UTC)  # standard-time midnight; the clock goes back on November 1st
    deliver(database, staff, days(channel, np.ones((1, 4, 96)), first=autumn))
    with database.transaction(actor=staff) as conn:
        found = dict(conn.execute("SELECT local_date::text, readings FROM metering.zone_days").fetchall())
    assert found["2026-11-01"] == 100
