"""Writes: hiring, keys and links as somebody of the utility; signing in and out as nobody yet.

The caller owns the transaction, but for `sign_in`, which counts a failure for good.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection

from mains.base.db import Database
from mains.base.ids import uuid7
from mains.base.problems import NotFound, Problem
from mains.base.sql import Statements
from mains.identity import passwords, queries, tokens

_sql = Statements("mains.identity", "operations.sql")

SESSION = timedelta(hours=12)
LINK = timedelta(hours=24)
WRONG_PASSWORDS, WAIT = 10, timedelta(minutes=15)
SCOPES = ("read", "write")


class UnableToHireStaff(Problem):
    """The person cannot be given an account as asked."""

    status = 409


class UnableToMakeApiKey(Problem):
    """The key cannot be made as asked."""

    status = 422


class UnableToSignIn(Problem):
    """The user name and the password do not let anybody in now."""

    status = 401


class LinkNotGood(Problem):
    """The sign-in link is unknown, was used before, or has expired."""

    status = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session that has begun; the token goes into the cookie and nowhere else."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """A key that was made; its text is shown this once."""

    key_id: UUID
    key: str = field(repr=False)
    key_prefix: str
    scopes: list[str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Where somebody comes from who is not known yet: address and program, for the record of the session."""

    ip: str | None = None
    user_agent: str | None = None


def hire_staff(conn: Connection, *, login: str, full_name: str, at: datetime, role: str = "staff", password: str | None = None) -> UUID:
    """Give a person of the utility an account; without a password they come in by link.

    Raises:
        UnableToHireStaff: the login is taken in this installation, or a value is not one of those allowed.
        PasswordNotAccepted: the password is too short or too long.
    """
    values = {"user_id": uuid7(), "login": login.strip().lower(), "full_name": full_name.strip(), "role": role, "at": at}
    values["password_hash"] = passwords.hash_password(password) if password is not None else None
    try:
        with conn.transaction():
            conn.execute(_sql.hire_staff, values)
    except psycopg.errors.UniqueViolation as error:
        raise UnableToHireStaff(f"the login {values['login']} is taken", cure="choose another; an e-mail address is nobody else's") from error
    except psycopg.errors.CheckViolation as error:
        cure = "a login has 3 to 254 characters, a name up to 200, a role is staff, regulator or auditor"
        raise UnableToHireStaff(f"{values['login']} cannot have an account: a value is not allowed ({error.diag.constraint_name})", cure=cure) from error
    return values["user_id"]


def set_password(conn: Connection, *, login: str, password: str, at: datetime) -> None:
    """Give a person another password; all their sessions end.

    Raises:
        NotFound: nobody here signs in so.
        PasswordNotAccepted: the password is too short or too long.
    """
    row = conn.execute(_sql.set_password, {"login": login, "password_hash": passwords.hash_password(password)}).fetchone()
    if row is None:
        raise _nobody(login)
    conn.execute(_sql.end_sessions_of, {"user_id": row[0], "at": at})


def set_staff_status(conn: Connection, *, login: str, staff_status: str, at: datetime) -> None:
    """Make a person active, suspended or left; unless active, their sessions end and their keys and links stop to work.

    Raises:
        NotFound: nobody here signs in so.
    """
    row = conn.execute(_sql.set_staff_status, {"login": login, "staff_status": staff_status}).fetchone()
    if row is None:
        raise _nobody(login)
    if staff_status != "active":
        conn.execute(_sql.end_sessions_of, {"user_id": row[0], "at": at})


def make_api_key(conn: Connection, *, user_id: UUID, key_name: str, at: datetime, scopes: tuple[str, ...] = ("read",), expires_at: datetime | None = None) -> NewApiKey:
    """Make a key for a program that a person answers for; its role is theirs, narrowed by scopes (read, write).

    Raises:
        UnableToMakeApiKey: unknown scope, no name, an end that has passed, or nobody active to answer for it.
    """
    wanted = [scope for scope in SCOPES if scope in scopes]
    if not wanted or set(scopes) - set(SCOPES):
        raise UnableToMakeApiKey(f"a key's scopes are read and write, not {', '.join(scopes) or 'none'}", cure="ask for read, or for read and write")
    if not 1 <= len(key_name) <= 100:
        raise UnableToMakeApiKey("a key needs a name of 1 to 100 characters", cure="say which program it is for")
    if expires_at is not None and expires_at <= at:
        raise UnableToMakeApiKey(f"the key would have expired at {expires_at.isoformat()}", cure="choose a later end, or none")
    token, key_id = tokens.new_key(), uuid7()
    values = {"key_id": key_id, "user_id": user_id, "key_name": key_name, "scopes": wanted, "at": at, "expires_at": expires_at}
    if conn.execute(_sql.make_api_key, values | {"key_prefix": token.text[:8], "digest": token.digest}).fetchone() is None:
        raise UnableToMakeApiKey(f"nobody active here answers for the key: {user_id}", cure="name an active person of this utility")
    return NewApiKey(key_id=key_id, key=token.text, key_prefix=token.text[:8], scopes=wanted, expires_at=expires_at)


def revoke_api_key(conn: Connection, *, key_id: UUID, at: datetime, user_id: UUID | None = None) -> None:
    """Take a key back for good, if need be only where this person answers for it; again changes nothing.

    Raises:
        NotFound: there is no such key here, or another person answers for it.
    """
    if conn.execute(_sql.revoke_api_key, {"key_id": key_id, "user_id": user_id, "at": at}).fetchone() is None:
        raise NotFound(f"there is no key {key_id} here", cure="see which there are: mains keys list")


def make_sign_in_link(conn: Connection, *, login: str, at: datetime, open_for: timedelta = LINK) -> str:
    """Make a link that signs an active person in once, within `open_for`; gives the secret part of its address, /sign-in/SECRET.

    Raises:
        NotFound: nobody active here signs in so.
    """
    token = tokens.new_token()
    if conn.execute(_sql.make_sign_in_link, {"login": login, "digest": token.digest, "at": at, "expires_at": at + open_for}).fetchone() is None:
        raise _nobody(login)
    return token.text


def sign_in(database: Database, *, login: str, password: str, at: datetime, visitor: Visitor) -> NewSession:
    """Begin a session by password. Ten wrong ones in a row close this way in for 15 minutes; every failure says the same and takes the same time.

    Raises:
        UnableToSignIn: unknown, not active, wrong password, or too many tries.
    """
    login = login.strip().lower()
    with database.anonymous() as conn:
        known = queries.credentials(conn, login=login) if login.isprintable() and len(login) <= 254 else None
    is_right = passwords.is_right(password, known.password_hash if known else None)
    with database.anonymous() as conn:
        if known and is_right and _one(conn.execute(_sql.accept_password, {"user_id": known.user_id, "at": at} | _said_of(visitor)).fetchone()):
            return _open_session(conn, user_id=known.user_id, at=at, visitor=visitor)
        is_waiting = known is not None and known.locked_until is not None and known.locked_until > at
        if known and not is_right and not is_waiting:
            values = {"user_id": known.user_id, "at": at, "wait_after": WRONG_PASSWORDS, "wait_for": WAIT} | _said_of(visitor)
            conn.execute(_sql.count_wrong_password, values)
    cure = f"try again; after {WRONG_PASSWORDS} wrong tries, wait {WAIT.seconds // 60} minutes"
    raise UnableToSignIn("the user name or the password is wrong, or there were too many wrong tries", cure=cure)


def use_sign_in_link(conn: Connection, *, secret: str, at: datetime, visitor: Visitor) -> NewSession:
    """Begin a session by link, which works once. The connection is nobody's.

    Raises:
        LinkNotGood: unknown, used, expired, or its person is not active.
    """
    row = conn.execute(_sql.use_link, {"digest": tokens.digest(secret), "at": at}).fetchone() if tokens.is_token(secret) else None
    if row is None or row[0] is None:
        raise LinkNotGood("this link does not sign anybody in: it works once, and for a day", cure="sign in with your password, or have a new link made: mains link LOGIN")
    return _open_session(conn, user_id=row[0], at=at, visitor=visitor)


def sign_out(conn: Connection, *, token: str, at: datetime) -> None:
    """End the session of a token, if it is one. The connection is nobody's."""
    if tokens.is_token(token):
        conn.execute(_sql.close_session, {"digest": tokens.digest(token), "at": at})


def _open_session(conn: Connection, *, user_id: UUID, at: datetime, visitor: Visitor) -> NewSession:
    """A new session with a token that nobody had before."""
    token, until = tokens.new_token(), at + SESSION
    conn.execute(_sql.open_session, {"digest": token.digest, "user_id": user_id, "at": at, "until": until} | _said_of(visitor))
    return NewSession(token=token.text, expires_at=until)


def _said_of(visitor: Visitor) -> dict[str, Any]:
    return {"ip": visitor.ip, "user_agent": visitor.user_agent}


def _one(row: tuple[Any, ...] | None) -> Any:
    """The value of a row of one column."""
    return row[0] if row else None


def _nobody(login: str) -> NotFound:
    return NotFound(f"nobody active here signs in as {login}", cure="see who does: mains staff list")
