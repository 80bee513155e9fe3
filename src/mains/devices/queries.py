"""Reads: meters and where they hung."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from mains.base.problems import NotFound
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
    meter_model_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A meter at a service point in [from_at, to_at); to_at is None while it hangs there."""

    meter_installation_id: UUID
    meter_id: UUID
    service_point_id: UUID
    from_at: datetime
    to_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterModel:
    """A type of meter."""

    meter_model_id: UUID
    model_code: str
    commodity: str
    manufacturer: str | None
    model: str | None
    dial_digits: int | None
    has_switch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A register that the meters of a type have; see `lifecycle.ModelChannel`."""

    register: str
    unit: str
    flow: str
    pow10: int
    multiplier: Decimal
    interval_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPlace:
    """A service point as a meter sees it; `timezone` is an IANA name."""

    service_point_id: UUID
    service_point_number: str
    commodity: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterStep:
    """A step in the life of a meter: registered, installed, removed, restocked or retired."""

    step: str
    stepped_at: datetime
    recorded_at: datetime
    meter_installation_id: UUID | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commissioning:
    """A test of an installed meter; `outcome` is agrees, differs or not_comparable; totals and tolerance in `unit` over [from_at, to_at)."""

    meter_installation_id: UUID
    register: str
    commissioned_at: datetime
    outcome: str
    finding: str
    from_at: datetime | None = None
    to_at: datetime | None = None
    interval_total: Decimal | None = None
    register_total: Decimal | None = None
    tolerance: Decimal | None = None
    unit: str | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """A meter's switch connected or disconnected in [from_at, to_at); to_at None while it is."""

    state: str
    from_at: datetime
    to_at: datetime | None
    command_id: UUID | None


def model_by_code(conn: Connection, model_code: str) -> MeterModel:
    """A type of meter.

    Raises:
        NotFound: there is none of that code.
    """
    with conn.cursor(row_factory=class_row(MeterModel)) as cursor:
        found = cursor.execute(_sql.model_by_code, {"model_code": model_code}).fetchone()
    if found is None:
        raise NotFound(f"there is no type of meter {model_code[:60]} here", cure="see mains meters models, or define it: mains meters define")
    return found


def models(conn: Connection) -> list[MeterModel]:
    """The types of meters, by code."""
    with conn.cursor(row_factory=class_row(MeterModel)) as cursor:
        return cursor.execute(_sql.models).fetchall()


def model_channels(conn: Connection, meter_model_id: UUID) -> list[Template]:
    """What a type of meter measures, by register."""
    with conn.cursor(row_factory=class_row(Template)) as cursor:
        return cursor.execute(_sql.model_channels, {"meter_model_id": meter_model_id}).fetchall()


def service_point(conn: Connection, service_point_id: UUID) -> MeterPlace:
    """Where a meter can hang.

    Raises:
        NotFound: there is no such service point here.
    """
    return _place(conn, _sql.service_point, {"service_point_id": service_point_id})


def service_point_by_number(conn: Connection, number: str) -> MeterPlace:
    """The same, by the number of the point."""
    return _place(conn, _sql.service_point_by_number, {"number": number})


def _place(conn: Connection, statement: LiteralString, asked: dict[str, object]) -> MeterPlace:
    with conn.cursor(row_factory=class_row(MeterPlace)) as cursor:
        found = cursor.execute(statement, asked).fetchone()
    if found is None:
        raise NotFound(f"there is no service point {next(iter(asked.values()))} here", cure="look it up at its premise: GET /v1/premises")
    return found


def meters_at(conn: Connection, service_point_id: UUID, *, at: datetime) -> list[str]:
    """Numbers of the meters that hang at a service point at an instant or later."""
    return [row[0] for row in conn.execute(_sql.meters_at, {"service_point_id": service_point_id, "at": at})]


def steps_of(conn: Connection, meter_id: UUID) -> list[MeterStep]:
    """The life of a meter, in order."""
    with conn.cursor(row_factory=class_row(MeterStep)) as cursor:
        return cursor.execute(_sql.steps_of, {"meter_id": meter_id}).fetchall()


def commissionings_of(conn: Connection, meter_id: UUID) -> list[Commissioning]:
    """Tests of a meter, in order."""
    with conn.cursor(row_factory=class_row(Commissioning)) as cursor:
        return cursor.execute(_sql.commissionings_of, {"meter_id": meter_id}).fetchall()


def service_states_of(conn: Connection, meter_id: UUID) -> list[ServiceState]:
    """When the switch of a meter was open or closed, in order; a meter that was never switched from afar has none."""
    with conn.cursor(row_factory=class_row(ServiceState)) as cursor:
        return cursor.execute(_sql.service_states_of, {"meter_id": meter_id}).fetchall()


def meters_by_number(conn: Connection, numbers: Sequence[str]) -> dict[str, Meter]:
    """Meters by their numbers; numbers that no meter has are left out."""
    with conn.cursor(row_factory=class_row(Meter)) as cursor:
        return {meter.meter_number: meter for meter in cursor.execute(_sql.meters_by_number, {"numbers": list(numbers)})}


def meter(conn: Connection, meter_id: UUID) -> Meter:
    """One meter by its key.

    Raises:
        NotFound: there is none here.
    """
    with conn.cursor(row_factory=class_row(Meter)) as cursor:
        found = cursor.execute(_sql.meter_by_id, {"meter_id": meter_id}).fetchone()
    if found is None:
        raise NotFound(f"there is no meter {meter_id} here", cure="see GET /v1/meters")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterHistory:
    """A meter with all that happened to it: where it hung, its steps, its tests, and how its switch stood."""

    meter: Meter
    installations: list[Installation]
    steps: list[MeterStep]
    commissionings: list[Commissioning]
    service_states: list[ServiceState]


def history_of(conn: Connection, found: Meter) -> MeterHistory:
    """A meter with all that happened to it, each list in order of time."""
    return MeterHistory(
        meter=found, installations=installations_of(conn, [found.meter_id]), steps=steps_of(conn, found.meter_id), commissionings=commissionings_of(conn, found.meter_id),
        service_states=service_states_of(conn, found.meter_id),
    )  # fmt: skip


def meters_page(conn: Connection, *, after: str = "", status: str | None = None, limit: int = 100) -> list[Meter]:
    """At most `limit` meters in order of their numbers, after one number; of one status where it is given."""
    with conn.cursor(row_factory=class_row(Meter)) as cursor:
        return cursor.execute(_sql.meters_page, {"after": after, "status": status, "limit": limit}).fetchall()


def installations_of(conn: Connection, meter_ids: Sequence[UUID]) -> list[Installation]:
    """Where meters hung, by meter and then by time."""
    with conn.cursor(row_factory=class_row(Installation)) as cursor:
        return cursor.execute(_sql.installations_of, {"meters": list(meter_ids)}).fetchall()
