"""Reading back and putting right what is stored: interval blocks as staff under row-level security, beside a narrow table of the same readings in the same run; all durable, warm.

The narrow table has a row a reading, a primary key on account and time and a BRIN index on time, was filled day by day as deliveries come, and holds fewer rows (the claims say
how many); nobody is kept from seeing its rows and it keeps no history, which both favour it. Times in the database are what EXPLAIN ANALYZE says of the statement that is sent.
With --timescale a hypertable of the same rows stands beside it as well: the Apache edition from Debian, see `benchmarks.timescale`.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from benchmarks import timescale
from benchmarks._households import homes
from benchmarks.ingest import AT, DAYS, FIRST, SLOTS, prepare, seconds, share, usage
from mains.base import server
from mains.base.db import Actor, Database
from mains.base.embedded import Cluster
from mains.base.ids import named_uuid
from mains.base.migrate import init_database
from mains.base.sql import Statements
from mains.metering import operations, queries, store, sums
from mains.metering.blocks import Blocks, encode
from mains.metering.closing.operations import close_month
from mains.metering.load import load
from mains.metering.model import MISSING
from mains.metering.parallel import Task, load_parallel
from mains.metering.wire import COPY_HEADER, COPY_TRAILER

CHANNELS = 20_000
NARROW_PART = 10
"""One account in so many has its whole month in the narrow table; of the others it has the one day whose curve is asked."""
ASKED = 400
"""Accounts whose month is read one by one."""
ROUNDS = 3
BATCH = 2_000
"""Services that a bill run reads together."""
CURVE_DAY = 16
LAST = FIRST + timedelta(days=DAYS)
ZONE = named_uuid("benchmark", "zone")
_sent = Statements("mains.metering", "queries.sql").packed_blocks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """What both sides store: int32 `values` [channels, days, 96] with gaps where `late` readings will come, which are (days, slots, values) [channels] a round."""

    values: NDArray[np.int32]
    late: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]]

    @property
    def channels(self) -> int:
        """How many."""
        return len(self.values)

    @property
    def months(self) -> int:
        """Accounts whose whole month the narrow table has."""
        return self.channels // NARROW_PART

    def asked(self) -> list[int]:
        """Channels whose month is read alone, all of them on both sides."""
        return (np.random.default_rng(8).permutation(self.months)[:ASKED] + 1).tolist()


def make_world(channels: int) -> World:
    """A month of readings, with a gap a channel and round on days apart."""
    values = np.minimum(usage(channels), 9_999_999)
    rng, rows = np.random.default_rng(11), np.arange(channels)
    days, late = np.argsort(rng.random((channels, DAYS)), axis=1), []
    for turn in range(ROUNDS):
        day, slot = days[:, turn], rng.integers(0, SLOTS, channels)
        late.append((day, slot, values[rows, day, slot].copy()))
    for day, slot, _ in late:
        values[rows, day, slot] = MISSING
    return World(values=values, late=late)


# Our side ------------------------------------------------------------------------------------------------------------------------------------------------------

_PLACES = """
INSERT INTO network.service_zones (zone_id, zone_name, zone_code) VALUES (%(zone)s, 'Zone', 'zone');
INSERT INTO customers.premises (premise_id, premise_number, address_line, city) VALUES (%(zone)s, 'P', '1 Main St', 'Prairie');
INSERT INTO customers.service_points (service_point_id, premise_id, service_point_number, commodity, timezone, service_zone_id)
SELECT p, %(zone)s, 'S-' || i, 'electric', 'America/Chicago', %(zone)s FROM unnest(%(points)s::uuid[]) WITH ORDINALITY AS u (p, i);
INSERT INTO devices.meters (meter_id, meter_number, commodity) SELECT p, 'M-' || i, 'electric' FROM unnest(%(points)s::uuid[]) WITH ORDINALITY AS u (p, i);
INSERT INTO metering.channels (channel_id, meter_id, register, commodity, quantity, unit, interval_s, utc_offset_min, kwh_factor)
SELECT i, p, '1', 'electric', 'energy', 'Wh', 900, -360, 0.001 FROM unnest(%(points)s::uuid[]) WITH ORDINALITY AS u (p, i);
INSERT INTO devices.meter_installations (meter_id, service_point_id, installed_period) SELECT p, p, '[2020-01-01,)' FROM unnest(%(points)s::uuid[]) AS u (p);
"""


def fill(database: Database, actor: Actor, world: World, path: Path) -> None:
    """Meters that hang in one zone, their channels, a year of empty months, and the blocks of one month by two processes."""
    points = [named_uuid("benchmark", "point", number) for number in range(world.channels)]
    with database.transaction(actor=actor) as conn:
        for statement in filter(str.strip, _PLACES.split(";\n")):
            conn.execute(statement, {"zone": ZONE, "points": points})
        operations.ensure_partitions(conn, from_at=FIRST - timedelta(days=180), to_at=FIRST + timedelta(days=180))
    np.save(path, world.values)
    step = max(1, world.channels // 8)
    tasks = [
        Task(make=share, arguments={"number": 0, "path": str(path), "first": first, "last": min(first + step, world.channels)}) for first in range(0, world.channels, step)
    ]
    load_parallel(database, actor=actor, tasks=tasks, from_at=FIRST, to_at=LAST, source="a month", at=AT)
    with database.administering(autocommit=True) as admin:
        admin.execute("VACUUM (ANALYZE) metering.interval_blocks")
        admin.execute("ANALYZE")


def in_database(conn: Connection, statement: str, asked: Sequence[Any]) -> float:
    """Median ms of a statement in the database, for each of some parameters."""
    told = []
    for each in asked:
        row = conn.execute("EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) " + statement, each).fetchone()  # pyright: ignore[reportArgumentType]
        assert row is not None
        told.append(row[0][0]["Execution Time"])
    return median(told)


def each_ms(work: Callable[[Any], object], asked: Sequence[Any]) -> float:
    """Median ms of some work, done once for each."""
    return 1000 * median(seconds(lambda each=each: work(each)) for each in asked)


def months_alone(conn: Connection, world: World, found: dict[str, float], *, tier: str) -> None:
    """Account-months one by one: in the database, to arrays, and added up by the hour."""
    channels = world.asked()
    asked = [{"channels": [channel], "from_at": FIRST, "to_at": LAST, "as_of": None} for channel in channels]
    found[f"{tier} month, database"] = in_database(conn, _sent, asked)
    found[f"{tier} month, client"] = each_ms(lambda channel: load(conn, [channel], FIRST, LAST, interval_s=900), channels)
    known = queries.channels_by_id(conn, channels)
    edges = int(FIRST.timestamp()) + 3600 * np.arange(24 * DAYS + 1)
    instants = [FIRST + timedelta(hours=hour) for hour in range(24 * DAYS + 1)]
    found[f"{tier} hours"] = each_ms(lambda channel: sums.added_up(conn, channel, edges), known)
    found[f"{tier} hours as records"] = each_ms(lambda channel: sums.sums(conn, channel, instants), known[:100])


def curves(conn: Connection, world: World, found: dict[str, float]) -> NDArray[np.int64]:
    """The curve of one day of the zone, from the rollups and from the blocks, which must agree; Wh [96]."""
    begin = FIRST + timedelta(days=CURVE_DAY)
    end, kept = begin + timedelta(days=1), []

    def from_rollups(_: int) -> None:
        asked = [ZONE, begin, end, timedelta(minutes=15)]
        kept[:] = conn.cursor(binary=True).execute("SELECT starts_at, total, readings FROM metering.zone_curve(%s, %s, %s, %s)", asked).fetchall()

    def from_blocks(_: int) -> NDArray[np.int64]:
        values = load(conn, range(1, world.channels + 1), begin, end, interval_s=900).values
        gaps = values == MISSING
        return values.sum(axis=0, dtype=np.int64) - gaps.sum(axis=0) * MISSING

    found["curve, rollups"] = each_ms(from_rollups, range(20))
    found["curve, blocks"] = each_ms(from_blocks, range(7))
    curve = from_blocks(0)
    assert [int(row[1]) for row in kept] == curve.tolist()
    return curve


def core_seconds(pid: int) -> float:
    """What this process and the one that serves its connection have spent on processors."""
    return time.process_time() + int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def bill_run(database: Database, actor: Actor, world: World, found: dict[str, float]) -> None:
    """All account-months, some at a time as bills are made: readings a second, by the clock and by seconds of processors; no statement has helpers."""
    walls, cores = [], []
    for _ in range(ROUNDS):
        with database.transaction(actor=actor) as conn:
            conn.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            wall, core, readings = time.perf_counter(), core_seconds(conn.info.backend_pid), 0
            for first in range(1, world.channels + 1, BATCH):
                readings += load(conn, range(first, min(first + BATCH, world.channels + 1)), FIRST, LAST, interval_s=900).values.size
            walls.append(readings / (time.perf_counter() - wall))
            cores.append(readings / (core_seconds(conn.info.backend_pid) - core))
    found["bill run, clock"], found["bill run, core"] = median(walls), median(cores)


def late_blocks(world: World, turn: int) -> Blocks:
    """A round's late readings as blocks, one of each channel."""
    day, slot, value = world.late[turn]
    values = np.full((world.channels, SLOTS), MISSING, dtype=np.int32)
    values[np.arange(world.channels), slot] = value
    return encode(channel_id=np.arange(1, world.channels + 1), block_start=int(FIRST.timestamp()) + 86_400 * day, values=values, utc_offset_min=-360)


def deliver_late(database: Database, actor: Actor, world: World, turn: int) -> None:
    """The idempotent path: staging, merge, history, sums and the delivery's record in one transaction."""
    with database.transaction(actor=actor) as conn:
        batch_id = operations.open_batch(conn, source=f"late {turn}", format="arrays", sha256=bytes(32), at=AT)
        blocks = late_blocks(world, turn)
        store.open_staging(conn)
        store.stage(conn, [blocks], utility_id=actor.utility_id, batch_id=batch_id)
        stored = store.merge_staged(conn, utility_id=actor.utility_id, batch_id=batch_id)
        operations.close_batch(conn, batch_id=batch_id, found=blocks.readings, accepted=blocks.readings, new=stored.new, changed=stored.changed, raw_sum=blocks.raw_sum)
    assert (stored.new, stored.blocks_changed, stored.refused) == (world.channels, world.channels, 0)


def late(database: Database, actor: Actor, world: World, found: dict[str, float]) -> None:
    """Ms to store each round of late readings; every one leaves a row of history."""
    found["late"] = each_ms(lambda turn: deliver_late(database, actor, world, turn), range(ROUNDS))
    with database.transaction(actor=actor) as conn:
        (kept,) = conn.execute("SELECT count(*) FROM metering.interval_block_history").fetchone() or (0,)
    assert kept == ROUNDS * world.channels
    found["history"] = kept


def closed(database: Database, actor: Actor, world: World, found: dict[str, float]) -> None:
    """Close the month, and read from what it became."""
    with database.transaction(actor=actor) as conn:
        before = load(conn, range(1, min(BATCH, world.channels) + 1), FIRST, LAST, interval_s=900).values
    found["closing"] = world.values.size / seconds(lambda: close_month(database, actor, month="2024-01", at=AT, is_forced=True))
    size, readings = closed_size(database)
    assert readings == world.values.size
    found["closed bytes"] = size / readings
    kinds = [homes(250, DAYS, seed=seed, season=3.0 * seed).values for seed in range(4)]
    values = np.concatenate(kinds)[: world.channels]
    first = FIRST.replace(month=3)
    blocks = encode(
        channel_id=np.repeat(np.arange(1, len(values) + 1), DAYS), block_start=np.tile(int(first.timestamp()) + 86_400 * np.arange(DAYS), len(values)),
        values=values.reshape(-1, SLOTS), utc_offset_min=-360,
    )  # fmt: skip
    store.first_load(database, actor=actor, parts=[blocks], from_at=first, to_at=first + timedelta(days=DAYS), source="households", at=AT)
    close_month(database, actor, month="2024-03", at=AT, is_forced=True)
    more, other = closed_size(database)
    assert other - readings == values.size
    found["closed bytes of households"] = (more - size) / values.size
    with database.transaction(actor=actor) as conn:
        assert np.array_equal(load(conn, range(1, len(before) + 1), FIRST, LAST, interval_s=900).values, before)
        months_alone(conn, world, found, tier="closed")


def closed_size(database: Database) -> tuple[int, int]:
    """Bytes of the dense tier with all that belongs to it, and its readings; nothing is live."""
    with database.administering(autocommit=True) as admin:
        admin.execute("VACUUM (ANALYZE) metering.closed_months")
        size, readings, live = admin.execute(
            "SELECT pg_total_relation_size('metering.closed_months'), (SELECT sum(n_valid::bigint) FROM metering.closed_months), (SELECT count(*) FROM metering.interval_blocks)"
        ).fetchone() or (0, 0, 1)
    assert not live
    return size, int(readings)


def measure_ours(database: Database, actor: Actor, world: World) -> tuple[dict[str, float], NDArray[np.int64]]:
    """All figures of our side, and the curve to hold theirs against."""
    found: dict[str, float] = {}
    with database.administering() as admin:
        (size,) = admin.execute("SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'metering.interval_blocks'::regclass").fetchone() or (0,)
    found["bytes"] = int(size) / (world.values.size - ROUNDS * world.channels)
    with database.transaction(actor=actor) as conn:
        months_alone(conn, world, found, tier="live")
        curve = curves(conn, world, found)
    bill_run(database, actor, world, found)
    late(database, actor, world, found)
    closed(database, actor, world, found)
    return found, curve


# The other sides -----------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A table with a row a reading: what it is called, its connection in autocommit, and how it names the hour of an instant and its size."""

    name: str
    conn: Connection
    table: str
    hour: str
    size: str

    def ask(self, statement: str, asked: Sequence[Any] = ()) -> list[tuple]:
        """Rows of a statement in which {t} is the table, {hour} the hour and {size} the size."""
        return self.conn.cursor(binary=True).execute(self.text(statement), asked).fetchall()  # pyright: ignore[reportArgumentType]

    def text(self, statement: str) -> str:
        """The statement as it is sent."""
        return statement.format(t=self.table, hour=self.hour, size=self.size)


_ROW = np.dtype(
    [("fields", ">i2"), ("l1", ">i4"), ("account", "V16"), ("l2", ">i4"), ("at", ">i8"), ("l3", ">i4"), ("ndigits", ">i2"), ("weight", ">i2"), ("sign", ">i2"),
     ("scale", ">i2"), ("whole", ">i2"), ("fraction", ">i2"), ("l4", ">i4"), ("quality", ">i2")]
)  # fmt: skip
_OUT = np.dtype([("fields", ">i2"), ("l1", ">i4"), ("account", "V16"), ("l2", ">i4"), ("at", ">i8"), ("l3", ">i4"), ("wh", ">i4"), ("l4", ">i4"), ("quality", ">i2")])


def accounts(channels: int) -> NDArray[np.void]:
    """Keys of accounts, by channel."""
    return np.frombuffer(b"".join(named_uuid("account", number).bytes for number in range(channels)), dtype="V16")


def rows_of(keys: NDArray[np.void], epoch_s: NDArray[np.int64], wh: NDArray[np.int32]) -> bytes:
    """COPY BINARY rows: account, instant, kWh numeric(12,3), quality."""
    row = np.zeros(len(wh), dtype=_ROW)
    row["fields"], row["l1"], row["l2"], row["l3"], row["l4"] = 4, 16, 8, 12, 2
    row["account"], row["at"] = keys, (epoch_s - 946_684_800) * 1_000_000
    row["ndigits"], row["scale"], row["whole"], row["fraction"] = 2, 3, wh // 1000, wh % 1000 * 10
    return row.tobytes()


def peer_days(world: World) -> Iterator[bytes]:
    """Day by day what the narrow tables get."""
    keys, slots = accounts(world.channels), 900 * np.arange(SLOTS)
    for day in range(DAYS):
        some = world.channels if day == CURVE_DAY else world.months
        wh = world.values[:some, day].reshape(-1)
        there = wh != MISSING
        instants = np.tile(int(FIRST.timestamp()) + 86_400 * day + slots, some)
        yield rows_of(np.repeat(keys[:some], SLOTS)[there], instants[there], wh[there])


def copy_in(conn: Connection, table: str, pieces: Sequence[bytes]) -> None:
    """COPY rows into a table."""
    with conn.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:  # pyright: ignore[reportArgumentType]
        for piece in (COPY_HEADER, *pieces, COPY_TRAILER):
            copy.write(piece)


def fill_peer(peer: Peer, pieces: Sequence[bytes], found: dict[str, float]) -> None:
    """One transaction, then what autovacuum would do."""
    rows = sum(len(piece) // _ROW.itemsize for piece in pieces)
    found["rows"] = rows
    copy_in(peer.conn, peer.table, pieces)
    peer.conn.execute(peer.text("VACUUM (ANALYZE) {t}"))  # pyright: ignore[reportArgumentType, reportCallIssue]
    found["bytes"] = float(peer.ask("SELECT {size}")[0][0]) / rows


_MONTH = "SELECT reading_at, kwh, quality FROM {t} WHERE account_id = %s AND reading_at >= %s AND reading_at < %s ORDER BY reading_at"
_HOURS = "SELECT {hour}, sum(kwh), max(kwh), count(*) FROM {t} WHERE account_id = %s AND reading_at >= %s AND reading_at < %s GROUP BY 1 ORDER BY 1"
_CURVE = "SELECT reading_at, sum(kwh), count(*) FROM {t} WHERE reading_at >= %s AND reading_at < %s GROUP BY 1 ORDER BY 1"
_RUN = (
    "COPY (SELECT account_id, reading_at, (kwh * 1000)::integer, quality FROM {t} WHERE account_id = ANY (%s::uuid[]) AND reading_at >= %s AND reading_at < %s)"
    " TO STDOUT (FORMAT BINARY)"
)
_LATE = "INSERT INTO {t} SELECT * FROM late ON CONFLICT (account_id, reading_at) DO UPDATE SET kwh = excluded.kwh, quality = excluded.quality"


def peer_run(peer: Peer, keys: list[UUID]) -> tuple[float, float]:
    """All whole account-months to records of numpy (not laid out as a grid, which favours it): readings a second by the clock and by seconds of processors."""
    walls, cores = [], []
    peer.conn.execute("SET max_parallel_workers_per_gather = 0")
    for _ in range(ROUNDS):
        wall, core, readings = time.perf_counter(), core_seconds(peer.conn.info.backend_pid), 0
        for first in range(0, len(keys), BATCH):
            with peer.conn.cursor() as cursor, cursor.copy(peer.text(_RUN), [keys[first : first + BATCH], FIRST, LAST]) as copy:  # pyright: ignore[reportArgumentType]
                data = b"".join(copy)
            found = np.frombuffer(data[len(COPY_HEADER) : -len(COPY_TRAILER)], dtype=_OUT)
            readings += len(found)
            assert found["wh"].astype(np.int32).min() >= 0
        walls.append(readings / (time.perf_counter() - wall))
        cores.append(readings / (core_seconds(peer.conn.info.backend_pid) - core))
    peer.conn.execute("RESET max_parallel_workers_per_gather")
    return median(walls), median(cores)


def late_peer(peer: Peer, piece: bytes) -> None:
    """The same late readings through a temporary table, without history."""
    with peer.conn.transaction():
        peer.conn.execute("CREATE TEMP TABLE late (account_id uuid, reading_at timestamptz, kwh numeric(12,3), quality smallint) ON COMMIT DROP")
        copy_in(peer.conn, "late", [piece])
        peer.conn.execute(peer.text(_LATE))  # pyright: ignore[reportArgumentType, reportCallIssue]


def measure_peer(peer: Peer, world: World, pieces: Sequence[bytes], curve: NDArray[np.int64]) -> dict[str, float]:
    """All figures of another side."""
    found: dict[str, float] = {}
    fill_peer(peer, pieces, found)
    keys = [named_uuid("account", number) for number in range(world.channels)]
    asked = [(keys[channel - 1], FIRST, LAST) for channel in world.asked()]
    found["month, database"] = in_database(peer.conn, peer.text(_MONTH), asked)
    found["month, client"] = each_ms(lambda each: np.array([float(row[1]) for row in peer.ask(_MONTH, each)]), asked)
    found["hours"] = each_ms(lambda each: peer.ask(_HOURS, each), asked)
    begin = FIRST + timedelta(days=CURVE_DAY)
    day = (begin, begin + timedelta(days=1))
    found["curve"] = each_ms(lambda _: peer.ask(_CURVE, day), range(5))
    assert [int(1000 * row[1]) for row in peer.ask(_CURVE, day)] == curve.tolist()
    found["bill run, clock"], found["bill run, core"] = peer_run(peer, keys[: world.months])
    stored = accounts(world.channels)
    pieces = [rows_of(stored, int(FIRST.timestamp()) + 86_400 * day + 900 * slot, value) for day, slot, value in world.late]
    found["late"] = each_ms(lambda piece: late_peer(peer, piece), pieces)
    return found


# What is claimed -----------------------------------------------------------------------------------------------------------------------------------------------


def claim(text: str, ours: float, theirs: float | None, unit: str, goal: float | None, *, of: str = "most") -> dict:
    """One claim; the goal is the `most` or the `least` that ours may be."""
    holds = goal is None or (ours <= goal if of == "most" else ours >= goal)
    shown = [None if value is None else float(f"{value:.3g}") if value < 1000 else round(value) for value in (ours, theirs, ours / theirs if theirs else None)]
    return {"claim": text, "ours": shown[0], "theirs": shown[1], "unit": unit, "ratio": shown[2], "goal": goal, "holds": holds}


def against(ours: dict[str, float], theirs: dict[str, float], name: str, channels: int) -> list[dict]:
    """The claims beside one other side."""
    what = f"beside {name} of {theirs['rows']:,.0f} rows"
    run = f"a bill run's readings, {channels:,} account-months in batches of {BATCH:,} to dense arrays, a second"
    beside = [
        ("an account-month of 31 days × 96 in the database, as staff under row-level security", "live month, database", "month, database", "ms", 0.2),
        ("an account-month to the client as arrays", "live month, client", "month, client", "ms", None),
        ("its hourly sums, peaks and counts as arrays, database and numpy", "live hours", "hours", "ms", 0.4),
        (f"a zone's day curve of {channels:,} meters to the client, from the sums kept by zone", "curve, rollups", "curve", "ms", 20),
        (f"the same from {channels:,} blocks to arrays and added up", "curve, blocks", "curve", "ms", None),
        (f"{channels:,} late readings, one in each channel, on days at random, stored with a row of history each", "late", "late", "ms", 300),
        ("table, indexes and TOAST of a reading, live months", "bytes", "bytes", "bytes", 4),
        ("table, indexes and TOAST of a reading, closed months of households", "closed bytes of households", "bytes", "bytes", 1.2),
        ("the same of the benchmark's own noise, of which no coder can make less than 1.09", "closed bytes", "bytes", "bytes", None),
        ("an account-month of a closed month to the client as arrays", "closed month, client", "month, client", "ms", None),
        (f"{run} of processor, client and server together,", "bill run, core", "bill run, core", "readings/s", 60_000_000),
        (f"{run} by the clock,", "bill run, clock", "bill run, clock", "readings/s", None),
    ]
    return [
        claim(f"{text} {what}" if text.endswith(",") else f"{text}, {what}", ours[mine], theirs[yours], unit, goal, of="least" if unit == "readings/s" else "most")
        for text, mine, yours, unit, goal in beside
    ]


def alone(ours: dict[str, float]) -> list[dict]:
    """What has nothing beside it."""
    return [
        claim("hourly sums of an account-month as records of exact decimals, as the API makes them", ours["live hours as records"], None, "ms", None),
        claim("an account-month of a closed month in the database", ours["closed month, database"], None, "ms", None),
        claim("hourly sums, peaks and counts of an account-month of a closed month as arrays", ours["closed hours"], None, "ms", None),
        claim("closing a month: packed, read back and compared, moved, its disk freed", ours["closing"], None, "readings/s", None, of="least"),
        claim("rows of history that the late readings left", ours["history"], None, "rows", None),
    ]


def peers(database: Database, root: Path | None, stack: ExitStack) -> list[Peer]:
    """The sides there are; what is left out is told."""
    conn = stack.enter_context(database.administering(autocommit=True))
    conn.execute("CREATE INDEX ON narrow USING brin (reading_at) WITH (pages_per_range = 32)")
    found = [Peer(name="a narrow table", conn=conn, table="narrow", hour="date_bin('1 hour', reading_at, '2000-01-01')", size="pg_total_relation_size('narrow')")]
    if root is None:
        print("TimescaleDB: left out: name a folder for it with --timescale", file=sys.stderr)
        return found
    try:
        side = stack.enter_context(timescale.running(root))
        conn = stack.enter_context(side.connect())
        timescale.make_hypertable(conn)
        found.append(Peer(name=f"a hypertable of {side.version}", conn=conn, table="readings", hour="time_bucket('1 hour', reading_at)", size="hypertable_size('readings')"))
    except timescale.NotHere as reason:
        print(f"TimescaleDB: left out: {reason}", file=sys.stderr)
    return found


def run(home: Path, *, channels: int, root: Path | None) -> list[dict]:
    """All claims of fetching."""
    cluster = Cluster(home=home / "server")
    try:
        urls = cluster.ensure_running()
        init_database(urls)
        database = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
        with server.connect(urls.admin) as conn:
            assert conn.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone() == ("on", "on")
        actor, world = prepare(database), make_world(channels)
        fill(database, actor, world, home / "values.npy")
        ours, curve = measure_ours(database, actor, world)
        pieces = list(peer_days(world))
        with ExitStack() as stack:
            claims = [one for peer in peers(database, root, stack) for one in against(ours, measure_peer(peer, world, pieces, curve), peer.name, channels)]
        database.close()
    finally:
        cluster.stop()
    return claims + alone(ours)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")
    parser.add_argument("--timescale", type=Path, metavar="ROOT", default=os.environ.get("MAINS_TIMESCALE_ROOT"), help="folder of TimescaleDB's side, built where it is empty")
    parser.add_argument("--channels", type=int, default=CHANNELS, help="channels of a month each")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="mains-benchmark-"))
    home.chmod(0o711)
    try:
        claims = run(home, channels=asked.channels, root=asked.timescale)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if asked.json:
        print(json.dumps({"claims": claims}, indent=2, ensure_ascii=False))
    else:
        for one in claims:
            print(f"{one['ours']:>14,} {one['unit']:<10}  {'×' + str(one['ratio']) if one['ratio'] else '':>12}  {'' if one['holds'] else 'DOES NOT HOLD '}{one['claim']}")
    sys.exit(0 if all(one["holds"] for one in claims) else 1)


if __name__ == "__main__":
    main()
