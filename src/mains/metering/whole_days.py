"""Whole days of many channels as columns, so that a file of one day of twenty thousand meters costs what its readings cost. Pure; no database."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mains.metering.blocks import DAY
from mains.metering.model import ParsedBlocks, ParsedChannel

FEWEST = 50
"""Channels of a part from which they are taken together: the reasons for fewer are told meter by meter."""


def together(channels: Sequence[ParsedChannel]) -> tuple[list[ParsedBlocks], list[ParsedChannel]]:
    """Channels that are alike and have whole standard-time days, as blocks; and the others."""
    if len(channels) < FEWEST:
        return [], list(channels)
    alike: dict[tuple, list[ParsedChannel]] = {}
    others: list[ParsedChannel] = []
    seen = set()
    for each in channels:
        kind = (each.commodity, each.flow, each.unit, each.pow10, each.interval_s, each.utc_offset_min)
        is_first = (kind, each.key) not in seen
        seen.add((kind, each.key))
        slots, rest = divmod(DAY, each.interval_s)
        (alike.setdefault(kind, []) if is_first and not rest and len(each.starts) and not len(each.starts) % slots else others).append(each)
    blocks = []
    for group in alike.values():
        found, left = _blocks(group) if len(group) >= FEWEST else (None, group)
        others += left
        blocks += [found] if found else []
    return blocks, others


def _blocks(group: list[ParsedChannel]) -> tuple[ParsedBlocks | None, list[ParsedChannel]]:
    """Alike channels with whole numbers of days as blocks, and those whose readings do not fill the days."""
    first = group[0]
    slots = DAY // first.interval_s
    starts = _rows([each.starts for each in group], slots)
    which = np.repeat(np.arange(len(group)), [len(each.starts) // slots for each in group])
    is_whole = (starts == starts[:, :1] + first.interval_s * np.arange(slots, dtype=np.int64)).all(axis=1) & ((starts[:, 0] + first.utc_offset_min * 60) % DAY == 0)
    if not is_whole.all():
        is_left = np.zeros(len(group), dtype=bool)
        is_left[which[~is_whole]] = True
        kept = [each for each, left in zip(group, is_left.tolist(), strict=True) if not left]
        return (_blocks(kept)[0] if kept else None), [each for each, left in zip(group, is_left.tolist(), strict=True) if left]
    quality = _rows([each.quality for each in group], slots)
    return ParsedBlocks(
        commodity=first.commodity,
        flow=first.flow,
        unit=first.unit,
        pow10=first.pow10,
        interval_s=first.interval_s,
        utc_offset_min=first.utc_offset_min,
        meters=[each.key.meter for each in group],
        registers=[each.key.register for each in group],
        which=which.astype(np.int32),
        block_start=starts[:, 0].copy(),
        values=_rows([each.values for each in group], slots).astype(np.int32),
        quality=quality[:, 0].copy() if (quality == quality[:, :1]).all() else quality,
        lines=_rows([each.lines for each in group], slots)[:, 0].copy(),
    ), []


def _rows(columns: "list[NDArray[Any]]", slots: int) -> "NDArray[Any]":
    """Columns strung together, a row a day."""
    return np.concatenate(columns).reshape(-1, slots)
