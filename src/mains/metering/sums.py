"""What channels measured hour by hour, day by day or month by month: exact sums of intervals over local time, and how many of them were estimated or are missing.

A sum's bounds are those of the clock at the place: a day has 23, 24 or 25 hours. Power, which does not add up, has its mean instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.periods import local_midnight
from mains.base.problems import Problem
from mains.metering.load import load
from mains.metering.model import MISSING, Quality
from mains.metering.queries import Channel

Width = Literal["hour", "day", "month"]
MOST = 3_000
"""So many stretches one question may ask for."""
_IS_GUESSED = np.zeros(256, dtype=bool)
_IS_GUESSED[[Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE]] = True


class NothingToSum(Problem):
    """The channel has no intervals, or the stretch holds too many sums."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class SumOfReadings:
    """What was measured in [from_at, to_at), in the channel's unit, exact; None where nothing was. `peak` is the largest interval; counts are of intervals."""

    from_at: datetime
    to_at: datetime
    quantity: Decimal | None
    peak: Decimal | None
    readings: int
    estimated: int
    missing: int


def edges_between(from_at: datetime, to_at: datetime, *, width: Width, zone: ZoneInfo) -> list[datetime]:
    """The instants at which local hours, days or months begin in [from_at, to_at), with both ends: the first and the last stretch may be a part of one.

    Raises:
        NothingToSum: there are more than `MOST`, or none.
    """
    if from_at >= to_at:
        raise NothingToSum(f"[{from_at.isoformat()}, {to_at.isoformat()}) is empty", cure="let the end come after the beginning")
    if (to_at - from_at) / {"hour": timedelta(hours=1), "day": timedelta(days=1), "month": timedelta(days=28)}[width] > MOST:
        raise NothingToSum(f"more than {MOST} {width}s lie between {from_at.isoformat()} and {to_at.isoformat()}", cure="ask for less, or for wider sums")
    inside = [at for at in _begins(from_at, to_at, width=width, zone=zone) if from_at < at < to_at]
    return [from_at.astimezone(UTC), *inside, to_at.astimezone(UTC)]


def _begins(from_at: datetime, to_at: datetime, *, width: Width, zone: ZoneInfo) -> list[datetime]:
    if width == "hour":
        at = from_at.astimezone(UTC)
        offset = int((from_at.astimezone(zone).utcoffset() or timedelta(0)).total_seconds()) % 3600
        first = at + timedelta(seconds=3600 - (int(at.timestamp()) + offset) % 3600)
        return [first + timedelta(hours=n) for n in range(int((to_at - first) / timedelta(hours=1)) + 1)] if first < to_at else []
    day, last = from_at.astimezone(zone).date(), to_at.astimezone(zone).date()
    days = [day + timedelta(days=n) for n in range((last - day).days + 1)] if width == "day" else _firsts(day, last)
    return [local_midnight(each, zone).astimezone(UTC) for each in days]


def _firsts(day: date, last: date) -> list[date]:
    count = (last.year - day.year) * 12 + last.month - day.month + 1
    return [date(day.year + (day.month - 1 + n) // 12, (day.month - 1 + n) % 12 + 1, 1) for n in range(count)]


def sums(conn: Connection, channel: Channel, edges: Sequence[datetime]) -> list[SumOfReadings]:
    """What one channel measured between each edge and the next; an interval counts where it starts.

    Raises:
        NothingToSum: the channel is a register that is read now and then.
    """
    found = added_up(conn, channel, np.array([int(edge.timestamp()) for edge in edges], dtype=np.int64))
    is_mean, step = channel.quantity.endswith("power"), channel.step
    columns = (each.tolist() for each in (found.totals, found.peaks, found.readings, found.estimated, found.missing))
    out = []
    for from_at, to_at, total, peak, readings, estimated, missing in zip(edges[:-1], edges[1:], *columns, strict=True):
        quantity = Decimal(total) * step if readings else None
        out.append(
            SumOfReadings(
                from_at=from_at, to_at=to_at, quantity=quantity / readings if quantity is not None and is_mean else quantity,
                peak=Decimal(peak) * step if readings else None, readings=readings, estimated=estimated, missing=missing,
            )
        )  # fmt: skip
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AddedUp:
    """Sums of stretches of time as arrays [stretches]: `totals` int64 raw, `peaks` int32 raw (`MISSING` where nothing was measured), and counts of intervals."""

    totals: NDArray[np.int64]
    peaks: NDArray[np.int32]
    readings: NDArray[np.int64]
    estimated: NDArray[np.int64]
    missing: NDArray[np.int64]


def added_up(conn: Connection, channel: Channel, edges: NDArray[np.int64]) -> AddedUp:
    """What one channel measured between each edge and the next, edges in epoch seconds, rising; an interval counts where it starts.

    Raises:
        NothingToSum: the channel is a register that is read now and then.
    """
    if channel.interval_s is None:
        raise NothingToSum(f"channel {channel.channel_id} is a register without intervals", cure="ask for its reads: mains channels show")
    step = channel.interval_s
    shift = channel.utc_offset_min * 60
    begin, end = (-(-(int(edge) + shift) // step) * step - shift for edge in (edges[0], edges[-1]))
    found = load(conn, [channel.channel_id], datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(max(begin, end), UTC), interval_s=step)
    values, quality = found.values[0], found.quality[0]
    places = np.clip(-((begin - edges) // step), 0, len(values))
    there = values != MISSING
    all_there = bool(there.all())
    readings = np.diff(places) if all_there else _between(there, places)
    guessed = there & _IS_GUESSED[quality]
    with_end = np.append(values, np.int32(MISSING))  # so that a stretch may begin where the intervals end; what is missing is less than every value
    return AddedUp(
        totals=_between(values if all_there else np.where(there, values, 0), places), peaks=np.where(readings > 0, np.maximum.reduceat(with_end, places[:-1]), np.int32(MISSING)),
        readings=readings, estimated=_between(guessed, places) if guessed.any() else np.zeros(len(readings), dtype=np.int64), missing=np.diff(places) - readings,
    )  # fmt: skip


def _between(values: NDArray[np.int32] | NDArray[np.bool_], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of `values` from each place to the next."""
    running = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=running[1:])
    return np.diff(running[places])
