-- name: channels_with_blocks
-- Channels that have live blocks in a stretch of time, after one.
SELECT DISTINCT channel_id FROM metering.interval_blocks
WHERE block_start >= %(from_at)s AND block_start < %(to_at)s AND channel_id > %(after)s
ORDER BY channel_id
LIMIT %(limit)s;

-- name: channels_closed
-- Channels that have closed rows in a stretch of time, after one.
SELECT DISTINCT channel_id FROM metering.closed_months
WHERE first_day_at >= %(from_at)s AND first_day_at < %(to_at)s AND channel_id > %(after)s
ORDER BY channel_id
LIMIT %(limit)s;

-- name: channels_in_month
-- Channels that have blocks in a stretch of time in either tier, after one.
SELECT channel_id FROM (
    (SELECT DISTINCT channel_id FROM metering.interval_blocks WHERE block_start >= %(from_at)s AND block_start < %(to_at)s AND channel_id > %(after)s ORDER BY channel_id LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT channel_id FROM metering.closed_months WHERE first_day_at >= %(from_at)s AND first_day_at < %(to_at)s AND channel_id > %(after)s ORDER BY channel_id LIMIT %(limit)s)
) AS either
ORDER BY channel_id
LIMIT %(limit)s;

-- name: live_blocks
-- Live blocks of channels that start in a stretch of time, whole, strung together by size: 40 bytes of head, values, qualities where they are mixed.
SELECT interval_s, width, qual IS NOT NULL AS is_mixed,
       string_agg(int8send(channel_id) || timestamptz_send(block_start) || int8send(total) || int4send(peak) || int4send(batch_id) || int2send(version) || int2send(utc_offset_min)
                  || int2send(quality) || int2send(n_valid) || vals || coalesce(qual, ''), '')
FROM metering.interval_blocks
WHERE channel_id = ANY (%(channels)s) AND block_start >= %(from_at)s AND block_start < %(to_at)s
GROUP BY interval_s, width, qual IS NOT NULL;

-- name: closed_rows
-- Closed rows of channels that begin in a stretch of time, in the order of the key.
SELECT int8send(channel_id) || timestamptz_send(first_day_at) || int4send(interval_s) || int2send(utc_offset_min) || int2send(days) || payload || payload_end
FROM metering.closed_months
WHERE channel_id = ANY (%(channels)s) AND first_day_at >= %(from_at)s AND first_day_at < %(to_at)s
ORDER BY channel_id, first_day_at;

-- name: occupancy_changes
-- Instants at which somebody begins or ceases to see what a channel measures, near a stretch of time.
SELECT DISTINCT c.channel_id, bound.at, bound.is_end
FROM metering.channels c JOIN devices.meter_installations i ON i.meter_id = c.meter_id JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id
CROSS JOIN LATERAL (VALUES (lower(a.active_period * i.installed_period), false), (upper(a.active_period * i.installed_period), true)) AS bound (at, is_end)
WHERE c.channel_id = ANY (%(channels)s) AND bound.at > %(from_at)s - interval '24 hours' AND bound.at < %(to_at)s + interval '24 hours';

-- name: straddling
-- Channels with a closed row in a stretch of time within which somebody begins or ceases to see what the channel measures: entered after it was closed.
SELECT DISTINCT m.channel_id
FROM metering.closed_months m
JOIN metering.channels c ON c.channel_id = m.channel_id
JOIN devices.meter_installations i ON i.meter_id = c.meter_id
JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id
CROSS JOIN LATERAL (VALUES (lower(a.active_period * i.installed_period), 1), (upper(a.active_period * i.installed_period), 0)) AS bound (at, days)
WHERE m.first_day_at >= %(from_at)s AND m.first_day_at < %(to_at)s
  AND bound.at >= m.first_day_at + bound.days * interval '24 hours' AND bound.at <= m.first_day_at + (m.days - 1 + bound.days) * interval '24 hours'
  AND bound.at > m.first_day_at AND bound.at < m.first_day_at + m.days * interval '24 hours'
ORDER BY m.channel_id;

-- name: hindrances
-- What speaks against closing a stretch of time: deliveries on their way, deliveries not validated that brought something to it, open failures in it.
SELECT (SELECT count(*) FROM metering.ingest_batches WHERE finished_at IS NULL AND received_at > %(at)s - interval '1 day'),
       (SELECT count(DISTINCT b.batch_id) FROM metering.interval_blocks b
        WHERE b.block_start >= %(from_at)s AND b.block_start < %(to_at)s AND EXISTS (SELECT FROM metering.ingest_batches WHERE validated_at IS NULL)
          AND b.batch_id IN (SELECT i.batch_id FROM metering.ingest_batches i WHERE i.validated_at IS NULL)),
       (SELECT count(*) FROM metering.vee_exceptions
        WHERE exception_status IN ('open', 're_read') AND severity = 'failure' AND from_at < %(to_at)s AND to_at > %(from_at)s);

-- name: months_closed_between
-- UTC months with closed rows that begin in a stretch of time.
SELECT DISTINCT date_trunc('month', first_day_at, 'UTC') FROM metering.closed_months WHERE first_day_at >= %(from_at)s AND first_day_at < %(to_at)s;

-- name: staged_on_closed
-- Channels and months of staged blocks that lie in closed months.
SELECT DISTINCT m.channel_id, date_trunc('month', m.first_day_at, 'UTC')
FROM (SELECT DISTINCT channel_id, date_trunc('month', block_start, 'UTC') AS month FROM pg_temp.staged_blocks WHERE n_valid > 0) AS s
JOIN metering.closed_months m ON m.channel_id = s.channel_id AND m.first_day_at >= s.month AND m.first_day_at < s.month + interval '1 month'
WHERE m.first_day_at >= %(from_at)s AND m.first_day_at < %(to_at)s;

-- name: staged_blocks
-- Staged blocks of channels in a stretch of time.
SELECT channel_id, extract(epoch FROM block_start)::bigint, interval_s, width, quality, vals, qual
FROM pg_temp.staged_blocks
WHERE channel_id = ANY (%(channels)s) AND block_start >= %(from_at)s AND block_start < %(to_at)s AND n_valid > 0;

-- name: running_transactions
-- Transactions of others that run now.
SELECT running FROM metering.running_transactions();

-- name: size_of_closed
-- What the dense tier takes, bytes: rows, keys and payloads.
SELECT pg_total_relation_size('metering.closed_months');

-- name: archives_of_hash
-- The archive with a SHA-256.
SELECT month_start, location, blocks, readings, raw_sum, layout, written_at FROM metering.archive_manifests WHERE sha256 = %(sha256)s;

-- name: archives
-- Archives, newest month first.
SELECT month_start, location, encode(sha256, 'hex') AS sha256, blocks, readings, raw_sum, file_bytes, layout, written_at
FROM metering.archive_manifests ORDER BY month_start DESC, written_at DESC;

-- name: removed_months
-- Months that touch a stretch of time and whose readings are in an archive, not in the database.
SELECT month_start, file FROM metering.removed_months
WHERE restored_at IS NULL AND utility_id = identity.current_utility()
  AND month_start >= (date_trunc('month', %(from_at)s, 'UTC') AT TIME ZONE 'UTC')::date AND month_start < (%(to_at)s AT TIME ZONE 'UTC')::date + 1
ORDER BY month_start, removed_at;

-- name: channel_names
-- What readers of an archive want to know of channels: meter, register, unit, and units a raw step.
SELECT c.channel_id, m.meter_number, c.register, c.commodity, c.flow, c.unit, c.multiplier * 10::numeric ^ c.pow10
FROM metering.channels c JOIN devices.meters m ON m.meter_id = c.meter_id
WHERE c.channel_id = ANY (%(channels)s);

-- name: utility_code
-- The short name of the utility of this transaction.
SELECT utility_code FROM network.utilities WHERE utility_id = identity.current_utility();
