"""`mains meters install|exchange|remove|commission`: work at a meter in the field, added to the other commands of meters."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from mains.base.terminal import DOES_NOT_HOLD, Json, answer, say, table
from mains.devices import queries as meters
from mains.devices.cli import At, Number, Reason, app, figures, instant
from mains.identity.acting import Utility, acting
from mains.metering import fieldwork

__all__ = ["app"]

Shown = Annotated[list[str] | None, typer.Option("--read", help="What a dial shows then, as REGISTER=FIGURE; several times for several dials.")]


@app.command()
def install(
    number: Number,
    *,
    at: Annotated[str, typer.Option("--at", help="Number of the service point.")],
    reason: Reason,
    on: At = None,
    read: Shown = None,
    beside: Annotated[bool, typer.Option("--beside", help="It hangs beside another meter of the commodity.")] = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Hang a meter at a service point, with the registers of its type."""
    shown, who, now = figures(read or []), acting(utility), datetime.now(UTC)
    with who.database.transaction(actor=who.actor) as conn:
        point = meters.service_point_by_number(conn, at)
        hung = fieldwork.install(
            conn, number, service_point_id=point.service_point_id, at=instant(conn, on, now), now=now, reason=reason, figures=shown, is_beside=beside
        )
    answer(hung, as_json=as_json, text=f"meter {number} hangs at {at}: registers {', '.join(each.register for each in hung.channels) or 'none yet'}")


@app.command()
def exchange(
    number: Number,
    new: Annotated[str, typer.Argument(help="Number of the meter that takes its place.")],
    *,
    reason: Reason,
    on: At = None,
    read: Annotated[list[str] | None, typer.Option("--last-read", help="What a dial of the old meter showed, as REGISTER=FIGURE.")] = None,
    first_read: Annotated[list[str] | None, typer.Option("--first-read", help="What a dial of the new meter showed, as REGISTER=FIGURE.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Take one meter down and hang another in its place, at one instant."""
    last, first, who, now = figures(read or []), figures(first_read or []), acting(utility), datetime.now(UTC)
    with who.database.transaction(actor=who.actor) as conn:
        done = fieldwork.exchange(conn, number, new, at=instant(conn, on, now), now=now, reason=reason, last_figures=last, first_figures=first)
    registers = ", ".join(each.register for each in done.begun.channels)
    answer(done, as_json=as_json, text=f"meter {new} hangs in the place of {number}: registers {registers or 'none yet'}")


@app.command()
def remove(number: Number, *, reason: Reason, on: At = None, read: Shown = None, utility: Utility = None, as_json: Json = False) -> None:
    """Take a meter down."""
    shown, who, now = figures(read or []), acting(utility), datetime.now(UTC)
    with who.database.transaction(actor=who.actor) as conn:
        ended, batch_id = fieldwork.remove(conn, number, at=instant(conn, on, now), now=now, reason=reason, figures=shown)
    answer({"installation_id": ended, "batch_id": batch_id}, as_json=as_json, text=f"meter {number} is removed")


@app.command()
def commission(number: Number, *, utility: Utility = None, as_json: Json = False) -> None:
    """Test an installed meter: its intervals against its registers. Exit code 3 where they differ."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = fieldwork.commission(conn, number, at=datetime.now(UTC))

    def tell() -> None:
        table([asdict(each) for each in found], columns=["register", "outcome", "interval_total", "register_total", "tolerance", "unit"])
        for each in found:
            say(each.finding)

    answer(found, as_json=as_json, text=tell)
    if any(each.outcome == "differs" for each in found):
        raise typer.Exit(DOES_NOT_HOLD)
