"""A small town to bill: one utility, its rates, and people who move in, told in the words of a clerk."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from mains.base.bulk import insert_rows
from mains.base.db import Actor, Database
from mains.base.ids import uuid7
from mains.billing import operations as billing
from mains.billing.runs import RunReport, run_cycle
from mains.customers import operations as customers
from mains.metering import operations as metering
from mains.metering import store
from mains.metering.blocks import encode
from mains.metering.vee import work_list
from mains.metering.vee.queries import Wanted
from mains.metering.vee.running import run_pending
from mains.rates.calendars import Calendar, Schedule, ScheduleRow, Span
from mains.rates.model import Demand, Energy, Fixed, Ladder, Minimum, Percent, RateVersion, Tier
from mains.rates.operations import publish_rate

ZONE = "America/Chicago"
OFFSET = -360
AFTERWARDS = datetime(2026, 11, 20, 15, tzinfo=UTC)


def tier(price: str, up_to: str | None = None) -> Tier:
    return Tier(price=Decimal(price), up_to=Decimal(up_to) if up_to else None)


def home_rate(*, price: str = "0.10", effective_from: date = date(2025, 1, 1), name: str = "Home") -> RateVersion:
    """12.50 a month, two tiers of 500 kWh, 7 % tax on everything."""
    return RateVersion(
        name=name,
        effective_from=effective_from,
        calendar=Calendar(timezone=ZONE),
        charges=(
            Fixed(id="customer", label="Customer charge", amount=Decimal("12.50"), tags=("fixed",), clause="Sheet 1, A"),
            Energy(
                id="energy",
                label="Energy",
                ladders=(Ladder(tiers=(tier(price, "500"), tier("0.15"))),),
                tags=("energy",),
                clause="Sheet 1, B",
            ),
            Percent(id="tax", label="Sales tax", rate=Decimal("0.07"), of=("customer", "energy"), tags=("tax",), clause="Sheet 9"),
        ),
    )


def shop_rate() -> RateVersion:
    """On-peak and off-peak energy, and demand, with a minimum."""
    day = Schedule(
        name="hours",
        rows=(
            ScheduleRow(
                days=("weekday",),
                spans=(
                    Span(starts="00:00", ends="12:00", period="off"),
                    Span(starts="12:00", ends="20:00", period="on"),
                    Span(starts="20:00", ends="24:00", period="off"),
                ),
            ),
            ScheduleRow(days=("weekend", "holiday"), spans=(Span(starts="00:00", ends="24:00", period="off"),)),
        ),
    )
    return RateVersion(
        name="Shop",
        effective_from=date(2025, 1, 1),
        calendar=Calendar(timezone=ZONE, schedules=(day,)),
        charges=(
            Fixed(id="customer", label="Customer charge", amount=Decimal(40)),
            Energy(
                id="energy",
                label="Energy",
                schedule="hours",
                pool="period",
                ladders=(Ladder(period="on", tiers=(tier("0.20"),)), Ladder(period="off", tiers=(tier("0.08"),))),
            ),
            Demand(id="demand", label="Demand", ladders=(Ladder(tiers=(tier("9.75"),)),), window_minutes=15),
            Minimum(id="minimum", label="Minimum bill", amount=Decimal(100)),
        ),
    )


def gas_rate() -> RateVersion:
    return RateVersion(
        name="Gas",
        commodity="gas",
        effective_from=date(2025, 1, 1),
        calendar=Calendar(timezone=ZONE),
        charges=(
            Fixed(id="customer", label="Customer charge", amount=Decimal("9.00")),
            Energy(id="gas", label="Gas", unit="therm", ladders=(Ladder(tiers=(tier("0.85"),)),)),
        ),
    )


@dataclass(kw_only=True)
class Town:
    """A utility with its database; every verb is one transaction of its clerk."""

    database: Database
    clerk: Actor
    rates: dict[str, UUID] = field(default_factory=dict)
    numbers: int = 0

    def next_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def publish(self, code: str, version: RateVersion) -> UUID:
        with self.database.transaction(actor=self.clerk) as conn:
            version_id = publish_rate(conn, code=code, version=version)
            self.rates[code] = conn.execute(
                "SELECT rate_schedule_id FROM rates.rate_versions WHERE rate_version_id = %s", [version_id]
            ).fetchone()[0]
            return version_id

    def service_point(self, commodity: str = "electric") -> UUID:
        number, premise, point = self.next_number(), uuid7(), uuid7()
        with self.database.transaction(actor=self.clerk) as conn:
            insert_rows(
                conn,
                "customers.premises",
                ("premise_id", "premise_number", "address_line", "city"),
                [(premise, f"P{number}", f"{number} Elm Street", "Prairie")],
            )
            insert_rows(
                conn,
                "customers.service_points",
                ("service_point_id", "premise_id", "service_point_number", "commodity", "timezone"),
                [(point, premise, f"SP{number}", commodity, ZONE)],
            )
        return point

    def customer(self, name: str = "Ada Smith") -> UUID:
        with self.database.transaction(actor=self.clerk) as conn:
            return customers.register_customer(conn, customer_number=f"C{self.next_number()}", full_name=name, customer_class="residential")

    def moves_in(
        self,
        *,
        rate: str,
        on: date = date(2025, 6, 1),
        point: UUID | None = None,
        commodity: str = "electric",
        customer: UUID | None = None,
    ) -> UUID:
        point, customer = point or self.service_point(commodity), customer or self.customer()
        with self.database.transaction(actor=self.clerk) as conn:
            return customers.move_in(
                conn,
                customer_id=customer,
                service_point_id=point,
                account_number=f"A{self.next_number():05d}",
                rate_schedule_id=self.rates[rate],
                from_date=on,
            )

    def moves_out(self, account: UUID, on: date) -> None:
        with self.database.transaction(actor=self.clerk) as conn:
            customers.move_out(conn, account_id=account, to_date=on)

    def meter(
        self, point: UUID, *, commodity: str = "electric", since: datetime | None = None, until: datetime | None = None, **channel
    ) -> int:
        """Hang a meter with one channel; gives the channel."""
        meter, number = uuid7(), f"M{self.next_number()}"
        facts = {"register": "1", "unit": "Wh", "interval_s": 900, "utc_offset_min": OFFSET, "commodity": commodity} | channel
        since = since or midnight(date(2025, 6, 1))
        with self.database.transaction(actor=self.clerk) as conn:
            insert_rows(conn, "devices.meters", ("meter_id", "meter_number", "commodity", "dial_digits"), [(meter, number, commodity, 5)])
            span = f"[{since.isoformat()},{until.isoformat() if until else ''})"
            insert_rows(conn, "devices.meter_installations", ("meter_id", "service_point_id", "installed_period"), [(meter, point, span)])
            metering.register_channels(conn, [metering.NewChannel(meter_id=meter, **facts)])
            return conn.execute("SELECT channel_id FROM metering.channels WHERE meter_id = %s", [meter]).fetchone()[0]

    def home(self, *, rate: str = "home", on: date = date(2025, 6, 1)) -> tuple[UUID, int]:
        """A service point with a meter and somebody who lives there: account and channel."""
        point = self.service_point()
        channel = self.meter(point)
        return self.moves_in(rate=rate, on=on, point=point), channel

    def measures(self, channel: int, values, *, first: date, quality=0) -> None:
        """Quarter hours of standard-time days from a date on, delivered as a head-end would; values [days, 96] Wh, or one value for all of some days."""
        values = np.asarray(values, dtype=np.int32)
        starts = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) - OFFSET * 60 + 86_400 * np.arange(len(values))
        blocks = encode(channel_id=np.full(len(values), channel), block_start=starts, values=values, utc_offset_min=OFFSET, quality=quality)
        instants = [datetime.fromtimestamp(int(start), UTC) for start in (starts[0], starts[-1])]
        with self.database.transaction(actor=self.clerk) as conn:
            metering.ensure_partitions(conn, from_at=instants[0], to_at=instants[1])
        with self.database.transaction(actor=self.clerk) as conn:
            batch = metering.open_batch(conn, source="test", format="arrays", sha256=bytes(32), at=AFTERWARDS)
            store.open_staging(conn)
            store.stage(conn, [blocks], utility_id=self.clerk.utility_id, batch_id=batch)
            stored = store.merge_staged(conn, utility_id=self.clerk.utility_id, batch_id=batch)
            metering.close_batch(
                conn,
                batch_id=batch,
                found=blocks.readings,
                accepted=blocks.readings - stored.refused,
                quarantined=stored.refused,
                new=stored.new,
                changed=stored.changed,
            )

    def reads(self, channel: int, *reads: tuple[datetime, int]) -> None:
        """Register reads: instant and dial."""
        with self.database.transaction(actor=self.clerk) as conn:
            batch = metering.open_batch(conn, source="reader", format="arrays", sha256=bytes(32), at=AFTERWARDS)
            insert_rows(
                conn,
                "metering.register_reads",
                ("channel_id", "read_at", "raw", "batch_id"),
                [(channel, at, raw, batch) for at, raw in reads],
            )
            metering.close_batch(conn, batch_id=batch, found=len(reads), accepted=len(reads), new=len(reads))

    def accepts_failures(self) -> int:
        """A clerk looks at what the rules question, and accepts all of it; how many exceptions."""
        run_pending(self.database, self.clerk, at=AFTERWARDS, processes=1)
        with self.database.transaction(actor=self.clerk) as conn:
            found = work_list.matching(conn, Wanted(severity="failure"))
        work_list.accept(self.database, self.clerk, [each.vee_exception_id for each in found], at=AFTERWARDS, reason="the customer says so")
        return len(found)

    def bills(self, first: date, end: date, *, at: datetime = AFTERWARDS) -> RunReport:
        return run_cycle(self.database, actor=self.clerk, cycle_code="monthly", period=(first, end), at=at)

    def ask(self, query: str, *values):
        with self.database.transaction(actor=self.clerk) as conn:
            return conn.execute(query, values).fetchall()

    def bill_of(self, account: UUID, first: date):
        """(bill id, total) of the standing bill that begins on a date."""
        found = self.ask(
            "SELECT bill_id, total_amount FROM billing.bills WHERE account_id = %s AND billing_period_start = %s AND billing_status <> 'cancelled'",
            account,
            first,
        )
        return found[0] if found else None

    def held(self, account: UUID) -> list[str]:
        return [
            row[0]
            for row in self.ask(
                "SELECT code FROM billing.bill_exceptions WHERE account_id = %s AND exception_status = 'open' ORDER BY code", account
            )
        ]


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE))


def days_between(first: date, end: date) -> int:
    """Standard-time days that cover the local dates [first, end), with one to spare before for summer time."""
    return (end - first + timedelta(days=1)).days


def found_town(database: Database, code: str) -> Town:
    utility_id = uuid7()
    with database.administering() as admin:
        admin.execute("SELECT set_config('app.actor', 'tests', true)")
        admin.execute(
            "SELECT network.found_utility(%s, %s, %s, 'municipal', '{electric,gas,water}', 'USD', %s)",
            [utility_id, code.title(), code, ZONE],
        )
    town = Town(database=database, clerk=Actor(role="staff", utility_id=utility_id, name="Ada Clerk"))
    with database.transaction(actor=town.clerk) as conn:
        billing.make_cycle(conn, cycle_code="monthly", description="Everybody, by calendar month", due_days=21)
    return town
