"""What answers each part of the design that was asked for, and each of its numbered defects. The map itself is data: source_design.csv and source_defects.csv beside this file.

A state is one of: stands (under its name), otherwise (something else stands in its place), refused (with the reason), not yet; for a defect fixed or not yet. Answers are
separated by "; ": a table, view or index as schema.name, a column as schema.table.column, a function as schema.name(), `policy|trigger|constraint table name`, a Python place as
module or module:name, a test as file or file::test.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from itertools import groupby

FILE = "docs/reference/source-design.md"

STATES = {"stands", "otherwise", "refused", "not yet"}
DEFECT_STATES = {"fixed", "not yet"}
_KINDS = {
    "feature": "Features", "table": "Tables", "column": "Columns", "view": "Views", "function": "Functions", "policy": "Policies", "index": "Indexes",
    "trigger": "Triggers", "partition": "Partitions", "extension": "Extensions", "setting": "Settings", "pattern": "Patterns",
    "integration": "External systems", "api": "Interfaces", "kpi": "Key figures",
}  # fmt: skip

_HEAD = """# The source design, answered

Everything that the source design names, and what answers it here. Lines are those of the source design. **Stands** means under that name; **otherwise** means that something
else stands in its place, because what was asked for cannot work as written; **refused** says why; **not yet** means that at most its tables stand. Then its numbered defects.
Tests hold every name on this page to the database and the code.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing the source design names; `lines` as text, `answers` in the notation of this module."""

    kind: str
    name: str
    lines: str
    state: str
    answers: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One numbered defect of the source design."""

    number: int
    lines: str
    defect: str
    state: str
    answers: tuple[str, ...]
    note: str


def entries() -> list[Entry]:
    """The map of things, in the order of the page."""
    return [Entry(**{**row, "answers": _answers(row["answers"])}) for row in _rows("source_design.csv")]


def defects() -> list[Defect]:
    """The map of defects, by number."""
    return [Defect(**{**row, "number": int(row["number"]), "answers": _answers(row["answers"])}) for row in _rows("source_defects.csv")]


def page() -> str:
    """The page."""
    things, faults = entries(), defects()
    parts = [_HEAD, f"Of {len(things)} things: {_counts(entry.state for entry in things)}. Of {len(faults)} defects: {_counts(defect.state for defect in faults)}.\n"]
    for kind, listed in groupby(sorted(things, key=lambda entry: list(_KINDS).index(entry.kind)), key=lambda entry: entry.kind):
        parts.append(f"## {_KINDS[kind]}\n")
        parts.append(_table(("asked for", "lines", "state", "what answers it"), [(_code(kind, e.name), e.lines, e.state, _said(e.answers, e.note)) for e in listed]))
    parts.append("## Defects\n")
    rows = [(str(d.number), d.lines, d.defect, d.state, _said(d.answers, d.note)) for d in faults]
    parts.append(_table(("no.", "lines", "defect", "state", "what stands, where it is shown"), rows))
    return "\n".join(parts)


def _rows(file: str) -> list[dict[str, str]]:
    text = resources.files("mains.docs").joinpath(file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _answers(text: str) -> tuple[str, ...]:
    return tuple(answer.strip() for answer in text.split(";") if answer.strip())


def _counts(states: Iterable[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(Counter(states).items()))


def _code(kind: str, name: str) -> str:
    return name if kind in ("feature", "pattern", "integration", "api", "kpi", "partition", "trigger", "setting") else f"`{name}`"


def _said(answers: tuple[str, ...], note: str) -> str:
    names = ", ".join(f"`{answer}`" for answer in answers)
    return f"{names}: {note}" if names and note else names or note


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]) + "\n"
