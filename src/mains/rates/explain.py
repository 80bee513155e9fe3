"""Why a line says what it says: each line of one bill worked out again, alone, in plain decimals, and held against the engine."""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from mains.base.money import half_up
from mains.rates.engine import Determinants, by_period, peaks_by_period
from mains.rates.exact import energy_cells, printed_shares
from mains.rates.plan import BasePart, ConstantPart, DemandPart, EnergyPart, LineSpec, Part, Plan, Pool
from mains.rates.price import Lines, price


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderStep:
    """One tier for the picture: use from `lower` to `upper` (None: no end) at `price`, of which `quantity` was used in all periods of the
    pool.
    """

    tier: int
    lower: Decimal
    upper: Decimal | None
    price: Decimal
    quantity: Decimal
    is_this_line: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLine:
    """A line that a percentage or a minimum is taken of."""

    index: int
    title: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LineExplanation:
    """One line: `formula` in words and numbers that a pocket calculator confirms; `raw` is exact (as a decimal, or a fraction in text
    where it has no end).
    """

    index: int
    charge_id: str
    title: str
    kind: str
    formula: str
    quantity: Decimal
    unit: str
    price: str
    factor: str
    raw: str
    amount: Decimal
    currency: str
    clause: str
    ladder: tuple[LadderStep, ...] = ()
    base: tuple[BaseLine, ...] = ()


def explain(plan: Plan, used: Determinants, row: int) -> list[LineExplanation]:
    """Each present line of one account's bill, evaluated again without vectors.

    Raises AssertionError if any line differs from the engine's: then the engine is wrong, and the bill must not go out.
    """
    one = used.row(row)
    lines = price(plan, one)
    found = []
    for part in plan.parts:
        for line, quantity, pool in _quantities(plan, part, one, lines):
            told = _told(plan, part, line, quantity, pool, one, lines)
            expected = Decimal(int(lines.amount[0, line])).scaleb(-plan.minor_digits)
            assert told.amount == expected, f"{told.title}: explained {told.amount}, billed {expected}"
            assert quantity == lines.quantity[0, line], f"{told.title}: explained quantity {quantity}, billed {lines.quantity[0, line]}"
            if lines.present[0, line]:
                found.append(told)
    assert sum(told.amount for told in found) == Decimal(int(lines.total[0])).scaleb(-plan.minor_digits), (
        "the lines do not add up to the total"
    )
    return sorted(found, key=lambda told: told.index)


def _quantities(plan: Plan, part: Part, one: Determinants, lines: Lines) -> list[tuple[int, int, Pool | None]]:
    """(line, printed quantity, pool) of a part; a line that joins several cells comes once."""
    if isinstance(part, ConstantPart):
        return [(part.line, part.quantity * (int(one.meters[0]) if part.per_meter else 1), None)]
    if isinstance(part, BasePart):
        return [(part.line, sum(int(lines.amount[0, line]) for line in plan.layout[part.line].base), None)]
    gathered: dict[int, tuple[int, Pool]] = {}
    for pool in part.pools:
        for numbers, cells in zip(pool.lines, _printed_cells(plan, part, one, pool), strict=True):
            for line, cell in zip(numbers, cells, strict=True):
                gathered[line] = (gathered.get(line, (0, pool))[0] + cell, pool)
    return [(line, quantity, pool) for line, (quantity, pool) in gathered.items()]


def _printed_cells(plan: Plan, part: EnergyPart | DemandPart, one: Determinants, pool: Pool) -> list[list[int]]:
    if isinstance(part, EnergyPart) and part.segment_period is not None:
        rounded = [Fraction(bound, 10**plan.printed_decimals) for bound in pool.printed_bounds]
        return [
            [half_up(cell * 10**plan.printed_decimals) for cell in row]
            for row in energy_cells(plan, part, one, replace(pool, bounds=tuple(rounded)))
        ]
    if isinstance(part, DemandPart):
        scale = Fraction(3_600_000, part.window_s * 10**plan.quantity_decimals)
        values = [half_up(int(peak[0]) * scale) for peak in peaks_by_period(part, one).values()]
    else:
        scale = Fraction(1, 10 ** (plan.quantity_decimals - plan.printed_decimals))
        values = [half_up(int(quantity[0]) * scale) for quantity in by_period(part.register, one).values()]
    return printed_shares(pool, [values[place] for place in pool.periods])


def _told(plan: Plan, part: Part, line: int, quantity: int, pool: Pool | None, one: Determinants, lines: Lines) -> LineExplanation:
    spec = plan.layout[line]
    shown = Decimal(quantity).scaleb(-spec.decimals)
    factor = Fraction(*spec.factor)
    rate = Fraction(spec.price_units, 10**spec.price_decimals)
    least = part.least if isinstance(part, BasePart) else None
    raw = (
        max(Fraction(0), Fraction(least, 10**plan.minor_digits) - Fraction(shown)) if least is not None else Fraction(shown) * rate * factor
    )
    amount = Decimal(half_up(raw * 10**plan.minor_digits)).scaleb(-plan.minor_digits)
    return LineExplanation(
        index=line,
        charge_id=spec.charge_id,
        title=spec.title,
        kind=spec.kind,
        quantity=shown,
        unit=spec.unit,
        price=spec.price,
        factor=str(factor),
        formula=_formula(plan, part, spec, shown, raw, amount),
        raw=_decimal(raw),
        amount=amount,
        currency=plan.version.currency,
        clause=spec.clause,
        ladder=_ladder(plan, part, pool, spec, one) if pool is not None and len(pool.prices) > 1 else (),
        base=tuple(
            BaseLine(index=i, title=plan.layout[i].title, amount=Decimal(int(lines.amount[0, i])).scaleb(-plan.minor_digits))
            for i in spec.base
        ),
    )


def _formula(plan: Plan, part: Part, spec: LineSpec, quantity: Decimal, raw: Fraction, amount: Decimal) -> str:
    currency = plan.version.currency
    factor = f" × {Fraction(*spec.factor)}" if Fraction(*spec.factor) != 1 else ""
    if isinstance(part, BasePart) and part.least is not None:
        return f"at least {spec.price} {currency} a {spec.unit}{factor}, less {quantity} {currency} of charges = {amount} {currency}"
    if isinstance(part, BasePart):
        share = Decimal(spec.price) * 100
        return f"{share.normalize():f} % of {quantity} {currency}{factor} = {_decimal(raw)}, rounded {amount} {currency}"
    exact = _decimal(raw)
    rounded = "" if Fraction(amount) == raw else f" = {exact}, rounded"
    return f"{quantity} {spec.unit} × {spec.price} {currency}{factor}{rounded or ' ='} {amount} {currency}"


def _decimal(value: Fraction) -> str:
    """A fraction as decimal digits where they end, else as a fraction."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return str(value)
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    return format(Decimal(int(value * 10**digits)).scaleb(-digits), "f")


def _ladder(plan: Plan, part: Part, pool: Pool, spec: LineSpec, one: Determinants) -> tuple[LadderStep, ...]:
    assert isinstance(part, EnergyPart | DemandPart)
    cells = _printed_cells(plan, part, one, pool)
    edges = [Decimal(bound).scaleb(-spec.decimals) for bound in pool.printed_bounds]
    found = []
    for number, (lower, upper) in enumerate(zip([Decimal(0), *edges], [*edges, None], strict=True)):
        place = pool.lines[number].index(spec.index) if spec.index in pool.lines[number] else 0
        used = Decimal(sum(cells[number])).scaleb(-spec.decimals)
        found.append(
            LadderStep(
                tier=number + 1,
                lower=lower,
                upper=upper,
                price=pool.prices[number][place],
                quantity=used,
                is_this_line=spec.index in pool.lines[number],
            )
        )
    return tuple(found)
