"""Judging one piece of a delivery: load it, run the rules, bring the work list up to date, and mark what failed; one transaction's worth."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from math import isfinite
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.rows import class_row

from mains.base.sql import Statements
from mains.metering.load import as_instant
from mains.metering.model import MISSING, Quality
from mains.metering.vee.engine import RuleSet, run
from mains.metering.vee.explaining import in_words
from mains.metering.vee.known import Known
from mains.metering.vee.marking import days_of, mark
from mains.metering.vee.model import DAY, Findings
from mains.metering.vee.reconciling import UNSETTLED, Found, Reconciled, Standing, reconcile
from mains.metering.vee.rules import BY_NAME, BY_NUMBER
from mains.metering.vee.touched import Piece
from mains.metering.vee.windows import Loaded, load_window

_queries = Statements("mains.metering.vee", "queries.sql")
_sql = Statements("mains.metering.vee", "operations.sql")

NO_LONGER = "no longer found in the readings as they are now"
LONGEST = 62
"""Days that an exception may reach beyond what is judged and still be judged again."""
DEEP = 24
"""Days of context from which on the rules that look at weeks can be believed when they find nothing."""
_STALE = BY_NAME["future-stale"].number
_SLOW = frozenset(BY_NAME[name].number for name in ("repetition", "scale-change", "clock-shift", "swapped-meters"))


@dataclass(slots=True, kw_only=True)
class Judged:
    """What became of pieces: channels, days and readings that were due; exceptions opened, changed and resolved; readings marked as failed, and marks taken back."""

    days: int = 0
    readings: int = 0
    findings: int = 0
    opened: int = 0
    changed: int = 0
    resolved: int = 0
    marked: int = 0
    cleared: int = 0

    def add(self, other: "Judged") -> None:
        """Count another piece in."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every piece of a run is judged with: when, in which zone, with how much context, by which rules, as part of which delivery, and whether that is history."""

    at: datetime
    received_at: datetime
    zone: ZoneInfo
    context_days: int
    has_history: bool
    rules: tuple[RuleSet, ...]
    batch_id: int
    is_backfill: bool = False


def judge(conn: Connection, piece: Piece, known: Known, bench: Bench, *, utility_id: UUID) -> Judged:
    """Judge a piece and write what came of it."""
    standing = _standing(conn, piece)
    again, tail = ([], 0) if bench.is_backfill else _judged_again(standing, piece)
    loaded = load_window(
        conn, piece, known, zone=bench.zone, now=int(bench.received_at.timestamp()), context_days=bench.context_days if bench.has_history else 0, tail_days=tail,
        also_due=again, with_heads=bench.has_history,
    )  # fmt: skip
    window = loaded.window
    findings = run(window, bench.rules[piece.rules])
    if bench.is_backfill:
        findings = findings.where((findings.rule != _STALE) | (findings.measured < 0))
    told = Judged(days=int(window.is_due.sum()), readings=int((window.values[window.is_due] != MISSING).sum()), findings=len(findings))
    if not len(findings) and not standing:
        return told
    is_deep = bench.context_days >= DEEP
    made = reconcile(_in_words(findings, loaded), standing, is_judged=lambda each: _is_judged(each, loaded, is_deep=is_deep))
    _write(conn, made, bench)
    told.opened, told.changed, told.resolved = len(made.opened), len(made.extended), len(made.resolved)
    told.marked, told.cleared = _mark(conn, loaded, findings, made, standing, bench, utility_id=utility_id)
    return told


def _standing(conn: Connection, piece: Piece) -> list[Standing]:
    """What is on record for the channels of a piece, around its time."""
    end = piece.first_day + piece.is_due.shape[1] * DAY
    asked = {"channels": piece.channel_ids.tolist(), "from_at": as_instant(piece.first_day - LONGEST * DAY), "to_at": as_instant(end + DAY)}
    with conn.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(_queries.exceptions_of_channels, asked).fetchall()


def _judged_again(standing: Sequence[Standing], piece: Piece) -> tuple[list[tuple[int, int, int]], int]:
    """Exceptions that touch a day that is due are judged whole: (row, from, to in epoch s) of each, and the days after the piece that this needs."""
    again, tail, days = [], 0, piece.is_due.shape[1]
    for each in standing:
        if each.exception_status not in UNSETTLED:
            continue
        row = int(np.searchsorted(piece.channel_ids, each.channel_id))
        first, last = (each.from_s - piece.first_day) // DAY, (each.to_s - 1 - piece.first_day) // DAY
        if piece.is_due[row, max(first, 0) : max(min(last, days - 1), 0) + 1].any() and last >= 0 and first < days:
            again.append((row, each.from_s, each.to_s))
            tail = max(tail, last - days + 1)
    return again, min(tail, LONGEST)


def _is_judged(each: Standing, loaded: Loaded, *, is_deep: bool) -> bool:
    """Whether all of an exception lies on days that were due; one of a rule that looks at weeks counts only where weeks were looked at."""
    window = loaded.window
    row = int(np.searchsorted(window.channel_ids, each.channel_id))
    first, last = (each.from_s - window.first_day) // DAY, (each.to_s - 1 - window.first_day) // DAY
    if first < 0 or last >= window.days or (last > first and not is_deep and each.rule_number in _SLOW):
        return False
    return bool(window.is_due[row, first : last + 1].all())


def _in_words(findings: Findings, loaded: Loaded) -> list[Found]:
    """Findings as rows of the work list."""
    window = loaded.window
    made = []
    for number, each in enumerate(findings):
        begin, end = window.starts_at(max(each.first, 0)), window.starts_at(each.last)
        rule = BY_NUMBER[each.rule]
        made.append(
            Found(
                number=number, channel_id=int(window.channel_ids[each.row]), rule_number=each.rule, rule_name=rule.name, from_s=begin, to_s=end, severity=each.severity,
                measured=_finite(each.measured), limit=_finite(each.limit), finding=in_words(each, window),
                is_marked=bool(findings.marks[number]),
            )
        )  # fmt: skip
    return made


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _write(conn: Connection, made: Reconciled, bench: Bench) -> None:
    """Bring the work list up to date."""
    if made.opened:
        conn.execute(_sql.open_exceptions, _columns(made.opened) | {"batch_id": bench.batch_id, "at": bench.at})
    if made.extended:
        conn.execute(_sql.extend_exceptions, _columns([each for _, each in made.extended]) | {"ids": [key for key, _ in made.extended], "batch_id": bench.batch_id})
    if made.resolved:
        conn.execute(_sql.decide_exceptions, {"ids": [each.vee_exception_id for each in made.resolved], "status": "resolved", "at": bench.at, "reason": NO_LONGER})


def _columns(found: Sequence[Found]) -> dict[str, list[object]]:
    return {
        "channels": [each.channel_id for each in found], "starts": [as_instant(each.from_s) for each in found], "ends": [as_instant(each.to_s) for each in found],
        "names": [each.rule_name for each in found], "numbers": [each.rule_number for each in found], "severities": [each.severity for each in found],
        "findings": [each.finding for each in found], "measured": [each.measured for each in found], "limits": [each.limit for each in found],
        "marked": [each.is_marked for each in found],
    }  # fmt: skip


def _mark(
    conn: Connection, loaded: Loaded, findings: Findings, made: Reconciled, standing: Sequence[Standing], bench: Bench, *, utility_id: UUID
) -> tuple[int, int]:
    """Mark readings of failures that count as failed, and take marks back that no failure needs any more; how many of each."""
    window = loaded.window
    upheld = np.array([number in made.upheld for number in range(len(findings))], dtype=bool)
    must = findings.where(upheld).failed(window) if upheld.any() else np.zeros(window.values.shape, dtype=bool)
    marking = [each for each in standing if each.is_marked and each.exception_status in UNSETTLED]
    judged = {each.vee_exception_id for each in marking if _is_judged(each, loaded, is_deep=bench.context_days >= DEEP)}
    ours = _covered([each for each in marking if each.vee_exception_id in judged], loaded)
    stays = _covered([each for each in marking if each.vee_exception_id not in judged], loaded)
    if not must.any() and not ours.any():
        return 0, 0
    stored = loaded.stored_quality if loaded.stored_quality is not None else np.where(window.values == MISSING, np.uint8(Quality.MISSING), np.uint8(Quality.ACTUAL))
    failed = stored == Quality.FAILED_CHECK
    fresh = must & ~failed & (stored != Quality.EDITED)
    cleared = failed & ours & ~must & ~stays
    chosen = (fresh | cleared).any(axis=2) & (loaded.versions > 0)
    quality = np.where(fresh, np.uint8(Quality.FAILED_CHECK), np.where(cleared, np.uint8(Quality.ACTUAL), stored))
    blocks = days_of(
        channel_ids=window.channel_ids, first_day=window.first_day, utc_offset_min=window.utc_offset_min, values=window.values, quality=quality, chosen=chosen
    )
    counts = int(fresh[chosen].sum()), int(cleared[chosen].sum())
    mark(conn, utility_id=utility_id, blocks=blocks, versions=loaded.versions[chosen], at=bench.at, reason="a check of validation failed, or holds again", changed=sum(counts))
    return counts


def _covered(standing: Sequence[Standing], loaded: Loaded) -> NDArray[np.bool_]:
    """bool [channels, days, slots]: readings under some exceptions."""
    window = loaded.window
    found = np.zeros((window.channels, window.days * window.slots), dtype=bool)
    for each in standing:
        begin, end = ((at - window.first_day) // window.interval_s for at in (each.from_s, each.to_s))
        found[int(np.searchsorted(window.channel_ids, each.channel_id)), max(begin, 0) : max(end, 0)] = True
    return found.reshape(window.values.shape)
