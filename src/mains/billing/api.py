"""JSON routes: bills, why they say what they say, runs, and what is held."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body

from mains.base.http import InTransaction, Paging
from mains.base.paging import Page
from mains.billing import operations, queries
from mains.billing.explaining import explain_bill
from mains.billing.verifying import Verified, verify_bills

router = APIRouter(prefix="/v1", tags=["billing"])

BillingStatus = Literal["calculated", "approved", "issued", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillWithLines:
    """A bill and its lines in their order."""

    bill: queries.Bill
    lines: list[queries.BillLine]


@router.get("/bills")
def bills(conn: InTransaction, paging: Paging, customer_id: UUID | None = None, billing_status: BillingStatus | None = None) -> Page[queries.Bill]:
    """Bills by key; all of them, or a customer's."""
    after = paging.key_after(UUID)
    rows = queries.bills_after(
        conn, after=after[0] if after else UUID(int=0), customer_id=customer_id, billing_status=billing_status, limit=paging.limit + 1
    )
    return paging.page(rows, key=lambda bill: (bill.bill_id,))


@router.get("/bills/{bill_id}")
def bill(conn: InTransaction, bill_id: UUID) -> BillWithLines:
    """One bill with its lines."""
    found = queries.bill(conn, bill_id)
    return BillWithLines(bill=found, lines=queries.lines_of_bill(conn, found))


@router.get("/bills/{bill_id}/explain")
def explain(conn: InTransaction, bill_id: UUID) -> dict[str, Any]:
    """Why a bill says what it says: each line's formula, clause, tiers and base lines, the rate versions and the readings it was made from."""
    return explain_bill(conn, bill_id).as_json()


@router.get("/bills/{bill_id}/verify")
def verify(conn: InTransaction, bill_id: UUID) -> Verified:
    """Make one bill again from what it froze, and compare every byte."""
    queries.bill(conn, bill_id)
    return verify_bills(conn, [bill_id])


@router.post("/bills/{bill_id}/cancel")
def cancel(
    conn: InTransaction, bill_id: UUID, reason: Annotated[str, Body(embed=True, min_length=3, max_length=500, description="Why, for the audit log")]
) -> BillWithLines:
    """Take a bill back; the next run of its cycle bills the period again."""
    operations.cancel_bill(conn, bill_id=bill_id, at=datetime.now(UTC), reason=reason)
    return bill(conn, bill_id)


@router.get("/bill-runs")
def bill_runs(conn: InTransaction, paging: Paging) -> Page[queries.BillRun]:
    """Bill runs, the newest period first."""
    after = paging.key_after(date, datetime, UUID)
    rows = queries.latest_runs(conn, after=after, limit=paging.limit + 1)
    return paging.page(rows, key=lambda run: (run.period_start, run.started_at, run.bill_run_id))


@router.get("/bill-exceptions")
def bill_exceptions(conn: InTransaction, paging: Paging) -> Page[queries.BillException]:
    """Bills held back, with the reason and the cure, newest first."""
    after = paging.key_after(datetime, UUID)
    rows = queries.open_exceptions(conn, after=after, limit=paging.limit + 1)
    return paging.page(rows, key=lambda held: (held.found_at, held.bill_exception_id))
