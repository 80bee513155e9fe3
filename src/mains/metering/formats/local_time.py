"""Wall-clock times to instants: which are plain, which the clock shows twice, which it skips."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

PLAIN, AMBIGUOUS, SKIPPED = 0, 1, 2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_DAY = 86_400


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, or None where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def to_instants(wall: NDArray[np.int64], zone: ZoneInfo) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Epoch seconds of wall-clock seconds (from 1970-01-01 on the wall), and PLAIN, AMBIGUOUS or SKIPPED for each; same length.

    >>> from datetime import datetime
    >>> wall = np.array([int(datetime(2026, 3, 8, hour, 30, tzinfo=UTC).timestamp()) for hour in (1, 2, 3)])
    >>> to_instants(wall, ZoneInfo("America/Chicago"))[1].tolist()
    [0, 2, 0]
    """
    days, where = np.unique(wall // _DAY, return_inverse=True)
    offsets = np.zeros(len(days), dtype=np.int64)
    is_turning = np.zeros(len(days), dtype=bool)
    for index, day in enumerate(days.tolist()):
        seen = {_offset(edge, zone, fold) for edge in (day * _DAY, (day + 1) * _DAY) for fold in (0, 1)}
        offsets[index], is_turning[index] = min(seen), len(seen) > 1
    instants = wall - offsets[where]
    states = np.zeros(len(wall), dtype=np.uint8)
    turning = np.flatnonzero(is_turning[where])
    times, back = np.unique(wall[turning], return_inverse=True)
    pairs = np.array([(_offset(time, zone, 0), _offset(time, zone, 1)) for time in times.tolist()], dtype=np.int64).reshape(-1, 2)[back]
    instants[turning] = wall[turning] - pairs[:, 0]
    states[turning] = np.where(pairs[:, 0] > pairs[:, 1], AMBIGUOUS, np.where(pairs[:, 0] < pairs[:, 1], SKIPPED, PLAIN))
    return instants, states


def day_bounds(days: NDArray[np.int64], zone: ZoneInfo) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First instant and end (epoch s) of local days, given as day numbers from 1970; same length."""
    unique, where = np.unique(days, return_inverse=True)
    bounds = np.array([(_midnight(day, zone), _midnight(day + 1, zone)) for day in unique.tolist()], dtype=np.int64).reshape(-1, 2)
    return bounds[where, 0], bounds[where, 1]


def skipped_seconds(day: int, zone: ZoneInfo) -> list[int]:
    """The minutes of the wall clock, as seconds after midnight, that a local day has not."""
    walls = day * _DAY + np.arange(0, _DAY, 60, dtype=np.int64)
    return (walls[to_instants(walls, zone)[1] == SKIPPED] - day * _DAY).tolist()


def standard_offset_min(zone: ZoneInfo, at: int) -> int:
    """Minutes east of standard time in the year of an instant (epoch s): the lesser of January's and July's."""
    year = (_EPOCH + timedelta(seconds=at)).year
    return min(_offset(int((datetime(year, month, 1) - _EPOCH).total_seconds()), zone, 0) for month in (1, 7)) // 60  # noqa: DTZ001 - a wall time


def _midnight(day: int, zone: ZoneInfo) -> int:
    return day * _DAY - _offset(day * _DAY, zone, 0)


def _offset(wall: int, zone: ZoneInfo, fold: int) -> int:
    offset = (_EPOCH + timedelta(seconds=wall)).replace(tzinfo=zone, fold=fold).utcoffset()
    assert offset is not None  # a zone always has one
    return int(offset.total_seconds())
