"""Pushes with a name: the same one again is answered as before and stores nothing, another one under the name is refused."""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from mains.base.db import Actor, Database
from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.metering import store
from mains.metering.pushing import Gathered, push_gathered

_sql = Statements("mains.metering", "inbox.sql")
KEPT = timedelta(days=7)
"""How long an answer is given again."""


class KeyOfAnotherPush(Problem):
    """A push came under the name of another one."""

    status = 409


class _SomebodyWasFaster(Exception):
    """The same name was taken while this push was being stored."""


def store_once(
    database: Database, actor: Actor, gathered: Gathered, *, key: str | None, source: str, at: datetime, sha256: bytes, most_waiting: int | None = None
) -> dict[str, Any]:
    """Store a push, once under one `key`, and say what became of it; `sha256` is of its text.

    Raises:
        KeyOfAnotherPush: something else was pushed under this key.
        InboxFull, UnableToStoreReadings: see `pushing.store_push`.
    """
    while True:
        try:
            with store.refusing_clearly(source), database.transaction(actor=actor) as conn:
                if key is not None and (known := _answer(conn, key, sha256)) is not None:
                    return known
                answer = push_gathered(conn, gathered, source=source, at=at, sha256=sha256, most_waiting=most_waiting).as_json()
                if key is not None:
                    _keep(conn, {"key": key, "sha256": sha256, "answer": Jsonb(answer), "at": at})
                return answer
        except _SomebodyWasFaster:  # what was stored is taken back; theirs is the answer
            continue


def _keep(conn: Connection, answered: dict[str, object]) -> None:
    """Keep an answer under its key."""
    if conn.execute(_sql.keep_answer, answered).fetchone() is None:
        raise _SomebodyWasFaster


def _answer(conn: Connection, key: str, sha256: bytes) -> dict[str, Any] | None:
    """What was answered under a key; None where nothing was.

    Raises:
        KeyOfAnotherPush: that was another push.
    """
    row = conn.execute(_sql.answer_of, {"key": key}).fetchone()
    if row is None:
        return None
    if bytes(row[0]) != sha256:
        raise KeyOfAnotherPush(f"other readings were pushed under the key {key[:60]!r}", cure="use a new Idempotency-Key for each push")
    return row[1]


def forget(conn: Connection, *, at: datetime) -> int:
    """Drop the answers that are older than they are kept; how many."""
    return conn.execute(_sql.drop_answers, {"before": at - KEPT}).rowcount
