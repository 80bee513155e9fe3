-- name: post_rows
-- What a transaction adds to sums, a row a day and group; the arrays are strung together and begin at `places`.
INSERT INTO metering.rollup_posted (posting_id, utility_id, utc_date, zone_id, commodity, flow, unit, width_s, step, totals, readings, estimated)
SELECT %(posting_id)s, %(utility_id)s, date '1970-01-01' + r.day, r.zone_id, r.commodity, r.flow, r.unit, r.width_s, r.step, (%(totals)s)[r.place:r.place + r.size - 1],
       (%(readings)s)[r.place:r.place + r.size - 1], (%(estimated)s)[r.place:r.place + r.size - 1]
FROM (
    SELECT x.*, CASE x.width_s WHEN 900 THEN 96 ELSE 24 END AS size
    FROM unnest(%(days)s::integer[], %(zones)s::uuid[], %(commodities)s::text[], %(flows)s::text[], %(units)s::text[], %(widths)s::integer[], %(steps)s::numeric[], %(places)s::integer[])
        AS x (day, zone_id, commodity, flow, unit, width_s, step, place)
) AS r;

-- name: post
-- The posting itself: its rows are folded into the sums when the transaction commits.
INSERT INTO metering.rollup_postings (posting_id, utility_id, places_version) VALUES (%(posting_id)s, %(utility_id)s, %(version)s);

-- name: ensure_place
-- The row that is the lock of a utility's sums.
INSERT INTO metering.rollup_places (utility_id) VALUES (%(utility_id)s) ON CONFLICT (utility_id) DO NOTHING;

-- name: hold
-- Holds the sums of a utility until the transaction ends: nothing that stores readings commits meanwhile.
SELECT places_version FROM metering.rollup_places WHERE utility_id = %(utility_id)s FOR UPDATE;

-- name: channels_between
-- Channels that have readings in a stretch of time, live or closed, in their order; some after one.
SELECT channel_id
FROM (
    SELECT b.channel_id FROM metering.interval_blocks b
    WHERE b.utility_id = %(utility_id)s AND b.block_start > %(from_at)s - interval '24 hours' AND b.block_start < %(to_at)s
    UNION
    SELECT m.channel_id FROM metering.closed_months m
    WHERE m.utility_id = %(utility_id)s AND m.first_day_at > %(from_at)s - interval '31 days' AND m.first_day_at < %(to_at)s AND m.first_day_at + m.days * interval '24 hours' > %(from_at)s
) AS c
ORDER BY channel_id;

-- name: remove_days
-- Removes the sums of some days.
DELETE FROM metering.rollup_days WHERE utility_id = %(utility_id)s AND utc_date >= %(from_date)s AND utc_date < %(to_date)s;

-- name: days_between
-- The sums of some days.
SELECT zone_id, commodity, flow, unit, step, width_s, utc_date - date '1970-01-01', totals, readings, estimated
FROM metering.rollup_days WHERE utility_id = %(utility_id)s AND utc_date >= %(from_date)s AND utc_date < %(to_date)s;

-- name: stale
-- Days that are to be summed anew, the oldest first.
SELECT rollup_stale_id, from_date, to_date FROM metering.rollups_stale WHERE utility_id = %(utility_id)s ORDER BY from_date, rollup_stale_id;

-- name: forget_stale
-- Days that were summed anew.
DELETE FROM metering.rollups_stale WHERE rollup_stale_id = ANY (%(ids)s);

-- name: archived_months
-- Months of a stretch of days whose readings are in an archive and not here, or not all of them.
SELECT DISTINCT a.month_start
FROM metering.removed_months a
WHERE a.utility_id = %(utility_id)s AND a.restored_at IS NULL AND a.month_start < %(to_date)s AND a.month_start + interval '1 month' > %(from_date)s;

-- name: replaced_blocks
-- The stored blocks that wait to be replaced, strung together by size as packed_blocks does.
SELECT b.interval_s, b.width, b.qual IS NOT NULL AS is_mixed,
       string_agg(int8send(b.channel_id) || timestamptz_send(b.block_start)
                  || int8send((((b.version * 65536::bigint + b.utc_offset_min + 32768) * 65536 + b.quality) << 16) + b.n_valid) || b.vals || coalesce(b.qual, ''), '')
FROM pg_temp.replacing_blocks r JOIN metering.interval_blocks b ON b.channel_id = r.channel_id AND b.block_start = r.block_start AND b.block_start >= %(first)s AND b.block_start <= %(last)s
GROUP BY b.interval_s, b.width, b.qual IS NOT NULL;

-- name: replacing_blocks
-- The blocks that will take their place, of those that have one there, in the same form.
SELECT r.interval_s, r.width, r.qual IS NOT NULL AS is_mixed,
       string_agg(int8send(r.channel_id) || timestamptz_send(r.block_start) || int8send(((r.utc_offset_min + 32768::bigint) * 65536 + r.quality << 16) + r.n_valid) || r.vals || coalesce(r.qual, ''), '')
FROM pg_temp.replacing_blocks r JOIN metering.interval_blocks b ON b.channel_id = r.channel_id AND b.block_start = r.block_start AND b.block_start >= %(first)s AND b.block_start <= %(last)s
GROUP BY r.interval_s, r.width, r.qual IS NOT NULL;

-- name: inserted_blocks
-- Staged blocks that a delivery inserted, in the same form.
SELECT b.interval_s, b.width, b.qual IS NOT NULL AS is_mixed,
       string_agg(int8send(b.channel_id) || timestamptz_send(b.block_start)
                  || int8send((((b.version * 65536::bigint + b.utc_offset_min + 32768) * 65536 + b.quality) << 16) + b.n_valid) || b.vals || coalesce(b.qual, ''), '')
FROM metering.interval_blocks b
WHERE b.batch_id = %(batch_id)s AND b.version = 1 AND b.block_start >= %(first)s AND b.block_start <= %(last)s
  AND EXISTS (SELECT FROM pg_temp.staged_blocks s WHERE s.channel_id = b.channel_id AND s.block_start = b.block_start)
GROUP BY b.interval_s, b.width, b.qual IS NOT NULL;
