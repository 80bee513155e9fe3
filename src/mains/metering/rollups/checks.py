"""What `mains db check` looks at in the sums: that they are what the readings give, and that none waits to be made anew."""

from datetime import UTC, datetime, timedelta

from psycopg import Connection

from mains.base.checks import Finding
from mains.base.sql import Statements
from mains.metering.rollups.operations import differences

_sql = Statements("mains.metering.rollups", "checks.sql")
_CURE = "mains readings sum --from … --to …"


def sums_are_those_of_the_readings(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001 - all checks are called alike
    """The sums of the newest day of each utility, and of one day of its past, are what the readings give."""
    looked, wrong = 0, []
    for utility_id, *days in conn.execute(_sql.days_to_compare).fetchall():
        for day in {each for each in days if each}:
            begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
            with conn.transaction():
                found = differences(conn, begin, begin + timedelta(days=1), utility_id=utility_id)
            looked += found.rows
            wrong += found.differing
    said = f"{len(wrong)} of {looked} sums differ from the readings: {wrong[0]}" if wrong else f"{looked} sums of whole days are what the readings give"
    return Finding(check="reading-sums", holds=not wrong, said=said, cure=_CURE)


def no_sums_wait(conn: Connection, at: datetime) -> Finding:
    """No day has waited for more than a day to be summed anew."""
    count, first, last = conn.execute(_sql.stale_for_long, {"at": at}).fetchone() or (0, None, None)
    said = f"the sums of {count} stretches from {first} to {last} wait to be made anew since places changed" if count else "no sums wait to be made anew"
    return Finding(check="reading-sums-waiting", holds=not count, said=said, cure=_CURE)
