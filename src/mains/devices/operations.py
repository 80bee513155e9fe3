"""Writes: registering, installing and removing meters. The caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.devices.queries import Commissioning

_sql = Statements("mains.devices", "operations.sql")


class UnableToInstallMeter(Problem):
    """The meter hangs somewhere else in that time."""

    status = 409


class UnableToRemoveMeter(Problem):
    """The meter hangs nowhere at that instant."""

    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMeter:
    """A meter to register; `registered_by` is import where a file brought it."""

    meter_number: str
    commodity: str
    manufacturer: str | None = None
    model: str | None = None
    dial_digits: int | None = None
    meter_status: str = "active"
    registered_by: str = "staff"


def register_meters(conn: Connection, meters: Sequence[NewMeter]) -> dict[str, UUID]:
    """Register meters in one statement; a number that is there already stays as it is. Keys by number."""
    numbers = [meter.meter_number for meter in meters]
    columns = {
        "numbers": numbers,
        "commodities": [meter.commodity for meter in meters],
        "manufacturers": [meter.manufacturer for meter in meters],
        "models": [meter.model for meter in meters],
        "digits": [meter.dial_digits for meter in meters],
        "statuses": [meter.meter_status for meter in meters],
        "by": [meter.registered_by for meter in meters],
    }
    conn.execute(_sql.register_meters, columns)
    return dict(conn.execute(_sql.meter_ids, {"numbers": numbers}).fetchall())


def install_meter(
    conn: Connection, *, meter_id: UUID, service_point_id: UUID, from_at: datetime, to_at: datetime | None = None, reason: str = "new"
) -> UUID:
    """Hang a meter at a service point in [from_at, to_at); to_at None while nobody knows when it goes. The installation's key.

    Raises:
        UnableToInstallMeter: it hangs somewhere in that time already.
    """
    asked = {"meter_id": meter_id, "service_point_id": service_point_id, "from_at": from_at, "to_at": to_at, "reason": reason}
    try:
        with conn.transaction():
            row = conn.execute(_sql.install_meter, asked).fetchone()
    except psycopg.errors.ExclusionViolation as error:
        raise UnableToInstallMeter(
            f"meter {meter_id} hangs somewhere already after {from_at.isoformat()}", cure="remove it there first, at the instant it was taken down"
        ) from error
    assert row is not None  # INSERT … RETURNING always answers
    conn.execute(_sql.set_status, {"meter_id": meter_id, "status": "active"})
    return row[0]


def record_commissioning(conn: Connection, found: Commissioning) -> None:
    """Keep what a test of an installed meter found."""
    values = asdict(found)
    values.pop("actor")
    conn.execute(_sql.record_commissioning, values)


def remove_meter(conn: Connection, *, meter_id: UUID, at: datetime) -> UUID:
    """End the installation that is open at an instant; its key.

    Raises:
        UnableToRemoveMeter: the meter hangs nowhere then.
    """
    row = conn.execute(_sql.remove_meter, {"meter_id": meter_id, "at": at}).fetchone()
    if row is None:
        raise UnableToRemoveMeter(f"meter {meter_id} hangs nowhere at {at.isoformat()}", cure="look at its installations and give an instant inside one")
    conn.execute(_sql.set_status, {"meter_id": meter_id, "status": "removed"})
    return row[0]
