"""What the pages of meter operations show: arrivals, lateness, quality, the work list of exceptions, and one exception."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from mains.web.views import Tile


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalDay:
    """Interval readings of one local day: so many are due, so many were read, of which so many were put in and not measured."""

    day: date
    due: int
    read: int
    estimated: int

    @property
    def missing(self) -> int:
        """Readings that are due and not here."""
        return max(self.due - self.read, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """Readings that came so long after the end of their days."""

    name: str
    readings: int
    deliveries: int
    share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """Open exceptions of one rule."""

    rule_name: str
    severity: str
    exceptions: int
    channels: int
    first_at: datetime
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRow:
    """One entry of the work list."""

    exception_id: int
    meter_number: str
    register: str
    from_at: datetime
    to_at: datetime
    rule_name: str
    severity: str
    finding: str
    status: str
    found_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MetersPage:
    """Meter operations at one instant; `waits` are deliveries that are not validated yet, `pushed` readings that wait in the inbox."""

    tiles: tuple[Tile, ...]
    days: tuple[ArrivalDay, ...]
    lateness: tuple[Lateness, ...]
    rules: tuple[RuleCount, ...]
    latest: tuple[ExceptionRow, ...]
    waits: int
    pushed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A filter of a list that can be chosen."""

    name: str
    href: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionsPage:
    """The work list: entries that match, what it can be narrowed to, and the way to older ones."""

    rows: tuple[ExceptionRow, ...]
    rules: tuple[Choice, ...]
    severities: tuple[Choice, ...]
    done: str | None = None
    older_href: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One interval around an exception: `value` in the channel's unit as it stands, `before` as it was delivered where that differs; `is_meant` inside the exception."""

    number: int
    starts_at: datetime
    value: Decimal | None
    quality: str
    before: Decimal | None
    is_meant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRow:
    """What people or the estimation put in place of readings there."""

    kind: str
    method: str
    status: str
    reason: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionPage:
    """One exception with the rule that found it, the readings around it, and what was done about it."""

    row: ExceptionRow
    rule_title: str
    rule_number: int
    unit: str
    step: Decimal
    can_decide: bool
    can_edit: bool
    intervals: tuple[Interval, ...]
    edits: tuple[EditRow, ...]
    is_marked: bool
    settled: str | None
    customer_href: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentMeter:
    """A meter that should have been read and was not; `last_at` is the end of what was read last, None where nothing ever was."""

    meter_number: str
    register: str
    address: str | None
    customer_href: str | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentPage:
    """Meters without a reading of a day, of at most so many."""

    day: date
    meters: tuple[SilentMeter, ...]
    is_cut: bool
