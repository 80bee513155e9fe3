"""What is found now beside what is on the work list already: what is new, what reaches further, what no longer holds, and what somebody has decided. Pure; no database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

UNSETTLED = ("open", "re_read")
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One finding of a rule: readings of a channel in [from_s, to_s), epoch seconds; `number` is its place among the findings of the run."""

    number: int
    channel_id: int
    rule_number: int
    rule_name: str
    from_s: int
    to_s: int
    severity: str
    measured: float | None
    limit: float | None
    finding: str
    is_marked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An exception that is on record: open, asked again, or decided."""

    vee_exception_id: int
    channel_id: int
    from_s: int
    to_s: int
    rule_number: int
    severity: str
    measured: float | None
    is_marked: bool
    exception_status: str
    finding: str


@dataclass(slots=True, kw_only=True)
class Reconciled:
    """What is to be done: `opened` and `extended` (with the exception's key) go on the list, `resolved` come off it; `upheld` are the numbers of findings that count."""

    opened: list[Found] = field(default_factory=list)
    extended: list[tuple[int, Found]] = field(default_factory=list)
    resolved: list[Standing] = field(default_factory=list)
    upheld: set[int] = field(default_factory=set)


def reconcile(found: Sequence[Found], standing: Sequence[Standing], *, is_judged: Callable[[Standing], bool]) -> Reconciled:
    """Hold findings against the work list; `is_judged` says whether an exception's last readings were judged now, so that not finding it again means that it is gone.

    A finding that touches an unsettled exception of its rule is the same one, best of all where their stretches are the same. A finding that lies within a decided one with
    the same figure was decided; within an edit it was decided whatever its figure is.
    """
    made = Reconciled()
    by_rule: dict[tuple[int, int], list[Standing]] = {}
    for each in standing:
        by_rule.setdefault((each.channel_id, each.rule_number), []).append(each)
    merged: dict[int, Found] = {}
    for one in found:
        there = by_rule.get((one.channel_id, one.rule_number), [])
        if any(_was_decided(one, each) for each in there):
            continue
        made.upheld.add(one.number)
        touching = [each for each in there if each.exception_status in UNSETTLED and each.from_s <= one.to_s and one.from_s <= each.to_s]
        same = next((each for each in touching if (each.from_s, each.to_s) == (one.from_s, one.to_s)), touching[0] if touching else None)
        if same is None:
            made.opened.append(one)
        else:
            merged[same.vee_exception_id] = _together(merged.get(same.vee_exception_id), one, same, keeps_edges=not is_judged(same))
    for each in standing:
        if each.exception_status not in UNSETTLED:
            continue
        again = merged.get(each.vee_exception_id)
        if again is None and is_judged(each):
            made.resolved.append(each)
        elif again is not None and _differs(again, each, is_whole=is_judged(each)):
            made.extended.append((each.vee_exception_id, again))
    return made


def _was_decided(one: Found, each: Standing) -> bool:
    if each.exception_status in UNSETTLED or each.from_s > one.from_s or each.to_s < one.to_s:
        return False
    return each.exception_status == "edited" or _alike(one.measured, each.measured)


def _together(before: Found | None, one: Found, same: Standing, *, keeps_edges: bool) -> Found:
    """One finding of those that touch an exception; where it was not judged whole, it keeps the stretch it had."""
    first, last = min(one.from_s, same.from_s), max(one.to_s, same.to_s) if keeps_edges else one.to_s
    if before is None:
        return replace(one, from_s=first, to_s=last)
    worse = before if (before.severity == "failure") >= (one.severity == "failure") else one
    return replace(worse, from_s=min(first, before.from_s), to_s=max(last, before.to_s), is_marked=before.is_marked or one.is_marked)


def _differs(again: Found, each: Standing, *, is_whole: bool) -> bool:
    """Whether an exception is another one now; of one that was judged in part, only where it grew or became worse."""
    if not is_whole:
        return (again.from_s, again.to_s, again.severity, again.is_marked) != (each.from_s, each.to_s, each.severity, each.is_marked)
    return (again.from_s, again.to_s, again.severity, again.is_marked) != (each.from_s, each.to_s, each.severity, each.is_marked) or not _alike(again.measured, each.measured)


def _alike(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _CLOSE * max(abs(one), abs(other), 1.0)
