"""A utility with a customer who has an account and a meter with a switch."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from mains.base.db import Actor, Database
from mains.base.ids import uuid7
from mains.cli import main
from mains.devices import lifecycle
from mains.devices.lifecycle import ModelChannel
from mains.metering import fieldwork

APRIL = datetime(2026, 4, 1, 5, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Home:
    """Somebody who is served, and the meter there."""

    database: Database
    actor: Actor
    customer_id: UUID
    customer: str
    account: str
    meter: str
    meter_id: UUID

    def ask(self, query: str, *values):
        with self.database.transaction(actor=self.actor) as conn:
            return conn.execute(query, values).fetchall()


@pytest.fixture(scope="module")
def prairie(database: Database) -> Actor:
    utility_id = uuid7()
    with database.administering(autocommit=True) as admin:
        admin.execute("SELECT set_config('app.actor', 'tests', false)")
        admin.execute("SELECT network.found_utility(%s, 'Prairie', 'prairie', 'municipal', '{electric,gas,water}', 'USD', 'America/Chicago')", [utility_id])
    actor = Actor(role="staff", utility_id=utility_id, name="Ada Clerk")
    with database.transaction(actor=actor) as conn:
        channels = [ModelChannel(register="1", unit="Wh", interval_s=900)]
        lifecycle.define_model(conn, model_code="T", channels=channels, commodity="electric", dial_digits=6, has_switch=True)
        conn.execute("INSERT INTO network.service_zones (zone_id, zone_name, zone_code, zone_boundary) VALUES (%s, 'East', 'E', '((0,0),(1,0),(1,1))')", [uuid7()])
    return actor


@pytest.fixture
def home(database: Database, prairie: Actor) -> Home:
    n = uuid7().hex[-12:]
    with database.transaction(actor=prairie) as conn:

        def made(query: str, *values):
            return conn.execute(query, values).fetchone()[0]

        premise = made("INSERT INTO customers.premises (premise_number, address_line, city) VALUES (%s, '1 Main St', 'Prairie') RETURNING premise_id", n)
        point = made(
            "INSERT INTO customers.service_points (premise_id, service_point_number, commodity, timezone) VALUES (%s, %s, 'electric', 'America/Chicago') "
            "RETURNING service_point_id", premise, n,
        )  # fmt: skip
        customer = made("INSERT INTO customers.customers (customer_number, full_name, customer_class) VALUES (%s, 'Ada Smith', 'residential') RETURNING customer_id", f"C-{n}")
        made(
            "INSERT INTO customers.service_accounts (customer_id, service_point_id, account_number, commodity, active_period) "
            "VALUES (%s, %s, %s, 'electric', '[2025-01-01,)') RETURNING account_id", customer, point, f"A-{n}",
        )  # fmt: skip
        meter = lifecycle.register(conn, meter_number=f"M-{n}", model_code="T", at=datetime(2026, 1, 1, tzinfo=UTC), now=NOW, reason="delivered")
        fieldwork.install(conn, f"M-{n}", service_point_id=point, at=APRIL, now=NOW, reason="new home")
    return Home(database=database, actor=prairie, customer_id=customer, customer=f"C-{n}", account=f"A-{n}", meter=f"M-{n}", meter_id=meter.meter_id)


@pytest.fixture
def another(prairie: Actor) -> Actor:
    return replace(prairie, name="Ben Clerk")


@pytest.fixture
def typed(database: Database, prairie: Actor, monkeypatch, capsys):
    """Types a command and gives its exit code and JSON."""
    for key, url in {"DATABASE_URL": database.admin_url, "APP_URL": database.app_url, "INGEST_URL": database.ingest_url}.items():
        monkeypatch.setenv(f"MAINS_{key}", url)

    def run(*words: str):
        code = main([*words, "--utility", "prairie", "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run
