"""How channels stand: their last reading, and how sure the latest ones are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from psycopg import Connection

from mains.base.sql import Statements
from mains.metering.load import as_instant, packed_blocks
from mains.metering.model import MISSING, Quality
from mains.metering.queries import Channel
from mains.metering.wire import with_gaps_marked

_sql = Statements("mains.metering", "queries.sql")
LATELY = timedelta(days=30)
_LOOKED_BACK = (timedelta(days=45), timedelta(days=400), timedelta(days=40 * 366))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """A channel with its last reading: `last_at` the start of an interval or the instant of a read, `last_value` in the channel's unit.

    `quality_shares` are shares of the readings of its last thirty days, by quality, largest first; `expected_share` how many of the intervals of these days have a value.
    """

    channel: Channel
    last_at: datetime | None = None
    last_value: Decimal | None = None
    last_quality: str | None = None
    quality_shares: dict[str, Decimal] | None = None
    expected_share: Decimal | None = None


def facts_of(conn: Connection, channels: Sequence[Channel], *, at: datetime) -> list[ChannelFacts]:
    """How channels stand at an instant, in the order asked."""
    found: dict[int, ChannelFacts] = {}
    for back in _LOOKED_BACK:
        waiting = {each.channel_id: each for each in channels if each.interval_s is not None and each.channel_id not in found}
        found |= _from_blocks(conn, waiting, at - back, at + timedelta(days=2))
    dials = {each.channel_id: each for each in channels if each.interval_s is None}
    for channel_id, read_at, raw, quality in conn.execute(_sql.last_reads, {"channels": list(dials)}) if dials else ():
        channel = dials[channel_id]
        value = raw * Decimal(10) ** channel.pow10
        found[channel_id] = ChannelFacts(channel=channel, last_at=read_at, last_value=value, last_quality=Quality(quality).name.lower())
    return [found.get(each.channel_id, ChannelFacts(channel=each)) for each in channels]


def _from_blocks(conn: Connection, channels: dict[int, Channel], from_at: datetime, to_at: datetime) -> dict[int, ChannelFacts]:
    """The facts of those channels that have readings in a stretch of time."""
    days: dict[int, list[tuple[int, int, np.ndarray, np.ndarray]]] = {}
    for packed in packed_blocks(conn, np.array(sorted(channels), dtype=np.int64), from_at, to_at):
        values = packed.values()
        quality = with_gaps_marked(values, packed.quality())
        for row, (channel_id, start) in enumerate(zip(packed.channel_id.tolist(), packed.block_start.tolist(), strict=True)):
            if (values[row] != MISSING).any():
                days.setdefault(channel_id, []).append((start, packed.interval_s, values[row], quality[row]))
    return {channel_id: _facts(channels[channel_id], sorted(blocks, key=lambda block: block[0])) for channel_id, blocks in days.items()}


def _facts(channel: Channel, days: list[tuple[int, int, np.ndarray, np.ndarray]]) -> ChannelFacts:
    """The facts of one channel from its days that have readings, in order."""
    start, interval_s, values, quality = days[-1]
    last = int(np.flatnonzero(values != MISSING)[-1])
    end = start + (last + 1) * interval_s
    since = end - int(LATELY.total_seconds())
    marks = [mark[(value != MISSING) & (begin + step * np.arange(len(value)) >= since)] for begin, step, value, mark in days if begin + 86_400 > since]
    lately = np.concatenate(marks)
    kinds, counts = np.unique(lately, return_counts=True)
    shares = {Quality(int(kinds[place])).name.lower(): _share(int(counts[place]), len(lately)) for place in np.argsort(-counts, kind="stable")}
    begun = max(since, days[0][0], int(channel.in_service_from.timestamp()) if channel.in_service_from else since)
    return ChannelFacts(
        channel=channel, last_at=as_instant(start + last * interval_s), last_value=int(values[last]) * channel.step, last_quality=Quality(int(quality[last])).name.lower(),
        quality_shares=shares, expected_share=min(Decimal(1), _share(len(lately), max(1, (end - begun) // interval_s))),
    )  # fmt: skip


def _share(part: int, whole: int) -> Decimal:
    """A share to four digits after the point."""
    return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.0001"))
