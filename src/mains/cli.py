"""The command line `mains`: the commands of the domains, put together. Each domain's own are in its `cli.py`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

import typer

from mains.base import checks
from mains.base import cli as db
from mains.base.migrate import DOMAINS
from mains.base.terminal import INTERRUPTED, note, run

# The word after `mains` -> where its commands are: a module with `app`, or module:name. Only what is called is imported.
GROUPS = {
    "db": "mains.base.cli",
    "staff": "mains.identity.cli:staff",
    "keys": "mains.identity.cli:keys",
    "link": "mains.identity.cli:link",
    "messages": "mains.messages.cli",
    "network": "mains.network.cli",
    "customers": "mains.customers.cli",
    "meters": "mains.metering.meters_cli",
    "channels": "mains.metering.channels_cli",
    "readings": "mains.metering.cli",
    "vee": "mains.metering.vee.cli",
    "headends": "mains.integrations.headends.cli",
    "rates": "mains.rates.cli",
    "bills": "mains.billing.cli",
    "payments": "mains.payments.cli",
    "outages": "mains.outages.cli",
    "demand": "mains.demand.cli",
    "maintenance": "mains.maintenance.cli",
    "insights": "mains.insights.cli",
    "compliance": "mains.compliance.cli",
    "privacy": "mains.privacy.cli",
    "integrations": "mains.integrations.cli",
    "demo": "mains.demo.cli",
    "serve": "mains.serving",
}


def build(word: str | None = None) -> typer.Typer:
    """The command line with one group, or with all that are there."""
    app = typer.Typer(
        name="mains", help="The operations system of a utility.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(lambda: None)
    for name, place in GROUPS.items() if word not in GROUPS else [(word, GROUPS[word])]:
        module, _, attribute = place.partition(":")
        if _is_there(module):
            _add(app, getattr(import_module(module), attribute or "app"), name=name)
    return app


def _add(app: typer.Typer, part: typer.Typer, *, name: str) -> None:
    """Add a group of commands; a group of one command, without a callback of its own, is that command."""
    only = part.registered_commands[0].callback if len(part.registered_commands) == 1 and not part.registered_groups else None
    if only is not None and part.registered_callback is None:
        app.command(name)(only)
    else:
        app.add_typer(part, name=name)


def domain_checks() -> list[checks.Check]:
    """What the domains add to `mains db check`."""
    modules = [f"mains.{domain}.checks" for domain in DOMAINS if domain != "base"]
    return [check for module in modules if _is_there(module) for check in getattr(import_module(module), "DATABASE_CHECKS", [])]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    db.more_checks = domain_checks
    group = next((word for word in words if not word.startswith("-")), None)
    try:
        if group == "bills":
            import_module("mains.payments.operations").keep_books()
        app = build(group)
    except KeyboardInterrupt:  # while the modules of the group were being read
        note("interrupted")
        return INTERRUPTED
    return run(app, words)


def _is_there(module: str) -> bool:
    """Whether a module exists, without running it."""
    return find_spec(module.rpartition(".")[0]) is not None and find_spec(module) is not None
