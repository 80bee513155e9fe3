"""The days that are metered, and what each quarter of an hour is in local life: clock time, kind of day, month.

Blocks are standard-time days (one fixed offset the year round), so the local month of October 2025, which begins in summer time, begins
in the block of 30 September. The blocks 2025-09-30 … 2026-10-31 hold the 13 local months from October 2025 to October 2026 whole.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

REFERENCE_DATE = date(2026, 11, 1)
"""Local day after the last metered one; 'today' in the demo."""
FIRST_LOCAL_DATE = date(2025, 10, 1)
FIRST_BLOCK_DATE = date(2025, 9, 30)
LAST_BLOCK_DATE = date(2026, 10, 31)
DAYS = (LAST_BLOCK_DATE - FIRST_BLOCK_DATE).days + 1
SLOTS_A_DAY = 96
SLOTS = DAYS * SLOTS_A_DAY
WEEKDAY, SATURDAY, SUNDAY = 0, 1, 2
"""Kinds of day; a holiday counts as a Sunday."""

HOLIDAYS = (
    date(2025, 10, 13),
    date(2025, 11, 11),
    date(2025, 11, 27),
    date(2025, 12, 25),
    date(2026, 1, 1),
    date(2026, 5, 25),
    date(2026, 7, 3),
    date(2026, 9, 7),
    date(2026, 10, 12),
)
"""Holidays that change behaviour in the span (4 July 2026 is a Saturday, kept on Friday the 3rd)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Span:
    """The metered quarters of an hour of one zone, in order; each array has `SLOTS` entries.

    `starts` epoch seconds of the slot's start; `local_slot` 0…95 of the local clock; `day_kind` weekday, Saturday, Sunday; `local_day`
    days since 2025-09-30 of the local date; `year_day` local day of the year from 1; `sun_hour` hours of the standard clock.
    """

    timezone: str
    first_day_start: int
    starts: NDArray[np.int64]
    local_slot: NDArray[np.int16]
    day_kind: NDArray[np.int8]
    local_day: NDArray[np.int16]
    year_day: NDArray[np.int16]
    sun_hour: NDArray[np.float64]

    def slot_of(self, at: datetime) -> int:
        """The number of the slot in which an aware instant falls; outside 0…SLOTS-1 when it falls outside the span."""
        return (int(at.timestamp()) - self.first_day_start) // 900

    def slot_of_local(self, clock: str) -> int:
        """The slot of a local time written as 2026-06-18T16:45."""
        return self.slot_of(datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(self.timezone)))

    def midnight(self, day: date) -> int:
        """Epoch seconds of local midnight at the start of a date."""
        return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.timezone)).timestamp())

    def slot_of_midnight(self, day: date) -> int:
        """The slot that starts at local midnight of a date."""
        return (self.midnight(day) - self.first_day_start) // 900


@cache
def span(timezone: str, utc_offset_minutes: int) -> Span:
    """The metered span in a zone whose standard time is `utc_offset_minutes` east of Greenwich (−360 for Chicago)."""
    zone = ZoneInfo(timezone)
    midnight = datetime(FIRST_BLOCK_DATE.year, FIRST_BLOCK_DATE.month, FIRST_BLOCK_DATE.day, tzinfo=UTC)
    first = int(midnight.timestamp()) - utc_offset_minutes * 60
    starts = first + 900 * np.arange(SLOTS, dtype=np.int64)
    offsets = [int(o.total_seconds()) for s in starts[::4] if (o := datetime.fromtimestamp(int(s), zone).utcoffset()) is not None]
    local = starts + np.repeat(np.array(offsets, np.int64), 4)
    day_number = local // 86400
    dates = [FIRST_BLOCK_DATE + timedelta(days=d) for d in range(DAYS + 1)]
    kinds = np.array([SUNDAY if d in HOLIDAYS or d.weekday() == 6 else SATURDAY if d.weekday() == 5 else WEEKDAY for d in dates], np.int8)
    local_day = (day_number - int(midnight.timestamp()) // 86400).astype(np.int16)
    return Span(
        timezone=timezone,
        first_day_start=first,
        starts=starts,
        local_slot=(local % 86400 // 900).astype(np.int16),
        day_kind=kinds[local_day],
        local_day=local_day,
        year_day=np.array([d.timetuple().tm_yday for d in dates], np.int16)[local_day],
        sun_hour=(np.arange(SLOTS) % SLOTS_A_DAY) / 4.0,
    )


def local_months() -> list[tuple[date, date]]:
    """The 13 local calendar months of the span, half-open.

    >>> months = local_months()
    >>> len(months), months[0][0].isoformat(), months[-1][1].isoformat()
    (13, '2025-10-01', '2026-11-01')
    """
    firsts = [date(2025 + (9 + i) // 12, (9 + i) % 12 + 1, 1) for i in range(14)]
    return list(pairwise(firsts))
