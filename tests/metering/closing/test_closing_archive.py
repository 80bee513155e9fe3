"""Archives: what DuckDB and Polars read in them, what comes back, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256

import duckdb
import numpy as np
import polars as pl
import psycopg
import pytest
from meter_world import add_channels, days, deliver, first_load

from mains.metering import importing, queries
from mains.metering.closing import archive, operations
from mains.metering.closing import queries as closing_queries
from mains.metering.exporting.removed import ReadingsInArchive, refuse_archived
from mains.metering.exporting.selecting import of_channels
from mains.metering.load import block_fingerprints, load
from mains.metering.model import MISSING, Quality
from mains.metering.rollups import operations as rollups

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
rng = np.random.default_rng(23)
_years = iter(range(1990, 2020))


@pytest.fixture
def june() -> datetime:
    """Standard-time midnight in Chicago of the first of a June that no other test uses."""
    return datetime(next(_years), 6, 1, 6, tzinfo=UTC)


@pytest.fixture
def filled(database, staff, june):
    """Channels with a month of readings of all kinds: gaps, wide days, estimates, corrections, half hours."""
    channels = add_channels(database, staff, 4)
    values = rng.integers(-50, 900, (4, 30, 96), dtype=np.int32)
    values[rng.random(values.shape) < 0.01] = MISSING
    values[1, 3] = 70_000
    quality = np.zeros(values.shape, np.uint8)
    quality[:, 9, 10:20] = Quality.ESTIMATED
    first_load(database, staff, days(channels, values, quality=quality, first=june))
    deliver(database, staff, days(channels[:1], rng.integers(0, 5, (1, 2, 96)), first=june))
    other = add_channels(database, staff, 1, interval_s=1800)
    deliver(database, staff, days(other, rng.integers(0, 5, (1, 30, 48)), first=june))
    return [*channels, *other]


def seen(database, actor, channels, june):
    with database.transaction(actor=actor) as conn:
        values = [load(conn, channels[:4], june, june + 30 * DAY).values, load(conn, channels[4:], june, june + 30 * DAY).values]
        return values, block_fingerprints(conn, channels, june, june + 30 * DAY)


def close(database, actor, june):
    return operations.close_month(database, actor, month=june.date(), at=NOW, is_forced=True)


def test_duckdb_and_polars_read_what_is_stored(database, staff, filled, june, tmp_path):
    close(database, staff, june)
    deliver(database, staff, days(filled[:1], np.full((1, 1, 96), 7), first=june))  # one channel is live again: both tiers go out
    told = []
    made = archive.archive_month(database, staff, month=june.date(), folder=tmp_path, at=NOW, channels_at_a_time=2, progress=lambda *done: told.append(done))
    file = tmp_path / made.file

    values, _ = seen(database, staff, filled, june)
    total = sum(int(each[each != MISSING].sum()) for each in values)
    readings = sum(int((each != MISSING).sum()) for each in values)
    assert (made.channels, made.blocks, made.readings, made.raw_sum) == (5, 150, readings, total)
    assert told[-1] == (5, readings)
    with duckdb.connect() as duck:
        assert duck.execute(f"SELECT sum(total), sum(n_valid), count(DISTINCT meter) FROM '{file}'").fetchone() == (total, readings, 5)
        assert duck.execute(f"SELECT sum(raw), count(raw) FROM (SELECT unnest(\"values\") AS raw FROM '{file}')").fetchone() == (total, readings)
        assert duck.execute(f"SELECT count(*) FROM '{file}' WHERE qualities IS NOT NULL").fetchone() == (4,)
    lazy = pl.scan_parquet(file)
    assert lazy.sql("SELECT SUM(total) AS total, SUM(n_valid) AS readings FROM self").collect().row(0) == (total, readings)
    long = lazy.select("channel_id", "block_start", "values").explode("values").sql("SELECT SUM(CAST(values AS BIGINT)) AS total, COUNT(values) AS readings FROM self")
    assert long.collect().row(0) == (total, readings)
    keys = lazy.select("channel_id", "block_start").collect().rows()
    assert keys == sorted(keys)
    assert json.loads(archive.manifest_place(file).read_text())["sha256"] == made.sha256
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT blocks, readings, raw_sum, encode(sha256, 'hex') FROM metering.archive_manifests WHERE month_start = %s", [june.date()]).fetchall() == [
            (150, readings, total, made.sha256)
        ]
    assert archive.verify_archive(database, staff, file).readings == readings
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([made.file, archive.manifest_place(file).name])


def test_what_was_taken_out_comes_back_the_same(database, staff, filled, june, tmp_path):
    before = seen(database, staff, filled, june)
    close(database, staff, june)
    made = archive.archive_month(database, staff, month=june.date(), folder=tmp_path, at=NOW, channels_at_a_time=2)
    file = tmp_path / made.file

    assert archive.restore_archive(database, staff, file, at=NOW).already_there == 5
    assert archive.remove_archived(database, staff, file) >= 5
    assert (seen(database, staff, filled, june)[0][0] == MISSING).all()
    back = archive.restore_archive(database, staff, file, at=NOW)
    assert (back.channels, back.blocks, back.readings, back.already_there) == (5, 150, made.readings, 0)

    after = seen(database, staff, filled, june)
    assert after[1] == before[1]
    assert all(np.array_equal(a, b) for a, b in zip(after[0], before[0], strict=True))
    operations.thaw_month(database, staff, month=june.date())
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT max(version), count(DISTINCT batch_id) FROM metering.interval_blocks WHERE channel_id = ANY(%s)", [filled]).fetchone() == (2, 3)


def test_late_readings_of_a_removed_month_are_merged_with_the_archive(database, staff, filled, june, tmp_path):
    before = seen(database, staff, filled, june)
    close(database, staff, june)
    made = archive.archive_month(database, staff, month=june.date(), folder=tmp_path, at=NOW, channels_at_a_time=2)
    file = tmp_path / made.file
    archive.remove_archived(database, staff, file)
    with database.transaction(actor=staff) as conn:
        then = conn.execute("SELECT clock_timestamp()").fetchone()[0]
        assert [each.file for each in closing_queries.removed_months(conn, june, june + DAY)] == [made.file]
    late = np.full((1, 1, 96), MISSING, np.int32)
    late[0, 0, 10] = 7_777  # one reading of one meter, over one that the archive has
    delivered = deliver(database, staff, days(filled[1:2], late, first=june + 5 * DAY))

    back = archive.restore_archive(database, staff, file, at=NOW)
    assert (back.channels, back.blocks, back.merged, back.already_there, back.left) == (5, 149, 1, 0, 0)
    wanted = before[0][0].copy()
    wanted[1, 5 * 96 + 10] = 7_777
    after = seen(database, staff, filled, june)
    assert np.array_equal(after[0][0], wanted)
    assert np.array_equal(after[0][1], before[0][1])
    assert [a == b for a, b in zip(after[1], before[1], strict=True)] == [True, False, True, True, True]
    with database.transaction(actor=staff) as conn:
        day = [filled[1], june + 5 * DAY]
        older = conn.execute("SELECT version, batch_id, n_valid FROM metering.interval_block_history WHERE channel_id = %s AND block_start = %s ORDER BY 1", day).fetchall()
        assert [row[0] for row in older] == [1, 2]  # the archived one, then the late one by itself
        assert (older[1][1], older[1][2]) == (delivered.batch_id, 1)
        assert block_fingerprints(conn, filled, june, june + 30 * DAY, as_of=then) == before[1]  # bills are verified against what stood then
        assert rollups.differences(conn, june, june + 30 * DAY, utility_id=staff.utility_id).differing == []
        assert closing_queries.removed_months(conn, june, june + 30 * DAY) == []
    again = archive.restore_archive(database, staff, file, at=NOW)
    assert (again.merged, again.blocks, again.already_there) == (0, 0, 5)
    assert seen(database, staff, filled, june)[1] == after[1]


def test_a_removed_month_is_not_taken_for_missing(database, staff, filled, june, tmp_path):
    close(database, staff, june)
    made = archive.archive_month(database, staff, month=june.date(), folder=tmp_path, at=NOW)
    archive.remove_archived(database, staff, tmp_path / made.file)
    with database.transaction(actor=staff) as conn:
        channels = queries.channels_by_id(conn, filled)
        refuse_archived(conn, of_channels(channels, june - 5 * DAY, june))  # May, to the last local midnight
        refuse_archived(conn, of_channels(channels, june + 30 * DAY, june + 40 * DAY))
        for from_at, to_at in ((june - DAY, june + DAY), (june + 29 * DAY, june + 40 * DAY)):
            with pytest.raises(ReadingsInArchive, match=made.file):
                refuse_archived(conn, of_channels(channels, from_at, to_at))
    late = tmp_path / "late.csv"
    late.write_text(f"meter,register,start,value,unit,interval_minutes\n{channels[1].meter_number},{channels[1].register},{(june + DAY).isoformat()},5,{channels[1].unit},15\n")
    report = importing.import_files(database, staff, [late], at=NOW)
    assert report.reasons["month-in-archive"].severity == "warning"
    assert report.total("new") == 1
    assert made.file in report.reasons["month-in-archive"].message
    archive.restore_archive(database, staff, tmp_path / made.file, at=NOW)
    with database.transaction(actor=staff) as conn:
        refuse_archived(conn, of_channels(channels, june, june + DAY))


def test_a_restore_goes_on_where_it_was_cut_off_and_lower_standing_gives_way(database, staff, filled, june, tmp_path):
    before = seen(database, staff, filled, june)
    close(database, staff, june)
    made = archive.archive_month(database, staff, month=june.date(), folder=tmp_path, at=NOW, channels_at_a_time=1)
    file = tmp_path / made.file
    archive.remove_archived(database, staff, file)
    guess = np.full((2, 1, 96), 3, np.int32)
    deliver(database, staff, days(filled[:2], guess, quality=np.full(guess.shape, Quality.ESTIMATED, np.uint8), first=june + 2 * DAY))

    def cut_off(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.restore_archive(database, staff, file, at=NOW, progress=cut_off)
    back = archive.restore_archive(database, staff, file, at=NOW)
    assert (back.merged, back.already_there) == (1, 1)
    wanted = before[0][0].copy()
    stretch = wanted[:2, 2 * 96 : 3 * 96]
    stretch[stretch == MISSING] = 3
    assert np.array_equal(seen(database, staff, filled, june)[0][0], wanted)
    with database.transaction(actor=staff) as conn:
        assert rollups.differences(conn, june, june + 30 * DAY, utility_id=staff.utility_id).differing == []


def test_a_tampered_file_is_refused(database, staff, neighbour, filled, june, tmp_path):
    close(database, staff, june)
    made = archive.archive_month(database, staff, month=june.date(), folder=tmp_path, at=NOW)
    file = tmp_path / made.file
    with pytest.raises(archive.ArchiveNotKnown, match=made.sha256):
        archive.restore_archive(database, neighbour, file, at=NOW)
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    (tmp_path / "changed.parquet").write_bytes(whole)
    for work in (archive.verify_archive, partial(archive.restore_archive, at=NOW), archive.remove_archived):
        with pytest.raises(archive.ArchiveNotKnown):
            work(database, staff, tmp_path / "changed.parquet")
    (tmp_path / "no.parquet").write_bytes(b"not parquet")
    with pytest.raises(archive.ArchiveDamaged):
        archive.restore_archive(database, staff, tmp_path / "no.parquet", at=NOW, sha256=sha256(b"not parquet").hexdigest())


def test_live_or_other_readings_are_not_removed_or_overwritten(database, staff, filled, june, tmp_path):
    made = archive.archive_month(database, staff, month=june.date(), folder=tmp_path, at=NOW)
    file = tmp_path / made.file
    with pytest.raises(archive.ArchiveConflicts, match="live"):
        archive.remove_archived(database, staff, file)
    deliver(database, staff, days(filled[:1], np.full((1, 1, 96), 7), first=june))
    corrected = seen(database, staff, filled, june)
    done = archive.restore_archive(database, staff, file, at=NOW)
    assert (done.merged, done.blocks, done.already_there) == (0, 0, 5)  # the archived day is an older version of what stands already
    assert seen(database, staff, filled, june)[1] == corrected[1]
    close(database, staff, june)
    with pytest.raises(archive.ArchiveConflicts, match="other readings"):
        archive.remove_archived(database, staff, file)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation), database.transaction(actor=staff) as conn:
        conn.execute("SELECT metering.remove_archived(%s, %s, %s)", [filled, june, bytes(32)])


def test_a_month_without_readings_is_not_archived(database, staff, tmp_path):
    with pytest.raises(archive.NothingToArchive):
        archive.archive_month(database, staff, month="1980-01", folder=tmp_path, at=NOW)
    assert list(tmp_path.iterdir()) == []
