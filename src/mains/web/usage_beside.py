"""What stands beside an agreement's use: the weather where it was used, and what homes like it used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import numpy as np
from psycopg import Connection

from mains.base.units import UNITS
from mains.metering import load
from mains.metering.model import MISSING
from mains.web import usage_queries
from mains.web.usage_views import Band

FEWEST = 15
"""So many homes there must be before they are compared with: fewer could be told apart."""
_MOST, _MOST_READINGS = 120, 3_000_000
_TENTH, _THOUSANDTH = Decimal("0.1"), Decimal("0.001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Mean air temperature of each point, °C, None where it was not observed; `note` says where, None where nothing was."""

    values: list[Decimal | None]
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What homes alike used in each point, None where too few were read; `note` says which homes, or why there are none."""

    bands: list[Band | None]
    note: str | None


def temperatures(conn: Connection, account_id: UUID, edges: Sequence[datetime]) -> Weather:
    """The mean of the hours observed between each edge and the next, at the station nearest to the place of use."""
    station = usage_queries.nearest_station(conn, account_id)
    if station is None:
        return Weather(values=[None] * (len(edges) - 1), note=None)
    means = usage_queries.mean_temperatures(conn, station.weather_station_id, edges)
    values = [None if mean is None else mean.quantize(_TENTH) for mean in means]
    return Weather(values=values, note=f"Air temperature at {station.station_name}, mean of the hours observed" if any(v is not None for v in values) else None)


def similar_homes(conn: Connection, account_id: UUID, edges: Sequence[datetime], *, unit: str) -> Likeness:
    """The middle half and the middle of what other premises of the same kind in the same zone used, metered at the same intervals all the time from the first edge to the last.

    A home counts in a point only where all of the point was read; a point with fewer than `FEWEST` homes has none.
    """
    points = len(edges) - 1
    if points < 1:
        return Likeness(bands=[], note=None)
    asked = usage_queries.homes_alike(conn, account_id, from_at=edges[0], to_at=edges[-1], most=_MOST)
    homes = [home for home in asked if UNITS[home.unit].quantity == UNITS[unit].quantity]
    if len(homes) < FEWEST:
        return Likeness(bands=[None] * points, note=f"Fewer than {FEWEST} homes alike were metered all this time, so they are not shown" if homes else None)
    step = homes[0].interval_s
    count = int((edges[-1] - edges[0]).total_seconds()) // step
    homes = homes[: max(FEWEST, _MOST_READINGS // max(count, 1))]
    try:
        read = load.load(conn, [home.channel_id for home in homes], edges[0], edges[-1], interval_s=step)
    except (load.IntervalsDiffer, load.WindowNotOnGrid):
        return Likeness(bands=[None] * points, note=None)
    heads = np.searchsorted(read.starts(), [int(edge.timestamp()) for edge in edges])
    scale = np.array([float(home.units_per_step * UNITS[home.unit].factor / UNITS[unit].factor) for home in homes])
    there = read.values != MISSING
    values = np.where(there, read.values, 0).astype(np.int64)
    bands: list[Band | None] = []
    for first, last in pairwise(heads):
        whole = there[:, first:last].all(axis=1) if last > first else np.zeros(len(homes), dtype=bool)
        used = values[:, first:last].sum(axis=1)[whole] * scale[whole]
        bands.append(_band(used) if len(used) >= FEWEST else None)
    kind = f"{homes[0].premise_type}s" + (f" in {homes[0].zone_name}" if homes[0].zone_name else "")
    return Likeness(bands=bands, note=f"Homes alike are {len(homes)} other {kind}; the shaded stretch is the middle half of them" if any(bands) else None)


def _band(used: np.ndarray) -> Band:
    low, middle, high = (Decimal(str(round(float(value), 6))).quantize(_THOUSANDTH) for value in np.percentile(used, [25, 50, 75]))
    return Band(low=low, middle=middle, high=high)
