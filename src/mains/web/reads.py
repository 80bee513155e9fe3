"""What a request of a page may read: everything below, in one read-only transaction, as the person signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from fastapi import Request
from psycopg import Connection

from mains.base.db import Database
from mains.base.http import actor_of
from mains.network.queries import own_utility
from mains.web import bill_facts, customer_facts, home_facts, queries, usage_facts, views
from mains.web.format import Formats


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReads:
    """The facts of pages at one instant, in one transaction."""

    conn: Connection
    around: views.Frame

    def frame(self) -> views.Frame:
        """The utility, the person, the instant and the request."""
        return self.around

    @property
    def formats(self) -> Formats:
        """The utility's conventions."""
        return Formats(currency=self.around.currency, timezone=self.around.timezone, at=self.around.at)

    def home(self) -> views.HomePage:
        """The staff's first page."""
        return home_facts.home_page(self.conn, f=self.formats)

    def search(self, asked: str) -> views.SearchPage:
        """What matches some words."""
        return home_facts.search_page(self.conn, asked)

    def customer(self, customer_id: UUID) -> views.CustomerPage:
        """One customer."""
        return customer_facts.customer_page(self.conn, customer_id, f=self.formats)

    def usage_of_month(self, customer_id: UUID, account_id: UUID, month: date) -> views.UsageDetail:
        """The days of one month of one account."""
        place = queries.place_of_account(self.conn, account_id, from_at=self.around.at, to_at=self.around.at)
        return usage_facts.usage_of_month(self.conn, place, month, path=customer_facts.usage_path(customer_id, account_id))

    def usage_of_day(self, customer_id: UUID, account_id: UUID, day: date) -> views.UsageDetail:
        """The hours of one day of one account."""
        place = queries.place_of_account(self.conn, account_id, from_at=self.around.at, to_at=self.around.at)
        return usage_facts.usage_of_day(self.conn, place, day, path=customer_facts.usage_path(customer_id, account_id))

    def bill(self, bill_id: UUID) -> views.BillPage:
        """One bill, explained."""
        return bill_facts.bill_page(self.conn, bill_id, f=self.formats)

    def bill_line(self, bill_id: UUID, line_no: int) -> views.LinePage:
        """One line of a bill, opened."""
        return bill_facts.line_page(self.conn, bill_id, line_no, f=self.formats)

    def imports(self) -> tuple[views.ImportBatch, ...]:
        """The latest files taken in."""
        return home_facts.imports(self.conn)

    def held_bills(self) -> tuple[views.HeldBill, ...]:
        """The bills that wait for a person."""
        return home_facts.held_bills(self.conn)


@contextmanager
def reads_for(request: Request) -> Iterator[PageReads]:
    """The reads of one request, as the person who is signed in.

    Raises:
        SignInNeeded: nobody is known.
    """
    database: Database = request.app.state.database
    with database.transaction(actor=actor_of(request)) as conn:
        conn.execute("SET TRANSACTION READ ONLY")
        signed_in = getattr(request.state, "signed_in", None)
        at: datetime = request.app.state.clock()
        yield PageReads(
            conn=conn,
            around=frame_of(conn, person=signed_in.full_name if signed_in else None, at=at, request_id=getattr(request.state, "request_id", None)),
        )


def frame_of(conn: Connection, *, person: str | None, at: datetime, request_id: str | None = None) -> views.Frame:
    """What stands around every page of the utility that the transaction works for."""
    utility = own_utility(conn)
    return views.Frame(utility_name=utility.utility_name, currency=utility.currency, timezone=utility.timezone, at=at, person=person, request_id=request_id)
