-- The utilities, where they serve, and what carries the service.
CREATE SCHEMA network;
COMMENT ON SCHEMA network IS 'Utilities, service zones, infrastructure assets and how they hang together';
GRANT USAGE ON SCHEMA network TO mains_any, mains_app;

CREATE TABLE network.utilities (
    utility_id      uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_name    text        NOT NULL UNIQUE CHECK (length(utility_name) BETWEEN 1 AND 200),
    utility_code    text        NOT NULL UNIQUE CHECK (utility_code ~ '^[a-z][a-z0-9-]{1,39}$'),
    utility_type    text        NOT NULL DEFAULT 'municipal' CHECK (utility_type IN ('municipal', 'cooperative', 'investor_owned', 'community', 'retailer', 'other')),
    commodities     text[]      NOT NULL DEFAULT '{electric}' CHECK (commodities <@ '{electric,gas,water,sewer,telecom}'::text[] AND cardinality(commodities) > 0),
    currency        char(3)     NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    timezone        text        NOT NULL,
    language        text        NOT NULL DEFAULT 'en',
    service_area    polygon,
    regulator_name  text,
    eia_utility_id  integer,
    contact_address text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idx_utilities_service_area ON network.utilities USING gist (service_area);
COMMENT ON TABLE network.utilities IS 'The utilities in this installation; each is a tenant, and sees only its own rows';
COMMENT ON COLUMN network.utilities.utility_id IS 'Key; the tenant of every other row';
COMMENT ON COLUMN network.utilities.utility_name IS 'Name as its customers know it';
COMMENT ON COLUMN network.utilities.utility_code IS 'Short name for commands and addresses';
COMMENT ON COLUMN network.utilities.utility_type IS 'municipal, cooperative, investor_owned, community, retailer or other';
COMMENT ON COLUMN network.utilities.commodities IS 'What it supplies: electric, gas, water, sewer, telecom';
COMMENT ON COLUMN network.utilities.currency IS 'ISO 4217 code of the money it bills in';
COMMENT ON COLUMN network.utilities.timezone IS 'IANA zone in which its days begin and end, where a service point does not say otherwise';
COMMENT ON COLUMN network.utilities.language IS 'Language of its documents, BCP 47';
COMMENT ON COLUMN network.utilities.service_area IS 'Where it serves: polygon of (longitude, latitude) in degrees, WGS 84';
COMMENT ON COLUMN network.utilities.regulator_name IS 'Commission or council that regulates it';
COMMENT ON COLUMN network.utilities.eia_utility_id IS 'Number at the US Energy Information Administration';
COMMENT ON COLUMN network.utilities.contact_address IS 'Postal address and telephone for customers';
COMMENT ON COLUMN network.utilities.created_at IS 'When it was set up here';
SELECT identity.protect('network.utilities', staff => 'SU', customer => 'true', regulator => 'true', auditor => true, classification => 'public');

CREATE FUNCTION network.utility_by_code(code text) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$ SELECT utility_id FROM network.utilities WHERE utility_code = code $$;
COMMENT ON FUNCTION network.utility_by_code(text) IS 'Key of the utility with a short name; for commands that run before anybody acts';
CREATE FUNCTION network.first_utility() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$ SELECT utility_code FROM network.utilities ORDER BY created_at, utility_code LIMIT 1 $$;
COMMENT ON FUNCTION network.first_utility() IS 'Short name of the utility that was set up first; NULL where there is none';
CREATE FUNCTION network.found_utility(id uuid, name text, code text, kind text, supplies text[], money text, zone text) RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    INSERT INTO network.utilities (utility_id, utility_name, utility_code, utility_type, commodities, currency, timezone) VALUES (id, name, code, kind, supplies, money, zone) RETURNING utility_id
$$;
COMMENT ON FUNCTION network.found_utility(uuid, text, text, text, text[], text, text) IS 'Sets up a new utility; called by the administrator only, since no tenant can make another';
CREATE POLICY signs_in ON network.utilities TO mains_owner USING (true) WITH CHECK (true);
GRANT EXECUTE ON FUNCTION network.utility_by_code(text), network.first_utility() TO mains_any, mains_app;

-- the tables of identity stand before utilities; now they can name them
ALTER TABLE identity.utility_staff ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;
ALTER TABLE identity.roles ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;
ALTER TABLE identity.sessions ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;
ALTER TABLE identity.api_keys ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;
ALTER TABLE identity.sign_in_links ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;
ALTER TABLE identity.data_keys ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;

CREATE TABLE network.service_zones (
    zone_id       uuid    PRIMARY KEY DEFAULT base.new_id(),
    utility_id    uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    zone_name     text    NOT NULL,
    zone_code     text    NOT NULL,
    zone_type     text    NOT NULL DEFAULT 'mixed' CHECK (zone_type IN ('urban', 'suburban', 'rural', 'industrial', 'mixed')),
    zone_boundary polygon,
    peak_load_mw  numeric CHECK (peak_load_mw >= 0),
    capacity_mw   numeric CHECK (capacity_mw >= 0),
    UNIQUE (utility_id, zone_code)
);
CREATE INDEX idx_service_zones_boundary ON network.service_zones USING gist (zone_boundary);
COMMENT ON TABLE network.service_zones IS 'Parts of a utility''s territory, for operations, planning and reports';
COMMENT ON COLUMN network.service_zones.zone_id IS 'Key';
COMMENT ON COLUMN network.service_zones.utility_id IS 'The utility';
COMMENT ON COLUMN network.service_zones.zone_name IS 'Name people use';
COMMENT ON COLUMN network.service_zones.zone_code IS 'Short name, one in the utility';
COMMENT ON COLUMN network.service_zones.zone_type IS 'urban, suburban, rural, industrial or mixed';
COMMENT ON COLUMN network.service_zones.zone_boundary IS 'Outline: polygon of (longitude, latitude) in degrees, WGS 84';
COMMENT ON COLUMN network.service_zones.peak_load_mw IS 'Highest load ever served, MW; history, not a limit';
COMMENT ON COLUMN network.service_zones.capacity_mw IS 'What its equipment can carry with the largest element out (N-1), MW';
SELECT identity.protect('network.service_zones', staff => 'SIUD', customer => 'true', regulator => 'true', auditor => true, classification => 'internal');

CREATE POLICY public_reads ON network.service_zones FOR SELECT TO mains_owner USING (true);
ALTER TABLE messages.templates ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;
ALTER TABLE messages.outbox ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;
ALTER TABLE messages.deliveries ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;
ALTER TABLE messages.subscriptions ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;
ALTER TABLE identity.role_grants ADD FOREIGN KEY (utility_id) REFERENCES network.utilities;

-- Connectivity: the edges and the states of switches are the truth, the energised tree is made from them ---------------------------------------------------------
CREATE TABLE network.nodes (
    node_id           bigint    GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    utility_id        uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    node_name         text      NOT NULL,
    commodity         text      NOT NULL DEFAULT 'electric' CHECK (commodity IN ('electric', 'gas', 'water', 'sewer', 'telecom')),
    node_kind         text      NOT NULL CHECK (node_kind IN ('source', 'bus', 'pole', 'device', 'transformer', 'service', 'junction', 'valve', 'hydrant', 'splitter')),
    service_zone_id   uuid      REFERENCES network.service_zones,
    geolocation       point,
    nominal_voltage_v numeric   CHECK (nominal_voltage_v > 0),
    in_service_period tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL) CHECK (NOT isempty(in_service_period)),
    UNIQUE (utility_id, commodity, node_name)
);
CREATE INDEX nodes_of_zone ON network.nodes (service_zone_id);
CREATE INDEX nodes_by_place ON network.nodes USING gist (geolocation);
COMMENT ON TABLE network.nodes IS 'Points of the network at which something is connected; all commodities';
COMMENT ON COLUMN network.nodes.node_id IS 'Key; a number, since a network has millions';
COMMENT ON COLUMN network.nodes.utility_id IS 'The utility';
COMMENT ON COLUMN network.nodes.node_name IS 'Name in engineering files, one in the utility and commodity';
COMMENT ON COLUMN network.nodes.commodity IS 'electric, gas, water, sewer or telecom';
COMMENT ON COLUMN network.nodes.node_kind IS 'source, bus, pole, device, transformer, service, junction, valve, hydrant or splitter';
COMMENT ON COLUMN network.nodes.service_zone_id IS 'Zone it lies in';
COMMENT ON COLUMN network.nodes.geolocation IS 'Place: (longitude, latitude) in degrees, WGS 84';
COMMENT ON COLUMN network.nodes.nominal_voltage_v IS 'Nominal voltage, V; NULL where it is not electric';
COMMENT ON COLUMN network.nodes.in_service_period IS 'From when to when it is part of the network, half-open';
SELECT identity.protect('network.nodes', staff => 'SIUD', classification => 'internal');

CREATE TABLE network.edges (
    edge_id           bigint    GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    utility_id        uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    edge_name         text      NOT NULL,
    commodity         text      NOT NULL DEFAULT 'electric' CHECK (commodity IN ('electric', 'gas', 'water', 'sewer', 'telecom')),
    edge_kind         text      NOT NULL CHECK (edge_kind IN ('line', 'breaker', 'recloser', 'switch', 'fuse', 'sectionaliser', 'transformer', 'regulator', 'service', 'main', 'valve', 'fibre')),
    from_node_id      bigint    NOT NULL REFERENCES network.nodes,
    to_node_id        bigint    NOT NULL REFERENCES network.nodes,
    phases            text      CHECK (phases ~ '^[ABCN]{1,4}$'),
    length_m          numeric   CHECK (length_m >= 0),
    conductor         text,
    is_switchable     boolean   NOT NULL DEFAULT false,
    is_normally_open  boolean   NOT NULL DEFAULT false,
    is_protective     boolean   NOT NULL DEFAULT false,
    in_service_period tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL) CHECK (NOT isempty(in_service_period)),
    CONSTRAINT an_edge_joins_two_nodes CHECK (from_node_id <> to_node_id),
    CONSTRAINT only_a_switch_stands_open CHECK (is_switchable OR NOT is_normally_open),
    CONSTRAINT one_edge_of_a_name_at_a_time EXCLUDE USING gist (utility_id WITH =, commodity WITH =, edge_name WITH =, in_service_period WITH &&)
);
CREATE INDEX edges_from_node ON network.edges (from_node_id);
CREATE INDEX edges_to_node ON network.edges (to_node_id);
COMMENT ON TABLE network.edges IS 'Connections between two nodes from when to when: lines, switches, fuses, transformers, mains, valves; drawn from source to load';
COMMENT ON COLUMN network.edges.edge_id IS 'Key; a change of what it connects is a new edge under the same name';
COMMENT ON COLUMN network.edges.utility_id IS 'The utility';
COMMENT ON COLUMN network.edges.edge_name IS 'Name in engineering files, one in the utility at a time';
COMMENT ON COLUMN network.edges.commodity IS 'electric, gas, water, sewer or telecom';
COMMENT ON COLUMN network.edges.edge_kind IS 'line, breaker, recloser, switch, fuse, sectionaliser, transformer, regulator, service, main, valve or fibre';
COMMENT ON COLUMN network.edges.from_node_id IS 'Node on the source''s side, as built';
COMMENT ON COLUMN network.edges.to_node_id IS 'Node on the load''s side, as built';
COMMENT ON COLUMN network.edges.phases IS 'Phases connected, letters of ABCN; NULL where it is not electric';
COMMENT ON COLUMN network.edges.length_m IS 'Length, m';
COMMENT ON COLUMN network.edges.conductor IS 'Conductor or pipe, as the catalogue names it';
COMMENT ON COLUMN network.edges.is_switchable IS 'Whether it can be opened and closed';
COMMENT ON COLUMN network.edges.is_normally_open IS 'Whether it stands open when nothing is wrong';
COMMENT ON COLUMN network.edges.is_protective IS 'Whether it trips by itself on a fault: breaker, recloser, fuse';
COMMENT ON COLUMN network.edges.in_service_period IS 'From when to when it connects, half-open';
SELECT identity.protect('network.edges', staff => 'SIUD', classification => 'internal');

CREATE TABLE network.switch_states (
    switch_state_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    edge_id         bigint      NOT NULL REFERENCES network.edges,
    is_open         boolean     NOT NULL,
    state_period    tstzrange   NOT NULL CHECK (NOT isempty(state_period) AND NOT lower_inf(state_period)),
    source          text        NOT NULL CHECK (source IN ('scada', 'crew', 'order', 'model')),
    phases          text        CHECK (phases ~ '^[ABC]{1,3}$'),
    recorded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT one_state_at_a_time EXCLUDE USING gist (edge_id WITH =, state_period WITH &&)
);
CREATE INDEX switch_states_open_ended ON network.switch_states (utility_id, edge_id) WHERE upper_inf(state_period);
COMMENT ON TABLE network.switch_states IS 'Whether a switchable edge stood open, from when to when; where none is said it stands as normal';
COMMENT ON COLUMN network.switch_states.switch_state_id IS 'Key';
COMMENT ON COLUMN network.switch_states.utility_id IS 'The utility';
COMMENT ON COLUMN network.switch_states.edge_id IS 'The switch';
COMMENT ON COLUMN network.switch_states.is_open IS 'Whether it stood open';
COMMENT ON COLUMN network.switch_states.state_period IS 'From when to when, half-open; open-ended while it holds';
COMMENT ON COLUMN network.switch_states.source IS 'scada, crew, order (a switching order) or model';
COMMENT ON COLUMN network.switch_states.phases IS 'Phases it concerns; NULL for all';
COMMENT ON COLUMN network.switch_states.recorded_at IS 'When it was written here';
SELECT identity.protect('network.switch_states', classification => 'internal');

CREATE TABLE network.energised_tree (
    node_id        bigint      PRIMARY KEY REFERENCES network.nodes ON DELETE CASCADE,
    utility_id     uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    tree_state     text        NOT NULL CHECK (tree_state IN ('energised', 'dead', 'looped')),
    parent_node_id bigint,
    parent_edge_id bigint,
    feeder_edge_id bigint,
    device_edge_id bigint,
    source_node_id bigint,
    depth          integer     CHECK (depth >= 0),
    first_label    bigint,
    last_label     bigint      CHECK (last_label >= first_label),
    customers      integer     NOT NULL DEFAULT 0 CHECK (customers >= 0),
    traced_at      timestamptz NOT NULL,
    CONSTRAINT an_energised_node_has_a_place CHECK (tree_state <> 'energised' OR (source_node_id IS NOT NULL AND first_label IS NOT NULL AND last_label IS NOT NULL AND depth IS NOT NULL)),
    CONSTRAINT a_dead_node_has_no_feeder CHECK (tree_state <> 'dead' OR (parent_node_id IS NULL AND feeder_edge_id IS NULL AND source_node_id IS NULL))
);
CREATE INDEX energised_tree_by_label ON network.energised_tree (utility_id, first_label) INCLUDE (last_label, node_id, customers);
CREATE INDEX energised_tree_of_feeder ON network.energised_tree (feeder_edge_id);
CREATE INDEX energised_tree_of_device ON network.energised_tree (device_edge_id);
COMMENT ON TABLE network.energised_tree IS 'The energised tree as it is now, derived from edges and switch states by the tracing job and never edited by hand; a node''s descendants are one range of numbers. Only node_id is a foreign key, since thousands of rows are rewritten at each switching';
COMMENT ON COLUMN network.energised_tree.node_id IS 'The node: once in the tree, so at most one feeder energises it';
COMMENT ON COLUMN network.energised_tree.utility_id IS 'The utility';
COMMENT ON COLUMN network.energised_tree.tree_state IS 'energised, dead, or looped (more than one way to a source)';
COMMENT ON COLUMN network.energised_tree.parent_node_id IS 'Next node towards the source; NULL at a source and where it is dead';
COMMENT ON COLUMN network.energised_tree.parent_edge_id IS 'Edge to the parent';
COMMENT ON COLUMN network.energised_tree.feeder_edge_id IS 'Edge at the head of its feeder; NULL upstream of the feeder heads';
COMMENT ON COLUMN network.energised_tree.device_edge_id IS 'Next protective device towards the source';
COMMENT ON COLUMN network.energised_tree.source_node_id IS 'Source that feeds it';
COMMENT ON COLUMN network.energised_tree.depth IS 'Edges between it and its source';
COMMENT ON COLUMN network.energised_tree.first_label IS 'Its place in a depth-first walk of the tree; descendants have labels from here to last_label';
COMMENT ON COLUMN network.energised_tree.last_label IS 'Largest label among its descendants';
COMMENT ON COLUMN network.energised_tree.customers IS 'Customers at and behind it';
COMMENT ON COLUMN network.energised_tree.traced_at IS 'Instant whose switch states it shows';
SELECT identity.protect('network.energised_tree', staff => 'SIUD', audited => false, classification => 'internal');

-- Equipment ---------------------------------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE network.infrastructure_assets (
    asset_id             uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id           uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    asset_name           text        NOT NULL,
    asset_type           text        NOT NULL CHECK (asset_type IN ('substation_transformer', 'transformer', 'breaker', 'recloser', 'switch', 'fuse', 'regulator', 'capacitor', 'pole', 'line', 'cable', 'pipe', 'valve', 'pump', 'hydrant', 'tank', 'splitter', 'building', 'other')),
    commodity            text        NOT NULL DEFAULT 'electric' CHECK (commodity IN ('electric', 'gas', 'water', 'sewer', 'telecom')),
    asset_status         text        NOT NULL DEFAULT 'operational' CHECK (asset_status IN ('planned', 'operational', 'maintenance', 'out_of_service', 'retired')),
    service_zone_id      uuid        REFERENCES network.service_zones,
    node_id              bigint      REFERENCES network.nodes,
    edge_id              bigint      REFERENCES network.edges,
    geolocation          point,
    manufacturer         text,
    model                text,
    serial_number        text,
    installed_date       date,
    retired_date         date        CHECK (retired_date >= installed_date),
    expected_life_years  numeric     CHECK (expected_life_years > 0),
    replacement_cost     numeric     CHECK (replacement_cost >= 0),
    condition_score      numeric     CHECK (condition_score BETWEEN 0 AND 100),
    maintenance_schedule jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(maintenance_schedule) = 'object'),
    created_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (utility_id, asset_type, asset_name),
    CONSTRAINT a_retired_asset_has_a_date CHECK (asset_status <> 'retired' OR retired_date IS NOT NULL)
);
CREATE INDEX idx_infrastructure_assets_location ON network.infrastructure_assets USING gist (geolocation);
CREATE INDEX infrastructure_assets_by_status ON network.infrastructure_assets (utility_id, asset_status);
CREATE INDEX infrastructure_assets_of_zone ON network.infrastructure_assets (service_zone_id);
CREATE INDEX infrastructure_assets_of_node ON network.infrastructure_assets (node_id);
CREATE INDEX infrastructure_assets_of_edge ON network.infrastructure_assets (edge_id);
COMMENT ON TABLE network.infrastructure_assets IS 'Equipment the utility owns: what it is, where it stands, how old it is, how it is kept';
COMMENT ON COLUMN network.infrastructure_assets.asset_id IS 'Key';
COMMENT ON COLUMN network.infrastructure_assets.utility_id IS 'The utility';
COMMENT ON COLUMN network.infrastructure_assets.asset_name IS 'Name or number painted on it, one in the utility';
COMMENT ON COLUMN network.infrastructure_assets.asset_type IS 'substation_transformer, transformer, breaker, recloser, switch, fuse, regulator, capacitor, pole, line, cable, pipe, valve, pump, hydrant, tank, splitter, building or other';
COMMENT ON COLUMN network.infrastructure_assets.commodity IS 'electric, gas, water, sewer or telecom';
COMMENT ON COLUMN network.infrastructure_assets.asset_status IS 'planned, operational, maintenance, out_of_service or retired';
COMMENT ON COLUMN network.infrastructure_assets.service_zone_id IS 'Zone it stands in';
COMMENT ON COLUMN network.infrastructure_assets.node_id IS 'Node it sits at';
COMMENT ON COLUMN network.infrastructure_assets.edge_id IS 'Edge it is, for lines and switches';
COMMENT ON COLUMN network.infrastructure_assets.geolocation IS 'Place: (longitude, latitude) in degrees, WGS 84';
COMMENT ON COLUMN network.infrastructure_assets.manufacturer IS 'Maker';
COMMENT ON COLUMN network.infrastructure_assets.model IS 'Maker''s name of the type';
COMMENT ON COLUMN network.infrastructure_assets.serial_number IS 'Maker''s number';
COMMENT ON COLUMN network.infrastructure_assets.installed_date IS 'Local date it was put into service';
COMMENT ON COLUMN network.infrastructure_assets.retired_date IS 'Local date it was taken out';
COMMENT ON COLUMN network.infrastructure_assets.expected_life_years IS 'Usual life of its kind, years';
COMMENT ON COLUMN network.infrastructure_assets.replacement_cost IS 'Cost of a new one, in the utility''s currency';
COMMENT ON COLUMN network.infrastructure_assets.condition_score IS 'Condition at the last look, 0 (as bad as can be) to 100 (as new)';
COMMENT ON COLUMN network.infrastructure_assets.maintenance_schedule IS 'Tasks by name with every_months and last_date: {"inspection": {"every_months": 12, "last_date": "2026-03-01"}}';
COMMENT ON COLUMN network.infrastructure_assets.created_at IS 'When it became known here';
SELECT identity.protect('network.infrastructure_assets', staff => 'SIUD', auditor => true, classification => 'internal');

CREATE TABLE network.ratings (
    rating_id        uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    asset_id         uuid      NOT NULL REFERENCES network.infrastructure_assets,
    rating_kind      text      NOT NULL CHECK (rating_kind IN ('normal', 'emergency', 'short_term', 'interrupting')),
    season           text      NOT NULL DEFAULT 'all' CHECK (season IN ('all', 'summer', 'winter')),
    rated_value      numeric   NOT NULL CHECK (rated_value > 0),
    rated_unit       text      NOT NULL CHECK (rated_unit IN ('A', 'kVA', 'MVA', 'kW', 'MW', 'V', 'kPa', 'm3/h', 'Mbit/s')),
    effective_period daterange NOT NULL CHECK (NOT isempty(effective_period)),
    source           text,
    CONSTRAINT one_rating_at_a_time EXCLUDE USING gist (asset_id WITH =, rating_kind WITH =, season WITH =, rated_unit WITH =, effective_period WITH &&)
);
COMMENT ON TABLE network.ratings IS 'What a piece of equipment may carry, by season and from when';
COMMENT ON COLUMN network.ratings.rating_id IS 'Key';
COMMENT ON COLUMN network.ratings.utility_id IS 'The utility';
COMMENT ON COLUMN network.ratings.asset_id IS 'The equipment';
COMMENT ON COLUMN network.ratings.rating_kind IS 'normal, emergency (hours), short_term (minutes) or interrupting';
COMMENT ON COLUMN network.ratings.season IS 'all, summer or winter';
COMMENT ON COLUMN network.ratings.rated_value IS 'The limit, in rated_unit';
COMMENT ON COLUMN network.ratings.rated_unit IS 'A, kVA, MVA, kW, MW, V, kPa, m3/h or Mbit/s';
COMMENT ON COLUMN network.ratings.effective_period IS 'Local dates it holds, half-open';
COMMENT ON COLUMN network.ratings.source IS 'Nameplate, study or standard it comes from';
SELECT identity.protect('network.ratings', staff => 'SIUD', auditor => true, classification => 'internal');

-- Weather: stands here, low, since readings, outages, load and equipment all lean on it ---------------------------------------------------------------------------------
CREATE TABLE network.weather_stations (
    weather_station_id uuid    PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    station_code       text    NOT NULL,
    station_name       text    NOT NULL,
    geolocation        point   NOT NULL,
    elevation_m        numeric,
    UNIQUE (utility_id, station_code)
);
CREATE INDEX weather_stations_by_place ON network.weather_stations USING gist (geolocation);
COMMENT ON TABLE network.weather_stations IS 'Places whose weather is known';
COMMENT ON COLUMN network.weather_stations.weather_station_id IS 'Key';
COMMENT ON COLUMN network.weather_stations.utility_id IS 'The utility';
COMMENT ON COLUMN network.weather_stations.station_code IS 'Code at the weather service, one in the utility';
COMMENT ON COLUMN network.weather_stations.station_name IS 'Name of the place';
COMMENT ON COLUMN network.weather_stations.geolocation IS 'Place: (longitude, latitude) in degrees, WGS 84';
COMMENT ON COLUMN network.weather_stations.elevation_m IS 'Height above sea level, m';
SELECT identity.protect('network.weather_stations', staff => 'SIUD', classification => 'public');

CREATE TABLE network.weather_observations (
    weather_station_id uuid        NOT NULL REFERENCES network.weather_stations,
    utility_id         uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    valid_at           timestamptz NOT NULL,
    issued_at          timestamptz NOT NULL,
    is_forecast        boolean     NOT NULL,
    temperature_c      numeric     CHECK (temperature_c BETWEEN -90 AND 65),
    humidity_pct       numeric     CHECK (humidity_pct BETWEEN 0 AND 100),
    wind_speed_m_s     numeric     CHECK (wind_speed_m_s >= 0),
    wind_gust_m_s      numeric     CHECK (wind_gust_m_s >= 0),
    precipitation_mm   numeric     CHECK (precipitation_mm >= 0),
    irradiance_w_m2    numeric     CHECK (irradiance_w_m2 >= 0),
    lightning_strikes  integer     CHECK (lightning_strikes >= 0),
    PRIMARY KEY (weather_station_id, valid_at, is_forecast, issued_at),
    CONSTRAINT a_forecast_comes_before CHECK (is_forecast = (issued_at < valid_at))
);
CREATE INDEX weather_observations_by_time ON network.weather_observations (utility_id, valid_at);
COMMENT ON TABLE network.weather_observations IS 'Weather at a station, observed or forecast; a forecast keeps the instant it was issued, so that it is never mistaken for what was known';
COMMENT ON COLUMN network.weather_observations.weather_station_id IS 'The station';
COMMENT ON COLUMN network.weather_observations.utility_id IS 'The utility';
COMMENT ON COLUMN network.weather_observations.valid_at IS 'Start of the hour it is about';
COMMENT ON COLUMN network.weather_observations.issued_at IS 'Instant of the forecast; equal to valid_at or later for an observation';
COMMENT ON COLUMN network.weather_observations.is_forecast IS 'Whether it was forecast';
COMMENT ON COLUMN network.weather_observations.temperature_c IS 'Air temperature, °C';
COMMENT ON COLUMN network.weather_observations.humidity_pct IS 'Relative humidity, %';
COMMENT ON COLUMN network.weather_observations.wind_speed_m_s IS 'Mean wind, m/s';
COMMENT ON COLUMN network.weather_observations.wind_gust_m_s IS 'Strongest gust, m/s';
COMMENT ON COLUMN network.weather_observations.precipitation_mm IS 'Rain and melted snow in the hour, mm';
COMMENT ON COLUMN network.weather_observations.irradiance_w_m2 IS 'Global horizontal irradiance, W/m2';
COMMENT ON COLUMN network.weather_observations.lightning_strikes IS 'Strikes within 10 km in the hour';
SELECT identity.protect('network.weather_observations', staff => 'SIUD', audited => false, classification => 'public');
