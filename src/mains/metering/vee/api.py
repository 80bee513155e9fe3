"""JSON routes: the work list of validation, why an exception is there, decisions one by one and many at once, edits, runs, and the rules in force."""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import Field

from mains.base.db import Actor, Database
from mains.base.http import ActingNow, InTransaction, NotAllowed, Paging, RequestNotUnderstood
from mains.base.paging import Page
from mains.metering.queries import zone_of_utility
from mains.metering.vee import edits, filling, operations, queries, running, telling, work_list
from mains.metering.vee.queries import UNSETTLED, Edit, ExceptionTotal, Policy, VeeException, Wanted
from mains.metering.vee.rules import RULES

router = APIRouter(prefix="/v1/vee", tags=["validation"])

Severity = Literal["info", "warning", "failure"]
Status = Literal["open", "re_read", "accepted", "estimated", "edited", "resolved"]
Verb = Literal["accept", "estimate", "re_read"]
Why = Annotated[str, Field(min_length=1, max_length=500)]
Key = Annotated[int, Field(ge=1, lt=2**63)]
BatchKey = Annotated[int, Field(ge=1, lt=2**31)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to decide and why."""

    action: Verb
    reason: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkDecision:
    """What to decide of the unsettled exceptions that a filter finds; every part that is given must hold, and one must be. `dry_run` only counts."""

    action: Verb
    reason: Why
    ids: Annotated[list[Key], Field(max_length=10_000)] | None = None
    rule_name: Annotated[str, Field(max_length=60)] | None = None
    severity: Severity | None = None
    channel_id: Key | None = None
    meter_number: Annotated[str, Field(max_length=100)] | None = None
    batch_id: BatchKey | None = None
    zone_code: Annotated[str, Field(max_length=60)] | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a decision did: exceptions decided, readings changed, and exceptions that could not be decided, each with why."""

    exceptions: list[int]
    readings: int
    refused: list[dict[str, Any]]
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEdit:
    """Values to put in place of a channel's readings from an instant on: raw, one an interval, null where the reading stays."""

    channel_id: Key
    from_at: datetime
    values: Annotated[list[int | None], Field(min_length=1, max_length=6000)]
    reason: Why
    vee_exception_id: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditDecision:
    """Whether a waiting edit is approved or rejected."""

    action: Literal["approve", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsked:
    """Which deliveries to judge, also where they were judged before; all that wait where none is named."""

    batches: Annotated[list[BatchKey], Field(max_length=1000)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInForce:
    """A rule with its limits for residential electric meters; severity off where it is not run."""

    number: int
    name: str
    title: str
    severity: str
    parameters: dict[str, Any]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesInForce:
    """The policy and the rules of a local date."""

    date: date
    policy: Policy
    rules: list[RuleInForce]


@router.get("/exceptions")
def exceptions(
    conn: InTransaction,
    paging: Paging,
    status: Annotated[list[Status] | None, Query(description="States; open and re_read where none is given")] = None,
    rule_name: Annotated[str | None, Query(max_length=60)] = None,
    severity: Severity | None = None,
    channel_id: int | None = None,
    meter_number: Annotated[str | None, Query(max_length=100)] = None,
    batch_id: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    zone_code: Annotated[str | None, Query(max_length=60)] = None,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
) -> Page[VeeException]:
    """The work list, newest first, of what is asked."""
    wanted = Wanted(
        statuses=tuple(status or UNSETTLED), rule_name=rule_name, severity=severity, channel_id=_fitting(channel_id), meter_number=meter_number, batch_id=batch_id,
        zone_code=zone_code, from_at=_aware(from_at), to_at=_aware(to_at),
    )  # fmt: skip
    after = paging.key_after(int)
    rows = queries.exceptions_page(conn, wanted, before=after[0] if after else None, limit=paging.limit + 1)
    return paging.page(rows, key=lambda each: (each.vee_exception_id,))


@router.get("/exception-totals")
def exception_totals(conn: InTransaction, *, with_closed: bool = False) -> list[ExceptionTotal]:
    """The work list in numbers, by rule, severity and state."""
    return queries.exception_totals(conn, with_closed=with_closed)


@router.get("/exceptions/{vee_exception_id}")
def exception(conn: InTransaction, vee_exception_id: int) -> dict[str, Any]:
    """One exception with its rule, the limits in force, the readings around it and what they were before."""
    return telling.explain(conn, vee_exception_id).as_json()


@router.post("/exceptions/{vee_exception_id}/decide")
def decide(request: Request, actor: ActingNow, vee_exception_id: int, decision: Decision) -> VeeException:
    """Accept an exception, estimate its readings, or ask its meter again; what was decided the same way before answers the same."""
    database = _staff(request, actor)
    with database.transaction(actor=actor) as conn:
        found = queries.vee_exception(conn, vee_exception_id)
    done = {"accept": "accepted", "estimate": "estimated", "re_read": "re_read"}[decision.action]
    if found.exception_status != done:
        outcome = _decided(database, actor, [vee_exception_id], decision.action, decision.reason)
        if outcome.refused:
            raise RequestNotUnderstood(str(outcome.refused[0]["why"]), cure=outcome.refused[0]["cure"])
    with database.transaction(actor=actor) as conn:
        return queries.vee_exception(conn, vee_exception_id)


@router.post("/decisions")
def decide_many(request: Request, actor: ActingNow, decision: BulkDecision) -> Outcome:
    """Decide all unsettled exceptions that a filter finds; the same again finds nothing left to decide."""
    database = _staff(request, actor)
    parts = {name: value for name, value in asdict(decision).items() if name not in ("action", "reason", "dry_run", "ids")}
    if decision.ids is None and all(value is None for value in parts.values()):
        raise RequestNotUnderstood("no exceptions and no filter are given", cure="name ids, or one part of a filter")
    parts |= {"from_at": _aware(decision.from_at), "to_at": _aware(decision.to_at), "channel_id": _fitting(decision.channel_id)}
    with database.transaction(actor=actor) as conn:
        found = work_list.matching(conn, Wanted(ids=None if decision.ids is None else tuple(decision.ids), **parts))
    keys = [each.vee_exception_id for each in found]
    if decision.dry_run:
        return Outcome(exceptions=keys, readings=0, refused=[], is_dry_run=True)
    return _decided(database, actor, keys, decision.action, decision.reason) if keys else Outcome(exceptions=[], readings=0, refused=[])


@router.get("/edits")
def list_edits(conn: InTransaction, status: Literal["proposed", "applied", "rejected"] | None = None, channel_id: int | None = None) -> list[Edit]:
    """The newest hundred edits and estimates."""
    return queries.edits_page(conn, edit_status=status, channel_id=_fitting(channel_id))


@router.post("/edits", status_code=201)
def propose_edit(request: Request, actor: ActingNow, edit: NewEdit) -> Edit:
    """Put values in place of readings; where the utility wants four eyes, the edit waits for somebody else."""
    database = _staff(request, actor)
    _aware(edit.from_at)
    return edits.propose_edit(
        database, actor, channel_id=edit.channel_id, from_at=edit.from_at, values=edit.values, at=datetime.now(UTC), reason=edit.reason, vee_exception_id=edit.vee_exception_id
    )


@router.post("/edits/{edit_id}/decide")
def decide_edit(request: Request, actor: ActingNow, edit_id: UUID, decision: EditDecision) -> Edit:
    """Approve somebody else's edit, which applies it, or reject it; again it answers the same."""
    return edits.approve_edit(_staff(request, actor), actor, edit_id, at=datetime.now(UTC), is_rejected=decision.action == "reject")


@router.post("/runs")
def run(request: Request, actor: ActingNow, asked: RunAsked) -> dict[str, Any]:
    """Judge what was delivered and not judged yet, or some deliveries again; a run that finds nothing waiting changes nothing."""
    database = _staff(request, actor)
    return running.run_pending(database, actor, at=datetime.now(UTC), processes=1, batches=asked.batches, is_again=bool(asked.batches)).as_json()


@router.get("/rules")
def rules(conn: InTransaction, on_date: date | None = None) -> RulesInForce:
    """The policy and the rules of a local date, today where none is given."""
    day = on_date or datetime.now(UTC).astimezone(ZoneInfo(zone_of_utility(conn))).date()
    return _in_force(running.rules_of(conn).on(day), queries.policy_on(conn, day), day)


def _in_force(ruleset: Any, policy: Policy, day: date) -> RulesInForce:
    found = []
    for rule in RULES:
        held = dict(ruleset.parameters(rule.name))
        severity = str(held.pop("severity", "off"))
        found.append(RuleInForce(number=rule.number, name=rule.name, title=rule.title, severity=severity, parameters=held, source=rule.source))
    return RulesInForce(date=day, policy=policy, rules=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPolicy:
    """What to change of the utility's policy from a local date on; what is left out stays."""

    from_date: date
    profile: Annotated[str, Field(max_length=60)] | None = None
    has_four_eyes: bool | None = None
    is_holding_bills: bool | None = None
    is_estimating: bool | None = None
    context_days: Annotated[int, Field(ge=0, le=60)] | None = None


@router.put("/policy")
def set_policy(conn: InTransaction, policy: NewPolicy) -> Policy:
    """Change how the utility wants validation to work, from a date on."""
    return operations.set_policy(conn, **asdict(policy))


def _decided(database: Database, actor: Actor, keys: list[int], action: Verb, reason: str) -> Outcome:
    """Decide exceptions in one of three ways."""
    at = datetime.now(UTC)
    if action == "estimate":
        filled = filling.estimate_exceptions(database, actor, keys, at=at, reason=work_list.checked_reason(reason))
        left = [{"vee_exception_id": each, "why": "there is nothing to learn from", "cure": "edit the readings, or accept them"} for each in filled.left]
        return Outcome(exceptions=filled.settled, readings=filled.readings, refused=left)
    decided = (work_list.accept if action == "accept" else work_list.re_read)(database, actor, keys, at=at, reason=reason)
    return Outcome(exceptions=decided.exceptions, readings=decided.readings, refused=decided.refused)


def _staff(request: Request, actor: Actor) -> Database:
    """The database, for somebody who may decide about readings.

    Raises:
        NotAllowed: anybody else than the utility's staff.
    """
    if actor.role != "staff":
        raise NotAllowed("your role may not decide about readings", cure="ask somebody of the utility's staff")
    return request.app.state.database


def _aware(at: datetime | None) -> datetime | None:
    """An instant with its offset.

    Raises:
        RequestNotUnderstood: it has none.
    """
    if at is not None and at.tzinfo is None:
        raise RequestNotUnderstood("an instant without its offset could mean several", cure="write 2026-07-01T00:00:00-05:00")
    return at


def _fitting(key: int | None) -> int | None:
    """A key that the database can hold; one that no channel has where it cannot."""
    return key if key is None or -(2**63) <= key < 2**63 else -1


