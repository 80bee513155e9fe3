"""Two utilities, and somebody who works for the first."""

from uuid import UUID

import psycopg
import pytest
from identity_world import MONDAY, PASSWORD, found

from mains.base.db import Actor, Database
from mains.identity import operations


@pytest.fixture(scope="module")
def riverbend(database: Database) -> Actor:
    return found(database, "riverbend")


@pytest.fixture(scope="module")
def hilltop(database: Database) -> Actor:
    return found(database, "hilltop")


@pytest.fixture(scope="module")
def ana(database: Database, riverbend: Actor) -> UUID:
    with database.transaction(actor=riverbend) as conn:
        return operations.hire_staff(conn, login="ana@riverbend.example", full_name="Ana Lima", password=PASSWORD, at=MONDAY)


@pytest.fixture
def nobody(database: Database):
    """A connection of nobody, rolled back afterwards."""
    with database.anonymous() as conn:
        yield conn
        conn.rollback()


@pytest.fixture
def of_riverbend(database: Database, riverbend: Actor):
    """A transaction of riverbend's staff, rolled back afterwards."""
    with database.transaction(actor=riverbend) as conn:
        yield conn
        if conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            conn.rollback()
