"""Reading in bulk: the intervals of many channels over a stretch of time as dense arrays, and fingerprints of what was read.

Blocks are standard-time days, so a local day, a month or a billing period is a slice, whatever the clocks did in it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.metering.blocks import DAY
from mains.metering.closing import packing
from mains.metering.model import MISSING, Quality
from mains.metering.wire import Packed, unpack, with_gaps_marked

_sql = Statements("mains.metering", "queries.sql")
_AT_A_TIME = 16_000_000
_WAITING = np.dtype([("channel", ">i8"), ("start", ">i8"), ("raw", ">i4"), ("quality", ">i2"), ("batch", ">i4")])


class IntervalsDiffer(Problem):
    """The channels, or the days of one, have intervals of different lengths."""

    status = 422


class ChannelNotFound(Problem):
    """A channel is not here, or belongs to another utility."""

    status = 404


class WindowNotOnGrid(Problem):
    """The stretch of time does not begin and end with an interval."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readings:
    """Intervals of channels that start in [from_at, to_at), dense: row i is channel_ids[i], column k starts at from_at + k x interval_s.

    `values` int32 raw, `MISSING` where there is nothing; `quality` uint8, `Quality.MISSING` there; both [channels, intervals].
    `versions` int16 [channels]: the highest version among the blocks read, 0 where there are none. `fingerprints`: see `block_fingerprints`; None unless asked for.
    """

    channel_ids: NDArray[np.int64]
    from_at: datetime
    to_at: datetime
    interval_s: int
    values: NDArray[np.int32]
    quality: NDArray[np.uint8]
    versions: NDArray[np.int16]
    fingerprints: list[bytes] | None = None

    def starts(self) -> NDArray[np.int64]:
        """Start of each interval, epoch seconds."""
        return int(self.from_at.timestamp()) + np.arange(self.values.shape[1], dtype=np.int64) * self.interval_s


def load(
    conn: Connection, channel_ids: Sequence[int], from_at: datetime, to_at: datetime, *, interval_s: int | None = None, with_fingerprints: bool = False
) -> Readings:
    """Intervals of channels of one interval length that start in [from_at, to_at), in the order asked; instants are aware.

    `interval_s` None takes the length that the channels have.

    Raises:
        ChannelNotFound: a channel is not here.
        IntervalsDiffer: channels or stored days differ in interval length.
        WindowNotOnGrid: from_at or to_at lies inside an interval.
    """
    return _load(conn, channel_ids, from_at, to_at, interval_s=interval_s, with_fingerprints=with_fingerprints, as_of=None)


def load_as_of(
    conn: Connection, channel_ids: Sequence[int], from_at: datetime, to_at: datetime, *, as_of: datetime, interval_s: int | None = None, with_fingerprints: bool = False
) -> Readings:
    """The same as the store held it at the instant `as_of` of the database's clock, from the history of blocks that were replaced since."""
    return _load(conn, channel_ids, from_at, to_at, interval_s=interval_s, with_fingerprints=with_fingerprints, as_of=as_of)


def block_fingerprints(conn: Connection, channel_ids: Sequence[int], from_at: datetime, to_at: datetime, *, as_of: datetime | None = None) -> list[bytes]:
    """SHA-256 of each channel's blocks that touch [from_at, to_at), in the order asked: proof of what a bill was made from.

    Hashed is, block after block in order of time: interval length (4 bytes), width (2), then channel, start, version, offset, quality, count of values, values and qualities
    as the database packs them. A channel without blocks has the hash of nothing.
    """
    wanted = np.asarray(channel_ids, dtype=np.int64)
    return _fingerprints(wanted, list(packed_blocks(conn, wanted, from_at, to_at, as_of=as_of)))


def _load(
    conn: Connection, channel_ids: Sequence[int], from_at: datetime, to_at: datetime, *, interval_s: int | None, with_fingerprints: bool, as_of: datetime | None
) -> Readings:
    wanted = np.asarray(channel_ids, dtype=np.int64)
    step = interval_s or _interval_of(conn, wanted)
    begin, end = from_at.timestamp(), to_at.timestamp()
    if begin % 60 or end % 60 or (end - begin) % step or begin > end:
        raise WindowNotOnGrid(f"[{from_at.isoformat()}, {to_at.isoformat()}) is not a whole number of intervals of {step} s", cure="let both ends fall on an interval's start")
    count = int(end - begin) // step
    order = np.argsort(wanted, kind="stable")
    if (np.diff(wanted[order]) == 0).any():
        raise ValueError("a channel was asked for twice")
    found = list(_read(conn, wanted, from_at, to_at, as_of=as_of, at_a_time=max(1, _AT_A_TIME // max(count, 1))))
    groups = [each for each in found if isinstance(each, Packed)]
    for packed in groups:
        if packed.interval_s != step:
            raise IntervalsDiffer(
                f"channel {packed.channel_id[0]} has days of {packed.interval_s} s intervals between {from_at.isoformat()} and {to_at.isoformat()}, not {step} s",
                cure="load the days before and after the change apart",
            )
    rows = [order[np.searchsorted(wanted, packed.channel_id, sorter=order)] for packed in groups]
    window = _Window(begin=int(begin), count=count, step=step)
    values, quality = _laid_out(groups, rows, len(wanted), window)
    for waiting in found:
        if isinstance(waiting, bytes):
            _lay_waiting_over(waiting, wanted, window, values, quality)
    versions = np.zeros(len(wanted), dtype=np.int16)
    for packed, row in zip(groups, rows, strict=True):
        np.maximum.at(versions, row, packed.records["version"].astype(np.int16))
    return Readings(
        channel_ids=wanted, from_at=from_at, to_at=to_at, interval_s=step, values=values, quality=quality, versions=versions,
        fingerprints=_fingerprints(wanted, groups) if with_fingerprints else None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """A stretch of time as columns: `count` intervals of `step` s from `begin`, epoch seconds."""

    begin: int
    count: int
    step: int


def _laid_out(groups: list[Packed], rows: list[NDArray[np.intp]], channels: int, window: _Window) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Values and qualities [channels, window.count]: whole days are laid side by side, and the window is cut out of them.

    Channels of several standard offsets have days that begin at different columns; each offset is laid out alone and cut to the same instants.
    """
    offsets = sorted({offset for packed in groups for offset in np.unique(packed.utc_offset_min).tolist()})
    if not offsets or not window.count:
        shape = (channels, window.count)
        return np.full(shape, MISSING, dtype=np.int32), np.full(shape, Quality.MISSING, dtype=np.uint8)
    slots = DAY // window.step
    found: tuple[NDArray[np.int32], NDArray[np.uint8]] | None = None
    for offset in offsets:
        lead = (window.begin + offset * 60) % DAY
        if lead % window.step:
            raise WindowNotOnGrid(f"the window begins inside an interval of channels at UTC{offset / 60:+g} h", cure="let both ends fall on an interval's start")
        days = -(-(lead // window.step + window.count) // slots)
        values = np.full((channels, days, slots), MISSING, dtype=np.int32)
        quality = np.full((channels, days, slots), Quality.MISSING, dtype=np.uint8)
        touched = np.zeros(channels, dtype=bool)
        for packed, row in zip(groups, rows, strict=True):
            chosen = slice(None) if len(offsets) == 1 else packed.utc_offset_min == offset
            part = Packed(interval_s=packed.interval_s, records=packed.records[chosen])
            _place(part, row[chosen], (part.block_start - (window.begin - lead)) // DAY, values, quality)
            touched[row[chosen]] = True
        cut = slice(lead // window.step, lead // window.step + window.count)
        laid = values.reshape(channels, -1)[:, cut], quality.reshape(channels, -1)[:, cut]
        if found is None:
            found = np.ascontiguousarray(laid[0]), np.ascontiguousarray(laid[1])
        else:  # a channel whose offset was moved has days of both
            gaps = touched[:, None] & (laid[0] != MISSING)
            found[0][gaps], found[1][gaps] = laid[0][gaps], laid[1][gaps]
    assert found is not None  # there is an offset
    return found


def _place(packed: Packed, row: NDArray[np.intp], day: NDArray[np.int64], values: NDArray[np.int32], quality: NDArray[np.uint8]) -> None:
    """Put blocks at their channel and day."""
    values[row, day] = packed.records["vals"]
    quality[row, day] = packed.quality()
    gaps = np.flatnonzero(packed.has_gaps)
    if len(gaps):
        exact = Packed(interval_s=packed.interval_s, records=packed.records[gaps]).values()
        values[row[gaps], day[gaps]] = exact
        quality[row[gaps], day[gaps]] = with_gaps_marked(exact, quality[row[gaps], day[gaps]])


def packed_blocks(
    conn: Connection, channels: NDArray[np.int64], from_at: datetime, to_at: datetime, *, as_of: datetime | None = None, at_a_time: int = 10_000
) -> Iterator[Packed]:
    """Blocks of channels that touch a stretch of time, live and closed alike, in groups of one size, some channels at a time."""
    for found in _read(conn, channels, from_at, to_at, as_of=as_of, at_a_time=at_a_time):
        if isinstance(found, Packed):
            yield found


def _read(
    conn: Connection, channels: NDArray[np.int64], from_at: datetime, to_at: datetime, *, as_of: datetime | None = None, at_a_time: int = 10_000
) -> Iterator[Packed | bytes]:
    """The same, and between them what waits in the inbox for these channels and this time, as records of `_WAITING`; nothing waits `as_of` an instant."""
    statement: LiteralString = _sql.packed_blocks if as_of is None else _sql.packed_blocks_as_of
    distinct = np.unique(channels)
    for at in range(0, len(distinct), at_a_time):
        asked = {"channels": distinct[at : at + at_a_time].tolist(), "from_at": from_at, "to_at": to_at, "as_of": as_of}
        closed: list[bytes] = []
        with conn.cursor(binary=True) as cursor:
            for interval_s, width, is_mixed, packed in cursor.execute(statement, asked):
                if width:
                    yield _touching(unpack(packed, interval_s=interval_s, width=width, is_mixed=is_mixed), from_at, to_at)
                elif interval_s:
                    yield packed
                else:
                    closed.append(packed)
        if closed:
            yield from _closed(conn, closed, asked)


def _lay_waiting_over(found: bytes, channels: NDArray[np.int64], window: _Window, values: NDArray[np.int32], quality: NDArray[np.uint8]) -> None:
    """Readings of the inbox over what is in blocks, by the rule by which they will be merged into them."""
    from mains.metering import inbox

    records = np.frombuffer(found, dtype=_WAITING)
    waiting = inbox.Waiting(
        channel=records["channel"].astype(np.int64), start_us=records["start"] + inbox.EPOCH_2000 * 1_000_000, raw=records["raw"].astype(np.int32),
        quality=records["quality"].astype(np.uint8), batch=records["batch"].astype(np.int32),
    )  # fmt: skip
    inbox.lay_over(waiting, channels, window.begin, window.step, values, quality)


def _touching(packed: Packed, from_at: datetime, to_at: datetime) -> Packed:
    """The blocks that touch a stretch of time."""
    start = packed.block_start
    touches = (start + DAY > from_at.timestamp()) & (start < to_at.timestamp())
    return packed if touches.all() else Packed(interval_s=packed.interval_s, records=packed.records[touches])


def _closed(conn: Connection, rows: list[bytes], asked: dict[str, Any]) -> Iterator[Packed]:
    """Blocks of closed rows as the live tier would send them; with `as_of`, those that stood then."""
    kept = packing.unpack_rows([packing.told(row) for row in rows])
    if asked["as_of"] is not None:
        replaced = set(conn.execute(_sql.replaced_since, asked).fetchall())
        batches = sorted({batch for each in kept for batch in np.unique(each.batch_id).tolist()})
        known = [row[0] for row in conn.execute(_sql.stored_by, asked | {"batches": batches})]
        kept = [each.where(_stood(each, replaced, known)) for each in kept]
    for each in kept:
        for packed in packing.as_packed(each):
            yield _touching(packed, asked["from_at"], asked["to_at"])


def _stood(kept: packing.Kept, replaced: set[tuple[int, int]], known: list[int]) -> NDArray[np.bool_]:
    """Which closed blocks stood then: not replaced since, and if in their first version, of a delivery that had been stored."""
    keys = zip(kept.channel_id.tolist(), kept.block_start.tolist(), strict=True)
    newer = np.fromiter((key in replaced for key in keys), dtype=bool, count=len(kept))
    return ~newer & ((kept.version > 1) | np.isin(kept.batch_id, known))


def _fingerprints(wanted: NDArray[np.int64], groups: list[Packed]) -> list[bytes]:
    """SHA-256 a channel over its blocks in order of time."""
    hashes = {channel: hashlib.sha256() for channel in wanted.tolist()}
    pieces: list[tuple[int, int, bytes]] = []
    for group in groups:
        size, raw = group.records.dtype.itemsize, group.records.tobytes()
        head = group.interval_s.to_bytes(4) + group.width.to_bytes(2)
        for i, (channel, start) in enumerate(zip(group.channel_id.tolist(), group.block_start.tolist(), strict=True)):
            pieces.append((channel, start, head + raw[i * size : (i + 1) * size]))
    for channel, _, piece in sorted(pieces, key=lambda each: each[:2]):
        hashes[channel].update(piece)
    return [hashes[channel].digest() for channel in wanted.tolist()]


def _interval_of(conn: Connection, channels: NDArray[np.int64]) -> int:
    """The one interval length of channels, s."""
    found = dict(conn.execute(_sql.interval_of_channels, {"channels": np.unique(channels).tolist()}).fetchall())
    missing = [channel for channel in channels.tolist() if channel not in found]
    if missing:
        raise ChannelNotFound(f"channel {missing[0]} is not here", cure="see mains readings show, or GET /v1/channels")
    lengths = set(found.values())
    if len(lengths) > 1 or None in lengths:
        raise IntervalsDiffer(
            "the channels have intervals of " + ", ".join("no length (registers)" if each is None else f"{each} s" for each in sorted(lengths, key=str)),
            cure="load channels of one length together; registers are read with registers.usage",
        )
    return lengths.pop() if lengths else 900


def as_instant(epoch_s: int) -> datetime:
    """An instant of epoch seconds, aware, also before 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch_s)
