"""Reads: bills, their lines, what they were made from, and what was held."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from mains.base.problems import NotFound
from mains.base.sql import Statements
from mains.billing.model import DraftLine

_sql = Statements("mains.billing", "queries.sql")
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A bill as it was issued; dates are local, money in `currency`, usage in `usage_unit`."""

    bill_id: UUID
    bill_number: str
    account_id: UUID
    account_number: str
    customer_id: UUID
    bill_run_id: UUID | None
    commodity: str
    billing_period_start: date
    billing_period_end: date
    purpose: str
    revision: int
    billing_status: str
    currency: str
    total_amount: Decimal
    usage_quantity: Decimal
    usage_unit: str
    usage_kwh: Decimal | None
    peak_kw: Decimal | None
    estimated_readings: int
    calculated_at: datetime
    issued_at: datetime | None
    issue_date: date | None
    due_date: date | None
    cancelled_at: datetime | None
    input_sha256: str
    output_sha256: str

    @property
    def days(self) -> int:
        """Days billed."""
        return (self.billing_period_end - self.billing_period_start).days


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """A line of a bill: quantity × factor × price = amount, rounded half-up; `factor` is an exact fraction in text."""

    line_no: int
    segment_no: int
    rate_version_id: UUID
    charge_id: str
    charge_kind: str
    label: str
    tags: list[str]
    tou_period: str | None
    tier: int | None
    quantity: Decimal
    unit: str
    price: Decimal
    factor: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BillException:
    """A bill held back, with the reason and the cure."""

    bill_exception_id: UUID
    bill_run_id: UUID
    account_id: UUID
    account_number: str
    customer_id: UUID
    commodity: str
    billing_period_start: date
    billing_period_end: date
    code: str
    message: str
    cure: str
    exception_status: str
    found_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRun:
    """A run and what it did."""

    bill_run_id: UUID
    cycle_code: str
    period_start: date
    period_end: date
    purpose: str
    run_status: str
    started_at: datetime
    finished_at: datetime | None
    actor: str
    accounts: int
    bills_made: int
    bills_existing: int
    exceptions: int
    total_amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledMonth:
    """What was billed for a calendar month; money in the utility's currency, energy in kWh."""

    billing_period_start: date
    bills: int
    total_amount: Decimal
    usage_kwh: Decimal | None


def bill(conn: Connection, bill_id: UUID) -> Bill:
    """One bill.

    Raises:
        NotFound: there is no such bill here.
    """
    with conn.cursor(row_factory=class_row(Bill)) as cursor:
        found = cursor.execute(_sql.bill_by_id, {"bill_id": bill_id}).fetchone()
    if found is None:
        raise NotFound(f"there is no bill {bill_id} here", cure="look it up by customer, or by the number printed on it")
    return found


def bill_id_of(conn: Connection, name: str) -> UUID:
    """The key of a bill from its key or the number printed on it.

    Raises:
        NotFound: there is no such bill here.
    """
    try:
        return UUID(name)
    except ValueError:
        row = conn.execute(_sql.bill_by_number, {"bill_number": name}).fetchone()
    if row is None:
        raise NotFound(f"there is no bill numbered {name} here", cure="give the number printed on the bill, or its key")
    return row[0]


def bills_after(
    conn: Connection, *, after: UUID = _FIRST, customer_id: UUID | None = None, billing_status: str | None = None, limit: int = 100
) -> list[Bill]:
    """Bills by key, those after `after`, at most `limit`."""
    with conn.cursor(row_factory=class_row(Bill)) as cursor:
        return cursor.execute(
            _sql.bills_after, {"after": after, "customer_id": customer_id, "billing_status": billing_status, "limit": limit}
        ).fetchall()


def bills_of_customer(conn: Connection, *, customer_id: UUID, limit: int = 100) -> list[Bill]:
    """Bills of a customer, newest period first, at most `limit`."""
    with conn.cursor(row_factory=class_row(Bill)) as cursor:
        return cursor.execute(_sql.bills_of_customer, {"customer_id": customer_id, "limit": limit}).fetchall()


def lines_of_bill(conn: Connection, found: Bill) -> list[BillLine]:
    """The lines of a bill in their order."""
    with conn.cursor(row_factory=class_row(BillLine)) as cursor:
        return cursor.execute(_sql.lines_of_bill, {"account_id": found.account_id, "bill_id": found.bill_id}).fetchall()


def inputs_of_bills(conn: Connection, bill_ids: list[UUID]) -> list[dict[str, Any]]:
    """What bills were made from, as plain rows (frozen documents), for verifying and explaining."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql.inputs_of_bills, {"bill_ids": bill_ids}).fetchall()


def stored_lines(conn: Connection, *, bill_ids: list[UUID], account_ids: list[UUID]) -> dict[UUID, tuple[DraftLine, ...]]:
    """The lines of bills as they stand in the database, in the form in which they were drafted."""
    found: dict[UUID, list[DraftLine]] = defaultdict(list)
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_sql.lines_of_bills, {"bill_ids": bill_ids, "account_ids": account_ids}):
            bill_id = row.pop("bill_id")
            found[bill_id].append(DraftLine(**(row | {"tags": tuple(row["tags"]), "price": format(row["price"], "f")})))
    return {bill_id: tuple(lines) for bill_id, lines in found.items()}


def bill_keys(conn: Connection) -> list[UUID]:
    """Keys of all bills of the utility, those of one period and commodity together."""
    return [row[0] for row in conn.execute(_sql.bill_keys)]


def open_exceptions(conn: Connection, *, after: tuple[datetime, UUID] | None = None, limit: int = 200) -> list[BillException]:
    """Bills held back, newest first, those after (found_at, key), at most `limit`."""
    place = dict(zip(("after_at", "after_id"), after or (None, None), strict=True))
    with conn.cursor(row_factory=class_row(BillException)) as cursor:
        return cursor.execute(_sql.open_exceptions, place | {"limit": limit}).fetchall()


def latest_runs(conn: Connection, *, after: tuple[date, datetime, UUID] | None = None, limit: int = 20) -> list[BillRun]:
    """Bill runs, the newest period first, those after (period_start, started_at, key), at most `limit`."""
    place = dict(zip(("after_start", "after_at", "after_id"), after or (None, None, None), strict=True))
    with conn.cursor(row_factory=class_row(BillRun)) as cursor:
        return cursor.execute(_sql.latest_runs, place | {"limit": limit}).fetchall()


def exceptions_by_code(conn: Connection) -> dict[str, int]:
    """How many bills are held for each reason, most first."""
    return dict(conn.execute(_sql.exceptions_by_code).fetchall())


def billed_by_month(conn: Connection, *, limit: int = 13) -> list[BilledMonth]:
    """Bills and money of each calendar month that was billed, newest first."""
    with conn.cursor(row_factory=class_row(BilledMonth)) as cursor:
        return cursor.execute(_sql.billed_by_month, {"limit": limit}).fetchall()
