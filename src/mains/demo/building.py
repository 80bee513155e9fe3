"""The demo, step by step, each done once: what is there already is found and left, what is missing is made, and nothing of anybody else's is touched."""

import re
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import LiteralString

from mains.base.db import Actor, Database, system_actor
from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.billing.runs import RunReport
from mains.demo import cycle, generate, loading, paying, seeding
from mains.demo.loading import Chosen, planned
from mains.demo.model import DemoPlan, Utility
from mains.demo.seeding_office import seed_office, seed_sums
from mains.demo.seeding_operations import seed_operations
from mains.demo.span import DAYS
from mains.demo.steps import Steps
from mains.metering import store
from mains.metering.vee.queries import waiting_deliveries
from mains.metering.vee.running import run_pending
from mains.payments.operations import post_bills, post_payments

_sql = Statements("mains.demo", "operations.sql")
_queries = Statements("mains.demo", "queries.sql")
_MARK = re.compile(r"demo utility, (?P<customers>\d+) customers, seed (?P<seed>\d+): (?P<what>\w+)")
_READINGS_A_CHANNEL = 38_100


class DatabaseHoldsSomethingElse(Problem):
    """The database holds something else than the demo that was asked for."""

    status = 409


def build(database: Database, *, chosen: Chosen, at: datetime, steps: Steps) -> None:
    """Build the demo in a database that has its schema; again, it finds everything there.

    Raises:
        DatabaseHoldsSomethingElse: other utilities are there, or a demo of another size or seed; nothing was changed.
    """
    plan = planned(chosen)
    done = _what_is_there(database, chosen)
    with steps.step("customers and network"):
        _seed(database, plan, chosen=chosen, done=done, at=at)
    _load(database, plan, chosen=chosen, done=done, at=at, steps=steps)
    _validate(database, plan, at=at, steps=steps)
    _bill(database, plan, at=at, steps=steps)
    _settle(database, plan, at=at, steps=steps)


def warm(chosen: Chosen) -> None:
    """Make the plan and compile the kernels, while the database is being set up."""
    generate.readings(planned(chosen), range(1))


def _named(what: str, utility: Utility) -> str:
    return what if utility.code == "riverbend" else f"neighbour's {what}"


def _actor(utility: Utility) -> Actor:
    return system_actor(utility.key, job="demo")


def _what_is_there(database: Database, chosen: Chosen) -> set[tuple[str, str]]:
    """(code of the utility, what) of everything the demo has finished here."""
    with database.administering() as conn:
        utilities = {key: (code, name) for key, code, name in conn.execute(_queries.utility_names)}
        marks = [(_MARK.fullmatch(source), key, is_finished) for _, source, key, is_finished in conn.execute(_queries.demo_marks)]
    keys = {utility.key for utility in planned(chosen).utilities}
    known = [(found, key, is_finished) for found, key, is_finished in marks if found and key in keys]
    for found, _, _ in known:
        held = Chosen(customers=int(found["customers"]), seed=int(found["seed"]))
        if held != chosen:
            raise DatabaseHoldsSomethingElse(
                f"this database holds the demo of {held.customers:,} customers with seed {held.seed}, not that of {chosen.customers:,} with seed {chosen.seed}",
                cure=f"go on with that one: mains demo --customers {held.customers} --seed {held.seed}; or keep this one apart: MAINS_HOME=FOLDER mains demo …",
            )
    others = sorted(name for key, (_, name) in utilities.items() if key not in keys)
    if others and not known:
        raise DatabaseHoldsSomethingElse(
            f"this database belongs to {', '.join(others[:3])}; the demo is kept apart from real utilities",
            cure="give the demo a folder of its own: MAINS_HOME=FOLDER mains demo",
        )
    return {(utilities[key][0], found["what"]) for found, key, is_finished in known if is_finished} | {
        (code, "founded") for key, (code, _) in utilities.items() if key in keys
    }


def _seed(database: Database, plan: DemoPlan, *, chosen: Chosen, done: set[tuple[str, str]], at: datetime) -> None:
    """Utilities and all their rows that are no readings, one transaction each."""
    seeding.found_utilities(database, [utility for utility in plan.utilities if (utility.code, "founded") not in done])
    missing = [utility for utility in plan.utilities if (utility.code, "plan") not in done]
    for utility in missing:
        with database.transaction(actor=_actor(utility)) as conn:
            seeding.seed_utility(conn, plan, utility, at=at)
            loading.mark(conn, chosen=chosen, what="plan", at=at)
    if missing:
        _analyze(database, _sql.analyze_seeded)


def _load(database: Database, plan: DemoPlan, *, chosen: Chosen, done: set[tuple[str, str]], at: datetime, steps: Steps) -> None:
    """Quarter hours by processes, and beside them the dials."""

    def intervals() -> None:
        for utility in plan.utilities:
            if (utility.code, "intervals") in done:
                continue
            count = len(loading.channels_of(plan, utility)[0])
            with steps.step(_named("quarter hours", utility), total=count * _READINGS_A_CHANNEL) as progress:
                loading.load_intervals(database, actor=_actor(utility), chosen=chosen, utility=utility, at=at, progress=progress)

    def the_rest() -> None:
        for utility in plan.utilities:
            if (utility.code, "registers") not in done:
                with steps.step(_named("dials", utility)), database.transaction(actor=_actor(utility)) as conn:
                    loading.load_registers(conn, chosen=chosen, utility=utility, at=at)
            if (utility.code, "operations") not in done:
                with steps.step(_named("operations", utility)), database.transaction(actor=_actor(utility)) as conn:
                    seed_operations(conn, plan, utility)
                    seed_office(conn, plan, utility)
                    seed_sums(conn, at=at)
                    loading.mark(conn, chosen=chosen, what="operations", at=at)
        _analyze(database, _sql.analyze_reads)

    if {(utility.code, what) for utility in plan.utilities for what in ("intervals", "registers", "operations")} <= done:
        return
    _beside(intervals, the_rest)
    store.analyze(database)


def _validate(database: Database, plan: DemoPlan, *, at: datetime, steps: Steps) -> None:
    """Judge what was loaded, utility by utility; what was judged stays."""
    for utility in plan.utilities:
        with database.transaction(actor=_actor(utility)) as conn:
            waiting = waiting_deliveries(conn)
        if not waiting:
            continue
        count = len(loading.channels_of(plan, utility)[0])
        with steps.step(_named("validation", utility), total=count * DAYS) as progress:
            run_pending(database, system_actor(utility.key, job="validation"), at=at, progress=lambda done, _total, told=progress: told(done))


def _beside(*parts) -> None:
    """Do parts at the same time; all come to their end, and the first failure is raised."""
    with ThreadPoolExecutor(len(parts)) as pool:
        running: list[Future[None]] = [pool.submit(part) for part in parts]
    for part in running:
        part.result()


def _bill(database: Database, plan: DemoPlan, *, at: datetime, steps: Steps) -> None:
    """Bill the months that are not billed; each is posted and paid while the next ones are still being made."""
    months = [month for utility in plan.utilities for month in cycle.months_to_bill(database, actor=_actor(utility), utility=utility)]
    if not months:
        return
    habits = {habit.customer: habit for habit in plan.payment_habits}
    zones = {utility.key: utility.timezone for utility in plan.utilities}
    made, runs = 0, 0
    with steps.step("13 months of bills", total=sum(a.utility == m.actor.utility_id for m in months for a in plan.accounts)) as progress:

        def finished(month: cycle.Month, report: RunReport) -> None:
            nonlocal made, runs
            with database.transaction(actor=month.actor) as conn:
                post_bills(conn, at=at)
                paying.receive_payments(conn, habits, timezone=zones[month.actor.utility_id], bill_run_id=report.bill_run_id)
            made, runs = made + report.bills_made + report.exceptions, runs + 1
            progress(made)
            if runs in (1, 4):  # what an empty table taught the planner is wrong by now
                _analyze(database, _sql.analyze_first_bills)

        cycle.bill_months(database, months, finished=finished)


def _settle(database: Database, plan: DemoPlan, *, at: datetime, steps: Steps) -> None:
    """Post what the customers paid, the oldest bills first; and, after an interruption, what was not posted or paid."""
    habits = {habit.customer: habit for habit in plan.payment_habits}
    waiting = []
    for utility in plan.utilities:
        with database.transaction(actor=_actor(utility)) as conn:
            if not paying.is_settled(conn):
                waiting.append(utility)
    if not waiting:
        return
    with steps.step("payments"):
        _analyze(database, _sql.analyze_bills)
        _analyze(database, _sql.analyze_ledger)
        for utility in waiting:
            with database.transaction(actor=_actor(utility)) as conn:
                if post_bills(conn, at=at):
                    paying.receive_payments(conn, habits, timezone=utility.timezone)
                post_payments(conn, at=at)
        _analyze(database, _sql.analyze_ledger)


def _analyze(database: Database, statement: LiteralString) -> None:
    """Tell the planner what came; only the owner may."""
    with database.administering(autocommit=True) as conn:
        conn.execute(statement)
