-- Who may do what, and who did: staff, sessions, keys, the audit log, and the one function that protects a tenant's table.
CREATE SCHEMA identity;
COMMENT ON SCHEMA identity IS 'Staff, sessions, API keys, audit log, and the protection of every tenant table';
GRANT USAGE ON SCHEMA identity TO mains_any, mains_app;

-- What the transaction says of itself ---------------------------------------------------------------------------------------------------------------------------
CREATE FUNCTION identity.current_utility() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT nullif(current_setting('app.utility_id', true), '')::uuid $$;
COMMENT ON FUNCTION identity.current_utility() IS 'The utility this transaction works for; NULL where nobody said, and then no row is visible';
CREATE FUNCTION identity.current_customer() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT nullif(current_setting('app.customer_id', true), '')::uuid $$;
COMMENT ON FUNCTION identity.current_customer() IS 'The customer who acts in this transaction; NULL for everybody else';
GRANT EXECUTE ON FUNCTION identity.current_utility(), identity.current_customer() TO mains_any, mains_app;

-- The audit log -------------------------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE identity.utility_audit_log (
    audit_id            bigint      GENERATED ALWAYS AS IDENTITY,
    changed_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    transaction_id      xid8        NOT NULL DEFAULT pg_current_xact_id(),
    utility_id          uuid        NOT NULL,
    table_name          text        NOT NULL,
    record_id           text        NOT NULL,
    operation           text        NOT NULL CHECK (operation IN ('INSERT', 'UPDATE', 'DELETE')),
    old_values          jsonb,
    new_values          jsonb,
    actor               text        NOT NULL,
    user_id             uuid,
    customer_id         uuid,
    session_id          text,
    request_id          text,
    ip_address          inet,
    user_agent          text,
    change_reason       text,
    data_classification text        NOT NULL CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    PRIMARY KEY (changed_at, audit_id),
    CONSTRAINT an_insert_has_no_past CHECK ((operation = 'INSERT') = (old_values IS NULL)),
    CONSTRAINT a_delete_has_no_future CHECK ((operation = 'DELETE') = (new_values IS NULL))
) PARTITION BY RANGE (changed_at);
CREATE TABLE identity.utility_audit_log_default PARTITION OF identity.utility_audit_log DEFAULT;
CREATE INDEX utility_audit_log_by_record ON identity.utility_audit_log (utility_id, table_name, record_id, changed_at DESC);
COMMENT ON TABLE identity.utility_audit_log IS 'Every change of a business table: the changed columns, who, when and why; append-only';
COMMENT ON COLUMN identity.utility_audit_log.audit_id IS 'Order of the entry; with changed_at it is the key';
COMMENT ON COLUMN identity.utility_audit_log.changed_at IS 'Instant of the statement, by the server''s clock, not the start of its transaction';
COMMENT ON COLUMN identity.utility_audit_log.transaction_id IS 'Database transaction; entries that share it were one change';
COMMENT ON COLUMN identity.utility_audit_log.utility_id IS 'The utility whose row changed; no foreign key, so that the log outlives what it describes';
COMMENT ON COLUMN identity.utility_audit_log.table_name IS 'Schema and table of the changed row';
COMMENT ON COLUMN identity.utility_audit_log.record_id IS 'Primary key of the changed row; the parts of a compound key joined by /';
COMMENT ON COLUMN identity.utility_audit_log.operation IS 'INSERT, UPDATE or DELETE';
COMMENT ON COLUMN identity.utility_audit_log.old_values IS 'Changed columns as they were; personal columns show only that they changed';
COMMENT ON COLUMN identity.utility_audit_log.new_values IS 'Changed columns as they became; personal columns show only that they changed';
COMMENT ON COLUMN identity.utility_audit_log.actor IS 'Name of the person, or system:job for the machine';
COMMENT ON COLUMN identity.utility_audit_log.user_id IS 'Staff member, where a person acted';
COMMENT ON COLUMN identity.utility_audit_log.customer_id IS 'Customer concerned, where the row has one; else the customer who acted';
COMMENT ON COLUMN identity.utility_audit_log.session_id IS 'Session the change came through';
COMMENT ON COLUMN identity.utility_audit_log.request_id IS 'Request the change came through, as in the server''s log';
COMMENT ON COLUMN identity.utility_audit_log.ip_address IS 'Address of the person, as the application saw it';
COMMENT ON COLUMN identity.utility_audit_log.user_agent IS 'Program the person used';
COMMENT ON COLUMN identity.utility_audit_log.change_reason IS 'Why, in the actor''s words';
COMMENT ON COLUMN identity.utility_audit_log.data_classification IS 'How freely the row may be shown: public, internal, confidential, restricted; restricted unless its table says otherwise';

CREATE FUNCTION identity.audit_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
-- Arguments: the key's columns (comma-separated), the classification, and then the personal columns, shown only as changed.
DECLARE
    who       text   := nullif(current_setting('app.actor', true), '');
    hidden    text[] := TG_ARGV[2:TG_NARGS - 1];
    relation  text   := TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME;
    key_parts text[] := string_to_array(TG_ARGV[0], ',');
    key_text  text;
    key_join  text;
    source    text;
BEGIN
    IF who IS NULL THEN
        RAISE EXCEPTION 'a change of % needs somebody who makes it: use a transaction with an actor', relation USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT string_agg(format('%%1$s.%I::text', part), ' || ''/'' || '), string_agg(format('o.%1$I = n.%1$I', part), ' AND ') INTO key_text, key_join FROM unnest(key_parts) AS part;
    source := CASE TG_OP
        WHEN 'INSERT' THEN format('SELECT n.utility_id, %s AS record_id, NULL::jsonb AS old_values, identity.masked(jsonb_strip_nulls(to_jsonb(n)), $2) AS new_values, to_jsonb(n) ->> ''customer_id'' AS customer_id FROM new_rows n', format(key_text, 'n'))
        WHEN 'DELETE' THEN format('SELECT o.utility_id, %s, identity.masked(jsonb_strip_nulls(to_jsonb(o)), $2), NULL::jsonb, to_jsonb(o) ->> ''customer_id'' FROM old_rows o', format(key_text, 'o'))
        ELSE format('SELECT n.utility_id, %s, identity.masked(identity.difference(to_jsonb(o), to_jsonb(n)), $2), identity.masked(identity.difference(to_jsonb(n), to_jsonb(o)), $2), to_jsonb(n) ->> ''customer_id'' FROM new_rows n JOIN old_rows o ON %s WHERE o *<> n', format(key_text, 'n'), key_join)
    END;
    EXECUTE 'INSERT INTO identity.utility_audit_log (utility_id, table_name, record_id, operation, old_values, new_values, actor, user_id, customer_id, session_id, request_id, ip_address, user_agent, change_reason, data_classification)
        SELECT c.utility_id, $3, c.record_id, $4, c.old_values, c.new_values, $5, $6, coalesce(c.customer_id::uuid, $7), $8, $9, $10, $11, $12, $1 FROM (' || source || ') AS c (utility_id, record_id, old_values, new_values, customer_id)'
    USING TG_ARGV[1], hidden, relation, TG_OP, who, nullif(current_setting('app.user_id', true), '')::uuid, nullif(current_setting('app.customer_id', true), '')::uuid,
          nullif(current_setting('app.session_id', true), ''), nullif(current_setting('app.request_id', true), ''), nullif(current_setting('app.ip', true), '')::inet,
          nullif(current_setting('app.user_agent', true), ''), nullif(current_setting('app.reason', true), '');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity.audit_change() IS 'Statement trigger that writes the audit log: changed columns only, personal columns masked, refused where nobody is named as actor';

CREATE FUNCTION identity.difference(of jsonb, against jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(of) WHERE against -> key IS DISTINCT FROM value
$$;
COMMENT ON FUNCTION identity.difference(jsonb, jsonb) IS 'The members of one row that differ from the other row''s';

CREATE FUNCTION identity.masked(of jsonb, personal text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN of ?| personal THEN (SELECT jsonb_object_agg(key, CASE WHEN key = ANY (personal) THEN '"(changed)"' ELSE value END) FROM jsonb_each(of)) ELSE of END
$$;
COMMENT ON FUNCTION identity.masked(jsonb, text[]) IS 'A row with its personal members shown only as changed';

CREATE FUNCTION identity.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a row of it is never changed or removed; write a correction instead', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
COMMENT ON FUNCTION identity.refuse_change() IS 'Trigger of append-only tables: refuses UPDATE, DELETE and TRUNCATE';

-- One function protects a table; a test holds every table of the database to it ------------------------------------------------------------------------------------
CREATE FUNCTION identity.protect(
    target regclass, staff text DEFAULT 'SIU', customer text DEFAULT NULL, regulator text DEFAULT NULL, auditor boolean DEFAULT false, signs_in boolean DEFAULT false,
    audited boolean DEFAULT true, append_only boolean DEFAULT false, classification text DEFAULT 'restricted', personal text[] DEFAULT '{}'
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    verb      record;
    key_names text;
    arguments text;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', target);
    EXECUTE format('CREATE POLICY tenant ON %s AS RESTRICTIVE TO mains_any USING (utility_id = (SELECT identity.current_utility())) WITH CHECK (utility_id = (SELECT identity.current_utility()))', target);
    FOR verb IN SELECT * FROM (VALUES ('S', 'SELECT'), ('I', 'INSERT'), ('U', 'UPDATE'), ('D', 'DELETE')) AS v (letter, name) WHERE position(letter IN staff) > 0 LOOP
        EXECUTE format('GRANT %s ON %s TO mains_staff', verb.name, target);
        EXECUTE format('CREATE POLICY staff_%s ON %s FOR %s TO mains_staff %s', lower(verb.name), target, verb.name,
            CASE verb.letter WHEN 'I' THEN 'WITH CHECK (true)' WHEN 'U' THEN 'USING (true) WITH CHECK (true)' ELSE 'USING (true)' END);
    END LOOP;
    IF customer IS NOT NULL THEN
        EXECUTE format('GRANT SELECT ON %s TO mains_customer', target);
        EXECUTE format('CREATE POLICY customer_select ON %s FOR SELECT TO mains_customer USING (%s)', target, customer);
    END IF;
    IF regulator IS NOT NULL THEN
        EXECUTE format('GRANT SELECT ON %s TO mains_regulator', target);
        EXECUTE format('CREATE POLICY regulator_select ON %s FOR SELECT TO mains_regulator USING (%s)', target, regulator);
    END IF;
    IF auditor THEN
        EXECUTE format('GRANT SELECT ON %s TO mains_auditor', target);
        EXECUTE format('CREATE POLICY auditor_select ON %s FOR SELECT TO mains_auditor USING (true)', target);
    END IF;
    IF signs_in THEN
        EXECUTE format('CREATE POLICY signs_in ON %s TO mains_owner USING (true) WITH CHECK (true)', target);
    END IF;
    IF append_only THEN
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change()', target);
    END IF;
    IF audited THEN
        SELECT string_agg(a.attname, ',' ORDER BY k.place) INTO STRICT key_names
        FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = target AND i.indisprimary;
        SELECT string_agg(quote_literal(argument), ', ') INTO arguments FROM unnest(ARRAY[key_names, classification] || personal) AS argument;
        EXECUTE format('CREATE TRIGGER audit_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION identity.audit_change(%s)', target, arguments);
        EXECUTE format('CREATE TRIGGER audit_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION identity.audit_change(%s)', target, arguments);
        EXECUTE format('CREATE TRIGGER audit_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION identity.audit_change(%s)', target, arguments);
    END IF;
END
$$;
COMMENT ON FUNCTION identity.protect(regclass, text, text, text, boolean, boolean, boolean, boolean, text, text[]) IS
'Protects a tenant''s table: row-level security on and forced, one restrictive policy that keeps utilities apart, one permissive policy a role and verb with its grant, audit triggers. '
'staff: letters of SIUD; customer, regulator: condition of the rows they may read, NULL for none; signs_in: the owner''s functions read it before anybody is known; append_only: refuses change; personal: columns the audit shows only as changed';

SELECT identity.protect('identity.utility_audit_log', staff => 'S', auditor => true, audited => false, append_only => true);
CREATE POLICY written_by_triggers ON identity.utility_audit_log FOR INSERT TO mains_owner WITH CHECK (true);

CREATE FUNCTION identity.ensure_audit_partitions(from_date date, months integer DEFAULT 4) RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT base.make_months('identity.utility_audit_log', from_date::timestamp AT TIME ZONE 'UTC', (from_date + make_interval(months => months - 1)) AT TIME ZONE 'UTC')
$$;
COMMENT ON FUNCTION identity.ensure_audit_partitions(date, integer) IS 'Makes the audit log''s monthly partitions from a date on where they are missing, and moves what waited in the default one; returns how many';
GRANT EXECUTE ON FUNCTION identity.ensure_audit_partitions(date, integer) TO mains_staff;
-- two years ahead; after that the default partition catches rows, `mains db check` says so, and the function moves them
SELECT identity.ensure_audit_partitions(current_date, 24);

CREATE TABLE identity.audit_seals (
    seal_id       bigint      GENERATED ALWAYS AS IDENTITY,
    utility_id    uuid        NOT NULL DEFAULT identity.current_utility(),
    sealed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    first_at      timestamptz NOT NULL,
    last_at       timestamptz NOT NULL CHECK (last_at >= first_at),
    entries       bigint      NOT NULL CHECK (entries > 0),
    root          bytea       NOT NULL CHECK (length(root) = 32),
    previous_root bytea       CHECK (length(previous_root) = 32),
    signature     bytea,
    PRIMARY KEY (utility_id, seal_id)
);
COMMENT ON TABLE identity.audit_seals IS 'Merkle roots over closed stretches of the audit log, each chained to the one before: tampering shows';
COMMENT ON COLUMN identity.audit_seals.seal_id IS 'Order of the seal';
COMMENT ON COLUMN identity.audit_seals.utility_id IS 'The utility whose log is sealed';
COMMENT ON COLUMN identity.audit_seals.sealed_at IS 'Instant the seal was made';
COMMENT ON COLUMN identity.audit_seals.first_at IS 'First entry''s instant, inclusive';
COMMENT ON COLUMN identity.audit_seals.last_at IS 'Last entry''s instant, inclusive';
COMMENT ON COLUMN identity.audit_seals.entries IS 'How many entries the root covers';
COMMENT ON COLUMN identity.audit_seals.root IS 'SHA-256 Merkle root of the entries (leaf and node prefixes of RFC 6962)';
COMMENT ON COLUMN identity.audit_seals.previous_root IS 'Root of the seal before; NULL for the first';
COMMENT ON COLUMN identity.audit_seals.signature IS 'Ed25519 signature of the root, where a signing key is configured';
SELECT identity.protect('identity.audit_seals', staff => 'SI', auditor => true, audited => false, append_only => true);

-- Staff, and how they come in -----------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE identity.utility_staff (
    user_id         uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility(),
    login           text        NOT NULL CHECK (login = lower(login) AND length(login) BETWEEN 3 AND 254),
    full_name       text        NOT NULL CHECK (length(full_name) BETWEEN 1 AND 200),
    role            text        NOT NULL CHECK (role IN ('staff', 'regulator', 'auditor')),
    password_hash   text        CHECK (password_hash LIKE '$argon2id$%'),
    staff_status    text        NOT NULL DEFAULT 'active' CHECK (staff_status IN ('active', 'suspended', 'left')),
    failed_attempts integer     NOT NULL DEFAULT 0 CHECK (failed_attempts >= 0),
    locked_until    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (login)
);
CREATE INDEX utility_staff_of_utility ON identity.utility_staff (utility_id);
COMMENT ON TABLE identity.utility_staff IS 'People who work with the system for one utility: its staff, its regulator''s and its auditor''s people';
COMMENT ON COLUMN identity.utility_staff.user_id IS 'Key';
COMMENT ON COLUMN identity.utility_staff.utility_id IS 'The one utility this person works for';
COMMENT ON COLUMN identity.utility_staff.login IS 'What they sign in with: an e-mail address or a name, lower case, one in the whole installation';
COMMENT ON COLUMN identity.utility_staff.full_name IS 'Their name';
COMMENT ON COLUMN identity.utility_staff.role IS 'staff, regulator or auditor: the database role their transactions take on';
COMMENT ON COLUMN identity.utility_staff.password_hash IS 'argon2id hash; NULL where they come in only by link or single sign-on';
COMMENT ON COLUMN identity.utility_staff.staff_status IS 'active, suspended or left; only active people come in';
COMMENT ON COLUMN identity.utility_staff.failed_attempts IS 'Wrong passwords in a row';
COMMENT ON COLUMN identity.utility_staff.locked_until IS 'No sign-in by password before this instant';
COMMENT ON COLUMN identity.utility_staff.created_at IS 'When the account was made';
SELECT identity.protect('identity.utility_staff', auditor => true, signs_in => true, personal => '{password_hash}');

CREATE TABLE identity.roles (
    role_name   text NOT NULL CHECK (role_name ~ '^[a-z_]{3,40}$'),
    utility_id  uuid NOT NULL DEFAULT identity.current_utility(),
    description text NOT NULL,
    permissions text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (utility_id, role_name)
);
COMMENT ON TABLE identity.roles IS 'Roles of work inside a utility (billing clerk, dispatcher …): what a staff member may ask the application for, within the database role';
COMMENT ON COLUMN identity.roles.role_name IS 'Name of the role';
COMMENT ON COLUMN identity.roles.utility_id IS 'The utility that defined it';
COMMENT ON COLUMN identity.roles.description IS 'What somebody in this role does';
COMMENT ON COLUMN identity.roles.permissions IS 'Names of the operations the role may ask for';
SELECT identity.protect('identity.roles', staff => 'SIUD', auditor => true);

CREATE TABLE identity.role_grants (
    utility_id uuid        NOT NULL DEFAULT identity.current_utility(),
    user_id    uuid        NOT NULL REFERENCES identity.utility_staff,
    role_name  text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    granted_by text        NOT NULL DEFAULT current_setting('app.actor', true),
    PRIMARY KEY (utility_id, user_id, role_name),
    FOREIGN KEY (utility_id, role_name) REFERENCES identity.roles
);
CREATE INDEX role_grants_of_user ON identity.role_grants (user_id);
COMMENT ON TABLE identity.role_grants IS 'Which staff member has which role of work';
COMMENT ON COLUMN identity.role_grants.utility_id IS 'The utility';
COMMENT ON COLUMN identity.role_grants.user_id IS 'The staff member';
COMMENT ON COLUMN identity.role_grants.role_name IS 'The role of work';
COMMENT ON COLUMN identity.role_grants.granted_at IS 'Since when';
COMMENT ON COLUMN identity.role_grants.granted_by IS 'Who granted it';
SELECT identity.protect('identity.role_grants', staff => 'SID', auditor => true);

CREATE TABLE identity.sessions (
    session_hash bytea       PRIMARY KEY CHECK (length(session_hash) = 32),
    utility_id   uuid        NOT NULL DEFAULT identity.current_utility(),
    user_id      uuid        NOT NULL REFERENCES identity.utility_staff,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > created_at),
    ended_at     timestamptz,
    ip_address   inet,
    user_agent   text
);
CREATE INDEX sessions_of_user ON identity.sessions (user_id);
COMMENT ON TABLE identity.sessions IS 'Server-side sessions; the browser holds a random token, the table only its hash';
COMMENT ON COLUMN identity.sessions.session_hash IS 'SHA-256 of the token';
COMMENT ON COLUMN identity.sessions.utility_id IS 'Utility of the staff member';
COMMENT ON COLUMN identity.sessions.user_id IS 'Who is signed in';
COMMENT ON COLUMN identity.sessions.created_at IS 'When they signed in';
COMMENT ON COLUMN identity.sessions.expires_at IS 'End of the session, exclusive';
COMMENT ON COLUMN identity.sessions.ended_at IS 'When they signed out; NULL while they have not';
COMMENT ON COLUMN identity.sessions.ip_address IS 'Where they signed in from';
COMMENT ON COLUMN identity.sessions.user_agent IS 'With which program';
SELECT identity.protect('identity.sessions', staff => 'S', auditor => true, signs_in => true, audited => false);

CREATE TABLE identity.api_keys (
    key_id       uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id   uuid        NOT NULL DEFAULT identity.current_utility(),
    user_id      uuid        NOT NULL REFERENCES identity.utility_staff,
    key_name     text        NOT NULL CHECK (length(key_name) BETWEEN 1 AND 100),
    key_prefix   text        NOT NULL CHECK (length(key_prefix) = 8),
    key_hash     bytea       NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    scopes       text[]      NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_of_user ON identity.api_keys (user_id);
COMMENT ON TABLE identity.api_keys IS 'Keys of programs; shown once when made, stored as hashes';
COMMENT ON COLUMN identity.api_keys.key_id IS 'Key of the row';
COMMENT ON COLUMN identity.api_keys.utility_id IS 'Utility the program works for';
COMMENT ON COLUMN identity.api_keys.user_id IS 'Staff member answerable for it, whose role it has';
COMMENT ON COLUMN identity.api_keys.key_name IS 'What it is for';
COMMENT ON COLUMN identity.api_keys.key_prefix IS 'First eight characters, to recognise it by';
COMMENT ON COLUMN identity.api_keys.key_hash IS 'SHA-256 of the whole key (256 random bits, so a fast hash is enough)';
COMMENT ON COLUMN identity.api_keys.scopes IS 'What it may ask for; empty means read only';
COMMENT ON COLUMN identity.api_keys.created_at IS 'When it was made';
COMMENT ON COLUMN identity.api_keys.expires_at IS 'End of its life, exclusive; NULL for none';
COMMENT ON COLUMN identity.api_keys.revoked_at IS 'When it was taken back';
COMMENT ON COLUMN identity.api_keys.last_used_at IS 'Last use, to the day';
SELECT identity.protect('identity.api_keys', auditor => true, signs_in => true, personal => '{key_hash}');

CREATE TABLE identity.sign_in_links (
    link_hash  bytea       PRIMARY KEY CHECK (length(link_hash) = 32),
    utility_id uuid        NOT NULL DEFAULT identity.current_utility(),
    user_id    uuid        NOT NULL REFERENCES identity.utility_staff,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    used_at    timestamptz
);
CREATE INDEX sign_in_links_of_user ON identity.sign_in_links (user_id);
COMMENT ON TABLE identity.sign_in_links IS 'Links that sign a person in once';
COMMENT ON COLUMN identity.sign_in_links.link_hash IS 'SHA-256 of the token in the link';
COMMENT ON COLUMN identity.sign_in_links.utility_id IS 'Utility of the staff member';
COMMENT ON COLUMN identity.sign_in_links.user_id IS 'Whom it signs in';
COMMENT ON COLUMN identity.sign_in_links.created_at IS 'When it was made';
COMMENT ON COLUMN identity.sign_in_links.expires_at IS 'End of its use, exclusive';
COMMENT ON COLUMN identity.sign_in_links.used_at IS 'When it was used; it works once';
SELECT identity.protect('identity.sign_in_links', staff => 'SI', signs_in => true, audited => false);

CREATE TABLE identity.data_keys (
    utility_id  uuid        NOT NULL DEFAULT identity.current_utility(),
    customer_id uuid        NOT NULL,
    version     smallint    NOT NULL DEFAULT 1 CHECK (version > 0),
    wrapped_key bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at   timestamptz,
    PRIMARY KEY (utility_id, customer_id, version)
);
COMMENT ON TABLE identity.data_keys IS 'One data key a customer, wrapped by the utility''s key which is kept outside the database; erasing the key erases what it encrypts';
COMMENT ON COLUMN identity.data_keys.utility_id IS 'The utility';
COMMENT ON COLUMN identity.data_keys.customer_id IS 'The customer whose personal data the key encrypts';
COMMENT ON COLUMN identity.data_keys.version IS 'Version of the customer''s key, from 1';
COMMENT ON COLUMN identity.data_keys.wrapped_key IS 'The key, encrypted with the utility''s key (AES-256-GCM); empty once erased';
COMMENT ON COLUMN identity.data_keys.created_at IS 'When it was made';
COMMENT ON COLUMN identity.data_keys.erased_at IS 'When it was destroyed';
SELECT identity.protect('identity.data_keys', audited => true, personal => '{wrapped_key}');

-- Before anybody is known -----------------------------------------------------------------------------------------------------------------------------------------
-- The application's login has no role until it knows who asks. These functions answer the few questions of a sign-in, each just its own, and nobody else may call them.
CREATE FUNCTION identity.credentials(asked_login text) RETURNS TABLE (user_id uuid, password_hash text, locked_until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT s.user_id, s.password_hash, s.locked_until
    FROM identity.utility_staff s
    WHERE s.login = asked_login AND s.staff_status = 'active' AND s.password_hash IS NOT NULL
$$;
COMMENT ON FUNCTION identity.credentials(text) IS 'What a password is checked against, for an active person who has one';

CREATE FUNCTION identity.count_wrong_password(who uuid, tried_at timestamptz, wait_after integer, wait_for interval, from_ip inet, with_agent text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT set_config('app.actor', 'sign-in', true), set_config('app.ip', coalesce(host(from_ip), ''), true), set_config('app.user_agent', coalesce(with_agent, ''), true);
    UPDATE identity.utility_staff s
    SET failed_attempts = CASE WHEN s.failed_attempts + 1 < wait_after THEN s.failed_attempts + 1 ELSE 0 END,
        locked_until    = CASE WHEN s.failed_attempts + 1 < wait_after THEN s.locked_until ELSE tried_at + wait_for END
    WHERE s.user_id = who
$$;
COMMENT ON FUNCTION identity.count_wrong_password(uuid, timestamptz, integer, interval, inet, text) IS 'Counts a wrong password; the last of so many in a row closes sign-in by password for a while, and counting begins again';

CREATE FUNCTION identity.accept_password(who uuid, tried_at timestamptz, from_ip inet, with_agent text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM set_config('app.actor', 'sign-in', true), set_config('app.ip', coalesce(host(from_ip), ''), true), set_config('app.user_agent', coalesce(with_agent, ''), true);
    PERFORM FROM identity.utility_staff s WHERE s.user_id = who AND s.staff_status = 'active' AND (s.locked_until IS NULL OR s.locked_until <= tried_at) FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE identity.utility_staff s SET failed_attempts = 0, locked_until = NULL WHERE s.user_id = who AND (s.failed_attempts > 0 OR s.locked_until IS NOT NULL);
    RETURN true;
END
$$;
COMMENT ON FUNCTION identity.accept_password(uuid, timestamptz, inet, text) IS 'Whether a right password lets an active person in at this instant; clears the count of wrong ones';

CREATE FUNCTION identity.use_link(token_hash bytea, used timestamptz) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    UPDATE identity.sign_in_links l SET used_at = used
    FROM identity.utility_staff s
    WHERE l.link_hash = token_hash AND l.used_at IS NULL AND l.expires_at > used AND s.user_id = l.user_id AND s.staff_status = 'active'
    RETURNING l.user_id
$$;
COMMENT ON FUNCTION identity.use_link(bytea, timestamptz) IS 'Whom a link signs in, marking it used; NULL where it is unknown, used, expired, or its person is not active';

CREATE FUNCTION identity.open_session(token_hash bytea, who uuid, opened timestamptz, until timestamptz, from_ip inet, with_agent text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    INSERT INTO identity.sessions (session_hash, utility_id, user_id, created_at, expires_at, ip_address, user_agent)
    SELECT token_hash, s.utility_id, s.user_id, opened, until, from_ip, with_agent FROM identity.utility_staff s WHERE s.user_id = who AND s.staff_status = 'active'
$$;
COMMENT ON FUNCTION identity.open_session(bytea, uuid, timestamptz, timestamptz, inet, text) IS 'Begins a session of an active person';

CREATE FUNCTION identity.close_session(token_hash bytea, closed timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    UPDATE identity.sessions s SET ended_at = closed WHERE s.session_hash = token_hash AND s.ended_at IS NULL
$$;
COMMENT ON FUNCTION identity.close_session(bytea, timestamptz) IS 'Ends a session; one that has ended stays as it is';

CREATE FUNCTION identity.session_actor(token_hash bytea, asked_at timestamptz)
RETURNS TABLE (user_id uuid, utility_id uuid, role text, login text, full_name text, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT p.user_id, p.utility_id, p.role, p.login, p.full_name, s.expires_at
    FROM identity.sessions s JOIN identity.utility_staff p ON p.user_id = s.user_id
    WHERE s.session_hash = token_hash AND s.ended_at IS NULL AND s.created_at <= asked_at AND s.expires_at > asked_at AND p.staff_status = 'active'
$$;
COMMENT ON FUNCTION identity.session_actor(bytea, timestamptz) IS 'Who is signed in with a session token at an instant; no row where nobody is';

CREATE FUNCTION identity.key_actor(token_hash bytea, asked_at timestamptz)
RETURNS TABLE (user_id uuid, utility_id uuid, role text, login text, full_name text, key_prefix text, scopes text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    used_day timestamptz := date_trunc('day', asked_at, 'UTC');
    found_id uuid;
    last_day timestamptz;
BEGIN
    SELECT p.user_id, p.utility_id, p.role, p.login, p.full_name, k.key_prefix, k.scopes, k.key_id, k.last_used_at
    INTO user_id, utility_id, role, login, full_name, key_prefix, scopes, found_id, last_day
    FROM identity.api_keys k JOIN identity.utility_staff p ON p.user_id = k.user_id
    WHERE k.key_hash = token_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > asked_at) AND p.staff_status = 'active';
    IF found_id IS NULL THEN
        RETURN;
    END IF;
    IF last_day IS DISTINCT FROM used_day THEN
        PERFORM set_config('app.actor', login, true), set_config('app.user_id', user_id::text, true);
        UPDATE identity.api_keys k SET last_used_at = used_day WHERE k.key_id = found_id;
    END IF;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION identity.key_actor(bytea, timestamptz) IS 'For whom an API key acts at an instant, noting the day of use; no row where it is unknown, revoked, expired, or its person is not active';

CREATE FUNCTION identity.utility_of_login(asked_login text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$ SELECT s.utility_id FROM identity.utility_staff s WHERE s.login = asked_login $$;
COMMENT ON FUNCTION identity.utility_of_login(text) IS 'The utility a person works for; for commands that name the person only';

CREATE FUNCTION identity.applied_migrations() RETURNS TABLE (name text, checksum text) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    RETURN QUERY SELECT m.name, m.checksum FROM base.migrations m;
END
$$;
COMMENT ON FUNCTION identity.applied_migrations() IS 'What this database was built from, so that the application can tell whether it is ready for it';

REVOKE EXECUTE ON FUNCTION identity.credentials(text), identity.count_wrong_password(uuid, timestamptz, integer, interval, inet, text), identity.accept_password(uuid, timestamptz, inet, text),
    identity.use_link(bytea, timestamptz), identity.open_session(bytea, uuid, timestamptz, timestamptz, inet, text), identity.close_session(bytea, timestamptz),
    identity.session_actor(bytea, timestamptz), identity.key_actor(bytea, timestamptz), identity.utility_of_login(text), identity.applied_migrations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION identity.credentials(text), identity.count_wrong_password(uuid, timestamptz, integer, interval, inet, text), identity.accept_password(uuid, timestamptz, inet, text),
    identity.use_link(bytea, timestamptz), identity.open_session(bytea, uuid, timestamptz, timestamptz, inet, text), identity.close_session(bytea, timestamptz),
    identity.session_actor(bytea, timestamptz), identity.key_actor(bytea, timestamptz), identity.utility_of_login(text), identity.applied_migrations() TO mains_app;

CREATE FUNCTION identity.end_sessions_of(who uuid, ended timestamptz) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH closed AS (UPDATE identity.sessions s SET ended_at = ended WHERE s.user_id = who AND s.utility_id = identity.current_utility() AND s.ended_at IS NULL RETURNING 1)
    SELECT count(*)::integer FROM closed
$$;
COMMENT ON FUNCTION identity.end_sessions_of(uuid, timestamptz) IS 'Ends every session of a person of the own utility, as when the password changes or they leave; returns how many';
REVOKE EXECUTE ON FUNCTION identity.end_sessions_of(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION identity.end_sessions_of(uuid, timestamptz) TO mains_staff;
