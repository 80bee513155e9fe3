"""Sparkplug B: payloads of edge nodes and their devices, read without a library of protocol buffers. Pure; knows no broker and no database.

Source: Sparkplug 3.0 specification (Eclipse), chapters 4 (topics), 5 (births, deaths, sequence numbers) and 6 (payloads: message `Payload`). A device is a meter, its metrics
are registers, the timestamp of a metric is the start of its interval.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mains.integrations.headends.messages import Reply, Sent, Understood

MOST_METRICS = 20_000
"""Metrics that one payload may hold."""
REBIRTH = "Node Control/Rebirth"
_HOUSEKEEPING = ("Node Control/", "Device Control/", "Node Info/", "Device Info/", "Properties/", "bdSeq")
_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
_WHOLE = {5, 6, 7, 8, *_SIGNED}
_FLOAT, _DOUBLE = 9, 10
_GOOD = 192
_CURE = "send payloads of Sparkplug B 3.0"

Names = tuple[str, str, str]
"""Group, edge node and device; the device is "" for the node itself."""


class PayloadBroken(Exception):
    """The bytes are no Sparkplug payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: `value` is int, float text, or None where it is null or no number; `timestamp` in ms since 1970."""

    name: str
    alias: int | None
    timestamp: int | None
    datatype: int
    value: int | str | None
    is_null: bool
    is_historical: bool
    quality: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One message: `seq` 0 to 255, None where it has none."""

    timestamp: int | None
    seq: int | None
    metrics: list[Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What a node or device said of itself when it came: the names and datatypes of its aliases; `born_ms` by its own clock."""

    names: Names
    born_ms: int
    aliases: dict[int, tuple[str, int]]


# Protocol buffers ----------------------------------------------------------------------------------------------------------------------------------------------


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise PayloadBroken("a number does not end")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), at
        shift += 7


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message: int for a varint, bytes for the rest."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise PayloadBroken(f"a field of wire type {kind}")
        if at + size > len(data):
            raise PayloadBroken("a field is longer than its message")
        yield tag >> 3, data[at : at + size]
        at += size


def _text(value: int | bytes) -> str:
    if isinstance(value, int):
        raise PayloadBroken("a text is a number")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise PayloadBroken("a name is no UTF-8") from None


def _number(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise PayloadBroken("a number is no varint")
    return value


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise PayloadBroken("a part is a number")
    return value


def decode(data: bytes) -> Payload:
    """A payload of its bytes.

    Raises:
        PayloadBroken: they are none.
    """
    timestamp, seq, metrics = None, None, []
    for number, value in fields(data):
        if number == 1:
            timestamp = _number(value)
        elif number == 2:
            metrics.append(_metric(_bytes(value)))
            if len(metrics) > MOST_METRICS:
                raise PayloadBroken(f"more than {MOST_METRICS} metrics")
        elif number == 3:
            seq = _number(value)
    if seq is not None and seq > 255:
        raise PayloadBroken(f"a sequence number of {seq}")
    return Payload(timestamp=timestamp, seq=seq, metrics=metrics)


def _metric(data: bytes) -> Metric:
    """One metric; of values, numbers only."""
    name, alias, stamp, kind, historical, null, quality, raw = "", None, None, 0, False, False, None, None
    for number, value in fields(data):
        match number:
            case 1:
                name = _text(value)
            case 2:
                alias = _number(value)
            case 3:
                stamp = _number(value)
            case 4:
                kind = _number(value)
            case 5:
                historical = bool(_number(value))
            case 7:
                null = bool(_number(value))
            case 9:
                quality = _quality(_bytes(value))
            case 10 | 11 | 12 | 13:
                raw = number, value
            case _:
                pass
    found = None if null or raw is None else _value(*raw, kind)
    return Metric(name=name, alias=alias, timestamp=stamp, datatype=kind, value=found, is_null=null, is_historical=historical, quality=quality)


def _value(number: int, value: int | bytes, kind: int) -> int | str | None:
    """The number that a metric has, exactly: whole, or the shortest decimal text of its float."""
    if number in (10, 11):
        whole = _number(value)
        bits = _SIGNED.get(kind)
        if bits is None:
            return whole
        whole &= 2**bits - 1
        return whole - 2**bits if whole >> (bits - 1) else whole
    found = _bytes(value)
    if len(found) != (4 if number == 12 else 8):
        raise PayloadBroken("a float of a wrong length")
    if number == 13:
        return repr(struct.unpack("<d", found)[0])
    single = struct.unpack("<f", found)[0]
    return next((text for digits in range(6, 10) if struct.pack("<f", float(text := f"{single:.{digits}g}")) == found), repr(single))


def _quality(data: bytes) -> int | None:
    """The property Quality of a metric."""
    keys = [_text(value) for number, value in fields(data) if number == 1]
    values = [_bytes(value) for number, value in fields(data) if number == 2]
    if "Quality" not in keys or keys.index("Quality") >= len(values):
        return None
    return next((_number(value) for number, value in fields(values[keys.index("Quality")]) if number in (3, 4)), None)


# Nodes ---------------------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class SparkplugFormat:
    """Messages of edge nodes, with what they said of themselves at birth; `registers` maps names of metrics to registers, and then only those are readings.

    A gap in a node's sequence, or an alias that no birth has named, is answered with a request to be born again.
    """

    registers: Mapping[str, str] = field(default_factory=dict)
    births: dict[Names, Birth] = field(default_factory=dict)
    _seq: dict[tuple[str, str], int] = field(default_factory=dict)
    _asked: set[tuple[str, str]] = field(default_factory=set)

    def understand(self, sent: Sent) -> Understood:
        """What a message says."""
        found = Understood(topic=sent.topic)
        levels = sent.topic.split("/")
        if len(levels) not in (4, 5) or levels[0] != "spBv1.0":
            if levels[:2] != ["spBv1.0", "STATE"]:
                found.refused.append(("bad-topic", "this is no topic of Sparkplug B", "publish to spBv1.0/GROUP/TYPE/NODE[/DEVICE]"))
            return found
        group, kind, node, device = levels[1], levels[2], levels[3], levels[4] if len(levels) == 5 else ""
        if kind not in ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"):
            return found
        try:
            payload = decode(sent.payload)
        except PayloadBroken as error:
            found.refused.append(("bad-payload", f"the payload is no Sparkplug B: {error}", _CURE))
            return found
        self._follow((group, node), kind, payload, found)
        if kind.endswith("BIRTH"):
            self._born((group, node, device), payload, found)
        if not kind.endswith("DEATH"):
            self._read((group, node, device), payload, found)
        return found

    def _follow(self, node: tuple[str, str], kind: str, payload: Payload, found: Understood) -> None:
        """Follow the sequence numbers of a node; a gap means that something was lost on the way."""
        if kind == "NDEATH":
            self._seq.pop(node, None)
            return
        if payload.seq is None:
            return
        last = self._seq.get(node)
        if kind == "NBIRTH":
            self._asked.discard(node)
        elif last is not None and payload.seq != (last + 1) % 256:
            self._ask(node, found)
        self._seq[node] = payload.seq

    def _ask(self, node: tuple[str, str], found: Understood) -> None:
        """Ask a node, once until it does, to be born again."""
        if node not in self._asked:
            self._asked.add(node)
            found.replies.append(Reply(topic=f"spBv1.0/{node[0]}/NCMD/{node[1]}", payload=rebirth_command()))

    def _born(self, names: Names, payload: Payload, found: Understood) -> None:
        """Remember the aliases of a birth."""
        aliases = {metric.alias: (metric.name, metric.datatype) for metric in payload.metrics if metric.alias is not None and metric.name}
        birth = Birth(names=names, born_ms=payload.timestamp or 0, aliases=aliases)
        self.births[names] = birth
        found.births.append(birth)

    def _read(self, names: Names, payload: Payload, found: Understood) -> None:
        """The readings among the metrics of a payload."""
        birth = self.births.get(names)
        for metric in payload.metrics:
            name, kind = metric.name, metric.datatype
            if not name:
                known = birth.aliases.get(metric.alias) if birth and metric.alias is not None else None
                if known is None:
                    self._ask((names[0], names[1]), found)
                    shown = f"metric {metric.alias} = {metric.value} at {metric.timestamp or payload.timestamp} ms"
                    found.refused.append(("unknown-alias", f"no birth has named {shown}", "the node was asked to be born again; push the reading again, or enter it"))
                    continue
                name, kind = known[0], kind or known[1]
            register = self.registers.get(name) if self.registers else name
            if register is None or name.startswith(_HOUSEKEEPING) or not (kind in _WHOLE or kind in (_FLOAT, _DOUBLE)):
                continue
            found.readings.append(_reading(names[2] or names[1], register, metric, kind, metric.timestamp if metric.timestamp is not None else payload.timestamp))


def _reading(meter: str, register: str, metric: Metric, kind: int, stamp_ms: int | None) -> dict[str, Any]:
    """One reading as `Gathered.add` takes it."""
    value = metric.value
    if isinstance(value, int) and not metric.datatype and kind in _SIGNED:  # the datatype was left out, as it may be after a birth
        value = value - 2 ** _SIGNED[kind] if value >> (_SIGNED[kind] - 1) else value
    start = stamp_ms // 1000 if stamp_ms is not None and stamp_ms % 1000 == 0 else f"{stamp_ms} ms"
    quality = None if metric.quality is None or metric.quality == _GOOD else "questionable"
    return {"meter": meter, "register": register, "start": start, "value": value, "quality": quality}


def rebirth_command() -> bytes:
    """The payload of an NCMD that asks a node to be born again: metric `Node Control/Rebirth`, datatype Boolean, true."""
    name = REBIRTH.encode()
    metric = b"\x0a" + bytes([len(name)]) + name + b"\x20\x0b" + b"\x70\x01"
    return b"\x12" + bytes([len(metric)]) + metric
