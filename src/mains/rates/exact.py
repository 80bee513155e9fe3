"""One account's bill without vectors: in fractions, unrounded for comparison with other calculators, and as printed for the explanation."""

from collections.abc import Sequence
from fractions import Fraction

from mains.rates.engine import Determinants, by_period, peaks_by_period
from mains.rates.plan import BasePart, ConstantPart, DemandPart, EnergyPart, Plan, Pool

Cells = list[list[Fraction]]


def steps(total: Fraction, bounds: Sequence[Fraction]) -> list[Fraction]:
    """How much of a total falls into each tier of a ladder with these cumulative bounds.

    >>> [int(part) for part in steps(Fraction(1200), [Fraction(500), Fraction(1000)])]
    [500, 500, 200]
    """
    edges = [Fraction(0), *bounds]
    return [
        max(Fraction(0), (min(total, upper) if upper is not None else total) - lower)
        for lower, upper in zip(edges, [*bounds, None], strict=True)
    ]


def prorata(periods: Sequence[Fraction], bounds: Sequence[Fraction]) -> Cells:
    """Tiers × periods: each tier shared in the proportion of the periods' use."""
    total = sum(periods, start=Fraction(0))
    return [[tier * period / total if total else Fraction(0) for period in periods] for tier in steps(total, bounds)]


def in_order(uses: Sequence[tuple[int, Fraction]], periods: Sequence[int], bounds: Sequence[Fraction]) -> Cells:
    """Tiers × periods: tiers filled by (period, quantity) in the order of time."""
    cells = [[Fraction(0)] * len(periods) for _ in range(len(bounds) + 1)]
    so_far = Fraction(0)
    for period, quantity in uses:
        if period in periods:
            before, after = steps(so_far, bounds), steps(so_far + quantity, bounds)
            for tier, (low, high) in enumerate(zip(before, after, strict=True)):
                cells[tier][periods.index(period)] += high - low
            so_far += quantity
    return cells


def energy_cells(plan: Plan, part: EnergyPart, used: Determinants, pool: Pool) -> Cells:
    """Exact tiers × periods of a pool for a one-row table, in the charge's unit."""
    scale = 10**plan.quantity_decimals
    if part.segment_period is not None:
        assert used.segments is not None
        uses = [
            (int(period), Fraction(int(quantity), scale)) for period, quantity in zip(part.segment_period, used.segments[0], strict=True)
        ]
        return in_order(uses, pool.periods, pool.bounds)
    quantities = [Fraction(int(quantity[0]), scale) for quantity in by_period(part.register, used).values()]
    return prorata([quantities[place] for place in pool.periods], pool.bounds)


def demand_cells(plan: Plan, part: DemandPart, used: Determinants, pool: Pool) -> Cells:
    """Exact tiers × periods of a demand ladder for a one-row table, in kW."""
    per_window = Fraction(3600, part.window_s * 10**plan.quantity_decimals)
    peaks = [int(peak[0]) * per_window for peak in peaks_by_period(part, used).values()]
    return prorata([peaks[place] for place in pool.periods], pool.bounds)


def exact_amounts(plan: Plan, used: Determinants) -> list[Fraction]:
    """Each line of a one-row table in units of the currency with no rounding at all, of quantities or money."""
    amounts = [Fraction(0)] * len(plan.layout)
    for part in plan.parts:
        if isinstance(part, EnergyPart | DemandPart):
            for pool in part.pools:
                cells = energy_cells(plan, part, used, pool) if isinstance(part, EnergyPart) else demand_cells(plan, part, used, pool)
                for lines, prices, row in zip(pool.lines, pool.prices, cells, strict=True):
                    for line, price, cell in zip(lines, prices, row, strict=True):
                        amounts[line] += cell * Fraction(price) * Fraction(*plan.layout[line].factor)
        elif isinstance(part, ConstantPart):
            spec = plan.layout[part.line]
            quantity = part.quantity * (int(used.meters[0]) if part.per_meter else 1)
            amounts[part.line] = quantity * _price(plan, part.line) * Fraction(*spec.factor)
        else:
            _of_base(plan, part, amounts)
    return amounts


def _price(plan: Plan, line: int) -> Fraction:
    spec = plan.layout[line]
    return Fraction(spec.price_units, 10**spec.price_decimals)


def _of_base(plan: Plan, part: BasePart, amounts: list[Fraction]) -> None:
    spec = plan.layout[part.line]
    base = sum((amounts[line] for line in spec.base), start=Fraction(0))
    due = _price(plan, part.line) * Fraction(*spec.factor)
    amounts[part.line] = base * due if part.least is None else max(Fraction(0), due - base)


def printed_shares(pool: Pool, periods: Sequence[int]) -> list[list[int]]:
    """Tiers × periods in whole printed units: pro rata, the largest remainders rounded up, a tie to the cheaper period."""
    total = sum(periods)
    cells = []
    for tier, order in zip(steps(Fraction(total), [Fraction(bound) for bound in pool.printed_bounds]), pool.order, strict=True):
        exact = [tier * period / total if total else Fraction(0) for period in periods]
        row = [int(share) for share in exact]
        by_rest = sorted(range(len(row)), key=lambda place, exact=exact, order=order: (-(exact[place] % 1), order.index(place)))
        for place in by_rest[: int(tier) - sum(row)]:
            row[place] += 1
        cells.append(row)
    return cells
