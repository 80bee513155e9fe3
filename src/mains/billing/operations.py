"""Writes other than the run itself: cycles, and taking a bill back. The caller owns the transaction."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from psycopg import Connection

from mains.base.problems import Problem
from mains.base.sql import Statements

_sql = Statements("mains.billing", "operations.sql")


class UnableToCancelBill(Problem):
    """The bill cannot be cancelled."""

    status = 409


Post = Callable[[Connection, datetime], object]
"""Brings a ledger up to what was issued and taken back, at an instant; asked twice, it writes once."""

_ledgers: list[Post] = []


def keep_ledger(post: Post) -> None:
    """Name a ledger that bills are posted to. Billing knows none: what puts the application together names it."""
    if post not in _ledgers:
        _ledgers.append(post)


def post(conn: Connection, *, at: datetime) -> None:
    """Have every ledger take in the bills that were issued or taken back and that it does not hold yet."""
    for ledger in _ledgers:
        ledger(conn, at)


def make_cycle(conn: Connection, *, cycle_code: str, description: str, due_days: int = 21) -> None:
    """Make a billing cycle, or change the words and days of one that is there; bills fall due `due_days` after they are issued."""
    conn.execute(_sql.make_cycle, {"cycle_code": cycle_code, "description": description, "due_days": due_days})


def cancel_bill(conn: Connection, *, bill_id: UUID, at: datetime, reason: str) -> None:
    """Take a bill back, in the ledger too; the next run of its cycle bills the period again as the next revision. `reason` goes to the audit log.

    Raises:
        UnableToCancelBill: the bill is unknown here or cancelled already, or no reason is given.
    """
    if not reason.strip():
        raise UnableToCancelBill("no reason is given", cure="say why, for the audit log")
    conn.execute(_sql.give_reason, {"reason": reason})
    if conn.execute(_sql.cancel_bill, {"bill_id": bill_id, "at": at}).fetchone() is None:
        raise UnableToCancelBill(f"bill {bill_id} is unknown here, or cancelled already", cure="look the bill up by its number")
    post(conn, at=at)
