"""Founding a utility, as an administrator does."""

from datetime import UTC, datetime

from mains.base.db import Actor, Database, system_actor
from mains.base.ids import uuid7

MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


def found(database: Database, code: str) -> Actor:
    """A new utility, and the machine acting for it."""
    utility_id = uuid7()
    with database.administering() as conn:
        conn.execute("SELECT set_config('app.actor', 'administrator', true)")
        conn.execute("SET LOCAL ROLE mains_owner")
        conn.execute("SELECT network.found_utility(%s, %s, %s, 'municipal', '{electric}', 'USD', 'America/Chicago')", [utility_id, code.title(), code])
    return system_actor(utility_id, job="tests")
