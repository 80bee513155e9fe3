"""Adding days of readings to sums slot by slot, exact: compiled where there is much to add, numpy where there is little; the same numbers from both."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mains.metering.model import MISSING

WORTH_COMPILING = 1_000_000
"""Readings in one call from which the compiled kernel is chosen: below, numpy is done before it is loaded."""


def add(values: NDArray[np.int32], cell: NDArray[np.int32], totals: NDArray[np.int64], readings: NDArray[np.int32]) -> None:
    """Add rows of `values` [rows, slots] to the rows `cell` [rows] of `totals` and `readings` [cells, slots]; `MISSING` counts for nothing."""
    (_compiled() if values.size >= WORTH_COMPILING else _add)(values, cell, totals, readings)


def prepare() -> None:
    """Load the compiled kernel now, so that no load waits for it later."""
    none = np.zeros((0, 1), dtype=np.int32)
    _compiled()(none, np.zeros(0, dtype=np.int32), np.zeros((0, 1), dtype=np.int64), none)


def _add(values: NDArray[np.int32], cell: NDArray[np.int32], totals: NDArray[np.int64], readings: NDArray[np.int32]) -> None:
    if not len(cell):
        return
    order = np.argsort(cell, kind="stable")
    sorted_cells = cell[order]
    heads = np.flatnonzero(np.concatenate(([True], np.diff(sorted_cells) != 0)))
    rows = values[order]
    there = rows != MISSING
    totals[sorted_cells[heads]] += np.add.reduceat(np.where(there, rows, 0), heads, axis=0, dtype=np.int64)
    readings[sorted_cells[heads]] += np.add.reduceat(there, heads, axis=0, dtype=np.int32)


def _loop(values: NDArray[np.int32], cell: NDArray[np.int32], totals: NDArray[np.int64], readings: NDArray[np.int32]) -> None:
    rows, slots = values.shape
    for i in range(rows):
        at = cell[i]
        for k in range(slots):
            value = values[i, k]
            there = value != -2147483648
            totals[at, k] += value if there else 0
            readings[at, k] += there


@cache
def _compiled() -> Callable[..., Any]:
    from numba import njit  # here: it takes most of a second to load

    return njit(cache=True, nogil=True)(_loop)
