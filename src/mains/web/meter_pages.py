"""The routes of meter operations: what came, the work list of exceptions, and one exception."""

from datetime import date
from typing import Annotated, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from mains.web import meter_views
from mains.web.pages import AsReader
from mains.web.render import page


class MeterReads(Protocol):
    """What these pages ask for, as one person."""

    def meters(self) -> meter_views.MetersPage:
        """Meter operations now."""
        ...

    def exceptions(self, *, rule: str | None, severity: str | None, before: int | None, done: str | None) -> meter_views.ExceptionsPage:
        """The work list."""
        ...

    def exception(self, exception_id: int) -> meter_views.ExceptionPage:
        """One exception."""
        ...

    def silent(self, day: date | None) -> meter_views.SilentPage:
        """Meters of which nothing was read on a day."""
        ...


class Acts(Protocol):
    """What these pages do, as one person; each verb says what became of it in a sentence."""

    def decide(self, action: str, ids: list[int], *, reason: str) -> str:
        """Decide exceptions."""
        ...

    def edit(self, exception_id: int, values: dict[int, str], *, reason: str) -> str:
        """Edit the readings of one."""
        ...


def meter_reads(request: Request) -> MeterReads:
    """What this request may read."""
    return request.app.state.reads(request)


def acts(request: Request) -> Acts:
    """What this request may do."""
    return request.app.state.acts(request)


AsMeterReader = Annotated[MeterReads, Depends(meter_reads)]
AsActor = Annotated[Acts, Depends(acts)]
Text = Annotated[str | None, Query(max_length=100)]
router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)


@router.get("/meters")
def meters(request: Request, known: AsReader, own: AsMeterReader) -> HTMLResponse:
    """Meter operations."""
    return page(request, "meters", frame=known.frame(), meters=own.meters())


@router.get("/meters/silent")
def silent(request: Request, known: AsReader, own: AsMeterReader, day: date | None = None) -> HTMLResponse:
    """Meters without a reading of a day."""
    return page(request, "silent", frame=known.frame(), silent=own.silent(day))


@router.get("/meters/exceptions")
def exceptions(
    request: Request, known: AsReader, own: AsMeterReader, rule: Text = None, severity: Text = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None, done: Annotated[str | None, Query(max_length=400)] = None,
) -> HTMLResponse:  # fmt: skip
    """The work list of exceptions."""
    return page(request, "exceptions", frame=known.frame(), work=own.exceptions(rule=rule, severity=severity, before=before, done=done))


@router.post("/meters/exceptions")
def decide(
    does: AsActor, action: Annotated[str, Form(max_length=40)], reason: Annotated[str, Form(max_length=600)],
    chosen: Annotated[list[int], Form(default_factory=list, max_length=5000)],
    rule: Annotated[str, Form(max_length=100)] = "", severity: Annotated[str, Form(max_length=100)] = "",
) -> RedirectResponse:  # fmt: skip
    """Decide exceptions, then show the list again."""
    done = does.decide(action, chosen, reason=reason)
    asked = {name: value for name, value in (("rule", rule), ("severity", severity), ("done", done)) if value}
    return RedirectResponse(f"/meters/exceptions?{urlencode(asked)}", status_code=303)


@router.get("/meters/exceptions/{exception_id}")
def exception(request: Request, known: AsReader, own: AsMeterReader, exception_id: int) -> HTMLResponse:
    """One exception with the readings around it."""
    return page(request, "exception", frame=known.frame(), found=own.exception(exception_id))


@router.post("/meters/exceptions/{exception_id}/edit")
async def edit(request: Request, does: AsActor, exception_id: int) -> RedirectResponse:
    """Put typed values in place of readings."""
    form = await request.form()
    values = {int(name[1:]): str(value) for name, value in form.items() if name[:1] == "v" and name[1:].isdecimal() and len(name) < 6}
    done = await run_in_threadpool(does.edit, exception_id, values, reason=str(form.get("reason", "")))  # the database is waited for beside the loop
    return RedirectResponse(f"/meters/exceptions?{urlencode({'done': done})}", status_code=303)
