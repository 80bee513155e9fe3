"""What the tests of meters stand on: places, people and types of meters, and the verbs of a clerk, each in a transaction of its own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from mains.base.db import Actor, Database
from mains.base.ids import uuid7
from mains.devices import commands, lifecycle, queries
from mains.devices.lifecycle import ModelChannel
from mains.metering import fieldwork

SPRING = datetime(2026, 4, 1, 5, tzinfo=UTC)
"""Local midnight in Chicago, in summer time."""
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SMART = (ModelChannel(register="1", unit="Wh", interval_s=900), ModelChannel(register="total", unit="kWh", pow10=-1))


def found_field(admin, code: str) -> Actor:
    utility_id = uuid7()
    admin.execute("SELECT set_config('app.actor', 'tests', false)")
    admin.execute("SELECT network.found_utility(%s, %s, %s, 'municipal', '{electric,gas,water}', 'USD', 'America/Chicago')", [utility_id, code.title(), code])
    return Actor(role="staff", utility_id=utility_id, name="Ada Clerk")


@dataclass(kw_only=True)
class Field:
    database: Database
    clerk: Actor
    second: Actor
    third: Actor

    def new(self, prefix: str = "M") -> str:
        return f"{prefix}-{uuid7().hex[-12:]}"

    def ask(self, query: str, *values):
        with self.database.transaction(actor=self.clerk) as conn:
            return conn.execute(query, values).fetchall()

    def point(self, *, commodity: str = "electric", timezone: str = "America/Chicago") -> UUID:
        number = self.new("SP")
        premise = self.ask("INSERT INTO customers.premises (premise_number, address_line, city) VALUES (%s, '1 Main St', 'Prairie') RETURNING premise_id", number)[0][0]
        query = "INSERT INTO customers.service_points (premise_id, service_point_number, commodity, timezone) VALUES (%s, %s, %s, %s) RETURNING service_point_id"
        return self.ask(query, premise, number, commodity, timezone)[0][0]

    def home(self, **person) -> tuple[UUID, UUID]:
        """A point with somebody who lives there since 2025: point and customer."""
        point = self.point()
        columns = {"customer_number": self.new("C"), "full_name": "Ada Smith", "customer_class": "residential"} | person
        customer = self.ask(
            "INSERT INTO customers.customers (customer_number, full_name, customer_class, is_protected) VALUES (%s, %s, %s, %s) RETURNING customer_id",
            columns["customer_number"], columns["full_name"], columns["customer_class"], columns.get("is_protected", False),
        )[0][0]  # fmt: skip
        columns = "customer_id, service_point_id, account_number, commodity, active_period"
        self.ask(f"INSERT INTO customers.service_accounts ({columns}) VALUES (%s, %s, %s, 'electric', '[2025-01-01,)') RETURNING 1", customer, point, self.new("A"))
        return point, customer

    def model(self, channels=SMART, **more) -> str:
        code = self.new("T")
        with self.database.transaction(actor=self.clerk) as conn:
            lifecycle.define_model(conn, model_code=code, channels=channels, **({"commodity": "electric", "dial_digits": 6, "has_switch": True} | more))
        return code

    def meter(self, **more) -> str:
        """A meter in inventory since New Year."""
        number = self.new()
        given = {"at": datetime(2026, 1, 1, tzinfo=UTC), "now": NOW, "reason": "delivered"} | more
        with self.database.transaction(actor=self.clerk) as conn:
            lifecycle.register(conn, meter_number=number, **({"commodity": "electric"} | given if "model_code" not in given else given))
        return number

    def install(self, number: str, point: UUID, at: datetime = SPRING, **more):
        with self.database.transaction(actor=self.clerk) as conn:
            return fieldwork.install(conn, number, service_point_id=point, at=at, now=NOW, **({"reason": "new home"} | more))

    def remove(self, number: str, at: datetime, **more):
        with self.database.transaction(actor=self.clerk) as conn:
            return fieldwork.remove(conn, number, at=at, now=NOW, **({"reason": "house torn down"} | more))

    def exchange(self, old: str, new: str, at: datetime, **more):
        with self.database.transaction(actor=self.clerk) as conn:
            return fieldwork.exchange(conn, old, new, at=at, now=NOW, **({"reason": "calibration ran out"} | more))

    def restock(self, number: str, at: datetime) -> None:
        with self.database.transaction(actor=self.clerk) as conn:
            lifecycle.restock(conn, number, at=at, now=NOW, reason="tested good")

    def retire(self, number: str, at: datetime) -> None:
        with self.database.transaction(actor=self.clerk) as conn:
            lifecycle.retire(conn, number, at=at, now=NOW, reason="worn out")

    def status(self, number: str) -> str:
        with self.database.transaction(actor=self.clerk) as conn:
            return lifecycle.meter_by_number(conn, number).meter_status

    def steps(self, number: str) -> list[str]:
        with self.database.transaction(actor=self.clerk) as conn:
            return [step.step for step in queries.steps_of(conn, lifecycle.meter_by_number(conn, number).meter_id)]

    def places(self, number: str):
        with self.database.transaction(actor=self.clerk) as conn:
            return [(each.from_at, each.to_at, each.reason) for each in queries.installations_of(conn, [lifecycle.meter_by_number(conn, number).meter_id])]

    def states(self, number: str):
        with self.database.transaction(actor=self.clerk) as conn:
            return [(each.state, each.from_at, each.to_at) for each in queries.service_states_of(conn, lifecycle.meter_by_number(conn, number).meter_id)]

    # commands

    def order(self, number: str, kind: str, at: datetime, **more):
        with self.database.transaction(actor=self.clerk) as conn:
            return commands.request(conn, number, kind, at=at, **({"reason": "no payment", "idempotency_key": self.new("K")} | more))

    def approve(self, command, at: datetime, by: Actor | None = None):
        with self.database.transaction(actor=by or self.second) as conn:
            return commands.approve(conn, command.command_id, at=at)

    def cancel(self, command, at: datetime):
        with self.database.transaction(actor=self.clerk) as conn:
            return commands.cancel(conn, command.command_id, at=at, reason="paid at the counter")

    def claim(self, at: datetime, **more):
        with self.database.transaction(actor=self.clerk) as conn:
            return commands.claim(conn, at=at, **({"worker": "head-end 1"} | more))

    def acknowledge(self, command, at: datetime):
        with self.database.transaction(actor=self.clerk) as conn:
            return commands.acknowledge(conn, command.command_id, at=at)

    def finish(self, command, at: datetime, **result):
        with self.database.transaction(actor=self.clerk) as conn:
            return commands.finish(conn, command.command_id, at=at, result=result)

    def fail(self, command, at: datetime):
        with self.database.transaction(actor=self.clerk) as conn:
            return commands.fail(conn, command.command_id, at=at, finding="no radio")

    def expire(self, at: datetime) -> int:
        with self.database.transaction(actor=self.clerk) as conn:
            return commands.expire(conn, at=at)

    def look(self, command, at: datetime):
        with self.database.transaction(actor=self.clerk) as conn:
            return commands.command(conn, command.command_id, at=at)

    def smart_home(self, **person) -> tuple[str, UUID]:
        """A meter with a switch at somebody's home: its number, and the customer."""
        point, customer = self.home(**person)
        number = self.meter(model_code=self.model())
        self.install(number, point)
        return number, customer


def figures(**shown: str) -> dict[str, Decimal]:
    return {register: Decimal(figure) for register, figure in shown.items()}
