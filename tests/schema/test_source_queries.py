"""Queries of the source design, as they are written there, run against this schema."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import row_factory as factory

from mains.base import server
from mains.base.db import Actor

HOURLY = """
SELECT time_bucket('1 hour', reading_timestamp) as bucket,
       AVG(consumption_kwh) as avg_consumption,
       MAX(consumption_kwh) as peak_consumption
FROM meter_readings_hyper
WHERE account_id = $1
  AND reading_timestamp >= $2
  AND reading_timestamp < $3
GROUP BY bucket
ORDER BY bucket;
"""
DAY = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""Midnight of standard time in Chicago."""


@pytest.fixture(scope="module")
def metered(database):
    """A utility with one account: a quarter-hour channel whose n-th reading of the day is n Wh, and the fifth is missing."""
    with server.connect(database.admin_url) as conn:
        with conn.transaction():
            utility = factory.found_utility(conn, name="metered")
        world = factory.populate(conn, utility=utility, number=1)
        with conn.transaction():
            factory.act_for(conn, utility)
            channel = world.rows["metering.channels"]["channel_id"]
            raw = [-32768 if n == 4 else n for n in range(96)]
            conn.execute("UPDATE metering.channels SET interval_s = 900, unit = 'Wh', kwh_factor = 0.001, quantity = "
                "'energy', utc_offset_min = -360 WHERE channel_id = %s", [channel])
            conn.execute(
                "INSERT INTO metering.interval_blocks (channel_id, block_start, total, utility_id, peak, batch_id, utc_offset_min, n_valid, "
                    "width, vals) VALUES (%s, %s, %s, %s, 95, 1, -360, 95, 2, %s)",
                [channel, DAY, sum(raw) + 32768, utility, b"".join(value.to_bytes(2, "little", signed=True) for value in raw)],
            )
    return world


@pytest.fixture
def staff(database, metered):
    with database.transaction(actor=Actor(role="staff", utility_id=metered.utility, name="the tests")) as conn:
        yield conn


def test_the_hourly_query_runs_as_written(staff, metered):
    account = metered.rows["customers.service_accounts"]["account_id"]
    staff.execute(f"PREPARE hourly (uuid, timestamptz, timestamptz) AS {HOURLY}")

    hours = staff.execute(f"EXECUTE hourly ('{account}', '{DAY}', '{DAY + timedelta(hours=24)}')").fetchall()

    assert [row[0] for row in hours] == [DAY + timedelta(hours=n) for n in range(24)]
    assert hours[0][1:] == (Decimal("0.0015"), Decimal("0.003"))
    assert hours[1][1:] == (Decimal("0.006"), Decimal("0.007"))  # the fifth reading is missing: the mean of three


def test_meter_readings_can_be_selected_from(staff, metered):
    account = metered.rows["customers.service_accounts"]["account_id"]
    rows = staff.execute("SELECT reading_timestamp, reading_date, reading_time, consumption_kwh, quality FROM meter_readings WHERE account_id = %s AND "
        "reading_timestamp >= %s AND reading_timestamp < %s ORDER BY 1", [account, DAY, DAY + timedelta(hours=1, minutes=15)]).fetchall()  # fmt: skip

    assert len(rows) == 5
    assert str(rows[0][1]) == "2026-03-02"
    assert str(rows[0][2]) == "00:00:00"
    assert [row[3] for row in rows] == [Decimal("0.000"), Decimal("0.001"), Decimal("0.002"), Decimal("0.003"), None]


def test_a_bound_on_time_and_account_reads_no_other_channel(staff, metered):
    account = metered.rows["customers.service_accounts"]["account_id"]
    plan = "\n".join(row[0] for row in staff.execute("EXPLAIN SELECT sum(consumption_kwh) FROM meter_readings WHERE account_id = %s", [account]))
    assert "interval_blocks" in plan
    assert "Index" in plan


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(*) FROM outages WHERE outage_status IN ('reported', 'confirmed', 'crew_dispatched', 'repairing')",
        "SELECT SUM(affected_customers), SUM(estimated_load_lost_mw) FROM outages",
        "SELECT MAX(consumption_kwh) FROM meter_readings WHERE reading_timestamp >= CURRENT_TIMESTAMP - INTERVAL '24 hours'",
        "SELECT COUNT(*) FROM infrastructure_assets WHERE asset_status = 'operational'",
        "SELECT COUNT(*) FROM support_tickets WHERE ticket_status = 'open'",
        "SELECT COUNT(*) FROM smart_devices WHERE device_status = 'active'",
        "SELECT COUNT(*) FROM sensor_readings WHERE reading_quality = 'good' AND reading_timestamp >= CURRENT_TIMESTAMP - INTERVAL '1 hour'",
        ("SELECT AVG(CASE WHEN reading_type = 'vibration' THEN numeric_value END) FROM sensor_readings sr JOIN smart_devices sd ON "
            "sr.device_id = sd.device_id WHERE sd.asset_id = base.new_id()"),
        ("SELECT rs.* FROM service_accounts sa JOIN customers c ON sa.customer_id = c.customer_id JOIN service_zones sz ON c.service_zone_id = sz.zone_id JOIN "
            "rate_schedules rs ON sz.utility_id = rs.utility_id WHERE rs.rate_status = 'active' AND rs.effective_date <= CURRENT_DATE"),
        "SELECT b.total_amount / NULLIF(b.usage_kwh, 0), ua.saidi_hours, ua.saifi_incidents, ua.average_usage_per_customer FROM bills b, usage_analytics ua",
        "SELECT outage_id, outage_start, actual_restoration, outage_cause, estimated_cost FROM outages o WHERE o.affected_customers > 100",
        "SELECT utility_id FROM utility_staff WHERE user_id = base.new_id()",
        "SELECT * FROM utility_operations_dashboard",
        "SELECT * FROM utility_control_center",
        "SELECT * FROM outage_updates, payments, utilities, utility_audit_log LIMIT 1",
    ],
)
def test_its_parts_run(staff, query):
    staff.execute(query).fetchall()
