"""Reads: meters and where they hung."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from mains.base.sql import Statements

_sql = Statements("mains.devices", "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A meter; `dial_digits` is None where it is unknown when its register rolls over."""

    meter_id: UUID
    meter_number: str
    commodity: str
    manufacturer: str | None
    model: str | None
    dial_digits: int | None
    meter_status: str
    registered_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A meter at a service point in [from_at, to_at); to_at is None while it hangs there."""

    meter_installation_id: UUID
    meter_id: UUID
    service_point_id: UUID
    from_at: datetime
    to_at: datetime | None
    reason: str


def meters_by_number(conn: Connection, numbers: Sequence[str]) -> dict[str, Meter]:
    """Meters by their numbers; numbers that no meter has are left out."""
    with conn.cursor(row_factory=class_row(Meter)) as cursor:
        return {meter.meter_number: meter for meter in cursor.execute(_sql.meters_by_number, {"numbers": list(numbers)})}


def meters_page(conn: Connection, *, after: str = "", status: str | None = None, limit: int = 100) -> list[Meter]:
    """At most `limit` meters in order of their numbers, after one number; of one status where it is given."""
    with conn.cursor(row_factory=class_row(Meter)) as cursor:
        return cursor.execute(_sql.meters_page, {"after": after, "status": status, "limit": limit}).fetchall()


def installations_of(conn: Connection, meter_ids: Sequence[UUID]) -> list[Installation]:
    """Where meters hung, by meter and then by time."""
    with conn.cursor(row_factory=class_row(Installation)) as cursor:
        return cursor.execute(_sql.installations_of, {"meters": list(meter_ids)}).fetchall()
