"""Dials that are read now and then: water each local midnight in gallons, gas at month boundaries and at moves in hundreds of cubic feet;
both roll over.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from mains.demo import stories
from mains.demo.belongings import Belongings
from mains.demo.chance import chance, stream_key, uniforms
from mains.demo.places import Site
from mains.demo.span import DAYS, FIRST_LOCAL_DATE, REFERENCE_DATE, Span, local_months
from mains.demo.weather import Weather

_LOCAL_DAYS = (REFERENCE_DATE - FIRST_LOCAL_DATE).days


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegisterReads:
    """Reads of many channels, one an entry: channel index, epoch seconds, the dial's figure in the channel's unit, and the quality code."""

    channel: NDArray[np.int32]
    read_at: NDArray[np.int64]
    value: NDArray[np.int64]
    quality: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Days:
    """The local days of the span: mean temperature in °C, kind of day, and epoch seconds of the 397 midnights that bound them."""

    temperature_c: NDArray[np.float64]
    kind: NDArray[np.int8]
    midnight: NDArray[np.int64]


def days_of(calendar: Span, weather: Weather) -> Days:
    """The local days from the slots."""
    sums = np.bincount(calendar.local_day, weights=weather.temperature_c, minlength=DAYS + 1)
    counts = np.bincount(calendar.local_day, minlength=DAYS + 1)
    first = np.searchsorted(calendar.local_day, np.arange(1, _LOCAL_DAYS + 1))
    midnights = [calendar.midnight(FIRST_LOCAL_DATE + timedelta(days=d)) for d in range(_LOCAL_DAYS + 1)]
    return Days(
        temperature_c=np.round(sums / np.maximum(counts, 1), 3)[1 : _LOCAL_DAYS + 1],
        kind=calendar.day_kind[first],
        midnight=np.array(midnights, np.int64),
    )


def dial_digits(commodity: str, customer_class: str) -> int:
    """Digits of a register before it rolls over; a household's gas meter has four."""
    return {"electric": 8, "water": 8}.get(commodity, 4 if customer_class == "residential" else 6)


def _day(on: date) -> int:
    return (on - FIRST_LOCAL_DATE).days


def _empty(story: str) -> slice:
    """The local days on which a story's premise is empty."""
    if story == "moves_house":
        return slice(_day(stories.MOVED_OUT), None)
    if story == "final_bill":
        return slice(_day(stories.NEIGHBOUR_LEFT), _day(stories.MOVED_IN))
    if story == "long_holiday":
        return slice(_day(stories.LONG_HOLIDAY[0]), _day(stories.LONG_HOLIDAY[1]))
    return slice(0, 0)


def daily_use(commodity: str, seed: int, utility: str, where: Site, has: Belongings, days: Days) -> NDArray[np.float64]:
    """Gallons or hundreds of cubic feet used on each of the 396 local days."""
    source, story = chance(seed, utility, commodity, where.number), stories.story_of(utility, where.number)
    u = uniforms(stream_key(seed, utility, commodity, where.number), 2 * _LOCAL_DAYS).reshape(2, -1)
    cold = np.clip(16.0 - days.temperature_c, 0, None)
    if where.customer_class == "residential":
        size = source.uniform(0.75, 1.3)
        if commodity == "water":
            use = size * has.people * 50 * (0.55 + 0.9 * u[0]) * np.where(days.kind > 0, 1.15, 1.0)
            if has.has_garden:
                use += np.where(u[1] < 0.45, np.clip(days.temperature_c - 19, 0, None) * source.uniform(14, 34), 0)
        else:
            use = (0.25 + 0.14 * has.people) * (0.7 + 0.6 * u[0]) + size * source.uniform(0.17, 0.27) * cold
        use[_empty(story)] *= 0.25 if commodity == "gas" else 0.01
    else:
        works = where.customer_class == "industrial"
        open_day = np.where(days.kind == 0, 1.0, 0.6 if has.life in ("shop", "restaurant", "grocery", "three_shifts") else 0.15)
        if commodity == "water":
            a_mwh = {"restaurant": 9.0, "clinic": 4.5, "school": 3.5, "grocery": 3.0}.get(has.life, 2.0) * (0.5 if works else 1.0)
            use = has.annual_mwh * a_mwh * open_day * (0.8 + 0.4 * u[0])
        else:
            use = (
                has.annual_mwh
                * source.uniform(0.004, 0.009)
                * ((0.35 if not works else 2.2) * open_day * 3 * (0.8 + 0.4 * u[0]) + 0.55 * cold)
            )
    if story == "water_leak" and commodity == "water":
        use[_day(stories.LEAK_FROM) :] += 15.0 * 24
    return use


def reads(
    commodity: str, seed: int, utility: str, where: Site, use: NDArray[np.float64], days: Days
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Instants, dial figures and quality codes of one register."""
    source, story, dial = (
        chance(seed, utility, commodity, "reads", where.number),
        stories.story_of(utility, where.number),
        10 ** dial_digits(commodity, where.customer_class),
    )
    start = source.randrange(dial)
    used = np.concatenate([[0], np.floor(np.cumsum(use)).astype(np.int64)])
    if story == "gas_rollover" and commodity == "gas":
        start = dial - int(used[_day(date(2026, 1, 1))]) - 20
    first = _day(stories.NEW_BUILDING) if story == "new_building" else 0
    start = 0 if first else start
    quality = np.zeros(_LOCAL_DAYS + 1, np.uint8)
    if commodity == "water":
        kept = np.arange(first, _LOCAL_DAYS + 1)
        firsts = {_day(month[0]) for month in local_months()} | {
            _LOCAL_DAYS,
            _day(stories.MOVED_IN),
            _day(stories.MOVED_OUT),
            _day(stories.NEIGHBOUR_LEFT),
            first,
        }
        lost = {d for d in (source.randrange(_LOCAL_DAYS) for _ in range(1)) if source.random() < 0.35} - firsts
        kept = kept[~np.isin(kept, list(lost))]
    else:
        boundaries = {_day(month[0]) for month in local_months()} | {_LOCAL_DAYS, first}
        boundaries |= {"moves_house": {_day(stories.MOVED_OUT)}, "final_bill": {_day(stories.NEIGHBOUR_LEFT), _day(stories.MOVED_IN)}}.get(
            story, set()
        )
        if story == "gas_read_missing":
            boundaries.discard(_day(stories.GAS_READ_MISSING))
        kept = np.array(sorted(d for d in boundaries if d >= first))
        _estimate(kept, used, quality, source.random(), source.randrange(1, 12), skip=bool(story))
    return days.midnight[kept], (start + used[kept] - used[first]) % dial, quality[kept]


def _estimate(kept: NDArray[np.int64], used: NDArray[np.int64], quality: NDArray[np.uint8], draw: float, which: int, *, skip: bool) -> None:
    """One gas register in twelve has a read that nobody could take: a figure half-way between its neighbours, marked estimated."""
    if draw < 1 / 12 and not skip and len(kept) > which + 1:
        used[kept[which]] = (used[kept[which - 1]] + used[kept[which + 1]]) // 2
        quality[kept[which]] = 2
