"""The geometry of the pictures: pure functions from values to places, in percent of the plot.

Templates draw them as SVG, so they print, scale and need no script.

Chart type follows the question: bars for months and for the parts of a difference, steps for a ladder of prices, a grid of days and hours
for a month of readings.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor, log10

from mains.web.change import Change
from mains.web.format import number
from mains.web.views import Hour, MonthUse, Readings, Step

SHADES = 8
"""Shades of a heat map, 1 faintest; 0 is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A labelled place on an axis, in percent from its far end (top or left)."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A value axis from `low` to `high` with round ticks; zero is always on it."""

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def down(self, value: float) -> float:
        """Percent from the top at which a value lies."""
        return round(100 * (self.high - value) / (self.high - self.low), 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One column: place and size in percent; None of `value` leaves a gap that the page marks as unknown."""

    index: int
    left: float
    width: float
    top: float
    height: float
    value: Decimal | None


def axis(values: Sequence[float], *, steps: int = 4) -> Axis:
    """An axis over the values and zero, with about `steps` round ticks of 1, 2, 2.5 or 5 times a power of ten.

    >>> [t.label for t in axis([0, 912.0]).ticks]
    ['0', '250', '500', '750', '1,000']
    >>> axis([]).high
    1.0
    """
    high, low = max([0.0, *values]), min([0.0, *values])
    if high - low < 1e-6:
        high = low + 1.0
    rough = (high - low) / steps
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    low, high = first * step, last * step
    digits = max(0, -floor(log10(step)) + (1 if step / power == 2.5 else 0)) if step < 10 and step != round(step) else 0
    ticks = tuple(
        Tick(at=round(100 * (last - n) / (last - first), 3), label=number(n * step, digits=digits)) for n in range(first, last + 1)
    )
    return Axis(low=low, high=high, ticks=ticks)


def columns(values: Sequence[Decimal | None], *, scale: Axis, fill: float = 0.72) -> tuple[Bar, ...]:
    """One bar a value, side by side over the whole width, each filling `fill` of its slot."""
    slot = 100 / max(1, len(values))
    bars = []
    for index, value in enumerate(values):
        known = float(value or 0)
        top, bottom = scale.down(max(0.0, known)), scale.down(min(0.0, known))
        left = round(slot * (index + (1 - fill) / 2), 3)
        bars.append(Bar(index=index, left=left, width=round(slot * fill, 3), top=top, height=round(bottom - top, 3), value=value))
    return tuple(bars)


def month_columns(months: Sequence[MonthUse]) -> tuple[Axis, tuple[Bar, ...]]:
    """The axis and bars of thirteen months."""
    values = [month.quantity for month in months]
    scale = axis([float(value) for value in values if value is not None], steps=3)
    return scale, columns(values, scale=scale)


def spark(values: Sequence[float], *, width: int = 100, height: int = 24) -> str:
    """The points of a small trend line in a box of width × height; empty below two values.

    >>> spark([1, 2, 3], height=24)
    '0.0,22.0 50.0,12.0 100.0,2.0'
    """
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    reach = (high - low) or 1.0
    across = width / (len(values) - 1)
    return " ".join(f"{i * across:.1f},{2 + (height - 4) * (high - value) / reach:.1f}" for i, value in enumerate(values))


# ── Waterfall ────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """One row of a waterfall: a bar from `left`, `width` wide, in percent; `code` names the part, before and now being the two totals."""

    code: str
    amount: Decimal
    left: float
    width: float


def waterfall(difference: Change) -> tuple[Fall, ...]:
    """Rows from the bill before to this one.

    The picture starts near the smaller totals, so that the parts show; the two totals' bars say so by a torn edge.
    """
    running, spans = difference.before, []
    for part in difference.parts:
        spans.append((part.code, part.amount, running, running + part.amount))
        running += part.amount
    ends = [float(value) for _, _, start, end in spans for value in (start, end)] + [float(difference.before), float(difference.now)]
    low, high = min(ends), max(ends)
    reach = (high - low) or max(abs(high), 1.0)
    base = low - reach * 0.35
    width = (high - base) or 1.0

    def place(value: float) -> float:
        return round(100 * (value - base) / width, 3)

    rows = [Fall(code="before", amount=difference.before, left=0, width=place(float(difference.before)))]
    for code, amount, start, end in spans:
        left, right = sorted((place(float(start)), place(float(end))))
        rows.append(Fall(code=code, amount=amount, left=left, width=round(max(0.4, right - left), 3)))
    rows.append(Fall(code="now", amount=difference.now, left=0, width=place(float(difference.now))))
    return tuple(rows)


def shares(amounts: Sequence[Decimal]) -> tuple[tuple[float, float], ...]:
    """(left, width) in percent of each non-negative amount laid end to end; nothing where the sum is zero."""
    total = sum((float(max(amount, Decimal(0))) for amount in amounts), 0.0)
    places, left = [], 0.0
    for amount in amounts:
        width = 100 * float(max(amount, Decimal(0))) / total if total else 0.0
        places.append((round(left, 3), round(width, 3)))
        left += width
    return tuple(places)


# ── Ladder ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step of a ladder: its place, how much of it is filled, and where its top is, in percent."""

    step: Step
    left: float
    width: float
    filled: float
    top: float
    height: float


def ladder(steps: Sequence[Step]) -> tuple[tuple[Rung, ...], Axis, tuple[Tick, ...]]:
    """The rungs, the price axis and the quantity axis. The endless last step is drawn a third past what was used."""
    if not steps:
        return (), axis([]), ()
    used = max((float(step.starts + step.quantity) for step in steps if step.quantity), default=0.0)
    known = max([float(step.up_to) for step in steps if step.up_to is not None] + [float(steps[-1].starts)])
    end = max(used * 1.15, known * 1.15, 1.0) if steps[-1].up_to is None else known
    scale = axis([float(step.price) * 1.12 for step in steps], steps=3)
    rungs = []
    for step in steps:
        left, right = 100 * float(step.starts) / end, 100 * (float(step.up_to) if step.up_to is not None else end) / end
        top = scale.down(max(0.0, float(step.price)))
        filled = 100 * float(step.quantity) / end
        rungs.append(
            Rung(
                step=step,
                left=round(left, 3),
                width=round(right - left, 3),
                filled=round(min(filled, right - left), 3),
                top=top,
                height=round(scale.down(0.0) - top, 3),
            )
        )
    marks = [Tick(at=0, label="0")]
    marks += [Tick(at=round(100 * float(step.up_to) / end, 3), label=number(step.up_to)) for step in steps if step.up_to is not None]
    return tuple(rungs), scale, tuple(marks)


# ── Heat map ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The cells of one time-of-use period in one shade; `period` counts in the order of the readings' periods."""

    period: int
    shade: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """A month of hours, days across and hours down, in units of a cell. `top` is the quantity from which the darkest shade counts, `is_cut` when some are above."""

    days: int
    layers: tuple[Layer, ...]
    borders: str
    estimated: str
    missing: str
    top: Decimal
    is_cut: bool


def heat(readings: Readings) -> Heat:
    """The paths of a month's hours: one a period and shade, the borders between periods, the marks of what was estimated or is missing.

    Where a few hours stand far above the rest, the darkest shade starts at the 95th percentile, so that they do not bleach the month.
    """
    known = sorted(hour.quantity for hour in readings.hours if hour.quantity is not None)
    top = _darkest(known)
    order = {total.period: index for index, total in enumerate(readings.periods)}
    cells: dict[tuple[int, int], list[str]] = defaultdict(list)
    estimated, missing = [], []
    for hour in readings.hours:
        cell = f"M{hour.day} {hour.hour}h1v1h-1z"
        if hour.quantity is None:
            missing.append(cell)
            continue
        cells[order.get(hour.period or "", len(order)), shade(hour.quantity, top)].append(cell)
        if hour.quality != "actual":
            estimated.append(f"M{hour.day} {hour.hour + 1}l1 -1")
    layers = tuple(Layer(period=period, shade=level, path="".join(cells[period, level])) for period, level in sorted(cells))
    return Heat(
        days=len(readings.days), layers=layers, borders=_borders(readings.hours), estimated="".join(estimated), missing="".join(missing), top=top,
        is_cut=bool(known) and known[-1] > top,
    )  # fmt: skip


def _darkest(known: Sequence[Decimal]) -> Decimal:
    """The quantity from which the darkest shade counts, of quantities in order: the largest, or the 95th percentile where that is far below."""
    if not known:
        return Decimal(0)
    common, largest = known[min(len(known) - 1, int(len(known) * 0.95))], known[-1]
    return max(common if largest > common * Decimal("1.5") and common > 0 else largest, Decimal(0))


def shade(value: Decimal, top: Decimal) -> int:
    """The shade of a value: 0 for nothing, else 1 to `SHADES` in even steps up to `top`.

    >>> [shade(Decimal(v), Decimal(8)) for v in ("0", "0.01", "1", "4.5", "8", "99", "-3")]
    [0, 1, 1, 5, 8, 8, 0]
    """
    if value <= 0 or top <= 0:
        return 0
    return min(SHADES, max(1, ceil(value / top * SHADES)))


def _borders(hours: Sequence[Hour]) -> str:
    periods = {(hour.day, hour.hour): hour.period for hour in hours}
    lines = []
    for (day, hour), period in periods.items():
        if periods.get((day, hour - 1), period) != period:
            lines.append(f"M{day} {hour}h1")
        if periods.get((day - 1, hour), period) != period:
            lines.append(f"M{day} {hour}v1")
    return "".join(lines)


def day_columns(readings: Readings) -> tuple[Axis, tuple[Bar, ...]]:
    """The axis and bars of a period's days."""
    values = [day.quantity for day in readings.days]
    scale = axis([float(value) for value in values if value is not None], steps=2)
    return scale, columns(values, scale=scale, fill=0.8)
