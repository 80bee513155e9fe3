"""`mains bills …`: run a cycle, show, explain and verify bills, see what is held."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mains.base.terminal import DOES_NOT_HOLD, Json, answer, say, table
from mains.billing import operations, queries
from mains.billing.explaining import BillExplanation, explain_bill
from mains.billing.runs import run_cycle
from mains.billing.verifying import Verified, verify_bills
from mains.customers.queries import customer_id_of
from mains.identity.acting import Utility, acting

app = typer.Typer(name="bills", help="Bills: run a cycle, list, explain, verify, cancel; what is held and why.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The number printed on the bill, or its key.", metavar="BILL")]


class Bar:
    """A progress bar on a terminal, on stderr, for what may take longer than two seconds; elsewhere nothing."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task(what, total=None)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int | None = None) -> None:
        """So many are done, of so many."""
        self._progress.update(self._task, completed=done, total=total)


@app.command()
def run(
    period_start: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="First date of the period.")],
    period_end: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Date after the last one.")],
    *,
    cycle: Annotated[str, typer.Option(help="Code of the billing cycle.")] = "monthly",
    hold: Annotated[bool, typer.Option("--calculate-only", help="Leave the bills calculated, not issued.")] = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Bill a cycle for a period; what is billed already stays, what cannot be billed exactly is held."""
    who = acting(utility)
    with Bar("billing", quiet=as_json) as bar:
        report = run_cycle(
            who.database,
            actor=who.actor,
            cycle_code=cycle,
            period=(period_start.date(), period_end.date()),
            at=datetime.now(UTC),
            issue=not hold,
            progress=bar,
        )
    with who.database.transaction(actor=who.actor) as conn:
        operations.post(conn, at=datetime.now(UTC))
    text = (
        f"{report.accounts:,} agreements due: {report.bills_made:,} bills made ({report.total_amount:,} {report.currency}), "
        f"{report.bills_existing:,} there already, {report.exceptions:,} held{' — see mains bills held' if report.exceptions else ''}"
    )
    answer(report, as_json=as_json, text=text)


@app.command("list")
def list_(
    *,
    customer: Annotated[str | None, typer.Option(help="Number or key of the customer.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Bills, by key or of one customer."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = (
            queries.bills_after(conn, limit=limit)
            if customer is None
            else queries.bills_of_customer(conn, customer_id=customer_id_of(conn, customer), limit=limit)
        )
    columns = [
        "bill_number",
        "billing_period_start",
        "billing_period_end",
        "usage_quantity",
        "usage_unit",
        "total_amount",
        "due_date",
        "billing_status",
    ]
    answer([asdict(each) for each in found], as_json=as_json, text=lambda: table((asdict(each) for each in found), columns=columns))


@app.command()
def show(bill: Name, *, utility: Utility = None, as_json: Json = False) -> None:
    """One bill with its lines."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = queries.bill(conn, queries.bill_id_of(conn, bill))
        lines = queries.lines_of_bill(conn, found)

    def tell() -> None:
        say(
            f"bill {found.bill_number}: {found.total_amount} {found.currency} for {found.usage_quantity} {found.usage_unit}, "
            f"{found.billing_period_start} to {found.billing_period_end}, due {found.due_date}"
        )
        table(
            (asdict(line) for line in lines),
            columns=["line_no", "label", "tou_period", "tier", "quantity", "unit", "price", "factor", "amount"],
        )

    answer(asdict(found) | {"lines": [asdict(line) for line in lines]}, as_json=as_json, text=tell)


@app.command()
def explain(bill: Name, *, utility: Utility = None, as_json: Json = False) -> None:
    """Why a bill says what it says: each line's formula, clause, tiers and readings."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = explain_bill(conn, queries.bill_id_of(conn, bill))
    answer(found.as_json(), as_json=as_json, text=lambda: _tell_explained(found))


def _tell_explained(found: BillExplanation) -> None:
    bill = found.bill
    say(
        f"bill {bill.bill_number}: {bill.total_amount} {bill.currency}, {bill.billing_period_start} to {bill.billing_period_end} ({bill.days} days), due {bill.due_date}"
    )
    for segment in found.segments:
        say(
            f"rate {segment.rate_code} version {segment.version_number}, {segment.from_date} to {segment.to_date}, sha256 {segment.document_sha256[:12]}…"
        )
    for each in found.lines:
        clause = f"   [{each.why.clause}]" if each.why.clause else ""
        of = f" (lines {', '.join(map(str, each.base_lines))})" if each.base_lines else ""
        say(f"{each.line.line_no:>3}  {each.why.title}: {each.why.formula}{of}{clause}")
    say(f"     total {bill.total_amount} {bill.currency} = the sum of the lines")
    for channel in found.channels:
        what = f"{channel['interval_s']} s intervals" if channel["interval_s"] else "register reads"
        say(
            f"read from channel {channel['channel_id']}, {what}, {channel['from_at']} to {channel['to_at']}, sha256 {channel['sha256'][:12]}…"
        )
    if found.by_quality:
        say("readings billed: " + ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in found.by_quality.items()))
    if found.used_old_readings:
        say(f"the readings were corrected since; these are as they stood at {found.readings_as_of.isoformat()}")


@app.command()
def verify(
    bills: Annotated[list[str] | None, typer.Argument(help="Bills, by number or key.", metavar="BILL…")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every bill of the utility.")] = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Make bills again from what they were frozen with, and compare every byte; exit code 3 if any differs."""
    if not every and not bills:
        raise typer.BadParameter("name bills, or say --all")
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn, Bar("verifying", quiet=as_json) as bar:
        ids = queries.bill_keys(conn) if every else [queries.bill_id_of(conn, name) for name in bills or []]
        found = verify_bills(conn, ids, progress=lambda done: bar(done, len(ids)))
    answer(found, as_json=as_json, text=lambda: _tell_verified(found))
    if found.different:
        raise typer.Exit(DOES_NOT_HOLD)


def _tell_verified(found: Verified) -> None:
    old = f", {found.from_old_readings:,} of them from readings that were corrected since" if found.from_old_readings else ""
    say(f"{found.bills:,} bills made again: {found.same:,} the same to the byte{old}, {len(found.different):,} different")
    for verdict in found.different[:20]:
        say(f"  {verdict.bill_id}: {verdict.difference}")


@app.command()
def cancel(
    bill: Name, *, reason: Annotated[str, typer.Option(help="Why, for the audit log.")], utility: Utility = None, as_json: Json = False
) -> None:
    """Take a bill back; the next run of its cycle bills the period again."""
    who = acting(utility, reason=reason)
    with who.database.transaction(actor=who.actor) as conn:
        bill_id = queries.bill_id_of(conn, bill)
        operations.cancel_bill(conn, bill_id=bill_id, at=datetime.now(UTC), reason=reason)
    answer({"bill_id": bill_id, "billing_status": "cancelled"}, as_json=as_json, text=f"cancelled {bill}")


@app.command()
def held(*, limit: Annotated[int, typer.Option(min=1, max=1000)] = 50, utility: Utility = None, as_json: Json = False) -> None:
    """Bills held back: which, why, and what cures it."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = queries.open_exceptions(conn, limit=limit)

    def tell() -> None:
        for each in found:
            say(
                f"{each.account_number} {each.billing_period_start} to {each.billing_period_end}: {each.message} ({each.code})\n    what to do: {each.cure}"
            )
        if not found:
            say("nothing is held")

    answer([asdict(each) for each in found], as_json=as_json, text=tell)


@app.command()
def runs(*, limit: Annotated[int, typer.Option(min=1, max=200)] = 20, utility: Utility = None, as_json: Json = False) -> None:
    """Bill runs, the newest period first."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        found = queries.latest_runs(conn, limit=limit)
    columns = [
        "cycle_code",
        "period_start",
        "period_end",
        "run_status",
        "accounts",
        "bills_made",
        "bills_existing",
        "exceptions",
        "total_amount",
    ]
    answer([asdict(each) for each in found], as_json=as_json, text=lambda: table((asdict(each) for each in found), columns=columns))
