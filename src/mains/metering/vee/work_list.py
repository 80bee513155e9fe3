"""Deciding exceptions: accept what is right after all, ask the meter again; one, many, or all that a filter names. Estimates are in `filling`, edits in `edits`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.problems import Problem
from mains.devices import commands
from mains.metering.model import MISSING, Quality
from mains.metering.vee import queries
from mains.metering.vee.deciding import settle, still_unsettled
from mains.metering.vee.marking import days_of, mark
from mains.metering.vee.queries import VeeException, Wanted
from mains.metering.vee.spans import groups, load_spans

MOST = 100_000
"""Exceptions that one filter may decide at once."""


class ReasonMissing(Problem):
    """A decision about readings needs a reason, for whoever asks later."""

    status = 422


@dataclass(slots=True, kw_only=True)
class Decided:
    """What a decision did: exceptions decided, readings whose quality it changed, and exceptions that could not be decided, each with why."""

    exceptions: list[int] = field(default_factory=list)
    readings: int = 0
    refused: list[dict[str, object]] = field(default_factory=list)


def checked_reason(reason: str) -> str:
    """The reason without space around it.

    Raises:
        ReasonMissing: it is empty, or longer than 500 letters.
    """
    if not 1 <= len(reason.strip()) <= 500:
        raise ReasonMissing(f"a reason has 1 to 500 letters, this one {len(reason.strip())}", cure="say in a sentence why")
    return reason.strip()


def matching(conn: Connection, wanted: Wanted) -> list[VeeException]:
    """The exceptions that a filter names, newest first; `MOST` at most."""
    return queries.exceptions_page(conn, wanted, limit=MOST)


def accept(database: Database, actor: Actor, ids: Sequence[int], *, at: datetime, reason: str) -> Decided:
    """Accept readings as they are: what an exception had marked as failed is validated, and counts again.

    Raises:
        ReasonMissing: no reason.
        NotFound, IllegalDecision: an exception is not here, or is settled; nothing was decided.
    """
    reason = checked_reason(reason)
    decided = Decided()
    with database.transaction(actor=actor) as conn:
        found = still_unsettled(conn, ids)
        plain = [each.vee_exception_id for each in found if not each.is_marked]
        settle(conn, plain, status="accepted", at=at, reason=reason)
        decided.exceptions += plain
        parts = list(groups(conn, [each for each in found if each.is_marked]))
    for part in parts:
        with database.transaction(actor=actor) as conn:
            listed = still_unsettled(conn, [each.vee_exception_id for each in part])
            decided.readings += _validate(conn, listed, actor=actor, at=at, reason=reason)
            keys = [each.vee_exception_id for each in listed]
            settle(conn, keys, status="accepted", at=at, reason=reason)
            decided.exceptions += keys
    return decided


def _validate(conn: Connection, part: list[VeeException], *, actor: Actor, at: datetime, reason: str) -> int:
    """Failed readings under exceptions are validated, unless another failure still stands over them; how many."""
    spans = load_spans(conn, part, around_days=0, now=int(at.timestamp()))
    window, stored = spans.loaded.window, spans.loaded.stored_quality
    if stored is None:
        return 0
    chosen = spans.mask() & (stored == Quality.FAILED_CHECK) & (window.values != MISSING)
    decided = {each.vee_exception_id for each in part}
    channels = np.asarray(window.channel_ids)
    for each in _others(conn, part):
        if each.vee_exception_id not in decided and each.is_marked:
            begin, end = ((int(when.timestamp()) - window.first_day) // window.interval_s for when in (each.from_at, each.to_at))
            chosen.reshape(window.channels, -1)[int(np.searchsorted(channels, each.channel_id)), max(begin, 0) : max(end, 0)] = False
    days = chosen.any(axis=2) & (spans.loaded.versions > 0)
    blocks = days_of(
        channel_ids=window.channel_ids, first_day=window.first_day, utc_offset_min=window.utc_offset_min, values=window.values,
        quality=np.where(chosen, np.uint8(Quality.VALIDATED), stored), chosen=days,
    )  # fmt: skip
    count = int(chosen.sum())
    mark(conn, utility_id=actor.utility_id, blocks=blocks, versions=spans.loaded.versions[days], at=at, reason=reason, changed=count)
    return count


def _others(conn: Connection, part: list[VeeException]) -> list[VeeException]:
    """Unsettled exceptions of the same channels."""
    found: list[VeeException] = []
    for channel_id in sorted({each.channel_id for each in part}):
        found += queries.exceptions_page(conn, Wanted(channel_id=channel_id), limit=1000)
    return found


def re_read(database: Database, actor: Actor, ids: Sequence[int], *, at: datetime, reason: str) -> Decided:
    """Ask the meters again for the readings of exceptions; they stay on the list until what comes back settles them, or somebody does.

    A meter that cannot be asked is refused with its reason, and its exception stays as it was.

    Raises:
        ReasonMissing: no reason.
        NotFound, IllegalDecision: an exception is not here, or is settled; nothing was asked.
    """
    reason = checked_reason(reason)
    decided = Decided()
    with database.transaction(actor=actor) as conn:
        for each in still_unsettled(conn, ids):
            if each.exception_status == "re_read":
                decided.exceptions.append(each.vee_exception_id)
                continue
            try:
                with conn.transaction():
                    commands.request_read(
                        conn, each.meter_number, at=at, reason=f"validation: {reason}", registers=[each.register], period=(each.from_at, each.to_at),
                        idempotency_key=f"vee {each.vee_exception_id}",
                    )  # fmt: skip
            except Problem as problem:
                decided.refused.append({"vee_exception_id": each.vee_exception_id, "why": problem.detail, "cure": problem.cure})
                continue
            settle(conn, [each.vee_exception_id], status="re_read", at=at, reason=reason)
            decided.exceptions.append(each.vee_exception_id)
    return decided
