"""From the plan to rows: devices, power cuts with who went out to them, work on equipment, and a programme that shifts load."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import cos, pi
from uuid import UUID

from psycopg import Connection

from mains.base.bulk import insert_rows
from mains.base.ids import named_uuid
from mains.base.sql import Statements
from mains.demo.chance import chance
from mains.demo.generate import hourly_temperatures
from mains.demo.model import Asset, DemoPlan, Interruption, Utility
from mains.demo.seeding import midnight, period, point
from mains.demo.span import REFERENCE_DATE

_sql = Statements("mains.demo", "operations.sql")

_CAUSES = {"equipment": "equipment", "planned": "planned", "storm": "wind", "vehicle": "vehicle"}
_WORDS = {
    "equipment": "A fuse blew on the line; it has been replaced.",
    "planned": "Planned work on the line, as announced.",
    "storm": "A tree fell into the line in the storm.",
    "vehicle": "A vehicle hit a pole.",
}
_CREWS = (("Line 1", "line", 4), ("Line 2", "line", 4), ("Service 1", "service", 2), ("Trees 1", "tree", 3))
PROGRAMME = "car-nights"
_EVENT = (datetime(2026, 7, 14, 21, tzinfo=UTC), datetime(2026, 7, 15, 0, tzinfo=UTC))


def seed_operations(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """Devices, cuts, crews, work orders and the programme of one utility; `conn` acts for it."""
    _devices(conn, plan, utility)
    _monitors(conn, plan, utility)
    _weather(conn, plan, utility)
    if utility.code == "riverbend":
        _cuts(conn, plan, utility)
        _work(conn, plan, utility)
        _programme(conn, plan, utility)


def _devices(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    installed_at = midnight(utility, date(2025, 6, 1))
    columns = ["device_id", "device_type", "serial_number", "account_id", "firmware_version", "installed_at", "last_communication"]
    insert_rows(
        conn, "devices.smart_devices", columns,
        ((d.key, d.kind, d.serial, d.account, d.firmware, installed_at, d.last_communication) for d in plan.devices if d.utility == utility.key),
    )  # fmt: skip


def _weather(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """The weather that made the loads, as one station observed it hour by hour."""
    zone = next(zone for zone in plan.zones if zone.utility == utility.key)
    corners = list(zone.boundary)
    place = (sum(x for x, _ in corners) / len(corners), sum(y for _, y in corners) / len(corners))
    station = named_uuid("demo", "weather", utility.code)
    insert_rows(
        conn, "network.weather_stations", ["weather_station_id", "station_code", "station_name", "geolocation"],
        [(station, utility.code.upper(), f"{utility.name.split()[0]} weather station", f"({place[0]},{place[1]})")],
    )  # fmt: skip
    starts, degrees = hourly_temperatures(plan, utility)
    observed = ((datetime.fromtimestamp(start, UTC), Decimal(f"{value:.1f}")) for start, value in zip(starts.tolist(), degrees.tolist(), strict=True))
    insert_rows(
        conn, "network.weather_observations", ["weather_station_id", "valid_at", "issued_at", "is_forecast", "temperature_c"],
        ((station, at, at, False, value) for at, value in observed),
    )  # fmt: skip


def _monitors(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """A monitor on each substation transformer, with three days of hourly oil temperatures."""
    units = [asset for asset in plan.assets if asset.utility == utility.key and asset.kind == "substation_transformer"]
    end = midnight(utility, REFERENCE_DATE)
    keys = {asset.key: named_uuid("demo", "device", utility.code, asset.name) for asset in units}
    insert_rows(
        conn, "devices.smart_devices", ["device_id", "device_type", "serial_number", "asset_id", "firmware_version", "installed_at", "last_communication"],
        ((keys[a.key], "transformer_monitor", f"TM-{a.name}", a.key, "1.8.2", midnight(utility, a.installed_on), end) for a in units),
    )  # fmt: skip
    conn.execute(_sql.ensure_sensor_months, {"from_at": end - timedelta(days=3), "to_at": end})
    hours = [end - timedelta(hours=h) for h in range(72, 0, -1)]
    values = {(a.key, at): _oil_c(a, at) for a in units for at in hours}
    columns = ["device_id", "reading_timestamp", "reading_type", "numeric_value", "unit", "received_at"]
    insert_rows(conn, "devices.sensor_readings", columns, ((keys[a], at, "top_oil_temperature", value, "°C", at) for (a, at), value in values.items()))
    insert_rows(
        conn, "devices.last_values", ["device_id", "reading_type", "numeric_value", "unit", "reading_quality", "reading_timestamp"],
        ((keys[a.key], "top_oil_temperature", values[a.key, hours[-1]], "°C", "good", hours[-1]) for a in units),
    )  # fmt: skip


def _oil_c(asset: Asset, at: datetime) -> Decimal:
    """Oil that warms in the evening: 38 °C, a daily wave of 6 K, and half a kelvin of noise."""
    wave = 38 - 6 * cos((at.astimezone(UTC).hour - 11) / 24 * 2 * pi)
    return Decimal(f"{wave + chance(1, asset.name, at.isoformat()).gauss(0, 0.5):.1f}")


def _key(utility: Utility, cut: Interruption) -> UUID:
    return named_uuid("demo", "outage", utility.code, cut.edge, cut.from_slot)


def _bounds(utility: Utility, cut: Interruption) -> tuple[datetime, datetime]:
    first = datetime.fromtimestamp(utility.first_day_start, UTC)
    return first + timedelta(minutes=15 * cut.from_slot), first + timedelta(minutes=15 * cut.to_slot)


def _cuts(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """The planted power cuts: each restored in one step, with what was said, and the crew that went."""
    cuts = [(number, cut, *_bounds(utility, cut)) for number, cut in enumerate((c for c in plan.interruptions if c.utility == utility.key), start=1)]
    zones = [zone for zone in plan.zones if zone.utility == utility.key]
    breakers = [edge.number for edge in plan.edges if edge.utility == utility.key and edge.kind == "breaker"]
    columns = ["outage_id", "outage_number", "outage_status", "outage_start", "estimated_restoration", "actual_restoration", "affected_customers", "customers_restored"]
    insert_rows(
        conn, "outages.outages",
        [*columns, "estimated_load_lost_mw", "service_zone_id", "feeder_edge_id", "device_edge_id", "outage_cause", "is_planned", "is_recorded_automatically"],
        (
            (
                _key(utility, c), f"{start:%Y}-{n:04d}", "closed", start, end, end, c.customers, c.customers, Decimal(c.customers * 3) / 1000, zones[c.feeder].key,
                breakers[c.feeder], c.edge, _CAUSES[c.cause], c.cause == "planned", True,
            )
            for n, c, start, end in cuts
        ),
    )  # fmt: skip
    columns = ["outage_id", "step_no", "starts_at", "restored_at", "customers_interrupted", "customers_restored", "service_zone_id", "feeder_edge_id", "is_verified"]
    insert_rows(
        conn, "outages.interruption_steps", columns,
        ((_key(utility, c), 1, start, end, c.customers, c.customers, zones[c.feeder].key, breakers[c.feeder], True) for _, c, start, end in cuts),
    )  # fmt: skip
    insert_rows(
        conn, "outages.outage_updates", ["outage_id", "updated_at", "outage_status", "estimated_restoration", "affected_customers", "message", "is_public"],
        (
            (_key(utility, c), at, status, end, c.customers, words, True)
            for _, c, start, end in cuts
            for at, status, words in (
                (start + timedelta(minutes=6), "confirmed", f"{c.customers} customers are without power. We are on our way."),
                (end, "restored", f"Power is back. {_WORDS[c.cause]}"),
            )
        ),
    )  # fmt: skip
    home = point(utility.service_area[0])
    insert_rows(
        conn, "outages.crews", ["crew_id", "crew_name", "crew_type", "members", "crew_status", "home_place"],
        ((named_uuid("demo", "crew", utility.code, name), name, kind, members, "available", home) for name, kind, members in _CREWS),
    )  # fmt: skip
    insert_rows(
        conn, "outages.crew_assignments", ["crew_id", "outage_id", "assigned_period", "assignment_status"],
        ((named_uuid("demo", "crew", utility.code, _CREWS[n % 2][0]), _key(utility, c), period(start, end), "done") for n, c, start, end in cuts),
    )  # fmt: skip


def _work(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """Work on what was broken, and inspections of equipment in bad condition."""
    columns = ["work_order_number", "asset_id", "outage_id", "work_kind", "priority", "work_status", "description", "due_date", "started_at", "finished_at", "labour_hours"]
    cuts = [(cut, *_bounds(utility, cut)) for cut in plan.interruptions if cut.utility == utility.key]
    done = [
        (
            None, _key(utility, c), "preventive" if c.cause == "planned" else "emergency", "urgent", "done", _WORDS[c.cause], start.date(), start, end,
            (end - start) / timedelta(hours=1) * 4,
        )
        for c, start, end in cuts
    ]  # fmt: skip
    worn = sorted((a for a in plan.assets if a.utility == utility.key and a.condition < 35), key=lambda a: (a.condition, a.name))[:25]
    planned = [
        (
            a.key, None, "inspection", "high" if a.condition < 25 else "normal", "planned", f"Inspect {a.name}: condition {a.condition} of 100",
            date(2026, 11, 20) + timedelta(days=3 * n), None, None, None,
        )
        for n, a in enumerate(worn)
    ]  # fmt: skip
    insert_rows(conn, "maintenance.work_orders", columns, ((f"W26-{n:04d}", *order) for n, order in enumerate([*done, *planned], start=1)))
    insert_rows(
        conn, "maintenance.condition_scores", ["asset_id", "scored_at", "method", "score", "inputs"],
        ((a.key, midnight(utility, a.last_inspected_on), "inspection", a.condition, "{}") for a in plan.assets if a.utility == utility.key),
    )  # fmt: skip


def _programme(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """Cars that charge later when asked: who takes part, and one evening on which they were asked."""
    programme = named_uuid("demo", "programme", utility.code, PROGRAMME)
    columns = ["programme_id", "programme_code", "programme_name", "device_type", "season_months", "max_events_a_season", "max_events_a_week", "max_minutes_an_event"]
    insert_rows(
        conn, "demand.programmes", [*columns, "min_notice_minutes", "incentive_per_kwh", "programme_status"],
        [(programme, PROGRAMME, "Charge after dark", "ev_charger", "{6,7,8,9}", 12, 3, 240, 120, Decimal("0.30"), "active")],
    )  # fmt: skip
    owner = {a.key: a.customer for a in plan.accounts}
    protected = {c.key for c in plan.customers if c.is_protected}
    lasting = {a.key for a in plan.accounts if a.to_date is None and a.from_date < date(2026, 5, 1)}
    able = {account for account in lasting if owner[account] not in protected}
    chargers = [d for d in plan.devices if d.utility == utility.key and d.kind == "ev_charger" and d.account in able][::2]
    since = midnight(utility, date(2026, 5, 1))
    insert_rows(
        conn, "customers.enrolments", ["enrolment_id", "account_id", "programme_code", "enrolled_period"],
        ((named_uuid("demo", "enrolment", d.key), d.account, PROGRAMME, period(since, None)) for d in chargers),
    )  # fmt: skip
    if not chargers:
        return
    event = named_uuid("demo", "event", utility.code, PROGRAMME)
    target = Decimal(len(chargers) * 2) / 1000
    insert_rows(
        conn, "demand.demand_events", ["demand_event_id", "programme_id", "event_status", "event_period", "notified_at", "target_mw", "expected_mw", "trigger_reason"],
        [(event, programme, "completed", period(*_EVENT), _EVENT[0] - timedelta(hours=6), target, target, "A hot evening: the forecast is within 3 % of last year's peak")],
    )  # fmt: skip
    insert_rows(
        conn, "demand.event_participants", ["demand_event_id", "account_id", "enrolment_id", "device_id", "participant_status", "expected_kw"],
        ((event, d.account, named_uuid("demo", "enrolment", d.key), d.key, "completed", 2) for d in chargers),
    )  # fmt: skip
