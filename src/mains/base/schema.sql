-- What every domain's tables stand on: keys, time buckets. Knows nothing of utilities.
CREATE SCHEMA IF NOT EXISTS base;
COMMENT ON SCHEMA base IS 'Keys, time and the record of migrations: what every domain stands on';
GRANT USAGE ON SCHEMA base TO mains_any, mains_app;

CREATE FUNCTION base.new_id() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT encode(
        set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
COMMENT ON FUNCTION base.new_id() IS 'A time-ordered key, uuid version 7 (RFC 9562); PostgreSQL has its own only from 18 on';

CREATE FUNCTION base.time_bucket(bucket_width interval, at timestamptz, origin timestamptz DEFAULT '2000-01-03 00:00:00+00') RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT date_bin(bucket_width, at, origin) $$;
COMMENT ON FUNCTION base.time_bucket(interval, timestamptz, timestamptz) IS 'Start of the bucket of fixed width that an instant falls in; buckets are aligned to Monday 2000-01-03 UTC, as in TimescaleDB';

CREATE FUNCTION base.time_bucket(bucket_width interval, at timestamptz, timezone text) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN bucket_width = interval '1 month' THEN date_trunc('month', at, timezone)
        WHEN bucket_width = interval '1 year' THEN date_trunc('year', at, timezone)
        ELSE date_bin(bucket_width, at AT TIME ZONE timezone, '2000-01-03 00:00:00') AT TIME ZONE timezone
    END
$$;
COMMENT ON FUNCTION base.time_bucket(interval, timestamptz, text) IS 'Start of the local bucket an instant falls in; days, weeks, months and years of that zone, so the day of a clock change has 23 or 25 hours';

CREATE FUNCTION base.mask_account_number(account_number text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT '********' || CASE WHEN length(account_number) >= 8 THEN right(account_number, 4) ELSE '' END
$$;
COMMENT ON FUNCTION base.mask_account_number(text) IS 'The last four characters of a number of eight or more, after a mask of fixed width; shorter numbers show nothing';

GRANT EXECUTE ON FUNCTION base.new_id(), base.time_bucket(interval, timestamptz, timestamptz), base.time_bucket(interval, timestamptz, text), base.mask_account_number(text) TO mains_any, mains_app;

CREATE FUNCTION base.make_months(parent regclass, from_at timestamptz, to_at timestamptz) RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    schema_name text;
    table_name  text;
    time_column text;
    month_start timestamp;
    part        text;
    low         text;
    high        text;
    made        integer := 0;
BEGIN
    IF to_at - from_at > interval '50 years' THEN
        RAISE EXCEPTION 'months of % from % to %: more than 50 years at once; check the dates', parent, from_at, to_at;
    END IF;
    SELECT n.nspname, c.relname, a.attname INTO STRICT schema_name, table_name, time_column
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_partitioned_table p ON p.partrelid = c.oid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
    WHERE c.oid = parent;
    FOR month_start IN SELECT generate_series(date_trunc('month', from_at AT TIME ZONE 'UTC'), to_at AT TIME ZONE 'UTC', interval '1 month') LOOP
        part := table_name || to_char(month_start, '_YYYY_MM');
        CONTINUE WHEN to_regclass(format('%I.%I', schema_name, part)) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtext(schema_name || '.' || part));
        EXECUTE format('LOCK TABLE %I.%I IN ACCESS EXCLUSIVE MODE', schema_name, table_name || '_default'); -- only a table's lock brings news of what others made
        CONTINUE WHEN to_regclass(format('%I.%I', schema_name, part)) IS NOT NULL;
        low := to_char(month_start, 'YYYY-MM-DD') || ' 00:00:00+00';
        high := to_char(month_start + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00';
        EXECUTE format('CREATE TABLE %I.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', schema_name, part, parent);
        EXECUTE format('WITH moved AS (DELETE FROM %I.%I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I.%I SELECT * FROM moved',
            schema_name, table_name || '_default', time_column, low, time_column, high, schema_name, part);
        EXECUTE format('ALTER TABLE %s ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)', parent, schema_name, part, low, high);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION base.make_months(regclass, timestamptz, timestamptz) IS 'Makes the monthly partitions (UTC) of a table for a stretch of time where they are missing, and moves what waited in its default partition; returns how many. Domains offer it for their tables';
