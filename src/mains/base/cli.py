"""`mains db …`: start and stop the embedded database, build, check, save and open whichever database is meant."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from mains.base import backup, checks, migrate, programs, server
from mains.base.place import Place
from mains.base.problems import Problem
from mains.base.terminal import DOES_NOT_HOLD, Json, answer, note, say, table

app = typer.Typer(name="db", help="The database: start, stop, build, check, save, open.", no_args_is_help=True)

more_checks: Callable[[], list[checks.Check]] = list  # the command line puts the domains' checks here


class NotOurServer(Problem):
    """The server is not ours to start and stop."""

    status = 409


class RebuildNeedsConsent(Problem):
    """Rebuilding throws every row away and wants to be told so."""

    status = 409


@app.command()
def start(*, as_json: Json = False) -> None:
    """Start the embedded database if it does not run."""
    place = _embedded("start")
    urls = place.urls()
    facts = {"state": "running", "home": place.home, "url": server.without_password(urls.admin)}
    answer(facts, as_json=as_json, text=f"running: {facts['url']} (data in {place.home})")


@app.command()
def stop(*, as_json: Json = False) -> None:
    """Stop the embedded database cleanly."""
    place = _embedded("stop")
    stopped = place.cluster().stop()
    answer(
        {"state": "stopped", "was_running": stopped, "home": place.home},
        as_json=as_json,
        text="stopped" if stopped else "it was not running",
    )


@app.command()
def status(*, as_json: Json = False) -> None:
    """What the database is doing; starts nothing."""
    place = Place.from_environment()
    facts: dict[str, object] = {"embedded": place.is_embedded, "home": place.home}
    if place.database_url is None:
        found = place.cluster().status()
        facts |= {"state": found.state, "pid": found.pid, "port": found.port}
        if found.state == "running":
            with server.connect(place.urls().admin) as conn:
                facts |= server.what_answers(conn)
    else:
        with server.connect(place.database_url) as conn:
            facts |= {"state": "running", "url": server.without_password(place.database_url)} | server.what_answers(conn)
    answer(facts, as_json=as_json, text=lambda: table(({"": key, " ": value} for key, value in facts.items()), columns=["", " "]))


@app.command()
def init(
    *,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Throw the database away first. Needs --yes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, throw every row away.")] = False,
    as_json: Json = False,
) -> None:
    """Make the roles, the database and every table; again changes nothing."""
    urls = Place.from_environment().urls()
    if rebuild:
        name = server.database_of(urls.admin)
        if not yes:
            raise RebuildNeedsConsent(
                f"--rebuild throws away every row of the database {name}", cure="save it (mains db backup FILE), then add --yes"
            )
        with server.connect(server.with_database(urls.admin, "postgres")) as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    _tell_migrated(migrate.init_database(urls, progress=_progress(as_json=as_json)), as_json=as_json)


@app.command("migrate")
def migrate_(
    *,
    phase: Annotated[str, typer.Option(help="pre: before the new release is put in place; post: after; all.")] = "all",
    as_json: Json = False,
) -> None:
    """Bring the database to the schema of this version."""
    if phase not in ("pre", "post", "all"):
        raise typer.BadParameter("phase is pre, post or all")
    with server.connect(Place.from_environment().urls().admin) as conn:
        migrate.prepare_database(conn)
        _tell_migrated(migrate.migrate(conn, phase=phase, progress=_progress(as_json=as_json)), as_json=as_json)


@app.command()
def check(*, as_json: Json = False) -> None:
    """Look whether the database is as it should be; exit code 3 if something is not."""
    with server.connect(Place.from_environment().urls().admin) as conn:
        findings = checks.run_checks(conn, [*checks.CHECKS, *more_checks()], at=datetime.now(UTC))
    holds = all(finding.holds for finding in findings)

    def tell() -> None:
        for finding in findings:
            say(f"{'ok  ' if finding.holds else 'FAIL'} {finding.check}: {finding.said}")
            if not finding.holds and finding.cure:
                say(f"     what to do: {finding.cure}")

    answer({"holds": holds, "checks": findings}, as_json=as_json, text=tell)
    if not holds:
        raise typer.Exit(DOES_NOT_HOLD)


@app.command("backup")
def backup_(file: Annotated[Path, typer.Argument(help="Where to put it; must not exist.")], *, as_json: Json = False) -> None:
    """Save the whole database to one file, with a note of its rows beside it."""
    place = Place.from_environment()
    saved = backup.back_up(place.urls().admin, file, pg_bin=place.pg_bin, progress=_progress(as_json=as_json))
    answer(
        saved,
        as_json=as_json,
        text=f"saved {saved.rows:,} rows of {saved.tables} tables to {file}: {saved.bytes:,} bytes in {saved.seconds:.1f} s",
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that mains db backup made.")],
    *,
    drop_previous: Annotated[bool, typer.Option("--drop-previous", help="Do not keep the database that it replaces.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of the database; the one before it is kept under another name."""
    place = Place.from_environment()
    done = backup.restore(
        place.urls().admin,
        file,
        at=datetime.now(UTC),
        pg_bin=place.pg_bin,
        drop_previous=drop_previous,
        progress=_progress(as_json=as_json),
    )
    kept = f"; the one before is {done.kept_as}" if done.kept_as else ""
    answer(
        done,
        as_json=as_json,
        text=f"restored {done.rows:,} rows of {done.tables} tables into {done.database} in {done.seconds:.1f} s{kept}",
    )


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, *, as_json: Json = False) -> None:
    """Open psql as the administrator; what follows -- goes to psql. With --json, say how to connect instead."""
    place = Place.from_environment()
    url = place.urls().admin
    with server.connect(url) as conn:
        folder = programs.client_programs(configured=place.pg_bin, major=conn.info.server_version // 10000)
    program = programs.program(folder, "psql") or folder / "psql"
    if as_json:
        answer({"program": program, "url": server.without_password(url)}, as_json=True, text="")
        return
    facts = conninfo_to_dict(url)
    environment = os.environ | {
        f"PG{key.upper()}": str(facts[key]) for key in ("host", "port", "user", "password", "sslmode") if facts.get(key)
    }
    environment |= {"PGDATABASE": server.database_of(url)}
    sys.stdout.flush()
    ended = subprocess.run([str(program), "-w", *context.args], env=environment, check=False)  # noqa: S603 - psql, found by mains.base.programs
    raise typer.Exit(ended.returncode)


def _embedded(verb: str) -> Place:
    """The place, if its server is ours."""
    place = Place.from_environment()
    if not place.is_embedded:
        raise NotOurServer(
            f"MAINS_DATABASE_URL names a server that mains does not {verb}", cure=f"{verb} it where it runs, or unset MAINS_DATABASE_URL"
        )
    return place


def _tell_migrated(done: migrate.Migrated, *, as_json: bool) -> None:
    """The answer of init and migrate."""
    text = f"applied {len(done.applied)}: {', '.join(done.applied)} in {done.seconds:.1f} s" if done.applied else "nothing to apply"
    text += f"; skipped for want of an extension: {', '.join(done.skipped)}" if done.skipped else ""
    answer(done, as_json=as_json, text=text)


def _progress(*, as_json: bool) -> Callable[[str], None]:
    """Where progress goes: to a person at a terminal, else nowhere."""
    return note if not as_json and sys.stderr.isatty() else lambda _: None
