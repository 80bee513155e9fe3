"""From a view to a page: the templates, what they may call, and the addresses of the static files."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mains.web import change, charts, explain
from mains.web import format as say
from mains.web.views import COMMODITIES, ErrorPage, Frame, SignInPage

HERE = Path(__file__).parent
STATIC = HERE / "static"
"""The folder to mount at /static."""


@lru_cache(maxsize=64)
def asset(name: str) -> str:
    """The address of a static file with a piece of its hash, so that a browser may keep it for good."""
    return f"/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates: escaped, strict about names, with the pure modules that they draw on."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals.update(asset=asset, charts=charts, change=change, explain=explain, say=say, COMMODITIES=COMMODITIES)
    return made


def markup(template: str, *, frame: Frame, **values: Any) -> str:
    """A template as text, with `frame` and the utility's formats `f`."""
    f = say.Formats(currency=frame.currency, timezone=frame.timezone, at=frame.at)
    return environment().get_template(template).render(frame=frame, f=f, **values)


def is_fragment(request: Request) -> bool:
    """Whether the page asks for a piece of itself; a whole page is wanted when history is restored."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def page(request: Request, name: str, *, frame: Frame, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or the piece of it that the browser asked for: `_name.html` is the piece, `name.html` the page around it."""
    template = f"_{name}.html" if is_fragment(request) and (HERE / f"templates/_{name}.html").exists() else f"{name}.html"
    return HTMLResponse(markup(template, frame=frame, **values), status_code=status, headers={"Vary": "HX-Request"})


def error_page(request: Request, problem: ErrorPage, *, frame: Frame) -> HTMLResponse:
    """A problem for a person: what is the case, what cures it, and the request id to quote."""
    return page(request, "error", frame=frame, status=problem.status, problem=problem)


def sign_in_page(request: Request, form: SignInPage, *, frame: Frame) -> HTMLResponse:
    """The sign-in form; 401 when the last try failed."""
    return page(request, "sign_in", frame=frame, status=401 if form.problem else 200, form=form)
