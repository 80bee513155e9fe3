"""Nothing but health and the way in is open; what lets somebody in, and what no longer does."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from api_world import PASSWORD, random_secret, signed_in, unsigned, with_key
from fastapi.routing import iter_route_contexts

from mains.app import create_app
from mains.identity import operations
from mains.identity.gate import COOKIE
from mains.settings import Settings

PAGE = {"Accept": "text/html"}
OPEN = {"/healthz", "/readyz", "/sign-in", "/sign-in/{secret}", "/problems/{slug}", "/static"}
SET_COOKIE = "set-cookie"


def addresses(app) -> list[tuple[str, str]]:
    """Every (method, path) of the application, with an id in place of each placeholder."""
    found = []
    for route in iter_route_contexts(app.routes):
        if route.path not in OPEN:
            path = "/".join(str(uuid4()) if part.startswith("{") else part for part in (route.path or "").split("/"))
            found += [(method, path) for method in route.methods or {"GET"}]
    return found


def test_every_route_but_the_open_ones_asks_for_sign_in(app, stranger, riverbend):
    tried = addresses(app)
    for method, path in [*tried, ("GET", "/v1/nothing"), ("GET", "/nothing"), ("POST", "/v1/customers"), ("GET", "/v1/openapi.json"), ("GET", "/docs"), ("DELETE", "/")]:
        answer = stranger.request(method, path)
        assert answer.status_code == 401, (method, path)
        if method != "HEAD":
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"] == "/problems/sign-in-needed"
        page = stranger.request(method, path, headers=PAGE)
        assert page.status_code == (401 if path.startswith("/v1") or method not in ("GET", "HEAD") else 303), (method, path)
    assert len(tried) >= 15


ROUNDABOUT = ["//v1/customers", "/v1//customers", "/static/../v1/customers", "/static/%2e%2e/v1/customers"]
ROUNDABOUT += ["/sign-in/../v1/customers", "/sign-in/x/../../v1/me", "/healthz/../v1/me"]


@pytest.mark.parametrize("path", ROUNDABOUT)
def test_no_way_of_writing_an_address_goes_round_the_gate(stranger, riverbend, path):
    answer = stranger.get(path, headers={"Accept": "application/json"})

    assert answer.status_code in (401, 404)
    assert "customer" not in answer.text
    assert "login" not in answer.text.lower().replace("mains link login", "")


def test_a_page_leads_to_sign_in_and_back(stranger):
    answer = stranger.get("/customers/1?tab=bills&q=%C3%A9", headers=PAGE)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/customers/1%3Ftab%3Dbills%26q%3D%25C3%25A9"


def test_a_piece_of_a_page_sends_the_whole_page_to_sign_in(stranger):
    answer = stranger.get("/search?q=x", headers=PAGE | {"HX-Request": "true", "HX-Current-URL": "http://testserver/customers/1"})

    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in?next=/customers/1")


def test_the_right_password_sets_a_cookie_that_no_script_can_read(stranger, riverbend):
    answer = stranger.post("/sign-in", data={"user_name": riverbend.login, "password": PASSWORD, "next": "/bills/7"})
    cookie = answer.headers[SET_COOKIE].lower()

    assert (answer.status_code, answer.headers["location"]) == (303, "/bills/7")
    assert all(part in cookie for part in ("mains_session=", "httponly", "samesite=lax", "path=/", "max-age=43"))
    assert "secure" not in cookie
    assert stranger.get("/v1/me").json()["login"] == riverbend.login


def test_over_tls_the_cookie_is_secure(app, riverbend):
    with unsigned(app) as client:
        client.base_url = "https://mains.example"
        answer = client.post("/sign-in", data={"user_name": riverbend.login, "password": PASSWORD})
    assert "; secure" in answer.headers[SET_COOKIE].lower()


def test_a_wrong_password_shows_the_form_again_and_sets_nothing(stranger, riverbend):
    for name in (riverbend.login, "nobody@riverbend.example", "<script>alert(1)</script>"):
        answer = stranger.post("/sign-in", data={"user_name": name, "password": "wrong password", "next": "/bills/7"})
        assert answer.status_code == 401
        assert "The user name or the password is wrong" in answer.text
        assert "<script>alert" not in answer.text
        assert SET_COOKIE not in answer.headers
        assert 'value="/bills/7"' in answer.text


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aSet-Cookie:x=1\r\n", "", "evil", "/sign-out"])
def test_after_sign_in_nobody_is_led_elsewhere(stranger, riverbend, elsewhere):
    answer = stranger.post("/sign-in", data={"user_name": riverbend.login, "password": PASSWORD, "next": elsewhere})

    assert answer.headers["location"] == "/"


def test_a_token_set_by_somebody_else_is_not_taken_over(app, riverbend):
    planted = random_secret()
    with unsigned(app) as client:
        client.cookies.set(COOKIE, planted)
        answer = client.post("/sign-in", data={"user_name": riverbend.login, "password": PASSWORD})
        assert planted not in answer.headers[SET_COOKIE]
    with unsigned(app) as other:
        other.cookies.set(COOKIE, planted)
        assert other.get("/v1/me").status_code == 401


def test_signing_in_again_ends_the_session_before(app, riverbend):
    client = signed_in(app, riverbend)
    old = client.cookies[COOKIE]
    client.post("/sign-in", data={"user_name": riverbend.login, "password": PASSWORD})

    assert client.cookies[COOKIE] != old
    with unsigned(app) as other:
        other.cookies.set(COOKIE, old)
        assert other.get("/v1/me").status_code == 401


def test_signing_out_ends_the_session_not_only_the_cookie(app, riverbend):
    client = signed_in(app, riverbend)
    kept = client.cookies[COOKIE]
    answer = client.post("/sign-out")

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    with unsigned(app) as other:
        other.cookies.set(COOKIE, kept)
        assert other.get("/v1/me").status_code == 401


def test_a_session_ends_after_twelve_hours(database, riverbend):
    clock = [datetime.now(UTC)]
    client = signed_in(create_app(database, Settings(), clock=lambda: clock[0]), riverbend)

    clock[0] += timedelta(hours=11, minutes=59)
    assert client.get("/v1/me").status_code == 200
    clock[0] += timedelta(minutes=1)
    assert client.get("/v1/me").status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "x" * 43, "' OR 1=1 --", "x" * 5000])
def test_a_made_up_cookie_lets_nobody_in(app, cookie):
    with unsigned(app) as client:
        client.cookies.set(COOKIE, cookie)
        assert client.get("/v1/me").status_code == 401


def test_a_link_signs_in_once_and_fetching_ahead_does_not_use_it_up(app, database, riverbend):
    with database.transaction(actor=riverbend.actor) as conn:
        secret = operations.make_sign_in_link(conn, login=riverbend.login, at=datetime.now(UTC))
    with unsigned(app) as client:
        assert client.get(f"/sign-in/{secret}", headers={"Sec-Purpose": "prefetch"}).status_code == 204
        assert client.head(f"/sign-in/{secret}").status_code == 405
        answer = client.get(f"/sign-in/{secret}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert client.get("/v1/me").json()["login"] == riverbend.login
    with unsigned(app) as again:
        answer = again.get(f"/sign-in/{secret}")
        assert answer.status_code == 401
        assert "works once" in answer.text
        assert SET_COOKIE not in answer.headers


def test_a_key_reads_writes_only_with_its_scope_and_stops_when_revoked(app, database, riverbend):
    with database.transaction(actor=riverbend.actor) as conn:
        user_id = conn.execute("SELECT user_id FROM identity.utility_staff WHERE login = %s", [riverbend.login]).fetchone()[0]  # pyright: ignore[reportOptionalSubscript]
        made = operations.make_api_key(conn, user_id=user_id, key_name="soon gone", at=datetime.now(UTC))
    client = with_key(app, made.key)

    assert client.get("/v1/me").json()["scopes"] == ["read"]
    assert client.delete(f"/v1/keys/{made.key_id}").json()["detail"] == "this API key may only read"
    assert with_key(app, riverbend.writes).delete(f"/v1/keys/{made.key_id}").json()["type"] == "/problems/not-allowed"
    assert signed_in(app, riverbend).delete(f"/v1/keys/{made.key_id}").status_code == 204
    assert client.get("/v1/me").status_code == 401


def test_a_bad_key_is_not_saved_by_a_good_cookie(app, riverbend):
    client = signed_in(app, riverbend)

    assert client.get("/v1/me", headers={"Authorization": "Bearer nothing"}).status_code == 401
    assert client.get("/v1/me", headers={"Authorization": "Basic YTpi"}).status_code == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_another_site_cannot_make_a_browser_change_anything(app, riverbend, headers):
    client = signed_in(app, riverbend)

    for path in ("/v1/keys", "/sign-out", "/sign-in"):
        answer = client.post(path, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
    assert client.get("/v1/me").status_code == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}, {}])
def test_a_page_of_this_server_can(app, riverbend, headers):
    assert signed_in(app, riverbend).post("/v1/keys", json={"key_name": "mine"}, headers=headers).status_code == 201


def test_the_log_of_changes_knows_the_request(app, database, riverbend):
    answer = signed_in(app, riverbend).post("/v1/keys", json={"key_name": "traced"}, headers={"User-Agent": "Firefox"})
    with database.transaction(actor=riverbend.actor) as conn:
        asked = "SELECT actor, request_id, user_agent, left(session_id, 8) FROM identity.utility_audit_log WHERE record_id = %s"
        logged = conn.execute(asked, [answer.json()["key_id"]]).fetchone()

    assert logged == (riverbend.login, answer.headers["x-request-id"], "Firefox", "session:")
