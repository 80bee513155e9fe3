"""From a rate version and a billing period to a plan: the calendar resolved once, the charges laid out as lines."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from mains.base.money import MINOR_UNITS, half_up
from mains.base.problems import Problem
from mains.rates.calendars import Axis, applies, day_grid, local_axis, periods_of, rows_for, schedule_named, slots_of
from mains.rates.checks import bounds_of, check_version
from mains.rates.documents import content_hash, decimal_text, sha256_of
from mains.rates.model import ALL_DAY, AnyCharge, Charge, Demand, Energy, Fixed, Ladder, Minimum, Percent, RateVersion
from mains.rates.plan import BasePart, ConstantPart, DemandPart, EnergyPart, LineSpec, Part, Plan, Pool, Register, Window


class UnableToPriceRate(Problem):
    """The rate cannot be priced exactly for these readings."""

    status = 422


def compile_plan(
    version: RateVersion,
    *,
    period: tuple[datetime, datetime],
    segment: tuple[datetime, datetime] | None = None,
    interval_s: int | None,
    quantity_decimals: int = 3,
) -> Plan:
    """The plan of a version for a billing period, both ends aware local midnights, [start, end).

    `segment` is the part of the period that this version prices (default all of it); readings are always those of the whole period.
    `interval_s` is the
    length of a reading in seconds; 86,400 is one a local day, None a register read of the whole period. Readings are integers of
    10^-`quantity_decimals` units.

    Raises:
        UnableToPriceRate: the version has faults (member `issues`), or the readings are too coarse for its schedules or demand windows.
    """
    if issues := check_version(version):
        raise UnableToPriceRate(
            f"rate {version.name} has {len(issues)} fault{'s' * (len(issues) > 1)}: {issues[0].message}",
            cure=issues[0].cure,
            issues=[issue.as_json() for issue in issues],
        )
    asked = _Asked(content_hash(version), period, segment or period, interval_s or 86_400, quantity_decimals, version)
    return _compiled(asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    version_hash: str
    period: tuple[datetime, datetime]
    segment: tuple[datetime, datetime]
    interval_s: int
    quantity_decimals: int
    version: RateVersion = field(compare=False)


@lru_cache(maxsize=512)
def _compiled(asked: _Asked) -> Plan:
    return _Compiler(asked).plan()


def _text(price: Decimal) -> str:
    """A price as printed: its digits, at least two after the point."""
    plain = decimal_text(price)
    whole, _, part = plain.partition(".")
    return f"{whole}.{part:0<2}"


class _Compiler:
    """The state of one compilation: the axis, the labels that charges put on it, and the lines so far."""

    def __init__(self, asked: _Asked) -> None:
        self.asked, self.version = asked, asked.version
        self.calendar, self.rules = self.version.calendar, self.version.proration
        self.zone = ZoneInfo(self.calendar.timezone)
        self.printed = min(asked.quantity_decimals, self.version.rounding.quantity_decimals)
        self.minor = MINOR_UNITS[self.version.currency]
        self.axis = self._axis()
        first, last = (self._midnight(at, "segment") for at in asked.segment)
        self.in_segment = np.array([first <= day < last for day in self.axis.days])
        if not self.in_segment.any() or first < self.axis.days[0] or last < first or (last - self.axis.days[-1]).days > 1:
            raise UnableToPriceRate("the segment is empty or leaves the billing period", cure="give a part of the period")
        self.ends_here = bool(self.in_segment[-1])
        count = len(self.axis.days)
        self.months = Fraction(1) if self.rules.full_from <= count <= self.rules.full_to else Fraction(count, self.rules.standard_days)
        self.labels: list[np.ndarray] = [np.where(self.in_segment, 0, -1)[self.axis.day_of].astype(np.int16)]
        self.label_keys: dict[tuple[object, ...], tuple[int, tuple[str, ...]]] = {}
        self.layout: list[LineSpec] = []

    def _midnight(self, at: datetime, what: str) -> date:
        if at.tzinfo is None:
            raise UnableToPriceRate(f"the {what} end {at.isoformat()} has no time zone", cure="give aware instants")
        local = at.astimezone(self.zone)
        if (local.hour, local.minute, local.second, local.microsecond) != (0, 0, 0, 0):
            raise UnableToPriceRate(
                f"{at.isoformat()} is not midnight in {self.calendar.timezone}", cure="begin and end periods at local midnights"
            )
        return local.date()

    def _axis(self) -> Axis:
        start, end = self.asked.period
        first, last = self._midnight(start, "period"), self._midnight(end, "period")
        if last <= first:
            raise UnableToPriceRate(f"the period {first} to {last} is empty", cure="give an end after the start")
        interval = self.asked.interval_s
        if interval != 86_400 and (interval <= 0 or (900 % interval and interval not in (1800, 3600))):
            raise UnableToPriceRate(
                f"readings of {interval} s", cure="use readings of 1 day, 60, 30 or 15 minutes, or a part of 15 minutes"
            )
        calendar = self.calendar
        if (
            calendar.holidays
            and calendar.holidays_from
            and calendar.holidays_through
            and not calendar.holidays_from <= first <= last <= _after(calendar.holidays_through)
        ):
            raise UnableToPriceRate(
                f"the holidays of {self.version.name} are listed for {calendar.holidays_from} to {calendar.holidays_through}, "
                f"not for {first} to {last}",
                cure="add the holidays of those years in a new version",
            )
        return local_axis(self.zone, start, end, interval)

    # -- which readings belong together

    def _applicable(self, charge: Charge) -> np.ndarray:
        """bool (days): whether the charge applies on each day of the period."""
        if not charge.months and not charge.seasons:
            return np.ones(len(self.axis.days), dtype=bool)
        return np.array([applies(self.calendar, day, months=charge.months, seasons=charge.seasons) for day in self.axis.days])

    def _label(self, charge: Energy | Demand, *, whole_period: bool) -> tuple[int, tuple[str, ...]]:
        """The axis of labels (its index) of a charge, and the periods that occur on it."""
        key = (charge.schedule, charge.months, charge.seasons, whole_period)
        if key not in self.label_keys:
            days = self._applicable(charge) & (True if whole_period else self.in_segment)
            if charge.schedule is None:
                periods: tuple[str, ...] = (ALL_DAY,)
                grid = np.zeros((len(days), 96), dtype=np.int16)
            else:
                schedule = schedule_named(self.calendar, charge.schedule)
                periods = periods_of(schedule)
                grid = day_grid(schedule, self.calendar, self.axis.days, periods)
                self._refuse_straddling(grid[days], charge)
            grid = np.where(days[:, None], grid, -1).astype(np.int16)
            label = grid[self.axis.day_of, self.axis.slot_of]
            present = [number for number in range(len(periods)) if (label == number).any()]
            compact = np.full(len(periods) + 1, -1, dtype=np.int16)
            compact[present] = range(len(present))
            self.labels.append(compact[label])
            self.label_keys[key] = (len(self.labels) - 1, tuple(periods[number] for number in present))
        return self.label_keys[key]

    def _refuse_straddling(self, grid: np.ndarray, charge: Charge) -> None:
        width = 96 if self.axis.whole_days else max(1, self.asked.interval_s // 900)
        parts = grid.reshape(len(grid), -1, width)
        if (parts != parts[:, :, :1]).any():
            what = "one total a day or a register" if width == 96 else f"readings of {width * 15} minutes"
            raise UnableToPriceRate(
                f"{charge.label} changes its period within a reading: {what} cannot tell the periods apart",
                cure="price it from readings of 15 minutes",
                charge=charge.id,
            )

    def _atoms(self) -> tuple[np.ndarray, np.ndarray]:
        """int16 (intervals): the atom of each reading; and (axes × atoms): each atom's labels."""
        kinds, atom = np.unique(np.stack(self.labels), axis=1, return_inverse=True)
        return atom.reshape(-1).astype(np.int64), kinds

    # -- shares of time

    def _days_with(self, charge: Energy | Demand, periods: set[str]) -> int:
        """Days of the segment on which the charge applies and whose month or season has one of the periods, on any class of day."""
        days = self._applicable(charge) & self.in_segment
        if charge.schedule is None:
            return int(days.sum())
        schedule = schedule_named(self.calendar, charge.schedule)
        chosen = (day for day, counts in zip(self.axis.days, days, strict=True) if counts)
        return sum(any(periods & set(slots_of(row)) for row in rows_for(schedule, self.calendar, day)) for day in chosen)

    def _share(self, days: int, rule: str) -> Fraction:
        """How many months of a monthly sum are due for some days of the period."""
        if rule == "full":
            return Fraction(int(self.ends_here and days > 0))
        return self.months * Fraction(days, len(self.axis.days))

    def _scale(self, ladder: Ladder, days: int) -> Fraction:
        if ladder.per == "day":
            return Fraction(days)
        if ladder.per == "30day":
            return Fraction(days, 30)
        return Fraction(1) if self.rules.tiers == "full" else self.months * Fraction(days, len(self.axis.days))

    # -- lines

    def _line(
        self, charge: Charge, *, price: Decimal, unit: str, decimals: int, period: str = "", tier: int | None = None, **more: Any
    ) -> int:
        plain = decimal_text(price)
        digits = len(plain.partition(".")[2])
        spec = LineSpec(
            index=len(self.layout),
            charge_id=charge.id,
            label=charge.label,
            tags=charge.tags,
            kind=charge.kind,
            period=period,
            tier=tier,
            unit=unit,
            decimals=decimals,
            price=_text(price),
            price_units=int(price.scaleb(digits)),
            price_decimals=digits,
            clause=charge.clause,
            gl=charge.gl,
            **more,
        )
        self.layout.append(spec)
        return spec.index

    def _pool(self, charge: Energy | Demand, present: tuple[str, ...], members: tuple[str, ...], joined: dict[Decimal, int]) -> Pool:
        """One ladder shared by `members`, and its lines (those of one price joined, where the charge wants that)."""
        ladders = [next(ladder for ladder in charge.ladders if ladder.period == period) for period in members]
        first, days = ladders[0], self._days_with(charge, set(members))
        is_energy = isinstance(charge, Energy)
        scale = self._scale(first, days) if is_energy else Fraction(1)
        factor = (1, 1) if is_energy else self._share(days, self.rules.demand).as_integer_ratio()
        decimals = self.printed if is_energy else 3
        bounds = tuple(Fraction(tier.up_to) * scale for tier in first.tiers if tier.up_to is not None)
        printed = tuple(half_up(bound * 10**decimals) for bound in bounds)
        prices = tuple(tuple(ladder.tiers[tier].price for ladder in ladders) for tier in range(len(first.tiers)))
        lines = []
        for number, row in enumerate(prices):
            found = []
            for period, price in zip(members, row, strict=True):
                if price not in joined:
                    named = {"period": period if len(present) > 1 else "", "tier": number + 1 if len(prices) > 1 else None}
                    one = is_energy and charge.lines == "price"
                    index = self._line(charge, price=price, unit=charge.unit, decimals=decimals, factor=factor, **({} if one else named))
                    if one:
                        joined[price] = index
                else:
                    index = joined[price]
                found.append(index)
            lines.append(tuple(found))
        order = tuple(tuple(sorted(range(len(row)), key=lambda place, row=row: (row[place], place))) for row in prices)
        return Pool(
            periods=tuple(present.index(period) for period in members),
            bounds=bounds,
            printed_bounds=printed,
            prices=prices,
            lines=tuple(lines),
            order=order,
            days=days,
        )

    def _pools(self, charge: Energy | Demand, present: tuple[str, ...]) -> tuple[Pool, ...]:
        groups: dict[object, list[str]] = {}
        for ladder in charge.ladders:
            if ladder.period in present and self._days_with(charge, {ladder.period}):
                alone = isinstance(charge, Demand) or charge.pool == "period"
                groups.setdefault(ladder.period if alone else bounds_of(ladder), []).append(ladder.period)
        joined: dict[Decimal, int] = {}
        return tuple(self._pool(charge, present, tuple(members), joined) for members in groups.values())

    def _window(self, charge: Demand) -> int:
        interval = self.asked.interval_s
        window = charge.window_minutes * 60 if charge.window_minutes else max(interval, 900)
        if self.axis.whole_days or window % interval:
            raise UnableToPriceRate(
                f"{charge.label} is measured over {charge.window_minutes or 60} minutes, "
                f"which readings of {interval // 60} minutes cannot tell",
                cure=f"price it from readings of at most {charge.window_minutes or 60} minutes",
                charge=charge.id,
            )
        step = window // interval
        slots = self.axis.slot_of[::step].astype(np.int64) * 900
        if len(self.axis.slot_of) % step or (slots % window).any():
            raise UnableToPriceRate(
                f"the clock of {self.calendar.timezone} shifts within a window of {charge.label}",
                cure="use a shorter window",
                charge=charge.id,
            )
        return window

    def _base(self, charge: AnyCharge, of: tuple[str, ...]) -> tuple[int, ...]:
        named = {earlier.id for earlier in self.version.charges[: self.version.charges.index(charge)] if earlier.names & set(of)}
        return tuple(spec.index for spec in self.layout if spec.charge_id in named)

    def _simple(self, charge: Fixed | Minimum | Percent) -> Part | None:
        """A fixed charge, a minimum or a percentage; None where it does not apply to any day of the segment."""
        days = int((self._applicable(charge) & self.in_segment).sum())
        if isinstance(charge, Fixed):
            months = self._share(days, self.rules.fixed)
            factor = Fraction(1) if charge.per == "day" else months / 12 if charge.per == "year" else months
            if not (days and factor):
                return None
            line = self._line(charge, price=charge.amount, unit=charge.per, decimals=0, factor=factor.as_integer_ratio())
            return ConstantPart(line=line, quantity=days if charge.per == "day" else 1, per_meter=charge.per == "meter")
        if isinstance(charge, Minimum):
            factor = Fraction(days) if charge.per == "day" else self._share(days, self.rules.minimum)
            least = Fraction(charge.amount) * factor * 10**self.minor
            if not factor:
                return None
            base = self._base(charge, charge.of)
            line = self._line(
                charge, price=charge.amount, unit=charge.per, decimals=self.minor, factor=factor.as_integer_ratio(), base=base
            )
            return BasePart(line=line, least=half_up(least))
        assert isinstance(charge, Percent)
        if not days:
            return None
        factor = Fraction(days, int(self.in_segment.sum()))
        base = self._base(charge, charge.of)
        line = self._line(
            charge, price=charge.rate, unit=self.version.currency, decimals=self.minor, factor=factor.as_integer_ratio(), base=base
        )
        return BasePart(line=line, least=None)

    def plan(self) -> Plan:
        """Label, then lay out: two passes, since an atom is known only when every charge has put its label on the axis."""
        over_period = self.rules.demand_over == "period"
        for charge in self.version.charges:
            if isinstance(charge, Energy | Demand):
                self._label(charge, whole_period=isinstance(charge, Demand) and over_period)
        atom, kinds = self._atoms()
        starts = np.flatnonzero(np.diff(atom, prepend=-1)).astype(np.int64)
        parts: list[Part] = []
        windows: dict[int, Window] = {}
        for charge in self.version.charges:
            if not isinstance(charge, Energy | Demand):
                if (part := self._simple(charge)) is not None:
                    parts.append(part)
                continue
            axis, present = self._label(charge, whole_period=isinstance(charge, Demand) and over_period)
            register = Register(
                periods=present, atoms=tuple(tuple(map(int, np.flatnonzero(kinds[axis] == number))) for number in range(len(present)))
            )
            pools = self._pools(charge, present)
            if isinstance(charge, Demand):
                window = self._window(charge)
                windows[window] = _window_of(window, window // self.asked.interval_s, atom)
                parts.append(DemandPart(charge=charge, register=register, pools=pools, window_s=window))
            else:
                ordered = charge.allocation == "chronological" and any(pool.bounds and len(pool.periods) > 1 for pool in pools)
                parts.append(
                    EnergyPart(charge=charge, register=register, pools=pools, segment_period=self.labels[axis][starts] if ordered else None)
                )
        return self._finished(atom, kinds, starts, tuple(windows.values()), tuple(parts))

    def _finished(
        self, atom: np.ndarray, kinds: np.ndarray, starts: np.ndarray, windows: tuple[Window, ...], parts: tuple[Part, ...]
    ) -> Plan:
        asked = self.asked
        ends = [at.astimezone(self.zone).isoformat() for at in (*asked.period, *asked.segment)]
        return Plan(
            key=sha256_of([asked.version_hash, *ends, asked.interval_s, asked.quantity_decimals]),
            version=self.version,
            version_hash=asked.version_hash,
            period=asked.period,
            segment=asked.segment,
            days=self.axis.days,
            segment_days=int(self.in_segment.sum()),
            months=self.months,
            interval_s=asked.interval_s,
            intervals=len(atom),
            quantity_decimals=asked.quantity_decimals,
            printed_decimals=self.printed,
            minor_digits=self.minor,
            starts=starts,
            atoms=atom[starts],
            atom_count=kinds.shape[1],
            inside=tuple(map(int, np.flatnonzero(kinds[0] == 0))),
            windows=windows,
            parts=parts,
            layout=tuple(self.layout),
        )


def _after(day: date) -> date:
    return date.fromordinal(day.toordinal() + 1)


def _window_of(seconds: int, step: int, atom: np.ndarray) -> Window:
    """The demand windows of one length; each belongs to the atom of its first reading."""
    first = atom[::step]
    starts = np.flatnonzero(np.diff(first, prepend=-1)).astype(np.int64)
    return Window(seconds=seconds, step=step, starts=starts, atoms=first[starts])
