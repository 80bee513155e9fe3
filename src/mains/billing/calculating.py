"""From readings to draft bills: services of one shape are priced together, as columns of integers; the money maths is `rates`'.

Services have one shape when they share period, zone, rate versions and interval length: then one plan prices them all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import numpy as np

from mains.base.money import half_up
from mains.base.periods import local_midnight
from mains.billing.model import Draft, DraftLine, Held, Service
from mains.billing.usage import IntervalUsage, RegisterUsage
from mains.rates import engine
from mains.rates.compile import UnableToPriceRate, compile_plan
from mains.rates.model import Demand, Energy, RateVersion
from mains.rates.plan import Plan
from mains.rates.price import Lines, price
from mains.rates.queries import StoredVersion

Versions = Mapping[UUID, StoredVersion]


@dataclass(frozen=True, slots=True)
class Shape:
    """What services must share to be priced by one plan."""

    commodity: str
    timezone: str
    from_date: object
    to_date: object
    segments: tuple[object, ...]
    lengths: tuple[int | None, ...]
    units: tuple[tuple[str, Decimal], ...]


def by_shape(services: Iterable[Service]) -> list[list[Service]]:
    """Services grouped by shape, in the order in which the shapes come."""
    groups: dict[Shape, list[Service]] = defaultdict(list)
    for service in services:
        is_interval = service.commodity == "electric" and service.interval_s is not None
        units = tuple(dict.fromkeys((span.unit, span.units_per_step) for span in service.channels)) if is_interval else ()
        shape = Shape(
            service.commodity,
            service.timezone,
            service.from_date,
            service.to_date,
            service.segments,
            service.lengths if is_interval else (),
            units,
        )
        groups[shape].append(service)
    return list(groups.values())


def rate_unit(version: RateVersion) -> str:
    """The unit that a version's energy is priced in; kWh where it prices none."""
    return next((charge.unit for charge in version.charges if isinstance(charge, Energy)), "kWh")


def plans_of(service: Service, versions: Versions, *, interval_s: int | None, decimals: int) -> list[Plan]:
    """One plan a segment of the service.

    Raises:
        UnableToPriceRate: a version cannot be priced exactly from readings of this kind.
    """
    plans = []
    for segment in service.segments:
        _refuse_unstated_window(service, versions[segment.rate_version_id].version)
        bounds = local_midnight(segment.from_date, service.timezone), local_midnight(segment.to_date, service.timezone)
        plans.append(
            compile_plan(
                versions[segment.rate_version_id].version,
                period=service.period,
                segment=bounds,
                interval_s=interval_s,
                quantity_decimals=decimals,
            )
        )
    return plans


def _refuse_unstated_window(service: Service, version: RateVersion) -> None:
    """A demand without a window of its own is that of the meter's intervals, and these have several lengths here."""
    unstated = next((charge for charge in version.charges if isinstance(charge, Demand) and charge.window_minutes is None), None)
    if unstated is not None and len(service.lengths) > 1:
        lengths = " and ".join(f"{length} s" if length else "a register" for length in service.lengths)
        raise UnableToPriceRate(
            f"{unstated.label} names no window, and the meters of this period measure by {lengths}", cure="state the window of the demand in the rate's document"
        )


def interval_drafts(services: list[Service], usage: IntervalUsage, versions: Versions) -> list[Draft | Held]:
    """Draft bills of services of one shape from their intervals; those with missing or doubtful readings are held."""
    held = {number: reason for number, service in enumerate(services) if (reason := usage.problem(number, service))}
    good = [number for number in range(len(services)) if number not in held]
    results: dict[int, Draft | Held] = dict(held)
    if good:
        try:
            plans = plans_of(services[good[0]], versions, interval_s=usage.interval_s, decimals=usage.decimals)
        except UnableToPriceRate as error:
            return [held.get(n) or _unpriceable(service, error) for n, service in enumerate(services)]
        values = usage.values if len(good) == len(services) else usage.values[good]
        priced = [_priced(plan, engine.determinants(plan, values)) for plan in plans]
        totals = values.sum(axis=1)
        peaks = values.max(axis=1)
        for row, number in enumerate(good):
            peak = Decimal(half_up(Fraction(int(peaks[row]) * 3600, usage.interval_s * 10**usage.decimals) * 1000)).scaleb(-3)
            results[number] = _draft(
                services[number],
                [(plan, columns, row) for plan, columns in zip(plans, priced, strict=True)],
                usage_quantity=Decimal(int(totals[row])).scaleb(-usage.decimals),
                usage_unit="kWh",
                peak_kw=peak,
                estimated=usage.estimated(number),
                frozen=usage.frozen[number],
            )
    return [results[number] for number in range(len(services))]


def register_drafts(services: list[Service], usage: RegisterUsage, versions: Versions) -> list[Draft | Held]:
    """Draft bills of services of one shape from the reads at their period's ends; those without a read are held."""
    results: list[Draft | Held] = []
    try:
        plans = plans_of(services[0], versions, interval_s=None, decimals=3)
    except UnableToPriceRate as error:
        return [_unpriceable(service, error) for service in services]
    good = [number for number, service in enumerate(services) if usage.problem(number, service) is None]
    quantities = [usage.quantities[number] for number in good]
    priced = [_priced(plan, engine.register_determinants(plan, quantities)) for plan in plans] if good else []
    unit = rate_unit(plans[0].version)
    rows = {number: row for row, number in enumerate(good)}
    for number, service in enumerate(services):
        if number not in rows:
            problem = usage.problem(number, service)
            assert problem is not None  # those without a problem are among the good
            results.append(problem)
            continue
        parts = [(plan, columns, rows[number]) for plan, columns in zip(plans, priced, strict=True)]
        quantity = Decimal(usage.quantities[number]).scaleb(-3)
        results.append(
            _draft(
                service,
                parts,
                usage_quantity=quantity,
                usage_unit=unit,
                peak_kw=None,
                estimated=usage.estimated(number),
                frozen=usage.frozen[number],
            )
        )
    return results


@dataclass(frozen=True, slots=True)
class _Columns:
    """Lines as Python lists: quick to walk row by row."""

    lines: Lines
    quantity: list[list[int]]
    amount: list[list[int]]
    present: list[list[bool]]


def _priced(plan: Plan, used: engine.Determinants) -> _Columns:
    lines = price(plan, used)
    return _Columns(lines, lines.quantity.tolist(), lines.amount.tolist(), np.asarray(lines.present).tolist())


def _draft(
    service: Service,
    parts: list[tuple[Plan, _Columns, int]],
    *,
    usage_quantity: Decimal,
    usage_unit: str,
    peak_kw: Decimal | None,
    estimated: int,
    frozen: tuple[dict[str, object], ...],
) -> Draft:
    """One bill from the lines of its segments."""
    found: list[DraftLine] = []
    for number, ((plan, columns, row), segment) in enumerate(zip(parts, service.segments, strict=True), start=1):
        quantity, amount, present = columns.quantity[row], columns.amount[row], columns.present[row]
        for spec in plan.layout:
            if not present[spec.index]:
                continue
            found.append(
                DraftLine(
                    segment_no=number,
                    rate_version_id=segment.rate_version_id,
                    charge_id=spec.charge_id,
                    charge_kind=spec.kind,
                    label=spec.label,
                    tags=spec.tags,
                    tou_period=spec.period or None,
                    tier=spec.tier,
                    quantity=Decimal(quantity[spec.index]).scaleb(-spec.decimals),
                    unit=spec.unit,
                    price=spec.price,
                    factor=_fraction(spec.factor),
                    amount=Decimal(amount[spec.index]).scaleb(-plan.minor_digits),
                )
            )
    minor = parts[0][0].minor_digits
    total = sum((line.amount for line in found), start=Decimal(0).scaleb(-minor))
    return Draft(
        service=service,
        lines=tuple(found),
        total=total,
        usage_quantity=usage_quantity,
        usage_unit=usage_unit,
        peak_kw=peak_kw,
        estimated_readings=estimated,
        frozen_channels=frozen,
        currency=parts[0][0].version.currency,
    )


def _fraction(factor: tuple[int, int]) -> str:
    """A factor as text: 1, or numerator/denominator."""
    return str(factor[0]) if factor[1] == 1 else f"{factor[0]}/{factor[1]}"


def _unpriceable(service: Service, error: UnableToPriceRate) -> Held:
    return Held(service=service, code="rate-cannot-be-priced", message=error.detail, cure=error.cure or "mend the rate's document")
