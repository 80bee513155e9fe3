"""`mains vee …`: validate readings, see what the rules question, decide it, and set the rules."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.terminal import Json, answer, note, say, table
from mains.identity.acting import Utility, acting
from mains.metering.queries import zone_of_utility
from mains.metering.vee import edits, filling, operations, queries, running, telling, work_list
from mains.metering.vee.queries import STATUSES, UNSETTLED, VeeException, Wanted
from mains.metering.vee.rules import RULES

app = typer.Typer(name="vee", help="Validation: run the rules, see and decide what they question, set them.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Why, for history and audit.")]
Exceptions = Annotated[list[int] | None, typer.Argument(help="Numbers of exceptions.", metavar="EXCEPTION…")]
Rule = Annotated[str | None, typer.Option(help="Of one rule, by its name.")]
SeverityOf = Annotated[str | None, typer.Option("--severity", help="info, warning or failure.")]
ChannelOf = Annotated[int | None, typer.Option("--channel", help="Of one channel.")]
MeterOf = Annotated[str | None, typer.Option("--meter", help="Of one meter, by its number.")]
BatchOf = Annotated[int | None, typer.Option("--batch", help="Found when this delivery was judged.")]
ZoneOf = Annotated[str | None, typer.Option("--zone", help="In one zone, by its code.")]
From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="That ends after this instant, local.")]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="That begins before this instant, local.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count what would be decided.")]


class NothingNamed(Problem):
    """Nothing says which exceptions are meant."""

    status = 422


@app.command()
def run(
    *,
    batch: Annotated[list[int] | None, typer.Option(help="Only this delivery, also where it was judged before.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes for large deliveries.")] = 2,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Judge everything that was delivered or changed and not judged yet."""
    who = acting(utility)
    report = running.run_pending(who.database, who.actor, at=datetime.now(UTC), processes=processes, batches=batch, is_again=bool(batch))
    judged = report.judged
    text = (
        f"{len(report.batches):,} deliveries validated: {judged.days:,} days of {report.channels:,} channels, {judged.readings:,} readings; {judged.opened:,} exceptions opened, "
        f"{judged.changed:,} changed, {judged.resolved:,} resolved; {judged.marked:,} readings failed, {judged.cleared:,} cleared, {report.estimated:,} estimated"
    )
    answer(report.as_json(), as_json=as_json, text=text if report.batches else "nothing waits to be validated")


@app.command()
def exceptions(
    *,
    status: Annotated[list[str] | None, typer.Option(help=f"{', '.join(STATUSES)}, or all; else what is unsettled.")] = None,
    rule: Rule = None,
    severity: SeverityOf = None,
    channel: ChannelOf = None,
    meter: MeterOf = None,
    batch: BatchOf = None,
    zone: ZoneOf = None,
    from_: From = None,
    to: To = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most exceptions to show.")] = 50,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """The work list: what the rules question, in numbers and the newest of them."""
    who = acting(utility)
    statuses = None if status == ["all"] else tuple(status or UNSETTLED)
    if statuses and (wrong := [each for each in statuses if each not in STATUSES]):
        raise NothingNamed(f"there is no state {wrong[0]!r}", cure=f"use one of {', '.join(STATUSES)}, or all")
    with who.database.transaction(actor=who.actor) as conn:
        wanted = _wanted(
            conn, (), statuses=statuses, rule=rule, severity=severity, channel=channel, meter=meter, batch=batch, zone=zone, from_=from_, to=to, needs_something=False
        )
        found = queries.exceptions_page(conn, wanted, limit=limit)
        totals = queries.exception_totals(conn, with_closed=statuses is None)
        zone_name = ZoneInfo(zone_of_utility(conn))

    def tell() -> None:
        if not totals:
            say("nothing is questioned")
            return
        table((asdict(each) for each in totals), columns=["rule_number", "rule_name", "severity", "exception_status", "exceptions", "channels"])
        say("")
        table((_row(each, zone_name) for each in found), columns=["exception", "meter", "rule", "severity", "from", "to", "status", "finding"])

    answer({"totals": totals, "exceptions": found}, as_json=as_json, text=tell)


@app.command()
def explain(exception: Annotated[int, typer.Argument(help="Number of an exception.")], *, utility: Utility = None, as_json: Json = False) -> None:
    """Why there is an exception: the rule, its limits in force, the figures, the readings around it, and what they were before."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        told = telling.explain(conn, exception)
        zone = ZoneInfo(zone_of_utility(conn))

    def tell() -> None:
        found = told.exception
        say(f"exception {found.vee_exception_id}: meter {found.meter_number} {found.register}, {_local(found.from_at, zone)} to {_local(found.to_at, zone)}")
        say(f"{told.title} ({found.rule_name}, {found.severity}; {told.source})")
        say(found.finding)
        say("limits in force: " + (", ".join(f"{name} {value}" for name, value in told.parameters.items()) or "the rule is off now"))
        say(told.said_by)
        if found.exception_status != "open" and found.closed_at is not None:
            say(f"{found.exception_status.replace('_', '-')} by {found.closed_by} at {_local(found.closed_at, zone)}: {found.reason}")
        rows = (
            {
                "start": _local(each.starts_at, zone), f"raw ({told.step} {told.unit})": each.raw, "quality": each.quality, "": "<" if each.is_questioned else None,
                "before": "; ".join(f"{raw if raw is not None else 'nothing'} {quality}, {said}" for raw, quality, said in each.before) or None,
            }
            for each in told.readings
        )  # fmt: skip
        table(rows, columns=["start", f"raw ({told.step} {told.unit})", "quality", "", "before"])
        if told.is_cut_off:
            say(f"only the first {telling.MOST} intervals are shown")
        for edit in told.edits:
            by = f", {edit.edit_status} by {edit.approved_by}" if edit.approved_by else f", {edit.edit_status}"
            say(f"{edit.edit_kind} {edit.edit_id} by {edit.proposed_by} ({edit.method}){by}: {edit.reason}")

    answer(told.as_json(), as_json=as_json, text=tell)


@app.command()
def accept(
    ids: Exceptions = None, *, reason: Reason, rule: Rule = None, severity: SeverityOf = None, channel: ChannelOf = None, meter: MeterOf = None, batch: BatchOf = None,
    zone: ZoneOf = None, from_: From = None, to: To = None, dry_run: DryRun = False, utility: Utility = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Accept readings as they are; what had failed counts again. Name exceptions, or give a filter."""
    options = {"rule": rule, "severity": severity, "channel": channel, "meter": meter, "batch": batch, "zone": zone, "from_": from_, "to": to}
    _decide("accept", ids, options, reason=reason, dry_run=dry_run, utility=utility, as_json=as_json)


@app.command()
def estimate(
    ids: Exceptions = None, *, reason: Reason, rule: Rule = None, severity: SeverityOf = None, channel: ChannelOf = None, meter: MeterOf = None, batch: BatchOf = None,
    zone: ZoneOf = None, from_: From = None, to: To = None, dry_run: DryRun = False, utility: Utility = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Put estimates in place of what is missing or failed. Name exceptions, or give a filter."""
    options = {"rule": rule, "severity": severity, "channel": channel, "meter": meter, "batch": batch, "zone": zone, "from_": from_, "to": to}
    _decide("estimate", ids, options, reason=reason, dry_run=dry_run, utility=utility, as_json=as_json)


@app.command("re-read")
def re_read(
    ids: Exceptions = None, *, reason: Reason, rule: Rule = None, severity: SeverityOf = None, channel: ChannelOf = None, meter: MeterOf = None, batch: BatchOf = None,
    zone: ZoneOf = None, from_: From = None, to: To = None, dry_run: DryRun = False, utility: Utility = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Ask the meters again for the readings. Name exceptions, or give a filter."""
    options = {"rule": rule, "severity": severity, "channel": channel, "meter": meter, "batch": batch, "zone": zone, "from_": from_, "to": to}
    _decide("re-read", ids, options, reason=reason, dry_run=dry_run, utility=utility, as_json=as_json)


@app.command()
def edit(
    channel: Annotated[int, typer.Argument(help="Key of the channel.")],
    from_: Annotated[datetime, typer.Argument(formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%z"], help="Start of the first interval, local.", metavar="FROM")],
    values: Annotated[list[str], typer.Argument(help="Raw values, one an interval; - leaves a reading as it is.", metavar="VALUE…")],
    *,
    reason: Reason,
    exception: Annotated[int | None, typer.Option(help="Exception that it settles.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Put values in place of readings; where the utility wants four eyes, somebody else approves it first."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        begin = _aware(from_, ZoneInfo(zone_of_utility(conn)))
    made = edits.propose_edit(
        who.database, who.actor, channel_id=channel, from_at=begin, values=[_raw(value) for value in values], at=datetime.now(UTC), reason=reason, vee_exception_id=exception
    )
    waits = f"waits for somebody else: mains vee approve {made.edit_id}" if made.edit_status == "proposed" else f"stored as delivery {made.batch_id}"
    answer(made, as_json=as_json, text=f"edit {made.edit_id} of {len(values)} readings {waits}")


@app.command("edits")
def edits_(
    *,
    status: Annotated[str | None, typer.Option(help="proposed, applied or rejected.")] = None,
    channel: ChannelOf = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Edits and estimates, newest first, with who made and who approved them."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = queries.edits_page(conn, edit_status=status, channel_id=channel, limit=limit)
    columns = ["edit_id", "meter_number", "from_at", "to_at", "edit_kind", "method", "edit_status", "proposed_by", "approved_by", "reason"]
    answer(found, as_json=as_json, text=lambda: table((asdict(each) for each in found), columns=columns))


@app.command()
def approve(
    edit_id: Annotated[UUID, typer.Argument(help="Key of a waiting edit.", metavar="EDIT")],
    *,
    reject: Annotated[bool, typer.Option("--reject", help="Refuse it instead.")] = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Approve an edit of somebody else, which applies it, or reject it."""
    who = acting(utility)
    made = edits.approve_edit(who.database, who.actor, edit_id, at=datetime.now(UTC), is_rejected=reject)
    answer(made, as_json=as_json, text=f"edit {made.edit_id} is {made.edit_status}")


@app.command()
def rules(
    *,
    profile: Annotated[str | None, typer.Option(help="Take a built-in profile: default, california, aemo or ontario.")] = None,
    change: Annotated[str | None, typer.Option("--set", help="Change one rule, by its name.")] = None,
    meter_class: Annotated[str, typer.Option("--class", help="For all, a commodity, or a customer class.")] = "all",
    parameters: Annotated[list[str] | None, typer.Option("--with", help="NAME=VALUE, a limit of the rule.")] = None,
    severity: SeverityOf = None,
    off: Annotated[bool, typer.Option("--off", help="Do not run the rule.")] = False,
    four_eyes: Annotated[bool | None, typer.Option("--four-eyes/--two-eyes", help="Whether edits need a second person.")] = None,
    hold_bills: Annotated[bool | None, typer.Option("--hold-bills/--let-bills", help="Whether open failures hold bills.")] = None,
    fill_gaps: Annotated[bool | None, typer.Option("--fill-gaps/--leave-gaps", help="Whether runs estimate gaps by themselves.")] = None,
    context_days: Annotated[int | None, typer.Option(min=0, max=60, help="Days of values that the rules look back on.")] = None,
    from_: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First local date; today where none is given.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """The rules in force with their limits; with options, change them from a date on."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        today = datetime.now(UTC).astimezone(ZoneInfo(zone_of_utility(conn))).date()
        day = from_.date() if from_ else today
        if any(each is not None for each in (profile, four_eyes, hold_bills, fill_gaps, context_days)):
            operations.set_policy(
                conn, from_date=day, profile=profile, has_four_eyes=four_eyes, is_holding_bills=hold_bills, is_estimating=fill_gaps, context_days=context_days
            )
        if change is not None:
            operations.set_rule(conn, change, from_date=day, meter_class=meter_class, parameters=_parameters(parameters or []), severity=severity, is_off=off)
        elif parameters or off or severity:
            raise NothingNamed("--with, --off and --severity are of one rule", cure="name it: mains vee rules --set spike --with ratio=2.5")
        policy, held = queries.policy_on(conn, day), _in_force(conn, day)

    def tell() -> None:
        eyes = "edits need a second person" if policy.has_four_eyes else "edits count at once"
        bills = "failures hold bills" if policy.is_holding_bills else "failures hold no bills"
        gaps = "gaps are filled" if policy.is_estimating else "gaps wait for somebody"
        say(f"profile {policy.profile} on {day}; {eyes}; {bills}; {gaps}; {policy.context_days} days of context")
        table(held, columns=["number", "rule", "severity", "limits", "what it looks at", "source"])

    answer({"policy": policy, "date": day, "rules": held}, as_json=as_json, text=tell)


def _in_force(conn: Connection, day: date) -> list[dict[str, Any]]:
    """The rules of a date, as for residential electric meters."""
    ruleset = running.rules_of(conn).on(day)
    found = []
    for rule in RULES:
        held = dict(ruleset.parameters(rule.name))
        severity = held.pop("severity", "off")
        limits = ", ".join(f"{name} {value}" for name, value in held.items())
        found.append({"number": rule.number, "rule": rule.name, "severity": severity, "limits": limits, "what it looks at": rule.title, "source": rule.source})
    return found


def _decide(verb: str, ids: list[int] | None, options: dict[str, Any], *, reason: str, dry_run: bool, utility: str | None, as_json: bool) -> None:
    """Decide the exceptions that are named or that a filter finds."""
    who, at = acting(utility, reason=reason), datetime.now(UTC)
    with who.database.transaction(actor=who.actor) as conn:
        found = work_list.matching(conn, _wanted(conn, tuple(ids or ()), **options)) if not ids or any(each is not None for each in options.values()) else None
    keys = list(ids or []) if found is None else [each.vee_exception_id for each in found]
    if dry_run:
        answer({"exceptions": len(keys), "is_dry_run": True}, as_json=as_json, text=f"{len(keys):,} exceptions would be decided")
        return
    if verb == "estimate":
        filled = filling.estimate_exceptions(who.database, who.actor, keys, at=at, reason=work_list.checked_reason(reason))
        left = f"; {len(filled.left):,} left, there is nothing to learn from" if filled.left else ""
        answer(filled, as_json=as_json, text=f"{filled.readings:,} readings estimated, {len(filled.settled):,} exceptions settled{left}")
        return
    decided = (work_list.accept if verb == "accept" else work_list.re_read)(who.database, who.actor, keys, at=at, reason=reason)
    done = "accepted" if verb == "accept" else "asked again"

    def tell() -> None:
        say(f"{len(decided.exceptions):,} exceptions {done}, {decided.readings:,} readings validated")
        for each in decided.refused:
            note(f"exception {each['vee_exception_id']}: {each['why']}" + (f"\n  what to do: {each['cure']}" if each["cure"] else ""))

    answer(decided, as_json=as_json, text=tell)


def _wanted(
    conn: Connection, ids: tuple[int, ...], *, rule: str | None, severity: str | None, channel: int | None, meter: str | None, batch: int | None, zone: str | None,
    from_: datetime | None, to: datetime | None, statuses: tuple[str, ...] | None = UNSETTLED, needs_something: bool = True,
) -> Wanted:  # fmt: skip
    """The filter that options describe.

    Raises:
        NothingNamed: a decision needs exceptions or at least one part of a filter.
    """
    local = ZoneInfo(zone_of_utility(conn))
    if needs_something and not ids and all(each is None for each in (rule, severity, channel, meter, batch, zone, from_, to)):
        raise NothingNamed("neither exceptions nor a filter are given", cure="name exceptions, or give --rule, --channel, --batch, --severity, --zone, --from or --to")
    return Wanted(
        ids=ids or None, statuses=statuses, rule_name=rule, severity=severity, channel_id=channel, meter_number=meter, batch_id=batch, zone_code=zone,
        from_at=_aware(from_, local) if from_ else None, to_at=_aware(to, local) if to else None,
    )  # fmt: skip


def _row(each: VeeException, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "exception": each.vee_exception_id, "meter": f"{each.meter_number} {each.register}", "rule": each.rule_name, "severity": each.severity, "from": _local(each.from_at, zone),
        "to": _local(each.to_at, zone), "status": each.exception_status, "finding": each.finding,
    }  # fmt: skip


def _parameters(given: list[str]) -> dict[str, float | str]:
    """NAME=VALUE pairs, numbers as numbers."""
    found: dict[str, float | str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise NothingNamed(f"--with {each!r} has no value", cure="write NAME=VALUE, as ratio=2.5")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = value
    return found


def _raw(value: str) -> int | None:
    """A raw value, None for a dash."""
    if value == "-":
        return None
    try:
        return int(value)
    except ValueError as error:
        raise edits.UnableToEditReadings(f"{value[:40]!r} is no raw value", cure="write whole numbers, or - to leave a reading as it is") from error


def _aware(at: datetime, zone: ZoneInfo) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
