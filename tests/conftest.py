"""What every test can ask for: a database of its own module, an administrator's connection to it, and the folder of real inputs.

One server serves a whole run, whichever of its workers asks first: the embedded one in a temporary home, or the one of
MAINS_TEST_DATABASE_URL (an administrator's URL). It holds one template built from the schema; a module gets a copy. The process that
leads the run stops it at the end.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from mains.base import server
from mains.base.db import Database
from mains.base.embedded import Cluster
from mains.base.homes import exclusive
from mains.base.migrate import configure_database, init_database
from mains.base.server import Urls

_FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "256MB", "max_connections": "60"}
_DATABASE_FIXTURES = {"database", "admin", "template"}


def pytest_configure(config: pytest.Config) -> None:
    """The leading process names the home of the run; its workers inherit the name."""
    if not hasattr(config, "workerinput"):
        home = Path(tempfile.mkdtemp(prefix="mains-tests-"))
        home.chmod(0o711)  # as root, the account that runs the server passes through
        os.environ["MAINS_TESTS_HOME"] = str(home)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The leading process stops the server, or drops the databases of the run from the given one."""
    if hasattr(config, "workerinput"):
        return
    home = Path(os.environ.pop("MAINS_TESTS_HOME"))
    if url := os.environ.get("MAINS_TEST_DATABASE_URL"):
        if (home / "template").exists():
            _drop_databases(url, prefix=_prefix(home))
    else:
        _cluster(home).stop()
    shutil.rmtree(home, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the database is a database test."""
    for item in items:
        if _DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")


@pytest.fixture(scope="session")
def template() -> Urls:
    """The URLs of the template database of this run, built by whoever comes first."""
    home = Path(os.environ["MAINS_TESTS_HOME"])
    given = os.environ.get("MAINS_TEST_DATABASE_URL")
    with exclusive(_lock_folder(home)):
        urls = _given_urls(given) if given else _cluster(home).ensure_running()
        name = f"{_prefix(home)}template"
        urls = urls.of_database(name)
        if not (home / "template").exists():
            init_database(urls)
            (home / "template").touch()
    return urls


@pytest.fixture(scope="module")
def database(template: Urls) -> Iterator[Database]:
    """A fresh copy of the built database for the tests of one module; they see each other's rows, nobody else does."""
    name = f"{server.database_of(template.admin).removesuffix('template')}{uuid4().hex[:12]}"
    urls = template.of_database(name)
    with server.connect(server.with_database(template.admin, "postgres")) as conn:
        statement = sql.SQL("CREATE DATABASE {} OWNER mains_owner TEMPLATE {}")
        conn.execute(statement.format(sql.Identifier(name), sql.Identifier(server.database_of(template.admin))))
    with server.connect(urls.admin) as conn:
        configure_database(conn)
    made = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
    yield made
    made.close()
    with server.connect(server.with_database(template.admin, "postgres")) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection]:
    """An administrator's connection to the module's database, in autocommit, for setting things up; it is bound by no policy."""
    with server.connect(database.admin_url) as conn:
        yield conn


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real input files."""
    place = os.environ.get("MAINS_REAL_DATA")
    if not place:
        pytest.skip("real inputs are not here: MAINS_REAL_DATA is unset")
    return Path(place)


def _cluster(home: Path) -> Cluster:
    programs = os.environ.get("MAINS_PG_BIN")
    return Cluster(
        home=home / "server", programs=Path(programs) if programs else None, user=os.environ.get("MAINS_PG_USER"), settings=_FAST
    )


def _lock_folder(home: Path) -> Path:
    folder = home / "building"
    folder.mkdir(exist_ok=True)
    return folder


def _prefix(home: Path) -> str:
    return f"{home.name.lower().replace('-', '_')}_"


def _given_urls(admin_url: str) -> Urls:
    """The logins of a given server, with passwords that every run against it derives alike, so that runs do not lock each other out."""
    password = hashlib.sha256(f"mains tests {admin_url}".encode()).hexdigest()
    with server.connect(server.with_database(admin_url, "postgres")) as conn, conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(20261123)")
        server.provide_roles(conn, passwords={"mains_app": password, "mains_ingest": password})
    made = {login: server.with_login(admin_url, user=f"mains_{login}", password=password) for login in ("app", "ingest")}
    return Urls(admin=admin_url, **made)


def _drop_databases(admin_url: str, *, prefix: str) -> None:
    with server.connect(server.with_database(admin_url, "postgres")) as conn:
        for (name,) in conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix]).fetchall():
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
