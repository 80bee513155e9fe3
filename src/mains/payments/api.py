"""JSON routes: what is owed, payments, the trial balance."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import Field

from mains.base.http import InTransaction
from mains.customers.queries import customer
from mains.network.queries import own_utility
from mains.payments import operations, queries

router = APIRouter(prefix="/v1", tags=["payments"])

Method = Literal["bank", "card", "check", "cash", "lockbox", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """A payment to take: an amount above zero in the utility's currency, with at most two decimals, on a local date."""

    customer_id: UUID
    amount: Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=2)]
    payment_date: date
    method: Method = "bank"
    reference: Annotated[str | None, Field(max_length=200)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The payment that was taken, now or before under the same key."""

    payment_id: UUID


@router.get("/customers/{customer_id}/balance")
def balance(conn: InTransaction, customer_id: UUID, on_date: date | None = None) -> queries.Balance:
    """What a customer owes on a date (today), with what is overdue by age."""
    customer(conn, customer_id=customer_id)
    return queries.balance_of_customer(conn, customer_id=customer_id, on_date=on_date or datetime.now(UTC).date())


@router.get("/customers/{customer_id}/payments")
def payments_of_customer(conn: InTransaction, customer_id: UUID) -> list[queries.Payment]:
    """The newest fifty payments of a customer."""
    customer(conn, customer_id=customer_id)
    return queries.payments_of_customer(conn, customer_id=customer_id)


@router.post("/payments", status_code=201)
def receive_payment(conn: InTransaction, payment: NewPayment, idempotency_key: Annotated[str, Header(min_length=1, max_length=255)]) -> Taken:
    """Take a payment once under its Idempotency-Key, against the oldest bills due; the same call again answers the same."""
    customer(conn, customer_id=payment.customer_id)
    payment_id = operations.receive_payment(
        conn,
        customer_id=payment.customer_id,
        amount=payment.amount,
        currency=own_utility(conn).currency,
        payment_date=payment.payment_date,
        method=payment.method,
        reference=payment.reference,
        idempotency_key=idempotency_key,
        at=datetime.now(UTC),
    )
    return Taken(payment_id=payment_id)


@router.get("/trial-balance")
def trial_balance(conn: InTransaction) -> list[queries.AccountBalance]:
    """The balance of every ledger account; they add to zero."""
    return queries.trial_balance(conn)
