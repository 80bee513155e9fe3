"""`mains meters …`: meters, their lives, and the commands that are given to them. What hangs or takes down a meter is added by metering, which makes its channels."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, cast, get_args
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import typer
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.terminal import Json, answer, say, table
from mains.devices import commands, lifecycle, queries
from mains.devices.commands import Command, Kind
from mains.devices.lifecycle import ModelChannel
from mains.identity.acting import Utility, acting
from mains.network.queries import own_utility

app = typer.Typer(name="meters", help="Meters: register, install, exchange, remove; and commands to them.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(help="Number of the meter.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
_FORMS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z"]
At = Annotated[datetime | None, typer.Option("--on", formats=_FORMS, help="When it was done, local to the utility unless it says its offset; else now.")]


class OptionNotUnderstood(Problem):
    """An option has a form that it does not take."""


def instant(conn: Connection, at: datetime | None, now: datetime) -> datetime:
    """An instant that was typed, in the utility's zone where it says no offset; now where nothing was typed."""
    if at is None:
        return now
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(own_utility(conn).timezone))


def figures(shown: list[str]) -> dict[str, Decimal]:
    """What dials show, typed as REGISTER=FIGURE each."""
    found: dict[str, Decimal] = {}
    for each in shown:
        register, _, figure = each.rpartition("=")
        try:
            found[register] = Decimal(figure)
        except InvalidOperation:
            register = ""
        if not register:
            raise OptionNotUnderstood(f"{each!r} is no register with its figure", cure="write REGISTER=FIGURE, such as total=1234.5")
    return found


@app.command("list")
def list_(
    *,
    status: Annotated[str | None, typer.Option(help="Of one state: inventory, active, unassigned, removed or retired.")] = None,
    after: Annotated[str, typer.Option(help="Go on after this number.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most meters to show.")] = 100,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Meters by number."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = queries.meters_page(conn, after=after, status=status, limit=limit)
    columns = ["meter_number", "commodity", "meter_status", "manufacturer", "model", "dial_digits"]
    answer(found, as_json=as_json, text=lambda: table([asdict(each) for each in found], columns=columns))


@app.command()
def show(number: Number, *, utility: Utility = None, as_json: Json = False) -> None:
    """One meter with all that happened to it."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = queries.history_of(conn, lifecycle.meter_by_number(conn, number))

    def tell() -> None:
        say(f"{found.meter.meter_number}: {found.meter.commodity}, {found.meter.meter_status}")
        for title, rows in (("steps", found.steps), ("installations", found.installations), ("tests", found.commissionings), ("switch", found.service_states)):
            if rows:
                say(title)
                table([asdict(each) for each in rows], columns=[name for name in asdict(rows[0]) if not name.endswith("_id")])

    answer(found, as_json=as_json, text=tell)


@app.command()
def register(
    number: Number,
    *,
    model: Annotated[str | None, typer.Option(help="Code of its type: mains meters models.")] = None,
    commodity: Annotated[str | None, typer.Option(help="electric, gas or water, where no type says it.")] = None,
    digits: Annotated[int | None, typer.Option(help="Digits of its dial.")] = None,
    on: At = None,
    reason: Reason = "new meter",
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Take a new meter into inventory."""
    who, now = acting(utility), datetime.now(UTC)
    with who.database.transaction(actor=who.actor) as conn:
        made = lifecycle.register(
            conn, meter_number=number, commodity=commodity, model_code=model, dial_digits=digits, at=instant(conn, on, now), now=now, reason=reason
        )
    answer(made, as_json=as_json, text=f"meter {number} is in inventory")


@app.command()
def restock(number: Number, *, reason: Reason, on: At = None, utility: Utility = None, as_json: Json = False) -> None:
    """Take a removed meter back into inventory."""
    who, now = acting(utility), datetime.now(UTC)
    with who.database.transaction(actor=who.actor) as conn:
        lifecycle.restock(conn, number, at=instant(conn, on, now), now=now, reason=reason)
    answer({"meter_number": number, "meter_status": "inventory"}, as_json=as_json, text=f"meter {number} is back in inventory")


@app.command()
def retire(number: Number, *, reason: Reason, on: At = None, utility: Utility = None, as_json: Json = False) -> None:
    """Take a meter out of use for good."""
    who, now = acting(utility), datetime.now(UTC)
    with who.database.transaction(actor=who.actor) as conn:
        lifecycle.retire(conn, number, at=instant(conn, on, now), now=now, reason=reason)
    answer({"meter_number": number, "meter_status": "retired"}, as_json=as_json, text=f"meter {number} is retired")


@app.command()
def models(*, utility: Utility = None, as_json: Json = False) -> None:
    """Types of meters, with what they measure."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = [asdict(each) | {"channels": [asdict(channel) for channel in queries.model_channels(conn, each.meter_model_id)]} for each in queries.models(conn)]
    columns = ["model_code", "commodity", "manufacturer", "model", "dial_digits", "has_switch"]
    answer(found, as_json=as_json, text=lambda: table(found, columns=columns))


@app.command()
def define(
    code: Annotated[str, typer.Argument(help="Short name of the type.")],
    *,
    commodity: Annotated[str, typer.Option(help="electric, gas or water.")],
    channel: Annotated[list[str], typer.Option(help="A register: REGISTER,UNIT[,INTERVAL_S[,FLOW[,POW10[,MULTIPLIER]]]]; interval 0 for one that is read now and then.")],
    manufacturer: Annotated[str | None, typer.Option(help="Maker.")] = None,
    model: Annotated[str | None, typer.Option(help="Maker's name of it.")] = None,
    digits: Annotated[int | None, typer.Option(help="Digits of its dial.")] = None,
    switch: Annotated[bool, typer.Option("--switch", help="It can be connected and disconnected from afar.")] = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Enter a type of meter, or change one; meters that are hung from then on get its registers."""
    channels = [_channel(each) for each in channel]
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        key = lifecycle.define_model(
            conn, model_code=code, commodity=commodity, channels=channels, manufacturer=manufacturer, model=model, dial_digits=digits, has_switch=switch
        )
    answer({"meter_model_id": key, "model_code": code, "channels": channels}, as_json=as_json, text=f"type {code} measures {', '.join(each.register for each in channels)}")


def _channel(text: str) -> ModelChannel:
    """A register of a type as it is typed."""
    parts = text.split(",")
    register, unit, interval, flow, pow10, multiplier = [*parts, *[""] * 5][:6]
    try:
        if len(parts) > 6:
            multiplier = "too many parts"
        return ModelChannel(
            register=register, unit=unit, interval_s=int(interval or 0) or None, flow=flow or "delivered", pow10=int(pow10 or 0), multiplier=Decimal(multiplier or 1)
        )
    except (ValueError, InvalidOperation) as error:
        raise OptionNotUnderstood(f"--channel is {text!r}", cure="write it as 1,Wh,900 or total,kWh,0,delivered,-1") from error


# Commands -----------------------------------------------------------------------------------------------------------------------------------------------------------

CommandKey = Annotated[UUID, typer.Argument(help="Key of the command: mains meters commands.")]
_COLUMNS = ["command_id", "meter_number", "command_kind", "command_status", "requested_by", "approved_by", "requested_at", "attempts", "finding"]


def _tell(found: Command, *, as_json: bool) -> None:
    second = f"; it needs another approval: {found.second_approval_because}" if found.second_approval_because and found.command_status == "requested" else ""
    answer(found, as_json=as_json, text=f"{found.command_kind} of meter {found.meter_number} is {found.command_status} ({found.command_id}){second}")


@app.command()
def command(
    number: Number,
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(get_args(Kind))}.")],
    *,
    reason: Reason,
    key: Annotated[str | None, typer.Option(help="Key under which it is carried out once; else a new one.")] = None,
    hours: Annotated[int, typer.Option(min=1, max=168, help="It is not sent after so many hours.")] = 24,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Ask for a command to a meter; a disconnect waits for another person's approval."""
    if kind not in get_args(Kind):
        raise OptionNotUnderstood(f"{kind!r} is no command", cure=f"use one of {', '.join(get_args(Kind))}")
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        asked = commands.request(
            conn, number, cast("Kind", kind), at=datetime.now(UTC), reason=reason, idempotency_key=key or f"typed {uuid4()}", life=timedelta(hours=hours)
        )
    _tell(asked, as_json=as_json)


@app.command("commands")
def list_commands(
    *,
    meter: Annotated[str | None, typer.Option(help="Number of one meter.")] = None,
    kind: Annotated[str | None, typer.Option(help="One kind.")] = None,
    status: Annotated[str | None, typer.Option(help="One state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most commands to show.")] = 50,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Commands, newest first."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        meter_id = lifecycle.meter_by_number(conn, meter).meter_id if meter else None
        found = commands.commands(conn, at=datetime.now(UTC), meter_id=meter_id, kind=kind, status=status, limit=limit)
    answer(found, as_json=as_json, text=lambda: table([asdict(each) for each in found], columns=_COLUMNS))


@app.command()
def approve(command_id: CommandKey, *, utility: Utility = None, as_json: Json = False) -> None:
    """Approve a command that somebody else asked for."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = commands.approve(conn, command_id, at=datetime.now(UTC))
    _tell(found, as_json=as_json)


@app.command()
def cancel(command_id: CommandKey, *, reason: Reason, utility: Utility = None, as_json: Json = False) -> None:
    """Take a command back before it goes out."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = commands.cancel(conn, command_id, at=datetime.now(UTC), reason=reason)
    _tell(found, as_json=as_json)


@app.command()
def expire(*, utility: Utility = None, as_json: Json = False) -> None:
    """End the commands whose time is over, or of which nothing was heard."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        count = commands.expire(conn, at=datetime.now(UTC))
    answer({"ended": count}, as_json=as_json, text=f"{count} commands ended")


@app.command()
def limits(
    *,
    per_minute: Annotated[int | None, typer.Option(min=1, help="Commands sent in a minute at most.")] = None,
    disconnects: Annotated[int | None, typer.Option(min=0, help="Disconnects an hour that one person may approve.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """How much is sent at most; set what is given."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        stood = commands.limits(conn)
        chosen = (per_minute or stood[0], stood[1] if disconnects is None else disconnects)
        if chosen != stood:
            commands.set_limits(conn, commands_per_minute=chosen[0], disconnects_per_hour=chosen[1])
    facts: dict[str, Any] = {"commands_per_minute": chosen[0], "disconnects_per_hour": chosen[1]}
    answer(facts, as_json=as_json, text=f"{chosen[0]} commands a minute; {chosen[1]} disconnects an hour with one approval")
