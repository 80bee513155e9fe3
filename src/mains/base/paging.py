"""Pages by key: a page ends with the key of its last row, and the next begins after it. No offsets, so a page costs the same wherever it is and never skips a row."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

from mains.base.problems import Problem

T = TypeVar("T")
LARGEST_PAGE = 500
"""Most items that one page may have."""



class PlaceNotUnderstood(Problem):
    """The place to go on from is not one that this list gave out."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some items of a list in its order, and the place to go on from: None at the end."""

    items: list[T]
    next: str | None = None


def page_of(rows: Sequence[T], *, limit: int, key: Callable[[T], tuple[object, ...]]) -> Page[T]:
    """The page of at most `limit` items out of rows that were read with one more, so that the end is known.

    >>> page = page_of([1, 2, 3], limit=2, key=lambda row: (row,))
    >>> page.items, place_after(page.next, int)
    ([1, 2], (2,))
    >>> page_of([3], limit=2, key=lambda row: (row,)).next is None
    True
    """
    items = list(rows[:limit])
    return Page(items=items, next=place_of(*key(items[-1])) if len(rows) > limit and items else None)


def place_of(*key: object) -> str:
    """A row's key as text for an address."""
    parts = [part.isoformat() if isinstance(part, date) else str(part) for part in key]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def place_after(text: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The key behind a place, its parts of these kinds; None where the list is read from its beginning.

    Raises:
        PlaceNotUnderstood: the text is not a place of this list.
    """
    if text is None:
        return None
    try:
        key = tuple(_READ[kind](part) for kind, part in zip(kinds, _parts(text), strict=True))
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise PlaceNotUnderstood("`after` is not a place that this list gave out", cure="pass on the `next` of the page before as it is, or leave it out to begin") from error
    return key


def _parts(text: str) -> list[str]:
    """The parts of a key as texts that the database can take; ValueError for anything else."""
    parts = json.loads(base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True))
    if not isinstance(parts, list) or not all(isinstance(part, str) and "\x00" not in part for part in parts):
        raise ValueError("not a list of texts")
    for part in parts:
        part.encode()  # a lone surrogate has no bytes
    return parts


def _bigint(text: str) -> int:
    """An integer that a bigint column can be compared with."""
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError("beyond bigint")
    return number


_READ: dict[type, Callable[[str], Any]] = {str: str, int: _bigint, UUID: UUID, datetime: datetime.fromisoformat, date: date.fromisoformat, Decimal: Decimal}
