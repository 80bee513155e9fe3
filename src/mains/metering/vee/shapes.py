"""Clocks that are off: a channel's day profile after a day fits its profile before only when moved by hours.

Profiles are of the local clock, because people live by it: a window over a change of the clocks shows no shift where the data follow, and an hour's where they do not.
"""

import numpy as np
from numba import njit

from mains.metering.model import MISSING
from mains.metering.vee.model import DAY
from mains.metering.vee.scene import NOTHING, Found, Limits, Scene, found

_HOLE = np.int32(MISSING)
MOST_SLOTS = 96
LEAST_LIKENESS = 0.3
"""Correlation that the moved profile must reach with the new one: a house that stands empty has none worth the name."""
LEAST_STRENGTH = 0.6
"""Sum of squares of a mean profile over what chance would leave of it: a load without a rhythm has none to be moved."""
NO_SCORE = -99.0
CHANGE_DAYS = 7
"""Days that each side of a change of the local clock needs: there, only one shift is asked for."""
BACK, AHEAD = 28, 21
"""Days before and after a change that are compared, at most."""


def clock_shift(scene: Scene, limits: Limits) -> Found:
    """The clock was moved by whole hours from some day on. `measured` is the shift, min (positive: readings are named too late); `limit` the least score; `subject` is the shift in
    intervals.

    Each day's likeness to the other side's mean profile, moved and not moved, is a sum of squares weighted by how steady the channel is at that time of the day; the score
    is the mean gain over its standard error, the smaller of both sides. Days with less than half the usual use (nobody at home) and incomplete ones are left out; each side
    needs `days` of them. On the days around a change of the local clock, only the shift by that change is asked for, against the lower `change_score`.
    """
    window = scene.window
    least = int(limits["days"].min(initial=10**6))
    if window.days < 2 * least:
        return NOTHING
    groups = window.slots // MOST_SLOTS if window.slots > MOST_SLOTS else 1
    if window.slots > MOST_SLOTS and window.slots % MOST_SLOTS:
        return NOTHING
    slots = window.slots // groups
    step = DAY // slots // 60
    hours = 60 // step if step <= 60 else 0
    if not hours or slots < 24:
        return NOTHING
    lags = np.array([sign * hours * h for h in (1, 2, 3, 4, 5, 6, 8, 10) for sign in (1, -1)] + [12 * hours], dtype=np.int64)
    shifts = window.shifts()
    changed = np.flatnonzero(np.diff(shifts))
    change = int(changed[0]) if len(changed) else -1
    change_lag = int(shifts[change + 1] - shifts[change]) // groups if change >= 0 else 0
    out = np.zeros((window.channels, 4), dtype=np.float64)
    has_mask = scene.mask is not None
    mask = scene.mask.reshape(window.channels, -1) if scene.mask is not None else np.zeros((1, 1), np.uint8)
    flat = np.ascontiguousarray(window.values).reshape(window.channels, -1)
    rows = np.flatnonzero(window.is_due.any(axis=1))
    _shifted(flat, mask, has_mask, rows, window.days, groups, shifts, lags, change, change_lag, limits["days"], limits["score"], limits["change_score"], out)
    hit = np.flatnonzero(out[:, 2] != 0)
    hit = hit[[bool(window.is_due[row, int(out[row, 1]) :].any()) for row in hit]]
    lag = out[hit, 2] * groups
    first = out[hit, 1].astype(np.int64) * window.slots
    return found(hit, first, window.days * window.slots, measured=lag * window.interval_s / 60, limit=out[hit, 3], subject=lag.astype(np.int64))


@njit(cache=True, nogil=True)
def _shifted(flat, mask, has_mask, rows, days, groups, shifts, lags, change, change_lag, least, score, change_score, out):  # noqa: C901 - a kernel
    """For each row the best (score, first day, lag, limit) over candidate days and lags, where it passes its limit; 0 otherwise."""
    slots = flat.shape[1] // days // groups
    profile = np.zeros((days, slots))
    usable = np.zeros(days, dtype=np.bool_)
    sums = np.zeros((days + 1, slots))
    weight = np.zeros(slots)
    space = np.zeros((7, 2 * slots))
    for row in rows:
        _profiles(flat, mask, has_mask, row, groups, shifts, profile, usable)
        if usable.sum() < 2 * min(least[row], CHANGE_DAYS):
            continue
        count = np.zeros(days + 1, dtype=np.int64)
        for day in range(days):
            count[day + 1] = count[day] + usable[day]
            for slot in range(slots):
                sums[day + 1, slot] = sums[day, slot] + (profile[day, slot] if usable[day] else 0.0)
        noise = _weights(profile, usable, sums[days] / count[days], weight)
        if change >= 0:
            for day in range(max(change, 1), min(change + 2, days)):
                if not _sides(sums, count, day, CHANGE_DAYS, noise, space):
                    continue
                for lag in (change_lag, -change_lag):
                    found_score = _score(profile, usable, weight, day, lag, True, space)  # noqa: FBT003 - numba takes no names
                    if found_score > change_score[row] and (out[row, 2] == 0 or found_score > out[row, 0]):
                        out[row, 0], out[row, 1], out[row, 2], out[row, 3] = found_score, day, lag, change_score[row]
        for day in range(1, days):
            if day % 2 == 0 or not _sides(sums, count, day, least[row], noise, space):
                continue
            for lag in lags:
                found_score = _score(profile, usable, weight, day, lag, False, space)  # noqa: FBT003 - numba takes no names
                if found_score > score[row] and (out[row, 2] == 0 or found_score > out[row, 0]):
                    out[row, 0], out[row, 1], out[row, 2], out[row, 3] = found_score, day, lag, score[row]


@njit(cache=True, nogil=True)
def _profiles(flat, mask, has_mask, row, groups, shifts, profile, usable):  # noqa: C901 - a kernel
    """Fill the logarithmic profile of each local day, its mean taken out, and whether the day can be used."""
    days, slots = profile.shape
    wide = slots * groups
    totals = np.zeros(days)
    for day in range(days):
        begin = day * wide - shifts[day]
        usable[day] = begin >= 0 and shifts[day] == shifts[day + 1]
        if not usable[day]:
            continue
        for slot in range(slots):
            amount = 0.0
            for place in range(begin + slot * groups, begin + (slot + 1) * groups):
                value = flat[row, place]
                if value == _HOLE or value < 0 or (has_mask and mask[row, place] != 0):
                    usable[day] = False
                    break
                amount += value
            profile[day, slot] = amount
            totals[day] += amount
    if usable.sum() < 4:
        usable[:] = False
        return
    usual = np.median(totals[usable])
    for day in range(days):
        usable[day] = usable[day] and totals[day] > 0.5 * usual and totals[day] < 4 * usual
    if usual <= 0:
        usable[:] = False
    scale = slots / (0.5 * usual) if usual > 0 else 0.0
    for day in range(days):
        if usable[day]:
            mean = 0.0
            for slot in range(slots):
                profile[day, slot] = np.log1p(profile[day, slot] * scale)
                mean += profile[day, slot]
            mean /= slots
            for slot in range(slots):
                profile[day, slot] -= mean


@njit(cache=True, nogil=True)
def _weights(profile, usable, mean, weight):
    """Fill one over the spread of each time of the day, smoothed, with a floor; answers the sum of their variances."""
    days, slots = profile.shape
    spread = np.zeros(slots)
    for day in range(days):
        if usable[day]:
            for slot in range(slots):
                spread[slot] += (profile[day, slot] - mean[slot]) ** 2
    spread /= max(usable.sum(), 1)
    whole = 0.0
    for slot in range(slots):
        around = (spread[slot - 2] + 2 * spread[slot - 1] + 3 * spread[slot] + 2 * spread[(slot + 1) % slots] + spread[(slot + 2) % slots]) / 9
        weight[slot] = np.sqrt(around)
        whole += weight[slot] / slots
    for slot in range(slots):
        weight[slot] = 1 / (weight[slot] + 0.3 * whole + 1e-9)
    return spread.sum()


@njit(cache=True, nogil=True)
def _sides(sums, count, day, least, noise, space):
    """Fill the mean profiles before and after a day (rows 4 and 5 of `space`) and these smoothed, twice in a row (0 and 1); answers whether both sides have days enough and
    a profile that stands out of what the days differ by."""
    slots = sums.shape[1]
    low, high = max(0, day - BACK), min(len(count) - 1, day + AHEAD)
    before, after = count[day] - count[low], count[high] - count[day]
    if before < least or after < least:
        return False
    for slot in range(slots):
        space[4, slot] = (sums[day, slot] - sums[low, slot]) / before
        space[5, slot] = (sums[high, slot] - sums[day, slot]) / after
    strength = np.zeros(2)
    for side in range(2):
        mean, out = space[4 + side], space[side]
        for slot in range(slots):
            ahead, ahead2 = slot + 1 if slot + 1 < slots else slot + 1 - slots, slot + 2 if slot + 2 < slots else slot + 2 - slots
            out[slot] = (mean[slot - 2 if slot > 1 else slot - 2 + slots] + 2 * mean[slot - 1 if slot else slots - 1] + 3 * mean[slot] + 2 * mean[ahead] + mean[ahead2]) / 9
            out[slot + slots] = out[slot]
            strength[side] += out[slot] * out[slot]
    return strength[0] > LEAST_STRENGTH * noise / before and strength[1] > LEAST_STRENGTH * noise / after


@njit(cache=True, nogil=True)
def _score(profile, usable, weight, day, lag, pooled, space):
    """The smaller of both sides' mean gain over its standard error, or the mean of both where `pooled`; `NO_SCORE` where nothing is gained."""
    days, slots = profile.shape
    old, new = space[0], space[1]
    if not pooled and _alike(old, new, lag, slots) < LEAST_LIKENESS:
        return NO_SCORE
    gain_after = _direction(old, lag, weight, space[2], space[6], slots)
    mean_after = 0.0
    for slot in range(slots):
        mean_after += space[2, slot] * space[5, slot]
    if mean_after <= gain_after and not pooled:
        return NO_SCORE
    gain_before = _direction(new, -lag, weight, space[3], space[6], slots)
    mean_before = 0.0
    for slot in range(slots):
        mean_before += space[3, slot] * space[4, slot]
    if mean_before <= gain_before and not pooled:
        return NO_SCORE
    one = _standard(profile, usable, day, min(days, day + AHEAD), space[2], gain_after)
    other = _standard(profile, usable, max(0, day - BACK), day, space[3], gain_before)
    return (one + other) / 2 if pooled else min(one, other)


@njit(cache=True, nogil=True)
def _alike(old, new, lag, slots):
    """Correlation of the new mean profile with the old one moved."""
    one = other = both = 0.0
    begin = -lag if lag <= 0 else slots - lag
    for slot in range(slots):
        one += old[slot] * old[slot]
        other += new[slot] * new[slot]
        both += old[begin + slot] * new[slot]
    return both / np.sqrt(one * other + 1e-12)


@njit(cache=True, nogil=True)
def _direction(template, lag, weight, direction, whitened, slots):
    """Fill the direction along which a day moved by `lag` differs from one not moved, after taking out half of what each interval shares with the one before; answers the point
    between both."""
    begin = -lag if lag <= 0 else slots - lag
    for slot in range(slots):
        whitened[slot] = (template[begin + slot] - template[slot]) * weight[slot]
    last = whitened[slots - 1]
    for slot in range(slots - 1, 0, -1):
        whitened[slot] -= 0.5 * whitened[slot - 1]
    whitened[0] -= 0.5 * last
    middle = 0.0
    whitened[slots] = whitened[0]
    for slot in range(slots):
        direction[slot] = (whitened[slot] - 0.5 * whitened[slot + 1]) * weight[slot]
        middle += direction[slot] * 0.5 * (template[begin + slot] + template[slot])
    return middle


@njit(cache=True, nogil=True)
def _standard(profile, usable, first, last, direction, middle):
    """Mean gain of the days in [first, last) over its standard error."""
    total = square = 0.0
    count = 0
    for day in range(first, last):
        if usable[day]:
            gain = -middle
            for slot in range(profile.shape[1]):
                gain += direction[slot] * profile[day, slot]
            total += gain
            square += gain * gain
            count += 1
    mean = total / count
    variance = max(square / count - mean * mean, 0.0) * count / (count - 1)
    return mean / np.sqrt(variance / count + 1e-12)
