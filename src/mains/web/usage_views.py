"""What the usage page shows: a stretch of time point by point, and what stands beside each point."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The middle half of what homes alike used, and the middle."""

    low: Decimal
    middle: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One hour, day or month and the same one a year before; `temperature_c` its mean, `similar` what homes alike used, `cost` what it cost in the utility's currency."""

    starts_at: datetime
    label: str
    quantity: Decimal | None
    last_year: Decimal | None
    is_estimated: bool = False
    href: str | None = None
    temperature_c: Decimal | None = None
    similar: Band | None = None
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A view of the same thing that can be chosen."""

    name: str
    href: str
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDetail:
    """A day or a week by hour, a month by day, or a year by month, of one account.

    `view` is day, week, month or year, `step` hour, day or month; `last_year_label` names what it is held against; `is_cost` shows money instead of use, `switch_href`
    leads to the other of the two; the notes say where what stands beside it comes from; `empty_note` says why there is nothing to see where the meter is read less often.
    """

    account_id: UUID
    customer_id: UUID
    commodity: str
    unit: str
    view: str
    step: str
    title: str
    points: tuple[Point, ...]
    last_year_label: str
    source: str
    tabs: tuple[Tab, ...] = ()
    is_cost: bool = False
    switch_href: str | None = None
    earlier_href: str | None = None
    later_href: str | None = None
    temperature_note: str | None = None
    similar_note: str | None = None
    cost_note: str | None = None
    empty_note: str | None = None
