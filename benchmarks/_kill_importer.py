"""The importer that benchmarks.kill kills: python -m benchmarks._kill_importer HOME.

It imports the files of a plan one by one and pushes its pushes beside them. What was reported stored goes into a log with fsync; what the log has is not sent again,
but for a few units on purpose.
"""

import json
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg

from mains.base.db import Actor, Database
from mains.base.ids import named_uuid
from mains.metering import inbox
from mains.metering.importing import import_files
from mains.metering.push_keys import store_once
from mains.metering.pushing import Gathered, store_push
from mains.metering.store import UnableToStoreReadings

OFFSET_MIN = 600
FIRST = datetime(2020, 1, 1, tzinfo=UTC) - timedelta(minutes=OFFSET_MIN)
AT = datetime(2026, 11, 1, tzinfo=UTC)
PUSHED_CHANNELS, PUSHED_SLOTS, PUSHES_A_FLUSH = 100, 20, 4
SENT_AGAIN = 3
"""Acknowledged files, and as many pushes, that are sent again after each start."""
STUCK_S = 180
TRIES_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A file or a push: `refused` lines in it are no readings; `is_final` where nothing later corrects it; a push has its first interval as `first`."""

    name: str
    readings: int
    refused: int = 0
    is_final: bool = True
    first: int = 0


def meters(count: int, kind: str) -> list[str]:
    return [f"{kind}{number:09d}" for number in range(count)]


def some_of(units: list[Unit]) -> list[Unit]:
    return [units[secrets.randbelow(len(units))] for _ in range(SENT_AGAIN)] if units else []


def append(path: Path, facts: dict) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(facts).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def lines_of(path: Path) -> list[dict]:
    """The whole lines of a log."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


@dataclass(slots=True, kw_only=True)
class Importer:
    """One life of the importer: a thread for files, a thread for pushes, and the log of what they were told is stored."""

    home: Path
    database: Database
    actor: Actor
    lock: threading.Lock = field(default_factory=threading.Lock)

    def units(self, kind: str) -> list[Unit]:
        """The files or the pushes of the plan."""
        return [Unit(**each) for each in json.loads((self.home / "plan.json").read_text())[kind]]

    def acknowledge(self, **facts: object) -> None:
        """Write a line to the log; when this returns it is on the disk."""
        with self.lock:
            append(self.home / "acknowledged", facts)

    def done(self) -> set[str]:
        """The names of the units that are acknowledged."""
        return {line["name"] for line in lines_of(self.home / "acknowledged")}

    def through(self, work: Callable[[], None]) -> None:
        """Do work to its end, again and again while the database is gone."""
        parent, began = os.getppid(), time.monotonic()
        while os.getppid() == parent:
            try:
                work()
            except (UnableToStoreReadings, psycopg.OperationalError) as error:
                if time.monotonic() - began > STUCK_S * 5:
                    raise
                append(self.home / "refusals", {"kind": type(error).__name__, "said": str(error)[:300], "is_clear": isinstance(error, UnableToStoreReadings)})
                time.sleep(TRIES_S)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the killer must hear of it
                append(self.home / "failures", {"said": f"{type(error).__name__}: {error}"[:500]})
                os._exit(1)
            else:
                return
        os._exit(1)

    def import_all(self) -> None:
        """Every file that is not acknowledged, in their order; before them some that are."""
        files, done = self.units("files"), self.done()
        for unit in some_of([each for each in files if each.name in done and each.is_final]):
            self.import_one(unit, is_again=True)
        for unit in files:
            if unit.name not in done:
                self.import_one(unit, is_again=False)

    def import_one(self, unit: Unit, *, is_again: bool) -> None:
        """One file; one that is sent again is read again."""
        path = self.home / "deliveries" / unit.name
        (told,) = import_files(self.database, self.actor, [path], at=AT, timezone="Australia/Brisbane", again=is_again).by_file
        self.acknowledge(name=unit.name, batch=told.batch_id, found=told.found, accepted=told.accepted, new=told.new, changed=told.changed, again=is_again)

    def push_all(self) -> None:
        """Every push that is not acknowledged, kept in step with the files; some that are; now and then a flush, and one at the end."""
        pushes, files, done = self.units("pushes"), self.units("files"), self.done()
        pushed = np.load(self.home / "pushed.npy", mmap_mode="r")
        waiting = [each for each in pushes if each.name not in done]
        names = {each.name for each in files}
        for unit in some_of([each for each in pushes if each.name in done]):
            self.push_one(unit, pushed, is_again=True)
        for unit in waiting:
            while (share := len(self.done() & names) / len(names)) < 1 and share < unit.first / pushed.shape[1]:
                time.sleep(0.02)
            self.push_one(unit, pushed, is_again=False)
            if unit.first // PUSHED_SLOTS % PUSHES_A_FLUSH == 0:
                inbox.flush(self.database, self.actor, at=AT)
        while inbox.flush(self.database, self.actor, at=AT).is_busy:
            time.sleep(TRIES_S)

    def push_one(self, unit: Unit, pushed: np.ndarray, *, is_again: bool) -> None:
        """One push, every second one under a key."""
        gathered, begin = Gathered(), int(FIRST.timestamp())
        for meter, row in zip(meters(PUSHED_CHANNELS, "P"), pushed[:, unit.first : unit.first + PUSHED_SLOTS].tolist(), strict=True):
            for slot, value in enumerate(row, start=unit.first):
                gathered.add(meter=meter, register="E1", start=begin + 900 * slot, value=value)
        if unit.first // PUSHED_SLOTS % 2:
            told = store_once(self.database, self.actor, gathered, key=unit.name, source=unit.name, at=AT, sha256=gathered.digest())
        else:
            told = store_push(self.database, self.actor, gathered, source=unit.name, at=AT).as_json()
        self.acknowledge(name=unit.name, batch=told["batch_id"], found=told["found"], accepted=told["accepted"], new=0, changed=0, again=is_again)

    def run(self) -> None:
        """Import and push until all is acknowledged and nothing waits."""
        threads = [threading.Thread(target=self.through, args=(work,)) for work in (self.import_all, self.push_all)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.database.close()


def main() -> None:
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it is expected that the database is gone now and then
    home = Path(sys.argv[1])
    urls = json.loads((home / "urls.json").read_text())
    database = Database(app_url=urls["app"], admin_url=urls["admin"], ingest_url=urls["ingest"])
    Importer(home=home, database=database, actor=Actor(role="staff", utility_id=named_uuid("benchmark", "utility"), name="benchmark")).run()


if __name__ == "__main__":
    main()
