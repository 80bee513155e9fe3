"""Importing files by several processes: each takes the next file when it has done one, and imports it as one process alone would, a transaction an inner file."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Empty
from typing import Any

from mains.base.db import Actor, Database
from mains.base.problems import Problem
from mains.metering.importing import ImportReport, Progress, Reading, import_one
from mains.metering.store import UnableToStoreReadings


def run(
    database: Database, actor: Actor, files: Sequence[Path], *, reading: Reading, at: datetime, processes: int, progress: Progress | None
) -> ImportReport:
    """Import files by several processes; the report names them in the order given.

    Raises:
        UnableToStoreReadings: the database or a process stopped; files that were finished are stored, nothing of the others is.
    """
    context = multiprocessing.get_context("spawn")  # threads of the connection pool do not survive a fork
    waiting, told, stop = context.Queue(), context.Queue(), context.Event()
    for number in range(len(files)):
        waiting.put(number)
    for _ in range(processes):
        waiting.put(None)
    workers = [
        context.Process(target=_work, args=(database, actor, list(files), reading, at, waiting, told, stop), daemon=True) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    try:
        reports = _listen(told, workers, files, stop, progress)
    except BaseException:
        for worker in workers:
            worker.terminate()
        raise
    finally:
        for worker in workers:
            worker.join(timeout=30)
    whole = ImportReport()
    for number in sorted(reports):
        whole.take_in(reports[number])
    return whole


def _listen(told: "Queue[Any]", workers: list[Any], files: Sequence[Path], stop: Event, progress: Progress | None) -> dict[int, ImportReport]:
    """The report of each file by its number, when all processes have ended; the failure of the first file that failed is raised."""
    reports: dict[int, ImportReport] = {}
    failures: dict[int, BaseException] = {}
    found: dict[int, int] = {}
    ended = 0
    while ended < len(workers):
        try:
            word, number, value = told.get(timeout=1)
        except Empty:
            if any(worker.exitcode not in (None, 0) for worker in workers) and told.empty():
                stop.set()
                raise UnableToStoreReadings(
                    "an importing process ended; the files it had finished are stored", cure="see whether memory ran out, then import again: what is done is passed over"
                ) from None
            continue
        if word == "ended":
            ended += 1
            continue
        if word == "found":
            found[number] = value
        elif word == "done":
            reports[number] = value
            found[number] = value.total("found")
        else:
            failures[number] = value
            stop.set()
        if progress:
            progress(files[number].name, len(reports) + 1 if len(reports) < len(files) else len(files), len(files), sum(found.values()))
    if failures:
        raise failures[min(failures)]
    return reports


def _work(
    database: Database, actor: Actor, files: list[Path], reading: Reading, at: datetime, waiting: "Queue[Any]", told: "Queue[Any]", stop: Event
) -> None:
    """One process: files one after the other, until there are none, somebody failed, or the process that asked is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while (number := waiting.get()) is not None and not stop.is_set():
        report = ImportReport()
        try:
            import_one(database, actor, files[number], reading=reading, at=at, report=report, tell=_teller(told, number))
        except Problem as problem:
            told.put(("failed", number, type(problem)(problem.detail, cure=problem.cure)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others must hear of it
            message = f"{files[number].name}: {type(error).__name__}: {error}; nothing of this file was stored"
            told.put(("failed", number, UnableToStoreReadings(message, cure="import the file alone to see more; the files that were finished are stored")))
        else:
            told.put(("done", number, report))
    told.put(("ended", 0, None))
    database.close()


def _end_with_parent() -> None:
    """End this process when the one that started it ends: there is nobody left to tell, and a full queue would be waited on for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this process was started by another
    parent.join()
    os._exit(1)


def _teller(told: "Queue[Any]", number: int) -> Callable[[int], None]:
    return lambda found: told.put(("found", number, found))
