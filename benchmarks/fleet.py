"""A fleet's day: a million meters, 96 million quarter hours, stored, validated and rolled up, with the memory it took; beside COPY of a part of it into a narrow table.

The meters, their channels and places are made beforehand and not counted. Both steps run in two processes; everything is durable (fsync and synchronous_commit on). Memory is
the sum over our processes of what is resident, sampled ten times a second; the database's shared buffers are its own and told apart.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
from psycopg import Connection

from benchmarks.ingest import FIRST, NARROW, UTILITY, claim, copy_narrow, narrow_stream, prepare, seconds, usage
from mains.base.db import Actor, Database
from mains.base.embedded import Cluster
from mains.base.migrate import init_database
from mains.metering.blocks import Blocks, encode
from mains.metering.parallel import Task, load_parallel
from mains.metering.rollups import operations as rollups
from mains.metering.vee import queries as vee
from mains.metering.vee.running import run_pending

METERS, PIECE, KINDS = 1_000_000, 20_000, 2_000
SLOTS = 96
WITHIN_S, MEMORY_MB = 60, 2_000


def found_fleet(conn: Connection, meters: int) -> None:
    """Zones, premises, service points, meters, installations and channels; triggers rest while they are made, and nobody is asked who did it."""
    conn.execute("SELECT set_config('app.actor', 'benchmark', false), set_config('session_replication_role', 'replica', false)")
    conn.execute(_FLEET.format(utility=UTILITY, meters=meters))  # pyright: ignore[reportArgumentType, reportCallIssue]
    conn.execute("SET session_replication_role = origin")
    for table in ("customers.premises", "customers.service_points", "devices.meters", "devices.meter_installations", "metering.channels"):
        conn.execute(f"ANALYZE {table}")  # pyright: ignore[reportArgumentType, reportCallIssue]


_FLEET = """
CREATE FUNCTION pg_temp.key(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
CREATE TEMPORARY TABLE fleet AS SELECT n, pg_temp.key(n) AS key, pg_temp.key(1 + mod(n, 20)) AS zone, '{utility}'::uuid AS utility FROM generate_series(1, {meters}) AS n;
INSERT INTO network.service_zones (zone_id, utility_id, zone_name, zone_code, zone_type) SELECT key, utility, 'Zone ' || n, 'Z' || n, 'urban' FROM fleet WHERE n <= 20;
INSERT INTO customers.premises (premise_id, utility_id, premise_number, address_line, city, service_zone_id)
    SELECT key, utility, 'P' || n, n || ' Main St', 'Fleet', zone FROM fleet;
INSERT INTO customers.service_points (service_point_id, utility_id, premise_id, service_point_number, commodity, service_zone_id, timezone)
    SELECT key, utility, key, 'S' || n, 'electric', zone, 'America/Chicago' FROM fleet;
INSERT INTO devices.meters (meter_id, utility_id, meter_number, commodity, meter_status) SELECT key, utility, 'M' || n, 'electric', 'active' FROM fleet;
INSERT INTO devices.meter_installations (utility_id, meter_id, service_point_id, installed_period) SELECT utility, key, key, tstzrange('2020-01-01', NULL) FROM fleet;
INSERT INTO metering.channels (channel_id, utility_id, meter_id, register, commodity, quantity, unit, kwh_factor, interval_s, utc_offset_min)
    SELECT n, utility, key, 'delivered', 'electric', 'energy', 'Wh', 0.001, 900, -360 FROM fleet;
"""


def homes(path: str, first: int, count: int, day: int) -> list[Blocks]:
    """A day of homes numbered from `first` on: each kind of home on a level of its own, so that no two days are the same."""
    kinds = np.load(path, mmap_mode="r")
    number = np.arange(first, first + count)
    level = 64 + (number * 7919 + day * 131) % 97
    values = (kinds[number % KINDS, (number // KINDS + day) % kinds.shape[1]] * level[:, None] >> 6).astype(np.int32)
    start = int((FIRST + timedelta(days=day)).timestamp())
    return [encode(channel_id=number.astype(np.int64), block_start=np.full(count, start), values=values, utc_offset_min=-360)]


class Memory:
    """The most that our processes held at once, MB."""

    def __init__(self) -> None:
        self.most, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        import psutil

        own = psutil.Process(os.getpid())
        while not self._over.wait(0.1):
            held = 0
            for process in (own, *own.children(recursive=True)):
                try:
                    if "postgres" not in process.name():
                        held += process.memory_info().rss
                except psutil.Error:  # it has just ended
                    continue
            self.most = max(self.most, held / 1e6)


def a_day(database: Database, actor: Actor, path: str, meters: int, day: int) -> dict[str, float]:
    """Seconds of each step of one day."""
    begin = FIRST + timedelta(days=day)
    pieces = [(first, min(PIECE, meters + 1 - first)) for first in range(1, meters + 1, PIECE)]
    tasks = [Task(make=homes, arguments={"path": path, "first": first, "count": count, "day": day}) for first, count in pieces]
    start = time.perf_counter()
    come = begin + timedelta(days=1, hours=2)
    stored = load_parallel(database, actor=actor, tasks=tasks, from_at=begin, to_at=begin + timedelta(days=1), source=f"day {day}", at=come, processes=2)
    assert stored.readings == meters * SLOTS
    loaded = time.perf_counter()
    report = run_pending(database, actor, at=come, processes=2)
    assert report.judged.readings == meters * SLOTS, report
    judged = time.perf_counter()
    rollups.settle(database, actor)
    end = time.perf_counter()
    with database.transaction(actor=actor) as conn:
        rolled = conn.execute("SELECT sum(readings), sum(total) FROM metering.zone_curve(NULL, %s, %s, '1 hour')", [begin, begin + timedelta(days=1)]).fetchone()
        found = len(vee.exceptions_page(conn, vee.Wanted(batch_id=stored.batch_id), limit=1_000_000))
    assert rolled == (stored.readings, stored.raw_sum), (rolled, stored)
    return {"stored": loaded - start, "validated": judged - loaded, "rolled": end - judged, "all": end - start, "exceptions": found}


def run(home: Path, *, meters: int, history: int) -> list[dict]:
    """All claims of a fleet."""
    cluster = Cluster(home=home / "server")
    try:
        urls = cluster.ensure_running()
        init_database(urls)
        database = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
        actor = prepare(database)
        with database.administering(autocommit=True) as admin:
            making = seconds(lambda: found_fleet(admin, meters))
            buffers = admin.execute("SELECT current_setting('shared_buffers')").fetchone()
        print(f"{meters:,} meters made in {making:.0f} s; the database's shared buffers: {buffers[0] if buffers else '?'}", file=sys.stderr)
        values = usage(KINDS)
        path = home / "values.npy"
        np.save(path, values)
        for day in range(history):
            a_day(database, actor, str(path), meters, day)
        with Memory() as memory:
            taken = a_day(database, actor, str(path), meters, history)
        print(json.dumps({name: round(value, 1) for name, value in taken.items()}), file=sys.stderr)
        narrow = seconds(lambda: copy_narrow(database, narrow_stream(values))) * meters * SLOTS / NARROW
        database.close()
    finally:
        cluster.stop()
    what = f"{meters:,} meters × one day ({meters * SLOTS:,} readings)"
    after = f", after {history} days of history" if history else ""
    return [
        claim(f"{what} stored, validated and rolled up{after}; beside COPY alone into a narrow table, by {NARROW:,} rows", taken["all"], narrow, "s", WITHIN_S, of="most"),
        claim("of that, storing with the sums by zone", taken["stored"], None, "s", None),
        claim("of that, validating", taken["validated"], None, "s", None),
        claim("memory of our processes at most", memory.most, None, "MB", MEMORY_MB, of="most"),
        claim("days of meters with a warning or failure, of a thousand", 1000 * taken["exceptions"] / meters, None, "per mille", None),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")
    parser.add_argument("--meters", type=int, default=METERS, help="how many meters")
    parser.add_argument("--history", type=int, default=0, help="days that are there before the one that is measured")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="mains-benchmark-"))
    home.chmod(0o711)
    try:
        claims = run(home, meters=asked.meters, history=asked.history)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if asked.json:
        print(json.dumps({"claims": claims}, indent=2, ensure_ascii=False))
    else:
        for one in claims:
            print(f"{one['ours']:>14,} {one['unit']}  {one['claim']}")
    sys.exit(0 if all(one["holds"] for one in claims) else 1)


if __name__ == "__main__":
    main()
