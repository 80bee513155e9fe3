"""The demo in a database: whole, balanced, kept apart, and done once."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from mains.base.db import Database, system_actor
from mains.billing.queries import bill_keys
from mains.billing.verifying import verify_bills
from mains.demo import building, loading, stories
from mains.demo.loading import Chosen, planned
from mains.demo.span import local_months
from mains.demo.steps import Steps
from mains.demo.summary import summarise

CHOSEN = Chosen(customers=40, seed=1882)
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def plan():
    return planned(CHOSEN)


@pytest.fixture(scope="module")
def built(database: Database, plan):
    building.build(database, chosen=CHOSEN, at=AT, steps=Steps(is_quiet=True))
    return database


def rows(database: Database, plan, query: str, *values, utility: int = 0):
    with database.transaction(actor=system_actor(plan.utilities[utility].key, job="tests")) as conn:
        return conn.execute(query.encode(), values).fetchall()


def counts(database: Database) -> dict[str, int]:
    with database.administering() as conn:
        tables = conn.execute(
            """SELECT oid::regclass::text FROM pg_class
               WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')"""
        ).fetchall()
        return {table: conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()[0][0] for (table,) in tables}


def test_everything_of_the_plan_is_there(built, plan):
    with built.administering() as conn:
        for table, expected in {
            "customers.customers": plan.customers, "customers.service_accounts": plan.accounts, "customers.rate_assignments": plan.rate_assignments,
            "devices.meters": plan.meters, "metering.channels": plan.channels, "network.nodes": plan.nodes, "network.edges": plan.edges,
            "outages.outages": plan.interruptions, "network.infrastructure_assets": plan.assets,
        }.items():  # fmt: skip
            assert conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == len(expected), table


def test_a_second_run_changes_nothing(built):
    before = counts(built)
    building.build(built, chosen=CHOSEN, at=AT, steps=Steps(is_quiet=True))
    assert counts(built) == before


def test_another_size_is_refused_and_nothing_is_changed(built):
    before = counts(built)
    with pytest.raises(building.DatabaseHoldsSomethingElse) as told:
        building.build(built, chosen=Chosen(customers=41, seed=1882), at=AT, steps=Steps(is_quiet=True))
    assert "--customers 40 --seed 1882" in str(told.value.cure)
    assert counts(built) == before


def test_each_utility_sees_its_own_rows_only(built, plan):
    for number, utility in enumerate(plan.utilities):
        assert rows(built, plan, "SELECT utility_code FROM network.utilities", utility=number) == [(utility.code,)]
        mine = sum(c.utility == utility.key for c in plan.customers)
        assert rows(built, plan, "SELECT count(*) FROM customers.customers", utility=number) == [(mine,)]
        for table in ("metering.interval_blocks", "metering.register_reads", "billing.bills", "payments.ledger_entries", "insights.usage_analytics"):
            assert rows(built, plan, f"SELECT count(*) FROM {table} WHERE utility_id <> %s", utility.key, utility=number) == [(0,)]


def test_an_account_has_exactly_one_rate_at_each_instant_it_is_open(built, plan):
    for number in range(len(plan.utilities)):
        torn = rows(
            built, plan,
            """SELECT a.account_number FROM customers.service_accounts a JOIN customers.service_points p USING (service_point_id)
               LEFT JOIN customers.rate_assignments r USING (account_id)
               GROUP BY a.account_id, p.timezone HAVING range_agg(r.effective_period) IS DISTINCT FROM
                   datemultirange(daterange((lower(a.active_period) AT TIME ZONE p.timezone)::date, (upper(a.active_period) AT TIME ZONE p.timezone)::date))""",
            utility=number,
        )  # fmt: skip
        assert torn == []


def test_every_service_is_billed_or_held_with_a_reason_in_every_month(built, plan):
    months = local_months()
    due = {
        (account.key, first)
        for account in plan.accounts
        for first, end in months
        if account.from_date < end and (account.to_date is None or account.to_date > first)
    }
    found = Counter()
    for number in range(len(plan.utilities)):
        found.update((a, d.replace(day=1)) for a, d in rows(built, plan, "SELECT account_id, billing_period_start FROM billing.bills", utility=number))
        held = "SELECT DISTINCT account_id, billing_period_start FROM billing.bill_exceptions WHERE exception_status = 'open' AND message <> '' AND cure <> ''"
        found.update((a, d.replace(day=1)) for a, d in rows(built, plan, held, utility=number))
    assert set(found) == due
    assert set(found.values()) == {1}


def test_the_planted_faults_hold_the_bills_they_should(built, plan):
    held = rows(
        built, plan,
        """SELECT c.customer_number, a.commodity, e.code, e.billing_period_start FROM billing.bill_exceptions e
           JOIN customers.service_accounts a USING (account_id) JOIN customers.customers c USING (customer_id) WHERE e.exception_status = 'open'""",
    )  # fmt: skip
    at = {(customer, commodity, code, first.isoformat()) for customer, commodity, code, first in held}
    by_story = {customer.story: customer.customer_number for customer in plan.customers if customer.story}
    assert (by_story["real_gap"], "electric", "missing-readings", "2026-08-01") in at
    assert (by_story["spike"], "electric", "doubtful-readings", "2026-06-01") in at
    has_gas = any(c.commodity == "gas" and c.premise_number == 36 for c in plan.channels)
    before_and_after = {(by_story["gas_read_missing"], "gas", "missing-reads", month) for month in ("2026-01-01", "2026-02-01")}
    assert not has_gas or before_and_after <= at


def test_the_rate_switch_makes_a_bill_with_two_rates(built, plan):
    customer = next(c.key for c in plan.customers if c.story == "rate_switch")
    segments = rows(
        built, plan,
        """SELECT i.segments FROM billing.bills b JOIN billing.bill_inputs i USING (account_id, bill_id)
           WHERE b.customer_id = %s AND b.commodity = 'electric' AND b.billing_period_start = '2026-03-01'""", customer,
    )  # fmt: skip
    assert [segment["from_date"] for segment in segments[0][0]] == ["2026-03-01", stories.RATE_SWITCH.isoformat()]


def test_the_ledger_sums_to_zero_and_bills_equal_what_is_posted(built, plan):
    for number in range(len(plan.utilities)):
        assert rows(built, plan, "SELECT coalesce(sum(amount), 0) FROM payments.ledger_entries", utility=number)[0][0] == 0
        billed = rows(built, plan, "SELECT sum(total_amount), (SELECT sum(amount) FROM payments.payments) FROM billing.bills", utility=number)[0]
        posted = rows(
            built, plan,
            """SELECT sum(e.amount) FILTER (WHERE t.transaction_kind = 'bill' AND e.ledger_account = 'receivable'), sum(e.amount) FILTER (WHERE e.ledger_account = 'cash')
               FROM payments.ledger_entries e JOIN payments.ledger_transactions t USING (ledger_transaction_id)""",
            utility=number,
        )[0]  # fmt: skip
        assert posted == billed


def test_every_bill_can_be_made_again(built, plan):
    for utility in plan.utilities:
        with built.transaction(actor=system_actor(utility.key, job="tests")) as conn:
            found = verify_bills(conn, bill_keys(conn))
        assert found.bills > 0
        assert found.different == ()


def test_hourly_sums_are_the_sums_of_the_readings(built, plan):
    for number in range(len(plan.utilities)):
        query = """SELECT (SELECT sum(total) FROM metering.rollups WHERE width_s = 3600), (SELECT sum(total) FROM metering.interval_blocks),
                          (SELECT sum(readings) FROM metering.rollups WHERE width_s = 3600), (SELECT sum(n_valid) FROM metering.interval_blocks)"""
        hourly, stored, hourly_count, stored_count = rows(built, plan, query, utility=number)[0]
        assert (hourly, hourly_count) == (stored, stored_count)


def test_the_summary_says_what_is_there_and_where_to_look(built, plan):
    found = summarise(built, plan, steps=[], seconds=1, at=AT)
    assert found.customers == 40
    assert sum(found.held.values()) >= 2
    assert {page.what for page in found.pages} >= {"a home", "a home with a car", "a factory", "a bill with two rates inside", "bills that are held, and why"}
    assert found.sign_in.startswith("/sign-in/")


def test_an_interrupted_load_of_readings_is_completed(built, plan):
    """As if a process had stopped between storing and closing the delivery, with some blocks lost."""
    utility = plan.utilities[1]
    with built.administering() as conn:
        before = conn.execute("SELECT count(*), sum(total) FROM metering.interval_blocks").fetchone()
        batch = conn.execute("SELECT batch_id FROM metering.ingest_batches WHERE utility_id = %s AND source LIKE '%%intervals'", [utility.key]).fetchone()[0]
        conn.execute("UPDATE metering.ingest_batches SET finished_at = NULL WHERE batch_id = %s", [batch])
        conn.execute("DELETE FROM metering.interval_blocks WHERE batch_id = %s AND channel_id %% 2 = 0", [batch])
    building.build(built, chosen=CHOSEN, at=AT, steps=Steps(is_quiet=True))
    with built.administering() as conn:
        assert conn.execute("SELECT count(*), sum(total) FROM metering.interval_blocks").fetchone() == before
        assert conn.execute("SELECT count(*) FROM metering.ingest_batches WHERE finished_at IS NULL").fetchone() == (0,)
    assert loading.channels_of(plan, utility)[1] == []


