"""How bytes get to a meter and back: the TCP wrapper of DLMS/COSEM (IEC 62056-47: version, ports and length before each APDU).

The transports of dlms-cosem wait for ever on a connection that the meter closed; these end with a reason, and take no longer than they may in all.
"""

import socket
import struct
import time
from dataclasses import dataclass, field

MOST_BYTES = 32 << 20
"""Bytes that are taken from a meter in one conversation."""
_HEAD = struct.Struct(">4H")
_VERSION = 1


class NotHeard(Exception):
    """The meter did not answer, or not in this protocol: what happened."""


@dataclass(slots=True, kw_only=True)
class Wire:
    """One TCP connection; every answer must come within `timeout` s of its question."""

    host: str
    port: int
    timeout: float
    _socket: socket.socket | None = None
    _deadline: float = 0.0
    _received: int = 0

    def connect(self) -> None:
        """Open the connection."""
        try:
            self._socket = socket.create_connection((self.host, self.port), timeout=self.timeout)
        except OSError as error:
            raise NotHeard(f"{self.host}:{self.port} cannot be reached: {error.strerror or error}") from error

    def disconnect(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, data: bytes) -> None:
        """Send a question; the time for its answer begins."""
        self._deadline = time.monotonic() + self.timeout
        try:
            self._open().sendall(data)
        except OSError as error:
            raise NotHeard(f"the meter closed the connection: {error.strerror or error}") from error

    def recv(self, amount: int = 1) -> bytes:
        """So many bytes of the answer."""
        found = b""
        while len(found) < amount:
            found += self._some(amount - len(found))
        return found

    def _some(self, most: int) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise NotHeard(f"the meter did not answer within {self.timeout:g} s")
        try:
            self._open().settimeout(left)
            found = self._open().recv(most)
        except TimeoutError:
            raise NotHeard(f"the meter did not answer within {self.timeout:g} s") from None
        except OSError as error:
            raise NotHeard(f"the connection broke: {error.strerror or error}") from error
        if not found:
            raise NotHeard("the meter closed the connection")
        self._received += len(found)
        if self._received > MOST_BYTES:
            raise NotHeard(f"the meter sent more than {MOST_BYTES >> 20} MiB")
        return found

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise NotHeard("there is no connection")
        return self._socket


@dataclass(slots=True, kw_only=True)
class WrapperTransport:
    """APDUs in the TCP wrapper, as `dlms_cosem.io.DlmsTransport` has it; the addresses are wrapper ports."""

    client_logical_address: int
    server_logical_address: int
    io: Wire
    timeout: int = field(default=10)

    def connect(self) -> None:
        """Open the connection."""
        self.io.connect()

    def disconnect(self) -> None:
        """Close the connection."""
        self.io.disconnect()

    def send_request(self, bytes_to_send: bytes) -> bytes:
        """One APDU there, one APDU back."""
        self.io.send(_HEAD.pack(_VERSION, self.client_logical_address, self.server_logical_address, len(bytes_to_send)) + bytes_to_send)
        version, source, target, length = _HEAD.unpack(self.io.recv(8))
        if version != _VERSION:
            raise NotHeard(f"the answer begins with {version:#06x}: this is no DLMS wrapper")
        if (source, target) != (self.server_logical_address, self.client_logical_address):
            raise NotHeard(f"the answer is from {source} to {target}, asked was {self.server_logical_address} from {self.client_logical_address}: check the addresses")
        if not length:
            raise NotHeard("the answer is empty")
        return self.io.recv(length)
