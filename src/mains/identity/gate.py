"""The gate: whoever asks is known before any route runs, by session cookie or API key; what is not open is closed, pages and files that do not exist included."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

import psycopg
from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from psycopg_pool import PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from mains.base.db import Database
from mains.base.http import SAFE_METHODS, NotAllowed, SignInNeeded, problem_response, wants_page
from mains.base.server import DatabaseNotReachable
from mains.identity import queries
from mains.identity.operations import Visitor
from mains.identity.queries import SignedIn

COOKIE = "mains_session"
OPEN = frozenset({"/healthz", "/readyz", "/sign-in"})
OPEN_BELOW = ("/sign-in/", "/static/", "/problems/")
"""What answers without sign-in: health, the way in, files of the pages, and the pages about problems; none of them shows a row."""

Clock = Callable[[], datetime]


def now() -> datetime:
    """This instant; the application's edge is where the clock is read."""
    return datetime.now(UTC)


class Gate:
    """Middleware that resolves a session cookie or an API key into `request.state.actor`, and turns away who is not known, or asks from another site."""

    def __init__(self, app: ASGIApp, *, database: Database, clock: Clock = now) -> None:
        self._app = app
        self._database = database
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; a web socket is refused, since nothing here speaks it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive)
        scope.setdefault("state", {})["actor"] = None
        refusal = await self._refusal(request)
        await (refusal or self._app)(scope, receive, send)

    async def _refusal(self, request: Request) -> Response | None:
        """The answer to somebody who does not come in; None for those who do, whose actor is then known."""
        key, token = _bearer(request), request.cookies.get(COOKIE)
        if key is None and request.method not in SAFE_METHODS and not is_same_site(request):
            return problem_response(request, NotAllowed("this request comes from another site", cure="send it from a page of this server, or with an API key"))
        is_open = request.url.path in OPEN or request.url.path.startswith(OPEN_BELOW)
        if is_open and request.url.path.startswith(("/static/", "/problems/", "/healthz", "/readyz")):
            return None
        known: SignedIn | None = None
        if key is not None or token is not None:
            try:
                known = await run_in_threadpool(self._known, key, token)
            except (psycopg.OperationalError, PoolTimeout):
                return problem_response(request, DatabaseNotReachable("the database does not answer", cure="try again in a moment; if it lasts, see mains db status"))
        if known is None:
            return None if is_open else _sign_in_first(request, was_known=token is not None)
        if not known.may_write and request.method not in SAFE_METHODS:
            return problem_response(request, NotAllowed("this API key may only read", cure="make one with the scope write"))
        visitor = visitor_of(request)
        request.state.actor = replace(known.actor, request_id=request.state.request_id, ip=visitor.ip, user_agent=visitor.user_agent)
        request.state.signed_in = known
        return None

    def _known(self, key: str | None, token: str | None) -> SignedIn | None:
        """Who this is: a key goes before a cookie, and a bad key is not saved by a good cookie."""
        with self._database.anonymous() as conn:
            if key is not None:
                return queries.actor_of_key(conn, key=key, at=self._clock())
            return queries.actor_of_session(conn, token=token or "", at=self._clock())


def is_same_site(request: Request) -> bool:
    """Whether a request that changes something was sent by a page of this server, or by a program.

    Browsers say where a request comes from: by Sec-Fetch-Site, old ones by Origin. A program that says neither carries nobody's cookie by accident.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def visitor_of(request: Request) -> Visitor:
    """Address and program of the one who asks, in a form that the record can hold."""
    try:
        ip = str(ip_address(request.client.host)) if request.client else None
    except ValueError:
        ip = None
    agent = request.headers.get("user-agent")
    return Visitor(ip=ip, user_agent="".join(letter for letter in agent if letter.isprintable())[:300] if agent else None)


def local_path(text: str | None) -> str:
    """Where to go after sign-in: a path of this server, or home where the text could lead elsewhere.

    >>> local_path("/customers/1?tab=bills"), local_path("//evil.example"), local_path("https://evil.example"), local_path("/\\\\evil.example")
    ('/customers/1?tab=bills', '/', '/', '/')
    """
    if not text or not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable() or len(text) > 2000:
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc or parts.path.startswith("/sign-") else text


def _bearer(request: Request) -> str | None:
    """The API key that was sent; None where none was."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _sign_in_first(request: Request, *, was_known: bool) -> Response:
    """The way in: a redirect for a page, a sign for a fragment of a page to leave it, a problem for a program."""
    if not wants_page(request) or (request.method not in SAFE_METHODS and not was_known):
        return problem_response(request, SignInNeeded("this needs somebody who has signed in", cure="sign in, or send an API key: Authorization: Bearer KEY"))
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = "/sign-in?next=" + quote(local_path(path if request.method in SAFE_METHODS else None), safe="/")
    if request.headers.get("HX-Request") == "true":
        here = urlsplit(request.headers.get("HX-Current-URL", "")).path or "/"
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in?next=" + quote(local_path(here), safe="/")})
    return RedirectResponse(back, status_code=303)
