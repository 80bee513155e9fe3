"""Changing a channel: its multiplier, unit, power of ten, interval length or zone from an instant on. One channel is closed there and the next one opened.

Readings that were stored in the closed channel for the time after are refused, or moved as a delivery of their own: the old blocks keep them in their history, with the
reason. A reading belongs to the channel in service when it starts; a dial's figure at the very instant belongs to both.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal, get_args
from uuid import UUID

import numpy as np
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.base.units import UNITS
from mains.metering import operations, queries, store
from mains.metering.blocks import DAY, Blocks, encode
from mains.metering.load import ChannelNotFound, packed_blocks
from mains.metering.model import MISSING
from mains.metering.queries import Channel
from mains.metering.registers import NewRead, store_reads
from mains.metering.resolving import Fitting, scaled, to_blocks
from mains.metering.wire import Packed, with_gaps_marked

_queries = Statements("mains.metering", "queries.sql")
_sql = Statements("mains.metering", "operations.sql")

Keep = Literal["quantities", "raw"]
"""What stays right of readings that are moved: their quantities, or the figures that the meter counted, which then mean other quantities."""

_FAR = datetime(9000, 1, 1, tzinfo=UTC)


class UnableToChangeChannel(Problem):
    """The channel cannot be changed like that at that instant."""

    status = 409


class ReadingsInTheWay(Problem):
    """The channel holds readings of the time after its change."""

    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChange:
    """What a change did: the channel that was closed and the one that took its place at `at`, how many readings were moved, and as which delivery."""

    closed: Channel
    opened: Channel
    at: datetime
    readings_moved: int = 0
    batch_id: int | None = None


def change_channel(
    conn: Connection, channel_id: int, *, at: datetime, now: datetime, reason: str, multiplier: Decimal | None = None, unit: str | None = None, pow10: int | None = None,
    interval_s: int | None = None, utc_offset_min: int | None = None, move: Keep | None = None,
) -> ChannelChange:  # fmt: skip
    """Close a channel at an instant and open the next one with what is given anew; what is not given stays. `reason` goes to the audit log and the readings' history.

    Raises:
        ChannelNotFound: there is no such channel here.
        UnableToChangeChannel: nothing would change, no reason is given, the channel was not in service then, or `at` lies in the future or inside an interval.
        ReadingsInTheWay: readings of the time after `at` are stored, and `move` does not say what of them stays right; member `readings` counts them.
    """
    old = _locked(conn, channel_id)
    given = {"multiplier": multiplier, "unit": unit, "pow10": pow10, "interval_s": interval_s, "utc_offset_min": utc_offset_min}
    new = replace(old, **{name: value for name, value in given.items() if value is not None}, in_service_from=at, opened_because=reason)
    _check(old, new, at=at, now=now, reason=reason)
    conn.execute(_sql.give_reason, {"reason": reason})
    later = _Later(conn=conn, old=old, at=at)
    count = later.count()
    if count and move is None:
        message = f"channel {channel_id} holds {count:,} readings of the time after {at.isoformat()}"
        cure = "say what of them stays right: --move quantities, or --move raw where the meter counted on by the new multiplier; or choose a later instant"
        raise ReadingsInTheWay(message, cure=cure, readings=count)
    conn.execute(_sql.close_channel, {"channel_id": channel_id, "at": at})
    operations.register_channels(conn, [_to_register(new, to_at=old.in_service_to)])
    opened = next(
        each for each in queries.channels_of_meters(conn, [old.meter_number]) if each.register == old.register and each.in_service_from == at
    )
    (closed,) = queries.channels_by_id(conn, [channel_id])
    if not count and not later.figures_at_the_change():
        return ChannelChange(closed=closed, opened=opened, at=at)
    batch_id = later.move_to(opened, keep=move or "raw", now=now)
    return ChannelChange(closed=closed, opened=opened, at=at, readings_moved=count, batch_id=batch_id)


def _locked(conn: Connection, channel_id: int) -> Channel:
    """The channel, kept for this transaction."""
    if not -(2**63) <= channel_id < 2**63 or conn.execute(_sql.lock_channel, {"channel_id": channel_id}).fetchone() is None:
        raise ChannelNotFound(f"channel {channel_id} is not here", cure="see mains channels show, or GET /v1/channels")
    (found,) = queries.channels_by_id(conn, [channel_id])
    return found


def _check(old: Channel, new: Channel, *, at: datetime, now: datetime, reason: str) -> None:
    """Refuse what cannot be."""
    named = f"channel {old.channel_id} ({old.meter_number} {old.register})"
    same = ("multiplier", "unit", "pow10", "interval_s", "utc_offset_min")
    if not reason.strip():
        raise UnableToChangeChannel("no reason is given", cure="say why, for the audit log")
    if all(getattr(old, name) == getattr(new, name) for name in same):
        raise UnableToChangeChannel(f"nothing would change at {named}", cure="give the multiplier, unit, power of ten, interval or offset that holds from then on")
    if at > now:
        raise UnableToChangeChannel(f"{at.isoformat()} has not come yet", cure="enter the change when it was made")
    if not old.is_in_service(at) or old.in_service_from == at:
        since, until = (each.isoformat() if each else "ever" for each in (old.in_service_from, old.in_service_to))
        raise UnableToChangeChannel(f"{named} was in service from {since} to {until}, not before and after {at.isoformat()}", cure="change the channel that was in service then")
    if new.unit not in UNITS or UNITS[new.unit].quantity != old.quantity:
        fitting = ", ".join(name for name, each in UNITS.items() if each.quantity == old.quantity)
        raise UnableToChangeChannel(f"{named} measures {old.quantity}, which {new.unit!r} is no unit of", cure=f"use one of {fitting}, or register another channel")
    if new.multiplier <= 0 or not -12 <= new.pow10 <= 12 or not -720 <= new.utc_offset_min <= 840:
        raise UnableToChangeChannel(f"{named}: a value is outside of what a channel can have", cure="a multiplier is above 0, a power of ten -12 to 12, an offset -720 to 840")
    if (old.interval_s is None) != (new.interval_s is None):
        raise UnableToChangeChannel(f"{named} is a register that is read now and then", cure="register a channel for its intervals beside it")
    for each in (old, new):
        if each.interval_s is not None and (not 1 <= each.interval_s <= DAY or DAY % each.interval_s):
            raise UnableToChangeChannel(f"intervals of {each.interval_s} s do not divide the day", cure="use 300, 900, 1800 or 3600 s")
        over = (int(at.timestamp()) + each.utc_offset_min * 60) % (each.interval_s or 1)
        if at.microsecond or over:
            grid = at.replace(microsecond=0) - timedelta(seconds=over)
            raise UnableToChangeChannel(f"{at.isoformat()} lies inside an interval of {each.interval_s} s", cure=f"use the start of an interval, such as {grid.isoformat()}")


def _to_register(channel: Channel, *, to_at: datetime | None) -> operations.NewChannel:
    return operations.NewChannel(
        meter_id=channel.meter_id, register=channel.register, commodity=channel.commodity, unit=channel.unit, utc_offset_min=channel.utc_offset_min, flow=channel.flow,
        pow10=channel.pow10, multiplier=channel.multiplier, interval_s=channel.interval_s, in_service_from=channel.in_service_from, in_service_to=to_at,
        opened_because=channel.opened_because,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Later:
    """What a channel holds of the time after its change."""

    conn: Connection
    old: Channel
    at: datetime

    def count(self) -> int:
        """Readings that start after the change, and register reads of the time after it.

        Raises:
            UnableToChangeChannel: some of them wait in the inbox.
        """
        asked = {"channel_id": self.old.channel_id, "at": self.at}
        waiting, reads = self.conn.execute(_queries.count_after, asked).fetchone() or (0, 0)
        if waiting:
            message = f"{waiting:,} readings of channel {self.old.channel_id} after {self.at.isoformat()} wait in the inbox"
            raise UnableToChangeChannel(message, cure="flush the inbox first, then change the channel")
        return reads + sum(int((values != MISSING).sum()) for _, _, values, _ in self._days())

    def figures_at_the_change(self) -> list[tuple[datetime, datetime | None, int, int]]:
        """The dial's figure at the very instant, where there is one: instant, None, figure, quality."""
        return [row for row in self._reads() if row[0] == self.at]

    def move_to(self, new: Channel, *, keep: Keep, now: datetime) -> int:
        """Store the later readings in the new channel as a delivery of their own and take them out of the old one; the delivery.

        Raises:
            UnableToChangeChannel: they cannot be kept exactly, have another interval length, or lie in a month that is closed.
        """
        if keep not in get_args(Keep):
            raise UnableToChangeChannel(f"what stays right is quantities or raw, not {keep!r}", cure="choose one of them")
        row = self.conn.execute(_queries.current_utility).fetchone()
        assert row is not None  # a transaction is always somebody's
        scale = Fraction(1) if keep == "raw" else _scale(self.old, new)
        fitting, digest = list(self._fitting(new, scale)), hashlib.sha256()
        reads = [self._read(new, each, scale) for each in self._reads()]
        for fit in fitting:
            digest.update(fit.starts.tobytes() + fit.values.tobytes() + fit.quality.tobytes())
        digest.update(repr([(read.read_at.timestamp(), read.raw) for read in reads]).encode())
        if fitting:
            first, last = (datetime.fromtimestamp(int(edge), UTC) for edge in (min(fit.starts[0] for fit in fitting) - DAY, max(fit.starts[-1] for fit in fitting)))
            operations.ensure_partitions(self.conn, from_at=first, to_at=last)
        source = f"channel {self.old.channel_id} changed at {self.at.isoformat()}"
        batch_id = operations.open_batch(self.conn, source=source, format="channel-change", sha256=digest.digest(), at=now)
        blocks = [to_blocks([fit], interval_s=fit.interval_s) for fit in fitting]
        store.open_staging(self.conn)
        store.stage(self.conn, blocks, utility_id=row[0], batch_id=batch_id)
        stored = store.merge_staged(self.conn, utility_id=row[0], batch_id=batch_id)
        kept = store_reads(self.conn, reads, batch_id=batch_id)
        self._take_out(utility_id=row[0], batch_id=batch_id)
        self.conn.execute(_sql.retire_reads_after, {"channel_id": self.old.channel_id, "at": self.at})
        found = stored.new + kept.new
        operations.close_batch(self.conn, batch_id=batch_id, found=found, accepted=found, new=found, raw_sum=sum(each.raw_sum for each in blocks) + sum(read.raw for read in reads))
        return batch_id

    def _fitting(self, new: Channel, scale: Fraction) -> Iterator[Fitting]:
        """The later readings as the new channel takes them, a stored day each."""
        for interval_s, starts, values, quality in self._days():
            if interval_s != new.interval_s:
                message = f"the readings after {self.at.isoformat()} have intervals of {interval_s} s, the channel would have {new.interval_s} s"
                raise UnableToChangeChannel(message, cure="have these days delivered again in the new length; until then choose a later instant")
            most = (2**31 - 1) * scale.denominator // scale.numerator
            if (values % scale.denominator != 0).any() or (np.abs(values) > most).any():
                message = f"some readings after {self.at.isoformat()} are no whole number of the new channel's steps"
                raise UnableToChangeChannel(message, cure="use a finer power of ten for the new channel, or --move raw where the meter's own figures stay right")
            yield Fitting(
                channel_id=new.channel_id, utc_offset_min=new.utc_offset_min, interval_s=interval_s, starts=starts, values=scaled(values, scale), quality=quality,
                lines=np.zeros(len(starts), dtype=np.int32),
            )  # fmt: skip

    def _read(self, new: Channel, read: tuple[datetime, datetime | None, int, int], scale: Fraction) -> NewRead:
        """A later register read as the new channel takes it."""
        read_at, from_at, raw, quality = read
        if from_at is not None and from_at < self.at:
            message = f"a usage of channel {self.old.channel_id} goes from {from_at.isoformat()} to {read_at.isoformat()}, over the change"
            raise UnableToChangeChannel(message, cure="have it delivered in two parts, one to the change and one after it")
        if (raw * scale).denominator != 1:
            raise UnableToChangeChannel(f"the read of {read_at.isoformat()} is no whole number of the new channel's steps", cure="use --move raw, or a finer power of ten")
        return NewRead(channel_id=new.channel_id, read_at=read_at, raw=int(raw * scale), quality=quality, from_at=from_at)

    def _take_out(self, *, utility_id: UUID, batch_id: int) -> None:
        """Leave nothing of the time after the change in the old channel's blocks; the trigger keeps what they were."""
        parts = list(self._emptied())
        if not parts:
            return
        changed = store.replace_stored(self.conn, parts, utility_id=utility_id, batch_id=batch_id)
        if changed != sum(len(part) for part in parts):
            message = f"some of the readings after {self.at.isoformat()} lie in a month that is closed"
            raise UnableToChangeChannel(message, cure="thaw these months first: mains readings thaw")

    def _emptied(self) -> Iterator[Blocks]:
        """The old channel's blocks that reach past the change, with only what came before it."""
        for packed in self._packed():
            values = packed.values()
            quality = np.array(with_gaps_marked(values, packed.quality()))
            late = self._starts(packed) >= int(self.at.timestamp())
            values[late] = MISSING
            chosen = (late & (packed.values() != MISSING)).any(axis=1)
            if chosen.any():
                yield encode(
                    channel_id=packed.channel_id[chosen], block_start=packed.block_start[chosen], values=values[chosen], utc_offset_min=packed.utc_offset_min[chosen],
                    quality=with_gaps_marked(values, quality)[chosen],
                )  # fmt: skip

    def _days(self) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
        """Stored days with readings after the change, in order of time: interval length, starts, values and quality of the readings that there are."""
        days = []
        for packed in self._packed():
            values, starts = packed.values(), self._starts(packed)
            quality = with_gaps_marked(values, packed.quality())
            late = (starts >= int(self.at.timestamp())) & (values != MISSING)
            days += [
                (packed.interval_s, starts[day][late[day]], values[day][late[day]].astype(np.int64), quality[day][late[day]]) for day in np.flatnonzero(late.any(axis=1)).tolist()
            ]
        yield from sorted(days, key=lambda day: int(day[1][0]))

    def _packed(self) -> Iterator[Packed]:
        return packed_blocks(self.conn, np.array([self.old.channel_id]), self.at, _FAR)

    def _starts(self, packed: Packed) -> np.ndarray:
        """Start of every interval of some blocks, epoch seconds [blocks, intervals]."""
        return packed.block_start[:, None] + np.arange(DAY // packed.interval_s, dtype=np.int64) * packed.interval_s

    def _reads(self) -> list[tuple[datetime, datetime | None, int, int]]:
        """Current register reads from the change on: instant, start of the usage, raw, quality."""
        return self.conn.execute(_queries.reads_from, {"channel_id": self.old.channel_id, "at": self.at}).fetchall()


def _scale(old: Channel, new: Channel) -> Fraction:
    """How many steps of the new channel one step of the old one is, exactly."""
    return Fraction(old.step) * Fraction(UNITS[old.unit].factor) / (Fraction(new.step) * Fraction(UNITS[new.unit].factor))
