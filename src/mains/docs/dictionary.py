"""The data dictionary: every table, view, column and function of a freshly built database, in the words of its comments."""

from itertools import groupby
from typing import Any

from psycopg import Connection

from mains.base.db import ROLES
from mains.base.migrate import DOMAINS
from mains.base.sql import Statements

FILE = "docs/reference/data-dictionary.md"

_sql = Statements("mains.docs", "dictionary.sql")

_HEAD = """# Data dictionary

Made from the comments of the database by `make docs`. Each domain is a schema; the search path names them all, so a table answers to its plain name. Every table but
`migrations` belongs to utilities: row-level security shows each transaction the rows of its own utility, and to a customer only what is theirs. Instants are `timestamp with
time zone`, periods are half-open, money is exact, quantities carry their unit in their name or comment.
"""


def page(conn: Connection) -> str:
    """The page; `conn` is an administrator's, to a database that was built from the schema files."""
    values = {"schemas": list(DOMAINS), "roles": [f"mains_{role}" for role in ROLES]}
    said = dict(conn.execute(_sql.schemas, values).fetchall())
    relations = conn.execute(_sql.relations, values).fetchall()
    columns = {key: list(rows) for key, rows in groupby(conn.execute(_sql.columns, values).fetchall(), key=lambda row: (row[0], row[1]))}
    functions = conn.execute(_sql.functions, values).fetchall()
    parts = [_HEAD]
    for domain in DOMAINS:
        parts.append(f"## {domain}\n\n{said[domain]}.\n")
        parts += [_relation(row, columns[row[0], row[1]]) for row in relations if row[0] == domain]
        if listed := [row for row in functions if row[0] == domain]:
            parts.append(f"### Functions of {domain}\n")
            parts.append("\n".join(f"* `{name}`: {text}" for _, name, text in listed) + "\n")
    return "\n".join(parts)


def _relation(row: tuple[Any, ...], columns: list[tuple[Any, ...]]) -> str:
    """One table or view: what it is, who reads it, its columns."""
    schema, name, is_view, text, readers = row
    kind = "A view. " if is_view else ""
    read_by = f" Read by: {', '.join(readers)}." if readers else " Read by nobody but the machinery."
    lines = [f"### {schema}.{name}", "", f"{kind}{text}.{read_by}", "", "| column | type | | meaning |", "|---|---|---|---|"]
    for *_, column, kind_of, is_required, is_key, refers_to, meaning in columns:
        marks = ["key"] if is_key else ["required"] if is_required else []
        marks += [f"→ {refers_to}"] if refers_to else []
        lines.append(f"| `{column}` | {kind_of} | {', '.join(marks)} | {_cell(meaning)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text that stays in its cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
