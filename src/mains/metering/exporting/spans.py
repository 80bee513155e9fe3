"""The readings of a stretch as arrays, some weeks at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.problems import Problem
from mains.metering.exporting.selecting import Stretch
from mains.metering.load import packed_blocks
from mains.metering.wire import with_gaps_marked

AT_A_TIME = timedelta(days=124)


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
        at = stretch.from_at
        while at < stretch.to_at:
            end = min(stretch.to_at, _later(at, at_a_time, stretch.to_at))
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


def _later(at: datetime, more: timedelta, last: datetime) -> datetime:
    return last if last - at <= more else at + more


def _spans(conn: Connection, stretch: Stretch, from_at: datetime, to_at: datetime) -> Iterator[Span]:
    """The spans of one reach into the database."""
    begin, end = from_at.timestamp(), to_at.timestamp()
    days: list[tuple[NDArray[np.int64], int, NDArray[np.int32], NDArray[np.uint8]]] = []
    for packed in packed_blocks(conn, np.array([stretch.channel.channel_id]), from_at, to_at):
        values = packed.values()
        quality = with_gaps_marked(values, packed.quality())
        starts = packed.block_start[:, None] + np.arange(values.shape[1], dtype=np.int64) * packed.interval_s
        days += [(starts[i], packed.interval_s, values[i], quality[i]) for i in range(len(values))]
    days.sort(key=lambda day: int(day[0][0]))
    lengths = [day[1] for day in days]
    edges = [0, *(i for i in range(1, len(days)) if lengths[i] != lengths[i - 1]), len(days)]
    for a, b in pairwise(edges):
        if a == b:
            continue
        starts, values, quality = (np.concatenate([day[i] for day in days[a:b]]) for i in (0, 2, 3))
        span = Span(stretch=stretch, interval_s=lengths[a], starts=starts, values=values, quality=quality.astype(np.uint8))
        inside = (starts >= begin) & (starts < end)
        span = span if inside.all() else span.where(inside)
        if len(span.starts):
            yield span
