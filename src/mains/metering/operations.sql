-- name: ensure_partitions
-- Makes the months that readings need.
SELECT metering.ensure_partitions(%(from_at)s, %(to_at)s);

-- name: open_batch
-- A delivery that has begun; it is unfinished until close_batch.
INSERT INTO metering.ingest_batches (source, format, sha256, received_at, read_as) VALUES (%(source)s, %(format)s, %(sha256)s, %(at)s, %(read_as)s)
RETURNING batch_id;

-- name: close_batch
-- A delivery is stored: what was in it, and that it is finished.
UPDATE metering.ingest_batches
SET finished_at = clock_timestamp(), readings_found = %(found)s, readings_accepted = %(accepted)s, readings_quarantined = %(quarantined)s, readings_new = %(new)s,
    readings_changed = %(changed)s, raw_sum = %(raw_sum)s, sha256 = coalesce(%(sha256)s, sha256)
WHERE batch_id = %(batch_id)s
RETURNING batch_id;

-- name: note_span
-- From when to when the days of a delivery's intervals go.
UPDATE metering.ingest_batches SET readings_from_at = least(readings_from_at, %(first)s), readings_to_at = greatest(readings_to_at, %(last)s) WHERE batch_id = %(batch_id)s;

-- name: create_staging
-- Where blocks wait to be merged: gone with the transaction. It names its columns itself, so that no lock on the blocks stands in the way of a new partition.
CREATE TEMPORARY TABLE staged_blocks (
    channel_id bigint NOT NULL, block_start timestamptz NOT NULL, total bigint NOT NULL, utility_id uuid NOT NULL, peak integer NOT NULL,
    batch_id integer NOT NULL, interval_s integer NOT NULL, utc_offset_min smallint NOT NULL, n_valid smallint NOT NULL, quality smallint NOT NULL, width smallint NOT NULL,
    vals bytea NOT NULL, qual bytea
) ON COMMIT DROP;

-- name: create_replacements
-- Where merged blocks wait to replace stored ones.
CREATE TEMPORARY TABLE replacing_blocks (
    channel_id bigint NOT NULL, block_start timestamptz NOT NULL, total bigint NOT NULL, utility_id uuid NOT NULL, peak integer NOT NULL, batch_id integer NOT NULL,
    interval_s integer NOT NULL, utc_offset_min smallint NOT NULL, n_valid smallint NOT NULL, quality smallint NOT NULL, width smallint NOT NULL, vals bytea NOT NULL, qual bytea
) ON COMMIT DROP;

-- name: analyze_staging
-- Lets the planner know how many blocks wait.
ANALYZE pg_temp.staged_blocks (channel_id, block_start, n_valid);

-- name: allow_sorting
-- Memory for sorting the staged blocks, a small sample of them for the planner, and its word that a page out of order costs little, for this transaction.
SELECT set_config('work_mem', '64MB', true), set_config('default_statistics_target', '10', true), set_config('random_page_cost', '1.1', true);

-- name: join_as_sets
-- How the planner may join, for this transaction: never row by row, whatever it believes about tables that were filled a moment ago.
SELECT set_config('enable_nestloop', 'off', true);

-- name: join_freely
-- The planner joins as it likes again.
SELECT set_config('enable_nestloop', 'on', true);

-- name: insert_staged
-- Staged blocks for days that have none, in the order of the key so that two importers never wait for each other in a circle; days that have one are left, and of pieces of a day the first goes in.
INSERT INTO metering.interval_blocks (channel_id, block_start, total, utility_id, peak, batch_id, interval_s, utc_offset_min, n_valid, quality, width, vals, qual)
SELECT DISTINCT ON (channel_id, block_start) channel_id, block_start, total, utility_id, peak, batch_id, interval_s, utc_offset_min, n_valid, quality, width, vals, qual
FROM pg_temp.staged_blocks s
WHERE n_valid > 0
  AND NOT EXISTS (SELECT FROM metering.interval_blocks b WHERE b.channel_id = s.channel_id AND b.block_start = s.block_start AND b.block_start >= %(first)s AND b.block_start <= %(last)s)
ORDER BY channel_id, block_start, ctid
ON CONFLICT (channel_id, block_start) DO NOTHING;

-- name: lock_differing
-- Stored blocks that differ from a staged one, side by side, locked in the order of the key; a slice after one place.
SELECT b.channel_id, b.block_start, s.ctid::text, b.utc_offset_min,
       b.interval_s AS interval_s, b.width, b.vals, b.quality, b.qual,
       s.interval_s AS new_interval_s, s.width AS new_width, s.vals AS new_vals, s.quality AS new_quality, s.qual AS new_qual, NULL::text AS stored_at
FROM pg_temp.staged_blocks s JOIN metering.interval_blocks b ON b.channel_id = s.channel_id AND b.block_start = s.block_start
WHERE b.block_start >= %(first)s AND b.block_start <= %(last)s AND s.n_valid > 0
  AND (b.vals <> s.vals OR b.width <> s.width OR b.quality <> s.quality OR b.interval_s <> s.interval_s OR b.qual IS DISTINCT FROM s.qual)
  AND (s.channel_id, s.block_start, s.ctid) > (%(after_channel)s, %(after_start)s, %(after_place)s::tid)
ORDER BY s.channel_id, s.block_start, s.ctid
LIMIT %(limit)s
FOR UPDATE OF b;

-- name: lock_differing_few
-- The same for few staged blocks: each is looked up by its key, whatever the planner believes.
SELECT b.channel_id, b.block_start, s.place::text, b.utc_offset_min, b.interval_s, b.width, b.vals, b.quality, b.qual,
       s.interval_s AS new_interval_s, s.width AS new_width, s.vals AS new_vals, s.quality AS new_quality, s.qual AS new_qual, b.place::text AS stored_at
FROM (
    SELECT ctid AS place, channel_id, block_start, interval_s, width, vals, quality, qual FROM pg_temp.staged_blocks
    WHERE n_valid > 0 AND (channel_id, block_start, ctid) > (%(after_channel)s, %(after_start)s, %(after_place)s::tid)
    ORDER BY channel_id, block_start, ctid
    OFFSET 0
) AS s
CROSS JOIN LATERAL (
    SELECT i.ctid AS place, i.channel_id, i.block_start, i.utc_offset_min, i.interval_s, i.width, i.vals, i.quality, i.qual FROM metering.interval_blocks i
    WHERE i.channel_id = s.channel_id AND i.block_start = s.block_start AND i.block_start >= %(first)s AND i.block_start <= %(last)s
      AND (i.vals <> s.vals OR i.width <> s.width OR i.quality <> s.quality OR i.interval_s <> s.interval_s OR i.qual IS DISTINCT FROM s.qual)
    FOR UPDATE OF i
) AS b
LIMIT %(limit)s;

-- name: replace_blocks
-- Merged blocks take the place of stored ones as their next versions; a trigger keeps what they replace.
UPDATE metering.interval_blocks b
SET total = r.total, peak = r.peak, batch_id = r.batch_id, n_valid = r.n_valid, quality = r.quality, width = r.width, vals = r.vals, qual = r.qual,
    version = b.version + ((b.vals, b.qual, b.quality, b.width, b.interval_s) IS DISTINCT FROM (r.vals, r.qual, r.quality, r.width, r.interval_s))::integer
FROM pg_temp.replacing_blocks r
WHERE b.channel_id = r.channel_id AND b.block_start = r.block_start AND b.block_start >= %(first)s AND b.block_start <= %(last)s
  AND (%(channels)s::bigint[] IS NULL OR b.channel_id = ANY (%(channels)s));

-- name: replace_locked_blocks
-- The same where it is known at which places the stored ones lie: they are locked, so they stay there. A place of another month's table is another block, which the keys leave out.
UPDATE metering.interval_blocks b
SET total = r.total, peak = r.peak, batch_id = r.batch_id, n_valid = r.n_valid, quality = r.quality, width = r.width, vals = r.vals, qual = r.qual,
    version = b.version + ((b.vals, b.qual, b.quality, b.width, b.interval_s) IS DISTINCT FROM (r.vals, r.qual, r.quality, r.width, r.interval_s))::integer
FROM pg_temp.replacing_blocks r
WHERE b.ctid = ANY (%(places)s::tid[]) AND b.channel_id = r.channel_id AND b.block_start = r.block_start AND b.block_start >= %(first)s AND b.block_start <= %(last)s;

-- name: empty_replacements
-- Makes room for the next slice.
TRUNCATE pg_temp.replacing_blocks;

-- name: drop_staging
-- The staged blocks are merged.
DROP TABLE pg_temp.staged_blocks;

-- name: drop_replacements
-- The merged blocks are in place.
DROP TABLE pg_temp.replacing_blocks;

-- name: quarantine
-- What was refused of a delivery.
INSERT INTO metering.quarantine (batch_id, file, line, field, code, message, cure, severity, readings)
SELECT %(batch_id)s, q.file, q.line, q.field, q.code, q.message, q.cure, q.severity, q.readings
FROM unnest(%(files)s::text[], %(lines)s::integer[], %(fields)s::text[], %(codes)s::text[], %(messages)s::text[], %(cures)s::text[], %(severities)s::text[], %(readings)s::bigint[])
    AS q (file, line, field, code, message, cure, severity, readings);

-- name: register_channels
-- Channels of meters that are registered; one that is there at any of the same time stays as it is.
INSERT INTO metering.channels (meter_id, register, commodity, quantity, flow, unit, pow10, multiplier, kwh_factor, interval_s, utc_offset_min, in_service, opened_because)
SELECT c.meter_id, c.register, c.commodity, c.quantity, c.flow, c.unit, c.pow10, c.multiplier, c.kwh_factor, c.interval_s, c.utc_offset_min, tstzrange(c.from_at, c.to_at), c.opened_because
FROM unnest(%(meter_ids)s::uuid[], %(registers)s::text[], %(commodities)s::text[], %(quantities)s::text[], %(flows)s::text[], %(units)s::text[], %(pow10s)s::smallint[],
            %(multipliers)s::numeric[], %(kwh_factors)s::numeric[], %(intervals)s::integer[], %(offsets)s::smallint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(reasons)s::text[])
    AS c (meter_id, register, commodity, quantity, flow, unit, pow10, multiplier, kwh_factor, interval_s, utc_offset_min, from_at, to_at, opened_because)
ORDER BY c.meter_id, c.register
ON CONFLICT DO NOTHING
RETURNING channel_id;

-- name: lock_channel
-- One channel, for a change of it.
SELECT channel_id FROM metering.channels WHERE channel_id = %(channel_id)s FOR UPDATE;

-- name: close_channel
-- A channel's service ends at an instant.
UPDATE metering.channels SET in_service = tstzrange(lower(in_service), %(at)s)
WHERE channel_id = %(channel_id)s AND in_service @> %(at)s::timestamptz AND lower(in_service) IS DISTINCT FROM %(at)s
RETURNING channel_id;

-- name: give_reason
-- Why, for the audit log and the history of readings.
SELECT set_config('app.reason', %(reason)s, true);

-- name: retire_reads
-- Register reads that a correction takes the place of.
UPDATE metering.register_reads r SET is_current = false
FROM unnest(%(channels)s::bigint[], %(instants)s::timestamptz[]) AS gone (channel_id, read_at)
WHERE r.channel_id = gone.channel_id AND r.read_at = gone.read_at AND r.is_current;

-- name: retire_reads_after
-- Register reads of the time after a change, which the next channel holds now.
UPDATE metering.register_reads SET is_current = false WHERE channel_id = %(channel_id)s AND read_at > %(at)s AND is_current;

-- name: insert_reads
-- Register reads, each as the next version of its instant.
INSERT INTO metering.register_reads (channel_id, read_at, version, raw, read_kind, from_at, quality, batch_id)
SELECT n.channel_id, n.read_at, coalesce((SELECT max(o.version) FROM metering.register_reads o WHERE o.channel_id = n.channel_id AND o.read_at = n.read_at), 0) + 1,
       n.raw, n.read_kind, n.from_at, n.quality, %(batch_id)s
FROM unnest(%(channels)s::bigint[], %(instants)s::timestamptz[], %(raws)s::bigint[], %(kinds)s::text[], %(starts)s::timestamptz[], %(qualities)s::smallint[])
    AS n (channel_id, read_at, raw, read_kind, from_at, quality)
ORDER BY n.channel_id, n.read_at;

-- name: analyze_blocks
-- Tells the planner what a large load brought.
ANALYZE metering.interval_blocks;
