"""When a price applies: seasons, day classes, schedules in quarter hours, and the axis of real local time that readings lie on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from mains.base.periods import local_midnight

SLOTS = 96
"""Quarter hours of a day."""
DAY_CLASSES = ("weekday", "weekend", "holiday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """A date that the tariff names, copied into the version, so that no library ever changes a price."""

    date: date
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """Days from `first` to `last`, both included, as MM-DD; where `first` is the later one the range runs across the year's end."""

    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A named part of the year, of one or more ranges."""

    name: str
    ranges: tuple[DateRange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the day, [starts, ends) as HH:MM on a quarter hour, up to 24:00, and the period that it belongs to."""

    starts: str
    ends: str
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """The day of some months or seasons (none named: all year) and of some day classes."""

    months: tuple[int, ...] = ()
    seasons: tuple[str, ...] = ()
    days: tuple[str, ...] = DAY_CLASSES
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A grid of day × day class × quarter hour → period, written as rows."""

    name: str
    rows: tuple[ScheduleRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Local time and what the days are. `holidays_as` is the class of the listed dates; the list is complete for [holidays_from,
    holidays_through].
    """

    timezone: str
    weekend: tuple[int, ...] = (5, 6)
    seasons: tuple[Season, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    holidays_from: date | None = None
    holidays_through: date | None = None
    holidays_as: Literal["weekday", "weekend", "holiday"] = "holiday"
    schedules: tuple[Schedule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Readings in order: for each the index of its local day and the quarter hour of local time at its start. `whole_days` is one reading
    a day.
    """

    days: tuple[date, ...]
    day_of: np.ndarray
    slot_of: np.ndarray
    whole_days: bool


def holidays_of(country: str, *, years: Iterable[int], subdivision: str | None = None) -> tuple[Holiday, ...]:
    """The public holidays of a country or a part of it, copied out of the `holidays` library, in order.

    >>> [str(h.date) for h in holidays_of("US", years=[2026]) if h.name == "Thanksgiving Day"]
    ['2026-11-26']
    """
    from holidays import country_holidays

    found = country_holidays(country, subdiv=subdivision, years=list(years), language="en_US" if country == "US" else None)
    return tuple(Holiday(date=day, name=name) for day, name in sorted(found.items()))


def slot(clock: str) -> int:
    """The quarter hour that HH:MM begins, 0 to 96. Raises ValueError where it is not one.

    >>> slot("16:15"), slot("24:00")
    (65, 96)
    """
    hours, minutes = (int(part) for part in clock.split(":"))
    if not (0 <= hours <= 24 and minutes in (0, 15, 30, 45) and hours * 60 + minutes <= 1440 and len(clock) == 5):
        raise ValueError(f"{clock} is not a quarter hour of a day")
    return hours * 4 + minutes // 15


def clock(quarter: int) -> str:
    """HH:MM of a quarter hour.

    >>> clock(65)
    '16:15'
    """
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"


def in_range(day: date, span: DateRange) -> bool:
    """Whether a day of any year lies in a range, which may run across the year's end.

    >>> winter = DateRange(first="11-01", last="03-31")
    >>> in_range(date(2026, 12, 31), winter), in_range(date(2026, 3, 31), winter), in_range(date(2026, 4, 1), winter)
    (True, True, False)
    """
    mark = f"{day:%m-%d}"
    if span.first <= span.last:
        return span.first <= mark <= span.last
    return mark >= span.first or mark <= span.last


def season_of(calendar: Calendar, day: date) -> str | None:
    """The season a day is in; None where the calendar has none for it."""
    return next((season.name for season in calendar.seasons if any(in_range(day, span) for span in season.ranges)), None)


def day_class(calendar: Calendar, day: date) -> str:
    """Weekday, weekend or holiday."""
    if calendar.holidays and any(holiday.date == day for holiday in calendar.holidays):
        return calendar.holidays_as
    return "weekend" if day.weekday() in calendar.weekend else "weekday"


def applies(calendar: Calendar, day: date, *, months: tuple[int, ...], seasons: tuple[str, ...]) -> bool:
    """Whether something restricted to months or seasons (none: all year) applies on a day."""
    return (not months or day.month in months) and (not seasons or season_of(calendar, day) in seasons)


def rows_for(schedule: Schedule, calendar: Calendar, day: date) -> Iterator[ScheduleRow]:
    """The rows that describe a day, whatever its class."""
    return (row for row in schedule.rows if applies(calendar, day, months=row.months, seasons=row.seasons))


def schedule_named(calendar: Calendar, name: str) -> Schedule:
    """The schedule of that name; LookupError where there is none."""
    for schedule in calendar.schedules:
        if schedule.name == name:
            return schedule
    raise LookupError(f"no schedule {name}")


def periods_of(schedule: Schedule) -> tuple[str, ...]:
    """The periods that a schedule names, in the order of their first mention."""
    return tuple(dict.fromkeys(span.period for row in schedule.rows for span in row.spans))


@lru_cache(maxsize=4096)
def slots_of(row: ScheduleRow) -> tuple[str, ...]:
    """The 96 quarter hours of a row's day as period names; a quarter hour that no span covers is the empty name."""
    day = [""] * SLOTS
    for span in row.spans:
        for quarter in range(slot(span.starts), slot(span.ends)):
            day[quarter] = span.period
    return tuple(day)


def day_grid(schedule: Schedule, calendar: Calendar, days: tuple[date, ...], periods: tuple[str, ...]) -> np.ndarray:
    """int16 (days × 96): the index in `periods` of each quarter hour of each day, -1 where it is none of them."""
    grid = np.full((len(days), SLOTS), -1, dtype=np.int16)
    index = {period: number for number, period in enumerate(periods)}
    for number, day in enumerate(days):
        kind = day_class(calendar, day)
        row = next(row for row in rows_for(schedule, calendar, day) if kind in row.days)
        grid[number] = [index.get(period, -1) for period in slots_of(row)]
    return grid


def local_axis(zone: ZoneInfo, start: datetime, end: datetime, interval_s: int) -> Axis:
    """The readings of [start, end), both local midnights: `interval_s` seconds apart in real time, so a day has 92, 96 or 100 quarter
    hours.

    86,400 seconds is one reading a local day, however long that day is.
    """
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    days = tuple(first + timedelta(days=number) for number in range((last - first).days))
    if interval_s == 86_400:
        return Axis(days=days, day_of=np.arange(len(days), dtype=np.int32), slot_of=np.zeros(len(days), dtype=np.int16), whole_days=True)
    day_of, slot_of = [], []
    midnight = local_midnight(first, zone)
    for number, day in enumerate(days):
        following = local_midnight(day + timedelta(days=1), zone)
        seconds = int(following.timestamp() - midnight.timestamp())
        if seconds == 86_400:
            quarters = np.arange(0, seconds, interval_s) // 900
        else:
            begin = int(midnight.timestamp())
            local = (datetime.fromtimestamp(begin + step, zone) for step in range(0, seconds, interval_s))
            quarters = np.array([at.hour * 4 + at.minute // 15 for at in local])
        day_of.append(np.full(len(quarters), number, dtype=np.int32))
        slot_of.append(quarters.astype(np.int16))
        midnight = following
    return Axis(days=days, day_of=np.concatenate(day_of), slot_of=np.concatenate(slot_of), whole_days=False)
