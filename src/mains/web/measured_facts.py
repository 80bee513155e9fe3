"""What the meter measured in a bill's period, from what the bill was frozen with: hours with their time-of-use periods, days, or the dials."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.money import half_up
from mains.base.periods import local_midnight
from mains.billing.explaining import BilledDial, BilledReadings, BillExplanation, ExplainedSegment
from mains.billing.queries import Bill, BillLine
from mains.metering.model import Quality
from mains.metering.queries import Channel
from mains.web import usage_facts
from mains.web.format import days_of, unit_name
from mains.web.queries import ChannelRow
from mains.web.views import DayTotal, DemandPeak, Dial, Hour, PeriodTotal, Readings

_GUESSED = (Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE)


def readings(conn: Connection, explained: BillExplanation, channels: dict[int, Channel], *, timezone: str) -> Readings | None:
    """What the meter measured, at the finest grain that the bill was taken from; None for a bill without a meter."""
    numbers = list(dict.fromkeys(channels[each["channel_id"]].meter_number for each in explained.channels))
    if not numbers:
        return None
    meters = f"Meter{'s' if len(numbers) > 1 else ''} {', then '.join(numbers)}"
    if explained.readings is not None:
        return from_intervals(explained.readings, explained.bill, timezone=timezone, meters=meters, segments=explained.segments)
    return _from_dials(conn, explained, channels, timezone=timezone, meters=meters)


def channel_name(channel: Channel) -> str:
    """A channel by what is written on it."""
    return f"Meter {channel.meter_number}, register {channel.register}"


def from_intervals(found: BilledReadings, bill: Bill, *, timezone: str, meters: str, segments: tuple[ExplainedSegment, ...] = ()) -> Readings:
    """Intervals summed to local hours and days, with the time-of-use period of each; sums are exact."""
    step = Decimal(1).scaleb(-found.decimals)
    hours = _hours(found, bill, timezone=timezone, names=found.periods, period_of=found.period_of)
    days = tuple(_day(hours, day, bill.billing_period_start + timedelta(days=day)) for day in range(bill.days))
    values = np.where(found.values < 0, 0, found.values)
    periods = [
        PeriodTotal(period=name, hours=hours_in_words(hours, name, bill.billing_period_start), quantity=int(values[found.period_of == number].sum()) * step)
        for number, name in enumerate(found.periods)
        if name and (found.period_of == number).any()
    ]
    return Readings(
        starts_on=bill.billing_period_start, unit="kWh", quantity=int(values.sum()) * step, days=days, hours=hours,
        periods=tuple(sorted(periods, key=lambda total: total.quantity)), estimated=int(values[np.isin(found.quality, _GUESSED)].sum()) * step,
        others=_others(found, segments, values) if periods or len(segments) > 1 else (),
        source=f"{meters}, {found.interval_s // 60}-minute readings, in local hours", clock_note=clock_note(bill, timezone),
    )  # fmt: skip


def of_demand(found: Readings, explained: BillExplanation, line: BillLine, *, timezone: str) -> Readings:
    """The same hours with the windows of a demand line's charge instead of the periods of energy, and the window that was billed."""
    billed = explained.readings
    demand = next((one for one in billed.demands if (one.segment_no, one.charge_id) == (line.segment_no, line.charge_id)), None) if billed else None
    if billed is None or demand is None:
        return found
    bill, times = explained.bill, Fraction(3600, demand.window_s)
    hours = _hours(billed, bill, timezone=timezone, names=("", *demand.periods), period_of=demand.period_of)
    totals, peak = [], None
    for one in demand.peaks:
        energy = Decimal(one.energy).scaleb(-billed.decimals)
        exact = Fraction(energy) * times
        kilowatts = Decimal(half_up(exact * 1000)).scaleb(-3)
        totals.append(PeriodTotal(period=one.period, hours=hours_in_words(hours, one.period, bill.billing_period_start), quantity=kilowatts, unit="kW"))
        if line.tou_period == one.period or len(demand.peaks) == 1:
            starts, ends = (at.astimezone(ZoneInfo(timezone)) for at in (one.starts_at, one.starts_at + timedelta(seconds=demand.window_s)))
            peak = DemandPeak(
                day=(starts.date() - bill.billing_period_start).days, hour=starts.hour, starts_at=starts, ends_at=ends, energy=energy, times=times, kilowatts=kilowatts
            )
    return replace(found, hours=hours, periods=tuple(totals), others=(), peak=peak) if peak else found


def _others(found: BilledReadings, segments: tuple[ExplainedSegment, ...], values: NDArray[np.int64]) -> tuple[PeriodTotal, ...]:
    """What was used in no time-of-use period, by segment."""
    totals = []
    for segment in segments:
        mine = (found.segment_of == segment.segment_no) & (found.period_of == 0)
        if mine.any():
            days = days_of(date.fromisoformat(segment.from_date), date.fromisoformat(segment.to_date))
            name = f"{days}, {segment.rate_schedule_name}" if len(segments) > 1 else "at other hours"
            totals.append(PeriodTotal(period=name, hours=days, quantity=Decimal(int(values[mine].sum())).scaleb(-found.decimals)))
    return tuple(totals)


def _hours(found: BilledReadings, bill: Bill, *, timezone: str, names: tuple[str, ...], period_of: NDArray[np.int16]) -> tuple[Hour, ...]:
    """The local hours of the period, each with the name of the period that it begins in."""
    zone, step = ZoneInfo(timezone), Decimal(1).scaleb(-found.decimals)
    starts = int(found.starts_at.timestamp()) + found.interval_s * np.arange(len(found.values))
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, at in enumerate(datetime.fromtimestamp(int(at), zone) for at in starts):
        cells[(at.date() - bill.billing_period_start).days, at.hour].append(index)
    return tuple(_hour(found, indexes, day=day, hour=hour, step=step, period=names[period_of[indexes[0]]]) for (day, hour), indexes in sorted(cells.items()))


def _hour(found: BilledReadings, indexes: list[int], *, day: int, hour: int, step: Decimal, period: str) -> Hour:
    values, quality = found.values[indexes], found.quality[indexes]
    there = values >= 0
    guessed = np.isin(quality[there], _GUESSED)
    state = "missing" if not there.all() else "estimated" if guessed.all() else "mixed" if guessed.any() else "actual"
    return Hour(day=day, hour=hour, quantity=int(values[there].sum()) * step if there.any() else None, period=period or None, quality=state)


def _day(hours: tuple[Hour, ...], number: int, day: date) -> DayTotal:
    mine = [hour for hour in hours if hour.day == number]
    known = [hour.quantity for hour in mine if hour.quantity is not None]
    states = {hour.quality for hour in mine}
    quality = states.pop() if len(states) == 1 else "mixed"
    return DayTotal(day=day, quantity=sum(known, Decimal(0)) if known else None, quality=quality)


def hours_in_words(hours: tuple[Hour, ...], period: str, starts_on: date) -> str:
    """When a time-of-use period is, as most weekdays and most weekend days have it."""
    counts: dict[tuple[bool, int], list[int]] = defaultdict(lambda: [0, 0])
    for hour in hours:
        is_weekend = (starts_on + timedelta(days=hour.day)).weekday() >= 5
        counts[is_weekend, hour.hour][0] += hour.period == period
        counts[is_weekend, hour.hour][1] += 1
    told = {}
    for is_weekend in (False, True):
        told[is_weekend] = [h for h in range(24) if counts[is_weekend, h][0] * 2 > counts[is_weekend, h][1]]
    if told[False] == told[True]:
        return f"every day {_spans(told[False])}" if told[False] else "a few hours"
    parts = [f"{name} {_spans(found)}" for name, found in (("weekdays", told[False]), ("weekends", told[True])) if found]
    return ", ".join(parts) or "a few hours"


def _spans(hours: list[int]) -> str:
    if len(hours) == 24:
        return "all day"
    runs: list[list[int]] = []
    for hour in hours:
        if runs and hour == runs[-1][1]:
            runs[-1][1] = hour + 1
        else:
            runs.append([hour, hour + 1])
    if len(runs) > 1 and runs[0][0] == 0 and runs[-1][1] == 24:
        runs = [*runs[1:-1], [runs[-1][0], runs[0][1]]]
    return " and ".join(f"{first}:00 – {last}:00" for first, last in runs)


def clock_note(bill: Bill, timezone: str) -> str | None:
    """What to say of a bill in whose period the clock changes."""
    for number in range(bill.days):
        day = bill.billing_period_start + timedelta(days=number)
        start, end = (local_midnight(each, timezone).timestamp() for each in (day, day + timedelta(days=1)))
        if end - start < 86_400:
            return f"The clocks went forward on {day.day} {day:%B}: that day has 23 hours."
        if end - start > 86_400:
            return f"The clocks went back on {day.day} {day:%B}: that day has 25 hours, and the hour that came twice is one cell, the sum of both."
    return None


# ── Dials ────────────────────────────────────────────────────────────────────


def _from_dials(conn: Connection, explained: BillExplanation, channels: dict[int, Channel], *, timezone: str, meters: str) -> Readings:
    """The dials at the ends of each meter's part of the period, and the days between where they were read daily and add to what was billed."""
    bill = explained.bill
    days = _days(conn, explained, channels, timezone=timezone)
    unit = unit_name(explained.dials[0].unit) if explained.dials else unit_name(bill.usage_unit)
    heat = next((dial.heat for dial in explained.dials if dial.heat is not None), None)
    return Readings(
        starts_on=bill.billing_period_start, unit=bill.usage_unit, quantity=bill.usage_quantity, days=days,
        dials=tuple(_dial(dial, channels[dial.channel_id]) for dial in explained.dials),
        estimated=sum((day.quantity for day in days if day.quantity is not None and day.quality == "estimated"), Decimal(0)),
        source=f"{meters}, reads of the dial in {unit}{'; the heat content is that of the month' if heat else ''}",
    )  # fmt: skip


def _dial(found: BilledDial, channel: Channel) -> Dial:
    qualities = ["estimated" if quality in _GUESSED else "actual" for quality in found.qualities] or ["actual"]
    return Dial(
        meter_number=channel.meter_number, used=found.used, unit=found.unit, factor=found.factor, from_value=found.from_value, to_value=found.to_value,
        from_read_at=found.from_read_at, to_read_at=found.to_read_at, from_quality=qualities[0], to_quality=qualities[-1], dial_end=found.dial_end,
    )  # fmt: skip


def _days(conn: Connection, explained: BillExplanation, channels: dict[int, Channel], *, timezone: str) -> tuple[DayTotal, ...]:
    """The days in the bill's unit, as their reads stood for the bill, where every day was read and they add to what was billed; else none."""
    bill = explained.bill
    edges = [local_midnight(bill.billing_period_start + timedelta(days=n), timezone) for n in range(bill.days + 1)]
    rows = [
        ChannelRow(
            channel_id=each["channel_id"], meter_number=channels[each["channel_id"]].meter_number, dial_digits=each["dial_digits"], unit=each["unit"],
            units_per_step=Decimal(each["units_per_step"]), interval_s=each["interval_s"],
            from_at=datetime.fromisoformat(each["from_at"]), to_at=datetime.fromisoformat(each["to_at"]),
        )
        for each in explained.channels
    ]  # fmt: skip
    as_of = explained.readings_as_of if explained.used_old_readings else None
    sums = usage_facts.sums_between(conn, rows, edges, unit=bill.usage_unit, as_of=as_of)
    known = [each.quantity for each in sums if each.quantity is not None]
    if len(known) < len(sums) or abs(sum(known, Decimal(0)) - bill.usage_quantity) > Decimal("0.001") * len(sums):
        return ()
    return tuple(
        DayTotal(day=edge.date(), quantity=each.quantity, quality="estimated" if each.is_estimated else "actual") for edge, each in zip(edges, sums, strict=False)
    )
