"""Coming in by password, by link and by key, and what closes each way."""

from datetime import timedelta

import psycopg
import pytest
from identity_world import MONDAY, PASSWORD

from mains.base.problems import NotFound
from mains.identity import operations, queries
from mains.identity.operations import LinkNotGood, UnableToHireStaff, UnableToMakeApiKey, UnableToSignIn, Visitor

HERE = Visitor(ip="192.0.2.7", user_agent="tests")


def come_in(database, *, login="ana@riverbend.example", password=PASSWORD, at=MONDAY):
    return operations.sign_in(database, login=login, password=password, at=at, visitor=HERE)


def who(database, session, *, at=MONDAY):
    with database.anonymous() as conn:
        return queries.actor_of_session(conn, token=session.token, at=at)


def hire(database, actor, login, **values):
    with database.transaction(actor=actor) as conn:
        return operations.hire_staff(conn, login=login, full_name="Somebody", at=MONDAY, **values)


def test_a_right_password_begins_a_session_of_twelve_hours(database, ana, riverbend):
    session = come_in(database, login=" Ana@Riverbend.example ")
    known = who(database, session)

    assert known is not None
    assert (known.actor.role, known.actor.utility_id, known.actor.user_id, known.actor.name) == ("staff", riverbend.utility_id, ana, "ana@riverbend.example")
    assert known.full_name == "Ana Lima"
    assert known.may_write
    assert who(database, session, at=MONDAY + timedelta(hours=11, minutes=59)) is not None
    assert who(database, session, at=MONDAY + timedelta(hours=12)) is None


def test_the_database_keeps_no_token_and_no_password(database, ana, admin):
    session = come_in(database)
    kept = admin.execute("SELECT s::text, p::text FROM identity.sessions s JOIN identity.utility_staff p USING (user_id)").fetchall()
    logged = admin.execute("SELECT string_agg(l::text, ' ') FROM identity.utility_audit_log l").fetchone()[0]

    for text in (*(cell for row in kept for cell in row), logged):
        assert session.token not in text
        assert PASSWORD not in text
    assert "$argon2id$" not in logged


def test_signing_out_ends_the_session_at_once(database, ana):
    session = come_in(database)
    with database.anonymous() as conn:
        operations.sign_out(conn, token=session.token, at=MONDAY)

    assert who(database, session) is None


@pytest.mark.parametrize("login", ["ana@riverbend.example", "nobody@riverbend.example", "", "\x00", "x" * 1000])
def test_every_failure_says_the_same(database, ana, login):
    with pytest.raises(UnableToSignIn, match="the user name or the password is wrong") as caught:
        come_in(database, login=login, password="not the password")
    assert caught.value.cure == "try again; after 10 wrong tries, wait 15 minutes"


def test_ten_wrong_passwords_close_the_door_for_fifteen_minutes_even_to_the_right_one(database, riverbend):
    hire(database, riverbend, "bo@riverbend.example", password=PASSWORD)
    for _ in range(10):
        with pytest.raises(UnableToSignIn):
            come_in(database, login="bo@riverbend.example", password="wrong password")

    with pytest.raises(UnableToSignIn):
        come_in(database, login="bo@riverbend.example", at=MONDAY + timedelta(minutes=14))
    assert come_in(database, login="bo@riverbend.example", at=MONDAY + timedelta(minutes=15))


def test_a_right_password_forgets_the_wrong_ones(database, riverbend, admin):
    hire(database, riverbend, "cy@riverbend.example", password=PASSWORD)
    for _ in range(9):
        with pytest.raises(UnableToSignIn):
            come_in(database, login="cy@riverbend.example", password="wrong password")
    come_in(database, login="cy@riverbend.example")

    assert admin.execute("SELECT failed_attempts, locked_until FROM identity.utility_staff WHERE login = 'cy@riverbend.example'").fetchone() == (0, None)
    tried = admin.execute(
        "SELECT count(*), min(actor), min(host(ip_address)) FROM identity.utility_audit_log WHERE new_values ? 'failed_attempts' AND operation = 'UPDATE' "
        "AND record_id = (SELECT user_id::text FROM identity.utility_staff WHERE login = 'cy@riverbend.example')"
    ).fetchone()
    assert tried == (10, "sign-in", "192.0.2.7")


def test_a_suspended_person_is_out_at_once_by_every_way(database, riverbend):
    user_id = hire(database, riverbend, "di@riverbend.example", password=PASSWORD)
    session = come_in(database, login="di@riverbend.example")
    with database.transaction(actor=riverbend) as conn:
        key = operations.make_api_key(conn, user_id=user_id, key_name="meter loader", at=MONDAY)
        link = operations.make_sign_in_link(conn, login="di@riverbend.example", at=MONDAY)
        operations.set_staff_status(conn, login="di@riverbend.example", staff_status="suspended", at=MONDAY)

    assert who(database, session) is None
    with database.anonymous() as conn:
        assert queries.actor_of_key(conn, key=key.key, at=MONDAY) is None
        with pytest.raises(LinkNotGood):
            operations.use_sign_in_link(conn, secret=link, at=MONDAY, visitor=HERE)
    with pytest.raises(UnableToSignIn):
        come_in(database, login="di@riverbend.example")


def test_another_password_ends_the_sessions_that_the_old_one_began(database, riverbend):
    hire(database, riverbend, "eve@riverbend.example", password=PASSWORD)
    session = come_in(database, login="eve@riverbend.example")
    with database.transaction(actor=riverbend) as conn:
        operations.set_password(conn, login="eve@riverbend.example", password="another long enough one", at=MONDAY)

    assert who(database, session) is None
    assert come_in(database, login="eve@riverbend.example", password="another long enough one")


def test_a_link_signs_in_once_within_a_day(database, ana, riverbend):
    with database.transaction(actor=riverbend) as conn:
        good, late = (operations.make_sign_in_link(conn, login="ana@riverbend.example", at=MONDAY) for _ in range(2))
    with database.anonymous() as conn:
        session = operations.use_sign_in_link(conn, secret=good, at=MONDAY + timedelta(hours=23), visitor=HERE)
    assert who(database, session, at=MONDAY + timedelta(hours=24)) is not None

    for secret, at in ((good, MONDAY + timedelta(hours=23)), (late, MONDAY + timedelta(hours=24)), ("x" * 43, MONDAY), ("", MONDAY)):
        with database.anonymous() as conn, pytest.raises(LinkNotGood):
            operations.use_sign_in_link(conn, secret=secret, at=at, visitor=HERE)


def test_a_key_has_its_persons_role_narrowed_by_scopes_until_it_is_revoked(database, ana, riverbend, admin):
    with database.transaction(actor=riverbend) as conn:
        reads = operations.make_api_key(conn, user_id=ana, key_name="dashboard", at=MONDAY)
        writes = operations.make_api_key(conn, user_id=ana, key_name="loader", at=MONDAY, scopes=("write", "read"), expires_at=MONDAY + timedelta(days=1))

    def known(key, *, at=MONDAY):
        with database.anonymous() as conn:
            return queries.actor_of_key(conn, key=key, at=at)

    assert (known(reads.key).scopes, known(reads.key).may_write) == (("read",), False)
    assert (known(writes.key).scopes, known(writes.key).may_write) == (("read", "write"), True)
    assert known(writes.key, at=MONDAY + timedelta(days=1)) is None
    assert known(reads.key[:-1] + ("A" if reads.key[-1] != "A" else "B")) is None
    used = admin.execute("SELECT last_used_at FROM identity.api_keys WHERE key_id = %s", [reads.key_id]).fetchone()[0]
    assert used == MONDAY.replace(hour=0)

    with database.transaction(actor=riverbend) as conn:
        operations.revoke_api_key(conn, key_id=reads.key_id, at=MONDAY)
    assert known(reads.key) is None


@pytest.mark.parametrize("values", [{"scopes": ()}, {"scopes": ("read", "admin")}, {"key_name": ""}, {"expires_at": MONDAY}])
def test_a_key_that_could_not_be_right_is_refused(of_riverbend, ana, values):
    with pytest.raises(UnableToMakeApiKey):
        operations.make_api_key(of_riverbend, **{"user_id": ana, "key_name": "loader", "at": MONDAY} | values)


@pytest.mark.parametrize("values", [{"login": "ana@riverbend.example"}, {"login": "x"}, {"login": "new", "role": "owner"}, {"login": "new", "full_name": ""}])
def test_an_account_that_could_not_be_right_is_refused(of_riverbend, ana, values):
    with pytest.raises(UnableToHireStaff):
        operations.hire_staff(of_riverbend, **{"full_name": "New", "at": MONDAY} | values)


def test_one_utility_can_neither_see_nor_touch_the_others_people_and_keys(database, ana, riverbend, hilltop):
    with database.transaction(actor=riverbend) as conn:
        key = operations.make_api_key(conn, user_id=ana, key_name="loader", at=MONDAY)
    with database.transaction(actor=hilltop) as conn:
        assert queries.staff(conn) == []
        assert queries.api_keys(conn) == []
        for attempt in (
            lambda: operations.set_password(conn, login="ana@riverbend.example", password=PASSWORD, at=MONDAY),
            lambda: operations.set_staff_status(conn, login="ana@riverbend.example", staff_status="left", at=MONDAY),
            lambda: operations.make_sign_in_link(conn, login="ana@riverbend.example", at=MONDAY),
            lambda: operations.revoke_api_key(conn, key_id=key.key_id, at=MONDAY),
        ):
            with pytest.raises(NotFound):
                attempt()
        with pytest.raises(UnableToMakeApiKey):
            operations.make_api_key(conn, user_id=ana, key_name="theirs", at=MONDAY)
        assert conn.execute("SELECT identity.end_sessions_of(%s, %s)", [ana, MONDAY]).fetchone() == (0,)


def test_the_log_says_who_changed_what(database, riverbend):
    user_id = hire(database, riverbend, "fay@riverbend.example")
    with database.transaction(actor=riverbend) as conn:
        operations.set_staff_status(conn, login="fay@riverbend.example", staff_status="left", at=MONDAY)
        changes = queries.changes_of(conn, table_name="identity.utility_staff", record_id=str(user_id))

    assert [(change.operation, change.actor) for change in changes] == [("UPDATE", "system:tests"), ("INSERT", "system:tests")]
    assert changes[0].new_values == {"staff_status": "left"}


def test_what_signs_people_in_answers_to_the_applications_login_alone(admin):
    names = ["credentials", "count_wrong_password", "accept_password", "use_link", "open_session", "close_session"]
    names += ["session_actor", "key_actor", "utility_of_login", "applied_migrations"]
    functions = admin.execute(
        "SELECT p.oid::regprocedure::text, p.proconfig, array_agg(r.rolname::text ORDER BY r.rolname) FROM pg_proc p CROSS JOIN pg_roles r "
        "WHERE p.pronamespace = 'identity'::regnamespace AND p.prosecdef AND p.proname = ANY(%s) AND starts_with(r.rolname, 'mains_') "
        "AND has_function_privilege(r.oid, p.oid, 'EXECUTE') GROUP BY 1, 2",
        [names],
    ).fetchall()

    assert len(functions) == 10
    assert {(tuple(config), tuple(roles)) for _, config, roles in functions} == {(("search_path=pg_catalog",), ("mains_app", "mains_owner"))}


def test_nobody_reads_nothing(nobody):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        nobody.execute("SELECT * FROM identity.utility_staff")
