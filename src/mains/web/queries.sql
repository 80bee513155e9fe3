-- name: services_of_customer
-- The agreements of a customer, open ones first, with place, rate, the meter that hangs there last and its main channel, up to when it was read, how many reads its last
-- 35 days have where it is a dial, and the unit of their bills.
SELECT a.account_id, a.account_number, a.commodity, a.account_status, sp.timezone, p.address_line, p.city, lower(a.active_period) AS opened_at, upper(a.active_period) AS closed_at,
       r.rate_schedule_name, i.meter_number, i.channel_id, i.interval_s, least(stored.last_at, upper(a.active_period)) AS last_reading_at, stored.reads_lately,
       (SELECT b.usage_unit FROM billing.bills b WHERE b.account_id = a.account_id AND b.billing_status <> 'cancelled' ORDER BY b.billing_period_start DESC LIMIT 1) AS billed_unit
FROM customers.service_accounts a
JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
JOIN customers.premises p ON p.premise_id = sp.premise_id
LEFT JOIN LATERAL (
    SELECT s.rate_schedule_name FROM customers.rate_assignments ra JOIN rates.rate_schedules s ON s.rate_schedule_id = ra.rate_schedule_id
    WHERE ra.account_id = a.account_id ORDER BY ra.effective_period DESC LIMIT 1) AS r ON true
LEFT JOIN LATERAL (
    SELECT m.meter_number, c.channel_id, c.interval_s
    FROM devices.meter_installations mi JOIN devices.meters m ON m.meter_id = mi.meter_id
    LEFT JOIN metering.channels c ON c.meter_id = m.meter_id AND c.commodity = a.commodity AND c.flow IN ('delivered', 'net', 'total') AND c.quantity IN ('energy', 'volume', 'heat')
    WHERE mi.service_point_id = a.service_point_id AND mi.installed_period && a.active_period
    ORDER BY mi.installed_period DESC, upper_inf(c.in_service) DESC, c.channel_id LIMIT 1) AS i ON true
LEFT JOIN LATERAL (
    SELECT max(d.read_at) AS last_at, count(*) FILTER (WHERE d.read_at > (
               SELECT max(l.read_at) FROM metering.register_reads l
               WHERE l.channel_id = i.channel_id AND l.is_current AND l.read_at < coalesce(upper(a.active_period), 'infinity') + interval '12 hours') - interval '35 days') AS reads_lately
    FROM metering.register_reads d
    WHERE i.interval_s IS NULL AND d.channel_id = i.channel_id AND d.is_current AND d.read_at < coalesce(upper(a.active_period), 'infinity') + interval '12 hours'
    UNION ALL
    (SELECT m.first_day_at + m.days * interval '24 hours', 0 FROM metering.closed_months m
     WHERE i.interval_s IS NOT NULL AND m.channel_id = i.channel_id AND m.first_day_at < coalesce(upper(a.active_period), 'infinity') ORDER BY m.first_day_at DESC LIMIT 1)
    UNION ALL
    (SELECT b.block_start + make_interval(secs => b.interval_s * b.n_valid), 0 FROM metering.interval_blocks b
     WHERE i.interval_s IS NOT NULL AND b.channel_id = i.channel_id AND b.block_start < coalesce(upper(a.active_period), 'infinity') ORDER BY b.block_start DESC LIMIT 1)
    ORDER BY 1 DESC NULLS LAST LIMIT 1) AS stored ON true
WHERE a.customer_id = %(customer_id)s
ORDER BY upper(a.active_period) IS NOT NULL, array_position(ARRAY['electric', 'gas', 'water', 'sewer', 'telecom'], a.commodity), a.account_number;

-- name: channels_of_account
-- The channels that measured what an agreement used in [from_at, to_at), each with the instants it did.
SELECT c.channel_id, m.meter_number, m.dial_digits, c.unit, c.multiplier * 10::numeric ^ c.pow10 AS units_per_step, c.interval_s,
       lower(span.period) AS from_at, upper(span.period) AS to_at
FROM customers.service_accounts a
JOIN devices.meter_installations i ON i.service_point_id = a.service_point_id
JOIN devices.meters m ON m.meter_id = i.meter_id
JOIN metering.channels c ON c.meter_id = i.meter_id AND c.commodity = a.commodity AND c.flow IN ('delivered', 'net', 'total') AND c.quantity IN ('energy', 'volume', 'heat')
CROSS JOIN LATERAL (SELECT a.active_period * i.installed_period * c.in_service * tstzrange(%(from_at)s, %(to_at)s) AS period) AS span
WHERE a.account_id = %(account_id)s AND NOT isempty(span.period)
ORDER BY lower(span.period), c.channel_id;

-- name: place_of_account
-- Whose an agreement is, where it is supplied, from when to when, in which zone of time, and the unit of its bills.
SELECT a.account_id, a.customer_id, c.full_name, a.commodity, concat_ws(', ', p.address_line, p.city) AS premise_address, sp.timezone,
       lower(a.active_period) AS opened_at, upper(a.active_period) AS closed_at,
       (SELECT b.usage_unit FROM billing.bills b WHERE b.account_id = a.account_id AND b.billing_status <> 'cancelled' ORDER BY b.billing_period_start DESC LIMIT 1) AS billed_unit
FROM customers.service_accounts a
JOIN customers.customers c ON c.customer_id = a.customer_id
JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
JOIN customers.premises p ON p.premise_id = sp.premise_id
WHERE a.account_id = %(account_id)s;

-- name: zone_name
-- The name of a service zone.
SELECT zone_name FROM network.service_zones WHERE zone_id = %(zone_id)s;

-- name: receivable_of_bills
-- What the ledger says is still owed on each of some bills; a bill that was never posted is left out.
SELECT bill_id, sum(amount) AS amount FROM payments.ledger_entries WHERE bill_id = ANY (%(bill_ids)s) AND ledger_account = 'receivable' GROUP BY bill_id;

-- name: bills_around
-- The bill before a bill of the same agreement, the one that stands in its place after it was cancelled, and who ran the run that made it.
SELECT (SELECT o.bill_id FROM billing.bills o WHERE o.account_id = b.account_id AND o.billing_status <> 'cancelled' AND o.billing_period_end <= b.billing_period_start
        ORDER BY o.billing_period_end DESC LIMIT 1) AS previous_id,
       (SELECT o.bill_id FROM billing.bills o WHERE o.account_id = b.account_id AND o.billing_period_start = b.billing_period_start AND o.revision > b.revision
        ORDER BY o.revision DESC LIMIT 1) AS replaced_by,
       r.actor AS calculated_by
FROM billing.bills b LEFT JOIN billing.bill_runs r ON r.bill_run_id = b.bill_run_id WHERE b.bill_id = %(bill_id)s;

-- name: events_of_customer
-- What happened to a customer beside bills and payments, newest first: agreements begun and ended, rates and prices that changed, meters exchanged, bills held, tickets, contacts,
-- steps of collection.
SELECT at, kind, title, detail, tone, href FROM (
SELECT lower(a.active_period) AS at, 'service' AS kind, replace(initcap(a.commodity), 'Electric', 'Electricity') || ' service began' AS title, 'Account ' || a.account_number AS detail, 'calm' AS tone, NULL AS href
FROM customers.service_accounts a WHERE a.customer_id = %(customer_id)s
UNION ALL
SELECT upper(a.active_period), 'service', replace(initcap(a.commodity), 'Electric', 'Electricity') || ' service ended', 'Account ' || a.account_number, 'off', NULL
FROM customers.service_accounts a WHERE a.customer_id = %(customer_id)s
UNION ALL
SELECT lower(r.effective_period)::timestamp AT TIME ZONE sp.timezone, 'rate', replace(initcap(a.commodity), 'Electric', 'Electricity') || ' rate changed', 'To ' || s.rate_schedule_name, 'calm', NULL
FROM customers.service_accounts a JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
JOIN customers.rate_assignments r ON r.account_id = a.account_id JOIN rates.rate_schedules s ON s.rate_schedule_id = r.rate_schedule_id
WHERE a.customer_id = %(customer_id)s AND lower(r.effective_period) > (lower(a.active_period) AT TIME ZONE sp.timezone)::date
UNION ALL
SELECT lower(v.effective_period)::timestamp AT TIME ZONE sp.timezone, 'rate', replace(initcap(a.commodity), 'Electric', 'Electricity') || ' price changed', s.rate_schedule_name || ', version ' || v.version_number, 'calm', NULL
FROM customers.service_accounts a JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
JOIN customers.rate_assignments r ON r.account_id = a.account_id JOIN rates.rate_schedules s ON s.rate_schedule_id = r.rate_schedule_id
JOIN rates.rate_versions v ON v.rate_schedule_id = s.rate_schedule_id AND r.effective_period @> lower(v.effective_period) AND lower(v.effective_period) > lower(r.effective_period)
WHERE a.customer_id = %(customer_id)s AND a.active_period @> (lower(v.effective_period)::timestamp AT TIME ZONE sp.timezone)
UNION ALL
SELECT lower(i.installed_period), 'meter', replace(initcap(a.commodity), 'Electric', 'Electricity') || ' meter exchanged', old.meter_number || ' taken down, ' || m.meter_number || ' hung', 'calm', NULL
FROM customers.service_accounts a
JOIN devices.meter_installations i ON i.service_point_id = a.service_point_id AND a.active_period @> lower(i.installed_period) AND lower(i.installed_period) > lower(a.active_period)
JOIN devices.meters m ON m.meter_id = i.meter_id AND m.commodity = a.commodity
JOIN LATERAL (
    SELECT om.meter_number FROM devices.meter_installations oi JOIN devices.meters om ON om.meter_id = oi.meter_id
    WHERE oi.service_point_id = a.service_point_id AND om.commodity = a.commodity AND upper(oi.installed_period) <= lower(i.installed_period)
    ORDER BY oi.installed_period DESC LIMIT 1) AS old ON true
WHERE a.customer_id = %(customer_id)s
UNION ALL
SELECT e.found_at, 'bill', 'Bill held', concat(replace(initcap(a.commodity), 'Electric', 'Electricity'), ', from ', to_char(e.billing_period_start, 'FMDD Mon YYYY'), ': ', e.message), 'live', '/billing/exceptions'
FROM customers.service_accounts a JOIN billing.bill_exceptions e ON e.account_id = a.account_id
WHERE a.customer_id = %(customer_id)s AND e.exception_status = 'open'
UNION ALL
SELECT t.opened_at, 'ticket', t.subject, 'Ticket ' || t.ticket_number || ', ' || t.ticket_status, CASE WHEN t.is_complaint THEN 'live' ELSE 'calm' END, NULL
FROM customers.support_tickets t WHERE t.customer_id = %(customer_id)s
UNION ALL
SELECT c.contacted_at, 'contact', c.topic, CASE c.direction WHEN 'inbound' THEN 'They wrote or called, by ' ELSE 'We wrote or called, by ' END || c.channel, 'calm', NULL
FROM customers.contacts c WHERE c.customer_id = %(customer_id)s
UNION ALL
SELECT s.taken_at, 'collection', initcap(replace(s.step, '_', ' ')), coalesce(s.reason, ''), 'alarm', NULL
FROM payments.collection_steps s WHERE s.customer_id = %(customer_id)s
) AS event
WHERE at <= %(at)s
ORDER BY at DESC, title LIMIT %(limit)s;

-- name: counts
-- The utility in numbers: customers served, open agreements by commodity, readings taken in, when the last delivery came, and bills held.
SELECT (SELECT count(*) FROM customers.customers WHERE service_status = 'active') AS customers,
       (SELECT coalesce(jsonb_object_agg(commodity, accounts), '{}') FROM (
           SELECT commodity, count(*) AS accounts FROM customers.service_accounts WHERE account_status = 'active' GROUP BY commodity) AS open_accounts) AS accounts,
       (SELECT coalesce(sum(readings_new), 0)::bigint FROM metering.ingest_batches) AS readings,
       (SELECT max(received_at) FROM metering.ingest_batches) AS last_delivery_at,
       (SELECT count(*) FROM billing.bill_exceptions WHERE exception_status = 'open') AS held,
       (SELECT min(found_at) FROM billing.bill_exceptions WHERE exception_status = 'open') AS held_since;

-- name: billed_by_month
-- What was billed for each of the last periods, oldest first: bills that stand, by the month their period began.
SELECT date_trunc('month', billing_period_start)::date AS month, count(*) AS bills, sum(total_amount) AS amount
FROM billing.bills WHERE billing_status = 'issued' GROUP BY 1 ORDER BY 1 DESC LIMIT %(limit)s;

-- name: quarantine_reasons
-- Why readings of some deliveries were set aside: each code with its first place, what came of it, and the cure.
SELECT DISTINCT ON (batch_id, code) batch_id, code, sum(readings) OVER same::bigint AS readings,
       count(*) FILTER (WHERE readings = 0) OVER same AS notes, message, cure, line
FROM metering.quarantine WHERE batch_id = ANY (%(batch_ids)s)
WINDOW same AS (PARTITION BY batch_id, code)
ORDER BY batch_id, code, quarantine_id;

-- name: held_bills
-- Bills that wait for a person, of all customers or one, oldest first, with whose they are.
SELECT e.bill_exception_id AS exception_id, e.account_id, a.account_number, a.customer_id, c.full_name AS customer_name, a.commodity, e.billing_period_start, e.billing_period_end,
       e.code, e.message AS reason, e.cure, e.found_at AS opened_at
FROM billing.bill_exceptions e
JOIN customers.service_accounts a ON a.account_id = e.account_id
JOIN customers.customers c ON c.customer_id = a.customer_id
WHERE e.exception_status = 'open' AND (%(customer_id)s::uuid IS NULL OR a.customer_id = %(customer_id)s)
ORDER BY e.found_at, a.account_number LIMIT %(limit)s;

-- name: found
-- What begins with, or holds, some words: customers by name or number, accounts, meters and bills by number, places by address.
(SELECT 'customer' AS kind, c.customer_id AS id, c.full_name AS title, concat_ws(' · ', c.customer_number, (
     SELECT p.address_line FROM customers.service_accounts a JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
     JOIN customers.premises p ON p.premise_id = sp.premise_id WHERE a.customer_id = c.customer_id ORDER BY a.account_number LIMIT 1)) AS detail
 FROM customers.customers c WHERE c.full_name ILIKE %(inside)s OR c.customer_number ILIKE %(begins)s ORDER BY c.full_name, c.customer_number LIMIT %(limit)s)
UNION ALL
(SELECT 'account', a.customer_id, a.account_number, concat_ws(' · ', replace(initcap(a.commodity), 'Electric', 'Electricity'), c.full_name)
 FROM customers.service_accounts a JOIN customers.customers c ON c.customer_id = a.customer_id WHERE a.account_number ILIKE %(begins)s ORDER BY a.account_number LIMIT %(limit)s)
UNION ALL
(SELECT 'meter', a.customer_id, m.meter_number, concat_ws(' · ', replace(initcap(m.commodity), 'Electric', 'Electricity'), c.full_name)
 FROM devices.meters m JOIN devices.meter_installations i ON i.meter_id = m.meter_id
 JOIN customers.service_accounts a ON a.service_point_id = i.service_point_id AND a.active_period && i.installed_period
 JOIN customers.customers c ON c.customer_id = a.customer_id
 WHERE m.meter_number ILIKE %(begins)s ORDER BY m.meter_number LIMIT %(limit)s)
UNION ALL
(SELECT 'bill', b.bill_id, b.bill_number, concat_ws(' · ', replace(initcap(b.commodity), 'Electric', 'Electricity'), c.full_name)
 FROM billing.bills b JOIN customers.customers c ON c.customer_id = b.customer_id WHERE b.bill_number ILIKE %(begins)s ORDER BY b.billing_period_start DESC, b.bill_number LIMIT %(limit)s)
UNION ALL
(SELECT 'premise', a.customer_id, concat_ws(', ', p.address_line, p.city), c.full_name
 FROM customers.premises p JOIN customers.service_points sp ON sp.premise_id = p.premise_id JOIN customers.service_accounts a ON a.service_point_id = sp.service_point_id
 JOIN customers.customers c ON c.customer_id = a.customer_id
 WHERE p.address_line ILIKE %(inside)s GROUP BY a.customer_id, p.address_line, p.city, c.full_name ORDER BY p.address_line, c.full_name LIMIT %(limit)s);
