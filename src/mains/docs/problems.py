"""Every kind of problem that mains can answer with, read from its source: for the pages under /problems and for docs/reference/problems.md.

The source is read, not run: no extra need be installed, and a visitor of a page makes nothing load.
"""

import ast
import inspect
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from mains.base.problems import Problem

FILE = "docs/reference/problems.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of problem: its name on the wire, its HTTP status, what it means, and the module that raises it."""

    slug: str
    status: int
    title: str
    text: str
    module: str


@lru_cache(maxsize=1)
def kinds() -> tuple[Kind, ...]:
    """Every kind below `Problem`, by name on the wire."""
    root = Path(str(resources.files("mains")))
    classes = [(file, node) for file in sorted(root.rglob("*.py")) for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)]
    statuses = {"Problem": Problem.status}
    found: dict[str, Kind] = {}
    while new := [(file, node, base) for file, node in classes if (base := _base(node, statuses)) and _module(file, root) + node.name not in found]:
        for file, node, base in new:
            statuses[node.name] = _status(node) or statuses[base]
            text = inspect.cleandoc(ast.get_docstring(node) or "")
            slug = type(node.name, (Problem,), {}).slug()
            found[_module(file, root) + node.name] = Kind(slug=slug, status=statuses[node.name], title=text.split("\n")[0].rstrip("."), text=text, module=_module(file, root))
    return tuple(sorted(found.values(), key=lambda kind: (kind.slug, kind.module)))


def page() -> str:
    """The reference page of all kinds of problems."""
    lines = ["# Problems", "", "Every refusal has one shape (RFC 9457): `type`, `title`, `status`, `detail`, mostly `cure`, and facts of its own. `type` is one of these.", ""]
    for kind in kinds():
        lines += [f"## `/problems/{kind.slug}`", "", f"Status {kind.status}. {kind.text}", "", f"Raised in `{kind.module}`.", ""]
    return "\n".join(lines)


def _base(node: ast.ClassDef, known: dict[str, int]) -> str | None:
    """The kind that a class stands below, by its plain name; None where it is no problem."""
    names = [base.id if isinstance(base, ast.Name) else base.attr for base in node.bases if isinstance(base, ast.Name | ast.Attribute)]
    return next((name for name in names if name in known), None)


def _status(node: ast.ClassDef) -> int | None:
    """The HTTP status that a class says, None where it has its base's."""
    for part in node.body:
        target = part.targets[0] if isinstance(part, ast.Assign) else part.target if isinstance(part, ast.AnnAssign) else None
        value = part.value if isinstance(part, ast.Assign | ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id == "status" and isinstance(value, ast.Constant) and isinstance(value.value, int):
            return value.value
    return None


def _module(file: Path, root: Path) -> str:
    return ".".join(("mains", *file.relative_to(root).with_suffix("").parts))
