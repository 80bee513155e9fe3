"""Reads: rates as they stand in the book."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, dict_row
from psycopg.types.range import Range

from mains.base.sql import Statements
from mains.rates import documents
from mains.rates.model import RateVersion

_sql = Statements("mains.rates", "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """A rate version of the book: its keys, its number, the local dates it holds and the version itself."""

    rate_version_id: UUID
    rate_schedule_id: UUID
    rate_code: str
    rate_schedule_name: str
    version_number: int
    effective_period: Range[date]
    document_sha256: str
    version: RateVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class RateListing:
    """A rate in the book with the headline prices of its newest version; money a unit, a kW and a month."""

    rate_schedule_id: UUID
    rate_code: str
    rate_schedule_name: str
    commodity: str
    customer_class: str
    rate_status: str
    effective_date: date | None
    base_rate: Decimal | None
    demand_charge: Decimal | None
    time_of_use_rates: dict[str, Any] | None
    service_charge: Decimal | None
    versions: int


def versions_by_id(conn: Connection, ids: Iterable[UUID]) -> dict[UUID, StoredVersion]:
    """Rate versions by key; unknown keys are left out."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_sql.versions_by_id, {"ids": list(ids)}).fetchall()
    return {row["rate_version_id"]: _stored(row) for row in rows}


def rate_book(conn: Connection, *, after: str = "", limit: int = 100) -> list[RateListing]:
    """Rates by code, those after `after`, at most `limit`."""
    with conn.cursor(row_factory=class_row(RateListing)) as cursor:
        return cursor.execute(_sql.rate_book, {"after": after, "limit": limit}).fetchall()


def factor_series(conn: Connection, series: str, *, from_at: datetime, to_at: datetime) -> list[tuple[datetime, datetime, Decimal]]:
    """(from, to, value) of an index series where it touches [from_at, to_at), oldest first."""
    return conn.execute(_sql.factor_series, {"series": series, "from_at": from_at, "to_at": to_at}).fetchall()


def _stored(row: dict[str, Any]) -> StoredVersion:
    """A row as a stored version, its document read back."""
    version = documents.from_document(row.pop("document"))
    return StoredVersion(**(row | {"document_sha256": row["document_sha256"].hex(), "version": version}))
