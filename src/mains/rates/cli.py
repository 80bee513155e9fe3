"""`mains rates`: try a tariff on a load, and lint a tariff; no database."""

import json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mains.base.problems import Issue, Problem
from mains.rates.loads import price_load, read_load, read_rate

app = typer.Typer(help="Rates: try a tariff on a load, check a tariff.", no_args_is_help=True)

RateFile = Annotated[
    Path,
    typer.Argument(metavar="FILE.json", help="A rate: this program's document, or one of the Utility Rate Database.", show_default=False),
]
LoadFile = Annotated[Path, typer.Argument(metavar="LOAD.csv", help="One column headed kwh, a reading a row.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("price")
def price_command(
    rate: RateFile,
    load: LoadFile,
    *,
    start: Annotated[str, typer.Option(help="Local time of the first reading: the first of a month, 00:00.")],
    timezone: Annotated[str, typer.Option(help="IANA time zone of the readings and the rate; Etc/GMT+8 is UTC-8 without summer time.")],
    interval: Annotated[int | None, typer.Option(help="Minutes of a reading, where the count of rows does not tell.")] = None,
    as_json: AsJson = False,
) -> None:
    """Price a load by a rate, month by month.

    `energy`, `demand`, `fixed` and `minimum` are exact sums of the month, each rounded half-up once, and `total` adds them: that agrees
    with
    calculators that round at the end. `lines` are what a bill prints, every line rounded on its own, and `billed_total` adds those, so
    that a
    reader can add the bill up by hand. The two totals may therefore differ by a cent or two.

    A rate that cannot be priced exactly is refused: exit code 1, no months, and the reasons under `issues`.
    """
    try:
        readings = read_load(load, start=start, timezone=timezone, interval_minutes=interval)
        version, issues = read_rate(rate, timezone=timezone)
        issues += readings.issues
        months = price_load(version, readings) if version else []
    except Problem as problem:
        _fail(problem, as_json=as_json)
    if as_json:
        typer.echo(json.dumps({"months": months, "issues": [issue.as_json() for issue in issues]}, indent=2, ensure_ascii=False))
    else:
        _print_months(months)
        _print_issues(issues)
    raise typer.Exit(0 if version else 1)


@app.command("check")
def check_command(
    rate: RateFile,
    *,
    timezone: Annotated[str, typer.Option(help="IANA time zone, for rates that name none.")] = "Etc/UTC",
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a rate: place, problem, cure. Exit code 1 where it cannot be priced exactly."""
    try:
        version, issues = read_rate(rate, timezone=timezone)
    except Problem as problem:
        _fail(problem, as_json=as_json)
    if as_json:
        typer.echo(
            json.dumps(
                {"can_be_priced": version is not None, "issues": [issue.as_json() for issue in issues]}, indent=2, ensure_ascii=False
            )
        )
    else:
        _print_issues(issues)
        if version:
            Console().print(f"{escape(version.name)}: {len(version.charges)} charges, can be priced exactly")
    raise typer.Exit(0 if version else 1)


def _fail(problem: Problem, *, as_json: bool) -> NoReturn:
    """Print the problem object and end with 1; months stay empty."""
    if as_json:
        typer.echo(json.dumps({"months": [], "issues": [], "problem": problem.as_json()}, indent=2, ensure_ascii=False))
    else:
        console = Console(stderr=True)
        console.print(f"[bold red]{escape(problem.title())}[/]: {escape(problem.detail)}")
        if problem.cure:
            console.print(f"  cure: {escape(problem.cure)}")
    raise typer.Exit(1)


def _print_months(months: list[dict[str, Any]]) -> None:
    if not months:
        return
    shown = [key for key in ("month", "kwh", "energy", "demand", "fixed", "minimum", "taxes", "total", "billed_total") if key in months[0]]
    table = Table(box=None, header_style="bold")
    for key in shown:
        table.add_column(key.replace("_", " "), justify="left" if key == "month" else "right")
    for month in months:
        table.add_row(*(str(month.get(key, "")) for key in shown))
    Console().print(table)


def _print_issues(issues: list[Issue]) -> None:
    console = Console(stderr=True)
    for issue in issues:
        colour = "red" if issue.severity == "error" else "yellow"
        place = f"{issue.field}: " if issue.field else ""
        console.print(f"[{colour}]{issue.severity}[/] {escape(place + issue.message)} [dim]({escape(issue.cure)})[/]")
