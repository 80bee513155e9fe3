"""`mains db …` as it is typed: exit codes, JSON, problems, and a database that goes to a file and comes back."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg import sql

from mains.base import backup, checks, server
from mains.base.migrate import configure_database
from mains.base.server import Urls
from mains.cli import build, main

NOW = datetime.now(UTC)


@pytest.fixture
def place(template: Urls, tmp_path: Path, monkeypatch):
    """A copy of the built database that MAINS_DATABASE_URL names; the administrator's URL of it."""
    name = f"{server.database_of(template.admin).removesuffix('template')}cli_{uuid4().hex[:8]}"
    urls = template.of_database(name)
    with server.connect(server.with_database(template.admin, "postgres")) as conn:
        template_name = server.database_of(template.admin)
        conn.execute(
            sql.SQL("CREATE DATABASE {} OWNER mains_owner TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template_name))
        )
        with server.connect(urls.admin) as copy:
            configure_database(copy)
        for key, value in {"HOME": str(tmp_path), "DATABASE_URL": urls.admin, "APP_URL": urls.app, "INGEST_URL": urls.ingest}.items():
            monkeypatch.setenv(f"MAINS_{key}", value)
        yield urls.admin
        for (left,) in conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [name]).fetchall():
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(left)))


def said(capsys, *words: str) -> tuple[int, dict]:
    """Exit code and JSON of one command."""
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_every_command_of_the_database_takes_json():
    import typer.main

    group = typer.main.get_command(build("db"))
    commands = group.commands["db"].commands  # pyright: ignore[reportAttributeAccessIssue] - a group
    assert set(commands) == {"start", "stop", "status", "init", "migrate", "check", "psql", "backup", "restore"}
    for command in commands.values():
        assert any("--json" in parameter.opts for parameter in command.params), command.name
        assert command.help


def test_status_names_the_database_and_never_the_password(place: str, capsys):
    code, facts = said(capsys, "db", "status")

    assert code == 0
    assert (facts["embedded"], facts["state"]) == (False, "running")
    assert facts["database"] == server.database_of(place)
    assert place.split(":")[2].split("@")[0] not in json.dumps(facts)


def test_a_given_server_is_not_started_or_stopped(place: str, capsys):
    for verb in ("start", "stop"):
        code, problem = said(capsys, "db", verb)
        assert (code, problem["type"]) == (1, "/problems/not-our-server")


def test_init_and_migrate_find_nothing_to_do_the_second_time(place: str, capsys):
    assert said(capsys, "db", "init")[1]["applied"] == []
    assert said(capsys, "db", "migrate", "--phase", "pre")[1]["applied"] == []


def test_rebuilding_asks_first_then_builds_everything(place: str, capsys):
    with server.connect(place) as conn:
        conn.execute("CREATE TABLE base.scratch (id integer)")
    code, problem = said(capsys, "db", "init", "--rebuild")
    assert (code, problem["type"]) == (1, "/problems/rebuild-needs-consent")

    code, done = said(capsys, "db", "init", "--rebuild", "--yes")
    assert code == 0
    assert "base" in done["applied"]
    with server.connect(place) as conn:
        assert conn.execute("SELECT to_regclass('base.scratch')").fetchone() == (None,)


def test_all_checks_hold_on_a_fresh_database(place: str, capsys):
    code, found = said(capsys, "db", "check")

    assert (code, found["holds"]) == (0, True), found


MONTHLY = "CREATE TABLE base.monthly (at timestamptz) PARTITION BY RANGE (at); CREATE TABLE base.monthly_1 PARTITION OF base.monthly "


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("CREATE TABLE base.open (utility_id uuid)", "tenancy"),
        ("UPDATE base.migrations SET checksum = repeat('0', 64) WHERE name = 'base'", "schema"),
        ("DELETE FROM base.migrations WHERE name = 'base'", "schema"),
        ("DROP EXTENSION pg_trgm CASCADE", "extensions"),
        (
            MONTHLY + "FOR VALUES FROM ('2020-01-01 00:00Z') TO ('2020-02-01 00:00Z')",
            "partitions",
        ),
        (
            MONTHLY + "DEFAULT; GRANT SELECT ON base.monthly_1 TO mains_staff",
            "partition-rights",
        ),
    ],
)
def test_a_check_finds_what_is_wrong(place: str, capsys, damage: str, check: str):
    with server.connect(place) as conn:
        conn.execute(damage.encode())

    code, found = said(capsys, "db", "check")
    assert code == 3
    assert [finding["check"] for finding in found["checks"] if not finding["holds"]] == [check]


def test_a_role_with_too_many_rights_is_found(place: str):
    with server.connect(place, autocommit=False) as conn:
        conn.execute("ALTER ROLE mains_any CREATEDB")
        finding = checks.roles_are_narrow(conn, NOW)
        conn.rollback()

    assert (finding.holds, finding.said) == (False, "mains_any has other attributes than it should")


def test_a_wrong_command_is_a_problem_as_well(capsys):
    assert main(["db", "dance"]) == 2
    assert "No such command" in capsys.readouterr().err
    code, problem = said(capsys, "db", "dance")
    assert (code, problem["type"]) == (2, "/problems/command-not-understood")


def test_a_server_that_does_not_answer_is_a_problem_with_a_cure(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MAINS_HOME", str(tmp_path))
    monkeypatch.setenv("MAINS_DATABASE_URL", "postgresql://somebody:secret@127.0.0.1:1/mains")

    code, problem = said(capsys, "db", "check")
    assert (code, problem["type"], problem["status"]) == (1, "/problems/database-not-reachable", 503)
    assert "secret" not in json.dumps(problem)
    assert main(["db", "check"]) == 1
    assert "what to do:" in capsys.readouterr().err


def test_psql_runs_a_statement(place: str, capfd):
    assert main(["db", "psql", "--", "-Atc", "SELECT 6 * 7"]) == 0
    assert capfd.readouterr().out.strip() == "42"


def test_a_backup_comes_back_row_for_row_and_keeps_what_was_there(place: str, capsys, tmp_path: Path):
    file = tmp_path / "mains.dump"
    with server.connect(place) as conn:
        conn.execute("CREATE TABLE base.notes (said text); INSERT INTO base.notes SELECT 'note ' || n FROM generate_series(1, 1000) AS n")
        conn.execute("ALTER TABLE base.notes OWNER TO mains_owner")
    code, saved = said(capsys, "db", "backup", str(file))
    assert code == 0
    assert saved["counts"]["base.notes"] == 1000
    assert file.stat().st_mode & 0o777 == 0o600
    with server.connect(place) as conn:
        conn.execute("DELETE FROM base.notes")

    code, done = said(capsys, "db", "restore", str(file))
    assert (code, done["rows"], done["tables"]) == (0, saved["rows"], saved["tables"])
    with server.connect(place) as conn:
        assert conn.execute("SELECT count(*), min(said) FROM base.notes").fetchone() == (1000, "note 1")
        assert conn.execute("SHOW timezone").fetchone() == ("UTC",)
        assert conn.execute("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'base.notes'::regclass").fetchone() == (
            "mains_owner",
        )
    with server.connect(server.with_database(place, done["kept_as"])) as conn:
        assert conn.execute("SELECT count(*) FROM base.notes").fetchone() == (0,)
    assert main(["db", "check"]) == 0


def test_a_damaged_backup_is_refused_and_changes_nothing(place: str, capsys, tmp_path: Path):
    file = tmp_path / "mains.dump"
    said(capsys, "db", "backup", str(file))
    file.write_bytes(file.read_bytes()[:-2000])

    code, problem = said(capsys, "db", "restore", str(file))
    assert (code, problem["type"]) == (1, "/problems/unable-to-restore")
    assert "checksum" in problem["detail"]

    (tmp_path / "mains.dump.json").unlink()
    code, problem = said(capsys, "db", "restore", str(file))
    assert (code, problem["detail"].partition(":")[0]) == (1, "pg_restore")
    with server.connect(place) as conn:
        left = conn.execute("SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)", [server.database_of(place)]).fetchone()
    assert left == (1,)
    assert main(["db", "check"]) == 0


def test_a_backup_never_overwrites_and_a_missing_one_is_named(place: str, capsys, tmp_path: Path):
    (tmp_path / "there").write_text("mine")

    assert said(capsys, "db", "backup", str(tmp_path / "there"))[1]["type"] == "/problems/unable-to-back-up"
    assert (tmp_path / "there").read_text() == "mine"
    assert said(capsys, "db", "restore", str(tmp_path / "gone"))[1]["type"] == "/problems/unable-to-restore"
    with pytest.raises(backup.UnableToBackUp, match="no folder"):
        backup.back_up(place, tmp_path / "no" / "where", progress=print)


def test_the_password_is_in_no_argument_of_a_program(place: str, monkeypatch, tmp_path: Path):
    seen: list[list[str]] = []
    start = backup.subprocess.Popen

    def watched(arguments, **rest):
        seen.append([str(argument) for argument in arguments])
        return start(arguments, **rest)

    monkeypatch.setattr(backup.subprocess, "Popen", watched)
    backup.back_up(place, tmp_path / "mains.dump", progress=lambda _: None)
    password = place.split("://")[1].split("@")[0].partition(":")[2]

    assert seen
    assert not any(password in argument for arguments in seen for argument in arguments)
    assert os.environ.get("PGPASSWORD") is None


def test_an_interrupt_before_the_command_begins_is_one_word_too(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mains.cli.build", interrupted)
    assert main(["db", "status"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
