"""A town with its rates published, and one beside it."""

import pytest
from town import Town, found_town, gas_rate, home_rate, shop_rate

from mains.base.db import Database


@pytest.fixture
def town(database: Database) -> Town:
    """A town of its own for each test, in the module's database."""
    from mains.base.ids import uuid7

    town = found_town(database, f"town-{uuid7().hex[-12:]}")
    town.publish("home", home_rate())
    town.publish("shop", shop_rate())
    town.publish("gas", gas_rate())
    return town
