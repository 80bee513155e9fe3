"""Changes of what a channel is: its scale (a multiplier lost or doubled) and whose it is (two meters' data exchanged), from the marks each day leaves."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mains.metering.vee.model import FlowCode
from mains.metering.vee.scene import NOTHING, Found, Limits, Scene, found

LEAST_CONTEXT = 10
"""Whole days of values before a day from which it is known what never stops."""
_QUANTILES = (0.03, 0.1, 0.21, 0.33, 0.46, 0.58, 0.71, 0.83, 0.94)
_CHANGES = (0.1, 0.25, 0.42, 0.63, 0.84)
_PARTS = 8
_MOST_PAIRED = 800
MOST_CROSSED = 1.0
"""Mean distance of a pair, exchanged, over which it does not fit."""
UNLIKE_OTHERS = 0.08
"""By how much the score of a pair must be over that of either with any third channel."""
LEAST_CROSSED = 0.3
"""Less than this no two channels differ, even when they are one: it saves looking at pairs that changed too little."""
_NIGHT = (0.1, 0.5, 0.9)
"""Shares of the lowest and highest of the first five hours."""
MARKS = len(_QUANTILES) + 2 + len(_CHANGES) + _PARTS + 2 * len(_NIGHT)
"""Figures that mark a day: quantiles and peak of its intervals, quantiles of the changes between neighbours, means of each three hours, and
quantiles of the first five hours; logarithms of raw steps."""


def scale_change(scene: Scene, limits: Limits) -> Found:
    """A day on another scale than the days before, by about `factor` x `factor`: everything higher, or everything lower.

    Higher: the peak is over `factor` times the usual one, the total over 0.65 of that, and the lowest interval over 0.6 of it times the second lowest that any day before had.
    Lower: total and peak are under 1 / `factor`, and the lowest interval under 0.4 of that second lowest. A new machine raises total and peak, who goes away lowers them, but
    neither touches what never stops. Usual is the median of up to 28 whole days before that stood the test. Where fewer than 10 days of values precede, total and peak
    are held against the heads alone: higher is as severe,
    lower only a remark, for who is away looks the same. What is given back is not judged: it stops every night, and clouds take more than a factor.
    """
    window, history = scene.window, scene.history
    lead = len(history.days) - history.own
    start = int(np.searchsorted(history.days, -28))
    verdict = np.zeros((window.channels, window.days), dtype=np.int8)
    measured = np.zeros((window.channels, window.days))
    _scales(
        np.ascontiguousarray(history.totals[:, start:]), np.ascontiguousarray(history.peaks[:, start:]), np.ascontiguousarray(history.is_whole[:, start:]),
        lead - start, scene.figures.low, limits["factor"].astype(np.float64), verdict, measured,
    )  # fmt: skip
    verdict[window.facts.flow == FlowCode.RECEIVED] = 0
    row, day = np.nonzero((verdict != 0) & window.is_due)
    if not len(row):
        return NOTHING
    limit = np.where(verdict[row, day] > 0, 0.65 * limits["factor"][row], 1 / limits["factor"][row])
    severity = np.where(verdict[row, day] == _REMARK, 0, -1)
    return found(row, day * window.slots, (day + 1) * window.slots, measured=measured[row, day], limit=limit, severity=severity)


_HIGHER, _LOWER, _REMARK = 1, -1, -2


@njit(cache=True, nogil=True)
def _scales(totals, peaks, is_whole, lead, low, factor, verdict, measured):
    """Judge each day against the days before that are on the old scale; only days whose total is far from their mean are looked at closely."""
    n, days = verdict.shape
    kept = np.zeros(lead + days, dtype=np.bool_)
    for row in range(n):
        running = 0.0
        count = 0
        for at in range(lead + days):
            day = at - lead
            kept[at] = is_whole[row, at] and totals[row, at] > 0
            if not kept[at]:
                continue
            if day >= 0 and count >= 7:
                near = totals[row, at] / np.exp(running / count)
                if near > 0.4 * factor[row] or near < 1.6 / factor[row]:
                    verdict[row, day], measured[row, day] = _judged(totals[row], peaks[row], kept, at, lead, low[row], factor[row])
                    if verdict[row, day] == _HIGHER or verdict[row, day] == _LOWER:
                        kept[at] = False
                        continue
            running += np.log(totals[row, at])
            count += 1


@njit(cache=True, nogil=True)
def _judged(totals, peaks, kept, at, lead, low, factor):
    """The verdict on a day and its total over the usual one."""
    one, two = np.zeros(28), np.zeros(28)
    filled = seen = 0
    least = next_least = np.int64(2147483647)
    back = at - 1
    while back >= 0 and filled < 28:
        if kept[back]:
            one[filled], two[filled] = totals[back], peaks[back]
            filled += 1
            if back >= lead:
                seen += 1
                here = np.int64(low[back - lead])
                if here < least:
                    least, next_least = here, least
                elif here < next_least:
                    next_least = here
        back -= 1
    total = totals[at] / np.median(one[:filled])
    peak = peaks[at] / max(np.median(two[:filled]), 1.0)
    is_higher = peak > factor and total > 0.65 * factor
    is_lower = peak < 1 / factor and total < 1 / factor
    here = low[at - lead]
    if seen < LEAST_CONTEXT or next_least < 2:
        if is_higher and total > factor and filled >= 14:
            return _HIGHER, total
        return (_REMARK, total) if is_lower else (0, total)
    if is_higher and here > 0.6 * factor * next_least:
        return _HIGHER, total
    return (_LOWER, total) if is_lower and here < 0.4 * next_least else (0, total)


def swapped_meters(scene: Scene, limits: Limits) -> Found:
    """Two channels that exchanged what they are: the days after fit the other's days before, and not the own ones.

    Every day leaves `MARKS` figures. The distance of two stretches of days is the mean over the marks of log(1 + squared difference of means / its variance). Channels
    whose own
    distance, before to after, is over `own` on some day are held against one another: their own distances less the crossed ones, summed of both, must pass `score`, each
    must be nearer crossed
    than own, and no third channel may fit either nearly as well: a turn of the weather changes many at once. `subject` is the other's row.
    """
    window = scene.window
    least = int(limits["days"].min(initial=10**6))
    if window.days < least + max(least, LEAST_CONTEXT) or window.slots < 24:
        return NOTHING
    marks, usable = marks_of(scene)
    days = np.arange(LEAST_CONTEXT, window.days - least + 1, dtype=np.int64)
    before = np.zeros((window.channels, len(days), 2, MARKS), dtype=np.float32)
    after = np.zeros_like(before)
    counts = np.zeros((window.channels, len(days), 2), dtype=np.float32)
    own = np.zeros((window.channels, len(days)), dtype=np.float32)
    _sides(marks, usable, scene.figures.total.astype(np.float64), days, float(limits["drift"].max()), least, before, after, counts, own)
    best: dict[int, tuple[float, int, int]] = {}
    for at in range(len(days)):
        rows = np.flatnonzero(own[:, at] > limits["own"])
        rows = rows[np.argsort(-own[rows, at], kind="stable")[:_MOST_PAIRED]]
        if len(rows) > 1:
            others, scores = _pairs(rows, before[rows, at], after[rows, at], own[rows, at].astype(np.float64), float(limits["score"].min()), float(limits["drift"].max()))
            for one, other, score in zip(rows.tolist(), others.tolist(), scores.tolist(), strict=True):
                if other >= 0 and own[one, at] + own[other, at] - score < 2 * MOST_CROSSED and score > max(limits["score"][one], best.get(one, (0.0,))[0]):
                    best[one] = (score, other, int(days[at]))
    best = {one: found_pair for one, found_pair in best.items() if found_pair[1] in best and best[found_pair[1]][1] == one}
    return _named(scene, best, limits)


def _named(scene: Scene, pairs: dict[int, tuple[float, int, int]], limits: Limits) -> Found:
    """Pairs as findings of both channels, where either is due."""
    window = scene.window
    rows = [row for row, (_, other, day) in pairs.items() if window.is_due[row, day:].any() or window.is_due[other, day:].any()]
    if not rows:
        return NOTHING
    day = np.array([pairs[row][2] for row in rows])
    return found(
        np.array(rows), day * window.slots, window.days * window.slots, measured=np.array([pairs[row][0] for row in rows]),
        limit=limits["score"][rows], subject=np.array([pairs[row][1] for row in rows]),
    )  # fmt: skip


def marks_of(scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The marks of each day float32 [n, days, MARKS], and whether the day is whole and measured [n, days]."""
    window = scene.window
    slots = window.slots
    usable = (scene.figures.n_judged == slots) & (scene.figures.low >= 0)
    out = np.zeros((window.channels, window.days, MARKS), dtype=np.float32)
    at = [min(max(round(q * slots), 2), slots - 3) for q in _QUANTILES]
    steps = [min(max(round(q * slots), 2), slots - 4) for q in _CHANGES]
    for begin in range(0, window.channels, 64):
        part = slice(begin, begin + 64)
        values = np.where(usable[part][..., None], window.values[part], 0)
        ranked = np.sort(values, axis=2)
        changes = np.sort(np.abs(np.diff(values, axis=2)), axis=2)
        columns = [ranked[..., i - 2 : i + 3].mean(axis=2) + 2 for i in at] + [ranked[..., -1] + 2.0]
        columns += [changes[..., i - 2 : i + 3].mean(axis=2) + 1 for i in steps]
        width = slots // _PARTS
        columns += list(np.moveaxis(values[..., : width * _PARTS].reshape(*values.shape[:2], _PARTS, width).mean(axis=3), 2, 0) + 2)
        night = np.sort(values[..., : slots * 5 // 24], axis=2)
        columns += [night[..., round(q * (night.shape[2] - 1))] + 1.0 for q in _NIGHT]
        night = np.sort(np.abs(np.diff(values[..., : slots * 5 // 24], axis=2)), axis=2)
        columns += [night[..., round(q * (night.shape[2] - 1))] + 1.0 for q in _NIGHT]
        columns.append(ranked[..., 0] + 1.0)
        out[part] = np.log(np.stack(columns, axis=2))
    return out, usable


@njit(cache=True, nogil=True)
def _sides(marks, usable, totals, days, drift, least, before, after, counts, own):
    """Mean and variance of each mark on both sides of each candidate day, without days of less than half the side's usual use; and the own distance, 0 where a side is
    short."""
    n, length, _ = marks.shape
    for row in range(n):
        for at in range(len(days)):
            day = days[at]
            low, high = max(0, day - 28), min(length, day + 21)
            counts[row, at, 0] = _side(marks, usable, totals, row, low, day, before[row, at])
            counts[row, at, 1] = _side(marks, usable, totals, row, day, high, after[row, at])
            if counts[row, at, 0] >= least and counts[row, at, 1] >= least:
                own[row, at] = _distance(after[row, at], before[row, at], drift)


@njit(cache=True, nogil=True)
def _side(marks, usable, totals, row, first, last, out):  # noqa: C901 - a kernel
    """Mean of the marks over some days and the variance of that mean, larger where days resemble the day before; answers how many days."""
    width = marks.shape[2]
    there = usable[row, first:last]
    out[:] = 0
    if there.sum() < 3:
        return 0
    usual = np.quantile(totals[row, first:last][there], 0.75)
    count = 0
    for day in range(first, last):
        if usable[row, day] and totals[row, day] >= 0.5 * usual:
            count += 1
            for mark in range(width):
                out[0, mark] += marks[row, day, mark]
    if count < 3:
        return 0
    steps = np.zeros(width)
    before = -1
    pairs = 0
    for mark in range(width):
        out[0, mark] /= count
    for day in range(first, last):
        if usable[row, day] and totals[row, day] >= 0.5 * usual:
            for mark in range(width):
                out[1, mark] += (marks[row, day, mark] - out[0, mark]) ** 2
            if before >= 0:
                pairs += 1
                for mark in range(width):
                    steps[mark] += (marks[row, day, mark] - marks[row, before, mark]) ** 2
            before = day
    for mark in range(width):
        spread = out[1, mark] / (count - 1)
        alike = 1 - steps[mark] / pairs / 2 / spread if spread > 0 else 0.0
        alike = min(max(alike, 0.0), 0.75)
        out[1, mark] = spread / count * (1 + alike) / (1 - alike)
    return count


@njit(cache=True, nogil=True)
def _distance(one, other, drift):
    """Mean over the marks of the logarithm of one and the squared difference of means over its variance: no single mark decides."""
    width = one.shape[1]
    total = 0.0
    for mark in range(width):
        variance = one[1, mark] + other[1, mark] + drift * drift
        total += np.log1p((one[0, mark] - other[0, mark]) ** 2 / variance)
    return total / width


@njit(cache=True, nogil=True)
def _pairs(rows, before, after, own, score, drift):  # noqa: C901 - a kernel
    """For each of the rows, which come in falling order of `own`, the one that fits it best when both are exchanged: other row, score; -1 where none passes.

    Sums of logarithms are kept as products, and a pair is given up as soon as it cannot pass any more.
    """
    n, width = len(rows), before.shape[2]
    fits, best, second = np.full(n, -1), np.zeros(n), np.zeros(n)
    bound = np.exp(own * width)
    for i in range(n):
        for j in range(i + 1, n):
            if own[i] + own[j] < score + LEAST_CROSSED:
                break
            most = np.exp((own[i] + own[j] - score) * width)
            one = other = 1.0
            for mark in range(width - 1, -1, -1):
                if one >= bound[i] or other >= bound[j] or one * other > most:
                    break
                one *= 1 + (after[i, 0, mark] - before[j, 0, mark]) ** 2 / (after[i, 1, mark] + before[j, 1, mark] + drift * drift)
                other *= 1 + (after[j, 0, mark] - before[i, 0, mark]) ** 2 / (after[j, 1, mark] + before[i, 1, mark] + drift * drift)
            if one < bound[i] and other < bound[j] and one * other < most:
                reached = own[i] + own[j] - (np.log(one) + np.log(other)) / width
                for here, there in ((i, j), (j, i)):
                    if reached > best[here]:
                        second[here], best[here], fits[here] = best[here], reached, there
                    elif reached > second[here]:
                        second[here] = reached
    for i in range(n):
        if fits[i] >= 0 and (fits[fits[i]] != i or best[i] - second[i] < UNLIKE_OTHERS):
            best[i] = 0.0
    for i in range(n):
        j = fits[i]
        fits[i] = rows[j] if j >= 0 and best[i] > 0 and best[j] > 0 else -1
    return fits, best
