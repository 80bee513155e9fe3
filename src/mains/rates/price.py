"""Determinants to lines: columns of exact integers, one multiplication and one half-up division a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from mains.rates.engine import Determinants, by_period, chronological_cells, peaks_by_period
from mains.rates.plan import BasePart, ConstantPart, DemandPart, EnergyPart, LineSpec, Plan, Pool

BLOCK = 8192
"""Accounts priced at a time, so that the columns stay in the cache."""
_SAFE = 2**62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """The lines of many bills, columnar: arrays (accounts × lines) over `layout`.

    `quantity`: integers of 10^-layout[j].decimals units, as printed; `amount`: minor units of the currency; `present`: whether the line
    is on the bill.
    `total` (accounts): minor units, the sum of the rounded lines.
    """

    layout: tuple[LineSpec, ...]
    currency: str
    minor_digits: int
    quantity: np.ndarray
    amount: np.ndarray
    present: np.ndarray
    total: np.ndarray

    def bill(self, row: int) -> list[tuple[LineSpec, Decimal, Decimal]]:
        """One account's present lines with quantity and amount as decimals, in the order of evaluation."""
        return [
            (
                spec,
                Decimal(int(self.quantity[row, spec.index])).scaleb(-spec.decimals),
                Decimal(int(self.amount[row, spec.index])).scaleb(-self.minor_digits),
            )
            for spec in self.layout
            if self.present[row, spec.index]
        ]


def price(plan: Plan, used: Determinants) -> Lines:
    """Price every account of the determinants by the plan; exact, with Python's integers where 64 bits might not do."""
    accounts, lines = len(used), len(plan.layout)
    quantity, amount = np.zeros((lines, accounts), dtype=np.int64), np.zeros((lines, accounts), dtype=np.int64)
    for begin in range(0, accounts, BLOCK):
        rows = slice(begin, min(begin + BLOCK, accounts))
        block = _rows(used, rows)
        if not _is_safe(plan, block):
            block = _as_objects(block)
        found = _Pricing(plan, block)
        found.run()
        for spec in plan.layout:
            quantity[spec.index, rows], amount[spec.index, rows] = found.quantity[spec.index], found.amount[spec.index]
    present = (quantity != 0) | (amount != 0)
    for spec in plan.layout:
        if spec.kind == "fixed":
            present[spec.index] = True
        elif spec.kind in ("minimum", "percent", "tax"):
            present[spec.index] = amount[spec.index] != 0
    return Lines(
        layout=plan.layout,
        currency=plan.version.currency,
        minor_digits=plan.minor_digits,
        quantity=quantity.T,
        amount=amount.T,
        present=present.T,
        total=amount.sum(axis=0),
    )


def _rows(used: Determinants, rows: slice) -> Determinants:
    return Determinants(
        energy=used.energy[rows],
        peaks={window: peaks[rows] for window, peaks in used.peaks.items()},
        segments=None if used.segments is None else used.segments[rows],
        meters=used.meters[rows],
    )


def _as_objects(used: Determinants) -> Determinants:
    return Determinants(
        energy=used.energy.astype(object),
        peaks={window: peaks.astype(object) for window, peaks in used.peaks.items()},
        segments=None if used.segments is None else used.segments.astype(object),
        meters=used.meters.astype(object),
    )


def _is_safe(plan: Plan, used: Determinants) -> bool:
    """Whether no product of the pricing can leave 64 bits, from the largest quantity of the block."""
    if used.energy.dtype == object:
        return False
    coarser = 10 ** (plan.quantity_decimals - plan.printed_decimals)
    most = int(used.energy.sum(axis=1).max(initial=0)) // coarser + plan.atom_count
    highest = max((int(peaks.max(initial=0)) for peaks in used.peaks.values()), default=0)
    power = max((highest * 3_600_000 // (window * 10**plan.quantity_decimals) + 1 for window in used.peaks), default=0)
    if most**2 >= _SAFE or highest * 3_600_000 >= _SAFE:
        return False
    money = 0
    for spec in plan.layout:
        size = {"energy": most, "demand": power, "fixed": int(used.meters.max(initial=1)) * 400}.get(spec.kind, money)
        scale = abs(spec.price_units) * spec.factor[0] * 10 ** max(0, plan.minor_digits - spec.decimals - spec.price_decimals)
        if 4 * size * scale >= _SAFE:
            return False
        money += (
            size * scale // (10 ** max(0, spec.decimals + spec.price_decimals - plan.minor_digits)) // spec.factor[1] + spec.price_units + 1
        )
    return money < _SAFE


def divide_half_up(numerator: np.ndarray, denominator: int) -> np.ndarray:
    """Non-negative integers divided, halves up."""
    return (
        numerator
        if denominator == 1
        else (2 * numerator + denominator) // (2 * denominator)
        if denominator % 2
        else (numerator + denominator // 2) // denominator
    )


def money(quantity: np.ndarray, spec: LineSpec, minor_digits: int) -> np.ndarray:
    """Minor units of quantity × price × factor, half away from zero."""
    shift = spec.decimals + spec.price_decimals - minor_digits
    units = abs(spec.price_units) * spec.factor[0] * 10 ** max(0, -shift)
    negative = quantity < 0
    size = divide_half_up(abs(quantity) * units, 10 ** max(0, shift) * spec.factor[1])
    if spec.price_units < 0:
        return np.where(negative, size, -size)
    return np.where(negative, -size, size) if negative.any() else size


class _Pricing:
    """One block of accounts on its way through the charges: quantity and amount, a column a line."""

    def __init__(self, plan: Plan, used: Determinants) -> None:
        self.plan, self.used = plan, used
        zeros = np.zeros(len(used), dtype=used.energy.dtype)
        self.quantity = [zeros] * len(plan.layout)
        self.amount = [zeros] * len(plan.layout)

    def run(self) -> None:
        for part in self.plan.parts:
            if isinstance(part, EnergyPart):
                self._energy(part)
            elif isinstance(part, DemandPart):
                self._demand(part)
            elif isinstance(part, ConstantPart):
                meters = self.used.meters.astype(self.used.energy.dtype)
                self._set(part.line, meters * part.quantity if part.per_meter else np.full_like(meters, part.quantity))
            else:
                self._of_base(part)

    def _set(self, line: int, quantity: np.ndarray) -> None:
        self.quantity[line] = quantity
        self.amount[line] = money(quantity, self.plan.layout[line], self.plan.minor_digits)

    def _fill(self, pools: Sequence[Pool], cells: Sequence[Sequence[Sequence[np.ndarray]]]) -> None:
        """Add the cells of each pool into their lines (several where prices are joined), then price the lines."""
        gathered: dict[int, np.ndarray] = {}
        for pool, tiers in zip(pools, cells, strict=True):
            for lines, row in zip(pool.lines, tiers, strict=True):
                for line, cell in zip(lines, row, strict=True):
                    gathered[line] = gathered[line] + cell if line in gathered else cell
        for line, quantity in gathered.items():
            self._set(line, quantity)

    def _energy(self, part: EnergyPart) -> None:
        plan = self.plan
        coarser = 10 ** (plan.quantity_decimals - plan.printed_decimals)
        if part.segment_period is not None:
            assert self.used.segments is not None
            self._fill(part.pools, [self._in_order(part, pool, coarser) for pool in part.pools])
            return
        periods = [divide_half_up(quantity, coarser) for quantity in by_period(part.register, self.used).values()]
        self._fill(part.pools, [_shares(pool, [periods[place] for place in pool.periods]) for pool in part.pools])

    def _in_order(self, part: EnergyPart, pool: Pool, coarser: int) -> list[list[np.ndarray]]:
        bounds = [bound * coarser for bound in pool.printed_bounds]
        assert self.used.segments is not None
        return [
            [divide_half_up(cell, coarser) for cell in row] for row in chronological_cells(part, pool.periods, bounds, self.used.segments)
        ]

    def _demand(self, part: DemandPart) -> None:
        """Power in 10^-3 of the unit: base units a window × 3600 / window, half-up."""
        peaks = list(peaks_by_period(part, self.used).values())
        denominator = part.window_s * 10**self.plan.quantity_decimals
        power = [divide_half_up(peak * 3_600_000, denominator) if denominator != 3_600_000 else peak for peak in peaks]
        self._fill(part.pools, [_shares(pool, [power[place] for place in pool.periods]) for pool in part.pools])

    def _of_base(self, part: BasePart) -> None:
        spec = self.plan.layout[part.line]
        base = sum((self.amount[line] for line in spec.base), start=np.zeros_like(self.quantity[part.line]))
        if part.least is None:
            self._set(part.line, base)
        else:
            self.quantity[part.line] = base
            self.amount[part.line] = np.maximum(part.least - base, 0)


def _shares(pool: Pool, periods: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Tiers × periods of a pooled ladder: each period has its share of each tier, whole units, by the largest remainder; a tier's shares
    add up to it.
    """
    if not pool.printed_bounds:
        return [periods]
    total = periods[0] if len(periods) == 1 else sum(periods[1:], start=periods[0])
    tiers, lower = [], 0
    for upper in (*pool.printed_bounds, None):
        top = total if upper is None else np.minimum(total, upper)
        tiers.append(top if lower == 0 else np.maximum(top - lower, 0))
        lower = upper or lower
    if len(periods) == 1:
        return [[tier] for tier in tiers]
    divisor = np.maximum(total, 1)
    return [_largest_remainder(tier, periods, divisor, order) for tier, order in zip(tiers, pool.order, strict=True)]


def _largest_remainder(tier: np.ndarray, periods: list[np.ndarray], divisor: np.ndarray, order: tuple[int, ...]) -> list[np.ndarray]:
    """tier × period / divisor in whole units that add up to tier; a tie of remainders goes to the cheaper period."""
    shares, rests = [], []
    for period in periods:
        product = tier * period
        share = product // divisor
        shares.append(share)
        rests.append(product - share * divisor)
    left = tier - sum(shares[1:], start=shares[0])
    for place, index in enumerate(order):
        rank = np.zeros_like(left)
        for other, rival in enumerate(order):
            if other != place:
                rank = rank + (rests[rival] >= rests[index] if other < place else rests[rival] > rests[index])
        shares[index] = shares[index] + (rank < left)
    return shares
