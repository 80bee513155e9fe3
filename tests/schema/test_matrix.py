"""Every table x role x verb across two utilities: nobody sees, adds, changes or removes a row of the other one, and a customer sees their own rows only.

Both utilities have two customers and rows in every table (`row_factory`), so that an empty answer means refusal and not an empty table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import row_factory as factory
import schema_checks as checks
from psycopg import Connection, sql

from mains.base import server
from mains.base.db import ROLES, Actor, Database

PUBLIC_TO_CUSTOMERS = {
    "network.utilities", "network.service_zones", "rates.rate_schedules", "rates.rate_versions", "rates.riders", "demand.programmes", "privacy.purposes", "metering.removed_months",
}  # fmt: skip
"""What a customer sees of the whole utility; every other table shows them what is theirs."""

SHOWN_TO = {
    "regulator": {
        "network.utilities", "network.service_zones", "rates.rate_schedules", "rates.rate_versions", "rates.riders", "rates.calendars", "rates.index_series", "rates.taxes",
        "demand.programmes", "insights.usage_analytics", "insights.kpi_definitions", "insights.kpi_values", "compliance.filing_definitions", "compliance.obligations",
        "compliance.filings", "compliance.filing_cells", "compliance.submissions", "privacy.releases",
    },
}  # fmt: skip
"""All tables a regulator may read: tariffs, aggregates, filings; nothing about a person, and outages only through outages.public_outages()."""

PERSONAL = {"full_name", "email", "phone", "address_line", "customer_id", "account_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Two utilities, `ours` acting; the two customers of ours and the two of theirs; columns and keys of every table."""

    ours: tuple[factory.World, factory.World]
    theirs: tuple[factory.World, factory.World]
    columns: dict[str, list[factory.Column]]
    keys: dict[str, list[str]]

    def actor(self, role: str) -> Actor:
        """Somebody of our utility in a role; the customer is the first."""
        customer = self.ours[0].rows["customers.customers"]["customer_id"] if role == "customer" else None
        return Actor(role=role, utility_id=self.ours[0].utility, name="the tests", customer_id=customer)


@pytest.fixture(scope="module")
def town(database: Database) -> Iterator[Town]:
    with server.connect(database.admin_url) as conn:
        with conn.transaction():
            ours, theirs = factory.found_utility(conn, name="ours"), factory.found_utility(conn, name="theirs")
        worlds = [factory.populate(conn, utility=utility, number=number) for utility in (ours, theirs) for number in (1, 2)]
        yield Town(ours=(worlds[0], worlds[1]), theirs=(worlds[2], worlds[3]), columns=factory.columns(conn), keys=factory.keys(conn))


def attempt(conn: Connection, query: sql.Composed, values: list[Any] | None = None) -> list[tuple[Any, ...]] | int | str:
    """Run a statement and take it back: its rows, how many it touched, or the SQLSTATE that refused it."""
    try:
        with conn.transaction(force_rollback=True):
            cursor = conn.execute(query, values)
            return cursor.fetchall() if cursor.description else cursor.rowcount
    except psycopg.Error as error:
        return error.sqlstate or "?"


def reached(conn: Connection, table: str, clauses: tuple[str, ...]) -> list[tuple[str, str, Any]]:
    """The statements about a table that were not refused, with what they answered."""
    answers = [(table, clause, attempt(conn, sql.SQL(clause).format(named(table)))) for clause in clauses]  # pyright: ignore[reportArgumentType]
    return [answer for answer in answers if answer[2] != REFUSED]


def named(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def key_values(world: factory.World, table: str, keys: list[str]) -> tuple[Any, ...]:
    return tuple(world.rows[table][name] for name in keys)


REFUSED = "42501"
REFUSED_BY_RULE = {"23000", "23503"}
"""Append-only tables, frozen rows, and a trigger that looks for what the actor cannot see."""


def test_every_table_has_rows_of_both(town, admin):
    empty = []
    for table in town.columns.keys() - factory.PASSING:
        query = sql.SQL("SELECT count(DISTINCT utility_id) FROM {} WHERE utility_id = ANY(%s)").format(named(table))
        if admin.execute(query, [[town.ours[0].utility, town.theirs[0].utility]]).fetchone() != (2,):
            empty.append(table)
    assert empty == []
    assert len(town.columns) > 100


@pytest.mark.parametrize("role", ROLES)
def test_a_row_of_the_others_is_never_seen(town, database, role):
    seen = []
    with database.transaction(actor=town.actor(role)) as conn:
        for table in town.columns:
            answer = attempt(conn, sql.SQL("SELECT count(*) FROM {} WHERE utility_id IS DISTINCT FROM %s").format(named(table)), [town.ours[0].utility])
            if answer not in ([(0,)], REFUSED):
                seen.append((table, answer))
    assert seen == []


def test_staff_see_their_own_rows_in_every_table_they_may_read(town, database, admin):
    unseen = []
    with database.transaction(actor=town.actor("staff")) as conn:
        for table in town.columns:
            answer = attempt(conn, sql.SQL("SELECT count(*) > 0 FROM {}").format(named(table)))
            if answer not in ([(True,)], REFUSED):
                unseen.append((table, answer))
    assert unseen == []


@pytest.mark.parametrize("role", ROLES)
def test_a_row_for_the_others_is_never_added(town, database, role):
    added = []
    theirs = town.theirs[0]
    with database.transaction(actor=town.actor(role)) as conn:
        for table, columns in town.columns.items():
            values = {"utility_id": theirs.utility} if table == "network.utilities" else factory.row(columns, theirs, table=table, again=3)
            wide = list(values.values())
            answer = attempt(conn, factory.insertion(table, values), wide * 2 if table in factory.TWINS else wide)
            if answer != REFUSED and not (table == "privacy.dp_spends" and answer == "23503"):
                added.append((table, answer))
    assert added == []


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
@pytest.mark.parametrize("role", ROLES)
def test_a_row_of_the_others_is_never_changed_or_removed(town, database, role, verb):
    touched = []
    with database.transaction(actor=town.actor(role)) as conn:
        for table in town.columns:
            clause = sql.SQL("UPDATE {} SET utility_id = utility_id WHERE "
                "utility_id IS DISTINCT FROM %s" if verb == "UPDATE" else "DELETE FROM {} WHERE utility_id IS DISTINCT FROM %s")
            answer = attempt(conn, clause.format(named(table)), [town.ours[0].utility])
            if answer not in (0, REFUSED) and answer not in REFUSED_BY_RULE:
                touched.append((table, answer))
    assert touched == []


@pytest.mark.parametrize("role", ROLES)
def test_an_own_row_is_never_handed_to_the_others(town, database, role):
    moved = []
    with database.transaction(actor=town.actor(role)) as conn:
        for table in town.columns:
            answer = attempt(conn, sql.SQL("UPDATE {} SET utility_id = %s").format(named(table)), [town.theirs[0].utility])
            if answer not in (0, REFUSED) and answer not in REFUSED_BY_RULE:
                moved.append((table, answer))
    assert moved == []


def test_only_staff_write_and_only_where_a_policy_says(town, database):
    written = []
    for role in set(ROLES) - {"staff"}:
        with database.transaction(actor=town.actor(role)) as conn:
            for table in town.columns:
                for clause in ("UPDATE {} SET utility_id = utility_id", "DELETE FROM {}"):
                    answer = attempt(conn, sql.SQL(clause).format(named(table)))
                    if answer != REFUSED:
                        written.append((role, table, answer))
    assert written == []


def test_a_customer_sees_their_own_rows_and_nobody_elses(town, database):
    wrong = []
    me, other = town.ours
    with database.transaction(actor=town.actor("customer")) as conn:
        for table, keys in town.keys.items():
            query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(map(sql.Identifier, keys)), named(table))
            answer = attempt(conn, query)
            if answer == REFUSED:
                continue
            assert isinstance(answer, list), (table, answer)
            if key_values(me, table, keys) not in answer:
                wrong.append((table, "cannot see their own"))
            if table not in PUBLIC_TO_CUSTOMERS and key_values(other, table, keys) in answer:
                wrong.append((table, "sees another customer's"))
    assert wrong == []


def test_a_customer_reads_what_is_theirs_and_little_else(town, admin):
    query = (
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND "
        "has_table_privilege('mains_customer', c.oid, 'SELECT') AND n.nspname = ANY(%s)"
    )
    readable = {row[0] for row in admin.execute(query, [checks.SCHEMAS])}
    assert readable >= PUBLIC_TO_CUSTOMERS | {"customers.customers", "billing.bills", "payments.payments", "customers.support_tickets", "privacy.consents"}
    assert not readable & {"identity.utility_staff", "identity.utility_audit_log", "outages.outages", "outages.crews", "metering.quarantine", "payments.collection_steps"}


def test_a_regulator_reads_aggregates_and_filings_and_no_person(town, admin):
    query = (
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v') AND "
        "has_table_privilege('mains_regulator', c.oid, 'SELECT') AND n.nspname = ANY(%s)"
    )
    readable = {row[0] for row in admin.execute(query, [checks.SCHEMAS])}
    assert readable == SHOWN_TO["regulator"]
    assert {(table, column.name) for table in readable for column in town.columns[table] if column.name in PERSONAL} == set()


@pytest.mark.parametrize("role", ROLES)
def test_views_show_the_same_as_their_tables(town, database, admin, role):
    views = admin.execute("SELECT schemaname || '.' || viewname FROM pg_views WHERE schemaname = ANY(%s)", [checks.SCHEMAS]).fetchall()
    assert len(views) >= 5
    seen = []
    with database.transaction(actor=town.actor(role)) as conn:
        for (view,) in views:
            answer = attempt(conn, sql.SQL("SELECT count(*) FROM {} WHERE utility_id IS DISTINCT FROM %s").format(named(view)), [town.ours[0].utility])
            own = attempt(conn, sql.SQL("SELECT count(*) > 0 FROM {}").format(named(view)))
            if answer not in ([(0,)], REFUSED) or own not in ([(True,)], REFUSED) or (role == "staff" and own == REFUSED):
                seen.append((view, answer, own))
    assert seen == []


@pytest.mark.parametrize("role", ROLES)
def test_partitions_cannot_be_reached_past_their_parent(town, database, admin, role):
    query = "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relispartition AND c.relkind = 'r' AND n.nspname = ANY(%s)"
    admin.execute("SELECT devices.ensure_partitions('2031-01-01', '2031-02-01'), metering.ensure_partitions('2031-01-01', '2031-02-01')")
    parts = [row[0] for row in admin.execute(query, [checks.SCHEMAS])]
    assert len(parts) >= 5
    clauses = ("SELECT * FROM {}", "UPDATE {} SET utility_id = utility_id", "DELETE FROM {}", "INSERT INTO {} (utility_id) VALUES (NULL)")
    with database.transaction(actor=town.actor(role)) as conn:
        assert [found for part in parts for found in reached(conn, part, clauses)] == []


def test_a_month_of_sensor_readings_takes_over_what_waited_in_the_default_partition(town, admin):
    where = "SELECT tableoid::regclass::text LIKE '%%default', count(*) FROM devices.sensor_readings GROUP BY 1"
    with admin.transaction(force_rollback=True):
        assert admin.execute(where).fetchall() == [(True, 4)]
        assert admin.execute("SELECT devices.ensure_partitions('2026-01-01', '2026-01-31')").fetchone() == (1,)
        assert admin.execute(where).fetchall() == [(False, 4)]


def test_the_matrix_sees_a_table_without_its_tenant_policy(town, database, admin):
    admin.execute("ALTER POLICY tenant ON outages.crews USING (true)")
    try:
        with pytest.raises(AssertionError, match="crews"):
            test_a_row_of_the_others_is_never_seen(town, database, "staff")
    finally:
        admin.execute("ALTER POLICY tenant ON outages.crews USING (utility_id = (SELECT identity.current_utility()))")


def test_without_a_role_nothing_can_be_read(town, database):
    with database.anonymous() as conn:
        assert [found for table in town.columns for found in reached(conn, table, ("SELECT * FROM {}",))] == []


def test_without_a_utility_no_row_is_seen(town, database):
    seen = []
    with database.transaction(actor=town.actor("staff")) as conn:
        for utility in ("", "00000000-0000-0000-0000-000000000000"):
            conn.execute("SELECT set_config('app.utility_id', %s, true)", [utility])
            seen += [table for table in town.columns if attempt(conn, sql.SQL("SELECT count(*) FROM {}").format(named(table))) not in ([(0,)], REFUSED)]
    assert seen == []


def test_the_loader_adds_intervals_and_does_nothing_else(town, database):
    wrong = []
    world = town.ours[0]
    with database.ingesting() as conn:
        for table, columns in town.columns.items():
            wrong += reached(conn, table, ("SELECT * FROM {}", "UPDATE {} SET utility_id = utility_id", "DELETE FROM {}"))
            values = {"utility_id": world.utility} if table == "network.utilities" else factory.row(columns, world, table=table, again=5)
            if table == "metering.interval_blocks":
                values["channel_id"] = 999_999
            answer = attempt(conn, factory.insertion(table, values), list(values.values()) * (2 if table in factory.TWINS else 1))
            if answer != (1 if table in checks.INGEST_TABLES else REFUSED):
                wrong.append((table, "INSERT", answer))
    assert wrong == []


def test_nobody_takes_a_role_that_is_not_theirs(town, database):
    with database.transaction(actor=town.actor("customer")) as conn:
        assert attempt(conn, sql.SQL("SET LOCAL ROLE mains_owner")) == REFUSED
    with database.ingesting() as conn:
        assert attempt(conn, sql.SQL("SET LOCAL ROLE mains_staff")) == REFUSED


def test_a_change_needs_somebody_who_makes_it(town, database):
    with database.transaction(actor=town.actor("staff")) as conn:
        conn.execute("SELECT set_config('app.actor', '', true)")
        assert attempt(conn, sql.SQL("UPDATE network.service_zones SET zone_name = 'x'")) == REFUSED
