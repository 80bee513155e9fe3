"""Stretches of channels that somebody decides about, loaded in windows with the weeks around them; few at a time, so that memory stays small."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.sql import Statements
from mains.metering.load import as_instant
from mains.metering.queries import channels_by_id, zone_of_utility
from mains.metering.vee.known import known_channels
from mains.metering.vee.model import DAY
from mains.metering.vee.queries import VeeException
from mains.metering.vee.touched import Piece
from mains.metering.vee.windows import Loaded, load_window

_sql = Statements("mains.metering.vee", "operations.sql")

AT_A_TIME = 200
"""Stretches loaded together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """Some exceptions in one window: places [first, last) of a row each, in the order of `exceptions`."""

    exceptions: list[VeeException]
    loaded: Loaded
    row: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def mask(self, which: Sequence[int] | None = None) -> NDArray[np.bool_]:
        """bool [channels, days, slots]: the readings of the stretches, or of some of them."""
        window = self.loaded.window
        found = np.zeros((window.channels, window.days * window.slots), dtype=bool)
        for i in range(len(self.row)) if which is None else which:
            found[self.row[i], self.first[i] : self.last[i]] = True
        return found.reshape(window.values.shape)


def groups(conn: Connection, exceptions: Sequence[VeeException]) -> Iterator[list[VeeException]]:
    """Exceptions of interval channels of one interval length and offset, near each other in time."""
    offsets = {each.channel_id: each.utc_offset_min for each in channels_by_id(conn, sorted({each.channel_id for each in exceptions}))}
    kinds: dict[tuple[int, int], list[VeeException]] = {}
    for each in exceptions:
        if each.interval_s is not None:
            kinds.setdefault((each.interval_s, offsets[each.channel_id]), []).append(each)
    for alike in kinds.values():
        ordered = sorted(alike, key=lambda each: (each.from_at, each.channel_id))
        for at in range(0, len(ordered), AT_A_TIME):
            yield ordered[at : at + AT_A_TIME]


def load_spans(conn: Connection, exceptions: list[VeeException], *, around_days: int, now: int) -> Spans:
    """The window of some exceptions of one interval length and offset (`groups`), with days before and after."""
    ids = np.unique(np.array([each.channel_id for each in exceptions], dtype=np.int64))
    channel = channels_by_id(conn, [int(ids[0])])[0]
    assert channel.interval_s is not None  # groups leave registers out
    shift = channel.utc_offset_min * 60
    days = [[(int(at.timestamp()) + shift) // DAY for at in (each.from_at, each.to_at)] for each in exceptions]
    first, last = min(begin for begin, _ in days), max(end for _, end in days)
    piece = Piece(
        interval_s=channel.interval_s, utc_offset_min=channel.utc_offset_min, channel_ids=ids, first_day=first * DAY - shift,
        is_due=np.ones((len(ids), last - first + 1), dtype=bool), siblings_here=np.ones(len(ids), dtype=np.int16), rules=0,
    )  # fmt: skip
    reach = as_instant(piece.first_day - around_days * DAY), as_instant(piece.first_day + (last - first + 1 + around_days) * DAY)
    known = known_channels(conn, ids, from_at=reach[0], to_at=reach[1])
    loaded = load_window(
        conn, piece, known, zone=ZoneInfo(zone_of_utility(conn)), now=now, context_days=around_days, tail_days=around_days, with_heads=False
    )
    window = loaded.window
    places = [[(int(at.timestamp()) - window.first_day) // window.interval_s for at in (each.from_at, each.to_at)] for each in exceptions]
    table = np.array(places, dtype=np.int64)
    return Spans(
        exceptions=exceptions, loaded=loaded, row=np.searchsorted(ids, np.array([each.channel_id for each in exceptions])), first=np.maximum(table[:, 0], 0), last=table[:, 1]
    )
