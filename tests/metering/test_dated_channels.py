"""Channels that change: a multiplier, a unit, an interval, a zone, each from an instant on."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import psycopg
import pytest
from meter_world import MIDNIGHT, NOW, days, deliver

from mains.metering import importing, operations, queries
from mains.metering.channel_changes import ReadingsInTheWay, UnableToChangeChannel, change_channel
from mains.metering.load import ChannelNotFound, load, load_as_of
from mains.metering.model import MISSING
from mains.metering.registers import NewRead, store_reads, usage_between

DAY = timedelta(days=1)
NOON = MIDNIGHT + timedelta(hours=12)


@pytest.fixture
def change(database, staff):
    """Changes a channel in a transaction of its own; `then` looks at it before the end."""

    def make(channel: int, at: datetime = NOON, **given):
        with database.transaction(actor=staff) as conn:
            return change_channel(conn, channel, at=at, now=NOW, **({"reason": "another transformer"} | given))

    return make


@pytest.fixture
def read(database, staff):
    def make(channel: int, count: int = 2, **more):
        with database.transaction(actor=staff) as conn:
            return load(conn, [channel], MIDNIGHT, MIDNIGHT + count * DAY, **more).values[0]

    return make


def number_of(database, staff, channel: int) -> str:
    with database.transaction(actor=staff) as conn:
        return queries.channels_by_id(conn, [channel])[0].meter_number


def file_of(tmp_path, meter: str, *, hours: int = 48, value: int = 4000):
    """Quarter hours in Wh from midnight on, all of one quantity."""
    lines = [f"{meter},1,{(MIDNIGHT + timedelta(minutes=15 * i)).isoformat()},{value},Wh,15" for i in range(hours * 4)]
    path = tmp_path / f"{meter}.csv"
    path.write_text("\n".join(["meter,register,start,value,unit,interval_minutes", *lines]) + "\n")
    return path


def test_a_changed_multiplier_closes_one_channel_and_opens_the_next(meters, change, database, staff, admin):
    (channel,) = meters(multiplier=Decimal(10))

    done = change(channel, multiplier=Decimal(20))

    assert (done.closed.in_service_from, done.closed.in_service_to) == (None, NOON)
    assert (done.opened.in_service_from, done.opened.in_service_to, done.opened.opened_because) == (NOON, None, "another transformer")
    assert (done.opened.multiplier, done.opened.kwh_factor, done.opened.register) == (Decimal(20), Decimal("0.020"), done.closed.register)
    said = admin.execute("SELECT DISTINCT change_reason FROM identity.utility_audit_log WHERE table_name = 'metering.channels' AND operation = 'UPDATE'").fetchall()
    assert said == [("another transformer",)]


def test_a_delivery_is_split_where_the_channel_was_changed(meters, change, read, database, staff, tmp_path):
    (channel,) = meters(multiplier=Decimal(10))
    done = change(channel, multiplier=Decimal(20))

    report = importing.import_files(database, staff, [file_of(tmp_path, number_of(database, staff, channel))], at=NOW)

    assert (report.total("found"), report.total("accepted"), report.total("new")) == (192, 192, 192)
    before, after = read(channel), read(done.opened.channel_id)
    assert (before[:48] == 400).all()
    assert (before[48:] == MISSING).all()
    assert (after[:48] == MISSING).all()
    assert (after[48:] == 200).all()
    again = importing.import_files(database, staff, [file_of(tmp_path, number_of(database, staff, channel))], at=NOW)
    assert (again.total("new"), again.total("changed"), again.total("unchanged")) == (0, 0, 192)


def test_every_reading_is_one_row_of_the_view_with_the_multiplier_of_its_time(meters, change, database, staff, tmp_path):
    (channel,) = meters(multiplier=Decimal(10))
    change(channel, multiplier=Decimal(20))
    importing.import_files(database, staff, [file_of(tmp_path, number_of(database, staff, channel), hours=24)], at=NOW)

    with database.transaction(actor=staff) as conn:
        query = """SELECT count(*), count(DISTINCT reading_timestamp), sum(consumption_kwh), count(DISTINCT channel_id) FROM metering.meter_readings
            WHERE channel_id IN (SELECT c.channel_id FROM metering.channels c WHERE c.meter_id = (SELECT o.meter_id FROM metering.channels o WHERE o.channel_id = %s))"""
        assert conn.execute(query, [channel]).fetchone() == (96, 96, Decimal(96 * 4), 2)


def test_readings_of_a_time_without_a_channel_are_refused_by_name(meters, database, staff, tmp_path):
    (channel,) = meters(in_service_from=NOON)

    report = importing.import_files(database, staff, [file_of(tmp_path, number_of(database, staff, channel), hours=24)], at=NOW)

    assert (report.total("accepted"), report.total("quarantined")) == (48, 48)
    assert report.reasons["channel-not-in-service"].line == 2


def test_two_channels_of_a_register_never_overlap(meters, database, staff, change):
    (channel,) = meters()
    change(channel, multiplier=Decimal(2))
    with database.transaction(actor=staff) as conn:
        known = queries.channels_by_id(conn, [channel])[0]
        same = operations.NewChannel(meter_id=known.meter_id, register="1", commodity="electric", unit="Wh", utc_offset_min=-360, interval_s=900)
        assert operations.register_channels(conn, [same]) == 0
    with pytest.raises(psycopg.errors.ExclusionViolation, match="one_channel_at_a_time"), database.transaction(actor=staff) as conn:
        conn.execute("UPDATE metering.channels SET in_service = '(,)' WHERE channel_id = %s", [channel])


def test_stored_readings_after_the_change_are_in_its_way(meters, change, database, staff):
    (channel,) = meters()
    deliver(database, staff, days([channel], np.full((1, 2, 96), 7)))

    with pytest.raises(ReadingsInTheWay, match="holds 144 readings") as refused:
        change(channel, multiplier=Decimal(2))

    assert refused.value.facts == {"readings": 144}
    assert "--move" in refused.value.cure


@pytest.mark.parametrize(("keep", "raw"), [("raw", 8), ("quantities", 4)])
def test_readings_are_moved_by_what_stays_right_of_them(meters, change, read, database, staff, keep, raw):
    (channel,) = meters()
    deliver(database, staff, days([channel], np.full((1, 2, 96), 8)))
    with database.transaction(actor=staff) as conn:
        stood = conn.execute("SELECT clock_timestamp()").fetchone()[0]

    done = change(channel, multiplier=Decimal(2), move=keep)

    assert done.readings_moved == 144
    before, after = read(channel), read(done.opened.channel_id)
    assert (before[:48] == 8).all()
    assert (before[48:] == MISSING).all()
    assert (after[:48] == MISSING).all()
    assert (after[48:] == raw).all()
    with database.transaction(actor=staff) as conn:
        assert (load_as_of(conn, [channel], MIDNIGHT, MIDNIGHT + 2 * DAY, as_of=stood).values == 8).all()
        assert conn.execute("SELECT DISTINCT reason, actor FROM metering.interval_block_history WHERE channel_id = %s", [channel]).fetchall() == [
            ("another transformer", "Ada Clerk")
        ]
        counts = conn.execute(
            "SELECT format, readings_found, readings_accepted, readings_new, raw_sum FROM metering.ingest_batches WHERE batch_id = %s", [done.batch_id]
        ).fetchone()
        assert counts == ("channel-change", 144, 144, 144, 144 * raw)


def test_quantities_that_the_new_channel_cannot_hold_are_not_moved(meters, change, read, database, staff):
    (channel,) = meters()
    deliver(database, staff, days([channel], np.full((1, 2, 96), 7)))

    with pytest.raises(UnableToChangeChannel, match="no whole number of the new channel's steps"):
        change(channel, multiplier=Decimal(2), move="quantities")

    assert (read(channel) == 7).all()


def test_a_moved_zone_cuts_the_days_anew(meters, change, read, database, staff):
    (channel,) = meters(interval_s=3600)
    values = np.arange(48).reshape(1, 2, 24)
    deliver(database, staff, days([channel], values))

    done = change(channel, at=NOON, utc_offset_min=-300, move="raw")

    assert read(channel)[:12].tolist() == list(range(12))
    assert (read(channel)[12:] == MISSING).all()
    assert read(done.opened.channel_id)[12:].tolist() == list(range(12, 48))
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT count(DISTINCT block_start) FROM metering.interval_blocks WHERE channel_id = %s AND n_valid > 0", [done.opened.channel_id]).fetchone() == (3,)


def test_an_interval_length_changes_with_the_readings_that_come_after_it(meters, change, read, database, staff, tmp_path):
    (channel,) = meters()
    done = change(channel, interval_s=1800)
    meter = number_of(database, staff, channel)
    lines = [f"{meter},1,{(NOON + timedelta(minutes=30 * i)).isoformat()},500,Wh,30" for i in range(24)]
    path = tmp_path / "half.csv"
    path.write_text("\n".join(["meter,register,start,value,unit,interval_minutes", *lines]) + "\n")

    report = importing.import_files(database, staff, [path, file_of(tmp_path, meter, hours=12)], at=NOW)

    assert (report.total("accepted"), report.total("quarantined")) == (24 + 48, 0)
    assert (read(done.opened.channel_id, 1)[24:] == 500).all()
    assert (read(channel, 1)[:48] == 4000).all()


def test_a_dial_ends_with_the_figure_that_the_next_one_begins_with(meters, change, database, staff):
    (channel,) = meters(interval_s=None, unit="ccf", commodity="gas", utc_offset_min=0)
    with database.transaction(actor=staff) as conn:
        batch = operations.open_batch(conn, source="reader", format="arrays", sha256=bytes(32), at=NOW)
        figures = [(MIDNIGHT, 99_000), (NOON, 99_990), (NOON + 30 * DAY, 20)]
        store_reads(conn, [NewRead(channel_id=channel, read_at=at, raw=raw) for at, raw in figures], batch_id=batch)

    with pytest.raises(ReadingsInTheWay, match="holds 1 readings"):
        change(channel, multiplier=Decimal(10))
    done = change(channel, multiplier=Decimal(10), move="raw")

    with database.transaction(actor=staff) as conn:
        before, after = usage_between(conn, [(channel, MIDNIGHT, NOON, 5), (done.opened.channel_id, NOON, NOON + 30 * DAY, 5)])
    assert (before.raw, after.raw, after.rolled_over, after.reason) == (990, 30, True, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"multiplier": Decimal(1)}, "nothing would change"),
        ({"multiplier": Decimal(2), "at": NOW + DAY}, "has not come yet"),
        ({"multiplier": Decimal(2), "at": NOON + timedelta(minutes=7)}, "lies inside an interval of 900 s"),
        ({"interval_s": 7200, "at": NOON + timedelta(minutes=15)}, "lies inside an interval of 7200 s"),
        ({"interval_s": 777}, "do not divide the day"),
        ({"unit": "gal"}, "measures energy"),
        ({"multiplier": Decimal(0)}, "outside of what a channel can have"),
        ({"multiplier": Decimal(2), "reason": " "}, "no reason is given"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_a_cure(meters, change, given, said):
    (channel,) = meters()
    with pytest.raises(UnableToChangeChannel, match=said) as refused:
        change(channel, **given)
    assert refused.value.cure


def test_a_channel_is_changed_once_at_an_instant_and_only_while_it_serves(meters, change):
    (channel,) = meters()
    done = change(channel, multiplier=Decimal(2))
    for closed, at in ((channel, NOON + DAY), (done.opened.channel_id, NOON), (done.opened.channel_id, NOON - DAY)):
        with pytest.raises(UnableToChangeChannel, match="was in service from"):
            change(closed, at=at, multiplier=Decimal(3))
    assert change(channel, at=NOON - timedelta(hours=6), multiplier=Decimal(5)).opened.in_service_to == NOON


def test_the_neighbours_channel_is_not_here(meters, database, neighbour):
    (channel,) = meters()
    for key in (channel, 2**80):
        with pytest.raises(ChannelNotFound), database.transaction(actor=neighbour) as conn:
            change_channel(conn, key, at=NOON, now=NOW, reason="x", multiplier=Decimal(2))
