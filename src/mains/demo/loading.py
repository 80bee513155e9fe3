"""The readings of the demo into the store: quarter hours by several processes on the first-load path, dials in one COPY.

What was loaded is told by its delivery: one that is finished is there, one that is not is done again, and what it had stored stays.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from uuid import UUID

import numpy as np
from psycopg import Connection

from mains.base.bulk import insert_text
from mains.base.db import Actor, Database
from mains.base.sql import Statements
from mains.demo import generate
from mains.demo.model import Channel, DemoPlan, Utility
from mains.demo.span import DAYS, SLOTS_A_DAY
from mains.metering import operations, store
from mains.metering.blocks import DAY, Blocks, encode
from mains.metering.parallel import Task, load_parallel

_queries = Statements("mains.demo", "queries.sql")

AT_A_TIME = 64
"""Channels generated and sent together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which demo is meant."""

    customers: int
    seed: int

    def source(self, what: str) -> str:
        """The name of one of its deliveries."""
        return f"demo utility, {self.customers} customers, seed {self.seed}: {what}"


@lru_cache(maxsize=1)
def planned(chosen: Chosen) -> DemoPlan:
    """The plan, made once a process."""
    return generate.plan(customers=chosen.customers, seed=chosen.seed)


def channels_of(plan: DemoPlan, utility: Utility) -> tuple[range, list[Channel]]:
    """The utility's interval channels as a range of indices, and its registers."""
    mine = [channel for channel in plan.channels if channel.utility == utility.key]
    intervals = [channel.index for channel in mine if channel.interval_s is not None]
    return range(intervals[0], intervals[-1] + 1), [channel for channel in mine if channel.interval_s is None]


def channel_ids(conn: Connection) -> dict[tuple[UUID, str], int]:
    """Keys of the stored channels by meter and register."""
    return {(meter, register): channel for meter, register, channel in conn.execute(_queries.channel_keys)}


def interval_blocks(chosen: Chosen, first: int, ids: list[int], utc_offset_min: int) -> Iterator[Blocks]:
    """The blocks of the channels from index `first` on, stored as `ids`: those with one quality, then those with several."""
    made = generate.readings(planned(chosen), range(first, first + len(ids)))
    channel_id = np.repeat(np.array(ids, np.int64), DAYS)
    block_start = (made.first_day_start[:, None] + DAY * np.arange(DAYS, dtype=np.int64)).reshape(-1)
    values = made.values.reshape(-1, SLOTS_A_DAY)
    quality = np.zeros((len(ids), DAYS * SLOTS_A_DAY), np.uint8)
    for index, from_slot, to_slot, code in made.overrides:
        quality[index - first, from_slot:to_slot] = code
    by_block = quality.reshape(-1, SLOTS_A_DAY)
    is_marked = by_block.any(axis=1)
    for rows, marks in ((~is_marked, 0), (is_marked, by_block[is_marked])):
        if rows.any():
            whole = encode(channel_id=channel_id[rows], block_start=block_start[rows], values=values[rows], utc_offset_min=utc_offset_min, quality=marks)
            yield whole.where(whole.n_valid > 0).in_load_order()


def load_intervals(database: Database, *, actor: Actor, chosen: Chosen, utility: Utility, at: datetime, progress: Callable[[int], None] | None = None) -> None:
    """Load the utility's quarter hours; readings that a run left behind which did not come to its end are kept and completed."""
    plan, source = planned(chosen), chosen.source("intervals")
    span, _ = channels_of(plan, utility)
    with database.transaction(actor=actor) as conn:
        known = channel_ids(conn)
        left_behind = [batch for batch in _unfinished(conn, source=source) if _blocks_of(conn, batch)[0]]
    ids = [known[plan.channels[index].meter, plan.channels[index].register] for index in span]
    from_at = datetime.fromtimestamp(utility.first_day_start, UTC)
    to_at = from_at + timedelta(days=DAYS)
    pieces = [
        {"chosen": chosen, "first": span[place], "ids": ids[place : place + AT_A_TIME], "utc_offset_min": utility.utc_offset_minutes}
        for place in range(0, len(span), AT_A_TIME)
    ]
    if left_behind:
        _complete(database, actor=actor, pieces=pieces, left_behind=left_behind, source=source, at=at, progress=progress, from_at=from_at, to_at=to_at)
    elif len(pieces) < 4:  # for a few channels, a process costs more than it brings
        parts = (part for piece in pieces for part in interval_blocks(**piece))
        store.first_load(database, actor=actor, parts=parts, source=source, at=at, from_at=from_at, to_at=to_at)
    else:
        tasks = [Task(make=interval_blocks, arguments=piece) for piece in pieces]
        load_parallel(database, actor=actor, tasks=tasks, source=source, at=at, progress=progress, from_at=from_at, to_at=to_at)


def _unfinished(conn: Connection, *, source: str) -> list[int]:
    """Deliveries of a source that began and did not end."""
    return [row[0] for row in conn.execute(_queries.unfinished_deliveries, {"source": source})]


def _blocks_of(conn: Connection, batch_id: int) -> tuple[int, int, int]:
    """Blocks, readings and sum of raw values of a delivery."""
    row = conn.execute(_queries.blocks_of_batch, {"batch_id": batch_id}).fetchone()
    assert row is not None  # an aggregate always answers
    return row


def _complete(
    database: Database, *, actor: Actor, pieces: list[dict], left_behind: list[int], source: str, at: datetime, progress: Callable[[int], None] | None,
    from_at: datetime, to_at: datetime,
) -> None:  # fmt: skip
    """Store what an interrupted load did not, on the idempotent path, and close its deliveries with what they brought."""
    batch_id = store.begin_first_load(database, actor=actor, from_at=from_at, to_at=to_at, source=source, at=at)
    sent = 0
    with database.transaction(actor=actor) as conn:
        for piece in pieces:
            counts = store.Counts()
            store.open_staging(conn)
            store.stage(conn, counts.over(interval_blocks(**piece)), utility_id=actor.utility_id, batch_id=batch_id)
            store.merge_staged(conn, utility_id=actor.utility_id, batch_id=batch_id)
            sent += counts.readings
            if progress:
                progress(sent)
        for batch in [*left_behind, batch_id]:
            _, readings, raw_sum = _blocks_of(conn, batch)
            operations.close_batch(conn, batch_id=batch, found=readings, accepted=readings, new=readings, raw_sum=raw_sum)


def load_registers(conn: Connection, *, chosen: Chosen, utility: Utility, at: datetime) -> None:
    """Load the reads of the utility's dials, as one delivery."""
    plan = planned(chosen)
    known = channel_ids(conn)
    ids = np.zeros(len(plan.channels), np.int64)
    for channel in channels_of(plan, utility)[1]:
        ids[channel.index] = known[channel.meter, channel.register]
    made = generate.register_reads(plan)
    order = np.lexsort((made.read_at, ids[made.channel]))  # in the order of the key, so that its pages fill up
    mine = order[ids[made.channel[order]] > 0]
    count, raw_sum = len(mine), int(made.value[mine].sum())
    batch_id = operations.open_batch(conn, source=chosen.source("registers"), format="arrays", sha256=bytes(32), at=at)
    instants = {second: datetime.fromtimestamp(second, UTC).isoformat() for second in np.unique(made.read_at).tolist()}
    rows = zip(ids[made.channel[mine]].tolist(), made.read_at[mine].tolist(), made.value[mine].tolist(), made.quality[mine].tolist(), strict=True)
    text = (f"{channel}\t{instants[read_at]}\t{value}\t{quality}\t{batch_id}\n" for channel, read_at, value, quality in rows)
    pieces = iter(lambda: "".join(islice(text, 10_000)), "")
    insert_text(conn, "metering.register_reads", ["channel_id", "read_at", "raw", "quality", "batch_id"], pieces)
    operations.close_batch(conn, batch_id=batch_id, found=count, accepted=count, new=count, raw_sum=raw_sum)


def mark(conn: Connection, *, chosen: Chosen, what: str, at: datetime) -> None:
    """Leave word, in the transaction that makes a part of a utility, that it is there and of which demo it is."""
    batch_id = operations.open_batch(conn, source=chosen.source(what), format="arrays", sha256=bytes(32), at=at)
    operations.close_batch(conn, batch_id=batch_id, found=0, accepted=0)
