"""JSON route: readings pushed as lines of JSON, stored before they are acknowledged.

A body is put aside as it comes (in memory, beyond a mebibyte on the disk) and read piece by piece, so that the memory a push takes is bounded by its readings.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Annotated

import psycopg
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout

from mains.base.http import ActingNow, NotAllowed, RequestNotUnderstood, problem_response
from mains.base.server import DatabaseNotReachable
from mains.metering import push_keys, push_lines
from mains.metering.inbox import InboxFull
from mains.metering.store import UnableToStoreReadings

router = APIRouter(prefix="/v1", tags=["metering"])

RETRY_AFTER_S = 30
"""When a push that was put off is to be sent again, s."""

_LINE = 'One object a line: {"meter", "register", "start", "value", "unit"?, "quality"?}; compressed with Content-Encoding: gzip'
_BODY = {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string", "description": _LINE}}}}

_Body = tempfile.SpooledTemporaryFile


async def _put_aside(request: Request) -> AsyncIterator[_Body]:
    """The body, put aside; gone when the request is over."""
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as body:
        async for piece in request.stream():
            body.write(piece)
        body.seek(0)
        yield body


@router.post("/readings:push", openapi_extra={"requestBody": _BODY}, responses={429: {"description": "too many wait"}})
def push_readings(
    request: Request,
    actor: ActingNow,
    body: Annotated[_Body, Depends(_put_aside)],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200, description="The sender's name for this push; the same again is answered as before")] = None,
) -> Response:
    """Push readings, one JSON object a line; they count at once, and the answer means that they are kept.

    accepted + quarantined = found; each line that was refused is named with its reason and what cures it. 429 and 503 with Retry-After: nothing was taken, send it again later.
    """
    if actor.role != "staff":
        raise NotAllowed("your role may not store readings", cure="ask somebody of the utility's staff")
    if idempotency_key is not None and not idempotency_key.isprintable():
        raise RequestNotUnderstood("the Idempotency-Key holds a control character", cure="name the push with printable characters")
    is_gzip = _is_gzip(request)
    gathered, sha256 = push_lines.gather_lines(_pieces(body), is_gzip=is_gzip)
    most = request.app.state.settings.inbox_limit
    try:
        answer = push_keys.store_once(
            request.app.state.database, actor, gathered, key=idempotency_key, source=f"POST {request.url.path}", at=datetime.now(UTC), sha256=sha256, most_waiting=most
        )
    except InboxFull as problem:
        return _later(request, problem)
    except UnableToStoreReadings as problem:
        return _later(request, problem)
    except (psycopg.OperationalError, PoolTimeout):
        return _later(request, DatabaseNotReachable("the database does not answer; nothing of this was taken", cure="send it again in a moment"))
    return JSONResponse(answer)


def _later(request: Request, problem: InboxFull | UnableToStoreReadings | DatabaseNotReachable) -> Response:
    """A refusal that says when to come again."""
    return problem_response(request, problem, headers={"Retry-After": str(RETRY_AFTER_S)})


def _is_gzip(request: Request) -> bool:
    """Whether the body is compressed.

    Raises:
        RequestNotUnderstood: it is no lines of JSON, or compressed in another way.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if kind not in ("application/x-ndjson", "application/jsonl", "application/json-lines"):
        raise RequestNotUnderstood(f"readings are not pushed as {kind[:60] or 'a body without a content type'}", cure="send application/x-ndjson")
    if coding not in ("identity", "gzip"):
        raise RequestNotUnderstood(f"a body in {coding[:60]!r} is not understood", cure="send it with Content-Encoding: gzip, or plain")
    return coding == "gzip"


def _pieces(body: _Body) -> Iterator[bytes]:
    while piece := body.read(64 << 10):
        yield piece

