"""Writes: customers come, go, and change their rate. The caller owns the transaction."""

from datetime import date
from uuid import UUID

import psycopg
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.sql import Statements

_sql = Statements("mains.customers", "operations.sql")


class UnableToRegisterCustomer(Problem):
    """The customer cannot be registered as given."""

    status = 409


class UnableToMoveIn(Problem):
    """The agreement cannot be opened."""

    status = 409


class UnableToMoveOut(Problem):
    """The agreement cannot be ended then."""

    status = 409


class UnableToAssignRate(Problem):
    """The rate cannot be assigned from that date."""

    status = 409


def register_customer(
    conn: Connection,
    *,
    customer_number: str,
    full_name: str,
    customer_class: str,
    email: str | None = None,
    phone: str | None = None,
    language: str = "en",
) -> UUID:
    """Register a customer under a number that is new in the utility.

    Raises:
        UnableToRegisterCustomer: the number is taken, or a value is not one of those allowed.
    """
    values = {
        "customer_number": customer_number,
        "full_name": full_name,
        "customer_class": customer_class,
        "email": email,
        "phone": phone,
        "language": language,
    }
    try:
        with conn.transaction():
            row = conn.execute(_sql.register_customer, values).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise UnableToRegisterCustomer(
            f"customer number {customer_number} is taken", cure="give another number, or change the customer who has it"
        ) from error
    except psycopg.errors.CheckViolation as error:
        raise UnableToRegisterCustomer(
            f"customer {customer_number}: {error.diag.message_primary}",
            cure="class is residential, commercial, industrial or public_authority; an e-mail address has an @",
        ) from error
    assert row is not None  # INSERT … RETURNING always answers
    return row[0]


def move_in(
    conn: Connection,
    *,
    customer_id: UUID,
    service_point_id: UUID,
    account_number: str,
    rate_schedule_id: UUID,
    from_date: date,
    billing_cycle: str = "monthly",
) -> UUID:
    """Open an agreement and put it on a rate, both from local midnight of `from_date`; gives the account's key.

    Raises:
        UnableToMoveIn: the service point is unknown, still somebody else's then, or the number is taken.
    """
    values = {
        "customer_id": customer_id,
        "service_point_id": service_point_id,
        "account_number": account_number,
        "from_date": from_date,
        "billing_cycle": billing_cycle,
    }
    try:
        with conn.transaction():
            row = conn.execute(_sql.open_account, values).fetchone()
    except psycopg.errors.ExclusionViolation as error:
        raise UnableToMoveIn(
            f"service point {service_point_id} has another agreement on or after {from_date}",
            cure="move the other customer out first, at the latest on that date",
        ) from error
    except psycopg.errors.UniqueViolation as error:
        raise UnableToMoveIn(f"account number {account_number} is taken", cure="give another number") from error
    if row is None:
        raise UnableToMoveIn(f"service point {service_point_id} is unknown here", cure="look up the service point by its number")
    assign_rate(conn, account_id=row[0], rate_schedule_id=rate_schedule_id, from_date=from_date)
    return row[0]


def move_out(conn: Connection, *, account_id: UUID, to_date: date) -> None:
    """End an agreement at local midnight of `to_date`; its last bill is due then.

    Raises:
        UnableToMoveOut: the agreement is unknown, ended already, or began on that date or later.
    """
    if conn.execute(_sql.close_account, {"account_id": account_id, "to_date": to_date}).fetchone() is None:
        raise UnableToMoveOut(
            f"account {account_id} cannot end on {to_date}: it is unknown here, has ended, or began on that date or later",
            cure="look at its dates",
        )
    conn.execute(_sql.end_assignments, {"account_id": account_id, "from_date": to_date})


def assign_rate(conn: Connection, *, account_id: UUID, rate_schedule_id: UUID, from_date: date) -> UUID:
    """Put an agreement on another rate from a local date on; the one before ends there.

    Raises:
        UnableToAssignRate: another assignment begins on that date or later, or the rate is unknown.
    """
    values = {"account_id": account_id, "rate_schedule_id": rate_schedule_id, "from_date": from_date}
    try:
        with conn.transaction():
            conn.execute(_sql.end_assignments, values)
            row = conn.execute(_sql.assign_rate, values).fetchone()
    except psycopg.errors.ExclusionViolation as error:
        raise UnableToAssignRate(
            f"account {account_id} has a rate assigned from {from_date} or later",
            cure="choose a later date, or take that assignment back first",
        ) from error
    except psycopg.errors.ForeignKeyViolation as error:
        raise UnableToAssignRate(
            f"rate {rate_schedule_id} or account {account_id} is unknown here", cure="look both up by their codes"
        ) from error
    assert row is not None  # INSERT … RETURNING always answers
    return row[0]
