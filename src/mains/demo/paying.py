"""What becomes of the bills: they are posted, and customers pay them as is their habit, up to the demo's last day."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import dict_row

from mains.base.bulk import insert_rows
from mains.base.ids import named_uuid
from mains.base.sql import Statements
from mains.demo.model import PaymentHabit

_queries = Statements("mains.demo", "queries.sql")

LAST_DAY = date(2026, 11, 15)
"""Payments are known up to this local date."""
_METHODS = {"direct_debit": "bank", "bank_transfer": "bank", "card": "card", "cheque": "check", "cash": "cash"}
_WORDS = {"direct_debit": "Direct debit", "bank_transfer": "Bank transfer", "card": "Card", "cheque": "Cheque", "cash": "At the counter"}


def is_settled(conn: Connection) -> bool:
    """Whether every bill and payment of the utility is in the ledger."""
    row = conn.execute(_queries.is_settled).fetchone()
    assert row is not None  # a SELECT of expressions always answers
    return row[0]


def receive_payments(conn: Connection, habits: dict[UUID, PaymentHabit], *, timezone: str, bill_run_id: UUID | None = None) -> int:
    """Write the payments that customers made for the bills of one run, or of all, each once whatever is asked twice; how many were new."""
    with conn.cursor(row_factory=dict_row) as cursor:
        bills = cursor.execute(_queries.bills_to_pay, {"bill_run_id": bill_run_id}).fetchall()
    columns = ["payment_id", "customer_id", "payment_date", "received_at", "amount", "currency", "method", "reference", "idempotency_key"]
    return insert_rows(conn, "payments.payments", columns, _payments(bills, habits, ZoneInfo(timezone)), on_conflict="skip")


def _payments(bills: list[dict[str, Any]], habits: dict[UUID, PaymentHabit], zone: ZoneInfo) -> Iterator[tuple[object, ...]]:
    """One payment a bill, where the customer pays and the day has come."""
    for bill in bills:
        habit = habits[bill["customer_id"]]
        amount = (bill["total_amount"] * habit.share).quantize(Decimal("0.01"), ROUND_HALF_UP)
        paid_on = bill["due_date"] + timedelta(days=habit.days_from_due)
        if amount <= 0 or paid_on > LAST_DAY:
            continue
        received_at = datetime.combine(paid_on, time(12), zone)
        reference = f"{_WORDS[habit.method]}, bill {bill['bill_number']}"
        key = named_uuid("demo", "payment", bill["bill_number"], bill["bill_id"])
        yield key, bill["customer_id"], paid_on, received_at, amount, bill["currency"], _METHODS[habit.method], reference, f"demo/{bill['bill_id']}"
