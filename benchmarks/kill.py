"""Killed in the middle, again and again: the database and the ingest are ended with SIGKILL while readings are being loaded; nothing acknowledged is lost or doubled.

A process of its own loads pieces, a delivery each, and writes the number of each piece to a file when its delivery is acknowledged, with fsync. It is killed, or the
database is, at a random moment, and both are started again; the loader goes on with the pieces that were not acknowledged, on the idempotent path, for it cannot know whether
they were stored. Pieces go the fast way by turns with the idempotent one. In the end every piece must be there once: readings, sums to the unit, and the sums by zone.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.ingest import AT, FIRST, SLOTS, claim, found_channels, prepare, show
from mains.base.db import Actor, Database
from mains.base.embedded import Cluster
from mains.base.migrate import init_database
from mains.metering import operations, store
from mains.metering.blocks import Blocks, encode
from mains.metering.rollups import operations as rollups

READINGS, KILLS = 20_000_000, 20
CHANNELS = 2_000
PIECE_DAYS = 1
_PATIENCE_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is loaded: `pieces` of a day of `channels`."""

    channels: int
    pieces: int

    def piece(self, number: int) -> Blocks:
        """One day of all channels, the same whenever it is asked for."""
        rng = np.random.default_rng(number)
        start = int((FIRST + timedelta(days=number)).timestamp())
        values = rng.integers(0, 5_000, (self.channels, SLOTS)).astype(np.int32)
        return encode(channel_id=np.arange(1, self.channels + 1, dtype=np.int64), block_start=np.full(self.channels, start), values=values, utc_offset_min=-360)


def deliver(database: Database, actor: Actor, blocks: Blocks, number: int, *, is_first_time: bool) -> None:
    """One piece as one delivery: the fast way where it was never tried before and its number is even, else the idempotent one."""
    begin = FIRST + timedelta(days=number)
    if is_first_time and number % 2 == 0:
        store.first_load(database, actor=actor, parts=[blocks], from_at=begin, to_at=begin + timedelta(days=1), source=f"piece {number}", at=AT)
        return
    with database.transaction(actor=actor) as conn:
        operations.ensure_partitions(conn, from_at=begin, to_at=begin + timedelta(days=1))
    with database.transaction(actor=actor) as conn:
        batch_id = operations.open_batch(conn, source=f"piece {number}", format="arrays", sha256=bytes(32), at=AT)
        store.open_staging(conn)
        store.stage(conn, [blocks], utility_id=actor.utility_id, batch_id=batch_id)
        stored = store.merge_staged(conn, utility_id=actor.utility_id, batch_id=batch_id)
        operations.close_batch(conn, batch_id=batch_id, found=blocks.readings, accepted=blocks.readings, new=stored.new, changed=stored.changed, raw_sum=blocks.raw_sum)


def work(place: Path, load: Load, urls: tuple[str, str, str]) -> None:
    """The loading process: the pieces that were not acknowledged, in their order."""
    database = Database(app_url=urls[0], admin_url=urls[1], ingest_url=urls[2])
    actor = Actor(role="staff", utility_id=_utility(), name="benchmark")
    acknowledged, tried = _numbers(place / "acknowledged"), _numbers(place / "tried")
    with (place / "acknowledged").open("a") as done, (place / "tried").open("a") as trying:
        for number in range(load.pieces):
            if number in acknowledged:
                continue
            blocks = load.piece(number)
            _note(trying, number)
            deliver(database, actor, blocks, number, is_first_time=number not in tried)
            _note(done, number)


def _utility():
    from benchmarks.ingest import UTILITY

    return UTILITY


def _note(file, number: int) -> None:
    """Write a number so that it stays."""
    file.write(f"{number}\n")
    file.flush()
    os.fsync(file.fileno())


def _numbers(path: Path) -> set[int]:
    """Numbers that were written whole; the last line may be cut."""
    text = path.read_text() if path.exists() else ""
    return {int(line) for line in text[: text.rfind("\n") + 1].split()}


def run(home: Path, *, readings: int, kills: int, seed: int = 4, channels: int = CHANNELS) -> list[dict]:
    """Kill by turns the ingest and the database while `readings` are loaded, then count."""
    chance = random.Random(seed)
    load = Load(channels=channels, pieces=readings // (channels * SLOTS))
    cluster = Cluster(home=home / "server")
    killed = {"ingest": 0, "database": 0}
    begin = time.monotonic()
    worker: subprocess.Popen[bytes] | None = None
    try:
        urls = cluster.ensure_running()
        init_database(urls)
        database = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
        actor = prepare(database)
        found_channels(database, channels)
        database.close()
        begun = load.pieces / max(kills + 1, 1)
        while True:
            worker = worker or _started(home, load, (urls.app, urls.admin, urls.ingest))
            number = killed["ingest"] + killed["database"]
            if number >= kills:
                assert worker.wait(timeout=_PATIENCE_S + readings / 1e5) == 0, "the last process did not end well"
                break
            _wait_for(home, worker, at_least=int(begun * (number + 1)) - 1)
            time.sleep(chance.random() * 0.2)
            if number % 2:
                _kill_database(home / "server")
                killed["database"] += 1
                worker.wait(timeout=_PATIENCE_S)
            elif worker.poll() is None:
                worker.kill()
                killed["ingest"] += 1
            worker.wait(timeout=_PATIENCE_S)
            worker = None
            urls = cluster.ensure_running()
        database = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
        found = _counted(database, actor, load)
        database.close()
    finally:
        if worker and worker.poll() is None:
            worker.kill()
        cluster.stop()
    expected = _expected(load)
    seconds = time.monotonic() - begin
    what = f"{expected[0]:,} readings while the ingest was killed {killed['ingest']} times and the database {killed['database']}"
    return [
        claim(f"readings lost or doubled, of {what}", abs(found["readings"] - expected[0]), None, "readings", 0, of="most"),
        claim("difference of their sum, raw", abs(found["sum"] - expected[1]), None, "Wh", 0, of="most"),
        claim("blocks that were replaced by something else", found["history"], None, "blocks", 0, of="most"),
        claim("sums by zone that are not those of the readings", found["rollups"], None, "sums", 0, of="most"),
        claim("acknowledged deliveries that are not there", found["unacknowledged"], None, "deliveries", 0, of="most"),
        claim("readings a second over it all, restarts included", expected[0] / seconds, None, "readings/s", None),
    ]


def _started(home: Path, load: Load, urls: tuple[str, str, str]) -> "subprocess.Popen[bytes]":
    asked = [sys.executable, "-m", "benchmarks.kill", "--work", str(home), str(load.channels), str(load.pieces), *urls]
    return subprocess.Popen(asked, cwd=Path(__file__).parent.parent, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _wait_for(home: Path, worker: "subprocess.Popen[bytes]", *, at_least: int) -> None:
    """Until so many pieces are acknowledged, or the process has ended."""
    until = time.monotonic() + _PATIENCE_S
    while len(_numbers(home / "acknowledged")) < at_least and worker.poll() is None and time.monotonic() < until:
        time.sleep(0.02)


def _kill_database(home: Path) -> None:
    """SIGKILL to the server and all its processes, as when a machine loses its power; what the system holds is flushed, or not, as it likes."""
    pid = int(next(home.rglob("postmaster.pid")).read_text().splitlines()[0])
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    for each in (pid, *children):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue
    until = time.monotonic() + _PATIENCE_S
    while any(_is_alive(each) for each in (pid, *children)) and time.monotonic() < until:
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _expected(load: Load) -> tuple[int, int]:
    """Readings and their raw sum, made anew."""
    sums = [load.piece(number).raw_sum for number in range(load.pieces)]
    return load.pieces * load.channels * SLOTS, sum(sums)


def _counted(database: Database, actor: Actor, load: Load) -> dict[str, int]:
    """What is stored."""
    with database.administering() as conn:
        row = conn.execute("SELECT coalesce(sum(n_valid::bigint), 0), coalesce(sum(total), 0), count(DISTINCT block_start) FROM metering.interval_blocks").fetchone() or (0, 0, 0)
        history = conn.execute("SELECT count(*) FROM metering.interval_block_history").fetchone() or (0,)
    begin = FIRST - timedelta(days=1)
    rollups.settle(database, actor)
    with database.transaction(actor=actor) as conn:
        differing = len(rollups.differences(conn, begin, begin + timedelta(days=load.pieces + 3), utility_id=actor.utility_id).differing)
    return {"readings": int(row[0]), "sum": int(row[1]), "history": history[0], "rollups": differing, "unacknowledged": load.pieces - row[2]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")
    parser.add_argument("--readings", type=int, default=READINGS, help="how many readings are loaded")
    parser.add_argument("--kills", type=int, default=KILLS, help="how often something is killed")
    parser.add_argument("--seed", type=int, default=int(datetime.now(UTC).strftime("%j")), help="of the moments; another one every day")
    parser.add_argument("--work", nargs=6, metavar=("HOME", "CHANNELS", "PIECES", "APP", "ADMIN", "INGEST"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        home, channels, pieces, *urls = asked.work
        work(Path(home), Load(channels=int(channels), pieces=int(pieces)), (urls[0], urls[1], urls[2]))
        return
    home = Path(tempfile.mkdtemp(prefix="mains-benchmark-"))
    home.chmod(0o711)
    try:
        claims = run(home, readings=asked.readings, kills=asked.kills, seed=asked.seed)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    show(claims, as_json=asked.json)


if __name__ == "__main__":
    main()
