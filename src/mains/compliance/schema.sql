-- What the regulators must be told: by when, from which numbers, checked how, signed by whom, sent when.
CREATE SCHEMA compliance;
COMMENT ON SCHEMA compliance IS 'Filing definitions, obligations and their deadlines, filings with cells and checks, submissions';
GRANT USAGE ON SCHEMA compliance TO mains_any;

CREATE TABLE compliance.filing_definitions (
    filing_definition_id uuid  PRIMARY KEY DEFAULT base.new_id(),
    utility_id           uuid  NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    form_code            text  NOT NULL,
    layout_version       text  NOT NULL,
    form_name            text  NOT NULL,
    authority            text  NOT NULL,
    frequency            text  NOT NULL CHECK (frequency IN ('monthly', 'quarterly', 'semiannual', 'annual', 'incident')),
    deadline_rule        jsonb NOT NULL,
    applicability        jsonb NOT NULL DEFAULT '{}',
    layout               jsonb NOT NULL DEFAULT '{}',
    source_url           text,
    UNIQUE (utility_id, form_code, layout_version)
);
COMMENT ON TABLE compliance.filing_definitions IS 'Forms and reports: who owes them, how often, and their layout as data';
COMMENT ON COLUMN compliance.filing_definitions.filing_definition_id IS 'Key';
COMMENT ON COLUMN compliance.filing_definitions.utility_id IS 'The utility';
COMMENT ON COLUMN compliance.filing_definitions.form_code IS 'Short name: EIA-861, DOE-417, FERC-1 …';
COMMENT ON COLUMN compliance.filing_definitions.layout_version IS 'Version of the layout: the year of the form';
COMMENT ON COLUMN compliance.filing_definitions.form_name IS 'Name of the form';
COMMENT ON COLUMN compliance.filing_definitions.authority IS 'Who receives it';
COMMENT ON COLUMN compliance.filing_definitions.frequency IS 'monthly, quarterly, semiannual, annual or incident';
COMMENT ON COLUMN compliance.filing_definitions.deadline_rule IS 'When it is due: month and day after the period, or hours after the incident';
COMMENT ON COLUMN compliance.filing_definitions.applicability IS 'Which utilities owe it: type, size, commodity';
COMMENT ON COLUMN compliance.filing_definitions.layout IS 'Schedules, columns, units and edit checks';
COMMENT ON COLUMN compliance.filing_definitions.source_url IS 'Instructions of the authority';
SELECT identity.protect('compliance.filing_definitions', regulator => 'true', auditor => true, classification => 'public');

CREATE TABLE compliance.obligations (
    obligation_id        uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id           uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    filing_definition_id uuid        NOT NULL REFERENCES compliance.filing_definitions,
    period_start         date        NOT NULL,
    period_end           date        NOT NULL CHECK (period_end > period_start),
    outage_id            uuid        REFERENCES outages.outages,
    due_at               timestamptz NOT NULL,
    obligation_status    text        NOT NULL DEFAULT 'open' CHECK (obligation_status IN ('open', 'met', 'late', 'waived')),
    note                 text,
    CONSTRAINT owed_once UNIQUE NULLS NOT DISTINCT (filing_definition_id, period_start, outage_id)
);
CREATE INDEX obligations_of_outage ON compliance.obligations (outage_id);
CREATE INDEX obligations_open ON compliance.obligations (utility_id, due_at) WHERE obligation_status = 'open';
COMMENT ON TABLE compliance.obligations IS 'What is owed when: one row a form and period, or a form and incident';
COMMENT ON COLUMN compliance.obligations.obligation_id IS 'Key';
COMMENT ON COLUMN compliance.obligations.utility_id IS 'The utility';
COMMENT ON COLUMN compliance.obligations.filing_definition_id IS 'The form';
COMMENT ON COLUMN compliance.obligations.period_start IS 'First local date of the period';
COMMENT ON COLUMN compliance.obligations.period_end IS 'Local date after the last one';
COMMENT ON COLUMN compliance.obligations.outage_id IS 'Incident it is about';
COMMENT ON COLUMN compliance.obligations.due_at IS 'Deadline';
COMMENT ON COLUMN compliance.obligations.obligation_status IS 'open, met, late (met after the deadline) or waived; whether it is overdue follows from due_at';
COMMENT ON COLUMN compliance.obligations.note IS 'Why it was waived, and other remarks';
SELECT identity.protect('compliance.obligations', regulator => 'true', auditor => true, classification => 'internal');

CREATE TABLE compliance.filings (
    filing_id             uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id            uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    obligation_id         uuid        NOT NULL REFERENCES compliance.obligations,
    revision              integer     NOT NULL DEFAULT 1 CHECK (revision > 0),
    filing_status         text        NOT NULL DEFAULT 'draft' CHECK (filing_status IN ('draft', 'checked', 'approved', 'submitted', 'accepted', 'rejected', 'superseded')),
    made_at               timestamptz NOT NULL,
    data_as_of            timestamptz NOT NULL,
    cells_sha256          bytea       CHECK (length(cells_sha256) = 32),
    prepared_by           text        NOT NULL DEFAULT current_setting('app.actor', true),
    approved_by           text        CHECK (approved_by <> prepared_by),
    submitted_at          timestamptz,
    has_nothing_to_report boolean     NOT NULL DEFAULT false,
    UNIQUE (obligation_id, revision),
    CONSTRAINT sent_means_attested CHECK (filing_status IN ('draft', 'checked') OR (approved_by IS NOT NULL AND cells_sha256 IS NOT NULL)),
    CONSTRAINT sent_has_an_instant CHECK (filing_status NOT IN ('submitted', 'accepted', 'rejected') OR submitted_at IS NOT NULL)
);
COMMENT ON TABLE compliance.filings IS 'Snapshots of a report; a submitted one never changes, a correction is a new revision';
COMMENT ON COLUMN compliance.filings.filing_id IS 'Key';
COMMENT ON COLUMN compliance.filings.utility_id IS 'The utility';
COMMENT ON COLUMN compliance.filings.obligation_id IS 'What it answers';
COMMENT ON COLUMN compliance.filings.revision IS 'Revision, from 1';
COMMENT ON COLUMN compliance.filings.filing_status IS 'draft, checked, approved, submitted, accepted, rejected or superseded';
COMMENT ON COLUMN compliance.filings.made_at IS 'When it was calculated';
COMMENT ON COLUMN compliance.filings.data_as_of IS 'Instant whose data it shows';
COMMENT ON COLUMN compliance.filings.cells_sha256 IS 'SHA-256 of its cells in order; set when it is approved';
COMMENT ON COLUMN compliance.filings.prepared_by IS 'Who prepared it';
COMMENT ON COLUMN compliance.filings.approved_by IS 'Who attests it; never the one who prepared it';
COMMENT ON COLUMN compliance.filings.submitted_at IS 'When it was sent';
COMMENT ON COLUMN compliance.filings.has_nothing_to_report IS 'Whether it says that nothing happened';
SELECT identity.protect('compliance.filings', regulator => 'submitted_at IS NOT NULL', auditor => true, classification => 'internal');

CREATE FUNCTION compliance.guard_filing() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.submitted_at IS NOT NULL AND (TG_OP = 'DELETE' OR (to_jsonb(NEW) - 'filing_status') <> (to_jsonb(OLD) - 'filing_status') OR NEW.filing_status NOT IN ('submitted', 'accepted', 'rejected', 'superseded')) THEN
        RAISE EXCEPTION 'filing % was submitted: it stays as it is; make a new revision', OLD.filing_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION compliance.guard_filing() IS 'Keeps a submitted filing as it is: only its answer (accepted, rejected, superseded) may be noted';
CREATE TRIGGER guard_filing BEFORE UPDATE OR DELETE ON compliance.filings FOR EACH ROW EXECUTE FUNCTION compliance.guard_filing();

CREATE TABLE compliance.filing_cells (
    filing_id   uuid    NOT NULL REFERENCES compliance.filings,
    utility_id  uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    schedule    text    NOT NULL,
    row_no      integer NOT NULL CHECK (row_no > 0),
    column_name text    NOT NULL,
    cell_text   text,
    cell_number numeric,
    unit        text,
    formula     text,
    lineage     jsonb   NOT NULL DEFAULT '{}',
    PRIMARY KEY (filing_id, schedule, row_no, column_name),
    CONSTRAINT words_or_a_number CHECK (cell_text IS NULL OR cell_number IS NULL)
);
COMMENT ON TABLE compliance.filing_cells IS 'Every number and word of a report with its formula and the rows behind it';
COMMENT ON COLUMN compliance.filing_cells.filing_id IS 'The report';
COMMENT ON COLUMN compliance.filing_cells.utility_id IS 'The utility';
COMMENT ON COLUMN compliance.filing_cells.schedule IS 'Schedule or page of the form';
COMMENT ON COLUMN compliance.filing_cells.row_no IS 'Row on it, from 1';
COMMENT ON COLUMN compliance.filing_cells.column_name IS 'Column of the layout';
COMMENT ON COLUMN compliance.filing_cells.cell_text IS 'Words; NULL for a number';
COMMENT ON COLUMN compliance.filing_cells.cell_number IS 'The number, in unit; NULL for words and where it is missing';
COMMENT ON COLUMN compliance.filing_cells.unit IS 'Unit of the number';
COMMENT ON COLUMN compliance.filing_cells.formula IS 'How it was calculated';
COMMENT ON COLUMN compliance.filing_cells.lineage IS 'Query, parameters and count of the rows behind it';
SELECT identity.protect('compliance.filing_cells', staff => 'SIUD', regulator => 'filing_id IN (SELECT f.filing_id FROM compliance.filings f)', auditor => true, audited => false, classification => 'internal');

CREATE FUNCTION compliance.guard_cells() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    sent boolean;
BEGIN
    SELECT f.filing_status NOT IN ('draft', 'checked') INTO sent FROM compliance.filings f WHERE f.filing_id = CASE TG_OP WHEN 'INSERT' THEN NEW.filing_id ELSE OLD.filing_id END;
    IF sent OR (TG_OP = 'UPDATE' AND NEW.filing_id <> OLD.filing_id) THEN
        RAISE EXCEPTION 'filing % was approved: its cells stay as they are; make a new revision', CASE TG_OP WHEN 'INSERT' THEN NEW.filing_id ELSE OLD.filing_id END USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION compliance.guard_cells() IS 'Keeps the cells of an approved or submitted filing as they are';
CREATE TRIGGER guard_cells BEFORE INSERT OR UPDATE OR DELETE ON compliance.filing_cells FOR EACH ROW EXECUTE FUNCTION compliance.guard_cells();

CREATE TABLE compliance.edit_check_results (
    edit_check_result_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id           uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    filing_id            uuid        NOT NULL REFERENCES compliance.filings,
    check_code           text        NOT NULL,
    checked_at           timestamptz NOT NULL,
    severity             text        NOT NULL CHECK (severity IN ('error', 'warning', 'info')),
    has_passed           boolean     NOT NULL,
    message              text        NOT NULL,
    explanation          text
);
CREATE INDEX edit_check_results_of_filing ON compliance.edit_check_results (filing_id, check_code);
COMMENT ON TABLE compliance.edit_check_results IS 'What the authority''s edit checks say of a report, with the explanation where one fails; append-only';
COMMENT ON COLUMN compliance.edit_check_results.edit_check_result_id IS 'Key';
COMMENT ON COLUMN compliance.edit_check_results.utility_id IS 'The utility';
COMMENT ON COLUMN compliance.edit_check_results.filing_id IS 'The report';
COMMENT ON COLUMN compliance.edit_check_results.check_code IS 'The check';
COMMENT ON COLUMN compliance.edit_check_results.checked_at IS 'When it was run';
COMMENT ON COLUMN compliance.edit_check_results.severity IS 'error, warning or info';
COMMENT ON COLUMN compliance.edit_check_results.has_passed IS 'Whether it holds';
COMMENT ON COLUMN compliance.edit_check_results.message IS 'What was found, with the numbers';
COMMENT ON COLUMN compliance.edit_check_results.explanation IS 'Why it is right all the same';
SELECT identity.protect('compliance.edit_check_results', staff => 'SI', auditor => true, audited => false, classification => 'internal', append_only => true);

CREATE TABLE compliance.submissions (
    submission_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id    uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    filing_id     uuid        NOT NULL REFERENCES compliance.filings,
    submitted_at  timestamptz NOT NULL,
    submitted_by  text        NOT NULL DEFAULT current_setting('app.actor', true),
    channel       text        NOT NULL,
    file_name     text        NOT NULL,
    file_sha256   bytea       NOT NULL CHECK (length(file_sha256) = 32),
    receipt       text
);
CREATE INDEX submissions_of_filing ON compliance.submissions (filing_id);
COMMENT ON TABLE compliance.submissions IS 'What was sent, when, by whom, and the receipt; append-only';
COMMENT ON COLUMN compliance.submissions.submission_id IS 'Key';
COMMENT ON COLUMN compliance.submissions.utility_id IS 'The utility';
COMMENT ON COLUMN compliance.submissions.filing_id IS 'The report';
COMMENT ON COLUMN compliance.submissions.submitted_at IS 'When it was sent';
COMMENT ON COLUMN compliance.submissions.submitted_by IS 'Who sent it';
COMMENT ON COLUMN compliance.submissions.channel IS 'How: portal, e-mail, file';
COMMENT ON COLUMN compliance.submissions.file_name IS 'File that was sent';
COMMENT ON COLUMN compliance.submissions.file_sha256 IS 'SHA-256 of that file';
COMMENT ON COLUMN compliance.submissions.receipt IS 'Number or words of the authority''s receipt';
SELECT identity.protect('compliance.submissions', staff => 'SI', regulator => 'true', auditor => true, audited => false, classification => 'internal', append_only => true);
