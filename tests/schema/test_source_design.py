"""The page that answers the source design is held to the database and the code: every name on it exists, and every name of the design is on it."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from psycopg import Connection

from mains.docs import source_map

ROOT = Path(__file__).parents[2]

NAMED = {
    "table": """utilities service_zones infrastructure_assets customers service_accounts meter_readings meter_readings_hyper smart_devices sensor_readings rate_schedules bills
        payments outages outage_updates usage_analytics utility_staff support_tickets orders utility_audit_log""",
    "view": "utility_operations_dashboard utility_control_center",
    "function": """calculate_complex_bill optimize_grid_load predict_equipment_failure encrypt_customer_data encrypt_operational_data mask_account_number utility_audit_trigger
        generate_regulatory_report aggregate_usage_privacy_preserving time_bucket create_hypertable""",
    "policy": "customer_data_access_policy outage_access_policy",
    "index": """idx_utilities_service_area idx_service_zones_boundary idx_infrastructure_assets_location idx_customers_service_location idx_meter_readings_account_time
        idx_sensor_readings_device_time idx_sensor_readings_type_time idx_bills_account_period idx_bills_due_status idx_active_smart_devices idx_operational_assets idx_open_outages
        idx_rate_schedules_tou_rates idx_infrastructure_maintenance idx_outages_affected_assets idx_utility_operations_dashboard""",
    "extension": "timescaledb pgcrypto",
    "column": """utilities.utility_id utilities.utility_name utilities.service_area service_zones.zone_id service_zones.utility_id service_zones.zone_boundary
        service_zones.peak_load_mw
        infrastructure_assets.asset_id infrastructure_assets.utility_id infrastructure_assets.asset_status infrastructure_assets.geolocation
            infrastructure_assets.maintenance_schedule
        customers.customer_id customers.service_zone_id customers.service_status customers.geolocation service_accounts.account_id service_accounts.customer_id
        meter_readings.account_id meter_readings.reading_timestamp meter_readings.reading_date meter_readings.reading_time meter_readings.consumption_kwh
        smart_devices.device_id smart_devices.account_id smart_devices.asset_id smart_devices.device_status smart_devices.last_communication
        sensor_readings.device_id sensor_readings.reading_type sensor_readings.numeric_value sensor_readings.reading_timestamp sensor_readings.reading_quality
        rate_schedules.utility_id rate_schedules.rate_schedule_name rate_schedules.rate_status rate_schedules.effective_date rate_schedules.base_rate rate_schedules.demand_charge
        rate_schedules.time_of_use_rates rate_schedules.service_charge bills.account_id bills.customer_id bills.billing_period_start bills.due_date bills.billing_status
        bills.total_amount bills.usage_kwh bills.payment_date outages.outage_id outages.utility_id outages.outage_status outages.affected_customers outages.estimated_load_lost_mw
        outages.affected_infrastructure outages.outage_start outages.actual_restoration outages.outage_cause outages.estimated_cost usage_analytics.report_date
        usage_analytics.average_usage_per_customer usage_analytics.saidi_hours usage_analytics.saifi_incidents utility_staff.user_id utility_staff.utility_id
        support_tickets.ticket_status orders.customer_rating orders.order_date utility_audit_log.audit_id utility_audit_log.table_name utility_audit_log.record_id
        utility_audit_log.operation utility_audit_log.old_values utility_audit_log.new_values utility_audit_log.user_id utility_audit_log.utility_id utility_audit_log.customer_id
        utility_audit_log.session_id utility_audit_log.ip_address utility_audit_log.user_agent utility_audit_log.change_reason utility_audit_log.data_classification
        utility_audit_log.changed_at""",
}
"""Every name that the SQL of the source design uses."""

STANDING = [entry for entry in source_map.entries() if entry.state == "stands"]


def missing(conn: Connection, answer: str) -> str | None:
    """Why an answer does not exist; None where it does."""
    if " " in answer:
        kind, table, name = answer.split(" ")
        query = {
            "policy": "SELECT FROM pg_policy WHERE polrelid = to_regclass(%s) AND polname = %s",
            "trigger": "SELECT FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND tgname = %s",
            "constraint": "SELECT FROM pg_constraint WHERE conrelid = to_regclass(%s) AND conname = %s",
        }[kind]
        return None if conn.execute(query, [table, name]).fetchone() is not None else f"no {kind} {name} on {table}"
    if answer.startswith("tests/"):
        return _missing_test(answer)
    if answer.startswith("mains."):
        return _missing_place(answer)
    if answer.endswith("()"):
        schema, name = answer.removesuffix("()").split(".")
        query = "SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = %s AND p.proname = %s"
        return None if conn.execute(query, [schema, name]).fetchone() is not None else "no such function"
    relation, _, column = answer.partition(".")[2].partition(".")
    table = f"{answer.partition('.')[0]}.{relation}"
    query = (
        "SELECT to_regclass(%s) IS NOT NULL AND (%s = '' OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = "
        "to_regclass(%s) AND attname = %s AND attnum > 0 AND NOT attisdropped))"
    )
    return None if conn.execute(query, [table, column, table, column]).fetchone() == (True,) else "no such table, view, index or column"


def _missing_test(answer: str) -> str | None:
    file, _, name = answer.partition("::")
    if not (ROOT / file).is_file():
        return "no such file"
    return None if not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8") else "no such test"


def _missing_place(answer: str) -> str | None:
    module, _, name = answer.partition(":")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return "no such module"
    if not name:
        return None
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    names = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {t.id for node in body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)}
    return None if name in names else f"no {name} in {module}"


def test_every_answer_exists(admin):
    asked = source_map.entries() + source_map.defects()
    wrong = [(answer, why) for thing in asked for answer in thing.answers if (why := missing(admin, answer))]
    assert wrong == []


def test_what_does_not_exist_is_seen(admin):
    for answer in (
        "billing.nothing", "billing.bills.nothing", "billing.nothing()", "policy billing.bills nothing", "trigger billing.bills nothing", "constraint billing.bills nothing",
        "mains.nothing", "mains.base.db:Nothing", "tests/schema/nothing.py", "tests/schema/test_matrix.py::test_nothing",
    ):  # fmt: skip
        assert missing(admin, answer), answer


@pytest.mark.parametrize("kind", NAMED)
def test_every_name_of_the_source_design_is_on_the_page(kind):
    assert sorted(entry.name for entry in source_map.entries() if entry.kind == kind) == sorted(NAMED[kind].split())


def test_what_stands_under_its_name_answers_to_its_plain_name(admin):
    wrong = []
    for entry in STANDING:
        if entry.kind in ("table", "view", "index"):
            found = admin.execute("SELECT to_regclass(%s)::oid = to_regclass(%s)::oid", [entry.name, entry.answers[0]]).fetchone()
        elif entry.kind == "column":
            table, column = entry.name.split(".")
            query = "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s AND attnum > 0 AND NOT attisdropped)"
            found = admin.execute(query, [table, column]).fetchone()
        elif entry.kind == "function":
            found = admin.execute("SELECT bool_or(pg_function_is_visible(oid)) FROM pg_proc WHERE proname = %s", [entry.name]).fetchone()
        else:
            continue
        if found != (True,):
            wrong.append(entry.name)
    assert wrong == []


def test_the_entries_say_enough():
    things, faults = source_map.entries(), source_map.defects()
    assert [d.number for d in faults] == list(range(1, 181))
    assert {e.state for e in things} == source_map.STATES
    assert {d.state for d in faults} == source_map.DEFECT_STATES
    assert [e.name for e in things if not e.answers or not e.lines] == []
    assert [e.name for e in things if e.state in ("refused", "otherwise") and not e.note and e.kind not in ("column", "table", "pattern", "partition")] == []
    assert len({(e.kind, e.name) for e in things}) == len(things)
    assert [d.number for d in faults if not d.answers] == []


def test_lines_lie_in_the_source_design():
    for thing in source_map.entries() + source_map.defects():
        assert all(1 <= int(number) <= 828 for number in re.findall(r"\d+", thing.lines))


def test_the_page_is_what_would_be_made_now():
    assert (ROOT / source_map.FILE).read_text(encoding="utf-8") == source_map.page()
