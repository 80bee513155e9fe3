"""Windows from the database: the values that are judged with the days around them, what the days before add up to, and what the dials showed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.sql import Statements
from mains.metering.load import as_instant, packed_blocks
from mains.metering.model import MISSING, Quality
from mains.metering.vee.known import CLASSES, Known, excused, facts_of
from mains.metering.vee.model import DAY, ELIGIBLE, Heads, RegisterSpans, Window
from mains.metering.vee.touched import Piece
from mains.metering.wire import Packed, with_gaps_marked

_sql = Statements("mains.metering.vee", "queries.sql")

RECENT = 62
"""Days before a window whose totals are read: the two billing periods before."""
_YEAR = 364
_AROUND = 31
_HEAD = np.dtype([("channel_id", ">i8"), ("block_start", ">i8"), ("total", ">i8"), ("peak", ">i4"), ("n_valid", ">i2"), ("is_estimated", ">i2")])
_EPOCH_2000 = 946_684_800


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """A window and the versions of its blocks, int16 [channels, days], 0 where there is none; `quality` as stored, uint8, or None where all is actual."""

    window: Window
    versions: NDArray[np.int16]
    stored_quality: NDArray[np.uint8] | None


def load_window(
    conn: Connection, piece: Piece, known: Known, *, zone: ZoneInfo, now: int, context_days: int = 0, tail_days: int = 0, also_due: Sequence[tuple[int, int, int]] = (),
    with_heads: bool = True,
) -> Loaded:  # fmt: skip
    """The window of a piece, with `context_days` of values before it where they are there, `tail_days` after it, and totals of the days before those.

    `also_due` are stretches (row, from, to in epoch s) whose days are judged as well, where they lie in the window.

    Readings that failed a check before are judged again, as raw ones. A day between two that are there is due where it has no readings at all: it is missing. Of a channel that
    has no readings before the window, nothing is expected before its first one.
    """
    ids, slots = piece.channel_ids, DAY // piece.interval_s
    lead = context_days
    values, quality, versions = _values(conn, piece, lead, tail_days)
    there = versions > 0
    empty = there[:, :lead].any(axis=0)
    spare = int(empty.argmax()) if empty.any() else lead  # days of context that nobody has
    if spare:
        values, versions, there = values[:, spare:], versions[:, spare:], there[:, spare:]
        quality = None if quality is None else quality[:, spare:]
        lead -= spare
    first, days = piece.first_day - lead * DAY, values.shape[1]
    is_due = np.zeros((len(ids), days), dtype=bool)
    is_due[:, lead : lead + piece.is_due.shape[1]] = piece.is_due
    is_due |= _skipped(there, is_due)
    for row, from_s, to_s in also_due:
        is_due[row, max((from_s - first) // DAY, 0) : max((to_s - 1 - first) // DAY + 1, 0)] = True
    mine = known.of(ids, first, first + days * DAY)
    outage, switched = excused(mine, ids=ids, first=first, days=days, slots=slots)
    judged = None if quality is None else np.where(quality == Quality.FAILED_CHECK, np.uint8(Quality.RAW), quality)
    heads = _heads(conn, piece, first) if with_heads else Heads.none(len(ids))
    facts = facts_of(mine, siblings_here=piece.siblings_here)
    facts = replace(facts, installed_from=np.maximum(facts.installed_from, _begins(values, heads, first=first, step=piece.interval_s)))
    window = Window(
        channel_ids=ids, first_day=first, utc_offset_min=piece.utc_offset_min, values=values, quality=judged, is_due=is_due, now=now,
        facts=facts, heads=heads, classes=CLASSES, excused=outage, is_disconnected=switched,
        registers=_register_spans(conn, mine, first=first, days=days, interval_s=piece.interval_s), local_shift_min=_shifts(zone, first, days, piece.utc_offset_min),
    )  # fmt: skip
    return Loaded(window=window, versions=versions, stored_quality=quality)


def _values(conn: Connection, piece: Piece, lead: int, tail: int) -> tuple[NDArray[np.int32], NDArray[np.uint8] | None, NDArray[np.int16]]:
    """Values, qualities (None where every reading is actual) and versions of the days of a piece, `lead` days before it and `tail` days after it."""
    ids, slots = piece.channel_ids, DAY // piece.interval_s
    n, days, first = len(ids), lead + piece.is_due.shape[1] + tail, piece.first_day - lead * DAY
    values = np.full((n, days, slots), MISSING, dtype=np.int32)
    versions = np.zeros((n, days), dtype=np.int16)
    quality: NDArray[np.uint8] | None = None
    for packed in packed_blocks(conn, ids, as_instant(first), as_instant(first + days * DAY)):
        start = packed.block_start
        fits = (packed.utc_offset_min == piece.utc_offset_min) & (start >= first) & (start < first + days * DAY)
        if packed.interval_s != piece.interval_s or not fits.any():
            continue
        part = packed if fits.all() else Packed(interval_s=packed.interval_s, records=packed.records[fits])
        row, day = np.searchsorted(ids, part.channel_id), (part.block_start - first) // DAY
        values[row, day] = found = part.values()
        versions[row, day] = part.records["version"].astype(np.int16)
        if "qual" not in (part.records.dtype.names or ()) and not part.records["quality"].any():
            continue
        if quality is None:
            quality = np.zeros((n, days, slots), dtype=np.uint8)
        quality[row, day] = with_gaps_marked(found, part.quality()) if part.has_gaps.any() else part.quality()
    if quality is not None:
        quality[values == MISSING] = Quality.MISSING
    return values, quality, versions


def _skipped(there: NDArray[np.bool_], is_due: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Days without a block that lie between one that is there and one that is due."""
    before = np.logical_or.accumulate(there, axis=1)
    after = np.logical_or.accumulate(is_due[:, ::-1], axis=1)[:, ::-1]
    return ~there & before & after


def _begins(values: NDArray[np.int32], heads: Heads, *, first: int, step: int) -> NDArray[np.int64]:
    """The start of the first reading of each channel, epoch seconds; the least number where there are readings before the window."""
    there = values.reshape(len(values), -1) != MISSING
    is_new = ~(heads.n_valid > 0).any(axis=1) & there.any(axis=1)
    return np.where(is_new, first + there.argmax(axis=1) * step, np.iinfo(np.int64).min)


def _heads(conn: Connection, piece: Piece, first: int) -> Heads:
    """Totals, peaks and counts of the days before a window, and of those around the same days a year ago."""
    days = piece.is_due.shape[1]
    spans = [(-_YEAR - _AROUND, min(-_YEAR + days + _AROUND, -RECENT)), (-RECENT, 0)]
    listed = [np.arange(begin, end, dtype=np.int32) for begin, end in spans]
    columns = np.concatenate(listed)
    n = len(piece.channel_ids)
    totals, peaks = np.zeros((n, len(columns)), dtype=np.int64), np.zeros((n, len(columns)), dtype=np.int32)
    n_valid, estimated = np.zeros((n, len(columns)), dtype=np.int16), np.zeros((n, len(columns)), dtype=bool)
    for begin, end in spans:
        asked = {
            "channels": piece.channel_ids.tolist(), "from_at": as_instant(first + begin * DAY), "to_at": as_instant(first + end * DAY), "interval_s": piece.interval_s,
            "utc_offset_min": piece.utc_offset_min,
        }  # fmt: skip
        with conn.cursor(binary=True) as cursor:
            row = cursor.execute(_sql.heads_between, asked).fetchone()
        assert row is not None  # an aggregate always answers
        found = np.frombuffer(row[0], dtype=_HEAD)
        rows = np.searchsorted(piece.channel_ids, found["channel_id"].astype(np.int64))
        day = (found["block_start"].astype(np.int64) // 1_000_000 + _EPOCH_2000 - first) // DAY
        at = np.searchsorted(columns, day)
        totals[rows, at], peaks[rows, at], n_valid[rows, at], estimated[rows, at] = found["total"], found["peak"], found["n_valid"], found["is_estimated"]
    used = n_valid.any(axis=0)
    return Heads(days=columns[used], totals=totals[:, used], peaks=peaks[:, used], n_valid=n_valid[:, used], is_estimated=estimated[:, used])


def _register_spans(conn: Connection, known: Known, *, first: int, days: int, interval_s: int) -> RegisterSpans | None:
    """What the dials of the same meters used between reads that lie on interval starts inside the window; None where no meter has such a dial."""
    dials = known.channels["dial"].astype(np.int64)
    rows = np.flatnonzero(dials >= 0)
    if not len(rows):
        return None
    row_of = {int(dials[row]): int(row) for row in rows}
    asked = {"channels": list(row_of), "from_at": as_instant(first), "to_at": as_instant(first + days * DAY)}
    spans: list[tuple[int, int, int, float, float, bool, bool]] = []
    last: tuple[int, int, int, int] | None = None
    for channel, read_at, raw, quality in conn.execute(_sql.dial_reads, asked):
        offset = int(read_at.timestamp()) - first
        if offset % interval_s:
            continue
        here = (channel, offset // interval_s, raw, quality)
        if last is not None and last[0] == channel:
            row = row_of[channel]
            digits, ratio = int(known.channels["dial_digits"][row]), float(known.channels["dial_step"][row]) / float(known.channels["step"][row])
            used = raw - last[2]
            if used < 0 and digits and used + 10**digits <= 10**digits // 2:
                used += 10**digits
            spans.append((row, last[1], here[1], used * ratio, ratio, bool(ELIGIBLE[last[3]] and ELIGIBLE[quality]), used < 0))
        last = here
    if not spans:
        return None
    row, begin, end, used, resolution, is_actual, is_backward = map(np.array, zip(*spans, strict=True))
    return RegisterSpans.of(row=row, first=begin, last=end, raw=used, resolution=resolution, is_actual=is_actual, is_backward=is_backward)


def _shifts(zone: ZoneInfo, first: int, days: int, offset_min: int) -> NDArray[np.int16]:
    """How far the local clock is ahead of the channel's standard time at each midnight, minutes; 0 where the zone is another one altogether."""
    at = datetime.fromtimestamp(first, UTC)
    found = np.empty(days + 1, dtype=np.int16)
    for day in range(days + 1):
        shift = (at + timedelta(days=day)).astimezone(zone).utcoffset()
        assert shift is not None  # a zone always has an offset
        found[day] = shift.total_seconds() // 60 - offset_min
    return found if ((found >= 0) & (found <= 120)).all() else np.zeros_like(found)
