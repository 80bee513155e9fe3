"""Moving readings between the live tier and the dense one: closing months, thawing them, and what writers of readings do about closed ones.

A reading is in one tier at any instant: every move is one transaction for its channels. Who writes readings holds the month shared (`ready_to_write`), who closes holds it alone.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.metering.closing import packing, queries
from mains.metering.closing.packing import ClosedRow, Kept, Told

_sql = Statements("mains.metering.closing", "operations.sql")
_CHANNELS = 1_000
_TRIES = 3
_PIECE = 1996
"""Bytes of a value that PostgreSQL keeps in one row of out-of-line storage, where pages have 8 KiB; another size costs room, nothing else."""

Progress = Callable[[int, int], None]
"""Told how many channels and readings are done."""


class MonthNotOver(Problem):
    """The month is not over, so it cannot be closed."""

    status = 409


class MonthNotReady(Problem):
    """Something speaks against closing the month."""

    status = 409


class ReadingsMoved(Problem):
    """Readings changed while they were being moved between tiers; nothing of the move was kept."""

    status = 409


class MonthIsClosed(Problem):
    """The month has closed readings, which this way of loading cannot see."""

    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What closing a month did: channels, blocks, readings (with values) and bytes of payload and sums; `disk` is freed, in use, busy or default."""

    month: str
    channels: int
    blocks: int
    readings: int
    payload_bytes: int
    disk: str


def month_start(month: date | str) -> datetime:
    """The start of a UTC month of any date in it, or of YYYY-MM."""
    day = date.fromisoformat(f"{month}-01") if isinstance(month, str) else month
    return datetime(day.year, day.month, 1, tzinfo=UTC)


# Closing -------------------------------------------------------------------------------------------------------------------------------------------------------


def close_month(
    database: Database, actor: Actor, *, month: date | str, at: datetime, is_forced: bool = False, progress: Progress | None = None, channels_at_a_time: int = _CHANNELS
) -> Closed:
    """Move all blocks of a UTC month into the dense tier, some channels a transaction; again does what is left, and rows whose customers changed since.

    Raises:
        MonthNotOver: the month is not over at `at`.
        MonthNotReady: deliveries are on their way or not validated, or failures are open; `is_forced` closes nevertheless.
        ReadingsMoved: somebody kept changing readings of the month; what was closed until then stays closed.
    """
    start = month_start(month)
    named = f"{start:%Y-%m}"
    if at < queries.month_of(start)[1]:
        raise MonthNotOver(f"{named} is not over at {at:%Y-%m-%d %H:%M} UTC", cure="close a month once it has ended")
    with database.transaction(actor=actor) as conn:
        against = queries.hindrances(conn, start, at=at)
        if against and not is_forced:
            raise MonthNotReady(
                f"{named} is not ready to be closed: {', '.join(against)}", cure="validate and decide what is open (mains vee run, mains vee exceptions), or use --force"
            )
        straddling = queries.straddling(conn, start)
    for first in range(0, len(straddling), channels_at_a_time):
        with database.transaction(actor=actor) as conn:
            thaw(conn, straddling[first : first + channels_at_a_time], start)
    channels = blocks = readings = size = 0
    after = -(2**63)
    while True:
        with database.transaction(actor=actor) as conn:
            chunk = queries.channels_with_blocks(conn, start, after=after, limit=channels_at_a_time)
        if not chunk:
            break
        rows = _close_some(database, actor, chunk, start)
        after = chunk[-1]
        channels += len(chunk)
        blocks += sum(row.days for row in rows)
        readings += sum(row.n_valid for row in rows)
        size += sum(len(row.payload) + len(row.day_sums) for row in rows)
        if progress:
            progress(channels, readings)
    return Closed(month=named, channels=channels, blocks=blocks, readings=readings, payload_bytes=size, disk=free_month(database, actor, start))


def _close_some(database: Database, actor: Actor, channels: list[int], month: datetime) -> list[ClosedRow]:
    """Close a month of some channels in one transaction; again where somebody wrote in between."""
    for _ in range(_TRIES - 1):
        with suppress(ReadingsMoved), database.transaction(actor=actor) as conn:
            return _close(conn, channels, month)
    with database.transaction(actor=actor) as conn:
        return _close(conn, channels, month)


def _close(conn: Connection, channels: list[int], month: datetime) -> list[ClosedRow]:
    conn.execute(_sql.hold_month, {"month": month, "for_moving": True})
    if half := sorted({row.channel_id for row in queries.closed_rows(conn, channels, month)}):
        thaw(conn, half, month)
    blocks = queries.live_blocks(conn, channels, month)
    cuts = queries.cuts(conn, blocks, month)
    rows = [row for kept in blocks for row in packing.pack(kept, cuts=cuts)]
    come_back = packing.unpack_rows([as_told(row) for row in rows])
    for kept, again in zip(blocks, come_back, strict=True):
        if not _are_same(kept, again):
            raise ReadingsMoved(f"blocks of {kept.interval_s} s of {month:%Y-%m} would not come back as they are", cure="run mains db check, and report this with its answer")
    insert_closed(conn, rows)
    removed = conn.execute(_sql.remove_closed_blocks, {"channels": channels, "month": month}).fetchone()
    packed = (sum(map(len, blocks)), sum(int(kept.version.sum(dtype=np.int64)) for kept in blocks), sum(int(kept.batch_id.sum(dtype=np.int64)) for kept in blocks))
    if removed is None or tuple(map(int, removed)) != packed:
        raise ReadingsMoved(
            f"readings of {month:%Y-%m} of channels {channels[0]} to {channels[-1]} changed while they were being closed, or have totals that their values do not give",
            cure="close the month again; if it stays so, see mains db check",
        )
    return rows


def insert_closed(conn: Connection, rows: Sequence[ClosedRow]) -> None:
    """Store closed rows; their channel-days must be in no tier after the transaction but this one."""
    if rows:
        columns = {name: [getattr(row, name) for row in rows] for name in ClosedRow.__slots__}
        pieces = [len(payload) // _PIECE * _PIECE for payload in columns["payload"]]
        columns["payload_end"] = [payload[end:] for payload, end in zip(columns["payload"], pieces, strict=True)]
        columns["payload"] = [payload[:end] for payload, end in zip(columns["payload"], pieces, strict=True)]
        conn.execute(_sql.insert_closed, columns)


def as_told(row: ClosedRow) -> Told:
    """A closed row as it will be read."""
    return Told(
        channel_id=row.channel_id, first_day_at=row.first_day_at, interval_s=row.interval_s, utc_offset_min=row.utc_offset_min, days=row.days, payload=row.payload
    )  # fmt: skip


def _are_same(kept: Kept, again: Kept) -> bool:
    """Whether two sets of blocks are the same, whatever their order."""
    a, b = (each.where(np.lexsort((each.block_start, each.channel_id))) for each in (kept, again))
    same = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in Kept.__slots__ if name not in ("interval_s", "qual"))
    return same and np.array_equal(a.qual[a.is_mixed], b.qual[b.is_mixed]) if a.is_mixed.any() else same


def free_month(database: Database, actor: Actor, month: datetime, *, wait_s: float = 5.0) -> str:
    """Give back the disk of a month without live blocks, once nobody reads as of before they were moved: freed, in use, busy or default."""
    with database.transaction(actor=actor) as conn:
        older = queries.running_transactions(conn)
    until = time.monotonic() + wait_s
    while older:
        with database.transaction(actor=actor) as conn:
            older &= queries.running_transactions(conn)
        if older and time.monotonic() > until:
            return "busy"
        if older:
            time.sleep(0.05)
    with database.transaction(actor=actor) as conn:
        row = conn.execute(_sql.free_month, {"month": month}).fetchone()
        assert row is not None  # a function always answers
        return row[0]


# Thawing -------------------------------------------------------------------------------------------------------------------------------------------------------


def thaw(conn: Connection, channels: Sequence[int], month: datetime | date) -> int:
    """Make the closed readings of channels in a UTC month live again, as they were; how many blocks. The month's partition must be there (it is never dropped)."""
    start = month_start(month)
    conn.execute(_sql.hold_month, {"month": start, "for_moving": False})
    rows = queries.closed_rows(conn, channels, start)
    if not rows:
        return 0
    blocks = packing.unpack_rows(rows)
    for kept in blocks:
        insert_live(conn, kept)
    conn.execute(_sql.remove_thawed, {"channels": list(channels), "month": start})
    return sum(map(len, blocks))


def thaw_month(database: Database, actor: Actor, *, month: date | str, progress: Progress | None = None, channels_at_a_time: int = _CHANNELS) -> tuple[int, int]:
    """Make all closed readings of a UTC month live again, some channels a transaction; how many channels and blocks."""
    start = month_start(month)
    after, channels, blocks = -(2**63), 0, 0
    while True:
        with database.transaction(actor=actor) as conn:
            chunk = queries.channels_closed(conn, start, after=after, limit=channels_at_a_time)
            if not chunk:
                return channels, blocks
            blocks += thaw(conn, chunk, start)
        after = chunk[-1]
        channels += len(chunk)
        if progress:
            progress(channels, blocks)


def insert_live(conn: Connection, kept: Kept) -> None:
    """Store blocks as live ones, as they are; one that is there stays."""
    conn.execute(_sql.thaw_blocks, columns(kept))


def columns(kept: Kept) -> dict[str, list]:
    """Blocks as the columns of the live tier."""
    n_valid, total, peak = kept.n_valid, kept.total, kept.peak
    wide, narrow = kept.values.astype("<i4"), kept.values.astype("<i2")  # the smallest number of each width is what stands for a missing one
    narrow[kept.values == -(2**31)] = -(2**15)
    found: dict[str, list] = {name: getattr(kept, name).tolist() for name in ("channel_id", "block_start", "batch_id", "utc_offset_min", "version", "quality", "width")}
    return found | {
        "total": total.tolist(), "peak": peak.tolist(), "n_valid": n_valid.tolist(), "interval_s": [kept.interval_s] * len(kept),
        "vals": [(wide if width == 4 else narrow)[i].tobytes() for i, width in enumerate(found["width"])],
        "qual": [kept.qual[i].tobytes() if mixed else None for i, mixed in enumerate(kept.is_mixed.tolist())],
    }  # fmt: skip


# What writers do ---------------------------------------------------------------------------------------------------------------------------------------------


def ready_to_write(conn: Connection, channels: Sequence[int], from_at: datetime, to_at: datetime) -> int:
    """Before blocks of channels that start in [from_at, to_at) are written in this transaction: hold their months, and thaw what is closed of them; how many blocks that were."""
    last = to_at - timedelta(microseconds=1)
    conn.execute(_sql.hold_months, {"first": from_at, "last": last})
    return sum(thaw(conn, channels, month) for month in queries.months_closed_between(conn, from_at, last))


def thaw_staged(conn: Connection, first: datetime, last: datetime) -> None:
    """Before staged blocks that start in [first, last] are merged: hold their months, forget those that closed readings already say, and thaw the channel-months of the others."""
    conn.execute(_sql.hold_months, {"first": first, "last": last})
    for month, channels in queries.staged_on_closed(conn, first, last).items():
        for at in range(0, len(channels), _CHANNELS):
            some = channels[at : at + _CHANNELS]
            differing = _forget_same(conn, some, month)
            if differing:
                thaw(conn, differing, month)


def _forget_same(conn: Connection, channels: list[int], month: datetime) -> list[int]:
    """Take staged blocks out that are closed already, for channels all of whose staged blocks are; the other channels."""
    stored = {}
    for kept in packing.unpack_rows(queries.closed_rows(conn, channels, month)):
        for packed in packing.as_packed(kept):
            is_mixed = "qual" in (packed.records.dtype.names or ())
            quals = packed.records["qual"] if is_mixed else [None] * len(packed.records)
            for channel, start, quality, values, qual in zip(
                packed.channel_id.tolist(), packed.block_start.tolist(), packed.records["quality"].tolist(), packed.records["vals"], quals, strict=True
            ):
                stored[channel, start] = (kept.interval_s, packed.width, quality, values.tobytes(), None if qual is None else qual.tobytes())
    same: dict[int, list[int]] = {channel: [] for channel in channels}
    differing = set()
    for channel, start, *block in queries.staged_blocks(conn, channels, month):
        if stored.get((channel, start)) == tuple(block):
            same[channel].append(start)
        else:
            differing.add(channel)
    forget = [(channel, start) for channel in channels if channel not in differing for start in same[channel]]
    if forget:
        conn.execute(_sql.forget_staged, {"channels": [each[0] for each in forget], "starts": [each[1] for each in forget]})
    return sorted(differing)


def refuse_closed(conn: Connection, from_at: datetime, to_at: datetime) -> None:
    """Before a first load of days in [from_at, to_at], which sees no closed readings.

    Raises:
        MonthIsClosed: some of these months have closed readings.
    """
    if months := queries.months_closed_between(conn, from_at, to_at):
        raise MonthIsClosed(
            f"{', '.join(f'{month:%Y-%m}' for month in months)} has closed readings, so it cannot be loaded the fast way",
            cure="use mains readings import, which compares with what is stored",
        )
