-- name: one_at_a_time
-- Wait until no other process builds this database.
SELECT pg_advisory_lock(hashtextextended('mains migrations', 0));

-- name: let_others
-- Give the lock back.
SELECT pg_advisory_unlock(hashtextextended('mains migrations', 0));

-- name: record_is_there
-- Whether this database has ever been built by the runner.
SELECT to_regclass('base.migrations') IS NOT NULL;

-- name: make_record
-- The table of what has been applied.
CREATE SCHEMA IF NOT EXISTS base;
CREATE TABLE IF NOT EXISTS base.migrations (
    name       text        PRIMARY KEY,
    phase      text        NOT NULL CHECK (phase IN ('baseline', 'pre', 'post')),
    checksum   text        NOT NULL CHECK (checksum ~ '^[0-9a-f]{64}$'),
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by text        NOT NULL DEFAULT session_user,
    took_ms    integer     NOT NULL CHECK (took_ms >= 0)
);
COMMENT ON TABLE  base.migrations IS 'The SQL files this database was built with, each applied once';
COMMENT ON COLUMN base.migrations.name IS 'Name of the file: a domain for the baseline, else NNNN_name';
COMMENT ON COLUMN base.migrations.phase IS 'baseline, or whether the file runs before (pre) or after (post) the new release is put in place';
COMMENT ON COLUMN base.migrations.checksum IS 'SHA-256 of the file as it was applied, hexadecimal';
COMMENT ON COLUMN base.migrations.applied_at IS 'Instant at which it had been applied';
COMMENT ON COLUMN base.migrations.applied_by IS 'Database login that applied it';
COMMENT ON COLUMN base.migrations.took_ms IS 'How long it took, milliseconds';

-- name: applied
-- What has been applied, with the checksum of each file.
SELECT name, checksum FROM base.migrations ORDER BY applied_at, name;

-- name: record
-- Note a file as applied.
INSERT INTO base.migrations (name, phase, checksum, took_ms) VALUES (%(name)s, %(phase)s, %(checksum)s, %(took_ms)s);

-- name: extension_available
-- Whether the server ships an extension.
SELECT true FROM pg_available_extensions WHERE name = %(name)s;

-- name: extension_installed
-- Whether this database has an extension.
SELECT true FROM pg_extension WHERE extname = %(name)s;

-- name: close_functions
-- Functions of the owner answer to nobody until they are granted.
ALTER DEFAULT PRIVILEGES FOR ROLE mains_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- name: close_statistics
-- The statements that everybody ran, with parts of their values, are for the administrator.
DO $$ BEGIN
    IF to_regclass('public.pg_stat_statements') IS NOT NULL THEN
        REVOKE ALL ON public.pg_stat_statements, public.pg_stat_statements_info FROM PUBLIC;
    END IF;
END $$;

-- name: close_public
-- Nobody makes objects in the schema that everybody searches.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
