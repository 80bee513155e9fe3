"""Reads of the pages of meter operations that cross domains."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from mains.base.sql import Statements

_sql = Statements("mains.web", "meter_queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanDue:
    """So many channels of one interval length from which readings were due on the local dates [from_date, to_date)."""

    interval_s: int
    from_date: date
    to_date: date | None
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRead:
    """Interval readings of a local day, and how many of them were put in."""

    day: date
    readings: int
    estimated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Readings of deliveries of one class of lateness: 0 within six hours, 1 within a day, 2 within three, 3 later."""

    class_: int
    deliveries: int
    readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A channel without a reading of a day."""

    meter_number: str
    register: str
    address: str | None
    customer_id: UUID | None
    last_at: datetime | None


def spans_due(conn: Connection, *, first: date, last: date, timezone: str) -> list[SpanDue]:
    """From which channels readings were due between two local dates."""
    with conn.cursor(row_factory=class_row(SpanDue)) as cursor:
        return cursor.execute(_sql.spans_due, {"first": first, "last": last, "timezone": timezone}).fetchall()


def readings_by_day(conn: Connection, *, first: date, last: date, timezone: str) -> list[DayRead]:
    """Interval readings of each local day of [first, last) that has any."""
    with conn.cursor(row_factory=class_row(DayRead)) as cursor:
        return cursor.execute(_sql.readings_by_day, {"first": first, "last": last, "timezone": timezone}).fetchall()


def lateness(conn: Connection, *, from_at: datetime, to_at: datetime) -> list[Late]:
    """How late the readings came that were received in [from_at, to_at)."""
    rows = conn.execute(_sql.lateness, {"from_at": from_at, "to_at": to_at}).fetchall()
    return [Late(class_=row[0], deliveries=row[1], readings=row[2]) for row in rows]


def waiting(conn: Connection) -> tuple[int, int]:
    """Deliveries that are not validated, and readings in the inbox (100,001 for more than 100,000)."""
    row = conn.execute(_sql.waiting).fetchone()
    assert row is not None  # it always answers
    return row


def silent_meters(conn: Connection, *, from_at: datetime, to_at: datetime, limit: int) -> list[Silent]:
    """Channels that hung somewhere all of [from_at, to_at) and were not read in it."""
    with conn.cursor(row_factory=class_row(Silent)) as cursor:
        return cursor.execute(_sql.silent_meters, {"from_at": from_at, "to_at": to_at, "limit": limit}).fetchall()


def customer_of_meter(conn: Connection, meter_number: str, *, at: datetime) -> UUID | None:
    """Whose readings a meter's were at an instant."""
    row = conn.execute(_sql.customer_of_meter, {"meter_number": meter_number, "at": at}).fetchone()
    return row[0] if row else None
