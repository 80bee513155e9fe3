"""Numbers, dates and money as people read them: in the utility's currency and zone, with true minus signs, never parted from their unit."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from mains.base.money import MINOR_UNITS

NBSP = "\u00a0"
MINUS = "−"
UNKNOWN = "unknown"
SYMBOLS = {"USD": "$", "AUD": "A$", "CAD": "C$", "NZD": "NZ$", "EUR": "€", "GBP": "£", "JPY": "¥", "KRW": "₩", "INR": "₹", "ZAR": "R"}
UNIT_NAMES = {"m3": "m³", "ft3": "ft³", "therm": "therms", "month": "months", "day": "days"}
"""How a unit reads after a number, where that differs from its code."""

_ISO_DATE = re.compile(r"\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b")
_AGES = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (86_400 * 60, 86_400, "days"))


def number(value: Decimal | float, *, digits: int | None = None, signed: bool = False) -> str:
    """A number with thousands apart and a true minus; `digits` after the point, None for as many as it has.

    >>> number(Decimal("-1234.50")), number(Decimal("1234.5"), digits=0), number(12, signed=True), number(Decimal("1E+3"))
    ('−1,234.5', '1,235', '+12', '1,000')
    """
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    if digits is not None:
        exact = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    text = f"{abs(exact):,f}"
    if digits is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    if not exact or not text.strip("0,."):
        return text
    return (MINUS if exact < 0 else "+" if signed else "") + text


def quantity(value: Decimal | None, unit: str, *, digits: int | None = None) -> str:
    """A quantity with its unit, at most three digits after the point, or that it is unknown.

    >>> quantity(Decimal("1243.5000"), "kWh"), quantity(Decimal(1), "day"), quantity(None, "m3")
    ('1,243.5\\xa0kWh', '1\\xa0day', 'unknown')
    """
    if value is None:
        return UNKNOWN
    shown = value if digits is not None else Decimal(number(value, digits=3).replace(",", "").replace(MINUS, "-"))
    return f"{number(shown, digits=digits)}{NBSP}{unit_name(unit, value)}"


def rough(value: Decimal | None, unit: str) -> str:
    """A quantity for a list: whole from a hundred on, else one digit after the point.

    >>> rough(Decimal("614.711"), "kWh"), rough(Decimal("11.64"), "m3"), rough(None, "kWh")
    ('615\\xa0kWh', '11.6\\xa0m³', 'unknown')
    """
    if value is None:
        return UNKNOWN
    return quantity(value, unit, digits=0 if abs(value) >= 100 or value == value.to_integral_value() else 1)


def three_digits(value: Decimal) -> str:
    """A number with about three digits that count, for a comparison at a glance.

    >>> [three_digits(Decimal(v)) for v in ("0.12658", "6152.8", "30.52", "1.2345")]
    ['0.127', '6,153', '30.5', '1.23']
    """
    size = abs(value)
    return number(value, digits=0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3)


def unit_name(unit: str, value: Decimal | None = None) -> str:
    """A unit as it reads, singular after one.

    >>> unit_name("m3"), unit_name("therm", Decimal(1)), unit_name("therm")
    ('m³', 'therm', 'therms')
    """
    return unit if value == 1 and unit in ("therm", "month", "day") else UNIT_NAMES.get(unit, unit)


def count(value: int | None) -> str:
    """A count in full below a million, then with two digits and a word.

    >>> count(48210), count(76_300_000), count(None)
    ('48,210', '76.30\\xa0million', 'unknown')
    """
    if value is None:
        return UNKNOWN
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if abs(value) >= size:
            return f"{number(Decimal(value) / size, digits=2)}{NBSP}{word}"
    return number(value)


def percent(share: Decimal | float | None, *, digits: int = 0, signed: bool = False) -> str:
    """A share of one as percent.

    >>> percent(Decimal("0.125"), digits=1), percent(0.5, signed=True), percent(None)
    ('12.5\\xa0%', '+50\\xa0%', 'unknown')
    """
    return UNKNOWN if share is None else f"{number(Decimal(str(share)) * 100, digits=digits, signed=signed)}{NBSP}%"


def plural(n: int, word: str, many: str | None = None) -> str:
    """A count and its noun.

    >>> plural(1, "bill"), plural(2, "bill"), plural(0, "entry", "entries")
    ('1\\xa0bill', '2\\xa0bills', '0\\xa0entries')
    """
    return f"{number(n)}{NBSP}{word if n == 1 else many or word + 's'}"


def words(name: str) -> str:
    """A code as words, first letter large.

    >>> words("on_peak"), words("ready-to-issue")
    ('On peak', 'Ready to issue')
    """
    text = re.sub(r"[_-]+", " ", name).strip()
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Words of a program as a person reads them: a large letter first, dates with their month in letters.

    >>> sentence("96 readings are missing: 2026-03-29 01:00 to 2026-03-30 01:00").replace(NBSP, " ")
    '96 readings are missing: 29 Mar 2026 01:00 to 30 Mar 2026 01:00'
    >>> sentence("meter 7 has none")
    'Meter 7 has none'
    """
    told = _ISO_DATE.sub(lambda found: day(date.fromisoformat(found[0])), text)
    return told[:1].upper() + told[1:]


def phone(value: str) -> str:
    """A telephone number in groups, where it is one of North America; any other as it was written.

    >>> phone("+15635550142"), phone("+44 20 7946 0018")
    ('+1\xa0563\xa0555\xa00142', '+44 20 7946 0018')
    """
    found = re.fullmatch(r"\+1(\d{3})(\d{3})(\d{4})", value)
    return NBSP.join(("+1", *found.groups())) if found else value


def day(value: date | None) -> str:
    """A date, month in letters so that no order is guessed.

    >>> day(date(2026, 12, 3)), day(None)
    ('3\\xa0Dec\\xa02026', 'unknown')
    """
    return UNKNOWN if value is None else f"{value.day}{NBSP}{value:%b}{NBSP}{value.year}"


def period(starts: date, ends: date) -> str:
    """The days of a half-open period, first and last day named, nothing said twice.

    >>> period(date(2026, 10, 1), date(2026, 11, 1)), period(date(2026, 9, 28), date(2026, 10, 27))
    ('1 – 31\\xa0Oct\\xa02026', '28\\xa0Sep – 26\\xa0Oct\\xa02026')
    """
    last = ends - timedelta(days=1)
    if last <= starts:
        return day(starts)
    if (starts.year, starts.month) == (last.year, last.month):
        return f"{starts.day} – {day(last)}"
    first = f"{starts.day}{NBSP}{starts:%b}" if starts.year == last.year else day(starts)
    return f"{first} – {day(last)}"


def days_of(starts: date, ends: date) -> str:
    """The days of a half-open period without the year of the last.

    >>> days_of(date(2026, 3, 1), date(2026, 3, 11))
    '1 – 10\\xa0Mar'
    """
    return period(starts, ends).removesuffix(f"{NBSP}{(ends - timedelta(days=1)).year}")


def days_from(value: date, today: date) -> str:
    """How far a date lies from today, in words.

    >>> today = date(2026, 11, 23)
    >>> days_from(date(2026, 12, 3), today), days_from(date(2026, 11, 20), today), days_from(today, today)
    ('in 10\\xa0days', '3\\xa0days ago', 'today')
    """
    apart = (value - today).days
    if apart == 0:
        return "today"
    return f"in {plural(apart, 'day')}" if apart > 0 else f"{plural(-apart, 'day')} ago"


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """The utility's conventions, and the instant that a page speaks from."""

    currency: str
    timezone: str
    at: datetime

    @property
    def today(self) -> date:
        """The utility's date at the page's instant."""
        return self.local(self.at).date()

    def local(self, instant: datetime) -> datetime:
        """An instant on the utility's clock."""
        return instant.astimezone(ZoneInfo(self.timezone))

    def money(self, amount: Decimal | None, *, signed: bool = False, whole: bool = False) -> str:
        """An amount in the utility's currency, to its minor unit unless `whole`.

        >>> f = Formats(currency="USD", timezone="UTC", at=datetime.fromisoformat("2026-01-01T00:00Z"))
        >>> f.money(Decimal("-1234.5")), f.money(Decimal("0.004"), signed=True), f.money(Decimal("184902.40"), whole=True)
        ('−$1,234.50', '$0.00', '$184,902')
        """
        if amount is None:
            return UNKNOWN
        text = number(amount, digits=0 if whole else MINOR_UNITS.get(self.currency, 2), signed=signed)
        sign, digits = (text[0], text[1:]) if text[0] in f"{MINUS}+" else ("", text)
        symbol = SYMBOLS.get(self.currency, self.currency + NBSP)
        return f"{sign}{symbol}{digits}"

    def price(self, price: Decimal | None, unit: str) -> str:
        """A unit price with all its digits, at least the minor unit's.

        >>> Formats(currency="USD", timezone="UTC", at=datetime.fromisoformat("2026-01-01T00:00Z")).price(Decimal("0.102760"), "kWh")
        '$0.10276 / kWh'
        """
        if price is None:
            return UNKNOWN
        minor = MINOR_UNITS.get(self.currency, 2)
        shown = max(minor, -int(price.normalize().as_tuple().exponent)) if price else minor
        text = number(abs(price), digits=shown)
        return f"{MINUS if price < 0 else ''}{SYMBOLS.get(self.currency, self.currency + NBSP)}{text} / {unit}"

    def instant(self, value: datetime | None) -> str:
        """An instant on the utility's clock, its zone named.

        >>> f = Formats(currency="USD", timezone="America/New_York", at=datetime.fromisoformat("2026-01-01T00:00Z"))
        >>> f.instant(datetime.fromisoformat("2026-11-22T23:42Z"))
        '22\\xa0Nov\\xa02026, 18:42\\xa0EST'
        """
        if value is None:
            return UNKNOWN
        local = self.local(value)
        return f"{day(local.date())}, {local:%H:%M}{NBSP}{local:%Z}"

    def clock(self, value: datetime) -> str:
        """The time of day on the utility's clock."""
        return f"{self.local(value):%H:%M}"

    def age(self, value: datetime | None) -> str:
        """How long ago an instant was.

        >>> Formats(currency="USD", timezone="UTC", at=datetime.fromisoformat("2026-01-01T12:00Z")).age(datetime.fromisoformat("2026-01-01T11:56Z"))
        '4\\xa0min ago'
        """
        if value is None:
            return "never"
        seconds = int((self.at - value).total_seconds())
        if 0 <= seconds < 5:
            return "just now"
        if seconds < 0:
            return f"on {day(self.local(value).date())}"
        for below, size, name in _AGES:
            if seconds < below:
                amount = seconds // size
                return f"{amount}{NBSP}{'day' if name == 'days' and amount == 1 else name} ago"
        return f"on {day(self.local(value).date())}"

    def near(self, value: date) -> str:
        """A date, its year only where that is not this one."""
        return f"{value.day}{NBSP}{value:%b}" if value.year == self.today.year else day(value)

    def due(self, value: date) -> str:
        """How far a date lies from the page's today."""
        return days_from(value, self.today)
