-- From usage to bills: cycles, runs, bills, their lines, what each was made from, and what was held back.
CREATE SCHEMA billing;
COMMENT ON SCHEMA billing IS 'Billing cycles, bill runs, bills, lines, frozen inputs, exceptions';
GRANT USAGE ON SCHEMA billing TO mains_any;

CREATE TABLE billing.cycles (
    utility_id   uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    cycle_code   text    NOT NULL CHECK (cycle_code ~ '^[a-z0-9-]{1,40}$'),
    description  text    NOT NULL,
    due_days     integer NOT NULL DEFAULT 21 CHECK (due_days BETWEEN 0 AND 120),
    PRIMARY KEY (utility_id, cycle_code)
);
COMMENT ON TABLE billing.cycles IS 'Groups of agreements that are billed together';
COMMENT ON COLUMN billing.cycles.utility_id IS 'The utility';
COMMENT ON COLUMN billing.cycles.cycle_code IS 'Short name, as agreements carry it';
COMMENT ON COLUMN billing.cycles.description IS 'What the cycle covers';
COMMENT ON COLUMN billing.cycles.due_days IS 'Days from issue to the due date';
SELECT identity.protect('billing.cycles', auditor => true, classification => 'internal');

CREATE TABLE billing.bill_runs (
    bill_run_id    uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id     uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    cycle_code     text        NOT NULL,
    period_start   date        NOT NULL,
    period_end     date        NOT NULL CHECK (period_end > period_start),
    purpose        text        NOT NULL DEFAULT 'regular' CHECK (purpose IN ('regular', 'final', 'off_cycle', 'rebill')),
    run_status     text        NOT NULL DEFAULT 'selected' CHECK (run_status IN ('selected', 'calculated', 'checked', 'approved', 'issued', 'failed')),
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    actor          text        NOT NULL DEFAULT current_setting('app.actor', true),
    accounts       integer     NOT NULL DEFAULT 0 CHECK (accounts >= 0),
    bills_made     integer     NOT NULL DEFAULT 0 CHECK (bills_made >= 0),
    bills_existing integer     NOT NULL DEFAULT 0 CHECK (bills_existing >= 0),
    exceptions     integer     NOT NULL DEFAULT 0 CHECK (exceptions >= 0),
    total_amount   numeric     NOT NULL DEFAULT 0,
    FOREIGN KEY (utility_id, cycle_code) REFERENCES billing.cycles
);
CREATE INDEX bill_runs_by_time ON billing.bill_runs (utility_id, started_at DESC);
COMMENT ON TABLE billing.bill_runs IS 'One go at billing a cycle for a period; repeating it makes nothing twice';
COMMENT ON COLUMN billing.bill_runs.bill_run_id IS 'Key';
COMMENT ON COLUMN billing.bill_runs.utility_id IS 'The utility';
COMMENT ON COLUMN billing.bill_runs.cycle_code IS 'The cycle';
COMMENT ON COLUMN billing.bill_runs.period_start IS 'First local date of the period';
COMMENT ON COLUMN billing.bill_runs.period_end IS 'Local date after the last of the period';
COMMENT ON COLUMN billing.bill_runs.purpose IS 'regular, final, off_cycle or rebill';
COMMENT ON COLUMN billing.bill_runs.run_status IS 'selected, calculated, checked, approved, issued or failed';
COMMENT ON COLUMN billing.bill_runs.started_at IS 'When it began';
COMMENT ON COLUMN billing.bill_runs.finished_at IS 'When it ended';
COMMENT ON COLUMN billing.bill_runs.actor IS 'Who started it';
COMMENT ON COLUMN billing.bill_runs.accounts IS 'Agreements that were due';
COMMENT ON COLUMN billing.bill_runs.bills_made IS 'Bills it made';
COMMENT ON COLUMN billing.bill_runs.bills_existing IS 'Bills that were there already';
COMMENT ON COLUMN billing.bill_runs.exceptions IS 'Bills it held, with reasons in bill_exceptions';
COMMENT ON COLUMN billing.bill_runs.total_amount IS 'Sum of the bills it made, in the utility''s currency';
SELECT identity.protect('billing.bill_runs', auditor => true, classification => 'internal');

CREATE TABLE billing.bills (
    account_id           uuid        NOT NULL REFERENCES customers.service_accounts,
    bill_id              uuid        NOT NULL DEFAULT base.new_id(),
    utility_id           uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id          uuid        NOT NULL REFERENCES customers.customers,
    bill_number          text        NOT NULL,
    bill_run_id          uuid        REFERENCES billing.bill_runs,
    commodity            text        NOT NULL CHECK (commodity IN ('electric', 'gas', 'water', 'sewer', 'telecom')),
    billing_period_start date        NOT NULL,
    billing_period_end   date        NOT NULL CHECK (billing_period_end > billing_period_start),
    purpose              text        NOT NULL DEFAULT 'regular' CHECK (purpose IN ('regular', 'final', 'off_cycle', 'rebill')),
    revision             smallint    NOT NULL DEFAULT 1 CHECK (revision > 0),
    billing_status       text        NOT NULL DEFAULT 'calculated' CHECK (billing_status IN ('calculated', 'approved', 'issued', 'cancelled')),
    currency             char(3)     NOT NULL,
    total_amount         numeric     NOT NULL,
    usage_quantity       numeric     NOT NULL,
    usage_unit           text        NOT NULL,
    usage_kwh            numeric,
    peak_kw              numeric     CHECK (peak_kw >= 0),
    estimated_readings   integer     NOT NULL DEFAULT 0 CHECK (estimated_readings >= 0),
    calculated_at        timestamptz NOT NULL,
    issued_at            timestamptz,
    issue_date           date,
    due_date             date        CHECK (due_date >= issue_date),
    cancelled_at         timestamptz,
    input_sha256         bytea       NOT NULL CHECK (length(input_sha256) = 32),
    output_sha256        bytea       NOT NULL CHECK (length(output_sha256) = 32),
    PRIMARY KEY (account_id, bill_id),
    CONSTRAINT one_bill_a_period UNIQUE (account_id, billing_period_start, billing_period_end, purpose, revision),
    CONSTRAINT an_issued_bill_is_due CHECK ((billing_status = 'issued' AND issued_at IS NOT NULL AND due_date IS NOT NULL) OR billing_status IN ('calculated', 'approved') AND issued_at IS NULL OR billing_status = 'cancelled'),
    CONSTRAINT a_day_is_billed_once EXCLUDE USING gist (account_id WITH =, daterange(billing_period_start, billing_period_end) WITH &&) WHERE (billing_status <> 'cancelled')
);
CREATE UNIQUE INDEX bills_by_key ON billing.bills (bill_id);
CREATE UNIQUE INDEX bills_by_number ON billing.bills (utility_id, bill_number);
CREATE INDEX bills_of_customer ON billing.bills (customer_id, billing_period_start DESC);
CREATE INDEX idx_bills_due_status ON billing.bills (due_date) WHERE billing_status = 'issued';
CREATE INDEX bills_of_run ON billing.bills (bill_run_id);
COMMENT ON TABLE billing.bills IS 'Bills: one an agreement, period, purpose and revision; an issued bill never changes but by being cancelled';
COMMENT ON COLUMN billing.bills.account_id IS 'The agreement; the distribution key';
COMMENT ON COLUMN billing.bills.bill_id IS 'Key';
COMMENT ON COLUMN billing.bills.utility_id IS 'The utility';
COMMENT ON COLUMN billing.bills.customer_id IS 'Who owes it';
COMMENT ON COLUMN billing.bills.bill_number IS 'Number on the bill, one in the utility';
COMMENT ON COLUMN billing.bills.bill_run_id IS 'Run that made it';
COMMENT ON COLUMN billing.bills.commodity IS 'electric, gas, water, sewer or telecom';
COMMENT ON COLUMN billing.bills.billing_period_start IS 'First local date billed';
COMMENT ON COLUMN billing.bills.billing_period_end IS 'Local date after the last one billed';
COMMENT ON COLUMN billing.bills.purpose IS 'regular, final, off_cycle or rebill';
COMMENT ON COLUMN billing.bills.revision IS 'Revision, from 1; a rebill raises it';
COMMENT ON COLUMN billing.bills.billing_status IS 'calculated, approved, issued or cancelled; whether it is paid is the ledger''s to say';
COMMENT ON COLUMN billing.bills.currency IS 'ISO 4217 code';
COMMENT ON COLUMN billing.bills.total_amount IS 'Sum of the lines, in the currency''s minor-unit precision';
COMMENT ON COLUMN billing.bills.usage_quantity IS 'Usage billed, in usage_unit';
COMMENT ON COLUMN billing.bills.usage_unit IS 'Unit of usage_quantity: kWh, therm, kgal …';
COMMENT ON COLUMN billing.bills.usage_kwh IS 'Electric energy billed, kWh; NULL for other commodities';
COMMENT ON COLUMN billing.bills.peak_kw IS 'Highest demand in the period, kW; NULL for other commodities';
COMMENT ON COLUMN billing.bills.estimated_readings IS 'Readings behind it that were estimated or substituted';
COMMENT ON COLUMN billing.bills.calculated_at IS 'When it was calculated';
COMMENT ON COLUMN billing.bills.issued_at IS 'When it was issued';
COMMENT ON COLUMN billing.bills.issue_date IS 'Date on the bill';
COMMENT ON COLUMN billing.bills.due_date IS 'Last date to pay';
COMMENT ON COLUMN billing.bills.cancelled_at IS 'When it was cancelled';
COMMENT ON COLUMN billing.bills.input_sha256 IS 'SHA-256 of everything it was made from';
COMMENT ON COLUMN billing.bills.output_sha256 IS 'SHA-256 of its lines and total';
SELECT identity.protect('billing.bills', customer => 'customer_id = (SELECT identity.current_customer()) AND billing_status IN (''issued'', ''cancelled'')', auditor => true, classification => 'confidential');

CREATE FUNCTION billing.guard_bill() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.billing_status = 'cancelled' OR (OLD.billing_status = 'issued' AND (to_jsonb(NEW) - ARRAY['billing_status', 'cancelled_at']) <> (to_jsonb(OLD) - ARRAY['billing_status', 'cancelled_at']))
       OR (OLD.billing_status = 'issued' AND NEW.billing_status <> ALL (ARRAY['issued', 'cancelled'])) THEN
        RAISE EXCEPTION 'bill % was issued: it can be cancelled and billed again, never changed', OLD.bill_number USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION billing.guard_bill() IS 'Keeps an issued bill as it is: only cancelling it is allowed';
CREATE TRIGGER guard_bill BEFORE UPDATE ON billing.bills FOR EACH ROW EXECUTE FUNCTION billing.guard_bill();

CREATE TABLE billing.bill_lines (
    account_id      uuid     NOT NULL,
    bill_id         uuid     NOT NULL,
    line_no         smallint NOT NULL CHECK (line_no > 0),
    utility_id      uuid     NOT NULL DEFAULT identity.current_utility(),
    rate_version_id uuid     NOT NULL,
    segment_no      smallint NOT NULL DEFAULT 1 CHECK (segment_no > 0),
    charge_id       text     NOT NULL,
    charge_kind     text     NOT NULL CHECK (charge_kind IN ('fixed', 'energy', 'demand', 'minimum', 'percent', 'tax', 'export', 'adjustment')),
    label           text     NOT NULL,
    tags            text[]   NOT NULL DEFAULT '{}',
    tou_period      text,
    tier            smallint,
    quantity        numeric  NOT NULL,
    unit            text     NOT NULL,
    price           numeric  NOT NULL,
    factor          text     NOT NULL DEFAULT '1' CHECK (factor ~ '^[0-9]+(/[0-9]+)?$'),
    amount          numeric  NOT NULL,
    PRIMARY KEY (account_id, bill_id, line_no),
    FOREIGN KEY (account_id, bill_id) REFERENCES billing.bills
);
COMMENT ON TABLE billing.bill_lines IS 'Lines of bills: quantity x factor x price = amount, rounded half-up once; never changed';
COMMENT ON COLUMN billing.bill_lines.account_id IS 'The agreement; the distribution key';
COMMENT ON COLUMN billing.bill_lines.bill_id IS 'The bill';
COMMENT ON COLUMN billing.bill_lines.line_no IS 'Place on the bill, from 1';
COMMENT ON COLUMN billing.bill_lines.utility_id IS 'The utility';
COMMENT ON COLUMN billing.bill_lines.rate_version_id IS 'Rate version that priced it';
COMMENT ON COLUMN billing.bill_lines.segment_no IS 'Part of the period it is for, where the rate changed inside it; from 1';
COMMENT ON COLUMN billing.bill_lines.charge_id IS 'Charge of the rate';
COMMENT ON COLUMN billing.bill_lines.charge_kind IS 'fixed, energy, demand, minimum, percent, tax, export or adjustment';
COMMENT ON COLUMN billing.bill_lines.label IS 'Words on the bill';
COMMENT ON COLUMN billing.bill_lines.tags IS 'What the amount counts as, for percentages, minimums and the general ledger';
COMMENT ON COLUMN billing.bill_lines.tou_period IS 'Time-of-use period, where the price has one';
COMMENT ON COLUMN billing.bill_lines.tier IS 'Tier from 1, where the price has tiers';
COMMENT ON COLUMN billing.bill_lines.quantity IS 'Quantity as printed, in unit';
COMMENT ON COLUMN billing.bill_lines.unit IS 'kWh, kW, therm, kgal, month, day, % …';
COMMENT ON COLUMN billing.bill_lines.price IS 'Price of a unit; for percentages the share';
COMMENT ON COLUMN billing.bill_lines.factor IS 'Share of the standard period as an exact fraction: 1 for a whole month, 17/30 for a part';
COMMENT ON COLUMN billing.bill_lines.amount IS 'quantity x factor x price, rounded half-up to the minor unit';
SELECT identity.protect('billing.bill_lines', staff => 'SI', customer => 'bill_id IN (SELECT b.bill_id FROM billing.bills b)', auditor => true, audited => false, append_only => true);

CREATE TABLE billing.bill_inputs (
    account_id       uuid        NOT NULL,
    bill_id          uuid        NOT NULL,
    utility_id       uuid        NOT NULL DEFAULT identity.current_utility(),
    segments         jsonb       NOT NULL,
    channels         jsonb       NOT NULL,
    engine_version   text        NOT NULL,
    readings_as_of   timestamptz NOT NULL,
    PRIMARY KEY (account_id, bill_id),
    FOREIGN KEY (account_id, bill_id) REFERENCES billing.bills
);
COMMENT ON TABLE billing.bill_inputs IS 'What a bill was made from, frozen: rate versions, channels with block versions or reads, engine';
COMMENT ON COLUMN billing.bill_inputs.account_id IS 'The agreement; the distribution key';
COMMENT ON COLUMN billing.bill_inputs.bill_id IS 'The bill';
COMMENT ON COLUMN billing.bill_inputs.utility_id IS 'The utility';
COMMENT ON COLUMN billing.bill_inputs.segments IS 'Parts of the period with their rate version, its hash and their bounds';
COMMENT ON COLUMN billing.bill_inputs.channels IS 'Channels with the span read, and the hash and versions of what was read';
COMMENT ON COLUMN billing.bill_inputs.engine_version IS 'Version of the pricing engine';
COMMENT ON COLUMN billing.bill_inputs.readings_as_of IS 'Instant the readings were read';
SELECT identity.protect('billing.bill_inputs', staff => 'SI', customer => 'bill_id IN (SELECT b.bill_id FROM billing.bills b)', auditor => true, audited => false, append_only => true);

CREATE TABLE billing.bill_exceptions (
    bill_exception_id    uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id           uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    bill_run_id          uuid        NOT NULL REFERENCES billing.bill_runs,
    account_id           uuid        NOT NULL REFERENCES customers.service_accounts,
    billing_period_start date        NOT NULL,
    billing_period_end   date        NOT NULL CHECK (billing_period_end > billing_period_start),
    code                 text        NOT NULL,
    message              text        NOT NULL,
    cure                 text        NOT NULL,
    exception_status     text        NOT NULL DEFAULT 'open' CHECK (exception_status IN ('open', 'resolved', 'waived')),
    found_at             timestamptz NOT NULL,
    closed_at            timestamptz,
    closed_by            text
);
CREATE UNIQUE INDEX one_open_exception ON billing.bill_exceptions (account_id, billing_period_start, billing_period_end, code) WHERE exception_status = 'open';
CREATE INDEX bill_exceptions_of_run ON billing.bill_exceptions (bill_run_id);
CREATE INDEX bill_exceptions_of_account ON billing.bill_exceptions (account_id);
CREATE INDEX bill_exceptions_open ON billing.bill_exceptions (utility_id, found_at DESC) WHERE exception_status = 'open';
COMMENT ON TABLE billing.bill_exceptions IS 'Bills held back, with the reason and the cure; a bill is never guessed';
COMMENT ON COLUMN billing.bill_exceptions.bill_exception_id IS 'Key';
COMMENT ON COLUMN billing.bill_exceptions.utility_id IS 'The utility';
COMMENT ON COLUMN billing.bill_exceptions.bill_run_id IS 'Run that held it';
COMMENT ON COLUMN billing.bill_exceptions.account_id IS 'The agreement';
COMMENT ON COLUMN billing.bill_exceptions.billing_period_start IS 'First local date of the period';
COMMENT ON COLUMN billing.bill_exceptions.billing_period_end IS 'Local date after the last of the period';
COMMENT ON COLUMN billing.bill_exceptions.code IS 'Kind of problem, kebab case';
COMMENT ON COLUMN billing.bill_exceptions.message IS 'What is the case, with the numbers';
COMMENT ON COLUMN billing.bill_exceptions.cure IS 'What to do about it';
COMMENT ON COLUMN billing.bill_exceptions.exception_status IS 'open, resolved or waived';
COMMENT ON COLUMN billing.bill_exceptions.found_at IS 'When it was found';
COMMENT ON COLUMN billing.bill_exceptions.closed_at IS 'When it was closed';
COMMENT ON COLUMN billing.bill_exceptions.closed_by IS 'Who closed it';
SELECT identity.protect('billing.bill_exceptions', auditor => true);
