"""The customer page, gathered: who from customers, what they owe from the ledger, what they used from the store, what happened from all of them."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import Connection

from mains.billing import queries as billing
from mains.customers import queries as customers
from mains.payments import queries as payments
from mains.web import queries, usage_facts
from mains.web.format import Formats, period, sentence
from mains.web.home_facts import held_bills
from mains.web.queries import ServiceRow
from mains.web.views import COMMODITIES, BillRow, Contact, CustomerPage, Event, Owed, Service

BILLS = 12
ALL_BILLS = 10_000
EVENTS = 14


def customer_page(conn: Connection, customer_id: UUID, *, f: Formats, all_bills: bool = False) -> CustomerPage:
    """One customer at the instant of `f`, with the latest bills or all of them.

    Raises:
        NotFound: there is no such customer here.
    """
    found = customers.customer(conn, customer_id=customer_id)
    services = queries.services_of_customer(conn, customer_id)
    bills = billing.bills_of_customer(conn, customer_id=customer_id, limit=ALL_BILLS if all_bills else BILLS + 1)
    rows = bill_rows(conn, bills if all_bills else bills[:BILLS], f=f)
    paid = payments.payments_of_customer(conn, customer_id=customer_id, limit=EVENTS)
    contacts = [Contact(kind=kind, value=value) for kind, value in (("phone", found.phone), ("email", found.email)) if value]
    return CustomerPage(
        customer_id=customer_id, customer_number=found.customer_number, customer_name=found.full_name, customer_class=found.customer_class,
        service_status=found.service_status, customer_since=min((f.local(s.opened_at).date() for s in services), default=None),
        service_zone_name=queries.zone_name(conn, found.service_zone_id), contacts=tuple(contacts), services=tuple(_service(s, f=f) for s in services),
        owed=_owed(conn, customer_id, paid=paid, f=f), usage=usage_facts.usages(conn, services, at=f.at), bills=rows,
        timeline=_timeline(conn, customer_id, bills=rows[:BILLS], paid=paid, f=f), held=held_bills(conn, customer_id=customer_id),
        has_more_bills=len(bills) > len(rows),
    )  # fmt: skip


def bill_rows(conn: Connection, bills: list[billing.Bill], *, f: Formats) -> tuple[BillRow, ...]:
    """Bills as a list shows them, each with its state of payment from the ledger."""
    left = queries.receivable_of_bills(conn, [bill.bill_id for bill in bills])
    return tuple(
        BillRow(
            bill_id=bill.bill_id, bill_number=bill.bill_number, account_number=bill.account_number, commodity=bill.commodity,
            billing_period_start=bill.billing_period_start, billing_period_end=bill.billing_period_end, issued_at=bill.issued_at,
            due_date=bill.due_date, total_amount=bill.total_amount, billing_status=state_of(bill, left.get(bill.bill_id), f=f),
            usage_quantity=bill.usage_quantity, unit=bill.usage_unit,
        )
        for bill in bills
    )  # fmt: skip


def state_of(bill: billing.Bill, left: Decimal | None, *, f: Formats) -> str:
    """How a bill stands: draft, issued, paid, overdue or cancelled; `left` is what the ledger says is owed on it, None where it was not posted."""
    if bill.billing_status != "issued":
        return "draft" if bill.billing_status in ("calculated", "approved") else bill.billing_status
    if left is not None and left <= 0:
        return "paid"
    return "overdue" if bill.due_date is not None and bill.due_date < f.today else "issued"


def _service(service: ServiceRow, *, f: Formats) -> Service:
    zone = ZoneInfo(service.timezone)
    closed = service.closed_at.astimezone(zone).date() if service.closed_at else None
    return Service(
        account_id=service.account_id, account_number=service.account_number, commodity=service.commodity,
        premise_address=f"{service.address_line}, {service.city}", service_status=service.account_status,
        opened_on=service.opened_at.astimezone(zone).date(), closed_on=closed if closed and closed <= f.today else None,
        rate_schedule_name=service.rate_schedule_name, meter_number=service.meter_number, last_reading_at=service.last_reading_at,
        reading_interval=usage_facts.rhythm(service), next_bill_after=None if closed and closed <= f.today else _period_end(service, f=f),
    )  # fmt: skip


def _period_end(service: ServiceRow, *, f: Formats) -> date:
    """The last day of the period that a service is using now, after which its next bill is made: the calendar month, or less where it is closed before."""
    zone = ZoneInfo(service.timezone)
    month = max(service.opened_at, f.at).astimezone(zone).date().replace(day=1)
    end = usage_facts.month_after(month)
    closed = service.closed_at.astimezone(zone).date() if service.closed_at else end
    return min(end, closed) - timedelta(days=1)


def _owed(conn: Connection, customer_id: UUID, *, paid: list[payments.Payment], f: Formats) -> Owed:
    found = payments.balance_of_customer(conn, customer_id=customer_id, on_date=f.today)
    received = [payment for payment in paid if payment.payment_status == "received"]
    ages = (
        ("not yet due", found.owed - found.overdue),
        ("1 – 30 days", found.overdue_1_to_30_days),
        ("31 – 60 days", found.overdue_31_to_60_days),
        ("over 60 days", found.overdue_over_60_days),
    )
    return Owed(
        balance=found.owed - found.unapplied, overdue=found.overdue, next_due_amount=found.next_due_amount, next_due_date=found.next_due_date,
        last_payment_amount=received[0].amount if received else None, last_payment_date=received[0].payment_date if received else None, ageing=ages,
    )  # fmt: skip


def _timeline(conn: Connection, customer_id: UUID, *, bills: tuple[BillRow, ...], paid: list[payments.Payment], f: Formats) -> tuple[Event, ...]:
    """Bills, payments and everything else as one line of time, newest first."""
    events = [replace(event, detail=sentence(event.detail)) for event in queries.events_of_customer(conn, customer_id, at=f.at, limit=EVENTS)]
    for bill in bills:
        if bill.issued_at is not None:
            span = period(bill.billing_period_start, bill.billing_period_end)
            told = f"{COMMODITIES.get(bill.commodity, bill.commodity)}, {span}, {f.money(bill.total_amount)}"
            verb = "cancelled" if bill.billing_status == "cancelled" else "issued"
            tone = "alarm" if bill.billing_status == "overdue" else "off" if verb == "cancelled" else "calm"
            events.append(Event(at=bill.issued_at, kind="bill", title=f"Bill {verb}", detail=told, href=f"/bills/{bill.bill_id}", tone=tone))
    for payment in paid:
        came_back = payment.payment_status != "received"
        title = f"Payment of {f.money(payment.amount)}{' ' + payment.payment_status if came_back else ''}"
        detail = f"By {payment.method}{', ' + payment.reference if payment.reference else ''}"
        events.append(Event(at=payment.received_at, kind="payment", title=title, detail=detail, tone="alarm" if came_back else "good"))
    past = [event for event in events if event.at <= f.at]
    return tuple(sorted(past, key=lambda event: event.at, reverse=True)[:EVENTS])


def usage_path(customer_id: UUID, account_id: UUID) -> str:
    """The address of an agreement's days and hours."""
    return f"/customers/{customer_id}/usage/{account_id}"
