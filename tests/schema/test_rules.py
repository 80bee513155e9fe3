"""Rules that the database keeps by itself, in the words of the people who work with it."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import row_factory as factory
from psycopg.errors import CheckViolation, ExclusionViolation, IntegrityConstraintViolation, UniqueViolation

from mains.base import server
from mains.base.db import Actor

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(database):
    with server.connect(database.admin_url) as conn:
        with conn.transaction():
            utility = factory.found_utility(conn, name="rules")
        return factory.populate(conn, utility=utility, number=1)


@pytest.fixture
def staff(database, world):
    """A transaction of the utility's staff, taken back afterwards."""
    with database.transaction(actor=Actor(role="staff", utility_id=world.utility, name="the tests")) as conn:
        yield conn
        conn.rollback()


def key(world, table):
    return next(iter(world.rows[table].values()))


def outage(staff, number, *, affected=100):
    query = "INSERT INTO outages.outages (outage_number, outage_start, affected_customers) VALUES (%s, %s, %s) RETURNING outage_id"
    return staff.execute(query, [number, NOON, affected]).fetchone()[0]


def step(staff, outage_id, number, *, out, back):
    query = "INSERT INTO outages.interruption_steps (outage_id, step_no, starts_at, restored_at, customers_interrupted, customers_restored) VALUES (%s, %s, %s, %s, %s, %s)"
    staff.execute(query, [outage_id, number, NOON, NOON + timedelta(hours=number) if back else None, out, back])


def test_an_outage_moves_only_along_its_states(staff):
    broken = outage(staff, "S-1")
    for status in ("confirmed", "crew_dispatched", "repairing"):
        staff.execute("UPDATE outages.outages SET outage_status = %s WHERE outage_id = %s", [status, broken])
    staff.execute("UPDATE outages.outages SET outage_status = 'restored', actual_restoration = %s WHERE outage_id = %s", [NOON + timedelta(hours=2), broken])
    staff.execute("UPDATE outages.outages SET outage_status = 'closed' WHERE outage_id = %s", [broken])

    with pytest.raises(IntegrityConstraintViolation, match="S-1 cannot go from closed to reported"):
        staff.execute("UPDATE outages.outages SET outage_status = 'reported', actual_restoration = NULL WHERE outage_id = %s", [broken])


def test_a_restored_outage_says_when(staff):
    broken = outage(staff, "S-2")
    with pytest.raises(CheckViolation, match="restoration_has_an_instant"):
        staff.execute("UPDATE outages.outages SET outage_status = 'restored' WHERE outage_id = %s", [broken])


def test_a_step_restores_no_more_than_it_found_out(staff):
    broken = outage(staff, "S-3")
    step(staff, broken, 1, out=100, back=60)
    with pytest.raises(CheckViolation, match="restored_at_most_interrupted"):
        step(staff, broken, 2, out=40, back=41)


def test_all_steps_restore_no_more_than_the_outage_took_out(staff):
    broken = outage(staff, "S-4")
    step(staff, broken, 1, out=100, back=60)
    step(staff, broken, 2, out=40, back=40)
    with pytest.raises(IntegrityConstraintViolation, match="S-4: its steps restore 101 customers, but it took out 100"):
        step(staff, broken, 3, out=10, back=1)


def test_a_crew_is_in_one_place_at_a_time(staff, world):
    crew = key(world, "outages.crews")
    query = "INSERT INTO outages.crew_assignments (crew_id, outage_id, assigned_period) VALUES (%s, %s, tstzrange(%s, %s))"
    with pytest.raises(ExclusionViolation, match="a_crew_is_in_one_place"):
        staff.execute(query, [crew, outage(staff, "S-5"), NOON, NOON + timedelta(hours=1)])  # its other assignment has no end


def test_the_public_sees_a_coarse_list(database, staff, world):
    outage(staff, "S-6", affected=17)
    few = outage(staff, "S-7", affected=3)
    staff.execute("UPDATE outages.outages SET outage_status = 'confirmed' WHERE outage_number IN ('S-6', 'S-7')")
    columns = staff.execute("SELECT * FROM outages.public_outages(%s, %s)", [world.utility, NOON + timedelta(hours=1)])
    assert not {"estimated_cost", "outage_cause", "device_edge_id", "affected_infrastructure"} & {c.name for c in columns.description}
    seen = {row[0]: row[8:] for row in columns}

    assert seen.pop(few) == (None, True)
    assert (15, False) in seen.values()
    assert staff.execute("SELECT count(*) FROM outages.public_outages(%s, %s)", [world.utility, NOON - timedelta(hours=1)]).fetchone() == (0,)
    with database.anonymous() as nobody:
        assert nobody.execute("SELECT count(*) FROM outages.public_outages(%s, %s)", [world.utility, NOON]).fetchone() is not None
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            nobody.execute("SELECT * FROM outages.outages")


def test_only_the_enrolled_are_called(staff, world):
    event = staff.execute(
        "INSERT INTO demand.demand_events (programme_id, event_period, target_mw, trigger_reason) VALUES (%s, '[2030-01-01 "
            "17:00+00,2030-01-01 19:00+00)', 2, 'load') RETURNING demand_event_id",
        [key(world, "demand.programmes")],
    ).fetchone()[0]
    account, enrolment = key(world, "customers.service_accounts"), key(world, "customers.enrolments")
    call = "INSERT INTO demand.event_participants (demand_event_id, account_id, enrolment_id, expected_kw) VALUES (%s, %s, %s, 1)"
    staff.execute("SAVEPOINT called")
    staff.execute(call, [event, account, enrolment])
    staff.execute("ROLLBACK TO called")

    staff.execute("UPDATE customers.customers SET is_protected = true")
    staff.execute("SAVEPOINT protected")
    with pytest.raises(IntegrityConstraintViolation, match="its customer is protected"):
        staff.execute(call, [event, account, enrolment])
    staff.execute("ROLLBACK TO protected")

    staff.execute("UPDATE customers.customers SET is_protected = false")
    staff.execute("UPDATE customers.enrolments SET enrolled_period = '[2026-01-01,2030-01-01 18:00+00)'")
    with pytest.raises(IntegrityConstraintViolation, match="not enrolled in this programme for the whole event"):
        staff.execute(call, [event, account, enrolment])


def test_a_prediction_without_data_has_no_number(staff, world):
    query = (
        "INSERT INTO maintenance.failure_predictions (asset_id, predicted_at, horizon_days, prediction_status, failure_probability, "
        "model_version, inputs) VALUES (%s, %s, 30, 'insufficient_data', 0.1, 'm', '{}')"
    )
    with pytest.raises(CheckViolation, match="no_data_no_number"):
        staff.execute(query, [key(world, "network.infrastructure_assets"), NOON])


def test_a_reading_is_of_a_time_at_which_its_device_was_there(staff, world):
    query = "INSERT INTO devices.sensor_readings (device_id, reading_timestamp, reading_type, numeric_value, unit) VALUES (%s, '2001-01-01 00:00+00', 'temperature', 20, '°C')"
    with pytest.raises(IntegrityConstraintViolation, match="was not there at"):
        staff.execute(query, [key(world, "devices.smart_devices")])


def test_a_disconnect_is_approved_by_somebody_else(staff, world):
    query = """INSERT INTO devices.commands (meter_id, command_kind, reason, idempotency_key, requested_at, expires_at, command_status, requested_by, approved_by)
        VALUES (%s, 'disconnect', 'no payment', 'k', %s, %s, 'sent', 'ann', %s)"""
    for approver, rule in ((None, "a_disconnect_is_approved"), ("ann", "commands_check")):
        staff.execute("SAVEPOINT ordered")
        with pytest.raises(CheckViolation, match=rule):
            staff.execute(query, [key(world, "devices.meters"), NOON, NOON + timedelta(hours=1), approver])
        staff.execute("ROLLBACK TO ordered")
    staff.execute(query, [key(world, "devices.meters"), NOON, NOON + timedelta(hours=1), "ben"])


def test_a_submitted_filing_never_changes(staff, world):
    filing = key(world, "compliance.filings")
    staff.execute("UPDATE compliance.filings SET filing_status = 'submitted', approved_by = 'ben', "
        "cells_sha256 = %s, submitted_at = %s WHERE filing_id = %s", [bytes(32), NOON, filing])
    staff.execute("UPDATE compliance.filings SET filing_status = 'accepted' WHERE filing_id = %s", [filing])
    for change in ("UPDATE compliance.filings SET has_nothing_to_report = true", "UPDATE compliance.filing_cells SET cell_number = 2", "DELETE FROM compliance.filing_cells"):
        staff.execute("SAVEPOINT sent")
        with pytest.raises(IntegrityConstraintViolation, match="make a new revision"):
            staff.execute(change)
        staff.execute("ROLLBACK TO sent")


def test_a_privacy_budget_cannot_be_overspent(staff, world):
    budget = staff.execute("INSERT INTO privacy.dp_budgets (budget_name, measure, valid_period, budget, approved_by) VALUES ('b', 'rho', "
        "'[2026-01-01,2027-01-01)', 1, 'ann') RETURNING dp_budget_id").fetchone()[0]
    spend = "INSERT INTO privacy.dp_spends (dp_budget_id, release_id, amount, spent_at) VALUES (%s, %s, %s, %s)"
    staff.execute("SAVEPOINT before")
    staff.execute(spend, [budget, key(world, "privacy.releases"), "0.75", NOON])
    assert staff.execute("SELECT spent FROM privacy.dp_budgets WHERE dp_budget_id = %s", [budget]).fetchone()[0] == staff.execute("SELECT 0.75").fetchone()[0]
    staff.execute("ROLLBACK TO before")
    with pytest.raises(CheckViolation, match="never_overspent"):
        staff.execute(spend, [budget, key(world, "privacy.releases"), "1.01", NOON])


def test_what_was_told_is_told_once(staff):
    tell = "INSERT INTO messages.outbox (dedupe_key, channel, recipient, body) VALUES ('outage 7, confirmed, ann, sms', 'sms', '+1', 'We know.')"
    staff.execute(tell)
    with pytest.raises(UniqueViolation, match="one_message_a_person_and_change"):
        staff.execute(tell)


def test_append_only_tables_refuse_change(staff):
    for table in ("outages.outage_updates", "messages.deliveries", "compliance.submissions", "privacy.releases", "demand.forecasts"):
        staff.execute("SAVEPOINT asked")
        with pytest.raises(psycopg.Error, match=r"append-only|permission denied"):
            staff.execute(f"UPDATE {table} SET utility_id = utility_id")
        staff.execute("ROLLBACK TO asked")


@pytest.mark.parametrize(
    ("number", "shown"), [("123456789012", "********9012"), ("12345678", "********5678"), ("1234567", "********"), ("1234", "********"), ("", "********")]
)
def test_a_masked_number_shows_four_of_eight_or_more(staff, number, shown):
    assert staff.execute("SELECT mask_account_number(%s)", [number]).fetchone() == (shown,)
