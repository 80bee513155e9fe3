"""Assembled readings of many streams that fill whole days, as blocks of many channels: nothing is made for each of them but its name."""

import numpy as np
from numpy.typing import NDArray

from mains.metering.blocks import DAY
from mains.metering.formats.assemble import Rows, Stream
from mains.metering.model import ParsedBlocks

FEWEST = 50
"""Streams of a part from which they are taken together."""


def split_off(rows: Rows, streams: list[Stream], pow10: NDArray[np.int64]) -> tuple[list[ParsedBlocks], Rows]:
    """Blocks of the streams that fill whole standard-time days, and the rows of the others; `rows` are in order of stream and start, each interval once, all of one length a day.

    `pow10` [streams] is the power of ten of each stream's values.
    """
    if not len(rows):
        return [], rows
    heads = np.flatnonzero(np.append(True, (np.diff(rows.stream) != 0) | (np.diff(rows.interval) != 0)))
    if len(heads) < FEWEST:
        return [], rows
    size = np.diff(np.append(heads, len(rows)))
    number, interval = rows.stream[heads], rows.interval[heads].astype(np.int64)
    offset = np.array([stream.utc_offset_min * 60 for stream in streams], dtype=np.int64)[number]
    is_whole = _fills_days(rows, heads, size, interval, offset)
    kinds = _kinds(streams, number, interval, pow10)
    blocks = []
    for kind in np.unique(kinds[is_whole]).tolist():
        mine = np.flatnonzero(is_whole & (kinds == kind))
        if len(np.unique(number[mine])) == len(mine) >= FEWEST:
            blocks.append(_blocks(rows, streams, int(pow10[number[mine[0]]]), heads[mine], size[mine]))
        else:
            is_whole[mine] = False
    return blocks, rows if not blocks else rows.where(np.repeat(~is_whole, size))


def _fills_days(
    rows: Rows, heads: NDArray[np.intp], size: NDArray[np.intp], interval: NDArray[np.int64], offset: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which runs of rows begin at midnight, have a whole number of days, and in each of them every interval."""
    place = np.arange(len(rows)) - np.repeat(heads, size)
    slots = np.repeat(DAY // np.maximum(interval, 1), size)
    within, first = place % np.maximum(slots, 1), rows.start - place % np.maximum(slots, 1) * rows.interval
    is_right = (first + np.repeat(offset, size)) % DAY == 0
    follows = np.append(True, rows.start[1:] == rows.start[:-1] + rows.interval[1:])
    is_right &= follows | (within == 0)
    return (interval > 0) & (DAY % np.maximum(interval, 1) == 0) & (size % np.maximum(DAY // np.maximum(interval, 1), 1) == 0) & np.logical_and.reduceat(is_right, heads)


def _kinds(streams: list[Stream], number: NDArray[np.int32], interval: NDArray[np.int64], pow10: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each run, the same for those that are alike in everything but their name."""
    seen: dict[tuple, int] = {}
    found = []
    for n, length, power in zip(number.tolist(), interval.tolist(), pow10[number].tolist(), strict=True):
        stream = streams[n]
        found.append(seen.setdefault((stream.commodity, stream.flow, stream.unit, stream.utc_offset_min, length, power), len(seen)))
    return np.array(found, dtype=np.int64)


def _blocks(rows: Rows, streams: list[Stream], pow10: int, heads: NDArray[np.intp], size: NDArray[np.intp]) -> ParsedBlocks:
    """Runs of rows as days."""
    numbers = rows.stream[heads].tolist()
    first, interval = streams[numbers[0]], int(rows.interval[heads[0]])
    slots = DAY // interval
    if int(size.sum()) != len(rows):
        rows = rows.where(np.repeat(heads - (np.cumsum(size) - size), size) + np.arange(int(size.sum())))
    quality = rows.quality.reshape(-1, slots)
    return ParsedBlocks(
        commodity=first.commodity,
        flow=first.flow,
        unit=first.unit,
        pow10=pow10,
        interval_s=interval,
        utc_offset_min=first.utc_offset_min,
        meters=[streams[n].key.meter for n in numbers],
        registers=[streams[n].key.register for n in numbers],
        which=np.repeat(np.arange(len(numbers), dtype=np.int32), size // slots),
        block_start=rows.start[::slots].copy(),
        values=rows.mantissa.astype(np.int32).reshape(-1, slots),
        quality=quality[:, 0].copy() if (quality == quality[:, :1]).all() else quality,
        lines=rows.line[::slots].copy(),
    )
