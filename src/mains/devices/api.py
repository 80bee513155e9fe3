"""JSON routes: meters and their lives, and the commands that are given to them. What hangs or takes down a meter is with metering, which makes its channels."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import AwareDatetime, Field

from mains.base.http import InTransaction, Paging
from mains.base.paging import Page
from mains.devices import commands, lifecycle, queries
from mains.devices.commands import Command, Kind, Protection
from mains.devices.queries import Meter, MeterHistory, MeterModel

router = APIRouter(prefix="/v1", tags=["meters"])

MeterStatus = Literal["inventory", "active", "unassigned", "removed", "retired"]
CommandStatus = Literal["requested", "approved", "sent", "acknowledged", "done", "failed", "expired", "cancelled"]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMeterIn:
    """A meter to take into inventory: its type says what it measures, or `commodity` does; `at` is when it came, now where it is left out."""

    meter_number: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Reason
    model_code: Annotated[str | None, Field(max_length=60)] = None
    commodity: Literal["electric", "gas", "water"] | None = None
    dial_digits: Annotated[int | None, Field(ge=3, le=12)] = None
    at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a meter: why, and when it was done (now where it is left out)."""

    reason: Reason
    at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommand:
    """A command to give: it is not sent after `life_minutes`; what a read is to bring goes into `arguments`."""

    command_kind: Kind
    reason: Reason
    arguments: dict[str, Any] = field(default_factory=dict)
    life_minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)] = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A head-end's worker that takes commands to send: at most `limit`, its own for `lease_seconds`."""

    worker: Annotated[str, Field(min_length=1, max_length=200)]
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    lease_seconds: Annotated[int, Field(ge=10, le=3600)] = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a meter answered; `switch` is connected or disconnected."""

    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a command could not be carried out."""

    finding: Reason


@router.get("/meters")
def meters(conn: InTransaction, paging: Paging, meter_status: MeterStatus | None = None) -> Page[Meter]:
    """Meters by number; of one state where it is named."""
    after = paging.key_after(str)
    rows = queries.meters_page(conn, after=after[0] if after else "", status=meter_status, limit=paging.limit + 1)
    return paging.page(rows, key=lambda meter: (meter.meter_number,))


@router.post("/meters", status_code=201)
def register_meter(conn: InTransaction, meter: NewMeterIn) -> Meter:
    """Take a meter into inventory."""
    now = datetime.now(UTC)
    return lifecycle.register(
        conn, meter_number=meter.meter_number, commodity=meter.commodity, model_code=meter.model_code, dial_digits=meter.dial_digits, at=meter.at or now, now=now,
        reason=meter.reason,
    )  # fmt: skip


@router.get("/meters/{meter_id}")
def meter_history(conn: InTransaction, meter_id: UUID) -> MeterHistory:
    """One meter with all that happened to it."""
    return queries.history_of(conn, queries.meter(conn, meter_id))


@router.post("/meters/{meter_id}/restock")
def restock_meter(conn: InTransaction, meter_id: UUID, step: Step) -> Meter:
    """Take a removed meter back into inventory."""
    now = datetime.now(UTC)
    lifecycle.restock(conn, queries.meter(conn, meter_id).meter_number, at=step.at or now, now=now, reason=step.reason)
    return queries.meter(conn, meter_id)


@router.post("/meters/{meter_id}/retire")
def retire_meter(conn: InTransaction, meter_id: UUID, step: Step) -> Meter:
    """Take a meter out of use for good."""
    now = datetime.now(UTC)
    lifecycle.retire(conn, queries.meter(conn, meter_id).meter_number, at=step.at or now, now=now, reason=step.reason)
    return queries.meter(conn, meter_id)


@router.get("/meters/{meter_id}/protections")
def protections(conn: InTransaction, meter_id: UUID) -> list[Protection]:
    """What stands against disconnecting the service that a meter measures today."""
    return commands.protections_of(conn, queries.meter(conn, meter_id).meter_id, at=datetime.now(UTC))


@router.post("/meters/{meter_id}/commands", status_code=201)
def give_command(conn: InTransaction, meter_id: UUID, asked: NewCommand, idempotency_key: Annotated[str, Header(min_length=1, max_length=255)]) -> Command:
    """Ask for a command to a meter once under its Idempotency-Key; the same call again answers the same."""
    return commands.request(
        conn, queries.meter(conn, meter_id).meter_number, asked.command_kind, at=datetime.now(UTC), reason=asked.reason, idempotency_key=idempotency_key,
        arguments=asked.arguments, life=timedelta(minutes=asked.life_minutes),
    )  # fmt: skip


@router.get("/meter-models")
def meter_models(conn: InTransaction) -> list[MeterModel]:
    """Types of meters, by code."""
    return queries.models(conn)


@router.get("/commands")
def list_commands(
    conn: InTransaction, paging: Paging, meter_id: UUID | None = None, command_kind: Kind | None = None, command_status: CommandStatus | None = None
) -> Page[Command]:
    """Commands, newest first; of one meter, kind or state where it is named."""
    after = paging.key_after(datetime, UUID)
    rows = commands.commands(
        conn, at=datetime.now(UTC), meter_id=meter_id, kind=command_kind, status=command_status, before=(after[0], after[1]) if after else None, limit=paging.limit + 1
    )
    return paging.page(rows, key=lambda each: (each.requested_at, each.command_id))


@router.post("/commands/claim")
def claim_commands(conn: InTransaction, claim: Claim) -> list[Command]:
    """Take commands to send; nobody else gets them until the lease ends."""
    return commands.claim(conn, worker=claim.worker, at=datetime.now(UTC), limit=claim.limit, lease=timedelta(seconds=claim.lease_seconds))


@router.get("/commands/{command_id}")
def one_command(conn: InTransaction, command_id: UUID) -> Command:
    """One command."""
    return commands.command(conn, command_id, at=datetime.now(UTC))


@router.post("/commands/{command_id}/approve")
def approve_command(conn: InTransaction, command_id: UUID) -> Command:
    """Approve a command that somebody else asked for."""
    return commands.approve(conn, command_id, at=datetime.now(UTC))


@router.post("/commands/{command_id}/cancel")
def cancel_command(conn: InTransaction, command_id: UUID, why: Failure) -> Command:
    """Take a command back before it goes out."""
    return commands.cancel(conn, command_id, at=datetime.now(UTC), reason=why.finding)


@router.post("/commands/{command_id}/acknowledge")
def acknowledge_command(conn: InTransaction, command_id: UUID, answer: Answer) -> Command:
    """The meter has taken a command."""
    return commands.acknowledge(conn, command_id, at=datetime.now(UTC), result=answer.result)


@router.post("/commands/{command_id}/finish")
def finish_command(conn: InTransaction, command_id: UUID, answer: Answer) -> Command:
    """A read, ping or setting is done; its answer may say how the switch stands."""
    return commands.finish(conn, command_id, at=datetime.now(UTC), result=answer.result)


@router.post("/commands/{command_id}/fail")
def fail_command(conn: InTransaction, command_id: UUID, failure: Failure) -> Command:
    """A command could not be carried out."""
    return commands.fail(conn, command_id, at=datetime.now(UTC), finding=failure.finding)
