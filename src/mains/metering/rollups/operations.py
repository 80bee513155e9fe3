"""Keeping the sums: what a transaction added is posted in it and folded in when it commits; days can be made anew from the readings, and compared with them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import LiteralString
from uuid import UUID, uuid4

import numpy as np
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.metering.arrays import BigInts, Ints, of_columns
from mains.metering.blocks import Blocks
from mains.metering.load import packed_blocks
from mains.metering.rollups.places import Places
from mains.metering.rollups.summing import Days, Row, Sums, days_of
from mains.metering.wire import Packed, unpack, with_gaps_marked

_sql = Statements("mains.metering.rollups", "operations.sql")
_CHANNELS = 20_000
_DAYS = 5
_EPOCH = date(1970, 1, 1)


class ReadingsArchived(Problem):
    """The readings of a month are in an archive and not in the database, so its sums cannot be made anew."""

    status = 409


@dataclass(slots=True, kw_only=True, eq=False)
class Additions:
    """What one transaction adds to the sums of a utility, until it is posted."""

    utility_id: UUID
    places: Places = field(default_factory=Places)
    sums: Sums = field(init=False)

    def __post_init__(self) -> None:
        self.sums = Sums(places=self.places)

    def add_blocks(self, conn: Connection, blocks: Blocks) -> None:
        """Blocks that were not there before; `conn` may read channels and installations."""
        self.know(conn, blocks.channel_id)
        for days in days_of(blocks):
            self.sums.add(days)

    def add_packed(self, conn: Connection, groups: Iterable[Packed], *, sign: int = 1) -> None:
        """Stored blocks that are added to the sums, or with `sign` -1 taken away."""
        for packed in groups:
            self.know(conn, packed.channel_id)
            self.sums.add(days_of_packed(packed), sign=sign)

    def over(self, parts: Iterable[Blocks], database: Database, actor: Actor) -> Iterator[Blocks]:
        """The same parts, added as they pass; where channels belong is read by a transaction of its own, once a channel."""
        for part in parts:
            if len(self.places.unknown(part.channel_id)):
                with database.transaction(actor=actor) as conn:
                    self.know(conn, part.channel_id)
            for days in days_of(part):
                self.sums.add(days)
            yield part

    def know(self, conn: Connection, channels: np.ndarray) -> None:
        """Learn where channels belong that are not known yet."""
        unknown = self.places.unknown(channels)
        if len(unknown):
            self.places.read(conn, unknown, utility_id=self.utility_id)

    def empty(self) -> None:
        """Forget what was added; the places stay known."""
        self.sums = Sums(places=self.places)

    def post(self, conn: Connection) -> None:
        """Post what was added in the transaction of `conn`; it is in the sums when that commits."""
        rows = self.sums.rows()
        if rows:
            posting = {"posting_id": uuid4(), "utility_id": self.utility_id, "version": self.places.version}
            of_columns(conn.cursor()).execute(_sql.post_rows, posting | _columns(rows))
            conn.execute(_sql.post, posting)
        self.empty()


def note_replaced(conn: Connection, *, utility_id: UUID, first: datetime, last: datetime) -> None:
    """Post the difference that the blocks in pg_temp.replacing_blocks will make; call it before they take the place of those that start in [first, last]."""
    added = Additions(utility_id=utility_id)
    added.add_packed(conn, _packed(conn, _sql.replaced_blocks, {"first": first, "last": last}), sign=-1)
    added.add_packed(conn, _packed(conn, _sql.replacing_blocks, {"first": first, "last": last}))
    added.post(conn)


def inserted_blocks(conn: Connection, *, batch_id: int, first: datetime, last: datetime) -> Iterator[Packed]:
    """Staged blocks that a delivery inserted, read back."""
    return _packed(conn, _sql.inserted_blocks, {"batch_id": batch_id, "first": first, "last": last})


def rebuild(conn: Connection, from_at: datetime, to_at: datetime, *, utility_id: UUID) -> int:
    """Make the sums of the UTC days that [from_at, to_at) touches anew from the readings, in the caller's transaction; how many rows there are now.

    Nothing that stores readings of the utility commits until that transaction ends.

    Raises:
        ReadingsArchived: the readings of one of the months are not in the database any more; nothing was changed.
    """
    first, end = _dates(from_at, to_at)
    asked = {"utility_id": utility_id, "from_date": first, "to_date": end}
    conn.execute(_sql.ensure_place, asked)
    conn.execute(_sql.hold, asked)
    if months := conn.execute(_sql.archived_months, asked).fetchall():
        raise ReadingsArchived(f"the readings of {months[0][0]:%Y-%m} are in an archive, not in the database; its sums stay as they are", cure="restore the archive first")
    rows = _computed(conn, first, end, utility_id=utility_id)
    conn.execute(_sql.remove_days, asked)
    if rows:
        posting = {"posting_id": uuid4(), "utility_id": utility_id, "version": _version(conn, utility_id)}
        of_columns(conn.cursor()).execute(_sql.post_rows, posting | _columns(rows))
        conn.execute(_sql.post, posting)
    return len(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Sums compared with the readings: rows looked at, and one sentence for each that differs."""

    rows: int
    differing: list[str]


def differences(conn: Connection, from_at: datetime, to_at: datetime, *, utility_id: UUID) -> Differences:
    """Compare the sums of the UTC days that [from_at, to_at) touches with the readings; changes nothing."""
    first, end = _dates(from_at, to_at)
    asked = {"utility_id": utility_id, "from_date": first, "to_date": end}
    conn.execute(_sql.hold, asked)
    wanted = {_key(row): row for row in _computed(conn, first, end, utility_id=utility_id)}
    found = []
    with conn.cursor(binary=True) as cursor:
        stored = {tuple(row[:7]): row[7:] for row in cursor.execute(_sql.days_between, asked)}
    for key in sorted({*wanted, *stored}, key=str):
        mine = wanted.get(key)
        theirs = stored.get(key)
        should = [[], [], []] if mine is None else [mine.totals.tolist(), mine.readings.tolist(), mine.estimated.tolist()]
        has = [[], [], []] if theirs is None else list(theirs)
        for name, a, b in zip(("sum", "readings", "estimated"), should, has, strict=True):
            if (a or [0]) != (b or [0]) and (any(a) or any(b)):
                zone, commodity, flow, unit, step, width, day = key
                found.append(
                    f"{name} of zone {zone}, {commodity} {flow}, width {width}, step {step} {unit} on {_EPOCH + timedelta(days=day)}: kept {sum(b)}, the readings give {sum(a)}"
                )
    return Differences(rows=len({*wanted, *stored}), differing=found)


def settle(database: Database, actor: Actor) -> int:
    """Make anew the days that places changed behind, a transaction each stretch; how many stretches were done. Months that are archived keep their sums."""
    with database.transaction(actor=actor) as conn:
        waiting = conn.execute(_sql.stale, {"utility_id": actor.utility_id}).fetchall()
    done = 0
    while waiting:
        first, last = waiting[0][1], waiting[0][2]
        ids = []
        while waiting and waiting[0][1] <= last:
            ids.append(waiting[0][0])
            last = max(last, waiting[0][2])
            waiting.pop(0)
        _settle(database, actor, first, last + timedelta(days=1), ids)
        done += 1
    return done


def rebuild_days(database: Database, actor: Actor, first: date, end: date) -> int:
    """Make the sums of the UTC days [first, end) anew, some days at a time so that those who store do not wait for long; how many rows. Archived months keep theirs."""
    rows = 0
    while first < end:
        until = min(end, first + timedelta(days=_DAYS), (first.replace(day=1) + timedelta(days=32)).replace(day=1))
        with suppress(ReadingsArchived), database.transaction(actor=actor) as conn:
            rows += rebuild(conn, _midnight(first), _midnight(until), utility_id=actor.utility_id)
        first = until
    return rows


def _settle(database: Database, actor: Actor, first: date, end: date, ids: list[int]) -> None:
    """Make a stretch of days anew, then forget that it was stale."""
    rebuild_days(database, actor, first, end)
    with database.transaction(actor=actor) as conn:
        conn.execute(_sql.forget_stale, {"ids": ids})


def days_of_packed(packed: Packed) -> Days:
    """Stored blocks as days to add."""
    values, quality = packed.values(), packed.quality()
    quality = with_gaps_marked(values, quality) if quality.shape[1] > 1 else quality[:, 0]
    return Days(interval_s=packed.interval_s, channel_id=packed.channel_id, block_start=packed.block_start, values=values, quality=quality)


def _computed(conn: Connection, first: date, end: date, *, utility_id: UUID) -> list[Row]:
    """What the sums of the days [first, end) are by the readings."""
    begin, until = _midnight(first), _midnight(end)
    channels = np.array([row[0] for row in conn.execute(_sql.channels_between, {"utility_id": utility_id, "from_at": begin, "to_at": until})], dtype=np.int64)
    added = Additions(utility_id=utility_id)
    for at in range(0, len(channels), _CHANNELS):
        added.add_packed(conn, packed_blocks(conn, channels[at : at + _CHANNELS], begin, until))
    low, high = (first - _EPOCH).days, (end - _EPOCH).days
    return [row for row in added.sums.rows() if low <= row.day < high]


def _packed(conn: Connection, statement: LiteralString, asked: dict[str, object]) -> Iterator[Packed]:
    with conn.cursor(binary=True) as cursor:
        for interval_s, width, is_mixed, packed in cursor.execute(statement, asked).fetchall():
            yield unpack(packed, interval_s=interval_s, width=width, is_mixed=is_mixed)


def _columns(rows: list[Row]) -> dict[str, object]:
    """Rows in the order of their keys as the columns of a statement."""
    rows = sorted(rows, key=lambda row: (row.day, row.group.zone_id, row.group.commodity, row.group.flow, row.group.unit, row.width_s, row.group.step))
    sizes = np.array([len(row.totals) for row in rows])
    return {
        "days": [row.day for row in rows],
        "zones": [row.group.zone_id for row in rows],
        "commodities": [row.group.commodity for row in rows],
        "flows": [row.group.flow for row in rows],
        "units": [row.group.unit for row in rows],
        "widths": [row.width_s for row in rows],
        "steps": [row.group.step for row in rows],
        "places": (np.cumsum(sizes) - sizes + 1).tolist(),
        "totals": BigInts(np.concatenate([row.totals for row in rows])),
        "readings": Ints(np.concatenate([row.readings for row in rows])),
        "estimated": Ints(np.concatenate([row.estimated for row in rows])),
    }


def _key(row: Row) -> tuple[UUID, str, str, str, Decimal, int, int]:
    group = row.group
    return group.zone_id, group.commodity, group.flow, group.unit, group.step, row.width_s, row.day


def _version(conn: Connection, utility_id: UUID) -> int:
    row = conn.execute(_sql.hold, {"utility_id": utility_id}).fetchone()
    return row[0] if row else 1


def _dates(from_at: datetime, to_at: datetime) -> tuple[date, date]:
    """The UTC days that a stretch of time touches: first, and the one after the last."""
    return from_at.astimezone(UTC).date(), (to_at.astimezone(UTC) - timedelta(microseconds=1)).date() + timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
