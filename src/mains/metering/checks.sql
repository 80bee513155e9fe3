-- name: estimated_blocks
-- About how many blocks there are, as the planner knows it.
SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'metering.interval_blocks'::regclass;

-- name: wrong_totals
-- Of a sample of blocks: how many there are, how many have a total, peak or count that their values do not have, and one of these.
SELECT count(*), count(*) FILTER (WHERE is_wrong), min(channel_id) FILTER (WHERE is_wrong)
FROM (
    SELECT b.channel_id, (b.total, b.peak, b.n_valid) IS DISTINCT FROM (counted.total, counted.peak, counted.n_valid) AS is_wrong
    FROM metering.interval_blocks b TABLESAMPLE SYSTEM (%(percent)s)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(v.raw), 0)::bigint AS total, coalesce(max(v.raw), 0) AS peak, count(v.raw)::smallint AS n_valid
        FROM (SELECT metering.raw_value(b.vals, b.width, i) AS raw FROM generate_series(0, 86400 / b.interval_s - 1) AS i) AS v
    ) AS counted
    LIMIT %(most)s
) AS sampled;

-- name: orphans
-- Channels of blocks and reads that no channel of the same utility stands behind: how many, and one of them.
SELECT count(*), min(b.channel_id)
FROM (SELECT channel_id, utility_id FROM metering.interval_blocks UNION SELECT channel_id, utility_id FROM metering.register_reads) AS b
WHERE NOT EXISTS (SELECT FROM metering.channels c WHERE c.channel_id = b.channel_id AND c.utility_id = b.utility_id);

-- name: blocks_without_month
-- Blocks in the partition that catches what has no month.
SELECT count(*), min(block_start), max(block_start) FROM metering.interval_blocks_default;

-- name: unfinished_batches
-- Deliveries that were begun more than a day before and never finished.
SELECT count(*), min(batch_id) FROM metering.ingest_batches WHERE finished_at IS NULL AND received_at < %(at)s - interval '1 day';
