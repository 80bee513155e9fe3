"""One stretch of an agreement's use, point by point: a day or a week by hour, a month by day, a year by month.

Each point stands beside the year before, the weather, what homes like it used, and what it cost.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from psycopg import Connection

from mains.base.periods import local_midnight
from mains.web import queries, usage_beside, usage_cost
from mains.web.queries import AccountPlace, ChannelRow
from mains.web.usage_facts import Sum, measuring, month_after, shown_unit, source_of, sums_between
from mains.web.usage_views import Point, Tab, UsageDetail

_HOUR = timedelta(hours=1)
_MONTHLY = "This meter is read about once a month, so its days are not known: its months are on the customer's page."
_NO_HOURS = "This meter is read once a day or less often, so its hours are not known: its days and months are."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What is shown: points between `edges`, named by `labels`, each beside the point of `edges_then` whose number `then` gives, None where the year before had none.

    `first` and `last` are the local dates it covers, both included; `view` is day, week, month or year, `step` hour, day or month.
    """

    view: str
    step: str
    first: date
    last: date
    title: str
    last_year_label: str
    edges: Sequence[datetime]
    edges_then: Sequence[datetime]
    labels: Sequence[str]
    then: Sequence[int | None]


def usage_detail(conn: Connection, place: AccountPlace, *, view: str, on: date, at: datetime, path: str, is_cost: bool = False) -> UsageDetail:
    """What was used in the day, week, month or year that `on` lies in, up to the instant `at`; `path` is the page's own address."""
    stretch = _STRETCHES[view](on, place.timezone)
    channels, channels_then = (_channels(conn, place, edges) for edges in (stretch.edges, stretch.edges_then))
    unit = place.billed_unit or (shown_unit(channels[-1].unit) if channels else "kWh")
    has_points = stretch.step != "hour" or not channels or any(channel.interval_s is not None and channel.interval_s <= 3600 for channel in channels)
    now = sums_between(conn, channels, stretch.edges, unit=unit)
    then = sums_between(conn, channels_then, stretch.edges_then, unit=unit)
    points = _points(stretch, now, then, channels, at=at, path=path, is_cost=is_cost) if has_points else ()
    points, told = _beside(conn, place, stretch, points, unit=unit, at=at, is_cost=is_cost)
    is_dial = bool(channels) and all(channel.interval_s is None for channel in channels)
    empty = None if has_points else _NO_HOURS
    if stretch.step == "day" and is_dial and all(each.quantity is None for each in now):
        empty = _MONTHLY
    earlier, later = _steps(place, stretch, at=at, path=path, is_cost=is_cost)
    return UsageDetail(
        account_id=place.account_id, customer_id=place.customer_id, commodity=place.commodity, unit=unit, view=view, step=stretch.step, title=stretch.title, points=points,
        last_year_label=stretch.last_year_label, source=source_of(channels, unit=unit), tabs=_tabs(place, stretch, at=at, path=path, is_cost=is_cost), is_cost=is_cost,
        switch_href=_href(path, view, on, is_cost=not is_cost), earlier_href=earlier, later_href=later, empty_note=empty, **told,
    )  # fmt: skip


# ── Stretches ────────────────────────────────────────────────────────────────


def _day(on: date, timezone: str) -> Stretch:
    """The hours of a day, each beside the same hour of the clock on the same weekday 52 weeks before; a day of 23 or 25 hours has as many."""
    before = on - timedelta(days=364)
    return _by_hour(
        "day", on, 1, timezone, before=before, title=f"{on:%A} {on.day} {on:%B %Y}, by hour", last_year_label=f"{before:%A} {before.day} {before:%B %Y}",
        label=lambda at: f"{at:%H:%M}",
    )  # fmt: skip


def _week(on: date, timezone: str) -> Stretch:
    """The hours of a week from Monday on, beside those of 52 weeks before."""
    monday = on - timedelta(days=on.weekday())
    sunday, before = monday + timedelta(days=6), monday - timedelta(days=364)
    return _by_hour(
        "week", monday, 7, timezone, before=before, title=f"{monday.day} {monday:%B} – {sunday.day} {sunday:%B %Y}, by hour",
        last_year_label=f"the week of {before.day} {before:%B %Y}", label=lambda at: f"{at:%a} {at.day}, {at:%H:%M}",
    )  # fmt: skip


def _by_hour(
    view: str, first: date, days: int, timezone: str, *, before: date, title: str, last_year_label: str, label: Callable[[datetime], str]
) -> Stretch:
    zone = ZoneInfo(timezone)
    edges, edges_then = _hours(first, days, timezone), _hours(before, days, timezone)
    clock, clock_then = _clock(edges, zone), _clock(edges_then, zone)
    place_then = {each: n for n, each in enumerate(clock_then)}
    twice = {hour for hour, times in Counter(each[:2] for each in clock).items() if times > 1}
    labels = [label(at) + (f" {at:%Z}" if each[:2] in twice else "") for at, each in zip((edge.astimezone(zone) for edge in edges[:-1]), clock, strict=True)]
    return Stretch(
        view=view, step="hour", first=first, last=first + timedelta(days=days - 1), title=title, last_year_label=last_year_label, edges=edges, edges_then=edges_then,
        labels=labels, then=[place_then.get(each) for each in clock],
    )  # fmt: skip


def _month(on: date, timezone: str) -> Stretch:
    """The days of a month, each beside the same date of the year before."""
    first = on.replace(day=1)
    end, before = month_after(first), month_after(first, -12)
    days, days_then = (end - first).days, (month_after(before) - before).days
    names = [first + timedelta(days=n) for n in range(days)]
    return Stretch(
        view="month", step="day", first=first, last=end - timedelta(days=1), title=f"{first:%B %Y}, by day", last_year_label=f"{before:%B %Y}",
        edges=[local_midnight(first + timedelta(days=n), timezone) for n in range(days + 1)],
        edges_then=[local_midnight(before + timedelta(days=n), timezone) for n in range(days_then + 1)],
        labels=[f"{day:%a} {day.day}" for day in names], then=[n if n < days_then else None for n in range(days)],
    )  # fmt: skip


def _year(on: date, timezone: str) -> Stretch:
    """The months of a year, each beside the same month of the year before."""
    first = date(on.year, 1, 1)
    firsts, firsts_then = ([month_after(start, n) for n in range(13)] for start in (first, month_after(first, -12)))
    return Stretch(
        view="year", step="month", first=first, last=date(on.year, 12, 31), title=f"{on.year}, by month", last_year_label=str(on.year - 1),
        edges=[local_midnight(each, timezone) for each in firsts], edges_then=[local_midnight(each, timezone) for each in firsts_then],
        labels=[f"{each:%B}" for each in firsts[:-1]], then=list(range(12)),
    )  # fmt: skip


_STRETCHES: dict[str, Callable[[date, str], Stretch]] = {"day": _day, "week": _week, "month": _month, "year": _year}
VIEWS = tuple(_STRETCHES)


def _hours(first: date, days: int, timezone: str) -> list[datetime]:
    at, end = (local_midnight(each, timezone).astimezone(UTC) for each in (first, first + timedelta(days=days)))
    edges = []
    while at < end:
        edges.append(at)
        at += _HOUR
    return [*edges, end]


def _clock(edges: Sequence[datetime], zone: ZoneInfo) -> list[tuple[int, str, int]]:
    """Each hour as its day's number from the first and what the clock shows, and, where the clock shows it twice, which of the two it is."""
    locals_ = [edge.astimezone(zone) for edge in edges[:-1]]
    return [((at.date() - locals_[0].date()).days, f"{at:%H:%M}", at.fold) for at in locals_]


# ── Points ───────────────────────────────────────────────────────────────────


def _points(
    stretch: Stretch, now: Sequence[Sum], then: Sequence[Sum], channels: Sequence[ChannelRow], *, at: datetime, path: str, is_cost: bool
) -> tuple[Point, ...]:
    has_hours = any(channel.interval_s is not None and channel.interval_s <= 3600 for channel in channels)
    finer = {"month": "day", "year": "month"}.get(stretch.view)
    found = []
    for n, (start, label, sum_now, number) in enumerate(zip(stretch.edges[:-1], stretch.labels, now, stretch.then, strict=True)):
        if start > at:
            break
        on = stretch.first + timedelta(days=n) if stretch.step == "day" else month_after(stretch.first, n)
        opens = finer is not None and sum_now.quantity is not None and (finer == "month" or has_hours)
        found.append(
            Point(
                starts_at=start, label=label, quantity=sum_now.quantity, is_estimated=sum_now.is_estimated,
                last_year=_last_year(stretch, then, number),
                href=_href(path, finer, on, is_cost=is_cost) if opens and finer else None,
            )
        )  # fmt: skip
    return tuple(found)


def _last_year(stretch: Stretch, then: Sequence[Sum], number: int | None) -> Decimal | None:
    """What was used a year before, where at least half of it was read."""
    if number is None or number >= len(then):
        return None
    length = (stretch.edges_then[number + 1] - stretch.edges_then[number]).total_seconds()
    return then[number].quantity if 2 * then[number].missing_s < length else None


def _beside(
    conn: Connection, place: AccountPlace, stretch: Stretch, points: tuple[Point, ...], *, unit: str, at: datetime, is_cost: bool
) -> tuple[tuple[Point, ...], dict[str, str | None]]:
    """The points with what stands beside them, and a sentence on each of it."""
    edges = list(stretch.edges[: len(points) + 1])
    told: dict[str, str | None] = {"temperature_note": None, "similar_note": None, "cost_note": None}
    if not points or all(point.quantity is None and point.last_year is None for point in points):
        return points, told
    weather = usage_beside.temperatures(conn, place.account_id, edges)
    told["temperature_note"] = weather.note
    points = tuple(replace(point, temperature_c=degrees) for point, degrees in zip(points, weather.values, strict=True))
    if is_cost:
        costs = usage_cost.costs_between(conn, place.account_id, edges)
        told["cost_note"] = costs.note
        return tuple(replace(point, cost=cost) for point, cost in zip(points, costs.amounts, strict=True)), told
    whole = [edge for edge in edges if edge <= at]
    like = usage_beside.similar_homes(conn, place.account_id, whole, unit=unit)
    told["similar_note"] = like.note
    bands = [*like.bands, *(None for _ in range(len(points) - len(like.bands)))]
    return tuple(replace(point, similar=band) for point, band in zip(points, bands, strict=True)), told


def _channels(conn: Connection, place: AccountPlace, edges: Sequence[datetime]) -> list[ChannelRow]:
    return measuring(queries.channels_of_account(conn, place.account_id, from_at=edges[0], to_at=edges[-1]))


# ── Ways on ──────────────────────────────────────────────────────────────────


def _href(path: str, view: str, on: date, *, is_cost: bool) -> str:
    asked = {"day": f"day={on}", "week": f"week={on}", "month": f"month={on:%Y-%m}", "year": f"year={on.year}"}[view]
    return f"{path}?{asked}{'&show=cost' if is_cost else ''}"


def _ends(place: AccountPlace, today: date) -> tuple[date, date]:
    """The first and the last local date that an agreement can have used anything on."""
    zone = ZoneInfo(place.timezone)
    closed = (place.closed_at - timedelta(seconds=1)).astimezone(zone).date() if place.closed_at else today
    return place.opened_at.astimezone(zone).date(), min(closed, today)


def _steps(place: AccountPlace, stretch: Stretch, *, at: datetime, path: str, is_cost: bool) -> tuple[str | None, str | None]:
    """The stretch before and the one after, where the agreement was there in them."""
    first, last = _ends(place, at.astimezone(ZoneInfo(place.timezone)).date())
    earlier, later = stretch.first - timedelta(days=1), stretch.last + timedelta(days=1)
    before = _href(path, stretch.view, earlier, is_cost=is_cost) if first <= earlier else None
    return before, _href(path, stretch.view, later, is_cost=is_cost) if later <= last else None


def _tabs(place: AccountPlace, stretch: Stretch, *, at: datetime, path: str, is_cost: bool) -> tuple[Tab, ...]:
    """The four views of about the same time: from a longer one to a shorter its last day that was there, from a shorter one to a longer what it lies in."""
    first, last = _ends(place, at.astimezone(ZoneInfo(place.timezone)).date())
    on = max(first, min(stretch.last, last)) if stretch.view in ("month", "year") else stretch.first
    return tuple(Tab(name=view.title(), href=_href(path, view, on, is_cost=is_cost), is_open=view == stretch.view) for view in VIEWS)
