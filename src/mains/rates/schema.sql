-- What things cost: rates, their immutable versions, and the data they lean on.
CREATE SCHEMA rates;
COMMENT ON SCHEMA rates IS 'Rate schedules, their immutable versions, riders, calendars, index series, taxes and exemptions';
GRANT USAGE ON SCHEMA rates TO mains_any;

CREATE TABLE rates.rate_schedules (
    rate_schedule_id   uuid    PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    rate_schedule_name text    NOT NULL CHECK (length(rate_schedule_name) BETWEEN 1 AND 200),
    rate_code          text    NOT NULL CHECK (rate_code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$'),
    commodity          text    NOT NULL CHECK (commodity IN ('electric', 'gas', 'water', 'sewer', 'telecom')),
    customer_class     text    NOT NULL DEFAULT 'residential',
    rate_status        text    NOT NULL DEFAULT 'draft' CHECK (rate_status IN ('draft', 'active', 'closed', 'withdrawn')),
    effective_date     date,
    base_rate          numeric,
    demand_charge      numeric,
    time_of_use_rates  jsonb,
    service_charge     numeric,
    UNIQUE (utility_id, rate_code)
);
COMMENT ON TABLE rates.rate_schedules IS 'Rates by name; what a rate costs is in its versions';
COMMENT ON COLUMN rates.rate_schedules.rate_schedule_id IS 'Key';
COMMENT ON COLUMN rates.rate_schedules.utility_id IS 'The utility';
COMMENT ON COLUMN rates.rate_schedules.rate_schedule_name IS 'Name on the tariff sheet';
COMMENT ON COLUMN rates.rate_schedules.rate_code IS 'Short name, one in the utility';
COMMENT ON COLUMN rates.rate_schedules.commodity IS 'electric, gas, water, sewer or telecom';
COMMENT ON COLUMN rates.rate_schedules.customer_class IS 'Class it is meant for';
COMMENT ON COLUMN rates.rate_schedules.rate_status IS 'draft, active, closed (to new customers) or withdrawn';
COMMENT ON COLUMN rates.rate_schedules.effective_date IS 'First date of the newest version; derived from it';
COMMENT ON COLUMN rates.rate_schedules.base_rate IS 'Lowest first-tier energy price of the newest version, money a unit; derived, for orientation only';
COMMENT ON COLUMN rates.rate_schedules.demand_charge IS 'Sum of first-tier demand prices of the newest version, money a kW; derived, for orientation only';
COMMENT ON COLUMN rates.rate_schedules.time_of_use_rates IS 'First-tier energy price of each period of the newest version; derived, for orientation only';
COMMENT ON COLUMN rates.rate_schedules.service_charge IS 'Fixed charge of the newest version, money a month; derived, for orientation only';
SELECT identity.protect('rates.rate_schedules', customer => 'rate_status <> ''draft''', regulator => 'true', auditor => true, classification => 'public');

CREATE TABLE rates.rate_versions (
    rate_version_id  uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    rate_schedule_id uuid        NOT NULL REFERENCES rates.rate_schedules,
    version_number   integer     NOT NULL CHECK (version_number > 0),
    effective_period daterange   NOT NULL CHECK (NOT isempty(effective_period) AND NOT lower_inf(effective_period)),
    document         jsonb       NOT NULL,
    document_sha256  bytea       NOT NULL CHECK (length(document_sha256) = 32),
    source_url       text,
    source_sha256    bytea       CHECK (length(source_sha256) = 32),
    approved_by      text,
    recorded_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (rate_schedule_id, version_number),
    CONSTRAINT versions_do_not_overlap EXCLUDE USING gist (rate_schedule_id WITH =, effective_period WITH &&)
);
COMMENT ON TABLE rates.rate_versions IS 'What a rate costs from when to when; a version never changes, only its end may be set once the next one begins';
COMMENT ON COLUMN rates.rate_versions.rate_version_id IS 'Key; bills name it';
COMMENT ON COLUMN rates.rate_versions.utility_id IS 'The utility';
COMMENT ON COLUMN rates.rate_versions.rate_schedule_id IS 'The rate';
COMMENT ON COLUMN rates.rate_versions.version_number IS 'Number of the version, from 1';
COMMENT ON COLUMN rates.rate_versions.effective_period IS 'Local dates it holds, half-open';
COMMENT ON COLUMN rates.rate_versions.document IS 'The whole rate as a document: calendar, charges, clauses (docs/reference/rates.md)';
COMMENT ON COLUMN rates.rate_versions.document_sha256 IS 'SHA-256 of the canonical document';
COMMENT ON COLUMN rates.rate_versions.source_url IS 'Where the tariff sheet was published';
COMMENT ON COLUMN rates.rate_versions.source_sha256 IS 'SHA-256 of the sheet or file it was made from';
COMMENT ON COLUMN rates.rate_versions.approved_by IS 'Who approved it';
COMMENT ON COLUMN rates.rate_versions.recorded_at IS 'When it was entered here';
SELECT identity.protect('rates.rate_versions', staff => 'SI', customer => 'true', regulator => 'true', auditor => true, classification => 'public');
GRANT UPDATE (effective_period) ON rates.rate_versions TO mains_staff;
CREATE POLICY staff_update ON rates.rate_versions FOR UPDATE TO mains_staff USING (true) WITH CHECK (true);
ALTER TABLE customers.rate_assignments ADD FOREIGN KEY (rate_schedule_id) REFERENCES rates.rate_schedules;

CREATE TABLE rates.riders (
    rider_id         uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    rider_code       text      NOT NULL,
    rider_name       text      NOT NULL,
    effective_period daterange NOT NULL,
    document         jsonb     NOT NULL,
    document_sha256  bytea     NOT NULL CHECK (length(document_sha256) = 32),
    EXCLUDE USING gist (utility_id WITH =, rider_code WITH =, effective_period WITH &&)
);
COMMENT ON TABLE rates.riders IS 'Charges that many rates share and that change on their own dates';
COMMENT ON COLUMN rates.riders.rider_id IS 'Key';
COMMENT ON COLUMN rates.riders.utility_id IS 'The utility';
COMMENT ON COLUMN rates.riders.rider_code IS 'Short name';
COMMENT ON COLUMN rates.riders.rider_name IS 'Name on the sheet';
COMMENT ON COLUMN rates.riders.effective_period IS 'Local dates it holds, half-open';
COMMENT ON COLUMN rates.riders.document IS 'The charge, in the form a rate''s charges have';
COMMENT ON COLUMN rates.riders.document_sha256 IS 'SHA-256 of the canonical document';
SELECT identity.protect('rates.riders', customer => 'true', regulator => 'true', auditor => true, classification => 'public');

CREATE TABLE rates.calendars (
    calendar_id   uuid NOT NULL DEFAULT base.new_id() PRIMARY KEY,
    utility_id    uuid NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    calendar_code text NOT NULL,
    holiday_date  date NOT NULL,
    holiday_name  text NOT NULL,
    UNIQUE (utility_id, calendar_code, holiday_date)
);
COMMENT ON TABLE rates.calendars IS 'Holidays by date, so that no library''s later opinion changes an old bill';
COMMENT ON COLUMN rates.calendars.calendar_id IS 'Key';
COMMENT ON COLUMN rates.calendars.utility_id IS 'The utility';
COMMENT ON COLUMN rates.calendars.calendar_code IS 'Name of the calendar';
COMMENT ON COLUMN rates.calendars.holiday_date IS 'Local date';
COMMENT ON COLUMN rates.calendars.holiday_name IS 'Name of the day';
SELECT identity.protect('rates.calendars', staff => 'SIUD', regulator => 'true', auditor => true, classification => 'public');

CREATE TABLE rates.index_series (
    utility_id uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    series     text        NOT NULL,
    from_at    timestamptz NOT NULL,
    to_at      timestamptz NOT NULL CHECK (to_at > from_at),
    price      numeric     NOT NULL,
    unit       text        NOT NULL,
    PRIMARY KEY (utility_id, series, from_at)
);
COMMENT ON TABLE rates.index_series IS 'Prices that follow a market or a formula, by time';
COMMENT ON COLUMN rates.index_series.utility_id IS 'The utility';
COMMENT ON COLUMN rates.index_series.series IS 'Name of the series';
COMMENT ON COLUMN rates.index_series.from_at IS 'Start of its time, inclusive';
COMMENT ON COLUMN rates.index_series.to_at IS 'End of its time, exclusive';
COMMENT ON COLUMN rates.index_series.price IS 'Price, money a unit';
COMMENT ON COLUMN rates.index_series.unit IS 'Unit of the price: kWh, therm, m3 …';
SELECT identity.protect('rates.index_series', regulator => 'true', auditor => true, classification => 'public');

CREATE TABLE rates.taxes (
    tax_id           uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    jurisdiction     text      NOT NULL,
    tax_name         text      NOT NULL,
    commodity        text      NOT NULL,
    customer_class   text      NOT NULL DEFAULT 'all',
    rate             numeric   NOT NULL CHECK (rate >= 0),
    effective_period daterange NOT NULL,
    EXCLUDE USING gist (utility_id WITH =, jurisdiction WITH =, tax_name WITH =, commodity WITH =, customer_class WITH =, effective_period WITH &&)
);
COMMENT ON TABLE rates.taxes IS 'Taxes and fees by jurisdiction, commodity and class';
COMMENT ON COLUMN rates.taxes.tax_id IS 'Key';
COMMENT ON COLUMN rates.taxes.utility_id IS 'The utility';
COMMENT ON COLUMN rates.taxes.jurisdiction IS 'State, county or city that levies it';
COMMENT ON COLUMN rates.taxes.tax_name IS 'Name on the bill';
COMMENT ON COLUMN rates.taxes.commodity IS 'Commodity it is on';
COMMENT ON COLUMN rates.taxes.customer_class IS 'Class it is on; all for every one';
COMMENT ON COLUMN rates.taxes.rate IS 'Share of the taxed amount, 0.07 for 7 %';
COMMENT ON COLUMN rates.taxes.effective_period IS 'Local dates it holds, half-open';
SELECT identity.protect('rates.taxes', regulator => 'true', auditor => true, classification => 'public');

CREATE TABLE rates.exemptions (
    exemption_id     uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    account_id       uuid      NOT NULL REFERENCES customers.service_accounts,
    tax_id           uuid      NOT NULL REFERENCES rates.taxes,
    certificate      text,
    effective_period daterange NOT NULL,
    EXCLUDE USING gist (account_id WITH =, tax_id WITH =, effective_period WITH &&)
);
CREATE INDEX exemptions_of_tax ON rates.exemptions (tax_id);
COMMENT ON TABLE rates.exemptions IS 'Agreements that do not owe a tax, and on what paper';
COMMENT ON COLUMN rates.exemptions.exemption_id IS 'Key';
COMMENT ON COLUMN rates.exemptions.utility_id IS 'The utility';
COMMENT ON COLUMN rates.exemptions.account_id IS 'The agreement';
COMMENT ON COLUMN rates.exemptions.tax_id IS 'The tax';
COMMENT ON COLUMN rates.exemptions.certificate IS 'Number of the certificate';
COMMENT ON COLUMN rates.exemptions.effective_period IS 'Local dates it holds, half-open';
SELECT identity.protect('rates.exemptions', auditor => true);
