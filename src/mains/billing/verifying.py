"""Making bills again from their frozen inputs, and holding every byte against what was issued."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from mains.billing import calculating, freezing, queries
from mains.billing.model import ENGINE_VERSION, Draft, Held, Service
from mains.billing.runs import drafts_of
from mains.billing.selecting import service_of_inputs
from mains.metering.closing import queries as closing
from mains.rates.queries import StoredVersion, versions_by_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What making a bill again gave: `is_same` when inputs and outputs hash to what was frozen; `as_of` when readings were corrected since and the old ones were used."""

    bill_id: UUID
    is_same: bool
    used_old_readings: bool
    difference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How many bills were made again, how many from readings as they were then, and those that differ."""

    bills: int
    same: int
    from_old_readings: int
    different: tuple[Verdict, ...]


def verify_bills(
    conn: Connection, bill_ids: Iterable[UUID], *, at_a_time: int = 2000, progress: Callable[[int], None] | None = None
) -> Verified:
    """Make bills again from what they froze; `progress` is told how many are done."""
    ids = list(bill_ids)
    verdicts: list[Verdict] = []
    for begin in range(0, len(ids), at_a_time):
        verdicts += _verify_some(conn, ids[begin : begin + at_a_time])
        if progress:
            progress(len(verdicts))
    different = tuple(verdict for verdict in verdicts if not verdict.is_same)
    return Verified(
        bills=len(verdicts),
        same=len(verdicts) - len(different),
        from_old_readings=sum(v.used_old_readings for v in verdicts),
        different=different,
    )


def _verify_some(conn: Connection, ids: list[UUID]) -> list[Verdict]:
    rows = queries.inputs_of_bills(conn, ids)
    services = {row["bill_id"]: service_of_inputs(row) for row in rows}
    versions = versions_by_id(conn, {segment.rate_version_id for service in services.values() for segment in service.segments})
    by_id = {row["bill_id"]: row for row in rows}
    stored = queries.stored_lines(conn, bill_ids=list(by_id), account_ids=[row["account_id"] for row in rows])
    for bill_id, row in by_id.items():
        row["stored_lines"] = stored.get(bill_id, ())
    verdicts: dict[UUID, Verdict] = {}
    for group in calculating.by_shape(services.values()):
        for service, draft in zip(group, drafts_of(conn, group, versions), strict=True):
            verdicts[service.bill_id] = _verdict(by_id[service.bill_id], draft, used_old_readings=False)
    for bill_id in [bill_id for bill_id, verdict in verdicts.items() if not verdict.is_same]:
        verdicts[bill_id] = _as_it_was(conn, by_id[bill_id], services[bill_id], versions)
    for bill_id in [bill_id for bill_id, verdict in verdicts.items() if not verdict.is_same]:
        if away := removed_readings(conn, services[bill_id]):
            difference = f"it cannot be made again before they are restored: {closing.sentence(away)}"
            verdicts[bill_id] = replace(verdicts[bill_id], difference=difference)
    return [verdicts[bill_id] for bill_id in ids if bill_id in verdicts]


def removed_readings(conn: Connection, service: Service) -> list[closing.RemovedMonth]:
    """The months of a service's interval readings that are in an archive, not in the database."""
    spans = [span for span in service.channels if span.interval_s is not None]
    if not spans:
        return []
    day = timedelta(days=1)  # a span begins within a standard-time day, and its last one began within the day before its end
    return closing.removed_months(conn, min(span.from_at for span in spans) - day, max(span.to_at for span in spans) - day)


def _as_it_was(conn: Connection, row: dict[str, Any], service: Service, versions: dict[UUID, StoredVersion]) -> Verdict:
    """Make the bill again from the readings that stood when it was made."""
    as_of: datetime = row["readings_as_of"]
    return _verdict(row, drafts_of(conn, [service], versions, as_of=as_of)[0], used_old_readings=True)


def _verdict(row: dict[str, Any], draft: Draft | Held, *, used_old_readings: bool) -> Verdict:
    return Verdict(
        bill_id=row["bill_id"],
        is_same=(difference := _difference(row, draft)) is None,
        used_old_readings=used_old_readings,
        difference=difference,
    )


def _difference(row: dict[str, Any], draft: Draft | Held) -> str | None:
    """What differs between a bill and its remake, in words; None for nothing."""
    if isinstance(draft, Held):
        return f"it can no longer be made: {draft.message}"
    if row["engine_version"] != ENGINE_VERSION:
        return f"it was made by {row['engine_version']}, this is {ENGINE_VERSION}"
    if draft.total != row["total_amount"]:
        return f"the total is {draft.total}, it was {row['total_amount']}"
    if freezing.input_hash(draft).hex() != row["input_sha256"]:
        return "its readings or rates are not those it was made from"
    if freezing.output_hash(draft).hex() != row["output_sha256"]:
        return "its lines are not those that were issued"
    if tuple(draft.lines) != row["stored_lines"]:
        return "the lines in the database are not those that were issued"
    return None
