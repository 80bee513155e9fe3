"""A meter at the other end of the wire: the TCP wrapper, association with or without a password, and GET with lists, ranges and blocks, byte by byte as the standard has them."""

import socket
import struct
import threading
from datetime import UTC, datetime, timedelta

CLOCK, PROFILE = (8, bytes([0, 0, 1, 0, 0, 255])), (7, bytes([1, 0, 99, 1, 0, 255]))
IMPORT, EXPORT, STATUS = (3, bytes([1, 0, 1, 8, 0, 255])), (3, bytes([1, 0, 2, 8, 0, 255])), (1, bytes([0, 0, 96, 10, 1, 255]))
_AARE = "6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400007e1fffff0007"
_REFUSED = "6117a109060760857405080101a203020101a305a10302010d"
_OBJECT_UNDEFINED = 4


def octets(data: bytes) -> bytes:
    return b"\x09" + bytes([len(data)]) + data


def u32(value: int) -> bytes:
    return b"\x06" + value.to_bytes(4, "big")


def structure(*parts: bytes) -> bytes:
    return b"\x02" + bytes([len(parts)]) + b"".join(parts)


def array(parts: list[bytes]) -> bytes:
    n = len(parts)
    size = bytes([n]) if n < 128 else b"\x82" + n.to_bytes(2, "big")
    return b"\x01" + size + b"".join(parts)


def scaler_unit(scaler: int, unit: int) -> bytes:
    return structure(b"\x0f" + scaler.to_bytes(1, "big", signed=True), b"\x16" + bytes([unit]))


def stamp(at: datetime) -> bytes:
    deviation = -int(at.utcoffset().total_seconds() // 60)
    return struct.pack(">HBBBBBBBhB", at.year, at.month, at.day, 255, at.hour, at.minute, at.second, 0, deviation, 0)


class SimulatedMeter:
    """Listens on a loopback port until it is closed; `misbehave` is "", silent, garbage, close, endless or foreign."""

    def __init__(self, *, now, values, period=900, password=None, block=None, takes_lists=True, misbehave="", omit_times=False, status=None, delay=0.0):
        self.now, self.values, self.period, self.password, self.block = now, values, period, password, block
        self.takes_lists, self.misbehave, self.omit_times, self.status, self.delay = takes_lists, misbehave, omit_times, status or {}, delay
        self.asked = []
        self.most_at_once = 0
        self._open = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ending = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self):
        self._ending.set()
        self._listener.close()

    def _listen(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        pending = {}
        with connection:
            try:
                while head := self._exactly(connection, 8):
                    _, source, target, length = struct.unpack(">4H", head)
                    apdu = self._exactly(connection, length)
                    if self.misbehave == "close" and apdu[0] == 0xC0:
                        break
                    if self.misbehave == "silent" and apdu[0] == 0xC0:
                        self._ending.wait(20)
                        break
                    self._ending.wait(self.delay)
                    answer = b"\xde\xad\xbe\xef" * 9 if self.misbehave == "garbage" and apdu[0] == 0xC0 else self._answer(apdu, pending)
                    if self.misbehave == "foreign":
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        break
                    connection.sendall(struct.pack(">4H", 1, target, source, len(answer)) + answer)
            except OSError:
                pass
        self._open -= 1

    @staticmethod
    def _exactly(connection, amount):
        found = b""
        while len(found) < amount:
            piece = connection.recv(amount - len(found))
            if not piece:
                return b""
            found += piece
        return found

    def _answer(self, apdu, pending):
        if apdu[0] == 0x60:
            parts, at = {}, 2
            while at < len(apdu):
                parts[apdu[at]], at = apdu[at + 2 : at + 2 + apdu[at + 1]], at + 2 + apdu[at + 1]
            given = parts[0xAC][2:] if 0xAC in parts else None
            return bytes.fromhex(_AARE if given == self.password else _REFUSED)
        if apdu[0] == 0x62:
            return bytes.fromhex("6303800100")
        kind, invoke = apdu[1], apdu[2:3]
        if kind == 1:
            found = self._attribute(apdu[3:])
            if isinstance(found, int):
                return b"\xc4\x01" + invoke + b"\x01" + bytes([found])
            if self.block and len(found) > self.block:
                pending["rest"], pending["number"] = found, 0
                return self._next_block(invoke, pending)
            return b"\xc4\x01" + invoke + b"\x00" + found
        if kind == 2:
            return self._next_block(invoke, pending)
        if not self.takes_lists:
            return b"\xd8\x01\x02"
        answers, rest = [], apdu[4:]
        for _ in range(apdu[3]):
            found = self._attribute(rest[:10])
            answers.append(b"\x01" + bytes([found]) if isinstance(found, int) else b"\x00" + found)
            rest = rest[10:]
        return b"\xc4\x03" + invoke + bytes([len(answers)]) + b"".join(answers)

    def _next_block(self, invoke, pending):
        piece, pending["rest"] = pending["rest"][: self.block], pending["rest"][self.block :]
        if self.misbehave == "endless":
            pending["rest"] += piece
        pending["number"] += 1
        size = bytes([len(piece)]) if len(piece) < 128 else b"\x82" + len(piece).to_bytes(2, "big")
        return b"\xc4\x02" + invoke + bytes([not pending["rest"]]) + pending["number"].to_bytes(4, "big") + b"\x00" + size + piece

    def _attribute(self, asked):
        thing, number = (int.from_bytes(asked[:2], "big"), asked[2:8]), asked[8]
        self.asked.append((thing, number))
        known = {
            (CLOCK, 2): lambda: octets(stamp(self.now)),
            (IMPORT, 2): lambda: u32(1234567),
            (IMPORT, 3): lambda: scaler_unit(1, 30),
            (EXPORT, 3): lambda: scaler_unit(1, 30),
            (PROFILE, 2): lambda: self._rows(asked[9:]),
            (PROFILE, 3): lambda: array([structure(b"\x12" + kind.to_bytes(2, "big"), octets(name), b"\x0f\x02", b"\x12\x00\x00") for kind, name in (CLOCK, STATUS, IMPORT)]),
            (PROFILE, 4): lambda: u32(self.period),
        }
        return known.get((thing, number), lambda: _OBJECT_UNDEFINED)()

    def _rows(self, selection):
        ends = sorted(self.values)
        if selection[0]:
            at = [selection.index(b"\x09\x0c"), selection.rindex(b"\x09\x0c")]
            first, last = (self._instant(selection[each + 2 : each + 14]) for each in at)
            ends = [end for end in ends if first <= end <= last]
        rows = []
        for n, end in enumerate(ends):
            time = b"\x00" if self.omit_times and n else octets(stamp(end.astimezone(self.now.tzinfo)))
            value = self.values[end]
            rows.append(structure(time, b"\x11" + bytes([self.status.get(end, 0)]), b"\x00" if value is None else u32(value)))
        return array(rows)

    @staticmethod
    def _instant(raw):
        year, month, day, _, hour, minute, second, _, deviation, _ = struct.unpack(">HBBBBBBBhB", raw)
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC) + timedelta(minutes=deviation)
