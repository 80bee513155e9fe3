"""What deliveries touched, cut into pieces of work: days of channels of one interval length, near each other in time and few enough to be judged in one go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.sql import Statements
from mains.metering.vee.model import DAY

_sql = Statements("mains.metering.vee", "queries.sql")
_PAIR = np.dtype([("channel_id", ">i8"), ("block_start", ">i8")])
_EPOCH_2000 = 946_684_800

CELLS = 4_000_000
"""Most intervals of a piece, context included: some 20 MB of values and qualities."""
TILE = 128
"""Days that are judged together at most."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Touched:
    """Days of channels of one interval length and offset: `channel` int64 and `day` int64, counted from 1970-01-01 in standard time, one element a day of a channel."""

    interval_s: int
    utc_offset_min: int
    channel: NDArray[np.int64]
    day: NDArray[np.int64]

    def start_of(self, day: int) -> int:
        """Standard midnight of a day, epoch seconds."""
        return day * DAY - self.utc_offset_min * 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """Channels to be judged over `is_due.shape[1]` days from `first_day` (epoch s of its standard midnight) on.

    `siblings_here` is as in `known.facts_of`; `rules` is the number of the rule set that holds for these days.
    """

    interval_s: int
    utc_offset_min: int
    channel_ids: NDArray[np.int64]
    first_day: int
    is_due: NDArray[np.bool_]
    siblings_here: NDArray[np.int16]
    rules: int

    @property
    def readings(self) -> int:
        """Intervals of the days that are due."""
        return int(self.is_due.sum()) * (DAY // self.interval_s)


def touched_days(conn: Connection, batches: Sequence[int]) -> list[Touched]:
    """The days of channels whose blocks are of some deliveries, by interval length and offset."""
    found = []
    with conn.cursor(binary=True) as cursor:
        for interval_s, offset, packed in cursor.execute(_sql.touched_days, {"batches": list(batches)}):
            pairs = np.frombuffer(packed, dtype=_PAIR)
            start = pairs["block_start"].astype(np.int64) // 1_000_000 + _EPOCH_2000
            found.append(Touched(interval_s=interval_s, utc_offset_min=offset, channel=pairs["channel_id"].astype(np.int64), day=(start + offset * 60) // DAY))
    return found


def pieces(
    touched: Touched, *, meters: NDArray[np.int64], changes: Sequence[int] = (), context_days: int = 0, cells: int = CELLS
) -> Iterator[Piece]:
    """Cut touched days into pieces; `meters` names the meter of each, `changes` are days (counted like `touched.day`) on which other rules begin to hold.

    The days of a piece lie in one tile of time and between two changes of rules. Pieces are in order of time.
    """
    slots = DAY // touched.interval_s
    rules = np.searchsorted(np.asarray(sorted(changes), dtype=np.int64), touched.day, side="right")
    tile = (touched.day // TILE) * (len(changes) + 1) + rules
    for each in np.unique(tile).tolist():
        mine = np.flatnonzero(tile == each)
        channel, day = touched.channel[mine], touched.day[mine]
        ids, row = np.unique(channel, return_inverse=True)
        low, high = np.full(len(ids), np.iinfo(np.int64).max), np.full(len(ids), np.iinfo(np.int64).min)
        np.minimum.at(low, row, day)
        np.maximum.at(high, row, day)
        of_meter = np.zeros(len(ids), dtype=np.int64)
        of_meter[row] = meters[mine]
        _, family, members = np.unique(of_meter, return_inverse=True, return_counts=True)
        order = np.lexsort((ids, high, low))
        place = np.empty(len(ids), dtype=np.int64)
        place[order] = np.arange(len(ids))
        size = max(1, cells // ((int(day.max() - day.min()) + 1 + context_days) * slots))
        of_row = place[row]
        by_piece = np.argsort(of_row // size, kind="stable")
        edges = np.searchsorted((of_row // size)[by_piece], np.arange(-(-len(ids) // size) + 1))
        for number in range(len(edges) - 1):
            rows = order[number * size : (number + 1) * size]
            chosen = by_piece[edges[number] : edges[number + 1]]
            first, last = int(low[rows].min()), int(high[rows].max())
            is_due = np.zeros((len(rows), last - first + 1), dtype=bool)
            is_due[of_row[chosen] - number * size, day[chosen] - first] = True
            by_key = np.argsort(ids[rows])
            yield Piece(
                interval_s=touched.interval_s, utc_offset_min=touched.utc_offset_min, channel_ids=ids[rows][by_key], first_day=touched.start_of(first), is_due=is_due[by_key],
                siblings_here=members[family[rows]][by_key].astype(np.int16), rules=int(rules[mine[0]]),
            )  # fmt: skip
