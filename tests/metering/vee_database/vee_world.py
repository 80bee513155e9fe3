"""Households to validate: believable quarter hours of some meters, and what is done to them."""

from datetime import UTC, datetime, timedelta

import numpy as np
from meter_world import MIDNIGHT, days, deliver

from mains.base.db import Actor, Database
from mains.metering.vee import queries
from mains.metering.vee.queries import VeeException, Wanted
from mains.metering.vee.running import RunReport, run_pending

LATER = datetime(2026, 6, 1, 12, tzinfo=UTC)


def household(seed: int, count: int) -> np.ndarray:
    """Quarter hours of some days [days, 96] in Wh: a base, a morning, an evening, and noise."""
    chance = np.random.default_rng(seed)
    hours = np.arange(96) / 4
    shape = 40 + 90 * np.exp(-((hours - 7.5) ** 2) / 2) + 220 * np.exp(-((hours - 19) ** 2) / 6)
    return np.maximum(chance.gamma(9, 1 / 9, size=(count, 96)) * shape * chance.uniform(0.8, 1.2, size=(count, 1)), 3).astype(np.int32)


def households(count: int, of_days: int, *, seed: int = 1) -> np.ndarray:
    """int32 [meters, days, 96]."""
    return np.stack([household(seed * 1000 + number, of_days) for number in range(count)])


def day_start(day: int) -> datetime:
    """Standard midnight of a day, counted from the first."""
    return MIDNIGHT + timedelta(days=day)


def delivered(database: Database, actor: Actor, channels: list[int], values: np.ndarray, *, first_day: int = 0, quality=0):
    """Deliver days of channels from a day on."""
    return deliver(database, actor, days(channels, values, first=day_start(first_day), quality=quality))


def validated(database: Database, actor: Actor, **more) -> RunReport:
    """Judge what waits, in this process."""
    return run_pending(database, actor, at=more.pop("at", LATER), processes=1, **more)


def work_list(database: Database, actor: Actor, **wanted) -> list[VeeException]:
    """The work list, oldest first."""
    with database.transaction(actor=actor) as conn:
        return queries.exceptions_page(conn, Wanted(**wanted), limit=1000)[::-1]


def qualities(database: Database, actor: Actor, channel: int, day: int = 0) -> np.ndarray:
    """Quality of the intervals of one day."""
    from mains.metering.load import load

    with database.transaction(actor=actor) as conn:
        return load(conn, [channel], day_start(day), day_start(day + 1)).quality[0]


def values_of(database: Database, actor: Actor, channel: int, day: int = 0) -> np.ndarray:
    """Values of the intervals of one day."""
    from mains.metering.load import load

    with database.transaction(actor=actor) as conn:
        return load(conn, [channel], day_start(day), day_start(day + 1)).values[0]
