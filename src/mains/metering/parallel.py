"""A first load by several processes: each has its own connection and one transaction, and all of them commit or none does."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from queue import Empty
from threading import BrokenBarrierError
from typing import Any

from mains.base.db import Actor, Database
from mains.base.problems import Problem
from mains.metering.blocks import Blocks
from mains.metering.rollups import kernels
from mains.metering.rollups import operations as rollups
from mains.metering.store import Counts, FirstLoad, UnableToStoreReadings, begin_first_load, copy_blocks, end_first_load, refusing_clearly

_WAIT_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A piece of a load: `make(**arguments)` gives its blocks, in the process that loads them, so both must be picklable."""

    make: Callable[..., Iterable[Blocks]]
    arguments: dict[str, Any]


def load_parallel(
    database: Database,
    *,
    actor: Actor,
    tasks: Sequence[Task],
    from_at: datetime,
    to_at: datetime,
    source: str,
    at: datetime,
    processes: int = 2,
    progress: Callable[[int], None] | None = None,
    started: Callable[[], None] | None = None,
) -> FirstLoad:
    """Load the blocks of all tasks, days in [from_at, to_at) that hold no readings yet, as one delivery.

    A process takes the next task when it has done one; `progress` is told the readings sent so far, `started` that all
    processes are up. When any process fails, none commits.

    Raises:
        ReadingsAlreadyThere: some of the days hold readings; nothing was stored.
        UnableToStoreReadings: a process or the database stopped; nothing was stored.
    """
    batch_id = begin_first_load(database, actor=actor, from_at=from_at, to_at=to_at, source=source, at=at)
    context = multiprocessing.get_context("spawn")  # threads of the connection pool do not survive a fork
    waiting, told, together = context.Queue(), context.Queue(), context.Barrier(processes)
    for number in range(len(tasks)):
        waiting.put(number)
    for _ in range(processes):
        waiting.put(None)
    workers = [
        context.Process(target=_work, args=(database, actor, list(tasks), batch_id, source, waiting, told, together), daemon=True) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    try:
        counts = _listen(told, workers, source=source, progress=progress, started=started)
    except BaseException:
        together.abort()
        raise
    finally:
        for worker in workers:
            worker.join(timeout=30)
            if worker.is_alive():
                worker.terminate()
    return end_first_load(database, actor=actor, batch_id=batch_id, counts=counts)


def _listen(
    told: "Queue[Any]", workers: list[Any], *, source: str, progress: Callable[[int], None] | None, started: Callable[[], None] | None
) -> Counts:
    """Collect what the workers say until all have committed; the first real failure is raised."""
    counts, sent, committed = Counts(), 0, 0
    failures: list[BaseException] = []
    while committed + len(failures) < len(workers):
        try:
            word, value = told.get(timeout=1)
        except Empty:
            if any(worker.exitcode not in (None, 0) for worker in workers) and told.empty():
                raise UnableToStoreReadings(f"{source}: a loading process ended; nothing was stored", cure="see whether memory ran out, then load again") from None
            continue
        if word == "up" and started:
            started()
        elif word == "sent":
            sent += value
            if progress:
                progress(sent)
        elif word == "failed":
            failures.append(value)
        elif word == "committed":
            committed += 1
            counts.blocks += value.blocks
            counts.readings += value.readings
            counts.raw_sum += value.raw_sum
    if failures:
        raise next((failure for failure in failures if not isinstance(failure, BrokenBarrierError)), failures[0])
    return counts


def _work(
    database: Database, actor: Actor, tasks: list[Task], batch_id: int, source: str, waiting: "Queue[Any]", told: "Queue[Any]", together: Barrier
) -> None:
    """One process: tasks one after the other in one COPY, then wait for the others and commit."""
    counts, added = Counts(), rollups.Additions(utility_id=actor.utility_id)
    kernels.prepare()

    def parts() -> Iterable[Blocks]:
        while (number := waiting.get()) is not None:
            before = counts.readings
            yield from counts.over(added.over(tasks[number].make(**tasks[number].arguments), database, actor))
            told.put(("sent", counts.readings - before))

    try:
        with refusing_clearly(source), database.transaction(actor=actor):
            pass  # a connection for asking where channels belong
        with refusing_clearly(source), database.ingesting() as conn:
            if together.wait(timeout=_WAIT_S) == 0:
                told.put(("up", None))
            copy_blocks(conn, parts(), utility_id=actor.utility_id, batch_id=batch_id)
            added.post(conn)
            together.wait(timeout=_WAIT_S)
    except BrokenBarrierError as error:
        told.put(("failed", error))
    except Problem as problem:
        together.abort()
        told.put(("failed", type(problem)(problem.detail, cure=problem.cure)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the others must hear of it
        together.abort()
        told.put(("failed", UnableToStoreReadings(f"{source}: {type(error).__name__}: {error}; nothing was stored", cure="repair what made the readings, then load again")))
    else:
        told.put(("committed", counts))
    told.close()
    told.join_thread()
    os._exit(0)  # taking the interpreter apart would take longer than many a load
