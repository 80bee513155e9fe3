"""Edits by people: values typed in place of readings, with a reason, and with a second person where the utility wants one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.problems import NotFound, Problem
from mains.base.sql import Statements
from mains.metering import operations
from mains.metering.blocks import DAY, Blocks, encode
from mains.metering.load import load
from mains.metering.model import MISSING, Quality
from mains.metering.queries import Channel, channels_by_id, zone_of_utility
from mains.metering.vee import queries
from mains.metering.vee.deciding import settle, still_unsettled
from mains.metering.vee.marking import EDITING, put_in
from mains.metering.vee.queries import Edit
from mains.metering.vee.work_list import checked_reason

_sql = Statements("mains.metering.vee", "operations.sql")

AHEAD = timedelta(hours=1)
"""How far after now a value may lie: clocks differ."""
LONGEST = 62
"""Days that one edit may cover."""


class UnableToEditReadings(Problem):
    """The readings cannot be edited in this way."""

    status = 422


class OwnEdit(Problem):
    """Nobody approves their own edit."""

    status = 403


class EditDecided(Problem):
    """The edit was applied or rejected before."""

    status = 409


def propose_edit(
    database: Database, actor: Actor, *, channel_id: int, from_at: datetime, values: Sequence[int | None], at: datetime, reason: str, vee_exception_id: int | None = None,
    method: str = "typed",
) -> Edit:  # fmt: skip
    """Put values in place of a channel's readings from an instant on: raw, one an interval, None where the reading stays.

    Where the utility wants four eyes the edit waits for somebody else's approval, and nothing changes until then; else it is applied at once.

    Raises:
        UnableToEditReadings: a register, an instant inside an interval, no values or too many, or one that does not fit.
        NotFound, IllegalDecision: the channel or the exception is not here, or the exception is settled.
        ReasonMissing: no reason.
    """
    reason = checked_reason(reason)
    with database.transaction(actor=actor) as conn:
        channel = _channel(conn, channel_id)
        interval_s = _checked(channel, from_at, values)
        if from_at + timedelta(seconds=interval_s * len(values)) > at + AHEAD:
            raise UnableToEditReadings(f"the values go on after {(at + AHEAD).isoformat()}", cure="edit what has been measured")
        if vee_exception_id is not None and still_unsettled(conn, [vee_exception_id])[0].channel_id != channel_id:
            raise UnableToEditReadings(f"exception {vee_exception_id} is of another channel than {channel_id}", cure="name the channel of the exception")
        waits = queries.policy_on(conn, at.astimezone(ZoneInfo(zone_of_utility(conn))).date()).has_four_eyes
        values_of = {
            "channel_id": channel_id, "from_at": from_at, "to_at": from_at + timedelta(seconds=interval_s * len(values)), "interval_s": interval_s, "edit_kind": "edit",
            "method": method, "new_values": list(values), "reason": reason, "vee_exception_id": vee_exception_id, "at": at,
        }  # fmt: skip
    if not waits:
        _make_months(database, actor, values_of["from_at"], values_of["to_at"])
    with database.transaction(actor=actor) as conn:
        batch_id = None if waits else _apply(conn, channel, from_at, values, actor=actor, at=at, reason=reason, vee_exception_id=vee_exception_id)
        row = conn.execute(_sql.add_edit, values_of | {"edit_status": "proposed" if waits else "applied", "batch_id": batch_id}).fetchone()
        assert row is not None  # INSERT … RETURNING always answers
        return queries.edits_page(conn, edit_id=row[0])[0]


def approve_edit(database: Database, actor: Actor, edit_id: UUID, *, at: datetime, is_rejected: bool = False) -> Edit:
    """Approve a waiting edit, which applies it, or reject it; by somebody else than its author. Approved again it stays as it is.

    Raises:
        NotFound: there is no such edit here.
        OwnEdit: the actor proposed it.
        EditDecided: it was decided otherwise before.
    """
    with database.transaction(actor=actor) as conn:
        edit = _edit(conn, edit_id)
    if not is_rejected:
        _make_months(database, actor, edit.from_at, edit.to_at)
    with database.transaction(actor=actor) as conn:
        conn.execute(_sql.lock_edit, {"edit_id": edit_id})
        edit = _edit(conn, edit_id)
        wanted = "rejected" if is_rejected else "applied"
        if edit.edit_status == wanted:
            return edit
        if edit.edit_status != "proposed":
            raise EditDecided(f"the edit was {edit.edit_status} by {edit.approved_by or edit.proposed_by}", cure="propose another edit")
        if edit.proposed_by == actor.name:
            raise OwnEdit(f"{actor.name} proposed this edit", cure="ask somebody else of the utility's staff to look at it")
        batch_id = None
        if not is_rejected:
            channel = _channel(conn, edit.channel_id)
            why = f"{edit.reason} (proposed by {edit.proposed_by}, approved by {actor.name})"
            batch_id = _apply(conn, channel, edit.from_at, edit.new_values, actor=actor, at=at, reason=why[:500], vee_exception_id=edit.vee_exception_id)
        conn.execute(_sql.decide_edit, {"edit_id": edit_id, "edit_status": wanted, "approved_by": actor.name, "at": at, "batch_id": batch_id})
        return _edit(conn, edit_id)


def _apply(
    conn: Connection, channel: Channel, from_at: datetime, values: Sequence[int | None], *, actor: Actor, at: datetime, reason: str, vee_exception_id: int | None
) -> int:
    """Store an edit's values, and settle the exception that it was made for where nothing of it is missing or failed any more; the delivery's number."""
    batch_id, _ = put_in(conn, utility_id=actor.utility_id, blocks=_blocks(channel, from_at, values), source=EDITING, at=at, reason=reason)
    if vee_exception_id is not None:
        meant = still_unsettled(conn, [vee_exception_id])[0]
        read = load(conn, [channel.channel_id], meant.from_at, meant.to_at, interval_s=channel.interval_s)
        if not np.isin(read.quality, (Quality.MISSING, Quality.FAILED_CHECK)).any():
            settle(conn, [vee_exception_id], status="edited", at=at, reason=reason)
    return batch_id


def _blocks(channel: Channel, from_at: datetime, values: Sequence[int | None]) -> Blocks:
    """Edited days as blocks: edited where a value is given, missing elsewhere."""
    assert channel.interval_s is not None  # checked when it was proposed
    begin, shift = int(from_at.timestamp()), channel.utc_offset_min * 60
    first = (begin + shift) // DAY * DAY - shift
    lead, slots = (begin - first) // channel.interval_s, DAY // channel.interval_s
    days = -(-(lead + len(values)) // slots)
    laid = np.full(days * slots, MISSING, dtype=np.int32)
    laid[lead : lead + len(values)] = [MISSING if value is None else value for value in values]
    by_day = laid.reshape(days, slots)
    return encode(
        channel_id=np.full(days, channel.channel_id, dtype=np.int64), block_start=first + DAY * np.arange(days, dtype=np.int64), values=by_day,
        quality=np.where(by_day == MISSING, np.uint8(Quality.MISSING), np.uint8(Quality.EDITED)), utc_offset_min=channel.utc_offset_min,
    )  # fmt: skip


def _checked(channel: Channel, from_at: datetime, values: Sequence[int | None]) -> int:
    """The interval length of the channel, s, where the values can be laid on it."""
    if channel.interval_s is None:
        raise UnableToEditReadings(f"channel {channel.channel_id} is a register", cure="deliver the read that is right: mains readings import")
    if not 1990 <= from_at.year <= 2200:
        raise UnableToEditReadings(f"there are no readings of the year {from_at.year}", cure="give an instant between 1990 and 2200")
    if from_at.tzinfo is None or (from_at.timestamp() + channel.utc_offset_min * 60) % channel.interval_s:
        raise UnableToEditReadings(f"{from_at.isoformat()} is no start of an interval of {channel.interval_s} s", cure="begin at an interval's start, with the offset")
    most = LONGEST * DAY // channel.interval_s
    if not 1 <= len(values) <= most or all(value is None for value in values):
        raise UnableToEditReadings(f"an edit has 1 to {most} values, this one {sum(value is not None for value in values)}", cure="edit a shorter stretch, or estimate it")
    if any(value is not None and not MISSING < value < 2**31 for value in values):
        raise UnableToEditReadings("a value does not fit a reading", cure="values are whole raw steps of the channel below 2,147,483,648")
    if channel.flow != "net" and any(value is not None and value < 0 for value in values):
        raise UnableToEditReadings(f"channel {channel.channel_id} counts one direction, and a value is negative", cure="edit the channel of the other direction")
    return channel.interval_s


def _make_months(database: Database, actor: Actor, from_at: datetime, to_at: datetime) -> None:
    """The months that values need, made before anything is locked."""
    with database.transaction(actor=actor) as conn:
        operations.ensure_partitions(conn, from_at=from_at - timedelta(days=1), to_at=to_at)


def _channel(conn: Connection, channel_id: int) -> Channel:
    found = channels_by_id(conn, [channel_id]) if -(2**63) <= channel_id < 2**63 else []
    if not found:
        raise NotFound(f"channel {channel_id} is not here", cure="see mains readings show")
    return found[0]


def _edit(conn: Connection, edit_id: UUID) -> Edit:
    found = queries.edits_page(conn, edit_id=edit_id)
    if not found:
        raise NotFound(f"there is no edit {edit_id}", cure="mains vee edits lists them")
    return found[0]
