"""Reading what is stored: one account's month, its hours, a zone's day, a whole bill run, and late readings that change what is stored; beside a narrow table of the same readings.

Late readings are stored three times over, as late ones and then as corrections; the median is of pages that changed since the last checkpoint, so without their first images.

Times are medians over many different accounts, warm: in the database (execution time of EXPLAIN ANALYZE, prepared) and to the client, over a local connection. The narrow
table has a row a reading, is analyzed, has all visible pages, and is asked by its key; for the zone's day it has an index on time as well, made for that alone.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

import numpy as np
from psycopg import Connection

from benchmarks import timescale
from benchmarks.ingest import AT, FIRST, SLOTS, claim, found_channels, prepare, show
from mains.base.db import Actor, Database
from mains.base.embedded import Cluster
from mains.base.ids import named_uuid
from mains.base.migrate import init_database
from mains.base.sql import Statements
from mains.metering import operations, store
from mains.metering.blocks import encode
from mains.metering.load import load
from mains.metering.model import MISSING
from mains.metering.wire import COPY_HEADER, COPY_TRAILER

CHANNELS, DAYS = 20_000, 31
NARROW_CHANNELS = 2_000
"""Accounts of the narrow table, for a month; its day of all accounts is apart."""
ASKED = 200
ROUNDS = 3
ZONE = "00000000-0000-4000-8000-000000000001"
END = FIRST + timedelta(days=DAYS)
_QUERIES = Statements("mains.metering", "queries.sql")


def usage(seed: int, channels: int, days: int) -> np.ndarray:
    """Wh a quarter hour, int32 [channels, days, 96]."""
    rng = np.random.default_rng(seed)
    kinds = rng.gamma(2.0, 150.0, (500, SLOTS)).astype(np.int32)
    levels = rng.integers(32, 96, (channels, days, 1), dtype=np.int32)
    return kinds[rng.integers(0, 500, channels)][:, None, :] * levels >> 6


def store_all(database: Database, actor: Actor, gaps: tuple[np.ndarray, np.ndarray]) -> None:
    """The month of all channels, two thousand a piece, with a gap in each for a late reading."""

    def parts():
        for first in range(0, CHANNELS, 2_000):
            values = usage(first, 2_000, DAYS)
            own = slice(first, first + 2_000)
            values[np.arange(2_000), gaps[0][own], gaps[1][own]] = MISSING
            starts = int(FIRST.timestamp()) + 86_400 * np.arange(DAYS)
            ids = np.repeat(np.arange(first + 1, first + 2_001, dtype=np.int64), DAYS)
            yield encode(channel_id=ids, block_start=np.tile(starts, 2_000), values=values.reshape(-1, SLOTS), utc_offset_min=-360)

    store.first_load(database, actor=actor, parts=parts(), from_at=FIRST, to_at=END, source="a month", at=AT)


def copy_narrow(conn: Connection, table: str, *, channels: int, days: int) -> None:
    """Accounts of the same size into a narrow table."""
    kinds = [("fields", ">i2"), ("l1", ">i4"), ("account", "V16"), ("l2", ">i4"), ("at", ">i8"), ("l3", ">i4"), ("ndigits", ">i2"), ("weight", ">i2")]
    kinds += [("sign", ">i2"), ("scale", ">i2"), ("whole", ">i2"), ("fraction", ">i2"), ("l4", ">i4"), ("quality", ">i2")]
    values = usage(0, channels, days).reshape(channels, -1)
    row = np.zeros(values.shape[1], dtype=np.dtype(kinds))
    row["fields"], row["l1"], row["l2"], row["l3"], row["l4"], row["ndigits"], row["scale"] = 4, 16, 8, 12, 2, 2, 3
    row["at"] = (int(FIRST.timestamp()) - 946_684_800 + 900 * np.arange(len(row))) * 1_000_000
    with conn.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(COPY_HEADER)
        for channel in range(channels):
            row["account"] = np.void(named_uuid("account", channel).bytes)
            row["whole"], row["fraction"] = values[channel] // 1000, values[channel] % 1000 * 10
            copy.write(row.view(np.uint8).data)
        copy.write(COPY_TRAILER)


def timed(work: Callable[[int], object], *, count: int) -> float:
    """Median milliseconds of a call, each with a number of its own; some are thrown away first."""
    found = []
    for number in range(-5, count):
        begin = time.perf_counter()
        work(number % count)
        if number >= 0:
            found.append(1000 * (time.perf_counter() - begin))
    return median(found)


def in_database(conn: Connection, statement: str, asked: Callable[[int], dict], *, count: int = ASKED) -> float:
    """Median execution time of a statement, ms, as the database measures it."""
    found = []
    for number in range(-5, count):
        row = conn.execute(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON, FORMAT JSON) {statement}", asked(number % count)).fetchone()
        if number >= 0 and row:
            found.append(row[0][0]["Execution Time"])
    return median(found)


NARROW_MONTH = "SELECT reading_at, kwh, quality FROM narrow WHERE account_id = %(account)s AND reading_at >= %(from_at)s AND reading_at < %(to_at)s ORDER BY reading_at"
NARROW_HOURS = """SELECT date_trunc('hour', reading_at), sum(kwh) FROM narrow
    WHERE account_id = %(account)s AND reading_at >= %(from_at)s AND reading_at < %(to_at)s GROUP BY 1 ORDER BY 1"""
NARROW_DAY = "SELECT reading_at, sum(kwh) FROM narrow_day WHERE reading_at >= %(from_at)s AND reading_at < %(to_at)s GROUP BY 1 ORDER BY 1"
LATE = """INSERT INTO narrow SELECT a, t, 0.1, 0 FROM unnest(%s::uuid[], %s::timestamptz[]) AS n (a, t)
    ON CONFLICT (account_id, reading_at) DO UPDATE SET kwh = excluded.kwh, quality = 2"""
CURVE = "SELECT starts_at, total, readings FROM metering.zone_curve(%(zone)s, %(from_at)s, %(to_at)s, '15 minutes')"


def of_account(number: int) -> dict:
    """What is asked of the narrow table for one account."""
    return {"account": named_uuid("account", number * 7919 % NARROW_CHANNELS), "from_at": FIRST, "to_at": END}


def of_channel(number: int) -> dict:
    """What is asked of blocks for one channel."""
    return {"channels": [1 + number * 7919 % CHANNELS], "from_at": FIRST, "to_at": END, "as_of": None}


def hours(conn: Connection, number: int) -> np.ndarray:
    """Hourly sums of a channel's month, Wh."""
    found = load(conn, of_channel(number)["channels"], FIRST, END, interval_s=900)
    return np.where(found.values == MISSING, 0, found.values).reshape(-1, 4).sum(axis=1)


def curve_of_blocks(conn: Connection) -> np.ndarray:
    """The quarter-hourly sums of a day of all channels, from their blocks."""
    found = load(conn, range(1, CHANNELS + 1), FIRST + timedelta(days=3), FIRST + timedelta(days=4), interval_s=900)
    return np.where(found.values == MISSING, 0, found.values).sum(axis=0, dtype=np.int64)


def bill_run(database: Database, actor: Actor) -> float:
    """Readings a second and core of processor time, of the server and ours, to read a month of all channels to arrays, a thousand channels at a time."""
    begin, ours = _server_seconds(database), time.process_time()
    count = 0
    with database.transaction(actor=actor) as conn:
        for first in range(1, CHANNELS + 1, 1_000):
            found = load(conn, range(first, first + 1_000), FIRST, END, interval_s=900)
            count += found.values.size
    return count / (_server_seconds(database) - begin + time.process_time() - ours)


def _server_seconds(database: Database) -> float:
    """Processor seconds of all processes of the server since it began, as /proc tells."""
    with database.administering() as conn:
        (postmaster,) = conn.execute("SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)::integer").fetchone() or (0,)
    ticks = 0
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        if int(place.parent.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def late(database: Database, actor: Actor, gaps: tuple[np.ndarray, np.ndarray], turn: int) -> float:
    """Seconds to store a reading of each channel that comes late, or is corrected."""
    values = np.full((CHANNELS, SLOTS), MISSING, dtype=np.int32)
    values[np.arange(CHANNELS), gaps[1]] = 100 + turn
    blocks = encode(
        channel_id=np.arange(1, CHANNELS + 1, dtype=np.int64), block_start=int(FIRST.timestamp()) + 86_400 * gaps[0].astype(np.int64), values=values, utc_offset_min=-360
    )
    begin = time.perf_counter()
    with database.transaction(actor=actor) as conn:
        batch_id = operations.open_batch(conn, source=f"late {turn}", format="arrays", sha256=bytes(32), at=AT)
        store.open_staging(conn)
        store.stage(conn, [blocks], utility_id=actor.utility_id, batch_id=batch_id)
        stored = store.merge_staged(conn, utility_id=actor.utility_id, batch_id=batch_id)
        operations.close_batch(conn, batch_id=batch_id, found=CHANNELS, accepted=CHANNELS, new=stored.new, changed=stored.changed)
    taken = time.perf_counter() - begin
    assert (stored.new, stored.changed) == ((CHANNELS, 0) if turn == 0 else (0, CHANNELS))
    return taken


def late_narrow(conn: Connection, turn: int) -> float:
    """Seconds to change as many rows of the narrow table, which keeps no history."""
    rng = np.random.default_rng(turn)
    places = [(named_uuid("account", int(a)), FIRST + timedelta(seconds=900 * int(t))) for a, t in zip(rng.integers(0, NARROW_CHANNELS, CHANNELS), rng.integers(0, DAYS * SLOTS, CHANNELS), strict=True)]  # noqa: E501
    accounts, instants = zip(*set(places), strict=True)
    begin = time.perf_counter()
    conn.execute(LATE, [list(accounts), list(instants)])
    return time.perf_counter() - begin


def measure(database: Database, actor: Actor, admin: Connection, gaps: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Milliseconds, readings a second, seconds; by what is measured."""
    day = {"zone": ZONE, "from_at": FIRST + timedelta(days=3), "to_at": FIRST + timedelta(days=4)}
    found: dict[str, float] = {}
    with database.transaction(actor=actor) as conn:
        found["month, in the database"] = in_database(conn, _QUERIES.packed_blocks, of_channel)
        found["month, to arrays"] = timed(lambda n: load(conn, of_channel(n)["channels"], FIRST, END, interval_s=900), count=ASKED)
        found["hours"] = timed(lambda n: hours(conn, n), count=ASKED)
        found["curve, rollup"] = timed(lambda _: conn.execute(CURVE, day).fetchall(), count=30)
        found["curve, blocks"] = timed(lambda _: curve_of_blocks(conn), count=10)
        total = sum((row[1] for row in conn.execute(CURVE, {**day, "zone": None}).fetchall()), Decimal(0))
        assert total == int(curve_of_blocks(conn).sum()), "the rollup and the blocks do not agree"
    found["narrow month, in the database"] = in_database(admin, NARROW_MONTH, of_account)
    found["narrow month, to the client"] = timed(lambda n: admin.execute(NARROW_MONTH, of_account(n)).fetchall(), count=ASKED)
    found["narrow hours"] = timed(lambda n: admin.execute(NARROW_HOURS, of_account(n)).fetchall(), count=ASKED)
    found["narrow curve"] = timed(lambda _: admin.execute(NARROW_DAY, day).fetchall(), count=5)
    found["bill run"] = median(bill_run(database, actor) for _ in range(ROUNDS))
    found["late"] = median(late(database, actor, gaps, turn) for turn in range(ROUNDS))
    found["narrow late"] = median(late_narrow(admin, turn) for turn in range(ROUNDS))
    return found


def hypertable(root: Path) -> dict[str, float] | None:
    """The narrow table's questions to TimescaleDB, where it can be had."""
    try:
        with timescale.running(root) as side, side.connect() as conn:
            timescale.make_hypertable(conn)
            copy_narrow(conn, "readings", channels=NARROW_CHANNELS, days=DAYS)
            conn.execute("VACUUM ANALYZE readings")
            month, by_hour = (statement.replace("narrow", "readings") for statement in (NARROW_MONTH, NARROW_HOURS))
            return {
                "month, in the database": in_database(conn, month, of_account),
                "month, to the client": timed(lambda n: conn.execute(month, of_account(n)).fetchall(), count=ASKED),  # pyright: ignore[reportArgumentType]
                "hours": timed(lambda n: conn.execute(by_hour, of_account(n)).fetchall(), count=ASKED),  # pyright: ignore[reportArgumentType]
            }
    except timescale.NotHere as reason:
        print(f"the side of TimescaleDB is left out: {reason}", file=sys.stderr)
        return None


def run(home: Path, *, timescale_root: Path | None = None) -> list[dict]:
    """All claims of reading."""
    if timescale_root is None:
        print("the side of TimescaleDB is left out; --timescale ROOT measures it", file=sys.stderr)
    peer = hypertable(timescale_root) if timescale_root else None
    cluster = Cluster(home=home / "server")
    try:
        urls = cluster.ensure_running()
        init_database(urls)
        database = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
        actor = prepare(database)
        found_channels(database, CHANNELS)
        rng = np.random.default_rng(3)
        gaps = rng.integers(0, DAYS, CHANNELS), rng.integers(0, SLOTS, CHANNELS)
        store_all(database, actor, gaps)
        with database.administering(autocommit=True) as admin:
            admin.execute("CREATE TABLE narrow_day (LIKE narrow)")
            copy_narrow(admin, "narrow", channels=NARROW_CHANNELS, days=DAYS)
            copy_narrow(admin, "narrow_day", channels=CHANNELS, days=1)
            admin.execute("UPDATE narrow_day SET reading_at = reading_at + interval '3 days'")
            admin.execute("CREATE INDEX ON narrow_day USING brin (reading_at)")
            for table in ("narrow", "narrow_day", "metering.interval_blocks", "metering.rollup_days"):
                admin.execute(f"VACUUM ANALYZE {table}")
            found = measure(database, actor, admin, gaps)
        database.close()
    finally:
        cluster.stop()
    return _claims(found, peer)


def _claims(found: dict[str, float], peer: dict[str, float] | None) -> list[dict]:
    of = f"of {CHANNELS:,} channels × {DAYS} days"
    claims = [
        claim(f"one account's month ({of}), in the database", found["month, in the database"], found["narrow month, in the database"], "ms", 0.2, of="most"),
        claim("the same, to the client as arrays; beside rows to the client", found["month, to arrays"], found["narrow month, to the client"], "ms", None),
        claim("its hourly values, through load and numpy; beside GROUP BY", found["hours"], found["narrow hours"], "ms", 0.4, of="most"),
        claim(f"a zone's day curve of quarter hours, {CHANNELS:,} meters, from the sums that storing keeps", found["curve, rollup"], found["narrow curve"], "ms", 20, of="most"),
        claim("the same for all meters, from their blocks", found["curve, blocks"], found["narrow curve"], "ms", None),
        claim("a bill run's readings to arrays, a core (server and client together)", found["bill run"], None, "readings/s", 60_000_000, of="least"),
        claim(
            f"{CHANNELS:,} late or corrected readings, one a channel, stored with history; beside a narrow table without", found["late"], found["narrow late"], "s", 0.3, of="most"
        ),
    ]
    if peer is not None:
        claims += [
            claim("one account's month, in the database; beside a TimescaleDB hypertable", found["month, in the database"], peer["month, in the database"], "ms", None),
            claim("the same, to the client", found["month, to arrays"], peer["month, to the client"], "ms", None),
            claim("its hourly values; beside time-ordered rows of a hypertable", found["hours"], peer["hours"], "ms", None),
        ]
    return claims


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")
    parser.add_argument("--timescale", type=Path, metavar="ROOT", help="folder of TimescaleDB, made where it is not there; see benchmarks.timescale")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="mains-benchmark-"))
    home.chmod(0o711)
    try:
        claims = run(home, timescale_root=asked.timescale)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    show(claims, as_json=asked.json)


if __name__ == "__main__":
    main()
