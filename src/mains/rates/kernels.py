"""Readings to sums and maxima by atom, in exact integers: numpy always, numba when it is installed, the same bits from both."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

WORTH_COMPILING = 2**19
"""Readings in one call from which numba is chosen: below, numpy is done before a kernel is loaded."""
BLOCK = 64
"""Accounts reduced at a time by numpy, so that a block stays in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """energy and peaks: int64 (accounts × atoms); `negative`: whether any reading is below zero."""

    energy: np.ndarray
    peaks: np.ndarray
    negative: bool


def reduce_numpy(values: np.ndarray, starts: np.ndarray, atoms: np.ndarray, count: int) -> Reduced:
    """Sums and maxima of each account's readings over contiguous segments, gathered by atom. `values` (accounts × readings), any integer
    or object dtype.
    """
    kind = object if values.dtype == object else np.int64
    energy, peaks = np.zeros((len(values), count), dtype=kind), np.zeros((len(values), count), dtype=kind)
    order = np.argsort(atoms, kind="stable")
    first = np.flatnonzero(np.diff(atoms[order], prepend=-1))
    present = atoms[order][first]
    longest = int(np.diff(np.append(starts, values.shape[1])).max(initial=1))
    negative = False
    for begin in range(0, len(values), BLOCK):
        block = values[begin : begin + BLOCK]
        top = np.maximum.reduceat(block, starts, axis=1)
        negative = negative or bool((np.min(block) if kind is not object else min(map(min, block))) < 0)
        narrow = block.dtype == np.int32 and int(top.max()) * longest < 2**31 and not negative
        sums = (
            np.add.reduceat(block, starts, axis=1) if narrow or kind is object else np.add.reduceat(block, starts, axis=1, dtype=np.int64)
        )
        rows = slice(begin, begin + len(block))
        energy[rows, present] = np.add.reduceat(sums[:, order], first, axis=1, dtype=kind)
        peaks[rows, present] = np.maximum.reduceat(top[:, order], first, axis=1)
    return Reduced(energy=energy, peaks=peaks, negative=negative)


def segment_sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """int64 (accounts × segments), in the order of time."""
    return np.add.reduceat(values, starts, axis=1, dtype=object if values.dtype == object else np.int64)


def window_totals(values: np.ndarray, step: int) -> np.ndarray:
    """int64 (accounts × windows): readings added up `step` at a time."""
    return values.reshape(len(values), -1, step).sum(axis=2, dtype=object if values.dtype == object else np.int64)


@lru_cache(maxsize=1)
def numba_kernel() -> Callable[..., Any] | None:
    """The compiled kernel, or None where numba is not installed."""
    try:
        from numba import njit
    except ImportError:
        return None
    try:
        return njit(cache=True, nogil=True)(_loop)
    except RuntimeError:  # no folder to keep the compiled code in: compile it in each process
        return njit(nogil=True)(_loop)


def _loop(values: np.ndarray, starts: np.ndarray, ends: np.ndarray, atoms: np.ndarray, energy: np.ndarray, peaks: np.ndarray) -> np.int64:
    """Fill energy and peaks (accounts × atoms, zeros at first); answers the bitwise or of all readings, which is negative where one of
    them is.
    """
    signs = np.int64(0)
    for row in range(values.shape[0]):
        for segment in range(starts.shape[0]):
            total, top, bits = np.int64(0), values[row, starts[segment]], values[row, starts[segment]]
            for place in range(starts[segment], ends[segment]):
                value = values[row, place]
                total += value
                top = max(top, value)
                bits |= value
            atom = atoms[segment]
            energy[row, atom] += total
            peaks[row, atom] = max(peaks[row, atom], np.int64(top))
            signs |= np.int64(bits)
    return signs


def reduce_numba(values: np.ndarray, starts: np.ndarray, atoms: np.ndarray, count: int) -> Reduced:
    """As `reduce_numpy`, in one compiled pass; `values` of a signed integer dtype, C-contiguous."""
    kernel = numba_kernel()
    assert kernel is not None
    energy, peaks = np.zeros((len(values), count), dtype=np.int64), np.zeros((len(values), count), dtype=np.int64)
    ends = np.append(starts[1:], values.shape[1])
    signs = kernel(np.ascontiguousarray(values), starts, ends, atoms, energy, peaks)
    return Reduced(energy=energy, peaks=peaks, negative=bool(signs < 0))
