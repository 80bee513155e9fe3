"""A bill opened: every line to its formula, its clause of the tariff, its ladder, and the readings it was taken from.

The lines are worked out again alone, in plain decimals, and held against those that were issued; what does not agree is not explained but reported.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.units import UNITS
from mains.billing import calculating, queries
from mains.billing.freezing import frozen_segments
from mains.billing.model import Draft, Service
from mains.billing.queries import Bill, BillLine
from mains.billing.runs import drafts_of
from mains.billing.selecting import service_of_inputs
from mains.billing.usage import IntervalUsage, interval_usage, register_usage
from mains.billing.verifying import removed_readings
from mains.metering import registers
from mains.metering.closing import queries as closing
from mains.metering.model import Quality
from mains.rates import engine
from mains.rates.explain import LineExplanation, explain
from mains.rates.kernels import window_totals
from mains.rates.plan import DemandPart, EnergyPart, Plan
from mains.rates.queries import StoredVersion, versions_by_id


class UnableToExplainBill(Problem):
    """The bill does not agree with what it was made from."""

    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedLine:
    """A line as issued, with why: formula in words, exact amount before rounding, clause, ladder and base lines (numbers of lines of this bill).

    `bounds` are the ends of the ladder's steps as the tariff states them, each with what it was multiplied by for the days billed.
    """

    line: BillLine
    why: LineExplanation
    base_lines: tuple[int, ...]
    bounds: tuple[tuple[Decimal, Fraction], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedSegment:
    """A part of the period and the rate version that priced it; local dates, half-open."""

    segment_no: int
    rate_version_id: UUID
    rate_code: str
    rate_schedule_name: str
    version_number: int
    document_sha256: str
    from_date: str
    to_date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The window in which most was used of all windows of a demand charge's period: `energy` in 10^-decimals kWh, from `starts_at` on."""

    period: str
    starts_at: datetime
    energy: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BilledDemand:
    """The windows of one demand charge, `window_s` long: the period of each interval (0 is none, n is `periods[n - 1]`), and the peak of each period."""

    segment_no: int
    charge_id: str
    window_s: int
    periods: tuple[str, ...]
    period_of: NDArray[np.int16]
    peaks: tuple[Peak, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BilledReadings:
    """The intervals a bill was taken from: integers of 10^-`decimals` kWh from `starts_at` on, every `interval_s`; `periods` names the time-of-use period of each ("" for none).

    `segment_of` is the number of the segment, from 1 on, that priced each interval.
    """

    starts_at: datetime
    interval_s: int
    decimals: int
    values: NDArray[np.int64]
    quality: NDArray[np.uint8]
    periods: tuple[str, ...]
    period_of: NDArray[np.int16]
    segment_of: NDArray[np.int16]
    demands: tuple[BilledDemand, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledDial:
    """What one register gave for its part [from_at, to_at) of the period: `used` in `unit`, times `factor` the quantity in the bill's unit.

    `heat` is therm a ccf where gas is billed by heat.
    `from_value` and `to_value` are the dial's figures at `from_read_at` and `to_read_at`, None where usages were delivered instead; where the dial passed its last figure
    and began again, `dial_end` is how much a whole turn is: used = (dial_end - from_value) + to_value. `qualities` are those of the reads used.
    """

    channel_id: int
    from_at: datetime
    to_at: datetime
    from_read_at: datetime | None
    to_read_at: datetime | None
    from_value: Decimal | None
    to_value: Decimal | None
    dial_end: Decimal | None
    used: Decimal
    unit: str
    heat: Decimal | None
    factor: Fraction
    qualities: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillExplanation:
    """A bill with all that stands behind it. `readings` is None where registers were read; then `dials` has their reads, as they stood for the bill."""

    bill: Bill
    lines: tuple[ExplainedLine, ...]
    segments: tuple[ExplainedSegment, ...]
    channels: tuple[dict[str, Any], ...]
    engine_version: str
    readings_as_of: datetime
    used_old_readings: bool
    readings: BilledReadings | None
    dials: tuple[BilledDial, ...] = ()

    @property
    def by_quality(self) -> dict[str, int]:
        """How many readings of each quality the bill was taken from, the most first: intervals, or reads of dials."""
        qualities = self.readings.quality if self.readings is not None else np.array([each for dial in self.dials for each in dial.qualities], dtype=np.uint8)
        codes, counts = np.unique(qualities, return_counts=True)
        return {Quality(int(codes[i])).name.lower(): int(counts[i]) for i in np.argsort(-counts, kind="stable")}

    def as_json(self) -> dict[str, Any]:
        """The explanation as plain values: money and quantities as text, instants in RFC 3339."""
        return _plain(
            {
                "bill": asdict(self.bill),
                "lines": [
                    asdict(line.line)
                    | {
                        "formula": line.why.formula,
                        "exact": line.why.raw,
                        "clause": line.why.clause,
                        "ladder": [asdict(s) for s in line.why.ladder],
                        "base_lines": line.base_lines,
                    }
                    for line in self.lines
                ],
                "segments": [asdict(segment) for segment in self.segments],
                "inputs": {
                    "channels": self.channels,
                    "engine_version": self.engine_version,
                    "readings_as_of": self.readings_as_of,
                    "used_old_readings": self.used_old_readings,
                    "readings_by_quality": self.by_quality,
                },
            }
        )


def explain_bill(conn: Connection, bill_id: UUID) -> BillExplanation:
    """Open a bill: work out each line again from the frozen inputs and say how it came about.

    Raises:
        NotFound: there is no such bill here.
        UnableToExplainBill: the remake differs from what was issued; `mains bills verify` says more.
    """
    found = queries.bill(conn, bill_id)
    row = queries.inputs_of_bills(conn, [bill_id])[0]
    service = service_of_inputs(row)
    versions = versions_by_id(conn, {segment.rate_version_id for segment in service.segments})
    lines = queries.lines_of_bill(conn, found)
    as_of = _instant_that_agrees(conn, service, versions, row)
    if as_of is not None:
        _refuse_archived(conn, found.bill_number, service, versions, row)
    plans, used, usage = _worked_out(conn, service, versions, as_of)
    whys = [why for plan, one in zip(plans, used, strict=True) for why in explain(plan, one, 0)]
    if [why.amount for why in whys] != [line.amount for line in lines]:
        raise UnableToExplainBill(
            f"bill {found.bill_number}: its lines do not follow from its inputs", cure="run mains bills verify on it and keep what it says"
        )
    return BillExplanation(
        bill=found, lines=_explained(lines, whys, plans), segments=_segments(service, versions), channels=tuple(row["channels"]), engine_version=row["engine_version"],
        readings_as_of=row["readings_as_of"], used_old_readings=as_of is not None, readings=_readings(service, plans, usage) if usage else None,
        dials=() if usage else _dials(conn, row["channels"], unit=found.usage_unit, as_of=as_of),
    )  # fmt: skip


def _instant_that_agrees(conn: Connection, service: Service, versions: dict[UUID, StoredVersion], row: dict[str, Any]) -> datetime | None:
    """None where today's readings give the hashes that were frozen, else the instant the bill was made, whose readings the store still has."""
    draft = drafts_of(conn, [service], versions)[0]
    frozen = [channel["sha256"] for channel in row["channels"]]
    if isinstance(draft, Draft) and [channel["sha256"] for channel in draft.frozen_channels] == frozen:
        return None
    return row["readings_as_of"]


def _refuse_archived(conn: Connection, bill_number: str, service: Service, versions: dict[UUID, StoredVersion], row: dict[str, Any]) -> None:
    """Refuse a bill whose readings are in an archive."""
    away = removed_readings(conn, service)
    if not away:
        return
    draft = drafts_of(conn, [service], versions, as_of=row["readings_as_of"])[0]
    if not isinstance(draft, Draft) or [channel["sha256"] for channel in draft.frozen_channels] != [channel["sha256"] for channel in row["channels"]]:
        raise UnableToExplainBill(f"bill {bill_number}: {closing.sentence(away)}", cure=f"restore first: mains readings restore {away[0].file}")


def _worked_out(
    conn: Connection, service: Service, versions: dict[UUID, StoredVersion], as_of: datetime | None
) -> tuple[list[Plan], list[engine.Determinants], IntervalUsage | None]:
    """Plans and determinants of one service, a segment each, and its intervals where it has them."""
    if service.commodity == "electric" and service.interval_s is not None:
        usage = interval_usage(conn, [service], as_of=as_of)
        plans = calculating.plans_of(service, versions, interval_s=usage.interval_s, decimals=usage.decimals)
        return plans, [engine.determinants(plan, usage.values) for plan in plans], usage
    unit = calculating.rate_unit(versions[service.segments[0].rate_version_id].version)
    reads = register_usage(conn, [service], rate_unit=unit, as_of=as_of)
    plans = calculating.plans_of(service, versions, interval_s=None, decimals=3)
    return plans, [engine.register_determinants(plan, reads.quantities) for plan in plans], None


def _explained(lines: list[BillLine], whys: list[LineExplanation], plans: list[Plan]) -> tuple[ExplainedLine, ...]:
    """Lines with their reasons; base lines, which a plan numbers in its own layout, as numbers of this bill."""
    number_of = {(line.segment_no, why.index): line.line_no for line, why in zip(lines, whys, strict=True)}
    return tuple(
        ExplainedLine(
            line=line,
            why=why,
            base_lines=tuple(number_of[line.segment_no, base.index] for base in why.base if (line.segment_no, base.index) in number_of),
            bounds=_bounds(plans[line.segment_no - 1], why.index),
        )
        for line, why in zip(lines, whys, strict=True)
    )


def _bounds(plan: Plan, index: int) -> tuple[tuple[Decimal, Fraction], ...]:
    """The ends of the steps of a line's ladder as stated, each with its scale to the days billed."""
    for part in (part for part in plan.parts if isinstance(part, EnergyPart | DemandPart)):
        for pool in part.pools:
            if any(index in numbers for numbers in pool.lines):
                period = part.register.periods[pool.periods[0]]
                ladder = next(ladder for ladder in part.charge.ladders if ladder.period == period)
                stated = [tier.up_to for tier in ladder.tiers if tier.up_to is not None]
                return tuple((Decimal(up_to), bound / Fraction(up_to)) for up_to, bound in zip(stated, pool.bounds, strict=True) if up_to)
    return ()


def _segments(service: Service, versions: dict[UUID, StoredVersion]) -> tuple[ExplainedSegment, ...]:
    found = []
    for number, frozen in enumerate(frozen_segments(service), start=1):
        stored = versions[UUID(frozen["rate_version_id"])]
        found.append(
            ExplainedSegment(
                segment_no=number,
                rate_version_id=stored.rate_version_id,
                rate_code=stored.rate_code,
                rate_schedule_name=stored.rate_schedule_name,
                version_number=stored.version_number,
                document_sha256=frozen["document_sha256"],
                from_date=frozen["from_date"],
                to_date=frozen["to_date"],
            )
        )
    return tuple(found)


def _readings(service: Service, plans: list[Plan], usage: IntervalUsage) -> BilledReadings:
    """The intervals with the time-of-use period of each, from the energy charge that tells most periods apart, else from a demand charge."""
    names: list[str] = [""]
    period_of, segment_of = np.zeros(usage.values.shape[1], dtype=np.int16), np.zeros(usage.values.shape[1], dtype=np.int16)
    for number, plan in enumerate(plans, start=1):
        segment_of[np.isin(_atom_of(plan), plan.inside)] = number
        parts = [part for part in plan.parts if isinstance(part, EnergyPart)] or [
            part for part in plan.parts if isinstance(part, DemandPart)
        ]
        part = max(parts, key=lambda part: len(part.register.periods), default=None)
        if part is None or len(part.register.periods) < 2:
            continue
        atom_of = _atom_of(plan)
        for period, atoms in zip(part.register.periods, part.register.atoms, strict=True):
            if period not in names:
                names.append(period)
            period_of[np.isin(atom_of, [atom for atom in atoms if atom in plan.inside])] = names.index(period)
    return BilledReadings(
        starts_at=service.period[0],
        interval_s=usage.interval_s,
        decimals=usage.decimals,
        values=usage.values[0],
        quality=usage.quality[0],
        periods=tuple(names),
        period_of=period_of,
        segment_of=segment_of,
        demands=tuple(
            _demand(plan, part, usage, number=number, starts_at=service.period[0])
            for number, plan in enumerate(plans, start=1)
            for part in plan.parts
            if isinstance(part, DemandPart)
        ),
    )


def _atom_of(plan: Plan) -> NDArray[np.int64]:
    """The atom of each interval of a plan."""
    return np.repeat(plan.atoms, np.diff([*plan.starts, plan.intervals]))


def _demand(plan: Plan, part: DemandPart, usage: IntervalUsage, *, number: int, starts_at: datetime) -> BilledDemand:
    """The windows of a demand charge by period, and of each period the first of those in which most was used."""
    window = next(window for window in plan.windows if window.seconds == part.window_s)
    totals = window_totals(usage.values[:1], window.step)[0]
    atom_of = np.repeat(window.atoms, np.diff([*window.starts, len(totals)]))
    period_of, peaks = np.zeros(len(totals), dtype=np.int16), []
    for place, (period, atoms) in enumerate(zip(part.register.periods, part.register.atoms, strict=True), start=1):
        mine = np.isin(atom_of, atoms)
        if not mine.any():
            continue
        period_of[mine] = place
        top = int(np.argmax(np.where(mine, totals, -1)))
        peaks.append(Peak(period=period, starts_at=starts_at.astimezone(UTC) + top * timedelta(seconds=part.window_s), energy=int(totals[top])))
    return BilledDemand(
        segment_no=number, charge_id=part.charge.id, window_s=part.window_s, periods=part.register.periods, period_of=np.repeat(period_of, window.step), peaks=tuple(peaks)
    )


def _dials(conn: Connection, channels: list[dict[str, Any]], *, unit: str, as_of: datetime | None) -> tuple[BilledDial, ...]:
    """What each frozen register gave, with the reads that it was taken from; figures only where they are still those that were frozen."""
    spans = [(each["channel_id"], datetime.fromisoformat(each["from_at"]), datetime.fromisoformat(each["to_at"]), each["dial_digits"]) for each in channels]
    answers = registers.usage_between(conn, spans, as_of=as_of)
    found = []
    for each, span, answer in zip(channels, spans, answers, strict=True):
        step, is_same = Decimal(each["units_per_step"]), answer.fingerprint == each["sha256"]
        values = [raw * step if is_same and raw is not None else None for raw in (answer.from_raw, answer.to_raw)]
        heat = Decimal(each["heat"]) if each["heat"] else None
        found.append(
            BilledDial(
                channel_id=span[0], from_at=span[1], to_at=span[2], from_read_at=answer.from_at if is_same else None, to_read_at=answer.to_at if is_same else None,
                from_value=values[0], to_value=values[1], dial_end=10 ** span[3] * step if answer.rolled_over and span[3] else None, used=each["raw"] * step,
                unit=each["unit"], heat=heat, factor=_factor(each["unit"], unit, heat), qualities=answer.qualities if is_same else (),
            )
        )  # fmt: skip
    return tuple(found)


def _factor(unit: str, billed: str, heat: Decimal | None) -> Fraction:
    """How many of the bill's units one of a register's is; by the frozen heat content (therm a ccf) where gas is billed by heat."""
    if heat is None:
        return Fraction(UNITS[unit].factor) / Fraction(UNITS[billed].factor)
    return Fraction(UNITS[unit].factor) / Fraction(UNITS["ccf"].factor) * Fraction(heat) * Fraction(UNITS["therm"].factor) / Fraction(UNITS[billed].factor)


def _plain(value: Any) -> Any:
    """Values as JSON has them: decimals, keys, dates and instants as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return (
        value if value is None or isinstance(value, bool | int | str) else value.isoformat() if hasattr(value, "isoformat") else str(value)
    )
