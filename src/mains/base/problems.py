"""Errors that name the fact, the thing and the cure, in one shape everywhere: raised, on the wire (RFC 9457) and on the terminal.

A domain defines its errors beside the operation that raises them::

    class UnableToIssueBill(Problem):
        \"\"\"The bill is not in a state that can be issued.\"\"\"

        status = 409

Batch work does not raise for each bad record: it collects `Issue` values and quarantines.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


class Problem(Exception):
    """Something a person can put right: what is the case, with which thing, and what cures it.

    `status` is the HTTP status; the `type` on the wire is `/problems/` and the class name in kebab case, which is a page of the docs.
    """

    status: ClassVar[int] = 400

    def __init__(self, detail: str, *, cure: str | None = None, **facts: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.cure = cure
        self.facts = facts

    @classmethod
    def slug(cls) -> str:
        """The name of this kind of problem on the wire.

        >>> class ReadingOverlaps(Problem): "…"
        >>> ReadingOverlaps.slug()
        'reading-overlaps'
        """
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        """The first sentence of what this kind of problem is."""
        return (cls.__doc__ or cls.__name__).strip().split("\n")[0].rstrip(".")

    def as_json(self) -> dict[str, Any]:
        """The problem object of RFC 9457, with `cure` and the facts as extension members."""
        body: dict[str, Any] = {"type": f"/problems/{self.slug()}", "title": self.title(), "status": self.status, "detail": self.detail}
        if self.cure:
            body["cure"] = self.cure
        return body | {key: value if isinstance(value, int | float | bool | list | dict) else str(value) for key, value in self.facts.items() if value is not None}


class NotFound(Problem):
    """There is no such thing here, or it belongs to somebody else."""

    status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One thing wrong with one place of an input, kept as a value: batch work goes on and reports all of them.

    `code` is a stable kebab-case name, `line` counts from 1 (None where the place has no line), `count` is how many readings or cells it took out (0 for a warning).
    """

    code: str
    message: str
    cure: str
    file: str | None = None
    line: int | None = None
    field: str | None = None
    count: int = 0
    severity: str = "error"

    def as_json(self) -> dict[str, Any]:
        """The issue without its empty members."""
        return {key: value for key, value in asdict(self).items() if value is not None}
