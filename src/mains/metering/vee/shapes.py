"""Clocks that are off: a channel's day profile after a day fits its profile before only when moved by hours.

Profiles are of the local clock, because people live by it: a window over a change of the clocks shows no shift where the data follow, and an hour's where they do not. What a
channel gives back follows the sun, which changes no clock: its profiles are of standard time.

Weather and season turn a day's slow waves (of 24, 12, 8 hours) within weeks and leave the quick ones alone; a moved clock moves all of them. So differences of profiles are
taken apart into waves, and each wave counts by how far it strays anyway, from day to day, from week to week and from season to season.
"""

import numpy as np
from numba import njit

from mains.metering.model import MISSING
from mains.metering.vee.model import FlowCode
from mains.metering.vee.scene import NOTHING, Found, Limits, Scene, found

_HOLE = np.int32(MISSING)
MOST_SLOTS = 96
CHANGE_DAYS = 5
"""Days that each side of a change of the local clock needs: there, only one shift is asked for."""
BACK, AHEAD = 28, 21
"""Days before and after a change that are compared, at most."""
BLOCK, LEAST_BLOCK = 7, 4
"""Days of a stretch whose mean is held against the next stretch's, and how many of them must be usable."""
DRIFT = np.array([0.006, 0.24, 0.02, 0.01, 0.1, 0.2, 0.2, 0.2] + [0.2] * 41)
"""How far the waves of a mean profile (times a day: 0 to 48) stray within some weeks, in units of the days' own spread: squares, an interval's share."""
LEAST_RHYTHM = 0.12
"""Squares of a profile against itself moved, over what chance would leave of them, less one."""
_COARSE = 24
_KEPT = 3
"""Moves of a candidate day that are looked at closely."""


def clock_shift(scene: Scene, limits: Limits) -> Found:
    """The clock was moved by whole hours from some day on. `measured` is the shift, min (positive: readings are named too late); `limit` the least score; `subject` is the shift in
    intervals.

    The score is the logarithm of how much better the days after fit the days before when those are moved: squared differences of the mean profiles, wave by wave, over what each
    wave varies by chance and by season, not moved less moved. Days with less than half the usual use (nobody at home) and incomplete ones are left out; each side needs `days`
    of them. At a change of the local clock only the data that did not follow it are asked for, against `change_score`, with 5 days a side.
    """
    window = scene.window
    least = int(limits["days"].min(initial=10**6))
    if window.days < 2 * min(least, CHANGE_DAYS):
        return NOTHING
    groups = window.slots // MOST_SLOTS if window.slots > MOST_SLOTS else 1
    if (window.slots > MOST_SLOTS and window.slots % MOST_SLOTS) or window.slots // groups % _COARSE:
        return NOTHING
    slots = window.slots // groups
    hours = slots // 24
    lags = np.array([sign * h for h in (1, 2, 3, 4, 5, 6, 8, 10) for sign in (1, -1)] + [12], dtype=np.int64)
    shifts = window.shifts() // groups
    changes = np.flatnonzero(np.diff(shifts))
    if window.days < 2 * least and not len(changes):
        return NOTHING
    out = np.zeros((window.channels, 4), dtype=np.float64)
    has_mask = scene.mask is not None
    mask = scene.mask.reshape(window.channels, -1) if scene.mask is not None else np.zeros((1, 1), np.uint8)
    flat = np.ascontiguousarray(window.values).reshape(window.channels, -1)
    due = window.is_due.any(axis=1)
    angle = 2 * np.pi / slots * np.arange(slots)[None, :] * np.arange(slots // 2 + 1)[:, None]
    waves = np.stack([np.cos(angle), np.sin(angle)])
    drift = DRIFT[: slots // 2 + 1] * slots
    for is_sun in (False, True):
        rows = np.flatnonzero(due & ((window.facts.flow == FlowCode.RECEIVED) == is_sun))
        if len(rows):
            _shifted(
                flat, mask, has_mask, rows, window.days, groups, np.zeros_like(shifts) if is_sun else shifts, lags * hours, changes[:0] if is_sun else changes,
                limits["days"], limits["score"], limits["change_score"], waves, drift, out,
            )  # fmt: skip
    hit = np.flatnonzero(out[:, 2] != 0)
    hit = hit[[bool(window.is_due[row, int(out[row, 1]) :].any()) for row in hit]]
    lag = out[hit, 2] * groups
    first = out[hit, 1].astype(np.int64) * window.slots
    return found(hit, first, window.days * window.slots, measured=lag * window.interval_s / 60, limit=out[hit, 3], subject=lag.astype(np.int64))


@njit(cache=True, nogil=True)
def _shifted(flat, mask, has_mask, rows, days, groups, shifts, lags, changes, least, score, change_score, waves, drift, out):  # noqa: C901 - a kernel
    """For each row the best (score, first day, lag, limit) over candidate days and lags, where it passes its limit; 0 otherwise."""
    slots = flat.shape[1] // days // groups
    half = slots // 2 + 1
    profile = np.zeros((days, slots))
    usable = np.zeros(days, dtype=np.bool_)
    sums = np.zeros((days + 1, slots))
    count = np.zeros(days + 1, dtype=np.int64)
    weight, noise = np.zeros((2, slots)), np.zeros((2, 2, half))
    sides, square = np.zeros((2, slots)), np.zeros(half)
    chosen = np.zeros(_KEPT, dtype=np.int64)
    known = np.zeros(2, dtype=np.bool_)
    for row in rows:
        _profiles(flat, mask, has_mask, row, groups, shifts, profile, usable)
        if usable.sum() < 2 * CHANGE_DAYS:
            continue
        for day in range(days):
            count[day + 1] = count[day] + usable[day]
            for slot in range(slots):
                sums[day + 1, slot] = sums[day, slot] + (profile[day, slot] if usable[day] else 0.0)
        known[:] = False
        best = 0.0
        for change in changes:
            low, high = max(0, change - BACK), min(days, change + AHEAD)
            if count[change] - count[low] < CHANGE_DAYS or count[high] - count[change] < CHANGE_DAYS:
                continue
            _means(sums, count, low, change, high, sides)
            if not known[1]:
                known[1] = _noise(flat, row, profile, usable, groups, shifts, waves, True, weight[1], noise[1], square)  # noqa: FBT003 - numba takes no names
                if not known[1]:
                    break
            chance = 1.0 / (count[change] - count[low]) + 1.0 / (count[high] - count[change])
            lag = shifts[change + 1] - shifts[change]
            reached = _gain(sides, lag, weight[1], noise[1], chance, waves, drift)
            if reached > change_score[row] and reached - change_score[row] > best:
                best = reached - change_score[row]
                out[row, 0], out[row, 1], out[row, 2], out[row, 3] = reached, change, lag, change_score[row]
        for day in range(1, days, 2):
            low, high = max(0, day - BACK), min(days, day + AHEAD)
            if count[day] - count[low] < least[row] or count[high] - count[day] < least[row]:
                continue
            _means(sums, count, low, day, high, sides)
            near, turned = 0, 0
            for change in changes:
                if low <= change < high:
                    near, turned = 1, shifts[change + 1] - shifts[change]
            many = _promising(sides, lags, turned, chosen)
            if many and not known[near]:
                known[near] = _noise(flat, row, profile, usable, groups, shifts, waves, near == 1, weight[near], noise[near], square)
                if not known[near]:
                    many = 0
            chance = 1.0 / (count[day] - count[low]) + 1.0 / (count[high] - count[day])
            for i in range(many):
                reached = _gain(sides, chosen[i], weight[near], noise[near], chance, waves, drift)
                if reached > score[row] and reached - score[row] > best and _has_rhythm(sides, chosen[i], weight[near], noise[near], count[day] - count[low], chance, waves, drift):
                    best = reached - score[row]
                    out[row, 0], out[row, 1], out[row, 2], out[row, 3] = reached, day, chosen[i], score[row]


@njit(cache=True, nogil=True)
def _profiles(flat, mask, has_mask, row, groups, shifts, profile, usable):  # noqa: C901 - a kernel
    """Fill the logarithmic profile of each local day, its mean taken out, and whether the day can be used."""
    days, slots = profile.shape
    wide = slots * groups
    totals = np.zeros(days)
    for day in range(days):
        begin = day * wide - shifts[day] * groups
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
def _means(sums, count, low, day, high, sides):
    """Fill the mean profiles of the days in [low, day) and [day, high)."""
    before, after = count[day] - count[low], count[high] - count[day]
    for slot in range(sums.shape[1]):
        sides[0, slot] = (sums[day, slot] - sums[low, slot]) / before
        sides[1, slot] = (sums[high, slot] - sums[day, slot]) / after


@njit(cache=True, nogil=True)
def _promising(sides, lags, turned, chosen):
    """Fill the moves (intervals) after which the profiles, hour by hour and without their daily wave, differ less than before; answers how many. The move of a change of the
    clocks nearby is left out."""
    slots = sides.shape[1]
    hours = slots // _COARSE
    coarse = np.zeros((2, _COARSE))
    for side in range(2):
        cosine = sine = 0.0
        for hour in range(_COARSE):
            for slot in range(hour * hours, (hour + 1) * hours):
                coarse[side, hour] += sides[side, slot] / hours
            cosine += coarse[side, hour] * np.cos(2 * np.pi * hour / _COARSE) * 2 / _COARSE
            sine += coarse[side, hour] * np.sin(2 * np.pi * hour / _COARSE) * 2 / _COARSE
        for hour in range(_COARSE):
            coarse[side, hour] -= cosine * np.cos(2 * np.pi * hour / _COARSE) + sine * np.sin(2 * np.pi * hour / _COARSE)
    still = 0.0
    for hour in range(_COARSE):
        still += (coarse[1, hour] - coarse[0, hour]) ** 2
    least = np.full(_KEPT, 1.15 * still)
    many = 0
    for lag in lags:
        if turned != 0 and abs(lag) == abs(turned):
            continue
        back = lag // hours
        moved = 0.0
        for hour in range(_COARSE):
            moved += (coarse[1, hour] - coarse[0, (hour - back) % _COARSE]) ** 2
        if moved < least[_KEPT - 1]:
            at = _KEPT - 1
            while at > 0 and moved < least[at - 1]:
                least[at], chosen[at] = least[at - 1], chosen[at - 1]
                at -= 1
            least[at], chosen[at] = moved, lag
            many = min(many + 1, _KEPT)
    return many


@njit(cache=True, nogil=True)
def _noise(flat, row, profile, usable, groups, shifts, waves, hides_sun, weight, noise, square):  # noqa: C901 - a kernel
    """Fill one over the spread of each time of the day, and for each wave the variance of a day (0) and that of a day which the means of neighbouring weeks tell of (1).

    With `hides_sun` the times of the day around those at which the channel often shows nothing, while the roof feeds the house, count nothing. Answers whether enough is left.
    """
    days, slots = profile.shape
    half = len(square)
    blocks = days // BLOCK
    means = np.zeros((blocks, slots))
    many = np.zeros(blocks)
    spread = np.zeros(slots)
    freedom = 0.0
    for block in range(blocks):
        for day in range(block * BLOCK, (block + 1) * BLOCK):
            if usable[day]:
                many[block] += 1
                means[block] += profile[day]
        if many[block] > 1:
            means[block] /= many[block]
            freedom += many[block] - 1
            for day in range(block * BLOCK, (block + 1) * BLOCK):
                if usable[day]:
                    spread += (profile[day] - means[block]) ** 2
    if freedom < CHANGE_DAYS:
        return False
    whole = 0.0
    for slot in range(slots):
        around = spread[slot - 2] + 2 * spread[slot - 1] + 3 * spread[slot] + 2 * spread[(slot + 1) % slots] + spread[(slot + 2) % slots]
        weight[slot] = np.sqrt(around / 9 / freedom)
        whole += weight[slot] / slots
    for slot in range(slots):
        weight[slot] = 1 / (weight[slot] + 0.3 * whole + 1e-9)
    if hides_sun and not _without_sun(flat, row, usable, groups, shifts, weight):
        return False
    noise[:] = 0
    weighted = np.zeros(slots)
    for block in range(blocks):
        if many[block] > 1:
            for day in range(block * BLOCK, (block + 1) * BLOCK):
                if usable[day]:
                    for slot in range(slots):
                        weighted[slot] = (profile[day, slot] - means[block, slot]) * weight[slot]
                    _squares(weighted, waves, square)
                    noise[0] += square / freedom
    steps = np.zeros((blocks, half))
    pairs = 0
    last = -1
    for block in range(blocks):
        if many[block] >= LEAST_BLOCK:
            if last >= 0:
                for slot in range(slots):
                    weighted[slot] = (means[block, slot] - means[last, slot]) * weight[slot]
                _squares(weighted, waves, square)
                steps[pairs] = square / (1 / many[block] + 1 / many[last])
                pairs += 1
            last = block
    smooth = noise[0].copy()
    for wave in range(half):
        low, high = max(0, wave - 2), min(half, wave + 3)
        noise[0, wave] = smooth[low:high].mean()
        noise[1, wave] = np.median(steps[:pairs, wave]) / 0.69 if pairs >= 3 else 0.0
    return True


@njit(cache=True, nogil=True)
def _without_sun(flat, row, usable, groups, shifts, weight):
    """Take the weight from times of the day within three hours of those at which more than a fiftieth of the days shows nothing, where that is a twelfth of the day or more;
    answers whether a quarter of the day is left."""
    days, slots = len(usable), len(weight)
    empty = np.zeros(slots)
    for day in range(days):
        if usable[day]:
            begin = (day * slots - shifts[day]) * groups
            for slot in range(slots):
                empty[slot] += flat[row, begin + slot * groups] == 0
    often = empty > 0.02 * usable.sum()
    if often.sum() * 12 < slots:
        return True
    reach = slots // 8
    for slot in range(slots):
        for near in range(slot - reach, slot + reach + 1):
            if often[near % slots]:
                weight[slot] = 0.0
                break
    return (weight > 0).sum() * 4 >= slots


@njit(cache=True, nogil=True)
def _squares(profile, waves, square):
    """Fill the squared size of each wave of a profile."""
    for wave in range(len(square)):
        cosine = sine = 0.0
        for slot in range(len(profile)):
            cosine += profile[slot] * waves[0, wave, slot]
            sine += profile[slot] * waves[1, wave, slot]
        square[wave] = cosine * cosine + sine * sine


@njit(cache=True, nogil=True)
def _gain(sides, lag, weight, noise, chance, waves, drift):
    """How much better the profiles fit when the first is moved by `lag`: sums of squares over variances, not moved less moved."""
    slots = sides.shape[1]
    half = len(drift)
    still, moved = np.zeros(slots), np.zeros(slots)
    for slot in range(slots):
        still[slot] = (sides[1, slot] - sides[0, slot]) * weight[slot]
        moved[slot] = (sides[1, slot] - sides[0, (slot - lag) % slots]) * weight[slot]
    one, other = np.zeros(half), np.zeros(half)
    _squares(still, waves, one)
    _squares(moved, waves, other)
    gain = 0.0
    for wave in range(half):
        share = 1.0 if wave == 0 or wave == half - 1 else 2.0
        gain += share * (one[wave] - other[wave]) / (max(noise[0, wave], noise[1, wave]) * chance + drift[wave])
    return gain


@njit(cache=True, nogil=True)
def _has_rhythm(sides, lag, weight, noise, before, chance, waves, drift):
    """Whether the profile before differs from itself moved by more than chance makes it: a load without a rhythm has none to be moved."""
    slots = sides.shape[1]
    moved, square = np.zeros(slots), np.zeros(len(drift))
    for slot in range(slots):
        moved[slot] = (sides[0, slot] - sides[0, (slot - lag) % slots]) * weight[slot]
    _squares(moved, waves, square)
    seen = expected = 0.0
    for wave in range(1, len(drift)):
        share = 1.0 if wave == len(drift) - 1 else 2.0
        variance = max(noise[0, wave], noise[1, wave])
        seen += share * square[wave] / (variance * chance + drift[wave])
        expected += share * variance / before * 2 * (1 - np.cos(2 * np.pi * wave * lag / slots)) / (variance * chance + drift[wave])
    return seen > (1 + LEAST_RHYTHM) * expected
