"""Meters, channels and commands as programs and people at a terminal reach them."""

import json
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from field_world import SPRING, Field

from mains.base.http import add_problem_handlers
from mains.cli import main
from mains.devices.api import router as devices_router
from mains.metering.api import router as metering_router


@pytest.fixture
def client(field: Field):
    """A client that speaks for a clerk."""

    def speak(actor=field.clerk) -> TestClient:
        app = FastAPI()
        app.state.database = field.database
        app.include_router(devices_router)
        app.include_router(metering_router)
        add_problem_handlers(app)

        @app.middleware("http")
        async def signed_in(request, call_next):
            request.state.actor = actor
            return await call_next(request)

        return TestClient(app, raise_server_exceptions=False)

    return speak


@pytest.fixture
def typed(field: Field, monkeypatch, capsys):
    """Types a command and gives its exit code and JSON."""
    for key, url in {"DATABASE_URL": field.database.admin_url, "APP_URL": field.database.app_url, "INGEST_URL": field.database.ingest_url}.items():
        monkeypatch.setenv(f"MAINS_{key}", url)

    def run(*words: str):
        code = main([*words, "--utility", "prairie", "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def point_number(field: Field, point) -> str:
    return field.ask("SELECT service_point_number FROM customers.service_points WHERE service_point_id = %s", point)[0][0]


def test_the_life_of_a_meter_over_the_api(field: Field, client):
    api, model, at = client(), field.model(), SPRING.isoformat()
    made = api.post("/v1/meters", json={"meter_number": field.new(), "model_code": model, "reason": "delivered", "at": "2026-01-05T00:00:00Z"})
    assert (made.status_code, made.json()["meter_status"]) == (201, "inventory")
    meter, other = made.json()["meter_id"], field.meter(model_code=model)
    place = {"service_point_number": point_number(field, field.point()), "at": at, "reason": "new home", "figures": {"total": "12.5"}}
    hung = api.post(f"/v1/meters/{meter}/install", json=place)
    assert (hung.status_code, [each["register"] for each in hung.json()["channels"]]) == (201, ["1", "total"])
    assert api.post(f"/v1/meters/{meter}/install", json=place).json()["type"] == "/problems/illegal-step"

    tested = api.post(f"/v1/meters/{meter}/commission").json()
    assert [each["outcome"] for each in tested] == ["not_comparable"]
    swap = {"new_meter_number": other, "at": (SPRING + timedelta(days=5)).isoformat(), "reason": "display broken"}
    swap |= {"last_figures": {"total": "99.9"}, "first_figures": {"total": "0.1"}}
    assert api.post(f"/v1/meters/{meter}/exchange", json=swap).status_code == 201
    assert api.post(f"/v1/meters/{meter}/retire", json={"reason": "broken"}).json()["meter_status"] == "retired"

    history = api.get(f"/v1/meters/{meter}").json()
    assert [each["step"] for each in history["steps"]] == ["registered", "installed", "removed", "retired"]
    assert [each["outcome"] for each in history["commissionings"]] == ["not_comparable"]
    assert meter in [each["meter_id"] for each in api.get("/v1/meters", params={"meter_status": "retired", "limit": 500}).json()["items"]]
    assert model in [each["model_code"] for each in api.get("/v1/meter-models").json()]


def test_a_channel_is_shown_and_changed_over_the_api(field: Field, client):
    number, _ = field.smart_home()
    api = client()
    first = api.get("/v1/channels", params={"meter_number": number}).json()["items"][0]["channel_id"]
    fixed = {"meter": number, "register": "1", "value": 250, "unit": "Wh", "interval_minutes": 15}
    lines = [json.dumps(fixed | {"start": (SPRING + timedelta(minutes=15 * i)).isoformat()}) for i in range(8)]
    assert api.post("/v1/readings", content="\n".join(lines), headers={"content-type": "application/x-ndjson"}).json()["new"] == 8

    shown = api.get(f"/v1/channels/{first}").json()
    assert (shown["last_value"], shown["last_quality"], shown["quality_shares"]) == ("250", "actual", {"actual": "1.0000"})
    change = {"at": (SPRING + timedelta(hours=1)).isoformat(), "reason": "transformers", "multiplier": "2"}
    refused = api.post(f"/v1/channels/{first}/change", json=change)
    assert (refused.status_code, refused.json()["readings"]) == (409, 4)
    done = api.post(f"/v1/channels/{first}/change", json=change | {"move": "quantities"}).json()
    assert (done["readings_moved"], done["opened"]["multiplier"], done["closed"]["in_service_to"]) == (4, "2", done["opened"]["in_service_from"])
    assert api.post("/v1/channels/9999999/change", json=change).status_code == 404


def test_a_command_over_the_api_is_carried_out_once(field: Field, client):
    number, _ = field.smart_home()
    api, other = client(), client(field.second)
    meter = next(each for each in api.get("/v1/meters", params={"limit": 500}).json()["items"] if each["meter_number"] == number)["meter_id"]
    order, key = {"command_kind": "disconnect", "reason": "no payment"}, {"Idempotency-Key": f"order of {number}"}
    assert api.post(f"/v1/meters/{meter}/commands", json=order).status_code == 422
    first, again = (api.post(f"/v1/meters/{meter}/commands", json=order, headers=key).json() for _ in range(2))
    assert (first["command_id"], first["command_status"]) == (again["command_id"], "requested")
    command = first["command_id"]
    assert api.post(f"/v1/commands/{command}/approve").status_code == 403
    assert other.post(f"/v1/commands/{command}/approve").json()["approved_by"] == "Ben Clerk"
    assert [each["command_id"] for each in api.post("/v1/commands/claim", json={"worker": "w"}).json()] == [command]
    api.post(f"/v1/commands/{command}/acknowledge", json={})
    (ping,) = api.post("/v1/commands/claim", json={"worker": "w"}).json()
    api.post(f"/v1/commands/{ping['command_id']}/finish", json={"result": {"switch": "disconnected"}})
    assert api.get(f"/v1/commands/{command}").json()["command_status"] == "done"
    assert [each["command_kind"] for each in api.get("/v1/commands", params={"meter_id": meter}).json()["items"]] == ["ping", "disconnect"]
    page = api.get("/v1/commands", params={"meter_id": meter, "limit": 1}).json()
    assert api.get("/v1/commands", params={"meter_id": meter, "after": page["next"]}).json()["items"][0]["command_id"] == command
    assert api.get(f"/v1/meters/{meter}/protections").json() == []


def test_the_life_of_a_meter_at_the_terminal(field: Field, typed):
    one, two, model = field.new(), field.new(), field.new("T")
    assert typed("meters", "define", model, "--commodity", "electric", "--channel", "1,Wh,900", "--channel", "total,kWh,0,delivered,-1", "--digits", "6", "--switch")[0] == 0
    for number in (one, two):
        assert typed("meters", "register", number, "--model", model, "--on", "2026-01-01")[1]["meter_status"] == "inventory"
    place = point_number(field, field.point())
    code, hung = typed("meters", "install", one, "--at", place, "--on", "2026-04-01T08:30", "--read", "total=7", "--reason", "new home")
    assert (code, len(hung["channels"])) == (0, 2)
    code, done = typed("meters", "exchange", one, two, "--on", "2026-04-10", "--last-read", "total=99", "--first-read", "total=0", "--reason", "broken")
    assert (code, done["begun"]["batch_id"] is not None) == (0, True)
    assert typed("meters", "commission", two)[1][0]["outcome"] == "not_comparable"
    shown = typed("meters", "show", one)[1]
    assert [each["step"] for each in shown["steps"]] == ["registered", "installed", "removed"]
    assert shown["installations"][0]["from_at"].startswith("2026-04-01T13:30")
    assert typed("meters", "restock", one, "--reason", "tested")[1]["meter_status"] == "inventory"
    assert typed("meters", "retire", one, "--reason", "old")[0] == 0
    code, problem = typed("meters", "install", one, "--at", place, "--reason", "again")
    assert (code, problem["type"]) == (1, "/problems/illegal-step")
    assert one in [each["meter_number"] for each in typed("meters", "list", "--status", "retired", "--limit", "1000")[1]]
    assert model in [each["model_code"] for each in typed("meters", "models")[1]]
    assert typed("meters", "remove", two, "--reason", "x", "--read", "total")[1]["type"] == "/problems/option-not-understood"
    assert typed("meters", "remove", two, "--reason", "torn down", "--read", "total=3")[0] == 0


def test_channels_are_shown_and_changed_at_the_terminal(field: Field, typed):
    number, _ = field.smart_home()
    code, shown = typed("channels", "show", number)
    assert (code, [each["channel"]["register"] for each in shown], shown[0]["last_at"]) == (0, ["1", "total"], None)
    channel = str(shown[0]["channel"]["channel_id"])
    code, done = typed("channels", "change", channel, "--on", "2026-05-01", "--multiplier", "40", "--reason", "transformers 200:5")
    assert (code, done["opened"]["multiplier"], done["opened"]["opened_because"]) == (0, "40", "transformers 200:5")
    assert len(typed("channels", "show", number)[1]) == 3
    assert typed("channels", "show", "--channel", channel)[1][0]["channel"]["in_service_to"].startswith("2026-05-01T05:00")
    for wrong in (("--multiplier", "x"), ("--move", "all", "--multiplier", "2")):
        assert typed("channels", "change", channel, "--reason", "x", *wrong)[1]["type"] == "/problems/option-not-understood"
    assert typed("channels", "show", "no such meter")[0] == 1


def test_commands_at_the_terminal(field: Field, typed):
    number, _ = field.smart_home()
    code, asked = typed("meters", "command", number, "disconnect", "--reason", "no payment", "--key", f"typed {number}")
    assert (code, asked["command_status"]) == (0, "requested")
    assert typed("meters", "approve", asked["command_id"])[1]["type"] == "/problems/approval-needed"
    assert [each["command_id"] for each in typed("meters", "commands", "--meter", number, "--status", "requested")[1]] == [asked["command_id"]]
    assert typed("meters", "cancel", asked["command_id"], "--reason", "paid")[1]["finding"] == "paid"
    assert typed("meters", "command", number, "explode", "--reason", "x")[0] == 1
    assert typed("meters", "limits", "--disconnects", "7")[1] == {"commands_per_minute": 120, "disconnects_per_hour": 7}
    assert typed("meters", "limits")[1]["disconnects_per_hour"] == 7
    assert typed("meters", "expire")[0] == 0
