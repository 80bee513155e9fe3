"""Which sum a channel's readings belong to: by what it measures, and by the zone of the service point where its meter hung when the interval started."""

from dataclasses import dataclass, field
from decimal import Context, Decimal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.sql import Statements
from mains.base.units import UNITS
from mains.metering.arrays import EPOCH_2000, BigInts, of_columns

_sql = Statements("mains.metering.rollups", "places.sql")
_EXACT = Context(prec=100)
_FIRST, _LAST = -(2**63), 2**63 - 1

NOWHERE = UUID(int=0)
"""Stands for the zone of meters that hang nowhere, or at a service point without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Channels that are summed together: one raw step of each is `step` of `unit` (Wh or L)."""

    zone_id: UUID
    commodity: str
    flow: str
    unit: str
    step: Decimal


@dataclass(slots=True, kw_only=True, eq=False)
class Places:
    """Stretches of time of channels, sorted by channel: from `from_s` to `to_s` (epoch s) its readings belong to `groups[group]`; outside of them to `groups[elsewhere]`.

    A group of -1 has no sum. `version` is the state of the places that this was read from.
    """

    version: int = 1
    groups: list[Group] = field(default_factory=list)
    channel: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    from_s: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    to_s: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    group: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    elsewhere: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _asked: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _numbers: dict[Group, int] = field(default_factory=dict)

    def unknown(self, channels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which of some channels were not asked for yet, each once, sorted."""
        rises = len(channels) < 2 or bool((np.diff(channels) >= 0).all())
        distinct = channels[np.concatenate(([True], np.diff(channels) != 0))] if rises and len(channels) else np.unique(channels)
        if not len(self._asked):
            return distinct
        at = np.minimum(np.searchsorted(self._asked, distinct), len(self._asked) - 1)
        return distinct[self._asked[at] != distinct]

    def read(self, conn: Connection, channels: NDArray[np.int64], *, utility_id: UUID) -> None:
        """Learn where some channels belong, in a transaction that may read them."""
        if not len(self._asked):
            row = conn.execute(_sql.version, {"utility_id": utility_id}).fetchone()
            self.version = row[0] if row else 1
        found = [(self.channel, self.from_s, self.to_s, self.group, self.elsewhere)]
        rows = of_columns(conn.cursor(binary=True)).execute(_sql.places, {"channels": BigInts(channels)}).fetchall()
        for commodity, flow, unit, pow10, multiplier, zone_id, members, begins, ends in rows:
            group = self._number(commodity, flow, unit, pow10, multiplier, zone_id or NOWHERE)
            elsewhere = self._number(commodity, flow, unit, pow10, multiplier, NOWHERE)
            size = len(members)
            found.append((members, _epoch(begins), _epoch(ends), np.full(size, group, dtype=np.int64), np.full(size, elsewhere, dtype=np.int64)))
        columns = [np.concatenate([each[k] for each in found]) for k in range(5)]
        order = np.lexsort((columns[1], columns[0]))
        self.channel, self.from_s, self.to_s, self.group, self.elsewhere = (column[order] for column in columns)
        self._asked = np.union1d(self._asked, channels)

    def _number(self, commodity: str, flow: str, unit: str, pow10: int, multiplier: Decimal, zone_id: UUID) -> int:
        """Number of the group of these channels; -1 where what they measure has no sum."""
        known = UNITS[unit]
        if known.quantity not in ("energy", "heat", "volume"):
            return -1
        step = _EXACT.multiply(_EXACT.multiply(known.factor, multiplier), _EXACT.power(Decimal(10), pow10))
        if known.quantity == "volume":
            step = _EXACT.multiply(step, Decimal(1000))
        group = Group(zone_id=zone_id, commodity=commodity, flow=flow, unit="L" if known.quantity == "volume" else "Wh", step=step.normalize(_EXACT))
        if group not in self._numbers:
            self._numbers[group] = len(self.groups)
            self.groups.append(group)
        return self._numbers[group]


def _epoch(instants_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Epoch seconds of microseconds from 2000, rounded up: an interval starts on a whole second; no end stays far away."""
    found = -(-instants_us // 1_000_000) + EPOCH_2000
    found[instants_us == _FIRST] = _FIRST
    found[instants_us == _LAST] = _LAST
    return found
