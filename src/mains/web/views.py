"""What each page shows: the contract between the pages and the domains.

Values only; amounts and quantities are `Decimal`, instants aware, periods half-open.

Names of facts are the columns' names. A `None` is a fact that is not known, and the page says so.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

COMMODITIES = {"electric": "Electricity", "gas": "Gas", "water": "Water", "sewer": "Sewer", "telecom": "Telecom"}
"""How a commodity is called on a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around every page: the utility, who reads, when, and on which request. `person` is None before sign-in."""

    utility_name: str
    currency: str
    timezone: str
    at: datetime
    person: str | None = None
    request_id: str | None = None
    csrf_token: str | None = None


# ── Home ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number of the home page.

    `unit` stands beside the value; `note` says of what, against what or how old; `tone` is good, calm, live, alarm or a commodity;
    `trend` is oldest first.
    """

    label: str
    value: str
    note: str
    unit: str | None = None
    tone: str = "calm"
    href: str | None = None
    trend: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRun:
    """The latest bill run: what it made, held and found made already, and the bills that stand for the month of its period."""

    run_id: UUID
    cycle_name: str
    billing_period_start: date
    billing_period_end: date
    started_at: datetime
    finished_at: datetime | None
    made: int
    held: int
    existing: int
    standing: int
    standing_amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineReason:
    """Why some readings of a batch were set aside. `example` is the first message, `count` the readings, `notes` how many remarks set none aside."""

    code: str
    count: int
    example: str
    cure: str
    line: int | None = None
    notes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportBatch:
    """One file taken in, in readings: found = accepted + quarantined; of the accepted some were new, some changed what was there, the rest were here before."""

    batch_id: int
    file_name: str
    file_format: str
    received_at: datetime
    accepted: int
    new: int
    changed: int
    quarantined: int
    status: str
    reasons: tuple[QuarantineReason, ...] = ()

    @property
    def found(self) -> int:
        """Readings in the file."""
        return self.accepted + self.quarantined

    @property
    def notes(self) -> int:
        """Remarks that set no reading aside."""
        return sum(reason.notes for reason in self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBill:
    """A bill that a run would not issue, with the reason and what releases it."""

    exception_id: UUID
    account_id: UUID
    account_number: str
    customer_id: UUID
    customer_name: str
    commodity: str
    billing_period_start: date
    billing_period_end: date
    code: str
    reason: str
    cure: str
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """The staff's first page."""

    tiles: tuple[Tile, ...]
    latest_run: BillRun | None
    imports: tuple[ImportBatch, ...]
    held: tuple[HeldBill, ...] = ()
    held_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing found: `kind` is customer, account, meter, bill or premise."""

    kind: str
    title: str
    detail: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """What was found for some words; `is_cut` when there is more."""

    asked: str
    hits: tuple[Hit, ...]
    is_cut: bool = False


# ── Customer ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A way to reach a customer."""

    kind: str
    value: str
    is_verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service account: what is supplied, where, through which meter, at which rate; `next_bill_after` is the last day of the period that is being used now."""

    account_id: UUID
    account_number: str
    commodity: str
    premise_address: str
    service_status: str
    opened_on: date
    closed_on: date | None
    rate_schedule_name: str | None
    meter_number: str | None
    last_reading_at: datetime | None
    reading_interval: str | None
    next_bill_after: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What a customer owes at an instant, from the ledger.

    `ageing` is (days overdue in words, amount), youngest first; its sum is the balance when nothing is prepaid.
    """

    balance: Decimal
    overdue: Decimal
    next_due_amount: Decimal | None
    next_due_date: date | None
    last_payment_amount: Decimal | None
    last_payment_date: date | None
    ageing: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthUse:
    """What one service used in one calendar month; None where nothing was read, `is_outside` where it was not served then, `is_open` where the month is not over.

    `missing_s` is how many seconds of it should have been read by now and were not.
    """

    month: date
    quantity: Decimal | None
    is_estimated: bool = False
    is_open: bool = False
    is_outside: bool = False
    missing_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Thirteen months of one account, oldest first.

    `source` says where the numbers come from; `has_drill` when days and hours can be opened; `note` tells it from another service of the same kind.
    """

    account_id: UUID
    commodity: str
    unit: str
    months: tuple[MonthUse, ...]
    source: str
    has_drill: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """One bill in a list."""

    bill_id: UUID
    bill_number: str
    account_number: str
    commodity: str
    billing_period_start: date
    billing_period_end: date
    issued_at: datetime | None
    due_date: date | None
    total_amount: Decimal
    billing_status: str
    usage_quantity: Decimal | None
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a customer. `kind` is bill, payment, reading, service, contact or outage."""

    at: datetime
    kind: str
    title: str
    detail: str = ""
    href: str | None = None
    tone: str = "calm"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage:
    """One customer: who, what they owe, what they use, what happened."""

    customer_id: UUID
    customer_number: str
    customer_name: str
    customer_class: str
    service_status: str
    customer_since: date | None
    service_zone_name: str | None
    contacts: tuple[Contact, ...]
    services: tuple[Service, ...]
    owed: Owed
    usage: tuple[Usage, ...]
    bills: tuple[BillRow, ...]
    timeline: tuple[Event, ...]
    held: tuple[HeldBill, ...] = ()
    has_more_bills: bool = False


# ── Bill ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePart:
    """A part of a bill's period, local dates [starts_on, ends_on), and the rate version that prices it; `is_whole` where one version prices all of it."""

    part_no: int
    rate_schedule_name: str
    version_number: int
    version_hash: str
    starts_on: date
    ends_on: date
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledMeter:
    """A meter that measured a bill's period, and the instants [from_at, to_at) for which it did."""

    meter_number: str
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a bill: quantity × price (× factor) = amount, and where that comes from.

    `factor` is a part of a period, 1 or None for the whole; a line that is a share of other lines has `share` and no quantity or price; `part` is what priced it.
    """

    line_no: int
    charge_id: str
    label: str
    kind: str
    amount: Decimal
    tags: tuple[str, ...] = ()
    period: str | None = None
    tier: int | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    factor: Fraction | None = None
    share: Decimal | None = None
    clause: str | None = None
    formula: str | None = None
    base_lines: tuple[int, ...] = ()
    part: RatePart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a tier ladder: from `starts` to `up_to` (None: no end) at a price; `quantity` of this bill fell in it.

    `up_to` is what the tariff has, `stated`, times `scale` for the days billed.
    """

    tier: int
    starts: Decimal
    up_to: Decimal | None
    price: Decimal
    quantity: Decimal
    stated: Decimal | None = None
    scale: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One local hour of a bill's readings: `day` counts from the period's first day.

    `quality` is actual, estimated, mixed or missing; `period` the time-of-use period.
    """

    day: int
    hour: int
    quantity: Decimal | None
    period: str | None = None
    quality: str = "actual"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodTotal:
    """What fell in one time-of-use period, or the highest demand in it. `hours` says when it is, in words; `unit` is None for that of the readings."""

    period: str
    hours: str
    quantity: Decimal
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandPeak:
    """The window from which a demand was billed: `energy` kWh from `starts_at` to `ends_at`, times `times` the power of `kilowatts`; `day` and `hour` are its cell."""

    day: int
    hour: int
    starts_at: datetime
    ends_at: datetime
    energy: Decimal
    times: Fraction
    kilowatts: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotal:
    """What one day came to."""

    day: date
    quantity: Decimal | None
    quality: str = "actual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """What the dial of one meter gave: `used` in `unit`, times `factor` the quantity in the bill's unit.

    Figures are None where usages were delivered instead of them; `dial_end` is a whole turn where the dial passed its last figure and began again.
    """

    meter_number: str
    used: Decimal
    unit: str
    factor: Fraction = Fraction(1)
    from_value: Decimal | None = None
    to_value: Decimal | None = None
    from_read_at: datetime | None = None
    to_read_at: datetime | None = None
    from_quality: str = "actual"
    to_quality: str = "actual"
    dial_end: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What the meter measured in a bill's period, at the finest grain there is: hours, else days, else the dials.

    The days' sum is `quantity`. `others` is what was used in no time-of-use period, under the name of its part of the period.
    With a `peak` the periods are those of a demand charge, and their quantities are powers.
    """

    starts_on: date
    unit: str
    quantity: Decimal
    days: tuple[DayTotal, ...]
    source: str
    hours: tuple[Hour, ...] = ()
    periods: tuple[PeriodTotal, ...] = ()
    others: tuple[PeriodTotal, ...] = ()
    peak: DemandPeak | None = None
    dials: tuple[Dial, ...] = ()
    estimated: Decimal = Decimal(0)
    clock_note: str | None = None

    @property
    def terms(self) -> tuple[PeriodTotal, ...]:
        """The parts of `quantity`; none where they do not add up to it."""
        terms = () if self.peak else (*self.periods, *self.others)
        return terms if sum((term.quantity for term in terms), Decimal(0)) == self.quantity else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockVersion:
    """The stored days of one channel that a bill was priced from, those of one version; `channel` is its meter and register."""

    channel: str
    first_day: date
    last_day: date
    days: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a bill was frozen with, so that it can be recomputed byte for byte. `verify_state` is same, differs or unchecked."""

    inputs_hash: str
    calculated_at: datetime
    calculated_by: str
    engine: str
    blocks: tuple[BlockVersion, ...]
    verify_state: str = "unchecked"
    verified_at: datetime | None = None
    verify_detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousBill:
    """The bill before, as far as a comparison needs it."""

    bill_id: UUID
    bill_number: str
    billing_period_start: date
    billing_period_end: date
    total_amount: Decimal
    lines: tuple[Line, ...]
    usage_quantity: Decimal | None
    parts: tuple[RatePart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPage:
    """One bill, explained.

    `billing_status` is draft, held, issued, cancelled or replaced; what is still owed on it comes from the ledger.
    """

    bill_id: UUID
    bill_number: str
    revision: int
    billing_status: str
    customer_id: UUID
    customer_name: str
    account_id: UUID
    account_number: str
    commodity: str
    premise_address: str
    meters: tuple[BilledMeter, ...]
    parts: tuple[RatePart, ...]
    billing_period_start: date
    billing_period_end: date
    issued_at: datetime | None
    due_date: date | None
    total_amount: Decimal
    paid_amount: Decimal
    usage_quantity: Decimal | None
    unit: str
    lines: tuple[Line, ...]
    inputs: Inputs
    previous: PreviousBill | None = None
    readings: Readings | None = None
    replaced_by: UUID | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def days(self) -> int:
        """Days billed."""
        return (self.billing_period_end - self.billing_period_start).days

    @property
    def left_to_pay(self) -> Decimal:
        """What is still owed on this bill."""
        return self.total_amount - self.paid_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePage:
    """One line of a bill, opened: the steps of its ladder, the readings behind it, the lines it is a share of."""

    bill: BillPage
    line: Line
    readings: Readings | None = None
    ladder: tuple[Step, ...] = ()
    base: tuple[Line, ...] = ()


# ── Around ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """A problem as a page: what is the case, what cures it, and the request to quote."""

    status: int
    title: str
    detail: str
    cure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """The sign-in form; `problem` is why the last try failed, `next_path` where to go after."""

    next_path: str = "/"
    user_name: str = ""
    problem: str | None = None
