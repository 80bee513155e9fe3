"""The description of the API and the API itself are one: drawn requests, good and bad, get only answers that are described, and none without sign-in.

Values that no honest program sends, one at a time in otherwise good requests, are refused or mean nothing; none breaks a route.
"""

import json
from urllib.parse import quote

import pytest
import schemathesis
from api_world import Furnished, furnish, with_key
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as openapi

from mains.app import create_app
from mains.base.db import Database
from mains.settings import Settings

CHECKS = [
    checks.not_a_server_error, openapi.status_code_conformance, openapi.content_type_conformance, openapi.response_schema_conformance, openapi.response_headers_conformance,
]  # fmt: skip


@schemathesis.serializer("application/x-ndjson")
def _lines(_context, value):
    """Lines as they were drawn."""
    return str(value).encode()


def operations_of(app):
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    return {found.ok().label: found.ok() for found in schema.get_all_operations()}


LABELS = sorted(operations_of(create_app(Database(app_url="", admin_url="", ingest_url=""), Settings())))


@pytest.fixture(scope="module")
def furnished(app, riverbend) -> Furnished:
    return furnish(app, riverbend)


@pytest.fixture(scope="module")
def operations(app):
    return operations_of(app)


def draw_requests(app, operation, there, key, *, examples: int) -> None:
    """Send an operation so many requests that fit its description and so many that do not; without a key, none may succeed."""
    known, sent = {"Authorization": f"Bearer {key}"}, 0
    for mode in GenerationMode:
        try:
            strategy = operation.as_strategy(generation_mode=mode)
            strategy.validate()
        except Exception:  # noqa: BLE001 - an operation without parameters has no wrong ones
            continue

        @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=strategy, is_known=st.sampled_from([True, True, True, False]), is_there=st.booleans())
        def send(case, is_known, is_there):
            nonlocal sent
            sent += 1
            if is_there:  # ask for something that exists
                case.path_parameters.update({name: str(there[name]) for name in case.path_parameters if name in there})
            answer = case.call(headers=known if is_known else {})
            if not is_known:
                assert answer.status_code >= 400, (case.method, case.path, answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        send()
    assert sent


@pytest.mark.parametrize("label", LABELS)
def test_drawn_requests_get_only_described_answers(app, riverbend, furnished, operations, label):
    with with_key(app, riverbend.writes):
        draw_requests(app, operations[label], riverbend.ids() | furnished.ids, riverbend.writes, examples=4)


@pytest.mark.nightly
@pytest.mark.parametrize("label", LABELS)
def test_many_drawn_requests_get_only_described_answers(app, riverbend, furnished, operations, label):
    with with_key(app, riverbend.writes):
        draw_requests(app, operations[label], riverbend.ids() | furnished.ids, riverbend.writes, examples=100)


# Hostile values -----------------------------------------------------------------------------------------------------------------------------------------------------

HOSTILE = [
    "\x00", "\ud800", "x" * 100_000, 10**30, 2**63, -1, 0, "1e9999", "NaN", "", [], {}, None,
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31",
]  # fmt: skip


def good_query(operation) -> dict[str, object]:
    """A value for each query parameter that has to be there, and an honest one for the others."""
    asked = {parameter["name"]: parameter for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
    known = {"from_at": "2026-03-02T00:00:00-06:00", "to_at": "2026-03-03T00:00:00-06:00", "meter": "M-1"}
    return {name: known[name] for name, parameter in asked.items() if parameter.get("required") or (name == "meter" and "channel" in asked)}


def requests_to(label: str, operation, there, body):
    """(what is hostile, path, query, body) of each request to send."""
    path = label.split(" ", 1)[1]
    fill = {name: str(value) for name, value in there.items()} | {"format": "csv"}
    address, query = path.format_map(_Filling(fill)), good_query(operation)
    yield "nothing", address, query, body
    for value in HOSTILE:
        text = (value if isinstance(value, str) else str(value))[:2000]  # longer ones are no address
        encoded = quote(text.encode("utf-8", "surrogatepass"), safe="") or "%20"
        for name in [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"]:
            yield f"{name} in the path", path.format_map(_Filling(fill | {name: encoded})), query, body
        for name in [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]:
            yield f"query {name}", address, query | {name: text}, body
        if body is not None:
            yield "the body", address, query, value
            for name in body:
                yield f"body {name}", address, query, body | {name: value}


class _Filling(dict):
    def __missing__(self, name: str) -> str:
        return "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("label", [label for label in LABELS if label not in ("POST /v1/readings:push", "POST /v1/readings")])
def test_hostile_values_break_no_route(app, riverbend, furnished, label):
    method, path = label.split(" ", 1)
    operation = app.openapi()["paths"][path][method.lower()]
    documented = {int(status) for status in operation["responses"]} - {500}
    body = furnished.bodies.get(label, {} if "requestBody" in operation else None)
    client = with_key(app, riverbend.writes)
    for what, address, query, sent in requests_to(label, operation, riverbend.ids() | furnished.ids, body):
        url = address + "?" + "&".join(f"{name}={quote(str(value).encode('utf-8', 'surrogatepass'), safe='')}" for name, value in query.items())
        content = {} if body is None else {"content": json.dumps(sent), "headers": {"idempotency-key": "k", "content-type": "application/json"}}
        answer = client.request(method, url.rstrip("?"), **content)
        assert answer.status_code in documented, (what, repr(sent)[:300], url[:300], answer.text[:300])
        if answer.status_code >= 400:
            assert answer.json()["cure"], what


LINE = {
    "meter": "M-1", "register": "1", "start": "2026-03-02T00:00:00-06:00", "value": "1", "unit": "Wh", "quality": "actual", "interval_minutes": "15",
    "commodity": "electric", "flow": "delivered",
}  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/readings:push", "/v1/readings"])
def test_hostile_lines_of_readings_are_refused_one_by_one(app, riverbend, furnished, path):
    client = with_key(app, riverbend.writes)
    names = [name for name in LINE if path == "/v1/readings" or name in ("meter", "register", "start", "value", "unit", "quality")]
    good = {name: LINE[name] for name in names}
    for value in HOSTILE:
        for sent in [*(good | {name: value} for name in names), value]:
            answer = client.post(path, content=json.dumps(sent), headers={"content-type": "application/x-ndjson"})
            assert answer.status_code in (200, 422), (repr(sent)[:200], answer.status_code, answer.text[:300])
            if answer.status_code == 200 and answer.json():
                assert answer.json()["accepted"] + answer.json()["quarantined"] == answer.json()["found"], repr(sent)[:200]
