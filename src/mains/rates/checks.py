"""What is wrong with a tariff, said like a compiler: a list of plain functions, each yields the place, the problem and the cure."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mains.base.money import MINOR_UNITS
from mains.base.problems import Issue
from mains.rates.calendars import (
    DAY_CLASSES,
    SLOTS,
    Schedule,
    ScheduleRow,
    in_range,
    periods_of,
    rows_for,
    schedule_named,
    slot,
    slots_of,
)
from mains.rates.model import ALL_DAY, Demand, Energy, Fixed, Ladder, Minimum, Percent, RateVersion

MAX_DECIMALS = 24
"""The most digits after the point that a price may have: those of binary fractions that a program wrote out included, which are priced as they stand."""
_LEAP_YEAR = tuple(date(2024, 1, 1) + timedelta(days=number) for number in range(366))


def _issue(code: str, field: str, message: str, cure: str) -> Issue:
    return Issue(code=code, field=field, message=message, cure=cure)


def _names(version: RateVersion) -> Iterator[Issue]:
    try:
        ZoneInfo(version.calendar.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        yield _issue(
            "unknown-timezone",
            "calendar.timezone",
            f"there is no time zone {version.calendar.timezone!r}",
            "name an IANA zone such as America/New_York",
        )
    if version.currency not in MINOR_UNITS:
        yield _issue(
            "unknown-currency",
            "currency",
            f"currency {version.currency!r} is not known here",
            f"use one of {', '.join(sorted(MINOR_UNITS))}",
        )
    if version.effective_to is not None and version.effective_to <= version.effective_from:
        yield _issue(
            "empty-validity",
            "effective_to",
            f"the version ends on {version.effective_to}, not after it begins",
            "give an end after the start, or none",
        )
    if not version.charges:
        yield _issue("no-charges", "charges", "the version has no charge at all", "add what the tariff sheet charges")
    seen: set[str] = set()
    for number, charge in enumerate(version.charges):
        if charge.id in seen or not charge.id:
            yield _issue(
                "duplicate-charge",
                f"charges[{number}].id",
                f"charge id {charge.id!r} is used twice or empty",
                "give each charge an id of its own",
            )
        seen.add(charge.id)


def _valid_ranges(version: RateVersion) -> Iterator[Issue]:
    for season in version.calendar.seasons:
        for span in season.ranges:
            for mark in (span.first, span.last):
                try:
                    date.fromisoformat(f"2024-{mark}")
                except ValueError:
                    yield _issue("bad-day", f"calendar.seasons.{season.name}", f"{mark!r} is not a day of a year", "write MM-DD")


def _seasons(version: RateVersion) -> Iterator[Issue]:
    seasons = version.calendar.seasons
    if not seasons or any(True for _ in _valid_ranges(version)):
        return
    for day in _LEAP_YEAR:
        found = [season.name for season in seasons for span in season.ranges if in_range(day, span)]
        if len(found) != 1:
            code, what = ("season-overlap", f"{' and '.join(found)} overlap") if found else ("season-gap", "no season holds it")
            yield _issue(code, "calendar.seasons", f"{day:%m-%d}: {what}", "let every day of the year be in exactly one season")
            return


def _spans(name: str, number: int, row: ScheduleRow) -> Iterator[Issue]:
    field = f"calendar.schedules.{name}.rows[{number}]"
    covered = [0] * SLOTS
    for span in row.spans:
        try:
            first, last = slot(span.starts), slot(span.ends)
        except ValueError as error:
            yield _issue("bad-time", field, str(error), "write HH:MM on a quarter hour")
            return
        if last <= first or not span.period:
            yield _issue(
                "empty-span",
                field,
                f"the span {span.starts} to {span.ends} is empty or names no period",
                "end it after it starts and name its period",
            )
            return
        for quarter in range(first, last):
            covered[quarter] += 1
    if min(covered) == 0:
        quarter = covered.index(0)
        yield _issue(
            "schedule-gap", field, f"no period at {quarter // 4:02}:{quarter % 4 * 15:02}", "cover the whole day from 00:00 to 24:00"
        )
    elif max(covered) > 1:
        quarter = next(i for i, count in enumerate(covered) if count > 1)
        yield _issue(
            "schedule-overlap", field, f"two periods at {quarter // 4:02}:{quarter % 4 * 15:02}", "let each quarter hour have one period"
        )


def _schedules(version: RateVersion) -> Iterator[Issue]:
    names = {season.name for season in version.calendar.seasons}
    for schedule in version.calendar.schedules:
        for number, row in enumerate(schedule.rows):
            yield from _spans(schedule.name, number, row)
            for season in set(row.seasons) - names:
                field = f"calendar.schedules.{schedule.name}.rows[{number}]"
                yield _issue("unknown-season", field, f"season {season!r} is not in the calendar", "name a season of the calendar")
        yield from _coverage(version, schedule)


def _coverage(version: RateVersion, schedule: Schedule) -> Iterator[Issue]:
    if any(True for _ in _valid_ranges(version)):
        return
    for day in _LEAP_YEAR:
        rows = list(rows_for(schedule, version.calendar, day))
        for kind in DAY_CLASSES:
            count = sum(kind in row.days for row in rows)
            if count != 1:
                code, what = ("schedule-overlap", f"{count} rows") if count else ("schedule-gap", "no row")
                yield _issue(
                    code,
                    f"calendar.schedules.{schedule.name}",
                    f"{day:%m-%d} as a {kind} has {what}",
                    "let each day and day class have exactly one row",
                )
                return


def _holidays(version: RateVersion) -> Iterator[Issue]:
    calendar = version.calendar
    if calendar.holidays and (calendar.holidays_from is None or calendar.holidays_through is None):
        yield _issue(
            "holidays-without-span",
            "calendar.holidays_from",
            "holidays are listed without the dates for which the list is complete",
            "set holidays_from and holidays_through",
        )


def _ladder(field: str, ladder: Ladder) -> Iterator[Issue]:
    bounds = [tier.up_to for tier in ladder.tiers]
    if not bounds:
        yield _issue("missing-price", field, f"period {ladder.period} has no price", "give it at least one tier with a price")
        return
    if bounds[-1] is not None:
        yield _issue(
            "finite-top-tier",
            field,
            f"the last tier ends at {bounds[-1]}: use above it would have no price",
            "leave the last tier without a bound",
        )
    inner = bounds[:-1]
    if any(bound is None for bound in inner):
        yield _issue("open-inner-tier", field, "a tier before the last has no bound", "give every tier but the last its upper bound")
    else:
        steps = [Decimal(0), *(bound for bound in inner if bound is not None)]
        if any(not bound.is_finite() for bound in steps) or any(upper <= lower for lower, upper in pairwise(steps)):
            yield _issue(
                "ladder-not-increasing",
                field,
                f"bounds {', '.join(map(str, inner))} do not rise from zero",
                "write cumulative bounds, each above the last",
            )
    for tier in ladder.tiers:
        yield from _amount(field, tier.price)


def _amount(field: str, amount: Decimal) -> Iterator[Issue]:
    if not isinstance(amount, Decimal):
        yield _issue("inexact-number", field, f"{amount!r} is not a decimal number", "give prices as decimal text")
    elif not amount.is_finite() or -int(amount.as_tuple().exponent) > MAX_DECIMALS or (amount and amount.adjusted() >= 9):
        yield _issue(
            "absurd-number",
            field,
            f"{amount} is not finite, above 10^9 or has over {MAX_DECIMALS} decimals",
            "check it against the tariff sheet",
        )


def _prices(version: RateVersion) -> Iterator[Issue]:
    for number, charge in enumerate(version.charges):
        field = f"charges[{number}]"
        if isinstance(charge, Fixed | Minimum):
            yield from _amount(f"{field}.amount", charge.amount)
        elif isinstance(charge, Percent):
            yield from _amount(f"{field}.rate", charge.rate)
        else:
            for place, ladder in enumerate(charge.ladders):
                yield from _ladder(f"{field}.ladders[{place}]", ladder)
            yield from _ladder_periods(version, field, charge)
        if isinstance(charge, Demand) and charge.window_minutes not in (None, 15, 30, 60):
            yield _issue(
                "demand-window", f"{field}.window_minutes", f"a window of {charge.window_minutes} minutes", "use 15, 30, 60 or none"
            )


def _ladder_periods(version: RateVersion, field: str, charge: Energy | Demand) -> Iterator[Issue]:
    listed = [ladder.period for ladder in charge.ladders]
    if charge.schedule is None:
        wanted: tuple[str, ...] = (ALL_DAY,)
    else:
        try:
            schedule = schedule_named(version.calendar, charge.schedule)
        except LookupError:
            known = ", ".join(s.name for s in version.calendar.schedules) or "none"
            yield _issue(
                "unknown-schedule",
                f"{field}.schedule",
                f"there is no schedule {charge.schedule!r}",
                f"name one of the calendar's schedules: {known}",
            )
            return
        wanted = periods_of(schedule)
    if len(set(listed)) != len(listed):
        yield _issue("duplicate-period", f"{field}.ladders", "a period has two ladders", "give each period one ladder")
    for period in wanted:
        if period not in listed:
            yield _issue(
                "missing-price",
                f"{field}.ladders",
                f"period {period!r} of the schedule has no price",
                "give every period of the schedule its ladder",
            )
    for period in listed:
        if period not in wanted:
            yield _issue("unknown-period", f"{field}.ladders", f"period {period!r} is not in the schedule", "name a period of the schedule")


def bounds_of(ladder: Ladder) -> tuple[str, tuple[Decimal | None, ...]]:
    """What makes two ladders one pool: the span and the bounds, whatever the prices."""
    return (ladder.per if len(ladder.tiers) > 1 else "month", tuple(tier.up_to for tier in ladder.tiers))


def _pools(version: RateVersion) -> Iterator[Issue]:
    for number, charge in enumerate(version.charges):
        if not isinstance(charge, Energy) or charge.pool != "all" or charge.schedule is None:
            continue
        try:
            schedule = schedule_named(version.calendar, charge.schedule)
        except LookupError:
            continue
        shapes = {ladder.period: bounds_of(ladder) for ladder in charge.ladders}
        if any(True for _ in _coverage(version, schedule)):
            continue
        for day in _LEAP_YEAR:
            periods = {period for row in rows_for(schedule, version.calendar, day) for period in slots_of(row)}
            if len({shapes[period] for period in periods if period in shapes}) > 1:
                yield _issue(
                    "unequal-ladders",
                    f"charges[{number}].ladders",
                    f"periods {', '.join(sorted(periods))} share {day:%B} but not their tier bounds, so one pooled ladder is undefined",
                    'give them the same bounds, or set pool to "period" if the tariff sheet gives each its own ladder',
                )
                break


def _bases(version: RateVersion) -> Iterator[Issue]:
    earlier: set[str] = set()
    everything = {name for charge in version.charges for name in charge.names}
    for number, charge in enumerate(version.charges):
        if isinstance(charge, Percent | Minimum):
            for tag in charge.of:
                if isinstance(charge, Minimum) and tag in {"energy", "demand", "fixed"}:
                    continue
                if tag not in earlier:
                    what = "stands later" if tag in everything else "is unknown"
                    yield _issue(
                        "base-not-earlier",
                        f"charges[{number}].of",
                        f"{charge.id} is taken of {tag!r}, which {what}",
                        "name a tag, kind or id of an earlier charge",
                    )
            if not charge.of:
                yield _issue("no-base", f"charges[{number}].of", f"{charge.id} is taken of nothing", "name the tags that it is taken of")
        earlier |= charge.names


def _applicability(version: RateVersion) -> Iterator[Issue]:
    names = {season.name for season in version.calendar.seasons}
    for number, charge in enumerate(version.charges):
        if set(charge.seasons) - names or set(charge.months) - set(range(1, 13)):
            yield _issue(
                "unknown-season",
                f"charges[{number}]",
                f"{charge.id} applies in a season or month that does not exist",
                "name seasons of the calendar and months 1 to 12",
            )


CHECKS: tuple[Callable[[RateVersion], Iterator[Issue]], ...] = (
    _names,
    _valid_ranges,
    _seasons,
    _schedules,
    _holidays,
    _prices,
    _pools,
    _bases,
    _applicability,
)


@lru_cache(maxsize=256)
def check_version(version: RateVersion) -> tuple[Issue, ...]:
    """Everything that keeps a version from being priced; empty where it is sound."""
    return tuple(issue for check in CHECKS for issue in check(version))
