"""The bill cycle of the demo: thirteen months, billed by processes beside each other, since months do not wait for each other."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from multiprocessing import get_context
from zoneinfo import ZoneInfo

from mains.base.db import Actor, Database
from mains.base.sql import Statements
from mains.billing.operations import make_cycle
from mains.billing.runs import RunReport, run_cycle
from mains.demo.model import Utility
from mains.demo.span import local_months

_queries = Statements("mains.demo", "queries.sql")

CYCLE = "monthly"
DUE_DAYS = 21
_RUN_AFTER, _RUN_AT = timedelta(days=3), time(9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A run to make: a utility's actor, local dates [from, to), and when it runs."""

    actor: Actor
    period: tuple[date, date]
    at: datetime


def months_to_bill(database: Database, *, actor: Actor, utility: Utility) -> list[Month]:
    """The months that have no finished run yet; makes the cycle if need be."""
    with database.transaction(actor=actor) as conn:
        make_cycle(conn, cycle_code=CYCLE, description="Every service, by calendar month", due_days=DUE_DAYS)
        done = {row[0] for row in conn.execute(_queries.finished_runs, {"cycle_code": CYCLE})}
    zone = ZoneInfo(utility.timezone)
    return [
        Month(actor=actor, period=month, at=datetime.combine(month[1] + _RUN_AFTER, _RUN_AT, zone)) for month in local_months() if month[0] not in done
    ]


def bill_month(database: Database, month: Month) -> RunReport:
    """Run the cycle for one month."""
    return run_cycle(database, actor=month.actor, cycle_code=CYCLE, period=month.period, at=month.at)


def bill_months(
    database: Database, months: list[Month], *, finished: Callable[[Month, RunReport], None], processes: int = 2
) -> None:
    """Run the cycle for months beside each other; `finished` is called for each, one at a time, while others still run."""
    if len(months) < 3:
        for month in months:
            finished(month, bill_month(database, month))
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(bill_month, database, month): month for month in months}
        try:
            for future in as_completed(running):
                finished(running[future], future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
