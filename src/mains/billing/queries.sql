-- name: due_services
-- Agreements of a cycle with their part of a period, local dates, and the revision that their next bill would have; what is billed of the part already, wholly or partly.
SELECT a.account_id, a.account_number, a.customer_id, a.commodity, sp.timezone, part.from_date, part.to_date,
       coalesce((upper(a.active_period) AT TIME ZONE sp.timezone)::date <= %(period_end)s::date, false) AS is_final,
       coalesce((SELECT max(b.revision) FROM billing.bills b WHERE b.account_id = a.account_id AND b.billing_status = 'cancelled'
                 AND b.billing_period_start >= %(period_start)s AND b.billing_period_end <= %(period_end)s), 0) + 1 AS revision,
       coalesce(daterange(part.from_date, part.to_date) <@ billed.days, false) AS is_billed,
       lower(billed.days) AS billed_from, upper(billed.days) AS billed_to
FROM customers.service_accounts a JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
CROSS JOIN LATERAL (
    SELECT greatest(%(period_start)s::date, (lower(a.active_period) AT TIME ZONE sp.timezone)::date) AS from_date,
           least(%(period_end)s::date, coalesce((upper(a.active_period) AT TIME ZONE sp.timezone)::date, %(period_end)s::date)) AS to_date
) AS part
LEFT JOIN LATERAL (
    SELECT range_agg(daterange(b.billing_period_start, b.billing_period_end)) AS days FROM billing.bills b
    WHERE b.account_id = a.account_id AND b.billing_status <> 'cancelled' AND b.billing_period_start < part.to_date AND b.billing_period_end > part.from_date
) AS billed ON true
WHERE a.billing_cycle = %(cycle_code)s AND a.account_role = 'consumption'
  AND a.active_period && tstzrange(%(period_start)s::date::timestamp AT TIME ZONE sp.timezone, %(period_end)s::date::timestamp AT TIME ZONE sp.timezone)
ORDER BY a.commodity, a.account_number;

-- name: segments_of
-- Which rate version prices which local dates of each agreement inside a period.
SELECT ra.account_id, rv.rate_version_id, rv.document_sha256,
       lower(ra.effective_period * rv.effective_period * daterange(%(period_start)s::date, %(period_end)s::date)) AS from_date,
       upper(ra.effective_period * rv.effective_period * daterange(%(period_start)s::date, %(period_end)s::date)) AS to_date
FROM customers.rate_assignments ra JOIN rates.rate_versions rv ON rv.rate_schedule_id = ra.rate_schedule_id AND rv.effective_period && ra.effective_period
WHERE ra.account_id = ANY (%(account_ids)s) AND ra.effective_period * rv.effective_period && daterange(%(period_start)s::date, %(period_end)s::date)
ORDER BY ra.account_id, from_date;

-- name: channels_of
-- The channels that measured each agreement inside a period, each with the instants it did; what customers send back is not among them.
SELECT a.account_id, c.channel_id, c.unit, c.multiplier * 10::numeric ^ c.pow10 AS units_per_step, c.interval_s, m.dial_digits, m.meter_number,
       lower(a.active_period * i.installed_period * c.in_service * span.period) AS from_at, upper(a.active_period * i.installed_period * c.in_service * span.period) AS to_at
FROM customers.service_accounts a
JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
CROSS JOIN LATERAL (SELECT tstzrange(%(period_start)s::date::timestamp AT TIME ZONE sp.timezone, %(period_end)s::date::timestamp AT TIME ZONE sp.timezone) AS period) AS span
JOIN devices.meter_installations i ON i.service_point_id = a.service_point_id AND i.installed_period && a.active_period * span.period
JOIN devices.meters m ON m.meter_id = i.meter_id
JOIN metering.channels c ON c.meter_id = i.meter_id AND c.commodity = a.commodity AND c.flow IN ('delivered', 'net', 'total') AND c.quantity IN ('energy', 'volume', 'heat')
                        AND c.in_service && a.active_period * i.installed_period * span.period
WHERE a.account_id = ANY (%(account_ids)s)
ORDER BY a.account_id, from_at, c.channel_id;

-- name: billed_among
-- Which of some agreements have a bill that touches a period.
SELECT DISTINCT account_id FROM billing.bills
WHERE account_id = ANY (%(account_ids)s) AND billing_status <> 'cancelled' AND billing_period_start < %(period_end)s::date AND billing_period_end > %(period_start)s::date;

-- name: cycle_by_code
-- A billing cycle with what its bills need of the utility.
SELECT c.cycle_code, c.due_days, u.currency, u.timezone FROM billing.cycles c JOIN network.utilities u USING (utility_id) WHERE c.cycle_code = %(cycle_code)s;

-- name: bill_by_id
-- One bill.
SELECT b.bill_id, b.bill_number, b.account_id, a.account_number, b.customer_id, b.bill_run_id, b.commodity, b.billing_period_start, b.billing_period_end, b.purpose, b.revision, b.billing_status,
       b.currency, b.total_amount, b.usage_quantity, b.usage_unit, b.usage_kwh, b.peak_kw, b.estimated_readings, b.calculated_at, b.issued_at, b.issue_date, b.due_date, b.cancelled_at,
       encode(b.input_sha256, 'hex') AS input_sha256, encode(b.output_sha256, 'hex') AS output_sha256
FROM billing.bills b JOIN customers.service_accounts a ON a.account_id = b.account_id
WHERE b.bill_id = %(bill_id)s;

-- name: bill_by_number
-- One bill by the number printed on it.
SELECT bill_id FROM billing.bills WHERE bill_number = %(bill_number)s;

-- name: bills_after
-- Bills by key after a key, for walking through all of them.
SELECT b.bill_id, b.bill_number, b.account_id, a.account_number, b.customer_id, b.bill_run_id, b.commodity, b.billing_period_start, b.billing_period_end, b.purpose, b.revision, b.billing_status,
       b.currency, b.total_amount, b.usage_quantity, b.usage_unit, b.usage_kwh, b.peak_kw, b.estimated_readings, b.calculated_at, b.issued_at, b.issue_date, b.due_date, b.cancelled_at,
       encode(b.input_sha256, 'hex') AS input_sha256, encode(b.output_sha256, 'hex') AS output_sha256
FROM billing.bills b JOIN customers.service_accounts a ON a.account_id = b.account_id
WHERE b.bill_id > %(after)s AND (%(customer_id)s::uuid IS NULL OR b.customer_id = %(customer_id)s) AND (%(billing_status)s::text IS NULL OR b.billing_status = %(billing_status)s)
ORDER BY b.bill_id LIMIT %(limit)s;

-- name: bills_of_customer
-- Bills of a customer, newest period first.
SELECT b.bill_id, b.bill_number, b.account_id, a.account_number, b.customer_id, b.bill_run_id, b.commodity, b.billing_period_start, b.billing_period_end, b.purpose, b.revision, b.billing_status,
       b.currency, b.total_amount, b.usage_quantity, b.usage_unit, b.usage_kwh, b.peak_kw, b.estimated_readings, b.calculated_at, b.issued_at, b.issue_date, b.due_date, b.cancelled_at,
       encode(b.input_sha256, 'hex') AS input_sha256, encode(b.output_sha256, 'hex') AS output_sha256
FROM billing.bills b JOIN customers.service_accounts a ON a.account_id = b.account_id
WHERE b.customer_id = %(customer_id)s
ORDER BY b.billing_period_start DESC, b.commodity, b.bill_id LIMIT %(limit)s;

-- name: lines_of_bill
-- Lines of a bill in their order.
SELECT line_no, segment_no, rate_version_id, charge_id, charge_kind, label, tags, tou_period, tier, quantity, unit, price, factor, amount
FROM billing.bill_lines WHERE account_id = %(account_id)s AND bill_id = %(bill_id)s ORDER BY line_no;

-- name: lines_of_bills
-- Lines of several bills, each bill's in their order.
SELECT bill_id, segment_no, rate_version_id, charge_id, charge_kind, label, tags, tou_period, tier, quantity, unit, price, factor, amount
FROM billing.bill_lines WHERE bill_id = ANY (%(bill_ids)s) AND account_id = ANY (%(account_ids)s) ORDER BY bill_id, line_no;

-- name: inputs_of_bills
-- What bills were made from, with what verifying them needs.
SELECT b.bill_id, b.account_id, a.account_number, b.customer_id, b.commodity, b.billing_period_start, b.billing_period_end, b.purpose, b.revision, b.total_amount,
       encode(b.input_sha256, 'hex') AS input_sha256, encode(b.output_sha256, 'hex') AS output_sha256, i.segments, i.channels, i.engine_version, i.readings_as_of, sp.timezone
FROM billing.bills b
JOIN billing.bill_inputs i ON i.account_id = b.account_id AND i.bill_id = b.bill_id
JOIN customers.service_accounts a ON a.account_id = b.account_id
JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
WHERE b.bill_id = ANY (%(bill_ids)s);

-- name: bill_keys
-- Keys of bills by period and commodity, so that like bills come together.
SELECT bill_id FROM billing.bills ORDER BY billing_period_start, billing_period_end, commodity, account_id;

-- name: open_exceptions
-- Bills held back, newest first.
SELECT e.bill_exception_id, e.bill_run_id, e.account_id, a.account_number, a.customer_id, a.commodity, e.billing_period_start, e.billing_period_end, e.code, e.message, e.cure, e.exception_status, e.found_at
FROM billing.bill_exceptions e JOIN customers.service_accounts a ON a.account_id = e.account_id
WHERE e.exception_status = 'open' AND (%(after_at)s::timestamptz IS NULL OR (e.found_at, e.bill_exception_id) < (%(after_at)s, %(after_id)s::uuid))
ORDER BY e.found_at DESC, e.bill_exception_id DESC LIMIT %(limit)s;

-- name: latest_runs
-- Bill runs, newest first.
SELECT bill_run_id, cycle_code, period_start, period_end, purpose, run_status, started_at, finished_at, actor, accounts, bills_made, bills_existing, exceptions, total_amount
FROM billing.bill_runs
WHERE %(after_start)s::date IS NULL OR (period_start, started_at, bill_run_id) < (%(after_start)s, %(after_at)s::timestamptz, %(after_id)s::uuid)
ORDER BY period_start DESC, started_at DESC, bill_run_id DESC LIMIT %(limit)s;

-- name: snapshot_instant
-- Instant that everything read in this transaction is as of.
SELECT clock_timestamp();

-- name: exceptions_by_code
-- How many bills are held for each reason.
SELECT code, count(*) AS held FROM billing.bill_exceptions WHERE exception_status = 'open' GROUP BY code ORDER BY held DESC, code;

-- name: billed_by_month
-- Bills and money of each billing period, newest first.
SELECT billing_period_start, count(*) AS bills, sum(total_amount) AS total_amount, sum(usage_kwh) AS usage_kwh
FROM billing.bills WHERE billing_status = 'issued' AND billing_period_start = date_trunc('month', billing_period_start)::date
GROUP BY billing_period_start ORDER BY billing_period_start DESC LIMIT %(limit)s;
