-- name: spans_due
-- How many channels with intervals hung where readings were due, by interval length and by the local dates of a stretch on which that began and ended.
SELECT c.interval_s, greatest((lower(span.period) AT TIME ZONE %(timezone)s)::date, %(first)s::date) AS from_date,
       least((upper(span.period) AT TIME ZONE %(timezone)s)::date, %(last)s::date) AS to_date, count(*)::integer AS channels
FROM devices.meter_installations i
JOIN metering.channels c ON c.meter_id = i.meter_id AND c.interval_s IS NOT NULL
CROSS JOIN LATERAL (SELECT i.installed_period * c.in_service AS period) AS span
WHERE span.period && tstzrange(%(first)s::date::timestamp AT TIME ZONE %(timezone)s, %(last)s::date::timestamp AT TIME ZONE %(timezone)s)
GROUP BY 1, 2, 3;

-- name: readings_by_day
-- Interval readings of each local day of a stretch, from the sums that the ingest keeps.
SELECT (z.starts_at AT TIME ZONE %(timezone)s)::date AS day, sum(z.readings)::bigint AS readings, sum(z.estimated)::bigint AS estimated
FROM metering.zone_curve(NULL, %(first)s::date::timestamp AT TIME ZONE %(timezone)s, %(last)s::date::timestamp AT TIME ZONE %(timezone)s, '1 day') AS z
GROUP BY 1 ORDER BY 1;

-- name: lateness
-- Deliveries received in a stretch by how long after the end of their days they came: within six hours, a day, three days, or later.
SELECT late.class, count(*)::integer AS deliveries, sum(b.readings_new + b.readings_changed)::bigint AS readings
FROM metering.ingest_batches b
CROSS JOIN LATERAL (SELECT CASE WHEN b.received_at - b.readings_to_at <= interval '6 hours' THEN 0 WHEN b.received_at - b.readings_to_at <= interval '1 day' THEN 1
                                WHEN b.received_at - b.readings_to_at <= interval '3 days' THEN 2 ELSE 3 END AS class) AS late
WHERE b.received_at >= %(from_at)s AND b.received_at < %(to_at)s AND b.readings_to_at IS NOT NULL AND b.format NOT IN ('vee', 'edit') AND b.readings_new + b.readings_changed > 0
GROUP BY late.class ORDER BY late.class;

-- name: waiting
-- Deliveries that are stored and not validated, and readings that were pushed and wait to be put into blocks.
SELECT (SELECT count(*) FROM metering.ingest_batches WHERE validated_at IS NULL AND finished_at IS NOT NULL AND readings_new + readings_changed > 0)::integer AS deliveries,
       (SELECT count(*) FROM (SELECT 1 FROM metering.reading_inbox LIMIT 100001) AS counted)::integer AS pushed;

-- name: silent_meters
-- Channels with intervals that hung somewhere all of a local day and have no block of it, with where, whose, and what was read last.
SELECT m.meter_number, c.register, p.address_line AS address, a.customer_id,
       greatest((SELECT b.block_start + make_interval(secs => b.interval_s * b.n_valid) FROM metering.interval_blocks b WHERE b.channel_id = c.channel_id ORDER BY b.block_start DESC LIMIT 1),
                (SELECT d.first_day_at + d.days * interval '24 hours' FROM metering.closed_months d WHERE d.channel_id = c.channel_id ORDER BY d.first_day_at DESC LIMIT 1)) AS last_at
FROM devices.meter_installations i
JOIN metering.channels c ON c.meter_id = i.meter_id AND c.interval_s IS NOT NULL AND c.in_service @> tstzrange(%(from_at)s, %(to_at)s)
JOIN devices.meters m ON m.meter_id = i.meter_id
JOIN customers.service_points sp ON sp.service_point_id = i.service_point_id
JOIN customers.premises p ON p.premise_id = sp.premise_id
LEFT JOIN customers.service_accounts a ON a.service_point_id = sp.service_point_id AND a.active_period @> %(from_at)s::timestamptz
WHERE i.installed_period @> tstzrange(%(from_at)s, %(to_at)s)
  AND NOT EXISTS (SELECT FROM metering.interval_blocks b WHERE b.channel_id = c.channel_id AND b.block_start >= %(from_at)s::timestamptz - interval '12 hours' AND b.block_start < %(to_at)s)
  AND NOT EXISTS (SELECT FROM metering.closed_months d WHERE d.channel_id = c.channel_id AND d.first_day_at >= %(from_at)s::timestamptz - interval '31 days' AND d.first_day_at < %(to_at)s
                  AND d.first_day_at + d.days * interval '24 hours' > %(from_at)s)
ORDER BY m.meter_number, c.register LIMIT %(limit)s;

-- name: customer_of_meter
-- Whose readings a meter's were at an instant.
SELECT a.customer_id FROM devices.meters m
JOIN devices.meter_installations i ON i.meter_id = m.meter_id AND i.installed_period @> %(at)s::timestamptz
JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id AND a.active_period @> %(at)s::timestamptz
WHERE m.meter_number = %(meter_number)s LIMIT 1;
