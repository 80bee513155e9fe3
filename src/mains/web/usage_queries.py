"""Reads of the usage pages that cross domains: the weather near a place, homes alike, the bills that stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from mains.base.sql import Statements

_sql = Statements("mains.web", "usage_queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A place whose weather is known."""

    weather_station_id: UUID
    station_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAlike:
    """A channel of another premise of the same kind; a raw step is `units_per_step` of `unit`."""

    channel_id: int
    unit: str
    units_per_step: Decimal
    interval_s: int
    premise_type: str
    zone_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingBill:
    """A bill that was issued and not taken back; its period is local dates [start, end) in `timezone`."""

    bill_id: UUID
    billing_period_start: date
    billing_period_end: date
    usage_unit: str
    timezone: str


def nearest_station(conn: Connection, account_id: UUID) -> Station | None:
    """The weather station nearest to where an agreement is supplied; None where the utility has none."""
    with conn.cursor(row_factory=class_row(Station)) as cursor:
        return cursor.execute(_sql.nearest_station, {"account_id": account_id}).fetchone()


def mean_temperatures(conn: Connection, station_id: UUID, edges: Sequence[datetime]) -> list[Decimal | None]:
    """The mean temperature between each edge and the next, °C."""
    asked = {"station_id": station_id, "starts": list(edges[:-1]), "ends": list(edges[1:])}
    return [row[0] for row in conn.execute(_sql.mean_temperatures, asked)]


def homes_alike(conn: Connection, account_id: UUID, *, from_at: datetime, to_at: datetime, most: int) -> list[HomeAlike]:
    """Channels of other premises alike that were metered all through [from_at, to_at)."""
    with conn.cursor(row_factory=class_row(HomeAlike)) as cursor:
        return cursor.execute(_sql.homes_alike, {"account_id": account_id, "from_at": from_at, "to_at": to_at, "most": most}).fetchall()


def standing_bills(conn: Connection, account_id: UUID, *, from_at: datetime, to_at: datetime) -> list[StandingBill]:
    """The bills of an agreement that stand and touch [from_at, to_at)."""
    with conn.cursor(row_factory=class_row(StandingBill)) as cursor:
        return cursor.execute(_sql.standing_bills, {"account_id": account_id, "from_at": from_at, "to_at": to_at}).fetchall()
