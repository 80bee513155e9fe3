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
FROM (SELECT channel_id, utility_id FROM metering.interval_blocks UNION SELECT channel_id, utility_id FROM metering.register_reads
      UNION SELECT channel_id, utility_id FROM metering.closed_months) AS b
WHERE NOT EXISTS (SELECT FROM metering.channels c WHERE c.channel_id = b.channel_id AND c.utility_id = b.utility_id);

-- name: blocks_without_month
-- Blocks in the partition that catches what has no month.
SELECT count(*), min(block_start), max(block_start) FROM metering.interval_blocks_default;

-- name: unfinished_batches
-- Deliveries that were begun more than a day before and never finished.
SELECT count(*), min(batch_id) FROM metering.ingest_batches WHERE finished_at IS NULL AND received_at < %(at)s - interval '1 day';

-- name: sampled_closed
-- Rows of closed months here and there, with what they say of themselves.
SELECT channel_id, int8send(total) || int4send(peak) || int4send(n_valid) || int4send(n_estimated) || day_sums,
       int8send(channel_id) || timestamptz_send(first_day_at) || int4send(interval_s) || int2send(utc_offset_min) || int2send(days) || payload || payload_end
FROM metering.closed_months TABLESAMPLE SYSTEM ((
    SELECT least(100, 300.0 * %(most)s / greatest(reltuples, 1))::real FROM pg_class WHERE oid = 'metering.closed_months'::regclass))
LIMIT %(most)s;

-- name: days_in_both_tiers
-- Months of channels that have rows in both tiers: how many, and one of the channels.
SELECT count(*), min(channel_id)
FROM (
    SELECT channel_id, date_trunc('month', first_day_at, 'UTC') AS month FROM metering.closed_months
    INTERSECT
    SELECT channel_id, date_trunc('month', block_start, 'UTC') FROM metering.interval_blocks
    WHERE date_trunc('month', block_start, 'UTC') IN (SELECT date_trunc('month', first_day_at, 'UTC') FROM metering.closed_months)
) AS both_tiers;
