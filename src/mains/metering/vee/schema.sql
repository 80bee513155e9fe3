-- Validation, estimation and editing: which rules a utility runs, what they question, what was decided, and the changes people make.
CREATE TABLE metering.vee_policies (
    vee_policy_id    uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    profile          text      NOT NULL DEFAULT 'default' CHECK (length(profile) BETWEEN 1 AND 60),
    has_four_eyes    boolean   NOT NULL DEFAULT false,
    is_holding_bills boolean   NOT NULL DEFAULT true,
    is_estimating    boolean   NOT NULL DEFAULT false,
    context_days     smallint  NOT NULL DEFAULT 28 CHECK (context_days BETWEEN 0 AND 60),
    effective_period daterange NOT NULL CHECK (NOT isempty(effective_period)),
    CONSTRAINT one_policy_at_a_time EXCLUDE USING gist (utility_id WITH =, effective_period WITH &&)
);
COMMENT ON TABLE metering.vee_policies IS 'How a utility wants validation to work, from when; where nothing is said the defaults hold';
COMMENT ON COLUMN metering.vee_policies.vee_policy_id IS 'Key';
COMMENT ON COLUMN metering.vee_policies.utility_id IS 'The utility';
COMMENT ON COLUMN metering.vee_policies.profile IS 'Built-in set of rules: default, california, aemo or ontario';
COMMENT ON COLUMN metering.vee_policies.has_four_eyes IS 'Whether an edit counts only after somebody else than its author approved it';
COMMENT ON COLUMN metering.vee_policies.is_holding_bills IS 'Whether open failures and deliveries not yet validated hold bills back';
COMMENT ON COLUMN metering.vee_policies.is_estimating IS 'Whether a validation run fills the gaps it finds, where it can, without being asked';
COMMENT ON COLUMN metering.vee_policies.context_days IS 'Days of values before a delivery that the rules look back on, fewer for very large deliveries; 0 leaves them the daily totals alone';
COMMENT ON COLUMN metering.vee_policies.effective_period IS 'Local dates it holds, half-open: the profile by the date of the readings, the rest by the date of the act';
SELECT identity.protect('metering.vee_policies', auditor => true, classification => 'internal');

CREATE TABLE metering.vee_rules (
    vee_rule_id      uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    rule_name        text      NOT NULL,
    meter_class      text      NOT NULL DEFAULT 'all',
    parameters       jsonb     NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    severity         text      CHECK (severity IN ('info', 'warning', 'failure')),
    is_off           boolean   NOT NULL DEFAULT false,
    effective_period daterange NOT NULL CHECK (NOT isempty(effective_period)),
    CONSTRAINT one_row_of_a_rule_at_a_time EXCLUDE USING gist (utility_id WITH =, rule_name WITH =, meter_class WITH =, effective_period WITH &&)
);
COMMENT ON TABLE metering.vee_rules IS 'What a utility changes of its profile''s rules, from when; a row stands over the profile''s own';
COMMENT ON COLUMN metering.vee_rules.vee_rule_id IS 'Key';
COMMENT ON COLUMN metering.vee_rules.utility_id IS 'The utility';
COMMENT ON COLUMN metering.vee_rules.rule_name IS 'Name of the rule';
COMMENT ON COLUMN metering.vee_rules.meter_class IS 'Meters it is for: all, a commodity, or a customer class';
COMMENT ON COLUMN metering.vee_rules.parameters IS 'Limits that differ from the profile''s, by name; each in the unit that the rule says';
COMMENT ON COLUMN metering.vee_rules.severity IS 'info, warning or failure; NULL leaves the profile''s';
COMMENT ON COLUMN metering.vee_rules.is_off IS 'Whether the rule is not run for these meters';
COMMENT ON COLUMN metering.vee_rules.effective_period IS 'Local dates of readings it is for, half-open';
SELECT identity.protect('metering.vee_rules', auditor => true, classification => 'internal');

CREATE TABLE metering.vee_exceptions (
    vee_exception_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    utility_id       uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    channel_id       bigint      NOT NULL REFERENCES metering.channels,
    from_at          timestamptz NOT NULL,
    to_at            timestamptz NOT NULL CHECK (to_at > from_at),
    rule_name        text        NOT NULL,
    rule_number      smallint    NOT NULL CHECK (rule_number > 0),
    severity         text        NOT NULL CHECK (severity IN ('info', 'warning', 'failure')),
    finding          text        NOT NULL,
    measured         numeric,
    limit_value      numeric,
    is_marked        boolean     NOT NULL DEFAULT false,
    batch_id         integer     REFERENCES metering.ingest_batches,
    exception_status text        NOT NULL DEFAULT 'open' CHECK (exception_status IN ('open', 're_read', 'accepted', 'estimated', 'edited', 'resolved')),
    found_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at        timestamptz,
    closed_by        text,
    reason           text        CHECK (length(reason) BETWEEN 1 AND 500),
    CONSTRAINT a_decision_says_when_and_who CHECK (exception_status = 'open' OR (closed_at IS NOT NULL AND closed_by IS NOT NULL AND reason IS NOT NULL))
);
CREATE INDEX vee_exceptions_open ON metering.vee_exceptions (utility_id, channel_id, from_at) WHERE exception_status IN ('open', 're_read');
CREATE INDEX vee_exceptions_of_channel ON metering.vee_exceptions (channel_id, to_at);
CREATE INDEX vee_exceptions_of_batch ON metering.vee_exceptions (batch_id);
COMMENT ON TABLE metering.vee_exceptions IS 'Readings that a rule questions, and what was decided: the work list of validation';
COMMENT ON COLUMN metering.vee_exceptions.vee_exception_id IS 'Key';
COMMENT ON COLUMN metering.vee_exceptions.utility_id IS 'The utility';
COMMENT ON COLUMN metering.vee_exceptions.channel_id IS 'The channel';
COMMENT ON COLUMN metering.vee_exceptions.from_at IS 'First interval''s start';
COMMENT ON COLUMN metering.vee_exceptions.to_at IS 'Last interval''s end';
COMMENT ON COLUMN metering.vee_exceptions.rule_name IS 'The rule';
COMMENT ON COLUMN metering.vee_exceptions.rule_number IS 'Number of the rule in the reference';
COMMENT ON COLUMN metering.vee_exceptions.severity IS 'info, warning or failure; open failures hold bills';
COMMENT ON COLUMN metering.vee_exceptions.finding IS 'What was found, in words with the numbers';
COMMENT ON COLUMN metering.vee_exceptions.measured IS 'The figure that was found, in the unit of the rule; NULL where it measures none';
COMMENT ON COLUMN metering.vee_exceptions.limit_value IS 'The limit that it passed, in the same unit; NULL where the rule has none';
COMMENT ON COLUMN metering.vee_exceptions.is_marked IS 'Whether the readings were marked as failed';
COMMENT ON COLUMN metering.vee_exceptions.batch_id IS 'The last delivery among those that were judged when it was found';
COMMENT ON COLUMN metering.vee_exceptions.exception_status IS 'open, re_read (the meter was asked again), accepted, estimated, edited, or resolved (it no longer holds)';
COMMENT ON COLUMN metering.vee_exceptions.found_at IS 'When the rule found it';
COMMENT ON COLUMN metering.vee_exceptions.closed_at IS 'When it was last decided';
COMMENT ON COLUMN metering.vee_exceptions.closed_by IS 'Who decided; system:… for the machine';
COMMENT ON COLUMN metering.vee_exceptions.reason IS 'Why, in the words of who decided';
SELECT identity.protect('metering.vee_exceptions', auditor => true);

CREATE FUNCTION metering.guard_exception() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.exception_status NOT IN ('open', 're_read') OR NEW.exception_status = 'open' THEN
        RAISE EXCEPTION 'exception % cannot go from % to %', OLD.vee_exception_id, OLD.exception_status, NEW.exception_status USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION metering.guard_exception() IS 'Keeps exceptions on their path: open, perhaps re_read, then accepted, estimated, edited or resolved, and no further';
CREATE TRIGGER guard_exception BEFORE UPDATE ON metering.vee_exceptions FOR EACH ROW WHEN (OLD.exception_status IS DISTINCT FROM NEW.exception_status)
    EXECUTE FUNCTION metering.guard_exception();

CREATE TABLE metering.edits (
    edit_id          uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    channel_id       bigint      NOT NULL REFERENCES metering.channels,
    from_at          timestamptz NOT NULL,
    to_at            timestamptz NOT NULL CHECK (to_at > from_at),
    interval_s       integer     NOT NULL CHECK (interval_s > 0 AND 86400 % interval_s = 0),
    edit_kind        text        NOT NULL DEFAULT 'edit' CHECK (edit_kind IN ('edit', 'estimate')),
    method           text        NOT NULL,
    new_values       integer[]   NOT NULL,
    reason           text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    vee_exception_id bigint      REFERENCES metering.vee_exceptions,
    edit_status      text        NOT NULL DEFAULT 'proposed' CHECK (edit_status IN ('proposed', 'applied', 'rejected')),
    proposed_by      text        NOT NULL DEFAULT current_setting('app.actor', true),
    proposed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    approved_by      text        CHECK (approved_by <> proposed_by),
    approved_at      timestamptz,
    batch_id         integer     REFERENCES metering.ingest_batches,
    CONSTRAINT a_value_an_interval CHECK (cardinality(new_values) * interval_s = extract(epoch FROM to_at - from_at)),
    CONSTRAINT what_is_applied_is_a_delivery CHECK ((edit_status = 'applied') = (batch_id IS NOT NULL))
);
CREATE INDEX edits_of_channel ON metering.edits (channel_id, from_at);
CREATE INDEX edits_of_batch ON metering.edits (batch_id);
CREATE INDEX edits_of_exception ON metering.edits (vee_exception_id);
CREATE INDEX edits_waiting ON metering.edits (utility_id, proposed_at) WHERE edit_status = 'proposed';
COMMENT ON TABLE metering.edits IS 'Values put in place of readings: edits of people and estimates, with method, why, who proposed and who approved';
COMMENT ON COLUMN metering.edits.edit_id IS 'Key';
COMMENT ON COLUMN metering.edits.utility_id IS 'The utility';
COMMENT ON COLUMN metering.edits.channel_id IS 'The channel';
COMMENT ON COLUMN metering.edits.from_at IS 'First interval''s start';
COMMENT ON COLUMN metering.edits.to_at IS 'Last interval''s end';
COMMENT ON COLUMN metering.edits.interval_s IS 'Length of an interval, s';
COMMENT ON COLUMN metering.edits.edit_kind IS 'edit (by a person) or estimate';
COMMENT ON COLUMN metering.edits.method IS 'How the new values were found: typed, or the method of the estimate';
COMMENT ON COLUMN metering.edits.new_values IS 'Raw values, one an interval; NULL leaves the reading as it is';
COMMENT ON COLUMN metering.edits.reason IS 'Why';
COMMENT ON COLUMN metering.edits.vee_exception_id IS 'Exception that it settles, where there is one';
COMMENT ON COLUMN metering.edits.edit_status IS 'proposed, applied or rejected';
COMMENT ON COLUMN metering.edits.proposed_by IS 'Who made it';
COMMENT ON COLUMN metering.edits.proposed_at IS 'When';
COMMENT ON COLUMN metering.edits.approved_by IS 'Who approved or rejected it; never the one who proposed it';
COMMENT ON COLUMN metering.edits.approved_at IS 'When that was';
COMMENT ON COLUMN metering.edits.batch_id IS 'Delivery it became';
SELECT identity.protect('metering.edits', auditor => true);
