"""How a database gets to its schema."""

import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg import sql

from mains.base import programs, server
from mains.base.db import Database
from mains.base.migrate import (
    DOMAINS,
    ExtensionMissing,
    MigrationBlocked,
    MigrationChanged,
    MigrationFailed,
    baseline,
    forward,
    init_database,
    migrate,
    pending,
    prepare_database,
)
from mains.base.server import Urls


@pytest.fixture
def empty(template: Urls):
    """An administrator's connection to a prepared database without tables, dropped afterwards."""
    urls = template.of_database(f"{server.database_of(template.admin)}_{uuid4().hex[:8]}")
    with server.connect(server.with_database(urls.admin, "postgres")) as conn:
        server.create_database(conn, server.database_of(urls.admin))
    with server.connect(urls.admin) as conn:
        prepare_database(conn)
        yield conn
    with server.connect(server.with_database(urls.admin, "postgres")) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(server.database_of(urls.admin))))


def files(package: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return package


def schema_of(conn, *, but: str = "migrations") -> str:
    """The whole schema as pg_dump writes it, without what differs from run to run."""
    folder = programs.client_programs(configured=None, major=conn.info.server_version // 10000)
    url = server.url_of(
        user=conn.info.user, password=conn.info.password, host=conn.info.host, port=conn.info.port, database=conn.info.dbname
    )
    dumped = subprocess.run(
        [folder / "pg_dump", "-s", "-w", f"--exclude-table=base.{but}", url], capture_output=True, text=True, check=True
    )
    return "\n".join(line for line in dumped.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


NOTES = "CREATE SCHEMA IF NOT EXISTS base;\nCREATE TABLE base.notes (note_id integer PRIMARY KEY, said text NOT NULL);\n"


def test_building_again_changes_nothing(template: Urls):
    assert init_database(template).applied == ()


def test_every_domain_with_a_schema_is_built_in_order_and_belongs_to_the_owner(admin):
    built = [name for (name,) in admin.execute("SELECT name FROM base.migrations WHERE phase = 'baseline' ORDER BY applied_at")]
    owners = admin.execute(
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY(%s)",
        [list(DOMAINS)],
    )

    assert built == [step.name for step in baseline()]
    assert owners.fetchall() == [("mains_owner",)]


def test_a_session_finds_tables_by_their_plain_names_and_lives_in_utc(database: Database, admin):
    assert admin.execute("SHOW search_path").fetchone() == (", ".join((*DOMAINS, "public")),)
    assert admin.execute("SHOW timezone").fetchone() == ("UTC",)


def test_nobody_but_the_logins_may_connect_and_functions_are_closed_until_granted(admin):
    rights = "SELECT has_database_privilege(%s, current_database(), 'CONNECT')"
    may = {role: admin.execute(rights, [role]).fetchone() for role in ("mains_app", "mains_ingest", "mains_customer", "mains_any")}
    assert may == {"mains_app": (True,), "mains_ingest": (True,), "mains_customer": (False,), "mains_any": (False,)}
    open_functions = admin.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace "
        "WHERE nspname = ANY(%s) AND has_function_privilege('public', p.oid, 'EXECUTE')",
        [list(DOMAINS)],
    )
    assert open_functions.fetchall() == []


def test_the_schema_files_and_the_migrations_lead_to_the_same_database(admin, empty):
    assert migrate(empty).applied == tuple(step.name for step in baseline() + forward())
    assert schema_of(empty) == schema_of(admin)


def test_forward_migrations_reach_what_a_newer_schema_file_says(empty, template, tmp_path):
    old = files(
        tmp_path / "old", {"base/schema.sql": NOTES, "migrations/0001_said_at.pre.sql": "ALTER TABLE base.notes ADD said_at timestamptz;\n"}
    )
    migrate(empty, package=old)
    columns = "SELECT attname, atttypid::regtype::text FROM pg_attribute "
    columns += "WHERE attrelid = 'base.notes'::regclass AND attnum > 0 ORDER BY attnum"

    assert empty.execute(columns).fetchall() == [("note_id", "integer"), ("said", "text"), ("said_at", "timestamp with time zone")]
    assert migrate(empty, package=old).applied == ()


def test_pre_and_post_run_apart_and_in_order(empty, tmp_path):
    package = files(
        tmp_path,
        {
            "base/schema.sql": NOTES,
            "migrations/0002_b.pre.sql": "ALTER TABLE base.notes RENAME b TO c;",
            "migrations/0001_a.post.sql": "ALTER TABLE base.notes DROP said;",
            "migrations/0001_a.pre.sql": "ALTER TABLE base.notes ADD b integer;",
        },
    )
    assert migrate(empty, package=package, phase="pre").applied == ("base", "0001_a.pre", "0002_b.pre")
    assert migrate(empty, package=package, phase="post").applied == ("0001_a.post",)


def test_a_file_changed_after_it_was_applied_stops_everything(empty, tmp_path):
    package = files(tmp_path, {"base/schema.sql": NOTES})
    migrate(empty, package=package)
    files(
        tmp_path, {"base/schema.sql": NOTES + "-- a late thought\n", "migrations/0001_more.pre.sql": "CREATE TABLE base.more (id integer);"}
    )

    with pytest.raises(MigrationChanged, match="base: changed after being applied") as refused:
        migrate(empty, package=package)
    assert "new file" in (refused.value.cure or "")
    assert pending(empty, package=package).waiting == ("0001_more.pre",)
    assert empty.execute("SELECT to_regclass('base.more')").fetchone() == (None,)


def test_a_wrong_statement_is_named_by_file_and_line_and_leaves_nothing(empty, tmp_path):
    package = files(
        tmp_path, {"base/schema.sql": NOTES, "identity/schema.sql": "CREATE SCHEMA identity;\n\nCREATE TABLE identity.x (id integr);\n"}
    )

    with pytest.raises(MigrationFailed, match=r'identity/schema.sql, line 3: type "integr" does not exist'):
        migrate(empty, package=package)
    assert empty.execute("SELECT to_regclass('base.notes'), to_regclass('base.migrations')").fetchone() == (None, None)
    assert empty.execute("SELECT current_user = session_user").fetchone() == (True,)


def test_a_migration_does_not_queue_behind_a_long_transaction(empty, tmp_path):
    package = files(tmp_path, {"base/schema.sql": NOTES})
    migrate(empty, package=package)
    files(tmp_path, {"migrations/0001_more.pre.sql": "ALTER TABLE base.notes ADD more text;"})
    url = server.url_of(
        user=empty.info.user, password=empty.info.password, host=empty.info.host, port=empty.info.port, database=empty.info.dbname
    )

    with server.connect(url, autocommit=False) as reader:
        reader.execute("SELECT * FROM base.notes")
        with pytest.raises(MigrationBlocked, match="locked by another session"):
            migrate(empty, package=package)
    assert migrate(empty, package=package).applied == ("0001_more.pre",)


def test_an_index_can_be_built_outside_a_transaction(empty, tmp_path):
    text = "-- no-transaction\nCREATE INDEX CONCURRENTLY notes_said ON base.notes (said);\n"
    text += "CREATE INDEX CONCURRENTLY notes_id ON base.notes (note_id, said);\n"
    package = files(tmp_path, {"base/schema.sql": NOTES, "migrations/0001_index.post.sql": text})

    assert migrate(empty, package=package).applied == ("base", "0001_index.post")
    assert empty.execute("SELECT count(*) FROM pg_index WHERE indrelid = 'base.notes'::regclass AND indisvalid").fetchone() == (3,)


def test_a_migration_for_an_extension_waits_until_it_is_there(empty, tmp_path):
    package = files(
        tmp_path,
        {
            "base/schema.sql": NOTES,
            "migrations/0001_tree.pre.sql": "-- requires-extension: intarray\nALTER TABLE base.notes ADD tags integer[];",
        },
    )

    assert migrate(empty, package=package).skipped == ("0001_tree.pre",)
    empty.execute("CREATE EXTENSION intarray SCHEMA public")
    assert migrate(empty, package=package).applied == ("0001_tree.pre",)


def test_a_needed_extension_that_is_not_shipped_says_so(empty, monkeypatch):
    monkeypatch.setattr("mains.base.migrate.REQUIRED_EXTENSIONS", ("no_such_extension",))
    with pytest.raises(ExtensionMissing, match="no extension no_such_extension"):
        prepare_database(empty)
