"""The MQTT consumer: at least once in, exactly once stored.

A message is acknowledged to the broker only after the transaction that holds it is committed; one that comes again finds its channel and interval taken and changes nothing. The
session outlives the connection, so what was not acknowledged comes again. The broker sends no more unacknowledged messages than `most_in_flight` (MQTT 5, Receive Maximum), so
a slow database slows the broker, and nothing is dropped. aiomqtt acknowledges on arrival and offers no other way; its paho client, told to leave that to us, does.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiomqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from mains.base.log import facts_of
from mains.integrations.headends.messages import Format, Reply, Sent
from mains.integrations.headends.storing import NOT_NOW, Store
from mains.metering import inbox

log = structlog.get_logger("mains.headends")
SESSION_S = 7 * 86_400
"""How long the broker keeps the session while nobody is connected."""
_SEND_IF_NEW = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is and who we are to it; the session belongs to `client_id`, so that each consumer has its own."""

    host: str
    port: int
    client_id: str
    user_name: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How messages are gathered and stored: a batch closes at `most` messages or `within_s` after its first; pauses after failures grow from the first of `pauses_s` to the last.

    The inbox is flushed every `flush_every_s`, and as soon as `flush_at` readings wait, which is looked at every `look_every_s`.
    """

    most: int = 1000
    within_s: float = 0.05
    most_in_flight: int = 4000
    pauses_s: tuple[float, float] = (0.5, 30.0)
    flush_every_s: float = 4 * 3600
    flush_at: int = 2_000_000
    look_every_s: float = 10.0


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a consumer did: messages acknowledged, and readings."""

    messages: int = 0
    batches: int = 0
    found: int = 0
    accepted: int = 0
    quarantined: int = 0
    reconnects: int = 0


class _Intake(asyncio.Queue):
    """The queue between the connection and the store, which gives out batches instead of messages."""

    def __init__(self, *, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    async def get(self) -> list[aiomqtt.Message]:
        """The messages that are there, at most a batch, after waiting for the first and a little for more."""
        first = await super().get()
        if self.qsize() + 1 < self._pace.most:
            await asyncio.sleep(self._pace.within_s)
        return [first, *(self.get_nowait() for _ in range(min(self.qsize(), self._pace.most - 1)))]


@dataclass(slots=True, kw_only=True)
class Consumer:
    """Reads messages of one broker into the store until it is told to stop; `clock` tells the instant of a delivery."""

    broker: Broker
    topics: Sequence[str]
    format: Format
    store: Store
    clock: Callable[[], datetime]
    pace: Pace = field(default_factory=Pace)
    progress: Progress = field(default_factory=Progress)
    is_host: str | None = None

    async def run(self, stop: asyncio.Event) -> Progress:
        """Consume until `stop` is set; a lost connection is made again."""
        flushing = asyncio.create_task(self._flush(stop))
        pause = self.pace.pauses_s[0]
        while not stop.is_set():
            before = self.progress.messages
            try:
                await self._connected(stop)
            except (aiomqtt.MqttError, OSError) as error:
                self.progress.reconnects += 1
                pause = self.pace.pauses_s[0] if self.progress.messages > before else min(pause * 2, self.pace.pauses_s[1])
                log.warning("the broker is away", host=self.broker.host, port=self.broker.port, again_in_s=pause, **facts_of(error))
                await _wait(stop, pause)
        await flushing
        return self.progress

    async def _connected(self, stop: asyncio.Event) -> None:
        """One connection, from its beginning to its end."""
        intake = _Intake(pace=self.pace)
        async with self._client(intake) as client:
            await self._subscribe(client)
            log.info("connected", host=self.broker.host, port=self.broker.port, topics=list(self.topics))
            stopping = asyncio.create_task(stop.wait())
            batches = client.messages.__aiter__()
            try:
                while not stop.is_set():
                    coming = asyncio.ensure_future(batches.__anext__())
                    await asyncio.wait((coming, stopping), return_when=asyncio.FIRST_COMPLETED)
                    if not coming.done():
                        coming.cancel()
                        return
                    await self._take(client, coming.result(), stop)  # pyright: ignore[reportArgumentType] - the intake gives lists
            finally:
                stopping.cancel()

    def _client(self, intake: _Intake) -> aiomqtt.Client:
        """A client that leaves acknowledging to us and takes no more than we can hold."""
        asked = Properties(PacketTypes.CONNECT)
        asked.SessionExpiryInterval = SESSION_S
        asked.ReceiveMaximum = self.pace.most_in_flight
        will = None
        if self.is_host:
            will = aiomqtt.Will(f"spBv1.0/STATE/{self.is_host}", self._state(online=False), qos=1, retain=True)
        client = aiomqtt.Client(
            self.broker.host, self.broker.port, identifier=self.broker.client_id, username=self.broker.user_name, password=self.broker.password,
            tls_context=self.broker.tls, protocol=aiomqtt.ProtocolVersion.V5, clean_start=False, properties=asked, will=will,
            queue_type=lambda maxsize: intake,  # noqa: ARG005 # pyright: ignore[reportArgumentType] - it is only called
        )  # fmt: skip
        _paho(client).manual_ack_set(on=True)
        return client

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        for topic in self.topics:
            codes = await client.subscribe(topic, options=SubscribeOptions(qos=1, retainHandling=_SEND_IF_NEW))
            if any(getattr(code, "is_failure", False) for code in codes):
                raise aiomqtt.MqttError(f"the broker refuses the subscription of {topic}")
        if self.is_host:
            await client.publish(f"spBv1.0/STATE/{self.is_host}", self._state(online=True), qos=1, retain=True)

    def _state(self, *, online: bool) -> str:
        """What a Sparkplug host application says of itself, so that edge nodes keep readings while it is away."""
        return f'{{"online": {str(online).lower()}, "timestamp": {int(self.clock().timestamp() * 1000)}}}'

    async def _take(self, client: aiomqtt.Client, batch: list[aiomqtt.Message], stop: asyncio.Event) -> None:
        """Store a batch, then acknowledge it; where it cannot be stored now, try until it can, and leave the broker waiting."""
        understood = [self.format.understand(Sent(topic=str(message.topic), payload=_bytes(message.payload))) for message in batch]
        pause = self.pace.pauses_s[0]
        while True:
            try:
                done = await asyncio.to_thread(self.store.keep, understood, at=self.clock())
                break
            except NOT_NOW as error:
                log.warning("messages wait for the database", messages=len(batch), again_in_s=pause, **facts_of(error))
                if isinstance(error, inbox.InboxFull):
                    await asyncio.to_thread(self._flush_now)
                await _wait(stop, pause)
                pause = min(pause * 2, self.pace.pauses_s[1])
                if stop.is_set():
                    return  # not acknowledged: they come again
        for message in batch:
            if message.qos:
                _paho(client).ack(message.mid, message.qos)
        self.progress.messages += len(batch)
        self.progress.batches += 1
        self.progress.found += done.found
        self.progress.accepted += done.accepted
        self.progress.quarantined += done.quarantined
        await self._reply(client, [reply for each in understood for reply in each.replies])

    async def _reply(self, client: aiomqtt.Client, replies: list[Reply]) -> None:
        for reply in replies:
            log.info("asked a node to be born again", topic=reply.topic)
            await client.publish(reply.topic, reply.payload, qos=0)

    async def _flush(self, stop: asyncio.Event) -> None:
        """Store what waits in the inbox every so often, and earlier where much waits."""
        waited = 0.0
        while not await _wait(stop, min(self.pace.look_every_s, self.pace.flush_every_s)):
            waited += min(self.pace.look_every_s, self.pace.flush_every_s)
            try:
                if waited >= self.pace.flush_every_s or await asyncio.to_thread(self._is_due):
                    await asyncio.to_thread(self._flush_now)
                    waited = 0.0
            except NOT_NOW as error:
                log.warning("the inbox cannot be flushed now", **facts_of(error))

    def _is_due(self) -> bool:
        with self.store.database.transaction(actor=self.store.actor) as conn:
            return inbox.is_full(conn, most=min(self.pace.flush_at, self.store.most_waiting))

    def _flush_now(self) -> None:
        try:
            done = inbox.flush(self.store.database, self.store.actor, at=self.clock())
        except NOT_NOW as error:
            log.warning("the inbox cannot be flushed now", **facts_of(error))
            return
        if done.taken:
            log.info("flushed", taken=done.taken, new=done.new, changed=done.changed, quarantined=done.quarantined)


def _paho(client: aiomqtt.Client) -> Any:
    """The paho client beneath; aiomqtt has no manual acknowledgement of its own."""
    return client._client  # noqa: SLF001


def _bytes(payload: Any) -> bytes:
    return bytes(payload) if isinstance(payload, bytes | bytearray) else str(payload).encode()


async def _wait(stop: asyncio.Event, seconds: float) -> bool:
    """Wait, but no longer than until `stop` is set; whether it is."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
