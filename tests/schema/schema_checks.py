"""What must hold of every table, view, function and role, as plain functions from a connection to findings; an empty list means that it holds.

They read the catalogue, so a table made tomorrow is held to the same. What may differ is listed here by name, each with its reason; a name that no longer differs is a finding too.
"""

from collections.abc import Callable

from psycopg import Connection

from mains.base.migrate import DOMAINS

SCHEMAS = list(DOMAINS)
ACTING = ["mains_staff", "mains_customer", "mains_regulator", "mains_auditor"]
VERBS = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}

SHARED = {"base.migrations": "what the database was built from; it belongs to no utility"}
"""Tables that belong to no utility."""

UNAUDITED = {
    "base.migrations": "written by the administrator only, each row once",
    "identity.utility_audit_log": "it is the audit",
    "identity.audit_seals": "append-only, sealed by signature",
    "identity.sessions": "signing in is logged by the application, and written before anybody is known",
    "identity.sign_in_links": "used before anybody is known; used once",
    "messages.outbox": "the deliveries are its record; thousands a second in a storm",
    "messages.deliveries": "append-only",
    "network.energised_tree": "derived from edges and switch states, which are audited",
    "network.weather_observations": "data from outside, issued and never edited",
    "devices.sensor_readings": "readings are audited by their delivery, not row by row",
    "devices.last_values": "derived from the readings",
    "metering.ingest_batches": "it is the audit of readings",
    "metering.quarantine": "belongs to its batch, which says who and when",
    "metering.interval_blocks": "audited by batch; replaced versions are kept in the history",
    "metering.interval_block_history": "append-only",
    "metering.register_reads": "audited by batch; corrections add versions",
    "metering.closed_months": "moved blocks, audited by their batches; nobody changes them",
    "metering.reading_inbox": "readings in transit, audited by batch",
    "metering.push_keys": "an answer kept to be given again; its delivery is audited",
    "metering.rollup_days": "derived from the readings",
    "metering.rollup_places": "a count of changes that are audited where they are made",
    "metering.rollups_stale": "a list of work, derived from changes that are audited",
    "metering.rollup_posted": "derived from the readings; empty outside of transactions",
    "metering.rollup_postings": "derived from the readings; empty outside of transactions",
    "billing.bill_lines": "append-only; their bill is audited",
    "billing.bill_inputs": "append-only; their bill is audited",
    "payments.ledger_transactions": "append-only",
    "payments.ledger_entries": "append-only",
    "payments.allocations": "append-only",
    "outages.outage_updates": "append-only; each names its author",
    "outages.outage_reports": "data from outside, thousands a second in a storm",
    "outages.outage_predictions": "append-only",
    "demand.load_curves": "measured, with its source",
    "demand.forecasts": "append-only",
    "demand.backtests": "append-only",
    "demand.baselines": "append-only",
    "demand.settlements": "append-only",
    "demand.openadr_reports": "data from outside, kept as received",
    "maintenance.condition_scores": "append-only",
    "maintenance.thermal_states": "derived from load and weather",
    "insights.usage_analytics": "derived from readings and restoration steps",
    "insights.kpi_values": "derived, with the rows behind it",
    "compliance.filing_cells": "derived, with lineage; frozen once their filing is approved",
    "compliance.edit_check_results": "append-only",
    "compliance.submissions": "append-only",
    "privacy.releases": "append-only",
    "privacy.dp_spends": "append-only",
    "integrations.exchanges": "append-only",
    "integrations.sparkplug_births": "data from outside: what a device says of itself",
}
"""Tables whose changes are not in the audit log."""

UNINDEXED = {
    "identity.role_grants (utility_id,role_name)": "a handful of rows a utility, asked for by person",
    "billing.bill_runs (utility_id,cycle_code)": "cycles are a handful and never removed; runs are asked for by time",
}
"""Foreign keys without an index of their own, besides those to network.utilities (a utility is never removed and its key never changes)."""

SOURCE_NAMES = {
    "reading_timestamp", "last_communication", "outage_start", "actual_restoration", "billing_period_start", "zone_boundary",
}  # fmt: skip
"""Names that the source design gives and that are kept."""

INSTANTS = SOURCE_NAMES | {
    "block_start", "bucket_start", "locked_until", "readings_as_of", "data_as_of", "load_as_of", "send_after",
    "estimated_restoration", "estimated_restoration_low", "estimated_restoration_high",
}  # fmt: skip
"""Names of instants that do not end in _at because they say more that way: the start of a block, the state as of an instant, not before an instant."""

DATES = SOURCE_NAMES | {"billing_period_end", "period_start", "period_end", "month_start"}
"""Names of local dates that do not end in _date: the ends of periods."""

INGEST_TABLES = {"metering.interval_blocks", "metering.reading_inbox", "metering.rollup_posted", "metering.rollup_postings"}
"""Where the login of the bulk loader may INSERT; it may do nothing else anywhere."""

TENANT = "(utility_id = ( SELECT current_utility() AS current_utility))"

_TABLES = """
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""


def _names(conn: Connection, query: str, **values: object) -> list[str]:
    return [row[0] for row in conn.execute(query, {"schemas": SCHEMAS, "roles": ACTING, **values})]  # type: ignore[arg-type]


def tables(conn: Connection) -> list[str]:
    """Every table of the domains, partitions apart, as schema.table."""
    return _names(conn, f"SELECT n.nspname || '.' || c.relname {_TABLES} ORDER BY 1")


def tenant_tables(conn: Connection) -> list[str]:
    """Every table that belongs to utilities."""
    return [name for name in tables(conn) if name not in SHARED]


def _exceptions(found: list[str], allowed: dict[str, str], *, what: str) -> list[str]:
    """What differs without a reason, and reasons for what does not differ."""
    return [f"{name}: {what}" for name in found if name not in allowed] + [f"{name}: listed as an exception ({what}) and is none" for name in allowed if name not in found]


def every_table_has_its_utility(conn: Connection) -> list[str]:
    """utility_id, uuid and NOT NULL, on every table that is not shared."""
    found = _names(
        conn,
        f"""SELECT n.nspname || '.' || c.relname {_TABLES} AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'utility_id' AND a.atttypid = 'uuid'::regtype AND a.attnotnull AND NOT
                a.attisdropped) ORDER BY 1""",
    )
    return _exceptions(found, SHARED, what="no utility_id uuid NOT NULL")


def row_level_security_is_forced(conn: Connection) -> list[str]:
    """ENABLE and FORCE on every table of tenants, and on partitions' parents."""
    found = _names(conn, f"SELECT n.nspname || '.' || c.relname {_TABLES} AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1")
    return _exceptions(found, SHARED, what="row-level security is not enabled and forced")


def one_restrictive_policy_keeps_utilities_apart(conn: Connection) -> list[str]:
    """A restrictive policy for all verbs and all who act, that compares utility_id with the transaction's utility, both ways."""
    found = _names(
        conn,
        f"""SELECT n.nspname || '.' || c.relname {_TABLES} AND NOT EXISTS (
            SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = ARRAY['mains_any'::regrole::oid]
              AND replace(pg_get_expr(p.polqual, p.polrelid), 'identity.', '') = %(tenant)s AND replace(pg_get_expr(p.polwithcheck, p.polrelid), 'identity.', '') =
                  %(tenant)s) ORDER BY 1""",
        tenant=TENANT,
    )
    return _exceptions(found, SHARED, what="no restrictive tenant policy")


def policies_are_one_a_verb(conn: Connection) -> list[str]:
    """No permissive policy is FOR ALL, or for everybody, but those of the owner, as whom nobody acts."""
    return [
        f"{name}: too wide a policy"
        for name in _names(
            conn,
            """SELECT n.nspname || '.' || c.relname || ' ' || p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = ANY(%(schemas)s) AND p.polpermissive AND p.polroles <> ARRAY['mains_owner'::regrole::oid]
              AND (p.polcmd = '*' OR NOT p.polroles <@ (SELECT array_agg(oid) FROM pg_roles WHERE rolname = ANY(%(roles)s))) ORDER BY 1""",
        )
    ]


def grants_and_policies_agree(conn: Connection) -> list[str]:
    """A role has a verb's grant on a table exactly where it has a permissive policy for that verb."""
    found = []
    for role in ACTING:
        for verb, letter in VERBS.items():
            held = "has_table_privilege(%(role)s, c.oid, %(verb)s)" if verb == "DELETE" else "has_any_column_privilege(%(role)s, c.oid, %(verb)s)"
            query = f"""SELECT n.nspname || '.' || c.relname || CASE WHEN {held} THEN ': granted without a policy' ELSE ': a policy without the grant' END {_TABLES}
                AND {held} <> EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = %(letter)s AND %(role)s::regrole::oid = ANY
                    (p.polroles)) ORDER BY 1"""
            found += [f"{name} ({role} {verb})" for name in _names(conn, query, role=role, verb=verb, letter=letter)]
    return found


def nothing_is_granted_to_everybody(conn: Connection) -> list[str]:
    """No right of PUBLIC on a schema, table, view, column, sequence or function of the domains."""
    return _names(
        conn,
        """SELECT * FROM (
            SELECT n.nspname || '.' || c.relname || ': PUBLIC has ' || g.privilege_type AS found
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) g WHERE n.nspname = ANY(%(schemas)s) AND g.grantee = 0
            UNION ALL SELECT n.nspname || '.' || c.relname || '.' || a.attname || ': PUBLIC has ' || g.privilege_type
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(a.attacl) g WHERE
                  n.nspname = ANY(%(schemas)s) AND g.grantee = 0
            UNION ALL SELECT p.oid::regprocedure || ': PUBLIC may call it'
              FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g WHERE
                  n.nspname = ANY(%(schemas)s) AND g.grantee = 0
            UNION ALL SELECT n.nspname || ': PUBLIC has ' || g.privilege_type FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) g WHERE n.nspname =
                ANY(%(schemas)s) AND g.grantee = 0
        ) AS everything ORDER BY 1""",
    )


def nothing_is_granted_past_a_parent(conn: Connection) -> list[str]:
    """Partitions carry no rights of anybody but their owner: the policies are on the parent."""
    return _names(
        conn,
        """SELECT DISTINCT n.nspname || '.' || c.relname || ': ' || coalesce(nullif(g.grantee, 0)::regrole::text, 'PUBLIC') || ' has rights on a partition'
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) g
        WHERE n.nspname = ANY(%(schemas)s) AND c.relispartition AND g.grantee <> c.relowner ORDER BY 1""",
    )


def logins_can_do_nothing_themselves(conn: Connection) -> list[str]:
    """mains_app has no right on any table; mains_ingest has INSERT on the interval tables; mains_any has none; nobody outside has any."""
    found = _names(
        conn,
        """SELECT n.nspname || '.' || c.relname || ' ' || g.grantee::regrole || ' ' || g.privilege_type
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) g
        WHERE n.nspname = ANY(%(schemas)s) AND g.grantee NOT IN (0, c.relowner) AND NOT g.grantee::regrole::text = ANY(%(roles)s) ORDER BY 1""",
    )
    allowed = {f"{table} mains_ingest INSERT" for table in INGEST_TABLES}
    calls = _names(
        conn,
        """SELECT p.oid::regprocedure || ': mains_ingest may call it' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = ANY(%(schemas)s) AND has_function_privilege('mains_ingest', p.oid, 'EXECUTE') ORDER BY 1""",
    )
    return [f"{name}: granted to a login" for name in found if name not in allowed] + [f"{name}: missing" for name in sorted(allowed - set(found))] + calls


def roles_have_no_more_than_they_need(conn: Connection) -> list[str]:
    """Attributes and memberships of every role of mains; only the loader passes row-level security by."""
    wanted = dict.fromkeys(("mains_owner", "mains_any", *ACTING), (False, False, False, True))
    wanted |= {"mains_app": (False, False, True, False), "mains_ingest": (False, True, True, False)}
    query = "SELECT rolname, rolsuper, rolbypassrls, rolcanlogin, rolinherit FROM pg_roles WHERE rolname LIKE 'mains\\_%'"
    have = {row[0]: row[1:] for row in conn.execute(query) if not row[0].startswith("mains_tests")}
    found = [f"{name}: (superuser, bypasses, logs in, inherits) is "
        f"{have.get(name)}, not {wanted.get(name)}" for name in sorted(wanted.keys() | have.keys()) if have.get(name) != wanted.get(name)]
    members = conn.execute(
        """SELECT m.member::regrole || ' in ' || m.roleid::regrole FROM pg_auth_members m
        WHERE m.member::regrole::text LIKE 'mains\\_%' ORDER BY 1"""
    ).fetchall()
    expected = sorted([f"{role} in mains_any" for role in ACTING] + [f"mains_app in {role}" for role in ACTING])
    return found + [f"{name}: a membership too many or too few" for name in sorted({row[0] for row in members} ^ set(expected))]


def views_run_with_the_readers_rights(conn: Connection) -> list[str]:
    """Every view is security_invoker, and there is no materialised view, which would know no row-level security."""
    return [
        f"{name}: a view must be security_invoker, and not materialised"
        for name in _names(
            conn,
            """SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = ANY(%(schemas)s) AND (c.relkind = 'm' OR c.relkind = 'v' AND NOT coalesce(c.reloptions, '{}') &&
                '{security_invoker=true,security_invoker=on}') ORDER BY 1""",
        )
    ]


def definer_functions_pin_their_path(conn: Connection) -> list[str]:
    """A function with its owner's rights looks names up in pg_catalog only, and PUBLIC may not call it."""
    return [
        f"{name}: SECURITY DEFINER without a pinned search_path, or open to PUBLIC"
        for name in _names(
            conn,
            """SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = ANY(%(schemas)s) AND p.prosecdef
              AND (NOT 'search_path=pg_catalog' = ANY (coalesce(p.proconfig, '{}')) OR has_function_privilege('public', p.oid, 'EXECUTE')) ORDER BY 1""",
        )
    ]


def changes_are_audited(conn: Connection) -> list[str]:
    """INSERT, UPDATE and DELETE each have their enabled statement trigger, on every table that is not listed with its reason."""
    found = _names(
        conn,
        f"""SELECT n.nspname || '.' || c.relname {_TABLES} AND 3 <> (
            SELECT count(DISTINCT t.tgname) FROM pg_trigger t
            WHERE t.tgrelid = c.oid AND t.tgfoid = 'identity.audit_change'::regproc AND t.tgenabled IN ('O', 'A') AND t.tgname IN ('audit_insert', 'audit_update',
                'audit_delete')) ORDER BY 1""",
    )
    return _exceptions(found, UNAUDITED, what="no audit trigger")


def everything_is_described(conn: Connection) -> list[str]:
    """A comment on every schema, table, view, column and function."""
    return _names(
        conn,
        """SELECT * FROM (
            SELECT n.nspname || ': no comment' AS found FROM pg_namespace n WHERE n.nspname = ANY(%(schemas)s) AND obj_description(n.oid, 'pg_namespace') IS NULL
            UNION ALL SELECT n.nspname || '.' || c.relname || coalesce('.' || a.attname, '') || ': no comment'
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              LEFT JOIN LATERAL (SELECT NULL::name AS attname, 0 AS attnum UNION ALL SELECT b.attname, b.attnum FROM pg_attribute b WHERE b.attrelid = c.oid AND
                  b.attnum > 0 AND NOT b.attisdropped) a ON true
              WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
                AND coalesce(CASE a.attnum WHEN 0 THEN obj_description(c.oid, 'pg_class') ELSE col_description(c.oid, a.attnum) END, '') = ''
            UNION ALL SELECT p.oid::regprocedure || ': no comment' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%(schemas)s)
                AND obj_description(p.oid, 'pg_proc') IS NULL
        ) AS everything ORDER BY 1""",
    )


def foreign_keys_are_indexed(conn: Connection) -> list[str]:
    """Every foreign key's columns lead some index that holds all rows that have them."""
    found = _names(
        conn,
        """SELECT n.nspname || '.' || c.relname || ' (' || (SELECT string_agg(a.attname, ',' ORDER BY o.place) FROM unnest(k.conkey) WITH ORDINALITY o (attnum,
            place) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.attnum) || ')'
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%(schemas)s) AND k.contype = 'f' AND k.confrelid <> 'network.utilities'::regclass AND NOT c.relispartition AND NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indnkeyatts >= cardinality(k.conkey)
              AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) LIKE '(%% IS NOT NULL)')
              AND (SELECT array_agg(x.attnum ORDER BY x.attnum) FROM unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) AS x (attnum)) = (SELECT
                  array_agg(x.attnum ORDER BY x.attnum) FROM unnest(k.conkey) AS x (attnum)))
        ORDER BY 1""",
    )
    return _exceptions(found, UNINDEXED, what="a foreign key without an index")


def instants_and_money_have_their_types(conn: Connection) -> list[str]:
    """No instant without a zone, no binary fraction, no type money: in tables and views, and in what functions return."""
    return _names(
        conn,
        """SELECT n.nspname || '.' || c.relname || '.' || a.attname || ': ' || format_type(a.atttypid, a.atttypmod)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
          AND a.atttypid = ANY ('{timestamp,timestamp[],timetz,tsrange,float4,float8,float4[],float8[],money}'::regtype[]) ORDER BY 1""",
    )


def names_follow_the_house(conn: Connection) -> list[str]:
    """Instants end in _at, dates in _date, booleans begin with is_ or has_, all in lower case; tables are named once in the whole database."""
    found = []
    columns = conn.execute(
        """SELECT n.nspname || '.' || c.relname || '.' || a.attname, a.attname, a.atttypid::regtype::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1""",
        {"schemas": SCHEMAS},
    )
    for place, name, kind in columns:
        right = {
            "timestamp with time zone": name.endswith("_at") or name in INSTANTS,
            "date": name.endswith("_date") or name in DATES,
            "boolean": name.startswith(("is_", "has_")),
        }.get(kind, True)
        if not right or name != name.lower() or not name.isidentifier():
            found.append(f"{place}: not a house name for {kind}")
    twice = """SELECT c.relname || ': named in ' || string_agg(n.nspname, ' and ' ORDER BY n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm') GROUP BY c.relname HAVING count(*) > 1 ORDER BY 1"""
    return found + _names(conn, twice)


def plain_names_are_reached(conn: Connection) -> list[str]:
    """Every table and view answers to its plain name: nothing before it in the search path has that name."""
    return _names(
        conn,
        """SELECT n.nspname || '.' || c.relname || ': its plain name means ' || coalesce(to_regclass(quote_ident(c.relname))::oid::text, 'nothing')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm') AND to_regclass(quote_ident(c.relname)) IS DISTINCT FROM c.oid::regclass ORDER BY 1""",
    )


CHECKS: list[Callable[[Connection], list[str]]] = [
    every_table_has_its_utility,
    row_level_security_is_forced,
    one_restrictive_policy_keeps_utilities_apart,
    policies_are_one_a_verb,
    grants_and_policies_agree,
    nothing_is_granted_to_everybody,
    nothing_is_granted_past_a_parent,
    logins_can_do_nothing_themselves,
    roles_have_no_more_than_they_need,
    views_run_with_the_readers_rights,
    definer_functions_pin_their_path,
    changes_are_audited,
    everything_is_described,
    foreign_keys_are_indexed,
    instants_and_money_have_their_types,
    names_follow_the_house,
    plain_names_are_reached,
]
