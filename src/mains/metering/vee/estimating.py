"""Filling gaps: the ladder of estimation, from the check meter to the flat average, always scaled to what the register says. Pure; integers in, integers out."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mains.metering.vee.model import Window


class Method(IntEnum):
    """How an interval was filled; `aemo` gives the method type of NEM12, of which AEMO has no more than these."""

    NONE = 0
    CHECK_METER = 1
    LINEAR = 2
    LIKE_DAYS = 3
    CLASS_PROFILE = 4
    FLAT = 5
    OUTAGE_ZERO = 6
    ALTERNATE = 7

    @property
    def aemo(self) -> int:
        """AEMO's method type, 11 to 19."""
        return {0: 0, 1: 11, 2: 17, 3: 15, 4: 12, 5: 12, 6: 19, 7: 18}[self]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Filled readings, all of the window's shape [n, days, slots]: `values` int32 (the window's own outside the gaps, `MISSING` where nothing could be said), `method` uint8
    `Method` (0 outside the gaps), `quality` uint8 as stored, `Quality.ESTIMATED` or `SUBSTITUTED` in the gaps; `scaled` bool: the stretch was fitted to the register."""

    values: NDArray[np.int32]
    method: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    scaled: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ladder:
    """What the ladder may use: `linear_s`, the longest gap for a straight line, s; `reference_days`, like days averaged; `reach_days`, how far back and ahead they may lie;
    `class_profiles` float64 [classes, 3, slots] or None: the share of a day in each interval on working days, Saturdays, Sundays and holidays, each summing to 1;
    `is_alternate`: the check rows are alternate channels, not check meters."""

    linear_s: int = 7200
    reference_days: int = 3
    reach_days: int = 28
    class_profiles: NDArray[np.float64] | None = None
    is_alternate: bool = False


def estimate(window: Window, gaps: NDArray[np.bool_], ladder: Ladder | None = None) -> Estimates:
    """Fill the intervals of `gaps` bool [n, days, slots]; nothing else changes, and final substitutes are never estimated again.

    Where a stretch between two actual register reads holds gaps, they sum up with the rest to what the register says, exactly, to the unit; where the rest alone is more than the
    register says, the gaps are 0. Channels that are not net never get a negative value.
    """
    raise NotImplementedError
