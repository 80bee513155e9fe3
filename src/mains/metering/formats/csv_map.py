"""The map of a head-end's CSV export: which column is what, written in YAML and checked member by member.

Every fault of a map is told at once, each with its place, the problem and the cure. docs/reference/formats.md has the members.
"""

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from mains.base.problems import Problem
from mains.metering.formats.csv_table import QUALITY_WORDS, UNITS
from mains.metering.formats.local_time import zone_named
from mains.metering.model import Commodity, Flow, Quality

MOST_BYTES = 1 << 18
"""Bytes of the longest map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a map: its place (`columns.value`), the problem and the cure."""

    place: str
    problem: str
    cure: str


class BadMap(Problem):
    """A map of a CSV layout cannot be used; `faults` has every reason."""

    status = 422

    def __init__(self, faults: list[Fault]) -> None:
        told = "; ".join(f"{each.place}: {each.problem}" for each in faults[:20])
        cures = "; ".join(dict.fromkeys(f"{each.place}: {each.cure}" for each in faults[:20]))
        super().__init__(f"the map has {len(faults)} fault{'s' if len(faults) > 1 else ''}: {told}", cure=cures)
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvMap:
    """A checked map. Columns are named by the header, or by their number from 1 where the file has none (`has_header`).

    Exactly one of `meter_column` and `meter` is set, and so on for register, unit and flow. `interval_s` 0 means from start to end.
    `value_columns` holds, for the wide shape, (column, seconds after the row's start); for the long shape one column at 0.
    """

    name: str
    shape: str
    delimiter: str
    encoding: str
    decimal: str
    skip_rows: int
    has_header: bool
    meter_column: str | None
    meter: str | None
    register_column: str | None
    register: str | None
    start_column: str | None
    end_column: str | None
    time_column: str | None
    time_format: str
    zone: str | None
    offset_min: int | None
    interval_s: int
    unit_column: str | None
    unit: str | None
    kind: str
    commodity: Commodity
    flow_column: str | None
    flow: Flow
    flows: dict[str, Flow]
    quality_column: str | None
    qualities: dict[str, Quality]
    units: dict[str, str]
    missing: tuple[str, ...]
    value_columns: tuple[tuple[str, int], ...]
    skip_lines_starting: tuple[str, ...] = field(default=())


_MEMBERS = {
    "": {"name", "shape", "kind", "file", "columns", "constants", "time", "interval_minutes", "units", "qualities", "flows", "missing", "wide"},
    "file": {"delimiter", "encoding", "decimal", "skip_rows", "header", "comment"},
    "columns": {"meter", "register", "start", "end", "time", "value", "unit", "quality", "flow"},
    "constants": {"meter", "register", "unit", "flow", "commodity"},
    "time": {"format", "zone", "offset_minutes"},
    "wide": {"first", "count", "columns"},
}
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_FORBIDDEN = ("multiplier", "factor", "scale")
_DIRECTIVES = set("YmdHMSyjTFz%")


def read_map(path: Path) -> CsvMap:
    """The map in a YAML file.

    Raises:
        BadMap: it cannot be read, or has faults.
    """
    try:
        held = path.read_bytes()
    except OSError as error:
        raise BadMap([Fault(place=str(path)[:100], problem=f"the map cannot be read: {error.strerror or error}", cure="check the path")]) from error
    return parse_map(held, name=path.stem)


def parse_map(held: bytes, *, name: str = "map") -> CsvMap:
    """The map in YAML bytes; `name` where it has none of its own.

    Raises:
        BadMap: it is no YAML, or has faults.
    """
    if len(held) > MOST_BYTES:
        raise BadMap([Fault(place="the map", problem=f"it has {len(held)} bytes", cure=f"write it in at most {MOST_BYTES}")])
    try:
        _refuse_aliases(held)
        data = yaml.safe_load(held.decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadMap([Fault(place="the map", problem=f"it is no YAML: {str(error)[:200]}", cure="write it as YAML in UTF-8, without anchors")]) from error
    return _Checked(data).map(name)


def _refuse_aliases(held: bytes) -> None:
    """An alias could make a small map unfold without end.

    Raises:
        ValueError: the map has an alias.
    """
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(held.decode("utf-8-sig"), Loader=yaml.SafeLoader)):
        raise ValueError("the map has an alias")


class _Checked:
    """A map while it is checked: every fault is kept, and what is wrong counts as left out."""

    def __init__(self, data: Any) -> None:
        self.faults: list[Fault] = []
        self.data: dict[str, Any] = data if isinstance(data, dict) else {}
        if not isinstance(data, dict):
            self._fault("the map", "it is no mapping of members", "begin with members such as shape: and columns:")
        for place in _MEMBERS:
            self._known_members(place)

    def map(self, name: str) -> CsvMap:
        """The checked map.

        Raises:
            BadMap: it has faults.
        """
        shape = self._one_of("shape", ("long", "wide"), default="long")
        kind = self._one_of("kind", ("interval", "dial"), default="interval")
        meter_column, meter = self._column_or_constant("meter")
        register_column, register = self._column_or_constant("register")
        unit_column, unit = self._column_or_constant("unit")
        if unit is not None and unit.lower() not in UNITS:
            self._fault("constants.unit", f"the unit {unit[:40]!r} is not known", f"use one of {', '.join(UNITS)}")
        flow_column, flow = self._flow()
        start, end, time, interval_s = self._times(shape, kind)
        zone, offset = self._zone()
        found = CsvMap(
            name=self._text("name") or name, shape=shape, kind=kind, delimiter=self._delimiter(), encoding=self._encoding(),
            decimal=self._one_of("file.decimal", (".", ","), default="."), skip_rows=self._number("file.skip_rows", default=0, most=1000),
            has_header=self._flag("file.header", default=True), meter_column=meter_column, meter=meter, register_column=register_column,
            register=register, unit_column=unit_column, unit=unit, flow_column=flow_column, flow=cast(Flow, flow), start_column=start, end_column=end, time_column=time,
            time_format=self._time_format(), zone=zone, offset_min=offset, interval_s=interval_s,
            commodity=cast(Commodity, self._one_of("constants.commodity", get_args(Commodity), default="electric")),
            quality_column=self._column("quality"), qualities=self._qualities(), units=self._words("units", set(UNITS), str.lower),
            flows=cast("dict[str, Flow]", self._words("flows", set(get_args(Flow)), str.lower)), missing=self._missing(),
            value_columns=self._values(shape, interval_s), skip_lines_starting=self._comment(),
        )  # fmt: skip
        if self.faults:
            raise BadMap(self.faults)
        return found

    def _fault(self, place: str, problem: str, cure: str) -> None:
        self.faults.append(Fault(place=place, problem=problem, cure=cure))

    def _known_members(self, place: str) -> None:
        """Refuse members that a map has not; a multiplier by name."""
        held = self.data if place == "" else self.data.get(place, {})
        if not isinstance(held, dict):
            self._fault(place, "it is no mapping of members", f"write {', '.join(sorted(_MEMBERS[place]))} under it")
            return
        for member in held:
            where = f"{place}.{member}" if place else str(member)
            if str(member).lower() in _FORBIDDEN:
                self._fault(where[:60], "a map has no multiplier", "name the unit that the values are in; a transformer's ratio belongs to the channel")
            elif member not in _MEMBERS[place]:
                self._fault(where[:60], "there is no such member", f"use {', '.join(sorted(_MEMBERS[place]))}")

    def _get(self, place: str) -> Any:
        found: Any = self.data
        for member in place.split("."):
            found = found.get(member) if isinstance(found, dict) else None
        return found

    def _text(self, place: str) -> str | None:
        found = self._get(place)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, str | int) or not str(found).strip():
            self._fault(place, "it is no text", "write a word, in quotes where it looks like something else")
            return None
        return str(found)

    def _one_of(self, place: str, known: tuple[str, ...], *, default: str) -> str:
        found = self._text(place)
        if found is not None and found not in known:
            self._fault(place, f"{found[:40]!r} is not known", f"use one of {', '.join(known)}")
            return default
        return found or default

    def _number(self, place: str, *, default: int, most: int, least: int = 0) -> int:
        found = self._get(place)
        if found is None:
            return default
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            self._fault(place, "it is no whole number in reach", f"write a number from {least} to {most}")
            return default
        return found

    def _flag(self, place: str, *, default: bool) -> bool:
        found = self._get(place)
        if found is not None and not isinstance(found, bool):
            self._fault(place, "it is neither true nor false", "write true or false")
            return default
        return default if found is None else found

    def _column(self, role: str) -> str | None:
        return self._text(f"columns.{role}")

    def _column_or_constant(self, role: str) -> tuple[str | None, str | None]:
        column, constant = self._column(role), self._text(f"constants.{role}")
        if (column is None) == (constant is None):
            problem = "it is given twice" if column else "it is not given"
            self._fault(f"columns.{role}", problem, f"name its column under columns.{role}, or its value under constants.{role}")
        return column, constant

    def _flow(self) -> tuple[str | None, str]:
        column = self._column("flow")
        flow = self._one_of("constants.flow", get_args(Flow), default="delivered")
        if column and self._get("constants.flow") is not None:
            self._fault("columns.flow", "it is given twice", "give the flow by a column or as a constant")
        return column, flow

    def _times(self, shape: str, kind: str) -> tuple[str | None, str | None, str | None, int]:
        """Columns of start, end and time, and the interval length in seconds (0: from start to end)."""
        start, end, time = (self._column(role) for role in ("start", "end", "time"))
        minutes = self._number("interval_minutes", default=0, least=1, most=1440)
        if kind == "dial":
            if time is None or start or end or shape == "wide":
                self._fault("columns.time", "a dial is read at one time", "name columns.time, no start and no end, with shape: long")
            return start, end, time, 0
        if time is not None:
            self._fault("columns.time", "an interval has a start and an end", "name columns.start or columns.end")
        if shape == "wide" and (start is None or end is not None):
            self._fault("columns.start", "a wide row begins at one time", "name columns.start and no columns.end")
        if not minutes and (shape == "wide" or not (start and end)):
            self._fault("interval_minutes", "nothing says how long an interval is", "write interval_minutes, or name columns.start and columns.end")
        if minutes and 1440 % minutes:
            self._fault("interval_minutes", f"{minutes} minutes do not divide the day", "use a length that does")
        if start is None and end is None:
            self._fault("columns.start", "no column says when", "name columns.start or columns.end")
        return start, end, None, minutes * 60

    def _time_format(self) -> str:
        """ISO, or the directives of strptime that are numbers."""
        found = self._text("time.format") or "iso"
        if found == "iso":
            return found
        used = {found[place + 1] for place in range(len(found) - 1) if found[place] == "%"}
        if not used & {"Y", "y", "F"} or not used <= _DIRECTIVES or found.endswith("%"):
            self._fault("time.format", f"the format {found[:40]!r} is not read", "write iso, or a format of %Y %m %d %H %M %S %z, such as %d.%m.%Y %H:%M")
        return found

    def _zone(self) -> tuple[str | None, int | None]:
        zone = self._text("time.zone")
        offset = self._get("time.offset_minutes")
        if zone is not None and zone_named(zone) is None:
            self._fault("time.zone", f"there is no time zone {zone[:60]!r}", "use a name like Europe/Berlin, or write offset_minutes")
        if zone is not None and offset is not None:
            self._fault("time.zone", "the zone is given twice", "write zone, or offset_minutes")
        return zone, self._number("time.offset_minutes", default=0, least=-720, most=840) if offset is not None else None

    def _delimiter(self) -> str:
        found = self._text("file.delimiter") or "comma"
        found = _DELIMITERS.get(found, found)
        if found not in _DELIMITERS.values():
            self._fault("file.delimiter", f"{found[:10]!r} is not read", f"use one of {', '.join(_DELIMITERS)}")
        return found

    def _encoding(self) -> str:
        found = self._text("file.encoding") or "utf-8"
        try:
            name = codecs.lookup(found).name
        except (LookupError, ValueError):
            name = ""
        if name not in ("utf-8", "iso8859-1", "iso8859-15", "cp1252", "ascii"):
            self._fault("file.encoding", f"the encoding {found[:40]!r} is not read", "use utf-8, latin-1, iso-8859-15 or cp1252")
            return "utf-8"
        return "utf-8-sig" if name == "utf-8" else name

    def _words(self, place: str, known: set[str], change: Callable[[str], str]) -> dict[str, str]:
        """Words of the file and what they mean."""
        held = self._get(place)
        if held is None:
            return {}
        if not isinstance(held, dict):
            self._fault(place, "it is no mapping of words", "write each word of the file with what it means")
            return {}
        for word, meant in held.items():
            if change(str(meant)) not in known:
                self._fault(f"{place}.{str(word)[:30]}", f"{str(meant)[:40]!r} is not known", f"use one of {', '.join(sorted(known))}")
        return {str(word).strip(): change(str(meant)) for word, meant in held.items()}

    def _qualities(self) -> dict[str, Quality]:
        if self._get("qualities") is not None and self._column("quality") is None:
            self._fault("columns.quality", "qualities are mapped, and no column holds them", "name columns.quality")
        known = {word for word in QUALITY_WORDS if word}
        return {word: QUALITY_WORDS.get(meant, Quality.ACTUAL) for word, meant in self._words("qualities", known, str.lower).items()}

    def _missing(self) -> tuple[str, ...]:
        held = self._get("missing")
        if held is None:
            return ("",)
        if not isinstance(held, list) or not all(isinstance(each, str | int) for each in held):
            self._fault("missing", "it is no list of texts", 'write what stands for a missing value, such as ["", "n/a"]')
            return ("",)
        return tuple(str(each).strip() for each in held)

    def _comment(self) -> tuple[str, ...]:
        found = self._text("file.comment")
        return (found,) if found else ()

    def _values(self, shape: str, interval_s: int) -> tuple[tuple[str, int], ...]:
        """The columns of values with their seconds after the row's start."""
        value = self._column("value")
        if shape == "long":
            if value is None:
                self._fault("columns.value", "no column holds the values", "name columns.value")
            if self._get("wide") is not None:
                self._fault("wide", "it is for shape: wide", "leave it out, or write shape: wide")
            return ((value, 0),) if value else ()
        if value is not None:
            self._fault("columns.value", "a wide row has many", "name them under wide")
        listed = self._get("wide.columns")
        if listed is not None:
            if not isinstance(listed, list) or not listed or not all(isinstance(each, str | int) for each in listed) or len(set(map(str, listed))) != len(listed):
                self._fault("wide.columns", "it is no list of different columns", "list the columns of values in order of time")
                return ()
            return tuple((str(each), place * interval_s) for place, each in enumerate(listed))
        first, count = self._text("wide.first"), self._number("wide.count", default=0, least=1, most=1500)
        if first is None or not count:
            self._fault("wide", "nothing says which columns hold the values", "write wide.first and wide.count, or wide.columns")
            return ()
        return tuple((f"{first}+{place}", place * interval_s) for place in range(count))
