"""What a request of a page may read: each page is one read-only transaction, as the person signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.http import actor_of
from mains.network.queries import own_utility
from mains.web import bill_facts, customer_facts, home_facts, meter_facts, meter_views, queries, usage_details, usage_views, views
from mains.web.format import Formats


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReads:
    """The facts of pages at one instant, as one person."""

    database: Database
    actor: Actor
    at: datetime
    person: str | None = None
    request_id: str | None = None

    def frame(self) -> views.Frame:
        """The utility, the person, the instant and the request."""
        with self._reading() as (conn, _):
            own = own_utility(conn)
        return views.Frame(
            utility_name=own.utility_name, currency=own.currency, timezone=own.timezone, at=self.at, person=self.person, request_id=self.request_id
        )

    def home(self) -> views.HomePage:
        """The staff's first page."""
        with self._reading() as (conn, f):
            return home_facts.home_page(conn, f=f)

    def search(self, asked: str) -> views.SearchPage:
        """What matches some words."""
        with self._reading() as (conn, _):
            return home_facts.search_page(conn, asked)

    def customer(self, customer_id: UUID, *, all_bills: bool = False) -> views.CustomerPage:
        """One customer, with the latest bills or all of them."""
        with self._reading() as (conn, f):
            return customer_facts.customer_page(conn, customer_id, f=f, all_bills=all_bills)

    def usage(self, customer_id: UUID, account_id: UUID, *, view: str, on: date | None, is_cost: bool = False) -> usage_views.UsageDetail:
        """A day, week, month or year of one account; the one that is now where no date is named."""
        with self._reading() as (conn, f):
            place = queries.place_of_account(conn, account_id, customer_id=customer_id)
            on = on or f.at.astimezone(ZoneInfo(place.timezone)).date()
            return usage_details.usage_detail(conn, place, view=view, on=on, at=f.at, path=customer_facts.usage_path(customer_id, account_id), is_cost=is_cost)

    def bill(self, bill_id: UUID) -> views.BillPage:
        """One bill, explained."""
        with self._reading() as (conn, f):
            return bill_facts.bill_page(conn, bill_id, f=f)

    def bill_line(self, bill_id: UUID, line_no: int) -> views.LinePage:
        """One line of a bill, opened."""
        with self._reading() as (conn, f):
            return bill_facts.line_page(conn, bill_id, line_no, f=f)

    def imports(self) -> tuple[views.ImportBatch, ...]:
        """The latest files taken in."""
        with self._reading() as (conn, _):
            return home_facts.imports(conn)

    def held_bills(self) -> tuple[views.HeldBill, ...]:
        """The bills that wait for a person."""
        with self._reading() as (conn, _):
            return home_facts.held_bills(conn)

    def meters(self) -> meter_views.MetersPage:
        """Meter operations now."""
        with self._reading() as (conn, f):
            return meter_facts.meters_page(conn, f=f)

    def exceptions(self, *, rule: str | None, severity: str | None, before: int | None, done: str | None) -> meter_views.ExceptionsPage:
        """The work list of exceptions."""
        with self._reading() as (conn, _):
            return meter_facts.exceptions_page(conn, rule=rule, severity=severity, before=before, done=done)

    def exception(self, exception_id: int) -> meter_views.ExceptionPage:
        """One exception."""
        with self._reading() as (conn, _):
            return meter_facts.exception_page(conn, exception_id)

    def silent(self, day: date | None) -> meter_views.SilentPage:
        """Meters of which nothing was read on a day."""
        with self._reading() as (conn, f):
            return meter_facts.silent_page(conn, day=day, f=f)

    @contextmanager
    def _reading(self) -> Iterator[tuple[Connection, Formats]]:
        """A transaction that can change nothing, and the utility's conventions."""
        with self.database.transaction(actor=self.actor) as conn:
            conn.execute("SET TRANSACTION READ ONLY")
            own = own_utility(conn)
            yield conn, Formats(currency=own.currency, timezone=own.timezone, at=self.at)


def reads_for(request: Request) -> PageReads:
    """What a request may read, as the person who is signed in.

    Raises:
        SignInNeeded: nobody is known.
    """
    signed_in = getattr(request.state, "signed_in", None)
    return PageReads(
        database=request.app.state.database, actor=actor_of(request), at=request.app.state.clock(), person=signed_in.full_name if signed_in else None,
        request_id=getattr(request.state, "request_id", None),
    )  # fmt: skip
