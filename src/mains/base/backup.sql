-- name: hold_still
-- A snapshot that pg_dump can share, so that the counts are those of the dump.
SELECT pg_export_snapshot();

-- name: tables
-- Every table with rows of its own to count, partitions through their parent.
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 1, 2;

-- name: end_sessions
-- End the sessions of a database, so that it can take another name.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %(name)s AND pid <> pg_backend_pid();
