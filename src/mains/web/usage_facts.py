"""What an agreement used, gathered for pictures: by month, by day, by hour, from the store's intervals or from a dial's reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection

from mains.base.units import UNITS
from mains.billing.model import local_midnight
from mains.metering import load, registers
from mains.metering.model import MISSING, Quality
from mains.web import queries
from mains.web.format import unit_name
from mains.web.queries import AccountPlace, ChannelRow, ServiceRow
from mains.web.views import MonthUse, Point, Usage, UsageDetail

MONTHS = 13
_GUESSED = (Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What was used in a stretch; None where nothing was read. `missing` says that some of it was not."""

    quantity: Decimal | None
    is_estimated: bool = False
    has_missing: bool = False


NOTHING = Sum(quantity=None)


def month_after(month: date, months: int = 1) -> date:
    """The first of the month so many later.

    >>> month_after(date(2026, 11, 1), 2), month_after(date(2026, 1, 1), -13)
    (datetime.date(2027, 1, 1), datetime.date(2024, 12, 1))
    """
    years, rest = divmod(month.month - 1 + months, 12)
    return date(month.year + years, rest + 1, 1)


def shown_unit(unit: str) -> str:
    """The unit that a page shows for a channel's: kWh for energy, the meter's own for the rest."""
    return "kWh" if UNITS[unit].quantity == "energy" else unit


def usage_of_service(conn: Connection, service: ServiceRow, *, at: datetime) -> Usage | None:
    """Thirteen local months of a service up to the last of which at least a day was read; None where it was never read."""
    if service.last_reading_at is None:
        return None
    last = (min(service.last_reading_at, at) - timedelta(days=1)).astimezone(ZoneInfo(service.timezone)).date().replace(day=1)
    firsts = [month_after(last, n - MONTHS + 1) for n in range(MONTHS + 1)]
    edges = [local_midnight(first, service.timezone) for first in firsts]
    channels = queries.channels_of_account(conn, service.account_id, from_at=edges[0], to_at=edges[-1])
    if not channels:
        return None
    months = tuple(
        MonthUse(month=first, quantity=found.quantity, is_estimated=found.is_estimated, is_partial=found.has_missing or end > at, is_outside=_is_outside(service, start, end))
        for first, (start, end), found in zip(firsts[:-1], pairwise(edges), sums_between(conn, channels, edges), strict=True)
    )
    return Usage(
        account_id=service.account_id, commodity=service.commodity, unit=shown_unit(channels[-1].unit), months=months, source=source_of(channels),
        has_drill=service.interval_s is not None,
    )  # fmt: skip


def _is_outside(service: ServiceRow, start: datetime, end: datetime) -> bool:
    """Whether the service was not there in [start, end) at all."""
    return end <= service.opened_at or (service.closed_at is not None and service.closed_at <= start)


def usage_of_month(conn: Connection, place: AccountPlace, month: date, *, path: str) -> UsageDetail:
    """The days of a month against the same month of the year before."""
    end, before = month_after(month), month_after(month, -12)
    days = [month + timedelta(days=n) for n in range((end - month).days)]
    channels, now = _days(conn, place, month, end)
    _, then = _days(conn, place, before, month_after(before))
    points = tuple(
        Point(
            starts_at=local_midnight(day, place.timezone), label=f"{day:%a} {day.day}", quantity=found.quantity, is_estimated=found.is_estimated,
            last_year=then[n].quantity if n < len(then) else None, href=f"{path}?day={day}",
        )
        for n, (day, found) in enumerate(zip(days, now, strict=True))
    )  # fmt: skip
    return UsageDetail(
        account_id=place.account_id, customer_id=place.customer_id, commodity=place.commodity, unit=_unit(channels), step="day", title=f"{month:%B %Y}, by day",
        points=points, last_year_label=f"{before:%B %Y}", source=source_of(channels), earlier_href=f"{path}?month={month_after(month, -1):%Y-%m}",
        later_href=f"{path}?month={end:%Y-%m}",
    )  # fmt: skip


def usage_of_day(conn: Connection, place: AccountPlace, day: date, *, path: str) -> UsageDetail:
    """The hours of a day against the same weekday, 52 weeks before; a day of 23 or 25 hours has as many."""
    before = day - timedelta(days=364)
    edges, edges_then = _hours(day, place.timezone), _hours(before, place.timezone)
    channels = queries.channels_of_account(conn, place.account_id, from_at=edges[0], to_at=edges[-1])
    channels_then = queries.channels_of_account(conn, place.account_id, from_at=edges_then[0], to_at=edges_then[-1])
    now, then = sums_between(conn, channels, edges), sums_between(conn, channels_then, edges_then)
    zone = ZoneInfo(place.timezone)
    points = tuple(
        Point(
            starts_at=start, label=f"{start.astimezone(zone):%H:%M}", quantity=found.quantity, is_estimated=found.is_estimated,
            last_year=then[n].quantity if n < len(then) else None,
        )
        for n, (start, found) in enumerate(zip(edges[:-1], now, strict=True))
    )  # fmt: skip
    return UsageDetail(
        account_id=place.account_id, customer_id=place.customer_id, commodity=place.commodity, unit=_unit(channels), step="hour",
        title=f"{day:%A} {day.day} {day:%B %Y}, by hour", points=points, last_year_label=f"{before:%A} {before.day} {before:%B %Y}", source=source_of(channels),
        back_href=f"{path}?month={day:%Y-%m}", earlier_href=f"{path}?day={day - timedelta(days=1)}", later_href=f"{path}?day={day + timedelta(days=1)}",
    )  # fmt: skip


def sums_between(conn: Connection, channels: Sequence[ChannelRow], edges: Sequence[datetime]) -> list[Sum]:
    """What channels used together between each instant and the next, in the unit that a page shows."""
    found = [NOTHING] * (len(edges) - 1)
    for channel in channels:
        part = _from_intervals(conn, channel, edges) if channel.interval_s else _from_dial(conn, channel, edges)
        found = [_together(one, other) for one, other in zip(found, part, strict=True)]
    return found


def source_of(channels: Sequence[ChannelRow]) -> str:
    """Where numbers of channels come from, in words."""
    if not channels:
        return "No meter was installed then"
    meters = " and ".join(dict.fromkeys(channel.meter_number for channel in channels))
    seconds = channels[-1].interval_s
    if seconds is None:
        return f"Reads of the dial of meter {meters}, in {unit_name(channels[-1].unit)}"
    length = f"{seconds // 60}-minute" if seconds < 3600 else "hourly" if seconds == 3600 else f"{seconds // 3600}-hour"
    return f"{length[:1].upper()}{length[1:]} readings of meter {meters}, summed in local time"


def _from_intervals(conn: Connection, channel: ChannelRow, edges: Sequence[datetime]) -> list[Sum]:
    start, end = max(edges[0], channel.from_at), min(edges[-1], channel.to_at)
    assert channel.interval_s is not None  # asked for channels with intervals only
    start, end = _on_grid(start, channel.interval_s), _on_grid(end, channel.interval_s)
    if start >= end:
        return [NOTHING] * (len(edges) - 1)
    read = load.load(conn, [channel.channel_id], start, end, interval_s=channel.interval_s)
    values, quality = read.values[0].astype(np.int64), read.quality[0]
    places = np.searchsorted(read.starts(), [int(edge.timestamp()) for edge in edges])
    scale = channel.units_per_step * UNITS[channel.unit].factor / UNITS[shown_unit(channel.unit)].factor
    found = []
    for first, last in pairwise(places):
        there = values[first:last] != MISSING
        if not there.any():
            found.append(NOTHING)
            continue
        total = int(values[first:last][there].sum())
        guessed = bool(np.isin(quality[first:last][there], _GUESSED).any())
        found.append(Sum(quantity=total * scale, is_estimated=guessed, has_missing=not there.all()))
    return found


def _from_dial(conn: Connection, channel: ChannelRow, edges: Sequence[datetime]) -> list[Sum]:
    asked = [
        (channel.channel_id, max(first, channel.from_at), min(last, channel.to_at), channel.dial_digits)
        for first, last in pairwise(edges)
    ]
    whole = [number for number, each in enumerate(asked) if each[1] < each[2]]
    answers = dict(zip(whole, registers.usage_between(conn, [asked[number] for number in whole]), strict=True))
    scale = channel.units_per_step * UNITS[channel.unit].factor / UNITS[shown_unit(channel.unit)].factor
    found = []
    for number in range(len(asked)):
        answer = answers.get(number)
        if answer is None or answer.reason is not None:
            found.append(NOTHING)
        else:
            found.append(Sum(quantity=answer.raw * scale, is_estimated=any(quality in _GUESSED for quality in answer.qualities)))
    return found


def _days(conn: Connection, place: AccountPlace, first: date, end: date) -> tuple[list[ChannelRow], list[Sum]]:
    edges = [local_midnight(first + timedelta(days=n), place.timezone) for n in range((end - first).days + 1)]
    channels = queries.channels_of_account(conn, place.account_id, from_at=edges[0], to_at=edges[-1])
    return channels, sums_between(conn, channels, edges)


def _hours(day: date, timezone: str) -> list[datetime]:
    at, end = (local_midnight(each, timezone).astimezone(UTC) for each in (day, day + timedelta(days=1)))
    edges = []
    while at < end:
        edges.append(at)
        at += _HOUR
    return [*edges, end]


def _together(one: Sum, other: Sum) -> Sum:
    if one.quantity is None or other.quantity is None:
        return one if other.quantity is None else other
    return Sum(
        quantity=one.quantity + other.quantity, is_estimated=one.is_estimated or other.is_estimated, has_missing=one.has_missing or other.has_missing
    )


def _unit(channels: Sequence[ChannelRow]) -> str:
    return shown_unit(channels[-1].unit) if channels else "kWh"


def _on_grid(at: datetime, interval_s: int) -> datetime:
    return datetime.fromtimestamp(int(at.timestamp()) // interval_s * interval_s, UTC)

