"""A utility and its neighbour, with meters to read."""

import pytest
from meter_world import add_channels, found_utility

from mains.base.db import Actor, Database


@pytest.fixture(scope="module")
def staff(database: Database) -> Actor:
    """A clerk of the utility."""
    with database.administering(autocommit=True) as admin:
        return found_utility(admin, "prairie")


@pytest.fixture(scope="module")
def neighbour(database: Database) -> Actor:
    """A clerk of the utility next door."""
    with database.administering(autocommit=True) as admin:
        return found_utility(admin, "neighbour")


@pytest.fixture
def meters(database: Database, staff: Actor):
    """Makes meters with one channel each and gives the channels' keys: meters(3, interval_s=900)."""
    return lambda count=1, **channel: add_channels(database, staff, count, **channel)
