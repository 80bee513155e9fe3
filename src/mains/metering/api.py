"""JSON routes: readings in and out, channels, deliveries, and what was refused."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from mains.base.db import Database
from mains.base.http import ActingNow, BodyTooLarge, InTransaction, NotAllowed, Paging, RequestNotUnderstood
from mains.base.paging import Page
from mains.base.problems import NotFound, Problem
from mains.metering import exporting, formats, importing, meters_api, queries, sums
from mains.metering.exporting import files
from mains.metering.exporting.removed import refuse_archived
from mains.metering.exporting.selecting import chosen, of_channels
from mains.metering.model import ParsedFile

router = APIRouter(prefix="/v1", tags=["metering"])
router.include_router(meters_api.router)

LARGEST_BODY = 4 << 20
"""Bytes of readings that one request may bring; longer ones go by `mains readings import`."""
LONGEST = timedelta(days=62)
"""The longest stretch of readings that one request is answered with."""
FIELDS = ("meter", "register", "start", "value", "unit", "quality", "interval_minutes", "commodity", "flow")


class StretchTooLong(Problem):
    """More readings were asked for than one answer holds."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOut:
    """One interval: `value` in the channel's unit as an exact decimal, None where it is missing."""

    start: datetime
    interval_s: int
    value: Decimal | None
    quality: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReadings:
    """Readings of one channel that start in [from_at, to_at), in order of time."""

    channel: queries.Channel
    from_at: datetime
    to_at: datetime
    readings: list[ReadingOut]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSums:
    """Sums of one channel in order of time; `timezone` is the zone whose hours, days or months they are."""

    channel: queries.Channel
    width: str
    timezone: str
    sums: list[sums.SumOfReadings]


async def _body(request: Request) -> bytes:
    """The bytes of a request, refused as soon as they are too many."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > LARGEST_BODY:
            raise BodyTooLarge(f"a request takes {LARGEST_BODY} bytes of readings", cure="send them in several requests, or use mains readings import")
        pieces.append(piece)
    return b"".join(pieces)


_BODY = {
    "required": True,
    "content": {
        "text/csv": {"schema": {"type": "string", "description": "meter,register,start,value,unit[,quality][,interval_minutes][,commodity][,flow]"}},
        "application/x-ndjson": {"schema": {"type": "string", "description": "one JSON object a line, with the same columns as members"}},
    },
}


@router.post("/readings", openapi_extra={"requestBody": _BODY})
def store_readings(
    request: Request,
    actor: ActingNow,
    body: Annotated[bytes, Depends(_body)],
    timezone: Annotated[str | None, Query(max_length=60, description="IANA zone of local times in it")] = None,
) -> dict[str, Any]:
    """Store readings, sent as CSV (text/csv) or as one JSON object a line (application/x-ndjson) with the columns of the long layout; the same again changes nothing.

    The answer is the report of the import: accepted + quarantined = found, with the reasons.
    """
    if actor.role != "staff":
        raise NotAllowed("your role may not store readings", cure="ask somebody of the utility's staff")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("text/csv", "application/x-ndjson"):
        raise RequestNotUnderstood(f"readings are not taken as {kind or 'a body without a content type'}", cure="send text/csv or application/x-ndjson")
    text = body if kind == "text/csv" else _as_csv(body)
    shift = 0 if kind == "text/csv" else 1

    def parts() -> Iterator[ParsedFile]:
        for part in formats.parse(io.BytesIO(text), name=f"POST {request.url.path}", timezone=timezone, format="csv"):
            yield part if not shift else _shifted(part)

    return importing.import_stream(request.app.state.database, actor, parts, at=datetime.now(UTC)).as_json()


@router.get("/channels")
def channels(
    conn: InTransaction,
    paging: Paging,
    meter_number: Annotated[str | None, Query(max_length=100)] = None,
    account_number: Annotated[str | None, Query(max_length=100)] = None,
) -> Page[queries.Channel]:
    """Channels by key; of one meter or one account where it is named."""
    after = paging.key_after(int)
    rows = queries.channels_page(
        conn, after=after[0] if after else 0, meter_number=meter_number, account_number=account_number, limit=paging.limit + 1
    )
    return paging.page(rows, key=lambda channel: (channel.channel_id,))


@router.get("/channels/{channel_id}/readings")
def readings(
    conn: InTransaction,
    channel_id: int,
    from_at: Annotated[datetime, Query(description="First instant, with its offset")],
    to_at: Annotated[datetime, Query(description="End, exclusive, with its offset")],
) -> ChannelReadings:
    """Readings of one channel that start in [from_at, to_at); 62 days at most."""
    if from_at.tzinfo is None or to_at.tzinfo is None:
        raise RequestNotUnderstood("an instant without its offset could mean several", cure="write 2026-07-01T00:00:00-05:00")
    if to_at - from_at > LONGEST:
        raise StretchTooLong(f"an answer holds {LONGEST.days} days of readings", cure="ask for shorter stretches, or use mains readings export")
    found = queries.channels_by_id(conn, [channel_id]) if -(2**63) <= channel_id < 2**63 else []
    if not found:
        raise NotFound(f"channel {channel_id} is not here", cure="see /v1/channels")
    refuse_archived(conn, of_channels(found, from_at, to_at))
    listed = [
        ReadingOut(start=each.start, interval_s=each.interval_s, value=each.value, quality=each.quality.name.lower())
        for each in exporting.readings(conn, found, from_at, to_at)
    ]
    return ChannelReadings(channel=found[0], from_at=from_at, to_at=to_at, readings=listed)


@router.get("/channels/{channel_id}/sums")
def sums_of_channel(
    conn: InTransaction,
    channel_id: int,
    from_at: Annotated[datetime, Query(description="First instant, with its offset")],
    to_at: Annotated[datetime, Query(description="End, exclusive, with its offset")],
    width: Annotated[sums.Width, Query(description="hour, day or month of the utility's zone")] = "hour",
) -> ChannelSums:
    """What one channel measured hour by hour, day by day or month by month of local time, with how much was estimated or is missing."""
    if from_at.tzinfo is None or to_at.tzinfo is None:
        raise RequestNotUnderstood("an instant without its offset could mean several", cure="write 2026-07-01T00:00:00-05:00")
    found = queries.channels_by_id(conn, [channel_id]) if -(2**63) <= channel_id < 2**63 else []
    if not found:
        raise NotFound(f"channel {channel_id} is not here", cure="see /v1/channels")
    zone = ZoneInfo(queries.zone_of_utility(conn))
    edges = sums.edges_between(from_at, to_at, width=width, zone=zone)
    return ChannelSums(channel=found[0], width=width, timezone=zone.key, sums=sums.sums(conn, found[0], edges))


@router.get("/readings.{format}", response_class=StreamingResponse)
def download(
    request: Request,
    actor: ActingNow,
    format: Literal["espi", "csv", "parquet", "arrow"],  # noqa: A002 - the word of the command line
    from_at: Annotated[datetime, Query(description="First instant, with its offset")],
    to_at: Annotated[datetime, Query(description="End, exclusive, with its offset")],
    service_point: Annotated[str | None, Query(max_length=100)] = None,
    account: Annotated[str | None, Query(max_length=100)] = None,
    meter: Annotated[str | None, Query(max_length=100)] = None,
    channel: int | None = None,
) -> StreamingResponse:
    """Readings of a service point, an account, a meter or a channel that start in [from_at, to_at), as a file: Green Button (espi), CSV, Parquet or an Arrow stream."""
    if from_at.tzinfo is None or to_at.tzinfo is None:
        raise RequestNotUnderstood("an instant without its offset could mean several", cure="write 2026-07-01T00:00:00-05:00")
    if sum(each is not None for each in (service_point, account, meter, channel)) != 1:
        raise RequestNotUnderstood("it is not said whose readings are meant", cure="name one of service_point, account, meter or channel")
    database: Database = request.app.state.database

    def body() -> Iterator[bytes]:
        with database.transaction(actor=actor) as conn:
            stretches = chosen(conn, service_point=service_point, account=account, meter=meter, channel=channel, from_at=from_at, to_at=to_at)
            refuse_archived(conn, stretches)
            zone = ZoneInfo(queries.zone_of_utility(conn))
            yield from (piece for piece, _ in files.pieces(conn, stretches, format=format, zone=zone, at=datetime.now(UTC)))

    found = body()
    first = next(found)  # what is wrong is answered as a problem, not in the middle of a file
    headers = {"content-disposition": f'attachment; filename="readings.{files.ENDINGS[format]}"'}
    return StreamingResponse(chain([first], found), media_type=files.FORMATS[format], headers=headers)


@router.get("/ingest-batches")
def ingest_batches(conn: InTransaction, paging: Paging) -> Page[queries.Batch]:
    """Deliveries, newest first."""
    after = paging.key_after(int)
    rows = queries.batches_page(conn, before=after[0] if after else None, limit=paging.limit + 1)
    return paging.page(rows, key=lambda batch: (batch.batch_id,))


@router.get("/quarantine")
def quarantine(
    conn: InTransaction,
    paging: Paging,
    batch_id: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    code: Annotated[str | None, Query(max_length=100)] = None,
) -> Page[queries.Quarantined]:
    """What was refused and nobody has dealt with, newest first; of one delivery or one kind where it is named."""
    after = paging.key_after(int)
    rows = queries.quarantine_page(conn, before=after[0] if after else None, batch_id=batch_id, code=code, limit=paging.limit + 1)
    return paging.page(rows, key=lambda place: (place.quarantine_id,))


def _as_csv(body: bytes) -> bytes:
    """The long layout of JSON lines; a line that is no object, or names what the layout does not have, refuses the request.

    Numbers keep the digits that they were written with.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(FIELDS)
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            table.write("\n")
            continue
        try:
            row = json.loads(line, parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise RequestNotUnderstood(f"line {number} is no JSON object", cure="send one object a line")
        wrong = sorted(set(row) - set(FIELDS)) or [name for name, value in row.items() if not isinstance(value, str | None) or "\n" in str(value) or "\r" in str(value)]
        if wrong:
            raise RequestNotUnderstood(f"line {number}: {wrong[0][:60]!r} is not a column of readings, or not one value", cure=f"the columns are {', '.join(FIELDS)}")
        writer.writerow("" if row.get(name) is None else row[name] for name in FIELDS)
    return table.getvalue().encode("utf-8", "surrogatepass")  # half a character, as JSON may escape it, refuses its line and no other


def _shifted(part: ParsedFile) -> ParsedFile:
    """A part whose lines are those of the JSON, which has no heading."""
    issues = [replace(issue, line=max(issue.line - 1, 1)) if issue.line else issue for issue in part.issues]
    for channel in part.channels:
        channel.lines[channel.lines > 1] -= 1
    return replace(part, issues=issues)
