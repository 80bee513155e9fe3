"""Storing readings: interval blocks by the first-load path and by the idempotent path, beside COPY into a narrow table of the same readings, turn and turn about.

Everything is durable: fsync and synchronous_commit are on, each measurement ends with its commit. The narrow table has a row a reading and a primary key on account
and time; its COPY stream is made beforehand and not counted, ours is encoded inside the measurement, and so are the sums by zone. Then files, from text to what is
stored, beside the best parser on PyPI, which only parses; meters are registered by a delivery before, for both. With --timescale ROOT the same rows go into a TimescaleDB
hypertable as well.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import numpy as np

from benchmarks import _meter_files as meter_files
from benchmarks import timescale
from mains.base import server
from mains.base.db import Actor, Database
from mains.base.embedded import Cluster
from mains.base.ids import named_uuid
from mains.base.migrate import init_database
from mains.metering import operations, store
from mains.metering.blocks import Blocks, encode
from mains.metering.importing import import_files
from mains.metering.load import load
from mains.metering.parallel import Task, load_parallel
from mains.metering.wire import COPY_HEADER, COPY_TRAILER, to_copy_binary

CHANNELS, DAYS, SLOTS = 2_000, 31, 96
NARROW = 2_000_000
ROUNDS = 3
MONTHS = 3
"""Months that two processes load together, so that their start and end weigh little."""
FIRST = datetime(2024, 1, 1, 6, tzinfo=UTC)
AT = datetime(2028, 1, 1, tzinfo=UTC)
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
    return encode(channel_id=np.repeat(ids, DAYS), block_start=np.tile(starts, last - first), values=values[first:last].reshape(-1, SLOTS), utc_offset_min=-360)


def share(number: int, path: str, first: int, last: int) -> list[Blocks]:
    """A process's share of the channels, from arrays that are ready in a file."""
    return [month(number, np.load(path, mmap_mode="r"), channels=(first, last)).in_load_order()]


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
    store.first_load(database, actor=actor, parts=[month(number, values).in_load_order()], from_at=begin, to_at=begin + timedelta(days=DAYS), source=f"month {number}", at=AT)


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


def import_file(database: Database, actor: Actor, path: Path, readings: int) -> float:
    """Readings a second of an import, all of them new."""
    begin = time.perf_counter()
    report = import_files(database, actor, [path], at=AT)
    taken = time.perf_counter() - begin
    assert (report.total("new"), report.total("quarantined")) == (readings, 0), report.as_json()
    return readings / taken


def parse_file(parse: Callable[[Path], int], path: Path, readings: int) -> float:
    """Readings a second of another parser, which stores nothing."""
    begin = time.perf_counter()
    assert parse(path) == readings
    return readings / (time.perf_counter() - begin)


def measure_files(database: Database, actor: Actor, home: Path, values: np.ndarray) -> dict[str, tuple[float, float | None]]:
    """Readings a second of files, from their bytes to what is stored, and of the parser beside us; medians of the rounds."""
    rates: dict[str, list[tuple[float, float | None]]] = {}
    kinds: dict[str, tuple[Callable[..., int], dict[str, Any], dict[str, Any], Callable[[Path], int]]] = {
        "nem12, 60 days a meter": (meter_files.nem12, {"meters": 400, "days": 60}, {"meters": 20, "days": 60}, meter_files.with_nemreader),
        "nem12, one day of 20,000 meters": (
            meter_files.nem12, {"meters": 20_000, "days": 1, "prefix": "W"}, {"meters": 2_000, "days": 1, "prefix": "W"}, meter_files.with_nemreader,
        ),
        "green button": (meter_files.green_button, {"points": 100, "days": 60}, {"points": 10, "days": 60}, meter_files.with_greenbutton_objects),
    }
    for name, (make, size, small, theirs) in kinds.items():
        suffix = ".xml" if make is meter_files.green_button else ".csv"
        days = size["days"]
        import_file(database, actor, home / f"known{suffix}", make(home / f"known{suffix}", **size, first_day=0))
        for turn in range(ROUNDS):
            path = home / f"turn{suffix}"
            ours = import_file(database, actor, path, make(path, **size, first_day=days * (turn + 1)))
            readings = make(path, **small, first_day=days * (turn + 1))
            rates.setdefault(name, []).append((ours, parse_file(theirs, path, readings)))
    for turn in range(ROUNDS):
        path = home / "turn.parquet"
        readings = meter_files.parquet(path, values=values, first=date(2026, 6, 1) + timedelta(days=DAYS * turn), offset_min=-360)
        rates.setdefault("parquet", []).append((import_file(database, actor, path, readings), None))
    return {name: (median(ours for ours, _ in found), median(theirs for _, theirs in found if theirs) if found[0][1] else None) for name, found in rates.items()}


def into_hypertable(root: Path, pieces: list[bytes]) -> tuple[float, float, str]:
    """The narrow rows into TimescaleDB: readings a second, bytes a row, and what it says of itself."""
    rates = []
    with timescale.running(root) as side, side.connect() as conn:
        for _ in range(ROUNDS):
            timescale.make_hypertable(conn)
            conn.execute("CHECKPOINT")
            begin = time.perf_counter()
            with conn.cursor() as cursor, cursor.copy("COPY readings FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(COPY_HEADER)
                for piece in pieces:
                    copy.write(piece)
                copy.write(COPY_TRAILER)
            rates.append(NARROW / (time.perf_counter() - begin))
        return median(rates), timescale.bytes_a_row(conn), side.version


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
    """The utility, and the narrow table."""
    with database.administering(autocommit=True) as admin:
        admin.execute("SELECT set_config('app.actor', 'benchmark', false)")
        admin.execute("SELECT network.found_utility(%s, 'Benchmark', 'benchmark', 'municipal', '{electric}', 'USD', 'America/Chicago')", [UTILITY])
        admin.execute("CREATE TABLE narrow (account_id uuid, reading_at timestamptz, kwh numeric(12,3), quality smallint, PRIMARY KEY (account_id, reading_at))")
    return Actor(role="staff", utility_id=UUID(str(UTILITY)), name="benchmark")


def found_channels(database: Database, count: int) -> None:
    """Meters M1, M2, … with a channel each, numbered from 1, hung in five zones; triggers rest while they are made."""
    with database.administering(autocommit=True) as admin:
        admin.execute("SELECT set_config('app.actor', 'benchmark', false), set_config('session_replication_role', 'replica', false)")
        admin.execute(_CHANNELS.format(utility=UTILITY, count=count))  # pyright: ignore[reportArgumentType, reportCallIssue]
        for table in ("customers.premises", "customers.service_points", "devices.meters", "devices.meter_installations", "metering.channels"):
            admin.execute(f"ANALYZE {table}")


_CHANNELS = """
CREATE FUNCTION pg_temp.key(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
CREATE TEMPORARY TABLE made AS SELECT n, pg_temp.key(n) AS key, pg_temp.key(1 + mod(n, 5)) AS zone, '{utility}'::uuid AS utility FROM generate_series(1, {count}) AS n;
INSERT INTO network.service_zones (zone_id, utility_id, zone_name, zone_code, zone_type) SELECT key, utility, 'Zone ' || n, 'Z' || n, 'urban' FROM made WHERE n <= 5;
INSERT INTO customers.premises (premise_id, utility_id, premise_number, address_line, city, service_zone_id)
    SELECT key, utility, 'P' || n, n || ' Main St', 'Prairie', zone FROM made;
INSERT INTO customers.service_points (service_point_id, utility_id, premise_id, service_point_number, commodity, service_zone_id, timezone)
    SELECT key, utility, key, 'S' || n, 'electric', zone, 'America/Chicago' FROM made;
INSERT INTO devices.meters (meter_id, utility_id, meter_number, commodity, meter_status) SELECT key, utility, 'M' || n, 'electric', 'active' FROM made;
INSERT INTO devices.meter_installations (utility_id, meter_id, service_point_id, installed_period) SELECT utility, key, key, tstzrange('2020-01-01', NULL) FROM made;
INSERT INTO metering.channels (channel_id, utility_id, meter_id, register, commodity, quantity, unit, kwh_factor, interval_s, utc_offset_min)
    SELECT n, utility, key, '1', 'electric', 'energy', 'Wh', 0.001, 900, -360 FROM made;
SELECT setval(pg_get_serial_sequence('metering.channels', 'channel_id'), {count} + 1);
"""


def claim(text: str, ours: float, theirs: float | None, unit: str, goal: float | None, *, of: str = "ratio") -> dict:
    """One claim; `goal` is of the ratio, or the least or most of ours."""
    ratio = ours / theirs if theirs else None
    holds = goal is None or (ours <= goal if of == "most" else ours >= goal if of == "least" else (ratio or 0) >= goal)
    shown = round if unit == "readings/s" else (lambda value: round(value, 2))
    return {
        "claim": text, "ours": shown(ours), "theirs": None if theirs is None else shown(theirs), "unit": unit, "ratio": None if ratio is None else round(ratio, 2),
        "goal": goal, "holds": holds,
    }  # fmt: skip


def run(home: Path, *, timescale_root: Path | None = None) -> list[dict]:
    """All claims of storing."""
    values = usage()
    peer = _hypertable(timescale_root, values)
    cluster = Cluster(home=home / "server")
    try:
        urls = cluster.ensure_running()
        init_database(urls)
        database = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
        with server.connect(urls.admin) as conn:
            assert conn.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone() == ("on", "on")
        actor = prepare(database)
        found_channels(database, CHANNELS)
        path = home / "values.npy"
        np.save(path, values)
        rates = measure(database, actor, str(path), values)
        ours, theirs = bytes_a_reading(database)
        files = measure_files(database, actor, home, values)
        database.close()
    finally:
        cluster.stop()
    narrow = rates["narrow"]
    what = f"{CHANNELS:,} channels × {DAYS} days × {SLOTS}"
    claims = [
        claim(f"first load of ready arrays, one process, encoding and sums by zone included ({what}), beside COPY into a narrow table", rates["first"], narrow, "readings/s", 25),
        claim("the same, two processes", rates["first, two processes"], narrow, "readings/s", 30),
        claim("the same, two processes", rates["first, two processes"], None, "readings/s", 40_000_000, of="least"),
        claim("idempotent path of new days: staging, row-level security, delivery record, conflicts, sums by zone", rates["idempotent"], narrow, "readings/s", 15),
        claim("the same", rates["idempotent"], None, "readings/s", 12_000_000, of="least"),
        claim("idempotent path of days that are there unchanged: nothing is written", rates["unchanged"], narrow, "readings/s", None),
        claim("table, indexes and TOAST of a reading", ours, theirs, "bytes", 4, of="most"),
        claim("bulk read of all channels to dense arrays", rates["fetch"], None, "readings/s", None),
        claim("encoding alone, to COPY BINARY", rates["encode"], None, "readings/s", None),
        claim(f"Parquet, a row a day ({what}), from the file to what is stored", files["parquet"][0], None, "readings/s", 10_000_000, of="least"),
        *(
            claim(f"{name}, from the text to what is stored; beside parsing alone by {_PARSER[name.split(',')[0]]}", *files[name], "readings/s", 10)
            for name in files
            if name != "parquet"
        ),
    ]
    if peer is not None:
        rate, size, version = peer
        claims += [
            claim(f"idempotent path, beside COPY into a hypertable of {version}", rates["idempotent"], rate, "readings/s", None),
            claim(f"bytes of a reading, beside those of a row of {version}", ours, size, "bytes", None, of="most"),
        ]
    return claims


_PARSER = {"nem12": "nemreader", "green button": "greenbutton-objects"}


def _hypertable(root: Path | None, values: np.ndarray) -> tuple[float, float, str] | None:
    """The side of TimescaleDB, where it is asked for and can be had; said where it cannot."""
    if root is None:
        print("the side of TimescaleDB is left out; --timescale ROOT measures it", file=sys.stderr)
        return None
    try:
        return into_hypertable(root, narrow_stream(values))
    except timescale.NotHere as reason:
        print(f"the side of TimescaleDB is left out: {reason}", file=sys.stderr)
        return None


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


def show(claims: list[dict], *, as_json: bool) -> None:
    """Print the claims, and end the program by whether all hold."""
    if as_json:
        print(json.dumps({"claims": claims}, indent=2, ensure_ascii=False))
    else:
        for one in claims:
            ratio = f"×{one['ratio']}" if one["ratio"] else ""
            print(f"{one['ours']:>14,} {one['unit']}  {ratio:>8}  {'' if one['holds'] else 'NOT '}{one['claim']}")
    sys.exit(0 if all(one["holds"] for one in claims) else 1)


if __name__ == "__main__":
    main()
