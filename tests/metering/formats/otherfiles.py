"""Writers of valid P1, SML, MSCONS, CIM, RSM-012, NEM13 and head-end files, independent of the parsers."""

import json
import struct
from datetime import UTC, datetime, timedelta


def p1(lines, *, ident="ISk5\\2MT382-1000", crc=True):
    """One telegram of lines, with its CRC-16 (reflected 0x8005) or without one."""
    text = f"/{ident}\r\n\r\n" + "".join(f"{line}\r\n" for line in lines) + "!"
    value = 0
    for byte in text.encode():
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0xA001 if value & 1 else 0)
    return (text + (f"{value:04X}" if crc else "") + "\r\n").encode()


DUTCH = [
    "1-3:0.2.8(50)", "0-0:1.0.0(260115192002W)", "0-0:96.1.1(4B384547303034303436333935353037)", "1-0:1.8.1(000004.426*kWh)", "1-0:1.8.2(000002.399*kWh)",
    "1-0:2.8.1(000002.444*kWh)", "1-0:2.8.2(000000.000*kWh)", "0-0:96.14.0(0002)", "1-0:1.7.0(00.244*kW)", "1-0:99.97.0(0)(0-0:96.7.19)",
    "0-1:24.1.0(003)", "0-1:96.1.0(3232323241424344313233343536373839)", "0-1:24.2.1(260115191005W)(00000.107*m3)", "0-2:24.1.0(003)", "0-2:96.1.0()",
]  # fmt: skip
BELGIAN = [
    "0-0:96.1.4(50217)", "0-0:96.1.1(3153414733313030303030323331)", "0-0:1.0.0(260715123015S)", "1-0:1.8.1(000000.034*kWh)", "1-0:1.8.2(000015.758*kWh)",
    "1-0:2.8.1(000000.000*kWh)", "1-0:2.8.2(000000.011*kWh)", "1-0:1.4.0(02.351*kW)", "1-0:1.6.0(260715121500S)(02.589*kW)", "0-1:24.1.0(003)",
    "0-1:96.1.1(37464C4F32313139303333373333)", "0-1:24.2.3(260715122500S)(00112.384*m3)", "0-2:24.1.0(007)", "0-2:96.1.1(3853414731323334353637383930)",
    "0-2:24.2.1(260715122500S)(00872.234*m3)",
]  # fmt: skip
LUXEMBOURGISH = [
    "1-3:0.2.8(42)", "0-0:1.0.0(260115090000W)", "0-0:42.0.0(53414731303330373030303030303031)", "1-0:1.8.0(000123.456*kWh)", "1-0:2.8.0(000000.012*kWh)",
    "1-0:3.8.0(000011.001*kvarh)", "1-0:4.8.0(000002.002*kvarh)",
]  # fmt: skip
OLD = [
    "0-0:96.1.1(00000000000000)", "1-0:1.8.1(00001.001*kWh)", "1-0:1.8.2(00001.002*kWh)", "0-1:24.1.0(3)", "0-1:96.1.0(000000000001)",
    "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)", "(00001.001)",
]  # fmt: skip


def _x25(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x8408 if value & 1 else 0)
    value ^= 0xFFFF
    return struct.pack("<H", value)


def octets(data):
    return bytes([len(data) + 1]) + data


def unsigned(number, width=1):
    return bytes([0x60 | (width + 1)]) + number.to_bytes(width, "big")


def signed(number, width=1):
    return bytes([0x50 | (width + 1)]) + number.to_bytes(width, "big", signed=True)


def listed(*items):
    return bytes([0x70 | len(items)]) + b"".join(items)


def message(body, number):
    inner = octets(bytes([number])) + unsigned(0) + unsigned(0) + body
    crc = _x25(b"\x76" + inner)
    return b"\x76" + inner + b"\x63" + crc[::-1] + b"\x00"


SERVER = bytes.fromhex("0a01445a47000282c0b0")


def sml(registers, *, server=SERVER, at=None, seconds=1000):
    """A frame of a GetList response. `registers`: (OBIS in bytes, unit, scaler, value); `at` epoch s, None for a counter of seconds."""
    time = listed(unsigned(2 if at else 1), unsigned(at or seconds, 4))
    entries = [
        listed(octets(code), b"\x01", b"\x01", unsigned(unit) if unit else b"\x01", signed(scaler), signed(value, 8), b"\x01") for code, unit, scaler, value in registers
    ]
    head = bytes([0x70 | len(entries)]) if len(entries) < 16 else bytes([0xF0 | len(entries) >> 4, len(entries) & 15])
    response = listed(b"\x01", octets(server), b"\x01", time, head + b"".join(entries), b"\x01", b"\x01")
    opening = message(listed(unsigned(0x0101, 2), listed(b"\x01", b"\x01", octets(b"1"), octets(server), b"\x01", b"\x01")), 1)
    closing = message(listed(unsigned(0x0201, 2), listed(b"\x01")), 3)
    return frame(opening + message(listed(unsigned(0x0701, 2), response), 2) + closing)


def frame(content):
    fill = -len(content) % 4
    data = b"\x1b" * 4 + b"\x01" * 4 + content.replace(b"\x1b" * 4, b"\x1b" * 8) + bytes(fill) + b"\x1b" * 4 + b"\x1a" + bytes([fill])
    return data + _x25(data)


def mscons(points, *, obis="1-1?:1.29.0", location="DE0001234567890123456789012345678", mark=".", advice=True, extra=()):
    """An interchange of one location. `points`: segments after PIA, without their ends."""
    segments = [
        "UNH+1+MSCONS:D:04B:UN:2.4c", "BGM+7+MSI5422+9", "DTM+137:202601011315?+00:303", "RFF+Z13:13018", "NAD+MS+9920455302123::293", "NAD+MR+4012345678901::9",
        "UNS+D", "NAD+DP", f"LOC+172+{location}", "DTM+163:202601012300?+00:303", "DTM+164:202601022300?+00:303", *extra, "LIN+1", f"PIA+5+{obis}:SRW", *points,
    ]  # fmt: skip
    text = [f"UNA:+{mark}? '"] if advice else []
    text += [f"{each}'" for each in ("UNB+UNOC:3+4012345678901:14+4012345678902:15+260103:1151+ABC4711++TL", *segments, f"UNT+{len(segments) + 1}+1", "UNZ+1+ABC4711")]
    return "\n".join(text).encode()


def quarter_hours(count, *, begin=datetime(2026, 1, 1, 23, tzinfo=UTC), value="0.{:03}", qualifier="220"):
    found = []
    for place in range(count):
        start, end = (begin + timedelta(minutes=15 * each) for each in (place, place + 1))
        found += [f"QTY+{qualifier}:{value.format(place)}:KWH", f"DTM+163:{start:%Y%m%d%H%M}?+00:303", f"DTM+164:{end:%Y%m%d%H%M}?+00:303"]
    return found


def cim(blocks=(), readings=(), *, meter="M-77", prefix="m:", message=True):
    """A MeterReadings document. `blocks`: (code, [(stamp, value, quality code or None)]); `readings`: (code, stamp, value, (start, end) or None)."""
    p = prefix

    def quality(code):
        return f'<{p}ReadingQualities><{p}ReadingQualityType ref="{code}"/></{p}ReadingQualities>' if code else ""

    body = "".join(
        f"<{p}IntervalBlocks>"
        + "".join(
            f"<{p}IntervalReadings><{p}timeStamp>{stamp}</{p}timeStamp><{p}value>{value}</{p}value>{quality(code)}</{p}IntervalReadings>\n" for stamp, value, code in held
        )
        + f'<{p}ReadingType ref="{kind}"/></{p}IntervalBlocks>'
        for kind, held in blocks
    )
    body += f"<{p}Meter><{p}Names><{p}name>{meter}</{p}name></{p}Names></{p}Meter>" if meter else ""
    for kind, stamp, value, period in readings:
        span = f"<{p}timePeriod><{p}end>{period[1]}</{p}end><{p}start>{period[0]}</{p}start></{p}timePeriod>" if period else ""
        stamped = f"<{p}timeStamp>{stamp}</{p}timeStamp>" if stamp else ""
        body += f'<{p}Readings>{stamped}{span}<{p}value>{value}</{p}value><{p}ReadingType ref="{kind}"/></{p}Readings>\n'
    declared = 'xmlns:m="http://iec.ch/TC57/2011/MeterReadings#"' if prefix else 'xmlns="http://iec.ch/TC57/2011/MeterReadings#"'
    text = f"<{p}MeterReadings {declared}><{p}MeterReading>{body}</{p}MeterReading></{p}MeterReadings>"
    if message:
        text = f'<EventMessage xmlns="http://iec.ch/TC57/2011/schema/message"><Header><Verb>created</Verb></Header><Payload>{text}</Payload></EventMessage>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def rsm012(points, *, resolution="PT1H", start="2026-01-09T23:00Z", end="2026-01-10T23:00Z", kind="E17", unit="KWH",
           registration="2026-01-11T07:30:00Z", form="xml", type_="E66"):
    """A document of one Series. `points`: (position, quantity or None, quality or None)."""
    if form == "json":
        held = []
        for position, quantity, quality in points:
            held.append({"position": {"value": position}} | ({"quantity": quantity} if quantity is not None else {}) | ({"quality": {"value": quality}} if quality else {}))
        series = {
            "mRID": "S1", "marketEvaluationPoint.mRID": {"codingScheme": "A10", "value": "571313000000002000"}, "marketEvaluationPoint.type": {"value": kind},
            "product": "8716867000030", "quantity_Measure_Unit.name": {"value": unit}, "registration_DateAndOrTime.dateTime": registration,
            "Period": {"resolution": resolution, "timeInterval": {"start": {"value": start}, "end": {"value": end}}, "Point": held},
        }  # fmt: skip
        return json.dumps({"NotifyValidatedMeasureData_MarketDocument": {"mRID": "D1", "type": {"value": type_}, "Series": [series]}}).encode()
    body = "".join(
        f"<cim:Point><cim:position>{position}</cim:position>"
        + (f"<cim:quantity>{quantity}</cim:quantity>" if quantity is not None else "")
        + (f"<cim:quality>{quality}</cim:quality>" if quality else "")
        + "</cim:Point>\n"
        for position, quantity, quality in points
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<cim:NotifyValidatedMeasureData_MarketDocument xmlns:cim="urn:ediel.org:measure:notifyvalidatedmeasuredata:0:1">'
        f"<cim:mRID>D1</cim:mRID><cim:type>{type_}</cim:type><cim:Series><cim:mRID>S1</cim:mRID>"
        f'<cim:marketEvaluationPoint.mRID codingScheme="A10">571313000000002000</cim:marketEvaluationPoint.mRID>'
        f'<cim:marketEvaluationPoint.type>{kind}</cim:marketEvaluationPoint.type>'
        + (f"<cim:registration_DateAndOrTime.dateTime>{registration}</cim:registration_DateAndOrTime.dateTime>" if registration else "")
        + f"<cim:product>8716867000030</cim:product>"
        f"<cim:quantity_Measure_Unit.name>{unit}</cim:quantity_Measure_Unit.name><cim:Period><cim:resolution>{resolution}</cim:resolution>"
        f"<cim:timeInterval><cim:start>{start}</cim:start><cim:end>{end}</cim:end></cim:timeInterval>{body}</cim:Period></cim:Series>"
        "</cim:NotifyValidatedMeasureData_MarketDocument>"
    ).encode()


def nem13(records, *, end="900\n"):
    """`records`: lines of 250 fields after the NMI, as text: suffix, serial, direction, previous, at, quality, current, at, quality, quantity, unit."""
    lines = ["100,NEM13,202601010000,MDP,RETAILER"]
    for suffix, serial, direction, before, from_at, first, after, to_at, last, quantity, unit in records:
        lines.append(
            f"250,NEM1300001,1141,01,{suffix},{suffix},{serial},{direction},{before},{from_at},{first},,,{after},{to_at},{last},,,{quantity},{unit},20260401,20260102120000,"
        )
    return ("\n".join(lines) + "\n" + end).encode()
