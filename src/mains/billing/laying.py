"""Several channels side by side: the readings of a service whose meter was exchanged, or whose channel was changed, laid on one grid. Pure but for the reading itself.

A reading belongs to a span where it starts in it. The interval in which a meter was exchanged is measured by both: the old meter's reading of it is its own, and what the new
one counted of it before its first whole interval is added where it was delivered. Finer readings are added up to the grid; nothing is ever shared out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.units import UNITS
from mains.billing.model import ChannelSpan, Service
from mains.metering import load
from mains.metering.model import MISSING, Quality

_BY_DOUBT = (
    Quality.VALIDATED, Quality.ACTUAL, Quality.EDITED, Quality.FINAL_SUBSTITUTE, Quality.RAW, Quality.DERIVED, Quality.SUBSTITUTED, Quality.ESTIMATED, Quality.FORECAST,
    Quality.QUESTIONABLE, Quality.FAILED_CHECK, Quality.MISSING,
)  # fmt: skip
_DOUBT = np.zeros(256, dtype=np.uint8)
_DOUBT[[int(quality) for quality in _BY_DOUBT]] = np.arange(len(_BY_DOUBT))
_QUALITY = np.array([int(quality) for quality in _BY_DOUBT], dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpanReadings:
    """The readings of one channel over a period at its own length: int32 `values` with `MISSING`, uint8 `quality`, and the highest version among the blocks read."""

    interval_s: int
    values: NDArray[np.int32]
    quality: NDArray[np.uint8]
    version: int


def read_channels(conn: Connection, spans: Iterable[ChannelSpan], period: tuple[datetime, datetime], *, as_of: datetime | None = None) -> dict[int, SpanReadings]:
    """The readings of every channel that has intervals, over a whole period, by channel; `as_of` reads what the store held at that instant.

    Raises:
        IntervalsDiffer: stored days of a channel have another interval length than the channel.
        WindowNotOnGrid: the period does not begin and end with an interval.
    """
    by_length: dict[int, set[int]] = {}
    for span in spans:
        if span.interval_s is not None:
            by_length.setdefault(span.interval_s, set()).add(span.channel_id)
    found: dict[int, SpanReadings] = {}
    for interval_s, channels in by_length.items():
        ids = sorted(channels)
        read = (
            load.load(conn, ids, *period, interval_s=interval_s)
            if as_of is None
            else load.load_as_of(conn, ids, *period, as_of=as_of, interval_s=interval_s)
        )
        for row, channel in enumerate(ids):
            found[channel] = SpanReadings(interval_s=interval_s, values=read.values[row], quality=read.quality[row], version=int(read.versions[row]))
    return found


def seconds_between(start: datetime, end: datetime) -> int:
    """Seconds from one instant to another; not the difference of what their clocks show."""
    return int(end.timestamp()) - int(start.timestamp())


def cells_of(span: ChannelSpan, start: datetime) -> slice:
    """The columns of a channel's own grid, from `start` on, that a span covers: those whose intervals touch it."""
    assert span.interval_s is not None  # registers have no columns
    return slice(seconds_between(start, span.from_at) // span.interval_s, -(-seconds_between(start, span.to_at) // span.interval_s))


def is_owed(span: ChannelSpan, start: datetime) -> NDArray[np.bool_]:
    """Which of a span's columns start in it; the first may not, where the meter was hung inside an interval."""
    cells = cells_of(span, start)
    owed = np.ones(cells.stop - cells.start, dtype=bool)
    assert span.interval_s is not None  # registers have no columns
    owed[:1] = seconds_between(start, span.from_at) % span.interval_s == 0
    return owed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One service on one grid: `values` are integers of 10^-decimals kWh, 0 where missing; all arrays have one length."""

    values: NDArray[np.int64]
    quality: NDArray[np.uint8]
    is_missing: NDArray[np.bool_]


def lay_together(service: Service, read: Mapping[int, SpanReadings], *, interval_s: int, decimals: int) -> Row:
    """The channels of a service on one grid of `interval_s`, each where it measured; channels that measured at the same time add up.

    A cell is missing where a reading that is owed is missing, or where no channel covers the whole of it.
    """
    start = service.period[0]
    lengths = [span.interval_s for span in service.channels if span.interval_s is not None]
    unit = int(np.gcd.reduce([interval_s, *lengths]))
    count = seconds_between(*service.period) // interval_s
    values, doubt = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.uint8)
    is_missing, is_covered = np.zeros(count, dtype=bool), np.zeros((count, interval_s // unit), dtype=bool)
    for span in service.channels:
        one, cells, owed = read[span.channel_id], cells_of(span, start), is_owed(span, start)
        raw, is_there = one.values[cells], one.values[cells] != MISSING
        at = np.arange(cells.start, cells.stop) * one.interval_s // interval_s
        np.add.at(values, at, np.where(is_there, raw.astype(np.int64) * whole_steps(span, decimals), 0))
        np.maximum.at(doubt, at[is_there], _DOUBT[one.quality[cells]][is_there])
        is_missing[at[owed & ~is_there]] = True
        per = one.interval_s // unit
        is_covered.reshape(-1)[cells.start * per : cells.stop * per] |= np.repeat(owed | is_there, per)
    return Row(values=values, quality=_QUALITY[doubt], is_missing=is_missing | ~is_covered.all(axis=1))


def kwh_a_step(span: ChannelSpan) -> Decimal:
    """What one raw step of a channel is in kWh, exactly."""
    return span.units_per_step * UNITS[span.unit].factor / UNITS["kWh"].factor


def whole_steps(span: ChannelSpan, decimals: int) -> int:
    """What one raw step is in integers of 10^-decimals kWh."""
    return int(kwh_a_step(span).scaleb(decimals))


def without_intervals(span: ChannelSpan, intervals: Sequence[ChannelSpan]) -> list[tuple[datetime, datetime]]:
    """The parts of a span that no span with intervals measures, in order of time."""
    parts, begin = [], span.from_at
    for other in sorted(intervals, key=lambda each: each.from_at):
        if other.from_at > begin:
            parts.append((begin, min(other.from_at, span.to_at)))
        begin = max(begin, other.to_at)
        if begin >= span.to_at:
            break
    if begin < span.to_at:
        parts.append((begin, span.to_at))
    return [(first, last) for first, last in parts if first < last]
