"""How a bill's line comes about, with the actual numbers: the terms, their exact product, and the amount it rounds to."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from mains.base.money import MINOR_UNITS, half_up
from mains.web.format import NBSP, Formats, days_of, number, percent, plural, quantity, unit_name, words
from mains.web.views import DemandPeak, Dial, Line, MonthUse, PeriodTotal, RatePart, Step

GROUPS = (("Energy", ("energy",)), ("Demand", ("demand",)), ("Fixed", ("fixed", "minimum")), ("Riders and taxes", ("percent", "tax")))
"""The groups of a bill's lines, in the order they print, with the kinds in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines of a kind and their sum."""

    name: str
    lines: tuple[Line, ...]
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One factor as it reads, and what it is."""

    text: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """The terms of a line and their exact product; `agrees` when that product rounds to the line's amount.

    No terms: the line states an amount.
    """

    terms: tuple[Term, ...]
    exact: Fraction | None
    agrees: bool


def groups(lines: Sequence[Line], commodity: str = "electric") -> tuple[Group, ...]:
    """The lines by group, that of what was used under the name of the commodity, empty groups left out; a kind nobody knows is shown last, never lost."""
    known = {kind for _, kinds in GROUPS for kind in kinds}
    found = [(name, tuple(line for line in lines if line.kind in kinds)) for name, kinds in GROUPS]
    found.append(("Other", tuple(line for line in lines if line.kind not in known)))
    named = {"Energy": {"electric": "Energy", "gas": "Gas"}.get(commodity, "Usage")}
    return tuple(Group(name=named.get(name, name), lines=some, amount=sum((line.amount for line in some), Decimal(0))) for name, some in found if some)


def arithmetic(line: Line, base: Sequence[Line], f: Formats) -> Arithmetic:
    """The terms of a line: quantity × price (× factor), or a share of other lines (× factor)."""
    exact: Fraction | None = None
    terms: list[Term] = []
    if line.quantity is not None and line.price is not None:
        exact = Fraction(line.quantity) * Fraction(line.price)
        price = f.price(line.price, unit_name(line.unit or "unit", Decimal(1)))
        terms = [Term(text=quantity(line.quantity, line.unit or ""), name=quantity_name(line)), Term(text=price, name="price")]
    elif line.share is not None and base:
        below = sum((other.amount for other in base), Decimal(0))
        exact = Fraction(below) * Fraction(line.share)
        terms = [
            Term(text=f.money(below), name=f"lines {spans([other.line_no for other in base])}"),
            Term(text=share_text(line.share), name="share"),
        ]
    if exact is not None and line.factor not in (None, 1):
        exact *= Fraction(line.factor)
        terms.append(Term(text=str(line.factor), name="of the period"))
    minor = MINOR_UNITS.get(f.currency, 2)
    agrees = exact is not None and half_up(exact * 10**minor) == line.amount.scaleb(minor)
    return Arithmetic(terms=tuple(terms), exact=exact, agrees=agrees)


def exact_text(value: Fraction) -> str:
    """A fraction as decimal digits, all of them where they end within twelve.

    >>> exact_text(Fraction(1, 8)), exact_text(Fraction(1, 3))
    ('0.125', '0.333333…')
    """
    if 10**12 % value.denominator == 0:
        return number(Decimal(value.numerator) / Decimal(value.denominator))
    return number(Decimal(value.numerator) / Decimal(value.denominator), digits=6) + "…"


def share_text(share: Decimal) -> str:
    """A share as percent with the digits that it has.

    >>> share_text(Decimal("0.0625"))
    '6.25\\xa0%'
    """
    return percent(share, digits=max(0, -int((share * 100).normalize().as_tuple().exponent)) if share else 0)


def quantity_name(line: Line) -> str:
    """What a line's quantity is, in words."""
    if line.kind == "demand":
        return f"highest demand, {words(line.period).lower()}" if line.period else "highest demand"
    if line.tier is not None:
        return f"used in tier {line.tier}"
    if line.period:
        return f"used, {words(line.period).lower()}"
    return {"energy": "used", "fixed": "billed"}.get(line.kind, "quantity")


def line_name(line: Line) -> str:
    """A line's label with its time-of-use period, its tier, and its days where two rates share the period."""
    names = [line.label] + ([words(line.period).lower()] if line.period else []) + ([f"tier {line.tier}"] if line.tier is not None else [])
    if line.part is not None and not line.part.is_whole:
        names.append(part_days(line.part))
    return " · ".join(names)


def part_days(part: RatePart) -> str:
    """The days that a rate version prices, without their year."""
    return days_of(part.starts_on, part.ends_on)


def turned(dial: Dial) -> str:
    """What a dial gave, as arithmetic that is true: the later figure less the earlier, or over the end of the dial.

    >>> turned(Dial(meter_number="G1", used=Decimal(103), unit="ccf", from_value=Decimal(9980), to_value=Decimal(83), dial_end=Decimal(10000)))
    '(10,000 − 9,980) + 83 = 103\\xa0ccf'
    """
    used = quantity(dial.used, dial.unit)
    if dial.from_value is None or dial.to_value is None:
        return used
    gives = dial.to_value - dial.from_value + (dial.dial_end or 0)
    if gives != dial.used:
        return used
    if dial.dial_end is not None:
        return f"({number(dial.dial_end)} − {number(dial.from_value)}) + {number(dial.to_value)} = {used}"
    return f"{number(dial.to_value)} − {number(dial.from_value)} = {used}"


def converted(dial: Dial, unit: str) -> str:
    """How what a dial gave becomes the bill's unit; empty where it is that already.

    >>> converted(Dial(meter_number="W1", used=Decimal(2350), unit="gal", factor=Fraction(1, 1000)), "kgal")
    '÷ 1,000\\xa0gal a kgal = 2.35\\xa0kgal'
    """
    if dial.unit == unit and dial.factor == 1:
        return ""
    gives = Fraction(dial.used) * dial.factor
    result = f"{exact_text(gives)}{NBSP}{unit_name(unit)}"
    if dial.factor.numerator == 1:
        return f"÷ {number(dial.factor.denominator)}{NBSP}{unit_name(dial.unit)} a {unit_name(unit, Decimal(1))} = {result}"
    factor = exact_text(dial.factor)
    return f"× {factor}{NBSP}{unit_name(unit, Decimal(1))} a {unit_name(dial.unit, Decimal(1))} {'≈' if factor.endswith('…') else '='} {result}"


def scaled(step: Step, unit: str) -> str:
    """How the end of a step comes from the tariff's; empty where it is the tariff's, or the step has no end.

    >>> step = Step(tier=1, starts=Decimal(0), up_to=Decimal("193.548"), price=Decimal(1), quantity=Decimal(5), stated=Decimal(600), scale=Fraction(10, 31))
    >>> scaled(step, "kWh").replace(NBSP, " ")
    '600 kWh × 10/31 = 193.548 kWh'
    """
    if step.up_to is None or step.stated is None or step.scale == 1:
        return ""
    exact = Fraction(step.stated) * step.scale
    sign = "=" if abs(exact - Fraction(step.up_to)) <= Fraction(1, 2000) else "→"
    return f"{quantity(step.stated, unit)} × {step.scale} {sign} {quantity(step.up_to, unit)}"


def term_name(total: PeriodTotal) -> str:
    """What a part of what was measured is: a time-of-use period in words, or the days of a part with the rate's name."""
    return total.period if " " in total.period else words(total.period).lower()


def at_peak(peak: DemandPeak, f: Formats) -> str:
    """When and how high a billed demand was, in words."""
    start, end = f.local(peak.starts_at), f.local(peak.ends_at)
    return f"{quantity(peak.kilowatts, 'kW')} on {start:%a} {start.day}{NBSP}{start:%b}, {start:%H:%M} – {end:%H:%M}"


def power(peak: DemandPeak) -> str:
    """A billed demand as arithmetic: what was used in its window, times the windows of an hour; only where that is so to every digit."""
    energy = number(peak.energy)
    if Fraction(peak.energy) * peak.times != Fraction(peak.kilowatts):
        return ""
    return f"{energy}{NBSP}kWh × {peak.times} an hour = {quantity(peak.kilowatts, 'kW')}" if peak.times != 1 else ""


def missing(seconds: int) -> str:
    """How much was not read, in words.

    >>> missing(4 * 86_400), missing(5400), missing(86_400), missing(900)
    ('4\\xa0days missing', '1.5\\xa0h missing', '1\\xa0day missing', '15\\xa0min missing')
    """
    if seconds >= 86_400:
        return f"{plural(round(seconds / 86_400), 'day')} missing"
    return f"{number(Decimal(seconds) / 3600, digits=1).removesuffix('.0')}{NBSP}h missing" if seconds >= 3600 else f"{seconds // 60}{NBSP}min missing"


def month_state(month: MonthUse) -> str:
    """What to say beside a month's number; empty where it is whole and measured."""
    if month.is_outside:
        return "not served"
    if month.quantity is None:
        return "not over, not read yet" if month.is_open else "nothing read"
    said = [missing(month.missing_s)] if month.missing_s else []
    said += ["partly estimated"] if month.is_estimated else []
    return ", ".join(said + (["not over"] if month.is_open else []))


def spans(numbers: Sequence[int]) -> str:
    """Line numbers with runs drawn together.

    >>> spans([1, 2, 3, 5, 7, 8])
    '1 – 3, 5, 7 – 8'
    """
    runs: list[list[int]] = []
    for n in sorted(numbers):
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} – {run[-1]}" for run in runs)

