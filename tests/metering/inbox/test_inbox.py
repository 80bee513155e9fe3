"""Readings that wait: appended, counted in every read by the rule of the blocks, flushed without loss, in a table that stays small."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from meter_world import MIDNIGHT, NOW, OFFSET, days, deliver

from mains.metering import inbox, operations
from mains.metering.load import load
from mains.metering.model import MISSING, Quality

BEGIN = int(MIDNIGHT.timestamp())
DAY = timedelta(days=1)


@pytest.fixture
def push(database, staff):
    def push(channels, starts, raws, quality=Quality.ACTUAL, *, actor=staff):
        channels, starts, raws = (np.asarray(each, dtype=np.int64) for each in (channels, starts, raws))
        qualities = np.broadcast_to(np.asarray(quality, dtype=np.uint8), channels.shape)
        with database.transaction(actor=actor) as conn:
            batch = operations.open_batch(conn, source="push", format="push", sha256=bytes(32), at=NOW)
            count = inbox.push(conn, channels, starts, raws, qualities, batch)
            operations.close_batch(conn, batch_id=batch, found=len(channels), accepted=len(channels))
        return count

    return push


@pytest.fixture
def stored(database, staff):
    def stored(channels, *, first=MIDNIGHT, days=1):
        with database.transaction(actor=staff) as conn:
            return load(conn, channels, first, first + timedelta(days=days), interval_s=900)

    return stored


@pytest.fixture
def overlaid(database, staff, stored):
    def overlaid(channels, *, count=96):
        read = stored(channels)
        values, quality = read.values.copy(), read.quality.copy()
        with database.transaction(actor=staff) as conn:
            inbox.overlay(conn, np.asarray(channels), BEGIN, count, 900, values, quality)
        return values, quality

    return overlaid


@pytest.fixture
def flush(database, staff):
    def flush(**more):
        return inbox.flush(database, staff, at=NOW, **more)

    yield flush
    flush()


def in_sql(database, actor, channel, count=96):
    with database.transaction(actor=actor) as conn:
        rows = conn.execute("SELECT raw, quality FROM metering.readings(%s, %s, %s) ORDER BY reading_timestamp", [channel, MIDNIGHT, MIDNIGHT + count * timedelta(minutes=15)])
        return rows.fetchall()


def test_what_waits_counts_at_once_and_stays_the_same_when_flushed(database, staff, meters, push, overlaid, stored, flush):
    (channel,) = meters()
    push([channel] * 3, [BEGIN, BEGIN + 900, BEGIN + 2700], [10, 11, 13])

    waiting, quality = overlaid([channel])
    assert waiting[0, :5].tolist() == [10, 11, MISSING, 13, MISSING]
    assert quality[0, :4].tolist() == [0, 0, Quality.MISSING, 0]
    seen = in_sql(database, staff, channel)
    assert len(seen) == 96
    assert [row[0] for row in seen[:5]] == [10, 11, None, 13, None]
    flushed = flush()
    assert (flushed.taken, flushed.new, flushed.quarantined) == (3, 3, 0)
    assert np.array_equal(stored([channel]).values, waiting)
    assert [row[0] for row in in_sql(database, staff, channel)] == [row[0] for row in seen]
    assert flush().taken == 0


def test_waiting_readings_fill_the_gaps_of_a_stored_day(database, staff, meters, push, overlaid, flush):
    (channel,) = meters()
    partly = np.full((1, 1, 96), MISSING)
    partly[0, 0, :4] = 5
    deliver(database, staff, days([channel], partly))
    push([channel] * 2, [BEGIN + 3600, BEGIN], [7, 6])

    assert [row[0] for row in in_sql(database, staff, channel)[:6]] == [5, 5, 5, 5, 7, None]  # a gap filled; a correction shows once it is flushed
    assert overlaid([channel])[0][0, :6].tolist() == [6, 5, 5, 5, 7, MISSING]
    flushed = flush()
    assert (flushed.new, flushed.changed) == (1, 1)
    assert [row[0] for row in in_sql(database, staff, channel)[:6]] == [6, 5, 5, 5, 7, None]
    with database.transaction(actor=staff) as conn:
        kept = conn.execute("SELECT n_valid FROM metering.interval_block_history WHERE channel_id = %s", [channel]).fetchall()
    assert kept == [(4,)]


def test_of_several_for_one_interval_the_last_of_the_highest_standing_counts(database, staff, meters, push, overlaid, stored, flush):
    (channel,) = meters()
    push([channel], [BEGIN], [1])
    push([channel], [BEGIN], [2])
    push([channel], [BEGIN], [3], Quality.ESTIMATED)
    push([channel] * 2, [BEGIN + 900] * 2, [8, 9], [Quality.ESTIMATED, Quality.RAW])
    push([channel], [BEGIN + 900], [9], Quality.RAW)

    assert overlaid([channel])[0][0, :2].tolist() == [2, 9]
    assert in_sql(database, staff, channel)[:2] == [(2, 0), (9, Quality.RAW)]
    flushed = flush()
    assert (flushed.taken, flushed.new, flushed.superseded, flushed.quarantined) == (5, 2, 1, 1)
    assert stored([channel]).values[0, :2].tolist() == [2, 9]
    with database.transaction(actor=staff) as conn:
        said = conn.execute("SELECT code, readings, message FROM metering.quarantine WHERE batch_id = %s ORDER BY code", [flushed.batch_ids[0]]).fetchall()
    assert [(row[0], row[1]) for row in said] == [("lower-standing", 1), ("superseded", 0)]
    assert "raw 1 (actual)" in said[1][2]


def test_what_cannot_be_stored_goes_to_quarantine(database, staff, meters, push, stored, flush, admin):
    good, register, gone = meters()[0], meters(interval_s=None, register="dial")[0], 987_654_321
    edited = days([good], np.full((1, 1, 96), 50), quality=int(Quality.EDITED))
    deliver(database, staff, edited)
    admin.execute("SELECT set_config('app.actor', 'tests', false)")
    admin.execute("UPDATE metering.channels SET in_service = '(,2026-03-02 06:00+00)' WHERE channel_id = %s", [good])
    push([good, good, register, gone, good], [BEGIN, BEGIN + 1, BEGIN, BEGIN, BEGIN + 86400], [1, 2, 3, 4, 5])

    flushed = flush()

    assert (flushed.taken, flushed.new, flushed.changed, flushed.quarantined) == (5, 0, 0, 5)
    assert stored([good]).values[0, 0] == 50
    with database.transaction(actor=staff) as conn:
        said = conn.execute("SELECT code, line, file FROM metering.quarantine WHERE batch_id = %s", [flushed.batch_ids[0]]).fetchall()
        counts = conn.execute("SELECT readings_found, readings_accepted, readings_quarantined FROM metering.ingest_batches WHERE batch_id = %s", flushed.batch_ids)
        assert counts.fetchone() == (5, 0, 5)
    assert {row[0] for row in said} == {"lower-standing", "off-grid-of-channel", "interval-mismatch", "unknown-channel", "channel-not-in-service"}
    assert {row[1:] for row in said} == {(None, "inbox")}


def test_a_long_inbox_is_flushed_in_shares_of_channels(database, staff, meters, push, stored, flush):
    channels = meters(7)
    for slot in range(8):
        push(channels, [BEGIN + 900 * slot] * 7, [slot] * 7)
    flushed = flush(limit=20)
    assert flushed.taken == flushed.new == 56
    assert len(flushed.batch_ids) >= 3
    assert (stored(channels).values[:, :8] == np.arange(8)).all()


def test_only_what_began_before_an_instant_is_flushed_where_asked(meters, push, stored, flush):
    (channel,) = meters()
    push([channel] * 2, [BEGIN, BEGIN + 86_400], [1, 2])
    assert flush(before=MIDNIGHT + DAY).taken == 1
    assert stored([channel], days=2).values[0, [0, 96]].tolist() == [1, 2]  # the other counts, and waits
    assert flush().taken == 1


def test_pushes_and_flushes_at_once_lose_and_double_nothing(database, staff, meters, push, stored, flush):
    channels = meters(20)
    rng = np.random.default_rng(5)

    def pusher(slots):
        for slot in slots:
            push(channels, [BEGIN + 900 * slot] * 20, np.arange(20) * 100 + slot)

    def flusher(_):
        return [inbox.flush(database, staff, at=NOW, limit=int(rng.integers(50, 500))) for _ in range(12)]

    with ThreadPoolExecutor(5) as pool:
        pushing = [pool.submit(pusher, range(part, 96, 3)) for part in range(3)]
        flushing = [pool.submit(flusher, part) for part in range(2)]
        for each in pushing:
            each.result()
        done = [flushed for each in flushing for flushed in each.result()]
    rest = flush()
    assert sum(each.taken for each in [*done, rest]) == 20 * 96
    assert sum(each.new for each in [*done, rest]) == 20 * 96
    assert (stored(channels).values == np.arange(20)[:, None] * 100 + np.arange(96)).all()


def test_two_flushes_never_work_at_once(database, staff, meters, push, flush):
    (channel,) = meters()
    push([channel], [BEGIN], [1])
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('inbox of ' || identity.current_utility(), 0))").fetchone() == (True,)
        assert flush().is_busy
    assert flush().taken == 1


def test_a_neighbour_sees_and_flushes_nothing_of_it(database, staff, neighbour, meters, push, flush):
    (channel,) = meters()
    push([channel], [BEGIN], [1])
    assert inbox.flush(database, neighbour, at=NOW).taken == 0
    assert in_sql(database, neighbour, channel) == []
    with database.transaction(actor=neighbour) as conn:
        assert inbox.count_waiting(conn) == 0
        assert not inbox.is_full(conn, most=1_000_000)
    with database.transaction(actor=staff) as conn:
        assert inbox.is_full(conn, most=1)
    assert flush().taken == 1


def test_the_table_stays_small_when_it_is_pushed_and_flushed_again_and_again(meters, push, flush, admin):
    channels = np.asarray(meters(50))
    flush()
    admin.execute("VACUUM metering.reading_inbox")
    sizes = []
    for turn in range(6):
        for part in range(4):
            slots = np.repeat(np.arange(24) + part * 24, 50)
            push(np.tile(channels, 24), BEGIN + 86_400 * turn + slots * 900, slots)
        assert flush().taken == 4800
        admin.execute("VACUUM metering.reading_inbox")  # what autovacuum does by itself after 50,000
        sizes.append(admin.execute("SELECT pg_relation_size('metering.reading_inbox')").fetchone()[0])
    assert max(sizes[1:]) <= max(sizes[0], 8192)


def test_autovacuum_comes_after_a_fixed_number_of_rows(admin):
    options = admin.execute("SELECT reloptions FROM pg_class WHERE oid = 'metering.reading_inbox'::regclass").fetchone()[0]
    assert "autovacuum_vacuum_scale_factor=0" in options
    assert "autovacuum_vacuum_threshold=50000" in options


def test_readings_of_one_channel_touch_only_its_blocks_and_pages(database, staff, meters, admin):
    (channel,) = meters()
    with database.transaction(actor=staff) as conn:
        plan = "\n".join(
            row[0] for row in conn.execute("EXPLAIN SELECT * FROM metering.readings(%s, %s, %s)", [channel, MIDNIGHT, MIDNIGHT + 30 * DAY]).fetchall()
        )
    assert "interval_blocks" in plan
    assert "Seq Scan on interval_blocks" not in plan
    assert "reading_inbox" in plan


def test_other_offsets_and_interval_lengths_keep_their_days(database, staff, meters, push, flush):
    (half_hours,) = meters(interval_s=1800, utc_offset_min=570)
    begin = BEGIN - (BEGIN + 570 * 60) % 86_400
    push([half_hours] * 2, [begin, begin + 1800], [4, 5])
    assert flush().new == 2
    with database.transaction(actor=staff) as conn:
        row = conn.execute("SELECT extract(epoch FROM block_start)::bigint, total, n_valid, utc_offset_min FROM metering.interval_blocks WHERE channel_id = %s", [half_hours])
        assert row.fetchall() == [(begin, 9, 2, 570)]
    assert OFFSET != 570
