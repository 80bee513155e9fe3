"""The web application, put together: each domain's routes, the pages, and what stands around every request. Nothing is decided here but the order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from mains import __version__, health
from mains.base.db import Database
from mains.base.http import NoSuchAddress, RequestTrail, add_problem_handlers, describe_problems, only_known_parameters
from mains.base.migrate import DOMAINS
from mains.identity import passwords
from mains.identity.acting import open_database
from mains.identity.api import SignInForm, sign_in_pages
from mains.identity.gate import COOKIE, Clock, Gate, now
from mains.metering import push_api
from mains.metering.vee import api as vee_api
from mains.payments.operations import keep_books
from mains.settings import Settings
from mains.settings import settings as read_settings
from mains.web import render
from mains.web.security import add_security_headers
from mains.web.views import ErrorPage, Frame, SignInPage

LARGEST_BODY = 64 * 1024 * 1024
"""Most bytes that a request may carry; meter files larger than this go through the command line."""


def create_app(database: Database, settings: Settings, *, clock: Clock = now) -> FastAPI:
    """The whole application on a database; `clock` tells the instant of a sign-in (tests bring their own)."""
    app = FastAPI(
        title="mains", version=__version__, description="The operations system of a utility.", openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None,
        lifespan=_lifespan,
    )  # fmt: skip
    keep_books()
    app.state.database = database
    app.state.settings = settings
    app.state.clock = clock
    app.state.show_problem = _show_problem
    app.openapi = lambda: _describe(app)
    add_problem_handlers(app)
    app.include_router(health.router)
    app.include_router(sign_in_pages(_show_sign_in, clock=clock))
    app.include_router(_about)
    for domain in DOMAINS:
        if _is_there(f"mains.{domain}.api"):
            app.include_router(import_module(f"mains.{domain}.api").router, dependencies=[Depends(only_known_parameters)])
    app.include_router(push_api.router, dependencies=[Depends(only_known_parameters)])
    app.include_router(vee_api.router, dependencies=[Depends(only_known_parameters)])
    if _is_there("mains.web.reads"):  # the pages come with what gathers their facts
        app.state.reads = import_module("mains.web.reads").reads_for
        app.state.acts = import_module("mains.web.acts").acts_for
        app.include_router(import_module("mains.web.pages").router)
        app.include_router(import_module("mains.web.meter_pages").router)
    app.mount("/static", StaticFiles(directory=render.STATIC), name="static")
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=LARGEST_BODY)  # for bodies that do not say their length
    app.add_middleware(Gate, database=database, clock=clock)
    app.add_middleware(RequestTrail, largest_body=LARGEST_BODY)
    app.add_middleware(BaseHTTPMiddleware, dispatch=add_security_headers)  # the last added is the outermost
    return app


def from_environment() -> FastAPI:
    """The application on the database that the environment names; it closes its connections at the end."""
    app = create_app(open_database(), read_settings())
    app.state.closes_database = True
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What must be there before the first request, and go after the last."""
    passwords.decoy()
    yield
    if getattr(app.state, "closes_database", False):
        app.state.database.close()


# ── What the API is, for people and programs ─────────────────────────────────

_about = APIRouter(include_in_schema=False)


@_about.get("/docs")
def operations(request: Request) -> HTMLResponse:
    """The operations of the JSON API."""
    return render.page(request, "operations", frame=_frame(request), document=request.app.openapi())


@_about.get("/problems/{slug}")
def problem_kind(request: Request, slug: str) -> HTMLResponse:
    """What one kind of problem means."""
    from mains.docs.problems import kinds  # reads every module of mains, which only this page needs

    found = next((kind for kind in kinds() if kind.slug == slug), None)
    if found is None:
        raise NoSuchAddress("there is no kind of problem of this name", cure="see docs/reference/problems.md")
    return render.page(request, "problem", frame=_frame(request), kind=found)


def _describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: how to sign in, and which problems each operation may answer with."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        document.setdefault("components", {})["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "An API key: mains keys make"},
            "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A session of a browser"},
        }
        document["security"] = [{"key": []}, {"session": []}]
        app.openapi_schema = describe_problems(document)
    return app.openapi_schema


# ── Pages that are shown to anybody ──────────────────────────────────────────


def _frame(request: Request) -> Frame:
    """What stands around a page that shows no row of a utility."""
    signed_in = getattr(request.state, "signed_in", None)
    return Frame(
        utility_name="Utility operations", currency="USD", timezone="UTC", at=request.app.state.clock(), person=signed_in.full_name if signed_in else None,
        request_id=getattr(request.state, "request_id", None),
    )  # fmt: skip


def _show_problem(request: Request, body: dict[str, Any]) -> Response:
    """A problem object as a page."""
    return render.error_page(request, ErrorPage(status=body["status"], title=body["title"], detail=body["detail"], cure=body.get("cure")), frame=_frame(request))


def _show_sign_in(request: Request, form: SignInForm) -> Response:
    """The sign-in form as a page."""
    return render.sign_in_page(request, SignInPage(next_path=form.next_path, user_name=form.user_name, problem=form.problem), frame=_frame(request))


def _is_there(module: str) -> bool:
    """Whether a module exists, without running it."""
    return find_spec(module.rpartition(".")[0]) is not None and find_spec(module) is not None
