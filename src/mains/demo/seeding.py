"""From the plan to rows: utilities, staff, customers, what hangs at their premises, their agreements, and the tariff book.

Each utility's rows are written in one transaction of its own actor, under row-level security, with the audit log; so a utility is there whole or not at all.
"""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from psycopg import Connection

from mains.base.bulk import insert_rows
from mains.base.db import Database
from mains.base.periods import local_midnight
from mains.base.sql import Statements
from mains.demo import seeding_network, tariffs
from mains.demo.model import DemoPlan, Place, Utility
from mains.identity import operations as identity
from mains.metering import operations as metering
from mains.rates.documents import from_document
from mains.rates.operations import publish_rate

_sql = Statements("mains.demo", "operations.sql")
_queries = Statements("mains.demo", "queries.sql")

STAFF = {
    "riverbend": (
        ("demo@riverbend.example.org", "Dana Rivers", "staff"),
        ("auditor@riverbend.example.org", "Avery Stone", "auditor"),
        ("regulator@riverbend.example.org", "Riverbend City Council", "regulator"),
    ),
    "mesa": (("demo@mesa.example.org", "Morgan Field", "staff"),),
}
"""Who signs in at each utility: login, name, role; the first is the one the demo's link is for."""


def found_utilities(database: Database, utilities: Iterable[Utility]) -> None:
    """Set up the utilities, which no tenant can do for itself."""
    with database.administering() as conn:
        conn.execute(_sql.act_as_founder)
        for utility in utilities:
            values = {"key": utility.key, "name": utility.name, "code": utility.code, "kind": utility.kind}
            conn.execute(_sql.found_utility, values | {"commodities": list(utility.commodities), "timezone": utility.timezone})


def seed_utility(conn: Connection, plan: DemoPlan, utility: Utility, *, at: datetime) -> None:
    """Everything of one utility but readings, bills and what follows from them; `conn` acts for it."""
    values = {"key": utility.key, "regulator_name": utility.regulator_name, "contact_address": utility.contact_address}
    conn.execute(_sql.describe_utility, values | {"service_area": polygon(utility.service_area)})
    for login, name, role in STAFF[utility.code]:
        identity.hire_staff(conn, login=login, full_name=name, role=role, at=at)
    seeding_network.seed_network(conn, plan, utility)
    _customers(conn, plan, utility)
    _meters(conn, plan, utility)
    _rate_book(conn, plan, utility)
    _agreements(conn, plan, utility)


def _customers(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """Customers, premises and service points."""
    columns = ["customer_id", "customer_number", "full_name", "customer_class", "email", "phone", "language", "service_status"]
    insert_rows(
        conn, "customers.customers", [*columns, "service_zone_id", "geolocation", "is_protected", "created_at"],
        (
            (
                c.key, c.customer_number, c.full_name, c.customer_class, c.email, c.phone, c.language, c.service_status, c.zone, point(c.place), c.is_protected,
                midnight(utility, c.since),
            )
            for c in plan.customers if c.utility == utility.key
        ),
    )  # fmt: skip
    columns = ["premise_id", "premise_number", "address_line", "city", "region", "postal_code", "premise_type", "service_zone_id", "geolocation"]
    insert_rows(
        conn, "customers.premises", columns,
        ((p.key, p.premise_number, p.address_line, p.city, p.region, p.postal_code, p.kind, p.zone, point(p.place)) for p in plan.premises if p.utility == utility.key),
    )  # fmt: skip
    columns = ["service_point_id", "premise_id", "service_point_number", "commodity", "service_zone_id", "node_id", "timezone", "nominal_voltage_v"]
    insert_rows(
        conn, "customers.service_points", [*columns, "phases", "service_size", "is_critical"],
        (
            (s.key, s.premise, s.service_point_number, s.commodity, s.zone, s.node, s.timezone, s.nominal_voltage_v, s.phases, s.service_size, s.is_critical)
            for s in plan.service_points if s.utility == utility.key
        ),
    )  # fmt: skip


def _meters(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """Meters, where they hung, and their channels."""
    columns = ["meter_id", "meter_number", "commodity", "manufacturer", "model", "dial_digits", "meter_status"]
    insert_rows(
        conn, "devices.meters", columns,
        ((m.key, m.meter_number, m.commodity, m.manufacturer, m.model, m.dial_digits, m.status) for m in plan.meters if m.utility == utility.key),
    )  # fmt: skip
    insert_rows(
        conn, "devices.meter_installations", ["meter_installation_id", "meter_id", "service_point_id", "installed_period", "reason"],
        ((i.key, i.meter, i.service_point, period(i.from_at, i.to_at), i.reason) for i in plan.installations if i.utility == utility.key),
    )  # fmt: skip
    metering.register_channels(
        conn,
        [
            metering.NewChannel(
                meter_id=c.meter, register=c.register, commodity=c.commodity, unit=c.unit, utc_offset_min=utility.utc_offset_minutes, flow=c.flow, pow10=c.power_of_ten,
                interval_s=c.interval_s,
            )
            for c in plan.channels
            if c.utility == utility.key
        ],
    )


def _rate_book(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """The utility's rates, and the heat content of its gas."""
    for tariff in plan.tariffs:
        if tariff["utility"] == utility.code:
            for document in tariff["versions"]:
                publish_rate(conn, code=tariff["code"], version=from_document(document), customer_class=tariff["customer_class"], approved_by="Rates committee")
    if "gas" in utility.commodities:
        insert_rows(
            conn, "rates.index_series", ["series", "from_at", "to_at", "price", "unit"],
            (("gas-heat-content", midnight(utility, start), midnight(utility, end), heat, "ccf") for start, end, heat in tariffs.heat_contents()),
        )  # fmt: skip


def _agreements(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """Service accounts, and which rate each is on."""
    columns = ["account_id", "customer_id", "service_point_id", "account_number", "commodity", "account_status", "active_period"]
    insert_rows(
        conn, "customers.service_accounts", columns,
        (
            (a.key, a.customer, a.service_point, a.account_number, a.commodity, a.status, period(midnight(utility, a.from_date), a.to_date and midnight(utility, a.to_date)))
            for a in plan.accounts if a.utility == utility.key
        ),
    )  # fmt: skip
    schedules: dict[str, UUID] = dict(conn.execute(_queries.schedules_by_code).fetchall())
    insert_rows(
        conn, "customers.rate_assignments", ["rate_assignment_id", "account_id", "rate_schedule_id", "effective_period"],
        ((r.key, r.account, schedules[r.rate], period(r.from_date, r.to_date)) for r in plan.rate_assignments if r.utility == utility.key),
    )  # fmt: skip


def midnight(utility: Utility, day: date) -> datetime:
    """The instant a local date of a utility begins."""
    return local_midnight(day, utility.timezone)


def period(from_at: date | datetime, to_at: date | datetime | None) -> str:
    """A half-open range as text; without an end while it lasts."""
    return f"[{from_at.isoformat()},{to_at.isoformat() if to_at else ''})"


def point(place: Place) -> str:
    """A place as text."""
    return f"({place[0]},{place[1]})"


def polygon(outline: Iterable[Place]) -> str:
    """An outline as text."""
    return f"({','.join(map(point, outline))})"
