"""The bill run: select, calculate, write, in steps that each stand alone, so that a run which stops can be run again and makes nothing twice."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from json import dumps
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import dict_row

from mains.base.bulk import insert_rows
from mains.base.db import Actor, Database
from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.billing import calculating, freezing, selecting, validating
from mains.billing.model import ENGINE_VERSION, Draft, Held, Service
from mains.billing.usage import UnableToConvertUsage, interval_usage, register_usage
from mains.metering.load import IntervalsDiffer, WindowNotOnGrid
from mains.metering.vee.running import run_pending
from mains.rates.queries import StoredVersion, versions_by_id

_queries = Statements("mains.billing", "queries.sql")
_sql = Statements("mains.billing", "operations.sql")

CHUNK = 2000
"""Services calculated and written in one transaction."""

_BILL = (
    "account_id",
    "bill_id",
    "customer_id",
    "bill_number",
    "bill_run_id",
    "commodity",
    "billing_period_start",
    "billing_period_end",
    "purpose",
    "revision",
    "billing_status",
    "currency",
    "total_amount",
    "usage_quantity",
    "usage_unit",
    "usage_kwh",
    "peak_kw",
    "estimated_readings",
    "calculated_at",
    "issued_at",
    "issue_date",
    "due_date",
    "input_sha256",
    "output_sha256",
)
_LINE = (
    "account_id",
    "bill_id",
    "line_no",
    "rate_version_id",
    "segment_no",
    "charge_id",
    "charge_kind",
    "label",
    "tags",
    "tou_period",
    "tier",
    "quantity",
    "unit",
    "price",
    "factor",
    "amount",
)
_INPUT = ("account_id", "bill_id", "segments", "channels", "engine_version", "readings_as_of")
_EXCEPTION = ("bill_run_id", "account_id", "billing_period_start", "billing_period_end", "code", "message", "cure", "found_at")


class UnableToRunCycle(Problem):
    """The cycle cannot be billed as asked."""

    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run did: agreements due, bills made, bills that were there already, bills held, and the sum of those made in the utility's currency."""

    bill_run_id: UUID
    cycle_code: str
    period_start: date
    period_end: date
    accounts: int
    bills_made: int
    bills_existing: int
    exceptions: int
    total_amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What every chunk of a run shares."""

    bill_run_id: UUID
    cycle_code: str
    period: tuple[date, date]
    at: datetime
    issue_date: date
    due_date: date
    issue: bool
    currency: str


def run_cycle(
    database: Database,
    *,
    actor: Actor,
    cycle_code: str,
    period: tuple[date, date],
    at: datetime,
    issue: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> RunReport:
    """Bill every agreement of a cycle for the local dates [start, end) that has no bill for them yet; `progress` is told services done and in all.

    Readings that no rule has judged yet are validated first. A bill that cannot be made exactly, or whose readings failed, is held with its reason. `issue` False leaves the
    bills calculated.

    Raises:
        UnableToRunCycle: the cycle is unknown, or the period is empty or not over yet.
    """
    run_pending(database, actor, at=at)
    with database.transaction(actor=actor) as conn:
        run, due = _begin(conn, cycle_code, period, at, issue=issue)
        versions = versions_by_id(conn, {segment.rate_version_id for service in due.services for segment in service.segments})
    made, held, total, done = 0, len(due.held), Decimal(0), len(due.held)
    for chunk in _chunks(due.services):
        with database.transaction(actor=actor) as conn:
            drafts = _write_chunk(conn, run, chunk, versions)
        bills = [draft for draft in drafts if isinstance(draft, Draft)]
        made += len(bills)
        held += len(drafts) - len(bills)
        total += sum((bill.total for bill in bills), start=Decimal(0))
        done += len(chunk)
        if progress:
            progress(done, len(due.services) + len(due.held))
    ended = {"run_status": "issued" if issue else "calculated", "finished_at": at, "bills_made": made, "exceptions": held, "total_amount": total}
    with database.transaction(actor=actor) as conn:
        conn.execute(_sql.finish_run, ended | {"bill_run_id": run.bill_run_id})
    return RunReport(
        bill_run_id=run.bill_run_id,
        cycle_code=cycle_code,
        period_start=period[0],
        period_end=period[1],
        accounts=due.accounts,
        bills_made=made,
        bills_existing=due.billed,
        exceptions=held,
        total_amount=total,
        currency=run.currency,
    )


def _begin(conn: Connection, cycle_code: str, period: tuple[date, date], at: datetime, *, issue: bool) -> tuple[_Run, selecting.Due]:
    """Record the run, select who is due, and hold at once what no reading could help."""
    cycle = _cycle(conn, cycle_code, period, at)
    due = selecting.due_services(conn, cycle_code=cycle_code, period=period)
    values = {
        "cycle_code": cycle_code,
        "period_start": period[0],
        "period_end": period[1],
        "started_at": at,
        "accounts": due.accounts,
        "bills_existing": due.billed,
    }
    row = conn.execute(_sql.start_run, values).fetchone()
    assert row is not None  # INSERT … RETURNING always answers
    run = _Run(
        bill_run_id=row[0],
        cycle_code=cycle_code,
        period=period,
        at=at,
        issue_date=cycle["today"],
        due_date=cycle["today"] + timedelta(days=cycle["due_days"]),
        issue=issue,
        currency=cycle["currency"],
    )
    _hold(conn, run, due.held)
    return run, due


def _cycle(conn: Connection, cycle_code: str, period: tuple[date, date], at: datetime) -> dict[str, Any]:
    """The cycle, with today's date at the utility."""
    with conn.cursor(row_factory=dict_row) as cursor:
        cycle = cursor.execute(_queries.cycle_by_code, {"cycle_code": cycle_code}).fetchone()
    if cycle is None:
        raise UnableToRunCycle(
            f"there is no billing cycle {cycle_code!r} here", cure="make it first, or give the code of one that is there"
        )
    if period[0] >= period[1]:
        raise UnableToRunCycle(f"the period {period[0]} to {period[1]} is empty", cure="give a first date and the date after the last one")
    today = at.astimezone(ZoneInfo(cycle["timezone"])).date()
    if period[1] > today:
        raise UnableToRunCycle(f"the period ends on {period[1]}, and today is {today}", cure="bill it when it is over")
    return cycle | {"today": today}


def _chunks(services: Iterable[Service]) -> Iterator[list[Service]]:
    """Services of one shape, at most CHUNK at a time."""
    for group in calculating.by_shape(services):
        rest = iter(group)
        while chunk := list(islice(rest, CHUNK)):
            yield chunk


def drafts_of(
    conn: Connection, services: list[Service], versions: dict[UUID, StoredVersion], *, as_of: datetime | None = None
) -> list[Draft | Held]:
    """Draft bills, or the reasons for holding them, of services of one shape."""
    try:
        return _drafts(conn, services, versions, as_of=as_of)
    except (IntervalsDiffer, WindowNotOnGrid) as error:
        if len(services) > 1:  # one of them is at fault: the others are billed
            return [draft for service in services for draft in drafts_of(conn, [service], versions, as_of=as_of)]
        return [Held(service=services[0], code=error.slug(), message=error.detail, cure="change the channel from that day on: mains channels change")]


def _drafts(conn: Connection, services: list[Service], versions: dict[UUID, StoredVersion], *, as_of: datetime | None) -> list[Draft | Held]:
    if services[0].commodity == "electric" and services[0].interval_s is not None:
        return calculating.interval_drafts(services, interval_usage(conn, services, as_of=as_of), versions)
    unit = calculating.rate_unit(versions[services[0].segments[0].rate_version_id].version)
    try:
        usage = register_usage(conn, services, rate_unit=unit, as_of=as_of)
    except UnableToConvertUsage as error:
        return [Held(service=service, code="unit-mismatch", message=error.detail, cure=error.cure or "") for service in services]
    return calculating.register_drafts(services, usage, versions)


def _write_chunk(conn: Connection, run: _Run, chunk: list[Service], versions: dict[UUID, StoredVersion]) -> list[Draft | Held]:
    """Calculate a chunk and write what came of it; agreements billed by another run in the meantime are left out."""
    conn.execute(_sql.one_writer, {"cycle_code": run.cycle_code, "period_start": run.period[0].isoformat()})
    bounds = {"account_ids": [service.account_id for service in chunk], "period_start": run.period[0], "period_end": run.period[1]}
    billed = {row[0] for row in conn.execute(_queries.billed_among, bounds)}
    chunk = [service for service in chunk if service.account_id not in billed]
    if not chunk:
        return []
    snapshot = conn.execute(_queries.snapshot_instant).fetchone()
    assert snapshot is not None  # SELECT clock_timestamp() always answers
    drafts = drafts_of(conn, chunk, versions)
    waiting = validating.holds(conn, [draft.service for draft in drafts if isinstance(draft, Draft)], at=run.at)
    drafts = [waiting.get(draft.service.account_id, draft) for draft in drafts]
    bills = [draft for draft in drafts if isinstance(draft, Draft)]
    _hold(conn, run, [draft for draft in drafts if isinstance(draft, Held)])
    _write(conn, run, bills, as_of=snapshot[0])
    return drafts


def _hold(conn: Connection, run: _Run, held: Sequence[Held]) -> None:
    rows = (
        (run.bill_run_id, h.service.account_id, h.service.from_date, h.service.to_date, h.code, h.message, h.cure, run.at) for h in held
    )
    if held:
        insert_rows(conn, "billing.bill_exceptions", _EXCEPTION, rows, on_conflict="skip")


def _write(conn: Connection, run: _Run, bills: Sequence[Draft], *, as_of: datetime) -> None:
    """Write bills, lines and inputs, and close the exceptions that held them before."""
    if not bills:
        return
    insert_rows(conn, "billing.bills", _BILL, (_bill_row(run, draft) for draft in bills))
    insert_rows(conn, "billing.bill_lines", _LINE, (row for draft in bills for row in _line_rows(draft)))
    inputs = (
        (
            d.service.account_id,
            d.service.bill_id,
            dumps(freezing.frozen_segments(d.service)),
            dumps(d.frozen_channels),
            ENGINE_VERSION,
            as_of,
        )
        for d in bills
    )
    insert_rows(conn, "billing.bill_inputs", _INPUT, inputs)
    conn.execute(
        _sql.close_exceptions,
        {
            "at": run.at,
            "account_ids": [draft.service.account_id for draft in bills],
            "period_start": run.period[0],
            "period_end": run.period[1],
        },
    )


def _bill_row(run: _Run, draft: Draft) -> tuple[object, ...]:
    service = draft.service
    is_electric = service.commodity == "electric"
    return (
        service.account_id,
        service.bill_id,
        service.customer_id,
        service.bill_number,
        run.bill_run_id,
        service.commodity,
        service.from_date,
        service.to_date,
        service.purpose,
        service.revision,
        "issued" if run.issue else "calculated",
        draft.currency,
        draft.total,
        draft.usage_quantity,
        draft.usage_unit,
        draft.usage_quantity if is_electric else None,
        draft.peak_kw,
        draft.estimated_readings,
        run.at,
        run.at if run.issue else None,
        run.issue_date if run.issue else None,
        run.due_date if run.issue else None,
        freezing.input_hash(draft),
        freezing.output_hash(draft),
    )


def _line_rows(draft: Draft) -> Iterator[tuple[object, ...]]:
    service = draft.service
    account_id, bill_id = service.account_id, service.bill_id
    for number, line in enumerate(draft.lines, start=1):
        yield (
            account_id,
            bill_id,
            number,
            line.rate_version_id,
            line.segment_no,
            line.charge_id,
            line.charge_kind,
            line.label,
            _array(line.tags),
            line.tou_period,
            line.tier,
            line.quantity,
            line.unit,
            line.price,
            line.factor,
            line.amount,
        )


@lru_cache(maxsize=1024)
def _array(words: tuple[str, ...]) -> str:
    """Words as the text of an array, the same for most lines.

    >>> _array(("supply", 'a "b"'))
    '{"supply","a \\\\"b\\\\""}'
    """
    return "{" + ",".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words) + "}"
