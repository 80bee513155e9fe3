-- The utilities, where they serve, and what carries the service.
CREATE SCHEMA network;
COMMENT ON SCHEMA network IS 'Utilities, service zones, infrastructure assets and how they hang together';
GRANT USAGE ON SCHEMA network TO mains_any;

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
CREATE FUNCTION network.found_utility(id uuid, name text, code text, kind text, supplies text[], money text, zone text) RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    INSERT INTO network.utilities (utility_id, utility_name, utility_code, utility_type, commodities, currency, timezone) VALUES (id, name, code, kind, supplies, money, zone) RETURNING utility_id
$$;
COMMENT ON FUNCTION network.found_utility(uuid, text, text, text, text[], text, text) IS 'Sets up a new utility; called by the administrator only, since no tenant can make another';
CREATE POLICY signs_in ON network.utilities TO mains_owner USING (true) WITH CHECK (true);
GRANT EXECUTE ON FUNCTION network.utility_by_code(text) TO mains_any, mains_app;

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
