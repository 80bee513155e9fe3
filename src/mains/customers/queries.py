"""Reads: customers, the places they are supplied at, and their agreements."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from mains.base.problems import NotFound
from mains.base.sql import Statements

_sql = Statements("mains.customers", "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A person or organisation that is served. `longitude` and `latitude` are of the main premise, degrees WGS 84."""

    customer_id: UUID
    customer_number: str
    full_name: str
    customer_class: str
    email: str | None
    phone: str | None
    language: str
    service_status: str
    service_zone_id: UUID | None
    longitude: float | None
    latitude: float | None
    is_protected: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """An agreement: a customer takes a commodity at a service point, from `active_from` to before `active_to` (None: open), on a rate (None: none at the asked instant)."""

    account_id: UUID
    account_number: str
    customer_id: UUID
    service_point_id: UUID
    service_point_number: str
    premise_id: UUID
    commodity: str
    account_role: str
    account_status: str
    active_from: datetime
    active_to: datetime | None
    billing_cycle: str
    rate_schedule_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Premise:
    """A place that is supplied; its position in degrees, WGS 84."""

    premise_id: UUID
    premise_number: str
    address_line: str
    city: str
    region: str | None
    postal_code: str | None
    country: str
    premise_type: str
    service_zone_id: UUID | None
    longitude: float | None
    latitude: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePoint:
    """Where a commodity is handed over at a place; nominal voltage in V, None where it is not electric."""

    service_point_id: UUID
    service_point_number: str
    premise_id: UUID
    commodity: str
    service_zone_id: UUID | None
    timezone: str
    nominal_voltage_v: Decimal | None
    phases: str | None
    service_size: str | None
    is_critical: bool


def customers(
    conn: Connection, *, search: str | None = None, customer_class: str | None = None, service_status: str | None = None, service_zone_id: UUID | None = None,
    after: str | None = None, limit: int = 100,
) -> list[Customer]:  # fmt: skip
    """Customers by number, those after a number, at most `limit`; `search` is a part of the name, or the beginning of the customer's or an account's number."""
    words = _literal(search.strip()) if search and search.strip() else None
    values = {
        "name": f"%{words}%" if words else None, "number": f"{words}%" if words else None, "customer_class": customer_class,
        "service_status": service_status, "service_zone_id": service_zone_id, "after": after, "limit": limit,
    }  # fmt: skip
    with conn.cursor(row_factory=class_row(Customer)) as cursor:
        return cursor.execute(_sql.customers, values).fetchall()


def customer(conn: Connection, *, customer_id: UUID) -> Customer:
    """One customer.

    Raises:
        NotFound: there is no such customer here.
    """
    with conn.cursor(row_factory=class_row(Customer)) as cursor:
        found = cursor.execute(_sql.customer, {"customer_id": customer_id}).fetchone()
    if found is None:
        raise NotFound(f"there is no customer {customer_id} here", cure="look them up: GET /v1/customers?search=…")
    return found


def service_accounts(
    conn: Connection, *, at: datetime, account_id: UUID | None = None, customer_id: UUID | None = None, premise_id: UUID | None = None, commodity: str | None = None,
    account_status: str | None = None, after: str | None = None, limit: int = 100,
) -> list[ServiceAccount]:  # fmt: skip
    """Agreements by number, those after a number, at most `limit`, with the rate they are on at an instant."""
    values = {
        "at": at, "account_id": account_id, "customer_id": customer_id, "premise_id": premise_id, "commodity": commodity, "account_status": account_status,
        "after": after, "limit": limit,
    }  # fmt: skip
    with conn.cursor(row_factory=class_row(ServiceAccount)) as cursor:
        return cursor.execute(_sql.service_accounts, values).fetchall()


def service_account(conn: Connection, *, account_id: UUID, at: datetime) -> ServiceAccount:
    """One agreement, with the rate it is on at an instant.

    Raises:
        NotFound: there is no such agreement here.
    """
    found = service_accounts(conn, account_id=account_id, at=at, limit=1)
    if not found:
        raise NotFound(f"there is no account {account_id} here", cure="look it up: GET /v1/accounts, or by its customer")
    return found[0]


def premises(conn: Connection, *, service_zone_id: UUID | None = None, after: str | None = None, limit: int = 100) -> list[Premise]:
    """Places by number, those after a number, at most `limit`."""
    with conn.cursor(row_factory=class_row(Premise)) as cursor:
        return cursor.execute(_sql.premises, {"service_zone_id": service_zone_id, "after": after, "limit": limit}).fetchall()


def premise(conn: Connection, *, premise_id: UUID) -> Premise:
    """One place.

    Raises:
        NotFound: there is no such place here.
    """
    with conn.cursor(row_factory=class_row(Premise)) as cursor:
        found = cursor.execute(_sql.premise, {"premise_id": premise_id}).fetchone()
    if found is None:
        raise NotFound(f"there is no premise {premise_id} here", cure="look it up: GET /v1/premises")
    return found


def service_points_of(conn: Connection, *, premise_id: UUID) -> list[ServicePoint]:
    """Where commodities are handed over at a place, by number."""
    with conn.cursor(row_factory=class_row(ServicePoint)) as cursor:
        return cursor.execute(_sql.service_points_of, {"premise_id": premise_id}).fetchall()


def _literal(words: str) -> str:
    r"""Words as they are, in a pattern of LIKE.

    >>> _literal("50%_")
    '50\\%\\_'
    """
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def customer_id_of(conn: Connection, name: str) -> UUID:
    """The key of a customer from their key or the number they know.

    Raises:
        NotFound: there is no such customer here.
    """
    try:
        return customer(conn, customer_id=UUID(name)).customer_id
    except ValueError:
        row = conn.execute(_sql.customer_by_number, {"customer_number": name}).fetchone()
    if row is None:
        raise NotFound(f"there is no customer numbered {name} here", cure="give the customer's number, or the key")
    return row[0]
