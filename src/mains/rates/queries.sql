-- name: versions_by_id
-- Documents of rate versions by key.
SELECT rv.rate_version_id, rv.rate_schedule_id, rs.rate_code, rs.rate_schedule_name, rv.version_number, rv.effective_period, rv.document, rv.document_sha256
FROM rates.rate_versions rv JOIN rates.rate_schedules rs USING (rate_schedule_id)
WHERE rv.rate_version_id = ANY (%(ids)s);

-- name: rate_book
-- Every rate with its newest version's dates, by commodity and name.
SELECT rs.rate_schedule_id, rs.rate_code, rs.rate_schedule_name, rs.commodity, rs.customer_class, rs.rate_status, rs.effective_date, rs.base_rate, rs.demand_charge, rs.time_of_use_rates, rs.service_charge,
       (SELECT count(*) FROM rates.rate_versions rv WHERE rv.rate_schedule_id = rs.rate_schedule_id)::integer AS versions
FROM rates.rate_schedules rs
WHERE rs.rate_code > %(after)s
ORDER BY rs.rate_code
LIMIT %(limit)s;

-- name: factor_series
-- Values of an index series that touch a stretch of time, oldest first.
SELECT from_at, to_at, price FROM rates.index_series WHERE series = %(series)s AND from_at < %(to_at)s AND to_at > %(from_at)s ORDER BY from_at;
