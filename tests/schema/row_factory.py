"""A row for every table that belongs to a utility, made from the catalogue: types, enumerations and foreign keys say what goes where, and `SAID` says what they cannot.

A world is one utility with one of its customers; the rows of a world refer to each other and to nothing else. A table made tomorrow gets its rows by itself, or fails here with
the constraint that wants a word in `SAID`.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from graphlib import TopologicalSorter
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import schema_checks as checks
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMESPACE = UUID("6f1c3b0a-8f6e-4c57-9e0a-0d5f4a0f6a11")

SAID: dict[str, dict[str, Any]] = {
    "identity.utility_staff": {"password_hash": None},
    "identity.roles": {"role_name": lambda world, again: "role_" + "abcdefgh"[world.number + again]},
    "customers.service_points": {"timezone": "America/Chicago"},
    "network.edges": {"to_node_id": lambda world, again: world.rows["second node"]["node_id"]},
    "network.switch_states": {"phases": None},
    "network.weather_observations": {"is_forecast": False},
    "devices.smart_devices": {"asset_id": None, "installed_at": datetime(2025, 1, 1, tzinfo=UTC)},
    "devices.commands": {"device_id": None},
    "devices.commissionings": {"outcome": "not_comparable"},
    "metering.ingest_batches": {"readings_found": 0},
    "metering.interval_blocks": {"block_start": START, "utc_offset_min": 0, "interval_s": 3600, "width": 2, "vals": bytes(48), "n_valid": 24},
    "metering.interval_block_history": {"block_start": START, "width": 2},
    "metering.closed_months": {
        "first_day_at": START, "utc_offset_min": 0, "interval_s": 3600, "days": 1, "n_valid": 24, "n_estimated": 0, "day_sums": bytes((1, 1, 0, 1, 1)),
    },
    "metering.rollup_days": {"width_s": 3600, "totals": [1] * 24, "readings": [1] * 24, "estimated": [0] * 24},
    "metering.rollup_posted": {"totals": [1], "readings": [1], "estimated": [0]},
    "metering.rollup_postings": {"posting_id": lambda world, again: uuid5(NAMESPACE, f"posting {world.name} {again}")},
    "metering.channels": {"interval_s": 3600, "utc_offset_min": 0},
    "metering.vee_policies": {"effective_period": lambda world, again: f"[{2026 + 4 * world.number + 2 * again}-01-01,{2027 + 4 * world.number + 2 * again}-01-01)"},
    "metering.edits": {"interval_s": 3600, "new_values": [1], "batch_id": None},
    "metering.register_reads": {"read_at": datetime(2026, 2, 1, tzinfo=UTC)},
    "billing.bills": {"billing_status": "issued", "issued_at": datetime(2026, 2, 2, tzinfo=UTC), "issue_date": date(2026, 2, 2), "due_date": date(2026, 2, 20)},
    "rates.rate_schedules": {"rate_status": "active"},
    "identity.data_keys": {"version": 1},
    "outages.outages": {"merged_into_id": None, "parent_outage_id": None, "affected_customers": 10},
    "outages.switching_orders": {"steps": Jsonb([])},
    "demand.programmes": {"programme_status": "active"},
    "demand.demand_events": {"event_period": f"[{START:%Y-%m-%d},2026-06-02)", "event_status": "notified"},
    "customers.enrolments": {"programme_code": lambda world, again: f"programme-code-{world.name}"},
    "maintenance.failure_predictions": {"failure_probability": "0.1"},
    "identity.api_keys": {"key_prefix": "abcdefgh"},
    "privacy.retention_rules": {"action": "delete"},
    "compliance.filings": {"submitted_at": None},
    "insights.kpi_definitions": {"kpi_code": lambda world, again: f"kpi_{world.name.replace('-', '_')}" + ("_again" if again else "")},
    "insights.kpi_values": {"denominator": None},
    "identity.utility_audit_log": {"operation": "INSERT", "new_values": Jsonb({})},
    "network.energised_tree": {"tree_state": "dead"},
}
"""What the catalogue does not say: values of columns by table, or how a world makes them; None leaves a column out."""


ONE_A_UTILITY = {"devices.command_limits", "metering.rollup_places"}
"""Tables that have one row a utility, which others may have made already."""

PASSING = {"metering.rollup_postings"}
"""Tables whose rows are gone when their transaction commits."""

TWINS = {"payments.ledger_entries": ("amount", -1)}
"""Tables whose rows come in pairs: the column in which the second row of the statement differs, and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column as the catalogue has it: enumeration and the table and column it refers to, where it does."""

    name: str
    place: int
    kind: str
    is_required: bool
    can_be_given: bool
    choices: tuple[str, ...]
    refers_to: tuple[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One utility, one of its customers, and the row of each table that stands for both, with what the database filled in."""

    utility: UUID
    number: int
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A short name, different in every world."""
        return f"{str(self.utility)[:4]}-{self.number}"


def columns(conn: Connection) -> dict[str, list[Column]]:
    """The columns of every tenant table."""
    found: dict[str, list[Column]] = {name: [] for name in checks.tenant_tables(conn)}
    query = """
        SELECT n.nspname || '.' || c.relname AS table_name, a.attname, a.attnum, format_type(a.atttypid, NULL) AS kind,
               a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS is_required, a.attgenerated = '' AND a.attidentity <> 'a' AS can_be_given,
               (SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum] AND
                   pg_get_constraintdef(k.oid) LIKE '%% = ANY (ARRAY[%%' LIMIT 1) AS enumeration,
               (SELECT (fn.nspname || '.' || fc.relname) || ' ' || fa.attname FROM pg_constraint k CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS o (here, there)
                  JOIN pg_class fc ON fc.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace JOIN pg_attribute fa ON fa.attrelid = fc.oid AND fa.attnum = o.there
                  WHERE k.conrelid = c.oid AND k.contype = 'f' AND o.here = a.attnum ORDER BY cardinality(k.conkey) DESC LIMIT 1) AS refers_to
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname || '.' || c.relname = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 3
    """
    for table, name, place, kind, is_required, can_be_given, enumeration, refers_to in conn.execute(query, [list(found)]):
        choices = tuple(re.findall(r"'([^']*)'::", enumeration or ""))
        reference = tuple(refers_to.split(" ")) if refers_to else None
        found[table].append(
            Column(name=name, place=place, kind=kind, is_required=is_required, can_be_given=can_be_given, choices=choices, refers_to=reference)  # type: ignore[arg-type]
        )
    return found


def keys(conn: Connection) -> dict[str, list[str]]:
    """The primary key of every tenant table that has one; all columns of one that has none."""
    found = {name: [column.name for column in listed] for name, listed in columns(conn).items()}
    query = """SELECT n.nspname || '.' || c.relname, array_agg(a.attname::text ORDER BY o.place) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN
        pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY o (attnum, place) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = o.attnum
        WHERE i.indisprimary AND n.nspname || '.' || c.relname = ANY(%s) GROUP BY 1"""
    return found | dict(conn.execute(query, [list(found)]).fetchall())


def found_utility(conn: Connection, *, name: str) -> UUID:
    """A new utility, by the administrator."""
    key = uuid5(NAMESPACE, name)
    act_for(conn, key)
    conn.execute("SELECT network.found_utility(%s, %s, %s, 'municipal', '{electric}', 'USD', 'America/Chicago')", [key, name, name])
    return key


def act_for(conn: Connection, utility: UUID) -> None:
    """Name the actor and the utility of the transaction."""
    conn.execute("SELECT set_config('app.actor', 'the tests', true), set_config('app.utility_id', %s, true)", [str(utility)])


def populate(conn: Connection, *, utility: UUID, number: int) -> World:
    """A world with a row in every tenant table, in one transaction of the administrator."""
    listed = columns(conn)
    world = World(utility=utility, number=number)
    with conn.transaction():
        act_for(conn, utility)
        for table in _in_order(listed):
            if table == "network.utilities":
                world.rows[table] = {"utility_id": utility}
                continue
            if table == "network.edges":
                world.rows["second node"] = insert(conn, "network.nodes", {**row(listed["network.nodes"], world, table="network.nodes"), "node_name": f"second {world.name}"})
            world.rows[table] = insert(conn, table, row(listed[table], world, table=table))
    return world


def insert(conn: Connection, table: str, values: dict[str, Any]) -> dict[str, Any]:
    """Insert a row and give it back whole."""
    if table in ONE_A_UTILITY:
        name = sql.SQL(".").join(map(sql.Identifier, table.split(".")))
        cursor = conn.execute(sql.SQL("SELECT * FROM {} WHERE utility_id = %s").format(name), [values["utility_id"]])
        if (there := cursor.fetchone()) and cursor.description:
            return dict(zip((part.name for part in cursor.description), there, strict=True))
    given = list(values.values())
    if twin := TWINS.get(table):
        given += list({**values, twin[0]: twin[1]}.values())
    cursor = conn.execute(insertion(table, values, returning=True), given)
    assert cursor.description is not None
    return dict(zip((part.name for part in cursor.description), cursor.fetchone() or (), strict=True))


def insertion(table: str, values: dict[str, Any], *, returning: bool = False) -> sql.Composed:
    """The INSERT of a row with these columns."""
    ending = sql.SQL(" RETURNING *") if returning else sql.SQL("")
    names, places = sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join([sql.Placeholder()] * len(values))
    rows = sql.SQL(", ").join([sql.SQL("({})").format(places)] * (2 if table in TWINS else 1))
    return sql.SQL("INSERT INTO {} ({}) VALUES {}{}").format(sql.Identifier(*table.split(".")), names, rows, ending)


def row(listed: list[Column], world: World, *, table: str, again: int = 0) -> dict[str, Any]:
    """The values of a row of a world; with `again`, of another one that refers to the same rows."""
    said = SAID.get(table, {})
    values: dict[str, Any] = {}
    for column in listed:
        if column.name in said:
            value = said[column.name]
            value = value(world, again) if callable(value) else value
        elif not column.can_be_given:
            continue
        elif column.name == "utility_id":
            value = world.utility
        else:
            value = _reference(column, world, table)
            if value is None and column.is_required:
                value = _value(column, world, seed=f"{table}.{column.name}.{world.name}.{again}", again=again)
        if value is not None:
            values[column.name] = value
    return values


def _reference(column: Column, world: World, table: str) -> Any:
    """The key of the world's row that a column names, by foreign key or, without one, by the name of that key."""
    if column.refers_to and column.refers_to[0] != table:
        target, there = column.refers_to
        return world.rows.get(target, {}).get(there)
    if column.name.endswith("_id"):
        for made, values in world.rows.items():
            if made != table and next(iter(values), None) == column.name:
                return values[column.name]
    return world.rows.get("billing.bills", {}).get("bill_id") if column.name == "bill_id" else None


def _value(column: Column, world: World, *, seed: str, again: int) -> Any:
    """A value that fits the column's type and enumeration; later columns get later times, so that ends come after starts."""
    digest = sha256(seed.encode()).digest()
    name = f"{column.name.replace('_', '-')}-{world.name}" + (f"-{again}" if again else "")
    later = START + timedelta(days=31 * again, hours=column.place)
    made: dict[str, Any] = {
        "text": column.choices[0] if column.choices else name,
        "uuid": uuid5(NAMESPACE, seed),
        "bytea": digest,
        "boolean": False,
        "character": "USD",
        "timestamp with time zone": later,
        "date": (START + timedelta(days=31 * again + column.place)).date(),
        "tstzrange": f"[{START:%Y-%m-%d},)",
        "daterange": f"[{START:%Y-%m-%d},)",
        "int4range": "[2026,2030)",
        "interval": "1 year",
        "jsonb": Jsonb({}),
        "point": "(-90,42)",
        "polygon": "((-90,42),(-90,43),(-89,43))",
        "text[]": ["x"],
        "numeric[]": [1],
        "bigint[]": [1],
        "integer[]": [1],
        "date[]": [START.date()],
        "xid8": "1",
    }
    if column.kind in ("smallint", "integer", "bigint", "numeric"):
        return int(column.choices[0]) if column.choices else 1 + again
    return made[column.kind]


def _in_order(listed: dict[str, list[Column]]) -> list[str]:
    """The tables, each after those it refers to, and channels, bills and batches before what names them without a foreign key."""
    after: dict[str, set[str]] = {}
    early = {"network.utilities", "metering.channels", "metering.ingest_batches", "customers.customers", "customers.service_accounts", "billing.bills"}
    for table, its_columns in listed.items():
        named = {column.refers_to[0] for column in its_columns if column.refers_to and column.refers_to[0] != table and column.refers_to[0] in listed}
        loose = {f for f in early if any(column.name == _key_of(f) and not column.refers_to for column in its_columns)}
        after[table] = (named | loose) - {table}
    return list(TopologicalSorter({table: sorted(before) for table, before in sorted(after.items())}).static_order())


def _key_of(table: str) -> str:
    return {
        "network.utilities": "utility_id", "metering.channels": "channel_id", "metering.ingest_batches": "batch_id", "customers.customers": "customer_id",
        "customers.service_accounts": "account_id", "billing.bills": "bill_id",
    }[table]  # fmt: skip
