"""Reads: who somebody is, who works here, which keys there are, what was changed. The first four answer before anybody is known."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from mains.base.db import Actor
from mains.base.problems import NotFound
from mains.base.sql import Statements
from mains.identity import tokens

_sql = Statements("mains.identity", "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody who is known: the actor for the database, the name for a page. `scopes` is None for a person, who may do what the role may; a key has read, or read and write."""

    actor: Actor
    full_name: str
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None

    @property
    def may_write(self) -> bool:
        """Whether changes may be asked for."""
        return self.scopes is None or "write" in self.scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a password is checked against; `locked_until` is None, past, or the instant before which no password is taken."""

    user_id: UUID
    password_hash: str
    locked_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A person who works for the utility, without what they sign in with."""

    user_id: UUID
    login: str
    full_name: str
    role: str
    staff_status: str
    has_password: bool
    locked_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key of a program, without its secret; `login` is who answers for it."""

    key_id: UUID
    key_name: str
    key_prefix: str
    login: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the audit log: the changed columns before and after, and who did it."""

    changed_at: datetime
    operation: str
    old_values: dict[str, Any] | None
    new_values: dict[str, Any] | None
    actor: str
    user_id: UUID | None
    request_id: str | None
    change_reason: str | None


def actor_of_session(conn: Connection, *, token: str, at: datetime) -> SignedIn | None:
    """Who is signed in with a session token at an instant; None where nobody is. The connection is nobody's."""
    if not tokens.is_token(token):
        return None
    digest = tokens.digest(token)
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_sql.session_actor, {"digest": digest, "at": at}).fetchone()
    return _signed_in(found, session_id=f"session:{digest.hex()[:16]}", scopes=None) if found else None


def actor_of_key(conn: Connection, *, key: str, at: datetime) -> SignedIn | None:
    """For whom an API key acts at an instant; None where it is not good. The connection is nobody's."""
    if not tokens.is_key(key):
        return None
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_sql.key_actor, {"digest": tokens.digest(key), "at": at}).fetchone()
    return _signed_in(found, session_id=f"key:{found['key_prefix']}", scopes=tuple(found["scopes"]) or ("read",)) if found else None


def credentials(conn: Connection, *, login: str) -> Credentials | None:
    """What the password of an active person is checked against; None where there is no such person or no password. The connection is nobody's."""
    with conn.cursor(row_factory=class_row(Credentials)) as cursor:
        return cursor.execute(_sql.credentials, {"login": login}).fetchone()


def utility_of(conn: Connection, *, code: str | None = None, login: str | None = None) -> UUID | None:
    """The utility with a short name, or that a person works for; None where there is none such. The connection is nobody's."""
    asked = (_sql.utility_of_login, {"login": login}) if login is not None else (_sql.utility_by_code, {"code": code})
    row = conn.execute(*asked).fetchone()
    return row[0] if row else None


def applied_migrations(conn: Connection) -> dict[str, str]:
    """Name and checksum of every file that the database was built from. The connection is nobody's."""
    return dict(conn.execute(_sql.applied_migrations).fetchall())


def staff(conn: Connection, *, after: str | None = None, limit: int = 100) -> list[Staff]:
    """People of the utility by login, those after a login, at most `limit`."""
    with conn.cursor(row_factory=class_row(Staff)) as cursor:
        return cursor.execute(_sql.staff, {"after": after, "limit": limit}).fetchall()


def staff_by_login(conn: Connection, *, login: str) -> Staff:
    """One person of the utility.

    Raises:
        NotFound: nobody here signs in so.
    """
    with conn.cursor(row_factory=class_row(Staff)) as cursor:
        found = cursor.execute(_sql.staff_by_login, {"login": login}).fetchone()
    if found is None:
        raise NotFound(f"nobody here signs in as {login}", cure="see who does: mains staff list")
    return found


def api_keys(conn: Connection, *, user_id: UUID | None = None, before: UUID | None = None, limit: int = 100) -> list[ApiKey]:
    """API keys of the utility or of one person of it, newest first, those made before one of them, at most `limit`."""
    with conn.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(_sql.api_keys, {"user_id": user_id, "before": before, "limit": limit}).fetchall()


def changes_of(conn: Connection, *, table_name: str, record_id: str, limit: int = 100) -> list[Change]:
    """What was changed in one row, newest first; the table with its schema, the parts of a compound key joined by /."""
    with conn.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(_sql.changes_of, {"table_name": table_name, "record_id": record_id, "limit": limit}).fetchall()


def _signed_in(found: dict[str, Any], *, session_id: str, scopes: tuple[str, ...] | None) -> SignedIn:
    """A row of the sign-in functions as somebody who is known."""
    actor = Actor(role=found["role"], utility_id=found["utility_id"], name=found["login"], user_id=found["user_id"], session_id=session_id)
    return SignedIn(actor=actor, full_name=found["full_name"], scopes=scopes, expires_at=found.get("expires_at"))
