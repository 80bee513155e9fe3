"""What a rule's test is given and what it gives: the window with its figures, limits a channel, and columns of what was found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mains.metering.vee.figures import DayFigures
from mains.metering.vee.history import History, Reference
from mains.metering.vee.model import DAY, Window

Limits = Mapping[str, NDArray[Any]]
"""A rule's parameters, one value a channel [n] each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A window, its figures, its mask (`figures.mask_of`), and what the days before give."""

    window: Window
    figures: DayFigures
    mask: NDArray[np.uint8] | None
    history: History
    reference: Reference

    def per_hour(self, energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw steps an interval [n] of a rate in kWh (or m3) an hour."""
        return energy * 1000 * self.window.interval_s / 3600 / self.window.facts.step

    def per_day(self, energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw steps a day [n] of an amount in kWh (or m3) a day."""
        return energy * 1000 / self.window.facts.step


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """Columns of what one rule found, as in `Findings`; `severity` int8 is the place in `SEVERITIES`, -1 for the one the rule has."""

    row: NDArray[Any]
    first: NDArray[Any]
    last: NDArray[Any]
    measured: NDArray[Any]
    limit: NDArray[Any]
    subject: NDArray[Any]
    severity: NDArray[Any]

    def __len__(self) -> int:
        return len(self.row)


def found(row: Any, first: Any, last: Any, *, measured: Any, limit: Any, subject: Any = -1, severity: Any = -1) -> Found:
    """Columns; all but the row may be one value for all."""
    n = len(row)
    return Found(row=np.asarray(row), **{name: np.broadcast_to(np.asarray(value), (n,)) for name, value in
                 {"first": first, "last": last, "measured": measured, "limit": limit, "subject": subject, "severity": severity}.items()})  # fmt: skip


NOTHING = found(np.zeros(0, dtype=np.intp), 0, 0, measured=0.0, limit=0.0)


def of_days(window: Window, chosen: NDArray[np.bool_], *, measured: Any, limit: Any) -> Found:
    """Whole days of bool [n, days]; the figures are [n, days] or broadcast to it."""
    row, day = np.nonzero(chosen)
    if not len(row):
        return NOTHING
    at = np.broadcast_to(measured, chosen.shape)[row, day], np.broadcast_to(limit, chosen.shape)[row, day]
    return found(row, day * window.slots, (day + 1) * window.slots, measured=at[0], limit=at[1])


def of_channels(window: Window, chosen: NDArray[np.bool_], *, measured: Any, limit: Any, severity: Any = -1) -> Found:
    """All due days of the channels of bool [n], from the first to the last; the figures are [n] or one value."""
    row = np.flatnonzero(chosen & window.is_due.any(axis=1))
    if not len(row):
        return NOTHING
    first = window.is_due[row].argmax(axis=1) * window.slots
    last = (window.days - window.is_due[row, ::-1].argmax(axis=1)) * window.slots
    measured, limit, severity = (np.broadcast_to(each, chosen.shape)[row] for each in (measured, limit, severity))
    return found(row, first, last, measured=measured, limit=limit, severity=severity)


def together(parts: list[Found]) -> Found:
    """Several as one."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return NOTHING
    return Found(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in Found.__slots__})


def instants(window: Window) -> NDArray[np.int64]:
    """Start of each day, epoch s [days]."""
    return window.first_day + DAY * np.arange(window.days, dtype=np.int64)
