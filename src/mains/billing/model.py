"""What billing works with, as values; no database, no clock."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import lcm
from uuid import UUID

from mains.base.ids import named_uuid
from mains.base.periods import local_midnight

ENGINE_VERSION = "mains-rates/2"
"""Raised whenever the same inputs could give another bill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The part [from_date, to_date) of a billing period that one rate version prices; local dates."""

    rate_version_id: UUID
    document_sha256: str
    from_date: date
    to_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpan:
    """A channel and the instants [from_at, to_at) of the period for which it measured the service.

    `units_per_step` is what one raw step is in `unit`, exactly; `interval_s` None marks a register that is read now and then.
    """

    channel_id: int
    from_at: datetime
    to_at: datetime
    unit: str
    units_per_step: Decimal
    interval_s: int | None
    dial_digits: int | None = None
    meter_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One agreement and its part [from_date, to_date) of the period to bill; local dates in `timezone`."""

    account_id: UUID
    account_number: str
    customer_id: UUID
    commodity: str
    timezone: str
    from_date: date
    to_date: date
    is_final: bool
    revision: int
    segments: tuple[Segment, ...]
    channels: tuple[ChannelSpan, ...]

    @property
    def purpose(self) -> str:
        """regular, or final where the agreement ends with the period."""
        return "final" if self.is_final else "regular"

    @property
    def lengths(self) -> tuple[int | None, ...]:
        """The interval lengths of its channels, s, each once; None among them where a register is read."""
        return tuple(sorted({span.interval_s for span in self.channels}, key=lambda length: length or 0))

    @property
    def interval_s(self) -> int | None:
        """Length of the intervals it is billed in, s: the shortest that every channel's readings add up to; None where some of it was read from a register."""
        lengths = self.lengths
        return None if None in lengths else lcm(*(length for length in lengths if length))

    @property
    def period(self) -> tuple[datetime, datetime]:
        """The period as aware instants, local midnights."""
        return local_midnight(self.from_date, self.timezone), local_midnight(self.to_date, self.timezone)

    @property
    def bill_id(self) -> UUID:
        """The bill's key, made from what makes the bill one of a kind."""
        return named_uuid("bill", self.account_id, self.from_date, self.to_date, self.purpose, self.revision)

    @property
    def bill_number(self) -> str:
        """The number on the bill: account, last month billed, F for a final bill, R and number for a revision."""
        mark = ("F" if self.is_final else "") + (f"R{self.revision}" if self.revision > 1 else "")
        return f"{self.account_number}-{self.from_date:%Y%m%d}{'-' if mark else ''}{mark}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A bill held back: why, and what cures it."""

    service: Service
    code: str
    message: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftLine:
    """One line of a bill before it is written; `quantity` and `price` as printed, `factor` an exact fraction in text."""

    segment_no: int
    rate_version_id: UUID
    charge_id: str
    charge_kind: str
    label: str
    tags: tuple[str, ...]
    tou_period: str | None
    tier: int | None
    quantity: Decimal
    unit: str
    price: str
    factor: str
    amount: Decimal

    def canonical(self) -> str:
        """The line as text that never changes its form, for the hash of the bill."""
        return "\x1f".join(
            (
                str(self.segment_no),
                str(self.rate_version_id),
                self.charge_id,
                self.charge_kind,
                self.label,
                self.tou_period or "",
                str(self.tier or ""),
                str(self.quantity),
                self.unit,
                self.price,
                self.factor,
                str(self.amount),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A bill calculated, not yet written. `frozen_channels` is what was read, with hashes, ready for JSON."""

    service: Service
    lines: tuple[DraftLine, ...]
    total: Decimal
    usage_quantity: Decimal
    usage_unit: str
    peak_kw: Decimal | None
    estimated_readings: int
    frozen_channels: tuple[dict[str, object], ...]
    currency: str


def exact_decimals(steps: Decimal) -> int:
    """Digits after the point that hold every multiple of `steps`, at least three.

    >>> exact_decimals(Decimal("0.001")), exact_decimals(Decimal("0.0125")), exact_decimals(Decimal("40"))
    (3, 4, 3)
    """
    exponent = steps.normalize().as_tuple().exponent
    assert isinstance(exponent, int)  # channels have finite multipliers
    return max(3, -exponent)
