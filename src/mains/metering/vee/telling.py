"""An exception explained: its rule with source and limits in force, the figures, the readings around it, and what they were before and after validation."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection

from mains.base.sql import Statements
from mains.metering.load import as_instant, packed_blocks
from mains.metering.model import MISSING, Quality
from mains.metering.queries import channels_by_id, zone_of_utility
from mains.metering.vee import queries
from mains.metering.vee.profiles import PROFILES
from mains.metering.vee.queries import Edit, VeeException
from mains.metering.vee.rules import BY_NAME
from mains.metering.vee.running import rules_of
from mains.metering.wire import with_gaps_marked

_sql = Statements("mains.metering.vee", "queries.sql")

AROUND = 8
"""Intervals shown before and after an exception."""
MOST = 200
"""Intervals shown at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One interval near an exception: value in raw steps, None where it is missing; `before` are the values and qualities it had, oldest first, where they differed."""

    starts_at: datetime
    raw: int | None
    quality: str
    is_questioned: bool
    before: list[tuple[int | None, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An exception with all that stands behind it: `parameters` are the limits in force for its meter, `said_by` where they come from."""

    exception: VeeException
    title: str
    source: str
    parameters: dict[str, float | str]
    said_by: str
    unit: str
    step: str
    readings: list[Shown]
    is_cut_off: bool
    edits: list[Edit]

    def as_json(self) -> dict[str, Any]:
        """The explanation as plain values."""
        return asdict(self)


def explain(conn: Connection, vee_exception_id: int) -> Told:
    """Say why there is an exception, and what became of its readings.

    Raises:
        NotFound: there is none of this number here.
    """
    found = queries.vee_exception(conn, vee_exception_id)
    channel = channels_by_id(conn, [found.channel_id])[0]
    rule = BY_NAME[found.rule_name]
    zone = ZoneInfo(zone_of_utility(conn))
    day = found.from_at.astimezone(zone).date()
    meter_class = _class_of(conn, found)
    parameters = dict(rules_of(conn).on(day).parameters(found.rule_name, meter_class, channel.commodity))
    readings, is_cut_off = _readings(conn, found, channel.interval_s) if channel.interval_s else ([], False)
    edits = queries.edits_page(conn, channel_id=found.channel_id, from_at=found.from_at, to_at=found.to_at)
    return Told(
        exception=found, title=f"rule {rule.number}: {rule.title}", source=rule.source, parameters=parameters, said_by=_said_by(conn, found.rule_name, day), unit=channel.unit,
        step=format(channel.step.normalize(), "f"), readings=readings, is_cut_off=is_cut_off, edits=edits,
    )  # fmt: skip


def _class_of(conn: Connection, found: VeeException) -> str:
    """The class of the customer whom the meter served when the exception begins; residential where nobody knows."""
    row = conn.execute(_sql.class_of_channel, {"channel_id": found.channel_id, "at": found.from_at}).fetchone()
    return row[0] if row else "residential"


def _said_by(conn: Connection, rule_name: str, day: date) -> str:
    """Where the limits of a rule come from on a date."""
    own = [row for row in queries.own_rules(conn) if row.rule_name == rule_name and row.holds_on(day)]
    policy = next((each for each in queries.policies(conn) if each.holds_on(day)), None)
    since = f", in force since {policy.from_date}" if policy is not None and policy.from_date else ""
    profile = f"profile {policy.profile if policy else 'default'}{since}: {PROFILES[policy.profile if policy else 'default'].source}"
    rows = "; ".join(f"the utility's own row for {row.meter_class}, from {row.from_date or 'the beginning'} to {row.to_date or 'further notice'}" for row in own)
    return f"{rows}, over {profile}" if rows else profile


def _readings(conn: Connection, found: VeeException, step: int) -> tuple[list[Shown], bool]:
    """The intervals of an exception and some around it, with what they were before; whether not all of them are shown."""
    begin, end = found.from_at - timedelta(seconds=AROUND * step), found.to_at + timedelta(seconds=AROUND * step)
    now = _at_instants(conn, found.channel_id, begin, end, step)
    versions = _versions(conn, found.channel_id, begin, end)
    first, last = int(begin.timestamp()), int(end.timestamp())
    starts = list(range(first, last, step))
    shown = []
    for start in starts[:MOST]:
        raw, quality = now.get(start, (None, Quality.MISSING))
        before: list[tuple[int | None, str, str]] = []
        for was in versions.get(start, []):
            if not before or before[-1] != was:
                before.append(was)
        said = [was for was in before if was[:2] != (raw, quality.name.lower())]
        is_questioned = found.from_at.timestamp() <= start < found.to_at.timestamp()
        shown.append(Shown(starts_at=as_instant(start), raw=raw, quality=quality.name.lower(), is_questioned=is_questioned, before=said))
    return shown, len(starts) > MOST


def _at_instants(conn: Connection, channel_id: int, begin: datetime, end: datetime, step: int) -> dict[int, tuple[int | None, Quality]]:
    """Value and quality by start, epoch seconds."""
    found: dict[int, tuple[int | None, Quality]] = {}
    for packed in packed_blocks(conn, np.array([channel_id]), begin, end):
        if packed.interval_s != step:
            continue
        values = packed.values()
        quality = with_gaps_marked(values, packed.quality())
        for start, row, marks in zip(packed.block_start.tolist(), values.tolist(), quality.tolist(), strict=True):
            found |= {start + i * step: (None if raw == MISSING else raw, Quality(mark)) for i, (raw, mark) in enumerate(zip(row, marks, strict=True))}
    return found


def _versions(conn: Connection, channel_id: int, begin: datetime, end: datetime) -> dict[int, list[tuple[int | None, str, str]]]:
    """What intervals were before, by start: value, quality, and who replaced it and why; oldest first."""
    found: dict[int, list[tuple[int | None, str, str]]] = {}
    asked = {"channel_id": channel_id, "from_at": begin, "to_at": end, "limit": 200}
    for block_start, _, interval_s, width, vals, quality, qual, replaced_at, actor, reason, _, _ in conn.execute(_sql.versions_of_days, asked):
        values = np.frombuffer(vals, dtype=f"<i{width}").astype(np.int64)
        gap = -(2 ** (8 * width - 1))
        marks = np.frombuffer(qual, dtype=np.uint8) if qual is not None else np.full(len(values), quality, dtype=np.uint8)
        said = f"until {replaced_at:%Y-%m-%d %H:%M}, replaced by {actor}{': ' + reason if reason else ''}"
        for i, (raw, mark) in enumerate(zip(values.tolist(), marks.tolist(), strict=True)):
            there = raw != gap
            was = (raw if there else None, (Quality(mark) if there else Quality.MISSING).name.lower(), said)
            found.setdefault(int(block_start.timestamp()) + i * interval_s, []).append(was)
    return found
