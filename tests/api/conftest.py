"""Two utilities with a customer each, somebody who works for each, and the whole application in front of them."""

import pytest
from api_world import Office, open_office, unsigned

from mains.app import create_app
from mains.base.db import Database
from mains.settings import Settings


@pytest.fixture(scope="module")
def app(database: Database):
    return create_app(database, Settings())


@pytest.fixture(scope="module")
def riverbend(database: Database) -> Office:
    return open_office(database, "riverbend")


@pytest.fixture(scope="module")
def hilltop(database: Database) -> Office:
    return open_office(database, "hilltop")


@pytest.fixture
def stranger(app):
    """A client of nobody, without cookies."""
    with unsigned(app) as client:
        yield client
