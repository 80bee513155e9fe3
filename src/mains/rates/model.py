"""A tariff as values: versions, charges, ladders, and every convention that other engines leave unsaid, each as a named field."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from mains.rates.calendars import Calendar

ALL_DAY = "all"
"""The name of the one period of a charge that follows no schedule."""

Commodity = Literal["electric", "gas", "water", "sewer", "telecom"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One step of a ladder: `price` a unit, up to the cumulative bound `up_to` in the charge's unit; None is without end, which the last
    tier must be.
    """

    up_to: Decimal | None = None
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The tiers of one period. `per` is the span that the bounds are written for: a month, a day (times the days billed), or 30 days."""

    period: str = ALL_DAY
    tiers: tuple[Tier, ...]
    per: Literal["month", "day", "30day"] = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What every charge has: an id, a label to print, tags that percentages point at, the clause of the tariff sheet, and when in the
    year it applies.

    `months` (1 to 12) and `seasons` restrict it to those days; both empty is all year. `gl` is the class of revenue in the ledger.
    """

    id: str
    label: str
    tags: tuple[str, ...] = ()
    clause: str = ""
    months: tuple[int, ...] = ()
    seasons: tuple[str, ...] = ()
    gl: str = ""

    @property
    def kind(self) -> str:
        """The sort of line it prints: fixed, energy, demand, minimum, percent or tax."""
        return "tax" if "tax" in self.tags else type(self).__name__.lower()

    @property
    def names(self) -> frozenset[str]:
        """Everything that an `of` may call it: its tags, its kind and its id."""
        return frozenset((*self.tags, self.kind, self.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed(Charge):
    """A sum of money for being connected: per month, day billed, year (a twelfth a month), or meter and month."""

    amount: Decimal
    per: Literal["month", "day", "year", "meter"] = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy(Charge):
    """A price for each unit used, by period of a schedule and by tier.

    `pool`: "all" runs one ladder over the use of all periods, "period" one ladder for each. `allocation`, for a pooled ladder of several
    periods: "prorata" gives
    each period its share of each tier, "chronological" fills the tiers in the order of use. `lines`: print each cell, or join the cells
    of one price.
    """

    ladders: tuple[Ladder, ...]
    schedule: str | None = None
    unit: str = "kWh"
    pool: Literal["all", "period"] = "all"
    allocation: Literal["prorata", "chronological"] = "prorata"
    lines: Literal["cell", "price"] = "cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand(Charge):
    """A price for the highest average power of a period, by tier of kW, a month.

    `window_minutes` is the block that power is averaged over; None is the interval of the readings, or 15 minutes where that is shorter.
    A window belongs to the period in which it starts.
    """

    ladders: tuple[Ladder, ...]
    schedule: str | None = None
    unit: str = "kW"
    window_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum(Charge):
    """What is missing between the lines of the charges named in `of` and the least that is due per month or day."""

    amount: Decimal
    per: Literal["month", "day"] = "month"
    of: tuple[str, ...] = ("energy", "demand", "fixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Percent(Charge):
    """A share (`rate` 0.05 is 5 %) of the lines of earlier charges named in `of`, evaluated where it stands. Tagged "tax" it is a tax."""

    rate: Decimal
    of: tuple[str, ...]


AnyCharge = Fixed | Energy | Demand | Minimum | Percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """How lines are rounded: money half-up once a line, quantities half-up to `quantity_decimals` before money is taken from them."""

    line: Literal["half_up"] = "half_up"
    quantity_decimals: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Proration:
    """What a bill of unusual length, or of two versions, does to monthly sums.

    A period of `full_from` to `full_to` days counts as one month; any other as days / `standard_days` months. A version in force for a
    part of the period
    takes its share of the days. `fixed`, `minimum` and `demand`: "day_share", or "full", which the version in force on the last day
    charges whole.
    `tiers`: bounds per month scale by "day_share", or not at all. `demand_over`: the peak is that of the whole "period", or of the
    version's "segment".
    """

    standard_days: int = 30
    full_from: int = 27
    full_to: int = 35
    fixed: Literal["day_share", "full"] = "day_share"
    minimum: Literal["day_share", "full"] = "day_share"
    demand: Literal["day_share", "full"] = "day_share"
    tiers: Literal["day_share", "full"] = "day_share"
    demand_over: Literal["period", "segment"] = "period"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the text of the tariff came from: the kind of document, its label there, its address, and the sha256 of what was read."""

    kind: str = ""
    label: str = ""
    url: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateVersion:
    """One dated text of a rate, in force on local dates [effective_from, effective_to); its charges in the order of evaluation."""

    name: str
    effective_from: date
    effective_to: date | None = None
    commodity: Commodity = "electric"
    currency: str = "USD"
    utility: str = ""
    calendar: Calendar
    charges: tuple[AnyCharge, ...]
    rounding: Rounding = field(default_factory=Rounding)
    proration: Proration = field(default_factory=Proration)
    source: Source = field(default_factory=Source)
