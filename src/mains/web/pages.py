"""The routes of the pages: parse, one call, render.

The application gives each request its `Reads` (`app.state.reads(request)`), which acts as the person signed in; a `Problem` that it
raises becomes an error page there.
"""

from datetime import date
from typing import Annotated, Literal, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from mains.web import usage_views, views
from mains.web.render import page


class Reads(Protocol):
    """What the pages ask for, as one person."""

    def frame(self) -> views.Frame:
        """The utility, the person, the instant and the request."""
        ...

    def home(self) -> views.HomePage:
        """The staff's first page."""
        ...

    def search(self, asked: str) -> views.SearchPage:
        """Customers, accounts, meters and bills that match some words."""
        ...

    def customer(self, customer_id: UUID, *, all_bills: bool = False) -> views.CustomerPage:
        """One customer, with the latest bills or all of them."""
        ...

    def usage(self, customer_id: UUID, account_id: UUID, *, view: str, on: date | None, is_cost: bool = False) -> usage_views.UsageDetail:
        """A day, week, month or year of one account."""
        ...

    def bill(self, bill_id: UUID) -> views.BillPage:
        """One bill, explained."""
        ...

    def bill_line(self, bill_id: UUID, line_no: int) -> views.LinePage:
        """One line of a bill, opened."""
        ...

    def imports(self) -> tuple[views.ImportBatch, ...]:
        """The latest files taken in, newest first."""
        ...

    def held_bills(self) -> tuple[views.HeldBill, ...]:
        """The bills that wait for a person, oldest first."""
        ...


def reads(request: Request) -> Reads:
    """What this request may read."""
    return request.app.state.reads(request)


_Year = Field(ge=date(1901, 1, 1), lt=date(2199, 1, 1))


class UsageStretch(BaseModel):
    """Which stretch of time a usage page shows: the shortest that is named."""

    model_config = ConfigDict(extra="ignore")
    day: Annotated[date | None, _Year] = None
    week: Annotated[date | None, _Year] = None
    month: Annotated[str | None, Field(pattern=r"^(19|20|21)\d{2}-(0[1-9]|1[0-2])$", description="A calendar month, YYYY-MM")] = None
    year: Annotated[int | None, Field(ge=1901, le=2198)] = None
    show: Literal["use", "cost"] = "use"

    def asked(self) -> tuple[str, date | None]:
        """The view, and a date in it; None where it is that of today."""
        if self.day:
            return "day", self.day
        if self.week:
            return "week", self.week
        if self.month:
            return "month", date.fromisoformat(f"{self.month}-01")
        return ("year", date(self.year, 1, 1)) if self.year else ("month", None)


AsReader = Annotated[Reads, Depends(reads)]
router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)


@router.get("/")
def home(request: Request, known: AsReader) -> HTMLResponse:
    """The staff's first page."""
    return page(request, "home", frame=known.frame(), home=known.home())


@router.get("/search")
def search(request: Request, known: AsReader, q: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """What matches some words."""
    return page(request, "search", frame=known.frame(), found=known.search(q.strip()))


@router.get("/customers/{customer_id}")
def customer(
    request: Request, known: AsReader, customer_id: UUID, *, every: Annotated[bool, Query(alias="all", description="All bills, not only the latest")] = False
) -> HTMLResponse:
    """One customer."""
    return page(request, "customer", frame=known.frame(), customer=known.customer(customer_id, all_bills=every))


@router.get("/customers/{customer_id}/usage/{account_id}")
def usage(
    request: Request, known: AsReader, customer_id: UUID, account_id: UUID, stretch: Annotated[UsageStretch, Query()]
) -> HTMLResponse:
    """The hours of a day or a week, the days of a month, or the months of a year; this month where none is asked."""
    view, on = stretch.asked()
    detail = known.usage(customer_id, account_id, view=view, on=on, is_cost=stretch.show == "cost")
    return page(request, "usage", frame=known.frame(), usage=detail)


@router.get("/bills/{bill_id}")
def bill(request: Request, known: AsReader, bill_id: UUID) -> HTMLResponse:
    """One bill, explained."""
    return page(request, "bill", frame=known.frame(), bill=known.bill(bill_id))


@router.get("/bills/{bill_id}/lines/{line_no}")
def bill_line(request: Request, known: AsReader, bill_id: UUID, line_no: int) -> HTMLResponse:
    """One line of a bill, opened."""
    return page(request, "line", frame=known.frame(), opened=known.bill_line(bill_id, line_no))


@router.get("/imports")
def imports(request: Request, known: AsReader) -> HTMLResponse:
    """The latest files taken in, with what was set aside and why."""
    return page(request, "imports", frame=known.frame(), batches=known.imports())


@router.get("/billing/exceptions")
def held_bills(request: Request, known: AsReader) -> HTMLResponse:
    """The bills that wait for a person."""
    return page(request, "held", frame=known.frame(), held=known.held_bills())
