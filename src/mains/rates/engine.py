"""What was used: readings reduced to the determinants of a plan, for many accounts at once and exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mains.base.problems import Problem
from mains.rates.compile import UnableToPriceRate
from mains.rates.kernels import WORTH_COMPILING, numba_kernel, reduce_numba, reduce_numpy, segment_sums, window_totals
from mains.rates.plan import DemandPart, EnergyPart, Plan, Register

Kernel = Literal["auto", "numpy", "numba"]


class UnableToReduceReadings(Problem):
    """The readings do not fit the plan."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Determinants:
    """What a plan's charges are taken of: integers of the base quantity (10^-quantity_decimals units), one row an account.

    `energy` (accounts × atoms); `peaks`: by window length in seconds, the highest total of a window (accounts × atoms), in base units a
    window;
    `segments`: energy in the order of time (accounts × segments), kept only for chronological tiers; `meters`: meters of each account.
    """

    energy: np.ndarray
    peaks: dict[int, np.ndarray] = field(default_factory=dict)
    segments: np.ndarray | None = None
    meters: np.ndarray

    def __len__(self) -> int:
        return len(self.energy)

    def row(self, number: int) -> "Determinants":
        """One account's determinants, as a table of one row."""
        one = slice(number, number + 1)
        return Determinants(
            energy=self.energy[one],
            peaks={window: peaks[one] for window, peaks in self.peaks.items()},
            segments=None if self.segments is None else self.segments[one],
            meters=self.meters[one],
        )


def determinants(
    plan: Plan, values: np.ndarray, *, meters: Sequence[int] | np.ndarray | None = None, kernel: Kernel = "auto"
) -> Determinants:
    """Reduce readings (accounts × plan.intervals, integers of the base quantity, interval start order) to determinants.

    `kernel` "auto" takes numba where it is installed and the batch is large; both give the same bits. `meters` (default one each) is for charges per meter.

    Raises:
        UnableToReduceReadings: the shape is wrong, a reading is negative (so is the mark of a missing one), or values are not integers.
    """
    if values.ndim != 2 or values.shape[1] != plan.intervals:
        raise UnableToReduceReadings(
            f"readings of shape {values.shape}; the period needs {plan.intervals} an account",
            cure="give every reading of the whole billing period, in order",
        )
    if values.dtype != object and not np.issubdtype(values.dtype, np.signedinteger):
        raise UnableToReduceReadings(
            f"readings are {values.dtype}, not signed integers", cure="scale them to integers of the base quantity"
        )
    if values.dtype != object and values.size and values.dtype.itemsize == 8 and int(values.max()) > 2**62 // max(plan.intervals, 1):
        values = values.astype(object)  # the sum might leave 64 bits: Python's integers do not
    is_worth_it = values.dtype != object and values.size >= WORTH_COMPILING
    use_numba = kernel == "numba" or (kernel == "auto" and is_worth_it and numba_kernel() is not None)
    if kernel == "numba" and (values.dtype == object or numba_kernel() is None):
        raise UnableToReduceReadings("numba is not installed, or the readings exceed 64 bits", cure='use kernel="auto"')
    reduce = reduce_numba if use_numba else reduce_numpy
    found = reduce(values, plan.starts, plan.atoms, plan.atom_count)
    if found.negative:
        row = int(np.argmax((values < 0).any(axis=1)))
        place = int(np.argmax(values[row] < 0))
        raise UnableToReduceReadings(
            f"reading {place} of account {row} is {values[row, place]}: negative or missing",
            cure="estimate missing readings, and price exports by a rate that has them",
            row=row,
        )
    peaks = {
        window.seconds: found.peaks
        if window.step == 1
        else reduce(window_totals(values, window.step), window.starts, window.atoms, plan.atom_count).peaks
        for window in plan.windows
    }
    return Determinants(
        energy=found.energy,
        peaks=peaks,
        segments=segment_sums(values, plan.starts) if plan.needs_segments else None,
        meters=_meters(meters, len(values)),
    )


def register_determinants(
    plan: Plan, quantities: Sequence[int] | np.ndarray, *, meters: Sequence[int] | np.ndarray | None = None
) -> Determinants:
    """Determinants from one total an account for the whole period, as gas and water meters give it; the plan has interval_s None.

    Where seasons or versions change inside the period, use is shared by days: up to day d of D it is quantity × d / D, half-up, so that
    parts always add up.

    Raises:
        UnableToPriceRate: the plan was made for intervals, so its periods or demand cannot be told from a total.
        UnableToReduceReadings: a quantity is negative.
    """
    if plan.interval_s != 86_400 or plan.windows:
        raise UnableToPriceRate("a register read cannot tell the periods of a schedule or a demand", cure="price it from interval readings")
    totals = np.array([int(quantity) for quantity in quantities], dtype=object)
    if any(total < 0 for total in totals):
        raise UnableToReduceReadings("a quantity is negative", cure="check the reads: a register only counts up, but for a rollover")
    days = len(plan.days)
    marks = [int(mark) for mark in (*plan.starts, days)]
    upto = np.stack([(2 * totals * mark + days) // (2 * days) for mark in marks], axis=1)
    segments = np.diff(upto, axis=1)
    energy = np.zeros((len(totals), plan.atom_count), dtype=object)
    for number, atom in enumerate(plan.atoms):
        energy[:, atom] += segments[:, number]
    if max(totals, default=0) < 2**62:
        energy, segments = energy.astype(np.int64), segments.astype(np.int64)
    return Determinants(energy=energy, segments=segments if plan.needs_segments else None, meters=_meters(meters, len(totals)))


def _meters(meters: Sequence[int] | np.ndarray | None, accounts: int) -> np.ndarray:
    return np.ones(accounts, dtype=np.int64) if meters is None else np.asarray(meters, dtype=np.int64)


def total_energy(plan: Plan, used: Determinants) -> np.ndarray:
    """Base quantity of each account in the segment that the plan prices."""
    return used.energy[:, list(plan.inside)].sum(axis=1)


def by_period(register: Register, used: Determinants) -> dict[str, np.ndarray]:
    """Base quantity of each account by the periods of a charge's register."""
    return {period: used.energy[:, list(atoms)].sum(axis=1) for period, atoms in zip(register.periods, register.atoms, strict=True)}


def peaks_by_period(part: DemandPart, used: Determinants) -> dict[str, np.ndarray]:
    """The highest window of each account by period, in base units a window; × 3600 / window_s it is power."""
    peaks = used.peaks[part.window_s]
    return {period: peaks[:, list(atoms)].max(axis=1) for period, atoms in zip(part.register.periods, part.register.atoms, strict=True)}


def chronological_cells(
    part: EnergyPart, pool_periods: tuple[int, ...], bounds: Sequence[int], segments: np.ndarray
) -> list[list[np.ndarray]]:
    """Tiers × periods of a pool filled in the order of use: each an array over accounts, base quantity; `bounds` cumulative base
    integers.
    """
    assert part.segment_period is not None
    member = np.isin(part.segment_period, pool_periods)
    used = np.where(member, segments, 0)
    after = np.cumsum(used, axis=1, dtype=used.dtype)
    before = after - used
    cells, lower = [], 0
    for upper in (*bounds, None):
        top, base = (after, before) if upper is None else (np.minimum(after, upper), np.minimum(before, upper))
        inside = np.maximum(top, lower) - np.maximum(base, lower)
        cells.append([inside[:, part.segment_period == period].sum(axis=1) for period in pool_periods])
        lower = upper if upper is not None else lower
    return cells
