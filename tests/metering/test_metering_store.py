"""Storing readings and finding them again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meter_world import MIDNIGHT, NOW, OFFSET, add_channels, days, deliver, first_load

from mains.metering import load as loading
from mains.metering import store
from mains.metering.blocks import STANDING, encode, merge
from mains.metering.load import block_fingerprints, load, load_as_of
from mains.metering.model import MISSING, Quality

DAY = timedelta(days=1)
ZONE = ZoneInfo("America/Chicago")
BATCH = "SELECT readings_found, readings_accepted, readings_new, raw_sum, finished_at IS NOT NULL FROM metering.ingest_batches WHERE batch_id = %s"
rng = np.random.default_rng(7)


def usage(channels: int, count: int, *, top: int = 900) -> np.ndarray:
    return rng.integers(0, top, (channels, count, 96), dtype=np.int32)


def stored(database, actor, channels, *, first=MIDNIGHT, count=1):
    with database.transaction(actor=actor) as conn:
        return load(conn, channels, first, first + count * DAY)


def history(database, channel):
    with database.administering(autocommit=True) as admin:
        return admin.execute("SELECT version, n_valid, total, actor, reason FROM metering.interval_block_history WHERE channel_id = %s ORDER BY version", [channel]).fetchall()


def test_what_is_loaded_first_comes_back(database, staff, meters):
    channels, values = meters(3), usage(3, 5)
    done = first_load(database, staff, days(channels, values))
    found = stored(database, staff, channels, count=5)

    assert (done.blocks, done.readings, done.raw_sum) == (15, 3 * 5 * 96, int(values.sum()))
    assert np.array_equal(found.values, values.reshape(3, -1))
    assert (found.quality == Quality.ACTUAL).all()
    assert found.versions.tolist() == [1, 1, 1]
    with database.transaction(actor=staff) as conn:
        batch = conn.execute(BATCH, [done.batch_id])
        assert batch.fetchone() == (1440, 1440, 1440, int(values.sum()), True)


def test_a_first_load_of_days_that_are_there_is_refused_and_leaves_nothing(database, staff, meters):
    channels = meters(2)
    first_load(database, staff, days(channels[:1], usage(1, 1)))
    with pytest.raises(store.ReadingsAlreadyThere, match="already there") as refused:
        first_load(database, staff, days(channels, usage(2, 1)))

    assert "idempotent" in refused.value.cure
    assert (stored(database, staff, channels[1:]).values == MISSING).all()
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT finished_at, readings_new FROM metering.ingest_batches ORDER BY batch_id DESC LIMIT 1").fetchone() == (None, 0)


def test_the_same_delivery_twice_writes_nothing_the_second_time(database, staff, meters):
    blocks = days(meters(4), usage(4, 2))
    once, again = deliver(database, staff, blocks), deliver(database, staff, blocks)

    assert (once.new, once.changed, once.blocks_new) == (4 * 2 * 96, 0, 8)
    assert (again.new, again.changed, again.blocks_new, again.blocks_changed) == (0, 0, 0, 0)
    with database.administering() as admin:
        rows = admin.execute("SELECT DISTINCT batch_id, version FROM metering.interval_blocks WHERE channel_id = ANY(%s)", [blocks.channel_id.tolist()])
        assert rows.fetchall() == [(once.batch_id, 1)]


def test_a_correction_replaces_the_value_and_keeps_the_old_version_with_who_and_why(database, staff, meters):
    channels, values = meters(1), usage(1, 1)
    deliver(database, staff, days(channels, values))
    corrected = values.copy()
    corrected[0, 0, 40:44] += 5
    outcome = deliver(database, replace(staff, reason="meter was read wrong"), days(channels, corrected))

    assert (outcome.new, outcome.changed, outcome.blocks_changed) == (0, 4, 1)
    assert np.array_equal(stored(database, staff, channels).values, corrected.reshape(1, -1))
    assert history(database, channels[0]) == [(1, 96, int(values.sum()), "Ada Clerk", "meter was read wrong")]


def test_a_late_half_day_is_merged_into_its_day(database, staff, meters):
    channels, values = meters(1), usage(1, 1)
    morning, afternoon = np.full_like(values, MISSING), np.full_like(values, MISSING)
    morning[..., :48], afternoon[..., 48:] = values[..., :48], values[..., 48:]
    assert deliver(database, staff, days(channels, morning)).new == 48
    late = deliver(database, staff, days(channels, afternoon))

    assert (late.new, late.changed, late.blocks_changed) == (48, 0, 1)
    found = stored(database, staff, channels)
    assert np.array_equal(found.values, values.reshape(1, -1))
    assert found.versions.tolist() == [2]
    assert deliver(database, staff, days(channels, morning)).blocks_changed == 0


def test_two_halves_of_a_day_in_one_delivery_become_one_block(database, staff, meters):
    channels, values = meters(1), usage(1, 1)
    morning, afternoon = np.full_like(values, MISSING), np.full_like(values, MISSING)
    morning[..., :48], afternoon[..., 48:] = values[..., :48], values[..., 48:]
    outcome = deliver(database, staff, days(channels, morning), days(channels, afternoon))

    assert (outcome.new, outcome.changed) == (96, 0)
    assert np.array_equal(stored(database, staff, channels).values, values.reshape(1, -1))


def test_missing_never_erases(database, staff, meters):
    channels, values = meters(1), usage(1, 1)
    deliver(database, staff, days(channels, values))
    gap = values.copy()
    gap[..., 10:20] = MISSING

    assert deliver(database, staff, days(channels, gap)).blocks_changed == 0
    assert np.array_equal(stored(database, staff, channels).values, values.reshape(1, -1))


def test_an_estimate_gives_way_to_the_meters_own_value_but_not_the_other_way_round(database, staff, meters):
    channels, values = meters(1), usage(1, 1)
    deliver(database, staff, days(channels, values + 1, quality=Quality.ESTIMATED))
    actual = deliver(database, staff, days(channels, values))
    estimate = deliver(database, staff, days(channels, values + 2, quality=Quality.ESTIMATED))

    assert (actual.changed, actual.refused) == (96, 0)
    assert (estimate.changed, estimate.refused) == (0, 96)
    assert {refusal.code for refusal in estimate.refusals} == {"lower-standing"}
    assert estimate.refusals[0].raw_sum == int((values + 2).sum())
    assert np.array_equal(stored(database, staff, channels).values, values.reshape(1, -1))


def test_what_a_person_edited_yields_only_to_an_edit(database, staff, meters):
    channels, values = meters(1), usage(1, 1)
    deliver(database, staff, days(channels, values, quality=Quality.EDITED))

    assert deliver(database, staff, days(channels, values + 1)).refused == 96
    assert deliver(database, staff, days(channels, values + 1, quality=Quality.EDITED)).changed == 96
    assert (stored(database, staff, channels).quality == Quality.EDITED).all()


def test_a_day_does_not_change_its_interval_length_silently(database, staff, meters):
    channels = meters(1)
    deliver(database, staff, days(channels, usage(1, 1)))
    outcome = deliver(database, staff, days(channels, np.full((1, 1, 48), 7, np.int32)))

    assert [(refusal.code, refusal.readings) for refusal in outcome.refusals] == [("interval-change", 48)]
    assert outcome.blocks_changed == 0


def test_values_beyond_two_bytes_and_negative_nets_are_kept_exactly(database, staff, meters):
    channels = meters(3)
    values = usage(3, 2)
    values[0, 0, 5], values[1, :, :], values[2, 1, 7] = 40_000, -rng.integers(1, 30_000, (2, 96)), -(2**31) + 1
    values[0, 1, 3], values[2, 0, 0] = MISSING, -(2**15)
    first_load(database, staff, days(channels, values))
    with database.transaction(actor=staff) as conn:
        rows = conn.execute("SELECT total, peak, n_valid, width FROM metering.interval_blocks WHERE channel_id = ANY(%s) ORDER BY channel_id, block_start", [channels]).fetchall()
        summed = conn.execute("SELECT sum(raw), count(raw) FROM metering.readings(%s, %s, %s)", [channels[2], MIDNIGHT, MIDNIGHT + 2 * DAY]).fetchone()

    assert np.array_equal(stored(database, staff, channels, count=2).values, values.reshape(3, -1))
    assert [row[3] for row in rows] == [4, 2, 2, 2, 4, 4]
    flat = values.reshape(6, 96)
    assert [row[:3] for row in rows] == [(int(day[day != MISSING].sum()), int(day[day != MISSING].max()), int((day != MISSING).sum())) for day in flat]
    assert summed == (int(values[2].sum(dtype=np.int64)), 192)


@pytest.mark.parametrize(("local_day", "intervals"), [("2026-03-08", 92), ("2026-11-01", 100), ("2026-03-09", 96)])
def test_the_days_of_clock_changes_are_slices(database, staff, meters, local_day, intervals):
    channels = meters(2)
    day = datetime.fromisoformat(local_day).replace(tzinfo=ZONE)
    following = (datetime.fromisoformat(local_day) + DAY).replace(tzinfo=ZONE)
    first = (day - DAY).astimezone(UTC).replace(hour=6, minute=0)
    values = usage(2, 4)
    deliver(database, staff, days(channels, values, first=first))
    with database.transaction(actor=staff) as conn:
        found = load(conn, channels, day, following)
        in_sql = conn.execute("SELECT array_agg(raw ORDER BY reading_timestamp) FROM metering.readings(%s, %s, %s)", [channels[1], day, following]).fetchone()

    begin = int((day - first).total_seconds()) // 900
    assert found.values.shape == (2, intervals)
    assert np.array_equal(found.values, values.reshape(2, -1)[:, begin : begin + intervals])
    assert in_sql[0] == found.values[1].tolist()


def test_channels_of_different_zones_line_up_by_instant(database, staff):
    east = add_channels(database, staff, 1, utc_offset_min=-300)
    west = add_channels(database, staff, 1)
    values = usage(1, 3)
    deliver(database, staff, days(east, values, first=MIDNIGHT - timedelta(hours=1), offset=-300))
    deliver(database, staff, days(west, values))
    with database.transaction(actor=staff) as conn:
        found = load(conn, [*west, *east], MIDNIGHT, MIDNIGHT + 2 * DAY)

    assert np.array_equal(found.values[1], values.reshape(-1)[4 : 4 + 192])
    assert np.array_equal(found.values[0], values.reshape(-1)[:192])


def test_the_neighbour_neither_sees_nor_replaces_readings(database, staff, neighbour, meters):
    channels, values = meters(1), usage(1, 1)
    deliver(database, staff, days(channels, values))
    with database.transaction(actor=neighbour) as conn:
        assert conn.execute("SELECT count(*) FROM metering.interval_blocks WHERE channel_id = ANY(%s)", [channels]).fetchone() == (0,)
        assert (load(conn, channels, MIDNIGHT, MIDNIGHT + DAY, interval_s=900).values == MISSING).all()
        with pytest.raises(loading.ChannelNotFound):
            load(conn, channels, MIDNIGHT, MIDNIGHT + DAY)
    outcome = deliver(database, neighbour, days(channels, values + 1))

    assert outcome.blocks_new == outcome.blocks_changed == 0
    assert np.array_equal(stored(database, staff, channels).values, values.reshape(1, -1))


def test_the_ingest_login_inserts_and_does_nothing_else(database, staff, meters):
    blocks = "metering.interval_blocks"
    for statement in (f"SELECT count(*) FROM {blocks}", f"DELETE FROM {blocks}", f"UPDATE {blocks} SET version = 2", "SELECT * FROM customers.customers"):
        with database.ingesting() as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)


def test_what_a_bill_was_made_from_can_be_found_again_after_a_correction(database, staff, meters):
    channels, values = meters(2), usage(2, 3)
    deliver(database, staff, days(channels, values))
    before = stored(database, staff, channels, count=3)
    with database.transaction(actor=staff) as conn:
        frozen = block_fingerprints(conn, channels, MIDNIGHT, MIDNIGHT + 3 * DAY)
        as_of = conn.execute("SELECT clock_timestamp()").fetchone()[0]
    deliver(database, staff, days(channels[:1], values[:1] + 3, quality=Quality.VALIDATED))
    deliver(database, staff, days(channels[:1], values[:1] + 4))
    deliver(database, staff, days(channels, values, first=MIDNIGHT + 3 * DAY))
    with database.transaction(actor=staff) as conn:
        then = load_as_of(conn, channels, MIDNIGHT, MIDNIGHT + 4 * DAY, as_of=as_of, with_fingerprints=True)
        now = block_fingerprints(conn, channels, MIDNIGHT, MIDNIGHT + 3 * DAY)
        long_ago = load_as_of(conn, channels, MIDNIGHT, MIDNIGHT + DAY, as_of=as_of - timedelta(days=400))

    assert np.array_equal(then.values[:, :288], before.values)
    assert np.array_equal(then.quality[:, :288], before.quality)
    assert (then.values[:, 288:] == MISSING).all()
    assert then.fingerprints == frozen
    assert (now[0] != frozen[0], now[1] == frozen[1]) == (True, True)
    assert (long_ago.values == MISSING).all()


days_of_values = st.integers(1, 3).flatmap(
    lambda count: st.lists(
        st.lists(st.one_of(st.just(MISSING), st.integers(-(2**15) - 2, 2**15 + 2), st.integers(-(2**31) + 1, 2**31 - 1)), min_size=24, max_size=24), min_size=count, max_size=count
    )
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=days_of_values,
    qualities=st.lists(st.sampled_from([q for q in Quality if q != Quality.MISSING]), min_size=1, max_size=72),
    lead=st.integers(-30, 30),
    length=st.integers(0, 90),
)
def test_any_readings_come_back_as_they_went_in_for_any_window(database, staff, values, qualities, lead, length):
    channel = add_channels(database, staff, 1, interval_s=3600)
    given_values = np.array([values], dtype=np.int32)
    given_quality = np.resize(np.array(qualities, dtype=np.uint8), given_values.shape)
    (first_load if len(values) % 2 else deliver)(database, staff, days(channel, given_values, quality=given_quality))
    begin = MIDNIGHT + timedelta(hours=lead)
    with database.transaction(actor=staff) as conn:
        found = load(conn, channel, begin, begin + timedelta(hours=length))

    flat, marks = given_values.reshape(-1), np.where(given_values == MISSING, Quality.MISSING, given_quality).reshape(-1)
    slow = [(int(flat[k]), int(marks[k])) if 0 <= k < len(flat) else (MISSING, 15) for k in range(lead, lead + length)]
    assert list(zip(found.values[0].tolist(), found.quality[0].tolist(), strict=True)) == slow


@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from(list(Quality)), st.integers(-3, 3), st.sampled_from(list(Quality))), min_size=1, max_size=50))
def test_merging_loses_no_value_and_settles_at_once(readings):
    old, old_quality, new, new_quality = (np.array([column]) for column in zip(*readings, strict=True))
    old, new = (np.where(quality == Quality.MISSING, MISSING, values).astype(np.int32) for values, quality in ((old, old_quality), (new, new_quality)))
    once = merge(old=old, old_quality=old_quality.astype(np.uint8), new=new, new_quality=new_quality.astype(np.uint8))
    again = merge(old=once.values, old_quality=once.quality, new=new, new_quality=new_quality.astype(np.uint8))

    assert ((once.values == MISSING) == ((old == MISSING) & (new == MISSING))).all()
    assert (STANDING[once.quality] >= STANDING[old_quality]).all()
    assert not (again.is_new | again.is_changed).any()


def test_blocks_start_at_standard_midnight_and_divide_the_day():
    one = {"channel_id": np.array([1]), "utc_offset_min": OFFSET}
    with pytest.raises(ValueError, match="midnight"):
        encode(block_start=np.array([int(NOW.timestamp())]), values=np.zeros((1, 96), np.int32), **one)
    with pytest.raises(ValueError, match="divide the day"):
        encode(block_start=np.array([int(MIDNIGHT.timestamp())]), values=np.zeros((1, 97), np.int32), **one)


def test_a_window_that_cuts_an_interval_is_refused(database, staff, meters):
    channels = meters(1)
    deliver(database, staff, days(channels, usage(1, 1)))
    with database.transaction(actor=staff) as conn, pytest.raises(loading.WindowNotOnGrid):
        load(conn, channels, MIDNIGHT + timedelta(minutes=5), MIDNIGHT + timedelta(minutes=20))
