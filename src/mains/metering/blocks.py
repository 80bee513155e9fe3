"""Blocks of intervals: dense arrays to rows of `metering.interval_blocks` and back, and how two versions of a block become one. Pure numpy; no database.

A block is one standard-time day of one channel. Values fit two bytes where every one does, else four; quality is one number where every reading has the same, else a
byte a reading. A missing reading has the value `MISSING` and always the quality `Quality.MISSING`, whatever its block says.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mains.metering.model import MISSING, Quality

DAY = 86_400
MISSING_16 = -(2**15)
"""What stands for `MISSING` in a block of two-byte values."""

_CHUNK = 4096
_MOST_SLOTS = 28_800  # intervals of 3 s

STANDING = np.zeros(256, dtype=np.uint8)
"""How far a reading of each quality stands up to another value: a lower one never replaces a higher one, one of the same rank does."""
for _rank, _alike in enumerate(
    (
        (Quality.MISSING,),
        (Quality.FORECAST,),
        (Quality.FAILED_CHECK,),
        (Quality.QUESTIONABLE,),
        (Quality.ESTIMATED,),
        (Quality.DERIVED,),
        (Quality.SUBSTITUTED,),
        (Quality.RAW,),
        (Quality.ACTUAL, Quality.VALIDATED, Quality.FINAL_SUBSTITUTE),
        (Quality.EDITED,),
    )
):
    STANDING[list(_alike)] = _rank

_TRUST = STANDING * 2
_TRUST[Quality.VALIDATED] += 1  # the same value delivered again does not undo its validation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """Rows of interval blocks, a column each; every array has one element a block, `values` and `qual` one row a block and one column an interval.

    `block_start` is epoch seconds of standard-time midnight. `qual` is None where no block has mixed quality; else its rows count only where `is_mixed`.
    """

    interval_s: int
    channel_id: NDArray[np.int64]
    block_start: NDArray[np.int64]
    utc_offset_min: NDArray[np.int16]
    values: NDArray[np.int32]
    total: NDArray[np.int64]
    peak: NDArray[np.int32]
    n_valid: NDArray[np.int16]
    is_wide: NDArray[np.bool_]
    quality: NDArray[np.uint8]
    is_mixed: NDArray[np.bool_]
    qual: NDArray[np.uint8] | None

    def __len__(self) -> int:
        return len(self.channel_id)

    @property
    def readings(self) -> int:
        """Intervals that have a value."""
        return int(self.n_valid.sum(dtype=np.int64))

    @property
    def raw_sum(self) -> int:
        """Sum of all values, exact."""
        return sum(self.total.tolist())

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Blocks":
        """The chosen blocks, by mask, by order or by slice."""
        arrays = {name: getattr(self, name)[chosen] for name in self.__slots__ if name not in ("interval_s", "qual")}
        return Blocks(interval_s=self.interval_s, qual=None if self.qual is None else self.qual[chosen], **arrays)

    def in_load_order(self) -> "Blocks":
        """By month, then channel, then day: the order in which partitions and their keys grow at their ends."""
        month = self.block_start.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
        return self.where(np.lexsort((self.block_start, self.channel_id, month)))


def encode(
    *,
    channel_id: NDArray[np.int64],
    block_start: NDArray[np.int64],
    values: NDArray[np.int32],
    utc_offset_min: NDArray[np.int16] | int,
    quality: NDArray[np.uint8] | int = Quality.ACTUAL,
) -> Blocks:
    """Blocks of dense values, int32 [blocks, intervals of a day] with `MISSING` in the gaps.

    `quality` is one number for all, one a block [blocks], or one a reading [blocks, intervals]. `block_start` is epoch seconds, `utc_offset_min` minutes east.
    Raises ValueError where the intervals do not divide the day or a block does not start at standard-time midnight.
    """
    n, slots = values.shape
    if values.dtype != np.int32 or not 0 < slots <= _MOST_SLOTS or DAY % slots:
        raise ValueError(f"values are int32 [blocks, intervals that divide the day, {_MOST_SLOTS} at most], not {values.dtype} {values.shape}")
    offset = np.broadcast_to(np.asarray(utc_offset_min, dtype=np.int16), (n,))
    if n and ((block_start + offset.astype(np.int64) * 60) % DAY).any():
        raise ValueError("a block starts at midnight of its utc_offset_min")
    total, peak = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int32)
    n_valid, is_wide = np.empty(n, dtype=np.int16), np.empty(n, dtype=bool)
    for at in range(0, n, _CHUNK):
        rows = slice(at, at + _CHUNK)
        total[rows], peak[rows], n_valid[rows], is_wide[rows] = _measured(values[rows])
    uniform, is_mixed, qual = _qualities(values, n_valid, quality)
    return Blocks(
        interval_s=DAY // slots,
        channel_id=np.asarray(channel_id, dtype=np.int64),
        block_start=np.asarray(block_start, dtype=np.int64),
        utc_offset_min=offset,
        values=values,
        total=total,
        peak=peak,
        n_valid=n_valid,
        is_wide=is_wide,
        quality=uniform,
        is_mixed=is_mixed,
        qual=qual,
    )


def _measured(values: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64] | int, NDArray[np.bool_]]:
    """Total, peak, number of valid readings and whether four bytes are needed, for a chunk of blocks."""
    top, low = values.max(axis=1), values.min(axis=1)
    slots = values.shape[1]
    if not (low == MISSING).any():
        return values.sum(axis=1, dtype=np.int64), top, slots, (top > 2**15 - 1) | (low <= MISSING_16)
    is_valid = values != MISSING
    count = is_valid.sum(axis=1)
    total = values.sum(axis=1, dtype=np.int64) - (slots - count) * MISSING
    low = np.where(is_valid, values, 0).min(axis=1)
    return total, np.where(count == 0, 0, top), count, (count > 0) & ((top > 2**15 - 1) | (low <= MISSING_16))


def _qualities(
    values: NDArray[np.int32], n_valid: NDArray[np.integer], quality: NDArray[np.uint8] | int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.uint8] | None]:
    """One quality a block, whether a block's readings differ in it, and the quality of each reading where some block's do."""
    n = len(values)
    given = np.asarray(quality, dtype=np.uint8)
    is_empty = n_valid == 0
    if given.ndim < 2:
        return np.where(is_empty, np.uint8(Quality.MISSING), given).astype(np.uint8), np.zeros(n, dtype=bool), None
    is_gap = values == MISSING if (n_valid < values.shape[1]).any() else None
    low = given.min(axis=1) if is_gap is None else np.where(is_gap, np.uint8(255), given).min(axis=1)
    high = given.max(axis=1) if is_gap is None else np.where(is_gap, np.uint8(0), given).max(axis=1)
    is_mixed = (low != high) & ~is_empty
    uniform = np.where(is_empty, np.uint8(Quality.MISSING), np.where(is_mixed, high, low)).astype(np.uint8)
    if not is_mixed.any():
        return uniform, is_mixed, None
    return uniform, is_mixed, given if is_gap is None else np.where(is_gap, np.uint8(Quality.MISSING), given)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merged:
    """What becomes of stored blocks when readings arrive for them; masks are bool [blocks, intervals]."""

    values: NDArray[np.int32]
    quality: NDArray[np.uint8]
    is_new: NDArray[np.bool_]
    is_changed: NDArray[np.bool_]
    is_refused: NDArray[np.bool_]


def merge(*, old: NDArray[np.int32], old_quality: NDArray[np.uint8], new: NDArray[np.int32], new_quality: NDArray[np.uint8]) -> Merged:
    """Interval by interval: an arriving value fills a gap, or replaces one of the same or lower `STANDING`; a missing one never erases.

    The same value again changes nothing but its quality, where it is trusted more now; one that failed a check stays failed until somebody validates it. A different value of
    lower standing is refused: the stored one stays.

    >>> one = lambda value, quality: (np.array([[value]], np.int32), np.array([[quality]], np.uint8))
    >>> old, new = one(7, Quality.EDITED), one(8, Quality.ACTUAL)
    >>> bool(merge(old=old[0], old_quality=old[1], new=new[0], new_quality=new[1]).is_refused[0, 0])
    True
    """
    has_old, has_new = old != MISSING, new != MISSING
    is_new = has_new & ~has_old
    both = has_new & has_old
    differs = both & (old != new)
    stands = STANDING[new_quality] >= STANDING[old_quality]
    trusted = (_TRUST[new_quality] > _TRUST[old_quality]) | ((_TRUST[new_quality] == _TRUST[old_quality]) & (new_quality != old_quality))
    fails_again = (old_quality == Quality.FAILED_CHECK) & ((new_quality == Quality.ACTUAL) | (new_quality == Quality.RAW))
    is_changed = (differs & stands) | (both & ~differs & trusted & ~fails_again)
    taken = is_new | is_changed
    return Merged(
        values=np.where(taken, new, old),
        quality=np.where(taken, new_quality, old_quality),
        is_new=is_new,
        is_changed=is_changed,
        is_refused=differs & ~stands,
    )
