"""What the use of a stretch cost, from the bills that cover it: each line is shared out over its bill's time, so that the shares of a bill add up to its total, to the cent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.periods import local_midnight
from mains.base.problems import Problem
from mains.billing import explaining
from mains.billing.queries import BillLine
from mains.web import queries, usage_queries
from mains.web.usage_facts import measuring, sums_between

_NOTE = "From the bills: a line by quantity is shared out by what was used, one by days evenly, a percentage as what it is a percentage of"
_FINE = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What each point cost, None where no bill covers all of it; `note` says how that is known, None where nothing is."""

    amounts: list[Decimal | None]
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shared:
    """A bill shared out: `cents[i]` (smallest unit of the currency) is what it has cost from its start to `instants[i]`, epoch seconds, rising."""

    instants: NDArray[np.int64]
    cents: NDArray[np.int64]
    minor_digits: int


def costs_between(conn: Connection, account_id: UUID, edges: Sequence[datetime]) -> Costs:
    """What each stretch from an edge to the next cost by the bills that stand."""
    marks = np.array([int(edge.timestamp()) for edge in edges], dtype=np.int64)
    covered = np.zeros(len(marks) - 1, dtype=np.int64)
    amounts = [Decimal(0)] * (len(marks) - 1)
    for bill in usage_queries.standing_bills(conn, account_id, from_at=edges[0], to_at=edges[-1]):
        try:
            shared = _shared(conn, account_id, bill)
        except Problem:  # readings it was made from cannot be told any more: `mains bills verify` says why
            continue
        inside = np.clip(marks, shared.instants[0], shared.instants[-1])
        at = np.searchsorted(shared.instants, inside, side="right") - 1
        for n, (first, last) in enumerate(pairwise(at.tolist())):
            covered[n] += inside[n + 1] - inside[n]
            amounts[n] += Decimal(int(shared.cents[last] - shared.cents[first])).scaleb(-shared.minor_digits)
    whole = covered == np.diff(marks)
    return Costs(amounts=[amount if is_whole else None for amount, is_whole in zip(amounts, whole, strict=True)], note=_NOTE if whole.any() else None)


def _shared(conn: Connection, account_id: UUID, bill: usage_queries.StandingBill) -> Shared:
    """One bill over its own time: by interval where intervals were billed, else by day."""
    explained = explaining.explain_bill(conn, bill.bill_id)
    lines = [each.line for each in explained.lines]
    if explained.readings is not None:
        read = explained.readings
        starts = int(read.starts_at.timestamp()) + read.interval_s * np.arange(len(read.values) + 1, dtype=np.int64)
        used = np.maximum(read.values, 0)
        return _over(lines, starts, used, read.segment_of, read.period_of, read.periods)
    days = (bill.billing_period_end - bill.billing_period_start).days
    edges = [local_midnight(bill.billing_period_start + timedelta(days=n), bill.timezone) for n in range(days + 1)]
    channels = measuring(queries.channels_of_account(conn, account_id, from_at=edges[0], to_at=edges[-1]))
    sums = sums_between(conn, channels, edges, unit=bill.usage_unit)
    used = np.array([0 if each.quantity is None else int(each.quantity * 1000) for each in sums], dtype=np.int64)
    segments = np.array([_segment(explained.segments, bill, n) for n in range(days)], dtype=np.int16)
    starts = np.array([int(edge.timestamp()) for edge in edges], dtype=np.int64)
    return _over(lines, starts, used, segments, np.zeros(days, dtype=np.int16), ("",))


def _segment(segments: Sequence[explaining.ExplainedSegment], bill: usage_queries.StandingBill, day: int) -> int:
    on = bill.billing_period_start + timedelta(days=day)
    return next((each.segment_no for each in segments if str(each.from_date) <= str(on) < str(each.to_date)), segments[-1].segment_no)


def _over(
    lines: Sequence[BillLine], starts: NDArray[np.int64], used: NDArray[np.int64], segment_of: NDArray[np.int16], period_of: NDArray[np.int16], periods: Sequence[str]
) -> Shared:
    """Lines over the cells between `starts`: [cells] `used`, number of the segment and of the time-of-use period."""
    seconds = np.diff(starts)
    digits = max((-int(line.amount.as_tuple().exponent) for line in lines), default=2)
    running = np.zeros(len(starts), dtype=np.int64)
    plain = [line for line in lines if line.charge_kind not in ("percent", "tax")]
    fine = np.zeros(len(seconds), dtype=np.int64)
    for line in plain:
        inside = segment_of == line.segment_no
        weight = _weight(line, used, seconds, inside, period_of, periods)
        fine += np.diff(_shares(int(line.amount.scaleb(digits)) * _FINE, weight))
        running += _shares(int(line.amount.scaleb(digits)), weight)
    for line in lines:
        if line.charge_kind in ("percent", "tax"):
            weight = np.maximum(np.where(segment_of == line.segment_no, fine, 0), 0)
            running += _shares(int(line.amount.scaleb(digits)), weight if weight.any() else seconds)
    return Shared(instants=starts, cents=running, minor_digits=digits)


def _weight(
    line: BillLine, used: NDArray[np.int64], seconds: NDArray[np.int64], inside: NDArray[np.bool_], period_of: NDArray[np.int16], periods: Sequence[str]
) -> NDArray[np.int64]:
    """By what a line is shared out: what was used in its segment and period, or time where it is not by quantity or nothing was used."""
    if line.charge_kind == "energy":
        mine = inside & (period_of == periods.index(line.tou_period)) if line.tou_period in periods else inside
        by_use = np.where(mine, used, 0)
        if by_use.any():
            return by_use
    return np.where(inside, seconds, 0) if inside.any() else seconds


def _shares(amount: int, weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much of a whole amount has been spent before each cell and after the last: rounded half-up, so the shares of all cells add up to it."""
    running = np.concatenate(([0], np.cumsum(weight)))
    whole = int(running[-1])
    return np.array([(2 * amount * int(part) + whole) // (2 * whole) for part in running.tolist()], dtype=np.int64)
