"""Connections, actors, and the one way to touch the database: a transaction that knows who acts.

    with database.transaction(actor=actor) as conn:
        issue_bill(conn, …)

The application logs in as `mains_app`, which owns nothing and may do nothing. Each transaction takes on one role (`mains_staff`, `mains_customer` …) and names its
utility, user and request; row-level security reads those. When the transaction ends they are gone, so a pooled connection never carries one person's rights to the next.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg_pool import ConnectionPool

ROLES = ("staff", "customer", "regulator", "auditor")
"""What an actor may be; each is the database role `mains_<role>`."""

_BEGIN: LiteralString = """
SELECT set_config('app.utility_id', %s, true), set_config('app.user_id', %s, true), set_config('app.customer_id', %s, true), set_config('app.actor', %s, true),
       set_config('app.session_id', %s, true), set_config('app.request_id', %s, true), set_config('app.ip', %s, true), set_config('app.user_agent', %s, true),
       set_config('app.reason', %s, true), set_config('role', %s, true)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, for whom, and on which request: the role decides what is allowed, the rest narrows and records it."""

    role: str
    utility_id: UUID
    name: str
    user_id: UUID | None = None
    customer_id: UUID | None = None
    session_id: str | None = None
    request_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"an actor is one of {', '.join(ROLES)}, not {self.role!r}")
        if self.role == "customer" and self.customer_id is None:
            raise ValueError("a customer acts for themselves: customer_id is missing")

    def settings(self) -> tuple[str, ...]:
        """The values of the transaction's settings, in the order that `transaction` sets them."""
        known = (
            self.utility_id,
            self.user_id,
            self.customer_id,
            self.name,
            self.session_id,
            self.request_id,
            self.ip,
            self.user_agent,
            self.reason,
        )
        return *("" if value is None else str(value) for value in known), f"mains_{self.role}"


def system_actor(utility_id: UUID, *, job: str) -> Actor:
    """The machine acting for a utility, named after the job so that the audit log says so.

    >>> system_actor(UUID(int=1), job="billing").name
    'system:billing'
    """
    return Actor(role="staff", utility_id=utility_id, name=f"system:{job}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database, with the three ways in: the application's, the ingest's (INSERT on interval tables only) and the administrator's (schema work)."""

    app_url: str
    admin_url: str = field(repr=False)
    ingest_url: str = field(repr=False)

    @contextmanager
    def transaction(self, *, actor: Actor) -> Iterator[Connection]:
        """One transaction as this actor: committed at the end of the block, rolled back when it raises."""
        with _pool(self.app_url, os.getpid()).connection() as conn:
            conn.execute(_BEGIN, actor.settings())
            yield conn

    @contextmanager
    def anonymous(self) -> Iterator[Connection]:
        """One transaction of nobody: no role, no rows; only the few functions that sign people in can be called."""
        with _pool(self.app_url, os.getpid()).connection() as conn:
            yield conn

    @contextmanager
    def ingesting(self) -> Iterator[Connection]:
        """One transaction of the ingest login, which may COPY into the interval tables and do nothing else."""
        with psycopg.connect(self.ingest_url, application_name="mains ingest") as conn:
            yield conn

    @contextmanager
    def administering(self, *, autocommit: bool = False) -> Iterator[Connection]:
        """An administrator's connection, for building, checking and saving the database; never for business."""
        with psycopg.connect(self.admin_url, autocommit=autocommit, application_name="mains admin") as conn:
            yield conn

    def close(self) -> None:
        """Close this process's pooled connections to the database."""
        _pool(self.app_url, os.getpid()).close()
        _pool.cache_clear()


@lru_cache(maxsize=8)
def _pool(url: str, pid: int) -> ConnectionPool:
    """The pool of one process for one login; a forked process makes its own."""
    return ConnectionPool(
        url,
        min_size=0,
        max_size=16,
        timeout=30,
        open=True,
        name=f"mains-{pid}",
        kwargs={"application_name": "mains"},
        check=ConnectionPool.check_connection,
    )
