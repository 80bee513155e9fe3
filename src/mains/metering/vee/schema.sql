-- Validation, estimation and editing: rules, exceptions, edits.
CREATE TABLE metering.vee_rules (
    vee_rule_id      uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    rule_name        text      NOT NULL,
    meter_class      text      NOT NULL DEFAULT 'all',
    parameters       jsonb     NOT NULL DEFAULT '{}',
    severity         text      NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'failure')),
    effective_period daterange NOT NULL,
    EXCLUDE USING gist (utility_id WITH =, rule_name WITH =, meter_class WITH =, effective_period WITH &&)
);
COMMENT ON TABLE metering.vee_rules IS 'Which validation rules a utility runs, with which parameters, from when';
COMMENT ON COLUMN metering.vee_rules.vee_rule_id IS 'Key';
COMMENT ON COLUMN metering.vee_rules.utility_id IS 'The utility';
COMMENT ON COLUMN metering.vee_rules.rule_name IS 'Name of the rule';
COMMENT ON COLUMN metering.vee_rules.meter_class IS 'Meters it is for; all for every one';
COMMENT ON COLUMN metering.vee_rules.parameters IS 'Limits of the rule';
COMMENT ON COLUMN metering.vee_rules.severity IS 'info, warning or failure';
COMMENT ON COLUMN metering.vee_rules.effective_period IS 'Local dates it holds, half-open';
SELECT identity.protect('metering.vee_rules', staff => 'SIU', auditor => true, classification => 'internal');

CREATE TABLE metering.vee_exceptions (
    vee_exception_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    utility_id       uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    channel_id       bigint      NOT NULL REFERENCES metering.channels,
    from_at          timestamptz NOT NULL,
    to_at            timestamptz NOT NULL CHECK (to_at > from_at),
    rule_name        text        NOT NULL,
    severity         text        NOT NULL CHECK (severity IN ('info', 'warning', 'failure')),
    finding          text        NOT NULL,
    exception_status text        NOT NULL DEFAULT 'open' CHECK (exception_status IN ('open', 'accepted', 'estimated', 'edited', 're_read')),
    found_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at        timestamptz,
    closed_by        text
);
CREATE INDEX vee_exceptions_open ON metering.vee_exceptions (utility_id, channel_id, from_at) WHERE exception_status = 'open';
CREATE INDEX vee_exceptions_of_channel ON metering.vee_exceptions (channel_id);
COMMENT ON TABLE metering.vee_exceptions IS 'Readings that a rule questions, and what was decided';
COMMENT ON COLUMN metering.vee_exceptions.vee_exception_id IS 'Key';
COMMENT ON COLUMN metering.vee_exceptions.utility_id IS 'The utility';
COMMENT ON COLUMN metering.vee_exceptions.channel_id IS 'The channel';
COMMENT ON COLUMN metering.vee_exceptions.from_at IS 'First interval''s start';
COMMENT ON COLUMN metering.vee_exceptions.to_at IS 'Last interval''s end';
COMMENT ON COLUMN metering.vee_exceptions.rule_name IS 'The rule';
COMMENT ON COLUMN metering.vee_exceptions.severity IS 'info, warning or failure';
COMMENT ON COLUMN metering.vee_exceptions.finding IS 'What was found, in words with the numbers';
COMMENT ON COLUMN metering.vee_exceptions.exception_status IS 'open, accepted, estimated, edited or re_read';
COMMENT ON COLUMN metering.vee_exceptions.found_at IS 'When the rule found it';
COMMENT ON COLUMN metering.vee_exceptions.closed_at IS 'When it was decided';
COMMENT ON COLUMN metering.vee_exceptions.closed_by IS 'Who decided';
SELECT identity.protect('metering.vee_exceptions', staff => 'SIU', auditor => true);

CREATE TABLE metering.edits (
    edit_id      uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id   uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    channel_id   bigint      NOT NULL REFERENCES metering.channels,
    from_at      timestamptz NOT NULL,
    to_at        timestamptz NOT NULL CHECK (to_at > from_at),
    method       text        NOT NULL,
    reason       text        NOT NULL CHECK (length(reason) > 0),
    proposed_by  text        NOT NULL,
    proposed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    approved_by  text        CHECK (approved_by <> proposed_by),
    approved_at  timestamptz,
    batch_id     integer     REFERENCES metering.ingest_batches
);
CREATE INDEX edits_of_channel ON metering.edits (channel_id, from_at);
CREATE INDEX edits_of_batch ON metering.edits (batch_id);
COMMENT ON TABLE metering.edits IS 'Changes of readings by people: what, why, who proposed and who approved';
COMMENT ON COLUMN metering.edits.edit_id IS 'Key';
COMMENT ON COLUMN metering.edits.utility_id IS 'The utility';
COMMENT ON COLUMN metering.edits.channel_id IS 'The channel';
COMMENT ON COLUMN metering.edits.from_at IS 'First interval''s start';
COMMENT ON COLUMN metering.edits.to_at IS 'Last interval''s end';
COMMENT ON COLUMN metering.edits.method IS 'How the new values were found';
COMMENT ON COLUMN metering.edits.reason IS 'Why';
COMMENT ON COLUMN metering.edits.proposed_by IS 'Who made it';
COMMENT ON COLUMN metering.edits.proposed_at IS 'When';
COMMENT ON COLUMN metering.edits.approved_by IS 'Who approved it; never the one who proposed it';
COMMENT ON COLUMN metering.edits.approved_at IS 'When it was approved';
COMMENT ON COLUMN metering.edits.batch_id IS 'Delivery it became';
SELECT identity.protect('metering.edits', staff => 'SIU', auditor => true);
