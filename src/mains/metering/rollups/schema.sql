-- Sums over time and space that the ingest keeps.
CREATE TABLE metering.rollups (
    utility_id   uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    scope        text        NOT NULL CHECK (scope IN ('channel', 'zone', 'utility')),
    scope_id     text        NOT NULL,
    commodity    text        NOT NULL,
    flow         text        NOT NULL DEFAULT 'delivered',
    width_s      integer     NOT NULL CHECK (width_s > 0),
    bucket_start timestamptz NOT NULL,
    total        numeric     NOT NULL,
    peak         numeric     NOT NULL,
    readings     bigint      NOT NULL CHECK (readings >= 0),
    estimated    bigint      NOT NULL DEFAULT 0 CHECK (estimated >= 0),
    PRIMARY KEY (utility_id, scope, scope_id, commodity, flow, width_s, bucket_start)
);
COMMENT ON TABLE metering.rollups IS 'Sums over time and space that the ingest keeps, so that dashboards never scan readings';
COMMENT ON COLUMN metering.rollups.utility_id IS 'The utility';
COMMENT ON COLUMN metering.rollups.scope IS 'channel, zone or utility';
COMMENT ON COLUMN metering.rollups.scope_id IS 'Key of the channel, zone or utility, as text';
COMMENT ON COLUMN metering.rollups.commodity IS 'electric, gas or water';
COMMENT ON COLUMN metering.rollups.flow IS 'delivered, received or net';
COMMENT ON COLUMN metering.rollups.width_s IS 'Length of the bucket, s';
COMMENT ON COLUMN metering.rollups.bucket_start IS 'Start of the bucket';
COMMENT ON COLUMN metering.rollups.total IS 'Sum, in Wh for electric energy, in m3 for volumes';
COMMENT ON COLUMN metering.rollups.peak IS 'Largest sum of one interval, in the unit of total';
COMMENT ON COLUMN metering.rollups.readings IS 'Readings in it';
COMMENT ON COLUMN metering.rollups.estimated IS 'Readings in it that were estimated or substituted';
SELECT identity.protect('metering.rollups', staff => 'SIUD', audited => false);
