"""`mains customers …`: look customers up, and say who may not be disconnected."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, cast, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.terminal import Json, answer, table
from mains.customers import protecting, queries
from mains.customers.protecting import ProtectionKind
from mains.identity.acting import Utility, acting
from mains.network.queries import own_utility

app = typer.Typer(name="customers", help="Customers: look them up; protect them from being disconnected.", no_args_is_help=True)
_moratorium = typer.Typer(name="moratorium", help="Times in which nobody is disconnected.", no_args_is_help=True)
app.add_typer(_moratorium)

Customer = Annotated[str, typer.Argument(help="Number or key of the customer, or number of an account of theirs.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Most to show.")]
_FORMS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z"]
From = Annotated[datetime | None, typer.Option("--from", formats=_FORMS, help="From when, local to the utility unless it says its offset; else now.")]
To = Annotated[datetime | None, typer.Option("--to", formats=_FORMS, help="Until when, exclusive; else until it is ended.")]
On = Annotated[datetime | None, typer.Option("--on", formats=_FORMS, help="When it ends, local to the utility unless it says its offset; else now.")]


class ProtectionNotUnderstood(Problem):
    """An option has a form that it does not take."""

    status = 422


def _instant(conn: Connection, at: datetime) -> datetime:
    """An instant that was typed, in the utility's zone where it says no offset."""
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(own_utility(conn).timezone))


@app.command("list")
def list_(
    *,
    search: Annotated[str | None, typer.Option(help="A part of the name, or the beginning of a number.")] = None,
    after: Annotated[str | None, typer.Option(help="Go on after this number.")] = None,
    limit: Limit = 100,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Customers by number."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = queries.customers(conn, search=search, after=after, limit=limit)
    columns = ["customer_number", "full_name", "customer_class", "service_status", "is_protected"]
    answer(found, as_json=as_json, text=lambda: table([asdict(each) for each in found], columns=columns))


@app.command()
def protect(
    customer: Customer,
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(get_args(ProtectionKind))}.")],
    *,
    evidence: Annotated[str, typer.Option(help="What it rests on: certificate, letter, call.")],
    from_: From = None,
    to: To = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Protect a customer from being disconnected."""
    if kind not in get_args(ProtectionKind):
        raise ProtectionNotUnderstood(f"{kind!r} is no kind of protection", cure=f"use one of {', '.join(get_args(ProtectionKind))}")
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        made = protecting.protect_customer(
            conn, customer_id=protecting.customer_named(conn, customer), kind=cast("ProtectionKind", kind), evidence=evidence,
            from_at=_instant(conn, from_) if from_ else datetime.now(UTC), to_at=_instant(conn, to) if to else None,
        )  # fmt: skip
    until = f"until {made.to_at.isoformat()}" if made.to_at else "until it is ended"
    answer(made, as_json=as_json, text=f"customer {made.customer_number} is protected {until} ({made.protection_id})")


@app.command()
def protections(
    *,
    customer: Annotated[str | None, typer.Option(help="Of one customer: number, key, or number of an account.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that ended or have not begun.")] = False,
    limit: Limit = 100,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Protections that hold now, the latest first."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        customer_id = protecting.customer_named(conn, customer) if customer else None
        found = protecting.protections(conn, customer_id=customer_id, at=None if everything else datetime.now(UTC), limit=limit)
    columns = ["protection_id", "customer_number", "full_name", "protection_kind", "from_at", "to_at", "evidence"]
    answer(found, as_json=as_json, text=lambda: table([asdict(each) for each in found], columns=columns))


@app.command()
def unprotect(
    protection: Annotated[UUID, typer.Argument(help="Key of the protection: mains customers protections.")],
    *,
    reason: Reason,
    on: On = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """End a protection; one that has not begun is taken back."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        at = _instant(conn, on) if on else datetime.now(UTC)
        protecting.end_protection(conn, protection, at=at, reason=reason)
    answer({"ended": protection, "at": at}, as_json=as_json, text=f"protection {protection} ends at {at.isoformat()}")


@_moratorium.command("declare")
def declare(
    name: Annotated[str, typer.Argument(help="Name people use, such as 'winter 2026/27'.")],
    *,
    reason: Reason,
    from_: From = None,
    to: To = None,
    commodity: Annotated[str | None, typer.Option(help="For one commodity only: electric, gas or water.")] = None,
    customer_class: Annotated[str | None, typer.Option("--class", help="For one class only: residential, commercial, industrial or public_authority.")] = None,
    zone: Annotated[str | None, typer.Option(help="For one zone only: its code.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Let nobody be disconnected for a time."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        made = protecting.declare_moratorium(
            conn, name=name, reason=reason, commodity=commodity, customer_class=customer_class, service_zone_id=protecting.zone_of_code(conn, zone) if zone else None,
            from_at=_instant(conn, from_) if from_ else datetime.now(UTC), to_at=_instant(conn, to) if to else None,
        )  # fmt: skip
    until = f"until {made.to_at.isoformat()}" if made.to_at else "until it is ended"
    answer(made, as_json=as_json, text=f"{made.moratorium_name}: nobody it holds for is disconnected from {made.from_at.isoformat()} {until}")


@_moratorium.command("list")
def list_moratoria(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that ended or have not begun.")] = False,
    limit: Limit = 100,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Moratoria that hold now, the latest first."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = protecting.moratoria(conn, at=None if everything else datetime.now(UTC), limit=limit)
    columns = ["moratorium_name", "from_at", "to_at", "commodity", "customer_class", "service_zone_id"]
    answer(found, as_json=as_json, text=lambda: table([asdict(each) for each in found], columns=columns))


@_moratorium.command("end")
def end(name: Annotated[str, typer.Argument(help="Its name.")], *, reason: Reason, on: On = None, utility: Utility = None, as_json: Json = False) -> None:
    """End a moratorium; one that has not begun is taken back."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        at = _instant(conn, on) if on else datetime.now(UTC)
        found = protecting.moratorium_named(conn, name)
        protecting.end_moratorium(conn, found.moratorium_id, at=at, reason=reason)
    answer({"ended": found.moratorium_id, "at": at}, as_json=as_json, text=f"{name} ends at {at.isoformat()}")
