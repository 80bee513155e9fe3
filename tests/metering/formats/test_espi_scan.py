"""The scan of the bytes gives what the XML parser gives, for every way of writing a feed."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meterfiles import espi as written
from reading import read_one

from mains.metering.formats import espi, espi_blocks, source
from mains.metering.formats.source import as_source

QUICK = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NIGHTLY = settings(max_examples=100_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
START = 1767243600
ODD = ("<!-- note -->", "<![CDATA[7]]>", "&#55;", "<other/>", "<!-- <{p}IntervalReading> -->", "<?target x?>", "<{p}value>4</{p}value>", "text", "<q:x xmlns:q='u'>3</q:x>")


def both(data: bytes):
    """What the two ways make of a feed."""
    return [list(espi.parse(as_source(io.BytesIO(data), name="input"), excising=excising)) for excising in (True, False)]


def told(parts):
    """All that a parse says, as plain values; an XML parser's own words are left out."""
    return [
        (
            part.found, part.accepted, part.quarantined, part.register_reads, part.summaries,
            [(c.key, c.unit, c.pow10, c.interval_s, c.starts.tolist(), c.values.tolist(), c.quality.tolist(), c.lines.tolist()) for c in part.channels],
            [(i.code, i.line, i.count, "" if i.code == "malformed-xml" else i.message) for i in part.issues],
        )
        for part in parts
    ]  # fmt: skip


@st.composite
def readings(draw, prefix: str):
    """The text of some IntervalReadings: most of them regular, in one of a few ways of writing, some odd."""
    space = draw(st.sampled_from(("", "\n", "\n   ", "\r\n\t", " ")))
    order = draw(st.permutations(["period", "value", "quality", "cost", "tou"]))
    starts_first = draw(st.booleans())
    found = []
    for index in range(draw(st.integers(1, 12))):
        start, length, value = START + 900 * index, draw(st.sampled_from((900, 900, 900, "", 0, 901))), draw(st.integers(-3, 10**6))
        inner = [f"<{prefix}start>{start}</{prefix}start>", f"<{prefix}duration>{length}</{prefix}duration>" if length != "" else ""]
        quality = draw(st.sampled_from((None, None, None, 8, 17, 5, 99)))
        pieces = {
            "period": f"<{prefix}timePeriod>{space}{''.join(inner if starts_first else inner[::-1])}{space}</{prefix}timePeriod>",
            "value": f"<{prefix}value>{value}</{prefix}value>",
            "quality": f"<{prefix}ReadingQuality><{prefix}quality>{quality}</{prefix}quality></{prefix}ReadingQuality>" if quality is not None else "",
            "cost": f"<{prefix}cost>{index}</{prefix}cost>" if draw(st.integers(0, 3)) == 0 else "",
            "tou": f"<{prefix}tou>{space}1{space}</{prefix}tou>" if draw(st.integers(0, 3)) == 0 else "",
        }
        body = space.join(pieces[name] for name in order)
        if draw(st.integers(0, 5)) == 0:
            odd = draw(st.sampled_from(ODD)).replace("{p}", prefix)
            at = draw(st.sampled_from((0, len(body), body.find("</") if "</" in body else 0)))
            body = body[:at] + odd + body[at:]
        one = f"<{prefix}IntervalReading>{space}{body}{space}</{prefix}IntervalReading>"
        wrap = draw(st.sampled_from(("{}",) * 8 + ("<!--{}-->", "<{p}odd>{}</{p}odd>", "<!-- {} -->{}", "<![CDATA[{}]]>")))
        found.append(wrap.replace("{p}", prefix).replace("{}", one))
    return space.join(found)


@st.composite
def feeds(draw):
    """A feed with some blocks, written by one prefix or by several."""
    prefix = draw(st.sampled_from(("", "espi:", "ns0:", "a-b_c.d:")))
    bound = prefix.removesuffix(":")
    text = written([(START, 1)], prefix=bound).decode()
    begin, end = text.index(f"<{prefix}IntervalReading>"), text.index(f"</{prefix}IntervalBlock>")
    inside = draw(readings(draw(st.sampled_from((prefix, prefix, prefix, "zz:")))))
    bytes_of = (text[:begin] + inside + text[end:]).encode()
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(bytes_of)))
        bytes_of = bytes_of[:at] + draw(st.sampled_from((b"", b"<", b">", b"\x00", b"\xff", b"&", b"\n"))) + bytes_of[at + draw(st.integers(0, 2)) :]
    return bytes_of


@QUICK
@given(feeds(), st.sampled_from((64, 300, 1 << 20)))
def test_the_scan_gives_what_the_parser_gives(data, size):
    before, espi.BLOCK = espi.BLOCK, size
    try:
        fast, slow = both(data)
    finally:
        espi.BLOCK = before
    assert told(fast) == told(slow)


@pytest.mark.nightly
@NIGHTLY
@given(feeds(), st.sampled_from((64, 1 << 20)))
def test_the_scan_always_gives_what_the_parser_gives(data, size):
    test_the_scan_gives_what_the_parser_gives.hypothesis.inner_test(data, size)


def test_real_files_read_alike(real):
    for file in (real / "green_button").iterdir():
        fast, slow = both(file.read_bytes())
        assert told(fast) == told(slow)


def test_what_the_scan_took_is_nearly_all_of_a_file():
    data = written([(START + 900 * index, index) for index in range(96)], prefix="espi", quality=8)
    piece = espi_blocks.Excision(mark="r1").of(data, is_last=True)

    assert (len(piece.rows), len(piece.runs)) == (96, 1)
    assert b'<espi:IntervalReading r1="0"/>' in piece.text
    assert piece.text.count(b"\n") == data.count(b"\n")
    assert np.unique(piece.rows["quality"]).tolist() == [2]


def test_a_long_file_comes_in_parts(monkeypatch):
    blocks = 50
    data = written([(START + 900 * index, index) for index in range(96 * blocks)])
    monkeypatch.setattr(espi, "PART", 1000)
    monkeypatch.setattr(espi, "BLOCK", 4096)
    parts = list(espi.parse(as_source(io.BytesIO(data), name="input")))

    assert [part.part for part in parts] == list(range(1, len(parts) + 1))
    assert len(parts) > 3
    assert sum(part.found for part in parts) == sum(part.accepted for part in parts) == 96 * blocks
    assert np.array_equal(np.concatenate([part.channels[0].starts for part in parts]), START + 900 * np.arange(96 * blocks))


def test_other_encodings_are_left_to_the_parser():
    text = written([(START + 900 * index, index) for index in range(4)]).decode()
    for encoding in ("utf-16", "iso-8859-1", "utf-8"):
        assert read_one(text.replace("UTF-8", encoding).encode(encoding)).accepted == 4


@pytest.mark.parametrize("name", ["UsageSummary", "ElectricPowerUsageSummary"])
def test_summaries_are_kept_beside_the_readings(name):
    summary = (
        f'<{name} xmlns="http://naesb.org/espi"><billingPeriod><duration>2592000</duration><start>{START}</start></billingPeriod><billLastPeriod>1234567</billLastPeriod>'
        "<currency>840</currency><overallConsumptionLastPeriod><powerOfTenMultiplier>3</powerOfTenMultiplier><uom>72</uom><value>610</value></overallConsumptionLastPeriod></"
        f"{name}>"
    )
    entry = f'<entry><link rel="self" href="/UsagePoint/9/{name}/1"/><content>{summary}</content></entry></feed>'
    part = read_one(written([(START, 5)]).replace(b"</feed>", entry.encode()))

    (found,) = part.summaries
    assert (found.meter, found.kind, found.start, found.duration_s, found.currency) == ("9", name, START, 2592000, "USD")
    assert (str(found.billed), found.usage, found.unit) == ("12.34567", 610_000, "Wh")
    assert [(issue.code, issue.severity) for issue in part.issues] == [("not-imported", "info")]


def test_a_block_is_a_block_however_it_is_cut():
    data = written([(START + 900 * index, index) for index in range(300)], prefix="espi")
    whole = read_one(data)
    for size in (1, 7, 100, 1000):
        excision = espi_blocks.Excision(mark="r")
        pieces = [excision.of(data[at : at + size], is_last=at + size >= len(data)) for at in range(0, len(data), size)]
        rows = np.concatenate([piece.rows for piece in pieces])
        assert np.array_equal(rows["start"], whole.channels[0].starts)
        assert np.array_equal(rows["line"], whole.channels[0].lines)
    assert source.BLOCK >= 1 << 20
