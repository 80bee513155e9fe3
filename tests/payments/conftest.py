"""The town that billing's tests bill, for what comes after the bill."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "billing"))

from town import Town, found_town, gas_rate, home_rate, shop_rate

from mains.base.db import Database
from mains.base.ids import uuid7


@pytest.fixture
def town(database: Database) -> Town:
    """A town of its own for each test."""
    made = found_town(database, f"town-{uuid7().hex[-12:]}")
    for code, rate in (("home", home_rate()), ("shop", shop_rate()), ("gas", gas_rate())):
        made.publish(code, rate)
    return made
