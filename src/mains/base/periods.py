"""Local days as instants: where a date begins depends on the zone, and a day may have 23 or 25 hours."""

from datetime import date, datetime
from zoneinfo import ZoneInfo


def local_midnight(day: date, zone: ZoneInfo | str) -> datetime:
    """The instant at which a local date begins in an IANA zone.

    >>> local_midnight(date(2026, 7, 1), "America/Chicago").isoformat()
    '2026-07-01T00:00:00-05:00'
    """
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone) if isinstance(zone, str) else zone)
