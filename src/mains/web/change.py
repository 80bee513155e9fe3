"""Why a bill differs from the one before, in parts that add up to the difference to the cent."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from mains.base.money import round_money
from mains.web.format import quantity, three_digits, unit_name
from mains.web.views import BillPage, Line, PreviousBill, RatePart

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One reason and what it did to the total, in money; `code` is days, use, price, season, mix, tiers, rate, demand, fixed or taxes.

    `before` and `now` are what it is about, in `unit`; `note` what there is to say instead.
    """

    code: str
    amount: Decimal
    before: Decimal | None = None
    now: Decimal | None = None
    unit: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference to the bill before, and its parts; the parts' sum is `amount`.

    `share` is None where the bill before was zero or a credit.
    """

    before: Decimal
    now: Decimal
    parts: tuple[Part, ...]

    @property
    def amount(self) -> Decimal:
        """Now less before."""
        return self.now - self.before

    @property
    def share(self) -> Decimal | None:
        """The difference as a share of the bill before."""
        return self.amount / self.before if self.before > 0 else None

    @property
    def largest(self) -> Part | None:
        """The part that did most."""
        return max(self.parts, key=lambda part: abs(part.amount), default=None)


def change(bill: BillPage, *, currency: str) -> Change | None:
    """The parts of a bill's difference to the one before; None where there is none before.

    Energy is taken apart one factor at a time, days first, then use a day, each at the price of the bill before; then the lines that both
    bills have, at the
    difference of their prices; what is left is other hours, tiers or season. Fixed, demand and percent lines are compared as they stand.
    """
    previous = bill.previous
    if previous is None:
        return None
    now, before = _by_kind(bill.lines), _by_kind(previous.lines)
    parts = _energy_parts(bill, previous, currency=currency)
    for code, kinds in (("demand", ("demand",)), ("fixed", ("fixed", "minimum")), ("taxes", ("percent", "tax"))):
        amount = sum((now[kind] - before[kind] for kind in kinds), ZERO)
        peaks = (_largest(previous.lines), _largest(bill.lines)) if code == "demand" else (None, None)
        parts.append(Part(code=code, amount=amount, before=peaks[0], now=peaks[1], unit="kW" if code == "demand" else None))
    rest = bill.total_amount - previous.total_amount - sum((part.amount for part in parts), ZERO)
    parts.append(Part(code="other", amount=rest))
    return Change(before=previous.total_amount, now=bill.total_amount, parts=tuple(part for part in parts if part.amount))


def _energy_parts(bill: BillPage, previous: PreviousBill, *, currency: str) -> list[Part]:
    before, now = _energy(previous.lines), _energy(bill.lines)
    cost_before, cost_now = (sum((line.amount for line in lines), ZERO) for lines in (before, now))
    used_before, used_now = previous.usage_quantity, bill.usage_quantity
    days_before, days_now = (previous.billing_period_end - previous.billing_period_start).days, bill.days
    if not used_before or used_now is None or days_before <= 0 or days_now <= 0:
        return [Part(code="use", amount=cost_now - cost_before, before=used_before, now=used_now, unit=bill.unit)]
    daily_before, daily_now = used_before / days_before, used_now / days_now
    mean_price = cost_before / used_before
    days = Part(
        code="days",
        amount=round_money((days_now - days_before) * daily_before * mean_price, currency),
        before=Decimal(days_before),
        now=Decimal(days_now),
        unit="day",
    )
    use = Part(
        code="use",
        amount=round_money(days_now * (daily_now - daily_before) * mean_price, currency),
        before=daily_before,
        now=daily_now,
        unit=bill.unit,
    )
    old_prices = _prices(before)
    matched = [
        (line, old_prices[_key(line)])
        for line in now
        if line.quantity is not None and line.price is not None and old_prices.get(_key(line)) is not None
    ]
    price = round_money(
        sum((line.quantity * (line.price - old) for line, old in matched if line.quantity and line.price and old is not None), ZERO),
        currency,
    )
    mix = cost_now - cost_before - days.amount - use.amount - price
    return [days, use, *_priced_otherwise(bill, previous, price=price, rest=mix)]


def _priced_otherwise(bill: BillPage, previous: PreviousBill, *, price: Decimal, rest: Decimal) -> list[Part]:
    """What is neither days nor use: another rate, or other prices and the rest; where the tariff is the same to the letter, other prices are those of a season."""
    if names_of(bill.parts) != names_of(previous.parts) or len(names_of(bill.parts)) > 1:
        return [Part(code="rate", amount=price + rest, note=_from_rate_to_rate(bill, previous))]
    is_same = {part.version_hash for part in bill.parts} == {part.version_hash for part in previous.parts}
    now, before = _energy(bill.lines), _energy(previous.lines)
    periods_now, periods_before = ({line.period for line in lines} for lines in (now, before))
    if is_same and not periods_now & periods_before:
        return [Part(code="season", amount=price + rest)]
    has_hours, has_tiers = len(periods_now | periods_before) > 1, any(line.tier for line in (*now, *before))
    return [Part(code="season" if is_same else "price", amount=price), Part(code="mix" if has_hours else "tiers" if has_tiers else "rounding", amount=rest)]


def names_of(parts: Iterable[RatePart]) -> tuple[str, ...]:
    """The rates of some parts, each once, in their order."""
    return tuple(dict.fromkeys(part.rate_schedule_name for part in parts))


def _from_rate_to_rate(bill: BillPage, previous: PreviousBill) -> str:
    before, now = names_of(previous.parts), names_of(bill.parts)
    for earlier, later in pairwise(bill.parts):
        if earlier.rate_schedule_name != later.rate_schedule_name:
            return f"{later.rate_schedule_name} instead of {earlier.rate_schedule_name} from {later.starts_on.day} {later.starts_on:%B}."
    return f"{' and '.join(now)} instead of {' and '.join(before)}." if before else ""


def _prices(lines: Iterable[Line]) -> dict[tuple[str, str | None, int | None], Decimal]:
    """The price of each kind of line; the mean by quantity where two rates shared the period."""
    found: dict[tuple[str, str | None, int | None], list[Line]] = defaultdict(list)
    for line in lines:
        if line.price is not None and line.quantity is not None:
            found[_key(line)].append(line)
    prices = {}
    for key, some in found.items():
        used = sum((line.quantity for line in some if line.quantity), ZERO)
        paid = sum((line.quantity * line.price for line in some if line.quantity and line.price), ZERO)
        prices[key] = paid / used if used and len(some) > 1 else some[-1].price
    return prices


def _key(line: Line) -> tuple[str, str | None, int | None]:
    return line.charge_id, line.period, line.tier


def _energy(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line.kind == "energy"]


def _by_kind(lines: Iterable[Line]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        sums[line.kind] += line.amount
    return sums


def _largest(lines: Iterable[Line]) -> Decimal | None:
    return max((line.quantity for line in lines if line.kind == "demand" and line.quantity is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A part in words: a short name, and a sentence with its numbers."""

    name: str
    text: str


def reason(part: Part) -> Reason:
    """What a part of a difference means to the person who pays."""
    more = part.amount > 0
    before, now = part.before, part.now
    match part.code:
        case "days" if before is not None and now is not None:
            return Reason(name="Length of the period", text=f"{quantity(now, 'day')} instead of {quantity(before, 'day')}.")
        case "use" if before is not None and now is not None:
            unit = unit_name(part.unit or "")
            return Reason(
                name="Used more a day" if more else "Used less a day",
                text=f"{three_digits(now)} {unit} a day instead of {three_digits(before)}.",
            )
        case "price":
            return Reason(name="Prices changed", text=f"The same lines at {'higher' if more else 'lower'} prices.")
        case "mix":
            return Reason(name="When it was used", text=f"More of it in {'dearer' if more else 'cheaper'} hours.")
        case "season":
            return Reason(name="Season", text=f"The tariff has {'higher' if more else 'lower'} prices for this time of year.")
        case "rounding":
            return Reason(name="Rounding", text="Each line is rounded by itself.")
        case "tiers":
            return Reason(name="Tiers", text=f"More of it in {'dearer' if more else 'cheaper'} tiers.")
        case "rate":
            return Reason(name="Rate changed", text=part.note)
        case "demand" if before is not None and now is not None:
            return Reason(name="Highest demand", text=f"{quantity(now, 'kW')} instead of {quantity(before, 'kW')}.")
        case "fixed":
            return Reason(name="Fixed charges", text="Charged by the day, month or minimum.")
        case "taxes":
            return Reason(name="Riders and taxes", text="They follow the lines above them.")
        case _:
            return Reason(name={"use": "Use", "days": "Length of the period", "demand": "Demand"}.get(part.code, "Other"), text="")
