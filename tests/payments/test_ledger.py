"""The ledger: it balances, it only grows, and money meets the oldest bill."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from town import AFTERWARDS, Town

from mains.base.ids import uuid7
from mains.billing import operations as billing
from mains.payments import operations, queries

FEBRUARY, MARCH, APRIL, MAY = (date(2026, month, 1) for month in (2, 3, 4, 5))


def billed(town: Town, *, months=((FEBRUARY, MARCH), (MARCH, APRIL), (APRIL, MAY))):
    """A home with a bill a month, posted: customer and bills, oldest first."""
    account, channel = town.home()
    town.measures(channel, np.full((100, 96), 250, dtype=np.int32), first=date(2026, 1, 31))
    for first, end in months:
        town.bills(first, end)
    with town.database.transaction(actor=town.clerk) as conn:
        operations.post_bills(conn, at=AFTERWARDS)
    rows = town.ask("SELECT customer_id, bill_id, total_amount, bill_number FROM billing.bills WHERE account_id = %s ORDER BY billing_period_start", account)
    return rows[0][0], [(bill_id, total) for _, bill_id, total, _ in rows]


def pays(town: Town, customer, amount: str, *, key: str | None = None, on: date = date(2026, 11, 20)):
    with town.database.transaction(actor=town.clerk) as conn:
        return operations.receive_payment(
            conn, customer_id=customer, amount=Decimal(amount), currency="USD", payment_date=on, method="bank", idempotency_key=key or uuid7().hex, at=AFTERWARDS
        )


def owes(town: Town, customer, on: date = date(2026, 11, 20)):
    with town.database.transaction(actor=town.clerk) as conn:
        return queries.balance_of_customer(conn, customer_id=customer, on_date=on)


def open_amounts(town: Town, bills):
    with town.database.transaction(actor=town.clerk) as conn:
        found = queries.open_amounts(conn, [bill_id for bill_id, _ in bills])
    return [found.get(bill_id, Decimal(0)) for bill_id, _ in bills]


def test_bills_become_postings_that_balance_once(town: Town):
    customer, bills = billed(town)
    with town.database.transaction(actor=town.clerk) as conn:
        assert operations.post_bills(conn, at=AFTERWARDS) == 0
        balances = {each.ledger_account: each.balance for each in queries.trial_balance(conn)}

    total = sum(amount for _, amount in bills)
    assert owes(town, customer).owed == total
    assert balances["receivable"] == total
    assert balances["revenue.electric.fixed"] == -3 * Decimal("12.50")
    assert balances["tax_payable"] < 0
    assert sum(balances.values()) == 0


def test_a_payment_meets_the_oldest_bill_first_and_the_rest_waits(town: Town):
    customer, bills = billed(town)
    first, second, third = (amount for _, amount in bills)

    pays(town, customer, str(first + Decimal("10.00")))
    assert open_amounts(town, bills) == [0, second - Decimal("10.00"), third]

    pays(town, customer, str(second + third))
    assert open_amounts(town, bills) == [0, 0, 0]
    balance = owes(town, customer)
    assert (balance.owed, balance.unapplied) == (0, Decimal("10.00"))


def test_the_same_payment_twice_is_taken_once(town: Town):
    customer, bills = billed(town)
    paid = {pays(town, customer, "50.00", key="bank-1") for _ in range(3)}

    assert len(paid) == 1
    assert sum(open_amounts(town, bills)) == sum(amount for _, amount in bills) - 50
    with pytest.raises(operations.UnableToReceivePayment, match="key bank-1 was used for another payment"):
        pays(town, customer, "51.00", key="bank-1")


def test_the_same_payment_many_times_at_once_is_taken_once(town: Town):
    customer, bills = billed(town, months=((APRIL, MAY),))
    with ThreadPoolExecutor(8) as pool:
        paid = set(pool.map(lambda _: pays(town, customer, "20.00", key="bank-9"), range(16)))

    assert len(paid) == 1
    assert sum(open_amounts(town, bills)) == bills[0][1] - 20


def test_nothing_and_less_than_nothing_are_no_payments(town: Town):
    customer, _ = billed(town, months=((APRIL, MAY),))
    for amount in ("0.00", "-5.00"):
        with pytest.raises(operations.UnableToReceivePayment, match="a payment of"):
            pays(town, customer, amount)


def test_a_cancelled_bill_is_reversed_and_its_payment_stands_as_credit(town: Town):
    customer, bills = billed(town, months=((APRIL, MAY),))
    pays(town, customer, str(bills[0][1]))
    with town.database.transaction(actor=town.clerk) as conn:
        billing.cancel_bill(conn, bill_id=bills[0][0], at=AFTERWARDS, reason="read wrongly")
        operations.post_bills(conn, at=AFTERWARDS)
        operations.post_bills(conn, at=AFTERWARDS)
        balances = queries.trial_balance(conn)

    balance = owes(town, customer)
    assert balance.owed - balance.unapplied == -bills[0][1]
    assert sum(each.balance for each in balances) == 0


def test_what_was_owed_on_a_date_is_what_was_posted_up_to_then(town: Town):
    customer, bills = billed(town)
    pays(town, customer, "30.00", on=date(2026, 11, 21))

    assert owes(town, customer, date(2026, 11, 19)).owed == 0  # the bills were issued on the 20th
    assert owes(town, customer, date(2026, 11, 20)).owed == sum(amount for _, amount in bills)
    assert owes(town, customer, date(2026, 11, 21)).owed == sum(amount for _, amount in bills) - 30


def unbalanced(town: Town, customer) -> None:
    """A posting with one entry of five dollars and nothing against it."""
    transaction = (
        "INSERT INTO payments.ledger_transactions (posted_at, posting_date, transaction_kind, source_id, description) "
        "VALUES (now(), '2026-11-20', 'adjustment', %s, 'x') RETURNING ledger_transaction_id"
    )
    entry = "INSERT INTO payments.ledger_entries (ledger_transaction_id, ledger_account, customer_id, amount) VALUES (%s, 'cash', %s, 5)"
    with town.database.transaction(actor=town.clerk) as conn:
        (key,) = conn.execute(transaction, [uuid7()]).fetchone()
        conn.execute(entry, [key, customer])


def test_entries_that_do_not_balance_are_refused_by_the_database(town: Town):
    customer, _ = billed(town, months=((APRIL, MAY),))
    with pytest.raises(Exception, match="does not balance: its entries sum to"):
        unbalanced(town, customer)


def test_the_ledger_only_grows(town: Town):
    billed(town, months=((APRIL, MAY),))
    for verb in ("UPDATE payments.ledger_entries SET amount = 1 RETURNING 1", "DELETE FROM payments.ledger_entries RETURNING 1"):
        with pytest.raises(Exception, match="permission denied"):
            town.ask(verb)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cents=st.lists(st.integers(1, 20_000), min_size=1, max_size=6))
def test_whatever_is_paid_the_books_balance_and_nobody_pays_twice(town: Town, cents):
    customer, bills = billed(town)
    for amount in cents:
        pays(town, customer, str(Decimal(amount) / 100))

    paid, total = Decimal(sum(cents)) / 100, sum(amount for _, amount in bills)
    balance, still_open = owes(town, customer), open_amounts(town, bills)
    assert balance.owed == max(total - paid, 0)
    assert balance.unapplied == max(paid - total, 0)
    assert all(0 <= left <= amount for left, (_, amount) in zip(still_open, bills, strict=True))
    assert sorted(still_open, key=bool) == still_open or [bool(left) for left in still_open] == sorted(bool(left) for left in still_open)  # oldest first
    with town.database.transaction(actor=town.clerk) as conn:
        assert sum(each.balance for each in queries.trial_balance(conn)) == 0
