"""Bills and the ledger: what is issued or taken back is posted, and payments that come at once pay no bill twice."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from town import AFTERWARDS, Town

from mains.billing import operations as billing
from mains.cli import main
from mains.payments.operations import UnableToReceivePayment, keep_books, receive_payment
from mains.payments.queries import balance_of_customer

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
TODAY = AFTERWARDS.date()


@pytest.fixture(autouse=True)
def books(monkeypatch):
    """The ledger is kept, as it is wherever the application is put together."""
    monkeypatch.setattr(billing, "_ledgers", [])
    keep_books()


@pytest.fixture
def mains(town: Town, monkeypatch, capsys, tmp_path):
    """Run a command on the town; gives its exit code and its JSON."""
    database = town.database
    for name, value in {"HOME": str(tmp_path), "DATABASE_URL": database.admin_url, "APP_URL": database.app_url, "INGEST_URL": database.ingest_url}.items():
        monkeypatch.setenv(f"MAINS_{name}", value)
    code = town.ask("SELECT utility_code FROM network.utilities WHERE utility_id = identity.current_utility()")[0][0]

    def run(*words: str):
        exit_code = main([*words, "--utility", code, "--json"])
        return exit_code, json.loads(capsys.readouterr().out)

    return run


def home_with_april(town: Town) -> UUID:
    """Somebody with readings for April; gives the account."""
    account, channel = town.home()
    town.measures(channel, np.full((32, 96), 250, dtype=np.int32), first=date(2026, 3, 31))
    return account


def customer_of(town: Town, account: UUID) -> UUID:
    return town.ask("SELECT customer_id FROM customers.service_accounts WHERE account_id = %s", account)[0][0]


def owed(town: Town, customer: UUID) -> tuple[Decimal, Decimal]:
    """What a customer owes, and what they paid beyond it."""
    with town.database.transaction(actor=town.clerk) as conn:
        balance = balance_of_customer(conn, customer_id=customer, on_date=date(2100, 1, 1))  # commands post on the real date
    return balance.owed, balance.unapplied


def pay(town: Town, customer: UUID, amount: str, key: str, *, on: date = TODAY, method: str = "bank", reference: str | None = None) -> UUID:
    with town.database.transaction(actor=town.clerk) as conn:
        return receive_payment(
            conn, customer_id=customer, amount=Decimal(amount), currency="USD", payment_date=on, method=method, idempotency_key=key, at=AFTERWARDS, reference=reference
        )  # fmt: skip


def test_the_command_posts_what_it_bills_and_what_it_takes_back(town: Town, mains):
    account = home_with_april(town)
    customer = customer_of(town, account)

    assert mains("bills", "run", "2026-04-01", "2026-05-01")[0] == 0
    bill_id, total = town.bill_of(account, APRIL)
    assert owed(town, customer) == (total, 0)

    assert mains("bills", "cancel", str(bill_id), "--reason", "meter was read wrongly")[0] == 0
    assert owed(town, customer) == (0, 0)

    assert mains("bills", "run", "2026-04-01", "2026-05-01")[1]["bills_made"] == 1
    assert owed(town, customer) == (total, 0)


def test_bills_that_a_stopped_run_left_unposted_are_posted_by_the_next(town: Town, mains):
    account = home_with_april(town)
    town.bills(APRIL, MAY)
    assert owed(town, customer_of(town, account)) == (0, 0)

    mains("bills", "run", "2026-04-01", "2026-05-01")

    assert owed(town, customer_of(town, account)) == (town.bill_of(account, APRIL)[1], 0)


def test_a_bill_is_not_taken_back_without_a_reason(town: Town, mains):
    account = home_with_april(town)
    town.bills(APRIL, MAY)

    code, problem = mains("bills", "cancel", str(town.bill_of(account, APRIL)[0]), "--reason", "  ")

    assert (code, problem["type"]) == (1, "/problems/unable-to-cancel-bill")
    assert town.bill_of(account, APRIL) is not None


def test_payments_that_come_at_once_pay_no_bill_twice(town: Town, mains):
    account = home_with_april(town)
    customer = customer_of(town, account)
    mains("bills", "run", "2026-04-01", "2026-05-01")
    total = town.bill_of(account, APRIL)[1]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: pay(town, customer, "30.00", f"at-once-{number}"), range(16)))

    assert owed(town, customer) == (0, 480 - total)


def test_one_key_sent_many_times_at_once_is_one_payment(town: Town):
    customer = customer_of(town, home_with_april(town))

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: pay(town, customer, "30.00", "one"), range(16)))

    assert len(keys) == 1
    assert owed(town, customer) == (0, 30)


@pytest.mark.parametrize("other", [{"method": "cash"}, {"reference": "invoice 7"}, {"on": TODAY - timedelta(days=1)}], ids=str)
def test_a_key_stands_for_one_payment_in_every_value(town: Town, other):
    customer = customer_of(town, home_with_april(town))
    pay(town, customer, "30.00", "one")

    with pytest.raises(UnableToReceivePayment, match="used for another payment"):
        pay(town, customer, "30.00", "one", **other)


@pytest.mark.parametrize("on", [date(1, 1, 1), TODAY - timedelta(days=4000), TODAY + timedelta(days=2), date(9999, 12, 31)], ids=str)
def test_a_payment_of_an_impossible_date_is_refused(town: Town, on):
    with pytest.raises(UnableToReceivePayment, match="a payment of"):
        pay(town, customer_of(town, home_with_april(town)), "30.00", "one", on=on)


def test_a_payment_that_was_taken_is_never_changed(town: Town):
    customer = customer_of(town, home_with_april(town))
    payment = pay(town, customer, "30.00", "one")

    for change in ("amount = 1", "customer_id = gen_random_uuid()", "payment_date = '2020-01-01'", "idempotency_key = 'two'"):
        with pytest.raises(Exception, match="was taken: it can be returned or refunded, never changed"):
            town.ask(f"UPDATE payments.payments SET {change} WHERE payment_id = %s RETURNING 1", payment)
    assert town.ask("UPDATE payments.payments SET payment_status = 'returned' WHERE payment_id = %s RETURNING payment_status", payment) == [("returned",)]
