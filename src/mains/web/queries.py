"""Reads that cross domains, for the screens: one typed function a query."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
from psycopg import Connection
from psycopg.rows import class_row

from mains.base.problems import NotFound
from mains.base.sql import Statements
from mains.metering.load import packed_blocks
from mains.web.views import Event, HeldBill

_sql = Statements("mains.web", "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """One agreement with place, rate, meter and main channel; `interval_s` None for a dial, of which `reads_lately` counts the reads of its last 35 days.

    `last_reading_at` is the end of what was read last; `billed_unit` the unit of the bills, None before the first.
    """

    account_id: UUID
    account_number: str
    commodity: str
    account_status: str
    timezone: str
    address_line: str
    city: str
    opened_at: datetime
    closed_at: datetime | None
    rate_schedule_name: str | None
    meter_number: str | None
    channel_id: int | None
    interval_s: int | None
    last_reading_at: datetime | None
    reads_lately: int | None
    billed_unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """A channel and the instants [from_at, to_at) for which it measured an agreement; a raw step is `units_per_step` of `unit`."""

    channel_id: int
    meter_number: str
    dial_digits: int | None
    unit: str
    units_per_step: Decimal
    interval_s: int | None
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlace:
    """Whose an agreement is, where it is supplied, from when to when, in which zone of time, in which unit it is billed (None before the first bill)."""

    account_id: UUID
    customer_id: UUID
    full_name: str
    commodity: str
    premise_address: str
    timezone: str
    opened_at: datetime
    closed_at: datetime | None
    billed_unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDays:
    """Stored days of a channel that have one version; dates of its standard time."""

    version: int
    days: int
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The bill before a bill, the one in its place, and who made it; None where there is none."""

    previous_id: UUID | None
    replaced_by: UUID | None
    calculated_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The utility in numbers."""

    customers: int
    accounts: dict[str, int]
    readings: int
    last_delivery_at: datetime | None
    held: int
    held_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What was billed for periods that began in a month, in the utility's currency."""

    month: date
    bills: int
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Why readings of a delivery were set aside; the first message and place stand for all."""

    batch_id: int
    code: str
    readings: int
    message: str
    cure: str
    line: int | None
    notes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing found; `id` is of its bill, or of its customer for everything else."""

    kind: str
    id: UUID
    title: str
    detail: str


def services_of_customer(conn: Connection, customer_id: UUID) -> list[ServiceRow]:
    """The agreements of a customer, open ones first."""
    with conn.cursor(row_factory=class_row(ServiceRow)) as cursor:
        return cursor.execute(_sql.services_of_customer, {"customer_id": customer_id}).fetchall()


def channels_of_account(conn: Connection, account_id: UUID, *, from_at: datetime, to_at: datetime) -> list[ChannelRow]:
    """The channels that measured an agreement in [from_at, to_at), each with the instants it did."""
    with conn.cursor(row_factory=class_row(ChannelRow)) as cursor:
        return cursor.execute(_sql.channels_of_account, {"account_id": account_id, "from_at": from_at, "to_at": to_at}).fetchall()


def place_of_account(conn: Connection, account_id: UUID, *, customer_id: UUID | None = None) -> AccountPlace:
    """Where an agreement is supplied, and whose it is.

    Raises:
        NotFound: there is no such agreement here, or it is not that customer's.
    """
    with conn.cursor(row_factory=class_row(AccountPlace)) as cursor:
        found = cursor.execute(_sql.place_of_account, {"account_id": account_id}).fetchone()
    if found is None or (customer_id is not None and found.customer_id != customer_id):
        raise NotFound(f"there is no account {account_id}{' of this customer' if customer_id else ''} here", cure="open it from its customer's page")
    return found


def stored_days(conn: Connection, channel_id: int, *, from_at: datetime, to_at: datetime, as_of: datetime | None = None) -> list[StoredDays]:
    """The stored days of a channel in [from_at, to_at), live and closed, by version; as the store held them at `as_of` where one is given."""
    found: dict[int, list[date]] = defaultdict(list)
    for packed in packed_blocks(conn, np.array([channel_id], dtype=np.int64), from_at, to_at, as_of=as_of):
        starts = packed.block_start + packed.utc_offset_min.astype(np.int64) * 60
        for version, start in zip(packed.records["version"].tolist(), starts.tolist(), strict=True):
            found[version].append(datetime.fromtimestamp(start, UTC).date())
    return [StoredDays(version=version, days=len(days), first_day=min(days), last_day=max(days)) for version, days in sorted(found.items())]


def zone_name(conn: Connection, zone_id: UUID | None) -> str | None:
    """The name of a service zone."""
    row = conn.execute(_sql.zone_name, {"zone_id": zone_id}).fetchone() if zone_id else None
    return row[0] if row else None


def receivable_of_bills(conn: Connection, bill_ids: Iterable[UUID]) -> dict[UUID, Decimal]:
    """What is still owed on each bill; 0 where it is paid, left out where it was never posted to the ledger."""
    return dict(conn.execute(_sql.receivable_of_bills, {"bill_ids": list(bill_ids)}).fetchall())


def around_bill(conn: Connection, bill_id: UUID) -> Around:
    """The bill before this one, the one in its place, and who made it."""
    with conn.cursor(row_factory=class_row(Around)) as cursor:
        found = cursor.execute(_sql.bills_around, {"bill_id": bill_id}).fetchone()
    return found or Around(previous_id=None, replaced_by=None, calculated_by=None)


def events_of_customer(conn: Connection, customer_id: UUID, *, at: datetime, limit: int) -> list[Event]:
    """What happened to a customer beside bills and payments, newest first."""
    with conn.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(_sql.events_of_customer, {"customer_id": customer_id, "at": at, "limit": limit}).fetchall()


def counts(conn: Connection) -> Counts:
    """The utility in numbers."""
    with conn.cursor(row_factory=class_row(Counts)) as cursor:
        found = cursor.execute(_sql.counts).fetchone()
    assert found is not None  # it always answers
    return found


def billed_by_month(conn: Connection, *, limit: int = 13) -> list[Billed]:
    """What was billed for the last months, oldest first."""
    with conn.cursor(row_factory=class_row(Billed)) as cursor:
        return cursor.execute(_sql.billed_by_month, {"limit": limit}).fetchall()[::-1]


def quarantine_reasons(conn: Connection, batch_ids: Iterable[int]) -> list[SetAside]:
    """Why readings of some deliveries were set aside."""
    with conn.cursor(row_factory=class_row(SetAside)) as cursor:
        return cursor.execute(_sql.quarantine_reasons, {"batch_ids": list(batch_ids)}).fetchall()


def held_bills(conn: Connection, *, limit: int, customer_id: UUID | None = None) -> list[HeldBill]:
    """Bills that wait for a person, of all customers or one, oldest first."""
    with conn.cursor(row_factory=class_row(HeldBill)) as cursor:
        return cursor.execute(_sql.held_bills, {"limit": limit, "customer_id": customer_id}).fetchall()


def found(conn: Connection, words: str, *, limit: int) -> list[Found]:
    """What matches some words, at most `limit` of each kind."""
    literal = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    with conn.cursor(row_factory=class_row(Found)) as cursor:
        return cursor.execute(_sql.found, {"begins": f"{literal}%", "inside": f"%{literal}%", "limit": limit}).fetchall()
