"""Tariffs and readings that the tests speak of, and the random ones that the properties draw."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

from mains.rates.calendars import Calendar, DateRange, Holiday, Schedule, ScheduleRow, Season, Span
from mains.rates.model import Demand, Energy, Fixed, Ladder, Minimum, Percent, RateVersion, Tier

DENVER = ZoneInfo("America/Denver")
JUNE = (datetime(2026, 6, 1, tzinfo=DENVER), datetime(2026, 7, 1, tzinfo=DENVER))

EVENINGS = Schedule(
    name="evenings",
    rows=(
        ScheduleRow(
            days=("weekday",),
            spans=(
                Span(starts="00:00", ends="16:00", period="off"),
                Span(starts="16:00", ends="20:30", period="peak"),
                Span(starts="20:30", ends="24:00", period="off"),
            ),
        ),
        ScheduleRow(days=("weekend", "holiday"), spans=(Span(starts="00:00", ends="24:00", period="off"),)),
    ),
)
SEASONS = (
    Season(name="summer", ranges=(DateRange(first="06-01", last="09-30"),)),
    Season(name="winter", ranges=(DateRange(first="10-01", last="05-31"),)),
)
BY_SEASON = Schedule(
    name="by season",
    rows=(
        ScheduleRow(seasons=("summer",), spans=(Span(starts="00:00", ends="24:00", period="summer"),)),
        ScheduleRow(seasons=("winter",), spans=(Span(starts="00:00", ends="24:00", period="winter"),)),
    ),
)


def ladder(*steps, period="all", per="month"):
    """ladder((500, "0.10"), (None, "0.12"))."""
    return Ladder(
        period=period,
        per=per,
        tiers=tuple(Tier(up_to=None if up_to is None else Decimal(str(up_to)), price=Decimal(price)) for up_to, price in steps),
    )


def rate(*charges, timezone="America/Denver", schedules=(EVENINGS,), seasons=(), **more):
    calendar = Calendar(timezone=timezone, schedules=schedules, seasons=seasons, **more.pop("calendar", {}))
    return RateVersion(name="test rate", effective_from=date(2026, 1, 1), calendar=calendar, charges=charges, **more)


def fixed(amount="10.00", **more):
    return Fixed(id="service", label="Service charge", amount=Decimal(amount), **more)


def energy(*ladders, **more):
    return Energy(id=more.pop("id", "energy"), label="Energy", ladders=ladders, **more)


def demand(*ladders, **more):
    return Demand(id=more.pop("id", "demand"), label="Demand", ladders=ladders, **more)


def constant(plan, wh, accounts=1):
    """Readings of the same watt hours in every interval."""
    return np.full((accounts, plan.intervals), wh, dtype=np.int32)


prices = st.decimals("-0.05", "2", places=5)
some_months = st.sampled_from([(), (6,), (3, 5, 11), (10,), (1,)])
costs = st.decimals("0", "2", places=5)
schedules = st.builds(
    lambda first, second: Schedule(
        name="tou",
        rows=(
            ScheduleRow(
                days=("weekday",),
                spans=(
                    Span(starts="00:00", ends=f"{first:02}:00", period="off"),
                    Span(starts=f"{first:02}:00", ends=f"{second:02}:30", period="peak"),
                    Span(starts=f"{second:02}:30", ends="24:00", period="mid"),
                ),
            ),
            ScheduleRow(days=("weekend", "holiday"), spans=(Span(starts="00:00", ends="24:00", period="off"),)),
        ),
    ),
    st.integers(1, 11),
    st.integers(12, 22),
)


@st.composite
def rates(draw, cost=prices):
    """Time-of-use rates with ladders, demand, a minimum, a rider and a tax."""
    bounds = sorted(draw(st.sets(st.integers(1, 3000), max_size=2)))
    pool = draw(st.sampled_from(["all", "period"]))
    per = draw(st.sampled_from(["month", "day", "30day"]))
    shrink = 30 if per == "day" else 1

    def tiers(period):
        steps = [*(Decimal(bound) / shrink for bound in bounds), None]
        return Ladder(
            period=period,
            per=per,
            tiers=tuple(Tier(up_to=None if s is None else round(s, 2) + Decimal("0.01"), price=draw(cost)) for s in steps),
        )

    kw = draw(st.sets(st.integers(1, 20), max_size=1))
    charges = [
        Fixed(id="service", label="Service", amount=draw(costs), per=draw(st.sampled_from(["month", "day", "year"]))),
        Energy(
            id="energy",
            label="Energy",
            schedule="tou",
            ladders=tuple(tiers(p) for p in ("off", "peak", "mid")),
            pool=pool,
            allocation=draw(st.sampled_from(["prorata", "chronological"])),
            lines=draw(st.sampled_from(["cell", "price"])),
        ),
        Demand(
            id="demand",
            label="Demand",
            ladders=(ladder(*((k, str(draw(costs))) for k in kw), (None, str(draw(costs)))),),
            window_minutes=draw(st.sampled_from([None, 30, 60])),
        ),
        Demand(
            id="peak demand",
            label="Peak demand",
            schedule="tou",
            ladders=tuple(ladder((None, str(draw(costs))), period=p) for p in ("off", "peak", "mid")),
        ),
        Energy(id="fuel", label="Fuel", ladders=(ladder((None, str(draw(cost)))),), months=draw(some_months)),
        Fixed(id="summer", label="Summer", amount=draw(costs), months=draw(some_months)),
        Demand(id="summer demand", label="Summer demand", ladders=(ladder((None, str(draw(costs)))),), months=draw(some_months)),
        Percent(id="rider", label="Rider", rate=draw(costs) / 10, of=("energy",)),
        Minimum(id="minimum", label="Minimum", amount=draw(costs) * 100, of=("energy", "demand", "fixed")),
        Percent(id="tax", label="Tax", rate=draw(costs) / 20, of=("energy", "demand", "fixed", "minimum", "percent"), tags=("tax",)),
    ]
    days = draw(st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=40))
    held = {
        "holidays": tuple(Holiday(date=day, name="holiday") for day in sorted(days)),
        "holidays_from": date(2026, 1, 1),
        "holidays_through": date(2026, 12, 31),
        "holidays_as": draw(st.sampled_from(["weekday", "weekend", "holiday"])),
    }
    return rate(*charges, schedules=(draw(schedules),), calendar=held)


def readings(accounts, intervals, *, seed, top=1500):
    return np.random.default_rng(seed).integers(0, top, (accounts, intervals)).astype(np.int32)
