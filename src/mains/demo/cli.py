"""`mains demo`: a utility to look at, in one command."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated

import typer

from mains.base.db import Database
from mains.base.migrate import init_database
from mains.base.place import Place
from mains.base.terminal import Json, answer, say
from mains.demo import building
from mains.demo.generate import DEFAULT_SEED
from mains.demo.loading import Chosen, planned
from mains.demo.steps import Steps
from mains.demo.summary import REASONS, Summary, summarise
from mains.settings import settings

app = typer.Typer(name="demo", help="Build the demo utility, bill it, and show it.")


@app.callback(invoke_without_command=True)
def demo(
    *,
    customers: Annotated[int, typer.Option(min=1, max=200_000, help="How many customers the utility has.")] = 2000,
    seed: Annotated[int, typer.Option(help="The number that everything is made from.")] = DEFAULT_SEED,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the pages when it is built; with --json nothing is served.")] = True,
    host: Annotated[str | None, typer.Option(help="Address to listen on; the default is this machine only.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = None,
    as_json: Json = False,
) -> None:
    """Build the demo utility and serve it; what is there already is found and left."""
    chosen = Chosen(customers=customers, seed=seed)
    began = time.monotonic()
    with Steps(is_quiet=as_json) as steps:
        with steps.step("database"), ThreadPoolExecutor(1) as beside:
            planning = beside.submit(building.warm, chosen)
            urls = Place.from_environment().urls()
            init_database(urls)
            planning.result()
        database = Database(app_url=urls.app, admin_url=urls.admin, ingest_url=urls.ingest)
        building.build(database, chosen=chosen, at=datetime.now(UTC), steps=steps)
    found = summarise(database, planned(chosen), steps=steps.taken, seconds=time.monotonic() - began, at=datetime.now(UTC))
    wanted = settings()
    address = f"http://{host or wanted.host}:{wanted.port if port is None else port}"
    answer(found, as_json=as_json, text=lambda: tell(found, address=address, is_served=serve))
    if serve and not as_json:
        from mains.serving import serve as serve_pages

        serve_pages(host=host, port=port, as_json=False)


def _took(found: Summary) -> str:
    """The seconds it took, and what took most of them; steps overlap."""
    slow = sorted((step for step in found.steps if step.seconds >= 1), key=lambda step: -step.seconds)[:4]
    return f"{found.seconds:.1f} s" + (f", steps side by side: {', '.join(f'{step.name} {step.seconds:.1f}' for step in slow)}" if slow else "")


def tell(found: Summary, *, address: str, is_served: bool) -> None:
    """The summary as a person reads it."""
    held = sum(found.held.values())
    reasons = ", ".join(f"{count} {REASONS.get(code, code)}" for code, count in found.held.items())
    rows = [
        ("customers", f"{found.customers:,} with {found.accounts:,} services"),
        ("readings", f"{found.interval_readings:,} quarter hours and {found.register_reads:,} dial reads"),
        ("on disk", f"{found.bytes_a_quarter_hour:.2f} bytes a quarter hour with its indexes, {found.bytes_a_reading:.2f} a reading with the dials"),
        ("bills", f"{found.bills:,} for ${found.billed:,.2f}, 13 months"),
        ("held", f"{held:,} bills: {reasons}" if held else "no bill"),
        ("owed", f"${found.owed:,.2f}, of it ${found.overdue:,.2f} overdue"),
        ("kept apart", f"{found.neighbour_name}, {found.neighbour_customers} customers"),
        ("took", _took(found)),
    ]
    say("")
    say(f"  {found.utility_name}")
    say("")
    for name, value in rows:
        say(f"  {name:<11} {value}")
    say("")
    for page in found.pages:
        say(f"  {page.what:<30} {address}{page.path}")
    say("")
    if is_served:
        say(f"  sign in, once:  {address}{found.sign_in}")
    else:
        say(f"  sign in, once, after mains serve:  {address}{found.sign_in}")
    say("")
