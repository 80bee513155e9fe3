"""What the tests of the application stand on: a small utility with people, keys, a zone, and customers at premises."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from fastapi import FastAPI
from fastapi.testclient import TestClient

from mains.base.db import Actor, Database, system_actor
from mains.base.ids import uuid7
from mains.identity import operations

PASSWORD = "correct horse battery staple"
_ZONE = """INSERT INTO network.service_zones (zone_id, zone_name, zone_code, zone_boundary, peak_load_mw)
VALUES (%s, 'East', 'E', '((0,0),(1,0),(1,1))', 12.50)"""
_CUSTOMER = """INSERT INTO customers.customers (customer_id, customer_number, full_name, customer_class, geolocation)
VALUES (%s, %s, %s, 'residential', '(-97.5,35.5)')"""
_POINT = """INSERT INTO customers.service_points (service_point_id, premise_id, service_point_number, commodity, timezone)
VALUES (%s, %s, 'SP-1', 'electric', 'America/Chicago')"""
_ACCOUNT = """INSERT INTO customers.service_accounts (account_id, customer_id, service_point_id, account_number, commodity, active_period)
VALUES (%s, %s, %s, 'A-1', 'electric', '[2026-01-01 06:00+00,)')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """One utility: who works there, their keys, and the ids of its rows."""

    code: str
    actor: Actor
    login: str
    reads: str
    writes: str
    key_id: UUID
    zone_id: UUID
    customer_ids: tuple[UUID, ...]
    account_id: UUID
    premise_id: UUID

    def ids(self) -> dict[str, UUID]:
        """An id of this utility for each placeholder of an address."""
        return {"zone_id": self.zone_id, "customer_id": self.customer_ids[0], "account_id": self.account_id, "premise_id": self.premise_id, "key_id": self.key_id}


def open_office(database: Database, code: str) -> Office:
    """A new utility with somebody who works there, their two keys, a zone, and three customers, the first of whom has an account."""
    utility_id, now = uuid7(), datetime.now(UTC)
    with database.administering() as conn:
        conn.execute("SELECT set_config('app.actor', 'administrator', true)")
        conn.execute("SET LOCAL ROLE mains_owner")
        conn.execute("SELECT network.found_utility(%s, %s, %s, 'municipal', '{electric}', 'USD', 'America/Chicago')", [utility_id, code.title(), code])
    actor = system_actor(utility_id, job="tests")
    ids = {name: uuid7() for name in ("zone", "premise", "point", "account")}
    people = [(uuid7(), f"C-{n}", name) for n, name in enumerate(("Maria Okafor", "Anders Holm", "Bakery O'Neil & Sons 50%"), start=1)]
    with database.transaction(actor=actor) as conn:
        user_id = operations.hire_staff(conn, login=f"ana@{code}.example", full_name=f"Ana of {code}", password=PASSWORD, at=now)
        reads = operations.make_api_key(conn, user_id=user_id, key_name="reader", at=now)
        writes = operations.make_api_key(conn, user_id=user_id, key_name="writer", at=now, scopes=("read", "write"))
        conn.execute(_ZONE, [ids["zone"]])
        for customer_id, number, name in people:
            conn.execute(_CUSTOMER, [customer_id, number, name])
        conn.execute("INSERT INTO customers.premises (premise_id, premise_number, address_line, city) VALUES (%s, 'P-1', '1 Main Street', %s)", [ids["premise"], code])
        conn.execute(_POINT, [ids["point"], ids["premise"]])
        conn.execute(_ACCOUNT, [ids["account"], people[0][0], ids["point"]])
    return Office(
        code=code, actor=actor, login=f"ana@{code}.example", reads=reads.key, writes=writes.key, key_id=reads.key_id, zone_id=ids["zone"],
        customer_ids=tuple(customer_id for customer_id, _, _ in people), account_id=ids["account"], premise_id=ids["premise"],
    )  # fmt: skip


def unsigned(app: FastAPI) -> TestClient:
    """A client that keeps cookies, follows nothing, and has none yet."""
    return TestClient(app, follow_redirects=False, headers={"User-Agent": "tests"})


def with_key(app: FastAPI, key: str) -> TestClient:
    """A program with an API key."""
    return TestClient(app, follow_redirects=False, headers={"Authorization": f"Bearer {key}"})


def signed_in(app: FastAPI, office: Office) -> TestClient:
    """A browser in which somebody of the office has signed in."""
    client = unsigned(app)
    answer = client.post("/sign-in", data={"user_name": office.login, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    return client


def random_secret() -> str:
    return secrets.token_urlsafe(32)
