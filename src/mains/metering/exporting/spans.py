"""The readings of a stretch as arrays, some weeks at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.problems import Problem
from mains.metering.blocks import DAY
from mains.metering.exporting.selecting import Stretch
from mains.metering.load import IntervalsDiffer, as_instant, load, packed_blocks
from mains.metering.model import MISSING
from mains.metering.wire import with_gaps_marked

AT_A_TIME = timedelta(days=124)
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class TooPreciseToExport(Problem):
    """A channel's value does not fit the numbers of a format."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Span:
    """Intervals of one length of a stretch in order of time: `starts` epoch s, `values` int32 raw with `MISSING`, `quality` uint8; of one length."""

    stretch: Stretch
    interval_s: int
    starts: NDArray[np.int64]
    values: NDArray[np.int32]
    quality: NDArray[np.uint8]

    def where(self, chosen: NDArray[np.bool_]) -> "Span":
        """Some of them."""
        return Span(stretch=self.stretch, interval_s=self.interval_s, starts=self.starts[chosen], values=self.values[chosen], quality=self.quality[chosen])


def spans(conn: Connection, stretches: Iterable[Stretch], *, at_a_time: timedelta = AT_A_TIME) -> Iterator[Span]:
    """The readings of stretches, one after the other; a change of the interval's length begins another span."""
    for stretch in stretches:
        at, last = max(stretch.from_at, _EARLIEST), min(stretch.to_at, _LATEST)
        while at < last:
            end = min(last, at + at_a_time)
            yield from _spans(conn, stretch, at, end)
            at = end


def mantissa_and_power(step: Decimal) -> tuple[int, int]:
    """A raw step as a whole number x 10^power, as small as it goes.

    >>> mantissa_and_power(Decimal("0.250")), mantissa_and_power(Decimal("1E+3"))
    ((25, -2), (1, 3))
    """
    _, digits, exponent = step.normalize().as_tuple()
    assert isinstance(exponent, int)  # a step is finite
    return int("".join(map(str, digits))), exponent


def _spans(conn: Connection, stretch: Stretch, from_at: datetime, to_at: datetime) -> Iterator[Span]:
    """The spans of one reach into the database, what waits in the inbox included; days without any reading are left out."""
    channel, begin, end = stretch.channel, from_at.timestamp(), to_at.timestamp()
    if channel.interval_s is None:
        return
    step, shift = channel.interval_s, channel.utc_offset_min * 60
    first, last = (begin + shift) // DAY * DAY - shift, -(-(end + shift) // DAY) * DAY - shift
    try:
        found = load(conn, [channel.channel_id], as_instant(int(first)), as_instant(int(last)), interval_s=step)
    except IntervalsDiffer:
        yield from _changing(conn, stretch, begin, end)
        return
    has_any = np.repeat((found.values.reshape(-1, DAY // step) != MISSING).any(axis=1), DAY // step)
    starts = found.starts()
    span = Span(stretch=stretch, interval_s=step, starts=starts, values=found.values[0], quality=found.quality[0])
    span = span.where(has_any & (starts >= begin) & (starts < end))
    if len(span.starts):
        yield span


def _changing(conn: Connection, stretch: Stretch, begin: float, end: float) -> Iterator[Span]:
    """The spans of a channel whose days have intervals of several lengths, from its blocks."""
    days: list[tuple[NDArray[np.int64], int, NDArray[np.int32], NDArray[np.uint8]]] = []
    for packed in packed_blocks(conn, np.array([stretch.channel.channel_id]), as_instant(int(begin)), as_instant(int(end))):
        values = packed.values()
        quality = with_gaps_marked(values, packed.quality())
        starts = packed.block_start[:, None] + np.arange(values.shape[1], dtype=np.int64) * packed.interval_s
        days += [(starts[i], packed.interval_s, values[i], quality[i]) for i in range(len(values))]
    days.sort(key=lambda day: int(day[0][0]))
    for interval_s, same in groupby(days, key=lambda day: day[1]):
        starts, values, quality = (np.concatenate(column) for column in zip(*((day[0], day[2], day[3]) for day in same), strict=True))
        span = Span(stretch=stretch, interval_s=interval_s, starts=starts, values=values, quality=quality).where((starts >= begin) & (starts < end))
        if len(span.starts):
            yield span
