"""What the tests of the application stand on: a small utility with people, keys, a zone, and customers at premises."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from fastapi import FastAPI
from fastapi.testclient import TestClient

from mains.base.db import Actor, Database, system_actor
from mains.base.ids import uuid7
from mains.devices import lifecycle
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


HOUR = timedelta(hours=1)
FIRST = datetime(2026, 3, 1, 6, tzinfo=UTC)
"""Local midnight, from which the furnished meters have readings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Furnished:
    """What metering holds at an office: an id for each placeholder of an address, and for each operation with a body one that it takes."""

    ids: dict[str, Any]
    bodies: dict[str, dict[str, Any]]


def furnish(app: FastAPI, office: Office) -> Furnished:
    """Hang a meter, push a week of readings with a gap and a spike, judge them, and give a command, so that every route of metering has something to find."""
    database: Database = app.state.database
    with database.transaction(actor=office.actor) as conn:
        parts = (lifecycle.ModelChannel(register="1", unit="Wh", interval_s=900), lifecycle.ModelChannel(register="total", unit="kWh", pow10=-1))
        lifecycle.define_model(conn, model_code="T", channels=parts, commodity="electric", dial_digits=6, has_switch=True)
    client, later = with_key(app, office.writes), (FIRST + 48 * HOUR).isoformat()

    def done(method: str, path: str, **sent: Any) -> Any:
        answer = client.request(method, path, **sent)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json()

    delivered = {"model_code": "T", "reason": "delivered", "at": "2026-01-05T00:00:00Z"}
    new = {number: done("POST", "/v1/meters", json={"meter_number": number, **delivered}) for number in ("M-1", "M-2", "M-3")}
    installing = {"service_point_number": "SP-1", "at": FIRST.isoformat(), "reason": "new home", "figures": {"total": "12.5"}}
    hung = done("POST", f"/v1/meters/{new['M-1']['meter_id']}/install", json=installing)
    channel = next(each["channel_id"] for each in hung["channels"] if each["register"] == "1")
    lines = [
        json.dumps({"meter": "M-1", "register": "1", "start": (FIRST + i * HOUR / 4).isoformat(), "value": 99_000 if i == 300 else 200 + i % 50, "unit": "Wh"})
        for i in range(96 * 7) if not 400 <= i < 404
    ]  # fmt: skip
    done("POST", "/v1/readings:push", content="\n".join(lines), headers={"content-type": "application/x-ndjson", "idempotency-key": "a week"})
    done("POST", "/v1/readings", content="\n".join(lines[:300]), headers={"content-type": "application/x-ndjson"})
    done("POST", "/v1/vee/runs", json={})
    exceptions = done("GET", "/v1/vee/exceptions")["items"]
    assert exceptions
    command = done("POST", f"/v1/meters/{new['M-1']['meter_id']}/commands", json={"command_kind": "disconnect", "reason": "no payment"}, headers={"idempotency-key": "1"})
    protection = done("POST", f"/v1/customers/{office.customer_ids[1]}/protections", json={"kind": "medical", "evidence": "letter"})
    moratorium = done("POST", "/v1/moratoria", json={"moratorium_name": "winter", "from_at": later, "reason": "rule of the commission"})
    edit = {"channel_id": channel, "from_at": (FIRST + 5 * HOUR).isoformat(), "values": [1, None, 3], "reason": "seen by eye"}
    edited = done("POST", "/v1/vee/edits", json=edit)
    ids = {
        "meter_id": new["M-1"]["meter_id"], "channel_id": channel, "command_id": command["command_id"], "edit_id": edited["edit_id"],
        "vee_exception_id": exceptions[0]["vee_exception_id"], "protection_id": protection["protection_id"], "moratorium_id": moratorium["moratorium_id"],
    }  # fmt: skip
    return Furnished(ids=ids, bodies=_bodies(channel, edit, installing))


def _bodies(channel: int, edit: dict[str, Any], installing: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A body that each operation takes, or refuses for a reason that lies in what is there."""
    later, why = (FIRST + 48 * HOUR).isoformat(), {"reason": "seen on site"}
    step, filters = {"at": later, **why}, {"rule_name": "spike", "meter_number": "M-1", "zone_code": "E", "batch_id": 1, "from_at": FIRST.isoformat(), "to_at": later}
    return {
        "POST /v1/meters": {"meter_number": "M-9", "commodity": "electric", "dial_digits": 6, **step},
        "POST /v1/meters/{meter_id}/restock": step,
        "POST /v1/meters/{meter_id}/retire": step,
        "POST /v1/meters/{meter_id}/commands": {"command_kind": "ping", "arguments": {"register": "1"}, "life_minutes": 5, **why},
        "POST /v1/meters/{meter_id}/install": installing | {"is_beside": False},
        "POST /v1/meters/{meter_id}/exchange": {"new_meter_number": "M-2", "last_figures": {"total": "99.9"}, "first_figures": {"total": "0"}, **step},
        "POST /v1/meters/{meter_id}/remove": {"figures": {"total": "99.9"}, **step},
        "POST /v1/commands/claim": {"worker": "w", "limit": 5, "lease_seconds": 60},
        "POST /v1/commands/{command_id}/cancel": {"finding": "paid"},
        "POST /v1/commands/{command_id}/acknowledge": {"result": {}},
        "POST /v1/commands/{command_id}/finish": {"result": {"switch": "connected"}},
        "POST /v1/commands/{command_id}/fail": {"finding": "no radio"},
        "POST /v1/channels/{channel_id}/change": {"multiplier": "2", "pow10": 0, "interval_s": 900, "utc_offset_min": -360, "unit": "Wh", "move": "quantities", **step},
        "POST /v1/vee/exceptions/{vee_exception_id}/decide": {"action": "accept", **why},
        "POST /v1/vee/decisions": {"action": "accept", "ids": [1], "severity": "failure", "channel_id": channel, "dry_run": True, **filters, **why},
        "POST /v1/vee/edits": edit | {"vee_exception_id": 1},
        "POST /v1/vee/edits/{edit_id}/decide": {"action": "reject"},
        "POST /v1/vee/runs": {"batches": [1]},
        "PUT /v1/vee/policy": {"from_date": "2026-05-01", "profile": "standard", "has_four_eyes": True, "is_holding_bills": True, "is_estimating": True, "context_days": 14},
        "POST /v1/customers/{customer_id}/protections": {"kind": "age", "evidence": "passport", "from_at": later, "to_at": "2026-12-01T00:00:00Z"},
        "POST /v1/protections/{protection_id}/end": step,
        "POST /v1/moratoria": {
            "moratorium_name": "heat", "from_at": later, "to_at": "2026-12-01T00:00:00Z", "commodity": "electric", "customer_class": "residential",
            "service_zone_id": str(uuid4()), **why,
        },
        "POST /v1/moratoria/{moratorium_id}/end": step,
        "POST /v1/payments": {"customer_id": str(uuid4()), "amount": "10.00"},
        "POST /v1/keys": {"key_name": "k", "scopes": ["read"]},
        "POST /v1/bills/{bill_id}/cancel": why,
    }


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
