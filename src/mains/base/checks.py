"""What `mains db check` looks at: plain functions from a connection to findings.

A domain adds its own as a list `DATABASE_CHECKS` in its `checks.py`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from psycopg import Connection

from mains.base import migrate, programs
from mains.base.sql import Statements

_sql = Statements("mains.base", "checks.sql")
_AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: `holds`, in one sentence, and what to do where it does not."""

    check: str
    holds: bool
    said: str
    cure: str | None = None


Check = Callable[[Connection, datetime], Finding]


def run_checks(conn: Connection, checks: Iterable[Check], *, at: datetime) -> list[Finding]:
    """Every check in turn, at an instant; a check looks and changes nothing."""
    found = [check(conn, at) for check in checks]
    return [replace(finding, cure=None) if finding.holds else finding for finding in found]


def version_is_supported(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001 - all checks are called alike
    """The server's version is one that mains runs on."""
    major = conn.info.server_version // 10000
    return Finding(
        check="version", holds=major in programs.SUPPORTED, said=f"the server is PostgreSQL {major}", cure="use PostgreSQL 15 to 18"
    )


def extensions_are_installed(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001
    """The extensions that the schema needs are in the database."""
    installed = [name for name in migrate.REQUIRED_EXTENSIONS if migrate.has_extension(conn, name)]
    missing = sorted(set(migrate.REQUIRED_EXTENSIONS) - set(installed))
    said = f"missing: {', '.join(missing)}" if missing else f"installed: {', '.join(installed)}"
    return Finding(check="extensions", holds=not missing, said=said, cure="mains db init")


def roles_are_narrow(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001
    """Every role of mains is there and has the rights it should have, no more."""
    taken = ("mains_auditor", "mains_customer", "mains_regulator", "mains_staff")
    names = ["mains_owner", "mains_any", *taken, "mains_app", "mains_ingest"]
    found = {row[0]: row[1:] for row in conn.execute(_sql.roles, {"names": names})}
    wrong = [f"{name} is missing" for name in names if name not in found]
    for name, (is_super, bypasses, logs_in, inherits, makes_roles, makes_databases) in found.items():
        login = name in ("mains_app", "mains_ingest")
        if is_super or makes_roles or makes_databases or bypasses != (name == "mains_ingest") or logs_in != login or inherits == login:
            wrong.append(f"{name} has other attributes than it should")
    members = dict(conn.execute(_sql.memberships).fetchall())
    wrong += [] if members == {"mains_app": list(taken)} else [f"the logins may take on {members}, not what they should"]
    said = "; ".join(wrong) or f"{len(names)} roles, none with more rights than it needs"
    return Finding(
        check="roles",
        holds=not wrong,
        said=said,
        cure="mains db init makes what is missing; take away what is too much with ALTER ROLE or REVOKE",
    )


def schema_is_current(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001
    """What was applied is what the files say, and nothing waits."""
    found = migrate.pending(conn)
    parts = [f"changed since applied: {', '.join(found.changed)}"] if found.changed else []
    parts += [f"not applied: {', '.join(found.waiting)}"] if found.waiting else []
    cure = "rebuild, or put the file back as it was" if found.changed else "mains db migrate"
    return Finding(check="schema", holds=not parts, said="; ".join(parts) or "every file is applied as it stands", cure=cure)


def tenants_are_apart(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001
    """Row-level security is forced on every table of a tenant."""
    open_tables = [name for (name,) in conn.execute(_sql.unguarded_tables, {"schemas": list(migrate.DOMAINS)})]
    said = f"not guarded: {', '.join(open_tables)}" if open_tables else "row-level security is forced on every table with utility_id"
    return Finding(check="tenancy", holds=not open_tables, said=said, cure="SELECT identity.protect('schema.table', …) in a migration")


def partitions_are_closed(conn: Connection, at: datetime) -> Finding:  # noqa: ARG001
    """Nobody was given rights on a partition, which would go round the policies of its parent."""
    opened = [name for (name,) in conn.execute(_sql.open_partitions, {"schemas": list(migrate.DOMAINS)})]
    said = f"rights were granted on {', '.join(opened)}" if opened else "no rights are granted on partitions"
    return Finding(check="partition-rights", holds=not opened, said=said, cure="REVOKE ALL ON them; grant on the parent instead")


def partitions_are_made_ahead(conn: Connection, at: datetime) -> Finding:
    """Tables by month have their partition for the week to come, or a default one that catches rows until it is made."""
    ends: dict[str, datetime | None] = {}
    caught: set[str] = set()
    for table, bound in conn.execute(_sql.partition_bounds, {"schemas": list(migrate.DOMAINS)}):
        upper = re.search(r"TO \('(\d{4}-\d\d-\d\d[^']*)'\)", bound)
        ends.setdefault(table, None)
        if upper:
            end = datetime.fromisoformat(upper[1])
            end = end if end.tzinfo else end.replace(tzinfo=UTC)
            ends[table] = max(ends[table] or end, end)
        elif bound == "DEFAULT":
            caught.add(table)
    short = sorted(table for table, end in ends.items() if table not in caught and (end is None or end < at + _AHEAD))
    waiting = sorted(table for table, end in ends.items() if table in caught and (end is None or end < at + _AHEAD))
    said = f"no place for next week's rows in {', '.join(short)}" if short else f"{len(ends)} tables by time have room"
    said += f" ({', '.join(waiting)} through the default partition)" if waiting else ""
    return Finding(
        check="partitions", holds=not short, said=said, cure="SELECT metering.ensure_partitions(now(), now() + interval '2 months')"
    )


CHECKS: list[Check] = [
    version_is_supported,
    extensions_are_installed,
    roles_are_narrow,
    schema_is_current,
    tenants_are_apart,
    partitions_are_closed,
    partitions_are_made_ahead,
]
