"""Months are made ahead; what came before its month was made is moved into it, and nothing is lost."""

from datetime import UTC, datetime

import pytest

from mains.base.db import Actor
from mains.base.ids import uuid7


@pytest.fixture
def clerk(admin) -> Actor:
    utility = uuid7()
    admin.execute("SELECT set_config('app.actor', 'tests', false)")
    admin.execute(
        "SELECT network.found_utility(%s, %s, %s, 'municipal', '{electric}', 'USD', 'America/Chicago')",
        [utility, str(utility), f"u-{utility}"[:30]],
    )
    return Actor(role="staff", utility_id=utility, name="Ada Clerk")


def test_the_audit_log_has_its_months_ahead(database, clerk, admin):
    with database.transaction(actor=clerk) as conn:
        conn.execute("INSERT INTO customers.customers (customer_number, full_name, customer_class) VALUES ('C1', 'Ann', 'residential')")

    assert admin.execute("SELECT count(*) FROM identity.utility_audit_log_default").fetchone() == (0,)


def test_blocks_that_waited_in_the_default_partition_move_into_their_month(database, clerk, admin):
    row = (
        "INSERT INTO metering.interval_blocks (channel_id, block_start, total, peak, batch_id, utc_offset_min, n_valid, width, vals, interval_s) "
        "VALUES (%s, %s, 5, 3, 1, 0, 2, 2, '\\x02000300', 43200)"
    )
    with database.transaction(actor=clerk) as conn:
        conn.execute(row, [1, datetime(1999, 3, 5, tzinfo=UTC)])
        conn.execute(row, [1, datetime(1999, 4, 5, tzinfo=UTC)])
    assert admin.execute("SELECT count(*) FROM metering.interval_blocks_default").fetchone() == (2,)

    with database.transaction(actor=clerk) as conn:
        made = conn.execute("SELECT metering.ensure_partitions('1999-03-01', '1999-03-20')").fetchone()
        kept = conn.execute("SELECT count(*) FROM metering.interval_blocks").fetchone()

    assert (made, kept) == ((1,), (2,))
    assert admin.execute("SELECT count(*) FROM metering.interval_blocks_1999_03").fetchone() == (1,)
    with database.transaction(actor=clerk) as conn, pytest.raises(Exception, match="duplicate key"):
        conn.execute(row, [1, datetime(1999, 3, 5, tzinfo=UTC)])


def test_audit_entries_that_waited_move_too(database, clerk, admin):
    with database.transaction(actor=clerk) as conn:
        conn.execute("INSERT INTO customers.customers (customer_number, full_name, customer_class) VALUES ('C1', 'Ann', 'residential')")
    admin.execute("UPDATE identity.utility_audit_log_default SET changed_at = changed_at")  # nothing waits
    month = admin.execute("SELECT to_char(now(), 'YYYY_MM')").fetchone()[0]
    admin.execute(f"ALTER TABLE identity.utility_audit_log DETACH PARTITION identity.utility_audit_log_{month}")
    admin.execute(
        f"INSERT INTO identity.utility_audit_log_default OVERRIDING SYSTEM VALUE SELECT * FROM identity.utility_audit_log_{month}"
    )
    before = admin.execute(f"SELECT count(*) FROM identity.utility_audit_log_{month}").fetchone()
    admin.execute(f"DROP TABLE identity.utility_audit_log_{month}")

    assert admin.execute("SELECT identity.ensure_audit_partitions(current_date, 1)").fetchone() == (1,)

    assert admin.execute(f"SELECT count(*) FROM identity.utility_audit_log_{month}").fetchone() == before
    assert admin.execute("SELECT count(*) FROM identity.utility_audit_log_default").fetchone() == (0,)
