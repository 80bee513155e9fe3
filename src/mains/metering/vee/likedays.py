"""Like days: which days may stand for which, and what the channel used on them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mains.metering.vee.model import Window

WEEKDAYS: tuple[tuple[int, ...], ...] = ((0,), (1, 2, 3), (2, 1, 3), (3, 1, 2), (4,), (5,), (6,))
"""Which weekdays stand for which, the best first: Tuesday, Wednesday and Thursday for one another; the others only for themselves."""
WORKDAYS, SATURDAY, SUNDAY = 0, 1, 2
"""Kinds of day of a class profile; a holiday is a Sunday."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ladder:
    """What the ladder may use: `linear_s`, the longest gap for a straight line, s; `reference_days`, like days averaged; `reach_days`, how far back and ahead they may lie;
    `class_profiles` float64 [classes, 3, slots] or None: the share of a day in each interval on working days, Saturdays, Sundays and holidays, each summing to 1;
    `is_alternate`: the check rows are alternate channels, not check meters."""

    linear_s: int = 7200
    reference_days: int = 3
    reach_days: int = 28
    class_profiles: NDArray[np.float64] | None = None
    is_alternate: bool = False


def like_days(window: Window, day: int, *, reach: int) -> list[int]:
    """Days of the window that may stand for a day, the best first: the same weekday and its substitutes, the near before the far and the past before the future; for a holiday
    the other holidays, then Sundays. No holiday stands for another day."""
    holiday = np.zeros(window.days, dtype=bool) if window.is_holiday is None else window.is_holiday
    weekday = (window.weekday + np.arange(window.days)) % 7
    others = sorted((each for each in range(window.days) if each != day and abs(each - day) <= reach), key=lambda each: (abs(each - day), each > day))
    if holiday[day]:
        return [each for each in others if holiday[each]] + [each for each in others if weekday[each] == 6 and not holiday[each]]
    same = [each for each in others if not holiday[each] and weekday[each] == weekday[day]]
    stand_ins = [each for each in others if not holiday[each] and weekday[each] in WEEKDAYS[weekday[day]][1:]]
    return sorted(same + stand_ins, key=lambda each: (abs(each - day), each > day)) if stand_ins else same


def like_day_means(window: Window, trusted: NDArray[np.float64], wanted: NDArray[np.bool_], ladder: Ladder) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For wanted intervals [days, slots], the mean of the same local time on the nearest like days on which it was measured, and how many days that was; nan and 0 elsewhere.

    `trusted` [days, slots]: raw amounts, nan where not measured or not standing. The day's first like days that are whole where the gap lies are taken for all of the gap.
    """
    flat = trusted.reshape(-1)
    out, count = np.full(trusted.shape, np.nan), np.zeros(trusted.shape, dtype=np.int64)
    shift = window.shifts()
    for day in np.flatnonzero(wanted.any(axis=1)):
        slots = np.flatnonzero(wanted[day])
        samples: list[NDArray[np.float64]] = []
        part: list[NDArray[np.float64]] = []
        for other in like_days(window, int(day), reach=ladder.reach_days):
            place = other * window.slots + slots + int(shift[day] - shift[other])
            inside = (place >= 0) & (place < len(flat))
            sample = np.where(inside, flat[np.clip(place, 0, len(flat) - 1)], np.nan)
            (part if np.isnan(sample).any() else samples).append(sample)
            if len(samples) == ladder.reference_days:
                break
        chosen = np.array((samples + part)[: ladder.reference_days] if samples or part else np.zeros((0, len(slots))))
        seen = (~np.isnan(chosen)).sum(axis=0) if len(chosen) else np.zeros(len(slots), dtype=np.int64)
        total = np.nansum(chosen, axis=0) if len(chosen) else np.zeros(len(slots))
        out[day, slots] = np.where(seen > 0, total / np.maximum(seen, 1), np.nan)
        count[day, slots] = seen
    return out, count


def usual_days(window: Window, row: int, trusted: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What the channel uses on a usual day around each day [days], nan where nothing is known: from what is measured of the window, else from the heads of up to 30 days; and the
    kind of each day for a class profile [days]."""
    measured = trusted[~np.isnan(trusted)]
    usual = np.nan
    if len(measured) >= window.slots:
        usual = float(measured.mean()) * window.slots
    else:
        heads = window.heads
        near = (heads.days >= -30) & (heads.n_valid[row] >= 0.9 * window.slots)
        if near.any():
            usual = float(heads.totals[row, near].mean())
        elif len(measured):
            usual = float(measured.mean()) * window.slots
    weekday = (window.weekday + np.arange(window.days)) % 7
    kind = np.where(weekday == 6, SUNDAY, np.where(weekday == 5, SATURDAY, WORKDAYS))
    if window.is_holiday is not None:
        kind = np.where(window.is_holiday, SUNDAY, kind)
    return np.full(window.days, usual), kind
