"""JSON routes: meters hung, exchanged, taken down and tested, and channels changed; part of metering's router."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from mains.base.http import InTransaction
from mains.base.problems import NotFound
from mains.devices import queries as meters
from mains.devices.queries import Commissioning
from mains.metering import channel_facts, fieldwork, queries
from mains.metering.channel_changes import ChannelChange, change_channel
from mains.metering.channel_facts import ChannelFacts
from mains.metering.fieldwork import Exchanged, Hung

router = APIRouter(tags=["meters"])

Reason = Annotated[str, Field(min_length=1, max_length=2000)]
Figures = dict[Annotated[str, Field(max_length=200)], Annotated[Decimal, Field(ge=0, max_digits=20, decimal_places=12)]]
"""What dials show, by register, in the register's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installing:
    """A meter to hang at a service point; `at` is when it was done, `figures` what its dials showed."""

    service_point_number: Annotated[str, Field(max_length=100)]
    at: AwareDatetime
    reason: Reason
    figures: Figures = field(default_factory=dict)
    is_beside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanging:
    """A meter to hang in the place of this one at one instant, with what the dials of both showed."""

    new_meter_number: Annotated[str, Field(max_length=100)]
    at: AwareDatetime
    reason: Reason
    last_figures: Figures = field(default_factory=dict)
    first_figures: Figures = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removing:
    """A meter to take down, with what its dials showed."""

    at: AwareDatetime
    reason: Reason
    figures: Figures = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The installation that ended, and the delivery of the last figures."""

    installation_id: UUID
    batch_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changing:
    """What of a channel is other from `at` on; what is left out stays. `move` says what stays right of readings that are stored for the time after."""

    at: AwareDatetime
    reason: Reason
    multiplier: Annotated[Decimal | None, Field(gt=0, max_digits=30, decimal_places=12)] = None
    unit: Annotated[str | None, Field(max_length=20)] = None
    pow10: Annotated[int | None, Field(ge=-12, le=12)] = None
    interval_s: Annotated[int | None, Field(ge=1, le=86_400)] = None
    utc_offset_min: Annotated[int | None, Field(ge=-720, le=840)] = None
    move: Literal["quantities", "raw"] | None = None


@router.post("/meters/{meter_id}/install", status_code=201)
def install_meter(conn: InTransaction, meter_id: UUID, asked: Installing) -> Hung:
    """Hang a meter at a service point, with the channels of its type."""
    point = meters.service_point_by_number(conn, asked.service_point_number)
    return fieldwork.install(
        conn, meters.meter(conn, meter_id).meter_number, service_point_id=point.service_point_id, at=asked.at, now=datetime.now(UTC), reason=asked.reason,
        figures=asked.figures, is_beside=asked.is_beside,
    )  # fmt: skip


@router.post("/meters/{meter_id}/exchange", status_code=201)
def exchange_meter(conn: InTransaction, meter_id: UUID, asked: Exchanging) -> Exchanged:
    """Hang another meter in the place of this one at one instant."""
    return fieldwork.exchange(
        conn, meters.meter(conn, meter_id).meter_number, asked.new_meter_number, at=asked.at, now=datetime.now(UTC), reason=asked.reason, last_figures=asked.last_figures,
        first_figures=asked.first_figures,
    )  # fmt: skip


@router.post("/meters/{meter_id}/remove")
def remove_meter(conn: InTransaction, meter_id: UUID, asked: Removing) -> Removed:
    """Take a meter down."""
    number = meters.meter(conn, meter_id).meter_number
    ended, batch_id = fieldwork.remove(conn, number, at=asked.at, now=datetime.now(UTC), reason=asked.reason, figures=asked.figures)
    return Removed(installation_id=ended, batch_id=batch_id)


@router.post("/meters/{meter_id}/commission", status_code=201)
def commission_meter(conn: InTransaction, meter_id: UUID) -> list[Commissioning]:
    """Test an installed meter: what its intervals add up to against what its registers moved."""
    return fieldwork.commission(conn, meters.meter(conn, meter_id).meter_number, at=datetime.now(UTC))


@router.get("/channels/{channel_id}")
def channel(conn: InTransaction, channel_id: int) -> ChannelFacts:
    """One channel with its last reading and how good its latest ones are."""
    found = queries.channels_by_id(conn, [channel_id]) if -(2**63) <= channel_id < 2**63 else []
    if not found:
        raise NotFound(f"channel {channel_id} is not here", cure="see /v1/channels")
    return channel_facts.facts_of(conn, found, at=datetime.now(UTC))[0]


@router.post("/channels/{channel_id}/change", status_code=201)
def change(conn: InTransaction, channel_id: int, asked: Changing) -> ChannelChange:
    """Close a channel at an instant and open the next one with what is other from then on."""
    return change_channel(
        conn, channel_id, at=asked.at, now=datetime.now(UTC), reason=asked.reason, multiplier=asked.multiplier, unit=asked.unit, pow10=asked.pow10,
        interval_s=asked.interval_s, utc_offset_min=asked.utc_offset_min, move=asked.move,
    )  # fmt: skip
