-- What is broken, whom it concerns, who repairs it and when it was over.
CREATE SCHEMA outages;
COMMENT ON SCHEMA outages IS 'Outages, restoration steps, reports, predictions, crews, switching orders, damage, and the figures of reliability';
GRANT USAGE ON SCHEMA outages TO mains_any, mains_app;

CREATE TABLE outages.outages (
    outage_id                  uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id                 uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    outage_number              text        NOT NULL,
    commodity                  text        NOT NULL DEFAULT 'electric' CHECK (commodity IN ('electric', 'gas', 'water', 'sewer', 'telecom')),
    outage_status              text        NOT NULL DEFAULT 'reported' CHECK (outage_status IN ('reported', 'confirmed', 'crew_dispatched', 'repairing', 'restored', 'closed', 'cancelled', 'merged')),
    outage_start               timestamptz NOT NULL,
    estimated_restoration      timestamptz CHECK (estimated_restoration >= outage_start),
    estimated_restoration_low  timestamptz,
    estimated_restoration_high timestamptz,
    actual_restoration         timestamptz CHECK (actual_restoration >= outage_start),
    affected_customers         integer     NOT NULL DEFAULT 0 CHECK (affected_customers >= 0),
    customers_restored         integer     NOT NULL DEFAULT 0 CHECK (customers_restored >= 0),
    critical_facilities        integer     NOT NULL DEFAULT 0 CHECK (critical_facilities >= 0),
    estimated_load_lost_mw     numeric     CHECK (estimated_load_lost_mw >= 0),
    affected_infrastructure    jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(affected_infrastructure) = 'array'),
    service_zone_id            uuid        REFERENCES network.service_zones,
    feeder_edge_id             bigint      REFERENCES network.edges,
    device_edge_id             bigint      REFERENCES network.edges,
    outage_cause               text        NOT NULL DEFAULT 'unknown' CHECK (outage_cause IN ('unknown', 'weather', 'lightning', 'wind', 'ice', 'flood', 'fire', 'tree', 'animal', 'equipment', 'overload', 'vehicle', 'dig_in', 'public', 'vandalism', 'human_error', 'planned', 'loss_of_supply', 'cyber', 'other')),
    is_planned                 boolean     NOT NULL DEFAULT false,
    is_loss_of_supply          boolean     NOT NULL DEFAULT false,
    is_recorded_automatically  boolean     NOT NULL DEFAULT false,
    estimated_cost             numeric     CHECK (estimated_cost >= 0),
    merged_into_id             uuid        REFERENCES outages.outages,
    parent_outage_id           uuid        REFERENCES outages.outages,
    created_at                 timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (utility_id, outage_number),
    CONSTRAINT restored_at_most_affected CHECK (customers_restored <= affected_customers),
    CONSTRAINT restoration_has_an_instant CHECK ((outage_status IN ('restored', 'closed')) = (actual_restoration IS NOT NULL) OR outage_status IN ('cancelled', 'merged')),
    CONSTRAINT merged_into_another CHECK ((outage_status = 'merged') = (merged_into_id IS NOT NULL) AND merged_into_id <> outage_id),
    CONSTRAINT an_interval_holds_its_estimate CHECK (estimated_restoration_low <= estimated_restoration AND estimated_restoration <= estimated_restoration_high)
);
CREATE INDEX idx_open_outages ON outages.outages (utility_id, outage_start DESC) WHERE outage_status IN ('reported', 'confirmed', 'crew_dispatched', 'repairing');
CREATE INDEX outages_by_time ON outages.outages (utility_id, outage_start DESC);
CREATE INDEX outages_of_zone ON outages.outages (service_zone_id);
CREATE INDEX outages_of_feeder ON outages.outages (feeder_edge_id);
CREATE INDEX outages_of_device ON outages.outages (device_edge_id);
CREATE INDEX outages_merged_into ON outages.outages (merged_into_id);
CREATE INDEX outages_behind ON outages.outages (parent_outage_id);
COMMENT ON TABLE outages.outages IS 'Interruptions of service from the first report to the last customer restored';
COMMENT ON COLUMN outages.outages.outage_id IS 'Key';
COMMENT ON COLUMN outages.outages.utility_id IS 'The utility';
COMMENT ON COLUMN outages.outages.outage_number IS 'Number people use, one in the utility';
COMMENT ON COLUMN outages.outages.commodity IS 'electric, gas, water, sewer or telecom';
COMMENT ON COLUMN outages.outages.outage_status IS 'reported, confirmed, crew_dispatched, repairing, restored, closed, cancelled (there was none) or merged (into another)';
COMMENT ON COLUMN outages.outages.outage_start IS 'When the first customer lost service';
COMMENT ON COLUMN outages.outages.estimated_restoration IS 'When the last customer is expected back';
COMMENT ON COLUMN outages.outages.estimated_restoration_low IS 'Early end of the estimate''s 80 % interval';
COMMENT ON COLUMN outages.outages.estimated_restoration_high IS 'Late end of the estimate''s 80 % interval';
COMMENT ON COLUMN outages.outages.actual_restoration IS 'When the last customer was back; NULL while it lasts';
COMMENT ON COLUMN outages.outages.affected_customers IS 'Customers who lost service, by the network';
COMMENT ON COLUMN outages.outages.customers_restored IS 'Of these, customers who have it back';
COMMENT ON COLUMN outages.outages.critical_facilities IS 'Hospitals, water works, shelters … among them';
COMMENT ON COLUMN outages.outages.estimated_load_lost_mw IS 'Load lost unplanned, MW; load that was shed on purpose is demand response, not here';
COMMENT ON COLUMN outages.outages.affected_infrastructure IS 'Keys of the equipment concerned';
COMMENT ON COLUMN outages.outages.service_zone_id IS 'Zone it lies in';
COMMENT ON COLUMN outages.outages.feeder_edge_id IS 'Head of its feeder';
COMMENT ON COLUMN outages.outages.device_edge_id IS 'Device that opened or failed, by prediction until confirmed';
COMMENT ON COLUMN outages.outages.outage_cause IS 'unknown, weather, lightning, wind, ice, flood, fire, tree, animal, equipment, overload, vehicle, dig_in, public, vandalism, human_error, planned, loss_of_supply, cyber or other; other code lists are mapped on export';
COMMENT ON COLUMN outages.outages.is_planned IS 'Whether it was planned and announced';
COMMENT ON COLUMN outages.outages.is_loss_of_supply IS 'Whether transmission or generation outside the utility caused it';
COMMENT ON COLUMN outages.outages.is_recorded_automatically IS 'Whether devices noticed it rather than people';
COMMENT ON COLUMN outages.outages.estimated_cost IS 'Cost of the repair, in the utility''s currency';
COMMENT ON COLUMN outages.outages.merged_into_id IS 'Outage it turned out to be part of';
COMMENT ON COLUMN outages.outages.parent_outage_id IS 'Outage that hid it, for one found behind a restored device';
COMMENT ON COLUMN outages.outages.created_at IS 'When it was opened here';
SELECT identity.protect('outages.outages', auditor => true, classification => 'internal');

CREATE POLICY public_reads ON outages.outages FOR SELECT TO mains_owner USING (true);

CREATE FUNCTION outages.guard_status() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT (CASE OLD.outage_status
        WHEN 'reported' THEN NEW.outage_status = ANY ('{confirmed,crew_dispatched,restored,cancelled,merged}'::text[])
        WHEN 'confirmed' THEN NEW.outage_status = ANY ('{crew_dispatched,repairing,restored,cancelled,merged}'::text[])
        WHEN 'crew_dispatched' THEN NEW.outage_status = ANY ('{confirmed,repairing,restored,cancelled,merged}'::text[])
        WHEN 'repairing' THEN NEW.outage_status = ANY ('{crew_dispatched,restored,merged}'::text[])
        WHEN 'restored' THEN NEW.outage_status = ANY ('{repairing,closed}'::text[])
        ELSE false
    END) THEN
        RAISE EXCEPTION 'outage % cannot go from % to %', OLD.outage_number, OLD.outage_status, NEW.outage_status USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION outages.guard_status() IS 'Keeps the status of outages on its path: reported, confirmed, crew_dispatched, repairing, restored, closed; back only where a crew leaves or a restoration did not hold';
CREATE TRIGGER guard_status BEFORE UPDATE ON outages.outages FOR EACH ROW WHEN (OLD.outage_status IS DISTINCT FROM NEW.outage_status) EXECUTE FUNCTION outages.guard_status();

CREATE TABLE outages.interruption_steps (
    interruption_step_id  uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id            uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    outage_id             uuid        NOT NULL REFERENCES outages.outages,
    step_no               integer     NOT NULL CHECK (step_no > 0),
    starts_at             timestamptz NOT NULL,
    restored_at           timestamptz,
    customers_interrupted integer     NOT NULL CHECK (customers_interrupted > 0),
    customers_restored    integer     NOT NULL DEFAULT 0 CHECK (customers_restored >= 0),
    connected_kva         numeric     CHECK (connected_kva >= 0),
    service_zone_id       uuid        REFERENCES network.service_zones,
    feeder_edge_id        bigint      REFERENCES network.edges,
    is_verified           boolean     NOT NULL DEFAULT false,
    UNIQUE (outage_id, step_no),
    CONSTRAINT restored_at_most_interrupted CHECK (customers_restored <= customers_interrupted),
    CONSTRAINT restoration_has_an_instant CHECK ((customers_restored > 0) = (restored_at IS NOT NULL)),
    CONSTRAINT restored_after_it_began CHECK (restored_at >= starts_at)
);
CREATE INDEX interruption_steps_by_time ON outages.interruption_steps (utility_id, starts_at);
CREATE INDEX interruption_steps_of_zone ON outages.interruption_steps (service_zone_id);
CREATE INDEX interruption_steps_of_feeder ON outages.interruption_steps (feeder_edge_id);
COMMENT ON TABLE outages.interruption_steps IS 'Restoration steps: a group of customers who lost service together and the part of them that came back together. The figures of reliability come from these alone';
COMMENT ON COLUMN outages.interruption_steps.interruption_step_id IS 'Key';
COMMENT ON COLUMN outages.interruption_steps.utility_id IS 'The utility';
COMMENT ON COLUMN outages.interruption_steps.outage_id IS 'The outage';
COMMENT ON COLUMN outages.interruption_steps.step_no IS 'Order in the outage, from 1';
COMMENT ON COLUMN outages.interruption_steps.starts_at IS 'When this group lost service';
COMMENT ON COLUMN outages.interruption_steps.restored_at IS 'When the restored part had it back; NULL while nobody has';
COMMENT ON COLUMN outages.interruption_steps.customers_interrupted IS 'Customers of the group who were out before this step';
COMMENT ON COLUMN outages.interruption_steps.customers_restored IS 'Of these, customers this step brought back; customer-minutes are these x (restored_at - starts_at)';
COMMENT ON COLUMN outages.interruption_steps.connected_kva IS 'Connected load of the restored part, kVA';
COMMENT ON COLUMN outages.interruption_steps.service_zone_id IS 'Zone of the group';
COMMENT ON COLUMN outages.interruption_steps.feeder_edge_id IS 'Feeder of the group';
COMMENT ON COLUMN outages.interruption_steps.is_verified IS 'Whether meters that answer confirm it';
SELECT identity.protect('outages.interruption_steps', staff => 'SIUD', auditor => true, classification => 'internal');

CREATE FUNCTION outages.check_steps() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    wrong record;
BEGIN
    SELECT o.outage_number, o.affected_customers, s.restored INTO wrong
    FROM (SELECT DISTINCT n.outage_id FROM new_rows n) AS touched
    JOIN outages.outages o ON o.outage_id = touched.outage_id
    CROSS JOIN LATERAL (SELECT sum(i.customers_restored) AS restored FROM outages.interruption_steps i WHERE i.outage_id = o.outage_id) AS s
    WHERE s.restored > o.affected_customers LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'outage %: its steps restore % customers, but it took out %', wrong.outage_number, wrong.restored, wrong.affected_customers USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION outages.check_steps() IS 'Refuses steps of an outage that together restore more customers than it took out';
CREATE TRIGGER check_steps_inserted AFTER INSERT ON outages.interruption_steps REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION outages.check_steps();
CREATE TRIGGER check_steps_updated AFTER UPDATE ON outages.interruption_steps REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION outages.check_steps();

CREATE TABLE outages.outage_updates (
    outage_update_id      uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id            uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    outage_id             uuid        NOT NULL REFERENCES outages.outages,
    updated_at            timestamptz NOT NULL,
    outage_status         text        NOT NULL,
    estimated_restoration timestamptz,
    affected_customers    integer     CHECK (affected_customers >= 0),
    message               text        NOT NULL CHECK (length(message) BETWEEN 1 AND 2000),
    is_public             boolean     NOT NULL DEFAULT false,
    actor                 text        NOT NULL DEFAULT current_setting('app.actor', true)
);
CREATE INDEX outage_updates_of_outage ON outages.outage_updates (outage_id, updated_at);
COMMENT ON TABLE outages.outage_updates IS 'The story of an outage as it was told: each change with its words; append-only';
COMMENT ON COLUMN outages.outage_updates.outage_update_id IS 'Key';
COMMENT ON COLUMN outages.outage_updates.utility_id IS 'The utility';
COMMENT ON COLUMN outages.outage_updates.outage_id IS 'The outage';
COMMENT ON COLUMN outages.outage_updates.updated_at IS 'When';
COMMENT ON COLUMN outages.outage_updates.outage_status IS 'Status after it';
COMMENT ON COLUMN outages.outage_updates.estimated_restoration IS 'Expected end after it';
COMMENT ON COLUMN outages.outage_updates.affected_customers IS 'Customers out after it';
COMMENT ON COLUMN outages.outage_updates.message IS 'What was said';
COMMENT ON COLUMN outages.outage_updates.is_public IS 'Whether the public reads it';
COMMENT ON COLUMN outages.outage_updates.actor IS 'Who wrote it';
SELECT identity.protect('outages.outage_updates', staff => 'SI', auditor => true, audited => false, classification => 'internal', append_only => true);

CREATE TABLE outages.outage_reports (
    outage_report_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    report_source    text        NOT NULL CHECK (report_source IN ('call', 'ivr', 'web', 'sms', 'meter', 'scada', 'crew', 'other')),
    report_kind      text        NOT NULL CHECK (report_kind IN ('out', 'partial', 'flicker', 'hazard', 'last_gasp', 'restored', 'energised', 'opened', 'closed')),
    idempotency_key  text        NOT NULL,
    happened_at      timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    customer_id      uuid        REFERENCES customers.customers,
    service_point_id uuid        REFERENCES customers.service_points,
    edge_id          bigint      REFERENCES network.edges,
    node_id          bigint      REFERENCES network.nodes,
    outage_id        uuid        REFERENCES outages.outages,
    note             text        CHECK (length(note) <= 2000),
    CONSTRAINT reported_once UNIQUE (utility_id, report_source, idempotency_key)
);
CREATE INDEX outage_reports_by_time ON outages.outage_reports (utility_id, received_at);
CREATE INDEX outage_reports_of_customer ON outages.outage_reports (customer_id);
CREATE INDEX outage_reports_of_point ON outages.outage_reports (service_point_id);
CREATE INDEX outage_reports_of_edge ON outages.outage_reports (edge_id);
CREATE INDEX outage_reports_of_node ON outages.outage_reports (node_id);
CREATE INDEX outage_reports_of_outage ON outages.outage_reports (outage_id);
COMMENT ON TABLE outages.outage_reports IS 'What came in: calls, web reports, messages, a meter''s last gasp and its answer, breaker states; the same report twice is one row';
COMMENT ON COLUMN outages.outage_reports.outage_report_id IS 'Key';
COMMENT ON COLUMN outages.outage_reports.utility_id IS 'The utility';
COMMENT ON COLUMN outages.outage_reports.report_source IS 'call, ivr, web, sms, meter, scada, crew or other';
COMMENT ON COLUMN outages.outage_reports.report_kind IS 'out, partial, flicker, hazard, last_gasp, restored, energised (a meter answered), opened or closed (a switch)';
COMMENT ON COLUMN outages.outage_reports.idempotency_key IS 'Key of the sending system';
COMMENT ON COLUMN outages.outage_reports.happened_at IS 'When it happened, by the sender''s clock';
COMMENT ON COLUMN outages.outage_reports.received_at IS 'When it arrived';
COMMENT ON COLUMN outages.outage_reports.customer_id IS 'Who reported, where known';
COMMENT ON COLUMN outages.outage_reports.service_point_id IS 'Where';
COMMENT ON COLUMN outages.outage_reports.edge_id IS 'Switch, for breaker states';
COMMENT ON COLUMN outages.outage_reports.node_id IS 'Node it was placed at';
COMMENT ON COLUMN outages.outage_reports.outage_id IS 'Outage it was counted to';
COMMENT ON COLUMN outages.outage_reports.note IS 'The reporter''s words';
SELECT identity.protect('outages.outage_reports', customer => 'customer_id = (SELECT identity.current_customer())', audited => false, personal => '{note}');

CREATE TABLE outages.outage_predictions (
    outage_prediction_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id           uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    outage_id            uuid        REFERENCES outages.outages,
    edge_id              bigint      NOT NULL REFERENCES network.edges,
    predicted_at         timestamptz NOT NULL,
    likelihood           numeric     NOT NULL CHECK (likelihood BETWEEN 0 AND 1),
    reports_for          integer     NOT NULL CHECK (reports_for >= 0),
    reports_against      integer     NOT NULL CHECK (reports_against >= 0),
    customers            integer     NOT NULL CHECK (customers >= 0),
    explanation          jsonb       NOT NULL,
    model_version        text        NOT NULL
);
CREATE INDEX outage_predictions_of_outage ON outages.outage_predictions (outage_id);
CREATE INDEX outage_predictions_of_edge ON outages.outage_predictions (edge_id);
CREATE INDEX outage_predictions_by_time ON outages.outage_predictions (utility_id, predicted_at DESC);
COMMENT ON TABLE outages.outage_predictions IS 'Devices predicted to have opened, with the evidence for and against; append-only';
COMMENT ON COLUMN outages.outage_predictions.outage_prediction_id IS 'Key';
COMMENT ON COLUMN outages.outage_predictions.utility_id IS 'The utility';
COMMENT ON COLUMN outages.outage_predictions.outage_id IS 'Outage it led to';
COMMENT ON COLUMN outages.outage_predictions.edge_id IS 'The device';
COMMENT ON COLUMN outages.outage_predictions.predicted_at IS 'When';
COMMENT ON COLUMN outages.outage_predictions.likelihood IS 'How sure, 0 to 1';
COMMENT ON COLUMN outages.outage_predictions.reports_for IS 'Reports behind it that speak for it';
COMMENT ON COLUMN outages.outage_predictions.reports_against IS 'Meters behind it that answered, and other evidence against';
COMMENT ON COLUMN outages.outage_predictions.customers IS 'Customers behind it';
COMMENT ON COLUMN outages.outage_predictions.explanation IS 'The evidence, step by step';
COMMENT ON COLUMN outages.outage_predictions.model_version IS 'Version of the rules';
SELECT identity.protect('outages.outage_predictions', staff => 'SI', auditor => true, audited => false, classification => 'internal', append_only => true);

CREATE TABLE outages.crews (
    crew_id      uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id   uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    crew_name    text        NOT NULL,
    crew_type    text        NOT NULL CHECK (crew_type IN ('line', 'service', 'tree', 'substation', 'cable', 'gas', 'water', 'telecom', 'assessment', 'mutual_aid')),
    skills       text[]      NOT NULL DEFAULT '{}',
    crew_status  text        NOT NULL DEFAULT 'off_shift' CHECK (crew_status IN ('off_shift', 'available', 'travelling', 'working', 'resting')),
    members      integer     NOT NULL DEFAULT 2 CHECK (members > 0),
    home_place   point,
    last_place   point,
    last_seen_at timestamptz,
    shift_period tstzrange,
    employer     text,
    UNIQUE (utility_id, crew_name)
);
COMMENT ON TABLE outages.crews IS 'People who go out and repair';
COMMENT ON COLUMN outages.crews.crew_id IS 'Key';
COMMENT ON COLUMN outages.crews.utility_id IS 'The utility';
COMMENT ON COLUMN outages.crews.crew_name IS 'Name on the radio, one in the utility';
COMMENT ON COLUMN outages.crews.crew_type IS 'line, service, tree, substation, cable, gas, water, telecom, assessment or mutual_aid';
COMMENT ON COLUMN outages.crews.skills IS 'What they may do';
COMMENT ON COLUMN outages.crews.crew_status IS 'off_shift, available, travelling, working or resting';
COMMENT ON COLUMN outages.crews.members IS 'People in it';
COMMENT ON COLUMN outages.crews.home_place IS 'Yard: (longitude, latitude) in degrees, WGS 84';
COMMENT ON COLUMN outages.crews.last_place IS 'Where it was last: (longitude, latitude) in degrees, WGS 84';
COMMENT ON COLUMN outages.crews.last_seen_at IS 'When it was last heard';
COMMENT ON COLUMN outages.crews.shift_period IS 'Present or next shift, half-open';
COMMENT ON COLUMN outages.crews.employer IS 'Company, for mutual aid and contractors';
SELECT identity.protect('outages.crews', classification => 'internal', personal => '{last_place}');

CREATE TABLE outages.crew_assignments (
    crew_assignment_id uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    crew_id            uuid      NOT NULL REFERENCES outages.crews,
    outage_id          uuid      NOT NULL REFERENCES outages.outages,
    assigned_period    tstzrange NOT NULL CHECK (NOT isempty(assigned_period) AND NOT lower_inf(assigned_period)),
    assignment_status  text      NOT NULL DEFAULT 'planned' CHECK (assignment_status IN ('planned', 'dispatched', 'en_route', 'on_site', 'done', 'cancelled')),
    visit_order        integer   NOT NULL DEFAULT 1 CHECK (visit_order > 0),
    is_pinned          boolean   NOT NULL DEFAULT false,
    reason             text,
    CONSTRAINT a_crew_is_in_one_place EXCLUDE USING gist (crew_id WITH =, assigned_period WITH &&) WHERE (assignment_status <> 'cancelled')
);
CREATE INDEX crew_assignments_of_crew ON outages.crew_assignments (crew_id);
CREATE INDEX crew_assignments_of_outage ON outages.crew_assignments (outage_id);
COMMENT ON TABLE outages.crew_assignments IS 'Which crew goes to which outage, when; a crew is in one place at a time, the database sees to it';
COMMENT ON COLUMN outages.crew_assignments.crew_assignment_id IS 'Key';
COMMENT ON COLUMN outages.crew_assignments.utility_id IS 'The utility';
COMMENT ON COLUMN outages.crew_assignments.crew_id IS 'The crew';
COMMENT ON COLUMN outages.crew_assignments.outage_id IS 'The outage';
COMMENT ON COLUMN outages.crew_assignments.assigned_period IS 'From departure to the end of the work, half-open; planned until it is done';
COMMENT ON COLUMN outages.crew_assignments.assignment_status IS 'planned, dispatched, en_route, on_site, done or cancelled';
COMMENT ON COLUMN outages.crew_assignments.visit_order IS 'Place in the crew''s round, from 1';
COMMENT ON COLUMN outages.crew_assignments.is_pinned IS 'Whether the plan must keep it';
COMMENT ON COLUMN outages.crew_assignments.reason IS 'Why this crew: customers restored an hour, the next best choice';
SELECT identity.protect('outages.crew_assignments', classification => 'internal');

CREATE TABLE outages.switching_orders (
    switching_order_id uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    order_number       text      NOT NULL,
    outage_id          uuid      REFERENCES outages.outages,
    purpose            text      NOT NULL CHECK (purpose IN ('isolate', 'restore', 'planned_work', 'load_transfer', 'test')),
    order_status       text      NOT NULL DEFAULT 'draft' CHECK (order_status IN ('draft', 'checked', 'in_progress', 'done', 'cancelled')),
    steps              jsonb     NOT NULL CHECK (jsonb_typeof(steps) = 'array'),
    written_by         text      NOT NULL DEFAULT current_setting('app.actor', true),
    checked_by         text      CHECK (checked_by <> written_by),
    planned_period     tstzrange,
    UNIQUE (utility_id, order_number),
    CONSTRAINT nothing_is_switched_unchecked CHECK (order_status IN ('draft', 'cancelled') OR checked_by IS NOT NULL)
);
CREATE INDEX switching_orders_of_outage ON outages.switching_orders (outage_id);
COMMENT ON TABLE outages.switching_orders IS 'Orders to open and close switches, step by step, written by one and checked by another';
COMMENT ON COLUMN outages.switching_orders.switching_order_id IS 'Key';
COMMENT ON COLUMN outages.switching_orders.utility_id IS 'The utility';
COMMENT ON COLUMN outages.switching_orders.order_number IS 'Number people use, one in the utility';
COMMENT ON COLUMN outages.switching_orders.outage_id IS 'Outage it is for; NULL for planned work';
COMMENT ON COLUMN outages.switching_orders.purpose IS 'isolate, restore, planned_work, load_transfer or test';
COMMENT ON COLUMN outages.switching_orders.order_status IS 'draft, checked, in_progress, done or cancelled';
COMMENT ON COLUMN outages.switching_orders.steps IS 'Steps in order: edge, open or close, done_at, by whom';
COMMENT ON COLUMN outages.switching_orders.written_by IS 'Who wrote it';
COMMENT ON COLUMN outages.switching_orders.checked_by IS 'Who checked it; never the one who wrote it';
COMMENT ON COLUMN outages.switching_orders.planned_period IS 'When it is planned, half-open';
SELECT identity.protect('outages.switching_orders', auditor => true, classification => 'internal');

CREATE TABLE outages.damage_assessments (
    damage_assessment_id     uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id               uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    outage_id                uuid        REFERENCES outages.outages,
    asset_id                 uuid        REFERENCES network.infrastructure_assets,
    assessed_at              timestamptz NOT NULL,
    assessed_by              text        NOT NULL,
    damage_kind              text        NOT NULL,
    is_hazard                boolean     NOT NULL DEFAULT false,
    estimated_repair_minutes integer     CHECK (estimated_repair_minutes > 0),
    estimated_cost           numeric     CHECK (estimated_cost >= 0),
    geolocation              point,
    photos                   text[]      NOT NULL DEFAULT '{}',
    note                     text
);
CREATE INDEX damage_assessments_of_outage ON outages.damage_assessments (outage_id);
CREATE INDEX damage_assessments_of_asset ON outages.damage_assessments (asset_id);
CREATE INDEX damage_assessments_by_place ON outages.damage_assessments USING gist (geolocation);
COMMENT ON TABLE outages.damage_assessments IS 'What was found broken in the field';
COMMENT ON COLUMN outages.damage_assessments.damage_assessment_id IS 'Key';
COMMENT ON COLUMN outages.damage_assessments.utility_id IS 'The utility';
COMMENT ON COLUMN outages.damage_assessments.outage_id IS 'Outage it belongs to';
COMMENT ON COLUMN outages.damage_assessments.asset_id IS 'Equipment that is damaged';
COMMENT ON COLUMN outages.damage_assessments.assessed_at IS 'When it was looked at';
COMMENT ON COLUMN outages.damage_assessments.assessed_by IS 'Who looked';
COMMENT ON COLUMN outages.damage_assessments.damage_kind IS 'What is broken';
COMMENT ON COLUMN outages.damage_assessments.is_hazard IS 'Whether it endangers people: wire down, gas';
COMMENT ON COLUMN outages.damage_assessments.estimated_repair_minutes IS 'Time to repair, minutes';
COMMENT ON COLUMN outages.damage_assessments.estimated_cost IS 'Cost to repair, in the utility''s currency';
COMMENT ON COLUMN outages.damage_assessments.geolocation IS 'Place: (longitude, latitude) in degrees, WGS 84';
COMMENT ON COLUMN outages.damage_assessments.photos IS 'Files of photographs';
COMMENT ON COLUMN outages.damage_assessments.note IS 'What was seen';
SELECT identity.protect('outages.damage_assessments', auditor => true, classification => 'internal');

-- What anybody may know: fixed, coarse columns of open and just restored outages. A function and not a view, because a view that shows the public more than the
-- reader's own rows would have to run with its owner's rights over every column; this one can return nothing but what it lists, for one utility at a time.
CREATE FUNCTION outages.public_outages(for_utility uuid, at timestamptz)
RETURNS TABLE (outage_id uuid, commodity text, outage_status text, zone_name text, outage_start timestamptz, estimated_restoration timestamptz, actual_restoration timestamptz, is_planned boolean, customers_out integer, is_few boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT o.outage_id, o.commodity, o.outage_status, z.zone_name, date_trunc('minute', o.outage_start), o.estimated_restoration, o.actual_restoration, o.is_planned,
           CASE WHEN o.affected_customers - o.customers_restored >= 5 THEN (o.affected_customers - o.customers_restored) / 5 * 5 END,
           o.affected_customers - o.customers_restored < 5
    FROM outages.outages o LEFT JOIN network.service_zones z ON z.zone_id = o.service_zone_id
    WHERE o.utility_id = for_utility AND o.outage_start <= at
      AND (o.outage_status IN ('confirmed', 'crew_dispatched', 'repairing') OR (o.outage_status = 'restored' AND o.actual_restoration > at - interval '4 hours'))
    ORDER BY o.outage_start DESC
$$;
COMMENT ON FUNCTION outages.public_outages(uuid, timestamptz) IS
'What the public and the regulator see of a utility''s outages at an instant: zone, status, times, and customers still out rounded down to fives, NULL with is_few below five; no place, no cost, no cause, no equipment';
GRANT EXECUTE ON FUNCTION outages.public_outages(uuid, timestamptz) TO mains_any, mains_app;
