"""What an agreement used, gathered for pictures: by month, by day, by hour, from the store's intervals or from a dial's reads, in the unit of its bills."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection

from mains.base.periods import local_midnight
from mains.base.units import UNITS
from mains.billing.model import ChannelSpan
from mains.billing.usage import UnableToConvertUsage, unit_factor
from mains.metering import load, registers
from mains.metering.model import MISSING, Quality
from mains.web import queries
from mains.web.format import unit_name
from mains.web.queries import ChannelRow, ServiceRow
from mains.web.views import MonthUse, Usage

MONTHS = 13
DAILY_READS = 25
"""So many reads in 35 days make a dial one that is read daily."""
_GUESSED = (Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE)
_HOUR = timedelta(hours=1)
_MONTHLY = "This meter is read about once a month, so its days are not known: its months are on the customer's page."
_THOUSANDTH = Decimal("0.001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What was used in a stretch; None where nothing was read. `missing_s` is for how many seconds of it something else should have been read."""

    quantity: Decimal | None
    is_estimated: bool = False
    missing_s: int = 0


NOTHING = Sum(quantity=None)


def month_after(month: date, months: int = 1) -> date:
    """The first of the month so many later.

    >>> month_after(date(2026, 11, 1), 2), month_after(date(2026, 1, 1), -13)
    (datetime.date(2027, 1, 1), datetime.date(2024, 12, 1))
    """
    years, rest = divmod(month.month - 1 + months, 12)
    return date(month.year + years, rest + 1, 1)


def shown_unit(unit: str) -> str:
    """The unit that a page shows for a channel's where no bill has one: kWh for energy, the meter's own for the rest."""
    return "kWh" if UNITS[unit].quantity == "energy" else unit


def rhythm(service: ServiceRow) -> str | None:
    """How often a service's meter is read, in words; None where it has none."""
    if service.channel_id is None:
        return None
    if service.interval_s is None:
        reads = service.reads_lately or 0
        return f"read {'daily' if reads >= DAILY_READS else 'weekly' if reads >= 4 else 'monthly'}"
    return f"{service.interval_s // 60} min" if service.interval_s < 3600 else {3600: "hourly", 86_400: "daily"}.get(service.interval_s, f"{service.interval_s // 3600} h")


# ── Months ───────────────────────────────────────────────────────────────────


def usages(conn: Connection, services: Sequence[ServiceRow], *, at: datetime) -> tuple[Usage, ...]:
    """Thirteen months of each service in which anything was read, all up to the newest month of which a day was read."""
    lasts = [
        (min(service.last_reading_at, at) - timedelta(days=1)).astimezone(ZoneInfo(service.timezone)).date().replace(day=1)
        for service in services
        if service.last_reading_at is not None
    ]
    if not lasts:
        return ()
    found = (usage_of_service(conn, service, last=max(lasts), at=at) for service in services if service.last_reading_at is not None)
    shown = [usage for usage in found if usage is not None and any(month.quantity is not None for month in usage.months)]
    times = Counter(usage.commodity for usage in shown)
    places = {service.account_id: service.address_line for service in services}
    return tuple(replace(usage, note=places[usage.account_id]) if times[usage.commodity] > 1 else usage for usage in shown)


def usage_of_service(conn: Connection, service: ServiceRow, *, last: date, at: datetime) -> Usage | None:
    """Thirteen local months of a service up to the one that begins on `last`; None where no meter hung in them."""
    firsts = [month_after(last, n - MONTHS + 1) for n in range(MONTHS + 1)]
    edges = [local_midnight(first, service.timezone) for first in firsts]
    channels = measuring(queries.channels_of_account(conn, service.account_id, from_at=edges[0], to_at=edges[-1]))
    if not channels:
        return None
    unit = service.billed_unit or shown_unit(channels[-1].unit)
    sums = sums_between(conn, channels, edges, unit=unit, until=min(at, service.last_reading_at or at))
    months = tuple(
        MonthUse(
            month=first, quantity=found.quantity, is_estimated=found.is_estimated, is_open=end > at, is_outside=_is_outside(service, start, end), missing_s=found.missing_s
        )
        for first, (start, end), found in zip(firsts[:-1], pairwise(edges), sums, strict=True)
    )
    return Usage(
        account_id=service.account_id, commodity=service.commodity, unit=unit, months=months, source=source_of(channels, unit=unit),
        has_drill=service.interval_s is not None or (service.reads_lately or 0) >= DAILY_READS,
    )  # fmt: skip


def _is_outside(service: ServiceRow, start: datetime, end: datetime) -> bool:
    """Whether the service was not there in [start, end) at all."""
    return end <= service.opened_at or (service.closed_at is not None and service.closed_at <= start)


# ── Sums ─────────────────────────────────────────────────────────────────────


def measuring(channels: list[ChannelRow]) -> list[ChannelRow]:
    """The channels that count: where a meter gives intervals and a register for the same thing, the intervals, as bills do."""
    return [channel for channel in channels if channel.interval_s is not None] or channels


def sums_between(
    conn: Connection, channels: Sequence[ChannelRow], edges: Sequence[datetime], *, unit: str, until: datetime | None = None, as_of: datetime | None = None
) -> list[Sum]:
    """What channels used together between each instant and the next, in `unit`; what a dial says is rounded to a thousandth, as bills do.

    What is not read after `until` is not missing. `as_of` asks what the dials' reads were at that instant.
    """
    found = [NOTHING] * (len(edges) - 1)
    for channel in channels:
        part = _from_intervals(conn, channel, edges, unit=unit, until=until) if channel.interval_s else _from_dial(conn, channel, edges, unit=unit, as_of=as_of)
        found = [_together(one, other) for one, other in zip(found, part, strict=True)]
    if any(channel.interval_s is None for channel in channels):
        found = [each if each.quantity is None else replace(each, quantity=each.quantity.quantize(_THOUSANDTH, ROUND_HALF_UP)) for each in found]
    return found


def source_of(channels: Sequence[ChannelRow], *, unit: str) -> str:
    """Where numbers of channels come from, in words."""
    if not channels:
        return "No meter was installed then"
    numbers = list(dict.fromkeys(channel.meter_number for channel in channels))
    meters = f"meter{'s' if len(numbers) > 1 else ''} {', then '.join(numbers)}"
    seconds, measured = channels[-1].interval_s, channels[-1].unit
    billed = f", shown in {unit_name(unit)} as on the bills" if measured != unit and UNITS[measured].quantity != "energy" else ""
    if seconds is None:
        return f"Reads of the dial of {meters} in {unit_name(measured)}{billed}"
    length = f"{seconds // 60}-minute" if seconds < 3600 else "hourly" if seconds == 3600 else "daily" if seconds == 86_400 else f"{seconds // 3600}-hour"
    return f"{length[:1].upper()}{length[1:]} readings of {meters}, summed in local time{billed}"


def _from_intervals(conn: Connection, channel: ChannelRow, edges: Sequence[datetime], *, unit: str, until: datetime | None) -> list[Sum]:
    start, end = max(edges[0], channel.from_at), min(edges[-1], channel.to_at)
    assert channel.interval_s is not None  # asked for channels with intervals only
    start, end = _on_grid(start, channel.interval_s), _on_grid(end, channel.interval_s)
    if start >= end:
        return [NOTHING] * (len(edges) - 1)
    read = load.load(conn, [channel.channel_id], start, end, interval_s=channel.interval_s)
    values, quality, starts = read.values[0].astype(np.int64), read.quality[0], read.starts()
    is_due = starts < int(until.timestamp()) if until else np.ones(len(starts), dtype=bool)
    places = np.searchsorted(starts, [int(edge.timestamp()) for edge in edges])
    scales = _Scales(conn, channel, unit)
    found = []
    for (first, last), (from_at, to_at) in zip(pairwise(places), pairwise(edges), strict=True):
        there = values[first:last] != MISSING
        missing = int((~there & is_due[first:last]).sum()) * channel.interval_s
        scale, is_known = scales.over(from_at, to_at) if there.any() else (Fraction(0), False)
        if not scale:
            found.append(Sum(quantity=None, missing_s=missing))
            continue
        guessed = bool(np.isin(quality[first:last][there], _GUESSED).any())
        found.append(Sum(quantity=_times(int(values[first:last][there].sum()), scale), is_estimated=guessed or not is_known, missing_s=missing))
    return found


def _from_dial(conn: Connection, channel: ChannelRow, edges: Sequence[datetime], *, unit: str, as_of: datetime | None) -> list[Sum]:
    asked = [(channel.channel_id, max(first, channel.from_at), min(last, channel.to_at), channel.dial_digits) for first, last in pairwise(edges)]
    whole = [number for number, each in enumerate(asked) if each[1] < each[2]]
    answers = dict(zip(whole, registers.usage_between(conn, [asked[number] for number in whole], as_of=as_of), strict=True))
    scales = _Scales(conn, channel, unit)
    found = []
    for number, (_, from_at, to_at, _) in enumerate(asked):
        answer = answers.get(number)
        scale, is_known = scales.over(from_at, to_at) if answer is not None and answer.reason is None else (Fraction(0), False)
        if answer is None or not scale:
            found.append(NOTHING)
            continue
        guessed = any(quality in _GUESSED for quality in answer.qualities)
        found.append(Sum(quantity=_times(answer.raw, scale), is_estimated=guessed or not is_known))
    return found


class _Scales:
    """What a raw step of a channel is in a unit, stretch by stretch: the heat content of gas changes from month to month."""

    def __init__(self, conn: Connection, channel: ChannelRow, unit: str) -> None:
        self.conn, self.channel, self.unit = conn, channel, unit
        self.is_fixed = UNITS[channel.unit].quantity == UNITS[unit].quantity
        self.last = Fraction(channel.units_per_step) * Fraction(UNITS[channel.unit].factor) / Fraction(UNITS[unit].factor) if self.is_fixed else Fraction(0)

    def over(self, from_at: datetime, to_at: datetime) -> tuple[Fraction, bool]:
        """The scale, and whether it is known; where it is not yet known it is the last one that was, 0 where none was."""
        if self.is_fixed:
            return self.last, True
        one = self.channel
        span = ChannelSpan(channel_id=one.channel_id, from_at=from_at, to_at=to_at, unit=one.unit, units_per_step=one.units_per_step, interval_s=one.interval_s)
        try:
            self.last = Fraction(one.units_per_step) * unit_factor(self.conn, span, rate_unit=self.unit)[0]
        except UnableToConvertUsage:
            return self.last, False
        return self.last, True


def _times(raw: int, scale: Fraction) -> Decimal:
    return Decimal(raw * scale.numerator) / Decimal(scale.denominator)


def _together(one: Sum, other: Sum) -> Sum:
    known = [each.quantity for each in (one, other) if each.quantity is not None]
    return Sum(
        quantity=sum(known, Decimal(0)) if known else None, is_estimated=one.is_estimated or other.is_estimated, missing_s=one.missing_s + other.missing_s
    )


def _on_grid(at: datetime, interval_s: int) -> datetime:
    return datetime.fromtimestamp(int(at.timestamp()) // interval_s * interval_s, UTC)
