"""Reads: what is owed, what was paid."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from mains.base.sql import Statements

_sql = Statements("mains.payments", "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What a customer owes at a date, in the utility's currency; overdue in all and by age, paid in advance, and what falls due next."""

    owed: Decimal
    overdue: Decimal
    overdue_1_to_30_days: Decimal
    overdue_31_to_60_days: Decimal
    overdue_over_60_days: Decimal
    unapplied: Decimal
    next_due_date: date | None
    next_due_amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money received from a customer."""

    payment_id: UUID
    payment_date: date
    received_at: datetime
    amount: Decimal
    currency: str
    method: str
    reference: str | None
    payment_status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """The balance of one ledger account; debit positive."""

    ledger_account: str
    account_name: str
    account_kind: str
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What all customers of the utility owe, and the part that is overdue."""

    owed: Decimal
    overdue: Decimal


def balance_of_customer(conn: Connection, *, customer_id: UUID, on_date: date) -> Balance:
    """What a customer owed at the end of a local date, from what was posted up to then; all zero for one who owed nothing or is unknown here."""
    with conn.cursor(row_factory=class_row(Balance)) as cursor:
        found = cursor.execute(_sql.balance_of_customer, {"customer_id": customer_id, "on_date": on_date}).fetchone()
    assert found is not None  # the query always answers
    return found


def open_amounts(conn: Connection, bill_ids: Iterable[UUID]) -> dict[UUID, Decimal]:
    """What is still owed on each bill; bills that are paid, or not posted, are left out."""
    return dict(conn.execute(_sql.open_amounts, {"bill_ids": list(bill_ids)}).fetchall())


def payments_of_customer(conn: Connection, *, customer_id: UUID, limit: int = 50) -> list[Payment]:
    """Payments of a customer, newest first, at most `limit`."""
    with conn.cursor(row_factory=class_row(Payment)) as cursor:
        return cursor.execute(_sql.payments_of_customer, {"customer_id": customer_id, "limit": limit}).fetchall()


def trial_balance(conn: Connection) -> list[AccountBalance]:
    """The balance of every ledger account; they add to zero."""
    with conn.cursor(row_factory=class_row(AccountBalance)) as cursor:
        return cursor.execute(_sql.trial_balance).fetchall()


def owed_in_all(conn: Connection, *, on_date: date) -> Owed:
    """What all customers owe on a date."""
    with conn.cursor(row_factory=class_row(Owed)) as cursor:
        found = cursor.execute(_sql.owed_in_all, {"on_date": on_date}).fetchone()
    assert found is not None  # an aggregate always answers
    return found
