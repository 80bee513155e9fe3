"""OBIS codes to what is measured, and the codes of units and states of meters. Pure.

Sources: IEC 62056-61 (value groups: 1-0 electricity, 1.8.0 import, 2.8.0 export, 29 and 1.29 the load profiles), IEC 62056-62 table of units (30 Wh, 32 varh, 31 VAh, 13 m3 …),
and the profile status of the companion standards IDIS and DSMR (bits of one byte).
"""

from decimal import Decimal

from mains.metering.model import Quality

UNITS = {13: "m3", 14: "m3", 27: "W", 28: "VA", 30: "Wh", 31: "VAh", 32: "varh"}
"""COSEM unit code -> unit; 14 is corrected volume."""

CRITICAL, CLOCK_INVALID, NOT_VALID, SUMMER, CLOCK_ADJUSTED, POWER_DOWN = 1, 2, 4, 8, 32, 128
"""Bits of a profile's status; summer time is no fault."""


def quality_of_status(status: int | None) -> Quality:
    """What a status says of an interval: not valid or a critical error fails it; a clock that is wrong or was set, or a power failure, makes it doubtful."""
    if status is None:
        return Quality.ACTUAL
    if status & (CRITICAL | NOT_VALID):
        return Quality.FAILED_CHECK
    if status & (CLOCK_INVALID | CLOCK_ADJUSTED | POWER_DOWN):
        return Quality.QUESTIONABLE
    return Quality.ACTUAL


def short(code: bytes) -> str:
    """The name of a register of its logical name, as people write it.

    >>> short(bytes([1, 0, 1, 8, 0, 255]))
    '1-0:1.8.0'
    """
    a, b, c, d, e, _ = code
    return f"{a}-{b}:{c}.{d}.{e}"


def scaled(value: int, scaler: int) -> str:
    """A value with its power of ten, exactly."""
    return format(Decimal(value).scaleb(scaler), "f")
