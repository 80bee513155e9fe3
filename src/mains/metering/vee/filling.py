"""Estimates in place of readings: of exceptions that somebody wants estimated, or of gaps that the utility's policy fills by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.sql import Statements
from mains.metering import operations
from mains.metering.load import as_instant
from mains.metering.model import MISSING, Quality
from mains.metering.vee import queries
from mains.metering.vee.deciding import IllegalDecision, settle, still_unsettled
from mains.metering.vee.estimating import Estimates, Method, estimate
from mains.metering.vee.likedays import Ladder
from mains.metering.vee.marking import ESTIMATION, days_of, mark, put_in
from mains.metering.vee.model import ELIGIBLE
from mains.metering.vee.profiles import PROFILES
from mains.metering.vee.spans import Spans, groups, load_spans

_sql = Statements("mains.metering.vee", "operations.sql")

REACH = 28
"""Days before and after a gap that an estimate learns from."""
_FAILING = np.zeros(256, dtype=bool)
_FAILING[[Quality.FAILED_CHECK, Quality.QUESTIONABLE]] = True


@dataclass(slots=True, kw_only=True)
class Filled:
    """What estimating did: readings put in, exceptions settled by it, and those of which nothing could be said, so that they stay open."""

    readings: int = 0
    settled: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)


def estimate_exceptions(database: Database, actor: Actor, ids: Sequence[int], *, at: datetime, reason: str) -> Filled:
    """Put estimates in place of what is missing or failed under exceptions; of one that marked nothing, in place of all its measured readings. Edits stay.

    Raises:
        NotFound: an exception is not here.
        IllegalDecision: an exception is settled already; nothing was estimated.
    """
    with database.transaction(actor=actor) as conn:
        found = still_unsettled(conn, ids)
        parts = list(groups(conn, found))
        policy = queries.policy_on(conn, at.date())
        if registers := [each.vee_exception_id for each in found if each.interval_s is None]:
            raise IllegalDecision(f"exception {registers[0]} is of a register", cure="enter the read that is right: mains readings import, or accept it")
    for part in parts:
        with database.transaction(actor=actor) as conn:
            for from_at, to_at in _months(part):
                operations.ensure_partitions(conn, from_at=from_at, to_at=to_at)
    filled = Filled()
    for part in parts:
        with database.transaction(actor=actor) as conn:
            _fill(conn, part, filled, actor=actor, at=at, reason=reason, ladder=Ladder(linear_s=PROFILES[policy.profile].linear_s, reach_days=REACH))
    return filled


def _months(part: Sequence[queries.VeeException]) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of time that need their months."""
    yield from {(each.from_at.replace(day=1), each.to_at) for each in part}


def _fill(conn: Connection, part: list[queries.VeeException], filled: Filled, *, actor: Actor, at: datetime, reason: str, ladder: Ladder) -> None:
    """Estimate some exceptions of one kind in one transaction."""
    part = still_unsettled(conn, [each.vee_exception_id for each in part])
    spans = load_spans(conn, part, around_days=REACH, now=int(at.timestamp()))
    _fail_unmarked(conn, spans, actor=actor, at=at, reason=reason)
    spans = load_spans(conn, part, around_days=REACH, now=int(at.timestamp()))
    gaps, made = estimates_of(spans, ladder)
    taken = gaps & (made.values != MISSING)
    window = spans.loaded.window
    batch_id = None
    if taken.any():
        blocks = days_of(
            channel_ids=window.channel_ids, first_day=window.first_day, utc_offset_min=window.utc_offset_min, chosen=taken.any(axis=2),
            values=np.where(taken, made.values, MISSING).astype(np.int32), quality=np.where(taken, made.quality, np.uint8(Quality.MISSING)),
        )  # fmt: skip
        batch_id, stored = put_in(conn, utility_id=actor.utility_id, blocks=blocks, source=ESTIMATION, at=at, reason=reason)
        filled.readings += stored.new + stored.changed
    done: list[int] = []
    for i, each in enumerate(spans.exceptions):
        mine = slice(spans.first[i], spans.last[i])
        open_gaps = (gaps & ~taken).reshape(window.channels, -1)[spans.row[i], mine]
        if open_gaps.any():
            filled.left.append(each.vee_exception_id)
            continue
        done.append(each.vee_exception_id)
        here = taken.reshape(window.channels, -1)[spans.row[i], mine]
        if here.any() and batch_id is not None:
            _keep_edit(conn, spans, i, here, made, batch_id=batch_id, at=at, reason=reason)
    settle(conn, done, status="estimated", at=at, reason=reason)
    filled.settled += done


def estimates_of(spans: Spans, ladder: Ladder) -> tuple[NDArray[np.bool_], Estimates]:
    """The readings to be estimated, bool [channels, days, slots], and their estimates; failed readings teach nothing."""
    window, stored = spans.loaded.window, spans.loaded.stored_quality
    quality = stored if stored is not None else np.where(window.values == MISSING, np.uint8(Quality.MISSING), np.uint8(Quality.ACTUAL))
    gaps = spans.mask() & ((window.values == MISSING) | _FAILING[quality])
    values = np.where(gaps, np.int32(MISSING), window.values)
    return gaps, estimate(replace(window, values=values, quality=np.where(gaps, np.uint8(Quality.MISSING), quality)), gaps, ladder)


def _fail_unmarked(conn: Connection, spans: Spans, *, actor: Actor, at: datetime, reason: str) -> None:
    """Readings under exceptions that marked nothing are failed by the one who wants them estimated: a measured value gives way to an estimate only then."""
    window, stored = spans.loaded.window, spans.loaded.stored_quality
    which = [i for i, each in enumerate(spans.exceptions) if not each.is_marked and each.rule_name != "gap"]
    if not which:
        return
    quality = stored if stored is not None else np.where(window.values == MISSING, np.uint8(Quality.MISSING), np.uint8(Quality.ACTUAL))
    fresh = spans.mask(which) & (window.values != MISSING) & ELIGIBLE[quality] & (quality != Quality.EDITED)
    chosen = fresh.any(axis=2) & (spans.loaded.versions > 0)
    blocks = days_of(
        channel_ids=window.channel_ids, first_day=window.first_day, utc_offset_min=window.utc_offset_min, values=window.values,
        quality=np.where(fresh, np.uint8(Quality.FAILED_CHECK), quality), chosen=chosen,
    )  # fmt: skip
    mark(conn, utility_id=actor.utility_id, blocks=blocks, versions=spans.loaded.versions[chosen], at=at, reason=reason, changed=int(fresh.sum()))


def _keep_edit(
    conn: Connection, spans: Spans, i: int, here: NDArray[np.bool_], made: Estimates, *, batch_id: int, at: datetime, reason: str
) -> None:
    """Keep what was put in for one exception, with the methods by which it was found, the most common first."""
    each, window, mine = spans.exceptions[i], spans.loaded.window, slice(spans.first[i], spans.last[i])
    values = made.values.reshape(window.channels, -1)[spans.row[i], mine]
    methods, counts = np.unique(made.method.reshape(window.channels, -1)[spans.row[i], mine][here], return_counts=True)
    names = [Method(int(methods[at_])).name.lower() for at_ in np.argsort(-counts)]
    scaled = made.scaled.reshape(window.channels, -1)[spans.row[i], mine][here].any()
    begin = window.first_day + int(spans.first[i]) * window.interval_s
    conn.execute(
        _sql.add_edit,
        {
            "channel_id": each.channel_id, "from_at": as_instant(begin), "to_at": as_instant(begin + len(here) * window.interval_s), "interval_s": window.interval_s,
            "edit_kind": "estimate", "method": ", ".join(names) + (" scaled to the register" if scaled else ""), "reason": reason, "vee_exception_id": each.vee_exception_id,
            "new_values": [int(value) if there else None for value, there in zip(values, here, strict=True)], "edit_status": "applied", "at": at, "batch_id": batch_id,
        },
    )  # fmt: skip

