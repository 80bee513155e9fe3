"""What the demo holds, and what to open in it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg.rows import dict_row

from mains.base.db import Database, system_actor
from mains.base.sql import Statements
from mains.demo.model import DemoPlan
from mains.demo.paying import LAST_DAY
from mains.demo.seeding import STAFF
from mains.demo.steps import Step
from mains.identity.operations import make_sign_in_link

_queries = Statements("mains.demo", "queries.sql")

REASONS = {
    "missing-readings": "for missing readings",
    "missing-reads": "for a dial that was not read",
    "doubtful-readings": "for doubtful readings",
    "register-went-back": "for a dial that went back",
    "meter-gap": "for a time without a meter",
    "no-meter": "for want of a meter",
    "rate-gap": "for dates without a rate",
    "period-overlaps": "for dates billed in part",
    "rate-cannot-be-priced": "for a rate that cannot be priced",
    "unit-mismatch": "units do not agree",
}
"""Why bills are held, in a few words."""
_SEEN = (("a home", "air_conditioning"), ("a home with a roof of panels", "solar"), ("a home with a car", "ev"), ("somebody who moved house", "moves_house"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page worth opening: what it shows, and its path."""

    what: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The demo in numbers: of its own utility, sizes of both with indexes, `bytes_a_reading` with the dials; money in US dollars; `overdue` on the demo's last day."""

    utility_name: str
    customers: int
    accounts: int
    interval_readings: int
    register_reads: int
    bytes_a_quarter_hour: float
    bytes_a_reading: float
    bills: int
    billed: Decimal
    paid: Decimal
    owed: Decimal
    overdue: Decimal
    held: dict[str, int]
    neighbour_name: str
    neighbour_customers: int
    neighbour_readings: int
    steps: list[Step]
    seconds: float
    pages: list[Page]
    sign_in: str


def summarise(database: Database, plan: DemoPlan, *, steps: list[Step], seconds: float, at: datetime) -> Summary:
    """Count what is there, choose pages worth opening, and make a link that signs in once."""
    utility, neighbour = plan.utilities
    with database.administering() as conn:
        sizes = conn.execute(_queries.sizes).fetchone()
    assert sizes is not None  # a SELECT of expressions always answers
    counted = {}
    for each in (neighbour, utility):
        with database.transaction(actor=system_actor(each.key, job="demo")) as conn, conn.cursor(row_factory=dict_row) as cursor:
            counted[each.key] = cursor.execute(_queries.what_was_loaded, {"today": LAST_DAY}).fetchone() or {}
            held = {row["code"]: row["bills"] for row in cursor.execute(_queries.held_bills)}
    with database.transaction(actor=system_actor(utility.key, job="demo")) as conn:
        secret = make_sign_in_link(conn, login=STAFF[utility.code][0][0], at=at)
        pages = [Page(what="the utility today", path="/")]
        pages += [Page(what=what, path=f"/customers/{key}") for what, key in _customers(plan, utility.key)]
        if row := conn.execute(_queries.bill_with_two_rates).fetchone():
            pages.append(Page(what="a bill with two rates inside", path=f"/bills/{row[0]}"))
        if held:
            pages.append(Page(what="bills that are held, and why", path="/billing/exceptions"))
    mine, theirs = counted[utility.key], counted[neighbour.key]
    quarters = mine["interval_readings"] + theirs["interval_readings"]
    readings = sum(each[kind] for each in (mine, theirs) for kind in ("interval_readings", "register_reads"))
    return Summary(
        utility_name=utility.name, **mine, bytes_a_quarter_hour=round(sizes[0] / max(quarters, 1), 2), bytes_a_reading=round((sizes[0] + sizes[1]) / max(readings, 1), 2),
        held=held, neighbour_name=neighbour.name,
        neighbour_customers=theirs["customers"], neighbour_readings=theirs["interval_readings"], steps=steps, seconds=round(seconds, 1), pages=pages, sign_in=f"/sign-in/{secret}",
    )  # fmt: skip


def _customers(plan: DemoPlan, utility: UUID) -> list[tuple[str, UUID]]:
    """A customer of each kind worth seeing, as far as this size of the demo has one."""
    mine = [customer for customer in plan.customers if customer.utility == utility]
    chosen = [(what, next((c.key for c in mine if c.story == story), None)) for what, story in _SEEN]
    chosen.append(("a factory", next((c.key for c in mine if c.customer_class == "industrial"), None)))
    return [(what, key) for what, key in chosen if key is not None]
