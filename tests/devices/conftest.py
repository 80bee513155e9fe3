"""A utility with places to hang meters at, people who live there, and a second and a third clerk."""

from dataclasses import replace

import pytest
from field_world import Field, found_field

from mains.base.db import Actor, Database


@pytest.fixture(scope="module")
def staff(database: Database) -> Actor:
    with database.administering(autocommit=True) as admin:
        return found_field(admin, "prairie")


@pytest.fixture(scope="module")
def neighbour(database: Database) -> Actor:
    with database.administering(autocommit=True) as admin:
        return found_field(admin, "neighbour")


@pytest.fixture
def field(database: Database, staff: Actor) -> Field:
    return Field(database=database, clerk=staff, second=replace(staff, name="Ben Clerk"), third=replace(staff, name="Cleo Clerk"))
