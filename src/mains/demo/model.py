"""What a plan is made of: frozen values that carry the keys, so that loading is copying.

Keys are uuids made from the thing's kind, utility and number (`mains.base.ids.named_uuid`), nodes and edges have numbers. Places are
(longitude, latitude) in degrees, WGS 84. Dates are local dates of the utility; a period is [from, to), `None` where it has no end yet.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

Place = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    """A tenant. `first_day_start` is the epoch second at which its first standard-time day block begins."""

    key: UUID
    code: str
    name: str
    kind: str
    commodities: tuple[str, ...]
    timezone: str
    utc_offset_minutes: int
    first_day_start: int
    service_area: tuple[Place, ...]
    regulator_name: str
    contact_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A part of a utility's territory; loads in MW."""

    key: UUID
    utility: UUID
    code: str
    name: str
    kind: str
    boundary: tuple[Place, ...]
    capacity_mw: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A point of the network. Kinds: source, bus, pole, device, transformer, service. `feeder` is '' upstream of the feeder heads."""

    number: int
    utility: UUID
    kind: str
    name: str
    place: Place
    zone: UUID
    feeder: str
    voltage_v: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A connection, drawn from source to load.

    Kinds: line, breaker, recloser, switch, fuse, transformer, service. Length in m, rating in A (kVA for transformers).
    """

    number: int
    utility: UUID
    from_node: int
    to_node: int
    kind: str
    name: str
    phases: str
    length_m: Decimal
    conductor: str
    rating: Decimal
    is_normally_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A piece of equipment.

    `condition` is 0 (as bad as can be) … 100 (as new); rating in kVA for transformers, in A for breakers, else None.
    """

    key: UUID
    utility: UUID
    kind: str
    name: str
    node: int
    place: Place
    zone: UUID
    installed_on: date
    rating: Decimal | None
    rating_unit: str | None
    maker: str
    status: str
    condition: int
    inspect_every_months: int
    last_inspected_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A thing in the field or at home that talks.

    Kinds: thermostat, ev_charger, pv_inverter, transformer_monitor, line_sensor, gateway. One of account and asset is set.
    """

    key: UUID
    utility: UUID
    kind: str
    serial: str
    account: UUID | None
    asset: UUID | None
    status: str
    last_communication: datetime
    firmware: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A person or an organisation. `story` names what is planted at this customer, '' where nothing is."""

    key: UUID
    utility: UUID
    number: int
    customer_number: str
    full_name: str
    customer_class: str
    email: str
    phone: str
    language: str
    service_status: str
    zone: UUID
    place: Place
    is_protected: bool
    since: date
    story: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Premise:
    """A place that is supplied. `number` is the number of the customer who had it when the span began."""

    key: UUID
    utility: UUID
    number: int
    premise_number: str
    address_line: str
    city: str
    region: str
    postal_code: str
    kind: str
    zone: UUID
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePoint:
    """Where a commodity is handed over; `node` is the feeding network node of an electric point."""

    key: UUID
    utility: UUID
    premise: UUID
    service_point_number: str
    commodity: str
    zone: UUID
    node: int | None
    timezone: str
    nominal_voltage_v: int | None
    phases: str | None
    service_size: str | None
    is_critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A meter; `dial_digits` before its register rolls over."""

    key: UUID
    utility: UUID
    meter_number: str
    commodity: str
    manufacturer: str
    model: str
    dial_digits: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where a meter hung, from one instant to another (aware)."""

    key: UUID
    utility: UUID
    meter: UUID
    service_point: UUID
    from_at: datetime
    to_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A dated agreement for one commodity at one service point; it begins and ends at local midnight."""

    key: UUID
    utility: UUID
    account_number: str
    customer: UUID
    service_point: UUID
    commodity: str
    status: str
    from_date: date
    to_date: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateAssignment:
    """Which rate an account is on, by local date; `rate` is the code of a tariff document."""

    key: UUID
    utility: UUID
    account: UUID
    rate: str
    from_date: date
    to_date: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One register of one meter. Interval channels come first and number from 0; `from_slot`, `to_slot` say which slots of the span the
    meter hung there.

    Values are integers of `unit` times 10 to the `power_of_ten`; `interval_s` is None for register reads. Flows: delivered (to the
    customer), received.
    """

    index: int
    key: UUID
    utility: UUID
    meter: UUID
    service_point: UUID
    premise_number: int
    commodity: str
    register: str
    flow: str
    unit: str
    power_of_ten: int
    interval_s: int | None
    from_slot: int
    to_slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentHabit:
    """How a customer pays: days after the due date (negative before) and the share of the amount paid.

    Kinds: autopay, prompt, late, partial, never.
    """

    customer: UUID
    kind: str
    method: str
    days_from_due: int
    share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """A planted outage: everything behind an edge is dead from slot to slot; `laterals` of the feeder's; both half-open."""

    utility: UUID
    edge: int
    feeder: int
    laterals: tuple[int, int]
    from_slot: int
    to_slot: int
    cause: str
    customers: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DemoPlan:
    """Everything about the demo utilities but their readings. `loads` is one row of `shapes.LOAD` a premise, in the order of `premises`."""

    seed: int
    utilities: tuple[Utility, ...]
    zones: tuple[Zone, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    assets: tuple[Asset, ...]
    devices: tuple[Device, ...]
    customers: tuple[Customer, ...]
    premises: tuple[Premise, ...]
    service_points: tuple[ServicePoint, ...]
    meters: tuple[Meter, ...]
    installations: tuple[Installation, ...]
    accounts: tuple[Account, ...]
    rate_assignments: tuple[RateAssignment, ...]
    channels: tuple[Channel, ...]
    interval_channels: int
    tariffs: tuple[dict[str, Any], ...]
    payment_habits: tuple[PaymentHabit, ...]
    interruptions: tuple[Interruption, ...]
    loads: NDArray[np.void]
