-- Which equipment fails next, what is done about it, and whether the prediction was right.
CREATE SCHEMA maintenance;
COMMENT ON SCHEMA maintenance IS 'Condition, failure predictions and their outcomes, work orders, replacement plans, transformer temperatures and oil, anomaly cases';
GRANT USAGE ON SCHEMA maintenance TO mains_any;

CREATE TABLE maintenance.condition_scores (
    condition_score_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    asset_id           uuid        NOT NULL REFERENCES network.infrastructure_assets,
    scored_at          timestamptz NOT NULL,
    method             text        NOT NULL,
    score              numeric     NOT NULL CHECK (score BETWEEN 0 AND 100),
    inputs             jsonb       NOT NULL
);
CREATE INDEX condition_scores_of_asset ON maintenance.condition_scores (asset_id, scored_at DESC);
COMMENT ON TABLE maintenance.condition_scores IS 'Health of equipment at an instant, by a named method, with what it was made from; append-only';
COMMENT ON COLUMN maintenance.condition_scores.condition_score_id IS 'Key';
COMMENT ON COLUMN maintenance.condition_scores.utility_id IS 'The utility';
COMMENT ON COLUMN maintenance.condition_scores.asset_id IS 'The equipment';
COMMENT ON COLUMN maintenance.condition_scores.scored_at IS 'Instant it is about';
COMMENT ON COLUMN maintenance.condition_scores.method IS 'Method and its version';
COMMENT ON COLUMN maintenance.condition_scores.score IS 'Health, 0 (as bad as can be) to 100 (as new)';
COMMENT ON COLUMN maintenance.condition_scores.inputs IS 'Age, inspections, readings … it was made from';
SELECT identity.protect('maintenance.condition_scores', staff => 'SI', auditor => true, audited => false, classification => 'internal', append_only => true);

CREATE TABLE maintenance.failure_predictions (
    failure_prediction_id  uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id             uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    asset_id               uuid        NOT NULL REFERENCES network.infrastructure_assets,
    predicted_at           timestamptz NOT NULL,
    horizon_days           integer     NOT NULL CHECK (horizon_days > 0),
    prediction_status      text        NOT NULL DEFAULT 'open' CHECK (prediction_status IN ('open', 'insufficient_data', 'happened', 'did_not_happen')),
    failure_probability    numeric     CHECK (failure_probability BETWEEN 0 AND 1),
    probability_low        numeric     CHECK (probability_low BETWEEN 0 AND 1),
    probability_high       numeric     CHECK (probability_high BETWEEN 0 AND 1),
    failure_mode           text,
    median_days_to_failure numeric     CHECK (median_days_to_failure >= 0),
    model_version          text        NOT NULL,
    inputs                 jsonb       NOT NULL,
    closed_at              timestamptz CHECK (closed_at >= predicted_at),
    outcome                text,
    CONSTRAINT no_data_no_number CHECK ((prediction_status = 'insufficient_data') = (failure_probability IS NULL)),
    CONSTRAINT an_interval_holds_its_chance CHECK (probability_low <= failure_probability AND failure_probability <= probability_high),
    CONSTRAINT an_outcome_says_when CHECK ((prediction_status IN ('happened', 'did_not_happen')) = (closed_at IS NOT NULL))
);
CREATE INDEX failure_predictions_of_asset ON maintenance.failure_predictions (asset_id, predicted_at DESC);
CREATE INDEX failure_predictions_open ON maintenance.failure_predictions (utility_id, failure_probability DESC) WHERE prediction_status = 'open';
COMMENT ON TABLE maintenance.failure_predictions IS 'Chances of failure within a horizon, with the model, its inputs and, later, what happened';
COMMENT ON COLUMN maintenance.failure_predictions.failure_prediction_id IS 'Key';
COMMENT ON COLUMN maintenance.failure_predictions.utility_id IS 'The utility';
COMMENT ON COLUMN maintenance.failure_predictions.asset_id IS 'The equipment';
COMMENT ON COLUMN maintenance.failure_predictions.predicted_at IS 'When it was predicted';
COMMENT ON COLUMN maintenance.failure_predictions.horizon_days IS 'Days it looks ahead';
COMMENT ON COLUMN maintenance.failure_predictions.prediction_status IS 'open, insufficient_data (nothing is claimed), happened or did_not_happen';
COMMENT ON COLUMN maintenance.failure_predictions.failure_probability IS 'Chance of a failure in the horizon, 0 to 1; NULL where the data do not suffice';
COMMENT ON COLUMN maintenance.failure_predictions.probability_low IS 'Low end of its 90 % interval';
COMMENT ON COLUMN maintenance.failure_predictions.probability_high IS 'High end of its 90 % interval';
COMMENT ON COLUMN maintenance.failure_predictions.failure_mode IS 'Most likely way to fail, of the asset''s kind';
COMMENT ON COLUMN maintenance.failure_predictions.median_days_to_failure IS 'Median remaining life, days; NULL where the model gives none';
COMMENT ON COLUMN maintenance.failure_predictions.model_version IS 'Model and its version';
COMMENT ON COLUMN maintenance.failure_predictions.inputs IS 'What it saw, and how much of it there was';
COMMENT ON COLUMN maintenance.failure_predictions.closed_at IS 'When it was known what happened';
COMMENT ON COLUMN maintenance.failure_predictions.outcome IS 'What happened';
SELECT identity.protect('maintenance.failure_predictions', auditor => true, classification => 'internal');

CREATE TABLE maintenance.work_orders (
    work_order_id         uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id            uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    work_order_number     text        NOT NULL,
    asset_id              uuid        REFERENCES network.infrastructure_assets,
    meter_id              uuid        REFERENCES devices.meters,
    outage_id             uuid        REFERENCES outages.outages,
    failure_prediction_id uuid        REFERENCES maintenance.failure_predictions,
    crew_id               uuid        REFERENCES outages.crews,
    work_kind             text        NOT NULL CHECK (work_kind IN ('inspection', 'preventive', 'repair', 'replacement', 'emergency', 'vegetation', 'meter')),
    priority              text        NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    work_status           text        NOT NULL DEFAULT 'planned' CHECK (work_status IN ('planned', 'released', 'in_progress', 'done', 'cancelled')),
    description           text        NOT NULL,
    due_date              date,
    scheduled_period      tstzrange,
    started_at            timestamptz,
    finished_at           timestamptz CHECK (finished_at >= started_at),
    labour_hours          numeric     CHECK (labour_hours >= 0),
    cost                  numeric     CHECK (cost >= 0),
    findings              text,
    UNIQUE (utility_id, work_order_number),
    CONSTRAINT done_work_says_when CHECK (work_status <> 'done' OR (started_at IS NOT NULL AND finished_at IS NOT NULL))
);
CREATE INDEX work_orders_of_asset ON maintenance.work_orders (asset_id);
CREATE INDEX work_orders_of_meter ON maintenance.work_orders (meter_id);
CREATE INDEX work_orders_of_outage ON maintenance.work_orders (outage_id);
CREATE INDEX work_orders_of_prediction ON maintenance.work_orders (failure_prediction_id);
CREATE INDEX work_orders_of_crew ON maintenance.work_orders (crew_id);
CREATE INDEX work_orders_open ON maintenance.work_orders (utility_id, due_date) WHERE work_status IN ('planned', 'released', 'in_progress');
COMMENT ON TABLE maintenance.work_orders IS 'Work on equipment: inspection, repair, replacement, from the plan to what it cost';
COMMENT ON COLUMN maintenance.work_orders.work_order_id IS 'Key';
COMMENT ON COLUMN maintenance.work_orders.utility_id IS 'The utility';
COMMENT ON COLUMN maintenance.work_orders.work_order_number IS 'Number people use, one in the utility';
COMMENT ON COLUMN maintenance.work_orders.asset_id IS 'The equipment';
COMMENT ON COLUMN maintenance.work_orders.meter_id IS 'The meter, where it is about one';
COMMENT ON COLUMN maintenance.work_orders.outage_id IS 'Outage it repairs';
COMMENT ON COLUMN maintenance.work_orders.failure_prediction_id IS 'Prediction that asked for it';
COMMENT ON COLUMN maintenance.work_orders.crew_id IS 'Who does it';
COMMENT ON COLUMN maintenance.work_orders.work_kind IS 'inspection, preventive, repair, replacement, emergency, vegetation or meter';
COMMENT ON COLUMN maintenance.work_orders.priority IS 'low, normal, high or urgent';
COMMENT ON COLUMN maintenance.work_orders.work_status IS 'planned, released, in_progress, done or cancelled';
COMMENT ON COLUMN maintenance.work_orders.description IS 'What is to be done';
COMMENT ON COLUMN maintenance.work_orders.due_date IS 'Local date it must be done by';
COMMENT ON COLUMN maintenance.work_orders.scheduled_period IS 'When it is planned, half-open';
COMMENT ON COLUMN maintenance.work_orders.started_at IS 'When it began';
COMMENT ON COLUMN maintenance.work_orders.finished_at IS 'When it ended';
COMMENT ON COLUMN maintenance.work_orders.labour_hours IS 'Work, person-hours';
COMMENT ON COLUMN maintenance.work_orders.cost IS 'Cost, in the utility''s currency';
COMMENT ON COLUMN maintenance.work_orders.findings IS 'What was found and done';
SELECT identity.protect('maintenance.work_orders', auditor => true, classification => 'internal');

CREATE TABLE maintenance.replacement_plans (
    replacement_plan_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id          uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    plan_name           text        NOT NULL,
    plan_status         text        NOT NULL DEFAULT 'draft' CHECK (plan_status IN ('draft', 'approved', 'superseded')),
    made_at             timestamptz NOT NULL,
    years               int4range   NOT NULL CHECK (NOT isempty(years)),
    budget              numeric     NOT NULL CHECK (budget >= 0),
    choices             jsonb       NOT NULL,
    risk_before         numeric     CHECK (risk_before >= 0),
    risk_after          numeric     CHECK (risk_after >= 0),
    model_version       text        NOT NULL,
    approved_by         text,
    UNIQUE (utility_id, plan_name),
    CONSTRAINT approval_has_a_name CHECK (plan_status <> 'approved' OR approved_by IS NOT NULL)
);
COMMENT ON TABLE maintenance.replacement_plans IS 'Which equipment is replaced in which year within a budget, and what risk that removes';
COMMENT ON COLUMN maintenance.replacement_plans.replacement_plan_id IS 'Key';
COMMENT ON COLUMN maintenance.replacement_plans.utility_id IS 'The utility';
COMMENT ON COLUMN maintenance.replacement_plans.plan_name IS 'Name people use';
COMMENT ON COLUMN maintenance.replacement_plans.plan_status IS 'draft, approved or superseded';
COMMENT ON COLUMN maintenance.replacement_plans.made_at IS 'When it was calculated';
COMMENT ON COLUMN maintenance.replacement_plans.years IS 'Calendar years it covers, half-open';
COMMENT ON COLUMN maintenance.replacement_plans.budget IS 'Money a year, in the utility''s currency';
COMMENT ON COLUMN maintenance.replacement_plans.choices IS 'Equipment, year, cost and risk removed, in order';
COMMENT ON COLUMN maintenance.replacement_plans.risk_before IS 'Expected cost of failures without it, in the utility''s currency';
COMMENT ON COLUMN maintenance.replacement_plans.risk_after IS 'Expected cost of failures with it, in the utility''s currency';
COMMENT ON COLUMN maintenance.replacement_plans.model_version IS 'Model and its version';
COMMENT ON COLUMN maintenance.replacement_plans.approved_by IS 'Who approved it';
SELECT identity.protect('maintenance.replacement_plans', auditor => true, classification => 'internal');

CREATE TABLE maintenance.thermal_states (
    asset_id        uuid        NOT NULL REFERENCES network.infrastructure_assets,
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    state_at        timestamptz NOT NULL,
    load_factor     numeric     NOT NULL CHECK (load_factor >= 0),
    ambient_c       numeric     NOT NULL,
    top_oil_c       numeric     NOT NULL,
    hot_spot_c      numeric     NOT NULL,
    ageing_factor   numeric     NOT NULL CHECK (ageing_factor >= 0),
    life_used_hours numeric     NOT NULL CHECK (life_used_hours >= 0),
    model_version   text        NOT NULL,
    PRIMARY KEY (asset_id, state_at)
);
CREATE INDEX thermal_states_by_time ON maintenance.thermal_states (utility_id, state_at);
COMMENT ON TABLE maintenance.thermal_states IS 'Calculated temperatures and ageing of transformers (IEC 60076-7), by hour';
COMMENT ON COLUMN maintenance.thermal_states.asset_id IS 'The transformer';
COMMENT ON COLUMN maintenance.thermal_states.utility_id IS 'The utility';
COMMENT ON COLUMN maintenance.thermal_states.state_at IS 'Instant it is about';
COMMENT ON COLUMN maintenance.thermal_states.load_factor IS 'Load as a share of the rated load, 1 for full';
COMMENT ON COLUMN maintenance.thermal_states.ambient_c IS 'Air temperature, °C';
COMMENT ON COLUMN maintenance.thermal_states.top_oil_c IS 'Temperature of the top oil, °C';
COMMENT ON COLUMN maintenance.thermal_states.hot_spot_c IS 'Temperature of the hottest winding, °C';
COMMENT ON COLUMN maintenance.thermal_states.ageing_factor IS 'How fast the paper ages, 1 for normal';
COMMENT ON COLUMN maintenance.thermal_states.life_used_hours IS 'Life used since it was new, hours';
COMMENT ON COLUMN maintenance.thermal_states.model_version IS 'Model and its version';
SELECT identity.protect('maintenance.thermal_states', staff => 'SIU', audited => false, classification => 'internal');

CREATE TABLE maintenance.oil_samples (
    oil_sample_id       uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id          uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    asset_id            uuid        NOT NULL REFERENCES network.infrastructure_assets,
    sampled_at          timestamptz NOT NULL,
    laboratory          text,
    hydrogen_ppm        numeric     CHECK (hydrogen_ppm >= 0),
    methane_ppm         numeric     CHECK (methane_ppm >= 0),
    ethane_ppm          numeric     CHECK (ethane_ppm >= 0),
    ethylene_ppm        numeric     CHECK (ethylene_ppm >= 0),
    acetylene_ppm       numeric     CHECK (acetylene_ppm >= 0),
    carbon_monoxide_ppm numeric     CHECK (carbon_monoxide_ppm >= 0),
    carbon_dioxide_ppm  numeric     CHECK (carbon_dioxide_ppm >= 0),
    moisture_ppm        numeric     CHECK (moisture_ppm >= 0),
    UNIQUE (asset_id, sampled_at)
);
COMMENT ON TABLE maintenance.oil_samples IS 'Gases dissolved in a transformer''s oil, as the laboratory found them';
COMMENT ON COLUMN maintenance.oil_samples.oil_sample_id IS 'Key';
COMMENT ON COLUMN maintenance.oil_samples.utility_id IS 'The utility';
COMMENT ON COLUMN maintenance.oil_samples.asset_id IS 'The transformer';
COMMENT ON COLUMN maintenance.oil_samples.sampled_at IS 'When the sample was taken';
COMMENT ON COLUMN maintenance.oil_samples.laboratory IS 'Laboratory';
COMMENT ON COLUMN maintenance.oil_samples.hydrogen_ppm IS 'H2, µL/L';
COMMENT ON COLUMN maintenance.oil_samples.methane_ppm IS 'CH4, µL/L';
COMMENT ON COLUMN maintenance.oil_samples.ethane_ppm IS 'C2H6, µL/L';
COMMENT ON COLUMN maintenance.oil_samples.ethylene_ppm IS 'C2H4, µL/L';
COMMENT ON COLUMN maintenance.oil_samples.acetylene_ppm IS 'C2H2, µL/L';
COMMENT ON COLUMN maintenance.oil_samples.carbon_monoxide_ppm IS 'CO, µL/L';
COMMENT ON COLUMN maintenance.oil_samples.carbon_dioxide_ppm IS 'CO2, µL/L';
COMMENT ON COLUMN maintenance.oil_samples.moisture_ppm IS 'Water in the oil, mg/kg';
SELECT identity.protect('maintenance.oil_samples', auditor => true, classification => 'internal');

CREATE TABLE maintenance.anomaly_cases (
    anomaly_case_id  uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    anomaly_kind     text        NOT NULL CHECK (anomaly_kind IN ('sensor', 'overload', 'voltage', 'leak', 'theft', 'stuck_meter', 'consumption', 'other')),
    asset_id         uuid        REFERENCES network.infrastructure_assets,
    device_id        uuid        REFERENCES devices.smart_devices,
    account_id       uuid        REFERENCES customers.service_accounts,
    found_at         timestamptz NOT NULL,
    anomalous_period tstzrange   NOT NULL CHECK (NOT isempty(anomalous_period)),
    score            numeric     NOT NULL CHECK (score >= 0),
    finding          text        NOT NULL,
    detector         text        NOT NULL,
    case_status      text        NOT NULL DEFAULT 'open' CHECK (case_status IN ('open', 'inspecting', 'confirmed', 'dismissed')),
    closed_at        timestamptz CHECK (closed_at >= found_at),
    outcome          text,
    CONSTRAINT a_closed_case_says_when CHECK ((case_status IN ('confirmed', 'dismissed')) = (closed_at IS NOT NULL))
);
CREATE INDEX anomaly_cases_of_asset ON maintenance.anomaly_cases (asset_id);
CREATE INDEX anomaly_cases_of_device ON maintenance.anomaly_cases (device_id);
CREATE INDEX anomaly_cases_of_account ON maintenance.anomaly_cases (account_id);
CREATE INDEX anomaly_cases_open ON maintenance.anomaly_cases (utility_id, found_at DESC) WHERE case_status IN ('open', 'inspecting');
COMMENT ON TABLE maintenance.anomaly_cases IS 'Readings that do not fit (failing sensor, overload, leak, theft …), followed up until it is known what it was';
COMMENT ON COLUMN maintenance.anomaly_cases.anomaly_case_id IS 'Key';
COMMENT ON COLUMN maintenance.anomaly_cases.utility_id IS 'The utility';
COMMENT ON COLUMN maintenance.anomaly_cases.anomaly_kind IS 'sensor, overload, voltage, leak, theft, stuck_meter, consumption or other';
COMMENT ON COLUMN maintenance.anomaly_cases.asset_id IS 'Equipment it is about';
COMMENT ON COLUMN maintenance.anomaly_cases.device_id IS 'Device it is about';
COMMENT ON COLUMN maintenance.anomaly_cases.account_id IS 'Agreement it is about';
COMMENT ON COLUMN maintenance.anomaly_cases.found_at IS 'When it was found';
COMMENT ON COLUMN maintenance.anomaly_cases.anomalous_period IS 'When it did not fit, half-open';
COMMENT ON COLUMN maintenance.anomaly_cases.score IS 'How far it is from what was expected, in standard deviations';
COMMENT ON COLUMN maintenance.anomaly_cases.finding IS 'What was seen, with the numbers';
COMMENT ON COLUMN maintenance.anomaly_cases.detector IS 'Rule or model, and its version';
COMMENT ON COLUMN maintenance.anomaly_cases.case_status IS 'open, inspecting, confirmed or dismissed';
COMMENT ON COLUMN maintenance.anomaly_cases.closed_at IS 'When it was decided';
COMMENT ON COLUMN maintenance.anomaly_cases.outcome IS 'What it was';
SELECT identity.protect('maintenance.anomaly_cases', auditor => true);
