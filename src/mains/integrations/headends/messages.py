"""What a message of a head-end says, whatever its format: readings as they were sent, and what could not be read of it. Pure; knows no broker and no database.

JSON payloads come in three shapes: one reading `{"meter", "register", "start", "value", "unit"?, "quality"?}`; a list of those; or a run of intervals
`{"meter", "register", "start", "interval_s", "values": [..], "unit"?, "quality"?}`, in which null means that there is no value. A topic may give meter and register
instead: `--topic 'meters/{meter}/{register}'`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mains.metering import push_lines
from mains.metering.pushing import Gathered, Refused, instant_or_none

MOST_IN_A_MESSAGE = 20_000
"""Readings that one message may hold."""
_PLACEHOLDER = re.compile(r"\{(meter|register)\}")
_RUN = frozenset({"meter", "register", "start", "interval_s", "values", "unit", "quality"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message as it came: its topic and its bytes."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A message to send back."""

    topic: str
    payload: bytes


@dataclass(slots=True, kw_only=True)
class Understood:
    """What a message says: members of readings as `Gathered.add` takes them, what could not be read (code, message, cure), and what to answer.

    `births` are what Sparkplug nodes said of themselves, to be kept with the readings.
    """

    topic: str
    readings: list[dict[str, Any]] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    births: list[Any] = field(default_factory=list)


class Format(Protocol):
    """How payloads of one kind are read; what it remembers from message to message is its own."""

    def understand(self, sent: Sent) -> Understood:
        """What a message says; never raises for what is in it."""
        ...


def gather(messages: Sequence[Understood]) -> Gathered:
    """The readings of messages as one push; a refused one names its topic."""
    gathered = Gathered(refused=Refused(places=[f"mqtt {message.topic}"[:300] for message in messages]))
    for number, message in enumerate(messages, start=1):
        for reading in message.readings:
            gathered.add(**reading, line=number)
        for code, text, cure in message.refused:
            gathered.refused.add(code, text, line=number, cure=cure)
    return gathered


# JSON ----------------------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFormat:
    """Payloads of JSON; `topic` may name where in a topic the meter and the register are."""

    topic: str

    @property
    def subscription(self) -> str:
        """The topic filter to subscribe to."""
        return _PLACEHOLDER.sub("+", self.topic)

    def understand(self, sent: Sent) -> Understood:
        """What a message says."""
        found = Understood(topic=sent.topic)
        if len(sent.payload) > push_lines.LONGEST_LINE * 64:
            found.refused.append(("message-too-long", f"the message has {len(sent.payload)} bytes", "send fewer readings a message"))
            return found
        try:
            body = json.loads(sent.payload, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError):
            shown = sent.payload[:120].decode("utf-8", "replace")
            found.refused.append(("not-json", f"the message is no JSON: {shown}", "send JSON in UTF-8: a reading, a list of readings, or a run of intervals"))
            return found
        items = body if isinstance(body, list) else [body]
        if len(items) > MOST_IN_A_MESSAGE:
            found.refused.append(("message-too-long", f"the message has {len(items)} readings", f"send at most {MOST_IN_A_MESSAGE} a message"))
            return found
        named = self._named(sent.topic)
        for item in items:
            if isinstance(item, dict):
                item = named | item  # noqa: PLW2901 - what the message says goes before what its topic says
            if isinstance(item, dict) and "values" in item:
                _run(item, found)
            elif fault := push_lines.fault_of(item):
                found.refused.append(fault)
            else:
                found.readings.append(item)
        return found

    def _named(self, topic: str) -> dict[str, str]:
        """What a topic says of its readings."""
        names: dict[str, str] = {}
        for level, said in zip(self.topic.split("/"), topic.split("/"), strict=False):
            if placeholder := _PLACEHOLDER.fullmatch(level):
                names[placeholder[1]] = said
        return names


def _run(item: dict[str, Any], found: Understood) -> None:
    """A run of intervals, one after another."""
    values, start = item["values"], instant_or_none(item.get("start"))
    step = int(item["interval_s"]) if isinstance(item.get("interval_s"), str) and re.fullmatch(r"\d{1,5}", item["interval_s"]) else 0
    wrong = sorted(item.keys() - _RUN)
    if wrong or not isinstance(values, list) or not 0 < len(values) <= MOST_IN_A_MESSAGE or start is None or not 0 < step <= 86_400 or not {"meter", "register"} <= item.keys():
        why = f"{wrong[0][:40]!r} is no member of a run of intervals" if wrong else "a run of intervals is not complete"
        cure = "send meter, register, start with its offset, interval_s (1 to 86400) and values as a list"
        found.refused.append(("bad-run", why, cure))
        return
    same = {name: item.get(name) for name in ("meter", "register", "unit", "quality")}
    found.readings += [same | {"start": start + number * step, "value": value} for number, value in enumerate(values) if value is not None]
