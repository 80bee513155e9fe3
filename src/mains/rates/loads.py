"""A rate document and a load file to monthly bills, without a database: for trying a tariff, and for holding this engine against others."""

import calendar
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from mains.base.money import half_up
from mains.base.periods import local_midnight
from mains.base.problems import Issue, Problem
from mains.rates.checks import check_version
from mains.rates.compile import compile_plan
from mains.rates.documents import from_document
from mains.rates.engine import determinants, total_energy
from mains.rates.exact import exact_amounts
from mains.rates.model import RateVersion
from mains.rates.plan import Plan
from mains.rates.price import price
from mains.rates.urdb import from_urdb, is_urdb

HEADER = "kwh"
FINEST = 9
"""Decimals of kWh that are kept."""
_LENGTHS = (3600, 1800, 900, 300)
_KINDS = ("energy", "demand", "fixed", "minimum")


class UnableToReadLoad(Problem):
    """The load file is not one column of kWh for whole months."""

    status = 422


class UnableToReadRateFile(Problem):
    """The rate file is not a rate that is known here."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Readings in integers of 10^-decimals kWh, from `start`, `interval_s` seconds each."""

    readings: list[int]
    decimals: int
    start: datetime
    interval_s: int
    issues: tuple[Issue, ...] = ()


def read_rate(path: Path, *, timezone: str) -> tuple[RateVersion | None, list[Issue]]:
    """The version in a JSON file, of this format or of the Utility Rate Database, and what there is to say about it; None where it is
    refused.

    Raises:
        UnableToReadRateFile: the file is missing, no JSON, or no rate.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        raise UnableToReadRateFile(f"{path}: {error.strerror}", cure="name a file that can be read", file=str(path)) from None
    except json.JSONDecodeError as error:
        raise UnableToReadRateFile(
            f"{path} is not JSON: {error.msg}", cure="mend the file at that line", file=str(path), line=error.lineno
        ) from None
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UnableToReadRateFile(f"{path} is not JSON in UTF-8: {error}", cure="give a JSON file in UTF-8", file=str(path)) from None
    return read_document(document, timezone=timezone, file=str(path))


def read_document(document: object, *, timezone: str, file: str = "") -> tuple[RateVersion | None, list[Issue]]:
    """As `read_rate`, from a JSON value; an answer of the database's API (`items`) is taken where it holds one rate."""
    if isinstance(document, Mapping) and isinstance(document.get("items"), list):
        if len(document["items"]) != 1:
            raise UnableToReadRateFile(f"{file} holds {len(document['items'])} rates", cure="give a file of one rate", file=file)
        document = document["items"][0]
    if is_urdb(document):
        assert isinstance(document, Mapping)
        return from_urdb(document, timezone=timezone)
    if not isinstance(document, Mapping) or "format" not in document:
        raise UnableToReadRateFile(
            f"{file} is neither a rate of this format nor of the Utility Rate Database",
            cure="give energyratestructure or format",
            file=file,
        )
    version = from_document(document)
    issues = list(check_version(version))
    return (None if issues else version), issues


def read_load(path: Path, *, start: str, timezone: str, interval_minutes: int | None = None) -> Load:
    """One column headed `kwh`, a reading a row from `start` (local time of `timezone`, the first of a month) on; the interval follows
    from the count of rows.

    Raises:
        UnableToReadLoad: a cell, the header or the count of rows is wrong; the message names the line and the cure.
    """
    try:
        zone = ZoneInfo(timezone)
    except (LookupError, ValueError, OSError):
        raise UnableToReadLoad(
            f"there is no time zone {timezone!r}", cure="name an IANA zone such as America/New_York or Etc/GMT+8"
        ) from None
    begin = _start(start, zone)
    cells = _cells(path)
    decimals = max(3, *(max(0, -int(cell.as_tuple().exponent)) for cell in cells)) if cells else 3
    issues: list[Issue] = []
    if decimals > FINEST:
        over = sum(-int(cell.as_tuple().exponent) > FINEST for cell in cells)
        issues.append(
            Issue(
                code="load-rounded",
                message=f"{over} readings have over {FINEST} decimals and were rounded half-even",
                cure="give at most 9 decimals of kWh",
                file=str(path),
                count=over,
                severity="warning",
            )
        )
        decimals = FINEST
    readings = [int(cell.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN)) for cell in cells]
    interval = _interval(path, len(cells), begin, zone, interval_minutes)
    return Load(readings=readings, decimals=decimals, start=begin, interval_s=interval, issues=tuple(issues))


def _start(text: str, zone: ZoneInfo) -> datetime:
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise UnableToReadLoad(f"{text!r} is not a time", cure="write it like 2018-01-01T00:00") from None
    if not 1900 <= start.year <= 2200:
        raise UnableToReadLoad(f"{text!r} is not a time of 1900 to 2200", cure="write it like 2018-01-01T00:00")
    start = start.replace(tzinfo=zone) if start.tzinfo is None else start.astimezone(zone)
    if (start.day, start.hour, start.minute, start.second) != (1, 0, 0, 0):
        raise UnableToReadLoad(
            f"{start.isoformat()} is not the local midnight that begins a month", cure="start at the first of a month, 00:00"
        )
    return start


def _cells(path: Path) -> list[Decimal]:
    def wrong(line: int, what: str, cure: str) -> UnableToReadLoad:
        return UnableToReadLoad(f"{path}, line {line}: {what}", cure=cure, file=str(path), line=line)

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UnableToReadLoad(f"{path}: {error.strerror}", cure="name a file that can be read", file=str(path)) from None
    except UnicodeDecodeError:
        raise UnableToReadLoad(f"{path} is not UTF-8 text", cure="save it as CSV in UTF-8", file=str(path)) from None
    while lines and not lines[-1].strip():
        lines.pop()
    header = lines[0].strip().strip('"').lower() if lines else ""
    if header != HEADER:
        raise wrong(1, f"the header is {header[:40]!r}", f"give one column with the header {HEADER}")
    cells = []
    for number, text in enumerate(lines[1:], start=2):
        cell = _number(text.strip().strip('"'))
        if cell is None:
            raise wrong(number, f"{text[:40]!r} is not a number", "write kWh with a point, one number a line")
        if not cell.is_finite():
            raise wrong(number, f"{text[:40]!r} is not finite", "estimate the missing reading first")
        if cell < 0:
            raise wrong(number, f"{text[:40]} is negative", "give consumption; exports need a rate that has them")
        if cell >= 10**9:
            raise wrong(number, f"{text[:40]} kWh in one interval is absurd", "check the unit: readings are kWh")
        cells.append(cell)
    if not cells:
        raise wrong(2, "there is no reading", "give a reading a line")
    return cells


def _number(text: str) -> Decimal | None:
    """A decimal written in plain ASCII; None where it is none, as with the underscores and the digits of other scripts that Decimal takes."""
    try:
        return Decimal(text) if text.isascii() and "_" not in text else None
    except InvalidOperation:
        return None


def _interval(path: Path, count: int, start: datetime, zone: ZoneInfo, minutes: int | None) -> int:
    """The length of a reading in seconds that makes the rows one year, or else the only one that makes them whole months."""
    if minutes is not None and not (1 <= minutes <= 1440 and 1440 % minutes == 0):
        raise UnableToReadLoad(f"readings of {minutes} minutes do not fill a day", cure="give an interval that divides the day, such as 15 or 60")
    lengths = (minutes * 60,) if minutes else _LENGTHS
    fitting = [length for length in lengths if _is_month_start(start.timestamp() + count * length, zone)]
    one_year = [length for length in fitting if datetime.fromtimestamp(start.timestamp() + count * length, zone).year == start.year + 1]
    fitting = [n for n in one_year if datetime.fromtimestamp(start.timestamp() + count * n, zone).month == start.month] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UnableToReadLoad(
            f"{path}: {count} rows are whole months at {' and at '.join(str(n // 60) for n in fitting)} minutes",
            cure="say which with --interval",
            file=str(path),
        )
    year = int(local_midnight(date(start.year + 1, start.month, 1), zone).timestamp() - start.timestamp())
    month = int(_next_month(start, zone).timestamp() - start.timestamp())
    wanted = ", ".join(f"{year // length} ({month // length} for the first month) at {length // 60} minutes" for length in lengths)
    raise UnableToReadLoad(
        f"{path}: {count} rows from {start:%Y-%m-%d} are not whole months",
        cure=f"a year has {wanted}",
        file=str(path),
        rows=count,
        line=count + 1,
    )


def _is_month_start(instant: float, zone: ZoneInfo) -> bool:
    local = datetime.fromtimestamp(instant, zone)
    return (local.day, local.hour, local.minute) == (1, 0, 0)


def _next_month(at: datetime, zone: ZoneInfo) -> datetime:
    first = at.date() + timedelta(days=calendar.monthrange(at.year, at.month)[1])
    return local_midnight(first, zone)


def price_load(version: RateVersion, load: Load) -> list[dict[str, Any]]:
    """Each calendar month: the sums of kinds exact and rounded once each, and beside them the bill, its lines rounded one by one.

    The two totals can differ by a cent or two: a bill adds lines that are already rounded, so that what is printed adds up.
    """
    zone = ZoneInfo(version.calendar.timezone)
    values = np.array(load.readings, dtype=np.int64 if max(load.readings) * len(load.readings) < 2**62 else object)
    months, begin, done = [], load.start, 0
    while done < len(values):
        end = _next_month(begin, zone)
        plan = compile_plan(version, period=(begin, end), interval_s=load.interval_s, quantity_decimals=load.decimals)
        months.append(_month(plan, values[None, done : done + plan.intervals], f"{begin:%Y-%m}"))
        begin, done = end, done + plan.intervals
    return months


def _month(plan: Plan, values: np.ndarray, name: str) -> dict[str, Any]:
    used = determinants(plan, values, kernel="numpy")
    lines = price(plan, used)
    exact = exact_amounts(plan, used)
    digits = plan.minor_digits

    def rounded(kinds: tuple[str, ...]) -> Decimal:
        total = sum((exact[spec.index] for spec in plan.layout if spec.kind in kinds), start=Fraction(0))
        return Decimal(half_up(total * 10**digits)).scaleb(-digits)

    sums = {kind: rounded((kind,)) for kind in _KINDS}
    if any(spec.kind in ("percent", "tax") for spec in plan.layout):
        sums["taxes"] = rounded(("percent", "tax"))
    return {
        "month": name,
        "kwh": str(Decimal(int(total_energy(plan, used)[0])).scaleb(-plan.quantity_decimals)),
        **{kind: str(amount) for kind, amount in sums.items()},
        "total": str(sum(sums.values())),
        "billed_total": str(Decimal(int(lines.total[0])).scaleb(-digits)),
        "lines": [
            {
                "charge": spec.charge_id,
                "title": spec.title,
                "kind": spec.kind,
                "quantity": str(quantity),
                "unit": spec.unit,
                "price": spec.price,
                "factor": str(Fraction(*spec.factor)),
                "amount": str(amount),
            }
            for spec, quantity, amount in lines.bill(0)
        ],
    }
