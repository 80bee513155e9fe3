"""What metering's tests stand on: utilities, meters with channels, blocks of days, and the two ways to store them."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np

from mains.base.db import Actor, Database
from mains.base.ids import uuid7
from mains.devices import operations as devices
from mains.metering import operations, queries, store
from mains.metering.blocks import encode

MIDNIGHT = datetime(2026, 3, 1, 6, tzinfo=UTC)
"""Standard-time midnight in Chicago."""
OFFSET = -360
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def found_utility(admin, code: str) -> Actor:
    utility_id = uuid7()
    admin.execute("SELECT set_config('app.actor', 'tests', false)")
    admin.execute("SELECT network.found_utility(%s, %s, %s, 'municipal', '{electric,gas,water}', 'USD', 'America/Chicago')", [utility_id, code.title(), code])
    return Actor(role="staff", utility_id=utility_id, name="Ada Clerk")


def add_channels(database: Database, actor: Actor, count: int = 1, *, numbers: list[str] | None = None, register: str = "1", **channel) -> list[int]:
    numbers = numbers or sorted(f"M-{uuid7().hex[-12:]}" for _ in range(count))
    facts = {"unit": "Wh", "commodity": "electric", "interval_s": 900, "utc_offset_min": OFFSET} | channel
    with database.transaction(actor=actor) as conn:
        ids = devices.register_meters(conn, [devices.NewMeter(meter_number=number, commodity=facts["commodity"], dial_digits=5) for number in numbers])
        operations.register_channels(conn, [operations.NewChannel(meter_id=ids[number], register=register, **facts) for number in numbers])
        known = {found.meter_number: found.channel_id for found in queries.channels_of_meters(conn, numbers)}
    return sorted(known.values())


def days(channels: list[int], values, *, first: datetime = MIDNIGHT, quality=0, offset: int = OFFSET):
    """Blocks of int32 values [channels, days, intervals], all from one first day."""
    values = np.asarray(values, dtype=np.int32)
    count = values.shape[1]
    starts = int(first.timestamp()) + 86_400 * np.arange(count)
    if np.ndim(quality) == 3:
        quality = np.asarray(quality, dtype=np.uint8).reshape(-1, values.shape[2])
    return encode(
        channel_id=np.repeat(np.array(channels, dtype=np.int64), count), block_start=np.tile(starts, len(channels)), values=values.reshape(-1, values.shape[2]),
        utc_offset_min=offset, quality=quality,
    )  # fmt: skip


def first_load(database: Database, actor: Actor, blocks, **more):
    first, last = (datetime.fromtimestamp(int(at), UTC) for at in (blocks.block_start.min(), blocks.block_start.max()))
    return store.first_load(database, actor=actor, parts=[blocks], from_at=first, to_at=last + timedelta(days=1), source="arrays", at=NOW, **more)


def deliver(database: Database, actor: Actor, *parts):
    """The idempotent path: what was stored."""
    first, last = (datetime.fromtimestamp(int(at), UTC) for at in (min(part.block_start.min() for part in parts), max(part.block_start.max() for part in parts)))
    with database.transaction(actor=actor) as conn:
        operations.ensure_partitions(conn, from_at=first, to_at=last)
    with database.transaction(actor=actor) as conn:
        batch_id = operations.open_batch(conn, source="delivery", format="arrays", sha256=bytes(32), at=NOW)
        store.open_staging(conn)
        store.stage(conn, parts, utility_id=actor.utility_id, batch_id=batch_id)
        stored = store.merge_staged(conn, utility_id=actor.utility_id, batch_id=batch_id)
        found = sum(part.readings for part in parts)
        operations.close_batch(
            conn, batch_id=batch_id, found=found, accepted=found - stored.refused, quarantined=stored.refused, new=stored.new, changed=stored.changed
        )
    return SimpleNamespace(batch_id=batch_id, **{name: getattr(stored, name) for name in ("blocks_new", "blocks_changed", "new", "changed", "refusals", "refused")})


def service_point(conn, number: str, *, commodity: str = "electric"):
    """A place where a meter can hang; its key."""
    premise = "INSERT INTO customers.premises (premise_number, address_line, city) VALUES (%s, '1 Main St', 'Prairie') RETURNING premise_id"
    point = "INSERT INTO customers.service_points (premise_id, service_point_number, commodity, timezone) VALUES (%s, %s, %s, 'America/Chicago') RETURNING service_point_id"
    premise_id = conn.execute(premise, [f"P-{number}"]).fetchone()[0]
    return conn.execute(point, [premise_id, number, commodity]).fetchone()[0]
