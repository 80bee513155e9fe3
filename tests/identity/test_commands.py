"""The commands about people, keys and links."""

import json
import sys
from io import StringIO
from uuid import uuid4

import pytest
from identity_world import MONDAY, PASSWORD, found
from psycopg import sql

from mains.base import server
from mains.base.db import Database
from mains.cli import main
from mains.identity import operations
from mains.identity.operations import Visitor

VISITOR = Visitor()


@pytest.fixture(scope="module", autouse=True)
def utilities(database: Database):
    found(database, "riverbend")
    found(database, "hilltop")


@pytest.fixture
def mains(database: Database, monkeypatch, capsys, tmp_path):
    """Run a command on the database of the tests; gives its exit code and its JSON."""
    for name, value in {"HOME": str(tmp_path), "DATABASE_URL": database.admin_url, "APP_URL": database.app_url, "INGEST_URL": database.ingest_url}.items():
        monkeypatch.setenv(f"MAINS_{name}", value)

    def run(*words: str, typed: str = ""):
        monkeypatch.setattr(sys, "stdin", StringIO(typed))
        code = main([*words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_a_person_is_added_listed_suspended_and_restored(mains):
    assert mains("staff", "add", "Ana@Riverbend.example", "--name", "Ana Lima", "--password-stdin", "--utility", "riverbend", typed=PASSWORD + "\n")[0] == 0
    code, listed = mains("staff", "list", "--utility", "riverbend")
    assert (code, [(one["login"], one["has_password"], one["staff_status"]) for one in listed]) == (0, [("ana@riverbend.example", True, "active")])
    assert "password_hash" not in listed[0]
    assert mains("staff", "list", "--utility", "hilltop")[1] == []

    mains("staff", "suspend", "ana@riverbend.example", "--utility", "riverbend")
    assert mains("staff", "list", "--utility", "riverbend")[1][0]["staff_status"] == "suspended"
    mains("staff", "restore", "ana@riverbend.example", "--utility", "riverbend")
    assert mains("staff", "list", "--utility", "riverbend")[1][0]["staff_status"] == "active"


def test_a_link_from_the_command_line_signs_in(mains, database):
    mains("staff", "add", "bo@riverbend.example", "--name", "Bo", "--utility", "riverbend")
    code, made = mains("link", "bo@riverbend.example", "--utility", "riverbend", "--address", "http://127.0.0.1:8123/")
    prefix = "http://127.0.0.1:8123/sign-in/"

    assert (code, made["url"].startswith(prefix)) == (0, True)
    from datetime import UTC, datetime

    with database.anonymous() as conn:
        assert operations.use_sign_in_link(conn, secret=made["url"].removeprefix(prefix), at=datetime.now(UTC), visitor=VISITOR).token


def test_a_password_set_from_the_command_line_is_the_one_that_works(mains, database):
    mains("staff", "add", "cy@riverbend.example", "--name", "Cy", "--utility", "riverbend")
    assert mains("staff", "password", "cy@riverbend.example", "--utility", "riverbend", typed="four words that differ\n")[0] == 0

    assert operations.sign_in(database, login="cy@riverbend.example", password="four words that differ", at=MONDAY, visitor=VISITOR)


def test_a_key_is_made_listed_and_revoked(mains):
    mains("staff", "add", "di@riverbend.example", "--name", "Di", "--utility", "riverbend")
    _, made = mains("keys", "make", "meter loader", "--login", "di@riverbend.example", "--write", "--days", "30", "--utility", "riverbend")
    _, listed = mains("keys", "list", "--utility", "riverbend")

    assert (made["scopes"], made["key"][:8]) == (["read", "write"], listed[0]["key_prefix"])
    assert made["key"] not in json.dumps(listed)
    assert mains("keys", "revoke", made["key_id"], "--utility", "riverbend")[0] == 0
    assert mains("keys", "list", "--utility", "riverbend")[1][0]["revoked_at"] is not None


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("link", "nobody@riverbend.example"), "not-found"), (("keys", "make", "x", "--login", "nobody@riverbend.example"), "not-found"),
        (("keys", "revoke", "00000000-0000-0000-0000-000000000000"), "not-found"), (("staff", "add", "x", "--name", "X"), "unable-to-hire-staff"),
        (("staff", "suspend", "nobody@riverbend.example"), "not-found"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_with_its_cure(mains, words, kind):
    code, problem = mains(*words, "--utility", "riverbend")

    assert (code, problem["type"]) == (1, f"/problems/{kind}")
    assert problem["cure"]


def test_a_database_in_which_nothing_is_built_yet_says_how_to_build(mains, database: Database, monkeypatch):
    empty = f"empty_{uuid4().hex[:8]}"
    with server.connect(database.admin_url) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(empty)))
        try:
            for name, url in {"DATABASE_URL": database.admin_url, "APP_URL": database.app_url, "INGEST_URL": database.ingest_url}.items():
                monkeypatch.setenv(f"MAINS_{name}", server.with_database(url, empty))
            code, problem = mains("staff", "list")
        finally:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(empty)))
    assert (code, problem["type"]) == (1, "/problems/database-is-empty")
    assert "make demo" in problem["cure"]
