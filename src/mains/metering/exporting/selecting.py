"""Whose readings of which time are meant: a service point's or an account's while its meters hung there, a meter's, or a channel's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import Connection

from mains.base.problems import NotFound
from mains.base.sql import Statements
from mains.metering import queries
from mains.metering.queries import Channel

_sql = Statements("mains.metering.exporting", "selecting.sql")
MOST_CHANNELS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Readings of a channel that start in [from_at, to_at); `point` names the place they were measured at (the meter where no place was asked for)."""

    channel: Channel
    point: str
    timezone: str | None
    from_at: datetime
    to_at: datetime


def chosen(
    conn: Connection,
    *,
    service_point: str | None = None,
    account: str | None = None,
    meter: str | None = None,
    channel: int | None = None,
    from_at: datetime,
    to_at: datetime,
) -> list[Stretch]:
    """The stretches of what is named first: service point, account, meter or channel; in order of channel and time.

    Raises:
        NotFound: there are no channels.
    """
    if service_point is not None:
        found = _held(conn, _sql.at_service_point, service_point, from_at, to_at)
    elif account is not None:
        found = _held(conn, _sql.of_account, account, from_at, to_at)
    elif channel is not None:
        found = of_channels(queries.channels_by_id(conn, [channel]) if -(2**63) <= channel < 2**63 else [], from_at, to_at)
    else:
        found = of_channels(queries.channels_page(conn, meter_number=meter, limit=MOST_CHANNELS), from_at, to_at)
    if not found:
        raise NotFound("there is no channel of that name in that time", cure="mains readings show lists the channels; GET /v1/channels too")
    return found


def of_channels(channels: Sequence[Channel], from_at: datetime, to_at: datetime) -> list[Stretch]:
    """A stretch of time of each channel, as it is."""
    return [Stretch(channel=each, point=each.meter_number, timezone=None, from_at=from_at, to_at=to_at) for each in channels]


def _held(conn: Connection, statement: LiteralString, number: str, from_at: datetime, to_at: datetime) -> list[Stretch]:
    rows = conn.execute(statement, {"number": number, "from_at": from_at, "to_at": to_at}).fetchall() if from_at < to_at and "\0" not in number else []
    known = {each.channel_id: each for each in queries.channels_by_id(conn, [row[0] for row in rows])}
    return [Stretch(channel=known[row[0]], point=row[1], timezone=row[2], from_at=row[3], to_at=row[4]) for row in rows if row[0] in known]
