-- name: packed_blocks
-- Blocks of channels that touch a stretch of time: the live ones strung together by size, 24 bytes of head, then values, then qualities where they are mixed;
-- each row of closed ones (of width 0) as it is packed, after 24 bytes that say whose and when; and what waits in the inbox (of length -1).
-- One statement, so one snapshot: what is just being moved from one of them to another comes once.
SELECT interval_s, width, qual IS NOT NULL AS is_mixed,
       string_agg(int8send(channel_id) || timestamptz_send(block_start) || int8send((((version * 65536::bigint + utc_offset_min + 32768) * 65536 + quality) << 16) + n_valid)
                  || vals || coalesce(qual, ''), '')
FROM metering.interval_blocks
WHERE channel_id = ANY (%(channels)s) AND block_start > %(from_at)s - interval '24 hours' AND block_start < %(to_at)s
GROUP BY interval_s, width, qual IS NOT NULL
UNION ALL
SELECT 0, 0::smallint, false, int8send(channel_id) || timestamptz_send(first_day_at) || int4send(interval_s) || int2send(utc_offset_min) || int2send(days) || payload || payload_end
FROM metering.closed_months
WHERE channel_id = ANY (%(channels)s) AND first_day_at > %(from_at)s - interval '31 days' AND first_day_at < %(to_at)s AND first_day_at + days * interval '24 hours' > %(from_at)s
UNION ALL
SELECT -1, 0::smallint, false, string_agg(int8send(channel_id) || timestamptz_send(reading_at) || int4send(raw) || int2send(quality) || int4send(batch_id), '')
FROM metering.reading_inbox
WHERE channel_id = ANY (%(channels)s) AND reading_at >= %(from_at)s AND reading_at < %(to_at)s
HAVING count(*) > 0;

-- name: packed_blocks_as_of
-- The same, as the blocks stood at an instant: a replaced version where it was replaced later, nothing where the first version came later.
-- Closed rows come as they are: what of them stood then is told by replaced_since and stored_by.
SELECT interval_s, width, qual IS NOT NULL AS is_mixed,
       string_agg(int8send(channel_id) || timestamptz_send(block_start) || int8send((((version * 65536::bigint + utc_offset_min + 32768) * 65536 + quality) << 16) + n_valid)
                  || vals || coalesce(qual, ''), '')
FROM (
    SELECT DISTINCT ON (stood.channel_id, stood.block_start) stood.*
    FROM (
        SELECT channel_id, block_start, version, batch_id, interval_s, utc_offset_min, n_valid, quality, width, vals, qual
        FROM metering.interval_block_history
        WHERE channel_id = ANY (%(channels)s) AND block_start > %(from_at)s - interval '24 hours' AND block_start < %(to_at)s AND replaced_at > %(as_of)s
        UNION ALL
        SELECT channel_id, block_start, version, batch_id, interval_s, utc_offset_min, n_valid, quality, width, vals, qual
        FROM metering.interval_blocks
        WHERE channel_id = ANY (%(channels)s) AND block_start > %(from_at)s - interval '24 hours' AND block_start < %(to_at)s
    ) AS stood
    ORDER BY stood.channel_id, stood.block_start, stood.version
) AS then_current
WHERE version > 1 OR EXISTS (SELECT FROM metering.ingest_batches i WHERE i.batch_id = then_current.batch_id AND i.finished_at <= %(as_of)s)
GROUP BY interval_s, width, qual IS NOT NULL
UNION ALL
SELECT 0, 0::smallint, false, int8send(channel_id) || timestamptz_send(first_day_at) || int4send(interval_s) || int2send(utc_offset_min) || int2send(days) || payload || payload_end
FROM metering.closed_months
WHERE channel_id = ANY (%(channels)s) AND first_day_at > %(from_at)s - interval '31 days' AND first_day_at < %(to_at)s AND first_day_at + days * interval '24 hours' > %(from_at)s;

-- name: replaced_since
-- Blocks of channels that touch a stretch of time and have an older version that was replaced after an instant.
SELECT DISTINCT channel_id, extract(epoch FROM block_start)::bigint
FROM metering.interval_block_history
WHERE channel_id = ANY (%(channels)s) AND block_start > %(from_at)s - interval '24 hours' AND block_start < %(to_at)s AND replaced_at > %(as_of)s;

-- name: stored_by
-- Which of some deliveries were stored by an instant.
SELECT batch_id FROM metering.ingest_batches WHERE batch_id = ANY (%(batches)s) AND finished_at <= %(as_of)s;

-- name: interval_of_channels
-- Interval lengths of channels, s.
SELECT channel_id, interval_s FROM metering.channels WHERE channel_id = ANY (%(channels)s);

-- name: channels_of_meters
-- Channels of meters by the meters' numbers; those of one register in order of time.
SELECT c.channel_id, c.meter_id, m.meter_number, c.register, c.commodity, c.quantity, c.flow, c.unit, c.pow10, c.multiplier, c.kwh_factor, c.interval_s, c.utc_offset_min,
       lower(c.in_service) AS in_service_from, upper(c.in_service) AS in_service_to, c.opened_because
FROM devices.meters m JOIN metering.channels c ON c.meter_id = m.meter_id
WHERE m.meter_number = ANY (%(numbers)s)
ORDER BY c.meter_id, c.register, c.in_service;

-- name: channels_page
-- Channels in order of their key, after one; of one meter where its number is given, of one account where its number is given.
SELECT c.channel_id, c.meter_id, m.meter_number, c.register, c.commodity, c.quantity, c.flow, c.unit, c.pow10, c.multiplier, c.kwh_factor, c.interval_s, c.utc_offset_min,
       lower(c.in_service) AS in_service_from, upper(c.in_service) AS in_service_to, c.opened_because
FROM metering.channels c JOIN devices.meters m ON m.meter_id = c.meter_id
WHERE c.channel_id > %(after)s
  AND (%(meter_number)s::text IS NULL OR m.meter_number = %(meter_number)s)
  AND (%(account_number)s::text IS NULL OR EXISTS (
      SELECT FROM devices.meter_installations i JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id AND a.active_period && i.installed_period
      WHERE i.meter_id = c.meter_id AND a.account_number = %(account_number)s))
ORDER BY c.channel_id
LIMIT %(limit)s;

-- name: channels_by_id
-- Channels by key.
SELECT c.channel_id, c.meter_id, m.meter_number, c.register, c.commodity, c.quantity, c.flow, c.unit, c.pow10, c.multiplier, c.kwh_factor, c.interval_s, c.utc_offset_min,
       lower(c.in_service) AS in_service_from, upper(c.in_service) AS in_service_to, c.opened_because
FROM metering.channels c JOIN devices.meters m ON m.meter_id = c.meter_id
WHERE c.channel_id = ANY (%(channels)s)
ORDER BY c.channel_id;

-- name: dial_digits
-- Digits of the dials that channels are read from.
SELECT c.channel_id, m.dial_digits FROM metering.channels c JOIN devices.meters m ON m.meter_id = c.meter_id WHERE c.channel_id = ANY (%(channels)s);

-- name: nearest_indexes
-- For each channel and instant asked, the index read nearest to it, within a stretch to either side; absent where there is none.
SELECT asked.n, r.read_at, r.raw, r.quality, r.version
FROM unnest(%(channels)s::bigint[], %(instants)s::timestamptz[]) WITH ORDINALITY AS asked (channel_id, at, n)
CROSS JOIN LATERAL (
    SELECT o.read_at, o.raw, o.quality, o.version FROM metering.register_reads o
    WHERE o.channel_id = asked.channel_id AND o.read_kind = 'index' AND o.is_current AND o.read_at BETWEEN asked.at - %(within)s AND asked.at + %(within)s
    ORDER BY greatest(o.read_at - asked.at, asked.at - o.read_at), o.read_at
    LIMIT 1
) AS r
ORDER BY asked.n;

-- name: nearest_indexes_as_of
-- The same, as the reads stood at an instant: the last version of each whose delivery was stored by then.
SELECT asked.n, r.read_at, r.raw, r.quality, r.version
FROM unnest(%(channels)s::bigint[], %(instants)s::timestamptz[]) WITH ORDINALITY AS asked (channel_id, at, n)
CROSS JOIN LATERAL (
    SELECT o.read_at, o.raw, o.quality, o.version FROM metering.register_reads o
    WHERE o.channel_id = asked.channel_id AND o.read_kind = 'index' AND o.read_at BETWEEN asked.at - %(within)s AND asked.at + %(within)s
      AND EXISTS (SELECT FROM metering.ingest_batches i WHERE i.batch_id = o.batch_id AND i.finished_at <= %(as_of)s)
    ORDER BY greatest(o.read_at - asked.at, asked.at - o.read_at), o.read_at, o.version DESC
    LIMIT 1
) AS r
ORDER BY asked.n;

-- name: usage_reads
-- Reads of usage that lie, but for a stretch at either end, in the stretch of time asked of each channel.
SELECT asked.n, o.from_at, o.read_at, o.raw, o.quality, o.version
FROM unnest(%(channels)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS asked (channel_id, from_at, to_at, n)
JOIN metering.register_reads o ON o.channel_id = asked.channel_id AND o.read_at > asked.from_at + %(within)s AND o.read_at <= asked.to_at + %(within)s
WHERE o.read_kind = 'usage' AND o.is_current AND o.from_at >= asked.from_at - %(within)s
ORDER BY asked.n, o.from_at;

-- name: usage_reads_as_of
-- The same, as the reads stood at an instant.
SELECT DISTINCT ON (asked.n, o.from_at, o.read_at) asked.n, o.from_at, o.read_at, o.raw, o.quality, o.version
FROM unnest(%(channels)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS asked (channel_id, from_at, to_at, n)
JOIN metering.register_reads o ON o.channel_id = asked.channel_id AND o.read_at > asked.from_at + %(within)s AND o.read_at <= asked.to_at + %(within)s
WHERE o.read_kind = 'usage' AND o.from_at >= asked.from_at - %(within)s
  AND EXISTS (SELECT FROM metering.ingest_batches i WHERE i.batch_id = o.batch_id AND i.finished_at <= %(as_of)s)
  AND NOT EXISTS (
      SELECT FROM metering.register_reads l JOIN metering.ingest_batches i ON i.batch_id = l.batch_id
      WHERE l.channel_id = o.channel_id AND l.read_at = o.read_at AND l.version > o.version AND i.finished_at <= %(as_of)s)
ORDER BY asked.n, o.from_at, o.read_at, o.version DESC;

-- name: current_reads
-- The current register reads at given channels and instants.
SELECT r.channel_id, r.read_at, r.from_at, r.raw, r.read_kind, r.quality, r.version
FROM metering.register_reads r
JOIN unnest(%(channels)s::bigint[], %(instants)s::timestamptz[]) AS wanted (channel_id, read_at) ON wanted.channel_id = r.channel_id AND wanted.read_at = r.read_at
WHERE r.is_current;

-- name: batches_page
-- Deliveries, newest first, before one.
SELECT batch_id, source, format, encode(sha256, 'hex') AS sha256, received_at, finished_at, actor, readings_found, readings_accepted, readings_quarantined, readings_new,
       readings_changed, raw_sum, readings_from_at, readings_to_at, validated_at
FROM metering.ingest_batches
WHERE %(before)s::integer IS NULL OR batch_id < %(before)s
ORDER BY batch_id DESC
LIMIT %(limit)s;

-- name: quarantine_page
-- What was refused and nobody has dealt with, newest first, before one; of one delivery, of one kind, where they are given.
SELECT quarantine_id, batch_id, file, line, field, code, message, cure, severity, readings, created_at, resolved_at, resolved_by
FROM metering.quarantine
WHERE (%(before)s::bigint IS NULL OR quarantine_id < %(before)s) AND (%(batch_id)s::integer IS NULL OR batch_id = %(batch_id)s) AND (%(code)s::text IS NULL OR code = %(code)s)
  AND (%(with_resolved)s OR resolved_at IS NULL)
ORDER BY quarantine_id DESC
LIMIT %(limit)s;

-- name: quarantine_totals
-- What waits in quarantine by kind: places, readings and when it was last seen.
SELECT code, severity, count(*) AS places, sum(readings)::bigint AS readings, min(cure) AS cure, max(created_at) AS last_seen
FROM metering.quarantine
WHERE resolved_at IS NULL
GROUP BY code, severity
ORDER BY readings DESC, places DESC, code;

-- name: zone_of_utility
-- The zone in which the utility's days begin.
SELECT timezone FROM network.utilities WHERE utility_id = identity.current_utility();

-- name: count_after
-- Readings of a channel in the inbox from an instant on, and its register reads of the time after it.
SELECT (SELECT count(*) FROM metering.reading_inbox WHERE channel_id = %(channel_id)s AND reading_at >= %(at)s),
       (SELECT count(*) FROM metering.register_reads WHERE channel_id = %(channel_id)s AND read_at > %(at)s AND is_current);

-- name: reads_from
-- Current register reads of a channel from an instant on; of usages those that end after it.
SELECT read_at, from_at, raw, quality FROM metering.register_reads
WHERE channel_id = %(channel_id)s AND read_at >= %(at)s AND is_current AND (read_at > %(at)s OR read_kind = 'index')
ORDER BY read_at;

-- name: current_utility
-- The utility of this transaction.
SELECT identity.current_utility();

-- name: first_and_last_index
-- The first and the last figure of a dial in a stretch of time, its ends included.
SELECT min(read_at), (array_agg(raw ORDER BY read_at))[1], max(read_at), (array_agg(raw ORDER BY read_at DESC))[1]
FROM metering.register_reads
WHERE channel_id = %(channel_id)s AND read_kind = 'index' AND is_current AND read_at BETWEEN %(from_at)s AND %(to_at)s;

-- name: last_reads
-- The last figure of each dial.
SELECT DISTINCT ON (channel_id) channel_id, read_at, raw, quality FROM metering.register_reads
WHERE channel_id = ANY (%(channels)s) AND read_kind = 'index' AND is_current
ORDER BY channel_id, read_at DESC;

-- name: delivery_of_content
-- The last finished delivery of a file's content, read the same way, of which nothing was refused.
SELECT batch_id, format, readings_found
FROM metering.ingest_batches
WHERE utility_id = identity.current_utility() AND sha256 = %(sha256)s AND finished_at IS NOT NULL AND readings_quarantined = 0 AND readings_found > 0 AND read_as = %(read_as)s
ORDER BY batch_id DESC
LIMIT 1;
