"""A first load by several processes at once."""

from datetime import timedelta

import numpy as np
import pytest
from meter_world import MIDNIGHT, NOW, add_channels, days, first_load

from mains.metering.load import load
from mains.metering.model import MISSING
from mains.metering.parallel import Task, load_parallel
from mains.metering.store import ReadingsAlreadyThere, UnableToStoreReadings


def ramp(channels, first):
    """Two days of each channel, values that tell where they belong."""
    return [days(channels, np.arange(len(channels) * 192, dtype=np.int32).reshape(len(channels), 2, 96) + first)]


def broken(channels):
    raise RuntimeError(f"no readings for {len(channels)} channels")


def load_tasks(database, staff, tasks, **more):
    return load_parallel(database, actor=staff, tasks=tasks, from_at=MIDNIGHT, to_at=MIDNIGHT + timedelta(days=2), source="town", at=NOW, **more)


def test_all_processes_store_their_share_as_one_delivery(database, staff):
    channels = add_channels(database, staff, 12)
    told: list[int] = []
    tasks = [Task(make=ramp, arguments={"channels": channels[i : i + 3], "first": 1000 * i}) for i in range(0, 12, 3)]
    done = load_tasks(database, staff, tasks, progress=told.append)
    with database.transaction(actor=staff) as conn:
        found = load(conn, channels, MIDNIGHT, MIDNIGHT + timedelta(days=2))
        batch = conn.execute("SELECT readings_accepted, raw_sum FROM metering.ingest_batches WHERE batch_id = %s", [done.batch_id]).fetchone()

    assert (done.blocks, done.readings, max(told)) == (24, 12 * 192, 12 * 192)
    assert np.array_equal(found.values.reshape(4, -1), np.arange(576)[None, :] + 3000 * np.arange(4)[:, None])
    assert batch == (done.readings, int(found.values.sum()))


def test_when_one_process_fails_none_commits(database, staff):
    channels = add_channels(database, staff, 4)
    with pytest.raises(UnableToStoreReadings, match="no readings for 2 channels"):
        load_tasks(database, staff, [Task(make=ramp, arguments={"channels": channels[:2], "first": 0}), Task(make=broken, arguments={"channels": channels[2:]})])
    first_load(database, staff, ramp(channels[3:], 0)[0])
    with pytest.raises(ReadingsAlreadyThere):
        load_tasks(database, staff, [Task(make=ramp, arguments={"channels": [channel], "first": 0}) for channel in channels])
    with database.transaction(actor=staff) as conn:
        assert (load(conn, channels[:3], MIDNIGHT, MIDNIGHT + timedelta(days=2)).values == MISSING).all()
