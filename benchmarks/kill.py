"""Killing: SIGKILL for the database and for the importer, in turn and at random moments, while deliveries are imported and readings are pushed; then every reading is counted.

Files (Parquet blocks, NEM12 and CSV, some with lines that are no readings, some correcting earlier ones) are imported one by one, and readings of other meters are pushed
through the inbox beside them; what was reported stored is acknowledged in a log. The database is started again and recovers; the importer of a killed database lives on and tries
again, a killed importer is started again. All values are known beforehand from numpy. fsync is on.
"""

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._kill_importer import AT, FIRST, OFFSET_MIN, PUSHED_CHANNELS, PUSHED_SLOTS, STUCK_S, Unit, lines_of, meters
from benchmarks.ingest import prepare
from mains.base import server
from mains.base.checks import run_checks
from mains.base.db import Actor, Database
from mains.base.embedded import Cluster
from mains.base.migrate import init_database
from mains.base.server import Urls
from mains.devices import operations as devices
from mains.metering import checks, inbox, operations, queries
from mains.metering.load import load
from mains.metering.rollups.operations import differences

READINGS, KILLS = 20_000_000, 20
CHANNELS, SLOTS = 400, 96
LENGTHS = (1, 1, 1, 1, 2, 2, 4)
"""Days of a file, one of these by chance."""
CORRECTED_CHANNELS, BAD_LINES = 50, 3
PUSHED_SHARE = 0.025
MOMENT_S = 0.25
"""A kill comes up to so long after the acknowledgement that it waits for."""
HERE = Path(__file__).parent


# What is delivered ---------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is delivered, and what is true in the end: values [channels, days, 96] of files, [channels, intervals] of pushes."""

    files: list[Unit]
    pushes: list[Unit]
    changed: int
    values: np.ndarray
    pushed: np.ndarray

    @property
    def readings(self) -> int:
        """Readings that are there in the end."""
        return self.values.size + self.pushed.size


def write_file(folder: Path, name: str, form: int, channels: np.ndarray, first: int, values: np.ndarray) -> Unit:
    """One delivery of values [channels, days, 96] from a day on, in one of three formats."""
    numbers, days = meters(CHANNELS, "K"), [date(2020, 1, 1) + timedelta(days=first + day) for day in range(values.shape[1])]
    refused = 0
    if form == 0:
        rows = len(channels) * len(days)
        columns = {
            "meter": [numbers[channel] for channel in channels for _ in days], "register": ["E1"] * rows, "day": days * len(channels),
            "values": pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), SLOTS), "unit": ["Wh"] * rows, "utc_offset_min": pa.array([OFFSET_MIN] * rows, pa.int16()),
        }  # fmt: skip
        pq.write_table(pa.table(columns), folder / name)
        return Unit(name=name, readings=values.size)
    if form == 1:
        lines = ["100,NEM12,202611010000,MDP,RET"]
        for channel, its_days in zip(channels, values.tolist(), strict=True):
            lines.append(f"200,{numbers[channel]},E1,1,E1,N1,{numbers[channel]},Wh,15,")
            lines += [f"300,{day:%Y%m%d},{','.join(map(str, row))},A,,,20261101000000," for day, row in zip(days, its_days, strict=True)]
        lines.append("900")
    else:
        refused = BAD_LINES
        starts = [f"{day}T{slot // 4:02d}:{slot % 4 * 15:02d}+10:00" for day in days for slot in range(SLOTS)]
        lines = ["meter,register,start,value,unit,interval_minutes", *[f"{numbers[0]},E1,{starts[0]},none,Wh,15"] * refused]
        lines += [
            f"{numbers[channel]},E1,{start},{value},Wh,15"
            for channel, row in zip(channels, values.reshape(len(channels), -1).tolist(), strict=True)
            for start, value in zip(starts, row, strict=True)
        ]
    (folder / name).write_text("\n".join(lines) + "\n")
    return Unit(name=name, readings=values.size, refused=refused)


def make_plan(home: Path, readings: int, rng: np.random.Generator) -> Plan:
    """Write the deliveries, and the plan for the importer to read."""
    folder = home / "deliveries"
    folder.mkdir()
    pushed = rng.integers(0, 3000, (PUSHED_CHANNELS, max(1, round(readings * PUSHED_SHARE / PUSHED_CHANNELS / PUSHED_SLOTS)) * PUSHED_SLOTS), dtype=np.int32)
    days = -(-(readings - pushed.size) // (CHANNELS * SLOTS))
    values = rng.integers(0, 3000, (CHANNELS, days, SLOTS), dtype=np.int32)
    values[rng.random((CHANNELS, days)) < 0.01] *= 1000  # days that take four bytes
    files: list[Unit] = []
    spans: list[tuple[int, int]] = []
    everyone, day, changed = np.arange(CHANNELS), 0, 0
    while day < days:
        length, form = min(int(rng.choice(LENGTHS)), days - day), int(rng.choice(3, p=(0.7, 0.15, 0.15)))
        files.append(write_file(folder, f"{len(files):04d}.{('parquet', 'nem12', 'csv')[form]}", form, everyone, day, values[:, day : day + length]))
        spans.append((len(files) - 1, day))
        day += length
        if len(spans) % 8 == 0:  # a day of some channels is corrected, each day once
            number, first = spans[-1 - int(rng.integers(0, 8))]
            some = np.sort(rng.choice(CHANNELS, CORRECTED_CHANNELS, replace=False))
            values[some, first] += 1 + rng.integers(0, 50, (len(some), SLOTS), dtype=np.int32)
            files[number] = replace(files[number], is_final=False)
            form = int(rng.integers(0, 3))
            files.append(write_file(folder, f"{len(files):04d}-corrects-{number:04d}.{('parquet', 'nem12', 'csv')[form]}", form, some, first, values[some, first : first + 1]))
            changed += len(some) * SLOTS
    pushes = [Unit(name=f"push-{first:06d}", readings=PUSHED_CHANNELS * PUSHED_SLOTS, first=first) for first in range(0, pushed.shape[1], PUSHED_SLOTS)]
    np.save(home / "pushed.npy", pushed)
    (home / "plan.json").write_text(json.dumps({"files": [asdict(each) for each in files], "pushes": [asdict(each) for each in pushes]}))
    return Plan(files=files, pushes=pushes, changed=changed, values=values, pushed=pushed)


def register(database: Database, actor: Actor) -> None:
    """The meters and their channels."""
    numbers = meters(CHANNELS, "K") + meters(PUSHED_CHANNELS, "P")
    with database.transaction(actor=actor) as conn:
        ids = devices.register_meters(conn, [devices.NewMeter(meter_number=number, commodity="electric", dial_digits=5) for number in numbers])
        facts = {"register": "E1", "commodity": "electric", "unit": "Wh", "utc_offset_min": OFFSET_MIN, "interval_s": 900}
        operations.register_channels(conn, [operations.NewChannel(meter_id=ids[number], **facts) for number in numbers])


# The killer ----------------------------------------------------------------------------------------------------------------------------------------------------


def processes_of(parent: int) -> Iterator[int]:
    """The children of a process."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                yield int(path.parent.name)
        except OSError:
            continue


def kill_database(cluster: Cluster) -> None:
    """SIGKILL for this cluster's postmaster and all its children; it is stopped first, so that no child is born meanwhile."""
    postmaster = cluster.status().pid
    assert postmaster is not None, "the database does not run"
    os.kill(postmaster, signal.SIGSTOP)
    for pid in [*processes_of(postmaster), postmaster]:
        os.kill(pid, signal.SIGKILL)


@dataclass(slots=True, kw_only=True)
class Ride:
    """The load with its kills: how many of each were done, and how long a start of the database took."""

    home: Path
    cluster: Cluster
    plan: Plan
    urls: Urls
    databases: int = 0
    importers: int = 0
    recovery_s: float = 0
    importer: subprocess.Popen | None = None

    def start_importer(self) -> None:
        """Start a process that imports what is not acknowledged."""
        path = self.home / "urls.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self.urls)))
        self.importer = subprocess.Popen([sys.executable, "-m", "benchmarks._kill_importer", str(self.home)], cwd=HERE.parent, stdout=sys.stderr)

    def kill_importer(self) -> None:
        """SIGKILL for the importer."""
        assert self.importer is not None
        self.importer.kill()
        self.importer.wait()

    def end(self) -> None:
        """Leave no importer behind."""
        if self.importer and self.importer.poll() is None:
            self.kill_importer()

    def run(self, kills: int, rng: np.random.Generator) -> None:
        """Kill when random shares of the readings are acknowledged, and always while there is work."""
        moments = np.sort(rng.uniform(0.02, 0.92, kills)) * self.plan.readings
        sizes = {unit.name: unit.readings for unit in [*self.plan.files, *self.plan.pushes]}
        self.start_importer()
        for number, moment in enumerate(moments):
            seen = len(lines_of(self.home / "acknowledged"))
            self.wait_until(lambda moment=moment, seen=seen: self.is_past(moment, seen, sizes))
            time.sleep(rng.uniform(0, MOMENT_S))
            assert self.importer is not None
            if self.importer.poll() is not None:
                break
            if number % 2 == 0:
                self.kill_and_start_database()
            else:
                self.kill_importer()
                self.importers += 1
                self.start_importer()
        self.wait_until(lambda: self.importer is not None and self.importer.poll() is not None)
        assert self.importer is not None
        assert self.importer.returncode == 0, f"the importer failed: {lines_of(self.home / 'failures')[-1:]}"

    def is_past(self, moment: float, seen: int, sizes: dict[str, int]) -> bool:
        """Whether so many readings are acknowledged, and something more than `seen` lines."""
        lines = lines_of(self.home / "acknowledged")
        return len(lines) > seen and sum(sizes[name] for name in {line["name"] for line in lines}) >= moment

    def kill_and_start_database(self) -> None:
        """Kill the database and start it again, while the importer goes on trying."""
        kill_database(self.cluster)
        self.databases += 1
        begin = time.monotonic()
        urls = self.cluster.ensure_running()
        self.recovery_s += time.monotonic() - begin
        if urls != self.urls:  # somebody took the port
            self.urls = urls
            self.kill_importer()
            self.start_importer()

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something, or for the end of the importer; as long as acknowledgements come."""
        assert self.importer is not None
        log = self.home / "acknowledged"
        size, since = -1, time.monotonic()
        while not is_so():
            if self.importer.poll() is not None:
                return
            now = log.stat().st_size if log.exists() else 0
            if now != size:
                size, since = now, time.monotonic()
            assert time.monotonic() - since < STUCK_S, f"nothing was acknowledged for {STUCK_S} s; the last refusal: {lines_of(self.home / 'refusals')[-1:]}"
            time.sleep(0.01)


# The count -----------------------------------------------------------------------------------------------------------------------------------------------------


def channels_of(database: Database, actor: Actor, kind: str, count: int) -> list[int]:
    numbers = meters(count, kind)
    with database.transaction(actor=actor) as conn:
        found = {each.meter_number: each.channel_id for each in queries.channels_of_meters(conn, numbers)}
    return [found[number] for number in numbers]


def wrong_values(database: Database, actor: Actor, channels: list[int], values: np.ndarray) -> int:
    """Readings [channels, intervals] that are not there with their value, read month by month as bills read them."""
    wrong = 0
    for at in range(0, values.shape[1], 31 * SLOTS):
        part = values[:, at : at + 31 * SLOTS]
        begin = FIRST + timedelta(minutes=15 * at)
        with database.transaction(actor=actor) as conn:
            found = load(conn, channels, begin, begin + timedelta(minutes=15 * part.shape[1]), interval_s=900)
        wrong += int((found.values != part).sum())
    return wrong


def count_readings(admin: psycopg.Connection, plan: Plan, sums: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Readings too many or too few by what blocks and deliveries say of themselves; channels whose count or raw sum is not that of numpy."""
    rows = {row[0]: row[1:] for row in admin.execute("SELECT channel_id, sum(n_valid)::bigint, sum(total)::bigint FROM metering.interval_blocks GROUP BY channel_id")}
    stored = sum(row[0] for row in rows.values())
    new, changed = admin.execute("SELECT sum(readings_new)::bigint, sum(readings_changed)::bigint FROM metering.ingest_batches").fetchone() or (0, 0)
    versions = admin.execute("SELECT count(*) FROM metering.interval_block_history WHERE n_valid = %s", [SLOTS]).fetchone() or (0,)
    amiss = abs(stored - plan.readings) + abs(new - plan.readings) + abs(changed - plan.changed) + abs(SLOTS * versions[0] - plan.changed)
    differing = len(sums.keys() ^ rows.keys()) + sum(sums[channel] != rows[channel] for channel in sums.keys() & rows.keys())
    return amiss, differing


def count_deliveries(admin: psycopg.Connection, plan: Plan, acknowledged: list[dict]) -> int:
    """Deliveries that are unfinished, whose counts do not add up, or that are not as they were acknowledged."""
    rows = {
        row[0]: row[1:]
        for row in admin.execute(
            "SELECT b.batch_id, b.source, b.finished_at IS NOT NULL, b.readings_found, b.readings_accepted, b.readings_quarantined,"
            " (SELECT coalesce(sum(q.readings), 0)::bigint FROM metering.quarantine q WHERE q.batch_id = b.batch_id) FROM metering.ingest_batches b"
        )
    }
    units = {unit.name: unit for unit in [*plan.files, *plan.pushes]}
    wrong = sum(not finished or found != accepted + refused or refused != kept for _, finished, found, accepted, refused, kept in rows.values())
    for source, _, found, accepted, refused, _ in rows.values():
        unit = units.get(Path(source).name)
        wrong += unit is not None and (found, accepted, refused) != (unit.readings + unit.refused, unit.readings, unit.refused)
    for told in acknowledged:
        row = rows.get(told["batch"])
        wrong += row is None or (told["found"], told["accepted"]) != (row[2], row[3]) or (told["again"] and (told["new"] or told["changed"]) != 0)
    return wrong + len(units.keys() - {told["name"] for told in acknowledged})


def count(home: Path, database: Database, actor: Actor, plan: Plan) -> list[dict]:
    """What is there in the end beside what should be."""
    files, pushes = channels_of(database, actor, "K", CHANNELS), channels_of(database, actor, "P", PUSHED_CHANNELS)
    by_files, by_pushes = plan.values.reshape(CHANNELS, -1), plan.pushed
    sums = {key: (len(row), int(row.sum(dtype=np.int64))) for keys, rows in ((files, by_files), (pushes, by_pushes)) for key, row in zip(keys, rows, strict=True)}
    acknowledged, refusals = lines_of(home / "acknowledged"), lines_of(home / "refusals")
    wrong = wrong_values(database, actor, files, by_files) + wrong_values(database, actor, pushes, by_pushes)
    end = FIRST + timedelta(days=max(plan.values.shape[1], plan.pushed.shape[1] // SLOTS + 1))
    with database.transaction(actor=actor) as conn:
        waiting = inbox.count_waiting(conn)
        compared = differences(conn, FIRST, end, utility_id=actor.utility_id)
    with database.administering() as admin:
        amiss, differing = count_readings(admin, plan, sums)
        deliveries = count_deliveries(admin, plan, acknowledged)
        failing = [finding.said for finding in run_checks(admin, checks.DATABASE_CHECKS, at=AT + timedelta(days=2)) if not finding.holds]
    unclear = sum(not refusal["is_clear"] for refusal in refusals)
    for said in [*compared.differing[:3], *failing, *(refusal["said"] for refusal in refusals if not refusal["is_clear"])]:
        print(said, file=sys.stderr)
    total, batches = sum(each for _, each in sums.values()), len({told["batch"] for told in acknowledged})
    return [
        claim(f"acknowledged readings lost or doubled, of {plan.readings:,}: every value read back, blocks, history and deliveries counted", wrong + amiss, "readings"),
        claim(f"channels whose raw sum is not that of numpy, to the unit; all together {total:,} Wh", differing, "channels"),
        claim(f"deliveries unfinished, or with other counts than acknowledged, of {batches:,}; accepted + quarantined = found", deliveries, "deliveries"),
        claim("readings that still wait after the last flush", waiting, "readings"),
        claim(f"sums by day that differ from a recomputation, of {compared.rows:,}", len(compared.differing), "sums"),
        claim("checks of mains db check in metering that fail", len(failing), f"of {len(checks.DATABASE_CHECKS)}"),
        claim(f"refusals that did not say clearly what happened, of {len(refusals)} while the database was gone", unclear, "refusals"),
    ]  # fmt: skip


def claim(what: str, ours: float, unit: str, goal: float | None = 0) -> dict:
    return {"claim": what, "ours": ours, "theirs": None, "unit": unit, "ratio": None, "goal": goal, "holds": goal is None or ours == goal}


def run(home: Path, *, readings: int, kills: int, seed: int) -> list[dict]:
    """All claims of a load with its kills."""
    rng = np.random.default_rng(seed)
    cluster = Cluster(home=home / "server")
    try:
        urls = cluster.ensure_running()
        init_database(urls)
        database = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
        with server.connect(urls.admin) as conn:
            assert conn.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone() == ("on", "on")
        actor = prepare(database)
        register(database, actor)
        database.close()
        ride = Ride(home=home, cluster=cluster, plan=make_plan(home, readings, rng), urls=urls)
        begin = time.monotonic()
        try:
            ride.run(kills, rng)
        finally:
            ride.end()
        took = time.monotonic() - begin
        database = Database(app_url=ride.urls.app, admin_url=ride.urls.admin, ingest_url=ride.urls.ingest)
        found = count(home, database, actor, ride.plan)
        database.close()
    finally:
        cluster.stop()
    what = f"{ride.databases} of the database, {ride.importers} of the importer (seed {seed})"
    return [
        *found,
        claim(f"kills while work was going on: {what}", ride.databases + ride.importers, "kills", kills),
        claim(f"the load through it all: {len(ride.plan.files)} files and {len(ride.plan.pushes)} pushes", round(took, 1), "s", None),
        claim("readings through it all", round(ride.plan.readings / took), "readings/s", None),
        claim("a start of the killed database, recovery included", round(ride.recovery_s / max(ride.databases, 1), 2), "s", None),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")
    parser.add_argument("--readings", type=int, default=READINGS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, help="of values and moments; another one each time where it is not given")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="mains-kill-"))
    home.chmod(0o711)  # as root, the account that runs the server passes through
    try:
        claims = run(home, readings=asked.readings, kills=asked.kills, seed=secrets.randbelow(2**31) if asked.seed is None else asked.seed)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if asked.json:
        print(json.dumps({"claims": claims}, indent=2, ensure_ascii=False))
    else:
        for one in claims:
            print(f"{one['ours']:>14,} {one['unit']:<12} {'' if one['holds'] else 'NOT HELD '}{one['claim']}")
    sys.exit(0 if all(one["holds"] for one in claims) else 1)


if __name__ == "__main__":
    main()
