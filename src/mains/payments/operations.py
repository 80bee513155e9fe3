"""Writes: bills and payments become postings. The caller owns the transaction; a posting is made once, whatever is asked twice."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from psycopg import Connection

from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.billing import operations as billing

_sql = Statements("mains.payments", "operations.sql")

COMMODITIES = ("electric", "gas", "water", "sewer", "telecom")
CHARGE_KINDS = ("fixed", "energy", "demand", "minimum", "percent", "export", "adjustment")


OLDEST = timedelta(days=10 * 365)
"""How far back a payment may be dated."""


class UnableToReceivePayment(Problem):
    """The payment cannot be taken as given."""

    status = 409


def chart() -> list[tuple[str, str, str]]:
    """The standard chart: (code, name, kind) of every account that postings use.

    >>> [code for code, _, kind in chart() if kind == "asset"]
    ['cash', 'receivable']
    """
    fixed = [
        ("cash", "Cash and bank", "asset"),
        ("receivable", "Owed by customers", "asset"),
        ("unapplied_cash", "Paid by customers, not yet applied to a bill", "liability"),
        ("tax_payable", "Taxes and fees to pass on", "liability"),
        ("deposits", "Customers' deposits held", "liability"),
        ("bad_debt", "Written off", "expense"),
    ]
    return fixed + [
        (f"revenue.{commodity}.{kind}", f"Revenue: {commodity}, {kind} charges", "income")
        for commodity in COMMODITIES
        for kind in CHARGE_KINDS
    ]


def ensure_chart(conn: Connection) -> None:
    """Make the accounts of the standard chart that the utility lacks."""
    codes, names, kinds = zip(*chart(), strict=True)
    conn.execute(_sql.ensure_chart, {"codes": list(codes), "names": list(names), "kinds": list(kinds)})


def post_bills(conn: Connection, *, at: datetime) -> int:
    """Post issued bills that are not in the ledger yet, and reverse cancelled ones; says how many entries were written."""
    conn.execute(_sql.one_writer)
    ensure_chart(conn)
    return conn.execute(_sql.post_bills, {"at": at}).rowcount + conn.execute(_sql.reverse_bills, {"at": at}).rowcount


def keep_books() -> None:
    """Have bills posted to this ledger in the transaction that issues them or takes them back."""
    billing.keep_ledger(_take_in)


def _take_in(conn: Connection, at: datetime) -> None:
    post_bills(conn, at=at)


def post_payments(conn: Connection, *, at: datetime) -> int:
    """Post payments that are not in the ledger yet against the oldest bills due; says how many entries were written."""
    conn.execute(_sql.one_writer)
    ensure_chart(conn)
    return conn.execute(_sql.post_payments, {"at": at}).rowcount


def receive_payment(
    conn: Connection,
    *,
    customer_id: UUID,
    amount: Decimal,
    currency: str,
    payment_date: date,
    method: str,
    idempotency_key: str,
    at: datetime,
    reference: str | None = None,
) -> UUID:
    """Take a payment once under its key, post it, and give its key; the same call again gives the same payment.

    Raises:
        UnableToReceivePayment: the amount is not positive, the date lies ahead or more than ten years back, or the key was used for another payment.
    """
    if amount <= 0:
        raise UnableToReceivePayment(f"a payment of {amount} {currency}", cure="give an amount above zero; money back is a refund")
    if not at.date() - OLDEST <= payment_date <= at.date() + timedelta(days=1):
        raise UnableToReceivePayment(f"a payment of {payment_date.isoformat()}", cure="give the date on which it came: not one ahead, and not one more than ten years back")
    conn.execute(_sql.one_writer)
    values = {
        "customer_id": customer_id, "amount": amount, "currency": currency, "payment_date": payment_date, "received_at": at,
        "method": method, "reference": reference, "idempotency_key": idempotency_key,
    }  # fmt: skip
    if row := conn.execute(_sql.receive_payment, values).fetchone():
        post_payments(conn, at=at)
        return row[0]
    known = conn.execute(_sql.payment_by_key, {"idempotency_key": idempotency_key}).fetchone()
    if known is None or known[1:] != (customer_id, amount, payment_date, method, reference):
        raise UnableToReceivePayment(
            f"key {idempotency_key} was used for another payment",
            cure="give each payment a key of its own; send the same payment again with the same key and values",
        )
    return known[0]
