"""The states of exceptions: which may be decided, and what a decision writes. The caller owns the transaction."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import Connection

from mains.base.problems import NotFound, Problem
from mains.base.sql import Statements
from mains.metering.vee import queries
from mains.metering.vee.queries import UNSETTLED, VeeException, Wanted

_sql = Statements("mains.metering.vee", "operations.sql")
_queries = Statements("mains.metering.vee", "queries.sql")


class IllegalDecision(Problem):
    """An exception is in a state in which this cannot be decided of it."""

    status = 409


def still_unsettled(conn: Connection, ids: Sequence[int]) -> list[VeeException]:
    """Exceptions that are open or asked again, locked, in the order of their keys.

    Raises:
        NotFound: one is not here.
        IllegalDecision: one is settled already.
    """
    wanted = sorted(set(ids))
    conn.execute(_queries.lock_exceptions, {"ids": wanted})
    found = {each.vee_exception_id: each for each in queries.exceptions_page(conn, Wanted(ids=tuple(wanted), statuses=None), limit=len(wanted) or 1)}
    for each in wanted:
        if each not in found:
            raise NotFound(f"there is no exception {each}", cure="mains vee exceptions lists them")
        if found[each].exception_status not in UNSETTLED:
            settled = found[each]
            raise IllegalDecision(
                f"exception {each} was {settled.exception_status} by {settled.closed_by}: {settled.reason}", cure="leave it; if the readings are wrong again, edit them"
            )
    return [found[each] for each in wanted]


def settle(conn: Connection, ids: Sequence[int], *, status: str, at: datetime, reason: str) -> None:
    """Write a decision of exceptions: who (the transaction's actor), when and why."""
    if ids:
        conn.execute(_sql.decide_exceptions, {"ids": list(ids), "status": status, "at": at, "reason": reason})
