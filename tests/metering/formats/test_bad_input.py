"""What is no meter file, or is one no more: every case gives a clear issue, and nothing raises."""

import io
import os
import re
import zipfile
from datetime import date
from pathlib import Path

import pytest
from meterfiles import csv_long, espi, nem12
from reading import codes, read, read_one

from mains.metering.formats import parse
from mains.metering.formats.findings import CURES, MOST_PER_CODE
from mains.metering.formats.source import MAX_LINE

GOOD = nem12([("NMI0000001", "E1", "kWh", 30, {date(2025, 3, 1): (["1"] * 48, "A", [])})])
ROWS = csv_long([("M1", "1", f"2026-01-05T{hour:02}:00Z", "1", "kWh", "", 60) for hour in range(24)])


def zipped(*members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty-file"),
        (b" \r\n\n", "empty-file"),
        (b"%PDF-1.7 ...", "unknown-format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(1, 200)), "unknown-format"),
        (b'{"readings": []}', "unknown-format"),
        (b"a;b;c\n1;2;3\n", "unknown-format"),
        (b"100,NEM99,x\n", "unknown-format"),
        (b"<html><body/></html>", "unknown-format"),
        (b'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"/>', "unknown-format"),
        (b"%PDF-1.7\n\x00\x01\x02", "unknown-format"),
        (b"SQLite format 3\x00" + bytes(200), "unknown-format"),
        (b"\x1f\x8b\x08\x00abc", "unsupported-format"),
        (b"readings.csv".ljust(257, b"\x00") + b"ustar\x0000" + bytes(300), "unsupported-format"),
        (ROWS.decode().encode("utf-16"), "wrong-encoding"),
        (ROWS.decode().encode("utf-16-le"), "wrong-encoding"),
        (b"\x00" * 5000, "wrong-encoding"),
        ("meter,régister,start,value,unit\n".encode("latin-1"), "wrong-encoding"),
    ],
)
def test_a_file_of_the_wrong_kind_or_encoding(data, expected):
    part = read_one(data)
    assert (part.found, part.accepted) == (0, 0)
    assert expected in codes(part)
    assert all(issue.file == "input" and issue.cure for issue in part.issues)


def test_green_button_in_utf_16_is_xml_and_is_read():
    data = espi([(1767243600, 1)]).decode().replace("UTF-8", "UTF-16").encode("utf-16")
    assert read_one(data).accepted == 1


def test_a_file_that_is_not_there(tmp_path):
    (part,) = parse(tmp_path / "gone.csv")
    assert codes(part) == {"unreadable-file": 0}


def test_a_zip_gives_each_member_and_refuses_a_zip_within():
    parts = read(zipped(("a.csv", GOOD), ("b.xml", espi([(1767243600, 1)])), ("c.zip", zipped(("d.csv", GOOD)))))
    assert [(part.file, part.format, part.accepted) for part in parts] == [
        ("input/a.csv", "nem12", 48),
        ("input/b.xml", "espi", 1),
        ("input/c.zip", "zip", 0),
    ]
    assert codes(parts[2]) == {"nested-archive": 0}


@pytest.mark.parametrize("cut", [10, 100, -30, -1])
def test_a_truncated_zip(cut):
    parts = read(zipped(("a.csv", GOOD))[:cut])
    assert [code for part in parts for code in codes(part)] == ["truncated-archive"]


def test_a_damaged_member():
    data = bytearray(zipped(("a.csv", os.urandom(500)), ("b.csv", GOOD)))
    data[200] ^= 0xFF
    first, second = read(bytes(data))
    assert codes(first) == {"truncated-archive": 0}
    assert second.accepted == 48


def test_an_encrypted_zip():
    data = bytearray(zipped(("a.csv", GOOD)))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert codes(read_one(bytes(data))) == {"encrypted-archive": 0}


def test_a_zip_bomb_is_stopped_early():
    assert codes(read_one(zipped(("bomb.csv", b"0" * (200 << 20))))) == {"archive-too-large": 0}


@pytest.mark.parametrize("good", [GOOD, ROWS])
def test_an_endless_line_is_skipped_and_the_rest_is_read(good):
    head, _, rest = good.partition(b"\n")
    part_before = read_one(good)
    for length in (MAX_LINE + 1, 20 << 20):
        parts = read(head + b"\n" + b"7" * length + b"\n" + rest)
        assert sum(part.accepted for part in parts) == part_before.accepted
        assert [(issue.code, issue.line) for part in parts for issue in part.issues] == [("line-too-long", 2)]


def test_a_file_that_is_one_endless_line():
    parts = read(b"meter,register,start,value,unit," + b"x" * (20 << 20))
    assert {"line-too-long"} <= {code for part in parts for code in codes(part)}


@pytest.mark.nightly
def test_two_gigabytes_in_one_line(tmp_path):
    path = tmp_path / "long.csv"
    path.write_bytes(ROWS + b"\n" * 5000)
    with path.open("r+b") as file:
        file.seek(2 << 30)
        file.write(b"\n")
    parts = list(parse(path))
    assert sum(part.accepted for part in parts) == 24
    assert "line-too-long" in {code for part in parts for code in codes(part)}


def test_a_stream_that_cannot_seek_is_read():
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.inner = io.BytesIO(GOOD)

        def readable(self):
            return True

        def readinto(self, room):
            return self.inner.readinto(room)

    (part,) = parse(io.BufferedReader(Pipe()), name="pipe")
    assert (part.accepted, len(part.sha256)) == (48, 64)


def test_a_million_faults_do_not_fill_the_memory():
    rows = [("M1", "1", "2026-01-05T00:00Z", "x", "kWh", "", 60)] * (MOST_PER_CODE + 500)
    part = read_one(csv_long(rows))
    assert codes(part) == {"not-a-number": MOST_PER_CODE + 500}
    assert len(part.issues) == MOST_PER_CODE + 1


def test_every_code_is_documented_with_its_cure():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "formats.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \|$", page, re.MULTILINE))
    assert {code: rows.get(code) for code in CURES} == CURES
