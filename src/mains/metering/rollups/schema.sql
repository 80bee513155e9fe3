-- Sums over time and place that every path that stores keeps current. A path posts what it added in the transaction that stores it; the postings are folded into the sums when that
-- transaction commits, under the lock of the utility's row of rollup_places: nobody ever waits for anything else while holding it.
CREATE TABLE metering.rollup_places (
    utility_id     uuid   PRIMARY KEY DEFAULT identity.current_utility() REFERENCES network.utilities,
    places_version bigint NOT NULL DEFAULT 1 CHECK (places_version > 0)
);
COMMENT ON TABLE metering.rollup_places IS 'Counts the changes of where meters hang, of zones and of what channels measure, a row a utility; the lock under which sums change';
COMMENT ON COLUMN metering.rollup_places.utility_id IS 'The utility';
COMMENT ON COLUMN metering.rollup_places.places_version IS 'Grows with each change that moves readings from one sum to another';
SELECT identity.protect('metering.rollup_places', staff => 'SIU', audited => false);
CREATE POLICY kept_by_functions ON metering.rollup_places TO mains_owner USING (true) WITH CHECK (true);

CREATE TABLE metering.rollups_stale (
    rollup_stale_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    from_date       date        NOT NULL,
    to_date         date        NOT NULL CHECK (to_date >= from_date),
    because         text        NOT NULL,
    noted_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX rollups_stale_of_utility ON metering.rollups_stale (utility_id, from_date);
COMMENT ON TABLE metering.rollups_stale IS 'Days whose sums by zone are to be made anew from the readings, because places changed behind readings that are stored';
COMMENT ON COLUMN metering.rollups_stale.rollup_stale_id IS 'Key';
COMMENT ON COLUMN metering.rollups_stale.utility_id IS 'The utility';
COMMENT ON COLUMN metering.rollups_stale.from_date IS 'First day, UTC';
COMMENT ON COLUMN metering.rollups_stale.to_date IS 'Last day, UTC';
COMMENT ON COLUMN metering.rollups_stale.because IS 'What changed';
COMMENT ON COLUMN metering.rollups_stale.noted_at IS 'When it was noted';
SELECT identity.protect('metering.rollups_stale', staff => 'SID', audited => false);
CREATE POLICY kept_by_functions ON metering.rollups_stale TO mains_owner USING (true) WITH CHECK (true);

CREATE TABLE metering.rollup_days (
    utility_id uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    utc_date   date      NOT NULL,
    zone_id    uuid      NOT NULL,
    commodity  text      NOT NULL CHECK (commodity IN ('electric', 'gas', 'water')),
    flow       text      NOT NULL CHECK (flow IN ('delivered', 'received', 'net', 'total')),
    unit       text      NOT NULL CHECK (unit IN ('Wh', 'L')),
    width_s    integer   NOT NULL CHECK (width_s IN (900, 3600, 86400)),
    step       numeric   NOT NULL CHECK (step > 0),
    totals     bigint[]  NOT NULL,
    readings   integer[] NOT NULL,
    estimated  integer[] NOT NULL,
    CONSTRAINT rollup_days_pkey PRIMARY KEY (utility_id, utc_date, zone_id, commodity, flow, unit, width_s, step) WITH (fillfactor = 80),
    CONSTRAINT a_day_has_its_buckets CHECK (cardinality(totals) = CASE width_s WHEN 900 THEN 96 ELSE 24 END AND cardinality(readings) = cardinality(totals) AND cardinality(estimated) = cardinality(totals))
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE metering.rollup_days IS 'Sums of readings by zone and UTC day, exact; see the views rollups, zone_days, zone_months and the function zone_curve';
COMMENT ON COLUMN metering.rollup_days.utility_id IS 'The utility';
COMMENT ON COLUMN metering.rollup_days.utc_date IS 'The day, UTC';
COMMENT ON COLUMN metering.rollup_days.zone_id IS 'Zone of the service point where the meter hung when the interval started; all zeros where it hung nowhere or the point has no zone';
COMMENT ON COLUMN metering.rollup_days.commodity IS 'electric, gas or water';
COMMENT ON COLUMN metering.rollup_days.flow IS 'delivered, received, net or total';
COMMENT ON COLUMN metering.rollup_days.unit IS 'Wh (energy and heat) or L (volumes); demand and reactive energy have no sum';
COMMENT ON COLUMN metering.rollup_days.width_s IS 'Which channels: 900 those whose intervals divide a quarter of an hour, 3600 those whose divide an hour, 86400 the others; each reading is in one of the three';
COMMENT ON COLUMN metering.rollup_days.step IS 'Units that one raw step is; channels of one step are summed together, so sums stay whole numbers';
COMMENT ON COLUMN metering.rollup_days.totals IS 'Sum of raw values by the bucket in which the interval starts: 96 of 900 s where width_s is 900, else 24 of 3600 s';
COMMENT ON COLUMN metering.rollup_days.readings IS 'Readings with a value, by bucket';
COMMENT ON COLUMN metering.rollup_days.estimated IS 'Readings that were estimated or substituted, by bucket';
SELECT identity.protect('metering.rollup_days', staff => 'SIUD', audited => false);
CREATE POLICY kept_by_functions ON metering.rollup_days TO mains_owner USING (true) WITH CHECK (true);

-- What a transaction adds, until it commits -----------------------------------------------------------------------------------------------------------------------
CREATE TABLE metering.rollup_posted (
    posting_id uuid      NOT NULL,
    utility_id uuid      NOT NULL DEFAULT identity.current_utility(),
    utc_date   date      NOT NULL,
    zone_id    uuid      NOT NULL,
    commodity  text      NOT NULL,
    flow       text      NOT NULL,
    unit       text      NOT NULL,
    width_s    integer   NOT NULL,
    step       numeric   NOT NULL,
    totals     bigint[]  NOT NULL,
    readings   integer[] NOT NULL,
    estimated  integer[] NOT NULL,
    PRIMARY KEY (posting_id, utc_date, zone_id, commodity, flow, unit, width_s, step)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE metering.rollup_posted IS 'What a transaction adds to the sums, until it commits: outside of transactions it is empty';
COMMENT ON COLUMN metering.rollup_posted.posting_id IS 'The posting';
COMMENT ON COLUMN metering.rollup_posted.utility_id IS 'The utility';
COMMENT ON COLUMN metering.rollup_posted.utc_date IS 'As in rollup_days';
COMMENT ON COLUMN metering.rollup_posted.zone_id IS 'As in rollup_days';
COMMENT ON COLUMN metering.rollup_posted.commodity IS 'As in rollup_days';
COMMENT ON COLUMN metering.rollup_posted.flow IS 'As in rollup_days';
COMMENT ON COLUMN metering.rollup_posted.unit IS 'As in rollup_days';
COMMENT ON COLUMN metering.rollup_posted.width_s IS 'As in rollup_days';
COMMENT ON COLUMN metering.rollup_posted.step IS 'As in rollup_days';
COMMENT ON COLUMN metering.rollup_posted.totals IS 'What is added to totals, raw';
COMMENT ON COLUMN metering.rollup_posted.readings IS 'What is added to readings';
COMMENT ON COLUMN metering.rollup_posted.estimated IS 'What is added to estimated';
SELECT identity.protect('metering.rollup_posted', staff => 'I', audited => false);
CREATE POLICY kept_by_functions ON metering.rollup_posted TO mains_owner USING (true) WITH CHECK (true);
GRANT INSERT ON metering.rollup_posted TO mains_ingest;

CREATE TABLE metering.rollup_postings (
    posting_id     uuid   PRIMARY KEY,
    utility_id     uuid   NOT NULL DEFAULT identity.current_utility(),
    places_version bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE metering.rollup_postings IS 'Postings that wait for their transaction to commit, when their rows are folded into the sums';
COMMENT ON COLUMN metering.rollup_postings.posting_id IS 'Key, made by the application';
COMMENT ON COLUMN metering.rollup_postings.utility_id IS 'The utility';
COMMENT ON COLUMN metering.rollup_postings.places_version IS 'State of the places by which the readings were told apart; if they changed since, the days are made anew';
SELECT identity.protect('metering.rollup_postings', staff => 'I', audited => false);
CREATE POLICY kept_by_functions ON metering.rollup_postings TO mains_owner USING (true) WITH CHECK (true);
GRANT INSERT ON metering.rollup_postings TO mains_ingest;

CREATE FUNCTION metering.added(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT array_agg(u.x + u.y) FROM unnest(a, b) AS u (x, y) $$;
COMMENT ON FUNCTION metering.added(bigint[], bigint[]) IS 'Two arrays of one length added element by element';
CREATE FUNCTION metering.added(a integer[], b integer[]) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT array_agg(u.x + u.y) FROM unnest(a, b) AS u (x, y) $$;
COMMENT ON FUNCTION metering.added(integer[], integer[]) IS 'Two arrays of one length added element by element';

CREATE FUNCTION metering.fold_posting() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    current_version bigint;
BEGIN
    INSERT INTO metering.rollup_places (utility_id) VALUES (NEW.utility_id) ON CONFLICT (utility_id) DO NOTHING;
    SELECT p.places_version INTO current_version FROM metering.rollup_places p WHERE p.utility_id = NEW.utility_id FOR UPDATE;
    IF current_version <> NEW.places_version THEN
        INSERT INTO metering.rollups_stale (utility_id, from_date, to_date, because)
        SELECT NEW.utility_id, min(r.utc_date), max(r.utc_date), 'places changed while readings were being stored' FROM metering.rollup_posted r
        WHERE r.posting_id = NEW.posting_id HAVING count(*) > 0;
    END IF;
    INSERT INTO metering.rollup_days AS d (utility_id, utc_date, zone_id, commodity, flow, unit, width_s, step, totals, readings, estimated)
    SELECT r.utility_id, r.utc_date, r.zone_id, r.commodity, r.flow, r.unit, r.width_s, r.step, r.totals, r.readings, r.estimated
    FROM metering.rollup_posted r WHERE r.posting_id = NEW.posting_id AND r.utility_id = NEW.utility_id
    ON CONFLICT ON CONSTRAINT rollup_days_pkey DO UPDATE
    SET totals = metering.added(d.totals, excluded.totals), readings = metering.added(d.readings, excluded.readings), estimated = metering.added(d.estimated, excluded.estimated);
    DELETE FROM metering.rollup_posted r WHERE r.posting_id = NEW.posting_id;
    DELETE FROM metering.rollup_postings p WHERE p.posting_id = NEW.posting_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION metering.fold_posting() IS 'Folds a posting into the sums when its transaction commits, one transaction of a utility after the other';
CREATE CONSTRAINT TRIGGER fold_posting AFTER INSERT ON metering.rollup_postings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION metering.fold_posting();

-- Places that change behind readings ------------------------------------------------------------------------------------------------------------------------------
CREATE FUNCTION metering.note_places(utilities uuid[], meters uuid[], stretches tstzmultirange[], why text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO metering.rollup_places (utility_id) SELECT DISTINCT u.utility_id FROM unnest(utilities) AS u (utility_id) ORDER BY 1
    ON CONFLICT (utility_id) DO UPDATE SET places_version = rollup_places.places_version + 1;
    INSERT INTO metering.rollups_stale (utility_id, from_date, to_date, because)
    SELECT stored.utility_id, (stored.first_at AT TIME ZONE 'UTC')::date, ((stored.last_at + interval '24 hours') AT TIME ZONE 'UTC')::date, why
    FROM (
        SELECT changed.utility_id, min(s.first_at) AS first_at, max(s.last_at) AS last_at
        FROM unnest(utilities, meters, stretches) AS changed (utility_id, meter_id, stretch)
        CROSS JOIN LATERAL unnest(changed.stretch) AS part
        JOIN metering.channels c ON c.meter_id = changed.meter_id AND c.interval_s IS NOT NULL
        CROSS JOIN LATERAL (
            SELECT min(b.block_start), max(b.block_start) FROM metering.interval_blocks b
            WHERE b.channel_id = c.channel_id AND b.block_start > coalesce(lower(part), '-infinity') - interval '24 hours' AND b.block_start < coalesce(upper(part), 'infinity')
            UNION ALL
            SELECT min(m.first_day_at), max(m.first_day_at + m.days * interval '24 hours') FROM metering.closed_months m
            WHERE m.channel_id = c.channel_id AND m.first_day_at > coalesce(lower(part), '-infinity') - interval '31 days' AND m.first_day_at < coalesce(upper(part), 'infinity')
        ) AS s (first_at, last_at)
        GROUP BY changed.utility_id
    ) AS stored
    WHERE stored.first_at IS NOT NULL;
END
$$;
COMMENT ON FUNCTION metering.note_places(uuid[], uuid[], tstzmultirange[], text) IS 'Notes that meters hang elsewhere in some stretches of time: what is being stored must look again, and days that are stored are to be summed anew';

CREATE FUNCTION metering.note_installations() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    utilities uuid[];
    meters    uuid[];
    stretches tstzmultirange[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(n.utility_id), array_agg(n.meter_id), array_agg(tstzmultirange(n.installed_period)) INTO utilities, meters, stretches FROM new_rows n;
    ELSE
        SELECT array_agg(x.utility_id), array_agg(x.meter_id), array_agg(x.stretch) INTO utilities, meters, stretches
        FROM (
            SELECT n.utility_id, n.meter_id, CASE WHEN (o.meter_id, o.service_point_id) = (n.meter_id, n.service_point_id)
                THEN (tstzmultirange(o.installed_period) - tstzmultirange(n.installed_period)) + (tstzmultirange(n.installed_period) - tstzmultirange(o.installed_period))
                ELSE tstzmultirange(n.installed_period) END AS stretch
            FROM new_rows n JOIN old_rows o ON o.meter_installation_id = n.meter_installation_id
            UNION ALL
            SELECT o.utility_id, o.meter_id, tstzmultirange(o.installed_period)
            FROM new_rows n JOIN old_rows o ON o.meter_installation_id = n.meter_installation_id WHERE (o.meter_id, o.service_point_id) <> (n.meter_id, n.service_point_id)
        ) AS x
        WHERE NOT isempty(x.stretch);
    END IF;
    IF meters IS NOT NULL THEN
        PERFORM metering.note_places(utilities, meters, stretches, 'meters were installed, moved or removed');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION metering.note_installations() IS 'Tells the sums that meters hang elsewhere';
CREATE TRIGGER tell_rollups_insert AFTER INSERT ON devices.meter_installations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION metering.note_installations();
CREATE TRIGGER tell_rollups_update AFTER UPDATE ON devices.meter_installations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION metering.note_installations();

CREATE FUNCTION metering.note_zones() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    utilities uuid[];
    meters    uuid[];
    stretches tstzmultirange[];
BEGIN
    SELECT array_agg(i.utility_id), array_agg(i.meter_id), array_agg(tstzmultirange(i.installed_period)) INTO utilities, meters, stretches
    FROM new_rows n JOIN old_rows o ON o.service_point_id = n.service_point_id JOIN devices.meter_installations i ON i.service_point_id = n.service_point_id
    WHERE o.service_zone_id IS DISTINCT FROM n.service_zone_id;
    IF meters IS NOT NULL THEN
        PERFORM metering.note_places(utilities, meters, stretches, 'service points came into another zone');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION metering.note_zones() IS 'Tells the sums that service points lie in another zone';
CREATE TRIGGER tell_rollups_update AFTER UPDATE ON customers.service_points REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION metering.note_zones();

CREATE FUNCTION metering.note_steps() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    utilities uuid[];
    meters    uuid[];
    stretches tstzmultirange[];
BEGIN
    SELECT array_agg(n.utility_id), array_agg(n.meter_id), array_agg('{(,)}'::tstzmultirange) INTO utilities, meters, stretches
    FROM new_rows n JOIN old_rows o ON o.channel_id = n.channel_id
    WHERE (o.meter_id, o.commodity, o.flow, o.unit, o.pow10, o.multiplier) IS DISTINCT FROM (n.meter_id, n.commodity, n.flow, n.unit, n.pow10, n.multiplier);
    IF meters IS NOT NULL THEN
        PERFORM metering.note_places(utilities, meters, stretches, 'channels came to measure something else');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION metering.note_steps() IS 'Tells the sums that channels measure something else';
CREATE TRIGGER tell_rollups_update AFTER UPDATE ON metering.channels REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION metering.note_steps();

-- For people --------------------------------------------------------------------------------------------------------------------------------------------------------
CREATE VIEW metering.rollups WITH (security_invoker = true) AS
SELECT d.utility_id, d.utc_date, d.zone_id, d.commodity, d.flow, d.unit, w.width_s,
       (d.utc_date::timestamp AT TIME ZONE 'UTC') + make_interval(secs => w.width_s * ((b.i - 1) / (cardinality(d.totals) * w.width_s / 86400))) AS bucket_start,
       sum(b.total * d.step) AS total, sum(b.readings)::bigint AS readings, sum(b.estimated)::bigint AS estimated
FROM metering.rollup_days d
JOIN (VALUES (900), (3600)) AS w (width_s) ON d.width_s <= w.width_s
CROSS JOIN LATERAL unnest(d.totals, d.readings, d.estimated) WITH ORDINALITY AS b (total, readings, estimated, i)
GROUP BY d.utility_id, d.utc_date, d.zone_id, d.commodity, d.flow, d.unit, w.width_s, bucket_start;
COMMENT ON VIEW metering.rollups IS 'Sums by zone over quarters of an hour and hours, a row a bucket; name utc_date to be quick, or ask through zone_curve()';
COMMENT ON COLUMN metering.rollups.utility_id IS 'The utility';
COMMENT ON COLUMN metering.rollups.utc_date IS 'Day of the bucket, UTC';
COMMENT ON COLUMN metering.rollups.zone_id IS 'The zone; all zeros for meters that hung nowhere, or where no zone is known';
COMMENT ON COLUMN metering.rollups.commodity IS 'electric, gas or water';
COMMENT ON COLUMN metering.rollups.flow IS 'delivered, received, net or total';
COMMENT ON COLUMN metering.rollups.unit IS 'Wh or L';
COMMENT ON COLUMN metering.rollups.width_s IS 'Length of the bucket, s; channels of longer intervals are only in the longer one, those of more than an hour in neither';
COMMENT ON COLUMN metering.rollups.bucket_start IS 'Start of the bucket';
COMMENT ON COLUMN metering.rollups.total IS 'Sum of the readings whose interval starts in the bucket, in unit';
COMMENT ON COLUMN metering.rollups.readings IS 'Readings in it';
COMMENT ON COLUMN metering.rollups.estimated IS 'Readings in it that were estimated or substituted';

CREATE FUNCTION metering.zone_sums(of_zone uuid, from_at timestamptz, to_at timestamptz)
RETURNS TABLE (zone_id uuid, commodity text, flow text, unit text, width_s integer, starts_at timestamptz, total numeric, readings integer, estimated integer) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT d.zone_id, d.commodity, d.flow, d.unit, d.width_s, b.starts_at, b.total * d.step, b.readings, b.estimated
    FROM metering.rollup_days d
    CROSS JOIN LATERAL (
        SELECT (d.utc_date::timestamp AT TIME ZONE 'UTC') + make_interval(secs => (86400 / cardinality(d.totals)) * (u.i - 1)) AS starts_at, u.total, u.readings, u.estimated
        FROM unnest(d.totals, d.readings, d.estimated) WITH ORDINALITY AS u (total, readings, estimated, i)
    ) AS b
    WHERE d.utility_id = (SELECT identity.current_utility()) AND (of_zone IS NULL OR d.zone_id = of_zone)
      AND d.utc_date >= (from_at AT TIME ZONE 'UTC')::date AND d.utc_date <= (to_at AT TIME ZONE 'UTC')::date AND b.starts_at >= from_at AND b.starts_at < to_at
$$;
COMMENT ON FUNCTION metering.zone_sums(uuid, timestamptz, timestamptz) IS 'Sums of one zone (NULL: of all) in [from, to), each reading once: by quarters of an hour where width_s is 900, else by hours';

CREATE FUNCTION metering.zone_curve(of_zone uuid, from_at timestamptz, to_at timestamptz, width interval)
RETURNS TABLE (commodity text, flow text, unit text, starts_at timestamptz, total numeric, readings bigint, estimated bigint) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT s.commodity, s.flow, s.unit, cut.starts_at, sum(s.total), sum(s.readings)::bigint, sum(s.estimated)::bigint
    FROM metering.zone_sums(of_zone, from_at, to_at) AS s
    CROSS JOIN (SELECT extract(epoch FROM width)::integer AS width_s) AS w
    CROSS JOIN LATERAL (
        SELECT CASE WHEN width IN ('1 day', '1 month') THEN date_trunc(CASE WHEN width = '1 day' THEN 'day' ELSE 'month' END, s.starts_at, (SELECT u.timezone FROM network.utilities u WHERE u.utility_id = identity.current_utility()))
            ELSE date_bin(width, s.starts_at, '2000-01-01 00:00+00') END AS starts_at
    ) AS cut
    WHERE s.width_s <= w.width_s
    GROUP BY s.commodity, s.flow, s.unit, cut.starts_at
    ORDER BY s.commodity, s.flow, s.unit, cut.starts_at
$$;
COMMENT ON FUNCTION metering.zone_curve(uuid, timestamptz, timestamptz, interval) IS
'Curve of one zone (NULL: of the whole utility) in [from, to) by buckets of 15 minutes, an hour, several of them, or by local days or months (width 1 day, 1 month); only channels whose intervals are no longer than the bucket';

CREATE VIEW metering.zone_days WITH (security_invoker = true) AS
SELECT d.utility_id, d.zone_id, d.commodity, d.flow, d.unit, (b.starts_at AT TIME ZONE u.timezone)::date AS local_date, sum(b.total * d.step) AS total, sum(b.readings)::bigint AS readings,
       sum(b.estimated)::bigint AS estimated
FROM metering.rollup_days d
JOIN network.utilities u ON u.utility_id = d.utility_id
CROSS JOIN LATERAL (
    SELECT (d.utc_date::timestamp AT TIME ZONE 'UTC') + make_interval(secs => (86400 / cardinality(d.totals)) * (t.i - 1)) AS starts_at, t.total, t.readings, t.estimated
    FROM unnest(d.totals, d.readings, d.estimated) WITH ORDINALITY AS t (total, readings, estimated, i)
) AS b
GROUP BY d.utility_id, d.zone_id, d.commodity, d.flow, d.unit, local_date;
COMMENT ON VIEW metering.zone_days IS 'Sums by zone and day in the zone of the utility''s clock';
COMMENT ON COLUMN metering.zone_days.utility_id IS 'The utility';
COMMENT ON COLUMN metering.zone_days.zone_id IS 'The zone; all zeros for meters that hung nowhere, or where no zone is known';
COMMENT ON COLUMN metering.zone_days.commodity IS 'electric, gas or water';
COMMENT ON COLUMN metering.zone_days.flow IS 'delivered, received, net or total';
COMMENT ON COLUMN metering.zone_days.unit IS 'Wh or L';
COMMENT ON COLUMN metering.zone_days.local_date IS 'The day, by the utility''s clock';
COMMENT ON COLUMN metering.zone_days.total IS 'Sum of the readings whose interval starts in the day, in unit';
COMMENT ON COLUMN metering.zone_days.readings IS 'Readings in it';
COMMENT ON COLUMN metering.zone_days.estimated IS 'Readings in it that were estimated or substituted';

CREATE VIEW metering.zone_months WITH (security_invoker = true) AS
SELECT z.utility_id, z.zone_id, z.commodity, z.flow, z.unit, date_trunc('month', z.local_date)::date AS month_start, sum(z.total) AS total, sum(z.readings)::bigint AS readings,
       sum(z.estimated)::bigint AS estimated
FROM metering.zone_days z
GROUP BY z.utility_id, z.zone_id, z.commodity, z.flow, z.unit, date_trunc('month', z.local_date);
COMMENT ON VIEW metering.zone_months IS 'Sums by zone and month by the utility''s clock';
COMMENT ON COLUMN metering.zone_months.utility_id IS 'The utility';
COMMENT ON COLUMN metering.zone_months.zone_id IS 'The zone; all zeros for meters that hung nowhere, or where no zone is known';
COMMENT ON COLUMN metering.zone_months.commodity IS 'electric, gas or water';
COMMENT ON COLUMN metering.zone_months.flow IS 'delivered, received, net or total';
COMMENT ON COLUMN metering.zone_months.unit IS 'Wh or L';
COMMENT ON COLUMN metering.zone_months.month_start IS 'First day of the month, by the utility''s clock';
COMMENT ON COLUMN metering.zone_months.total IS 'Sum of the readings whose interval starts in the month, in unit';
COMMENT ON COLUMN metering.zone_months.readings IS 'Readings in it';
COMMENT ON COLUMN metering.zone_months.estimated IS 'Readings in it that were estimated or substituted';
GRANT SELECT ON metering.rollups, metering.zone_days, metering.zone_months TO mains_staff;
GRANT EXECUTE ON FUNCTION metering.added(bigint[], bigint[]), metering.added(integer[], integer[]), metering.note_places(uuid[], uuid[], tstzmultirange[], text), metering.zone_sums(uuid, timestamptz, timestamptz),
    metering.zone_curve(uuid, timestamptz, timestamptz, interval) TO mains_staff;
