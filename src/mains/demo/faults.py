"""What goes wrong with readings, planted after the load is made: communication gaps, estimates, spikes, and power cuts.

The size of each is set so that a fleet of 2,000 shows some of every kind: 0.05 % of meter-days have a gap, nine of ten gaps are filled
with an estimate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mains.demo import stories
from mains.demo.chance import chance
from mains.demo.span import DAYS, SLOTS, SLOTS_A_DAY, Span

MISSING = np.iinfo(np.int32).min
ESTIMATED, QUESTIONABLE, NO_VALUE = 2, 6, 15
"""Quality codes of metering's scale."""
_WEEK = 7 * SLOTS_A_DAY
_GAPS_A_METER_DAY, _DAYS_A_GAP = 0.0005, 1.65


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A stretch of a premise's slots, half-open, and what is wrong there: estimated, missing or spike."""

    kind: str
    from_slot: int
    to_slot: int


def flaws(seed: int, utility: str, number: int, calendar: Span) -> list[Flaw]:
    """What is planted in a premise's electricity: its story, or by chance one gap at 12 premises in 100, or a spike at one in 60."""
    source, story, found = chance(seed, utility, "flaws", number), stories.story_of(utility, number), []
    at = calendar.slot_of_midnight
    if story == "real_gap":
        found.append(Flaw(kind="missing", from_slot=at(stories.REAL_GAP[0]) + 34, to_slot=at(stories.REAL_GAP[1]) + 51))
    if story == "estimated_stretch":
        found.append(Flaw(kind="estimated", from_slot=at(stories.ESTIMATED[0]), to_slot=at(stories.ESTIMATED[1])))
    if story == "spike":
        found.append(Flaw(kind="spike", from_slot=at(stories.SPIKE_DATE) + 57, to_slot=at(stories.SPIKE_DATE) + 58))
    gap_draw, spike_draw = source.random(), source.random()
    if story:
        return found
    if gap_draw < DAYS * _GAPS_A_METER_DAY / _DAYS_A_GAP:
        whole = source.random() < 0.35
        day = source.randrange(8, DAYS - 10)
        start = day * SLOTS_A_DAY + (0 if whole else source.randrange(80))
        length = SLOTS_A_DAY * source.choice((1, 1, 2, 3)) if whole else source.randint(3, 40)
        found.append(Flaw(kind="missing" if source.random() < 0.1 else "estimated", from_slot=start, to_slot=start + length))
    elif spike_draw < 1 / 60:
        slot = source.randrange(_WEEK, SLOTS - _WEEK)
        found.append(Flaw(kind="spike", from_slot=slot, to_slot=slot + 1))
    return found


def apply_flaw(flaw: Flaw, delivered: NDArray[np.int32], received: NDArray[np.int32]) -> int:
    """Changes the values in place as the flaw says and returns the quality code of the stretch.

    An estimate is the mean of the same slots a week before and after; a spike is 14 times the value and at least 3 kWh.
    """
    stretch = slice(flaw.from_slot, flaw.to_slot)
    if flaw.kind == "missing":
        delivered[stretch] = received[stretch] = MISSING
        return NO_VALUE
    if flaw.kind == "spike":
        delivered[stretch] = np.maximum(delivered[stretch].astype(np.int64) * 14, 3000)
        return QUESTIONABLE
    before, after = slice(flaw.from_slot - _WEEK, flaw.to_slot - _WEEK), slice(flaw.from_slot + _WEEK, flaw.to_slot + _WEEK)
    for values in (delivered, received):
        values[stretch] = (values[before].astype(np.int64) + values[after] + 1) // 2
    return ESTIMATED
