"""Green Button "Download My Data": an Atom feed of usage points, their local time, meter readings, reading types, and an interval block a local day.

A usage point is a meter, as import reads it; its title is the place it hung at. Elements stand in the order of the ESPI schema. Missing readings are left out, as ESPI
has it; identifiers are made from names, so the same reading has the same identifier in every download. Source: NAESB REQ.21 ESPI, namespace http://naesb.org/espi; Atom, RFC 4287.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import groupby, pairwise
from urllib.parse import quote
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import numpy as np

from mains.base.ids import named_uuid
from mains.base.problems import Problem
from mains.base.units import UNITS
from mains.metering.exporting.daylight import local_offsets, local_time
from mains.metering.exporting.register_reads import Usage
from mains.metering.exporting.selecting import Stretch
from mains.metering.exporting.spans import Span, TooPreciseToExport, mantissa_and_power
from mains.metering.model import MISSING, Quality
from mains.metering.quality import to_espi
from mains.metering.queries import Channel

_RESOURCE = "/espi/1_1/resource"
_COMMODITIES = {"electric": (1, 0), "gas": (7, 1), "water": (9, 2)}
"""ESPI CommodityKind and ServiceKind."""
_FLOWS = {"delivered": 1, "received": 19, "net": 4, "total": 20}
_POWERS = (9, 6, 3, 2, 1, 0, -1, -2, -3, -6, -9, -12)
"""The powers of ten that ESPI has names for."""
_LARGEST = 2**47 - 1
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
"""The years that rules of daylight saving are looked for in."""

_QUANTITIES = {"energy": (4, 12), "reactive_energy": (4, 12), "apparent_energy": (4, 12), "power": (0, 37), "apparent_power": (0, 37), "volume": (4, None), "heat": (4, 12)}
"""AccumulationKind (4 usage in the interval, 0 not applicable) and MeasurementKind (12 energy, 37 power; a volume says it by its unit) of a quantity."""


class NoGreenButtonUnit(Problem):
    """A channel's unit has no code in Green Button."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class _Type:
    """How a channel's raw values are written: code of the unit, power of ten, and the whole number that a raw step is of it."""

    uom: int
    power: int
    factor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clock:
    """The local time that a channel's days are told in: its name, and the zone of it."""

    name: str
    zone: tzinfo


def feed(
    found: Iterable[Span], stretches: Sequence[Stretch], *, zone: ZoneInfo, title: str, at: datetime, usages: Sequence[Usage] = ()
) -> Iterator[tuple[str, int]]:
    """The text of a feed and how many readings each piece holds; days are those of the stretches' zones, else of `zone`; `at` is now.

    A channel whose standard time is not its zone's has the days of its own standard time, for import tells days by it.

    Raises:
        NoGreenButtonUnit: the unit of a channel has no code.
        TooPreciseToExport: a value does not fit ESPI's numbers.
    """
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = "\x1f".join(sorted({f"{each.point}/{each.channel.channel_id}" for each in stretches}))
    year = min(max(min(each.from_at for each in stretches).year, _FIRST_YEAR), _LAST_YEAR)
    clocks = _clocks(stretches, zone, year)
    periods = [_periods(list(mine), stamp) for _, mine in groupby(usages, key=lambda each: each.stretch)]
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xmlns:espi="http://naesb.org/espi">\n'
        f" <id>{_urn('feed', name)}</id>\n <title>{escape(title)}</title>\n <updated>{stamp}</updated>\n"
    ), 0
    yield "".join(_head(stretches, clocks, year, stamp)), 0
    for span in found:
        yield _blocks(span, clocks[span.stretch.channel.channel_id].zone, stamp)
    yield from periods
    yield "</feed>\n", 0


def _clocks(stretches: Sequence[Stretch], zone: ZoneInfo, year: int) -> dict[int, _Clock]:
    """The local time of each channel: its zone's where that has the channel's standard offset, else that offset all year."""
    standard: dict[str, int] = {}
    found = {}
    for each in stretches:
        name, offset = each.timezone or zone.key, each.channel.utc_offset_min * 60
        if name not in standard:
            standard[name] = local_time(ZoneInfo(name), year).tz_offset_s
        fixed = timezone(timedelta(seconds=offset))
        found[each.channel.channel_id] = _Clock(name=name, zone=ZoneInfo(name)) if standard[name] == offset else _Clock(name=str(fixed), zone=fixed)
    return found


def _head(stretches: Sequence[Stretch], clocks: Mapping[int, _Clock], year: int, stamp: str) -> Iterator[str]:
    """Everything but the blocks: a usage point a meter with its local time, meter readings and reading types."""
    for clock in {each.name: each for each in sorted(clocks.values(), key=lambda each: each.name)}.values():
        yield _local_time(clock, year, stamp)
    for meter, mine in groupby(sorted(stretches, key=lambda each: (each.channel.meter_number, each.channel.channel_id)), key=lambda each: each.channel.meter_number):
        listed = list(mine)
        first = listed[0]
        usual = clocks[first.channel.channel_id].name
        place = _point_at(first.channel)
        links = [("up", f"{_RESOURCE}/UsagePoint"), ("related", f"{place}/MeterReading"), ("related", _local_time_at(usual))]
        kind = _COMMODITIES[first.channel.commodity][1]
        body = f"<espi:UsagePoint><espi:ServiceCategory><espi:kind>{kind}</espi:kind></espi:ServiceCategory><espi:status>1</espi:status></espi:UsagePoint>"
        yield _entry(("UsagePoint", meter), place, links, first.point, body, stamp)
        for channel in {each.channel.channel_id: each.channel for each in listed}.values():
            reading, own = _reading_at(channel), clocks[channel.channel_id].name
            links = [("up", f"{place}/MeterReading"), ("related", f"{reading}/IntervalBlock"), ("related", _type_at(channel))]
            links += [("related", _local_time_at(own))] if own != usual else []
            title = f"Meter {meter}, register {channel.register}"
            yield _entry(("MeterReading", meter, channel.channel_id), reading, links, title, "<espi:MeterReading/>", stamp)
    for channel in {each.channel.channel_id: each.channel for each in stretches}.values():
        yield _reading_type(channel, stamp)


def _local_time(clock: _Clock, year: int, stamp: str) -> str:
    found = local_time(clock.zone, year)
    body = (
        f"<espi:LocalTimeParameters><espi:dstEndRule>{found.end_rule}</espi:dstEndRule><espi:dstOffset>{found.dst_offset_s}</espi:dstOffset>"
        f"<espi:dstStartRule>{found.start_rule}</espi:dstStartRule><espi:tzOffset>{found.tz_offset_s}</espi:tzOffset></espi:LocalTimeParameters>"
    )
    return _entry(("LocalTimeParameters", clock.name), _local_time_at(clock.name), [("up", f"{_RESOURCE}/LocalTimeParameters")], clock.name, body, stamp)


def _reading_type(channel: Channel, stamp: str) -> str:
    """The ReadingType of a channel, of its own: two channels may have one register name."""
    kind = _type_of(channel)
    accumulation, measured = _QUANTITIES.get(UNITS[channel.unit].quantity, (4, None))
    stated = [
        ("accumulationBehaviour", accumulation), ("commodity", _COMMODITIES[channel.commodity][0]), ("dataQualifier", 12), ("defaultQuality", 0),
        ("flowDirection", _FLOWS[channel.flow]), ("intervalLength", channel.interval_s), ("kind", measured), ("powerOfTenMultiplier", kind.power), ("timeAttribute", 0),
        ("uom", kind.uom),
    ]  # fmt: skip
    body = "".join(f"<espi:{name}>{value}</espi:{name}>" for name, value in stated if value is not None)
    title = f"{channel.commodity} {channel.flow}, {channel.unit}"
    return _entry(("ReadingType", channel.channel_id), _type_at(channel), [("up", f"{_RESOURCE}/ReadingType")], title, f"<espi:ReadingType>{body}</espi:ReadingType>", stamp)


def _blocks(span: Span, zone: tzinfo, stamp: str) -> tuple[str, int]:
    """The interval blocks of a span, one a local day that has readings."""
    stretch = span.stretch
    kind, place = _type_of(stretch.channel), _reading_at(stretch.channel)
    kept = span.where(span.values != MISSING)
    if not len(kept.starts):
        return "", 0
    said = {code: _quality(code) for code in np.unique(kept.quality).tolist()}
    duration = f"<espi:duration>{span.interval_s}</espi:duration>"
    pieces = []
    days = _local_days(kept.starts, zone)
    edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    starts, values, quality = kept.starts.tolist(), (kept.values.astype(np.int64) * kind.factor).tolist(), kept.quality.tolist()
    for a, b in pairwise(edges):
        body = "".join(
            [
                f"<espi:IntervalReading>{said[mark]}<espi:timePeriod>{duration}<espi:start>{start}</espi:start></espi:timePeriod>"
                f"<espi:value>{value}</espi:value></espi:IntervalReading>\n"
                for start, value, mark in zip(starts[a:b], values[a:b], quality[a:b], strict=True)
            ]
        )
        length = starts[b - 1] + span.interval_s - starts[a]
        block = f"<espi:IntervalBlock><espi:interval><espi:duration>{length}</espi:duration><espi:start>{starts[a]}</espi:start></espi:interval>\n{body}</espi:IntervalBlock>"
        named = ("IntervalBlock", stretch.channel.meter_number, stretch.channel.channel_id, starts[a])
        pieces.append(_entry(named, f"{place}/IntervalBlock/{starts[a]}", [("up", f"{place}/IntervalBlock")], "", block, stamp))
    return "".join(pieces), len(starts)


def _periods(usages: Sequence[Usage], stamp: str) -> tuple[str, int]:
    """The usages of a stretch in one block, each with its own duration.

    Raises:
        TooPreciseToExport: a usage is more than ESPI's numbers hold.
    """
    channel = usages[0].stretch.channel
    kind, place = _type_of(channel), _reading_at(channel)
    first, last = usages[0].start, max(each.start + each.duration_s for each in usages)
    pieces = []
    for each in usages:
        value = each.raw * kind.factor
        if abs(value) > _LARGEST:
            fact = f"channel {channel.channel_id} has a usage of {each.raw} raw steps, which Green Button does not hold"
            raise TooPreciseToExport(fact, cure="export a time without it")
        pieces.append(
            f"<espi:IntervalReading>{_quality(each.quality)}<espi:timePeriod><espi:duration>{each.duration_s}</espi:duration><espi:start>{each.start}</espi:start>"
            f"</espi:timePeriod><espi:value>{value}</espi:value></espi:IntervalReading>\n"
        )
    interval = f"<espi:interval><espi:duration>{last - first}</espi:duration><espi:start>{first}</espi:start></espi:interval>"
    block = f"<espi:IntervalBlock>{interval}\n{''.join(pieces)}</espi:IntervalBlock>"
    named = ("IntervalBlock", channel.meter_number, channel.channel_id, "usages", first)
    return _entry(named, f"{place}/IntervalBlock/usages-{first}", [("up", f"{place}/IntervalBlock")], "", block, stamp), len(usages)


def _local_days(starts: np.ndarray, zone: tzinfo) -> np.ndarray:
    """The local day of each instant (epoch s), as days from 1970."""
    return (starts + local_offsets(starts, zone)) // 86_400


def _quality(code: int) -> str:
    """What is said of a reading's quality; nothing of an actual one, which is what its type says of all."""
    if code == Quality.ACTUAL:
        return ""
    return f"<espi:ReadingQuality><espi:quality>{to_espi(code)}</espi:quality></espi:ReadingQuality>"


def _type_of(channel: Channel) -> _Type:
    """How values of a channel are written.

    Raises:
        NoGreenButtonUnit: the unit has no code.
        TooPreciseToExport: no power of ten of ESPI holds its values as whole numbers.
    """
    unit = UNITS[channel.unit]
    base = next(each for each in UNITS.values() if each.espi == unit.espi)
    if not unit.espi:
        raise NoGreenButtonUnit(f"channel {channel.channel_id} measures {channel.unit}, which Green Button has no code for", cure="export it as CSV or Parquet")
    factor, power = mantissa_and_power(channel.step * (unit.factor / base.factor))
    known = next((each for each in _POWERS if each <= power), None)
    if known is None or factor * 10 ** (power - known) * (2**31) > _LARGEST:
        raise TooPreciseToExport(f"channel {channel.channel_id} counts steps of {channel.step} {channel.unit}, which Green Button does not hold", cure="export it as CSV")
    return _Type(uom=unit.espi, power=known, factor=factor * 10 ** (power - known))


def _entry(named: tuple[object, ...], own: str, links: list[tuple[str, str]], title: str, content: str, stamp: str) -> str:
    """An Atom entry."""
    listed = "".join(f'<link rel="{rel}" href="{href}"/>' for rel, href in [("self", own), *links])
    return (
        f" <entry><id>{_urn(*named)}</id>{listed}<title>{escape(title)}</title>\n<content>{content}</content>\n"
        f"<published>{stamp}</published><updated>{stamp}</updated></entry>\n"
    )


def _urn(*named: object) -> str:
    return f"urn:uuid:{str(named_uuid('green button', *named)).upper()}"


def _point_at(channel: Channel) -> str:
    return f"{_RESOURCE}/UsagePoint/{quote(channel.meter_number, safe='')}"


def _reading_at(channel: Channel) -> str:
    return f"{_point_at(channel)}/MeterReading/{channel.channel_id}"


def _type_at(channel: Channel) -> str:
    return f"{_RESOURCE}/ReadingType/{channel.channel_id}/{quote(channel.register, safe='')}"


def _local_time_at(name: str) -> str:
    return f"{_RESOURCE}/LocalTimeParameters/{quote(name, safe='')}"
