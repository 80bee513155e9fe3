-- name: waiting_deliveries
-- Deliveries that are stored and not yet validated, in the order of their numbers; some of them where they are named, and then also those that were validated, if that is asked.
SELECT batch_id, received_at FROM metering.ingest_batches
WHERE finished_at IS NOT NULL AND (validated_at IS NULL OR %(is_again)s) AND (%(batches)s::integer[] IS NULL OR batch_id = ANY (%(batches)s))
ORDER BY batch_id;

-- name: touched_days
-- The days that deliveries brought or changed: channel and start, 16 bytes each, by interval length and offset.
SELECT interval_s, utc_offset_min, string_agg(int8send(channel_id) || timestamptz_send(block_start), '')
FROM metering.interval_blocks
WHERE batch_id = ANY (%(batches)s)
GROUP BY interval_s, utc_offset_min
ORDER BY interval_s, utc_offset_min;

-- name: touched_registers
-- Dials that deliveries brought reads of.
SELECT DISTINCT channel_id FROM metering.register_reads WHERE batch_id = ANY (%(batches)s) AND read_kind = 'index' ORDER BY channel_id;

-- name: known_channels
-- What is known of channels, 88 bytes each: the record of `known.RECORD`. A whole utility is asked at once, for a plan that joins instead of looking up.
SELECT coalesce(string_agg(
    int8send(c.channel_id) || int2send((CASE c.commodity WHEN 'electric' THEN 0 WHEN 'gas' THEN 1 ELSE 2 END)::smallint)
    || int2send((CASE c.flow WHEN 'delivered' THEN 0 WHEN 'received' THEN 1 WHEN 'net' THEN 2 ELSE 3 END)::smallint)
    || int2send(coalesce(array_position(%(classes)s::text[], cu.customer_class) - 1, 0)::smallint) || int2send(coalesce(m.dial_digits, 0)::smallint)
    || float8send((c.multiplier * 10::numeric ^ c.pow10 * u.factor)::float8) || int4send(coalesce(c.interval_s, 0))
    || int2send(coalesce(family.members, 1)::smallint) || int2send((c.quantity = 'reactive_energy')::integer::smallint)
    || int8send(greatest(extract(epoch FROM hung.from_at), extract(epoch FROM lower(c.in_service)), -9e15)::bigint)
    || int8send(least(extract(epoch FROM hung.to_at), extract(epoch FROM upper(c.in_service)), 9e15)::bigint)
    || float8send(coalesce(sp.nominal_voltage_v * substring(sp.service_size FROM '^([0-9]+(?:\.[0-9]+)?) ?A$')::numeric * (CASE WHEN sp.phases ~ 'ABC' THEN sqrt(3::numeric) ELSE 1 END), 'NaN')::float8)
    || int8send(coalesce(sp.node_id, -1)) || int8send(coalesce(dial.channel_id, -1)) || float8send(coalesce(dial.step, 1)::float8) || int8send(('x' || right(replace(c.meter_id::text, '-', ''), 15))::bit(60)::bigint),
    '' ORDER BY c.channel_id), '')
FROM metering.channels c
JOIN devices.meters m ON m.meter_id = c.meter_id
JOIN unnest(%(units)s::text[], %(factors)s::numeric[]) AS u (unit, factor) ON u.unit = c.unit
LEFT JOIN (
    SELECT i.meter_id, min(lower(i.installed_period)) AS from_at, max(coalesce(upper(i.installed_period), 'infinity')) AS to_at,
           (array_agg(i.service_point_id ORDER BY lower(i.installed_period) DESC))[1] AS service_point_id
    FROM devices.meter_installations i
    GROUP BY i.meter_id
) AS hung ON hung.meter_id = c.meter_id
LEFT JOIN customers.service_points sp ON sp.service_point_id = hung.service_point_id
LEFT JOIN (
    SELECT DISTINCT ON (a.service_point_id) a.service_point_id, a.customer_id
    FROM customers.service_accounts a
    WHERE a.account_role = 'consumption' AND lower(a.active_period) < %(to_at)s
    ORDER BY a.service_point_id, lower(a.active_period) DESC
) AS held ON held.service_point_id = hung.service_point_id
LEFT JOIN customers.customers cu ON cu.customer_id = held.customer_id
LEFT JOIN (SELECT k.meter_id, count(*) AS members FROM metering.channels k WHERE k.interval_s IS NOT NULL AND k.in_service @> %(to_at)s::timestamptz GROUP BY k.meter_id) AS family
    ON family.meter_id = c.meter_id
LEFT JOIN (
    SELECT DISTINCT ON (d.meter_id, d.commodity, d.quantity, d.flow) d.meter_id, d.commodity, d.quantity, d.flow, d.channel_id, d.multiplier * 10::numeric ^ d.pow10 * du.factor AS step
    FROM metering.channels d JOIN unnest(%(units)s::text[], %(factors)s::numeric[]) AS du (unit, factor) ON du.unit = d.unit
    WHERE d.interval_s IS NULL AND d.in_service @> %(to_at)s::timestamptz
    ORDER BY d.meter_id, d.commodity, d.quantity, d.flow, d.channel_id
) AS dial ON dial.meter_id = c.meter_id AND dial.commodity = c.commodity AND dial.quantity = c.quantity AND dial.flow = c.flow AND c.interval_s IS NOT NULL
WHERE (%(channels)s::bigint[] IS NULL OR c.channel_id = ANY (%(channels)s)) AND (%(channels)s::bigint[] IS NOT NULL OR c.interval_s IS NOT NULL);

-- name: heads_between
-- Totals, peaks and counts of days without their values, 32 bytes each, live and closed; live days that failed are left out. The last number tells estimates, of live days.
SELECT coalesce(string_agg(int8send(channel_id) || timestamptz_send(block_start) || int8send(total) || int4send(peak) || int2send(n_valid) || int2send(is_estimated), ''), '')
FROM (
    SELECT channel_id, block_start, total, peak, n_valid,
           (quality IN (2, 3, 4) OR (qual IS NOT NULL AND (position('\x02'::bytea IN qual) > 0 OR position('\x03'::bytea IN qual) > 0)))::integer::smallint AS is_estimated
    FROM metering.interval_blocks
    WHERE channel_id = ANY (%(channels)s) AND block_start >= %(from_at)s AND block_start < %(to_at)s AND interval_s = %(interval_s)s AND utc_offset_min = %(utc_offset_min)s
      AND quality <> 7 AND (qual IS NULL OR position('\x07'::bytea IN qual) = 0)
    UNION ALL
    SELECT m.channel_id, m.first_day_at + d.i * interval '24 hours', d.total, d.peak, d.n_valid, 0::smallint
    FROM metering.closed_months m CROSS JOIN LATERAL metering.closed_days(m.day_sums, m.days, m.interval_s) AS d
    WHERE m.channel_id = ANY (%(channels)s) AND m.first_day_at > %(from_at)s::timestamptz - interval '31 days' AND m.first_day_at < %(to_at)s AND m.interval_s = %(interval_s)s
      AND m.utc_offset_min = %(utc_offset_min)s AND m.first_day_at + d.i * interval '24 hours' >= %(from_at)s AND m.first_day_at + d.i * interval '24 hours' < %(to_at)s
) AS heads;

-- name: has_history
-- Whether any readings lie in a stretch of time: where there is no history nobody needs to look for it.
SELECT EXISTS (SELECT FROM metering.interval_blocks WHERE block_start >= %(from_at)s AND block_start < %(to_at)s)
    OR EXISTS (SELECT FROM metering.closed_months WHERE first_day_at > %(from_at)s::timestamptz - interval '31 days' AND first_day_at < %(to_at)s);

-- name: dial_reads
-- Current index reads of dials in a stretch of time, in the order of the key.
SELECT channel_id, read_at, raw, quality FROM metering.register_reads
WHERE channel_id = ANY (%(channels)s) AND is_current AND read_kind = 'index' AND read_at >= %(from_at)s AND read_at <= %(to_at)s
ORDER BY channel_id, read_at;

-- name: nodes_without_service
-- Nodes of the network that outages took out, from when to when: everything downstream of the device that opened, or of the feeder where no device is known.
WITH RECURSIVE cuts AS (
    SELECT o.outage_id, o.outage_start AS from_at, coalesce(o.actual_restoration, 'infinity') AS to_at, e.to_node_id AS node_id
    FROM outages.outages o JOIN network.edges e ON e.edge_id = coalesce(o.device_edge_id, o.feeder_edge_id)
    WHERE o.outage_status NOT IN ('cancelled', 'merged') AND o.outage_start < %(to_at)s AND coalesce(o.actual_restoration, 'infinity') > %(from_at)s
), downstream AS (
    SELECT outage_id, from_at, to_at, node_id FROM cuts
    UNION
    SELECT d.outage_id, d.from_at, d.to_at, e.to_node_id FROM downstream d JOIN network.edges e ON e.from_node_id = d.node_id AND NOT e.is_normally_open
)
SELECT DISTINCT node_id, extract(epoch FROM from_at)::bigint AS from_s, least(extract(epoch FROM to_at), 9e15)::bigint AS to_s FROM downstream ORDER BY from_s, node_id;

-- name: points_without_service
-- Channels whose service point was reported out, from the report to the end of its outage.
SELECT c.channel_id, extract(epoch FROM r.happened_at)::bigint AS from_s, least(extract(epoch FROM coalesce(o.actual_restoration, 'infinity')), 9e15)::bigint AS to_s
FROM outages.outage_reports r
JOIN outages.outages o ON o.outage_id = r.outage_id AND o.outage_status NOT IN ('cancelled', 'merged')
JOIN devices.meter_installations i ON i.service_point_id = r.service_point_id AND i.installed_period @> r.happened_at
JOIN metering.channels c ON c.meter_id = i.meter_id AND c.interval_s IS NOT NULL
WHERE r.report_kind IN ('out', 'last_gasp') AND r.happened_at < %(to_at)s AND coalesce(o.actual_restoration, 'infinity') > %(from_at)s
ORDER BY r.happened_at;

-- name: disconnections
-- Channels whose meter's switch was open, from when to when.
SELECT c.channel_id, extract(epoch FROM lower(k.period))::bigint AS from_s, least(extract(epoch FROM coalesce(upper(k.period), 'infinity')), 9e15)::bigint AS to_s
FROM devices.service_states k JOIN metering.channels c ON c.meter_id = k.meter_id AND c.interval_s IS NOT NULL
WHERE k.state = 'disconnected' AND k.period && tstzrange(%(from_at)s, %(to_at)s)
ORDER BY from_s;

-- name: policies
-- How the utility wants validation to work, in order of time.
SELECT profile, has_four_eyes, is_holding_bills, is_estimating, context_days, lower(effective_period) AS from_date, upper(effective_period) AS to_date
FROM metering.vee_policies ORDER BY lower(effective_period) NULLS FIRST;

-- name: rule_rows
-- What the utility changes of its profile's rules, in order of time.
SELECT vee_rule_id, rule_name, meter_class, parameters, severity, is_off, lower(effective_period) AS from_date, upper(effective_period) AS to_date
FROM metering.vee_rules ORDER BY rule_name, meter_class, lower(effective_period) NULLS FIRST;

-- name: exceptions_of_channels
-- Exceptions of channels that touch a stretch of time, for comparing with what is found now; those that the machine took back do not count.
SELECT vee_exception_id, channel_id, extract(epoch FROM from_at)::bigint AS from_s, extract(epoch FROM to_at)::bigint AS to_s, rule_number, severity,
       measured::float8 AS measured, is_marked, exception_status, finding
FROM metering.vee_exceptions
WHERE channel_id = ANY (%(channels)s) AND to_at > %(from_at)s AND from_at < %(to_at)s AND exception_status <> 'resolved'
ORDER BY vee_exception_id;

-- name: exceptions_page
-- The work list, newest first, before one, by what is asked.
SELECT e.vee_exception_id, e.channel_id, m.meter_number, c.register, c.interval_s, e.from_at, e.to_at, e.rule_number, e.rule_name, e.severity, e.finding,
       e.measured::float8 AS measured, e.limit_value::float8 AS limit_value, e.is_marked, e.batch_id, e.exception_status, e.found_at, e.closed_at, e.closed_by, e.reason
FROM metering.vee_exceptions e
JOIN metering.channels c ON c.channel_id = e.channel_id
JOIN devices.meters m ON m.meter_id = c.meter_id
WHERE (%(before)s::bigint IS NULL OR e.vee_exception_id < %(before)s)
  AND (%(ids)s::bigint[] IS NULL OR e.vee_exception_id = ANY (%(ids)s))
  AND (%(statuses)s::text[] IS NULL OR e.exception_status = ANY (%(statuses)s))
  AND (%(rule_name)s::text IS NULL OR e.rule_name = %(rule_name)s)
  AND (%(severity)s::text IS NULL OR e.severity = %(severity)s)
  AND (%(channel_id)s::bigint IS NULL OR e.channel_id = %(channel_id)s)
  AND (%(batch_id)s::integer IS NULL OR e.batch_id = %(batch_id)s)
  AND (%(from_at)s::timestamptz IS NULL OR e.to_at > %(from_at)s)
  AND (%(to_at)s::timestamptz IS NULL OR e.from_at < %(to_at)s)
  AND (%(meter_number)s::text IS NULL OR m.meter_number = %(meter_number)s)
  AND (%(zone_code)s::text IS NULL OR EXISTS (
      SELECT FROM devices.meter_installations i JOIN customers.service_points sp ON sp.service_point_id = i.service_point_id
      JOIN network.service_zones z ON z.zone_id = sp.service_zone_id
      WHERE i.meter_id = c.meter_id AND i.installed_period @> e.from_at AND z.zone_code = %(zone_code)s))
ORDER BY e.vee_exception_id DESC
LIMIT %(limit)s;

-- name: exception_totals
-- How many exceptions there are of each kind and state.
SELECT rule_number, rule_name, severity, exception_status, count(*) AS exceptions, count(DISTINCT channel_id) AS channels, min(from_at) AS first_at, max(to_at) AS last_at
FROM metering.vee_exceptions
WHERE %(with_closed)s OR exception_status IN ('open', 're_read')
GROUP BY rule_number, rule_name, severity, exception_status
ORDER BY exceptions DESC, rule_number, exception_status;

-- name: lock_exceptions
-- Exceptions that are about to be decided, locked in the order of their keys.
SELECT e.vee_exception_id, e.channel_id, e.from_at, e.to_at, e.rule_name, e.is_marked, e.exception_status, c.interval_s, c.meter_id, e.severity
FROM metering.vee_exceptions e JOIN metering.channels c ON c.channel_id = e.channel_id
WHERE e.vee_exception_id = ANY (%(ids)s)
ORDER BY e.vee_exception_id
FOR UPDATE OF e;

-- name: versions_of_days
-- What the blocks of a channel were before, oldest first, with who replaced them and why.
SELECT h.block_start, h.version, h.interval_s, h.width, h.vals, h.quality, h.qual, h.replaced_at, h.actor, h.reason, b.source, b.format
FROM metering.interval_block_history h LEFT JOIN metering.ingest_batches b ON b.batch_id = h.batch_id
WHERE h.channel_id = %(channel_id)s AND h.block_start > %(from_at)s - interval '24 hours' AND h.block_start < %(to_at)s
ORDER BY h.block_start, h.version
LIMIT %(limit)s;

-- name: edits_page
-- Edits and estimates, newest first, of one channel where it is named, in one state where it is.
SELECT d.edit_id, d.channel_id, m.meter_number, d.from_at, d.to_at, d.interval_s, d.edit_kind, d.method, d.new_values, d.reason, d.vee_exception_id, d.edit_status, d.proposed_by,
       d.proposed_at, d.approved_by, d.approved_at, d.batch_id
FROM metering.edits d JOIN metering.channels c ON c.channel_id = d.channel_id JOIN devices.meters m ON m.meter_id = c.meter_id
WHERE (%(channel_id)s::bigint IS NULL OR d.channel_id = %(channel_id)s) AND (%(edit_id)s::uuid IS NULL OR d.edit_id = %(edit_id)s)
  AND (%(edit_status)s::text IS NULL OR d.edit_status = %(edit_status)s)
  AND (%(from_at)s::timestamptz IS NULL OR (d.to_at > %(from_at)s AND d.from_at < %(to_at)s))
ORDER BY d.proposed_at DESC, d.edit_id DESC
LIMIT %(limit)s;

-- name: failures_of_channels
-- Open failures of channels by stretch of time, the oldest first: what holds their bills.
SELECT asked.n, e.vee_exception_id, e.rule_name, e.from_at, e.to_at, e.finding
FROM unnest(%(channels)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS asked (channel_id, from_at, to_at, n)
JOIN metering.vee_exceptions e ON e.channel_id = asked.channel_id AND e.from_at < asked.to_at AND e.to_at > asked.from_at
WHERE e.exception_status IN ('open', 're_read') AND e.severity = 'failure'
ORDER BY asked.n, e.from_at, e.vee_exception_id;

-- name: channels_not_validated
-- Channels that have days of deliveries that are not validated, in a stretch of time.
SELECT DISTINCT b.channel_id
FROM metering.interval_blocks b
WHERE b.batch_id = ANY (%(batches)s) AND b.channel_id = ANY (%(channels)s) AND b.block_start > %(from_at)s - interval '24 hours' AND b.block_start < %(to_at)s;

-- name: class_of_channel
-- The class of the customer whom a channel's meter served at an instant.
SELECT cu.customer_class
FROM metering.channels c
JOIN devices.meter_installations i ON i.meter_id = c.meter_id AND i.installed_period @> %(at)s::timestamptz
JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id AND a.active_period @> %(at)s::timestamptz
JOIN customers.customers cu ON cu.customer_id = a.customer_id
WHERE c.channel_id = %(channel_id)s
LIMIT 1;
