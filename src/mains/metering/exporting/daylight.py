"""The rules of daylight saving as Green Button writes them: standard offset, what is added in summer, and when, as two numbers of 32 bits.

A rule holds, from its highest bit: month (4 bits), operator (3), day of the month (5), day of the week with Monday 1 (3), hour (5), second of the hour (12). Operators
2 to 6 mean the first to the fifth such weekday of the month, 7 the last. Source: ESPI `DstRuleType`, after IEEE 2030.5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from mains.metering.load import as_instant

_NO_RULE = 0xFFFFFFFF
_LAST = 7
_YEARS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTime:
    """Standard offset (s east), what summer adds (s), and the rules by which it begins and ends (hexadecimal)."""

    tz_offset_s: int
    dst_offset_s: int
    start_rule: str
    end_rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A change of the clock: what it showed just before, and the offsets before and after (s)."""

    wall: datetime
    before: int
    after: int


def local_time(zone: tzinfo, year: int) -> LocalTime:
    """The local time of a zone in a year; rules of all ones where the clock does not turn twice a year by one pattern.

    >>> from zoneinfo import ZoneInfo
    >>> found = local_time(ZoneInfo("America/New_York"), 2026)
    >>> found.tz_offset_s, found.dst_offset_s, found.start_rule, found.end_rule
    (-18000, 3600, '360E2000', 'B40E2000')
    """
    turns = {each: list(_turns(zone, each)) for each in range(year, year + _YEARS)}
    low = min(_offset(zone, datetime(year, month, 1, tzinfo=UTC)) for month in (1, 7))
    ups = [turn for each in turns.values() for turn in each if turn.after > turn.before]
    downs = [turn for each in turns.values() for turn in each if turn.after < turn.before]
    start, end = _rule(ups), _rule(downs)
    if any(len(each) != 2 for each in turns.values()) or start is None or end is None:
        return LocalTime(tz_offset_s=low, dst_offset_s=0, start_rule=f"{_NO_RULE:08X}", end_rule=f"{_NO_RULE:08X}")
    return LocalTime(tz_offset_s=low, dst_offset_s=ups[0].after - ups[0].before, start_rule=start, end_rule=end)


def local_offsets(starts: NDArray[np.int64], zone: tzinfo) -> NDArray[np.int64]:
    """The offset (s east) of a zone at each of some instants (epoch s); clocks turn on a half hour."""
    bins, where = np.unique(starts // 1800, return_inverse=True)
    return np.array([_offset(zone, as_instant(each * 1800)) for each in bins.tolist()], dtype=np.int64)[where]


def _turns(zone: tzinfo, year: int) -> Iterator[_Turn]:
    """The changes of a zone's clock in a year."""
    at, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    while at < end:
        later = at + timedelta(days=1)
        before, after = _offset(zone, at), _offset(zone, later)
        if before != after:
            low, high = at, later
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
            yield _Turn(wall=high.replace(tzinfo=None) + timedelta(seconds=before), before=before, after=after)
        at = later


def _rule(turns: list[_Turn]) -> str | None:
    """The one rule that gives all of some years' turns in one direction; None where there is none."""
    found = {(turn.wall.month, turn.wall.isoweekday(), turn.wall.hour, turn.wall.minute * 60 + turn.wall.second) for turn in turns}
    if len(found) != 1:
        return None
    ((month, weekday, hour, second),) = found
    numbers = {(turn.wall.day - 1) // 7 for turn in turns}
    if len(numbers) == 1 and numbers != {4}:
        operator = 2 + numbers.pop()
    elif all((turn.wall + timedelta(days=7)).month != month for turn in turns):
        operator = _LAST
    else:
        return None
    return f"{month << 28 | operator << 25 | weekday << 17 | hour << 12 | second:08X}"


def _offset(zone: tzinfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None  # a zone always has one
    return int(offset.total_seconds())
