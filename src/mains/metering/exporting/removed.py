"""Readings that are asked for and lie in an archive: they are not missing, so an answer without them would be wrong."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from psycopg import Connection

from mains.base.problems import Problem
from mains.metering.blocks import DAY
from mains.metering.closing import queries
from mains.metering.exporting.selecting import Stretch
from mains.metering.load import as_instant

_EARLIEST, _LATEST = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp()), int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())
"""Between them lies every month that has readings, and a day more can be reckoned with."""


class ReadingsInArchive(Problem):
    """Readings that were asked for are in an archive, not in the database."""

    status = 409


def refuse_archived(conn: Connection, stretches: Sequence[Stretch]) -> None:
    """Refuse stretches of which days lie in a month that was taken out of the database.

    Raises:
        ReadingsInArchive: the archives are named.
    """
    bounds = [_days(stretch) for stretch in stretches if stretch.channel.interval_s is not None and stretch.from_at < stretch.to_at]
    if not bounds:
        return
    removed = queries.removed_months(conn, min(first for first, _ in bounds), max(last for _, last in bounds) + timedelta(seconds=1))
    met = [each for each in removed if any((first.year, first.month) <= (each.month.year, each.month.month) <= (last.year, last.month) for first, last in bounds)]
    if met:
        raise ReadingsInArchive(queries.sentence(met), cure=f"restore first: mains readings restore {met[0].file}")


def _days(stretch: Stretch) -> tuple[datetime, datetime]:
    """Starts (UTC) of the first and the last standard-time day that a stretch touches."""
    offset = stretch.channel.utc_offset_min * 60
    first, last = ((int(at.timestamp()) - back + offset) // DAY * DAY - offset for at, back in ((stretch.from_at, 0), (stretch.to_at, 1)))
    return as_instant(min(max(first, _EARLIEST), _LATEST)), as_instant(min(max(last, _EARLIEST), _LATEST))
