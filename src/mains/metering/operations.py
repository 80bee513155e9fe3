"""Writes: deliveries, quarantine, channels, partitions. The caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg import Connection

from mains.base.problems import Issue, Problem
from mains.base.sql import Statements
from mains.base.units import UNITS

_sql = Statements("mains.metering", "operations.sql")


class UnknownUnit(Problem):
    """A channel was to be registered in a unit that mains does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChannel:
    """A channel to register: value in `unit` = raw x 10^`pow10` x `multiplier`; `interval_s` None for a register that is read now and then.

    Readings that start in [in_service_from, in_service_to) are its own; None where there is no such end.
    """

    meter_id: UUID
    register: str
    commodity: str
    unit: str
    utc_offset_min: int
    flow: str = "delivered"
    pow10: int = 0
    multiplier: Decimal = Decimal(1)
    interval_s: int | None = None
    in_service_from: datetime | None = None
    in_service_to: datetime | None = None
    opened_because: str | None = None

    @property
    def kwh_factor(self) -> Decimal | None:
        """kWh that one raw step is; None where the unit does not measure electric energy."""
        unit = UNITS[self.unit]
        if self.commodity != "electric" or unit.quantity != "energy":
            return None
        return unit.factor * self.multiplier * Decimal(10) ** self.pow10 / 1000


def ensure_partitions(conn: Connection, *, from_at: datetime, to_at: datetime) -> int:
    """Make the months of interval blocks that readings in [from_at, to_at] need; how many were missing.

    Do this in a transaction of its own, before the one that stores: a new month waits for everyone who works on the blocks.
    """
    row = conn.execute(_sql.ensure_partitions, {"from_at": from_at, "to_at": to_at}).fetchone()
    assert row is not None  # a function always answers
    return row[0]


def open_batch(conn: Connection, *, source: str, format: str, sha256: bytes, at: datetime, read_as: str = "") -> int:  # noqa: A002 - the column's name
    """Begin a delivery; its number. `sha256` is 32 bytes, `at` when it arrived, `read_as` what was said of how to read it."""
    row = conn.execute(_sql.open_batch, {"source": source, "format": format, "sha256": sha256, "at": at, "read_as": read_as}).fetchone()
    assert row is not None  # INSERT … RETURNING always answers
    return row[0]


def close_batch(
    conn: Connection, *, batch_id: int, found: int, accepted: int, quarantined: int = 0, new: int = 0, changed: int = 0, raw_sum: int = 0, sha256: bytes | None = None
) -> None:
    """Finish a delivery with its counts of readings; the database refuses counts that do not add up."""
    counts = {"found": found, "accepted": accepted, "quarantined": quarantined, "new": new, "changed": changed, "raw_sum": raw_sum}
    conn.execute(_sql.close_batch, {"batch_id": batch_id, "sha256": sha256, **counts})


def note_span(conn: Connection, *, batch_id: int, first: datetime, last: datetime) -> None:
    """Keep from when to when the days of a delivery's intervals go: [first, last)."""
    conn.execute(_sql.note_span, {"batch_id": batch_id, "first": first, "last": last})


LONGEST_MESSAGE = 2000
"""Letters of a message that are kept."""


def quarantine(conn: Connection, *, batch_id: int, issues: Sequence[Issue], file: str) -> None:
    """Keep what was refused of a delivery; an issue without a file gets `file`."""
    if not issues:
        return
    conn.execute(
        _sql.quarantine,
        {
            "batch_id": batch_id,
            "files": [issue.file or file for issue in issues],
            "lines": [issue.line for issue in issues],
            "fields": [issue.field for issue in issues],
            "codes": [issue.code for issue in issues],
            "messages": [issue.message.replace("\x00", "\N{SYMBOL FOR NULL}")[:LONGEST_MESSAGE] for issue in issues],
            "cures": [issue.cure for issue in issues],
            "severities": [issue.severity for issue in issues],
            "readings": [issue.count for issue in issues],
        },
    )


def register_channels(conn: Connection, channels: Sequence[NewChannel]) -> int:
    """Register channels in one statement; those that their meter has already at any of the same time stay as they are. How many were new.

    Raises:
        UnknownUnit: a unit that is not in `mains.base.units`.
    """
    for channel in channels:
        if channel.unit not in UNITS:
            raise UnknownUnit(f"channel {channel.register} cannot be in {channel.unit!r}", cure=f"use one of {', '.join(UNITS)}")
    columns = {
        "meter_ids": [each.meter_id for each in channels],
        "registers": [each.register for each in channels],
        "commodities": [each.commodity for each in channels],
        "quantities": [UNITS[each.unit].quantity for each in channels],
        "flows": [each.flow for each in channels],
        "units": [each.unit for each in channels],
        "pow10s": [each.pow10 for each in channels],
        "multipliers": [each.multiplier for each in channels],
        "kwh_factors": [each.kwh_factor for each in channels],
        "intervals": [each.interval_s for each in channels],
        "offsets": [each.utc_offset_min for each in channels],
        "starts": [each.in_service_from for each in channels],
        "ends": [each.in_service_to for each in channels],
        "reasons": [each.opened_because for each in channels],
    }
    return len(conn.execute(_sql.register_channels, columns).fetchall()) if channels else 0
