"""A rate version compiled for one billing period: where each reading belongs, and which lines there will be."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np

from mains.rates.model import AnyCharge, Demand, Energy, RateVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSpec:
    """One line that a bill of this plan can have: amount = quantity × price × factor, rounded half-up once.

    `decimals` scales the quantity's integers, `price` is decimal text and equals `price_units` / 10^`price_decimals`; `factor` is an
    exact fraction
    (numerator, denominator) from proration; `base` are the earlier lines that a percentage or a minimum is taken of.
    """

    index: int
    charge_id: str
    label: str
    tags: tuple[str, ...]
    kind: str
    period: str
    tier: int | None
    unit: str
    decimals: int
    price: str
    price_units: int
    price_decimals: int
    factor: tuple[int, int] = (1, 1)
    clause: str = ""
    gl: str = ""
    base: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """What the bill prints: the label, then the period and the tier where they tell lines apart."""
        return ", ".join([self.label, *([self.period] if self.period else []), *([f"tier {self.tier}"] if self.tier else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """The periods of one schedule as sums (energy) or maxima (demand) of atoms: `atoms[p]` are those of period p.

    An atom is a set of readings that no charge tells apart; every reading is in exactly one.
    """

    periods: tuple[str, ...]
    atoms: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One ladder and the periods that fill it together.

    `bounds` are the exact cumulative bounds in the unit, after scaling to the days billed; `printed_bounds` the same as integers of the
    printed quantity.
    `lines[t][p]` is the line of tier t and period p; `prices[t][p]` its price; `order[t]` the periods by price, which decides a tie when
    rounding shares.
    """

    periods: tuple[int, ...]
    bounds: tuple[Fraction, ...]
    printed_bounds: tuple[int, ...]
    prices: tuple[tuple[Decimal, ...], ...]
    lines: tuple[tuple[int, ...], ...]
    order: tuple[tuple[int, ...], ...]
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPart:
    """An energy charge compiled. `segment_period` (chronological only): the period, as an index of the register, of each segment, -1 for
    none.
    """

    charge: Energy
    register: Register
    pools: tuple[Pool, ...]
    segment_period: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandPart:
    """A demand charge compiled; `window_s` is the length of its window in seconds."""

    charge: Demand
    register: Register
    pools: tuple[Pool, ...]
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantPart:
    """A fixed charge: its line and quantity; `per_meter` multiplies by the account's meters."""

    line: int
    quantity: int
    per_meter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePart:
    """A percentage of earlier lines, or (`least` not None, in minor units) what they lack of a minimum."""

    line: int
    least: int | None


Part = EnergyPart | DemandPart | ConstantPart | BasePart


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The demand windows of one length: `step` readings each; segments of windows start at `starts` and belong to `atoms`."""

    seconds: int
    step: int
    starts: np.ndarray
    atoms: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What `compile_plan` returns. Readings are `intervals` integers an account, in units / 10^`quantity_decimals`, for the whole period,
    start to end.

    `starts` and `atoms` are the contiguous segments of the axis; `day_starts` the first day of each segment of the register's split by
    days.
    `printed_decimals` are those of printed quantities, `minor_digits` those of the currency.
    """

    key: str
    version: RateVersion
    version_hash: str
    period: tuple[datetime, datetime]
    segment: tuple[datetime, datetime]
    days: tuple[date, ...]
    segment_days: int
    months: Fraction
    interval_s: int
    intervals: int
    quantity_decimals: int
    printed_decimals: int
    minor_digits: int
    starts: np.ndarray
    atoms: np.ndarray
    atom_count: int
    inside: tuple[int, ...]
    windows: tuple[Window, ...]
    parts: tuple[Part, ...]
    layout: tuple[LineSpec, ...]

    @property
    def charges(self) -> tuple[AnyCharge, ...]:
        """The version's charges."""
        return self.version.charges

    @property
    def needs_segments(self) -> bool:
        """Whether some charge fills its tiers in the order of use."""
        return any(isinstance(part, EnergyPart) and part.segment_period is not None for part in self.parts)
