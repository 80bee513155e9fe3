"""Archived blocks beside what stands now in their month: days that nothing stands for come back, others become the older version of what stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.sql import Statements
from mains.metering import operations as deliveries
from mains.metering import store
from mains.metering.blocks import encode, merge
from mains.metering.closing import operations, packing, queries
from mains.metering.closing.packing import Kept
from mains.metering.model import MISSING, Quality
from mains.metering.rollups.operations import Additions

_sql = Statements("mains.metering.closing", "operations.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The archive that blocks come from: its file's name, its SHA-256, its month, when it is restored, and whether the sums of this database hold its readings already."""

    file: str
    sha256: bytes
    month: datetime
    at: datetime
    is_summed: bool


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a chunk: channels to which something came back, days and readings that came back, days that were merged, days left because their interval length is another."""

    channels: set[int]
    blocks: int = 0
    readings: int = 0
    merged: int = 0
    left: int = 0


def bring_back(conn: Connection, archived: Sequence[Kept], source: Source, *, utility_id: UUID) -> Outcome:
    """Bring archived blocks of channels back that have other readings now, in the caller's transaction, which holds the month; again changes nothing.

    The channels become live. What stands wins over the archived value by the rule of `blocks.merge`, and gaps are filled from the archive.
    """
    channels = sorted(set().union(*(set(kept.channel_id.tolist()) for kept in archived)))
    operations.thaw(conn, channels, source.month)
    standing = {kept.interval_s: kept for kept in queries.live_blocks(conn, channels, source.month)}
    taken = {key: kept.interval_s for kept in standing.values() for key in _keys(kept)}
    done, added = Outcome(channels=set()), Additions(utility_id=utility_id)
    merged: list[tuple[Kept, Kept]] = []
    for kept in archived:
        stands = np.array([taken.get(key, 0) for key in _keys(kept)], dtype=np.int64)
        absent = kept.where(stands == 0)
        if len(absent):
            operations.insert_live(conn, absent)
            done.blocks, done.readings = done.blocks + len(absent), done.readings + int(absent.n_valid.sum(dtype=np.int64))
            done.channels.update(absent.channel_id.tolist())
            if not source.is_summed:
                added.add_packed(conn, packing.as_packed(absent))
        done.left += int(((stands != 0) & (stands != kept.interval_s)).sum())
        both = kept.where(stands == kept.interval_s)
        if len(both):
            pair = _put_under(conn, both, standing[kept.interval_s], source.month)
            if len(pair[0]):
                merged.append(pair)
                if source.is_summed:  # the sums hold both: the archived values since they were first stored, the others since they came
                    added.add_packed(conn, packing.as_packed(pair[0]), sign=-1)
    added.post(conn)
    done.merged = sum(len(older) for older, _ in merged)
    done.channels.update(*(older.channel_id.tolist() for older, _ in merged))
    _fill(conn, merged, source, utility_id=utility_id)
    return done


def _keys(kept: Kept) -> list[tuple[int, int]]:
    return list(zip(kept.channel_id.tolist(), kept.block_start.tolist(), strict=True))


def _put_under(conn: Connection, archived: Kept, standing: Kept, month: datetime) -> tuple[Kept, Kept]:
    """Keep archived blocks as the versions before the standing ones where the two differ and the history lacks them; those blocks, and what stands over them."""
    place = {key: i for i, key in enumerate(_keys(standing))}
    beside = standing.where(np.array([place[key] for key in _keys(archived)], dtype=np.intp))
    differ = (archived.values != beside.values).any(axis=1) | (qualities(archived) != qualities(beside)).any(axis=1)
    archived, beside = archived.where(differ), beside.where(differ)
    if not len(archived):
        return archived, beside
    kept = set(conn.execute(_sql.put_under, operations.columns(archived) | {"month": month}).fetchall())
    chosen = np.array([key in kept for key in _keys(archived)], dtype=bool)
    return archived.where(chosen), beside.where(chosen)


def qualities(kept: Kept) -> NDArray[np.uint8]:
    """Quality of each reading, uint8 [blocks, intervals], gaps marked."""
    found = np.repeat(kept.quality.astype(np.uint8)[:, None], kept.values.shape[1], axis=1)
    if kept.is_mixed.any():
        found[kept.is_mixed] = kept.qual[kept.is_mixed]
    found[kept.values == MISSING] = Quality.MISSING
    return found


def _fill(conn: Connection, merged: Sequence[tuple[Kept, Kept]], source: Source, *, utility_id: UUID) -> None:
    """Where archived readings fill or outrank what stands, a new version with both, of a delivery of its own."""
    parts, new, changed, total = [], 0, 0, 0
    for older, newer in merged:
        both = merge(old=older.values, old_quality=qualities(older), new=newer.values, new_quality=qualities(newer))
        filled = (newer.values == MISSING) & (both.values != MISSING)
        other = ~filled & ((both.values != newer.values) | (both.quality != qualities(newer)))
        rows = np.flatnonzero((filled | other).any(axis=1))
        if len(rows):
            new, changed = new + int(filled.sum()), changed + int(other.sum())
            total += int(both.values[filled | other].sum(dtype=np.int64))
            parts.append(
                encode(
                    channel_id=older.channel_id[rows], block_start=older.block_start[rows], utc_offset_min=newer.utc_offset_min[rows], values=both.values[rows],
                    quality=both.quality[rows],
                )
            )  # fmt: skip
    if parts:
        batch_id = deliveries.open_batch(conn, source=f"restore of {source.file}", format="archive", sha256=source.sha256, at=source.at, read_as="merged")
        for part in parts:
            store.replace_stored(conn, [part], utility_id=utility_id, batch_id=batch_id)
        deliveries.close_batch(conn, batch_id=batch_id, found=new + changed, accepted=new + changed, new=new, changed=changed, raw_sum=total)
