"""The bill page, gathered: billing opens the bill and works every line out again; here that becomes what a person reads."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.units import UNITS
from mains.billing import queries as billing
from mains.billing.explaining import BilledReadings, BillExplanation, ExplainedLine, explain_bill
from mains.billing.model import local_midnight
from mains.metering import registers
from mains.metering.model import Quality
from mains.web import queries, usage_facts
from mains.web.format import Formats, count, unit_name
from mains.web.queries import AccountPlace
from mains.web.views import (
    BillPage,
    BlockVersion,
    DayTotal,
    Hour,
    Inputs,
    Line,
    LinePage,
    PeriodTotal,
    PreviousBill,
    Readings,
    RegisterRead,
    Step,
)

_GUESSED = (Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE)
_SHARES = ("percent", "tax")


def bill_page(conn: Connection, bill_id: UUID, *, f: Formats) -> BillPage:
    """One bill, explained; a bill that does not follow from its inputs is shown as issued, and said to differ.

    Raises:
        NotFound: there is no such bill here.
    """
    return _gathered(conn, bill_id, f=f)[0]


def line_page(conn: Connection, bill_id: UUID, line_no: int, *, f: Formats) -> LinePage:
    """One line of a bill, opened.

    Raises:
        NotFound: there is no such bill, or it has no such line.
    """
    page, explained = _gathered(conn, bill_id, f=f)
    line = next((line for line in page.lines if line.line_no == line_no), None)
    if line is None:
        raise BillHasNoSuchLine(f"bill {page.bill_number} has {len(page.lines)} lines, not line {line_no}", cure="open the bill and choose a line")
    ladder = next((_ladder(one) for one in explained.lines if one.line.line_no == line_no), ()) if explained else ()
    return LinePage(bill=page, line=line, ladder=ladder, base=tuple(other for other in page.lines if other.line_no in line.base_lines))


class BillHasNoSuchLine(Problem):
    """The bill is there, the line is not."""

    status = 404


def _gathered(conn: Connection, bill_id: UUID, *, f: Formats) -> tuple[BillPage, BillExplanation | None]:
    explained, trouble = None, None
    try:
        with conn.transaction():
            explained = explain_bill(conn, bill_id)
    except Problem as problem:
        if problem.status == 404:
            raise
        trouble = problem.detail
    bill = explained.bill if explained else billing.bill(conn, bill_id)
    place = queries.place_of_account(
        conn, bill.account_id, from_at=local_midnight(bill.billing_period_start, f.timezone), to_at=local_midnight(bill.billing_period_end, f.timezone)
    )
    row = billing.inputs_of_bills(conn, [bill_id])[0]
    previous_id, replaced_by = queries.bills_around(conn, bill_id)
    lines = explained.lines if explained else [ExplainedLine(line=line, why=None, base_lines=()) for line in billing.lines_of_bill(conn, bill)]  # type: ignore[arg-type] - no reasons are known then
    left = queries.receivable_of_bills(conn, [bill_id]).get(bill_id)
    is_issued = bill.billing_status == "issued"
    readings = _readings(conn, bill, place, explained) if explained else None
    inputs = _inputs(bill, row, explained, trouble=trouble, f=f)
    page = BillPage(
        bill_id=bill_id, bill_number=bill.bill_number, revision=bill.revision - 1, billing_status=bill.billing_status if is_issued or bill.cancelled_at else "draft",
        customer_id=bill.customer_id, customer_name=place.full_name, account_id=bill.account_id, account_number=bill.account_number, commodity=bill.commodity,
        premise_address=place.premise_address, meter_number=place.meter_number, rate_schedule_name=inputs.rate_schedule_name,
        billing_period_start=bill.billing_period_start, billing_period_end=bill.billing_period_end, issued_at=bill.issued_at, due_date=bill.due_date,
        total_amount=bill.total_amount, paid_amount=bill.total_amount - left if is_issued and left is not None else Decimal(0),
        usage_quantity=bill.usage_quantity, unit=bill.usage_unit, lines=tuple(line_of(line) for line in lines), inputs=inputs,
        previous=_previous(conn, previous_id), readings=readings, replaced_by=replaced_by, notes=_notes(bill),
    )  # fmt: skip
    return page, explained


def line_of(explained: ExplainedLine) -> Line:
    """A line as billing explains it, for the page: a share of other lines shows no quantity of its own."""
    line, why = explained.line, explained.why
    is_share = line.charge_kind in _SHARES
    is_least = line.charge_kind == "minimum"
    return Line(
        line_no=line.line_no, charge_id=line.charge_id, label=line.label, kind=line.charge_kind, amount=line.amount, tags=tuple(line.tags),
        period=line.tou_period or None, tier=line.tier, quantity=None if is_share or is_least else line.quantity, unit=line.unit,
        price=None if is_share or is_least else line.price, share=line.price if is_share else None, factor=Fraction(line.factor),
        clause=(why.clause or None) if why else None, formula=why.formula if why else None, base_lines=explained.base_lines,
    )  # fmt: skip


def _ladder(explained: ExplainedLine) -> tuple[Step, ...]:
    return tuple(Step(tier=step.tier, starts=step.lower, up_to=step.upper, price=step.price, quantity=step.quantity) for step in explained.why.ladder)


def _previous(conn: Connection, bill_id: UUID | None) -> PreviousBill | None:
    if bill_id is None:
        return None
    bill = billing.bill(conn, bill_id)
    lines = tuple(line_of(ExplainedLine(line=line, why=None, base_lines=())) for line in billing.lines_of_bill(conn, bill))  # type: ignore[arg-type] - the comparison needs no reasons
    return PreviousBill(
        bill_id=bill_id, bill_number=bill.bill_number, billing_period_start=bill.billing_period_start, billing_period_end=bill.billing_period_end,
        total_amount=bill.total_amount, lines=lines, usage_quantity=bill.usage_quantity,
    )  # fmt: skip


def _notes(bill: billing.Bill) -> tuple[str, ...]:
    if not bill.estimated_readings:
        return ()
    one = bill.estimated_readings == 1
    return (f"{count(bill.estimated_readings)} reading{' was' if one else 's were'} estimated: the meter did not answer. They are marked in the picture.",)


def _inputs(bill: billing.Bill, row: dict[str, Any], explained: BillExplanation | None, *, trouble: str | None, f: Formats) -> Inputs:
    segments = explained.segments if explained else ()
    first = row["segments"][0]
    return Inputs(
        rate_schedule_name=" then ".join(dict.fromkeys(segment.rate_schedule_name for segment in segments)) or "unknown",
        rate_version_hash=first["document_sha256"], rate_effective_from=date.fromisoformat(str(first["from_date"])), inputs_hash=bill.input_sha256,
        calculated_at=bill.calculated_at, calculated_by=row["engine_version"], blocks=tuple(_block(channel, f=f) for channel in row["channels"]),
        verify_state="differs" if trouble else "same", verified_at=f.at,
        verify_detail=trouble or ("The readings were corrected since; those that stood then were used." if explained and explained.used_old_readings else None),
    )  # fmt: skip


def _block(channel: dict[str, Any], *, f: Formats) -> BlockVersion:
    first, end = (f.local(datetime.fromisoformat(channel[name])) for name in ("from_at", "to_at"))
    last = (end - timedelta(seconds=1)).date()
    name = f"Channel {channel['channel_id']}, {unit_name(channel['unit'])}"
    days = (last - first.date()).days + 1
    return BlockVersion(channel=name, first_day=first.date(), last_day=last, days=days, version=channel.get("highest_version", 1))


# ── Readings ─────────────────────────────────────────────────────────────────


def _readings(conn: Connection, bill: billing.Bill, place: AccountPlace, explained: BillExplanation) -> Readings | None:
    """What the meter measured, at the finest grain that the bill was taken from."""
    if explained.readings is not None:
        return from_intervals(explained.readings, bill, timezone=place.timezone, meter_number=place.meter_number)
    return _from_dial(conn, bill, place)


def from_intervals(found: BilledReadings, bill: billing.Bill, *, timezone: str, meter_number: str | None) -> Readings:
    """Intervals summed to local hours and days, with the time-of-use period of each; sums are exact."""
    zone, step = ZoneInfo(timezone), Decimal(1).scaleb(-found.decimals)
    starts = int(found.starts_at.timestamp()) + found.interval_s * np.arange(len(found.values))
    locals_ = [datetime.fromtimestamp(int(at), zone) for at in starts]
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, at in enumerate(locals_):
        cells[(at.date() - bill.billing_period_start).days, at.hour].append(index)
    hours = tuple(_hour(found, indexes, day=day, hour=hour, step=step) for (day, hour), indexes in sorted(cells.items()))
    days = tuple(_day(hours, day, bill.billing_period_start + timedelta(days=day)) for day in range(bill.days))
    values = np.where(found.values < 0, 0, found.values)
    periods = [
        PeriodTotal(period=name, hours=hours_in_words(hours, name, bill.billing_period_start), quantity=int(values[found.period_of == number].sum()) * step)
        for number, name in enumerate(found.periods)
        if name and (found.period_of == number).any()
    ]
    minutes = found.interval_s // 60
    return Readings(
        starts_on=bill.billing_period_start, unit="kWh", quantity=int(values.sum()) * step, days=days, hours=hours,
        periods=tuple(sorted(periods, key=lambda total: total.quantity)), estimated=int(values[np.isin(found.quality, _GUESSED)].sum()) * step,
        source=f"Meter {meter_number or 'unknown'}, {minutes}-minute readings, local time", clock_note=_clock_note(hours, bill),
    )  # fmt: skip


def _hour(found: BilledReadings, indexes: list[int], *, day: int, hour: int, step: Decimal) -> Hour:
    values, quality = found.values[indexes], found.quality[indexes]
    there = values >= 0
    guessed = np.isin(quality[there], _GUESSED)
    state = "missing" if not there.all() else "estimated" if guessed.all() else "mixed" if guessed.any() else "actual"
    period = found.periods[found.period_of[indexes[0]]] or None
    return Hour(day=day, hour=hour, quantity=int(values[there].sum()) * step if there.any() else None, period=period, quality=state)


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


def _clock_note(hours: tuple[Hour, ...], bill: billing.Bill) -> str | None:
    by_day: dict[int, int] = defaultdict(int)
    for hour in hours:
        by_day[hour.day] += 1
    short = [bill.billing_period_start + timedelta(days=day) for day, number in by_day.items() if number == 23]
    return f"The clocks went forward on {short[0]:%-d %B}: that day has 23 hours." if short else None


def _from_dial(conn: Connection, bill: billing.Bill, place: AccountPlace) -> Readings | None:
    """The two reads of the dial, and the days between where it was read daily."""
    edges = [local_midnight(bill.billing_period_start + timedelta(days=n), place.timezone) for n in range(bill.days + 1)]
    channels = queries.channels_of_account(conn, bill.account_id, from_at=edges[0], to_at=edges[-1])
    if not channels:
        return None
    reads = []
    for channel in channels:
        answer = registers.usage_between(conn, [(channel.channel_id, channel.from_at, channel.to_at, channel.dial_digits)])[0]
        for at, raw, quality in zip((answer.from_at, answer.to_at), (answer.from_raw, answer.to_raw), answer.qualities[:2], strict=False):
            if at is not None and raw is not None:
                state = "estimated" if quality in _GUESSED else "actual"
                reads.append(RegisterRead(read_at=at, value=raw * channel.units_per_step, quality=state))
    sums = usage_facts.sums_between(conn, channels, edges)
    days = _days_in(bill, channels[-1].unit, edges, sums)
    return Readings(
        starts_on=bill.billing_period_start, unit=bill.usage_unit, quantity=bill.usage_quantity, days=days, reads=tuple(reads),
        source=usage_facts.source_of(channels),
    )  # fmt: skip


def _days_in(bill: billing.Bill, unit: str, edges: list[datetime], sums: list[usage_facts.Sum]) -> tuple[DayTotal, ...]:
    """The days in the bill's unit, where every day was read and they add to what was billed; else none."""
    meter, billed = UNITS[usage_facts.shown_unit(unit)], UNITS.get(bill.usage_unit)
    if billed is None or meter.quantity != billed.quantity:
        return ()
    known = [(found.quantity * meter.factor / billed.factor, found.is_estimated) for found in sums if found.quantity is not None]
    if len(known) < len(sums) or abs(sum((quantity for quantity, _ in known), Decimal(0)) - bill.usage_quantity) > Decimal("0.001"):
        return ()
    return tuple(
        DayTotal(day=edge.date(), quantity=quantity, quality="estimated" if is_estimated else "actual")
        for edge, (quantity, is_estimated) in zip(edges, known, strict=False)
    )
