"""Invented households for measuring validation, made from what is switched on when; shares no code with the rules, their limits or the demo.

Every use is an event: start (minutes of the local clock), length, power. Fridges cycle, kettles boil, ovens, washing, dryers, showers with electric water heaters, cars
on a charger, lamps and
screens, heating and cooling that follow a common weather. People keep hours that differ from home to home and wander from day to day; some work shifts; some travel and
leave the
house to its fridge. The energy of a quarter hour is exact; the meter counts whole watt-hours and its dial ten of them.
"""

from dataclasses import dataclass

import numpy as np

MINUTES = 1440
SLOT = 15
SLOTS = MINUTES // SLOT
DIAL_WH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """`values` int32 Wh [n, days, 96] by standard time; `dial` int64 [n, days + 1] the register at each midnight, in steps of `DIAL_WH`; `away` bool [n, days];
    `shift_min` int16
    [days + 1] how far the local clock is ahead; `weekday` of the first day."""

    values: np.ndarray
    dial: np.ndarray
    away: np.ndarray
    shift_min: np.ndarray
    weekday: int


@dataclass(slots=True)
class _Load:
    """Events collected: house, start in minutes of standard time from the first midnight, length in minutes, watts."""

    n: int
    days: int
    parts: list

    def add(self, house: np.ndarray, start: np.ndarray, minutes: np.ndarray, watts: np.ndarray) -> None:
        house, start, minutes, watts = np.broadcast_arrays(house, start, np.maximum(minutes, 0.5), watts)
        keep = (start >= 0) & (start + minutes < self.days * MINUTES)
        self.parts.append((house[keep], start[keep], minutes[keep], watts[keep]))

    def energy(self) -> np.ndarray:
        """Wh [n, days x 96]: each edge moves the power from its instant on, shared between the interval it lies in and those after."""
        width = self.days * SLOTS + 2
        change = np.zeros(self.n * width)
        for house, start, minutes, watts in self.parts:
            for at, sign in ((start, 1.0), (start + minutes, -1.0)):
                slot = (at // SLOT).astype(np.int64)
                inside = 1 - (at - slot * SLOT) / SLOT
                place = house.astype(np.int64) * width + slot
                change += np.bincount(place, sign * watts * inside, minlength=len(change))
                change += np.bincount(place + 1, sign * watts * (1 - inside), minlength=len(change))
        return np.cumsum(change.reshape(self.n, width), axis=1)[:, : self.days * SLOTS] * SLOT / 60


def _weather(rng: np.random.Generator, days: int, season: float) -> np.ndarray:
    """Outdoor °C [days x 96]: spells of some days over a daily swing; `season` is the mean."""
    spell = np.zeros(days)
    for day in range(1, days):
        spell[day] = 0.8 * spell[day - 1] + rng.normal(0, 2.2)
    hours = np.arange(days * SLOTS) / 4
    return season + np.interp(hours, np.arange(days) * 24 + 12, spell) + 5 * np.sin((hours - 9) / 24 * 2 * np.pi)


def homes(n: int, days: int, *, seed: int, weekday: int = 0, season: float = 12.0, change_day: int | None = None, change_min: int = 60) -> Homes:
    """Households over `days` standard days; at `change_day` (if any) the local clock is put `change_min` ahead (60: spring) or back (-60: autumn, it was ahead before)."""
    rng = np.random.default_rng([77_411, seed])
    ahead = np.zeros(days + 1, dtype=np.int16)
    if change_day is not None:
        ahead[change_day + 1 :] = max(change_min, 0)
        ahead[: change_day + 1] = max(-change_min, 0)
    load = _Load(n, days, [])
    day = np.arange(days)
    house = np.arange(n)[:, None]
    is_free = np.broadcast_to((weekday + day) % 7 >= 5, (n, days)).copy()
    kind = rng.choice(4, n, p=[0.54, 0.21, 0.235, 0.015])  # away at work, one at home, retired, all on rotating shifts
    away = _travels(rng, n, days)
    home = ~away
    midnight = day * MINUTES - ahead[:-1]

    persons = 1 + rng.poisson(1.4, n)[:, None]
    rise = rng.normal(405, 45, n)[:, None] + np.where(kind == 2, 50, 0)[:, None] + is_free * rng.normal(70, 30, n)[:, None] + rng.normal(0, 18, (n, days))
    sleep = rng.normal(1350, 45, n)[:, None] + is_free * 25 + rng.normal(0, 28, (n, days))
    back = rng.normal(1035, 55, n)[:, None] + rng.normal(0, 30, (n, days))
    shift = (kind == 3)[:, None] * rng.choice([-420, 0, 420], (n, days // 7 + 2)).repeat(7, axis=1)[:, :days]
    rise, sleep, back = (np.clip(each + shift, 30, 1425) for each in (rise, sleep, back))
    at_home = is_free | (kind == 1)[:, None] | (kind == 2)[:, None]

    _always_on(rng, load, n, days)
    small = [
        (rise + 15 + rng.exponential(8, (n, days)), rng.uniform(4, 9, (n, days)), 2000, 0.85),  # kettle and toaster
        (rise + 25 + rng.exponential(15, (n, days)), rng.uniform(6, 14, (n, days)), 900, 0.6),
        (back + 50 + rng.normal(0, 22, (n, days)), rng.gamma(4, 9, (n, days)), rng.uniform(1100, 2600, n)[:, None], 0.8),  # dinner
        (back + 70 + rng.normal(0, 30, (n, days)), rng.gamma(2, 6, (n, days)), 1200, 0.4),
        (rng.normal(745, 40, (n, days)), rng.gamma(3, 7, (n, days)), rng.uniform(900, 2100, n)[:, None], np.where(at_home, 0.7, 0.04)),
        (rng.uniform(560, 1200, (n, days)), rng.gamma(2, 5, (n, days)), 1700, np.where(at_home, 0.5, 0.08)),  # iron, vacuum
    ]
    for start, minutes, watts, chance in small:
        _sometimes(rng, load, house, midnight, start, minutes, watts, home & (rng.random((n, days)) < chance))
    lamps = rng.gamma(4, 28, n)[:, None] * (1 + 0.25 * persons)
    dusk = 1050 + (season - 12) * 9
    _sometimes(rng, load, house, midnight, np.maximum(back, dusk) + rng.normal(0, 12, (n, days)), np.maximum(sleep - np.maximum(back, dusk), 10), lamps, home)
    screens = rng.gamma(3, 45, n)[:, None]
    evening = back + rng.normal(60, 35, (n, days))
    _sometimes(rng, load, house, midnight, evening, np.maximum(sleep - back - 90 + rng.normal(0, 25, (n, days)), 20), screens, home & (rng.random((n, days)) < 0.92))
    _sometimes(rng, load, house, midnight, rise + 90, rng.gamma(5, 60, (n, days)), screens * 0.8 + 40, home & at_home & (rng.random((n, days)) < 0.75))
    _laundry(rng, load, house, midnight, persons, home, at_home, back)
    _hot_water(rng, load, house, midnight, rise, sleep, persons, home)
    _cars(rng, load, house, midnight, back, home)
    _climate(rng, load, n, days, rise, sleep, midnight, home, season)
    energy = load.energy() + 0.0
    counted = np.floor(np.cumsum(np.concatenate([rng.uniform(1e5, 4e7, (n, 1)), np.maximum(energy, 0)], axis=1), axis=1)).astype(np.int64)
    values = np.diff(counted, axis=1).astype(np.int32).reshape(n, days, SLOTS)
    return Homes(values=values, dial=counted[:, ::SLOTS] // DIAL_WH, away=away, shift_min=ahead, weekday=weekday)


def _travels(rng: np.random.Generator, n: int, days: int) -> np.ndarray:
    """Days away [n, days]: about one home in four a quarter year, for a long weekend to a fortnight; one in a hundred stands empty."""
    away = np.zeros((n, days), dtype=bool)
    for i in np.flatnonzero(rng.random(n) < min(0.9, days / 90 * 0.25)):
        first = int(rng.integers(0, days))
        away[i, first : first + int(rng.integers(2, 15))] = True
    away[rng.random(n) < 0.01] = True
    return away


def _always_on(rng: np.random.Generator, load: _Load, n: int, days: int) -> None:
    """Standby, and one to three compressors that run for minutes and rest for longer."""
    span = days * MINUTES - 2
    load.add(np.arange(n), np.zeros(n), np.full(n, span), 8 + rng.gamma(2.2, 22, n))
    for chance in (1.0, 0.45, 0.12):
        owners = np.flatnonzero(rng.random(n) < chance)
        watts, on, off = rng.uniform(70, 170, len(owners)), rng.uniform(10, 28, len(owners)), rng.uniform(18, 60, len(owners))
        count = int(span / 28) + 1
        runs = on[:, None] * rng.normal(1, 0.1, (len(owners), count))
        rests = off[:, None] * rng.normal(1, 0.14, (len(owners), count))
        start = np.cumsum(runs + rests, axis=1) - runs
        load.add(np.broadcast_to(owners[:, None], start.shape), start, runs, watts[:, None])


def _sometimes(rng, load, house, midnight, start, minutes, watts, happens) -> None:
    """One event a house and day where it happens."""
    del rng
    shape = happens.shape
    at = np.broadcast_to(midnight + start, shape)
    load.add(np.broadcast_to(house, shape)[happens], at[happens], np.broadcast_to(minutes, shape)[happens], np.broadcast_to(watts, shape)[happens])


def _laundry(rng, load, house, midnight, persons, home, at_home, back) -> None:
    """Washing machine, dryer, dishwasher: heat first, then the drum or the pump."""
    shape = home.shape
    start = np.where(at_home, rng.uniform(540, 1180, shape), back + rng.uniform(10, 150, shape))
    washes = home & (rng.random(shape) < np.clip(0.12 + 0.1 * persons, 0, 0.75))
    _sometimes(rng, load, house, midnight, start, rng.uniform(14, 28, shape), 2000, washes)
    _sometimes(rng, load, house, midnight, start + 25, rng.uniform(35, 70, shape), 260, washes)
    dries = washes & (rng.random((shape[0], 1)) < 0.45)
    _sometimes(rng, load, house, midnight, np.minimum(start + 100, 1330), rng.uniform(40, 85, shape), 2400, dries)
    rinses = home & (rng.random((shape[0], 1)) < 0.6) & (rng.random(shape) < 0.55)
    after = np.minimum(back + 130 + rng.normal(0, 30, shape), 1340)
    _sometimes(rng, load, house, midnight, after, rng.uniform(15, 22, shape), 1900, rinses)
    _sometimes(rng, load, house, midnight, after + 60, rng.uniform(8, 15, shape), 1900, rinses)


def _hot_water(rng, load, house, midnight, rise, sleep, persons, home) -> None:
    """Three homes in ten heat water with electricity: after showers, and once a night for what was lost."""
    shape = home.shape
    owns = rng.random((shape[0], 1)) < 0.3
    watts = rng.choice([2000, 3000, 4500], (shape[0], 1))
    for when, share in ((rise + 20, 0.8), (sleep - 60, 0.5)):
        minutes = rng.gamma(3, 6, shape) * np.sqrt(persons) * 3000 / watts
        _sometimes(rng, load, house, midnight, when + rng.normal(0, 15, shape), minutes, watts, home & owns & (rng.random(shape) < share))
    _sometimes(rng, load, house, midnight, rng.uniform(100, 260, shape), rng.uniform(6, 18, shape), watts, owns & np.ones(shape, dtype=bool))


def _cars(rng, load, house, midnight, back, home) -> None:
    """One home in ten charges a car, when it comes home or at eleven at night, on some days of the week."""
    shape = home.shape
    owns = rng.random((shape[0], 1)) < 0.1
    watts = rng.choice([2300, 3700, 7200, 11000], (shape[0], 1))
    late = rng.random((shape[0], 1)) < 0.5
    start = np.where(late, 1380, back + 10) + rng.normal(0, 6, shape)
    minutes = rng.gamma(3, 2600 / 3, shape) * 60 * 3 / watts
    _sometimes(rng, load, house, midnight, start, np.clip(minutes, 10, 540), watts, home & owns & (rng.random(shape) < rng.uniform(0.25, 0.8, (shape[0], 1))))


def _climate(rng, load, n, days, rise, sleep, midnight, home, season) -> None:
    """Two homes in five heat or cool with electricity: the machine runs a share of each half hour that follows the weather, less at night and when nobody is there."""
    outside = _weather(rng, days, season).reshape(days, SLOTS)[:, ::2]
    owners = np.flatnonzero(rng.random(n) < 0.4)
    watts = rng.uniform(900, 3200, len(owners))
    low, high = rng.uniform(15, 18.5, len(owners)), rng.uniform(23, 26, len(owners))
    gain = rng.uniform(0.035, 0.07, len(owners))
    minute = np.arange(SLOTS // 2) * 2 * SLOT
    for i, owner in enumerate(owners):
        need = gain[i] * (np.maximum(low[i] - outside, 0) + np.maximum(outside - high[i], 0))
        clock = minute[None, :] + (np.arange(days) * MINUTES - midnight)[:, None]
        awake = (clock > rise[owner][:, None] - 30) & (clock < sleep[owner][:, None])
        share = np.clip(need * np.where(awake, 1, 0.6) * np.where(home[owner], 1, 0.35)[:, None] * rng.normal(1, 0.15, need.shape), 0, 0.97)
        runs = share > 0.04
        start = (np.arange(days) * MINUTES)[:, None] + minute[None, :] + rng.uniform(0, 1, need.shape) * 2 * SLOT * (1 - share)
        load.add(np.full(int(runs.sum()), owner), start[runs], share[runs] * 2 * SLOT, np.full(int(runs.sum()), watts[i]))
