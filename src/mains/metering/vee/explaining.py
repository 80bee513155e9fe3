"""Findings in words: what was measured, what the limit is, in the units that people use."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mains.metering.vee.model import CommodityCode, EventFlag, Finding, Window
from mains.metering.vee.rules import BY_NUMBER


def in_words(finding: Finding, window: Window) -> str:
    """One sentence with the numbers, such as "peak of 1.2 kWh is 3.4 × over the third highest of 30 days, limit 1.8 ×"; amounts in kWh or m³, times of the local clock."""
    return _SENTENCES[finding.rule](finding, window)


def rule_name(finding: Finding) -> str:
    """The name that rule tables and exceptions use."""
    return BY_NUMBER[finding.rule].name


def _amount(window: Window, row: int, raw: float) -> str:
    unit = "kWh" if window.facts.commodity[row] == CommodityCode.ELECTRIC else "m³"
    return f"{raw * float(window.facts.step[row]) / 1000:,.4g} {unit}"


def _when(window: Window, place: int) -> str:
    """An instant on the local clock where the window knows it, else on the standard one; on a day the clock changes, as it was at that midnight."""
    shift = 0 if window.local_shift_min is None else int(window.local_shift_min[min(place // window.slots, len(window.local_shift_min) - 1)])
    at = datetime.fromtimestamp(window.starts_at(place), tz=UTC) + timedelta(minutes=window.utc_offset_min + shift)
    return f"{at:%Y-%m-%d %H:%M}"


def _duration(seconds: float) -> str:
    if seconds >= 172_800:
        return f"{seconds / 86_400:,.3g} days"
    return f"{seconds / 3600:,.3g} h" if seconds >= 7200 else f"{seconds / 60:,.3g} min"


def _lasting(finding: Finding, window: Window) -> str:
    return _duration((finding.last - finding.first) * window.interval_s)


def _peak(finding: Finding, window: Window) -> str:
    values = window.values[finding.row].reshape(-1)[finding.first : finding.last]
    return _amount(window, finding.row, float(values.max()))


def _gap(finding: Finding, window: Window) -> str:
    begins, counts = window.local_days()
    day = int((begins <= finding.first).sum()) - 1
    missing = int(finding.measured)
    return f"{missing} interval{'s' if missing != 1 else ''} missing from {_when(window, finding.first)}; the local day has {int(counts[day])}"


def _multiplier(finding: Finding, window: Window) -> str:
    del window
    if finding.measured != finding.measured:  # not told
        return "the unit delivered is not the channel's"
    return f"multiplier {finding.measured:g} delivered, the channel has {finding.limit:g}"


def _decrease(finding: Finding, window: Window) -> str:
    if finding.limit > 0:
        return f"the register counted {_amount(window, finding.row, finding.measured)}, more than its digits hold ({_amount(window, finding.row, finding.limit)})"
    return f"the register ran back by {_amount(window, finding.row, abs(finding.measured))} and no rollover explains it"


def _stale(finding: Finding, window: Window) -> str:
    del window
    if finding.measured < 0:
        return f"ends {_duration(-finding.measured)} in the future, {_duration(-finding.limit)} allowed"
    return f"{_duration(finding.measured)} old, {_duration(finding.limit)} allowed"


def _estimation(finding: Finding, window: Window) -> str:
    del window
    return f"estimated for {finding.measured:g} days or bills in a row, limit {finding.limit:g}"


def _scale(finding: Finding, window: Window) -> str:
    side = "over" if finding.measured > 1 else "under"
    return f"use of the day is {finding.measured:.3g} × the usual, its peak and base with it; {side} the limit of {finding.limit:.3g} × (from {_when(window, finding.first)})"


def _swapped(finding: Finding, window: Window) -> str:
    if finding.subject < 0:
        return f"from {_when(window, finding.first)} on the channel is another (distance {finding.measured:.3g}, limit {finding.limit:.3g}), and fits none that changed with it"
    other = int(window.channel_ids[finding.subject])
    return f"from {_when(window, finding.first)} on it reads like channel {other} did before, and that one like this (score {finding.measured:.2f}, limit {finding.limit:.2f})"


def _shift(finding: Finding, window: Window) -> str:
    way = "late" if finding.measured > 0 else "early"
    return f"from {_when(window, finding.first)} on the shape of the day comes {abs(finding.measured):g} min too {way}"


def _flags(finding: Finding, window: Window) -> str:
    names = [str(each.name).lower().replace("_", " ") for each in EventFlag if int(finding.measured) & each]
    return f"the meter flags {', '.join(names)} at {_when(window, finding.first)}"


def _high_low(finding: Finding, window: Window) -> str:
    del window
    return f"average daily use is {abs(finding.measured):.0%} {'lower' if finding.measured < 0 else 'higher'} than in the period before and a year ago, limit {finding.limit:.0%}"


_SENTENCES: dict[int, Callable[[Finding, Window], str]] = {
    1: lambda f, _: f"the clock is off by {_duration(f.measured)}, {_duration(f.limit)} allowed",
    2: lambda _f, _w: "the device that delivered is not the one installed",
    3: lambda f, _: f"intervals of {f.measured:g} s delivered, the channel has {f.limit:g} s",
    4: _multiplier,
    5: _gap,
    6: lambda f, w: f"{_lasting(f, w)} from {_when(w, f.first)} repeat, value for value, what was measured {_duration(f.subject * w.interval_s)} before",
    7: lambda f, w: f"intervals and register differ by {_amount(w, f.row, f.measured)}, {_amount(w, f.row, f.limit)} allowed",
    8: lambda f, w: f"time-of-use registers and total differ by {_amount(w, f.row, f.measured)}, {_amount(w, f.row, f.limit)} allowed",
    9: lambda f, w: f"peak of {_peak(f, w)} is {f.measured:.3g} × over the third highest of its cycle, limit {f.limit:.3g} ×",
    10: lambda f, w: f"{_peak(f, w)} in {_duration(w.interval_s)} is {f.measured:.0%} of what the connection lets through, limit {f.limit:.0%}",
    11: lambda f, w: f"change of {f.measured:.3g} × the cycle's third highest peak at {_when(w, f.first)}, limit {f.limit:.3g} ×",
    12: _high_low,
    13: lambda f, w: f"peak of {_peak(f, w)} is {f.measured:.0%} of the highest of the period before, limit {f.limit:.0%}",
    14: lambda f, _: f"nothing used for {_duration(f.measured * 3600)}, limit {_duration(f.limit * 3600)}",
    15: lambda f, w: f"the same value, {_peak(f, w)}, {f.measured:g} times from {_when(w, f.first)}, limit {f.limit:g}",
    16: lambda f, w: f"{_amount(w, f.row, f.measured)} at {_when(w, f.first)} on a channel that cannot be negative",
    17: _decrease,
    18: lambda f, w: f"power factor {f.measured:.2f} for {_lasting(f, w)}, limit {f.limit:.2f}",
    19: lambda f, w: f"{_amount(w, f.row, f.measured)} used on {_when(w, f.first)[:10]} where there is no service, {_amount(w, f.row, f.limit)} allowed",
    20: _flags,
    21: _estimation,
    22: lambda f, w: f"the utility's formula holds: {_amount(w, f.row, f.measured)} that day, mean {_amount(w, f.row, f.limit)}",
    23: lambda f, _: f"{f.measured:g} of the device's {f.limit:g} channels delivered",
    24: lambda f, _: f"the meters of its group and the group's meter differ by {f.measured:.1%}, limit {f.limit:.1%}",
    25: _stale,
    26: _scale,
    27: _shift,
    28: _swapped,
}
