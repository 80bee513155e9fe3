"""Adding readings up by group, day and bucket, exact. Pure numpy; no database.

Days are added as they come (`Sums.add`), each to the cell of its group and block; at the end the cells are cut at the days of UTC (`Sums.rows`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mains.metering.blocks import DAY, Blocks
from mains.metering.model import MISSING, Quality
from mains.metering.rollups import kernels
from mains.metering.rollups.places import Group, Places

ESTIMATED = (Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE)
_IS_ESTIMATED = np.zeros(256, dtype=bool)
_IS_ESTIMATED[list(ESTIMATED)] = True
_MOST_CELLS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """What is added to one row of `metering.rollup_days`; `day` counts from 1970-01-01 UTC, the arrays have 96 elements where `width_s` is 900, else 24."""

    group: Group
    width_s: int
    day: int
    totals: NDArray[np.int64]
    readings: NDArray[np.int32]
    estimated: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Days:
    """Days of channels to add: `values` int32 [days, intervals] with `MISSING` in the gaps; `quality` uint8 [days], or [days, intervals] where `is_mixed`."""

    interval_s: int
    channel_id: NDArray[np.int64]
    block_start: NDArray[np.int64]
    values: NDArray[np.int32]
    quality: NDArray[np.uint8]

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Days":
        """The chosen ones, by mask or by order."""
        return Days(
            interval_s=self.interval_s, channel_id=self.channel_id[chosen], block_start=self.block_start[chosen], values=self.values[chosen], quality=self.quality[chosen]
        )


def days_of(blocks: Blocks) -> Iterator[Days]:
    """Blocks as days to add; those of mixed quality apart."""
    mixed = np.flatnonzero(blocks.is_mixed) if blocks.qual is not None else np.empty(0, dtype=np.intp)
    plain = np.flatnonzero(~blocks.is_mixed) if len(mixed) else slice(None)
    for chosen, quality in ((plain, blocks.quality), (mixed, blocks.qual)):
        channels = blocks.channel_id[chosen]
        if len(channels) and quality is not None:
            yield Days(
                interval_s=blocks.interval_s, channel_id=channels, block_start=blocks.block_start[chosen], values=blocks.values[chosen], quality=quality[chosen]
            )


@dataclass(slots=True, kw_only=True, eq=False)
class _Cells:
    """Sums of one interval length: cell c is of `keys[c]` = (group, block start); arrays grow as cells come."""

    numbers: dict[tuple[int, int], int] = field(default_factory=dict)
    totals: NDArray[np.int64]
    readings: NDArray[np.int32]
    estimated: NDArray[np.int32]

    def at(self, keys: list[tuple[int, int]]) -> NDArray[np.int32]:
        """Numbers of cells, made where they are new."""
        found = np.array([self.numbers.setdefault(key, len(self.numbers)) for key in keys], dtype=np.int32)
        short = len(self.numbers) - len(self.totals)
        if short > 0:
            grown = max(short, len(self.totals))
            self.totals = np.concatenate((self.totals, np.zeros((grown, self.totals.shape[1]), dtype=np.int64)))
            more = np.zeros((grown, self.totals.shape[1]), dtype=np.int32)
            self.readings, self.estimated = np.concatenate((self.readings, more)), np.concatenate((self.estimated, more))
        return found


@dataclass(slots=True, kw_only=True, eq=False)
class Sums:
    """Readings added up; `places` says where they belong and must know every channel that is added."""

    places: Places
    _cells: dict[int, _Cells] = field(default_factory=dict)

    def add(self, days: Days, *, sign: int = 1) -> None:
        """Add days of readings, or with `sign` -1 take them away."""
        first = np.searchsorted(self.places.channel, days.channel_id)
        last = np.searchsorted(self.places.channel, days.channel_id, side="right")
        group = np.full(len(first), -2, dtype=np.int64)  # -2: not yet known, -1: without a sum
        group[first == last] = -1  # a channel that is not there
        most = int((last - first).max(initial=0))
        end = days.block_start + DAY
        is_within = np.zeros(len(first), dtype=bool)
        for k in range(most):
            at = np.minimum(first + k, len(self.places.channel) - 1)
            own = first + k < last
            covers = own & (self.places.from_s[at] <= days.block_start) & (self.places.to_s[at] >= end)
            group[covers] = self.places.group[at[covers]]
            is_within |= own & (self.places.from_s[at] < end) & (self.places.to_s[at] > days.block_start)
        bare = (group == -2) & ~is_within
        group[bare] = self.places.elsewhere[first[bare]]
        split = np.flatnonzero(group == -2)
        if len(split):
            self._add_split(days.where(split), first[split], last[split], sign)
        whole = group >= 0
        if whole.all():
            self._add(days, group, sign)
        elif whole.any():
            self._add(days.where(whole), group[whole], sign)

    def _add_split(self, days: Days, first: NDArray[np.intp], last: NDArray[np.intp], sign: int) -> None:
        """Days in which a meter came, went or moved: each reading to where the meter hung when it started."""
        starts = days.block_start[:, None] + days.interval_s * np.arange(days.values.shape[1], dtype=np.int64)
        left = np.ones(starts.shape, dtype=bool)
        rounds = [(np.minimum(first + k, len(self.places.channel) - 1), first + k < last) for k in range(int((last - first).max()))]
        for at, own in rounds:
            within = own[:, None] & (starts >= self.places.from_s[at][:, None]) & (starts < self.places.to_s[at][:, None])
            left &= ~within
            self._add_some(days, within, self.places.group[at], sign)
        self._add_some(days, left, self.places.elsewhere[first], sign)

    def _add_some(self, days: Days, chosen: NDArray[np.bool_], group: NDArray[np.int64], sign: int) -> None:
        rows = np.flatnonzero(chosen.any(axis=1) & (group >= 0))
        if len(rows):
            some = days.where(rows)
            values = np.where(chosen[rows], some.values, np.int32(MISSING))
            self._add(Days(interval_s=some.interval_s, channel_id=some.channel_id, block_start=some.block_start, values=values, quality=some.quality), group[rows], sign)

    def _add(self, days: Days, group: NDArray[np.int64], sign: int) -> None:
        """Add days to the cells of their groups."""
        slots = days.values.shape[1]
        cells = self._cells.setdefault(
            days.interval_s,
            _Cells(totals=np.zeros((1, slots), dtype=np.int64), readings=np.zeros((1, slots), dtype=np.int32), estimated=np.zeros((1, slots), dtype=np.int32)),
        )
        cell = _numbered(cells, group, days.block_start)
        if sign == 1:
            kernels.add(days.values, cell, cells.totals, cells.readings)
        else:
            totals, readings = np.zeros_like(cells.totals), np.zeros_like(cells.readings)
            kernels.add(days.values, cell, totals, readings)
            cells.totals -= totals
            cells.readings -= readings
        guessed = _IS_ESTIMATED[days.quality]
        if guessed.any():
            rows = np.flatnonzero(guessed if guessed.ndim == 1 else guessed.any(axis=1))
            marks = (guessed[rows] if guessed.ndim == 2 else guessed[rows][:, None]) & (days.values[rows] != MISSING)
            np.add.at(cells.estimated, cell[rows], marks.astype(np.int32) * sign)

    def rows(self) -> list[Row]:
        """What all that was added comes to, a row a group, width and day of UTC; days to which nothing was added are left out."""
        found: dict[tuple[int, int, int], tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]] = {}
        for interval_s, cells in self._cells.items():
            width = next((each for each in (900, 3600) if each % interval_s == 0), DAY)
            bucket = min(width, 3600)
            slots = cells.totals.shape[1]
            for (group, start), at in cells.numbers.items():
                days, place = np.divmod(start + interval_s * np.arange(slots, dtype=np.int64), DAY)
                for day in (days[0], days[-1]) if days[0] != days[-1] else (days[0],):
                    own = days == day
                    key = (group, width, int(day))
                    if key not in found:
                        size = DAY // bucket
                        found[key] = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int32), np.zeros(size, dtype=np.int32)
                    for into, source in zip(found[key], (cells.totals, cells.readings, cells.estimated), strict=True):
                        np.add.at(into, place[own] // bucket, source[at][own])
        return [
            Row(group=self.places.groups[group], width_s=width, day=day, totals=totals, readings=readings, estimated=estimated)
            for (group, width, day), (totals, readings, estimated) in found.items()
            if totals.any() or readings.any() or estimated.any()
        ]


def _numbered(cells: _Cells, group: NDArray[np.int64], block_start: NDArray[np.int64]) -> NDArray[np.int32]:
    """The cell of each day."""
    low = int(block_start.min())
    since = block_start - low
    unit = int(np.gcd.reduce(since)) or 1
    span = int(since.max()) // unit + 1
    code = group * span + since // unit
    size = int(code.max()) + 1
    if size > _MOST_CELLS:
        distinct, place = np.unique(code, return_inverse=True)
    else:
        flags = np.zeros(size, dtype=bool)
        flags[code] = True
        distinct = np.flatnonzero(flags)
        numbers = np.zeros(size, dtype=np.intp)
        numbers[distinct] = np.arange(len(distinct))
        place = numbers[code]
    keys = [(each // span, low + each % span * unit) for each in distinct.tolist()]
    return cells.at(keys)[place]
