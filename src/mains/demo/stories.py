"""What is planted, and at which customers: each story stands once in every 200 customers, so a demo of 40 or more has them all."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

EVERY = 200
STORIES = {
    25: "ev",
    26: "solar",
    27: "meter_exchange",
    28: "moves_house",
    29: "final_bill",
    30: "rate_switch",
    31: "real_gap",
    32: "spike",
    33: "new_building",
    34: "estimated_stretch",
    35: "gas_rollover",
    36: "gas_read_missing",
    37: "water_leak",
    38: "air_conditioning",
    39: "solar_and_ev",
    40: "long_holiday",
}
"""Customer number modulo 200 → story."""

MOVED_OUT = date(2026, 5, 18)
"""The customer of the story moves_house leaves the first home on this local date …"""
MOVED_IN = date(2026, 5, 20)
"""… and enters the neighbour's on this one,"""
NEIGHBOUR_LEFT = date(2026, 5, 16)
"""who left the town, with a final bill, on this one."""
RATE_SWITCH = date(2026, 3, 11)
NEW_BUILDING = date(2026, 4, 15)
EXCHANGE = "2026-02-17T10:15"
REAL_GAP = date(2026, 8, 11), date(2026, 8, 13)
ESTIMATED = date(2026, 1, 6), date(2026, 1, 11)
SPIKE_DATE = date(2026, 6, 9)
LEAK_FROM = date(2026, 3, 20)
GAS_READ_MISSING = date(2026, 2, 1)
LONG_HOLIDAY = date(2026, 2, 2), date(2026, 3, 14)


def story_of(utility: str, number: int) -> str:
    """The story planted at a customer of Riverbend, '' where there is none; the neighbouring utility has none.

    >>> story_of("riverbend", 225), story_of("riverbend", 1), story_of("mesa", 25)
    ('ev', '', '')
    """
    return STORIES.get(number % EVERY, "") if utility == "riverbend" else ""


def exchange_at(timezone: str) -> datetime:
    """When the old meter of a meter_exchange came off and the new one went on, within the same quarter of an hour."""
    return datetime.fromisoformat(EXCHANGE).replace(tzinfo=ZoneInfo(timezone))
