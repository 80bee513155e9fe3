"""What every route stands on, and that knows nothing of utilities: one transaction as the person who asks, one shape of problems, pages by key, request ids, the log of requests.

The middleware in front sets `request.state.actor`; `app.state.database` is the database. A route says what it needs in its signature::

    @router.get("/zones")
    def zones(conn: InTransaction, paging: Paging) -> Page[Zone]:
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

import psycopg
import structlog
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from psycopg import Connection
from psycopg_pool import PoolTimeout
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mains.base.db import Actor, Database
from mains.base.ids import uuid7
from mains.base.log import facts_of
from mains.base.paging import LARGEST_PAGE, Page, page_of, place_after
from mains.base.problems import Problem
from mains.base.server import DatabaseNotReachable

T = TypeVar("T")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PROBLEM_JSON = "application/problem+json"
log = structlog.get_logger("mains.http")

ShowProblem = Callable[[Request, dict[str, Any]], Response]
"""Draws a problem object as a page."""


class SignInNeeded(Problem):
    """Nothing here is open to somebody who has not signed in."""

    status = 401


class NotAllowed(Problem):
    """The person is known, and may not do this."""

    status = 403


class NoSuchAddress(Problem):
    """There is nothing at this address."""

    status = 404


class MethodNotAllowed(Problem):
    """The address is right, the verb is not one that it takes."""

    status = 405


class ChangedMeanwhile(Problem):
    """Somebody else changed the same thing at the same moment."""

    status = 409


class RequestNotUnderstood(Problem):
    """A part of the request is missing, has the wrong form, or is not known here."""

    status = 422


class RequestRefused(Problem):
    """The request cannot be taken as it was sent."""

    status = 400


class BodyTooLarge(Problem):
    """The request brings more than is taken at once."""

    status = 413


class UnexpectedError(Problem):
    """Something went wrong here that nobody foresaw; it is in the log under the request's id."""

    status = 500


# ── One transaction, as the person who asks ──────────────────────────────────


def actor_of(request: Request) -> Actor:
    """Who asks.

    Raises:
        SignInNeeded: nobody is known.
    """
    actor: Actor | None = getattr(request.state, "actor", None)
    if actor is None:
        raise SignInNeeded("this needs somebody who has signed in", cure="sign in, or send an API key: Authorization: Bearer KEY")
    return actor


def _in_transaction(request: Request) -> Iterator[Connection]:
    """One transaction as the person who asks, ended before the answer leaves; a safe method's can change nothing."""
    database: Database = request.app.state.database
    with database.transaction(actor=actor_of(request)) as conn:
        if request.method in SAFE_METHODS:
            conn.execute("SET TRANSACTION READ ONLY")
        yield conn


InTransaction = Annotated[Connection, Depends(_in_transaction, scope="function")]
ActingNow = Annotated[Actor, Depends(actor_of)]


# ── Pages and parameters ─────────────────────────────────────────────────────


class PagingOf(Generic[T]):
    """The page that was asked for: how many items, and after which."""

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Most items on the page")] = 100,
        after: Annotated[str | None, Query(max_length=2000, description="Where to go on: `next` of the page before, as it is")] = None,
    ) -> None:
        self._request = request
        self._response = response
        self.limit = limit
        self.after = after

    def key_after(self, *kinds: type) -> tuple[Any, ...] | None:
        """The key to go on from, its parts of these kinds; None at the beginning."""
        return place_after(self.after, *kinds)

    def page(self, rows: list[T], *, key: Callable[[T], tuple[object, ...]]) -> Page[T]:
        """The page of rows that were read with `limit + 1`; where more follow, the answer's Link header (RFC 8288) says where."""
        page = page_of(rows, limit=self.limit, key=key)
        if page.next:
            asked = [(name, value) for name, value in self._request.query_params.multi_items() if name != "after"]
            self._response.headers["Link"] = f'<{self._request.url.path}?{urlencode([*asked, ("after", page.next)])}>; rel="next"'
        return page


Paging = Annotated[PagingOf[Any], Depends(PagingOf)]


def only_known_parameters(request: Request) -> None:
    """A route's dependency: a query parameter that the route does not know is a mistake of the one who asks, and is said.

    Raises:
        RequestNotUnderstood: with the names that are known.
    """
    route = request.scope.get("route")
    known = sorted(_query_names(route.dependant)) if isinstance(route, APIRoute) else []
    wrong = sorted(set(request.query_params) - set(known))
    if wrong:
        raise RequestNotUnderstood(f"{len(wrong)} query parameter(s) are not known here", cure=f"this address knows: {', '.join(known) or 'none'}")


def _query_names(dependant: Dependant) -> set[str]:
    own = {param.alias for param in dependant.query_params}
    return own.union(*(_query_names(part) for part in dependant.dependencies))


# ── Problems on the wire ─────────────────────────────────────────────────────


def wants_page(request: Request) -> bool:
    """Whether a person with a browser asks: never under /v1, else by what is accepted."""
    path = request.url.path
    return not (path == "/v1" or path.startswith("/v1/")) and "text/html" in request.headers.get("accept", "")


def problem_response(request: Request, problem: Problem, *, status: int | None = None, headers: dict[str, str] | None = None) -> Response:
    """A problem as the one who asks can read it: a page for a browser, else application/problem+json (RFC 9457) with the request's id."""
    code = problem.status if status is None else status
    body = problem.as_json() | {"status": code, "request_id": getattr(request.state, "request_id", None)}
    show: ShowProblem | None = getattr(request.app.state, "show_problem", None)
    answer = show(request, body) if show is not None and wants_page(request) else JSONResponse(body, status_code=code, media_type=PROBLEM_JSON)
    for name, value in (headers or {}).items():
        answer.headers[name] = value
    if code == 401:
        answer.headers.setdefault("WWW-Authenticate", 'Bearer realm="mains"')
    return answer


def add_problem_handlers(app: FastAPI) -> None:
    """Every refusal of the application in one shape, whoever raised it."""

    def said(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_response(request, error)

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [{"where": ".".join(map(str, found["loc"])), "said": found["msg"]} for found in error.errors()]
        cure = "see `errors`: where, and what is expected"
        return problem_response(request, RequestNotUnderstood("a part of the request cannot be understood", cure=cure, errors=errors))

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 404:
            return problem_response(request, NoSuchAddress("there is nothing at this address", cure="see what there is: /docs"))
        if error.status_code == 405:
            problem = MethodNotAllowed(f"{request.method} is not a verb of this address", cure=f"it takes {headers.get('Allow', 'others')}")
            return problem_response(request, problem, headers=headers)
        return problem_response(request, RequestRefused(str(error.detail)), status=error.status_code, headers=headers)

    app.add_exception_handler(Problem, said)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    for kind in (psycopg.Error, PoolTimeout):
        app.add_exception_handler(kind, _database_said)


def _database_said(request: Request, error: Exception) -> Response:
    """What the database refused or could not do, where it is not a mistake of ours; anything else goes on as unexpected."""
    problem: Problem
    match error:
        case psycopg.errors.InsufficientPrivilege():
            problem = NotAllowed("your role may not do this", cure="ask somebody of the utility's staff")
        case psycopg.errors.SerializationFailure() | psycopg.errors.DeadlockDetected() | psycopg.errors.LockNotAvailable():
            problem = ChangedMeanwhile("the same thing was being changed at the same moment", cure="try again")
        case psycopg.OperationalError() | PoolTimeout():
            problem = DatabaseNotReachable("the database does not answer", cure="try again in a moment; if it lasts, see mains db status")
        case psycopg.DataError():
            problem = RequestNotUnderstood("a value is outside of what can be kept", cure="see the form and the limits of each value in /v1/openapi.json")
        case _:
            raise error
    log.warning("refused by the database", request_id=getattr(request.state, "request_id", None), **facts_of(error))
    return problem_response(request, problem)


# ── Around every request ─────────────────────────────────────────────────────


class RequestTrail:
    """Middleware: gives each request an id (answered as X-Request-ID), logs it with its route's pattern rather than its address, and turns what nobody foresaw into a problem."""

    def __init__(self, app: ASGIApp, *, largest_body: int) -> None:
        self._app = app
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid7().hex
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.monotonic()
        status = 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            if b"%00" in scope.get("query_string", b"") or "\x00" in scope["path"]:
                answer = problem_response(Request(scope), RequestNotUnderstood("the address has a character that no value may have", cure="leave out %00"))
                await answer(scope, receive, tell)
            elif _announced_bytes(scope) > self._largest_body:
                cure = f"send at most {self._largest_body:,}; a larger meter file goes through mains readings import"
                problem = BodyTooLarge(f"the body has {_announced_bytes(scope):,} bytes", cure=cure)
                await problem_response(Request(scope), problem)(scope, receive, tell)
            else:
                await self._app(scope, receive, tell)
        except Exception as error:  # the last place where an error can become an answer
            log.error("unexpected error", request_id=request_id, **facts_of(error))  # noqa: TRY400 - the message and the locals may quote a person
            if status:
                raise
            problem = UnexpectedError("something went wrong here, and nothing was changed", cure=f"tell your administrator the request id {request_id}")
            await problem_response(Request(scope), problem)(scope, receive, tell)
        finally:
            _log_request(scope, status=status, seconds=time.monotonic() - began)


def _announced_bytes(scope: Scope) -> int:
    """The length that the request says its body has; 0 where it says none."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


def _log_request(scope: Scope, *, status: int, seconds: float) -> None:
    """One line of the log about a request: who by key, which route, what came of it, how long; no address, no names."""
    route, actor = scope.get("route"), scope["state"].get("actor")
    log.info(
        "request",
        request_id=scope["state"]["request_id"],
        method=scope["method"],
        route=getattr(route, "path", None),
        status=status,
        ms=round(seconds * 1000, 1),
        utility_id=str(actor.utility_id) if actor else None,
        user_id=str(actor.user_id) if actor and actor.user_id else None,
    )


# ── The description of the API ───────────────────────────────────────────────

_PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "What is the case, with which thing, and what cures it (RFC 9457). `type` is the address of a page about this kind of problem.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "cure": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
    },
    "additionalProperties": True,
}
_REFUSALS = {
    400: "The request cannot be read",
    401: "Nobody is signed in",
    403: "Not allowed",
    404: "There is no such thing here",
    409: "It does not fit what is there",
    413: "The request is too large",
    415: "The form of the body is not taken here",
    422: "The request is not understood",
    429: "Too much of this waits already; Retry-After says when to come again",
    500: "Unexpected",
    503: "The database does not answer",
}
_ALWAYS = (401, 403, 422, 500, 503)
_WITH_BODY = (400, 404, 409, 413, 415)


def describe_problems(document: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document in which every operation names the problems that it may answer with, in place of the framework's own."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    components["responses"] = {f"Problem{status}": {"description": said, "content": content} for status, said in _REFUSALS.items()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = {*_ALWAYS, *((404,) if "{" in path else ()), *(_WITH_BODY if "requestBody" in operation else ()), *((409,) if method != "get" else ())}
            statuses |= {int(status) for status in operation["responses"] if status.isdigit()} & _REFUSALS.keys()
            for status in sorted(statuses):
                operation["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    return json.loads(json.dumps(document))
