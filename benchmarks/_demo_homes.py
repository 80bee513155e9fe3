"""The demo's households as windows: weather and seasons over thirteen months, cars, roofs, holidays, businesses, by another maker than `_households`."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks._households import DIAL_WH, Homes
from mains.demo import generate, places
from mains.demo.model import DemoPlan
from mains.demo.span import DAYS
from mains.metering.model import MISSING
from mains.metering.vee.model import DAY, Facts, FlowCode, Heads, Window

CLASSES = ("residential", "commercial", "industrial", "public_authority")
TILE, CONTEXT, RECENT = 128, 28, 62
"""Days judged together, days of values and days of heads before them: what a first load of the demo is judged with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The first utility of a demo: `values` int32 Wh [n, days, 96], `quality` uint8 and `outage` bool of that shape; `shift_min` int16 [days + 1]; `is_story` bool [n]:
    something is planted there; `lives` [n] the way of life."""

    values: np.ndarray
    quality: np.ndarray
    outage: np.ndarray
    facts: Facts
    first_day: int
    offset_min: int
    shift_min: np.ndarray
    is_story: np.ndarray
    lives: np.ndarray


@cache
def demo(seed: int, customers: int = 400) -> Demo:
    """All electric channels of a demo's first utility."""
    plan = generate.plan(customers=customers, seed=seed)
    utility = plan.utilities[0]
    channels = [c for c in plan.channels[: plan.interval_channels] if c.utility == utility.key]
    made = generate.readings(plan, range(channels[0].index, channels[-1].index + 1))
    values = made.values
    n = len(values)
    quality = np.zeros(values.shape, dtype=np.uint8)
    flat = quality.reshape(n, -1)
    for index, start, end, code in made.overrides:
        flat[index - channels[0].index, start:end] = code
    kinds = {c.number: (CLASSES.index(c.customer_class), c.story) for c in plan.customers if c.utility == utility.key}
    first = utility.first_day_start
    facts = Facts.usual(
        n, flow=[FlowCode.DELIVERED if c.flow == "delivered" else FlowCode.RECEIVED for c in channels], meter_class=[kinds[c.premise_number][0] for c in channels],
        installed_from=[first + c.from_slot * 900 for c in channels], installed_to=[first + c.to_slot * 900 for c in channels],
    )  # fmt: skip
    zone = ZoneInfo(utility.timezone)
    midnights = [datetime.fromtimestamp(first + day * DAY, UTC).astimezone(zone) for day in range(DAYS + 1)]
    shift = [((at.utcoffset() or timedelta()).total_seconds()) // 60 - utility.utc_offset_minutes for at in midnights]
    lives = {p.number: str(generate.shapes.LIVES[plan.loads[i]["life"]]) for i, p in enumerate(plan.premises) if p.utility == utility.key}
    return Demo(
        values=values, quality=quality, outage=_outages(plan, channels, values.shape), facts=facts, first_day=first, offset_min=utility.utc_offset_minutes,
        shift_min=np.array(shift, dtype=np.int16), is_story=np.array([kinds[c.premise_number][1] != "" for c in channels]),
        lives=np.array([lives[c.premise_number] for c in channels]),
    )  # fmt: skip


def _outages(plan: DemoPlan, channels: list, shape: tuple[int, ...]) -> np.ndarray:
    """Intervals of recorded power cuts."""
    out = np.zeros((shape[0], shape[1] * shape[2]), dtype=bool)
    for row, channel in enumerate(channels):
        where = places.site(channel.premise_number)
        for cut in plan.interruptions:
            if where.district == 0 and where.feeder == cut.feeder and cut.laterals[0] <= where.lateral < cut.laterals[1]:
                out[row, cut.from_slot : cut.to_slot] = True
    return out.reshape(shape)


def window(made: Demo, first: int, last: int, *, context: int = 0) -> Window:
    """Days [first, last) due, with values of the `context` days before and heads of those before these."""
    begin = max(first - context, 0)
    shown = made.values[:, begin:last]
    n, days = shown.shape[:2]
    is_due = np.zeros((n, days), dtype=bool)
    is_due[:, first - begin :] = (made.values[:, first:last] != MISSING).any(axis=2)
    listed = np.array([*range(max(begin - 395, 0), max(begin - 333 + days, 0)), *range(max(begin - RECENT, 0), begin)], dtype=np.int64)
    listed = np.unique(listed[listed < begin])
    past = made.values[:, listed]
    there = past != MISSING
    heads = Heads(
        days=(listed - begin).astype(np.int32), totals=np.where(there, past, 0).sum(axis=2, dtype=np.int64),
        peaks=np.where(there, past, 0).max(axis=2, initial=0).astype(np.int32),
        n_valid=there.sum(axis=2).astype(np.int16),
    )  # fmt: skip
    quality = made.quality[:, begin:last]
    return Window.of(
        np.ascontiguousarray(shown), first_day=made.first_day + begin * DAY, utc_offset_min=made.offset_min, facts=made.facts, heads=heads, is_due=is_due,
        quality=quality, excused=made.outage[:, begin:last], local_shift_min=made.shift_min[begin : last + 1], classes=CLASSES,
    )  # fmt: skip


def tiles(made: Demo) -> list[Window]:
    """The windows in which a first load of thirteen months is judged."""
    day = (made.first_day + made.offset_min * 60) // DAY
    edges = sorted({0, DAYS, *(edge for edge in range(-(day % TILE), DAYS, TILE) if edge > 0)})
    out = []
    for first, last in pairwise(edges):
        whole = window(made, first, last, context=CONTEXT)
        out.append(replace(whole, now=whole.first_day + whole.days * DAY + 60))
    return out


def homes_like(made: Demo) -> np.ndarray:
    """Channels on which faults are put: delivered, of one meter for all the time, nothing planted, at least 99 % actual."""
    whole = (made.values != MISSING).all(axis=(1, 2)) & ((made.quality != 0).mean(axis=(1, 2)) < 0.01)
    return np.flatnonzero(whole & (made.facts.flow == FlowCode.DELIVERED) & ~made.is_story)



def stretch(made: Demo, rows: np.ndarray, first: int, days: int) -> Homes:
    """Some channels over a stretch of days as clean households; the dial is the register of what they used, in steps of `DIAL_WH`."""
    values = made.values[rows, first : first + days].copy()
    counted = np.concatenate([np.zeros((len(rows), 1), dtype=np.int64), np.cumsum(values.sum(axis=2, dtype=np.int64), axis=1)], axis=1)
    shift = made.shift_min[first : first + days + 1]
    return Homes(values=values, dial=(counted + 5) // DIAL_WH, away=np.zeros(values.shape[:2], dtype=bool), shift_min=shift, weekday=0)


def changes(made: Demo) -> list[int]:
    """Days on which the clocks change."""
    return np.flatnonzero(np.diff(made.shift_min)).tolist()
