"""`mains staff …`, `mains keys …`, `mains link LOGIN`: who works here, which programs have keys, and a way in for once."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from mains.base.terminal import Json, answer, table
from mains.identity import operations, queries
from mains.identity.acting import Utility, acting

staff = typer.Typer(name="staff", help="People who work here: add, list, suspend, set a password.", no_args_is_help=True)
keys = typer.Typer(name="keys", help="API keys of programs: make, list, revoke.", no_args_is_help=True)
link = typer.Typer(name="link", help="A link that signs a person in once.")

Login = Annotated[str, typer.Argument(help="What the person signs in with: an e-mail address or a name.")]
PasswordFromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read a password from standard input, one line.")]


@staff.command("add")
def add_staff(
    login: Login,
    *,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[str, typer.Option(help="staff, regulator or auditor.")] = "staff",
    password_stdin: PasswordFromStdin = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Give a person an account; without a password they come in by link."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else None
    acts = acting(utility)
    with acts.database.transaction(actor=acts.actor) as conn:
        user_id = operations.hire_staff(conn, login=login, full_name=name, role=role, password=password, at=datetime.now(UTC))
    login = login.strip().lower()
    answer({"user_id": user_id, "login": login, "role": role}, as_json=as_json, text=f"{login} may come in; a link to do so: mains link {login}")


@staff.command("list")
def list_staff(*, utility: Utility = None, as_json: Json = False) -> None:
    """The people of the utility."""
    acts = acting(utility)
    with acts.database.transaction(actor=acts.actor) as conn:
        found = queries.staff(conn, limit=10_000)
    answer(found, as_json=as_json, text=lambda: table((asdict(person) for person in found), columns=["login", "full_name", "role", "staff_status", "has_password"]))


@staff.command("suspend")
def suspend_staff(login: Login, *, left: Annotated[bool, typer.Option("--left", help="They no longer work here.")] = False, utility: Utility = None, as_json: Json = False) -> None:
    """Let a person in no more; their sessions end at once, their keys and links no longer work."""
    _set_status(login, "left" if left else "suspended", utility=utility, as_json=as_json)


@staff.command("restore")
def restore_staff(login: Login, *, utility: Utility = None, as_json: Json = False) -> None:
    """Let a suspended person in again."""
    _set_status(login, "active", utility=utility, as_json=as_json)


@staff.command("password")
def set_password(login: Login, *, utility: Utility = None, as_json: Json = False) -> None:
    """Set a person's password, asked for on a terminal, else read from standard input; their sessions end."""
    password = typer.prompt("New password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    acts = acting(utility)
    with acts.database.transaction(actor=acts.actor) as conn:
        operations.set_password(conn, login=login.strip().lower(), password=password, at=datetime.now(UTC))
    answer({"login": login, "changed": True}, as_json=as_json, text=f"{login} has a new password")


@keys.command("make")
def make_key(
    key_name: Annotated[str, typer.Argument(help="Which program it is for.")],
    *,
    login: Annotated[str, typer.Option(help="Who answers for it; it has their role.")],
    write: Annotated[bool, typer.Option("--write", help="It may change things, not only read.")] = False,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Days until it expires; never where left out.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Make an API key; it is shown this once."""
    at, acts = datetime.now(UTC), acting(utility)
    with acts.database.transaction(actor=acts.actor) as conn:
        user_id = queries.staff_by_login(conn, login=login.strip().lower()).user_id
        made = operations.make_api_key(
            conn, user_id=user_id, key_name=key_name, scopes=("read", "write") if write else ("read",), at=at, expires_at=at + timedelta(days=days) if days else None
        )
    answer(made, as_json=as_json, text=f"{made.key}\nkeep it: it is not shown again (Authorization: Bearer KEY; scopes: {', '.join(made.scopes)})")


@keys.command("list")
def list_keys(*, utility: Utility = None, as_json: Json = False) -> None:
    """The API keys of the utility, newest first, without their secrets."""
    acts = acting(utility)
    with acts.database.transaction(actor=acts.actor) as conn:
        found = queries.api_keys(conn, limit=10_000)
    columns = ["key_id", "key_prefix", "key_name", "login", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"]
    answer(found, as_json=as_json, text=lambda: table((asdict(key) for key in found), columns=columns))


@keys.command("revoke")
def revoke_key(key_id: Annotated[UUID, typer.Argument(help="The key's id: mains keys list.")], *, utility: Utility = None, as_json: Json = False) -> None:
    """Take an API key back for good."""
    acts = acting(utility)
    with acts.database.transaction(actor=acts.actor) as conn:
        operations.revoke_api_key(conn, key_id=key_id, at=datetime.now(UTC))
    answer({"key_id": key_id, "revoked": True}, as_json=as_json, text=f"{key_id} is revoked")


@link.command()
def make_link(
    login: Login,
    *,
    address: Annotated[str, typer.Option(envvar="MAINS_ADDRESS", help="Where the server is reached.")] = "http://127.0.0.1:8000",
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Print a link that signs a person in once, within a day."""
    at, acts = datetime.now(UTC), acting(utility)
    with acts.database.transaction(actor=acts.actor) as conn:
        secret = operations.make_sign_in_link(conn, login=login.strip().lower(), at=at)
    url = f"{address.rstrip('/')}/sign-in/{secret}"
    answer({"url": url, "login": login, "expires_at": at + operations.LINK}, as_json=as_json, text=url)


def _set_status(login: str, staff_status: str, *, utility: str | None, as_json: bool) -> None:
    login, acts = login.strip().lower(), acting(utility)
    with acts.database.transaction(actor=acts.actor) as conn:
        operations.set_staff_status(conn, login=login, staff_status=staff_status, at=datetime.now(UTC))
    answer({"login": login, "staff_status": staff_status}, as_json=as_json, text=f"{login} is {staff_status}")
