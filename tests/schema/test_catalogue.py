"""Every table, view, function and role of the database is held to the rules of the house, and each rule is shown to see a breach."""

import psycopg
import pytest
import schema_checks as checks


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_the_database_keeps_the_rule(admin, check):
    assert check(admin) == []


BREACHES = {
    "a table without its utility": ("CREATE TABLE network.planted (planted_id uuid PRIMARY KEY)", checks.every_table_has_its_utility, "network.planted"),
    "a utility that may be missing": ("ALTER TABLE outages.crews ALTER utility_id DROP NOT NULL", checks.every_table_has_its_utility, "outages.crews"),
    "a table that nobody protected": (
        "CREATE TABLE network.planted (planted_id uuid PRIMARY KEY, utility_id uuid NOT NULL)",
        checks.row_level_security_is_forced,
        "network.planted",
    ),
    "row-level security switched off": ("ALTER TABLE billing.bills DISABLE ROW LEVEL SECURITY", checks.row_level_security_is_forced, "billing.bills"),
    "row-level security not forced": ("ALTER TABLE billing.bills NO FORCE ROW LEVEL SECURITY", checks.row_level_security_is_forced, "billing.bills"),
    "no tenant policy": ("DROP POLICY tenant ON customers.customers", checks.one_restrictive_policy_keeps_utilities_apart, "customers.customers"),
    "a tenant policy for reading only": (
        ("DROP POLICY tenant ON outages.outages; CREATE POLICY tenant ON outages.outages AS RESTRICTIVE FOR SELECT TO "
            "mains_any USING (utility_id = (SELECT identity.current_utility()))"),
        checks.one_restrictive_policy_keeps_utilities_apart,
        "outages.outages",
    ),
    "a tenant policy that lets everything in": (
        "DROP POLICY tenant ON outages.outages; CREATE POLICY tenant ON outages.outages AS RESTRICTIVE TO mains_any USING (true) WITH CHECK (true)",
        checks.one_restrictive_policy_keeps_utilities_apart,
        "outages.outages",
    ),
    "a policy for all verbs": (("CREATE POLICY planted ON outages.outages TO mains_customer "
        "USING (affected_customers > 100)"), checks.policies_are_one_a_verb, "outages.outages planted"),
    "a policy for everybody": ("CREATE POLICY planted ON outages.outages FOR SELECT USING (true)", checks.policies_are_one_a_verb, "outages.outages planted"),
    "a policy dropped under its grant": ("DROP POLICY staff_select ON outages.outages", checks.grants_and_policies_agree, ("outages.outages: granted without a policy "
        "(mains_staff SELECT)")),
    "a grant without a policy": ("GRANT DELETE ON billing.bills TO mains_staff", checks.grants_and_policies_agree, "billing.bills: granted without a policy (mains_staff DELETE)"),
    "a column granted without a policy": ("GRANT SELECT (full_name) ON customers.customers TO mains_regulator", checks.grants_and_policies_agree, "customers.customers"),
    "a policy without its grant": ("REVOKE SELECT ON billing.bills FROM mains_customer", checks.grants_and_policies_agree, ("billing.bills: a policy without the grant "
        "(mains_customer SELECT)")),
    "a table for everybody": ("GRANT SELECT ON billing.bills TO PUBLIC", checks.nothing_is_granted_to_everybody, "billing.bills"),
    "a function for everybody": ("GRANT EXECUTE ON FUNCTION base.new_id() TO PUBLIC", checks.nothing_is_granted_to_everybody, "new_id"),
    "a right on a partition": ("GRANT SELECT ON metering.interval_blocks_default TO mains_staff", checks.nothing_is_granted_past_a_parent, "metering.interval_blocks_default"),
    "the application's login reads": ("GRANT SELECT ON customers.customers TO mains_app", checks.logins_can_do_nothing_themselves, "customers.customers mains_app SELECT"),
    "the loader reads": ("GRANT SELECT ON metering.interval_blocks TO mains_ingest", checks.logins_can_do_nothing_themselves, "metering.interval_blocks mains_ingest SELECT"),
    "the loader calls": ("GRANT EXECUTE ON FUNCTION network.first_utility() TO mains_ingest", checks.logins_can_do_nothing_themselves, "first_utility"),
    "a role that passes policies by": ("ALTER ROLE mains_app BYPASSRLS", checks.roles_have_no_more_than_they_need, "mains_app"),
    "a login that is the owner": ("GRANT mains_owner TO mains_app", checks.roles_have_no_more_than_they_need, "mains_app in mains_owner"),
    "a plain view": ("CREATE VIEW outages.planted AS SELECT * FROM outages.outages", checks.views_run_with_the_readers_rights, "outages.planted"),
    "a materialised view": ("CREATE MATERIALIZED VIEW outages.planted AS SELECT * FROM outages.outages", checks.views_run_with_the_readers_rights, "outages.planted"),
    "a definer without a path": (
        ("CREATE FUNCTION outages.planted() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM "
            "outages.outages'; REVOKE ALL ON FUNCTION outages.planted() FROM PUBLIC"),
        checks.definer_functions_pin_their_path,
        "planted()",
    ),
    "a definer for everybody": (
        "GRANT EXECUTE ON FUNCTION network.found_utility(uuid, text, text, text, text[], text, text) TO PUBLIC",
        checks.definer_functions_pin_their_path,
        "found_utility",
    ),
    "a change that leaves no trace": ("ALTER TABLE customers.customers DISABLE TRIGGER audit_update", checks.changes_are_audited, "customers.customers"),
    "a column without a word": ("ALTER TABLE outages.outages ADD planted integer", checks.everything_is_described, "outages.outages.planted"),
    "a function without a word": ("CREATE FUNCTION base.planted() RETURNS integer LANGUAGE sql AS 'SELECT 1'", checks.everything_is_described, "planted()"),
    "a foreign key without an index": ("DROP INDEX outages.outages_of_zone", checks.foreign_keys_are_indexed, "outages.outages (service_zone_id)"),
    "an index of only some rows": (
        "DROP INDEX outages.outages_of_zone; CREATE INDEX planted ON outages.outages (service_zone_id) WHERE outage_status = 'reported'",
        checks.foreign_keys_are_indexed,
        "outages.outages (service_zone_id)",
    ),
    "an instant without a zone": ("ALTER TABLE outages.outages ADD planted_at timestamp", checks.instants_and_money_have_their_types, "outages.outages.planted_at"),
    "money as a fraction": ("ALTER TABLE outages.outages ADD planted double precision", checks.instants_and_money_have_their_types, "outages.outages.planted"),
    "an instant by another name": ("ALTER TABLE outages.outages ADD planted timestamptz", checks.names_follow_the_house, "outages.outages.planted"),
    "a boolean by another name": ("ALTER TABLE outages.outages ADD planted boolean", checks.names_follow_the_house, "outages.outages.planted"),
    "one name for two tables": ("CREATE TABLE billing.outages (id integer)", checks.names_follow_the_house, "outages: named in billing and outages"),
    "a name that hides another": ("CREATE TABLE billing.outages (id integer)", checks.plain_names_are_reached, "outages.outages"),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_seen(admin, breach):
    statement, check, named = BREACHES[breach]
    with admin.transaction(force_rollback=True):
        admin.execute(statement)
        found = check(admin)
    assert any(named in finding for finding in found), found


def test_a_reason_for_nothing_is_seen(admin, monkeypatch):
    monkeypatch.setitem(checks.UNAUDITED, "customers.customers", "no reason")
    assert [finding for finding in checks.changes_are_audited(admin) if "customers.customers" in finding]


def test_every_rule_has_a_breach_that_shows_it():
    assert {check for _, check, _ in BREACHES.values()} == set(checks.CHECKS)


def test_one_call_protects_a_new_table_so_that_every_rule_holds(admin):
    with admin.transaction(force_rollback=True):
        admin.execute("SET LOCAL ROLE mains_owner")
        admin.execute(
            """CREATE TABLE network.planted (planted_id uuid PRIMARY KEY DEFAULT base.new_id(), utility_id uuid NOT NULL DEFAULT identity.current_utility()
                REFERENCES network.utilities);
            COMMENT ON TABLE network.planted IS 'A table of tomorrow'; COMMENT ON COLUMN network.planted.planted_id IS 'Key'; COMMENT ON COLUMN
                network.planted.utility_id IS 'The utility';
            SELECT identity.protect('network.planted')"""
        )
        admin.execute("RESET ROLE")
        assert {check.__name__: check(admin) for check in checks.CHECKS if check(admin)} == {}


def test_the_new_tables_keep_their_own_rules(admin):
    """A few rules that the database itself keeps, each by the constraint that keeps it."""
    constraints = {row[0] for row in admin.execute("SELECT conname FROM pg_constraint WHERE connamespace::regnamespace::text = ANY(%s)", [checks.SCHEMAS])}
    assert constraints >= {
        "restored_at_most_interrupted", "restored_at_most_affected", "never_overspent", "a_crew_is_in_one_place", "one_state_at_a_time", "one_edge_of_a_name_at_a_time",
        "one_rating_at_a_time", "enrolled_once_at_a_time", "one_consent_at_a_time", "one_message_a_person_and_change", "an_order_is_carried_out_once",
    }  # fmt: skip
    with pytest.raises(psycopg.errors.CheckViolation), admin.transaction():
        admin.execute("INSERT INTO identity.audit_seals (utility_id, first_at, last_at, entries, root) VALUES (gen_random_uuid(), now(), "
            "now() - interval '1 s', 1, decode(repeat('00', 32), 'hex'))")
