"""What the API answers: pages by key, problems in one shape, nothing of the neighbour."""

import json
import re
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
import structlog
from api_world import signed_in, unsigned, with_key
from fastapi.routing import iter_route_contexts
from psycopg import sql
from psycopg_pool import PoolTimeout

from mains.app import create_app
from mains.base.db import Database
from mains.base.http import InTransaction
from mains.base.migrate import baseline
from mains.docs import problems
from mains.identity import operations
from mains.settings import Settings

PAGE = {"Accept": "text/html"}


@pytest.fixture
def reader(app, riverbend):
    return with_key(app, riverbend.reads)


def test_customers_come_in_pages_that_meet_without_gap_or_overlap(reader, riverbend):
    found, after, pages = [], None, 0
    while True:
        answer = reader.get("/v1/customers", params={"limit": 2} | ({"after": after} if after else {}))
        body, pages = answer.json(), pages + 1
        found += [customer["customer_number"] for customer in body["items"]]
        if (after := body["next"]) is None:
            break
        assert answer.headers["link"] == f'</v1/customers?limit=2&after={after}>; rel="next"'
    assert (found, pages) == (["C-1", "C-2", "C-3"], 2)
    assert "link" not in answer.headers


ALL = ["C-1", "C-2", "C-3"]


@pytest.mark.parametrize(
    ("search", "numbers"), [("okafor", ["C-1"]), ("C-", ALL), ("A-1", ["C-1"]), ("50%", ["C-3"]), ("5_%", []), ("O'Neil & Sons", ["C-3"]), ("  ", ALL)]
)
def test_customers_are_found_by_name_and_by_number_and_signs_mean_themselves(reader, search, numbers):
    assert [customer["customer_number"] for customer in reader.get("/v1/customers", params={"search": search}).json()["items"]] == numbers


def test_numbers_are_exact_and_instants_have_their_offset(reader, riverbend):
    zone = reader.get(f"/v1/zones/{riverbend.zone_id}").json()
    account = reader.get(f"/v1/accounts/{riverbend.account_id}").json()

    assert zone["peak_load_mw"] == "12.50"
    assert zone["zone_boundary"] == {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    assert account["active_from"] == "2026-01-01T06:00:00Z"
    assert reader.get("/v1/utility").json()["utility_code"] == "riverbend"
    assert reader.get(f"/v1/premises/{riverbend.premise_id}").json()["service_points"][0]["service_point_number"] == "SP-1"
    assert reader.get(f"/v1/customers/{riverbend.customer_ids[0]}/accounts").json()["items"][0]["account_number"] == "A-1"


def test_nothing_of_one_utility_answers_to_the_other_by_any_route(app, admin, riverbend, hilltop):
    mine, theirs = signed_in(app, riverbend), hilltop.ids()
    lists = 0
    for route in iter_route_contexts(app.routes):
        path = route.path or ""
        if path in ("/v1/openapi.json", "/static", "/sign-in/{secret}", "/sign-out", "/sign-in", "/problems/{slug}"):
            continue
        if "{" in path:
            for method in route.methods or ():
                named = {name: theirs.get(name) or an_id(admin, name, utility_id=hilltop.actor.utility_id) for name in re.findall(r"{(\w+)", path)}
                answer = mine.request(method, path.format(**named))
                assert answer.status_code in (404, 422), (method, path, answer.status_code)
                assert answer.status_code == 404 or not set(named) <= set(theirs) or method not in ("GET", "DELETE"), (method, path)
        elif "GET" in (route.methods or ()):
            answer, lists = mine.get(path), lists + 1
            text = answer.text
            assert hilltop.code not in text, path
            assert not [one for one in (*theirs.values(), *hilltop.customer_ids, hilltop.actor.utility_id) if str(one) in text], path
    assert lists >= 12
    assert with_key(app, hilltop.reads).get("/v1/keys").json()["items"]


def test_the_pages_answer_somebody_who_signed_in(app, riverbend):
    client = signed_in(app, riverbend)
    for path in ("/", "/search?q=okafor", f"/customers/{riverbend.customer_ids[0]}", "/imports", "/billing/exceptions", "/docs"):
        answer = client.get(path, headers=PAGE)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
    assert "Ana of riverbend" in client.get("/", headers=PAGE).text


def an_id(admin, name: str, *, utility_id):
    """A row's key that a placeholder of this name may mean, of this utility where it has such a row."""
    tables = admin.execute(
        "SELECT a.attrelid::regclass::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) "
        "WHERE i.indisprimary AND a.attname = %s AND EXISTS (SELECT FROM pg_attribute u WHERE u.attrelid = i.indrelid AND u.attname = 'utility_id')", [name],
    ).fetchall()  # fmt: skip
    for (table,) in tables:
        found = admin.execute(sql.SQL("SELECT {} FROM {} WHERE utility_id = %s LIMIT 1").format(sql.Identifier(name), sql.Identifier(*table.split("."))), [utility_id]).fetchone()
        if found:
            return found[0]
    return uuid4()


def test_a_regulator_reads_the_zones_and_no_customer(app, database, riverbend):
    with database.transaction(actor=riverbend.actor) as conn:
        user_id = operations.hire_staff(conn, login="regulator@state.example", full_name="Regulator", role="regulator", at=_now())
        key = operations.make_api_key(conn, user_id=user_id, key_name="look", at=_now(), scopes=("read", "write"))
    client = with_key(app, key.key)

    assert client.get("/v1/zones").json()["items"][0]["zone_code"] == "E"
    refused = client.get("/v1/customers")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-allowed")


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/v1/customers?limit=0", 422, "request-not-understood"), ("/v1/customers?limit=501", 422, "request-not-understood"),
        ("/v1/customers?serach=x", 422, "request-not-understood"), ("/v1/customers?after=nonsense", 422, "place-not-understood"),
        ("/v1/customers?after=WzFd", 422, "place-not-understood"), ("/v1/customers?after=WyJhIiwiYiJd", 422, "place-not-understood"),
        ("/v1/keys?after=WyJhIl0", 422, "place-not-understood"), ("/v1/customers?search=%00", 422, "request-not-understood"), ("/v1/customers/1", 422, "request-not-understood"),
        ("/v1/customers/00000000-0000-0000-0000-000000000000", 404, "not-found"), ("/v1/nothing", 404, "no-such-address"), ("/nothing", 404, "no-such-address"),
        ("/problems/nothing", 404, "no-such-address"),
    ],
)  # fmt: skip
def test_every_refusal_has_one_shape(reader, path, status, kind):
    answer = reader.get(path)
    body = answer.json()

    assert (answer.status_code, body["type"], body["status"]) == (status, f"/problems/{kind}", status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["cure"]
    assert body["request_id"] == answer.headers["x-request-id"]


def test_a_wrong_verb_names_the_right_ones_and_a_wrong_body_its_place(app, riverbend):
    client = signed_in(app, riverbend)
    wrong = client.post("/v1/customers")
    body = client.post("/v1/keys", json={"key_name": "", "scopes": ["admin"], "owner": "x"}).json()

    assert (wrong.status_code, wrong.headers["allow"], wrong.json()["type"]) == (405, "GET", "/problems/method-not-allowed")
    assert {error["where"] for error in body["errors"]} == {"body.key_name", "body.scopes.0", "body.owner"}
    assert client.post("/v1/keys", content="{", headers={"Content-Type": "application/json"}).status_code == 422


def test_a_body_too_large_is_a_problem_with_the_browsers_rules_whether_or_not_it_says_its_length(app, riverbend):
    client = signed_in(app, riverbend)
    said = client.post("/v1/keys", content="x" * 70_000_000)
    unsaid = client.post("/v1/keys", content=("x" * 1_000_000 for _ in range(70)))

    assert (said.status_code, said.json()["type"]) == (413, "/problems/body-too-large")
    assert unsaid.status_code in (400, 413)
    for answer in (said, unsaid):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-request-id"]


def test_a_browser_gets_a_page_about_the_problem(app, riverbend):
    answer = signed_in(app, riverbend).get("/nothing", headers=PAGE)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert answer.headers["x-request-id"] in answer.text
    assert "There is nothing at this address" in answer.text


def test_the_kinds_of_problems_are_pages_and_no_two_have_one_name(stranger):
    slugs = [kind.slug for kind in problems.kinds()]

    assert len(slugs) == len(set(slugs))
    assert {kind.status for kind in problems.kinds()} <= {400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 501, 502, 503}
    assert all(kind.title for kind in problems.kinds())
    for slug in ("not-found", "unable-to-sign-in", "sign-in-needed"):
        assert f"/problems/{slug}" in stranger.get(f"/problems/{slug}").text


def test_what_nobody_foresaw_is_answered_with_an_id_and_logged_without_what_it_says(database, riverbend):
    app = create_app(database, Settings())

    @app.get("/v1/broken")
    def broken() -> None:
        raise ValueError("Maria Okafor, 1 Main Street")

    with structlog.testing.capture_logs() as logged:
        answer = with_key(app, riverbend.reads).get("/v1/broken")

    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/unexpected-error")
    assert answer.headers["content-security-policy"]
    assert "Maria" not in answer.text
    assert "Traceback" not in answer.text
    fault = next(line for line in logged if line["log_level"] == "error")
    assert (fault["request_id"], fault["error"]) == (answer.headers["x-request-id"], "ValueError")
    assert fault["frames"][-1].endswith("broken")
    assert "Maria" not in json.dumps(logged)


def test_the_log_holds_no_secret_and_no_name(app, database, riverbend):
    with database.transaction(actor=riverbend.actor) as conn:
        link = operations.make_sign_in_link(conn, login=riverbend.login, at=_now())
    with structlog.testing.capture_logs() as logged, unsigned(app) as client:
        client.get(f"/sign-in/{link}")
        client.get("/v1/customers", params={"search": "okafor"})
        client.post("/sign-in", data={"user_name": riverbend.login, "password": "wrong password"})
        cookie = client.cookies["mains_session"]
    text = json.dumps(logged)

    assert [line["route"] for line in logged if line["event"] == "request"] == ["/sign-in/{secret}", "/v1/customers", "/sign-in"]
    assert not [secret for secret in (link, cookie, "okafor", "wrong password", riverbend.login) if secret in text]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (psycopg.OperationalError("gone"), 503, "database-not-reachable"), (PoolTimeout("full"), 503, "database-not-reachable"),
        (psycopg.errors.DeadlockDetected("both"), 409, "changed-meanwhile"), (psycopg.errors.UniqueViolation("a mistake of ours"), 500, "unexpected-error"),
    ],
)  # fmt: skip
def test_what_the_database_says_is_told_apart(database, riverbend, error, status, kind):
    app = create_app(database, Settings())

    @app.get("/v1/broken")
    def broken() -> None:
        raise error

    answer = with_key(app, riverbend.reads).get("/v1/broken")
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")


def test_a_request_that_fails_changes_nothing_and_one_that_reads_cannot(database, riverbend):
    app = create_app(database, Settings())

    @app.get("/v1/sneaky")
    def sneaky(conn: InTransaction) -> None:
        conn.execute("UPDATE network.service_zones SET zone_name = 'changed'")

    @app.post("/v1/half")
    def half(conn: InTransaction) -> None:
        conn.execute("UPDATE network.service_zones SET zone_name = 'changed'")
        raise ValueError("half way")

    client = with_key(app, riverbend.writes)
    assert client.get("/v1/sneaky").status_code == 500
    assert client.post("/v1/half").status_code == 500
    assert client.get("/v1/zones").json()["items"][0]["zone_name"] == "East"


def test_health_is_open_and_says_whether_the_database_fits(app, stranger, database, admin):
    assert stranger.get("/healthz").json() == {"status": "up"}
    assert stranger.get("/readyz").json() == {"status": "ready"}

    gone = create_app(Database(app_url="postgresql://mains_app:x@127.0.0.1:1/none", admin_url="", ingest_url=""), Settings())
    with unsigned(gone) as client:
        assert client.get("/healthz").status_code == 200

    admin.execute("UPDATE base.migrations SET checksum = repeat('0', 64) WHERE name = 'network'")
    try:
        answer = stranger.get("/readyz")
    finally:
        admin.execute("UPDATE base.migrations SET checksum = %s WHERE name = 'network'", [next(step.checksum for step in baseline() if step.name == "network")])
    assert (answer.status_code, answer.json()["cure"]) == (503, "mains db migrate")


def test_a_key_is_made_for_oneself_shown_once_and_listed_without_its_secret(app, riverbend):
    client = signed_in(app, riverbend)
    made = client.post("/v1/keys", json={"key_name": "loader", "scopes": ["write", "read"]}).json()
    listed = client.get("/v1/keys").json()["items"][0]

    assert with_key(app, made["key"]).get("/v1/me").json()["scopes"] == ["read", "write"]
    assert (listed["key_id"], listed["key_prefix"], listed["key_name"]) == (made["key_id"], made["key"][:8], "loader")
    assert made["key"] not in json.dumps(listed)
    assert with_key(app, riverbend.writes).post("/v1/keys", json={"key_name": "from a key"}).status_code == 403


def test_the_list_of_operations_is_a_page(app, riverbend):
    answer = signed_in(app, riverbend).get("/docs", headers=PAGE)

    assert answer.status_code == 200
    assert "GET /v1/customers" in answer.text


def test_every_answer_carries_the_browsers_rules(app, riverbend, stranger):
    for answer in (stranger.get("/healthz"), stranger.get("/v1/me"), stranger.get("/sign-in"), signed_in(app, riverbend).get("/v1/customers")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def _now():
    return datetime.now(UTC)
