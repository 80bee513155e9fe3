"""Coming in and going out by browser, and the JSON routes about oneself, the staff and the keys."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from mains.base.http import ActingNow, InTransaction, NotAllowed, Paging
from mains.base.paging import Page
from mains.identity import operations, queries
from mains.identity.gate import COOKIE, Clock, local_path, now, visitor_of
from mains.identity.operations import LinkNotGood, NewSession, UnableToSignIn

router = APIRouter(prefix="/v1", tags=["identity"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInForm:
    """What the sign-in page shows: where to go afterwards, what was typed, and why the last try failed."""

    next_path: str = "/"
    user_name: str = ""
    problem: str | None = None


ShowSignIn = Callable[[Request, SignInForm], Response]


def sign_in_pages(show: ShowSignIn, *, clock: Clock = now) -> APIRouter:
    """The routes by which a browser comes in and goes out; `show` draws the form."""
    pages = APIRouter(include_in_schema=False)

    @pages.get("/sign-in")
    def sign_in_form(request: Request, next: Annotated[str | None, Query(max_length=4000)] = None) -> Response:  # noqa: A002 - the name in the address
        """The form; who is signed in goes on at once."""
        path = local_path(next)
        return RedirectResponse(path, status_code=303) if request.state.actor else show(request, SignInForm(next_path=path))

    @pages.post("/sign-in")
    def sign_in(request: Request, user_name: Annotated[str, Form(max_length=254)], password: Annotated[str, Form(max_length=1000)],
                next: Annotated[str | None, Form(max_length=4000)] = None) -> Response:  # noqa: A002
        """Begin a session by password."""
        path = local_path(next)
        try:
            session = operations.sign_in(request.app.state.database, login=user_name, password=password, at=clock(), visitor=visitor_of(request))
        except UnableToSignIn as problem:
            return show(request, SignInForm(next_path=path, user_name=user_name, problem=f"{problem.detail[0].upper()}{problem.detail[1:]}. {problem.cure}."))
        return _come_in(request, session, path=path, at=clock())

    @pages.get("/sign-in/{secret}")
    def sign_in_by_link(request: Request, secret: str, next: Annotated[str | None, Query(max_length=4000)] = None) -> Response:  # noqa: A002
        """Begin a session by link, which works once; a browser that only fetches ahead does not use it up."""
        if "prefetch" in request.headers.get("sec-purpose", "") + request.headers.get("purpose", ""):
            return Response(status_code=204)
        with request.app.state.database.anonymous() as conn:
            try:
                session = operations.use_sign_in_link(conn, secret=secret, at=clock(), visitor=visitor_of(request))
            except LinkNotGood as problem:
                return show(request, SignInForm(problem=f"{problem.detail[0].upper()}{problem.detail[1:]}."))
        return _come_in(request, session, path=local_path(next), at=clock())

    @pages.post("/sign-out")
    def sign_out(request: Request) -> Response:
        """End the session."""
        with request.app.state.database.anonymous() as conn:
            operations.sign_out(conn, token=request.cookies.get(COOKIE, ""), at=clock())
        answer = RedirectResponse("/sign-in", status_code=303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=request.url.scheme == "https")
        return answer

    return pages


def _come_in(request: Request, session: NewSession, *, path: str, at: datetime) -> Response:
    """Go on with a new session; the one that the browser had before, if any, is over."""
    if old := request.cookies.get(COOKIE):
        with request.app.state.database.anonymous() as conn:
            operations.sign_out(conn, token=old, at=at)
    answer = RedirectResponse(path, status_code=303)
    left = int((session.expires_at - at).total_seconds())
    answer.set_cookie(COOKIE, session.token, max_age=left, path="/", httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return answer


# ── JSON ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who asks: for which utility, in which role, with what a key may do (None for a person), until when."""

    login: str
    full_name: str
    role: str
    utility_id: UUID
    user_id: UUID | None
    scopes: list[str] | None
    expires_at: datetime | None


class KeyWanted(BaseModel):
    """A key to be made for a program."""

    model_config = ConfigDict(extra="forbid")

    key_name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$", description="Which program it is for")
    scopes: list[Literal["read", "write"]] = Field(default=["read"], min_length=1, max_length=2, description="What it may do: read, or read and write")
    expires_at: AwareDatetime | None = Field(default=None, description="End of its life, exclusive; none where left out")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMade:
    """A new key; `key` is shown this once and kept nowhere."""

    key_id: UUID
    key: str
    key_prefix: str
    scopes: list[str]
    expires_at: datetime | None


@router.get("/me")
def me(request: Request, actor: ActingNow) -> Me:
    """Who the server takes you for."""
    known: queries.SignedIn = request.state.signed_in
    return Me(login=actor.name, full_name=known.full_name, role=actor.role, utility_id=actor.utility_id, user_id=actor.user_id,
              scopes=list(known.scopes) if known.scopes is not None else None, expires_at=known.expires_at)  # fmt: skip


@router.get("/staff")
def staff(conn: InTransaction, paging: Paging) -> Page[queries.Staff]:
    """The people of the utility, by login."""
    after = paging.key_after(str)
    return paging.page(queries.staff(conn, after=after[0] if after else None, limit=paging.limit + 1), key=lambda person: (person.login,))


@router.get("/keys")
def api_keys(conn: InTransaction, actor: ActingNow, paging: Paging) -> Page[queries.ApiKey]:
    """Your API keys, newest first, without their secrets."""
    after = paging.key_after(UUID)
    rows = queries.api_keys(conn, user_id=actor.user_id, before=after[0] if after else None, limit=paging.limit + 1)
    return paging.page(rows, key=lambda key: (key.key_id,))


@router.post("/keys", status_code=201)
def make_api_key(request: Request, conn: InTransaction, actor: ActingNow, wanted: KeyWanted) -> KeyMade:
    """Make an API key that you answer for; a key cannot make another."""
    made = operations.make_api_key(conn, user_id=_person(request, actor.user_id), key_name=wanted.key_name, scopes=tuple(wanted.scopes), at=now(), expires_at=wanted.expires_at)
    return KeyMade(key_id=made.key_id, key=made.key, key_prefix=made.key_prefix, scopes=made.scopes, expires_at=made.expires_at)


@router.delete("/keys/{key_id}", status_code=204)
def revoke_api_key(request: Request, conn: InTransaction, actor: ActingNow, key_id: UUID) -> None:
    """Take one of your API keys back for good."""
    operations.revoke_api_key(conn, key_id=key_id, user_id=_person(request, actor.user_id), at=now())


def _person(request: Request, user_id: UUID | None) -> UUID:
    """The person who asks; a key is not one."""
    known: queries.SignedIn = request.state.signed_in
    if known.scopes is not None or user_id is None:
        raise NotAllowed("keys are made and taken back by a person, not by another key", cure="sign in and do it there, or: mains keys")
    return user_id
