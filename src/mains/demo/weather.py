"""Invented weather: hourly temperature and sunshine of a place, with seasons, fronts that last days, a heat wave and a cold snap."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from math import cos, pi, sqrt
from random import Random

import numpy as np
from numpy.typing import NDArray

from mains.demo.chance import chance
from mains.demo.span import FIRST_BLOCK_DATE, SLOTS, Span

ORIENTATIONS = (180.0, 225.0, 110.0)
"""Compass directions that roofs face, in degrees from north: south, south-west, east-south-east."""
ROOF_TILT = 28.0
SPELLS = (
    (date(2026, 1, 17), date(2026, 1, 22), -9.0),
    (date(2026, 7, 10), date(2026, 7, 17), 5.0),
    (date(2026, 8, 22), date(2026, 8, 25), 4.0),
)
"""Planted spells, half-open local dates, and how much they add to the temperature in K: cold snap, heat wave, late heat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """A place's usual weather: yearly mean °C, half the summer–winter and day–night swings in K, clear-sky share of days, latitude in
    degrees.
    """

    latitude: float
    mean_c: float
    season_k: float
    day_k: float
    sunny: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weather:
    """Weather at every slot: air temperature in °C, darkness 0…1, and sunshine [orientation, slot] as output of 1 W of panels in W."""

    temperature_c: NDArray[np.float32]
    dark: NDArray[np.float32]
    panel: NDArray[np.float32]


RIVERBEND = Climate(latitude=42.2, mean_c=9.6, season_k=14.6, day_k=5.2, sunny=0.56)
MESA = Climate(latitude=38.6, mean_c=9.0, season_k=13.0, day_k=8.0, sunny=0.74)


@cache
def weather(seed: int, place: str, climate: Climate, calendar: Span) -> Weather:
    """The weather of a place over the span; values are rounded so that every machine's sine gives the same figures."""
    hours = SLOTS // 4
    front, cover = _fronts(seed, place, hours, climate.sunny)
    hour_of_year = calendar.year_day[::4].astype(float) * 24 + calendar.sun_hour[::4]
    season = -np.cos(2 * pi * (hour_of_year / 24 - 20) / 365)
    by_day = -np.cos(2 * pi * (calendar.sun_hour[::4] - 3.5) / 24) * climate.day_k * (1.15 - 0.55 * cover)
    hourly = climate.mean_c + climate.season_k * season + by_day + front * (4.6 - 1.4 * season) + _spells()[::4]
    temperature = np.interp(np.arange(SLOTS) / 4.0, np.arange(hours), hourly)
    height, panel = _sunshine(climate, calendar, np.interp(np.arange(SLOTS) / 4.0, np.arange(hours), cover), chance(seed, place, "clouds"))
    return Weather(
        temperature_c=np.round(temperature, 2).astype(np.float32),
        dark=np.round(np.clip(0.5 - height * 5, 0, 1), 3).astype(np.float32),
        panel=np.round(panel, 4).astype(np.float32),
    )


def _fronts(seed: int, place: str, hours: int, sunny: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two hourly series: departures from the season as AR(1) of unit spread with a memory of 40 h, and cloud cover 0…1 with a memory of 14
    h.
    """
    source = chance(seed, place, "weather")
    front, cloud = np.empty(hours), np.empty(hours)
    f = c = 0.0
    for hour in range(hours):
        f = 0.9753 * f + sqrt(1 - 0.9753**2) * source.gauss(0, 1)
        c = 0.931 * c + sqrt(1 - 0.931**2) * source.gauss(0, 1)
        front[hour], cloud[hour] = f, c
    return front, np.clip(0.5 - (sunny - 0.5) * 2.2 + 0.55 * cloud, 0, 1)


def _spells() -> NDArray[np.float64]:
    """What the planted spells add at each slot, in K, with half a day of rise and fall."""
    added = np.zeros(SLOTS)
    for start, end, kelvin in SPELLS:
        first, last = (start - FIRST_BLOCK_DATE).days * 96, (end - FIRST_BLOCK_DATE).days * 96
        added += np.interp(np.arange(SLOTS), [first - 48, first, last, last + 48], [0, kelvin, kelvin, 0])
    return added


def _sunshine(
    climate: Climate, calendar: Span, cover: NDArray[np.float64], random: Random
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sine of the sun's height, and the output of tilted panels for each orientation in W a W: plain solar geometry, direct and diffuse
    light.
    """
    latitude, tilt = np.radians(climate.latitude), np.radians(ROOF_TILT)
    declination = np.radians(-23.44) * np.cos(2 * pi * (calendar.year_day + 10) / 365)
    angle = np.radians(15 * (calendar.sun_hour + 0.125 - 12))
    height = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
    across = np.sqrt(np.clip(1 - height**2, 1e-9, None))
    toward_south = (height * np.sin(latitude) - np.sin(declination)) / (across * np.cos(latitude))
    azimuth = pi + np.sign(angle) * np.arccos(np.clip(toward_south, -1, 1))
    flicker = np.array([random.random() for _ in range(SLOTS)])
    clear = np.clip(1 - cover**1.5 * (0.55 + 0.5 * flicker), 0.06, 1)
    beam = np.where(height > 0.02, 0.95 * np.clip(height, 0.02, 1) ** 0.22, 0) * clear
    diffuse = np.clip(height, 0, None) * (0.10 + 0.22 * (1 - clear))
    panel = np.empty((len(ORIENTATIONS), SLOTS))
    for row, facing in enumerate(ORIENTATIONS):
        incidence = height * cos(tilt) + across * np.sin(tilt) * np.cos(azimuth - np.radians(facing))
        panel[row] = 0.73 * (beam * np.clip(incidence, 0, None) + diffuse)
    return height, np.clip(panel, 0, None)
