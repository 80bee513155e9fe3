"""The home page, the lists and the search, gathered."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from psycopg import Connection

from mains.billing import queries as billing
from mains.metering import queries as metering
from mains.payments import queries as payments
from mains.web import queries
from mains.web.format import Formats, count, number, percent, sentence
from mains.web.views import COMMODITIES, BillRun, HeldBill, Hit, HomePage, ImportBatch, QuarantineReason, SearchPage, Tile

EMPTY = 50
"""So many deliveries without a reading are looked past for those that have some."""
FORMATS = {"arrays": "direct load", "green-button": "Green Button", "nem12": "NEM12", "csv-long": "CSV, long", "csv-wide": "CSV, wide"}
"""How a format is called on a page."""
HITS = 6
"""Most things of a kind that a search shows."""


def home_page(conn: Connection, *, f: Formats) -> HomePage:
    """The staff's first page at the instant of `f`."""
    counts = queries.counts(conn)
    runs = billing.latest_runs(conn, limit=1)
    return HomePage(
        tiles=_tiles(conn, counts, f=f) if counts.customers or counts.readings else (),
        latest_run=_run(conn, runs[0]) if runs else None,
        imports=imports(conn, limit=4),
        held=held_bills(conn, limit=3),
        held_count=counts.held,
    )


def imports(conn: Connection, *, limit: int = 50) -> tuple[ImportBatch, ...]:
    """The latest deliveries that had a reading in them or were interrupted, with what was set aside of each and why."""
    batches = [batch for batch in metering.batches_page(conn, limit=limit + EMPTY) if batch.readings_found or batch.finished_at is None][:limit]
    reasons: dict[int, list[QuarantineReason]] = defaultdict(list)
    for aside in queries.quarantine_reasons(conn, [batch.batch_id for batch in batches]):
        reason = QuarantineReason(code=aside.code, count=aside.readings, example=aside.message.rstrip("."), cure=aside.cure.rstrip("."), line=aside.line, notes=aside.notes)
        reasons[aside.batch_id].append(reason)
    return tuple(
        ImportBatch(
            batch_id=batch.batch_id, file_name=batch.source.rpartition("/")[2] or batch.source, file_format=FORMATS.get(batch.format, batch.format),
            received_at=batch.received_at, accepted=batch.readings_accepted,
            new=batch.readings_new, changed=batch.readings_changed, quarantined=batch.readings_quarantined,
            status="done" if batch.finished_at else "interrupted", reasons=tuple(reasons[batch.batch_id]),
        )
        for batch in batches
    )  # fmt: skip


def held_bills(conn: Connection, *, limit: int = 200, customer_id: UUID | None = None) -> tuple[HeldBill, ...]:
    """Bills that wait for a person, of all customers or one, oldest first."""
    return tuple(
        replace(bill, reason=sentence(bill.reason), cure=sentence(bill.cure)) for bill in queries.held_bills(conn, limit=limit, customer_id=customer_id)
    )


def search_page(conn: Connection, asked: str) -> SearchPage:
    """What matches some words; nothing for none."""
    if not asked:
        return SearchPage(asked="", hits=())
    found = queries.found(conn, asked, limit=HITS)
    hits = tuple(Hit(kind=hit.kind, title=hit.title, detail=hit.detail, href=f"/{'bills' if hit.kind == 'bill' else 'customers'}/{hit.id}") for hit in found)
    kinds = [hit.kind for hit in found]
    return SearchPage(asked=asked, hits=hits, is_cut=any(kinds.count(kind) == HITS for kind in set(kinds)))


def _run(conn: Connection, run: billing.BillRun) -> BillRun:
    """A run with the bills that stand for its month, whichever run made them: a run of what is billed already makes nothing, and takes nothing away."""
    month = run.period_start.replace(day=1)
    standing = next((billed for billed in queries.billed_by_month(conn, limit=60) if billed.month == month), None)
    return BillRun(
        run_id=run.bill_run_id, cycle_name=f"Cycle {run.cycle_code}", billing_period_start=run.period_start, billing_period_end=run.period_end,
        started_at=run.started_at, finished_at=run.finished_at, made=run.bills_made, held=run.exceptions, existing=run.bills_existing,
        standing=standing.bills if standing else 0, standing_amount=standing.amount if standing else Decimal(0),
    )  # fmt: skip


def _tiles(conn: Connection, counts: queries.Counts, *, f: Formats) -> tuple[Tile, ...]:
    owed = payments.owed_in_all(conn, on_date=f.today)
    billed = queries.billed_by_month(conn)
    services = ", ".join(f"{number(n)} {COMMODITIES.get(name, name).lower()}" for name, n in sorted(counts.accounts.items()))
    readings, _, unit = count(counts.readings).partition("\u00a0")
    tiles = [
        Tile(label="Customers", value=count(counts.customers), note=f"{number(sum(counts.accounts.values()))} services: {services}" if services else "no service yet"),
        Tile(label="Readings stored", value=readings, unit=unit or None, note=f"last delivery {f.age(counts.last_delivery_at)}", tone="calm", href="/imports"),
    ]
    if billed:
        last = billed[-1]
        trend = tuple(float(month.amount) for month in billed)
        tiles.append(
            Tile(label=f"Billed, {last.month:%B %Y}", value=f.money(last.amount, whole=True), note=f"{number(last.bills)} bills issued", tone="good", trend=trend)
        )
    share = percent(owed.overdue / owed.owed) if owed.owed > 0 else percent(Decimal(0))
    late = f"{f.money(owed.overdue, whole=True)} overdue, {share}"
    tiles.append(Tile(label="Owed to us", value=f.money(owed.owed, whole=True), note=late, tone="live" if owed.overdue else "good"))
    held_note = f"oldest {f.age(counts.held_since)}" if counts.held else "nothing waits"
    tiles.append(Tile(label="Bills held", value=count(counts.held), note=held_note, tone="alarm" if counts.held else "good", href="/billing/exceptions"))
    return tuple(tiles)
