-- name: schedule_by_code
-- The rate of a code, locked against another version being published at the same time.
SELECT rate_schedule_id, commodity FROM rates.rate_schedules WHERE rate_code = %(code)s FOR UPDATE;

-- name: insert_schedule
-- A new rate, without a version yet.
INSERT INTO rates.rate_schedules (rate_schedule_name, rate_code, commodity, customer_class, rate_status)
VALUES (%(name)s, %(code)s, %(commodity)s, %(customer_class)s, 'active')
RETURNING rate_schedule_id;

-- name: version_by_hash
-- A version of the rate that has this very document and first date.
SELECT rate_version_id FROM rates.rate_versions
WHERE rate_schedule_id = %(rate_schedule_id)s AND document_sha256 = %(sha256)s AND lower(effective_period) = %(effective_from)s::date;

-- name: close_open_version
-- End the version that is still open when the next one begins.
UPDATE rates.rate_versions SET effective_period = daterange(lower(effective_period), %(effective_from)s::date)
WHERE rate_schedule_id = %(rate_schedule_id)s AND upper_inf(effective_period) AND lower(effective_period) < %(effective_from)s::date;

-- name: insert_version
-- A version with the next number.
INSERT INTO rates.rate_versions (rate_schedule_id, version_number, effective_period, document, document_sha256, source_url, source_sha256, approved_by)
SELECT %(rate_schedule_id)s::uuid, coalesce(max(version_number), 0) + 1, daterange(%(effective_from)s::date, %(effective_to)s::date), %(document)s::jsonb, %(sha256)s, %(source_url)s, %(source_sha256)s, %(approved_by)s
FROM rates.rate_versions WHERE rate_schedule_id = %(rate_schedule_id)s
RETURNING rate_version_id;

-- name: show_newest
-- Put the newest version's headline prices on the rate, for people who look there.
UPDATE rates.rate_schedules
SET effective_date = %(effective_from)s, base_rate = %(base_rate)s, demand_charge = %(demand_charge)s, time_of_use_rates = %(time_of_use_rates)s::jsonb, service_charge = %(service_charge)s
WHERE rate_schedule_id = %(rate_schedule_id)s AND (effective_date IS NULL OR effective_date <= %(effective_from)s);
