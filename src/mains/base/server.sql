-- name: database_exists
-- Whether the server has a database of this name.
SELECT true FROM pg_database WHERE datname = %(name)s;

-- name: where_the_data_is
-- The data folder of the server that answers.
SELECT current_setting('data_directory');

-- name: what_answers
-- Name, version and size of the database that answers.
SELECT current_database() AS database, current_setting('server_version_num')::int / 10000 AS major, current_setting('server_version') AS version,
       pg_database_size(current_database()) AS bytes, pg_postmaster_start_time() AS started_at;
