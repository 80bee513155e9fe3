"""A second, slow calculator of bills, sharing nothing with the engine but the rate model: one reading at a time, fractions, no arrays.

It answers printed lines summed by charge: {charge id: cents} and their sum.
"""

from collections import defaultdict
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from mains.rates.model import Demand, Energy, Fixed, Minimum, Percent, RateVersion


def cents(amount: Fraction) -> int:
    return round_fraction(abs(amount) * 100) * (1 if amount >= 0 else -1)


def round_fraction(value: Fraction) -> int:
    floor = value.numerator // value.denominator
    return floor + (value - floor >= Fraction(1, 2))


class Bill:
    """One account's bill for one version over a whole period."""

    def __init__(self, version: RateVersion, start: datetime, end: datetime, interval_s: int, wh: list[int]) -> None:
        self.version, self.wh, self.interval = version, wh, interval_s
        self.zone = ZoneInfo(version.calendar.timezone)
        begin = start.timestamp()
        self.at = [datetime.fromtimestamp(begin + n * interval_s, self.zone) for n in range(len(wh))]
        assert datetime.fromtimestamp(begin + len(wh) * interval_s, self.zone) == end.astimezone(self.zone)
        self.days = sorted({at.date() for at in self.at})
        rules = version.proration
        whole = rules.full_from <= len(self.days) <= rules.full_to
        self.months = Fraction(1) if whole else Fraction(len(self.days), rules.standard_days)
        self.cents: dict[str, int] = {}
        for charge in version.charges:
            self.cents[charge.id] = self.price(charge)
        self.total = sum(self.cents.values())

    def season(self, day: date) -> str | None:
        for season in self.version.calendar.seasons:
            for span in season.ranges:
                mark = day.strftime("%m-%d")
                inside = span.first <= mark <= span.last if span.first <= span.last else (mark >= span.first or mark <= span.last)
                if inside:
                    return season.name
        return None

    def applies(self, thing, day: date) -> bool:
        return (not thing.months or day.month in thing.months) and (not thing.seasons or self.season(day) in thing.seasons)

    def period(self, name: str | None, at: datetime) -> str:
        if name is None:
            return "all"
        calendar = self.version.calendar
        kind = "weekend" if at.weekday() in calendar.weekend else "weekday"
        if any(holiday.date == at.date() for holiday in calendar.holidays):
            kind = calendar.holidays_as
        schedule = next(schedule for schedule in calendar.schedules if schedule.name == name)
        row = next(row for row in schedule.rows if kind in row.days and self.applies(row, at.date()))
        clock = at.strftime("%H:%M")
        return next(span.period for span in row.spans if span.starts <= clock < span.ends)

    def days_with(self, charge, periods: set[str]) -> int:
        if charge.schedule is None:
            return sum(self.applies(charge, day) for day in self.days)
        schedule = next(schedule for schedule in self.version.calendar.schedules if schedule.name == charge.schedule)
        return sum(
            self.applies(charge, day)
            and any(span.period in periods for row in schedule.rows if self.applies(row, day) for span in row.spans)
            for day in self.days
        )

    def price(self, charge) -> int:
        days = sum(self.applies(charge, day) for day in self.days)
        share = self.months * Fraction(days, len(self.days))
        match charge:
            case Fixed(per="day"):
                return cents(Fraction(charge.amount) * days)
            case Fixed(per="year"):
                return cents(Fraction(charge.amount) * share / 12)
            case Fixed():
                return cents(Fraction(charge.amount) * share)
            case Minimum():
                least = cents(Fraction(charge.amount) * (days if charge.per == "day" else share))
                return max(0, least - self.base(charge))
            case Percent():
                return cents(Fraction(charge.rate) * Fraction(self.base(charge), 100) * Fraction(days, len(self.days)))
            case Energy():
                return self.energy(charge)
            case Demand():
                return self.demand(charge)
        raise AssertionError(charge)

    def base(self, charge) -> int:
        earlier = self.version.charges[: self.version.charges.index(charge)]
        return sum(self.cents[other.id] for other in earlier if {*other.tags, other.kind, other.id} & set(charge.of))

    def energy(self, charge: Energy) -> int:
        used: list[tuple[str, int]] = []
        for at, wh in zip(self.at, self.wh, strict=True):
            if self.applies(charge, at.date()):
                used.append((self.period(charge.schedule, at), wh))
        pools: dict[object, list] = defaultdict(list)
        occurring = {period for period, _ in used}
        for ladder in charge.ladders:
            if ladder.period in occurring:
                shape = ladder.period if charge.pool == "period" else (ladder.per, tuple(tier.up_to for tier in ladder.tiers))
                if len(ladder.tiers) == 1 and charge.pool == "all":
                    shape = "one price"
                pools[shape].append(ladder)
        by_price: dict[object, int] = defaultdict(int)
        for ladders in pools.values():
            days = self.days_with(charge, {ladder.period for ladder in ladders})
            scale = {"day": Fraction(days), "30day": Fraction(days, 30), "month": self.months * Fraction(days, len(self.days))}[
                ladders[0].per
            ]
            bounds = [round_fraction(Fraction(tier.up_to) * scale * 1000) for tier in ladders[0].tiers if tier.up_to is not None]
            mine = [(period, wh) for period, wh in used if period in {ladder.period for ladder in ladders}]
            fill = self.chronological if charge.allocation == "chronological" else self.prorata
            for (tier, period), wh in fill(mine, ladders, bounds).items():
                ladder = next(ladder for ladder in ladders if ladder.period == period)
                price = ladder.tiers[tier].price
                by_price[price if charge.lines == "price" else (id(ladder), tier, price)] += wh
        return sum(cents(Fraction(wh, 1000) * Fraction(key if charge.lines == "price" else key[2])) for key, wh in by_price.items())

    @staticmethod
    def prorata(used, ladders, bounds):
        total = sum(wh for _, wh in used)
        by_period = {ladder.period: sum(wh for period, wh in used if period == ladder.period) for ladder in ladders}
        cells, lower = {}, 0
        for tier, upper in enumerate([*bounds, None]):
            size = max(0, (total if upper is None else min(total, upper)) - lower)
            lower = upper
            exact = {period: Fraction(size * wh, total) if total else Fraction(0) for period, wh in by_period.items()}
            cell = {period: share.numerator // share.denominator for period, share in exact.items()}
            price = {ladder.period: ladder.tiers[tier].price for ladder in ladders}
            names = list(by_period)
            for period in sorted(names, key=lambda p: (-(exact[p] - cell[p]), price[p], names.index(p)))[: size - sum(cell.values())]:
                cell[period] += 1
            cells |= {(tier, period): wh for period, wh in cell.items()}
        return cells

    @staticmethod
    def chronological(used, ladders, bounds):
        cells, so_far = defaultdict(int), 0
        for period, wh in used:
            left = wh
            for tier, upper in enumerate([*bounds, None]):
                room = left if upper is None else max(0, min(left, upper - so_far))
                cells[tier, period] += room
                so_far += room
                left -= room
        return cells

    def demand(self, charge: Demand) -> int:
        window = (charge.window_minutes or max(self.interval, 900) // 60) * 60
        step = window // self.interval
        peaks: dict[str, int] = {}
        for first in range(0, len(self.wh), step):
            at = self.at[first]
            if self.applies(charge, at.date()):
                period = self.period(charge.schedule, at)
                peaks[period] = max(peaks.get(period, 0), sum(self.wh[first : first + step]))
        total = 0
        for ladder in charge.ladders:
            if ladder.period not in peaks:
                continue
            watts = round_fraction(Fraction(peaks[ladder.period] * 3600, window))
            share = self.months * Fraction(self.days_with(charge, {ladder.period}), len(self.days))
            lower = 0
            for tier in ladder.tiers:
                upper = None if tier.up_to is None else round_fraction(Fraction(tier.up_to) * 1000)
                size = max(0, (watts if upper is None else min(watts, upper)) - lower)
                lower = upper
                total += cents(Fraction(size, 1000) * Fraction(tier.price) * share)
        return total
