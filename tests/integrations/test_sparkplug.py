"""Sparkplug B: payloads from bytes, aliases of births, gaps in the sequence, and the way through a real broker."""

import contextlib
import struct
import threading
import time

import paho.mqtt.client as paho
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_world import MIDNIGHT
from test_mqtt import BEGIN, consumer_of, consuming, publish, until, values

from mains.integrations.headends.messages import Sent, gather
from mains.integrations.headends.sparkplug import PayloadBroken, SparkplugFormat, decode, rebirth_command
from mains.integrations.headends.storing import known_births

MS = int(MIDNIGHT.timestamp()) * 1000


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (2**64 - 1))
    return varint(number << 3 | 2) + varint(len(value)) + value


def metric(name="", value=None, *, alias=None, kind=8, ms=None, more=b""):
    out = field(1, name.encode()) if name else b""
    out += field(2, alias) if alias is not None else b""
    out += field(3, ms) if ms is not None else b""
    out += field(4, kind) if kind else b""
    out += more
    if value is None:
        return out
    if kind == 9:
        return out + varint(12 << 3 | 5) + struct.pack("<f", value)
    if kind == 10:
        return out + varint(13 << 3 | 1) + struct.pack("<d", value)
    bits = {1: 8, 2: 16, 3: 32}.get(kind)
    return out + field(10 if kind in (1, 2, 3, 5, 6, 7) else 11, value & (2**bits - 1) if bits else value)


def payload(*metrics, ms=MS, seq=0):
    return field(1, ms) + b"".join(field(2, each) for each in metrics) + field(3, seq)


def understand(form, kind, body, *, device="S-1"):
    return form.understand(Sent(topic=f"spBv1.0/ami/{kind}/edge" + (f"/{device}" if device else ""), payload=body))


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (1, -5, -5), (2, -300, -300), (3, -70_000, -70_000), (4, -(2**40), -(2**40)), (7, 2**32 - 1, 2**32 - 1), (8, 2**63, 2**63),
        (9, 1.1, "1.1"), (10, 0.1, "0.1"), (9, -0.375, "-0.375"),
    ],
)
def test_numbers_are_read_exactly(kind, value, read):
    assert decode(payload(metric("x", value, kind=kind))).metrics[0].value == read


def test_a_payload_is_read_whole():
    properties = field(1, b"Quality") + field(2, field(1, 3) + field(3, 0))
    found = decode(payload(metric("1", 5, alias=7, ms=MS + 900_000, more=field(5, 1) + field(9, properties)), metric("2", more=field(7, 1)), seq=255))
    assert (found.timestamp, found.seq) == (MS, 255)
    one, two = found.metrics
    assert (one.name, one.alias, one.timestamp, one.value, one.is_historical, one.quality) == ("1", 7, MS + 900_000, 5, True, 0)
    assert (two.is_null, two.value) == (True, None)


def test_aliases_are_what_the_birth_said_and_housekeeping_is_no_reading():
    form = SparkplugFormat()
    born = understand(form, "DBIRTH", payload(metric("1", 3, alias=1), metric("Device Control/Reboot", 0, alias=2, kind=11), metric("bdSeq", 0), seq=1))
    later = understand(form, "DDATA", payload(metric(alias=1, value=4, ms=MS + 900_000, kind=0), metric(alias=2, value=1, kind=11), seq=2))
    assert [(each["meter"], each["register"], each["start"], each["value"]) for each in [*born.readings, *later.readings]] == [("S-1", "1", BEGIN, 3), ("S-1", "1", BEGIN + 900, 4)]
    assert not born.replies
    assert not later.replies


def test_with_a_map_only_its_metrics_are_readings():
    form = SparkplugFormat(registers={"Energy/Active/Import": "1"})
    found = understand(form, "DDATA", payload(metric("Energy/Active/Import", 5), metric("Voltage", 230)))
    assert [each["register"] for each in found.readings] == ["1"]


def test_a_gap_in_the_sequence_asks_once_for_a_rebirth():
    form = SparkplugFormat()
    understand(form, "NBIRTH", payload(metric("bdSeq", 0), seq=0), device="")
    assert not understand(form, "DDATA", payload(metric("1", 1), seq=1)).replies
    (asked,) = understand(form, "DDATA", payload(metric("1", 2), seq=3)).replies
    assert asked.topic == "spBv1.0/ami/NCMD/edge"
    assert decode(asked.payload).metrics[0].name == "Node Control/Rebirth"
    assert not understand(form, "DDATA", payload(metric("1", 3), seq=5)).replies
    understand(form, "NBIRTH", payload(seq=0), device="")
    assert not understand(form, "NDATA", payload(seq=1), device="").replies
    assert understand(form, "NDATA", payload(seq=3), device="").replies


def test_the_sequence_begins_again_after_255():
    form = SparkplugFormat()
    for seq in (254, 255, 0, 1):
        assert not understand(form, "DDATA", payload(seq=seq)).replies


def test_an_alias_that_nobody_named_goes_to_quarantine_and_asks_for_a_rebirth():
    found = understand(SparkplugFormat(), "DDATA", payload(metric(alias=9, value=44)))
    assert [fault[0] for fault in found.refused] == ["unknown-alias"]
    assert "metric 9 = 44" in found.refused[0][1]
    assert found.replies


def test_doubtful_null_and_half_second_metrics():
    bad = field(9, field(1, b"Quality") + field(2, field(1, 3) + field(3, 0)))
    found = understand(SparkplugFormat(), "DDATA", payload(metric("1", 5, more=bad), metric("1", more=field(7, 1)), metric("1", 5, ms=MS + 500)))
    gathered = gather([found])
    assert found.readings[0]["quality"] == "questionable"
    assert (gathered.found, len(gathered), [issue.code for issue in gathered.refused.all()]) == (3, 1, ["no-value", "bad-start"])


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_decoder(data):
    with contextlib.suppress(PayloadBroken):
        decode(data)
    understand(SparkplugFormat(), "DDATA", data)


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(0, 200))
def test_no_damage_breaks_the_decoder(noise, at):
    whole = payload(metric("1", 5, alias=1, ms=MS), metric("2", 1.5, kind=10), seq=3)
    found = understand(SparkplugFormat(), "DDATA", whole[:at] + noise + whole[at + len(noise) :])
    assert gather([found]).found >= 0


def test_through_a_broker_with_births_that_outlive_the_consumer(broker, database, staff, meter):
    channel = meter("S-1")
    topic = "spBv1.0/ami/{}/edge/S-1"
    asked = []
    node = paho.Client(paho.CallbackAPIVersion.VERSION2)
    node.on_message = lambda *message: asked.append(message[2].topic)
    node.connect("127.0.0.1", broker.port)
    node.subscribe("spBv1.0/ami/NCMD/edge", 0)
    node.loop_start()
    born = payload(metric("1", 1, alias=5), seq=1)
    with consuming(consumer_of(broker, database, staff, format=SparkplugFormat(), is_host="mains")) as progress:
        while not progress.messages:
            publish(broker, [(topic.format("DBIRTH"), born)])
            time.sleep(0.05)
    with database.transaction(actor=staff) as conn:
        births = known_births(conn)
    assert births["ami", "edge", "S-1"].aliases == {5: ("1", 8)}
    publish(broker, [(topic.format("DDATA"), payload(metric(alias=5, value=2, kind=0, ms=MS + 900_000), seq=2))])
    with consuming(consumer_of(broker, database, staff, format=SparkplugFormat(births=births))) as progress:
        until(lambda: progress.accepted >= 1)
        asked.clear()
        publish(broker, [(topic.format("DDATA"), payload(metric(alias=5, value=3, kind=0, ms=MS + 1_800_000), seq=9))])
        until(lambda: asked and progress.accepted >= 2)
    node.disconnect()
    node.loop_stop()
    assert values(database, staff, channel, 3) == [1, 2, 3]
    assert threading.active_count() < 50
    assert rebirth_command()
