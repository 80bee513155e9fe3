"""Storing readings: interval blocks by the first-load path and by the idempotent path, beside COPY into a narrow table of the same readings, turn and turn about.

Everything is durable: fsync and synchronous_commit are on, each measurement ends with its commit. The narrow table has a row a reading and a primary key on account
and time; its COPY stream is made beforehand and not counted, ours is encoded inside the measurement.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from uuid import UUID

import numpy as np

from mains.base import server
from mains.base.db import Actor, Database
from mains.base.embedded import Cluster
from mains.base.ids import named_uuid
from mains.base.migrate import init_database
from mains.metering import operations, store
from mains.metering.blocks import Blocks, encode
from mains.metering.load import load
from mains.metering.parallel import Task, load_parallel
from mains.metering.wire import COPY_HEADER, COPY_TRAILER, to_copy_binary

CHANNELS, DAYS, SLOTS = 2_000, 31, 96
NARROW = 2_000_000
ROUNDS = 3
MONTHS = 3
"""Months that two processes load together, so that their start and end weigh little."""
FIRST = datetime(2024, 1, 1, 6, tzinfo=UTC)
AT = datetime(2026, 6, 1, tzinfo=UTC)
UTILITY = named_uuid("benchmark", "utility")


def usage(channels: int = CHANNELS) -> np.ndarray:
    """Wh a quarter hour [channels, days, 96]: an evening shape with noise; one meter-day in two hundred needs four bytes."""
    rng = np.random.default_rng(5)
    shape = 150 + 250 * np.exp(-(((np.arange(SLOTS) - 76) / 14) ** 2))
    values = rng.gamma(2.0, 0.5, (channels, DAYS, SLOTS)) * shape * rng.lognormal(0, 0.5, (channels, 1, 1))
    big = rng.random((channels, DAYS)) < 0.005
    values[big] *= 200
    return values.astype(np.int32)


def month(number: int, values: np.ndarray, *, channels: tuple[int, int] = (0, CHANNELS)) -> Blocks:
    """Blocks of a stretch of 31 days of its own, and for each number another."""
    first, last = channels
    starts = int((FIRST + timedelta(days=DAYS * number)).timestamp()) + 86_400 * np.arange(DAYS)
    ids = np.arange(first + 1, last + 1, dtype=np.int64)
    return encode(
        channel_id=np.repeat(ids, DAYS), block_start=np.tile(starts, last - first), values=values[first:last].reshape(-1, SLOTS), utc_offset_min=-360
    ).in_load_order()


def share(number: int, path: str, first: int, last: int) -> list[Blocks]:
    """A process's share of the channels, from arrays that are ready in a file."""
    return [month(number, np.load(path, mmap_mode="r"), channels=(first, last))]


def narrow_stream(values: np.ndarray) -> list[bytes]:
    """COPY BINARY of `NARROW` readings as account, instant, kWh numeric(12,3), quality."""
    flat = values.reshape(CHANNELS, -1)
    per = flat.shape[1]
    kinds = [("fields", ">i2"), ("l1", ">i4"), ("account", "V16"), ("l2", ">i4"), ("at", ">i8"), ("l3", ">i4"), ("ndigits", ">i2"), ("weight", ">i2")]
    kinds += [("sign", ">i2"), ("scale", ">i2"), ("whole", ">i2"), ("fraction", ">i2"), ("l4", ">i4"), ("quality", ">i2")]
    pieces, left = [], NARROW
    for channel in range(CHANNELS):
        count = min(per, left)
        row = np.zeros(count, dtype=np.dtype(kinds))
        row["fields"], row["l1"], row["l2"], row["l3"], row["l4"] = 4, 16, 8, 12, 2
        row["account"] = np.void(named_uuid("account", channel).bytes)
        row["at"] = (int(FIRST.timestamp()) - 946_684_800 + 900 * np.arange(count)) * 1_000_000
        row["ndigits"], row["scale"] = 2, 3
        row["whole"], row["fraction"] = flat[channel, :count] // 1000, flat[channel, :count] % 1000 * 10
        pieces.append(row.tobytes())
        left -= count
        if not left:
            return pieces
    raise ValueError("not enough readings")


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def copy_narrow(database: Database, pieces: list[bytes]) -> None:
    with database.administering() as conn, conn.cursor() as cursor, cursor.copy("COPY narrow FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(COPY_HEADER)
        for piece in pieces:
            copy.write(piece)
        copy.write(COPY_TRAILER)


def first_load(database: Database, actor: Actor, number: int, values: np.ndarray) -> None:
    begin = FIRST + timedelta(days=DAYS * number)
    store.first_load(database, actor=actor, parts=[month(number, values)], from_at=begin, to_at=begin + timedelta(days=DAYS), source=f"month {number}", at=AT)


def two_processes(database: Database, actor: Actor, number: int, path: str) -> float:
    """Seconds of a first load by two processes, from the moment both are up: starting Python is not storing."""
    begin, end = FIRST + timedelta(days=DAYS * number), FIRST + timedelta(days=DAYS * (number + MONTHS))
    edges = list(range(0, CHANNELS + 1, CHANNELS // 4))
    tasks = [Task(make=share, arguments={"number": number + more, "path": path, "first": a, "last": b}) for more in range(MONTHS) for a, b in pairwise(edges)]
    up: list[float] = []
    load_parallel(
        database, actor=actor, tasks=tasks, from_at=begin, to_at=end, source=f"month {number}", at=AT, processes=2,
        started=lambda: up.append(time.perf_counter()),
    )  # fmt: skip
    return time.perf_counter() - up[0]


def deliver(database: Database, actor: Actor, number: int, values: np.ndarray) -> store.Stored:
    """The idempotent path: its months, then staging, merge and the delivery's record in one transaction."""
    begin = FIRST + timedelta(days=DAYS * number)
    with database.transaction(actor=actor) as conn:
        operations.ensure_partitions(conn, from_at=begin, to_at=begin + timedelta(days=DAYS))
    with database.transaction(actor=actor) as conn:
        batch_id = operations.open_batch(conn, source=f"month {number}", format="arrays", sha256=bytes(32), at=AT)
        blocks = month(number, values)
        store.open_staging(conn)
        store.stage(conn, [blocks], utility_id=actor.utility_id, batch_id=batch_id)
        stored = store.merge_staged(conn, utility_id=actor.utility_id, batch_id=batch_id)
        operations.close_batch(conn, batch_id=batch_id, found=blocks.readings, accepted=blocks.readings, new=stored.new, raw_sum=blocks.raw_sum)
    return stored


def fetch(database: Database, actor: Actor, number: int) -> None:
    begin = FIRST + timedelta(days=DAYS * number)
    with database.transaction(actor=actor) as conn:
        found = load(conn, range(1, CHANNELS + 1), begin, begin + timedelta(days=DAYS), interval_s=900)
    assert found.values.shape == (CHANNELS, DAYS * SLOTS)


def measure(database: Database, actor: Actor, path: str, values: np.ndarray) -> dict[str, float]:
    """Readings a second of each way, medians of the rounds."""
    pieces, readings = narrow_stream(values), values.size
    rates: dict[str, list[float]] = {}
    for turn in range(ROUNDS):
        with database.administering(autocommit=True) as admin:
            admin.execute("TRUNCATE narrow")
            admin.execute("CHECKPOINT")
        taken = {
            "narrow": NARROW / seconds(lambda: copy_narrow(database, pieces)),
            "first": readings / seconds(lambda turn=turn: first_load(database, actor, 8 * turn, values)),
            "first, two processes": MONTHS * readings / two_processes(database, actor, 8 * turn + 2, path),
            "idempotent": readings / seconds(lambda turn=turn: deliver(database, actor, 8 * turn + 1, values)),
            "unchanged": readings / seconds(lambda turn=turn: deliver(database, actor, 8 * turn + 1, values)),
            "fetch": readings / seconds(lambda turn=turn: fetch(database, actor, 8 * turn)),
            "encode": readings / seconds(lambda turn=turn: [len(piece) for piece in to_copy_binary(month(turn, values), utility_id=UTILITY, batch_id=1)]),
        }
        for name, rate in taken.items():
            rates.setdefault(name, []).append(rate)
    return {name: median(found) for name, found in rates.items()}


def bytes_a_reading(database: Database) -> tuple[float, float]:
    """Of table, indexes and TOAST: blocks, narrow."""
    with database.administering() as admin:
        ours, readings = admin.execute(
            "SELECT sum(pg_total_relation_size(inhrelid)), (SELECT sum(n_valid::bigint) FROM metering.interval_blocks) FROM pg_inherits"
            " WHERE inhparent = 'metering.interval_blocks'::regclass"
        ).fetchone() or (0, 1)
        theirs, rows = admin.execute("SELECT pg_total_relation_size('narrow'), (SELECT count(*) FROM narrow)").fetchone() or (0, 1)
    return float(ours / readings), float(theirs / rows)


def prepare(database: Database) -> Actor:
    with database.administering(autocommit=True) as admin:
        admin.execute("SELECT set_config('app.actor', 'benchmark', false)")
        admin.execute("SELECT network.found_utility(%s, 'Benchmark', 'benchmark', 'municipal', '{electric}', 'USD', 'America/Chicago')", [UTILITY])
        admin.execute("CREATE TABLE narrow (account_id uuid, reading_at timestamptz, kwh numeric(12,3), quality smallint, PRIMARY KEY (account_id, reading_at))")
    return Actor(role="staff", utility_id=UUID(str(UTILITY)), name="benchmark")


def claim(text: str, ours: float, theirs: float | None, unit: str, goal: float | None, *, of: str = "ratio") -> dict:
    ratio = ours / theirs if theirs else None
    holds = goal is None or (ours <= goal if of == "most" else (ratio or 0) >= goal)
    shown = round if unit == "readings/s" else (lambda value: round(value, 2))
    return {
        "claim": text, "ours": shown(ours), "theirs": None if theirs is None else shown(theirs), "unit": unit, "ratio": None if ratio is None else round(ratio, 2),
        "goal": goal, "holds": holds,
    }  # fmt: skip


def run(home: Path) -> list[dict]:
    """All claims of storing."""
    cluster = Cluster(home=home / "server")
    try:
        urls = cluster.ensure_running()
        init_database(urls)
        database = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
        with server.connect(urls.admin) as conn:
            assert conn.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone() == ("on", "on")
        actor = prepare(database)
        values = usage()
        path = home / "values.npy"
        np.save(path, values)
        rates = measure(database, actor, str(path), values)
        ours, theirs = bytes_a_reading(database)
        database.close()
    finally:
        cluster.stop()
    narrow = rates["narrow"]
    what = f"{CHANNELS:,} channels × {DAYS} days × {SLOTS}"
    return [
        claim(f"first load of ready arrays, one process, encoding included ({what}), beside COPY into a narrow table", rates["first"], narrow, "readings/s", 25),
        claim("the same, two processes", rates["first, two processes"], narrow, "readings/s", 25),
        claim("idempotent path of new days: staging, row-level security, delivery record, conflicts", rates["idempotent"], narrow, "readings/s", 12),
        claim("idempotent path of days that are there unchanged: nothing is written", rates["unchanged"], narrow, "readings/s", None),
        claim("table, indexes and TOAST of a reading", ours, theirs, "bytes", 5, of="most"),
        claim("bulk read of all channels to dense arrays", rates["fetch"], None, "readings/s", None),
        claim("encoding alone, to COPY BINARY", rates["encode"], None, "readings/s", None),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="mains-benchmark-"))
    home.chmod(0o711)
    try:
        claims = run(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if asked.json:
        print(json.dumps({"claims": claims}, indent=2, ensure_ascii=False))
    else:
        for one in claims:
            print(f"{one['ours']:>14,} {one['unit']}  {'×' + str(one['ratio']) if one['ratio'] else '':>8}  {one['claim']}")
    sys.exit(0 if all(one["holds"] for one in claims) else 1)


if __name__ == "__main__":
    main()
