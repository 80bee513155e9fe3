"""A PostgreSQL server and the logins of mains on it: roles, passwords, and an empty database that sorts the same everywhere."""

from dataclasses import dataclass
from importlib import resources
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict

from mains.base.problems import Problem
from mains.base.sql import Statements

_sql = Statements("mains.base", "server.sql")


class DatabaseNotReachable(Problem):
    """The database does not answer."""

    status = 503


class UnableToMakeRoles(Problem):
    """The roles of mains cannot be made with this administrator's rights."""

    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """How to reach one database as its administrator, as the application and as the bulk loader; passwords included."""

    admin: str
    app: str
    ingest: str

    def of_database(self, name: str) -> "Urls":
        """The same logins on another database of the same server."""
        return Urls(admin=with_database(self.admin, name), app=with_database(self.app, name), ingest=with_database(self.ingest, name))


def url_of(*, user: str, password: str, host: str, port: int, database: str) -> str:
    """A connection URL from its parts."""
    return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{host}:{port}/{quote(database, safe='')}"


def with_database(url: str, name: str) -> str:
    """The same URL with another database.

    >>> with_database("postgresql://u:p@127.0.0.1:5432/mains?sslmode=require", "postgres")
    'postgresql://u:p@127.0.0.1:5432/postgres?sslmode=require'
    """
    return urlunsplit(urlsplit(url)._replace(path="/" + quote(name, safe="")))


def with_login(url: str, *, user: str, password: str) -> str:
    """The same URL with another login.

    >>> with_login("postgresql://postgres:secret@db.example:5432/mains", user="mains_app", password="a/b")
    'postgresql://mains_app:a%2Fb@db.example:5432/mains'
    """
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{place}"))


def without_password(url: str) -> str:
    """The URL as it may be shown and logged.

    >>> without_password("postgresql://mains_app:secret@127.0.0.1:5432/mains")
    'postgresql://mains_app@127.0.0.1:5432/mains'
    """
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=login.partition(":")[0] + at + place))


def database_of(url: str) -> str:
    """The name of the database that a URL leads to."""
    return str(conninfo_to_dict(url).get("dbname") or "mains")


def connect(url: str, *, autocommit: bool = True, timeout_s: int = 10) -> Connection:
    """Open one connection.

    Raises:
        DatabaseNotReachable: the server does not answer, or refuses the login.
    """
    try:
        return psycopg.connect(url, autocommit=autocommit, connect_timeout=timeout_s, application_name="mains")
    except psycopg.OperationalError as error:
        raise DatabaseNotReachable(
            f"{without_password(url)} does not let us in: {str(error).strip().splitlines()[-1]}",
            cure="start it (mains db start), or check MAINS_DATABASE_URL and the passwords",
        ) from error
    except psycopg.ProgrammingError as error:
        raise DatabaseNotReachable(
            f"MAINS_DATABASE_URL is not a connection URL: {str(error).strip()}",
            cure="write it as postgresql://user:password@host:5432/mains",
        ) from error


def provide_roles(conn: Connection, *, passwords: dict[str, str]) -> None:
    """Make the roles of mains where they are missing, and give logins their passwords (`{"mains_app": …}`); again changes nothing.

    Passwords reach the server as SCRAM verifiers, so no log or statement statistic ever holds one.

    Raises:
        UnableToMakeRoles: the administrator may not make roles, or a role has rights it must not have.
    """
    try:
        conn.execute(resources.files("mains.base").joinpath("roles.sql").read_bytes())
        for login, password in passwords.items():
            verifier = conn.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
            conn.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException) as error:
        cure = (
            error.diag.message_hint
            or "connect as a superuser, or as a role with CREATEROLE that may give BYPASSRLS (needed for mains_ingest)"
        )
        raise UnableToMakeRoles(str(error.diag.message_primary), cure=cure) from error


def create_database(conn: Connection, name: str) -> bool:
    """Make an empty database owned by mains_owner whose text sorts by code point everywhere; False where it already stands."""
    if has_database(conn, name):
        return False
    sorting = sql.SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'" if conn.info.server_version >= 170000 else "LOCALE 'C'")
    conn.execute(
        sql.SQL("CREATE DATABASE {} OWNER mains_owner TEMPLATE template0 ENCODING 'UTF8' {}").format(sql.Identifier(name), sorting)
    )
    return True


def has_database(conn: Connection, name: str) -> bool:
    """Whether the server has a database of this name."""
    return conn.execute(_sql.database_exists, {"name": name}).fetchone() is not None


def what_answers(conn: Connection) -> dict[str, object]:
    """Database, major, version, size in bytes and start of the server behind a connection."""
    cursor = conn.execute(_sql.what_answers)
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM answers once
    assert cursor.description is not None
    return dict(zip((column.name for column in cursor.description), row, strict=True))


def data_folder(conn: Connection) -> str:
    """The data folder of the server behind a connection; only a superuser may ask."""
    row = conn.execute(_sql.where_the_data_is).fetchone()
    assert row is not None  # a SELECT without FROM answers once
    return row[0]
