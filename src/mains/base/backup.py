"""Saving the whole database to one file, and putting it back beside the running one before it takes its place.

A backup is pg_dump's own format (`pg_restore` reads it) with a note beside it, `FILE.json`: version, checksum, and the rows of every
table, counted in the very snapshot that was dumped. A restore builds a new database, counts again, and only then exchanges the two names,
in one transaction.
"""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict

from mains.base import programs, server
from mains.base.migrate import DOMAINS, prepare_database
from mains.base.problems import Problem
from mains.base.sql import Statements

_sql = Statements("mains.base", "backup.sql")

Progress = Callable[[str], None]


class UnableToBackUp(Problem):
    """The database cannot be saved."""

    status = 500


class UnableToRestore(Problem):
    """The backup cannot be put back; the database is as it was."""

    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A saved database: size in bytes, rows by table, seconds it took."""

    file: Path
    bytes: int
    sha256: str
    database: str
    server_version: str
    tables: int
    rows: int
    seconds: float
    counts: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A database put back from a file; `kept_as` is the name that the one before it has now, None where there was none."""

    file: Path
    database: str
    kept_as: str | None
    tables: int
    rows: int
    seconds: float


def back_up(admin_url: str, file: Path, *, pg_bin: Path | None = None, progress: Progress) -> Backup:
    """Save the database of an administrator's URL to `file` (must not exist).

    Raises:
        UnableToBackUp: the file is there already, cannot be written, or pg_dump refuses.
    """
    began = time.monotonic()
    if file.exists():
        raise UnableToBackUp(f"{file} is already there", cure="give another name; a backup never overwrites one")
    if not file.parent.is_dir():
        raise UnableToBackUp(f"there is no folder {file.parent}", cure="make it, or give another place")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with server.connect(admin_url, autocommit=False) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        snapshot = conn.execute(_sql.hold_still).fetchone()
        assert snapshot is not None  # a SELECT without FROM answers once
        progress("counting rows")
        counts = count_rows(conn)
        folder = programs.client_programs(configured=pg_bin, major=conn.info.server_version // 10000)
        arguments = ["--format=custom", "--verbose", f"--snapshot={snapshot[0]}", f"--file={draft}"]
        try:
            code, said = _run(folder, "pg_dump", arguments, url=admin_url, progress=progress, mark="dumping contents of table")
            if code != 0:
                raise UnableToBackUp(
                    f"pg_dump: {_error(said)}", cure="mend what it says (a full disk is the usual cause); nothing was kept"
                )
            draft.chmod(0o600)
            version = str(server.what_answers(conn)["version"])
            note = Backup(
                file=file, bytes=draft.stat().st_size, sha256=_sha256(draft), database=conn.info.dbname, server_version=version,
                tables=len(counts), rows=sum(counts.values()), seconds=round(time.monotonic() - began, 3), counts=counts,
            )  # fmt: skip
            facts = {key: getattr(note, key) for key in ("bytes", "sha256", "database", "server_version", "tables", "rows", "counts")}
            _note_of(file).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            draft.rename(file)
        finally:
            draft.unlink(missing_ok=True)
    return note


def restore(
    admin_url: str, file: Path, *, at: datetime, pg_bin: Path | None = None, drop_previous: bool = False, progress: Progress
) -> Restored:
    """Put a backup in the place of the database of `admin_url`; the one before it is kept as NAME_before_YYYYMMDDHHMMSS
    unless `drop_previous`.

    Raises:
        UnableToRestore: the file is missing, damaged or incomplete, or pg_restore refuses; the database is untouched then.
    """
    began = time.monotonic()
    if not file.is_file():
        raise UnableToRestore(f"there is no file {file}", cure="give a file that mains db backup made")
    expected = _expected(file)
    name = server.database_of(admin_url)
    draft, before = f"{name[:40]}_restoring_{os.getpid()}", f"{name[:40]}_before_{at:%Y%m%d%H%M%S}"
    draft_url = server.with_database(admin_url, draft)
    with server.connect(server.with_database(admin_url, "postgres")) as conn:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        server.provide_roles(conn, passwords={})
        server.create_database(conn, draft)
        try:
            counts = _fill(draft_url, file, pg_bin=pg_bin, progress=progress)
            if expected is not None and counts != expected:
                odd = sorted(table for table in counts.keys() | expected.keys() if counts.get(table) != expected.get(table))
                raise UnableToRestore(  # noqa: TRY301 - the draft is dropped below, whatever the reason
                    f"after restoring, the rows of {', '.join(odd[:5])} are not those of the backup",
                    cure="the file is incomplete; use another backup",
                )
            progress("exchanging the databases")
            kept = _exchange(conn, name=name, draft=draft, before=before)
        except BaseException:
            conn.execute(drop.format(sql.Identifier(draft)))
            raise
        if kept and drop_previous:
            conn.execute(drop.format(sql.Identifier(before)))
    rows, seconds = sum(counts.values()), round(time.monotonic() - began, 3)
    return Restored(
        file=file, database=name, kept_as=before if kept and not drop_previous else None, tables=len(counts), rows=rows, seconds=seconds
    )


def count_rows(conn: Connection) -> dict[str, int]:
    """Rows of every table of every domain, exactly, by `schema.table`."""
    counts: dict[str, int] = {}
    for schema, table in conn.execute(_sql.tables, {"schemas": list(DOMAINS)}).fetchall():
        row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))).fetchone()
        assert row is not None  # an aggregate always answers
        counts[f"{schema}.{table}"] = row[0]
    return counts


def _fill(url: str, file: Path, *, pg_bin: Path | None, progress: Progress) -> dict[str, int]:
    """Load a backup into an empty database and count what came."""
    with server.connect(url) as conn:
        prepare_database(conn)
        folder = programs.client_programs(configured=pg_bin, major=conn.info.server_version // 10000)
        code, said = _run(
            folder,
            "pg_restore",
            ["--verbose", "--jobs=2", f"--dbname={server.database_of(url)}", str(file)],
            url=url,
            progress=progress,
            mark="processing data for table",
        )
        # A newer pg_restore sets a parameter that servers before 17 do not know; that alone is no failure.
        errors = [line for line in said if "error:" in line and "transaction_timeout" not in line]
        if errors or (code != 0 and not any("transaction_timeout" in line for line in said)):
            raise UnableToRestore(
                f"pg_restore: {_error(errors or said)}", cure="use a backup made by mains db backup, from a server no newer than this one"
            )
        prepare_database(conn)
        progress("counting rows")
        return count_rows(conn)


def _exchange(conn: Connection, *, name: str, draft: str, before: str) -> bool:
    """Give the new database the name of the old one, which gets another; both or neither. False where there was no old one."""
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    for attempt in range(10):
        try:
            with conn.transaction():
                stands = server.has_database(conn, name)
                for database in (name, draft):
                    conn.execute(_sql.end_sessions, {"name": database})
                if stands:
                    conn.execute(rename.format(sql.Identifier(name), sql.Identifier(before)))
                conn.execute(rename.format(sql.Identifier(draft), sql.Identifier(name)))
        except psycopg.errors.ObjectInUse as error:
            if attempt == 9:
                raise UnableToRestore(
                    f"other programs keep connecting to {name}", cure="stop them (mains serve, workers), then restore again"
                ) from error
            time.sleep(0.3)
        else:
            return stands
    raise AssertionError("the last attempt returns or raises")


def _run(folder: Path, name: str, arguments: Sequence[str], *, url: str, progress: Progress, mark: str) -> tuple[int, list[str]]:
    """Run a client program against a URL, telling of each line that holds `mark`; the password goes by environment."""
    facts = conninfo_to_dict(url)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"LC_ALL": "C"}
    environment |= {
        f"PG{key.upper()}": str(facts[key]) for key in ("host", "port", "user", "password", "sslmode", "sslrootcert") if facts.get(key)
    }
    target = [f"--dbname={server.database_of(url)}"] if name == "pg_dump" else []
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603 - the programs are PostgreSQL's, found by mains.base.programs
        [str(programs.program(folder, name) or name), "--no-password", *target, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", env=environment,
    ) as running:  # fmt: skip
        assert running.stderr is not None  # asked for above
        for line in running.stderr:
            said.append(line.rstrip())
            if mark in line:
                progress(line.rstrip().partition(": ")[2])
    return running.returncode, said


def _expected(file: Path) -> dict[str, int] | None:
    """The rows that the note beside a backup promises, after its checksum held; None where there is no note."""
    note = _note_of(file)
    if not note.exists():
        return None
    try:
        facts = json.loads(note.read_text(encoding="utf-8"))
        promised, counts = facts["sha256"], facts["counts"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnableToRestore(f"{note} is damaged", cure="remove it to restore without its counts, or use another backup") from error
    if _sha256(file) != promised:
        raise UnableToRestore(
            f"{file} is not what was saved: its checksum differs from the one in {note.name}", cure="copy it again, or use another backup"
        )
    return counts


def _note_of(file: Path) -> Path:
    return file.with_name(file.name + ".json")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _error(said: Sequence[str]) -> str:
    """The line of an output that tells what went wrong."""
    return next((line for line in said if "error:" in line), said[-1] if said else "it said nothing")
