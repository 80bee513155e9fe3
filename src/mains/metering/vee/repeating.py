"""Deliveries that came twice: stretches of a channel that repeat, value for value, what it measured before."""

import numpy as np
from numba import njit

from mains.metering.model import MISSING
from mains.metering.vee.figures import UNJUDGED
from mains.metering.vee.history import CYCLE, ENOUGH
from mains.metering.vee.scene import NOTHING, Found, Limits, Scene, found, together

_HOLE = np.int32(MISSING)
_MOST = 64
"""Places of a stretch that are looked at for how alike its values are."""


def repetition(scene: Scene, limits: Limits) -> Found:
    """A stretch of at least `intervals` that repeats an earlier one at any distance, where that cannot be chance; without the values of the days before, a day whose total and
    peak both are those of an earlier day, where that is less likely than `head_chance`. `subject` is the distance back, intervals."""
    window = scene.window
    least = int(limits["intervals"].min(initial=10**6))
    parts = [_by_heads(scene, limits)]
    if window.days * window.slots > 2 * least:
        values = np.ascontiguousarray(window.values).reshape(window.channels, -1)
        has_mask = scene.mask is not None
        mask = scene.mask.reshape(window.channels, -1) if scene.mask is not None else np.zeros((1, 1), np.uint8)
        found_at = np.empty((1 << 12, 4), dtype=np.int32)
        used = _repeated(values, mask, has_mask, least, limits["chance"].astype(np.float64), found_at)
        while used > len(found_at):
            found_at = np.empty((used, 4), dtype=np.int32)
            used = _repeated(values, mask, has_mask, least, limits["chance"].astype(np.float64), found_at)
        row, first, last, lag = found_at[:used].T
        due = (last - first >= limits["intervals"][row]) & (window.is_due[row, first // window.slots] | window.is_due[row, (last - 1) // window.slots])
        parts.append(found(row[due], first[due], last[due], measured=(last - first)[due], limit=limits["intervals"][row[due]], subject=lag[due]))
    return together(parts)


def _by_heads(scene: Scene, limits: Limits) -> Found:
    """Days with the total and the peak of a day before the window. Chance is reckoned from how far totals and peaks are spread."""
    window, heads = scene.window, scene.window.heads
    if not len(heads.days):
        return NOTHING
    near = heads.days > -CYCLE
    totals, peaks, valid = heads.totals[:, near], heads.peaks[:, near], heads.n_valid[:, near] >= ENOUGH / CYCLE * window.slots
    parts: list[Found] = []
    for day in np.flatnonzero(window.is_due.any(axis=0)):
        total, peak = scene.figures.total[:, day, None], scene.figures.peak[:, day, None]
        same = (totals == total) & valid
        rows = np.flatnonzero(same.any(axis=1) & (scene.figures.total[:, day] > 0) & window.is_due[:, day] & (scene.figures.n_judged[:, day] == window.slots))
        rows = rows[((peaks[rows] == peak[rows]) & same[rows]).any(axis=1)]
        if not len(rows):
            continue
        count = valid[rows].sum(axis=1)
        with np.errstate(invalid="ignore"):
            spread = [np.where(valid[rows], each[rows], np.nan) for each in (totals, peaks)]
            chance = count / (3.5 * np.nanstd(spread[0], axis=1) + 1) / (3.5 * np.nanstd(spread[1], axis=1) + 1)
        rows = rows[(count >= 7) & (chance < limits["head_chance"][rows])]
        which = ((peaks[rows] == peak[rows]) & same[rows])[:, ::-1].argmax(axis=1)
        back = (day - heads.days[near][::-1][which]) * window.slots
        parts.append(found(rows, day * window.slots, (day + 1) * window.slots, measured=window.slots, limit=limits["intervals"][rows], subject=back))
    return together(parts)


@njit(cache=True, nogil=True)
def _repeated(values, mask, has_mask, least, chance, out):  # noqa: C901 - one pass with one table
    """Find repetitions row by row: blocks of half the least length are remembered by a hash at every half length, and every place is looked up; answers how many there are, of
    which as many are written as `out` holds."""
    n, places = values.shape
    block = least // 2
    size = 16
    while size < 4 * (places // block + 1):
        size *= 2
    keys, kept, epoch = np.zeros(size, np.uint64), np.zeros(size, np.int32), np.full(size, -1, np.int32)
    base = np.uint64(0x9E3779B97F4A7C15)
    high = np.uint64(1)
    for _ in range(block):
        high *= base
    used = 0
    for row in range(n):
        rolled = np.uint64(0)
        whole = changes = 0
        skip = 0
        for end in range(places):
            value = values[row, end]
            rolled = rolled * base + np.uint64(np.int64(value) & 0xFFFFFFFF)
            if end >= block:
                rolled -= high * np.uint64(np.int64(values[row, end - block]) & 0xFFFFFFFF)
                changes -= values[row, end - block + 1] != values[row, end - block]
            is_hole = value == _HOLE or (has_mask and mask[row, end] & 1 != 0)
            whole = 0 if is_hole else whole + 1
            if end > 0:
                changes += value != values[row, end - 1]
            begin = end - block + 1
            if whole < block or changes < block // 3:
                continue
            slot = np.int64((rolled ^ (rolled >> np.uint64(29))) & np.uint64(size - 1))
            if begin >= skip:
                at = slot
                while epoch[at] == row:
                    if keys[at] == rolled:
                        lag = begin - kept[at]
                        if lag >= block:
                            first, last = _extended(values, mask, has_mask, row, begin, lag)
                            if last - first >= least and _by_chance(values, row, first, last, places) < chance[row]:
                                if used < len(out):
                                    out[used, 0], out[used, 1], out[used, 2], out[used, 3] = row, first, last, lag
                                used += 1
                                skip = last
                                break
                    at = (at + 1) & (size - 1)
            if begin % block == 0:
                at = slot
                while epoch[at] == row and keys[at] != rolled:
                    at = (at + 1) & (size - 1)
                if epoch[at] != row:
                    keys[at], kept[at], epoch[at] = rolled, begin, row
    return used


@njit(cache=True, nogil=True)
def _extended(values, mask, has_mask, row, begin, lag):
    """The whole stretch around `begin` that equals what lies `lag` before it; its own length at most, so that it does not lie over what it repeats."""
    first = last = begin
    while last < values.shape[1] and values[row, last] == values[row, last - lag] and values[row, last] != _HOLE and not (has_mask and mask[row, last] & UNJUDGED):
        last += 1
    while first - lag > 0 and values[row, first - 1] == values[row, first - 1 - lag] and values[row, first - 1] != _HOLE and not (has_mask and mask[row, first - 1] & UNJUDGED):
        first -= 1
    return first, last


@njit(cache=True, nogil=True)
def _by_chance(values, row, first, last, places):
    """How many such repetitions a window of so many places would hold by chance, from how alike the values of the stretch are; only places where the value changes count."""
    length = min(last - first, _MOST)
    alike = pairs = 0
    for i in range(first, first + length):
        for j in range(first, i):
            pairs += 1
            alike += values[row, i] == values[row, j]
    changes = 0
    for i in range(first + 1, last):
        changes += values[row, i] != values[row, i - 1]
    return float(places) * places * ((alike + 1.0) / (pairs + 1.0)) ** changes
