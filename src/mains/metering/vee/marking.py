"""Writing what validation says of readings without changing their values: the one write that lowers a reading's standing, through the history like every other."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.sql import Statements
from mains.metering import operations, store
from mains.metering.blocks import DAY, Blocks, encode
from mains.metering.closing import operations as closing
from mains.metering.load import as_instant

_sql = Statements("mains.metering.vee", "operations.sql")

VALIDATION, ESTIMATION, EDITING = "validation", "estimation", "editing"
"""Sources of the deliveries that validation makes itself."""


def mark(
    conn: Connection, *, utility_id: UUID, blocks: Blocks, versions: NDArray[np.integer], at: datetime, reason: str, changed: int
) -> int | None:
    """Put blocks with other qualities in the place of the stored ones, as a delivery of validation's own; its number, None where nothing was left to do.

    `versions` are those that were judged: a block that somebody changed since stays as it is, its new delivery will be judged. `changed` is how many readings differ.
    """
    if not len(blocks):
        return None
    first, last = as_instant(int(blocks.block_start.min())), as_instant(int(blocks.block_start.max()))
    closing.ready_to_write(conn, sorted(set(blocks.channel_id.tolist())), first, last + timedelta(days=1))
    asked = {"channels": blocks.channel_id.tolist(), "starts": [as_instant(start) for start in blocks.block_start.tolist()], "first": first, "last": last}
    now = {(channel, start): version for channel, start, version in conn.execute(_sql.lock_days, asked)}
    keys = zip(blocks.channel_id.tolist(), blocks.block_start.tolist(), strict=True)
    same = np.array([now.get(key) == version for key, version in zip(keys, versions.tolist(), strict=True)], dtype=bool)
    if not same.any():
        return None
    blocks = blocks.where(same)
    conn.execute(_sql.give_reason, {"reason": reason})
    batch_id = open_delivery(conn, source=VALIDATION, form="vee", at=at, words=f"{reason} {asked['first']}")
    store.replace_stored(conn, [blocks], utility_id=utility_id, batch_id=batch_id)
    close_delivery(conn, batch_id=batch_id, found=changed, accepted=changed, changed=changed, at=at)
    return batch_id


def put_in(conn: Connection, *, utility_id: UUID, blocks: Blocks, source: str, at: datetime, reason: str) -> tuple[int, store.Stored]:
    """Store values that were estimated or typed on the idempotent path, as a delivery of their own with its reason; its number, and what was stored.

    The months must be there (`operations.ensure_partitions`).
    """
    conn.execute(_sql.give_reason, {"reason": reason})
    batch_id = open_delivery(conn, source=source, form="edit" if source == EDITING else "vee", at=at, words=f"{reason} {blocks.raw_sum} {len(blocks)}")
    store.open_staging(conn)
    store.stage(conn, [blocks], utility_id=utility_id, batch_id=batch_id)
    stored = store.merge_staged(conn, utility_id=utility_id, batch_id=batch_id)
    lost = sum(refusal.raw_sum for refusal in stored.refusals)
    found = blocks.readings
    close_delivery(
        conn, batch_id=batch_id, found=found, accepted=found - stored.refused, new=stored.new, changed=stored.changed, at=at, raw_sum=blocks.raw_sum - lost
    )
    return batch_id, stored


def open_delivery(conn: Connection, *, source: str, form: str, at: datetime, words: str) -> int:
    """Begin a delivery of values that validation or people put in; `words` stand for what was delivered."""
    return operations.open_batch(conn, source=source, format=form, sha256=hashlib.sha256(words.encode()).digest(), at=at)


def close_delivery(conn: Connection, *, batch_id: int, found: int, accepted: int, at: datetime, new: int = 0, changed: int = 0, raw_sum: int = 0) -> None:
    """Finish such a delivery; it needs no judging."""
    operations.close_batch(conn, batch_id=batch_id, found=found, accepted=accepted, quarantined=found - accepted, new=new, changed=changed, raw_sum=raw_sum)
    conn.execute(_sql.set_validated, {"at": at, "batches": [batch_id]})


def days_of(
    *, channel_ids: NDArray[np.int64], first_day: int, utc_offset_min: int, values: NDArray[np.int32], quality: NDArray[np.uint8], chosen: NDArray[np.bool_]
) -> Blocks:
    """The chosen days [channels, days] of dense values and qualities [channels, days, slots] as blocks, in the order of the key."""
    row, day = np.nonzero(chosen)
    return encode(
        channel_id=channel_ids[row], block_start=first_day + DAY * day.astype(np.int64), values=values[row, day], quality=quality[row, day], utc_offset_min=utc_offset_min
    )
