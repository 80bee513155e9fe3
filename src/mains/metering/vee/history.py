"""What the days before say: the heads before a window and the window's own days on one line of days, and the reference figures the rules compare with."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mains.metering.vee.figures import DayFigures
from mains.metering.vee.model import Window

WHOLE = 0.9
"""Share of its intervals that a day must have to stand for a day."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Days of heads and window side by side: `days` int32 [T] ascending, counted from the window's first; `totals` int64, `peaks` int32 and `is_whole` bool, all [n, T].

    The window's own days are the last `own` ones.
    """

    days: NDArray[np.int32]
    totals: NDArray[np.int64]
    peaks: NDArray[np.int32]
    is_whole: NDArray[np.bool_]
    own: int

    def mean_total(self, rows: NDArray[np.intp], first: int, last: int, *, least: int) -> NDArray[np.float64]:
        """Mean raw total of the whole days in [first, last) of some rows [m]; nan where there are fewer than `least`."""
        columns = slice(*np.searchsorted(self.days, [first, last]))
        whole = self.is_whole[rows, columns]
        count = whole.sum(axis=1)
        total = np.where(whole, self.totals[rows, columns], 0).sum(axis=1, dtype=np.float64)
        return np.where(count >= max(least, 1), total / np.maximum(count, 1), np.nan)


def history_of(window: Window, figures: DayFigures) -> History:
    """Heads and window on one line of days."""
    heads, own = window.heads, np.arange(window.days, dtype=np.int32)
    needed = WHOLE * window.slots
    if not len(heads.days):
        return History(days=own, totals=figures.total, peaks=figures.peak, is_whole=figures.n_valid >= needed, own=window.days)
    return History(
        days=np.concatenate([heads.days.astype(np.int32), own]),
        totals=np.concatenate([heads.totals, figures.total], axis=1),
        peaks=np.concatenate([heads.peaks, figures.peak], axis=1),
        is_whole=np.concatenate([heads.n_valid >= needed, figures.n_judged >= needed], axis=1),
        own=window.days,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """What a channel's other days give to compare a day with, each [n, days]: `third` int64, the third highest peak of its cycle, the day's own three highest intervals among
    them; `highest` int64, the highest peak of the other days; `known` int16, how many whole days those are."""

    third: NDArray[np.int64]
    highest: NDArray[np.int64]
    known: NDArray[np.int16]


CYCLE = 30
"""Days of a cycle: a day is compared with those before it, back to this many."""
ENOUGH = 20
"""Whole days that must be known of a cycle. Where fewer lie before, the window's days after are taken as well."""


def reference_of(window: Window, figures: DayFigures, history: History, *, ratio: NDArray[np.float64], floor: NDArray[np.float64]) -> Reference:
    """References of every due day.

    A day whose peak is over `floor` [n] raw and over `ratio` [n] x the third highest is a spike and is no reference for the days after it.
    """
    shape = (window.channels, window.days)
    third, highest, known = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int16)
    begin = int(np.searchsorted(history.days, 1 - CYCLE))
    _references(
        history.days[begin:], np.ascontiguousarray(history.peaks[:, begin:]), np.ascontiguousarray(history.is_whole[:, begin:]),
        figures.peak, figures.second, figures.third, window.is_due, ratio, floor, third, highest, known,
    )  # fmt: skip
    return Reference(third=third, highest=highest, known=known)


@njit(cache=True, nogil=True)
def _references(days, peaks, is_whole, first, second, third, is_due, ratio, floor, out_third, out_highest, out_known):
    """Walk back from each due day over the cycle, then ahead where too little is known, keeping the three highest."""
    n, own = first.shape
    lead = len(days) - own
    spoiled = np.zeros(own, dtype=np.bool_)
    for row in range(n):
        spoiled[:] = False
        for day in range(own):
            if not is_due[row, day]:
                continue
            top = np.zeros(4, dtype=np.int64)
            top[0], top[1], top[2] = first[row, day], second[row, day], third[row, day]
            highest = np.int64(0)
            known = 0
            here = lead + day
            for step in (-1, 1):
                at = here + step
                while 0 <= at < lead + own and abs(days[at] - day) < CYCLE and (step < 0 or known < ENOUGH):
                    if is_whole[row, at] and not (at >= lead and spoiled[at - lead]):
                        known += 1
                        highest = max(highest, np.int64(peaks[row, at]))
                        _keep(top, np.int64(peaks[row, at]))
                        if at >= lead:
                            _keep(top, np.int64(second[row, at - lead]))
                            _keep(top, np.int64(third[row, at - lead]))
                    at += step
            spoiled[day] = known >= ENOUGH and first[row, day] > floor[row] and first[row, day] > ratio[row] * top[2]
            out_third[row, day], out_highest[row, day], out_known[row, day] = top[2], highest, known


@njit(cache=True, nogil=True, inline="always")
def _keep(top, value):
    """Keep the three highest in order."""
    if value > top[2]:
        if value > top[1]:
            top[2] = top[1]
            if value > top[0]:
                top[1] = top[0]
                top[0] = value
            else:
                top[1] = value
        else:
            top[2] = value
