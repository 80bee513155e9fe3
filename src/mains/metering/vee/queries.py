"""Reads of validation: deliveries that wait, policies and rules in force, the work list, edits, and what holds bills."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from mains.base.problems import NotFound
from mains.base.sql import Statements

_sql = Statements("mains.metering.vee", "queries.sql")

STATUSES = ("open", "re_read", "accepted", "estimated", "edited", "resolved")
UNSETTLED = ("open", "re_read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A delivery that is stored and not yet validated."""

    batch_id: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a utility wants validation to work on the local dates [from_date, to_date), None where open."""

    profile: str = "default"
    has_four_eyes: bool = False
    is_holding_bills: bool = True
    is_estimating: bool = False
    context_days: int = 28
    from_date: date | None = None
    to_date: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether it holds on a local date."""
        return (self.from_date is None or self.from_date <= day) and (self.to_date is None or day < self.to_date)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRule:
    """What a utility changes of a rule, on the local dates [from_date, to_date)."""

    vee_rule_id: UUID
    rule_name: str
    meter_class: str
    parameters: dict[str, Any]
    severity: str | None
    is_off: bool
    from_date: date | None
    to_date: date | None

    def holds_on(self, day: date) -> bool:
        """Whether it holds on a local date."""
        return (self.from_date is None or self.from_date <= day) and (self.to_date is None or day < self.to_date)


@dataclass(frozen=True, slots=True, kw_only=True)
class VeeException:
    """One entry of the work list: readings of [from_at, to_at) that a rule questions, and what was decided."""

    vee_exception_id: int
    channel_id: int
    meter_number: str
    register: str
    interval_s: int | None
    from_at: datetime
    to_at: datetime
    rule_number: int
    rule_name: str
    severity: str
    finding: str
    measured: float | None
    limit_value: float | None
    is_marked: bool
    batch_id: int | None
    exception_status: str
    found_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which exceptions are meant: every part that is given must hold; `statuses` None means all states."""

    ids: tuple[int, ...] | None = None
    statuses: tuple[str, ...] | None = UNSETTLED
    rule_name: str | None = None
    severity: str | None = None
    channel_id: int | None = None
    meter_number: str | None = None
    batch_id: int | None = None
    zone_code: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None

    def asked(self) -> dict[str, Any]:
        """The parts as a statement's parameters."""
        return {
            "ids": None if self.ids is None else list(self.ids), "statuses": None if self.statuses is None else list(self.statuses), "rule_name": self.rule_name,
            "severity": self.severity, "channel_id": self.channel_id, "meter_number": self.meter_number, "batch_id": self.batch_id, "zone_code": self.zone_code,
            "from_at": self.from_at, "to_at": self.to_at,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionTotal:
    """How many exceptions there are of one rule, severity and state, on how many channels, from when to when."""

    rule_number: int
    rule_name: str
    severity: str
    exception_status: str
    exceptions: int
    channels: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Values put, or to be put, in place of readings in [from_at, to_at): raw, one an interval, None where the reading stays."""

    edit_id: UUID
    channel_id: int
    meter_number: str
    from_at: datetime
    to_at: datetime
    interval_s: int
    edit_kind: str
    method: str
    new_values: list[int | None]
    reason: str
    vee_exception_id: int | None
    edit_status: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    batch_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An open failure over readings that somebody asked about: `n` is the place of the question, from 1."""

    n: int
    vee_exception_id: int
    rule_name: str
    from_at: datetime
    to_at: datetime
    finding: str


def waiting_deliveries(conn: Connection, *, batches: Sequence[int] | None = None, is_again: bool = False) -> list[Waiting]:
    """Deliveries that are stored and not yet validated, in the order of their numbers; among some where they are named, with `is_again` all of those."""
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(_sql.waiting_deliveries, {"batches": None if batches is None else list(batches), "is_again": is_again and batches is not None}).fetchall()


def policies(conn: Connection) -> list[Policy]:
    """What the utility said of validation, in order of time."""
    with conn.cursor(row_factory=class_row(Policy)) as cursor:
        return cursor.execute(_sql.policies).fetchall()


def policy_on(conn: Connection, day: date) -> Policy:
    """The policy that holds on a local date; the defaults where the utility said nothing."""
    return next((each for each in policies(conn) if each.holds_on(day)), Policy())


def own_rules(conn: Connection) -> list[OwnRule]:
    """What the utility changes of its profile's rules, in order of rule, class and time."""
    with conn.cursor(row_factory=class_row(OwnRule)) as cursor:
        return cursor.execute(_sql.rule_rows).fetchall()


def exceptions_page(conn: Connection, wanted: Wanted, *, before: int | None = None, limit: int = 100) -> list[VeeException]:
    """At most `limit` exceptions that are wanted, newest first, before one."""
    with conn.cursor(row_factory=class_row(VeeException)) as cursor:
        return cursor.execute(_sql.exceptions_page, wanted.asked() | {"before": before, "limit": limit}).fetchall()


def vee_exception(conn: Connection, vee_exception_id: int) -> VeeException:
    """One exception.

    Raises:
        NotFound: there is none of this number here.
    """
    found = exceptions_page(conn, Wanted(ids=(vee_exception_id,), statuses=None), limit=1) if -(2**63) <= vee_exception_id < 2**63 else []
    if not found:
        raise NotFound(f"there is no exception {vee_exception_id}", cure="mains vee exceptions lists them")
    return found[0]


def exception_totals(conn: Connection, *, with_closed: bool = False) -> list[ExceptionTotal]:
    """The work list in numbers, the most first."""
    with conn.cursor(row_factory=class_row(ExceptionTotal)) as cursor:
        return cursor.execute(_sql.exception_totals, {"with_closed": with_closed}).fetchall()


def edits_page(
    conn: Connection, *, channel_id: int | None = None, edit_id: UUID | None = None, edit_status: str | None = None, from_at: datetime | None = None, to_at: datetime | None = None,
    limit: int = 100,
) -> list[Edit]:  # fmt: skip
    """Edits and estimates, newest first, of what is asked."""
    asked = {"channel_id": channel_id, "edit_id": edit_id, "edit_status": edit_status, "from_at": from_at, "to_at": to_at, "limit": limit}
    with conn.cursor(row_factory=class_row(Edit)) as cursor:
        return cursor.execute(_sql.edits_page, asked).fetchall()


def failures(conn: Connection, spans: Sequence[tuple[int, datetime, datetime]]) -> list[Failure]:
    """Open failures that touch stretches of channels (channel, from, to), in the order asked."""
    asked = {"channels": [each[0] for each in spans], "starts": [each[1] for each in spans], "ends": [each[2] for each in spans]}
    with conn.cursor(row_factory=class_row(Failure)) as cursor:
        return cursor.execute(_sql.failures_of_channels, asked).fetchall()


def channels_not_validated(conn: Connection, channel_ids: Sequence[int], from_at: datetime, to_at: datetime) -> set[int]:
    """Which channels have days of deliveries that are not validated, in [from_at, to_at)."""
    waiting = waiting_deliveries(conn)
    if not waiting:
        return set()
    asked = {"batches": [each.batch_id for each in waiting], "channels": list(channel_ids), "from_at": from_at, "to_at": to_at}
    return {row[0] for row in conn.execute(_sql.channels_not_validated, asked)}
