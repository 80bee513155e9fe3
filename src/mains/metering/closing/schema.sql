-- Closed months: the dense tier and the archive.
CREATE TABLE metering.closed_months (
    channel_id     bigint      NOT NULL,
    first_day_at    timestamptz NOT NULL,
    utility_id     uuid        NOT NULL DEFAULT identity.current_utility(),
    total          bigint      NOT NULL,
    peak           integer     NOT NULL,
    n_valid        integer     NOT NULL,
    n_estimated    integer     NOT NULL,
    interval_s     integer     NOT NULL,
    utc_offset_min smallint    NOT NULL,
    days           smallint    NOT NULL,
    day_sums       bytea       NOT NULL,
    payload        bytea       NOT NULL,
    payload_end    bytea       NOT NULL,
    CONSTRAINT closed_months_pk PRIMARY KEY (channel_id, first_day_at),
    CONSTRAINT a_closed_day_starts_at_standard_midnight CHECK ((extract(epoch FROM first_day_at)::bigint + utc_offset_min * 60) % 86400 = 0),
    CONSTRAINT a_closed_interval_divides_the_day CHECK (interval_s > 0 AND 86400 % interval_s = 0),
    CONSTRAINT closed_days_lie_in_one_month CHECK (
        days BETWEEN 1 AND 31 AND date_trunc('month', first_day_at, 'UTC') = date_trunc('month', first_day_at + (days - 1) * interval '24 hours', 'UTC')),
    CONSTRAINT closed_readings_fit_their_days CHECK (n_valid BETWEEN 0 AND days * (86400 / interval_s) AND n_estimated BETWEEN 0 AND n_valid),
    CONSTRAINT every_closed_day_has_its_sums CHECK (
        length(day_sums) = 3 + days * (get_byte(day_sums, 0) + get_byte(day_sums, 1) + get_byte(day_sums, 2))
        AND get_byte(day_sums, 0) BETWEEN 1 AND 8 AND get_byte(day_sums, 1) BETWEEN 1 AND 4 AND get_byte(day_sums, 2) IN (0, 2))
);
ALTER TABLE metering.closed_months ALTER payload SET STORAGE EXTERNAL, ALTER payload_end SET STORAGE PLAIN, ALTER day_sums SET STORAGE PLAIN;
CREATE INDEX closed_months_by_time ON metering.closed_months USING brin (first_day_at) WITH (pages_per_range = 32);
COMMENT ON TABLE metering.closed_months IS
'Interval readings of months that are over, dense: one row is a run of days of one channel within one UTC month, with one interval length and offset, that the same customers may see; mostly a whole month. '
'SQL has their days and months (channel_days, channel_months); their readings come through the application, or through SQL once thawed';
COMMENT ON COLUMN metering.closed_months.channel_id IS 'The channel';
COMMENT ON COLUMN metering.closed_months.first_day_at IS 'Start of the first standard-time day';
COMMENT ON COLUMN metering.closed_months.utility_id IS 'The utility';
COMMENT ON COLUMN metering.closed_months.total IS 'Sum of the valid raw values';
COMMENT ON COLUMN metering.closed_months.peak IS 'Largest of the days'' peaks, raw';
COMMENT ON COLUMN metering.closed_months.n_valid IS 'Intervals that have a value';
COMMENT ON COLUMN metering.closed_months.n_estimated IS 'Intervals whose value was estimated or substituted';
COMMENT ON COLUMN metering.closed_months.interval_s IS 'Length of an interval, s';
COMMENT ON COLUMN metering.closed_months.utc_offset_min IS 'Standard-time offset of the days from UTC, minutes';
COMMENT ON COLUMN metering.closed_months.days IS 'How many days, one after the other';
COMMENT ON COLUMN metering.closed_months.day_sums IS 'Widths of a total, a peak and a count (3 bytes; a count''s is 0 where no interval is missing), then all totals, all peaks and all counts, big-endian; see closed_days()';
COMMENT ON COLUMN metering.closed_months.payload IS 'Values, qualities, versions and deliveries of the days, packed by the application (mains.metering.closing.packing): as much as fills whole pieces of out-of-line storage (1996 bytes, four a page)';
COMMENT ON COLUMN metering.closed_months.payload_end IS 'The rest of the payload, in the row: a last piece out of line would leave a quarter of its page empty';
-- staff may not remove: the functions below do, each after seeing that the readings stand somewhere else
SELECT identity.protect('metering.closed_months', staff => 'SI', audited => false, customer => $$EXISTS (
    SELECT 1 FROM metering.channels c JOIN devices.meter_installations i ON i.meter_id = c.meter_id JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id
    WHERE c.channel_id = closed_months.channel_id
      AND a.active_period * i.installed_period && tstzrange(closed_months.first_day_at, closed_months.first_day_at + interval '24 hours')
      AND a.active_period * i.installed_period && tstzrange(closed_months.first_day_at + (closed_months.days - 1) * interval '24 hours', closed_months.first_day_at + closed_months.days * interval '24 hours'))$$);
CREATE POLICY moved_by_functions ON metering.closed_months TO mains_owner USING (utility_id = (SELECT identity.current_utility())) WITH CHECK (utility_id = (SELECT identity.current_utility()));

CREATE FUNCTION metering.number_at(of bytea, place integer, width integer) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('x' || rpad(encode(substring(of FROM place + 1 FOR width), 'hex'), 16, '0'))::bit(64)::bigint >> (64 - 8 * width)
$$;
COMMENT ON FUNCTION metering.number_at(bytea, integer, integer) IS 'The signed big-endian number of some bytes (1 to 8) at a place, from 0';

CREATE FUNCTION metering.closed_days(day_sums bytea, days integer, interval_s integer) RETURNS TABLE (i integer, total bigint, peak integer, n_valid smallint) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT g.i, metering.number_at(day_sums, 3 + g.i * w.total, w.total), metering.number_at(day_sums, 3 + days * w.total + g.i * w.peak, w.peak)::integer,
           CASE w.n_valid WHEN 0 THEN 86400 / interval_s ELSE metering.number_at(day_sums, 3 + days * (w.total + w.peak) + g.i * 2, 2) END::smallint
    FROM (SELECT get_byte(day_sums, 0) AS total, get_byte(day_sums, 1) AS peak, get_byte(day_sums, 2) AS n_valid) AS w CROSS JOIN generate_series(0, days - 1) AS g (i)
$$;
COMMENT ON FUNCTION metering.closed_days(bytea, integer, integer) IS 'The days of a row of closed_months, from 0: sum, largest value and number of the valid readings';

CREATE VIEW metering.channel_days WITH (security_invoker = true) AS
SELECT b.utility_id, b.channel_id, b.block_start, b.interval_s, b.utc_offset_min, b.total, b.peak, b.n_valid, false AS is_closed
FROM metering.interval_blocks b
UNION ALL
SELECT m.utility_id, m.channel_id, m.first_day_at + d.i * interval '24 hours', m.interval_s, m.utc_offset_min, d.total, d.peak, d.n_valid, true
FROM metering.closed_months m CROSS JOIN LATERAL metering.closed_days(m.day_sums, m.days, m.interval_s) AS d;
COMMENT ON VIEW metering.channel_days IS 'Each standard-time day of each channel, in live and closed months alike; ask through metering.days_of_channels(), which adds the bounds that prune';
COMMENT ON COLUMN metering.channel_days.utility_id IS 'The utility';
COMMENT ON COLUMN metering.channel_days.channel_id IS 'The channel';
COMMENT ON COLUMN metering.channel_days.block_start IS 'Start of the standard-time day';
COMMENT ON COLUMN metering.channel_days.interval_s IS 'Length of an interval, s';
COMMENT ON COLUMN metering.channel_days.utc_offset_min IS 'Standard-time offset of the day from UTC, minutes';
COMMENT ON COLUMN metering.channel_days.total IS 'Sum of the valid raw values';
COMMENT ON COLUMN metering.channel_days.peak IS 'Largest valid raw value; 0 where there is none';
COMMENT ON COLUMN metering.channel_days.n_valid IS 'Intervals that have a value';
COMMENT ON COLUMN metering.channel_days.is_closed IS 'Whether the day lies in the dense tier, where SQL does not see its readings';

CREATE FUNCTION metering.days_of_channels(channels bigint[], from_at timestamptz, to_at timestamptz)
RETURNS TABLE (channel_id bigint, block_start timestamptz, interval_s integer, utc_offset_min smallint, total bigint, peak integer, n_valid smallint, is_closed boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT b.channel_id, b.block_start, b.interval_s, b.utc_offset_min, b.total, b.peak, b.n_valid, false
    FROM metering.interval_blocks b WHERE b.channel_id = ANY (channels) AND b.block_start >= from_at AND b.block_start < to_at
    UNION ALL
    SELECT m.channel_id, m.first_day_at + d.i * interval '24 hours', m.interval_s, m.utc_offset_min, d.total, d.peak, d.n_valid, true
    FROM metering.closed_months m CROSS JOIN LATERAL metering.closed_days(m.day_sums, m.days, m.interval_s) AS d
    WHERE m.channel_id = ANY (channels) AND m.first_day_at > from_at - interval '31 days' AND m.first_day_at < to_at
      AND m.first_day_at + d.i * interval '24 hours' >= from_at AND m.first_day_at + d.i * interval '24 hours' < to_at
$$;
COMMENT ON FUNCTION metering.days_of_channels(bigint[], timestamptz, timestamptz) IS 'Days of channels that start in [from, to), as in channel_days, by the keys of both tiers';

CREATE VIEW metering.channel_months WITH (security_invoker = true) AS
SELECT b.utility_id, b.channel_id, date_trunc('month', b.block_start, 'UTC') AS month_start_at, sum(b.total)::bigint AS total, max(b.peak) AS peak, sum(b.n_valid)::bigint AS n_valid,
       sum(CASE WHEN b.qual IS NOT NULL THEN (SELECT count(*) FROM generate_series(0, length(b.qual) - 1) AS g (i) WHERE get_byte(b.qual, g.i) IN (2, 3, 4))
                WHEN b.quality IN (2, 3, 4) THEN b.n_valid ELSE 0 END)::bigint AS n_estimated,
       count(*)::integer AS days, false AS is_closed
FROM metering.interval_blocks b
GROUP BY b.utility_id, b.channel_id, date_trunc('month', b.block_start, 'UTC')
UNION ALL
SELECT m.utility_id, m.channel_id, date_trunc('month', m.first_day_at, 'UTC'), sum(m.total)::bigint, max(m.peak), sum(m.n_valid)::bigint, sum(m.n_estimated)::bigint, sum(m.days)::integer, true
FROM metering.closed_months m
GROUP BY m.utility_id, m.channel_id, date_trunc('month', m.first_day_at, 'UTC');
COMMENT ON VIEW metering.channel_months IS 'Each UTC month of each channel by its days, in live and closed months alike';
COMMENT ON COLUMN metering.channel_months.utility_id IS 'The utility';
COMMENT ON COLUMN metering.channel_months.channel_id IS 'The channel';
COMMENT ON COLUMN metering.channel_months.month_start_at IS 'Start of the month, UTC';
COMMENT ON COLUMN metering.channel_months.total IS 'Sum of the valid raw values';
COMMENT ON COLUMN metering.channel_months.peak IS 'Largest of the days'' peaks, raw';
COMMENT ON COLUMN metering.channel_months.n_valid IS 'Intervals that have a value';
COMMENT ON COLUMN metering.channel_months.n_estimated IS 'Intervals whose value was estimated or substituted';
COMMENT ON COLUMN metering.channel_months.days IS 'Days that have a block';
COMMENT ON COLUMN metering.channel_months.is_closed IS 'Whether these days lie in the dense tier';
GRANT SELECT ON metering.channel_days, metering.channel_months TO mains_staff, mains_customer;
GRANT EXECUTE ON FUNCTION metering.number_at(bytea, integer, integer), metering.closed_days(bytea, integer, integer), metering.days_of_channels(bigint[], timestamptz, timestamptz) TO mains_staff, mains_customer;

COMMENT ON VIEW metering.channel_readings IS
'Every interval of every live block as a row; ask through metering.readings(), which adds the bounds that prune. Closed months are not in it until they are thawed: see channel_days, or load them through the application';

-- Moving readings between the tiers -----------------------------------------------------------------------------------------------------------------------------
CREATE FUNCTION metering.hold_month(month timestamptz, for_moving boolean) RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog AS $$
    SELECT CASE WHEN for_moving THEN pg_advisory_xact_lock(key) ELSE pg_advisory_xact_lock_shared(key) END
    FROM (SELECT hashtextextended('metering.closed_months ' || identity.current_utility() || to_char(month AT TIME ZONE 'UTC', ' YYYY-MM'), 0) AS key) AS k
$$;
COMMENT ON FUNCTION metering.hold_month(timestamptz, boolean) IS 'Until the transaction ends: nobody moves the month''s readings between tiers (false, what writes readings), or nobody else writes or moves them (true)';

CREATE FUNCTION metering.live_partition(month timestamptz) RETURNS regclass LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT coalesce(to_regclass('metering.interval_blocks' || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM')), 'metering.interval_blocks_default'::regclass)
$$;
COMMENT ON FUNCTION metering.live_partition(timestamptz) IS 'Where the live blocks of a UTC month lie';

CREATE FUNCTION metering.remove_closed_blocks(channels bigint[], month timestamptz, OUT removed bigint, OUT versions bigint, OUT batches numeric)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('WITH gone AS (
        DELETE FROM %s b USING metering.closed_months m CROSS JOIN LATERAL metering.closed_days(m.day_sums, m.days, m.interval_s) AS d
        WHERE m.channel_id = ANY ($1) AND m.first_day_at >= $2 AND m.first_day_at < $2 + interval ''1 month''
          AND b.utility_id = m.utility_id AND b.channel_id = m.channel_id AND b.block_start = m.first_day_at + d.i * interval ''24 hours'' AND b.interval_s = m.interval_s
          AND (b.total, b.peak, b.n_valid) = (d.total, d.peak, d.n_valid)
        RETURNING b.version, b.batch_id)
        SELECT count(*), coalesce(sum(version), 0), coalesce(sum(batch_id), 0) FROM gone', metering.live_partition(month))
    INTO removed, versions, batches USING channels, date_trunc('month', month, 'UTC');
END
$$;
COMMENT ON FUNCTION metering.remove_closed_blocks(bigint[], timestamptz) IS
'Removes live blocks of a month whose days stand in closed_months with the same sum, peak and count; how many, and the sums of their versions and deliveries to compare with what was packed';

CREATE FUNCTION metering.remove_thawed(channels bigint[], month timestamptz) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    removed bigint;
BEGIN
    EXECUTE format('WITH gone AS (
        DELETE FROM metering.closed_months m
        WHERE m.channel_id = ANY ($1) AND m.first_day_at >= $2 AND m.first_day_at < $2 + interval ''1 month''
          AND NOT EXISTS (
            SELECT FROM metering.closed_days(m.day_sums, m.days, m.interval_s) AS d
            LEFT JOIN %s b ON b.channel_id = m.channel_id AND b.block_start = m.first_day_at + d.i * interval ''24 hours'' AND b.utility_id = m.utility_id
            WHERE (b.total, b.peak, b.n_valid) IS DISTINCT FROM (d.total, d.peak, d.n_valid))
        RETURNING 1)
        SELECT count(*) FROM gone', metering.live_partition(month))
    INTO removed USING channels, date_trunc('month', month, 'UTC');
    RETURN removed;
END
$$;
COMMENT ON FUNCTION metering.remove_thawed(bigint[], timestamptz) IS 'Removes rows of closed_months whose every day stands among the live blocks with the same sum, peak and count; how many';

CREATE FUNCTION metering.free_month(month timestamptz) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '2s' AS $$
DECLARE
    part     regclass := metering.live_partition(month);
    has_rows boolean;
BEGIN
    IF part = 'metering.interval_blocks_default'::regclass THEN
        RETURN 'default';
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part) INTO has_rows;
    IF has_rows THEN
        RETURN 'in use';
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', part);
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part) INTO has_rows;
    IF has_rows THEN
        RETURN 'in use';
    END IF;
    EXECUTE format('TRUNCATE %s', part);
    RETURN 'freed';
EXCEPTION WHEN lock_not_available THEN
    RETURN 'busy';
END
$$;
COMMENT ON FUNCTION metering.free_month(timestamptz) IS
'Gives back the disk of a month that has no live block left, of any utility: freed, in use (it has blocks), busy (somebody works on it) or default (it has no partition). '
'Call it once no transaction is left that began before the blocks were removed: one that reads an older snapshot would miss them';

CREATE FUNCTION metering.running_transactions() RETURNS TABLE (running text) LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT l.virtualtransaction FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.pid <> pg_backend_pid()
$$;
COMMENT ON FUNCTION metering.running_transactions() IS 'Transactions of others that run now, to wait for their end';

CREATE TABLE metering.archive_manifests (
    archive_manifest_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id          uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    month_start         date        NOT NULL,
    location            text        NOT NULL,
    sha256              bytea       NOT NULL CHECK (length(sha256) = 32),
    blocks              bigint      NOT NULL CHECK (blocks > 0),
    readings            bigint      NOT NULL CHECK (readings > 0),
    raw_sum             numeric     NOT NULL,
    file_bytes          bigint      NOT NULL CHECK (file_bytes > 0),
    layout              text        NOT NULL,
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
COMMENT ON COLUMN metering.archive_manifests.file_bytes IS 'Size of the file, bytes';
COMMENT ON COLUMN metering.archive_manifests.layout IS 'Name and version of the file''s columns';
COMMENT ON COLUMN metering.archive_manifests.written_at IS 'When it was written';
SELECT identity.protect('metering.archive_manifests', staff => 'SI', auditor => true, classification => 'internal', append_only => true);

CREATE POLICY read_by_functions ON metering.archive_manifests FOR SELECT TO mains_owner USING (utility_id = (SELECT identity.current_utility()));

CREATE TABLE metering.removed_months (
    utility_id  uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    month_start date        NOT NULL,
    sha256      bytea       NOT NULL CHECK (length(sha256) = 32),
    file        text        NOT NULL,
    removed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    restored_at timestamptz CHECK (restored_at >= removed_at),
    PRIMARY KEY (utility_id, month_start, sha256)
);
COMMENT ON TABLE metering.removed_months IS 'Months whose readings were taken out of the database into an archive, and when they came back: what is missing there is not lost';
COMMENT ON COLUMN metering.removed_months.utility_id IS 'The utility';
COMMENT ON COLUMN metering.removed_months.month_start IS 'First day of the month, UTC';
COMMENT ON COLUMN metering.removed_months.sha256 IS 'SHA-256 of the archive';
COMMENT ON COLUMN metering.removed_months.file IS 'Name of the archive''s file; archive_manifests has its place';
COMMENT ON COLUMN metering.removed_months.removed_at IS 'When its readings began to be removed';
COMMENT ON COLUMN metering.removed_months.restored_at IS 'When all of them were back; NULL: not yet';
SELECT identity.protect('metering.removed_months', staff => 'SIU', customer => 'true', auditor => true, classification => 'internal');
CREATE POLICY read_by_functions ON metering.removed_months FOR SELECT TO mains_owner USING (utility_id = (SELECT identity.current_utility()));

CREATE POLICY read_by_functions ON metering.interval_block_history FOR SELECT TO mains_owner USING (utility_id = (SELECT identity.current_utility()));
CREATE FUNCTION metering.put_under(
    month timestamptz, channels bigint[], starts bigint[], totals bigint[], peaks integer[], batches integer[], intervals integer[], offsets smallint[], valids smallint[], versions smallint[],
    qualities smallint[], widths smallint[], valses bytea[], quals bytea[]
) RETURNS TABLE (channel_id bigint, block_start bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY EXECUTE format('WITH older AS (
        SELECT a.channel_id, to_timestamp(a.at) AS block_start, a.total, a.peak, a.batch_id, a.interval_s, a.utc_offset_min, a.n_valid, a.quality, a.width, a.vals, a.qual,
               CASE WHEN h.newest >= a.version THEN h.newest + 1 ELSE a.version END::smallint AS version
        FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            AS a (channel_id, at, total, peak, batch_id, interval_s, utc_offset_min, n_valid, version, quality, width, vals, qual)
        CROSS JOIN LATERAL (SELECT max(o.version) AS newest, bool_or((o.batch_id, o.vals, o.quality, o.interval_s) = (a.batch_id, a.vals, a.quality, a.interval_s)
                                                                     AND o.qual IS NOT DISTINCT FROM a.qual) AS is_kept
                            FROM metering.interval_block_history o WHERE o.channel_id = a.channel_id AND o.block_start = to_timestamp(a.at)) AS h
        WHERE h.is_kept IS NOT TRUE
    ), lifted AS (
        UPDATE %s b SET version = o.version + 1
        FROM older o
        WHERE b.channel_id = o.channel_id AND b.block_start = o.block_start AND b.interval_s = o.interval_s AND b.utility_id = identity.current_utility()
          AND b.block_start >= $1 AND b.block_start < $1 + interval ''1 month''
        RETURNING b.channel_id, b.block_start, b.batch_id
    ), kept AS (
        INSERT INTO metering.interval_block_history
            (channel_id, block_start, version, utility_id, total, peak, batch_id, interval_s, utc_offset_min, n_valid, quality, width, vals, qual, replaced_by, actor, reason)
        SELECT o.channel_id, o.block_start, o.version, identity.current_utility(), o.total, o.peak, o.batch_id, o.interval_s, o.utc_offset_min, o.n_valid, o.quality, o.width, o.vals, o.qual,
               l.batch_id, coalesce(nullif(current_setting(''app.actor'', true), ''''), session_user), ''restored from an archive''
        FROM older o JOIN lifted l ON l.channel_id = o.channel_id AND l.block_start = o.block_start
        RETURNING channel_id, block_start)
        SELECT channel_id, extract(epoch FROM block_start)::bigint FROM kept', metering.live_partition(month))
    USING date_trunc('month', month, 'UTC'), channels, starts, totals, peaks, batches, intervals, offsets, valids, versions, qualities, widths, valses, quals;
END
$$;
COMMENT ON FUNCTION metering.put_under(timestamptz, bigint[], bigint[], bigint[], integer[], integer[], integer[], smallint[], smallint[], smallint[], smallint[], smallint[], bytea[], bytea[]) IS
'Keeps archived blocks in the history as the versions before the live blocks of the same days, which stay as they are but for their number; those that the history has already are left. Which were kept: channel and start, epoch seconds';
GRANT EXECUTE ON FUNCTION metering.put_under(timestamptz, bigint[], bigint[], bigint[], integer[], integer[], integer[], smallint[], smallint[], smallint[], smallint[], smallint[], bytea[], bytea[])
    TO mains_staff;

CREATE FUNCTION metering.remove_archived(channels bigint[], month timestamptz, archived_as bytea) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    removed bigint;
BEGIN
    PERFORM FROM metering.archive_manifests a WHERE a.sha256 = archived_as AND a.month_start = (month AT TIME ZONE 'UTC')::date;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no archive of % has this hash', to_char(month AT TIME ZONE 'UTC', 'YYYY-MM') USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    DELETE FROM metering.closed_months m
    WHERE m.channel_id = ANY (channels) AND m.first_day_at >= date_trunc('month', month, 'UTC') AND m.first_day_at < date_trunc('month', month, 'UTC') + interval '1 month';
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION metering.remove_archived(bigint[], timestamptz, bytea) IS 'Removes closed rows of a month of which an archive with this SHA-256 was recorded; how many. The application compares file and rows first';
GRANT EXECUTE ON FUNCTION metering.hold_month(timestamptz, boolean), metering.live_partition(timestamptz), metering.remove_closed_blocks(bigint[], timestamptz),
    metering.remove_thawed(bigint[], timestamptz), metering.free_month(timestamptz), metering.running_transactions(), metering.remove_archived(bigint[], timestamptz, bytea) TO mains_staff;
