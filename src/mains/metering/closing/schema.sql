-- Closed months: the dense tier and the archive.
CREATE TABLE metering.archive_manifests (
    archive_manifest_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id          uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    month_start         date        NOT NULL,
    location            text        NOT NULL,
    sha256              bytea       NOT NULL CHECK (length(sha256) = 32),
    blocks              bigint      NOT NULL CHECK (blocks > 0),
    readings            bigint      NOT NULL CHECK (readings > 0),
    raw_sum             numeric     NOT NULL,
    written_at          timestamptz NOT NULL,
    UNIQUE (utility_id, month_start, sha256)
);
COMMENT ON TABLE metering.archive_manifests IS 'Closed months written out of the database: where, how many, and the hash to trust them by';
COMMENT ON COLUMN metering.archive_manifests.archive_manifest_id IS 'Key';
COMMENT ON COLUMN metering.archive_manifests.utility_id IS 'The utility';
COMMENT ON COLUMN metering.archive_manifests.month_start IS 'First day of the month, UTC';
COMMENT ON COLUMN metering.archive_manifests.location IS 'File or address';
COMMENT ON COLUMN metering.archive_manifests.sha256 IS 'SHA-256 of the file';
COMMENT ON COLUMN metering.archive_manifests.blocks IS 'Blocks in it';
COMMENT ON COLUMN metering.archive_manifests.readings IS 'Readings in it';
COMMENT ON COLUMN metering.archive_manifests.raw_sum IS 'Sum of its raw values';
COMMENT ON COLUMN metering.archive_manifests.written_at IS 'When it was written';
SELECT identity.protect('metering.archive_manifests', staff => 'SI', auditor => true, classification => 'internal', append_only => true);
