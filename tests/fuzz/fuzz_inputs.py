"""What the fuzzers feed the parsers: valid files as seeds, mutations of them, and the check that every input must pass.

The check: parsing never raises, and in every part accepted + quarantined = found. Nothing here imports pytest, so that a process of its
own, with its memory limited, can run it.
"""

import contextlib
import io
import random
import re
import sys
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "metering" / "formats"))

import meterfiles
import otherfiles

from mains.metering.formats import gather, p1, parse, sml_frames
from mains.metering.formats.csv_map import BadMap, parse_map

QUARTERS = "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
DIAL = "0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
DAY = date(2025, 3, 1)
USED, SENT = bytes.fromhex("0100010800ff"), bytes.fromhex("0100020800ff")

MAP = b"""
shape: long
file: {delimiter: semicolon, decimal: ",", skip_rows: 1, encoding: latin-1}
columns: {meter: Meter, register: OBIS, start: From, value: Value, quality: Status}
constants: {unit: kWh}
time: {format: "%d.%m.%Y %H:%M", zone: Europe/Berlin}
interval_minutes: 60
qualities: {W: actual, E: estimated}
missing: ["", "n/a"]
"""
WIDE_MAP = b"""
shape: wide
columns: {meter: "1", start: "2"}
constants: {register: "1", unit: kWh}
time: {zone: America/Chicago}
interval_minutes: 60
file: {header: false}
wide: {first: "3", count: 24}
"""
MAPPED = "export\nMeter;OBIS;From;Value;Status\n" + "".join(f"M1;1.8.0;05.01.2026 {hour:02}:00;0,{hour:03};W\n" for hour in range(24))
MAPPED_WIDE = "".join(f'M1,2026-03-{day:02},"{",".join(["1.5"] * 1)}",{",".join(["0.25"] * 23)}\n' for day in range(6, 10))

SEEDS: dict[str, list[bytes]] = {
    "nem12": [
        meterfiles.nem12([("NMI0000001", "E1", "kWh", 30, {DAY + timedelta(days=n): (["1.5"] * 48, "V", [(1, 20, "A"), (21, 48, "N")]) for n in range(2)})]),
        meterfiles.nem12([("NMI0000001", "B1", "kWh", 30, {DAY: (["-0.5"] * 48, "S14", [])})], end="500,O,SO1,20250302093000,001123.5\n900\n"),
    ],
    "nem13": [
        otherfiles.nem13(
            [
                ("11", "S1", "E", "99890", "20260101000000", "A", "02034", "20260201000000", "A", "2144", "KWH"),
                ("11", "S1", "E", "02034", "20260201000000", "A", "01250", "20260301000000", "E62", "", "KWH"),
                ("12", "S1", "I", "100", "20260101000000", "A", "200", "20260201000000", "S62", "-100", "kWh"),
            ],
            end="550,N,,R,\n900\n",
        )
    ],
    "csv_long": [meterfiles.csv_long([("M1", "1", f"2026-01-05T{hour:02}:00-06:00", f"{hour}.25", "kWh", "estimated", 60) for hour in range(24)])],
    "csv_wide": [meterfiles.csv_wide([(("M1", "1", f"2026-01-{day:02}", "kWh", 60), [f"0.{hour:03}" for hour in range(24)]) for day in range(1, 4)], minutes=60)],
    "espi": [meterfiles.espi([(1767243600 + 900 * index, index) for index in range(12)], quality=8)],
    "cim": [
        otherfiles.cim(
            [(QUARTERS, [(f"2026-01-05T01:{minute:02}:00+01:00", "0.25", code) for minute, code in ((0, None), (15, "3.8.17"), (30, "2.5.259"), (45, "1.0.0"))])],
            [(DIAL, "2026-01-05T00:00:00+01:00", "6519.0955", None), (QUARTERS.replace("0.0.2", "13.0.0", 1), "", "120", ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"))],
        )
    ],
    "rsm012": [
        otherfiles.rsm012([(1, 1, None), (2, None, "A02"), (3, "2.5", "A03")]),
        otherfiles.rsm012([(1, 1, None), (2, None, "A02"), (3, "2.5", "A03")], form="json"),
        otherfiles.rsm012([(1, 100, "A04")], resolution="P1M", start="2026-02-28T23:00Z", end="2026-03-31T22:00Z"),
    ],
    "p1": [
        otherfiles.p1(otherfiles.DUTCH) + otherfiles.p1(otherfiles.BELGIAN),
        b"2016-11-07T20:57:57+01:00\n" + otherfiles.p1(otherfiles.OLD, crc=False),
        otherfiles.p1(otherfiles.LUXEMBOURGISH),
    ],
    "sml": [
        otherfiles.sml([(USED, 30, -1, 123456), (SENT, 30, 0, 7)], at=1767567600) + otherfiles.sml([(USED, 30, -4, -5)], seconds=9),
        b"2026-01-05T00:00:00+01:00 " + otherfiles.sml([(USED, 30, -1, 123456)]).hex().encode() + b"\n",
    ],
    "mscons": [
        otherfiles.mscons(otherfiles.quarter_hours(4)),
        otherfiles.mscons(["QTY+67:12345,678:KWH", "DTM+7:202601012300?+00:303", "STS+Z32++Z92"], obis="1-1?:1.8.0", mark=",", extra=["RFF+MG:1LGZ0056829358"]),
    ],
    "csv_mapped": [MAPPED.encode("latin-1"), MAPPED_WIDE.encode()],
}
"""Parser: valid files."""

LAYOUTS = [parse_map(MAP), parse_map(WIDE_MAP)]
KINDS = tuple(SEEDS)
_TELEGRAM = re.compile(rb"(/[^!/]*!)[0-9A-Fa-f]{4}")
_WORDS = (
    b"", b"0", b"-1", b"1e999", b"NaN", b"9" * 40, b"\xff\xfe", b"\x00", b"20250229", b"2026-03-29T02:30:00", b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00+14:00", b"'",
    b"?", b"&lt;", b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"\x7f\xff\xff\xff", b"\xf1\x8f\x8f\x8f", b"\x70" * 64, b"*GJ", b"(", b")", b";", b"\n", b"<", b"</m:MeterReading>", b"{", b"]",
)  # fmt: skip


def check(kind: str, data: bytes, *, timezone: str | None = None) -> int:
    """Parse an input and hold every part to its account; how many readings were found.

    Raises:
        AssertionError: a reading was lost or counted twice.
    """
    found = 0
    for layout in LAYOUTS if kind == "csv_mapped" else (None,):
        for part in parse(io.BytesIO(data), name="input", timezone=timezone, format=None if layout else kind, layout=layout):
            assert part.accepted + part.quarantined == part.found, (kind, part.found, part.accepted, part.quarantined, part.issues[:3])
            assert all(issue.cure and issue.count >= 0 for issue in part.issues)
            assert all((channel.starts[1:] > channel.starts[:-1]).all() for channel in part.channels)
            found += part.found
    return found


def check_map(data: bytes) -> None:
    """A map is used or refused with its faults."""
    with contextlib.suppress(BadMap):
        parse_map(data)


def with_checksums(kind: str, data: bytes) -> bytes:
    """The input with the checksums of its telegrams made right, so that what lies behind them is reached too."""
    if kind != "p1":
        return data
    return _TELEGRAM.sub(lambda found: found[1] + f"{p1.crc16(found[1]):04X}".encode(), data)


@contextlib.contextmanager
def checksums_ignored(*, ignored: bool):
    """SML without its checksums: mutated frames reach the decoder."""
    before = sml_frames._matches
    if ignored:
        sml_frames._matches = lambda _data, _said: True
    try:
        yield
    finally:
        sml_frames._matches = before


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    """A seed after one to six mutations."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(8)
        if kind == 0 and data:
            data[at % len(data)] = chance.randrange(256)
        elif kind == 1 and data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del data[at : at + chance.choice((1, 2, 8, 64, 100_000))]
        elif kind == 3:
            data[at:at] = chance.choice(_WORDS)
        elif kind == 4:
            end = min(len(data), at + chance.choice((1, 4, 16, 200)))
            data[at:at] = data[at:end] * chance.choice((1, 2, 40))
        elif kind == 5:
            lines = bytes(data).split(b"\n")
            which = chance.randrange(len(lines))
            lines[which : which + 1] = chance.choice(([], [lines[which]] * 2, [lines[chance.randrange(len(lines))], lines[which]]))
            data = bytearray(b"\n".join(lines))
        elif kind == 6:
            other = chance.choice(seeds)
            data[at:at] = other[chance.randrange(len(other)) :][: chance.choice((3, 30, 3000))]
        else:
            digits = [place for place, byte in enumerate(data) if 48 <= byte <= 57]
            if digits:
                data[chance.choice(digits)] = chance.choice(b"0123456789-.,")
    return bytes(data[:200_000])


def run(kind: str, count: int, *, seed: int = 0) -> int:
    """Feed a parser `count` mutated inputs; how many readings were found in all."""
    chance = random.Random(f"{kind} {seed}")
    found = 0
    for number in range(count):
        data = mutated(chance, SEEDS[kind])
        zone = chance.choice((None, "America/Chicago", "Europe/Berlin"))
        try:
            gather.MOST = chance.choice((1, 5, 400_000))  # parts end anywhere
            with checksums_ignored(ignored=number % 2 == 0):
                found += check(kind, with_checksums(kind, data) if number % 2 else data, timezone=zone)
        except Exception as error:
            raise AssertionError(f"{kind}, input {number} of seed {seed}: {type(error).__name__}: {error}; input {data[:2000]!r}") from error
    return found


if __name__ == "__main__":
    import resource

    mega_bytes = int(sys.argv[1])
    for each in KINDS:
        run(each, 3)  # compiled before the limit
    resource.setrlimit(resource.RLIMIT_AS, (mega_bytes << 20, mega_bytes << 20))
    for name in sys.argv[3:]:
        print(name, run(name, int(sys.argv[2])), flush=True)
