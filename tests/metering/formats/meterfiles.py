"""Writers of valid meter files, independent of the parsers: plain Python, one reading at a time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

MARKET = timedelta(hours=10)


def nem12(channels, *, end="900\n"):
    """`channels`: (nmi, suffix, unit, minutes, {date: ([value text], quality flag, [400 fields])})."""
    lines = ["100,NEM12,202601010000,MDP,RETAILER"]
    for nmi, suffix, unit, minutes, days in channels:
        lines.append(f"200,{nmi},{suffix},1,{suffix},N1,SER{nmi},{unit},{minutes},")
        for date, (values, flag, ranges) in days.items():
            lines.append(f"300,{date:%Y%m%d},{','.join(values)},{flag},,,20260101000000,")
            lines += [f"400,{low},{high},{quality},," for low, high, quality in ranges]
    return "\n".join(lines).encode() + b"\n" + end.encode()


def nem12_start(date, index, minutes):
    """The instant that interval `index` (from 0) of a market day begins, in epoch seconds."""
    return int((datetime(date.year, date.month, date.day, tzinfo=UTC) - MARKET + timedelta(minutes=minutes * index)).timestamp())


def csv_long(rows, *, columns="meter,register,start,value,unit,quality,interval_minutes"):
    """`rows`: tuples in the order of the columns."""
    return "\n".join([columns, *(",".join(str(cell) for cell in row) for row in rows)]).encode() + b"\n"


def csv_wide(rows, *, minutes=15, named="meter,register,date,unit,interval_minutes"):
    """`rows`: (named cells, values)."""
    labels = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 1440, minutes)]
    return "\n".join([named + "," + ",".join(labels), *(",".join([*map(str, cells), *values]) for cells, values in rows)]).encode() + b"\n"


def espi(
    readings,
    *,
    uom=72,
    power=0,
    flow=1,
    commodity=1,
    duration=900,
    offset=-18000,
    prefix="",
    service=0,
    accumulation=4,
    order="types-first",
    quality=None,
):
    """A feed of one channel. `readings`: (start, value)."""
    p, declared = (f"{prefix}:", f'xmlns:{prefix}="http://naesb.org/espi"') if prefix else ("", 'xmlns="http://naesb.org/espi"')

    def entry(own, related, body):
        links = f'<link rel="self" href="{own}"/>' + "".join(f'<link rel="related" href="{each}"/>' for each in related)
        return f"<entry><id>x</id>{links}<title>Front meter</title><content>{body}</content></entry>\n"

    point, reading, kind, time = "/UsagePoint/9", "/UsagePoint/9/MeterReading/1", "/ReadingType/7", "/LocalTimeParameters/1"
    described = [
        entry(
            point,
            [reading, time],
            f"<{p}UsagePoint {declared}><{p}ServiceCategory><{p}kind>{service}</{p}kind></{p}ServiceCategory></{p}UsagePoint>",
        ),
        entry(time, [], f"<{p}LocalTimeParameters {declared}><{p}tzOffset>{offset}</{p}tzOffset></{p}LocalTimeParameters>"),
        entry(reading, [kind], f"<{p}MeterReading {declared}/>"),
        entry(
            kind,
            [],
            f"<{p}ReadingType {declared}><{p}accumulationBehaviour>{accumulation}</{p}accumulationBehaviour><{p}commodity>{commodity}</{p}commodity>"
            f"<{p}flowDirection>{flow}</{p}flowDirection><{p}powerOfTenMultiplier>{power}</{p}powerOfTenMultiplier><{p}uom>{uom}</{p}uom></{p}ReadingType>",
        ),
    ]
    said = f"<{p}ReadingQuality><{p}quality>{quality}</{p}quality></{p}ReadingQuality>" if quality is not None else ""
    body = "\n".join(
        f"<{p}IntervalReading>{said}<{p}timePeriod><{p}duration>{duration}</{p}duration><{p}start>{start}</{p}start></{p}timePeriod>"
        f"<{p}value>{value}</{p}value></{p}IntervalReading>"
        for start, value in readings
    )
    block = entry(f"{reading}/IntervalBlock/1", [], f"<{p}IntervalBlock {declared}>{body}</{p}IntervalBlock>")
    entries = [*described, block] if order == "types-first" else [block, *reversed(described)]
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">' + "".join(entries) + "</feed>").encode()


def exact(channel):
    """{start: engineering value in base units} of a parsed channel."""
    scale = Decimal(10) ** channel.pow10
    return {int(start): int(value) * scale for start, value in zip(channel.starts, channel.values, strict=True)}
