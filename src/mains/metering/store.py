"""Storing blocks: the first load, straight and fast, and the idempotent path, which compares, merges and keeps history.

First load (`first_load`, `load_parallel`): COPY as the ingest login, which may insert and nothing else; for days that hold no readings yet.
Idempotent path (`stage`, then `merge_staged`): as staff under row-level security; unchanged blocks write nothing, changed ones are merged interval by interval by
the rule of `blocks.merge`, and a trigger keeps what they were.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID
from weakref import WeakKeyDictionary

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import Connection, sql

from mains.base.db import Actor, Database
from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.metering import operations
from mains.metering.blocks import DAY, MISSING_16, Blocks, encode, merge
from mains.metering.closing import operations as closing
from mains.metering.model import MISSING
from mains.metering.rollups import operations as rollups
from mains.metering.rollups.summing import Days
from mains.metering.wire import COLUMNS, COPY_HEADER, COPY_TRAILER, to_copy_binary, with_gaps_marked

_sql = Statements("mains.metering", "operations.sql")
_SLICE = 50_000
_FEW, _FEW_BLOCKS = 5_000, 30_000
"""Channels and blocks up to which stored blocks are looked up by key; for more, the days are read through."""


class ReadingsAlreadyThere(Problem):
    """A first load met readings that are already stored."""

    status = 409


class UnableToStoreReadings(Problem):
    """The database stopped before the readings were stored; nothing of them is."""

    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLoad:
    """What a first load stored: its delivery, blocks, readings, and the exact sum of their raw values."""

    batch_id: int
    blocks: int
    readings: int
    raw_sum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Readings of one staged block that were not stored: `code` is lower-standing or interval-change, `stored` says what stands there instead."""

    channel_id: int
    block_start: int
    readings: int
    raw_sum: int
    code: str
    stored: str


@dataclass(slots=True, kw_only=True)
class Stored:
    """What merging did, in readings; `blocks_new` and `blocks_changed` count rows."""

    blocks_new: int = 0
    blocks_changed: int = 0
    new: int = 0
    changed: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Readings that were not stored."""
        return sum(refusal.readings for refusal in self.refusals)


# The first load ------------------------------------------------------------------------------------------------------------------------------------------------


def first_load(
    database: Database, *, actor: Actor, parts: Iterable[Blocks], from_at: datetime, to_at: datetime, source: str, at: datetime, sha256: bytes = bytes(32)
) -> FirstLoad:
    """Load blocks of days in [from_at, to_at) that hold no readings yet, as one delivery and one transaction; `sha256` is of what was delivered, zeros where it is unknown.

    Raises:
        ReadingsAlreadyThere: some of the days hold readings; nothing was stored.
        UnableToStoreReadings: the database stopped; nothing was stored.
    """
    batch_id = begin_first_load(database, actor=actor, from_at=from_at, to_at=to_at, source=source, at=at, sha256=sha256)
    counts, added = Counts(), rollups.Additions(utility_id=actor.utility_id)
    with refusing_clearly(source), database.ingesting() as conn:
        copy_blocks(conn, counts.over(added.over(parts, database, actor)), utility_id=actor.utility_id, batch_id=batch_id)
        added.post(conn)
    return end_first_load(database, actor=actor, batch_id=batch_id, counts=counts)


def begin_first_load(database: Database, *, actor: Actor, from_at: datetime, to_at: datetime, source: str, at: datetime, sha256: bytes = bytes(32)) -> int:
    """The delivery's record, unfinished, and the months it needs."""
    with database.transaction(actor=actor) as conn:
        operations.ensure_partitions(conn, from_at=from_at, to_at=to_at)
        closing.refuse_closed(conn, from_at, to_at)
        batch_id = operations.open_batch(conn, source=source, format="arrays", sha256=sha256, at=at)
        operations.note_span(conn, batch_id=batch_id, first=from_at, last=to_at)
        return batch_id


def end_first_load(database: Database, *, actor: Actor, batch_id: int, counts: "Counts") -> FirstLoad:
    """Finish the delivery's record."""
    with database.transaction(actor=actor) as conn:
        operations.close_batch(conn, batch_id=batch_id, found=counts.readings, accepted=counts.readings, new=counts.readings, raw_sum=counts.raw_sum)
    return FirstLoad(batch_id=batch_id, blocks=counts.blocks, readings=counts.readings, raw_sum=counts.raw_sum)


@dataclass(slots=True, kw_only=True)
class Counts:
    """Blocks, readings and the sum of raw values that went by."""

    blocks: int = 0
    readings: int = 0
    raw_sum: int = 0

    def over(self, parts: Iterable[Blocks]) -> Iterator[Blocks]:
        """The same parts, counted as they pass."""
        for part in parts:
            self.blocks += len(part)
            self.readings += part.readings
            self.raw_sum += part.raw_sum
            yield part


def copy_blocks(conn: Connection, parts: Iterable[Blocks], *, utility_id: UUID, batch_id: int, table: sql.Composable | None = None) -> None:
    """COPY blocks into `metering.interval_blocks`, or into a staging `table` with the same columns."""
    target = table or sql.Identifier("metering", "interval_blocks")
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(target, sql.SQL(", ").join(map(sql.Identifier, COLUMNS)))
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(COPY_HEADER)
        for part in parts:
            for piece in to_copy_binary(part, utility_id=utility_id, batch_id=batch_id):
                copy.write(piece)
        copy.write(COPY_TRAILER)


class refusing_clearly:  # noqa: N801 - it reads as a phrase after `with`
    """Turns what the database says when it cannot store readings into a problem that says that nothing was stored, and what to do."""

    def __init__(self, source: str) -> None:
        self._source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, psycopg.errors.UniqueViolation) and "interval_blocks" in str(error):
            raise ReadingsAlreadyThere(
                f"{self._source}: some of these readings are already there; nothing of this load was stored", cure="use the idempotent path: mains readings import"
            ) from error
        if isinstance(error, psycopg.errors.DiskFull):
            raise UnableToStoreReadings(
                f"{self._source}: the database's disk is full; nothing of this file was stored", cure="make room on the database's disk, then import the file again"
            ) from error
        if isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.DeadlockDetected):
            why = (str(error).strip().splitlines() or ["the connection ended"])[0]
            raise UnableToStoreReadings(
                f"{self._source}: the database stopped in the middle ({why}); nothing of this file was stored", cure="see mains db status; then import the file again"
            ) from error


# The idempotent path -------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Staging:
    """What lies in a transaction's staging table: blocks that have readings, their readings and first and last start (epoch s), and what they add to the sums if all are new."""

    added: rollups.Additions
    blocks: int = 0
    readings: int = 0
    first: int = 2**62
    last: int = -(2**62)

    def note(self, part: Blocks) -> None:
        """Count a part."""
        self.blocks += int(np.count_nonzero(part.n_valid))
        self.readings += part.readings
        if len(part):
            self.first, self.last = min(self.first, int(part.block_start.min())), max(self.last, int(part.block_start.max()))


_staged: "WeakKeyDictionary[Connection, _Staging]" = WeakKeyDictionary()
"""The staging of each connection's transaction."""


def open_staging(conn: Connection) -> None:
    """Make the transaction's staging table; it takes no lock on the blocks."""
    conn.execute(_sql.create_staging)
    _staged.pop(conn, None)


def stage(conn: Connection, parts: Iterable[Blocks], *, utility_id: UUID, batch_id: int) -> None:
    """Put blocks into the staging table; call `open_staging` first."""
    staging = _staged.setdefault(conn, _Staging(added=rollups.Additions(utility_id=utility_id)))
    for part in parts:
        staging.note(part)
        staging.added.add_blocks(conn, part)
        copy_blocks(conn, [part], utility_id=utility_id, batch_id=batch_id, table=sql.Identifier("pg_temp", "staged_blocks"))


def merge_staged(conn: Connection, *, utility_id: UUID, batch_id: int) -> Stored:
    """Bring the staged blocks into the store and drop the staging table; the months must be there (`operations.ensure_partitions`).

    All inserts come first, in the order of the key, then all changes in the order of the key: two importers wait for each other, but never in a circle.
    """
    stored, staging = Stored(), _staged.pop(conn, None)
    if staging and staging.blocks:
        first, last = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at) for at in (staging.first, staging.last))
        added = staging.added
        operations.note_span(conn, batch_id=batch_id, first=first, last=last + timedelta(days=1))
        conn.execute(_sql.allow_sorting)
        conn.execute(_sql.analyze_staging)
        closing.thaw_staged(conn, first, last)
        stored.blocks_new, stored.new = conn.execute(_sql.insert_staged, {"first": first, "last": last}).rowcount, staging.readings
        if stored.blocks_new < staging.blocks:
            added.empty()
            stored.new = 0
            if stored.blocks_new:
                for packed in rollups.inserted_blocks(conn, batch_id=batch_id, first=first, last=last):
                    stored.new += int(packed.records["n_valid"].sum(dtype=np.int64))
                    added.add_packed(conn, [packed])
            conn.execute(_sql.create_replacements)
            is_few = staging.blocks <= _FEW_BLOCKS
            if not is_few:
                conn.execute(_sql.join_as_sets)
            for differing in _differing(conn, first=first, last=last, is_few=is_few):
                _replace(conn, differing, stored, added, utility_id=utility_id, batch_id=batch_id, bounds=(first, last))
            conn.execute(_sql.join_freely)
            conn.execute(_sql.drop_replacements)
        added.post(conn)
    conn.execute(_sql.drop_staging)
    return stored


def _differing(conn: Connection, *, first: datetime, last: datetime, is_few: bool) -> Iterator[list[tuple]]:
    """Slices of stored blocks beside the staged ones that differ, locked."""
    after: tuple[int, datetime, str] = (-(2**63), datetime.min.replace(tzinfo=UTC), "(0,0)")
    while True:
        asked = {"first": first, "last": last, "after_channel": after[0], "after_start": after[1], "after_place": after[2], "limit": _SLICE}
        with conn.cursor(binary=True) as cursor:
            rows = cursor.execute(_sql.lock_differing_few if is_few else _sql.lock_differing, asked).fetchall()
        if rows:
            yield rows
        if len(rows) < _SLICE:
            return
        after = rows[-1][:3]


def _replace(
    conn: Connection, rows: list[tuple], stored: Stored, added: rollups.Additions, *, utility_id: UUID, batch_id: int, bounds: tuple[datetime, datetime]
) -> None:
    """Merge one slice and write what changed; rows whose interval length differs are refused whole."""
    for interval_s in {row[4] for row in rows}:
        same = [row for row in rows if row[4] == interval_s and row[9] == interval_s]
        turns: dict[tuple, int] = {}
        by_turn: list[list[tuple]] = []
        for row in same:  # a block that was staged in pieces takes a turn for each
            turn = turns[row[:2]] = turns.get(row[:2], -1) + 1
            if turn == len(by_turn):
                by_turn.append([])
            by_turn[turn].append(row)
        _merge_turns(conn, by_turn, stored, added, interval_s=interval_s, utility_id=utility_id, batch_id=batch_id, bounds=bounds)
    for row in rows:
        if row[4] != row[9]:
            values = _stack([row[10]], [row[11]], DAY // row[9])
            valid = values[values != MISSING]
            stored.refusals.append(
                Refusal(
                    channel_id=row[0], block_start=int(row[1].timestamp()), readings=len(valid), raw_sum=int(valid.sum(dtype=np.int64)), code="interval-change",
                    stored=f"intervals of {row[4]} s, the file has {row[9]} s",
                )
            )  # fmt: skip


def _merge_turns(
    conn: Connection, turns: list[list[tuple]], stored: Stored, added: rollups.Additions, *, interval_s: int, utility_id: UUID, batch_id: int, bounds: tuple[datetime, datetime]
) -> None:
    """Merge blocks of one interval length, each turn into the outcome of the one before, and write what changed once."""
    if not turns:
        return
    slots, rows = DAY // interval_s, turns[0]
    place = {row[:2]: i for i, row in enumerate(rows)}
    values = _stack([row[5] for row in rows], [row[6] for row in rows], slots)
    quality = _stack_quality(values, [row[7] for row in rows], [row[8] for row in rows])
    before = values.copy(), quality.copy()
    touched = np.zeros(len(rows), dtype=bool)
    for turn in turns:
        at = np.array([place[row[:2]] for row in turn], dtype=np.intp)
        new = _stack([row[10] for row in turn], [row[11] for row in turn], slots)
        new_quality = _stack_quality(new, [row[12] for row in turn], [row[13] for row in turn])
        merged = merge(old=values[at], old_quality=quality[at], new=new, new_quality=new_quality)
        values[at], quality[at] = merged.values, merged.quality
        touched[at] |= (merged.is_new | merged.is_changed).any(axis=1)
        stored.new += int(merged.is_new.sum())
        stored.changed += int(merged.is_changed.sum())
        for i in np.flatnonzero(merged.is_refused.any(axis=1)).tolist():
            lost = new[i][merged.is_refused[i]]
            stored.refusals.append(
                Refusal(
                    channel_id=turn[i][0], block_start=int(turn[i][1].timestamp()), readings=len(lost), raw_sum=int(lost.sum(dtype=np.int64)), code="lower-standing",
                    stored="readings of higher standing, which were kept",
                )
            )  # fmt: skip
    chosen = np.flatnonzero(touched)
    stored.blocks_changed += len(chosen)
    if not len(chosen):
        return
    channels = np.array([rows[i][0] for i in chosen], dtype=np.int64)
    starts = np.array([int(rows[i][1].timestamp()) for i in chosen], dtype=np.int64)
    added.know(conn, channels)
    for sign, standing in ((-1, before), (1, (values, quality))):
        added.sums.add(Days(interval_s=interval_s, channel_id=channels, block_start=starts, values=standing[0][chosen], quality=standing[1][chosen]), sign=sign)
    replacing = encode(
        channel_id=channels,
        block_start=starts,
        utc_offset_min=np.array([rows[i][3] for i in chosen], dtype=np.int16),
        values=values[chosen],
        quality=quality[chosen],
    )
    copy_blocks(conn, [replacing], utility_id=utility_id, batch_id=batch_id, table=sql.Identifier("pg_temp", "replacing_blocks"))
    _put_in_place(conn, channels, first=bounds[0], last=bounds[1], places=[rows[i][14] for i in chosen.tolist()])
    conn.execute(_sql.empty_replacements)


def replace_stored(conn: Connection, parts: Sequence[Blocks], *, utility_id: UUID, batch_id: int) -> int:
    """Put blocks in the place of stored ones of their channels and days, whatever those say; the history keeps them. How many were there to be replaced.

    For those that decide over readings (marks of validation, changes of channels): a delivery goes through `merge_staged`.
    """
    parts = [part for part in parts if len(part)]
    if not parts:
        return 0
    first, last = min(int(part.block_start.min()) for part in parts), max(int(part.block_start.max()) for part in parts)
    bounds = {"first": datetime.fromtimestamp(first, UTC), "last": datetime.fromtimestamp(last, UTC)}
    conn.execute(_sql.create_replacements)
    copy_blocks(conn, parts, utility_id=utility_id, batch_id=batch_id, table=sql.Identifier("pg_temp", "replacing_blocks"))
    rollups.note_replaced(conn, utility_id=utility_id, **bounds)
    changed = _put_in_place(conn, np.concatenate([part.channel_id for part in parts]), first=bounds["first"], last=bounds["last"])
    conn.execute(_sql.drop_replacements)
    return changed


def _put_in_place(conn: Connection, channels: NDArray[np.int64], *, first: datetime, last: datetime, places: Sequence[str | None] = ()) -> int:
    """Blocks of `channels` that wait to replace those that start in [first, last] do so; how many. `places` are those of the stored ones, where they are known and locked."""
    distinct = np.unique(channels)
    conn.execute(_sql.join_as_sets)
    if places and None not in places:
        changed = conn.execute(_sql.replace_locked_blocks, {"first": first, "last": last, "places": list(places)}).rowcount
        conn.execute(_sql.join_freely)
        return changed
    changed = conn.execute(_sql.replace_blocks, {"first": first, "last": last, "channels": distinct.tolist() if len(distinct) <= _FEW else None}).rowcount
    conn.execute(_sql.join_freely)
    return changed


def _stack(widths: list[int], stored: list[bytes], slots: int) -> NDArray[np.int32]:
    """Values of stored blocks, int32 [blocks, slots]."""
    found = np.empty((len(stored), slots), dtype=np.int32)
    width = np.array(widths)
    for each in (2, 4):
        at = np.flatnonzero(width == each)
        if len(at):
            found[at] = np.frombuffer(b"".join([stored[i] for i in at.tolist()]), dtype=f"<i{each}").reshape(len(at), slots)
    narrow = found[width == 2]
    narrow[narrow == MISSING_16] = MISSING
    found[width == 2] = narrow
    return found


def _stack_quality(values: NDArray[np.int32], uniform: list[int], mixed: list[bytes | None]) -> NDArray[np.uint8]:
    """Quality of stored blocks, uint8 [blocks, slots], gaps marked."""
    found = with_gaps_marked(values, np.array(uniform, dtype=np.uint8)[:, None])
    for i, qual in enumerate(mixed):
        if qual is not None:
            found[i] = np.frombuffer(qual, dtype=np.uint8)
    return found


def analyze(database: Database) -> None:
    """Tell the planner what a large load brought."""
    with database.administering(autocommit=True) as conn:
        conn.execute(_sql.analyze_blocks)
