"""Commands to meters: a queue in which each has a life of its own, from the person who asks to the meter that has done it.

requested → approved → sent → acknowledged → done or failed; expired or cancelled where it was not carried out. Reads, pings, clocks and connects are approved by being asked for;
everything else by another person. A disconnect is refused to whom something protects, at every step until it goes out; in a burst it needs a third person. Switching is done when a
ping that is sent after it says so. The caller owns the transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from mains.base.problems import NotFound, Problem
from mains.base.sql import Statements
from mains.devices import queries

_sql = Statements("mains.devices", "commands.sql")
_operations = Statements("mains.devices", "operations.sql")
_queries = Statements("mains.devices", "queries.sql")

Kind = Literal["read", "connect", "disconnect", "set_configuration", "set_load_limit", "synchronise_clock", "ping", "restart"]
APPROVED_BY_ASKING = ("read", "ping", "synchronise_clock", "connect")
SWITCHING = {"connect": "connected", "disconnect": "disconnected"}
"""Kinds that move the switch, and the state that it is in then."""
COMMANDS_PER_MINUTE, DISCONNECTS_PER_HOUR = 120, 20
"""Limits of a utility that has set none."""
MOST_ATTEMPTS = 3
LIFE = timedelta(hours=24)
CONFIRMATION_LIFE = timedelta(hours=1)


class UnableToCommandMeter(Problem):
    """The command cannot be given to this meter."""

    status = 409


class ServiceProtected(Problem):
    """Something protects the customer from being disconnected."""

    status = 409


class IllegalCommandMove(Problem):
    """The command is not in a state in which this can be done with it."""

    status = 409


class ApprovalNeeded(Problem):
    """The command has to be approved by somebody else."""

    status = 403


class CommandKeyReused(Problem):
    """Another command was asked for under the same key."""

    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An order to a meter; `confirms_id` is the switching that a ping is to confirm, `finding` why it failed or was taken back."""

    command_id: UUID
    meter_id: UUID
    meter_number: str
    command_kind: str
    arguments: dict[str, Any]
    command_status: str
    reason: str
    idempotency_key: str
    requested_by: str
    approved_by: str | None
    approved_at: datetime | None
    second_approval_because: str | None
    second_approved_by: str | None
    requested_at: datetime
    expires_at: datetime
    sent_at: datetime | None
    attempts: int
    leased_by: str | None
    lease_ends_at: datetime | None
    answered_at: datetime | None
    result: dict[str, Any] | None
    confirms_id: UUID | None
    finding: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What stands against a disconnect; `until` None where it has no end."""

    protected_by: str
    until: datetime | None


# Reads --------------------------------------------------------------------------------------------------------------------------------------------------------------


def command(conn: Connection, command_id: UUID, *, at: datetime) -> Command:
    """One command as it stands at an instant.

    Raises:
        NotFound: there is none.
    """
    found = commands(conn, at=at, command_id=command_id, limit=1)
    if not found:
        raise NotFound(f"there is no command {command_id} here", cure="see mains meters commands, or GET /v1/commands")
    return found[0]


def commands(
    conn: Connection, *, at: datetime, command_id: UUID | None = None, meter_id: UUID | None = None, kind: str | None = None, status: str | None = None,
    before: tuple[datetime, UUID] | None = None, limit: int = 100,
) -> list[Command]:  # fmt: skip
    """At most `limit` commands as they stand at an instant, newest first, before one; of one meter, kind or state where it is given."""
    asked = {"at": at, "command_id": command_id, "meter_id": meter_id, "command_kind": kind, "command_status": status, "limit": limit}
    asked |= {"before_at": before[0] if before else None, "before_id": before[1] if before else None}
    with conn.cursor(row_factory=class_row(Command)) as cursor:
        return cursor.execute(_sql.commands, asked).fetchall()


def protections_of(conn: Connection, meter_id: UUID, *, at: datetime) -> list[Protection]:
    """What stands against disconnecting the service that a meter measures: protections of the customer, critical facilities, moratoria."""
    with conn.cursor(row_factory=class_row(Protection)) as cursor:
        return cursor.execute(_sql.protections_of, {"meter_id": meter_id, "at": at}).fetchall()


# Asking and approving -------------------------------------------------------------------------------------------------------------------------------------------------


def request(
    conn: Connection, meter_number: str, kind: Kind, *, at: datetime, reason: str, idempotency_key: str, arguments: Mapping[str, Any] | None = None,
    life: timedelta = LIFE,
) -> Command:  # fmt: skip
    """Ask for a command to a meter once under a key; the same call again gives the same command. It is not sent after at + `life`.

    Raises:
        NotFound: there is no such meter.
        UnableToCommandMeter: the meter hangs nowhere, has no switch, is in that state already, or waits for another switching; or something is left out.
        ServiceProtected: something stands against a disconnect; the member `protections` lists what.
        CommandKeyReused: something else was asked for under the key.
    """
    meter = queries.meters_by_number(conn, [meter_number]).get(meter_number)
    if meter is None:
        raise NotFound(f"there is no meter {meter_number[:100]} here", cure="see mains meters list")
    if not reason.strip() or not 1 <= len(idempotency_key) <= 255 or life <= timedelta(0):
        raise UnableToCommandMeter("a command needs a reason, a key of 1 to 255 letters, and time to be carried out", cure="give all three")
    known = conn.execute(_sql.command_of_key, {"idempotency_key": idempotency_key}).fetchone()
    if known is None:
        _check(conn, meter, kind, at=at)
        is_approved = kind in APPROVED_BY_ASKING
        values = {
            "meter_id": meter.meter_id, "command_kind": kind, "arguments": Jsonb(dict(arguments or {})), "command_status": "approved" if is_approved else "requested",
            "reason": reason.strip(), "idempotency_key": idempotency_key, "at": at, "expires_at": at + life, "approved_at": at if is_approved else None, "confirms_id": None,
        }  # fmt: skip
        conn.execute(_sql.request, values)
        known = conn.execute(_sql.command_of_key, {"idempotency_key": idempotency_key}).fetchone()
    assert known is not None  # it was there, or is now
    found = command(conn, known[0], at=at)
    if (found.meter_id, found.command_kind, found.arguments) != (meter.meter_id, kind, dict(arguments or {})):
        raise CommandKeyReused(f"{found.command_kind} of meter {found.meter_number} was asked for under this key", cure="use a new key for a new command")
    return found


def request_read(
    conn: Connection, meter_number: str, *, at: datetime, reason: str, registers: Sequence[str] = (), period: tuple[datetime, datetime] | None = None,
    idempotency_key: str | None = None, life: timedelta = LIFE,
) -> Command:  # fmt: skip
    """Ask a meter to send its registers (all where none is named), and the intervals of a period where one is given."""
    arguments: dict[str, Any] = {"registers": list(registers)} if registers else {}
    if period:
        arguments |= {"from_at": period[0].isoformat(), "to_at": period[1].isoformat()}
    return request(conn, meter_number, "read", at=at, reason=reason, arguments=arguments, life=life, idempotency_key=idempotency_key or f"read {uuid4()}")


def _check(conn: Connection, meter: queries.Meter, kind: Kind, *, at: datetime) -> None:
    """Refuse a command that the meter cannot take."""
    conn.execute(_operations.lock_meter, {"meter_id": meter.meter_id})
    conn.execute(_sql.expire_waiting, {"at": at})
    if not any(each.from_at <= at and (each.to_at is None or at < each.to_at) for each in queries.installations_of(conn, [meter.meter_id])):
        raise UnableToCommandMeter(f"meter {meter.meter_number} hangs nowhere at {at.isoformat()}", cure="install it first, or name the meter that hangs there")
    if kind not in SWITCHING:
        return
    has_switch = conn.execute(_queries.has_switch, {"meter_id": meter.meter_id}).fetchone()
    if has_switch is not None and has_switch[0] is False:
        raise UnableToCommandMeter(f"meter {meter.meter_number} is of a type without a switch", cure="send somebody, or exchange it for one that has a switch")
    waiting = [each for each in commands(conn, at=at, meter_id=meter.meter_id) if each.command_kind in SWITCHING and each.command_status in OPEN]
    if waiting:
        cure = f"wait for it, or take it back: mains meters cancel {waiting[0].command_id}"
        raise UnableToCommandMeter(f"meter {meter.meter_number} has a {waiting[0].command_kind} that is {waiting[0].command_status}", cure=cure)
    state = conn.execute(_sql.state_of_switch, {"meter_id": meter.meter_id}).fetchone()
    if (state[0] if state else "connected") == SWITCHING[kind]:
        since = f" since {state[1].isoformat()}" if state else ""
        raise UnableToCommandMeter(f"meter {meter.meter_number} is {SWITCHING[kind]} already{since}", cure="ask it with a ping, if you doubt that")
    if kind == "disconnect":
        _refuse_protected(conn, meter.meter_id, meter.meter_number, at=at)


OPEN = ("requested", "approved", "sent", "acknowledged")
"""States of commands that are still to be carried out."""


def _refuse_protected(conn: Connection, meter_id: UUID, meter_number: str, *, at: datetime) -> None:
    if found := protections_of(conn, meter_id, at=at):
        said = "; ".join(_in_words(each) for each in found)
        raise ServiceProtected(
            f"the service at meter {meter_number} may not be disconnected: {said}", cure="wait until it ends, or end it with a reason: mains customers unprotect",
            protections=[_in_words(each) for each in found],
        )  # fmt: skip


def _in_words(protection: Protection) -> str:
    return protection.protected_by + (f" until {protection.until.isoformat()}" if protection.until else "")


def approve(conn: Connection, command_id: UUID, *, at: datetime) -> Command:
    """Approve a command as the actor of this transaction, who is not the one who asked for it. In a burst of disconnects it then waits for one more person.

    Raises:
        NotFound, IllegalCommandMove: it is not there, or does not wait for approval.
        ApprovalNeeded: the same person asked for it or approved it already.
        ServiceProtected: something stands against the disconnect by now.
    """
    conn.execute(_sql.one_writer)
    found = _waiting_in(conn, command_id, ("requested",), at=at, verb="approved")
    row = conn.execute(_sql.who_acts).fetchone()
    by = row[0] if row else None
    if by in (found.requested_by, found.approved_by):
        did = "asked for" if by == found.requested_by else "approved"
        raise ApprovalNeeded(f"{by} {did} this {found.command_kind}", cure="have another person approve it")
    if found.command_kind == "disconnect":
        _refuse_protected(conn, found.meter_id, found.meter_number, at=at)
    if found.approved_by is not None:
        conn.execute(_sql.approve_second, {"command_id": command_id})
    elif because := _burst(conn, found, at=at):
        conn.execute(_sql.approve_first, {"command_id": command_id, "at": at, "because": because})
    else:
        conn.execute(_sql.approve, {"command_id": command_id, "at": at})
    return command(conn, command_id, at=at)


def _burst(conn: Connection, asked: Command, *, at: datetime) -> str | None:
    """Why one person's approval is not enough; None where it is."""
    if asked.command_kind != "disconnect":
        return None
    row = conn.execute(_sql.disconnects_approved_since, {"since": at - timedelta(hours=1), "command_id": asked.command_id}).fetchone()
    most = limits(conn)[1]
    count = row[0] if row else 0
    return f"{count} disconnects were approved in the hour before, and {most} are allowed" if count >= most else None


def limits(conn: Connection) -> tuple[int, int]:
    """Commands a minute and disconnects an hour that the utility allows."""
    row = conn.execute(_sql.limits).fetchone()
    return (row[0], row[1]) if row else (COMMANDS_PER_MINUTE, DISCONNECTS_PER_HOUR)


def set_limits(conn: Connection, *, commands_per_minute: int, disconnects_per_hour: int) -> None:
    """Set how many commands the utility sends in a minute, and how many disconnects an hour one person may approve."""
    conn.execute(_sql.set_limits, {"commands_per_minute": commands_per_minute, "disconnects_per_hour": disconnects_per_hour})


def cancel(conn: Connection, command_id: UUID, *, at: datetime, reason: str) -> Command:
    """Take a command back before it goes out.

    Raises:
        NotFound, IllegalCommandMove: it is not there, or has gone out.
    """
    found = _waiting_in(conn, command_id, ("requested", "approved"), at=at, verb="taken back")
    conn.execute(_sql.cancel, {"command_id": found.command_id, "at": at, "finding": reason})
    return command(conn, command_id, at=at)


def _waiting_in(conn: Connection, command_id: UUID, states: Sequence[str], *, at: datetime, verb: str) -> Command:
    """The command, kept for this transaction, where it is in one of some states."""
    conn.execute(_sql.lock_command, {"command_id": command_id})
    found = command(conn, command_id, at=at)
    if found.command_status not in states:
        raise IllegalCommandMove(
            f"this {found.command_kind} of meter {found.meter_number} is {found.command_status} and cannot be {verb}", cure=f"only one that is {' or '.join(states)} can be"
        )
    return found


# The head-end's side ----------------------------------------------------------------------------------------------------------------------------------------------------


def claim(conn: Connection, *, worker: str, at: datetime, limit: int = 50, lease: timedelta = timedelta(minutes=5)) -> list[Command]:
    """Take commands to send: at most `limit`, and no more than the utility's limit a minute; nobody else gets them until the lease ends.

    A disconnect to whom something protects by now is taken back instead. One that was sent and of which nothing is heard when its lease ends is given out again, up to three times.
    """
    conn.execute(_sql.one_writer)
    sent = conn.execute(_sql.sent_since, {"since": at - timedelta(minutes=1)}).fetchone()
    room = min(limit, limits(conn)[0] - (sent[0] if sent else 0))
    if room <= 0:
        return []
    chosen = []
    for command_id, meter_id, kind in conn.execute(_sql.claimable, {"at": at, "most": MOST_ATTEMPTS, "limit": room}).fetchall():
        protections = protections_of(conn, meter_id, at=at) if kind == "disconnect" else []
        if not protections:
            chosen.append(command_id)
        elif command(conn, command_id, at=at).command_status == "approved":
            conn.execute(_sql.cancel, {"command_id": command_id, "at": at, "finding": f"protected: {'; '.join(map(_in_words, protections))}"})
    conn.execute(_sql.send, {"command_ids": chosen, "at": at, "worker": worker, "lease_ends_at": at + lease})
    return [command(conn, command_id, at=at) for command_id in chosen]


def acknowledge(conn: Connection, command_id: UUID, *, at: datetime, result: Mapping[str, Any] | None = None) -> Command:
    """The meter has taken a command. After a switching, a ping goes out that has to find the switch where it should be.

    Raises:
        NotFound, IllegalCommandMove: it is not there, or was not sent.
    """
    found = _waiting_in(conn, command_id, ("sent",), at=at, verb="acknowledged")
    conn.execute(_sql.acknowledge, {"command_id": command_id, "at": at, "result": Jsonb(dict(result or {}))})
    if found.command_kind in SWITCHING:
        _ask_switch(conn, found.meter_id, at=at, reason=f"to confirm the {found.command_kind}", key=f"confirm {command_id}", confirms_id=command_id)
    return command(conn, command_id, at=at)


def _ask_switch(conn: Connection, meter_id: UUID, *, at: datetime, reason: str, key: str, confirms_id: UUID | None = None) -> None:
    """Have a ping ask a meter how its switch stands."""
    values = {"meter_id": meter_id, "command_kind": "ping", "arguments": Jsonb({"ask": "switch"}), "command_status": "approved", "reason": reason, "idempotency_key": key}
    conn.execute(_sql.request, values | {"at": at, "expires_at": at + CONFIRMATION_LIFE, "approved_at": at, "confirms_id": confirms_id})


def finish(conn: Connection, command_id: UUID, *, at: datetime, result: Mapping[str, Any] | None = None) -> Command:
    """A read, ping or setting is done; `result` is what the meter answered. Its member `switch` (connected or disconnected) is kept as a dated fact, and confirms a switching.

    Raises:
        NotFound, IllegalCommandMove: it is not there or was not sent; or it is a switching, which only a ping or a read can confirm.
        UnableToCommandMeter: `switch` is neither, or a ping that is to confirm a switching does not say it.
    """
    found = _waiting_in(conn, command_id, ("sent", "acknowledged"), at=at, verb="done")
    if found.command_kind in SWITCHING:
        raise IllegalCommandMove(f"a {found.command_kind} is not done by being answered", cure="acknowledge it; the ping that follows confirms it")
    switch = (result or {}).get("switch")
    if switch not in (None, *SWITCHING.values()) or (found.confirms_id and switch is None):
        raise UnableToCommandMeter(f"the answer of meter {found.meter_number} does not say how its switch stands", cure='result.switch is "connected" or "disconnected"')
    conn.execute(_sql.finish, {"command_id": command_id, "command_status": "done", "at": at, "result": Jsonb(dict(result or {})), "finding": None})
    if found.confirms_id:
        _confirm(conn, found.confirms_id, str(switch), at=at, by=found)
    elif switch:
        _keep_state(conn, found.meter_id, str(switch), at=at, command_id=command_id)
    return command(conn, command_id, at=at)


def _confirm(conn: Connection, command_id: UUID, switch: str, *, at: datetime, by: Command) -> None:
    """A switching is done where the switch was found as it should be, else it has failed."""
    conn.execute(_sql.lock_command, {"command_id": command_id})
    switching = command(conn, command_id, at=at)
    is_so = switch == SWITCHING[switching.command_kind]
    if switching.command_status == "acknowledged":
        values = {"command_id": command_id, "command_status": "done" if is_so else "failed", "at": at, "result": Jsonb({"switch": switch})}
        conn.execute(_sql.finish, values | {"finding": f"a {by.command_kind} found the switch {switch} at {at.isoformat()}"})
    since = switching.answered_at if is_so and switching.answered_at else at
    _keep_state(conn, switching.meter_id, switch, at=since, command_id=command_id)


def _keep_state(conn: Connection, meter_id: UUID, switch: str, *, at: datetime, command_id: UUID) -> None:
    """Keep how the switch of a meter stands from an instant on, where that is news."""
    row = conn.execute(_sql.state_of_switch, {"meter_id": meter_id}).fetchone()
    if (row is None and switch == "connected") or (row is not None and (row[0] == switch or at <= row[1])):
        return
    conn.execute(_sql.end_state, {"meter_id": meter_id, "at": at})
    conn.execute(_sql.begin_state, {"meter_id": meter_id, "state": switch, "at": at, "command_id": command_id})


def fail(conn: Connection, command_id: UUID, *, at: datetime, finding: str) -> Command:
    """A command could not be carried out, and why.

    Raises:
        NotFound, IllegalCommandMove: it is not there, or was not sent.
    """
    found = _waiting_in(conn, command_id, ("sent", "acknowledged"), at=at, verb="failed")
    conn.execute(_sql.finish, {"command_id": command_id, "command_status": "failed", "at": at, "result": Jsonb({}), "finding": finding})
    if found.confirms_id:
        conn.execute(_sql.fail_unconfirmed)
    return command(conn, command_id, at=at)


def expire(conn: Connection, *, at: datetime) -> int:
    """End every command whose time is over, or of which nothing was heard; how many. After a switching of which nothing was heard, a ping asks how the switch stands."""
    waiting = conn.execute(_sql.expire_waiting, {"at": at}).fetchall()
    silent = conn.execute(_sql.fail_silent, {"at": at, "most": MOST_ATTEMPTS}).fetchall()
    for command_id, meter_id, kind, _ in silent:
        if kind in SWITCHING:
            _ask_switch(conn, meter_id, at=at, reason=f"nothing was heard of the {kind}", key=f"look {command_id}")
    unconfirmed = conn.execute(_sql.fail_unconfirmed).fetchall()
    return len(waiting) + len(silent) + len(unconfirmed)
