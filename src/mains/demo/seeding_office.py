"""From the plan to rows: what the office keeps: tickets, surveys, consents, filings, key figures, and what follows from the sums of load."""

from datetime import date, datetime, timedelta
from json import dumps
from uuid import UUID

from psycopg import Connection

from mains.base.bulk import insert_rows
from mains.base.ids import named_uuid
from mains.base.sql import Statements
from mains.demo.chance import chance
from mains.demo.model import DemoPlan, Utility
from mains.demo.seeding import midnight, period
from mains.demo.span import REFERENCE_DATE

_sql = Statements("mains.demo", "operations.sql")

_TICKETS = (
    ("bill", "Why is the bill higher than last year's?", "Explained with the meter's readings: more cooling in July."),
    ("payment", "Payment was made twice", "The second payment stands as a credit."),
    ("meter", "Meter display is dark", "Display replaced."),
    ("move", "Moving out at the end of the month", "Final reading taken."),
    ("quality", "Lights flicker in the evening", "Loose connection at the service repaired."),
    ("programme", "How to join Charge after dark", "Enrolled."),
)
_PURPOSES = (
    ("billing", "Billing", "Readings and addresses to make bills", "contract"),
    ("usage-advice", "Advice on usage", "Readings to say what uses much and when", "consent"),
    ("share-with-third-party", "Sharing with a third party", "Readings to a company the customer names", "consent"),
)
_KPIS = (
    ("saidi_minutes", "Minutes without power a customer (SAIDI)", "customer minutes interrupted / customers served", "min", 90, False, True),
    ("saifi", "Interruptions a customer (SAIFI)", "customers interrupted / customers served", "1", 1, False, True),
)


def seed_office(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """What people asked, said, agreed to and must be told; `conn` acts for the utility."""
    customers = [c for c in plan.customers if c.utility == utility.key]
    _tickets(conn, plan, utility, [c.key for c in customers[6::40]])
    insert_rows(conn, "privacy.purposes", ["purpose_code", "purpose_name", "description", "legal_basis"], _PURPOSES)
    insert_rows(
        conn, "privacy.consents", ["customer_id", "purpose_code", "consent_period", "how_given", "wording"],
        ((c.key, "usage-advice", period(midnight(utility, date(2026, 1, 15)), None), "web", "You may use my readings to give me advice.") for c in customers[3::10]),
    )  # fmt: skip
    _filings(conn, utility)
    insert_rows(conn, "insights.kpi_definitions", ["kpi_code", "kpi_name", "formula", "unit", "target", "is_higher_better", "is_public"], _KPIS)


def _tickets(conn: Connection, plan: DemoPlan, utility: Utility, customers: list[UUID]) -> None:
    """A question of every fortieth customer, most of them answered, and what they thought of the answer."""
    rows, surveys = [], []
    for number, customer in enumerate(customers, start=1):
        source = chance(plan.seed, utility.code, "ticket", str(customer))
        topic, subject, resolution = source.choice(_TICKETS)
        opened_at = midnight(utility, REFERENCE_DATE) - timedelta(minutes=source.randrange(60, 200_000))
        is_open = opened_at > midnight(utility, REFERENCE_DATE) - timedelta(days=4)
        resolved_at = None if is_open else opened_at + timedelta(minutes=source.randrange(30, 4_000))
        key = named_uuid("demo", "ticket", customer)
        status = "open" if is_open else "resolved"
        is_complaint = topic == "bill" and number % 3 == 0
        answer = None if is_open else resolution
        rows.append((key, number, customer, topic, subject, status, is_complaint, opened_at, opened_at + timedelta(days=5), resolved_at, answer))
        if resolved_at:
            answered = resolved_at + timedelta(hours=source.randrange(2, 60)) if source.random() < 0.6 else None
            surveys.append((customer, "call", key, resolved_at, resolved_at + timedelta(days=14), answered, source.choice((2, 3, 4, 4, 5, 5, 5)) if answered else None))
    columns = ["ticket_id", "ticket_number", "customer_id", "topic", "subject", "ticket_status", "is_complaint", "opened_at", "due_at", "resolved_at", "resolution"]
    insert_rows(conn, "customers.support_tickets", columns, rows)
    insert_rows(conn, "customers.satisfaction_surveys", ["customer_id", "about", "subject_id", "sent_at", "expires_at", "answered_at", "rating"], surveys)


def _filings(conn: Connection, utility: Utility) -> None:
    """A monthly form that is owed: two months met, the last one open with a draft."""
    form = named_uuid("demo", "form", utility.code)
    insert_rows(
        conn, "compliance.filing_definitions", ["filing_definition_id", "form_code", "layout_version", "form_name", "authority", "frequency", "deadline_rule"],
        [(form, "sales-monthly", "1", "Monthly sales and revenue", utility.regulator_name, "monthly", dumps({"days_after_period": 30}))],
    )  # fmt: skip
    months = [(date(2026, 8, 1), date(2026, 9, 1), "met"), (date(2026, 9, 1), date(2026, 10, 1), "met"), (date(2026, 10, 1), date(2026, 11, 1), "open")]
    insert_rows(
        conn, "compliance.obligations", ["obligation_id", "filing_definition_id", "period_start", "period_end", "due_at", "obligation_status"],
        ((named_uuid("demo", "obligation", utility.code, a), form, a, b, midnight(utility, b + timedelta(days=30)), status) for a, b, status in months),
    )  # fmt: skip
    made_at = midnight(utility, REFERENCE_DATE) + timedelta(hours=9)
    insert_rows(
        conn, "compliance.filings", ["obligation_id", "filing_status", "made_at", "data_as_of"],
        [(named_uuid("demo", "obligation", utility.code, months[-1][0]), "draft", made_at, made_at)],
    )  # fmt: skip


# ── Sums of load ─────────────────────────────────────────────────────────────


def seed_sums(conn: Connection, *, at: datetime) -> None:
    """Load by zone and day, from the sums that storing the readings kept, with the reliability that follows from the cuts."""
    conn.execute(_sql.analyse_usage, {"at": at})
    conn.execute(_sql.measure_reliability, {"at": at})
