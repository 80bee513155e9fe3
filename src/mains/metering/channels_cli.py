"""`mains channels …`: what the meters measure, from when to when, how it stands, and how it changes."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, cast, get_args

import typer

from mains.base.problems import NotFound
from mains.base.terminal import Json, answer, table
from mains.devices.cli import At, OptionNotUnderstood, Reason, instant
from mains.identity.acting import Utility, acting
from mains.metering import channel_facts, queries
from mains.metering.channel_changes import Keep, change_channel
from mains.metering.channel_facts import ChannelFacts

app = typer.Typer(name="channels", help="Channels: what the meters measure, from when to when.", no_args_is_help=True)

_COLUMNS = ["channel_id", "meter", "register", "from", "to", "unit", "multiplier", "step", "interval_s", "utc_offset_min", "last_at", "last_value", "last_quality", "good", "there"]


@app.command()
def show(
    meter: Annotated[str | None, typer.Argument(help="Number of a meter.")] = None,
    *,
    account: Annotated[str | None, typer.Option(help="Number of an account: the channels of its meters.")] = None,
    channel: Annotated[int | None, typer.Option(help="Key of one channel.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most channels to show.")] = 100,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Channels with their dates, units and multipliers, the last reading, and how good the latest ones are."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        if channel is not None:
            found = queries.channels_by_id(conn, [channel]) if -(2**63) <= channel < 2**63 else []
        else:
            found = queries.channels_page(conn, meter_number=meter, account_number=account, limit=limit)
        if not found:
            raise NotFound("there is no such channel", cure="name a meter, an account (--account) or a channel (--channel); mains readings show lists them")
        facts = channel_facts.facts_of(conn, found, at=datetime.now(UTC))
    answer(facts, as_json=as_json, text=lambda: table([_row(each) for each in facts], columns=_COLUMNS))


def _row(facts: ChannelFacts) -> dict[str, Any]:
    """A channel as a line."""
    channel, shares = facts.channel, facts.quality_shares or {}
    good = sum(share for name, share in shares.items() if name in ("actual", "validated", "edited", "final_substitute"))
    return {
        "channel_id": channel.channel_id, "meter": channel.meter_number, "register": channel.register, "from": channel.in_service_from, "to": channel.in_service_to,
        "unit": channel.unit, "multiplier": channel.multiplier, "step": channel.step, "interval_s": channel.interval_s, "utc_offset_min": channel.utc_offset_min,
        "last_at": facts.last_at, "last_value": facts.last_value, "last_quality": facts.last_quality, "good": f"{good:.1%}" if shares else None,
        "there": f"{facts.expected_share:.1%}" if facts.expected_share is not None else None,
    }  # fmt: skip


@app.command()
def change(
    channel: Annotated[int, typer.Argument(help="Key of the channel.")],
    *,
    reason: Reason,
    on: At = None,
    multiplier: Annotated[str | None, typer.Option(help="Transformer ratio or dial multiplier from then on.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit from then on.")] = None,
    pow10: Annotated[int | None, typer.Option(min=-12, max=12, help="Power of ten of a step from then on.")] = None,
    interval: Annotated[int | None, typer.Option(help="Length of an interval from then on, s.")] = None,
    offset: Annotated[int | None, typer.Option(help="Standard-time offset from UTC from then on, minutes.")] = None,
    move: Annotated[str | None, typer.Option(help="Move stored readings of the time after: quantities stay right, or raw figures do.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Close a channel at an instant and open the next one with what is other from then on."""
    try:
        ratio = Decimal(multiplier) if multiplier is not None else None
    except InvalidOperation:
        ratio = Decimal("NaN")
    if ratio is not None and not ratio.is_finite():
        raise OptionNotUnderstood(f"--multiplier is {multiplier!r}", cure="write a number such as 40 or 37.5")
    if move not in (None, *get_args(Keep)):
        raise OptionNotUnderstood(f"--move is {move!r}", cure=f"use one of {', '.join(get_args(Keep))}")
    who, now = acting(utility), datetime.now(UTC)
    with who.database.transaction(actor=who.actor) as conn:
        done = change_channel(
            conn, channel, at=instant(conn, on, now), now=now, reason=reason, multiplier=ratio, unit=unit, pow10=pow10, interval_s=interval, utc_offset_min=offset,
            move=cast("Keep | None", move),
        )  # fmt: skip
    moved = f"; {done.readings_moved:,} readings were moved" if done.readings_moved else ""
    answer(done, as_json=as_json, text=f"channel {channel} ended at {done.at.isoformat()}, channel {done.opened.channel_id} goes on{moved}")
