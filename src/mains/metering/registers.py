"""Registers: dials that are read now and then, and usages of a stretch of time. What was used between two instants, and why not where that cannot be said.

A dial's usage is the difference of two reads; where the dial passed its last digit it began again at zero. Versions of a read are kept: a correction adds one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from psycopg import Connection

from mains.base.sql import Statements
from mains.metering.blocks import STANDING

_sql = Statements("mains.metering", "queries.sql")
_write = Statements("mains.metering", "operations.sql")

NEAR = timedelta(hours=12)
"""How far from the end of a period a read may lie and still be the read of it."""

Asked = tuple[int, datetime, datetime, int | None]
"""Channel, from, to, and the digits of its dial, None where they are unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a usage is not known, and what cures it."""

    code: str
    message: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUsage:
    """What a register says was used: `raw` steps of the channel between the reads at `from_at` and `to_at`; `reason` instead where it cannot be said.

    `from_raw` and `to_raw` are the dial's figures, None where usages were delivered; `rolled_over` says that the dial began again at zero. `qualities` are those of the
    reads used; `fingerprint` is the SHA-256 (hex) of the reads used.
    """

    channel_id: int
    raw: int
    from_at: datetime | None
    to_at: datetime | None
    from_raw: int | None = None
    to_raw: int | None = None
    rolled_over: bool = False
    qualities: tuple[int, ...] = ()
    fingerprint: str = ""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRead:
    """A read to store: the dial's index at `read_at`, or, with `from_at`, the usage of [from_at, read_at); `raw` in steps of the channel."""

    channel_id: int
    read_at: datetime
    raw: int
    quality: int = 0
    from_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReads:
    """What storing reads did; `refused` are those of lower standing than what is there."""

    new: int
    changed: int
    refused: tuple[NewRead, ...]


def usage(conn: Connection, channel_ids: Sequence[int], from_at: datetime, to_at: datetime, *, as_of: datetime | None = None) -> list[RegisterUsage]:
    """What each channel's register used in [from_at, to_at), in the order asked."""
    digits = dict(conn.execute(_sql.dial_digits, {"channels": list(channel_ids)}).fetchall())
    return usage_between(conn, [(channel, from_at, to_at, digits.get(channel)) for channel in channel_ids], as_of=as_of)


def usage_between(conn: Connection, asked: Sequence[Asked], *, as_of: datetime | None = None) -> list[RegisterUsage]:
    """What registers used between two instants each, in the order asked, from the reads within `NEAR` of them; `as_of` asks what the store held at that instant."""
    if not asked:
        return []
    instants = [at for each in asked for at in each[1:3]]
    channels = [each[0] for each in asked for _ in range(2)]
    statement = _sql.nearest_indexes if as_of is None else _sql.nearest_indexes_as_of
    reads = {row[0]: row[1:] for row in conn.execute(statement, {"channels": channels, "instants": instants, "within": NEAR, "as_of": as_of})}
    answers: list[RegisterUsage | None] = []
    for number, each in enumerate(asked):
        first, last = reads.get(2 * number + 1), reads.get(2 * number + 2)
        answers.append(_difference(each, first, last) if first and last and first[0] < last[0] else None)
    open_numbers = [number for number, answer in enumerate(answers) if answer is None]
    for number, answer in zip(open_numbers, _from_usages(conn, [asked[number] for number in open_numbers], as_of=as_of), strict=True):
        answers[number] = answer or _missing(asked[number], reads.get(2 * number + 1), reads.get(2 * number + 2))
    return [answer for answer in answers if answer is not None]


def _difference(asked: Asked, first: tuple, last: tuple) -> RegisterUsage:
    """The difference of two figures of a dial; one that goes back is a roll-over where at most half the dial was used, else a doubt."""
    channel, _, _, digits = asked
    used, rolled = last[1] - first[1], False
    if used < 0 and digits is not None and used + 10**digits <= 10**digits // 2:
        used, rolled = used + 10**digits, True
    reason = None
    if used < 0:
        known = f"{digits} digits" if digits else "an unknown number of digits"
        message = f"the register of channel {channel} went back from {first[1]} at {first[0].isoformat()} to {last[1]} at {last[0].isoformat()}; its dial has {known}"
        reason = Reason(code="register-went-back", message=message, cure="correct the wrong read, enter the digits of the dial, or record the exchange of the meter")
    return RegisterUsage(
        channel_id=channel, raw=0 if reason else used, from_at=first[0], to_at=last[0], from_raw=first[1], to_raw=last[1], rolled_over=rolled,
        qualities=(first[2], last[2]), fingerprint=_fingerprint(channel, [(None, *first), (None, *last)]), reason=reason,
    )  # fmt: skip


def _from_usages(conn: Connection, asked: Sequence[Asked], *, as_of: datetime | None) -> list[RegisterUsage | None]:
    """Sums of delivered usages, where they lie end to end over the whole stretch."""
    if not asked:
        return []
    statement = _sql.usage_reads if as_of is None else _sql.usage_reads_as_of
    columns = {"channels": [each[0] for each in asked], "starts": [each[1] for each in asked], "ends": [each[2] for each in asked]}
    rows: dict[int, list[tuple]] = {}
    for row in conn.execute(statement, {**columns, "within": NEAR, "as_of": as_of}):
        rows.setdefault(row[0] - 1, []).append(row[1:])
    return [_sum_of_usages(each, rows.get(number, [])) for number, each in enumerate(asked)]


def _sum_of_usages(asked: Asked, reads: list[tuple]) -> RegisterUsage | None:
    """The sum of usages, a reason where they leave gaps or overlap, None where there are none."""
    channel, from_at, to_at, _ = asked
    if not reads:
        return None
    edges = [(from_at, reads[0][0]), *((before[1], after[0]) for before, after in pairwise(reads)), (reads[-1][1], to_at)]
    torn = [(end, start) for place, (end, start) in enumerate(edges) if abs(start - end) > (NEAR if place in (0, len(edges) - 1) else timedelta(0))]
    reason = None
    if torn:
        message = f"the usages of channel {channel} do not lie end to end: one ends at {torn[0][0].isoformat()}, the next begins at {torn[0][1].isoformat()}"
        reason = Reason(code="missing-reads", message=message, cure="import the usages that are missing, or correct those that overlap")
    return RegisterUsage(
        channel_id=channel, raw=0 if reason else sum(read[2] for read in reads), from_at=reads[0][0], to_at=reads[-1][1], qualities=tuple(read[3] for read in reads),
        fingerprint=_fingerprint(channel, reads), reason=reason,
    )  # fmt: skip


def _missing(asked: Asked, first: tuple | None, last: tuple | None) -> RegisterUsage:
    """The answer where a read is not there."""
    channel, from_at, to_at, _ = asked
    which = [at.isoformat() for at, read in ((from_at, first), (to_at, last)) if read is None] or [f"{from_at.isoformat()} and {to_at.isoformat()} apart"]
    reason = Reason(
        code="missing-reads", message=f"channel {channel} has no read within {NEAR.seconds // 3600} h of {' and '.join(which)}",
        cure="import the read that is missing, or estimate it",
    )  # fmt: skip
    return RegisterUsage(channel_id=channel, raw=0, from_at=None, to_at=None, reason=reason)


def _fingerprint(channel: int, reads: Sequence[tuple]) -> str:
    """SHA-256 of reads: channel, then start, instant, figure, quality and version of each."""
    lines = [f"{'' if read[0] is None else int(read[0].timestamp())} {int(read[1].timestamp())} {read[2]} {read[3]} {read[4]}" for read in reads]
    return hashlib.sha256("\n".join([str(channel), *lines]).encode()).hexdigest()


def store_reads(conn: Connection, reads: Sequence[NewRead], *, batch_id: int) -> StoredReads:
    """Store reads, one a channel and instant: the same again writes nothing, another value of the same or higher standing becomes the next version."""
    if not reads:
        return StoredReads(new=0, changed=0, refused=())
    ordered = sorted({(read.channel_id, read.read_at): read for read in reads}.values(), key=lambda read: (read.channel_id, read.read_at))
    asked = {"channels": [read.channel_id for read in ordered], "instants": [read.read_at for read in ordered]}
    there = {(row[0], row[1]): row[2:] for row in conn.execute(_sql.current_reads, asked)}
    new, changed, refused = [], [], []
    for read in ordered:
        stood = there.get((read.channel_id, read.read_at))
        if stood is None:
            new.append(read)
        elif (stood[0], stood[1]) != (read.from_at, read.raw):
            (changed if STANDING[read.quality] >= STANDING[stood[3]] else refused).append(read)
        elif STANDING[read.quality] > STANDING[stood[3]]:
            changed.append(read)
    if changed:
        conn.execute(_write.retire_reads, {"channels": [read.channel_id for read in changed], "instants": [read.read_at for read in changed]})
    written = new + changed
    if written:
        columns = {
            "channels": [read.channel_id for read in written],
            "instants": [read.read_at for read in written],
            "raws": [read.raw for read in written],
            "kinds": ["index" if read.from_at is None else "usage" for read in written],
            "starts": [read.from_at for read in written],
            "qualities": [int(read.quality) for read in written],
        }
        conn.execute(_write.insert_reads, {**columns, "batch_id": batch_id})
    return StoredReads(new=len(new), changed=len(changed), refused=tuple(refused))
