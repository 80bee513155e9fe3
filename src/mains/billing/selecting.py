"""Who is due: agreements of a cycle with their dates, rate versions and channels, each complete or held with the reason."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from mains.base.sql import Statements
from mains.billing.laying import without_intervals
from mains.billing.model import ChannelSpan, Held, Segment, Service

_sql = Statements("mains.billing", "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a run found: services to bill, services held before any reading was read, and how many are billed already."""

    services: list[Service]
    held: list[Held]
    billed: int

    @property
    def accounts(self) -> int:
        """Agreements that are due in all."""
        return len(self.services) + len(self.held) + self.billed


def due_services(conn: Connection, *, cycle_code: str, period: tuple[date, date]) -> Due:
    """The agreements of a cycle that are due for a period of local dates [start, end)."""
    bounds = {"period_start": period[0], "period_end": period[1]}
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_sql.due_services, bounds | {"cycle_code": cycle_code}).fetchall()
    open_rows = [row for row in rows if not row.pop("is_billed")]
    ids = {"account_ids": [row["account_id"] for row in open_rows]}
    segments, channels = _segments(conn, bounds | ids), _channels(conn, bounds | ids)
    services, held = [], []
    for row in open_rows:
        account, billed = row["account_id"], (row.pop("billed_from"), row.pop("billed_to"))
        bare = Service(**row, segments=(), channels=())
        service = replace(bare, segments=_within(segments[account], bare), channels=tuple(channels[account]))
        if problem := _overlap(service, *billed) or _problem(service):
            held.append(problem)
        else:
            services.append(_by_intervals_first(service))
    return Due(services=services, held=held, billed=len(rows) - len(open_rows))


def _segments(conn: Connection, values: dict[str, Any]) -> dict[UUID, list[Segment]]:
    found: dict[UUID, list[Segment]] = defaultdict(list)
    for account, version, sha256, from_date, to_date in conn.execute(_sql.segments_of, values):
        found[account].append(Segment(rate_version_id=version, document_sha256=sha256.hex(), from_date=from_date, to_date=to_date))
    return found


def _channels(conn: Connection, values: dict[str, Any]) -> dict[UUID, list[ChannelSpan]]:
    found: dict[UUID, list[ChannelSpan]] = defaultdict(list)
    for account, channel, unit, step, interval_s, digits, meter, from_at, to_at in conn.execute(_sql.channels_of, values):
        found[account].append(
            ChannelSpan(
                channel_id=channel,
                from_at=from_at,
                to_at=to_at,
                unit=unit,
                units_per_step=step,
                interval_s=interval_s,
                dial_digits=digits,
                meter_number=meter,
            )
        )
    return found


def _within(segments: Iterable[Segment], service: Service) -> tuple[Segment, ...]:
    """Segments cut to the service's own dates."""
    cut = (
        replace(segment, from_date=max(segment.from_date, service.from_date), to_date=min(segment.to_date, service.to_date))
        for segment in segments
    )
    return tuple(segment for segment in cut if segment.from_date < segment.to_date)


def _by_intervals_first(service: Service) -> Service:
    """Where a meter gives intervals and a register for the same time, the intervals are billed; a register counts for the time before or after them."""
    intervals = [span for span in service.channels if span.interval_s is not None]
    if not intervals or len(intervals) == len(service.channels):
        return service
    dials = [
        replace(span, from_at=begin, to_at=end)
        for span in service.channels
        if span.interval_s is None
        for begin, end in without_intervals(span, intervals)
    ]
    return replace(service, channels=tuple(sorted([*intervals, *dials], key=lambda span: (span.from_at, span.channel_id))))


def _overlap(service: Service, billed_from: date | None, billed_to: date | None) -> Held | None:
    """The service held, where a part of its dates is billed already; None where none is."""
    if billed_from is None or billed_to is None:
        return None
    message = f"a bill for {billed_from} to {billed_to - timedelta(days=1)} covers a part of {service.from_date} to {service.to_date - timedelta(days=1)}"
    return Held(service=service, code="period-overlaps", message=message, cure="bill the rest by its own dates, or cancel that bill and run the period again")


def _problem(service: Service) -> Held | None:
    """Why a service cannot be billed whatever its readings are; None where it can."""
    day = service.from_date
    for segment in service.segments:
        if segment.from_date > day:
            break
        day = segment.to_date
    if day < service.to_date:
        until = min((segment.from_date for segment in service.segments if segment.from_date > day), default=service.to_date)
        return Held(
            service=service,
            code="rate-gap",
            message=f"no rate is in force from {day} to {until - timedelta(days=1)}",
            cure="assign a rate for these dates, or publish the version that is missing",
        )
    if not service.channels:
        return Held(
            service=service,
            code="no-meter",
            message=f"no meter hung at the service point from {service.from_date} to {service.to_date - timedelta(days=1)}",
            cure="record the meter's installation",
        )
    start, end = service.period
    reached = start
    for span in sorted(service.channels, key=lambda span: span.from_at):
        if span.from_at > reached:
            break
        reached = max(reached, span.to_at)
    if reached < end:
        return Held(
            service=service,
            code="meter-gap",
            message=f"no meter hung at the service point from {reached.astimezone(start.tzinfo):%Y-%m-%d %H:%M}",
            cure="record the installation that is missing, or correct the dates of an exchange",
        )
    return None


def service_of_inputs(row: dict[str, Any]) -> Service:
    """The service that a bill's frozen inputs describe."""
    segments = tuple(
        Segment(
            rate_version_id=UUID(s["rate_version_id"]),
            document_sha256=s["document_sha256"],
            from_date=date.fromisoformat(s["from_date"]),
            to_date=date.fromisoformat(s["to_date"]),
        )
        for s in row["segments"]
    )
    channels = tuple(ChannelSpan(**span) for span in (_span_of(document) for document in row["channels"]))
    return Service(
        account_id=row["account_id"],
        account_number=row["account_number"],
        customer_id=row["customer_id"],
        commodity=row["commodity"],
        timezone=row["timezone"],
        from_date=row["billing_period_start"],
        to_date=row["billing_period_end"],
        is_final=row["purpose"] == "final",
        revision=row["revision"],
        segments=segments,
        channels=channels,
    )


def _span_of(document: dict[str, Any]) -> dict[str, Any]:
    """A frozen channel's members as those of a span."""
    return {
        "channel_id": document["channel_id"],
        "from_at": datetime.fromisoformat(document["from_at"]),
        "to_at": datetime.fromisoformat(document["to_at"]),
        "unit": document["unit"],
        "units_per_step": Decimal(document["units_per_step"]),
        "interval_s": document["interval_s"],
        "dial_digits": document.get("dial_digits"),
    }
