"""Meter files to measure with, made from random numbers: Parquet, NEM12 and Green Button, each with as many readings as it says; and the parsers of PyPI beside ours."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_FIRST = date(2026, 1, 1)
_ATOM = 'xmlns="http://www.w3.org/2005/Atom" xmlns:espi="http://naesb.org/espi"'


def parquet(path: Path, *, values: np.ndarray, first: date, offset_min: int) -> int:
    """The layout of a row a day: values int32 [channels, days, slots] in Wh of meters M1, M2, …; how many readings."""
    channels, days, slots = values.shape
    arrow = pa.table(
        {
            "meter": pa.array([f"M{n}" for n in range(1, channels + 1) for _ in range(days)]).dictionary_encode(),
            "register": pa.array(["1"] * channels * days).dictionary_encode(),
            "day": pa.array([first + timedelta(days=d) for d in range(days)] * channels),
            "values": pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), slots),
            "unit": pa.array(["Wh"] * channels * days).dictionary_encode(),
            "utc_offset_min": pa.array(np.full(channels * days, offset_min, dtype=np.int32)),
        }
    )
    pq.write_table(arrow, path, compression="zstd", row_group_size=20_000)
    return values.size


def nem12(path: Path, *, meters: int, days: int, first_day: int = 0, prefix: str = "D", slots: int = 48) -> int:
    """Days of meters in kWh with three places, all actual; how many readings."""
    rng = np.random.default_rng(7 + first_day)
    figures = np.array([f"{n // 1000}.{n % 1000:03d}" for n in range(3000)])
    with path.open("w", encoding="ascii") as file:
        file.write("100,NEM12,202603010000,MDP1,RET1\n")
        for meter in range(meters):
            file.write(f"200,{prefix}{meter:09d},E1,E1,E1,,S{meter},KWH,{1440 // slots},\n")
            for day, row in enumerate(figures[rng.integers(0, 3000, (days, slots))]):
                file.write(f"300,{_FIRST + timedelta(days=first_day + day):%Y%m%d},{','.join(row)},A,,,20260301000000,\n")
        file.write("900\n")
    return meters * days * slots


def green_button(path: Path, *, points: int, days: int, first_day: int = 0) -> int:
    """A feed of usage points with hourly days in Wh; how many readings."""
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=first_day)
    rng = np.random.default_rng(11 + first_day)
    with path.open("w", encoding="utf-8") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<feed {_ATOM}><id>urn:uuid:feed</id><title>feed</title><updated>2026-03-01T00:00:00Z</updated>\n')
        file.write(_entry("/espi/1_1/resource/LocalTimeParameters/1", "", "<espi:LocalTimeParameters><espi:dstEndRule>00000000</espi:dstEndRule><espi:dstOffset>0</espi:dstOffset>"
            "<espi:dstStartRule>00000000</espi:dstStartRule><espi:tzOffset>0</espi:tzOffset></espi:LocalTimeParameters>"))  # fmt: skip
        for point in range(points):
            file.writelines(_usage_point(point, begin, rng.integers(0, 3000, (days, 24))))
        file.write("</feed>\n")
    return points * days * 24


def _usage_point(number: int, begin: datetime, values: np.ndarray) -> Iterator[str]:
    place = f"/espi/1_1/resource/Subscription/1/UsagePoint/{number}"
    yield _entry(
        place, f'<link rel="related" href="{place}/MeterReading"/>',
        "<espi:UsagePoint><espi:ServiceCategory><espi:kind>0</espi:kind></espi:ServiceCategory><espi:status>1</espi:status></espi:UsagePoint>",
        extra='<link rel="related" href="/espi/1_1/resource/LocalTimeParameters/1"/>',
    )  # fmt: skip
    reading = f"{place}/MeterReading/1"
    kind = f"/espi/1_1/resource/ReadingType/{number}"
    yield _entry(reading, f'<link rel="related" href="{reading}/IntervalBlock"/><link rel="related" href="{kind}"/>', "<espi:MeterReading/>")
    yield _entry(kind, "", "<espi:ReadingType><espi:accumulationBehaviour>4</espi:accumulationBehaviour><espi:commodity>1</espi:commodity><espi:currency>840</espi:currency>"
        "<espi:dataQualifier>12</espi:dataQualifier><espi:flowDirection>1</espi:flowDirection><espi:intervalLength>3600</espi:intervalLength><espi:kind>12</espi:kind><espi:phase>769</espi:phase>"
        "<espi:powerOfTenMultiplier>0</espi:powerOfTenMultiplier><espi:timeAttribute>0</espi:timeAttribute><espi:uom>72</espi:uom></espi:ReadingType>")  # fmt: skip
    for day, row in enumerate(values):
        start = int((begin + timedelta(days=day)).timestamp())
        readings = "".join(
            f"<espi:IntervalReading><espi:timePeriod><espi:duration>3600</espi:duration><espi:start>{start + 3600 * k}</espi:start></espi:timePeriod>"
            f"<espi:value>{value}</espi:value></espi:IntervalReading>\n"
            for k, value in enumerate(row.tolist())
        )
        yield _entry(
            f"{reading}/IntervalBlock/{day}", "",
            f"<espi:IntervalBlock><espi:interval><espi:duration>86400</espi:duration><espi:start>{start}</espi:start></espi:interval>\n{readings}</espi:IntervalBlock>",
        )  # fmt: skip


def _entry(place: str, links: str, content: str, extra: str = "") -> str:
    up = place.rsplit("/", 1)[0]
    return (
        f'<entry><id>urn:uuid:{place}</id><link rel="self" href="{place}"/><link rel="up" href="{up}"/>{links}{extra}<title>entry</title><content>{content}</content>'
        "<published>2026-03-01T00:00:00Z</published><updated>2026-03-01T00:00:00Z</updated></entry>\n"
    )


def with_nemreader(path: Path) -> int:
    """Readings that nemreader makes of a file."""
    from nemreader import read_nem_file

    found = read_nem_file(str(path))
    return sum(len(rows) for channels in found.readings.values() for rows in channels.values())


def with_greenbutton_objects(path: Path) -> int:
    """Readings that greenbutton-objects makes of a feed."""
    from greenbutton_objects.parse import parse_feed

    return sum(1 for point in parse_feed(str(path)) for reading in point.meterReadings for _ in reading.intervalReadings)
