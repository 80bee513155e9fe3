"""Reading meters over DLMS/COSEM: associate, ask for registers, the clock and a stretch of a load profile, and let go.

What a meter answers is checked before it is believed; whatever goes wrong is one `MeterNotRead` that says at which step and why. Sources: IEC 62056-53 (services), -62
(interface classes: 3 register, 7 profile generic, 8 clock).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import structlog
from dlms_cosem import cosem, enumerations, utils
from dlms_cosem import exceptions as lib
from dlms_cosem.client import DataResultError, DlmsClient
from dlms_cosem.cosem import selective_access
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.protocol import xdlms
from dlms_cosem.security import LowLevelSecurityAuthentication, NoSecurityAuthentication

from mains.base.problems import Problem
from mains.integrations.headends import obis
from mains.integrations.headends.dlms_wire import NotHeard, Wire, WrapperTransport

CLOCK = cosem.Obis(0, 0, 1, 0, 0)
LOAD_PROFILE = cosem.Obis(1, 0, 99, 1, 0)
MOST_ENTRIES = 100_000
"""Rows of a profile that are taken from one meter at once."""

_REGISTER, _PROFILE, _CLOCK = enumerations.CosemInterface.REGISTER, enumerations.CosemInterface.PROFILE_GENERIC, enumerations.CosemInterface.CLOCK
_SORTED_BY_TIME = 2
_NO_DEVIATION = -0x8000


class MeterNotRead(Problem):
    """A meter could not be read: which one, at which step, and why."""

    status = 502


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A meter and the way to it: `client` 16 is the public client, `server` 1 the management device. With `password` it is LLS, else nobody signs in."""

    meter: str
    host: str
    port: int = 4059
    client: int = 16
    server: int = 1
    timeout_s: float = 10.0
    password: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterValue:
    """What a register showed: decimal text in `unit` (None where its unit is not known here), at the instant of the meter's clock."""

    register: str
    value: str
    unit: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One value of a profile: `start` of its interval; `quality` a word."""

    register: str
    start: datetime
    value: str | None
    unit: str | None
    quality: str


@dataclass(slots=True, kw_only=True)
class MeterReadings:
    """What one meter said; `drift_s` is its clock less ours."""

    meter: str
    drift_s: float | None = None
    registers: list[RegisterValue] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)

    def as_sent(self) -> Iterator[dict[str, Any]]:
        """The readings as `Gathered.add` takes them; an interval without a value is no reading."""
        for read in self.registers:
            yield {"meter": self.meter, "register": read.register, "start": int(read.at.timestamp()), "value": read.value, "unit": read.unit}
        for each in self.intervals:
            if each.value is not None:
                yield {
                    "meter": self.meter, "register": each.register, "start": int(each.start.timestamp()), "value": each.value, "unit": each.unit, "quality": each.quality,
                }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to ask a meter: registers by logical name, and a profile's stretch [from_at, to_at); `ends` where the meter stamps intervals with their end, as most do."""

    registers: Sequence[cosem.Obis] = ()
    profile: cosem.Obis | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    ends: bool = True


# Asking --------------------------------------------------------------------------------------------------------------------------------------------------------


def read_meter(address: Address, question: Question, *, at: datetime) -> MeterReadings:
    """Read one meter; `at` is now.

    Raises:
        MeterNotRead: it could not be reached, let us not in, or did not answer as it should.
    """
    found = MeterReadings(meter=address.meter)
    with _association(address) as session:
        clock = session.clock()
        found.drift_s = (clock - at).total_seconds()
        for logical_name in question.registers:
            found.registers.append(session.register(logical_name, at=at.replace(microsecond=0)))
        if question.profile is not None:
            assert question.from_at is not None
            assert question.to_at is not None
            found.intervals = session.profile(question.profile, question.from_at, question.to_at, offset=clock.tzinfo or UTC, ends=question.ends)
    return found


def read_all(addresses: Sequence[Address], question: Question, *, at: datetime, at_once: int = 16) -> Iterator[MeterReadings | MeterNotRead]:
    """Read many meters, at most `at_once` at a time; each answer as it is there, in the order asked, a failure in its place."""

    def one(address: Address) -> MeterReadings | MeterNotRead:
        try:
            return read_meter(address, question, at=at)
        except MeterNotRead as problem:
            return problem

    with ThreadPoolExecutor(max_workers=max(1, min(at_once, len(addresses) or 1)), thread_name_prefix="dlms") as pool:
        yield from pool.map(one, addresses)


class _Silent:
    """A log that says nothing: dlms-cosem logs whole requests, passwords and keys in them."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def _silence() -> None:
    """Take the log from the library."""
    from dlms_cosem import client, connection, io, security, state

    for module in (client, connection, io, security, state):
        if hasattr(module, "LOG"):
            module.LOG = _Silent()  # pyright: ignore[reportAttributeAccessIssue]


_silence()
log = structlog.get_logger("mains.headends")


def _client(address: Address) -> DlmsClient:
    wire = Wire(host=address.host, port=address.port, timeout=address.timeout_s)
    transport: Any = WrapperTransport(client_logical_address=address.client, server_logical_address=address.server, io=wire)
    authentication: Any = NoSecurityAuthentication() if address.password is None else LowLevelSecurityAuthentication(secret=address.password)
    return DlmsClient(transport=transport, authentication=authentication)


@contextmanager
def _association(address: Address) -> Iterator["_Session"]:
    """A meter that let us in; it is let go whatever happens."""
    session = _Session(address=address, client=_client(address))
    session.step("connect", session.client.connect)
    try:
        session.step("associate", session.client.associate)
        yield session
        session.quietly(session.client.release_association)
    finally:
        session.quietly(session.client.disconnect)
        session.quietly(getattr(session.client.transport.io, "disconnect", lambda: None))


_REFUSED = {
    "AUTHENTICATION_FAILED": ("wrong password or key", "check the password and the client address"),
    "AUTHENTICATION_FAILURE": ("wrong password or key", "check the password and the client address"),
    "AUTHENTICATION_REQUIRED": ("it wants a password", "give the password of this client address"),
    "AUTHENTICATION_MECHANISM_NAME_REQUIRED": ("it wants a password", "give the password of this client address"),
    "AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNIZED": ("it does not know this way to sign in", "try with a password, or without; keys (HLS) are not spoken yet"),
    "APPLICATION_CONTEXT_NAME_NOT_SUPPORTED": ("it takes no such association", "its client may want keys (HLS), which are not spoken yet: use one with a password"),
    "CALLING_AP_TITLE_NOT_RECOGNIZED": ("it does not know this client", "check the client address"),
}


@dataclass(slots=True, kw_only=True)
class _Session:
    """One association with a meter."""

    address: Address
    client: DlmsClient
    takes_lists: bool = True

    def step(self, what: str, do: Any, *arguments: Any) -> Any:
        """One step, whose failure says which it was."""
        try:
            return do(*arguments)
        except MeterNotRead:
            raise
        except NotHeard as error:
            raise self._failed(what, str(error), "check address, port and that the meter is on the line") from error
        except DataResultError as error:
            raise self._failed(what, _plain(error), "check the logical name and the rights of this client address") from error
        except lib.DlmsClientException as error:
            said = str(error)
            why, cure = next((known for code, known in _REFUSED.items() if code in said), (_plain(error), "check the addresses and the way to sign in"))
            raise self._failed(what, why, cure) from error
        except Exception as error:  # the library raises whatever it stumbles over in an answer
            raise self._failed(what, f"the answer cannot be understood ({type(error).__name__}: {_plain(error)})", "check that this is a DLMS meter, and the addresses") from error

    def _failed(self, what: str, why: str, cure: str) -> MeterNotRead:
        place = f"{self.address.host}:{self.address.port}"
        return MeterNotRead(f"meter {self.address.meter} at {place}, {what}: {why}", cure=cure, meter=self.address.meter, step=what)

    def quietly(self, do: Any) -> None:
        """A step at the end whose failure changes nothing."""
        try:
            do()
        except Exception as error:  # noqa: BLE001 - what was read is read
            log.debug("a meter did not let go properly", meter=self.address.meter, error=type(error).__name__)

    def clock(self) -> datetime:
        """What time it is for the meter."""
        return self.step("clock", lambda: instant(self._get(_CLOCK, CLOCK, 2), fallback=UTC))

    def register(self, logical_name: cosem.Obis, *, at: datetime) -> RegisterValue:
        """What a register shows now, with its scaler and unit."""
        name = obis.short(logical_name.to_bytes())

        def ask() -> RegisterValue:
            value, form = self._get_pair(logical_name)
            return RegisterValue(register=name, value=_scaled(value, form), unit=_unit(form), at=at)

        return self.step(f"register {name}", ask)

    def _get_pair(self, logical_name: cosem.Obis) -> tuple[Any, Any]:
        """Value and scaler-unit of a register in one question, or in two where the meter takes no lists."""
        wanted = [cosem.CosemAttributeWithSelection(cosem.CosemAttribute(_REGISTER, logical_name, number), None) for number in (2, 3)]
        if self.takes_lists and self.client.dlms_connection.conformance.multiple_references:
            try:
                answer = self.client.get_many(wanted)
            except lib.DlmsClientException:  # it said that it takes lists, and does not
                self.takes_lists = False
                answer = None
            if isinstance(answer, xdlms.GetResponseWithList) and len(answer.response_data) == len(wanted):
                value, form = (_decoded(each) for each in answer.response_data)
                return value, form
        return self._get(_REGISTER, logical_name, 2), self._get(_REGISTER, logical_name, 3)

    def _get(self, interface: Any, logical_name: cosem.Obis, attribute: int, selection: Any = None) -> Any:
        return utils.parse_as_dlms_data(self.client.get(cosem.CosemAttribute(interface, logical_name, attribute), selection))

    def profile(self, logical_name: cosem.Obis, from_at: datetime, to_at: datetime, *, offset: Any, ends: bool) -> list[Interval]:
        """The rows of a profile whose intervals start in [from_at, to_at)."""
        name = obis.short(logical_name.to_bytes())
        captured, period, units = self.step(f"columns of profile {name}", self._columns, logical_name)
        shift = timedelta(seconds=period if ends else 0)
        stretch = selective_access.RangeDescriptor(
            restricting_object=CaptureObject(cosem.CosemAttribute(_CLOCK, CLOCK, 2)), from_value=(from_at + shift).astimezone(offset),
            to_value=(to_at + shift - timedelta(seconds=1)).astimezone(offset),
        )  # fmt: skip
        rows = self.step(f"profile {name}", self._get, _PROFILE, logical_name, 2, stretch)
        if not isinstance(rows, list) or len(rows) > MOST_ENTRIES:
            raise self._failed(f"profile {name}", "the answer is no list of rows", "check the logical name")
        found = self.step(f"profile {name}", lambda: list(_intervals(rows, captured, units, period=period, offset=offset, shift=shift)))
        return [each for each in found if from_at <= each.start < to_at]

    def _columns(self, logical_name: cosem.Obis) -> tuple[list[tuple[int, bytes, int]], int, dict[int, tuple[int, str | None]]]:
        """What a profile captures (class, logical name, attribute), its period in s, and scaler and unit of each column that is a register."""
        captured = [(int(each[0]), bytes(each[1]), int(each[2])) for each in self._get(_PROFILE, logical_name, 3)]
        period = int(self._get(_PROFILE, logical_name, 4))
        if not 0 < period <= 86_400:
            raise ValueError(f"a period of {period} s")
        units = {}
        for column, (kind, code, attribute) in enumerate(captured):
            if kind == _REGISTER and attribute == 2:
                form = self._get(_REGISTER, cosem.Obis.from_bytes(code), 3)
                units[column] = int(form[0]), _unit(form)
        if not any(kind == _CLOCK for kind, _, _ in captured):
            raise ValueError("the profile has no clock")
        return captured, period, units


# Answers -------------------------------------------------------------------------------------------------------------------------------------------------------


def _plain(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]


def _decoded(result: Any) -> Any:
    """One result of a list: its data.

    Raises:
        DataResultError: the meter says why there is none.
    """
    if isinstance(result, enumerations.DataAccessResult):
        raise DataResultError(f"the meter answers {result.name}")
    return result.to_python() if hasattr(result, "to_python") else result


def _unit(form: Any) -> str | None:
    """The unit of a scaler-unit pair; None where it is not known here."""
    return obis.UNITS.get(int(form[1]))


def _scaled(value: Any, form: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"a value of type {type(value).__name__}")
    if not -12 <= int(form[0]) <= 12:
        raise ValueError(f"a scaler of {form[0]}")
    return obis.scaled(value, int(form[0]))


def instant(data: Any, *, fallback: Any) -> datetime:
    """A COSEM date-time of 12 bytes; where it does not say its deviation from UTC, `fallback` is its zone. Source: IEC 62056-62, 4.1.6.1."""
    raw = bytes(data)
    if len(raw) != 12:
        raise ValueError(f"a date-time of {len(raw)} bytes")
    deviation = int.from_bytes(raw[9:11], "big", signed=True)
    zone = fallback if deviation == _NO_DEVIATION else timezone(timedelta(minutes=-deviation))
    second = 0 if raw[7] == 255 else raw[7]
    return datetime(int.from_bytes(raw[:2], "big"), raw[2], raw[3], raw[5], raw[6], second, tzinfo=zone)


def _intervals(
    rows: list[Any], captured: list[tuple[int, bytes, int]], units: dict[int, tuple[int, str | None]], *, period: int, offset: Any, shift: timedelta
) -> Iterator[Interval]:
    """The values of a profile's rows; a row without its time follows the one before, as a meter that compresses sends it."""
    clock = next(column for column, (kind, _, _) in enumerate(captured) if kind == _CLOCK)
    status = next((column for column, (kind, code, _) in enumerate(captured) if kind == enumerations.CosemInterface.DATA and code[2:4] == b"\x60\x0a"), None)
    last: datetime | None = None
    for row in rows:
        if not isinstance(row, list) or len(row) != len(captured):
            raise ValueError(f"a row of {len(row) if isinstance(row, list) else 0} columns in a profile of {len(captured)}")
        if row[clock] is not None:
            last = instant(row[clock], fallback=offset)
        elif last is not None:
            last += timedelta(seconds=period)
        else:
            raise ValueError("the first row has no time")
        mark = obis.quality_of_status(_status(row[status]) if status is not None else None)
        for column, (scaler, unit) in units.items():
            value = None if row[column] is None else _scaled(row[column], (scaler, 0))
            yield Interval(register=obis.short(captured[column][1]), start=last - shift, value=value, unit=unit, quality=mark.name.lower())


def _status(value: Any) -> int | None:
    """The status of a row as a number."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return int.from_bytes(bytes(value)[:1], "big") if isinstance(value, bytes | bytearray) else None
