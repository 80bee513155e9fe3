"""Reads: channels, deliveries, quarantine. Readings in bulk are in `load`, registers in `registers`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from mains.base.sql import Statements
from mains.base.units import UNITS

_sql = Statements("mains.metering", "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One measured quantity of one meter: value in `unit` = raw x 10^pow10 x multiplier; `interval_s` None for a register.

    Readings that start in [in_service_from, in_service_to) are its own; None where there is no such end. `opened_because` says why it took another's place.
    """

    channel_id: int
    meter_id: UUID
    meter_number: str
    register: str
    commodity: str
    quantity: str
    flow: str
    unit: str
    pow10: int
    multiplier: Decimal
    kwh_factor: Decimal | None
    interval_s: int | None
    utc_offset_min: int
    in_service_from: datetime | None = None
    in_service_to: datetime | None = None
    opened_because: str | None = None

    def is_in_service(self, at: datetime) -> bool:
        """Whether a reading that starts at an instant is this channel's."""
        return (self.in_service_from is None or self.in_service_from <= at) and (self.in_service_to is None or at < self.in_service_to)

    @property
    def step(self) -> Decimal:
        """What one raw step is, in `unit`; exact."""
        return self.multiplier * Decimal(10) ** self.pow10


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One delivery; counts are of readings; `finished_at` None where it was interrupted and nothing of it is stored; `validated_at` None where no rule has judged it yet.

    Its intervals lie in days of [readings_from_at, readings_to_at); None where it had none.
    """

    batch_id: int
    source: str
    format: str
    sha256: str
    received_at: datetime
    finished_at: datetime | None
    actor: str
    readings_found: int
    readings_accepted: int
    readings_quarantined: int
    readings_new: int
    readings_changed: int
    raw_sum: Decimal
    readings_from_at: datetime | None = None
    readings_to_at: datetime | None = None
    validated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One thing refused of a delivery, and what cures it."""

    quarantine_id: int
    batch_id: int
    file: str
    line: int | None
    field: str | None
    code: str
    message: str
    cure: str
    severity: str
    readings: int
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineTotal:
    """What waits in quarantine of one kind."""

    code: str
    severity: str
    places: int
    readings: int
    cure: str
    last_seen: datetime


def channels_of_meters(conn: Connection, numbers: Sequence[str]) -> list[Channel]:
    """Every channel of the meters with these numbers."""
    with conn.cursor(row_factory=class_row(Channel)) as cursor:
        return cursor.execute(_sql.channels_of_meters, {"numbers": list(numbers)}).fetchall()


def channels_page(
    conn: Connection, *, after: int = 0, meter_number: str | None = None, account_number: str | None = None, limit: int = 100
) -> list[Channel]:
    """At most `limit` channels in order of their keys, after one; of one meter or one account where it is named."""
    asked = {"after": after, "meter_number": meter_number, "account_number": account_number, "limit": limit}
    with conn.cursor(row_factory=class_row(Channel)) as cursor:
        return cursor.execute(_sql.channels_page, asked).fetchall()


def channels_by_id(conn: Connection, channel_ids: Sequence[int]) -> list[Channel]:
    """Channels by key, in order of it; those that are not here are left out."""
    with conn.cursor(row_factory=class_row(Channel)) as cursor:
        return cursor.execute(_sql.channels_by_id, {"channels": list(channel_ids)}).fetchall()


def in_unit(channel: Channel, unit: str) -> Decimal:
    """What one raw step of a channel is in another unit of the same quantity."""
    return channel.step * UNITS[channel.unit].factor / UNITS[unit].factor


def batches_page(conn: Connection, *, before: int | None = None, limit: int = 100) -> list[Batch]:
    """At most `limit` deliveries, newest first, before one."""
    with conn.cursor(row_factory=class_row(Batch)) as cursor:
        return cursor.execute(_sql.batches_page, {"before": before, "limit": limit}).fetchall()


def quarantine_page(
    conn: Connection, *, before: int | None = None, batch_id: int | None = None, code: str | None = None, with_resolved: bool = False, limit: int = 100
) -> list[Quarantined]:
    """At most `limit` things that were refused, newest first, before one; of one delivery or kind where it is named."""
    asked = {"before": before, "batch_id": batch_id, "code": code, "with_resolved": with_resolved, "limit": limit}
    with conn.cursor(row_factory=class_row(Quarantined)) as cursor:
        return cursor.execute(_sql.quarantine_page, asked).fetchall()


def quarantine_totals(conn: Connection) -> list[QuarantineTotal]:
    """What waits in quarantine by kind, the most readings first."""
    with conn.cursor(row_factory=class_row(QuarantineTotal)) as cursor:
        return cursor.execute(_sql.quarantine_totals).fetchall()


def zone_of_utility(conn: Connection) -> str:
    """The zone in which the utility's days begin, an IANA name."""
    row = conn.execute(_sql.zone_of_utility).fetchone()
    return row[0] if row else "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A finished delivery of a file's content: its number, format and readings, all of them accepted."""

    batch_id: int
    format: str
    readings_found: int


def delivery_of_content(conn: Connection, *, sha256: bytes, read_as: str) -> Delivered | None:
    """The last finished delivery of the same content, read the same way, of which nothing was refused; None where there is none."""
    with conn.cursor(row_factory=class_row(Delivered)) as cursor:
        return cursor.execute(_sql.delivery_of_content, {"sha256": sha256, "read_as": read_as}).fetchone()
