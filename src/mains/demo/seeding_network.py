"""From the plan to rows: zones, nodes, edges, and equipment with its ratings."""

from psycopg import Connection

from mains.base.bulk import insert_rows
from mains.demo.model import DemoPlan, Utility

_LIFE_YEARS = {"substation_transformer": 45, "transformer": 38, "breaker": 35, "recloser": 30, "pole": 50}
_COST = {"substation_transformer": 1_450_000, "transformer": 9_500, "breaker": 62_000, "recloser": 41_000, "pole": 4_800}
_SWITCHES, _PROTECTIVE = ("breaker", "recloser", "switch", "fuse"), ("breaker", "recloser", "fuse")


def seed_network(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """The zones and the network of one utility; `conn` acts for it."""
    insert_rows(
        conn, "network.service_zones", ["zone_id", "zone_name", "zone_code", "zone_type", "zone_boundary", "capacity_mw"],
        ((z.key, z.name, z.code, z.kind, "(" + ",".join(f"({x},{y})" for x, y in z.boundary) + ")", z.capacity_mw) for z in plan.zones if z.utility == utility.key),
    )  # fmt: skip
    insert_rows(
        conn, "network.nodes", ["node_id", "node_name", "node_kind", "service_zone_id", "geolocation", "nominal_voltage_v"],
        ((n.number, n.name, n.kind, n.zone, f"({n.place[0]},{n.place[1]})", n.voltage_v) for n in plan.nodes if n.utility == utility.key),
    )  # fmt: skip
    columns = ["edge_id", "edge_name", "edge_kind", "from_node_id", "to_node_id", "phases", "length_m", "conductor"]
    insert_rows(
        conn, "network.edges", [*columns, "is_switchable", "is_normally_open", "is_protective"],
        (
            (e.number, e.name, e.kind, e.from_node, e.to_node, e.phases, e.length_m, e.conductor or None, e.kind in _SWITCHES, e.is_normally_open, e.kind in _PROTECTIVE)
            for e in plan.edges if e.utility == utility.key
        ),
    )  # fmt: skip
    _equipment(conn, plan, utility)


def _equipment(conn: Connection, plan: DemoPlan, utility: Utility) -> None:
    """Assets with what they can carry."""
    assets = [asset for asset in plan.assets if asset.utility == utility.key]
    columns = ["asset_id", "asset_name", "asset_type", "service_zone_id", "node_id", "geolocation", "manufacturer", "installed_date"]
    insert_rows(
        conn, "network.infrastructure_assets", [*columns, "expected_life_years", "replacement_cost", "condition_score", "maintenance_schedule"],
        (
            (
                a.key, a.name, a.kind, a.zone, a.node, f"({a.place[0]},{a.place[1]})", a.maker, a.installed_on, _LIFE_YEARS[a.kind], _COST[a.kind], a.condition,
                f'{{"inspect_every_months": {a.inspect_every_months}, "last_inspected_on": "{a.last_inspected_on.isoformat()}"}}',
            )
            for a in assets
        ),
    )  # fmt: skip
    insert_rows(
        conn, "network.ratings", ["asset_id", "rating_kind", "rated_value", "rated_unit", "effective_period", "source"],
        ((a.key, "normal", a.rating, a.rating_unit, f"[{a.installed_on.isoformat()},)", "nameplate") for a in assets if a.rating is not None),
    )  # fmt: skip
