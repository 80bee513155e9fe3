"""What `mains db check` looks at in metering: that totals are those of the values, that every block has its channel and its month."""

from datetime import datetime

from psycopg import Connection

from mains.base.checks import Check, Finding
from mains.base.sql import Statements
from mains.metering.closing import packing
from mains.metering.rollups.checks import no_sums_wait, sums_are_those_of_the_readings

_sql = Statements("mains.metering", "checks.sql")
_MOST = 5_000


def totals_are_those_of_the_values(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001 - all checks are called alike
    """Total, peak and count of a sample of blocks are what their values give."""
    row = conn.execute(_sql.estimated_blocks).fetchone()
    estimated = row[0] if row else 0
    percent = min(100.0, 200.0 * _MOST / estimated) if estimated else 100.0
    sampled, wrong, channel = conn.execute(_sql.wrong_totals, {"percent": percent, "most": _MOST}).fetchone() or (0, 0, None)
    said = f"{wrong} of {sampled} sampled blocks have totals that their values do not give, one of channel {channel}" if wrong else f"{sampled} sampled blocks add up"
    return Finding(check="reading-totals", holds=not wrong, said=said, cure="import the readings of these channels again, or restore the last backup")


def every_block_has_its_channel(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001
    """No block and no read belongs to a channel that is not there, or to another utility than its channel."""
    count, channel = conn.execute(_sql.orphans).fetchone() or (0, None)
    said = f"{count} channels of readings are not there, one is {channel}" if count else "every reading has its channel"
    return Finding(check="reading-channels", holds=not count, said=said, cure="register the channels again under their keys")


def every_block_has_its_month(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001
    """The default partition is empty."""
    count, first, last = conn.execute(_sql.blocks_without_month).fetchone() or (0, None, None)
    said = f"{count} blocks from {first} to {last} lie in the default partition" if count else "no block lies outside of its month"
    return Finding(check="reading-months", holds=not count, said=said, cure="move them out, make the months with metering.ensure_partitions, and put them back")


def deliveries_were_finished(conn: Connection, at: datetime) -> Finding:
    """No delivery was begun long ago and never finished; nothing of such a one is stored."""
    count, batch = conn.execute(_sql.unfinished_batches, {"at": at}).fetchone() or (0, None)
    said = f"{count} deliveries were never finished, the first is {batch}; nothing of them is stored" if count else "every delivery was finished"
    return Finding(check="reading-deliveries", holds=not count, said=said, cure="load them again")


def closed_totals_are_those_of_the_values(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001
    """Sums of a sample of closed rows, and of their days, are what their readings give."""
    sampled = wrong = 0
    channel = None
    for channel_id, sums, record in conn.execute(_sql.sampled_closed, {"most": _MOST // 10}, binary=True):
        sampled += 1
        if not packing.has_sums(packing.told(record), sums):
            wrong, channel = wrong + 1, channel_id
    said = f"{sampled} sampled rows of closed months add up"
    if wrong:
        said = f"{wrong} of {sampled} sampled rows of closed months have sums that their readings do not give, one of channel {channel}"
    return Finding(check="closed-totals", holds=not wrong, said=said, cure="restore these months from their archive (mains readings restore), or restore the last backup")


def every_day_is_in_one_tier(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001
    """No month of a channel is live and closed at once."""
    count, channel = conn.execute(_sql.days_in_both_tiers).fetchone() or (0, None)
    said = f"{count} months of channels are both live and closed, one of channel {channel}" if count else "every month of a channel is live or closed"
    return Finding(check="reading-tiers", holds=not count, said=said, cure="close the months again (mains readings close): it brings the days together")


DATABASE_CHECKS: list[Check] = [
    totals_are_those_of_the_values,
    every_block_has_its_channel,
    every_block_has_its_month,
    deliveries_were_finished,
    closed_totals_are_those_of_the_values,
    every_day_is_in_one_tier,
    sums_are_those_of_the_readings,
    no_sums_wait,
]
