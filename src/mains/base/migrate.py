"""How a database gets to its schema: the domains' `schema.sql` files as one baseline, then numbered forward migrations, each applied once.

A migration is `migrations/NNNN_name.pre.sql` (runs before the new release is put in place) or `.post.sql` (after). Its first comment
lines may say `-- no-transaction` (statements run one by one, each ending with `;` at the end of a line) and `-- requires-extension: NAME`
(skipped, and tried again next time, while the database lacks it). Everything runs as mains_owner; one process at a time; waiting for a
table's lock ends after four seconds.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

import psycopg
from psycopg import Connection, sql

from mains.base import server
from mains.base.problems import Problem
from mains.base.server import Urls
from mains.base.sql import Statements

_sql = Statements("mains.base", "migrate.sql")

DOMAINS = (
    "base", "identity", "messages", "network", "customers", "devices", "metering", "rates", "billing",
    "payments", "outages", "demand", "maintenance", "insights", "compliance", "privacy", "integrations",
)  # fmt: skip
PARTS = {"metering": ("rollups", "vee", "closing")}
"""Folders of a domain that have a schema.sql of their own; it builds tables in the domain's schema, after the domain's file."""
REQUIRED_EXTENSIONS = ("btree_gist", "pg_trgm")
USED_EXTENSIONS = ("pg_stat_statements",)

Phase = Literal["pre", "post", "all"]


class MigrationFailed(Problem):
    """A file of the schema cannot be applied."""

    status = 500


class MigrationChanged(Problem):
    """A file of the schema was changed after it had been applied to this database."""

    status = 409


class MigrationBlocked(Problem):
    """Somebody else holds a lock that a migration needs."""

    status = 409


class ExtensionMissing(Problem):
    """The server lacks an extension that mains needs."""

    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One file that builds the database; `phase` is baseline, pre or post."""

    name: str
    phase: str
    text: str
    file: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, whatever the line ends."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def headers(self) -> list[str]:
        """What its leading comment lines say."""
        lines = iter(self.text.splitlines())
        return [line.removeprefix("--").strip() for line in iter(lambda: next(lines, ""), "") if line.startswith("--")]

    @property
    def in_transaction(self) -> bool:
        """Whether it runs in a transaction."""
        return "no-transaction" not in self.headers

    @property
    def extension(self) -> str | None:
        """The extension it cannot do without."""
        return next((header.partition(":")[2].strip() for header in self.headers if header.startswith("requires-extension:")), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What a run of the runner did: names applied, names skipped for want of an extension, and seconds."""

    applied: tuple[str, ...]
    skipped: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Where a database stands against the files: names not applied yet, and names whose file has changed since."""

    waiting: tuple[str, ...]
    changed: tuple[str, ...]


def baseline(package: Traversable | None = None) -> list[Step]:
    """The `schema.sql` files of the domains, in the order in which they stand on each other."""
    root = package or resources.files("mains")
    places = [place for domain in DOMAINS for place in (domain, *(f"{domain}/{part}" for part in PARTS.get(domain, ())))]
    files = [(place, root.joinpath(*place.split("/"), "schema.sql")) for place in places]
    return [
        Step(name=place, phase="baseline", text=file.read_text(encoding="utf-8"), file=f"{place}/schema.sql") for place, file in files if file.is_file()
    ]


def forward(package: Traversable | None = None, *, phase: Phase = "all") -> list[Step]:
    """The numbered migrations of a phase, oldest first, pre before post of the same number."""
    folder = (package or resources.files("mains")).joinpath("migrations")
    steps = []
    for file in folder.iterdir() if folder.is_dir() else ():
        if named := re.fullmatch(r"(\d{4}_\w+)\.(pre|post)\.sql", file.name):
            text = file.read_text(encoding="utf-8")
            steps.append(Step(name=f"{named[1]}.{named[2]}", phase=named[2], text=text, file=f"migrations/{file.name}"))
    return sorted(
        (step for step in steps if phase in ("all", step.phase)), key=lambda step: (step.name[:4], step.phase == "post", step.name)
    )


def init_database(urls: Urls, *, progress: Callable[[str], None] | None = None) -> Migrated:
    """Make the database of `urls` if it is missing, prepare it and bring it to the schema of this version; again changes nothing.

    The logins must have their passwords (`Place.urls()` sees to it).
    """
    name = server.database_of(urls.admin)
    with server.connect(server.with_database(urls.admin, "postgres")) as conn:
        server.provide_roles(conn, passwords={})
        server.create_database(conn, name)
    with server.connect(urls.admin) as conn:
        prepare_database(conn)
        return migrate(conn, progress=progress)


def prepare_database(conn: Connection) -> None:
    """The administrator's part before any table: settings and rights of the database, extensions in schema public. Needs autocommit.

    Raises:
        ExtensionMissing: the server does not ship one that is needed.
    """
    configure_database(conn)
    conn.execute(_sql.close_public)
    for name in REQUIRED_EXTENSIONS + USED_EXTENSIONS:
        if not conn.execute(_sql.extension_available, {"name": name}).fetchone():
            if name in REQUIRED_EXTENSIONS:
                raise ExtensionMissing(f"the server has no extension {name}", cure="install PostgreSQL's contrib package on the server")
            continue
        try:
            conn.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege as error:
            if name in REQUIRED_EXTENSIONS:
                cure = f"let a superuser run: CREATE EXTENSION {name} SCHEMA public"
                raise ExtensionMissing(f"this administrator may not install the extension {name}", cure=cure) from error
    conn.execute(_sql.close_functions)
    conn.execute(_sql.close_statistics)


def configure_database(conn: Connection) -> None:
    """Settings and rights that belong to a database rather than to its tables, so that a copy of a template needs them again."""
    name = sql.Identifier(conn.info.dbname)
    path = sql.SQL(", ").join(map(sql.Identifier, (*DOMAINS, "public")))
    for statement in (
        sql.SQL("ALTER DATABASE {} SET search_path = {}").format(name, path),
        sql.SQL("ALTER DATABASE {} SET timezone = 'UTC'").format(name),
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name),
        sql.SQL("GRANT CREATE ON DATABASE {} TO mains_owner").format(name),
        sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO mains_app").format(name),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO mains_ingest").format(name),
        sql.SQL("GRANT TEMPORARY ON DATABASE {} TO mains_staff").format(name),
    ):
        conn.execute(statement)


def migrate(
    conn: Connection, *, phase: Phase = "all", package: Traversable | None = None, progress: Callable[[str], None] | None = None
) -> Migrated:
    """Apply what has not been applied, in order; `conn` is an administrator's, in autocommit.

    `package` holds the files (None: mains itself).

    The baseline files are one transaction, every migration is one of its own.

    Raises:
        MigrationChanged: the file of something applied has changed since; nothing is applied then.
        MigrationFailed, MigrationBlocked: a file cannot be applied; what came before it stays.
    """
    tell = progress or (lambda _: None)
    began = time.monotonic()
    done: list[str] = []
    skipped: list[str] = []
    with _building(conn):
        found = pending(conn, package=package, phase=phase)
        if found.changed:
            raise MigrationChanged(
                f"{', '.join(found.changed)}: changed after being applied to {conn.info.dbname}",
                cure="put the change into a new file migrations/NNNN_name.pre.sql; before a first release: mains db init --rebuild",
                changed=list(found.changed),
            )
        base = [step for step in baseline(package) if step.name in found.waiting]
        if base:
            with conn.transaction():
                conn.execute(_sql.make_record)
                for step in base:
                    tell(f"{step.file}")
                    _apply(conn, step)
            done += [step.name for step in base]
        for step in forward(package, phase=phase):
            if step.name not in found.waiting:
                continue
            if step.extension and not has_extension(conn, step.extension):
                skipped.append(step.name)
                continue
            tell(f"{step.file}")
            if step.in_transaction:
                with conn.transaction():
                    _apply(conn, step)
            else:
                _apply(conn, step)
            done.append(step.name)
    return Migrated(applied=tuple(done), skipped=tuple(skipped), seconds=round(time.monotonic() - began, 3))


def pending(conn: Connection, *, package: Traversable | None = None, phase: Phase = "all") -> Pending:
    """What the files hold that this database does not have yet, and what has changed since it was applied."""
    is_there = conn.execute(_sql.record_is_there).fetchone()
    known = dict(conn.execute(_sql.applied).fetchall()) if is_there and is_there[0] else {}
    steps = baseline(package) + forward(package, phase=phase)
    return Pending(
        waiting=tuple(step.name for step in steps if step.name not in known),
        changed=tuple(step.name for step in steps if known.get(step.name, step.checksum) != step.checksum),
    )


def has_extension(conn: Connection, name: str) -> bool:
    """Whether this database has an extension."""
    return conn.execute(_sql.extension_installed, {"name": name}).fetchone() is not None


@contextmanager
def _building(conn: Connection) -> Iterator[None]:
    """Hold the right to build, act as the owner, see all schemas, and wait for no table longer than four seconds."""
    conn.execute(_sql.one_at_a_time)
    try:
        path = sql.SQL(", ").join(map(sql.Identifier, (*DOMAINS, "public")))
        conn.execute(sql.SQL("SET search_path = {}").format(path))
        conn.execute("SET ROLE mains_owner; SET lock_timeout = '4s'; SET timezone = 'UTC'; SET client_min_messages = warning")
        yield
    finally:
        if not conn.broken:
            conn.execute("RESET ROLE; RESET lock_timeout; RESET search_path; RESET client_min_messages")
            conn.execute(_sql.let_others)


def _apply(conn: Connection, step: Step) -> None:
    """Run one file and record it."""
    began = time.monotonic()
    for text in (step.text,) if step.in_transaction else _one_by_one(step.text):
        try:
            conn.execute(text.encode())
        except psycopg.errors.LockNotAvailable as error:
            raise MigrationBlocked(
                f"{step.file}: a table it changes is locked by another session for more than 4 s",
                cure="end that session's transaction, then run mains db migrate again",
            ) from error
        except psycopg.Error as error:
            raise _failure(step, text, error) from error
    values = {"name": step.name, "phase": step.phase, "checksum": step.checksum, "took_ms": int((time.monotonic() - began) * 1000)}
    conn.execute(_sql.record, values)


def _failure(step: Step, text: str, error: psycopg.Error) -> MigrationFailed:
    """The error of the database with the file and the line that it is about."""
    position = int(error.diag.statement_position or 0)
    line = step.text[: step.text.find(text) + position].count("\n") + 1 if position else None
    said = "; ".join(
        part for part in (error.diag.message_primary or str(error).strip(), error.diag.message_detail, error.diag.context) if part
    )
    place = f"{step.file}, line {line}" if line else step.file
    kept = "nothing of it was kept" if step.in_transaction else "the statements before this one were kept"
    return MigrationFailed(f"{place}: {said}", cure=error.diag.message_hint or f"mend the file; {kept}", file=step.file, line=line)


def _one_by_one(text: str) -> list[str]:
    """The statements of a file without transaction: each ends with `;` at the end of a line."""
    return [part for part in re.split(r"(?<=;)[ \t]*\n", text) if re.sub(r"--[^\n]*", "", part).strip()]
