-- What the meters measured: channels, blocks of intervals, register reads, where each came from, and what was refused.
CREATE SCHEMA metering;
COMMENT ON SCHEMA metering IS 'Channels, interval blocks, register reads, deliveries, quarantine, validation and estimation';
GRANT USAGE ON SCHEMA metering TO mains_any, mains_ingest;

CREATE TABLE metering.ingest_batches (
    batch_id             integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    utility_id           uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    source               text        NOT NULL,
    format               text        NOT NULL,
    sha256               bytea       NOT NULL CHECK (length(sha256) = 32),
    received_at          timestamptz NOT NULL,
    finished_at          timestamptz,
    validated_at         timestamptz,
    actor                text        NOT NULL DEFAULT current_setting('app.actor', true),
    readings_found       bigint      NOT NULL DEFAULT 0 CHECK (readings_found >= 0),
    readings_accepted    bigint      NOT NULL DEFAULT 0 CHECK (readings_accepted >= 0),
    readings_quarantined bigint      NOT NULL DEFAULT 0 CHECK (readings_quarantined >= 0),
    readings_new         bigint      NOT NULL DEFAULT 0 CHECK (readings_new >= 0),
    readings_changed     bigint      NOT NULL DEFAULT 0 CHECK (readings_changed >= 0),
    raw_sum              numeric     NOT NULL DEFAULT 0,
    read_as              text        NOT NULL DEFAULT '',
    readings_from_at        timestamptz,
    readings_to_at          timestamptz CHECK (readings_to_at > readings_from_at),
    CONSTRAINT nothing_is_lost CHECK (readings_accepted + readings_quarantined = readings_found)
);
CREATE INDEX ingest_batches_by_time ON metering.ingest_batches (utility_id, received_at DESC);
CREATE INDEX ingest_batches_by_content ON metering.ingest_batches (utility_id, sha256) WHERE finished_at IS NOT NULL AND readings_quarantined = 0 AND readings_found > 0;
CREATE INDEX ingest_batches_not_validated ON metering.ingest_batches (utility_id, batch_id) WHERE validated_at IS NULL;
COMMENT ON TABLE metering.ingest_batches IS 'Deliveries of readings: one a file or message; the audit of readings';
COMMENT ON COLUMN metering.ingest_batches.batch_id IS 'Number of the delivery; blocks and reads carry it';
COMMENT ON COLUMN metering.ingest_batches.utility_id IS 'The utility';
COMMENT ON COLUMN metering.ingest_batches.source IS 'File name, or name of the sending system';
COMMENT ON COLUMN metering.ingest_batches.format IS 'green-button, nem12, csv-long, csv-wide, arrays …';
COMMENT ON COLUMN metering.ingest_batches.sha256 IS 'SHA-256 of what was delivered';
COMMENT ON COLUMN metering.ingest_batches.received_at IS 'When it arrived';
COMMENT ON COLUMN metering.ingest_batches.finished_at IS 'When all of it was stored; NULL where the import was interrupted and nothing of it is stored';
COMMENT ON COLUMN metering.ingest_batches.validated_at IS 'When the rules had judged all its readings; NULL: not yet. Readings of a validated delivery that are actual or raw and under no open failure are valid';
COMMENT ON COLUMN metering.ingest_batches.actor IS 'Who or what delivered it';
COMMENT ON COLUMN metering.ingest_batches.readings_found IS 'Readings in the delivery';
COMMENT ON COLUMN metering.ingest_batches.readings_accepted IS 'Readings stored or already there';
COMMENT ON COLUMN metering.ingest_batches.readings_quarantined IS 'Readings refused, with reasons in quarantine; found = accepted + quarantined';
COMMENT ON COLUMN metering.ingest_batches.readings_new IS 'Readings for intervals that had none';
COMMENT ON COLUMN metering.ingest_batches.readings_changed IS 'Readings that replaced another value or quality';
COMMENT ON COLUMN metering.ingest_batches.readings_from_at IS 'Start of the first standard-time day that its intervals lie in; NULL where it had none';
COMMENT ON COLUMN metering.ingest_batches.readings_to_at IS 'End of the last such day; received_at minus this is how late it came';
COMMENT ON COLUMN metering.ingest_batches.read_as IS 'What the importer was told of how to read the file (zone, format, map); the same file read another way is another delivery';
COMMENT ON COLUMN metering.ingest_batches.raw_sum IS 'Sum of the accepted raw values, to check against';
SELECT identity.protect('metering.ingest_batches', staff => 'SIU', auditor => true, audited => false);

CREATE TABLE metering.quarantine (
    quarantine_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    utility_id    uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    batch_id      integer     NOT NULL REFERENCES metering.ingest_batches,
    file          text        NOT NULL,
    line          integer     CHECK (line > 0),
    field         text,
    code          text        NOT NULL,
    message       text        NOT NULL,
    cure          text        NOT NULL,
    severity      text        NOT NULL DEFAULT 'error' CHECK (severity IN ('error', 'warning', 'info')),
    readings      bigint      NOT NULL DEFAULT 0 CHECK (readings >= 0),
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at   timestamptz,
    resolved_by   text
);
CREATE INDEX quarantine_of_batch ON metering.quarantine (batch_id);
COMMENT ON TABLE metering.quarantine IS 'What was refused of a delivery, where, why, and what cures it';
COMMENT ON COLUMN metering.quarantine.quarantine_id IS 'Key';
COMMENT ON COLUMN metering.quarantine.utility_id IS 'The utility';
COMMENT ON COLUMN metering.quarantine.batch_id IS 'The delivery';
COMMENT ON COLUMN metering.quarantine.file IS 'File, with the member''s name where it is an archive';
COMMENT ON COLUMN metering.quarantine.line IS 'Line in the file, from 1';
COMMENT ON COLUMN metering.quarantine.field IS 'Field or element';
COMMENT ON COLUMN metering.quarantine.code IS 'Kind of problem, kebab case';
COMMENT ON COLUMN metering.quarantine.message IS 'What is the case';
COMMENT ON COLUMN metering.quarantine.cure IS 'What to do about it';
COMMENT ON COLUMN metering.quarantine.severity IS 'error, warning or info';
COMMENT ON COLUMN metering.quarantine.readings IS 'Readings it took out';
COMMENT ON COLUMN metering.quarantine.created_at IS 'When it was refused';
COMMENT ON COLUMN metering.quarantine.resolved_at IS 'When somebody dealt with it';
COMMENT ON COLUMN metering.quarantine.resolved_by IS 'Who dealt with it';
SELECT identity.protect('metering.quarantine', staff => 'SIU', auditor => true, audited => false);

CREATE TABLE metering.channels (
    channel_id     bigint   GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    utility_id     uuid     NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    meter_id       uuid     NOT NULL REFERENCES devices.meters,
    register       text     NOT NULL CHECK (length(register) BETWEEN 1 AND 200),
    commodity      text     NOT NULL CHECK (commodity IN ('electric', 'gas', 'water')),
    quantity       text     NOT NULL CHECK (quantity IN ('energy', 'power', 'reactive_energy', 'apparent_energy', 'apparent_power', 'volume', 'heat', 'other')),
    flow           text     NOT NULL DEFAULT 'delivered' CHECK (flow IN ('delivered', 'received', 'net', 'total')),
    unit           text     NOT NULL,
    pow10          smallint NOT NULL DEFAULT 0 CHECK (pow10 BETWEEN -12 AND 12),
    multiplier     numeric  NOT NULL DEFAULT 1 CHECK (multiplier > 0),
    kwh_factor     numeric  CHECK (kwh_factor > 0),
    interval_s     integer  CHECK (interval_s BETWEEN 1 AND 86400 AND 86400 % interval_s = 0),
    utc_offset_min smallint NOT NULL CHECK (utc_offset_min BETWEEN -720 AND 840),
    in_service     tstzrange NOT NULL DEFAULT '(,)' CHECK (NOT isempty(in_service) AND (lower_inf(in_service) OR lower_inc(in_service)) AND NOT upper_inc(in_service)),
    opened_because text     CHECK (length(opened_because) BETWEEN 1 AND 2000),
    CONSTRAINT one_channel_at_a_time EXCLUDE USING gist (meter_id WITH =, register WITH =, in_service WITH &&)
);
CREATE INDEX channels_of_meter ON metering.channels (meter_id, register);
COMMENT ON TABLE metering.channels IS 'One measured quantity of one meter (a ReadingType of IEC 61968-9 and ESPI); a change of multiplier, unit, interval or zone closes one and opens the next';
COMMENT ON COLUMN metering.channels.channel_id IS 'Key; the distribution key of readings';
COMMENT ON COLUMN metering.channels.utility_id IS 'The utility';
COMMENT ON COLUMN metering.channels.meter_id IS 'The meter';
COMMENT ON COLUMN metering.channels.register IS 'Name of the register in files (NEM12 suffix, ESPI reading type, dial)';
COMMENT ON COLUMN metering.channels.commodity IS 'electric, gas or water';
COMMENT ON COLUMN metering.channels.quantity IS 'energy, power, reactive_energy, apparent_energy, apparent_power, volume, heat or other';
COMMENT ON COLUMN metering.channels.flow IS 'delivered to the customer, received from the customer, net of both, or total';
COMMENT ON COLUMN metering.channels.unit IS 'Unit of the value: Wh, varh, m3, ccf, gal, therm …';
COMMENT ON COLUMN metering.channels.pow10 IS 'Value in units = raw x 10^pow10 x multiplier';
COMMENT ON COLUMN metering.channels.multiplier IS 'Transformer ratio or dial multiplier, exact';
COMMENT ON COLUMN metering.channels.kwh_factor IS 'kWh that one raw step is (multiplier included); NULL where it does not measure electric energy';
COMMENT ON COLUMN metering.channels.interval_s IS 'Length of an interval, s; NULL for a register that is read now and then';
COMMENT ON COLUMN metering.channels.utc_offset_min IS 'Standard-time offset of the channel''s days from UTC, minutes; the same all year';
COMMENT ON COLUMN metering.channels.in_service IS 'Readings that start in this time are the channel''s, half-open; one channel a register at a time, the database sees to it';
COMMENT ON COLUMN metering.channels.opened_because IS 'Why it took the place of another; NULL for the first of its register';
SELECT identity.protect('metering.channels', customer => 'meter_id IN (SELECT i.meter_id FROM devices.meter_installations i)', auditor => true, classification => 'internal');

-- Interval blocks: one row is a standard-time day of one channel. No foreign keys here: they would cost more than the row; `mains db check` looks for orphans instead. ---
CREATE TABLE metering.interval_blocks (
    channel_id     bigint      NOT NULL,
    block_start    timestamptz NOT NULL,
    total          bigint      NOT NULL,
    utility_id     uuid        NOT NULL DEFAULT identity.current_utility(),
    peak           integer     NOT NULL,
    batch_id       integer     NOT NULL,
    interval_s     integer     NOT NULL DEFAULT 900,
    utc_offset_min smallint    NOT NULL,
    n_valid        smallint    NOT NULL,
    version        smallint    NOT NULL DEFAULT 1,
    quality        smallint    NOT NULL DEFAULT 0,
    width          smallint    NOT NULL,
    vals           bytea       NOT NULL,
    qual           bytea,
    CONSTRAINT interval_blocks_pk PRIMARY KEY (channel_id, block_start),
    CONSTRAINT a_width_is_2_or_4_bytes CHECK (width IN (2, 4)),
    CONSTRAINT an_interval_divides_the_day CHECK (interval_s > 0 AND 86400 % interval_s = 0),
    CONSTRAINT a_block_starts_at_standard_midnight CHECK ((extract(epoch FROM block_start)::bigint + utc_offset_min * 60) % 86400 = 0),
    CONSTRAINT a_block_is_a_whole_day CHECK (length(vals) = width * (86400 / interval_s)),
    CONSTRAINT quality_is_a_byte_an_interval CHECK (qual IS NULL OR length(qual) = 86400 / interval_s),
    CONSTRAINT valid_readings_fit_the_day CHECK (n_valid BETWEEN 0 AND 86400 / interval_s)
) PARTITION BY RANGE (block_start);
ALTER TABLE metering.interval_blocks ALTER vals SET STORAGE MAIN, ALTER qual SET STORAGE MAIN;
CREATE TABLE metering.interval_blocks_default PARTITION OF metering.interval_blocks DEFAULT;
CREATE INDEX interval_blocks_by_time ON metering.interval_blocks USING brin (block_start, batch_id) WITH (pages_per_range = 32);
CREATE INDEX interval_blocks_doubtful ON metering.interval_blocks (block_start, channel_id) WHERE qual IS NOT NULL OR quality <> 0;
COMMENT ON TABLE metering.interval_blocks IS 'Interval readings, one row a channel and standard-time day: 96 values of 15 minutes take some 330 bytes';
COMMENT ON COLUMN metering.interval_blocks.channel_id IS 'The channel';
COMMENT ON COLUMN metering.interval_blocks.block_start IS 'Start of the standard-time day';
COMMENT ON COLUMN metering.interval_blocks.total IS 'Sum of the valid raw values';
COMMENT ON COLUMN metering.interval_blocks.utility_id IS 'The utility';
COMMENT ON COLUMN metering.interval_blocks.peak IS 'Largest valid raw value; 0 where there is none';
COMMENT ON COLUMN metering.interval_blocks.batch_id IS 'Delivery that brought this version';
COMMENT ON COLUMN metering.interval_blocks.interval_s IS 'Length of an interval, s';
COMMENT ON COLUMN metering.interval_blocks.utc_offset_min IS 'Standard-time offset of the day from UTC, minutes';
COMMENT ON COLUMN metering.interval_blocks.n_valid IS 'Intervals that have a value';
COMMENT ON COLUMN metering.interval_blocks.version IS 'Version of the block, from 1; the ones before are in the history';
COMMENT ON COLUMN metering.interval_blocks.quality IS 'Quality of every interval where qual is NULL: 0 actual, 1 validated, 2 estimated, 3 substituted, 4 final substitute, 5 edited, 6 questionable, 7 failed, 8 derived, 9 forecast, 10 raw, 15 missing';
COMMENT ON COLUMN metering.interval_blocks.width IS 'Bytes a value: 2 or 4';
COMMENT ON COLUMN metering.interval_blocks.vals IS 'Raw values, little-endian signed; the smallest number of the width means missing';
COMMENT ON COLUMN metering.interval_blocks.qual IS 'Quality of each interval, a byte each; NULL where all are the same';
SELECT identity.protect('metering.interval_blocks', staff => 'SIU', audited => false, customer => $$EXISTS (
    SELECT 1 FROM metering.channels c JOIN devices.meter_installations i ON i.meter_id = c.meter_id JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id
    WHERE c.channel_id = interval_blocks.channel_id AND a.active_period * i.installed_period && tstzrange(interval_blocks.block_start, interval_blocks.block_start + interval '1 day'))$$);
GRANT INSERT ON metering.interval_blocks TO mains_ingest;

CREATE TABLE metering.interval_block_history (
    channel_id     bigint      NOT NULL,
    block_start    timestamptz NOT NULL,
    version        smallint    NOT NULL,
    utility_id     uuid        NOT NULL,
    total          bigint      NOT NULL,
    peak           integer     NOT NULL,
    batch_id       integer     NOT NULL,
    interval_s     integer     NOT NULL,
    utc_offset_min smallint    NOT NULL,
    n_valid        smallint    NOT NULL,
    quality        smallint    NOT NULL,
    width          smallint    NOT NULL,
    vals           bytea       NOT NULL,
    qual           bytea,
    replaced_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    replaced_by    integer     NOT NULL,
    actor          text        NOT NULL,
    reason         text,
    PRIMARY KEY (channel_id, block_start, version)
);
COMMENT ON TABLE metering.interval_block_history IS 'Versions of blocks that were replaced: nothing that was once stored is lost';
COMMENT ON COLUMN metering.interval_block_history.channel_id IS 'The channel';
COMMENT ON COLUMN metering.interval_block_history.block_start IS 'Start of the standard-time day';
COMMENT ON COLUMN metering.interval_block_history.version IS 'Version this was';
COMMENT ON COLUMN metering.interval_block_history.utility_id IS 'The utility';
COMMENT ON COLUMN metering.interval_block_history.total IS 'Sum of the valid raw values then';
COMMENT ON COLUMN metering.interval_block_history.peak IS 'Largest valid raw value then';
COMMENT ON COLUMN metering.interval_block_history.batch_id IS 'Delivery that had brought it';
COMMENT ON COLUMN metering.interval_block_history.interval_s IS 'Length of an interval then, s';
COMMENT ON COLUMN metering.interval_block_history.utc_offset_min IS 'Offset of the day from UTC then, minutes';
COMMENT ON COLUMN metering.interval_block_history.n_valid IS 'Intervals that had a value';
COMMENT ON COLUMN metering.interval_block_history.quality IS 'Quality of every interval where qual is NULL';
COMMENT ON COLUMN metering.interval_block_history.width IS 'Bytes a value: 2 or 4';
COMMENT ON COLUMN metering.interval_block_history.vals IS 'Raw values then';
COMMENT ON COLUMN metering.interval_block_history.qual IS 'Quality of each interval then';
COMMENT ON COLUMN metering.interval_block_history.replaced_at IS 'When it was replaced';
COMMENT ON COLUMN metering.interval_block_history.replaced_by IS 'Delivery that replaced it';
COMMENT ON COLUMN metering.interval_block_history.actor IS 'Who or what replaced it';
COMMENT ON COLUMN metering.interval_block_history.reason IS 'Why, where somebody said';
SELECT identity.protect('metering.interval_block_history', staff => 'S', auditor => true, audited => false, append_only => true);
CREATE POLICY written_by_triggers ON metering.interval_block_history FOR INSERT TO mains_owner WITH CHECK (true);

CREATE FUNCTION metering.number_new_block() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION metering.number_new_block() IS 'Numbers the new version of a block, where the statement that changes it did not';
CREATE TRIGGER number_new_block BEFORE UPDATE ON metering.interval_blocks FOR EACH ROW
    WHEN ((OLD.vals, OLD.qual, OLD.quality, OLD.width, OLD.interval_s) IS DISTINCT FROM (NEW.vals, NEW.qual, NEW.quality, NEW.width, NEW.interval_s) AND NEW.version <> OLD.version + 1)
    EXECUTE FUNCTION metering.number_new_block();

CREATE FUNCTION metering.keep_old_blocks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO metering.interval_block_history (channel_id, block_start, version, utility_id, total, peak, batch_id, interval_s, utc_offset_min, n_valid, quality, width, vals, qual, replaced_by, actor, reason)
    SELECT o.channel_id, o.block_start, o.version, o.utility_id, o.total, o.peak, o.batch_id, o.interval_s, o.utc_offset_min, o.n_valid, o.quality, o.width, o.vals, o.qual,
           n.batch_id, coalesce(nullif(current_setting('app.actor', true), ''), session_user), nullif(current_setting('app.reason', true), '')
    FROM old_rows o JOIN new_rows n ON n.channel_id = o.channel_id AND n.block_start = o.block_start
    WHERE (o.vals, o.qual, o.quality, o.width, o.interval_s) IS DISTINCT FROM (n.vals, n.qual, n.quality, n.width, n.interval_s);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION metering.keep_old_blocks() IS 'Keeps the versions of blocks that a statement replaced, with who and why';
CREATE TRIGGER keep_old_blocks AFTER UPDATE ON metering.interval_blocks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION metering.keep_old_blocks();

CREATE FUNCTION metering.ensure_partitions(from_at timestamptz, to_at timestamptz) RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT base.make_months('metering.interval_blocks', from_at, to_at)
$$;
COMMENT ON FUNCTION metering.ensure_partitions(timestamptz, timestamptz) IS 'Makes the monthly partitions of interval blocks for a stretch of time where they are missing, and moves what waited in the default one; returns how many';
GRANT EXECUTE ON FUNCTION metering.ensure_partitions(timestamptz, timestamptz) TO mains_staff;

-- The inbox: what is pushed in near real time waits here until it is flushed into blocks -----------------------------------------------------------------------------
CREATE TABLE metering.reading_inbox (
    channel_id  bigint      NOT NULL,
    reading_at  timestamptz NOT NULL,
    utility_id  uuid        NOT NULL DEFAULT identity.current_utility(),
    raw         integer     NOT NULL,
    batch_id    integer     NOT NULL,
    quality     smallint    NOT NULL DEFAULT 0,
    CONSTRAINT a_waiting_reading_has_a_value CHECK (raw > -2147483648 AND quality BETWEEN 0 AND 14)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
        autovacuum_vacuum_insert_threshold = 200000, autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX reading_inbox_by_time ON metering.reading_inbox USING brin (reading_at, channel_id) WITH (pages_per_range = 16, autosummarize = on);
COMMENT ON TABLE metering.reading_inbox IS 'Readings pushed in near real time, appended without a key and flushed into blocks; space that a flush frees is used again by the pushes that follow';
COMMENT ON COLUMN metering.reading_inbox.channel_id IS 'The channel';
COMMENT ON COLUMN metering.reading_inbox.reading_at IS 'Start of the interval';
COMMENT ON COLUMN metering.reading_inbox.utility_id IS 'The utility';
COMMENT ON COLUMN metering.reading_inbox.raw IS 'Raw value; one that is missing is not pushed';
COMMENT ON COLUMN metering.reading_inbox.batch_id IS 'Delivery that brought it, each interval once; of readings of one standing for one interval the one of the latest delivery counts';
COMMENT ON COLUMN metering.reading_inbox.quality IS 'Quality code, as in interval_blocks.quality';
SELECT identity.protect('metering.reading_inbox', staff => 'SID', audited => false, customer => $$EXISTS (
    SELECT 1 FROM metering.channels c JOIN devices.meter_installations i ON i.meter_id = c.meter_id JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id
    WHERE c.channel_id = reading_inbox.channel_id AND a.active_period * i.installed_period @> reading_inbox.reading_at)$$);
GRANT INSERT ON metering.reading_inbox TO mains_ingest;

CREATE TABLE metering.push_keys (
    idempotency_key text        NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    sha256          bytea       NOT NULL CHECK (length(sha256) = 32),
    answer          jsonb       NOT NULL,
    pushed_at       timestamptz NOT NULL,
    PRIMARY KEY (utility_id, idempotency_key)
);
COMMENT ON TABLE metering.push_keys IS 'Pushes that were named by their sender: the same one again is answered as before and stores nothing';
COMMENT ON COLUMN metering.push_keys.idempotency_key IS 'Name that the sender gave the push (Idempotency-Key)';
COMMENT ON COLUMN metering.push_keys.utility_id IS 'The utility';
COMMENT ON COLUMN metering.push_keys.sha256 IS 'SHA-256 of what was pushed, uncompressed; another body under the same key is refused';
COMMENT ON COLUMN metering.push_keys.answer IS 'What was answered: counts and reasons';
COMMENT ON COLUMN metering.push_keys.pushed_at IS 'When it was pushed';
SELECT identity.protect('metering.push_keys', staff => 'SID', audited => false);

CREATE FUNCTION metering.standing(quality smallint) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (ARRAY[8, 8, 4, 6, 8, 9, 3, 2, 5, 1, 7])[quality + 1]
$$;
COMMENT ON FUNCTION metering.standing(smallint) IS 'How far a reading of a quality stands up to another value: a lower one never replaces a higher one';
GRANT EXECUTE ON FUNCTION metering.standing(smallint) TO mains_staff, mains_customer;

CREATE VIEW metering.waiting_readings WITH (security_invoker = true) AS
SELECT DISTINCT ON (w.channel_id, w.reading_at) w.channel_id, w.reading_at, w.utility_id, w.raw, w.quality, w.batch_id
FROM metering.reading_inbox w
ORDER BY w.channel_id, w.reading_at, metering.standing(w.quality) DESC NULLS LAST, w.batch_id DESC;
COMMENT ON VIEW metering.waiting_readings IS 'What waits in the inbox, one row a channel and interval: of those of the highest standing the one of the latest delivery';
COMMENT ON COLUMN metering.waiting_readings.channel_id IS 'The channel';
COMMENT ON COLUMN metering.waiting_readings.reading_at IS 'Start of the interval';
COMMENT ON COLUMN metering.waiting_readings.utility_id IS 'The utility';
COMMENT ON COLUMN metering.waiting_readings.raw IS 'Raw value';
COMMENT ON COLUMN metering.waiting_readings.quality IS 'Quality code, as in interval_blocks.quality';
COMMENT ON COLUMN metering.waiting_readings.batch_id IS 'Delivery that brought it';

CREATE VIEW metering.blocks_and_waiting_days WITH (security_invoker = true) AS
SELECT b.utility_id, b.channel_id, b.block_start, b.interval_s, b.version, b.batch_id, b.width, b.quality, b.vals, b.qual
FROM metering.interval_blocks b
UNION ALL
SELECT d.utility_id, d.channel_id, d.block_start, d.interval_s, 0::smallint, 0, 0::smallint, 15::smallint, NULL, NULL
FROM (
    SELECT DISTINCT w.utility_id, w.channel_id, w.block_start, w.interval_s
    FROM (
        SELECT i.utility_id, i.channel_id, c.interval_s, date_bin('1 day', i.reading_at, '2000-01-01 00:00+00'::timestamptz - make_interval(mins => c.utc_offset_min)) AS block_start
        FROM metering.reading_inbox i JOIN metering.channels c ON c.channel_id = i.channel_id
        WHERE c.interval_s IS NOT NULL
    ) AS w
    WHERE NOT EXISTS (SELECT FROM metering.interval_blocks b WHERE b.channel_id = w.channel_id AND b.block_start = w.block_start)
) AS d;
COMMENT ON VIEW metering.blocks_and_waiting_days IS 'Blocks, and an empty one (version 0) for each day of which readings wait in the inbox and none is stored';
COMMENT ON COLUMN metering.blocks_and_waiting_days.utility_id IS 'The utility';
COMMENT ON COLUMN metering.blocks_and_waiting_days.channel_id IS 'The channel';
COMMENT ON COLUMN metering.blocks_and_waiting_days.block_start IS 'Start of the standard-time day';
COMMENT ON COLUMN metering.blocks_and_waiting_days.interval_s IS 'Length of an interval, s';
COMMENT ON COLUMN metering.blocks_and_waiting_days.version IS 'Version of the block; 0 where none is stored';
COMMENT ON COLUMN metering.blocks_and_waiting_days.batch_id IS 'Delivery that brought the block; 0 where none is stored';
COMMENT ON COLUMN metering.blocks_and_waiting_days.width IS 'Bytes a value: 2 or 4; 0 where none is stored';
COMMENT ON COLUMN metering.blocks_and_waiting_days.quality IS 'Quality of every interval where qual is NULL';
COMMENT ON COLUMN metering.blocks_and_waiting_days.vals IS 'Raw values, as in interval_blocks; NULL where none is stored';
COMMENT ON COLUMN metering.blocks_and_waiting_days.qual IS 'Quality of each interval; NULL where all are the same';
GRANT SELECT ON metering.waiting_readings, metering.blocks_and_waiting_days TO mains_staff, mains_customer;

-- The relational face ---------------------------------------------------------------------------------------------------------------------------------------------
CREATE FUNCTION metering.raw_value(vals bytea, width smallint, i integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE width
        WHEN 2 THEN nullif(((get_byte(vals, 2 * i) | (get_byte(vals, 2 * i + 1) << 8)) # 32768) - 32768, -32768)
        ELSE nullif(get_byte(vals, 4 * i) | (get_byte(vals, 4 * i + 1) << 8) | (get_byte(vals, 4 * i + 2) << 16) | (get_byte(vals, 4 * i + 3) << 24), (-2147483648)::integer)
    END
$$;
COMMENT ON FUNCTION metering.raw_value(bytea, smallint, integer) IS 'Raw value of the i-th interval of a block, from 0; NULL where it is missing';

CREATE VIEW metering.channel_readings WITH (security_invoker = true) AS
SELECT b.utility_id, b.channel_id, b.block_start, b.interval_s, b.version, CASE WHEN w.raw IS NOT NULL AND s.raw IS NULL THEN w.batch_id ELSE b.batch_id END AS batch_id,
       b.block_start + make_interval(secs => g.i * b.interval_s) AS reading_timestamp,
       coalesce(s.raw, w.raw) AS raw,
       CASE WHEN w.raw IS NOT NULL AND s.raw IS NULL THEN w.quality WHEN b.qual IS NULL THEN b.quality ELSE get_byte(b.qual, g.i)::smallint END AS quality
FROM metering.blocks_and_waiting_days b
CROSS JOIN LATERAL generate_series(0, 86400 / b.interval_s - 1) AS g (i)
CROSS JOIN LATERAL (SELECT metering.raw_value(b.vals, b.width, g.i) AS raw) AS s
LEFT JOIN metering.waiting_readings w ON w.channel_id = b.channel_id AND w.reading_at = b.block_start + make_interval(secs => g.i * b.interval_s);
COMMENT ON VIEW metering.channel_readings IS 'Every interval of every block as a row, its gaps filled from what waits in the inbox; ask through metering.readings(), which adds the bounds that prune';
COMMENT ON COLUMN metering.channel_readings.utility_id IS 'The utility';
COMMENT ON COLUMN metering.channel_readings.channel_id IS 'The channel';
COMMENT ON COLUMN metering.channel_readings.block_start IS 'Start of the standard-time day the interval lies in';
COMMENT ON COLUMN metering.channel_readings.interval_s IS 'Length of the interval, s';
COMMENT ON COLUMN metering.channel_readings.version IS 'Version of the block; 0 where none is stored yet';
COMMENT ON COLUMN metering.channel_readings.batch_id IS 'Delivery that brought it';
COMMENT ON COLUMN metering.channel_readings.reading_timestamp IS 'Start of the interval';
COMMENT ON COLUMN metering.channel_readings.raw IS 'Raw value; NULL where it is missing';
COMMENT ON COLUMN metering.channel_readings.quality IS 'Quality code, as in interval_blocks.quality';

CREATE FUNCTION metering.quality_name(quality smallint) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE quality WHEN 0 THEN 'actual' WHEN 1 THEN 'validated' WHEN 2 THEN 'estimated' WHEN 3 THEN 'substituted' WHEN 4 THEN 'final_substitute' WHEN 5 THEN 'edited'
        WHEN 6 THEN 'questionable' WHEN 7 THEN 'failed' WHEN 8 THEN 'derived' WHEN 9 THEN 'forecast' WHEN 10 THEN 'raw' WHEN 15 THEN 'missing' ELSE 'unknown' END
$$;
COMMENT ON FUNCTION metering.quality_name(smallint) IS 'Name of a quality code';

CREATE VIEW metering.meter_readings WITH (security_invoker = true) AS
SELECT b.utility_id, held.account_id, b.channel_id, c.commodity, c.flow,
       b.block_start + make_interval(secs => g.i * b.interval_s) AS reading_timestamp,
       ((b.block_start + make_interval(secs => g.i * b.interval_s)) AT TIME ZONE coalesce(held.timezone, 'UTC'))::date AS reading_date,
       ((b.block_start + make_interval(secs => g.i * b.interval_s)) AT TIME ZONE coalesce(held.timezone, 'UTC'))::time AS reading_time,
       b.interval_s,
       coalesce(s.raw, w.raw) * c.kwh_factor AS consumption_kwh,
       coalesce(s.raw, w.raw) * c.multiplier * 10::numeric ^ c.pow10 AS quantity,
       c.unit,
       metering.quality_name(CASE WHEN w.raw IS NOT NULL AND s.raw IS NULL THEN w.quality WHEN b.qual IS NULL THEN b.quality ELSE get_byte(b.qual, g.i)::smallint END) AS quality,
       CASE WHEN w.raw IS NOT NULL AND s.raw IS NULL THEN w.batch_id ELSE b.batch_id END AS batch_id, b.version
FROM metering.blocks_and_waiting_days b
JOIN metering.channels c ON c.channel_id = b.channel_id
CROSS JOIN LATERAL generate_series(0, 86400 / b.interval_s - 1) AS g (i)
CROSS JOIN LATERAL (SELECT metering.raw_value(b.vals, b.width, g.i) AS raw) AS s
LEFT JOIN metering.waiting_readings w ON w.channel_id = b.channel_id AND w.reading_at = b.block_start + make_interval(secs => g.i * b.interval_s)
LEFT JOIN (
    SELECT a.account_id, i.meter_id, a.active_period * i.installed_period AS held_period, sp.timezone
    FROM customers.service_accounts a
    JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
    JOIN devices.meter_installations i ON i.service_point_id = a.service_point_id
) AS held ON held.meter_id = c.meter_id AND held.held_period @> b.block_start + make_interval(secs => g.i * b.interval_s)
WHERE c.flow IN ('delivered', 'net', 'total') AND c.in_service @> b.block_start + make_interval(secs => g.i * b.interval_s);
COMMENT ON VIEW metering.meter_readings IS 'Consumption as rows: who, when, how much, how sure. For large stretches use metering.readings() or the application''s bulk read: a bound on reading_timestamp alone prunes nothing';
COMMENT ON COLUMN metering.meter_readings.utility_id IS 'The utility';
COMMENT ON COLUMN metering.meter_readings.account_id IS 'Agreement the reading belongs to by its date; NULL where the meter hung nowhere';
COMMENT ON COLUMN metering.meter_readings.channel_id IS 'The channel';
COMMENT ON COLUMN metering.meter_readings.commodity IS 'electric, gas or water';
COMMENT ON COLUMN metering.meter_readings.flow IS 'delivered, net or total; what the customer sends back is in channel_readings';
COMMENT ON COLUMN metering.meter_readings.reading_timestamp IS 'Start of the interval';
COMMENT ON COLUMN metering.meter_readings.reading_date IS 'Local date of the interval''s start at the service point';
COMMENT ON COLUMN metering.meter_readings.reading_time IS 'Local time of the interval''s start at the service point';
COMMENT ON COLUMN metering.meter_readings.interval_s IS 'Length of the interval, s';
COMMENT ON COLUMN metering.meter_readings.consumption_kwh IS 'Electric energy in the interval, kWh; NULL where it is missing or not electric energy';
COMMENT ON COLUMN metering.meter_readings.quantity IS 'Quantity in the interval, in `unit`; NULL where it is missing';
COMMENT ON COLUMN metering.meter_readings.unit IS 'Unit of quantity';
COMMENT ON COLUMN metering.meter_readings.quality IS 'actual, validated, estimated, substituted, final_substitute, edited, questionable, failed, derived, forecast, raw or missing';
COMMENT ON COLUMN metering.meter_readings.batch_id IS 'Delivery that brought it';
COMMENT ON COLUMN metering.meter_readings.version IS 'Version of its block';

CREATE FUNCTION metering.readings(for_channel bigint, from_at timestamptz, to_at timestamptz) RETURNS TABLE (channel_id bigint, reading_timestamp timestamptz, raw integer, quality smallint) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.channel_id, r.reading_timestamp, r.raw, r.quality FROM metering.channel_readings r
    WHERE r.channel_id = for_channel AND r.block_start > from_at - interval '24 hours' AND r.block_start < to_at AND r.reading_timestamp >= from_at AND r.reading_timestamp < to_at
$$;
COMMENT ON FUNCTION metering.readings(bigint, timestamptz, timestamptz) IS 'Intervals of one channel that start in [from, to); the bounds on the block prune partitions and use the key';
CREATE FUNCTION metering.readings(from_at timestamptz, to_at timestamptz) RETURNS TABLE (channel_id bigint, reading_timestamp timestamptz, raw integer, quality smallint) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.channel_id, r.reading_timestamp, r.raw, r.quality FROM metering.channel_readings r
    WHERE r.block_start > from_at - interval '24 hours' AND r.block_start < to_at AND r.reading_timestamp >= from_at AND r.reading_timestamp < to_at
$$;
COMMENT ON FUNCTION metering.readings(timestamptz, timestamptz) IS 'Intervals of every channel that start in [from, to)';
GRANT EXECUTE ON FUNCTION metering.raw_value(bytea, smallint, integer), metering.quality_name(smallint), metering.readings(bigint, timestamptz, timestamptz), metering.readings(timestamptz, timestamptz) TO mains_staff, mains_customer;
GRANT SELECT ON metering.channel_readings, metering.meter_readings TO mains_staff, mains_customer;

CREATE VIEW metering.meter_readings_hyper WITH (security_invoker = true) AS SELECT * FROM metering.meter_readings;
COMMENT ON VIEW metering.meter_readings_hyper IS 'meter_readings under the name that queries written for a TimescaleDB copy of them use; the readings exist once';
DO $comments$
DECLARE
    of_view record;
BEGIN
    FOR of_view IN SELECT attname, col_description(attrelid, attnum) AS said FROM pg_attribute WHERE attrelid = 'metering.meter_readings'::regclass AND attnum > 0 LOOP
        EXECUTE format('COMMENT ON COLUMN metering.meter_readings_hyper.%I IS %L', of_view.attname, of_view.said);
    END LOOP;
END
$comments$;
GRANT SELECT ON metering.meter_readings_hyper TO mains_staff, mains_customer;

-- Registers and what comes after; like blocks, reads reference nothing ------------------------------------------------------------------------------------------------------------------------
CREATE TABLE metering.register_reads (
    channel_id bigint      NOT NULL,
    read_at    timestamptz NOT NULL,
    raw        bigint      NOT NULL,
    from_at    timestamptz,
    batch_id   integer     NOT NULL,
    version    smallint    NOT NULL DEFAULT 1 CHECK (version > 0),
    quality    smallint    NOT NULL DEFAULT 0,
    is_current boolean     NOT NULL DEFAULT true,
    utility_id uuid        NOT NULL DEFAULT identity.current_utility(),
    read_kind  text        NOT NULL DEFAULT 'index' CHECK (read_kind IN ('index', 'usage')),
    CONSTRAINT register_reads_pkey PRIMARY KEY (channel_id, read_at, version) WITH (fillfactor = 100),
    CONSTRAINT usage_has_a_start CHECK ((read_kind = 'usage') = (from_at IS NOT NULL) AND (from_at IS NULL OR from_at < read_at))
);
CREATE INDEX register_reads_by_delivery ON metering.register_reads USING brin (batch_id);
CREATE UNIQUE INDEX one_current_read ON metering.register_reads (channel_id, read_at) WITH (fillfactor = 100) WHERE is_current;
COMMENT ON TABLE metering.register_reads IS 'Readings of registers: the index at an instant, or the usage of a stretch that is not an interval of the day';
COMMENT ON COLUMN metering.register_reads.channel_id IS 'The channel';
COMMENT ON COLUMN metering.register_reads.read_at IS 'Instant of the read; end of the stretch for usage';
COMMENT ON COLUMN metering.register_reads.version IS 'Version of the read, from 1; corrections add versions';
COMMENT ON COLUMN metering.register_reads.utility_id IS 'The utility';
COMMENT ON COLUMN metering.register_reads.raw IS 'Raw value; in units it is raw x 10^pow10 x multiplier of the channel';
COMMENT ON COLUMN metering.register_reads.read_kind IS 'index (the dial) or usage (the difference already taken)';
COMMENT ON COLUMN metering.register_reads.from_at IS 'Start of the stretch, for usage';
COMMENT ON COLUMN metering.register_reads.quality IS 'Quality code, as in interval_blocks.quality';
COMMENT ON COLUMN metering.register_reads.batch_id IS 'Delivery that brought it';
COMMENT ON COLUMN metering.register_reads.is_current IS 'Whether this is the version that counts';
SELECT identity.protect('metering.register_reads', staff => 'SIU', audited => false, customer => $$EXISTS (
    SELECT 1 FROM metering.channels c JOIN devices.meter_installations i ON i.meter_id = c.meter_id JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id
    WHERE c.channel_id = register_reads.channel_id AND (a.active_period * i.installed_period @> register_reads.read_at OR upper(a.active_period) = register_reads.read_at))$$);
