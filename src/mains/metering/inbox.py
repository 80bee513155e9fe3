"""The inbox: readings pushed in near real time wait here, count in every read, and are flushed into blocks by the rule of `blocks.merge`.

Appending asks for no key, so a push costs little; the price is paid at the flush, which takes what waits for a range of channels in one transaction: DELETE, staging, merge.
Where several readings wait for one interval, those of the highest standing count, and of these the one of the latest delivery: the same as if each had been merged on arrival.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.problems import Issue, Problem
from mains.base.sql import Statements
from mains.metering import operations, queries, store
from mains.metering.arrays import EPOCH_2000, BigInts, Instants, Ints, SmallInts, of_columns
from mains.metering.blocks import DAY, STANDING, Blocks, encode, merge
from mains.metering.load import as_instant
from mains.metering.model import MISSING, Quality
from mains.metering.resolving import CURES

_sql = Statements("mains.metering", "inbox.sql")
_BYTES_A_ROW = 60
"""Fewer bytes than a waiting reading ever takes."""
_ROWS_A_BLOCK_PIECE = 40_000
_MOST_NAMED = 10
_FIRST, _LAST = -(2**63), 2**63 - 1
_WAITING = np.dtype([("channel", ">i8"), ("at", ">i8"), ("raw", ">i4"), ("quality", ">i2"), ("batch", ">i4")])


class InboxFull(Problem):
    """More readings wait to be stored than may; nothing was taken, and the same can be sent again."""

    status = 429


@dataclass(slots=True, kw_only=True)
class Flushed:
    """What a flush did, in readings: taken = stored or there already + superseded + quarantined; `batch_ids` are the deliveries it made, one a transaction.

    `superseded` were corrected by later ones before they were stored; `is_busy`: another flush was under way, and this one left the rest to it.
    """

    taken: int = 0
    new: int = 0
    changed: int = 0
    superseded: int = 0
    quarantined: int = 0
    batch_ids: list[int] = field(default_factory=list)
    is_busy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waiting:
    """Waiting readings, one an element: channel, start in microseconds since 1970, raw value, quality, delivery."""

    channel: NDArray[np.int64]
    start_us: NDArray[np.int64]
    raw: NDArray[np.int32]
    quality: NDArray[np.uint8]
    batch: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.channel)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Waiting":
        """The chosen ones, by mask or by order."""
        return Waiting(channel=self.channel[chosen], start_us=self.start_us[chosen], raw=self.raw[chosen], quality=self.quality[chosen], batch=self.batch[chosen])


# In ------------------------------------------------------------------------------------------------------------------------------------------------------------


def push(
    conn: Connection, channel_ids: NDArray[np.int64], starts: NDArray[np.int64], raws: NDArray[np.integer], qualities: NDArray[np.uint8], batch: int
) -> int:
    """Append readings to the inbox as part of a delivery; how many went in: of several for one interval the one that counts.

    `starts` are epoch seconds; `raws` fit 32 bits and are not `MISSING`; `qualities` are not `Quality.MISSING`. One call a delivery: its readings have no order among themselves.
    They are put in by time and channel, so that the index of page ranges finds them.
    """
    if not len(channel_ids):
        return 0
    kept = np.lexsort((np.arange(len(channel_ids)), STANDING[qualities], channel_ids, starts))
    is_last = np.ones(len(kept), dtype=bool)
    is_last[:-1] = (np.diff(channel_ids[kept]) != 0) | (np.diff(starts[kept]) != 0)
    kept = kept[is_last]
    cursor = of_columns(conn.cursor())
    utility = cursor.execute(_sql.current_utility).fetchone()
    assert utility is not None  # a function always answers
    columns = {"channels": BigInts(channel_ids[kept]), "instants": Instants(starts[kept]), "raws": Ints(raws[kept]), "qualities": SmallInts(qualities[kept])}
    cursor.execute(_sql.push, columns | {"utility_id": utility[0], "batch_id": batch})
    return len(kept)


def is_full(conn: Connection, *, most: int) -> bool:
    """Whether `most` readings of the utility wait, or more; quick while the inbox takes little space."""
    space = conn.execute(_sql.space).fetchone()
    assert space is not None  # a function always answers
    if space[0] < most * _BYTES_A_ROW:
        return False
    row = conn.execute(_sql.count_up_to, {"most": most}).fetchone()
    assert row is not None  # an aggregate always answers
    return row[0] >= most


def count_waiting(conn: Connection, *, before: datetime | None = None) -> int:
    """How many readings of the utility wait; with `before`, only those that start earlier."""
    return sum(count for _, count in conn.execute(_sql.waiting_days, {"before": before}).fetchall())


# Out -----------------------------------------------------------------------------------------------------------------------------------------------------------


def flush(database: Database, actor: Actor, *, at: datetime, limit: int = 2_000_000, before: datetime | None = None) -> Flushed:
    """Store what waits, in transactions of some `limit` readings, each of a range of channels; `at` is now; with `before`, only readings that start earlier.

    Readings that cannot be stored go to quarantine. Pushes go on meanwhile; a flush that meets another one leaves the work to it.

    Raises:
        UnableToStoreReadings: the database stopped; what the transactions before had taken is stored, the rest still waits.
    """
    done = Flushed()
    with store.refusing_clearly("inbox"):
        for first, end in _shares(database, actor, limit=limit, before=before):
            with database.transaction(actor=actor) as conn:
                turn = conn.execute(_sql.begin_flush).fetchone()
                assert turn is not None  # a function always answers
                if not turn[0]:
                    done.is_busy = True
                    return done
                taken = _taken(conn, _sql.take, {"first": first, "end": end, "before": before})
                if len(taken):
                    _store(conn, taken, done, utility_id=actor.utility_id, at=at)
    return done


def _shares(database: Database, actor: Actor, *, limit: int, before: datetime | None) -> list[tuple[int, int]]:
    """Ranges of channels [first, end) that some `limit` readings wait for each; the months that they need are made, apart from the transactions that store."""
    with database.transaction(actor=actor) as conn:
        days = conn.execute(_sql.waiting_days, {"before": before}).fetchall()
        count = sum(number for _, number in days)
        if not count:
            return []
        touched = {near.astimezone(UTC).date().replace(day=1) for day, _ in days for near in (day - timedelta(days=1), day + timedelta(days=1))}
        for month in sorted(touched):
            begin = datetime(month.year, month.month, 1, tzinfo=UTC)
            operations.ensure_partitions(conn, from_at=begin, to_at=begin)
    parts = -(-count // limit)
    if parts == 1:
        return [(_FIRST, _LAST)]
    with database.transaction(actor=actor) as conn:
        asked = {"fractions": [part / parts for part in range(1, parts)], "before": before}
        row = conn.execute(_sql.channel_bounds, asked).fetchone()
    bounds = sorted({bound + 1 for bound in (row[0] if row and row[0] else [])})
    return list(zip([_FIRST, *bounds], [*bounds, _LAST], strict=True))


def _taken(conn: Connection, statement: str, asked: dict[str, object]) -> Waiting:
    """Waiting readings that a statement gives as columns."""
    row = of_columns(conn.cursor(binary=True)).execute(statement, asked).fetchone()  # pyright: ignore[reportArgumentType] - from inbox.sql
    if row is None or row[0] is None:
        none = np.empty(0, dtype=np.int64)
        return Waiting(channel=none, start_us=none, raw=none.astype(np.int32), quality=none.astype(np.uint8), batch=none.astype(np.int32))
    return Waiting(channel=row[0], start_us=row[1] + EPOCH_2000 * 1_000_000, raw=row[2], quality=row[3].astype(np.uint8), batch=row[4])


def settle(waiting: Waiting) -> NDArray[np.intp]:
    """Which of several waiting readings for one channel and interval counts, by channel and then time: of the highest standing the one of the latest delivery."""
    order = np.lexsort((waiting.batch, STANDING[waiting.quality], waiting.start_us, waiting.channel))
    is_last = np.ones(len(order), dtype=bool)
    is_last[:-1] = (np.diff(waiting.channel[order]) != 0) | (np.diff(waiting.start_us[order]) != 0)
    return order[is_last]


def _store(conn: Connection, taken: Waiting, done: Flushed, *, utility_id: UUID, at: datetime) -> None:
    """Bring what was taken into the blocks, as one delivery."""
    digest = hashlib.sha256()
    for column in (taken.channel, taken.start_us, taken.raw, taken.quality, taken.batch):
        digest.update(np.ascontiguousarray(column).data)
    batch_id = operations.open_batch(conn, source="inbox", format="inbox", sha256=digest.digest(), at=at)
    grid = _grids(conn, taken)
    refused = grid.refused(taken)
    fitting = taken.where(refused == "")
    chosen = settle(fitting)
    counting = fitting.where(chosen)
    lost = _outvoted(fitting, chosen)
    store.open_staging(conn)
    store.stage(conn, grid.blocks(counting), utility_id=utility_id, batch_id=batch_id)
    stored = store.merge_staged(conn, utility_id=utility_id, batch_id=batch_id)
    issues = _issues(conn, taken.where(refused != ""), refused[refused != ""], fitting, lost, stored.refusals)
    operations.quarantine(conn, batch_id=batch_id, issues=issues, file="inbox")
    quarantined = sum(issue.count for issue in issues)
    operations.close_batch(
        conn, batch_id=batch_id, found=len(taken), accepted=len(taken) - quarantined, quarantined=quarantined, new=stored.new, changed=stored.changed,
        raw_sum=int(counting.raw.sum(dtype=np.int64)) - sum(refusal.raw_sum for refusal in stored.refusals),
    )  # fmt: skip
    done.taken += len(taken)
    done.new += stored.new
    done.changed += stored.changed
    done.superseded += int((lost == "superseded").sum())
    done.quarantined += quarantined
    done.batch_ids.append(batch_id)


def _outvoted(fitting: Waiting, chosen: NDArray[np.intp]) -> NDArray[np.str_]:
    """What became of each waiting reading beside the one that counts: "" for that one and for repeats of it, else superseded or lower-standing."""
    fate = np.full(len(fitting), "", dtype="<U14")
    if len(chosen) == len(fitting):
        return fate
    order = np.lexsort((fitting.batch, STANDING[fitting.quality], fitting.start_us, fitting.channel))
    group = np.zeros(len(order), dtype=np.intp)
    group[1:] = np.cumsum((np.diff(fitting.channel[order]) != 0) | (np.diff(fitting.start_us[order]) != 0))
    winner = chosen[group]
    differs = fitting.raw[order] != fitting.raw[winner]
    is_lower = STANDING[fitting.quality[order]] < STANDING[fitting.quality[winner]]
    fate[order[differs]] = np.where(is_lower[differs], "lower-standing", "superseded")
    return fate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Grids:
    """How the intervals of channels lie: s, minutes east, and service in microseconds since 1970; `interval_s` 0 for a register. Sorted by channel."""

    channel: NDArray[np.int64]
    interval_s: NDArray[np.int64]
    utc_offset_min: NDArray[np.int64]
    from_us: NDArray[np.int64]
    to_us: NDArray[np.int64]

    def refused(self, waiting: Waiting) -> NDArray[np.str_]:
        """Why each reading cannot be stored; "" where it can."""
        why = np.full(len(waiting), "", dtype="<U22")
        if not len(self.channel):
            why[:] = "unknown-channel"
            return why
        at = np.minimum(np.searchsorted(self.channel, waiting.channel), len(self.channel) - 1)
        interval_us = self.interval_s[at] * 1_000_000
        shifted = waiting.start_us + self.utc_offset_min[at] * 60_000_000
        why[shifted % np.maximum(interval_us, 1) != 0] = "off-grid-of-channel"
        why[(waiting.start_us < self.from_us[at]) | (waiting.start_us >= self.to_us[at])] = "channel-not-in-service"
        why[interval_us == 0] = "interval-mismatch"
        why[self.channel[at] != waiting.channel] = "unknown-channel"
        return why

    def blocks(self, counting: Waiting) -> Iterator[Blocks]:
        """Readings that count, sorted by channel and time, as blocks; some tens of thousands a piece."""
        at = np.searchsorted(self.channel, counting.channel)
        interval, offset = self.interval_s[at], self.utc_offset_min[at]
        day, second = np.divmod(counting.start_us // 1_000_000 + offset * 60, DAY)
        for interval_s in np.unique(interval).tolist():
            own = np.flatnonzero(interval == interval_s)
            is_first = np.ones(len(own), dtype=bool)
            is_first[1:] = (np.diff(counting.channel[own]) != 0) | (np.diff(day[own]) != 0)
            heads = np.flatnonzero(is_first)
            row = np.cumsum(is_first) - 1
            for begin in range(0, len(heads), _ROWS_A_BLOCK_PIECE):
                some = heads[begin : begin + _ROWS_A_BLOCK_PIECE]
                stop = heads[begin + len(some)] if begin + len(some) < len(heads) else len(own)
                part = own[some[0] : stop]
                values = np.full((len(some), DAY // interval_s), MISSING, dtype=np.int32)
                quality = np.full(values.shape, Quality.MISSING, dtype=np.uint8)
                place = row[some[0] : stop] - begin, second[part] // interval_s
                values[place], quality[place] = counting.raw[part], counting.quality[part]
                of = own[some]
                yield encode(
                    channel_id=counting.channel[of], block_start=day[of] * DAY - offset[of] * 60, values=values,
                    utc_offset_min=offset[of].astype(np.int16), quality=quality,
                )  # fmt: skip


def _grids(conn: Connection, waiting: Waiting) -> _Grids:
    """How the intervals of the channels lie that readings wait for."""
    row = of_columns(conn.cursor(binary=True)).execute(_sql.grids, {"channels": BigInts(np.unique(waiting.channel))}).fetchone()
    assert row is not None  # an aggregate always answers
    channel, interval, offset, begin, end = (np.empty(0, dtype=np.int64) if column is None else column.astype(np.int64) for column in row)
    shift = EPOCH_2000 * 1_000_000  # the smallest and the largest number stand for no end
    from_us = np.where(begin == _FIRST, _FIRST, begin + shift)
    to_us = np.where(end == _LAST, _LAST, end + shift)
    return _Grids(channel=channel, interval_s=interval, utc_offset_min=offset, from_us=from_us, to_us=to_us)


def _issues(
    conn: Connection, refused: Waiting, why: NDArray[np.str_], fitting: Waiting, lost: NDArray[np.str_], refusals: list[store.Refusal]
) -> list[Issue]:
    """What was not stored, and what was corrected before it was: one issue a channel and reason, with the first of the readings."""
    found: dict[tuple[int, str], list[str]] = {}
    counts: dict[tuple[int, str], int] = {}
    is_lost = lost != ""
    for each, reason in zip((refused, fitting.where(is_lost)), (why, lost[is_lost]), strict=True):
        for i in range(len(each)):
            key = (int(each.channel[i]), str(reason[i]))
            counts[key] = counts.get(key, 0) + 1
            named = found.setdefault(key, [])
            if len(named) < _MOST_NAMED:
                named.append(f"{as_instant(int(each.start_us[i] // 1_000_000)).isoformat()}: raw {each.raw[i]} ({Quality(int(each.quality[i])).name.lower()})")
    for refusal in refusals:
        key = (refusal.channel_id, refusal.code)
        counts[key] = counts.get(key, 0) + refusal.readings
        found.setdefault(key, []).append(f"day from {as_instant(refusal.block_start).isoformat()} on holds {refusal.stored}")
    names = {each.channel_id: f"{each.meter_number} {each.register}" for each in queries.channels_by_id(conn, sorted({channel for channel, _ in counts}))}
    return [
        Issue(
            code=code, message=f"{count} readings of {names.get(channel, f'channel {channel}')}: {'; '.join(found[channel, code][:_MOST_NAMED])}", cure=_CURES[code],
            file="inbox", count=0 if code == "superseded" else count, severity="info" if code == "superseded" else "error",
        )
        for (channel, code), count in sorted(counts.items())
    ]  # fmt: skip


_CURES = CURES | {"superseded": "nothing to do: a later delivery corrected them before they were stored"}


# Read --------------------------------------------------------------------------------------------------------------------------------------------------------


def overlay(
    conn: Connection, channels: NDArray[np.int64], begin_epoch: int, count: int, step: int, values: NDArray[np.int32], quality: NDArray[np.uint8]
) -> int:
    """Lay what waits over dense intervals, in place, by the rule of `blocks.merge`; how many intervals changed.

    Row i of `values` and `quality` [channels, count] is channels[i], column k the interval of `step` s that starts at begin_epoch + k x step, epoch seconds.
    """
    asked = {"channels": channels.tolist(), "from_at": as_instant(begin_epoch), "to_at": as_instant(begin_epoch + count * step)}
    row = conn.cursor(binary=True).execute(_sql.waiting, asked).fetchone()
    if row is None or row[0] is None:
        return 0
    found = np.frombuffer(row[0], dtype=_WAITING)
    waiting = Waiting(
        channel=found["channel"].astype(np.int64), start_us=found["at"].astype(np.int64) + EPOCH_2000 * 1_000_000, raw=found["raw"].astype(np.int32),
        quality=found["quality"].astype(np.uint8), batch=found["batch"].astype(np.int32),
    )  # fmt: skip
    return lay_over(waiting, channels, begin_epoch, step, values, quality)


def lay_over(waiting: Waiting, channels: NDArray[np.int64], begin_epoch: int, step: int, values: NDArray[np.int32], quality: NDArray[np.uint8]) -> int:
    """The same with waiting readings of these channels and this stretch of time that were read before."""
    if not len(waiting):
        return 0
    waiting = waiting.where(settle(waiting))
    column, off = np.divmod(waiting.start_us - begin_epoch * 1_000_000, step * 1_000_000)
    waiting, column = waiting.where(off == 0), column[off == 0]
    order = np.argsort(channels, kind="stable")
    row = order[np.searchsorted(channels, waiting.channel, sorter=order)]
    merged = merge(old=values[row, column], old_quality=quality[row, column], new=waiting.raw, new_quality=waiting.quality)
    values[row, column], quality[row, column] = merged.values, merged.quality
    return int((merged.is_new | merged.is_changed).sum())
