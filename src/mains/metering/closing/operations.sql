-- name: hold_month
-- Holds a month until the transaction ends: shared by all who write readings, alone for who moves them.
SELECT metering.hold_month(%(month)s, %(for_moving)s);

-- name: hold_months
-- Holds the months of a stretch of time as one who writes readings, in their order.
SELECT metering.hold_month(month, false)
FROM (SELECT generate_series(date_trunc('month', %(first)s, 'UTC'), %(last)s, interval '1 month') AS month) AS touched
ORDER BY month;

-- name: insert_closed
-- Closed rows.
INSERT INTO metering.closed_months (channel_id, first_day_at, total, peak, n_valid, n_estimated, interval_s, utc_offset_min, days, day_sums, payload, payload_end)
SELECT c.channel_id, to_timestamp(c.first_day_at), c.total, c.peak, c.n_valid, c.n_estimated, c.interval_s, c.utc_offset_min, c.days, c.day_sums, c.payload, c.payload_end
FROM unnest(%(channel_id)s::bigint[], %(first_day_at)s::bigint[], %(total)s::bigint[], %(peak)s::integer[], %(n_valid)s::integer[], %(n_estimated)s::integer[], %(interval_s)s::integer[],
            %(utc_offset_min)s::smallint[], %(days)s::smallint[], %(day_sums)b::bytea[], %(payload)b::bytea[], %(payload_end)b::bytea[])
    AS c (channel_id, first_day_at, total, peak, n_valid, n_estimated, interval_s, utc_offset_min, days, day_sums, payload, payload_end)
ORDER BY c.channel_id, c.first_day_at;

-- name: remove_closed_blocks
-- Removes the live blocks that stand in closed rows: how many, and the sums of their versions and deliveries.
SELECT removed, versions, batches FROM metering.remove_closed_blocks(%(channels)s, %(month)s);

-- name: thaw_blocks
-- Live blocks again, as they were; one that is there stays.
INSERT INTO metering.interval_blocks (channel_id, block_start, total, peak, batch_id, interval_s, utc_offset_min, n_valid, version, quality, width, vals, qual)
SELECT b.channel_id, to_timestamp(b.block_start), b.total, b.peak, b.batch_id, b.interval_s, b.utc_offset_min, b.n_valid, b.version, b.quality, b.width, b.vals, b.qual
FROM unnest(%(channel_id)s::bigint[], %(block_start)s::bigint[], %(total)s::bigint[], %(peak)s::integer[], %(batch_id)s::integer[], %(interval_s)s::integer[], %(utc_offset_min)s::smallint[],
            %(n_valid)s::smallint[], %(version)s::smallint[], %(quality)s::smallint[], %(width)s::smallint[], %(vals)b::bytea[], %(qual)b::bytea[])
    AS b (channel_id, block_start, total, peak, batch_id, interval_s, utc_offset_min, n_valid, version, quality, width, vals, qual)
ORDER BY b.channel_id, b.block_start
ON CONFLICT (channel_id, block_start) DO NOTHING;

-- name: remove_thawed
-- Removes closed rows whose every day is live again: how many.
SELECT metering.remove_thawed(%(channels)s, %(month)s);

-- name: forget_staged
-- Takes staged blocks that say what is stored already out of the staging.
DELETE FROM pg_temp.staged_blocks s
USING unnest(%(channels)s::bigint[], %(starts)s::bigint[]) AS same (channel_id, block_start)
WHERE s.channel_id = same.channel_id AND s.block_start = to_timestamp(same.block_start);

-- name: free_month
-- Gives back the disk of a month without live blocks: freed, in use, busy or default.
SELECT metering.free_month(%(month)s);

-- name: record_archive
-- An archive was written.
INSERT INTO metering.archive_manifests (month_start, location, sha256, blocks, readings, raw_sum, file_bytes, layout, written_at)
VALUES (%(month_start)s, %(location)s, %(sha256)s, %(blocks)s, %(readings)s, %(raw_sum)s, %(file_bytes)s, %(layout)s, %(written_at)s)
ON CONFLICT (utility_id, month_start, sha256) DO NOTHING;

-- name: remove_archived
-- Removes closed rows of which an archive was recorded: how many.
SELECT metering.remove_archived(%(channels)s, %(month)s, %(sha256)s);

-- name: note_removed
-- The month of an archive was taken out of the database.
INSERT INTO metering.removed_months (month_start, sha256, file)
SELECT month_start, sha256, regexp_replace(location, '^.*[/\\]', '') FROM metering.archive_manifests WHERE sha256 = %(sha256)s
ON CONFLICT (utility_id, month_start, sha256) DO UPDATE SET removed_at = excluded.removed_at, restored_at = NULL WHERE removed_months.restored_at IS NOT NULL;

-- name: note_restored
-- All readings of an archive are back.
UPDATE metering.removed_months SET restored_at = clock_timestamp() WHERE month_start = %(month_start)s AND sha256 = %(sha256)s AND restored_at IS NULL;

-- name: put_under
-- Archived blocks as the versions before the live ones of their days: channel and start (epoch seconds) of those that were not there yet.
SELECT channel_id, block_start
FROM metering.put_under(%(month)s, %(channel_id)s::bigint[], %(block_start)s::bigint[], %(total)s::bigint[], %(peak)s::integer[], %(batch_id)s::integer[], %(interval_s)s::integer[],
                        %(utc_offset_min)s::smallint[], %(n_valid)s::smallint[], %(version)s::smallint[], %(quality)s::smallint[], %(width)s::smallint[], %(vals)b::bytea[], %(qual)b::bytea[]);
