"""How a bill's line comes about, with the actual numbers: the terms, their exact product, and the amount it rounds to."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from mains.base.money import MINOR_UNITS, divide_half_up
from mains.web.format import Formats, number, percent, quantity, unit_name, words
from mains.web.views import Line

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


def groups(lines: Sequence[Line]) -> tuple[Group, ...]:
    """The lines by group, empty groups left out; a kind nobody knows is shown last, never lost."""
    known = {kind for _, kinds in GROUPS for kind in kinds}
    found = [(name, tuple(line for line in lines if line.kind in kinds)) for name, kinds in GROUPS]
    found.append(("Other", tuple(line for line in lines if line.kind not in known)))
    return tuple(Group(name=name, lines=some, amount=sum((line.amount for line in some), Decimal(0))) for name, some in found if some)


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
    agrees = exact is not None and divide_half_up((exact * 10**minor).numerator, (exact * 10**minor).denominator) == line.amount.scaleb(minor)
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
    if line.tier is not None:
        return f"used in tier {line.tier}"
    if line.period:
        return f"used, {words(line.period).lower()}"
    return {"energy": "used", "demand": "highest demand", "fixed": "billed"}.get(line.kind, "quantity")


def line_name(line: Line) -> str:
    """A line's label with its time-of-use period and tier."""
    return " · ".join(
        [line.label] + ([words(line.period).lower()] if line.period else []) + ([f"tier {line.tier}"] if line.tier is not None else [])
    )


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

