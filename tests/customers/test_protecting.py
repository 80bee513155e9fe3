"""Who may not be disconnected: set up, seen, enforced, ended; by verb, at the terminal and over the API."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from mains.base.http import add_problem_handlers
from mains.base.problems import NotFound
from mains.customers import protecting
from mains.customers.api import router
from mains.customers.protecting import ReasonNeeded, UnableToEndProtection, UnableToProtect
from mains.devices import commands
from mains.devices.commands import ServiceProtected

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def disconnect(home, at, key):
    with home.database.transaction(actor=home.actor) as conn:
        return commands.request(conn, home.meter, "disconnect", at=at, reason="no payment", idempotency_key=key)


def test_a_protected_customer_is_not_disconnected_until_it_ends(home):
    with home.database.transaction(actor=home.actor) as conn:
        made = protecting.protect_customer(
            conn, customer_id=protecting.customer_named(conn, home.account), kind="medical", from_at=NOW - DAY, to_at=NOW + 9 * DAY, evidence="letter of Dr. Lee"
        )
    assert (made.customer_number, made.protection_kind, made.evidence) == (home.customer, "medical", "letter of Dr. Lee")
    with pytest.raises(ServiceProtected) as refused:
        disconnect(home, NOW, f"1 {home.meter}")
    assert "medical" in str(refused.value.facts["protections"])

    with home.database.transaction(actor=home.actor) as conn:
        protecting.end_protection(conn, made.protection_id, at=NOW + DAY, reason="got well")
        assert protecting.protection(conn, made.protection_id).to_at == NOW + DAY
        assert protecting.protections(conn, customer_id=home.customer_id, at=NOW) != []
        assert protecting.protections(conn, customer_id=home.customer_id, at=NOW + DAY) == []
        with pytest.raises(UnableToEndProtection):
            protecting.end_protection(conn, made.protection_id, at=NOW + DAY, reason="again")
    assert disconnect(home, NOW + DAY, f"2 {home.meter}").command_status == "requested"


def test_protection_that_comes_after_the_order_stops_it_before_it_goes_out(home, another):
    asked = disconnect(home, NOW, f"3 {home.meter}")
    with home.database.transaction(actor=another) as conn:
        commands.approve(conn, asked.command_id, at=NOW)
    with home.database.transaction(actor=home.actor) as conn:
        protecting.protect_customer(conn, customer_id=home.customer_id, kind="life_support", from_at=NOW, evidence="call of the hospital")
        assert asked.command_id not in {each.command_id for each in commands.claim(conn, worker="w", at=NOW + timedelta(minutes=1))}
        assert commands.command(conn, asked.command_id, at=NOW).command_status == "cancelled"


def test_who_ended_a_protection_and_why_is_kept_and_one_that_has_not_begun_is_taken_back(home):
    with home.database.transaction(actor=home.actor) as conn:
        made = protecting.protect_customer(conn, customer_id=home.customer_id, kind="dispute", from_at=NOW + 5 * DAY, evidence="bill of May")
        protecting.end_protection(conn, made.protection_id, at=NOW, reason="typed for the wrong customer")
        with pytest.raises(NotFound):
            protecting.protection(conn, made.protection_id)
    kept = home.ask("SELECT actor, change_reason FROM identity.utility_audit_log WHERE record_id = %s AND operation = 'DELETE'", str(made.protection_id))
    assert kept == [("Ada Clerk", "typed for the wrong customer")]


@pytest.mark.parametrize(
    ("given", "problem"),
    [({"to_at": NOW}, UnableToProtect), ({"evidence": "  "}, UnableToProtect), ({"evidence": "x" * 2001}, UnableToProtect), ({"customer_id": uuid4()}, NotFound)],
)
def test_a_protection_that_cannot_be(home, given, problem):
    asked = {"customer_id": home.customer_id, "kind": "age", "from_at": NOW, "evidence": "passport"} | given
    with home.database.transaction(actor=home.actor) as conn, pytest.raises(problem) as said:
        protecting.protect_customer(conn, **asked)
    assert said.value.cure


@pytest.mark.parametrize(
    ("limits", "holds"), [({}, True), ({"commodity": "electric"}, True), ({"commodity": "gas"}, False), ({"customer_class": "commercial"}, False), ({"zone": "E"}, False)]
)
def test_a_moratorium_holds_for_whom_it_names(home, limits, holds):
    name, zone = f"heat {uuid4()}", limits.pop("zone", None)
    with home.database.transaction(actor=home.actor) as conn:
        limits |= {"service_zone_id": protecting.zone_of_code(conn, zone)} if zone else {}
        made = protecting.declare_moratorium(conn, name=name, from_at=NOW, to_at=NOW + DAY, reason="forecast of 42 °C", **limits)
        assert ([each.protected_by for each in commands.protections_of(conn, home.meter_id, at=NOW)] == [f"moratorium {name}"]) is holds
        assert commands.protections_of(conn, home.meter_id, at=NOW + DAY) == []
        assert name in [each.moratorium_name for each in protecting.moratoria(conn, at=NOW)]
        with pytest.raises(UnableToProtect, match="already"):
            protecting.declare_moratorium(conn, name=name, from_at=NOW, reason="again")
        with pytest.raises(ReasonNeeded):
            protecting.end_moratorium(conn, made.moratorium_id, at=NOW, reason=" ")
        protecting.end_moratorium(conn, made.moratorium_id, at=NOW + DAY / 2, reason="it rained")
        assert protecting.moratorium(conn, made.moratorium_id).to_at == NOW + DAY / 2
        protecting.end_moratorium(conn, made.moratorium_id, at=NOW, reason="never mind")
        with pytest.raises(NotFound):
            protecting.moratorium_named(conn, name)


def test_protection_at_the_terminal(home, typed):
    code, made = typed("customers", "protect", home.account, "hardship", "--evidence", "letter", "--from", "2026-01-05", "--to", "2099-01-01")
    assert (code, made["customer_number"], made["from_at"]) == (0, home.customer, "2026-01-05T06:00:00+00:00")
    assert [each["protection_id"] for each in typed("customers", "protections", "--customer", home.customer)[1]] == [made["protection_id"]]
    assert typed("customers", "unprotect", made["protection_id"], "--reason", "paid", "--on", "2026-03-01")[0] == 0
    assert typed("customers", "protections", "--customer", str(home.customer_id))[1] == []
    assert typed("customers", "protections", "--customer", home.customer, "--all")[1][0]["to_at"] == "2026-03-01T06:00:00+00:00"
    assert typed("customers", "protect", "nobody", "age", "--evidence", "x")[1]["type"] == "/problems/not-found"
    assert typed("customers", "protect", home.customer, "whim", "--evidence", "x")[1]["type"] == "/problems/protection-not-understood"
    assert home.customer in [each["customer_number"] for each in typed("customers", "list", "--limit", "1000")[1]]


def test_a_moratorium_at_the_terminal(typed):
    name = f"winter {uuid4()}"
    code, made = typed("customers", "moratorium", "declare", name, "--from", "2026-01-01", "--class", "residential", "--zone", "E", "--reason", "rule of the commission")
    assert (code, made["customer_class"], made["to_at"]) == (0, "residential", None)
    assert name in [each["moratorium_name"] for each in typed("customers", "moratorium", "list")[1]]
    assert typed("customers", "moratorium", "end", name, "--reason", "spring")[0] == 0
    assert name not in [each["moratorium_name"] for each in typed("customers", "moratorium", "list")[1]]
    assert name in [each["moratorium_name"] for each in typed("customers", "moratorium", "list", "--all")[1]]
    assert typed("customers", "moratorium", "declare", "x", "--zone", "nowhere", "--reason", "x")[0] == 1
    assert typed("customers", "moratorium", "declare", "x", "--commodity", "steam", "--reason", "x")[1]["type"] == "/problems/unable-to-protect"


def test_protection_over_the_api(home):
    app = FastAPI()
    app.state.database = home.database
    app.include_router(router)
    add_problem_handlers(app)

    @app.middleware("http")
    async def signed_in(request, call_next):
        request.state.actor = home.actor
        return await call_next(request)

    api = TestClient(app)
    made = [api.post(f"/v1/customers/{home.customer_id}/protections", json={"kind": "medical", "evidence": f"letter {n}"}) for n in range(2)]
    assert [each.status_code for each in made] == [201, 201]
    page = api.get("/v1/protections", params={"customer_id": str(home.customer_id), "is_in_force": True, "limit": 1}).json()
    rest = api.get("/v1/protections", params={"customer_id": str(home.customer_id), "after": page["next"]}).json()
    assert [each["evidence"] for each in (*page["items"], *rest["items"])] == ["letter 1", "letter 0"]
    key = page["items"][0]["protection_id"]
    assert api.post(f"/v1/protections/{key}/end", json={"reason": "expired"}).json()["ended"] == key
    assert api.post(f"/v1/protections/{key}/end", json={"reason": "expired"}).status_code == 409
    assert api.post(f"/v1/protections/{uuid4()}/end", json={"reason": "expired"}).status_code == 404

    winter = api.post("/v1/moratoria", json={"moratorium_name": f"w {uuid4()}", "from_at": "2026-01-01T00:00:00-06:00", "reason": "rule"}).json()
    assert winter["moratorium_id"] in [each["moratorium_id"] for each in api.get("/v1/moratoria", params={"is_in_force": True}).json()["items"]]
    assert api.post(f"/v1/moratoria/{winter['moratorium_id']}/end", json={"reason": "spring"}).status_code == 200
    wrong = {"moratorium_name": "x", "from_at": "2026-01-01T00:00:00-06:00", "reason": "rule", "service_zone_id": str(uuid4())}
    assert api.post("/v1/moratoria", json=wrong).json()["type"] == "/problems/unable-to-protect"
