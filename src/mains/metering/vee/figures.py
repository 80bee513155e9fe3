"""One pass over a window's values: the figures of each day that the rules work on, and the stretches in which nothing changed."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mains.metering.model import MISSING
from mains.metering.vee.model import ELIGIBLE, Window

LEAST_RUN = 4
"""Shortest stretch of one value that is noted, intervals."""
UNJUDGED, EXCUSED = 1, 2
"""Bits of the mask of an interval: not measured (estimated, failed, forecast); under a known event."""
_HOLE = np.int32(MISSING)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DayFigures:
    """A figure a channel and day [n, days]; only intervals that are there, measured and under no known event count, but for `total` and `n_valid`, which are of all that is there.

    `total` int64 raw; `n_valid`, `n_missing` (not excused), `n_judged`, `n_zero`, `n_negative` int16; `peak`, `second`, `third` int32, the three highest intervals (0 where
    there are fewer); `low` int32; `jump` int32, the greatest change between neighbours; `jump_at` int16, the slot of its second one.
    `runs` int32 [m, 4]: row, first place, last + 1, value of each stretch of at least `LEAST_RUN` equal values.
    """

    total: NDArray[np.int64]
    n_valid: NDArray[np.int16]
    n_missing: NDArray[np.int16]
    n_judged: NDArray[np.int16]
    n_zero: NDArray[np.int16]
    n_negative: NDArray[np.int16]
    peak: NDArray[np.int32]
    second: NDArray[np.int32]
    third: NDArray[np.int32]
    low: NDArray[np.int32]
    jump: NDArray[np.int32]
    jump_at: NDArray[np.int16]
    runs: NDArray[np.int32]


def mask_of(window: Window) -> NDArray[np.uint8] | None:
    """`UNJUDGED` and `EXCUSED` bits [n, days, slots]; None where nothing is either."""
    mask = None
    if window.quality is not None and not (window.quality == window.quality.flat[0]).all():
        mask = np.where(ELIGIBLE[window.quality] | (window.values == MISSING), 0, UNJUDGED).astype(np.uint8)
    elif window.quality is not None and not ELIGIBLE[window.quality.flat[0]]:
        mask = np.where(window.values == MISSING, 0, UNJUDGED).astype(np.uint8)
    for known in (window.excused, window.is_disconnected):
        if known is not None and known.any():
            excused = np.where(known, EXCUSED, 0).astype(np.uint8)
            mask = excused if mask is None else mask | excused
    return mask


def day_figures(window: Window, mask: NDArray[np.uint8] | None) -> DayFigures:
    """The figures of every day of a window, in one pass."""
    n, days, _ = window.values.shape
    shape = (n, days)
    short = np.zeros((5, n, days), dtype=np.int16)
    tops = np.zeros((5, n, days), dtype=np.int32)
    total, jump_at = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int16)
    runs = np.empty((window.values.size // LEAST_RUN + 1, 4), dtype=np.int32)
    values = np.ascontiguousarray(window.values)
    used = _pass(values, np.zeros((1, 1, 1), np.uint8) if mask is None else mask, mask is not None, total, short, tops, jump_at, runs)
    return DayFigures(
        total=total, n_valid=short[0], n_missing=short[1], n_judged=short[2], n_zero=short[3], n_negative=short[4],
        peak=tops[0], second=tops[1], third=tops[2], low=tops[3], jump=tops[4], jump_at=jump_at, runs=runs[:used].copy(),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _pass(values, mask, has_mask, total, short, tops, jump_at, runs):  # noqa: C901 - one pass, nothing is read twice
    """Fill the figures; answers how many runs there are."""
    n, days, slots = values.shape
    used = 0
    for row in range(n):
        before = _HOLE
        length = 0
        for day in range(days):
            p1 = p2 = p3 = np.int32(0)
            low = np.int32(2147483647)
            jump = np.int32(0)
            at = np.int16(0)
            whole = np.int64(0)
            valid = missing = judged = zero = negative = 0
            for slot in range(slots):
                value = values[row, day, slot]
                flag = mask[row, day, slot] if has_mask else np.uint8(0)
                if value == _HOLE:
                    if flag & 2 == 0:
                        missing += 1
                else:
                    valid += 1
                    whole += value
                if value == _HOLE or flag != 0:
                    if length >= LEAST_RUN:
                        runs[used, 0], runs[used, 2], runs[used, 3] = row, day * slots + slot, before
                        runs[used, 1] = day * slots + slot - length
                        used += 1
                    before, length = _HOLE, 0
                    continue
                judged += 1
                if value > p3:
                    if value > p2:
                        p3 = p2
                        if value > p1:
                            p2, p1 = p1, value
                        else:
                            p2 = value
                    else:
                        p3 = value
                low = min(low, value)
                zero += value == 0
                negative += value < 0
                if value == before:
                    length += 1
                else:
                    if length >= LEAST_RUN:
                        runs[used, 0], runs[used, 2], runs[used, 3] = row, day * slots + slot, before
                        runs[used, 1] = day * slots + slot - length
                        used += 1
                    if before != _HOLE:
                        change = np.int32(min(abs(np.int64(value) - np.int64(before)), 2147483647))
                        if change > jump:
                            jump, at = change, np.int16(slot)
                    before, length = value, 1
            total[row, day] = whole
            short[0, row, day], short[1, row, day], short[2, row, day] = valid, missing, judged
            short[3, row, day], short[4, row, day] = zero, negative
            tops[0, row, day], tops[1, row, day], tops[2, row, day] = p1, p2, p3
            tops[3, row, day] = low if judged else 0
            tops[4, row, day], jump_at[row, day] = jump, at
        if length >= LEAST_RUN:
            runs[used, 0], runs[used, 1], runs[used, 2], runs[used, 3] = row, days * slots - length, days * slots, before
            used += 1
    return used


@njit(cache=True, nogil=True)
def repeat_chance(values, row, first, last, value):
    """How often a value near `value` is followed by itself in the channel's window outside [first, last), and in how many cases seen: what makes a long repetition remarkable."""
    _, days, slots = values.shape
    near = max(np.int64(2), abs(np.int64(value)) // 8)
    seen = same = 0
    flat = days * slots
    before = _HOLE
    for place in range(flat):
        now = values[row, place // slots, place % slots]
        if (place < first or place > last) and now != _HOLE and before != _HOLE and place - 1 != last and abs(np.int64(before) - value) <= near:
            seen += 1
            same += now == before
        before = now
    return (same + 0.5) / (seen + 5), seen


def stretches(chosen: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row, first place and last + 1 of each stretch of True in bool [m, places]."""
    edge = np.zeros((chosen.shape[0], chosen.shape[1] + 2), dtype=np.int8)
    edge[:, 1:-1] = chosen
    change = np.diff(edge, axis=1)
    row, first = np.nonzero(change == 1)
    last = np.nonzero(change == -1)[1]
    return row, first, last
