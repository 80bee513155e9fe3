"""The MQTT consumer against a real broker: acknowledged after the commit, nothing lost or doubled when either side dies, poison set aside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as paho
import pytest
from meter_world import MIDNIGHT, NOW

from mains.integrations.headends.messages import JsonFormat
from mains.integrations.headends.mqtt import Broker, Consumer, Pace
from mains.integrations.headends.storing import Store
from mains.metering import inbox
from mains.metering.load import load

BEGIN = int(MIDNIGHT.timestamp())
QUICK = Pace(most=200, within_s=0.02, pauses_s=(0.05, 0.2), flush_every_s=0.2, look_every_s=0.1)


def publish(broker, messages, *, qos=1):
    """Publish, and wait until the broker has acknowledged all."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    sent = [client.publish(topic, payload if isinstance(payload, bytes | str) else json.dumps(payload), qos=qos) for topic, payload in messages]
    for each in sent:
        each.wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def reading(meter, slot, value):
    return {"meter": meter, "register": "1", "start": BEGIN + slot * 900, "value": value}


def consumer_of(broker, database, staff, **more):
    form = more.pop("format", None) or JsonFormat(topic="readings/#")
    return Consumer(
        broker=Broker(host="127.0.0.1", port=broker.port, client_id="mains-test"), topics=[getattr(form, "subscription", "spBv1.0/#")], format=form,
        store=Store(database=database, actor=staff, source="mqtt test", most_waiting=more.pop("most_waiting", 1_000_000)), clock=lambda: NOW, **{"pace": QUICK} | more,
    )  # fmt: skip


@contextmanager
def consuming(consumer):
    """The consumer at work in a thread of its own."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(consumer.run(stop)))
    thread.start()
    try:
        yield consumer.progress
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def until(holds, seconds=15):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def values(database, staff, channel, count=96):
    inbox.flush(database, staff, at=NOW)
    with database.transaction(actor=staff) as conn:
        return load(conn, [channel], MIDNIGHT, MIDNIGHT + count * timedelta(minutes=15)).values[0].tolist()


def subscribe_once(broker, database, staff):
    """The session is there from now on, whether somebody listens or not."""
    with consuming(consumer_of(broker, database, staff)) as progress:
        say_until_heard(broker, progress, ("readings/hello", []))


def say_until_heard(broker, progress, message, seconds=15):
    """Publish until the consumer has taken something."""
    end = time.monotonic() + seconds
    while not progress.messages:
        assert time.monotonic() < end, "nobody listens"
        publish(broker, [message])
        time.sleep(0.05)


def test_every_shape_of_payload_is_stored_and_poison_set_aside(broker, database, staff, meter):
    one, two = meter("Q-1"), meter("Q-2")
    subscribe_once(broker, database, staff)
    with consuming(consumer_of(broker, database, staff)) as progress:
        publish(
            broker,
            [
                ("readings/a", reading("Q-1", 0, 5)),
                ("readings/b", [reading("Q-1", 1, 6), reading("Q-2", 1, "7")]),
                ("readings/c", {"meter": "Q-2", "register": "1", "start": "2026-03-01T06:30:00Z", "interval_s": 900, "values": [1, None, "3"], "unit": "Wh"}),
                ("readings/d", b"\xff\x00 poison"),
                ("readings/e", {"meter": "Q-2", "values": 3}),
                ("readings/f", {"meter": "nobody", "register": "1", "start": BEGIN, "value": 1}),
                ("readings/g", reading("Q-1", 2, 8)),
            ],
        )
        until(lambda: progress.accepted >= 6)
    assert (progress.found, progress.accepted, progress.quarantined) == (9, 6, 3)
    assert values(database, staff, one, 4) == [5, 6, 8, -(2**31)]
    assert values(database, staff, two, 5) == [-(2**31), 7, 1, -(2**31), 3]
    with database.transaction(actor=staff) as conn:
        aside = conn.execute("SELECT file, code FROM metering.quarantine ORDER BY file").fetchall()
    assert [row for row in aside if row[0].startswith("mqtt")] == [("mqtt readings/d", "not-json"), ("mqtt readings/e", "bad-run"), ("mqtt readings/f", "unknown-meter")]


def test_a_topic_may_name_meter_and_register(broker, database, staff, meter):
    channel = meter("Q-3")
    with consuming(consumer_of(broker, database, staff, format=JsonFormat(topic="ami/{meter}/{register}/v1"))) as progress:
        say_until_heard(broker, progress, ("ami/Q-3/1/v1", {"start": BEGIN, "value": 4}))
        before = progress.messages
        publish(broker, [("ami/Q-3/1/v1", {"start": BEGIN + 900, "value": 5})])
        until(lambda: progress.messages > before and progress.accepted == progress.messages)
    assert values(database, staff, channel, 2) == [4, 5]


def test_what_was_sent_while_nobody_listened_is_not_lost(broker, database, staff, meter):
    channel = meter("Q-4")
    subscribe_once(broker, database, staff)
    publish(broker, [("readings/x", reading("Q-4", slot, slot)) for slot in range(96)])
    with consuming(consumer_of(broker, database, staff)) as progress:
        until(lambda: progress.messages >= 96)
    assert values(database, staff, channel) == list(range(96))


def test_a_broker_that_is_restarted_loses_nothing(broker, database, staff, meter):
    channel = meter("Q-5")
    subscribe_once(broker, database, staff)
    with consuming(consumer_of(broker, database, staff)) as progress:
        publish(broker, [("readings/x", reading("Q-5", slot, slot)) for slot in range(50)])
        broker.stop()
        broker.start()
        publish(broker, [("readings/x", reading("Q-5", slot, slot)) for slot in range(50, 96)])
        until(lambda: progress.messages >= 96)
    assert progress.reconnects >= 1
    assert values(database, staff, channel) == list(range(96))


def test_a_consumer_that_is_killed_again_and_again_loses_and_doubles_nothing(broker, database, staff, meter):
    channels = [meter(f"Q-6{n}") for n in range(5)]
    subscribe_once(broker, database, staff)
    program = textwrap.dedent(f"""
        import asyncio
        from datetime import datetime
        from uuid import UUID
        from mains.base.db import Actor, Database
        from mains.integrations.headends.messages import JsonFormat
        from mains.integrations.headends.mqtt import Broker, Consumer, Pace
        from mains.integrations.headends.storing import Store
        database = Database(app_url={database.app_url!r}, admin_url="", ingest_url="")
        actor = Actor(role="staff", utility_id=UUID({str(staff.utility_id)!r}), name="system:headends")
        form = JsonFormat(topic="readings/#")
        consumer = Consumer(
            broker=Broker(host="127.0.0.1", port={broker.port}, client_id="mains-test"), topics=["readings/#"], format=form,
            store=Store(database=database, actor=actor, source="mqtt", most_waiting=10**6), clock=lambda: datetime.fromisoformat({NOW.isoformat()!r}),
            pace=Pace(most=40, within_s=0.01, most_in_flight=200, flush_every_s=0.1, look_every_s=0.05),
        )
        asyncio.run(consumer.run(asyncio.Event()))
    """)
    messages = [("readings/x", reading(f"Q-6{n}", slot, 1000 * n + slot)) for slot in range(96) for n in range(5)]
    sender = threading.Thread(target=publish, args=(broker, messages))
    sender.start()
    for life in (0.9, 0.75, 0.6):
        consumer = subprocess.Popen([sys.executable, "-c", program], env=os.environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(life)
        consumer.send_signal(signal.SIGKILL)
        consumer.wait()
    sender.join()
    with consuming(consumer_of(broker, database, staff)):
        until(lambda: all(values(database, staff, channel) == [1000 * n + slot for slot in range(96)] for n, channel in enumerate(channels)))
    with database.transaction(actor=staff) as conn:
        stored = conn.execute("SELECT sum(n_valid), sum(total) FROM metering.interval_blocks WHERE channel_id = ANY (%s)", [channels]).fetchone()
    assert stored == (480, sum(1000 * n + slot for n in range(5) for slot in range(96)))


def test_a_message_is_acknowledged_only_after_its_commit(broker, database, staff, meter):
    channel = meter("Q-7")
    subscribe_once(broker, database, staff)
    publish(broker, [("readings/x", reading("Q-7", 0, 3))])
    failing = consumer_of(broker, database, staff)
    tried = threading.Event()

    class Broken(Store):
        def keep(self, messages, *, at):
            tried.set()
            raise inbox.InboxFull("full")

    failing.store = Broken(database=database, actor=staff, source="mqtt test", most_waiting=1)
    with consuming(failing) as progress:
        assert tried.wait(10)
        time.sleep(0.1)
    assert progress.messages == 0
    with consuming(consumer_of(broker, database, staff)) as progress:
        until(lambda: progress.accepted == 1)
    assert values(database, staff, channel, 1) == [3]


def test_a_full_inbox_is_flushed_and_the_broker_waits(broker, database, staff, meter):
    channel = meter("Q-8")
    subscribe_once(broker, database, staff)
    publish(broker, [("readings/x", reading("Q-8", slot, slot)) for slot in range(96)])
    slow = Pace(most=10, within_s=0.01, most_in_flight=20, pauses_s=(0.01, 0.05))
    with consuming(consumer_of(broker, database, staff, pace=slow, most_waiting=25)) as progress:
        until(lambda: progress.messages >= 96)
    assert values(database, staff, channel) == list(range(96))


def test_one_message_that_cannot_be_stored_does_not_stop_the_others(database, staff, meter, monkeypatch):
    channel = meter("Q-9")
    from mains.integrations.headends import storing
    from mains.integrations.headends.messages import Sent

    form, whole = JsonFormat(topic="t"), storing.push_gathered

    def fragile(conn, gathered, **more):
        if any(name[0] == "boom" for name in gathered._names):
            raise ArithmeticError("nobody foresaw this")
        return whole(conn, gathered, **more)

    monkeypatch.setattr(storing, "push_gathered", fragile)
    store = Store(database=database, actor=staff, source="mqtt test", most_waiting=10**6)
    understood = [form.understand(Sent(topic="t", payload=json.dumps(reading(name, 0, 1)).encode())) for name in ("Q-9", "boom", "Q-9")]
    done = store.keep(understood, at=datetime.now(UTC))
    assert (done.found, done.accepted, done.quarantined) == (3, 2, 1)
    assert done.issues[0].code == "message-not-stored"
    assert values(database, staff, channel, 1) == [1]


@pytest.mark.parametrize(
    "payload", [b"", b"[" * 100_000, b"null", b'"x"', b"[[1]]", b'{"values": [1]}', b'{"meter":"a","register":"b","start":1e400,"value":1}', b"\xef\xbb\xbf{}"]
)
def test_no_payload_breaks_the_reader(payload):
    from mains.integrations.headends.messages import Sent, gather

    understood = JsonFormat(topic="t/{meter}").understand(Sent(topic="t/x", payload=payload))
    assert gather([understood]).found == 1
