"""The two dashboards: each fact counted once, for its own utility, in its own unit, and never divided by nothing.

The town of the tests has 3 pieces of equipment in service (2 operational), 4 customers (3 active), 4 devices (3 active, 2 of them heard), 2 open outages with 750 customers out and
3 MW lost, and 400 owed: each number is one that a join of everything with everything would multiply.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import row_factory as factory

from mains.base import server
from mains.base.db import Actor

ZONE = ZoneInfo("America/Chicago")
FACTS = """
INSERT INTO network.service_zones (zone_name, zone_code) VALUES ('North', 'n'), ('South', 's');
INSERT INTO network.infrastructure_assets (asset_name, asset_type, asset_status, retired_date) VALUES
    ('T1', 'transformer', 'operational', NULL), ('T2', 'transformer', 'operational', NULL), ('T3', 'transformer', 'out_of_service', NULL),
    ('T4', 'transformer', 'retired', '2020-01-01'), ('T5', 'transformer', 'planned', NULL);
INSERT INTO customers.customers (customer_number, full_name, customer_class, service_status, service_zone_id)
    SELECT 'C' || n, 'Customer ' || n, 'residential', CASE WHEN n = 4 THEN 'closed' ELSE 'active' END, (SELECT zone_id FROM network.service_zones WHERE zone_code =
        'n' AND utility_id = identity.current_utility() AND n < 3)
    FROM generate_series(1, 4) AS n;
INSERT INTO devices.smart_devices (device_type, serial_number, device_status, installed_at, last_communication)
    SELECT 'gateway', 'D' || n, CASE WHEN n = 4 THEN 'faulty' ELSE 'active' END, '2020-01-01', now() - make_interval(mins => CASE WHEN n = 3 THEN 90 ELSE 10 END)
        FROM generate_series(1, 4) AS n;
INSERT INTO outages.outages (outage_number, outage_status, outage_start, actual_restoration, affected_customers, customers_restored, estimated_load_lost_mw) VALUES
    ('O1', 'confirmed', now() - interval '1 hour', NULL, 500, 50, 2), ('O2', 'repairing', now() - interval '2 hours', NULL, 300, 0, 1), ('O3', 'restored', now() -
        interval '9 hours', now(), 9000, 9000, 80);
INSERT INTO insights.usage_analytics (report_date, customers_served, total_usage, calculated_at) VALUES
    ((now() AT TIME ZONE 'America/Chicago')::date - 1, 10, 200, now()), ((now() AT TIME ZONE 'America/Chicago')::date - 2, 30, 200, now()), ((now() AT TIME ZONE
        'America/Chicago')::date - 40, 1, 99999, now());
INSERT INTO customers.support_tickets (customer_id, topic, subject, ticket_status, opened_at, resolved_at)
    SELECT c.customer_id, 'bill', 'Why?', v.status, now(), v.resolved FROM customers.customers c, (VALUES ('open', NULL::timestamptz), ('waiting', NULL), ('closed',
        now())) AS v (status, resolved)
    WHERE c.customer_number = 'C1' AND c.utility_id = identity.current_utility();
"""


@pytest.fixture(scope="module")
def towns(database):
    """Two utilities with the same facts, and one with nothing at all."""
    with server.connect(database.admin_url) as conn, conn.transaction():
        keys = {}
        for name in ("dashes", "dots", "empty"):
            keys[name] = factory.found_utility(conn, name=name)
            if name != "empty":
                conn.execute(FACTS)
                money(conn)
    return keys


def money(conn):
    """Two overdue bills of one account and one that is not due: 500 billed, 100 paid today, so 400 owed; 25 of today's cash came back."""
    today = conn.execute("SELECT (now() AT TIME ZONE 'America/Chicago')::date").fetchone()[0]
    conn.execute("INSERT INTO payments.ledger_accounts (ledger_account, account_name, account_kind) VALUES ('receivable', 'Owed', "
        "'asset'), ('cash', 'Bank', 'asset'), ('income', 'Sales', 'income')")
    customer = conn.execute("SELECT customer_id FROM customers.customers WHERE customer_number = 'C1' AND utility_id = identity.current_utility()").fetchone()[0]
    premise = conn.execute("INSERT INTO customers.premises (premise_number, address_line, city) VALUES ('P', 'a', 'b') RETURNING premise_id").fetchone()[0]
    point = conn.execute("INSERT INTO customers.service_points (premise_id, service_point_number, commodity, timezone) VALUES (%s, 'SP', "
        "'electric', 'America/Chicago') RETURNING service_point_id", [premise]).fetchone()[0]
    account = conn.execute("INSERT INTO customers.service_accounts (customer_id, service_point_id, account_number, commodity, active_period) VALUES "
        "(%s, %s, 'A', 'electric', '[2020-01-01,)') RETURNING account_id", [customer, point]).fetchone()[0]
    sent = today - timedelta(days=60)
    for number, (amount, due) in enumerate([(100, -40), (200, -10), (200, 10)], start=1):
        bill = conn.execute(
            """INSERT INTO billing.bills (account_id, customer_id, bill_number, commodity, billing_period_start, billing_period_end, billing_status, currency,
                total_amount, usage_quantity, usage_unit, calculated_at,
                issued_at, issue_date, due_date, input_sha256, output_sha256) VALUES (%s, %s, %s, 'electric', %s, %s, 'issued', 'USD', %s, 1, 'kWh', now(), now(),
                    %s, %s, %s, %s) RETURNING bill_id""",
            [account, customer, f"B{number}", date(2026, number, 1), date(2026, number + 1, 1), amount, sent, today + timedelta(days=due), bytes(32), bytes(32)],
        ).fetchone()[0]  # fmt: skip
        post(conn, "bill", bill, [("receivable", amount, bill, customer), ("income", -amount, None, None)], on=sent)
        if number == 1:
            post(conn, "payment", bill, [("cash", 125, None, None), ("receivable", -125, bill, customer)], on=today)
            post(conn, "payment_returned", bill, [("cash", -25, None, None), ("receivable", 25, bill, customer)], on=today)


def post(conn, kind, source, entries, *, on):
    query = (
        "INSERT INTO payments.ledger_transactions (posted_at, posting_date, transaction_kind, source_id, description) "
        "VALUES (now(), %s, %s, %s, 'x') RETURNING ledger_transaction_id"
    )
    posting = conn.execute(query, [on, kind, source]).fetchone()[0]
    places = ", ".join(["(%s, %s, %s, %s, %s)"] * len(entries))
    values = [value for account, amount, bill, customer in entries for value in (posting, account, amount, bill, customer)]
    conn.execute(f"INSERT INTO payments.ledger_entries (ledger_transaction_id, ledger_account, amount, bill_id, customer_id) VALUES {places}", values)


def shown(database, utility, view):
    with database.transaction(actor=Actor(role="staff", utility_id=utility, name="the tests")) as conn:
        cursor = conn.execute(f"SELECT * FROM {view}")
        (row,) = cursor.fetchall()
        return dict(zip((column.name for column in cursor.description), row, strict=True))


def test_each_fact_is_counted_once(database, towns):
    now = shown(database, towns["dashes"], "utility_operations_dashboard")
    assert (now["active_outages"], now["customers_affected_by_outages"], now["current_load_lost_mw"]) == (2, 750, 3)
    assert (now["total_assets"], now["operational_assets"], now["asset_availability"]) == (3, 2, Decimal("66.7"))
    assert (now["total_customers"], now["active_customers"]) == (4, 3)
    assert (now["total_smart_devices"], now["active_smart_devices"], now["device_connectivity_rate"]) == (4, 3, Decimal("66.7"))
    room = shown(database, towns["dashes"], "utility_control_center")
    assert (room["active_outages"], room["customers_without_power"], room["current_load_lost_mw"], room["current_load_shed_mw"]) == (2, 750, 3, 0)
    assert (room["asset_availability_percentage"], room["open_customer_tickets"], room["active_smart_devices"]) == (Decimal("66.7"), 2, 3)


def test_a_utility_sees_its_own_figures(database, towns):
    for view in ("utility_operations_dashboard", "utility_control_center"):
        one, other = shown(database, towns["dashes"], view), shown(database, towns["dots"], view)
        assert one["utility_id"] == towns["dashes"]
        assert {**one, "utility_id": 0, "utility_name": 0} == {**other, "utility_id": 0, "utility_name": 0}


def test_money_owed_is_the_ledgers(database, towns):
    now = shown(database, towns["dashes"], "utility_operations_dashboard")
    assert (now["outstanding_billings"], now["overdue_billings"], now["overdue_bills"]) == (400, 200, 1)  # the first bill is paid, the third not due
    assert shown(database, towns["dashes"], "utility_control_center")["overdue_accounts"] == 1


def test_usage_a_customer_is_a_ratio_of_sums(database, towns):
    assert shown(database, towns["dashes"], "utility_operations_dashboard")["avg_usage_per_customer"] == 10  # 400 kWh of 40 customer-days, not the mean of 20 and 6.67


def test_an_empty_utility_has_a_row_and_no_division_by_nothing(database, towns):
    now, room = shown(database, towns["empty"], "utility_operations_dashboard"), shown(database, towns["empty"], "utility_control_center")
    assert {name for name, value in now.items() if value is None} == {"asset_availability", "avg_usage_per_customer", "device_connectivity_rate"}
    assert {name for name, value in room.items() if value is None} == {
        "current_system_load_mw", "load_as_of", "peak_load_today_mw", "asset_availability_percentage", "todays_customer_satisfaction", "sensor_data_quality",
    }  # fmt: skip


def test_load_is_energy_over_its_time(database, towns, admin):
    """Three quarter-hours of 500, 750 and 250 kWh are 2, 3 and 1 MW; the newest that is over is the load, the highest of the local day its peak."""
    utility = towns["dots"]
    end = admin.execute("SELECT date_bin('15 minutes', now(), '2000-01-01')").fetchone()[0]
    with admin.transaction():
        factory.act_for(admin, utility)
        query = """INSERT INTO metering.rollup_days (utc_date, zone_id, commodity, flow, unit, width_s, step, totals, readings, estimated)
            SELECT (%(at)s AT TIME ZONE 'UTC')::date, %(zone)s, 'electric', 'delivered', 'Wh', 900, 1, array_agg(CASE WHEN q = %(place)s THEN %(total)s ELSE 0 END),
                   array_agg((q = %(place)s)::integer), array_fill(0, ARRAY[96]) FROM generate_series(0, 95) AS q
            ON CONFLICT ON CONSTRAINT rollup_days_pkey DO UPDATE
            SET totals = metering.added(rollup_days.totals, excluded.totals), readings = metering.added(rollup_days.readings, excluded.readings)"""
        for n, total in enumerate((500_000, 750_000, 250_000)):
            at = (end - timedelta(minutes=15 * (3 - n))).astimezone(UTC)
            for zone in (uuid4(), uuid4()):
                admin.execute(query, {"at": at, "zone": zone, "place": at.hour * 4 + at.minute // 15, "total": total // 2})
    room = shown(database, utility, "utility_control_center")

    assert (room["current_system_load_mw"], room["load_as_of"]) == (1, end)
    midnight = datetime.combine(end.astimezone(ZONE).date(), datetime.min.time(), tzinfo=ZONE)
    loads_today = [mw for n, mw in enumerate((2, 3, 1)) if end - timedelta(minutes=15 * (3 - n)) >= midnight]
    assert room["peak_load_today_mw"] == (max(loads_today) if loads_today else None)


def test_today_has_its_answers_and_its_cash(database, towns, admin):
    with admin.transaction():
        factory.act_for(admin, towns["dashes"])
        admin.execute(
            """INSERT INTO customers.satisfaction_surveys (customer_id, about, sent_at, expires_at, answered_at, rating)
            SELECT c.customer_id, 'bill', now() - interval '9 days', now() + interval '9 days', now() - v.ago, v.rating
            FROM customers.customers c, (VALUES (interval '0', 5), (interval '0', 4), (interval '3 days', 1)) AS v (ago, rating) WHERE c.customer_number = 'C2' AND
                c.utility_id = identity.current_utility()"""
        )
    room = shown(database, towns["dashes"], "utility_control_center")
    assert (room["todays_customer_satisfaction"], room["todays_survey_answers"]) == (Decimal("4.50"), 2)
    assert room["todays_collections"] == 100


def test_sensor_quality_is_the_share_of_good_values_heard_in_the_last_hour(database, towns, admin):
    with admin.transaction():
        factory.act_for(admin, towns["dashes"])
        admin.execute(
            """INSERT INTO devices.last_values (device_id, reading_type, numeric_value, unit, reading_quality, reading_timestamp)
            SELECT d.device_id, v.kind, 1, 'V', v.quality, now() - v.ago FROM devices.smart_devices d, (VALUES ('a', 'good', interval '1 min'), ('b', 'good',
                '2 min'), ('c', 'bad', '3 min'), ('d', 'good', '9 hours')) AS v (kind, quality, ago)
            WHERE d.serial_number = 'D1' AND d.utility_id = identity.current_utility()"""
        )
    assert shown(database, towns["dashes"], "utility_control_center")["sensor_data_quality"] == Decimal("66.7")
