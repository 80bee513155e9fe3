-- How much will be used, and how it is kept under the limit: load, forecasts, programmes, events, baselines, settlement, OpenADR.
CREATE SCHEMA demand;
COMMENT ON SCHEMA demand IS 'Load curves, forecasts and how good they were, demand-response programmes, events, participants, baselines, settlements, OpenADR';
GRANT USAGE ON SCHEMA demand TO mains_any;

CREATE TABLE demand.load_curves (
    load_curve_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    service_zone_id uuid        REFERENCES network.service_zones,
    feeder_edge_id  bigint      REFERENCES network.edges,
    from_at         timestamptz NOT NULL,
    to_at           timestamptz NOT NULL CHECK (to_at > from_at),
    load_mw         numeric     NOT NULL,
    completeness    numeric     NOT NULL CHECK (completeness BETWEEN 0 AND 1),
    source          text        NOT NULL CHECK (source IN ('scada', 'meters', 'estimate')),
    CONSTRAINT one_value_an_interval UNIQUE NULLS NOT DISTINCT (utility_id, service_zone_id, feeder_edge_id, from_at, source)
);
CREATE INDEX load_curves_of_zone ON demand.load_curves (service_zone_id, from_at);
CREATE INDEX load_curves_of_feeder ON demand.load_curves (feeder_edge_id, from_at);
COMMENT ON TABLE demand.load_curves IS 'Measured load by zone or feeder over time, with how complete it was';
COMMENT ON COLUMN demand.load_curves.load_curve_id IS 'Key';
COMMENT ON COLUMN demand.load_curves.utility_id IS 'The utility';
COMMENT ON COLUMN demand.load_curves.service_zone_id IS 'Zone; NULL for the whole utility or a feeder';
COMMENT ON COLUMN demand.load_curves.feeder_edge_id IS 'Feeder; NULL for a zone or the whole utility';
COMMENT ON COLUMN demand.load_curves.from_at IS 'Start of the interval';
COMMENT ON COLUMN demand.load_curves.to_at IS 'End of the interval';
COMMENT ON COLUMN demand.load_curves.load_mw IS 'Mean load, MW';
COMMENT ON COLUMN demand.load_curves.completeness IS 'Share of the meters that had been heard, 0 to 1';
COMMENT ON COLUMN demand.load_curves.source IS 'scada, meters or estimate';
SELECT identity.protect('demand.load_curves', staff => 'SIU', audited => false, classification => 'internal');

CREATE TABLE demand.forecasts (
    forecast_id     uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    service_zone_id uuid        REFERENCES network.service_zones,
    feeder_edge_id  bigint      REFERENCES network.edges,
    issued_at       timestamptz NOT NULL,
    from_at         timestamptz NOT NULL,
    interval_s      integer     NOT NULL CHECK (interval_s > 0),
    quantiles       numeric[]   NOT NULL,
    load_mw         numeric[]   NOT NULL,
    model_version   text        NOT NULL,
    inputs          jsonb       NOT NULL,
    CONSTRAINT a_value_for_each_quantile CHECK (cardinality(load_mw) > 0 AND cardinality(quantiles) > 0 AND cardinality(load_mw) % cardinality(quantiles) = 0)
);
CREATE INDEX forecasts_by_time ON demand.forecasts (utility_id, issued_at DESC);
CREATE INDEX forecasts_of_zone ON demand.forecasts (service_zone_id);
CREATE INDEX forecasts_of_feeder ON demand.forecasts (feeder_edge_id);
COMMENT ON TABLE demand.forecasts IS 'Forecasts as they were issued, with quantiles; never changed afterwards';
COMMENT ON COLUMN demand.forecasts.forecast_id IS 'Key';
COMMENT ON COLUMN demand.forecasts.utility_id IS 'The utility';
COMMENT ON COLUMN demand.forecasts.service_zone_id IS 'Zone; NULL for the whole utility or a feeder';
COMMENT ON COLUMN demand.forecasts.feeder_edge_id IS 'Feeder; NULL for a zone or the whole utility';
COMMENT ON COLUMN demand.forecasts.issued_at IS 'When it was issued; it knows nothing later';
COMMENT ON COLUMN demand.forecasts.from_at IS 'Start of its first interval';
COMMENT ON COLUMN demand.forecasts.interval_s IS 'Length of an interval, s';
COMMENT ON COLUMN demand.forecasts.quantiles IS 'Which quantiles, 0 to 1, ascending';
COMMENT ON COLUMN demand.forecasts.load_mw IS 'Load, MW: intervals x quantiles';
COMMENT ON COLUMN demand.forecasts.model_version IS 'Model and its version';
COMMENT ON COLUMN demand.forecasts.inputs IS 'What it was made from: history span, weather issue';
SELECT identity.protect('demand.forecasts', staff => 'SI', audited => false, classification => 'internal', append_only => true);

CREATE TABLE demand.backtests (
    backtest_id   uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id    uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    model_version text        NOT NULL,
    scope         text        NOT NULL,
    tested_period tstzrange   NOT NULL CHECK (NOT isempty(tested_period)),
    made_at       timestamptz NOT NULL,
    mape          numeric     CHECK (mape >= 0),
    pinball_mw    numeric     CHECK (pinball_mw >= 0),
    coverage_80   numeric     CHECK (coverage_80 BETWEEN 0 AND 1),
    baseline_mape numeric     CHECK (baseline_mape >= 0)
);
CREATE INDEX backtests_by_time ON demand.backtests (utility_id, made_at DESC);
COMMENT ON TABLE demand.backtests IS 'How good a model was on past data it had not seen';
COMMENT ON COLUMN demand.backtests.backtest_id IS 'Key';
COMMENT ON COLUMN demand.backtests.utility_id IS 'The utility';
COMMENT ON COLUMN demand.backtests.model_version IS 'Model and its version';
COMMENT ON COLUMN demand.backtests.scope IS 'What was forecast';
COMMENT ON COLUMN demand.backtests.tested_period IS 'The past it was tried on, half-open';
COMMENT ON COLUMN demand.backtests.made_at IS 'When it was tried';
COMMENT ON COLUMN demand.backtests.mape IS 'Mean absolute error as a share of the load, 0.03 for 3 %';
COMMENT ON COLUMN demand.backtests.pinball_mw IS 'Mean pinball loss, MW';
COMMENT ON COLUMN demand.backtests.coverage_80 IS 'Share of values inside the 80 % interval';
COMMENT ON COLUMN demand.backtests.baseline_mape IS 'The same error of the seasonal naive forecast';
SELECT identity.protect('demand.backtests', staff => 'SI', audited => false, classification => 'internal', append_only => true);

CREATE TABLE demand.programmes (
    programme_id         uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id           uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    programme_code       text      NOT NULL CHECK (programme_code ~ '^[a-z0-9-]{1,60}$'),
    programme_name       text      NOT NULL,
    device_type          text,
    season_months        integer[] NOT NULL DEFAULT '{1,2,3,4,5,6,7,8,9,10,11,12}' CHECK (season_months <@ '{1,2,3,4,5,6,7,8,9,10,11,12}'::integer[]),
    max_events_a_season  integer   NOT NULL CHECK (max_events_a_season > 0),
    max_events_a_week    integer   NOT NULL CHECK (max_events_a_week > 0),
    max_minutes_an_event integer   NOT NULL CHECK (max_minutes_an_event > 0),
    min_notice_minutes   integer   NOT NULL CHECK (min_notice_minutes >= 0),
    min_gap_minutes      integer   NOT NULL DEFAULT 0 CHECK (min_gap_minutes >= 0),
    has_opt_out          boolean   NOT NULL DEFAULT true,
    incentive_per_kwh    numeric   NOT NULL DEFAULT 0 CHECK (incentive_per_kwh >= 0),
    baseline_method      text      NOT NULL DEFAULT '10-of-10',
    programme_status     text      NOT NULL DEFAULT 'draft' CHECK (programme_status IN ('draft', 'active', 'closed')),
    UNIQUE (utility_id, programme_code)
);
COMMENT ON TABLE demand.programmes IS 'Programmes customers can take part in, with the limits that protect them';
COMMENT ON COLUMN demand.programmes.programme_id IS 'Key';
COMMENT ON COLUMN demand.programmes.utility_id IS 'The utility';
COMMENT ON COLUMN demand.programmes.programme_code IS 'Short name, as enrolments carry it';
COMMENT ON COLUMN demand.programmes.programme_name IS 'Name people use';
COMMENT ON COLUMN demand.programmes.device_type IS 'Kind of device it controls; NULL where people act themselves';
COMMENT ON COLUMN demand.programmes.season_months IS 'Months it may be called in, 1 to 12';
COMMENT ON COLUMN demand.programmes.max_events_a_season IS 'Most calls a season';
COMMENT ON COLUMN demand.programmes.max_events_a_week IS 'Most calls a week';
COMMENT ON COLUMN demand.programmes.max_minutes_an_event IS 'Longest call, minutes';
COMMENT ON COLUMN demand.programmes.min_notice_minutes IS 'Shortest notice, minutes';
COMMENT ON COLUMN demand.programmes.min_gap_minutes IS 'Shortest rest between calls, minutes';
COMMENT ON COLUMN demand.programmes.has_opt_out IS 'Whether a participant may leave a call';
COMMENT ON COLUMN demand.programmes.incentive_per_kwh IS 'Paid for energy not used, in the utility''s currency a kWh';
COMMENT ON COLUMN demand.programmes.baseline_method IS 'Method of the baseline it is settled against';
COMMENT ON COLUMN demand.programmes.programme_status IS 'draft, active or closed';
SELECT identity.protect('demand.programmes', customer => 'programme_status <> ''draft''', regulator => 'true', auditor => true, classification => 'public');

CREATE TABLE demand.demand_events (
    demand_event_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    programme_id    uuid        NOT NULL REFERENCES demand.programmes,
    service_zone_id uuid        REFERENCES network.service_zones,
    event_status    text        NOT NULL DEFAULT 'planned' CHECK (event_status IN ('planned', 'notified', 'active', 'completed', 'settled', 'cancelled')),
    event_period    tstzrange   NOT NULL CHECK (NOT isempty(event_period) AND NOT lower_inf(event_period) AND NOT upper_inf(event_period)),
    notified_at     timestamptz,
    target_mw       numeric     NOT NULL CHECK (target_mw > 0),
    expected_mw     numeric     CHECK (expected_mw >= 0),
    delivered_mw    numeric,
    trigger_reason  text        NOT NULL,
    plan            jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT no_two_calls_at_once EXCLUDE USING gist (programme_id WITH =, (coalesce(service_zone_id, '00000000-0000-0000-0000-000000000000'::uuid)) WITH =, event_period WITH &&) WHERE (event_status <> 'cancelled')
);
CREATE INDEX demand_events_of_programme ON demand.demand_events (programme_id);
CREATE INDEX demand_events_of_zone ON demand.demand_events (service_zone_id);
CREATE INDEX demand_events_by_time ON demand.demand_events (utility_id, lower(event_period) DESC);
COMMENT ON TABLE demand.demand_events IS 'Calls for less (or more) load, from the plan to the settlement';
COMMENT ON COLUMN demand.demand_events.demand_event_id IS 'Key';
COMMENT ON COLUMN demand.demand_events.utility_id IS 'The utility';
COMMENT ON COLUMN demand.demand_events.programme_id IS 'The programme';
COMMENT ON COLUMN demand.demand_events.service_zone_id IS 'Zone it is called in; NULL for all';
COMMENT ON COLUMN demand.demand_events.event_status IS 'planned, notified, active, completed, settled or cancelled';
COMMENT ON COLUMN demand.demand_events.event_period IS 'From when to when, half-open';
COMMENT ON COLUMN demand.demand_events.notified_at IS 'When participants were told';
COMMENT ON COLUMN demand.demand_events.target_mw IS 'Reduction asked for, MW';
COMMENT ON COLUMN demand.demand_events.expected_mw IS 'Reduction expected from those called, MW';
COMMENT ON COLUMN demand.demand_events.delivered_mw IS 'Reduction measured against the baselines, MW';
COMMENT ON COLUMN demand.demand_events.trigger_reason IS 'Why: load, limit, price, order, with the numbers';
COMMENT ON COLUMN demand.demand_events.plan IS 'Which cohorts were chosen and why, so that it can be explained';
CREATE TABLE demand.baselines (
    baseline_id     uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    account_id      uuid        NOT NULL REFERENCES customers.service_accounts,
    demand_event_id uuid        NOT NULL REFERENCES demand.demand_events,
    method          text        NOT NULL,
    days_used       date[]      NOT NULL CHECK (cardinality(days_used) > 0),
    adjustment      numeric     NOT NULL DEFAULT 1 CHECK (adjustment > 0),
    from_at         timestamptz NOT NULL,
    interval_s      integer     NOT NULL CHECK (interval_s > 0),
    baseline_kwh    numeric[]   NOT NULL,
    calculated_at   timestamptz NOT NULL,
    UNIQUE (account_id, demand_event_id, method)
);
CREATE INDEX baselines_of_event ON demand.baselines (demand_event_id);
COMMENT ON TABLE demand.baselines IS 'What a participant would have used, by a named method, with the days it stands on; never changed afterwards';
COMMENT ON COLUMN demand.baselines.baseline_id IS 'Key';
COMMENT ON COLUMN demand.baselines.utility_id IS 'The utility';
COMMENT ON COLUMN demand.baselines.account_id IS 'The agreement';
COMMENT ON COLUMN demand.baselines.demand_event_id IS 'The event';
COMMENT ON COLUMN demand.baselines.method IS 'Method: 10-of-10, 4-of-5 …';
COMMENT ON COLUMN demand.baselines.days_used IS 'Local days it was made from';
COMMENT ON COLUMN demand.baselines.adjustment IS 'Factor of the same-day adjustment';
COMMENT ON COLUMN demand.baselines.from_at IS 'Start of its first interval';
COMMENT ON COLUMN demand.baselines.interval_s IS 'Length of an interval, s';
COMMENT ON COLUMN demand.baselines.baseline_kwh IS 'Energy of each interval, kWh';
COMMENT ON COLUMN demand.baselines.calculated_at IS 'When it was calculated';
SELECT identity.protect('demand.baselines', staff => 'SI', customer => 'account_id IN (SELECT a.account_id FROM customers.service_accounts a)', auditor => true, audited => false, append_only => true);

CREATE TABLE demand.settlements (
    settlement_id   uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    demand_event_id uuid        NOT NULL REFERENCES demand.demand_events,
    account_id      uuid        NOT NULL REFERENCES customers.service_accounts,
    baseline_id     uuid        REFERENCES demand.baselines,
    revision        integer     NOT NULL DEFAULT 1 CHECK (revision > 0),
    delivered_kwh   numeric     NOT NULL,
    amount          numeric     NOT NULL,
    settled_at      timestamptz NOT NULL,
    UNIQUE (demand_event_id, account_id, revision)
);
CREATE INDEX settlements_of_account ON demand.settlements (account_id);
CREATE INDEX settlements_of_baseline ON demand.settlements (baseline_id);
COMMENT ON TABLE demand.settlements IS 'What each participant delivered and is paid; never changed afterwards';
COMMENT ON COLUMN demand.settlements.settlement_id IS 'Key';
COMMENT ON COLUMN demand.settlements.utility_id IS 'The utility';
COMMENT ON COLUMN demand.settlements.demand_event_id IS 'The event';
COMMENT ON COLUMN demand.settlements.account_id IS 'The agreement';
COMMENT ON COLUMN demand.settlements.baseline_id IS 'Baseline it was measured against';
COMMENT ON COLUMN demand.settlements.revision IS 'Revision, from 1; a correction is a new one';
COMMENT ON COLUMN demand.settlements.delivered_kwh IS 'Energy not used against the baseline, kWh';
COMMENT ON COLUMN demand.settlements.amount IS 'Paid, in the utility''s currency';
COMMENT ON COLUMN demand.settlements.settled_at IS 'When it was settled';
SELECT identity.protect('demand.settlements', staff => 'SI', customer => 'account_id IN (SELECT a.account_id FROM customers.service_accounts a)', auditor => true, audited => false, append_only => true);

CREATE TABLE demand.openadr_vens (
    openadr_ven_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id     uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    ven_name       text        NOT NULL,
    client_id      text        NOT NULL,
    account_id     uuid        REFERENCES customers.service_accounts,
    targets        text[]      NOT NULL DEFAULT '{}',
    attributes     jsonb       NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (utility_id, ven_name),
    UNIQUE (utility_id, client_id)
);
CREATE INDEX openadr_vens_of_account ON demand.openadr_vens (account_id);
COMMENT ON TABLE demand.openadr_vens IS 'Systems and devices that take part over OpenADR 3';
COMMENT ON COLUMN demand.openadr_vens.openadr_ven_id IS 'Key';
COMMENT ON COLUMN demand.openadr_vens.utility_id IS 'The utility';
COMMENT ON COLUMN demand.openadr_vens.ven_name IS 'Its name, one in the utility';
COMMENT ON COLUMN demand.openadr_vens.client_id IS 'What it signs in as';
COMMENT ON COLUMN demand.openadr_vens.account_id IS 'Agreement it acts for; NULL for an aggregator';
COMMENT ON COLUMN demand.openadr_vens.targets IS 'Targets it was granted; it sees only objects with one of them';
COMMENT ON COLUMN demand.openadr_vens.attributes IS 'What it told of itself';
COMMENT ON COLUMN demand.openadr_vens.created_at IS 'When it was made';
SELECT identity.protect('demand.openadr_vens', staff => 'SIUD', customer => 'account_id IN (SELECT a.account_id FROM customers.service_accounts a)', auditor => true);

CREATE TABLE demand.event_participants (
    demand_event_id    uuid        NOT NULL REFERENCES demand.demand_events,
    utility_id         uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    account_id         uuid        NOT NULL REFERENCES customers.service_accounts,
    enrolment_id       uuid        NOT NULL REFERENCES customers.enrolments,
    device_id          uuid        REFERENCES devices.smart_devices,
    participant_status text        NOT NULL DEFAULT 'called' CHECK (participant_status IN ('called', 'notified', 'responding', 'opted_out', 'failed', 'completed')),
    expected_kw        numeric     NOT NULL CHECK (expected_kw >= 0),
    opted_out_at       timestamptz,
    reason             text,
    PRIMARY KEY (demand_event_id, account_id),
    CONSTRAINT leaving_has_an_instant CHECK ((participant_status = 'opted_out') = (opted_out_at IS NOT NULL))
);
CREATE INDEX event_participants_of_account ON demand.event_participants (account_id);
CREATE INDEX event_participants_of_enrolment ON demand.event_participants (enrolment_id);
CREATE INDEX event_participants_of_device ON demand.event_participants (device_id);
COMMENT ON TABLE demand.event_participants IS 'Who was called in an event; only the enrolled, within their caps, and none that is protected';
COMMENT ON COLUMN demand.event_participants.demand_event_id IS 'The event';
COMMENT ON COLUMN demand.event_participants.utility_id IS 'The utility';
COMMENT ON COLUMN demand.event_participants.account_id IS 'The agreement';
COMMENT ON COLUMN demand.event_participants.enrolment_id IS 'The enrolment it is called under';
COMMENT ON COLUMN demand.event_participants.device_id IS 'Device that acts';
COMMENT ON COLUMN demand.event_participants.participant_status IS 'called, notified, responding, opted_out, failed or completed';
COMMENT ON COLUMN demand.event_participants.expected_kw IS 'Reduction expected, kW';
COMMENT ON COLUMN demand.event_participants.opted_out_at IS 'When they left it';
COMMENT ON COLUMN demand.event_participants.reason IS 'Why they were chosen';
SELECT identity.protect('demand.event_participants', customer => 'account_id IN (SELECT a.account_id FROM customers.service_accounts a)', auditor => true);

SELECT identity.protect('demand.demand_events', customer => 'event_status <> ''planned'' AND demand_event_id IN (SELECT p.demand_event_id FROM demand.event_participants p)', auditor => true, classification => 'internal');

CREATE FUNCTION demand.only_the_enrolled() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    wrong record;
BEGIN
    SELECT coalesce(a.account_number, n.account_id::text) AS account_number, c.is_protected INTO wrong
    FROM new_rows n
    LEFT JOIN demand.demand_events e ON e.demand_event_id = n.demand_event_id
    LEFT JOIN demand.programmes p ON p.programme_id = e.programme_id
    LEFT JOIN customers.service_accounts a ON a.account_id = n.account_id
    LEFT JOIN customers.customers c ON c.customer_id = a.customer_id
    LEFT JOIN customers.enrolments r ON r.enrolment_id = n.enrolment_id AND r.account_id = n.account_id AND r.programme_code = p.programme_code AND r.enrolled_period @> e.event_period
    WHERE r.enrolment_id IS NULL OR c.is_protected LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'account % cannot be called: %', wrong.account_number, CASE WHEN wrong.is_protected THEN 'its customer is protected' ELSE 'it is not enrolled in this programme for the whole event' END
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION demand.only_the_enrolled() IS 'Refuses to call an agreement that is not enrolled in the event''s programme for its whole length, or whose customer is protected';
CREATE TRIGGER only_the_enrolled AFTER INSERT ON demand.event_participants REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION demand.only_the_enrolled();

CREATE TABLE demand.openadr_subscriptions (
    openadr_subscription_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id              uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    openadr_ven_id          uuid        REFERENCES demand.openadr_vens,
    client_id               text        NOT NULL,
    callback_url            text        NOT NULL,
    object_types            text[]      NOT NULL,
    operations              text[]      NOT NULL DEFAULT '{CREATE,UPDATE,DELETE}',
    created_at              timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX openadr_subscriptions_of_ven ON demand.openadr_subscriptions (openadr_ven_id);
COMMENT ON TABLE demand.openadr_subscriptions IS 'Where OpenADR clients want to be told of changes';
COMMENT ON COLUMN demand.openadr_subscriptions.openadr_subscription_id IS 'Key';
COMMENT ON COLUMN demand.openadr_subscriptions.utility_id IS 'The utility';
COMMENT ON COLUMN demand.openadr_subscriptions.openadr_ven_id IS 'The client''s system';
COMMENT ON COLUMN demand.openadr_subscriptions.client_id IS 'Who asked';
COMMENT ON COLUMN demand.openadr_subscriptions.callback_url IS 'Address that is called';
COMMENT ON COLUMN demand.openadr_subscriptions.object_types IS 'Kinds of objects: PROGRAM, EVENT, REPORT …';
COMMENT ON COLUMN demand.openadr_subscriptions.operations IS 'CREATE, UPDATE, DELETE';
COMMENT ON COLUMN demand.openadr_subscriptions.created_at IS 'When it was asked for';
SELECT identity.protect('demand.openadr_subscriptions', staff => 'SIUD', auditor => true);

CREATE TABLE demand.openadr_reports (
    openadr_report_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id        uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    openadr_ven_id    uuid        NOT NULL REFERENCES demand.openadr_vens,
    demand_event_id   uuid        REFERENCES demand.demand_events,
    report_name       text        NOT NULL,
    payload           jsonb       NOT NULL,
    received_at       timestamptz NOT NULL
);
CREATE INDEX openadr_reports_of_ven ON demand.openadr_reports (openadr_ven_id, received_at);
CREATE INDEX openadr_reports_of_event ON demand.openadr_reports (demand_event_id);
COMMENT ON TABLE demand.openadr_reports IS 'What OpenADR clients reported: usage, operating state, storage';
COMMENT ON COLUMN demand.openadr_reports.openadr_report_id IS 'Key';
COMMENT ON COLUMN demand.openadr_reports.utility_id IS 'The utility';
COMMENT ON COLUMN demand.openadr_reports.openadr_ven_id IS 'The reporting system';
COMMENT ON COLUMN demand.openadr_reports.demand_event_id IS 'Event it is about';
COMMENT ON COLUMN demand.openadr_reports.report_name IS 'Name the client gave it';
COMMENT ON COLUMN demand.openadr_reports.payload IS 'The report as received';
COMMENT ON COLUMN demand.openadr_reports.received_at IS 'When it arrived';
SELECT identity.protect('demand.openadr_reports', staff => 'SI', audited => false);
