"""One plan for all tests of the demo: 400 customers, with every reading of Riverbend's and the neighbour's."""

from types import SimpleNamespace

import numpy as np
import pytest

from mains.demo import generate
from mains.demo.faults import MISSING


@pytest.fixture(scope="session")
def town():
    """The plan, its interval readings [channel, slot] with gaps as 0, and ways to find a customer's things."""
    plan = generate.plan(customers=400)
    batch = generate.readings(plan, range(plan.interval_channels))
    riverbend = plan.utilities[0].key
    values = batch.values.reshape(len(batch.values), -1)
    return SimpleNamespace(
        plan=plan,
        batch=batch,
        raw=values,
        wh=np.where(values == MISSING, 0, values),
        riverbend=riverbend,
        channel={(c.premise_number, c.flow): c.index for c in plan.channels[: plan.interval_channels] if c.utility == riverbend},
        story={c.story: c for c in reversed(plan.customers) if c.story},
        customer={c.number: c for c in plan.customers if c.utility == riverbend},
    )
