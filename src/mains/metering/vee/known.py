"""What the database knows of channels that are judged: what they measure and how, when their meters hung, and when their service was off for a reason that is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.sql import Statements
from mains.base.units import UNITS
from mains.metering.vee.model import DAY, Facts

_sql = Statements("mains.metering.vee", "queries.sql")

CLASSES = ("residential", "commercial", "industrial", "public_authority")
"""Meter classes: those of the customers who are served."""
RECORD = np.dtype([
    ("channel_id", ">i8"), ("commodity", ">i2"), ("flow", ">i2"), ("meter_class", ">i2"), ("dial_digits", ">i2"), ("step", ">f8"), ("interval_s", ">i4"), ("members", ">i2"),
    ("is_reactive", ">i2"), ("from_at", ">i8"), ("to_at", ">i8"), ("watts", ">f8"), ("node", ">i8"), ("dial", ">i8"), ("dial_step", ">f8"), ("meter", ">i8"),
])  # fmt: skip
"""A channel as `known_channels` sends it: `step` in Wh or litres; `watts` what its connection can carry, nan unknown; `dial` the register of the same quantity, -1 none."""
_FAR = 9_000_000_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """Stretches of time [from_s, to_s), epoch seconds, in which places had no service: `keys` are nodes or channels."""

    keys: NDArray[np.int64]
    from_s: NDArray[np.int64]
    to_s: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int]]) -> "Off":
        """Rows of key, from, to."""
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return cls(keys=table[:, 0], from_s=table[:, 1], to_s=table[:, 2])

    def touching(self, keys: NDArray[np.int64], first: int, last: int) -> "Off":
        """Those of some keys that touch a stretch."""
        chosen = (self.to_s > first) & (self.from_s < last) & np.isin(self.keys, keys)
        return Off(keys=self.keys[chosen], from_s=self.from_s[chosen], to_s=self.to_s[chosen])

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Channels in order of their keys, and when nodes or channels were without service or switched off."""

    channels: NDArray[np.void]
    nodes_off: Off
    channels_off: Off
    switched_off: Off

    def of(self, ids: NDArray[np.int64], first: int, last: int) -> "Known":
        """What is known of some channels, in the order asked, and in a stretch of time."""
        at = np.searchsorted(self.channels["channel_id"], ids)
        found = self.channels[at]
        nodes = self.nodes_off.touching(found["node"].astype(np.int64), first, last)
        return Known(channels=found, nodes_off=nodes, channels_off=self.channels_off.touching(ids, first, last), switched_off=self.switched_off.touching(ids, first, last))


def known_channels(conn: Connection, ids: NDArray[np.int64], *, from_at: datetime, to_at: datetime) -> Known:
    """What is known of channels for a stretch of time; of very many, the whole utility is asked at once."""
    factors = {name: unit.factor * (1000 if unit.quantity == "volume" else 1) for name, unit in UNITS.items()}
    asked = {
        "channels": ids.tolist() if len(ids) <= 50_000 else None, "classes": list(CLASSES), "units": list(factors), "factors": [Decimal(each) for each in factors.values()],
        "from_at": from_at, "to_at": to_at,
    }  # fmt: skip
    with conn.cursor(binary=True) as cursor:
        row = cursor.execute(_sql.known_channels, asked).fetchone()
    assert row is not None  # an aggregate always answers
    off = [Off.of(conn.execute(statement, asked).fetchall()) for statement in (_sql.nodes_without_service, _sql.points_without_service, _sql.disconnections)]
    return Known(channels=np.frombuffer(row[0], dtype=RECORD), nodes_off=off[0], channels_off=off[1], switched_off=off[2])


def facts_of(known: Known, *, siblings_here: NDArray[np.int16]) -> Facts:
    """The facts of channels, in their order; `siblings_here` says how many channels of the meter of each were delivered."""
    rows = known.channels
    step = rows["step"].astype(np.float64)
    interval_s = rows["interval_s"].astype(np.int64)
    partner = _partners(rows, rows["meter"].astype(np.int64))
    with np.errstate(invalid="ignore"):
        limit = rows["watts"].astype(np.float64) * interval_s / 3600 / step
    is_electric = rows["commodity"] == 0
    return Facts.usual(
        len(rows), commodity=rows["commodity"], flow=rows["flow"], meter_class=rows["meter_class"], step=step, interval_s=interval_s,
        installed_from=np.where(rows["from_at"] <= -_FAR, np.iinfo(np.int64).min, rows["from_at"]),
        installed_to=np.where(rows["to_at"] >= _FAR, np.iinfo(np.int64).max, rows["to_at"]),
        limit=np.where(is_electric, limit, np.nan), siblings=rows["members"], siblings_here=siblings_here, reactive_row=partner, dial_digits=rows["dial_digits"],
    )  # fmt: skip


def _partners(rows: NDArray[np.void], meters: NDArray[np.int64]) -> NDArray[np.int32]:
    """For each energy channel the row of the kVArh channel of its meter that goes the same way, -1 none."""
    found = np.full(len(rows), -1, dtype=np.int32)
    reactive = {(int(meters[i]), int(rows["flow"][i])): i for i in np.flatnonzero(rows["is_reactive"])}
    if reactive:
        for i in np.flatnonzero(np.isin(meters, [meter for meter, _ in reactive]) & (rows["is_reactive"] == 0)):
            found[i] = reactive.get((int(meters[i]), int(rows["flow"][i])), -1)
    return found


def excused(known: Known, *, ids: NDArray[np.int64], first: int, days: int, slots: int) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
    """bool [channels, days, slots] of intervals that touch a recorded outage, and of those wholly inside a disconnection; None where there are none."""
    shape = (len(ids), days * slots)
    step = DAY // slots
    outage = np.zeros(shape, dtype=bool) if len(known.nodes_off) or len(known.channels_off) else None
    if outage is not None:
        nodes = known.channels["node"].astype(np.int64)
        for off, keys in ((known.nodes_off, nodes), (known.channels_off, ids)):
            for key, from_s, to_s in zip(off.keys.tolist(), off.from_s.tolist(), off.to_s.tolist(), strict=True):
                begin, end = max(from_s - first, 0) // step, -(-(min(to_s, first + days * DAY) - first) // step)
                outage[keys == key, begin:end] = True
    switched = np.zeros(shape, dtype=bool) if len(known.switched_off) else None
    if switched is not None:
        off = known.switched_off
        for key, from_s, to_s in zip(off.keys.tolist(), off.from_s.tolist(), off.to_s.tolist(), strict=True):
            begin, end = -(-max(from_s - first, 0) // step), (min(to_s, first + days * DAY) - first) // step
            switched[ids == key, begin:end] = True
    lay = (len(ids), days, slots)
    return None if outage is None else outage.reshape(lay), None if switched is None else switched.reshape(lay)

