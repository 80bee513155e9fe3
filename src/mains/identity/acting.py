"""For whom a command of the command line acts: the database of the environment, one utility, and the machine's actor for it."""

import getpass
import os
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import psycopg
import typer

from mains.base.db import Actor, Database
from mains.base.place import Place
from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.identity.queries import utility_of

_sql = Statements("mains.identity", "queries.sql")

Utility = Annotated[
    str | None, typer.Option("--utility", envvar="MAINS_UTILITY", help="Short name of the utility; else the one that was set up first.")
]


class UtilityNotFound(Problem):
    """No utility of that name is set up here."""

    status = 404


class DatabaseIsEmpty(Problem):
    """The database is there, and nothing has been built in it."""

    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """A database, a utility of it, and who acts."""

    database: Database
    utility_id: UUID
    actor: Actor


def open_database() -> Database:
    """The database that the environment names; the embedded one is started if need be."""
    urls = Place.from_environment().urls()
    return Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)


def acting(utility: str | None = None, *, reason: str | None = None) -> Acting:
    """Act for a utility by its short name, or for the one that was set up first; the audit log names the account of this machine.

    Raises:
        DatabaseIsEmpty: nothing has been built yet.
        UtilityNotFound: there is none, or none of that name.
    """
    database = open_database()
    with database.anonymous() as conn:
        try:
            found = conn.execute(_sql.first_utility).fetchone()
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction) as error:
            raise DatabaseIsEmpty("the database holds no tables of mains yet", cure="make demo fills it with an invented utility; mains db init builds empty tables") from error
        code = utility or (found[0] if found else None)
        utility_id = utility_of(conn, code=code) if code else None
    if utility_id is None:
        known = f"no utility is called {utility!r} here" if utility else "no utility is set up here"
        raise UtilityNotFound(known, cure="set one up: make demo, or mains network found; then name it with --utility or MAINS_UTILITY")
    name = f"command:{os.environ.get('SUDO_USER') or getpass.getuser()}"
    return Acting(database=database, utility_id=utility_id, actor=Actor(role="staff", utility_id=utility_id, name=name, reason=reason))
