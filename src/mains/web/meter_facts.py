"""The facts of meter operations: what is due and what came, how late, what the rules question, and one exception with the readings around it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from psycopg import Connection

from mains.base.periods import local_midnight
from mains.metering import load, queries
from mains.metering.model import MISSING, Quality
from mains.metering.vee import queries as vee
from mains.metering.vee.queries import VeeException, Wanted
from mains.metering.vee.rules import BY_NUMBER
from mains.web import meter_queries
from mains.web.format import Formats, count, number, percent, sentence, words
from mains.web.meter_queries import SpanDue
from mains.web.meter_views import (
    ArrivalDay,
    Choice,
    EditRow,
    ExceptionPage,
    ExceptionRow,
    ExceptionsPage,
    Interval,
    Lateness,
    MetersPage,
    RuleCount,
    SilentMeter,
    SilentPage,
)  # fmt: skip
from mains.web.views import Tile

DAYS = 28
LATEST, MOST_ROWS, MOST_SILENT = 8, 60, 200
EDITABLE = 192
"""So many intervals at most are edited on a page; more go by `mains vee edit`."""
_LATE = ("within 6 hours", "within a day", "within 3 days", "later")
_AROUND, _LONGEST = timedelta(days=1), timedelta(days=4)
SEVERITIES = ("failure", "warning", "info")


def meters_page(conn: Connection, *, f: Formats) -> MetersPage:
    """Meter operations at the instant of `f`."""
    days = arrivals(conn, f=f)
    totals = [total for total in vee.exception_totals(conn) if total.exceptions]
    waits, pushed = meter_queries.waiting(conn)
    latest = vee.exceptions_page(conn, Wanted(), limit=LATEST)
    return MetersPage(
        tiles=_tiles(days, sum(total.exceptions for total in totals), waits, pushed, f=f), days=days, lateness=lateness(conn, f=f),
        rules=tuple(
            RuleCount(
                rule_name=total.rule_name, severity=total.severity, exceptions=total.exceptions, channels=total.channels, first_at=total.first_at,
                href="/meters/exceptions?" + urlencode({"rule": total.rule_name, "severity": total.severity}),
            )
            for total in totals
        ),
        latest=tuple(map(_row, latest)), waits=waits, pushed=pushed,
    )  # fmt: skip


# ── What came ────────────────────────────────────────────────────────────────


def arrivals(conn: Connection, *, f: Formats) -> tuple[ArrivalDay, ...]:
    """The last `DAYS` local days that deliveries have gone to the end of, oldest first; none where nothing was ever delivered."""
    ends = [each.readings_to_at for each in queries.batches_page(conn, limit=200) if each.readings_to_at is not None]
    if not ends:
        return ()
    newest = min(max(ends), f.at).astimezone(ZoneInfo(f.timezone)).date() - timedelta(days=1)
    shown = [newest - timedelta(days=n) for n in range(DAYS - 1, -1, -1)]
    read = {each.day: each for each in meter_queries.readings_by_day(conn, first=shown[0], last=newest + timedelta(days=1), timezone=f.timezone)}
    due = due_by_day(meter_queries.spans_due(conn, first=shown[0], last=newest + timedelta(days=1), timezone=f.timezone), shown, timezone=f.timezone)
    return tuple(
        ArrivalDay(day=day, due=due[day], read=read[day].readings if day in read else 0, estimated=read[day].estimated if day in read else 0) for day in shown
    )


def due_by_day(spans: Sequence[SpanDue], days: Sequence[date], *, timezone: str) -> dict[date, int]:
    """How many interval readings were due on each local day; a channel that came or went during a day owes that whole day only where it was there at its start and end."""
    found = dict.fromkeys(days, 0)
    for day in days:
        length = int(local_midnight(day + timedelta(days=1), timezone).timestamp() - local_midnight(day, timezone).timestamp())
        found[day] = sum(span.channels * (length // span.interval_s) for span in spans if span.from_date <= day and (span.to_date is None or day < span.to_date))
    return found


def lateness(conn: Connection, *, f: Formats) -> tuple[Lateness, ...]:
    """How long after the end of their days the readings came that were received in the last `DAYS` days."""
    found = {late.class_: late for late in meter_queries.lateness(conn, from_at=f.at - timedelta(days=DAYS), to_at=f.at)}
    everything = sum(late.readings for late in found.values())
    if not everything:
        return ()
    return tuple(
        Lateness(name=name, readings=found[n].readings, deliveries=found[n].deliveries, share=Decimal(found[n].readings) / everything)
        for n, name in enumerate(_LATE) if n in found
    )  # fmt: skip


def _tiles(days: Sequence[ArrivalDay], exceptions: int, waits: int, pushed: int, *, f: Formats) -> tuple[Tile, ...]:
    whole = [each for each in days if each.due]
    tiles = []
    if whole:
        last = whole[-1]
        share = Decimal(min(last.read, last.due)) / last.due if last.due else Decimal(1)
        tiles.append(
            Tile(
                label=f"Arrived of {f.near(last.day)}", value=percent(share, digits=1), note=f"{number(last.read)} of {number(last.due)} readings that were due",
                tone="good" if share >= Decimal("0.995") else "live" if share >= Decimal("0.98") else "alarm", trend=tuple(float(each.read) for each in whole),
            )
        )  # fmt: skip
        read = sum(each.read for each in whole)
        estimated = sum(each.estimated for each in whole)
        put_in = percent(Decimal(estimated) / read if read else Decimal(0), digits=2)
        tiles.append(Tile(label="Put in, not measured", value=put_in, note=f"of {count(read)} readings of {len(whole)} days"))
    tiles.append(Tile(label="Exceptions", value=count(exceptions), note="readings that a rule questions", tone="live" if exceptions else "good", href="/meters/exceptions"))
    note = f"{number(pushed)}{' or more' if pushed > 100_000 else ''} pushed readings wait to be stored" if pushed else "none waits in the inbox"
    tiles.append(Tile(label="Not validated", value=count(waits), note=f"deliveries; {note}", tone="live" if waits else "good"))
    return tuple(tiles)


def silent_page(conn: Connection, *, day: date | None, f: Formats) -> SilentPage:
    """Meters of which nothing was read on a local day; the last whole day of which anything was read where none is named."""
    if day is None:
        shown = arrivals(conn, f=f)
        day = shown[-1].day if shown else f.today - timedelta(days=1)
    begin, end = (local_midnight(each, f.timezone) for each in (day, day + timedelta(days=1)))
    found = meter_queries.silent_meters(conn, from_at=begin, to_at=end, limit=MOST_SILENT + 1)
    meters = tuple(
        SilentMeter(
            meter_number=each.meter_number, register=each.register, address=each.address, last_at=each.last_at,
            customer_href=f"/customers/{each.customer_id}" if each.customer_id else None,
        )
        for each in found[:MOST_SILENT]
    )  # fmt: skip
    return SilentPage(day=day, meters=meters, is_cut=len(found) > MOST_SILENT)


# ── The work list ────────────────────────────────────────────────────────────


def exceptions_page(conn: Connection, *, rule: str | None, severity: str | None, before: int | None, done: str | None) -> ExceptionsPage:
    """Entries of the work list that wait for somebody, newest first."""
    found = vee.exceptions_page(conn, Wanted(rule_name=rule, severity=severity), before=before, limit=MOST_ROWS + 1)
    totals = vee.exception_totals(conn)

    def href(**other: str | None) -> str:
        asked = {name: value for name, value in ({"rule": rule, "severity": severity} | other).items() if value}
        return "/meters/exceptions" + (f"?{urlencode(asked)}" if asked else "")

    names = list(dict.fromkeys(total.rule_name for total in totals))
    present = {total.severity for total in totals}
    older = href(before=str(found[MOST_ROWS - 1].vee_exception_id)) if len(found) > MOST_ROWS else None
    return ExceptionsPage(
        rows=tuple(map(_row, found[:MOST_ROWS])), done=done, older_href=older,
        rules=(Choice(name="all rules", href=href(rule=None), is_chosen=rule is None), *(Choice(name=words(name), href=href(rule=name), is_chosen=name == rule) for name in names)),
        severities=(
            Choice(name="all", href=href(severity=None), is_chosen=severity is None),
            *(Choice(name=name, href=href(severity=name), is_chosen=name == severity) for name in SEVERITIES if name in present),
        ),
    )  # fmt: skip


def _row(found: VeeException) -> ExceptionRow:
    return ExceptionRow(
        exception_id=found.vee_exception_id, meter_number=found.meter_number, register=found.register, from_at=found.from_at, to_at=found.to_at, rule_name=found.rule_name,
        severity=found.severity, finding=sentence(found.finding), status=found.exception_status, found_at=found.found_at,
    )  # fmt: skip


def exception_page(conn: Connection, exception_id: int) -> ExceptionPage:
    """One exception.

    Raises:
        NotFound: there is none of this number here.
    """
    found = vee.vee_exception(conn, exception_id)
    channel = queries.channels_by_id(conn, [found.channel_id])[0]
    intervals = _intervals(conn, found, channel)
    edits = vee.edits_page(conn, channel_id=found.channel_id, from_at=found.from_at, to_at=found.to_at, limit=20)
    is_open = found.exception_status in vee.UNSETTLED
    rule = BY_NUMBER.get(found.rule_number)
    customer = meter_queries.customer_of_meter(conn, found.meter_number, at=found.from_at)
    settled = None if is_open else f"{words(found.exception_status)} by {found.closed_by}: {found.reason}"
    return ExceptionPage(
        row=_row(found), rule_title=rule.title if rule else found.rule_name, rule_number=found.rule_number, unit=channel.unit, step=channel.step, can_decide=is_open,
        can_edit=is_open and 0 < sum(each.is_meant for each in intervals) <= EDITABLE and found.to_at - found.from_at <= _LONGEST, intervals=intervals,
        edits=tuple(
            EditRow(
                kind=each.edit_kind, method=each.method, status=each.edit_status, reason=each.reason, proposed_by=each.proposed_by, proposed_at=each.proposed_at,
                approved_by=each.approved_by,
            )
            for each in edits
        ),
        is_marked=found.is_marked, settled=settled, customer_href=f"/customers/{customer}" if customer else None,
    )  # fmt: skip


def _intervals(conn: Connection, found: VeeException, channel: queries.Channel) -> tuple[Interval, ...]:
    """The intervals from a day before an exception to a day after its end, or after its first days where it is long."""
    step = channel.interval_s
    if step is None:
        return ()
    until = min(found.to_at, found.from_at + _LONGEST)
    shift = channel.utc_offset_min * 60
    begin, end = ((int(at.timestamp()) + shift) // step * step - shift for at in (found.from_at - _AROUND, until + _AROUND))
    bounds = datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)
    try:
        now = load.load(conn, [channel.channel_id], *bounds, interval_s=step)
        then = load.load_as_of(conn, [channel.channel_id], *bounds, as_of=found.found_at, interval_s=step)
    except load.IntervalsDiffer:
        return ()
    out = []
    for n, (value, quality, before) in enumerate(zip(now.values[0].tolist(), now.quality[0].tolist(), then.values[0].tolist(), strict=True)):
        start = datetime.fromtimestamp(begin + n * step, UTC)
        out.append(
            Interval(
                number=n, starts_at=start, value=None if value == MISSING else value * channel.step, quality=words(Quality(quality).name.lower()),
                before=None if before in (MISSING, value) else before * channel.step, is_meant=found.from_at <= start < found.to_at,
            )
        )  # fmt: skip
    return tuple(out)
