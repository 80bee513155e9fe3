"""Reads of both tiers for moving readings between them. The caller owns the transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, LiteralString

import numpy as np
from psycopg import Connection
from psycopg.rows import dict_row

from mains.base.sql import Statements
from mains.metering.blocks import DAY, MISSING_16
from mains.metering.closing.packing import Kept, Told, told
from mains.metering.model import MISSING

_sql = Statements("mains.metering.closing", "queries.sql")
_EPOCH_2000 = 946_684_800


def month_of(at: datetime) -> tuple[datetime, datetime]:
    """The UTC month of an aware instant: its start and its end."""
    start = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def channels_with_blocks(conn: Connection, month: datetime, *, after: int, limit: int) -> list[int]:
    """Channels with live blocks in a month, after one, in order."""
    return _channels(conn, _sql.channels_with_blocks, month, after=after, limit=limit)


def channels_closed(conn: Connection, month: datetime, *, after: int, limit: int) -> list[int]:
    """Channels with closed rows in a month, after one, in order."""
    return _channels(conn, _sql.channels_closed, month, after=after, limit=limit)


def channels_in_month(conn: Connection, month: datetime, *, after: int, limit: int) -> list[int]:
    """Channels with blocks in a month in either tier, after one, in order."""
    return _channels(conn, _sql.channels_in_month, month, after=after, limit=limit)


def _channels(conn: Connection, statement: LiteralString, month: datetime, *, after: int, limit: int) -> list[int]:
    from_at, to_at = month_of(month)
    return [row[0] for row in conn.execute(statement, {"from_at": from_at, "to_at": to_at, "after": after, "limit": limit})]


def live_blocks(conn: Connection, channels: Sequence[int], month: datetime) -> list[Kept]:
    """Live blocks of channels that start in a month, one `Kept` an interval length."""
    from_at, to_at = month_of(month)
    groups: dict[int, list[Kept]] = {}
    with conn.cursor(binary=True) as cursor:
        for interval_s, width, is_mixed, packed in cursor.execute(_sql.live_blocks, {"channels": list(channels), "from_at": from_at, "to_at": to_at}):
            groups.setdefault(interval_s, []).append(_kept(packed, interval_s=interval_s, width=width, is_mixed=is_mixed))
    return [_joined(parts) for _, parts in sorted(groups.items())]


def _kept(packed: bytes, *, interval_s: int, width: int, is_mixed: bool) -> Kept:
    """Blocks of one size as the statement strung them together."""
    slots = DAY // interval_s
    fields: list[tuple[str, object]] = [("channel_id", ">i8"), ("block_start", ">i8"), ("total", ">i8"), ("peak", ">i4"), ("batch_id", ">i4")]
    fields += [("version", ">i2"), ("utc_offset_min", ">i2"), ("quality", ">i2"), ("n_valid", ">i2"), ("vals", (f"<i{width}", (slots,)))]
    records = np.frombuffer(packed, dtype=np.dtype([*fields, *([("qual", ("u1", (slots,)))] if is_mixed else [])]))
    values = records["vals"].astype(np.int32)
    if width == 2:
        values[values == MISSING_16] = MISSING
    n = len(records)
    return Kept(
        interval_s=interval_s, channel_id=records["channel_id"].astype(np.int64), block_start=records["block_start"].astype(np.int64) // 1_000_000 + _EPOCH_2000,
        utc_offset_min=records["utc_offset_min"].astype(np.int16), version=records["version"].astype(np.int16), batch_id=records["batch_id"].astype(np.int32),
        quality=records["quality"].astype(np.int16), width=np.full(n, width, dtype=np.int16), is_mixed=np.full(n, is_mixed), values=values,
        qual=records["qual"].copy() if is_mixed else np.zeros((n, 0), dtype=np.uint8),
    )  # fmt: skip


def _joined(parts: list[Kept]) -> Kept:
    """Blocks of one interval length and several sizes as one; `qual` is empty where no block has mixed qualities."""
    if len(parts) == 1:
        return parts[0]
    slots = parts[0].values.shape[1] if any(part.qual.shape[1] for part in parts) else 0
    wide = [part.qual if part.qual.shape[1] == slots else np.zeros((len(part), slots), dtype=np.uint8) for part in parts]
    names = [name for name in Kept.__slots__ if name not in ("interval_s", "qual")]
    return Kept(interval_s=parts[0].interval_s, qual=np.concatenate(wide), **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def closed_rows(conn: Connection, channels: Sequence[int], month: datetime) -> list[Told]:
    """Closed rows of channels in a month, in the order of the key."""
    from_at, to_at = month_of(month)
    with conn.cursor(binary=True) as cursor:
        return [told(row[0]) for row in cursor.execute(_sql.closed_rows, {"channels": list(channels), "from_at": from_at, "to_at": to_at})]


def cuts(conn: Connection, blocks: Sequence[Kept], month: datetime) -> dict[int, list[int]]:
    """For channels whose customers change in a month: the starts of days (epoch seconds) before which a row has to end, so that each row is one customer's or nobody's."""
    from_at, to_at = month_of(month)
    offsets = {channel: offset for kept in blocks for channel, offset in zip(kept.channel_id.tolist(), kept.utc_offset_min.tolist(), strict=True)}
    found: dict[int, list[int]] = {}
    for channel, at, is_end in conn.execute(_sql.occupancy_changes, {"channels": list(offsets), "from_at": from_at, "to_at": to_at}):
        moved = at.timestamp() + offsets[channel] * 60
        day = -int(-moved // DAY) if is_end else int(moved // DAY)
        found.setdefault(channel, []).append(day * DAY - offsets[channel] * 60)
    return found


def straddling(conn: Connection, month: datetime) -> list[int]:
    """Channels with a closed row in a month that is no longer one customer's, in order."""
    from_at, to_at = month_of(month)
    return [row[0] for row in conn.execute(_sql.straddling, {"from_at": from_at, "to_at": to_at})]


def hindrances(conn: Connection, month: datetime, *, at: datetime) -> list[str]:
    """What speaks against closing a month, in words."""
    from_at, to_at = month_of(month)
    loading, raw, failures = conn.execute(_sql.hindrances, {"from_at": from_at, "to_at": to_at, "at": at}).fetchone() or (0, 0, 0)
    said = ((loading, "deliveries are being stored"), (raw, "deliveries are not validated"), (failures, "failures are open"))
    return [f"{count:,} {words}" for count, words in said if count]


def staged_on_closed(conn: Connection, first: datetime, last: datetime) -> dict[datetime, list[int]]:
    """Channels of staged blocks that lie in closed months, by month."""
    asked = {"from_at": month_of(first)[0], "to_at": month_of(last)[1]}
    if not conn.execute(_sql.months_closed_between, asked).fetchone():
        return {}
    found: dict[datetime, list[int]] = {}
    for channel, month in conn.execute(_sql.staged_on_closed, asked):
        found.setdefault(month, []).append(channel)
    return {month: sorted(channels) for month, channels in sorted(found.items())}


def staged_blocks(conn: Connection, channels: Sequence[int], month: datetime) -> Iterator[tuple]:
    """Staged blocks of channels in a month: channel, start (epoch seconds), interval length, width, quality, values, qualities."""
    from_at, to_at = month_of(month)
    with conn.cursor(binary=True) as cursor:
        yield from cursor.execute(_sql.staged_blocks, {"channels": list(channels), "from_at": from_at, "to_at": to_at})


def months_closed_between(conn: Connection, from_at: datetime, to_at: datetime) -> list[datetime]:
    """UTC months that have closed rows and touch a stretch of time, in order."""
    asked = {"from_at": month_of(from_at)[0], "to_at": month_of(to_at)[1]}
    return sorted(row[0] for row in conn.execute(_sql.months_closed_between, asked))


def running_transactions(conn: Connection) -> set[str]:
    """Transactions of others that run now."""
    return {row[0] for row in conn.execute(_sql.running_transactions)}


def channel_names(conn: Connection, channels: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Meter, register, commodity, flow, unit and units a raw step of channels, as text."""
    found = {}
    for channel, *names, step in conn.execute(_sql.channel_names, {"channels": list(channels)}):
        found[channel] = (*names, format(step.normalize(), "f"))
    return found


def archive_of_hash(conn: Connection, sha256: bytes) -> dict[str, Any] | None:
    """What was recorded of the archive with a SHA-256; None where none was."""
    return conn.cursor(row_factory=dict_row).execute(_sql.archives_of_hash, {"sha256": sha256}).fetchone()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedMonth:
    """A UTC month whose readings are in an archive, not in the database: its first day, and the name of the archive's file."""

    month: date
    file: str


def removed_months(conn: Connection, from_at: datetime, to_at: datetime) -> list[RemovedMonth]:
    """Months that touch [from_at, to_at) and were removed and not restored, in order; one lookup by the key."""
    if from_at >= to_at:
        return []
    asked = {"from_at": from_at, "to_at": to_at - timedelta(microseconds=1)}
    return [RemovedMonth(month=month, file=file) for month, file in conn.execute(_sql.removed_months, asked)]


def sentence(removed: Sequence[RemovedMonth]) -> str:
    """Removed months in words, with their archives."""
    months = ", ".join(dict.fromkeys(f"{each.month:%Y-%m}" for each in removed))
    return f"the readings of {months} are in an archive, not in the database: {', '.join(each.file for each in removed)}"


def archives(conn: Connection) -> list[dict[str, Any]]:
    """The archives that were recorded, newest month first."""
    return conn.cursor(row_factory=dict_row).execute(_sql.archives).fetchall()


def utility_code(conn: Connection) -> str:
    """The short name of the utility of this transaction."""
    row = conn.execute(_sql.utility_code).fetchone()
    assert row is not None  # a transaction of staff has a utility
    return row[0]
