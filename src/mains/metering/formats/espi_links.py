"""Who belongs to whom in a Green Button feed: usage points, meter readings, reading types and blocks, joined by their Atom links."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Protocol, cast
from urllib.parse import unquote

from mains.base.units import UNITS
from mains.metering.formats.assemble import Stream
from mains.metering.model import ChannelKey, Commodity, Flow

UNIT_OF = {unit.espi: unit.name for unit in reversed(UNITS.values())}
"""ESPI uom code: the first unit of that code in base.units, which is the one without a prefix."""

_COMMODITIES: dict[int, Commodity] = {1: "electric", 2: "electric", 7: "gas", 9: "water"}
_SERVICES: dict[int, Commodity] = {0: "electric", 1: "gas", 2: "water"}
_FLOWS: dict[int, Flow] = {0: "delivered", 1: "delivered", 4: "net", 19: "received", 20: "total"}
_DELTAS = (0, 4)


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """One resource of a feed: its links and the numbers it states (element name: number, or None where it is no number)."""

    kind: str
    own: str = ""
    up: str = ""
    related: tuple[str, ...] = ()
    title: str = ""
    stated: dict[str, int | None] = field(default_factory=dict)


class Linked(Protocol):
    """What has an address of its own and one above it."""

    own: str
    up: str


class UnresolvedBlockError(Exception):
    """Why the readings of a block cannot be given to a channel: an issue code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Feed:
    """The entries of a feed but for its blocks, and the channel that a block belongs to."""

    def __init__(self, entries: list[Entry], *, offset_min: int | None, timezone: str | None) -> None:
        self._of = {
            kind: [entry for entry in entries if entry.kind == kind]
            for kind in ("UsagePoint", "MeterReading", "ReadingType", "LocalTimeParameters")
        }
        self._by_own = {kind: {entry.own: entry for entry in reversed(found) if entry.own} for kind, found in self._of.items()}
        self._by_related = {kind: {href: entry for entry in reversed(found) for href in entry.related} for kind, found in self._of.items()}
        self._offset_min = offset_min
        self._timezone = timezone
        self.has_no_local_time = False
        pairs = [(id(self._point(reading)), id(self._type(reading))) for reading in self._of["MeterReading"]]
        self._shared = {pair for pair, count in Counter(pairs).items() if count > 1}
        self._known: dict[int, tuple[Stream, Entry]] = {}

    def stream_of(self, block: Linked) -> tuple[Stream, Entry]:
        """The channel of a block (with its unit and standard offset) and its ReadingType.

        Raises:
            UnresolvedBlockError: no ReadingType is linked, or it states a unit, commodity or kind of accumulation that is not read.
        """
        reading = self._parent(block, "MeterReading", "IntervalBlock")
        if reading is not None and id(reading) in self._known:
            return self._known[id(reading)]
        if reading is None and (self._of["MeterReading"] or block.up):
            raise UnresolvedBlockError("unresolved-link", "the IntervalBlock has no link to a MeterReading of this file")
        kind = self._type(reading)
        if kind is None:
            raise UnresolvedBlockError("unresolved-link", "the MeterReading of the IntervalBlock names no ReadingType of this file")
        point = self._point(reading)
        found = _stream(kind, point, reading, is_shared=(id(point), id(kind)) in self._shared), kind
        found = replace(found[0], utc_offset_min=self._offset(point, reading), timezone_hint=self._timezone), kind
        if reading is not None:
            self._known[id(reading)] = found
        return found

    def point_named(self, child: Linked) -> str:
        """The name of the usage point that a resource below it belongs to; empty where that is not said."""
        point = self._parent(child, "UsagePoint", child.own.rsplit("/", 2)[-2] if child.own.count("/") > 1 else "")
        return _last(point.own) if point else _segment(child.own, "UsagePoint")

    def _parent(self, child: Linked, kind: str, own_kind: str) -> Entry | None:
        """The entry of `kind` that a child hangs under: by path, by a related link, else the only one there is."""
        by_own, by_related, all_of_kind = self._by_own[kind], self._by_related[kind], self._of[kind]
        above = child.own.rsplit(f"/{own_kind}/", 1)[0] if f"/{own_kind}/" in child.own else ""
        for path in (child.up, child.up.removesuffix(f"/{own_kind}"), above):
            if path and path in by_own:
                return by_own[path]
        for path in (child.own, child.up):
            if path and path in by_related:
                return by_related[path]
        return all_of_kind[0] if len(all_of_kind) == 1 else None

    def _type(self, reading: Entry | None) -> Entry | None:
        types, by_own = self._of["ReadingType"], self._by_own["ReadingType"]
        if reading is not None:
            linked = next((by_own[href] for href in reading.related if href in by_own), None)
            if linked is not None:
                return linked
        return types[0] if len(types) == 1 else None

    def _point(self, reading: Entry | None) -> Entry | None:
        points = self._of["UsagePoint"]
        if reading is None:
            return points[0] if len(points) == 1 else None
        return self._parent(reading, "UsagePoint", "MeterReading")

    def _offset(self, point: Entry | None, reading: Entry | None) -> int:
        """Standard offset (minutes east) of the local time linked to the meter reading or the usage point, else the only one, else the caller's, else 0."""
        times = self._of["LocalTimeParameters"]
        related = (reading.related if reading else ()) + (point.related if point else ())
        by_own = self._by_own["LocalTimeParameters"]
        linked = next((by_own[href] for href in related if href in by_own), times[0] if len(times) == 1 else None)
        seconds = linked.stated.get("tzOffset") if linked else None
        if seconds is not None and seconds % 60 == 0 and abs(seconds) <= 15 * 3600:
            return seconds // 60
        if self._offset_min is None:
            self.has_no_local_time = True
        return self._offset_min or 0


def _stream(kind: Entry, point: Entry | None, reading: Entry | None, *, is_shared: bool) -> Stream:
    """The channel that a ReadingType, a UsagePoint and a MeterReading describe, its offset still open."""
    stated = kind.stated
    bad = [name for name, number in stated.items() if number is None]
    if bad:
        raise UnresolvedBlockError("bad-record", f"the ReadingType states no whole number as {', '.join(bad)}")
    unit = UNIT_OF.get(stated.get("uom") or 0)
    if unit is None:
        raise UnresolvedBlockError(
            "unknown-unit", f"the ReadingType's uom {stated.get('uom', 'is missing and')} is not a unit of usage that is read"
        )
    if (stated.get("accumulationBehaviour") or 0) not in _DELTAS:
        raise UnresolvedBlockError(
            "unsupported-accumulation", f"accumulationBehaviour {stated['accumulationBehaviour']} is not interval usage"
        )
    commodity = _COMMODITIES.get(stated.get("commodity") or 0) or _SERVICES.get(_or(point.stated.get("kind") if point else None, -1))
    if commodity is None:
        raise UnresolvedBlockError("unknown-commodity", "neither the ReadingType nor the UsagePoint says electricity, gas or water")
    flow = _FLOWS.get(stated.get("flowDirection") or 0)
    if flow is None:
        raise UnresolvedBlockError("unknown-flow", f"flowDirection {stated['flowDirection']} is not delivered, received, net or total")
    if abs(stated.get("powerOfTenMultiplier") or 0) > 12:
        raise UnresolvedBlockError("bad-record", f"powerOfTenMultiplier {stated['powerOfTenMultiplier']} is beyond 12")
    register = _last(kind.own) or "1"
    if is_shared and reading is not None:
        register = f"{register}/{_last(reading.own)}"
    meter = _last(point.own) if point and point.own else _segment(reading.own if reading else "", "UsagePoint") or "unnamed"
    key = ChannelKey(meter=meter, register=register)
    return Stream(
        key=key,
        commodity=cast(Commodity, commodity),
        flow=flow,
        unit=unit,
        utc_offset_min=0,
        service_point_hint=(point.title or None) if point else None,
    )


def _or(number: int | None, otherwise: int) -> int:
    return otherwise if number is None else number


def _last(path: str) -> str:
    return unquote(path.rstrip("/").rsplit("/", 1)[-1])


def _segment(path: str, after: str) -> str:
    parts = path.split("/")
    return unquote(parts[parts.index(after) + 1]) if after in parts[:-1] else ""
