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
