"""What each place has: who lives or works there, what is plugged in, what is on the roof.

Drawn by chance within bounds that docs/explanation/the-demo-utility.md lists.
"""

from dataclasses import dataclass
from datetime import date
from functools import cache
from random import Random

import numpy as np

from mains.demo import shapes, stories
from mains.demo.chance import chance, pick, stream_key
from mains.demo.places import Site
from mains.demo.span import Span
from mains.demo.weather import Weather

_NEVER = 1 << 40
_HOME_LIVES = (("workers", 0.34), ("family", 0.28), ("at_home", 0.28), ("night_shift", 0.10))
_SHOP_LIVES = (
    ("shop", 0.24, 70),
    ("office", 0.24, 85),
    ("restaurant", 0.14, 150),
    ("clinic", 0.08, 110),
    ("warehouse", 0.12, 120),
    ("church", 0.07, 45),
    ("school", 0.05, 210),
    ("grocery", 0.06, 240),
)
"""Way of life, its share of commercial customers, its median energy in MWh a year."""
_WORKS_LIVES = (("one_shift", 0.4, 1.7), ("two_shifts", 0.35, 2.7), ("three_shifts", 0.25, 4.6))
"""Way of life, share, median GWh a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What is known of a place beside its load row: way of life, people, services taken, EV, solar, air conditioning, garden, and expected
    MWh a year (businesses).
    """

    life: str
    people: int
    has_gas: bool
    has_water: bool
    has_ev: bool
    has_solar: bool
    has_garden: bool
    heats_with_gas: bool
    annual_mwh: float


def belongings(seed: int, utility: str, where: Site) -> Belongings:
    """What the customer at a site has; stories override chance."""
    source, story = chance(seed, utility, "belongings", where.number), stories.story_of(utility, where.number)
    draws = [source.random() for _ in range(8)]
    mwh = 0.0
    if where.customer_class == "residential":
        life = str(pick(source, _HOME_LIVES)[0])
        people = {
            "workers": 1 + (draws[0] < 0.55),
            "family": 3 + int(draws[0] * 3),
            "at_home": 1 + (draws[0] < 0.6),
            "night_shift": 1 + (draws[0] < 0.5),
        }[life]
    elif where.customer_class == "commercial":
        life, _, median = pick(source, _SHOP_LIVES)
        mwh = min(300.0, max(30.0, median * source.lognormvariate(0, 0.45)))
        people = int(mwh / 6)
    else:
        life, _, median = pick(source, _WORKS_LIVES)
        mwh = 1000 * min(7.8, max(1.05, median * source.lognormvariate(0, 0.4)))
        people = int(mwh / 40)
    if story in ("air_conditioning", "solar", "ev", "solar_and_ev"):
        life, people = "family", 4
    is_home = where.customer_class == "residential"
    has_gas = utility == "riverbend" and (
        draws[1] < 0.6 or story.startswith("gas_") or story in ("air_conditioning", "solar", "ev", "long_holiday")
    )
    return Belongings(
        life=life,
        people=people,
        has_gas=has_gas,
        has_water=utility == "riverbend" and (draws[2] < 0.75 or story == "water_leak"),
        has_ev=is_home and (story in ("ev", "solar_and_ev") or (draws[3] < 0.1 and not story)),
        has_solar=story in ("solar", "solar_and_ev")
        or (draws[4] < (0.06 if is_home else 0.04) and not story and where.customer_class != "industrial"),
        has_garden=is_home and draws[5] < 0.4,
        heats_with_gas=has_gas,
        annual_mwh=mwh,
    )


def load_row(seed: int, utility: str, where: Site, has: Belongings, calendar: Span, weather: Weather) -> np.void:
    """The row of `shapes.LOAD` of a place: what its wires see."""
    source, row = chance(seed, utility, "load", where.number), np.zeros(1, shapes.LOAD)[0]
    row["life"] = shapes.LIVES.index(has.life)
    row["stream"] = stream_key(seed, utility, "interval", where.number)
    row["lag"], row["cycles"] = source.uniform(0.03, 0.07), 1
    if where.customer_class == "residential":
        _furnish_home(row, source, has)
        idle = _holidays_away(source, calendar)
    else:
        _furnish_business(row, source, has, where.customer_class, calendar, weather)
        idle = _closures(has.life, source, calendar)
    story = stories.story_of(utility, where.number)
    _insert_idle(row, _story_idle(story, calendar) if story else idle)
    if has.has_ev:
        _park_car(row, source, timed=story in ("ev", "solar_and_ev") or source.random() < 0.75)
    if has.has_solar:
        row["pv_w"] = source.uniform(3800, 8200) if where.customer_class == "residential" else has.annual_mwh * source.uniform(180, 420)
        if story:
            row["pv_w"] = max(float(row["pv_w"]), 6200.0)
        row["pv_facing"] = 0 if story else source.randrange(3)
        row["pv_shade"] = source.uniform(0.82, 1.0)
    return row


def _furnish_home(row: np.void, source: Random, has: Belongings) -> None:
    size = min(1.7, max(0.55, source.lognormvariate(0, 0.24)))
    row["shift"], row["noise"], row["day_spread"] = source.randint(-5, 5), source.uniform(0.3, 0.6), source.uniform(0.12, 0.32)
    row["base_w"] = source.uniform(65, 160) * size
    row["activity_w"] = (300 + 90 * has.people) * size
    row["light_w"] = source.uniform(90, 260) * size
    row["fridge_w"], row["fridge_period"] = source.uniform(90, 160), source.uniform(2.7, 5.3)
    row["idle_level"], row["setback_k"] = 0.06, source.uniform(0.8, 2.6)
    if has.life == "family" or source.random() < 0.9:
        row["cool_w"], row["cool_from_c"], row["cool_per_k"] = (
            source.uniform(1900, 3900) * size**0.5,
            source.uniform(19.2, 21.6),
            source.uniform(0.06, 0.085),
        )
    if has.heats_with_gas:
        row["heat_w"], row["heat_per_k"] = source.uniform(320, 560), source.uniform(0.028, 0.036)
    else:
        row["heat_w"], row["heat_per_k"] = source.uniform(1300, 2100) * size**0.5, source.uniform(0.036, 0.044)
        row["aux_w"] = source.choice((2400, 4800))
        row["water_w"], row["water_wh"] = source.choice((3800, 4500)), (1100 + 1350 * has.people) * source.uniform(0.8, 1.2)
    row["heat_from_c"] = source.uniform(14.2, 16.4)
    row["oven_a_day"], row["dishes_a_day"] = source.uniform(0.3, 0.9), source.uniform(0.2, 0.8)
    row["dryer_a_day"] = (0.12 + 0.09 * has.people) if source.random() < 0.68 else 0.0


def _furnish_business(row: np.void, source: Random, has: Belongings, kind: str, calendar: Span, weather: Weather) -> None:
    mean_w = has.annual_mwh * 1e6 / 8760
    works = kind == "industrial"
    cool, heat = (0.06, 0.02) if works else (0.16, 0.03 if has.heats_with_gas else 0.10)
    light, machine = (0.02, 0.07 * source.random()) if works else (0.05, 0.0)
    cold = 0.3 if has.life == "grocery" else 0.08 if has.life == "restaurant" else 0.0
    base = (0.12 if has.life == "three_shifts" else 0.2) * source.uniform(0.8, 1.2)
    row["shift"] = source.randint(-3, 3)
    row["noise"], row["day_spread"] = (
        (source.uniform(0.08, 0.2), source.uniform(0.03, 0.1)) if works else (source.uniform(0.1, 0.24), source.uniform(0.04, 0.12))
    )
    row["setback_k"], row["idle_level"], row["cycles"] = source.uniform(2.5, 5.0), 0.25 if works else 0.3, 1 if has.annual_mwh < 60 else 0
    row["cool_from_c"], row["cool_per_k"], row["heat_from_c"], row["heat_per_k"] = (
        source.uniform(13, 16.5),
        0.045,
        source.uniform(9, 13),
        0.035,
    )
    busy, lit, cooled, heated = _means(has.life, round(float(row["setback_k"])), calendar, weather)
    row["base_w"] = mean_w * (base + cold * 0.45)
    row["fridge_w"], row["fridge_period"] = mean_w * cold * 1.2, source.uniform(2.4, 3.6)
    row["activity_w"] = mean_w * (1 - base - cold - cool - heat - light - machine) / busy
    row["light_w"] = mean_w * light / lit
    row["cool_w"], row["heat_w"] = mean_w * cool / cooled, mean_w * heat / heated
    row["machine_w"] = mean_w * machine / 0.3


@cache
def _means(life: str, setback_k: int, calendar: Span, weather: Weather) -> tuple[float, float, float, float]:
    """Means over the last twelve months of activity, lit activity, cooling need and heating need.

    So that shares of a year's energy become powers.
    """
    row, year = shapes.LIVES.index(life), slice(-365 * 96, None)
    kind, clock = calendar.day_kind[year], calendar.local_slot[year]
    activity, presence = shapes.activity_table()[row][kind, clock], shapes.presence_table()[row][kind, clock]
    outside, relax = weather.temperature_c[year].astype(float), setback_k * (1 - presence)
    cooled = np.clip((outside - 14.5 - relax) * 0.045, 0, 1).mean()
    heated = np.clip((11 - relax - outside) * 0.035, 0, 1).mean()
    lit = (activity * weather.dark[year]).mean()
    return float(activity.mean()), float(lit), float(cooled), float(heated)


def _park_car(row: np.void, source: Random, *, timed: bool) -> None:
    row["ev_w"] = source.choice((3300, 7200, 7200, 7200, 9600, 9600, 11500))
    row["ev_slot"] = source.randint(92, 95) if timed else source.randint(67, 84)
    row["ev_wh"], row["ev_a_day"] = source.uniform(7500, 16000), source.uniform(0.5, 0.85)


def _holidays_away(source: Random, calendar: Span) -> list[tuple[int, int]]:
    """Slots in which a home is empty: 55 % go away for 4–12 days in summer, 20 % around Christmas."""
    away = []
    if source.random() < 0.2:
        start = calendar.slot_of_midnight(date(2025, 12, 22)) + 96 * source.randint(0, 3) + 40
        away.append((start, start + 96 * source.randint(3, 8)))
    if source.random() < 0.55:
        start = calendar.slot_of_midnight(date(2026, 6, 12)) + 96 * source.randint(0, 70) + 36
        away.append((start, start + 96 * source.randint(4, 12)))
    return away


def _closures(life: str, source: Random, calendar: Span) -> list[tuple[int, int]]:
    """Slots in which a business stands still: schools in the holidays, most works for a week in July and over the turn of the year."""
    at = calendar.slot_of_midnight
    if life == "school":
        return [
            (at(date(2025, 12, 23)), at(date(2026, 1, 5))),
            (at(date(2026, 3, 16)), at(date(2026, 3, 23))),
            (at(date(2026, 6, 6)), at(date(2026, 8, 20))),
        ]
    if life in ("one_shift", "two_shifts") and source.random() < 0.7:
        return [(at(date(2025, 12, 24)), at(date(2026, 1, 2))), (at(date(2026, 7, 3)), at(date(2026, 7, 11)))]
    return []


def _story_idle(story: str, calendar: Span) -> list[tuple[int, int]]:
    at = calendar.slot_of_midnight
    if story == "moves_house":
        return [(at(stories.MOVED_OUT), _NEVER)]
    if story == "final_bill":
        return [(at(stories.NEIGHBOUR_LEFT), at(stories.MOVED_IN))]
    if story == "long_holiday":
        return [(at(stories.LONG_HOLIDAY[0]), at(stories.LONG_HOLIDAY[1]))]
    return []


def _insert_idle(row: np.void, idle: list[tuple[int, int]]) -> None:
    spans = sorted(idle)[:3] + [(_NEVER, _NEVER)] * 3
    row["idle_from"], row["idle_to"] = [s[0] for s in spans[:3]], [s[1] for s in spans[:3]]
