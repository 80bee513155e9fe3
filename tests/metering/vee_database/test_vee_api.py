"""The work list through the API: pages, explanations, decisions one by one and many at once, edits, runs and rules."""

from dataclasses import replace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from meter_world import add_channels
from vee_world import day_start, delivered, households, qualities, values_of

from mains.base.db import Actor
from mains.base.http import add_problem_handlers
from mains.metering.model import Quality
from mains.metering.vee.api import router


@pytest.fixture
def client(database, staff):
    """A client that speaks for the utility's clerk, or for who is given."""

    def speak(actor: Actor = staff) -> TestClient:
        app = FastAPI()
        app.state.database = database
        app.include_router(router)
        add_problem_handlers(app)

        @app.middleware("http")
        async def signed_in(request, call_next):
            request.state.actor = actor
            return await call_next(request)

        return TestClient(app, raise_server_exceptions=False)

    return speak


@pytest.fixture
def spikes(database, staff, client):
    """Three channels with a spike each on day 28, judged through the API: channels and their delivery."""
    channels = add_channels(database, staff, 3)
    values = households(3, 40, seed=41)
    for meter, slot in enumerate((20, 40, 60)):
        values[meter, 28, slot] = 90_000
    batch = delivered(database, staff, channels, values)
    answer = client().post("/v1/vee/runs", json={})
    assert answer.status_code == 200
    assert batch.batch_id in answer.json()["batches"]
    assert client().post("/v1/vee/runs", json={}).json()["batches"] == []
    return channels, batch.batch_id


def spike_of(client, channel: int) -> dict:
    (found,) = client().get("/v1/vee/exceptions", params={"channel_id": channel, "rule_name": "spike"}).json()["items"]
    return found


def test_the_list_comes_in_pages_and_by_filter(client, spikes):
    _, batch = spikes
    asked = {"batch_id": batch, "rule_name": "spike", "limit": 2}
    first = client().get("/v1/vee/exceptions", params=asked).json()
    rest = client().get("/v1/vee/exceptions", params=asked | {"after": first["next"]}).json()
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    assert {each["severity"] for each in first["items"] + rest["items"]} == {"failure"}
    assert any(each["rule_name"] == "spike" for each in client().get("/v1/vee/exception-totals").json())


def test_an_exception_explains_itself(client, spikes):
    channels, _ = spikes
    found = spike_of(client, channels[0])
    told = client().get(f"/v1/vee/exceptions/{found['vee_exception_id']}").json()
    assert told["parameters"]["ratio"] == 1.8
    assert [each["raw"] for each in told["readings"] if each["is_questioned"]] == [90_000]
    assert client().get("/v1/vee/exceptions/999999999").status_code == 404


def test_a_decision_twice_is_one(client, spikes, database, staff):
    channels, _ = spikes
    key = spike_of(client, channels[0])["vee_exception_id"]
    for _ in range(2):
        answer = client().post(f"/v1/vee/exceptions/{key}/decide", json={"action": "accept", "reason": "a welder"})
        assert (answer.status_code, answer.json()["exception_status"]) == (200, "accepted")
    assert qualities(database, staff, channels[0], 28)[20] == Quality.VALIDATED
    other = client().post(f"/v1/vee/exceptions/{key}/decide", json={"action": "estimate", "reason": "or not"})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/illegal-decision")


def test_many_are_decided_by_a_filter_after_counting(client, spikes):
    _, batch = spikes
    asked = {"action": "estimate", "reason": "a jump", "batch_id": batch, "rule_name": "spike"}
    counted = client().post("/v1/vee/decisions", json=asked | {"dry_run": True}).json()
    assert (len(counted["exceptions"]), counted["is_dry_run"]) == (3, True)
    done = client().post("/v1/vee/decisions", json=asked).json()
    assert (sorted(done["exceptions"]), done["readings"], done["refused"]) == (sorted(counted["exceptions"]), 3, [])
    assert client().post("/v1/vee/decisions", json=asked).json()["exceptions"] == []
    assert client().post("/v1/vee/decisions", json={"action": "accept", "reason": "all of them"}).status_code == 422


def test_edits_with_four_eyes(client, spikes, database, staff):
    channels, _ = spikes
    assert client().put("/v1/vee/policy", json={"from_date": "2026-01-01", "has_four_eyes": True}).json()["has_four_eyes"] is True
    try:
        new = {"channel_id": channels[1], "from_at": day_start(28).isoformat(), "values": [None] * 40 + [77], "reason": "read on site"}
        made = client().post("/v1/vee/edits", json=new | {"vee_exception_id": spike_of(client, channels[1])["vee_exception_id"]})
        assert (made.status_code, made.json()["edit_status"]) == (201, "proposed")
        path = f"/v1/vee/edits/{made.json()['edit_id']}/decide"
        assert client().post(path, json={"action": "approve"}).status_code == 403
        other = client(replace(staff, name="Grace Checker"))
        assert [other.post(path, json={"action": "approve"}).json()["edit_status"] for _ in range(2)] == ["applied", "applied"]
        assert values_of(database, staff, channels[1], 28)[40] == 77
        assert [each["edit_status"] for each in client().get("/v1/vee/edits", params={"channel_id": channels[1]}).json()] == ["applied"]
    finally:
        client().put("/v1/vee/policy", json={"from_date": "2026-01-01", "has_four_eyes": False})


def test_rules_are_told_by_date(client):
    told = client().get("/v1/vee/rules", params={"on_date": "2026-05-01"}).json()
    assert told["policy"]["profile"] == "default"
    assert [each["number"] for each in told["rules"]][:25] == list(range(1, 26))


def test_only_staff_decides_and_a_neighbour_sees_nothing(client, spikes, staff, neighbour):
    channels, _ = spikes
    key = spike_of(client, channels[0])["vee_exception_id"]
    auditor = client(Actor(role="auditor", utility_id=staff.utility_id, name="Otto Auditor"))
    assert auditor.post(f"/v1/vee/exceptions/{key}/decide", json={"action": "accept", "reason": "why not"}).status_code == 403
    assert client(neighbour).get(f"/v1/vee/exceptions/{key}").status_code == 404
    assert client(neighbour).post(f"/v1/vee/exceptions/{key}/decide", json={"action": "accept", "reason": "mine"}).status_code == 404
