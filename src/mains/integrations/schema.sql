-- The systems outside: how each is reached, whose name is whose, and what was exchanged.
CREATE SCHEMA integrations;
COMMENT ON SCHEMA integrations IS 'Connections to SCADA, GIS, weather, head-end, market and regulator systems, name mappings, the record of exchanges';
GRANT USAGE ON SCHEMA integrations TO mains_any;

CREATE TABLE integrations.connections (
    connection_id   uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    connection_name text        NOT NULL,
    system_kind     text        NOT NULL CHECK (system_kind IN ('scada', 'gis', 'weather', 'head_end', 'market', 'regulator', 'payment', 'accounting', 'crm', 'other')),
    protocol        text        NOT NULL,
    endpoint        text        NOT NULL,
    settings        jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    secret_name     text,
    is_enabled      boolean     NOT NULL DEFAULT false,
    every_s         integer     CHECK (every_s > 0),
    last_contact_at timestamptz,
    UNIQUE (utility_id, connection_name)
);
COMMENT ON TABLE integrations.connections IS 'Systems that are connected: over which protocol, where, how often';
COMMENT ON COLUMN integrations.connections.connection_id IS 'Key';
COMMENT ON COLUMN integrations.connections.utility_id IS 'The utility';
COMMENT ON COLUMN integrations.connections.connection_name IS 'Name people use, one in the utility';
COMMENT ON COLUMN integrations.connections.system_kind IS 'scada, gis, weather, head_end, market, regulator, payment, accounting, crm or other';
COMMENT ON COLUMN integrations.connections.protocol IS 'Protocol: opcua, dnp3, modbus, mqtt, ogc-features, http-json, sftp, file …';
COMMENT ON COLUMN integrations.connections.endpoint IS 'Address';
COMMENT ON COLUMN integrations.connections.settings IS 'How it is spoken to; no secrets';
COMMENT ON COLUMN integrations.connections.secret_name IS 'Name under which the secret is kept outside the database';
COMMENT ON COLUMN integrations.connections.is_enabled IS 'Whether it runs';
COMMENT ON COLUMN integrations.connections.every_s IS 'How often it is asked, s; NULL where it calls us';
COMMENT ON COLUMN integrations.connections.last_contact_at IS 'When it was last heard';
SELECT identity.protect('integrations.connections', staff => 'SIUD', auditor => true, classification => 'confidential');

CREATE TABLE integrations.mappings (
    mapping_id    uuid    PRIMARY KEY DEFAULT base.new_id(),
    utility_id    uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    connection_id uuid    NOT NULL REFERENCES integrations.connections,
    object_type   text    NOT NULL,
    object_id     text    NOT NULL,
    external_name text    NOT NULL,
    unit          text,
    scale         numeric NOT NULL DEFAULT 1 CHECK (scale <> 0),
    offset_value  numeric NOT NULL DEFAULT 0,
    UNIQUE (connection_id, external_name, object_type)
);
CREATE INDEX mappings_of_object ON integrations.mappings (utility_id, object_type, object_id);
COMMENT ON TABLE integrations.mappings IS 'What a thing of ours is called in a connected system';
COMMENT ON COLUMN integrations.mappings.mapping_id IS 'Key';
COMMENT ON COLUMN integrations.mappings.utility_id IS 'The utility';
COMMENT ON COLUMN integrations.mappings.connection_id IS 'The system';
COMMENT ON COLUMN integrations.mappings.object_type IS 'Kind of thing: network.edges, devices.smart_devices …';
COMMENT ON COLUMN integrations.mappings.object_id IS 'Its key here';
COMMENT ON COLUMN integrations.mappings.external_name IS 'Its name there';
COMMENT ON COLUMN integrations.mappings.unit IS 'Unit its values have there';
COMMENT ON COLUMN integrations.mappings.scale IS 'Value here = value there x scale + offset_value';
COMMENT ON COLUMN integrations.mappings.offset_value IS 'Added after scaling, in the unit here';
SELECT identity.protect('integrations.mappings', staff => 'SIUD', auditor => true, classification => 'internal');

CREATE TABLE integrations.exchanges (
    exchange_id    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    utility_id     uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    connection_id  uuid        NOT NULL REFERENCES integrations.connections,
    direction      text        NOT NULL CHECK (direction IN ('in', 'out')),
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz NOT NULL CHECK (finished_at >= started_at),
    items_found    bigint      NOT NULL DEFAULT 0 CHECK (items_found >= 0),
    items_accepted bigint      NOT NULL DEFAULT 0 CHECK (items_accepted >= 0),
    items_refused  bigint      NOT NULL DEFAULT 0 CHECK (items_refused >= 0),
    has_failed     boolean     NOT NULL DEFAULT false,
    detail         text,
    CONSTRAINT nothing_is_lost CHECK (items_accepted + items_refused = items_found)
);
CREATE INDEX exchanges_of_connection ON integrations.exchanges (connection_id, started_at DESC);
COMMENT ON TABLE integrations.exchanges IS 'Every exchange with a connected system: what, how much, how it ended; append-only';
COMMENT ON COLUMN integrations.exchanges.exchange_id IS 'Key';
COMMENT ON COLUMN integrations.exchanges.utility_id IS 'The utility';
COMMENT ON COLUMN integrations.exchanges.connection_id IS 'The system';
COMMENT ON COLUMN integrations.exchanges.direction IS 'in or out';
COMMENT ON COLUMN integrations.exchanges.started_at IS 'When it began';
COMMENT ON COLUMN integrations.exchanges.finished_at IS 'When it ended';
COMMENT ON COLUMN integrations.exchanges.items_found IS 'Things in it';
COMMENT ON COLUMN integrations.exchanges.items_accepted IS 'Things taken';
COMMENT ON COLUMN integrations.exchanges.items_refused IS 'Things refused; found = accepted + refused';
COMMENT ON COLUMN integrations.exchanges.has_failed IS 'Whether it broke off';
COMMENT ON COLUMN integrations.exchanges.detail IS 'What went wrong';
SELECT identity.protect('integrations.exchanges', staff => 'SI', auditor => true, audited => false, classification => 'internal', append_only => true);

CREATE TABLE integrations.sparkplug_births (
    group_name  text        NOT NULL,
    node_name   text        NOT NULL,
    device_name text        NOT NULL,
    utility_id  uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    born_at     timestamptz NOT NULL,
    aliases     jsonb       NOT NULL CHECK (jsonb_typeof(aliases) = 'object'),
    PRIMARY KEY (utility_id, group_name, node_name, device_name)
);
COMMENT ON TABLE integrations.sparkplug_births IS 'What Sparkplug edge nodes and devices last said of themselves: data that came later names its metrics by these aliases';
COMMENT ON COLUMN integrations.sparkplug_births.group_name IS 'Group of the edge node';
COMMENT ON COLUMN integrations.sparkplug_births.node_name IS 'Edge node';
COMMENT ON COLUMN integrations.sparkplug_births.device_name IS 'Device at the node; empty for the node itself';
COMMENT ON COLUMN integrations.sparkplug_births.utility_id IS 'The utility';
COMMENT ON COLUMN integrations.sparkplug_births.born_at IS 'When, by the node''s clock';
COMMENT ON COLUMN integrations.sparkplug_births.aliases IS 'Alias -> [name of the metric, datatype]';
SELECT identity.protect('integrations.sparkplug_births', auditor => true, audited => false);
