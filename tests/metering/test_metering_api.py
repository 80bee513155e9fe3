"""Readings through the API."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from meter_world import add_channels

from mains.base.http import add_problem_handlers
from mains.metering.api import LARGEST_BODY, router

JULY = datetime(2026, 7, 1, 6, tzinfo=UTC)
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
def client(database, staff):
    """A client that speaks for the utility's clerk, or for who is given."""

    def speak(actor=staff) -> TestClient:
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


def lines(meter: str, values) -> str:
    fixed = {"meter": meter, "register": "1", "unit": "Wh", "interval_minutes": 15}
    starts = [(JULY + timedelta(minutes=15 * i)).isoformat() for i in range(len(values))]
    return "\n".join(json.dumps(fixed | {"start": start, "value": value}) for start, value in zip(starts, values, strict=True))


def test_readings_sent_twice_are_stored_once_and_can_be_read(database, staff, client):
    (channel,) = add_channels(database, staff, numbers=["API-1"])
    first, again = (client().post("/v1/readings", content=lines("API-1", [5, 6, None, 8]), headers=NDJSON).json() for _ in range(2))

    assert (first["found"], first["new"], first["quarantined"]) == (4, 3, 0)
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, 4)
    window = {"from_at": JULY.isoformat(), "to_at": (JULY + timedelta(hours=1)).isoformat()}
    answer = client().get(f"/v1/channels/{channel}/readings", params=window).json()
    assert [(each["value"], each["quality"]) for each in answer["readings"]] == [("5", "actual"), ("6", "actual"), (None, "missing"), ("8", "actual")]
    assert [each["channel_id"] for each in client().get("/v1/channels", params={"meter_number": "API-1"}).json()["items"]] == [channel]


def test_refused_readings_name_their_line_and_stay_in_quarantine(client):
    report = client().post("/v1/readings", content=lines("API-NOBODY", [5, 6]), headers=NDJSON).json()

    assert (report["accepted"], report["quarantined"]) == (0, 2)
    (reason,) = report["reasons"]
    assert (reason["code"], reason["count"], reason["first"]["line"]) == ("unknown-meter", 2, 1)
    batch = report["by_file"][0]["batch_id"]
    assert [each["code"] for each in client().get("/v1/quarantine", params={"batch_id": batch}).json()["items"]] == ["unknown-meter"]
    assert client().get("/v1/ingest-batches", params={"limit": 1}).json()["items"][0]["readings_quarantined"] == 2


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        ("[1]", "application/x-ndjson", 422),
        ('{"meter": {"a": 1}}', "application/x-ndjson", 422),
        ('{"metre": "1"}', "application/x-ndjson", 422),
        ("meter", "application/json", 422),
        ("x" * (LARGEST_BODY + 1), "text/csv", 413),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_cure(client, content, kind, status):
    answer = client().post("/v1/readings", content=content, headers={"content-type": kind})

    assert answer.status_code == status
    assert answer.json()["cure"]


def test_the_neighbour_finds_no_channel_of_ours(database, staff, neighbour, client):
    (channel,) = add_channels(database, staff, numbers=["API-2"])
    window = {"from_at": JULY.isoformat(), "to_at": (JULY + timedelta(hours=1)).isoformat()}

    assert client(neighbour).get(f"/v1/channels/{channel}/readings", params=window).status_code == 404
    assert client(neighbour).get("/v1/channels").json()["items"] == []
    long = window | {"to_at": (JULY + timedelta(days=80)).isoformat()}
    assert client().get(f"/v1/channels/{channel}/readings", params=long).status_code == 422


def test_wrong_zones_and_far_dates_are_answered_and_break_nothing(database, staff, client):
    (channel,) = add_channels(database, staff, numbers=["API-3"])
    zone = client().post("/v1/readings?timezone=Mars%2FBase", content=lines("API-3", [5]), headers=NDJSON)
    ends = [("0001-01-01T00:00:00+00:00", "0001-01-02T00:00:00+00:00"), ("9999-12-30T00:00:00+00:00", "9999-12-31T00:00:00+00:00"), ("2026-07-02T00:00Z", "2026-07-01T00:00Z")]
    answers = [client().get(f"/v1/channels/{channel}/readings", params={"from_at": a, "to_at": b}) for a, b in ends]
    nothing = client().post("/v1/readings", content="", headers={"content-type": "text/csv"})

    assert zone.status_code < 500
    assert [(answer.status_code, answer.json()["readings"]) for answer in answers] == [(200, [])] * 3
    assert (nothing.status_code, nothing.json()["found"]) == (200, 0)
