"""Running validation over what deliveries touched, piece by piece, in several processes where there is much; a delivery is validated when all of its pieces are done.

Each piece is a transaction of its own and can be done again without doing anything twice, so a run that stops half-way leaves its deliveries waiting, and the next run goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from multiprocessing import get_context
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.sql import Statements
from mains.metering.load import as_instant
from mains.metering.queries import zone_of_utility
from mains.metering.vee import queries
from mains.metering.vee.engine import RuleSet
from mains.metering.vee.judging import Bench, Judged, judge
from mains.metering.vee.known import Known, known_channels
from mains.metering.vee.model import DAY, RuleRow
from mains.metering.vee.queries import OwnRule, Policy
from mains.metering.vee.touched import Piece, Touched, pieces, touched_days

_sql = Statements("mains.metering.vee", "operations.sql")
_queries = Statements("mains.metering.vee", "queries.sql")

Progress = Callable[[int, int], None]
"""Told as it goes: days of channels judged, and how many there are."""

FEW_DAYS = 100_000
"""Days of channels below which another process costs more than it brings."""
CONTEXT_READINGS = 300_000_000
"""Most readings that a run reads beside those it judges; a larger delivery gets fewer days of context."""
BACKFILL = 62
"""Days from the first to the last that are delivered together, above which history is loaded on purpose, so that nothing of it is stale."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run did: deliveries validated; channels, days of channels and readings judged; exceptions opened, changed and resolved; readings marked as failed or cleared again."""

    batches: list[int]
    channels: int = 0
    context_days: int = 0
    judged: Judged = field(default_factory=Judged)
    estimated: int = 0

    def as_json(self) -> dict[str, Any]:
        """The report as commands and the API print it."""
        return {"batches": self.batches, "channels": self.channels, "context_days": self.context_days, "estimated": self.estimated} | asdict(self.judged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rule sets by when they hold: `sets[i]` from local date `changes[i - 1]` on, the first one before all of them."""

    sets: tuple[RuleSet, ...]
    changes: tuple[date, ...]

    def on(self, day: date) -> RuleSet:
        """The set that holds on a local date."""
        return self.sets[int(np.searchsorted(np.array([each.toordinal() for each in self.changes]), day.toordinal(), side="right"))]


def run_pending(
    database: Database, actor: Actor, *, at: datetime, processes: int = 2, batches: Sequence[int] | None = None, is_again: bool = False, progress: Progress | None = None
) -> RunReport:
    """Judge everything that deliveries brought or changed and that was not judged yet; `at` is now.

    `batches` names some deliveries; with `is_again` those are judged even where they were before. Other runs of the utility wait.

    Raises:
        RuleNotFound: the utility's rules name a rule or a parameter that is not here; nothing was judged.
    """
    with database.transaction(actor=actor) as conn:
        if not queries.waiting_deliveries(conn, batches=batches, is_again=is_again):
            return RunReport(batches=[])
    with database.transaction(actor=actor) as guard:
        guard.execute(_sql.one_runner)
        with database.transaction(actor=actor) as conn:
            waiting = queries.waiting_deliveries(conn, batches=batches, is_again=is_again)
            if not waiting:
                return RunReport(batches=[])
            numbers = [each.batch_id for each in waiting]
            plan = _planned(conn, numbers, at=at, received_at=max(each.received_at for each in waiting))
        judged = _judge_all(database, actor, plan, processes=processes, progress=progress)
        with database.transaction(actor=actor) as conn:
            conn.execute(_sql.set_validated, {"at": at, "batches": numbers})
        estimated = _estimate(database, actor, numbers, at=at) if plan.is_estimating and judged.opened else 0
    return RunReport(batches=numbers, channels=plan.channels, context_days=plan.bench.context_days, judged=judged, estimated=estimated)


def run_batch(database: Database, actor: Actor, batch_id: int, *, at: datetime, processes: int = 2, progress: Progress | None = None) -> RunReport:
    """Judge one delivery, also where it was judged before: after a change of rules, say."""
    return run_pending(database, actor, at=at, processes=processes, batches=[batch_id], is_again=True, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a run has to do."""

    touched: list[Touched]
    known: Known
    bench: Bench
    changes: tuple[date, ...]
    channels: int
    is_estimating: bool

    @property
    def days(self) -> int:
        """Days of channels to judge."""
        return sum(len(each.day) for each in self.touched)

    def pieces(self) -> Iterator[Piece]:
        """The work, in order of time."""
        changes = [(each - _EPOCH).days for each in self.changes]
        for touched in self.touched:
            place = np.searchsorted(self.known.channels["channel_id"], touched.channel)
            meters = self.known.channels["meter"][place].astype(np.int64)
            yield from pieces(touched, meters=meters, changes=changes, context_days=self.bench.context_days if self.bench.has_history else 0)


def _planned(conn: Connection, numbers: list[int], *, at: datetime, received_at: datetime) -> _Plan:
    """Read what the deliveries touched and what is known of its channels."""
    zone = ZoneInfo(zone_of_utility(conn))
    policy = queries.policy_on(conn, at.astimezone(zone).date())
    rules = rules_of(conn)
    touched = touched_days(conn, numbers)
    ids = np.unique(np.concatenate([each.channel for each in touched])) if touched else np.zeros(0, np.int64)
    first = min((each.start_of(int(each.day.min())) for each in touched), default=0)
    last = max((each.start_of(int(each.day.max())) for each in touched), default=0) + DAY
    known = known_channels(conn, ids, from_at=as_instant(first - policy.context_days * DAY), to_at=as_instant(last))
    touched = [each for each in (_of_known(part, known) for part in touched) if len(each.day)]
    readings = sum(len(each.day) * (DAY // each.interval_s) for each in touched)
    bench = Bench(
        at=at, received_at=received_at, zone=zone, context_days=min(policy.context_days, max(CONTEXT_READINGS // max(readings, 1), 1)) if policy.context_days else 0,
        has_history=_has_history(conn, touched, first), rules=rules.sets, batch_id=numbers[-1], is_backfill=last - first > BACKFILL * DAY,
    )  # fmt: skip
    return _Plan(touched=touched, known=known, bench=bench, changes=rules.changes, channels=len(ids), is_estimating=policy.is_estimating)


def _of_known(touched: Touched, known: Known) -> Touched:
    """Without days of channels that are not on record; `mains db check` tells of those."""
    chosen = np.isin(touched.channel, known.channels["channel_id"])
    return touched if chosen.all() else replace(touched, channel=touched.channel[chosen], day=touched.day[chosen])


def _has_history(conn: Connection, touched: list[Touched], first: int) -> bool:
    """Whether any readings lie before what is judged, in the time that is looked back on; of many days, the first ones are history of the others."""
    if any(len(each.day) and int(each.day.max() - each.day.min()) > 1 for each in touched):
        return True
    row = conn.execute(_queries.has_history, {"from_at": as_instant(first - 400 * DAY), "to_at": as_instant(first)}).fetchone()
    assert row is not None  # EXISTS always answers
    return row[0]


def rules_of(conn: Connection) -> Rules:
    """The rule sets of the utility by the dates on which they change.

    Raises:
        RuleNotFound: a row names what is not here.
    """
    policies, rows = queries.policies(conn), queries.own_rules(conn)
    dates = {each for held in (*policies, *rows) for each in (held.from_date, held.to_date) if each is not None}
    changes = tuple(sorted(dates))
    days = [changes[0] - timedelta(days=1) if changes else _EPOCH, *changes]
    return Rules(sets=tuple(_rules_on(policies, rows, day) for day in days), changes=changes)


def _rules_on(policies: Sequence[Policy], rows: Sequence[OwnRule], day: date) -> RuleSet:
    profile = next((each.profile for each in policies if each.holds_on(day)), "default")
    held = [row for row in rows if row.holds_on(day)]
    own = [RuleRow(rule_name=row.rule_name, meter_class=row.meter_class, parameters=row.parameters, severity=row.severity, is_off=row.is_off) for row in held]  # type: ignore[arg-type]
    return RuleSet.of(own, profile=profile)


def _judge_all(database: Database, actor: Actor, plan: _Plan, *, processes: int, progress: Progress | None) -> Judged:
    """Judge every piece, each in a transaction of its own."""
    total, done = plan.days, Judged()
    told = (lambda: progress(done.days, total)) if progress else (lambda: None)
    if processes < 2 or total < FEW_DAYS:
        for piece in plan.pieces():
            done.add(_judge_piece(database, actor, piece, _known_of(plan, piece), plan.bench))
            told()
        return done
    context = get_context("spawn")  # threads of the connection pool do not survive a fork
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        try:
            for part in _spread(pool, ((database, actor, piece, _known_of(plan, piece), plan.bench) for piece in plan.pieces()), waiting=2 * processes):
                done.add(part)
                told()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return done


def _known_of(plan: _Plan, piece: Piece) -> Known:
    """What a piece's process needs of what is known: its channels, and the outages of its time."""
    reach = piece.first_day - (plan.bench.context_days + 1) * DAY, piece.first_day + (piece.is_due.shape[1] + 1) * DAY
    return plan.known.of(piece.channel_ids, *reach)


def _spread(pool: ProcessPoolExecutor, tasks: Iterable[tuple[Any, ...]], *, waiting: int) -> Iterator[Judged]:
    """Results of tasks as they come; few wait at a time, so that memory stays small."""
    running: set[Future[Judged]] = set()
    for task in tasks:
        running.add(pool.submit(_judge_piece, *task))
        if len(running) >= waiting:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (each.result() for each in ended)
    yield from (each.result() for each in running)


def _judge_piece(database: Database, actor: Actor, piece: Piece, known: Known, bench: Bench) -> Judged:
    """One piece in one transaction."""
    with database.transaction(actor=actor) as conn:
        return judge(conn, piece, known, bench, utility_id=actor.utility_id)


def _estimate(database: Database, actor: Actor, numbers: list[int], *, at: datetime) -> int:
    """Fill the gaps that these deliveries left, where the utility wants that done without asking; how many readings."""
    from mains.metering.vee.filling import estimate_exceptions  # it stands on what runs here

    wanted = queries.Wanted(statuses=("open",), rule_name="gap", batch_id=numbers[-1])
    with database.transaction(actor=actor) as conn:
        found = [each.vee_exception_id for each in queries.exceptions_page(conn, wanted, limit=100_000)]
    return estimate_exceptions(database, actor, found, at=at, reason="gap filled by the utility's policy").readings if found else 0
